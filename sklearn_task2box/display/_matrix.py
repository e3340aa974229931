"""RelationMatrixDisplay: predicted beside true strengths, as heat maps."""

from typing import Any, Self

import networkx as nx
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from sklearn_task2box.display import _inputs, _looks
from sklearn_task2box.relations._names import positions_of
from sklearn_task2box.utils._typing import Axes, Features, Labels, Names, Relations

UNKNOWN, DIAGONAL = "#F2CF9B", "#9A9A9A"  # neither is a shade of the colour map


class RelationMatrixDisplay:
    """Draw predicted beside true strengths as heat maps.

    The cell in row i and column j is the share of task i that lies inside task j. Rows and
    columns stand in one order, by default that of the hierarchy, depth first: what lies
    inside a task stands just after it, a dark stripe in its column below the diagonal.

    Parameters
    ----------
    predicted : array-like of shape (n_tasks, n_tasks)
        ``predicted[i, j]`` in [0, 1] reads "task i inside task j". NaN where unknown.
    true : array-like of shape (n_tasks, n_tasks), default=None
        The same in truth. None draws the predicted ones alone. DataFrames whose index and
        columns are the names, in any order, are put into the order of ``names``.
    names : array-like of shape (n_tasks,), default=None
        Names of the tasks, each different; None takes the index of a DataFrame, or numbers.
    threshold : float in [0, 1], default=0.5
        Strength from which the order counts a task as inside another.

    Attributes
    ----------
    ax_ : matplotlib Axes or ndarray of two Axes
        Where the heat maps are: predicted, then true.
    figure_ : matplotlib Figure
    images_ : list of AxesImage
    colorbar_ : matplotlib Colorbar
    order_ : ndarray of int of shape (n_tasks,)
        Which task stands in each row and column.
    ordered_by_ : {"true", "predicted", "given"}
        What the order was made of.

    Raises
    ------
    ValueError, NotFittedError
        If arguments are not usable, or an estimator is not fitted.

    See Also
    --------
    HierarchyDisplay : Related tasks alone, as a graph.

    Examples
    --------
    >>> from sklearn_task2box.display import RelationMatrixDisplay
    >>> true = [[1, 1, 1], [0, 1, 0], [0, 1, 1]]
    >>> predicted = [[1.0, 0.9, 0.8], [0.1, 1.0, 0.2], [0.0, 0.7, 1.0]]
    >>> names = ["poodle", "animal", "dog"]
    >>> display = RelationMatrixDisplay(predicted, true, names).plot()
    >>> display.names[display.order_]
    array(['animal', 'dog', 'poodle'], dtype=object)
    """

    def __init__(
        self,
        predicted: ArrayLike,
        true: Names = None,
        names: Names = None,
        threshold: float = 0.5,
    ) -> None:
        if names is None and isinstance(predicted, pd.DataFrame):
            names = predicted.index
        self.predicted = _read_strengths(predicted, names, "predicted")
        n = len(self.predicted)
        self.true = None if true is None else _read_strengths(true, names, "true")
        if self.true is not None and len(self.true) != n:
            raise ValueError(
                f"predicted and true must be of the same tasks; got {n} and "
                f"{len(self.true)} of them."
            )
        self.names = _inputs.read_names(names, n, "task")
        if isinstance(threshold, bool) or not 0 <= threshold <= 1:
            raise ValueError(f"threshold must be a number in [0, 1]; got {threshold!r}.")
        self.threshold = threshold

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Features | None = None,
        y: Relations = None,
        *,
        order: str = "auto",
        labels: Labels = "auto",
        cmap: Any = "Blues",
        ax: Axes = None,
    ) -> Self:
        """Draw what a fitted model predicts, beside the truth.

        Parameters
        ----------
        estimator : fitted RelationModel, or Pipeline or search that ends in one
        X : array-like of shape (n_tasks, n_features), default=None
            Tasks to draw, named by the index of a DataFrame. None draws those of training.
        y : relations among these tasks, default=None
            The truth, in any input format of ``fit``. If X is None, that of training.
        order, labels, cmap, ax
            See :meth:`plot`.

        Returns
        -------
        display : RelationMatrixDisplay
            Its ``threshold`` is ``threshold_`` of the model.
        """
        model, X, names = _inputs.fitted_model(cls, estimator, X)
        true = _inputs.true_strengths(model, X, y, names)
        threshold = np.clip(model.threshold_, 0, 1)
        display = cls(model.pairwise_strengths(X), true, names, threshold)
        return display.plot(ax, order=order, labels=labels, cmap=cmap)

    def plot(
        self,
        ax: Axes = None,
        *,
        order: str = "auto",
        labels: Labels = "auto",
        cmap: Any = "Blues",
    ) -> Self:
        """Draw the heat maps.

        Parameters
        ----------
        ax : matplotlib Axes or array-like of two Axes, default=None
            Where to draw; two where there is a truth. None makes a figure.
        order : {"auto", "true", "predicted", "given"}, default="auto"
            Order of rows and columns: that of the true or of the predicted hierarchy, or
            the one given. "auto" is "true" with a true relation, else "predicted".
        labels : {"auto", "all", "none"} or list of task names, default="auto"
            Which tasks to label. "auto" labels what fits, those that contain most first.
        cmap : str or matplotlib Colormap, default="Blues"
            Colours of strengths from 0 to 1. Unknown pairs are sandy, the diagonal grey.

        Returns
        -------
        self : RelationMatrixDisplay
        """
        wanted, forced = _inputs.labelled_tasks(labels, self.names)
        _inputs.check_option(order, ("auto", "true", "predicted", "given"), "order")
        if order == "true" and self.true is None:
            raise ValueError("order='true' needs true strengths; there are none.")
        maps = {"predicted": self.predicted, "true": self.true}
        maps = {kind: table for kind, table in maps.items() if table is not None}
        n = len(self.predicted)
        off, least = ~np.eye(n, dtype=bool), max(self.threshold, np.finfo(float).tiny)
        inside = {
            kind: off & (np.nan_to_num(table) >= least) for kind, table in maps.items()
        }
        if order == "auto":
            order = "true" if "true" in inside and inside["true"].any() else "predicted"
        self.ordered_by_ = order
        self.order_ = np.arange(n) if order == "given" else containment_order(inside[order])
        n_members = inside.get(order, inside["predicted"]).sum(axis=0)[self.order_]

        # Cells and names get smaller as tasks get more, but not as much smaller.
        side = np.clip(0.035 * n, 5.2, 10.0)
        # Of axes of a fixed aspect, "constrained" does not settle.
        looks = {"figsize": (len(maps) * (side - 1.2) + 2.4, side), "layout": "compressed"}
        what = f"{' and '.join(maps)} strengths"
        axes = _inputs.set_axes(self, ax, len(maps), what, len(maps), **looks)
        self.images_ = [
            self._draw(axis, kind, strengths, cmap)
            for axis, (kind, strengths) in zip(axes, maps.items(), strict=True)
        ]
        axes[0].set_ylabel("member")
        self._add_colorbar(axes, any(np.isnan(table[off]).any() for table in maps.values()))
        self._label(axes, n_members, wanted, forced)
        return self

    def _draw(self, ax, title, strengths, cmap):
        from matplotlib.colors import ListedColormap

        ordered = np.ma.masked_invalid(strengths[np.ix_(self.order_, self.order_)])
        # Strengths are not to be mixed with what is unknown: colours are.
        looks = {"interpolation": "antialiased", "interpolation_stage": "rgba"}
        image = ax.imshow(ordered, cmap=cmap, vmin=0, vmax=1, **looks)
        image.set_cmap(image.cmap.with_extremes(bad=UNKNOWN))
        diagonal = np.where(np.eye(len(strengths)), 1.0, np.nan)
        ax.imshow(diagonal, cmap=ListedColormap([DIAGONAL]), interpolation_stage="rgba")
        ax.spines[:].set_color("#B0B0B0")
        ax.set_title(title, fontsize=10)
        ax.set_xlabel("container")
        return image

    def _add_colorbar(self, axes, some_unknown):
        from matplotlib.patches import Patch

        place = {"ax": list(axes), "fraction": 0.05, "pad": 0.02, "shrink": 0.8}
        self.colorbar_ = self.figure_.colorbar(self.images_[0], **place)
        self.colorbar_.outline.set_visible(False)
        ink = "white" if _looks.is_dark(self.figure_) else "black"
        self.colorbar_.ax.tick_params(colors=ink)
        self.colorbar_.set_label("share of the row's task inside the column's", color=ink)
        if some_unknown:
            handles = [Patch(facecolor=UNKNOWN, label="unknown")]
            place = {"loc": "lower left", "bbox_to_anchor": (-0.4, 1.02), "handlelength": 1}
            _looks.add_legend(self.colorbar_.ax, handles, on=self.figure_, **place)

    def _label(self, axes, n_members, wanted, forced):
        """Name rows, and columns, as far as there is room."""
        names = [_looks.shorten(self.names[i]) for i in self.order_]
        n = len(names)
        places = np.flatnonzero(np.isin(self.order_, wanted))
        longest = sorted(places, key=lambda k: -len(names[k]))[:1]
        looks = _looks.PLAIN | {"fontsize": _looks.SMALLEST_FONT if n > 60 else _looks.FONT}
        for ax in axes:  # the room that the names leave decides how many there are
            ax.set_xticks(longest, [names[k] for k in longest], rotation=90, **looks)
            ax.set_yticks(longest, [names[k] for k in longest], **looks)
            ax.tick_params(length=2, pad=1.5, color="#B0B0B0")
        _looks.lay_out(axes)
        row = axes[0].get_window_extent().height * 72 / axes[0].figure.dpi / n
        looks["fontsize"] = np.clip(row / 1.2, _looks.SMALLEST_FONT, _looks.FONT)
        if not forced:
            kept = []
            for k in sorted(places, key=lambda k: (-n_members[k], k)):
                if all(abs(k - other) * row >= 1.15 * looks["fontsize"] for other in kept):
                    kept.append(k)
            places = np.sort(np.array(kept, dtype=int))
        texts = [names[k] for k in places]
        for ax in axes:
            ax.set_xticks(places, texts, rotation=90, **looks)
            ax.set_yticks(places, texts if ax is axes[0] else [], **looks)


def containment_order(inside):
    """Positions of tasks, depth first, each below its smallest container and after all.

    Of two tasks inside each other, the larger or else the first one is the container.
    """
    inside = np.array(inside, dtype=bool)
    np.fill_diagonal(inside, False)
    largest = np.argsort(-inside.sum(axis=0), kind="stable")
    rank = np.argsort(largest)
    inside &= rank[None, :] < rank[:, None]
    # Containers of each task, the largest first.
    around = [sorted(np.flatnonzero(row).tolist(), key=rank.item) for row in inside]
    # Graphs are searched in the order in which they are filled.
    forest = nx.DiGraph([((around[i] or ["root"])[-1], i) for i in largest.tolist()])
    downwards = list(nx.dfs_preorder_nodes(forest, "root"))[1:]
    upwards = nx.DiGraph({i: around[i] for i in downwards})
    return np.array(list(nx.dfs_postorder_nodes(upwards)), dtype=int)


def _read_strengths(table, names, what):
    """A square array of strengths, in the order of names where these label the table."""
    if names is not None and isinstance(table, pd.DataFrame):
        rows, columns = (positions_of(names, labels) for labels in table.axes)
        if len(table) == len(names) and (np.append(rows, columns) >= 0).all():
            table = table.iloc[rows, columns]
    strengths = np.asarray(table, dtype=float)
    n = len(strengths) if strengths.ndim else 0
    if not n or strengths.shape != (n, n):
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
