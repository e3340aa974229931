"""Data sets of related tasks that need no download."""

from sklearn_task2box.datasets.digits import load_digits_tasks

__all__ = ["load_digits_tasks"]
