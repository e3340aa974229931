"""Losses and terms, against plain NumPy."""

import numpy as np
import pytest
import torch

from sklearn_task2box.boxes._pair_loss import PairList, PairTable
from sklearn_task2box.nets._objectives import CrossEntropy, Objective, SquaredError

rng = np.random.RandomState(0)
LOWER = rng.normal(size=(6, 3))
UPPER = LOWER + rng.uniform(0.5, 2, size=(6, 3))
STRENGTHS = rng.choice([0, 0.3, 1], size=(6, 6))
WEIGHTS = rng.uniform(size=(6, 6)) * (rng.uniform(size=(6, 6)) < 0.7)


def loss(pair_loss, **weights):
    return Objective(pair_loss, **weights).make_loss(temperature=0.1, exponent=1.0)


def value(objective, listed):
    i, j = np.nonzero(WEIGHTS if listed else ~np.eye(6, dtype=bool))
    kept = i != j
    i, j = i[kept], j[kept]
    arrays = i, j, STRENGTHS[i, j], WEIGHTS[i, j]
    if listed:
        pairs = PairList(*(torch.from_numpy(a) for a in arrays))
    else:
        pairs = PairTable(6, *arrays)
    return objective((torch.from_numpy(LOWER), torch.from_numpy(UPPER)), pairs).item()


def test_cross_entropy_of_0_1_and_graded_strengths():
    p = np.array([0.2, 0.2, 0.2, 1.0])
    s = np.array([0.0, 1.0, 0.4, 1.0])
    losses = CrossEntropy(slack=1e-3)(torch.from_numpy(np.log(p)), torch.from_numpy(s))
    q = p * (1 - 1e-3)
    np.testing.assert_allclose(losses, -(s * np.log(q) + (1 - s) * np.log(1 - q)))


def test_cross_entropy_is_finite_where_containment_is_wrong():
    log_p = torch.tensor([0.0, -1e-12, -1e4], requires_grad=True)
    loss = CrossEntropy()(log_p, torch.tensor([0.0, 0.0, 1.0])).sum()
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(log_p.grad).all()
    assert (log_p.grad[:2] > 100).all()


def test_squared_error():
    got = SquaredError()(torch.log(torch.tensor([0.5])), torch.tensor([0.2]))
    assert got.item() == pytest.approx(0.09)


@pytest.mark.parametrize("loss", [CrossEntropy(), SquaredError()])
def test_the_short_way_for_unrelated_pairs(loss):
    overlaps = torch.tensor([-30.0, -3.0, -0.2, 0.0], requires_grad=True)
    total = loss(overlaps, torch.zeros(4)).sum()
    total.backward()
    short, gradient = loss.unrelated(overlaps.detach().clone())
    torch.testing.assert_close(short, total.detach())
    torch.testing.assert_close(gradient, overlaps.grad, rtol=1e-4, atol=1e-12)


@pytest.mark.parametrize("listed", [False, True])
def test_terms_are_means_over_tasks_and_related_pairs(listed):
    plain = value(loss("squared_error"), listed)
    volumes = (0.1 * np.log1p(np.exp((UPPER - LOWER) / 0.1))).prod(axis=1)
    got = value(loss("squared_error", volume_weight=2.0), listed) - plain
    assert got == pytest.approx(2 * (volumes ** (-1 / 3)).mean())

    centers = (LOWER + UPPER) / 2
    i, j = np.nonzero((STRENGTHS > 0) & (WEIGHTS > 0) & ~np.eye(6, dtype=bool))
    got = value(loss("squared_error", distance_weight=2.0), listed) - plain
    assert got == pytest.approx(2 * ((centers[i] - centers[j]) ** 2).sum(axis=1).mean())

    sides = UPPER - LOWER
    gaps = sum(abs(sides[:, k] - sides[:, m]) for k in range(3) for m in range(k))
    got = value(loss("squared_error", squareness_weight=2.0), listed) - plain
    assert got == pytest.approx(2 * gaps.mean() / 9)


def test_unobserved_pairs_do_not_count():
    table = value(loss("cross_entropy"), listed=False)
    assert table == pytest.approx(value(loss("cross_entropy"), listed=True))
