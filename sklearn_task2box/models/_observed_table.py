"""ObservedTable: the observed strengths of known tasks, as sparse matrices."""

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import LinearOperator, lsmr

from sklearn_task2box.models._paths import PathCounts, is_denser
from sklearn_task2box.utils._features import toarray


class ObservedTable:
    """Table of the observed strengths of known tasks, each of which lies inside itself.

    Both are CSR matrices, (n_tasks, n_tasks). ``marked`` has ones at observed pairs if
    ``marks_observed``, else at unknown ones. ``prior``, (n_tasks,), is what unknown pairs
    count as in means of rows: the mean of their column, or 0 if ``unknown_as_zero``.
    """

    def __init__(self, strengths, marked, marks_observed, unknown_as_zero):
        self.strengths = strengths
        self.marked = marked
        self.marks_observed = marks_observed
        self.unknown_as_zero = unknown_as_zero
        sums, counts = (np.asarray(m.sum(axis=0)).ravel() for m in (strengths, marked))
        counts = counts if marks_observed else strengths.shape[0] - counts
        self.prior = (sums + sums.sum() / max(counts.sum(), 1)) / (counts + 1)
        if unknown_as_zero:
            self.prior = np.zeros(len(sums))

    @classmethod
    def of(cls, pairs):
        """The table of ObservedPairs."""
        n, own = pairs.n_tasks, np.arange(pairs.n_tasks)
        related = pairs.strengths > 0
        ends = [np.append(ends[related], own) for ends in (pairs.heads, pairs.tails)]
        values = np.append(pairs.strengths[related], np.ones(n))
        marked = pairs.unknown_heads, pairs.unknown_tails
        if not pairs.complete:
            marked = [np.append(ends, own) for ends in (pairs.heads, pairs.tails)]
        ones = np.ones(len(marked[0]))
        matrices = (sparse.csr_matrix(m, (n, n)) for m in ((values, ends), (ones, marked)))
        # Of 0/1 relations, related pairs may be observed more often than others, so that
        # means of columns are too large for unknown ones.
        as_zero = not pairs.is_graded and pairs.n_unknown > 0
        return cls(*matrices, not pairs.complete, as_zero)

    def transpose(self):
        """The table of the relations turned round."""
        return self._like(m.T.tocsr() for m in (self.strengths, self.marked))

    def part(self, tasks):
        """The table of some of the tasks."""
        return self._like(m[tasks][:, tasks] for m in (self.strengths, self.marked))

    def _like(self, matrices):
        return ObservedTable(*matrices, self.marks_observed, self.unknown_as_zero)

    def means(self, weights):
        """Weighted means of rows, (n, n_tasks): see mean_of."""
        return self.mean_of(slice(None), weights.shape[0])(weights)

    def mean_of(self, columns, n_rows=None):
        """Function from weights, (n, n_tasks), to weighted means of rows, (n, n_columns).

        Unknown pairs have the prior. Weights need not sum to 1: the prior has the rest. The
        function works with dense matrices unless it is for few rows, or tasks are many.
        """
        prior, n = self.prior[columns], len(self.prior)
        marked, strengths = self.marked[:, columns], self.strengths[:, columns]
        if is_denser(n, n if n_rows is None else n_rows):
            observed = (marked.toarray() > 0) == self.marks_observed
            deviations = strengths.toarray() - prior * observed
            return lambda weights: prior + toarray(weights @ deviations)

        def mean(weights):
            observed = toarray(weights @ marked)
            if not self.marks_observed:
                observed = np.asarray(weights.sum(axis=1)).reshape(-1, 1) - observed
            return prior * (1 - observed) + toarray(weights @ strengths)

        return mean

    def given(self, heads, tails):
        """Strengths of pairs, (n_pairs,), NaN where they are unknown."""
        if not len(heads):  # which scipy refuses
            return np.empty(0)
        marked = np.asarray(self.marked[heads, tails]).ravel() > 0
        strengths = np.asarray(self.strengths[heads, tails]).ravel()
        return np.where(marked == self.marks_observed, strengths, np.nan)

    def sums(self, axis):
        """Sums of the strengths in columns (axis 0) or rows, (n_tasks,)."""
        return np.asarray(self.strengths.sum(axis=axis)).ravel() - 1

    def numbers(self, axis):
        """Numbers of observed pairs in columns (axis 0) or rows, (n_tasks,)."""
        marks = np.asarray(self.marked.sum(axis=axis)).ravel()
        return (marks if self.marks_observed else len(self.prior) - marks) - 1

    def mean(self):
        """Mean strength of all observed pairs."""
        return self.sums(0).sum() / max(self.numbers(0).sum(), 1)

    def means_of(self, heads, tails):
        """Mean strengths of the rows of unknown pairs and of their columns, (n_pairs, 2).

        They count the mean of all pairs as one more.
        """
        of_columns, of_rows = (
            (self.sums(axis) + self.mean()) / (self.numbers(axis) + 1) for axis in (0, 1)
        )
        return np.column_stack([of_rows[heads], of_columns[tails]])

    def means_without(self, known, columns):
        """Mean strengths of columns, (n, n_columns), each without the row of a known task.

        Rows are positions of known tasks, or -1 for a new one.
        """
        sums, numbers = self.sums(0)[columns], self.numbers(0)[columns]
        own, seen = np.zeros((2, len(known), len(sums)))
        rows, at = np.flatnonzero(known >= 0), known[known >= 0]
        own[rows] = toarray(self.strengths[at][:, columns])
        marked = toarray(self.marked[at][:, columns]) > 0
        seen[rows] = marked == self.marks_observed
        return (sums - own + self.mean()) / (numbers - seen + 1).clip(min=1)

    def main_effects(self, shrinkage, tolerance=1e-12):
        """Mean, and effects of rows and columns, (n_tasks,): ridge regression."""
        n, marked = len(self.prior), (self.marked, self.marked.T.tocsr())
        sums, numbers = ([f(axis) for axis in (1, 0)] for f in (self.sums, self.numbers))

        def seen(axis, values):
            """Sums of values over the others that each task was observed with."""
            marks = marked[axis] @ values
            return (marks if self.marks_observed else values.sum() - marks) - values

        def normal(effects):
            """The normal equations, without a table of all pairs."""
            mean, row, column = effects[0], effects[1 : n + 1], effects[n + 1 :]
            of_mean = numbers[0] @ (mean + row) + numbers[1] @ column
            to_row = numbers[0] * (mean + row) + seen(0, column) + shrinkage * row
            to_column = numbers[1] * (mean + column) + seen(1, row) + shrinkage * column
            return np.concatenate([[of_mean], to_row, to_column])

        equations = LinearOperator((2 * n + 1,) * 2, normal, normal, dtype=float)
        right = np.concatenate([[sums[0].sum()], *sums])
        effects = lsmr(equations, right, 0, *[tolerance] * 2, conlim=0, maxiter=10_000)[0]
        return float(effects[0]), effects[1 : n + 1], effects[n + 1 :]

    def deviations(self, mean, columns):
        """Observed strengths of columns less their mean, (n_tasks, n_columns), else 0."""
        marks = toarray(self.marked[:, columns])
        table = toarray(self.strengths[:, columns]) - mean * (marks == self.marks_observed)
        table[columns, np.arange(len(columns))] = 0
        return table

    def deviations_dot(self, mean, dense):
        """Product of the transposed deviations of all columns with (n_tasks, n) numbers."""
        observed = self.marked.T @ dense
        if not self.marks_observed:
            observed = dense.sum(axis=0) - observed
        return self.strengths.T @ dense - mean * observed - (1 - mean) * dense

    def paths(self):
        """Counts of tasks between others: see PathCounts."""
        related = self.strengths - sparse.identity(len(self.prior), format="csr")
        if self.marks_observed:
            return PathCounts(related, 0, self.marked - self.strengths)
        return PathCounts(related, 1, -(self.marked + self.strengths))

    def toarray(self):
        """Strengths of shape (n_tasks, n_tasks), NaN where unknown and in the diagonal."""
        observed = (self.marked.toarray() > 0) == self.marks_observed
        np.fill_diagonal(observed, False)
        return np.where(observed, self.strengths.toarray(), np.nan)
