"""Batches of pairs."""

import numpy as np
import torch

from sklearn_task2box.boxes._pair_loss import PairTable
from sklearn_task2box.nets._batches import PairBatches, PairDataset
from sklearn_task2box.relations import TaskRelations

N = 30
STRENGTHS = np.triu(np.random.RandomState(0).uniform(size=(N, N)) < 0.2, 1).astype(float)


def batches(strengths=STRENGTHS, batch_size=None, unobserved="negative", **options):
    relations = TaskRelations(strengths, tasks=range(N), unobserved=unobserved)
    observed = relations.observed()
    dataset = PairDataset(torch.arange(N, dtype=torch.float32)[:, None], observed)
    options = {
        "n_negatives": 4,
        "negatives": "uniform",
        "positive_weight": 1.0,
        "seed": 0,
        **options,
    }
    return observed, PairBatches(dataset, batch_size=batch_size, device="cpu", **options)


def seen(batch):
    """Strength and weight by pair of tasks, of one batch."""
    features, pairs = batch
    tasks = features[:, 0].long().numpy()
    found = {}
    if isinstance(pairs, PairTable):
        found = {(i, j): (0.0, 1.0) for i in range(N) for j in range(N) if i != j}
    listed = (np.asarray(a) for a in (pairs.heads, pairs.tails, pairs.strengths))
    for head, tail, strength, weight in zip(*listed, pairs.weights, strict=True):
        found[tasks[head], tasks[tail]] = float(strength), float(weight)
    return {pair: both for pair, both in found.items() if both[1]}


def test_a_whole_batch_has_every_observed_pair():
    _, whole = batches()
    (batch,) = list(whole)
    found = seen(batch)
    assert len(found) == N * (N - 1)
    assert all(STRENGTHS[pair] == strength for pair, (strength, _) in found.items())
    assert batch[1].total_weight == N * (N - 1)
    assert len(batch[1]) == N * N


def test_a_whole_batch_of_mentioned_pairs_leaves_out_the_others():
    strengths = np.where(np.random.RandomState(1).uniform(size=(N, N)) < 0.3, np.nan, 0.5)
    np.fill_diagonal(strengths, np.nan)
    observed, whole = batches(strengths, unobserved="unknown")
    (batch,) = list(whole)
    found = seen(batch)
    assert isinstance(batch[1], PairTable)
    known = ~np.isnan(strengths) & ~np.eye(N, dtype=bool)
    assert set(found) == set(zip(*np.nonzero(known), strict=True))
    assert batch[1].total_weight == observed.n_observed


def test_few_observed_pairs_are_listed():
    strengths = np.full((N, N), np.nan)
    strengths[0, 1], strengths[2, 3] = 1, 0
    _, whole = batches(strengths, unobserved="unknown")
    (batch,) = list(whole)
    assert seen(batch) == {(0, 1): (1, 1), (2, 3): (0, 1)}
    assert len(batch[0]) == 4


def test_sampled_batches_go_through_all_relations_and_draw_only_unrelated_pairs():
    strengths = STRENGTHS.copy()
    strengths[5, 3] = np.nan
    observed, sampled = batches(strengths, batch_size=40)
    related, drawn = [], []
    for batch in sampled:
        for pair, (strength, _) in seen(batch).items():
            (related if strength else drawn).append(pair)
        assert len(batch[1]) <= 40
    assert sorted(related) == sorted(zip(*np.nonzero(STRENGTHS), strict=True))
    assert len(related) == observed.n_related
    assert all(STRENGTHS[pair] == 0 for pair in drawn)
    assert all(u != v for u, v in drawn)
    assert (5, 3) not in drawn
    assert len(drawn) > 2.5 * len(related)
    again = [seen(batch) for batch in batches(strengths, batch_size=40)[1]]
    assert again[0].keys() == seen(next(iter(batches(strengths, batch_size=40)[1]))).keys()


def test_batches_of_known_zeros_are_not_sampled():
    observed, listed = batches(np.where(STRENGTHS, 1.0, 0.0), 100, unobserved="unknown")
    found = [pair for batch in listed for pair in seen(batch)]
    assert len(found) == len(set(found)) == observed.n_observed == N * (N - 1)


def test_positive_pairs_can_have_more_weight():
    _, whole = batches(positive_weight=3.0)
    (batch,) = list(whole)
    for pair, (_, weight) in seen(batch).items():
        assert weight == 1 + 2 * STRENGTHS[pair]
