"""TaskLinkClassifier: ordered pairs of tasks as samples."""

from dataclasses import KW_ONLY, dataclass

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin, clone, is_classifier
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, check_is_fitted, column_or_1d

from sklearn_task2box.embedder import BoxRelationEmbedder
from sklearn_task2box.relations import TaskPairs, TaskRelations
from sklearn_task2box.relations._names import some
from sklearn_task2box.utils._storage import Stored
from sklearn_task2box.utils._typing import Any, Array, ArrayLike, Self
from sklearn_task2box.utils._wrapped import NestedDefaults, unwrapped


@dataclass(eq=False, repr=False)
class TaskLinkClassifier(NestedDefaults, Stored, ClassifierMixin, BaseEstimator):
    """Predict which ordered pairs of known tasks are related.

    A sample is an ordered pair (i, j) of tasks, of class 1 if i lies inside j. ``fit``
    trains a clone of ``embedder`` on the features of all tasks and on the relations that
    the training pairs state or imply by transitivity. So scikit-learn's cross-validation
    over pairs asks how well unseen relations among known tasks are predicted.

    Parameters
    ----------
    embedder : estimator, default=None
        Relation model, or Pipeline that ends in one. None is ``BoxRelationEmbedder()``.
    transitive : bool or "auto", default="auto"
        Whether pairs without a label that the labels imply by transitivity are learned as
        related, see :class:`TaskRelations`. A labelled pair is learned as labelled.
    pos_label : bool, int, float or str, default=None
        The label of related pairs. None is the larger of two numbers, such as 1 or True,
        unless more than half of the pairs have it; text needs it. Voting and stacking
        encode labels in their order: give the code, 0 or 1.

    Attributes
    ----------
    embedder_ : estimator
        The fitted clone.
    classes_ : ndarray of shape (2,)
        The two labels, sorted; numbers are those of unrelated and of related pairs.
    n_features_in_ : int
        2, the ends of a pair.

    See Also
    --------
    TaskPairs.from_graph : Makes pairs and labels of a graph.

    Examples
    --------
    >>> from sklearn.model_selection import train_test_split
    >>> from sklearn_task2box import BoxRelationEmbedder, TaskLinkClassifier, TaskPairs
    >>> from sklearn_task2box.datasets import load_digits_tasks
    >>> X, strengths = load_digits_tasks(return_X_y=True)
    >>> pairs, y = TaskPairs.from_graph(strengths == 1, X, random_state=0)
    >>> train, test, y_train, y_test = train_test_split(pairs, y, random_state=0)
    >>> links = TaskLinkClassifier(BoxRelationEmbedder(max_epochs=100, random_state=0))
    >>> links.fit(train, y_train).predict_proba(test).shape == (len(test), 2)
    True
    """

    embedder: Any = None
    _: KW_ONLY
    transitive: bool | str = "auto"
    pos_label: Any = None

    _nested_defaults = {"embedder": "BoxRelationEmbedder()"}  # noqa: RUF012

    def fit(self, X: TaskPairs, y: ArrayLike) -> Self:
        """Learn from observed pairs.

        Parameters
        ----------
        X : TaskPairs of length n_pairs
        y : array-like of shape (n_pairs,)
            Two classes: see ``pos_label``.

        Returns
        -------
        self : TaskLinkClassifier

        Raises
        ------
        ValueError
            If y does not have two classes, none of them is ``pos_label``, a pair occurs
            with both, or the embedder predicts nothing.
        TypeError
            If X is not a TaskPairs.
        """
        _check_pairs(X)
        if y is None:
            raise ValueError(
                "y needs a label for each pair, related or not; got None. "
                "TaskPairs.from_graph(graph, X) makes both."
            )
        y = column_or_1d(y, warn=True)
        check_consistent_length(X, y)
        if pd.isna(y).any():
            raise ValueError(
                f"y has {pd.isna(y).sum()} missing labels (NaN or None). Leave out the "
                "pairs that nothing is known of."
            )
        classes = np.unique(y)
        if len(classes) != 2:
            graded = y.dtype.kind == "f" and len(classes) > 2
            raise ValueError(
                "y needs two classes, unrelated and related; got "
                f"{len(classes)}: {classes[:5].tolist()}."
                + (" Graded strengths can be cut: y = strengths >= 0.5." if graded else "")
            )
        check_classification_targets(y)
        at_related = self._related_class(classes)
        related = y == classes[at_related]
        if self.pos_label is None and y.dtype.kind != "b" and 2 * related.sum() > len(y):
            raise ValueError(
                f"Does {classes[1]} mean related? More than half of the pairs have it, and "
                "VotingClassifier and StackingClassifier encode labels by 0 and 1 in their "
                f"order. Pass pos_label={classes[1]}, or pos_label={classes[0]}."
            )
        labelled = pd.DataFrame(X.pairs).assign(related=related).drop_duplicates()
        both = labelled.loc[labelled.duplicated([0, 1]), [0, 1]].to_numpy()
        if len(both):
            raise ValueError(
                f"A pair has one label, but {len(both)} of X stand there with both, such "
                f"as {some(X.tasks[both[0]])}. Keep one of each."
            )
        edges = list(zip(*X.pairs.T.tolist(), related * 1.0, strict=True))
        relations = TaskRelations(
            edges, np.arange(X.X.shape[0]), unobserved="unknown", transitive=self.transitive
        )
        embedder = BoxRelationEmbedder() if self.embedder is None else clone(self.embedder)
        if not hasattr(embedder, "predict_proba") or is_classifier(embedder):
            raise ValueError(
                "embedder must predict relations, as BoxRelationEmbedder and other models "
                f"do, or be a Pipeline that ends in one; got {embedder!r}. Classifiers of "
                "the features of pairs are models.PairClassifier."
            )
        self.embedder_ = embedder.fit(X.X, relations)
        self.classes_, self._at_related = classes, at_related
        self.n_features_in_ = 2
        return self

    def _related_class(self, classes):
        """Position of the class of related pairs."""
        labels = classes.tolist()
        if self.pos_label is not None and self.pos_label not in labels:
            raise ValueError(
                f"pos_label must be one of the labels, {labels}; got {self.pos_label!r}. "
                "VotingClassifier and StackingClassifier encode labels: give its code."
            )
        if self.pos_label is None and classes.dtype.kind not in "biuf":
            raise ValueError(
                f"Text does not show which label means related: got {labels}. Pass it as "
                "pos_label, or give 0 and 1."
            )
        return 1 if self.pos_label is None else labels.index(self.pos_label)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags

    def predict_proba(self, X: TaskPairs) -> Array:
        """Probabilities of the two classes.

        Parameters
        ----------
        X : TaskPairs of length n_pairs
            Its features may be those of other tasks than in training.

        Returns
        -------
        probabilities : ndarray of shape (n_pairs, 2), in the order of ``classes_``

        Raises
        ------
        TypeError
            If X is not a TaskPairs.
        """
        check_is_fitted(self)
        _check_pairs(X)
        embedder, before = unwrapped(self.embedder_)
        for step in before:  # they read features, not pairs
            X = X.with_features(step.transform(X.X))
        probabilities = embedder.predict_proba(X)
        return probabilities if self._at_related == 1 else probabilities[:, ::-1]

    def predict(self, X: TaskPairs) -> Array:
        """The more probable class of each pair.

        Parameters
        ----------
        X : TaskPairs of length n_pairs

        Returns
        -------
        labels : ndarray of shape (n_pairs,)
        """
        likely = self.predict_proba(X).argmax(axis=1)
        return self.classes_[likely]


def _check_pairs(X):
    if not isinstance(X, TaskPairs):
        raise TypeError(
            f"The samples of a TaskLinkClassifier are pairs of tasks; got a "
            f"{type(X).__name__}. Make them with TaskPairs(X, pairs) or "
            "TaskPairs.from_graph(graph, X)."
        )
