"""Boxes of new tasks among boxes that stay where they are."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sklearn_task2box.boxes import log_overlap
from sklearn_task2box.boxes._out_of_sample import _SharedVolumes, fit_boxes
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
    """Outputs to start from, known boxes, and strengths that some boxes have with them."""
    generator = torch.Generator().manual_seed(0)
    outputs = torch.randn(40, 6, generator=generator, dtype=torch.float64)
    known = torch.cat(boxes_of(2 * outputs[:30]), dim=1).numpy()
    truth = torch.cat(boxes_of(outputs[30:35]), dim=1).numpy()
    return outputs[35:], known, *overlaps(truth, known)


def fit(start, known, *tables, pair_loss=None, n_steps=100, weights=None, **options):
    weights = np.ones(len(known)) if weights is None else weights
    loss = pair_loss or CrossEntropy()
    settings = weights, *tables, loss, 3.0, TEMPERATURE, n_steps
    return fit_boxes(ENCODER, start, known, *settings, **options)


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

    def gap(boxes):
        found = overlaps(boxes, known)
        return max(abs(f - s).mean() for f, s in zip(found, strengths, strict=True))

    before = fit(*scene, n_steps=0)
    np.testing.assert_allclose(before, torch.cat(boxes_of(start), 1), rtol=1e-6)
    assert gap(fit(*scene, pair_loss=pair_loss, n_steps=300)) < 0.2 * gap(before)


def test_each_task_is_embedded_independently_of_the_others(scene, monkeypatch):
    start, known, inside, around = scene
    together = fit(*scene)
    alone = [
        fit(start[i : i + 1], known, inside[i : i + 1], around[i : i + 1])
        for i in range(len(start))
    ]
    np.testing.assert_allclose(np.concatenate(alone), together, rtol=0, atol=1e-8)
    monkeypatch.setattr("sklearn_task2box.boxes._out_of_sample._BLOCK", 2 * known.size)
    np.testing.assert_allclose(fit(*scene), together, rtol=0, atol=1e-8)


def test_known_boxes_of_weight_zero_do_not_count(scene):
    start, known, inside, around = scene
    weights = np.ones(len(known))
    weights[20:] = 0
    np.testing.assert_allclose(
        fit(*scene, weights=weights),
        fit(start, known[:20], inside[:, :20], around[:, :20]),
        rtol=0,
        atol=1e-8,
    )


def test_boxes_that_have_the_mixed_strengths_stay(scene):
    start, known, inside, around = scene
    loss = SquaredError()
    settings = ENCODER, start, known, np.ones(len(known)), inside, around, loss, 3.0
    stays = fit_boxes(*settings, TEMPERATURE, 100, start_share=1.0)
    np.testing.assert_allclose(stays, torch.cat(boxes_of(start), 1), atol=1e-5)
    half = fit_boxes(*settings, TEMPERATURE, 100, start_share=0.5)
    whole = fit_boxes(*settings, TEMPERATURE, 100, start_share=0.0)
    moved = [abs(boxes - stays).mean() for boxes in (half, whole)]
    assert 0 < moved[0] < moved[1]


def test_relations_from_known_tasks_have_their_weight(scene):
    start, known, inside, _ = scene
    around = np.full(inside.shape, 0.9)  # which contradicts the others

    def gaps(**options):
        boxes = fit(start, known, inside, around, n_steps=300, **options)
        found = overlaps(boxes, known)
        return [abs(f - s).mean() for f, s in zip(found, (inside, around), strict=True)]

    by_default, by_one, by_zero = gaps(), gaps(around_weight=1.0), gaps(around_weight=0.0)
    assert by_zero[0] < by_default[0] < by_one[0]
    assert by_zero[1] > by_default[1] > by_one[1]
