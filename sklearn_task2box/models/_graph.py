"""Models that predict relations from relations alone, without any feature."""

import hashlib
from numbers import Real

import numpy as np
from pandas.util import hash_array
from scipy import sparse
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval

from sklearn_task2box.base import RelationModel
from sklearn_task2box.models._observed_table import ObservedTable
from sklearn_task2box.relations._closure import condensed, last_of, passed_on
from sklearn_task2box.utils._features import dense
from sklearn_task2box.utils._typing import RandomState


class RandomModel(RelationModel):
    """Random strengths: a number between 0 and 1 for each pair, always the same.

    The number of a pair is a hash of the features of its tasks, so that it is the same in
    each query, and tasks never seen before have one, too.

    Parameters
    ----------
    random_state : int, RandomState instance or None, default=None
        Seed of the numbers.

    Attributes
    ----------
    seed_ : int
    tasks_, relations_, threshold_, n_features_in_, feature_names_in_ : see RelationModel

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_task2box.models import RandomModel
    >>> model = RandomModel(random_state=0).fit(np.eye(3), [(0, 2)])
    >>> model.predict_proba(np.eye(3)[:1]).round(2)
    array([[0.18, 0.82, 0.58]])
    """

    _parameter_constraints = {"random_state": ["random_state"]}  # noqa: RUF012

    def __init__(self, random_state: RandomState = None) -> None:
        self.random_state = random_state

    def _fit_pairs(self, X, pairs):
        rng = check_random_state(self.random_state)
        self.seed_ = int(rng.randint(np.iinfo(np.int32).max))

    def _represent(self, X, known):
        options = {"digest_size": 8, "salt": self.seed_.to_bytes(8, "little")}
        rows = (dense(X[[i]]) + 0.0 for i in range(X.shape[0]))  # -0.0 is 0.0
        digests = [hashlib.blake2b(row.tobytes(), **options).digest() for row in rows]
        return np.frombuffer(b"".join(digests), "<u8").astype(np.uint64)

    def _pair_strengths(self, tasks, heads, tails):
        # Once for the head and once more with the tail, so that (i, j) and (j, i) differ.
        mixed = hash_array(hash_array(tasks[heads]) + tasks[tails])
        return (mixed >> np.uint64(11)) * 2.0**-53


class _GraphModel(RelationModel):
    """Predicts from relations alone; a task is its position in ``tasks_``, -1 if new."""

    _recognizes = "name"

    def _represent(self, X, known):
        return known


class PopularityModel(_GraphModel):
    """Popularity of containers: how much, on average, each contains of other tasks.

    An unknown task contains nothing. Tasks are known by name or, without, by features.

    Attributes
    ----------
    popularity_ : ndarray of shape (n_tasks,)
        Mean strength of the observed relations to the task.
    tasks_, relations_, threshold_, n_features_in_, feature_names_in_ : see RelationModel

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_task2box.models import PopularityModel
    >>> PopularityModel().fit(np.eye(3), [(0, 2), (1, 2)]).popularity_
    array([0., 0., 1.])
    """

    def _fit_pairs(self, X, pairs):
        table = ObservedTable.of(pairs)
        self.popularity_ = table.sums(axis=0) / np.maximum(table.numbers(axis=0), 1)

    def _pair_strengths(self, tasks, heads, tails):
        return np.append(self.popularity_, 0.0)[tasks[tails]]  # -1, not known, is last


class ClosureModel(PopularityModel):
    """Transitive closure of the observed relations, and popularity for all other pairs.

    A pair in the closure has a strength of one half plus half of that in the closure; all
    the others have half the popularity of the container.

    Attributes
    ----------
    closure_ : csr_matrix of shape (n_tasks, n_tasks)
        Strengths in the closure: u -> v of strength w and a chain of edges of strength 1
        from v to x give u -> x with strength w. Cycles are allowed.
    popularity_ : ndarray of shape (n_tasks,)
        Mean strength of the observed relations to the task.
    tasks_, relations_, threshold_, n_features_in_, feature_names_in_ : see RelationModel

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_task2box import TaskPairs
    >>> from sklearn_task2box.models import ClosureModel
    >>> model = ClosureModel().fit(np.eye(3), [(0, 1), (1, 2)])
    >>> model.predict_proba(TaskPairs(np.eye(3), [(0, 2), (2, 0)]))[:, 1]
    array([1., 0.])
    """

    def _fit_pairs(self, X, pairs):
        super()._fit_pairs(X, pairs)
        n = pairs.n_tasks
        sure, partial = pairs.strengths == 1, (pairs.strengths > 0) & (pairs.strengths < 1)
        part, above = condensed(pairs.heads[sure], pairs.tails[sure], n)
        inside = above + sparse.identity(above.shape[0], dtype=bool)
        member = sparse.csr_matrix((np.ones(n), (np.arange(n), part)))
        reach = member @ inside.astype(float) @ member.T
        weak = (values[partial] for values in (pairs.heads, pairs.tails, pairs.strengths))
        *ends, best = last_of(passed_on(*weak, reach))
        self.closure_ = reach.maximum(sparse.csr_matrix((best, ends), (n, n))).tocsr()
        self.closure_.setdiag(0)
        self.closure_.eliminate_zeros()

    def _pair_strengths(self, tasks, heads, tails):
        strengths = super()._pair_strengths(tasks, heads, tails) / 2
        heads, tails = tasks[heads], tasks[tails]
        both = np.flatnonzero((heads >= 0) & (tails >= 0))
        if not len(both):  # SciPy does not look up nothing
            return strengths
        closed = np.asarray(self.closure_[heads[both], tails[both]]).ravel()
        strengths[both] = np.where(closed > 0, (1 + closed) / 2, strengths[both])
        return strengths


class AdditiveModel(_GraphModel):
    """Additive model: an effect of the task inside, plus one of the container.

    Strengths are fitted by ``mean + row[i] + column[j]`` with least squares, and clipped
    to [0, 1]. An effect, 0 for an unknown task, is shrunk as if ``shrinkage`` further pairs
    had been observed to be the mean. Tasks are known by name or, without, by features.

    Parameters
    ----------
    shrinkage : float, default=1.0
        Number of pairs that shrinks the effects of tasks with few observed pairs.

    Attributes
    ----------
    mean_ : float
        Strength of a pair of two tasks that are not known.
    row_effects_, column_effects_ : ndarray of shape (n_tasks,)
        Effects of the heads and of the tails of pairs.
    tasks_, relations_, threshold_, n_features_in_, feature_names_in_ : see RelationModel

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_task2box.models import AdditiveModel
    >>> strengths = np.array([[1, 0.5, 0.9], [0.2, 1, 0.6], [0.1, 0.3, 1]])
    >>> AdditiveModel().fit(np.eye(3), strengths).row_effects_.round(2)
    array([ 0.13, -0.03, -0.1 ])
    """

    _parameter_constraints = {"shrinkage": [Interval(Real, 0, None, closed="neither")]}  # noqa: RUF012

    def __init__(self, shrinkage: float = 1.0) -> None:
        self.shrinkage = shrinkage

    def _fit_pairs(self, X, pairs):
        effects = ObservedTable.of(pairs).main_effects(self.shrinkage)
        self.mean_, self.row_effects_, self.column_effects_ = effects

    def _pair_strengths(self, tasks, heads, tails):
        # A task that is not known, -1, has the last effect.
        row = np.append(self.row_effects_, 0.0)[tasks[heads]]
        column = np.append(self.column_effects_, 0.0)[tasks[tails]]
        return np.clip(self.mean_ + row + column, 0, 1)
