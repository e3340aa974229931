"""What boxes are compared with: estimators with the interface of BoxRelationEmbedder."""

from sklearn_task2box.baselines.geometries import GeometryBaseline
from sklearn_task2box.baselines.graph import (
    AdditiveBaseline,
    ClosureBaseline,
    PopularityBaseline,
    RandomBaseline,
)
from sklearn_task2box.baselines.pairs import PairClassifier
from sklearn_task2box.baselines.similarity import SimilarityBaseline

__all__ = [
    "AdditiveBaseline",
    "ClosureBaseline",
    "GeometryBaseline",
    "PairClassifier",
    "PopularityBaseline",
    "RandomBaseline",
    "SimilarityBaseline",
]
