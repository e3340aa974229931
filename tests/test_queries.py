"""Searches among known boxes, against the table of all overlaps."""

import networkx as nx
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sklearn_task2box import queries
from sklearn_task2box.boxes._geometry import overlap
from sklearn_task2box.boxes._index import KnownBoxes, graph_of, rankings
from sklearn_task2box.metrics import mean_average_precision
from sklearn_task2box.relations._task_relations import TaskRelations

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


def table(asked, known, inside):
    """By the function of geometry."""
    lower, upper = torch.from_numpy(asked)[:, None].chunk(2, dim=-1)
    other_lower, other_upper = torch.from_numpy(known)[None].chunk(2, dim=-1)
    ends = (lower, upper, other_lower, other_upper)
    return overlap(*(ends if inside else ends[2:] + ends[:2]), TEMPERATURE).numpy()


@pytest.fixture(params=[(1 << 7, 1 << 4), (1 << 17, 1 << 12)], ids=["small", "default"])
def blocks(request, monkeypatch):
    """Both ways: everything in the sample, and nearly nothing."""
    monkeypatch.setattr(queries, "_BLOCK", request.param[0])
    monkeypatch.setattr(queries, "_SAMPLE", request.param[1])


@pytest.mark.parametrize("inside", [True, False])
@pytest.mark.parametrize("order", ["C", "F"])
def test_overlaps_are_those_of_geometry(inside, order, monkeypatch):
    monkeypatch.setattr(queries, "_TABLE", 1000)
    asked, known = make(37, 3, 0), make(450, 3, 1)
    boxes = KnownBoxes(np.asarray(known, order=order), TEMPERATURE)
    got = boxes.overlaps(KnownBoxes(asked, TEMPERATURE), inside)
    np.testing.assert_allclose(got, table(asked, known, inside), rtol=1e-7, atol=1e-12)


def test_columns_are_not_copied():
    known = np.asfortranarray(make(50, 3, 0))
    boxes = KnownBoxes(known, TEMPERATURE)
    assert np.shares_memory(boxes.lower.numpy(), known)
    known.flags.writeable = False
    KnownBoxes(known, TEMPERATURE)  # no warning


@pytest.mark.usefixtures("blocks")
@pytest.mark.parametrize("inside", [True, False])
@pytest.mark.parametrize("spread", [0.3, 5.0, 200.0])
@pytest.mark.parametrize("k", [1, 4, 60])
def test_the_best_are_those_of_the_whole_table(inside, spread, k):
    known = make(1500, 2, 1, spread)
    asked = np.vstack([make(30, 2, 2, spread), known[:10], [[-1e4] * 2 + [1e4] * 2]])
    boxes = KnownBoxes(known, TEMPERATURE)
    indices, strengths = boxes.best(KnownBoxes(asked, TEMPERATURE), k, inside)
    truth = boxes.overlaps(KnownBoxes(asked, TEMPERATURE), inside)
    sizes = boxes.sizes() * (1 if inside else -1)
    for row, found, values in zip(truth, indices, strengths, strict=True):
        want = np.lexsort((np.arange(len(known)), sizes, -row))[:k]
        np.testing.assert_allclose(values, row[want], rtol=1e-9)
        np.testing.assert_allclose(values, row[found], rtol=1e-9)
        clear = np.diff(row[want], prepend=np.inf) < -1e-9 * row[want]
        clear &= np.diff(row[want], append=-1) < -1e-9 * row[want]
        np.testing.assert_array_equal(found[clear], want[clear])


@pytest.mark.usefixtures("blocks")
def test_of_equally_strong_ones_the_tightest_comes_first():
    sizes = np.arange(900, 0, -1.0)[:, None]
    known = np.hstack([-sizes, -sizes, sizes, sizes])
    boxes = KnownBoxes(known, TEMPERATURE)
    small = KnownBoxes(np.array([[-0.1, -0.1, 0.1, 0.1]]), TEMPERATURE)
    large = KnownBoxes(np.array([[-1e3, -1e3, 1e3, 1e3]]), TEMPERATURE)
    assert boxes.best(small, 3, True)[0].tolist() == [[899, 898, 897]]
    assert boxes.best(large, 3, False)[0].tolist() == [[0, 1, 2]]
    assert (boxes.best(large, 3, False)[1] == 1).all()


@pytest.mark.usefixtures("blocks")
@pytest.mark.parametrize("inside", [True, False])
@pytest.mark.parametrize("exponent", [0.2, 3.0])
def test_an_exponent_changes_strengths_and_no_order(exponent, inside):
    known, asked = make(1500, 2, 1), make(30, 2, 2)
    plain, powered = (KnownBoxes(known, TEMPERATURE, e) for e in (1.0, exponent))
    asked = [KnownBoxes(asked, TEMPERATURE, e) for e in (1.0, exponent)]
    want = plain.overlaps(asked[0], inside) ** exponent
    np.testing.assert_allclose(powered.overlaps(asked[1], inside), want, rtol=1e-9)
    heads, tails = np.arange(1499), np.arange(1, 1500)
    np.testing.assert_allclose(
        powered.pairs(heads, tails), plain.pairs(heads, tails) ** exponent, rtol=1e-9
    )
    best, strengths = powered[5:].best(asked[1], 4, inside)
    np.testing.assert_allclose(
        strengths, plain[5:].best(asked[0], 4, inside)[1] ** exponent, rtol=1e-9
    )
    np.testing.assert_allclose(
        strengths, np.take_along_axis(want[:, 5:], best, axis=1), rtol=1e-9
    )
    marks = np.full(len(want), 0.6)
    for row, (found, values) in zip(
        want, powered.at_least(asked[1], marks, inside), strict=True
    ):
        np.testing.assert_array_equal(found, np.flatnonzero(row >= 0.6))
        np.testing.assert_allclose(values, row[found], rtol=1e-9)


@pytest.mark.usefixtures("blocks")
@pytest.mark.parametrize("inside", [True, False])
def test_a_box_may_be_left_out(inside):
    known = make(700, 2, 0)
    boxes = KnownBoxes(known, TEMPERATURE)
    indices, _ = boxes.best(boxes, 5, inside, without=np.arange(700))
    assert (indices != np.arange(700)[:, None]).all()


@given(
    seed=st.integers(0, 10**6),
    dim=st.integers(1, 4),
    mark=st.floats(0, 1),
    inside=st.booleans(),
    spread=st.sampled_from([0.3, 3.0, 50.0]),
)
@settings(max_examples=150, deadline=None)
def test_nothing_above_a_mark_is_missed(seed, dim, mark, inside, spread):
    known, asked = make(200, dim, seed, spread), make(3, dim, seed + 1, spread)
    boxes, asked = (KnownBoxes(b, TEMPERATURE) for b in (known, asked))
    truth = boxes.overlaps(asked, inside)
    marks = [mark, mark**10, truth[2].max()]
    for row, one, (at, values) in zip(
        truth, marks, boxes.at_least(asked, marks, inside), strict=True
    ):
        surely = np.flatnonzero(row >= one * (1 + 1e-9))
        assert set(surely) <= set(at)
        assert set(at) <= set(np.flatnonzero(row >= one * (1 - 1e-9)))
        np.testing.assert_allclose(values, row[at], rtol=1e-9)


class Largest(torch.utils._python_dispatch.TorchDispatchMode):
    """Notes the most numbers that any tensor made meanwhile has."""

    numbers = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        views = func.is_view or func._schema.name.endswith("_")
        if isinstance(made, torch.Tensor) and not views:
            self.numbers = max(self.numbers, made.numel())
        return made


def test_memory_is_bounded_by_the_block(monkeypatch):
    monkeypatch.setattr(queries, "_TABLE", 3000)
    monkeypatch.setattr(queries, "_BLOCK", 2000)
    monkeypatch.setattr(queries, "_SAMPLE", 500)
    known = np.asfortranarray(make(20_000, 3, 0))
    boxes, asked = KnownBoxes(known, 0.2), KnownBoxes(make(50, 3, 1), 0.2)
    with Largest() as largest:
        boxes.best(asked, 4, True)
    assert largest.numbers <= 3 * 2000
    with Largest() as largest:
        boxes.overlaps(asked, True)
    assert largest.numbers <= 3000


@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.9])
def test_a_graph_has_the_strengths_of_the_whole_table(threshold):
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


class Told:
    """Tasks whose strengths and sizes are given."""

    def __init__(self, strengths, sizes):
        self.strengths, self._sizes = np.array(strengths), np.array(sizes)

    def __len__(self):
        return len(self.strengths)

    def sizes(self):
        return self._sizes

    def at_least(self, asked, marks, inside):
        for row, mark in zip(self.strengths, marks, strict=True):
            at = np.flatnonzero(row >= mark)
            yield at, row[at]


def test_only_cycles_lose_the_edges_to_smaller_tasks():
    strengths = np.eye(5)
    strengths[0, 1] = strengths[1, 2] = strengths[2, 0] = 0.9  # a cycle
    strengths[3, 0] = strengths[3, 4] = strengths[4, 3] = 0.9  # to a smaller one, both ways
    graph = graph_of(Told(strengths, [1, 2, 3, 4, 5]), 0.5, reduce=True)
    assert set(graph.edges) == {(0, 1), (1, 2), (3, 0), (3, 4)}


def test_equal_tasks_are_a_chain_in_their_order():
    graph = graph_of(Told(np.ones((3, 3)), [1, 1, 1]), 0.5, reduce=True)
    assert set(graph.edges) == {(0, 1), (1, 2)}


def test_rankings_are_those_of_the_whole_table():
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
