"""What all estimators that predict relations share: their answers and their score."""

import numpy as np
from scipy import sparse
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_task2box import forms
from sklearn_task2box.metrics import relation_score
from sklearn_task2box.relations import TaskPairs, task_names

# Pairs that are compared at a time.
_BLOCK = 1 << 22
# A table of all pairs is faster than the observed ones from this share on.
_TABLE_FROM_SHARE = 0.1


class RelationPredictorMixin:
    """Mixin of BoxRelationEmbedder and of what it is compared with.

    A class with it says

    * in ``_represent(data, names)`` what it knows of tasks with checked features and
      names, an array with a row for each; ``_known`` holds the rows of the known tasks.
      Features have a mark for each of ``_twins``,
    * in ``_pair_strengths(tasks, heads, tails)`` how strongly pairs of such rows are
      related,
    * in ``_table(tasks, others)`` how strongly each of one is related to each of others,
    * in ``_scored_relations(data, y, names)`` which relations a score compares, an
      instance of TaskRelations.

    Its ``fit`` sets ``tasks_``, ``threshold_``, ``_twins``, ``_graded``,
    ``_names_matter``: whether the known tasks have names, and ``_from_labels``: whether
    relations were made of class labels.
    """

    def predict_proba(self, X):
        """Strengths of relations.

        Parameters
        ----------
        X : TaskPairs or {array-like, sparse matrix} of shape (n_new, n_features)
            Tasks, to be related to the tasks of training, or ordered pairs of tasks.

        Returns
        -------
        strengths : ndarray of shape (n_new, n_tasks), or (n_pairs, 2)
            ``strengths[i, j]`` reads "new task i lies inside known task j". For pairs, the
            columns are unrelated and related.

        Raises
        ------
        ValueError
            If X is unlike the X of fit. Also if X is sparse and ``fit`` was given class
            labels: scikit-learn's tools then expect one prediction per row, which a table
            of relations is not.
        """
        check_is_fitted(self)
        if self._from_labels and sparse.issparse(X):
            raise ValueError(
                "Relations made of class labels are not predicted for sparse X, where "
                "scikit-learn expects a class for each row. Pass X.toarray(), or give fit "
                "the relations as TaskRelations.from_labels(labels)."
            )
        if isinstance(X, TaskPairs):
            used, ends = np.unique(X.pairs, return_inverse=True)
            features = X.X.iloc[used] if hasattr(X.X, "iloc") else X.X[used]
            tasks = self._describe(
                self._check(features, reset=False), self._names_of(X, used)
            )
            related = self._pair_strengths(tasks, *ends.reshape(X.pairs.shape).T)
            return np.column_stack([1 - related, related])
        tasks = self._describe(self._check(X, reset=False), task_names(X))
        return self._table(tasks, self._known)

    def predict(self, X):
        """Whether tasks are related: strengths of at least ``threshold_``.

        Parameters
        ----------
        X : TaskPairs or {array-like, sparse matrix} of shape (n_new, n_features)

        Returns
        -------
        related : ndarray of bool, of shape (n_new, n_tasks) or (n_pairs,)
        """
        strengths = self.predict_proba(X)
        if isinstance(X, TaskPairs):
            strengths = strengths[:, 1]
        return strengths >= self.threshold_

    def score(self, X, y=None):
        """Average precision of relations, or Spearman's rho if they are graded.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_tasks, n_features)
        y : relations, default=None
            See :meth:`compare` for the pairs that are scored.

        Returns
        -------
        score : float
            At most 1, higher is better. Spearman's rank correlation if the relations of
            training had strengths between 0 and 1, and average precision otherwise.
        """
        strengths, predicted = self.compare(X, y)
        return relation_score(strengths, predicted, graded=self._graded)

    def compare(self, X, y=None):
        """True and predicted strengths of all pairs that y observes.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_tasks, n_features)
        y : relations, default=None
            As in :meth:`fit`. Where they name tasks (TaskRelations, a labelled DataFrame,
            a slice of either), the pairs are those among the rows of X, from them to the
            tasks of training, and from these to them; otherwise those among the rows of X.

        Returns
        -------
        strengths : ndarray of shape (n_pairs,)
        predicted : ndarray of shape (n_pairs,)

        Raises
        ------
        ValueError
            If X is unlike the X of fit, or y is not usable.
        """
        return self._compare(X, y)

    def _compare(self, X, y, by_task=False):
        """See compare; by task, also a number for the task inside, of each pair."""
        check_is_fitted(self)
        names = task_names(X)
        data = self._check(X, reset=False)
        relations = self._scored_relations(data, y, names)
        new = relations.positions(relations.tasks)
        known = np.zeros(0, dtype=int)
        named = relations.named or relations.is_slice
        if self._names_matter and named:
            known = relations.positions(self.tasks_)
        beside = np.flatnonzero((known >= 0) & ~np.isin(known, new))
        # Without names, the known tasks again if they are as many.
        of_known = named or data.shape[0] == len(self.tasks_)
        tasks = self._describe(data, relations.tasks if of_known else None)
        others = self._known[beside]
        columns = np.concatenate([new, known[beside]])
        everything = np.concatenate([tasks, others])
        compared = [
            *self._compared(relations, new, columns, tasks, everything),
            *self._compared(relations, known[beside], new, others, tasks, len(new)),
        ]
        strengths, predicted, observed = zip(*compared, strict=True)
        both = np.concatenate(strengths), np.concatenate(predicted)
        if not by_task:
            return both
        heads = [first + np.nonzero(table)[0] for first, table in observed]
        return *both, np.concatenate(heads)

    def _compared(self, relations, heads, tails, tasks, others, first=0):
        """Blocks of rows of the tables of true and predicted strengths.

        Yields the strengths of their observed pairs, and the number of the first row with
        which pairs are observed.
        """
        step = max(1, _BLOCK // max(len(tails), 1))
        for start in range(0, len(heads), step):
            part = slice(start, start + step)
            strengths = relations.block(heads[part], tails)
            strengths[heads[part, None] == tails] = np.nan  # with themselves
            observed = ~np.isnan(strengths)
            if np.count_nonzero(observed) > _TABLE_FROM_SHARE * observed.size:
                predicted = self._table(tasks[part], others)[observed]
            else:
                rows, columns = np.nonzero(observed)
                both = np.concatenate([tasks[part], others])
                predicted = self._pair_strengths(both, rows, len(observed) + columns)
            yield strengths[observed], predicted, (first + start, observed)

    def _names_of(self, pairs, used):
        """Names of tasks in pairs; one without a name is the known one at its position."""
        if task_names(pairs.X) is not None:
            return pairs.tasks[used]
        known = used < len(self.tasks_)
        names = np.full(len(used), None, dtype=object)
        names[known] = self.tasks_[used[known]]
        return names

    def _describe(self, X, names=None):
        """What is known of tasks; of twins, their names say which is which."""
        return self._represent(self._mark(X, names), names)

    def _mark(self, X, names=None):
        """Features, and further ones that say which twin a task is."""
        if len(self._twins) == 0:
            return X
        if names is None:
            at = np.arange(X.shape[0]) if X.shape[0] == len(self.tasks_) else None
        else:
            at = forms.positions_of(names, self.tasks_)
            # Relations without names have positions; a pipeline may have lost the names.
            if names.dtype.kind in "iu" and self.tasks_.dtype.kind not in "iu":
                at = names
        return self._twins.mark(X, at)

    def _check(self, X, **options):
        first = X[0] if isinstance(X, (list, tuple)) and X else X
        first = first[0] if isinstance(first, tuple) and first else first
        if isinstance(first, str):  # a name, or a pair of names
            raise ValueError(
                f"X must be features of tasks, and not their names; got {X[:1]!r}. Take "
                "their rows, X.loc[names], or ask for pairs with TaskPairs(X, pairs)."
            )
        # In one order: sums of another are other numbers, and a fit would depend on it.
        return validate_data(
            self,
            X,
            accept_sparse="csr",
            dtype=[np.float64, np.float32],
            order="C",
            **options,
        )
