"""What relations alone say of relations, without any feature."""

import hashlib
from itertools import pairwise
from numbers import Real
from typing import ClassVar

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import LinearOperator, lsmr
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval

from sklearn_task2box import forms
from sklearn_task2box.baselines.base import _RelationBaseline
from sklearn_task2box.closure import components, reachable


class RandomBaseline(_RelationBaseline):
    """A number between 0 and 1 for each pair, drawn at random once and for all.

    The number of a pair depends on the features of its tasks, but has nothing to do with
    their relation: it is a hash of both. So it is the same whenever it is asked for, and
    there is one for tasks never seen before.

    Parameters
    ----------
    random_state : int, RandomState instance or None, default=None
        Determines the numbers.

    Attributes
    ----------
    seed_ : int
        That the numbers were drawn with.
    tasks_ : ndarray of shape (n_tasks,)
        Names or positions of the known tasks.
    threshold_ : float
        With the best F1 score on the relations of training.
    n_features_in_ : int
        Number of features of a task.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, where X has string column names.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_task2box.baselines import RandomBaseline
    >>> baseline = RandomBaseline(random_state=0).fit(np.eye(3), [(0, 2)])
    >>> baseline.predict_proba(np.eye(3)[:1]).round(2)
    array([[0.18, 0.82, 0.58]])
    """

    _parameter_constraints: ClassVar[dict] = {"random_state": ["random_state"]}

    def __init__(self, random_state=None):
        self.random_state = random_state

    def _learn(self, data, observed):
        rng = check_random_state(self.random_state)
        self.seed_ = int(rng.randint(np.iinfo(np.int32).max))

    def _represent(self, data, names):
        hashes = np.empty(data.shape[0], dtype=np.uint64)
        salt = self.seed_.to_bytes(8, "little")
        for i in range(data.shape[0]):
            row = data[[i]].toarray()[0] if sparse.issparse(data) else data[i]
            row = np.asarray(row, dtype=np.float64) + 0.0  # -0.0 is 0.0
            digest = hashlib.blake2b(row.tobytes(), digest_size=8, salt=salt).digest()
            hashes[i] = int.from_bytes(digest, "little")
        return hashes

    def _strengths(self, tasks, heads, tails):
        # The finaliser of SplitMix64 (Steele, Lea & Flood, OOPSLA 2014), once for the
        # head and once more with the tail, so that (i, j) and (j, i) differ.
        mixed = _mix(_mix(tasks[heads]) + tasks[tails])
        return (mixed >> np.uint64(11)) * 2.0**-53


def _mix(z):
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


class _GraphBaseline(_RelationBaseline):
    """Reads relations and answers from them; of a task, it knows only which one it is.

    Tasks are known by name. Those of pairs without names are known by position; other
    tasks without names are new. A class derived from it says in ``_of_known(heads, tails)``
    how strongly tasks are related at positions in ``tasks_``, -1 being a new one.
    """

    def _represent(self, data, names):
        if names is None:
            return np.full(data.shape[0], -1)
        return forms.positions_of(names, self.tasks_)

    def _strengths(self, tasks, heads, tails):
        return self._of_known(tasks[heads], tasks[tails])


class PopularityBaseline(_GraphBaseline):
    """How much, on average, each task contains of the tasks it was observed with.

    A task that is not known contains nothing. Tasks are known by name, or, those of pairs
    without names, by position.

    Attributes
    ----------
    popularity_ : ndarray of shape (n_tasks,)
        Mean strength of the observed relations to the task.
    tasks_ : ndarray of shape (n_tasks,)
        Names or positions of the known tasks.
    threshold_ : float
        With the best F1 score on the relations of training.
    n_features_in_ : int
        Number of features of a task.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, where X has string column names.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_task2box.baselines import PopularityBaseline
    >>> PopularityBaseline().fit(np.eye(3), [(0, 2), (1, 2)]).popularity_
    array([0., 0., 1.])
    """

    def _learn(self, data, observed):
        n = observed.n_tasks
        if observed.complete:
            counts = n - 1 - np.bincount(observed.unknown_tails, minlength=n)
        else:
            counts = np.bincount(observed.tails, minlength=n)
        sums = np.bincount(observed.tails, weights=observed.strengths, minlength=n)
        self.popularity_ = sums / np.maximum(counts, 1)

    def _of_known(self, heads, tails):
        return np.where(tails >= 0, self.popularity_[tails], 0.0)


class ClosureBaseline(PopularityBaseline):
    """Transitive closure of the observed relations, and popularity where it is silent.

    A pair that the closure implies has a strength of at least one half plus half of what is
    implied; all the others have half their popularity.

    Attributes
    ----------
    closure_ : csr_matrix of shape (n_tasks, n_tasks)
        Implied strengths: u -> v of strength w and a chain of edges of strength 1 from v
        to x imply u -> x with strength w. Cycles are allowed.
    popularity_, tasks_, threshold_, n_features_in_, feature_names_in_
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

    def _learn(self, data, observed):
        super()._learn(data, observed)
        n = observed.n_tasks
        sure = observed.strengths == 1
        part, inside = _parts_inside(observed.heads[sure], observed.tails[sure], n)
        member = sparse.csr_matrix((np.ones(n), (np.arange(n), part)))
        reach = member @ inside @ member.T
        partial = (observed.strengths > 0) & ~sure
        implied = reach.maximum(_spread(observed, partial, part, inside)).tocsr()
        implied.setdiag(0)
        implied.eliminate_zeros()
        self.closure_ = implied

    def _of_known(self, heads, tails):
        strengths = super()._of_known(heads, tails) / 2
        both = np.flatnonzero((heads >= 0) & (tails >= 0))
        if not len(both):  # SciPy does not look up nothing
            return strengths
        implied = np.asarray(self.closure_[heads[both], tails[both]]).ravel()
        strengths[both] = np.where(implied > 0, (1 + implied) / 2, strengths[both])
        return strengths


def _parts_inside(heads, tails, n):
    """The strongly connected part that each node is in, and which parts lie in which.

    Each part lies in itself.
    """
    n_parts, part = components(heads, tails, n)
    across = part[heads] != part[tails]
    above = reachable(part[heads[across]], part[tails[across]], n_parts)
    return part, (above + sparse.identity(n_parts, dtype=bool)).astype(float).tocsr()


def _spread(observed, chosen, part, inside):
    """Relations to a task, handed on to all that it lies wholly inside of."""
    n = observed.n_tasks
    edges = sparse.csr_matrix(
        (observed.strengths[chosen], (observed.heads[chosen], observed.tails[chosen])),
        shape=(n, n),
    )
    columns, values = [], []
    for start, stop in pairwise(edges.indptr):
        best = np.zeros(inside.shape[0])
        np.maximum.at(best, part[edges.indices[start:stop]], edges.data[start:stop])
        related = np.flatnonzero(best)
        containers = inside[related]
        handed_on = np.repeat(best[related], np.diff(containers.indptr))
        np.maximum.at(best, containers.indices, handed_on)
        row = best[part]
        columns.append(np.flatnonzero(row))
        values.append(row[columns[-1]])
    ends = np.cumsum([0, *map(len, columns)])
    return sparse.csr_matrix(
        (np.concatenate(values), np.concatenate(columns), ends), shape=(n, n)
    )


class AdditiveBaseline(_GraphBaseline):
    """How much is inside of each task, plus how much each task is inside of others.

    Strengths are fitted by ``mean + row[i] + column[j]`` with least squares, and clipped
    to [0, 1]. An effect is shrunk as if ``shrinkage`` further pairs of the task had been
    observed to be the mean; that of a task that is not known is 0. Tasks are known by name,
    or, those of pairs without names, by position.

    Parameters
    ----------
    shrinkage : float, default=1.0
        Keeps the effects of tasks with few observed pairs small.

    Attributes
    ----------
    mean_ : float
        The strength of a pair of two tasks that are not known.
    row_effects_, column_effects_ : ndarray of shape (n_tasks,)
        Of the heads and of the tails of pairs.
    tasks_ : ndarray of shape (n_tasks,)
        Names or positions of the known tasks.
    threshold_ : float
        With the best F1 score on the relations of training.
    n_features_in_ : int
        Number of features of a task.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, where X has string column names.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_task2box.baselines import AdditiveBaseline
    >>> strengths = np.array([[1, 0.5, 0.9], [0.2, 1, 0.6], [0.1, 0.3, 1]])
    >>> AdditiveBaseline().fit(np.eye(3), strengths).row_effects_.round(2)
    array([ 0.13, -0.03, -0.1 ])
    """

    _parameter_constraints: ClassVar[dict] = {
        "shrinkage": [Interval(Real, 0, None, closed="neither")]
    }

    def __init__(self, shrinkage=1.0):
        self.shrinkage = shrinkage

    def _learn(self, data, observed):
        n, complete = observed.n_tasks, observed.complete
        heads, tails = observed.heads, observed.tails
        sums = [
            np.bincount(ends, weights=observed.strengths, minlength=n)
            for ends in (heads, tails)
        ]
        if complete:  # listed are the pairs that are not observed
            heads, tails = observed.unknown_heads, observed.unknown_tails
        listed = sparse.csr_matrix((np.ones(len(heads)), (heads, tails)), shape=(n, n))

        def seen(table, values):
            """Sums of values over those that each task was observed with."""
            return values.sum() - values - table @ values if complete else table @ values

        of_row, of_column = seen(listed, np.ones(n)), seen(listed.T, np.ones(n))

        def normal(effects):
            """The normal equations, without a table of all pairs."""
            mean, row, column = effects[0], effects[1 : n + 1], effects[n + 1 :]
            of_mean = of_row @ (mean + row) + of_column @ column
            to_row = of_row * (mean + row) + seen(listed, column) + self.shrinkage * row
            to_column = of_column * (mean + column) + seen(listed.T, row)
            return np.concatenate([[of_mean], to_row, to_column + self.shrinkage * column])

        shape = (2 * n + 1, 2 * n + 1)
        equations = LinearOperator(shape, matvec=normal, rmatvec=normal, dtype=float)
        right = np.concatenate([[observed.strengths.sum()], *sums])
        effects = lsmr(equations, right, atol=1e-12, btol=1e-12, conlim=0, maxiter=10_000)[
            0
        ]
        self.mean_ = float(effects[0])
        self.row_effects_, self.column_effects_ = effects[1 : n + 1], effects[n + 1 :]

    def _of_known(self, heads, tails):
        row = np.where(heads >= 0, self.row_effects_[heads], 0.0)
        column = np.where(tails >= 0, self.column_effects_[tails], 0.0)
        return np.clip(self.mean_ + row + column, 0, 1)
