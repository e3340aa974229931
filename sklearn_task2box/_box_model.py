"""BoxModel: what models that represent tasks by boxes share."""

import numpy as np
from sklearn.base import TransformerMixin
from sklearn.utils.validation import check_is_fitted

from sklearn_task2box.base import RelationModel
from sklearn_task2box.boxes._index import KnownBoxes


class BoxModel(TransformerMixin, RelationModel):
    """Relation model whose strengths are overlaps of boxes.

    A subclass represents tasks by boxes, and has ``boxes_``, ``temperature_`` and
    ``exponent_`` when it is fitted.
    """

    def transform(self, X):
        """Boxes of tasks, seen before or not.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_tasks, n_features)

        Returns
        -------
        boxes : ndarray of shape (n_tasks, 2 * box_dim)
            Lower corners, then upper corners.
        """
        return self._tasks(X)

    def get_feature_names_out(self, input_features=None):
        """Names of the columns of :meth:`transform`: lower0, ..., upper0, ...

        Parameters
        ----------
        input_features : ignored

        Returns
        -------
        names : ndarray of str, of shape (2 * box_dim,)
        """
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
