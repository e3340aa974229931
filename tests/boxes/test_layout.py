"""Constructed boxes: exact where they can be, and how much is lost where not."""

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_task2box.boxes._layout import layout, place


def contained(lower, upper):
    """[i, j]: whether box i lies in box j."""
    inside = (lower[:, None] >= lower[None]) & (upper[:, None] <= upper[None])
    return inside.all(axis=2)


def closure_of(graph):
    table = nx.to_numpy_array(nx.transitive_closure(graph, reflexive=True)) > 0
    return table


def random_dag(n, n_parents, seed):
    rng = np.random.RandomState(seed)
    graph = nx.DiGraph()
    graph.add_nodes_from(range(n))
    for node in range(1, n):
        for parent in rng.choice(node, size=min(node, rng.randint(n_parents + 1))):
            graph.add_edge(node, int(parent))
    return graph


@pytest.mark.parametrize("box_dim", [1, 2, 5])
@given(n=st.integers(1, 40), seed=st.integers(0, 1000))
def test_a_forest_is_exact_in_any_number_of_dimensions(box_dim, n, seed):
    graph = random_dag(n, 1, seed)
    lower, upper = layout(*np.array(graph.edges, int).reshape(-1, 2).T, n, box_dim)
    assert lower.shape == upper.shape == (n, box_dim)
    np.testing.assert_array_equal(contained(lower, upper), closure_of(graph))
    # Each by a step at least, on either side.
    for member, container in graph.edges:
        assert (lower[member] >= lower[container] + 1).all()
        assert (upper[member] <= upper[container] - 1).all()


@given(n=st.integers(2, 30), seed=st.integers(0, 1000), box_dim=st.integers(1, 4))
def test_a_dag_has_nothing_false_and_misses_less_in_more_dimensions(n, seed, box_dim):
    graph = random_dag(n, 3, seed)
    edges = np.array(graph.edges, int).reshape(-1, 2).T
    truth = closure_of(graph)
    found = contained(*layout(*edges, n, box_dim))
    assert not (found & ~truth).any()
    # A dimension for each container is enough for all.
    np.testing.assert_array_equal(contained(*layout(*edges, n, n)), truth)


@given(n=st.integers(2, 30), seed=st.integers(0, 1000), box_dim=st.integers(1, 4))
def test_what_lies_inside_does_so_by_a_step_in_the_dimension_of_the_container(
    n, seed, box_dim
):
    graph = random_dag(n, 3, seed)
    lower, upper = layout(*np.array(graph.edges, int).reshape(-1, 2).T, n, box_dim)
    members, containers = np.nonzero(contained(lower, upper) & ~np.eye(n, dtype=bool))
    below = lower[members] >= lower[containers] + 1
    above = upper[members] <= upper[containers] - 1
    assert (below & above).any(axis=1).all()


def test_two_parents_need_a_second_dimension():
    members, containers = [0, 0, 1, 2], [3, 4, 3, 4]
    truth = closure_of(nx.DiGraph(list(zip(members, containers, strict=True))))
    lower, upper = layout(np.array(members), np.array(containers), 5, 2)
    order = [0, 3, 4, 1, 2]  # as networkx met the nodes
    np.testing.assert_array_equal(contained(lower, upper)[np.ix_(order, order)], truth)
    found = contained(*layout(np.array(members), np.array(containers), 5, 1))
    assert found.sum() == truth.sum() - 1


def test_tasks_that_contain_each_other_share_a_box():
    heads, tails = np.array([0, 1, 2]), np.array([1, 0, 1])
    lower, upper = layout(heads, tails, 3, 2)
    np.testing.assert_array_equal(lower[0], lower[1])
    np.testing.assert_array_equal(upper[0], upper[1])
    assert contained(lower, upper)[2].all()


def test_the_order_is_that_of_the_first_dimension():
    heads, tails = np.array([0, 1, 2, 3]), np.array([4, 4, 5, 5])
    order = np.array([3.0, 4, 2, 1, 0, 0])
    lower, _ = layout(heads, tails, 6, 2, order)
    np.testing.assert_array_equal(np.argsort(lower[:4, 0]), [3, 2, 0, 1])


def test_it_is_the_same_each_time():
    graph = random_dag(200, 2, 0)
    edges = np.array(graph.edges).T
    first, again = (layout(*edges, 200, 3) for _ in range(2))
    np.testing.assert_array_equal(first, again)


def test_new_boxes_start_where_they_belong():
    lower, upper = (
        np.array([[0.0, 0], [1, 1], [6, 6]]),
        np.array([[10.0, 10], [5, 5], [9, 9]]),
    )
    # 3 in 0 and 1; 4 has 1 and 2 inside; 5 in 3; 6 has no relation; 7 in 8, 8 in 2.
    heads, tails = np.array([3, 3, 1, 2, 5, 7, 8]), np.array([0, 1, 4, 4, 3, 8, 2])
    low, high = place(lower, upper, heads, tails, 6, np.random.RandomState(0))
    lower, upper = np.vstack([lower, low]), np.vstack([upper, high])
    inside = contained(lower, upper)
    assert inside[[3, 3, 1, 2, 5, 5, 7, 7, 8], [0, 1, 4, 4, 3, 1, 8, 2, 2]].all()
    assert not inside[[1, 3, 8], [3, 5, 7]].any()
    assert (upper[3] - lower[3] == 1).all()
    np.testing.assert_array_equal([lower[4], upper[4]], [[1, 1], [9, 9]])
    assert (upper > lower).all()


def test_thousands_of_containers_of_a_task_are_asked_about():
    n = 10_000
    heads, tails = np.zeros(n - 1, dtype=int), np.arange(1, n)
    with pytest.raises(ValueError, match="in 9999 others. Are the relations reversed"):
        layout(heads, tails, n, 2)
    lower, upper = layout(tails, heads, n, 2)
    assert (lower[1:] > lower[0]).all()
    assert (upper[1:] < upper[0]).all()
