"""What pipelines and searches wrap."""


def unwrapped(estimator):
    """The estimator that pipelines and fitted searches end in, and the steps before it.

    Parameters
    ----------
    estimator : estimator
        Pipelines and searches may hold one another.

    Returns
    -------
    innermost : estimator
    before : list of estimator
        What features pass through first, in this order.
    """
    before = []
    while True:
        steps = getattr(estimator, "steps", None)
        if steps:
            if len(steps) > 1:
                before.append(estimator[:-1])
            estimator = steps[-1][1]
        elif hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        else:
            return estimator, before
