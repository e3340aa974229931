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
        unit = float(abs(X).max()) or 1.0  # else squares of large features overflow
        mean_square = ((X.data / unit) ** 2).sum() / n / n_features
        return None, torch.tensor(_inverse(np.sqrt(mean_square)) / unit)
    X = X.astype(np.float64)
    unit = np.abs(X).max() or 1.0  # likewise
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


def means_and_variances(X):
    """Both halves of the features, the second of which must be variances.

    Raises
    ------
    ValueError
        If it can't be.
    """
    if X.shape[1] % 2:
        raise ValueError(
            "variances=True reads the second half of the features as the variances "
            f"of the first half; got an odd number, {X.shape[1]}. Set "
            "variances=False if all of them are means."
        )
    half = X.shape[1] // 2
    means, variances = X[:, :half], X[:, half:]
    if variances.min() < 0:
        raise ValueError(
            "variances=True reads the second half of the features as variances, which are "
            f"not negative; got {variances.min():.3g}. Do not centre the features before, "
            "or set variances=False."
        )
    return means, variances


def names_say_variances(names):
    """Whether features are named "mean_a", "mean_b", "variance_a", "variance_b", say."""
    kinds, marks = ("mean_", "variance_"), []
    if len(names) % 2:
        return False
    for kind, half in zip(kinds, np.split(np.asarray(names), 2), strict=True):
        if not all(name.startswith(kind) for name in half):
            return False
        marks.append([name[len(kind) :] for name in half])
    return marks[0] == marks[1]


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


def with_rows(known, new, rows):
    """Features of known tasks and of new ones, which are to stand at some rows.

    Parameters
    ----------
    known, new : array or CSR matrix
        New ones may have further columns.
    rows : ndarray of int, of shape (n_new,)
        A known row, which is replaced, or one after them.

    Returns
    -------
    X : array or CSR matrix
        Sparse if either is, or if there are further columns.
    """
    n, stack = known.shape[0], sparse.vstack if sparse.issparse(known) else np.concatenate
    if sparse.issparse(known) != sparse.issparse(new):
        stack = sparse.vstack
        known, new = sparse.csr_matrix(known), sparse.csr_matrix(new)
    if known.shape[1] < new.shape[1]:
        known = sparse.csr_matrix(known)
        known.resize(n, new.shape[1])
        stack = sparse.vstack
    everything = stack([known, new])
    everything = everything.tocsr() if sparse.issparse(everything) else everything
    source = np.arange(max(n, rows.max() + 1))
    source[rows] = n + np.arange(len(rows))
    return everything[source]


def writable(array):
    """torch warns of read-only arrays, such as memory maps, and refuses turned ones."""
    usable = array.flags.writeable and all(stride >= 0 for stride in array.strides)
    return array if usable else array.copy()
