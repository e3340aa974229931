"""What observed relations say of pairs that nobody observed.

Containment is transitive: what lies in a member lies in its container. So two observed
relations can imply a third. And u does not lie in v if something in u is known to lie
outside of something around v. Whether the relations at hand are of this kind, those that
are observed tell.
"""

import numpy as np

from sklearn_task2box.relations import TaskRelations

# Relations that follow from others are believed if so many of them are observed and none of
# those observed is wrong.
_WITNESSES = 10


def implied(pairs):
    """Add the pairs that follow from those observed, if relations are transitive.

    Relations between 0 and 1 imply nothing. Nor do any, if one that would follow from two
    others is observed to be absent, or if less than ten that follow are observed at all.

    Parameters
    ----------
    pairs : ObservedPairs
        Few enough tasks for a table of all pairs.

    Returns
    -------
    pairs : ObservedPairs
        With further ones; the same object where nothing is added.
    """
    if pairs.n_unknown == 0 or pairs.is_graded:
        return pairs
    strengths, observed = pairs.dense()
    related = observed & (strengths > 0)
    absent = observed & ~related
    by_others = _joined(related, related)
    if (by_others & related).sum() < _WITNESSES:
        return pairs
    inside = related | np.eye(pairs.n_tasks, dtype=bool)
    while True:
        further = _joined(inside, inside)
        if (further & absent).any():
            return pairs
        if (further == inside).all():
            break
        inside = further
    outside = _joined(_joined(inside.T, absent), inside.T)
    strengths = np.where(inside, 1.0, np.where(outside, 0.0, np.nan))
    np.fill_diagonal(strengths, np.nan)
    return TaskRelations(strengths).observed()


def _joined(one, other):
    """Which rows of one reach which columns of the other."""
    return one.astype(np.float32) @ other.astype(np.float32) > 0
