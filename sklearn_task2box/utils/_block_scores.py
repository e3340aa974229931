"""Scores of blocks of pairs in bounded memory, and what pairs must be to have one.

Blocks are tuples that begin with true and predicted strengths, each of shape (n_pairs,).
"""

import math

import numpy as np
from scipy.stats import rankdata, spearmanr

# Bits of float32 that predictions are ranked by: sign, exponent and 16 of 23 of the rest.
_DROPPED = 7


class Repeated:
    """What an iterator yields that ``make()`` makes, as often as it is asked for."""

    def __init__(self, make):
        self.make = make

    def __iter__(self):
        return self.make()


def average_precision_of(blocks, least=None):
    """Average precision; pairs of at least ``least``, None for more than 0, are related."""
    hits, beyond, _, _ = _unrelated_beyond(blocks, least)
    found = np.cumsum(hits[::-1])[::-1]
    return float(hits @ (found / (found + beyond)) / found[0])


def roc_auc_of(blocks, least):
    """Area under the ROC curve; pairs of at least ``least`` are related."""
    hits, beyond, above, n_unrelated = _unrelated_beyond(blocks, least)
    return float(1 - hits @ (beyond + above) / (2 * hits.sum() * n_unrelated))


def _unrelated_beyond(blocks, least):
    """Of each prediction of related pairs: these, and unrelated ones of as much or more.

    Arrays of shape (n_values,), of ascending values: numbers of related pairs, and of
    unrelated ones predicted at least as, and more strongly; then the number of all
    unrelated pairs. The blocks are iterated over twice.
    """
    smallest = np.nextafter(0, 1) if least is None else least
    related, n_pairs = [], 0
    for strengths, predicted, *_ in blocks:
        check_numbers(strengths, predicted)
        related.append(predicted[strengths >= smallest])
        n_pairs += len(strengths)
    values, hits = np.unique(np.concatenate(related or [[]]), return_counts=True)
    check_related(n_pairs, hits.sum(), least)
    beyond, above = np.zeros((2, len(values)), dtype=int)
    for strengths, predicted, *_ in blocks:
        others = np.sort(predicted[(strengths < smallest) & (predicted >= values[0])])
        beyond += len(others) - np.searchsorted(others, values)
        above += len(others) - np.searchsorted(others, values, "right")
    return hits, beyond, above, n_pairs - hits.sum()


def rank_correlation(strengths, predicted):
    """Spearman's rank correlation of true and predicted strengths; 0 if one is constant."""
    if np.ptp(strengths) == 0 or np.ptp(predicted) == 0:
        return 0.0
    return float(spearmanr(strengths, predicted).statistic)


def spearman_of(blocks):
    """Spearman's rho of blocks of pairs: exact where they are a list, else in bins."""
    if not isinstance(blocks, list):
        return spearman_in_bins(blocks)
    strengths, predicted, *_ = map(np.concatenate, zip(*blocks, strict=True))
    check_numbers(strengths, predicted)
    check_related(len(strengths), np.count_nonzero(strengths))
    return rank_correlation(strengths, predicted)


def spearman_in_bins(blocks):
    """Spearman's rho, 0 if true or predicted strengths are constant.

    Held are the true strengths other than 0 and a histogram of the predictions, in [0, 1]:
    those of one bin, which differ by a share of 1.5e-5 at most, are ties. The blocks are
    iterated over once.
    """
    counts = np.zeros(_bins(np.ones(1))[0] + 1, dtype=np.int64)
    true, at = [], []
    for strengths, predicted, *_ in blocks:
        check_numbers(strengths, predicted)
        bins = _bins(predicted)
        np.add.at(counts, bins, 1)
        true.append(strengths[strengths != 0])
        at.append(bins[strengths != 0])
    true, at = np.concatenate(true or [[]]), np.concatenate(at or [[]]).astype(int)
    n = int(counts.sum())
    check_related(n, len(true))
    used = np.flatnonzero(counts)
    counts, at = counts[used], np.searchsorted(used, at)
    # Ranks less their mean; the zeros of the true ones are one tie.
    n_zeros = n - len(true)
    of_zero, ranks = (n_zeros - n) / 2, n_zeros + rankdata(true) - (n + 1) / 2
    predicted = np.cumsum(counts) - counts / 2 - n / 2
    squares = ranks @ ranks + n_zeros * of_zero**2, predicted @ (counts * predicted)
    size = math.sqrt(squares[0]) * math.sqrt(squares[1])
    return float((ranks - of_zero) @ predicted[at] / size) if size else 0.0


def _bins(predicted):
    """Bins of numbers in [0, 1], in their order: the first bits of float32."""
    outside = predicted[(predicted < 0) | (predicted > 1)]
    if len(outside):
        raise ValueError(f"Predicted strengths must be in [0, 1]; got {outside[0]:g}.")
    return (predicted + np.float32(0)).astype(np.float32).view(np.int32) >> _DROPPED


def check_related(n_pairs, n_related, least=None):
    """Refuse pairs none of which is related or, with ``least``, all of which are."""
    if n_related == 0 or (least is not None and n_related == n_pairs):
        raise ValueError(
            f"{'All' if n_related else 'None'} of the {n_pairs} pairs to be scored are "
            f"related{'' if least is None else f', by {least} or more'}, so no score is "
            "defined. Score more tasks at once, use fewer folds or, for graded strengths, "
            "score by 'spearman'."
        )


def check_numbers(strengths, predicted):
    """Refuse strengths or predictions, (n_pairs,), some of which are NaN."""
    for name, values in (("strengths", strengths), ("predicted", predicted)):
        if np.isnan(values).any():
            raise ValueError(
                f"{np.isnan(values).sum()} of the {len(values)} {name} are NaN. Leave out "
                "the pairs that nothing is known of."
            )
