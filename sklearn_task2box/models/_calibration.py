"""Logistic regression that turns scores of pairs into strengths."""

import numpy as np
from scipy.special import logit
from sklearn.linear_model import LogisticRegression

# Scores are kept so far from 0 and 1, where log-odds have no end.
_EDGE = 1e-3


def fit_logistic(inputs, strengths, weights):
    """Logistic regression of strengths in [0, 1] on inputs, of shape (n_pairs, n_inputs).

    A pair of strength s is s of a related pair and 1 - s of an unrelated one.
    """
    labels = np.repeat([1, 0], len(inputs))
    weights = np.concatenate([weights * strengths, weights * (1 - strengths)])
    kept = weights > 0
    inputs = np.tile(inputs, (2, 1))[kept]
    # The penalty keeps slopes finite where scores separate related and unrelated pairs.
    model = LogisticRegression(C=100.0, max_iter=1000)
    return model.fit(inputs, labels[kept], weights[kept])


class PlattScaling:
    """Strengths from scores: a logistic function of the score and of its log-odds.

    Their coefficients are not negative, so that strengths rank pairs as scores do (Platt,
    "Probabilistic outputs for support vector machines", 1999).
    """

    def fit(self, scores, strengths, counts=1.0):
        """Learn from scores and true strengths of pairs, (n_pairs,), and their weights."""
        counts = np.broadcast_to(counts, len(scores))
        self._mean = np.average(strengths, weights=counts) if len(scores) else 0.0
        self._model = None
        if 0 < self._mean < 1:
            inputs = self._inputs(scores)
            for self._columns in ([0, 1], [1], [0]):
                model = fit_logistic(inputs[:, self._columns], strengths, counts)
                if (model.coef_ >= 0).all():
                    self._model = model
                    break
        return self

    def _inputs(self, scores):
        return np.column_stack([scores, logit(np.clip(scores, _EDGE, 1 - _EDGE))])

    def predict(self, scores):
        """Strengths, of the shape of the scores."""
        if self._model is None:  # all alike, or scores that say nothing
            return np.full(scores.shape, self._mean)
        inputs = self._inputs(scores.ravel())[:, self._columns]
        return self._model.predict_proba(inputs)[:, 1].reshape(scores.shape)
