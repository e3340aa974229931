"""Heat maps: the order of tasks, what is drawn, and what bad input is answered."""

from itertools import pairwise

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import networkx as nx
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgba
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_task2box import BoxRelationEmbedder, TaskRelations
from sklearn_task2box.display import RelationMatrixDisplay
from sklearn_task2box.display.matrix import UNKNOWN, containment_order

NAMES = ["poodle", "animal", "dog", "cat"]
TRUE = np.array([[0, 1, 1, 0], [0, 0, 0, 0], [0, 1, 0, 0], [0, 1, 0, 0]], dtype=float)
PREDICTED = np.array(
    [[1, 0.9, 0.8, 0.1], [0.2, 1, 0.3, 0.1], [0.3, 0.7, 1, 0.0], [0.1, 0.9, 0.6, 1]]
)


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


def shown(display, k=0):
    return display.images_[k].get_array()


# -- order -----------------------------------------------------------------------------
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


def test_order_is_that_of_the_truth_or_of_the_prediction_or_given():
    display = RelationMatrixDisplay(PREDICTED, TRUE, NAMES).plot()
    assert display.ordered_by_ == "true"
    assert display.names[display.order_].tolist() == ["animal", "dog", "poodle", "cat"]
    wrong = RelationMatrixDisplay(PREDICTED, TRUE, NAMES).plot(order="predicted")
    assert wrong.names[wrong.order_].tolist() == ["animal", "dog", "poodle", "cat"]
    given = RelationMatrixDisplay(PREDICTED, TRUE, NAMES).plot(order="given")
    assert given.order_.tolist() == [0, 1, 2, 3]
    alone = RelationMatrixDisplay(PREDICTED, names=NAMES).plot()
    assert alone.ordered_by_ == "predicted"
    nothing = RelationMatrixDisplay(PREDICTED, np.full((4, 4), np.nan)).plot()
    assert nothing.ordered_by_ == "predicted"


# -- what is drawn ---------------------------------------------------------------------
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


def test_unknown_pairs_look_unlike_any_strength():
    true = TRUE.copy()
    true[3, 2] = np.nan
    display = RelationMatrixDisplay(PREDICTED, true, NAMES).plot(order="given")
    image = display.images_[1]
    assert shown(display, 1).mask.sum() == 1
    colours = image.to_rgba(shown(display, 1))
    np.testing.assert_allclose(colours[3, 2], to_rgba(UNKNOWN), atol=1 / 255)
    scale = image.cmap(np.linspace(0, 1, 256))[:, :3]
    away = np.abs(scale - to_rgba(UNKNOWN)[:3]).max(axis=1)
    assert away.min() > 0.2
    assert display.colorbar_.ax.get_legend().get_texts()[0].get_text() == "unknown"
    assert RelationMatrixDisplay(PREDICTED, TRUE).plot().colorbar_.ax.get_legend() is None


@pytest.mark.parametrize("n", [3, 40, 150, 400])
def test_labels_do_not_cover_one_another(n):
    rng = np.random.RandomState(0)
    names = [f"a task of number {i}" for i in range(n)]
    display = RelationMatrixDisplay(rng.uniform(size=(n, n)), names=names).plot()
    display.figure_.canvas.draw()
    labels = display.ax_.get_yticklabels()
    assert len(labels) == n if n <= 40 else 20 < len(labels) < n
    for axis, way in ((display.ax_.yaxis, "y"), (display.ax_.xaxis, "x")):
        boxes = [text.get_window_extent() for text in axis.get_ticklabels()]
        ends = sorted((getattr(b, way + "0"), getattr(b, way + "1")) for b in boxes)
        assert all(a[1] <= b[0] + 1 for a, b in pairwise(ends))


@pytest.mark.parametrize("n", [4, 30, 120])
@pytest.mark.parametrize("unknown", [0.0, np.nan])
def test_nothing_leaves_the_figure(n, unknown):
    predicted = np.random.RandomState(0).uniform(size=(n, n))
    true = np.where(predicted > 0.8, 1.0, unknown)
    names = [f"digits 0,1,2,3,{i}" for i in range(n)]
    display = RelationMatrixDisplay(predicted, true, names).plot()
    display.figure_.canvas.draw()
    whole = display.figure_.bbox
    for ax in display.figure_.axes:
        taken = ax.get_tightbbox()
        assert taken.x0 >= whole.x0
        assert taken.y0 >= whole.y0
        assert taken.x1 <= whole.x1
        assert taken.y1 <= whole.y1


def test_which_labels():
    display = RelationMatrixDisplay(PREDICTED, TRUE, NAMES)
    for labels, expected in (("none", []), (["cat", "dog"], ["dog", "cat"])):
        ax = display.plot(labels=labels).ax_[0]
        assert [text.get_text() for text in ax.get_yticklabels()] == expected


# -- estimators ------------------------------------------------------------------------
def test_tasks_of_training_beside_what_was_learned(embedder, named_taxonomy):
    X, graph = named_taxonomy
    display = RelationMatrixDisplay.from_estimator(embedder)
    np.testing.assert_array_equal(
        display.true, nx.to_numpy_array(graph, nodelist=list(X.index))
    )
    np.testing.assert_allclose(display.predicted, embedder.predict_proba(X), atol=1e-6)
    assert display.threshold == embedder.threshold_
    assert display.names.tolist() == X.index.tolist()


def test_tasks_of_X_beside_y(embedder, named_taxonomy):
    X, graph = named_taxonomy
    some = X.iloc[5:15]
    alone = RelationMatrixDisplay.from_estimator(embedder, some)
    assert alone.true is None
    assert isinstance(alone.ax_, plt.Axes)
    relations = TaskRelations(graph, tasks=X.index)
    beside = RelationMatrixDisplay.from_estimator(embedder, some, relations[5:15])
    expected = nx.to_numpy_array(graph, nodelist=list(some.index))
    np.testing.assert_array_equal(beside.true, expected)
    frame = nx.to_pandas_adjacency(graph).loc[some.index, some.index]
    by_frame = RelationMatrixDisplay.from_estimator(embedder, some, frame)
    np.testing.assert_array_equal(by_frame.true, expected)
    unknown = TaskRelations(graph, tasks=X.index, unobserved="unknown")
    partly = RelationMatrixDisplay.from_estimator(embedder, y=unknown)
    assert np.isnan(partly.true).sum() == partly.true.size - graph.number_of_edges()


def test_pipelines_positions_and_settled_directions(taxonomy):
    X, graph = taxonomy
    pipeline = make_pipeline(
        StandardScaler(),
        BoxRelationEmbedder(
            box_dim=2,
            max_epochs=5,
            direction="container_to_member",
            transitive=True,
            random_state=0,
        ),
    ).fit(X, graph.reverse())
    display = RelationMatrixDisplay.from_estimator(pipeline)
    expected = nx.to_numpy_array(graph, nodelist=range(len(X)))
    np.testing.assert_array_equal(display.true, expected)
    again = RelationMatrixDisplay.from_estimator(pipeline, X, graph.reverse())
    np.testing.assert_array_equal(again.true, expected)
    np.testing.assert_allclose(display.predicted, again.predicted)


# -- bad input -------------------------------------------------------------------------
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


def test_bad_axes_and_estimators(embedder, named_taxonomy):
    _, axes = plt.subplots(1, 2)
    with pytest.raises(ValueError, match="predicted strengths are drawn in 1 Axes; got 2"):
        RelationMatrixDisplay(PREDICTED).plot(axes)
    display = RelationMatrixDisplay(PREDICTED, TRUE).plot(axes)
    assert display.ax_.tolist() == axes.tolist()
    with pytest.raises(NotFittedError):
        RelationMatrixDisplay.from_estimator(BoxRelationEmbedder())
    with pytest.raises(ValueError, match="got StandardScaler"):
        RelationMatrixDisplay.from_estimator(StandardScaler())
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
