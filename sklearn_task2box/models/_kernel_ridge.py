"""KernelRidgeModel: two-step kernel ridge regression of relations."""

from dataclasses import KW_ONLY, dataclass
from itertools import product
from numbers import Integral, Real

import numpy as np
from scipy import linalg, sparse
from sklearn.utils._param_validation import Interval, StrOptions

from sklearn_task2box.models._divergence import NormalDivergence, has_variances
from sklearn_task2box.models._pair_kernel import TaskKernel
from sklearn_task2box.models._smoothers import (
    MAX_CHOSEN,
    MAX_SCORED,
    SmootherModel,
    unit_rows,
)
from sklearn_task2box.utils._features import toarray
from sklearn_task2box.utils._linear_algebra import libraries
from sklearn_task2box.utils._rows import IdentifiedRows

# Settings that "auto" chooses from.
_GAMMAS = (0.3, 1.0)
_RIDGES = (0.1, 0.3, 1.0, 3.0, 10.0)
# Tasks up to which the kernel is exact.
_MAX_EXACT = 5000
# Tasks up to which pairs are regressed on the features of both ends.
_MAX_OF_PAIRS = 2000
# Tasks up to which threads of linear algebra would wait for one another.
_MAX_SINGLE_THREAD = 1000
# Divergences: the smallest variance, as a share of the mean one, and what is added to each
# before the logarithm, as a share of their median, of some pairs.
_VARIANCE_FLOOR, _OFFSET, _MAX_DIVERGENCES = 1e-3, 1e-3, 10_000
# A feature whose standard deviation is this much below the largest is constant.
_CONSTANT = 1e-9


@dataclass(eq=False, repr=False)
class KernelRidgeModel(SmootherModel):
    """Kernel ridge regression of relations on features, in closed form.

    The relations of a task to all known ones are regressed on its features, those of a
    known task to new ones likewise, and those of two new tasks by one regression after the
    other (two-step kernel ridge regression). Leave-one-out predictions of known tasks are
    part of the solution: they choose the kernel and the ridge, and calibrate the strengths
    (logistic regression), with what the other predictions for a new task say of a pair by
    transitivity. For a pair of known tasks that nobody observed, another logistic
    regression reads both its leave-one-out predictions, the strength of the reverse pair,
    the mean strengths of either task, (unless few graded pairs are observed) counts of
    tasks between the two, or against, and

    * if at least half of the pairs are observed, a ridge regression of the observed
      relations on one another,
    * if fewer are, or if relations are graded, and tasks are at most 2,000, a kernel ridge
      regression of the observed pairs less main effects, by the product of both kernels.

    It learns from pairs held out of all of these, in up to five folds. An observed pair has
    its strength. Where features are named "mean_a", ..., "variance_a", ..., divergences of
    normal distributions (see SimilarityModel) are inputs, too.

    Parameters
    ----------
    kernel : {"auto", "linear", "rbf"}, default="auto"
        Kernel of features of unit length: one plus the cosine, or ``exp(-gamma d ** 2)``
        for a distance d. "auto" arguments are the best together by leave-one-out.
    gamma : float or "auto", default="auto"
        Coefficient of the "rbf" kernel. "auto" is 0.3 or 1.
    ridge : float or "auto", default="auto"
        Penalty, added to the diagonal of the kernel matrix. "auto" is 0.1, 0.3, 1, 3 or 10.
    standardize : bool or "auto", default="auto"
        Whether features are scaled to unit variance before, so that all count alike.
    n_components : int, default=1000
        Number of random tasks that stand for all in the kernel (Nyström approximation)
        with more than 5,000 tasks.

    Attributes
    ----------
    kernel_, gamma_, ridge_, standardize_
        The settings chosen.
    tasks_, relations_, threshold_, n_features_in_, feature_names_in_ : see RelationModel

    See Also
    --------
    NeighborsModel : A vote of the nearest tasks.

    Notes
    -----
    Features are centered, except sparse ones, and rows are scaled to unit length. Known
    tasks are recognized by their features. Memory is of the order of ``n_tasks ** 2`` up to
    5,000 tasks, and of ``n_tasks * n_components`` beyond.

    Where some 0/1 relations are unknown, they count as unrelated in the means: unrelated
    pairs may be a sample (negative sampling), and the mean strength of what was observed
    of a container too large. It is a further input of the calibration. Unknown graded
    strengths count as the mean of the container.

    References
    ----------
    T. Pahikkala et al., "A two-step learning approach for solving full and almost full cold
    start problems in dyadic prediction", ECML PKDD 2014. M. Stock et al., "A comparative
    study of pairwise learning methods based on kernel ridge regression", Neural Computation
    30, 2018, for leave-one-out predictions.

    Examples
    --------
    >>> from sklearn_task2box.datasets import load_digits_tasks
    >>> from sklearn_task2box.models import KernelRidgeModel
    >>> X, strengths = load_digits_tasks(return_X_y=True)
    >>> model = KernelRidgeModel().fit(X[:100], strengths[:100, :100] == 1)
    >>> model.predict_proba(X[100:]).shape
    (20, 100)
    """

    kernel: str = "auto"
    _: KW_ONLY
    gamma: float | str = "auto"
    ridge: float | str = "auto"
    standardize: bool | str = "auto"
    n_components: int = 1000

    _parameter_constraints = {  # noqa: RUF012
        "kernel": [StrOptions({"auto", "linear", "rbf"})],
        "gamma": [Interval(Real, 0, None, closed="neither"), StrOptions({"auto"})],
        "ridge": [Interval(Real, 0, None, closed="neither"), StrOptions({"auto"})],
        "standardize": ["boolean", StrOptions({"auto"})],
        "n_components": [Interval(Integral, 1, None, closed="left")],
    }

    # -- settings and solution ---------------------------------------------------------
    def _choose(self, X):
        rng = np.random.RandomState(0)
        n = X.shape[0]
        unit = float(abs(X).max()) or 1.0  # else squares of large features overflow
        self._center = 0.0 if sparse.issparse(X) else unit * (X / unit).mean(axis=0)
        parts = (X if sparse.issparse(X) else X - self._center) / unit
        squares = parts.multiply(parts) if sparse.issparse(X) else parts**2
        deviations = unit * np.sqrt(np.asarray(squares.mean(axis=0)).ravel())
        constant = deviations <= _CONSTANT * deviations.max()
        self._scale = 1 / np.where(constant, np.inf, deviations)
        some = rng.permutation(n)[:MAX_CHOSEN]  # of which the first are scored
        names = getattr(self, "feature_names_in_", None)
        self._divergence = None
        if not sparse.issparse(X) and has_variances("auto", X, names):
            self._divergence = NormalDivergence(X, True, _VARIANCE_FLOOR, clips=True)
            normals = self._divergence.normals(X)
            pairs = rng.randint(n, size=(2, _MAX_DIVERGENCES))
            divergences = self._divergence.between(normals, pairs[0], normals, pairs[1])
            self._offset = _OFFSET * float(np.median(divergences)) or 1.0
        self._root = None
        self._choose_by(X[some], some)
        self._landmarks = rows = self._prepared(X)
        if n > _MAX_EXACT:
            self._landmarks = rows[np.sort(rng.permutation(n)[: self.n_components])]
            sizes, vectors = linalg.eigh(self._kernel_of(self._landmarks, exact=True))
            self._root = vectors / np.sqrt(sizes.clip(min=1e-9 * sizes[-1]))
        kernel = self._kernel_of(rows)
        if self._root is None:
            self._solution = linalg.inv(kernel + self.ridge_ * np.eye(n))
        else:
            normal = kernel.T @ kernel + self.ridge_ * np.eye(kernel.shape[1])
            self._solution = linalg.solve(normal, kernel.T, assume_a="pos")

    def _choose_by(self, X, some):
        """Choose settings by leave-one-out predictions of some tasks from one another."""
        inside, around = self._inside.part(some), self._around.part(some)
        true = inside.toarray()
        means = [table.mean_of(slice(None)) for table in (inside, around)]
        tables = list(zip(means, (true[:MAX_SCORED], true.T[:MAX_SCORED]), strict=True))
        scales = (False, True) if self.standardize == "auto" else (self.standardize,)
        gammas = _GAMMAS if self.gamma == "auto" else (self.gamma,)
        kernels = [("linear", gammas[0])] if self.kernel != "rbf" else []
        if self.kernel != "linear":
            kernels += [("rbf", gamma) for gamma in gammas]
        ridges = _RIDGES if self.ridge == "auto" else (self.ridge,)
        best = -np.inf
        for self.standardize_, (self.kernel_, self.gamma_) in product(scales, kernels):
            self._landmarks = rows = self._prepared(X)
            sizes, vectors = linalg.eigh(self._kernel_of(rows, exact=True), driver="evd")
            for ridge in ridges:
                shrunk = vectors * (sizes / (sizes + ridge))
                weights = shrunk[:MAX_SCORED] @ vectors.T
                weights = _without_itself(weights, np.arange(len(weights)))
                score = self._leave_one_out_score(tables, weights)
                if score > best:
                    best = score
                    chosen = self.standardize_, self.kernel_, self.gamma_, ridge
        self.standardize_, self.kernel_, self.gamma_, self.ridge_ = chosen

    def _represent(self, X, known):
        beside = None if self._divergence is None else self._divergence.normals(X)
        return IdentifiedRows(known, self._prepared(X), beside)

    def _evidence(self, tasks, heads, others, tails):
        if self._divergence is None:
            return super()._evidence(tasks, heads, others, tails)
        ends = tasks.beside, heads, others.beside, tails
        return -np.log(self._offset + self._divergence.between(*ends))[:, None]

    def _prepared(self, X):
        X = X if sparse.issparse(X) else X - self._center
        return unit_rows(X @ sparse.diags(self._scale) if self.standardize_ else X)

    def _kernel_of(self, rows, exact=False):
        """Kernel between rows and landmarks or, beyond 5,000 tasks, Nyström features."""
        cosines = toarray(rows @ self._landmarks.T)
        if self.kernel_ == "linear":
            kernel = 1 + cosines
        else:
            kernel = np.exp(2 * self.gamma_ * (cosines - 1))
        return kernel if exact or self._root is None else kernel @ self._root

    def _kernel_of_pairs(self, n_tasks):
        if n_tasks > _MAX_OF_PAIRS:
            return None
        return TaskKernel(self._kernel_of(self._landmarks))

    def _weights(self, rows):
        return _without_itself(self._kernel_of(rows.X) @ self._solution, rows.known)

    def _fit_pairs(self, X, pairs):
        with libraries().limit(limits=1 if pairs.n_tasks <= _MAX_SINGLE_THREAD else None):
            super()._fit_pairs(X, pairs)


def _without_itself(weights, known):
    """Leave-one-out weights, (n, n_tasks): those of a known row without the task itself."""
    rows = np.flatnonzero(known >= 0)
    own = weights[rows, known[rows]]
    weights[rows, known[rows]] = 0
    weights[rows] /= np.maximum(1 - own, _CONSTANT)[:, None]
    return weights
