"""Which of many known boxes overlap a box most, without a table of all the overlaps.

An overlap of at least a threshold needs corners beyond some bounds. So columns of corners
are read, most boxes are left out by comparison alone, and the overlaps of the few others
are computed. Nothing is approximate: the bounds are necessary conditions.
"""

import math
from copy import copy

import networkx as nx
import numpy as np
import torch

from sklearn_task2box.boxes._geometry import overlap_by_dimension, sum_log_softplus
from sklearn_task2box.relations._closure import adjacency
from sklearn_task2box.utils._features import writable

# Number of known boxes that one step reads.
_BLOCK = 1 << 17
# With fewer than one in so many boxes left, further tests look up their corners one by one.
_FEW = 64
# About as many boxes, from all over, set the first threshold.
_SAMPLE = 1 << 12
# Numbers in a block of (box_dim, rows, columns) where overlaps are computed.
_TABLE = 1 << 18
# Numbers in each of the eight arrays at work for pairs.
_PAIRS = 1 << 17
# Rounding, relative to the corners, or to strengths that are computed again.
_SLACK = 1e-9
_TINY = np.finfo(float).tiny
# Logarithm of an overlap below which other bounds on members are the tighter ones.
_DEEP = 0.7


class KnownBoxes:
    """Boxes that can be queried for their overlaps, to the power ``exponent``.

    ``boxes``, of shape (n_boxes, 2 * box_dim), are lower corners, then upper corners; they
    are not copied if columns are contiguous.
    """

    def __init__(self, boxes, temperature, exponent=1.0):
        columns = writable(np.ascontiguousarray(np.asarray(boxes, dtype=np.float64).T))
        self.lower, self.upper = torch.from_numpy(columns).chunk(2)
        self.temperature = temperature
        self.exponent = exponent

    def __len__(self):
        return self.lower.shape[1]

    def __getitem__(self, key):
        """Some of the boxes, by a slice or an array of positions."""
        some, corners = copy(self), (self.lower, self.upper)
        if isinstance(key, slice):
            some.lower, some.upper = (corner[:, key] for corner in corners)
        else:  # faster than by brackets
            at = torch.as_tensor(key)
            some.lower, some.upper = (corner.index_select(1, at) for corner in corners)
        return some

    def sizes(self):
        """Logarithms of the soft volumes, up to a constant."""
        sides = (self.upper - self.lower) / self.temperature
        return sum_log_softplus(sides, slopes=False)[0].numpy()

    def pairs(self, heads, tails):
        """How much of the boxes at ``heads`` lies in those at ``tails``: (n_pairs,)."""
        strengths = np.empty(len(heads))
        step = max(1, _PAIRS // len(self.lower))
        for start in range(0, len(heads), step):
            part = slice(start, start + step)
            one, other = self[heads[part]], self[tails[part]]
            corners = one.lower, one.upper, other.lower, other.upper
            strengths[part] = self._shares(corners).numpy()
        return strengths

    def overlaps(self, queries, inside):
        """Strengths, (n_queries, n_boxes), of queries ``inside`` known boxes, or around."""
        strengths = np.empty((len(queries), len(self)))
        out = torch.from_numpy(strengths)
        dim = len(self.lower)
        width = max(1, min(len(self), _TABLE // dim))
        height = max(1, _TABLE // (dim * width))
        for top in range(0, len(queries), height):
            rows = slice(top, top + height)
            ours = queries.lower[:, rows, None], queries.upper[:, rows, None]
            for left in range(0, len(self), width):
                columns = slice(left, left + width)
                known = self.lower[:, None, columns], self.upper[:, None, columns]
                ends = (*ours, *known) if inside else (*known, *ours)
                out[rows, columns] = self._shares(ends)
        return strengths

    def _shares(self, corners):
        return overlap_by_dimension(*corners, self.temperature, self.exponent)

    def best(self, queries, k, inside, without=None):
        """The k known boxes that best contain each query, or are best contained in it.

        Positions and strengths, (n_queries, k), the strongest first; of equally strong ones
        the smallest container or the largest member, then the first. ``without`` holds a
        known box for each query that is left out, -1 for none.
        """
        indices = np.empty((len(queries), k), dtype=np.intp)
        strengths = np.empty((len(queries), k))
        stride = max(1, len(self) // max(_SAMPLE, 4 * k))
        sample = np.arange(0, len(self), stride)
        some = self if stride == 1 else self[::stride]
        sizes = some.sizes() if stride == 1 else None
        without = np.full(len(queries), -1) if without is None else without
        step = max(1, _TABLE // len(sample))
        for start in range(0, len(queries), step):
            table = some.overlaps(queries[start : start + step], inside)
            for i, values in enumerate(table, start):
                values[sample == without[i]] = -1
                threshold = np.partition(values, -k)[-k]
                if stride == 1:
                    at = np.flatnonzero(values >= threshold)
                    values, ties = values[at], sizes[at]
                else:
                    query = queries[i : i + 1]
                    at, values = self._search(query, threshold, inside, k, without[i])
                    ties = self[at].sizes()
                order = np.lexsort((at, ties if inside else -ties, -values))[:k]
                indices[i], strengths[i] = at[order], values[order]
        return indices, strengths

    def at_least(self, queries, thresholds, inside):
        """For each query, yield the boxes that reach its threshold, and their overlaps."""
        step = max(1, _TABLE // len(self))
        for start in range(0, len(queries), step):
            some = queries[start : start + step]
            table = self.overlaps(some, inside) if len(self) <= _SAMPLE else None
            for i, threshold in enumerate(thresholds[start : start + step]):
                if table is None:
                    yield self._search(some[i : i + 1], threshold, inside)
                else:
                    at = np.flatnonzero(table[i] >= threshold)
                    yield at, table[i, at]

    def _search(self, box, threshold, inside, k=None, without=-1):
        """Boxes that overlap one by a threshold, which rises to the k-th best so far."""
        found, values = [np.zeros(0, dtype=np.intp)], [np.zeros(0)]
        best = np.zeros(0)
        if k is not None:  # of strengths from a table, where they may round otherwise
            threshold = threshold * (1 - _SLACK) if threshold > _TINY else 0
        tests = self._tests(box, threshold, inside)
        for block in self._blocks():
            at = self._passing(block, tests)
            at = at[at != without]
            if not len(at):
                continue
            strengths = self[at].overlaps(box, inside)[0]
            kept = strengths >= threshold
            found.append(at[kept])
            values.append(strengths[kept])
            if k is not None and kept.any():
                best = np.sort(np.concatenate([best, values[-1]]))[-k:]
                if len(best) == k and best[0] > threshold:
                    threshold = best[0]
                    tests = self._tests(box, threshold, inside)
        found, values = np.concatenate(found), np.concatenate(values)
        return found[values >= threshold], values[values >= threshold]

    def _blocks(self):
        """Small blocks come first, so that the threshold rises early."""
        start, size = 0, _BLOCK >> 4
        while start < len(self):
            stop = min(start + size, len(self))
            yield slice(start, stop)
            start, size = stop, min(2 * size, _BLOCK)

    def _tests(self, box, threshold, inside):
        """Necessary conditions of an overlap with one box, in NumPy, which is faster here.

        Each is a column, another one and how far to go there, or None for the way itself,
        then a bound, and whether it bounds from below.
        """
        if threshold <= 0:
            return []
        depth, t = -math.log(threshold) / self.exponent, self.temperature
        lower, upper = box.lower[:, 0], box.upper[:, 0]
        slack = _SLACK * float(torch.maximum(lower.abs(), upper.abs()).max() + t)
        below, above = self.lower.numpy(), self.upper.numpy()
        dims = range(len(below))
        # Of the intersection's side z and that of the member, log(softplus(z)) >=
        # log(softplus(side)) - depth. A known member has a side of at least 0. And z is at
        # most (one's upper - the other's lower), both ways.
        side = upper - lower if inside else torch.zeros_like(upper)
        least = self._side(side, -depth) - slack
        reach, start = (lower + least).tolist(), (upper - least).tolist()
        tests = [(above[k], above[k], 0.0, reach[k], True) for k in dims]
        tests += [(below[k], below[k], 0.0, start[k], False) for k in dims]
        if inside:
            return tests
        if depth > _DEEP:
            # Nor is z more than the side of the query.
            most = (self._side(upper - lower, depth) + slack).tolist()
            return tests + [(above[k], below[k], None, most[k], False) for k in dims]
        # log(softplus(z)) is concave, and softplus(z) / sigmoid(z) < z + 1.4, so a known
        # box may stick out by depth * (its side + 1.4 t) in any dimension.
        room = 1.4 * t * depth + slack
        last, first = (upper + room).tolist(), (lower - room).tolist()
        tests += [(above[k], below[k], depth, last[k], False) for k in dims]
        return tests + [(below[k], above[k], depth, first[k], True) for k in dims]

    def _side(self, side, more):
        """The side whose log(softplus) is that of another one, and some more."""
        log_soft = torch.nn.functional.softplus(side / self.temperature).log() + more
        soft = log_soft.exp()
        # z of softplus(z); far below 0, that is the logarithm itself.
        z = torch.where(log_soft > -30, soft + (-(-soft).expm1()).log(), log_soft)
        return self.temperature * z

    def _passing(self, block, tests):
        """Positions of the boxes of a block that pass all tests."""
        mask, at = np.ones(block.stop - block.start, dtype=bool), None
        for near, far, weight, bound, from_below in tests:
            value = near[block] if at is None else near.take(at)
            if weight != 0:
                way = value - (far[block] if at is None else far.take(at))
                value = way if weight is None else value - weight * way
            passed = value >= bound if from_below else value <= bound
            if at is not None:
                at = at[passed]
                continue
            mask &= passed
            if np.count_nonzero(mask) < len(mask) // _FEW:
                at = np.flatnonzero(mask) + block.start
        return np.flatnonzero(mask) + block.start if at is None else at


def graph_of(tasks, threshold, reduce):
    """A directed graph of the relations, at least a threshold, among positions of tasks.

    ``reduce`` keeps, of edges in cycles, only those to larger tasks, and drops those that
    follow from others by transitivity.
    """
    graph = nx.DiGraph()
    graph.add_nodes_from(range(len(tasks)))
    thresholds = np.full(len(tasks), threshold)
    for i, (at, strengths) in enumerate(tasks.at_least(tasks, thresholds, inside=True)):
        graph.add_weighted_edges_from(
            (i, int(j), float(w)) for j, w in zip(at, strengths, strict=True) if j != i
        )
    if reduce:
        # Of equal tasks, the later one counts as the larger.
        rank = np.argsort(np.argsort(tasks.sizes(), kind="stable"))
        down = [(u, v) for u, v in graph.edges if rank[u] > rank[v]]
        graph.remove_edges_from([(u, v) for u, v in down if graph.has_edge(v, u)])
        # Boxes have no cycles left; other models may have some.
        part = nx.condensation(graph).graph["mapping"]
        graph.remove_edges_from([(u, v) for u, v in down if part[u] == part[v]])
        kept = nx.transitive_reduction(graph).edges
        graph.remove_edges_from([edge for edge in graph.edges if edge not in kept])
    return graph


def rankings(tasks, pairs):
    """Yield the tasks ranked before the weakest container of each task that has one.

    See :meth:`~sklearn_task2box.base.RelationModel.ranked_containers`.
    """
    related = pairs.strengths > 0
    heads, tails = pairs.heads[related], pairs.tails[related]
    strengths = tasks.pairs(heads, tails)
    order = np.argsort(heads, kind="stable")
    members, starts = np.unique(heads[order], return_index=True)
    # No task below the weakest related one can stand before any. (Less rounding.)
    thresholds = np.minimum.reduceat(strengths[order], starts) * (1 - _SLACK)
    unknown = adjacency(pairs.unknown_heads, pairs.unknown_tails, pairs.n_tasks)
    containers = np.split(tails[order], starts[1:])
    answers = tasks.at_least(tasks[members], thresholds, inside=True)
    for i, (at, values) in enumerate(answers):
        left_out = unknown.indices[slice(*unknown.indptr[members[i] : members[i] + 2])]
        seen = (at != members[i]) & ~np.isin(at, left_out)
        yield np.isin(at[seen], containers[i]), values[seen]
