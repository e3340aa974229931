"""The networks whose mean opinion of unknown pairs is learned along with the relations.

Boxes of few dimensions have many good layouts that differ in what they say of pairs not
seen, each without a doubt. Averaged over some fits the doubt shows, and it can be taught to
a single one (knowledge distillation: Hinton, Vinyals & Dean, arXiv:1503.02531, 2015). For
tasks never seen, it is taught on virtual ones, each with some features of one known task
and the rest of another. The one that learns reads what the teachers make of the features
and not the features themselves, since they have learned already what matters in these.

Teachers have more dimensions, in which there are fewer poor layouts, and fewer epochs;
every other one has normalised layers, so that they differ more. Some teachers are no boxes
at all. Products of vectors for two roles know more of new tasks, and less of unknown pairs:
they are asked of virtual tasks only. Perceptrons of the features of a pair need no layout,
and know more the fewer pairs are observed; where these are very few, popularity of the
containers has a say, too. Where features are means and variances, there is
one that nobody trains, the divergence of normal distributions, and it counts for as much as
it explains of the observed relations.

After the fit, teachers are asked of new tasks: see :mod:`sklearn_task2box.placement`.
All of this was found on pairs of mammals, digits, birds and Taskonomy, in other splits than
those of the benchmarks, and on one of ImageNet.
"""

import copy
import math
from dataclasses import dataclass

import numpy as np
import torch
from scipy.special import xlogy

from sklearn_task2box.baselines import PairClassifier, SimilarityBaseline
from sklearn_task2box.observed import ObservedPairs
from sklearn_task2box.queries import KnownBoxes
from sklearn_task2box.relations import TaskPairs

# Their number, and the number of tasks up to which they are there without being asked for.
N_TEACHERS = 4
MAX_TASKS = 2000

_BOX_DIM = 10
_TEMPERATURE = 0.1
_MAX_EPOCHS = 200
# Virtual tasks: up to so many, two for each known one; beyond, one, but at most 1,000.
_FEW_VIRTUAL = 250
_MAX_VIRTUAL = 1000
# Dimensions in which there is room for all of them.
_ROOMY_DIM = 5
# Of teachers that are perceptrons of pairs.
_PAIR_SIZES = (256, 128)
_N_SIMILARITIES = 32
_PAIR_STEPS = 400
_PAIRS_PER_EPOCH = 16_384
# Pairs in a block of what these are asked: some 100 MB of hidden units.
_ASKED = 100_000
# How much perceptrons of pairs count for in what is thought of a new task and a known one:
# they compare features, and no layout of the known tasks stands in their way.
_OF_NEW_TASKS = 0.5
# What they count for besides where next to nothing is observed.
_MORE_OF_FEW = 0.3
# Popularity is worth as much as so many observed pairs of each task.
_WORTH = 20
# Numbers of pairs that draw a mean towards that of all: the best is chosen.
_DRAWN_TOWARDS = (1, 2, 5, 10, 20, 50, 100)


@dataclass(frozen=True)
class Lessons:
    """What is to be learned from teachers.

    Attributes
    ----------
    X : array or sparse matrix of shape (n, n_features)
        Features of the known tasks, and of virtual ones after them.
    pairs : ObservedPairs
        Of all of these: those observed, and opinions of the others.
    bodies : list of MLP
        Networks of the teachers, of prepared features; none where there are no features.
    teachers : Teachers or None
        To be asked of new tasks; None where there are no features.
    """

    X: np.ndarray
    pairs: ObservedPairs
    bodies: list
    teachers: "Teachers | None"


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
    n_features : int
        That it reads; further ones are marks of twins.
    """

    def __init__(self, boxes, roles, classifiers, divergence, n_features):
        self.boxes = boxes
        self.roles = roles
        self.classifiers = classifiers
        self.divergence = divergence
        self.n_features = n_features

    @property
    def n_known(self):
        return len(self.classifiers[0].tasks_)

    def ask(self, X, outputs, boxes_of):
        """What they think of new tasks, and known and virtual ones.

        Boxes and roles count for a quarter each, perceptrons of pairs for half. A
        divergence counts for as much as it explains more of the known relations than it
        leaves, and the others for the rest. Of virtual tasks, boxes and roles are asked
        alone.

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
            asked = KnownBoxes(asked, others.temperature)
            boxes.append([others.overlaps(asked, inside=way) for way in (True, False)])
        roles = [
            others.both_ways(own)
            for others, own in zip(self.roles, outputs[len(boxes) :], strict=True)
        ]
        opinions = (np.mean(boxes, axis=0) + np.mean(roles, axis=0)) / 2
        said = np.mean([_both_ways(_in_double(c), X) for c in self.classifiers], axis=0)
        known = _mixed(opinions[:, :, : self.n_known], said, _OF_NEW_TASKS)
        if self.divergence is not None and self.divergence.explained_ > 0.5:
            said = np.stack(_both_ways(self.divergence, X[:, : self.n_features]))
            known = _mixed(known, said, 2 * self.divergence.explained_ - 1)
        opinions[:, :, : self.n_known] = known
        return tuple(opinions)


def _mixed(one, other, weight):
    return (1 - weight) * one + weight * other


def _both_ways(baseline, X):
    tasks, known = baseline._represent(X, None), baseline._known
    return baseline._table(tasks, known), baseline._table(known, tasks).T


def _in_double(classifier):
    """The same, but what it says of a task does not depend on others asked with it."""
    own = copy.copy(classifier)
    own.model_ = copy.deepcopy(classifier.model_).double()
    own._known = classifier._known.astype(np.float64)
    return own


def teacher_settings(settings, number, seed):
    """Arguments of a teacher, from those of the estimator that is to learn from it.

    Parameters
    ----------
    settings : dict
        Arguments of a BoxRelationEmbedder.
    number : int
        Which teacher it is: every other one has normalised layers.
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
        "early_stopping": False,
        "callbacks": None,
        "verbose": 0,
        "random_state": seed,
    }
    if settings["temperature"] == "auto":
        own["temperature"] = _TEMPERATURE
    if settings["normalization"] is None and number % 2:
        own["normalization"] = "layer"
    return {**settings, **own}


def virtual_tasks(X, box_dim, rng):
    """Features of virtual tasks.

    There are as many as known ones, but at most 1,000; up to 250, two for each known one.
    There are fewer, by ``(box_dim / 5) ** 2``, where boxes have less than five dimensions:
    boxes of virtual tasks take the room that the known ones need.

    Parameters
    ----------
    X : ndarray of shape (n_tasks, n_features)
    box_dim : int
        Dimensions of the boxes that are to learn from them.
    rng : numpy.random.RandomState

    Returns
    -------
    virtual : ndarray of shape (n_virtual, n_features)
        Each row has about half of its features from one row of X and the rest from another.
    """
    n = len(X)
    n_virtual = min(max(n, min(2 * n, _FEW_VIRTUAL)), _MAX_VIRTUAL)
    n_virtual = math.ceil(n_virtual * min(1, (box_dim / _ROOMY_DIM) ** 2))
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

    def cross_entropy(said):
        return -(xlogy(own, said) + xlogy(1 - own, 1 - said)).sum()

    said = [
        (sums[tails] - own + drawn * mean) / (counts[tails] - 1 + drawn)
        for drawn in _DRAWN_TOWARDS
    ]
    best = int(np.argmin([cross_entropy(one) for one in said]))
    explainable = cross_entropy(np.full(len(own), mean)) - cross_entropy(own)
    left = cross_entropy(said[best]) - cross_entropy(own)
    explained = max(0.0, 1 - left / explainable) if explainable > 0 else 0.0
    drawn = _DRAWN_TOWARDS[best]
    return (sums + drawn * mean) / (counts + drawn), explained


def agree(pairs, boxes, roles=None, classifiers=None, popularity=None, divergence=None):
    """The opinion of all teachers together.

    Of a pair of known tasks, perceptrons of pairs count for ``unknown ** 2 / 2``, with the
    share of pairs that is unknown, and boxes for the rest: where most pairs are observed,
    boxes infer the others. Where ``few = 2 * unknown - 1`` is positive, they count for
    ``0.3 * few`` more, and popularity counts for the share of the relations that it
    explains, times ``few``, times ``20 / (20 + observed)`` for so many observed pairs of a
    task; what the others say, for the rest. Of a pair with a virtual task, boxes count for
    half, products of roles and perceptrons for a quarter each.

    A divergence counts, of pairs of known tasks, for the share of the relations that it
    explains, times the share of pairs that is unknown; what the others say, for the rest.

    Parameters
    ----------
    pairs : ObservedPairs
        Of the known tasks.
    boxes : ndarray of shape (n, n)
        Mean strengths that teachers of this kind say, of the known tasks and virtual ones.
    roles, classifiers : ndarray of shape (n, n), default=None
        Those of the other kinds; None where there are no features to read.
    popularity : (ndarray of shape (n_tasks,), float), default=None
        What it says of containers, and how much it explains.
    divergence : (ndarray of shape (n_tasks, n_tasks), float), default=None
        What it says, and how much it explains.

    Returns
    -------
    opinions : ndarray of shape (n, n)
    """
    if roles is None:
        return boxes
    n = pairs.n_tasks
    unknown = pairs.n_unknown / (n * (n - 1))
    few = max(0.0, 2 * unknown - 1)
    opinions = boxes / 2 + roles / 4 + classifiers / 4
    weight = unknown**2 / 2 + _MORE_OF_FEW * few
    known = _mixed(boxes[:n, :n], classifiers[:n, :n], weight)
    if popularity is not None:
        said, explained = popularity
        observed = (1 - unknown) * (n - 1)
        weight = explained * few * _WORTH / (_WORTH + observed)
        known = _mixed(known, said, weight)
    if divergence is not None:
        said, explained = divergence
        known = _mixed(known, said, explained * unknown)
    opinions[:n, :n] = known
    return opinions
