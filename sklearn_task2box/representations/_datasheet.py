"""Representation of tasks by the columns of a table about them, such as data sheets."""

from collections import Counter
from collections.abc import Mapping
from functools import partial
from numbers import Integral, Real

import numpy as np
import pandas as pd
from pandas.api.types import is_list_like
from scipy import sparse
from sklearn import config_context
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_array
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted, validate_data

from sklearn_task2box.relations._names import as_names, some, task_names
from sklearn_task2box.representations._samples import TaskTransformer
from sklearn_task2box.utils._typing import Any, Array, Features, Names, Self

KINDS = ("number", "size", "category", "tags", "text")
# A column of strings holds texts where more than so many of them differ.
_MAX_CATEGORIES = 20
# A number whose largest value is so many times its smallest positive one is a size.
_SIZE_RANGE = 1000
_COLLECTIONS = (list, tuple, set, frozenset, np.ndarray)


class DatasheetRepresentation(TaskTransformer, BaseEstimator):
    """Describe each task by the columns of a table about tasks.

    Numbers are standardised, sizes after taking their logarithm. Each category, and each
    tag, of which a task may have many, becomes a column of 0 and 1. A missing number is
    replaced by the median; where fit saw missing ones, the feature "missing(...)" marks
    them. Missing and new categories and tags are 0 in all columns.

    Parameters
    ----------
    kinds : dict of str to str, default=None
        Kind of columns: "number", "size" (a number on a logarithmic scale), "category",
        "tags" (a list of strings, or one string with separators) or "text" (left out).
        A list of one value counts as the value. For other columns, the first of these rules
        decides by the values in fit; dicts and nested lists are only left out, as "text":

        * none: "text"; lists, tuples and sets: "tags";
        * numbers and booleans: "size" if none is negative and the largest is more than
          1,000 times the smallest positive one, "number" otherwise;
        * strings, or parts of them, most of which and more than 20 differ: "text";
        * strings some of which have the separator: "tags"; others: "category".
    separator : str, default="|"
        Separator of the tags in a string.
    min_frequency : int >= 1, default=1
        Number of tasks that must have a category or a tag for it to become a column.

    Attributes
    ----------
    kinds_ : dict of str to str
        The kind of each column.
    encoder_ : sklearn.compose.ColumnTransformer
        The fitted encoders of the columns.
    tasks_ : ndarray of shape (n_tasks,)
        Names of the tasks of fit, or their positions where they have none.
    n_features_in_, feature_names_in_ : int, ndarray of shape (n_features_in_,)
        Number of columns, and their names where they have any.

    Examples
    --------
    >>> from sklearn_task2box.representations import DatasheetRepresentation
    >>> cards = {
    ...     "mnist": {"examples": 70_000, "license": "mit", "tags": ["image", "digits"]},
    ...     "tiny": {"examples": 500, "license": "other", "tags": ["text"]},
    ... }
    >>> tasks = DatasheetRepresentation(kinds={"examples": "size"}).fit_transform(cards)
    >>> tasks[["license=mit", "tags:text"]]
           license=mit  tags:text
    mnist          1.0        0.0
    tiny           0.0        1.0
    """

    _parameter_constraints = {  # noqa: RUF012 - scikit-learn's way of stating constraints
        "kinds": [dict, None],
        "separator": [str],
        "min_frequency": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        *,
        kinds: dict | None = None,
        separator: str | None = "|",
        min_frequency: int | float = 1,
    ) -> None:
        self.kinds = kinds
        self.separator = separator
        self.min_frequency = min_frequency

    def fit(self, X: Features, y: Any = None) -> Self:
        """Learn the columns, their values and their scales.

        A ValueError of an unusable parameter or column leaves the estimator unchanged.

        Parameters
        ----------
        X : DataFrame, dict of dicts, list of dicts or array-like, of n_tasks rows
            One row for each task, named by the index of a DataFrame or the keys of a dict.
            The columns of an array are called "x0", "x1", ... In transform, dicts may lack
            fields, and new fields are ignored.
        y : ignored

        Returns
        -------
        self : DatasheetRepresentation
        """
        self._validate_params()
        frame, tasks, given = _read(X)
        kinds = self._kinds(frame)
        prepared = self._prepared(frame, kinds)
        encoder = self._encoder(prepared, kinds)
        with config_context(transform_output="default"):
            encoder.fit(prepared)
        # Last, so that a fit that fails changes nothing.
        validate_data(self, X=given, skip_check_array=True)
        self.kinds_, self.encoder_ = kinds, encoder
        self.tasks_ = as_names(tasks, "The index of X")
        return self

    def _described(self, X, y):
        frame, tasks, given = _read(X)
        if _is_records(X):
            frame = frame.reindex(columns=list(self.kinds_))
        else:
            validate_data(self, X=given, reset=False, skip_check_array=True)
            frame = frame.set_axis(list(self.kinds_), axis=1)
        with config_context(transform_output="default"):
            return self.encoder_.transform(self._prepared(frame, self.kinds_)), tasks

    def get_feature_names_out(self, input_features: Names = None) -> Array:
        """Names like "n", "log10(n)" of sizes, "missing(n)", "license=mit", "tags:digits".

        ``input_features`` can only be the columns of fit.
        """
        check_is_fitted(self)
        _check_feature_names_in(self, input_features)
        return self.encoder_.get_feature_names_out()

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        tags.input_tags.dict = True
        return tags

    def _kinds(self, frame):
        if not self.separator:
            raise ValueError("separator must not be empty.")
        given = self.kinds or {}
        unknown = [name for name in given if name not in frame.columns]
        if unknown:
            raise ValueError(
                f"kinds names {some(unknown)}, but the columns of X are "
                f"{some(frame.columns, most=10)}."
            )
        wrong = [kind for kind in given.values() if kind not in KINDS]
        if wrong:
            raise ValueError(f"A kind is one of {KINDS}; got {wrong[0]!r}.")
        inferred = partial(_inferred, separator=self.separator)
        return {name: given.get(name) or inferred(frame[name]) for name in frame.columns}

    def _prepared(self, frame, kinds):
        """The columns that are used, with values as their encoders read them."""
        columns = {}
        for at, (name, kind) in enumerate(kinds.items()):
            label = name if isinstance(name, str) else f"x{at}"
            if kind != "text":
                columns[label] = _read_column(frame[name], kind, self.separator)
        return pd.DataFrame(columns, index=frame.index)

    def _encoder(self, prepared, kinds):
        encoders, names = [], {}
        used = [kind for kind in kinds.values() if kind != "text"]
        for kind, (name, values) in zip(used, prepared.items(), strict=True):
            label = str(len(encoders))
            if kind in ("number", "size"):
                options = {"add_indicator": True, "keep_empty_features": True}
                imputer = SimpleImputer(strategy="median", **options)
                encoders.append((label, make_pipeline(imputer, StandardScaler()), [name]))
                shown = f"log10({name})" if kind == "size" else name
                names[label] = {name: shown, f"missingindicator_{name}": f"missing({name})"}
                continue
            counts = Counter(tag for of_task in values for tag in set(of_task))
            known = sorted(tag for tag, n in counts.items() if n >= self.min_frequency)
            if known:
                options = {"analyzer": list, "lowercase": False, "binary": True}
                encoder = CountVectorizer(**options, vocabulary=known, dtype=np.float64)
                encoders.append((label, encoder, name))
                sign = ":" if kind == "tags" else "="
                names[label] = {tag: f"{name}{sign}{tag}" for tag in known}
        if not encoders:
            raise ValueError(f"No column is left as a feature; the kinds are {kinds}.")
        return ColumnTransformer(
            encoders,
            sparse_threshold=0,
            verbose_feature_names_out=_FeatureNames(names),
        )


def _is_records(X):
    if isinstance(X, (list, tuple)):
        return len(X) > 0 and all(isinstance(row, Mapping) for row in X)
    return isinstance(X, Mapping) and not sparse.issparse(X)  # dok_matrix is a dict


def _read(X):
    """A DataFrame of the table, names or positions of its rows, and what to validate."""
    array = None
    if _is_records(X):
        named = isinstance(X, Mapping)
        rows = list(X.values() if named else X)
        if not all(isinstance(row, Mapping) for row in rows):
            raise ValueError("X, a dict of tasks, must hold a dict of fields for each.")
        # As objects, a whole number stays one where other tasks have none or a float.
        frame = pd.DataFrame(rows, index=list(X) if named else None, dtype=object)
    elif isinstance(X, pd.DataFrame):
        frame = X
    else:
        # As objects, numbers in lists stay numbers where there are strings beside them.
        X = X if hasattr(X, "dtype") or sparse.issparse(X) else np.asarray(X, dtype=object)
        array = check_array(X, dtype=None, ensure_all_finite="allow-nan")
        frame = pd.DataFrame(array, columns=[f"x{i}" for i in range(array.shape[1])])
    if len(frame) == 0 or (frame is X and frame.shape[1] == 0):
        raise ValueError(f"X has no task or no column: its shape is {frame.shape}.")
    if not frame.columns.is_unique:
        raise ValueError("The columns of X must have different names.")
    names = task_names(frame)
    tasks = range(len(frame)) if names is None else names
    return frame, tasks, frame if array is None else array


def _values(value, separator=None):
    """Values of a field that are there, of a collection or of a string with separators."""
    if separator is not None and isinstance(value, str):
        value = value.split(separator)
    has_many = isinstance(value, _COLLECTIONS) and getattr(value, "ndim", 1)
    values = value if has_many else [value]
    return [one for one in values if is_list_like(one) or not (pd.isna(one) or one == "")]


def _inferred(column, separator):
    values = [value for field in column for value in _values(field)]
    if not values:
        return "text"
    odd = [type(v).__name__ for v in values if not isinstance(v, (str, Real, np.bool_))]
    if odd:
        raise ValueError(
            f"Column {column.name!r} holds values of the type {some(dict.fromkeys(odd))}. "
            "Convert them to numbers, strings or lists of strings, or leave it out: "
            f"kinds={{{column.name!r}: 'text'}}."
        )
    if any(isinstance(field, _COLLECTIONS) for field in column):
        return "tags"
    if not any(isinstance(value, str) for value in values):
        try:
            numbers = np.array(values, dtype=float)
        except OverflowError:  # refused, with the name of the task, where they are read
            return "number"
        least = min(numbers[numbers > 0], default=np.inf)
        wide = max(numbers) / _SIZE_RANGE > least
        return "size" if wide and min(numbers) >= 0 else "number"
    parts = [part for value in values for part in str(value).split(separator)]
    if len(set(parts)) > max(_MAX_CATEGORIES, len(parts) / 2):
        return "text"
    return "tags" if len(parts) > len(values) else "category"


def _read_column(column, kind, separator):
    """The numbers of a column, or the list of tags of each task; errors name the task."""
    is_number, read = kind in ("number", "size"), []
    for task, field in column.items():
        values = _values(field, separator if kind == "tags" else None)
        try:
            if kind != "tags" and len(values) > 1:
                raise ValueError(f"it has {len(values)} values")
            read.append(list(map(float if is_number else _label, values)))
        except (TypeError, ValueError, OverflowError) as error:
            raise ValueError(
                f"Column {column.name!r} is of the kind {kind!r}, but the field of task "
                f"{task!r} is not: {error}. Correct it, or give another kind, such as "
                f"kinds={{{column.name!r}: 'text'}}, which leaves the column out."
            ) from error
    if not is_number:
        return [[tag.strip() for tag in tags] if kind == "tags" else tags for tags in read]
    numbers = np.array([one[0] if one else np.nan for one in read], dtype=float)
    if np.isinf(numbers).any():
        raise ValueError(f"Column {column.name!r} contains infinity.")
    if kind == "number":
        return numbers
    if (numbers < 0).any():
        raise ValueError(
            f"Column {column.name!r} is read as a size, but has the negative value "
            f"{np.nanmin(numbers):g}. Give kinds={{{column.name!r}: 'number'}}."
        )
    return np.log1p(numbers)  # to be standardised, so that any logarithm does


def _label(value):
    if is_list_like(value):
        raise TypeError(f"it holds a {type(value).__name__}")
    is_number = isinstance(value, Real) and not isinstance(value, (bool, np.bool_))
    # A column of whole numbers with a missing one comes as floats.
    return str(int(value) if is_number and value % 1 == 0 else value)


class _FeatureNames:
    """Names of the features that encoders make: not a function, which could not be stored.

    ``names`` are by the label of an encoder, then by its own name of the feature.
    """

    def __init__(self, names):
        self.names = names

    def __call__(self, label, name):
        return self.names[label][name]
