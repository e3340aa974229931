"""Transitive closure: when relations are closed, and what it never changes."""

import builtins

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from sklearn_task2box import BoxRelationEmbedder, TaskRelations
from sklearn_task2box.relations import as_relations

CHAIN = [("a", "b"), ("b", "c")]
NAMES = list("abc")
MATRIX = np.array([[0.0, 1, 0], [0, 0, 1], [0, 0, 0]])
OPEN = {
    "graph": nx.DiGraph(CHAIN),
    "edges": CHAIN,
    "mapping": {"a": "b", "b": ["c"], "c": None},
    "sparse matrix": sparse.csr_matrix(MATRIX),
}


@pytest.mark.parametrize("given", OPEN.values(), ids=OPEN)
def test_plain_taxonomies_are_closed(given):
    relations = TaskRelations(given, tasks=NAMES)
    assert relations.toarray()[0, 2] == 1
    assert relations.closure == "closed: 1 pairs added"
    assert "closed: 1 pairs added" in repr(relations)
    assert TaskRelations(given, tasks=NAMES, transitive=False).toarray()[0, 2] == 0


@pytest.mark.parametrize("given", [MATRIX, pd.DataFrame(MATRIX, NAMES, NAMES)])
def test_what_states_every_pair_is_not_closed(given):
    relations = TaskRelations(given)
    assert relations.toarray()[0, 2] == 0
    assert relations.closure == "not closed"


def test_graded_relations_and_cycles_are_left_as_they_stand():
    graded = TaskRelations([("a", "b", 0.5), ("b", "c", 1.0)])
    assert graded.toarray()[0, 2] == 0
    assert graded.closure == "not closed: graded"
    cyclic = TaskRelations([*CHAIN, ("b", "a")])
    assert cyclic.toarray()[0, 2] == 0
    assert cyclic.closure in ("not closed: a -> b -> a", "not closed: b -> a -> b")
    with pytest.raises(ValueError, match="without a cycle, but found"):
        TaskRelations([*CHAIN, ("b", "a")], transitive=True)


def test_a_stated_strength_is_never_changed():
    edges = [("a", "b", 1.0), ("b", "c", 1.0), ("a", "c", 0.0), ("c", "d", 1.0)]
    for transitive in ("auto", True):
        table = TaskRelations(edges, list("abcd"), transitive=transitive).toarray()
        assert table[0, 2] == 0
        assert table[0, 3] == table[1, 3] == 1


def test_stated_zeros_stay_when_tasks_are_added():
    first = TaskRelations([("a", "b", 1.0), ("b", "c", 1.0), ("a", "c", 0.0)])
    new = np.array(["d"], dtype=object)
    grown, _ = first.extended([("c", "d")], 1, new)
    table = grown.toarray()
    assert table[0, 2] == 0
    assert table[0, 3] == table[1, 3] == 1


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_strengths_within_rounding_of_0_and_1_are_0_and_1(dtype):
    eps = np.finfo(dtype).eps
    matrix = MATRIX.astype(dtype)
    matrix[0, 1], matrix[1, 2], matrix[2, 0] = 1 - 3 * eps, 1 + 3 * eps, 3 * eps
    relations = TaskRelations(sparse.csr_matrix(matrix))
    assert not relations.observed().is_graded
    assert relations.toarray()[0, 2] == 1
    matrix[0, 1] = 1 - 8 * eps
    assert TaskRelations(sparse.csr_matrix(matrix)).observed().is_graded


def test_stated_contradictions_are_warned_of_once():
    with pytest.warns(UserWarning, match=r"states 1 pairs.*TaskRelations\(graph") as caught:
        BoxRelationEmbedder(max_epochs=2, random_state=0).fit(np.eye(3), MATRIX)
    stated = [w for w in caught if "TaskRelations(graph" in str(w.message)]
    assert len(stated) == 1
    as_meant = TaskRelations(MATRIX, transitive=False)
    BoxRelationEmbedder(max_epochs=2, random_state=0).fit(np.eye(3), as_meant)
    cyclic = MATRIX + MATRIX.T
    BoxRelationEmbedder(max_epochs=2, random_state=0).fit(np.eye(3), cyclic)


def test_rows_cut_by_position_are_those_of_tasks_in_a_known_order():
    edges = [("a", "c"), ("b", "c"), ("d", "c")]  # whose nodes are a, c, b, d
    cut = [0, 1, 2]
    by_nodes = TaskRelations(edges)
    with pytest.raises(ValueError, match="without tasks=, were cut by positions.*tasks=n"):
        as_relations(by_nodes[cut], 3)
    for in_order in (by_nodes.loc[list("abcd")], TaskRelations(edges, tasks=list("abcd"))):
        found = as_relations(in_order[cut], 3).observed()
        assert list(zip(found.heads, found.tails, strict=True)) == [(0, 2), (1, 2)]


def test_nodes_are_aligned_with_the_names_of_X():
    relations = TaskRelations(nx.DiGraph([("b", "c"), ("a", "b")]))
    aligned = as_relations(relations, 4, np.array(["x", "a", "b", "c"], dtype=object))
    assert aligned.tasks.tolist() == ["x", "a", "b", "c"]
    assert aligned.observed().n_related == 3
    assert not aligned.toarray()[0].any()
    with pytest.raises(ValueError, match="'c'"):
        as_relations(relations, 2, np.array(["a", "b"], dtype=object))


def exceptions():
    """Python's built-in exceptions, as a plain child -> parent graph."""
    graph = nx.DiGraph()
    for value in vars(builtins).values():
        if isinstance(value, type) and issubclass(value, BaseException):
            graph.add_node(value.__name__)
            for base in value.__bases__:
                if issubclass(base, BaseException):
                    graph.add_edge(value.__name__, base.__name__)
    return graph


@pytest.mark.slow
def test_implied_relations_of_exceptions_are_learned():
    graph = exceptions()
    names = list(graph)
    X = pd.DataFrame(np.eye(len(names)), index=names)
    model = BoxRelationEmbedder(random_state=0).fit(X, graph)
    strengths = pd.DataFrame(model.pairwise_strengths(), names, names)
    for container in ("OSError", "Exception", "BaseException"):
        assert strengths.loc["BrokenPipeError", container] > 0.9
