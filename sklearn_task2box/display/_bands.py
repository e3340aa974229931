"""Bands of a hierarchy: a strip of the picture per row, as high as its longest label."""

from itertools import pairwise

import numpy as np

from sklearn_task2box.display._looks import FONT, GREY, PLAIN, SMALLEST_FONT, add_text


class Bands:
    """Places, in pixels, of the rows of ``Layers`` in axes of their final size."""

    def __init__(self, ax, place, names, wanted, n_members, forced):
        self.ax, self.place, self.names = ax, place, names
        extent = ax.get_window_extent()
        self.point = ax.figure.dpi / 72
        self.unit = extent.width / (place.right - place.left)
        # Room for the markers of the first and the last layer.
        room = extent.height - 8 * self.point
        gaps = len(place.rows) - 1
        least = 14 * self.point * gaps
        largest = min(FONT, self.unit / self.point / 1.25)
        for font in np.arange(max(largest, SMALLEST_FONT), SMALLEST_FONT - 0.01, -0.5):
            self.font = font
            sizes = {i: self._text_size(names[i]) for i in wanted}
            # Sizes of the labels of each row, and whether they are turned by 90 degrees.
            self.labels = [self._fit(k, sizes, n_members, forced) for k in range(gaps + 1)]
            heights = [self._height(*labels) for labels in self.labels]
            if sum(heights) + least <= room:
                break
        while not forced and any(heights) and sum(heights) + least > room:
            worst = int(np.argmax(heights))
            self.labels[worst], heights[worst] = ({}, False), 0.0
        gap = max((room - sum(heights)) / max(gaps, 1), 3 * self.point)
        self.tops = 4 * self.point + np.cumsum([0, *(np.array(heights) + gap)])[:-1]
        self.bottoms = self.tops + heights
        ax.set_xlim(place.left, place.right)
        ax.set_ylim(max(self.bottoms[-1] + 4 * self.point, extent.height), 0)

    def _text_size(self, name):
        text = self.ax.text(0, 0, name, fontsize=self.font, **PLAIN)
        size = text.get_window_extent().size
        text.remove()
        return size

    def _fit(self, k, sizes, n_members, forced):
        place, unit = self.place, self.unit
        sizes = {i: sizes[i] for i in place.rows[k] if i in sizes}
        if not sizes:
            return {}, False
        row = place.order[k] if k < place.n_layers else []
        bends = [place.x[bend] for bend in row if bend not in place.level]
        spans = [(x, x) for x in (place.left, place.right, *bends)]
        for i, (width, _) in sizes.items():
            spans.append((place.x[i] - width / unit / 2, place.x[i] + width / unit / 2))
        apart = 6 * self.point / unit
        if all(a[1] + apart <= b[0] or a == b for a, b in pairwise(sorted(spans))):
            return sizes, False
        if forced:
            return sizes, True
        kept = {}
        for i in sorted(sizes, key=lambda i: (-n_members[i], place.x[i])):
            free = (sizes[i][1] + self.point) / unit
            if all(abs(place.x[i] - place.x[j]) >= free for j in kept):
                kept[i] = sizes[i]
        return kept, True

    def _height(self, sizes, turned):
        longest = max((size[0 if turned else 1] for size in sizes.values()), default=0.0)
        return longest + 6 * self.point if sizes else 0.0

    def draw(self, edges, lines, looks):
        """Draw markers, a line for each edge, and labels, which are returned."""
        from matplotlib.collections import PathCollection

        ax, x, point, rows = self.ax, self.place.x, self.point, self.place.rows
        y, below, texts = {}, {}, []
        for top, nodes, (sizes, turned) in zip(self.tops, rows, self.labels, strict=True):
            for i in nodes:
                y[i] = below[i] = top
                if i not in sizes:
                    continue
                below[i] = top + 5 * point + sizes[i][0 if turned else 1]
                style = {"fontsize": self.font, "color": looks[i].colour}
                style |= {"ha": "center", "va": "top", "rotation": 90 if turned else 0}
                text = add_text(ax, self.names[i], (x[i], top), (0, -5), zorder=4, **style)
                texts.append(text)
        thin = np.clip(self.unit / point / 6, 0.3, 1.0)
        paths = PathCollection(
            [self._path(top, bottom, below) for bottom, top in edges],
            facecolors="none",
            edgecolors=[line["color"] for line in lines],
            linewidths=[thin * line["lw"] for line in lines],
            linestyles=[line["ls"] for line in lines],
            zorder=1,
        )
        ax.add_collection(paths, autolim=False)
        size = np.clip(0.6 * self.unit / point, 1.0, 4.0) ** 2
        for look in dict.fromkeys(looks):
            same = [i for i in y if looks[i] == look]
            places = [x[i] for i in same], [y[i] for i in same]
            ax.scatter(*places, s=size, color=look.colour, marker=look.marker, zorder=5)
        self._draw_divider()
        return texts

    def _draw_divider(self):
        """Draw a line above the tasks without relations, and their number."""
        n = self.place.n_layers
        if not 0 < n < len(self.place.rows):
            return
        middle = (self.bottoms[n - 1] + self.tops[n]) / 2
        self.ax.axhline(middle, color=GREY, lw=0.6, ls=":")
        note = f"{sum(map(len, self.place.rows[n:]))} without relations"
        looks = {"fontsize": 7, "color": GREY, "va": "bottom"}
        add_text(self.ax, note, (self.place.left, middle), (0, 1), **looks)

    def _path(self, top, bottom, below):
        """From below the label of a task down to a member, straight within each band."""
        from matplotlib.path import Path

        here, level = self.place.x[top], self.place.level[top]
        points, codes = [(here, below[top])], [Path.MOVETO]
        for k, node in enumerate([*self.place.chains[top, bottom], bottom], level):
            start, end = self.bottoms[k], self.tops[k + 1]
            middle, there = (start + end) / 2, self.place.x[node]
            points += [(here, start), (here, middle), (there, middle), (there, end)]
            codes += [Path.LINETO, Path.CURVE4, Path.CURVE4, Path.CURVE4]
            here = there
        return Path(points, codes)
