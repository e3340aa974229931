"""Task2Box for scikit-learn: directed relations between tasks as boxes."""

from typing import TYPE_CHECKING

from sklearn_task2box._version import __version__
from sklearn_task2box.utils._lazy import lazy_names

if TYPE_CHECKING:
    from sklearn_task2box._paper_settings import PAPER_SETTINGS
    from sklearn_task2box.distillation import DistilledBoxEmbedder
    from sklearn_task2box.embedder import BoxRelationEmbedder
    from sklearn_task2box.ensemble import RelationEnsemble
    from sklearn_task2box.links import TaskLinkClassifier
    from sklearn_task2box.relations import TaskPairs, TaskRelations

# PyTorch takes seconds to import, which relations, metrics and data sets do without.
__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "_paper_settings": ["PAPER_SETTINGS"],
        "distillation": ["DistilledBoxEmbedder"],
        "embedder": ["BoxRelationEmbedder"],
        "ensemble": ["RelationEnsemble"],
        "links": ["TaskLinkClassifier"],
        "relations": ["TaskPairs", "TaskRelations"],
    },
)

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
