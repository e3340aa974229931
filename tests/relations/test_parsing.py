"""Every input format of relations is read alike, and every wrong one is refused clearly."""

import warnings
from itertools import pairwise

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from sklearn_task2box.relations import TaskRelations, as_relations
from sklearn_task2box.relations._names import positions_of

NAMES = np.array(["animal", "cat", "mammal", "stone"], dtype=object)
EDGES = [("cat", "mammal", 0.5), ("mammal", "animal", 1.0)]
MATRIX = np.zeros((4, 4))
MATRIX[1, 2], MATRIX[2, 0] = 0.5, 1.0


def graph():
    g = nx.DiGraph()
    g.add_nodes_from(NAMES)
    g.add_weighted_edges_from(EDGES)
    return g


FORMATS = {
    "labelled frame": pd.DataFrame(MATRIX, index=NAMES, columns=NAMES),
    "labelled frame, other order": pd.DataFrame(MATRIX, index=NAMES, columns=NAMES)
    .iloc[::-1]
    .iloc[:, [2, 0, 3, 1]],
    "adjacency of networkx": nx.to_pandas_adjacency(graph()),
    "graph": graph(),
    "multigraph": nx.MultiDiGraph(graph()),
    "edges by name": EDGES,
    "edges by position": [(1, 2, 0.5), (2, 0, 1.0)],
    "edge array by position": np.array([(1, 2, 0.5), (2, 0, 1.0)]),
    "edge array of strings": np.array(EDGES),
    "edge frame": pd.DataFrame(EDGES, columns=["child", "parent", "share"]),
    "edge view": graph().edges(data="weight"),
    "matrix": MATRIX,
    "list of lists": MATRIX.tolist(),
    "sparse matrix": sparse.csr_matrix(MATRIX),
    "sparse array": sparse.coo_array(MATRIX),
    "TaskRelations": TaskRelations(graph(), tasks=NAMES),
}


@pytest.mark.parametrize("given", FORMATS.values(), ids=FORMATS)
def test_all_input_formats_give_the_same_relations(given):
    relations = as_relations(given, 4, NAMES)
    np.testing.assert_array_equal(
        relations.toarray()[:, relations.positions(NAMES)], MATRIX
    )
    assert relations.tasks.tolist() == NAMES.tolist()


def test_two_columns_mean_strength_one():
    relations = as_relations([("cat", "mammal")], 4, NAMES)
    assert relations.toarray()[1, 2] == 1


def test_small_edge_frames_are_no_matrices():
    frame = pd.DataFrame([(0, 1), (1, 0)])  # as square as a frame can be
    relations = as_relations(frame, 4)
    assert relations.toarray().sum() == 2
    assert relations.shape == (4, 4)


def test_labels_relate_both_ways():
    relations = as_relations(["a", "b", "a", "c"], 4, NAMES)
    expected = np.zeros((4, 4))
    expected[0, 2] = expected[2, 0] = 1
    np.testing.assert_array_equal(relations.toarray(), expected)


def test_nan_is_unknown_and_zeros_of_dense_matrices_are_mentioned():
    matrix = np.array([[0, np.nan, 0], [1, 0, 0], [0, 0, 0]])
    strengths = as_relations(matrix, 3).toarray()
    assert np.isnan(strengths[0, 1])
    assert strengths[0, 2] == 0
    strengths = TaskRelations(matrix, unobserved="unknown").toarray()
    assert strengths[0, 2] == 0
    strengths = TaskRelations(sparse.csr_matrix(MATRIX), unobserved="unknown").toarray()
    assert np.isnan(strengths).sum() == 14
    assert strengths[2, 0] == 1


def test_direction_turns_every_input_format_around():
    for name in ("graph", "matrix", "edges by name", "labelled frame"):
        relations = TaskRelations(
            FORMATS[name],
            None if "labelled" in name else NAMES,
            direction="container_to_member",
        )
        np.testing.assert_array_equal(relations.toarray(), MATRIX.T)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([("cat", "dog"), ("cow", "cat")], r"not among the 4 rows of X: 'cow', 'dog'. Add"),
        ([(1, 2), (0, 9)], r"row positions 9, but there are 4 tasks \(0 to 3\)"),
        ([(1, -1)], r"row positions -1"),
        ([("cat", "mammal", 0.2), ("cat", "mammal", 0.3)], "stands twice.*0.2 and 0.3"),
        ([("cat", "mammal", 1.2)], r"\[0, 1\].*got 1.2 for 'cat' -> 'mammal'"),
        ([("cat", "mammal", -0.1)], r"got -0.1"),
        ([("cat", "mammal", np.inf)], r"got inf"),
        ([("cat", "mammal", "strong")], "must be numbers in .* such as 'strong'"),
        ([("cat", "mammal"), ("cat",)], "got rows of 1 and 2 entries"),
        ([("cat", "mammal", 1, 2)], "got rows of 4 entries"),
        (list(graph().edges(data=True)), "data='weight'"),
        (np.zeros((4, 7)), r"\(4, 4\).*got the shape \(4, 7\).*survive slicing"),
        (np.zeros((3, 4)), r"got the shape \(3, 4\)"),
        (sparse.csr_matrix((4, 6)), r"survive slicing"),
        (np.zeros((4, 4, 4)), "3 dimensions"),
        (graph().to_undirected(), "undirected Graph.*to_directed"),
        (nx.DiGraph([("cat", "unicorn")]), "not among the 4 rows .*'unicorn'"),
        ([graph()[n] for n in graph()], "cut into pieces.*TaskRelations"),
        ("tree", "can't be read from a str"),
        ({"cat": "unicorn"}, "not among the 4 rows .*'unicorn'"),
        ({"cat": {"mammal": 1}}, "takes each task to its parent"),
        (["a", None, "b", "a"], "1 missing labels"),
        (["a", "b"], "2 tasks, but X has 4 rows"),
        (
            pd.DataFrame(np.eye(4), index=list("abcd"), columns=list("abce")),
            "index and columns",
        ),
        (pd.DataFrame(np.eye(4), index=list("abcd"), columns=list("abcd")), "do not know"),
        ([[0, 1], [1]], "1 and 2 entries|ragged"),
    ],
)
def test_wrong_relations_are_refused(given, message):
    with pytest.raises(ValueError, match=message):
        as_relations(given, 4, NAMES)


def test_unnamed_rows_need_a_graph_of_positions():
    assert as_relations(nx.DiGraph([(0, 1), (2, 1)]), 3).toarray().sum() == 2
    for nodes in ([(0, 1), (3, 1)], [("a", "b"), ("c", "b")], [(0, 1)]):
        with pytest.raises(ValueError, match=r"exactly the tasks 0 to 2.*TaskRelations"):
            as_relations(nx.DiGraph(nodes), 3)
    with pytest.raises(
        ValueError, match="not among the 3 rows of X: 'a', 'b'.*Name the rows"
    ):
        as_relations([("a", "b")], 3)


def test_labelled_frames_name_unnamed_rows():
    relations = as_relations(FORMATS["labelled frame"], 4)
    assert relations.tasks.tolist() == NAMES.tolist()


def test_names_must_be_unique():
    with pytest.raises(ValueError, match="repeats 'cat'"):
        TaskRelations(MATRIX, tasks=["cat", "cat", "dog", "cow"])
    frame = pd.DataFrame(MATRIX, index=["a", "a", "b", "c"], columns=["a", "a", "b", "c"])
    with pytest.raises(ValueError, match="repeats 'a'"):
        TaskRelations(frame)


def test_the_index_of_labels_names_their_rows():
    labels = pd.Series(list("xxyy"), index=NAMES)
    expected = as_relations(labels, 4, NAMES).toarray()
    for order in ([3, 1, 0, 2], [0, 1, 2, 3]):
        again = as_relations(labels.iloc[order], 4, NAMES)
        np.testing.assert_array_equal(again.toarray(), expected)
    with pytest.raises(ValueError, match="index of y names tasks, but lacks 'stone'"):
        as_relations(labels.rename({"stone": "stones"}), 4, NAMES)
    elsewhere = pd.Series(list("xxyy"), index=[4, 9, 2, 7])  # as a splitter leaves it
    np.testing.assert_array_equal(as_relations(elsewhere, 4, NAMES).toarray(), expected)


def test_a_list_of_parents_is_not_read_as_labels():
    parents = [None, NAMES[0], NAMES[0], NAMES[1]]
    with pytest.raises(ValueError, match="class labels. Give parents as a mapping"):
        as_relations(parents, 4, NAMES)


TAXA = [1, 10, 20, 101, 102]


@pytest.mark.parametrize(
    ("names", "parents"),
    [
        (TAXA, [1, 1, 1, 10, 10]),
        (TAXA, [np.nan, 1, 1, 10, 10]),
        (TAXA, [0, 1, 1, 10, 10]),  # the root is no row
        (TAXA, ["1", "1", "1", "10", "10"]),
        ([str(name) for name in TAXA], [1, 1, 1, 10, 10]),
        (
            ["cat", "dog", "mammal", "beagle", "poodle"],
            ["mammal", "mammal", "ROOT", *["dog"] * 2],
        ),
    ],
)
@pytest.mark.parametrize("kind", [list, pd.Series])
def test_parents_are_not_read_as_labels(names, parents, kind):
    with pytest.raises(ValueError, match="as class labels. Give parents as a mapping"):
        as_relations(kind(parents), 5, np.array(names, dtype=object))


def test_codes_of_classes_are_labels_also_where_they_name_rows():
    rows = np.array([0, 1, 2, 4, 5], dtype=object)  # of a frame that a splitter cut
    relations = as_relations([0, 1, 2, 0, 1], 5, rows)
    assert np.argwhere(relations.toarray()).tolist() == [[0, 3], [1, 4], [3, 0], [4, 1]]
    classes = TaskRelations.from_labels([1, 1, 2, 4, 2])
    assert as_relations(classes, 5, rows).toarray().sum() == 4


def forms_of(ids):
    """Chains of relations among ids, in every format that names tasks."""
    edges = list(pairwise(ids))
    yield dict(edges)
    yield edges
    yield pd.DataFrame(edges)
    yield nx.DiGraph(edges)
    yield TaskRelations(nx.DiGraph(edges))
    yield TaskRelations(nx.DiGraph(edges), tasks=ids)
    yield nx.to_pandas_adjacency(nx.DiGraph(edges))
    yield pd.Series(list("xxyyy"), index=ids)


@pytest.mark.parametrize("to", [str, int])
@pytest.mark.parametrize("at", range(8))
def test_text_and_number_ids_are_different_names_in_every_format(to, at):
    names = np.array([str(i) if to is int else i for i in TAXA], dtype=object)
    y = list(forms_of([to(i) for i in TAXA]))[at]
    with pytest.raises(ValueError, match=r"[Tt]here as (text|numbers)|rows of X are named"):
        as_relations(y, 5, names)


def test_a_frame_whose_columns_are_text_and_its_index_numbers_is_refused():
    frame = pd.DataFrame(np.eye(5), TAXA, [str(i) for i in TAXA])  # as of pd.read_csv
    with pytest.raises(ValueError, match="columns do not have: 1, .* there as text"):
        as_relations(frame, 5)


def test_rows_of_a_default_index_that_was_cut_are_explained():
    with pytest.raises(ValueError, match=r"a frame that a splitter cut.*X.set_axis\(names"):
        as_relations(FORMATS["labelled frame"], 2, np.array([2, 3], dtype=object))


@pytest.mark.parametrize(
    "y",
    [
        MATRIX * (1 + 0.1j),
        np.ma.masked_array(MATRIX * (1 + 0.1j), MATRIX == 0),
        sparse.csr_matrix(MATRIX * (1 + 0.1j)),
        pd.DataFrame(MATRIX * (1 + 0j), NAMES, NAMES),
        MATRIX.astype(np.complex64).astype(object),
        [("cat", "mammal", np.complex128(0.5 + 0.1j))],
        np.array([0, 1, 1j, 0]),
        [0, 1, 1j, 0],
    ],
    ids=lambda y: type(y).__name__,
)
def test_complex_numbers_are_refused(y):
    with pytest.raises(ValueError, match="must be numbers in|complex numbers"):
        as_relations(y, 4, NAMES)


def test_weights_that_differ_by_rounding_are_equal():
    edges = [("cat", "mammal", 0.1 + 0.2), ("cat", "mammal", 0.3)]
    assert as_relations(edges, 4, NAMES).toarray()[1, 2] == pytest.approx(0.3)
    with pytest.raises(ValueError, match="stands twice with different weights"):
        as_relations([*edges, ("cat", "mammal", 0.31)], 4, NAMES)


def test_strengths_within_rounding_of_1_are_1():
    share = sum([0.1] * 10)
    assert share < 1
    chain = TaskRelations([(0, 1, share), (1, 2, share)], range(3), transitive=True)
    assert chain.toarray()[0, 2] == 1
    assert not chain.observed().is_graded
    similar = np.full((4, 4), np.nextafter(1, 2))
    assert (as_relations(similar, 4).toarray() == 1 - np.eye(4)).all()


def test_continuous_numbers_are_no_labels():
    with pytest.raises(ValueError, match=r"one number per task, such as 0.5, .*pd.cut"):
        as_relations([1.0, 0.5, 1.0, 0.5], 4, NAMES)
    assert as_relations([1.0, 2.0, 1.0, 2.0], 4, NAMES).toarray().sum() == 4


def test_a_whole_diagonal_of_a_cut_frame_is_no_news():
    frame = pd.DataFrame(np.maximum(MATRIX, np.eye(4)), index=NAMES, columns=NAMES)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cut = TaskRelations(frame.iloc[1:3])
    np.testing.assert_array_equal(cut.toarray(), MATRIX[1:3])


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.eye(5), r"got the shape \(5, 5\). There must be a row and a column for each"),
        (np.zeros((4, 1)), r"got the shape \(4, 1\). Class labels are 1-D: y.ravel()"),
        (np.zeros((4, 9)), r"got the shape \(4, 9\). If a cross-validation splitter"),
    ],
)
def test_matrices_of_another_shape_are_told_what_is_wrong(y, message):
    with pytest.raises(ValueError, match=message):
        as_relations(y, 4, NAMES)


def test_self_loops_are_ignored_with_a_warning():
    with pytest.warns(UserWarning, match="Ignored self-loops of 'cat'"):
        relations = as_relations([("cat", "cat"), ("cat", "mammal")], 4, NAMES)
    assert relations.toarray().sum() == 1
    matrix = MATRIX.copy()
    matrix[1, 1] = 1
    with pytest.warns(UserWarning, match="self-loops of 'cat'"):
        as_relations(matrix, 4, NAMES)


def test_a_whole_diagonal_is_no_self_loop_even_if_a_part_of_it_is_unknown():
    diagonal = np.diag([1, np.nan, 1, np.nan])
    np.testing.assert_array_equal(
        as_relations(MATRIX + diagonal, 4, NAMES).toarray(), MATRIX
    )
    np.testing.assert_array_equal(
        as_relations(MATRIX + np.eye(4), 4, NAMES).toarray(), MATRIX
    )


def test_repeated_edges_that_agree_are_one():
    relations = as_relations([("cat", "mammal"), ("cat", "mammal")], 4, NAMES)
    assert relations.toarray().sum() == 1


def test_the_closure_of_a_dag():
    chain = [(0, 1), (1, 2), (2, 3), (4, 2)]
    relations = TaskRelations(chain, range(5))
    expected = nx.to_numpy_array(
        nx.transitive_closure(nx.DiGraph(chain)), nodelist=range(5)
    )
    np.testing.assert_array_equal(relations.toarray(), expected)


def test_the_closure_of_shares_is_what_they_imply():
    # Half of 0 lies in 1, all of which lies in 2: so does at least that half of 0. How much
    # of 3 lies in 2, whose half lies in 4, says nothing of 3 in 4.
    edges = [(0, 1, 0.5), (1, 2, 1.0), (3, 2, 1.0), (2, 4, 0.5)]
    strengths = TaskRelations(edges, range(5), transitive=True).toarray()
    assert strengths[0, 2] == 0.5
    assert strengths[3, 4] == 0
    assert strengths[0, 1] == 0.5
    given = TaskRelations([*edges, (0, 2, 0.9)], range(5), transitive=True).toarray()
    assert given[0, 2] == 0.9


def test_the_closure_fills_unknown_pairs():
    matrix = np.full((3, 3), np.nan)
    matrix[0, 1] = matrix[1, 2] = 1
    assert TaskRelations(matrix, transitive=True).toarray()[0, 2] == 1


def test_cycles_are_shown():
    with pytest.raises(ValueError, match="cat -> mammal -> animal -> cat|mammal -> animal"):
        TaskRelations([*EDGES, ("animal", "cat", 1.0)], NAMES, transitive=True)


# -- names and orders ------------------------------------------------------------------
def test_integer_names_in_an_array_are_names():
    for tasks in ([3, 0, 1, 2], np.array([3, 0, 1, 2])):
        relations = TaskRelations([(3, 0)], tasks=tasks)
        assert relations.named
        assert relations.toarray()[0, 1] == 1
    tens = nx.DiGraph([(10, 20), (30, 20)])
    assert TaskRelations(tens, tasks=np.array([10, 20, 30])).toarray().sum() == 2
    with pytest.raises(ValueError, match="repeats 0"):
        TaskRelations(MATRIX, tasks=np.zeros(4, dtype=int))


def test_tasks_order_the_rows_of_a_labelled_frame():
    frame = pd.DataFrame(MATRIX, index=NAMES, columns=NAMES)
    order = [2, 0, 3, 1]
    relations = TaskRelations(frame, tasks=NAMES[order])
    np.testing.assert_array_equal(relations.toarray(), MATRIX[np.ix_(order, order)])
    more = TaskRelations(frame, tasks=[*NAMES, "ghost"])
    assert more.shape == (5, 5)
    assert more.toarray()[4].tolist() == [0] * 5
    with pytest.raises(ValueError, match="not among the tasks given: 'stone'"):
        TaskRelations(frame, tasks=NAMES[:3])


def test_numbers_as_labels_must_stand_in_their_order_beside_unnamed_rows():
    frame = pd.DataFrame(np.zeros((3, 3)), index=[2, 0, 1], columns=[2, 0, 1])
    with pytest.raises(ValueError, match=r"0 to 2 in another order.*range\(n\)"):
        as_relations(frame, 3)
    assert as_relations(frame.loc[range(3), range(3)], 3).shape == (3, 3)


def test_small_unlabelled_square_frames_are_matrices_of_as_many_tasks():
    matrix = np.array([[0, 1.0, 0], [0, 0, 1], [0, 0, 0]])
    np.testing.assert_array_equal(as_relations(pd.DataFrame(matrix), 3).toarray(), matrix)


@pytest.mark.parametrize(
    "names", [[(0, 1), (1, 2), (2, 3)], ["x", 1, (1, 2)], [frozenset("a"), "a", 0.5]]
)
def test_names_of_any_hashable_type(names):
    edges = [(names[0], names[1]), (names[1], names[2])]
    expected = [[0, 1, 0], [0, 0, 1], [0, 0, 0]]
    for given in (edges, nx.DiGraph(edges)):
        assert (
            TaskRelations(given, tasks=names, transitive=False).toarray().tolist()
            == expected
        )


def test_missing_values_of_nullable_types_are_unknown():
    frame = pd.DataFrame(MATRIX, index=NAMES, columns=NAMES).astype("Float64")
    frame.iloc[0, 1] = pd.NA
    assert np.isnan(as_relations(frame, 4, NAMES).toarray()[0, 1])


def test_an_edge_without_a_weight_has_strength_one():
    weightless = nx.DiGraph()
    weightless.add_edge("cat", "mammal", weight=None)
    assert as_relations(weightless, 4, NAMES).toarray()[1, 2] == 1


def test_graphs_without_nodes():
    with pytest.raises(ValueError, match="exactly the tasks 0 to 2; got none"):
        as_relations(nx.DiGraph(), 3)


def test_what_is_masked_is_unknown():
    mask = np.eye(4, k=1, dtype=bool)
    masked = as_relations(np.ma.masked_array(MATRIX, mask), 4).toarray()
    np.testing.assert_array_equal(masked, np.where(mask, np.nan, MATRIX))


def test_numbers_are_not_taken_for_positions_where_they_may_be_names():
    names = np.array(["3", "1", "0", "2"], dtype=object)
    with pytest.raises(
        ValueError, match="rows of X: 0, 1. They are there as text.*row positions are names"
    ):
        as_relations([(0, 1)], 4, names)
    assert as_relations([(0, 1)], 4, NAMES).toarray()[0, 1] == 1


def test_positions_are_the_first_of_names_that_stand_twice():
    at = positions_of(["b", "a", "c"], np.array(["a", "b", "a", "b"], dtype=object))
    assert at.tolist() == [1, 0, -1]


@pytest.mark.parametrize(
    ("names", "edge"), [([0.5, 1.0, 1.5, 3.0], (1, 2)), (["a", 0, "b", "c"], (0, 2))]
)
def test_numbers_some_of_which_are_names_are_no_positions(names, edge):
    with pytest.raises(ValueError, match="names tasks that are not among the 4 rows.*2"):
        TaskRelations([edge], tasks=names)


@pytest.mark.parametrize("edge", [(("a", 1), ("b", 2), 1.0), ("c", ("b", 2))])
def test_names_may_be_tuples_in_edges(edge):
    names = np.empty(3, dtype=object)
    names[:] = [("a", 1), ("b", 2), "c"]
    strengths = as_relations([edge], 3, names).toarray()
    assert strengths[list(names).index(edge[0]), 1] == strengths.sum() == 1


def test_names_that_a_frame_repeats_are_told():
    frame = pd.DataFrame(MATRIX, index=NAMES, columns=NAMES)
    with pytest.raises(ValueError, match="the index of the relations repeats 'animal'"):
        TaskRelations(pd.concat([frame, frame.iloc[:1]]))
