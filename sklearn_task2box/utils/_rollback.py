"""Fits that change an estimator only if they succeed."""

from contextlib import contextmanager


@contextmanager
def all_or_nothing(estimator):
    """Restore the attributes of an estimator if the block fails."""
    before = vars(estimator).copy()
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise
