"""What the graph alone says of relations, without any feature."""

import networkx as nx
import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_task2box.metrics import best_f1_threshold
from sklearn_task2box.relations import TaskPairs, as_relations, task_names


class _GraphBaseline(BaseEstimator):
    """Reads relations and answers from them; features are only counted."""

    def fit(self, X, y):
        """Learn from relations.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_tasks, n_features)
            Only the number of rows and their names matter.
        y : relations among the rows of X
            As in :meth:`BoxRelationEmbedder.fit`.

        Returns
        -------
        self : estimator
        """
        names = task_names(X)
        data = validate_data(self, X, accept_sparse="csr", ensure_min_samples=2)
        relations = as_relations(y, data.shape[0], names)
        observed = relations.observed()
        self.tasks_ = relations.tasks if names is not None else np.arange(data.shape[0])
        self._learn(observed)
        heads, tails, strengths = observed.expand()
        self.threshold_ = best_f1_threshold(strengths, self._table()[heads, tails])
        return self

    def predict_proba(self, X):
        """Strengths of relations.

        Parameters
        ----------
        X : TaskPairs or {array-like, sparse matrix} of shape (n_new, n_features)
            Tasks unknown to the graph, to be related to the known ones, or pairs of tasks.
            The tasks of pairs are known by name or else by position.

        Returns
        -------
        strengths : ndarray of shape (n_new, n_tasks), or (n_pairs, 2)
        """
        check_is_fitted(self)
        if not isinstance(X, TaskPairs):
            data = validate_data(self, X, reset=False, accept_sparse="csr")
            return np.tile(self.popularity_, (data.shape[0], 1))
        at = {name: i for i, name in enumerate(self.tasks_.tolist())}
        rows = np.array([at.get(name, -1) for name in X.tasks.tolist()], dtype=int)
        heads, tails = rows[X.pairs].T
        related = np.where(tails >= 0, self.popularity_[tails], 0.0)
        both = (heads >= 0) & (tails >= 0)
        related[both] = self._table()[heads[both], tails[both]]
        return np.column_stack([1 - related, related])


class PopularityBaseline(_GraphBaseline):
    """How much, on average, each task contains of the tasks it was observed with.

    Attributes
    ----------
    popularity_ : ndarray of shape (n_tasks,)
        Mean strength of the observed relations to the task.
    tasks_ : ndarray of shape (n_tasks,)
        Names or positions of the known tasks.
    threshold_ : float
        With the best F1 score on the relations of training.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_task2box.baselines import PopularityBaseline
    >>> PopularityBaseline().fit(np.eye(3), [(0, 2), (1, 2)]).popularity_
    array([0., 0., 1.])
    """

    def _learn(self, observed):
        heads, tails, strengths = observed.expand()
        n = observed.n_tasks
        counts = np.bincount(tails, minlength=n)
        sums = np.bincount(tails, weights=strengths, minlength=n)
        self.popularity_ = sums / np.maximum(counts, 1)

    def _table(self):
        return np.tile(self.popularity_, (len(self.popularity_), 1))


class ClosureBaseline(PopularityBaseline):
    """Transitive closure of the observed relations, and popularity where it is silent.

    A pair that the closure implies has a strength of at least one half plus half of what is
    implied; all the others have half their popularity.

    Attributes
    ----------
    closure_ : csr_matrix of shape (n_tasks, n_tasks)
        Implied strengths: u -> v of strength w and a chain of edges of strength 1 from v
        to x imply u -> x with strength w.
    popularity_, tasks_, threshold_
        As in :class:`PopularityBaseline`.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_task2box import TaskPairs
    >>> from sklearn_task2box.baselines import ClosureBaseline
    >>> baseline = ClosureBaseline().fit(np.eye(3), [(0, 1), (1, 2)])
    >>> baseline.predict_proba(TaskPairs(np.eye(3), [(0, 2), (2, 0)]))[:, 1]
    array([1., 0.])
    """

    def _learn(self, observed):
        super()._learn(observed)
        n = observed.n_tasks
        whole = nx.DiGraph()
        whole.add_nodes_from(range(n))
        sure = observed.strengths == 1
        whole.add_edges_from(
            zip(observed.heads[sure].tolist(), observed.tails[sure].tolist(), strict=True)
        )
        # Unlike the closure for training, this one must live with cycles.
        reach = nx.to_scipy_sparse_array(nx.transitive_closure(whole), format="csr")
        implied = sparse.csr_matrix(
            (observed.strengths, (observed.heads, observed.tails)), shape=(n, n)
        )
        for strength in np.unique(observed.strengths[observed.strengths > 0]):
            edges = observed.strengths == strength
            first = sparse.csr_matrix(
                (np.ones(edges.sum()), (observed.heads[edges], observed.tails[edges])),
                shape=(n, n),
            )
            implied = implied.maximum((first @ reach > 0) * strength)
        self.closure_ = sparse.csr_matrix(implied.maximum(sparse.csr_matrix(reach)))

    def _table(self):
        implied = self.closure_.toarray()
        return np.where(implied > 0, (1 + implied) / 2, super()._table() / 2)
