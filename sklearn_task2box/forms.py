"""The forms in which relations are given, read into one: entries between named tasks.

Entries are three arrays: positions of the heads, positions of the tails, strengths. NaN
as a strength says that nothing is known of the pair.
"""

import warnings
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import networkx as nx
import numpy as np
import pandas as pd
from scipy import sparse

from sklearn_task2box.closure import components, reachable

NAME_THE_ROWS = (
    "Name the rows: pass X as a DataFrame whose index holds the task names, or the "
    "relations as TaskRelations(relations, tasks=names), names in the order of the rows "
    "of X. A step of a Pipeline that turns a DataFrame into an array drops its names; "
    "pipeline.set_output(transform='pandas') keeps them."
)
_CUT = (
    "If a cross-validation splitter cut it, it has lost which tasks its rows and columns "
    "are. Pass relations that survive slicing: a labelled square DataFrame (such as "
    "nx.to_pandas_adjacency(graph, nodelist=names)) or TaskRelations(relations, "
    "tasks=names)."
)


class Entries(NamedTuple):
    """Relations as positions and strengths, with the names the positions stand for."""

    heads: np.ndarray
    tails: np.ndarray
    strengths: np.ndarray
    names: np.ndarray
    rows: np.ndarray  # positions of the tasks whose outgoing pairs are given
    named: bool


def read_entries(relations, tasks=None):
    """Read a DataFrame, graph, edge list or matrix.

    Parameters
    ----------
    relations : see TaskRelations
    tasks : ndarray of names or None

    Returns
    -------
    entries : Entries
        Without self-loops, and with each ordered pair at most once.
    """
    if is_labelled(relations):
        return _read_labelled(relations, tasks)
    if isinstance(relations, nx.Graph):
        return _read_graph(relations, tasks)
    if sparse.issparse(relations):
        return _read_matrix(relations, tasks)
    if isinstance(relations, pd.DataFrame):
        unlabelled = all(isinstance(axis, pd.RangeIndex) for axis in relations.axes)
        if unlabelled and tasks is not None and relations.shape == (len(tasks),) * 2:
            return _read_matrix(_frame_values(relations), tasks)
        if relations.shape[1] not in (2, 3):
            for names, where in (
                (relations.index, "index"),
                (relations.columns, "columns"),
            ):
                as_names(names, f"the {where} of the relations")
            raise ValueError(
                f"A DataFrame of relations is square with task names as its index and "
                f"columns, or an edge list of 2 or 3 columns; got the shape "
                f"{relations.shape}, whose index and columns have different names, such as "
                f"{some(relations.index.difference(relations.columns, sort=False))}."
            )
        return _read_edges(relations, tasks)
    if isinstance(relations, Iterable) and not isinstance(relations, (str, dict)):
        if not isinstance(relations, Sequence) and not hasattr(relations, "__array__"):
            relations = list(relations)  # a set, or a view of the edges of a graph
        if all(isinstance(edge, tuple) for edge in relations):
            return _read_edges(relations, tasks)
    array = _as_array(relations)
    n = array.shape[0] if tasks is None else len(tasks)
    if array.ndim == 2 and array.shape[1] in (2, 3) and array.shape != (n, n):
        return _read_edges(array, tasks)
    return _read_matrix(array, tasks)


def is_labelled(relations):
    """Whether it is a DataFrame with index = columns, or such a one cut by rows."""
    if not isinstance(relations, pd.DataFrame) or len(relations) == 0:
        return False
    unlabelled = all(isinstance(a, pd.RangeIndex) for a in relations.axes)
    if unlabelled and relations.shape[1] in (2, 3):
        return False  # an edge list of a few rows
    return relations.shape[1] >= relations.shape[0] and bool(
        relations.index.isin(relations.columns).all()
    )


def is_labels(y):
    """Whether it is a 1-D sequence of class labels."""
    if isinstance(y, (pd.Series, pd.Index)):
        return True
    if isinstance(y, (list, tuple)):
        return len(y) > 0 and all(_is_scalar(item) and np.ndim(item) == 0 for item in y)
    if hasattr(y, "__array__") and not isinstance(y, pd.DataFrame):
        y = np.asarray(y)
        return y.ndim == 1 and all(map(_is_scalar, y[:1]))
    return False


def _is_scalar(item):
    return item is None or np.isscalar(item) or isinstance(item, (np.generic, pd.Timestamp))


def as_labels(labels):
    """Class labels as an array; a list may mix types, and have missing ones."""
    if isinstance(labels, (list, tuple)):
        return pd.Series(list(labels), dtype=object).infer_objects().to_numpy()
    return np.asarray(labels)


def as_names(names, what):
    """Task names as a 1-D array; ValueError where a name stands twice."""
    if isinstance(names, str) or not isinstance(names, Iterable):
        raise ValueError(f"{what} must be a sequence of task names; got {names!r}.")
    names = list(names)
    array = np.empty(len(names), dtype=object)
    for i, name in enumerate(names):  # a name may be a tuple
        array[i] = name
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


def positions_of(names, among):
    """First positions of names in an array of names; -1 for a name that is not there."""
    among, names = (pd.Index(a, tupleize_cols=False) for a in (among, names))
    if among.is_unique:
        return among.get_indexer(names)
    first = np.flatnonzero(~among.duplicated())  # rows drawn with replacement
    at = among[first].get_indexer(names)
    return np.where(at < 0, at, first[at])


def in_order(series, names, what):
    """A Series in the order of names, where its index holds them.

    Without any of them, or with an index that only counts, it is in their order already.
    """
    at = positions_of(names, series.index)
    found = at >= 0
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


def some(names, most=3):
    """A few names for an error message."""
    names = list(names)
    text = ", ".join(repr(getattr(n, "item", lambda n=n: n)()) for n in names[:most])
    return text + (f" and {len(names) - most} more" if len(names) > most else "")


# --------------------------------------------------------------------------------------
# One reader per form
# --------------------------------------------------------------------------------------
def _read_labelled(frame, tasks):
    columns = as_names(frame.columns, "the columns of the relations")
    index = as_names(frame.index, "the index of the relations")
    names = columns if tasks is None else as_names(tasks, "The argument tasks")
    at = positions_of(columns, names)
    if (at < 0).any():
        raise ValueError(
            "The relations name tasks that are not among the tasks given: "
            f"{some(columns[at < 0])}."
        )
    rows = positions_of(index, names)
    given = rows
    if len(index) == len(columns) and tasks is not None:
        given = np.arange(len(names))  # not cut: of further tasks nothing is mentioned
    heads, tails, strengths = _dense_entries(_frame_values(frame))
    cleaned = _clean(rows[heads], at[tails], strengths, names, n_rows=len(index))
    return Entries(*cleaned, names, given, True)


def _frame_values(frame):
    """Values of a frame, with NaN for the missing values of nullable types."""
    if any(isinstance(dtype, pd.api.extensions.ExtensionDtype) for dtype in frame.dtypes):
        frame = frame.astype(object).where(frame.notna(), np.nan)
    return frame.to_numpy()


def _read_graph(graph, tasks):
    if not graph.is_directed():
        raise ValueError(
            f"Relations have a direction, but got an undirected {type(graph).__name__}. "
            "Pass a networkx.DiGraph; graph.to_directed() relates both ways."
        )
    nodes = as_names(graph.nodes, "the graph")
    names = np.arange(len(nodes)) if tasks is None else tasks
    named = not is_positions(names)
    if not named:
        _check_positions(nodes, len(names))
    unknown = np.flatnonzero(positions_of(nodes, names) < 0)
    if len(unknown):
        raise ValueError(
            f"The graph has nodes that are not among the {len(names)} tasks: "
            f"{some(nodes[unknown])}. Add their rows to X, or take the subgraph: "
            "graph.subgraph(names)."
        )
    frame = pd.DataFrame(
        [
            (u, v, 1.0 if w is None else w)
            for u, v, w in graph.edges(data="weight", default=1.0)
        ],
        columns=["head", "tail", "strength"],
        dtype=object,
    )
    heads = positions_of(frame["head"], names)
    tails = positions_of(frame["tail"], names)
    strengths = _as_strengths(frame["strength"].to_numpy(), "The weights of the edges")
    everything = np.arange(len(names))
    return Entries(
        *_clean(heads, tails, strengths, names, warn_diagonal=True),
        names,
        everything,
        named,
    )


def _read_edges(edges, tasks):
    if tasks is None:
        raise ValueError(
            "An edge list does not say how many tasks there are. Pass "
            "TaskRelations(edges, tasks=names), or tasks=range(n_tasks) where its "
            "entries are row positions."
        )
    heads, tails, strengths = edge_columns(edges, "The edge list")
    heads, tails = endpoints(heads, tails, tasks, "The edge list")
    everything = np.arange(len(tasks))
    return Entries(
        *_clean(heads, tails, strengths, tasks, warn_diagonal=True),
        tasks,
        everything,
        not is_positions(tasks),
    )


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
    return Entries(
        *_clean(heads, tails, strengths, names),
        names,
        np.arange(n),
        not is_positions(names),
    )


def _dense_entries(matrix):
    """Every entry of a dense matrix is mentioned, zeros included."""
    strengths = _as_strengths(matrix, "The strengths")
    heads, tails = np.indices(strengths.shape, dtype=np.int32).reshape(2, -1)
    return heads, tails, strengths.ravel()


def edge_columns(edges, what, allow_strengths=True):
    """Heads, tails and strengths (1 where there are none) of an edge list."""
    widths = (2, 3) if allow_strengths else (2,)
    expected = " or ".join(f"(m, {w})" for w in widths)
    if isinstance(edges, pd.DataFrame):
        columns = [edges.iloc[:, j].to_numpy() for j in range(edges.shape[1])]
    else:
        if not isinstance(edges, np.ndarray):
            edges = list(edges)
            lengths = {len(e) if hasattr(e, "__len__") else 0 for e in edges}
            if len(lengths) > 1 or not lengths <= {2, 3}:
                raise ValueError(
                    f"{what} must have the shape {expected}; its rows have "
                    f"{' and '.join(map(str, sorted(lengths)))} entries."
                )
        elif edges.ndim != 2:
            raise ValueError(f"{what} must have the shape {expected}; got {edges.shape}.")
        if isinstance(edges, np.ndarray):
            columns = list(edges.T)
        else:
            width = lengths.pop() if lengths else 2
            columns = [np.empty(len(edges), dtype=object) for _ in range(width)]
            for i, edge in enumerate(edges):  # names may be tuples, or of mixed types
                for column, entry in zip(columns, edge, strict=True):
                    column[i] = entry
    if len(columns) not in widths:
        raise ValueError(
            f"{what} must have the shape {expected}; got {len(columns)} columns."
        )
    if len(columns) == 3:
        if columns[2].dtype == object and any(isinstance(d, dict) for d in columns[2]):
            raise ValueError(
                "The third column of an edge list must be strengths; got dicts. Take "
                "graph.edges(data='weight', default=1.0), or pass the graph itself."
            )
        strengths = _as_strengths(
            columns[2], f"The strengths of {what[0].lower()}{what[1:]}"
        )
    else:
        strengths = np.ones(len(columns[0]))
    return columns[0], columns[1], strengths


def endpoints(heads, tails, names, what):
    """Row positions of the ends of edges, which are names or positions."""
    at = [positions_of(ends, names) for ends in (heads, tails)]
    if all((p >= 0).all() for p in at):
        return at
    n = len(names)
    positional = pd.api.types.is_integer_dtype(pd.Index(names).infer_objects().dtype)
    as_int = [_as_integers(ends) for ends in (heads, tails)]
    some_named = positional or any((p >= 0).any() for p in at)
    if any(p is None for p in as_int) or (some_named and not is_positions(names)):
        unknown = [
            end
            for ends, p in zip((heads, tails), at, strict=True)
            for end in np.asarray(ends)[p < 0]
        ]
        hint = "Add their rows to X, or leave these pairs out."
        if is_positions(names):
            of_edges = "edge" in what
            hint = NAME_THE_ROWS if of_edges else "Pass X as a DataFrame that names them."
        raise ValueError(
            f"{what} names tasks that are not among the {n} rows of X: "
            f"{some(pd.unique(pd.Series(unknown, dtype=object)))}. {hint}"
        )
    as_text = pd.unique(np.concatenate(as_int)).astype(str)
    if len(as_text) and (positions_of(as_text, names) >= 0).all():
        raise ValueError(
            f"{what} has whole numbers, and rows of X are named {some(as_text)}, as text: "
            "are they names or row positions? Give names as text, str(name), and row "
            "positions as the names there, X.index[positions]."
        )
    for ends in as_int:
        bad = ends[(ends < 0) | (ends >= n)]
        if len(bad):
            raise ValueError(
                f"{what} has the row positions {some(np.unique(bad))}, but there are {n} "
                f"tasks (0 to {n - 1})." + (f" {_CUT}" if "edge" in what else "")
            )
    return as_int


def is_positions(names):
    """Whether the names only count the rows."""
    return (
        isinstance(names, np.ndarray)
        and names.dtype.kind == "i"
        and np.array_equal(names, np.arange(len(names)))
    )


def check_no_other_order(labels):
    """ValueError if labels are row positions, but not in their order."""
    positions = _as_integers(labels)
    n = len(labels)
    if positions is None or np.array_equal(positions, np.arange(n)):
        return
    if np.array_equal(np.sort(positions), np.arange(n)):
        raise ValueError(
            "The rows of X have no names, and the labels of the relations are 0 to "
            f"{n - 1} in another order, {some(labels)}: do they count rows, or stand in "
            "the order of the rows? Sort them, relations.loc[range(n), range(n)], or name "
            "the rows: pass X as a DataFrame whose index holds the same labels."
        )


def _as_integers(ends):
    ends = np.asarray(ends)
    if ends.dtype == object:
        inferred = pd.Index(ends).infer_objects()
        ends = inferred.to_numpy()
    if ends.dtype.kind in "iu":
        return ends.astype(np.intp)
    if (
        ends.dtype.kind == "f"
        and np.isfinite(ends).all()
        and (ends == np.round(ends)).all()
    ):
        return ends.astype(np.intp)
    return None


def _check_positions(nodes, n):
    integers = _as_integers(nodes) if len(nodes) else np.arange(0)
    if integers is None or not np.array_equal(np.sort(integers), np.arange(n)):
        if not len(nodes):
            raise ValueError(f"The graph has no nodes, but X has {n} rows.")
        raise ValueError(
            f"The rows of X have no names, so the nodes of the graph must be exactly 0 to "
            f"{n - 1}; got {some(nodes)}. {NAME_THE_ROWS}"
        )


# --------------------------------------------------------------------------------------
# Checks all forms share
# --------------------------------------------------------------------------------------
def _as_array(relations):
    if relations is None or isinstance(relations, (str, dict)):
        raise ValueError(
            f"Relations can't be read from a {type(relations).__name__}: pass a labelled "
            "square DataFrame, a networkx.DiGraph, an edge list, a square matrix, "
            "TaskRelations, or one label per task."
        )
    if isinstance(relations, list) and any(
        isinstance(r, (nx.classes.coreviews.AtlasView, dict)) for r in relations
    ):
        raise ValueError(
            "Got a list of neighbour views, which is a networkx graph cut into pieces. "
            + _CUT
        )
    if isinstance(relations, np.ma.MaskedArray):  # what is masked is unknown
        relations = relations.astype(float).filled(np.nan)
    try:
        array = np.asarray(relations)
    except ValueError as error:
        raise ValueError(
            f"Relations are ragged: they can't be made an array ({error}). Pass edges of "
            "2 or 3 entries each, or a square matrix."
        ) from None
    if array.ndim != 2:
        raise ValueError(
            "Relations must be a square matrix, an edge list of shape (m, 2) or (m, 3), a "
            "labelled DataFrame, a networkx.DiGraph, TaskRelations or one label per task; "
            f"got an array of {array.ndim} dimensions and shape {array.shape}."
        )
    return array


def _as_strengths(values, what):
    values = np.asarray(values)
    try:
        return values.astype(np.float64)
    except (TypeError, ValueError):
        raise ValueError(
            f"{what} must be numbers in [0, 1] (NaN for unknown); got values such as "
            f"{some([v for v in values.ravel() if not _is_number(v)])}."
        ) from None


def _is_number(value):
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def _clean(heads, tails, strengths, names, warn_diagonal=False, n_rows=None):
    """Check the strengths, drop the diagonal, make every ordered pair single.

    Of all tasks or, if told, as many as the rows of a cut frame, a diagonal of ones is
    dropped without a word.
    """
    with np.errstate(invalid="ignore"):
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
        # A whole diagonal of ones, or of some of them unknown, only states that every task
        # contains itself.
        values = strengths[loops]
        meant = values[(values != 0) & ~np.isnan(values)]
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
        agree = (strengths[1:] == strengths[:-1]) | (
            np.isnan(strengths[1:]) & np.isnan(strengths[:-1])
        )
        clash = np.flatnonzero(same & ~agree)
        if len(clash):
            c = clash[0]
            raise ValueError(
                f"The edge {some([names[heads[c]]])} -> {some([names[tails[c]]])} stands "
                f"twice with different weights, {strengths[c]:g} and "
                f"{strengths[c + 1]:g}. Keep one."
            )
        first = np.concatenate([[True], ~same])
        heads, tails, strengths = heads[first], tails[first], strengths[first]
    return heads, tails, strengths


# --------------------------------------------------------------------------------------
# Transitive closure
# --------------------------------------------------------------------------------------
def transitive_closure(heads, tails, strengths, names):
    """Add what follows by transitivity to the relations of a DAG.

    u -> v with strength w and v lying wholly inside x (a chain of edges of strength 1)
    imply that at least the share w of u lies inside x.

    Returns
    -------
    heads, tails, strengths : ndarray
        A pair that had a positive strength keeps it.

    Raises
    ------
    ValueError
        If the relations have a cycle; the message shows it.
    """
    n = len(names)
    related = strengths > 0
    if components(heads[related], tails[related], n)[0] < n:
        edges = zip(heads[related].tolist(), tails[related].tolist(), strict=True)
        cycle = [u for u, _ in nx.find_cycle(nx.DiGraph(edges))]
        path = " -> ".join(str(names[i]) for i in [*cycle, cycle[0]])
        raise ValueError(
            f"transitive=True needs relations without a cycle, but found {path}. Remove "
            "one of these edges, or merge the tasks."
        )
    sure = strengths == 1
    successors = reachable(heads[sure], tails[sure], n)
    reach = np.stack(successors.nonzero(), axis=1)
    implied = [(reach[:, 0], reach[:, 1], np.ones(len(reach)))]
    partial = related & ~sure
    if partial.any():
        beyond = successors[tails[partial]].tocoo()
        implied.append(
            (
                heads[partial][beyond.row],
                beyond.col.astype(np.intp),
                strengths[partial][beyond.row],
            )
        )
    mentioned = pd.DataFrame({"head": heads, "tail": tails, "strength": strengths})
    mentioned["rank"] = np.where(related, 2, 0)
    added = pd.concat(
        [pd.DataFrame({"head": h, "tail": t, "strength": s}) for h, t, s in implied]
    )
    added["rank"] = 1
    every = pd.concat([mentioned, added]).sort_values(["head", "tail", "rank", "strength"])
    every = every.drop_duplicates(["head", "tail"], keep="last")
    return tuple(every[c].to_numpy() for c in ("head", "tail", "strength"))
