"""Out-of-sample embedding: the box of a new task among boxes that stay where they are.

A network generalizes from the known tasks to a new one in a single pass, and its box need
not make the overlaps that are expected of the task. So that box is where an optimization
starts: for the box whose overlaps with the known ones fit best what is expected, as UMAP
and other maps transform new points. Each task is embedded independently of the others.
"""

import numpy as np
import torch

from sklearn_task2box.boxes._geometry import log_softplus, sum_log_softplus

# Initial step size of Adam, in units of the outputs of a network; it falls to 0.
_RATE = 0.1
# Numbers at work for each array of (box_dim, new tasks, known tasks).
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


def fit_boxes(
    encoder,
    outputs,
    known,
    weights,
    inside,
    around,
    pair_loss,
    positive_weight,
    temperature,
    n_steps,
    exponent=1.0,
    start_share=0.0,
    around_weight=0.1,
):
    """Boxes of new tasks, (n_new, 2 * box_dim), fitted to strengths with known ones.

    Adam minimizes the loss of a fit over the pairs of one new task and each known one, in
    both directions, of which those around the new task have ``around_weight``. Most new
    tasks contain nothing, and boxes that may overlap no other member of a container find no
    place in it: of 1, 0.1 and 0.01, 0.1 was good with kernel ridge regression as teacher
    (average precision of new tasks in known ones up by 0 to .035 on five data sets), and 1
    with an ensemble. It starts from ``outputs`` of the body of the encoder, (n_new, 2 *
    box_dim). ``inside`` and ``around``, (n_new, n_known), are strengths of the relations
    from new tasks to known ones, and back; fitted are
    ``(1 - start_share) * given + start_share * at the start``. ``weights``, (n_known,),
    are those of the pairs with each of the ``known`` boxes, (n_known, 2 * box_dim). The
    other arguments are those of :func:`~sklearn_task2box.boxes._pair_loss.pairs_loss` and
    of an :class:`~sklearn_task2box.nets.Objective`.
    """
    boxes_of = encoder.boxes_of
    known, counts, inside, around = (
        torch.from_numpy(np.ascontiguousarray(array))
        for array in (known, weights, inside, around)
    )
    known_lower, known_upper = (known / temperature).T.chunk(2)
    known_volumes, _ = sum_log_softplus(known_upper - known_lower, slopes=False)

    def fit(outputs, inside, around):
        strengths = torch.stack([inside, around])
        outputs = outputs.clone().requires_grad_()
        optimizer = torch.optim.Adam([outputs], lr=_RATE)
        for i in range(n_steps):
            optimizer.param_groups[0]["lr"] = _RATE * (1 - i / n_steps)
            lower, upper = (corner / temperature for corner in boxes_of(outputs))
            volumes = log_softplus(upper - lower).sum(1)
            shared = _SharedVolumes.apply(lower, upper, known_lower, known_upper)
            overlaps = torch.stack([shared - volumes[:, None], shared - known_volumes])
            overlaps = exponent * overlaps.clamp(max=0)
            if i == 0:
                strengths = strengths.lerp(overlaps.detach().exp(), start_share)
                weights = counts * (1 + (positive_weight - 1) * strengths)
            losses = pair_loss(overlaps, strengths)
            optimizer.zero_grad()
            inside_loss, around_loss = (weights * losses).sum((1, 2))
            (inside_loss + around_weight * around_loss).backward()
            optimizer.step()
        with torch.no_grad():
            return torch.cat(boxes_of(outputs), dim=1)

    step = max(1, _BLOCK // known.numel())
    # Rounding errors depend on the batch, and steps would amplify them: cut them off.
    parts = (t.float().double().split(step) for t in (outputs, inside, around))
    return torch.cat([fit(*part) for part in zip(*parts, strict=True)]).numpy()
