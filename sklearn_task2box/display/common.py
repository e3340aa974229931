"""What all pictures share: their input, colours, labels and legends."""

from difflib import get_close_matches
from numbers import Integral

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from sklearn_task2box.embedder import BoxRelationEmbedder
from sklearn_task2box.forms import in_order, is_positions, some
from sklearn_task2box.relations import task_names
from sklearn_task2box.wrapped import unwrapped

# Okabe and Ito's colours, without those that are too faint for a thin line.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
STYLES = (("-", "o"), ("--", "s"))  # of lines and markers, once the colours are used up
GREY = "#8C8C8C"
LABELS = ("auto", "all", "none")
SPACINGS = ("auto", "linear", "log", "even")
FONT, SMALLEST_FONT = 8.0, 5.0
# More labels than this are never tried: they would not fit anyway.
MOST_TRIED = 400
LONGEST_LABEL = 32


def import_pyplot(cls):
    """matplotlib.pyplot, or an ImportError that says how to get it."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            f"{cls.__name__} needs matplotlib. Install it with "
            "pip install 'sklearn-task2box[plot]'."
        ) from error
    return plt


def split(estimator, X):
    """The embedder at the end, X as the embedder takes it, and the names of the tasks."""
    embedder, before = unwrapped(estimator)
    if not isinstance(embedder, BoxRelationEmbedder):
        raise ValueError(
            "estimator must be a fitted BoxRelationEmbedder, or a Pipeline or search that "
            f"ends in one; got {type(estimator).__name__}"
            + ("." if embedder is estimator else f" that ends in {embedder!r}.")
        )
    check_is_fitted(embedder)
    if X is None:
        return embedder, None, embedder.tasks_
    names = task_names(X)
    for step in before:
        X = step.transform(X)
    if names is None:
        names = np.arange(X.shape[0] if hasattr(X, "shape") else len(X))
    return embedder, X, names


def true_strengths(embedder, X, y, names):
    """Strengths that y gives among the rows of X, NaN where unknown; None if y is None.

    Where X is None, the rows are the tasks of training, and a y of None is what was
    learned of them.
    """
    if y is None:
        return embedder._relations.toarray() if X is None else None
    if X is None:
        X = embedder.boxes_
        names = embedder.tasks_ if embedder._names_matter else None
    # Beside given relations, only the number of tasks matters.
    n = X.shape[0] if hasattr(X, "shape") else len(X)
    relations = embedder._read_relations(np.empty((n, 0)), y, names, closure="everywhere")
    return relations.of_rows().toarray()


def check_length(values, n, what, thing):
    """ValueError unless there are n values."""
    if len(values) != n:
        raise ValueError(
            f"{what} must have one entry per {thing}, {n} in all; got {len(values)}."
        )


def read_groups(groups, names):
    """One category for each task, in their order, or None; a Series may name them."""
    if groups is None:
        return None
    if not pd.api.types.is_list_like(groups) or np.ndim(groups) != 1:
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


def check_labels(labels, names):
    """Positions of the tasks to label; None where all may be."""
    if isinstance(labels, str):
        if labels not in LABELS:
            hint = (
                f" To label one task, pass [{labels!r}]."
                if labels in names.tolist()
                else ""
            )
            raise ValueError(
                "labels must be 'auto', 'all', 'none' or a list of task names; got "
                f"{labels!r}.{hint}"
            )
        return [] if labels == "none" else None
    if not pd.api.types.is_list_like(labels):
        raise ValueError(
            f"labels must be 'auto', 'all', 'none' or a list of task names; got {labels!r}."
        )
    return find(list(labels), names, "labels")


def is_auto(labels):
    """Whether labels is the string that leaves the choice to the display."""
    return isinstance(labels, str) and labels == "auto"


def find(wanted, names, what):
    """Positions of tasks given by name, or by position where names are no numbers."""
    if wanted is None:
        return []
    known = {name: i for i, name in enumerate(names.tolist())}
    if not pd.api.types.is_list_like(wanted) or is_name(wanted, known):
        wanted = [wanted]
    numbered = any(isinstance(name, Integral) for name in known)
    found = []
    for name in wanted:
        if is_name(name, known):
            found.append(known[name])
        elif (
            isinstance(name, Integral)
            and not isinstance(name, bool)
            and not numbered
            and -len(names) <= name < len(names)
        ):
            found.append(int(name) % len(names))
        else:
            near = get_close_matches(str(name), [str(n) for n in names], n=3)
            raise ValueError(
                f"{what} has {name!r}, which is not a task drawn. "
                + (f"Did you mean {some(near)}?" if near else f"Tasks are {some(names)}.")
            )
    return list(dict.fromkeys(found))


def is_name(name, known):
    """Whether it is the name of a known task, of whatever type it be."""
    try:
        return name in known
    except TypeError:  # unhashable
        return False


def shorten(name, longest):
    """A name on one line, of a bounded length."""
    name = " ".join(str(name).split())
    if len(name) <= longest:
        return name
    head = (longest - 1) * 2 // 3
    return f"{name[:head]}…{name[head - longest + 1 :]}"


# --------------------------------------------------------------------------------------
# Colours and legends
# --------------------------------------------------------------------------------------
class Palette:
    """Colour and style of each task, and the entries of the legend."""

    def __init__(self, groups, n):
        self.entries = []
        if groups is None:
            self.colours, self.styles = [COLOURS[0]] * n, [STYLES[0]] * n
            return
        looks = [(colour, style) for style in STYLES for colour in COLOURS]
        groups = pd.Series(list(groups), dtype=getattr(groups, "dtype", None))
        counts = groups.value_counts()
        counts = counts[counts > 0]
        shown = counts.index[: len(looks)]
        if isinstance(groups.dtype, pd.CategoricalDtype):
            shown = [group for group in groups.cat.categories if group in set(shown)]
        else:
            try:
                shown = sorted(shown)
            except TypeError:  # a mixture of types has no order
                shown = sorted(shown, key=str)
        look = dict(zip(shown, looks, strict=False))
        self.entries = [(shorten(group, 30), *look[group]) for group in shown]
        n_left = len(counts) - len(shown)
        plain = GREY, STYLES[0]
        if n_left or groups.isna().any():
            label = f"{n_left} other groups" if n_left else "no group"
            self.entries.append((label, *plain))
        drawn = [plain if pd.isna(group) else look.get(group, plain) for group in groups]
        self.colours, self.styles = map(list, zip(*drawn, strict=True))


def darker(colour):
    """Dark enough to read as text on white."""
    from matplotlib.colors import to_rgb

    return tuple(0.6 * c for c in to_rgb(colour))


def darker_hex(colour):
    """The same of a colour like "#0072B2", without matplotlib."""
    parts = (int(colour[k : k + 2], 16) for k in (1, 3, 5))
    return "#" + "".join(f"{round(0.6 * part):02x}" for part in parts)


def add_legend(axes, handles, own):
    """Put the legend beside the axes, so that it covers nothing."""
    if not handles:
        return
    looks = {"fontsize": 8, "frameon": False}
    figure = axes[0].figure
    if own:
        figure.legend(handles=handles, loc="outside right upper", **looks)
        return
    ax = axes[-1]
    legend = ax.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(1.0, 1.0),
        borderaxespad=0,
        **looks,
    )
    if figure.get_layout_engine() is None:  # else that makes room
        taken = legend.get_window_extent().width / figure.bbox.width
        box = ax.get_position()
        ax.set_position([box.x0, box.y0, max(box.width - taken, box.width / 3), box.height])


def lay_out(ax):
    """Give axes their final size, which decides on what fits."""
    figure = ax.figure.figure  # of a subfigure: the whole one
    if figure.get_layout_engine() is not None:
        figure.draw_without_rendering()
