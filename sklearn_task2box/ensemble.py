"""RelationEnsemble: a calibrated blend of relation models."""

import math
import warnings
from dataclasses import KW_ONLY, dataclass
from numbers import Integral

import numpy as np
from joblib import Memory, Parallel, delayed
from joblib.parallel import get_active_backend
from scipy import sparse
from scipy.optimize import minimize
from scipy.special import expit, logit
from sklearn.base import BaseEstimator, RegressorMixin, clone, is_classifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import _safe_indexing, check_random_state
from sklearn.utils.metaestimators import _BaseComposition
from sklearn.utils.validation import check_memory
from tqdm.auto import tqdm

from sklearn_task2box._soft_targets import named_features
from sklearn_task2box.base import RelationModel
from sklearn_task2box.metrics import best_f1_threshold
from sklearn_task2box.models import (
    AdditiveModel,
    KernelRidgeModel,
    NeighborsModel,
    PairClassifier,
)
from sklearn_task2box.relations import ObservedPairs, TaskPairs, TaskRelations
from sklearn_task2box.utils._rows import IdentifiedRows, stack_rows
from sklearn_task2box.utils._seeds import set_seeds
from sklearn_task2box.utils._sent_once import SentOnce
from sklearn_task2box.utils._typing import Any, Self

# One in how many tasks cv="auto" holds out, and one in how many pairs of the others; and
# related ones that are enough to be held out.
_HELD_TASKS, _HELD_PAIRS, _ENOUGH_HELD = 10, 5, 40
# Fewer related pairs choose no threshold.
_ENOUGH_RELATED = 20
# Weights of a kind of pairs are drawn to those of all pairs so much.
_PENALTY = 30.0
# Strengths are kept so far from 0 and 1, where log-odds have no end.
_EDGE = 1e-4
# Tasks of whose pairs one byte each, for its fold, takes 0.4 GB.
_MAX_TASKS = 20_000
# Kinds of pairs: known, new head, new tail, both new; and what a blend of each learns from.
_KINDS = {"known": [0], "inside": [1], "around": [2], "new": [1, 2]}
# Unrelated pairs that may be held out; of more, this many are drawn.
_MAX_ZEROS = 600_000


def default_estimators():
    """Members of a RelationEnsemble by default.

    Returns
    -------
    estimators : list of (str, RelationModel)
        Kernel ridge regression, neighbors, a pair MLP, and an additive model, which needs
        least relations. See benchmarks.members for what each, and further ones, are worth.
    """
    pairs = PairClassifier(
        hidden_layer_sizes=(128, 64),
        n_similarities=16,
        max_iter=60,
        max_pairs=16_384,
        batch_size=512,
        learning_rate=5e-3,
    )
    return [
        ("kernel_ridge", KernelRidgeModel()),
        ("neighbors", NeighborsModel()),
        ("pairs", pairs),
        ("additive", AdditiveModel()),
    ]


class StrengthBlend(RegressorMixin, BaseEstimator):
    """Weighted mean of members' log-odds, as a calibrated strength.

    ``sigmoid(intercept + sum_m weight_m * logit(strength_m))`` with weights of at least 0,
    fitted by minimizing the cross-entropy of held-out pairs (a logistic stack, which is
    Platt scaling where there is one member), plus a penalty that draws the weights towards
    prior ones, and the intercept, too. Without a related pair, nothing is learned.

    Parameters
    ----------
    penalty : float, default=3.0
        Weight of the penalty beside the sum of cross-entropies. With small ones, few
        related pairs decide.
    prior : ndarray of shape (n_members + 1,), default=None
        Weights and an intercept to stay near to. None are a plain mean and 0.

    Attributes
    ----------
    weights_ : ndarray of shape (n_members,)
    intercept_ : float
    """

    def __init__(self, penalty=3.0, prior=None):
        self.penalty = penalty
        self.prior = prior

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
        counts = 1.0 if sample_weight is None else np.asarray(sample_weight)
        counts = np.broadcast_to(counts * np.any(y), len(z))
        n_members = z.shape[1]
        plain = np.append(np.full(n_members, 1 / n_members), 0.0)
        start = plain if self.prior is None else self.prior

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


@dataclass(eq=False, repr=False)
class RelationEnsemble(_BaseComposition, RelationModel):
    """Blend of relation models, weighted by predictions of what they did not see.

    Each member is fitted without some of the tasks and pairs, to predict these, and then to
    everything. Final estimators learn from the held-out predictions to blend the members:
    one for pairs of known tasks (transductive), and three for pairs with a new one
    (inductive), as models differ in what they know of either end.

    Parameters
    ----------
    estimators : list of (str, RelationModel), default=None
        Members, as in scikit-learn's StackingClassifier; "drop" in place of a model leaves
        it out. None takes :func:`~sklearn_task2box.ensemble.default_estimators`, without
        nested parameters.
    final_estimator : estimator, default=None
        Maps strengths predicted by the members, of shape (n_pairs, n_members), to one: a
        regressor or, of 0/1 relations, a classifier. Its ``fit`` takes ``sample_weight``.
        None is a StrengthBlend: non-negative weights of log-odds, calibrated.
    cv : "auto" or int, default="auto"
        What is held out: a tenth of the tasks and a fifth of the pairs of the others, once
        or, where less than 40 of these are related, in up to ten folds (with more than
        five, of fewer pairs each); or that many folds of both.
    n_jobs : int, default=None
        Number of fits at a time, in processes of their own; -1 takes all processors, None
        is 1 unless in a :obj:`joblib.parallel_config` context, such as that of a cluster.
    memory : str or joblib.Memory, default=None
        Cache of fitted members, for a search; bypassed where ``random_state`` is None.
    verbose : int, default=0
        1 shows a progress bar of the fits.
    random_state : int, RandomState instance or None, default=None
        Seeds every nested ``random_state`` that is None, and draws what is held out.

    Attributes
    ----------
    estimators_, named_estimators_ : list of RelationModel, dict
        The fitted members, without dropped ones, and the same by name. To them, tasks are
        named "known 0", ...: ask with X.reset_index(drop=True).
    final_estimators_ : dict of str to estimator
        Final estimators of pairs of two "known" tasks, of a new one "inside" a known one,
        of a new one "around" a known one, and of two "new" ones, which learns from all
        pairs with a new one, as a given estimator does in all three. The default ones stay
        near to one that learns from all pairs, the nearer the fewer are held out.
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

    estimators: list | None = None
    _: KW_ONLY
    final_estimator: BaseEstimator | None = None
    cv: str | int = "auto"
    n_jobs: int | None = None
    memory: str | Memory | None = None
    verbose: int = 0
    random_state: int | np.random.RandomState | None = None

    _recognizes = "features"

    # -- nested parameters -------------------------------------------------------------
    def get_params(self, deep: bool = True) -> dict[str, Any]:
        return self._get_params("estimators", deep=deep)

    def set_params(self, **params: Any) -> Self:
        """Set parameters: ``name="drop"`` drops a member, ``name=model`` exchanges it."""
        if self.estimators is None and "estimators" not in params:
            nested = {key.split("__")[0] for key in params} - set(self.get_params(False))
            if nested:
                raise ValueError(
                    f"{min(nested)!r} is no parameter of a RelationEnsemble whose "
                    "estimators are None. Give the members: "
                    "RelationEnsemble(default_estimators()), whose parameters can be "
                    "set, as in set_params(neighbors__n_neighbors=10)."
                )
        return self._set_params("estimators", **params)

    # -- fitting -----------------------------------------------------------------------
    def _validate_params(self):
        if self.cv != "auto" and not (isinstance(self.cv, Integral) and self.cv >= 2):
            raise ValueError(
                f"cv must be 'auto' or a whole number from 2; got {self.cv!r}."
            )

    def _members(self):
        """Names and models of the members, without dropped ones."""
        if self.estimators is None:
            return default_estimators()
        if not isinstance(self.estimators, list | tuple) or not all(
            isinstance(item, tuple) and len(item) == 2 for item in self.estimators
        ):
            raise ValueError(
                "estimators must be a list of (name, relation model), such as "
                f"[('closure', ClosureModel())]; got {self.estimators!r}."
            )
        self._validate_names([name for name, _ in self.estimators])
        kept = []
        for name, member in self.estimators:
            if isinstance(member, RelationModel):
                kept.append((name, member))
            elif not isinstance(member, str) or member != "drop":
                raise ValueError(
                    f"The member {name!r} must be a relation model or 'drop'; got "
                    f"{member!r}."
                )
        if not kept:
            raise ValueError("estimators has no member left: all are dropped.")
        return kept

    def _fit_pairs(self, X, pairs):
        rng = check_random_state(self.random_state)
        names, members = zip(*self._members(), strict=True)
        if pairs.n_tasks > _MAX_TASKS:
            raise ValueError(
                f"X has {pairs.n_tasks} tasks, and a RelationEnsemble is for at most "
                f"{_MAX_TASKS}. Use one model, such as a BoxRelationEmbedder."
            )
        self._n_tasks = pairs.n_tasks
        splits = held_out_splits(pairs, self.cv, rng)
        jobs = []
        everything = np.arange(pairs.n_tasks)
        for split in [None, *splits]:
            rest, rows = (split.rest, split.known) if split else (pairs, everything)
            y = TaskRelations.from_pairs(rest, self._row_names_of(rows))
            # Every fit has seeds of its own.
            jobs += [(set_seeds(clone(member), rng), y, split) for member in members]
        features = self._named_rows(X, everything)
        models, predicted = zip(*self._run(jobs, features), strict=True)
        n = len(members)
        self.estimators_ = list(models[:n])
        self.named_estimators_ = dict(zip(names, self.estimators_, strict=True))
        held_out = [np.column_stack(predicted[i : i + n]) for i in range(n, len(jobs), n)]
        self._fit_blends(splits, held_out, pairs.is_graded)

    def _run(self, jobs, features):
        """Fit members, a number of them at a time, and predict what they did not see."""
        work = fit_and_predict
        if self.memory is not None and self.random_state is not None:
            work = check_memory(self.memory).cache(fit_and_predict)
        # Processes, since torch has one random state for all threads: of a cluster in whose
        # context this runs, else of this machine, which a worker shares already.
        active, _ = get_active_backend()
        local = getattr(active, "uses_threads", not active.supports_return_generator)
        n_jobs = 1 if active.nesting_level and (self.n_jobs or 1) < 0 else self.n_jobs
        run = Parallel(n_jobs, "loky" if local or n_jobs == 1 else None, "generator")
        fits = run(delayed(work)(m, features, y, split) for m, y, split in jobs)
        return list(tqdm(fits, "fitting members", len(jobs), disable=not self.verbose))

    def _fit_blends(self, splits, held_out, graded):
        """Fit the final estimators to what the members predict of unseen pairs."""
        about = [
            np.concatenate([np.empty(0), *(getattr(split, name) for split in splits)])
            for name in ("strengths", "weights", "kinds", "new")  # none of a few tasks
        ]
        predicted = np.concatenate([np.empty((0, len(self.estimators_))), *held_out])
        given = self.final_estimator, predicted, *about, graded
        self.final_estimators_ = fit_final_estimators(*given)
        strengths, weights, kinds, _ = about
        known = kinds == 0
        predicted, strengths, weights = predicted[known], strengths[known], weights[known]
        self._held_out_threshold = None
        if np.count_nonzero(strengths >= 0.5) >= _ENOUGH_RELATED:
            blended = _predicted_by(self.final_estimators_["known"], predicted)
            self._held_out_threshold = best_f1_threshold(strengths, blended, weights)

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
        return np.array([f"known {i}" if i < n else f"new {i - n}" for i in rows], object)

    def _named_rows(self, X, rows):
        """Features with names of rows, where they are dense, and of columns."""
        columns = getattr(self, "feature_names_in_", None)
        return named_features(X, self._row_names_of(rows), columns)

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
        if sparse.issparse(tasks.X):  # without names, so that places tell equal rows apart
            new = np.flatnonzero(known < 0)
            features, rows = stack_rows(self._features, tasks.X[new]), known.copy()
            rows[new] = self._n_tasks + np.arange(len(new))
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
        kinds = (heads < 0) + 2 * (tails < 0)
        strengths = np.empty(len(predicted))
        for number, kind in enumerate(_KINDS):
            chosen = kinds == number
            if chosen.any():
                blend = self.final_estimators_[kind]
                strengths[chosen] = _predicted_by(blend, predicted[chosen])
        strengths[(kinds == 0) & (heads == tails)] = 1.0
        return strengths


def fit_final_estimators(given, predicted, strengths, weights, kinds, new, graded):
    """Final estimators by kind of pair: clones of a given one, or StrengthBlends for None.

    They learn from what members predict of pairs held out, (n_pairs, n_members), and from
    the arrays of HeldOut.
    """
    if not graded:  # few tasks may contain all the others
        share = independent_share(strengths[kinds == 2], new[kinds == 2])
        weights = weights * np.where(kinds == 2, share, 1.0)
    if given is not None and is_classifier(given):
        if graded:
            raise ValueError(
                f"final_estimator={given!r} is a classifier, and the relations have "
                "strengths between 0 and 1. Pass a regressor."
            )
        strengths = strengths.astype(int)
    if given is None:
        common = StrengthBlend().fit(predicted, strengths, weights)
        prior = np.append(common.weights_, common.intercept_)
    fitted = {}
    for kind, numbers in _KINDS.items():
        used = np.isin(kinds, numbers if given is None or kind == "known" else [1, 2])
        blend = StrengthBlend(_PENALTY, prior) if given is None else clone(given)
        about = {"sample_weight": weights[used]}
        fitted[kind] = blend.fit(predicted[used], strengths[used], **about)
    return fitted


def _predicted_by(blend, predicted):
    """Strengths in [0, 1] by a final estimator."""
    if is_classifier(blend):
        return blend.predict_proba(predicted)[:, blend.classes_ == 1].sum(axis=1)
    return np.clip(blend.predict(predicted), 0, 1)


# -- fits of members -------------------------------------------------------------------
def fit_and_predict(model, features, relations, split):
    """Fit a model to relations of tasks with these features, and return it and None.

    With a split, it is fitted to the known tasks of that, and None and the strengths that
    it predicts of the pairs held out, (n_held_out,), are returned.
    """
    known = features
    if split is not None:
        features = _safe_indexing(features, split.order)
        known = features[: len(split.known)]
    with warnings.catch_warnings():  # members need not be right about all pairs
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("ignore", ".*relations reversed")
        model.fit(known, relations)
    if getattr(model, "interrupted_", False):
        raise KeyboardInterrupt
    if split is None:
        return model, None
    pairs = TaskPairs.from_positions(features, split.heads, split.tails)
    return None, model.predict_proba(pairs)[:, 1]


@dataclass(frozen=True)
class HeldOut(SentOnce):
    """Relations to fit members to, and pairs held out: the last five arrays."""

    order: np.ndarray  # the known tasks, then those held out
    known: np.ndarray
    rest: ObservedPairs  # of the known tasks, without the pairs held out
    heads: np.ndarray  # places in order, as the tails
    tails: np.ndarray
    strengths: np.ndarray
    weights: np.ndarray  # how many pairs each stands for
    kinds: np.ndarray  # 1 where the head is held out, 2 where the tail is, else 0

    @property
    def new(self):
        """Which task, if one is held out, of each pair."""
        return self.order[np.where(self.kinds == 1, self.heads, self.tails)]


def independent_share(strengths, tasks):
    """What one of the related pairs counts where few tasks have most of them.

    Tasks that have equally many count as one pair each (Kish's effective sample size).
    """
    numbers = np.bincount(tasks.astype(int), strengths)
    return numbers.sum() / (numbers**2).sum() if numbers.any() else 1.0


def held_out_splits(pairs, cv, rng):
    """Splits of ObservedPairs, as HeldOut: tasks and pairs that members are fitted without.

    A ``cv`` of "auto" makes up to ten, a number as many, but for those that leave no
    relation.
    """
    n = pairs.n_tasks
    n_splits = n_folds = n_parts = cv
    if cv == "auto":
        n_parts = min(n, _HELD_TASKS)
        at_once = (1 - 1 / _HELD_TASKS) ** 2 * pairs.n_related / _HELD_PAIRS
        n_splits = int(np.clip(math.ceil(_ENOUGH_HELD / at_once), 1, n_parts))
        n_folds = max(_HELD_PAIRS, n_splits)
    order = rng.permutation(n)
    fold_of = rng.randint(n_folds, size=(n, n), dtype=np.min_scalar_type(n_folds - 1))
    heads, tails, strengths = pairs.with_zeros(_MAX_ZEROS, rng)
    n_zeros, n_drawn = pairs.n_observed - pairs.n_related, len(heads) - pairs.n_related
    weights = np.where(strengths > 0, 1.0, n_zeros / max(n_drawn, 1))
    splits = []
    for fold in range(n_splits):
        out = order[fold::n_parts]
        known = order[~np.isin(order, out)]
        places = np.append(known, out)
        place = np.argsort(places)
        kinds = np.isin(heads, out) + 2 * np.isin(tails, out)
        held = np.where(kinds == 0, fold_of[heads, tails] == fold, kinds < 3)
        ends = place[heads[held]], place[tails[held]]
        hidden = kinds[held] == 0
        rest = pairs.among(known).without(*(end[hidden] for end in ends))
        if rest.n_related:
            about = strengths[held], weights[held], kinds[held]
            splits.append(HeldOut(places, known, rest, *ends, *about))
    return splits
