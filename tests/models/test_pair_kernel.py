"""PairKernelRidge: kernel ridge regression of the observed pairs alone."""

import numpy as np
import pytest
from conftest import few_of
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import Ridge
from sklearn.metrics import average_precision_score

from sklearn_task2box import TaskRelations
from sklearn_task2box.datasets import load_digits_tasks
from sklearn_task2box.models import KernelRidgeModel, NeighborsModel, _pair_kernel
from sklearn_task2box.models._observed_table import ObservedTable
from sklearn_task2box.models._pair_kernel import (
    PairKernelRidge,
    TaskKernel,
    choose_settings,
)

N = 12
FEATURES = np.random.RandomState(1).normal(size=(N, 4))
KERNEL = FEATURES @ FEATURES.T


def table_of(strengths):
    relations = TaskRelations(
        strengths, range(len(strengths)), unobserved="unknown", transitive=False
    )
    return ObservedTable.of(relations.observed())


@pytest.mark.parametrize("share", [0.2, 0.9])
@pytest.mark.parametrize(("own", "ridge"), [(0.0, 1.0), (0.5, 0.3), (2.0, 0.1)])
def test_predictions_are_those_of_the_regression_of_all_pairs(
    monkeypatch, share, own, ridge
):
    monkeypatch.setattr(_pair_kernel, "_MAX_STEPS", 500)
    monkeypatch.setattr(_pair_kernel, "_TOLERANCE", 1e-6)
    true = few_of(np.random.RandomState(3).uniform(size=(N, N)).round(1), share)
    table = table_of(true)
    kernel = KERNEL + own * np.eye(N)
    of_pairs = np.einsum("ik,jl->ijkl", kernel, kernel).reshape(N * N, N * N)
    seen = np.flatnonzero(~np.isnan(table.toarray()))
    strengths = table.toarray().ravel()[seen]
    ends = np.hstack([np.repeat(np.eye(N), N, axis=0), np.tile(np.eye(N), (N, 1))])
    effects = Ridge(_pair_kernel._SHRINKAGE).fit(ends[seen], strengths)
    prior = effects.predict(ends)
    exact = KernelRidge(alpha=ridge, kernel="precomputed")
    exact.fit(of_pairs[np.ix_(seen, seen)], strengths - prior[seen])
    expected = (prior + exact.predict(of_pairs[:, seen])).reshape(N, N)
    found = PairKernelRidge(TaskKernel(KERNEL), table).predict(own, ridge)
    np.testing.assert_allclose(found, expected, atol=2e-3)


def test_small_eigenvalues_have_their_mean(monkeypatch):
    monkeypatch.setattr(_pair_kernel, "_MAX_STEPS", 500)
    monkeypatch.setattr(_pair_kernel, "_TOLERANCE", 1e-6)
    sizes, vectors = np.linalg.eigh(KERNEL + np.diag(np.linspace(0.1, 0.2, N)))
    cut = sizes.copy()
    cut[: N - 4] = cut[: N - 4].mean()
    table = table_of(few_of(np.random.RandomState(3).uniform(size=(N, N)).round(1), 0.5))
    expected = PairKernelRidge(TaskKernel(vectors * cut @ vectors.T), table)
    monkeypatch.setattr(_pair_kernel, "_MAX_VECTORS", 4)
    found = PairKernelRidge(TaskKernel(vectors * sizes @ vectors.T), table)
    for settings in ((0.0, 0.1), (0.5, 0.3)):
        np.testing.assert_allclose(
            found.predict(*settings), expected.predict(*settings), atol=1e-3
        )


def test_settings_are_those_of_the_least_error_of_pairs_held_out(monkeypatch):
    monkeypatch.setattr(_pair_kernel, "_SETTINGS", ((0.0, 1e6), (0.0, 0.01)))
    # What the features say is all there is to say.
    true = FEATURES @ np.random.RandomState(2).normal(size=(4, 4)) @ FEATURES.T
    true = (true - true.min()) / np.ptp(true)
    seen = few_of(true, 0.7)
    held = np.nonzero(np.isnan(seen) & ~np.eye(N, dtype=bool))
    given = *held, true[held], np.ones(len(held[0]))
    kernel = TaskKernel(KERNEL)
    assert choose_settings(kernel, table_of(seen), *given) == (0.0, 0.01)
    # The same by some of the tasks, the pairs of others left out.
    monkeypatch.setattr(_pair_kernel, "_MAX_CHOSEN", 9)
    assert choose_settings(kernel, table_of(seen), *given) == (0.0, 0.01)


def test_few_pairs_are_better_regressed_on_the_features_of_both_ends():
    X, strengths = load_digits_tasks(return_X_y=True)
    true = (np.asarray(strengths) == 1).astype(float)
    seen = few_of(true, 0.2)
    hidden = np.isnan(seen) & ~np.eye(len(true), dtype=bool)
    kernel_ridge, neighbors = (
        average_precision_score(
            true[hidden], model.fit(X, seen).pairwise_strengths(X)[hidden]
        )
        for model in (KernelRidgeModel(), NeighborsModel())
    )
    assert kernel_ridge > neighbors + 0.05
