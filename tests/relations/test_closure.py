"""Reachability, against networkx."""

import time

import networkx as nx
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sklearn_task2box.relations._closure import components, reachable


@given(n=st.integers(1, 30), share=st.floats(0, 0.5), seed=st.integers(0, 100))
def test_reachable_is_the_closure_of_networkx(n, share, seed):
    edges = np.triu(np.random.RandomState(seed).uniform(size=(n, n)) < share, 1)
    heads, tails = np.nonzero(edges)
    want = nx.transitive_closure_dag(nx.from_numpy_array(edges, create_using=nx.DiGraph))
    got = reachable(np.repeat(heads, 2), np.repeat(tails, 2), n)  # edges may repeat
    assert set(zip(*got.nonzero(), strict=True)) == set(want.edges)


def test_a_long_chain():
    n = 3000
    assert reachable(np.arange(n - 1), np.arange(1, n), n).nnz == n * (n - 1) // 2


def test_components():
    count, group = components(np.array([0, 1, 2]), np.array([1, 0, 0]), 4)
    assert count == 3
    assert group[0] == group[1]
    assert len({*group[[0, 2, 3]]}) == 3


def test_a_deep_graph_that_is_closed_already_takes_no_time():
    heads, tails = np.triu_indices(250, 1)  # each data set inside all larger ones
    start = time.perf_counter()
    closed = reachable(heads, tails, 250)
    assert closed.nnz == len(heads)
    assert time.perf_counter() - start < 2  # step by step, seconds to minutes
