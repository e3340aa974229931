"""What a fit minimises: a loss of every observed pair, and terms on the boxes."""

import math

import torch
from torch import nn

from sklearn_task2box.geometry import log_volume
from sklearn_task2box.pairwise import pairs_loss


class CrossEntropy(nn.Module):
    """Cross-entropy between strengths and overlaps, from the logarithm of the overlap.

    ``-(s log p + (1 - s) log(1 - p))`` with ``p = (1 - slack) * overlap``, for strengths s
    of 0, 1 or anything between.

    Parameters
    ----------
    slack : float, default=1e-3
        Keeps the loss of a pair that is wrongly contained (p = 1) and its gradient finite.
    """

    def __init__(self, slack=1e-3):
        super().__init__()
        self.log_keep = math.log1p(-slack)

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

    def forward(self, log_overlap, strengths):
        return (log_overlap.exp() - strengths) ** 2

    def unrelated(self, log_overlap):
        """Sum of the losses at strength 0, and their gradient in place of the overlaps."""
        squares = log_overlap.mul_(2).exp_()
        return squares.sum(), squares.mul_(2)


PAIR_LOSSES = {"cross_entropy": CrossEntropy, "squared_error": SquaredError}


class Objective(nn.Module):
    """Mean loss over the observed pairs, plus Task2Box's terms on the boxes.

    Every term is a mean, over pairs or over tasks, so weights found on a hundred tasks
    serve for ten thousand.

    Parameters
    ----------
    pair_loss : nn.Module
        Maps (log_overlap, strengths) to losses, elementwise.
    temperature : float
        Of the soft volume, see :func:`~sklearn_task2box.geometry.log_volume`.
    volume_weight : float, default=0.0
        Of the mean over tasks of ``volume ** (-1 / box_dim)``: no box vanishes.
    distance_weight : float, default=0.0
        Of the mean over related pairs of the squared distance of their centres.
    squareness_weight : float, default=0.0
        Of the mean over tasks of ``sum_{k<l} |side_k - side_l| / box_dim ** 2``.
    exponent : float, default=1.0
        Strengths are overlaps to this power.
    """

    def __init__(
        self,
        pair_loss,
        temperature,
        volume_weight=0.0,
        distance_weight=0.0,
        squareness_weight=0.0,
        exponent=1.0,
    ):
        super().__init__()
        self.pair_loss = pair_loss
        self.temperature = temperature
        self.volume_weight = volume_weight
        self.distance_weight = distance_weight
        self.squareness_weight = squareness_weight
        self.exponent = exponent

    def forward(self, boxes, pairs):
        """The loss of boxes.

        Parameters
        ----------
        boxes : tuple of two tensors of shape (n_tasks, box_dim)
            Lower and upper corners.
        pairs : PairTable or PairList
            Of :mod:`sklearn_task2box.pairwise`.

        Returns
        -------
        loss : tensor without dimensions
        """
        lower, upper = boxes
        settings = self.temperature, pairs, self.pair_loss, self.exponent
        total = pairs_loss(lower, upper, *settings)
        box_dim = lower.shape[1]
        if self.volume_weight:
            log_volumes = log_volume(lower, upper, self.temperature)
            total = total + self.volume_weight * (-log_volumes / box_dim).exp().mean()
        if self.distance_weight:
            heads, tails = pairs.related()
            centers = (lower + upper) / 2
            squares = ((centers[heads] - centers[tails]) ** 2).sum()
            total = total + self.distance_weight * squares / max(len(heads), 1)
        if self.squareness_weight and box_dim > 1:
            sides = (upper - lower).sort(dim=1).values
            # |a - b| summed over pairs: the k-th smallest stands above k, below the rest.
            rank = torch.arange(box_dim, dtype=sides.dtype, device=sides.device)
            spread = (sides * (2 * rank - box_dim + 1)).sum(1) / box_dim**2
            total = total + self.squareness_weight * spread.mean()
        return total
