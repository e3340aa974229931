"""Axis-aligned boxes: volumes, intersections and overlaps, as functions on tensors.

A box is a pair of tensors (lower, upper) of equal shape (..., box_dim). All functions
broadcast over the leading dimensions and stay finite, gradients included.

The volume is the soft one of Dasgupta et al., "Improving Local Identifiability in
Probabilistic Box Embeddings", NeurIPS 2020 (equation 7): a side s counts as
``softplus(s / temperature) * temperature``, which is positive even where two boxes are
disjoint, and s is negative. The intersection is the hard one: the softer one of that paper
makes a box differ from its intersection with itself, and did not help.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

# Below this, log(softplus(z)) and z differ by less than exp(z) / 2.
_LINEAR_BELOW = -30.0
# Where three softplus(z) are multiplied: below, exp(z) to rounding; above, cut.
SHORTEST = {torch.float32: -20.0, torch.float64: -36.0}
_LONGEST = 1e12
FACTORS = 3
# A box that is contained to rounding is contained: its overlap is 1.
_CONTAINED = -1e-12


class _LogSoftplus(torch.autograd.Function):
    """log(softplus(z)) and its derivative, where torch's functions underflow to log(0)."""

    @staticmethod
    def forward(ctx, z):
        ctx.save_for_backward(z)
        largest = torch.finfo(z.dtype).max
        soft = F.softplus(z.clamp(_LINEAR_BELOW, largest)).log_()
        return torch.where(z > _LINEAR_BELOW, soft, z.clamp(min=-largest))

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad):
        (z,) = ctx.saved_tensors
        clamped = z.clamp(_LINEAR_BELOW, torch.finfo(z.dtype).max)
        slope = torch.sigmoid(clamped).div_(F.softplus(clamped))
        return grad * torch.where(z > _LINEAR_BELOW, slope, torch.ones_like(slope))


def log_softplus(z: Tensor) -> Tensor:
    """log(log(1 + exp(z))), elementwise, without underflow.

    Parameters
    ----------
    z : tensor

    Returns
    -------
    tensor of the same shape
        About ``z`` far below 0, about ``log(z)`` far above.
    """
    return _LogSoftplus.apply(z)


def intersection(
    lower: Tensor, upper: Tensor, other_lower: Tensor, other_upper: Tensor
) -> tuple[Tensor, Tensor]:
    """Corners of the intersection of boxes.

    Parameters
    ----------
    lower, upper, other_lower, other_upper : tensor of shape (..., box_dim)
        Corners of the boxes; the leading dimensions broadcast.

    Returns
    -------
    lower, upper : tensor of shape (..., box_dim)
        In a dimension in which the boxes are disjoint, lower exceeds upper by the gap.
    """
    return torch.maximum(lower, other_lower), torch.minimum(upper, other_upper)


def log_volume(lower: Tensor, upper: Tensor, temperature: float) -> Tensor:
    """Logarithm of the soft volume of boxes.

    Parameters
    ----------
    lower, upper : tensor of shape (..., box_dim)
        Corners; ``upper < lower`` is allowed and counts as a gap.
    temperature : float
        Length, in units of the space, below which a side counts as short. Positive.

    Returns
    -------
    tensor of shape (...)
        Sum over the dimensions of ``log(temperature * softplus(side / temperature))``.
    """
    sides = log_softplus((upper - lower) / temperature)
    return sides.sum(-1) + lower.shape[-1] * math.log(temperature)


def log_overlap(
    lower: Tensor,
    upper: Tensor,
    other_lower: Tensor,
    other_upper: Tensor,
    temperature: float,
) -> Tensor:
    """Logarithm of vol(box ∩ other) / vol(box), the share of a box that lies in another.

    Parameters
    ----------
    lower, upper : tensor of shape (..., box_dim)
        Corners of the boxes whose share is computed.
    other_lower, other_upper : tensor of shape (..., box_dim)
        Corners of the boxes they may lie in; leading dimensions broadcast, so that
        ``log_overlap(l[:, None], u[:, None], l[None], u[None], t)`` is the table of all
        ordered pairs.
    temperature : float
        See :func:`log_volume`.

    Returns
    -------
    tensor of shape (...)
        At most 0, and 0 exactly where the box lies in the other. Between disjoint boxes
        it falls linearly with their distance, so its gradient never vanishes.
    """
    total = lower.new_zeros(())
    # One dimension at a time: no tensor of shape (..., box_dim) for a table of pairs.
    for k in range(lower.shape[-1]):
        low, high = lower[..., k], upper[..., k]
        left, right = intersection(low, high, other_lower[..., k], other_upper[..., k])
        shared, own = (log_softplus(s / temperature) for s in (right - left, high - low))
        total = total + (shared - own)
    return total.clamp(max=0)  # rounding, where one box lies in the other


def overlap(
    lower: Tensor,
    upper: Tensor,
    other_lower: Tensor,
    other_upper: Tensor,
    temperature: float,
) -> Tensor:
    """Share of a box that lies in another, vol(box ∩ other) / vol(box).

    Parameters
    ----------
    lower, upper, other_lower, other_upper : tensor of shape (..., box_dim)
    temperature : float
        As of :func:`log_overlap`.

    Returns
    -------
    tensor of shape (...)
        In [0, 1].
    """
    return log_overlap(lower, upper, other_lower, other_upper, temperature).exp()


def sum_log_softplus(z, memory=None, slopes=True):
    """Sum of log(softplus(z)) over the first axis, and its derivatives; made for speed.

    z, of shape (box_dim, ...), counts as at most 1e12 and is overwritten. The results are
    among ``memory``, three or more such tensors; without ``slopes``, the second is None.
    """
    clamped, soft, slope = memory[:3] if memory else [torch.empty_like(z) for _ in "123"]
    torch.clamp(z, min=SHORTEST[z.dtype], max=_LONGEST, out=clamped)
    tail = z.sub_(clamped).clamp_(max=0)
    # softplus(z) = max(z, 0) - log(1 - sigmoid(-|z|)), whose slope is sigmoid(z).
    torch.abs(clamped, out=soft).neg_().sigmoid_().neg_().log1p_()
    torch.clamp(clamped, min=0, out=slope)
    torch.sub(slope, soft, out=soft)
    if slopes:
        torch.sigmoid(clamped, out=slope).div_(soft)
    total = None
    for first in range(0, len(soft), FACTORS):
        product = soft[first]
        for k in range(first + 1, min(first + FACTORS, len(soft))):
            product.mul_(soft[k])
        product.log_()
        total = product if total is None else total.add_(product)
    for k in range(len(tail)):
        total.add_(tail[k])
    return total, slope if slopes else None


def overlap_by_dimension(lower, upper, other_lower, other_upper, temperature, exponent=1.0):
    """Overlaps, to a power, of boxes with corners (box_dim, ...); no gradient."""
    shared = torch.minimum(upper, other_upper)
    shared.sub_(torch.maximum(lower, other_lower)).div_(temperature)
    shared, _ = sum_log_softplus(shared, slopes=False)
    own, _ = sum_log_softplus((upper - lower).div_(temperature), slopes=False)
    shared.sub_(own)
    return shared.masked_fill_(shared > _CONTAINED, 0.0).mul_(exponent).exp_()
