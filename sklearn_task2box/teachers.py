"""The networks whose mean opinion of unknown pairs is learned along with the relations.

Boxes of few dimensions have many good layouts that differ in what they say of pairs not
seen, each without a doubt. Averaged over some fits the doubt shows, and it can be taught to
a single one (knowledge distillation: Hinton, Vinyals & Dean, arXiv:1503.02531, 2015). For
tasks never seen, it is taught on virtual ones, each with some features of one known task
and the rest of another.
Teachers have more dimensions, in which there are fewer poor layouts, and fewer epochs;
every other one has normalised layers, so that they differ more. Found on pairs of mammals
and digits, in other splits than those of the benchmarks.
"""

import numpy as np

# Their number, and the number of tasks up to which they are there without being asked for.
N_TEACHERS = 4
MAX_TASKS = 2000

_BOX_DIM = 10
_TEMPERATURE = 0.1
_MAX_EPOCHS = 200


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


def virtual_tasks(X, rng):
    """Features of virtual tasks, one for every two known ones.

    Parameters
    ----------
    X : ndarray of shape (n_tasks, n_features)
    rng : numpy.random.RandomState

    Returns
    -------
    virtual : ndarray of shape (n_tasks // 2, n_features)
        Each row has about half of its features from one row of X and the rest from another.
    """
    n = len(X)
    one = rng.permutation(n)[: n // 2]
    other = rng.randint(n, size=n // 2)
    return np.where(rng.uniform(size=(n // 2, X.shape[1])) < 0.5, X[other], X[one])
