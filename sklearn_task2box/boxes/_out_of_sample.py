"""Out-of-sample embedding: the box of a new task among boxes that stay where they are.

A network generalizes from the known tasks to a new one in a single pass, and its box need
not make the overlaps that are expected of the task. So an optimization looks for the box
whose overlaps with the known ones fit best what is expected, as UMAP and other maps
transform new points. It starts twice, from that box and from the box of a known or
augmented task whose overlaps are most like those expected, since both can end in a poor
local optimum. Each task is embedded independently of the others.
"""

import numpy as np
import torch

from sklearn_task2box.boxes._geometry import log_softplus, sum_log_softplus

# Initial step size of Adam, in units of the outputs of a network; it falls to 0.
_RATE = 0.1
# Boxes that an optimization may start from, and how far from them, as a share of their
# sides: a box that coincides with another has no gradient.
_MAX_STARTS, _MOVED = 1000, 0.35
# Numbers at work for each array of (box_dim, starts, known tasks).
_BLOCK = 1 << 18


class _SharedVolumes(torch.autograd.Function):
    """Logarithms of the soft volumes that boxes share with known ones, in units of 1.

    Corners of the boxes are of shape (n, box_dim), those of the known ones of shape
    (box_dim, n_known).
    """

    @staticmethod
    def forward(ctx, lower, upper, known_lower, known_upper):
        lower, upper = lower.T[:, :, None], upper.T[:, :, None]
        known_lower, known_upper = known_lower[:, None], known_upper[:, None]
        z = torch.minimum(upper, known_upper)
        shared, slopes = sum_log_softplus(z.sub_(torch.maximum(lower, known_lower)))
        ctx.save_for_backward(
            slopes * (lower > known_lower), slopes * (upper < known_upper)
        )
        return shared

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad):
        by_lower, by_upper = ((slopes * grad).sum(2).T for slopes in ctx.saved_tensors)
        return -by_lower, by_upper, None, None


class Surroundings:
    """Known boxes, which stay where they are, and the losses of new boxes among them.

    Adam minimizes the loss of a fit over the pairs of one new task and each known one, in
    both directions, of which those around the new task have ``around_weight``. Most new
    tasks contain nothing, and boxes that may overlap no other member of a container find no
    place in it: of 1, 0.2, 0.1, 0.05, 0.03 and 0.01, 0.1 was good for both directions.

    The boxes are those of ``outputs``, (n_boxes, 2 * box_dim), of the body of the encoder:
    first ``n_known`` known ones, then others, which only are places to start from. ``loss``
    is the ObjectiveLoss of the fit.
    """

    def __init__(self, encoder, outputs, n_known, loss, around_weight):
        self.boxes_of = encoder.boxes_of
        self.temperature = loss.temperature
        self.exponent = loss.exponent
        self.pair_loss = loss.pair_loss.double()
        self.positive_weight = loss.objective.positive_weight
        self.around_weight = around_weight
        self.step = max(1, _BLOCK // (2 * outputs.numel()))
        with torch.no_grad():
            corners = self.boxes_of(outputs[:n_known])
            self.lower, self.upper = (c.T.contiguous() / self.temperature for c in corners)
            self.log_volumes, _ = sum_log_softplus(self.upper - self.lower, slopes=False)
            self._find_starts(outputs)

    def _find_starts(self, outputs):
        """Outputs near those given, and the losses of their pairs if each was 1 or 0."""
        n, dim = len(outputs), len(self.lower)
        chosen = np.linspace(0, n - 1, min(n, _MAX_STARTS)).astype(int)
        self.starts = outputs[chosen]
        lower, upper = self.boxes_of(self.starts)
        moves = np.random.RandomState(0).uniform(-0.5, 0.5, size=(len(chosen), dim))
        self.starts[:, :dim] += _MOVED * torch.from_numpy(moves) * (upper - lower)
        log_overlaps = map(self._log_overlaps, self.starts.split(self.step))
        log_overlaps = torch.cat(list(log_overlaps), dim=1)
        ones = torch.ones_like(log_overlaps)
        self.start_losses = [self.pair_loss(log_overlaps, t) for t in (ones - 1, ones)]

    def _log_overlaps(self, outputs):
        """Logarithms of strengths of new tasks in known ones, and back, both stacked."""
        lower, upper = (corner / self.temperature for corner in self.boxes_of(outputs))
        volumes = log_softplus(upper - lower).sum(1)
        shared = _SharedVolumes.apply(lower, upper, self.lower, self.upper)
        overlaps = torch.stack([shared - volumes[:, None], shared - self.log_volumes])
        return self.exponent * overlaps.clamp(max=0)

    def _weigh(self, strengths):
        weights = 1 + (self.positive_weight - 1) * strengths
        return weights * torch.tensor([1.0, self.around_weight])[:, None, None]

    def fit(self, outputs, inside, around, n_steps):
        """Boxes of new tasks, (n_new, 2 * box_dim), fitted to strengths with known ones.

        One start is from ``outputs`` of the body of the encoder, (n_new, 2 * box_dim).
        ``inside`` and ``around``, (n_new, n_known), are strengths of the relations from
        new tasks to known ones, and back.
        """
        arrays = (torch.from_numpy(np.ascontiguousarray(a)) for a in (inside, around))
        # Rounding depends on the batch, and steps would amplify errors: cut them off.
        parts = (t.float().double().split(self.step) for t in (outputs, *arrays))
        boxes = [
            self._fit_part(outputs, torch.stack(strengths), n_steps)
            for outputs, *strengths in zip(*parts, strict=True)
        ]
        return torch.cat(boxes).numpy()

    def _fit_part(self, outputs, strengths, n_steps):
        weights = self._weigh(strengths)
        starts = torch.stack([outputs, self._nearest(strengths, weights)])
        twice = (table.repeat(1, 2, 1) for table in (strengths, weights))
        boxes, losses = self._descend(starts.flatten(0, 1), *twice, n_steps)
        better = losses.view(starts.shape[:2]).argmin(0)
        return boxes.view(starts.shape)[better, torch.arange(len(outputs))]

    def _nearest(self, strengths, weights):
        """Outputs near those whose box would have the least loss."""
        zero, one = self.start_losses
        losses = (weights * (1 - strengths)) @ zero.mT + (weights * strengths) @ one.mT
        # As equal: ties are broken by the order of tasks.
        return self.starts[losses.sum(0).float().argmin(1)]

    def _descend(self, outputs, strengths, weights, n_steps):
        """Boxes of a local optimum, (n_new, 2 * box_dim), and their losses, (n_new,)."""
        outputs = outputs.clone().requires_grad_()
        optimizer = torch.optim.Adam([outputs], lr=_RATE)

        def losses():
            return (weights * self.pair_loss(self._log_overlaps(outputs), strengths)).sum(
                (0, 2)
            )

        for i in range(n_steps):
            optimizer.param_groups[0]["lr"] = _RATE * (1 - i / n_steps)
            optimizer.zero_grad()
            losses().sum().backward()
            optimizer.step()
        with torch.no_grad():
            return torch.cat(self.boxes_of(outputs), dim=1), losses()
