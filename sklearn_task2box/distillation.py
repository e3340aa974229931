"""DistilledBoxEmbedder: boxes that learn a teacher's predictions with the relations."""

import warnings
from dataclasses import KW_ONLY, dataclass

import numpy as np
from joblib import Memory
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import HasMethods
from sklearn.utils.validation import check_memory

from sklearn_task2box._box_model import BoxModel, warn_of_contradictions
from sklearn_task2box._soft_targets import named_features
from sklearn_task2box.base import RelationModel
from sklearn_task2box.embedder import BoxRelationEmbedder, check_taught
from sklearn_task2box.ensemble import RelationEnsemble
from sklearn_task2box.relations import task_names
from sklearn_task2box.relations._parsing import is_labels
from sklearn_task2box.utils._rollback import all_or_nothing
from sklearn_task2box.utils._rows import replace_rows
from sklearn_task2box.utils._seeds import set_seeds
from sklearn_task2box.utils._typing import Features, RandomState, Relations, Self

# Attributes that are those of the fitted student.
_OF_STUDENT = (
    "boxes_", "temperature_", "exponent_", "threshold_", "contradictions_", "history_",
    "n_iter_",
)  # fmt: skip


@dataclass(eq=False, repr=False)
class DistilledBoxEmbedder(BoxModel):
    """Boxes that learn an ensemble's predictions along with the observed relations.

    The teacher, an ensemble by default, is fitted first. It then takes the place of the
    ``teacher`` of a :class:`BoxRelationEmbedder`, which says how boxes learn from it
    (knowledge distillation: Hinton, Vinyals & Dean, arXiv:1503.02531, 2015) and how new
    tasks get theirs. The warnings of a fit are those of the student.

    Parameters
    ----------
    embedder : BoxRelationEmbedder, default=None
        The student, whose own ``teacher`` does not matter. None is
        ``BoxRelationEmbedder()``.
    teacher : RelationModel, default=None
        The teacher. None is ``RelationEnsemble()``.
    memory : str or joblib.Memory, default=None
        Cache of the fitted teacher: a search over the student's parameters fits the teacher
        once per fold. It is bypassed where ``random_state`` is None.
    verbose : int, default=0
        1 shows how relations were read, and how the default teacher and student proceed.
    random_state : int, RandomState instance or None, default=None
        Seeds every nested ``random_state`` that is None, and draws augmented tasks.

    Attributes
    ----------
    embedder_ : BoxRelationEmbedder
        The fitted student.
    teacher_ : RelationModel
        The fitted teacher: a model to be queried like any other. It is more often right
        than boxes of few dimensions, which hold its predictions only in part.
    boxes_, temperature_, exponent_, contradictions_, history_, n_iter_
        As of the student.
    tasks_, relations_, threshold_, n_features_in_, feature_names_in_ : see RelationModel

    See Also
    --------
    BoxRelationEmbedder : With a teacher in closed form, in less time.
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

    embedder: BoxRelationEmbedder | None = None
    teacher: RelationModel | None = None
    _: KW_ONLY
    memory: str | Memory | None = None
    verbose: int = 0
    random_state: RandomState = None

    _recognizes = "features"
    _nested_defaults = {  # noqa: RUF012
        "embedder": "BoxRelationEmbedder()",
        "teacher": "RelationEnsemble()",
    }
    _parameter_constraints = {  # noqa: RUF012
        "embedder": [BoxRelationEmbedder, None],
        "teacher": [HasMethods(["fit", "predict_proba", "pairwise_strengths"]), None],
        "memory": [str, HasMethods(["cache"]), None],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
    }

    # -- fitting -----------------------------------------------------------------------
    def fit(self, X: Features, y: Relations = None) -> Self:
        with all_or_nothing(self), warnings.catch_warnings():
            # Of the teacher's boxes, too; those of the student are warned of below.
            warnings.simplefilter("ignore", ConvergenceWarning)
            self._validate_params()
            data, relations = self._read_fit(X, y)
            pairs = relations.observed()
            pairs.check_related()
            check_taught(pairs.n_tasks)
            rng = check_random_state(self.random_state)
            teacher, student = self.teacher, self.embedder
            if teacher is None:
                teacher = RelationEnsemble(verbose=self.verbose)
            if student is None:
                student = BoxRelationEmbedder(verbose=self.verbose)
            teacher, student = (set_seeds(clone(m), rng) for m in (teacher, student))
            columns = getattr(self, "feature_names_in_", None)
            features = named_features(data, task_names(X), columns)
            self.teacher_ = self._fit_teacher(teacher, features, relations)
            # Labels, and relations made of X, are those of all tasks after a partial_fit.
            observed = y if y is None or is_labels(y) else relations
            self.embedder_ = student.set_params(teacher=FrozenEstimator(self.teacher_))
            self.embedder_.fit(features, observed)
            self._follow_student(data, relations)
        found = self.contradictions_, pairs.n_observed, self.boxes_
        warn_of_contradictions(*found, stacklevel=3)
        return self

    def _fit_teacher(self, teacher, features, relations):
        """The teacher, fitted or from the cache."""
        if self.memory is None or self.random_state is None:
            return teacher.fit(features, relations)
        # What does not change the result is no part of the key.
        names = {"n_jobs", "verbose", "memory"} & set(teacher.get_params(deep=False))
        running = {name: getattr(teacher, name) for name in names}
        teacher.set_params(**{name: 0 if name == "verbose" else None for name in names})
        work = check_memory(self.memory).cache(fit_teacher, ignore=["running"])
        return work(teacher, features, relations, running=running)

    def partial_fit(self, X: Features, y: Relations = None) -> Self:
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
        with all_or_nothing(self), all_or_nothing(self.embedder_):
            self.embedder_.partial_fit(X, y)
            data = self._check(X, reset=False)
            known = self._features
            relations = self.embedder_.relations_
            rows = np.arange(known.shape[0], len(relations))
            if len(rows) < data.shape[0]:  # some of them were known
                rows = relations.positions(task_names(X))
            self._beside = None
            self._follow_student(replace_rows(known, data, rows), relations)
        return self

    def _follow_student(self, data, relations):
        for name in _OF_STUDENT:
            setattr(self, name, getattr(self.embedder_, name))
        self._remember(data, relations)

    # -- boxes -------------------------------------------------------------------------
    def _represent(self, X, known):
        boxes, new = self.boxes_[known], np.flatnonzero(known < 0)
        if len(new):
            columns = getattr(self, "feature_names_in_", None)
            boxes[new] = self.embedder_.transform(named_features(X[new], None, columns))
        return boxes


def fit_teacher(teacher, features, relations, running):
    """Fit a teacher; what it runs with does not change the result."""
    return teacher.set_params(**running).fit(features, relations)
