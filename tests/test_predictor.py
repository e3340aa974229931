"""Answers that BoxRelationEmbedder and the baselines share."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from sklearn_task2box.representations._duplicates import Twins

from sklearn_task2box import BoxRelationEmbedder, TaskPairs, baselines
from sklearn_task2box import predictor as module
from sklearn_task2box.base import RelationPredictorMixin
from sklearn_task2box.relations import as_relations

X = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 2.0]])


class Share(RelationPredictorMixin, BaseEstimator):
    """How much of the sum of one task's features is left in another's; names are kept."""

    def fit(self, X, y=None):
        data = self._check(X)
        self.threshold_, self._graded, self._from_labels = 0.5, True, y is not None
        self._twins, self.tasks_ = Twins.none(data), np.arange(len(data))
        self._names_matter = False
        self.known_ = self._represent(data, None)
        return self

    @property
    def _known(self):
        return self.known_

    def _represent(self, data, names):
        self.names_ = names
        return np.asarray(data.sum(axis=1)).reshape(-1, 1)

    def _pair_strengths(self, tasks, heads, tails):
        heads, tails = tasks[heads, 0], tasks[tails, 0]
        return np.divide(np.minimum(heads, tails), heads, where=heads > 0, out=heads * 0)

    def _table(self, tasks, others):
        both = np.concatenate([tasks, others])
        heads, tails = np.indices((len(tasks), len(others))).reshape(2, -1)
        strengths = self._pair_strengths(both, heads, tails + len(tasks))
        return strengths.reshape(len(tasks), -1)

    def _scored_relations(self, data, y, names):
        return as_relations(y, len(data), names)


def test_tasks_are_related_to_the_known_ones():
    strengths = Share().fit(X).predict_proba(X[[2, 1]])
    np.testing.assert_array_equal(strengths, [[0, 0.5, 1, 1], [0, 1, 1, 1]])


def test_pairs_are_answered_in_their_order_and_their_tasks_once():
    predictor = Share().fit(X)
    asked = TaskPairs(pd.DataFrame(X, index=list("abcd")), [("d", "b"), ("b", "d")])
    np.testing.assert_array_equal(predictor.predict_proba(asked), [[0.5, 0.5], [0, 1]])
    assert list(predictor.names_) == ["b", "d"]


def test_a_strength_at_the_threshold_is_a_relation():
    predictor = Share().fit(X)
    np.testing.assert_array_equal(predictor.predict(X[[2]]), [[False, True, True, True]])
    pairs = TaskPairs(X, [(2, 1), (2, 0)])
    np.testing.assert_array_equal(predictor.predict(pairs), [True, False])


def test_all_observed_pairs_are_compared_but_no_task_with_itself(monkeypatch):
    shares = np.random.default_rng(0).uniform(size=(4, 4))
    shares[1, 2] = np.nan
    np.fill_diagonal(shares, 1)
    predictor = Share().fit(X)
    strengths, predicted = predictor.compare(X, shares)
    observed = ~np.isnan(shares) & ~np.eye(4, dtype=bool)
    np.testing.assert_array_equal(strengths, shares[observed])
    np.testing.assert_array_equal(predicted, predictor.predict_proba(X)[observed])
    for name, value in [("_BLOCK", 5), ("_TABLE_FROM_SHARE", 1.0)]:
        monkeypatch.setattr(module, name, value)  # a row at a time, then pair by pair
        again = predictor.compare(X, shares)
        np.testing.assert_array_equal(again[0], strengths)
        np.testing.assert_array_equal(again[1], predicted)


@pytest.mark.parametrize(("n", "names"), [(4, [0, 1, 2, 3]), (3, None)])
def test_compared_tasks_without_names_are_the_known_ones_if_they_are_as_many(n, names):
    predictor = Share().fit(X)
    predictor.compare(X[:n], np.ones((n, n)))
    assert (predictor.names_ if names is None else list(predictor.names_)) == names


@pytest.mark.parametrize(("graded", "score"), [(True, 0.948683), (False, 1.0)])
def test_the_score_is_that_of_what_is_compared(graded, score, monkeypatch):
    predictor = Share().fit(X)
    predictor._graded = graded
    monkeypatch.setattr(predictor, "compare", lambda X, y: (np.arange(4), [0, 1, 2, 2]))
    assert predictor.score(X) == pytest.approx(score)


def test_class_labels_and_sparse_features_are_refused_with_the_way_out():
    predictor = Share().fit(X, [0, 0, 1, 1])
    with pytest.raises(ValueError, match="TaskRelations.from_labels"):
        predictor.predict_proba(sparse.csr_matrix(X))


def test_it_must_be_fitted():
    with pytest.raises(NotFittedError):
        Share().predict_proba(X)


@pytest.mark.parametrize("name", ["predict_proba", "predict", "score", "compare"])
def test_boxes_and_baselines_answer_alike(name):
    mine = getattr(RelationPredictorMixin, name)
    classes = [BoxRelationEmbedder, *(getattr(baselines, b) for b in baselines.__all__)]
    assert all(getattr(cls, name) is mine for cls in classes)


@pytest.mark.parametrize("X", ["a", ["a", "b"], [("a", "b")]])
def test_names_are_no_features(X):
    predictor = Share().fit(np.eye(2) + 1)
    with pytest.raises(ValueError, match=r"features of tasks, and not their names.*X.loc"):
        predictor.predict_proba(X)
