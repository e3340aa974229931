"""ProfileRegression: relations predicted from the other relations of the same tasks."""

import numpy as np
from scipy import linalg

# Penalties that are chosen from.
_RIDGES = (0.1, 0.3, 1.0, 3.0, 10.0)
# Columns that others are regressed on, and numbers in a table of them, at most.
_MAX_COLUMNS, _MAX_NUMBERS = 1000, 2e7
# Numbers in a block of predictions.
_BLOCK = 1 << 22


class ProfileRegression:
    """Ridge regression of what lies in a task on what lies in the others.

    Features are not used: if most of what lies in one task lies in another, so does the
    rest, probably (collaborative filtering by a linear autoencoder: Steck, "Embarrassingly
    shallow autoencoders for sparse data", WWW 2019). The prediction of a pair i -> j comes
    from a regression of column j of the observed strengths on the other columns, fitted
    without row i; that of rows on rows, without column j, is the same. It has a closed form
    for all pairs at once, so that observed pairs are predicted as unknown ones are, without
    themselves. Strengths are taken less their mean, those of unknown pairs as 0. Of some
    penalties, the one of the least squared error of observed pairs is taken.

    Parameters
    ----------
    table : ObservedTable
        Of more than 1,000 columns, those with the most relations are regressed on.
    heads, tails : ndarray of shape (n_pairs,)
        Some observed pairs.
    strengths, counts : ndarray of shape (n_pairs,)
        Their strengths, and how many pairs each stands for.
    """

    def __init__(self, table, heads, tails, strengths, counts):
        self._table = table
        n = len(table.prior)
        self._mean = np.average(strengths, weights=counts) if len(heads) else 0.0
        n_columns = min(n, _MAX_COLUMNS, max(1, int(_MAX_NUMBERS / n)))
        most = np.argsort(-table.sums(axis=0), kind="stable")[:n_columns]
        self._columns = np.sort(most)
        self._inputs = table.deviations(self._mean, self._columns)
        self._products = table.deviations_dot(self._mean, self._inputs).T
        sizes, vectors = linalg.eigh(self._products[:, self._columns])
        rotated = vectors.T @ self._products
        errors = []
        for ridge in _RIDGES:
            self._solve(ridge, sizes, vectors, rotated)
            wrong = self.predict(heads, tails) - strengths
            errors.append(counts @ wrong**2 if len(heads) else 0.0)
        self._solve(_RIDGES[np.argmin(errors)], sizes, vectors, rotated)
        del self._products  # predictions do not need them

    def _solve(self, ridge, sizes, vectors, rotated):
        """Coefficients, (n_columns, n_tasks), and what leaving out a pair takes."""
        shrunk = vectors / (sizes.clip(min=0) + ridge)
        self._ridge, self._coefficients = ridge, shrunk @ rotated
        own = np.einsum("ij,ij->i", self._inputs @ shrunk, self._inputs @ vectors)
        self._free = (1 - own) / ridge
        # 1 - r' K^-1 r of the columns r that are regressed on, for the kernel matrix K.
        part = self._columns
        squares = (self._inputs**2).sum(axis=0)
        used = (self._products[:, part] * self._coefficients[:, part]).sum(axis=0)
        self._kept = np.ones(len(self._free))
        self._kept[part] = 1 - (squares - used) / ridge
        self._is_input = np.zeros(len(self._free), dtype=bool)
        self._is_input[part] = True

    def predict(self, heads, tails):
        """Predictions of pairs, (n_pairs,), each without its own strength."""
        given = self._table.given(heads, tails)
        own = np.where((heads == tails) | np.isnan(given), 0, given - self._mean)
        fitted = np.empty(len(heads))
        used, at = np.unique(heads, return_inverse=True)
        order = np.argsort(at, kind="stable")
        step = max(1, _BLOCK // len(self._kept))
        for start in range(0, len(used), step):
            first, last = np.searchsorted(at[order], [start, start + step])
            places = order[first:last]
            rows = self._inputs[used[start : start + step]] @ self._coefficients
            fitted[places] = rows[at[places] - start, tails[places]]
        # Elements of K^-1 R, and the residuals without row and column.
        left = (own - fitted) / self._ridge
        free = self._kept[tails] * self._free[heads] + self._is_input[tails] * left**2
        return own - left / free + self._mean
