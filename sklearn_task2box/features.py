"""Features of tasks, as networks read them."""

import numpy as np
import torch
from scipy import sparse
from scipy.linalg import svd
from sklearn.utils.extmath import svd_flip

# Rotating into the span of the rows costs about n_tasks ** 2 * n_features.
_MAX_ROTATED = 2000


def preparation(X):
    """Offset and rotation that centre the features, and scale them to unit mean square.

    With fewer tasks than features, the rotation leads into the span of the tasks: for
    them nothing is lost, and the first layer of the network stays small.
    """
    n, n_features = X.shape
    if sparse.issparse(X):  # stays sparse: no centring
        return None, torch.tensor(
            _inverse(np.sqrt(X.multiply(X).sum() / X.shape[0] / n_features))
        )
    X = X.astype(np.float64)
    unit = np.abs(X).max() or 1.0  # else squares of large features overflow
    X = X / unit
    offset = X.mean(axis=0)
    X = X - offset
    if n < n_features and n <= _MAX_ROTATED:
        U, sizes, V = svd(X, full_matrices=False)
        U, V = svd_flip(U, V)
        rank = max(1, int((sizes > sizes[0] * n_features * np.finfo(float).eps).sum()))
        rotation = V[:rank].T * _inverse(np.sqrt((sizes**2).sum() / n / rank))
    else:
        rotation = np.float64(_inverse(np.sqrt((X**2).mean())))
    return torch.from_numpy(offset * unit), torch.as_tensor(rotation / unit)


def _inverse(size):
    return float(1 / size) if size > 0 else 1.0


def hot_columns(X):
    """Which column of each one-hot row is 1."""
    rows = sparse.csr_matrix(X, copy=True)
    rows.eliminate_zeros()
    counts = np.diff(rows.indptr)
    if not ((counts == 1).all() and (rows.data == 1).all()):
        bad = np.flatnonzero(counts != 1) if (counts != 1).any() else rows.data != 1
        raise ValueError(
            "encoder='table' learns one box per task and needs one-hot rows, such as "
            f"X = scipy.sparse.identity(n_tasks); row {np.arange(len(counts))[bad][0]} is "
            "not one. Use encoder='mlp' for features."
        )
    return rows.indices.astype(np.int64)


def writable(array):
    """torch warns of read-only arrays, such as memory maps, and refuses turned ones."""
    usable = array.flags.writeable and all(stride >= 0 for stride in array.strides)
    return array if usable else array.copy()
