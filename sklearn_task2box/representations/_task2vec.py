"""Representation of tasks by the Fisher information of a probe network (Task2Vec)."""

import copy
from dataclasses import KW_ONLY, dataclass
from numbers import Integral, Real

import numpy as np
import pandas as pd
import torch
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_array, check_random_state, column_or_1d
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted
from torch import nn
from torch.utils.data import DataLoader, Subset
from tqdm.auto import tqdm

from sklearn_task2box.relations._names import as_names
from sklearn_task2box.representations._samples import TaskTransformer, read_groups
from sklearn_task2box.utils._devices import resolve_device, seeded
from sklearn_task2box.utils._typing import Array, Names, Self, TaskSamples

# Layers with filters, by the axis of their weights that counts the output channels.
_LAYERS = (
    (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d),
    (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d),
)


@dataclass(eq=False, repr=False)
class Task2VecRepresentation(TaskTransformer, BaseEstimator):
    """Describe each task by the Fisher information of a probe network.

    A task is a data set of inputs with labels. A logistic regression, the head, is fitted
    to the standardised outputs of the frozen probe. The Fisher information of a weight
    measures how much the predictions depend on it. Its averages over each filter (output
    channel) are a vector whose length does not depend on the labels of the task.

    Parameters
    ----------
    probe : torch.nn.Module
        Network without its last layer, trained on general data: it maps a batch of inputs
        to features, of any shape behind the first axis. It is copied, and not changed.
    C : float > 0, default=1.0
        As of :class:`sklearn.linear_model.LogisticRegression`, for the head.
    n_draws : int or None, default=1
        Number of labels drawn for each input from the predictions of the model. None takes
        the expectation over all labels: exact, at the cost of a gradient for each class.
    max_samples : int or None, default=None
        Number of inputs that are drawn from a task with more of them.
    normalization : {"rms"} or None, default="rms"
        "rms" divides each filter by its root mean square over the tasks of fit, lest the
        layers with the largest derivatives outweigh the others.
    batch_size : int, default=64
        Number of inputs that go through the probe at a time, to fit the head.
    device : str, default="auto"
        Device of the probe: "cpu", "cuda", "cuda:1", ... "auto" takes "cuda" if available.
    verbose : int, default=0
        1 shows a progress bar of the tasks.
    random_state : int, RandomState instance or None, default=None
        Determines the inputs and labels drawn: with a number, a task has the same vector
        wherever it stands. Global random state is left alone.

    Attributes
    ----------
    tasks_ : ndarray of shape (n_tasks,)
        Names of the tasks of fit, or their positions where they have none.
    fishers_ : ndarray of shape (n_tasks, n_filters)
        Fisher information of these tasks, before normalisation.
    scale_ : ndarray of shape (n_filters,)
        Divisor of each filter.
    layers_, n_filters_ : list of str and list of int
        Names of the layers of the probe that have filters, and how many each has.
    probe_ : torch.nn.Module
        The frozen copy of the probe.

    Notes
    -----
    The Fisher information of a weight w is

    .. math::
        F_w = \\mathbb{E}_{x} \\mathbb{E}_{y \\sim p(y | x)}
        \\left(\\frac{\\partial \\log p(y | x)}{\\partial w}\\right)^2,

    with labels y of the model, not of the task, and one gradient for each input (the
    published code squares the mean gradient of a batch). The weights, without biases, are
    those of linear and convolutional layers. A task of a single class has the vector 0.
    "rms" is as in the published code's ``get_normalized_embeddings``. The paper's symmetric
    distance divides the vectors of two tasks by their sum, which no scale changes.

    References
    ----------
    A. Achille, M. Lam, R. Tewari, A. Ravichandran, S. Maji, C. Fowlkes, S. Soatto,
    P. Perona, "Task2Vec: Task Embedding for Meta-Learning", ICCV 2019, arXiv:1902.03545.

    Examples
    --------
    >>> import torch
    >>> from sklearn_task2box.representations import Task2VecRepresentation
    >>> inputs = torch.linspace(-1, 1, 40).reshape(20, 2)
    >>> sign = torch.utils.data.TensorDataset(inputs, inputs[:, 0] > 0)
    >>> size = torch.utils.data.TensorDataset(inputs, inputs[:, 0] ** 2 > 0.3)
    >>> probe = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Tanh())
    >>> Task2VecRepresentation(probe).fit_transform({"sign": sign, "size": size}).shape
    (2, 3)
    """

    probe: nn.Module
    _: KW_ONLY
    C: float = 1.0
    n_draws: int = 1
    max_samples: int | None = None
    normalization: str | None = "rms"
    batch_size: int = 64
    device: str = "auto"
    verbose: int = 0
    random_state: int | np.random.RandomState | None = None

    _parameter_constraints = {  # noqa: RUF012 - scikit-learn's way of stating constraints
        "probe": [nn.Module],
        "C": [Interval(Real, 0, None, closed="neither")],
        "n_draws": [Interval(Integral, 1, None, closed="left"), None],
        "max_samples": [Interval(Integral, 2, None, closed="left"), None],
        "normalization": [StrOptions({"rms"}), None],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "device": [str, torch.device],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
    }

    def fit(self, X: TaskSamples, y: Names = None) -> Self:
        """Learn the scale of the Fisher information from these tasks.

        A ValueError of an unusable parameter or task leaves the estimator unchanged.

        Parameters
        ----------
        X : list or dict of torch.utils.data.Dataset
            The tasks; items are pairs of an input, a tensor, and a label: the class, as a
            whole number, bool or str. Targets of regression and missing labels are refused.
        y : ignored

        Returns
        -------
        self : Task2VecRepresentation
        """
        self._validate_params()
        probe, tasks, self.fishers_ = self._fishers(self.probe, X)
        self.probe_ = probe.module.to("cpu")
        self.layers_, self.n_filters_ = probe.layers, probe.n_filters
        self.tasks_ = as_names(tasks, "X")
        rms = np.sqrt((self.fishers_**2).mean(axis=0))
        self.scale_ = np.where((self.normalization == "rms") & (rms > 0), rms, 1.0)
        return self

    def fit_transform(self, X: TaskSamples, y: Names = None) -> Array | pd.DataFrame:
        """Learn from tasks, and describe them as :meth:`transform` does."""
        self.fit(X)
        return self._frame(self.fishers_ / self.scale_, _read_datasets(X)[0])

    def get_feature_names_out(self, input_features: Names = None) -> Array:
        """Names of the filters, such as "features.0[5]"; no input names are used."""
        check_is_fitted(self)
        layers = zip(self.layers_, self.n_filters_, strict=True)
        names = [f"{name or 'probe'}[{at}]" for name, n in layers for at in range(n)]
        return np.array(names, dtype=object)

    def _described(self, X, y):
        _, tasks, fishers = self._fishers(self.probe_, X)
        return fishers / self.scale_, tasks

    def _fishers(self, module, X):
        tasks, datasets = _read_datasets(X)
        probe = _Probe(module, resolve_device(self.device))
        # Unlike check_random_state(None), this leaves the global generator alone.
        rng = np.random.RandomState() if self.random_state is None else self.random_state
        seed = check_random_state(rng).randint(2**31 - 1)
        bar = {"desc": "Fisher information", "unit": "task", "disable": not self.verbose}
        rows = []
        for task, dataset in zip(tasks, tqdm(datasets, **bar), strict=True):
            with seeded(seed, probe.device):
                rows.append(self._fisher(probe, task, dataset, seed))
        return probe, tasks, np.array(rows)

    def _fisher(self, probe, task, dataset, seed):
        rng = np.random.RandomState(seed)
        if self.max_samples is not None and len(dataset) > self.max_samples:
            chosen = rng.permutation(len(dataset))[: self.max_samples]
            dataset = Subset(dataset, np.sort(chosen).tolist())
        features, labels = [], []
        for inputs, batch_labels in self._batches(task, dataset, probe):
            with torch.no_grad():
                features.append(probe.module(inputs).flatten(1).cpu())
            labels.append(np.asarray(batch_labels))
        classes, labels = np.unique(_classes(task, labels), return_inverse=True)
        if len(classes) == 1:
            return np.zeros(sum(probe.n_filters))
        features = torch.cat(features).double()
        head = _fit_head(features.numpy(), labels, self.C)
        drawn, weights = _draw_labels(head, features, self.n_draws, rng)
        parts = drawn.to(probe.device), weights.to(probe.device, probe.dtype)
        drawn, weights = (part.split(self.batch_size) for part in parts)
        head = [part.to(probe.device, probe.dtype) for part in head]
        sums = 0.0
        batches = zip(self._batches(task, dataset, probe), drawn, weights, strict=True)
        for (inputs, _), *drawn_labels in batches:
            sums = sums + probe.squared_gradients(inputs, *drawn_labels, head)
        return sums.double().cpu().numpy() / len(labels)

    def _batches(self, task, dataset, probe):
        generator = torch.Generator()  # else the loader draws from the global one
        for batch in DataLoader(dataset, self.batch_size, generator=generator):
            if not isinstance(batch, (list, tuple)) or len(batch) != 2:
                raise ValueError(
                    f"Task {task!r} must give pairs of an input and a label; got "
                    f"{type(batch).__name__}."
                )
            inputs, labels = batch
            if not isinstance(inputs, torch.Tensor):
                got = type(inputs).__name__
                raise ValueError(f"The inputs of task {task!r} must be tensors; got {got}.")
            dtype = probe.dtype if inputs.is_floating_point() else inputs.dtype
            yield inputs.to(probe.device, dtype), labels


def _read_datasets(X):
    tasks, datasets = read_groups(X, "torch Dataset")
    for task, dataset in zip(tasks, datasets, strict=True):
        has_items = hasattr(dataset, "__len__") and hasattr(dataset, "__getitem__")
        if isinstance(dataset, tuple) or not has_items:
            raise ValueError(
                f"Task {task!r} must be a torch Dataset with a length; got "
                f"{type(dataset).__name__}. Of inputs and their labels, make torch.utils."
                "data.TensorDataset(torch.as_tensor(inputs), torch.as_tensor(labels))."
            )
        if len(dataset) == 0:
            raise ValueError(f"Task {task!r} has no input.")
    return tasks, datasets


def _classes(task, batches):
    """The labels of batches, which must be classes."""
    try:
        labels = column_or_1d(np.concatenate(batches))
        check_array(labels, ensure_2d=False, dtype=None)
        check_classification_targets(labels)
    except ValueError as error:
        raise ValueError(
            f"The labels of task {task!r} must be classes: whole numbers, booleans or str. "
            f"{error} Leave out inputs without one, or bin numbers, by np.digitize for one."
        ) from error
    return labels


def _fit_head(features, labels, C):
    """Weights (n_classes, n_features) and biases of a classifier on frozen features."""
    # Whatever the global output of transformers is, this one's is an array.
    scaler = StandardScaler().set_output(transform="default")
    model = LogisticRegression(C=C, max_iter=5000)
    model.fit(scaler.fit_transform(features), labels)
    weights, biases = model.coef_, model.intercept_
    if len(weights) == 1:  # two classes: the first one is the reference
        weights, biases = np.vstack([0 * weights, weights]), np.append(0.0, biases)
    weights = weights / scaler.scale_
    return torch.from_numpy(weights), torch.from_numpy(biases - weights @ scaler.mean_)


def _draw_labels(head, features, n_draws, rng):
    """Labels of each input, and their weights, both of shape (n_inputs, n_labels)."""
    logits = features @ head[0].T + head[1]
    probabilities = torch.softmax(logits, dim=1)
    if n_draws is None:
        return torch.arange(logits.shape[1]).expand(logits.shape), probabilities
    at = torch.from_numpy(rng.uniform(size=(len(logits), n_draws)))
    drawn = torch.searchsorted(probabilities.cumsum(dim=1), at, right=True)
    drawn = drawn.clamp(max=logits.shape[1] - 1)  # the sum may be below 1
    return drawn, torch.full(drawn.shape, 1 / n_draws)


class _Probe:
    """A frozen copy of a network, and the layers of it that have filters."""

    def __init__(self, module, device):
        self.device = device
        self.module = copy.deepcopy(module).to(device).eval().requires_grad_(False)
        parameters = dict(self.module.named_parameters())
        self.layers, self.axes, self.weights, self.n_filters = [], [], [], []
        for name, layer in self.module.named_modules():
            weight = parameters.get(f"{name}.weight" if name else "weight")
            axes = [axis for axis, kinds in enumerate(_LAYERS) if isinstance(layer, kinds)]
            if axes and weight is not None:
                self.layers.append(name)
                self.axes += axes
                self.weights.append(weight.requires_grad_())
                self.n_filters.append(weight.shape[axes[0]])
        if not self.layers:
            kind = type(module).__name__
            raise ValueError(
                f"The probe has no linear or convolutional layer with a weight: {kind}."
            )
        self.dtype = self.weights[0].dtype

    def squared_gradients(self, inputs, labels, weights, head):
        """Weighted sums over inputs of squared derivatives, averaged over each filter."""
        total = 0.0
        options = {"retain_graph": True, "materialize_grads": True}
        # By torch.func, a batch at a time, convolutions took four times as long on a CPU.
        for one, ones_labels, ones_weights in zip(inputs, labels, weights, strict=True):
            logits = nn.functional.linear(self.module(one[None]).flatten(1), *head)
            log_likelihoods = torch.log_softmax(logits, dim=1)[0]
            for label, weight in zip(ones_labels, ones_weights, strict=True):
                outcome = log_likelihoods[label]
                gradients = torch.autograd.grad(outcome, self.weights, **options)
                pairs = zip(gradients, self.axes, strict=True)
                squares = [(g**2).movedim(axis, 0).flatten(1) for g, axis in pairs]
                total = total + weight * torch.cat([s.mean(dim=1) for s in squares])
        return total
