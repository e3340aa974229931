"""NeighborsModel: the vote, its settings and its errors."""

import numpy as np
import pytest
from conftest import make_taxonomy

from sklearn_task2box.models import NeighborsModel
from sklearn_task2box.models import _neighbors as module
from sklearn_task2box.utils._rows import IdentifiedRows

X, GRAPH = make_taxonomy()
N = len(X)


def test_weights_by_hand():
    model = NeighborsModel(3, power=2, shrinkage=0.5).fit(X, GRAPH)
    centered = X - X.mean(axis=0)
    units = centered / np.linalg.norm(centered, axis=1, keepdims=True)
    cosines = units @ units.T
    rows = IdentifiedRows(np.array([4, -1]), units[[4, 4]])
    found = model._weights(rows).toarray()
    for row, own in ((found[0], -np.inf), (found[1], 1.0)):
        similar = cosines[4].copy()
        similar[4] = own
        near = np.argsort(-similar)[:3]
        expected = np.zeros(N)
        expected[near] = np.maximum(similar[near], 1e-6) ** 2
        expected /= 1.5 * expected.sum()
        np.testing.assert_allclose(row, expected)


@pytest.mark.parametrize("block", [1, 100, 1 << 24])
def test_neighbors_are_found_in_blocks(block, monkeypatch):
    monkeypatch.setattr(module, "_BLOCK", block)
    model = NeighborsModel(5, power=1, shrinkage=0).fit(X, GRAPH)
    positions, similarities = model._nearest(model._rows, np.arange(N), 5)
    cosines = model._rows @ model._rows.T
    np.fill_diagonal(cosines, -np.inf)
    np.testing.assert_allclose(similarities, -np.sort(-cosines, axis=1)[:, :5])
    np.testing.assert_allclose(np.take_along_axis(cosines, positions, 1), similarities)


def test_auto_chooses_among_what_fits():
    model = NeighborsModel(power=4).fit(X[:12], GRAPH.subgraph(range(12)))
    assert model.n_neighbors_ in (5, 10, 11)
    assert model.power_ == 4
    assert model.shrinkage_ in (0.02, 0.1, 0.3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_neighbors": 40}, "needs as many tasks beside a known one; X has 40 tasks"),
        ({"n_neighbors": 0}, "n_neighbors"),
        ({"power": -1}, "power"),
        ({"shrinkage": "none"}, "shrinkage"),
    ],
)
def test_wrong_arguments_are_named_in_fit(options, message):
    with pytest.raises(ValueError, match=message):
        NeighborsModel(**options).fit(X, GRAPH)
