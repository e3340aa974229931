"""Looks that the displays share: colours, fonts and legends."""

from typing import NamedTuple

import pandas as pd

# Okabe and Ito's colours, without those that are too faint for a thin line.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
GREY = "#8C8C8C"
FONT, SMALLEST_FONT = 8.0, 5.0
LONGEST = 32


class Look(NamedTuple):
    """Colour of a task, and style of its lines and of its markers."""

    colour: str
    line: str = "-"
    marker: str = "o"


LOOKS = [*map(Look, COLOURS), *(Look(colour, "--", "s") for colour in COLOURS)]
OTHER = Look(GREY)


def group_looks(groups, n):
    """Looks of n tasks, and entries of the legend: labels and looks."""
    if groups is None:
        return [LOOKS[0]] * n, []
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


def shorten(name, longest):
    """A name on one line, of a bounded length."""
    name = " ".join(str(name).split())
    if len(name) <= longest:
        return name
    head = (longest - 1) * 2 // 3
    return f"{name[:head]}…{name[head - longest + 1 :]}"


def darker(colour):
    """A colour, in hexadecimal, dark enough to read as text on white."""
    parts = (int(colour[k : k + 2], 16) for k in (1, 3, 5))
    return "#" + "".join(f"{round(0.6 * part):02x}" for part in parts)


def add_text(ax, text, xy, offset, **looks):
    """Text beside a point, in a white halo; it takes no part in the layout."""
    from matplotlib.patheffects import withStroke

    halo = {"linewidth": 2, "foreground": "white", "alpha": looks.pop("halo", 1.0)}
    looks |= {"parse_math": False, "annotation_clip": False}
    looks |= {"xytext": offset, "textcoords": "offset points"}
    made = ax.annotate(text, xy, path_effects=[withStroke(**halo)], **looks)
    made.set_in_layout(False)
    return made


def add_legend(axes, handles, own):
    """Put the legend beside the axes, where it covers nothing."""
    if not handles:
        return
    looks = {"handles": handles, "fontsize": 8, "frameon": False}
    ax, figure = axes[-1], axes[-1].figure
    if own:
        figure.legend(loc="outside right upper", **looks)
        return
    legend = ax.legend(loc="upper left", bbox_to_anchor=(1, 1), borderaxespad=0, **looks)
    if figure.get_layout_engine() is None:  # else the engine makes room
        taken = legend.get_window_extent().width / figure.bbox.width
        box = ax.get_position()
        ax.set_position([box.x0, box.y0, max(box.width - taken, box.width / 3), box.height])


def lay_out(ax):
    """Give axes their final size, which decides what fits."""
    figure = ax.figure.figure  # of a subfigure: the whole one
    if figure.get_layout_engine() is not None:
        figure.draw_without_rendering()
