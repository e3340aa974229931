"""Axis-aligned boxes: volumes, overlaps, and boxes constructed from containments."""

from sklearn_task2box.boxes._geometry import (
    intersection,
    log_overlap,
    log_softplus,
    log_volume,
    overlap,
)
from sklearn_task2box.boxes._layout import layout

__all__ = ["intersection", "layout", "log_overlap", "log_softplus", "log_volume", "overlap"]
