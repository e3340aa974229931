"""BoxDisplay: boxes as rectangles."""

from pathlib import Path
from typing import Any, Self

import networkx as nx
import numpy as np
from scipy import sparse

from sklearn_task2box.display import _inputs
from sklearn_task2box.display._box_labels import label_boxes
from sklearn_task2box.display._corners import Corners
from sklearn_task2box.display._explorer import make_page
from sklearn_task2box.display._looks import FONT, group_looks, is_dark, lay_out, shorten
from sklearn_task2box.utils._typing import ArrayLike, Axes, Features, Labels, Names


class BoxDisplay:
    """Draw boxes as rectangles.

    Two dimensions are drawn as they are, more as small multiples: all pairs of up to four,
    else consecutive ones. A task lies in another exactly where it does so in all of them.
    One dimension is drawn as bars, larger ones above smaller ones.

    Parameters
    ----------
    boxes : array-like of shape (n_tasks, 2 * box_dim)
        Lower corners, then upper corners.
    names : array-like of shape (n_tasks,), default=None
        Names of the tasks, each different; None numbers them.
    groups : array-like of shape (n_tasks,), default=None
        Category of each task, shown as its colour; a Series may name the tasks, in any
        order. All but the 12 most frequent ones, and missing ones, are grey.
    inside : {array-like, sparse array} of bool of shape (n_tasks, n_tasks), default=None
        Whether task i counts as lying in task j, ``inside[i, j]``, where tasks are
        highlighted. None asks whether box i lies in box j as a whole.

    Attributes
    ----------
    ax_ : matplotlib Axes or ndarray of Axes
        Where the boxes are; an array, in the order of ``dimensions_``, of several plots.
    figure_ : matplotlib Figure
    dimensions_ : list of tuple of int
        The dimensions across and up of each plot.
    patches_ : ndarray of Rectangle of shape (n_plots, n_tasks)
        The boxes drawn, in the order of the tasks.
    texts_ : list of Text
        The labels drawn, of all plots.

    Raises
    ------
    ValueError, NotFittedError
        If arguments are not usable, or an estimator is not fitted.

    See Also
    --------
    HierarchyDisplay : Which task lies in which, as a graph.

    Examples
    --------
    >>> from sklearn_task2box.display import BoxDisplay
    >>> boxes = [[0, 0, 9, 9], [1, 1, 4, 4], [2, 2, 3, 3], [5, 5, 8, 7]]
    >>> names = ["animal", "dog", "poodle", "cat"]
    >>> display = BoxDisplay(boxes, names).plot(highlight="poodle")
    >>> [text.get_text() for text in display.texts_]
    ['poodle', 'animal', 'dog', 'cat']
    """

    def __init__(
        self,
        boxes: ArrayLike,
        names: Names = None,
        groups: Names = None,
        inside: Any = None,
    ) -> None:
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
        n = len(boxes)
        self.boxes = boxes
        self.names = _inputs.read_names(names, n, "box")
        self.groups = _inputs.read_groups(groups, self.names)
        self.inside = None if inside is None else sparse.csr_array(inside, dtype=bool)
        if self.inside is not None and self.inside.shape != (n, n):
            raise ValueError(
                f"inside must have the shape ({n}, {n}), a row and a column for each box; "
                f"got {self.inside.shape}."
            )

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Features | None = None,
        *,
        groups: Names = None,
        highlight: Any = None,
        labels: Labels = "auto",
        spacing: str = "auto",
        ax: Axes = None,
    ) -> Self:
        """Draw the boxes of a fitted embedder.

        Parameters
        ----------
        estimator : fitted BoxRelationEmbedder or DistilledBoxEmbedder
            Or a Pipeline or search that ends in one. A task lies in another where the
            strength is at least its ``threshold_``.
        X : array-like of shape (n_tasks, n_features), default=None
            Tasks to draw, named by the index of a DataFrame. None draws those of training.
        groups, highlight, labels, spacing, ax
            See :class:`BoxDisplay` and :meth:`plot`.

        Returns
        -------
        display : BoxDisplay
        """
        model, X, names = _inputs.fitted_model(cls, estimator, X, "boxes_")
        boxes = model.boxes_ if X is None else model.transform(X)
        graph = model.to_networkx(X, reduce=False)
        inside = nx.to_scipy_sparse_array(graph, weight=None, dtype=bool, format="csr")
        display = cls(boxes, names, groups, inside)
        return display.plot(ax, highlight=highlight, labels=labels, spacing=spacing)

    def plot(
        self,
        ax: Axes = None,
        *,
        highlight: Any = None,
        labels: Labels = "auto",
        spacing: str = "auto",
    ) -> Self:
        """Draw the boxes.

        Parameters
        ----------
        ax : matplotlib Axes or array-like of Axes, default=None
            Where to draw; an array if there is more than one plot. None makes a figure.
        highlight : task name, position or list of these, default=None
            Tasks to shade. The boxes that contain them are outlined; all others are faint.
        labels : {"auto", "all", "none"} or list of task names, default="auto"
            Which tasks to label. "auto" labels what fits: first the highlighted ones and
            what contains them, then the largest.
        spacing : {"auto", "linear", "log", "even"}, default="auto"
            How gaps between neighbouring corners are drawn: "linear" to scale, "log" by
            their logarithms, "even" all alike. Containment and ticks are true in each.
            "auto" is "linear", or "log" where many boxes are too small to be seen.

        Returns
        -------
        self : BoxDisplay
        """
        marked = _inputs.find_tasks(highlight, self.names, "highlight")
        wanted, forced = _inputs.labelled_tasks(labels, self.names)
        corners = Corners(self.boxes, spacing)
        self.dimensions_ = corners.dimension_pairs()
        axes = self._axes(ax)
        around = self._containers(corners, marked)
        looks, entries = group_looks(self.groups, len(self.boxes), marked, around)
        plots = list(zip(axes, self.dimensions_, strict=True))
        self.patches_ = np.array(
            [self._draw(*plot, corners, looks, marked, around) for plot in plots]
        )
        lay_out(axes, self._handles(entries, looks, marked, around), ax is None)
        order = corners.order
        first = [*marked, *order[np.isin(order, around)], *order]
        order = np.array(list(dict.fromkeys(first)))
        labelled = order[np.isin(order, wanted)]
        limits = np.full(len(order), 0 if marked else 4)
        limits[around] = 4
        limits[marked] = len(order)
        names = [shorten(name, 60) for name in self.names]
        style = {"limits": limits, "bold": marked, "forced": forced}
        style["font"] = FONT if len(axes) == 1 else FONT - 1
        self.texts_ = [
            text
            for axis, patches in zip(axes, self.patches_, strict=True)
            for text in label_boxes(axis, patches, names, labelled, **style)
        ]
        return self

    def to_html(
        self, path: str | Path, *, title: str | None = None, spacing: str = "auto"
    ) -> Path:
        """Write a page to explore the boxes in a browser.

        For more tasks than a picture can show: it zooms, finds tasks by name, describes the
        box under the pointer, marks its containers and members, and draws any dimensions.

        Parameters
        ----------
        path : str or path-like
            File to write, of about five megabytes. It makes no requests.
        title : str, default=None
            Title of the page; None makes one of the number of tasks.
        spacing : {"auto", "linear", "log", "even"}, default="auto"
            Scale of the axes. See :meth:`plot`.

        Returns
        -------
        path : Path
        """
        if title is None:
            title = f"{len(self.boxes)} tasks as boxes"
        if not isinstance(title, str):
            raise ValueError(f"title must be a string or None; got {title!r}.")
        corners = Corners(self.boxes, spacing)
        around = [self._containers(corners, [i]) for i in range(len(self.boxes))]
        page, path = make_page(title, corners, self.names, self.groups, around), Path(path)
        # Lone halves of surrogate pairs, in a title, are no text.
        path.write_text(page, encoding="utf-8", errors="replace")
        return path

    def _containers(self, corners, marked):
        """Positions of the tasks that contain a marked one."""
        if self.inside is None:
            found = corners.lower <= corners.lower[marked, None]
            found = (found & (corners.upper >= corners.upper[marked, None])).all(axis=2)
        else:
            found = self.inside[marked].toarray()
        return np.setdiff1d(np.flatnonzero(found.any(axis=0)), marked).tolist()

    def _axes(self, ax):
        n = len(self.dimensions_)
        n_columns = n if n <= 3 else int(np.ceil(np.sqrt(n)))
        size = (5.2 * n_columns, 4.6 * -(-n // n_columns))
        if n == 1:
            size = (9.0, 4.5) if self.boxes.shape[1] == 2 else (8.0, 6.5)
        what = f"the dimensions {', '.join(map(str, self.dimensions_))}"
        return _inputs.set_axes(self, ax, n, what, n_columns, figsize=size)

    def _draw(self, ax, dims, corners, looks, marked, around):
        from matplotlib.colors import to_rgba
        from matplotlib.patches import Rectangle

        order, scales = corners.order, corners.scales
        low, high = corners.lower[:, dims], corners.upper[:, dims]
        scales[dims[0]].apply(ax.xaxis, f"dimension {dims[0]}")
        if len(dims) == 2:
            scales[dims[1]].apply(ax.yaxis, f"dimension {dims[1]}")
        else:
            rows = corners.rows()
            low = np.column_stack([low, -rows - 0.4])
            high = np.column_stack([high, -rows + 0.4])
            ax.set(ylim=(-rows.max() - 0.7, 0.7), yticks=[], ylabel="larger tasks on top")
        # So many layers of paint that the darkest place is still translucent.
        most = max(((low <= c) & (c <= high)).all(axis=1).sum() for c in (low + high) / 2)
        fill = min(0.15, 1 - 0.45 ** (1 / most))
        width = 0.8 if len(order) <= 200 else 0.5
        patches = np.empty(len(order), dtype=object)
        for rank, i in enumerate(order):
            # Large ones behind small ones; what is highlighted before all.
            height = 1 + rank / len(order)
            face, edge, line = fill, 0.8, width
            if i in marked:
                face, edge, line, height = 0.6, 1.0, 2.0, height + 2
            elif i in around:
                edge, line, height = 0.9, 1.8 if len(around) <= 12 else 1.0, height + 1
            elif marked:
                face, edge = fill / 2, 0.35
            colour, dashes, _ = looks[i]
            style = {"facecolor": to_rgba(colour, face), "edgecolor": to_rgba(colour, edge)}
            style |= {"lw": line, "ls": dashes, "zorder": height}
            patches[i] = ax.add_patch(Rectangle(low[i], *(high[i] - low[i]), **style))
        return patches

    def _handles(self, entries, looks, marked, around):
        """Entries of the legend."""
        from matplotlib.colors import to_rgba
        from matplotlib.patches import Patch

        handles = [
            Patch(facecolor=to_rgba(c, 0.2), edgecolor=c, linestyle=line, label=label)
            for label, (c, line, _) in entries
        ]
        plain, one = self.groups is None, len(marked) == 1
        neutral = "#C0C0C0" if is_dark(self.figure_) else "#404040"
        if marked:
            colour = looks[marked[0]].colour if plain or one else neutral
            label = shorten(self.names[marked[0]], 30) if one else "highlighted"
            face = to_rgba(colour, 0.6)
            handles.append(Patch(facecolor=face, edgecolor=colour, lw=2.0, label=label))
        if around:
            colour = looks[around[0]].colour if plain else neutral
            label = "contains it" if one else "contains one of them"
            handles.append(Patch(facecolor="none", edgecolor=colour, lw=1.8, label=label))
        return handles
