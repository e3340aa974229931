"""DuplicateIndicator: features that tell tasks of equal features apart."""

from itertools import pairwise
from numbers import Real

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted, validate_data

from sklearn_task2box.relations import task_names
from sklearn_task2box.relations._names import positions_of
from sklearn_task2box.utils._matching import match_rows, scaled
from sklearn_task2box.utils._storage import Stored
from sklearn_task2box.utils._typing import Any, Array, Features, Names, Self

_CHECKS = {"accept_sparse": "csr", "dtype": [np.float64, np.float32]}


class DuplicateIndicator(Stored, TransformerMixin, BaseEstimator):
    """Add indicator features that tell tasks of equal features apart.

    A network gives tasks of equal features one box, whatever their relations are, unless a
    teacher lets the boxes be free (see BoxRelationEmbedder's ``free_share``). This step
    before it, in a Pipeline, adds the number of each copy as a binary code, so that their
    boxes can differ (a random effect, in the terms of mixed models). In ``transform``, a
    row is a task of fit if it has its features and its name or, without names, its position
    in an X of as many rows; others have the number of the first copy.

    Parameters
    ----------
    scale : float, default=0.1
        Value of an indicator relative to the typical distance of a task from the mean of
        all (from 0, for sparse X): small, to matter only where other features do not.

    Attributes
    ----------
    copies_ : ndarray of int, of shape (n_tasks,)
        Number of each task of fit, from 0 on, among those of its features.
    n_indicators_ : int
        Number of features added: 0 where no two tasks have equal features.
    n_features_in_, feature_names_in_ : int, ndarray of shape (n_features_in_,)
        Number of features, and their names where X was a DataFrame with string columns.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_task2box.representations import DuplicateIndicator
    >>> X = np.array([[0.0, 1.0], [2.0, 0.0], [0.0, 1.0]])
    >>> DuplicateIndicator(scale=1.0).fit_transform(X).round(1)
    array([[0. , 1. , 0. ],
           [2. , 0. , 0. ],
           [0. , 1. , 1.1]])
    """

    _parameter_constraints = {"scale": [Interval(Real, 0, None, closed="neither")]}  # noqa: RUF012

    def __init__(self, scale: float = 0.1) -> None:
        self.scale = scale

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def fit(self, X: Features, y: Any = None) -> Self:
        """Number the copies among tasks of equal features.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_tasks, n_features)
        y : ignored

        Returns
        -------
        self : DuplicateIndicator
        """
        self._validate_params()
        names = task_names(X)
        data = validate_data(self, X, **_CHECKS)
        rows = pd.Series(_contents(data))
        self.copies_ = rows.groupby(rows, sort=False).cumcount().to_numpy()
        self.n_indicators_ = int(self.copies_.max(initial=0)).bit_length()
        self._names = names
        self._features = data.copy() if self.n_indicators_ else data[:0]
        *_, unit, spread = scaled(data, data)
        self._value = self.scale * unit * (spread or 1.0)
        return self

    def transform(self, X: Features) -> Array | pd.DataFrame:
        """Features with the indicators after them.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n, n_features)

        Returns
        -------
        X : ndarray or CSR matrix of shape (n, n_features + n_indicators_)
        """
        check_is_fitted(self)
        names = task_names(X)
        data = validate_data(self, X, **_CHECKS, reset=False)
        if not self.n_indicators_:
            return data
        at = np.full(data.shape[0], -1)
        if names is not None and self._names is not None:
            at = positions_of(names, self._names)
        elif data.shape[0] == len(self.copies_):
            at = np.arange(data.shape[0])
        matches = match_rows(data, self._features, at)
        copies = np.where((at >= 0) & (matches == at), self.copies_[at], 0)
        bits = (copies[:, None] >> np.arange(self.n_indicators_)) & 1
        bits = (bits * self._value).astype(data.dtype)
        if sparse.issparse(data):
            return sparse.hstack([data, sparse.csr_matrix(bits)], format="csr")
        return np.hstack([data, bits])

    def get_feature_names_out(self, input_features: Names = None) -> Array:
        """Names of the features, then duplicate0, duplicate1, ..."""
        check_is_fitted(self)
        names = _check_feature_names_in(self, input_features)
        added = [f"duplicate{k}" for k in range(self.n_indicators_)]
        return np.asarray([*names, *added], dtype=object)


def _contents(X):
    """Bytes for each row: the same for equal rows, and for no others."""
    if not sparse.issparse(X):
        return [row.tobytes() for row in X + 0]  # -0.0 is 0.0
    X = X.copy()
    X.sum_duplicates()
    X.eliminate_zeros()
    parts = [slice(*ends) for ends in pairwise(X.indptr)]
    return [(X.indices[part].tobytes(), X.data[part].tobytes()) for part in parts]
