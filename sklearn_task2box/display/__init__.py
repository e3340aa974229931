"""Pictures: the boxes themselves, and the hierarchy that they predict."""

from sklearn_task2box.display.boxes import BoxDisplay
from sklearn_task2box.display.hierarchy import HierarchyDisplay

__all__ = ["BoxDisplay", "HierarchyDisplay"]
