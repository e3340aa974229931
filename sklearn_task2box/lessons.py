"""What a network is to learn from teachers: these are fitted, asked, and of one mind.

Who they are and what they do is in :mod:`sklearn_task2box.teachers`, and how their opinions
are mixed in :mod:`sklearn_task2box.opinions`.
"""

from dataclasses import dataclass

import numpy as np
from joblib import Parallel, delayed
from scipy import sparse
from tqdm.auto import tqdm

from sklearn_task2box.encoders import BoxEncoder, hidden_sizes
from sklearn_task2box.features import preparation
from sklearn_task2box.implied import implied
from sklearn_task2box.observed import ObservedPairs
from sklearn_task2box.opinions import Teachers, agree, weigh
from sklearn_task2box.roles import fit_roles
from sklearn_task2box.teachers import (
    Panel,
    ask_divergence,
    ask_of_pairs,
    ask_popularity,
    calibrated,
    fit_divergence,
    fit_pair_classifier,
    n_fitted,
    rehearse,
    teacher_settings,
    virtual_tasks,
)


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
        Networks of the teachers, of prepared features, to be read in place of these; none
        where the features are read.
    teachers : Teachers or None
        To be asked of new tasks, if they are.
    """

    X: np.ndarray
    pairs: ObservedPairs
    bodies: list
    teachers: Teachers | None


class School:
    """Fits teachers, and makes lessons of what they say.

    Parameters
    ----------
    kind : type
        BoxRelationEmbedder, or a class derived from it.
    settings : dict
        Arguments of the estimator that is to learn: numbers in place of "auto" for
        ``max_epochs``, ``n_teachers`` and ``exponent``.
    device : str
    """

    def __init__(self, kind, settings, device):
        self.kind = kind
        self.settings = settings
        self.device = device

    def teach(self, X, pairs, n_features, has_variances, rng):
        """What teachers make of the observed pairs.

        Parameters
        ----------
        X : array or CSR matrix of shape (n_tasks, n_features + n_twins)
        pairs : ObservedPairs
        n_features : int
            Further columns are marks of twins.
        has_variances : bool
            Whether the features are means, then variances.
        rng : numpy.random.RandomState

        Returns
        -------
        lessons : Lessons
        """
        n_teachers = self.settings["n_teachers"]
        seeds = rng.randint(np.iinfo(np.int32).max, size=n_teachers)
        if self.settings["encoder"] == "table" or sparse.issparse(X):
            told = implied(pairs)
            with self._bar(n_teachers) as bar:
                boxes = self._work(self._box_jobs(X, told, seeds), bar)
            return Lessons(X, told.completed(_mean_strengths(boxes, X)), [], None)
        n = len(X)
        observed = 1 - pairs.n_unknown / (n * (n - 1))
        virtual = virtual_tasks(X, self.settings["box_dim"], observed, rng)
        everything = np.concatenate([X, virtual])
        rehearsal = rehearse(pairs, np.random.RandomState(seeds[0]))
        half = seeds[: 0 if rehearsal is None else -(-n_teachers // 2)]
        with self._bar(n_fitted(n_teachers) + n_fitted(len(half))) as bar:
            panel = self._panel(X, pairs, everything, seeds, bar)
            if rehearsal is not None:
                some = X[rehearsal.order]
                known = some[: rehearsal.rest.n_tasks]
                heard = self._panel(known, rehearsal.rest, some, half, bar)
        own = X[:, :n_features]
        popularity, explained = ask_popularity(pairs)
        divergence, said, divergence_explains = None, None, 0.0
        if has_variances:
            divergence = fit_divergence(own, pairs)
            divergence_explains = divergence.explained_
            said = ask_divergence(divergence, own, pairs)
        weights = weigh(pairs, panel.said[0][:n, :n], explained, divergence_explains)
        if rehearsal is not None:
            own = own[rehearsal.order]
            weights = calibrated(weights, rehearsal, own, heard, divergence)
        opinions = panel.told.completed(agree(weights, n, *panel.said, popularity, said))
        if self.settings["encoder"] != "mlp":
            return Lessons(everything, opinions, [], None)
        asked = None
        if self.settings["placement_steps"] or self.settings["predict_from"] == "teachers":
            asked = Teachers(
                [one._asked(one._encode(everything)) for one in panel.boxes],
                [one.remember(panel.read) for one in panel.roles],
                panel.classifiers,
                divergence,
                popularity,
                weights,
                n_features,
            )
        return Lessons(everything, opinions, [body.cpu() for body in panel.bodies], asked)

    def _bar(self, n_fits):
        silent = not self.settings["verbose"]
        return tqdm(total=n_fits, desc="fitting teachers", unit="fit", disable=silent)

    def _panel(self, X, pairs, everything, seeds, bar):
        """Teachers of all kinds, and what they say of the known tasks and others."""
        n, n_boxes = pairs.n_tasks, len(seeds)
        sizes = hidden_sizes(self.settings["hidden_layer_sizes"])
        epochs = self.settings["max_epochs"]
        # Perceptrons and roles would take what is implied for what is usual.
        told = implied(pairs)
        offset, rotation = preparation(X)
        encoder = BoxEncoder(None, X.shape[1], 0, offset=offset, rotation=rotation)
        read = encoder.read(everything)
        jobs = self._box_jobs(X, told, seeds)
        others = seeds[: -(-n_boxes // 2)]  # of each kind that is no boxes
        jobs += [
            delayed(fit_roles)(read[:n], pairs, sizes, epochs, seed, self.device)
            for seed in others
        ]
        jobs += [
            delayed(fit_pair_classifier)(X, pairs, epochs, number, int(seed))
            for number, seed in enumerate(others)
        ]
        fitted = self._work(jobs, bar)
        boxes, roles = fitted[:n_boxes], fitted[n_boxes : n_boxes + len(others)]
        classifiers = fitted[n_boxes + len(others) :]
        said = (
            _mean_strengths(boxes, everything),
            np.mean([one.strengths(read) for one in roles], axis=0),
            np.mean([ask_of_pairs(one, everything, n) for one in classifiers], axis=0),
        )
        return Panel(told, boxes, roles, classifiers, read, said)

    def _box_jobs(self, X, pairs, seeds):
        """What is to be done for teachers that are boxes."""
        teachers = (
            self.kind(**teacher_settings(self.settings, number, int(seed)))
            for number, seed in enumerate(seeds)
        )
        return [delayed(_fitted)(teacher, X, pairs) for teacher in teachers]

    def _work(self, jobs, bar):
        """Do jobs, some at a time, and tell what came of each, in their order."""
        done, n_jobs = [], self.settings["n_jobs"]
        # Processes, since torch has one random state for all threads.
        for one in Parallel(n_jobs, backend="loky", return_as="generator")(jobs):
            done.append(one)
            bar.update()
        return done


def _fitted(teacher, X, pairs):
    """A teacher that is boxes, fitted."""
    teacher._fit_pairs(X, pairs)
    if teacher.net_.interrupted_:
        raise KeyboardInterrupt
    return teacher


def _mean_strengths(teachers, X):
    """Mean strengths of all pairs of tasks, by teachers that are boxes."""
    strengths = 0
    for teacher in teachers:
        boxes = teacher._encode(X)
        strengths = strengths + teacher._table(boxes, boxes) / len(teachers)
    return strengths
