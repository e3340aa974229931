"""The predicted hierarchy as a picture."""

from bisect import bisect_right, insort
from itertools import pairwise
from numbers import Integral

import networkx as nx
import numpy as np
from sklearn.isotonic import isotonic_regression

from sklearn_task2box.display.common import (
    FONT,
    GREY,
    LONGEST_LABEL,
    SMALLEST_FONT,
    Palette,
    add_legend,
    check_labels,
    darker,
    import_pyplot,
    is_auto,
    lay_out,
    read_groups,
    shorten,
    split,
    true_strengths,
)
from sklearn_task2box.forms import as_names, some
from sklearn_task2box.relations import task_names

SURPLUS, MISSING = "#D55E00", "#8E44AD"


class HierarchyDisplay:
    """Draw which task lies in which as a graph in layers, containers on top.

    A task is as many layers below the top as the longest chain of containers above it has
    members. The stronger a relation, the darker and wider its line. Tasks without any
    relation stand apart, at the bottom.

    Beside a truth, lines that it does not imply are marked as surplus, and true ones that
    the graph does not imply as missing. Chains count: neither is a line missing which the
    graph goes by way of a third task, nor is one surplus for which the truth does so.

    Parameters
    ----------
    graph : networkx.DiGraph
        Without cycles. An edge u -> v says that u lies inside v; its attribute "weight" is
        how much of u does (1 where it is missing). Best without edges that follow from
        others, as :meth:`BoxRelationEmbedder.to_networkx` makes it.
    groups : array-like of shape (n_tasks,), default=None
        Category of each task, in the order of the nodes, shown as its colour; a Series may
        name the tasks, in any order. The 12 most frequent ones can be told apart; all
        others, and missing ones, are grey.
    truth : networkx.DiGraph or array-like of shape (n_tasks, n_tasks), default=None
        True relations: a graph of the same tasks, read as ``graph`` is, or strengths in
        the order of the nodes, ``truth[i, j]`` reading "task i inside task j". From 0.5 on
        one lies in the other. Where it is NaN, nothing is known, and nothing marked.

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
    missing_ : list of tuple
        Member and container of each true relation that the graph lacks, whether both are
        drawn or not; of relations that follow from others, only these others. Empty
        without a truth.
    surplus_ : list of tuple
        Member and container of each edge that is not true. Empty without a truth.
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

    def __init__(self, graph, groups=None, truth=None):
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
        self.graph = graph
        self.groups = read_groups(groups, list(graph))
        self.truth = None if truth is None else _strengths(truth, list(graph))

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X=None,
        *,
        y=None,
        threshold=None,
        groups=None,
        labels="auto",
        max_tasks=100,
        ax=None,
    ):
        """Draw the hierarchy that a fitted embedder predicts.

        Parameters
        ----------
        estimator : BoxRelationEmbedder, or Pipeline or search that ends in one
            Fitted.
        X : {array-like, sparse matrix, DataFrame} of shape (n_tasks, n_features), \
                default=None
            Tasks to draw, as the estimator takes them; the index of a DataFrame names
            them. None draws those of training.
        y : relations among these tasks, default=None
            The truth that the hierarchy is compared with, in any form that ``fit`` takes;
            strengths from ``threshold`` on count as true. None compares with nothing.
        threshold : float in [0, 1], default=None
            Smallest strength of a line; None takes ``threshold_`` of the embedder.
        groups : array-like of shape (n_tasks,), default=None
            Category of each task, shown as its colour; a Series may name the tasks, in any
            order.
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
        import_pyplot(cls)
        given = None if X is None else task_names(X)
        embedder, X, names = split(estimator, X)
        graph = embedder.to_networkx(X, threshold, reduce=True)
        # Steps before the embedder may have lost the names.
        graph = nx.relabel_nodes(graph, dict(zip(list(graph), names.tolist(), strict=True)))
        truth = None
        if y is not None:
            truth = true_strengths(embedder, X, y, given)
            mark = embedder.threshold_ if threshold is None else threshold
            related = (truth >= mark) & (truth > 0)
            truth = np.where(np.isnan(truth), np.nan, related)
        return cls(graph, groups, truth).plot(ax, labels=labels, max_tasks=max_tasks)

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
        plt = import_pyplot(type(self))
        names = list(self.graph)
        wanted = check_labels(labels, as_names(names, "the nodes of graph"))
        if max_tasks is not None and (
            not isinstance(max_tasks, Integral)
            or isinstance(max_tasks, bool)
            or max_tasks < 1
        ):
            raise ValueError(
                f"max_tasks must be None or a whole number from 1 on; got {max_tasks!r}."
            )
        graph = nx.convert_node_labels_to_integers(self.graph)
        missing, surplus = [], []
        if self.truth is not None:
            missing, surplus = _compare(graph, self.truth)
            graph = _marked(graph, missing, surplus)
        self.missing_ = [(names[i], names[j]) for i, j in missing]
        self.surplus_ = [(names[i], names[j]) for i, j in surplus]
        n_members = _n_members(graph)
        if max_tasks is not None and len(graph) > max_tasks:
            # A container has more members than each of them: none of its own is left out.
            kept = np.argsort(-n_members, kind="stable")[:max_tasks]
            graph = nx.DiGraph(graph.subgraph(kept.tolist()))
        place = _Layout(graph, n_members)

        palette = Palette(self.groups, len(names))
        short = [shorten(name, LONGEST_LABEL) for name in names]
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
        add_legend([ax], handles, own)
        lay_out(ax)
        wanted = set(graph if wanted is None else wanted)
        bands = _Bands(ax, place, short, wanted, n_members, forced=not is_auto(labels))
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
        marks = {mark for *_, mark in graph.edges(data="mark")} - {None}
        for mark in [mark for mark in _MARKS if mark in marks]:
            line = _line(1.0, np.ones(1), mark)
            handles.append(Line2D([], [], **line, label=_MARKS[mark]))
        return handles


# Marks of edges beside a truth, and what the legend says of them.
_MARKS = {
    "surplus": "surplus: not true",
    "missing": "missing: true, not predicted",
    "upside down": "missing, the container below",
}


def _strengths(truth, names):
    """True strengths in the order of the names."""
    if isinstance(truth, nx.DiGraph) and not truth.is_multigraph():
        if set(truth) != set(names):
            other = [name for name in truth if name not in set(names)]
            other += [name for name in names if name not in truth]
            raise ValueError(
                f"truth and graph must have the same tasks; {some(other)} "
                f"{'are' if len(other) > 1 else 'is'} in one of them only."
            )
        return nx.to_numpy_array(truth, nodelist=names)
    truth = np.asarray(truth)
    if truth.shape != (len(names),) * 2 or truth.dtype.kind not in "biuf":
        raise ValueError(
            "truth must be a networkx.DiGraph of the tasks of graph, or an array of the "
            f"shape ({len(names)}, {len(names)}); got an array of {truth.dtype} of shape "
            f"{truth.shape}."
        )
    return truth.astype(float)


def _compare(graph, truth):
    """Missing edges and surplus ones, of a graph on positions."""
    true = nx.DiGraph(np.argwhere(truth >= 0.5).tolist())
    true.add_nodes_from(graph)
    true = nx.transitive_closure(true)
    surplus = [
        (i, j) for i, j in graph.edges if not (true.has_edge(i, j) or np.isnan(truth[i, j]))
    ]
    # Of tasks that contain each other, as predicted, the later one contains the earlier.
    place = {node: k for k, node in enumerate(nx.topological_sort(graph))}
    true.remove_edges_from(
        [
            (i, j)
            for i, j in true.edges
            if i == j or (true.has_edge(j, i) and place[i] > place[j])
        ]
    )
    predicted = nx.transitive_closure_dag(graph)
    missing = [
        edge
        for edge in nx.transitive_reduction(true).edges
        if not predicted.has_edge(*edge)
    ]
    return missing, surplus


def _marked(graph, missing, surplus):
    """The graph with its surplus edges marked, and the missing ones, without cycles."""
    graph = graph.copy()
    nx.set_edge_attributes(graph, dict.fromkeys(surplus, "surplus"), "mark")
    for i, j in missing:
        if graph.has_edge(j, i):
            continue  # drawn already, and marked as surplus: it is the wrong way round
        if nx.has_path(graph, j, i):
            graph.add_edge(j, i, mark="upside down")
        else:
            graph.add_edge(i, j, mark="missing")
    return graph


def _n_members(graph):
    """How many tasks lie in each, directly or not."""
    return np.array([len(nx.ancestors(graph, i)) for i in range(len(graph))])


def _weights(graph):
    """Strengths of the edges predicted."""
    edges = graph.edges(data=True)
    kept = [d for *_, d in edges if d.get("mark") not in ("missing", "upside down")]
    return np.array([_weight(data) for data in kept])


def _weight(data):
    weight = data.get("weight")
    return 1.0 if weight is None else weight


def _line(weight, weights, mark=None):
    """Width, colour and style of the line of a relation, among all those drawn."""
    if mark in ("missing", "upside down"):
        style = (0, (4, 2)) if mark == "missing" else (0, (1, 1.5))
        return {"lw": 1.2, "color": (*_rgb(MISSING), 0.9), "ls": style}
    low, high = weights.min(), weights.max()
    share = (weight - low) / (high - low) if high - low >= 0.01 else 1.0
    rgb = _rgb(SURPLUS) if mark == "surplus" else (0.25, 0.3, 0.35)
    strong = 0.3 if mark == "surplus" else 0.0
    return {
        "lw": 0.5 + 1.0 * share + strong,
        "color": (*rgb, 0.3 + 0.5 * share + strong / 2),
        "ls": "-",
    }


def _rgb(colour):
    from matplotlib.colors import to_rgb

    return to_rgb(colour)


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
        largest = min(FONT, self.unit / self.point / 1.25)
        for font in np.arange(max(largest, SMALLEST_FONT), SMALLEST_FONT - 0.01, -0.5):
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
                    color=darker(palette.colours[i]),
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
        lines = [
            _line(_weight(data), weights, data.get("mark"))
            for *_, data in graph.edges(data=True)
        ]
        ax.add_collection(
            PathCollection(
                [self._path(top, bottom, below) for bottom, top in graph.edges],
                facecolors="none",
                edgecolors=[line["color"] for line in lines],
                linewidths=[thin * line["lw"] for line in lines],
                linestyles=[line["ls"] for line in lines],
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
            ax.axhline(middle, color=GREY, lw=0.6, ls=":")
            count = sum(map(len, self.place.apart))
            note = ax.annotate(
                f"{count} without relations",
                (self.place.left, middle),
                xytext=(0, 1),
                textcoords="offset points",
                fontsize=7,
                color=GREY,
                va="bottom",
            )
            note.set_in_layout(False)

    def _path(self, top, bottom, below):
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
