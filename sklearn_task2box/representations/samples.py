"""Which sample belongs to which task."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.utils.validation import _num_samples

from sklearn_task2box import forms


class Samples(NamedTuple):
    """Samples, tasks, and the pairs of a sample and a task that it belongs to.

    Attributes
    ----------
    values : sequence or ndarray of length n_samples
        The samples themselves.
    tasks : sequence of length n_tasks
        Names of the tasks, or their positions as a range.
    of_sample, of_task : int ndarray of shape (n_memberships,)
        Positions of a sample and a task that it belongs to.
    """

    values: object
    tasks: object
    of_sample: object
    of_task: object


def read_samples(X, y, join):
    """Read samples together with what says which task they belong to.

    Parameters
    ----------
    X : samples, or a list or dict of the samples of each task, or Samples as they are
    y : None, labels of shape (n_samples,) or memberships of shape (n_samples, n_tasks)
        None where X is a list of tasks. Where it is a dict, y is not read: it may be
        relations, for the next step of a Pipeline.
    join : callable
        Makes one sequence of samples of the list of those of each task.

    Returns
    -------
    samples : Samples

    Raises
    ------
    ValueError
        If they do not fit together.
    TypeError
        If the samples are sparse.
    """
    if isinstance(X, Samples):
        return X
    if sparse.issparse(X):
        _raise_for_sparse()
    if isinstance(X, Mapping) and forms.is_labels(y) and len(y) != len(X):
        raise ValueError(
            f"X is a dict of the samples of each of {len(X)} tasks, so y can't be the task "
            f"of each sample; got {len(y)} labels. Leave y out."
        )
    if y is None or isinstance(X, Mapping):
        return _of_groups(X, join)
    n_samples = _num_samples(X)
    if not sparse.issparse(y) and not isinstance(y, pd.DataFrame):
        y = forms.as_labels(y) if forms.is_labels(y) else np.asarray(y)
    if y.ndim == 2:
        tasks, of_sample, of_task = _of_memberships(y)
    else:
        tasks, of_task = _of_labels(y)
        of_sample = np.arange(len(of_task))
    if y.shape[0] != n_samples:
        raise ValueError(
            f"y must say of each of the {n_samples} samples which task it belongs to; it "
            f"has {y.shape[0]} rows."
        )
    return Samples(X, tasks, of_sample, of_task)


def _raise_for_sparse():
    raise TypeError(
        "X is sparse, but dense samples are needed; use X.toarray(), or reduce its "
        "dimensions, for example by sklearn.decomposition.TruncatedSVD."
    )


def name_index(tasks):
    """Index of a DataFrame whose rows are these tasks."""
    if isinstance(tasks, range):
        return pd.RangeIndex(len(tasks))
    return pd.Index(list(tasks), tupleize_cols=False)


def read_groups(X, what="samples"):
    """Names, and what belongs to each task, of a dict or list with an item per task."""
    if isinstance(X, Mapping):
        tasks, groups = list(forms.as_names(X, "X")), list(X.values())
    elif isinstance(X, (list, tuple)) or (isinstance(X, np.ndarray) and X.ndim == 3):
        tasks, groups = range(len(X)), list(X)
    else:
        raise ValueError(
            f"X must be a list or a dict of the {what} of each task; got "
            f"{type(X).__name__}."
        )
    if not groups:
        raise ValueError("X has no task.")
    return tasks, groups


def _of_groups(X, join):
    try:
        tasks, groups = read_groups(X)
    except ValueError as error:
        raise ValueError(
            f"{error} For samples in one sequence, give y: the task of each, or a "
            "matrix of memberships."
        ) from error
    if any(sparse.issparse(group) for group in groups):
        _raise_for_sparse()
    sizes = [_size(group) for group in groups]
    if None in sizes:
        raise ValueError(
            "X must hold the samples of each task where y is None; its item "
            f"{sizes.index(None)} is a {type(groups[sizes.index(None)]).__name__}. For "
            "samples in one sequence, give y: the task of each, or a matrix of "
            "memberships."
        )
    empty = [task for task, size in zip(tasks, sizes, strict=True) if size == 0]
    if empty:
        raise ValueError(f"Tasks without a sample: {forms.some(empty)}.")
    of_task = np.repeat(np.arange(len(groups)), sizes)
    return Samples(join(groups), tasks, np.arange(len(of_task)), of_task)


def _size(group):
    """Number of samples, or None where it is a sample and not a group of them."""
    if isinstance(group, (str, bytes)) or getattr(group, "ndim", 1) == 0:
        return None
    return len(group) if hasattr(group, "__len__") else None


def _of_labels(labels):
    if labels.ndim != 1:
        raise ValueError(
            "y must be the task of each sample, or a matrix of memberships of shape "
            f"(n_samples, n_tasks); got shape {labels.shape}."
        )
    if labels.dtype.kind == "f" and np.array_equal(labels, np.rint(labels)):
        labels = labels.astype(np.int64)
    of_task, tasks = pd.factorize(labels, sort=True)
    if (of_task < 0).any():
        raise ValueError(f"y is missing at position {np.flatnonzero(of_task < 0)[0]}.")
    return list(tasks), of_task


def _of_memberships(y):
    if isinstance(y, pd.DataFrame):
        tasks = list(forms.as_names(y.columns, "The columns of y"))
        y = y.to_numpy()
    else:
        tasks = None
    matrix = sparse.coo_array(y if sparse.issparse(y) else np.asarray(y, dtype=float))
    if not np.isin(matrix.data, (0, 1)).all():  # True and False are among these
        raise ValueError(
            "y, a matrix of memberships, must hold 0 and 1 only. It has a row for each "
            "sample and a column for each task. For relations among tasks, for a later "
            "step of a Pipeline, give X as a dict of the samples of each task."
        )
    matrix = sparse.csr_array(matrix.astype(bool))
    matrix.eliminate_zeros()
    matrix = matrix.tocoo()
    tasks = range(matrix.shape[1]) if tasks is None else tasks
    return tasks, matrix.row.astype(np.intp), matrix.col.astype(np.intp)
