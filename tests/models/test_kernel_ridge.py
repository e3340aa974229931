"""KernelRidgeModel: closed forms against plain solves, settings and errors."""

import numpy as np
import pandas as pd
import pytest
from conftest import few_of, make_taxonomy
from sklearn.kernel_ridge import KernelRidge
from sklearn.metrics import average_precision_score

from sklearn_task2box import TaskRelations
from sklearn_task2box.models import KernelRidgeModel, PopularityModel
from sklearn_task2box.models import _kernel_ridge as module
from sklearn_task2box.utils._rows import IdentifiedRows

X, GRAPH = make_taxonomy(n_tasks=80)
N = len(X)
STRENGTHS = np.zeros((N, N))
STRENGTHS[*np.array(GRAPH.edges).T] = 1
PLAIN = {"kernel": "rbf", "gamma": 0.3, "ridge": 1.0, "standardize": False}


def unit_rows(X):
    X = X - X.mean(axis=0)
    return X / np.linalg.norm(X, axis=1, keepdims=True)


def test_means_are_those_of_kernel_ridge_regression_left_out_and_new():
    model = KernelRidgeModel(**PLAIN).fit(X, GRAPH)
    rows = unit_rows(X)
    own = STRENGTHS + np.eye(N)
    prior = model._inside.prior
    for i, known in ((7, 7), (7, -1)):
        kept = np.arange(N) != known
        plain = KernelRidge(kernel="rbf", gamma=0.3, alpha=1.0)
        plain.fit(rows[kept], (own - prior)[kept])
        expected = prior + plain.predict(rows[[i]])
        weights = model._weights(IdentifiedRows(np.array([known]), rows[[i]]))
        np.testing.assert_allclose(model._inside.means(weights), expected, atol=1e-10)


def test_nystrom_features_of_all_tasks_are_exact(monkeypatch):
    expected = KernelRidgeModel(**PLAIN).fit(X[:60], STRENGTHS[:60, :60])
    monkeypatch.setattr(module, "_MAX_EXACT", 10)
    found = KernelRidgeModel(**PLAIN).fit(X[:60], STRENGTHS[:60, :60])
    for new in (X[60:], X[:60]):
        np.testing.assert_allclose(
            found.predict_proba(new), expected.predict_proba(new), atol=1e-4
        )


def test_nystrom_features_of_some_tasks_are_near(monkeypatch):
    monkeypatch.setattr(module, "_MAX_EXACT", 10)
    model = KernelRidgeModel(n_components=30).fit(X[:60], STRENGTHS[:60, :60])
    assert model._solution.shape == (30, 60)
    true = STRENGTHS[60:, :60].ravel()
    precision = average_precision_score(true, model.predict_proba(X[60:]).ravel())
    popular = PopularityModel().fit(X[:60], STRENGTHS[:60, :60]).predict_proba(X[60:])
    assert precision > average_precision_score(true, popular.ravel())


def test_settings_that_are_given_are_not_chosen():
    model = KernelRidgeModel(**PLAIN).fit(X, GRAPH)
    chosen = {name: getattr(model, f"{name}_") for name in PLAIN}
    assert chosen == PLAIN
    linear = KernelRidgeModel("linear").fit(X, GRAPH)
    assert linear.kernel_ == "linear"


def test_a_column_of_another_scale_is_standardized():
    rng = np.random.RandomState(0)
    spoiled = np.column_stack([X, np.exp(5 * rng.normal(size=N))])
    held = np.arange(60, N)
    scores = []
    for features in (X, spoiled):
        model = KernelRidgeModel().fit(features[:60], STRENGTHS[:60, :60])
        predicted = model.predict_proba(features[held])
        scores.append(
            average_precision_score(STRENGTHS[60:, :60].ravel(), predicted.ravel())
        )
    assert model.standardize_
    assert scores[1] > scores[0] - 0.1


def test_constant_features_are_no_trouble():
    model = KernelRidgeModel(standardize=True).fit(np.ones((N, 3)), GRAPH)
    assert np.isfinite(model.predict_proba(np.ones((2, 3)) + 1)).all()


def test_unknown_pairs_are_learned_from_paths_between_tasks():
    # Features say nothing, relations all: a binary tree.
    parents = {i: (i - 1) // 2 for i in range(1, 127)}
    strengths = TaskRelations(parents, transitive=True).toarray()
    seen = few_of(strengths, 0.7)
    noise = np.random.RandomState(0).normal(size=(127, 4))
    model = KernelRidgeModel().fit(noise, seen)
    hidden = np.isnan(seen) & ~np.eye(127, dtype=bool)
    found = model.predict_proba(noise)[hidden]
    popular = PopularityModel().fit(noise, seen).predict_proba(noise)[hidden]
    true = strengths[hidden]
    assert average_precision_score(true, found) > 0.9
    assert average_precision_score(true, popular) < 0.7


def test_means_and_variances_are_read_by_their_names():
    rng = np.random.RandomState(0)
    means, deviations = rng.normal(size=(120, 3)), rng.uniform(0.1, 1.5, size=(120, 3))
    apart = np.abs(means[:, None] - means)
    true = (apart + deviations[:, None] < 2.5 * deviations).all(axis=2).astype(float)
    new, known = np.arange(120) % 4 == 0, np.arange(120) % 4 != 0
    named = [f"{kind}_{k}" for kind in ("mean", "variance") for k in range(3)]
    scores = []
    for columns in (named, list("abcdef")):
        X = pd.DataFrame(np.hstack([means, deviations**2]), columns=columns)
        inside = TaskRelations(true[np.ix_(known, known)], transitive=False)
        found = KernelRidgeModel().fit(X[known], inside).predict_proba(X[new])
        scores.append(average_precision_score(true[new][:, known].ravel(), found.ravel()))
    assert scores[0] > scores[1] + 0.03


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kernel": "cubic"}, "kernel"),
        ({"gamma": 0}, "gamma"),
        ({"ridge": -1.0}, "ridge"),
        ({"standardize": "no"}, "standardize"),
        ({"n_components": 0}, "n_components"),
    ],
)
def test_wrong_arguments_are_named_in_fit(options, message):
    with pytest.raises(ValueError, match=message):
        KernelRidgeModel(**options).fit(X, GRAPH)


def test_tasks_may_stand_in_the_order_of_their_kind():
    # None of the first tasks has members, and none of the last lies in another.
    rng = np.random.RandomState(0)
    kinds = np.arange(300) % 3
    X = np.vstack([np.eye(3)[kinds] + 0.1 * rng.normal(size=(300, 3)), np.eye(3)])
    strengths = np.zeros((303, 303))
    strengths[np.arange(300), 300 + kinds] = 1
    model = KernelRidgeModel().fit(X, strengths)
    assert model.score(X, strengths) > 0.95


def test_relations_of_a_few_of_many_tasks():
    X = np.random.RandomState(0).normal(size=(900, 3))
    model = KernelRidgeModel().fit(X, [(0, 1)])
    assert np.isfinite(model.predict_proba(X[:5])).all()
