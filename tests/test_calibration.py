"""What strengths that somebody says turn out to mean."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit, logit
from sklearn_task2box.utils._calibration import AS_SAID, Calibration

strengths = st.lists(st.floats(0, 1), min_size=1, max_size=20).map(np.array)
lines = st.builds(Calibration, st.floats(0.2, 5), st.floats(-5, 5))


@given(strengths)
def test_nothing_changes_where_nothing_is_known(said):
    assert_array_equal(AS_SAID(said), said)
    assert Calibration.fit(np.zeros(0), np.zeros(0)) == AS_SAID


@given(strengths, lines)
def test_strengths_stay_strengths_in_their_order(said, line):
    meant = line(said)
    assert meant.shape == said.shape
    assert ((meant >= 0) & (meant <= 1)).all()
    order = np.argsort(said)
    assert (np.diff(meant[order]) >= 0).all()


@pytest.mark.parametrize("graded", [False, True])
@pytest.mark.parametrize(("slope", "intercept"), [(2.0, 1.0), (0.5, -1.0), (1.0, 0.0)])
def test_the_line_is_found(graded, slope, intercept):
    rng = np.random.RandomState(0)
    said = rng.uniform(0.02, 0.98, size=50_000)
    meant = expit(slope * logit(said) + intercept)
    strengths = meant if graded else (rng.uniform(size=len(meant)) < meant).astype(float)
    found = Calibration.fit(said, strengths)
    assert_allclose((found.slope, found.intercept), (slope, intercept), atol=0.05)
    assert_allclose(found(said), meant, atol=0.02)
    # Of 0/1 relations, slopes below 1 are not believed.
    known = Calibration.fit(said, strengths, graded)
    assert known == (found if graded or slope >= 1 else AS_SAID)


def test_few_pairs_say_little():
    rng = np.random.RandomState(0)
    said = rng.uniform(size=10_000)
    strengths = (rng.uniform(size=len(said)) < said**3).astype(float)
    changes = [
        np.abs(Calibration.fit(said[:n], strengths[:n])(said) - said).mean()
        for n in (0, 4, 10_000)
    ]
    assert changes[0] == 0
    assert changes[1] < 0.1 < changes[2]


def test_the_sure_and_wrong_do_not_break_it():
    said = np.array([0.0, 1.0, 0.0, 1.0])
    found = Calibration.fit(said, 1 - said)
    assert found.slope > 0
    assert np.isfinite(found(said)).all()
    assert (np.abs(found(said) - 0.5) < 0.5 - 1e-3).all()
