"""Looks that the displays share: colours, fonts and legends."""

from typing import NamedTuple

import numpy as np
import pandas as pd

# Okabe and Ito's colours, without those that are too faint for a thin line.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
GREY = "#8C8C8C"
FONT, SMALLEST_FONT = 8.0, 5.0
PLAIN = {"parse_math": False, "usetex": False}  # names are no markup: "$5 to $10"


class Look(NamedTuple):
    """Colour of a task, and style of its lines and of its markers."""

    colour: str
    line: str = "-"
    marker: str = "o"


LOOKS = [*map(Look, COLOURS), *(Look(colour, "--", "s") for colour in COLOURS)]
OTHER = Look(GREY)


def group_looks(groups, n, marked=(), around=()):
    """Looks of n tasks, by group or else by highlight, and entries of the legend."""
    if groups is None:
        colours = dict.fromkeys(around, LOOKS[0]) | dict.fromkeys(marked, LOOKS[1])
        rest = OTHER if len(marked) else LOOKS[0]
        return [colours.get(i, rest) for i in range(n)], []
    groups = pd.Series(list(groups), dtype=getattr(groups, "dtype", None))
    # Categories keep their order, and other values are sorted.
    groups = groups.astype("category").cat.remove_unused_categories()
    frequent = set(groups.value_counts().index[: len(LOOKS)])
    shown = [group for group in groups.cat.categories if group in frequent]
    look = dict(zip(shown, LOOKS, strict=False))
    entries = [(shorten(group, 30), look[group]) for group in shown]
    n_left = len(groups.cat.categories) - len(shown)
    if n_left or groups.isna().any():
        entries.append((f"{n_left} other groups" if n_left else "no group", OTHER))
    return [look.get(group, OTHER) for group in groups], entries


def shorten(name, longest=32):
    """A name on one line, of a bounded length."""
    name = " ".join(str(name).split())
    if len(name) <= longest:
        return name
    head = (longest - 1) * 2 // 3
    return f"{name[:head]}…{name[head - longest + 1 :]}"


def legible(colour, dark=False):
    """A colour, in hexadecimal, that can be read as text on white, or on dark ground."""
    parts = (int(colour[k : k + 2], 16) for k in (1, 3, 5))
    return "#" + "".join(f"{round(0.6 * part + 102 * dark):02x}" for part in parts)


def background(where):
    """Colour behind Axes or a figure, in RGB; white where nothing is."""
    patches = [where.patch] if getattr(where, "axison", True) else []
    for patch in (*patches, where.figure.patch, where.figure.figure.patch):
        if patch.get_facecolor()[3] > 0.5:
            return patch.get_facecolor()[:3]
    return 1.0, 1.0, 1.0


def is_dark(where):
    """Whether Axes or a figure have a dark background."""
    return bool(np.dot(background(where), (0.21, 0.72, 0.07)) < 0.5)


def add_text(ax, text, xy, offset, **looks):
    """Text beside a point, in a halo; it takes no part in the layout."""
    from matplotlib.patheffects import withStroke

    halo = {"foreground": background(ax), "alpha": looks.pop("halo", 1.0), "linewidth": 2}
    looks["color"] = legible(looks["color"], is_dark(ax))
    looks |= {"xytext": offset, "textcoords": "offset points", "annotation_clip": False}
    made = ax.annotate(text, xy, path_effects=[withStroke(**halo)], **looks, **PLAIN)
    made.set_in_layout(False)
    return made


def add_legend(owner, handles, on=None, **place):
    """A legend of Axes or a figure that stands on these, or on others."""
    looks = {"labelcolor": "white" if is_dark(on or owner) else "black", "fontsize": 8}
    # The labels come last: as arguments, those with a leading underscore may be left out.
    legend = owner.legend(handles, [" "] * len(handles), frameon=False, **looks, **place)
    for text, handle in zip(legend.get_texts(), handles, strict=True):
        text.set(text=handle.get_label(), **PLAIN)
    return legend


def lay_out(axes, handles=(), own=True):
    """Give axes their final size, which decides what fits, beside a legend if any."""
    ax, figure = axes[-1], axes[-1].figure
    has_engine = figure.get_layout_engine() is not None
    if handles and own:
        add_legend(figure, handles, loc="outside right upper")
    elif handles:
        place = {"loc": "upper left", "bbox_to_anchor": (1, 1), "borderaxespad": 0}
        legend = add_legend(ax, handles, on=figure, **place)
        if not has_engine:  # else the engine makes room
            taken = legend.get_window_extent().width / figure.bbox.width
            x0, y0, width, height = ax.get_position().bounds
            ax.set_position([x0, y0, max(width - taken, width / 3), height])
    if has_engine:
        figure.figure.draw_without_rendering()  # of a subfigure: the whole one
