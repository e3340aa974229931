"""How many threads the linear algebra of NumPy and SciPy takes."""

from functools import cache

import scipy.linalg  # noqa: F401 - so that its library is among those that are found
from threadpoolctl import ThreadpoolController


@cache
def _libraries():
    return ThreadpoolController()  # which takes as long as a small fit to look for them


def limit_threads(n_threads):
    """Context in which products and solutions take so many threads, None for any number."""
    return _libraries().limit(limits=n_threads)
