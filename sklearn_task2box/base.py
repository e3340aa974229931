"""RelationModel: the protocol of everything that learns and predicts relations of tasks."""

from collections.abc import Iterable, Iterator
from itertools import chain
from numbers import Integral, Real

import networkx as nx
import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted, validate_data
from tqdm.auto import tqdm

from sklearn_task2box.metrics import best_f1_threshold
from sklearn_task2box.relations import TaskPairs, TaskRelations, as_relations, task_names
from sklearn_task2box.relations._names import positions_of
from sklearn_task2box.relations._parsing import is_labelled, is_labels
from sklearn_task2box.utils._block_scores import Repeated, average_precision_of, spearman_of
from sklearn_task2box.utils._features import check_numeric, check_size
from sklearn_task2box.utils._matching import match_rows
from sklearn_task2box.utils._rollback import all_or_nothing
from sklearn_task2box.utils._rows import stack_rows
from sklearn_task2box.utils._storage import Stored
from sklearn_task2box.utils._table_index import TableIndex
from sklearn_task2box.utils._typing import Any, Array, Features, Relations, Self

# Pairs that are compared at a time, and numbers at work where strengths are predicted.
_BLOCK = 1 << 22
# Pairs that are compared in one array: all of 5,000 tasks, in 0.8 GB.
_MAX_COMPARED = 25_000_000
# A table of all pairs is faster than the observed ones from this share on.
_TABLE_FROM_SHARE = 0.1
# Pairs that a threshold is chosen on; of more, unrelated ones are drawn.
_MAX_SCORED = 20_000


class RelationModel(Stored, BaseEstimator):
    """Base class of models of directed relations between tasks.

    A subclass gets ``fit``, predictions, scores, queries and graphs from two methods, and
    can be blended by :class:`~sklearn_task2box.RelationEnsemble`, distilled by
    :class:`~sklearn_task2box.DistilledBoxEmbedder` and wrapped by
    :class:`~sklearn_task2box.TaskLinkClassifier`:

    * ``_fit_pairs(X, pairs)`` learns from checked features (a float array, or a CSR
      matrix) and :class:`~sklearn_task2box.relations.ObservedPairs` of their rows.
    * ``_pair_strengths(tasks, heads, tails)`` predicts strengths in [0, 1] of pairs of
      rows of ``tasks``.

    ``tasks`` are the features, unless a third method, ``_represent(X, known)``, makes an
    array (n_tasks, ...) of something else that is predicted from; ``known[i]`` is the
    position in ``tasks_`` of a row that is a known task, and -1 otherwise. It is None
    unless the attribute ``_recognizes`` of the class is "name" (tasks are known by name,
    and by their features where there are no names) or "features" (by their features
    alone). ``_table(tasks, others)`` can be overridden where all pairs are predicted
    faster at once. The attribute ``_width``, 8 by default, is how many numbers are at work
    for each pair in ``_pair_strengths``, which sets the size of blocks of pairs.

    Attributes
    ----------
    tasks_ : ndarray of shape (n_tasks,)
        Names of the tasks of training, or positions where they have none.
    relations_ : TaskRelations
        Their relations, as learned from.
    threshold_ : float
        Strength from which :meth:`predict` counts a pair as related: the best F1 score on
        the relations of training, graded ones being related from 0.5 on.
    n_features_in_ : int
        Number of features of a task.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, where X was a DataFrame with string columns.
    """

    _recognizes: str | None = None
    _width = 8

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    # -- fitting -----------------------------------------------------------------------
    def fit(self, X: Features, y: Relations = None) -> Self:
        """Learn from the features of tasks and the relations among them.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_tasks, n_features)
            Features; the index of a DataFrame names the tasks. Behind steps of a Pipeline,
            ``pipeline.set_output(transform="pandas")`` keeps the names.
        y : relations among the rows of X, default=None
            In any format of :class:`~sklearn_task2box.TaskRelations` (a labelled square
            DataFrame, a networkx.DiGraph, a mapping of parents, an edge list, a square
            array or sparse matrix), or a 1-D array of labels. Where X has no names,
            labelled relations must stand in the order of its rows. scikit-learn's searches
            and cross-validation cut y by rows, of which a graph has none (``KeyError``):
            give them ``TaskRelations(graph, tasks=X.index)``. None takes
            :meth:`~sklearn_task2box.TaskRelations.from_neighbors` of X.

        Returns
        -------
        self : RelationModel

        Raises
        ------
        ValueError
            If a parameter, X or y is not usable; nothing is changed then.
        TypeError
            If y is a TaskPairs: these are the X of a TaskLinkClassifier.

        Warns
        -----
        UserWarning
            If y states pairs as unrelated that its own entries imply, or looks reversed.
            Of boxes, also if columns of X drown the others, or if Ctrl-C ends the fit: they
            are those of the last epoch or, without one, all is unchanged.
        ConvergenceWarning
            If boxes contradict training pairs.
        """
        with all_or_nothing(self):
            self._validate_params()
            data, relations = self._read_fit(X, y)
            pairs = relations.observed()
            pairs.check_related()
            self._fit_pairs(data, pairs)
            self._remember(data, relations)
            self._choose_threshold(pairs)
        return self

    _parameter_constraints: dict = {}  # noqa: RUF012

    def _read_fit(self, X, y):
        """Checked features, and the relations among their rows."""
        self._from_features, names = y is None, task_names(X)
        data = self._check(X, ensure_min_samples=2)
        if names is None and is_labelled(y) and getattr(self, "verbose", 0):
            print("X has no names: labelled relations are taken in the order of its rows.")
        relations = self._read_relations(data, y, names, stacklevel=5)
        if getattr(self, "verbose", 0):
            print(f"relations: {relations.closure}")
        self._from_labels = is_labels(y)
        # A labelled frame cut by rows holds known -> new relations, for score.
        self._beside = relations if is_labelled(y) and relations.is_slice else None
        return data, relations

    def _read_relations(self, data, y, names, stacklevel=None):
        if y is None and not self._from_features:
            raise ValueError(
                "y is None, and this model learned relations that were given. Give those "
                "of the rows of X, to compare its predictions with."
            )
        y = TaskRelations.from_neighbors(data) if y is None else y
        return as_relations(y, data.shape[0], names, stacklevel=stacklevel)

    def _remember(self, data, relations):
        """Set the attributes that predictions read."""
        self._names_matter = relations.named or relations.is_slice
        self.tasks_ = relations.tasks if self._names_matter else np.arange(data.shape[0])
        self.relations_ = relations.of_rows()
        self._graded = self.relations_.observed().is_graded
        self._keep_features(data)
        known = None if self._recognizes is None else np.arange(data.shape[0])
        self._known = self._represent(data, known)

    def _keep_features(self, data):
        self._features = data.copy()
        self._largest = check_size(data)

    def _choose_threshold(self, pairs):
        *ends, strengths, weights = pairs.sample(_MAX_SCORED, np.random.RandomState(0))
        predicted = self._strengths_in_blocks(self._known, *ends)
        self.threshold_ = best_f1_threshold(strengths, predicted, weights)

    def _check(self, X, **options):
        first = X[0] if isinstance(X, (list, tuple)) and X else X
        first = first[0] if isinstance(first, tuple) and first else first
        if isinstance(first, str):  # a name, or a pair of names
            raise ValueError(
                f"X must be features of tasks; got {X[:1]!r}. Of names, take the rows, "
                "X.loc[names], or query pairs with TaskPairs(X, pairs); make features of "
                "texts, such as by TfidfVectorizer."
            )
        check_numeric(X)
        # In one order: sums of another are other numbers, and a fit would depend on it.
        options |= {"dtype": [np.float64, np.float32], "order": "C"}
        X = validate_data(self, X, accept_sparse="csr", **options)
        reset = options.get("reset", True)
        check_size(X, None if reset else self._largest)
        return X if reset else self._as_fitted(X)

    def _as_fitted(self, X):
        """Features as the model reads them: sparse ones where it was fitted to such."""
        learned_sparse = sparse.issparse(self._features)
        if learned_sparse == sparse.issparse(X):
            return X
        return sparse.csr_matrix(X) if learned_sparse else X.toarray()

    # -- what a subclass may override --------------------------------------------------
    def _represent(self, X, known):
        return X

    def _table(self, tasks, others):
        """Strengths of all pairs of one of the tasks and one of the others."""
        n, n_others = tasks.shape[0], others.shape[0]
        both = stack_rows(tasks, others)
        tails = np.arange(n, n + n_others)
        table = np.empty((n, n_others))
        step = max(1, _BLOCK // (self._width * max(n_others, 1)))
        for start in range(0, n, step):
            rows = np.arange(start, min(start + step, n))
            heads = np.repeat(rows, n_others)
            strengths = self._pair_strengths(both, heads, np.tile(tails, len(rows)))
            table[rows] = strengths.reshape(len(rows), n_others)
        return table

    def _index(self, tasks):
        """Tasks that can be queried for their strongest relations."""
        return TableIndex(self._table, self._strengths_in_blocks, tasks)

    # -- predictions -------------------------------------------------------------------
    def predict_proba(self, X: Features | TaskPairs) -> Array:
        """Strengths of relations.

        Parameters
        ----------
        X : TaskPairs or {array-like, sparse matrix} of shape (n_new, n_features)
            Tasks, to be related to the tasks of training, or ordered pairs of tasks.

        Returns
        -------
        strengths : ndarray of shape (n_new, n_tasks), or (n_pairs, 2)
            ``strengths[i, j]`` reads "new task i lies inside the known task
            ``tasks_[j]``". For pairs, the columns are unrelated and related.

        Raises
        ------
        ValueError
            If X is unlike the X of fit, or sparse where ``fit`` was given class labels:
            scikit-learn's tools then expect one prediction per row.
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
            data = self._check(features, reset=False)
            names = None if task_names(X.X) is None else X.tasks[used]
            tasks = self._describe(data, names, used)
            related = self._strengths_in_blocks(tasks, *ends.reshape(X.pairs.shape).T)
            return np.column_stack([1 - related, related])
        data = self._check(X, reset=False)
        return self._table(self._describe(data, task_names(X)), self._known)

    def predict(self, X: Features | TaskPairs) -> Array:
        """Whether tasks are related: strengths of at least ``threshold_``.

        Parameters
        ----------
        X : TaskPairs or {array-like, sparse matrix} of shape (n_new, n_features)

        Returns
        -------
        related : ndarray of bool, of shape (n_new, n_tasks) or (n_pairs,)
        """
        strengths = self.predict_proba(X)
        related = strengths[:, 1] if isinstance(X, TaskPairs) else strengths
        return related >= self.threshold_

    def pairwise_strengths(self, X: Features | None = None) -> Array:
        """Strengths of all relations among the same tasks.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_tasks, n_features), default=None
            None takes the tasks of training.

        Returns
        -------
        strengths : ndarray of shape (n_tasks, n_tasks)
            ``strengths[i, j]`` reads "task i lies inside task j".
        """
        tasks = self._tasks(X)
        return self._table(tasks, tasks)

    def _tasks(self, X):
        """What is predicted from, of the rows of X; None for the tasks of training."""
        check_is_fitted(self)
        if X is None:
            return self._known
        return self._describe(self._check(X, reset=False), task_names(X))

    def _describe(self, data, names=None, positions=None):
        """What is predicted from, of tasks with checked features."""
        known = self._recognized(data, names, positions) if self._recognizes else None
        return self._represent(data, known)

    def _recognized(self, data, names=None, positions=None):
        """Which known task each row of checked features is, -1 for none.

        Without names, a row is preferably the known task at its place in ``positions``.
        """
        candidates = positions
        if candidates is None and data.shape[0] == len(self.tasks_):
            candidates = np.arange(data.shape[0])
        if names is not None and self._names_matter:
            candidates = positions_of(names, self.tasks_)
            if self._recognizes != "features":
                return candidates
        return match_rows(data, self._features, candidates)

    def _strengths_in_blocks(self, tasks, heads, tails, of_pairs=None):
        """Strengths of pairs of rows of tasks, in bounded memory, or other values."""
        of_pairs = of_pairs or self._pair_strengths
        values = np.empty(len(heads))
        step = max(1, _BLOCK // self._width)
        for start in range(0, len(heads), step):
            part = slice(start, start + step)
            values[part] = of_pairs(tasks, heads[part], tails[part])
        return values

    # -- scores ------------------------------------------------------------------------
    def score(self, X: Features | TaskPairs, y: Relations = None) -> float:
        """Average precision of relations, or Spearman's rho if they are graded.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_tasks, n_features)
        y : relations, default=None
            See :meth:`compare` for the pairs that are scored.

        Returns
        -------
        score : float
            At most 1. Relations are graded if some of training are between 0 and 1. Held
            are a block of pairs, and strengths other than 0. So, above four million pairs,
            predictions that differ by less than 1.5e-5 of their value may be ties in rho.

        Notes
        -----
        Scorers by name, ``scoring="average_precision"``, compare columns of other tasks:
        use this one, or :func:`~sklearn_task2box.metrics.make_relation_scorer`.
        """
        check_is_fitted(self)
        blocks = self.compare_blocks(X, y)
        return spearman_of(blocks) if self._graded else average_precision_of(blocks)

    def compare(self, X: Features | None, y: Relations = None) -> tuple[Array, ...]:
        """True and predicted strengths of all pairs that y observes.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_tasks, n_features)
        y : relations, default=None
            As in :meth:`fit`. The pairs are those among the rows of X and, where relations
            name tasks (TaskRelations, a labelled DataFrame, a slice of either), those of
            rows and tasks of training, both ways.

        Returns
        -------
        strengths : ndarray of shape (n_pairs,)
        predicted : ndarray of shape (n_pairs,)

        Raises
        ------
        ValueError
            If X is unlike the X of fit, y is not usable, or there are more than 25 million
            pairs (5,000 tasks): take :meth:`compare_blocks`, or some rows of X.
        """
        blocks, n_pairs = [], 0
        for *block, _ in self.compare_blocks(X, y):
            blocks.append(block)
            n_pairs += len(block[0])
            if n_pairs > _MAX_COMPARED:
                raise ValueError(
                    f"y observes more than {_MAX_COMPARED:,} pairs, too many for arrays. "
                    "Take model.compare_blocks(X, y), or compare some of the rows of X."
                )
        return tuple(map(np.concatenate, zip(*blocks, strict=True)))

    def compare_blocks(self, X: Features | None, y: Relations = None) -> Iterable[Any]:
        """What :meth:`compare` returns, block by block, for the memory's sake.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_tasks, n_features)
        y : relations, default=None

        Returns
        -------
        blocks : iterable
            Of tuples: true and predicted strengths, each (n_pairs,), and how many of these
            pairs each further head has, made anew each time, with a progress bar where
            the class has ``verbose`` and it is set.
        """
        check_is_fitted(self)
        names = task_names(X)
        data = self._check(X, reset=False)
        relations = self._read_relations(data, y, names)
        if self._beside is not None and is_labelled(y):
            relations = relations.merge(self._beside)
        new = relations.positions(relations.tasks)
        known = np.zeros(0, dtype=int)
        if self._names_matter and (relations.named or relations.is_slice):
            known = relations.positions(self.tasks_)
        beside = np.flatnonzero((known >= 0) & ~np.isin(known, new))
        names, positions = (relations.tasks, None) if relations.named else (None, new)
        tasks = self._describe(data, names, positions)
        known, others = known[beside], self._known[beside]
        columns, everything = np.concatenate([new, known]), stack_rows(tasks, others)
        blocks = Repeated(
            lambda: chain(
                self._compared(relations, new, columns, tasks, everything),
                self._compared(relations, known, new, others, tasks),
            )
        )
        n_pairs = len(new) * len(columns) + len(known) * len(new)
        return list(blocks) if n_pairs <= _BLOCK else blocks

    def _compared(self, relations, heads, tails, tasks, others):
        """Yield true and predicted strengths of observed pairs, and pairs of each head."""
        step = max(1, _BLOCK // max(len(tails), 1))
        starts = range(0, len(heads), step)
        hidden = not getattr(self, "verbose", 0) or len(starts) < 2
        for start in tqdm(starts, "comparing pairs", unit="block", disable=hidden):
            part = slice(start, start + step)
            strengths = relations.block(heads[part], tails)
            strengths[heads[part, None] == tails] = np.nan  # with themselves
            observed = ~np.isnan(strengths)
            counts = np.count_nonzero(observed, axis=1)
            if counts.sum() > _TABLE_FROM_SHARE * observed.size:
                predicted = self._table(tasks[part], others)[observed]
            else:
                rows, columns = np.nonzero(observed)
                both, columns = stack_rows(tasks[part], others), len(observed) + columns
                predicted = self._strengths_in_blocks(both, rows, columns)
            yield strengths[observed], predicted, counts

    def ranked_containers(self, relations: TaskRelations | None = None) -> Iterator[Any]:
        """Yield, for each task inside another, the tasks ranked before its containers.

        Parameters
        ----------
        relations : TaskRelations, default=None
            Of the known tasks, by name or, where these have none, in their order. None
            takes those of training.

        Yields
        ------
        related : ndarray of bool, of shape (n_found,)
            Whether it lies in each task that is predicted as much as its weakest container.
        strengths : ndarray of shape (n_found,)
            How much it is predicted to lie in them.
        """
        check_is_fitted(self)
        relations = self.relations_ if relations is None else relations
        if not isinstance(relations, TaskRelations):
            raise TypeError(
                f"relations must be TaskRelations; got {type(relations).__name__}. Pass "
                "TaskRelations(relations, tasks=model.tasks_)."
            )
        names = self.tasks_ if self._names_matter else None
        pairs = as_relations(relations, len(self.tasks_), names).observed()
        from sklearn_task2box.boxes._index import rankings  # imports PyTorch

        yield from rankings(self._index(self._known), pairs)

    # -- queries -----------------------------------------------------------------------
    def supersets(
        self, X: Features | None = None, k: int = 5, *, as_frame: bool = False
    ) -> Any:
        """Known tasks that best contain each task.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_new, n_features), default=None
            None takes the tasks of training. A known task is no answer to itself.
        k : int, default=5
        as_frame : bool, default=False

        Returns
        -------
        indices : ndarray of shape (n_new, k)
            Positions in ``tasks_``, the strongest first; of equally strong ones the one
            with the smallest box or, without boxes, the first.
        strengths : ndarray of shape (n_new, k)
            How much of the task lies in them.
        frame : DataFrame
            In place of the two, with ``as_frame=True``: columns "task", "container" and
            "strength", one row per answer.

        Raises
        ------
        ValueError
            If k is no number of known tasks, or X is unlike the X of fit.
        """
        return self._best(X, k, True, as_frame)

    def subsets(
        self, X: Features | None = None, k: int = 5, *, as_frame: bool = False
    ) -> Any:
        """Known tasks that are best contained in each task: as :meth:`supersets`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_new, n_features), default=None
        k : int, default=5
        as_frame : bool, default=False

        Returns
        -------
        indices, strengths : ndarray of shape (n_new, k)
            Of equally strong ones, the one with the largest box comes first.
        frame : DataFrame
            Its columns are "task", "member" and "strength".
        """
        return self._best(X, k, False, as_frame)

    def _best(self, X, k, inside, as_frame):
        tasks = self._tasks(X)
        n_known = len(self.tasks_)
        if X is None:
            itself = np.arange(n_known)
        else:
            itself = self._recognized(self._check(X, reset=False), task_names(X))
        n_answers = n_known - bool((itself >= 0).any())
        if not isinstance(k, Integral) or isinstance(k, bool) or not 1 <= k <= n_answers:
            raise ValueError(
                f"k must be a whole number from 1 to {n_answers}, the number of known tasks"
                f"{' but for the task itself' if n_answers < n_known else ''}; got {k!r}."
            )
        index = self._index(self._known)
        indices, strengths = index.best(self._index(tasks), k, inside, itself)
        if not as_frame:
            return indices, strengths
        return pd.DataFrame(
            {
                "task": np.repeat(self._row_names(X, len(indices)), k),
                "container" if inside else "member": self.tasks_[indices.ravel()],
                "strength": strengths.ravel(),
            }
        )

    def _row_names(self, X, n):
        names = self.tasks_ if X is None else task_names(X)
        return np.arange(n) if names is None else names

    def to_networkx(
        self, X: Features | None = None, threshold: float | None = None, reduce: bool = True
    ) -> nx.DiGraph:
        """Predicted relations as a graph.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_tasks, n_features), default=None
            Tasks to relate; None takes those of training.
        threshold : float, default=None
            Smallest strength of an edge; None takes ``threshold_``.
        reduce : bool, default=True
            Keep, of two tasks that contain each other, only the edge to the larger (of
            equal ones, to the later), and drop edges that follow from others by
            transitivity. Without boxes, a larger task contains more and is contained less,
            on average, and edges to a smaller one are dropped in longer cycles, too.

        Returns
        -------
        graph : networkx.DiGraph
            Nodes are ``tasks_``, or the names (else positions) of the rows of X. An edge
            u -> v of weight w means that the share w of u lies inside v.

        Raises
        ------
        ValueError
            If threshold is no number in [0, 1], or X is unlike the X of fit.
        """
        tasks = self._tasks(X)
        names = self._row_names(X, tasks.shape[0])
        threshold = self.threshold_ if threshold is None else threshold
        if not isinstance(threshold, Real) or not 0 <= float(threshold) <= 1:
            raise ValueError(f"threshold must be a number in [0, 1]; got {threshold!r}.")
        from sklearn_task2box.boxes._index import graph_of  # imports PyTorch

        graph = graph_of(self._index(tasks), threshold, reduce)
        return nx.relabel_nodes(graph, dict(enumerate(names.tolist())))
