"""Predicted beside true strengths as heat maps."""

import networkx as nx
import numpy as np
import pandas as pd

from sklearn_task2box.display.common import (
    FONT,
    LONGEST_LABEL,
    SMALLEST_FONT,
    check_labels,
    check_length,
    import_pyplot,
    is_auto,
    lay_out,
    shorten,
    split,
    true_strengths,
)
from sklearn_task2box.forms import as_names, positions_of
from sklearn_task2box.relations import task_names

ORDERS = ("auto", "true", "predicted", "given")
UNKNOWN, DIAGONAL = "#F2CF9B", "#9A9A9A"  # neither is a shade of the colour map


class RelationMatrixDisplay:
    """Draw predicted beside true strengths as heat maps.

    The cell in row i and column j says how much of task i lies inside task j, so that a
    container is a column, and the boxes that contain a task are its row. Rows and columns
    of both maps stand in one order, by default that of the hierarchy: depth first, each
    task below the smallest of its containers, and after all of them. So what lies inside a
    task stands just after it, as a dark stripe in its column below the diagonal.

    Parameters
    ----------
    predicted : array-like of shape (n_tasks, n_tasks)
        ``predicted[i, j]`` in [0, 1] reads "task i inside task j". NaN where unknown.
    true : array-like of shape (n_tasks, n_tasks), default=None
        The same in truth. None draws the predicted ones alone. DataFrames whose index and
        columns are the names, in any order, are put into the order of ``names``.
    names : array-like of shape (n_tasks,), default=None
        Names of the tasks, each different; None takes the index of predicted, if it is a
        DataFrame, and numbers them otherwise.
    threshold : float in [0, 1], default=0.5
        Strength from which a task counts as inside another, for the sake of the order.

    Attributes
    ----------
    ax_ : matplotlib Axes or ndarray of two Axes
        Where the heat maps are: predicted, then true.
    figure_ : matplotlib Figure
        The figure around them.
    images_ : list of AxesImage
        The heat maps.
    colorbar_ : matplotlib Colorbar
        Of both.
    order_ : ndarray of int of shape (n_tasks,)
        Which task stands in each row and column.
    ordered_by_ : {"true", "predicted", "given"}
        What the order was made of.

    See Also
    --------
    RelationMatrixDisplay.from_estimator : Draw what an embedder predicts.
    HierarchyDisplay : Draw which task lies in which as a graph.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sklearn_task2box.display import RelationMatrixDisplay
    >>> true = [[1, 1, 1], [0, 1, 0], [0, 1, 1]]
    >>> predicted = [[1.0, 0.9, 0.8], [0.1, 1.0, 0.2], [0.0, 0.7, 1.0]]
    >>> names = ["poodle", "animal", "dog"]
    >>> display = RelationMatrixDisplay(predicted, true, names).plot()
    >>> display.names[display.order_]
    array(['animal', 'dog', 'poodle'], dtype=object)
    >>> plt.close(display.figure_)
    """

    def __init__(self, predicted, true=None, names=None, threshold=0.5):
        if names is None and isinstance(predicted, pd.DataFrame):
            names = predicted.index
        predicted, true = (_in_order(table, names) for table in (predicted, true))
        self.predicted = _check_strengths(predicted, "predicted")
        n = len(self.predicted)
        self.true = None if true is None else _check_strengths(true, "true")
        if self.true is not None and len(self.true) != n:
            raise ValueError(
                f"predicted and true must be of the same tasks; got {n} and "
                f"{len(self.true)} of them."
            )
        self.names = as_names(np.arange(n) if names is None else names, "names")
        check_length(self.names, n, "names", "task")
        if isinstance(threshold, bool) or not 0 <= threshold <= 1:
            raise ValueError(f"threshold must be a number in [0, 1]; got {threshold!r}.")
        self.threshold = threshold

    @classmethod
    def from_estimator(
        cls, estimator, X=None, y=None, *, order="auto", labels="auto", ax=None
    ):
        """Draw what a fitted embedder predicts, beside the truth.

        Parameters
        ----------
        estimator : BoxRelationEmbedder, or Pipeline or search that ends in one
            Fitted.
        X : {array-like, sparse matrix, DataFrame} of shape (n_tasks, n_features), \
                default=None
            Tasks to draw, as the estimator takes them; the index of a DataFrame names
            them. None draws those of training.
        y : relations among these tasks, default=None
            The truth, in any form that ``fit`` takes. None takes the relations of training
            where X is None too, and otherwise draws the predicted ones alone.
        order : {"auto", "true", "predicted", "given"}, default="auto"
            Order of rows and columns. See :meth:`plot`.
        labels : {"auto", "all", "none"} or list of task names, default="auto"
            Which tasks to label. See :meth:`plot`.
        ax : matplotlib Axes or array-like of two Axes, default=None
            Where to draw; two where there is a truth. None makes a figure.

        Returns
        -------
        display : RelationMatrixDisplay
            Its ``threshold`` is ``threshold_`` of the embedder.

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
        >>> from sklearn_task2box.display import RelationMatrixDisplay
        >>> X, relations = load_digits_tasks(return_X_y=True, as_frame=True)
        >>> embedder = BoxRelationEmbedder(box_dim=2, max_epochs=30, random_state=0)
        >>> embedder = embedder.fit(X, relations)
        >>> display = RelationMatrixDisplay.from_estimator(embedder)
        >>> [image.get_array().shape for image in display.images_]
        [(120, 120), (120, 120)]
        >>> plt.close(display.figure_)
        """
        import_pyplot(cls)
        given = None if X is None else task_names(X)
        embedder, X, names = split(estimator, X)
        tasks = embedder._tasks(X)
        true = true_strengths(embedder, X, y, given)
        threshold = min(max(embedder.threshold_, 0.0), 1.0)
        display = cls(embedder._table(tasks, tasks), true, names, threshold)
        return display.plot(ax, order=order, labels=labels)

    def plot(self, ax=None, *, order="auto", labels="auto", cmap="Blues"):
        """Draw the heat maps.

        Parameters
        ----------
        ax : matplotlib Axes or array-like of two Axes, default=None
            Where to draw; two where there is a truth. None makes a figure.
        order : {"auto", "true", "predicted", "given"}, default="auto"
            Order of rows and columns: that of the true or of the predicted hierarchy, or
            the one given. "auto" is "true" where there is a true relation, or else
            "predicted".
        labels : {"auto", "all", "none"} or list of task names, default="auto"
            Which tasks to label. "auto" labels as many as fit without covering one
            another, those that contain most first.
        cmap : str or matplotlib Colormap, default="Blues"
            Colours of strengths from 0 to 1. Unknown pairs are of the colour of sand, and
            the diagonal, which is no pair, is grey.

        Returns
        -------
        display : RelationMatrixDisplay
            This object.

        Raises
        ------
        ValueError
            If a parameter is not usable.
        ImportError
            If matplotlib is not installed.
        """
        plt = import_pyplot(type(self))
        from matplotlib.patches import Patch

        wanted = check_labels(labels, self.names)
        inside = self._inside(order)
        n = len(self.predicted)
        self.order_ = np.arange(n) if inside is None else containment_order(inside)
        maps = {"predicted": self.predicted}
        if self.true is not None:
            maps["true"] = self.true
        own = ax is None
        if own:
            # Cells and names get smaller as tasks get more, but not as much smaller.
            side = np.clip(0.035 * n, 5.2, 10.0)
            size = (len(maps) * (side - 1.2) + 2.4, side)
            # Of axes of a fixed aspect, "constrained" does not settle.
            _, axes = plt.subplots(
                1, len(maps), figsize=size, layout="compressed", squeeze=False
            )
            axes = axes.ravel()
        else:
            axes = np.atleast_1d(np.asarray(ax, dtype=object)).ravel()
            if len(axes) != len(maps):
                raise ValueError(
                    f"{' and '.join(maps)} strengths are drawn in {len(maps)} Axes; got "
                    f"{len(axes)}. Pass {len(maps)}, or ax=None."
                )
        colours = plt.get_cmap(cmap).with_extremes(bad=UNKNOWN)
        self.images_ = [
            self._draw(axis, title, strengths, colours)
            for axis, (title, strengths) in zip(axes, maps.items(), strict=True)
        ]
        self.colorbar_ = axes[0].figure.colorbar(
            self.images_[0],
            ax=list(axes),
            label="share of the row's task inside the column's",
            fraction=0.05,
            pad=0.02,
            shrink=0.8,
        )
        self.colorbar_.outline.set_visible(False)
        off = ~np.eye(n, dtype=bool)
        if any(np.isnan(strengths[off]).any() for strengths in maps.values()):
            self.colorbar_.ax.legend(
                handles=[Patch(facecolor=UNKNOWN, label="unknown")],
                loc="lower left",
                bbox_to_anchor=(-0.4, 1.02),
                handlelength=1.0,
                fontsize=8,
                frameon=False,
            )
        members = self._n_members(inside)
        for axis in axes:
            axis.set_xlabel("container")
        axes[0].set_ylabel("member")
        self._label(axes, members, wanted, forced=not is_auto(labels))
        self.ax_ = axes[0] if len(axes) == 1 else axes
        self.figure_ = axes[0].figure
        return self

    # -- what to draw ------------------------------------------------------------------
    def _inside(self, order):
        """Which task lies in which, for the order; None for that of the rows."""
        if not isinstance(order, str) or order not in ORDERS:
            raise ValueError(f"order must be one of {ORDERS}; got {order!r}.")
        if order == "true" and self.true is None:
            raise ValueError("order='true' needs true strengths; there are none.")
        if order == "auto":
            order = "predicted"
            if self.true is not None and self._at_least(self.true).any():
                order = "true"
        self.ordered_by_ = order
        if order == "given":
            return None
        return self._at_least(self.true if order == "true" else self.predicted)

    def _at_least(self, strengths):
        with np.errstate(invalid="ignore"):
            inside = strengths >= max(self.threshold, np.finfo(float).tiny)
        np.fill_diagonal(inside, False)
        return inside

    def _n_members(self, inside):
        inside = self._at_least(self.predicted) if inside is None else inside
        return inside.sum(axis=0)[self.order_]

    # -- drawing -----------------------------------------------------------------------
    def _draw(self, ax, title, strengths, colours):
        from matplotlib.colors import ListedColormap

        n = len(strengths)
        cells = strengths[np.ix_(self.order_, self.order_)]
        image = ax.imshow(
            np.ma.masked_invalid(cells),
            cmap=colours,
            vmin=0,
            vmax=1,
            # Strengths are not to be mixed with what is unknown: colours are.
            interpolation="antialiased",
            interpolation_stage="rgba",
        )
        diagonal = np.ma.masked_where(~np.eye(n, dtype=bool), np.ones((n, n)))
        ax.imshow(diagonal, cmap=ListedColormap([DIAGONAL]), interpolation_stage="rgba")
        for side in ax.spines.values():
            side.set_color("#B0B0B0")
        ax.set_title(title, fontsize=10)
        return image

    def _label(self, axes, members, wanted, forced):
        """Name rows, and columns, as far as there is room."""
        names = [shorten(self.names[i], LONGEST_LABEL) for i in self.order_]
        n = len(names)
        places = np.arange(n)
        if wanted is not None:
            places = places[np.isin(self.order_, wanted)]
        longest = sorted(places, key=lambda k: -len(names[k]))[:1]
        looks = {"fontsize": SMALLEST_FONT if n > 60 else FONT, "parse_math": False}
        for ax in axes:  # what room the names leave decides on how many there are
            ax.set_xticks(longest, [names[k] for k in longest], rotation=90, **looks)
            ax.set_yticks(longest, [names[k] for k in longest], **looks)
            ax.tick_params(length=2, pad=1.5, color="#B0B0B0")
        lay_out(axes[0])
        extent = axes[0].get_window_extent().height * 72 / axes[0].figure.dpi
        row = extent / n
        font = np.clip(row / 1.2, SMALLEST_FONT, FONT)
        if not forced:
            kept = []
            for k in sorted(places, key=lambda k: (-members[k], k)):
                if all(abs(k - other) * row >= 1.15 * font for other in kept):
                    kept.append(k)
            places = np.sort(np.array(kept, dtype=int))
        texts = [names[k] for k in places]
        looks["fontsize"] = font
        for ax in axes:
            ax.set_xticks(places, texts, rotation=90, **looks)
            ax.set_yticks(places, texts if ax is axes[0] else [], **looks)


def containment_order(inside):
    """Positions of tasks, depth first through their hierarchy, containers before members.

    A task stands below the smallest of its containers (the one of the fewest members), the
    larger ones of the tasks below a container before the smaller ones. Where it has
    other containers beside that one and those above it, they are pulled up before it. A
    container counts as such if it has more members than the task or, where it has
    as many, if it is given first: so there are no cycles.

    Parameters
    ----------
    inside : array-like of bool of shape (n_tasks, n_tasks)
        ``inside[i, j]`` reads "task i inside task j". The diagonal does not matter.

    Returns
    -------
    order : ndarray of int of shape (n_tasks,)
    """
    inside = np.array(inside, dtype=bool)
    np.fill_diagonal(inside, False)
    n_members = inside.sum(axis=0)
    largest = np.argsort(-n_members, kind="stable")
    rank = np.empty(len(inside), dtype=int)
    rank[largest] = np.arange(len(inside))
    inside &= rank[None, :] < rank[:, None]
    forest = nx.DiGraph()
    forest.add_nodes_from(["root", *largest.tolist()])
    for i in largest.tolist():
        containers = np.flatnonzero(inside[i])
        above = int(containers[np.argmax(rank[containers])]) if len(containers) else "root"
        forest.add_edge(above, i)
    upwards = nx.DiGraph()  # searched in the order in which it is filled
    upwards.add_nodes_from(i for i in nx.dfs_preorder_nodes(forest, "root") if i != "root")
    for i in list(upwards):
        containers = np.flatnonzero(inside[i])
        containers = containers[np.argsort(rank[containers])]
        upwards.add_edges_from((i, int(j)) for j in containers)
    return np.array(list(nx.dfs_postorder_nodes(upwards)), dtype=int)


def _in_order(table, names):
    """A table in the order of names, if these are the labels of its rows and columns."""
    if names is None or not isinstance(table, pd.DataFrame):
        return table
    at = [positions_of(names, labels) for labels in (table.index, table.columns)]
    if len(table) != len(names) or any((found < 0).any() for found in at):
        return table
    return table.iloc[at[0], at[1]]


def _check_strengths(strengths, what):
    strengths = np.asarray(strengths, dtype=float)
    if (
        strengths.ndim != 2
        or strengths.shape[0] != strengths.shape[1]
        or not len(strengths)
    ):
        raise ValueError(
            f"{what} must be a square array, a row and a column for each task; got the "
            f"shape {strengths.shape}."
        )
    known = strengths[~np.isnan(strengths)]
    if known.size and not (known.min() >= 0 and known.max() <= 1 + 1e-9):
        raise ValueError(
            f"{what} must hold strengths in [0, 1], or NaN; got values from "
            f"{known.min():.4g} to {known.max():.4g}."
        )
    return strengths
