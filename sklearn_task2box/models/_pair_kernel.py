"""PairKernelRidge: kernel ridge regression of pairs of known tasks."""

from itertools import product

import numpy as np
from scipy import linalg

from sklearn_task2box.utils._linear_algebra import libraries

# Settings that are chosen from: variances of what is particular to a task, beside the
# kernel, and penalties; and the number of tasks that they are chosen by.
_SETTINGS = tuple(product((0.0, 0.3, 1.0, 3.0), (0.01, 0.1, 1.0)))
_MAX_CHOSEN = 200
# Pairs that shrink main effects, of 1 to 100 the best for few.
_SHRINKAGE = 10.0
# Eigenvectors of a kernel matrix that are kept.
_MAX_VECTORS = 200
# Conjugate gradients end after so many steps, or with so small a residual.
_MAX_STEPS, _TOLERANCE = 30, 0.02


class PairKernelRidge:
    """Kernel ridge regression of observed pairs on the features of both ends.

    The kernel of two pairs is the product of those of their heads and of their tails, with
    something on the diagonal for what features do not say of a task (Kronecker kernel
    ridge regression: Stock et al., Neural Computation 30, 2018). Other than in two-step
    regression, unknown pairs have no part in it, which matters where they are many. What is
    regressed are deviations from a mean and main effects of head and tail, by conjugate
    gradients for all observed pairs; their preconditioner is the inverse that the system
    would have if all pairs were observed.

    Parameters
    ----------
    kernel : TaskKernel
        Of the tasks of the table.
    table : ObservedTable
    """

    def __init__(self, kernel, table):
        self._sizes, self._vectors = kernel.sizes, kernel.vectors
        strengths = table.toarray()
        observed = ~np.isnan(strengths)
        mean, row, column = table.main_effects(_SHRINKAGE, tolerance=1e-5)
        self._prior = (mean + row[:, None] + column).astype(np.float32)
        self._seen = observed.astype(np.float32)
        self._deviations = np.where(observed, strengths - self._prior, 0).astype(np.float32)

    def predict(self, own, ridge):
        """Strengths of all pairs, (n_tasks, n_tasks), by these settings."""
        sizes = self._sizes + np.float32(own)
        products = sizes[:, None] * sizes
        with libraries().limit(limits=1):  # by more, single precision would round otherwise
            solution = self._solve(products, np.float32(ridge))
            return self._prior + self._filtered(solution, products)

    def _filtered(self, table, filters):
        """A table with its components along pairs of eigenvectors multiplied.

        The last of ``filters``, (n_vectors + 1, n_vectors + 1), are those of directions
        across the eigenvectors.
        """
        vectors, across = self._vectors, filters[-1, -1]
        aside = filters[:-1, -1:] - across  # filters are symmetric
        both = filters[:-1, :-1] - across - aside - aside.T
        left = vectors.T @ table
        rows = ((left @ vectors) * both) @ vectors.T + left * aside
        return vectors @ rows + ((table @ vectors) * aside.T) @ vectors.T + across * table

    def _solve(self, products, ridge):
        inverse = 1 / (self._seen.mean() * products + ridge)
        solution, residual = np.zeros_like(self._deviations), self._deviations.copy()
        enough = _TOLERANCE**2 * np.vdot(residual, residual)
        step = last = None
        for _ in range(_MAX_STEPS):
            if np.vdot(residual, residual) <= enough:
                break
            better = self._seen * self._filtered(residual, inverse)
            size = np.vdot(residual, better)
            step = better if step is None else better + size / last * step
            last = size
            moved = self._seen * self._filtered(step, products) + ridge * step
            length = size / np.vdot(step, moved)
            solution += length * step
            residual -= length * moved
        return solution


class TaskKernel:
    """A kernel matrix of tasks, (n_tasks, n_tasks), and its eigenvectors, in float32.

    Of more than 200, those of the largest eigenvalues count; the others have the mean of
    theirs, the last one of ``sizes``.
    """

    def __init__(self, matrix):
        self.matrix = matrix
        sizes, vectors = linalg.eigh(matrix, driver="evd")
        n_left = max(0, len(sizes) - _MAX_VECTORS)
        mean = sizes[:n_left].mean() if n_left else 0
        sizes = np.append(sizes[n_left:], mean).clip(min=0)
        self.sizes = sizes.astype(np.float32)
        self.vectors = vectors[:, n_left:].astype(np.float32)

    def part(self, tasks):
        """The kernel of some of the tasks."""
        return TaskKernel(self.matrix[np.ix_(tasks, tasks)])


def choose_settings(kernel, table, heads, tails, strengths, counts):
    """Settings with the least squared error of some pairs that the table has not."""
    n = len(kernel.matrix)
    if n > _MAX_CHOSEN:
        tasks = np.sort(np.random.RandomState(0).permutation(n)[:_MAX_CHOSEN])
        place = np.full(n, -1)
        place[tasks] = np.arange(_MAX_CHOSEN)
        among = np.minimum(place[heads], place[tails]) >= 0
        heads, tails = place[heads[among]], place[tails[among]]
        strengths, counts = strengths[among], counts[among]
        kernel, table = kernel.part(tasks), table.part(tasks)
    model = PairKernelRidge(kernel, table)

    def error(settings):
        return counts @ (model.predict(*settings)[heads, tails] - strengths) ** 2

    return min(_SETTINGS, key=error)
