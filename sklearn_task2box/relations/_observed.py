"""ObservedPairs: the pairs of tasks that a fit may learn from."""

import warnings
from dataclasses import dataclass, replace

import numpy as np

from sklearn_task2box.utils._typing import Array, Random, Self

# Strength from which a layout puts a task inside another.
_CONTAINED = 0.5
# Share of the other tasks that a task lies inside only where relations look reversed.
_NEARLY_ALL = 0.9
# How many times as many tops as leaves look reversed.
_MANY_TOPS = 3
# Weight of targets of further tasks that are not 0, beside an observed strength.
_FURTHER_WEIGHT = 0.5
REVERSED = (
    "Are the relations reversed? An edge u -> v means that u lies inside v; for the other "
    "direction, pass TaskRelations(relations, direction='container_to_member')."
)


def thin_zeros(strengths, most, rng):
    """Places of related pairs and of a sample of ``most`` others, and what each counts."""
    related, zeros = np.flatnonzero(strengths), np.flatnonzero(strengths == 0)
    drawn = zeros if len(zeros) <= most else np.sort(rng.choice(zeros, most, replace=False))
    counts = np.repeat([1.0, len(zeros) / max(len(drawn), 1)], [len(related), len(drawn)])
    return np.append(related, drawn), counts


@dataclass(frozen=True)
class ObservedPairs:
    """The pairs of tasks that a fit may learn from, in positions 0..n_tasks-1.

    Where ``complete``, a pair that is neither listed nor unknown is observed, with
    strength 0. The diagonal is never observed.

    Parameters
    ----------
    n_tasks : int
    heads, tails : int ndarray of shape (n_pairs,)
        Listed pairs: the task inside, and the one that it lies in.
    strengths : ndarray of shape (n_pairs,)
    unknown_heads, unknown_tails : int ndarray of shape (n_unknown,)
        Pairs of which nothing is known.
    complete : bool
    weights : ndarray of shape (n_pairs,), default=None
        Weights of the listed pairs in a fit; None is 1 for all of them.
    """

    n_tasks: int
    heads: np.ndarray
    tails: np.ndarray
    strengths: np.ndarray
    unknown_heads: np.ndarray
    unknown_tails: np.ndarray
    complete: bool
    weights: np.ndarray | None = None

    @property
    def n_observed(self) -> int:
        if not self.complete:
            return len(self.strengths)
        return self.n_tasks * (self.n_tasks - 1) - len(self.unknown_heads)

    @property
    def n_related(self) -> int:
        return int(np.count_nonzero(self.strengths))

    def contained(self) -> tuple[Array, Array]:
        """Heads and tails of the pairs of at least half the full strength."""
        inside = self.strengths >= _CONTAINED
        return self.heads[inside], self.tails[inside]

    def check_related(self) -> None:
        """Refuse pairs none of which is related, and warn of others that are no use."""
        if self.n_related == 0:
            raise ValueError(
                f"y relates none of the {self.n_tasks} tasks to another, so there is "
                "nothing to learn. Give at least one relation of positive strength; in "
                "cross-validation, use fewer folds."
            )
        if not self.complete and (self.strengths == 1).all():
            warnings.warn(
                "No pair is observed to be unrelated, so nothing keeps every task from "
                "containing every other. Mention some pairs of strength 0, or let "
                "unobserved='negative'.",
                UserWarning,
                stacklevel=4,
            )
        inside, around = (
            np.bincount(ends, minlength=self.n_tasks) / (self.n_tasks - 1)
            for ends in self.contained()
        )
        everywhere = np.count_nonzero(inside > _NEARLY_ALL)
        reversed_by = ""
        if 0 < everywhere < self.n_tasks / 10 and around.max() < _CONTAINED:
            reversed_by = (
                f"{everywhere} of {self.n_tasks} tasks lie inside nearly all the others, "
                "and none contains half of them."
            )
        elif not self.is_graded and ((around > 0) & (inside > 0)).any():
            tops = np.count_nonzero((around > 0) & (inside == 0))
            leaves = np.count_nonzero((inside > 0) & (around == 0))
            related = np.count_nonzero((inside > 0) | (around > 0))
            if tops > max(_MANY_TOPS * leaves, related / 2):
                reversed_by = (
                    f"{tops} tasks contain others and lie in none, and {leaves} lie in "
                    "others and contain none, where a hierarchy has few tops."
                )
        if reversed_by:
            warnings.warn(f"{reversed_by} {REVERSED}", UserWarning, stacklevel=4)

    @property
    def is_graded(self) -> bool:
        return not np.isin(self.strengths, (0, 1)).all()

    def dense(self, dtype: type = np.float32) -> tuple[Array, Array]:
        """Strengths, and whether they are observed: arrays of shape (n_tasks, n_tasks)."""
        strengths: Array = np.zeros((self.n_tasks, self.n_tasks), dtype)
        mask = np.full(strengths.shape, self.complete)
        strengths[self.heads, self.tails] = self.strengths
        mask[self.heads, self.tails] = True
        mask[self.unknown_heads, self.unknown_tails] = False
        np.fill_diagonal(mask, False)
        return strengths, mask

    def listed(self) -> tuple[Array, ...]:
        """Heads, tails, strengths, weights (unknown: 0) of all but zeros of weight 1."""
        if not self.complete:
            strengths, mask = self.dense()
            np.fill_diagonal(mask, True)
            heads, tails = np.nonzero(~mask | (strengths != 0))
            weights = mask[heads, tails].astype(np.float32)
            return heads, tails, strengths[heads, tails], weights
        weights = np.ones(len(self.heads)) if self.weights is None else self.weights
        kept = (self.strengths != 0) | (weights != 1)
        zeros = np.zeros(len(self.unknown_heads))
        return (
            np.concatenate([self.heads[kept], self.unknown_heads]),
            np.concatenate([self.tails[kept], self.unknown_tails]),
            np.concatenate([self.strengths[kept], zeros]).astype(np.float32),
            np.concatenate([weights[kept], zeros]).astype(np.float32),
        )

    def expand(self) -> tuple[Array, Array, Array]:
        """All observed pairs, those of strength 0 among them, as three arrays."""
        if not self.complete:
            return self.heads, self.tails, self.strengths
        strengths, mask = self.dense(np.float64)  # exactly as given
        heads, tails = np.nonzero(mask)
        return heads, tails, strengths[heads, tails]

    @property
    def n_unknown(self) -> int:
        return self.n_tasks * (self.n_tasks - 1) - self.n_observed

    def with_targets(
        self, targets: Array, weight: float = 1.0, least: float = 0.001
    ) -> "ObservedPairs":
        """These pairs, and soft targets of all the others, also of further tasks.

        Parameters
        ----------
        targets : ndarray of shape (n, n), n >= n_tasks
            Strengths. Those of observed pairs do not matter; NaN leaves a pair unknown.
        weight : float, default=1.0
            Weight of the targets of two of these tasks beside an observed strength. Those
            of further tasks that are not 0 have 0.5, lest they push the known ones aside.
        least : float, default=1e-3
            Weaker targets, which are almost all of them, are 0.

        Returns
        -------
        pairs : ObservedPairs
        """
        strengths = np.where(targets < least, 0.0, targets)
        heads, tails, observed = self.expand()
        strengths[heads, tails] = observed
        np.fill_diagonal(strengths, 0)
        unknown = np.isnan(strengths)
        strengths[unknown] = 0
        soft = np.pad(~self.dense()[1], (0, len(strengths) - self.n_tasks))
        np.fill_diagonal(soft, False)
        heads, tails = np.nonzero((strengths != 0) | (soft & ~unknown))
        unknown_heads, unknown_tails = np.nonzero(unknown)
        weights = np.where(soft[heads, tails], weight, 1.0)
        further = (heads >= self.n_tasks) | (tails >= self.n_tasks)
        return ObservedPairs(
            len(strengths),
            heads,
            tails,
            strengths[heads, tails],
            unknown_heads,
            unknown_tails,
            complete=True,
            weights=np.where(further, _FURTHER_WEIGHT, weights),
        )

    def hold_out(self, fraction: float, rng: Random) -> tuple[Self, tuple[Array, ...]]:
        """Split off a random share of the observed pairs, stratified by related or not.

        Parameters
        ----------
        fraction : float in (0, 1)
        rng : numpy.random.RandomState

        Returns
        -------
        rest : ObservedPairs
            The pairs held out are unknown there.
        held : tuple of ndarray
            Their heads, tails and strengths.
        """
        related = np.flatnonzero(self.strengths > 0)
        n_held = min(max(1, round(fraction * len(related))), len(related) - 1)
        out = rng.permutation(related)[:n_held]
        n_zeros = self.n_observed - len(related)
        # More zeros than this do not make the score any more certain.
        n_out = min(round(fraction * n_zeros), max(10 * len(out), 100_000))
        held = self._and_zeros(out, n_out, rng)
        return self.without(*held[:2]), held

    def without(self, heads: Array, tails: Array) -> Self:
        """The other pairs, with those of these heads and tails unknown."""
        gone = np.isin(self.keys(self.heads, self.tails), self.keys(heads, tails))
        unknown = [(self.unknown_heads, heads), (self.unknown_tails, tails)]
        return self._some(~gone, *map(np.concatenate, unknown))

    def among(self, tasks: Array) -> Self:
        """The pairs of two of these tasks, in positions among them."""
        place = np.full(self.n_tasks, -1)
        place[tasks] = np.arange(len(tasks))
        heads, tails = place[self.heads], place[self.tails]
        unknown = place[self.unknown_heads], place[self.unknown_tails]
        inside = np.min(unknown, axis=0) >= 0
        renamed = replace(self, n_tasks=len(tasks), heads=heads, tails=tails)
        kept = np.minimum(heads, tails) >= 0
        return renamed._some(kept, *(ends[inside] for ends in unknown))

    def _some(self, kept, unknown_heads, unknown_tails):
        """Some of the listed pairs, and others that are unknown."""
        names = "heads", "tails", "strengths", "weights"
        arrays = {name: getattr(self, name) for name in names}
        arrays = {k: None if array is None else array[kept] for k, array in arrays.items()}
        return replace(
            self, **arrays, unknown_heads=unknown_heads, unknown_tails=unknown_tails
        )

    def sample(self, most: int, rng: Random) -> tuple[Array, ...]:
        """At most that many observed pairs, drawn without replacement, and their weights.

        They have all related ones or, if these are more than half of them and not all find
        room, some. A weight is the number of pairs that a pair represents. Heads, tails,
        strengths and weights are of shape (n_pairs,).
        """
        related = self._related()
        n_related, n_zeros = len(related), self.n_observed - len(related)
        room = max(1, most // 2, most - n_zeros)
        if room < n_related:
            related = rng.choice(related, room, replace=False)
        pairs = self._and_zeros(related, max(1, most - len(related)), rng)
        counts = [len(related), len(pairs[0]) - len(related)]
        weights = np.repeat(np.divide([n_related, n_zeros], np.maximum(counts, 1)), counts)
        return *pairs, weights

    def keys(self, heads: Array, tails: Array) -> Array:
        """One integer per ordered pair."""
        return np.asarray(heads, dtype=np.int64) * self.n_tasks + tails

    def not_zero_keys(self) -> Array:
        """Sorted keys of the pairs that are not observed zeros."""
        related = self.keys(self.heads, self.tails)[self.strengths > 0]
        unknown = self.keys(self.unknown_heads, self.unknown_tails)
        return np.sort(np.append(related, unknown))

    def zero_keys(self) -> Array:
        """Keys of all pairs observed to be unrelated."""
        if not self.complete:
            return self.keys(self.heads, self.tails)[self.strengths == 0]
        strengths, mask = self.dense()
        return np.flatnonzero(mask & (strengths == 0))

    def draw_zeros(self, n_drawn: int, rng: Random) -> tuple[Array, Array]:
        """Distinct pairs observed to be unrelated, at most as many as there are."""
        n, n_zeros = self.n_tasks, self.n_observed - self.n_related
        n_drawn, listed = min(n_drawn, n_zeros), n <= 3000 and n_zeros < n * n / 4
        if not self.complete or listed or n_drawn > n_zeros / 4:
            keys = rng.choice(self.zero_keys(), size=n_drawn, replace=False)
            return keys // n, keys % n
        others = self.not_zero_keys()
        keys = np.zeros(0, dtype=np.int64)
        while len(keys) < n_drawn:
            more = rng.randint(0, n * n, size=2 * n_drawn, dtype=np.int64)
            keys = np.unique(np.append(keys, more), return_index=True)[0]  # faster with it
            keys = keys[(keys // n != keys % n) & ~np.isin(keys, others)]
        keys = rng.permutation(keys)[:n_drawn]
        return keys // n, keys % n

    def with_zeros(self, n_drawn: int, rng: Random) -> tuple[Array, Array, Array]:
        """Heads, tails and strengths of the related pairs and of some unrelated ones."""
        return self._and_zeros(self._related(), n_drawn, rng)

    def _related(self):
        """Places of the related pairs, in an order that does not depend on the format."""
        related = np.flatnonzero(self.strengths > 0)
        return related[np.argsort(self.keys(self.heads, self.tails)[related])]

    def _and_zeros(self, listed, n_drawn, rng):
        heads, tails = self.draw_zeros(n_drawn, rng)
        return (
            np.concatenate([self.heads[listed], heads]),
            np.concatenate([self.tails[listed], tails]),
            np.concatenate([self.strengths[listed], np.zeros(len(heads))]),
        )
