"""Draws of pairs, against counts."""

import numpy as np
import pytest

from sklearn_task2box.models import _sampling
from sklearn_task2box.models._sampling import Sampler
from sklearn_task2box.relations import TaskRelations, as_relations

N = 20


def observed(share_related=0.1, unobserved="negative"):
    rng = np.random.RandomState(0)
    strengths = (rng.uniform(size=(N, N)) < share_related) * rng.uniform(size=(N, N))
    strengths[rng.uniform(size=(N, N)) < 0.2] = np.nan
    np.fill_diagonal(strengths, 1)
    pairs = TaskRelations(strengths, range(N), unobserved=unobserved).observed()
    return pairs, strengths


@pytest.mark.parametrize("unobserved", ["negative", "unknown"])
@pytest.mark.parametrize("most_listed", [3000, 0])
def test_each_epoch_stands_for_all_observed_pairs(monkeypatch, unobserved, most_listed):
    monkeypatch.setattr(_sampling, "_MAX_LISTED", most_listed)
    pairs, truth = observed(unobserved=unobserved)
    sampler = Sampler(pairs, 100, np.random.RandomState(0))
    for _ in range(5):
        heads, tails, strengths, weights = sampler.draw()
        assert len(sampler) == len(heads) == 100
        assert len(np.unique(pairs.keys(heads, tails))) == 100
        np.testing.assert_array_equal(strengths, truth[heads, tails])
        assert np.count_nonzero(strengths) == pairs.n_related
        assert weights.sum() == pytest.approx(pairs.n_observed)
        assert weights @ strengths == pytest.approx(pairs.strengths.sum())


def test_all_pairs_where_there_is_room():
    pairs, _ = observed()
    heads, tails, strengths, weights = Sampler(pairs, 1000, np.random.RandomState(0)).draw()
    expected = pairs.expand()
    order = np.argsort(pairs.keys(heads, tails))
    for mine, theirs in zip((heads, tails, strengths), expected, strict=True):
        np.testing.assert_array_equal(mine[order], theirs)
    assert (weights == 1).all()


def test_all_zeros_have_their_turn():
    pairs, _ = observed()
    sampler = Sampler(pairs, 100, np.random.RandomState(0))
    counts = np.zeros((N, N), dtype=int)
    for _ in range(40):
        heads, tails, strengths, _ = sampler.draw()
        counts[heads[strengths == 0], tails[strengths == 0]] += 1
    heads, tails, strengths = pairs.expand()
    turns = counts[heads[strengths == 0], tails[strengths == 0]]
    assert turns.max() - turns.min() <= 1
    assert turns.min() > 0


def test_many_related_pairs_are_drawn_too():
    pairs, _ = observed(share_related=0.9)
    sampler = Sampler(pairs, 50, np.random.RandomState(0))
    totals = []
    for _ in range(200):
        _, _, strengths, weights = sampler.draw()
        assert np.count_nonzero(strengths) == 25
        assert weights.sum() == pytest.approx(pairs.n_observed)
        totals.append(weights @ strengths)
    assert np.mean(totals) == pytest.approx(pairs.strengths.sum(), rel=0.02)


def test_no_zeros_at_all():
    strengths = np.full((4, 4), 0.5)
    np.fill_diagonal(strengths, 1)
    pairs = as_relations(strengths, 4).observed()
    _, _, drawn, weights = Sampler(pairs, 6, np.random.RandomState(0)).draw()
    assert (drawn == 0.5).all()
    assert weights.sum() == 12
