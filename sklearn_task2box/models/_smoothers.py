"""Linear smoothers of relations: what NeighborsModel and KernelRidgeModel share."""

import numpy as np
from scipy import sparse
from scipy.special import logit
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import normalize

from sklearn_task2box.base import RelationModel
from sklearn_task2box.metrics import relation_score
from sklearn_task2box.relations._observed import thin_zeros
from sklearn_task2box.utils._features import toarray
from sklearn_task2box.utils._rows import IdentifiedRows, stack_rows

# Scores are kept so far from 0 and 1, where log-odds have no end.
_EDGE = 1e-3
# Tasks that settings are chosen by, of which so many are predicted, and that calibrate.
MAX_CHOSEN, MAX_SCORED = 500, 200
_MAX_CALIBRATED = 2000
# Unrelated pairs that calibrate, drawn where there are more.
_MAX_ZEROS = 50_000
# Numbers in a block of predictions of all known tasks.
_BLOCK = 1 << 23


def fit_logistic(inputs, strengths, weights):
    """Logistic regression of strengths in [0, 1] on inputs, of shape (n_pairs, n_inputs).

    A pair of strength s is s of a related pair and 1 - s of an unrelated one.
    """
    labels = np.repeat([1, 0], len(inputs))
    weights = np.concatenate([weights * strengths, weights * (1 - strengths)])
    kept = weights > 0
    inputs = np.tile(inputs, (2, 1))[kept]
    # The penalty keeps slopes finite where scores separate related and unrelated pairs.
    model = LogisticRegression(C=100.0, max_iter=1000)
    return model.fit(inputs, labels[kept], weights[kept])


def log_odds(scores):
    """Log-odds of scores, which are kept away from 0 and 1."""
    return logit(np.clip(scores, _EDGE, 1 - _EDGE))


class PlattScaling:
    """Strengths from two scores of pairs and from further inputs: logistic regression.

    The coefficients of the scores are not negative, so that strengths rank pairs as scores
    do, other inputs being equal (Platt, "Probabilistic outputs for support vector
    machines", 1999).
    """

    def fit(self, inputs, strengths, counts=1.0):
        """Learn from inputs, (n_pairs, n_inputs), true strengths, and weights of pairs.

        The first two inputs are scores.
        """
        counts = np.broadcast_to(counts, len(inputs))
        self._mean = np.average(strengths, weights=counts) if len(inputs) else 0.0
        self._model = None
        if 0 < self._mean < 1:
            model, columns = None, np.arange(inputs.shape[1])
            while model is None and len(columns):
                model = fit_logistic(inputs[:, columns], strengths, counts)
                wrong = (columns < 2) & (model.coef_[0] < 0)
                if wrong.any():
                    model, columns = None, columns[~wrong]
            self._model, self._columns = model, columns
        return self

    def predict(self, inputs):
        """Strengths, (n_pairs,)."""
        if self._model is None:  # all alike, or scores that say nothing
            return np.full(len(inputs), self._mean)
        return self._model.predict_proba(inputs[:, self._columns])[:, 1]


class ObservedTable:
    """Table of the observed strengths of known tasks, each of which lies inside itself.

    Both are CSR matrices, (n_tasks, n_tasks). ``marked`` has ones at observed pairs if
    ``marks_observed``, else at unknown ones; ``prior``, (n_tasks,), is the mean of columns.
    """

    def __init__(self, strengths, marked, marks_observed):
        self.strengths = strengths
        self.marked = marked
        self.marks_observed = marks_observed
        sums, counts = (np.asarray(m.sum(axis=0)).ravel() for m in (strengths, marked))
        counts = counts if marks_observed else strengths.shape[0] - counts
        self.prior = (sums + sums.sum() / max(counts.sum(), 1)) / (counts + 1)

    @classmethod
    def of(cls, pairs):
        """The table of ObservedPairs."""
        n, own = pairs.n_tasks, np.arange(pairs.n_tasks)
        related = pairs.strengths > 0
        ends = [np.append(ends[related], own) for ends in (pairs.heads, pairs.tails)]
        values = np.append(pairs.strengths[related], np.ones(n))
        marked = pairs.unknown_heads, pairs.unknown_tails
        if not pairs.complete:
            marked = [np.append(ends, own) for ends in (pairs.heads, pairs.tails)]
        ones = np.ones(len(marked[0]))
        matrices = (sparse.csr_matrix(m, (n, n)) for m in ((values, ends), (ones, marked)))
        return cls(*matrices, not pairs.complete)

    def transpose(self):
        """The table of the relations turned round."""
        parts = (m.T.tocsr() for m in (self.strengths, self.marked))
        return ObservedTable(*parts, self.marks_observed)

    def part(self, tasks):
        """The table of some of the tasks."""
        parts = (m[tasks][:, tasks] for m in (self.strengths, self.marked))
        return ObservedTable(*parts, self.marks_observed)

    def means(self, weights, columns=slice(None)):
        """Weighted means of rows, (n, n_tasks), that give unknown pairs the prior.

        Weights, (n, n_tasks), need not sum to 1: the prior has the rest.
        """
        observed = toarray(weights @ self.marked[:, columns])
        if not self.marks_observed:
            observed = np.asarray(weights.sum(axis=1)).reshape(-1, 1) - observed
        known = toarray(weights @ self.strengths[:, columns])
        return self.prior[columns] * (1 - observed) + known

    def given(self, heads, tails):
        """Strengths of pairs, (n_pairs,), NaN where they are unknown."""
        if not len(heads):  # which scipy refuses
            return np.empty(0)
        marked = np.asarray(self.marked[heads, tails]).ravel() > 0
        strengths = np.asarray(self.strengths[heads, tails]).ravel()
        return np.where(marked == self.marks_observed, strengths, np.nan)

    def paths(self):
        """Counts of tasks between others: see PathCounts."""
        related = self.strengths - sparse.identity(len(self.prior), format="csr")
        if self.marks_observed:
            return PathCounts(related, 0, self.marked - self.strengths)
        return PathCounts(related, 1, -(self.marked + self.strengths))

    def toarray(self):
        """Strengths of shape (n_tasks, n_tasks), NaN where unknown and in the diagonal."""
        observed = (self.marked.toarray() > 0) == self.marks_observed
        np.fill_diagonal(observed, False)
        return np.where(observed, self.strengths.toarray(), np.nan)


class PathCounts:
    """How many other tasks speak for or against a relation of two, by transitivity.

    Of i -> j, they are those with i -> k -> j; those with k -> i but not k -> j, or j -> k
    but not i -> k; and those with i -> k where k and j are unrelated, as i would lie in
    both (in a tree, containers of a task lie inside one another). The pair itself has no
    part in its counts, so that they are as good for observed pairs as for unknown ones.

    ``related`` has strengths, and ``offset + unrelated`` one minus them, of observed pairs;
    both are sparse, (n_tasks, n_tasks), and 0 elsewhere.
    """

    def __init__(self, related, offset, unrelated):
        self.related = related.tocsr()
        self.related_by = related.T.tocsr()
        self.offset = offset
        self.unrelated = unrelated.tocsr()
        back = self.unrelated.T
        # The product of offset + unrelated and its transpose, less the offset.
        apart = self.unrelated.multiply(back) + offset * (self.unrelated + back)
        self.apart = apart.tocsr()
        self.n_members, self.n_containers = (
            np.asarray(related.sum(axis=axis)).ravel() for axis in (0, 1)
        )

    def logarithms(self, heads, tails):
        """Logarithms of one plus the counts of pairs, (n_pairs, 3)."""
        used, at = np.unique(heads, return_inverse=True)
        order = np.argsort(at, kind="stable")
        counts = np.empty((len(heads), 3))
        step = max(1, _BLOCK // self.related.shape[0])
        for start in range(0, len(used), step):
            first, last = np.searchsorted(at[order], [start, start + step])
            places = order[first:last]
            tables = self._tables(used[start : start + step])
            for column, table in enumerate(tables):
                counts[places, column] = table[at[places] - start, tails[places]]
        return np.log1p(counts.clip(min=0))  # rounding

    def _tables(self, rows):
        members, containers = self.related_by[rows], self.related[rows]
        yield toarray(containers @ self.related)
        against = members @ self.unrelated + self.unrelated[rows] @ self.related_by
        sides = self.n_members[rows, None] + self.n_containers
        yield toarray(against) + self.offset * sides
        yield toarray(containers @ self.apart) + self.offset * self.n_containers[rows, None]


def unit_rows(X):
    """Rows of unit length, in whatever unit they come; those of zeros stay."""
    largest = toarray(abs(X).max(axis=1)).ravel()
    scales = np.divide(1, largest, out=np.ones(len(largest)), where=largest > 0)
    if sparse.issparse(X):
        return normalize(sparse.diags(scales) @ X)
    return normalize(X * scales[:, None])


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
        self._paths = self._inside.paths() if pairs.n_unknown else None
        heads, tails, strengths, counts = self._calibrating()
        evidence = self._evidence(tasks, heads, tasks, tails)
        self._scalings = {}
        for kind in ("inside", "around", "new", "known")[: 4 if pairs.n_unknown else 3]:
            inputs = self._inputs(tasks, heads, tails, kind, evidence)
            self._scalings[kind] = PlattScaling().fit(inputs, strengths, counts)

    def _calibrating(self):
        """Heads, tails, strengths and weights of observed pairs of some tasks."""
        rng = np.random.RandomState(0)
        tasks = np.sort(rng.permutation(len(self._inside.prior))[:_MAX_CALIBRATED])
        true = self._inside.part(tasks).toarray()
        heads, tails = np.nonzero(~np.isnan(true))
        strengths = true[heads, tails]
        kept, counts = thin_zeros(strengths, _MAX_ZEROS, rng)
        return tasks[heads[kept]], tasks[tails[kept]], strengths[kept], counts

    def _represent(self, X, known):
        return IdentifiedRows(known, self._prepared(X))

    def _leave_one_out_score(self, tables, weights, columns=slice(None)):
        """Score of the predictions in both directions of some tasks, by their weights."""
        total = 0.0
        for table, true in tables:
            seen = ~np.isnan(true)
            if not (true[seen] > 0).any():  # such as where no task has members
                continue
            predicted = table.means(weights, columns)[seen]
            total += relation_score(true[seen], predicted, graded=self._is_graded)
        return total

    # -- predictions -------------------------------------------------------------------
    def _blocks(self, tasks, ends, table):
        """Yield, for blocks of the tasks at ``ends``, places of pairs, rows, and means."""
        used, at = np.unique(ends, return_inverse=True)
        order = np.argsort(at, kind="stable")
        step = max(1, _BLOCK // table.strengths.shape[0])
        for start in range(0, len(used), step):
            first, last = np.searchsorted(at[order], [start, start + step])
            places = order[first:last]
            means = table.means(self._weights(tasks[used[start : start + step]]))
            yield places, at[places] - start, means

    def _scores(self, tasks, heads, tails, kind):
        """Scores of pairs of which the head is new ("inside"), the tail, or both."""
        scores = np.empty(len(heads))
        if kind == "new":  # a smoother of the rows, then one of the columns
            for places, rows, means in self._blocks(tasks, heads, self._inside):
                center = means.mean(axis=1)
                columns, at = np.unique(tails[places], return_inverse=True)
                weights = self._weights(tasks[columns])
                both = toarray(weights @ (means - center[:, None]).T)
                scores[places] = both[at, rows] + center[rows]
            return scores
        ends, others, table = heads, tails, self._inside
        if kind == "around":
            ends, others, table = tails, heads, self._around
        for places, rows, means in self._blocks(tasks, ends, table):
            scores[places] = means[rows, tasks.known[others[places]]]
        return scores

    def _inputs(self, tasks, heads, tails, kind, evidence):
        """Inputs of the PlattScaling of a kind of pairs, (n_pairs, n_inputs).

        Those of "known" tasks are both leave-one-out scores, and paths between the tasks.
        """
        if kind != "known":
            scores = self._scores(tasks, heads, tails, kind)
            return np.column_stack([scores, log_odds(scores), evidence])
        scores = [self._scores(tasks, heads, tails, side) for side in ("inside", "around")]
        paths = self._paths.logarithms(tasks.known[heads], tasks.known[tails])
        return np.column_stack([*map(log_odds, scores), paths, evidence])

    def _evidence(self, tasks, heads, others, tails):
        """Further inputs of the pairs of tasks and others, (n_pairs, n_further)."""
        return np.empty((len(heads), 0))

    def _pair_strengths(self, tasks, heads, tails):
        kinds = 2 * (tasks.known[heads] < 0) + (tasks.known[tails] < 0)
        known = np.flatnonzero(kinds == 0)
        strengths = np.empty(len(heads))
        strengths[known] = self._inside.given(
            tasks.known[heads[known]], tasks.known[tails[known]]
        )
        unknown = known[np.isnan(strengths[known])]
        places = [np.flatnonzero(kinds == number) for number in (3, 2, 1)]
        for kind, at in zip(
            ("new", "inside", "around", "known"), [*places, unknown], strict=True
        ):
            if len(at):
                ends = heads[at], tails[at]
                evidence = self._evidence(tasks, ends[0], tasks, ends[1])
                inputs = self._inputs(tasks, *ends, kind, evidence)
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
        for places, _, means in self._blocks(tasks, np.arange(len(tasks)), self._inside):
            ends = np.repeat(places, len(others)), others, np.tile(columns, len(places))
            scores = means.ravel()
            inputs = [scores, log_odds(scores), self._evidence(tasks, *ends)]
            strengths = self._scalings["inside"].predict(np.column_stack(inputs))
            table[places] = strengths.reshape(means.shape)
        return table
