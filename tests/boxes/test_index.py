"""Queries of known boxes, against the table of all overlaps."""

import networkx as nx
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch_modes import LargestTensor

from sklearn_task2box import TaskRelations
from sklearn_task2box.boxes import _index, overlap
from sklearn_task2box.boxes._index import KnownBoxes, graph_of, rankings
from sklearn_task2box.metrics import mean_average_precision

TEMPERATURE = 0.2


def make(n, dim, seed, spread=5.0):
    """Boxes of all sizes, some equal, some inside others, some very long."""
    rng = np.random.RandomState(seed)
    center = rng.normal(size=(n, dim)).round(1) * spread
    side = np.exp(rng.normal(size=(n, 1)) * 1.5 + 0.2 * rng.normal(size=(n, dim)))
    side *= rng.choice([1, 1e5], p=[0.8, 0.2], size=(n, dim))
    boxes = np.hstack([center - side / 2, center + side / 2])
    boxes[: n // 10] = boxes[-(n // 10) :][: n // 10]
    return boxes


def table(queries, known, inside):
    """All overlaps, by the public function."""
    lower, upper = torch.from_numpy(queries)[:, None].chunk(2, dim=-1)
    other_lower, other_upper = torch.from_numpy(known)[None].chunk(2, dim=-1)
    ends = (lower, upper, other_lower, other_upper)
    return overlap(*(ends if inside else ends[2:] + ends[:2]), TEMPERATURE).numpy()


@pytest.fixture(params=[(1 << 7, 1 << 4), (1 << 17, 1 << 12)], ids=["small", "default"])
def blocks(request, monkeypatch):
    """Block sizes with everything in the sample, and nearly nothing."""
    monkeypatch.setattr(_index, "_BLOCK", request.param[0])
    monkeypatch.setattr(_index, "_SAMPLE", request.param[1])


@pytest.mark.parametrize("inside", [True, False])
@pytest.mark.parametrize("order", ["C", "F"])
def test_overlaps_equal_the_public_function(inside, order, monkeypatch):
    monkeypatch.setattr(_index, "_TABLE", 1000)
    queries, known = make(37, 3, 0), make(450, 3, 1)
    boxes = KnownBoxes(np.asarray(known, order=order), TEMPERATURE)
    got = boxes.overlaps(KnownBoxes(queries, TEMPERATURE), inside)
    np.testing.assert_allclose(got, table(queries, known, inside), rtol=1e-7, atol=1e-12)


def test_columns_of_boxes_are_not_copied():
    known = np.asfortranarray(make(50, 3, 0))
    boxes = KnownBoxes(known, TEMPERATURE)
    assert np.shares_memory(boxes.lower.numpy(), known)
    known.flags.writeable = False
    KnownBoxes(known, TEMPERATURE)  # no warning


@pytest.mark.usefixtures("blocks")
@pytest.mark.parametrize("inside", [True, False])
@pytest.mark.parametrize("spread", [0.3, 5.0, 200.0])
@pytest.mark.parametrize("k", [1, 4, 60])
def test_best_equal_a_sort_of_the_whole_table(inside, spread, k):
    known = make(1500, 2, 1, spread)
    queries = np.vstack([make(30, 2, 2, spread), known[:10], [[-1e4] * 2 + [1e4] * 2]])
    boxes = KnownBoxes(known, TEMPERATURE)
    indices, strengths = boxes.best(KnownBoxes(queries, TEMPERATURE), k, inside)
    truth = boxes.overlaps(KnownBoxes(queries, TEMPERATURE), inside)
    sizes = boxes.sizes() * (1 if inside else -1)
    for row, found, values in zip(truth, indices, strengths, strict=True):
        want = np.lexsort((np.arange(len(known)), sizes, -row))[:k]
        np.testing.assert_allclose(values, row[want], rtol=1e-9)
        np.testing.assert_allclose(values, row[found], rtol=1e-9)
        clear = np.diff(row[want], prepend=np.inf) < -1e-9 * row[want]
        clear &= np.diff(row[want], append=-1) < -1e-9 * row[want]
        np.testing.assert_array_equal(found[clear], want[clear])


@pytest.mark.usefixtures("blocks")
def test_ties_are_ranked_by_tightness():
    sizes = np.arange(900, 0, -1.0)[:, None]
    known = np.hstack([-sizes, -sizes, sizes, sizes])
    boxes = KnownBoxes(known, TEMPERATURE)
    small = KnownBoxes(np.array([[-0.1, -0.1, 0.1, 0.1]]), TEMPERATURE)
    large = KnownBoxes(np.array([[-1e3, -1e3, 1e3, 1e3]]), TEMPERATURE)
    assert boxes.best(small, 3, True)[0].tolist() == [[899, 898, 897]]
    assert boxes.best(large, 3, False)[0].tolist() == [[0, 1, 2]]
    assert (boxes.best(large, 3, False)[1] == 1).all()


@pytest.mark.parametrize("inside", [True, False])
@pytest.mark.parametrize("rounding", [8e-16, -8e-16])
@pytest.mark.parametrize("apart", [0.0, 150.0])
def test_as_many_answers_as_asked_for_where_strengths_round_otherwise(
    inside, rounding, apart, monkeypatch
):
    # Strengths in a table of many boxes and those of the few that pass are computed by
    # vectors of other lengths, and differ in the last bits; 150 apart, they are denormal.
    exact = _index.overlap_by_dimension

    def rounds(*args):
        strengths = exact(*args)
        return strengths * (1 + rounding) if strengths.shape[-1] >= 100 else strengths

    monkeypatch.setattr(_index, "_SAMPLE", 100)
    monkeypatch.setattr(_index, "overlap_by_dimension", rounds)
    # A query of side 3 lies in none of the boxes, and none lies in it.
    side = np.linspace(0.5, 1, 200) if inside else np.linspace(2.5, 2, 200)
    best = np.arange(190, 200, 2)  # all of them in the sample
    side[best] = 1.2 if inside else 1.8
    known = np.column_stack([-side + apart, side + apart])
    queries = KnownBoxes(np.array([[-1.5, 1.5]] * 3), TEMPERATURE)
    boxes = KnownBoxes(known, TEMPERATURE)
    indices, strengths = boxes.best(queries, 5, inside)
    assert strengths.shape == (3, 5)
    table = boxes.overlaps(queries, inside)
    np.testing.assert_allclose(strengths, -np.sort(-table)[:, :5], rtol=1e-9, atol=1e-300)
    if not apart:
        np.testing.assert_array_equal(indices, [best] * 3)


@pytest.mark.usefixtures("blocks")
@pytest.mark.parametrize("inside", [True, False])
@pytest.mark.parametrize("exponent", [0.2, 3.0])
def test_exponent_changes_strengths_but_not_the_order(exponent, inside):
    known, queries = make(1500, 2, 1), make(30, 2, 2)
    plain, powered = (KnownBoxes(known, TEMPERATURE, e) for e in (1.0, exponent))
    queries = [KnownBoxes(queries, TEMPERATURE, e) for e in (1.0, exponent)]
    want = plain.overlaps(queries[0], inside) ** exponent
    np.testing.assert_allclose(powered.overlaps(queries[1], inside), want, rtol=1e-9)
    heads, tails = np.arange(1499), np.arange(1, 1500)
    np.testing.assert_allclose(
        powered.pairs(heads, tails), plain.pairs(heads, tails) ** exponent, rtol=1e-9
    )
    best, strengths = powered[5:].best(queries[1], 4, inside)
    np.testing.assert_allclose(
        strengths, plain[5:].best(queries[0], 4, inside)[1] ** exponent, rtol=1e-9
    )
    np.testing.assert_allclose(
        strengths, np.take_along_axis(want[:, 5:], best, axis=1), rtol=1e-9
    )
    thresholds = np.full(len(want), 0.6)
    for row, (found, values) in zip(
        want, powered.at_least(queries[1], thresholds, inside), strict=True
    ):
        np.testing.assert_array_equal(found, np.flatnonzero(row >= 0.6))
        np.testing.assert_allclose(values, row[found], rtol=1e-9)


@pytest.mark.usefixtures("blocks")
@pytest.mark.parametrize("inside", [True, False])
def test_the_box_itself_can_be_left_out(inside):
    boxes = KnownBoxes(make(700, 2, 0), TEMPERATURE)
    itself = np.arange(100, 150)  # of which no other box is a copy
    queries = boxes[100:150]
    indices, strengths = boxes.best(queries, 5, inside, without=itself)
    all_indices, all_strengths = boxes.best(queries, 6, inside)
    others = np.argsort(all_indices == itself[:, None], axis=1, kind="stable")[:, :5]
    np.testing.assert_array_equal(indices, np.take_along_axis(all_indices, others, 1))
    np.testing.assert_array_equal(strengths, np.take_along_axis(all_strengths, others, 1))


@given(
    seed=st.integers(0, 10**6),
    dim=st.integers(1, 4),
    threshold=st.floats(0, 1),
    inside=st.booleans(),
    spread=st.sampled_from([0.3, 3.0, 50.0]),
)
def test_no_overlap_above_a_threshold_is_missed(seed, dim, threshold, inside, spread):
    known, queries = make(200, dim, seed, spread), make(3, dim, seed + 1, spread)
    boxes, queries = (KnownBoxes(b, TEMPERATURE) for b in (known, queries))
    truth = boxes.overlaps(queries, inside)
    thresholds = [threshold, threshold**10, truth[2].max()]
    for row, one, (at, values) in zip(
        truth, thresholds, boxes.at_least(queries, thresholds, inside), strict=True
    ):
        surely = np.flatnonzero(row >= one * (1 + 1e-9))
        assert set(surely) <= set(at)
        assert set(at) <= set(np.flatnonzero(row >= one * (1 - 1e-9)))
        np.testing.assert_allclose(values, row[at], rtol=1e-9)


def test_memory_is_bounded_by_the_block(monkeypatch):
    monkeypatch.setattr(_index, "_TABLE", 900)
    monkeypatch.setattr(_index, "_BLOCK", 600)
    monkeypatch.setattr(_index, "_SAMPLE", 100)
    known = np.asfortranarray(make(1000, 3, 0))
    boxes, queries = KnownBoxes(known, 0.2), KnownBoxes(make(20, 3, 1), 0.2)
    with LargestTensor() as largest:
        boxes.best(queries, 4, True)
    assert largest.numbers <= 3 * 600
    with LargestTensor() as largest:
        boxes.overlaps(queries, True)
    assert largest.numbers <= 900


@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.9])
def test_graph_has_the_edges_of_the_whole_table(threshold):
    known = make(60, 2, 3)
    boxes = KnownBoxes(known, TEMPERATURE)
    truth = table(known, known, inside=True)
    np.fill_diagonal(truth, -1)
    whole = graph_of(boxes, threshold, reduce=False)
    assert list(whole) == list(range(60))
    assert set(whole.edges) == set(zip(*np.nonzero(truth >= threshold), strict=True))
    for i, j, weight in whole.edges(data="weight"):
        assert weight == pytest.approx(truth[i, j], rel=1e-7)
    reduced = graph_of(boxes, threshold, reduce=True)
    sizes = boxes.sizes()
    larger = nx.DiGraph((i, j) for i, j in whole.edges if (sizes[i], i) < (sizes[j], j))
    assert set(reduced.edges) == set(nx.transitive_reduction(larger).edges)


class GivenStrengths:
    """Tasks with given strengths and sizes."""

    def __init__(self, strengths, sizes):
        self.strengths, self._sizes = np.array(strengths), np.array(sizes)

    def __len__(self):
        return len(self.strengths)

    def sizes(self):
        return self._sizes

    def at_least(self, queries, thresholds, inside):
        for row, threshold in zip(self.strengths, thresholds, strict=True):
            at = np.flatnonzero(row >= threshold)
            yield at, row[at]


def test_reduced_graph_drops_edges_to_smaller_tasks_only_in_cycles():
    strengths = np.eye(5)
    strengths[0, 1] = strengths[1, 2] = strengths[2, 0] = 0.9  # a cycle
    strengths[3, 0] = strengths[3, 4] = strengths[4, 3] = 0.9  # to a smaller one, both ways
    graph = graph_of(GivenStrengths(strengths, [1, 2, 3, 4, 5]), 0.5, reduce=True)
    assert set(graph.edges) == {(0, 1), (1, 2), (3, 0), (3, 4)}


def test_reduced_graph_of_equal_tasks_is_a_chain():
    graph = graph_of(GivenStrengths(np.ones((3, 3)), [1, 1, 1]), 0.5, reduce=True)
    assert set(graph.edges) == {(0, 1), (1, 2)}


def test_rankings_give_the_average_precision_of_the_whole_table():
    known = make(50, 2, 4)
    rng = np.random.RandomState(0)
    strengths = rng.choice([0, 1, np.nan], p=[0.7, 0.2, 0.1], size=(50, 50))
    np.fill_diagonal(strengths, np.nan)
    boxes = KnownBoxes(known, TEMPERATURE)
    expected = mean_average_precision(strengths, boxes.overlaps(boxes, inside=True))
    rows = list(rankings(boxes, TaskRelations(strengths).observed()))
    precisions = [
        mean_average_precision([related.astype(float)], [values])
        for related, values in rows
    ]
    assert np.mean(precisions) == pytest.approx(expected)
