"""TaskPairs: ordered pairs of tasks over one feature matrix."""

import numbers
from collections.abc import Iterable
from copy import copy
from typing import Any, Self

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.utils import check_random_state

from sklearn_task2box.relations._alignment import as_relations
from sklearn_task2box.relations._names import task_names
from sklearn_task2box.relations._parsing import check_headers, edge_columns, endpoints
from sklearn_task2box.relations._slicing import RowSliceable
from sklearn_task2box.utils._features import as_array
from sklearn_task2box.utils._typing import Array, ArrayLike, Features, RandomState

_TEXTS = (
    " Texts go in as texts.to_frame('text'), for a model that starts with "
    "make_column_transformer((TfidfVectorizer(), 'text'))."
)


class TaskPairs(RowSliceable):
    """Ordered pairs of tasks over one feature matrix, as an array-like of pairs.

    A slice picks pairs and shares the features, so scikit-learn's splitters cut it as
    they cut a feature matrix whose rows are pairs.

    Parameters
    ----------
    X : {array-like, sparse matrix, DataFrame} of shape (n_tasks, n_features)
        Features of the tasks. The index of a DataFrame holds their names.
    pairs : array-like of shape (n_pairs, 2)
        Names of tasks, where ``X`` names them, or row positions. The strength of the pair
        (i, j) is how much of task i lies inside task j.

    Attributes
    ----------
    X : as given
    pairs : ndarray of shape (n_pairs, 2)
        Row positions.
    shape : tuple
        (n_pairs, 2).

    Raises
    ------
    ValueError
        If ``pairs`` has a wrong shape or a position or name that ``X`` does not have.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_task2box import TaskPairs
    >>> pairs = TaskPairs(np.eye(3), [(0, 1), (2, 0)])
    >>> len(pairs), pairs[1:].pairs
    (2, array([[2, 0]]))
    """

    _without_columns = (
        " Its rows are pairs of tasks and have no columns of features. Behind the steps of "
        "a Pipeline, take model[-1].predict_proba(TaskPairs(model[:-1].transform(X), "
        "pairs)); for the importance of features, permutation_importance(embedder, X, y, "
        "scoring=make_relation_scorer('average_precision'))."
    )

    def __init__(self, X: Features, pairs: ArrayLike | Iterable[Any]) -> None:
        self.X = _features_with_rows(X)
        check_headers(pairs)
        heads, tails, _ = edge_columns(pairs, "The list of pairs", widths=(2,))
        ends = endpoints(heads, tails, self.tasks, "The list of pairs")
        self.pairs = np.column_stack(ends)

    @classmethod
    def from_graph(
        cls,
        graph: Any,
        X: Features,
        *,
        negatives: int | str = "all",
        random_state: RandomState = None,
    ) -> tuple[Self, Array]:
        """Turn known relations into labelled pairs, in random order.

        Parameters
        ----------
        graph : networkx.DiGraph, TaskRelations, or any other input format of relations
            Read as by :class:`TaskRelations`, whose options state the direction of edges
            and whether their transitive closure is added.
        X : {array-like, sparse matrix, DataFrame} of shape (n_tasks, n_features)
            Features of the tasks. Where no index of X names them, give the graph as
            ``TaskRelations(graph, tasks=names)``.
        negatives : "all" or float, default="all"
            Unrelated pairs: all, or that many per related pair, drawn without replacement.
        random_state : int, RandomState instance or None, default=None
            Draws the negatives and the order.

        Returns
        -------
        pairs : TaskPairs of length n_pairs
        y : ndarray of shape (n_pairs,)
            Labels 1 and 0, or float strengths where the relations are graded.

        Raises
        ------
        ValueError
            If the graph is not usable, or negatives is neither "all" nor a number.

        Warns
        -----
        UserWarning
            If the graph is a dense matrix or frame whose entries contradict its closure.
        """
        rng, X = check_random_state(random_state), _features_with_rows(X)
        relations = as_relations(graph, X.shape[0], task_names(X), stacklevel=3)
        observed = relations.observed()
        if isinstance(negatives, str) and negatives == "all":
            pairs = observed.expand()
            first = np.argsort(pairs[2] == 0, kind="stable")  # the related ones first
            heads, tails, strengths = (values[first] for values in pairs)
        elif isinstance(negatives, bool) or not (
            isinstance(negatives, numbers.Real) and 0 <= negatives < np.inf
        ):
            raise ValueError(
                f"negatives must be 'all' or a number >= 0; got {negatives!r}."
            )
        else:
            n_drawn = round(negatives * observed.n_related)
            heads, tails, strengths = observed.with_zeros(n_drawn, rng)
        order = rng.permutation(len(strengths))
        y = strengths[order]
        if np.isin(y, (0, 1)).all():
            y = y.astype(int)
        return cls.from_positions(X, heads[order], tails[order]), y

    @classmethod
    def from_positions(cls, X: Features, heads: ArrayLike, tails: ArrayLike) -> Self:
        """Pairs of rows, whatever the rows are named.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_tasks, n_features)
        heads, tails : array-like of int, of shape (n_pairs,)
            Rows of X.

        Returns
        -------
        pairs : TaskPairs of length n_pairs
        """
        pairs = object.__new__(cls)
        pairs.X = _features_with_rows(X)
        pairs.pairs = np.column_stack([heads, tails]).astype(np.intp).reshape(-1, 2)
        n = pairs.X.shape[0]
        outside = pairs.pairs[(pairs.pairs < 0) | (pairs.pairs >= n)]
        if len(outside):
            raise ValueError(f"X has rows 0 to {n - 1}, but a pair has row {outside[0]}.")
        return pairs

    def copy(self) -> Self:
        """A copy of the pairs, which shares their features."""
        other = self[:]
        other.pairs = self.pairs.copy()
        return other

    def to_frame(self) -> pd.DataFrame:
        """The pairs as a tidy frame.

        Returns
        -------
        frame : DataFrame of shape (n_pairs, 2)
            Names of the tasks, or their positions, in the columns "task" and "container".
        """
        return pd.DataFrame(self.tasks[self.pairs], columns=["task", "container"])

    def with_features(self, X: Features) -> Self:
        """The same pairs, in the same rows of other features.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_tasks, n_features)
            Features of the same tasks, in the same order; else a ValueError.

        Returns
        -------
        pairs : TaskPairs of length n_pairs
        """
        other = self[:]
        other.X = _features_with_rows(X)
        n, n_tasks = other.X.shape[0], self.X.shape[0]
        if n != n_tasks:
            raise ValueError(f"X has {n} rows, but the pairs are of {n_tasks} tasks.")
        return other

    def _select(self, indices):
        other = copy(self)
        other.pairs = self.pairs[indices]
        return other

    @property
    def shape(self) -> tuple[int, int]:
        return self.pairs.shape

    @property
    def tasks(self) -> Array:
        """Names of the rows of ``X``: its index, or their positions."""
        names = task_names(self.X)
        return np.arange(self.X.shape[0]) if names is None else names

    def __len__(self):
        return len(self.pairs)

    def __repr__(self):
        return f"<TaskPairs: {len(self)} ordered pairs of {self.X.shape[0]} tasks>"

    def __array__(self, dtype=None, copy=None):
        raise TypeError(
            "TaskPairs is no feature matrix, and tools that make an array of X (bagging, "
            f"scalers) cannot work on it.{self._without_columns} Only TaskLinkClassifier "
            "and predict_proba of relation models read it; put a Pipeline inside, as in "
            "TaskLinkClassifier(make_pipeline(StandardScaler(), BoxRelationEmbedder()))."
        )


def _features_with_rows(X):
    """Features as something that has rows to take."""
    if not hasattr(X, "shape"):
        X = as_array(X)
    if len(X.shape) != 2:
        raise ValueError(
            "X must be the features of the tasks, of shape (n_tasks, n_features); "
            f"got the shape {tuple(X.shape)}." + _TEXTS * (len(X.shape) == 1)
        )
    return X.tocsr() if sparse.issparse(X) else X
