"""What boxes are compared with: estimators with the interface of BoxRelationEmbedder."""

from sklearn_task2box.baselines.graph import ClosureBaseline, PopularityBaseline

__all__ = ["ClosureBaseline", "PopularityBaseline"]
