"""BoxRelationEmbedder: tasks as boxes, learned from their features and relations."""

import copy
import warnings
from numbers import Integral, Real

import networkx as nx
import numpy as np
import torch
from scipy import sparse
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.metrics import pairwise_distances_argmin_min
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import _num_features, check_is_fitted
from torch import nn

from sklearn_task2box import forms
from sklearn_task2box.devices import few_threads, is_mixed, resolve_device, seeded
from sklearn_task2box.encoders import MLP, Stack, Table, hidden_sizes, make_encoder
from sklearn_task2box.features import (
    hot_columns,
    means_and_variances,
    names_say_variances,
    preparation,
    with_rows,
    writable,
)
from sklearn_task2box.lessons import School
from sklearn_task2box.metrics import best_f1_threshold
from sklearn_task2box.neighbours import neighbourhood_affinities
from sklearn_task2box.objectives import PAIR_LOSSES, Objective
from sklearn_task2box.opinions import Opinions
from sklearn_task2box.placement import placed
from sklearn_task2box.predictor import RelationPredictorMixin
from sklearn_task2box.queries import KnownBoxes, graph_of, rankings
from sklearn_task2box.relations import (
    DIRECTIONS,
    UNOBSERVED,
    TaskRelations,
    as_relations,
    labels_in_order,
    task_names,
)
from sklearn_task2box.rollback import all_or_nothing
from sklearn_task2box.teachers import MAX_TASKS, N_TEACHERS
from sklearn_task2box.training import (
    NEGATIVES,
    NoEpochFinished,
    PairDataset,
    check_callbacks,
    make_net,
    start_from_layout,
)
from sklearn_task2box.twins import Twins

# Settings of Task2Box (Daroya, Sun & Maji, CVPR 2024) and its published code, with the
# sums of that code made means at 100 tasks, 5 % of whose pairs are related.
PAPER_SETTINGS = {
    "hidden_layer_sizes": (1024, 256, 128),
    "normalization": "batch",
    "side": "sigmoid",
    "anchor": "lower",
    "temperature": 0.1,
    "exponent": 1.0,
    "objective": "squared_error",
    "positive_weight": 1.0,
    "volume_weight": 7e-5,
    "distance_weight": 5e-6,
    "squareness_weight": 1e-4,
    "max_epochs": 1350,
    "batch_size": None,
    "learning_rate": 1e-3,
    "learning_rate_schedule": "constant",
    "max_gradient_norm": None,
    "n_teachers": 0,
    "placement_steps": 0,
    "separate_twins": False,
}

# One batch of all pairs up to this many; batches of that many pairs beyond.
_MAX_WHOLE = 30_000_000
_AUTO_BATCH = 65_536
# Pairs that a threshold is chosen on; of more, unrelated ones are drawn.
_MAX_SCORED = 300_000
# Epochs where none are asked for, and where what teachers make of the features is read:
# there is more to learn then, and little danger in learning it by heart.
_EPOCHS = 400
_EPOCHS_TAUGHT = 1200
# Width of the hidden layer of a network that reads it, as a multiple of the last of the
# teachers' own.
_TIMES_WIDER = 4
# A wide layer makes long steps, and boxes a few temperatures apart have no gradient: below
# this temperature, steps are shorter in proportion.
_TEMPERATURE_OF_RATE = 0.25
# Numbers read at a time outside of training.
_BLOCK = 1 << 20
# Distance, beside the typical length of the features of a task, that is rounding.
_ROUNDING = 1e-5
# What a virtual task counts for, beside a known one, where a new one is placed: they keep
# new tasks apart, which else end up in the same gaps between known ones.
_VIRTUAL = 0.1


class BoxRelationEmbedder(
    RelationPredictorMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    BaseEstimator,
):
    """Embed tasks as boxes whose overlaps are their directed relations.

    A task is a row of features. A network maps it to an axis-aligned box, such that
    ``vol(box_u & box_v) / vol(box_u)`` is the strength of the relation u -> v: how much of
    task u lies inside task v, or, of graded relations in more than two dimensions, the
    ``box_dim``-th root of that (see ``exponent``). Tasks never seen in training get a box,
    and relations to all the others, from their features alone.

    Parameters
    ----------
    box_dim : int, default=5
        Dimensions of the space of boxes. 2 can be drawn as it is.
    encoder : {"mlp", "linear", "table"} or nn.Module class, default="mlp"
        Maps features to boxes. "table" learns one free box per known task, for graphs
        without features; the rows of X are then one-hot, as in
        ``scipy.sparse.identity(n_tasks)``. A class of your own is called with
        (n_inputs, 2 * box_dim) and maps a batch of inputs to that many outputs:
        positions, then what the sides are made of. Inputs are the features, scaled by one
        factor and, if dense, centred, and a mark for each of ``twins_``; with fewer tasks
        than features, and up to 2,000 tasks, they are rotated into the span of the tasks,
        and are as many as it has dimensions.
    hidden_layer_sizes : tuple of int or int, default=(512, 256)
        Widths of the hidden layers of encoder="mlp". Where there are teachers, these have
        them, and the network that reads what they make of the features has one hidden
        layer, four times as wide as the last of these.
    dropout : float in [0, 1), default=0.0
        After each hidden layer of encoder="mlp".
    normalization : {"batch", "layer"} or None, default=None
        After each hidden layer of encoder="mlp".
    side : {"softplus", "exp", "sigmoid"}, default="softplus"
        Makes positive sides of the outputs z of the network: softplus(z); about exp(z),
        bounded by exp(10); or sigmoid(z), at most 1.
    anchor : {"center", "lower"}, default="center"
        Which point of the box the network places.
    temperature : float or "auto", default="auto"
        Of the soft volume, in units of the space: sides below it count as short. See
        :func:`sklearn_task2box.geometry.log_volume`. "auto" is
        ``min(0.01 * box_dim ** 2, 0.5)``, found on subsets of WordNet mammals, times
        ``exponent_``.
    exponent : float or "auto", default="auto"
        Strengths are overlaps to this power. That changes what the boxes learn, but with
        given boxes neither which are contained (1) nor which of two overlaps is the larger.
        "auto" is 1 for 0/1 relations and in two dimensions, where the areas that are drawn
        shall be what is said, and otherwise ``1 / box_dim``, the geometric mean, over the
        dimensions, of the share of a side: a share of a volume falls too fast with the
        dimensions to say two thirds of many pairs at a time. A fit that goes on from an
        earlier one keeps ``exponent_``.
    objective : {"cross_entropy", "squared_error"} or nn.Module class, \
            default="cross_entropy"
        Loss of a pair of tasks. A class of your own maps (log_overlap, strengths) to
        losses, elementwise; the logarithm is of the overlap to the power of ``exponent_``.
    positive_weight : float, default=3.0
        How much a pair of strength 1 counts in it beside a pair of strength 0.
    volume_weight, distance_weight, squareness_weight : float, default=0.0
        Weights of the further terms of Task2Box, see
        :class:`sklearn_task2box.objectives.Objective`.
    init : {"random", "layout"}, default="random"
        How the network starts. "layout" constructs boxes from the relations alone, in
        which each task lies inside its containers and, as far as box_dim allows, in
        nothing else (:func:`sklearn_task2box.layout.layout`), and starts from there: a
        table has exactly these boxes, other networks are first fitted to them. For large
        graphs with encoder="table", and to reach good boxes of two dimensions early.
    max_epochs : int or "auto", default="auto"
        Passes over the observed pairs. 0 keeps the boxes of init="layout". "auto" is 400,
        and 1,200 for a network that reads what teachers make of the features. Teachers
        themselves take no more than 200 or, those that are no boxes, 400.
    batch_size : int, None or "auto", default="auto"
        Pairs per step. None takes all observed pairs at once, those that are not
        mentioned among them. With a number, and where unmentioned pairs are negative,
        they are sampled. "auto" is None up to thirty million observed pairs, and batches of
        65,536 beyond.
    n_negatives : int, default=10
        Unrelated pairs sampled for each related one, where there are batches.
    negatives : {"uniform", "degree", "hard"}, default="uniform"
        How: one end of a related pair is replaced by any task, by one that stands in
        relations as often as in the data (to the power of 3/4, as in word2vec), or by one
        that is close in the graph: a member of a container of one of the members, or a
        container of a member of one of the containers. Half of the hard ones are uniform.
    learning_rate : float, default=0.005
        Of AdamW; the largest of the schedule. A network that reads what teachers make of
        the features takes less of it where the temperature is below 0.25, as in fewer
        than five dimensions, or of graded relations: in proportion.
    learning_rate_schedule : {"one_cycle", "cosine", "constant"}, default="one_cycle"
        How it changes from step to step.
    weight_decay : float, default=0.0
        Of AdamW.
    max_gradient_norm : float or None, default=0.1
        Longer gradients are cut to this norm; None leaves them.
    n_teachers : int or "auto", default="auto"
        Networks with boxes of ten dimensions (of box_dim, if that is more) that are fitted
        first, and half as many of each of two kinds that are no boxes. Their mean opinion
        of pairs that y leaves unknown, and of virtual tasks made of the features of known
        ones, is learned along with y, since a single fit is sure of each unknown pair and
        often wrong; with encoder="mlp", by a network that reads what they make of the
        features. Half as many are fitted without some of the tasks and pairs, to learn from
        these how sure such an opinion should be. If relations are 0 or 1 and those observed
        bear out that containment is transitive, unknown pairs that follow from others are
        learned as if observed. See :mod:`sklearn_task2box.teachers`,
        :mod:`sklearn_task2box.calibration` and :mod:`sklearn_task2box.implied`. A fit
        takes fifteen to twenty times as long. "auto" is 4, and 0 beyond 2,000 tasks. Where
        features are sparse or there are none (encoder="table"), all teachers are boxes,
        asked of unknown pairs alone. There are none where a fit goes on from another,
        where y is None, where max_epochs=0, and where such boxes have no unknown pair.
    placement_steps : int, default=200
        Steps in which the box of a new task moves from where the network puts it to where
        its overlaps with the known boxes agree best with what the teachers expect of it;
        0 leaves it where it is. Known tasks, recognised by their features as far as known
        tasks differ in these, keep their boxes. After :meth:`partial_fit`, the teachers
        still know the tasks of :meth:`fit` alone. Only where there are teachers, dense
        features and encoder="mlp": see :mod:`sklearn_task2box.placement`.
    predict_from : {"boxes", "teachers"}, default="boxes"
        What predictions, scores, :meth:`supersets`, :meth:`subsets` and
        :meth:`to_networkx` read. "boxes" reads overlaps of the boxes that
        :meth:`transform` returns: what they say can be seen. "teachers" reads the mean
        opinion of the teachers, which boxes of few dimensions hold only in part, and of
        two known tasks their boxes, too: it is more often right, above all of new tasks,
        few relations and graded strengths, needs dense features and encoder="mlp", and
        keeps the teachers. The boxes are the same. It is read in :meth:`fit`. See
        :func:`sklearn_task2box.opinions.weigh`.
    variances : bool or "auto", default="auto"
        Whether the second half of the features are the variances of the first half, the
        means, as :class:`sklearn_task2box.representations.GaussianRepresentation` makes
        them. If so, the divergence of normal distributions is among the teachers, as far
        as it explains the relations. "auto" sees it by the names of the features,
        "mean_a", "mean_b", ..., "variance_a", "variance_b", ..., unless a variance is
        negative, as in a centred column; of new tasks, a negative one then counts as 0.
    separate_twins : bool, default=True
        Whether known tasks whose features are equal get boxes of their own, by an input of
        the network for each. Otherwise they all have one box, whatever y says of them.
        Up to 2,000 tasks get one; where there are more, none does, with a warning. Not
        with encoder="table", nor where y is None.
    early_stopping : bool, default=False
        Hold out some of the relations, stop when they are no longer predicted better, and
        keep the best state. What is held out is not learned: on WordNet mammals this cost
        more than it gained, since the learning rate ends near 0 anyway.
    validation_fraction : float in (0, 1), default=0.1
        Share of the observed pairs held out for it; of unrelated ones no more than 100,000
        or ten for each related one.
    n_iter_no_change : int, default=200
        Epochs without a better held-out score after which the fit stops.
    direction : {"member_to_container", "container_to_member"}, \
            default="member_to_container"
        What an edge u -> v of y means: u lies inside v, or v lies inside u.
    unobserved : {"negative", "unknown"}, default="negative"
        What a pair that y does not mention means: unrelated, or nothing. Each finite entry
        of a dense matrix is mentioned, each zero included.
    transitive : bool, default=False
        Add the transitive closure of the relations before training.
    n_neighbors : int, default=15
        Neighbours that count in the relations made of X alone, where y is None.
    warm_start : bool, default=False
        Go on from the network of the last fit, which keeps its form: arguments of the
        network other than box_dim no longer matter. With other tasks or relations than
        in that fit, its teachers are forgotten.
    callbacks : list of skorch callbacks, default=None
        Called during training. There is no validation set: what they monitor is
        "train_loss" or, with early_stopping, "valid_score". Those that score data
        themselves or count batches, such as EpochScoring and ProgressBar, do not work;
        ``verbose=1`` shows progress.
    device : str, default="auto"
        Where to train: "cpu", "cuda", "cuda:1", ... "auto" is "cuda" where there is one.
    precision : {"auto", "float32", "bfloat16"}, default="auto"
        Of the hidden layers of encoder="mlp" while training. Weights, the last layer, boxes
        and their overlaps are always float32, and predictions float64. "auto" is bfloat16
        on CUDA devices that compute in it, and float32 elsewhere.
    n_jobs : int, default=None
        Teachers that are fitted at a time, in processes of their own; -1 takes all
        processors, None is 1 unless in a :obj:`joblib.parallel_config` context. Most is
        gained up to some 200 tasks, where each uses one thread; the boxes are the same
        then. Beyond, a single one uses more than one thread, and other numbers of threads
        round otherwise.
    verbose : int, default=0
        1 shows a progress bar with the loss and the held-out score.
    random_state : int, RandomState instance or None, default=None
        Determines weights, held-out relations, batches and dropout. The same number gives
        the same boxes on the same machine. Global random state is left alone, but for
        NumPy's with None, as everywhere in scikit-learn.

    Attributes
    ----------
    boxes_ : ndarray of shape (n_tasks, 2 * box_dim)
        Boxes of the tasks of training: lower corners, then upper corners.
    tasks_ : ndarray of shape (n_tasks,)
        Their names, or positions where they have none.
    threshold_ : float
        Strength from which :meth:`predict` says related: the best F1 score on the
        held-out relations or, where none were held out, on those of training. Graded
        ones count as related from 0.5 on, so that much of a task may lie outside of what
        it is said to be related to.
    temperature_ : float
        Of the soft volume.
    exponent_ : float
        Strengths are overlaps of boxes to this power.
    history_ : list of dict
        One per epoch: epoch, train_loss, valid_score (with early stopping), dur in
        seconds, and numbers that ``callbacks`` recorded.
    n_iter_ : int
        Epochs trained.
    net_ : skorch.NeuralNet
        The fitted net, trimmed for prediction. Its inputs are the features, and one more
        for each of ``twins_``. The boxes of new tasks start at its outputs: see
        ``placement_steps``.
    twins_ : ndarray of int
        Rows of ``tasks_`` that share their features with another and have boxes of their
        own. A row of features that is asked for later is one of them if it has its
        features, and its name or, without names, its position: in TaskPairs, or in an X of
        as many rows as there are known tasks. Otherwise it gets the box that the features
        alone stand for.
    n_features_in_ : int
        Number of features seen during fit.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, where X was a DataFrame with string columns.

    Notes
    -----
    A fitted estimator keeps the relations of its tasks and their features (float32 and,
    with fewer tasks than features, in the span of the tasks): :meth:`partial_fit` goes
    through them again. Where new tasks are placed or predictions are read from the
    teachers, it keeps these, too, some kilobytes for each feature, and for the latter what
    they know of each task, some kilobytes more than its features. ``boxes_`` is stored by
    columns, which :meth:`supersets` reads.

    See Also
    --------
    TaskLinkClassifier : Classifier whose samples are ordered pairs of tasks.

    References
    ----------
    R. Daroya, A. Sun, S. Maji, "Task2Box: Box Embeddings for Modeling Asymmetric Task
    Relationships", CVPR 2024, arXiv:2403.17173.

    Examples
    --------
    >>> from sklearn_task2box import BoxRelationEmbedder
    >>> from sklearn_task2box.datasets import load_digits_tasks
    >>> X, relations = load_digits_tasks(return_X_y=True, as_frame=True)
    >>> embedder = BoxRelationEmbedder(box_dim=2, max_epochs=100, random_state=0)
    >>> embedder.fit_transform(X, relations).shape
    (120, 4)
    >>> embedder.predict_proba(X.iloc[:3]).shape
    (3, 120)
    """

    _parameter_constraints = {
        "box_dim": [Interval(Integral, 1, None, closed="left")],
        "encoder": [StrOptions({"mlp", "linear", "table"}), type],
        "hidden_layer_sizes": [Integral, tuple, list, np.ndarray],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "normalization": [StrOptions({"batch", "layer"}), None],
        "side": [StrOptions({"exp", "softplus", "sigmoid"})],
        "anchor": [StrOptions({"center", "lower"})],
        "temperature": [Interval(Real, 0, None, closed="neither"), StrOptions({"auto"})],
        "exponent": [Interval(Real, 0, None, closed="neither"), StrOptions({"auto"})],
        "objective": [StrOptions(set(PAIR_LOSSES)), type],
        "positive_weight": [Interval(Real, 0, None, closed="neither")],
        "volume_weight": [Interval(Real, 0, None, closed="left")],
        "distance_weight": [Interval(Real, 0, None, closed="left")],
        "squareness_weight": [Interval(Real, 0, None, closed="left")],
        "init": [StrOptions({"random", "layout"})],
        "max_epochs": [Interval(Integral, 0, None, closed="left"), StrOptions({"auto"})],
        "batch_size": [
            Interval(Integral, 1, None, closed="left"),
            StrOptions({"auto"}),
            None,
        ],
        "n_negatives": [Interval(Integral, 1, None, closed="left")],
        "negatives": [StrOptions(set(NEGATIVES))],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "learning_rate_schedule": [StrOptions({"one_cycle", "cosine", "constant"})],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "max_gradient_norm": [Interval(Real, 0, None, closed="neither"), None],
        "n_teachers": [Interval(Integral, 0, None, closed="left"), StrOptions({"auto"})],
        "placement_steps": [Interval(Integral, 0, None, closed="left")],
        "predict_from": [StrOptions({"boxes", "teachers"})],
        "variances": ["boolean", StrOptions({"auto"})],
        "separate_twins": ["boolean"],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "direction": [StrOptions(set(DIRECTIONS))],
        "unobserved": [StrOptions(set(UNOBSERVED))],
        "transitive": ["boolean"],
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "warm_start": ["boolean"],
        "callbacks": [list, None],
        "device": [str, torch.device],
        "precision": [StrOptions({"auto", "float32", "bfloat16"})],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        box_dim=5,
        *,
        encoder="mlp",
        hidden_layer_sizes=(512, 256),
        dropout=0.0,
        normalization=None,
        side="softplus",
        anchor="center",
        temperature="auto",
        exponent="auto",
        objective="cross_entropy",
        positive_weight=3.0,
        volume_weight=0.0,
        distance_weight=0.0,
        squareness_weight=0.0,
        init="random",
        max_epochs="auto",
        batch_size="auto",
        n_negatives=10,
        negatives="uniform",
        learning_rate=5e-3,
        learning_rate_schedule="one_cycle",
        weight_decay=0.0,
        max_gradient_norm=0.1,
        n_teachers="auto",
        placement_steps=200,
        predict_from="boxes",
        variances="auto",
        separate_twins=True,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=200,
        direction="member_to_container",
        unobserved="negative",
        transitive=False,
        n_neighbors=15,
        warm_start=False,
        callbacks=None,
        device="auto",
        precision="auto",
        n_jobs=None,
        verbose=0,
        random_state=None,
    ):
        self.box_dim = box_dim
        self.encoder = encoder
        self.hidden_layer_sizes = hidden_layer_sizes
        self.dropout = dropout
        self.normalization = normalization
        self.side = side
        self.anchor = anchor
        self.temperature = temperature
        self.exponent = exponent
        self.objective = objective
        self.positive_weight = positive_weight
        self.volume_weight = volume_weight
        self.distance_weight = distance_weight
        self.squareness_weight = squareness_weight
        self.init = init
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.n_negatives = n_negatives
        self.negatives = negatives
        self.learning_rate = learning_rate
        self.learning_rate_schedule = learning_rate_schedule
        self.weight_decay = weight_decay
        self.max_gradient_norm = max_gradient_norm
        self.n_teachers = n_teachers
        self.placement_steps = placement_steps
        self.predict_from = predict_from
        self.variances = variances
        self.separate_twins = separate_twins
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.direction = direction
        self.unobserved = unobserved
        self.transitive = transitive
        self.n_neighbors = n_neighbors
        self.warm_start = warm_start
        self.callbacks = callbacks
        self.device = device
        self.precision = precision
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.random_state = random_state

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    # -- fitting -----------------------------------------------------------------------
    def fit(self, X, y=None):
        """Learn boxes from the features of tasks and the relations among them.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_tasks, n_features)
            Features; the index of a DataFrame names the tasks.
        y : relations among the rows of X, default=None
            A labelled square DataFrame, a networkx.DiGraph, an edge list, a square array
            or sparse matrix, TaskRelations, or a 1-D array of labels: see
            :class:`TaskRelations` for each. Where X has no names, labelled relations must
            stand in the order of its rows. ``None`` takes the neighbourhood affinities
            of X itself, so that the boxes are a map of X.

        Returns
        -------
        self : BoxRelationEmbedder

        Raises
        ------
        ValueError
            If a parameter, X or y is not usable; nothing is changed then.
        TypeError
            If y is a TaskPairs: these are the X of a TaskLinkClassifier.

        Warns
        -----
        UserWarning
            If the fit is interrupted (Ctrl-C); the boxes are those of the last finished
            epoch. While teachers are fitted, and before the end of the first epoch after
            them, the KeyboardInterrupt is passed on, and nothing is changed. Also if too
            many tasks have equal features: see ``separate_twins``.
        """
        with all_or_nothing(self):
            self._validate_params()
            names = task_names(X)
            data = self._check(X, ensure_min_samples=2)
            told = self._read_relations(data, y, names, closure=False)
            relations = self._closed(told)
            going_on = self.warm_start and hasattr(self, "net_")
            if going_on:
                data = self._as_fitted(data)
            # A map of X is of X alone, and nothing of it is unknown.
            taught = y is not None and not going_on
            self._has_variances = self._find_variances(data)
            if not going_on:
                separate = self.separate_twins and self.encoder != "table"
                separate = separate and y is not None
                self._twins = Twins.among(data) if separate else Twins.none(data)
            data = self._twins.mark(data, np.arange(data.shape[0]))
            if going_on and not self._are_taught(data, relations):
                self._teachers = None
            self._fit_relations(data, relations, told, going_on, taught)
            if taught and self._teachers is not None:
                self._taught = relations.observed().digest()
            self._from_labels = forms.is_labels(y)
            self._from_features = y is None
            self._labels = None
            if self._from_labels:  # partial_fit adds to them
                self._labels = forms.as_labels(labels_in_order(y, names))
            # A labelled frame cut by rows holds known -> new relations, for score.
            cut = forms.is_labelled(y) and relations.is_slice
            self._beside = told if cut else None
        return self

    def partial_fit(self, X, y=None):
        """Learn further tasks and their relations, without forgetting those known.

        Goes on from the fitted network with ``max_epochs`` passes over the relations known
        and new. Without an earlier fit, it is :meth:`fit`.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_new, n_features)
            Features of the new tasks. A task whose name is known gets these instead of
            those that it had, unless y is None or labels. With encoder="table", one-hot
            rows, with a further column for each new task.
        y : relations of the new tasks, default=None
            Among one another and with the known tasks, in any form that :meth:`fit` takes.
            With names, they may name any task. Without, positions count the known tasks
            first and the rows of X after them, and a square matrix is of all tasks, or of
            the new ones. A pair of a new task and one that y does not know of, such as a
            matrix of the new ones, is not learned from.

        Returns
        -------
        self : BoxRelationEmbedder

        Raises
        ------
        ValueError
            As :meth:`fit`; nothing is changed then.
        """
        if not hasattr(self, "net_"):
            return self.fit(X, y)
        with all_or_nothing(self):
            self._validate_params()
            names = task_names(X)
            if self._is_table:
                self._allow_columns(X)
            data = self._check(X, reset=False)
            known = self.net_.module_.restore(self._prepared, self.n_features_in_)
            # Where an offset is added, rounding may make them negative.
            if self._has_variances and not sparse.issparse(known):
                variances = known[:, self.n_features_in_ // 2 : self.n_features_in_]
                np.maximum(variances, 0, out=variances)
            rows = known.shape[0] + np.arange(data.shape[0])
            by_labels = self._labels is not None
            if forms.is_labels(y) if by_labels else y is None and self._from_features:
                # Of all tasks together.
                if by_labels:
                    new = forms.as_labels(labels_in_order(y, names))
                    self._labels = np.concatenate([self._labels, new])
                data = with_rows(known, self._twins.mark(data, rows), rows)
                every = None
                if self._relations.named:
                    if names is None:
                        raise ValueError(
                            "The known tasks have names, and the new ones have none. Give "
                            "X as a DataFrame whose index holds the task names."
                        )
                    every = [*self.tasks_, *names]
                    every = forms.as_names(every, "X, with the known tasks,")
                told = self._read_relations(data, self._labels, every, closure=False)
            elif y is None or forms.is_labels(y):
                raise ValueError(
                    f"partial_fit got {'no relations' if y is None else 'labels'}, but "
                    "known tasks were given otherwise. Give the relations of the new tasks "
                    "as those of the known ones were given."
                )
            else:
                self._labels, self._from_features = None, False  # they no longer say all
                told, rows = self._told_relations.extended(
                    y,
                    data.shape[0],
                    names if self._relations.named else None,
                    direction=self.direction,
                    unobserved=self.unobserved,
                )
                data = with_rows(known, self._twins.mark(data, rows), rows)
            self._fit_relations(data, self._closed(told), told, going_on=True, taught=False)
            self._beside = None
        return self

    def _check(self, X, **options):
        X = super()._check(X, **options)
        if options.get("reset", True):
            return X
        X = self._as_fitted(X)
        if self._has_variances and not isinstance(self.variances, str):
            means_and_variances(X)
        return X

    def _as_fitted(self, X):
        """Features as the network and the teachers read them: sparse ones where it did."""
        learned_sparse = self.net_.module_.offset is None
        if learned_sparse == sparse.issparse(X):
            return X
        return sparse.csr_matrix(X) if learned_sparse else X.toarray()

    def _allow_columns(self, X):
        """One-hot rows of new tasks have further columns."""
        n_features = _num_features(X)
        if n_features <= self.n_features_in_:
            return
        if hasattr(self, "feature_names_in_") and hasattr(X, "columns"):
            named = np.asarray(X.columns, dtype=object)
            if np.array_equal(named[: self.n_features_in_], self.feature_names_in_):
                self.feature_names_in_ = named
        self.n_features_in_ = n_features

    def _are_taught(self, X, relations):
        """Whether the teachers know just these tasks, with their marks, and relations."""
        teachers = self._teachers
        if teachers is None or X.shape != (teachers.n_known, self.net_.module_.n_features):
            return False
        known = self._recognised(X)
        same = np.array_equal(self._prepared[known], self._prepared[: len(X)])
        return same and (known >= 0).all() and relations.observed().digest() == self._taught

    def _find_variances(self, X):
        if isinstance(self.variances, str):
            names = getattr(self, "feature_names_in_", None)
            named = names is not None and names_say_variances(names)
            return named and X[:, X.shape[1] // 2 :].min() >= 0
        if self.variances:
            means_and_variances(X)
        return self.variances

    def _closed(self, told):
        """Relations and, if asked for, what follows from them among the rows."""
        return told.with_options(transitive="rows") if self.transitive else told

    def _fit_relations(self, data, relations, told, going_on, taught):
        seen, held_out = self._fit_pairs(data, relations.observed(), going_on, taught)
        self._choose_threshold(seen, held_out)
        if self.net_.interrupted_:
            warnings.warn(
                "The fit was interrupted; the boxes are those of the last finished epoch.",
                UserWarning,
                stacklevel=3,
            )
        self._names_matter = relations.named or relations.is_slice
        self.tasks_ = relations.tasks if self._names_matter else np.arange(data.shape[0])
        self.twins_ = self._twins.marked(data)
        self._relations = relations.of_rows()
        # What partial_fit goes on from: closed anew, not closed twice.
        self._told_relations = told.of_rows() if self.transitive else self._relations

    def _read_relations(self, data, y, names, closure):
        if y is None:
            y = neighbourhood_affinities(data, self.n_neighbors)
        return as_relations(
            y,
            data.shape[0],
            names,
            direction=self.direction,
            unobserved=self.unobserved,
            transitive=closure if self.transitive else False,
        )

    def _fit_pairs(self, X, pairs, going_on=False, taught=False):
        """Fit boxes; of the pairs, return those learned from and those held out."""
        check_callbacks(self.callbacks or [])
        if self.max_epochs == 0 and self.init == "random":
            raise ValueError(
                "max_epochs=0 learns nothing with init='random'. Set init='layout' for "
                "boxes that are constructed, or max_epochs to at least 1."
            )
        rng = check_random_state(self.random_state)
        seed, batch_seed = rng.randint(np.iinfo(np.int32).max, size=2)
        device = resolve_device(self.device)
        if self.predict_from == "teachers":
            self._check_teachers(X, pairs, going_on, taught)
        pairs.check_related()
        held_out = None
        if self.early_stopping:
            if pairs.n_related < 2:
                raise ValueError(
                    "early_stopping=True holds out relations, but y has only one. Set "
                    "early_stopping=False."
                )
            pairs, held_out = pairs.hold_out(self.validation_fraction, rng)
        exponent = self._exponent_of(pairs, going_on)
        temperature = self._volume_temperature(exponent)
        lessons = self._lessons(X, pairs, exponent, rng, device) if taught else None
        to_learn = pairs if lessons is None else lessons.pairs
        batch_size = self.batch_size
        if batch_size == "auto":
            batch_size = None if to_learn.n_observed <= _MAX_WHOLE else _AUTO_BATCH

        reads_bodies = lessons is not None and bool(lessons.bodies)
        learning_rate = self.learning_rate
        if reads_bodies:
            learning_rate *= min(1.0, temperature / _TEMPERATURE_OF_RATE)

        with seeded(seed, device), few_threads(to_learn.n_observed):
            encoder = self._make_encoder(X, pairs, going_on)
            features = encoder.read(X)
            stack, read = None, features if lessons is None else encoder.read(lessons.X)
            if reads_bodies:
                stack = Stack(lessons.bodies, features)
                read = stack.read(read)
                encoder.body = self._make_head(read.shape[1])
            learner = encoder.body.head if isinstance(encoder.body, Stack) else encoder.body
            if isinstance(learner, MLP):
                learner.mixed_precision = is_mixed(self.precision, device)
            dataset = PairDataset(read, to_learn)
            if self.init == "layout" and not going_on:
                start_from_layout(encoder, dataset, temperature, rng, device)
            net = make_net(
                encoder,
                self._make_objective(temperature, exponent),
                dataset,
                temperature=temperature,
                max_epochs=self._epochs(reads_bodies),
                learning_rate=learning_rate,
                learning_rate_schedule=self.learning_rate_schedule,
                weight_decay=self.weight_decay,
                max_gradient_norm=self.max_gradient_norm,
                batches={
                    "batch_size": batch_size,
                    "n_negatives": self.n_negatives,
                    "negatives": self.negatives,
                    "positive_weight": self.positive_weight,
                    "seed": batch_seed,
                    "device": device,
                },
                device=device,
                held_out=held_out,
                patience=self.n_iter_no_change,
                callbacks=self.callbacks,
                verbose=self.verbose,
            )
            try:
                net.fit(dataset)
            except NoEpochFinished:
                raise KeyboardInterrupt from None
        if stack is not None:
            stack.head = net.module_.body
            net.module_.body = stack.to(device)
        self._finish(net, X, features, pairs, temperature, exponent, going_on)
        self._virtual_boxes = None
        if not going_on:
            self._teachers = None if lessons is None else lessons.teachers
            if self._teachers is not None:
                self._virtual_boxes = self._encode(lessons.X[len(X) :])
        self._reads_teachers = self.predict_from == "teachers"
        self._told = self._represent(X) if self._reads_teachers else None
        return pairs, held_out

    def _check_teachers(self, X, pairs, going_on, taught):
        """Refuse a fit without the teachers that predictions are to be read from."""
        if going_on and self._teachers is not None:
            return
        if going_on:
            why = "it goes on from a network that has none for these tasks and relations"
        elif sparse.issparse(X) or self.encoder != "mlp":
            why = "they need dense features and encoder='mlp'"
        elif not taught:
            why = "relations made of X alone are learned without"
        elif self._n_asked(X, pairs) == 0:
            why = (
                f"n_teachers={self.n_teachers!r} is none for {pairs.n_tasks} tasks and "
                f"max_epochs={self.max_epochs}"
            )
        else:
            return
        raise ValueError(
            f"predict_from='teachers' needs teachers, and this fit has none: {why}. Set "
            "predict_from='boxes', or fit anew with teachers."
        )

    def _epochs(self, taught=False):
        """Passes over the pairs; more if the network reads what teachers make of X."""
        if self.max_epochs == "auto":
            return _EPOCHS_TAUGHT if taught else _EPOCHS
        return self.max_epochs

    def _n_asked(self, X, pairs):
        """How many teachers are asked."""
        has_features = self.encoder != "table" and not sparse.issparse(X)
        nothing_to_teach = pairs.n_unknown == 0 and not has_features
        if nothing_to_teach or self.max_epochs == 0:
            return 0
        if self.n_teachers == "auto":
            return N_TEACHERS if pairs.n_tasks <= MAX_TASKS else 0
        return self.n_teachers

    def _lessons(self, X, pairs, exponent, rng, device):
        """What teachers make of the observed pairs, or None."""
        n_teachers = self._n_asked(X, pairs)
        if n_teachers == 0:
            return None
        # A class derived from this one may have fewer arguments.
        names = BoxRelationEmbedder._get_param_names()
        settings = {name: getattr(self, name) for name in names}
        settings |= {"n_teachers": n_teachers, "max_epochs": self._epochs()}
        settings["exponent"] = exponent
        school = School(BoxRelationEmbedder, settings, device)
        return school.teach(X, pairs, self.n_features_in_, self._has_variances, rng)

    def _finish(self, net, X, features, pairs, temperature, exponent, going_on):
        rows = [row for row in net.history if "train_loss" in row]
        before = self.history_ if going_on else []
        first = before[-1]["epoch"] + 1 if before else 1
        self.history_ = before + [
            {"epoch": first + i, **_numbers_of(row)} for i, row in enumerate(rows)
        ]
        self.n_iter_ = len(self.history_)
        pair_loss = net.criterion_.pair_loss
        net.trim_for_prediction()  # drops callbacks and optimiser, and with them X
        for name in [n for n in vars(net) if n.startswith("iterator_train__")]:
            delattr(net, name)
        # skorch stores this attribute as it is, and moves only ``module_`` from a device
        # that is missing where it is opened.
        net.module = type(net.module_)
        self.net_ = net
        self._pair_loss = copy.deepcopy(pair_loss).cpu()
        self._positive_weight = self.positive_weight
        self._graded = pairs.is_graded
        self.exponent_ = exponent
        self.temperature_ = temperature
        # The features in the span of the tasks: partial_fit goes on from them.
        self._prepared = features if sparse.issparse(features) else features.numpy()
        # Columns are read one by one: see sklearn_task2box.queries.
        self.boxes_ = np.asfortranarray(self._encode(X))
        if not np.isfinite(self.boxes_).all():
            raise ValueError(
                "The fit did not converge: boxes are not finite after "
                f"{self.n_iter_} epochs. Lower learning_rate, set max_gradient_norm, or "
                "rescale X."
            )

    def _choose_threshold(self, pairs, held_out):
        if held_out is None:
            *ends, strengths, weights = pairs.thinned(_MAX_SCORED)
        else:
            *ends, strengths = held_out
            weights = None
        self.threshold_ = best_f1_threshold(
            strengths, self._pair_strengths(self._known, *ends), weights
        )

    @property
    def _is_table(self):
        return isinstance(self.net_.module_.body, Table)

    def _exponent_of(self, pairs, going_on):
        if self.exponent != "auto":
            return float(self.exponent)
        if going_on:
            return self.exponent_
        is_drawn = self.box_dim <= 2  # and what is seen shall be what is said
        return 1 / self.box_dim if pairs.is_graded and not is_drawn else 1.0

    def _volume_temperature(self, exponent):
        if self.temperature == "auto":
            # A root says much of a small overlap, such as of boxes that are disjoint.
            return exponent * min(0.01 * self.box_dim**2, 0.5)
        return float(self.temperature)

    def _make_encoder(self, X, pairs, going_on):
        n_outputs = 2 * self.box_dim
        if going_on:
            encoder = copy.deepcopy(self.net_.module_)
            fits = encoder.n_features == X.shape[1]
            if isinstance(encoder.body, Table):
                fits = encoder.n_features <= X.shape[1]
            if encoder.n_outputs != n_outputs or not fits:
                n_marks = len(self._twins)
                raise ValueError(
                    "This fit goes on from a network from "
                    f"{encoder.n_features - n_marks} features to {encoder.n_outputs // 2} "
                    f"dimensions; X has {X.shape[1] - n_marks} features, and box_dim is "
                    f"{self.box_dim}. To start afresh, call fit with warm_start=False."
                )
            if isinstance(encoder.body, Table):
                encoder.grow(X, *pairs.contained())
            elif encoder.rotation.ndim == 2:
                encoder.rebase(*preparation(X))
            return encoder
        return make_encoder(
            X,
            self.encoder,
            self.box_dim,
            hidden_layer_sizes=self.hidden_layer_sizes,
            dropout=self.dropout,
            normalization=self.normalization,
            side=self.side,
            anchor=self.anchor,
        )

    def _make_head(self, n_inputs):
        """What reads the teachers' networks: one hidden layer is enough after several."""
        sizes = [_TIMES_WIDER * size for size in hidden_sizes(self.hidden_layer_sizes)[-1:]]
        return MLP(n_inputs, 2 * self.box_dim, sizes, self.dropout, self.normalization)

    def _make_objective(self, temperature, exponent):
        if isinstance(self.objective, str):
            pair_loss = PAIR_LOSSES[self.objective]()
        elif issubclass(self.objective, nn.Module):
            pair_loss = self.objective()
            _check_elementwise(pair_loss)
        else:
            raise ValueError(
                f"objective must be one of {sorted(PAIR_LOSSES)} or a class derived from "
                f"torch.nn.Module; got the class {self.objective.__name__}."
            )
        return Objective(
            pair_loss,
            temperature,
            volume_weight=self.volume_weight,
            distance_weight=self.distance_weight,
            squareness_weight=self.squareness_weight,
            exponent=exponent,
        )

    # -- boxes -------------------------------------------------------------------------
    def _represent(self, X, names=None):
        """What strengths are read from, of marked features."""
        return self._describe_to_teachers(X) if self._reads_teachers else self._embed(X)

    def _embed(self, X):
        """Boxes of marked features: known tasks have theirs, new ones are placed."""
        if self._teachers is None or not self.placement_steps:
            return self._encode(X)
        known = self._recognised(X)
        boxes = self.boxes_[known]
        new = np.flatnonzero(known < 0)
        if len(new):
            boxes[new] = self._place(X[new])
        return boxes

    def _recognised(self, X):
        """Which known task each row has the features of, -1 for none."""
        module = self.net_.module_
        X = torch.from_numpy(writable(X)).double().to(module.offset.device)
        X = module.prepare(X).cpu().numpy()
        known = self._prepared.astype(np.float64)
        spread = np.sqrt((known**2).sum(axis=1).mean())
        nearest, gaps = pairwise_distances_argmin_min(X, known)
        return np.where(gaps <= _ROUNDING * spread, nearest, -1)

    def _place(self, X):
        module = self._double().cpu()
        pair_loss = copy.deepcopy(self._pair_loss).double()
        n_known = self._teachers.n_known
        others, counts = self.boxes_[:n_known], np.ones(n_known)
        # After a partial fit, virtual tasks are no longer where they were.
        if self._virtual_boxes is not None:
            others = np.concatenate([others, self._virtual_boxes])
            counts = np.append(counts, np.full(len(self._virtual_boxes), _VIRTUAL))
        others = torch.from_numpy(np.ascontiguousarray(others))
        boxes = np.empty((len(X), module.n_outputs))
        step = max(1, _BLOCK // len(others))
        for start in range(0, len(X), step):
            rows = slice(start, start + step)
            outputs = self._asked_of_bodies(module, X[rows])
            with torch.no_grad():
                first = module.body.head(module.body.join(outputs))
            expected = self._teachers.ask(X[rows], outputs, module.boxes_of)
            with few_threads(expected[0].size):
                boxes[rows] = placed(
                    first,
                    module.boxes_of,
                    others,
                    torch.from_numpy(counts),
                    *(torch.from_numpy(said[:, : len(others)]) for said in expected),
                    pair_loss,
                    self._positive_weight,
                    self.temperature_,
                    self.placement_steps,
                    self.exponent_,
                )
        return boxes

    def _describe_to_teachers(self, X):
        """What teachers know of tasks with marked features."""
        known = self._recognised(X)
        known[known >= self._teachers.n_known] = -1  # learned since, by partial_fit
        learned = self.boxes_[known]  # of new tasks they are not read
        module, rows = self._double().cpu(), []
        step = max(1, _BLOCK // X.shape[1])
        for start in range(0, len(X), step):
            some = X[start : start + step]
            outputs = self._asked_of_bodies(module, some)
            told = (part[start : start + step] for part in (known, learned))
            rows.append(self._teachers.describe(some, outputs, module.boxes_of, *told))
        return np.concatenate(rows)

    def _asked_of_bodies(self, module, X):
        """Outputs of the networks of the teachers."""
        with torch.no_grad():
            prepared = module.prepare(torch.from_numpy(writable(X)).double())
            return module.body.ask(prepared)

    def _double(self):
        """The network in double precision: what it says does not depend on the batch."""
        return copy.deepcopy(self.net_.module_).double().eval()

    def _encode(self, X):
        """Boxes that the network makes of marked features."""
        module = self._double()
        device = next(module.parameters()).device
        if isinstance(module.body, Table):
            X = hot_columns(X)
        boxes = np.empty((X.shape[0], module.n_outputs))
        step = max(1, _BLOCK // max(module.n_features, 1))
        with torch.no_grad():
            for start in range(0, X.shape[0], step):
                part = X[start : start + step]
                part = part.toarray() if sparse.issparse(part) else writable(part)
                part = torch.from_numpy(part).to(device)
                if part.is_floating_point():
                    part = part.double()
                boxes[start : start + step] = torch.cat(module(part), dim=1).cpu().numpy()
        return boxes

    def transform(self, X):
        """Boxes of tasks, seen before or not.

        Known tasks have those of ``boxes_``; each new one is placed among them by itself:
        see ``placement_steps``.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_tasks, n_features)

        Returns
        -------
        boxes : ndarray of shape (n_tasks, 2 * box_dim)
            Lower corners, then upper corners.
        """
        check_is_fitted(self)
        return self._embed(self._mark(self._check(X, reset=False), task_names(X)))

    @property
    def _n_features_out(self):
        return self.boxes_.shape[1]

    @property
    def _known(self):
        return self._told if self._reads_teachers else self.boxes_

    # -- relations ---------------------------------------------------------------------
    def _asked(self, tasks):
        """Rows of what is known of tasks, to be asked for."""
        if self._reads_teachers:
            n_corners = self.boxes_.shape[1]
            of_boxes = n_corners, self.temperature_, self.exponent_
            return Opinions(self._teachers, tasks, *of_boxes)
        return KnownBoxes(tasks, self.temperature_, self.exponent_)

    def _table(self, tasks, others):
        """How much of each task lies in each of the others."""
        return self._asked(others).overlaps(self._asked(tasks), inside=True)

    def _pair_strengths(self, tasks, heads, tails):
        return self._asked(tasks).pairs(heads, tails)

    def _tasks(self, X):
        """What is known of the rows of X, None for the tasks of training."""
        if X is None:
            return self._known
        return self._describe(self._check(X, reset=False), task_names(X))

    def _reconstructed(self, relations):
        """How others rank for each known task: see metrics."""
        check_is_fitted(self)
        relations = self._relations if relations is None else relations
        if not isinstance(relations, TaskRelations):
            raise TypeError(
                f"relations must be TaskRelations; got {type(relations).__name__}. Pass "
                "TaskRelations(relations, tasks=embedder.tasks_)."
            )
        n = len(self.boxes_)
        if len(relations) != n:
            raise ValueError(
                f"The relations are of {len(relations)} tasks, but {n} are known. Give "
                "those of the tasks of training."
            )
        names = self.tasks_ if self._names_matter else None
        pairs = as_relations(relations, n, names).observed()
        return rankings(self._asked(self._known), pairs)

    def _scored_relations(self, data, y, names):
        if self._beside is not None and forms.is_labelled(y):
            # The closure, if any, needs the relations of both together.
            y = TaskRelations(y, direction=self.direction, unobserved=self.unobserved)
            y = as_relations(y, data.shape[0], names)
            closure = "everywhere" if self.transitive else False
            return y.merge(self._beside).with_options(transitive=closure)
        return self._read_relations(data, y, names, closure="everywhere")

    def supersets(self, X=None, k=5):
        """Known tasks that best contain each task.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_new, n_features), default=None
            None takes the tasks of training, each without itself; a known task among the
            rows of X may be one of its own answers.
        k : int, default=5

        Returns
        -------
        indices : ndarray of shape (n_new, k)
            Rows of ``tasks_`` and ``boxes_``, the strongest first; of equally strong ones
            the one with the smallest box, or the first with predict_from="teachers".
        strengths : ndarray of shape (n_new, k)
            How much of the task lies in them.

        Raises
        ------
        ValueError
            If k is no number of known tasks, or X is unlike the X of fit.
        """
        return self._best(X, k, inside=True)

    def subsets(self, X=None, k=5):
        """Known tasks that are best contained in each task.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_new, n_features), default=None
            None takes the tasks of training, each without itself; a known task among the
            rows of X may be one of its own answers.
        k : int, default=5

        Returns
        -------
        indices : ndarray of shape (n_new, k)
            Rows of ``tasks_`` and ``boxes_``, the strongest first; of equally strong ones
            the one with the largest box, or the first with predict_from="teachers".
        strengths : ndarray of shape (n_new, k)
            How much of them lies in the task.

        Raises
        ------
        ValueError
            If k is no number of known tasks, or X is unlike the X of fit.
        """
        return self._best(X, k, inside=False)

    def _best(self, X, k, inside):
        check_is_fitted(self)
        tasks = self._tasks(X)
        n_known = len(self.boxes_) - (X is None)
        if not isinstance(k, Integral) or isinstance(k, bool) or not 1 <= k <= n_known:
            raise ValueError(
                f"k must be a whole number from 1 to {n_known}, the number of known tasks"
                f"{' but for the task itself' if X is None else ''}; got {k!r}."
            )
        without = np.arange(len(tasks)) if X is None else None
        return self._asked(self._known).best(self._asked(tasks), k, inside, without)

    def to_networkx(self, X=None, threshold=None, reduce=True):
        """Predicted relations as a graph.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_tasks, n_features), default=None
            Tasks to relate; None takes those of training.
        threshold : float, default=None
            Smallest strength of an edge; None takes ``threshold_``.
        reduce : bool, default=True
            Keep, of two tasks that contain each other, only the edge from the smaller box
            to the larger (of equal ones, to the later), and drop the edges that follow
            from others by transitivity. With predict_from="teachers", the larger is the
            one that contains more than it is contained in, on average, and edges to a
            smaller one are dropped in longer cycles, too.

        Returns
        -------
        graph : networkx.DiGraph
            Nodes are ``tasks_``, or the names (else positions) of the rows of X. An edge
            u -> v of weight w says that the share w of u lies inside v.

        Raises
        ------
        ValueError
            If threshold is no number in [0, 1], or X is unlike the X of fit.
        """
        check_is_fitted(self)
        tasks = self._tasks(X)
        names = self.tasks_ if X is None else task_names(X)
        names = np.arange(len(tasks)) if names is None else names
        threshold = self.threshold_ if threshold is None else threshold
        if not isinstance(threshold, Real) or not 0 <= threshold <= 1:
            raise ValueError(f"threshold must be a number in [0, 1]; got {threshold!r}.")
        graph = graph_of(self._asked(tasks), threshold, reduce)
        return nx.relabel_nodes(graph, dict(enumerate(names.tolist())))


def _numbers_of(row):
    """What skorch and callbacks recorded of an epoch, but for skorch's bookkeeping."""
    return {
        key: value
        for key, value in row.items()
        if isinstance(value, Real)
        and not isinstance(value, bool)
        and key != "epoch"
        and not key.endswith(("_best", "_batch_count"))
    }


def _check_elementwise(pair_loss):
    strengths = torch.tensor([[0.0, 0.5, 1.0]])
    losses = pair_loss(-0.5 - strengths, strengths)
    shape = getattr(losses, "shape", None)
    if shape != strengths.shape:
        raise ValueError(
            f"objective={type(pair_loss).__name__} must map (log_overlap, strengths) to a "
            f"loss for each pair: of tensors of shape {tuple(strengths.shape)} it made "
            + (type(losses).__name__ if shape is None else f"the shape {tuple(shape)}")
            + ". Leave out the mean or sum, such as by reduction='none'."
        )
