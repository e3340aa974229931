"""The pairs of tasks that a fit may learn from."""

import hashlib
import warnings
from dataclasses import dataclass

import numpy as np

# A task that lies in another by this share is inside it where a layout is made.
_CONTAINED = 0.5


@dataclass(frozen=True)
class ObservedPairs:
    """The pairs of tasks a fit may learn from, in positions 0..n_tasks-1.

    ``complete`` says that a pair neither mentioned nor unknown is observed, with
    strength 0. The diagonal is never observed.
    """

    n_tasks: int
    heads: np.ndarray
    tails: np.ndarray
    strengths: np.ndarray
    unknown_heads: np.ndarray
    unknown_tails: np.ndarray
    complete: bool

    @property
    def n_observed(self):
        if not self.complete:
            return len(self.strengths)
        return self.n_tasks * (self.n_tasks - 1) - len(self.unknown_heads)

    @property
    def n_related(self):
        return int(np.count_nonzero(self.strengths))

    def contained(self):
        """Heads and tails of the pairs whose heads lie inside their tails, by half."""
        inside = self.strengths >= _CONTAINED
        return self.heads[inside], self.tails[inside]

    def check_related(self):
        """Refuse pairs none of which is related."""
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
                stacklevel=3,
            )

    @property
    def is_graded(self):
        return not np.isin(self.strengths, (0, 1)).all()

    def dense(self):
        """Strengths and observed-or-not, each an (n_tasks, n_tasks) array."""
        strengths = np.zeros((self.n_tasks, self.n_tasks), dtype=np.float32)
        mask = np.full(strengths.shape, self.complete)
        strengths[self.heads, self.tails] = self.strengths
        mask[self.heads, self.tails] = True
        mask[self.unknown_heads, self.unknown_tails] = False
        np.fill_diagonal(mask, False)
        return strengths, mask

    def listed(self):
        """The pairs that are not observed zeros: heads, tails, strengths, unknown or not.

        The table of all pairs, told by its exceptions.
        """
        if not self.complete:
            strengths, mask = self.dense()
            np.fill_diagonal(mask, True)
            heads, tails = np.nonzero(~mask | (strengths != 0))
            return heads, tails, strengths[heads, tails], ~mask[heads, tails]
        said = self.strengths != 0
        n_said, n_unknown = np.count_nonzero(said), len(self.unknown_heads)
        return (
            np.concatenate([self.heads[said], self.unknown_heads]),
            np.concatenate([self.tails[said], self.unknown_tails]),
            np.concatenate([self.strengths[said], np.zeros(n_unknown)]).astype(np.float32),
            np.repeat([False, True], [n_said, n_unknown]),
        )

    def digest(self):
        """A short text that tells these pairs and strengths from others."""
        heads, tails, strengths, unknown = self.listed()
        keys = self.keys(heads, tails)
        order = np.argsort(keys)
        digest = hashlib.blake2b(str(self.n_tasks).encode(), digest_size=16)
        for part in (keys, strengths, unknown):
            digest.update(np.ascontiguousarray(part[order]).tobytes())
        return digest.hexdigest()

    def expand(self):
        """All observed pairs, those of strength 0 among them, as three arrays."""
        if not self.complete:
            return self.heads, self.tails, self.strengths
        strengths, mask = self.dense()
        heads, tails = np.nonzero(mask)
        exact = np.zeros(strengths.shape)  # float64: strengths exactly as given
        exact[self.heads, self.tails] = self.strengths
        return heads, tails, exact[heads, tails]

    @property
    def n_unknown(self):
        return self.n_tasks * (self.n_tasks - 1) - self.n_observed

    def completed(self, opinions, least=1e-3):
        """These tasks and further ones, with opinions of the pairs not observed.

        Pairs of two of the further tasks stay unknown.

        Parameters
        ----------
        opinions : ndarray of shape (n, n), n >= n_tasks
            Strengths of all pairs; the diagonal does not matter.
        least : float
            Weaker ones are 0: almost all of them, and they need not be listed.

        Returns
        -------
        pairs : ObservedPairs
        """
        strengths = np.where(opinions < least, 0.0, opinions)
        heads, tails, observed = self.expand()
        strengths[heads, tails] = observed
        np.fill_diagonal(strengths, 0)
        n, total = self.n_tasks, len(strengths)
        strengths[n:, n:] = 0
        heads, tails = np.nonzero(strengths)
        further = np.nonzero(~np.eye(total - n, dtype=bool))
        return ObservedPairs(
            n_tasks=total,
            heads=heads,
            tails=tails,
            strengths=strengths[heads, tails],
            unknown_heads=n + further[0],
            unknown_tails=n + further[1],
            complete=True,
        )

    def hold_out(self, fraction, rng):
        """Split off a random share of the observed pairs, stratified by related or not.

        Parameters
        ----------
        fraction : float in (0, 1)
        rng : numpy.random.RandomState

        Returns
        -------
        rest : ObservedPairs
            Without the pairs held out, which are unknown there.
        held : tuple of ndarray
            Heads, tails and strengths of the pairs held out.
        """
        related = np.flatnonzero(self.strengths > 0)
        n_held = min(max(1, round(fraction * len(related))), len(related) - 1)
        out = rng.permutation(related)[:n_held]
        n_zeros = self.n_observed - len(related)
        # More zeros than this do not make the score any more certain.
        n_out = min(round(fraction * n_zeros), max(10 * len(out), 100_000))
        zeros = np.setdiff1d(np.arange(len(self.strengths)), related)
        if not self.complete:
            drop = np.concatenate([out, rng.permutation(zeros)[:n_out]])
            zero_heads, zero_tails = self.heads[drop], self.tails[drop]
            held = (zero_heads, zero_tails, self.strengths[drop])
        else:
            drop = out
            zero_heads, zero_tails = self.draw_zeros(n_out, rng)
            held = (
                np.concatenate([self.heads[out], zero_heads]),
                np.concatenate([self.tails[out], zero_tails]),
                np.concatenate([self.strengths[out], np.zeros(len(zero_heads))]),
            )
        keep = np.ones(len(self.strengths), dtype=bool)
        keep[drop] = False
        rest = ObservedPairs(
            n_tasks=self.n_tasks,
            heads=self.heads[keep],
            tails=self.tails[keep],
            strengths=self.strengths[keep],
            unknown_heads=np.concatenate([self.unknown_heads, held[0]]),
            unknown_tails=np.concatenate([self.unknown_tails, held[1]]),
            complete=self.complete,
        )
        return rest, held

    def thinned(self, most):
        """Observed pairs, unrelated ones drawn where there are more than a number.

        Parameters
        ----------
        most : int
            Of unrelated pairs.

        Returns
        -------
        heads, tails, strengths : ndarray of shape (n_pairs,)
        weights : ndarray of shape (n_pairs,), or None
            How many pairs each stands for; None if for itself.
        """
        if self.n_observed <= most or not self.complete:
            return *self.expand(), None
        heads, tails = self.draw_zeros(most, np.random.RandomState(0))
        related = self.strengths > 0
        n_zeros = self.n_observed - self.n_related
        return (
            np.concatenate([self.heads[related], heads]),
            np.concatenate([self.tails[related], tails]),
            np.concatenate([self.strengths[related], np.zeros(len(heads))]),
            np.repeat([1.0, n_zeros / max(len(heads), 1)], [self.n_related, len(heads)]),
        )

    def keys(self, heads, tails):
        """One integer per ordered pair."""
        return np.asarray(heads, dtype=np.int64) * self.n_tasks + tails

    def not_zero_keys(self):
        """Sorted keys of the pairs that are not observed zeros."""
        return np.unique(
            np.concatenate(
                [
                    self.keys(
                        self.heads[self.strengths > 0], self.tails[self.strengths > 0]
                    ),
                    self.keys(self.unknown_heads, self.unknown_tails),
                ]
            )
        )

    def draw_zeros(self, n_drawn, rng):
        """Distinct pairs observed to be unrelated, at most as many as there are."""
        n, n_zeros = self.n_tasks, self.n_observed - self.n_related
        n_drawn = min(n_drawn, n_zeros)
        if not self.complete:
            zeros = np.flatnonzero(self.strengths == 0)
            drawn = rng.choice(zeros, size=n_drawn, replace=False)
            return self.heads[drawn], self.tails[drawn]
        if n <= 3000 or n_drawn > n_zeros / 2:
            strengths, mask = self.dense()
            zeros = np.flatnonzero(mask & (strengths == 0))
            drawn = rng.choice(zeros, size=n_drawn, replace=False)
            return drawn // n, drawn % n
        others = self.not_zero_keys()
        keys = np.zeros(0, dtype=np.int64)
        while len(keys) < n_drawn:
            more = rng.randint(0, n * n, size=2 * n_drawn, dtype=np.int64)
            keys = np.union1d(keys, more)
            keys = keys[(keys // n != keys % n)]
            keys = np.setdiff1d(keys, others, assume_unique=True)
        keys = rng.permutation(keys)[:n_drawn]
        return keys // n, keys % n

    def with_zeros(self, n_drawn, rng):
        """The related pairs, and some that are not: heads, tails and strengths."""
        related = np.flatnonzero(self.strengths > 0)
        keys = self.keys(self.heads[related], self.tails[related])
        related = related[np.argsort(keys)]
        heads, tails = self.draw_zeros(n_drawn, rng)
        return (
            np.concatenate([self.heads[related], heads]),
            np.concatenate([self.tails[related], tails]),
            np.concatenate([self.strengths[related], np.zeros(len(heads))]),
        )
