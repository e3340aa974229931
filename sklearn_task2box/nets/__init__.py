"""Networks from features to boxes, and the objectives that train them."""

from sklearn_task2box.nets._objectives import Objective

__all__ = ["Objective"]
