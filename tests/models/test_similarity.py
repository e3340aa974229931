"""Similarities, against values computed by hand, and what is made of them."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cosine, pdist
from scipy.special import logit
from scipy.stats import rankdata

from sklearn_task2box import TaskPairs, TaskRelations
from sklearn_task2box.datasets import load_digits_tasks
from sklearn_task2box.models import SimilarityModel

# Rows 1 and 2 stand for the container and the member below.
EDGES = [(2, 1), (3, 1)]


def similarities(model, X, pairs=((2, 1), (1, 2))):
    related = model.predict_proba(TaskPairs(X, list(pairs)))[:, 1]
    return (logit(related) - model.intercept_) / model.slope_


def test_kl_of_normal_distributions():
    X = np.abs(np.random.RandomState(0).normal(size=(6, 8))) + 0.1
    model = SimilarityModel("gaussian_kl", variances=True).fit(X, EDGES)
    normal = [
        torch.distributions.Normal(torch.tensor(row[:4]), torch.tensor(row[4:]).sqrt())
        for row in X
    ]
    divergences = np.array(
        [
            [float(torch.distributions.kl_divergence(p, q).sum()) for q in normal]
            for p in normal
        ]
    )
    offset = np.median(divergences[~np.eye(6, dtype=bool)]) / 1000
    expected = -np.log(offset + divergences[[2, 1], [1, 2]])
    np.testing.assert_allclose(similarities(model, X), expected, rtol=1e-6)


def test_a_narrow_distribution_lies_in_a_broad_one():
    X = np.array([[0.0, 1.0], [0.0, 9.0], [0.5, 0.1], [-0.5, 0.1], [8.0, 0.5]])
    model = SimilarityModel("gaussian_kl", variances=True).fit(X, EDGES)
    inside, around = similarities(model, X)
    assert inside > around
    floored = X.copy()
    floored[:, 1] = 0  # a task of one sample, say
    assert np.isfinite(model.predict_proba(floored)).all()


def test_kl_with_unit_variances():
    X = np.random.RandomState(0).normal(size=(6, 3))
    model = SimilarityModel().fit(X, EDGES)
    divergences = pdist(X, "sqeuclidean") / 2
    between = ((X[1] - X[2]) ** 2).sum() / 2
    expected = [-np.log(np.median(divergences) / 1000 + between)] * 2
    np.testing.assert_allclose(similarities(model, X), expected)


def test_asymmetric_cosine_is_a_share_of_features():
    X = np.array([[1, 0, 0, 0], [1, 1, 1, 1], [1, 0, 1, 0], [0, 0, 1, 1], [0, 0, 0, 1]])
    model = SimilarityModel("asymmetric_cosine").fit(X, EDGES)
    np.testing.assert_allclose(similarities(model, X), [1.0, 0.5])
    symmetric = SimilarityModel("asymmetric_cosine", alpha=0.5).fit(X, EDGES)
    np.testing.assert_allclose(similarities(symmetric, X), [1 - cosine(X[1], X[2])] * 2)
    empty = np.zeros((2, 4))
    assert similarities(model, empty, [(0, 1)]) == pytest.approx(0, abs=1e-9)


def test_euclidean():
    X = np.random.RandomState(0).normal(size=(6, 3))
    model = SimilarityModel("euclidean").fit(X, EDGES)
    expected = [-np.linalg.norm(X[1] - X[2])] * 2
    np.testing.assert_allclose(similarities(model, X), expected)


@pytest.mark.parametrize("trivial", [None, [1.0, 2.0, 3.0]])
@pytest.mark.parametrize("alpha", [None, 0.4])
def test_task2vec_by_the_equations_of_its_paper(trivial, alpha):
    X = np.abs(np.random.RandomState(0).normal(size=(6, 3)))

    def symmetric(a, b):
        return cosine(a / (a + b), b / (a + b))

    model = SimilarityModel("task2vec", alpha=alpha, trivial=trivial).fit(X, EDGES)
    start, share = np.array(trivial or [1, 1, 1]), alpha or 0.15
    expected = [
        -(symmetric(X[j], X[i]) - share * symmetric(X[j], start))
        for i, j in ((2, 1), (1, 2))
    ]
    np.testing.assert_allclose(similarities(model, X), expected)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"similarity": "manhattan"}, "similarity"),
        ({"similarity": "gaussian_kl", "variances": True}, "odd number, 3"),
        ({"similarity": "task2vec"}, "not negative"),
        ({"similarity": "asymmetric_cosine", "alpha": 2}, "from 0 to 1"),
        ({"variance_floor": 0}, "variance_floor"),
    ],
)
def test_bad_input(options, match):
    X = np.random.RandomState(0).normal(size=(6, 3))
    with pytest.raises(ValueError, match=match):
        SimilarityModel(**options).fit(X, EDGES)


def test_features_that_cannot_be_what_they_are_read_as():
    X = np.random.RandomState(0).normal(size=(6, 4))
    with pytest.raises(ValueError, match="half of the features as variances"):
        SimilarityModel(variances=True).fit(X, EDGES)
    for trivial in ([1.0], [1.0, 1.0, 1.0, -1.0]):
        with pytest.raises(ValueError, match="4 nonnegative numbers"):
            SimilarityModel("task2vec", trivial=trivial).fit(np.abs(X), EDGES)


def test_probabilities_are_calibrated_and_rank_as_the_similarity():
    X, strengths = load_digits_tasks(return_X_y=True)
    model = SimilarityModel("gaussian_kl", variances=True).fit(X, strengths)
    pairs = TaskPairs(X, [(i, j) for i in range(120) for j in range(120) if i != j])
    related = model.predict_proba(pairs)[:, 1]
    true = np.asarray(strengths)[*pairs.pairs.T]
    assert related.mean() == pytest.approx(true.mean(), abs=1e-3)
    scores = similarities(model, X, pairs.pairs)
    assert np.corrcoef(rankdata(scores), rankdata(related))[0, 1] > 1 - 1e-9
    turned = SimilarityModel("gaussian_kl", variances=True).fit(X, strengths.T)
    assert model.score(X, strengths) > turned.score(X, strengths.T) + 0.1


def test_relations_against_the_similarity_do_not_turn_it_round():
    X = np.arange(10.0)[:, None]
    far = [(0, 9), (9, 0), (1, 9), (9, 1), (0, 8), (8, 0)]
    relations = TaskRelations(far, range(10), transitive=False)
    model = SimilarityModel("euclidean").fit(X, relations)
    assert model.slope_ > 0
    near, distant = model.predict_proba(TaskPairs(X, [(4, 5), (0, 9)]))[:, 1]
    assert near > distant
    assert near == pytest.approx(distant, abs=0.01) == pytest.approx(6 / 90, abs=0.01)


def test_all_pairs_related():
    X = np.arange(3.0)[:, None]
    model = SimilarityModel("euclidean").fit(X, np.ones((3, 3)))
    assert (model.predict_proba(X) > 0.99).all()
