"""Labels of boxes: where each is least mistaken for that of another box."""

import numpy as np

from sklearn_task2box.display._looks import add_text


def label_boxes(ax, patches, names, order, *, limits, bold, forced, font):
    """Label boxes one after the other, in the given order of their positions.

    A label that covers another, leaves the axes, or meets more than ``limits[i]`` boxes
    that do not surround its own is left out or, where ``forced``, where it is least bad.
    """
    from matplotlib.colors import to_hex

    point = ax.figure.dpi / 72
    frame = ax.get_window_extent().extents[None]
    corners = np.array([patch.get_window_extent().extents for patch in patches])
    areas = (corners[:, 2:] - corners[:, :2]).prod(axis=1)
    strength = np.array([patch.get_edgecolor()[3] for patch in patches])
    texts, taken = [], np.empty((0, 4))
    for i in order if forced else order[:400]:  # more would not fit anyway
        looks = {"fontsize": font, "fontweight": "bold" if i in bold else "normal"}
        looks |= {"va": "bottom", "ha": "left", "halo": 0.8, "zorder": 5}
        looks["color"] = to_hex(patches[i].get_edgecolor())
        looks["alpha"] = 1.0 if strength[i] > 0.5 else 0.6
        text = add_text(ax, names[i], (0, 0), (0, 0), **looks)
        spots, turned = _spots(corners[i], text.get_window_extent().size, 2.5 * point)
        area = (spots[-1, 2:] - spots[-1, :2]).prod()
        margin = np.array([-1, -1, 1, 1]) * point
        covered = _shared_area(spots + margin, taken).sum(axis=1)
        outside = area - _shared_area(spots, frame)[:, 0]
        lost = covered + outside * (outside > 0.5)
        centre = np.tile((corners[i, :2] + corners[i, 2:]) / 2, 2)[None]
        around = _contains(corners, centre)[:, 0] & (areas > areas[i])
        # Faint boxes count only for the labels of faint ones.
        meets = (_shared_area(spots, corners) > 0) & (strength >= strength[i] / 2)
        meets &= ~(_contains(corners, spots).T & around)
        meets[:, i] = False
        meets = meets.sum(axis=1)
        if not forced:
            good = (lost == 0) & (meets <= limits[i])
            spots, turned, lost, meets = spots[good], turned[good], lost[good], meets[good]
        if not len(spots):
            text.remove()
            continue
        best = np.argmin(lost * len(corners) + meets + 0.01 * np.arange(len(spots)))
        spot = spots[best]
        taken = np.vstack([taken, spot])
        text.set_rotation(90 if turned[best] else 0)
        # The nearest corner of the box is the anchor, so that zooming moves both alike.
        far = (spot[:2] + spot[2:]) / 2 > centre[0, :2]
        pixel = np.where(far, corners[i, 2:], corners[i, :2])
        text.xy = ax.transData.inverted().transform(pixel)
        text.set_position((spot[:2] - pixel) / point)
        texts.append(text)
    return texts


def _spots(box, size, pad):
    """Corners of places for a label, in its box and around it, and which are turned."""
    low, high = box[:2], box[2:]
    fits, turned = [(high - low >= s + 2 * pad).all() for s in (size, size[::-1])]
    spots = np.empty((0, 4))
    if fits or turned:
        inner = size if fits else size[::-1]
        first, last = low + pad, high - pad - inner
        steps = np.array([0, 1, 0.5, 0.25, 0.75])
        across = first[0] + (last[0] - first[0]) * steps
        up = last[1] + (first[1] - last[1]) * steps
        spots = np.array([(x, y, x + inner[0], y + inner[1]) for y in up for x in across])
    middle = (low + high - size) / 2
    right, left = high[0] + pad, low[0] - pad - size[0]
    above, below = high[1] + pad / 2, low[1] - pad / 2 - size[1]
    across = (middle[0], low[0], high[0] - size[0], right, left)
    outer = [(right, middle[1]), (left, middle[1])]
    outer += [(x, y) for x in across for y in (above, below)]
    turned = (np.arange(len(spots) + len(outer)) < len(spots)) & (not fits)
    return np.vstack([spots, np.column_stack([outer, outer + size])]), turned


def _shared_area(some_boxes, others):
    """Areas of the intersections of (n, 4) and (m, 4) corners, of shape (n, m)."""
    low = np.maximum(some_boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(some_boxes[:, None, 2:], others[None, :, 2:])
    return np.maximum(high - low, 0).prod(axis=2)


def _contains(outer, inner):
    """Whether each of (n, 4) corners contains each of (m, 4), of shape (n, m)."""
    low = outer[:, None, :2] <= inner[None, :, :2]
    return (low & (outer[:, None, 2:] >= inner[None, :, 2:])).all(axis=2)
