"""Linear smoothers of relations: what NeighborsModel and KernelRidgeModel share."""

import numpy as np
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import normalize
from sklearn.utils import gen_batches

from sklearn_task2box.base import RelationModel
from sklearn_task2box.models._known_pairs import KnownPairs
from sklearn_task2box.models._observed_table import ObservedTable
from sklearn_task2box.models._paths import log_odds
from sklearn_task2box.relations._observed import thin_zeros
from sklearn_task2box.utils._block_scores import average_precision_of, spearman_of
from sklearn_task2box.utils._features import toarray
from sklearn_task2box.utils._rows import IdentifiedRows, blocks_of_pairs, stack_rows

# Tasks that settings are chosen by, of which so many are predicted, and that calibrate.
MAX_CHOSEN, MAX_SCORED = 500, 200
_MAX_CALIBRATED = 2000
# Unrelated pairs that calibrate, drawn where there are more: for new tasks, for known ones.
_MAX_ZEROS, _MAX_KNOWN_ZEROS = 15_000, 50_000
# Numbers in a block of predictions of all known tasks, and of weights of known tasks.
_BLOCK, _WEIGHTS_BLOCK = 1 << 21, 1 << 23
# Share of observed pairs from which unknown ones are regressed on them.
_ENOUGH_OBSERVED = 0.5
# Folds of pairs, and related ones that are enough to be held out.
_N_FOLDS, _ENOUGH_RELATED = 5, 500
# Inputs of the calibration of pairs with a new task: see SmootherModel._inputs_of_new.
_N_INPUTS = 9
# Inverse penalties of the calibration of pairs with a new task, and of known ones, of which
# few may be related. Of 1, 3, 10, 30 and 100, these were good.
_C_NEW, _C_KNOWN = 30.0, 3.0
# Inputs of a standard deviation this far below the largest are constant.
_CONSTANT = 1e-9


def fit_logistic(inputs, strengths, weights, C=_C_NEW):
    """Logistic regression of strengths in [0, 1] on inputs, of shape (n_pairs, n_inputs).

    A pair of strength s is s of a related pair and 1 - s of an unrelated one.
    """
    labels = np.repeat([1, 0], len(inputs))
    weights = np.concatenate([weights * strengths, weights * (1 - strengths)])
    kept = weights > 0
    inputs = np.tile(inputs, (2, 1))[kept]
    # The penalty keeps slopes finite where scores separate related and unrelated pairs.
    model = LogisticRegression(C=C, max_iter=1000, solver="newton-cholesky")
    return model.fit(inputs, labels[kept], weights[kept])


class PlattScaling:
    """Strengths from two scores of pairs and from further inputs: logistic regression.

    The coefficients of the scores are not negative, so that strengths rank pairs as scores
    do, other inputs being equal (Platt, "Probabilistic outputs for support vector
    machines", 1999). ``C`` is the inverse of the penalty.
    """

    def __init__(self, C=_C_NEW):
        self.C = C

    def fit(self, inputs, strengths, counts=1.0):
        """Learn from inputs, (n_pairs, n_inputs), true strengths, and weights of pairs.

        The first two inputs are scores.
        """
        counts = np.broadcast_to(counts, len(inputs))
        if len(inputs):
            self._center, deviations = inputs.mean(axis=0), inputs.std(axis=0)
            constant = deviations <= _CONSTANT * abs(inputs).max(axis=0)
            self._scale = np.where(constant, np.inf, deviations)
            inputs = (inputs - self._center) / self._scale
        self._mean = np.average(strengths, weights=counts) if len(inputs) else 0.0
        self._model, columns = None, np.arange(inputs.shape[1])
        while 0 < self._mean < 1 and self._model is None and len(columns):
            model = fit_logistic(inputs[:, columns], strengths, counts, self.C)
            wrong = (columns < 2) & (model.coef_[0] < 0)
            self._model, self._columns = None if wrong.any() else model, columns
            columns = columns[~wrong]
        return self

    def predict(self, inputs):
        """Strengths, (n_pairs,)."""
        if self._model is None:  # all alike, or scores that say nothing
            return np.full(len(inputs), self._mean)
        inputs = (inputs - self._center) / self._scale
        return self._model.predict_proba(inputs[:, self._columns])[:, 1]


def unit_rows(X):
    """Rows of unit length, in whatever unit they come; those of zeros stay."""
    largest = toarray(abs(X).max(axis=1)).ravel()
    scales = np.divide(1, largest, out=np.ones(len(largest)), where=largest > 0)
    return normalize(sparse.diags(scales) @ X)


class SmootherModel(RelationModel):
    """Relation model that predicts relations of a task as means of those of known tasks.

    A subclass chooses its settings in ``_choose(X)``, prepares features in
    ``_prepared(X)``, and gives the weights of the mean, (n, n_tasks), in ``_weights(rows)``
    of IdentifiedRows. A known task has none in its own mean, so that predictions of known
    tasks are leave-one-out predictions: they choose the settings and calibrate.
    """

    _recognizes = "features"

    def _fit_pairs(self, X, pairs):
        self._inside = ObservedTable.of(pairs)
        self._around = self._inside.transpose()
        self._is_graded = pairs.is_graded
        self._choose(X)
        tasks = self._represent(X, np.arange(pairs.n_tasks))
        self._paths = {"inside": self._inside.paths(), "around": self._around.paths()}
        heads, tails, strengths, counts = self._calibrating(_MAX_ZEROS)
        self._scalings = {}
        for kind in ("inside", "around", "new"):
            inputs = self._inputs(tasks, heads, tails, kind)
            self._scalings[kind] = PlattScaling().fit(inputs, strengths, counts)
        if pairs.n_unknown:
            self._fit_known(tasks, pairs)

    def _fit_known(self, tasks, pairs):
        """Calibrate unknown pairs of known tasks by pairs held out, fold by fold."""
        heads, tails, strengths, counts = self._calibrating(_MAX_KNOWN_ZEROS)
        n = pairs.n_tasks
        few = pairs.n_observed < _ENOUGH_OBSERVED * n * (n - 1)
        kernel = self._kernel_of_pairs(n) if few or self._is_graded else None
        given = few, self._is_graded, kernel
        folds = np.random.RandomState(0).randint(_N_FOLDS, size=len(heads))
        settings, inputs, order, n_related = None, [], [], 0
        for fold in range(_N_FOLDS):
            if n_related >= _ENOUGH_RELATED:
                break
            out = np.flatnonzero(folds == fold)
            ends = heads[out], tails[out]
            table = ObservedTable.of(pairs.without(*ends))
            rest = KnownPairs(table, *given)
            settings = settings or rest.choose(*ends, strengths[out], counts[out])
            self._known_pairs = rest.solve(*settings)
            inputs.append(self._known_inputs(tasks, *ends))
            order.append(out)
            n_related += np.count_nonzero(strengths[out])
        inputs, order = np.concatenate(inputs), np.concatenate(order)
        scaling = PlattScaling(_C_KNOWN).fit(inputs, strengths[order], counts[order])
        self._scalings["known"] = scaling
        self._known_pairs = KnownPairs(self._inside, *given).solve(*settings)

    def _kernel_of_pairs(self, n_tasks):
        """TaskKernel for a regression of pairs, or None."""
        return None

    def _calibrating(self, n_zeros):
        """Heads, tails, strengths and weights of observed pairs of some tasks."""
        rng = np.random.RandomState(0)
        tasks = np.sort(rng.permutation(len(self._inside.prior))[:_MAX_CALIBRATED])
        true = self._inside.part(tasks).toarray()
        heads, tails = np.nonzero(~np.isnan(true))
        strengths = true[heads, tails]
        kept, counts = thin_zeros(strengths, n_zeros, rng)
        return tasks[heads[kept]], tasks[tails[kept]], strengths[kept], counts

    def _represent(self, X, known):
        return IdentifiedRows(known, self._prepared(X))

    def _leave_one_out_score(self, tables, weights):
        """Score of the predictions in both directions of some tasks, by their weights.

        Tables are what ObservedTable.mean_of gives, and the true strengths.
        """
        score_of = spearman_of if self._is_graded else average_precision_of
        total = 0.0
        for mean, true in tables:
            seen = ~np.isnan(true)
            if (true[seen] > 0).any():  # unlike where no task has members
                total += score_of([(true[seen], mean(weights)[seen])])
        return total

    # -- predictions -------------------------------------------------------------------
    def _step(self, numbers=_BLOCK):
        """Number of rows of a table of all known tasks that is so large."""
        return max(1, numbers // len(self._inside.prior))

    def _scores_of_new(self, tasks, heads, tails):
        """Scores of pairs of new tasks: a smoother of the rows, then one of the columns."""
        scores = np.empty(len(heads))
        for places, at, rows, columns in blocks_of_pairs(heads, tails, self._step()):
            means = self._inside.means(self._weights(tasks[rows]))
            center = means.mean(axis=1, keepdims=True)
            both = toarray(self._weights(tasks[columns]) @ (means - center).T)
            scores[places] = (both.T + center)[at]
        return scores

    def _scores_by(self, tasks, ends, others, table):
        """Scores of pairs by a table of the relations of tasks to known others."""
        scores, step = np.empty(len(ends)), self._step(_WEIGHTS_BLOCK)
        for places, at, rows, columns in blocks_of_pairs(ends, tasks.known[others], step):
            mean = table.mean_of(columns, len(rows))
            scores[places] = mean(self._weights(tasks[rows]))[at]
        return scores

    def _inputs(self, tasks, heads, tails, kind):
        """Inputs of the PlattScaling of a kind of pairs, (n_pairs, n_inputs).

        Those with a new task have its score, and what its other scores say of the pair.
        """
        if kind == "known":
            return self._known_inputs(tasks, heads, tails)
        evidence = self._evidence(tasks, heads, tasks, tails)
        if kind == "new":
            scores = self._scores_of_new(tasks, heads, tails)
            return np.column_stack([scores, log_odds(scores), evidence])
        ends, others, table = heads, tails, self._inside
        if kind == "around":
            ends, others, table = tails, heads, self._around
        n_inputs = _N_INPUTS + table.unknown_as_zero
        inputs, others = np.empty((len(ends), n_inputs)), tasks.known[others]
        for places, at, rows, columns in blocks_of_pairs(ends, others, self._step()):
            tables = self._inputs_of_new(tasks[rows], columns, table, self._paths[kind])
            for k, values in enumerate(tables):
                inputs[places, k] = values[at]
        return np.column_stack([inputs, evidence])

    def _known_inputs(self, tasks, heads, tails):
        """Inputs of the PlattScaling of unknown pairs of known tasks, (n_pairs, n_inputs).

        They are both leave-one-out scores, and what KnownPairs say.
        """
        pairs = self._known_pairs
        inside = self._scores_by(tasks, heads, tails, pairs.inside)
        around = self._scores_by(tasks, tails, heads, pairs.around)
        scores = np.column_stack([inside, around])
        further = pairs.inputs(tasks.known[heads], tasks.known[tails])
        evidence = self._evidence(tasks, heads, tasks, tails)
        return np.column_stack([log_odds(scores), scores, further, evidence])

    def _inputs_of_new(self, tasks, columns, table, paths):
        """Yield tables of inputs, (n_tasks, n_columns): _N_INPUTS, or one more."""
        means = table.means(self._weights(tasks))
        yield means[:, columns]
        yield log_odds(means[:, columns])
        scores, rows = means.clip(0, 1), np.flatnonzero(tasks.known >= 0)
        scores[rows, tasks.known[rows]] = 0
        yield from paths.of_new(scores, columns)
        if table.unknown_as_zero:
            yield log_odds(table.means_without(tasks.known, columns))

    def _evidence(self, tasks, heads, others, tails):
        """Further inputs of the pairs of tasks and others, (n_pairs, n_further)."""
        return np.empty((len(heads), 0))

    def _pair_strengths(self, tasks, heads, tails):
        kinds = 2 * (tasks.known[heads] < 0) + (tasks.known[tails] < 0)
        known = np.flatnonzero(kinds == 0)
        strengths = np.empty(len(heads))
        ends = (tasks.known[ends[known]] for ends in (heads, tails))
        strengths[known] = self._inside.given(*ends)
        unknown = known[np.isnan(strengths[known])]
        numbers = {"new": 3, "inside": 2, "around": 1}
        places = {kind: np.flatnonzero(kinds == n) for kind, n in numbers.items()}
        for kind, at in (places | {"known": unknown}).items():
            if len(at):
                ends = heads[at], tails[at]
                inputs = self._inputs(tasks, *ends, kind)
                strengths[at] = self._scalings[kind].predict(inputs)
        return strengths

    def _table(self, tasks, others):
        all_known = np.array_equal(others.known, np.arange(self._inside.strengths.shape[0]))
        if not all_known or (tasks.known >= 0).any():
            heads = np.repeat(np.arange(len(tasks)), len(others))
            tails = len(tasks) + np.tile(np.arange(len(others)), len(tasks))
            strengths = self._pair_strengths(stack_rows(tasks, others), heads, tails)
            return strengths.reshape(len(tasks), len(others))
        table, columns = np.empty((len(tasks), len(others))), np.arange(len(others))
        given = columns, self._inside, self._paths["inside"]
        for part in gen_batches(len(tasks), self._step()):
            heads, tails = np.indices(table[part].shape).reshape(2, -1)
            inputs = map(np.ravel, self._inputs_of_new(some := tasks[part], *given))
            inputs = [*inputs, self._evidence(some, heads, others, tails)]
            strengths = self._scalings["inside"].predict(np.column_stack(inputs))
            table[part] = strengths.reshape(table[part].shape)
        return table
