"""A page to explore boxes in a browser: one file that makes no requests."""

import html
import json
from decimal import Decimal
from importlib.resources import files

import numpy as np

from sklearn_task2box.display._looks import group_looks, legible
from sklearn_task2box.utils._optional import import_optional

DASHES = {"-": "solid", "--": "dash"}  # matplotlib's styles, by plotly's names


def make_page(title, *data):
    """The page, as text, of what :func:`page_data` takes."""
    plotly = import_optional("plotly.offline", "BoxDisplay.to_html", extra="explore")
    static = files("sklearn_task2box.display").joinpath("static")
    kinds = ("html", "css", "js")
    page, style, script = (static.joinpath(f"page.{k}").read_text("utf-8") for k in kinds)
    # The policy in page.html blocks all requests, whatever the scripts do. Names reach the
    # page as text nodes only, and plotly, which reads markup in texts, gets them escaped.
    parts = {"title": html.escape(title), "data": as_script(page_data(*data))}
    return page.format(style=style, script=script, plotly=plotly.get_plotlyjs(), **parts)


def as_script(data):
    """JSON that neither ends the script element it stands in nor starts another."""
    text = json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.translate({ord(one): f"\\u{ord(one):04x}" for one in "<>&"})


def page_data(corners, names, groups, around):
    """What the script of the page reads; ``around`` lists the containers of each task."""
    flat = (corners.lower == corners.upper).any(axis=1)
    rank = np.argsort(corners.order)
    looks, entries = group_looks(groups, len(names))
    labels, shown = zip(*entries or [("", looks[0])], strict=True)
    group = np.array([shown.index(look) for look in looks])
    return {
        "names": [str(name) for name in names],
        "n_dimensions": len(corners.scales),
        "scales": _scales(corners),
        "grouped": groups is not None,
        "groups": [
            {"label": label, "colour": c, "dark": legible(c), "dash": DASHES[line]}
            for label, (c, line, _) in zip(labels, shown, strict=True)
        ],
        "group": group.tolist(),
        "members": [np.flatnonzero(group == g).tolist() for g in range(len(shown))],
        "sizes": volumes(np.where(flat, -np.inf, corners.log_volumes)),
        "rank": rank.tolist(),
        # The smallest container first.
        "around": [sorted(tasks, key=lambda j: -rank[j]) for tasks in around],
    }


def _scales(corners):
    """The axes: corners, where they are drawn, and which are those of each box."""
    scales = []
    for k, scale in enumerate(corners.scales):
        axis = _axis(f"dimension {k}", corners.lower[:, k], corners.upper[:, k])
        if scale.spacing != "linear" and len(axis["values"]) > 1:
            axis["marks"] = scale.marks.tolist()
            axis["title"] += f" ({scale.spacing} gaps)"
        scales.append(axis)
    if len(scales) == 1:
        rows = -corners.rows()
        scales.append(_axis("larger tasks on top", rows - 0.4, rows + 0.4, bare=True))
    return scales


def _axis(title, low, high, **more):
    values = np.unique([low, high])
    return {
        "title": title,
        **more,
        "values": values.tolist(),
        "marks": None,
        "low": np.searchsorted(values, low).tolist(),
        "high": np.searchsorted(values, high).tolist(),
    }


def volumes(logs):
    """Volumes as texts, also where they are beyond floating-point numbers, or 0."""
    texts = []
    for log_volume in logs:
        volume = Decimal(float(log_volume)).exp()
        is_usual = volume == 0 or -5 < volume.adjusted() < 6
        with_exponent = f"{volume:.2e}".replace("e+", "e")
        texts.append(f"{float(volume):.3g}" if is_usual else with_exponent)
    return texts
