"""Indicator features that tell tasks of equal features apart."""

import pickle
import tracemalloc

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from conftest import make_taxonomy
from scipy import sparse
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_task2box import BoxRelationEmbedder, TaskLinkClassifier, TaskPairs
from sklearn_task2box.models import GeometryModel, PairClassifier
from sklearn_task2box.representations import DuplicateIndicator

QUICK = {"max_epochs": 300, "hidden_layer_sizes": (32,), "random_state": 0}
N = 30
# Three tasks with the features of a fourth: only their relations tell them apart.
SAME = [4, 11, 20, 27]
SMALL = np.array([[1.0, 0], [0, 2], [1, -0.0], [3, 3], [0, 2], [1, 0]])


@pytest.fixture(scope="module")
def alike():
    """Features of 30 tasks, four of them equal, the relations, and both with names."""
    X, graph = make_taxonomy(N)
    X[SAME] = X[SAME[0]]
    names = [f"task {i}" for i in range(N)]
    frame = pd.DataFrame(X, index=names, columns=[f"f{j}" for j in range(X.shape[1])])
    return X, graph, frame, nx.relabel_nodes(graph, dict(enumerate(names)))


@pytest.fixture(scope="module")
def fitted(alike):
    """A pipeline that tells the copies apart, fitted to named tasks."""
    *_, frame, named = alike
    model = make_pipeline(DuplicateIndicator(), BoxRelationEmbedder(**QUICK))
    return model.set_output(transform="pandas").fit(frame, named)


def toarray(X):
    return X.toarray() if sparse.issparse(X) else np.asarray(X)


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix])
def test_copies_are_numbered_in_binary(kind):
    X = kind(SMALL)
    model = DuplicateIndicator().fit(X)
    assert model.copies_.tolist() == [0, 0, 1, 0, 1, 2]
    assert model.n_indicators_ == 2
    found = model.transform(X)
    assert sparse.issparse(found) == sparse.issparse(X)
    found = toarray(found)
    np.testing.assert_array_equal(found[:, :2], SMALL)
    bits = found[:, 2:] > 0
    assert (bits @ [1, 2]).tolist() == [0, 0, 1, 0, 1, 2]
    assert list(model.get_feature_names_out()) == ["x0", "x1", "duplicate0", "duplicate1"]


def test_features_without_copies_stay_as_they_are(alike):
    X = alike[0][:10]
    model = DuplicateIndicator().fit(X)
    assert model.n_indicators_ == 0
    np.testing.assert_array_equal(model.transform(X), X)


def test_other_rows_are_first_copies():
    model = DuplicateIndicator().fit(pd.DataFrame(SMALL, index=list("abcdef")))

    def is_copy(rows, names):
        found = model.transform(pd.DataFrame(rows, index=names))
        return np.asarray(found)[:, 2:].any(axis=1).tolist()

    assert is_copy(SMALL[[2, 4]], ["c", "e"]) == [True, True]
    assert is_copy(SMALL[[2, 4]] + 1e-9, ["c", "e"]) == [True, True]  # rounding
    assert is_copy(SMALL[[2, 4]], ["e", "c"]) == [False, False]  # other features
    assert is_copy(SMALL[[2, 4]], ["new", "a"]) == [False, False]  # other names
    # Without names, positions count where X has as many rows as in fit.
    assert toarray(model.transform(SMALL))[:, 2:].any(axis=1).tolist() == [
        False, False, True, False, True, True,
    ]  # fmt: skip
    assert not toarray(model.transform(SMALL[:5]))[:, 2:].any()


@pytest.mark.parametrize("unit", [1e-150, 1.0, 1e150])
def test_indicators_are_small_beside_the_features_in_any_unit(unit):
    value = toarray(DuplicateIndicator(0.1).fit_transform(unit * SMALL))[2, 2] / unit
    centered = SMALL - SMALL.mean(axis=0)
    assert value == pytest.approx(0.1 * np.sqrt((centered**2).sum(axis=1).mean()))


def test_fifty_thousand_equal_rows_need_sixteen_columns():
    X = np.ones((50_000, 16))
    tracemalloc.start()
    found = DuplicateIndicator().fit_transform(X)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.shape == (50_000, 32)
    assert len(np.unique(found, axis=0)) == 50_000
    assert peak < 20 * X.nbytes


def test_relations_of_copies_are_learned(alike, fitted):
    *_, frame, named = alike
    shared = BoxRelationEmbedder(**QUICK, free_share=0.0).fit(frame, named)
    assert np.ptp(shared.boxes_[SAME], axis=0).max() < 1e-6
    boxes = fitted[-1].boxes_[SAME]
    assert all(abs(boxes[i] - boxes[j]).max() > 1e-3 for i in range(4) for j in range(i))
    assert fitted.score(frame, named) > 0.99
    assert shared.score(frame, named) < 0.9


def test_known_copies_are_recognized_in_any_order(alike, fitted):
    *_, frame, _ = alike
    boxes = fitted[-1].boxes_
    order = np.random.RandomState(0).permutation(N)
    for rows, expected in [
        (frame.iloc[order], boxes[order]),
        (frame.iloc[SAME], boxes[SAME]),
        (frame.reset_index(drop=True), boxes),  # without names, in the order of fit
    ]:
        found = np.asarray(fitted.transform(rows))
        np.testing.assert_allclose(found, expected, atol=1e-5)
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.transform(frame), fitted.transform(frame))


def test_pairs_of_copies_through_a_pipeline(alike):
    _, graph, frame, _ = alike
    truth = nx.to_numpy_array(graph, nodelist=range(N))
    model = make_pipeline(
        StandardScaler(), DuplicateIndicator(), BoxRelationEmbedder(**QUICK)
    ).set_output(transform="pandas")
    pairs = TaskPairs(frame, np.argwhere(~np.eye(N, dtype=bool)))
    y = truth[tuple(pairs.pairs.T)]
    assert (TaskLinkClassifier(model).fit(pairs, y).predict(pairs) == y).mean() > 0.99


@pytest.mark.parametrize(
    "model",
    [
        pytest.param(
            PairClassifier(hidden_layer_sizes=(256, 128), random_state=0),
            marks=pytest.mark.slow,
        ),
        PairClassifier("boosted_trees", random_state=0),
        GeometryModel(hidden_layer_sizes=(32,), max_epochs=300, random_state=0),
    ],
    ids=["mlp", "boosted_trees", "order"],
)
def test_other_models_can_tell_copies_apart_too(alike, model):
    *_, frame, named = alike
    steps = make_pipeline(DuplicateIndicator(scale=0.5), model)
    steps[:-1].set_output(transform="pandas")
    steps.fit(frame, named)
    table = steps.predict_proba(frame)
    others = np.setdiff1d(np.arange(N), SAME)
    assert np.ptp(table[np.ix_(SAME, others)], axis=0).max() > 0.5


def test_bad_scale():
    with pytest.raises(ValueError, match="scale"):
        DuplicateIndicator(scale=0).fit(SMALL)
