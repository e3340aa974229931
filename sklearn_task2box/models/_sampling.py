"""Pairs that a model learns from in an epoch."""

import numpy as np

# Up to this many tasks, the unrelated pairs are listed once.
_MAX_LISTED = 3000


class Sampler:
    """Draws, for each epoch, related and unrelated pairs, and gives each a weight.

    An epoch of ``max_pairs`` pairs has all related pairs, and as many unrelated ones as
    there is room for; where the related ones take more than half of it, they are drawn too.
    Pairs are drawn without replacement, an epoch continuing where the last one ended, so
    that each is seen as often as any other of its kind.
    """

    def __init__(self, observed, max_pairs, rng):
        self.observed = observed
        related = observed.strengths > 0
        self.strengths = observed.strengths[related]
        self.related = observed.keys(observed.heads[related], observed.tails[related])
        n_related = len(self.related)
        n_zeros = observed.n_observed - n_related
        half = max(1, max_pairs // 2)
        self.n_related = min(n_related, max(half, max_pairs - n_zeros))
        self.n_zeros = min(n_zeros, max(1, max_pairs - self.n_related))
        self._next_related = _Deck(n_related, self.n_related, rng)
        self.n_all_zeros = n_zeros
        self.zeros = None
        if observed.n_tasks <= _MAX_LISTED or not observed.complete:
            self.zeros = observed.zero_keys()
            self._next_zeros = _Deck(len(self.zeros), self.n_zeros, rng)
        self.rng = rng

    def __len__(self):
        return self.n_related + self.n_zeros

    def draw(self):
        """Heads, tails, strengths and weights of the pairs of one epoch: arrays (n_pairs,).

        A weight is the number of observed pairs that a pair represents. Weights sum to the
        number of observed pairs, so a weighted mean estimates the mean over all of these.
        """
        n = self.observed.n_tasks
        chosen = self._next_related()
        if self.zeros is not None:
            zeros = self.zeros[self._next_zeros()]
        else:
            heads, tails = self.observed.draw_zeros(self.n_zeros, self.rng)
            zeros = self.observed.keys(heads, tails)
        keys = np.concatenate([self.related[chosen], zeros])
        strengths = np.concatenate([self.strengths[chosen], np.zeros(len(zeros))])
        totals, counts = [len(self.related), self.n_all_zeros], [len(chosen), len(zeros)]
        weights = np.repeat(np.divide(totals, np.maximum(counts, 1)), counts)
        return keys // n, keys % n, strengths, weights


class _Deck:
    """Deals ``n_dealt`` of n cards at a time, and shuffles when they are used up."""

    def __init__(self, n, n_dealt, rng):
        self.order = np.arange(n)
        self.n_dealt = n_dealt
        self.rng = rng
        self.at = n

    def __call__(self):
        n = len(self.order)
        if self.n_dealt == n:
            return self.order
        left = self.order[self.at :]
        if len(left) >= self.n_dealt:
            dealt = left[: self.n_dealt]
            self.at += self.n_dealt
            return dealt
        # The last of this round and the first of the next, none of them twice.
        others = self.rng.permutation(self.order[: self.at])
        self.at = self.n_dealt - len(left)
        rest = self.rng.permutation(np.concatenate([others[self.at :], left]))
        self.order = np.concatenate([others[: self.at], rest])
        return np.concatenate([left, others[: self.at]])
