"""Divergences of tasks whose features are means and variances."""

import numpy as np

from sklearn_task2box.utils._features import has_variance_names, means_and_variances

# Numbers at work for each array of (n_pairs, n_features).
_BLOCK = 1 << 20


def has_variances(variances, X, names):
    """Whether features are means, then variances: "auto" reads it off their names."""
    if variances != "auto":
        return variances
    named = names is not None and has_variance_names(names)
    return bool(named and X[:, X.shape[1] // 2 :].min() >= 0)


class NormalDivergence:
    """KL(N_i || N_j) of normal distributions with diagonal covariances.

    ``X``, (n_tasks, n_features), are features of training: means, then variances if
    ``variances``, which else are 1. Smaller ones than a share ``floor`` of the mean one in
    training count as that. Where ``clips``, so do negative ones.
    """

    def __init__(self, X, variances, floor, clips=False):
        self.variances = variances
        self.clips = clips
        if variances:
            scale = means_and_variances(X)[1].mean(axis=0)
            self.floor = floor * np.where(scale > 0, scale, 1.0)

    def normals(self, X):
        """Means, variances, their inverses, and the sums of their logarithms, as rows."""
        if not self.variances:
            return X
        if self.clips:
            half = X.shape[1] // 2
            X = np.hstack([X[:, :half], X[:, half:].clip(min=0)])
        means, variances = means_and_variances(X)
        variances = np.maximum(variances, self.floor)
        logarithms = np.log(variances).sum(axis=1)
        return np.column_stack([means, variances, 1 / variances, logarithms])

    def between(self, normals, heads, others, tails):
        """Divergences, (n_pairs,), of ``normals[heads]`` from ``others[tails]``."""
        values = np.empty(len(heads))
        step = max(1, _BLOCK // normals.shape[1])
        for start in range(0, len(heads), step):
            part = slice(start, start + step)
            values[part] = self._divergences(normals[heads[part]], others[tails[part]])
        return values

    def _divergences(self, heads, tails):
        if not self.variances:
            return ((heads - tails) ** 2).sum(axis=1) / 2
        n = len(self.floor)
        spread = (heads[:, :n] - tails[:, :n]) ** 2 + heads[:, n : 2 * n]
        ratios = np.einsum("ij,ij->i", spread, tails[:, 2 * n : 3 * n])
        divergences = (ratios - n + tails[:, -1] - heads[:, -1]) / 2
        return np.maximum(divergences, 0)  # rounding
