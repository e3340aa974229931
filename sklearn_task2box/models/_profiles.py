"""ProfileRegression: relations predicted from the other relations of the same tasks."""

import numpy as np
from scipy import linalg

from sklearn_task2box.utils._rows import blocks_of_pairs

# Penalties that are chosen from.
RIDGES = (0.1, 0.3, 1.0, 3.0, 10.0)
# Columns that others are regressed on, and numbers in a table of them, at most.
_MAX_COLUMNS, _MAX_NUMBERS = 1000, 2e7
# Numbers in a block of predictions.
_BLOCK = 1 << 22


class ProfileRegression:
    """Ridge regression of what lies in a task on what lies in the others.

    Features are not used: if most of what lies in one task lies in another, so does the
    rest, probably (collaborative filtering by a linear autoencoder: Steck, "Embarrassingly
    shallow autoencoders for sparse data", WWW 2019). Column j of the observed strengths is
    regressed on the other columns, in closed form for all columns at once. Strengths are
    taken less their mean, those of unknown pairs as 0.

    Parameters
    ----------
    table : ObservedTable
        Of more than 1,000 columns, those with the most relations are regressed on.
    """

    def __init__(self, table):
        n = len(table.prior)
        n_columns = min(n, _MAX_COLUMNS, max(1, int(_MAX_NUMBERS / n)))
        most = np.argsort(-table.sums(axis=0), kind="stable")[:n_columns]
        self._mean = table.mean()
        self._columns = np.sort(most)
        self._inputs = table.deviations(self._mean, self._columns)
        products = table.deviations_dot(self._mean, self._inputs).T
        self._sizes, self._vectors = linalg.eigh(products[:, self._columns])
        self._rotated = self._vectors.T @ products

    def solve(self, ridge):
        """Take coefficients of a penalty, (n_columns, n_tasks)."""
        shrunk = self._vectors / (self._sizes.clip(min=0) + ridge)
        self._coefficients = shrunk @ self._rotated
        # No column is regressed on itself: Lagrange multipliers take it out.
        own = np.arange(len(self._columns)), self._columns
        inverse = shrunk @ self._vectors.T
        used = self._coefficients[own] / inverse[own[0], own[0]]
        self._coefficients[:, self._columns] -= inverse * used
        self._coefficients[own] = 0
        return self

    def finish(self, ridge):
        """Solve for the last time: what predictions do not need is not kept."""
        self.solve(ridge)
        del self._sizes, self._vectors, self._rotated

    def predict(self, heads, tails):
        """Predictions of pairs, (n_pairs,)."""
        predicted = np.empty(len(heads))
        step = max(1, _BLOCK // self._coefficients.shape[1])
        for places, at, rows, columns in blocks_of_pairs(heads, tails, step):
            table = self._inputs[rows] @ self._coefficients[:, columns]
            predicted[places] = table[at]
        return predicted + self._mean
