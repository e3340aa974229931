"""Batches of pairs that a fit iterates over."""

from functools import cached_property

import numpy as np
import torch

from sklearn_task2box.boxes._pair_loss import PairList, PairTable, block_size
from sklearn_task2box.nets._samplers import SAMPLERS

# A table of all pairs is faster than a list of them from this share observed on.
_TABLE_FROM_SHARE = 0.1


class PairDataset(torch.utils.data.Dataset):
    """Features of tasks, as ``BoxEncoder.read`` prepares them, and observed pairs."""

    def __init__(self, features, pairs):
        self.features = features
        self.pairs = pairs

    def __len__(self):
        return self.pairs.n_observed

    def rows(self, positions, device):
        """Features of some tasks."""
        return self.features[positions].to(device)


class PairBatches:
    """Iterates over the observed pairs of a PairDataset, an epoch at a time.

    For the arguments, see :class:`~sklearn_task2box.BoxRelationEmbedder`. Negatives are
    drawn unless one batch has all pairs, or pairs that are not mentioned are unknown.
    """

    def __init__(
        self, dataset, batch_size, n_negatives, negatives, positive_weight, seed, device
    ):
        self.dataset = dataset
        self.batch_size = batch_size
        self.n_negatives = n_negatives
        self.positive_weight = positive_weight
        self.device = device
        self.rng = np.random.RandomState(seed)
        self.negatives = negatives
        self.sampled = batch_size is not None and dataset.pairs.complete
        # Positions of the pairs that batches are made of; zeros are drawn for these.
        strengths = dataset.pairs.strengths
        self.listed = np.flatnonzero(strengths if self.sampled else strengths >= 0)

    def __len__(self):
        if self.batch_size is None:
            return 1
        per_batch = self.batch_size
        if self.sampled:
            per_batch = max(1, self.batch_size // (1 + self.n_negatives))
        return -(-len(self.listed) // per_batch)

    # Made when the first epoch begins: the number of batches may be needed before.
    @cached_property
    def draw(self):
        return SAMPLERS[self.negatives](self.dataset.pairs, self.rng)

    @cached_property
    def not_zero(self):
        return self.dataset.pairs.not_zero_keys()

    def __iter__(self):
        if self.batch_size is None:
            yield self.whole
            return
        pairs = self.dataset.pairs
        order = self.rng.permutation(self.listed)
        for chosen in np.array_split(order, len(self)):
            heads, tails = pairs.heads[chosen], pairs.tails[chosen]
            strengths = pairs.strengths[chosen]
            if self.sampled:
                corrupt_heads, corrupt_tails = self._corrupt(heads, tails)
                heads = np.concatenate([heads, corrupt_heads])
                tails = np.concatenate([tails, corrupt_tails])
                strengths = np.concatenate([strengths, np.zeros(len(corrupt_heads))])
            yield self._batch(heads, tails, strengths)

    def _corrupt(self, heads, tails):
        """Unrelated pairs: related ones with one end replaced at random."""
        heads = np.repeat(heads, self.n_negatives)
        tails = np.repeat(tails, self.n_negatives)
        at_head = self.rng.random_sample(len(heads)) < 0.5
        drawn = self.draw(heads, tails, at_head)
        heads, tails = np.where(at_head, drawn, heads), np.where(at_head, tails, drawn)
        keys = self.dataset.pairs.keys(heads, tails)
        at = np.searchsorted(self.not_zero, keys).clip(max=len(self.not_zero) - 1)
        wrong = (self.not_zero[at] == keys) | (heads == tails)
        return heads[~wrong], tails[~wrong]

    def _weights(self, strengths):
        return 1 + (self.positive_weight - 1) * strengths

    def _batch(self, heads, tails, strengths):
        tasks, ends = np.unique(np.concatenate([heads, tails]), return_inverse=True)
        ends = torch.from_numpy(ends).to(self.device)
        strengths = torch.from_numpy(strengths.astype(np.float32)).to(self.device)
        heads, tails = ends[: len(heads)], ends[len(heads) :]
        weights, block = self._weights(strengths), block_size(self.device)
        pairs = PairList(heads, tails, strengths, weights, block)
        return self.dataset.rows(tasks, self.device), pairs

    @cached_property
    def whole(self):
        pairs = self.dataset.pairs
        if pairs.n_observed < _TABLE_FROM_SHARE * pairs.n_tasks**2:
            return self._batch(*pairs.expand())
        heads, tails, strengths, weights = pairs.listed()
        listed = heads, tails, strengths, weights * self._weights(strengths)
        block = block_size(self.device)
        table = PairTable(pairs.n_tasks, *listed, block, self.device)
        return self.dataset.rows(slice(None), self.device), table
