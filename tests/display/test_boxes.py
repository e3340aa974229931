"""BoxDisplay: the rectangles, their scales and labels, and errors for bad input."""

import pickle

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.pipeline import make_pipeline

from sklearn_task2box.display import BoxDisplay

from .drawn import extents, legend_of, n_overlaps, texts_of

BOXES = np.array([[0, 0, 9, 9], [1, 1, 4, 4], [2, 2, 3, 3], [5, 5, 8, 7]], dtype=float)
NAMES = ["animal", "dog", "poodle", "cat"]


def make_nested(box_dim, n=12, seed=0):
    """Boxes of sides between 1e-4 and 1e4, in one another or apart."""
    rng = np.random.RandomState(seed)
    centres = rng.normal(size=(n, box_dim))
    sides = 10.0 ** rng.uniform(-4, 4, size=(n, 1)) * rng.uniform(1, 2, size=(n, box_dim))
    return np.hstack([centres - sides, centres + sides])


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


def test_large_boxes_lie_behind_small_ones(ax):
    display = BoxDisplay(BOXES[::-1], NAMES[::-1]).plot(ax)
    heights = [patch.get_zorder() for patch in display.patches_[0]]
    assert np.argsort(heights).tolist() == [3, 2, 0, 1]  # animal, dog, cat, poodle


@pytest.mark.parametrize("fixture", ["embedder", "distilled"])
def test_boxes_of_the_tasks_of_training(fixture, request, ax):
    model = request.getfixturevalue(fixture)
    display = BoxDisplay.from_estimator(model, labels="none", ax=ax)
    np.testing.assert_array_equal(display.boxes, model.boxes_)
    assert display.names.tolist() == model.tasks_.tolist()
    assert len(display.ax_.patches) == len(model.boxes_)


def test_boxes_of_the_tasks_of_X(embedder, named_taxonomy):
    X = named_taxonomy[0].iloc[3:9]
    display = BoxDisplay.from_estimator(embedder, X, labels="all")
    np.testing.assert_array_equal(display.boxes, embedder.transform(X))
    assert sorted(texts_of(display.texts_)) == sorted(X.index)
    unnamed = BoxDisplay.from_estimator(embedder, X.reset_index(drop=True), labels="all")
    assert sorted(texts_of(unnamed.texts_)) == list("012345")


def test_highlight_takes_containers_from_the_predictions(embedder, named_taxonomy, ax):
    task = embedder.tasks_[7]
    related = embedder.predict(named_taxonomy[0].loc[[task]])[0]
    assert 1 < related.sum() < len(related)
    display = BoxDisplay.from_estimator(embedder, highlight=task, labels="none", ax=ax)
    outlined = embedder.tasks_[np.array(line_widths(display)) > 0.9]
    assert set(outlined) == {*embedder.tasks_[related], task}


def test_pipeline_keeps_names_that_a_step_loses(pipeline, named_taxonomy, ax):
    X = named_taxonomy[0].iloc[:7]
    display = BoxDisplay.from_estimator(pipeline, X, labels="none", ax=ax)
    assert display.names.tolist() == X.index.tolist()
    np.testing.assert_array_equal(display.boxes, pipeline.transform(X))
    nested = make_pipeline(pipeline[0], make_pipeline(pipeline[-1]))
    same = BoxDisplay.from_estimator(nested, X, labels="none", ax=ax)
    np.testing.assert_array_equal(same.boxes, display.boxes)


def test_groups_have_colours_and_a_legend(ax):
    display = BoxDisplay(BOXES, NAMES, groups=["pet", "dog", "dog", None]).plot(ax)
    assert legend_of(display) == ["dog", "pet", "no group"]
    colours = [patch.get_edgecolor() for patch in display.patches_[0]]
    assert colours[1] == colours[2]
    assert len(set(colours)) == 3


def test_a_series_of_groups_names_the_tasks():
    groups = pd.Series(["pet", "dog", "cat", "dog"], index=NAMES)
    drawn = BoxDisplay(BOXES, NAMES, groups)
    turned = BoxDisplay(BOXES, NAMES, groups[::-1])
    assert list(turned.groups) == list(drawn.groups) == list(groups)
    unnamed = pd.Series(list(groups), index=[7, 8, 9, 10])  # in the order of the tasks
    assert list(BoxDisplay(BOXES, NAMES, unnamed).groups) == list(groups)
    shuffled = pd.Series(list(groups), index=[2, 0, 3, 1])  # rows that had other places
    assert list(BoxDisplay(BOXES, None, shuffled).groups) == list(groups)
    with pytest.raises(ValueError, match="index of groups names tasks, but lacks"):
        BoxDisplay(BOXES, NAMES, groups.rename({NAMES[3]: "typo"}))
    with pytest.raises(ValueError, match="index of groups names tasks, but repeats"):
        BoxDisplay(BOXES, NAMES, groups.iloc[[0, 1, 2, 3, 3]])


def test_what_lies_inside_may_be_sparse(ax):
    inside = np.eye(4, dtype=bool)
    inside[3, 0] = True
    widths = [
        line_widths(BoxDisplay(BOXES, NAMES, inside=table).plot(ax, highlight=NAMES[3]))
        for table in (inside, sparse.csr_array(inside), sparse.coo_matrix(inside))
    ]
    assert widths[0] == widths[1] == widths[2]
    with pytest.raises(ValueError, match=r"inside must have the shape \(4, 4\)"):
        BoxDisplay(BOXES, NAMES, inside=sparse.csr_array(np.eye(3)))


def test_categorical_groups_keep_their_order(ax):
    groups = pd.Categorical(["b", "a", "a", "b"], categories=["b", "unused", "a"])
    assert legend_of(BoxDisplay(BOXES, NAMES, groups).plot(ax)) == ["b", "a"]


def test_more_groups_than_can_be_told_apart(ax):
    boxes = make_nested(2, n=30)
    groups = (
        [f"g{i:02d}" for i in range(14)] + [f"g{i:02d}" for i in range(12)] + ["g00"] * 4
    )
    display = BoxDisplay(boxes, groups=groups).plot(ax)
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
def test_highlight_shades_a_box_and_outlines_its_containers(highlight, ax):
    display = BoxDisplay(BOXES, NAMES).plot(ax, highlight=highlight)
    opacity, width = opacities(display), line_widths(display)
    assert np.argmax(opacity) == 2
    assert opacity[2] > 3 * opacity[0]
    assert min(width[0], width[1], width[2]) > 1.5 * width[3]
    assert legend_of(display) == ["poodle", "contains it"]
    assert texts_of(display.texts_)[:2] == ["poodle", "animal"]


def test_highlight_of_several(ax):
    display = BoxDisplay(BOXES, NAMES, groups=list("aabb")).plot(
        ax, highlight=["poodle", "cat"]
    )
    assert legend_of(display) == ["a", "b", "highlighted", "contains one of them"]
    assert np.sort(np.argsort(opacities(display))[-2:]).tolist() == [2, 3]


def test_names_that_are_numbers_come_before_positions(ax):
    display = BoxDisplay(BOXES, [3, 2, 1, 0]).plot(ax, highlight=3, labels="none")
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
    display = BoxDisplay(make_nested(box_dim)).plot(labels="none")
    assert display.dimensions_ == expected
    axes = np.atleast_1d(display.ax_)
    assert len(display.figure_.axes) == len(axes) == len(expected)
    assert display.patches_.shape == (len(expected), 12)
    for ax, dims in zip(axes, expected, strict=True):
        assert ax.get_xlabel().startswith(f"dimension {dims[0]}")
        if len(dims) == 2:
            assert ax.get_ylabel().startswith(f"dimension {dims[1]}")


def test_small_multiples_have_one_legend():
    display = BoxDisplay(make_nested(3), groups=[2, 1, 0] * 4).plot(labels="none")
    assert legend_of(display) == ["0", "1", "2"]


def test_small_multiples_in_given_axes():
    _, axes = plt.subplots(1, 3)
    display = BoxDisplay(make_nested(3)).plot(axes, labels="none")
    assert display.ax_.tolist() == axes.tolist()
    with pytest.raises(
        ValueError, match=r"3 Axes, for the dimensions \(0, 1\), .*got 1. Pass 3"
    ):
        BoxDisplay(make_nested(3)).plot(axes[0])


def test_one_dimension_puts_members_below_containers(ax):
    display = BoxDisplay([[0, 9], [1, 4], [2, 3], [5, 8], [20, 21]]).plot(ax)
    tops = [patch.get_bbox().y1 for patch in display.patches_[0]]
    assert tops[0] > tops[1] > tops[2]
    assert tops[3] == tops[1]
    assert tops[4] == tops[0]


@pytest.mark.parametrize("spacing", ["linear", "log", "even"])
def test_nested_boxes_are_drawn_nested(spacing, ax):
    boxes = make_nested(2, n=20)
    display = BoxDisplay(boxes).plot(ax, spacing=spacing, labels="none")
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


def test_auto_spacing_draws_to_scale_where_it_can(ax):
    assert BoxDisplay(BOXES).plot(ax).ax_.get_xscale() == "linear"


@pytest.mark.parametrize("spacing", ["linear", "log", "even"])
def test_labels_do_not_overlap_nor_leave_the_axes(spacing):
    names, groups = [f"task {i}" for i in range(30)], np.arange(30) % 3
    low, sides = np.random.RandomState(0).uniform(size=(2, 30, 2))
    boxes = np.hstack([low, low + sides**3])
    display = BoxDisplay(boxes, names, groups).plot(spacing=spacing)
    assert len(display.texts_) > 8
    found = extents(display.texts_, display.figure_)
    assert n_overlaps(found) == 0
    frame = display.ax_.get_window_extent()
    for box in found:
        assert frame.x0 - 1 <= box.x0
        assert box.x1 <= frame.x1 + 1
        assert frame.y0 - 1 <= box.y0
        assert box.y1 <= frame.y1 + 1


def test_labels_do_not_overlap_in_small_multiples():
    names = [f"task number {i}" for i in range(20)]
    display = BoxDisplay(make_nested(3, n=20), names).plot(highlight=3)
    assert len(display.texts_) > 3
    assert n_overlaps(extents(display.texts_, display.figure_)) == 0


def test_labels_do_not_overlap_in_subfigures():
    names = [f"task number {i}" for i in range(20)]
    figure = plt.figure(figsize=(9, 4), layout="constrained")
    parts = figure.subfigures(1, 2)
    display = BoxDisplay(make_nested(2, n=20), names).plot(parts[1].subplots())
    assert display.texts_
    assert n_overlaps(extents(display.texts_, figure)) == 0


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
def test_which_labels(labels, expected, ax):
    display = BoxDisplay(BOXES, NAMES).plot(ax, labels=labels)
    assert sorted(texts_of(display.texts_)) == expected


def test_names_are_drawn_as_they_are(ax):
    names = ["$x_1", "a\nb", "y" * 200, 1.5]
    display = BoxDisplay(BOXES, names).plot(ax, labels="all")
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
