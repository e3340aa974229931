"""The networks whose mean opinion of unknown pairs is learned along with the relations.

Boxes of few dimensions have many good layouts that differ in what they say of pairs not
seen, each without a doubt. Averaged over some fits the doubt shows, and it can be taught to
a single one (knowledge distillation: Hinton, Vinyals & Dean, arXiv:1503.02531, 2015). For
tasks never seen, it is taught on virtual ones, each with some features of one known task
and the rest of another. The one that learns reads what the teachers make of the features
and not the features themselves, since they have learned already what matters in these.

Teachers have more dimensions, in which there are fewer poor layouts, and fewer epochs;
every other one has normalised layers, so that they differ more, and where strengths are
roots of overlaps, half of them take these as they are. Some teachers are no boxes at all:
products of vectors for two roles, perceptrons of the features of a pair, popularity and,
where features are means and variances, the divergence of normal distributions. How much
each has to say is written in :mod:`sklearn_task2box.opinions`, and what that is worth is
learned in a rehearsal: half as many teachers are fitted without some of the tasks and
pairs, and asked of these (:mod:`sklearn_task2box.calibration`). Teachers that are boxes
learn what follows from the observed relations, too (:mod:`sklearn_task2box.implied`).

After the fit, teachers are asked of new tasks: see :mod:`sklearn_task2box.placement`.
All of this was found on pairs of mammals, digits, birds and Taskonomy, in other splits than
those of the benchmarks, and on one of ImageNet.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
import torch

from sklearn_task2box.baselines import PairClassifier, SimilarityBaseline
from sklearn_task2box.calibration import Calibration
from sklearn_task2box.metrics import explained_deviance
from sklearn_task2box.observed import ObservedPairs
from sklearn_task2box.relations import TaskPairs, TaskRelations

# Their number, and the number of tasks up to which they are there without being asked for.
N_TEACHERS = 4
MAX_TASKS = 2000

_BOX_DIM = 10
_TEMPERATURE = 0.1
_MAX_EPOCHS = 200
# Virtual tasks: up to so many, two for each known one; beyond, one, but at most 1,000.
_FEW_VIRTUAL = 250
_MAX_VIRTUAL = 1000
# Dimensions in which there is room for all of them, and the share of pairs that has to be
# observed.
_ROOMY_DIM = 5
_ENOUGH_OBSERVED = 0.5
# Of teachers that are perceptrons of pairs.
_PAIR_SIZES = (256, 128)
_N_SIMILARITIES = 32
_PAIR_STEPS = 400
_PAIRS_PER_EPOCH = 16_384
# Pairs in a block of what these are asked: some 100 MB of hidden units.
_ASKED = 100_000
# What a rehearsal holds out: a share of the tasks, and of the pairs of the others. Of fewer
# related pairs, or of fewer tasks held out, it would learn what holds of these alone.
_HELD_TASKS = 0.1
_HELD_PAIRS = 0.2
_ENOUGH_PAIRS = 20
_ENOUGH_TASKS = 10
# Numbers of pairs that draw a mean towards that of all: the best is chosen.
_DRAWN_TOWARDS = (1, 2, 5, 10, 20, 50, 100)


@dataclass(frozen=True)
class Panel:
    """Fitted teachers of three kinds, and what they say of tasks.

    Attributes
    ----------
    told : ObservedPairs
        What boxes were fitted to: the observed pairs, and those that these imply.
    boxes : list of BoxRelationEmbedder
    roles : list of Roles
    classifiers : list of PairClassifier
    read : tensor of shape (n, n_inputs)
        Prepared features of the known tasks, and of others after them.
    said : tuple of three ndarrays of shape (n, n)
        Mean strengths that each kind says of these; perceptrons say 0 where neither task is
        known.
    """

    told: ObservedPairs
    boxes: list
    roles: list
    classifiers: list
    read: torch.Tensor
    said: tuple

    @property
    def bodies(self):
        """Networks of boxes and roles."""
        return [one.net_.module_.body for one in self.boxes] + [
            one.body for one in self.roles
        ]


def n_fitted(n_boxes):
    """Number of teachers in a panel with so many boxes: half as many of each other kind."""
    return n_boxes + 2 * -(-n_boxes // 2)


@dataclass(frozen=True)
class Rehearsal:
    """Relations to fit a panel to, and others that show what its opinions are worth.

    Attributes
    ----------
    order : ndarray of int, of shape (n_tasks,)
        Positions of the tasks: those to be known, then those held out as new ones.
    rest : ObservedPairs
        Of the tasks to be known.
    known, new : tuple of three ndarrays of shape (n_pairs,)
        Heads and tails, as places in ``order``, and strengths of the pairs held out: of two
        tasks to be known, and of one such task and a new one.
    """

    order: np.ndarray
    rest: ObservedPairs
    known: tuple
    new: tuple


def rehearse(pairs, rng):
    """Hold out a tenth of the tasks, and a fifth of the pairs of the others.

    Parameters
    ----------
    pairs : ObservedPairs
    rng : numpy.random.RandomState

    Returns
    -------
    rehearsal : Rehearsal or None
        None where less than 20 related pairs are observed, or none is left.
    """
    if pairs.n_related < _ENOUGH_PAIRS:
        return None
    strengths, observed = pairs.dense()
    order = rng.permutation(pairs.n_tasks)
    n_known = pairs.n_tasks - math.ceil(_HELD_TASKS * pairs.n_tasks)
    table = np.where(observed, strengths, np.nan)[np.ix_(order, order)]
    among = table[:n_known, :n_known]
    held = rng.uniform(size=among.shape) < _HELD_PAIRS
    rest = TaskRelations(np.where(held, np.nan, among)).observed()
    if rest.n_related == 0:
        return None
    parts = np.full((2, *table.shape), np.nan)
    parts[0, :n_known, :n_known] = np.where(held, among, np.nan)
    parts[1, :n_known, n_known:] = table[:n_known, n_known:]
    parts[1, n_known:, :n_known] = table[n_known:, :n_known]
    listed = [(*np.nonzero(~np.isnan(part)), part[~np.isnan(part)]) for part in parts]
    return Rehearsal(order, rest, *listed)


def teacher_settings(settings, number, seed):
    """Arguments of a teacher, from those of the estimator that is to learn from it.

    Parameters
    ----------
    settings : dict
        Arguments of a BoxRelationEmbedder.
    number : int
        Which teacher it is: every other one has normalised layers, and every other pair of
        them no roots of overlaps.
    seed : int

    Returns
    -------
    settings : dict
    """
    own = {
        "box_dim": max(_BOX_DIM, settings["box_dim"]),
        "max_epochs": min(_MAX_EPOCHS, settings["max_epochs"]),
        "init": "random",
        "n_teachers": 0,
        "predict_from": "boxes",
        "early_stopping": False,
        "callbacks": None,
        "n_jobs": None,
        "verbose": 0,
        "random_state": seed,
    }
    if settings["temperature"] == "auto":
        own["temperature"] = _TEMPERATURE
    if settings["normalization"] is None and number % 2:
        own["normalization"] = "layer"
    if (number + 1) // 2 % 2 == 0:  # the first, the last of four, and so on
        own["exponent"] = 1.0
    return {**settings, **own}


def virtual_tasks(X, box_dim, observed, rng):
    """Features of virtual tasks.

    There are as many as known ones, but at most 1,000; up to 250, two for each known one.
    Boxes of virtual tasks take the room that the known ones need. So there are fewer, by
    ``(box_dim / 5) ** 2``, where boxes have less than five dimensions, and by
    ``2 * observed`` where less than half of the pairs are observed: opinions of the others
    are vague, and take more room.

    Parameters
    ----------
    X : ndarray of shape (n_tasks, n_features)
    box_dim : int
        Dimensions of the boxes that are to learn from them.
    observed : float
        Share of the pairs that is observed.
    rng : numpy.random.RandomState

    Returns
    -------
    virtual : ndarray of shape (n_virtual, n_features)
        Each row has about half of its features from one row of X and the rest from another.
    """
    n = len(X)
    n_virtual = min(max(n, min(2 * n, _FEW_VIRTUAL)), _MAX_VIRTUAL)
    room = min(1, (box_dim / _ROOMY_DIM) ** 2) * min(1, observed / _ENOUGH_OBSERVED)
    n_virtual = math.ceil(n_virtual * room)
    one = np.concatenate([rng.permutation(n) for _ in range(2)])[:n_virtual]
    other = rng.randint(n, size=len(one))
    return np.where(rng.uniform(size=(len(one), X.shape[1])) < 0.5, X[other], X[one])


def fit_pair_classifier(X, pairs, max_epochs, number, seed):
    """Fit a teacher that is a perceptron of the features of a pair.

    Every other one compares the features, too: it needs fewer relations to know what is
    alike, and knows less of what many relations say.

    Parameters
    ----------
    X : ndarray of shape (n_tasks, n_features)
    pairs : ObservedPairs
    max_epochs : int
        Steps of its optimiser; no more than 400 are needed.
    number : int
        Which of these teachers it is.
    seed : int

    Returns
    -------
    classifier : PairClassifier

    Raises
    ------
    KeyboardInterrupt
        If the fit was interrupted.
    """
    strengths, observed = pairs.dense()
    classifier = PairClassifier(
        hidden_layer_sizes=_PAIR_SIZES,
        n_similarities=0 if number % 2 else _N_SIMILARITIES,
        max_iter=min(_PAIR_STEPS, max_epochs),
        max_pairs=_PAIRS_PER_EPOCH,
        random_state=seed,
    )
    classifier._separates_twins = False  # X has their marks, if they are to be told apart
    return classifier.fit(X, np.where(observed, strengths, np.nan))


def ask_of_pairs(classifier, X, n_tasks):
    """What a teacher of pairs says, but for pairs of two tasks that are not known.

    Parameters
    ----------
    classifier : PairClassifier
    X : ndarray of shape (n, n_features)
        Features of the known tasks, and of others after them.
    n_tasks : int
        How many are known.

    Returns
    -------
    strengths : ndarray of shape (n, n)
        0 where neither task is known.
    """
    strengths = np.zeros((len(X), len(X)))
    strengths[:, :n_tasks] = classifier.predict_proba(X)
    known, others = np.arange(n_tasks), np.arange(n_tasks, len(X))
    step = max(1, _ASKED // max(len(others), 1))
    for start in range(0, n_tasks if len(others) else 0, step):
        heads = known[start : start + step]
        asked = np.stack(np.meshgrid(heads, others, indexing="ij"), -1).reshape(-1, 2)
        said = classifier.predict_proba(TaskPairs(X, asked))[:, 1]
        strengths[heads, n_tasks:] = said.reshape(len(heads), -1)
    return strengths


def fit_divergence(X, pairs):
    """Fit the probabilities of a divergence of normal distributions.

    Parameters
    ----------
    X : ndarray of shape (n_tasks, n_features)
        Means, then variances.
    pairs : ObservedPairs

    Returns
    -------
    model : SimilarityBaseline
        Its ``explained_`` is the share of the deviance of the observed relations that it
        explains, from 0 to 1.
    """
    strengths, observed = pairs.dense()
    model = SimilarityBaseline("gaussian_kl", variances=True)
    return model.fit(X, np.where(observed, strengths, np.nan))


def ask_divergence(model, X, pairs):
    """What a divergence says of the pairs that are not observed.

    Parameters
    ----------
    model : SimilarityBaseline
    X : ndarray of shape (n_tasks, n_features)
        Means, then variances.
    pairs : ObservedPairs

    Returns
    -------
    strengths : ndarray of shape (n_tasks, n_tasks)
        0 where a pair is observed.
    """
    _, observed = pairs.dense()
    np.fill_diagonal(observed, True)
    unknown = np.argwhere(~observed)
    strengths = np.zeros(observed.shape)
    if len(unknown):
        strengths[tuple(unknown.T)] = model.predict_proba(TaskPairs(X, unknown))[:, 1]
    return strengths


def ask_popularity(pairs):
    """How much containers contain on average, whatever it is.

    Means are drawn towards that of all pairs, by as many pairs as predict the observed
    relations best, each from the others (leave-one-out).

    Parameters
    ----------
    pairs : ObservedPairs

    Returns
    -------
    strengths : ndarray of shape (n_tasks,)
    explained : float
        Share of the deviance of the observed relations that these explain, each from the
        others: from 0 to 1.
    """
    strengths, observed = pairs.dense()
    tails = np.nonzero(observed)[1]
    sums, counts = np.where(observed, strengths, 0.0).sum(axis=0), observed.sum(axis=0)
    own = strengths[observed].astype(float)
    mean = own.mean()
    explained = [
        explained_deviance(
            own,
            # Rounding may lead out of [0, 1].
            ((sums[tails] - own + drawn * mean) / (counts[tails] - 1 + drawn)).clip(0, 1),
        )
        for drawn in _DRAWN_TOWARDS
    ]
    best = int(np.argmax(explained))
    drawn = _DRAWN_TOWARDS[best]
    return (sums + drawn * mean) / (counts + drawn), max(0.0, explained[best])


def calibrated(weights, rehearsal, X, panel, divergence):
    """Weights that know what the opinions of all together turn out to mean.

    Parameters
    ----------
    weights : Weights
        As the opinions of a whole panel are made.
    rehearsal : Rehearsal
    X : ndarray of shape (n_tasks, n_features)
        Features of the tasks in the order of the rehearsal, without marks of twins.
    panel : Panel
        Fitted to the rest of the relations.
    divergence : SimilarityBaseline or None
        It has two numbers to learn, so it need not be fitted anew.

    Returns
    -------
    weights : Weights
    """
    graded = rehearsal.rest.is_graded

    def heard(heads, tails):
        said = [table[heads, tails] for table in panel.said]
        if divergence is None:
            return said, None
        asked = TaskPairs(X, np.column_stack([heads, tails]))
        return said, divergence.predict_proba(asked)[:, 1]

    popularity, _ = ask_popularity(rehearsal.rest)
    *ends, strengths = rehearsal.known
    if len(strengths):
        said, further = heard(*ends)
        opinions = weights.of_known(*said, popularity[ends[1]], further)
        weights = replace(weights, known=Calibration.fit(opinions, strengths, graded))
    *ends, strengths = rehearsal.new
    n_new = len(rehearsal.order) - rehearsal.rest.n_tasks
    if len(strengths) and n_new >= _ENOUGH_TASKS:
        said, further = heard(*ends)
        opinions = weights.of_new(*said, further)
        weights = replace(weights, new=Calibration.fit(opinions, strengths, graded))
    return weights
