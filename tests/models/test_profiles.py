"""ProfileRegression: what regressions of columns on one another would predict."""

import numpy as np
import pytest
from conftest import few_of, make_taxonomy
from sklearn.linear_model import Ridge
from sklearn.metrics import average_precision_score

from sklearn_task2box import TaskRelations
from sklearn_task2box.models import ClosureModel, _profiles
from sklearn_task2box.models._observed_table import ObservedTable
from sklearn_task2box.models._profiles import ProfileRegression


def table_of(strengths, unobserved="unknown"):
    relations = TaskRelations(
        strengths, range(len(strengths)), unobserved=unobserved, transitive=False
    )
    return ObservedTable.of(relations.observed())


@pytest.mark.parametrize("unobserved", ["negative", "unknown"])
@pytest.mark.parametrize("share", [0.4, 0.9])
@pytest.mark.parametrize("n_columns", [12, 5])
def test_predictions_are_those_of_ridge_regressions_on_the_other_columns(
    monkeypatch, unobserved, share, n_columns
):
    monkeypatch.setattr(_profiles, "_MAX_COLUMNS", n_columns)
    true = few_of(np.random.RandomState(3).uniform(size=(12, 12)).round(1), share)
    table = table_of(true, unobserved)
    given = table.toarray()
    mean = np.nanmean(given)
    R = np.nan_to_num(given - mean)
    sums = np.nansum(given, axis=0)
    columns = np.sort(np.argsort(-sums, kind="stable")[:n_columns])
    model = ProfileRegression(table).solve(0.7)
    heads, tails = np.nonzero(~np.eye(12, dtype=bool))
    expected = []
    for head, tail in zip(heads, tails, strict=True):
        others = columns[columns != tail]
        ridge = Ridge(0.7, fit_intercept=False).fit(R[:, others], R[:, tail])
        expected.append(mean + ridge.predict(R[[head]][:, others])[0])
    np.testing.assert_allclose(model.predict(heads, tails), expected, atol=1e-8)


def test_unknown_relations_of_a_taxonomy_are_found_without_features():
    X, graph = make_taxonomy(n_tasks=150)
    true = np.zeros((150, 150))
    true[*np.array(graph.edges).T] = 1
    seen = few_of(true, 0.8)
    model = ProfileRegression(table_of(seen)).solve(1.0)
    hidden = np.argwhere(np.isnan(seen) & ~np.eye(150, dtype=bool))
    found = average_precision_score(true[*hidden.T], model.predict(*hidden.T))
    closure = ClosureModel().fit(X, seen).predict_proba(X)[*hidden.T]
    assert found > average_precision_score(true[*hidden.T], closure)


def test_tasks_without_an_observed_pair_have_the_mean():
    true = np.full((6, 6), np.nan)
    true[:3, :3] = few_of(np.array([[0, 1, 0], [1, 0, 1], [0, 0, 0.0]]), 1.0)
    model = ProfileRegression(table_of(true)).solve(1.0)
    found = model.predict(np.array([3, 4]), np.array([5, 3]))
    np.testing.assert_allclose(found, np.nanmean(true[:3, :3]))
