"""What strengths that somebody says turn out to mean.

A mean of probabilities is less sure of itself than those who know should be: it stays away
from 0 and 1 even where all of them are right (Ranjan & Gneiting, "Combining probability
forecasts", 2010). And a network that was fitted to a few pairs is too sure of others. Both
show on pairs that were held out, and are mended by two numbers.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, logit

# Strengths are kept so far from 0 and 1, where log-odds have no end.
_EDGE = 1e-6
# How much slope and intercept are drawn towards 1 and 0: the intercept as much as four
# pairs of even odds would draw it.
_PENALTY = 1.0
_SLOPES, _INTERCEPTS = (0.2, 5.0), (-5.0, 5.0)


@dataclass(frozen=True)
class Calibration:
    """A line in log-odds (Platt scaling): strengths that are said to those that are meant.

    Attributes
    ----------
    slope : float, default=1.0
        Above 0. Above 1, strengths move away from what the line leaves where it is.
    intercept : float, default=0.0
    """

    slope: float = 1.0
    intercept: float = 0.0

    @classmethod
    def fit(cls, said, strengths, graded=True):
        """Find the line that makes true strengths most likely.

        Minimises their cross-entropy, ``(slope - 1) ** 2`` and ``intercept ** 2``.

        Parameters
        ----------
        said, strengths : ndarray of shape (n_pairs,)
            Of held-out pairs; nothing is changed where there are none.
        graded : bool, default=True
            If not, nothing is changed where the slope would be below 1.

        Returns
        -------
        calibration : Calibration
        """
        x, start = _log_odds(said), np.array([1.0, 0.0])

        def loss(line):
            z = line[0] * x + line[1]
            wrong, off = expit(z) - strengths, line - start
            total = (np.logaddexp(0, z) - strengths * z).sum()
            slopes = np.array([(wrong * x).sum(), wrong.sum()])
            return total + _PENALTY / 2 * (off**2).sum(), slopes + _PENALTY * off

        bounds = [_SLOPES, _INTERCEPTS]
        found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds)
        slope, intercept = map(float, found.x)
        return cls(slope, intercept) if graded or slope >= 1 else AS_SAID

    def __call__(self, said):
        """Strengths that are meant by those that are said."""
        if self == AS_SAID:
            return said
        return expit(self.slope * _log_odds(said) + self.intercept)


AS_SAID = Calibration()


def _log_odds(strengths):
    return logit(np.clip(strengths, _EDGE, 1 - _EDGE))
