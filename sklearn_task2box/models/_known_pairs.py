"""KnownPairs: what observed relations say of a pair of known tasks nobody observed."""

import numpy as np

from sklearn_task2box.models._pair_kernel import PairKernelRidge, choose_settings
from sklearn_task2box.models._paths import log_odds
from sklearn_task2box.models._profiles import RIDGES, ProfileRegression


class KnownPairs:
    """What observed relations say of a pair of known tasks that nobody observed.

    They are the reverse pair, paths between the two (PathCounts), a ProfileRegression and
    mean strengths of either task, and a PairKernelRidge.

    Parameters
    ----------
    table : ObservedTable
    few, graded : bool
        Of few observed relations, none is regressed on the others; of few graded ones,
        which need not be transitive, paths say nothing.
    kernel : TaskKernel or None
        Kernel of the features for a PairKernelRidge, if there is one.
    """

    def __init__(self, table, few, graded, kernel):
        self.inside, self.around = table, table.transpose()
        self._paths = None if few and graded else self.inside.paths()
        self._profiles = None if few else ProfileRegression(self.inside)
        self._kernel, self._regressed = kernel, None

    def choose(self, heads, tails, strengths, counts):
        """Settings with the least squared error of some pairs that are unknown here."""
        chosen = [None, None]
        if self._profiles is not None:
            predicted = (self._profiles.solve(r).predict(heads, tails) for r in RIDGES)
            errors = [counts @ (values - strengths) ** 2 for values in predicted]
            chosen[0] = RIDGES[np.argmin(errors)]
        if self._kernel is not None:
            given = heads, tails, strengths, counts
            chosen[1] = choose_settings(self._kernel, self.inside, *given)
        return chosen

    def solve(self, ridge, settings):
        """Take the settings that were chosen."""
        if self._profiles is not None:
            self._profiles.finish(ridge)
        if self._kernel is not None:
            model = PairKernelRidge(self._kernel, self.inside)
            self._regressed, self._kernel = model.predict(*settings), None
        return self

    def inputs(self, heads, tails):
        """Inputs of a logistic regression, (n_pairs, n_inputs)."""
        reverse = self.inside.given(tails, heads) - self.inside.prior[heads]
        means = log_odds(self.inside.means_of(heads, tails))
        inputs = [np.nan_to_num(reverse), means]
        if self._paths is not None:
            inputs.append(self._paths.logarithms(heads, tails))
        if self._profiles is not None:
            profile = self._profiles.predict(heads, tails)
            inputs += [profile, log_odds(profile)]
        if self._regressed is not None:
            strengths = self._regressed[heads, tails]
            inputs += [strengths, log_odds(strengths)]
        return np.column_stack(inputs)
