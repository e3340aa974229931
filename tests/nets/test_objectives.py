"""Losses and terms, against plain NumPy."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

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


def nested_boxes(seed, dim):
    """A box inside another, by tensors of shape (2, dim)."""
    rng = np.random.RandomState(seed)
    lower, upper = np.sort(rng.uniform(-3, 3, size=(2, dim)), axis=0)
    sides = upper - lower
    inner = np.sort(lower + sides * rng.uniform(0.01, 0.99, size=(2, dim)), axis=0)
    return torch.tensor(np.stack([inner, np.stack([lower, upper])], axis=1))


@given(st.integers(0, 2**31 - 1), st.integers(1, 6), st.booleans())
def test_contained_negative_has_gradient(seed, dim, listed):
    corners = [c.clone().requires_grad_() for c in nested_boxes(seed, dim)]
    pairs = PairTable(2, [1], [0], [0.0], [0.0])  # only 0 in 1 counts, as unrelated
    if listed:
        pairs = PairList(*(torch.tensor([value]) for value in (0, 1, 0.0, 1.0)))
    loss("cross_entropy", escape_weight=0)(corners, pairs).backward()
    assert max(c.grad.abs().max() for c in corners) < 1e-6  # nothing leads out
    loss("cross_entropy")(corners, pairs).backward()
    lower, upper = (c.detach() for c in corners)
    center = (lower[0] + upper[0]) / 2
    faces = torch.stack([center - lower[1], upper[1] - center])
    slopes = torch.stack([-corners[0].grad[1], corners[1].grad[1]])
    assert slopes.argmax() == faces.argmin()  # downhill, the nearest face moves in
    assert slopes.max() > 0.05
    moves = torch.stack([corners[0].grad[0], corners[1].grad[0]]).sum(0)
    torch.testing.assert_close(moves, slopes[0] - slopes[1])  # and the box inside moves out


def test_a_negative_that_sticks_out_at_both_ends_is_led_out():
    corners = torch.tensor([[[-1.2, 0.1], [-1.0, 0.0]], [[1.2, 0.3], [1.0, 1.0]]])
    for weight, least in ((0.0, 0.0), (1.0, 0.1)):
        lower, upper = (c.double().requires_grad_() for c in corners)
        pairs = PairTable(2, [1], [0], [0.0], [0.0])
        loss("cross_entropy", escape_weight=weight)((lower, upper), pairs).backward()
        down = (lower.grad + upper.grad)[0, 1]
        assert (down > least) == bool(weight)


@given(st.integers(0, 2**31 - 1), st.booleans())
def test_pairs_mostly_inside_are_those_of_the_plain_definition(seed, listed):
    rng = np.random.RandomState(seed)
    lower = torch.tensor(rng.randint(0, 4, size=(8, 2)).astype(float))
    upper = lower + torch.tensor(rng.randint(0, 5, size=(8, 2)).astype(float))
    strengths = rng.choice([0.0, 1.0], size=(8, 8))
    weights = rng.choice([0.0, 1.0], size=(8, 8))
    i, j = np.nonzero(~np.eye(8, dtype=bool))
    arrays = i, j, strengths[i, j], weights[i, j]
    if listed:
        pairs = PairList(*(torch.from_numpy(array) for array in arrays))
    else:
        pairs = PairTable(8, *arrays)
    found = set(
        zip(*(end.tolist() for end in pairs.mostly_inside(lower, upper)), strict=True)
    )

    def share(a, b):
        sides = (upper[a] - lower[a]).numpy()
        shared = (upper[[a, b]].amin(0) - lower[[a, b]].amax(0)).numpy()
        flat = sides == 0
        shares = np.where(flat, shared >= 0, shared.clip(min=0) / np.where(flat, 1, sides))
        return shares.prod()

    assert found == {
        (a, b)
        for a, b in zip(i.tolist(), j.tolist(), strict=True)
        if strengths[a, b] == 0 and weights[a, b] > 0 and share(a, b) >= 0.5
    }
