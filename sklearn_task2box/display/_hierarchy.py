"""HierarchyDisplay: which task lies in which, as a graph."""

from numbers import Integral
from typing import Any, Self

import networkx as nx
import numpy as np

from sklearn_task2box.display import _inputs
from sklearn_task2box.display._bands import Bands
from sklearn_task2box.display._layers import Layers
from sklearn_task2box.display._looks import group_looks, is_dark, lay_out, shorten
from sklearn_task2box.relations._names import as_names, some
from sklearn_task2box.utils._optional import import_optional
from sklearn_task2box.utils._typing import Axes, Features, Labels, Names, Relations

SURPLUS, MISSING = "#D55E00", "#8E44AD"
# Entry in the legend, colour and style of edges that are marked beside a truth.
MARKS = {
    "surplus": ("surplus: not true", SURPLUS, "-"),
    "missing": ("missing: true, not predicted", MISSING, (0, (4, 2))),
    "upside down": ("missing, the container below", MISSING, (0, (1, 1.5))),
}


class HierarchyDisplay:
    """Draw which task lies in which as a graph in layers, containers on top.

    The layer of a task is the length of the longest chain of containers above it; tasks
    without relations stand at the bottom. Stronger relations have darker and wider lines.
    Beside a truth, edges that are not in its transitive closure are marked as surplus, and
    true ones that are not in that of the graph as missing.

    Parameters
    ----------
    graph : networkx.DiGraph
        Without cycles, and best without edges that follow from others, as ``to_networkx``
        of a relation model makes it. An edge u -> v means that u lies inside v; its
        attribute "weight" is the share of u that does, 1 by default.
    groups : array-like of shape (n_tasks,), default=None
        Category of each task, in the order of the nodes, as in :class:`BoxDisplay`.
    truth : networkx.DiGraph or array-like of shape (n_tasks, n_tasks), default=None
        True relations: a graph of the same tasks, read as ``graph`` is, or the strength of
        "task i inside task j", ``truth[i, j]``, in the order of the nodes. From 0.5 on one
        lies in the other. A pair that is NaN is unknown, and not marked.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    layers_ : list of list
        The tasks drawn, layer by layer from the top, each from left to right.
    isolated_ : list
        The tasks drawn that have no relation.
    missing_ : list of tuple
        Member and container of each true relation that the graph lacks, drawn or not;
        of relations that follow from others, only these others.
    surplus_ : list of tuple
        Member and container of each edge that is not true. Both are empty without a truth.
    texts_ : list of Text
        The labels drawn.

    Raises
    ------
    ValueError, NotFittedError
        If arguments are not usable, or an estimator is not fitted.

    See Also
    --------
    BoxDisplay : The boxes themselves.

    Examples
    --------
    >>> import networkx as nx
    >>> from sklearn_task2box.display import HierarchyDisplay
    >>> graph = nx.DiGraph([("dog", "animal"), ("cat", "animal"), ("poodle", "dog")])
    >>> display = HierarchyDisplay(graph).plot()
    >>> display.layers_
    [['animal'], ['dog', 'cat'], ['poodle']]
    """

    def __init__(self, graph: nx.DiGraph, groups: Names = None, truth: Any = None) -> None:
        if not isinstance(graph, nx.DiGraph) or graph.is_multigraph():
            raise ValueError(
                "graph must be a networkx.DiGraph, as to_networkx of a relation model "
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
        self.groups = _inputs.read_groups(groups, list(graph))
        self.truth = None if truth is None else _strengths(truth, list(graph))

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Features | None = None,
        *,
        y: Relations = None,
        threshold: float | None = None,
        groups: Names = None,
        labels: Labels = "auto",
        max_tasks: int = 100,
        ax: Axes = None,
    ) -> Self:
        """Draw the hierarchy that a fitted model predicts.

        Parameters
        ----------
        estimator : fitted RelationModel, or Pipeline or search that ends in one
        X : array-like of shape (n_tasks, n_features), default=None
            Tasks to draw, named by the index of a DataFrame. None draws those of training.
        y : relations among these tasks, default=None
            The truth, in any input format of ``fit``, true from ``threshold`` on.
        threshold : float in [0, 1], default=None
            Smallest strength of a line; None takes ``threshold_`` of the model.
        groups, labels, max_tasks, ax
            See :class:`HierarchyDisplay` and :meth:`plot`.

        Returns
        -------
        display : HierarchyDisplay
        """
        model, X, names = _inputs.fitted_model(cls, estimator, X)
        graph = model.to_networkx(X, threshold, reduce=True)
        if names is not None:  # steps before the model may have lost them
            graph = nx.relabel_nodes(graph, dict(zip(graph, names.tolist(), strict=True)))
        if y is not None:
            strengths = _inputs.true_strengths(model, X, y, names)
            least = model.threshold_ if threshold is None else threshold
            related = (strengths >= least) & (strengths > 0)
            y = np.where(np.isnan(strengths), np.nan, related)
        return cls(graph, groups, y).plot(ax, labels=labels, max_tasks=max_tasks)

    def plot(
        self, ax: Axes = None, *, labels: Labels = "auto", max_tasks: int = 100
    ) -> Self:
        """Draw the graph.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None makes a figure that is as large as the graph needs.
        labels : {"auto", "all", "none"} or list of task names, default="auto"
            Which tasks to label. "auto" labels what fits, those that contain most first.
        max_tasks : int or None, default=100
            Draw no more than these: the tasks that contain most others. None draws all.

        Returns
        -------
        self : HierarchyDisplay
        """
        import_optional("matplotlib", type(self).__name__)
        names = list(self.graph)
        nodes = as_names(names, "the nodes of graph")
        wanted, forced = _inputs.labelled_tasks(labels, nodes)
        most = len(names) if max_tasks is None else max_tasks
        if isinstance(most, bool) or not isinstance(most, Integral) or most < 1:
            raise ValueError(
                f"max_tasks must be None or a whole number from 1 on; got {max_tasks!r}."
            )
        graph = nx.convert_node_labels_to_integers(self.graph)
        missing, surplus = _compare(graph, self.truth)
        graph = _marked(graph, missing, surplus)
        self.missing_ = [(names[i], names[j]) for i, j in missing]
        self.surplus_ = [(names[i], names[j]) for i, j in surplus]
        n_members = np.array([len(nx.ancestors(graph, i)) for i in range(len(graph))])
        if len(graph) > most:
            # A container has more members than each of them: none of its own is left out.
            kept = np.argsort(-n_members, kind="stable")[:most]
            graph = nx.DiGraph(graph.subgraph(kept.tolist()))
        place = Layers(graph, n_members)

        looks, entries = group_looks(self.groups, len(names))
        short = [shorten(name) for name in names]
        axes = _inputs.set_axes(self, ax, 1, "the graph")
        self.ax_.set_axis_off()
        lines, handles = _lines(graph, entries, is_dark(self.ax_))
        if ax is None:
            size = place.figure_size([short[i] for i in graph], bool(handles))
            self.figure_.set_size_inches(*size)
        title = "" if place.n_layers else "no relations"
        if len(graph) < len(names):
            title = f"{len(graph)} of {len(names)} tasks, those that contain most"
        self.ax_.set_title(title, fontsize=10)
        lay_out(axes, handles, ax is None)
        wanted = set(wanted.tolist()) & set(graph)
        bands = Bands(self.ax_, place, short, wanted, n_members, forced)
        self.texts_ = bands.draw(list(graph.edges), lines, looks)
        rows = [[names[i] for i in row] for row in place.rows]
        self.layers_ = rows[: place.n_layers]
        self.isolated_ = [name for row in rows[place.n_layers :] for name in row]
        return self


def _strengths(truth, names):
    """True strengths in the order of the names."""
    if isinstance(truth, nx.DiGraph) and not truth.is_multigraph():
        known = set(names)
        other = [name for name in (*truth, *names) if not (name in known and name in truth)]
        if other:
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
    """Missing edges and surplus ones, of a graph on positions; none without a truth."""
    if truth is None:
        return [], []
    true = nx.from_numpy_array(truth >= 0.5, create_using=nx.DiGraph)
    true = nx.transitive_closure(true)
    surplus = [e for e in graph.edges if not (np.isnan(truth[e]) or true.has_edge(*e))]
    # Of tasks that contain each other, as predicted, the later one contains the earlier.
    place = {node: k for k, node in enumerate(nx.topological_sort(graph))}
    back = [(i, j) for i, j in true.edges if true.has_edge(j, i) and place[i] >= place[j]]
    true.remove_edges_from(back)
    predicted = nx.transitive_closure_dag(graph)
    needed = nx.transitive_reduction(true).edges
    return [edge for edge in needed if not predicted.has_edge(*edge)], surplus


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


def _lines(graph, entries, dark):
    """Looks of the line of each edge, and the entries of the legend."""
    from matplotlib.lines import Line2D

    marks = [mark for *_, mark in graph.edges(data="mark")]
    weights = np.array([1.0 if w is None else w for *_, w in graph.edges(data="weight")])
    predicted = weights[[mark in (None, "surplus") for mark in marks]]
    low, high = (predicted.min(), predicted.max()) if len(predicted) else (1.0, 1.0)
    uneven = high - low >= 0.01
    shares = (weights - low) / (high - low) if uneven else np.ones(len(weights))
    lines = [_line(mark, share, dark) for mark, share in zip(marks, shares, strict=True)]
    handles = [
        Line2D([], [], color=c, marker=marker, ls="none", ms=5, label=label)
        for label, (c, _, marker) in entries
    ]
    strengths = ((high, 1.0), (low, 0.0)) if uneven else ()
    legend = [(f"strength {w:.2f}", _line(None, share, dark)) for w, share in strengths]
    legend += [(MARKS[mark][0], _line(mark, 1.0, dark)) for mark in MARKS if mark in marks]
    return lines, handles + [Line2D([], [], **line, label=text) for text, line in legend]


def _line(mark, share, dark):
    """Width, colour and style of a line, from the weakest (0) to the strongest (1)."""
    from matplotlib.colors import to_rgba

    _, colour, style = MARKS.get(mark, ("", "#C0B8B0" if dark else "#404D59", "-"))
    if colour == MISSING:
        return {"lw": 1.2, "color": to_rgba(colour, 0.9), "ls": style}
    strong = 0.3 if mark == "surplus" else 0.0
    opacity = 0.3 + 0.5 * share + strong / 2
    return {"lw": 0.5 + share + strong, "color": to_rgba(colour, opacity), "ls": style}
