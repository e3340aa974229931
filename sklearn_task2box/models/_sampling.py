"""Pairs that a model learns from in an epoch."""

import numpy as np

# Up to this many tasks, the unrelated pairs are listed once.
_MAX_LISTED = 3000


class Sampler:
    """Draws, for each epoch, related and unrelated pairs, and gives each a weight.

    An epoch of ``max_pairs`` pairs has all related ones or, if these are more than half of
    it and not all find room, some. Pairs are drawn without replacement, an epoch continuing
    where the last one ended, so that each is seen as often as any other of its kind.
    """

    def __init__(self, observed, max_pairs, rng):
        self.observed = observed
        self.rng = rng
        related = observed.strengths > 0
        self.strengths = observed.strengths[related]
        self.related = observed.keys(observed.heads[related], observed.tails[related])
        self.totals = len(self.related), observed.n_observed - len(self.related)
        n_related, n_zeros = self.totals
        self.n_related = min(n_related, max(1, max_pairs // 2, max_pairs - n_zeros))
        self.n_zeros = min(n_zeros, max(1, max_pairs - self.n_related))
        self._next_related = _Deck(np.arange(n_related), self.n_related, rng)
        self._next_zeros = self._draw_zeros
        if observed.n_tasks <= _MAX_LISTED or not observed.complete:
            self._next_zeros = _Deck(observed.zero_keys(), self.n_zeros, rng)

    def __len__(self):
        return self.n_related + self.n_zeros

    def draw(self):
        """Heads, tails, strengths and weights of the pairs of one epoch: arrays (n_pairs,).

        A weight is the number of observed pairs that a pair represents.
        """
        chosen, zeros = self._next_related(), self._next_zeros()
        keys = np.concatenate([self.related[chosen], zeros])
        strengths = np.concatenate([self.strengths[chosen], np.zeros(len(zeros))])
        counts = [len(chosen), len(zeros)]
        weights = np.repeat(np.divide(self.totals, np.maximum(counts, 1)), counts)
        return *divmod(keys, self.observed.n_tasks), strengths, weights

    def _draw_zeros(self):
        return self.observed.keys(*self.observed.draw_zeros(self.n_zeros, self.rng))


class _Deck:
    """Deals ``n_dealt`` cards at a time, and shuffles when they are used up."""

    def __init__(self, cards, n_dealt, rng):
        self.order = cards
        self.n_dealt = n_dealt
        self.rng = rng
        self.at = len(cards)

    def __call__(self):
        if self.n_dealt == len(self.order):
            return self.order
        left = self.order[self.at :]
        if len(left) >= self.n_dealt:
            self.at += self.n_dealt
            return left[: self.n_dealt]
        # The last of this round and the first of the next, none of them twice.
        others = self.rng.permutation(self.order[: self.at])
        self.at = self.n_dealt - len(left)
        rest = self.rng.permutation(np.concatenate([others[self.at :], left]))
        self.order = np.concatenate([others[: self.at], rest])
        return np.concatenate([left, others[: self.at]])
