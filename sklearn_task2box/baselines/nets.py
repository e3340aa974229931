"""Networks that read pairs of tasks, trained by skorch."""

import numpy as np
import torch
from skorch import NeuralNet
from skorch.callbacks import GradientNormClipping
from torch.nn import functional as F

from sklearn_task2box.baselines.sampling import Sampler
from sklearn_task2box.devices import few_threads, seeded
from sklearn_task2box.training import PairDataset, schedule


class PairEpochs:
    """Iterates over the pairs of an epoch, drawn anew each time, in minibatches.

    Parameters
    ----------
    dataset : PairDataset
    max_pairs : int
        Pairs per epoch.
    batch_size : int or None
        Pairs per step; None takes all of an epoch at once.
    seed : int
    """

    def __init__(self, dataset, max_pairs, batch_size, seed):
        self.rng = np.random.RandomState(seed)
        self.sampler = Sampler(dataset.pairs, max_pairs, self.rng)
        self.batch_size = batch_size or len(self.sampler)

    def __len__(self):
        return -(-len(self.sampler) // self.batch_size)

    def __iter__(self):
        drawn = self.sampler.draw()
        n_pairs = len(drawn[0])
        order = np.arange(n_pairs) if len(self) == 1 else self.rng.permutation(n_pairs)
        for chosen in np.array_split(order, len(self)):
            heads, tails, strengths, weights = (part[chosen] for part in drawn)
            weights = weights * (n_pairs / drawn[3].sum())
            yield (
                (torch.from_numpy(heads), torch.from_numpy(tails)),
                (
                    torch.from_numpy(strengths.astype(np.float32)),
                    torch.from_numpy(weights.astype(np.float32)),
                ),
            )


class PairNet(NeuralNet):
    """skorch's NeuralNet over modules that map (features, heads, tails) to log-odds.

    The features of all tasks are the same in each batch, which holds pairs of their rows.
    ``interrupted_`` says after a fit whether it was interrupted (Ctrl-C), which skorch
    does not pass on.
    """

    def __init__(self, module, *args, features=None, **kwargs):
        self.features = features
        super().__init__(module, *args, **kwargs)

    def fit_loop(self, X, y=None, epochs=None, **fit_params):
        self.interrupted_ = False
        try:
            return super().fit_loop(X, y, epochs=epochs, **fit_params)
        except KeyboardInterrupt:
            self.interrupted_ = True
            raise

    def infer(self, x, **fit_params):
        return self.module_(self.features, *x)

    def get_loss(self, y_pred, y_true, X=None, training=False):
        strengths, weights = y_true
        losses = F.binary_cross_entropy_with_logits(y_pred, strengths, reduction="none")
        return (weights * losses).mean()


def fit_module(
    make_module,
    features,
    observed,
    *,
    optimizer,
    learning_rate,
    weight_decay,
    max_iter,
    max_pairs,
    batch_size,
    max_gradient_norm,
    rng,
):
    """Train a module on the observed pairs.

    Parameters
    ----------
    make_module : callable
        Makes the module, its weights being drawn.
    features : float32 tensor of shape (n_tasks, n_features)
    observed : ObservedPairs
    optimizer : type
        Of torch.
    learning_rate : float
        Its largest value, of a one-cycle schedule.
    weight_decay : float
    max_iter : int
        Steps, rounded up to whole epochs.
    max_pairs, batch_size
        See :class:`PairEpochs`.
    max_gradient_norm : float or None
    rng : numpy.random.RandomState

    Returns
    -------
    module : nn.Module
        In evaluation mode.
    losses : list of float
        Mean of each epoch.

    Raises
    ------
    KeyboardInterrupt
        If the fit was interrupted: half-trained, it would pass for trained.
    """
    seed, batch_seed = rng.randint(np.iinfo(np.int32).max, size=2)
    dataset = PairDataset(features, observed)
    batches = {"max_pairs": max_pairs, "batch_size": batch_size, "seed": batch_seed}
    n_batches = len(PairEpochs(dataset, **batches))
    max_epochs = -(-int(max_iter) // n_batches)
    n_steps = max_epochs * n_batches
    callbacks = [("learning_rate", schedule("one_cycle", learning_rate, n_steps))]
    if max_gradient_norm is not None:
        callbacks.append(("clipping", GradientNormClipping(max_gradient_norm)))
    with seeded(seed, "cpu"), few_threads(min(max_pairs, observed.n_observed)):
        net = PairNet(
            make_module(),
            features=features,
            criterion=torch.nn.BCEWithLogitsLoss,
            optimizer=optimizer,
            optimizer__weight_decay=weight_decay,
            lr=learning_rate,
            max_epochs=max_epochs,
            batch_size=None,
            iterator_train=PairEpochs,
            **{f"iterator_train__{name}": value for name, value in batches.items()},
            train_split=None,
            callbacks=callbacks,
            callbacks__print_log=None,
            verbose=0,
            device="cpu",
        ).fit(dataset)
    if net.interrupted_:
        raise KeyboardInterrupt
    losses = [float(loss) for loss in net.history[:, "train_loss"]]
    if not np.isfinite(losses).all():
        raise ValueError(
            f"The fit did not converge: the loss is not finite after {len(losses)} epochs. "
            "Lower learning_rate, or rescale X."
        )
    return net.module_.eval(), losses
