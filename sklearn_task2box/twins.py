"""Tasks whose features are equal: nothing in these tells one from another."""

import hashlib
import warnings

import numpy as np
from scipy import sparse

# Length of a mark beside the typical distance of a task from the mean of all: short
# enough to be learned only where features do not explain the relations.
_LENGTH = 0.1
# Each mark is a column, of zeros but for one.
_MOST = 2000
# Features may come back from a pipeline with the rounding of another batch.
_ROUNDING = 1e-6


class Twins:
    """Known tasks that share their features with another, and a mark for each.

    A mark is a further feature, which no other task has: a network that reads it can give
    the task a box of its own (a random effect, in the terms of mixed models).

    Parameters
    ----------
    positions : ndarray of int, of shape (n_twins,)
        Their rows among the known tasks, ascending.
    features : array or CSR matrix of shape (n_twins, n_features)
    length : float
        Value of the mark of a task.

    Attributes
    ----------
    positions, features, length
        As given.
    """

    def __init__(self, positions, features, length):
        self.positions = positions
        self.features = features
        self.length = length

    def __len__(self):
        return len(self.positions)

    @classmethod
    def none(cls, X):
        """No twins, of features like X."""
        return cls(np.zeros(0, dtype=int), X[:0], 1.0)

    @classmethod
    def among(cls, X, most=_MOST):
        """Find the tasks that share their features with another.

        Parameters
        ----------
        X : array or CSR matrix of shape (n_tasks, n_features)
        most : int, default=2000
            With more of them, none gets a mark.

        Returns
        -------
        twins : Twins

        Warns
        -----
        UserWarning
            If there are more.
        """
        _, group, sizes = np.unique(_digests(X), return_inverse=True, return_counts=True)
        positions = np.flatnonzero(sizes[group] > 1)
        if len(positions) > most:
            warnings.warn(
                f"{len(positions)} tasks of {X.shape[0]} share their features with "
                f"another, too many to tell them apart (at most {most}): whatever the "
                "relations say, tasks of equal features are treated alike. Give features "
                "in which they differ.",
                UserWarning,
                stacklevel=3,
            )
            return cls.none(X)
        return cls(positions, X[positions], _LENGTH * _spread(X))

    def marked(self, X):
        """Rows of marked features that have a mark."""
        if len(self) == 0:
            return self.positions
        largest = X[:, X.shape[1] - len(self) :].max(axis=1)
        largest = largest.toarray().ravel() if sparse.issparse(largest) else largest
        return np.flatnonzero(largest > self.length / 2)

    def mark(self, X, at=None):
        """Features with a column more for each twin, which marks it.

        Parameters
        ----------
        X : array or CSR matrix of shape (n, n_features)
        at : ndarray of int, of shape (n,), default=None
            Which known task each row is said to be, -1 for a new one. It gets the mark
            if it has the features of that task, too. None says that all are new.

        Returns
        -------
        marked : array or CSR matrix of shape (n, n_features + n_twins)
            X itself where there are no twins.
        """
        if len(self) == 0:
            return X
        columns = np.full(X.shape[0], -1)
        if at is not None and X.shape[1] == self.features.shape[1]:
            columns = np.searchsorted(self.positions, at).clip(max=len(self) - 1)
            said = self.positions[columns] == at
            rows = np.flatnonzero(said)
            same = _equal(X[rows], self.features[columns[rows]], self.length)
            columns = np.where(said, columns, -1)
            columns[rows[~same]] = -1
        rows = np.flatnonzero(columns >= 0)
        marks = sparse.csr_matrix(
            (np.full(len(rows), self.length), (rows, columns[rows])),
            shape=(X.shape[0], len(self)),
            dtype=X.dtype,
        )
        if sparse.issparse(X):
            return sparse.hstack([X, marks], format="csr")
        return np.hstack([X, marks.toarray()])


def _digests(X):
    """A digest of each row: of equal rows, and of no others, they are equal."""
    if sparse.issparse(X):
        X = X.copy()
        X.eliminate_zeros()
        X.sort_indices()
    digests = np.empty(X.shape[0], dtype="V16")
    for i in range(X.shape[0]):
        digest = hashlib.blake2b(digest_size=16)
        if sparse.issparse(X):
            part = slice(*X.indptr[i : i + 2])
            digest.update(X.indices[part].tobytes())
            digest.update(X.data[part].tobytes())
        else:
            digest.update((X[i] + 0).tobytes())  # -0.0 is 0.0
        digests[i] = digest.digest()
    return digests


def _spread(X):
    """Typical distance of a row from the mean, or from 0 for sparse X; 1 if it is 0."""
    values = X.data if sparse.issparse(X) else X
    unit = float(np.abs(values).max(initial=0)) or 1.0  # else large squares overflow
    values = values / unit
    if not sparse.issparse(X):
        values = values - values.mean(axis=0)
    return unit * (float(np.sqrt((values**2).sum() / X.shape[0])) or 1.0)


def _equal(X, others, length):
    """Which rows are equal, but for rounding."""
    gaps = abs(X - others)
    largest = gaps.max(axis=1) if gaps.shape[0] else np.zeros(0)
    if sparse.issparse(largest):
        largest = largest.toarray().ravel()
    return largest <= _ROUNDING * length / _LENGTH
