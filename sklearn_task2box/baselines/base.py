"""What all baselines share: reading X and y, answering, scoring."""

from typing import ClassVar

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator

from sklearn_task2box import forms
from sklearn_task2box.baselines.sampling import Sampler
from sklearn_task2box.metrics import best_f1_threshold
from sklearn_task2box.neighbours import neighbourhood_affinities
from sklearn_task2box.predictor import RelationPredictorMixin
from sklearn_task2box.relations import (
    TaskRelations,
    as_relations,
    task_names,
)
from sklearn_task2box.rollback import all_or_nothing
from sklearn_task2box.twins import Twins

# Pairs that a threshold is chosen on; of more, some are drawn.
_MAX_SCORED = 250_000
# Numbers made at a time.
_BLOCK = 1 << 22


def dense(data):
    """Features as a float64 array."""
    data = data.toarray() if sparse.issparse(data) else data
    return data.astype(np.float64)


class _RelationBaseline(RelationPredictorMixin, BaseEstimator):
    """Base of the baselines: the interface of BoxRelationEmbedder, but for the boxes.

    A class derived from it says

    * in ``_learn(data, observed)`` what it makes of features and observed pairs,
    * in ``_represent(data, names)`` what it knows of tasks, an array with a row for each,
    * in ``_strengths(tasks, heads, tails)`` how strongly pairs of such rows are related.
    """

    _parameter_constraints: ClassVar[dict] = {}
    # Whether features are marked where tasks are twins: see sklearn_task2box.twins.
    _separates_twins = False
    # Numbers at work for each pair in ``_strengths``.
    _width = 8

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def fit(self, X, y=None):
        """Learn from the features of tasks and the relations among them.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_tasks, n_features)
            Features; the index of a DataFrame names the tasks.
        y : relations among the rows of X, default=None
            As in :meth:`BoxRelationEmbedder.fit`.

        Returns
        -------
        self : estimator

        Raises
        ------
        ValueError
            If a parameter, X or y is not usable; nothing is changed then.
        """
        with all_or_nothing(self):
            self._validate_params()
            names = task_names(X)
            data = self._check(X, ensure_min_samples=2)
            relations = self._read(data, y, names)
            observed = relations.observed()
            observed.check_related()
            self._names_matter = relations.named or relations.is_slice
            self.tasks_ = (
                relations.tasks if self._names_matter else np.arange(data.shape[0])
            )
            self._graded = observed.is_graded
            self._from_labels = forms.is_labels(y)
            cut = forms.is_labelled(y) and relations.is_slice
            self._beside = relations if cut else None
            separate = self._separates_twins and y is not None
            self._twins = Twins.among(data) if separate else Twins.none(data)
            data = self._twins.mark(data, np.arange(data.shape[0]))
            self._learn(data, observed)
            self._known = self._represent(data, self.tasks_)
            heads, tails, strengths, weights = Sampler(
                observed, _MAX_SCORED, np.random.RandomState(0)
            ).draw()
            predicted = self._pair_strengths(self._known, heads, tails)
            self.threshold_ = best_f1_threshold(strengths, predicted, weights)
        return self

    # -- inside ------------------------------------------------------------------------
    def _scored_relations(self, data, y, names):
        if self._beside is not None and forms.is_labelled(y):
            ours = as_relations(TaskRelations(y), data.shape[0], names)
            return ours.merge(self._beside)
        return self._read(data, y, names)

    def _read(self, data, y, names):
        y = neighbourhood_affinities(data) if y is None else y
        return as_relations(y, data.shape[0], names)

    def _pair_strengths(self, tasks, heads, tails):
        """Strengths of pairs of rows of what is known of tasks."""
        strengths = np.empty(len(heads))
        for part in self._blocks(len(heads)):
            strengths[part] = self._strengths(tasks, heads[part], tails[part])
        return strengths

    def _blocks(self, n_pairs):
        step = max(1, _BLOCK // self._width)
        return (slice(start, start + step) for start in range(0, n_pairs, step))

    def _table(self, tasks, others):
        """Strengths of all pairs of one of the tasks and one of the others."""
        both = np.concatenate([tasks, others])
        tails = np.arange(len(tasks), len(both))
        table = np.empty((len(tasks), len(others)))
        step = max(1, _BLOCK // (self._width * len(others)))
        for start in range(0, len(tasks), step):
            some = np.arange(start, min(start + step, len(tasks)))
            heads = np.repeat(some, len(others))
            strengths = self._strengths(both, heads, np.tile(tails, len(some)))
            table[some] = strengths.reshape(len(some), len(others))
        return table
