"""Recognition of known tasks by their features."""

import numpy as np
from scipy import sparse
from sklearn.metrics import pairwise_distances_argmin_min
from sklearn.utils.extmath import row_norms

# Distance that is rounding, relative to that of a typical known task from their mean.
_ROUNDING = 1e-5


def match_rows(X, known, candidates=None):
    """Known row, -1 for none, that each row equals up to rounding; candidates first."""
    if X.shape[0] == 0 or known.shape[0] == 0 or X.shape[1] != known.shape[1]:
        return np.full(X.shape[0], -1)
    if sparse.issparse(X) != sparse.issparse(known):
        X, known = sparse.csr_matrix(X), sparse.csr_matrix(known)
    X, known, _, spread = scaled(X, known)
    tolerance = _ROUNDING * (spread or 1.0)
    matches = np.full(X.shape[0], -1)
    if candidates is not None:
        rows = np.flatnonzero((candidates >= 0) & (candidates < known.shape[0]))
        equal = row_norms(X[rows] - known[candidates[rows]]) <= tolerance
        matches[rows[equal]] = candidates[rows[equal]]
    left = np.flatnonzero(matches < 0)
    if len(left):
        nearest, gaps = pairwise_distances_argmin_min(X[left], known)
        matches[left] = np.where(gaps <= tolerance, nearest, -1)
    return matches


def scaled(X, known):
    """Rows in a unit whose squares neither overflow nor cancel, it, and their spread.

    The spread is the root mean square distance of known rows from their mean or, if they
    are sparse, from 0.
    """
    unit = float(abs(known).max()) or 1.0
    X, known = X.astype(np.float64) / unit, known.astype(np.float64) / unit
    if not sparse.issparse(known):
        center = known.mean(axis=0)
        X, known = X - center, known - center
    return X, known, unit, float(np.sqrt(row_norms(known, squared=True).mean()))
