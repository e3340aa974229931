"""Looks that the displays share: colours, fonts and legends."""

import pandas as pd

# Okabe and Ito's colours, without those that are too faint for a thin line.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
STYLES = (("-", "o"), ("--", "s"))  # of lines and markers, once the colours are used up
GREY = "#8C8C8C"
FONT, SMALLEST_FONT = 8.0, 5.0
LONGEST = 32


class Palette:
    """Colour and style (of lines, of markers) of each task, and entries of the legend."""

    def __init__(self, groups, n):
        self.entries = []
        plain = GREY, STYLES[0]
        if groups is None:
            self.colours, self.styles = [COLOURS[0]] * n, [STYLES[0]] * n
            return
        looks = [(colour, style) for style in STYLES for colour in COLOURS]
        groups = pd.Series(list(groups), dtype=getattr(groups, "dtype", None))
        groups = groups.astype("category")  # whose values are sorted, if they were none
        counts = groups.value_counts()
        counts = counts[counts > 0]
        frequent = set(counts.index[: len(looks)])
        shown = [group for group in groups.cat.categories if group in frequent]
        look = dict(zip(shown, looks, strict=False))
        self.entries = [(shorten(group, 30), *look[group]) for group in shown]
        n_left = len(counts) - len(shown)
        if n_left or groups.isna().any():
            label = f"{n_left} other groups" if n_left else "no group"
            self.entries.append((label, *plain))
        drawn = [plain if pd.isna(group) else look.get(group, plain) for group in groups]
        self.colours, self.styles = map(list, zip(*drawn, strict=True))


def shorten(name, longest):
    """A name on one line, of a bounded length."""
    name = " ".join(str(name).split())
    if len(name) <= longest:
        return name
    head = (longest - 1) * 2 // 3
    return f"{name[:head]}…{name[head - longest + 1 :]}"


def darker(colour):
    """Dark enough to read as text on white."""
    from matplotlib.colors import to_rgb

    return tuple(0.6 * c for c in to_rgb(colour))


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
