"""Estimators inside of pipelines, searches and frozen estimators."""

from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from sklearn_task2box.utils._typing import Any, Self


def unwrapped(estimator):
    """Innermost estimator, and the transformers that features pass through first."""
    before = []
    while True:
        if isinstance(estimator, FrozenEstimator):
            estimator = estimator.estimator
        elif isinstance(estimator, Pipeline) and estimator.steps:
            if len(estimator.steps) > 1:
                before.append(estimator[:-1])
            estimator = estimator.steps[-1][1]
        elif hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        else:
            return estimator, before


class NestedDefaults:
    """Refuses parameters of an argument that stands for its default model."""

    _nested_defaults: dict = {}  # noqa: RUF012 - of arguments, as they are written

    def set_params(self, **params: Any) -> Self:
        for key in params:
            name, _, nested = key.partition("__")
            value = params.get(name, getattr(self, name, None))
            if nested and name in self._nested_defaults and not hasattr(value, "fit"):
                raise ValueError(
                    f"{key!r} can't be set where {name} is {value!r}. Give it: "
                    f"{type(self).__name__}({name}={self._nested_defaults[name]})."
                )
        return super().set_params(**params)  # type: ignore[misc]
