"""What teachers think of pairs of tasks, all of them together.

Boxes infer unknown relations of known tasks from the others, and most so where most pairs
are observed. Perceptrons of pairs compare features: they know more the fewer pairs are
observed, and of tasks never seen. Products of roles stand between the two. Popularity of
the containers has a say where very few pairs are observed, and the divergence of normal
distributions as far as it explains the relations. Where boxes fail to explain the relations
they were fitted to, and of graded relations (shares of many sets in one another are volumes
of boxes only roughly), they know no more of known tasks than of new ones. What a mean of
all these turns out to mean is learned from pairs held out: see
:mod:`sklearn_task2box.calibration`.

Weights were found on pairs of mammals, digits, birds and Taskonomy, in other splits than
those of the benchmarks, and on one of ImageNet.
"""

import copy
from dataclasses import dataclass

import numpy as np
import torch

from sklearn_task2box.calibration import AS_SAID, Calibration
from sklearn_task2box.metrics import explained_deviance
from sklearn_task2box.queries import KnownBoxes

# What perceptrons of pairs count for besides where next to nothing is observed.
_MORE_OF_FEW = 0.3
# Popularity is worth as much as so many observed pairs of each task.
_WORTH = 20
# Boxes leave so much of the deviance in any case; from a fifth on, they know no more of
# known tasks than of new ones.
_LEFT = 0.03
_LACK = 6
# Strengths in a block of a table.
_TABLE = 1 << 20
# A strength that is off by less is not told from the right one.
_TOLERATED = 0.01


@dataclass(frozen=True)
class Weights:
    """How much kinds of teachers count for, and what comes of it; boxes count for the rest.

    Attributes
    ----------
    as_new : float
        How far pairs of known tasks are thought of as those with a new one are.
    classifiers, popularity, divergence : float
        Of pairs of known tasks otherwise. Each takes its share of all that stands before
        it.
    new_divergence : float
        Of pairs with a new task: its share of all.
    own : float
        Of pairs of known tasks: the boxes that learned from the teachers, beside these.
    new_boxes : float, default=1.0
        Of pairs with a new task, where roles count for 1 and classifiers for 2.
    known, new : Calibration
        What the mean of all turns out to mean, of pairs of known tasks and of pairs with a
        new one.
    """

    as_new: float
    classifiers: float
    popularity: float
    divergence: float
    new_divergence: float
    own: float
    new_boxes: float = 1.0
    known: Calibration = AS_SAID
    new: Calibration = AS_SAID

    def of_known(self, boxes, roles, classifiers, popularity=None, divergence=None):
        """Opinions of pairs of known tasks, from strengths that each kind says."""
        known = _mixed(boxes, classifiers, self.classifiers)
        if popularity is not None:
            known = _mixed(known, popularity, self.popularity)
        if divergence is not None:
            known = _mixed(known, divergence, self.divergence)
        new = self._of_new(boxes, roles, classifiers, divergence)
        return self.known(_mixed(known, new, self.as_new))

    def of_new(self, boxes, roles, classifiers, divergence=None):
        """Opinions of pairs with a new task."""
        return self.new(self._of_new(boxes, roles, classifiers, divergence))

    def _of_new(self, boxes, roles, classifiers, divergence):
        opinions = self.new_boxes * boxes + roles + 2 * classifiers
        opinions = opinions / (self.new_boxes + 3)
        if divergence is not None:
            opinions = _mixed(opinions, divergence, self.new_divergence)
        return opinions


def _mixed(one, other, weight):
    return (1 - weight) * one + weight * other


def weigh(pairs, boxes, popularity=0.0, divergence=0.0):
    """How much kinds of teachers count for.

    Of a pair of known tasks, perceptrons of pairs count for ``unknown ** 2 / 2``, with the
    share of pairs that is unknown, and boxes for the rest: where most pairs are observed,
    boxes infer the others. Where ``few = 2 * unknown - 1`` is positive, perceptrons
    count for ``0.3 * few`` more, and popularity counts for the share of the relations that
    it explains, times ``few``, times ``20 / (20 + observed)`` for so many observed pairs of
    a task; what the others say, for the rest. A divergence counts for the share of the
    relations that it explains, times the share of pairs that is unknown. Where boxes leave
    more than 0.03 of the deviance of the observed relations, all of this moves towards what
    would be thought of new tasks, by six times what they leave beyond, and boxes count for
    less in that. Graded relations of known tasks are thought of as those of new ones.

    Of a pair with a new task, boxes and roles count for a quarter each, perceptrons of
    pairs for half: they compare features, and no layout of the known tasks stands in their
    way. A divergence counts for as much as it explains more of the known
    relations than it leaves, and the others for the rest.

    The boxes that learned from all this, with the observed relations before them, infer
    some unknown ones better. In predictions of known tasks they count for a third of the
    share of pairs that is observed, less where boxes fail to explain these.

    Parameters
    ----------
    pairs : ObservedPairs
        Of the known tasks.
    boxes : ndarray of shape (n_tasks, n_tasks)
        Mean strengths of the known tasks that teachers of this kind say.
    popularity, divergence : float, default=0.0
        How much of the deviance of the observed relations they explain, from 0 to 1.

    Returns
    -------
    weights : Weights
    """
    n = pairs.n_tasks
    unknown = pairs.n_unknown / (n * (n - 1))
    few = max(0.0, 2 * unknown - 1)
    lack = 0.0 if pairs.is_graded else _lack(pairs, boxes)
    as_new = 1.0 if pairs.is_graded else lack
    known_pairs = (1 - unknown) * (n - 1)
    return Weights(
        as_new=as_new,
        classifiers=unknown**2 / 2 + _MORE_OF_FEW * few,
        popularity=popularity * few * _WORTH / (_WORTH + known_pairs),
        divergence=divergence * unknown,
        new_divergence=max(0.0, 2 * divergence - 1),
        own=(1 - lack) * (1 - unknown) / 3,
        new_boxes=1 - lack,
    )


def _lack(pairs, boxes):
    """How far boxes fail to explain the relations they were fitted to, from 0 to 1."""
    strengths, observed = pairs.dense()
    own, said = (
        table[observed].clip(_TOLERATED, 1 - _TOLERATED) for table in (strengths, boxes)
    )
    if np.ptp(own) == 0:  # what is left, beside what saying one half would leave
        own, said = np.append(own, 1 - own), np.append(said, 1 - said)
    left = 1 - explained_deviance(own, said)
    return min(1.0, _LACK * max(0.0, left - _LEFT))


def agree(weights, n_tasks, boxes, roles, classifiers, popularity=None, divergence=None):
    """The opinion of all teachers together, to be learned from.

    Of a pair with a virtual task, boxes count for half, products of roles and perceptrons
    for a quarter each.

    Parameters
    ----------
    weights : Weights
        Of pairs of known tasks.
    n_tasks : int
        How many are known.
    boxes, roles, classifiers : ndarray of shape (n, n)
        Mean strengths that teachers of each kind say, of the known tasks and virtual ones
        after them.
    popularity : ndarray of shape (n_tasks,), default=None
        What it says of containers.
    divergence : ndarray of shape (n_tasks, n_tasks), default=None
        What it says of the known tasks.

    Returns
    -------
    opinions : ndarray of shape (n, n)
    """
    opinions = boxes / 2 + roles / 4 + classifiers / 4
    known = (table[:n_tasks, :n_tasks] for table in (boxes, roles, classifiers))
    opinions[:n_tasks, :n_tasks] = weights.of_known(*known, popularity, divergence)
    return opinions


class Teachers:
    """Teachers that remember known and virtual tasks, and are asked of new ones.

    Their networks are not here: see :class:`sklearn_task2box.encoders.Stack`.

    Parameters
    ----------
    boxes : list of KnownBoxes
        Of the known tasks and the virtual ones after them, by each teacher of this kind.
    roles : list of KnownRoles
        Of the same tasks.
    classifiers : list of PairClassifier
        They remember the known tasks.
    divergence : SimilarityBaseline or None
        Likewise.
    popularity : ndarray of shape (n_tasks,)
        How much containers contain on average.
    weights : Weights
    n_features : int
        That the divergence reads; further ones are marks of twins.
    """

    def __init__(
        self, boxes, roles, classifiers, divergence, popularity, weights, n_features
    ):
        self.boxes = boxes
        self.roles = roles
        self.classifiers = classifiers
        self.divergence = divergence
        self.popularity = popularity
        self.weights = weights
        self.n_features = n_features

    @property
    def n_known(self):
        return len(self.popularity)

    def moments(self, X):
        """Means and variances, as the divergence reads them.

        Columns that are variances by their names may be scaled, and below 0 in new tasks.
        """
        means, variances = np.hsplit(X[:, : self.n_features], 2)
        return np.hstack([means, np.maximum(variances, 0)])

    def describe(self, X, outputs, boxes_of, known, learned):
        """What they know of tasks, as :class:`Opinions` reads it.

        Parameters
        ----------
        X, outputs, boxes_of : see :meth:`ask`
        known : int ndarray of shape (n_tasks,)
            Which known task each is; -1 for none.
        learned : ndarray of shape (n_tasks, 2 * box_dim)
            The boxes of known tasks that learned from the teachers; those of others are
            not read.

        Returns
        -------
        rows : ndarray of shape (n_tasks, n_columns)
        """
        n = len(self.boxes)
        boxes = [torch.cat(boxes_of(own), dim=1).numpy() for own in outputs[:n]]
        others = (own.numpy() for own in outputs[n:])
        return np.column_stack([known, *boxes, *others, learned, X])

    def ask(self, X, outputs, boxes_of):
        """What they think of new tasks, and known and virtual ones.

        See :func:`weigh`. Of virtual tasks, boxes and roles are asked alone.

        Parameters
        ----------
        X : ndarray of shape (n_new, n_features)
        outputs : list of float64 tensors of shape (n_new, ...)
            Of the networks of those that are boxes, then of the roles.
        boxes_of : callable
            See :meth:`sklearn_task2box.encoders.BoxEncoder.boxes_of`.

        Returns
        -------
        inside, around : ndarray of shape (n_new, n_known + n_virtual)
            How much of each new task lies in each of the others, and of each of these in
            each new task.
        """
        boxes = []
        for others, own in zip(self.boxes, outputs, strict=False):
            asked = torch.cat(boxes_of(own), dim=1).numpy()
            asked = KnownBoxes(asked, others.temperature, others.exponent)
            boxes.append([others.overlaps(asked, inside=way) for way in (True, False)])
        boxes = np.mean(boxes, axis=0)
        roles = np.mean(
            [
                (one.table(own, one.vectors), one.table(one.vectors, own).T)
                for one, own in zip(self.roles, outputs[len(self.boxes) :], strict=True)
            ],
            axis=0,
        )
        said = [_both_ways(in_double(one), X) for one in self.classifiers]
        divergence = None
        if self.weights.new_divergence:
            divergence = np.stack(_both_ways(self.divergence, self.moments(X)))
        opinions = (boxes + roles) / 2
        known = (table[:, :, : self.n_known] for table in (boxes, roles))
        opinions[:, :, : self.n_known] = self.weights.of_new(
            *known, np.mean(said, axis=0), divergence
        )
        return tuple(opinions)


class Opinions:
    """Tasks to be asked for by what teachers think of them.

    The same questions as to :class:`sklearn_task2box.queries.KnownBoxes`, but all strengths
    are worked out. Of each known task in itself they think 1.

    Parameters
    ----------
    teachers : Teachers
    rows : ndarray of shape (n_tasks, n_columns)
        See :meth:`Teachers.describe`.
    n_corners : int
        Columns of the boxes that learned from the teachers.
    temperature, exponent : float
        Of these boxes.
    """

    def __init__(self, teachers, rows, n_corners, temperature, exponent):
        self.teachers = teachers
        self.rows = rows
        self.n_corners = n_corners
        self.temperature, self.exponent = temperature, exponent
        widths = [2 * len(one.lower) for one in teachers.boxes]
        widths += [one.vectors.shape[1] for one in teachers.roles]
        cuts = np.cumsum([1, *widths, n_corners])
        known, *parts, learned, X = np.split(rows, cuts, axis=1)
        self.known = known[:, 0].astype(int)
        self.learned = KnownBoxes(learned, temperature, exponent)
        n = len(teachers.boxes)
        self.boxes = [
            KnownBoxes(part, one.temperature, one.exponent)
            for part, one in zip(parts[:n], teachers.boxes, strict=True)
        ]
        self.roles = [torch.from_numpy(np.ascontiguousarray(part)) for part in parts[n:]]
        # Baselines by themselves, each with what it reads. They refuse to read nothing.
        self.classifiers, self.divergence = [], None
        if len(rows) == 0:
            return
        self.classifiers = [
            (one, one._represent(X, None)) for one in map(in_double, teachers.classifiers)
        ]
        if teachers.weights.divergence or teachers.weights.new_divergence:
            one = teachers.divergence
            self.divergence = one, one._represent(teachers.moments(X), None)

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, key):
        """Some of the tasks."""
        rows = self.rows[key]
        of_boxes = self.n_corners, self.temperature, self.exponent
        return Opinions(self.teachers, rows, *of_boxes)

    def pairs(self, heads, tails):
        """How much of some of the tasks lies in others.

        Parameters
        ----------
        heads, tails : int ndarray of shape (n_pairs,)

        Returns
        -------
        strengths : ndarray of shape (n_pairs,)
        """
        said = [
            np.mean([one.pairs(heads, tails) for one in self.boxes], axis=0),
            np.mean(
                [
                    one.pairs(vectors, heads, tails)
                    for one, vectors in zip(self.teachers.roles, self.roles, strict=True)
                ],
                axis=0,
            ),
            *(
                np.mean([one._pair_strengths(read, heads, tails) for one, read in kind], 0)
                for kind in self._baselines()
            ),
        ]
        learned = self.learned.pairs(heads, tails)
        known = self.known[heads], self.known[tails]
        itself = (heads == tails) | (np.equal(*known) & (known[0] >= 0))
        return self._together(*known, said, learned, itself)

    def overlaps(self, asked, inside):
        """How much of each task asked for lies in each of these, or the other way round.

        Parameters
        ----------
        asked : Opinions
        inside : bool
            Whether the tasks asked for shall lie inside, or outside.

        Returns
        -------
        strengths : ndarray of shape (n_asked, n_tasks)
        """
        strengths = np.empty((len(asked), len(self)))
        if strengths.size == 0:
            return strengths
        step = max(1, _TABLE // len(self))
        for start in range(0, len(asked), step):
            part = slice(start, start + step)
            some = asked if step >= len(asked) else asked[part]
            strengths[part] = some._table(self) if inside else self._table(some).T
        return strengths

    def _table(self, others):
        """How much of each of these lies in each of others."""
        said = [
            np.mean(
                [
                    theirs.overlaps(ours, inside=True)
                    for ours, theirs in zip(self.boxes, others.boxes, strict=True)
                ],
                axis=0,
            ),
            np.mean(
                [
                    one.table(ours, theirs)
                    for one, ours, theirs in zip(
                        self.teachers.roles, self.roles, others.roles, strict=True
                    )
                ],
                axis=0,
            ),
        ]
        for ours, theirs in zip(self._baselines(), others._baselines(), strict=True):
            tables = [
                one._table(read, other)
                for (one, read), (_, other) in zip(ours, theirs, strict=True)
            ]
            said.append(np.mean(tables, axis=0))
        heads, tails = self.known[:, None], others.known[None]
        learned = others.learned.overlaps(self.learned, inside=True)
        itself = (heads == tails) & (heads >= 0)
        return self._together(heads, tails, said, learned, itself)

    def _baselines(self):
        return [self.classifiers] + ([] if self.divergence is None else [[self.divergence]])

    def _together(self, heads, tails, said, learned, itself):
        """Opinions of pairs whose ends are these known tasks, -1 for new ones."""
        boxes, roles, classifiers, *divergence = said
        weights, popularity = self.teachers.weights, self.teachers.popularity[tails]
        # Popularity of a new task is not read.
        known = weights.of_known(boxes, roles, classifiers, popularity, *divergence)
        known = _mixed(known, learned, weights.own)
        new = weights.of_new(boxes, roles, classifiers, *divergence)
        return np.where(itself, 1.0, np.where((heads >= 0) & (tails >= 0), known, new))

    def sizes(self):
        """How much of the others lies in each task, less how much of it lies in them."""
        strengths = self.overlaps(self, inside=True)
        return strengths.sum(axis=0) - strengths.sum(axis=1)

    def best(self, asked, k, inside, without=None):
        """The k tasks that best contain each task, or are best contained in it.

        See :meth:`sklearn_task2box.queries.KnownBoxes.best`; of equally strong ones, the
        first.
        """
        indices = np.empty((len(asked), k), dtype=np.intp)
        strengths = np.empty((len(asked), k))
        for part, table in self._by_rows(asked, inside):
            if without is not None:
                table[np.arange(len(table)), without[part]] = -1
            indices[part] = np.argsort(-table, axis=1, kind="stable")[:, :k]
            strengths[part] = np.take_along_axis(table, indices[part], axis=1)
        return indices, strengths

    def at_least(self, asked, marks, inside):
        """All tasks related by a mark: see KnownBoxes.at_least."""
        for part, table in self._by_rows(asked, inside):
            for values, mark in zip(table, marks[part], strict=True):
                found = np.flatnonzero(values >= mark)
                yield found, values[found]

    def _by_rows(self, asked, inside):
        step = max(1, _TABLE // len(self))
        for start in range(0, len(asked), step):
            part = slice(start, min(start + step, len(asked)))
            yield part, self.overlaps(asked[part], inside)


def _both_ways(baseline, X):
    tasks, known = baseline._represent(X, None), baseline._known
    return baseline._table(tasks, known), baseline._table(known, tasks).T


def in_double(classifier):
    """The same, but what it says of a task does not depend on others asked with it."""
    own = copy.copy(classifier)
    own.model_ = copy.deepcopy(classifier.model_).double()
    own._known = classifier._known.astype(np.float64)
    return own
