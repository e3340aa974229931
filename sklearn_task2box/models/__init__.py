"""Relation models other than boxes, to compare with and to blend."""

from sklearn_task2box.models._geometry import GeometryModel
from sklearn_task2box.models._graph import (
    AdditiveModel,
    ClosureModel,
    PopularityModel,
    RandomModel,
)
from sklearn_task2box.models._kernel_ridge import KernelRidgeModel
from sklearn_task2box.models._neighbors import NeighborsModel
from sklearn_task2box.models._pairs import PairClassifier
from sklearn_task2box.models._similarity import SimilarityModel

__all__ = [
    "AdditiveModel",
    "ClosureModel",
    "GeometryModel",
    "KernelRidgeModel",
    "NeighborsModel",
    "PairClassifier",
    "PopularityModel",
    "RandomModel",
    "SimilarityModel",
]
