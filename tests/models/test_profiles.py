"""ProfileRegression: in closed form what regressions without a pair would predict."""

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


def fitted(strengths, unobserved="unknown"):
    """A regression, and the heads, tails and strengths of the pairs it learned from."""
    table = table_of(strengths, unobserved)
    given = table.toarray()
    heads, tails = np.nonzero(~np.isnan(given))
    strengths = given[heads, tails]
    model = ProfileRegression(table, heads, tails, strengths, np.ones(len(heads)))
    return model, heads, tails, strengths


@pytest.mark.parametrize("unobserved", ["negative", "unknown"])
@pytest.mark.parametrize("share", [0.4, 0.9])
@pytest.mark.parametrize("n_columns", [12, 5])
def test_predictions_are_those_of_ridge_regressions_without_the_pair(
    monkeypatch, unobserved, share, n_columns
):
    monkeypatch.setattr(_profiles, "_MAX_COLUMNS", n_columns)
    monkeypatch.setattr(_profiles, "_RIDGES", (0.7,))
    true = few_of(np.random.RandomState(3).uniform(size=(12, 12)).round(1), share)
    model, heads, tails, strengths = fitted(true, unobserved)
    mean = strengths.mean()
    R = np.zeros((12, 12))
    R[heads, tails] = strengths - mean
    sums = np.zeros((12, 12))
    sums[heads, tails] = strengths
    columns = np.sort(np.argsort(-sums.sum(axis=0), kind="stable")[:n_columns])
    for head, tail in np.argwhere(~np.eye(12, dtype=bool)):
        rows = np.arange(12) != head
        others = columns[columns != tail]
        ridge = Ridge(0.7, fit_intercept=False).fit(R[rows][:, others], R[rows, tail])
        expected = mean + ridge.predict(R[[head]][:, others])[0]
        found = model.predict(np.array([head]), np.array([tail]))[0]
        assert found == pytest.approx(expected, abs=1e-8)


def test_a_pair_has_no_part_in_its_own_prediction():
    true = few_of(np.random.RandomState(0).randint(2, size=(15, 15)).astype(float), 0.8)
    head, tail = np.argwhere(~np.isnan(true))[0]
    predicted = []
    for strength in (0.0, 1.0):
        true[head, tail] = strength
        table = table_of(true)
        given = table.toarray()
        given[head, tail] = np.nan  # so that means, too, are the same
        ends = np.nonzero(~np.isnan(given))
        model = ProfileRegression(table, *ends, given[ends], np.ones(len(ends[0])))
        predicted.append(model.predict(np.array([head]), np.array([tail]))[0])
    assert predicted[0] == pytest.approx(predicted[1], abs=1e-8)


def test_unknown_relations_of_a_taxonomy_are_found_without_features():
    X, graph = make_taxonomy(n_tasks=150)
    true = np.zeros((150, 150))
    true[*np.array(graph.edges).T] = 1
    seen = few_of(true, 0.8)
    model, *_ = fitted(seen)
    hidden = np.argwhere(np.isnan(seen) & ~np.eye(150, dtype=bool))
    found = average_precision_score(true[*hidden.T], model.predict(*hidden.T))
    closure = ClosureModel().fit(X, seen).predict_proba(X)[*hidden.T]
    assert found > average_precision_score(true[*hidden.T], closure)


def test_tasks_without_an_observed_pair_have_the_mean():
    true = np.full((6, 6), np.nan)
    true[:3, :3] = few_of(np.array([[0, 1, 0], [1, 0, 1], [0, 0, 0.0]]), 1.0)
    model, *_, strengths = fitted(true)
    found = model.predict(np.array([3, 4]), np.array([5, 3]))
    np.testing.assert_allclose(found, strengths.mean())
