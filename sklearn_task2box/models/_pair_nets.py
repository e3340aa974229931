"""Training of networks that read pairs of tasks."""

import numpy as np
import torch
from torch import nn
from torch.optim.lr_scheduler import OneCycleLR

from sklearn_task2box.utils._devices import few_threads, seeded


class PairEpochs:
    """Minibatches of pairs, drawn anew for each epoch; ``batch_size`` None makes one."""

    def __init__(self, observed, max_pairs, batch_size, seed):
        self.observed = observed
        self.n_pairs = min(observed.n_observed, max_pairs)
        self.batch_size = batch_size or self.n_pairs
        self.rng = np.random.RandomState(seed)

    def __len__(self):
        return -(-self.n_pairs // self.batch_size)

    def __iter__(self):
        """Yield heads, tails, strengths and weights, the latter of mean 1 in an epoch."""
        *ends, strengths, weights = self.observed.sample(self.n_pairs, self.rng)
        n_pairs = len(strengths)
        order = np.arange(n_pairs) if len(self) == 1 else self.rng.permutation(n_pairs)
        weights = weights * (n_pairs / weights.sum())
        arrays = *ends, strengths.astype(np.float32), weights.astype(np.float32)
        for chosen in np.array_split(order, len(self)):
            yield tuple(torch.from_numpy(array[chosen]) for array in arrays)


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
    rng,
    batch_size=None,
    max_gradient_norm=None,
):
    """Train a module from (features, heads, tails) to log-odds; return it and the losses.

    ``learning_rate`` is the peak of a one-cycle schedule of a torch ``optimizer``, and
    ``max_iter`` steps are rounded up to whole :class:`PairEpochs`.
    """
    seed, batch_seed = rng.randint(np.iinfo(np.int32).max, size=2)
    epochs = PairEpochs(observed, max_pairs, batch_size, batch_seed)
    n_epochs = -(-int(max_iter) // len(epochs))
    losses, cross_entropy = [], nn.BCEWithLogitsLoss(reduction="none")
    with seeded(seed, "cpu"), few_threads(min(max_pairs, observed.n_observed)):
        module = make_module().train()
        steps = optimizer(module.parameters(), lr=learning_rate, weight_decay=weight_decay)
        scheduler = OneCycleLR(steps, learning_rate, total_steps=n_epochs * len(epochs))
        for _ in range(n_epochs):
            total = 0.0
            for heads, tails, strengths, weights in epochs:
                steps.zero_grad()
                log_odds = module(features, heads, tails)
                loss = (weights * cross_entropy(log_odds, strengths)).mean()
                loss.backward()
                if max_gradient_norm is not None:
                    torch.nn.utils.clip_grad_norm_(module.parameters(), max_gradient_norm)
                steps.step()
                scheduler.step()
                total += float(loss.detach()) * len(heads)
            losses.append(total / epochs.n_pairs)
    if not np.isfinite(losses).all():
        raise ValueError(
            f"The fit did not converge: the loss is not finite after {len(losses)} epochs. "
            "Lower learning_rate, or rescale X."
        )
    return module.eval(), losses
