"""Corners of boxes, and the scales of the axes that show them."""

from itertools import combinations

import numpy as np

from sklearn_task2box.display._inputs import check_option


class Corners:
    """Corners of boxes, the scales that show them, and the order of the boxes by size."""

    def __init__(self, boxes, spacing):
        check_option(spacing, ("auto", "linear", "log", "even"), "spacing")
        self.lower, self.upper = np.hsplit(boxes, 2)
        sides = self.upper - self.lower
        # A side of length 0 counts as the smallest float.
        self.log_volumes = np.log(np.maximum(sides, np.finfo(float).tiny)).sum(axis=1)
        self.order = np.argsort(-self.log_volumes, kind="stable")
        if spacing == "auto":
            extent = self.upper.max(axis=0) - self.lower.min(axis=0)
            quartiles = np.quantile(sides / np.where(extent > 0, extent, 1.0), 0.25, axis=0)
            # Many boxes may be too small to be seen.
            spacing = "log" if (quartiles < 0.025).any() else "linear"
        corners = zip(self.lower.T, self.upper.T, strict=True)
        self.scales = [Scale(values, spacing) for values in corners]

    def dimension_pairs(self):
        """Pairs of dimensions to draw: all of them up to four, else consecutive ones."""
        n = len(self.scales)
        if n <= 4:
            return list(combinations(range(n), min(n, 2)))
        return [(k, k + 1) for k in sorted({*range(0, n - 1, 2), n - 2})]

    def rows(self):
        """Row of each box of one dimension: below all larger ones that it overlaps."""
        low, high = self.lower[:, 0], self.upper[:, 0]
        rows = np.zeros(len(low), dtype=int)
        for rank, i in enumerate(self.order):
            before = self.order[:rank]
            over = before[(low[before] < high[i]) & (low[i] < high[before])]
            rows[i] = rows[over].max(initial=-1) + 1
        return rows


class Scale:
    """Monotone scale of an axis that evens out the gaps between corners."""

    def __init__(self, corners, spacing):
        knots = np.unique(corners)
        if len(knots) < 2:  # boxes without any extent
            knots = knots[0] + np.array([-0.5, 0.5])
        lengths = gaps = np.diff(knots)
        if spacing == "log":
            lengths = np.log1p(gaps / np.quantile(gaps, 0.1))
        elif spacing == "even":
            lengths = np.ones(len(gaps))
        self.spacing, self.knots = spacing, knots
        # Interpolation needs a gap also where rounding leaves none.
        lengths = lengths / lengths.sum() + 1e-12
        self.marks = np.append(0, np.cumsum(lengths)) / lengths.sum()

    def forward(self, values):
        """Places on the axis of coordinates; the extent of all corners is 1."""
        return _interpolated(values, self.knots, self.marks)

    def inverse(self, marks):
        """Coordinates of places on the axis."""
        return _interpolated(marks, self.marks, self.knots)

    def ticks(self, n):
        """Round numbers about evenly spaced on the axis."""
        ticks = []
        for mark in (np.arange(n) + 0.5) / n:
            low, middle, high = self.inverse(mark + np.array([-0.25, 0, 0.25]) / n)
            rounded = (round(float(middle), digits) for digits in range(-20, 13))
            fitting = [tick + 0.0 for tick in rounded if low <= tick <= high]  # no -0
            ticks += fitting[:1]
        return np.unique(ticks)

    def apply(self, axis, label):
        """Give a matplotlib axis this scale, its limits, ticks and label."""
        ax, way = axis.axes, axis.axis_name
        if self.spacing != "linear":
            scale = {"functions": (self.forward, self.inverse)}
            getattr(ax, f"set_{way}scale")("function", **scale)
            inches = ax.get_window_extent().size["xy".index(way)] / ax.figure.dpi
            ticks = self.ticks(5 if inches > 4 else 3)
            axis.set_ticks(ticks, [_number(tick) for tick in ticks])
            axis.set_ticks([], minor=True)
            label += f" ({self.spacing} gaps)"
        axis.set_label_text(label)
        getattr(ax, f"set_{way}lim")(*self.inverse(np.array([-0.02, 1.02])))


def _interpolated(values, known, images):
    """Linear between the known values and, at the mean slope, beyond them."""
    values = np.asarray(values, dtype=float)
    beyond = values - np.clip(values, known[0], known[-1])
    slope = np.ptp(images) / np.ptp(known)
    return np.interp(values, known, images) + slope * beyond


def _number(tick):
    text = f"{tick:.5g}".replace("e+0", "e").replace("e+", "e")
    return text.replace("e-0", "e-").replace("-", "\N{MINUS SIGN}")
