"""RelationEnsemble: a calibrated blend of relation models."""

import math
import warnings
from dataclasses import dataclass
from numbers import Integral

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from scipy import sparse
from scipy.optimize import minimize
from scipy.special import expit, logit
from sklearn.base import BaseEstimator, RegressorMixin, clone, is_classifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import _BaseComposition
from sklearn.utils.validation import check_memory
from tqdm.auto import tqdm

from sklearn_task2box.base import RelationModel
from sklearn_task2box.embedder import BoxRelationEmbedder
from sklearn_task2box.metrics import best_f1_threshold
from sklearn_task2box.models import (
    KernelRidgeModel,
    PairClassifier,
    PopularityModel,
    SimilarityModel,
)
from sklearn_task2box.relations import ObservedPairs, TaskPairs, TaskRelations
from sklearn_task2box.utils._rows import IdentifiedRows
from sklearn_task2box.utils._seeds import set_seeds

# Shares that the hold-out split of cv="auto" holds out: of the tasks, and of the pairs of
# the others.
_HELD_TASKS = 0.1
_HELD_PAIRS = 0.2
# Fewer related pairs say nothing about weights: members count alike.
_ENOUGH_RELATED = 20
# Strengths are kept so far from 0 and 1, where log-odds have no end.
_EDGE = 1e-3
# Tasks of whose pairs tables can be held.
_MAX_TASKS = 10_000
# Unrelated pairs held out; of more, this many are drawn.
_MAX_ZEROS = 200_000


def default_estimators():
    """Members of a RelationEnsemble by default.

    Returns
    -------
    estimators : list of (str, RelationModel)
        Kernel ridge regression, three box embeddings of ten dimensions, a pair MLP, a
        divergence of normal distributions and the popularity of containers. The list does
        not depend on what is distilled from them.
    """
    members = [("kernel_ridge", KernelRidgeModel())]
    for i in range(3):
        boxes = BoxRelationEmbedder(10, teacher=None, max_epochs=150)
        members.append((f"boxes{i}", boxes))
    pairs = PairClassifier(
        hidden_layer_sizes=(256, 128), n_similarities=32, max_iter=200, max_pairs=16_384
    )
    members.append(("pairs", pairs))
    members.append(("divergence", SimilarityModel("gaussian_kl", variances="auto")))
    members.append(("popularity", PopularityModel()))
    return members


class StrengthBlend(RegressorMixin, BaseEstimator):
    """Weighted mean of members' log-odds, as a calibrated strength.

    ``sigmoid(intercept + sum_m weight_m * logit(strength_m))`` with weights of at least 0,
    fitted by minimizing the cross-entropy of held-out pairs (a logistic stack, which is
    Platt scaling where there is one member), plus a penalty that draws the weights towards
    those of a plain mean and the intercept towards 0.

    Parameters
    ----------
    penalty : float, default=100.0
        Weight of the penalty beside the sum of cross-entropies. With small ones, few
        related pairs decide; of 1 to 1,000, 100 was best on novel tasks of the digits and
        of a small taxonomy together.

    Attributes
    ----------
    weights_ : ndarray of shape (n_members,)
    intercept_ : float
    """

    def __init__(self, penalty=100.0):
        self.penalty = penalty

    def fit(self, X, y, sample_weight=None):
        """Find weights.

        Parameters
        ----------
        X : ndarray of shape (n_pairs, n_members)
            Strengths that the members predict of pairs that they did not see.
        y : ndarray of shape (n_pairs,)
            Their true strengths, in [0, 1].
        sample_weight : ndarray of shape (n_pairs,), default=None

        Returns
        -------
        self : StrengthBlend
        """
        z = _log_odds(X)
        counts = np.ones(len(z)) if sample_weight is None else sample_weight
        n_members = z.shape[1]
        start = np.append(np.full(n_members, 1 / n_members), 0.0)

        def loss(line):
            logits = z @ line[:-1] + line[-1]
            wrong, off = counts * (expit(logits) - y), line - start
            total = counts @ (np.logaddexp(0, logits) - y * logits)
            slopes = np.append(z.T @ wrong, wrong.sum())
            penalty = self.penalty / 2 * n_members
            return total + penalty * (off**2).sum(), slopes + 2 * penalty * off

        bounds = [(0, None)] * n_members + [(None, None)]
        found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x
        self.weights_, self.intercept_ = found[:-1], float(found[-1])
        return self

    def predict(self, X):
        """Blended strengths, of shape (n_pairs,)."""
        return expit(_log_odds(X) @ self.weights_ + self.intercept_)


def _log_odds(strengths):
    return logit(np.clip(strengths, _EDGE, 1 - _EDGE))


class RelationEnsemble(_BaseComposition, RelationModel):
    """Blend of relation models, weighted by predictions of what they did not see.

    Each member is fitted twice: once without some of the tasks and pairs, to predict these,
    and once to everything. A final estimator learns from the held-out predictions how to
    blend the members, once for pairs of known tasks (transductive) and once for pairs with
    a new task (inductive).

    Parameters
    ----------
    estimators : list of (str, RelationModel), default=None
        Members, as in scikit-learn's StackingClassifier; "drop" in place of a model leaves
        it out. None takes those of
        :func:`~sklearn_task2box.ensemble.default_estimators`; nested parameters need an
        explicit list.
    final_estimator : estimator, default=None
        Maps strengths predicted by the members, of shape (n_pairs, n_members), to one: a
        regressor, or a classifier whose second class is "related" (0/1 relations only).
        None is a StrengthBlend: non-negative weights of log-odds, calibrated.
    cv : "auto" or int, default="auto"
        What is held out: a tenth of the tasks and a fifth of the pairs of the others, once;
        or as many folds of tasks and pairs, in turn. With fewer than 20 related pairs held
        out, the members count alike.
    n_jobs : int, default=None
        Number of fits at a time, in processes of their own; -1 takes all processors, None
        is 1 unless in a :obj:`joblib.parallel_config` context.
    memory : str or joblib.Memory, default=None
        Cache of fitted members, so that a search fits equal ones once. It is bypassed where
        ``random_state`` is None.
    verbose : int, default=0
        1 shows a progress bar of the fits.
    random_state : int, RandomState instance or None, default=None
        Seeds every nested ``random_state`` that is None, and draws what is held out.

    Attributes
    ----------
    estimators_ : list of RelationModel
        The fitted members, without dropped ones.
    named_estimators_ : dict
        The same, by name.
    transductive_, inductive_ : estimator
        The final estimators of pairs of known tasks, and of pairs with a new one.
    tasks_, relations_, threshold_, n_features_in_, feature_names_in_
        As of every :class:`~sklearn_task2box.base.RelationModel`; the threshold is chosen
        on held-out pairs of known tasks.

    Examples
    --------
    >>> from sklearn_task2box import RelationEnsemble
    >>> from sklearn_task2box.datasets import load_digits_tasks
    >>> from sklearn_task2box.models import ClosureModel, SimilarityModel
    >>> X, strengths = load_digits_tasks(return_X_y=True)
    >>> members = [("kl", SimilarityModel(variances=True)), ("closure", ClosureModel())]
    >>> ensemble = RelationEnsemble(members, random_state=0).fit(X, strengths == 1)
    >>> ensemble.predict_proba(X[:2]).shape
    (2, 120)
    """

    _recognizes = "features"

    def __init__(
        self,
        estimators=None,
        *,
        final_estimator=None,
        cv="auto",
        n_jobs=None,
        memory=None,
        verbose=0,
        random_state=None,
    ):
        self.estimators = estimators
        self.final_estimator = final_estimator
        self.cv = cv
        self.n_jobs = n_jobs
        self.memory = memory
        self.verbose = verbose
        self.random_state = random_state

    # -- nested parameters -------------------------------------------------------------
    def get_params(self, deep=True):
        """Parameters, with those of the members where they are given and ``deep``.

        Parameters
        ----------
        deep : bool, default=True

        Returns
        -------
        params : dict
        """
        return self._get_params("estimators", deep=deep)

    def set_params(self, **params):
        """Set parameters: ``name="drop"`` drops a member, ``name=model`` exchanges it.

        Parameters
        ----------
        **params : dict

        Returns
        -------
        self : RelationEnsemble
        """
        if self.estimators is None and "estimators" not in params:
            nested = {key.split("__")[0] for key in params} - set(self.get_params(False))
            if nested:
                raise ValueError(
                    f"{min(nested)!r} is no parameter of a RelationEnsemble whose "
                    "estimators are None. Give the members: "
                    "RelationEnsemble(default_estimators()), whose parameters can be "
                    "set, as in set_params(boxes0__box_dim=8)."
                )
        return self._set_params("estimators", **params)

    # -- fitting -----------------------------------------------------------------------
    def _validate_params(self):
        if isinstance(self.cv, str) and self.cv == "auto":
            return
        if isinstance(self.cv, bool) or not isinstance(self.cv, Integral) or self.cv < 2:
            raise ValueError(
                f"cv must be 'auto' or a whole number from 2; got {self.cv!r}."
            )

    def _members(self):
        """Names and unfitted clones of the members."""
        if self.estimators is None:
            return default_estimators()
        if not isinstance(self.estimators, list | tuple) or not all(
            isinstance(item, tuple) and len(item) == 2 for item in self.estimators
        ):
            raise ValueError(
                "estimators must be a list of (name, relation model), such as "
                f"[('closure', ClosureModel())]; got {self.estimators!r}."
            )
        names = [name for name, _ in self.estimators]
        self._validate_names(names)
        kept = [(n, m) for n, m in self.estimators if not _is_dropped(m)]
        wrong = [(n, m) for n, m in kept if not isinstance(m, RelationModel)]
        if wrong:
            raise ValueError(
                f"The member {wrong[0][0]!r} must be a relation model or 'drop'; got "
                f"{wrong[0][1]!r}."
            )
        if not kept:
            raise ValueError("estimators has no member left: all are dropped.")
        return [(name, clone(member)) for name, member in kept]

    def _fit_pairs(self, X, pairs):
        rng = check_random_state(self.random_state)
        names, members = zip(*self._members(), strict=True)
        if pairs.n_tasks > _MAX_TASKS:
            raise ValueError(
                f"X has {pairs.n_tasks} tasks, and a RelationEnsemble holds tables of all "
                f"pairs, for at most {_MAX_TASKS} tasks. Use one model, such as a "
                "BoxRelationEmbedder."
            )
        self._n_tasks = pairs.n_tasks
        splits = held_out_splits(pairs, self.cv, rng)
        jobs = []
        for split in [None, *splits]:
            rest = pairs if split is None else split.rest
            rows = np.arange(pairs.n_tasks) if split is None else split.known
            y = TaskRelations.from_pairs(rest, self._row_names_of(rows))
            # Every fit has seeds of its own.
            jobs += [(set_seeds(clone(member), rng), y, split) for member in members]
        features = self._named_rows(X, np.arange(pairs.n_tasks))
        fitted = self._run(jobs, features)
        n = len(members)
        self.estimators_ = [model for model, _ in fitted[:n]]
        self.named_estimators_ = dict(zip(names, self.estimators_, strict=True))
        held_out = [
            np.column_stack([predicted for _, predicted in fitted[start : start + n]])
            for start in range(n, len(fitted), n)
        ]
        self._fit_blends(splits, held_out, pairs.is_graded)

    def _run(self, jobs, features):
        """Fit members, a number of them at a time, and predict what they did not see."""
        work = fit_and_predict
        if self.memory is not None and self.random_state is not None:
            work = check_memory(self.memory).cache(fit_and_predict)
        fitted = []
        with tqdm(total=len(jobs), desc="fitting members", disable=not self.verbose) as bar:
            # Processes, since torch has one random state for all threads.
            run = Parallel(self.n_jobs, backend="loky", return_as="generator")
            for one in run(delayed(work)(m, features, y, split) for m, y, split in jobs):
                fitted.append(one)
                bar.update()
        return fitted

    def _fit_blends(self, splits, held_out, graded):
        """Fit the final estimators to what the members predict of unseen pairs."""
        self.transductive_ = self.inductive_ = None
        strengths = np.concatenate([split.strengths for split in splits])
        weights = np.concatenate([split.weights for split in splits])
        is_new = np.concatenate([split.is_new for split in splits])
        predicted = np.concatenate(held_out)
        blends = []
        for chosen in (~is_new, is_new):
            blend = (
                StrengthBlend() if self.final_estimator is None else self.final_estimator
            )
            blend = clone(blend)
            if is_classifier(blend) and graded:
                raise ValueError(
                    f"final_estimator={blend!r} is a classifier, and the relations have "
                    "strengths between 0 and 1. Pass a regressor."
                )
            n_related = np.count_nonzero(strengths[chosen])
            if n_related < _ENOUGH_RELATED and self.final_estimator is None:
                blends.append(blend.fit(predicted[:0], strengths[:0], weights[:0]))
                continue
            labels = strengths[chosen]
            labels = labels.astype(int) if is_classifier(blend) else labels
            blend.fit(predicted[chosen], labels, sample_weight=weights[chosen])
            blends.append(blend)
        self.transductive_, self.inductive_ = blends
        known = ~is_new
        self._held_out_threshold = None
        if np.count_nonzero(strengths[known] >= 0.5) >= _ENOUGH_RELATED:
            self._held_out_threshold = best_f1_threshold(
                strengths[known],
                _predicted_by(self.transductive_, predicted[known]),
                weights[known],
            )

    def _choose_threshold(self, pairs):
        if self._held_out_threshold is None:
            super()._choose_threshold(pairs)
        else:
            self.threshold_ = self._held_out_threshold

    # -- predictions -------------------------------------------------------------------
    def _represent(self, X, known):
        return IdentifiedRows(known, X)

    def _row_names_of(self, rows):
        """Names by which the members know tasks, from n_tasks on new ones."""
        n = self._n_tasks
        names = np.empty(len(rows), dtype=object)
        names[:] = [f"known {i}" if i < n else f"new {i - n}" for i in rows]
        return names

    def _named_rows(self, X, rows):
        """Features with names of rows, where they are dense, and of columns."""
        if sparse.issparse(X):
            return X
        index = pd.Index(self._row_names_of(rows), dtype=object)
        return pd.DataFrame(X, index, getattr(self, "feature_names_in_", None), copy=False)

    def _distinct(self, tasks):
        """Rows with each known task once, and where each row went."""
        new = self._n_tasks + np.arange(len(tasks))
        keys = np.where(tasks.known >= 0, tasks.known, new)
        keys, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
        return self._named_rows(tasks.X[first], keys), inverse

    def _pair_strengths(self, tasks, heads, tails):
        used, ends = np.unique(np.concatenate([heads, tails]), return_inverse=True)
        tasks = tasks[used]
        known = tasks.known
        features, rows = self._distinct(tasks)
        heads, tails = np.split(ends, 2)
        pairs = TaskPairs.from_positions(features, rows[heads], rows[tails])
        predicted = [model.predict_proba(pairs)[:, 1] for model in self.estimators_]
        return self._blended(np.column_stack(predicted), known[heads], known[tails])

    def _table(self, tasks, others):
        known = tasks.known
        if not np.array_equal(others.known, np.arange(self._n_tasks)):
            return super()._table(tasks, others)
        features, rows = self._distinct(tasks)
        tables = [model.predict_proba(features)[rows] for model in self.estimators_]
        predicted = np.stack([table.ravel() for table in tables], axis=1)
        heads = np.repeat(known, len(others))
        tails = np.tile(others.known, len(known))
        return self._blended(predicted, heads, tails).reshape(len(known), -1)

    def _blended(self, predicted, heads, tails):
        """Strengths of pairs of known tasks, -1 for a new one, from those of members."""
        both = (heads >= 0) & (tails >= 0)
        strengths = np.empty(len(predicted))
        for blend, chosen in ((self.transductive_, both), (self.inductive_, ~both)):
            if chosen.any():
                strengths[chosen] = _predicted_by(blend, predicted[chosen])
        strengths[both & (heads == tails)] = 1.0
        return strengths


def _predicted_by(blend, predicted):
    """Strengths in [0, 1] by a final estimator."""
    if is_classifier(blend):
        return blend.predict_proba(predicted)[:, -1]
    return np.clip(blend.predict(predicted), 0, 1)


def _is_dropped(member):
    return isinstance(member, str) and member == "drop"


# --------------------------------------------------------------------------------------
# Fits of members
# --------------------------------------------------------------------------------------
def fit_and_predict(model, features, relations, split):
    """Fit a model; with a split, to its known tasks, and predict what it holds out.

    Parameters
    ----------
    model : RelationModel
    features : DataFrame or CSR matrix of shape (n_tasks, n_features)
    relations : TaskRelations
        Relations of the tasks that the model may learn from.
    split : HeldOut or None

    Returns
    -------
    model : RelationModel
    strengths : ndarray of shape (n_held_out,) or None
    """
    known = features
    if split is not None:
        features = (
            features.iloc[split.order]
            if hasattr(features, "iloc")
            else (features[split.order])
        )
        known = features[: len(split.known)]
    with warnings.catch_warnings():  # members need not be right about all pairs
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(known, relations)
    if getattr(model, "interrupted_", False):
        raise KeyboardInterrupt
    if split is None:
        return model, None
    pairs = TaskPairs.from_positions(features, split.heads, split.tails)
    return None, model.predict_proba(pairs)[:, 1]


@dataclass(frozen=True)
class HeldOut:
    """Relations to fit members to, and others that show what their predictions are worth.

    Attributes
    ----------
    order : ndarray of int, of shape (n_tasks,)
        The known tasks, then those held out.
    known : ndarray of int, of shape (n_known,)
    rest : ObservedPairs
        Of the known tasks, without the pairs held out.
    heads, tails : ndarray of int, of shape (n_held_out,)
        The pairs held out, as places in ``order``.
    strengths : ndarray of shape (n_held_out,)
    weights : ndarray of shape (n_held_out,)
        How many pairs each stands for.
    is_new : ndarray of bool, of shape (n_held_out,)
        Whether one of the two tasks is held out.
    """

    order: np.ndarray
    known: np.ndarray
    rest: ObservedPairs
    heads: np.ndarray
    tails: np.ndarray
    strengths: np.ndarray
    weights: np.ndarray
    is_new: np.ndarray


def held_out_splits(pairs, cv, rng):
    """Splits of relations: tasks and pairs that members are fitted without.

    Parameters
    ----------
    pairs : ObservedPairs
    cv : "auto" or int
        One split, or as many folds.
    rng : numpy.random.RandomState

    Returns
    -------
    splits : list of HeldOut
        Only those whose known tasks are still related; maybe empty.
    """
    n = pairs.n_tasks
    strengths, observed = pairs.dense()
    table = np.where(observed, strengths, np.nan)
    order, draws = rng.permutation(n), rng.uniform(size=(n, n))
    splits = []
    for fold in range(1 if cv == "auto" else cv):
        if cv == "auto":
            n_out = math.ceil(_HELD_TASKS * n)
            out, held = order[n - n_out :], draws < _HELD_PAIRS
        else:
            out, held = order[fold::cv], (draws * cv).astype(int) == fold
        known = order[~np.isin(order, out)]
        new_order = np.concatenate([known, out])
        among = table[np.ix_(known, known)]
        hidden = held[np.ix_(known, known)]
        if not (np.where(hidden, np.nan, among) > 0).any():
            continue
        rest = TaskRelations(np.where(hidden, np.nan, among), transitive=False).observed()
        test = table[np.ix_(new_order, new_order)].copy()
        test[: len(known), : len(known)] = np.where(hidden, among, np.nan)
        test[len(known) :, len(known) :] = np.nan
        heads, tails = np.nonzero(~np.isnan(test))
        heads, tails, weights = _thinned(heads, tails, test[heads, tails], rng)
        is_new = (heads >= len(known)) | (tails >= len(known))
        splits.append(
            HeldOut(
                new_order, known, rest, heads, tails, test[heads, tails], weights, is_new
            )
        )
    return splits


def _thinned(heads, tails, strengths, rng):
    """All related pairs, and unrelated ones drawn where there are more than a number."""
    zeros = np.flatnonzero(strengths == 0)
    if len(zeros) <= _MAX_ZEROS:
        return heads, tails, np.ones(len(heads))
    drawn = np.sort(rng.choice(zeros, _MAX_ZEROS, replace=False))
    kept = np.concatenate([np.flatnonzero(strengths != 0), drawn])
    n_related = len(kept) - len(drawn)
    weights = np.repeat([1.0, len(zeros) / len(drawn)], [n_related, len(drawn)])
    return heads[kept], tails[kept], weights
