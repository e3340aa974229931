"""Queries of strengths, answered from blocks of the table of all pairs."""

import numpy as np

# Strengths in a block of a table.
_TABLE = 1 << 20


class TableIndex:
    """Tasks that can be queried for their strongest relations, as KnownBoxes can.

    Strengths come from ``table(tasks, others)``, of shape (n_tasks, n_others), and from
    ``pairs(tasks, heads, tails)``; ``tasks`` are an array or a CSR matrix of rows.
    """

    def __init__(self, table, pairs, tasks):
        self.table = table
        self.pair_strengths = pairs
        self.tasks = tasks

    def __len__(self):
        return self.tasks.shape[0]

    def __getitem__(self, key):
        """Some of the tasks."""
        return TableIndex(self.table, self.pair_strengths, self.tasks[np.asarray(key)])

    def pairs(self, heads, tails):
        """How much of the tasks at ``heads`` lies in those at ``tails``: (n_pairs,)."""
        return self.pair_strengths(self.tasks, heads, tails)

    def sizes(self):
        """How much of the others lies in each task, less how much of it lies in them."""
        inside, around = np.zeros((2, len(self)))
        for part, table in self._blocks(self, inside=True):
            around += table.sum(axis=0)
            inside[part] = table.sum(axis=1)
        return around - inside

    def best(self, queries, k, inside, without=None):
        """The k tasks that best contain each query, or are best contained in it."""
        indices = np.empty((len(queries), k), dtype=np.intp)
        strengths = np.empty((len(queries), k))
        for part, table in self._blocks(queries, inside):
            if without is not None:
                rows = np.flatnonzero(without[part] >= 0)
                table[rows, without[part][rows]] = -1
            indices[part] = np.argsort(-table, axis=1, kind="stable")[:, :k]
            strengths[part] = np.take_along_axis(table, indices[part], axis=1)
        return indices, strengths

    def at_least(self, queries, thresholds, inside):
        """Yield, for each query, tasks related by at least a threshold, and strengths."""
        for part, table in self._blocks(queries, inside):
            for values, threshold in zip(table, thresholds[part], strict=True):
                found = np.flatnonzero(values >= threshold)
                yield found, values[found]

    def _blocks(self, queries, inside):
        step = max(1, _TABLE // max(len(self), 1))
        for start in range(0, len(queries), step):
            part = slice(start, min(start + step, len(queries)))
            some = queries.tasks[part]
            if inside:
                yield part, self.table(some, self.tasks)
            else:
                yield part, np.ascontiguousarray(self.table(self.tasks, some).T)
