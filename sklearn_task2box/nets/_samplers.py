"""Negative sampling: unrelated pairs, made of related ones."""

import numpy as np

from sklearn_task2box.relations._closure import adjacency


class Uniform:
    """Draws any task to replace an end of a pair."""

    def __init__(self, pairs, rng):
        self.n_tasks = pairs.n_tasks
        self.rng = rng

    def __call__(self, heads, tails, at_head):
        return self.rng.randint(0, self.n_tasks, size=len(heads))


class ByDegree:
    """Draws tasks as often as they stand at that end, to the power of 3/4."""

    def __init__(self, pairs, rng):
        self.rng = rng
        related = pairs.strengths > 0
        self.sums = []
        for ends in (pairs.heads, pairs.tails):
            counts = np.bincount(ends[related], minlength=pairs.n_tasks)
            sums = np.cumsum(counts**0.75)
            self.sums.append(sums / sums[-1])

    def __call__(self, heads, tails, at_head):
        at = self.rng.random_sample(len(heads))
        drawn = (np.searchsorted(sums, at, side="right") for sums in self.sums)
        return np.where(at_head, *drawn).clip(max=len(self.sums[0]) - 1)


class Hard:
    """Draws tasks two relations away, and any task half of the time.

    Of u -> v, a member of a container of a member of v replaces u, or a container of a
    member of a container of u replaces v.
    """

    def __init__(self, pairs, rng):
        self.rng = rng
        self.uniform = Uniform(pairs, rng)
        related = pairs.strengths > 0
        heads, tails = pairs.heads[related], pairs.tails[related]
        self.containers = adjacency(heads, tails, pairs.n_tasks)
        self.members = adjacency(tails, heads, pairs.n_tasks)

    def _step(self, graph, nodes):
        """A random neighbor of each node; the node itself where it has none."""
        counts = np.diff(graph.indptr)[nodes]
        at = (self.rng.random_sample(len(nodes)) * counts).astype(np.int64)
        at = (graph.indptr[nodes] + at).clip(max=graph.nnz - 1)
        return np.where(counts, graph.indices[at], nodes)

    def __call__(self, heads, tails, at_head):
        member = self._step(self.members, tails)
        container = self._step(self.containers, heads)
        near = np.where(
            at_head,
            self._step(self.members, self._step(self.containers, member)),
            self._step(self.containers, self._step(self.members, container)),
        )
        anywhere = self.rng.random_sample(len(heads)) < 0.5
        return np.where(anywhere, self.uniform(heads, tails, at_head), near)


SAMPLERS = {"uniform": Uniform, "degree": ByDegree, "hard": Hard}
