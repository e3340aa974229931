"""BoxModel: what models that represent tasks by boxes share."""

import warnings

import numpy as np
import pandas as pd
from sklearn.base import TransformerMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted

from sklearn_task2box.base import RelationModel
from sklearn_task2box.boxes._index import KnownBoxes
from sklearn_task2box.relations import task_names
from sklearn_task2box.utils._typing import Array, Features, Names
from sklearn_task2box.utils._wrapped import NestedDefaults

# Strength from which a task counts as contained.
_CONTAINED = 0.5
# Tasks of whose unrelated pairs all are searched for contradictions.
_MAX_SEARCHED = 10_000


class BoxModel(NestedDefaults, TransformerMixin, RelationModel):
    """Relation model whose strengths are overlaps of boxes.

    A fitted subclass has ``boxes_``, ``temperature_`` and ``exponent_``.
    """

    def transform(self, X: Features) -> Array | pd.DataFrame:
        """Boxes of tasks, seen before or not.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_tasks, n_features)

        Returns
        -------
        boxes : ndarray of shape (n_tasks, 2 * box_dim)
            Lower corners, then upper corners.
        """
        check_is_fitted(self)
        return self._describe(self._check(X, reset=False), task_names(X))

    def get_feature_names_out(self, input_features: Names = None) -> Array:
        """Names of the corners: lower0, ..., upper0, ...; no input names are used."""
        check_is_fitted(self)
        n = self.boxes_.shape[1] // 2
        names = [f"{corner}{k}" for corner in ("lower", "upper") for k in range(n)]
        return np.asarray(names, dtype=object)

    def _index(self, tasks):
        return KnownBoxes(tasks, self.temperature_, self.exponent_)

    def _table(self, tasks, others):
        return self._index(others).overlaps(self._index(tasks), inside=True)

    def _pair_strengths(self, tasks, heads, tails):
        return self._index(tasks).pairs(heads, tails)

    def _strengths_in_blocks(self, tasks, heads, tails):
        return self._pair_strengths(tasks, heads, tails)  # which works in blocks itself


def contradictions(boxes, pairs, names):
    """Training pairs that boxes contradict: one side of 0.5 stated, the other predicted.

    ``boxes`` are the KnownBoxes of the tasks in ObservedPairs, and ``names`` name them. For
    the frame, see ``contradictions_`` of :class:`~sklearn_task2box.BoxRelationEmbedder`.
    """
    columns = ["task", "container", "strength", "predicted"]
    if pairs.is_graded:
        return pd.DataFrame(columns=columns)
    listed = pairs.strengths > 0 if pairs.complete else slice(None)
    arrays = pairs.heads, pairs.tails, pairs.strengths
    heads, tails, strengths = (array[listed] for array in arrays)
    found = [(heads, tails, strengths, boxes.pairs(heads, tails))]
    if pairs.complete:  # the unrelated pairs are all but these
        others = pairs.not_zero_keys()
        some = np.linspace(0, len(boxes) - 1, min(len(boxes), _MAX_SEARCHED)).astype(int)
        thresholds = np.full(len(some), _CONTAINED)
        around = boxes.at_least(boxes[some], thresholds, inside=True)
        for i, (at, predicted) in zip(some, around, strict=True):
            keys = pairs.keys(i, at)
            found_at = np.searchsorted(others, keys).clip(max=len(others) - 1)
            zero = (at != i) & (others[found_at] != keys)
            at, predicted = at[zero], predicted[zero]
            found.append((np.full(len(at), i), at, np.zeros(len(at)), predicted))
    heads, tails, strengths, predicted = map(np.concatenate, zip(*found, strict=True))
    wrong = np.flatnonzero((strengths >= _CONTAINED) != (predicted >= _CONTAINED))
    wrong = wrong[np.argsort(-abs(strengths - predicted)[wrong], kind="stable")]
    rows = names[heads[wrong]], names[tails[wrong]], strengths[wrong], predicted[wrong]
    return pd.DataFrame(dict(zip(columns, rows, strict=True)))


def warn_of_contradictions(found, n_observed, boxes, stacklevel):
    """Warn, with their number and the worst one, if there are contradictions."""
    if len(found):
        task, container, strength, predicted = next(found.itertuples(index=False))
        way_out = "With a larger box_dim or max_epochs there are fewer."
        n_alike = len(boxes) - len(np.unique(boxes, axis=0))
        if n_alike:
            way_out = (
                f"{n_alike} tasks have the box of another, since their features are equal: "
                "see representations.DuplicateIndicator, or let a teacher free the boxes."
            )
        warnings.warn(
            f"The boxes contradict {len(found)} of {n_observed} training pairs: {task!r} "
            f"in {container!r} is {strength:g}, and the overlap of their boxes is "
            f"{predicted:.2g}. See contradictions_ for all of them. {way_out}",
            ConvergenceWarning,
            stacklevel=stacklevel,
        )
