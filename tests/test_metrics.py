"""Scores, against plain definitions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import rankdata
from sklearn.metrics import average_precision_score, f1_score

from sklearn_task2box.metrics import (
    best_f1_threshold,
    make_relation_scorer,
    relation_score,
    spearman,
)


def test_the_score_of_0_1_and_of_graded_relations():
    predicted = np.array([0.9, 0.2, 0.7, 0.4])
    labels = np.array([1, 0, 0, 1])
    expected = average_precision_score(labels, predicted)
    assert relation_score(labels, predicted) == pytest.approx(expected)
    graded = np.array([1, 0.1, 0.5, 0.2])
    assert relation_score(graded, predicted) == pytest.approx(1)
    assert relation_score(labels, predicted, graded=True) == spearman(labels, predicted)
    with pytest.raises(ValueError, match="None of the 2 pairs.*fewer folds"):
        relation_score([0, 0], [0.1, 0.2])


def test_spearman_is_the_correlation_of_ranks():
    rng = np.random.RandomState(0)
    a, b = rng.choice(5, 50), rng.choice(5, 50)
    expected = np.corrcoef(rankdata(a), rankdata(b))[0, 1]
    assert spearman(a, b) == pytest.approx(expected)
    assert spearman(a, np.ones(50)) == 0


@given(
    st.lists(st.tuples(st.booleans(), st.sampled_from(np.linspace(0, 1, 9))), min_size=1)
)
def test_no_other_threshold_has_a_better_f1(rows):
    related, predicted = map(np.array, zip(*rows, strict=True))
    threshold = best_f1_threshold(related, predicted)
    assert 0 <= threshold <= 1
    if not related.any():
        assert threshold == 0.5
        return

    def f1(cut):
        return f1_score(related, predicted >= cut, zero_division=0)

    assert f1(threshold) >= max(f1(cut) for cut in np.linspace(0, 1, 65)) - 1e-12


def test_unknown_scorers_are_refused():
    with pytest.raises(ValueError, match="'accuracy'"):
        make_relation_scorer("accuracy")
