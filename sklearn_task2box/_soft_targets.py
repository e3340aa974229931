"""Soft targets: strengths that a teacher predicts, for boxes to be fitted to.

A network alone is sure of each pair that nobody observed, and often wrong. So it learns the
predictions of another model, the teacher, where there is no observation (knowledge
distillation: Hinton, Vinyals & Dean, arXiv:1503.02531, 2015): of pairs of known tasks that
the relations leave unknown, and of augmented tasks, which have some features of one known
task and the rest of another (feature mixing, akin to mixup and CutMix).
"""

import math

import numpy as np
import pandas as pd
from scipy import sparse

from sklearn_task2box.boxes._out_of_sample import Surroundings
from sklearn_task2box.relations import TaskPairs
from sklearn_task2box.utils._devices import few_threads
from sklearn_task2box.utils._rows import stack_rows

# Augmented tasks, at most.
_MAX_AUGMENTED = 1000
# Dimensions in which there is room for none of them and for all, and the share of pairs
# that has to be observed.
_NARROW_DIM, _ROOMY_DIM = 2, 5
_ENOUGH_OBSERVED = 0.5
# Numbers in a mask of mixed features, and in a table of predictions for new tasks.
_BLOCK = 1 << 20
# Steps of out-of-sample embedding, and weight of what soft targets say lies inside a new
# task, beside what it lies in.
_STEPS, _AROUND_WEIGHT = 100, 0.1


def augmented_tasks(X, share, box_dim, observed, rng):
    """Features of augmented tasks, (n_augmented, n_features), mixed from rows of X.

    Each has about half of them from one row and the rest from another. ``share`` is the
    ``augmentation`` of a BoxRelationEmbedder, ``observed`` the share of observed pairs.
    """
    n, n_features = X.shape
    room = (box_dim - _NARROW_DIM) / (_ROOMY_DIM - _NARROW_DIM)
    room = np.clip(room, 0, 1) * min(1, observed / _ENOUGH_OBSERVED)
    n_augmented = math.ceil(min(share * n, _MAX_AUGMENTED) * room)
    one = np.resize(rng.permutation(n), n_augmented)
    other = rng.randint(n, size=len(one))
    mixed, step = [X[:0]], max(1, _BLOCK // n_features)
    for start in range(0, len(one), step):
        part = slice(start, start + step)
        mask = rng.uniform(size=(len(one[part]), n_features)) < 0.5
        if sparse.issparse(X):
            mixed.append(X[other[part]].multiply(mask) + X[one[part]].multiply(~mask))
        else:
            mixed.append(np.where(mask, X[other[part]], X[one[part]]))
    return sparse.vstack(mixed, format="csr") if sparse.issparse(X) else np.vstack(mixed)


class SoftTargets:
    """Strengths that a fitted teacher predicts of known, augmented and new tasks.

    ``known`` are features, (n_tasks, n_features). The teacher may recognize these tasks by
    ``names``.
    """

    def __init__(self, teacher, known, names=None, columns=None):
        self.teacher = teacher
        self.known = known
        self.names = names
        self.columns = columns

    def table(self, pairs, augmented):
        """Strengths among known and augmented tasks, given observed pairs of known ones.

        ``augmented`` are features, (n_augmented, n_features). NaN stands for pairs of two
        augmented tasks and, if all are observed, of two known ones. The shape is
        (n_tasks + n_augmented, n_tasks + n_augmented).
        """
        n = self.known.shape[0]
        total = n + augmented.shape[0]
        targets = np.full((total, total), np.nan)
        if pairs.n_unknown:
            features = named_features(self.known, self.names, self.columns)
            targets[:n, :n] = self.teacher.pairwise_strengths(features)
        if total > n:
            inside, around = self.of_new(augmented)
            targets[n:, :n], targets[:n, n:] = inside, around.T
        predicted = targets[~np.isnan(targets)]
        if len(predicted) and not 0 <= predicted.min() <= predicted.max() <= 1:
            raise ValueError(
                "The strengths that a teacher predicts must lie in [0, 1]; "
                f"{type(self.teacher).__name__} predicted some from {predicted.min():g} to "
                f"{predicted.max():g}."
            )
        return targets

    def embed(self, X, outputs, others, encoder, loss):
        """Boxes of new tasks, (n_new, 2 * box_dim): out-of-sample embedding.

        From ``outputs`` of the encoder's body for ``X``, (n_new, 2 * box_dim), they move
        until their overlaps with the boxes of the known tasks agree with the teacher's
        predictions, by the ObjectiveLoss of the fit. The outputs ``others`` are of the
        known tasks, then of the augmented ones.
        """
        around = Surroundings(encoder, others, self.known.shape[0], loss, _AROUND_WEIGHT)
        boxes = np.empty(outputs.shape)
        step = max(1, _BLOCK // len(others))
        for start in range(0, len(boxes), step):
            part = slice(start, start + step)
            strengths = self.of_new(X[part])
            with few_threads(strengths[0].size):
                boxes[part] = around.fit(outputs[part], *strengths, _STEPS)
        return boxes

    def of_new(self, new):
        """Strengths of new tasks in known ones, and of these in them: (n_new, n_tasks)."""
        n_new, n = new.shape[0], self.known.shape[0]
        names = self.names
        if names is not None:
            names = [*names, *(object() for _ in range(n_new))]  # like no other
        rows = named_features(stack_rows(self.known, new), names, self.columns)
        heads, tails = n + np.repeat(np.arange(n_new), n), np.tile(np.arange(n), n_new)
        # Each pair beside its reverse, as models compare two tasks once for both.
        ends = np.stack([heads, tails, tails, heads], axis=1).reshape(-1, 2).T
        strengths = self.teacher.predict_proba(TaskPairs.from_positions(rows, *ends))[:, 1]
        return strengths.reshape(n_new, n, 2).transpose(2, 0, 1)


def named_features(data, names=None, columns=None):
    """Features as a frame, where rows or columns have names and data are dense."""
    if sparse.issparse(data) or (names is None and columns is None):
        return data
    index = None if names is None else pd.Index(names, dtype=object, tupleize_cols=False)
    return pd.DataFrame(data, index, columns, copy=False)
