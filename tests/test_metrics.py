"""Scores, against plain definitions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import rankdata
from sklearn.metrics import average_precision_score, f1_score

from sklearn_task2box import BoxRelationEmbedder, TaskRelations
from sklearn_task2box.metrics import (
    best_f1_threshold,
    make_relation_scorer,
    mean_average_precision,
    mean_rank,
    reconstruction,
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


@given(seed=st.integers(0, 1000), ties=st.booleans())
def test_mean_average_precision_and_rank_are_their_definitions(seed, ties):
    rng = np.random.RandomState(seed)
    strengths = (rng.uniform(size=(6, 9)) < 0.4).astype(float)
    strengths[0, 0], strengths[5] = 1, 0
    strengths[rng.uniform(size=(6, 9)) < 0.1] = np.nan
    strengths[0, 1] = 1
    predicted = rng.uniform(size=(6, 9)).round(1 if ties else 9)
    precisions, ranks = [], []
    for true, row in zip(strengths, predicted, strict=True):
        seen = ~np.isnan(true)
        true, row = true[seen], row[seen]
        if true.any():
            precisions.append(average_precision_score(true, row))
            ranks += [1 + (row[true == 0] >= value).sum() for value in row[true == 1]]
    assert mean_average_precision(strengths, predicted) == pytest.approx(
        np.mean(precisions)
    )
    assert mean_rank(strengths, predicted) == pytest.approx(np.mean(ranks))


def test_rankings_that_are_not_defined():
    with pytest.raises(ValueError, match=r"one shape.*\(1, 2\) and \(2,\)"):
        mean_rank([[0, 1]], [0.5, 0.5])
    with pytest.raises(ValueError, match="No task is related"):
        mean_average_precision([[0, 0]], [[0.5, 0.5]])


def test_a_threshold_from_a_sample_of_the_unrelated():
    strengths = np.repeat([1.0, 0, 0], [100, 2, 300])
    predicted = np.repeat([0.9, 0.9, 0.1], [100, 2, 300])
    predicted[:10] = 0.95
    assert best_f1_threshold(strengths, predicted) == pytest.approx(0.5)
    # Each unrelated one stands for a thousand.
    weights = np.repeat([1.0, 1000], [100, 302])
    assert best_f1_threshold(strengths, predicted, weights) == pytest.approx(0.925)


def test_reconstruction_is_that_of_the_whole_table(taxonomy):
    X, graph = taxonomy
    model = BoxRelationEmbedder(max_epochs=40, random_state=0).fit(X, graph)
    strengths = TaskRelations(graph, tasks=range(40)).toarray()
    np.fill_diagonal(strengths, np.nan)
    table = model.predict_proba(X)
    precision, rank = reconstruction(model)
    assert precision == pytest.approx(mean_average_precision(strengths, table))
    assert rank == pytest.approx(mean_rank(strengths, table))
    # Unknown pairs do not count.
    strengths[3, 7:20] = np.nan
    other = TaskRelations(strengths)
    assert reconstruction(model, other)[1] == pytest.approx(mean_rank(strengths, table))
    with pytest.raises(ValueError, match="relations are of 39 tasks, but 40 are known"):
        reconstruction(model, TaskRelations(strengths[:39, :39]))
    with pytest.raises(TypeError, match="must be TaskRelations; got str"):
        reconstruction(model, "dog")
