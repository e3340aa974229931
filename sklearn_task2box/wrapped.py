"""What pipelines and searches wrap."""

from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline


def unwrapped(estimator):
    """What pipelines, fitted searches and frozen estimators end in, and the steps before.

    Parameters
    ----------
    estimator : estimator
        They may hold one another.

    Returns
    -------
    innermost : estimator
    before : list of estimator
        What features pass through first, in this order.
    """
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
