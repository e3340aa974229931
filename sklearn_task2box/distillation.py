"""DistilledBoxEmbedder: boxes that learn a teacher's predictions with the relations."""

import math
import warnings
from numbers import Integral

import numpy as np
import pandas as pd
import torch
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import HasMethods, Interval
from sklearn.utils.validation import check_memory

from sklearn_task2box._box_model import BoxModel, warn_of_contradictions
from sklearn_task2box.boxes._out_of_sample import fit_boxes
from sklearn_task2box.embedder import BoxRelationEmbedder
from sklearn_task2box.ensemble import RelationEnsemble, set_seeds
from sklearn_task2box.nets import Objective
from sklearn_task2box.relations import TaskPairs, task_names
from sklearn_task2box.relations._parsing import is_labels
from sklearn_task2box.utils._devices import few_threads
from sklearn_task2box.utils._rollback import all_or_nothing
from sklearn_task2box.utils._rows import stack_rows

# Augmented tasks: as many for each known one, and at most so many. Of 0, 0.3, 0.6, 1.2 and
# 2 for each of 150, 0.6 is as good as 2 for new tasks (average precision within .015), and
# leaves the known ones more room (unseen pairs .01 better).
_AUGMENTED_SHARE = 0.6
_MAX_AUGMENTED = 1000
# Dimensions in which there is room for all of them, and the share of pairs that has to be
# observed.
_ROOMY_DIM = 5
_ENOUGH_OBSERVED = 0.5
# Weight of an augmented task, beside a known one, where a new one is embedded: they keep
# new tasks apart, which else end up in the same gaps between known ones.
_AUGMENTED_WEIGHT = 0.1
# Share of the student's own strengths of a new task in those that its box is fitted to: on
# taxonomies, the student predicts what lies in new tasks better than the teacher. Of 0 to
# 0.75, 0.1 to 0.25 were good on novel digits (which lose with more) and a small taxonomy.
_STUDENT_SHARE = 0.15
# Tasks of whose pairs a table of soft targets can be held.
_MAX_TASKS = 10_000
# Numbers in a table of predictions for new tasks.
_BLOCK = 1 << 20


def default_embedder():
    """The student of a DistilledBoxEmbedder by default: three times the usual epochs."""
    return BoxRelationEmbedder(max_epochs=1200)


class DistilledBoxEmbedder(BoxModel):
    """Boxes that learn a teacher's predictions along with the observed relations.

    A single network is sure of each pair that nobody observed, and often wrong. So a
    teacher, an ensemble by default, is fitted first; its predictions of pairs that the
    relations leave unknown, and of augmented tasks, are the soft targets of the student
    (knowledge distillation: Hinton, Vinyals & Dean, arXiv:1503.02531, 2015). An augmented
    task has some features of one known task and the rest of another (feature mixing, akin
    to mixup and CutMix). The box of a new task starts where the student puts it, and moves
    until its overlaps with the known boxes agree with a mean of the teacher's predictions,
    mostly, and the student's (out-of-sample embedding).

    Parameters
    ----------
    embedder : BoxRelationEmbedder, default=None
        The student. None is ``BoxRelationEmbedder(max_epochs=1200)``.
    teacher : RelationModel, default=None
        The teacher. None is ``RelationEnsemble()``.
    placement_steps : int, default=200
        Number of steps in which the box of a new task moves; 0 leaves it where the student
        puts it. Known tasks, recognized by their features, keep their boxes. After
        :meth:`partial_fit`, the teacher still has only the tasks of :meth:`fit`. Sparse
        features and encoder="table" have neither these steps nor augmented tasks.
    memory : str or joblib.Memory, default=None
        Cache of the fitted teacher: a search over the student's parameters fits the teacher
        once per fold. It is bypassed where ``random_state`` is None.
    verbose : int, default=0
        1 shows how relations were read, and the progress of the default teacher and
        student.
    random_state : int, RandomState instance or None, default=None
        Seeds every nested ``random_state`` that is None, and draws augmented tasks.

    Attributes
    ----------
    embedder_ : BoxRelationEmbedder
        The fitted student.
    teacher_ : RelationModel
        The fitted teacher: a model to be queried like any other. It is more often right
        than boxes of few dimensions, which hold its predictions only in part.
    boxes_ : ndarray of shape (n_tasks, 2 * box_dim)
        Boxes of the tasks of training: lower corners, then upper corners.
    temperature_, exponent_, contradictions_, history_, n_iter_
        As of the student.
    tasks_, relations_, threshold_, n_features_in_, feature_names_in_
        As of every :class:`~sklearn_task2box.base.RelationModel`.

    See Also
    --------
    BoxRelationEmbedder : One network without a teacher, in a twentieth of the time.
    RelationEnsemble : The default teacher.

    Examples
    --------
    >>> from sklearn_task2box import BoxRelationEmbedder, DistilledBoxEmbedder
    >>> from sklearn_task2box.datasets import load_digits_tasks
    >>> from sklearn_task2box.models import SimilarityModel
    >>> X, strengths = load_digits_tasks(return_X_y=True)
    >>> student = BoxRelationEmbedder(3, max_epochs=20)
    >>> model = DistilledBoxEmbedder(student, SimilarityModel(), random_state=0)
    >>> model.fit(X, strengths == 1).transform(X[:2]).shape
    (2, 6)
    """

    _recognizes = "features"
    _parameter_constraints = {  # noqa: RUF012
        "embedder": [BoxRelationEmbedder, None],
        "teacher": [HasMethods(["fit", "predict_proba", "pairwise_strengths"]), None],
        "placement_steps": [Interval(Integral, 0, None, closed="left")],
        "memory": [str, HasMethods(["cache"]), None],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        embedder=None,
        teacher=None,
        *,
        placement_steps=200,
        memory=None,
        verbose=0,
        random_state=None,
    ):
        self.embedder = embedder
        self.teacher = teacher
        self.placement_steps = placement_steps
        self.memory = memory
        self.verbose = verbose
        self.random_state = random_state

    def set_params(self, **params):
        """Set parameters, nested ones as in ``embedder__box_dim``.

        Parameters
        ----------
        **params : dict

        Returns
        -------
        self : DistilledBoxEmbedder
        """
        written = {
            "embedder": "BoxRelationEmbedder(max_epochs=1200)",
            "teacher": "RelationEnsemble()",
        }
        for key in params:
            name, _, nested = key.partition("__")
            if nested and name in written and params.get(name, getattr(self, name)) is None:
                raise ValueError(
                    f"{key!r} can't be set where {name} is None. Give it: "
                    f"DistilledBoxEmbedder({name}={written[name]})."
                )
        return super().set_params(**params)

    # -- fitting -----------------------------------------------------------------------
    def fit(self, X, y=None):
        """Fit the teacher, then the student.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_tasks, n_features)
            Features; the index of a DataFrame names the tasks.
        y : relations among the rows of X, default=None
            As in :meth:`BoxRelationEmbedder.fit`.

        Returns
        -------
        self : DistilledBoxEmbedder

        Raises
        ------
        ValueError
            If a parameter, X or y is not usable; nothing is changed then.

        Warns
        -----
        UserWarning, ConvergenceWarning
            As :meth:`BoxRelationEmbedder.fit`.
        """
        with all_or_nothing(self), warnings.catch_warnings():
            # Of the teacher's boxes, too; those of the student are warned of below.
            warnings.simplefilter("ignore", ConvergenceWarning)
            self._validate_params()
            data, relations = self._read_fit(X, y)
            pairs = relations.observed()
            pairs.check_related()
            if data.shape[0] > _MAX_TASKS:
                raise ValueError(
                    f"X has {data.shape[0]} tasks, and soft targets of more than "
                    f"{_MAX_TASKS} tasks would be too large a table. Use a "
                    "BoxRelationEmbedder, which needs none."
                )
            rng = check_random_state(self.random_state)
            teacher = set_seeds(self._make_teacher(), rng)
            student = set_seeds(self._make_student(), rng)
            names, columns = task_names(X), getattr(self, "feature_names_in_", None)
            features = named_features(data, names, columns)
            self.teacher_ = self._fit_teacher(teacher, features, relations)
            augmented = None
            if not sparse.issparse(data) and student.encoder != "table":
                share = 1 - pairs.n_unknown / (pairs.n_tasks * (pairs.n_tasks - 1))
                augmented = augmented_tasks(data, student.box_dim, share, rng)
            # Labels, and relations made of X, are those of all tasks after a partial_fit.
            observed = y if y is None or is_labels(y) else relations
            if augmented is not None or pairs.n_unknown:
                targets = soft_targets(self.teacher_, features, augmented, pairs)
                further = named_features(augmented, None, columns)
                student.fit(features, observed, soft_targets=targets, X_augmented=further)
            else:
                student.fit(features, observed)
            self.embedder_ = student
            self._augmented, self._augmented_boxes = augmented, None
            if augmented is not None:
                self._augmented_boxes = student.transform(further)
            # What the teacher knows, which partial_fit does not change.
            self._taught = features
            self._follow_student(data, relations)
        warn_of_contradictions(self.contradictions_, pairs.n_observed, stacklevel=3)
        return self

    def _make_student(self):
        if self.embedder is not None:
            return clone(self.embedder)
        return default_embedder().set_params(verbose=self.verbose)

    def _make_teacher(self):
        if self.teacher is not None:
            return clone(self.teacher)
        return RelationEnsemble(verbose=self.verbose)

    def _fit_teacher(self, teacher, features, relations):
        """Fit the teacher, or take it from the cache."""
        if self.memory is None or self.random_state is None:
            return teacher.fit(features, relations)
        # What does not change the result is no part of the key.
        names = {"n_jobs", "verbose", "memory"} & set(teacher.get_params(deep=False))
        running = {name: getattr(teacher, name) for name in names}
        teacher.set_params(**{name: 0 if name == "verbose" else None for name in names})
        work = check_memory(self.memory).cache(fit_teacher, ignore=["running"])
        return work(teacher, features, relations, running=running)

    def partial_fit(self, X, y=None):
        """Let the student learn further tasks and their relations; the teacher stays.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_new, n_features)
        y : relations of the new tasks, default=None
            As in :meth:`BoxRelationEmbedder.partial_fit`.

        Returns
        -------
        self : DistilledBoxEmbedder

        Raises
        ------
        ValueError
            As :meth:`fit`; nothing is changed then.
        """
        if not hasattr(self, "embedder_"):
            return self.fit(X, y)
        with all_or_nothing(self):
            with all_or_nothing(self.embedder_):
                self.embedder_.partial_fit(X, y)
            data = self._check(X, reset=False)
            known = self._features
            relations = self.embedder_.relations_
            rows = np.arange(known.shape[0], len(relations))
            if len(rows) < data.shape[0]:  # some of them were known
                rows = relations.positions(task_names(X))
            everything = stack_rows(known, data[rows >= known.shape[0]])
            everything[rows] = data
            self._beside = None
            self._augmented = self._augmented_boxes = None  # elsewhere by now
            self._follow_student(everything, relations)
        return self

    def _follow_student(self, data, relations):
        self._remember(data, relations)
        self.threshold_ = self.embedder_.threshold_

    # -- boxes -------------------------------------------------------------------------
    @property
    def boxes_(self):
        """Boxes of the tasks of training."""
        return self.embedder_.boxes_

    @property
    def temperature_(self):
        """Temperature of the soft volume."""
        return self.embedder_.temperature_

    @property
    def exponent_(self):
        """Power of the overlaps that strengths are."""
        return self.embedder_.exponent_

    @property
    def contradictions_(self):
        """Training pairs that the boxes contradict, as of the student."""
        return self.embedder_.contradictions_

    @property
    def history_(self):
        """One dict per epoch of the student."""
        return self.embedder_.history_

    @property
    def n_iter_(self):
        """Number of epochs of the student."""
        return self.embedder_.n_iter_

    def _check(self, X, **options):
        X = super()._check(X, **options)
        if options.get("reset", True) or sparse.issparse(X) == sparse.issparse(
            self._features
        ):
            return X
        return X.toarray() if sparse.issparse(X) else sparse.csr_matrix(X)

    def _represent(self, X, known):
        boxes = self.boxes_[known]
        new = np.flatnonzero(known < 0)
        if len(new):
            boxes[new] = self._embed(X[new])
        return boxes

    def _embed(self, X):
        """Boxes of new tasks."""
        student = self.embedder_
        if sparse.issparse(X) or student.encoder == "table" or not self.placement_steps:
            return student.transform(named_features(X, None, self._columns()))
        encoder = student.encoder_
        with torch.no_grad():
            outputs = encoder.body(encoder.prepare(torch.from_numpy(X).double()))
        n = self._taught.shape[0]
        others, weights = self.boxes_[:n], np.ones(n)
        if self._augmented_boxes is not None:
            others = np.concatenate([others, self._augmented_boxes])
            weights = np.append(
                weights, np.full(len(self._augmented_boxes), _AUGMENTED_WEIGHT)
            )
        objective = Objective.of(student.objective)
        loss = objective.make_loss(self.temperature_, self.exponent_).pair_loss.double()
        boxes = np.empty(outputs.shape)
        step = max(1, _BLOCK // len(others))
        for start in range(0, len(X), step):
            part = slice(start, start + step)
            inside, around = self._teacher_predictions(X[part])
            with few_threads(inside.size):
                boxes[part] = fit_boxes(
                    encoder,
                    outputs[part],
                    others,
                    weights,
                    inside,
                    around,
                    loss,
                    objective.positive_weight,
                    self.temperature_,
                    self.placement_steps,
                    self.exponent_,
                    _STUDENT_SHARE,
                )
        return boxes

    def _columns(self):
        return getattr(self, "feature_names_in_", None)

    def _teacher_predictions(self, X):
        """Strengths of new tasks in others, and of others in them, by the teacher."""
        both = [predict_both_ways(self.teacher_, X, self._taught)]
        if self._augmented is not None:
            augmented = named_features(self._augmented, None, self._columns())
            both.append(predict_both_ways(self.teacher_, X, augmented))
        return tuple(np.hstack(tables) for tables in zip(*both, strict=True))


# --------------------------------------------------------------------------------------
# What the student learns from the teacher
# --------------------------------------------------------------------------------------
def augmented_tasks(X, box_dim, observed, rng):
    """Features of augmented tasks, mixed from those of known ones.

    There are 0.6 for each known one, and at most 1,000. Boxes of augmented tasks take the
    room that the known ones need. So there are fewer, by
    ``(box_dim / 5) ** 2``, where boxes have less than five dimensions, and by
    ``2 * observed`` where less than half of the pairs are observed.

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
    augmented : ndarray of shape (n_augmented, n_features)
        Each row has about half of its features from one row of X and the rest from another.
    """
    n = len(X)
    n_augmented = min(_AUGMENTED_SHARE * n, _MAX_AUGMENTED)
    room = min(1, (box_dim / _ROOMY_DIM) ** 2) * min(1, observed / _ENOUGH_OBSERVED)
    n_augmented = math.ceil(n_augmented * room)
    one = rng.permutation(n)[:n_augmented]
    other = rng.randint(n, size=len(one))
    return np.where(rng.uniform(size=(len(one), X.shape[1])) < 0.5, X[other], X[one])


def soft_targets(teacher, features, augmented, pairs):
    """Strengths that a teacher predicts of known tasks and augmented ones.

    Parameters
    ----------
    teacher : RelationModel
        Fitted to the known tasks.
    features : ndarray, DataFrame or CSR matrix of shape (n_tasks, n_features)
    augmented : ndarray of shape (n_augmented, n_features) or None
    pairs : ObservedPairs
        Of the known tasks.

    Returns
    -------
    targets : ndarray of shape (n, n)
        NaN for pairs of two augmented tasks, and of two known ones if all are observed.
    """
    n = pairs.n_tasks
    total = n if augmented is None else n + len(augmented)
    targets = np.full((total, total), np.nan)
    if pairs.n_unknown:
        targets[:n, :n] = teacher.pairwise_strengths()
    if augmented is not None:
        inside, around = predict_both_ways(teacher, augmented, features)
        targets[n:, :n], targets[:n, n:] = inside, around.T
    return targets


def predict_both_ways(model, new, others):
    """Strengths of new tasks in others, and of the others in new tasks.

    Parameters
    ----------
    model : RelationModel
    new : ndarray of shape (n_new, n_features)
    others : ndarray or DataFrame of shape (n_others, n_features)
        Known tasks are recognized by the names of the rows.

    Returns
    -------
    inside, around : ndarray of shape (n_new, n_others)
    """
    n_new, n_others = len(new), len(others)
    names = task_names(others)
    if names is not None:
        names = [*names, *(("new", i) for i in range(n_new))]
    rows = np.concatenate([np.asarray(others, dtype=new.dtype), new])
    rows = named_features(rows, names, getattr(others, "columns", None))
    heads = n_others + np.repeat(np.arange(n_new), n_others)
    tails = np.tile(np.arange(n_others), n_new)
    tables = []
    for ends in ((heads, tails), (tails, heads)):
        strengths = model.predict_proba(TaskPairs.from_positions(rows, *ends))[:, 1]
        tables.append(strengths.reshape(n_new, n_others))
    return tables


def fit_teacher(teacher, features, relations, running):
    """Fit a teacher; what it runs with does not change the result."""
    return teacher.set_params(**running).fit(features, relations)


def named_features(data, names=None, columns=None):
    """Features as a frame, where rows or columns have names and data are dense."""
    if data is None or sparse.issparse(data) or (names is None and columns is None):
        return data
    index = None if names is None else pd.Index(names, dtype=object, tupleize_cols=False)
    return pd.DataFrame(data, index, columns, copy=False)
