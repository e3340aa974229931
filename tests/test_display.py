"""Pictures: what is drawn, that it is legible, and what bad input is answered."""

import pickle
import sys
from itertools import chain

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import networkx as nx
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_task2box import BoxRelationEmbedder
from sklearn_task2box.display import BoxDisplay, HierarchyDisplay
from sklearn_task2box.display.hierarchy import SURPLUS

BOXES = np.array([[0, 0, 9, 9], [1, 1, 4, 4], [2, 2, 3, 3], [5, 5, 8, 7]], dtype=float)
NAMES = ["animal", "dog", "poodle", "cat"]


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def embedder(named_taxonomy):
    X, graph = named_taxonomy
    return BoxRelationEmbedder(box_dim=2, max_epochs=50, n_teachers=0, random_state=0).fit(
        X, graph
    )


@pytest.fixture(scope="module")
def pipeline(named_taxonomy):
    X, graph = named_taxonomy
    embedder = BoxRelationEmbedder(box_dim=2, max_epochs=20, n_teachers=0, random_state=0)
    return make_pipeline(StandardScaler(), embedder).fit(X, nx.to_pandas_adjacency(graph))


def make_nested(box_dim, n=12, seed=0):
    """Boxes of sides between 1e-4 and 1e4, in one another or apart."""
    rng = np.random.RandomState(seed)
    centres = rng.normal(size=(n, box_dim))
    sides = 10.0 ** rng.uniform(-4, 4, size=(n, 1)) * rng.uniform(1, 2, size=(n, box_dim))
    return np.hstack([centres - sides, centres + sides])


def texts_of(artists):
    return [artist.get_text() for artist in artists]


def legend_of(display):
    figure = display.figure_
    legends = figure.legends + [ax.get_legend() for ax in figure.axes if ax.get_legend()]
    return [text for legend in legends for text in texts_of(legend.get_texts())]


def extents(artists, figure):
    figure.canvas.draw()  # as it would be saved
    renderer = figure.canvas.get_renderer()
    return [artist.get_window_extent(renderer) for artist in artists]


def n_overlaps(artists, figure):
    found = extents(artists, figure)
    return sum(
        a.x0 < b.x1 and b.x0 < a.x1 and a.y0 < b.y1 and b.y0 < a.y1
        for k, a in enumerate(found)
        for b in found[:k]
    )


# --------------------------------------------------------------------------------------
# BoxDisplay
# --------------------------------------------------------------------------------------
def test_one_rectangle_per_box_with_its_corners():
    display = BoxDisplay(BOXES, NAMES).plot()
    assert isinstance(display.ax_, plt.Axes)
    assert display.figure_ is display.ax_.figure
    assert len(display.ax_.patches) == len(BOXES)
    assert display.patches_.shape == (1, 4)
    corners = [p.get_bbox().extents for p in display.patches_[0]]
    np.testing.assert_allclose(corners, BOXES)
    assert display.dimensions_ == [(0, 1)]
    assert display.ax_.get_xlabel() == "dimension 0"
    assert display.ax_.get_ylabel() == "dimension 1"
    assert not legend_of(display)


def test_large_boxes_lie_behind_small_ones():
    display = BoxDisplay(BOXES[::-1], NAMES[::-1]).plot()
    heights = [patch.get_zorder() for patch in display.patches_[0]]
    assert np.argsort(heights).tolist() == [3, 2, 0, 1]  # animal, dog, cat, poodle


def test_from_estimator_draws_the_tasks_of_training(embedder):
    display = BoxDisplay.from_estimator(embedder)
    np.testing.assert_array_equal(display.boxes, embedder.boxes_)
    assert set(texts_of(display.texts_)) <= set(embedder.tasks_)
    assert len(display.ax_.patches) == len(embedder.boxes_)


def test_from_estimator_draws_the_tasks_of_X(embedder, named_taxonomy):
    X = named_taxonomy[0].iloc[3:9]
    display = BoxDisplay.from_estimator(embedder, X, labels="all")
    np.testing.assert_array_equal(display.boxes, embedder.transform(X))
    assert sorted(texts_of(display.texts_)) == sorted(X.index)
    unnamed = BoxDisplay.from_estimator(embedder, X.reset_index(drop=True), labels="all")
    assert sorted(texts_of(unnamed.texts_)) == list("012345")


def test_pipeline(pipeline, named_taxonomy):
    X = named_taxonomy[0].iloc[:7]
    display = BoxDisplay.from_estimator(pipeline, X)
    np.testing.assert_array_equal(display.boxes, pipeline.transform(X))
    assert display.names.tolist() == X.index.tolist()  # which the scaler loses
    known = BoxDisplay.from_estimator(pipeline)
    np.testing.assert_array_equal(known.boxes, pipeline[-1].boxes_)
    nested = make_pipeline(pipeline[0], make_pipeline(pipeline[-1]))
    same = BoxDisplay.from_estimator(nested, X)
    np.testing.assert_array_equal(same.boxes, display.boxes)
    alone = BoxDisplay.from_estimator(make_pipeline(pipeline[-1]), X.to_numpy())
    assert len(alone.ax_.patches) == 7


def test_groups_have_colours_and_a_legend():
    display = BoxDisplay(BOXES, NAMES, groups=["pet", "dog", "dog", None]).plot()
    assert legend_of(display) == ["dog", "pet", "no group"]
    colours = [patch.get_edgecolor() for patch in display.patches_[0]]
    assert colours[1] == colours[2]
    assert len(set(colours)) == 3


def test_a_series_of_groups_names_the_tasks(embedder):
    groups = pd.Series(["pet", "dog", "cat", "dog"], index=NAMES)
    drawn = BoxDisplay(BOXES, NAMES, groups)
    turned = BoxDisplay(BOXES, NAMES, groups[::-1])
    assert list(turned.groups) == list(drawn.groups) == list(groups)
    graph = nx.DiGraph([(NAMES[2], NAMES[0])])
    assert list(HierarchyDisplay(graph, groups).groups) == ["cat", "pet"]
    unnamed = pd.Series(list(groups), index=[7, 8, 9, 10])  # in the order of the tasks
    assert list(BoxDisplay(BOXES, NAMES, unnamed).groups) == list(groups)
    shuffled = pd.Series(list(groups), index=[2, 0, 3, 1])  # rows that had other places
    assert list(BoxDisplay(BOXES, None, shuffled).groups) == list(groups)
    with pytest.raises(ValueError, match="index of groups names tasks, but lacks"):
        BoxDisplay(BOXES, NAMES, groups.rename({NAMES[3]: "typo"}))
    with pytest.raises(ValueError, match="index of groups names tasks, but repeats"):
        BoxDisplay(BOXES, NAMES, groups.iloc[[0, 1, 2, 3, 3]])


def test_what_lies_inside_may_be_sparse():
    inside = np.eye(4, dtype=bool)
    inside[3, 0] = True
    widths = [
        line_widths(BoxDisplay(BOXES, NAMES, inside=form).plot(highlight=NAMES[3]))
        for form in (inside, sparse.csr_array(inside), sparse.coo_matrix(inside))
    ]
    assert widths[0] == widths[1] == widths[2]
    with pytest.raises(ValueError, match=r"inside must have the shape \(4, 4\)"):
        BoxDisplay(BOXES, NAMES, inside=sparse.csr_array(np.eye(3)))


def test_categorical_groups_keep_their_order():
    groups = pd.Categorical(["b", "a", "a", "b"], categories=["b", "unused", "a"])
    assert legend_of(BoxDisplay(BOXES, NAMES, groups).plot()) == ["b", "a"]


def test_more_groups_than_can_be_told_apart():
    boxes = make_nested(2, n=30)
    groups = (
        [f"g{i:02d}" for i in range(14)] + [f"g{i:02d}" for i in range(12)] + ["g00"] * 4
    )
    display = BoxDisplay(boxes, groups=groups).plot()
    assert legend_of(display) == [f"g{i:02d}" for i in range(12)] + ["2 other groups"]
    looks = {(p.get_edgecolor(), p.get_linestyle()) for p in display.patches_[0]}
    assert len(looks) == 13


def test_legend_beside_the_axes_of_another_figure():
    _, axes = plt.subplots(1, 2, figsize=(9, 4))
    BoxDisplay(BOXES, NAMES, groups=list("abca")).plot(axes[0])
    legend, frame = extents([axes[0].get_legend(), axes[0]], axes[0].figure)
    assert legend.x0 >= frame.x1
    other = axes[1].get_tightbbox()
    assert legend.x1 <= other.x0 + 1


def line_widths(display):
    return [patch.get_linewidth() for patch in display.patches_[0]]


def opacities(display):
    return [patch.get_facecolor()[3] for patch in display.patches_[0]]


@pytest.mark.parametrize("highlight", ["poodle", 2, -2, ["poodle"], np.array([2])])
def test_highlight_shades_a_box_and_outlines_its_containers(highlight):
    display = BoxDisplay(BOXES, NAMES).plot(highlight=highlight)
    opacity, width = opacities(display), line_widths(display)
    assert np.argmax(opacity) == 2
    assert opacity[2] > 3 * opacity[0]
    assert min(width[0], width[1], width[2]) > 1.5 * width[3]
    assert legend_of(display) == ["poodle", "contains it"]
    assert texts_of(display.texts_)[:2] == ["poodle", "animal"]


def test_highlight_of_several():
    display = BoxDisplay(BOXES, NAMES, groups=list("aabb")).plot(
        highlight=["poodle", "cat"]
    )
    assert legend_of(display) == ["a", "b", "highlighted", "contains one of them"]
    assert np.sort(np.argsort(opacities(display))[-2:]).tolist() == [2, 3]


def test_highlight_takes_containers_from_threshold_of_the_estimator(embedder):
    task = embedder.tasks_[7]
    display = BoxDisplay.from_estimator(embedder, highlight=task)
    inside = embedder.to_networkx(reduce=False)
    expected = {*inside.successors(task), task}
    width = np.array(line_widths(display))
    assert set(embedder.tasks_[width > 0.9]) == expected


def test_names_that_are_numbers_come_before_positions():
    display = BoxDisplay(BOXES, [3, 2, 1, 0]).plot(highlight=3, labels="none")
    assert np.argmax(opacities(display)) == 0


@pytest.mark.parametrize(
    ("box_dim", "expected"),
    [
        (1, [(0,)]),
        (2, [(0, 1)]),
        (3, [(0, 1), (0, 2), (1, 2)]),
        (4, [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]),
        (5, [(0, 1), (2, 3), (3, 4)]),
        (6, [(0, 1), (2, 3), (4, 5)]),
    ],
)
def test_small_multiples(box_dim, expected):
    display = BoxDisplay(make_nested(box_dim)).plot()
    assert display.dimensions_ == expected
    axes = np.atleast_1d(display.ax_)
    assert len(display.figure_.axes) == len(axes) == len(expected)
    assert display.patches_.shape == (len(expected), 12)
    for ax, dims in zip(axes, expected, strict=True):
        assert ax.get_xlabel().startswith(f"dimension {dims[0]}")
        if len(dims) == 2:
            assert ax.get_ylabel().startswith(f"dimension {dims[1]}")


def test_small_multiples_of_an_estimator(named_taxonomy):
    X, graph = named_taxonomy
    embedder = BoxRelationEmbedder(
        box_dim=3, max_epochs=20, n_teachers=0, random_state=0
    ).fit(X, graph)
    groups = [graph.out_degree(task) for task in X.index]
    display = BoxDisplay.from_estimator(embedder, groups=groups)
    assert [len(ax.patches) for ax in display.ax_] == [len(X)] * 3
    assert legend_of(display) == [str(group) for group in sorted(set(groups))]  # one legend


def test_small_multiples_in_given_axes():
    _, axes = plt.subplots(1, 3)
    display = BoxDisplay(make_nested(3)).plot(axes, labels="none")
    assert display.ax_.tolist() == axes.tolist()
    with pytest.raises(ValueError, match=r"drawn as 3 plots.*got 1 Axes.*array of 3"):
        BoxDisplay(make_nested(3)).plot(axes[0])


def test_one_dimension_puts_members_below_containers():
    display = BoxDisplay([[0, 9], [1, 4], [2, 3], [5, 8], [20, 21]]).plot()
    tops = [patch.get_bbox().y1 for patch in display.patches_[0]]
    assert tops[0] > tops[1] > tops[2]
    assert tops[3] == tops[1]
    assert tops[4] == tops[0]


@pytest.mark.parametrize("spacing", ["linear", "log", "even"])
def test_what_is_nested_is_drawn_nested(spacing):
    boxes = make_nested(2, n=20)
    display = BoxDisplay(boxes).plot(spacing=spacing, labels="none")
    drawn = np.array([box.extents for box in extents(display.patches_[0], display.figure_)])
    frame = display.ax_.get_window_extent().extents

    def inside(boxes):
        low = (boxes[:, None, :2] >= boxes[None, :, :2] - 1e-6).all(axis=2)
        return low & (boxes[:, None, 2:] <= boxes[None, :, 2:] + 1e-6).all(axis=2)

    # Pixels are coarse where axes are to scale: containment may only be gained.
    assert (inside(drawn) >= inside(boxes)).all()
    if spacing != "linear":
        np.testing.assert_array_equal(inside(drawn), inside(boxes))
    assert (drawn[:, :2] >= frame[:2]).all()
    assert (drawn[:, 2:] <= frame[2:]).all()


def test_auto_spacing_makes_tiny_boxes_visible():
    boxes = np.vstack([[-1e6, -1e6, 1e6, 1e6], make_nested(2, n=20) * 1e-3])
    sizes = {}
    for spacing in ("linear", "auto"):
        display = BoxDisplay(boxes).plot(spacing=spacing, labels="none")
        drawn = extents(display.patches_[0], display.figure_)
        sizes[spacing] = np.median([min(box.width, box.height) for box in drawn])
    assert sizes["linear"] < 0.1
    assert sizes["auto"] > 5
    assert "log gaps" in display.ax_.get_xlabel()
    ticks = display.ax_.get_xticks()
    assert 2 <= len(ticks) <= 5
    places = display.ax_.transData.transform(np.column_stack([ticks, ticks]))[:, 0]
    assert np.diff(places).min() > 30


def test_auto_spacing_draws_to_scale_where_it_can():
    assert BoxDisplay(BOXES).plot().ax_.get_xscale() == "linear"


def test_labels_do_not_overlap_nor_leave_the_axes(embedder):
    groups = np.arange(len(embedder.boxes_)) % 3
    for spacing in ("linear", "log", "even"):
        display = BoxDisplay.from_estimator(embedder, groups=groups, spacing=spacing)
        assert n_overlaps(display.texts_, display.figure_) == 0
        frame = display.ax_.get_window_extent()
        for box in extents(display.texts_, display.figure_):
            assert frame.x0 - 1 <= box.x0
            assert box.x1 <= frame.x1 + 1
            assert frame.y0 - 1 <= box.y0
            assert box.y1 <= frame.y1 + 1
    assert len(display.texts_) > 8


def test_labels_do_not_overlap_in_small_multiples_and_subfigures():
    names = [f"task number {i}" for i in range(40)]
    display = BoxDisplay(make_nested(3, n=40), names).plot(highlight=3)
    for ax in display.ax_:
        assert (
            n_overlaps([text for text in display.texts_ if text.axes is ax], ax.figure) == 0
        )
    figure = plt.figure(figsize=(9, 4), layout="constrained")
    parts = figure.subfigures(1, 2)
    display = BoxDisplay(make_nested(2, n=40), names).plot(parts[1].subplots())
    assert display.texts_
    assert n_overlaps(display.texts_, figure) == 0


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ("all", sorted(NAMES)),
        ("auto", sorted(NAMES)),
        ("none", []),
        ([], []),
        (["cat", "dog"], ["cat", "dog"]),
        (np.array(["cat"]), ["cat"]),
    ],
)
def test_which_labels(labels, expected):
    for display in (
        BoxDisplay(BOXES, NAMES).plot(labels=labels),
        HierarchyDisplay(nx.DiGraph([(name, "animal") for name in NAMES[1:]])).plot(
            labels=labels
        ),
    ):
        assert sorted(texts_of(display.texts_)) == expected


def test_names_are_drawn_as_they_are():
    names = ["$x_1", "a\nb", "y" * 200, 1.5]
    display = BoxDisplay(BOXES, names).plot(labels="all")
    display.figure_.canvas.draw()
    assert {"$x_1", "a b", "1.5"} < set(texts_of(display.texts_))
    assert max(map(len, texts_of(display.texts_))) == 60


def test_boxes_without_extent_and_a_single_one():
    for boxes in ([[1.0, 2.0, 1.0, 2.0]] * 3, [[0.0, 0.0, 1.0, 1.0]]):
        display = BoxDisplay(boxes).plot()
        display.figure_.canvas.draw()
        assert len(display.ax_.patches) == len(boxes)


def test_a_figure_with_uneven_axes_can_be_pickled():
    display = BoxDisplay(make_nested(2)).plot(spacing="log")
    again = pickle.loads(pickle.dumps(display.figure_))
    assert len(again.axes[0].patches) == 12


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"boxes": BOXES[:, :3]}, r"\(n_tasks, 2 \* box_dim\).*\(4, 3\)"),
        ({"boxes": BOXES[0]}, r"got an array of shape \(4,\)"),
        ({"boxes": BOXES[:, ::-1]}, "lower corner of box 0 exceeds"),
        ({"boxes": BOXES * np.nan}, "must be finite"),
        ({"boxes": BOXES, "names": NAMES[:3]}, "one entry per box, 4 in all; got 3"),
        ({"boxes": BOXES, "names": ["a"] * 4}, "repeats 'a'"),
        ({"boxes": BOXES, "groups": [1, 2]}, "one entry per task, 4 in all; got 2"),
        ({"boxes": BOXES, "groups": "abcd"}, "groups must be a 1-D array"),
        ({"boxes": BOXES, "inside": np.eye(3)}, r"inside must have the shape \(4, 4\)"),
    ],
)
def test_bad_boxes(arguments, message):
    with pytest.raises(ValueError, match=message):
        BoxDisplay(**arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"highlight": "podle"}, "highlight has 'podle'.*Did you mean 'poodle'"),
        (
            {"highlight": 4},
            "highlight has 4, which is not a task drawn. Tasks are 'animal'",
        ),
        ({"highlight": True}, "highlight has True"),
        ({"highlight": [["dog"]]}, r"highlight has \['dog'\]"),
        ({"labels": "some"}, "'auto', 'all', 'none' or a list.*got 'some'"),
        ({"labels": "dog"}, r"pass \['dog'\]"),
        ({"labels": 3}, "labels must be"),
        ({"labels": ["dog", "wolf"]}, "labels has 'wolf'"),
        ({"spacing": "sqrt"}, "spacing must be one of.*got 'sqrt'"),
        ({"spacing": None}, "spacing must be one of.*got None"),
    ],
)
def test_bad_plot(arguments, message):
    with pytest.raises(ValueError, match=message):
        BoxDisplay(BOXES, NAMES).plot(**arguments)
    assert not plt.get_fignums()  # nothing half drawn is left


@pytest.mark.parametrize("display", [BoxDisplay, HierarchyDisplay])
def test_bad_estimators(display, embedder, named_taxonomy):
    X = named_taxonomy[0]
    with pytest.raises(NotFittedError):
        display.from_estimator(BoxRelationEmbedder())
    with pytest.raises(NotFittedError):
        display.from_estimator(make_pipeline(StandardScaler(), BoxRelationEmbedder()))
    with pytest.raises(ValueError, match="got StandardScaler\\."):
        display.from_estimator(StandardScaler())
    with pytest.raises(ValueError, match="got Pipeline that ends in StandardScaler"):
        display.from_estimator(make_pipeline(StandardScaler()))
    with pytest.raises(ValueError, match="one entry per task, 5 in all; got 2"):
        display.from_estimator(embedder, X.iloc[:5], groups=[1, 2])
    with pytest.raises(ValueError, match="feature names"):
        display.from_estimator(embedder, X.iloc[:, :3])


@pytest.mark.parametrize("display", [BoxDisplay, HierarchyDisplay])
def test_without_matplotlib(display, embedder, monkeypatch):
    for module in [name for name in sys.modules if name.startswith("matplotlib")]:
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    message = rf"{display.__name__} needs matplotlib.*sklearn-task2box\[plot\]"
    with pytest.raises(ImportError, match=message):
        display.from_estimator(embedder)
    with pytest.raises(ImportError, match=message):
        display(BOXES if display is BoxDisplay else nx.path_graph(3, nx.DiGraph)).plot()


# --------------------------------------------------------------------------------------
# HierarchyDisplay
# --------------------------------------------------------------------------------------
def make_dag(n=40, n_edges=70, seed=0):
    rng = np.random.RandomState(seed)
    graph = nx.DiGraph()
    graph.add_nodes_from(f"task {i}" for i in range(n))
    for _ in range(n_edges):
        u, v = sorted(rng.choice(n - 5, 2, replace=False), reverse=True)
        graph.add_edge(f"task {u}", f"task {v}", weight=rng.uniform(0.5, 1))
    return graph


def test_layers_are_longest_chains_of_containers():
    graph = make_dag()
    display = HierarchyDisplay(graph).plot()
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


def test_containers_are_drawn_above_members():
    graph = make_dag()
    display = HierarchyDisplay(graph).plot(labels="none")
    lines = lines_of(display)
    assert len(lines.get_paths()) == graph.number_of_edges()
    for path in lines.get_paths():
        places = display.ax_.transData.transform(path.vertices)[:, 1]
        assert (np.diff(places) <= 0).all()


def test_stronger_relations_have_wider_and_darker_lines():
    graph = make_dag()
    display = HierarchyDisplay(graph).plot()
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
    assert n_overlaps(display.texts_, display.figure_) == 0


@pytest.mark.parametrize("size", [(3, 2), (6, 4), (12, 8)])
def test_labels_do_not_overlap_in_given_axes(size):
    _, ax = plt.subplots(figsize=size)
    display = HierarchyDisplay(make_dag()).plot(ax)
    assert display.ax_ is ax
    assert n_overlaps(display.texts_, ax.figure) == 0
    if size == (12, 8):
        assert len(display.texts_) > 30


def test_hierarchy_of_an_estimator(embedder, named_taxonomy):
    X = named_taxonomy[0]
    groups = ["even" if i % 2 == 0 else "odd" for i in range(len(X))]
    display = HierarchyDisplay.from_estimator(embedder, groups=groups)
    assert nx.utils.graphs_equal(display.graph, embedder.to_networkx())
    assert {"even", "odd"} <= set(legend_of(display))
    strict = HierarchyDisplay.from_estimator(embedder, X.iloc[:9], threshold=1.0)
    assert nx.utils.graphs_equal(strict.graph, embedder.to_networkx(X.iloc[:9], 1.0))


def test_hierarchy_of_a_pipeline(pipeline, named_taxonomy):
    X = named_taxonomy[0].iloc[4:14]
    display = HierarchyDisplay.from_estimator(pipeline, X)
    assert list(display.graph) == X.index.tolist()
    known = HierarchyDisplay.from_estimator(pipeline)
    assert list(known.graph) == pipeline[-1].tasks_.tolist()


def test_max_tasks_keeps_those_that_contain_most():
    tree = nx.DiGraph((f"task {i}", f"task {(i - 1) // 3}") for i in range(1, 60))
    display = HierarchyDisplay(tree).plot(max_tasks=13)
    assert {*chain(*display.layers_)} == {f"task {i}" for i in range(13)}
    assert display.ax_.get_title() == "13 of 60 tasks, those that contain most"
    everything = HierarchyDisplay(tree).plot(max_tasks=None)
    assert len(list(chain(*everything.layers_))) == 60
    assert everything.ax_.get_title() == ""


def test_graphs_of_other_kinds():
    alone = nx.empty_graph(30, create_using=nx.DiGraph)
    display = HierarchyDisplay(alone).plot()
    assert display.layers_ == []
    assert display.isolated_ == list(range(30))
    assert len(display.texts_) == 30
    grid = HierarchyDisplay(nx.DiGraph([((0, 1), (0, 0)), ("a", (0, 0))])).plot()
    assert sorted(texts_of(grid.texts_)) == ["(0, 0)", "(0, 1)", "a"]
    path = HierarchyDisplay(nx.path_graph(4, nx.DiGraph)).plot()
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
        surplus = np.allclose(colour[:3], matplotlib.colors.to_rgb(SURPLUS))
        styles["surplus" if surplus else "missing" if dashes else "right"] += 1
    return styles


def test_missing_and_surplus_edges_are_marked():
    graph, truth = make_compared()
    display = HierarchyDisplay(graph, truth=truth).plot()
    assert set(display.missing_) == {("b", "c"), ("d", "c"), ("e", "top2")}
    assert set(display.surplus_) == {("b", "a"), ("top2", "e")}
    # That e is in top2 shows in the edge the other way round.
    assert marks_of(display) == {"surplus": 2, "missing": 2, "right": 2}
    legend = legend_of(display)
    assert legend == ["surplus: not true", "missing: true, not predicted"]
    assert display.isolated_ == []  # d stands below c, where it belongs
    assert set(display.layers_[2]) == {"b", "d"}
    assert list(display.graph.edges) == list(graph.edges)  # left as it was
    plain = HierarchyDisplay(graph).plot()
    assert plain.missing_ == plain.surplus_ == []
    assert marks_of(plain) == {"surplus": 0, "missing": 0, "right": 4}


def test_truth_as_a_matrix_with_unknown_pairs():
    graph, truth = make_compared()
    strengths = nx.to_numpy_array(truth, nodelist=list(graph))
    same = HierarchyDisplay(graph, truth=strengths).plot()
    assert marks_of(same) == {"surplus": 2, "missing": 2, "right": 2}
    unknown = np.where(strengths == 1, 1.0, np.nan)
    display = HierarchyDisplay(graph, truth=unknown).plot()
    assert display.surplus_ == []
    assert ("d", "c") in display.missing_


def test_what_follows_from_others_is_neither_missing_nor_surplus():
    chain_ = nx.DiGraph([("c", "b"), ("b", "a")])
    short = nx.DiGraph([("c", "a"), ("b", "a")])
    closed = nx.transitive_closure(chain_)
    for graph, truth in ((chain_, closed), (short, closed), (short, chain_)):
        display = HierarchyDisplay(graph, truth=truth).plot()
        assert display.surplus_ == []
        assert display.missing_ == ([] if graph is chain_ else [("c", "b")])


def test_truth_with_tasks_that_contain_each_other():
    same = nx.DiGraph([("a", "b"), ("b", "a"), ("a", "top"), ("b", "top")])
    graph = nx.DiGraph([("b", "a"), ("a", "top")])
    display = HierarchyDisplay(graph, truth=same).plot()
    assert display.missing_ == display.surplus_ == []


def test_missing_edges_that_would_close_a_cycle():
    graph = nx.DiGraph([("c", "b"), ("b", "a")])
    display = HierarchyDisplay(graph, truth=nx.DiGraph([("a", "c"), ("b", "a")])).plot()
    assert set(display.missing_) == {("a", "c")}
    assert "missing, the container below" in legend_of(display)
    assert display.layers_ == [["a"], ["b"], ["c"]]


def test_hierarchy_of_an_estimator_beside_the_truth(embedder, named_taxonomy):
    X, graph = named_taxonomy
    display = HierarchyDisplay.from_estimator(embedder, y=graph)
    predicted = nx.transitive_closure(embedder.to_networkx())
    reduced = nx.transitive_reduction(graph)
    assert set(display.missing_) == set(reduced.edges) - set(predicted.edges)
    assert set(display.surplus_) == set(embedder.to_networkx().edges) - set(graph.edges)
    few = X.index[:12]
    frame = nx.to_pandas_adjacency(graph).loc[few, few]
    part = HierarchyDisplay.from_estimator(embedder, X.loc[few], y=frame)
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


def test_bad_threshold(embedder):
    with pytest.raises(ValueError, match="threshold must be a number"):
        HierarchyDisplay.from_estimator(embedder, threshold=2)
