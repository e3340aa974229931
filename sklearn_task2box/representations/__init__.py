"""From raw data to tasks: each transformer makes one row of features for each task."""

from sklearn_task2box.representations.clip import CLIPRepresentation
from sklearn_task2box.representations.datasheet import DatasheetRepresentation
from sklearn_task2box.representations.gaussian import GaussianRepresentation
from sklearn_task2box.representations.task2vec import Task2VecRepresentation

__all__ = [
    "CLIPRepresentation",
    "DatasheetRepresentation",
    "GaussianRepresentation",
    "Task2VecRepresentation",
]
