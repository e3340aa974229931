"""What a fit sees of relations."""

import warnings
from dataclasses import replace

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


@pytest.mark.parametrize("weighted", [False, True])
def test_hold_out_cuts_the_weights_with_the_pairs(weighted):
    observed = TaskRelations(STRENGTHS, tasks=range(N)).observed()
    weights = 1.0 + np.arange(len(observed.heads)) if weighted else None
    observed = replace(observed, weights=weights)
    rest, held = observed.hold_out(0.25, np.random.RandomState(0))
    if not weighted:
        assert rest.weights is None
        return
    before = dict(zip(observed.keys(observed.heads, observed.tails), weights, strict=True))
    kept = [before[key] for key in rest.keys(rest.heads, rest.tails)]
    np.testing.assert_array_equal(rest.weights, kept)
    assert len(rest.listed()[0]) == len(rest.heads) + len(rest.unknown_heads)


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


def test_zeros_among_unknown_pairs_are_drawn_alike():
    rng = np.random.RandomState(0)
    table = (rng.uniform(size=(40, 40)) < 0.1).astype(float)
    table[rng.uniform(size=(40, 40)) < 0.3] = np.nan
    np.fill_diagonal(table, np.nan)
    observed = TaskRelations(table, unobserved="negative").observed()
    counts = np.zeros((40, 40))
    for _ in range(200):
        counts[observed.draw_zeros(200, rng)] += 1
    assert counts[table != 0].sum() == 0
    # Each of some 980 zeros is drawn about 200 * 200 / 980 times.
    expected = 200 * 200 / (table == 0).sum()
    assert counts[table == 0].min() > 0.5 * expected
    assert counts[table == 0].max() < 1.6 * expected


@pytest.mark.slow
def test_as_many_zeros_are_drawn_as_asked_for_where_most_pairs_are_not_zeros():
    n = 3001  # more tasks than of which all zeros are listed
    heads, tails = np.nonzero(np.tri(n, dtype=bool) & ~np.tri(n, k=-2500, dtype=bool))
    pairs = sparse.csr_matrix((np.ones(len(heads)), (heads, tails)), shape=(n, n))
    observed = TaskRelations(pairs, transitive=False).observed()
    n_zeros = observed.n_observed - observed.n_related
    for n_drawn in (n_zeros // 5, n_zeros // 2):
        drawn = observed.draw_zeros(n_drawn, np.random.RandomState(0))
        assert len(np.unique(observed.keys(*drawn))) == n_drawn


def test_expanding_keeps_strengths_exactly():
    observed = TaskRelations([(0, 1, 0.1), (1, 2, 1 / 3)], tasks=range(3)).observed()
    heads, tails, strengths = observed.expand()
    assert len(heads) == len(tails) == observed.n_observed == 6
    assert sorted(strengths)[-2:] == [0.1, 1 / 3]
    assert observed.is_graded
    assert observed.n_related == 2


def made_at_random(share_related=0.1, unobserved="negative"):
    """Graded relations of 20 tasks, some of them unknown, and their strengths."""
    rng = np.random.RandomState(0)
    strengths = (rng.uniform(size=(20, 20)) < share_related) * rng.uniform(size=(20, 20))
    strengths[rng.uniform(size=(20, 20)) < 0.2] = np.nan
    np.fill_diagonal(strengths, 1)
    return TaskRelations(strengths, range(20), unobserved=unobserved).observed(), strengths


@pytest.mark.parametrize("unobserved", ["negative", "unknown"])
def test_a_sample_stands_for_all_observed_pairs(unobserved):
    pairs, truth = made_at_random(unobserved=unobserved)
    rng = np.random.RandomState(0)
    for _ in range(5):
        heads, tails, strengths, weights = pairs.sample(100, rng)
        assert len(heads) == len(np.unique(pairs.keys(heads, tails))) == 100
        np.testing.assert_array_equal(strengths, truth[heads, tails])
        assert np.count_nonzero(strengths) == pairs.n_related
        assert weights.sum() == pytest.approx(pairs.n_observed)
        assert weights @ strengths == pytest.approx(pairs.strengths.sum())


def test_a_sample_has_all_pairs_where_there_is_room():
    pairs, _ = made_at_random()
    heads, tails, strengths, weights = pairs.sample(1000, np.random.RandomState(0))
    order = np.argsort(pairs.keys(heads, tails))
    for mine, all_of_them in zip((heads, tails, strengths), pairs.expand(), strict=True):
        np.testing.assert_array_equal(mine[order], all_of_them)
    assert (weights == 1).all()


def test_samples_of_many_related_pairs_are_right_on_average():
    pairs, _ = made_at_random(share_related=0.9)
    rng, totals = np.random.RandomState(0), []
    for _ in range(200):
        _, _, strengths, weights = pairs.sample(50, rng)
        assert np.count_nonzero(strengths) == 25
        assert weights.sum() == pytest.approx(pairs.n_observed)
        totals.append(weights @ strengths)
    assert np.mean(totals) == pytest.approx(pairs.strengths.sum(), rel=0.02)


def test_a_sample_where_all_pairs_are_related():
    strengths = np.full((4, 4), 0.5)
    np.fill_diagonal(strengths, 1)
    pairs = TaskRelations(strengths).observed()
    _, _, drawn, weights = pairs.sample(6, np.random.RandomState(0))
    assert (drawn == 0.5).all()
    assert weights.sum() == 12


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


# -- soft targets ----------------------------------------------------------------------
def half_known():
    """Strengths of which half are NaN, and which pairs these are."""
    rng = np.random.RandomState(1)
    hidden = np.triu(rng.uniform(size=(N, N)) < 0.5, 1)
    hidden |= np.tril(rng.uniform(size=(N, N)) < 0.5, -1)
    return np.where(hidden, np.nan, STRENGTHS), hidden


def test_targets_stand_beside_observed_pairs_with_a_tenth_of_their_weight():
    seen, hidden = half_known()
    observed = TaskRelations(seen, tasks=range(N)).observed()
    targets = np.random.RandomState(2).uniform(0.1, 1, size=(N + 3, N + 3))
    targets[N:, N:] = np.nan
    targets[0, N] = targets[0, 1 + np.flatnonzero(hidden[0, 1:])[0]] = 1e-4  # as good as 0
    pairs = observed.with_targets(targets, weight=0.1)
    off = ~np.eye(N + 3, dtype=bool)
    strengths, mask = pairs.dense()
    # Pairs of augmented tasks stay unknown; all the others are observed or have a target.
    unknown = np.isnan(targets) & off
    np.testing.assert_array_equal(mask, off & ~unknown)
    assert pairs.n_unknown == unknown.sum() == 3 * 2
    expected = np.where(targets < 1e-3, 0, targets)
    expected[:N, :N][~hidden] = STRENGTHS[~hidden]
    np.testing.assert_allclose(strengths[mask], expected[mask], rtol=1e-6)
    weights = np.ones((N + 3, N + 3))
    weights[:N, :N][hidden] = 0.1  # also where a target is 0
    further = np.ones((N + 3, N + 3), dtype=bool)
    further[:N, :N] = False
    weights[further & (np.where(mask, expected, 0) > 0)] = 0.5
    heads, tails, listed, listed_weights = pairs.listed()
    found = np.ones((N + 3, N + 3))
    found[heads, tails] = listed_weights
    np.testing.assert_allclose(found[mask], weights[mask])
    assert (found[unknown] == 0).all()
    np.testing.assert_allclose(listed, np.where(mask, expected, 0)[heads, tails], rtol=1e-6)


@pytest.mark.parametrize("unobserved", ["negative", "unknown"])
def test_listed_pairs_are_all_but_observed_zeros(unobserved):
    seen, hidden = half_known()
    observed = TaskRelations(seen, tasks=range(N), unobserved=unobserved).observed()
    heads, tails, strengths, weights = observed.listed()
    found = {
        (u, v): (s, w) for u, v, s, w in zip(heads, tails, strengths, weights, strict=True)
    }
    assert len(found) == len(heads)
    related = dict.fromkeys(zip(*np.nonzero(seen == 1), strict=True), (1, 1))
    unknown = dict.fromkeys(zip(*np.nonzero(hidden), strict=True), (0, 0))
    assert found == related | unknown


def test_a_target_that_is_nan_leaves_a_pair_unknown():
    seen, hidden = half_known()
    observed = TaskRelations(seen, tasks=range(N)).observed()
    pairs = observed.with_targets(np.full((N, N), np.nan))
    assert pairs.n_observed == observed.n_observed
    for ours, theirs in zip(pairs.dense(), observed.dense(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert (pairs.listed()[3] == ~hidden[pairs.listed()[:2]]).all()


def test_relations_that_look_reversed_get_a_hint():
    edges = [(i, 0) for i in range(1, 30)]
    members = TaskRelations([(v, u) for u, v in edges], range(30))
    with pytest.warns(UserWarning, match="1 of 30 tasks lie.*container_to_member"):
        members.observed().check_related()
    chain = TaskRelations([(i, i + 1) for i in range(29)], range(30))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        TaskRelations(edges, range(30)).observed().check_related()
        chain.observed().check_related()  # the first lies in all, and all in the last
