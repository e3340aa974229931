"""Boxes of new tasks among boxes that stay where they are."""

import copy
from dataclasses import replace

import networkx as nx
import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from sklearn_task2box import BoxRelationEmbedder, TaskPairs, TaskRelations
from sklearn_task2box.boxes._geometry import log_overlap
from sklearn_task2box.boxes._out_of_sample import _SharedVolumes, placed
from sklearn_task2box.datasets import load_digits_tasks
from sklearn_task2box.nets._objectives import CrossEntropy, SquaredError
from sklearn_task2box.relations import as_relations

QUICK = {"max_epochs": 60, "hidden_layer_sizes": (32,), "random_state": 0, "n_teachers": 1}


def boxes_of(outputs):
    position, raw = outputs.chunk(2, dim=1)
    side = torch.nn.functional.softplus(raw)
    return position - side / 2, position + side / 2


def overlaps(boxes, known, temperature):
    """Of each box in each known one, and the other way round."""
    (lower, upper), (low, up) = (b.chunk(2, dim=1) for b in (boxes, known))
    ours, theirs = (lower[:, None], upper[:, None]), (low[None], up[None])
    return (
        log_overlap(*ours, *theirs, temperature).exp(),
        log_overlap(*theirs, *ours, temperature).exp(),
    )


@pytest.fixture
def scene():
    """Known boxes, new ones, and what is expected of these."""
    generator = torch.Generator().manual_seed(0)
    known = torch.cat(
        boxes_of(2 * torch.randn(30, 6, generator=generator, dtype=torch.float64)), dim=1
    )
    truth = torch.cat(
        boxes_of(torch.randn(5, 6, generator=generator, dtype=torch.float64)), dim=1
    )
    start = torch.randn(5, 6, generator=generator, dtype=torch.float64)
    return start, known, *overlaps(truth, known, 0.1)


@given(st.integers(0, 2**31 - 1), st.integers(1, 4))
def test_shared_volumes_have_the_gradient_of_the_library(seed, dim):
    rng = np.random.RandomState(seed)
    lower, known_lower = (torch.from_numpy(rng.normal(size=(n, dim))) for n in (4, 3))
    upper, known_upper = (
        low + torch.from_numpy(rng.exponential(size=low.shape))
        for low in (lower, known_lower)
    )
    corners = [c.clone().requires_grad_() for c in (lower, upper)]
    shared = _SharedVolumes.apply(*corners, known_lower.T, known_upper.T)
    weights = torch.from_numpy(rng.normal(size=shared.shape))
    (weights * shared).sum().backward()
    others = [c.clone().requires_grad_() for c in (lower, upper)]
    low = torch.maximum(others[0][:, None], known_lower)
    up = torch.minimum(others[1][:, None], known_upper)
    expected = torch.nn.functional.softplus(up - low).log().sum(2)
    (weights * expected).sum().backward()
    torch.testing.assert_close(shared, expected)
    for ours, theirs in zip(corners, others, strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad)


@pytest.mark.parametrize("pair_loss", [CrossEntropy(), SquaredError()])
def test_boxes_fit_what_is_expected(scene, pair_loss):
    start, known, inside, around = scene
    counts = torch.ones(len(known), dtype=torch.float64)

    def gap(boxes):
        said = overlaps(boxes, known, 0.1)
        return max(
            float((s - e).abs().mean()) for s, e in zip(said, (inside, around), strict=True)
        )

    boxes = placed(start, boxes_of, known, counts, inside, around, pair_loss, 1.0, 0.1, 300)
    assert gap(boxes) < 0.2 * gap(torch.cat(boxes_of(start), dim=1))
    stays = placed(start, boxes_of, known, counts, inside, around, pair_loss, 1.0, 0.1, 0)
    torch.testing.assert_close(stays, torch.cat(boxes_of(start), dim=1))


def test_each_task_is_placed_by_itself(scene, monkeypatch):
    start, known, inside, around = scene
    counts = torch.ones(len(known), dtype=torch.float64)
    settings = CrossEntropy(), 3.0, 0.1, 100

    def place(some):
        told = inside[some], around[some]
        return placed(start[some], boxes_of, known, counts, *told, *settings)

    together = place(slice(None))
    alone = torch.cat([place(slice(i, i + 1)) for i in range(len(start))])
    torch.testing.assert_close(alone, together, rtol=0, atol=1e-8)
    monkeypatch.setattr("sklearn_task2box.boxes._out_of_sample._BLOCK", 2 * known.numel())
    torch.testing.assert_close(place(slice(None)), together, rtol=0, atol=1e-8)


def test_known_boxes_count_as_much_as_is_said(scene):
    start, known, inside, around = scene
    counts = torch.ones(len(known), dtype=torch.float64)
    counts[20:] = 0
    settings = boxes_of, known, counts
    some = placed(start, *settings, inside, around, CrossEntropy(), 3.0, 0.1, 100)
    few = [known[:20], counts[:20], inside[:, :20], around[:, :20]]
    torch.testing.assert_close(
        some,
        placed(start, boxes_of, *few, CrossEntropy(), 3.0, 0.1, 100),
        atol=1e-8,
        rtol=0,
    )


# -- of the estimator ------------------------------------------------------------------
@pytest.fixture(scope="module")
def novel(taxonomy):
    """Features, strengths, known tasks and new ones."""
    X, graph = taxonomy
    strengths = TaskRelations(graph, np.arange(len(X))).toarray()
    new = np.arange(3, len(X), 5)
    return X, strengths, np.setdiff1d(np.arange(len(X)), new), new


@pytest.fixture(scope="module")
def fitted(novel):
    X, strengths, known, _ = novel
    return BoxRelationEmbedder(**QUICK).fit(X[known], strengths[np.ix_(known, known)])


def test_known_tasks_keep_their_boxes(fitted, novel):
    X, _, known, _ = novel
    np.testing.assert_array_equal(fitted.transform(X[known]), fitted.boxes_)
    some = fitted.transform(X[known[[4, 2]]].astype(np.float32))
    np.testing.assert_array_equal(some, fitted.boxes_[[4, 2]])


def test_new_tasks_are_placed(fitted, novel):
    X, _, known, new = novel
    boxes = fitted.transform(X[new])
    mixed = fitted.transform(X)
    np.testing.assert_allclose(mixed[new], boxes, atol=1e-8)
    np.testing.assert_array_equal(mixed[known], fitted.boxes_)
    rates = fitted.predict_proba(TaskPairs(X, [(new[0], new[1]), (known[0], new[2])]))
    alone = fitted.predict_proba(X[new[:1]])
    assert rates.shape == (2, 2)
    np.testing.assert_allclose(alone, fitted.predict_proba(X[new])[:1], atol=1e-8)
    still = copy.deepcopy(fitted).set_params(placement_steps=0)
    assert np.abs(still.transform(X[new]) - boxes).max() > 1e-3


def test_placed_boxes_say_what_teachers_expect(novel):
    X, strengths, known, new = novel
    model = BoxRelationEmbedder(n_teachers=2, max_epochs=150, random_state=0)
    model.fit(X[known], strengths[np.ix_(known, known)])
    expected = []
    ask = model._teachers.ask
    model._teachers.ask = lambda *args: expected.append(ask(*args)) or expected[-1]
    placed_there = model.predict_proba(X[new])
    (inside, around), *_ = expected
    n_virtual = len(model._virtual_boxes)
    assert inside.shape == around.shape == (len(new), len(known) + n_virtual)
    inside, around = (said[:, : len(known)] for said in (inside, around))
    by_network = copy.copy(model)
    by_network._teachers = None
    gaps = [
        np.abs(s - inside).mean() for s in (placed_there, by_network.predict_proba(X[new]))
    ]
    assert gaps[0] < gaps[1]
    pairs = TaskPairs(
        X, np.stack(np.meshgrid(known, new, indexing="ij"), -1).reshape(-1, 2)
    )
    back = model.predict_proba(pairs)[:, 1].reshape(len(known), -1).T
    assert np.abs(back - around).mean() < 0.1
    truth = strengths[np.ix_(new, known)]
    assert average_precision_score(truth.ravel(), inside.ravel()) > 0.5


def test_new_tasks_are_predicted_better_where_they_are_placed():
    X, shares = load_digits_tasks(return_X_y=True)
    related = (np.asarray(shares) == 1).astype(float)
    gains = []
    for seed in range(2):
        new = np.random.RandomState(seed).permutation(len(X))[: len(X) // 4]
        known = np.setdiff1d(np.arange(len(X)), new)
        model = BoxRelationEmbedder(
            n_teachers=2, max_epochs=150, hidden_layer_sizes=(64,), random_state=seed
        )
        model.fit(X[known], related[np.ix_(known, known)])
        by_network = copy.copy(model)
        by_network._teachers = None
        pairs = np.stack(np.meshgrid(new, known, indexing="ij"), -1).reshape(-1, 2)
        for asked in (pairs, pairs[:, ::-1]):  # novel in known, known in novel
            placed_there, left = (
                average_precision_score(
                    related[tuple(asked.T)], one.predict_proba(TaskPairs(X, asked))[:, 1]
                )
                for one in (model, by_network)
            )
            gains.append(placed_there - left)
    assert np.mean(gains) > 0.04


@pytest.mark.parametrize("weight", [0.0, 0.8])
def test_a_divergence_has_its_say(novel, weight):
    rng = np.random.RandomState(0)
    X, strengths, known, new = novel
    X = np.hstack([X, rng.exponential(size=X.shape)])
    model = BoxRelationEmbedder(**QUICK, variances=True)
    model.fit(X[known], strengths[np.ix_(known, known)])
    teachers = model._teachers
    expected = []
    ask = teachers.ask
    teachers.ask = lambda *args: expected.append(ask(*args)) or expected[-1]
    for counts in (weight, 0.0):
        teachers.weights = replace(teachers.weights, new_divergence=counts)
        model.transform(X[new])
    (with_it, _), (without, _) = expected
    said, n = teachers.divergence.predict_proba(X[new]), len(known)
    np.testing.assert_allclose(
        with_it[:, :n], (1 - weight) * without[:, :n] + weight * said, atol=1e-8
    )
    np.testing.assert_array_equal(with_it[:, n:], without[:, n:])


def test_who_places(novel):
    X, strengths, known, new = novel
    y = strengths[np.ix_(known, known)]
    for others in (
        {"n_teachers": 0},
        {"placement_steps": 0},
        {"encoder": "linear"},
    ):
        model = BoxRelationEmbedder(**{**QUICK, **others}).fit(X[known], y)
        assert model._teachers is None
        np.testing.assert_allclose(model.transform(X[known]), model.boxes_, atol=1e-6)
    assert BoxRelationEmbedder(**QUICK).fit(X[known])._teachers is None  # a map


def test_placement_does_not_change_the_fit(fitted, novel):
    X, strengths, known, _ = novel
    without = BoxRelationEmbedder(**QUICK, placement_steps=0)
    without.fit(X[known], strengths[np.ix_(known, known)])
    np.testing.assert_array_equal(without.boxes_, fitted.boxes_)


def test_tasks_learned_later_are_known_and_others_are_placed(novel):
    X, strengths, known, new = novel
    model = BoxRelationEmbedder(**QUICK).fit(X[known], strengths[np.ix_(known, known)])
    later, rest = new[:2], new[2:]
    order = np.concatenate([known, later])
    more = strengths[np.ix_(order, order)].copy()
    more[: len(known), : len(known)] = np.nan
    heads, tails = np.nonzero(more > 0)
    model.partial_fit(X[later], list(zip(heads, tails, strict=True)))
    np.testing.assert_array_equal(model.transform(X[order]), model.boxes_)
    assert model._teachers.n_known == len(known)
    assert model.predict_proba(X[rest]).shape == (len(rest), len(order))


def test_a_warm_start_on_other_tasks_forgets_what_teachers_knew(novel):
    X, strengths, known, new = novel
    y = strengths[np.ix_(known, known)]
    model = BoxRelationEmbedder(**QUICK, warm_start=True).fit(X[known], y)
    teachers = model._teachers
    model.fit(X[known], y)
    assert model._teachers is teachers
    model.fit(X[known[:-1]], y[:-1, :-1])
    assert model._teachers is None
    assert model.transform(X[new]).shape == (len(new), 10)


def test_objectives_with_parameters_of_their_own_place(novel):
    X, strengths, known, new = novel

    class Scaled(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = torch.nn.Parameter(torch.ones(()))

        def forward(self, log_overlap, strengths):
            return (self.scale.abs().clamp(0.5, 2) * log_overlap.exp() - strengths) ** 2

    model = BoxRelationEmbedder(**QUICK, objective=Scaled)
    model.fit(X[known], strengths[np.ix_(known, known)])
    assert np.isfinite(model.transform(X[new])).all()


def test_twins_of_known_tasks_that_are_new(named_taxonomy):
    frame, graph = named_taxonomy
    doubled = pd.concat([frame, frame.iloc[:2].rename(lambda name: f"{name} again")])
    strengths = as_relations(graph, len(frame), frame.index.to_numpy()).toarray()
    order = np.r_[np.arange(len(frame)), 0, 1]
    names = doubled.index
    y = pd.DataFrame(strengths[np.ix_(order, order)], names, names)
    model = BoxRelationEmbedder(**QUICK).fit(doubled, y)
    assert len(model.twins_) == 4
    np.testing.assert_array_equal(model.transform(doubled), model.boxes_)
    stranger = model.transform(frame.iloc[:1].rename(lambda name: "a stranger"))
    assert np.abs(stranger - model.boxes_[[0, -2]]).max(axis=1).min() > 0


def test_a_warm_start_on_other_relations_forgets_them_too(taxonomy):
    X, graph = taxonomy
    model = BoxRelationEmbedder(**QUICK, warm_start=True).fit(X, graph)
    teachers = model._teachers
    for same in (graph, nx.to_scipy_sparse_array(graph, nodelist=range(len(X)))):
        assert model.fit(X, same)._teachers is teachers
    opposite = graph.reverse()
    model.fit(X, opposite)
    assert model._teachers is None
    model = BoxRelationEmbedder(**QUICK, warm_start=True, predict_from="teachers")
    before = vars(model.fit(X, graph)).copy()
    with pytest.raises(ValueError, match="these tasks and relations"):
        model.fit(X, opposite)
    assert vars(model) == before


def test_so_do_tasks_of_equal_features_unless_they_are_the_same(taxonomy):
    X, graph = taxonomy
    X = X.copy()
    X[[3, 7]] = X[1]
    options = {"warm_start": True, "separate_twins": False, "predict_from": "teachers"}
    model = BoxRelationEmbedder(**QUICK, **options).fit(X, graph)
    teachers = model._teachers
    assert model.fit(X, graph)._teachers is teachers
