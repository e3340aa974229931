"""The skorch net that fits boxes to relations: batches of pairs, callbacks, epochs."""

from functools import cached_property

import numpy as np
import torch
from scipy import sparse
from skorch import NeuralNet
from skorch.callbacks import Callback, EarlyStopping, GradientNormClipping, LRScheduler
from skorch.utils import noop
from tqdm.auto import tqdm

from sklearn_task2box.encoders import Table
from sklearn_task2box.geometry import overlap
from sklearn_task2box.layout import layout
from sklearn_task2box.metrics import relation_score
from sklearn_task2box.pairwise import PairList, PairTable, block_size

# A table of all pairs is faster than a list of them from this share observed on.
_TABLE_FROM_SHARE = 0.1
# Steps, their largest learning rate and their batches where a network is fitted to boxes.
_START_STEPS = 200
_START_RATE = 5e-3
_START_ROWS = 8192


class NoEpochFinished(Exception):
    """The fit was interrupted before its first epoch ended."""


# --------------------------------------------------------------------------------------
# From observed pairs to batches
# --------------------------------------------------------------------------------------
class PairDataset(torch.utils.data.Dataset):
    """Features of the tasks and the pairs of them that are observed.

    Parameters
    ----------
    features : float32 tensor of shape (n_tasks, n_features), or such a CSR matrix
        As the body of the encoder reads them; a table reads positions, (n_tasks,).
    pairs : ObservedPairs
    """

    def __init__(self, features, pairs):
        self.features = features
        self.pairs = pairs

    def __len__(self):
        return self.pairs.n_observed

    def rows(self, positions, device):
        """Features of some tasks, dense."""
        chosen = self.features[positions]
        if sparse.issparse(chosen):
            chosen = torch.from_numpy(chosen.toarray())
        return chosen.to(device)


class PairBatches:
    """Iterates over the observed pairs of a PairDataset, an epoch at a time.

    Parameters
    ----------
    dataset : PairDataset
    batch_size : int or None
        Pairs per batch; None puts all observed pairs into one.
    n_negatives : int
        Unrelated pairs drawn at random for each related one, where there are batches and
        all pairs that are not mentioned count as unrelated.
    negatives : {"uniform", "degree", "hard"}
        How, see :class:`~sklearn_task2box.BoxRelationEmbedder`.
    positive_weight : float
        How much a pair of strength 1 counts beside one of strength 0.
    seed : int
    device : torch.device
    """

    def __init__(
        self,
        dataset,
        batch_size,
        n_negatives,
        negatives,
        positive_weight,
        seed,
        device,
    ):
        self.dataset = dataset
        self.batch_size = batch_size
        self.n_negatives = n_negatives
        self.positive_weight = positive_weight
        self.device = device
        self.rng = np.random.RandomState(seed)
        self.negatives = negatives
        self.sampled = batch_size is not None and dataset.pairs.complete

    def __len__(self):
        if self.batch_size is None:
            return 1
        per_batch = self.batch_size
        if self.sampled:
            per_batch = max(1, self.batch_size // (1 + self.n_negatives))
        return -(-len(self.dataset.pairs.strengths) // per_batch)

    # Made when the first epoch begins: the number of batches may be asked for without.
    @cached_property
    def draw(self):
        return NEGATIVES[self.negatives](self.dataset.pairs, self.rng)

    @cached_property
    def not_zero(self):
        return self.dataset.pairs.not_zero_keys()

    def __iter__(self):
        if self.batch_size is None:
            yield self.whole
            return
        pairs = self.dataset.pairs
        order = self.rng.permutation(len(pairs.strengths))
        for chosen in np.array_split(order, len(self)):
            heads, tails = pairs.heads[chosen], pairs.tails[chosen]
            strengths = pairs.strengths[chosen]
            if self.sampled:
                corrupt_heads, corrupt_tails = self._corrupt(heads, tails)
                heads = np.concatenate([heads, corrupt_heads])
                tails = np.concatenate([tails, corrupt_tails])
                strengths = np.concatenate([strengths, np.zeros(len(corrupt_heads))])
            yield self._batch(heads, tails, strengths)

    def _corrupt(self, heads, tails):
        """Unrelated pairs: related ones with one end replaced at random."""
        heads = np.repeat(heads, self.n_negatives)
        tails = np.repeat(tails, self.n_negatives)
        at_head = self.rng.random_sample(len(heads)) < 0.5
        drawn = self.draw(heads, tails, at_head)
        heads, tails = np.where(at_head, drawn, heads), np.where(at_head, tails, drawn)
        keys = self.dataset.pairs.keys(heads, tails)
        at = np.searchsorted(self.not_zero, keys).clip(max=len(self.not_zero) - 1)
        wrong = (self.not_zero[at] == keys) | (heads == tails)
        return heads[~wrong], tails[~wrong]

    def _weights(self, strengths):
        return 1 + (self.positive_weight - 1) * strengths

    def _batch(self, heads, tails, strengths):
        tasks, ends = np.unique(np.concatenate([heads, tails]), return_inverse=True)
        ends = torch.from_numpy(ends).to(self.device)
        strengths = torch.from_numpy(strengths.astype(np.float32)).to(self.device)
        pairs = PairList(
            ends[: len(heads)],
            ends[len(heads) :],
            strengths,
            self._weights(strengths),
            block_size(self.device),
        )
        return self.dataset.rows(tasks, self.device), pairs

    @cached_property
    def whole(self):
        pairs = self.dataset.pairs
        if pairs.n_observed < _TABLE_FROM_SHARE * pairs.n_tasks**2:
            return self._batch(*pairs.expand())
        heads, tails, strengths, unknown = pairs.listed()
        table = PairTable(
            pairs.n_tasks,
            heads,
            tails,
            strengths,
            self._weights(strengths) * ~unknown,
            block_size(self.device),
            self.device,
        )
        return self.dataset.rows(slice(None), self.device), table


class Uniform:
    """Draws any task in place of an end of a pair."""

    def __init__(self, pairs, rng):
        self.n_tasks = pairs.n_tasks
        self.rng = rng

    def __call__(self, heads, tails, at_head):
        return self.rng.randint(0, self.n_tasks, size=len(heads))


class ByDegree:
    """Draws tasks as often as they stand at that end, to the power of 3/4."""

    def __init__(self, pairs, rng):
        self.rng = rng
        related = pairs.strengths > 0
        self.sums = []
        for ends in (pairs.heads, pairs.tails):
            counts = np.bincount(ends[related], minlength=pairs.n_tasks)
            sums = np.cumsum(counts**0.75)
            self.sums.append(sums / sums[-1])

    def __call__(self, heads, tails, at_head):
        at = self.rng.random_sample(len(heads))
        drawn = (np.searchsorted(sums, at, side="right") for sums in self.sums)
        return np.where(at_head, *drawn).clip(max=len(self.sums[0]) - 1)


class Hard:
    """Draws tasks two relations away, and any task half of the time.

    In place of u in u -> v, a member of a container of v's members; in place of v, a
    container of a member of u's containers.
    """

    def __init__(self, pairs, rng):
        self.rng = rng
        self.uniform = Uniform(pairs, rng)
        related = pairs.strengths > 0
        ends = pairs.heads[related], pairs.tails[related]
        shape = (pairs.n_tasks, pairs.n_tasks)
        ones = np.ones(len(ends[0]), dtype=bool)
        self.containers = sparse.csr_matrix((ones, ends), shape)
        self.members = sparse.csr_matrix((ones, ends[::-1]), shape)

    def _step(self, graph, nodes):
        """A random neighbour of each node; the node itself where it has none."""
        counts = np.diff(graph.indptr)[nodes]
        at = (self.rng.random_sample(len(nodes)) * counts).astype(np.int64)
        at = (graph.indptr[nodes] + at).clip(max=graph.nnz - 1)
        return np.where(counts, graph.indices[at], nodes)

    def __call__(self, heads, tails, at_head):
        member = self._step(self.members, tails)
        container = self._step(self.containers, heads)
        near = np.where(
            at_head,
            self._step(self.members, self._step(self.containers, member)),
            self._step(self.containers, self._step(self.members, container)),
        )
        anywhere = self.rng.random_sample(len(heads)) < 0.5
        return np.where(anywhere, self.uniform(heads, tails, at_head), near)


NEGATIVES = {"uniform": Uniform, "degree": ByDegree, "hard": Hard}


# --------------------------------------------------------------------------------------
# The net
# --------------------------------------------------------------------------------------
class BoxNet(NeuralNet):
    """skorch's NeuralNet over batches of pairs.

    ``interrupted_`` says after a fit whether it was interrupted (Ctrl-C) rather than ended
    by a callback; the weights are then those of the last finished epoch.
    """

    def fit_loop(self, X, y=None, epochs=None, **fit_params):
        finished = dict(self.callbacks_)["finished"]
        self.interrupted_ = False
        try:
            return super().fit_loop(X, y, epochs=epochs, **fit_params)
        except KeyboardInterrupt as stop:
            if not finished.n_epochs_:
                raise NoEpochFinished from None
            self.interrupted_ = finished.running_ or not _raised_by_callback(stop)
            raise

    def infer(self, x, **fit_params):
        return self.module_(x, prepared=True)

    def get_loss(self, y_pred, y_true, X=None, training=False):
        return self.criterion_(y_pred, y_true)

    def run_single_epoch(self, iterator, training, prefix, step_fn, **fit_params):
        # As skorch's, but the losses are read at the end: reading one waits for a GPU.
        if iterator is None:
            return
        losses = []
        for batch in iterator:
            self.notify("on_batch_begin", batch=batch, training=training)
            step = step_fn(batch, **fit_params)
            losses.append(step["loss"].detach())
            self.history.record_batch(f"{prefix}_batch_size", len(batch[1]))
            self.notify("on_batch_end", batch=batch, training=training, **step)
        for row, loss in zip(
            self.history[-1]["batches"], torch.stack(losses).tolist(), strict=True
        ):
            row[f"{prefix}_loss"] = loss
        self.history.record(f"{prefix}_batch_count", len(losses))


def _raised_by_callback(stop):
    """Whether a callback raised it, as skorch's do to end a fit, or the user's Ctrl-C."""
    trace = stop.__traceback__
    while trace.tb_next is not None:
        trace = trace.tb_next
    frame = trace.tb_frame
    is_method = frame.f_code.co_name.startswith("on_")
    return is_method and isinstance(frame.f_locals.get("self"), Callback)


class FinishedEpochs(Callback):
    """Keeps the weights of the last finished epoch, for a fit that is interrupted."""

    def on_train_begin(self, net, **kwargs):
        self.n_epochs_ = 0
        self.running_ = False
        self.weights_ = None

    def on_epoch_begin(self, net, **kwargs):
        self.running_ = True

    def on_epoch_end(self, net, **kwargs):
        # state_dict() has the buffers too: a batch norm's statistics move mid-epoch.
        state = net.module_.state_dict()
        if self.weights_ is None:
            self.weights_ = {name: value.clone() for name, value in state.items()}
        else:
            for name, value in state.items():
                self.weights_[name].copy_(value)
        self.n_epochs_ += 1
        self.running_ = False

    def on_train_end(self, net, **kwargs):
        if self.running_:
            net.module_.load_state_dict(self.weights_)
        self.weights_ = None


class HeldOutScore(Callback):
    """Records how well held-out relations are predicted, as ``valid_score``.

    Parameters
    ----------
    heads, tails, strengths : ndarray of shape (n_pairs,)
        The relations held out.
    dataset : PairDataset
        Has the features of their tasks.
    temperature : float
        Of the soft volume.
    every : int
        Epochs between two evaluations; those between repeat the last score.
    """

    def __init__(self, heads, tails, strengths, dataset, temperature, every):
        self.heads = heads
        self.tails = tails
        self.strengths = strengths
        self.dataset = dataset
        self.temperature = temperature
        self.every = every

    def on_train_begin(self, net, **kwargs):
        tasks, ends = np.unique(
            np.concatenate([self.heads, self.tails]), return_inverse=True
        )
        device = torch.device(net.device)
        ends = torch.from_numpy(ends).to(device)
        n = len(self.heads)
        self.features_ = self.dataset.rows(tasks, device)
        self.ends_ = ends[:n], ends[n:]
        self.score_ = -np.inf

    def predict(self, net):
        """Overlaps of the held-out pairs."""
        net.module_.eval()
        with torch.no_grad():
            boxes = net.infer(self.features_)
            corners = [corner[end] for end in self.ends_ for corner in boxes]
            return overlap(*corners, self.temperature).cpu().numpy()

    def on_epoch_end(self, net, **kwargs):
        epoch = len(net.history)
        if epoch % self.every == 0 or epoch in (1, net.max_epochs):
            self.score_ = relation_score(self.strengths, self.predict(net))
        net.history.record("valid_score", float(self.score_))

    def on_train_end(self, net, **kwargs):
        self.features_ = self.ends_ = self.dataset = (
            None  # a fitted net keeps no training data
        )


class Progress(Callback):
    """A bar of epochs, with the loss and the held-out score."""

    def on_train_begin(self, net, **kwargs):
        self.bar_ = tqdm(total=net.max_epochs, desc="fitting boxes", unit="epoch")

    def on_epoch_end(self, net, **kwargs):
        row = net.history[-1]
        shown = {"loss": f"{row['train_loss']:.4g}"}
        if np.isfinite(row.get("valid_score", np.nan)):
            shown["held-out"] = f"{row['valid_score']:.3f}"
        self.bar_.set_postfix(shown, refresh=False)
        self.bar_.update()

    def on_train_end(self, net, **kwargs):
        self.bar_.close()
        self.bar_ = None


def schedule(name, learning_rate, n_steps):
    """Callback that sets the learning rate at every step.

    Parameters
    ----------
    name : {"one_cycle", "cosine", "constant"}
    learning_rate : float
        Its largest value.
    n_steps : int
        Of the whole fit.
    """
    if n_steps == 0:
        return None
    if name == "one_cycle":
        policy = {
            "policy": torch.optim.lr_scheduler.OneCycleLR,
            "max_lr": learning_rate,
            "total_steps": n_steps,
        }
    elif name == "cosine":
        policy = {
            "policy": torch.optim.lr_scheduler.CosineAnnealingLR,
            "T_max": n_steps,
        }
    else:
        return None
    return LRScheduler(**policy, step_every="batch", event_name=None)


def make_net(
    encoder,
    criterion,
    dataset,
    *,
    temperature,
    max_epochs,
    learning_rate,
    learning_rate_schedule,
    weight_decay,
    max_gradient_norm,
    batches,
    device,
    held_out=None,
    patience=None,
    callbacks=None,
    verbose=0,
):
    """Assemble the net of one fit.

    Parameters
    ----------
    encoder : BoxEncoder
    criterion : Objective
    dataset : PairDataset
    temperature, max_epochs, learning_rate, learning_rate_schedule, weight_decay, \
            max_gradient_norm
        See :class:`~sklearn_task2box.BoxRelationEmbedder`.
    batches : dict
        Arguments of :class:`PairBatches`.
    device : str
    held_out : tuple (heads, tails, strengths), default=None
        Relations to stop early on.
    patience : int, default=None
        Epochs without a better score on them before the fit stops.
    callbacks : list, default=None
        Further skorch callbacks.
    verbose : int

    Returns
    -------
    net : BoxNet, not initialised
    """
    max_epochs = int(max_epochs)  # torch refuses NumPy's integers
    n_steps = max_epochs * len(PairBatches(dataset, **batches))
    ours = [("finished", FinishedEpochs())]
    if max_gradient_norm is not None:
        ours.append(("clipping", GradientNormClipping(max_gradient_norm)))
    if held_out is not None:
        every = max(1, min(max_epochs // 50, patience))
        stopping = EarlyStopping(
            monitor="valid_score",
            lower_is_better=False,
            patience=patience,
            threshold=0,
            load_best=True,
            sink=noop,
        )
        ours += [
            ("held_out", HeldOutScore(*held_out, dataset, temperature, every)),
            ("early_stopping", stopping),
        ]
    scheduler = schedule(learning_rate_schedule, learning_rate, n_steps)
    if scheduler is not None:
        ours.append(("learning_rate", scheduler))
    if verbose:
        ours.append(("progress", Progress()))
    # Stopping raises, and ends the round of callbacks: it comes last.
    ours.sort(key=lambda item: item[0] == "early_stopping")
    return BoxNet(
        encoder,
        criterion=criterion,
        optimizer=torch.optim.AdamW,
        optimizer__weight_decay=weight_decay,
        lr=learning_rate,
        max_epochs=max_epochs,
        batch_size=None,
        iterator_train=PairBatches,
        **{f"iterator_train__{name}": value for name, value in batches.items()},
        train_split=None,
        callbacks=ours + list(callbacks or []),
        callbacks__print_log=None,
        verbose=0,
        device=device,
    )


def check_callbacks(callbacks):
    """Refuse what is no skorch callback, nor the class of one, with or without a name."""
    for callback in callbacks:
        one = callback[-1] if isinstance(callback, tuple) else callback
        is_class = isinstance(one, type) and issubclass(one, Callback)
        if not (is_class or isinstance(one, Callback)):
            raise ValueError(
                f"callbacks must hold skorch callbacks; got {one!r} of type "
                f"{type(one).__name__}."
            )


# --------------------------------------------------------------------------------------
# Where a fit starts
# --------------------------------------------------------------------------------------
def start_from_layout(encoder, dataset, temperature, rng, device):
    """Bring a network to boxes that are constructed from the related pairs.

    Parameters
    ----------
    encoder : BoxEncoder
    dataset : PairDataset
    temperature : float
        Of the soft volume.
    rng : numpy.random.RandomState
    device : str
    """
    pairs = dataset.pairs
    corners = layout(
        *pairs.contained(), pairs.n_tasks, encoder.n_outputs // 2, random_state=rng
    )
    # A step of the layout is about the temperature, and a power of 2: exact.
    step = 2.0 ** np.ceil(np.log2(temperature))
    lower, upper = (torch.from_numpy(step * (c - corners[1].max() // 2)) for c in corners)
    outputs = encoder.outputs_of(lower, upper).float()
    if isinstance(encoder.body, Table):
        with torch.no_grad():
            encoder.body.rows.weight[dataset.features] = outputs
    else:
        _fit_outputs(encoder.body, dataset, outputs, device)


def _fit_outputs(body, dataset, outputs, device):
    """Fit a network to outputs that are given, a tensor of shape (n_tasks, n_outputs)."""
    body.to(device).train()
    outputs = outputs.to(device)
    scale = outputs.std(0).clamp(min=1e-6)
    optimizer = torch.optim.AdamW(body.parameters(), weight_decay=0.0)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, _START_RATE, total_steps=_START_STEPS
    )
    n = len(outputs)
    generator = torch.Generator().manual_seed(0)
    for _ in range(_START_STEPS):
        rows = slice(None)
        if n > _START_ROWS:
            rows = torch.randint(n, (_START_ROWS,), generator=generator)
        gaps = (body(dataset.rows(rows, device)) - outputs[rows]) / scale
        optimizer.zero_grad()
        (gaps**2).mean().backward()
        optimizer.step()
        scheduler.step()
