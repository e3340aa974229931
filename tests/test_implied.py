"""What observed relations say of pairs that nobody observed."""

import networkx as nx
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from sklearn_task2box import TaskRelations
from sklearn_task2box.implied import implied


def nested(n, seed):
    """Which of n random sets, equal ones among them, lies in which: 0 and 1."""
    sets = np.random.RandomState(seed).uniform(size=(n, 8)) < 0.5
    sets[n // 2 :] &= sets[: n - n // 2]
    inside = (sets[:, None] <= sets[None]).all(axis=2).astype(float)
    np.fill_diagonal(inside, np.nan)
    return inside


def hidden(strengths, share, seed):
    """The same with a share of the pairs unknown."""
    unknown = np.random.RandomState(seed).uniform(size=strengths.shape) < share
    return np.where(unknown, np.nan, strengths)


def table_of(pairs):
    strengths, observed = pairs.dense()
    return np.where(observed, strengths, np.nan)


@given(st.integers(12, 40), st.floats(0.05, 0.7), st.integers(0, 1000))
def test_what_follows_is_right(n, share, seed):
    truth = nested(n, seed)
    pairs = TaskRelations(hidden(truth, share, seed)).observed()
    found = table_of(implied(pairs))
    said = ~np.isnan(found)
    assert_array_equal(found[said], truth[said])
    assert (said >= ~np.isnan(table_of(pairs))).all()


@given(st.integers(20, 30), st.integers(0, 100))
def test_all_that_follows_is_found(n, seed):
    strengths = hidden(nested(n, seed), 0.3, seed)
    pairs = TaskRelations(strengths).observed()
    more = implied(pairs)
    assume(more is not pairs)
    found = table_of(more)
    graph = nx.from_numpy_array(strengths == 1, create_using=nx.DiGraph)
    above = {i: nx.descendants(graph, i) | {i} for i in graph}
    below = {i: nx.ancestors(graph, i) | {i} for i in graph}
    for i in range(n):
        for j in range(n):
            if i == j or not np.isnan(strengths[i, j]):
                continue
            cut = any(strengths[a, b] == 0 for a in below[i] for b in above[j])
            expected = 1.0 if j in above[i] else 0.0 if cut else np.nan
            assert_array_equal(found[i, j], expected)


def test_both_ways_by_hand():
    chain = np.triu(np.ones((8, 8)), 1)
    np.fill_diagonal(chain, np.nan)
    chain[0, 7] = chain[7, 0] = chain[6, 1] = np.nan
    found = table_of(implied(TaskRelations(chain).observed()))
    # 0 lies in 6, and 6 in 7; 7 in 0 would put 6 there; 6 in 1 would put 5 there.
    assert (found[0, 7], found[7, 0], found[6, 1]) == (1, 0, 0)


@pytest.mark.parametrize("why", ["contradiction", "graded", "few", "complete"])
def test_nothing_follows_without_reason(why):
    truth = nested(30, 0)
    strengths = hidden(truth, 0.3, 0)
    if why == "contradiction":
        known = np.argwhere(strengths == 1)
        two_steps = next((i, k) for i, j in known for h, k in known if h == j and i != k)
        strengths[two_steps] = 0
    elif why == "graded":
        strengths[tuple(np.argwhere(strengths == 1)[0])] = 0.5
    elif why == "few":
        strengths = hidden(truth, 0.95, 0)
    else:
        strengths = np.nan_to_num(truth, nan=0)
    pairs = TaskRelations(strengths).observed()
    assert implied(pairs) is pairs
