"""HierarchyDisplay: layers, lines, marks beside a truth, and errors for bad input."""

from itertools import chain

import matplotlib.pyplot as plt
import networkx as nx
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb

from sklearn_task2box.display import HierarchyDisplay
from sklearn_task2box.display._hierarchy import SURPLUS

from .drawn import extents, legend_of, n_overlaps, texts_of


def make_dag(n=40, n_edges=70, seed=0):
    rng = np.random.RandomState(seed)
    graph = nx.DiGraph()
    graph.add_nodes_from(f"task {i}" for i in range(n))
    for _ in range(n_edges):
        u, v = sorted(rng.choice(n - 5, 2, replace=False), reverse=True)
        graph.add_edge(f"task {u}", f"task {v}", weight=rng.uniform(0.5, 1))
    return graph


def test_layers_are_longest_chains_of_containers(ax):
    graph = make_dag()
    display = HierarchyDisplay(graph).plot(ax)
    level = {task: k for k, layer in enumerate(display.layers_) for task in layer}
    for task in level:
        above = [level[container] for container in graph.successors(task)]
        assert level[task] == max(above, default=-1) + 1
    assert set(display.isolated_) == set(nx.isolates(graph))
    assert {*level, *display.isolated_} == set(graph)
    assert "without relations" in " ".join(texts_of(display.ax_.texts))


def lines_of(display):
    (lines,) = display.ax_.collections[:1]
    return lines


def test_containers_are_drawn_above_members(ax):
    graph = make_dag()
    display = HierarchyDisplay(graph).plot(ax, labels="none")
    lines = lines_of(display)
    assert len(lines.get_paths()) == graph.number_of_edges()
    for path in lines.get_paths():
        places = display.ax_.transData.transform(path.vertices)[:, 1]
        assert (np.diff(places) <= 0).all()


def test_stronger_relations_have_wider_and_darker_lines(ax):
    graph = make_dag()
    display = HierarchyDisplay(graph).plot(ax)
    weights = [w for *_, w in graph.edges(data="weight")]
    lines = lines_of(display)
    assert (np.argsort(lines.get_linewidths()) == np.argsort(weights)).all()
    assert (np.argsort(lines.get_edgecolors()[:, 3]) == np.argsort(weights)).all()
    legend = [f"strength {max(weights):.2f}", f"strength {min(weights):.2f}"]
    assert legend_of(display) == legend


def test_a_tree_has_no_crossings_and_its_labels_do_not_overlap():
    tree = nx.DiGraph((f"task {i}", f"task {(i - 1) // 3}") for i in range(1, 60))
    display = HierarchyDisplay(tree).plot()
    for above, below in zip(display.layers_[:-1], display.layers_[1:], strict=True):
        places = [above.index(next(tree.successors(task))) for task in below]
        assert places == sorted(places)
    assert len(display.texts_) == len(tree)
    assert n_overlaps(extents(display.texts_, display.figure_)) == 0


@pytest.mark.parametrize("size", [(3, 2), (6, 4), (12, 8)])
def test_labels_do_not_overlap_in_given_axes(size):
    _, ax = plt.subplots(figsize=size)
    display = HierarchyDisplay(make_dag()).plot(ax)
    assert display.ax_ is ax
    assert n_overlaps(extents(display.texts_, ax.figure)) == 0
    if size == (12, 8):
        assert len(display.texts_) > 30


@pytest.mark.parametrize("fixture", ["embedder", "boxless", "distilled"])
def test_graph_is_that_of_the_model(fixture, request, named_taxonomy, ax):
    model = request.getfixturevalue(fixture)
    display = HierarchyDisplay.from_estimator(model, groups=[0, 1] * 20, ax=ax)
    assert nx.utils.graphs_equal(display.graph, model.to_networkx())
    assert {"0", "1"} <= set(legend_of(display))
    X = named_taxonomy[0].iloc[:9]
    strict = HierarchyDisplay.from_estimator(model, X, threshold=1.0, ax=ax)
    assert nx.utils.graphs_equal(strict.graph, model.to_networkx(X, 1.0))


def test_pipeline_keeps_names_that_a_step_loses(pipeline, named_taxonomy, ax):
    X = named_taxonomy[0].iloc[4:14]
    display = HierarchyDisplay.from_estimator(pipeline, X, ax=ax)
    assert list(display.graph) == X.index.tolist()


def test_a_series_of_groups_names_the_tasks():
    groups = pd.Series(["pet", "dog", "cat"], index=["a", "b", "c"])
    assert list(HierarchyDisplay(nx.DiGraph([("c", "a")]), groups).groups) == ["cat", "pet"]


@pytest.mark.parametrize(
    ("labels", "expected"),
    [("all", ["a", "b", "c"]), ("none", []), (["c"], ["c"]), (np.array(["c"]), ["c"])],
)
def test_which_labels(labels, expected, ax):
    display = HierarchyDisplay(nx.DiGraph([("b", "a"), ("c", "a")])).plot(ax, labels=labels)
    assert sorted(texts_of(display.texts_)) == expected


def test_max_tasks_keeps_those_that_contain_most(ax):
    tree = nx.DiGraph((f"task {i}", f"task {(i - 1) // 3}") for i in range(1, 60))
    display = HierarchyDisplay(tree).plot(ax, max_tasks=13)
    assert {*chain(*display.layers_)} == {f"task {i}" for i in range(13)}
    assert display.ax_.get_title() == "13 of 60 tasks, those that contain most"
    everything = HierarchyDisplay(tree).plot(ax, max_tasks=None)
    assert len(list(chain(*everything.layers_))) == 60
    assert everything.ax_.get_title() == ""


def test_graphs_without_relations_with_tuples_and_a_path(ax):
    alone = nx.empty_graph(30, create_using=nx.DiGraph)
    display = HierarchyDisplay(alone).plot(ax)
    assert display.layers_ == []
    assert display.isolated_ == list(range(30))
    assert len(display.texts_) == 30
    grid = HierarchyDisplay(nx.DiGraph([((0, 1), (0, 0)), ("a", (0, 0))])).plot(ax)
    assert sorted(texts_of(grid.texts_)) == ["(0, 0)", "(0, 1)", "a"]
    path = HierarchyDisplay(nx.path_graph(4, nx.DiGraph)).plot(ax)
    assert path.layers_ == [[3], [2], [1], [0]]


def make_compared():
    """A graph and a truth: b is in another task, d missing, and e the wrong way round."""
    graph = nx.DiGraph([("a", "top"), ("b", "a"), ("c", "top"), ("top2", "e")])
    graph.add_node("d")
    truth = nx.DiGraph([("a", "top"), ("b", "c"), ("c", "top"), ("d", "c"), ("e", "top2")])
    return graph, truth


def marks_of(display):
    styles = {"surplus": 0, "missing": 0, "right": 0}
    for colour, (_, dashes) in zip(
        lines_of(display).get_edgecolors(), lines_of(display).get_linestyles(), strict=True
    ):
        surplus = np.allclose(colour[:3], to_rgb(SURPLUS))
        styles["surplus" if surplus else "missing" if dashes else "right"] += 1
    return styles


def test_missing_and_surplus_edges_are_marked(ax):
    graph, truth = make_compared()
    display = HierarchyDisplay(graph, truth=truth).plot(ax)
    assert set(display.missing_) == {("b", "c"), ("d", "c"), ("e", "top2")}
    assert set(display.surplus_) == {("b", "a"), ("top2", "e")}
    # That e is in top2 shows in the edge the other way round.
    assert marks_of(display) == {"surplus": 2, "missing": 2, "right": 2}
    legend = legend_of(display)
    assert legend == ["surplus: not true", "missing: true, not predicted"]
    assert display.isolated_ == []  # d stands below c, where it belongs
    assert set(display.layers_[2]) == {"b", "d"}
    assert list(display.graph.edges) == list(graph.edges)  # left as it was


def test_without_a_truth_nothing_is_marked(ax):
    display = HierarchyDisplay(make_compared()[0]).plot(ax)
    assert display.missing_ == display.surplus_ == []
    assert marks_of(display) == {"surplus": 0, "missing": 0, "right": 4}


def test_truth_as_a_matrix_with_unknown_pairs(ax):
    graph, truth = make_compared()
    strengths = nx.to_numpy_array(truth, nodelist=list(graph))
    same = HierarchyDisplay(graph, truth=strengths).plot(ax)
    assert marks_of(same) == {"surplus": 2, "missing": 2, "right": 2}
    unknown = np.where(strengths == 1, 1.0, np.nan)
    display = HierarchyDisplay(graph, truth=unknown).plot(ax)
    assert display.surplus_ == []
    assert ("d", "c") in display.missing_


def test_what_follows_from_others_is_neither_missing_nor_surplus(ax):
    chain_ = nx.DiGraph([("c", "b"), ("b", "a")])
    short = nx.DiGraph([("c", "a"), ("b", "a")])
    closed = nx.transitive_closure(chain_)
    for graph, truth in ((chain_, closed), (short, closed), (short, chain_)):
        display = HierarchyDisplay(graph, truth=truth).plot(ax)
        assert display.surplus_ == []
        assert display.missing_ == ([] if graph is chain_ else [("c", "b")])


def test_truth_with_tasks_that_contain_each_other(ax):
    same = nx.DiGraph([("a", "b"), ("b", "a"), ("a", "top"), ("b", "top")])
    graph = nx.DiGraph([("b", "a"), ("a", "top")])
    display = HierarchyDisplay(graph, truth=same).plot(ax)
    assert display.missing_ == display.surplus_ == []


def test_missing_edges_that_would_close_a_cycle(ax):
    graph = nx.DiGraph([("c", "b"), ("b", "a")])
    display = HierarchyDisplay(graph, truth=nx.DiGraph([("a", "c"), ("b", "a")])).plot(ax)
    assert set(display.missing_) == {("a", "c")}
    assert "missing, the container below" in legend_of(display)
    assert display.layers_ == [["a"], ["b"], ["c"]]


def test_model_beside_the_truth(embedder, named_taxonomy, ax):
    X, graph = named_taxonomy
    display = HierarchyDisplay.from_estimator(embedder, y=graph, ax=ax)
    predicted = nx.transitive_closure(embedder.to_networkx())
    reduced = nx.transitive_reduction(graph)
    assert set(display.missing_) == set(reduced.edges) - set(predicted.edges)
    assert set(display.surplus_) == set(embedder.to_networkx().edges) - set(graph.edges)
    few = X.index[:12]
    frame = nx.to_pandas_adjacency(graph).loc[few, few]
    part = HierarchyDisplay.from_estimator(embedder, X.loc[few], y=frame, ax=ax)
    assert {task for edge in part.missing_ for task in edge} <= set(few)


@pytest.mark.parametrize(
    ("truth", "message"),
    [
        (np.eye(3), r"of the shape \(2, 2\); got an array of float64 of shape \(3, 3\)"),
        (nx.DiGraph([("a", "b"), ("a", "wolf")]), "same tasks; 'wolf' is in one"),
        ("ab", "truth must be a networkx.DiGraph"),
    ],
)
def test_bad_truth(truth, message):
    with pytest.raises(ValueError, match=message):
        HierarchyDisplay(nx.DiGraph([("a", "b")]), truth=truth)


@pytest.mark.parametrize(
    ("graph", "arguments", "message"),
    [
        (nx.path_graph(3), {}, "must be a networkx.DiGraph.*got Graph"),
        (np.eye(3), {}, "got ndarray"),
        (nx.MultiDiGraph([(0, 1)]), {}, "got MultiDiGraph"),
        (nx.DiGraph(), {}, "no nodes"),
        (nx.cycle_graph(3, nx.DiGraph), {}, "no cycles.*through 0, 1, 2"),
        (nx.path_graph(3, nx.DiGraph), {"groups": [1]}, "3 in all; got 1"),
    ],
)
def test_bad_graphs(graph, arguments, message):
    with pytest.raises(ValueError, match=message):
        HierarchyDisplay(graph, **arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"labels": "most"}, "labels must be"),
        ({"labels": ["c"]}, "labels has 'c'"),
        ({"max_tasks": 0}, "max_tasks must be None or a whole number from 1 on; got 0"),
        ({"max_tasks": 2.5}, "got 2.5"),
        ({"max_tasks": True}, "got True"),
    ],
)
def test_bad_hierarchy_plot(arguments, message):
    with pytest.raises(ValueError, match=message):
        HierarchyDisplay(nx.DiGraph([("a", "b")])).plot(**arguments)
    assert not plt.get_fignums()


def test_bad_threshold_and_axes(embedder):
    with pytest.raises(ValueError, match="threshold must be a number"):
        HierarchyDisplay.from_estimator(embedder, threshold=2)
    _, axes = plt.subplots(2)
    with pytest.raises(ValueError, match="ax must be 1 Axes, for the graph; got 2"):
        HierarchyDisplay(nx.DiGraph([("a", "b")])).plot(axes)
