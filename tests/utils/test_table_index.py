"""Queries of strengths from blocks of the table of all pairs."""

import numpy as np
import pytest

from sklearn_task2box.utils import _table_index
from sklearn_task2box.utils._table_index import TableIndex

STRENGTHS = np.random.RandomState(0).uniform(size=(25, 25)).round(1)  # with ties


@pytest.fixture(params=[1 << 20, 40, 1], ids="block of {}".format)
def index(request, monkeypatch):
    """Tasks that are their own positions in a table of strengths."""
    monkeypatch.setattr(_table_index, "_TABLE", request.param)
    return TableIndex(
        lambda tasks, others: STRENGTHS[np.ix_(tasks, others)],
        lambda tasks, heads, tails: STRENGTHS[tasks[heads], tasks[tails]],
        np.arange(25),
    )


@pytest.mark.parametrize("inside", [True, False])
def test_the_best_are_the_strongest_and_the_first_of_equal_ones(index, inside):
    table = STRENGTHS if inside else STRENGTHS.T
    without = np.where(np.arange(25) % 2, np.arange(25), -1)
    indices, strengths = index.best(index, 4, inside, without)
    for row, left_out in enumerate(without):
        others = [j for j in range(25) if j != left_out]
        expected = sorted(others, key=lambda j: (-table[row, j], j))[:4]
        assert indices[row].tolist() == expected
        np.testing.assert_array_equal(strengths[row], table[row, expected])


@pytest.mark.parametrize("inside", [True, False])
def test_at_least_finds_every_strength_of_the_threshold_or_more(index, inside):
    table = STRENGTHS if inside else STRENGTHS.T
    thresholds = np.linspace(0, 1, 25)
    for row, (found, strengths) in enumerate(index.at_least(index, thresholds, inside)):
        expected = np.flatnonzero(table[row] >= thresholds[row])
        np.testing.assert_array_equal(found, expected)
        np.testing.assert_array_equal(strengths, table[row, expected])


def test_sizes_are_sums_over_columns_less_sums_over_rows(index):
    np.testing.assert_allclose(index.sizes(), STRENGTHS.sum(axis=0) - STRENGTHS.sum(axis=1))


def test_some_tasks_and_pairs_of_them(index):
    some = index[[3, 7, 1]]
    assert len(some) == 3
    np.testing.assert_array_equal(some.pairs([0, 2], [1, 1]), STRENGTHS[[3, 1], [7, 7]])
