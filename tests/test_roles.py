"""Products of two vectors for each task."""

import numpy as np
import torch
from sklearn.metrics import average_precision_score
from sklearn_task2box.roles import TableCrossEntropy, fit_roles

from sklearn_task2box import TaskRelations


def test_roles_learn_both_directions(taxonomy):
    X, graph = taxonomy
    pairs = TaskRelations(graph, np.arange(len(X))).observed()
    features = torch.from_numpy(X).float()
    before = torch.random.get_rng_state()
    roles = fit_roles(features, pairs, (64,), 200, 0, "cpu")
    assert torch.equal(torch.random.get_rng_state(), before)
    strengths, observed = pairs.dense()
    predicted = roles.strengths(features)
    assert average_precision_score(strengths[observed], predicted[observed]) > 0.99
    again = fit_roles(features, pairs, (64,), 200, 0, "cpu").strengths(features)
    np.testing.assert_array_equal(predicted, again)


def test_roles_learn_nothing_of_unknown_pairs():
    pairs = TaskRelations(
        np.array([[1, 1, 0], [0, 1, 0], [np.nan, 0, 1]]), np.arange(3)
    ).observed()
    loss = TableCrossEntropy(pairs, "cpu")
    log_odds = torch.zeros(3, 3, requires_grad=True)
    loss(log_odds, None).backward()
    expected = np.array([[0, -0.5, 0.5], [0.5, 0, 0.5], [0, 0.5, 0]]) / 5
    np.testing.assert_allclose(log_odds.grad, expected, atol=1e-6)


def test_remembered_roles_say_the_same_of_new_tasks(taxonomy):
    X, graph = taxonomy
    pairs = TaskRelations(graph, np.arange(len(X))).observed()
    features = torch.from_numpy(X).float()
    roles = fit_roles(features, pairs, (16,), 20, 0, "cpu")
    with torch.no_grad():
        new = roles.body(features[:3]).double()
    known = roles.remember(features)
    whole = roles.strengths(features)
    np.testing.assert_allclose(known.table(new, known.vectors), whole[:3], atol=1e-5)
    np.testing.assert_allclose(known.table(known.vectors, new), whole[:, :3], atol=1e-5)
    heads, tails = np.array([4, 0, 7]), np.array([1, 1, 30])
    np.testing.assert_allclose(
        known.pairs(known.vectors, heads, tails), whole[heads, tails], atol=1e-5
    )
