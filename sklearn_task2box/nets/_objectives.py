"""Objectives of a fit: a loss of every observed pair, and regularizers of the boxes."""

import math
from dataclasses import KW_ONLY, dataclass
from numbers import Real

import torch
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval, StrOptions
from torch import nn

from sklearn_task2box.boxes._geometry import log_volume
from sklearn_task2box.boxes._pair_loss import pairs_loss
from sklearn_task2box.utils._typing import Self


class CrossEntropy(nn.Module):
    """Cross-entropy between strengths and overlaps, from the logarithm of the overlap.

    ``-(s log p + (1 - s) log(1 - p))`` with ``p = (1 - slack) * overlap``, of a strength s;
    the slack keeps loss and gradient of a wrongly contained pair finite.
    """

    def __init__(self, slack=1e-3):
        super().__init__()
        self.log_keep = math.log1p(-slack)
        self.formula = self.log_keep, False

    def forward(self, log_overlap, strengths):
        log_p = log_overlap + self.log_keep
        return -(strengths * log_p + (1 - strengths) * torch.log(-torch.expm1(log_p)))

    def unrelated(self, log_overlap):
        """Sum of the losses at strength 0, and their gradient in place of the overlaps."""
        p = log_overlap.add_(self.log_keep).exp_()
        rest = torch.rsub(p, 1)
        gradient = p.div_(rest)
        return -rest.log_().sum(), gradient


class SquaredError(nn.Module):
    """Squared difference between strength and overlap (the overlap loss of Task2Box)."""

    formula = 0.0, True

    def forward(self, log_overlap, strengths):
        return (log_overlap.exp() - strengths) ** 2

    def unrelated(self, log_overlap):
        squares = log_overlap.mul_(2).exp_()
        return squares.sum(), squares.mul_(2)


PAIR_LOSSES = {"cross_entropy": CrossEntropy, "squared_error": SquaredError}


@dataclass(eq=False, repr=False)
class Objective(BaseEstimator):
    """Objective of a fit of boxes: a mean loss over observed pairs, and regularizers.

    Each is a mean over pairs or tasks, so that weights suit any number of tasks.

    Parameters
    ----------
    pair_loss : {"cross_entropy", "squared_error"} or nn.Module class, \
            default="cross_entropy"
        Loss of a pair of tasks. A class of your own maps (log_overlap, strengths) to
        losses, elementwise; the logarithm is of the overlap to the power of the exponent.
    positive_weight : float, default=3.0
        Weight of a pair of strength 1 relative to that of a pair of strength 0.
    exponent : float or "auto", default="auto"
        Power of the overlaps that gives strengths. "auto" is 1 for 0/1 relations and in
        two dimensions, where strengths can be seen as areas, and otherwise
        ``1 / box_dim``, the geometric mean of the shares of sides: a share of a volume
        falls too fast with the dimensions to fit the middle strengths of many pairs. A fit
        that continues an earlier one keeps its exponent.
    soft_weight : float, default=1.0
        Weight of the soft target of a pair of known tasks relative to an observed pair. On
        taxonomies, 0.3 to 1 were alike and 0.1 cost up to .02 of the average precision of
        unseen pairs; in the imports among Python's modules, .12, and 0.5 .03.
    escape_weight : float, default=1.0
        Weight of a loss of unrelated pairs whose first box lies in the second by at least
        half: the pair loss has no gradient if it does as a whole, and none that leads out
        if it sticks out at both ends. It is a smooth minimum of the distances d from the
        center of the first to the faces of the second, in units of the temperature,
        ``-log(mean(exp(-d)))``, and moves the nearest face and the center past each other.
    volume_weight : float, default=0.0
        Weight of the mean over tasks of ``volume ** (-1 / box_dim)``: no box vanishes.
    distance_weight : float, default=0.0
        Weight of the mean over related pairs of the squared distance of their centers.
    squareness_weight : float, default=0.0
        Weight of the mean over tasks of ``sum_{k<l} |side_k - side_l| / box_dim ** 2``.

    References
    ----------
    R. Daroya, A. Sun, S. Maji, "Task2Box: Box Embeddings for Modeling Asymmetric Task
    Relationships", CVPR 2024, arXiv:2403.17173, for the three terms on boxes.
    """

    pair_loss: str | type = "cross_entropy"
    _: KW_ONLY
    positive_weight: float = 3.0
    exponent: float | str = "auto"
    soft_weight: float = 1.0
    escape_weight: float = 1.0
    volume_weight: float = 0.0
    distance_weight: float = 0.0
    squareness_weight: float = 0.0

    _parameter_constraints = {  # noqa: RUF012
        "pair_loss": [StrOptions(set(PAIR_LOSSES)), type],
        "positive_weight": [Interval(Real, 0, None, closed="neither")],
        "exponent": [Interval(Real, 0, None, closed="neither"), StrOptions({"auto"})],
        "soft_weight": [Interval(Real, 0, None, closed="neither")],
        "escape_weight": [Interval(Real, 0, None, closed="left")],
        "volume_weight": [Interval(Real, 0, None, closed="left")],
        "distance_weight": [Interval(Real, 0, None, closed="left")],
        "squareness_weight": [Interval(Real, 0, None, closed="left")],
    }

    @classmethod
    def of(cls, objective: str | type | Self) -> Self:
        """The objective itself, or that of a pair loss given by its name or class."""
        objective = objective if isinstance(objective, cls) else cls(objective)
        objective._validate_params()
        return objective

    def exponent_for(self, box_dim: int, graded: bool) -> float:
        """Power of the overlaps, given whether relations are graded."""
        if self.exponent != "auto":
            return float(self.exponent)
        return 1 / box_dim if graded and box_dim > 2 else 1.0

    def make_loss(self, temperature: float, exponent: float) -> nn.Module:
        """The torch module to be minimized; ValueError if its pair loss is unusable."""
        if isinstance(self.pair_loss, str):
            pair_loss = PAIR_LOSSES[self.pair_loss]()
        elif issubclass(self.pair_loss, nn.Module):
            pair_loss = self.pair_loss()
            _check_elementwise(pair_loss)
        else:
            raise ValueError(
                f"objective must be one of {sorted(PAIR_LOSSES)}, a class derived from "
                "torch.nn.Module or an Objective; got the class "
                f"{self.pair_loss.__name__}."
            )
        return ObjectiveLoss(self, pair_loss, temperature, exponent)


def _check_elementwise(pair_loss):
    strengths = torch.tensor([[0.0, 0.5, 1.0]])
    losses = pair_loss(-0.5 - strengths, strengths)
    shape = getattr(losses, "shape", None)
    if shape != strengths.shape:
        raise ValueError(
            f"objective={type(pair_loss).__name__} must map (log_overlap, strengths) to a "
            f"loss for each pair: of tensors of shape {tuple(strengths.shape)} it made "
            + (type(losses).__name__ if shape is None else f"the shape {tuple(shape)}")
            + ". Leave out the mean or sum, such as by reduction='none'."
        )


class ObjectiveLoss(nn.Module):
    """Loss of boxes and pairs by an :class:`~sklearn_task2box.nets.Objective`.

    For the others, see :func:`~sklearn_task2box.boxes._pair_loss.pairs_loss`.
    """

    def __init__(self, objective, pair_loss, temperature, exponent):
        super().__init__()
        self.objective = objective
        self.pair_loss = pair_loss
        self.temperature = temperature
        self.exponent = exponent

    def forward(self, boxes, pairs):
        """Loss of boxes, given by two tensors of shape (n_tasks, box_dim), and pairs."""
        lower, upper = boxes
        settings = self.temperature, pairs, self.pair_loss, self.exponent
        total = pairs_loss(lower, upper, *settings)
        box_dim, weights = lower.shape[1], self.objective
        if weights.escape_weight:
            heads, tails = pairs.mostly_inside(lower.detach(), upper.detach())
            if len(heads):
                centers = (lower[heads] + upper[heads]) / 2
                faces = [centers - lower[tails], upper[tails] - centers]
                depths = torch.cat(faces, dim=1) / self.temperature
                escapes = math.log(2 * box_dim) - torch.logsumexp(-depths, dim=1)
                total = total + weights.escape_weight * escapes.sum() / pairs.total_weight
        if weights.volume_weight:
            log_volumes = log_volume(lower, upper, self.temperature)
            total = total + weights.volume_weight * (-log_volumes / box_dim).exp().mean()
        if weights.distance_weight:
            heads, tails = pairs.related()
            centers = (lower + upper) / 2
            squares = ((centers[heads] - centers[tails]) ** 2).sum()
            total = total + weights.distance_weight * squares / max(len(heads), 1)
        if weights.squareness_weight and box_dim > 1:
            sides = (upper - lower).sort(dim=1).values
            # |a - b| summed over pairs: the k-th smallest stands above k, below the rest.
            rank = torch.arange(box_dim, dtype=sides.dtype, device=sides.device)
            spread = (sides * (2 * rank - box_dim + 1)).sum(1) / box_dim**2
            total = total + weights.squareness_weight * spread.mean()
        return total
