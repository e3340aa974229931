"""BoxRelationEmbedder: tasks as boxes, learned from their features and relations."""

import copy
import math
import warnings
from dataclasses import KW_ONLY, dataclass
from numbers import Integral, Real

import numpy as np
import torch
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import _num_features

from sklearn_task2box._box_model import BoxModel, contradictions, warn_of_contradictions
from sklearn_task2box._soft_targets import SoftTargets, augmented_tasks, named_features
from sklearn_task2box.base import RelationModel
from sklearn_task2box.metrics import best_f1_threshold
from sklearn_task2box.models import KernelRidgeModel
from sklearn_task2box.nets._batches import PairDataset
from sklearn_task2box.nets._encoders import MLP, Table, make_encoder
from sklearn_task2box.nets._layout_start import start_from_layout
from sklearn_task2box.nets._net import (
    NoEpochFinished,
    box_extent,
    check_callbacks,
    check_converged,
    fit_nets,
    numbers_of,
)
from sklearn_task2box.nets._objectives import PAIR_LOSSES, Objective
from sklearn_task2box.nets._samplers import SAMPLERS
from sklearn_task2box.relations import TaskRelations, task_names
from sklearn_task2box.relations._alignment import labels_in_order
from sklearn_task2box.relations._names import as_names
from sklearn_task2box.relations._parsing import as_labels, is_labels
from sklearn_task2box.utils._devices import few_threads, is_mixed, resolve_device, seeded
from sklearn_task2box.utils._features import hot_columns, warn_of_scales
from sklearn_task2box.utils._rollback import all_or_nothing
from sklearn_task2box.utils._rows import replace_rows, stack_rows
from sklearn_task2box.utils._seeds import set_seeds
from sklearn_task2box.utils._typing import Any, Features, Relations, Self

# One batch of all pairs up to this many; batches of that many pairs beyond.
_MAX_WHOLE, _AUTO_BATCH = 30_000_000, 65_536
# Tasks up to which teacher="auto" is a model, and of whose pairs a table can be held.
_MAX_TAUGHT, _MAX_TARGETS = 3_000, 10_000
# Epochs by default: as many, fewer with many tasks, and at least as many.
_EPOCHS, _FEW, _MANY, _MOST_EPOCHS, _MIN_EPOCHS = 200, 150, 450, 450, 60
# How many times as many they are with a teacher.
_MORE_TAUGHT = 4 / 3
# Step sizes of networks and of tables by default, and what float32 holds.
_RATE, _TABLE_RATE = 5e-3, 0.05
_MAX_RATE = float(np.finfo(np.float32).max)
_AUTO = StrOptions({"auto"})


@dataclass(eq=False, repr=False)
class BoxRelationEmbedder(BoxModel):
    """Embed tasks as boxes whose overlaps are their directed relations.

    A task is a row of features. A network maps it to an axis-aligned box, such that
    ``vol(box_u & box_v) / vol(box_u)`` is the strength of the relation u -> v: how much of
    task u lies inside task v. Of graded relations in more than two dimensions, the strength
    is the ``box_dim``-th root of that, see :class:`~sklearn_task2box.nets.Objective`. New
    tasks get a box, and relations to all the others, from their features alone.

    Parameters
    ----------
    box_dim : int, default=5
        Number of dimensions of the boxes. Boxes of 2 dimensions can be drawn as they are.
    encoder : {"mlp", "linear", "table"} or nn.Module class, default="mlp"
        Network from features to boxes. "table" learns one free box per known task, for
        graphs without features; X is then one-hot, as ``scipy.sparse.identity(n_tasks)``.
        A class of your own is called with (n_inputs, 2 * box_dim), and maps inputs to that
        many outputs: positions, then what sides are made of. Inputs are at most 128
        principal components of the features, scaled by one factor.
    hidden_layer_sizes : tuple of int or int, default=(512, 256)
        Widths of the hidden layers of encoder="mlp".
    normalization : {"batch", "layer"} or None, default="batch"
        Normalization after each hidden layer of encoder="mlp".
    teacher : "auto", RelationModel or None, default="auto"
        Model whose predictions the boxes learn where nothing is observed (soft targets,
        knowledge distillation): of pairs that y leaves unknown, and of augmented tasks,
        which have some features of one task and the rest of another. The box of a new task
        starts where the network puts it, and near that of another task, and moves until its
        overlaps agree with the teacher's predictions (out-of-sample embedding).
        "auto" is :class:`~sklearn_task2box.models.KernelRidgeModel`, and None with more
        than 3,000 tasks, encoder="table", or y=None. With None, the network is alone.
    augmentation : float, default=0.3
        Number of augmented tasks for each known one, at most 1,000 in all. Their boxes take
        room. So there are fewer, by ``(box_dim - 2) / 3``, below five dimensions, and by
        ``2 * observed`` where less than half of the pairs are observed.
    side : {"softplus", "exp", "sigmoid"}, default="softplus"
        Function that makes positive sides of the outputs z of the network: softplus(z);
        about exp(z), bounded by exp(10); or sigmoid(z), at most 1. The network places the
        centers of boxes and, with "sigmoid", as in Task2Box, their lower corners.
    temperature : float or "auto", default="auto"
        Temperature of the soft volume, in units of the space: sides below it count as
        short. See :func:`sklearn_task2box.boxes.log_volume`. "auto" is
        ``min(0.01 * box_dim ** 2, 0.5) * exponent_``.
    objective : {"cross_entropy", "squared_error"}, nn.Module class or Objective, \
            default="cross_entropy"
        Loss that the fit minimizes. A name or class is the ``pair_loss`` of an
        :class:`~sklearn_task2box.nets.Objective`, which has the weight of related pairs and
        the further terms of Task2Box as well.
    init : {"random", "layout"}, default="random"
        Start of the network. "layout" constructs boxes from the relations alone, in which
        each task lies inside its containers and, as far as box_dim allows, in nothing else
        (:func:`sklearn_task2box.boxes.layout`): a table starts with exactly these boxes,
        other networks are first fitted to them. For large graphs with encoder="table".
    max_epochs : int or "auto", default="auto"
        Number of passes over the observed pairs. "auto" is 200 from 150 to
        450 tasks; more for fewer, up to 450, and less for more, by a square root, to 60;
        and a third more with a teacher. 0 keeps the boxes of init="layout".
    free_share : float, default=0.75
        Share of the passes, the last ones, in which the boxes of known and augmented tasks
        leave the places that the network has for them and move by themselves, as those of
        a table do, with a weak weight decay; tasks of equal features may differ then. New
        ones are placed by the teacher: without it, and for a "table", no box is free.
    batch_size : int, None or "auto", default="auto"
        Number of pairs per step. None takes all observed pairs at once, unmentioned
        unrelated ones among them, of which a number takes a sample. "auto" is None up to
        thirty million observed pairs, and 65,536 beyond.
    n_negatives : int, default=10
        Number of negatives sampled for each related pair, where there are batches.
    negatives : {"uniform", "degree", "hard"}, default="uniform"
        Negative sampler: one end of a related pair is replaced by any task, by one drawn in
        proportion to its number of relations to the power of 3/4 (as in word2vec), or by
        one that is close in the graph: a member of a container of one of the members, or a
        container of a member of one of the containers. Half of the hard ones are uniform.
    learning_rate : float or "auto", default="auto"
        Peak step size of Adam. "auto" is 0.005, and 0.05 with encoder="table".
    learning_rate_schedule : {"one_cycle", "cosine", "constant"}, default="one_cycle"
        Change of the step size from step to step.
    max_gradient_norm : float or None, default=0.1
        Norm to which longer gradients are clipped; None leaves them.
    early_stopping : bool, default=False
        Whether some of the relations are held out, the fit stops when they are no longer
        predicted better, and the best state is kept. What is held out is not learned.
    validation_fraction : float in (0, 1), default=0.1
        Share of the observed pairs that early stopping holds out; of unrelated ones no more
        than 100,000 or ten for each related one.
    n_iter_no_change : int, default=200
        Epochs without a better held-out score after which the fit stops early.
    warm_start : bool, default=False
        Whether ``fit`` continues with the network of the last fit, which keeps its shape.
    callbacks : list of skorch callbacks, default=None
        Callbacks of the training loop, and of that of free boxes. They can monitor
        "train_loss" or, with early_stopping, "valid_score". Those that score data
        themselves or count batches, such as EpochScoring and ProgressBar, do not work.
    device : str, default="auto"
        Device of the training: "cpu", "cuda", "cuda:1", ... "auto" is "cuda" where there is
        one. On GPUs that compute in bfloat16, the hidden layers of encoder="mlp" do.
    verbose : int, default=0
        1 shows progress with the loss and held-out score, and how relations were read.
    random_state : int, RandomState instance or None, default=None
        Seed of weights, held-out relations, batches, augmented tasks, and every
        ``random_state`` of the teacher that is None. The same number gives the same boxes
        on the same machine. Global random state is left alone, but for NumPy's with None.

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
        the held-out relations, if any, or those of training, graded ones from 0.5 on.
    temperature_, exponent_ : float
        Temperature of the soft volume, and power of the overlaps that strengths are.
    contradictions_ : DataFrame
        Training pairs that the boxes contradict, the worst first, none if graded: columns
        "task", "container", "strength" (0 or 1) and "predicted", on the other side of 0.5.
        With more than 10,000 tasks, unrelated pairs are those of 10,000 of them.
    history_ : list of dict
        One per epoch: epoch, train_loss, valid_score (with early stopping), dur in
        seconds, and numbers that ``callbacks`` recorded.
    n_iter_, interrupted_ : int, bool
        Number of epochs trained, and whether Ctrl-C ended the fit before the last one.
    encoder_ : nn.Module
        The fitted network from features to boxes, in float64 on the CPU.
    teacher_ : RelationModel or None
        The fitted teacher, a model to be queried like any other.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, where X was a DataFrame with string columns.

    See Also
    --------
    DistilledBoxEmbedder : Boxes that learn from an ensemble of models.
    TaskLinkClassifier : Classifier whose samples are ordered pairs of tasks.
    sklearn_task2box.representations.DuplicateIndicator : For tasks of equal features.

    References
    ----------
    * R. Daroya, A. Sun, S. Maji, "Task2Box: Box Embeddings for Modeling Asymmetric Task
      Relationships", CVPR 2024, arXiv:2403.17173.
    * G. Hinton, O. Vinyals, J. Dean, "Distilling the knowledge in a neural network",
      arXiv:1503.02531, 2015.

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

    box_dim: int = 5
    _: KW_ONLY
    encoder: str | type = "mlp"
    hidden_layer_sizes: tuple | int = (512, 256)
    normalization: str | None = "batch"
    teacher: RelationModel | str | None = "auto"
    augmentation: float = 0.3
    side: str = "softplus"
    temperature: float | str = "auto"
    objective: str | type | Objective = "cross_entropy"
    init: str = "random"
    max_epochs: int | str = "auto"
    free_share: float = 0.75
    batch_size: int | str | None = "auto"
    n_negatives: int = 10
    negatives: str = "uniform"
    learning_rate: float | str = "auto"
    learning_rate_schedule: str = "one_cycle"
    max_gradient_norm: float | None = 0.1
    early_stopping: bool = False
    validation_fraction: float = 0.1
    n_iter_no_change: int = 200
    warm_start: bool = False
    callbacks: list | None = None
    device: str = "auto"
    verbose: int = 0
    random_state: int | np.random.RandomState | None = None

    _recognizes = "features"
    _nested_defaults = {"teacher": "KernelRidgeModel()"}
    _parameter_constraints = {
        "box_dim": [Interval(Integral, 1, None, closed="left")],
        "encoder": [StrOptions({"mlp", "linear", "table"}), type],
        "hidden_layer_sizes": [Integral, tuple, list, np.ndarray],
        "normalization": [StrOptions({"batch", "layer"}), None],
        "teacher": [HasMethods(["fit", "pairwise_strengths"]), _AUTO, None],
        "augmentation": [Interval(Real, 0, None, closed="left")],
        "side": [StrOptions({"exp", "softplus", "sigmoid"})],
        "temperature": [Interval(Real, 0, None, closed="neither"), _AUTO],
        "objective": [StrOptions(set(PAIR_LOSSES)), type, Objective],
        "init": [StrOptions({"random", "layout"})],
        "max_epochs": [Interval(Integral, 0, None, closed="left"), _AUTO],
        "free_share": [Interval(Real, 0, 1, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left"), _AUTO, None],
        "n_negatives": [Interval(Integral, 1, None, closed="left")],
        "negatives": [StrOptions(set(SAMPLERS))],
        "learning_rate": [Interval(Real, 0, _MAX_RATE, closed="neither"), _AUTO],
        "learning_rate_schedule": [StrOptions({"one_cycle", "cosine", "constant"})],
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

    # -- fitting -----------------------------------------------------------------------
    def fit(self, X: Features, y: Relations = None) -> Self:
        with all_or_nothing(self):
            self._validate_params()
            continues = self.warm_start and hasattr(self, "encoder_")
            data, relations = self._read_fit(X, y)
            data = self._as_fitted(data) if continues else data
            if self.encoder != "table" and not sparse.issparse(data):
                warn_of_scales(data, getattr(self, "feature_names_in_", None), stacklevel=3)
            self._fit_relations(data, relations, continues)
            self._labels: Any = None
            if self._from_labels:  # partial_fit adds to them
                self._labels = as_labels(labels_in_order(y, task_names(X)))
        return self

    def partial_fit(self, X: Features, y: Relations = None) -> Self:
        """Learn further tasks and their relations, without forgetting those known.

        Continues with the fitted network over all relations, which are closed anew where
        those of :meth:`fit` were; the teacher is fitted anew. At first, it is :meth:`fit`.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_new, n_features)
            Features of the new tasks. A task whose name is known gets these instead of
            its own, unless y is None or labels. For a table, one-hot rows with new columns.
        y : relations of the new tasks, default=None
            Among one another and with the known tasks, in any format that :meth:`fit`
            takes. With names, they may name any task. Without, positions count the known
            tasks, then the rows of X, and a square matrix is of all tasks or the new ones.
            Pairs of a new task and one that y does not have are not learned from.

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
            known = self._features
            rows = known.shape[0] + np.arange(data.shape[0])
            by_labels = self._labels is not None
            if is_labels(y) if by_labels else y is None and self._from_features:
                # Of all tasks together.
                if by_labels:
                    new = labels_in_order(y, names)
                    self._labels = as_labels([*self._labels, *as_labels(new)])
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

    def _allow_columns(self, X):
        """One-hot rows of new tasks have further columns."""
        if hasattr(self, "feature_names_in_") and hasattr(X, "columns"):
            named = np.asarray(X.columns, dtype=object)
            if np.array_equal(named[: self.n_features_in_], self.feature_names_in_):
                self.feature_names_in_ = named
        self.n_features_in_ = max(self.n_features_in_, _num_features(X))

    def _fit_relations(self, data, relations, continues):
        pairs = relations.observed()
        seen, held_out, first_extent = self._fit_net(data, relations, continues)
        self._remember(data, relations)
        # A fit that continues, or has a layout, may start near a loss of 0.
        fresh = not continues and self.init == "random"
        losses = [row["train_loss"] for row in self.history_] if fresh else ()
        check_converged(self.boxes_, first_extent, losses)
        if held_out is None:
            self._choose_threshold(seen)
        else:
            *ends, strengths = held_out
            predicted = self._pair_strengths(self._known, *ends)
            self.threshold_ = best_f1_threshold(strengths, predicted)
        if self.interrupted_:
            warnings.warn(
                "The fit was interrupted; the boxes are those of the last finished epoch.",
                stacklevel=3,
            )
        self.contradictions_ = contradictions(self._index(self._known), pairs, self.tasks_)
        found = self.contradictions_, pairs.n_observed, self.boxes_
        warn_of_contradictions(*found, stacklevel=4)

    def _fit_net(self, X, relations, continues):
        """Pairs learned from and held out, a fitted net, and the extent of first boxes."""
        check_callbacks(self.callbacks or [])
        if self.max_epochs == 0 and self.init == "random":
            raise ValueError(
                "max_epochs=0 learns nothing with init='random'. Set init='layout' for "
                "boxes that are constructed, or max_epochs to at least 1."
            )
        rng = check_random_state(self.random_state)
        seed, batch_seed = rng.randint(np.iinfo(np.int32).max, size=2)
        device = resolve_device(self.device)
        pairs = relations.observed()
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
        # A root makes much of a small overlap, such as of boxes that are disjoint.
        temperature = exponent * min(0.01 * self.box_dim**2, 0.5)
        temperature = float(_unless_auto(self.temperature, temperature))
        soft_targets, augmented = self._fit_teacher(X, pairs, relations, rng)
        everything, to_learn = X, pairs
        if soft_targets is not None:
            everything = stack_rows(X, augmented)
            table = soft_targets.table(pairs, augmented)
            if held_out is not None:  # a teacher fitted before knows them
                table[held_out[:2]] = np.nan
            to_learn = pairs.with_targets(table, objective.soft_weight)
        batch_size = None if to_learn.n_observed <= _MAX_WHOLE else _AUTO_BATCH
        n_epochs, n_free = self._numbers_of_epochs(pairs.n_tasks, soft_targets is not None)
        with seeded(seed, device), few_threads(to_learn.n_observed):
            encoder = self._make_encoder(X, pairs, continues)
            if isinstance(encoder.body, MLP):
                encoder.body.mixed_precision = is_mixed(device)
            dataset = PairDataset(encoder.read(everything), to_learn)
            if self.init == "layout" and not continues:
                start_from_layout(encoder, dataset, temperature, rng, device)
            first_extent = box_extent(encoder, dataset)
            rate = _TABLE_RATE if isinstance(encoder.body, Table) else _RATE
            try:
                nets = fit_nets(
                    encoder,
                    dataset,
                    criterion=objective.make_loss(temperature, exponent),
                    temperature=temperature,
                    max_epochs=n_epochs,
                    free_epochs=n_free,
                    learning_rate=float(_unless_auto(self.learning_rate, rate)),
                    learning_rate_schedule=self.learning_rate_schedule,
                    max_gradient_norm=self.max_gradient_norm,
                    batches={
                        "batch_size": _unless_auto(self.batch_size, batch_size),
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
            except NoEpochFinished:
                raise KeyboardInterrupt from None
        before = self.history_ if continues else []
        history = [row for net in nets for row in net.history]
        rows = [numbers_of(row) for row in history if "train_loss" in row]
        epochs = enumerate(rows, start=len(before) + 1)
        self.history_ = before + [{"epoch": epoch, **row} for epoch, row in epochs]
        self.n_iter_ = len(self.history_)
        # In double precision, predictions of a task do not depend on the others of a batch.
        self.encoder_, *free = (net.module_.cpu().double().eval() for net in nets)
        self.exponent_, self.temperature_ = exponent, temperature
        self._objective, self._soft_targets = objective, soft_targets
        self._outputs = None
        if soft_targets is not None:
            with torch.no_grad():
                outputs = free[0].body(slice(None)) if free else encoder.outputs(everything)
            self._outputs = outputs.numpy()
        self.interrupted_ = any(net.interrupted_ for net in nets)
        return pairs, held_out, first_extent

    def _numbers_of_epochs(self, n, taught):
        """Epochs of the network, and of free boxes."""
        taught = taught and self.encoder != "table"
        n_epochs = _EPOCHS * max(min(1, math.sqrt(_MANY / n)), _FEW / n)
        n_epochs = min(max(round(n_epochs), _MIN_EPOCHS), _MOST_EPOCHS)
        n_epochs = round(n_epochs * _MORE_TAUGHT) if taught else n_epochs
        n_epochs = _unless_auto(self.max_epochs, n_epochs)
        n_free = int(self.free_share * n_epochs) if taught else 0
        return n_epochs - n_free, n_free

    def _fit_teacher(self, X, pairs, relations, rng):
        """Fit the teacher; its soft targets, and features of augmented tasks, or None."""
        n, names, teacher = pairs.n_tasks, relations.tasks, self.teacher
        if teacher == "auto":
            alone = self.encoder == "table" or self._from_features or n > _MAX_TAUGHT
            teacher = None if alone else KernelRidgeModel()
        self.teacher_ = None
        if teacher is None:
            return None, None
        check_taught(n)
        if not relations.named or len(set(names)) < len(names):  # some drawn twice
            names = None
        augmented, columns = X[:0], getattr(self, "feature_names_in_", None)
        if self.encoder != "table":
            share = pairs.n_observed / (n * (n - 1))
            augmented = augmented_tasks(X, self.augmentation, self.box_dim, share, rng)
        with warnings.catch_warnings():  # those of this fit follow
            warnings.simplefilter("ignore", ConvergenceWarning)
            warnings.filterwarnings("ignore", ".*relations reversed")
            features = named_features(X, names, columns)
            y = TaskRelations.from_pairs(pairs, names)
            self.teacher_ = set_seeds(clone(teacher), rng).fit(features, y)
        return SoftTargets(self.teacher_, X, names, columns), augmented

    def _keep_features(self, data):
        super()._keep_features(data)
        if self._soft_targets is not None:
            self._soft_targets.known = self._features

    def _remember(self, data, relations):
        super()._remember(data, relations)
        # Columns are read one by one: see sklearn_task2box.boxes._index.
        self.boxes_ = self._known = np.asfortranarray(self._known)

    @property
    def _is_table(self):
        return isinstance(self.encoder_.body, Table)

    def _make_encoder(self, X, pairs, continues):
        if not continues:
            return make_encoder(
                X,
                self.encoder,
                self.box_dim,
                hidden_layer_sizes=self.hidden_layer_sizes,
                normalization=self.normalization,
                side=self.side,
            )
        encoder = copy.deepcopy(self.encoder_)
        encoder.body.float()
        n_known, n_features = encoder.n_features, X.shape[1]
        fits = n_known <= n_features if self._is_table else n_known == n_features
        if encoder.n_outputs != 2 * self.box_dim or not fits:
            raise ValueError(
                f"This fit continues with a network from {n_known} features to "
                f"{encoder.n_outputs // 2} dimensions; X has {n_features} features, and "
                f"box_dim is {self.box_dim}. To start afresh, call fit with "
                "warm_start=False."
            )
        if self._is_table:
            encoder.grow(X, *pairs.contained())
        elif encoder.rotation.ndim == 2:
            encoder.widen(X)
        return encoder

    # -- boxes -------------------------------------------------------------------------
    def _represent(self, X, known):
        """Boxes of tasks with checked features."""
        with torch.no_grad():
            outputs = self.encoder_.outputs(X)
            taught = self._soft_targets is not None and not self._is_table
            if taught:
                others, there = torch.from_numpy(self._outputs), known >= 0
                outputs[there] = others[known[there]]
            boxes = torch.cat(self.encoder_.boxes_of(outputs), dim=1).numpy()
        new = np.flatnonzero(known < 0)
        if len(new) and taught:
            loss = self._objective.make_loss(self.temperature_, self.exponent_)
            given = X[new], outputs[new], others, self.encoder_, loss
            boxes[new] = self._soft_targets.embed(*given)
        return boxes

    def _recognized(self, data, names=None, positions=None):
        if self._is_table and not (names is not None and self._names_matter):
            columns = np.full(self.n_features_in_, -1)
            known = hot_columns(self._features)
            columns[known] = np.arange(len(known))
            return columns[hot_columns(data)]
        return super()._recognized(data, names, positions)


def check_taught(n):
    """Refuse tasks too many for a table of a teacher's predictions."""
    if n > _MAX_TARGETS:
        raise ValueError(
            f"X has {n} tasks, and the predictions of a teacher for more than "
            f"{_MAX_TARGETS} tasks would be too large a table. Use a "
            "BoxRelationEmbedder(teacher=None)."
        )


def _unless_auto(value, default):
    return default if value == "auto" else value
