"""Geometry of boxes: properties, with hypothesis, and gradients by finite differences."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sklearn_task2box.boxes import (
    intersection,
    log_overlap,
    log_softplus,
    log_volume,
    overlap,
)

temperatures = st.sampled_from([1e-3, 0.1, 1.0, 10.0])
coordinates = st.floats(-100, 100, width=32)


@st.composite
def boxes(draw, n=2, values=coordinates, sides=None):
    """n boxes of 1 to 6 dimensions: a list of corners in double precision."""
    dim = draw(st.integers(1, 6))
    sides = st.floats(0, 50, width=32) if sides is None else sides
    corners = []
    for _ in range(n):
        lower = draw(hnp.arrays(np.float64, dim, elements=values))
        side = draw(hnp.arrays(np.float64, dim, elements=sides))
        corners += [torch.from_numpy(lower), torch.from_numpy(lower + side)]
    return corners


@given(boxes(), temperatures)
def test_overlap_is_a_share(corners, temperature):
    share = overlap(*corners, temperature)
    assert 0 <= share <= 1


@given(boxes(n=1), temperatures)
def test_overlap_of_a_box_with_itself_is_one(corners, temperature):
    assert overlap(*corners, *corners, temperature) == 1


@given(boxes(), temperatures)
def test_overlap_of_a_contained_box_is_one_at_any_temperature(corners, temperature):
    lower, upper, other_lower, other_upper = corners
    outer = torch.minimum(lower, other_lower), torch.maximum(upper, other_upper)
    assert overlap(lower, upper, *outer, temperature) == 1


@given(boxes(sides=st.floats(0.5, 50, width=32)))
def test_overlap_tends_to_the_hard_share_as_the_temperature_goes_to_0(corners):
    lower, upper, other_lower, other_upper = corners
    left, right = intersection(*corners)
    hard = (right - left).clamp(min=0).prod() / (upper - lower).prod()
    torch.testing.assert_close(overlap(*corners, 1e-5), hard, atol=1e-3, rtol=0)


@given(boxes(), temperatures, st.floats(0, 30))
def test_overlap_grows_with_the_other_box(corners, temperature, by):
    lower, upper, other_lower, other_upper = corners
    before = log_overlap(*corners, temperature)
    after = log_overlap(lower, upper, other_lower - by, other_upper + by, temperature)
    assert after >= before


@given(boxes(), temperatures, st.integers(-1000, 1000))
def test_overlap_is_invariant_to_translation(corners, temperature, shift):
    before = log_overlap(*corners, temperature)
    after = log_overlap(*(c + shift for c in corners), temperature)
    torch.testing.assert_close(before, after, rtol=1e-6, atol=1e-6 / temperature)


@given(boxes(), temperatures, st.randoms())
def test_overlap_is_invariant_to_the_order_of_dimensions(corners, temperature, random):
    order = list(range(len(corners[0])))
    random.shuffle(order)
    before = log_overlap(*corners, temperature)
    after = log_overlap(*(c[order] for c in corners), temperature)
    torch.testing.assert_close(before, after, rtol=1e-12, atol=1e-12)


@given(boxes(), temperatures)
def test_overlap_is_the_ratio_of_volumes(corners, temperature):
    lower, upper, other_lower, other_upper = corners
    share = log_volume(*intersection(*corners), temperature) - log_volume(
        lower, upper, temperature
    )
    torch.testing.assert_close(
        log_overlap(*corners, temperature), share, rtol=1e-9, atol=1e-9
    )
    torch.testing.assert_close(
        overlap(*corners, temperature), share.exp(), rtol=1e-9, atol=1e-9
    )


@given(
    boxes(
        values=st.floats(-(2.0**100), 2.0**100, width=32),
        sides=st.floats(0, 2.0**100, width=32),
    ),
    st.sampled_from([torch.float32, torch.float64]),
    temperatures,
)
def test_extreme_boxes_have_finite_gradients(corners, dtype, temperature):
    corners = [c.to(dtype).requires_grad_() for c in corners]
    value = log_overlap(*corners, temperature)
    value.backward()
    assert not torch.isnan(value)
    assert all(torch.isfinite(c.grad).all() for c in corners)


@given(st.floats(-700, 700))
def test_log_softplus_is_exact_where_plain_functions_are(z):
    expected = np.log(np.log1p(np.exp(z))) if z > -30 else z
    got = log_softplus(torch.tensor(z, dtype=torch.float64)).item()
    assert got == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_log_softplus_is_monotone_where_formulas_change():
    z = torch.linspace(-30.01, -29.99, 1001, dtype=torch.float64)
    assert (log_softplus(z).diff() > 0).all()
    assert (log_softplus(torch.linspace(-20, 20, 4001)).diff() >= 0).all()


@pytest.mark.parametrize("gap", [0.1, 5.0, 1e3])
@pytest.mark.parametrize("dim", [1, 3, 20])
def test_gradients_of_disjoint_boxes_agree_with_finite_differences(gap, dim):
    rng = np.random.RandomState(0)
    lower = torch.from_numpy(rng.uniform(0, 1, dim)).requires_grad_()
    upper = torch.from_numpy(rng.uniform(2, 3, dim)).requires_grad_()
    other_lower = torch.from_numpy(rng.uniform(3, 4, dim) + gap).requires_grad_()
    other_upper = torch.from_numpy(rng.uniform(5, 6, dim) + gap).requires_grad_()
    corners = (lower, upper, other_lower, other_upper)
    assert torch.autograd.gradcheck(lambda *c: log_overlap(*c, 0.1), corners)
    value = log_overlap(*corners, 0.1)
    value.backward()
    assert torch.isfinite(value)
    # Moving the boxes towards one another raises the overlap, with the full slope 1 / T.
    assert (upper.grad > 0).all()
    torch.testing.assert_close(
        other_lower.grad, torch.full_like(other_lower, -10.0), rtol=0.6, atol=0
    )


def test_gradients_of_volumes_agree_with_finite_differences():
    lower = torch.tensor([[0.0, 5.0], [-3.0, 2.0]], dtype=torch.float64).requires_grad_()
    upper = torch.tensor([[1.0, 4.0], [-2.5, 9.0]], dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(lambda a, b: log_volume(a, b, 0.3), (lower, upper))


def test_broadcast_tables_equal_lists_of_pairs():
    rng = np.random.RandomState(0)
    lower = torch.from_numpy(rng.normal(size=(7, 3)))
    upper = lower + torch.from_numpy(rng.uniform(size=(7, 3)))
    table = log_overlap(lower[:, None], upper[:, None], lower[None], upper[None], 0.2)
    i, j = np.indices((7, 7)).reshape(2, -1)
    pairs = log_overlap(lower[i], upper[i], lower[j], upper[j], 0.2)
    torch.testing.assert_close(table.ravel(), pairs)
    assert table.shape == (7, 7)


def test_overlap_and_volume_of_an_interval_by_hand():
    """The intersection has side 1, the box itself side 2."""
    corners = [torch.tensor([v], dtype=torch.float64) for v in (0.0, 2.0, 1.0, 4.0)]
    expected = np.log1p(np.exp(1 / 0.5)) / np.log1p(np.exp(2 / 0.5))
    assert overlap(*corners, 0.5).item() == pytest.approx(expected, rel=1e-12)
    volume = 0.5 * np.log1p(np.exp(2 / 0.5))
    assert log_volume(*corners[:2], 0.5).item() == pytest.approx(np.log(volume))
