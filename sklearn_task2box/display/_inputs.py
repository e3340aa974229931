"""Inputs of the displays: fitted models, relations, names, groups and axes."""

from difflib import get_close_matches
from numbers import Integral

import numpy as np
import pandas as pd
from pandas.api.types import is_hashable, is_list_like
from sklearn.utils.validation import _num_samples, check_is_fitted

from sklearn_task2box.base import RelationModel
from sklearn_task2box.relations import as_relations, task_names
from sklearn_task2box.relations._names import as_names, in_order, is_positions, some
from sklearn_task2box.utils._optional import import_optional
from sklearn_task2box.utils._wrapped import unwrapped


def fitted_model(display, estimator, X=None, attribute=None):
    """Model that an estimator ends in, with an attribute if any, its X and row names."""
    import_optional("matplotlib", display.__name__)
    model, before = unwrapped(estimator)
    usable = isinstance(model, RelationModel)
    if usable:
        check_is_fitted(model)
    wanted = "relation model, such as BoxRelationEmbedder,"
    if attribute is not None:
        wanted = "BoxRelationEmbedder or DistilledBoxEmbedder,"
        usable = usable and hasattr(model, attribute)
    if not usable:
        raise ValueError(
            f"estimator must be a fitted {wanted} or a Pipeline or search that ends in one"
            f"; got {type(estimator).__name__}"
            + ("." if model is estimator else f" that ends in {model!r}.")
        )
    if X is None:
        return model, None, model.tasks_
    names = task_names(X)  # before the other steps, which may lose them
    for step in before:
        X = step.transform(X)
    return model, X, names


def true_strengths(model, X, y, names):
    """True strengths, NaN where unknown; without y those of training, if X is None too."""
    if y is None:
        return model.relations_.toarray() if X is None else None
    n = len(names) if X is None else _num_samples(X)
    if X is None and not model.relations_.named:
        names = None
    return as_relations(y, n, names).of_rows().toarray()


def check_option(value, options, what):
    """ValueError unless the value is one of the strings."""
    if not isinstance(value, str) or value not in options:
        raise ValueError(f"{what} must be one of {options}; got {value!r}.")


def read_names(names, n, thing):
    """Names of n tasks, each a thing; None numbers them."""
    names = as_names(np.arange(n) if names is None else names, "names")
    check_length(names, n, "names", thing)
    return names


def check_length(values, n, what, thing):
    """ValueError unless there are n values."""
    if len(values) != n:
        raise ValueError(
            f"{what} must have one entry per {thing}, {n} in all; got {len(values)}."
        )


def set_axes(display, ax, n, what, n_columns=1, layout="constrained", **figure):
    """Set ``ax_`` and ``figure_`` of a display, given or new, and return n Axes."""
    plt = import_optional("matplotlib.pyplot", type(display).__name__)
    if ax is None:
        n_rows = -(-n // n_columns)
        figure |= {"squeeze": False, "layout": layout}
        axes = plt.subplots(n_rows, n_columns, **figure)[1].ravel()
        for spare in axes[n:]:
            spare.remove()
        axes = axes[:n]
    else:
        axes = np.asarray(ax, dtype=object).ravel()
    if len(axes) != n:
        raise ValueError(
            f"ax must be {n} Axes, for {what}; got {len(axes)}. Pass {n}, or ax=None."
        )
    display.ax_ = axes[0] if n == 1 else axes
    display.figure_ = axes[0].figure
    return axes


def read_groups(groups, names):
    """One category per task, in the order of the names, or None."""
    if groups is None:
        return None
    if not is_list_like(groups) or np.ndim(groups) != 1:
        raise ValueError(
            f"groups must be a 1-D array of one category per task, {len(names)} in all; "
            f"got {groups!r}."
        )
    if isinstance(groups, pd.Series):
        numbers = pd.Index(names, tupleize_cols=False).infer_objects().to_numpy()
        if not is_positions(numbers):
            groups = in_order(groups, names, "groups")
    check_length(groups, len(names), "groups", "task")
    return groups


def labelled_tasks(labels, names):
    """Positions of the tasks to label, and whether also those that do not fit are drawn."""
    if isinstance(labels, str) and labels in ("auto", "all", "none"):
        return np.arange(0 if labels == "none" else len(names)), labels != "auto"
    if not is_list_like(labels):
        is_task = isinstance(labels, str) and labels in names.tolist()
        raise ValueError(
            f"labels must be 'auto', 'all', 'none' or a list of task names; got {labels!r}."
            + (f" To label one task, pass [{labels!r}]." if is_task else "")
        )
    return np.array(find_tasks(list(labels), names, "labels"), dtype=int), True


def find_tasks(wanted, names, what):
    """Positions of tasks given by name or, where no name is a number, by position."""
    if wanted is None:
        return []
    known = {name: i for i, name in enumerate(names.tolist())}
    if not is_list_like(wanted) or (is_hashable(wanted) and wanted in known):
        wanted = [wanted]  # a tuple may be a name
    numbered = any(isinstance(name, Integral) for name in known)
    found = []
    for name in wanted:
        is_position = isinstance(name, Integral) and not isinstance(name, bool)
        if is_hashable(name) and name in known:
            found.append(known[name])
        elif is_position and not numbered and -len(names) <= name < len(names):
            found.append(int(name) % len(names))
        else:
            near = get_close_matches(str(name), [str(n) for n in names], n=3)
            raise ValueError(
                f"{what} has {name!r}, which is not a task drawn. "
                + (f"Did you mean {some(near)}?" if near else f"Tasks are {some(names)}.")
            )
    return list(dict.fromkeys(found))
