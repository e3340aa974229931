"""Data sets of related tasks: shipped ones are loaded, others are fetched and kept."""

from sklearn_task2box.datasets._digits import load_digits_tasks
from sklearn_task2box.datasets._home import get_data_home
from sklearn_task2box.datasets._hub import fetch_hub_cards
from sklearn_task2box.datasets._taskonomy import fetch_taskonomy
from sklearn_task2box.datasets._wordnet import fetch_wordnet

__all__ = [
    "fetch_hub_cards",
    "fetch_taskonomy",
    "fetch_wordnet",
    "get_data_home",
    "load_digits_tasks",
]
