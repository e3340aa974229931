"""Scores of blocks of pairs: those of scikit-learn and SciPy, whatever the blocks."""

from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr
from sklearn.metrics import average_precision_score, roc_auc_score

from sklearn_task2box.utils import _block_scores
from sklearn_task2box.utils._block_scores import (
    average_precision_of,
    roc_auc_of,
    spearman_in_bins,
)

TRUE = st.sampled_from([0.0, 0.0, 0.0, 0.3, 0.5, 1.0])
# Some tie, some are apart by more than the width of a bin, down to the least of float32.
PREDICTED = st.sampled_from([0.0, -0.0, 1e-30, 2e-30, 0.1, 0.101, 0.7, 1.0])


@st.composite
def pairs_in_blocks(draw):
    """True and predicted strengths, and the same in blocks, some of them empty."""
    rows = draw(st.lists(st.tuples(TRUE, PREDICTED), min_size=2, max_size=40))
    cuts = sorted(draw(st.lists(st.integers(0, len(rows)), max_size=4)))
    true, predicted = np.array(rows).T
    return (
        true,
        predicted,
        [*zip(np.split(true, cuts), np.split(predicted, cuts), strict=True)],
    )


@given(pairs_in_blocks())
def test_spearman_in_bins_blocks_is_that_of_scipy(given):
    true, predicted, blocks = given
    if not true.any():
        with pytest.raises(ValueError, match="None of the .* pairs"):
            spearman_in_bins(blocks)
        return
    constant = np.ptp(true) == 0 or np.ptp(predicted) == 0
    expected = 0.0 if constant else spearmanr(true, predicted).statistic
    with mock.patch.object(_block_scores, "_DROPPED", 12):  # fewer bins are quicker
        assert spearman_in_bins(iter(blocks)) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("n_zeros", [0, 20_000])
def test_bins_change_spearman_by_next_to_nothing(n_zeros):
    rng = np.random.RandomState(0)
    true = np.append(rng.uniform(size=20_000), np.zeros(n_zeros))
    predicted = np.clip(true + rng.normal(size=len(true)), 0, 1) ** 4
    expected = spearmanr(true, predicted).statistic
    assert spearman_in_bins([(true, predicted)]) == pytest.approx(expected, abs=1e-6)


@given(pairs_in_blocks())
def test_rankings_of_blocks_are_those_of_scikit_learn(given):
    true, predicted, blocks = given
    related = true >= 0.5
    if related.all() or not related.any():
        for score in (average_precision_of, roc_auc_of):
            with pytest.raises(ValueError, match="(All|None) of the .* pairs"):
                score(blocks, 0.5)
        return
    expected = average_precision_score(related, predicted)
    assert average_precision_of(blocks, 0.5) == pytest.approx(expected)
    expected = roc_auc_score(related, predicted)
    assert roc_auc_of(blocks, 0.5) == pytest.approx(expected)


@pytest.mark.parametrize("wrong", [-0.1, 1.5, np.inf, np.nan])
def test_predictions_that_are_no_strengths_are_refused(wrong):
    with pytest.raises(ValueError, match=r"must be in \[0, 1\]; got|are NaN"):
        spearman_in_bins([(np.array([0.5, 0.2]), np.array([0.1, wrong]))])
