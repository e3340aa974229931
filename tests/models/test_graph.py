"""Baselines of the graph, against what can be counted by hand."""

import tracemalloc

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import Ridge
from sklearn.metrics import average_precision_score

from sklearn_task2box import TaskPairs, TaskRelations
from sklearn_task2box.models import (
    AdditiveModel,
    ClosureModel,
    PopularityModel,
    RandomModel,
)

X = pd.DataFrame(np.eye(4), index=list("abcd"))
EDGES = [("a", "b", 1.0), ("b", "c", 1.0), ("d", "a", 0.5)]


def test_popularity_is_the_mean_strength_received():
    model = PopularityModel().fit(X, EDGES)
    np.testing.assert_allclose(model.popularity_, [0.5 / 3, 1 / 3, 1 / 3, 0])
    np.testing.assert_allclose(model.predict_proba(X[:2]), [model.popularity_] * 2)
    proba = model.predict_proba(TaskPairs(X, [("c", "b"), ("a", "d")]))
    np.testing.assert_allclose(proba, [[2 / 3, 1 / 3], [1, 0]])


def test_popularity_counts_observed_pairs_only():
    strengths = np.array([[1, 0.4, np.nan], [np.nan, 1, 0.8], [0.2, 0, 1]])
    model = PopularityModel().fit(np.eye(3), strengths)
    np.testing.assert_allclose(model.popularity_, [0.2, 0.2, 0.8])


def test_closure_is_what_transitivity_implies():
    model = ClosureModel().fit(X, EDGES)
    implied = pd.DataFrame(model.closure_.toarray(), index=X.index, columns=X.index)
    assert implied.loc["a", "c"] == 1
    assert implied.loc["d", "b"] == implied.loc["d", "c"] == 0.5
    assert implied.loc["b", "a"] == 0
    related = model.predict_proba(TaskPairs(X, [("a", "c"), ("d", "c"), ("c", "b")]))[:, 1]
    np.testing.assert_allclose(related, [1, 0.75, 1 / 6])


def test_closure_lives_with_cycles():
    edges = [("a", "b"), ("b", "a"), ("b", "c")]
    model = ClosureModel().fit(X, TaskRelations(edges, transitive=False))
    assert model.closure_[0, 2] == 1


@given(st.data())
def test_closure_against_networkx(data):
    n = data.draw(st.integers(2, 7))
    ends = st.integers(0, n - 1)
    weights = st.sampled_from([0.25, 0.5, 1.0])
    edges = data.draw(st.dictionaries(st.tuples(ends, ends), weights, min_size=1))
    edges = {(u, v): w for (u, v), w in edges.items() if u != v} or {(0, 1): 1.0}
    sure = nx.DiGraph([e for e, w in edges.items() if w == 1])
    sure.add_nodes_from(range(n))
    expected = np.zeros((n, n))
    for (u, v), w in edges.items():
        for x in {v} | nx.descendants(sure, v):
            expected[u, x] = max(expected[u, x], w)
    for u in range(n):
        expected[u, list(nx.descendants(sure, u))] = 1
    np.fill_diagonal(expected, 0)
    listed = [(u, v, w) for (u, v), w in edges.items()]
    model = ClosureModel().fit(np.eye(n), TaskRelations(listed, range(n), transitive=False))
    np.testing.assert_array_equal(model.closure_.toarray(), expected)


def test_a_closed_graph_is_its_own_closure():
    graph = nx.transitive_closure(nx.balanced_tree(2, 3, nx.DiGraph).reverse())
    n = len(graph)
    model = ClosureModel().fit(np.eye(n), graph)
    expected = nx.to_numpy_array(graph, nodelist=range(n))
    np.testing.assert_array_equal(model.closure_.toarray(), expected)


def test_additive_effects_by_hand():
    strengths = np.array([[1, 0.5, 0.9], [0.2, 1, 0.6], [np.nan, 0.3, 1]])
    model = AdditiveModel(shrinkage=1e-9).fit(np.eye(3), strengths)
    # s_ij = a_i + b_j fits these five pairs but for what no sum can.
    table = model.mean_ + np.add.outer(model.row_effects_, model.column_effects_)
    observed = ~np.isnan(strengths) & ~np.eye(3, dtype=bool)
    residuals = np.where(observed, strengths - table, 0)
    np.testing.assert_allclose(residuals.sum(axis=0), 0, atol=1e-6)  # normal equations
    np.testing.assert_allclose(residuals.sum(axis=1), 0, atol=1e-6)


def test_additive_effects_shrink():
    strengths = np.array([[1, 0.5, 0.9], [0.2, 1, 0.6], [0.1, 0.3, 1]])
    sizes = [
        np.abs(AdditiveModel(shrinkage=s).fit(np.eye(3), strengths).row_effects_).sum()
        for s in (1e-6, 1, 100)
    ]
    assert sizes[0] > sizes[1] > 5 * sizes[2] > 0
    with pytest.raises(ValueError, match="shrinkage"):
        AdditiveModel(shrinkage=0).fit(np.eye(3), strengths)


@pytest.mark.parametrize("unobserved", ["negative", "unknown"])
def test_additive_effects_are_those_of_ridge_regression(unobserved):
    rng = np.random.RandomState(0)
    strengths = rng.uniform(size=(20, 20)) * rng.uniform(size=20)
    strengths[rng.uniform(size=strengths.shape) < 0.4] = np.nan
    np.fill_diagonal(strengths, 1)
    relations = TaskRelations(strengths, unobserved=unobserved)
    model = AdditiveModel(shrinkage=0.7).fit(np.eye(20), relations)
    heads, tails, values = relations.observed().expand()
    design = np.zeros((len(values), 40))
    rows = np.arange(len(values))
    design[rows, heads] = design[rows, 20 + tails] = 1
    ridge = Ridge(alpha=0.7, solver="cholesky").fit(design, values)
    effects = np.concatenate([model.row_effects_, model.column_effects_])
    np.testing.assert_allclose(effects, ridge.coef_, atol=1e-8)
    assert model.mean_ == pytest.approx(ridge.intercept_, abs=1e-8)


@pytest.mark.parametrize("shrinkage", [1e-3, 1.0])
def test_additive_effects_of_groups_that_share_no_pair(shrinkage):
    strengths = np.full((300, 300), np.nan)
    strengths[:150, :150], strengths[150:, 150:] = 1, 0
    np.fill_diagonal(strengths, np.nan)
    model = AdditiveModel(shrinkage).fit(np.eye(300), strengths)
    half = 0.25 * 149 / (149 + shrinkage / 2)  # of what is above the mean, by symmetry
    effects = np.stack([model.row_effects_, model.column_effects_])
    np.testing.assert_allclose(effects[:, :150], half, atol=1e-6)
    np.testing.assert_allclose(effects[:, 150:], -half, atol=1e-6)


def test_additive_effects_need_no_table_of_all_pairs():
    n = 3500
    tree = nx.DiGraph((i, (i - 1) // 2) for i in range(1, n))
    tracemalloc.start()
    AdditiveModel().fit(np.zeros((n, 1)), tree)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * n**2  # bytes


def test_additive_beats_popularity_where_members_differ():
    rng = np.random.RandomState(0)
    rows, columns = rng.uniform(0, 0.5, size=(2, 30))
    truth = np.add.outer(rows, columns)
    seen = np.where(rng.uniform(size=truth.shape) < 0.3, np.nan, truth)
    np.fill_diagonal(seen, 1)
    hidden = np.argwhere(np.isnan(seen))
    pairs = TaskPairs(np.eye(30), hidden)
    errors = [
        np.abs(model.fit(np.eye(30), seen).predict_proba(pairs)[:, 1] - truth[*hidden.T])
        for model in (AdditiveModel(), PopularityModel())
    ]
    assert errors[0].max() < 0.06 < errors[1].max()


def test_unknown_tasks():
    other = pd.DataFrame(np.eye(4)[:2], index=["a", "new"])
    pairs = TaskPairs(other, [("new", "a"), ("a", "new")])
    related = PopularityModel().fit(X, EDGES).predict_proba(pairs)[:, 1]
    np.testing.assert_allclose(related, [0.5 / 3, 0])
    model = AdditiveModel().fit(X, EDGES)
    expected = [model.mean_ + model.column_effects_[0], model.mean_ + model.row_effects_[0]]
    np.testing.assert_allclose(model.predict_proba(pairs)[:, 1], expected)
    unnamed = PopularityModel().fit(np.eye(3), [(0, 2)]).predict_proba(np.eye(3)[:1])
    np.testing.assert_allclose(unnamed, [[0, 0, 0.5]])


@pytest.mark.parametrize("names", ["strings", "integers"])
def test_pairs_without_names_are_known_by_position(names):
    index = list("dabc") if names == "strings" else [3, 0, 1, 2]
    named = X.set_axis(index)
    edges = [(index[i], index[j], w) for i, j, w in [(1, 2, 1), (2, 3, 1), (0, 1, 0.5)]]
    at = [(0, 1), (1, 3), (2, 3)]
    for model in (PopularityModel(), ClosureModel(), AdditiveModel()):
        model.fit(named, edges)
        named_pairs = TaskPairs(named, [(index[i], index[j]) for i, j in at])
        expected = model.predict_proba(named_pairs)
        assert len(np.unique(expected)) > 2
        related = model.predict_proba(TaskPairs(named.to_numpy(), at))
        np.testing.assert_array_equal(related, expected)


def test_random_numbers_belong_to_pairs():
    rng = np.random.RandomState(0)
    features = rng.normal(size=(60, 3))
    model = RandomModel(random_state=0).fit(features, [(0, 1)])
    table = model.predict_proba(features)
    some = model.predict_proba(TaskPairs(features[::-1], [(59, 57), (57, 59)]))[:, 1]
    np.testing.assert_array_equal(some, [table[0, 2], table[2, 0]])
    assert len(np.unique(table)) == table.size
    # uniform, and no relation between a pair and the one that is turned round
    counts = np.histogram(table, bins=10, range=(0, 1))[0]
    assert abs(counts - 360).max() < 5 * np.sqrt(360)
    assert abs(np.corrcoef(table.ravel(), table.T.ravel())[0, 1]) < 0.05
    other = RandomModel(random_state=1).fit(features, [(0, 1)]).predict_proba(features)
    assert abs(np.corrcoef(table.ravel(), other.ravel())[0, 1]) < 0.1


@pytest.mark.parametrize(
    ("n", "popularity", "closure"), [(150, 0.755, 0.810), (500, 0.664, 0.790)]
)
def test_the_figures_that_come_with_the_splits(shared_data, n, popularity, closure):
    data = np.load(shared_data / f"mammals{n}_split.npz")
    seen = np.where(data["mask"] == 0, data["D"], np.nan)
    pairs = TaskPairs(data["X"], data["test_pairs"])
    for model, expected in (
        (PopularityModel(), popularity),
        (ClosureModel(), closure),
    ):
        related = model.fit(data["X"], seen).predict_proba(pairs)[:, 1]
        score = average_precision_score(data["test_labels"], related)
        assert score == pytest.approx(expected, abs=5e-4)


@pytest.mark.parametrize("shrinkage", [0.01, 0.3, 1.0])
def test_additive_effects_solve_the_least_squares(shrinkage):
    n = 9
    strengths = np.random.RandomState(0).uniform(size=(n, n))
    strengths[np.random.RandomState(1).uniform(size=(n, n)) < 0.5] = np.nan
    np.fill_diagonal(strengths, np.nan)
    model = AdditiveModel(shrinkage).fit(np.eye(n), strengths)
    heads, tails = np.nonzero(~np.isnan(strengths))
    rows = np.hstack([np.ones((len(heads), 1)), np.eye(n)[heads], np.eye(n)[tails]])
    shrink = np.sqrt(shrinkage) * np.eye(2 * n + 1)[1:]
    right = np.concatenate([strengths[heads, tails], np.zeros(2 * n)])
    expected = np.linalg.lstsq(np.vstack([rows, shrink]), right, rcond=None)[0]
    found = np.concatenate([[model.mean_], model.row_effects_, model.column_effects_])
    np.testing.assert_allclose(found, expected, atol=1e-8)
