"""PathCounts: what speaks for or against a relation by transitivity."""

import numpy as np
from scipy.special import logit

from sklearn_task2box.utils._features import toarray
from sklearn_task2box.utils._rows import blocks_of_pairs

# Scores are kept so far from 0 and 1, where log-odds have no end.
_EDGE = 1e-3
# Numbers in a block of counts.
_BLOCK = 1 << 23
# Tasks whose relations may be made dense, and the share of them that there have to be rows.
_MAX_DENSE, _MANY_ROWS = 2000, 0.1
# Tasks between two that are looked at: those of the highest scores.
_MAX_BETWEEN = 100


def log_odds(scores):
    """Log-odds of scores, which are kept away from 0 and 1."""
    return logit(np.clip(scores, _EDGE, 1 - _EDGE))


def is_denser(n_tasks, n_rows):
    """Whether a table of all tasks is quicker as a dense one, for so many rows."""
    return n_tasks <= _MAX_DENSE and n_rows >= _MANY_ROWS * n_tasks


class PathCounts:
    """How many other tasks speak for or against a relation of two, by transitivity.

    Of i -> j, they are those with i -> k -> j; those with k -> i but not k -> j, or j -> k
    but not i -> k; and those with i -> k where k and j are unrelated, as i would lie in
    both (in a tree, containers of a task lie inside one another). The pair itself has no
    part in its counts, so that they are as good for observed pairs as for unknown ones.

    ``related`` has strengths, and ``offset + unrelated`` one minus them, of observed pairs;
    both are sparse, (n_tasks, n_tasks), and 0 elsewhere.
    """

    def __init__(self, related, offset, unrelated):
        self.related = related.tocsr()
        self.related_by = related.T.tocsr()
        self.offset = offset
        self.unrelated = unrelated.tocsr()
        back = self.unrelated.T
        # The product of offset + unrelated and its transpose, less the offset.
        apart = self.unrelated.multiply(back) + offset * (self.unrelated + back)
        self.apart = apart.tocsr()
        sums = (np.asarray(related.sum(axis=axis)).ravel() for axis in (0, 1))
        self.n_members, self.n_containers = sums

    def logarithms(self, heads, tails):
        """Logarithms of one plus the counts of pairs, (n_pairs, 3)."""
        counts = np.empty((len(heads), 3))
        step = max(1, _BLOCK // self.related.shape[0])
        for places, at, *ends in blocks_of_pairs(heads, tails, step):
            for column, table in enumerate(self._tables(*ends)):
                counts[places, column] = table[at]
        return np.log1p(counts.clip(min=0))  # rounding

    def _tables(self, rows, columns):
        """Yield the three counts of the pairs of rows and columns."""
        members, containers = self.related_by[rows], self.related[rows]
        related, related_by, unrelated, apart = self._of(columns)
        yield toarray(containers @ related)
        against = members @ unrelated + self.unrelated[rows] @ related_by
        sides = self.n_members[rows, None] + self.n_containers[columns]
        yield toarray(against) + self.offset * sides
        yield toarray(containers @ apart) + self.offset * self.n_containers[rows, None]

    def _of(self, columns):
        tables = self.related, self.related_by, self.unrelated, self.apart
        return (table[:, columns] for table in tables)

    def of_new(self, scores, columns):
        """Yield what speaks for or against relations of new tasks, by their scores.

        Scores of i -> k, (n_new, n_tasks), take the place of relations, and sums that of
        counts. Tables of the relations to some tasks, (n_new, n_columns), are yielded:
        logarithms of the three counts, log-odds of the strongest task between and of the
        strongest one in both of which i would lie, and what describes a row: the sum and
        the largest of its scores.
        """
        related, related_by, _, apart = self._of(columns)
        yield np.log1p((scores @ related).clip(min=0))
        sums = scores.sum(axis=1, keepdims=True)
        yield np.log1p((scores @ apart + self.offset * sums).clip(min=0))
        yield np.log1p((self.n_containers[columns] - scores @ related_by).clip(min=0))
        yield from map(log_odds, self._strongest(scores, related, apart))
        shape = len(scores), related.shape[1]
        yield np.broadcast_to(np.log1p(sums), shape)
        yield np.broadcast_to(log_odds(scores.max(axis=1, keepdims=True)), shape)

    def _strongest(self, scores, related, apart):
        """The largest products of a score with a strength, or with one minus it."""
        n_between = min(n := scores.shape[1], _MAX_BETWEEN)
        top = np.argpartition(-scores, n_between - 1, axis=1)[:, :n_between]
        scores = scores.astype(np.float32)
        tables = np.empty((2, len(scores), related.shape[1]), dtype=np.float32)
        by = (related, 0), (apart, self.offset)
        for table, (matrix, offset) in zip(tables, by, strict=True):
            matrix = matrix.astype(np.float32)
            if is_denser(n, len(scores)):
                matrix = toarray(matrix) + np.float32(offset)
                offset = 0
            for row, places in enumerate(top):
                strengths = toarray(matrix[places])
                if offset:
                    strengths += offset
                strengths *= scores[row, places][:, None]
                np.max(strengths, axis=0, out=table[row])
        return tables
