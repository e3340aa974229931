"""Pictures: the boxes themselves, and the hierarchy that they predict."""

from bisect import bisect_right, insort
from difflib import get_close_matches
from itertools import combinations, pairwise
from numbers import Integral

import networkx as nx
import numpy as np
import pandas as pd
from sklearn.isotonic import isotonic_regression
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from sklearn_task2box.embedder import BoxRelationEmbedder
from sklearn_task2box.forms import as_names, some
from sklearn_task2box.relations import task_names

# Okabe and Ito's colours, without those that are too faint for a thin line.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_STYLES = (("-", "o"), ("--", "s"))  # of lines and markers, once the colours are used up
_GREY = "#8C8C8C"
_LABELS = ("auto", "all", "none")
_SPACINGS = ("auto", "linear", "log", "even")
_FONT, _SMALLEST_FONT = 8.0, 5.0
# More labels than this are never tried: they would not fit anyway.
_MOST_TRIED = 400
_LONGEST_LABEL = 32


class BoxDisplay:
    """Draw boxes as rectangles.

    Two dimensions are drawn as they are. More are drawn as small multiples, one for each
    pair of dimensions (up to four dimensions) or for consecutive pairs that show each
    dimension at least once: a task lies in another exactly where it does so in all of
    them. One dimension is drawn as bars, larger ones above smaller ones.

    Parameters
    ----------
    boxes : array-like of shape (n_tasks, 2 * box_dim)
        Lower corners, then upper corners.
    names : array-like of shape (n_tasks,), default=None
        Names of the tasks, each different; None numbers them.
    groups : array-like of shape (n_tasks,), default=None
        Category of each task, shown as its colour. The 12 most frequent ones can be told
        apart; all others, and missing ones, are grey.
    inside : array-like of bool of shape (n_tasks, n_tasks), default=None
        ``inside[i, j]`` says that task i counts as lying in task j, for the sake of
        ``highlight``. None takes geometry at its word: each corner of i in j.

    Attributes
    ----------
    ax_ : matplotlib Axes or ndarray of Axes
        Where the boxes are; an array, in the order of ``dimensions_``, if there is more
        than one plot.
    figure_ : matplotlib Figure
        The figure around them.
    dimensions_ : list of tuple of int
        The dimensions across and up of each plot.
    patches_ : ndarray of Rectangle of shape (n_plots, n_tasks)
        The boxes drawn, in the order of the tasks.
    texts_ : list of Text
        The labels drawn, of all plots.

    See Also
    --------
    BoxDisplay.from_estimator : Draw the boxes of a fitted embedder.
    HierarchyDisplay : Draw which task lies in which as a graph.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sklearn_task2box.display import BoxDisplay
    >>> boxes = [[0, 0, 9, 9], [1, 1, 4, 4], [2, 2, 3, 3], [5, 5, 8, 7]]
    >>> names = ["animal", "dog", "poodle", "cat"]
    >>> display = BoxDisplay(boxes, names).plot(highlight="poodle")
    >>> [text.get_text() for text in display.texts_]
    ['poodle', 'animal', 'dog', 'cat']
    >>> plt.close(display.figure_)
    """

    def __init__(self, boxes, names=None, groups=None, inside=None):
        boxes = np.asarray(boxes, dtype=float)
        if boxes.ndim != 2 or boxes.shape[1] % 2 or 0 in boxes.shape:
            raise ValueError(
                "boxes must have the shape (n_tasks, 2 * box_dim): lower corners, then "
                f"upper corners; got an array of shape {boxes.shape}."
            )
        if not np.isfinite(boxes).all():
            raise ValueError("boxes must be finite; got NaN or infinity among them.")
        lower, upper = np.hsplit(boxes, 2)
        if (lower > upper).any():
            row = np.flatnonzero((lower > upper).any(axis=1))[0]
            raise ValueError(
                "boxes must hold lower corners, then upper corners; the lower corner of "
                f"box {row} exceeds its upper one: {lower[row]} and {upper[row]}."
            )
        if names is None:
            names = np.arange(len(boxes))
        self.boxes = boxes
        self.names = as_names(names, "names")
        _check_length(self.names, len(boxes), "names", "box")
        _check_groups(groups, len(boxes))
        self.groups = groups
        if inside is not None:
            inside = np.asarray(inside, dtype=bool)
            if inside.shape != (len(boxes), len(boxes)):
                raise ValueError(
                    f"inside must have the shape ({len(boxes)}, {len(boxes)}), a row and a "
                    f"column for each box; got {inside.shape}."
                )
        self.inside = inside

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X=None,
        *,
        groups=None,
        highlight=None,
        labels="auto",
        spacing="auto",
        ax=None,
    ):
        """Draw the boxes of a fitted embedder.

        Parameters
        ----------
        estimator : BoxRelationEmbedder, or Pipeline that ends in one
            Fitted.
        X : {array-like, sparse matrix, DataFrame} of shape (n_tasks, n_features), \
                default=None
            Tasks to draw, as the estimator takes them; the index of a DataFrame names
            them. None draws those of training.
        groups : array-like of shape (n_tasks,), default=None
            Category of each task, shown as its colour.
        highlight : task name, position or list of these, default=None
            Tasks to shade strongly. The boxes that contain them, by at least
            ``threshold_``, are outlined strongly, and all others are faint.
        labels : {"auto", "all", "none"} or list of task names, default="auto"
            Which tasks to label. "auto" labels as many as fit without covering one
            another: first the highlighted ones and what contains them, then the largest.
        spacing : {"auto", "linear", "log", "even"}, default="auto"
            Scale of the axes. See :meth:`plot`.
        ax : matplotlib Axes or array-like of Axes, default=None
            Where to draw; an array if there is more than one plot. None makes a figure.

        Returns
        -------
        display : BoxDisplay

        Raises
        ------
        ValueError
            If a parameter is not usable.
        NotFittedError
            If the estimator is not fitted.
        ImportError
            If matplotlib is not installed.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> from sklearn_task2box import BoxRelationEmbedder
        >>> from sklearn_task2box.datasets import load_digits_tasks
        >>> from sklearn_task2box.display import BoxDisplay
        >>> X, relations = load_digits_tasks(return_X_y=True, as_frame=True)
        >>> embedder = BoxRelationEmbedder(box_dim=2, max_epochs=30, random_state=0)
        >>> embedder = embedder.fit(X, relations == 1)
        >>> display = BoxDisplay.from_estimator(embedder, highlight="primes")
        >>> len(display.ax_.patches)
        120
        >>> plt.close(display.figure_)
        """
        _import_pyplot(cls)
        embedder, X, names = _split(estimator, X)
        boxes = embedder.boxes_ if X is None else embedder.transform(X)
        inside = embedder._overlaps(boxes, boxes) >= embedder.threshold_
        display = cls(boxes, names, groups, inside)
        return display.plot(ax, highlight=highlight, labels=labels, spacing=spacing)

    def plot(self, ax=None, *, highlight=None, labels="auto", spacing="auto"):
        """Draw the boxes.

        Parameters
        ----------
        ax : matplotlib Axes or array-like of Axes, default=None
            Where to draw; an array if there is more than one plot. None makes a figure.
        highlight : task name, position or list of these, default=None
            Tasks to shade strongly, with what contains them outlined strongly.
        labels : {"auto", "all", "none"} or list of task names, default="auto"
            Which tasks to label.
        spacing : {"auto", "linear", "log", "even"}, default="auto"
            How the gaps between neighbouring corners are drawn along each axis: "linear"
            to scale, "log" by their logarithms, so that long gaps take less room, and
            "even" all alike, so that the picture says which box lies in which, and no
            more. What lies in what stays true in each, and the ticks are true coordinates.
            "auto" is "linear", or "log" where many boxes are too small beside the largest
            to be seen.

        Returns
        -------
        display : BoxDisplay
            This object.

        Raises
        ------
        ValueError
            If a parameter is not usable.
        ImportError
            If matplotlib is not installed.
        """
        plt = _import_pyplot(type(self))
        marked = _find(highlight, self.names, "highlight")
        wanted = _check_labels(labels, self.names)
        spacing = self._check_spacing(spacing)
        self.dimensions_ = _pairs(self.boxes.shape[1] // 2)
        own = ax is None
        axes = self._new_axes(plt) if own else self._check_axes(ax)

        palette = _Palette(self.groups, len(self.boxes))
        around = self._containers(marked)
        order = np.argsort(-self._log_volumes(), kind="stable")
        scales = [_Scale(corners, spacing) for corners in self._corners()]
        self.patches_ = np.array(
            [
                self._draw(axis, dims, scales, order, palette, marked, around)
                for axis, dims in zip(axes, self.dimensions_, strict=True)
            ]
        )
        _add_legend(axes, self._handles(palette, marked, around), own)
        _lay_out(axes[0])
        first = [*marked, *order[np.isin(order, around)]]
        order = np.array(list(dict.fromkeys([*first, *order])))
        limits = np.full(len(order), 0 if marked else 4)
        limits[around] = 4
        limits[marked] = len(order)
        self.texts_ = [
            text
            for axis, patches in zip(axes, self.patches_, strict=True)
            for text in _label_boxes(
                axis,
                patches,
                [_short(name, 60) for name in self.names],
                order if wanted is None else order[np.isin(order, wanted)],
                limits=limits,
                bold=marked,
                forced=not _is_auto(labels),
                font=_FONT if len(axes) == 1 else _FONT - 1,
            )
        ]
        self.ax_ = axes[0] if len(axes) == 1 else axes
        self.figure_ = axes[0].figure
        return self

    # -- what to draw ------------------------------------------------------------------
    def _corners(self):
        """Lower and upper coordinates, per dimension."""
        return [np.stack(pair) for pair in zip(*(p.T for p in self._halves()), strict=True)]

    def _halves(self):
        return np.hsplit(self.boxes, 2)

    def _log_volumes(self):
        lower, upper = self._halves()
        return np.log(np.maximum(upper - lower, np.finfo(float).tiny)).sum(axis=1)

    def _check_spacing(self, spacing):
        if not isinstance(spacing, str) or spacing not in _SPACINGS:
            raise ValueError(f"spacing must be one of {_SPACINGS}; got {spacing!r}.")
        if spacing != "auto":
            return spacing
        lower, upper = self._halves()
        extent = upper.max(axis=0) - lower.min(axis=0)
        sides = (upper - lower) / np.where(extent > 0, extent, 1.0)
        return "log" if (np.quantile(sides, 0.25, axis=0) < 0.025).any() else "linear"

    def _containers(self, marked):
        """Positions of the tasks that contain a marked one."""
        if not marked:
            return []
        if self.inside is not None:
            found = self.inside[marked]
        else:
            lower, upper = self._halves()
            found = (lower <= lower[marked, None]) & (upper >= upper[marked, None])
            found = found.all(axis=2)
        return np.setdiff1d(np.flatnonzero(found.any(axis=0)), marked).tolist()

    def _new_axes(self, plt):
        n = len(self.dimensions_)
        n_columns = int(np.ceil(np.sqrt(n)))
        n_rows = -(-n // n_columns)
        size = (8.0, 6.5) if n == 1 else (5.2 * n_columns, 4.6 * n_rows)
        if self.boxes.shape[1] == 2:
            size = (9.0, 4.5)
        figure, axes = plt.subplots(
            n_rows, n_columns, figsize=size, layout="constrained", squeeze=False
        )
        for spare in axes.flat[n:]:
            spare.remove()
        return axes.ravel()[:n]

    def _check_axes(self, ax):
        axes = np.atleast_1d(np.asarray(ax, dtype=object)).ravel()
        if len(axes) != len(self.dimensions_):
            raise ValueError(
                f"Boxes of {self.boxes.shape[1] // 2} dimensions are drawn as "
                f"{len(self.dimensions_)} plots, of the dimensions {self.dimensions_}; got "
                f"{len(axes)} Axes. Pass an array of {len(self.dimensions_)}, or ax=None."
            )
        return axes

    # -- drawing -----------------------------------------------------------------------
    def _draw(self, ax, dims, scales, order, palette, marked, around):
        from matplotlib.colors import to_rgba
        from matplotlib.patches import Rectangle

        lower, upper = self._halves()
        if len(dims) == 2:
            low, high = lower[:, dims], upper[:, dims]
            for axis, k in zip((ax.xaxis, ax.yaxis), dims, strict=True):
                scales[k].apply(axis, f"dimension {k}")
        else:
            rows = _rows(lower[:, 0], upper[:, 0], order)
            low = np.column_stack([lower[:, 0], -rows - 0.4])
            high = np.column_stack([upper[:, 0], -rows + 0.4])
            scales[0].apply(ax.xaxis, "dimension 0")
            ax.set(ylim=(-rows.max() - 0.7, 0.7), yticks=[], ylabel="larger tasks on top")
        # So many layers of paint that the darkest place is still translucent.
        fill = min(0.15, 1 - 0.45 ** (1 / _deepest(low, high)))
        width = 0.8 if len(order) <= 200 else 0.5
        strong = 1.8 if len(around) <= 12 else 1.0
        patches = np.empty(len(order), dtype=object)
        for rank, i in enumerate(order):
            face, edge, line = fill, 0.8, width
            if i in marked:
                face, edge, line = 0.6, 1.0, 2.0
            elif i in around:
                face, edge, line = fill, 0.9, strong
            elif marked:
                face, edge, line = fill / 2, 0.35, width
            colour = palette.colours[i]
            if marked and self.groups is None:
                colour = _COLOURS[1] if i in marked else colour if i in around else _GREY
            patches[i] = Rectangle(
                low[i],
                *(high[i] - low[i]),
                facecolor=to_rgba(colour, face),
                edgecolor=to_rgba(colour, edge),
                linewidth=line,
                linestyle=palette.styles[i][0],
                # Large ones behind small ones; what is highlighted before all.
                zorder=1
                + rank / len(order)
                + (2 if i in marked else 1 if i in around else 0),
            )
            ax.add_patch(patches[i])
        return patches

    def _handles(self, palette, marked, around):
        from matplotlib.colors import to_rgba
        from matplotlib.patches import Patch

        handles = [
            Patch(facecolor=to_rgba(c, 0.2), edgecolor=c, linestyle=style[0], label=label)
            for label, c, style in palette.entries
        ]
        one = len(marked) == 1
        dark, plain = "#404040", self.groups is None
        if marked:
            colour = _COLOURS[1] if plain else palette.colours[marked[0]] if one else dark
            label = _short(self.names[marked[0]], 30) if one else "highlighted"
            face = to_rgba(colour, 0.6)
            handles.append(Patch(facecolor=face, edgecolor=colour, lw=2.0, label=label))
        if around:
            colour = _COLOURS[0] if plain else dark
            label = "contains it" if one else "contains one of them"
            handles.append(Patch(facecolor="none", edgecolor=colour, lw=1.8, label=label))
        return handles


class HierarchyDisplay:
    """Draw which task lies in which as a graph in layers, containers on top.

    A task is as many layers below the top as the longest chain of containers above it has
    members. The stronger a relation, the darker and wider its line. Tasks without any
    relation stand apart, at the bottom.

    Parameters
    ----------
    graph : networkx.DiGraph
        Without cycles. An edge u -> v says that u lies inside v; its attribute "weight" is
        how much of u does (1 where it is missing). Best without edges that follow from
        others, as :meth:`BoxRelationEmbedder.to_networkx` makes it.
    groups : array-like of shape (n_tasks,), default=None
        Category of each task, in the order of the nodes, shown as its colour. The 12 most
        frequent ones can be told apart; all others, and missing ones, are grey.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where the graph is.
    figure_ : matplotlib Figure
        The figure around it.
    layers_ : list of list
        The tasks drawn, layer by layer from the top, each from left to right.
    isolated_ : list
        The tasks drawn that have no relation.
    texts_ : list of Text
        The labels drawn.

    See Also
    --------
    HierarchyDisplay.from_estimator : Draw the hierarchy that an embedder predicts.
    BoxDisplay : Draw the boxes.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> import networkx as nx
    >>> from sklearn_task2box.display import HierarchyDisplay
    >>> graph = nx.DiGraph([("dog", "animal"), ("cat", "animal"), ("poodle", "dog")])
    >>> display = HierarchyDisplay(graph).plot()
    >>> display.layers_
    [['animal'], ['dog', 'cat'], ['poodle']]
    >>> plt.close(display.figure_)
    """

    def __init__(self, graph, groups=None):
        if not isinstance(graph, nx.DiGraph) or graph.is_multigraph():
            raise ValueError(
                "graph must be a networkx.DiGraph, as BoxRelationEmbedder.to_networkx "
                f"makes it; got {type(graph).__name__}."
            )
        if not len(graph):
            raise ValueError("graph has no nodes, so there is nothing to draw.")
        if not nx.is_directed_acyclic_graph(graph):
            cycle = [edge[0] for edge in nx.find_cycle(graph)]
            raise ValueError(
                "graph must have no cycles, or there is no top; got one through "
                f"{some(cycle)}. to_networkx(reduce=True) makes a graph without."
            )
        _check_groups(groups, len(graph))
        self.graph = graph
        self.groups = groups

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X=None,
        *,
        threshold=None,
        groups=None,
        labels="auto",
        max_tasks=100,
        ax=None,
    ):
        """Draw the hierarchy that a fitted embedder predicts.

        Parameters
        ----------
        estimator : BoxRelationEmbedder, or Pipeline that ends in one
            Fitted.
        X : {array-like, sparse matrix, DataFrame} of shape (n_tasks, n_features), \
                default=None
            Tasks to draw, as the estimator takes them; the index of a DataFrame names
            them. None draws those of training.
        threshold : float in [0, 1], default=None
            Smallest strength of a line; None takes ``threshold_`` of the embedder.
        groups : array-like of shape (n_tasks,), default=None
            Category of each task, shown as its colour.
        labels : {"auto", "all", "none"} or list of task names, default="auto"
            Which tasks to label. "auto" labels as many as fit, those that contain most
            first.
        max_tasks : int or None, default=100
            Draw no more than these: the tasks that contain most others. None draws all.
        ax : matplotlib Axes, default=None
            Where to draw. None makes a figure that is as large as the graph needs.

        Returns
        -------
        display : HierarchyDisplay

        Raises
        ------
        ValueError
            If a parameter is not usable.
        NotFittedError
            If the estimator is not fitted.
        ImportError
            If matplotlib is not installed.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> from sklearn_task2box import BoxRelationEmbedder
        >>> from sklearn_task2box.datasets import load_digits_tasks
        >>> from sklearn_task2box.display import HierarchyDisplay
        >>> X, relations = load_digits_tasks(return_X_y=True, as_frame=True)
        >>> embedder = BoxRelationEmbedder(box_dim=2, max_epochs=30, random_state=0)
        >>> embedder = embedder.fit(X, relations == 1)
        >>> display = HierarchyDisplay.from_estimator(embedder, max_tasks=30)
        >>> sum(len(layer) for layer in display.layers_) + len(display.isolated_)
        30
        >>> plt.close(display.figure_)
        """
        _import_pyplot(cls)
        embedder, X, names = _split(estimator, X)
        graph = embedder.to_networkx(X, threshold, reduce=True)
        # Steps before the embedder may have lost the names.
        graph = nx.relabel_nodes(graph, dict(zip(list(graph), names.tolist(), strict=True)))
        return cls(graph, groups).plot(ax, labels=labels, max_tasks=max_tasks)

    def plot(self, ax=None, *, labels="auto", max_tasks=100):
        """Draw the graph.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None makes a figure that is as large as the graph needs.
        labels : {"auto", "all", "none"} or list of task names, default="auto"
            Which tasks to label.
        max_tasks : int or None, default=100
            Draw no more than these: the tasks that contain most others. None draws all.

        Returns
        -------
        display : HierarchyDisplay
            This object.

        Raises
        ------
        ValueError
            If a parameter is not usable.
        ImportError
            If matplotlib is not installed.
        """
        plt = _import_pyplot(type(self))
        names = list(self.graph)
        wanted = _check_labels(labels, as_names(names, "the nodes of graph"))
        if max_tasks is not None and (
            not isinstance(max_tasks, Integral)
            or isinstance(max_tasks, bool)
            or max_tasks < 1
        ):
            raise ValueError(
                f"max_tasks must be None or a whole number from 1 on; got {max_tasks!r}."
            )
        graph = nx.convert_node_labels_to_integers(self.graph)
        n_members = _n_members(graph)
        if max_tasks is not None and len(graph) > max_tasks:
            # A container has more members than each of them: none of its own is left out.
            kept = np.argsort(-n_members, kind="stable")[:max_tasks]
            graph = nx.DiGraph(graph.subgraph(kept.tolist()))
        place = _Layout(graph, n_members)

        palette = _Palette(self.groups, len(names))
        short = [_short(name, _LONGEST_LABEL) for name in names]
        handles = self._handles(graph, palette)
        own = ax is None
        if own:
            _, ax = plt.subplots(
                figsize=place.figure_size([short[i] for i in graph], bool(handles)),
                layout="constrained",
            )
        ax.set_axis_off()
        title = "" if place.layers else "no relations"
        if len(graph) < len(names):
            title = f"{len(graph)} of {len(names)} tasks, those that contain most"
        ax.set_title(title, fontsize=10)
        _add_legend([ax], handles, own)
        _lay_out(ax)
        wanted = set(graph if wanted is None else wanted)
        bands = _Bands(ax, place, short, wanted, n_members, forced=not _is_auto(labels))
        bands.draw(ax, graph, palette)
        self.texts_ = bands.texts
        self.layers_ = [[names[i] for i in layer] for layer in place.layers]
        self.isolated_ = [names[i] for row in place.apart for i in row]
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _handles(self, graph, palette):
        from matplotlib.lines import Line2D

        handles = [
            Line2D([], [], color=c, marker=style[1], ls="none", ms=5, label=label)
            for label, c, style in palette.entries
        ]
        weights = _weights(graph)
        if len(weights) and np.ptp(weights) >= 0.01:
            for weight in (weights.max(), weights.min()):
                line = _line(weight, weights)
                handles.append(Line2D([], [], **line, label=f"strength {weight:.2f}"))
        return handles


# --------------------------------------------------------------------------------------
# Input
# --------------------------------------------------------------------------------------
def _import_pyplot(cls):
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            f"{cls.__name__} needs matplotlib. Install it with "
            "pip install 'sklearn-task2box[plot]'."
        ) from error
    return plt


def _split(estimator, X):
    """The embedder at the end, X as the embedder takes it, and the names of the tasks."""
    embedder = estimator
    if isinstance(estimator, Pipeline) and len(estimator.steps):
        embedder = estimator.steps[-1][1]
    if not isinstance(embedder, BoxRelationEmbedder):
        raise ValueError(
            "estimator must be a fitted BoxRelationEmbedder, or a Pipeline that ends in "
            f"one; got {type(estimator).__name__}"
            + ("." if embedder is estimator else f" that ends in {embedder!r}.")
            + " Of a search, pass best_estimator_."
        )
    check_is_fitted(embedder)
    if X is None:
        return embedder, None, embedder.tasks_
    names = task_names(X)
    if embedder is not estimator and len(estimator.steps) > 1:
        X = estimator[:-1].transform(X)
    if names is None:
        names = np.arange(X.shape[0] if hasattr(X, "shape") else len(X))
    return embedder, X, names


def _check_length(values, n, what, thing):
    if len(values) != n:
        raise ValueError(
            f"{what} must have one entry per {thing}, {n} in all; got {len(values)}."
        )


def _check_groups(groups, n):
    if groups is None:
        return
    if not pd.api.types.is_list_like(groups) or np.ndim(groups) != 1:
        raise ValueError(
            f"groups must be a 1-D array of one category per task, {n} in all; got "
            f"{groups!r}."
        )
    _check_length(groups, n, "groups", "task")


def _check_labels(labels, names):
    """Positions of the tasks to label; None where all may be."""
    if isinstance(labels, str):
        if labels not in _LABELS:
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
    return _find(list(labels), names, "labels")


def _is_auto(labels):
    return isinstance(labels, str) and labels == "auto"


def _find(wanted, names, what):
    """Positions of tasks given by name, or by position where names are no numbers."""
    if wanted is None:
        return []
    known = {name: i for i, name in enumerate(names.tolist())}
    if not pd.api.types.is_list_like(wanted) or _is_name(wanted, known):
        wanted = [wanted]
    numbered = any(isinstance(name, Integral) for name in known)
    found = []
    for name in wanted:
        if _is_name(name, known):
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


def _is_name(name, known):
    try:
        return name in known
    except TypeError:  # unhashable
        return False


def _short(name, longest):
    """A name on one line, of a bounded length."""
    name = " ".join(str(name).split())
    if len(name) <= longest:
        return name
    head = (longest - 1) * 2 // 3
    return f"{name[:head]}…{name[head - longest + 1 :]}"


# --------------------------------------------------------------------------------------
# Colours and legends
# --------------------------------------------------------------------------------------
class _Palette:
    """Colour and style of each task, and the entries of the legend."""

    def __init__(self, groups, n):
        self.entries = []
        if groups is None:
            self.colours, self.styles = [_COLOURS[0]] * n, [_STYLES[0]] * n
            return
        looks = [(colour, style) for style in _STYLES for colour in _COLOURS]
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
        self.entries = [(_short(group, 30), *look[group]) for group in shown]
        n_left = len(counts) - len(shown)
        plain = _GREY, _STYLES[0]
        if n_left or groups.isna().any():
            label = f"{n_left} other groups" if n_left else "no group"
            self.entries.append((label, *plain))
        drawn = [plain if pd.isna(group) else look.get(group, plain) for group in groups]
        self.colours, self.styles = map(list, zip(*drawn, strict=True))


def _darker(colour):
    """Dark enough to read as text on white."""
    from matplotlib.colors import to_rgb

    return tuple(0.6 * c for c in to_rgb(colour))


def _add_legend(axes, handles, own):
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


def _lay_out(ax):
    """Give axes their final size, which decides on what fits."""
    figure = ax.figure.figure  # of a subfigure: the whole one
    if figure.get_layout_engine() is not None:
        figure.draw_without_rendering()


# --------------------------------------------------------------------------------------
# Boxes
# --------------------------------------------------------------------------------------
def _pairs(box_dim):
    """Pairs of dimensions to draw."""
    if box_dim == 1:
        return [(0,)]
    if box_dim <= 4:
        return list(combinations(range(box_dim), 2))
    starts = [*range(0, box_dim - 1, 2)]
    if box_dim % 2:
        starts.append(box_dim - 2)
    return [(k, k + 1) for k in starts]


def _rows(low, high, order):
    """Row of each interval: below all larger ones that it overlaps."""
    rows = np.zeros(len(low), dtype=int)
    for rank, i in enumerate(order):
        before = order[:rank]
        over = before[(low[before] < high[i]) & (low[i] < high[before])]
        rows[i] = rows[over].max() + 1 if len(over) else 0
    return rows


def _deepest(low, high):
    """How many boxes at most cover the centre of a box."""
    centres = (low + high) / 2
    return max(
        int(((low <= centre) & (centre <= high)).all(axis=1).sum()) for centre in centres
    )


class _Scale:
    """Monotone scale of an axis that evens out the gaps between corners."""

    def __init__(self, corners, spacing):
        knots = np.unique(corners)
        if len(knots) < 2:  # boxes without any extent
            knots = knots[0] + np.array([-0.5, 0.5])
        lengths = gaps = np.diff(knots)
        if spacing == "log":
            lengths = np.log1p(gaps / np.quantile(gaps, 0.1))
        elif spacing == "even":
            lengths = np.ones(len(gaps))
        self.spacing, self.knots = spacing, knots
        # Interpolation needs a gap also where rounding leaves none.
        lengths = lengths / lengths.sum() + 1e-12
        self.marks = np.append(0, np.cumsum(lengths)) / lengths.sum()

    def forward(self, values):
        values = np.asarray(values, dtype=float)
        beyond = values - np.clip(values, self.knots[0], self.knots[-1])
        extent = self.knots[-1] - self.knots[0]
        return np.interp(values, self.knots, self.marks) + beyond / extent

    def inverse(self, marks):
        marks = np.asarray(marks, dtype=float)
        beyond = marks - np.clip(marks, self.marks[0], self.marks[-1])
        extent = self.knots[-1] - self.knots[0]
        return np.interp(marks, self.marks, self.knots) + beyond * extent

    def ticks(self, n):
        """Round numbers about evenly spaced on the axis."""
        ticks = []
        for mark in (np.arange(n) + 0.5) / n:
            low, middle, high = self.inverse(mark + np.array([-0.25, 0, 0.25]) / n)
            for digits in range(-20, 13):
                tick = round(float(middle), digits)
                if low <= tick <= high:
                    ticks.append(tick + 0.0)  # no -0
                    break
        return np.unique(ticks)

    def apply(self, axis, label):
        ax, way = axis.axes, axis.axis_name
        if self.spacing != "linear":
            scale = {"functions": (self.forward, self.inverse)}
            getattr(ax, f"set_{way}scale")("function", **scale)
            inches = ax.get_window_extent().size["xy".index(way)] / ax.figure.dpi
            ticks = self.ticks(5 if inches > 4 else 3)
            axis.set_ticks(ticks, [_number(tick) for tick in ticks])
            axis.set_ticks([], minor=True)
            label += f" ({self.spacing} gaps)"
        axis.set_label_text(label)
        getattr(ax, f"set_{way}lim")(*self.inverse(np.array([-0.02, 1.02])))


def _number(tick):
    text = f"{tick:.5g}".replace("e+0", "e").replace("e+", "e")
    return text.replace("e-0", "e-").replace("-", "\N{MINUS SIGN}")


def _label_boxes(ax, patches, names, order, *, limits, bold, forced, font):
    """Label boxes one after the other, where the label is least mistaken for another's.

    A label in "auto" is left out if it would cover another one, or meet more boxes than
    ``limits`` allows which do not surround the box as well. Faint boxes count only for
    the labels of faint boxes.
    """
    from matplotlib.patheffects import withStroke

    figure = ax.figure
    point = figure.dpi / 72
    frame = ax.get_window_extent().extents[None]
    corners = np.array([patch.get_window_extent().extents for patch in patches])
    areas = (corners[:, 2:] - corners[:, :2]).prod(axis=1)
    strength = np.array([patch.get_edgecolor()[3] for patch in patches])
    texts, taken = [], np.empty((0, 4))
    for i in order if forced else order[:_MOST_TRIED]:
        text = ax.annotate(
            names[i],
            (0, 0),
            xytext=(0, 0),
            textcoords="offset points",
            fontsize=font,
            fontweight="bold" if i in bold else "normal",
            color=_darker(patches[i].get_edgecolor()),
            alpha=1.0 if strength[i] > 0.5 else 0.6,
            va="bottom",
            ha="left",
            zorder=5,
            parse_math=False,
            annotation_clip=False,
            path_effects=[withStroke(linewidth=2, foreground="white", alpha=0.8)],
        )
        text.set_in_layout(False)
        spots, turned = _spots(corners[i], text.get_window_extent().size, 2.5 * point)
        area = (spots[-1, 2:] - spots[-1, :2]).prod()
        margin = np.array([-1, -1, 1, 1]) * point
        hidden = _shared_area(spots + margin, taken).sum(axis=1)
        outside = area - _shared_area(spots, frame)[:, 0]
        lost = hidden + np.where(outside > 0.5, outside, 0)
        centre = np.tile((corners[i, :2] + corners[i, 2:]) / 2, 2)[None]
        around = _contains(corners, centre)[:, 0] & (areas > areas[i])
        meets = _shared_area(spots, corners) > 0
        meets &= ~(_contains(corners, spots).T & around)
        meets &= strength >= strength[i] / 2
        meets[:, i] = False
        meets = meets.sum(axis=1)
        if not forced:
            good = (lost == 0) & (meets <= limits[i])
            spots, turned, lost, meets = spots[good], turned[good], lost[good], meets[good]
        if not len(spots):
            text.remove()
            continue
        best = np.argmin(lost * len(corners) + meets + 0.01 * np.arange(len(spots)))
        spot = spots[best]
        taken = np.vstack([taken, spot])
        text.set_rotation(90 if turned[best] else 0)
        # Held by the nearest corner of the box, so that it stays there in zooming.
        far = (spot[:2] + spot[2:]) / 2 > centre[0, :2]
        pixel = np.where(far, corners[i, 2:], corners[i, :2])
        text.xy = ax.transData.inverted().transform(pixel)
        text.set_position((spot[:2] - pixel) / point)
        texts.append(text)
    return texts


def _spots(box, size, pad):
    """Corners of places for a label, in its box and around it, and which are turned."""
    low, high = box[:2], box[2:]
    fits, turned = [(high - low >= s + 2 * pad).all() for s in (size, size[::-1])]
    spots = np.empty((0, 4))
    if fits or turned:
        inner = size if fits else size[::-1]
        first, last = low + pad, high - pad - inner
        steps = np.array([0, 1, 0.5, 0.25, 0.75])
        across = first[0] + (last[0] - first[0]) * steps
        up = last[1] + (first[1] - last[1]) * steps
        spots = np.array([(x, y, x + inner[0], y + inner[1]) for y in up for x in across])
    middle = (low + high - size) / 2
    right, left = high[0] + pad, low[0] - pad - size[0]
    above, below = high[1] + pad / 2, low[1] - pad / 2 - size[1]
    start, end = low[0], high[0] - size[0]
    outer = [(right, middle[1]), (left, middle[1])]
    outer += [(x, y) for x in (middle[0], start, end) for y in (above, below)]
    outer += [(x, y) for x in (right, left) for y in (above, below)]
    turned = (np.arange(len(spots) + len(outer)) < len(spots)) & (not fits)
    return np.vstack([spots, np.column_stack([outer, outer + size])]), turned


def _shared_area(some_boxes, others):
    """Areas of the intersections of (n, 4) and (m, 4) corners, of shape (n, m)."""
    low = np.maximum(some_boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(some_boxes[:, None, 2:], others[None, :, 2:])
    return np.maximum(high - low, 0).prod(axis=2)


def _contains(outer, inner):
    """Whether each of (n, 4) corners contains each of (m, 4), of shape (n, m)."""
    return (
        (outer[:, None, :2] <= inner[None, :, :2])
        & (outer[:, None, 2:] >= inner[None, :, 2:])
    ).all(axis=2)


# --------------------------------------------------------------------------------------
# Hierarchies
# --------------------------------------------------------------------------------------
def _n_members(graph):
    """How many tasks lie in each, directly or not."""
    return np.array([len(nx.ancestors(graph, i)) for i in range(len(graph))])


def _weights(graph):
    return np.array([w for _, _, w in graph.edges(data="weight", default=1.0)])


def _line(weight, weights):
    """Width and colour of the line of a relation, among all those drawn."""
    low, high = weights.min(), weights.max()
    share = (weight - low) / (high - low) if high - low >= 0.01 else 1.0
    return {"lw": 0.5 + 1.0 * share, "color": (0.25, 0.3, 0.35, 0.3 + 0.5 * share)}


class _Layout:
    """Layers, their order, and places across, as Sugiyama et al. (1981).

    A relation over several layers is a chain of bends, one per layer between, that take
    part like tasks. ``x`` has the place of each, at least 1 apart between tasks.
    """

    def __init__(self, graph, n_members):
        linked = [i for i in graph if graph.degree(i)]
        downwards = nx.DiGraph(graph.subgraph(linked)).reverse()
        generations = nx.topological_generations(downwards)
        self.level = {i: k for k, layer in enumerate(generations) for i in layer}
        self.chains, links = {}, nx.DiGraph()
        for top, bottom in downwards.edges:
            levels = range(self.level[top] + 1, self.level[bottom])
            bends = [(top, bottom, k) for k in levels]
            self.chains[top, bottom] = bends
            nx.add_path(links, [top, *bends, bottom])
        level = {**self.level, **{b: b[2] for bends in self.chains.values() for b in bends}}
        self.order = self._ordered(links, level, n_members)
        self.x = self._across(links)
        self.layers = [[i for i in row if i in self.level] for row in self.order]
        places = list(self.x.values()) or [0.0]
        self.left, self.right = min(places) - 0.7, max(places) + 0.7
        self._set_apart([i for i in graph if not graph.degree(i)])

    def _ordered(self, links, level, n_members):
        """Layers ordered by barycentres, with the fewest crossings found."""
        roots = [i for i in self.level if self.level[i] == 0]
        seen = {}
        for root in sorted(roots, key=lambda i: (-n_members[i], i)):
            for node in nx.dfs_preorder_nodes(links, root):
                seen.setdefault(node, len(seen))
        rows = [[] for _ in range(max(level.values(), default=-1) + 1)]
        for node in seen:
            rows[level[node]].append(node)
        best, fewest = rows, _n_crossings(rows, links)
        for sweep in range(16):
            if not fewest:
                break
            down = sweep % 2 == 0
            steps = range(1, len(rows)) if down else range(len(rows) - 2, -1, -1)
            rows = list(rows)
            for k in steps:
                beside = {n: p for p, n in enumerate(rows[k - 1 if down else k + 1])}
                near = links.predecessors if down else links.successors
                centre = {}
                for place, node in enumerate(rows[k]):
                    places = [beside[n] for n in near(node)]
                    centre[node] = np.mean(places) if places else place
                rows[k] = sorted(rows[k], key=centre.get)
            crossings = _n_crossings(rows, links)
            if crossings < fewest:
                best, fewest = rows, crossings
        return best

    def _across(self, links):
        """Places near those of the neighbours above and below, the order being kept."""
        x, offsets = {}, []
        widest = max(
            (sum(1.0 if node in self.level else 0.5 for node in row) for row in self.order),
            default=0.0,
        )
        for row in self.order:
            widths = np.array([1.0 if node in self.level else 0.5 for node in row])
            # Sparse rows take the room that the widest one leaves.
            widths *= np.clip(0.7 * widest / widths.sum(), 1.0, 8.0)
            offset = np.append(0, np.cumsum(widths[:-1] + widths[1:]) / 2)
            offsets.append(offset)
            x.update(zip(row, offset - offset[-1] / 2, strict=True))
        ways = [links.predecessors, links.successors] * 8
        for near in ways:
            steps = range(len(self.order))
            for k in steps if near == links.predecessors else reversed(steps):
                row = self.order[k]
                goals = np.array(
                    [np.mean([x[n] for n in near(i)] or [x[i]]) for i in row], dtype=float
                )
                # Bends rather than tasks keep their place: straight lines.
                weight = [1.0 if i in self.level else 4.0 for i in row]
                moved = isotonic_regression(goals - offsets[k], sample_weight=weight)
                x.update(zip(row, moved + offsets[k], strict=True))
        return x

    def _set_apart(self, nodes):
        """Rows of tasks without relations, below all layers."""
        most = max(12, int(self.right - self.left))
        n_rows = -(-len(nodes) // most)
        self.apart = [list(row) for row in np.array_split(nodes, n_rows)] if nodes else []
        if len(nodes) and not self.layers:
            self.left, self.right = 0.0, float(len(self.apart[0]))
        for row in self.apart:
            step = (self.right - self.left) / len(self.apart[0])
            self.x.update((i, self.left + step * (k + 0.5)) for k, i in enumerate(row))

    @property
    def rows(self):
        return self.layers + self.apart

    def figure_size(self, names, legend):
        """Size, in inches, in which labels are legible."""
        width = np.clip(0.17 * (self.right - self.left), 7.0, 18.0) + 1.4 * legend
        label = min(max(map(len, names)) * 0.065, 1.6)
        return width, np.clip((label + 0.45) * len(self.rows), 3.0, 18.0)


def _n_crossings(rows, links):
    total = 0
    for above, below in pairwise(rows):
        place = {node: p for p, node in enumerate(below)}
        seen = []
        for node in above:
            for p in sorted(place[member] for member in links.successors(node)):
                total += len(seen) - bisect_right(seen, p)
                insort(seen, p)
    return total


class _Bands:
    """Places up and down, in pixels: a band per layer, as high as its longest label."""

    def __init__(self, ax, place, names, wanted, n_members, forced):
        self.place, self.names = place, names
        extent = ax.get_window_extent()
        self.point = ax.figure.dpi / 72
        self.unit = extent.width / (place.right - place.left)
        # Room for the markers of the first and the last layer.
        room = extent.height - 8 * self.point
        least = 14 * self.point * max(len(place.rows) - 1, 0)
        largest = min(_FONT, self.unit / self.point / 1.25)
        for font in np.arange(max(largest, _SMALLEST_FONT), _SMALLEST_FONT - 0.01, -0.5):
            self.font = font
            self.sizes = {i: _text_size(names[i], font, ax) for i in wanted}
            self.rows = [self._fit(row, n_members, forced) for row in place.rows]
            heights = [self._height(row) for row in self.rows]
            if sum(heights) + least <= room:
                break
        while not forced and any(heights) and sum(heights) + least > room:
            worst = int(np.argmax(heights))
            self.rows[worst], heights[worst] = ({}, False), 0.0
        gaps = max(len(place.rows) - 1, 1)
        gap = max((room - sum(heights)) / gaps, 3 * self.point)
        self.tops = 4 * self.point + np.cumsum([0, *(np.array(heights) + gap)])[:-1]
        self.bottoms = self.tops + heights
        ax.set_xlim(place.left, place.right)
        ax.set_ylim(max(self.bottoms[-1] + 4 * self.point, extent.height), 0)

    def _fit(self, row, n_members, forced):
        """Sizes of the labels of a row, and whether they are turned by 90 degrees."""
        place, unit = self.place, self.unit
        sizes = {i: self.sizes[i] for i in row if i in self.sizes}
        if not sizes:
            return {}, False
        fixed = [k for k, layer in enumerate(place.layers) if layer == row]
        bends = [n for n in place.order[fixed[0]] if n not in place.level] if fixed else []
        ends = [(place.left, place.left), (place.right, place.right)]
        ends += [(place.x[bend], place.x[bend]) for bend in bends]
        spans = [
            (place.x[i] - w / unit / 2, place.x[i] + w / unit / 2)
            for i, (w, _) in sizes.items()
        ]
        spans = sorted(spans + ends)
        apart = 6 * self.point / unit
        if all(a[1] + apart <= b[0] or a == b for a, b in pairwise(spans)):
            return sizes, False
        if forced:
            return sizes, True
        kept = {}
        for i in sorted(sizes, key=lambda i: (-n_members[i], place.x[i])):
            free = (sizes[i][1] + self.point) / unit
            if all(abs(place.x[i] - place.x[j]) >= free for j in kept):
                kept[i] = sizes[i]
        return kept, True

    def _height(self, row):
        sizes, turned = row
        longest = max((size[0 if turned else 1] for size in sizes.values()), default=0.0)
        return longest + 6 * self.point if sizes else 0.0

    def draw(self, ax, graph, palette):
        from matplotlib.collections import PathCollection
        from matplotlib.patheffects import withStroke

        x, point = self.place.x, self.point
        y, below = {}, {}
        self.texts = []
        for top, nodes, (sizes, turned) in zip(
            self.tops, self.place.rows, self.rows, strict=True
        ):
            for i in nodes:
                y[i] = below[i] = top
                if i not in sizes:
                    continue
                below[i] = top + 5 * point + sizes[i][0 if turned else 1]
                text = ax.annotate(
                    self.names[i],
                    (x[i], top),
                    xytext=(0, -5),
                    textcoords="offset points",
                    rotation=90 if turned else 0,
                    ha="center",
                    va="top",
                    fontsize=self.font,
                    color=_darker(palette.colours[i]),
                    zorder=4,
                    parse_math=False,
                    annotation_clip=False,
                    path_effects=[withStroke(linewidth=2, foreground="white")],
                )
                text.set_in_layout(False)
                self.texts.append(text)
        size = np.clip(0.6 * self.unit / point, 1.0, 4.0) ** 2
        thin = np.clip(self.unit / point / 6, 0.3, 1.0)
        weights = _weights(graph)
        lines = [_line(weight, weights) for weight in weights]
        ax.add_collection(
            PathCollection(
                [self._path(top, bottom, y, below) for bottom, top in graph.edges],
                facecolors="none",
                edgecolors=[line["color"] for line in lines],
                linewidths=[thin * line["lw"] for line in lines],
                zorder=1,
            ),
            autolim=False,
        )
        for colour, style in dict.fromkeys(
            zip(palette.colours, palette.styles, strict=True)
        ):
            same = [
                i for i in y if (palette.colours[i], palette.styles[i]) == (colour, style)
            ]
            ax.scatter(
                [x[i] for i in same],
                [y[i] for i in same],
                s=size,
                color=colour,
                marker=style[1],
                zorder=5,
            )
        if self.place.apart and self.place.layers:
            n = len(self.place.layers)
            middle = (self.bottoms[n - 1] + self.tops[n]) / 2
            ax.axhline(middle, color=_GREY, lw=0.6, ls=":")
            count = sum(map(len, self.place.apart))
            note = ax.annotate(
                f"{count} without relations",
                (self.place.left, middle),
                xytext=(0, 1),
                textcoords="offset points",
                fontsize=7,
                color=_GREY,
                va="bottom",
            )
            note.set_in_layout(False)

    def _path(self, top, bottom, y, below):
        """From below the label of a task down to a member, straight within each band."""
        from matplotlib.path import Path

        x, place = self.place.x, self.place
        points, codes = [(x[top], below[top])], [Path.MOVETO]
        here = x[top]
        for level, node in enumerate(
            [*place.chains[top, bottom], bottom], place.level[top]
        ):
            start, end = self.bottoms[level], self.tops[level + 1]
            middle, there = (start + end) / 2, x[node]
            points += [(here, start), (here, middle), (there, middle), (there, end)]
            codes += [Path.LINETO, Path.CURVE4, Path.CURVE4, Path.CURVE4]
            here = there
        return Path(points, codes)


def _text_size(name, font, ax):
    text = ax.text(0, 0, name, fontsize=font, parse_math=False)
    size = text.get_window_extent().size
    text.remove()
    return size
