"""The skorch net that fits boxes to relations, and its callbacks."""

from numbers import Real

import numpy as np
import torch
from skorch import NeuralNet
from skorch.callbacks import Callback, EarlyStopping, GradientNormClipping, LRScheduler
from skorch.exceptions import SkorchException
from skorch.utils import noop
from torch.optim import lr_scheduler
from tqdm.auto import tqdm

from sklearn_task2box.boxes._geometry import overlap
from sklearn_task2box.metrics import relation_score
from sklearn_task2box.nets._batches import PairBatches, PairDataset

# Growth of the extent of the boxes, and of the loss from this number of epochs on, that
# tells of a fit that diverges.
_MAX_GROWTH, _MAX_RISE, _FEW_EPOCHS = 1e6, 10, 10
# Step size of free boxes, and the weight of their mean squared moves, beside mean losses of
# pairs: without it, boxes drift to where a new task finds no place among them.
_FREE_RATE, _FREE_DECAY = 0.2, 1e-4


class NoEpochFinished(Exception):
    """A fit was interrupted before its first epoch ended."""


class StoppedByCallback(Exception):
    """A callback ended a fit, as skorch's callbacks do by raising KeyboardInterrupt."""


class BoxNet(NeuralNet):
    """skorch's NeuralNet over batches of pairs.

    ``interrupted_`` is whether Ctrl-C ended the fit, and not a callback between epochs.
    """

    def fit_loop(self, X, y=None, epochs=None, **fit_params):
        finished = dict(self.callbacks_)["finished"]
        self.interrupted_ = False
        try:
            return super().fit_loop(X, y, epochs=epochs, **fit_params)
        except (KeyboardInterrupt, StoppedByCallback) as stop:
            if finished.weights_ is None:
                raise NoEpochFinished from None
            by_user = not isinstance(stop, StoppedByCallback)
            self.interrupted_ = finished.running_ or by_user
            raise KeyboardInterrupt from None  # skorch ends the fit

    def notify(self, method_name, **cb_kwargs):
        # As in skorch; who interrupts a callback of ours, or an epoch, is the user.
        getattr(self, method_name)(self, **cb_kwargs)
        for _, callback in self.callbacks_:
            try:
                getattr(callback, method_name)(self, **cb_kwargs)
            except KeyboardInterrupt as stop:
                ours = isinstance(callback, FinishedEpochs | HeldOutScore | Progress)
                if ours or method_name != "on_epoch_end":
                    raise
                raise StoppedByCallback from stop
            except (KeyError, SkorchException) as error:
                raise ValueError(
                    f"{type(callback).__name__} failed: {error} Callbacks can monitor "
                    "'train_loss' or, with early_stopping=True, 'valid_score'."
                ) from error

    def infer(self, x, **fit_params):
        return self.module_(x, prepared=True)

    def get_loss(self, y_pred, y_true, X=None, training=False):
        return self.criterion_(y_pred, y_true)

    def run_single_epoch(self, iterator, training, prefix, step_fn, **fit_params):
        # As in skorch, but losses are read at the end: reading one waits for a GPU.
        if iterator is None:
            return
        losses = []
        for batch in iterator:
            self.notify("on_batch_begin", batch=batch, training=training)
            step = step_fn(batch, **fit_params)
            losses.append(step["loss"].detach())
            self.history.record_batch(f"{prefix}_batch_size", len(batch[1]))
            self.notify("on_batch_end", batch=batch, training=training, **step)
        rows, losses = self.history[-1]["batches"], torch.stack(losses).tolist()
        for row, loss in zip(rows, losses, strict=True):
            row[f"{prefix}_loss"] = loss
        self.history.record(f"{prefix}_batch_count", len(losses))


class FinishedEpochs(Callback):
    """Restores the weights of the last finished epoch after an interrupted fit."""

    def on_train_begin(self, net, **kwargs):
        self.running_ = False
        self.weights_ = None

    def on_epoch_begin(self, net, **kwargs):
        self.running_ = True

    def on_epoch_end(self, net, **kwargs):
        # state_dict() has the buffers too: a batch norm's statistics move mid-epoch.
        state = net.module_.state_dict()
        self.weights_ = {name: value.clone() for name, value in state.items()}
        self.running_ = False

    def on_train_end(self, net, **kwargs):
        if self.running_:
            net.module_.load_state_dict(self.weights_)
        self.weights_ = None


class HeldOutScore(Callback):
    """Records the score of held-out relations, computed ``every`` so many epochs."""

    def __init__(self, held_out, dataset, temperature, every):
        self.held_out = held_out
        self.dataset = dataset
        self.temperature = temperature
        self.every = every

    def on_train_begin(self, net, **kwargs):
        heads, tails, _ = self.held_out
        tasks, ends = np.unique(np.concatenate([heads, tails]), return_inverse=True)
        self.features_ = self.dataset.rows(tasks, torch.device(net.device))
        self.ends_ = torch.from_numpy(ends).to(net.device).split(len(heads))
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
            self.score_ = relation_score(self.held_out[2], self.predict(net))
        net.history.record("valid_score", float(self.score_))

    def on_train_end(self, net, **kwargs):
        # A fitted net keeps no training data.
        self.features_ = self.ends_ = self.dataset = None


class Progress(Callback):
    """Progress bar of epochs, with the loss and the held-out score."""

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
    """Callback that sets the learning rate at each step, None where it is constant."""
    if n_steps == 0 or name == "constant":
        return None
    policy, options = lr_scheduler.CosineAnnealingLR, {"T_max": n_steps}
    if name == "one_cycle":
        policy = lr_scheduler.OneCycleLR
        options = {"max_lr": learning_rate, "total_steps": n_steps}
    return LRScheduler(policy, **options, step_every="batch", event_name=None)


def make_net(
    encoder,
    criterion,
    dataset,
    *,
    temperature,
    max_epochs,
    learning_rate,
    learning_rate_schedule,
    max_gradient_norm,
    batches,
    device,
    weight_decay=0.0,
    held_out=None,
    patience=None,
    callbacks=None,
    verbose=0,
):
    """The net of one fit, not initialized.

    ``batches`` are arguments of :class:`~sklearn_task2box.nets._batches.PairBatches`.
    ``held_out`` are heads, tails and strengths of held-out relations; after ``patience``
    epochs without a better score on them, the fit stops. For the others, see
    :class:`~sklearn_task2box.BoxRelationEmbedder`.
    """
    max_epochs = int(max_epochs)  # torch refuses NumPy's integers
    n_steps = max_epochs * len(PairBatches(dataset, **batches))
    held_out_score = early_stopping = None
    if held_out is not None:
        every = max(1, min(max_epochs // 50, patience))
        held_out_score = HeldOutScore(held_out, dataset, temperature, every)
        early_stopping = EarlyStopping(
            monitor="valid_score",
            lower_is_better=False,
            patience=patience,
            threshold=0,
            load_best=True,
            sink=noop,
        )
    ours = [  # of which skorch skips those that are None
        ("finished", FinishedEpochs()),
        ("clipping", GradientNormClipping(max_gradient_norm)),
        ("held_out", held_out_score),
        ("learning_rate", schedule(learning_rate_schedule, learning_rate, n_steps)),
        ("progress", Progress() if verbose else None),
        ("early_stopping", early_stopping),  # last: after it raises, none is called
    ]
    return BoxNet(
        encoder,
        criterion=criterion,
        optimizer=torch.optim.Adam,
        optimizer__fused=True,  # a step in half of the time
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


def fit_nets(encoder, dataset, *, max_epochs, free_epochs, **settings):
    """Fit an encoder and then, in ``free_epochs``, boxes that leave where it puts them.

    Parameters
    ----------
    encoder : BoxEncoder
    dataset : PairDataset
    max_epochs, free_epochs : int
        Either may be 0.
    **settings : dict
        Further arguments of :func:`make_net`.

    Returns
    -------
    nets : list of BoxNet
        One or two of them, fitted. If an interrupt ended a fit, the last one says so.

    Raises
    ------
    NoEpochFinished
        If an interrupt came within the first epoch.
    """
    net = make_net(encoder, dataset=dataset, max_epochs=max_epochs, **settings)
    net.fit(dataset)
    if not free_epochs or net.interrupted_:
        return [net]
    settings |= {"learning_rate": _FREE_RATE, "learning_rate_schedule": "cosine"}
    encoder = net.module_.freed(dataset.features)
    settings["weight_decay"] = _FREE_DECAY / encoder.n_features
    dataset = PairDataset(torch.arange(encoder.n_features), dataset.pairs)
    free = make_net(encoder, dataset=dataset, max_epochs=free_epochs, **settings)
    try:
        free.fit(dataset)
    except NoEpochFinished:
        net.interrupted_ = True
        return [net]
    return [net, free]


def box_extent(encoder, dataset):
    """Extent of the boxes that an encoder makes of up to 1,000 tasks of a PairDataset."""
    rows = dataset.rows(slice(1000), next(encoder.parameters()).device)
    encoder.eval()
    with torch.no_grad():
        boxes = torch.cat(encoder(rows, prepared=True))
    encoder.train()
    return float(boxes.max() - boxes.min())


def check_converged(boxes, first_extent, losses=()):
    """Raise if boxes are not finite or far beyond their first extent, or losses rose."""
    if not np.isfinite(boxes).all():
        what = "boxes are not finite"
    elif (extent := np.ptp(boxes)) > _MAX_GROWTH * first_extent:
        what = (
            f"boxes extend over {extent:.1e}, and over {first_extent:.1e} before the first "
            "epoch"
        )
    elif len(losses) >= _FEW_EPOCHS and losses[-1] > _MAX_RISE * losses[0]:
        what = f"the loss rose from {losses[0]:.3g} to {losses[-1]:.3g}"
    else:
        return
    raise ValueError(
        f"The fit did not converge: {what}. Lower learning_rate, set max_gradient_norm, or "
        "rescale X."
    )


def check_callbacks(callbacks):
    """Raise if one is no skorch callback, nor the class of one, with or without a name."""
    for callback in callbacks:
        one = callback[-1] if isinstance(callback, tuple) else callback
        if not issubclass(one if isinstance(one, type) else type(one), Callback):
            raise ValueError(
                f"callbacks must hold skorch callbacks; got {one!r} of type "
                f"{type(one).__name__}."
            )


def numbers_of(row):
    """What skorch and callbacks recorded of an epoch, but for skorch's bookkeeping."""
    return {
        key: value
        for key, value in row.items()
        if isinstance(value, Real)
        and not isinstance(value, bool)
        and key != "epoch"
        and not key.endswith(("_best", "_batch_count"))
    }
