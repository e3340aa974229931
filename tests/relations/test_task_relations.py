"""Slicing of the containers, and what a fit and a score see of a slice."""

import pickle
import tracemalloc

import networkx as nx
import numpy as np
import pandas as pd
import pytest
import sklearn
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    LeaveOneOut,
    PredefinedSplit,
    RepeatedKFold,
    ShuffleSplit,
    StratifiedKFold,
    TimeSeriesSplit,
    train_test_split,
)
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _num_samples

from sklearn_task2box.relations import TaskPairs, TaskRelations, as_relations

N = 12
rng = np.random.RandomState(0)
STRENGTHS = np.triu(rng.uniform(size=(N, N)) < 0.4, 1).astype(float)


@pytest.fixture(params=[False, True], ids=["plain", "array API"])
def dispatch(request):
    """With and without array API dispatch, where scikit-learn can."""
    try:
        with sklearn.config_context(array_api_dispatch=request.param):
            yield
    except ImportError as error:
        pytest.skip(str(error))


def relations(**options):
    names = [f"t{i}" for i in range(N)]
    return TaskRelations(STRENGTHS, tasks=names, **options)


def pairs():
    X = rng.normal(size=(N, 3))
    return TaskPairs(X, np.argwhere(STRENGTHS > 0))


KEYS = {
    "positions": np.array([3, 1, 7]),
    "list": [3, 1, 7],
    "mask": np.arange(N) % 2 == 0,
    "list of bools": (np.arange(N) % 2 == 0).tolist(),
    "slice": slice(2, 9, 3),
    "one": 5,
}


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
@pytest.mark.parametrize("make", [relations, pairs])
@pytest.mark.usefixtures("dispatch")
def test_scikit_learn_cuts_it_like_an_array(make, key):
    whole = make()[:N]
    cut = _safe_indexing(whole, key)
    assert type(cut) is type(whole)
    expected = np.arange(N)[key if not isinstance(key, int) else [key]]
    if make is pairs:
        np.testing.assert_array_equal(cut.pairs, whole.pairs[expected])
        assert cut.X is whole.X
    else:
        assert cut.tasks.tolist() == whole.tasks[expected].tolist()
    assert _num_samples(cut) == len(cut) == cut.shape[0] == len(expected)


@pytest.mark.parametrize("make", [relations, pairs])
@pytest.mark.parametrize(
    "splitter",
    [
        KFold(3, shuffle=True, random_state=0),
        ShuffleSplit(2, random_state=0),
        RepeatedKFold(n_splits=2, n_repeats=2, random_state=0),
        LeaveOneOut(),
        GroupKFold(2),
        PredefinedSplit(np.arange(N) % 2),
        TimeSeriesSplit(2),
    ],
    ids=lambda s: type(s).__name__,
)
@pytest.mark.usefixtures("dispatch")
def test_every_splitter_cuts_it(make, splitter):
    whole = make()[:N]
    groups = np.arange(len(whole)) % 3 if isinstance(splitter, GroupKFold) else None
    for train, test in splitter.split(np.zeros((len(whole), 1)), groups=groups):
        a, b = _safe_indexing(whole, train), _safe_indexing(whole, test)
        assert len(a) == len(train)
        assert len(b) == len(test)


def test_pairs_can_be_stratified():
    y = np.arange(len(pairs())) % 2
    train, test = next(iter(StratifiedKFold(2).split(pairs(), y)))
    assert len(train) + len(test) == len(y)
    a, b, *_ = train_test_split(pairs(), y, stratify=y, random_state=0)
    assert isinstance(a, TaskPairs)
    assert len(a) + len(b) == len(y)


@given(st.lists(st.integers(0, N - 1), min_size=1, unique=True))
def test_slices_of_slices(indices):
    whole = relations()
    cut = whole[indices]
    np.testing.assert_array_equal(cut.toarray(), STRENGTHS[indices])
    np.testing.assert_array_equal(
        cut.iloc[: len(cut)].take([0]).toarray(), STRENGTHS[indices[:1]]
    )
    observed = cut.observed()
    strengths, mask = observed.dense()
    expected = STRENGTHS[np.ix_(indices, indices)].copy()
    np.testing.assert_array_equal(strengths, expected)
    assert mask.sum() == observed.n_observed == len(indices) * (len(indices) - 1)


def test_a_container_is_cut_by_rows_only():
    for whole in (relations(), pairs()):
        with pytest.raises(IndexError, match="by rows only"):
            whole[1, 2]
        with pytest.raises(ValueError, match="by rows only"):
            whole.take([0], axis=1)
        assert len(whole[[1], ...]) == 1


def test_containers_survive_pickle_and_show_themselves():
    for whole in (relations(), pairs()):
        again = pickle.loads(pickle.dumps(whole))
        assert len(again) == len(whole)
        assert type(whole).__name__ in repr(whole)
    np.testing.assert_array_equal(np.asarray(relations()), STRENGTHS)
    with pytest.raises(TypeError, match="TaskLinkClassifier"):
        np.asarray(pairs())


def test_merging_cut_frames_restores_the_whole():
    names = [f"t{i}" for i in range(N)]
    frame = pd.DataFrame(STRENGTHS, index=names, columns=names)
    for direction in ("member_to_container", "container_to_member"):
        first, second = (
            TaskRelations(part, direction=direction)
            for part in (frame.iloc[:5], frame.iloc[5:])
        )
        whole = TaskRelations(frame, direction=direction)
        merged = first.merge(second)
        assert merged.tasks.tolist() == names[:5]
        everything = np.arange(N)
        np.testing.assert_array_equal(
            merged.block(everything, everything), whole.block(everything, everything)
        )
        assert np.isnan(first.block(everything, everything)).any()


def test_rows_are_put_into_the_order_of_the_features():
    whole = relations()
    order = rng.permutation(N)
    aligned = as_relations(whole, N, whole.tasks[order])
    np.testing.assert_array_equal(aligned.toarray(), STRENGTHS[order])
    with pytest.raises(ValueError, match="rows that the relations do not know: 'x'"):
        as_relations(whole, N, np.array(["x", *whole.tasks[1:]], dtype=object))
    with pytest.raises(ValueError, match="rows for tasks that X does not have: 't11'"):
        as_relations(whole, N - 1, whole.tasks[:-1])
    with pytest.raises(ValueError, match="12 tasks, but X has 5 rows"):
        as_relations(whole, 5)


def test_relations_are_read_once():
    with pytest.raises(TypeError, match="TaskRelations already"):
        TaskRelations(relations())
    with pytest.raises(TypeError, match="TaskPairs"):
        as_relations(pairs(), N)
    with pytest.raises(ValueError, match="direction must be one of"):
        TaskRelations(STRENGTHS, direction="up")


def test_a_slice_reads_the_closure_of_all_tasks():
    chain = TaskRelations([(0, 1), (1, 2)], tasks=range(3))
    assert chain[[0, 2]].observed().n_related == 1
    as_given = TaskRelations([(0, 1), (1, 2)], tasks=range(3), transitive=False)
    assert as_given[[0, 2]].observed().n_related == 0


def test_pairs_by_name_and_by_position():
    X = pd.DataFrame(np.eye(3), index=["a", "b", "c"])
    np.testing.assert_array_equal(TaskPairs(X, [("a", "c")]).pairs, [[0, 2]])
    np.testing.assert_array_equal(TaskPairs(X, [(0, 2)]).pairs, [[0, 2]])
    assert TaskPairs(X, []).shape == (0, 2)
    for wrong, message in [
        ([("a", "z")], "not among the 3 rows of X: 'z'. Add their rows to X"),
        ([(0, 3)], "row positions 3"),
        ([(0, 1, 2)], r"\(m, 2\)"),
        (np.zeros(3), r"\(m, 2\)"),
    ]:
        with pytest.raises(ValueError, match=message):
            TaskPairs(X, wrong)
    with pytest.raises(ValueError, match="n_tasks, n_features"):
        TaskPairs(np.zeros(3), [(0, 1)])


def test_pairs_from_a_graph():
    graph = nx.DiGraph([(0, 1), (1, 2)])
    X = np.eye(3)
    labelled, y = TaskPairs.from_graph(graph, X, random_state=0)
    assert len(labelled) == 6
    assert {tuple(p) for p in labelled.pairs[y == 1]} == {(0, 1), (1, 2), (0, 2)}
    assert y.dtype.kind == "i"
    as_given = TaskRelations(graph, transitive=False)
    _, y = TaskPairs.from_graph(as_given, X, random_state=0)
    assert y.sum() == 2
    turned = TaskRelations(graph, direction="container_to_member")
    turned, y = TaskPairs.from_graph(turned, X, negatives=1, random_state=0)
    assert {tuple(p) for p in turned.pairs[y == 1]} == {(1, 0), (2, 1), (2, 0)}
    assert (y == 0).sum() == 3
    again, _ = TaskPairs.from_graph(graph, X, random_state=0)
    np.testing.assert_array_equal(again.pairs, labelled.pairs)
    _, y = TaskPairs.from_graph([(0, 1, 0.5)], X, random_state=0)
    assert y.max() == 0.5
    with pytest.raises(ValueError, match="negatives must be"):
        TaskPairs.from_graph(graph, X, negatives="some")


def test_a_few_negatives_are_drawn_without_a_table_of_all_pairs():
    n = 4000
    graph = nx.DiGraph((i, (i - 1) // 2) for i in range(1, n))
    tracemalloc.start()
    given = TaskRelations(graph, transitive=False)
    pairs, y = TaskPairs.from_graph(given, np.zeros((n, 1)), negatives=2, random_state=0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < n**2  # bytes
    assert (len(y), y.sum()) == (3 * (n - 1), n - 1)
    assert len(np.unique(pairs.pairs, axis=0)) == len(pairs)
    np.testing.assert_array_equal([graph.has_edge(*pair) for pair in pairs.pairs], y)
    assert (pairs.pairs[:, 0] != pairs.pairs[:, 1]).all()


def test_pairs_take_other_features_of_the_same_tasks():
    pairs = TaskPairs(pd.DataFrame(np.eye(3), index=[2, 0, 1]), [(2, 0), (0, 1)])
    other = pairs.with_features(pd.DataFrame(np.ones((3, 2)), index=[2, 0, 1]))
    np.testing.assert_array_equal(other.pairs, [[0, 1], [1, 2]])
    assert other.X.shape == (3, 2)
    assert pairs.X.shape == (3, 3)
    assert other.with_features(sparse.coo_matrix(np.eye(3)))[:1].X.format == "csr"
    with pytest.raises(ValueError, match="X has 2 rows, but the pairs are of 3 tasks"):
        pairs.with_features(np.eye(2))


def test_tasks_without_a_row_in_a_cut_frame_are_unknown_and_not_unrelated():
    frame = pd.DataFrame([[0, 1, 0], [0, 0, 0]], index=list("ab"), columns=list("abc"))
    names = np.array(list("abc"), dtype=object)
    for direction in ("member_to_container", "container_to_member"):
        relations = as_relations(TaskRelations(frame, direction=direction), 3, names)
        heads, tails, strengths = relations.observed().expand()
        seen = np.full((3, 3), np.nan)
        seen[heads, tails] = strengths
        expected = relations.toarray()
        np.fill_diagonal(expected, np.nan)
        np.testing.assert_array_equal(seen, expected)
        assert relations.observed().n_unknown == 2


def test_the_closure_of_rows_that_are_repeated():
    relations = TaskRelations([("a", "b"), ("b", "c")], tasks=list("abc"))
    again = as_relations(relations[[0, 0, 1, 2, 2]], 5)
    assert set(again.observed().strengths) == {1.0}
    assert again.toarray()[:2, 2].tolist() == [1, 1]


@pytest.mark.parametrize(
    "names", [[2, 0, 1], [10, 20, 30], [2.0, 0.0, 1.0], ["1", "2", "0"]]
)
def test_pairs_of_a_graph_have_its_labels_whatever_the_names(names):
    X = pd.DataFrame(np.eye(3), index=names)
    matrix = np.array([[0, 1, 0], [0, 0, 0], [0, 1, 0]])
    frame = pd.DataFrame(matrix, index=names, columns=names)
    pairs, y = TaskPairs.from_graph(frame, X, random_state=0)
    heads, tails = pairs.pairs.T
    np.testing.assert_array_equal(y, matrix[heads, tails])
    assert len(y) == 6


def test_a_whole_frame_is_read_in_the_order_of_its_rows():
    names = list("abcd")
    frame = pd.DataFrame(np.triu(np.ones((4, 4)), 1), index=names, columns=names)
    turned = frame.loc[list("dcab")]
    relations = as_relations(turned, 4)
    assert relations.tasks.tolist() == list("dcab")
    expected = frame.loc[list("dcab"), list("dcab")]
    np.testing.assert_array_equal(as_relations(turned, 4).of_rows().toarray(), expected)
    named = as_relations(turned, 4, np.array(names, dtype=object))
    np.testing.assert_array_equal(named.of_rows().toarray(), frame)


@pytest.mark.parametrize("missing", [None, float("nan")])
def test_missing_labels_of_a_list_are_missing(missing):
    with pytest.raises(ValueError, match="2 missing labels"):
        TaskRelations.from_labels(["a", "b", missing, missing])


def test_labels_of_other_types_are_other_labels():
    assert TaskRelations.from_labels([1, "1", "a", "a"]).toarray().sum() == 2


def test_nothing_is_said_of_two_copies_of_a_task():
    relations = TaskRelations([(0, 1), (1, 2), (3, 2)], tasks=range(4))
    observed = relations[[0, 0, 1, 0]].observed()
    _, mask = observed.dense()
    copies = np.array([1, 1, 0, 1], dtype=bool)
    np.testing.assert_array_equal(mask, ~np.outer(copies, copies) & ~np.eye(4, dtype=bool))
    assert observed.n_observed == mask.sum()


def test_pairs_of_ragged_features_are_refused():
    with pytest.raises(ValueError, match="X must be numbers, as many for each task"):
        TaskPairs([[1.0, 2.0], [3.0]], [(0, 1)])


def test_rows_by_name_have_names_of_any_types():
    relations = TaskRelations([("a", "b"), (1, "b")], tasks=["a", 1, "1", "b"])
    assert relations.loc[["a", 1]].tasks.tolist() == ["a", 1]
    np.testing.assert_array_equal(relations.loc[["1", 1]].toarray()[:, -1], [0, 1])
    assert relations.loc[pd.Series([True, False, False, True])].tasks.tolist() == ["a", "b"]
    tuples = TaskRelations([(("a", 1), ("b", 2)), (("a", 2), ("b", 2))])
    assert tuples.loc[[("a", 2), ("a", 1)]].tasks.tolist() == [("a", 2), ("a", 1)]
    assert tuples.loc["a", 1].tasks.tolist() == [("a", 1)]
