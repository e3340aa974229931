"""Task2Box for scikit-learn: directed relations between tasks as boxes."""

from sklearn_task2box._paper_settings import PAPER_SETTINGS
from sklearn_task2box._version import __version__
from sklearn_task2box.distillation import DistilledBoxEmbedder
from sklearn_task2box.embedder import BoxRelationEmbedder
from sklearn_task2box.ensemble import RelationEnsemble
from sklearn_task2box.links import TaskLinkClassifier
from sklearn_task2box.relations import TaskPairs, TaskRelations

__all__ = [
    "PAPER_SETTINGS",
    "BoxRelationEmbedder",
    "DistilledBoxEmbedder",
    "RelationEnsemble",
    "TaskLinkClassifier",
    "TaskPairs",
    "TaskRelations",
    "__version__",
]
