"""Scores, against plain definitions."""

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import rankdata
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.metrics import average_precision_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_task2box import BoxRelationEmbedder, TaskPairs, TaskRelations
from sklearn_task2box.metrics import (
    best_f1_threshold,
    expected_calibration_error,
    make_relation_scorer,
    mean_average_precision,
    mean_rank,
    mean_spearman_within,
    reconstruction,
    relation_score,
    spearman,
)
from sklearn_task2box.models import PopularityModel

pytestmark = pytest.mark.usefixtures("few_steps")


def quick():
    settings = {"hidden_layer_sizes": (16,), "max_epochs": 20, "random_state": 0}
    return BoxRelationEmbedder(2, **settings)


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


def test_spearman_within_targets_does_not_compare_across_them():
    strengths = np.array([0.1, 0.2, 0.3, 7, 8, 9])
    targets = np.repeat(["a", "b"], 3)
    predicted = np.array([3, 4, 5, 0, 1, 2])  # the wrong target is stronger
    assert mean_spearman_within(strengths, predicted, targets) == pytest.approx(1)
    assert spearman(strengths, predicted) < 0
    # One target in order, one the other way round, one constant in truth.
    strengths, targets = [1, 2, 1, 2, 5, 5], [0, 0, 1, 1, 2, 2]
    predicted = [1, 2, 2, 1, 0, 9]
    assert mean_spearman_within(strengths, predicted, targets) == pytest.approx(0)
    predicted = [1, 2, 4, 4, 0, 9]  # constant predictions count as 0
    assert mean_spearman_within(strengths, predicted, targets) == pytest.approx(0.5)
    with pytest.raises(ValueError, match="None of the 3 targets has two pairs"):
        mean_spearman_within([1, 2, 3], [1, 2, 3], [0, 1, 2])
    with pytest.raises(ValueError, match="inconsistent numbers"):
        mean_spearman_within([1, 2, 3], [1, 2, 3], [0, 1])


def test_calibration_error_by_hand():
    # Bins [0, 0.5) and [0.5, 1]: gaps 0.2 - 1 / 3 over three pairs, 0.9 - 0.5 over two.
    strengths, predicted = [0, 1, 0, 1, 0], [0.1, 0.2, 0.3, 0.8, 1.0]
    expected = (3 * abs(0.2 - 1 / 3) + 2 * abs(0.9 - 0.5)) / 5
    error = expected_calibration_error(strengths, predicted, n_bins=2)
    assert error == pytest.approx(expected)
    # Graded strengths are compared as they are.
    assert expected_calibration_error([0.2, 0.4], [0.25, 0.35], n_bins=1) == pytest.approx(
        0, abs=1e-12
    )
    # Halves: gaps 0.01 * 2 and 0.03 * 2 - 1, which equal width would add up.
    strengths, predicted = [0, 0, 0, 1], [0.01, 0.01, 0.03, 0.03]
    by_mass = expected_calibration_error(strengths, predicted, 2, strategy="quantile")
    assert by_mass == pytest.approx((0.02 + 0.94) / 4)
    assert expected_calibration_error(strengths, predicted, 2) == pytest.approx(0.92 / 4)


@given(seed=st.integers(0, 1000), n_bins=st.integers(1, 20), rounded=st.booleans())
def test_calibration_error_is_its_definition(seed, n_bins, rounded):
    rng = np.random.RandomState(seed)
    predicted = rng.uniform(size=60).round(1 if rounded else 9)
    strengths = (rng.uniform(size=60) < predicted).astype(float)
    bins = np.minimum(np.floor(predicted * n_bins), n_bins - 1)
    expected = sum(
        (bins == b).mean() * abs(strengths[bins == b].mean() - predicted[bins == b].mean())
        for b in np.unique(bins)
    )
    error = expected_calibration_error(strengths, predicted, n_bins)
    assert error == pytest.approx(expected)
    # Quantiles of distinct predictions are runs of the sorted ones.
    if not rounded and 60 % n_bins == 0:
        runs = np.argsort(predicted).reshape(n_bins, -1)
        gaps = (strengths - predicted)[runs].mean(axis=1)
        error = expected_calibration_error(strengths, predicted, n_bins, "quantile")
        assert error == pytest.approx(np.abs(gaps).mean())


def test_probabilities_drawn_from_are_calibrated():
    rng = np.random.RandomState(0)
    predicted = rng.uniform(size=20_000)
    strengths = rng.uniform(size=20_000) < predicted
    for strategy in ("uniform", "quantile"):
        calibrated = expected_calibration_error(strengths, predicted, strategy=strategy)
        assert calibrated < 0.02
        sharpened = expected_calibration_error(
            strengths, predicted > 0.5, strategy=strategy
        )
        assert sharpened == pytest.approx(0.25, abs=0.02)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"predicted": [0.1, 1.2]}, r"predicted must be in \[0, 1\]; got values from 0.1"),
        ({"predicted": [0.1, np.nan]}, "1 of the 2 predicted are NaN"),
        ({"strengths": [0, 2]}, r"strengths must be in \[0, 1\]"),
        ({"predicted": [0.1]}, "inconsistent numbers"),
        ({"strengths": [], "predicted": []}, "no pair"),
        ({"n_bins": 0}, "n_bins must be .* got 0"),
        ({"strategy": "equal"}, "'uniform' or 'quantile'; got 'equal'"),
    ],
)
def test_calibration_of_nonsense_is_refused(options, message):
    arguments = {"strengths": [0, 1], "predicted": [0.1, 0.8]} | options
    with pytest.raises(ValueError, match=message):
        expected_calibration_error(**arguments)


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

    cuts = np.append(np.linspace(0, 1, 17), threshold)
    called = predicted >= cuts[:, None]
    hits = (called & related).sum(axis=1)
    scores = 2 * hits / (called.sum(axis=1) + related.sum())
    assert scores[-1] >= max(scores) - 1e-12


@given(st.lists(st.tuples(st.booleans(), st.sampled_from(np.linspace(0, 1, 9)))))
def test_relation_score_is_the_average_precision_of_scikit_learn(rows):
    related, predicted = map(np.array, zip(*rows, (True, 0.5), strict=True))
    score = relation_score(related, predicted)
    assert score == pytest.approx(average_precision_score(related, predicted), abs=1e-12)


def test_the_threshold_tells_apart_what_differs_by_rounding():
    above = np.nextafter(0.7, 1)
    assert best_f1_threshold([1, 0], [above, 0.7]) == above
    assert best_f1_threshold([1, 1], [-2, -1]) <= -2


@pytest.mark.parametrize("score", [relation_score, mean_spearman_within])
@pytest.mark.parametrize("where", ["strengths", "predicted"])
def test_nothing_is_said_of_pairs_that_are_not_known(score, where):
    values = {"strengths": [0, 1, 0.5], "predicted": [0.2, 0.1, 0.7]}
    values[where][1] = np.nan
    targets = {"targets": [0, 0, 1]} if score is mean_spearman_within else {}
    with pytest.raises(ValueError, match=f"1 of the 3 {where} are NaN"):
        score(**values, **targets)


@pytest.mark.parametrize("score", [mean_average_precision, mean_rank])
def test_rankings_of_nan_are_refused(score):
    with pytest.raises(ValueError, match="1 of the 3 predictions are NaN"):
        score([[1, 0, np.nan]], [[np.nan, 0.5, 0.2]])


def test_scorers_look_into_pipelines_and_searches(named_taxonomy):
    X, graph = named_taxonomy
    y = nx.to_pandas_adjacency(graph, nodelist=list(X.index))
    scorer = make_relation_scorer("roc_auc")
    settings = {"hidden_layer_sizes": (8,), "max_epochs": 5, "random_state": 0}
    boxes = BoxRelationEmbedder(2, **settings)
    flat = make_pipeline(StandardScaler(), PCA(3), boxes).fit(X, y)
    nested = make_pipeline(StandardScaler(), make_pipeline(PCA(3), boxes)).fit(X, y)
    assert scorer(nested, X, y) == scorer(flat, X, y)
    search = GridSearchCV(boxes, {"box_dim": [1, 2]}, cv=2, scoring=scorer)
    found = make_pipeline(StandardScaler(), search).fit(X, y)
    assert scorer(found, X, y) == scorer(
        found[-1].best_estimator_, found[0].transform(X), y
    )


@pytest.mark.parametrize("model", [PopularityModel(), quick()])
def test_scores_by_task_are_those_of_the_whole_table(named_taxonomy, model):
    X, graph = named_taxonomy
    y = nx.to_pandas_adjacency(graph, nodelist=list(X.index))
    model = clone(model).fit(X.iloc[:30], y.iloc[:30])
    table = model.predict_proba(TaskPairs(X, np.indices((40, 40)).reshape(2, -1).T))
    table = table[:, 1].reshape(40, 40)
    truth = y.to_numpy(copy=True)
    np.fill_diagonal(truth, np.nan)
    truth[:30, :30] = np.nan  # known before
    expected = {
        "mean_average_precision": mean_average_precision(truth, table),
        "neg_mean_rank": -mean_rank(truth, table),
    }
    for name, value in expected.items():
        found = make_relation_scorer(name)(model, X.iloc[30:], y.iloc[30:])
        assert found == pytest.approx(value)
    graded = y * np.random.RandomState(0).uniform(0.6, 1, size=y.shape)
    seen = ~np.isnan(truth)
    targets = np.nonzero(seen)[0]
    expected = mean_spearman_within(graded.to_numpy()[seen], table[seen], targets)
    scorer = make_relation_scorer("mean_spearman_within")
    # Strengths that are equal but for rounding are ties in one of them.
    assert scorer(model, X.iloc[30:], graded.iloc[30:]) == pytest.approx(expected, abs=0.01)


def test_scorers_refuse_what_predicts_no_relations_of_tasks():
    with pytest.raises(TypeError, match="A StandardScaler does not predict relations"):
        make_relation_scorer("f1")(StandardScaler(), np.eye(3), np.eye(3))


class Half:
    """Says of each pair what is true."""

    threshold_ = 0.5

    def compare(self, X, y):
        return y, y

    def compare_blocks(self, X, y):
        return [(y[:1], y[:1]), (y[1:], y[1:])]


@pytest.mark.parametrize("name", ["average_precision", "roc_auc"])
def test_pairs_count_as_related_from_a_half_on(name):
    scorer = make_relation_scorer(name)
    assert scorer(Half(), None, np.array([0.1, 0.4, 0.5, 0.9])) == 1
    with pytest.raises(ValueError, match="All of the 2 pairs.*'spearman'"):
        scorer(Half(), None, np.array([0.5, 0.9]))
    with pytest.raises(ValueError, match="None of the 2 pairs"):
        scorer(Half(), None, np.array([0.1, 0.4]))


@pytest.mark.parametrize(
    "bad", [([0, 1, 1], [0.1, 0.2]), ([0, 1], [np.nan, 0.2]), ([], [])]
)
def test_thresholds_are_chosen_on_numbers(bad):
    with pytest.raises(ValueError, match="inconsistent|NaN|no pair"):
        best_f1_threshold(*bad)


def test_missing_targets_are_refused():
    with pytest.raises(ValueError, match="2 of the 4 targets are NaN"):
        mean_spearman_within([0, 1, 0, 1], [0, 1, 0, 1], [np.nan, "a", None, "a"])


def test_unknown_scorers_are_refused():
    with pytest.raises(ValueError, match="'accuracy'"):
        make_relation_scorer("accuracy")
    with pytest.raises(ValueError, match="name must be one of"):
        make_relation_scorer(["f1"])


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
    # Names decide, and not the order.
    names = np.array([f"task {i}" for i in range(40)])
    frame = pd.DataFrame(strengths, index=names, columns=names)
    model.fit(pd.DataFrame(X, index=names), frame)
    turned = TaskRelations(frame.iloc[::-1, ::-1])
    assert reconstruction(model, turned) == reconstruction(model, TaskRelations(frame))
    with pytest.raises(ValueError, match="y has 39 tasks, but X has 40 rows"):
        reconstruction(model, TaskRelations(strengths[:39, :39]))
    with pytest.raises(TypeError, match="must be TaskRelations; got str"):
        reconstruction(model, "dog")


@pytest.mark.parametrize(
    ("predicted", "message"),
    [([1, np.nan, 0], "are NaN"), ([1, 0], "inconsistent numbers"), ([], "inconsistent")],
)
def test_rank_correlations_of_what_is_missing_are_refused(predicted, message):
    with pytest.raises(ValueError, match=message):
        spearman([0.2, 0.5, 0.1], predicted)
