"""Baselines of the graph, against what can be counted by hand."""

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.metrics import average_precision_score

from sklearn_task2box import TaskPairs
from sklearn_task2box.baselines import ClosureBaseline, PopularityBaseline

X = pd.DataFrame(np.eye(4), index=list("abcd"))
EDGES = [("a", "b", 1.0), ("b", "c", 1.0), ("d", "a", 0.5)]


def test_popularity_is_the_mean_strength_received():
    model = PopularityBaseline().fit(X, EDGES)
    np.testing.assert_allclose(model.popularity_, [0.5 / 3, 1 / 3, 1 / 3, 0])
    np.testing.assert_allclose(model.predict_proba(X[:2]), [model.popularity_] * 2)
    proba = model.predict_proba(TaskPairs(X, [("c", "b"), ("a", "d")]))
    np.testing.assert_allclose(proba, [[2 / 3, 1 / 3], [1, 0]])


def test_closure_is_what_transitivity_implies():
    model = ClosureBaseline().fit(X, EDGES)
    implied = pd.DataFrame(model.closure_.toarray(), index=X.index, columns=X.index)
    assert implied.loc["a", "c"] == 1
    assert implied.loc["d", "b"] == implied.loc["d", "c"] == 0.5
    assert implied.loc["b", "a"] == 0
    related = model.predict_proba(TaskPairs(X, [("a", "c"), ("d", "c"), ("c", "b")]))[:, 1]
    np.testing.assert_allclose(related, [1, 0.75, 1 / 6])


def test_closure_lives_with_cycles():
    model = ClosureBaseline().fit(X, [("a", "b"), ("b", "a"), ("b", "c")])
    assert model.closure_[0, 2] == 1


def test_unknown_tasks_and_unfitted_models():
    model = PopularityBaseline().fit(X, EDGES)
    other = pd.DataFrame(np.eye(4)[:2], index=["a", "new"])
    related = model.predict_proba(TaskPairs(other, [("new", "a"), ("a", "new")]))[:, 1]
    np.testing.assert_allclose(related, [0.5 / 3, 0])
    with pytest.raises(NotFittedError):
        PopularityBaseline().predict_proba(X)


@pytest.mark.parametrize(
    ("n", "popularity", "closure"), [(150, 0.755, 0.810), (500, 0.664, 0.790)]
)
def test_the_figures_that_come_with_the_splits(shared_data, n, popularity, closure):
    data = np.load(shared_data / f"mammals{n}_split.npz")
    seen = np.where(data["mask"] == 0, data["D"], np.nan)
    pairs = TaskPairs(data["X"], data["test_pairs"])
    for model, expected in (
        (PopularityBaseline(), popularity),
        (ClosureBaseline(), closure),
    ):
        related = model.fit(data["X"], seen).predict_proba(pairs)[:, 1]
        score = average_precision_score(data["test_labels"], related)
        assert score == pytest.approx(expected, abs=5e-4)


def test_a_closed_graph_is_its_own_closure():
    graph = nx.transitive_closure(nx.balanced_tree(2, 3, nx.DiGraph).reverse())
    n = len(graph)
    model = ClosureBaseline().fit(np.eye(n), graph)
    expected = nx.to_numpy_array(graph, nodelist=range(n))
    np.testing.assert_array_equal(model.closure_.toarray(), expected)
