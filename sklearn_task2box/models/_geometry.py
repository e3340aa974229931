"""Embeddings of tasks in other geometries than boxes, by the same network."""

from dataclasses import KW_ONLY, dataclass
from numbers import Integral, Real

import numpy as np
import torch
from scipy.special import expit
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from torch import nn
from torch.nn import functional as F

from sklearn_task2box.base import RelationModel
from sklearn_task2box.models._pair_nets import fit_module
from sklearn_task2box.nets._encoders import MLP, hidden_sizes
from sklearn_task2box.utils._features import dense, preparation

_MAX_LOG_VARIANCE = 6.0
# Distance of points of the Poincaré ball from its rim (Nickel & Kiela, NIPS 2017).
_RIM = 1e-5
# Radius within which hyperbolic entailment cones are not defined (Ganea et al., ICML 2018).
_INNER = 0.1
_TINY = 1e-7
# Scale and bias have far to go, at steps that suit the weights of the network.
_FASTER = 10.0


class _Geometry(nn.Module):
    """Points of tasks, made of outputs of a network, and scores as in GeometryModel."""

    def __init__(self, n_components):
        super().__init__()
        self.n_outputs = n_components

    def points(self, outputs):
        return outputs


class Order(_Geometry):
    """Order embeddings: points of the nonnegative orthant, max(0, .) being softened."""

    def points(self, outputs):
        return F.softplus(outputs)

    def score(self, head, tail):
        return -(F.softplus(tail - head) ** 2).sum(1)


class Gaussian(_Geometry):
    """Normal distributions with diagonal covariances: half means, half log variances."""

    def points(self, outputs):
        means, raw = outputs.chunk(2, dim=1)
        bounded = _MAX_LOG_VARIANCE * torch.tanh(raw / _MAX_LOG_VARIANCE)
        return torch.cat([means, bounded], dim=1)

    def score(self, head, tail):
        (mean, log_variance), (mean_j, log_variance_j) = head.chunk(2, 1), tail.chunk(2, 1)
        log_ratio = log_variance - log_variance_j
        gaps = (mean - mean_j) ** 2 * (-log_variance_j).exp()
        return -(log_ratio.exp() + gaps - 1 - log_ratio).sum(1) / 2


class Poincare(_Geometry):
    """Points of the Poincaré ball, containers near its center; alpha >= 0 is learned."""

    def __init__(self, n_components):
        super().__init__(n_components)
        self.raw_alpha = nn.Parameter(torch.tensor(0.5413))  # softplus of it is 1

    def points(self, outputs):
        outputs = 0.1 * outputs  # start near the center, as in Nickel & Kiela
        norms = outputs.norm(dim=1, keepdim=True).clamp(min=_TINY)
        return outputs / norms * torch.tanh(norms) * (1 - _RIM)

    def score(self, head, tail):
        squares, squares_j = (head**2).sum(1), (tail**2).sum(1)
        gaps = ((head - tail) ** 2).sum(1)
        z = 2 * gaps / ((1 - squares) * (1 - squares_j)) + _TINY
        distances = torch.log1p(z + (z * (z + 2)).sqrt())
        depth = (squares_j + _TINY).sqrt() - (squares + _TINY).sqrt()
        return -(1 + F.softplus(self.raw_alpha) * depth) * distances


class Cone(_Geometry):
    """Hyperbolic entailment cones: a container is the apex of a cone of its members."""

    def points(self, outputs):
        norms = outputs.norm(dim=1, keepdim=True).clamp(min=_TINY)
        radius = _INNER + (1 - _RIM - _INNER) * torch.tanh(norms)
        return outputs / norms * radius

    def score(self, head, tail):
        squares, squares_j = (head**2).sum(1), (tail**2).sum(1)
        products = (head * tail).sum(1)
        norms = squares_j.sqrt()
        constant = _INNER / (1 - _INNER**2)
        psi = torch.asin((constant * (1 - squares_j) / norms).clamp(max=1 - _TINY))
        gaps = ((head - tail) ** 2).sum(1)
        # 1 + |x|^2 |y|^2 - 2 <x, y>, without the cancellation near the rim
        rest = gaps + (1 - squares_j) * (1 - squares)
        cosine = (products * (1 + squares_j) - squares_j * (1 + squares)) / (
            norms * ((gaps + _TINY) * rest).sqrt()
        )
        xi = torch.acos(cosine.clamp(-1 + 1e-6, 1 - 1e-6))
        return -F.softplus(xi - psi, beta=5.0)


class Bilinear(_Geometry):
    """Two-tower model; a matrix would only repeat what the last layer learns."""

    def score(self, head, tail):
        return (head.chunk(2, dim=1)[0] * tail.chunk(2, dim=1)[1]).sum(1)


# With learning rates that were found on pairs of WordNet mammals held out for validation.
GEOMETRIES = {
    "order": (Order, 2e-3),
    "gaussian": (Gaussian, 1e-2),
    "poincare": (Poincare, 1e-2),
    "cone": (Cone, 5e-3),
    "bilinear": (Bilinear, 1e-2),
}


class GeometryNet(nn.Module):
    """Network from features of tasks to points, and from pairs of points to log-odds."""

    def __init__(self, n_features, hidden_layer_sizes, geometry):
        super().__init__()
        self.body = MLP(n_features, geometry.n_outputs, hidden_layer_sizes)
        self.geometry = geometry
        self.raw_scale = nn.Parameter(torch.zeros(()))
        self.raw_bias = nn.Parameter(torch.zeros(()))

    def points(self, features):
        return self.geometry.points(self.body(features))

    def forward(self, features, heads, tails):
        return self.log_odds(self.points(features), heads, tails)

    def log_odds(self, points, heads, tails):
        scale, bias = (_FASTER * self.raw_scale).exp(), _FASTER * self.raw_bias
        head, tail = F.embedding(heads, points), F.embedding(tails, points)
        return scale * self.geometry.score(head, tail) + bias


@dataclass(eq=False, repr=False)
class GeometryModel(RelationModel):
    r"""Embedding of tasks by the network of BoxRelationEmbedder, but not as boxes.

    Features are prepared and the cross-entropy of the observed pairs is minimized as
    there; log-odds are ``scale * score + bias``, both learned. Scores of a member i in a
    container j, each having ``n_components`` numbers, are:

    * "order": :math:`-|\max(0, y_j - x_i)|^2` of points of the nonnegative orthant, the
      container being nearer to the origin (Vendrov et al., ICLR 2016).
    * "gaussian": :math:`-KL(N_i || N_j)` of normal distributions, half of the numbers being
      means and half log variances (Vilnis & McCallum, ICLR 2015).
    * "poincare": :math:`-(1 + \alpha (|x_j| - |x_i|)) d(x_i, x_j)` in the Poincaré ball
      (Nickel & Kiela, NeurIPS 2017), :math:`\alpha > 0` being learned.
    * "cone": minus the angle by which i lies outside of the cone of j in the Poincaré ball
      (Ganea et al., ICML 2018), at least 0.1 from its center.
    * "bilinear": :math:`u_i^T v_j` of a two-tower model, with vectors of half of the
      numbers: one as a member, one as a container.

    To leave unrelated pairs a gradient everywhere, max(0, z) of "order" is softened to
    softplus(z) = log(1 + exp(z)), and that of "cone" to softplus(5 z) / 5.

    Parameters
    ----------
    geometry : {"order", "gaussian", "poincare", "cone", "bilinear"}, default="order"
    n_components : int, default=10
        Numbers for each task, as of a box of 5 dimensions; even where they are halved.
    hidden_layer_sizes : tuple of int or int, default=(512, 256)
    max_epochs : int, default=200
        Number of epochs, each of one step.
    max_pairs : int, default=16_384
        Pairs per epoch: all that are related, and unrelated ones drawn anew for each epoch,
        weighted so that the mean loss is that of all observed pairs.
    learning_rate : float, default=None
        Peak of a one-cycle schedule of AdamW. None is 0.002 for "order", 0.005 for "cone",
        and 0.01 for the others, found on held-out pairs of WordNet mammals.
    weight_decay : float, default=0.0
    max_gradient_norm : float or None, default=0.1
        Norm that longer gradients are scaled down to; None leaves them.
    random_state : int, RandomState instance or None, default=None
        Seed of weights and draws of pairs.

    Attributes
    ----------
    points_ : ndarray of shape (n_tasks, n_components)
        Known tasks: points, or means and log variances, or both vectors.
    loss_curve_ : list of float
        Mean loss of each epoch.
    net_ : GeometryNet
    tasks_, relations_, threshold_, n_features_in_, feature_names_in_ : see RelationModel

    Examples
    --------
    >>> from sklearn_task2box.models import GeometryModel
    >>> from sklearn_task2box.datasets import load_digits_tasks
    >>> X, strengths = load_digits_tasks(return_X_y=True)
    >>> model = GeometryModel("cone", max_epochs=20, random_state=0)
    >>> model.fit(X, strengths).points_.shape
    (120, 10)
    """

    geometry: str = "order"
    n_components: int = 10
    _: KW_ONLY
    hidden_layer_sizes: tuple | int = (512, 256)
    max_epochs: int = 200
    max_pairs: int = 16_384
    learning_rate: float | None = None
    weight_decay: float = 0.0
    max_gradient_norm: float | None = 0.1
    random_state: int | np.random.RandomState | None = None

    _parameter_constraints = {  # noqa: RUF012
        "geometry": [StrOptions(set(GEOMETRIES))],
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "hidden_layer_sizes": [Integral, tuple, list, np.ndarray],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "max_pairs": [Interval(Integral, 2, None, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="neither"), None],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "max_gradient_norm": [Interval(Real, 0, None, closed="neither"), None],
        "random_state": ["random_state"],
    }

    def _fit_pairs(self, X, pairs):
        if self.geometry in ("gaussian", "bilinear") and self.n_components % 2:
            raise ValueError(
                f"geometry={self.geometry!r} splits the numbers of a task in halves, so "
                f"n_components must be even; got {self.n_components}."
            )
        sizes = hidden_sizes(self.hidden_layer_sizes)
        self._offset, self._rotation = preparation(dense(X))
        features = self._prepare(X).float()
        geometry, rate = GEOMETRIES[self.geometry]
        self._width = 16 * self.n_components
        self.net_, self.loss_curve_ = fit_module(
            lambda: GeometryNet(features.shape[1], sizes, geometry(self.n_components)),
            features,
            pairs,
            optimizer=torch.optim.AdamW,
            learning_rate=self.learning_rate or rate,
            weight_decay=self.weight_decay,
            max_iter=self.max_epochs,
            max_pairs=self.max_pairs,
            max_gradient_norm=self.max_gradient_norm,
            rng=check_random_state(self.random_state),
        )
        self.net_.double()
        self.points_ = self._represent(X, None)

    def _prepare(self, X):
        X = torch.from_numpy(dense(X)) - self._offset
        return X * self._rotation if self._rotation.ndim == 0 else X @ self._rotation

    def _represent(self, X, known):
        with torch.no_grad():
            return self.net_.points(self._prepare(X)).numpy()

    def _pair_strengths(self, tasks, heads, tails):
        with torch.no_grad():
            ends = torch.from_numpy(heads), torch.from_numpy(tails)
            return expit(self.net_.log_odds(torch.from_numpy(tasks), *ends).numpy())
