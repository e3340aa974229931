"""NeighborsModel: a vote of the nearest tasks."""

from itertools import product
from numbers import Integral, Real

import numpy as np
from scipy import sparse
from sklearn.utils._param_validation import Interval, StrOptions

from sklearn_task2box.models._smoothers import (
    MAX_CHOSEN,
    MAX_SCORED,
    SmootherModel,
    unit_rows,
)
from sklearn_task2box.utils._features import toarray

# Settings that "auto" chooses from.
_N_NEIGHBORS = (5, 10, 20, 50)
_POWERS = (1, 2, 4, 8, 16)
_SHRINKAGES = (0.02, 0.1, 0.3)
# Numbers in a block of similarities.
_BLOCK = 1 << 24


class NeighborsModel(SmootherModel):
    """Vote of the nearest tasks, weighted by similarity, on containers and members.

    The relation of a new task to a known one is the mean of those of its nearest known
    tasks, weighted by powers of cosine similarities, and shrunk towards the mean relation
    of all tasks to it. A relation between two new tasks is a mean over the neighbors of
    both. Strengths are calibrated as those of a KernelRidgeModel, by leave-one-out votes of
    known tasks and by what other relations say of a pair. An observed pair has its
    strength.

    Parameters
    ----------
    n_neighbors : int or "auto", default="auto"
        Number of neighbors. "auto" is 5, 10, 20 or 50, the best together with the power by
        leave-one-out.
    power : float or "auto", default="auto"
        Power of the cosine similarities that weights are. "auto" is one of 1, 2, 4, 8, 16.
    shrinkage : float or "auto", default="auto"
        Weight of the mean of all tasks, beside 1 for the neighbors. "auto" is 0.02, 0.1 or
        0.3, the best with the other settings.

    Attributes
    ----------
    n_neighbors_, power_, shrinkage_
        The settings chosen.
    tasks_, relations_, threshold_, n_features_in_, feature_names_in_ : see RelationModel

    See Also
    --------
    KernelRidgeModel : Often better where tasks are few or features few.

    Notes
    -----
    Dense features are centered. Known tasks are recognized by their features. Settings are
    chosen by at most 500 tasks, and no table of shape (n_tasks, n_tasks) is held in memory.

    Where some 0/1 relations are unknown, they count as unrelated in the means: unrelated
    pairs may be a sample (negative sampling), and the mean strength of what was observed
    of a container too large. It is a further input of the calibration. Unknown graded
    strengths count as the mean of the container.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_task2box.models import NeighborsModel
    >>> X = [[0, 1], [0.1, 1], [1, 0], [1, 0.1], [0, 0.9], [0.9, 0]]
    >>> edges = [(0, 4), (1, 4), (2, 5), (3, 5)]  # each lies in one of the last two
    >>> model = NeighborsModel(n_neighbors=2).fit(X, edges)
    >>> model.predict_proba([[0.05, 1.2]])[0].argsort()[::-1][:3]
    array([4, 1, 0])
    """

    _parameter_constraints = {  # noqa: RUF012
        "n_neighbors": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "power": [Interval(Real, 0, None, closed="left"), StrOptions({"auto"})],
        "shrinkage": [Interval(Real, 0, None, closed="left"), StrOptions({"auto"})],
    }

    def __init__(
        self,
        n_neighbors: int | str = "auto",
        *,
        power: float | str = "auto",
        shrinkage: float | str = "auto",
    ) -> None:
        self.n_neighbors = n_neighbors
        self.power = power
        self.shrinkage = shrinkage

    def _choose(self, X):
        n = X.shape[0]
        self._center = None if sparse.issparse(X) else X.mean(axis=0)
        self._rows = self._prepared(X)
        if self.n_neighbors == "auto":
            numbers = sorted({min(k, n - 1) for k in _N_NEIGHBORS})
        elif self.n_neighbors < n:
            numbers = [self.n_neighbors]
        else:
            raise ValueError(
                f"n_neighbors={self.n_neighbors} needs as many tasks beside a known one; X "
                f"has {n} tasks. Lower it, or use n_neighbors='auto'."
            )
        powers = _POWERS if self.power == "auto" else (self.power,)
        shrinkages = _SHRINKAGES if self.shrinkage == "auto" else (self.shrinkage,)
        some = np.random.RandomState(0).permutation(n)[:MAX_CHOSEN]
        true, scored = self._inside.part(some).toarray(), some[:MAX_SCORED]
        means = [table.mean_of(some) for table in (self._inside, self._around)]
        tables = list(zip(means, (true[:MAX_SCORED], true.T[:MAX_SCORED]), strict=True))
        nearest = self._nearest(self._rows[scored], scored, numbers[-1])

        def score(settings):
            return self._leave_one_out_score(tables, self._vote(*nearest, *settings))

        middle = shrinkages[len(shrinkages) // 2]
        number, power, _ = max(product(numbers, powers, [middle]), key=score)
        best = max(product([number], [power], shrinkages), key=score)
        self.n_neighbors_, self.power_, self.shrinkage_ = best

    def _prepared(self, X):
        return unit_rows(X if self._center is None else X - self._center)

    def _nearest(self, rows, known, k):
        """Positions and similarities of the k nearest known tasks, the nearest first."""
        shape = len(known), k
        positions, similarities = np.empty(shape, dtype=np.intp), np.empty(shape)
        step = max(1, _BLOCK // self._rows.shape[0])
        for start in range(0, len(known), step):
            part = slice(start, start + step)
            cosines = toarray(rows[part] @ self._rows.T)
            itself = np.flatnonzero(known[part] >= 0)
            cosines[itself, known[part][itself]] = -np.inf
            near = np.argpartition(-cosines, k - 1, axis=1)[:, :k]
            order = np.argsort(-np.take_along_axis(cosines, near, 1), axis=1, kind="stable")
            positions[part] = np.take_along_axis(near, order, 1)
            similarities[part] = np.take_along_axis(cosines, positions[part], 1)
        return positions, similarities

    def _vote(self, positions, similarities, n_neighbors, power, shrinkage):
        """Weights of the known tasks, a CSR matrix."""
        positions = positions[:, :n_neighbors]
        weights = similarities[:, :n_neighbors].clip(min=1e-6) ** power
        weights /= weights.sum(axis=1, keepdims=True) * (1 + shrinkage)
        starts = np.arange(len(positions) + 1) * n_neighbors
        arrays = weights.ravel(), positions.ravel(), starts
        return sparse.csr_matrix(arrays, shape=(len(positions), self._rows.shape[0]))

    def _weights(self, rows):
        nearest = self._nearest(rows.X, rows.known, self.n_neighbors_)
        return self._vote(*nearest, self.n_neighbors_, self.power_, self.shrinkage_)
