"""Average precision in bounded memory, and what pairs must be to have one."""

import numpy as np


def average_precision_of(blocks, least=None):
    """Average precision of blocks of true and predicted strengths, in bounded memory.

    Pairs of at least ``least``, None for more than 0, are related. The blocks are iterated
    over twice.
    """
    smallest = np.nextafter(0, 1) if least is None else least
    related, n_pairs = [], 0
    for strengths, predicted, *_ in blocks:
        check_numbers(strengths, predicted)
        related.append(predicted[strengths >= smallest])
        n_pairs += len(strengths)
    values, hits = np.unique(np.concatenate(related or [[]]), return_counts=True)
    check_related(n_pairs, hits.sum(), least)
    beyond = np.zeros(len(values), dtype=int)  # unrelated pairs predicted as strongly
    for strengths, predicted, *_ in blocks:
        others = np.sort(predicted[(strengths < smallest) & (predicted >= values[0])])
        beyond += len(others) - np.searchsorted(others, values)
    found = np.cumsum(hits[::-1])[::-1]
    return float(hits @ (found / (found + beyond)) / found[0])


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
