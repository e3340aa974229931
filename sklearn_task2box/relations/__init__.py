"""Directed relations between tasks, and ordered pairs of tasks."""

from sklearn_task2box.relations._alignment import as_relations
from sklearn_task2box.relations._names import task_names
from sklearn_task2box.relations._observed import ObservedPairs
from sklearn_task2box.relations._task_pairs import TaskPairs
from sklearn_task2box.relations._task_relations import TaskRelations

__all__ = ["ObservedPairs", "TaskPairs", "TaskRelations", "as_relations", "task_names"]
