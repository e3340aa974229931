"""Tasks as pairs of vectors, one for each role: member and container."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from sklearn_task2box.devices import few_threads, seeded
from sklearn_task2box.encoders import MLP
from sklearn_task2box.pairwise import PairList
from sklearn_task2box.training import NoEpochFinished, PairDataset, make_net

_DIM = 32
_EPOCHS = 400
_RATE = 1e-2
_DECAY = 0.1
# Scale and bias have far to go, at steps that suit the weights of the network.
_FASTER = 10.0


class Roles(nn.Module):
    """Two vectors for each task, as a member and as a container.

    The log-odds of i inside j are ``scale * member_i^T container_j + bias``.

    Parameters
    ----------
    body : MLP
        Maps prepared features to both vectors, side by side.
    """

    def __init__(self, body):
        super().__init__()
        self.body = body
        self.raw_scale = nn.Parameter(torch.zeros(()))
        self.raw_bias = nn.Parameter(torch.zeros(()))

    def scale_and_bias(self):
        return (_FASTER * self.raw_scale).exp(), _FASTER * self.raw_bias

    def forward(self, X, prepared=True):
        """Log-odds of all pairs of tasks, from prepared features."""
        members, containers = self.body(X).chunk(2, dim=1)
        scale, bias = self.scale_and_bias()
        return scale * members @ containers.T + bias

    def strengths(self, X):
        """Of all pairs of tasks, from prepared features: an array."""
        device = self.raw_bias.device
        with torch.no_grad():
            return self(X.to(device)).sigmoid().double().cpu().numpy()

    def remember(self, X):
        """Tasks that new ones will be related to, from prepared features."""
        with torch.no_grad():
            vectors = self.body(X.to(self.raw_bias.device)).double().cpu()
            scale, bias = (number.item() for number in self.scale_and_bias())
        return KnownRoles(vectors, scale, bias)


@dataclass(frozen=True)
class KnownRoles:
    """Vectors of tasks, and how products become log-odds.

    Attributes
    ----------
    vectors : float64 tensor of shape (n_tasks, n_outputs)
    scale, bias : float
    """

    vectors: torch.Tensor
    scale: float
    bias: float

    def table(self, members, containers):
        """Strengths of some tasks in others, each a tensor of vectors."""
        products = members.chunk(2, dim=1)[0] @ containers.chunk(2, dim=1)[1].T
        return self._strengths(products)

    def pairs(self, vectors, heads, tails):
        """Strengths of pairs of tasks, by their positions among the vectors."""
        members, containers = (part.numpy() for part in vectors.chunk(2, dim=1))
        products = np.einsum("ij,ij->i", members[heads], containers[tails])
        return self._strengths(torch.from_numpy(products))

    def _strengths(self, products):
        return (self.scale * products + self.bias).sigmoid().numpy()


class TableCrossEntropy(nn.Module):
    """Mean cross-entropy of a table of log-odds, over its observed pairs.

    Parameters
    ----------
    pairs : ObservedPairs
        Of all tasks; a batch that lists its pairs is enough by itself.
    device : str
    """

    def __init__(self, pairs, device):
        super().__init__()
        self.strengths, self.observed = (
            torch.from_numpy(table).float().to(device) for table in pairs.dense()
        )

    def forward(self, log_odds, batch):
        if isinstance(batch, PairList):
            listed = log_odds[batch.heads, batch.tails]
            return F.binary_cross_entropy_with_logits(listed, batch.strengths)
        total = F.binary_cross_entropy_with_logits(
            log_odds, self.strengths, weight=self.observed, reduction="sum"
        )
        return total / self.observed.sum()


def fit_roles(features, pairs, hidden_layer_sizes, max_epochs, seed, device):
    """Fit vectors of both roles to relations.

    Parameters
    ----------
    features : float32 tensor of shape (n_tasks, n_features)
        Prepared.
    pairs : ObservedPairs
    hidden_layer_sizes : sequence of int
    max_epochs : int
        No more than 400 are needed.
    seed : int
    device : str

    Returns
    -------
    roles : Roles
        In evaluation mode.

    Raises
    ------
    KeyboardInterrupt
        If the fit was interrupted.
    """
    dataset = PairDataset(features, pairs)
    batches = {
        "batch_size": None,
        "n_negatives": 0,
        "negatives": "uniform",
        "positive_weight": 1.0,
        "seed": seed,
        "device": device,
    }
    with seeded(seed, device), few_threads(pairs.n_tasks**2):
        net = make_net(
            Roles(MLP(features.shape[1], 2 * _DIM, hidden_layer_sizes)),
            TableCrossEntropy(pairs, device),
            dataset,
            temperature=None,
            max_epochs=min(_EPOCHS, max_epochs),
            learning_rate=_RATE,
            learning_rate_schedule="one_cycle",
            weight_decay=_DECAY,
            max_gradient_norm=0.1,
            batches=batches,
            device=device,
        )
        try:
            net.fit(dataset)
        except NoEpochFinished:
            raise KeyboardInterrupt from None
    if net.interrupted_:
        raise KeyboardInterrupt
    return net.module_.eval()
