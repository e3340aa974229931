"""Boxes of new tasks among boxes that stay where they are."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sklearn_task2box.boxes import log_overlap
from sklearn_task2box.boxes._out_of_sample import Surroundings, _SharedVolumes
from sklearn_task2box.nets._objectives import CrossEntropy, SquaredError

TEMPERATURE = 0.1


def boxes_of(outputs):
    position, raw = outputs.chunk(2, dim=1)
    side = torch.nn.functional.softplus(raw)
    return position - side / 2, position + side / 2


ENCODER = SimpleNamespace(boxes_of=boxes_of)


def overlaps(boxes, known):
    """Shares of each box inside each known one, and of each known one inside each box."""
    (lower, upper), (low, up) = (
        torch.from_numpy(both).chunk(2, dim=1) for both in (boxes, known)
    )
    ours, known = (lower[:, None], upper[:, None]), (low[None], up[None])
    return [
        log_overlap(*ends, TEMPERATURE).exp().numpy()
        for ends in ((*ours, *known), (*known, *ours))
    ]


@pytest.fixture
def scene():
    """Outputs to start from, those of known tasks, and strengths that some boxes have."""
    generator = torch.Generator().manual_seed(0)
    outputs = torch.randn(40, 6, generator=generator, dtype=torch.float64)
    known, truth = (boxes(part) for part in (2 * outputs[:30], outputs[30:35]))
    return outputs[35:], 2 * outputs[:30], *overlaps(truth, known)


def boxes(outputs):
    return torch.cat(boxes_of(outputs), dim=1).numpy()


def fit(start, known, *tables, pair_loss=None, n_steps=100, around=0.1, others=None):
    loss = SimpleNamespace(
        pair_loss=pair_loss or CrossEntropy(),
        temperature=TEMPERATURE,
        exponent=1.0,
        objective=SimpleNamespace(positive_weight=3.0),
    )
    every = known if others is None else torch.cat([known, others])
    surroundings = Surroundings(ENCODER, every, len(known), loss, around)
    return surroundings.fit(start, *tables, n_steps)


@given(st.integers(0, 2**31 - 1), st.integers(1, 4))
def test_shared_volumes_have_the_gradient_of_torch(seed, dim):
    rng = np.random.RandomState(seed)
    lower, known_lower = (torch.from_numpy(rng.normal(size=(n, dim))) for n in (4, 3))
    upper, known_upper = (
        low + torch.from_numpy(rng.exponential(size=low.shape))
        for low in (lower, known_lower)
    )
    corners = [c.clone().requires_grad_() for c in (lower, upper)]
    shared = _SharedVolumes.apply(*corners, known_lower.T, known_upper.T)
    weights = torch.from_numpy(rng.normal(size=shared.shape))
    (weights * shared).sum().backward()
    others = [c.clone().requires_grad_() for c in (lower, upper)]
    low = torch.maximum(others[0][:, None], known_lower)
    up = torch.minimum(others[1][:, None], known_upper)
    expected = torch.nn.functional.softplus(up - low).log().sum(2)
    (weights * expected).sum().backward()
    torch.testing.assert_close(shared, expected)
    for ours, theirs in zip(corners, others, strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad)


@pytest.mark.parametrize("pair_loss", [CrossEntropy(), SquaredError()])
def test_boxes_fit_the_given_strengths(scene, pair_loss):
    start, known, *strengths = scene

    def gap(found):
        found = overlaps(found, boxes(known))
        return max(abs(f - s).mean() for f, s in zip(found, strengths, strict=True))

    before = gap(boxes(start))
    assert gap(fit(*scene, pair_loss=pair_loss, n_steps=300)) < 0.2 * before


def test_a_start_from_a_known_task_saves_boxes_that_would_find_nothing(scene):
    _, known, *_ = scene
    smaller = torch.tensor([0.0] * 3 + [1.0] * 3)
    truth = known[:5] - smaller  # each inside a known box
    far = truth + torch.tensor([1e6] * 3 + [0.0] * 3)
    found = fit(far, known, *overlaps(boxes(truth), boxes(known)), n_steps=300)
    inside = overlaps(found, boxes(known))[0]
    assert (inside[range(5), range(5)] > 0.8).all()


def test_boxes_beyond_the_known_ones_are_only_started_from(scene):
    start, known, *strengths = scene
    useless = known[:3] + torch.tensor([1e6] * 3 + [0.0] * 3)
    found = fit(start, known, *strengths)
    np.testing.assert_array_equal(fit(start, known, *strengths, others=useless), found)
    far = start + torch.tensor([1e6] * 3 + [0.0] * 3)  # where no overlap has a gradient
    stays, moves = (
        fit(far, known[:1], *(table[:, :1] for table in strengths), others=others)
        for others in (known[:0], start)
    )
    assert abs(moves - stays).max() > 0.1


def test_each_task_is_embedded_independently_of_the_others(scene, monkeypatch):
    start, known, inside, around = scene
    together = fit(*scene, n_steps=40)
    alone = [
        fit(start[i : i + 1], known, inside[i : i + 1], around[i : i + 1], n_steps=40)
        for i in range(len(start))
    ]
    np.testing.assert_allclose(np.concatenate(alone), together, rtol=0, atol=1e-8)
    monkeypatch.setattr("sklearn_task2box.boxes._out_of_sample._BLOCK", 2 * known.numel())
    np.testing.assert_allclose(fit(*scene, n_steps=40), together, rtol=0, atol=1e-8)


def test_relations_from_known_tasks_have_their_weight(scene):
    start, known, inside, _ = scene
    around = np.full(inside.shape, 0.9)  # which contradicts the others

    def gaps(weight):
        found = fit(start, known, inside, around, n_steps=300, around=weight)
        found = overlaps(found, boxes(known))
        return [abs(f - s).mean() for f, s in zip(found, (inside, around), strict=True)]

    one_tenth, one, zero = gaps(0.1), gaps(1.0), gaps(0.0)
    assert max(zero[0], one_tenth[0]) < one[0]
    assert zero[1] > one[1]
