"""What representations share: samples of tasks go in, a frame of tasks comes out."""

from collections import namedtuple
from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.base import TransformerMixin
from sklearn.utils.validation import _num_samples, check_is_fitted

from sklearn_task2box.relations._names import as_names, some
from sklearn_task2box.relations._parsing import as_labels, is_labels
from sklearn_task2box.utils._storage import Stored
from sklearn_task2box.utils._typing import Array, Names, TaskSamples

_GIVE_Y = " For samples in sequence, give y: the task of each or a matrix of memberships."
# Samples, names of tasks or a range, and the positions of both in each membership.
Samples = namedtuple("Samples", ["values", "tasks", "of_sample", "of_task"])


class TaskTransformer(Stored, TransformerMixin):
    """Base of the representations: transformers whose rows are tasks."""

    def transform(self, X: TaskSamples, y: Names = None) -> Array | pd.DataFrame:
        """Describe tasks by what :meth:`fit` learned.

        Parameters
        ----------
        X, y
            As in :meth:`fit`.

        Returns
        -------
        tasks : DataFrame of shape (n_tasks, n_features_out)
            One row for each task; the index holds the names.
        """
        check_is_fitted(self)
        return self._frame(*self._described(X, y))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        return tags

    def _frame(self, features, tasks):
        if not isinstance(tasks, range):
            tasks = pd.Index(list(tasks), tupleize_cols=False)
        return pd.DataFrame(features, index=tasks, columns=self.get_feature_names_out())


def read_samples(X, y, join):
    """Read samples as ``Samples``; ``join`` makes one sequence of those of each task.

    Where X is a dict, y is not read: it may be relations for the next step of a Pipeline.
    """
    if isinstance(X, Samples):
        return X
    _raise_for_sparse([X])
    if isinstance(X, Mapping) and is_labels(y) and len(y) != len(X):
        raise ValueError(
            f"X is a dict of the samples of each of {len(X)} tasks, so y can't be the task "
            f"of each sample; got {len(y)} labels. Leave y out."
        )
    if y is None or isinstance(X, Mapping):
        return _of_groups(X, join)
    n_samples = _num_samples(X)
    if not sparse.issparse(y) and not isinstance(y, pd.DataFrame):
        y = as_labels(y) if is_labels(y) else np.asarray(y)
    memberships = _of_memberships(y) if y.ndim == 2 else _of_labels(y)
    if y.shape[0] != n_samples:
        raise ValueError(
            f"y must hold the task of each of the {n_samples} samples; it has "
            f"{y.shape[0]} rows."
        )
    return Samples(X, *memberships)


def read_groups(X, what, advice=""):
    """Names or positions of tasks, and the item of each, of a dict or a list."""
    if isinstance(X, Mapping):
        tasks, groups = list(as_names(X, "X")), list(X.values())
    elif isinstance(X, (list, tuple)) or (isinstance(X, np.ndarray) and X.ndim == 3):
        tasks, groups = range(len(X)), list(X)
    else:
        raise ValueError(
            f"X must be a list or a dict of the {what} of each task; got "
            f"{type(X).__name__}.{advice}"
        )
    if not groups:
        raise ValueError(f"X has no task.{advice}")
    return tasks, groups


def raise_for_empty(tasks, counts):
    """Raise a ValueError that names the tasks without a sample, if there are any."""
    empty = [task for task, n in zip(tasks, counts, strict=True) if n == 0]
    if empty:
        raise ValueError(f"Tasks without a sample: {some(empty)}.")


def _raise_for_sparse(groups):
    if any(map(sparse.issparse, groups)):
        raise TypeError(
            "X is sparse, but dense samples are needed; use X.toarray(), or reduce its "
            "dimensions, for example by sklearn.decomposition.TruncatedSVD."
        )


def _of_groups(X, join):
    tasks, groups = read_groups(X, "samples", _GIVE_Y)
    _raise_for_sparse(groups)
    for at, group in enumerate(groups):
        is_one = isinstance(group, (str, bytes)) or getattr(group, "ndim", 1) == 0
        if is_one or not hasattr(group, "__len__"):
            raise ValueError(
                "X must hold the samples of each task where y is None; its item "
                f"{at} is a {type(group).__name__}.{_GIVE_Y}"
            )
    sizes = [len(group) for group in groups]
    raise_for_empty(tasks, sizes)
    of_task = np.repeat(np.arange(len(groups)), sizes)
    return Samples(join(groups), tasks, np.arange(len(of_task)), of_task)


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
    return list(tasks), np.arange(len(of_task)), of_task


def _of_memberships(y):
    tasks = range(y.shape[1])
    if isinstance(y, pd.DataFrame):
        tasks, y = list(as_names(y.columns, "The columns of y")), y.to_numpy()
    matrix = sparse.coo_array(y if sparse.issparse(y) else np.asarray(y, dtype=float))
    if not np.isin(matrix.data, (0, 1)).all():  # True and False are among these
        raise ValueError(
            "y, a matrix of memberships, must hold 0 and 1 only. It has a row for each "
            "sample and a column for each task. For relations among tasks, for a later "
            "step of a Pipeline, give X as a dict of the samples of each task."
        )
    of_sample, of_task = matrix.astype(bool).tocsr().nonzero()  # duplicates are summed
    return tasks, of_sample.astype(np.intp), of_task.astype(np.intp)
