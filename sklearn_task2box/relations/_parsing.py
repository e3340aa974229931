"""Reading of relations from any input format: entries between named tasks."""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, TypeGuard

import networkx as nx
import numpy as np
import pandas as pd
from scipy import sparse

from sklearn_task2box.relations._names import (
    NAME_THE_ROWS,
    as_integers,
    as_names,
    as_objects,
    hint_at_close,
    hint_at_type,
    is_positions,
    positions_of,
    some,
)
from sklearn_task2box.relations._slicing import RowSliceable
from sklearn_task2box.utils._typing import Any

# Strengths that differ from 0 or 1 by no more units of rounding are 0 or 1.
_ROUNDING = 4
_FORMATS = (
    "a labelled square DataFrame, a networkx.DiGraph, a mapping of parents, an edge list "
    "of shape (m, 2) or (m, 3), a square matrix, TaskRelations, or one label per task"
)
# Columns of an edge list that say which end is the member, and which the container.
_HEADERS = (
    ("child", "member", "hyponym", "subclass", "subset"),
    ("parent", "container", "hypernym", "superclass", "superset"),
)
_ADD_OR_LEAVE_OUT = (
    " Add their rows to X or, so that what they imply about others is kept, leave them out "
    "after the closure: TaskRelations(relations).loc[X.index]."
)
_CUT = (
    "If a cross-validation splitter cut it, it has lost which tasks its rows and columns "
    "are. Pass relations that survive slicing: TaskRelations(relations, tasks=names), "
    "names in the order of the rows of X, or a labelled square DataFrame."
)


class Entries(NamedTuple):
    """Relations as positions of tasks with names, and strengths: NaN where unknown."""

    heads: np.ndarray
    tails: np.ndarray
    strengths: np.ndarray
    names: np.ndarray
    rows: np.ndarray  # positions of the tasks whose outgoing pairs are given
    leaves_unmentioned: bool = True  # whether pairs that are not listed are unmentioned
    from_nodes: bool = False  # whether the tasks are the nodes, since none were given


def read_entries(relations, tasks=None):
    """Read any input format as Entries, without self-loops, each ordered pair once."""
    if is_labelled(relations):
        return _read_labelled(relations, tasks)
    if isinstance(relations, nx.Graph):
        return _read_graph(relations, tasks)
    if isinstance(relations, nx.classes.reportviews.OutEdgeView):
        relations = list(relations)
    if isinstance(relations, Mapping):
        return _read_parents(relations, tasks)
    if sparse.issparse(relations):
        return _read_matrix(relations, tasks)
    if isinstance(relations, pd.DataFrame):
        unlabelled = all(isinstance(axis, pd.RangeIndex) for axis in relations.axes)
        if unlabelled and tasks is not None and relations.shape == (len(tasks),) * 2:
            return _read_matrix(_frame_values(relations), tasks)
        if relations.shape[1] not in (2, 3):
            for where in ("index", "columns"):
                as_names(getattr(relations, where), f"the {where} of the relations")
            wrong = relations.index.difference(relations.columns, sort=False)
            raise ValueError(
                "A DataFrame of relations is square with task names as its index and "
                f"columns, or an edge list of 2 or 3 columns; got the shape "
                f"{relations.shape}, whose index has names that its columns do not have: "
                f"{some(wrong)}.{hint_at_type(wrong, relations.columns)}"
            )
        return _read_edges(relations, tasks)
    if isinstance(relations, Iterable) and not isinstance(relations, str):
        if not isinstance(relations, Sequence) and not hasattr(relations, "__array__"):
            relations = list(relations)  # a set, or a view of the edges of a graph
        if all(isinstance(edge, tuple) for edge in relations):
            return _read_edges(relations, tasks)
    array = _as_array(relations)
    n = array.shape[0] if tasks is None else len(tasks)
    if array.ndim == 2 and array.shape[1] in (2, 3) and array.shape != (n, n):
        return _read_edges(array, tasks)
    return _read_matrix(array, tasks)


def is_labelled(relations: Any) -> TypeGuard[pd.DataFrame]:
    """Whether it is a DataFrame with index = columns, or such a one cut by rows."""
    if not isinstance(relations, pd.DataFrame) or len(relations) == 0:
        return False
    n_rows, n_columns = relations.shape
    unlabelled = all(isinstance(axis, pd.RangeIndex) for axis in relations.axes)
    if unlabelled and n_columns in (2, 3):
        return False  # an edge list of a few rows
    return n_columns >= n_rows and bool(relations.index.isin(relations.columns).all())


def check_headers(relations, direction="member_to_container"):
    """ValueError if columns named as member and container stand in the other order."""
    if not isinstance(relations, pd.DataFrame) or relations.shape[1] not in (2, 3):
        return
    order = [str(name).lower() for name in relations.columns[:2]]
    if order == ["target", "source"]:
        first, second = relations.columns[:2]
        raise ValueError(
            f"An edge goes from the first column to the second; got the columns {first!r}, "
            f"{second!r}. Take frame[{[second, first]}], or other names."
        )
    inside = _HEADERS[0] if direction == "member_to_container" else _HEADERS[1]
    if order[1] in inside and order[0] in set().union(*_HEADERS) - set(inside):
        first, second = relations.columns[:2]
        raise ValueError(
            f"With direction={direction!r}, the first column of an edge list is the "
            f"{'task inside' if inside is _HEADERS[0] else 'container'}; got the columns "
            f"{first!r}, {second!r}. Take frame[{[second, first]}], or another direction."
        )


def is_labels(y):
    """Whether it is a 1-D sequence of class labels."""
    if isinstance(y, (pd.Series, pd.Index)):
        return True
    if isinstance(y, (list, tuple)):
        return len(y) > 0 and all(map(pd.api.types.is_scalar, y))
    if hasattr(y, "__array__") and not isinstance(y, pd.DataFrame | RowSliceable):
        y = np.asarray(y)
        return y.ndim == 1 and all(map(pd.api.types.is_scalar, y[:1]))
    return False


def as_labels(labels):
    """Class labels as an array; a list may mix types, and have missing ones."""
    if isinstance(labels, (list, tuple)):
        labels = pd.Series(list(labels), dtype=object).infer_objects().to_numpy()
    labels = np.asarray(labels)
    if np.iscomplexobj(labels):
        raise ValueError(
            f"Complex data not supported: y has complex numbers, such as {labels[0]}, "
            "which is no class. Give codes of the classes, pd.factorize(y)[0]."
        )
    return labels


# -- one reader per input format -------------------------------------------------------
def _read_labelled(frame, tasks):
    columns = as_names(frame.columns, "the columns of the relations")
    index = as_names(frame.index, "the index of the relations")
    names = columns if tasks is None else as_names(tasks, "The argument tasks")
    at = positions_of(columns, names)
    if (at < 0).any():
        raise ValueError(
            "The relations name tasks that are not among the tasks given: "
            f"{some(columns[at < 0])}.{hint_at_type(columns[at < 0], names)}"
        )
    given = rows = positions_of(index, names)
    if len(index) == len(columns) and tasks is not None:
        given = np.arange(len(names))  # not cut: of further tasks nothing is mentioned
    heads, tails, strengths = _dense_entries(_frame_values(frame))
    cleaned = _clean(rows[heads], at[tails], strengths, names, n_rows=len(index))
    return Entries(*cleaned, names, given, leaves_unmentioned=False)


def _frame_values(frame):
    """Values of a frame, with NaN for the missing values of nullable types."""
    if any(isinstance(dtype, pd.api.extensions.ExtensionDtype) for dtype in frame.dtypes):
        frame = frame.astype(object).where(frame.notna(), np.nan)
    return frame.to_numpy()


def _read_graph(graph, tasks, what="The graph"):
    if not graph.is_directed():
        raise ValueError(
            f"Relations have a direction, but got an undirected {type(graph).__name__}. "
            "Pass a networkx.DiGraph; graph.to_directed() relates both ways."
        )
    nodes = as_names(graph.nodes, what)
    if tasks is None and not len(nodes):
        raise ValueError(f"{what} names no task.")
    names = _names_of_nodes(nodes) if tasks is None else tasks
    if is_positions(names) and not np.array_equal(_names_of_nodes(nodes), names):
        raise ValueError(
            f"The rows of X have no names, so {what.lower()} must name exactly the tasks 0 "
            f"to {len(names) - 1}; got {some(nodes) or 'none'}. {NAME_THE_ROWS}"
        )
    unknown = nodes[positions_of(nodes, names) < 0]
    if len(unknown):
        hint = hint_at_type(unknown, names)
        raise ValueError(
            f"{what} names tasks that are not among the {len(names)} rows of X: "
            f"{some(unknown)}."
            + (hint or hint_at_close(unknown, names) or _ADD_OR_LEAVE_OUT)
        )
    edges = list(graph.edges(data="weight", default=1.0))
    attributes = set().union(*(data for *_, data in graph.edges(data=True)))
    if "strength" in attributes and "weight" not in attributes:
        raise ValueError(
            "The strength of an edge is its attribute 'weight', and the edges have none, "
            "but an attribute 'strength'. Rename it."
        )
    ends = (as_objects(edge[end] for edge in edges) for end in (0, 1))
    weights = as_objects(1.0 if edge[2] is None else edge[2] for edge in edges)
    strengths = _as_strengths(weights, "The weights of the edges")
    at = (positions_of(names_there, names) for names_there in ends)
    return _of_edges(*at, strengths, names, tasks is None)


def _of_edges(heads, tails, strengths, names, from_nodes):
    cleaned = _clean(heads, tails, strengths, names, warn_diagonal=True)
    return Entries(*cleaned, names, np.arange(len(names)), from_nodes=from_nodes)


def _names_of_nodes(nodes):
    """Names of the nodes in their order, or positions where they are 0 to n - 1."""
    integers = as_integers(nodes) if len(nodes) else None
    if integers is not None and np.array_equal(np.sort(integers), np.arange(len(nodes))):
        return np.arange(len(nodes))
    return nodes


def _read_edges(edges, tasks):
    heads, tails, strengths = edge_columns(edges, "The edge list")
    names = tasks
    if tasks is None:
        ends = np.concatenate([np.asarray(heads, object), np.asarray(tails, object)])
        if not len(ends):
            raise ValueError(
                "An empty edge list names no task. Pass TaskRelations(edges, tasks=names)."
            )
        names = _names_of_nodes(as_names(pd.unique(ends), "The edge list"))
    heads, tails = endpoints(heads, tails, names, "The edge list")
    return _of_edges(heads, tails, strengths, names, tasks is None)


def _read_parents(parents, tasks):
    """A mapping of each task to its parent, to several of them, or to None."""
    names = {*parents, *([] if tasks is None else tasks)}
    graph = nx.DiGraph()
    for child, value in parents.items():
        if isinstance(value, Mapping):
            raise ValueError(
                "A mapping takes each task to its parent, or to a list of its parents; "
                f"{child!r} is taken to a {type(value).__name__}. Pass a networkx.DiGraph "
                "for edges with attributes."
            )
        several = isinstance(value, list | set | frozenset | np.ndarray | pd.Index)
        if isinstance(value, tuple):  # the name of one parent, or several parents
            several = value not in names
        graph.add_node(child)
        for parent in value if several else [value]:
            if not (parent is None or (isinstance(parent, float) and np.isnan(parent))):
                graph.add_edge(child, parent)
    return _read_graph(graph, tasks, "The mapping of parents")


def _read_matrix(matrix, tasks):
    n = matrix.shape[0] if tasks is None else len(tasks)
    if matrix.ndim != 2 or matrix.shape != (n, n):
        hint = "There must be a row and a column for each row of X."
        if matrix.shape == (n, 1):
            hint = "Class labels are 1-D: y.ravel()."
        elif matrix.ndim == 2 and matrix.shape[0] == n:
            hint = _CUT
        raise ValueError(
            f"The relations among {n} tasks must be a square matrix of shape ({n}, {n}) "
            f"or an edge list of shape (m, 2) or (m, 3); got the shape "
            f"{tuple(matrix.shape)}. {hint}"
        )
    names = np.arange(n) if tasks is None else tasks
    if sparse.issparse(matrix):
        coo = matrix.tocoo(copy=True)
        coo.sum_duplicates()
        heads, tails = coo.row.astype(np.intp), coo.col.astype(np.intp)
        strengths = _as_strengths(coo.data, "The strengths")
    else:
        heads, tails, strengths = _dense_entries(matrix)
    cleaned = _clean(heads, tails, strengths, names)
    return Entries(
        *cleaned, names, np.arange(n), leaves_unmentioned=sparse.issparse(matrix)
    )


def _dense_entries(matrix):
    """Every entry of a dense matrix is mentioned, zeros included."""
    strengths = _as_strengths(matrix, "The strengths")
    heads, tails = np.indices(strengths.shape, dtype=np.int32).reshape(2, -1)
    return heads, tails, strengths.ravel()


def edge_columns(edges, what, widths=(2, 3)):
    """Heads, tails and strengths (1 where there are none) of an edge list."""
    got = f"the shape {getattr(edges, 'shape', None)}"
    if isinstance(edges, pd.DataFrame):
        columns = [edges.iloc[:, j].to_numpy() for j in range(edges.shape[1])]
    elif isinstance(edges, np.ndarray):
        columns = list(edges.T) if edges.ndim == 2 else []
    else:
        edges = list(edges)
        lengths = sorted({len(e) if hasattr(e, "__len__") else 0 for e in edges} or {2})
        got = f"rows of {' and '.join(map(str, lengths))} entries"
        width = lengths[0] if len(lengths) == 1 else 0
        parts = zip(*edges, strict=True) if edges and width else [()] * width
        columns = [as_objects(part) for part in parts]
    if len(columns) not in widths:
        expected = " or ".join(f"(m, {w})" for w in widths)
        raise ValueError(f"{what} must have the shape {expected}; got {got}.")
    if len(columns) == 2:
        return *columns, np.ones(len(columns[0]))
    if columns[2].dtype == object and any(isinstance(d, dict) for d in columns[2]):
        raise ValueError(
            "The third column of an edge list must be strengths; got dicts. Take "
            "graph.edges(data='weight', default=1.0), or pass the graph itself."
        )
    what = f"The strengths of {what[0].lower()}{what[1:]}"
    return *columns[:2], _as_strengths(columns[2], what)


def endpoints(heads, tails, names, what):
    """Row positions of the ends of edges, which are names or positions."""
    at = [positions_of(ends, names) for ends in (heads, tails)]
    if all((p >= 0).all() for p in at):
        return at
    positional = pd.api.types.is_integer_dtype(pd.Index(names).infer_objects().dtype)
    as_int = [as_integers(ends) for ends in (heads, tails)]
    some_named = positional or any((p >= 0).any() for p in at)
    ends = np.concatenate([np.asarray(ends, dtype=object) for ends in (heads, tails)])
    unknown = pd.unique(ends[np.concatenate(at) < 0])
    hint = hint_at_type(unknown, names)
    if pd.isna(unknown).any():
        hint = " A missing name is no task: leave out rows without a container."
    named = any(p is None for p in as_int) or (some_named and not is_positions(names))
    if hint or named:
        if not hint and is_positions(names):
            hint = f" {NAME_THE_ROWS}" if "edge" in what else " Name them in X, as a frame."
        raise ValueError(
            f"{what} names tasks that are not among the {len(names)} rows of X: "
            f"{some(unknown)}."
            + (hint or hint_at_close(unknown, names) or _ADD_OR_LEAVE_OUT)
        )
    ends, n = np.concatenate(as_int), len(names)
    bad = np.unique(ends[(ends < 0) | (ends >= n)])
    if len(bad):
        raise ValueError(
            f"{what} has the row positions {some(bad)}, but there are {n} tasks (0 to "
            f"{n - 1})." + (f" {_CUT}" if "edge" in what else "")
        )
    return as_int


# -- checks that all input formats share -----------------------------------------------
def _as_array(relations):
    if relations is None or isinstance(relations, str):
        raise ValueError(
            f"Relations can't be read from a {type(relations).__name__}: pass {_FORMATS}."
        )
    views = nx.classes.coreviews.AtlasView, dict
    if isinstance(relations, list) and any(isinstance(r, views) for r in relations):
        raise ValueError(
            "Got a list of views of neighbors, which is a networkx graph cut into pieces. "
            + _CUT
        )
    if isinstance(relations, np.ma.MaskedArray):  # what is masked is unknown
        relations = relations.astype(np.result_type(relations, float)).filled(np.nan)
    try:
        array = np.asarray(relations)
    except ValueError as error:
        raise ValueError(
            f"Relations are ragged: they can't be made an array ({error}). Pass edges of "
            "2 or 3 entries each, or a square matrix."
        ) from None
    if array.ndim != 2:
        raise ValueError(
            f"Relations must be {_FORMATS}; got {array.ndim} dimensions: {array.shape}."
        )
    return array


def _as_strengths(values, what):
    """Strengths as float64, those within rounding of 0 or 1 being exactly that."""
    values = np.asarray(values)
    kinds = {values.dtype.type if values.dtype.kind == "f" else np.float64}
    if values.dtype == object:
        kinds.update(type(v) for v in values.flat if isinstance(v, np.floating))
    rounding = _ROUNDING * max(float(np.finfo(kind).eps) for kind in kinds)
    try:
        if values.dtype.kind in "cO" and not all(map(_is_number, values.flat)):
            raise TypeError
        strengths = values.astype(np.float64)
    except (TypeError, ValueError):
        raise ValueError(
            f"{what} must be numbers in [0, 1] (NaN for unknown); got values such as "
            f"{some([v for v in values.ravel() if not _is_number(v)])}."
        ) from None
    for exact in (0.0, 1.0):
        strengths[np.abs(strengths - exact) <= rounding] = exact
    return strengths


def _is_number(value):
    try:
        return not np.iscomplexobj(value) and float(value) is not None
    except (TypeError, ValueError):
        return False


def _clean(heads, tails, strengths, names, warn_diagonal=False, n_rows=None):
    """Check the strengths, drop the diagonal, make every ordered pair single."""
    bad = np.flatnonzero((strengths < 0) | (strengths > 1))
    if len(bad):
        u, v = names[heads[bad[0]]], names[tails[bad[0]]]
        raise ValueError(
            f"Strengths must be in [0, 1], the share of one task inside the other; got "
            f"{strengths[bad[0]]:g} for {some([u])} -> {some([v])}"
            + (f" and {len(bad) - 1} more such pairs" if len(bad) > 1 else "")
            + ". Rescale them first."
        )
    loops = heads == tails
    if loops.any():
        # A whole diagonal of ones, some of them unknown or not, states nothing.
        values = strengths[loops]
        meant = values[values > 0]
        n_rows = len(names) if n_rows is None else n_rows
        whole = len(np.unique(heads[loops])) == n_rows and not (values == 0).any()
        if len(meant) and (warn_diagonal or not (whole and (meant == 1).all())):
            at = names[heads[loops & (strengths > 0)]]
            warnings.warn(
                f"Ignored self-loops of {some(at)}: every task contains itself.",
                UserWarning,
                stacklevel=2,
            )
        heads, tails, strengths = heads[~loops], tails[~loops], strengths[~loops]
    keys = heads.astype(np.int64) * len(names) + tails
    if len(keys) > 1 and not (np.diff(keys) > 0).all():
        order = np.argsort(keys, kind="stable")
        keys, heads, tails, strengths = (a[order] for a in (keys, heads, tails, strengths))
        same = keys[1:] == keys[:-1]
        apart = np.abs(np.diff(np.nan_to_num(strengths, nan=-1.0)))
        clash = same & (apart > _ROUNDING * np.finfo(float).eps)
        if clash.any():
            c = np.argmax(clash)
            raise ValueError(
                f"The edge {some([names[heads[c]]])} -> {some([names[tails[c]]])} stands "
                f"twice with different weights, {strengths[c]:g} and "
                f"{strengths[c + 1]:g}. Keep one."
            )
        first = np.concatenate([[True], ~same])
        heads, tails, strengths = heads[first], tails[first], strengths[first]
    return heads, tails, strengths
