"""Names of tasks: the index of a feature frame, and positions where there is none."""

from collections.abc import Iterable
from difflib import get_close_matches

import numpy as np
import pandas as pd

from sklearn_task2box.utils._typing import Any, Array

# Unknown names that may be misspelled, names that one is compared with, and how alike two
# names are that may be one.
_MAX_MISSPELLED, _MAX_COMPARED, _CLOSE = 3, 10_000, 0.8
NAME_THE_ROWS = (
    "Name the rows: pass X as a DataFrame whose index holds the task names, or "
    "TaskRelations(relations, tasks=names), names in the order of the rows of X. Names "
    "that a step of a Pipeline drops are kept by pipeline.set_output(transform='pandas')."
)


def task_names(X: Any) -> Array | None:
    """Names of the rows of a feature matrix, or None where it has none.

    A DataFrame names its rows, unless its index is the default one.

    Parameters
    ----------
    X : {array-like, sparse matrix, DataFrame} of shape (n_tasks, n_features)

    Returns
    -------
    names : ndarray of shape (n_tasks,) or None
    """
    index = getattr(X, "index", None)
    counts = isinstance(index, pd.RangeIndex) and index.equals(pd.RangeIndex(len(index)))
    if counts or not isinstance(index, pd.Index):
        return None
    return as_names(index, "the index of X")


def as_names(names, what):
    """Task names as a 1-D array; ValueError where one is missing or repeated."""
    if isinstance(names, str) or not isinstance(names, Iterable):
        raise ValueError(f"{what} must be a sequence of task names; got {names!r}.")
    array = as_objects(names)
    index = pd.Index(array, tupleize_cols=False)
    if index.hasnans:
        raise ValueError(f"{what} has missing names (NaN or None).")
    if index.has_duplicates:
        twice = index[index.duplicated()].unique()
        raise ValueError(
            f"Task names must be unique, but {what} repeats {some(twice)}. Rename or "
            "merge these tasks."
        )
    return array


def as_objects(values):
    """A 1-D array of any values, which may be tuples."""
    values = list(values)
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def positions_of(names, among):
    """First positions of names in an array of names; -1 for a name that is not there."""
    among, names = (pd.Index(a, tupleize_cols=False) for a in (among, names))
    if among.is_unique:
        return among.get_indexer(names)
    first = np.flatnonzero(~among.duplicated())  # rows drawn with replacement
    at = among[first].get_indexer(names)
    return np.where(at < 0, at, first[at])


def as_text(names):
    """Names as text, whole numbers written alike."""
    names = np.asarray(names)
    whole = as_integers(names) if len(names) else None
    return np.array([str(name) for name in (names if whole is None else whole)], dtype=str)


def hint_at_type(unknown, names):
    """What to do where names are unknown only as text, or only as numbers; else ''."""
    if not np.isin(as_text(unknown), as_text(names)).any():
        return ""
    return (
        f" They are there as {'numbers' if isinstance(unknown[0], str) else 'text'}, which "
        "are other names. Convert one side, as by X.set_axis(X.index.astype(str)); row "
        "positions are names as X.index[positions]."
    )


def hint_at_close(unknown, names):
    """A name that an unknown one may be meant to be, for an error; else ''.

    Of many unknown names, some differ in case and blanks only.
    """
    closeness = _CLOSE if len(unknown) <= _MAX_MISSPELLED else 1.0
    unknown = unknown[:_MAX_MISSPELLED]
    known = {str(name).strip().lower(): name for name in names[:_MAX_COMPARED]}
    for name in filter(lambda name: isinstance(name, str), unknown):
        for close in get_close_matches(name.strip().lower(), known, 1, closeness):
            return f" Is {name!r} meant to be {known[close]!r}?"
    return ""


def in_order(series, names, what):
    """A Series in the order of names, unless its index has none of them or only counts."""
    at = positions_of(names, series.index)
    found = at >= 0
    hint = "" if found.any() else hint_at_type(series.index, names)
    if hint and not is_positions(np.asarray(series.index)):
        raise ValueError(
            f"The index of {what} has names that the tasks do not have: "
            f"{some(series.index)}.{hint}"
        )
    if found.all() and series.index.is_unique:
        return series.iloc[at]
    if found.any() and not is_positions(np.asarray(series.index)):
        wrong = f"lacks {some(np.asarray(names, dtype=object)[~found])}"
        if found.all():
            wrong = f"repeats {some(series.index[series.index.duplicated()].unique())}"
        raise ValueError(
            f"The index of {what} names tasks, but {wrong}. Name each task once, or pass "
            "values in the order of the tasks, series.to_numpy()."
        )
    return series


def is_positions(names):
    """Whether the names only count the rows."""
    integers = isinstance(names, np.ndarray) and names.dtype.kind == "i"
    return integers and np.array_equal(names, np.arange(len(names)))


def check_no_other_order(labels):
    """ValueError if labels are row positions, but not in their order."""
    positions, rows = as_integers(labels), np.arange(len(labels))
    if positions is None or np.array_equal(positions, rows):
        return
    if np.array_equal(np.sort(positions), rows):
        raise ValueError(
            "The rows of X have no names, and the labels of the relations are 0 to "
            f"{rows[-1]} in another order, {some(labels)}: do they count rows, or stand in "
            "the order of the rows? Sort them, relations.loc[range(n), range(n)], or name "
            "the rows: pass X as a DataFrame whose index holds the same labels."
        )


def as_integers(ends):
    """Whole numbers as an integer array; None where something else is among them."""
    ends = np.asarray(ends)
    if ends.dtype == object:
        ends = pd.Index(ends).infer_objects().to_numpy()
    if ends.dtype.kind == "f" and np.isfinite(ends).all() and (ends == ends.round()).all():
        ends = ends.astype(np.intp)
    return ends.astype(np.intp) if ends.dtype.kind in "iu" else None


def some(names, most=3):
    """A few names for an error message."""
    names = list(names)
    text = ", ".join(repr(getattr(n, "item", lambda n=n: n)()) for n in names[:most])
    return text + (f" and {len(names) - most} more" if len(names) > most else "")
