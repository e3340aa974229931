"""Representation of tasks by the mean and the variance of their samples."""

from numbers import Real

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted, validate_data

from sklearn_task2box.relations._names import as_names, some
from sklearn_task2box.representations._samples import (
    TaskTransformer,
    raise_for_empty,
    read_samples,
)
from sklearn_task2box.utils._rollback import all_or_nothing
from sklearn_task2box.utils._typing import Array, Names, Self, TaskSamples

# Numbers of samples, times features, whose deviations are computed at a time.
_BLOCK = 1 << 22
_MEANS_ONLY = "the means only: variance=False, or aggregate='mean' of a CLIPRepresentation"


class GaussianRepresentation(TaskTransformer, BaseEstimator):
    """Describe each task by the mean and the variance of its samples.

    From samples, such as embeddings of images or texts, come rows that are tasks: the μ and
    [μ; σ²] of Task2Box. A sample may belong to many tasks.

    Parameters
    ----------
    variance : bool, default=True
        Whether the features are the means and the variances, or the means only.
    shrinkage : float >= 0, default=1.0
        Degrees of freedom that the pooled variance counts for, beside the n - 1 of a task
        with n samples. With 0, each task needs two samples.
    mean_shrinkage : float >= 0, default=0.0
        Number of samples that the average task counts for in each mean.

    Attributes
    ----------
    tasks_ : ndarray of shape (n_tasks,)
        Names of the tasks, or their positions where they have none.
    counts_ : int ndarray of shape (n_tasks,)
        Number of samples of each task.
    means_, variances_ : ndarray of shape (n_tasks, n_features_in_)
        Shrunk means and variances of the tasks.
    pooled_variance_, grand_mean_ : ndarray of shape (n_features_in_,)
        Variance within tasks, over all of them, and mean of the means of the tasks.
    n_features_in_, feature_names_in_ : int, ndarray of shape (n_features_in_,)
        Number of features of a sample, and their names where samples were a DataFrame.

    Notes
    -----
    With S the sum of the squared deviations of the n samples of a task from their mean m,

    .. math::
        \\tilde\\sigma^2 = \\frac{d_0 s_0^2 + S}{d_0 + n - 1}, \\qquad
        \\tilde\\mu = \\frac{k_0 \\mu_0 + n m}{k_0 + n},

    where :math:`s_0^2` is the pooled variance, :math:`\\sum S / \\sum (n - 1)` over all
    tasks, :math:`\\mu_0` the mean of the tasks' means, :math:`d_0` is ``shrinkage`` and
    :math:`k_0` is ``mean_shrinkage``. The variance is Smyth's moderated one, the mean that
    of the conjugate normal model (Gelman et al.). Batches are merged by the update of Chan,
    Golub and LeVeque, so that large means cost the variances no precision.

    References
    ----------
    G. K. Smyth, "Linear models and empirical Bayes methods for assessing differential
    expression in microarray experiments", Statistical Applications in Genetics and
    Molecular Biology 3(1), 2004. A. Gelman et al., "Bayesian Data Analysis", 3rd ed., CRC
    Press, 2013, section 3.3. T. F. Chan, G. H. Golub, R. J. LeVeque, "Algorithms for
    Computing the Sample Variance", The American Statistician 37(3), 1983.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_task2box.representations import GaussianRepresentation
    >>> images, labels = load_digits(return_X_y=True)
    >>> tasks = GaussianRepresentation().fit_transform(images, labels)
    >>> bool(tasks.loc[3, "mean_x10"] == images[labels == 3, 10].mean())
    True
    """

    _parameter_constraints = {  # noqa: RUF012 - scikit-learn's way of stating constraints
        "variance": ["boolean"],
        "shrinkage": [Interval(Real, 0, None, closed="left")],
        "mean_shrinkage": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self, variance: bool = True, *, shrinkage: float = 1.0, mean_shrinkage: float = 0.0
    ) -> None:
        self.variance = variance
        self.shrinkage = shrinkage
        self.mean_shrinkage = mean_shrinkage

    def fit(self, X: TaskSamples, y: Names = None) -> Self:
        """Learn the moments of the tasks of these samples.

        A ValueError of samples and tasks that do not fit together changes nothing.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or list or dict of such
            The samples, or those of each task: in a list, without y, or in a dict by name.
            With a dict, y is not read, so that a Pipeline can be given relations as y.
        y : array-like, sparse matrix or DataFrame, default=None
            The task of each sample, of shape (n_samples,), or its memberships, 0 or 1, of
            shape (n_samples, n_tasks). The columns of a DataFrame name the tasks.

        Returns
        -------
        self : GaussianRepresentation
        """
        with all_or_nothing(self):
            self._learn(X, y, reset=True)
            raise_for_empty(self.tasks_, self.counts_)
        return self

    def partial_fit(self, X: TaskSamples, y: Names = None) -> Self:
        """Learn from a batch of samples, of known tasks and of new ones.

        Parameters
        ----------
        X, y
            As in :meth:`fit`. Tasks without names are the same if their positions are.

        Returns
        -------
        self : GaussianRepresentation
        """
        with all_or_nothing(self):
            self._learn(X, y, reset=not hasattr(self, "_moments"))
        return self

    def fit_transform(self, X: TaskSamples, y: Names = None) -> Array | pd.DataFrame:
        """Learn the tasks of these samples, and describe them as :meth:`transform` does."""
        return self.fit(X, y).to_frame()

    def to_frame(self) -> pd.DataFrame:
        """Describe the tasks of :meth:`fit` and all calls of :meth:`partial_fit`.

        Returns
        -------
        tasks : DataFrame of shape (n_tasks, n_features_out)
            One row for each task; the index holds the names.
        """
        check_is_fitted(self)
        tasks = self.tasks_ if self._named else range(len(self.tasks_))
        return self._frame(*self._features(self._moments, tasks))

    @property
    def means_(self) -> Array:
        return self._means(self._moments)

    @property
    def variances_(self) -> Array:
        return self._variances(self._moments, self.tasks_)

    @property
    def grand_mean_(self) -> Array:
        return self._moments.means[self._moments.counts > 0].mean(axis=0)

    @property
    def pooled_variance_(self) -> Array:
        freedom = np.maximum(self._moments.counts - 1, 0).sum()
        if freedom == 0:
            raise _NoVariance(
                "No task has two samples, so the variance within tasks is unknown. "
                f"Take {_MEANS_ONLY}."
            )
        return self._moments.squares.sum(axis=0) / freedom

    def get_feature_names_out(self, input_features: Names = None) -> Array:
        """Names such as "mean_x0" and "variance_x0", for the features of fit or these."""
        check_is_fitted(self)
        names = _check_feature_names_in(self, input_features)
        moments = ("mean", "variance") if self.variance else ("mean",)
        return np.array([f"{m}_{name}" for m in moments for name in names], dtype=object)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.two_d_labels = True
        return tags

    def _read(self, X, y, reset):
        samples = read_samples(X, y, _joined)
        options = {"dtype": [np.float64, np.float32], "reset": reset}
        return samples._replace(values=validate_data(self, samples.values, **options))

    def _learn(self, X, y, reset):
        self._validate_params()
        samples = self._read(X, y, reset)
        if reset:
            self._moments, self.tasks_ = _Moments(samples.values.shape[1]), ()
            self._named = False
        self._named |= not isinstance(samples.tasks, range)
        names = dict.fromkeys([*self.tasks_, *samples.tasks])
        rows = {name: row for row, name in enumerate(names)}
        self.tasks_ = as_names(names, "y")
        self._moments = self._moments.grown(len(names))
        at = np.array([rows[name] for name in samples.tasks], dtype=np.intp)
        self._moments.add(samples.values, samples.of_sample, at[samples.of_task])
        self.counts_ = self._moments.counts.copy()

    def _described(self, X, y):
        samples = self._read(X, y, reset=False)
        moments = _Moments(samples.values.shape[1], len(samples.tasks))
        moments.add(samples.values, samples.of_sample, samples.of_task)
        return self._features(moments, samples.tasks)

    def _means(self, moments):
        prior, counts = self.mean_shrinkage, moments.counts[:, None]
        if prior == 0:
            return moments.means.copy()
        return (prior * self.grand_mean_ + counts * moments.means) / (prior + counts)

    def _variances(self, moments, tasks):
        freedom = moments.counts[:, None] - 1
        if self.shrinkage > 0:
            prior = self.shrinkage * self.pooled_variance_
            return (prior + moments.squares) / (self.shrinkage + freedom)
        single = [task for task, n in zip(tasks, moments.counts, strict=True) if n < 2]
        if single:
            raise ValueError(
                f"Tasks with a single sample have no variance: {some(single)}. Set "
                f"shrinkage > 0, or take {_MEANS_ONLY}."
            )
        return moments.squares / freedom

    def _features(self, moments, tasks):
        raise_for_empty(tasks, moments.counts)
        features = self._means(moments)
        if self.variance:
            features = np.hstack([features, self._variances(moments, tasks)])
        return features, tasks


class _NoVariance(ValueError, AttributeError):
    """Error of an unknown variance; an AttributeError, so that ``hasattr`` is False."""


class _Moments:
    """Counts, means and sums of squared deviations of tasks, batch by batch."""

    def __init__(self, n_features, n_tasks=0):
        self.counts = np.zeros(n_tasks, dtype=np.int64)
        self.means = np.zeros((n_tasks, n_features))
        self.squares = np.zeros((n_tasks, n_features))

    def grown(self, n_tasks):
        """A copy with more tasks, so that a fit that fails leaves the original as it is."""
        grown = _Moments(self.means.shape[1], n_tasks)
        for name, known in vars(self).items():
            getattr(grown, name)[: len(known)] = known
        return grown

    def add(self, X, of_sample, of_task):
        """Merge the samples X[of_sample] into the tasks of_task."""
        n_tasks = len(self.counts)
        counts = np.bincount(of_task, minlength=n_tasks)
        belongs = sparse.csr_array(
            (np.ones(len(of_task)), (of_task, of_sample)), (n_tasks, X.shape[0])
        )
        means = (belongs @ X.astype(np.float64)) / np.maximum(counts, 1)[:, None]
        squares = np.zeros_like(means)
        step = max(1, _BLOCK // X.shape[1])
        for start in range(0, len(of_task), step):
            chosen, tasks = (a[start : start + step] for a in (of_sample, of_task))
            n = len(tasks)
            sums = sparse.csr_array((np.ones(n), (tasks, np.arange(n))), (n_tasks, n))
            squares += sums @ (X[chosen] - means[tasks]) ** 2
        total = self.counts + counts
        share = (counts / np.maximum(total, 1))[:, None]
        shift = means - self.means
        self.squares += squares + shift**2 * share * self.counts[:, None]
        self.means += shift * share
        self.counts = total


def _joined(groups):
    """One array of the arrays of each task, or one DataFrame of their DataFrames."""
    tables = [g if isinstance(g, pd.DataFrame) else np.asarray(g) for g in groups]
    features = {(type(t), *getattr(t, "columns", t.shape[1:])) for t in tables}
    if len(features) > 1 or tables[0].ndim != 2:
        raise ValueError(
            "The samples of each task must have the same features in the same order: all "
            "DataFrames with the same columns (take df[columns] of each), or all arrays of "
            f"shape (n_samples, n_features); got shapes {some([t.shape for t in tables])}."
        )
    are_arrays = isinstance(tables[0], np.ndarray)
    return np.concatenate(tables) if are_arrays else pd.concat(tables)
