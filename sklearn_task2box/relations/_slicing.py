"""Containers that scikit-learn cuts by rows."""

import numbers

import numpy as np
from sklearn.utils._array_api import get_namespace

from sklearn_task2box.utils._sent_once import SentOnce
from sklearn_task2box.utils._storage import Stored
from sklearn_task2box.utils._typing import Any, ArrayLike, Self


class RowSliceable(SentOnce, Stored):
    """Base class of containers that scikit-learn can cut by rows, by ``_select(indices)``.

    With ``iloc``, ``loc`` and ``take``, it takes its branch for pandas, which works with
    and without array API dispatch.
    """

    # What to do instead of taking columns, for error messages.
    _without_columns = ""
    # What to do to take rows by name.
    _by_name = ""

    def __getitem__(self, key):
        if isinstance(key, tuple):
            if len(key) != 2 or not (key[1] is Ellipsis or key[1] == slice(None)):
                raise IndexError(
                    f"{type(self).__name__} is sliced by rows only; got the key {key!r}."
                    + self._without_columns
                )
            key = key[0]
        if isinstance(key, numbers.Integral):
            key = [key]
        try:
            return self._select(np.arange(len(self))[key])
        except IndexError as error:
            raise IndexError(
                f"{type(self).__name__} is sliced by positions or a mask: {error}. "
                f"{self._by_name}"
            ) from None

    @property
    def iloc(self) -> Self:
        return self

    @property
    def loc(self) -> Any:  # masks, which scikit-learn takes to ``loc``
        return self

    # Some of scikit-learn's tools need these two under array API dispatch.
    device = "cpu"

    def __array_namespace__(self, api_version=None):
        # The one that they see of NumPy's arrays, so that both mix.
        return get_namespace(np.empty(0))[0]

    def take(self, indices: ArrayLike, axis: int = 0) -> Self:
        """Return the rows at ``indices``, as a container of the same kind."""
        if axis not in (0, "index"):
            raise ValueError(
                f"{type(self).__name__} is sliced by rows only; got axis={axis!r}."
            )
        return self[np.asarray(indices)]
