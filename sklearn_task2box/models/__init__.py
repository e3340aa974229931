"""Relation models other than boxes, to compare with and to blend."""

from typing import TYPE_CHECKING

from sklearn_task2box.models._graph import (
    AdditiveModel,
    ClosureModel,
    PopularityModel,
    RandomModel,
)
from sklearn_task2box.models._kernel_ridge import KernelRidgeModel
from sklearn_task2box.models._neighbors import NeighborsModel
from sklearn_task2box.models._similarity import SimilarityModel
from sklearn_task2box.utils._lazy import lazy_names

if TYPE_CHECKING:
    from sklearn_task2box.models._geometry import GeometryModel
    from sklearn_task2box.models._pairs import PairClassifier

# These need PyTorch, which takes seconds to import.
__getattr__, __dir__ = lazy_names(
    __name__, {"_geometry": ["GeometryModel"], "_pairs": ["PairClassifier"]}
)

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
