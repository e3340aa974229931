"""Boxes as pictures."""

from itertools import combinations
from pathlib import Path

import numpy as np
from scipy import sparse

from sklearn_task2box.display.common import (
    COLOURS,
    FONT,
    GREY,
    MOST_TRIED,
    SPACINGS,
    Palette,
    add_legend,
    check_labels,
    check_length,
    darker,
    darker_hex,
    find,
    import_pyplot,
    is_auto,
    lay_out,
    read_groups,
    shorten,
    split,
)
from sklearn_task2box.display.explorer import make_page, scale_of, volumes
from sklearn_task2box.forms import as_names


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
        Category of each task, shown as its colour; a Series may name the tasks, in any
        order. The 12 most frequent ones can be told apart; all others, and missing ones,
        are grey.
    inside : {array-like, sparse array} of bool of shape (n_tasks, n_tasks), default=None
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
        check_length(self.names, len(boxes), "names", "box")
        self.groups = read_groups(groups, self.names)
        if inside is not None:
            if sparse.issparse(inside):
                inside = sparse.csr_array(inside)
            else:
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
        estimator : BoxRelationEmbedder, or Pipeline or search that ends in one
            Fitted.
        X : {array-like, sparse matrix, DataFrame} of shape (n_tasks, n_features), \
                default=None
            Tasks to draw, as the estimator takes them; the index of a DataFrame names
            them. None draws those of training.
        groups : array-like of shape (n_tasks,), default=None
            Category of each task, shown as its colour; a Series may name the tasks, in any
            order.
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
        import_pyplot(cls)
        embedder, X, names = split(estimator, X)
        boxes = embedder.boxes_ if X is None else embedder.transform(X)
        tasks = embedder._tasks(X) if embedder._reads_teachers else boxes
        tasks, n = embedder._asked(tasks), len(boxes)
        marks = np.full(n, embedder.threshold_)
        containers = [at for at, _ in tasks.at_least(tasks, marks, inside=True)]
        ends = np.cumsum([0, *map(len, containers)])
        found = np.ones(ends[-1], dtype=bool), np.concatenate(containers), ends
        display = cls(boxes, names, groups, sparse.csr_array(found, shape=(n, n)))
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
        plt = import_pyplot(type(self))
        marked = find(highlight, self.names, "highlight")
        wanted = check_labels(labels, self.names)
        spacing = self._check_spacing(spacing)
        self.dimensions_ = _pairs(self.boxes.shape[1] // 2)
        own = ax is None
        axes = self._new_axes(plt) if own else self._check_axes(ax)

        palette = Palette(self.groups, len(self.boxes))
        around = self._containers(marked)
        order = np.argsort(-self._log_volumes(), kind="stable")
        scales = [_Scale(corners, spacing) for corners in self._corners()]
        self.patches_ = np.array(
            [
                self._draw(axis, dims, scales, order, palette, marked, around)
                for axis, dims in zip(axes, self.dimensions_, strict=True)
            ]
        )
        add_legend(axes, self._handles(palette, marked, around), own)
        lay_out(axes[0])
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
                [shorten(name, 60) for name in self.names],
                order if wanted is None else order[np.isin(order, wanted)],
                limits=limits,
                bold=marked,
                forced=not is_auto(labels),
                font=FONT if len(axes) == 1 else FONT - 1,
            )
        ]
        self.ax_ = axes[0] if len(axes) == 1 else axes
        self.figure_ = axes[0].figure
        return self

    def to_html(self, path, *, title=None, spacing="auto"):
        """Write a page to explore the boxes in a browser.

        For more tasks than a picture can carry: it zooms, names what is pointed at, its
        volume, what contains it and what it contains, finds tasks by name, and marks what
        contains a task that is clicked, and what it contains. With more than two
        dimensions, the two that are drawn can be chosen.

        Parameters
        ----------
        path : str or path-like
            File to write, replaced if it is there. It holds all it needs (about five
            megabytes, which are plotly's), and asks nothing of the network.
        title : str, default=None
            Title of the page; None says how many tasks there are.
        spacing : {"auto", "linear", "log", "even"}, default="auto"
            Scale of the axes. See :meth:`plot`.

        Returns
        -------
        path : Path
            The file.

        Raises
        ------
        ValueError
            If a parameter is not usable.
        ImportError
            If plotly is not installed.

        Examples
        --------
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> from sklearn_task2box.display import BoxDisplay
        >>> display = BoxDisplay([[0, 0, 9, 9], [1, 1, 4, 4]], ["animal", "dog"])
        >>> with TemporaryDirectory() as folder:
        ...     display.to_html(Path(folder) / "boxes.html").name
        'boxes.html'
        """
        spacing = self._check_spacing(spacing)
        if title is None:
            title = f"{len(self.boxes)} tasks as boxes"
        if not isinstance(title, str):
            raise ValueError(f"title must be a string or None; got {title!r}.")
        path = Path(path)
        page = make_page(self._explored(spacing), title)
        # Lone halves of surrogate pairs, in a title, are no text.
        path.write_text(page, encoding="utf-8", errors="replace")
        return path

    # -- what to draw ------------------------------------------------------------------
    def _explored(self, spacing):
        """What the page knows of the boxes."""
        log_volumes = self._log_volumes()
        lower, upper = self._halves()
        flat = (lower == upper).any(axis=1)
        order = np.argsort(-log_volumes, kind="stable")
        rank = np.empty(len(order), dtype=int)
        rank[order] = np.arange(len(order))
        scales = []
        for k, (low, high) in enumerate(self._corners()):
            values, title, marks = np.unique([low, high]), f"dimension {k}", None
            if spacing != "linear" and len(values) > 1:
                marks = _Scale(values, spacing).marks
                title += f" ({spacing} gaps)"
            scales.append({"title": title, **scale_of(values, low, high, marks)})
        if len(scales) == 1:
            (low, high) = self._corners()[0]
            rows = -_rows(low, high, order)
            ends = np.unique([rows - 0.4, rows + 0.4])
            bars = scale_of(ends, rows - 0.4, rows + 0.4)
            scales.append({"title": "larger tasks on top", "bare": True, **bars})
        palette = Palette(self.groups, len(self.boxes))
        looks = list(zip(palette.colours, palette.styles, strict=True))
        entries = [(str(label), (c, style)) for label, c, style in palette.entries]
        entries = entries or [("", looks[0])]
        kinds = [look for _, look in entries]
        group = [kinds.index(look) for look in looks]
        return {
            "names": [str(name) for name in self.names],
            "n_dimensions": self.boxes.shape[1] // 2,
            "scales": scales,
            "grouped": self.groups is not None,
            "groups": [
                {
                    "label": label,
                    "colour": colour,
                    "dark": darker_hex(colour),
                    "dash": _DASHES[style[0]],
                }
                for label, (colour, style) in entries
            ],
            "group": group,
            "members": [
                np.flatnonzero(np.array(group) == g).tolist() for g in range(len(entries))
            ],
            "sizes": volumes(np.where(flat, -np.inf, log_volumes)),
            "rank": rank.tolist(),
            # The smallest container first.
            "around": [
                sorted(self._containers([i]), key=lambda j: -rank[j])
                for i in range(len(rank))
            ],
        }

    def _corners(self):
        """Lower and upper coordinates, per dimension."""
        return [np.stack(pair) for pair in zip(*(p.T for p in self._halves()), strict=True)]

    def _halves(self):
        return np.hsplit(self.boxes, 2)

    def _log_volumes(self):
        lower, upper = self._halves()
        return np.log(np.maximum(upper - lower, np.finfo(float).tiny)).sum(axis=1)

    def _check_spacing(self, spacing):
        if not isinstance(spacing, str) or spacing not in SPACINGS:
            raise ValueError(f"spacing must be one of {SPACINGS}; got {spacing!r}.")
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
            found = found.toarray() if sparse.issparse(found) else found
        else:
            lower, upper = self._halves()
            found = (lower <= lower[marked, None]) & (upper >= upper[marked, None])
            found = found.all(axis=2)
        return np.setdiff1d(np.flatnonzero(found.any(axis=0)), marked).tolist()

    def _new_axes(self, plt):
        n = len(self.dimensions_)
        n_columns = n if n <= 3 else int(np.ceil(np.sqrt(n)))
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
                colour = COLOURS[1] if i in marked else colour if i in around else GREY
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
            colour = COLOURS[1] if plain else palette.colours[marked[0]] if one else dark
            label = shorten(self.names[marked[0]], 30) if one else "highlighted"
            face = to_rgba(colour, 0.6)
            handles.append(Patch(facecolor=face, edgecolor=colour, lw=2.0, label=label))
        if around:
            colour = COLOURS[0] if plain else dark
            label = "contains it" if one else "contains one of them"
            handles.append(Patch(facecolor="none", edgecolor=colour, lw=1.8, label=label))
        return handles


_DASHES = {"-": "solid", "--": "dash"}  # matplotlib's styles as plotly calls them


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
    for i in order if forced else order[:MOST_TRIED]:
        text = ax.annotate(
            names[i],
            (0, 0),
            xytext=(0, 0),
            textcoords="offset points",
            fontsize=font,
            fontweight="bold" if i in bold else "normal",
            color=darker(patches[i].get_edgecolor()),
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
