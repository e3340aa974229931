"""Scores of predicted relations."""

from numbers import Integral

import numpy as np
import pandas as pd
from scipy.stats import rankdata
from sklearn.utils import check_consistent_length, column_or_1d

from sklearn_task2box.utils._block_scores import (
    average_precision_of,
    check_numbers,
    check_related,
    rank_correlation,
    roc_auc_of,
    spearman_of,
)
from sklearn_task2box.utils._typing import Any, ArrayLike, Names
from sklearn_task2box.utils._wrapped import unwrapped


def relation_score(
    strengths: ArrayLike, predicted: ArrayLike, graded: bool | None = None
) -> float:
    """Average precision of 0/1 relations, Spearman's rho of graded ones.

    Parameters
    ----------
    strengths, predicted : array-like of shape (n_pairs,)
        True strengths, in [0, 1], and predicted ones.
    graded : bool, default=None
        Which of the two; None looks for strengths between 0 and 1.

    Returns
    -------
    score : float
        At most 1, higher is better.

    Raises
    ------
    ValueError
        If no pair is related, there is no pair at all, lengths differ or a value is NaN.

    Examples
    --------
    >>> from sklearn_task2box.metrics import relation_score
    >>> relation_score([0, 0, 1], [0.1, 0.3, 0.8])
    1.0
    """
    strengths, predicted = _columns(strengths, predicted)
    if graded is None:
        graded = not np.isin(strengths, (0, 1)).all()
    if graded:
        check_related(len(strengths), np.count_nonzero(strengths))
        return spearman(strengths, predicted)
    return average_precision_of([(strengths, predicted)])


def spearman(strengths: ArrayLike, predicted: ArrayLike) -> float:
    """Spearman's rank correlation of true and predicted strengths; 0 if one is constant."""
    return rank_correlation(*_columns(strengths, predicted))


def mean_spearman_within(
    strengths: ArrayLike, predicted: ArrayLike, targets: ArrayLike
) -> float:
    """Mean over targets of Spearman's rho among the pairs of each.

    For strengths of another scale in each target, such as normalised transfer affinities.

    Parameters
    ----------
    strengths, predicted : array-like of shape (n_pairs,)
    targets : array-like of shape (n_pairs,)
        The target that each pair belongs to.

    Returns
    -------
    rho : float
        Over the targets of different strengths; equal predictions of them count as 0.

    Raises
    ------
    ValueError
        If lengths differ, a value is NaN, or no target has pairs of different strengths.

    Examples
    --------
    >>> from sklearn_task2box.metrics import mean_spearman_within
    >>> strengths, predicted = [0.1, 0.2, 7, 8], [0.6, 0.9, 0.5, 0.3]
    >>> mean_spearman_within(strengths, predicted, ["a", "a", "b", "b"])
    0.0
    """
    strengths, predicted, targets = _columns(strengths, predicted, targets)
    if pd.isna(targets).any():
        raise ValueError(f"{pd.isna(targets).sum()} of the {len(targets)} targets are NaN.")
    groups = pd.Series(targets).groupby(targets).indices.values()
    return _mean_within((strengths[its], predicted[its]) for its in groups)


def _mean_within(groups):
    """Mean of Spearman's rho of true and predicted strengths, over groups of pairs."""
    n, found = 0, []
    for true, predicted in groups:
        n += 1
        if len(true) and np.ptp(true) > 0:
            found.append(spearman(true, predicted))
    if not found:
        raise ValueError(
            f"None of the {n} targets has two pairs of different strengths, so no rank "
            "correlation is defined. Score more pairs at once."
        )
    return float(np.mean(found))


def expected_calibration_error(
    strengths: ArrayLike, predicted: ArrayLike, n_bins: int = 15, strategy: str = "uniform"
) -> float:
    """How far predictions are, on average, from the strengths they stand for.

    Pairs are put into bins by prediction. The mean prediction of each bin is compared with
    the mean strength, of 0/1 relations the share of related pairs; bins count by pairs.

    Parameters
    ----------
    strengths, predicted : array-like of shape (n_pairs,)
        True and predicted strengths, in [0, 1].
    n_bins : int, default=15
    strategy : {"uniform", "quantile"}, default="uniform"
        Bins of equal width, or of equal numbers of pairs except for ties, which tell
        predictions apart where most pairs are unrelated and have low ones.

    Returns
    -------
    error : float
        In [0, 1], lower is better.

    Raises
    ------
    ValueError
        If there is no pair, lengths differ or an argument is none of those above.

    References
    ----------
    M. P. Naeini, G. F. Cooper, M. Hauskrecht, "Obtaining Well Calibrated Probabilities
    Using Bayesian Binning", AAAI 2015.

    Examples
    --------
    >>> from sklearn_task2box.metrics import expected_calibration_error
    >>> expected_calibration_error([0, 0, 1, 1], [0.25, 0.25, 0.75, 0.75])
    0.25
    """
    strengths, predicted = _columns(strengths, predicted)
    for name, values in (("strengths", strengths), ("predicted", predicted)):
        if not ((values >= 0) & (values <= 1)).all():
            raise ValueError(
                f"{name} must be in [0, 1]; got values from {values.min():.3g} to "
                f"{values.max():.3g}."
            )
    if not isinstance(n_bins, Integral) or isinstance(n_bins, bool) or n_bins < 1:
        raise ValueError(f"n_bins must be a whole number of at least 1; got {n_bins!r}.")
    if strategy == "uniform":
        bins = np.minimum((predicted * n_bins).astype(int), n_bins - 1)
    elif strategy == "quantile":
        bins = ((rankdata(predicted) - 0.5) * n_bins / len(predicted)).astype(int)
    else:
        raise ValueError(f"strategy must be 'uniform' or 'quantile'; got {strategy!r}.")
    gaps = np.bincount(bins, weights=strengths - predicted)
    return float(np.abs(gaps).sum() / len(predicted))


def _columns(strengths, predicted, *others):
    """Arrays of one length, at least 1, of which the first two hold numbers."""
    strengths = column_or_1d(strengths, dtype=float)
    predicted = column_or_1d(predicted, dtype=float)
    others = [column_or_1d(values) for values in others]
    check_consistent_length(strengths, predicted, *others)
    if not len(strengths):
        raise ValueError("There is no pair to be scored.")
    check_numbers(strengths, predicted)
    return strengths, predicted, *others


def average_precision_beyond_closure(
    strengths: ArrayLike, predicted: ArrayLike, implied: ArrayLike
) -> float:
    """Average precision over the pairs that the closure of the training pairs leaves open.

    A held-out pair that follows from the training pairs by transitivity measures nothing
    about learning: of a tree whose pairs are split at random, most held-out pairs do.

    Parameters
    ----------
    strengths, predicted : array-like of shape (n_pairs,)
        True strengths, of which at least 0.5 counts as related, and predicted ones.
    implied : array-like of bool, of shape (n_pairs,)
        Whether the closure of the training pairs implies the pair, so that a
        :class:`~sklearn_task2box.models.ClosureModel` of these gives it more than 0.5.

    Returns
    -------
    score : float
        In [0, 1], higher is better.

    Raises
    ------
    ValueError
        If lengths differ, a value is NaN, ``implied`` is not boolean, or the pairs that are
        left are all related or all unrelated.

    Examples
    --------
    >>> from sklearn_task2box.metrics import average_precision_beyond_closure
    >>> strengths, predicted = [1, 1, 0, 0], [0.9, 0.4, 0.6, 0.1]
    >>> average_precision_beyond_closure(strengths, predicted, [True, False, False, False])
    0.5
    """
    strengths, predicted, implied = _columns(strengths, predicted, implied)
    if implied.dtype != bool:
        raise ValueError(
            f"implied must be True or False for each pair; got the type {implied.dtype}. "
            "Cut strengths of a ClosureModel: strengths > 0.5."
        )
    if implied.all():
        raise ValueError(
            f"The closure of the training pairs implies all {len(implied)} pairs, so none "
            "is left to be scored. Hold out more pairs, or whole tasks."
        )
    return average_precision_of([(strengths[~implied], predicted[~implied])], least=0.5)


def best_f1_threshold(
    strengths: ArrayLike, predicted: ArrayLike, weights: Names = None
) -> float:
    """The threshold at which predictions have the best F1 score.

    Parameters
    ----------
    strengths, predicted : array-like of shape (n_pairs,)
        True strengths, of which at least 0.5 counts as related, and predicted ones.
    weights : array-like of shape (n_pairs,), default=None
        How many pairs each stands for, where some were drawn from many; None is 1 each.

    Returns
    -------
    threshold : float
        Midway between the last prediction above and the first below it; 0.5 where no pair
        is related. Choose it on other pairs than those it is judged on.

    Raises
    ------
    ValueError
        If there is no pair, lengths differ or a value is NaN.
    """
    strengths, predicted = _columns(strengths, predicted)
    if weights is not None:
        check_consistent_length(strengths, weights)
    related = strengths >= 0.5
    if not related.any():
        return 0.5
    order = np.argsort(-predicted, kind="stable")
    values = predicted[order]
    weights = np.ones(len(values)) if weights is None else np.asarray(weights)[order]
    hits = np.cumsum(related[order] * weights)
    f1 = 2 * hits / (np.cumsum(weights) + hits[-1])
    last = np.append(values[1:] < values[:-1], True)  # ties stand or fall together
    best = np.flatnonzero(last)[np.argmax(f1[last])]
    below = values[best + 1] if best + 1 < len(values) else min(values[best], 0.0)
    middle = (values[best] + below) / 2
    return float(middle if middle > below else values[best])  # it may round to below


def mean_average_precision(strengths: ArrayLike, predicted: ArrayLike) -> float:
    """Mean over tasks of the average precision with which their relations rank first.

    Parameters
    ----------
    strengths, predicted : array-like of shape (n_tasks, n_others)
        True strengths, positive where related and NaN to be left out, and predicted ones.

    Returns
    -------
    score : float
        Over the tasks that are related at all, ties broken as in
        :func:`sklearn.metrics.average_precision_score`.

    Raises
    ------
    ValueError
        If the shapes differ, a prediction is NaN, or no task is related to another.

    Examples
    --------
    >>> from sklearn_task2box.metrics import mean_average_precision
    >>> mean_average_precision([[0, 1, 1], [1, 0, 0]], [[0.1, 0.9, 0.8], [0.3, 0.5, 0.1]])
    0.75
    """
    return _mean_ranking(_rows(strengths, predicted))[0]


def mean_rank(strengths: ArrayLike, predicted: ArrayLike) -> float:
    """Mean, over the related pairs, of the rank among the unrelated pairs of the task.

    Parameters
    ----------
    strengths, predicted : array-like of shape (n_tasks, n_others)
        See :func:`mean_average_precision`, also for errors.

    Returns
    -------
    rank : float
        At least 1: one more than the number of unrelated tasks that are predicted at least
        as strongly (Nickel & Kiela, NeurIPS 2017, count ties in favour).

    Examples
    --------
    >>> from sklearn_task2box.metrics import mean_rank
    >>> mean_rank([[0, 1, 1], [1, 0, 0]], [[0.1, 0.9, 0.8], [0.3, 0.5, 0.1]])
    1.3333333333333333
    """
    return _mean_ranking(_rows(strengths, predicted))[1]


def reconstruction(embedder: Any, relations: Any = None) -> tuple[float, float]:
    """How well the boxes of the known tasks give back their relations.

    The scores by which embeddings of taxonomies are compared, without a table of all pairs.

    Parameters
    ----------
    embedder : fitted BoxRelationEmbedder
    relations : TaskRelations, default=None
        Relations of its tasks, by name or, where these have none, in their order. None
        takes those that it was fitted to.

    Returns
    -------
    mean_average_precision, mean_rank : float
        See the functions of that name.

    Raises
    ------
    TypeError
        If the relations are no TaskRelations.
    ValueError
        If they are of other tasks, or relate none.
    """
    return _mean_ranking(embedder.ranked_containers(relations))


def _rows(strengths, predicted):
    """Related or not and predicted strength of the others, for each task."""
    strengths, predicted = np.asarray(strengths, float), np.asarray(predicted, float)
    if strengths.shape != predicted.shape or strengths.ndim != 2:
        raise ValueError(
            "strengths and predicted must be tables of one shape, (n_tasks, n_others); got "
            f"the shapes {strengths.shape} and {predicted.shape}."
        )
    if np.isnan(predicted).any():
        raise ValueError(
            f"{np.isnan(predicted).sum()} of the {predicted.size} predictions are NaN."
        )
    for true, row in zip(strengths, predicted, strict=True):
        seen = ~np.isnan(true)
        yield true[seen] > 0, row[seen]


def _mean_ranking(rows):
    precisions, ranks, n_pairs = [], 0, 0
    for related, predicted in rows:
        if not related.any():
            continue
        order = np.argsort(-predicted, kind="stable")
        related, predicted = related[order], predicted[order]
        ends = np.flatnonzero(np.append(predicted[1:] < predicted[:-1], True))
        hits, counts = np.cumsum(related)[ends], ends + 1
        gained = np.diff(hits, prepend=0)
        precisions.append((gained * hits / counts).sum() / hits[-1])
        n_pairs += hits[-1]
        ranks += (gained * (counts - hits + 1)).sum()
    if not precisions:
        raise ValueError("No task is related to another, so no score is defined.")
    return float(np.mean(precisions)), float(ranks / n_pairs)


def _f1(blocks, threshold):
    sizes, n_pairs = np.zeros(3, dtype=int), 0
    for strengths, predicted, *_ in blocks:
        related, above = strengths >= 0.5, predicted >= threshold
        sizes += [np.count_nonzero(kind) for kind in (related & above, related, above)]
        n_pairs += len(strengths)
    check_related(n_pairs, sizes[1])
    return 2 * sizes[0] / (sizes[1] + sizes[2])


def _by_task(blocks, least=None):
    """True strengths, or whether at least ``least``, and predicted ones, of each head."""
    n_pairs = n_related = 0
    for strengths, predicted, counts in blocks:
        check_numbers(strengths, predicted)
        true = strengths if least is None else strengths >= least
        n_pairs, n_related = n_pairs + len(true), n_related + np.count_nonzero(true)
        ends = np.cumsum(counts)[:-1]
        yield from zip(np.split(true, ends), np.split(predicted, ends), strict=True)
    check_related(n_pairs, n_related, least)


# By the blocks of RelationModel.compare_blocks, and the threshold of the model.
_SCORES: dict[str, Any] = {
    "average_precision": lambda blocks, _: average_precision_of(blocks, least=0.5),
    "roc_auc": lambda blocks, _: roc_auc_of(blocks, least=0.5),
    "f1": _f1,
    "spearman": lambda blocks, _: spearman_of(blocks),
    "mean_average_precision": lambda blocks, _: _mean_ranking(_by_task(blocks, 0.5))[0],
    "neg_mean_rank": lambda blocks, _: -_mean_ranking(_by_task(blocks, 0.5))[1],
    "mean_spearman_within": lambda blocks, _: _mean_within(_by_task(blocks)),
}


class RelationScorer:
    """What :func:`make_relation_scorer` makes: ``scorer(estimator, X, y)``."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self):
        return f"make_relation_scorer({self.name!r})"

    def __call__(self, estimator: Any, X: Any, y: Any) -> float:
        predictor, before = unwrapped(estimator)
        if not hasattr(predictor, "compare_blocks"):
            raise TypeError(
                f"A {type(predictor).__name__} does not predict relations of tasks: "
                f"{self!r} scores a relation model, or a Pipeline or "
                "search that ends in one. The samples of a TaskLinkClassifier are pairs; "
                f"score it by name, scoring={self.name!r}."
            )
        for step in before:
            X = step.transform(X)
        blocks = predictor.compare_blocks(X, y)
        return float(_SCORES[self.name](blocks, predictor.threshold_))


def make_relation_scorer(name: str) -> RelationScorer:
    """Make a scorer for cross-validation over tasks.

    It grades every observed pair between the tasks given and the tasks known from
    training, in both directions, and among the tasks given, a block of pairs at a time.

    Parameters
    ----------
    name : str
        "average_precision", "roc_auc", "f1", "mean_average_precision" or "neg_mean_rank":
        pairs of at least 0.5 are related, and others not. "f1" uses the threshold chosen in
        ``fit``; the last two rank what may contain each task. Or, of graded strengths,
        "spearman" or "mean_spearman_within", the mean over tasks that lie inside others.

    Returns
    -------
    scorer : callable
        For ``scoring`` of a relation model, or a Pipeline or search that ends in one.

    Raises
    ------
    ValueError
        If there is no score of that name.

    Examples
    --------
    >>> from sklearn_task2box.metrics import make_relation_scorer
    >>> make_relation_scorer("roc_auc")
    make_relation_scorer('roc_auc')
    """
    if name not in list(_SCORES):
        raise ValueError(f"name must be one of {sorted(_SCORES)}; got {name!r}.")
    return RelationScorer(name)
