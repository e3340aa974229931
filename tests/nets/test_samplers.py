"""Negative sampling: which unrelated pairs are drawn."""

import numpy as np
import pytest
import torch

from sklearn_task2box.nets._batches import PairBatches, PairDataset
from sklearn_task2box.nets._samplers import SAMPLERS
from sklearn_task2box.relations import TaskRelations

N = 30
RELATED = np.triu(np.random.RandomState(0).uniform(size=(N, N)) < 0.2, 1).astype(float)


@pytest.mark.parametrize("negatives", sorted(SAMPLERS))
def test_drawn_pairs_are_unrelated(negatives):
    observed = TaskRelations(RELATED, tasks=range(N)).observed()
    dataset = PairDataset(torch.arange(N, dtype=torch.float32)[:, None], observed)
    batches = PairBatches(
        dataset,
        batch_size=200,
        n_negatives=10,
        negatives=negatives,
        positive_weight=1.0,
        seed=0,
        device="cpu",
    )
    drawn = set()
    for features, pairs in batches:
        tasks = features[:, 0].long().numpy()
        zero = pairs.strengths == 0
        heads, tails = tasks[pairs.heads[zero]], tasks[pairs.tails[zero]]
        drawn |= set(zip(heads, tails, strict=True))
    assert len(drawn) > 100
    assert all(RELATED[pair] == 0 and pair[0] != pair[1] for pair in drawn)


def two_containers():
    """Observed pairs of two containers with fourteen members each."""
    tree = np.zeros((N, N))
    tree[1:15, 0] = tree[15:29, 29] = 1
    observed = TaskRelations(tree, tasks=range(N)).observed()
    heads, tails = np.repeat(observed.heads, 50), np.repeat(observed.tails, 50)
    return observed, heads, tails, np.arange(len(heads)) % 2 == 0


def test_degree_draws_containers_for_containers_and_members_for_members():
    observed, heads, tails, at_head = two_containers()
    drawn = SAMPLERS["degree"](observed, np.random.RandomState(0))(heads, tails, at_head)
    assert set(drawn[~at_head]) == {0, 29}
    assert set(drawn[at_head]) == set(range(1, 29))


def test_hard_draws_near_tasks_half_of_the_time():
    observed, heads, tails, at_head = two_containers()
    drawn = SAMPLERS["hard"](observed, np.random.RandomState(0))(heads, tails, at_head)
    same = (heads < 15) == (drawn < 15)
    assert 0.7 < same.mean() < 0.8  # near half of the time, anywhere the other half
