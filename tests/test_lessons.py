"""Who asks teachers, and what is learned from them."""

from dataclasses import replace

import networkx as nx
import numpy as np
import pytest
import torch
from conftest import few_of
from joblib import Parallel
from scipy import sparse
from sklearn.metrics import average_precision_score, log_loss
from sklearn_task2box.nets._training import FinishedEpochs
from sklearn_task2box.teachers import MAX_TASKS, N_TEACHERS, teacher_settings
from sklearn_task2box.utils._calibration import AS_SAID
from skorch.callbacks import Callback
from torch import nn

from sklearn_task2box import BoxRelationEmbedder, TaskRelations, lessons
from sklearn_task2box.datasets import load_digits_tasks
from sklearn_task2box.metrics import best_f1_threshold
from sklearn_task2box.nets._encoders import Stack

QUICK = {"max_epochs": 60, "hidden_layer_sizes": (32,), "random_state": 0}


@pytest.fixture
def asked(monkeypatch):
    """Arguments of the teachers of the fits to come."""
    asked = []

    def remember(settings, number, seed):
        asked.append(teacher_settings(settings, number, seed))
        return asked[-1]

    monkeypatch.setattr("sklearn_task2box.lessons.teacher_settings", remember)
    return asked


def test_who_asks_teachers(taxonomy, asked):
    X, graph = taxonomy
    model = BoxRelationEmbedder(**QUICK).fit(X, graph)
    assert len(asked) == N_TEACHERS + N_TEACHERS // 2  # some of them rehearse
    assert len({settings["random_state"] for settings in asked}) == N_TEACHERS
    assert model.boxes_.shape == (len(X), 10)  # none of a virtual task
    asked.clear()
    model.set_params(warm_start=True).fit(X, graph)  # it goes on
    model.partial_fit(X[:1], [(40, 0)])
    BoxRelationEmbedder(**QUICK, n_teachers=0).fit(X, graph)
    BoxRelationEmbedder(**QUICK).fit(X)  # a map
    BoxRelationEmbedder(init="layout", max_epochs=0).fit(X, graph)  # nobody learns
    one_hot = np.eye(len(X))
    BoxRelationEmbedder(encoder="table", **QUICK).fit(one_hot, graph)  # nothing to teach
    assert asked == []
    hidden = TaskRelations(graph, np.arange(len(X))).toarray()
    hidden[0, 1] = np.nan
    BoxRelationEmbedder(encoder="table", n_teachers=1, **QUICK).fit(one_hot, hidden)
    assert len(asked) == 1


def test_who_learns_from_teachers_takes_longer_and_is_wider(taxonomy, asked):
    X, graph = taxonomy
    settings = {"hidden_layer_sizes": (16, 8), "n_teachers": 1, "random_state": 0}
    model = BoxRelationEmbedder(**settings).fit(X, graph)
    assert model.n_iter_ == 1200
    assert {settings["max_epochs"] for settings in asked} == {200}
    head = [
        layer
        for layer in model.net_.module_.body.head.modules()
        if isinstance(layer, nn.Linear)
    ]
    assert [layer.out_features for layer in head] == [32, 2 * 5]
    model.set_params(warm_start=True).fit(X, graph)
    assert model.n_iter_ == 1200 + 400
    model.set_params(warm_start=False, n_teachers=0).fit(X, graph)
    assert model.n_iter_ == 400
    model.set_params(n_teachers=1, max_epochs=30).fit(X, graph)  # and no longer than that
    assert model.n_iter_ == 30
    assert asked[-1]["max_epochs"] == 30
    linear = {"hidden_layer_sizes": (), "n_teachers": 1, "max_epochs": 5}
    body = BoxRelationEmbedder(**linear).fit(X, graph).net_.module_.body
    assert not any(isinstance(layer, nn.ReLU) for layer in body.head.modules())


@pytest.mark.parametrize(
    ("options", "rate"),
    [
        ({"box_dim": 5}, 0.01),
        ({"box_dim": 20}, 0.01),
        ({"box_dim": 2}, 0.01 * 0.04 / 0.25),
        ({"box_dim": 5, "temperature": 0.125}, 0.005),
        ({"box_dim": 2, "n_teachers": 0}, 0.01),
    ],
    ids=str,
)
def test_steps_are_short_where_the_temperature_is_low(taxonomy, options, rate):
    rates = []

    class Rates(Callback):
        def on_batch_end(self, net, **_):
            rates.append(net.optimizer_.param_groups[0]["lr"])

    settings = {**QUICK, "n_teachers": 1, "learning_rate": 0.01, "callbacks": [Rates()]}
    BoxRelationEmbedder(**{**settings, **options}).fit(*taxonomy)
    assert max(rates) == pytest.approx(rate, rel=1e-2)


def test_fits_know_how_sure_their_teachers_should_be():
    X, shares = load_digits_tasks(return_X_y=True)
    related = (np.asarray(shares) == 1).astype(float)
    seen = few_of(related, 0.2)
    model = BoxRelationEmbedder(predict_from="teachers", **QUICK).fit(X, seen)
    hidden = np.isnan(seen) & ~np.eye(len(X), dtype=bool)

    def deviance():
        said = model.predict_proba(X)[hidden].clip(1e-6, 1 - 1e-6)
        return log_loss(related[hidden], said)

    calibrated = deviance()
    model._teachers.weights = replace(model._teachers.weights, known=AS_SAID)
    assert calibrated < 0.95 * deviance()


@pytest.mark.filterwarnings("error")
def test_teachers_stand_features_of_any_scale(taxonomy):
    X, graph = taxonomy
    model = BoxRelationEmbedder(**QUICK, n_teachers=1).fit(1e200 * X, graph)
    assert np.isfinite(model.boxes_).all()


def test_the_network_reads_what_teachers_make_of_the_features(taxonomy):
    X, graph = taxonomy
    model = BoxRelationEmbedder(**QUICK, n_teachers=2).fit(X, graph)
    stack = model.net_.module_.body
    assert isinstance(stack, Stack)
    assert len(stack.bodies) == 3  # two of boxes, and half as many of roles
    assert not any(p.requires_grad for p in stack.bodies.parameters())
    assert all(p.requires_grad for p in stack.head.parameters())
    linear = BoxRelationEmbedder(**QUICK, n_teachers=2, encoder="linear").fit(X, graph)
    assert isinstance(linear.net_.module_.body, nn.Linear)


def test_partial_fit_goes_on_with_what_teachers_made(taxonomy):
    X, graph = taxonomy
    known = np.arange(len(X) - 4)
    X = np.hstack([X, np.random.RandomState(0).normal(size=(len(X), 60))])  # of full rank
    strengths = TaskRelations(graph, np.arange(len(X))).toarray()
    model = BoxRelationEmbedder(**QUICK, n_teachers=1)
    model.fit(X[known], strengths[np.ix_(known, known)])
    last = model.net_.module_.body.bodies[0][-1].weight.clone()
    before = model.score(X[known], strengths[np.ix_(known, known)])
    heads, tails = np.nonzero(strengths * ~np.eye(len(X), dtype=bool))
    more = (heads >= len(known)) | (tails >= len(known))
    model.partial_fit(X[-4:], list(zip(heads[more], tails[more], strict=True)))
    assert model.boxes_.shape[0] == len(X)
    np.testing.assert_allclose(model.transform(X), model.boxes_, atol=1e-6)
    assert torch.equal(model.net_.module_.body.bodies[0][-1].weight, last)
    assert model.predict_proba(X[known])[:, known].shape == (len(known), len(known))
    scored = strengths[np.ix_(known, known)]
    rest = ~np.eye(len(known), dtype=bool)
    kept = average_precision_score(
        scored[rest], model.predict_proba(X[known])[:, known][rest]
    )
    assert kept >= 0.98 * before


@pytest.mark.parametrize(("number", "kind"), [(1, "BoxEncoder"), (3, "Roles")])
def test_an_interrupted_teacher_ends_the_fit(taxonomy, monkeypatch, number, kind):
    X, graph = taxonomy
    seen = few_of(nx.to_numpy_array(graph, nodelist=range(len(X))), 0.6)
    model = BoxRelationEmbedder(**QUICK, n_teachers=2)
    before, fits = vars(model).copy(), []

    def interrupt(self, net, **kwargs):
        if len(net.history) == 1:
            fits.append(type(net.module_).__name__)
        if len(fits) == number and len(net.history) == 5:
            raise KeyboardInterrupt

    monkeypatch.setattr(FinishedEpochs, "on_epoch_begin", interrupt)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, seen)
    assert vars(model) == before
    assert fits[-1] == kind
    assert len(fits) == number  # none was fitted after it


def test_large_fits_ask_nobody_unless_told_to(asked, monkeypatch):
    monkeypatch.setattr("sklearn_task2box.embedder.MAX_TASKS", 9)
    assert MAX_TASKS > 1000
    X = np.random.RandomState(0).normal(size=(10, 3))
    D = np.full((10, 10), np.nan)
    D[0, 1], D[1, 0] = 1, 0
    BoxRelationEmbedder(**QUICK).fit(X, D)
    assert asked == []
    BoxRelationEmbedder(**QUICK, n_teachers=2).fit(X, D)
    assert len(asked) == 2


def test_only_observed_pairs_make_the_threshold_and_the_kind_of_score(taxonomy):
    X, graph = taxonomy
    strengths = TaskRelations(graph, np.arange(len(X))).toarray()
    seen = np.where(np.random.RandomState(0).uniform(size=strengths.shape) < 0.2, np.nan, 0)
    model = BoxRelationEmbedder(**QUICK).fit(X, strengths + seen)
    assert not model._graded  # opinions are graded, relations are not
    true, predicted = strengths + seen, model.predict_proba(X)
    np.fill_diagonal(true, np.nan)
    observed = ~np.isnan(true)
    best = best_f1_threshold(true[observed], predicted[observed])
    assert model.threshold_ == pytest.approx(best, rel=1e-9)


def test_what_they_teach_is_learned(taxonomy):
    X, graph = taxonomy
    strengths = TaskRelations(graph, np.arange(len(X))).toarray()
    scores = {}
    for n_teachers in (0, 4):
        scores[n_teachers] = []
        for seed in range(4):
            rng = np.random.RandomState(seed)
            hidden = rng.uniform(size=strengths.shape) < 0.5
            np.fill_diagonal(hidden, False)
            model = BoxRelationEmbedder(
                2, n_teachers=n_teachers, max_epochs=150, random_state=seed
            ).fit(X, np.where(hidden, np.nan, strengths))
            predicted = model.predict_proba(X)[hidden]
            scores[n_teachers].append(average_precision_score(strengths[hidden], predicted))
    assert np.mean(scores[4]) > np.mean(scores[0]) + 0.02


def test_variances_are_seen_by_their_names_and_help_where_relations_are_few(kinds):
    X, strengths = kinds

    def score(X, variances, seed):
        some = few_of(strengths, 0.15, seed)
        hidden = np.isnan(some) & ~np.eye(len(X), dtype=bool)
        settings = {**QUICK, "n_teachers": 1, "variances": variances, "random_state": seed}
        predicted = BoxRelationEmbedder(**settings).fit(X, some).predict_proba(X)
        return average_precision_score(strengths[hidden], predicted[hidden])

    named, without = (
        [score(X, variances, seed) for seed in range(2)] for variances in ("auto", False)
    )
    assert np.mean(named) > np.mean(without) + 0.05
    assert score(X.to_numpy(), True, 0) == named[0]
    assert score(X.to_numpy(), "auto", 0) == without[0]


def test_features_that_are_no_variances(kinds, taxonomy):
    X, strengths = kinds
    centred = X - X.mean()
    auto = BoxRelationEmbedder(**QUICK, n_teachers=1).fit(centred, strengths)
    without = BoxRelationEmbedder(**QUICK, n_teachers=1, variances=False)
    np.testing.assert_array_equal(auto.boxes_, without.fit(centred, strengths).boxes_)
    with pytest.raises(ValueError, match="which are not negative; got -.* variances=False"):
        BoxRelationEmbedder(**QUICK, variances=True).fit(centred, strengths)
    with pytest.raises(ValueError, match="odd number, 59"):
        BoxRelationEmbedder(**QUICK, variances=True).fit(X.iloc[:, 1:], strengths)


def test_variances_of_new_tasks_are_not_negative(kinds):
    X, strengths = kinds
    settings = {**QUICK, "max_epochs": 5}
    model = BoxRelationEmbedder(**settings, variances=True).fit(X, strengths)
    wrong = X + 0.1
    wrong.iloc[0, -1] = -1e-3
    with pytest.raises(ValueError, match=r"not negative; got -0\.001\. Do not centre"):
        model.transform(wrong)
    # What only the names say of scaled columns is no reason to refuse new tasks.
    guessed = BoxRelationEmbedder(**settings, predict_from="teachers").fit(X, strengths)
    assert guessed._teachers.weights.new_divergence > 0
    at_least_0 = wrong.copy()
    at_least_0.iloc[0, -1] = 0
    assert np.isfinite(guessed.transform(wrong)).all()
    told, expected = guessed.predict_proba(wrong), guessed.predict_proba(at_least_0)
    np.testing.assert_allclose(told, expected, atol=0.01)
    with pytest.raises(ValueError, match="too large for a divergence"):
        BoxRelationEmbedder(**settings, variances=True).fit(1e200 * X, strengths)


@pytest.mark.parametrize("form", ["features", "table"])
def test_several_are_fitted_at_a_time(taxonomy, form, monkeypatch):
    asked = []
    monkeypatch.setattr(
        lessons, "Parallel", lambda n, **how: asked.append(n) or Parallel(n, **how)
    )
    X, graph = taxonomy
    seen = few_of(nx.to_numpy_array(graph, nodelist=range(len(X))), 0.6)
    options = {**QUICK, "max_epochs": 20, "n_teachers": 2}
    if form == "table":
        X, options["encoder"] = sparse.identity(len(X), format="csr"), "table"
    one, two = (
        BoxRelationEmbedder(**options, n_jobs=n_jobs).fit(X, seen) for n_jobs in (None, 2)
    )
    np.testing.assert_array_equal(one.boxes_, two.boxes_)
    np.testing.assert_allclose(one.predict_proba(X), two.predict_proba(X), atol=1e-12)
    assert asked[: len(asked) // 2] == [None] * (len(asked) // 2)
    assert set(asked[len(asked) // 2 :]) == {2}


def test_a_derived_class_may_have_fewer_arguments(taxonomy):
    class Flat(BoxRelationEmbedder):
        def __init__(self, max_epochs=10):
            super().__init__(2, max_epochs=max_epochs, n_teachers=1, random_state=0)

    boxes = Flat().fit(*taxonomy).boxes_
    same = BoxRelationEmbedder(2, max_epochs=10, n_teachers=1, random_state=0)
    np.testing.assert_array_equal(boxes, same.fit(*taxonomy).boxes_)


def test_small_teachers_use_one_thread(taxonomy, monkeypatch):
    """More wait for one another, and for whatever else the machine does."""
    before, seen = torch.get_num_threads(), {}

    def remember(self, net, **kwargs):
        seen.setdefault(type(net.module_).__name__, set()).add(torch.get_num_threads())

    monkeypatch.setattr(FinishedEpochs, "on_epoch_begin", remember)
    torch.set_num_threads(2)
    try:
        BoxRelationEmbedder(max_epochs=2, n_teachers=1).fit(*taxonomy)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert seen == {"BoxEncoder": {1}, "Roles": {1}}
