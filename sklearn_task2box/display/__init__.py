"""Pictures: boxes, the hierarchy and the strengths they predict, and how a fit went."""

from sklearn_task2box.display.boxes import BoxDisplay
from sklearn_task2box.display.hierarchy import HierarchyDisplay
from sklearn_task2box.display.matrix import RelationMatrixDisplay
from sklearn_task2box.display.training import TrainingDisplay

__all__ = ["BoxDisplay", "HierarchyDisplay", "RelationMatrixDisplay", "TrainingDisplay"]
