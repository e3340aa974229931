"""BoxRelationEmbedder: tasks as boxes, learned from their features and relations."""

import copy
import warnings
from numbers import Integral, Real

import numpy as np
import torch
from scipy import sparse
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import _num_features

from sklearn_task2box._box_model import (
    BoxModel,
    contradictions,
    warn_of_contradictions,
)
from sklearn_task2box.metrics import best_f1_threshold
from sklearn_task2box.nets._batches import PairDataset
from sklearn_task2box.nets._encoders import MLP, Table, make_encoder
from sklearn_task2box.nets._layout_start import start_from_layout
from sklearn_task2box.nets._net import (
    NoEpochFinished,
    box_extent,
    check_callbacks,
    check_converged,
    make_net,
    numbers_of,
)
from sklearn_task2box.nets._objectives import PAIR_LOSSES, Objective
from sklearn_task2box.nets._samplers import SAMPLERS
from sklearn_task2box.relations import task_names
from sklearn_task2box.relations._alignment import labels_in_order
from sklearn_task2box.relations._names import as_names
from sklearn_task2box.relations._observed import check_targets
from sklearn_task2box.relations._parsing import as_labels, is_labels
from sklearn_task2box.utils._devices import few_threads, is_mixed, resolve_device, seeded
from sklearn_task2box.utils._features import hot_columns, preparation, writable
from sklearn_task2box.utils._rollback import all_or_nothing
from sklearn_task2box.utils._rows import replace_rows, stack_rows

# Settings of Task2Box (Daroya, Sun & Maji, CVPR 2024) and its published code, with the
# sums of that code made means at 100 tasks, 5 % of whose pairs are related.
PAPER_SETTINGS = {
    "hidden_layer_sizes": (1024, 256, 128),
    "normalization": "batch",
    "side": "sigmoid",
    "temperature": 0.1,
    "objective": Objective(
        "squared_error",
        positive_weight=1.0,
        exponent=1.0,
        escape_weight=0.0,
        volume_weight=7e-5,
        distance_weight=5e-6,
        squareness_weight=1e-4,
    ),
    "max_epochs": 1350,
    "batch_size": None,
    "learning_rate": 1e-3,
    "learning_rate_schedule": "constant",
    "max_gradient_norm": None,
}

# One batch of all pairs up to this many; batches of that many pairs beyond.
_MAX_WHOLE = 30_000_000
_AUTO_BATCH = 65_536
# Numbers read at a time outside of training.
_BLOCK = 1 << 20
# Step sizes of networks and of tables by default, and what float32 holds.
_RATE, _TABLE_RATE = 5e-3, 0.05
_MAX_RATE = float(np.finfo(np.float32).max)


class BoxRelationEmbedder(BoxModel):
    """Embed tasks as boxes whose overlaps are their directed relations.

    A task is a row of features. A network maps it to an axis-aligned box, such that
    ``vol(box_u & box_v) / vol(box_u)`` is the strength of the relation u -> v: how much of
    task u lies inside task v. Of graded relations in more than two dimensions, the strength
    is the ``box_dim``-th root of that, see :class:`~sklearn_task2box.nets.Objective`. Tasks
    never seen in training get a box, and relations to all the others, from their features
    alone.

    Parameters
    ----------
    box_dim : int, default=5
        Number of dimensions of the boxes. Boxes of 2 dimensions can be drawn as they are.
    encoder : {"mlp", "linear", "table"} or nn.Module class, default="mlp"
        Network that maps features to boxes. "table" learns one free box per known task, for
        graphs without features; the rows of X are then one-hot, as in
        ``scipy.sparse.identity(n_tasks)``. A class of your own is called with
        (n_inputs, 2 * box_dim) and maps a batch of inputs to that many outputs: positions,
        then what the sides are made of. Inputs are the features, scaled by one factor and,
        if dense, centered; with fewer tasks than features, and up to 2,000 tasks, they are
        rotated into the span of the tasks, and are as many as it has dimensions.
    hidden_layer_sizes : tuple of int or int, default=(512, 256)
        Widths of the hidden layers of encoder="mlp".
    dropout : float in [0, 1), default=0.0
        Dropout rate after each hidden layer of encoder="mlp".
    normalization : {"batch", "layer"} or None, default=None
        Normalization after each hidden layer of encoder="mlp".
    side : {"softplus", "exp", "sigmoid"}, default="softplus"
        Function that makes positive sides of the outputs z of the network: softplus(z);
        about exp(z), bounded by exp(10); or sigmoid(z), at most 1. The network places the
        centers of boxes and, with "sigmoid", as in Task2Box, their lower corners.
    temperature : float or "auto", default="auto"
        Temperature of the soft volume, in units of the space: sides below it count as
        short. See :func:`sklearn_task2box.boxes.log_volume`. "auto" is
        ``min(0.01 * box_dim ** 2, 0.5)``, found on subsets of WordNet mammals, times
        ``exponent_``.
    objective : {"cross_entropy", "squared_error"}, nn.Module class or Objective, \
            default="cross_entropy"
        Loss that the fit minimizes. A name or class is the ``pair_loss`` of an
        :class:`~sklearn_task2box.nets.Objective`, which has the weight of related pairs and
        the further terms of Task2Box as well.
    init : {"random", "layout"}, default="random"
        Start of the network. "layout" constructs boxes from the relations alone, in which
        each task lies inside its containers and, as far as box_dim allows, in nothing else
        (:func:`sklearn_task2box.boxes.layout`), and starts from there: a table has exactly
        these boxes, other networks are first fitted to them. For large graphs with
        encoder="table", and to reach good boxes of two dimensions early.
    max_epochs : int, default=400
        Number of passes over the observed pairs. 0 keeps the boxes of init="layout".
    batch_size : int, None or "auto", default="auto"
        Number of pairs per step. None takes all observed pairs at once, unmentioned
        unrelated ones among them. With a number, and where unmentioned pairs are negative,
        they are sampled. "auto" is None up to thirty million observed pairs, and 65,536
        beyond.
    n_negatives : int, default=10
        Number of negatives sampled for each related pair, where there are batches.
    negatives : {"uniform", "degree", "hard"}, default="uniform"
        Negative sampler: one end of a related pair is replaced by any task, by one drawn in
        proportion to its number of relations to the power of 3/4 (as in word2vec), or by
        one that is close in the graph: a member of a container of one of the members, or a
        container of a member of one of the containers. Half of the hard ones are uniform.
    learning_rate : float or "auto", default="auto"
        Peak step size of AdamW. "auto" is 0.005, and 0.05 with encoder="table".
    learning_rate_schedule : {"one_cycle", "cosine", "constant"}, default="one_cycle"
        Change of the step size from step to step.
    weight_decay : float, default=0.0
        Weight decay of AdamW.
    max_gradient_norm : float or None, default=0.1
        Norm to which longer gradients are clipped; None leaves them.
    early_stopping : bool, default=False
        Whether some of the relations are held out, the fit stops when they are no longer
        predicted better, and the best state is kept. What is held out is not learned: on
        WordNet mammals this cost more than it gained.
    validation_fraction : float in (0, 1), default=0.1
        Share of the observed pairs that early stopping holds out; of unrelated ones no more
        than 100,000 or ten for each related one.
    n_iter_no_change : int, default=200
        Epochs without a better held-out score after which the fit stops early.
    warm_start : bool, default=False
        Whether ``fit`` continues with the network of the last fit, which keeps its shape:
        arguments of the network other than box_dim no longer matter.
    callbacks : list of skorch callbacks, default=None
        Callbacks of the training loop. There is no validation set: they can monitor
        "train_loss" or, with early_stopping, "valid_score". Those that score data
        themselves or count batches, such as EpochScoring and ProgressBar, do not work;
        ``verbose=1`` shows progress.
    device : str, default="auto"
        Device of the training: "cpu", "cuda", "cuda:1", ... "auto" is "cuda" where there is
        one. On GPUs that compute in bfloat16, the hidden layers of encoder="mlp" do.
    verbose : int, default=0
        1 shows a progress bar with the loss and the held-out score, and how relations were
        read.
    random_state : int, RandomState instance or None, default=None
        Seed of weights, held-out relations, batches and dropout. The same number gives the
        same boxes on the same machine. Global random state is left alone, but for NumPy's
        with None, as everywhere in scikit-learn.

    Attributes
    ----------
    boxes_ : ndarray of shape (n_tasks, 2 * box_dim)
        Boxes of the tasks of training: lower corners, then upper corners.
    tasks_ : ndarray of shape (n_tasks,)
        Names of the tasks of training, or positions where they have none.
    relations_ : TaskRelations
        Relations of these tasks, as learned from.
    threshold_ : float
        Strength from which :meth:`predict` counts a pair as related: the best F1 score on
        the held-out relations or, where none were held out, on those of training. Graded
        ones count as related from 0.5 on.
    temperature_ : float
        Temperature of the soft volume.
    exponent_ : float
        Power of the overlaps that strengths are.
    contradictions_ : DataFrame
        Training pairs that the boxes contradict, the worst first: columns "task",
        "container", "strength" (0 or 1) and "predicted", which is on the other side of 0.5.
        Graded relations have none.
    history_ : list of dict
        One per epoch: epoch, train_loss, valid_score (with early stopping), dur in
        seconds, and numbers that ``callbacks`` recorded.
    n_iter_ : int
        Number of epochs trained.
    interrupted_ : bool
        Whether the fit was interrupted (Ctrl-C) before its last epoch.
    encoder_ : nn.Module
        The fitted network from features to boxes, in float64 on the CPU.
    n_features_in_ : int
        Number of features seen during fit.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, where X was a DataFrame with string columns.

    See Also
    --------
    DistilledBoxEmbedder : Boxes that learn from an ensemble, too.
    TaskLinkClassifier : Classifier whose samples are ordered pairs of tasks.
    sklearn_task2box.representations.DuplicateIndicator : For tasks of equal features.

    Notes
    -----
    A fitted estimator keeps the relations of its tasks and their features (float32 and,
    with fewer tasks than features, in the span of the tasks): :meth:`partial_fit` passes
    through them again. ``boxes_`` is stored by columns, which :meth:`supersets` reads.

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
        "temperature": [Interval(Real, 0, None, closed="neither"), StrOptions({"auto"})],
        "objective": [StrOptions(set(PAIR_LOSSES)), type, Objective],
        "init": [StrOptions({"random", "layout"})],
        "max_epochs": [Interval(Integral, 0, None, closed="left")],
        "batch_size": [
            Interval(Integral, 1, None, closed="left"),
            StrOptions({"auto"}),
            None,
        ],
        "n_negatives": [Interval(Integral, 1, None, closed="left")],
        "negatives": [StrOptions(set(SAMPLERS))],
        "learning_rate": [
            Interval(Real, 0, _MAX_RATE, closed="neither"),
            StrOptions({"auto"}),
        ],
        "learning_rate_schedule": [StrOptions({"one_cycle", "cosine", "constant"})],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "max_gradient_norm": [Interval(Real, 0, None, closed="neither"), None],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "warm_start": ["boolean"],
        "callbacks": [list, None],
        "device": [str, torch.device],
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
        temperature="auto",
        objective="cross_entropy",
        init="random",
        max_epochs=400,
        batch_size="auto",
        n_negatives=10,
        negatives="uniform",
        learning_rate="auto",
        learning_rate_schedule="one_cycle",
        weight_decay=0.0,
        max_gradient_norm=0.1,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=200,
        warm_start=False,
        callbacks=None,
        device="auto",
        verbose=0,
        random_state=None,
    ):
        self.box_dim = box_dim
        self.encoder = encoder
        self.hidden_layer_sizes = hidden_layer_sizes
        self.dropout = dropout
        self.normalization = normalization
        self.side = side
        self.temperature = temperature
        self.objective = objective
        self.init = init
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.n_negatives = n_negatives
        self.negatives = negatives
        self.learning_rate = learning_rate
        self.learning_rate_schedule = learning_rate_schedule
        self.weight_decay = weight_decay
        self.max_gradient_norm = max_gradient_norm
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.warm_start = warm_start
        self.callbacks = callbacks
        self.device = device
        self.verbose = verbose
        self.random_state = random_state

    # -- fitting -----------------------------------------------------------------------
    def fit(self, X, y=None, *, soft_targets=None, X_augmented=None):
        """Learn boxes from the features of tasks and the relations among them.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_tasks, n_features)
            Features; the index of a DataFrame names the tasks. Where a Pipeline stands
            before, ``pipeline.set_output(transform="pandas")`` keeps the names.
        y : relations among the rows of X, default=None
            A labelled square DataFrame, a networkx.DiGraph, a mapping of parents, an edge
            list, a square array or sparse matrix, TaskRelations, or a 1-D array of labels:
            see :class:`TaskRelations` for each. Where X has no names, labelled relations
            must stand in the order of its rows. ``None`` takes the affinities of nearest
            neighbors in X, so that the boxes are a map of X.
        soft_targets : array-like of shape (n, n), default=None
            Strengths in [0, 1] to be learned of pairs that y leaves unknown, such as
            another model's predictions (knowledge distillation), n being the number of rows
            of X and of X_augmented together. NaN leaves a pair unknown.
        X_augmented : {array-like, sparse matrix} of shape (n_augmented, n_features), \
                default=None
            Features of augmented tasks, which exist only for the soft targets and get no
            box.

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
            epoch. Before the end of the first epoch, the KeyboardInterrupt is passed on,
            and nothing is changed. Also if y states pairs as unrelated that its own entries
            imply.
        ConvergenceWarning
            If the boxes contradict training pairs.
        """
        with all_or_nothing(self):
            self._validate_params()
            continues = self.warm_start and hasattr(self, "encoder_")
            data, relations = self._read_fit(X, y)
            data = self._as_fitted(data) if continues else data
            augmented = self._read_augmented(X_augmented, data)
            targets = check_targets(soft_targets, data, augmented)
            self._fit_relations(data, relations, continues, targets, augmented)
            self._from_features = y is None
            self._labels = None
            if self._from_labels:  # partial_fit adds to them
                self._labels = as_labels(labels_in_order(y, task_names(X)))
        return self

    def partial_fit(self, X, y=None):
        """Learn further tasks and their relations, without forgetting those known.

        Continues with the fitted network, with ``max_epochs`` passes over the relations
        known and new, which are closed anew where those of :meth:`fit` were. Without an
        earlier fit, it is :meth:`fit`.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_new, n_features)
            Features of the new tasks. A task whose name is known gets these instead of
            those that it had, unless y is None or labels. With encoder="table", one-hot
            rows, with a further column for each new task.
        y : relations of the new tasks, default=None
            Among one another and with the known tasks, in any format that :meth:`fit`
            takes. With names, they may name any task. Without, positions count the known
            tasks first and the rows of X after them, and a square matrix is of all tasks,
            or of the new ones. A pair of a new task and one that y does not have, as where
            it is a matrix of the new ones, is not learned from.

        Returns
        -------
        self : BoxRelationEmbedder

        Raises
        ------
        ValueError
            As :meth:`fit`; nothing is changed then.
        """
        if not hasattr(self, "encoder_"):
            return self.fit(X, y)
        with all_or_nothing(self):
            self._validate_params()
            names = task_names(X)
            if self._is_table:
                self._allow_columns(X)
            data = self._check(X, reset=False)
            known = self._known_features()
            rows = known.shape[0] + np.arange(data.shape[0])
            by_labels = self._labels is not None
            if is_labels(y) if by_labels else y is None and self._from_features:
                # Of all tasks together.
                if by_labels:
                    new = as_labels(labels_in_order(y, names))
                    self._labels = np.concatenate([self._labels, new])
                every = None
                if self.relations_.named:
                    if names is None:
                        raise ValueError(
                            "The known tasks have names, and the new ones have none. Give "
                            "X as a DataFrame whose index holds the task names."
                        )
                    every = as_names([*self.tasks_, *names], "X, with the known tasks,")
                data = replace_rows(known, data, rows)
                relations = self._read_relations(data, self._labels, every)
            elif y is None or is_labels(y):
                raise ValueError(
                    f"partial_fit got {'no relations' if y is None else 'labels'}, but "
                    "known tasks were given otherwise. Give the relations of the new tasks "
                    "as those of the known ones were given."
                )
            else:
                self._labels, self._from_features = None, False  # no longer all of them
                relations, rows = self.relations_.extended(
                    y, data.shape[0], names if self.relations_.named else None
                )
                data = replace_rows(known, data, rows)
            self._fit_relations(data, relations, continues=True)
            self._beside = None
        return self

    def _check(self, X, **options):
        X = super()._check(X, **options)
        return X if options.get("reset", True) else self._as_fitted(X)

    def _as_fitted(self, X):
        """Features as the network reads them: sparse ones where it was fitted to such."""
        learned_sparse = self.encoder_.offset is None
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

    def _read_augmented(self, X_augmented, data):
        if X_augmented is None:
            return None
        augmented = super()._check(X_augmented, reset=False)
        if sparse.issparse(data):
            return sparse.csr_matrix(augmented)
        return augmented.toarray() if sparse.issparse(augmented) else augmented

    def _fit_relations(self, data, relations, continues, targets=None, augmented=None):
        pairs = relations.observed()
        seen, held_out, net, first_extent = self._fit_net(
            data, pairs, continues, targets, augmented
        )
        self._remember(data, relations)
        # A fit that continues, or has a layout, may start near a loss of 0.
        fresh = not continues and self.init == "random"
        losses = [row["train_loss"] for row in self.history_] if fresh else ()
        check_converged(self.boxes_, first_extent, losses)
        self._choose_threshold_on(seen, held_out)
        self.interrupted_ = net.interrupted_
        if self.interrupted_:
            warnings.warn(
                "The fit was interrupted; the boxes are those of the last finished epoch.",
                UserWarning,
                stacklevel=3,
            )
        self.contradictions_ = contradictions(self._index(self._known), pairs, self.tasks_)
        warn_of_contradictions(self.contradictions_, pairs.n_observed, stacklevel=4)

    def _fit_net(self, X, pairs, continues, targets, augmented):
        """Fit the network.

        Returns the pairs learned from, those held out, the net, and the extent of the boxes
        before the first epoch.
        """
        check_callbacks(self.callbacks or [])
        if self.max_epochs == 0 and self.init == "random":
            raise ValueError(
                "max_epochs=0 learns nothing with init='random'. Set init='layout' for "
                "boxes that are constructed, or max_epochs to at least 1."
            )
        rng = check_random_state(self.random_state)
        seed, batch_seed = rng.randint(np.iinfo(np.int32).max, size=2)
        device = resolve_device(self.device)
        pairs.check_related()
        held_out = None
        if self.early_stopping:
            if pairs.n_related < 2:
                raise ValueError(
                    "early_stopping=True holds out relations, but y has only one. Set "
                    "early_stopping=False."
                )
            pairs, held_out = pairs.hold_out(self.validation_fraction, rng)
        objective = Objective.of(self.objective)
        exponent = objective.exponent_for(self.box_dim, pairs.is_graded)
        if continues and objective.exponent == "auto":
            exponent = self.exponent_
        temperature = self._volume_temperature(exponent)
        to_learn = pairs if targets is None else pairs.with_targets(targets)
        batch_size = self.batch_size
        if batch_size == "auto":
            batch_size = None if to_learn.n_observed <= _MAX_WHOLE else _AUTO_BATCH

        with seeded(seed, device), few_threads(to_learn.n_observed):
            encoder = self._make_encoder(X, pairs, continues)
            features = encoder.read(X)
            inputs = features
            if augmented is not None:
                inputs = encoder.read(stack_rows(X, augmented))
            if isinstance(encoder.body, MLP):
                encoder.body.mixed_precision = is_mixed(device)
            dataset = PairDataset(inputs, to_learn)
            if self.init == "layout" and not continues:
                start_from_layout(encoder, dataset, temperature, rng, device)
            first_extent = box_extent(encoder, dataset)
            learning_rate = self.learning_rate
            if learning_rate == "auto":
                learning_rate = _TABLE_RATE if isinstance(encoder.body, Table) else _RATE
            net = make_net(
                encoder,
                objective.make_loss(temperature, exponent),
                dataset,
                temperature=temperature,
                max_epochs=self.max_epochs,
                learning_rate=float(learning_rate),
                learning_rate_schedule=self.learning_rate_schedule,
                weight_decay=self.weight_decay,
                max_gradient_norm=self.max_gradient_norm,
                batches={
                    "batch_size": batch_size,
                    "n_negatives": self.n_negatives,
                    "negatives": self.negatives,
                    "positive_weight": objective.positive_weight,
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
        self._take_from(net, features, continues)
        self.exponent_, self.temperature_ = exponent, temperature
        return pairs, held_out, net, first_extent

    def _take_from(self, net, features, continues):
        """Keep what predictions and later fits need of a trained net."""
        rows = [row for row in net.history if "train_loss" in row]
        before = self.history_ if continues else []
        first = before[-1]["epoch"] + 1 if before else 1
        self.history_ = before + [
            {"epoch": first + i, **numbers_of(row)} for i, row in enumerate(rows)
        ]
        self.n_iter_ = len(self.history_)
        # In double precision, predictions of a task do not depend on the others of a batch.
        self.encoder_ = net.module_.cpu().double().eval()
        # The features in the span of the tasks: partial_fit passes through them again.
        self._prepared = features if sparse.issparse(features) else features.numpy()

    def _keep_features(self, data):
        """Nothing more than the prepared features, from which these can be restored."""

    def _known_features(self):
        return self.encoder_.restore(self._prepared, self.n_features_in_)

    def _remember(self, data, relations):
        super()._remember(data, relations)
        # Columns are read one by one: see sklearn_task2box.boxes._index.
        self.boxes_ = self._known = np.asfortranarray(self._known)

    def _choose_threshold_on(self, pairs, held_out):
        if held_out is None:
            self._choose_threshold(pairs)
        else:
            *ends, strengths = held_out
            self.threshold_ = best_f1_threshold(
                strengths, self._pair_strengths(self._known, *ends)
            )

    @property
    def _is_table(self):
        return isinstance(self.encoder_.body, Table)

    def _volume_temperature(self, exponent):
        if self.temperature == "auto":
            # A root makes much of a small overlap, such as of boxes that are disjoint.
            return exponent * min(0.01 * self.box_dim**2, 0.5)
        return float(self.temperature)

    def _make_encoder(self, X, pairs, continues):
        if not continues:
            return make_encoder(
                X,
                self.encoder,
                self.box_dim,
                hidden_layer_sizes=self.hidden_layer_sizes,
                dropout=self.dropout,
                normalization=self.normalization,
                side=self.side,
            )
        encoder = copy.deepcopy(self.encoder_)
        encoder.body.float()
        is_table = isinstance(encoder.body, Table)
        n_known, n_features = encoder.n_features, X.shape[1]
        fits = n_known <= n_features if is_table else n_known == n_features
        if encoder.n_outputs != 2 * self.box_dim or not fits:
            raise ValueError(
                f"This fit continues with a network from {n_known} features to "
                f"{encoder.n_outputs // 2} dimensions; X has {n_features} features, and "
                f"box_dim is {self.box_dim}. To start afresh, call fit with "
                "warm_start=False."
            )
        if is_table:
            encoder.grow(X, *pairs.contained())
        elif encoder.rotation.ndim == 2:
            encoder.rebase(*preparation(X))
        return encoder

    # -- boxes -------------------------------------------------------------------------
    def _represent(self, X, known=None):
        """Boxes of tasks with checked features."""
        module = self.encoder_
        if self._is_table:
            X = hot_columns(X)
        boxes = np.empty((X.shape[0], module.n_outputs))
        step = max(1, _BLOCK // max(module.n_features, 1))
        with torch.no_grad():
            for start in range(0, X.shape[0], step):
                part = X[start : start + step]
                part = part.toarray() if sparse.issparse(part) else writable(part)
                part = torch.from_numpy(part)
                part = part.double() if part.is_floating_point() else part
                boxes[start : start + step] = torch.cat(module(part), dim=1).numpy()
        return boxes

    def _recognized(self, data, names=None, positions=None):
        if self._is_table and not (names is not None and self._names_matter):
            columns = np.full(self.n_features_in_, -1)
            columns[self._prepared] = np.arange(len(self._prepared))
            return columns[hot_columns(data)]
        return super()._recognized(data, names, positions)
