"""What teachers say of unknown pairs, and what a rehearsal makes of it."""

from dataclasses import replace

import numpy as np
import pytest
from conftest import few_of
from scipy.special import expit, logit
from sklearn.metrics import average_precision_score
from sklearn_task2box.opinions import Weights
from sklearn_task2box.teachers import (
    Panel,
    ask_divergence,
    ask_of_pairs,
    ask_popularity,
    calibrated,
    fit_divergence,
    fit_pair_classifier,
    rehearse,
    teacher_settings,
    virtual_tasks,
)
from sklearn_task2box.utils._calibration import AS_SAID

from sklearn_task2box import BoxRelationEmbedder, TaskPairs, TaskRelations

SETTINGS = BoxRelationEmbedder(
    3, max_epochs=70, n_teachers=2, early_stopping=True, verbose=1
).get_params()
QUICK = {"max_epochs": 60, "hidden_layer_sizes": (32,), "random_state": 0}


def table_of(pairs):
    strengths, observed = pairs.dense()
    return np.where(observed, strengths, np.nan)


def test_settings_of_a_teacher():
    first, second = (teacher_settings(SETTINGS, i, seed=5) for i in range(2))
    assert first["box_dim"] > 3
    assert first["max_epochs"] == 70
    assert first["random_state"] == 5
    assert first["n_teachers"] == first["verbose"] == 0
    assert not first["early_stopping"]
    assert (first["normalization"], second["normalization"]) == (None, "layer")
    kept = teacher_settings({**SETTINGS, "temperature": 0.3, "box_dim": 40}, 0, 0)
    assert (kept["temperature"], kept["box_dim"]) == (0.3, 40)


def test_teachers_differ_in_layers_and_in_exponents():
    four = [teacher_settings(SETTINGS | {"exponent": 0.2}, i, seed=5) for i in range(4)]
    assert {(one["normalization"], one["exponent"]) for one in four} == {
        (None, 1.0),
        ("layer", 1.0),
        (None, 0.2),
        ("layer", 0.2),
    }
    # As many of either among the two of a rehearsal.
    assert [one["exponent"] for one in four[:2]] == [1.0, 0.2]


@pytest.mark.parametrize("share", [0.3, 1.0])
def test_a_rehearsal_holds_out_tasks_and_pairs(taxonomy, share):
    X, graph = taxonomy
    strengths = TaskRelations(graph, np.arange(len(X))).toarray()
    pairs = TaskRelations(few_of(strengths, share)).observed()
    table = table_of(pairs)
    one, again = (rehearse(pairs, np.random.RandomState(0)) for _ in range(2))
    np.testing.assert_array_equal(one.order, again.order)
    np.testing.assert_array_equal(np.sort(one.order), np.arange(len(X)))
    n = one.rest.n_tasks
    assert n == 36
    said = [*zip(*np.nonzero(~np.isnan(table_of(one.rest))), strict=True)]
    for heads, tails, values in (one.known, one.new):
        np.testing.assert_array_equal(table[one.order[heads], one.order[tails]], values)
        said += zip(heads, tails, strict=True)
    assert len(said) == len(set(said))  # no pair is in two parts
    assert ((one.known[0] < n) & (one.known[1] < n)).all()
    assert ((one.new[0] < n) != (one.new[1] < n)).all()
    # Of all that is observed, only pairs of two new tasks are in none.
    both_new = np.isin(np.arange(len(X)), one.order[n:])
    assert (
        len(said)
        == (~np.isnan(table)).sum() - (~np.isnan(table[np.ix_(both_new, both_new)])).sum()
    )


def test_of_few_relations_nothing_is_held_out():
    few = np.zeros((30, 30))
    few[0, 1:20] = 1
    assert rehearse(TaskRelations(few).observed(), np.random.RandomState(0)) is None
    few[0, 20] = 1
    assert rehearse(TaskRelations(few).observed(), np.random.RandomState(0)) is not None


def relations_by_chance(n, graded):
    """Probabilities, and pairs that are related with these or, graded, to that extent."""
    rng = np.random.RandomState(0)
    meant = expit(rng.normal(-1, 2, size=(n, n)))
    strengths = meant if graded else (rng.uniform(size=(n, n)) < meant).astype(float)
    strengths = strengths.copy()
    np.fill_diagonal(strengths, np.nan)
    return meant, TaskRelations(strengths).observed()


@pytest.mark.parametrize("graded", [False, True])
@pytest.mark.parametrize("slope", [0.5, 2.0])
def test_a_rehearsal_tells_how_sure_opinions_should_be(slope, graded):
    meant, pairs = relations_by_chance(150, graded)
    rehearsal = rehearse(pairs, np.random.RandomState(0))
    said = expit(logit(meant) / slope)[np.ix_(rehearsal.order, rehearsal.order)]
    panel = Panel(None, [], [], [], None, (said, said, said))
    weights = Weights(0.0, 0.1, 0.0, 0.0, 0.0, 0.3)
    found = calibrated(weights, rehearsal, None, panel, None)
    for line in (found.known, found.new):
        if slope < 1 and not graded:
            assert line == AS_SAID  # fewer teachers that know less may well be too sure
        else:
            assert line.slope == pytest.approx(slope, rel=0.2)
            assert line.intercept == pytest.approx(0, abs=0.2)
    assert replace(found, known=AS_SAID, new=AS_SAID) == weights


def test_two_tasks_say_nothing_of_new_ones():
    meant, pairs = relations_by_chance(20, True)
    rehearsal = rehearse(pairs, np.random.RandomState(0))
    said = expit(logit(meant) / 2)[np.ix_(rehearsal.order, rehearsal.order)]
    weights = Weights(0.0, 0.1, 0.0, 0.0, 0.0, 0.3)
    panel = Panel(None, [], [], [], None, (said, said, said))
    found = calibrated(weights, rehearsal, None, panel, None)
    assert found.new == AS_SAID
    assert found.known.slope > 1.2


def test_virtual_tasks_mix_the_features_of_two():
    X = np.arange(40)[:, None] + np.arange(1000) / 1000
    virtual = virtual_tasks(X, 5, 1.0, np.random.RandomState(0))
    assert virtual.shape == (80, 1000)
    for row in virtual:
        sources, counts = np.unique(np.floor(row), return_counts=True)
        assert len(sources) <= 2
        assert counts.min() > 400
        np.testing.assert_allclose(row % 1, np.arange(1000) / 1000, atol=1e-9)


def test_virtual_tasks_are_no_more_than_matter(monkeypatch):
    monkeypatch.setattr("sklearn_task2box.teachers._MAX_VIRTUAL", 5)
    assert virtual_tasks(np.eye(9), 7, 1.0, np.random.RandomState(0)).shape == (5, 9)
    assert virtual_tasks(np.eye(9), 2, 1.0, np.random.RandomState(0)).shape == (1, 9)
    monkeypatch.undo()
    assert virtual_tasks(np.eye(9), 5, 1.0, np.random.RandomState(0)).shape == (18, 9)
    assert virtual_tasks(np.eye(200), 5, 1.0, np.random.RandomState(0)).shape == (250, 200)
    assert virtual_tasks(np.eye(300), 5, 1.0, np.random.RandomState(0)).shape == (300, 300)


@pytest.mark.parametrize(("observed", "n_virtual"), [(1, 18), (0.5, 18), (0.25, 9), (0, 0)])
def test_virtual_tasks_are_few_where_little_is_observed(observed, n_virtual):
    virtual = virtual_tasks(np.eye(9), 5, observed, np.random.RandomState(0))
    assert virtual.shape == (n_virtual, 9)


def test_unknown_pairs_make_room_for_the_known_tasks(taxonomy):
    X, graph = taxonomy
    strengths = TaskRelations(graph, np.arange(len(X))).toarray()
    n_virtual = []
    for share in (0.1, 1.0):
        embedder = BoxRelationEmbedder(**QUICK, n_teachers=1)
        embedder.fit(X, few_of(strengths, share))
        n_virtual.append(len(embedder._virtual_boxes))
    assert 0 < n_virtual[0] < n_virtual[1] / 2


def test_classifiers_of_pairs_say_the_same_of_tables_and_pairs(taxonomy, monkeypatch):
    X, graph = taxonomy
    n = len(X) - 4
    pairs = TaskRelations(graph, np.arange(len(X))).toarray()[:n, :n]
    pairs = TaskRelations(pairs, np.arange(n)).observed()
    classifier = fit_pair_classifier(X[:n], pairs, 30, 0, 0)
    whole = ask_of_pairs(classifier, X, n)
    assert whole.shape == (len(X), len(X))
    np.testing.assert_allclose(whole[:, :n], classifier.predict_proba(X))
    asked = TaskPairs(X, [(3, n), (n - 1, n + 2)])
    np.testing.assert_allclose(
        whole[[3, n - 1], [n, n + 2]], classifier.predict_proba(asked)[:, 1], rtol=1e-5
    )
    assert not whole[n:, n:].any()
    monkeypatch.setattr("sklearn_task2box.teachers._ASKED", 7)
    np.testing.assert_allclose(ask_of_pairs(classifier, X, n), whole, rtol=1e-5)
    known = ask_of_pairs(classifier, X[:n], n)
    np.testing.assert_allclose(known, whole[:n, :n], rtol=1e-5)


def test_popularity_predicts_each_relation_from_the_others():
    rng = np.random.RandomState(0)
    rates = np.repeat([0.9, 0.1], 15)
    strengths = (rng.uniform(size=(30, 30)) < rates).astype(float)
    said, explained = ask_popularity(TaskRelations(few_of(strengths, 0.5)).observed())
    assert said.shape == (30,)
    assert np.corrcoef(said, rates)[0, 1] > 0.95
    assert 0 < said.min() < said.max() < 1
    assert 0.3 < explained < 0.7
    chance = (rng.uniform(size=(30, 30)) < 0.5).astype(float)
    _, nothing = ask_popularity(TaskRelations(few_of(chance, 0.1)).observed())
    assert nothing < 0.05
    everything = TaskRelations(few_of(np.ones((5, 5)), 0.5)).observed()
    assert ask_popularity(everything)[1] == 0
    one = np.full((3, 3), np.nan)
    one[0, 1] = 1.0
    assert ask_popularity(TaskRelations(one).observed())[1] == 0


def test_a_divergence_is_asked_of_unknown_pairs(kinds):
    X, strengths = kinds
    some = few_of(strengths, 0.3)
    pairs = TaskRelations(some).observed()
    model = fit_divergence(X.to_numpy(), pairs)
    said = ask_divergence(model, X.to_numpy(), pairs)
    unknown = np.isnan(some) & ~np.eye(len(X), dtype=bool)
    assert (said[~unknown] == 0).all()
    assert average_precision_score(strengths[unknown], said[unknown]) > 0.5
    assert 0.3 < model.explained_ < 1
    noise = np.abs(np.random.RandomState(0).normal(size=X.shape))
    assert fit_divergence(noise, pairs).explained_ < 0.05
    whole = TaskRelations(strengths).observed()
    assert (ask_divergence(model, X.to_numpy(), whole) == 0).all()


def test_a_rehearsal_may_hold_out_no_pair():
    """Thirty pairs of 6 of the 100 tasks are observed."""
    rng = np.random.RandomState(0)
    X, strengths = np.abs(rng.normal(size=(100, 6))), np.full((100, 100), np.nan)
    strengths[:6, :6] = np.triu(np.ones((6, 6)))
    strengths[5, :5] = 1
    strengths[4, :4] = 1
    np.fill_diagonal(strengths, np.nan)
    pairs = TaskRelations(strengths).observed()
    empty = [
        seed
        for seed in range(10)
        if (one := rehearse(pairs, np.random.RandomState(seed))) and not len(one.new[0])
    ]
    assert empty
    said = np.full((100, 100), 0.3)
    rehearsal = rehearse(pairs, np.random.RandomState(empty[0]))
    weights = Weights(0.0, 0.1, 0.0, 0.0, 0.0, 0.3)
    panel = Panel(None, [], [], [], None, (said, said, said))
    divergence = fit_divergence(X, pairs)
    found = calibrated(weights, rehearsal, X, panel, divergence)
    assert found.new == AS_SAID
    nothing = np.zeros(0, dtype=int), np.zeros(0, dtype=int), np.zeros(0)
    rehearsal = replace(rehearsal, known=nothing)
    assert calibrated(weights, rehearsal, X, panel, divergence) == weights


@pytest.mark.parametrize("n", [32, 100])
@pytest.mark.parametrize("strength", [0.999, 0.9999, 1 - 1e-6])
def test_popularity_stands_strengths_that_are_nearly_all_1(n, strength):
    strengths = np.ones((n, n))
    strengths[3, 4] = strength
    popularity, explained = ask_popularity(TaskRelations(strengths).observed())
    np.testing.assert_allclose(popularity, 1, atol=1e-2)
    assert 0 <= explained <= 1
