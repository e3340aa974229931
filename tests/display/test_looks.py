"""What the displays look like: names as they are, and texts that styles let one read."""

import matplotlib.pyplot as plt
import networkx as nx
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.text import Text

from sklearn_task2box.display import (
    BoxDisplay,
    HierarchyDisplay,
    RelationMatrixDisplay,
    TrainingDisplay,
)
from tests.display.drawn import legend_of

# Names that matplotlib or TeX would read as markup, and the legend would leave out.
NAMES = ["$5 to $10", r"$\foo$", "_hidden", "50% & up_to {x}"]
BOXES = np.array([[0, 0, 9, 9], [1, 1, 4, 4], [2, 2, 3, 3], [5, 5, 8, 7]], dtype=float)
EDGES = [(1, 0), (2, 1), (3, 0)]


def boxes(ax=None, groups=NAMES, **options):
    return BoxDisplay(BOXES, NAMES, groups).plot(ax, labels="all", **options)


def highlighted(ax=None):
    return boxes(ax, groups=["a", "a", "b", "b"], highlight=NAMES[2:])


def hierarchy(ax=None):
    graph = nx.DiGraph([(NAMES[i], NAMES[j], {"weight": 1 - i / 5}) for i, j in EDGES])
    graph.add_node("alone")
    truth = nx.DiGraph([(NAMES[1], NAMES[0]), (NAMES[3], NAMES[1])])
    truth.add_nodes_from(graph)
    return HierarchyDisplay(graph, [*NAMES, "more"], truth).plot(ax, labels="all")


def matrix(ax=None):
    strengths = np.eye(4)
    strengths[1, 0], strengths[2, 3] = 1, np.nan
    return RelationMatrixDisplay(strengths, None, NAMES).plot(ax)


def training(ax=None):
    losses = [{"epoch": k, "train_loss": 90.0**k, "$a$_b$_loss": 2.0} for k in (1, 2, 3)]
    return TrainingDisplay([row | {"valid_score": 0.5} for row in losses]).plot(ax)


every_display = pytest.mark.parametrize(
    "draw", [boxes, highlighted, hierarchy, matrix, training]
)


def texts(display):
    """All texts that can be seen, after drawing."""
    display.figure_.draw_without_rendering()
    found = display.figure_.findobj(Text)
    return [one for one in found if one.get_visible() and one.get_text().strip()]


@every_display
def test_names_are_no_markup(draw):
    names = {*NAMES, "$a$ b$ loss"}
    drawn = [text for text in texts(draw()) if text.get_text() in names]
    assert drawn
    assert not any(text.get_parse_math() or text.get_usetex() for text in drawn)


@pytest.mark.parametrize("draw", [boxes, hierarchy])
def test_legends_show_all_groups_as_they_are(draw):
    assert set(NAMES) <= set(legend_of(draw()))


def luminance(colour):
    linear = [c / 12.92 if c <= 0.04 else ((c + 0.055) / 1.055) ** 2.4 for c in colour]
    return np.dot(linear, (0.2126, 0.7152, 0.0722))


def contrast(text, figure):
    """Contrast of a text with what it stands on, by the formula of WCAG 2."""
    on = text.axes.patch if text.axes is not None and text.axes.axison else figure.patch
    spot = text.get_window_extent().get_points().mean(axis=0)
    if text.axes is not None and not text.axes.get_window_extent().contains(*spot):
        on = figure.patch
    pair = [luminance(to_rgb(colour)) + 0.05 for colour in (text.get_color(), on.get_fc())]
    return max(pair) / min(pair)


# The least contrast; Solarize and grayscale have grounds that are not white themselves.
STYLES = {"default": 4.5, "dark_background": 4.5, "ggplot": 4.5}
STYLES |= {"Solarize_Light2": 4.0, "grayscale": 3.0}


@every_display
@pytest.mark.parametrize(("style", "least"), STYLES.items())
def test_texts_can_be_read_in_every_style(draw, style, least):
    with plt.style.context(style):
        display = draw()
        found = {one.get_text(): contrast(one, display.figure_) for one in texts(display)}
    assert min(found.values()) > least, found


@every_display
def test_a_legend_can_be_read_on_axes_of_another_style(draw):
    n_axes = {training: 2}.get(draw, 1)
    with plt.style.context("dark_background"):
        axes = plt.subplots(n_axes)[1]
    display = draw(axes)
    assert min(contrast(one, display.figure_) for one in texts(display)) > 4.5


@pytest.mark.parametrize("draw", [boxes, hierarchy])
@pytest.mark.parametrize("style", ["default", "dark_background"])
def test_halos_have_the_colour_of_the_background(draw, style):
    with plt.style.context(style):
        display = draw()
    behind = to_rgb("black" if style == "dark_background" else "white")
    for text in display.texts_:
        (halo,) = text.get_path_effects()
        assert to_rgb(halo._gc["foreground"]) == behind


@every_display
def test_grids_and_edges_can_be_seen_on_black(draw):
    with plt.style.context("dark_background"):
        display = draw()
    lines = [line for ax in display.figure_.axes for line in ax.get_lines()]
    assert all(luminance(to_rgb(line.get_color())) > 0.04 for line in lines)
