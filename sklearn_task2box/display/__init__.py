"""Pictures of boxes, predicted hierarchies and strengths, and the course of a fit.

They are drawn by matplotlib, and pages to explore boxes by plotly; both are optional, and
an ImportError where they are missing. Parameters that are not usable are a ValueError, and
estimators that are not fitted a NotFittedError.
"""

from sklearn_task2box.display._boxes import BoxDisplay
from sklearn_task2box.display._hierarchy import HierarchyDisplay
from sklearn_task2box.display._matrix import RelationMatrixDisplay
from sklearn_task2box.display._training import TrainingDisplay

__all__ = ["BoxDisplay", "HierarchyDisplay", "RelationMatrixDisplay", "TrainingDisplay"]
