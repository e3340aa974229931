"""Rows of arrays and sparse matrices."""

import numpy as np
from scipy import sparse


class IdentifiedRows:
    """Features of tasks, and which known task each is: its position, -1 for a new one.

    ``beside`` may hold other features of the same tasks.
    """

    def __init__(self, known, X, beside=None):
        self.known = known
        self.X = X
        self.beside = beside

    @property
    def shape(self):
        return self.X.shape

    def __len__(self):
        return self.X.shape[0]

    def __getitem__(self, rows):
        beside = None if self.beside is None else self.beside[rows]
        return IdentifiedRows(self.known[rows], self.X[rows], beside)


def stack_rows(one, other):
    """The rows of both, one below the other."""
    if isinstance(one, IdentifiedRows):
        known = np.concatenate([one.known, other.known])
        beside = None if one.beside is None else stack_rows(one.beside, other.beside)
        return IdentifiedRows(known, stack_rows(one.X, other.X), beside)
    if sparse.issparse(one) or sparse.issparse(other):
        return sparse.vstack([one, other], format="csr")
    return np.concatenate([one, other])


def replace_rows(known, new, rows):
    """Rows of known tasks, with new ones at the positions ``rows``, or after the others.

    The result is sparse if either is, or if new rows have further columns.
    """
    n = known.shape[0]
    if known.shape[1] < new.shape[1]:
        known = sparse.csr_matrix(known, copy=True)
        known.resize(n, new.shape[1])
    source = np.arange(max(n, rows.max() + 1))
    source[rows] = n + np.arange(len(rows))
    return stack_rows(known, new)[source]


def blocks_of_pairs(rows, columns, step):
    """Yield blocks of pairs that have ``step`` distinct rows, as places in a table.

    A block has places of its pairs, where they are among its rows and columns, and these.
    """
    used, at = np.unique(rows, return_inverse=True)
    order = np.argsort(at, kind="stable")
    for start in range(0, len(used), step):
        first, last = np.searchsorted(at[order], [start, start + step])
        places = order[first:last]
        some, to = np.unique(columns[places], return_inverse=True)
        yield places, (at[places] - start, to), used[start : start + step], some
