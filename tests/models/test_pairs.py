"""Classifiers of pairs: the MLP that shares its first layer, and what they learn."""

import numpy as np
import pytest
import torch
from conftest import make_taxonomy
from sklearn.metrics import average_precision_score
from torch.nn import functional as F

from sklearn_task2box import TaskPairs
from sklearn_task2box.models import PairClassifier, PopularityModel
from sklearn_task2box.models._pair_nets import PairEpochs
from sklearn_task2box.models._pairs import PairMLP
from sklearn_task2box.relations import as_relations

X, GRAPH = make_taxonomy()
N = len(X)
QUICK = {"hidden_layer_sizes": (64, 16), "learning_rate": 0.01, "random_state": 0}


@pytest.mark.parametrize("sizes", [(), (5,), (7, 3)])
@pytest.mark.parametrize("n_similarities", [0, 2])
def test_the_first_layer_is_that_of_concatenated_features(sizes, n_similarities):
    torch.manual_seed(0)
    module = PairMLP(4, sizes, n_similarities)
    features, heads, tails = (
        torch.randn(6, 4),
        torch.tensor([0, 3, 3]),
        torch.tensor([5, 0, 3]),
    )
    one, other = features[heads], features[tails]
    first = module.first(torch.cat([one, other], dim=1))
    if n_similarities:
        distances = (one - other).abs() @ module.differences.weight.T
        products = (one * other) @ module.products.weight.T
        first = first + torch.cat([distances, products], 1) @ module.similar.weight.T
    expected = module.rest(first).squeeze(1)
    torch.testing.assert_close(module(features, heads, tails), expected)


def test_minibatches_estimate_the_mean_over_all_observed_pairs():
    observed = as_relations(GRAPH, N).observed()
    logits = torch.randn(N, N, generator=torch.Generator().manual_seed(0))

    def loss(heads, tails, strengths, weights):
        losses = F.binary_cross_entropy_with_logits(
            logits[heads, tails], strengths, reduction="none"
        )
        return float((losses * weights).mean())

    heads, tails, strengths = observed.expand()
    expected = loss(heads, tails, torch.from_numpy(strengths).float(), torch.ones(()))
    epochs = PairEpochs(observed, max_pairs=300, batch_size=100, seed=0)
    batches = [batch for _ in range(50) for batch in epochs]
    assert len(batches) == 50 * len(epochs) == 150
    means = [loss(*batch) for batch in batches]
    assert np.mean(means) == pytest.approx(expected, rel=0.02)
    first, second = (next(iter(epochs))[0] for _ in range(2))
    assert not torch.equal(first, second)


def hidden_precision(model, seed=0):
    rng = np.random.RandomState(seed)
    truth = np.zeros((N, N))
    truth[*np.array(GRAPH.edges).T] = 1
    seen = np.where(rng.uniform(size=truth.shape) < 0.2, np.nan, truth)
    np.fill_diagonal(seen, 0)
    hidden = np.argwhere(np.isnan(seen))
    related = model.fit(X, seen).predict_proba(TaskPairs(X, hidden))[:, 1]
    return average_precision_score(truth[*hidden.T], related)


@pytest.mark.parametrize(
    "model",
    [
        PairClassifier(max_iter=300, **QUICK),
        PairClassifier("boosted_trees", max_iter=50, random_state=0),
    ],
    ids=lambda m: m.model,
)
def test_hidden_relations_are_found_better_than_by_popularity(model):
    assert hidden_precision(model) > hidden_precision(PopularityModel()) + 0.03


def test_the_loss_falls():
    model = PairClassifier(max_iter=300, **QUICK).fit(X, GRAPH)
    assert model.loss_curve_[-1] < 0.1 * model.loss_curve_[0]
    assert len(model.loss_curve_) == 150  # 1,560 pairs are two batches
    assert model.score(X, GRAPH) > 0.95


def test_a_linear_model_only_adds_up():
    model = PairClassifier("linear", max_iter=200, random_state=0).fit(X, GRAPH)
    log_odds = np.log(model.predict_proba(X) / (1 - model.predict_proba(X)))
    mixed = log_odds - log_odds.mean(0) - log_odds.mean(1)[:, None] + log_odds.mean()
    np.testing.assert_allclose(mixed, 0, atol=1e-4)
    assert np.ptp(log_odds) > 1


@pytest.mark.parametrize("model", ["linear", "mlp", "boosted_trees"])
def test_graded_strengths(model):
    rng = np.random.RandomState(0)
    low, high = np.sort(rng.uniform(size=(2, 40)), axis=0)
    shared = np.minimum.outer(high, high) - np.maximum.outer(low, low)
    strengths = np.clip(shared, 0, None) / (high - low)[:, None]
    features = np.column_stack([low, high])
    classifier = PairClassifier(model, hidden_layer_sizes=(32,), random_state=0)
    if model != "boosted_trees":
        classifier.set_params(learning_rate=0.01, max_iter=500)
    else:
        classifier.set_params(max_iter=50)
    table = classifier.fit(features, np.clip(strengths, 0, 1)).predict_proba(features)
    off = ~np.eye(40, dtype=bool)
    assert table[off].mean() == pytest.approx(strengths[off].mean(), abs=0.04)
    assert classifier.score(features, np.clip(strengths, 0, 1)) > 0.6


def test_scale_of_features_does_not_matter():
    model = PairClassifier(max_iter=20, **QUICK)
    expected = model.fit(X, GRAPH).predict_proba(X)
    scale = 10.0 ** np.arange(-6, 6)
    moved = 1000 * scale + X * scale
    np.testing.assert_allclose(
        model.fit(moved, GRAPH).predict_proba(moved), expected, rtol=1e-2, atol=1e-3
    )


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"model": "forest"}, "model"),
        ({"hidden_layer_sizes": (8, 0)}, "positive whole numbers"),
        ({"max_pairs": 1}, "max_pairs"),
        ({"learning_rate": 0.0}, "learning_rate"),
        ({"batch_size": None}, "batch_size"),
    ],
)
def test_bad_input(options, match):
    with pytest.raises(ValueError, match=match):
        PairClassifier(**options).fit(X, GRAPH)


def test_a_fit_that_explodes_says_so():
    with pytest.raises(ValueError, match="did not converge"):
        PairClassifier(max_iter=30, **{**QUICK, "learning_rate": 1e30}).fit(X, GRAPH)


@pytest.mark.parametrize("scale", [2.0**600, 2.0**-600])
def test_the_scale_of_features_does_not_matter(scale):
    pairs = [(0, 1), (5, 2)]
    predictions = [
        PairClassifier(**QUICK, max_iter=20)
        .fit(scaled, GRAPH)
        .predict_proba(TaskPairs(scaled, pairs))
        for scaled in (X.astype(float), scale * X.astype(float))
    ]
    np.testing.assert_allclose(*predictions)


def test_comparisons_need_fewer_relations():
    rng = np.random.RandomState(0)
    features = np.repeat(rng.normal(size=(40, 12)), 3, axis=0)
    features = features + 0.5 * rng.normal(size=features.shape)
    groups = np.arange(120) // 3
    alike = np.equal.outer(groups, groups).astype(float)
    seen = groups < 15
    precision = []
    for n_similarities in (0, 16):
        classifier = PairClassifier(**QUICK, n_similarities=n_similarities, max_iter=150)
        classifier.fit(features[seen], alike[np.ix_(seen, seen)])
        new = features[~seen]
        heads, tails = np.nonzero(~np.eye(len(new), dtype=bool))
        predicted = classifier.predict_proba(TaskPairs(new, np.stack([heads, tails], 1)))[
            :, 1
        ]
        truth = alike[np.ix_(~seen, ~seen)][heads, tails]
        precision.append(average_precision_score(truth, predicted))
    assert precision[1] > precision[0] + 0.1


def test_an_interrupted_fit_does_not_pass_for_a_finished_one(monkeypatch):
    def interrupt(self, *args, **kwargs):
        raise KeyboardInterrupt

    classifier = PairClassifier(**{**QUICK, "max_iter": 2}).fit(X, GRAPH)
    before = vars(classifier).copy()
    monkeypatch.setattr(PairMLP, "forward", interrupt)
    with pytest.raises(KeyboardInterrupt):
        classifier.fit(X, GRAPH)
    assert vars(classifier) == before


@pytest.mark.parametrize("model", ["mlp", "linear", "boosted_trees"])
def test_tasks_of_equal_features_can_be_fitted(model):
    fitted = PairClassifier(model, max_iter=2, random_state=0)
    fitted.fit(np.zeros((4, 3)), [(0, 1), (1, 2)])
    assert np.isfinite(fitted.predict_proba(np.zeros((1, 3)))).all()
