"""Threads of linear algebra."""

from functools import cache

from threadpoolctl import ThreadpoolController

# Libraries whose threads can be limited; to look for them takes as long as a small fit.
libraries = cache(ThreadpoolController)
