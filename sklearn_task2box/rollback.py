"""Estimators that a failing fit leaves as they were."""

from contextlib import contextmanager


@contextmanager
def all_or_nothing(estimator):
    """Leave an estimator as it was if what is done to it fails."""
    before = vars(estimator).copy()
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise
