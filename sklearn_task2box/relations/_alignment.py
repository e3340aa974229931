"""Relations between the rows of a feature matrix, from any input format."""

import warnings

import numpy as np
import pandas as pd

from sklearn_task2box.relations._names import (
    NAME_THE_ROWS,
    as_integers,
    as_text,
    check_no_other_order,
    hint_at_type,
    in_order,
    is_positions,
    some,
)
from sklearn_task2box.relations._parsing import as_labels, endpoints, is_labelled, is_labels
from sklearn_task2box.relations._slicing import RowSliceable
from sklearn_task2box.relations._task_relations import TaskRelations
from sklearn_task2box.utils._typing import Names, Relations


def as_relations(
    y: Relations, n_tasks: int, names: Names = None, *, stacklevel: int | None = None
) -> TaskRelations:
    """Read relations between the rows of a feature matrix.

    Parameters
    ----------
    y : TaskRelations, any input format that it reads, or 1-D array of labels
    n_tasks : int
        Rows of the feature matrix.
    names : ndarray of shape (n_tasks,), default=None
        Their names, see :func:`task_names`.
    stacklevel : int, default=None
        Where to warn of pairs that y states as unrelated although its own entries imply
        them, counted as by :func:`warnings.warn`. None does not warn.

    Returns
    -------
    relations : TaskRelations
        Its rows are the rows of the feature matrix, in their order.
    """
    if isinstance(y, TaskRelations):
        relations = y
    elif isinstance(y, RowSliceable):
        raise TypeError(
            "y is a TaskPairs: such is the X of a TaskLinkClassifier, with 0/1 labels as y."
        )
    elif is_labels(y):
        relations = TaskRelations.from_labels(labels_in_order(y, names))
    elif is_labelled(y):
        relations = TaskRelations(y)
    else:
        relations = TaskRelations(y, np.arange(n_tasks) if names is None else names)
    if stacklevel is not None and relations.n_contradicted:
        warnings.warn(
            f"y states {relations.n_contradicted} pairs as unrelated that its other "
            "entries imply by transitivity, and they are learned as unrelated. If they "
            "were just not mentioned, pass the graph, TaskRelations(graph, tasks=names), "
            "which adds them; if they are meant, pass TaskRelations(y, transitive=False).",
            UserWarning,
            stacklevel=stacklevel,
        )
    return _align(relations, n_tasks, names)


def labels_in_order(labels, names):
    """Class labels in the order of X, where a Series names its rows as X does."""
    if names is None:
        return labels
    if isinstance(labels, pd.Series) and len(labels) == len(names):
        labels = in_order(labels, names, "y")
    given = as_labels(labels)
    given = given[~pd.isna(given)]
    whole = as_integers(given)
    if whole is not None and is_positions(np.unique(whole)):
        return labels  # codes of classes, 0 to k - 1
    mapping = "y.to_dict()" if isinstance(labels, pd.Series) else "dict(zip(X.index, y))"
    if 2 * np.count_nonzero(np.isin(as_text(given), as_text(names))) > len(given):
        raise ValueError(
            "y names a task of X for each row, or for most of them, and would be read as "
            f"class labels. Give parents as a mapping, {mapping}, and classes as "
            "TaskRelations.from_labels(y)."
        )
    return labels


def _align(relations, n_tasks, names):
    """Put the rows of the relations into the order of the rows of X."""
    if relations.from_nodes and not relations.is_slice:
        # The nodes are found among the rows of X; further rows have no mentioned pair.
        among = np.arange(n_tasks) if names is None else names
        nodes = relations.all_tasks
        at, _ = endpoints(nodes, nodes, among, "The relations, as an edge list or graph,")
        return relations.renamed(among[at]).extended_to(among)
    if names is None and relations.named:
        if relations.from_nodes:  # cut by positions, which are those of nodes
            raise ValueError(
                "The rows of X have no names, and the relations, made of a graph without "
                f"tasks=, were cut by positions: those of its nodes. {NAME_THE_ROWS}"
            )
        check_no_other_order(relations.all_tasks)
    if names is None or not relations.named:
        if len(relations) != n_tasks:
            raise ValueError(f"y has {len(relations)} tasks, but X has {n_tasks} rows.")
        if names is not None and not relations.is_slice:
            relations = relations.renamed(names)
        return relations.with_rows(relations.positions(relations.tasks))
    at = relations.positions(names)
    if (at < 0).any():
        hint = hint_at_type(names[at < 0], relations.all_tasks)
        if not hint and as_integers(names) is not None:
            hint = (
                " If numbers only count the rows of a frame that a splitter cut, name them "
                "first: X.set_axis(names)."
            )
        raise ValueError(
            f"X has rows that the relations do not know: {some(names[at < 0])}. They "
            f"know {len(relations.all_tasks)} tasks, such as {some(relations.all_tasks)}."
            + hint
        )
    extra = np.setdiff1d(relations.positions(relations.tasks), at)
    if len(extra):
        raise ValueError(
            "The relations have rows for tasks that X does not have: "
            f"{some(relations.all_tasks[extra])}. Add their rows to X, or take the "
            "relations of its tasks, relations.loc[X.index], of a TaskRelations."
        )
    return relations.with_rows(at)
