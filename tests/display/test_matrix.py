"""RelationMatrixDisplay: the order of tasks, the cells, and errors for bad input."""

from itertools import pairwise

import matplotlib.pyplot as plt
import networkx as nx
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgba

from sklearn_task2box import TaskRelations
from sklearn_task2box.display import RelationMatrixDisplay
from sklearn_task2box.display._matrix import UNKNOWN, containment_order

NAMES = ["poodle", "animal", "dog", "cat"]
TRUE = np.array([[0, 1, 1, 0], [0, 0, 0, 0], [0, 1, 0, 0], [0, 1, 0, 0]], dtype=float)
PREDICTED = np.array(
    [[1, 0.9, 0.8, 0.1], [0.2, 1, 0.3, 0.1], [0.3, 0.7, 1, 0.0], [0.1, 0.9, 0.6, 1]]
)


@pytest.fixture
def pair():
    """Two Axes, which are quicker than those that a display lays out."""
    return plt.subplots(1, 2)[1]


def shown(display, k=0):
    return display.images_[k].get_array()


def test_order_of_a_tree_is_depth_first(taxonomy):
    graph = taxonomy[1]  # closed
    inside = nx.to_numpy_array(graph, nodelist=range(len(graph))) > 0
    order = containment_order(inside).tolist()
    place = np.argsort(order)
    assert sorted(order) == list(range(len(graph)))
    for task in graph:
        members = sorted(place[list(graph.predecessors(task))])
        first = place[task] + 1
        assert members == list(range(first, first + len(members)))  # one stripe


@pytest.mark.parametrize("seed", range(5))
def test_containers_stand_before_members_in_a_dag(seed):
    rng = np.random.RandomState(seed)
    graph = nx.DiGraph()
    graph.add_nodes_from(range(30))
    shuffled = rng.permutation(30).tolist()
    graph.add_edges_from(
        (shuffled[b], shuffled[a])
        for a, b in (sorted(rng.choice(30, 2, replace=False)) for _ in range(45))
    )
    closed = nx.transitive_closure_dag(graph)
    inside = nx.to_numpy_array(closed, nodelist=range(30)) > 0
    place = np.argsort(containment_order(inside))
    assert all(place[v] < place[u] for u, v in closed.edges)


def test_order_with_tasks_that_contain_each_other():
    inside = np.ones((3, 3), dtype=bool)
    assert sorted(containment_order(inside).tolist()) == [0, 1, 2]
    assert containment_order(np.zeros((3, 3), dtype=bool)).tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("true", "order", "expected", "names"),
    [
        (TRUE, "auto", "true", ["animal", "dog", "poodle", "cat"]),
        (TRUE, "predicted", "predicted", ["poodle", "cat", "dog", "animal"]),
        (TRUE, "given", "given", NAMES),
        (np.full((4, 4), np.nan), "auto", "predicted", ["poodle", "cat", "dog", "animal"]),
    ],
)
def test_order_is_that_of_truth_prediction_or_rows(pair, true, order, expected, names):
    display = RelationMatrixDisplay(PREDICTED.T, true, NAMES).plot(pair, order=order)
    assert display.ordered_by_ == expected
    assert display.names[display.order_].tolist() == names


def test_cells_are_strengths_in_order():
    display = RelationMatrixDisplay(PREDICTED, TRUE, NAMES).plot()
    order = display.order_
    np.testing.assert_array_equal(shown(display, 0), PREDICTED[np.ix_(order, order)])
    np.testing.assert_array_equal(shown(display, 1), TRUE[np.ix_(order, order)])
    assert [ax.get_title() for ax in display.ax_] == ["predicted", "true"]
    assert display.ax_[0].get_ylabel() == "member"
    assert display.ax_[0].get_xlabel() == "container"
    assert display.figure_ is display.ax_[0].figure
    assert {image.get_clim() for image in display.images_} == {(0, 1)}
    assert len(display.figure_.axes) == 3  # two maps and one shared colour bar
    assert [t.get_text() for t in display.ax_[0].get_yticklabels()] == [
        NAMES[i] for i in order
    ]


def test_unknown_pairs_look_unlike_any_strength(pair):
    true = TRUE.copy()
    true[3, 2] = np.nan
    display = RelationMatrixDisplay(PREDICTED, true, NAMES).plot(pair, order="given")
    image = display.images_[1]
    assert shown(display, 1).mask.sum() == 1
    colours = image.to_rgba(shown(display, 1))
    np.testing.assert_allclose(colours[3, 2], to_rgba(UNKNOWN), atol=1 / 255)
    scale = image.cmap(np.linspace(0, 1, 256))[:, :3]
    away = np.abs(scale - to_rgba(UNKNOWN)[:3]).max(axis=1)
    assert away.min() > 0.2
    assert display.colorbar_.ax.get_legend().get_texts()[0].get_text() == "unknown"


def test_known_pairs_have_no_legend(pair):
    display = RelationMatrixDisplay(PREDICTED, TRUE).plot(pair)
    assert display.colorbar_.ax.get_legend() is None


@pytest.mark.parametrize("n", [3, 40, 120])
def test_labels_do_not_cover_one_another(n):
    rng = np.random.RandomState(0)
    names = [f"a task of number {i}" for i in range(n)]
    display = RelationMatrixDisplay(rng.uniform(size=(n, n)), names=names).plot()
    display.figure_.draw_without_rendering()
    labels = display.ax_.get_yticklabels()
    assert len(labels) == n if n <= 40 else 20 < len(labels) < n
    for axis, way in ((display.ax_.yaxis, "y"), (display.ax_.xaxis, "x")):
        boxes = [text.get_window_extent() for text in axis.get_ticklabels()]
        ends = sorted((getattr(b, way + "0"), getattr(b, way + "1")) for b in boxes)
        assert all(a[1] <= b[0] + 1 for a, b in pairwise(ends))


@pytest.mark.parametrize(("n", "unknown"), [(4, 0.0), (30, np.nan), (100, np.nan)])
def test_nothing_leaves_the_figure(n, unknown):
    predicted = np.random.RandomState(0).uniform(size=(n, n))
    true = np.where(predicted > 0.8, 1.0, unknown)
    names = [f"digits 0,1,2,3,{i}" for i in range(n)]
    display = RelationMatrixDisplay(predicted, true, names).plot()
    display.figure_.draw_without_rendering()
    whole = display.figure_.bbox
    for ax in display.figure_.axes:
        taken = ax.get_tightbbox()
        assert taken.x0 >= whole.x0
        assert taken.y0 >= whole.y0
        assert taken.x1 <= whole.x1
        assert taken.y1 <= whole.y1


@pytest.mark.parametrize(
    ("labels", "expected"), [("none", []), (["cat", "dog"], ["dog", "cat"])]
)
def test_which_labels(pair, labels, expected):
    display = RelationMatrixDisplay(PREDICTED, TRUE, NAMES).plot(pair, labels=labels)
    assert [text.get_text() for text in display.ax_[0].get_yticklabels()] == expected


@pytest.mark.parametrize("fixture", ["embedder", "boxless", "distilled"])
def test_tasks_of_training_beside_their_relations(fixture, request, named_taxonomy, pair):
    model = request.getfixturevalue(fixture)
    X, graph = named_taxonomy
    display = RelationMatrixDisplay.from_estimator(model, labels="none", ax=pair)
    closed = nx.to_numpy_array(graph, nodelist=list(X.index))
    np.testing.assert_array_equal(display.true, closed)
    np.testing.assert_allclose(display.predicted, model.predict_proba(X), atol=1e-6)
    assert display.threshold == model.threshold_
    assert display.names.tolist() == X.index.tolist()


def test_tasks_of_X_without_y(embedder, named_taxonomy):
    display = RelationMatrixDisplay.from_estimator(embedder, named_taxonomy[0].iloc[5:15])
    assert display.true is None
    assert isinstance(display.ax_, plt.Axes)


def test_tasks_of_X_beside_y(embedder, named_taxonomy, pair):
    X, graph = named_taxonomy
    few = X.iloc[5:15]
    expected = nx.to_numpy_array(graph, nodelist=list(few.index))
    frame = nx.to_pandas_adjacency(graph).loc[few.index, few.index]
    for y in (TaskRelations(graph, tasks=X.index)[5:15], frame):
        display = RelationMatrixDisplay.from_estimator(embedder, few, y, ax=pair)
        np.testing.assert_array_equal(display.true, expected)


def test_unknown_truth_of_the_tasks_of_training(embedder, named_taxonomy, pair):
    X, graph = named_taxonomy
    unknown = TaskRelations(graph, tasks=X.index, unobserved="unknown")
    display = RelationMatrixDisplay.from_estimator(embedder, y=unknown, ax=pair)
    assert np.isnan(display.true).sum() == display.true.size - graph.number_of_edges()


def test_pipeline_and_relations_by_position(pipeline, named_taxonomy, pair):
    X, graph = named_taxonomy
    strengths = nx.to_numpy_array(graph, nodelist=list(X.index))
    display = RelationMatrixDisplay.from_estimator(pipeline, labels="none", ax=pair)
    np.testing.assert_array_equal(display.true, strengths)
    unnamed = X.reset_index(drop=True)
    by_position = RelationMatrixDisplay.from_estimator(
        pipeline, unnamed, strengths, labels="none", ax=pair
    )
    np.testing.assert_array_equal(by_position.true, strengths)
    np.testing.assert_allclose(by_position.predicted, display.predicted, atol=1e-6)


def test_truth_in_the_other_direction(embedder, named_taxonomy, pair):
    X, graph = named_taxonomy
    turned = TaskRelations(graph.reverse(), X.index, direction="container_to_member")
    display = RelationMatrixDisplay.from_estimator(
        embedder, y=turned, labels="none", ax=pair
    )
    expected = nx.to_numpy_array(graph, nodelist=list(X.index))
    np.testing.assert_array_equal(display.true, expected)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"predicted": PREDICTED[:3]}, r"predicted must be a square.*\(3, 4\)"),
        ({"predicted": np.zeros((0, 0))}, "predicted must be a square"),
        ({"predicted": 2 * PREDICTED}, r"strengths in \[0, 1\], or NaN.*0 to 2"),
        ({"predicted": PREDICTED, "true": -TRUE}, "true must hold.*from -1 to"),
        ({"predicted": PREDICTED, "true": TRUE[:3, :3]}, "got 4 and 3"),
        ({"predicted": PREDICTED, "names": NAMES[:3]}, "4 in all; got 3"),
        ({"predicted": PREDICTED, "names": ["a"] * 4}, "repeats 'a'"),
        ({"predicted": PREDICTED, "threshold": 1.5}, "threshold must be.*got 1.5"),
    ],
)
def test_bad_matrices(arguments, message):
    with pytest.raises(ValueError, match=message):
        RelationMatrixDisplay(**arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"order": "size"}, "order must be one of.*got 'size'"),
        ({"order": "true"}, "needs true strengths"),
        ({"labels": ["wolf"]}, "labels has 'wolf'"),
    ],
)
def test_bad_plot(arguments, message):
    with pytest.raises(ValueError, match=message):
        RelationMatrixDisplay(PREDICTED, names=NAMES).plot(**arguments)
    assert not plt.get_fignums()


def test_given_axes():
    _, axes = plt.subplots(1, 2)
    with pytest.raises(ValueError, match="1 Axes, for predicted strengths; got 2"):
        RelationMatrixDisplay(PREDICTED).plot(axes)
    display = RelationMatrixDisplay(PREDICTED, TRUE).plot(axes)
    assert display.ax_.tolist() == axes.tolist()


def test_bad_truth(embedder, named_taxonomy):
    X = named_taxonomy[0].iloc[:4]
    with pytest.raises(ValueError, match="y has 3 tasks, but X has 4 rows"):
        RelationMatrixDisplay.from_estimator(embedder, X, ["a", "a", "b"])


def test_frames_are_put_into_one_order():
    names = ["a", "b", "c"]
    strengths = np.random.RandomState(0).uniform(size=(3, 3))
    predicted = pd.DataFrame(strengths, index=names, columns=names)
    turned = predicted.iloc[[2, 0, 1], ::-1]
    display = RelationMatrixDisplay(predicted, turned)
    assert display.names.tolist() == names
    np.testing.assert_array_equal(display.true, strengths)
    display = RelationMatrixDisplay(turned, predicted, names)
    np.testing.assert_array_equal(display.predicted, strengths)


def test_a_model_is_drawn_in_the_colours_that_are_asked_for(embedder, pair):
    display = RelationMatrixDisplay.from_estimator(embedder, cmap="Greens", ax=pair)
    assert {image.get_cmap().name for image in display.images_} == {"Greens"}
