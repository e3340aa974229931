"""Networks that map the features of tasks to boxes."""

import torch
from torch import nn
from torch.nn import functional as F

# Exponential sides stay between exp(-10) and exp(10): without a bound, a container and a
# member that must not contain it drive one another out of any scale that can be drawn.
_MAX_LOG_SIDE = 10.0


class MLP(nn.Sequential):
    """Multilayer perceptron with ReLU activations.

    Parameters
    ----------
    n_features, n_outputs : int
    hidden_layer_sizes : sequence of int, default=(512, 256)
    dropout : float in [0, 1), default=0.0
        After each hidden layer.
    normalization : {None, "batch", "layer"}, default=None
        After the activation of each hidden layer, as in Task2Box's network.
    """

    def __init__(
        self,
        n_features,
        n_outputs,
        hidden_layer_sizes=(512, 256),
        dropout=0.0,
        normalization=None,
    ):
        norms = {"batch": nn.BatchNorm1d, "layer": nn.LayerNorm}
        layers, width = [], n_features
        for size in hidden_layer_sizes:
            layers += [nn.Linear(width, size), nn.ReLU()]
            if normalization is not None:
                layers.append(norms[normalization](size))
            if dropout:
                layers.append(nn.Dropout(dropout))
            width = size
        layers.append(nn.Linear(width, n_outputs))
        super().__init__(*layers)


class Table(nn.Module):
    """One free row of outputs per known task; the features are one-hot rows.

    Parameters
    ----------
    n_features, n_outputs : int
    """

    def __init__(self, n_features, n_outputs):
        super().__init__()
        self.rows = nn.Embedding(n_features, n_outputs)

    def forward(self, X):
        """Look up the rows that one-hot features, or positions, point to."""
        if X.ndim == 2:
            X = X.argmax(1)
        return self.rows(X)


class BoxEncoder(nn.Module):
    """Features of tasks to boxes: a body, and a head that makes boxes of its outputs.

    Parameters
    ----------
    body : nn.Module
        Maps prepared features to (n_tasks, n_outputs): positions, then what the sides are
        made of.
    n_features : int
        Before they are prepared.
    n_outputs : int
        2 * box_dim.
    side : {"softplus", "exp", "sigmoid"}, default="softplus"
        Makes sides of any real number: softplus(z); exp(10 * tanh(z / 10)), which is
        about exp(z); or sigmoid(z), at most 1, which is the paper's.
    anchor : {"center", "lower"}, default="center"
        Which point of the box the positions are; the paper's is the lower corner.
    offset : tensor of shape (n_features,), default=None
        Subtracted from the features.
    rotation : tensor of shape (n_features, n_rotated), or float, default=None
        Multiplied to the features after that.
    """

    def __init__(
        self,
        body,
        n_features,
        n_outputs,
        side="softplus",
        anchor="center",
        offset=None,
        rotation=None,
    ):
        super().__init__()
        self.body = body
        self.n_features = n_features
        self.n_outputs = n_outputs
        self.side = side
        self.anchor = anchor
        self.register_buffer("offset", offset)
        self.register_buffer("rotation", rotation)

    def prepare(self, X):
        """Move features into the space that the body reads; linear, nothing learned."""
        if self.offset is not None:
            X = X - self.offset
        if self.rotation is not None:
            X = X * self.rotation if self.rotation.ndim == 0 else X @ self.rotation
        return X

    def forward(self, X, prepared=False):
        """Boxes of tasks.

        Parameters
        ----------
        X : tensor of shape (n_tasks, n_features)
        prepared : bool, default=False
            Whether X went through :meth:`prepare` before.

        Returns
        -------
        lower, upper : tensor of shape (n_tasks, box_dim)
        """
        outputs = self.body(X if prepared else self.prepare(X))
        if outputs.ndim != 2 or outputs.shape[1] != self.n_outputs:
            raise ValueError(
                f"The encoder must map a batch of tasks to {self.n_outputs} outputs each, "
                "2 * box_dim: positions, then what the sides are made of; it returned the "
                f"shape {tuple(outputs.shape)}."
            )
        position, raw = outputs.chunk(2, dim=1)
        if self.side == "exp":
            side = (_MAX_LOG_SIDE * torch.tanh(raw / _MAX_LOG_SIDE)).exp()
        elif self.side == "softplus":
            side = F.softplus(raw)
        else:
            side = torch.sigmoid(raw)
        if self.anchor == "center":
            return position - side / 2, position + side / 2
        return position, position + side
