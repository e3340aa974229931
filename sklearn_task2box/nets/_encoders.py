"""Networks that map the features of tasks to boxes."""

import math
from numbers import Integral

import numpy as np
import torch
from scipy import sparse
from torch import nn
from torch.nn import functional as F

from sklearn_task2box.boxes._layout import place
from sklearn_task2box.utils._features import dense, hot_columns, preparation, writable

# Exponential sides stay between exp(-10) and exp(10): without a bound, a container and a
# member that must not contain it drive one another out of any scale that can be drawn.
_MAX_LOG_SIDE = 10.0
# Principal components of the features that a network reads, at most: with more, it learns
# the known tasks by heart.
_MAX_COMPONENTS = 128
# Numbers read at a time outside of training.
_BLOCK = 1 << 20
# Longest side that :meth:`BoxEncoder.outputs_of` makes, well within the bound of the head.
_LONGEST = {"exp": math.exp(0.9 * _MAX_LOG_SIDE), "softplus": math.inf, "sigmoid": 0.95}


def hidden_sizes(sizes):
    """Checked widths of layers; one number is that of a single layer."""
    sizes = [sizes] if isinstance(sizes, Integral) else sizes
    if not all(isinstance(s, Integral) and s > 0 for s in sizes):
        raise ValueError(
            f"hidden_layer_sizes must hold positive whole numbers; got {sizes!r}."
        )
    return [int(s) for s in sizes]


class MLP(nn.Sequential):
    """Multilayer perceptron; normalization follows the ReLU, as in Task2Box.

    With ``mixed_precision``, hidden layers compute in bfloat16 while training; in the last
    one, 8 bits would round sides and corners past one another.
    """

    mixed_precision = False

    def __init__(self, n_features, n_outputs, sizes, normalization=None):
        norms = {"batch": nn.BatchNorm1d, "layer": nn.LayerNorm}
        layers, width = [], n_features
        for size in sizes:
            layers += [nn.Linear(width, size), nn.ReLU()]
            if normalization is not None:
                layers.append(norms[normalization](size))
            width = size
        layers.append(nn.Linear(width, n_outputs))
        super().__init__(*layers)

    def forward(self, X):
        """Outputs of prepared features."""
        *hidden, last = self
        mixed = self.mixed_precision and self.training
        with torch.autocast(X.device.type, torch.bfloat16, enabled=mixed):
            for layer in hidden:
                X = layer(X)
        return last(X.float() if mixed else X)


class Table(nn.Module):
    """One free row of outputs per known task; the features are one-hot rows."""

    def __init__(self, n_features, n_outputs):
        super().__init__()
        self.rows = nn.Embedding(n_features, n_outputs)

    def forward(self, X):
        """Rows of outputs that one-hot features, or positions, point to."""
        return self.rows(X.argmax(1) if X.ndim == 2 else X)

    def grow(self, outputs):
        """Append rows for new tasks, given their outputs, (n_new, n_outputs)."""
        rows = torch.cat([self.rows.weight.detach(), outputs.to(self.rows.weight)])
        self.rows = nn.Embedding.from_pretrained(rows, freeze=False)


class FreeOutputs(nn.Module):
    """Outputs of tasks, (n_tasks, n_outputs), and how they move from where they start."""

    def __init__(self, start):
        super().__init__()
        self.register_buffer("start", start)
        self.moves = nn.Parameter(torch.zeros_like(start))

    def forward(self, positions):
        return self.start[positions] + self.moves[positions]


class BoxEncoder(nn.Module):
    """Network from features of tasks to boxes: a body, and a head that makes the boxes.

    Features are prepared by subtracting ``offset``, of shape (n_features,), and multiplying
    by ``rotation``, of shape (n_features, n_rotated) or a factor. The ``body`` maps them to
    ``n_outputs = 2 * box_dim`` outputs: positions, which are centers (with "sigmoid", as in
    Task2Box, lower corners), then raw sides z, from which ``side`` makes softplus(z),
    sigmoid(z), or "exp", exp(10 * tanh(z / 10)), which is about exp(z).
    """

    def __init__(
        self, body, n_features, n_outputs, side="softplus", offset=None, rotation=None
    ):
        super().__init__()
        self.body = body
        self.n_features = n_features
        self.n_outputs = n_outputs
        self.side = side
        self.register_buffer("offset", offset)
        self.register_buffer("rotation", rotation)

    def prepare(self, X):
        """Features moved into the space that the body reads; linear, nothing learned."""
        if self.offset is not None:
            X = X - self.offset
        if self.rotation is not None:
            X = X * self.rotation if self.rotation.ndim == 0 else X @ self.rotation
        return X

    def read(self, X):
        """Prepared features, float32, as a tensor; positions for a table."""
        if isinstance(self.body, Table):
            return torch.from_numpy(hot_columns(X))
        # A network that was fitted before may be on another device.
        device = self.rotation.device
        with torch.no_grad():
            rows = [self.prepare(part.to(device)).float().cpu() for part in self._blocks(X)]
        return torch.cat(rows)

    def _blocks(self, X):
        """Blocks of rows of features, as dense tensors."""
        step = max(1, _BLOCK // max(self.n_features, 1))
        for start in range(0, X.shape[0], step):
            part = X[start : start + step]
            yield torch.from_numpy(
                part.toarray() if sparse.issparse(part) else writable(part)
            )

    def outputs(self, X):
        """Outputs of the body, in double precision, of features as in :meth:`read`."""
        X = hot_columns(X) if isinstance(self.body, Table) else X
        outputs = [torch.empty((0, self.n_outputs), dtype=torch.float64)]
        for part in self._blocks(X):
            part = part.double() if part.is_floating_point() else part
            outputs.append(self.body(self.prepare(part)))
        return torch.cat(outputs)

    def forward(self, X, prepared=False):
        """Corners of boxes, (n_tasks, box_dim), of features, prepared or not."""
        outputs = self.body(X if prepared else self.prepare(X))
        if outputs.ndim != 2 or outputs.shape[1] != self.n_outputs:
            raise ValueError(
                f"The encoder must map a batch of tasks to {self.n_outputs} outputs each, "
                "2 * box_dim: positions, then raw sides; it returned the shape "
                f"{tuple(outputs.shape)}."
            )
        return self.boxes_of(outputs)

    def boxes_of(self, outputs):
        """Lower and upper corners, (n_tasks, box_dim), from outputs of a body."""
        position, raw = outputs.chunk(2, dim=1)
        if self.side == "sigmoid":
            return position, position + torch.sigmoid(raw)
        if self.side == "exp":
            side = (_MAX_LOG_SIDE * torch.tanh(raw / _MAX_LOG_SIDE)).exp()
        else:
            side = F.softplus(raw)
        return position - side / 2, position + side / 2

    def freed(self, X):
        """An encoder of free boxes, which are first where this one puts prepared features.

        Its features are positions of the tasks.
        """
        self.eval()
        with torch.no_grad():
            start = self.body(X.to(next(self.parameters()).device)).float().cpu()
        self.train()
        return BoxEncoder(FreeOutputs(start), len(start), self.n_outputs, self.side)

    def widen(self, X):
        """Read further directions of features, as of more tasks; boxes stay as they are.

        The weights of these directions are 0 at first. For a body of another module, and
        where the network reads as many components as it may, nothing changes.
        """
        layer = self.body[0] if isinstance(self.body, MLP) else self.body
        room = _MAX_COMPONENTS - len(self.rotation.T)
        if not isinstance(layer, nn.Linear) or room <= 0:
            return
        size = self.rotation.norm(dim=0).max()
        known = self.rotation / size
        X = torch.from_numpy(dense(X)).to(size.device) - self.offset
        _, sizes, directions = torch.linalg.svd(
            X - X @ known @ known.T, full_matrices=False
        )
        new = directions[sizes > 1e-9 * X.norm()][:room].T
        self.rotation = torch.cat([self.rotation, new * size], dim=1)
        zeros = layer.weight.new_zeros(len(layer.weight), new.shape[1])
        weight = torch.cat([layer.weight.detach(), zeros], dim=1)
        layer.weight = nn.Parameter(weight, layer.weight.requires_grad)
        layer.in_features = weight.shape[1]

    def grow(self, X, heads, tails):
        """Append rows to a table, one for each column of one-hot X that it does not have.

        The rows ``heads`` of X lie inside the rows ``tails``, which new boxes start from.
        """
        n_known = len(self.body.rows.weight)
        n_new = X.shape[1] - n_known
        if n_new == 0:
            return
        columns = hot_columns(X)
        if not np.isin(np.arange(n_known, X.shape[1]), columns).all():
            raise ValueError(
                f"X has {n_new} columns more than the {n_known} known tasks, so each of "
                "them must be that of one of its rows: one-hot rows, one new column for "
                "each new task."
            )
        rows = torch.arange(n_known, device=self.body.rows.weight.device)
        with torch.no_grad():
            known = torch.cat(self(rows), dim=1).double().cpu().numpy()
        corners, inside = np.split(known, 2, axis=1), (columns[heads], columns[tails])
        new = place(*corners, *inside, n_new, np.random.RandomState(0))
        self.body.grow(self.outputs_of(*(torch.from_numpy(corner) for corner in new)))
        self.n_features = X.shape[1]

    def outputs_of(self, lower, upper):
        """Outputs that give boxes of positive sides; bounded ones are scaled down."""
        scale = min(1.0, _LONGEST[self.side] / float((upper - lower).max()))
        lower, upper = scale * lower, scale * upper
        side = upper - lower
        if self.side == "sigmoid":
            return torch.cat([lower, torch.logit(side)], dim=1)
        if self.side == "exp":
            raw = _MAX_LOG_SIDE * torch.atanh(side.log() / _MAX_LOG_SIDE)
        else:
            raw = side + torch.log(-torch.expm1(-side))
        return torch.cat([(lower + upper) / 2, raw], dim=1)


def make_encoder(X, kind, box_dim, *, hidden_layer_sizes, normalization, side):
    """A BoxEncoder for features like X, by the arguments of a BoxRelationEmbedder."""
    n_inputs, n_outputs = X.shape[1], 2 * box_dim
    offset, rotation = (None, None) if kind == "table" else preparation(X, _MAX_COMPONENTS)
    if rotation is not None and rotation.ndim == 2:
        n_inputs = rotation.shape[1]
    if kind == "mlp":
        sizes = hidden_sizes(hidden_layer_sizes)
        body = MLP(n_inputs, n_outputs, sizes, normalization)
    elif kind == "linear":
        body = nn.Linear(n_inputs, n_outputs)
    elif kind == "table":
        body = Table(n_inputs, n_outputs)
    elif issubclass(kind, nn.Module):
        body = kind(n_inputs, n_outputs)
    else:
        raise ValueError(
            "encoder must be 'mlp', 'linear', 'table' or a class derived from "
            f"torch.nn.Module; got the class {kind.__name__}."
        )
    return BoxEncoder(body, X.shape[1], n_outputs, side, offset, rotation)
