"""Tasks of equal features: how they are found and marked, and get boxes of their own."""

import pickle

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from conftest import make_taxonomy
from scipy import sparse
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_task2box import (
    PAPER_SETTINGS,
    BoxRelationEmbedder,
    TaskLinkClassifier,
    TaskPairs,
    TaskRelations,
)
from sklearn_task2box.models import (
    GeometryModel,
    PairClassifier,
    SimilarityModel,
)
from sklearn_task2box.representations._duplicates import Twins

QUICK = {"max_epochs": 300, "hidden_layer_sizes": (32,), "n_teachers": 0, "random_state": 0}
N = 30
# Three tasks with the features of a fourth: relations alone tell them apart.
SAME = [4, 11, 20, 27]


@pytest.fixture(scope="module")
def alike():
    """Features of 30 tasks, four of them equal, the relations, and both with names."""
    X, graph = make_taxonomy(N)
    X[SAME] = X[SAME[0]]
    names = [f"task {i}" for i in range(N)]
    frame = pd.DataFrame(X, index=names)
    return X, graph, frame, nx.relabel_nodes(graph, dict(enumerate(names)))


def all_pairs():
    return np.argwhere(~np.eye(N, dtype=bool))


def boxes_equal(boxes, others):
    return np.abs(boxes - others).max(axis=1) < 1e-6


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix])
def test_twins_are_found_and_marked(kind):
    X = kind(np.array([[1.0, 0], [0, 2], [1, -0.0], [3, 3], [0, 2], [0, 0]]))
    twins = Twins.among(X)
    assert len(twins) == 4
    assert twins.positions.tolist() == [0, 1, 2, 4]
    marked = twins.mark(X, np.arange(6))
    assert sparse.issparse(marked) == sparse.issparse(X)
    marked = marked.toarray() if sparse.issparse(marked) else marked
    marks = marked[:, 2:]
    assert marked.shape == (6, 6)
    assert (marks[[0, 1, 2, 4]] == twins.length * np.eye(4)).all()
    assert (marks[[3, 5]] == 0).all()
    assert abs(twins.mark(X)[:, 2:]).max() == 0
    with pytest.warns(UserWarning, match=r"4 tasks of 6 share .* \(at most 3\)"):
        none = Twins.among(X, most=3)
    assert len(none) == 0
    assert none.mark(X, np.arange(6)) is X


def test_a_mark_is_for_the_features_it_was_made_of():
    X = np.array([[1.0, 0], [1, 0], [3, 3]])
    twins = Twins.among(X)

    def has_mark(rows, at):
        rows = np.array(rows, dtype=float)
        return twins.mark(rows, np.array(at))[:, rows.shape[1] :].any(axis=1).tolist()

    assert has_mark([[1, 0], [1, 1e-9], [1, 0.1]], [1, 0, 0]) == [True, True, False]
    assert has_mark([[1, 0], [1, 0], [1, 0]], [-1, 2, 7]) == [False] * 3
    assert has_mark([[1, 0, 0]], [0]) == [False]  # other features than those of fit


@pytest.mark.parametrize("scale", [1e-200, 1.0, 1e200])
def test_marks_are_short_beside_the_features_whatever_their_unit(scale):
    X = scale * np.array([[1.0, 0], [1, 0], [0, 1]])
    twins = Twins.among(X)
    distance = np.sqrt(((X / scale - X.mean(axis=0) / scale) ** 2).sum(axis=1).mean())
    assert twins.length / scale == pytest.approx(0.1 * distance)
    assert Twins.among(np.zeros((3, 2))).length > 0


def test_relations_of_twins_are_learned(alike):
    X, graph, frame, named = alike
    own = BoxRelationEmbedder(**QUICK).fit(frame, named)
    shared = BoxRelationEmbedder(separate_twins=False, **QUICK).fit(frame, named)
    assert own.twins_.tolist() == SAME
    assert shared.twins_.tolist() == []
    assert boxes_equal(shared.boxes_[SAME], shared.boxes_[SAME[:1]]).all()
    assert not boxes_equal(own.boxes_[SAME[1:]], own.boxes_[SAME[:1]]).any()
    assert own.score(frame, named) > 0.99
    assert shared.score(frame, named) < 0.9
    assert own.n_features_in_ == X.shape[1]
    assert PAPER_SETTINGS["separate_twins"] is False


def test_without_twins_nothing_changes(alike):
    X, graph, *_ = alike
    part = np.setdiff1d(np.arange(N), SAME[1:])
    relations = TaskRelations(graph, tasks=np.arange(N)).loc[part]
    models = [
        BoxRelationEmbedder(separate_twins=on, **QUICK).fit(X[part], relations)
        for on in (True, False)
    ]
    np.testing.assert_array_equal(models[0].boxes_, models[1].boxes_)


def test_known_twins_are_found_again(alike):
    X, graph, frame, named = alike
    model = BoxRelationEmbedder(**QUICK).fit(frame, named)
    np.testing.assert_allclose(model.transform(frame), model.boxes_, atol=1e-9)
    order = np.random.RandomState(0).permutation(N)
    np.testing.assert_allclose(
        model.transform(frame.iloc[order]), model.boxes_[order], atol=1e-9
    )
    np.testing.assert_allclose(
        model.transform(frame.iloc[SAME]), model.boxes_[SAME], atol=1e-9
    )
    pairs = all_pairs()
    truth = nx.to_numpy_array(graph, nodelist=range(N))[tuple(pairs.T)]
    predicted = model.predict_proba(TaskPairs(frame, pairs))[:, 1]
    expected = model.predict_proba(frame)[tuple(pairs.T)]
    np.testing.assert_allclose(predicted, expected, atol=1e-9)
    assert ((predicted >= model.threshold_) == truth).mean() > 0.99
    # Names lost on the way: all rows in their order, or pairs of positions.
    np.testing.assert_allclose(model.transform(X), model.boxes_, atol=1e-9)
    predicted = model.predict_proba(TaskPairs(X, pairs))[:, 1]
    np.testing.assert_allclose(predicted, expected, atol=1e-9)


def test_unnamed_twins_are_known_by_position(alike):
    X, graph, *_ = alike
    model = BoxRelationEmbedder(**QUICK).fit(X, graph)
    assert model.twins_.tolist() == SAME
    np.testing.assert_allclose(model.transform(X), model.boxes_, atol=1e-9)
    assert model.score(X, graph) > 0.99
    few = TaskPairs(X, [(SAME[1], 0), (0, SAME[1])])
    expected = model.predict_proba(X)[[SAME[1], 0], [0, SAME[1]]]
    np.testing.assert_allclose(model.predict_proba(few)[:, 1], expected, atol=1e-9)
    restored = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(restored.transform(X), model.transform(X))


def test_a_new_task_with_the_features_of_twins_is_none_of_them(alike):
    X, graph, frame, named = alike
    model = BoxRelationEmbedder(**QUICK).fit(frame, named)
    new = frame.loc[["task 4"]].rename(index={"task 4": "new"})
    box = model.transform(new)
    assert not boxes_equal(model.boxes_, box).any()
    np.testing.assert_allclose(model.transform(X[:1]), model.boxes_[:1], atol=1e-9)
    # Fewer rows, no names: nobody knows which of them they are.
    np.testing.assert_allclose(model.transform(X[SAME]), box.repeat(4, axis=0), atol=1e-9)
    changed = frame.loc[["task 4"]] + 1.0
    np.testing.assert_allclose(
        model.transform(changed), model.transform(changed.to_numpy()), atol=1e-9
    )


@pytest.mark.parametrize("n_teachers", [0, 1])
def test_links_in_a_pipeline_know_twins(alike, n_teachers):
    _, graph, frame, named = alike
    truth = nx.to_numpy_array(graph, nodelist=range(N))
    settings = {**QUICK, "n_teachers": n_teachers}
    steps = make_pipeline(StandardScaler(), BoxRelationEmbedder(**settings))
    pairs = TaskPairs(frame, all_pairs())
    y = truth[tuple(pairs.pairs.T)]
    links = TaskLinkClassifier(steps).fit(pairs, y)
    assert (links.predict(pairs) == y).mean() > 0.99
    assert links.embedder_[-1].twins_.tolist() == SAME
    whole = nx.to_pandas_adjacency(named, nodelist=list(frame.index))
    steps.fit(frame, whole)
    np.testing.assert_allclose(steps.transform(frame), steps[-1].boxes_, atol=1e-6)
    assert steps.score(frame, whole) > 0.99


def test_sparse_features_have_twins(alike):
    X, graph, *_ = alike
    rows = sparse.csr_matrix(X)
    model = BoxRelationEmbedder(**QUICK).fit(rows, graph)
    assert model.twins_.tolist() == SAME
    np.testing.assert_allclose(model.transform(rows), model.boxes_, atol=1e-9)
    assert model.score(rows, graph) > 0.99


def test_tables_and_maps_of_features_have_no_twins(alike):
    X, graph, *_ = alike
    assert len(BoxRelationEmbedder(**QUICK).fit(X).twins_) == 0
    table = BoxRelationEmbedder(**{**QUICK, "encoder": "table"})
    assert len(table.fit(sparse.identity(N, format="csr"), graph).twins_) == 0


@pytest.mark.parametrize("going_on", ["partial_fit", "warm_start"])
def test_twins_stay_when_a_fit_goes_on(alike, going_on):
    X, graph, frame, named = alike
    old = frame.index[:25]
    model = BoxRelationEmbedder(warm_start=True, **QUICK)
    model.fit(frame.loc[old], named.subgraph(old))
    twins = model.twins_.tolist()
    assert twins == SAME[:3]
    if going_on == "partial_fit":
        model.partial_fit(frame.iloc[25:], named)  # task 27 has the features of three
        assert len(model.tasks_) == N
        seen = frame
    else:
        model.fit(frame.loc[old], named.subgraph(old))
        seen = frame.loc[old]
    assert model.twins_.tolist() == twins
    np.testing.assert_allclose(model.transform(seen), model.boxes_, atol=1e-5)
    assert model.score(seen, named.subgraph(seen.index)) > 0.99
    with pytest.raises(ValueError, match="a network from 12 features .* X has 11 features"):
        model.fit(frame.iloc[:, 1:], named)


@pytest.mark.parametrize(
    "baseline",
    [
        PairClassifier(hidden_layer_sizes=(256, 128), random_state=0),
        PairClassifier("boosted_trees", random_state=0),
        GeometryModel(hidden_layer_sizes=(32,), max_epochs=300, random_state=0),
    ],
    ids=["mlp", "boosted_trees", "order"],
)
def test_baselines_that_learn_of_features_tell_twins_apart(alike, baseline):
    X, graph, frame, named = alike
    baseline.fit(frame, named)
    assert baseline.score(frame, named) > 0.95
    table = baseline.predict_proba(frame)
    pairs = all_pairs()
    predicted = baseline.predict_proba(TaskPairs(frame, pairs))[:, 1]
    np.testing.assert_allclose(predicted, table[tuple(pairs.T)], atol=1e-6)
    others = np.setdiff1d(np.arange(N), SAME)
    assert np.ptp(table[np.ix_(SAME, others)], axis=0).max() > 0.5


def test_similarities_do_not(alike):
    *_, frame, named = alike
    table = SimilarityModel("euclidean").fit(frame, named).predict_proba(frame)
    np.testing.assert_allclose(np.ptp(table[SAME], axis=0), 0, atol=1e-12)


@pytest.mark.parametrize("predict_from", ["boxes", "teachers"])
def test_teachers_take_twins_as_one_where_they_are_not_to_be_told_apart(
    alike, predict_from
):
    X, graph, *_ = alike
    settings = {**QUICK, "n_teachers": 2, "max_epochs": 30, "predict_from": predict_from}
    model = BoxRelationEmbedder(separate_twins=False, **settings).fit(X, graph)
    assert model.transform(X + 0.1).shape == (N, 10)
    said = model.predict_proba(X)
    np.testing.assert_allclose(said[SAME[1]], said[SAME[0]], atol=1e-6)


@pytest.mark.parametrize("n_teachers", [0, 2])
def test_other_features_than_before_are_told(alike, n_teachers):
    X, graph, *_ = alike
    settings = {**QUICK, "n_teachers": n_teachers, "max_epochs": 3, "warm_start": True}
    model = BoxRelationEmbedder(**settings).fit(X, graph)
    boxes = model.boxes_
    with pytest.raises(ValueError, match=r"from 12 features to 5 dimensions.* has 11"):
        model.fit(X[:, :11], graph)
    assert model.boxes_ is boxes


def test_the_warning_points_at_the_fit(alike, monkeypatch):
    X, graph, *_ = alike
    monkeypatch.setattr(Twins.among.__func__, "__defaults__", (3,))
    with pytest.warns(UserWarning, match="too many to tell them apart") as caught:
        BoxRelationEmbedder(**{**QUICK, "max_epochs": 1}).fit(X, graph)
    assert caught[0].filename == __file__


def test_a_warm_start_on_other_tasks_names_those_that_are_there(alike):
    X, graph, *_ = alike
    model = BoxRelationEmbedder(warm_start=True, **QUICK).fit(X, graph)
    few = graph.subgraph(range(15))
    assert model.fit(X[:15], few).twins_.tolist() == SAME[:2]
    assert len(model.fit(X[:15] + 1.0, few).twins_) == 0
