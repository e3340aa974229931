"""What a fit sees of relations."""

import warnings

import numpy as np
import pytest
from scipy import sparse

from sklearn_task2box.relations import TaskRelations

N = 12
STRENGTHS = np.triu(np.random.RandomState(0).uniform(size=(N, N)) < 0.4, 1).astype(float)


@pytest.mark.parametrize("unobserved", ["negative", "unknown"])
def test_hold_out_takes_a_stratified_share(unobserved):
    strengths = STRENGTHS.copy()
    strengths[0, 5] = np.nan
    observed = TaskRelations(strengths, tasks=range(N), unobserved=unobserved).observed()
    rest, (heads, tails, held) = observed.hold_out(0.25, np.random.RandomState(0))
    assert (held > 0).sum() == round(0.25 * observed.n_related)
    assert rest.n_related + (held > 0).sum() == observed.n_related
    assert rest.n_observed + len(held) == observed.n_observed
    np.testing.assert_array_equal(STRENGTHS[heads, tails], held)
    _, mask = rest.dense()
    assert not mask[heads, tails].any()
    both = {*zip(*rest.expand()[:2], strict=True)} & {*zip(heads, tails, strict=True)}
    assert not both


def test_zeros_are_drawn_without_a_table_of_all_pairs():
    n = 4000
    chain = TaskRelations(
        [(i, i + 1) for i in range(n - 1)], tasks=range(n), transitive=False
    ).observed()
    heads, tails = chain.draw_zeros(500, np.random.RandomState(0))
    assert len(heads) == 500
    assert (heads != tails).all()
    assert (tails != heads + 1).all()


@pytest.mark.parametrize("unobserved", ["negative", "unknown"])
@pytest.mark.parametrize("n_drawn", [0, 3, 10_000])
def test_zeros_are_distinct_and_no_more_than_there_are(unobserved, n_drawn):
    observed = TaskRelations(STRENGTHS, unobserved=unobserved).observed()
    heads, tails = observed.draw_zeros(n_drawn, np.random.RandomState(0))
    n_zeros = observed.n_observed - observed.n_related
    assert len(heads) == min(n_drawn, n_zeros)
    assert len({*zip(heads, tails, strict=True)}) == len(heads)
    assert (STRENGTHS[heads, tails] == 0).all()
    assert (heads != tails).all()


@pytest.mark.slow
def test_as_many_zeros_are_drawn_as_asked_for_where_most_pairs_are_not_zeros():
    n = 3001  # more tasks than of which all zeros are listed
    heads, tails = np.nonzero(np.tri(n, dtype=bool) & ~np.tri(n, k=-2500, dtype=bool))
    pairs = sparse.csr_matrix((np.ones(len(heads)), (heads, tails)), shape=(n, n))
    observed = TaskRelations(pairs, transitive=False).observed()
    n_zeros = observed.n_observed - observed.n_related
    drawn = observed.draw_zeros(n_zeros // 2, np.random.RandomState(0))
    assert len(np.unique(observed.keys(*drawn))) == n_zeros // 2


def test_expanding_keeps_strengths_exactly():
    observed = TaskRelations([(0, 1, 0.1), (1, 2, 1 / 3)], tasks=range(3)).observed()
    heads, tails, strengths = observed.expand()
    assert len(heads) == len(tails) == observed.n_observed == 6
    assert sorted(strengths)[-2:] == [0.1, 1 / 3]
    assert observed.is_graded
    assert observed.n_related == 2


def test_thinned_pairs_stand_for_all():
    strengths = np.zeros((40, 40))
    strengths[0, 1:5] = 0.5
    pairs = TaskRelations(strengths).observed()
    heads, tails, values, weights = pairs.thinned(100)
    assert np.count_nonzero(values) == 4
    assert weights[values > 0].tolist() == [1] * 4
    assert weights.sum() == pytest.approx(40 * 39)
    assert len(np.unique(pairs.keys(heads, tails))) == len(heads)
    assert (strengths[heads, tails] == values).all()
    *everything, weights = pairs.thinned(2000)
    assert weights is None
    assert len(everything[0]) == 40 * 39


@pytest.mark.parametrize("floor", [0.1, 0.0])
def test_thinned_pairs_of_graded_tables(floor):
    strengths = np.random.default_rng(0).uniform(floor, 1, size=(20, 20))
    strengths[:5, 10] = floor  # where it is 0, drawn like the others
    np.fill_diagonal(strengths, 1)
    pairs = TaskRelations(strengths).observed()
    heads, tails, values, weights = pairs.thinned(10)
    assert weights.sum() == pytest.approx(20 * 19)
    assert weights[values > 0].tolist() == [1] * pairs.n_related
    assert len(np.unique(pairs.keys(heads, tails))) == len(heads)
    assert (strengths[heads, tails] == values).all()


def test_contained_are_those_that_lie_inside_by_half():
    pairs = TaskRelations(
        [(0, 1, 0.5), (1, 2, 0.4), (2, 0, 1.0)], tasks=range(3)
    ).observed()
    heads, tails = pairs.contained()
    assert list(zip(heads, tails, strict=True)) == [(0, 1), (2, 0)]


def test_related_pairs_alone_are_warned_of():
    edges = [(0, 1), (1, 2)]
    with pytest.warns(UserWarning, match="No pair is observed to be unrelated"):
        TaskRelations(edges, range(3), unobserved="unknown").observed().check_related()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        TaskRelations(edges, range(3)).observed().check_related()
        stated = [*edges, (2, 0, 0.0)]
        stated = [(*pair, 1.0)[:3] for pair in stated]
        TaskRelations(stated, range(3), unobserved="unknown").observed().check_related()
