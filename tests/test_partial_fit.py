"""partial_fit: further tasks, without forgetting those known."""

import copy
import functools
import pickle

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from conftest import make_taxonomy
from scipy import sparse

from sklearn_task2box import BoxRelationEmbedder, TaskPairs, TaskRelations
from sklearn_task2box.metrics import reconstruction, relation_score
from sklearn_task2box.relations import as_relations

pytestmark = pytest.mark.usefixtures("few_steps")

QUICK = {"max_epochs": 15, "hidden_layer_sizes": (16,), "random_state": 0}
LEARNS = {"max_epochs": 150, "hidden_layer_sizes": (64,), "random_state": 0}
N, N_OLD = 80, 60


@functools.cache
def named_tasks(wide=False):
    """Features and relations of 80 tasks; wide: with more features than tasks."""
    X, graph = make_taxonomy(N)
    if wide:
        X = np.hstack([X, 0.3 * np.random.RandomState(0).normal(size=(N, 200))])
    names = [f"task {i}" for i in range(N)]
    graph = nx.relabel_nodes(graph, dict(enumerate(names)))
    return pd.DataFrame(X, index=names), graph


@pytest.fixture(scope="module")
def named():
    return named_tasks()


@functools.cache
def fitted(n_tasks=N_OLD, wide=False, named=True, learns=False):
    frame, graph = named_tasks(wide)
    frame = frame.iloc[:n_tasks]
    table = nx.to_pandas_adjacency(graph.subgraph(frame.index), nodelist=frame.index)
    X, y = (frame, table) if named else (frame.to_numpy(), table.to_numpy())
    return BoxRelationEmbedder(**(LEARNS if learns else QUICK)).fit(X, y)


def known(*args, **kwargs):
    """A model that knows the first tasks: fitted once, as good as new for each test."""
    return copy.deepcopy(fitted(*args, **kwargs))


def precision_among(model, frame, graph, names):
    """Average precision of the relations among some tasks, from their features."""
    table = nx.to_numpy_array(graph, nodelist=frame.index)
    at = frame.index.get_indexer(names)
    pairs = [(i, j) for i in at for j in at if i != j]
    predicted = model.predict_proba(TaskPairs(frame, pairs))[:, 1]
    return relation_score([table[pair] for pair in pairs], predicted)


def further_relations(given, graph, frame):
    """Those of the new tasks, in a format."""
    fresh = [e for e in graph.edges if not set(frame.index[N_OLD:]).isdisjoint(e)]
    whole = nx.to_pandas_adjacency(graph, nodelist=list(frame.index))
    return {
        "graph": nx.DiGraph(fresh),
        "edges": fresh,
        "frame": whole,
        "relations": TaskRelations(graph, tasks=list(frame.index))[N_OLD:],
        "cut frame": whole.loc[frame.index[N_OLD:]],
    }[given]


WIDE = pytest.param(True, "edges", marks=pytest.mark.slow)


@pytest.mark.parametrize(("wide", "given"), [(False, "edges"), (False, "cut frame"), WIDE])
def test_new_tasks_are_learned_and_old_ones_kept(given, wide):
    frame, graph = named_tasks(wide)
    old, new = frame.index[:N_OLD], frame.index[N_OLD:]
    model = known(wide=wide, learns=True)
    before = precision_among(model, frame, graph, old)
    assert before > 0.95
    more = further_relations(given, graph, frame)
    assert model.partial_fit(frame.loc[new], more) is model
    assert model.tasks_.tolist() == frame.index.tolist()
    assert model.boxes_.shape == (N, 10)
    assert model.n_iter_ == 300
    np.testing.assert_allclose(model.boxes_, model.transform(frame), atol=1e-5)
    assert precision_among(model, frame, graph, old) >= 0.98 * before
    if given != "cut frame":  # which does not state what lies in the new tasks
        assert precision_among(model, frame, graph, frame.index) > 0.95
        assert reconstruction(model)[0] > 0.95
        again = pickle.loads(pickle.dumps(model)).partial_fit(frame.loc[new], more)
        assert again.boxes_.shape == (N, 10)


@pytest.mark.parametrize("given", ["graph", "frame", "relations"])
def test_relations_of_new_tasks_in_any_format(given, named):
    frame, graph = named
    boxes = []
    for name in ("edges", given):
        model = known()
        model.partial_fit(frame.iloc[N_OLD:], further_relations(name, graph, frame))
        assert model.tasks_.tolist() == frame.index.tolist()
        boxes.append(model.boxes_)
    np.testing.assert_array_equal(*boxes)


def test_without_names_positions_count_on():
    X, graph = make_taxonomy(N)
    table = nx.to_numpy_array(graph, nodelist=range(N))
    edges = [(i, j) for i, j in graph.edges if max(i, j) >= N_OLD]
    formats = [edges, table, sparse.csr_matrix(table), TaskRelations(table)]
    boxes = []
    for more in formats:
        model = known(named=False)
        boxes.append(model.partial_fit(X[N_OLD:], more).boxes_)
        assert model.tasks_.tolist() == list(range(N))
    for other in boxes[1:]:
        np.testing.assert_array_equal(other, boxes[0])


def test_relations_of_the_new_tasks_alone_leave_the_others_open():
    X, graph = make_taxonomy(N)
    table = nx.to_numpy_array(graph, nodelist=range(N))
    model = known(named=False).partial_fit(X[N_OLD:], table[N_OLD:, N_OLD:])
    strengths = model.relations_.toarray()
    np.testing.assert_array_equal(strengths[:N_OLD, :N_OLD], table[:N_OLD, :N_OLD])
    np.testing.assert_array_equal(strengths[N_OLD:, N_OLD:], table[N_OLD:, N_OLD:])
    assert np.isnan(strengths[:N_OLD, N_OLD:]).all()
    assert np.isnan(strengths[N_OLD:, :N_OLD]).all()


def test_the_first_call_is_fit(named):
    frame, graph = named
    first = BoxRelationEmbedder(**QUICK).partial_fit(frame, graph)
    np.testing.assert_array_equal(first.boxes_, fitted(N).boxes_)


def test_a_known_task_gets_new_features_and_further_relations(named):
    frame, graph = named
    model = known(N)
    row = frame.iloc[[5, 70]] + 1
    model.partial_fit(row, nx.DiGraph([("task 5", "task 70")]))
    assert len(model.tasks_) == N
    np.testing.assert_allclose(model.boxes_[[5, 70]], model.transform(row), atol=1e-5)
    kept = model.relations_.toarray()
    truth = nx.to_numpy_array(graph, nodelist=frame.index)
    truth[5, 70] = 1
    np.testing.assert_array_equal(kept, truth)


def test_the_closure_goes_through_old_and_new(named):
    frame, _ = named
    chain = nx.DiGraph([("task 0", "task 1"), ("task 1", "task 2")])
    relations = TaskRelations(chain, tasks=frame.index[:3], transitive=True)
    for y in (chain, relations):
        model = BoxRelationEmbedder(**QUICK).fit(frame.iloc[:3], y)
        model.partial_fit(frame.iloc[3:5], nx.DiGraph([("task 2", "task 3")]))
        assert model.relations_.toarray()[0, 3] == 1
    with pytest.raises(ValueError, match="without a cycle"):
        model.partial_fit(frame.iloc[5:6], nx.DiGraph([("task 3", "task 0")]))


def test_labels_and_maps_go_on_as_they_began():
    X, _ = make_taxonomy(N)
    labels = np.arange(N) % 4
    model = BoxRelationEmbedder(**QUICK).fit(X[:N_OLD], labels[:N_OLD])
    model.partial_fit(X[N_OLD:], labels[N_OLD:])
    assert model.relations_.toarray()[0, 76] == 1  # an old one and a new one
    mapped = BoxRelationEmbedder(**QUICK).fit(X[:N_OLD])
    assert mapped.partial_fit(X[N_OLD:]).boxes_.shape == (N, 10)
    whole = BoxRelationEmbedder(**QUICK).fit(X).relations_.toarray()
    np.testing.assert_allclose(mapped.relations_.toarray(), whole, rtol=1e-3, atol=1e-3)
    with pytest.raises(ValueError, match="partial_fit got no relations"):
        model.partial_fit(X[:3])
    with pytest.raises(ValueError, match="partial_fit got labels"):
        mapped.partial_fit(X[:3], [0, 1, 1])


def test_labels_of_another_type_are_other_classes():
    X, _ = make_taxonomy(N)
    dates = np.array(["2020-01-01", "2021-01-01"], dtype="datetime64[D]")[np.arange(60) % 2]
    model = BoxRelationEmbedder(**QUICK).fit(X[:60], dates)
    model.partial_fit(X[60:62], [0, 0])
    strengths = model.relations_.toarray()
    assert strengths[60, 61] == 1
    assert strengths[0, 2] == 1
    assert (strengths[60, :60] == 0).all()


def test_labels_and_maps_of_named_tasks(named):
    frame, _ = named
    labels = np.arange(N) % 4
    for y in (labels, None):
        parts = (None, None) if y is None else (labels[:N_OLD], labels[N_OLD:])
        model = BoxRelationEmbedder(**QUICK).fit(frame.iloc[:N_OLD], parts[0])
        model.partial_fit(frame.iloc[N_OLD:], parts[1])
        assert model.tasks_.tolist() == frame.index.tolist()
        with pytest.raises(ValueError, match="repeats 'task 0'"):
            model.partial_fit(frame.iloc[:1], None if y is None else [1])


def test_relations_that_were_added_are_not_forgotten_for_labels_or_features(named):
    frame, _ = named
    labels = np.arange(N) % 4
    for first, more in ((labels[:5], labels[6:8]), (None, None)):
        model = BoxRelationEmbedder(**QUICK).fit(frame.iloc[:5], first)
        model.partial_fit(frame.iloc[[5]], [(frame.index[5], frame.index[0])])
        with pytest.raises(ValueError, match="known tasks were given otherwise"):
            model.partial_fit(frame.iloc[6:8], more)
        assert len(model.tasks_) == 6
        model.partial_fit(frame.iloc[[6]], [(frame.index[6], frame.index[5])])
        assert model.relations_.toarray()[5, 0] == 1


def test_a_series_of_labels_grows_by_its_index(named):
    frame, _ = named
    labels = pd.Series(np.arange(N) % 4, index=frame.index)
    boxes = []
    for step in (1, -1):
        old, new = labels.iloc[:N_OLD][::step], labels.iloc[N_OLD:][::step]
        model = BoxRelationEmbedder(**QUICK).fit(frame.iloc[:N_OLD], old)
        boxes.append(model.partial_fit(frame.iloc[N_OLD:], new).boxes_)
    np.testing.assert_array_equal(*boxes)


def test_relations_may_bring_the_names_along(named):
    frame, graph = named
    whole = nx.to_pandas_adjacency(graph, nodelist=list(frame.index))
    relations = TaskRelations(whole)
    X = frame.to_numpy()
    old = BoxRelationEmbedder(**QUICK).fit(X[:N_OLD], relations[:N_OLD])
    boxes = []
    for more in (whole.iloc[N_OLD:], relations[N_OLD:]):
        model = copy.deepcopy(old)
        boxes.append(model.partial_fit(X[N_OLD:], more).boxes_)
        assert model.tasks_.tolist() == frame.index.tolist()
    with pytest.raises(ValueError, match="relations are of 20 tasks, but X has 3"):
        model.partial_fit(X[:3], relations[N_OLD:])


def test_a_table_grows_by_columns():
    graph = nx.DiGraph((i, (i - 1) // 3) for i in range(1, N))
    old = [(i, j) for i, j in graph.edges if i < N_OLD]
    new = [(i, j) for i, j in graph.edges if i >= N_OLD]
    model = BoxRelationEmbedder(
        2, encoder="table", init="layout", max_epochs=20, random_state=0
    ).fit(sparse.identity(N_OLD, format="csr"), old)
    assert reconstruction(model)[0] == 1
    model.set_params(max_epochs=200)
    model.partial_fit(sparse.identity(N, format="csr")[N_OLD:], new)
    assert model.n_features_in_ == N
    assert model.boxes_.shape == (N, 4)
    strengths = model.predict_proba(sparse.identity(N, format="csr"))
    assert all(strengths[pair] > 0.5 for pair in new)
    assert reconstruction(model)[0] > 0.8
    with pytest.raises(ValueError, match="one-hot"):
        model.partial_fit(sparse.csr_matrix((2, N + 1)), [(1, 0)])
    assert model.n_features_in_ == N


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (lambda f: f.iloc[:2].to_numpy(), [("task 0", "task 1")], "new ones have none"),
        (lambda f: f.iloc[:2], [("task 0", "nobody")], "nobody"),
        (lambda f: f.iloc[:2, :7], [("task 0", "task 1")], "7 features"),
        (lambda f: f.iloc[:2], np.zeros((4, 4)), "4"),
        (
            lambda f: f.iloc[:2],
            pd.DataFrame(np.ones((2, 2)), ["task 0", "x"], ["task 0", "x"]),
            "do not know the task 'task 1'",
        ),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_lost(named, X, y, message):
    frame, _ = named
    model = known(N)
    before = vars(model).copy()
    with pytest.raises(ValueError, match=message):
        model.partial_fit(X(frame), y)
    assert vars(model) == before


def test_a_warm_start_on_more_tasks_keeps_the_old_ones():
    frame, graph = named_tasks(wide=True)
    old = frame.index[:N_OLD]
    model = known(wide=True, learns=True).set_params(warm_start=True)
    before = precision_among(model, frame, graph, old)
    model.fit(frame, graph)
    assert precision_among(model, frame, graph, old) >= 0.98 * before
    assert precision_among(model, frame, graph, frame.index) > 0.95


@pytest.mark.parametrize("duplicates", [False, True])
def test_sparse_rows_are_read_as_the_dense_ones_that_were_fitted(duplicates):
    X, graph = make_taxonomy(40)
    X += 3  # far from 0: centered while training
    if duplicates:
        X[[3, 7]] = X[1]
    found = []
    for kind in (np.asarray, sparse.csr_matrix):
        model = BoxRelationEmbedder(**QUICK).fit(X[:30], graph.subgraph(range(30)))
        model.partial_fit(kind(X[30:]), graph)
        model.set_params(warm_start=True, max_epochs=2).fit(kind(X), graph)
        found.append([model.boxes_, model.transform(kind(X + 0.1)), model.score(X, graph)])
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("duplicates", [False, True])
def test_dense_rows_are_read_as_the_sparse_ones_that_were_fitted(duplicates):
    X, graph = make_taxonomy(40)
    if duplicates:
        X[[3, 7]] = X[1]
    settings = {**QUICK, "warm_start": True}
    found = []
    for kind in (sparse.csr_matrix, np.asarray):
        some = graph.subgraph(range(30))
        model = BoxRelationEmbedder(**settings).fit(sparse.csr_matrix(X[:30]), some)
        model.fit(kind(X[:30]), some).partial_fit(kind(X[30:]), graph)
        found.append([model.boxes_, model.transform(kind(X + 0.1)), model.score(X, graph)])
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_table_grows_by_any_kind_of_rows():
    graph = make_taxonomy(12)[1]
    one_hot = pd.DataFrame(np.eye(12), columns=[f"c{i}" for i in range(12)])
    found = []
    for kind in (lambda frame: frame.to_numpy().tolist(), lambda frame: frame):
        settings = {**QUICK, "max_epochs": 20, "encoder": "table", "warm_start": True}
        model = BoxRelationEmbedder(**settings)
        model.fit(kind(one_hot.iloc[:10, :10]), graph.subgraph(range(10)))
        new = one_hot.iloc[10:].reset_index(drop=True)
        model.partial_fit(kind(new), graph)
        found.append(model.transform(kind(one_hot)))
    np.testing.assert_array_equal(*found)
    assert model.feature_names_in_.tolist() == list(one_hot.columns)
    with pytest.raises(ValueError, match="feature names"):
        model.partial_fit(pd.DataFrame(np.eye(13)[12:]).add_prefix("d"), [(12, 0)])
    with pytest.raises(ValueError, match="from 12 features .* X has 9 features"):
        model.fit(np.eye(9), graph.subgraph(range(9)))


@pytest.mark.parametrize("others", ["all", "some"])
def test_what_is_not_known_of_known_tasks_takes_nothing_back(others):
    names = list("abcf") if others == "all" else list("abf")
    old = pd.DataFrame(0.0, index=list("abc"), columns=list("abc"))
    old.loc["a", "b"] = 1
    more = pd.DataFrame(0.0, index=names, columns=names)
    more.loc["a", ["b", "f"]] = np.nan, 1
    relations = TaskRelations(old)
    whole, _ = relations.extended(more, 2, np.array(["a", "f"], dtype=object))
    assert list(whole.tasks) == list("abcf")
    assert whole.toarray()[0, 1] == 1
    assert whole.toarray()[0, 3] == 1


def test_unknown_rows_stay_unknown_when_tasks_are_added():
    frame = pd.DataFrame([[0, 1, 0], [0, 0, 0]], index=list("ab"), columns=list("abc"))
    names = np.array(list("abc"), dtype=object)
    relations = as_relations(frame, 3, names)
    whole, _ = relations.extended([("d", "a")], 1, np.array(["d"], dtype=object))
    table = whole.toarray()
    assert np.isnan(table[2, :2]).all()
    assert table[3, 0] == 1
    assert table[0, 1] == 1


def test_graded_relations_are_closed_once():
    names = list("abxz")
    X = pd.DataFrame(np.random.RandomState(0).normal(size=(4, 3)), index=names)
    settings = {**QUICK, "max_epochs": 3}
    given = [("a", "b", 0.5), ("b", "z", 1.0)]
    grown = BoxRelationEmbedder(**settings)
    first = TaskRelations(given, tasks=["a", "b", "z"], transitive=True)
    grown.fit(X.loc[["a", "b", "z"]], first)
    grown.partial_fit(X.loc[["x"]], [("a", "x", 1.0), ("x", "z", 1.0)])
    every = [*given, ("a", "x", 1.0), ("x", "z", 1.0)]
    closed = TaskRelations(every, tasks=names, transitive=True).toarray()
    at = [names.index(name) for name in grown.tasks_]
    np.testing.assert_array_equal(grown.relations_.toarray(), closed[np.ix_(at, at)])


def test_edges_and_relations_of_positions_are_read_alike():
    X = np.random.RandomState(0).normal(size=(9, 3))
    found = []
    for edges in ([(0, 1), (2, 1)], TaskRelations([(0, 1), (2, 1)])):
        model = BoxRelationEmbedder(2, max_epochs=2, hidden_layer_sizes=(8,), teacher=None)
        model.fit(X[:6], [(1, 0), (2, 0), (3, 1)]).partial_fit(X[6:], edges)
        found.append(model.relations_.toarray())
    np.testing.assert_array_equal(*found)
    assert found[0][0, 1] == found[0][2, 1] == 1
