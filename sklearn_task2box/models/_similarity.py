"""Similarities of features, which are not learned, as predictions of relations."""

from dataclasses import KW_ONLY, dataclass
from numbers import Real

import numpy as np
from scipy.special import expit, logit
from sklearn.utils._param_validation import Interval, StrOptions

from sklearn_task2box.base import RelationModel
from sklearn_task2box.models._divergence import NormalDivergence, has_variances
from sklearn_task2box.models._smoothers import fit_logistic
from sklearn_task2box.utils._features import dense

# Pairs, at most, that the probabilities are fitted to.
_MAX_PAIRS = 250_000
# Smallest change of the log-odds per standard deviation of the similarity.
_MIN_SLOPE = 1e-3


@dataclass(eq=False, repr=False)
class SimilarityModel(RelationModel):
    r"""A similarity of features, made a probability by logistic regression.

    Nothing else is learned: pairs rank by the similarity of a member i to a container j:

    * "gaussian_kl": :math:`-\log(c + KL(N_i || N_j))` of normal distributions with diagonal
      covariances; large where i is a narrow distribution within a broad one, j
      (Vilnis & McCallum, ICLR 2015). Log-odds are linear in the logarithm of divergences,
      which c, a thousandth of their median in training, keeps finite.
    * "asymmetric_cosine": :math:`\langle x_i, x_j \rangle / (|x_i|^{2 \alpha}
      |x_j|^{2 (1 - \alpha)})` (Aiolli, RecSys 2013, "Efficient top-n recommendation for
      very large scale binary rated datasets"). For :math:`\alpha = 1/2`, it is the cosine;
      for 0/1 features and :math:`\alpha = 1`, the share of those of i that j has too.
    * "euclidean": :math:`-|x_i - x_j|`, which has no direction.
    * "task2vec": :math:`-d(j \to i)`, with the asymmetric distance :math:`d(a \to b) =
      d_{sym}(a, b) - \alpha d_{sym}(a, t_0)` from a source a, the complex task, to a
      target b, and :math:`d_{sym}(a, b) = d_{cos}(a / (a + b), b / (a + b))`, divided
      elementwise (Achille et al., ICCV 2019, "Task2Vec"). Features are diagonals of Fisher
      information, and :math:`t_0` is a trivial task.

    Parameters
    ----------
    similarity : str, default="gaussian_kl"
        "gaussian_kl", "asymmetric_cosine", "euclidean" or "task2vec".
    variances : bool or "auto", default=False
        For "gaussian_kl": whether the second half of the features are the variances of the
        first, as of :class:`~sklearn_task2box.representations.GaussianRepresentation`;
        otherwise, variances are 1. "auto" reads it off the names, "mean_a", ...,
        "variance_a", ..., unless a variance is negative, as in a centered column; in new
        tasks, a negative one then counts as 0.
    variance_floor : float, default=0.001
        For "gaussian_kl": smallest variance, as a share of the mean one in training.
    alpha : float, default=None
        "asymmetric_cosine": 0 to 1, None is 1. "task2vec": at least 0, None is 0.15.
    trivial : array-like of shape (n_features,), default=None
        For "task2vec": features of the trivial task; None is 1 for each.

    Attributes
    ----------
    slope_, intercept_ : float
        Log-odds are ``intercept_ + slope_ * similarity``. Where a negative slope fits the
        pairs of training better, it is tiny (0.001 per standard deviation): probabilities
        are about the mean strength, but rank as the similarity does.
    tasks_, relations_, threshold_, n_features_in_, feature_names_in_ : see RelationModel

    Examples
    --------
    >>> from sklearn_task2box.models import SimilarityModel
    >>> from sklearn_task2box.datasets import load_digits_tasks
    >>> X, strengths = load_digits_tasks(return_X_y=True)
    >>> model = SimilarityModel("gaussian_kl", variances=True).fit(X, strengths)
    >>> round(model.score(X, strengths), 2)
    0.71
    """

    similarity: str = "gaussian_kl"
    _: KW_ONLY
    variances: bool | str = False
    variance_floor: float = 1e-3
    alpha: float | None = None
    trivial: np.ndarray | None = None

    _parameter_constraints = {  # noqa: RUF012
        "similarity": [
            StrOptions({"gaussian_kl", "asymmetric_cosine", "euclidean", "task2vec"})
        ],
        "variances": ["boolean", StrOptions({"auto"})],
        "variance_floor": [Interval(Real, 0, None, closed="neither")],
        "alpha": [Interval(Real, 0, None, closed="left"), None],
        "trivial": ["array-like", None],
    }

    def _fit_pairs(self, X, pairs):
        X = self._dense(X)
        if self.similarity == "gaussian_kl":
            names = getattr(self, "feature_names_in_", None)
            variances = has_variances(self.variances, X, names)
            clips = self.variances == "auto"
            self._divergence = NormalDivergence(X, variances, self.variance_floor, clips)
        elif self.similarity == "asymmetric_cosine":
            self._alpha = 1.0 if self.alpha is None else self.alpha
            if self._alpha > 1:
                raise ValueError(
                    f"alpha must be from 0 to 1 for an asymmetric cosine; got {self.alpha}."
                )
        elif self.similarity == "task2vec":
            self._alpha = 0.15 if self.alpha is None else self.alpha
            n = X.shape[1]
            trivial = np.ones(n) if self.trivial is None else self.trivial
            self._trivial = np.asarray(trivial, dtype=float)
            if self._trivial.shape != (n,) or not (self._trivial >= 0).all():
                raise ValueError(
                    f"trivial must be {n} nonnegative numbers, one for each feature; got "
                    f"an array of shape {self._trivial.shape}."
                )
        self._width = 4 * X.shape[1]
        tasks = self._represent(X, None)
        *ends, strengths, weights = pairs.sample(_MAX_PAIRS, np.random.RandomState(0))
        with np.errstate(over="ignore", invalid="ignore"):
            scores = self._strengths_in_blocks(tasks, *ends, of_pairs=self._raw)
        if self.similarity == "gaussian_kl":
            if not np.isfinite(scores).all():
                raise ValueError(
                    "The features are too large for a divergence of normal distributions: "
                    f"the largest is {np.abs(X).max():.3g}, and its square is beyond "
                    "float64. Scale them down, variances by the square of the factor, or "
                    "set variances=False."
                )
            self._offset = 1e-3 * float(np.median(scores)) or 1.0
        self._fit_logistic(self._similarities(scores), strengths, weights)

    def _fit_logistic(self, scores, strengths, weights):
        center, scale = scores.mean(), scores.std() or 1.0
        z = (scores - center) / scale
        mean = np.average(strengths, weights=weights)
        slope, intercept = _MIN_SLOPE, logit(np.clip(mean, 1e-9, 1 - 1e-9))
        if mean < 1:
            model = fit_logistic(z[:, None], strengths, weights)
            if model.coef_[0, 0] > _MIN_SLOPE:
                slope, intercept = model.coef_[0, 0], model.intercept_[0]
        self.slope_ = float(slope / scale)
        self.intercept_ = float(intercept - slope * center / scale)

    # -- similarities ------------------------------------------------------------------
    def _dense(self, data):
        data = dense(data)
        if self.similarity == "task2vec" and (data < 0).any():
            raise ValueError(
                "Task2Vec's distance reads Fisher information, which is not negative; got "
                f"{data.min():.3g}. Do not center the features before "
                "similarity='task2vec', or choose another similarity."
            )
        return data

    def _represent(self, X, known):
        X = self._dense(X)
        if self.similarity == "gaussian_kl":
            return self._divergence.normals(X)
        if self.similarity == "task2vec":  # far from the trivial task: complex
            return np.column_stack([X, _task2vec(X, self._trivial[None])])
        return X

    def _pair_strengths(self, tasks, heads, tails):
        similarities = self._similarities(self._raw(tasks, heads, tails))
        return expit(self.intercept_ + self.slope_ * similarities)

    def _similarities(self, raw):
        return -np.log(self._offset + raw) if self.similarity == "gaussian_kl" else raw

    def _raw(self, tasks, heads, tails):
        """Divergences for "gaussian_kl", and else similarities: (n_pairs,)."""
        if self.similarity == "gaussian_kl":
            return self._divergence.between(tasks, heads, tasks, tails)
        heads, tails = tasks[heads], tasks[tails]
        if self.similarity == "asymmetric_cosine":
            products = np.einsum("ij,ij->i", heads, tails)
            squares, squares_j = (np.einsum("ij,ij->i", e, e) for e in (heads, tails))
            norms = squares**self._alpha * squares_j ** (1 - self._alpha)
            return np.divide(products, norms, out=np.zeros(len(heads)), where=norms > 0)
        if self.similarity == "euclidean":
            return -np.linalg.norm(heads - tails, axis=1)
        distances = _task2vec(heads[:, :-1], tails[:, :-1])
        return self._alpha * tails[:, -1] - distances


def _task2vec(a, b):
    """Symmetric Task2Vec distance of rows: 0 where both are 0 in a feature."""
    total = a + b
    total = np.where(total > 0, total, 1.0)
    a, b = a / total, b / total
    norms = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    products = (a * b).sum(axis=1)
    return 1 - np.divide(products, norms, out=np.zeros(len(products)), where=norms > 0)
