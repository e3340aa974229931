"""From raw data to tasks: each transformer makes one row of features for each task."""

from typing import TYPE_CHECKING

from sklearn_task2box.representations._datasheet import DatasheetRepresentation
from sklearn_task2box.representations._duplicates import DuplicateIndicator
from sklearn_task2box.representations._gaussian import GaussianRepresentation
from sklearn_task2box.utils._lazy import lazy_names

if TYPE_CHECKING:
    from sklearn_task2box.representations._clip import CLIPRepresentation
    from sklearn_task2box.representations._task2vec import Task2VecRepresentation

# These need PyTorch, which takes seconds to import.
__getattr__, __dir__ = lazy_names(
    __name__, {"_clip": ["CLIPRepresentation"], "_task2vec": ["Task2VecRepresentation"]}
)

__all__ = [
    "CLIPRepresentation",
    "DatasheetRepresentation",
    "DuplicateIndicator",
    "GaussianRepresentation",
    "Task2VecRepresentation",
]
