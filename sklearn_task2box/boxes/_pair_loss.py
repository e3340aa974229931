"""The loss of many ordered pairs of boxes and its gradient, in one pass over blocks.

The gradient is computed along with the loss, block by block, so that nothing of shape
(n_tasks, n_tasks, box_dim) ever exists and the numbers of a block stay in a processor's
cache. In the table of all pairs, the intersection of i and j is computed once for (i, j)
and (j, i). Volumes and overlaps are those of :mod:`sklearn_task2box.boxes._geometry`.
"""

from functools import cache, cached_property
from importlib.util import find_spec

import numpy as np
import torch

from sklearn_task2box.boxes._geometry import sum_log_softplus

# Numbers in a block, box_dim x rows x columns; four such arrays are the working memory.
BLOCK = 1 << 19


@cache
def _has_numba():
    return find_spec("numba") is not None


def _compiled_for(corners):
    """The module of compiled loops, where it is for such corners; else None."""
    if corners.is_cuda or corners.dtype != torch.float32 or not _has_numba():
        return None
    from sklearn_task2box.boxes import _compiled

    return _compiled


def block_size(device):
    """Numbers in a block: what a cache holds, or a part of the memory of a GPU."""
    device = torch.device(device)
    if device.type != "cuda":
        return BLOCK
    # Not of what is free: sums of other blocks are other numbers, and the same fit would
    # depend on what else the GPU is used for. A block is worth ten arrays.
    _, total = torch.cuda.mem_get_info(device)
    return int(max(BLOCK, min(total // 256, 1 << 27)))


def _add_at(sums, ends, values):
    """Add values, (..., n_pairs), at the positions ``ends`` of the last dimension."""
    if sums.is_cuda:  # where index_add_ adds in another order in each run
        sums.movedim(-1, 0).index_put_((ends,), values.movedim(-1, 0), accumulate=True)
    else:
        sums.index_add_(-1, ends, values)


class PairList:
    """Some ordered pairs: heads, tails, strengths and weights, tensors of shape (n_pairs,).

    The working memory is four arrays of ``block`` numbers.
    """

    def __init__(self, heads, tails, strengths, weights, block=BLOCK):
        self.heads = heads
        self.tails = tails
        self.strengths = strengths
        self.weights = weights
        self.block = block
        self.total_weight = weights.sum()

    def __len__(self):
        return len(self.heads)

    def related(self):
        """Heads and tails of the pairs of positive strength and weight."""
        chosen = (self.strengths > 0) & (self.weights > 0)
        return self.heads[chosen], self.tails[chosen]

    def mostly_inside(self, lower, upper):
        """Heads and tails of unrelated pairs of which half of the head is in the tail."""
        chosen = (self.strengths == 0) & (self.weights > 0)
        return _mostly_inside(self.heads[chosen], self.tails[chosen], lower, upper)

    def _accumulate(self, work):
        step = max(1, self.block // work.dim)
        for start in range(0, len(self), step):
            part = slice(start, start + step)
            heads, tails = self.heads[part], self.tails[part]
            lower, upper = work.lower, work.upper
            ends = [c.index_select(1, i) for c in (lower, upper) for i in (heads, tails)]
            below, above = ends[0] - ends[1], ends[2] - ends[3]  # heads less tails
            z = torch.minimum(ends[2], ends[3], out=ends[3])
            z.sub_(torch.maximum(ends[0], ends[1], out=ends[1]))
            shared, slopes = sum_log_softplus(z, ends)
            overlaps = work.powered(shared.sub_(work.log_volumes[heads]).clamp_(max=0))
            gradient = work.loss(overlaps, self.strengths[part], self.weights[part])
            gradient = work.powered(gradient)
            slopes.mul_(gradient)
            _add_at(work.volume_gradient, heads, -gradient)
            # min(a, b) = (a + b - |a - b|) / 2, and likewise max.
            turned = above.sign_().mul_(slopes)
            _add_at(work.upper_gradient, heads, slopes - turned)
            _add_at(work.upper_gradient, tails, slopes + turned)
            turned = below.sign_().mul_(slopes)
            _add_at(work.lower_gradient, heads, -slopes - turned)
            _add_at(work.lower_gradient, tails, turned - slopes)


def _mostly_inside(heads, tails, lower, upper):
    """Those of the pairs of heads and tails of which half of the head is in the tail."""
    sides = upper[heads] - lower[heads]
    shared = torch.minimum(upper[heads], upper[tails])
    shared -= torch.maximum(lower[heads], lower[tails])
    shares = torch.where(sides > 0, shared.clamp(min=0) / sides, (shared >= 0).to(sides))
    chosen = shares.prod(1) >= 0.5
    return heads[chosen], tails[chosen]


class PairTable:
    """All ordered pairs of tasks: unrelated and of weight 1 but for those listed.

    Heads, tails, strengths and weights, arrays of shape (n_listed,), list each pair at most
    once, and none of a task with itself, which never counts. Where no pair of two of the
    last tasks counts, as of augmented tasks, the part of the table that holds these pairs
    is not computed. The working memory is four arrays of ``block`` numbers, or of box_dim
    rows of the table where that is more.
    """

    def __init__(
        self, n_tasks, heads, tails, strengths, weights, block=BLOCK, device="cpu"
    ):
        self.n_tasks = n_tasks
        self.heads = np.asarray(heads, dtype=np.int64)
        self.tails = np.asarray(tails, dtype=np.int64)
        self.strengths = np.asarray(strengths, dtype=np.float32)
        self.weights = np.asarray(weights, dtype=np.float32)
        self.block = block
        self.device = device
        listed = self.weights.sum(dtype=float) - len(self.heads)
        self.total_weight = n_tasks * (n_tasks - 1) + listed
        self.n_rows = self._count_rows()
        computed = np.minimum(self.heads, self.tails) < self.n_rows
        self.heads, self.tails, self.strengths, self.weights = (
            array[computed]
            for array in (self.heads, self.tails, self.strengths, self.weights)
        )
        self._plan = self._listed = None

    def __len__(self):
        return self.n_tasks**2

    def related(self):
        """Heads and tails of the pairs of positive strength and weight."""
        chosen = (self.strengths > 0) & (self.weights > 0)
        ends = self.heads[chosen], self.tails[chosen]
        return tuple(torch.from_numpy(end).to(self.device) for end in ends)

    @cached_property
    def unrelated(self):
        """Whether each pair is unrelated and counts: bool of shape (n_tasks, n_tasks)."""
        unrelated = ~np.eye(self.n_tasks, dtype=bool)
        unrelated[self.n_rows :, self.n_rows :] = False
        unrelated[self.heads, self.tails] = (self.strengths == 0) & (self.weights > 0)
        return torch.from_numpy(unrelated).to(self.device)

    def mostly_inside(self, lower, upper):
        """Heads and tails of unrelated pairs of which half of the head is in the tail."""
        compiled = _compiled_for(lower)
        if compiled is not None:
            given = lower.numpy(), upper.numpy(), self.unrelated.numpy(), self.n_rows
            return tuple(map(torch.from_numpy, compiled.mostly_inside(*given)))
        low, high = lower[:, 0], upper[:, 0]
        center = (low + high)[:, None] / 2
        inside = (low <= center) & (center <= high) & self.unrelated
        ends = inside.nonzero(as_tuple=True)  # in the first dimension: few are left
        return _mostly_inside(*ends, lower, upper)

    def _count_rows(self):
        """Number of tasks, from the first, whose rows hold all pairs that count."""
        ignored = self.weights == 0
        firsts = np.minimum(self.heads, self.tails)[ignored]
        # Pairs that don't count among each task and those after it, and how many there are.
        counts = np.bincount(firsts, minlength=self.n_tasks)[::-1].cumsum()[::-1]
        n_last = self.n_tasks - np.arange(self.n_tasks)
        # A single last task has no pair that could be left out.
        none_counts = (counts == n_last * (n_last - 1)) & (n_last > 1)
        return max(1, int(np.argmax(none_counts))) if none_counts.any() else self.n_tasks

    def _blocks(self, dim):
        """Rows of the upper triangle that one block takes: all columns from its first."""
        starts = [0]
        while starts[-1] < self.n_rows:
            rows, columns = self.n_rows - starts[-1], self.n_tasks - starts[-1]
            starts.append(starts[-1] + min(rows, max(1, self.block // (dim * columns))))
        return np.array(starts)

    def _make_plan(self, work):
        """Positions of the listed pairs in each block, and working memory."""
        starts = self._blocks(work.dim)
        own = np.arange(self.n_rows)
        heads, tails = (np.concatenate([ends, own]) for ends in (self.heads, self.tails))
        zeros = np.zeros(self.n_rows, dtype=np.float32)
        strengths = np.concatenate([self.strengths, zeros])
        weights = np.concatenate([self.weights, zeros])
        # A pair stands in the block of its head, or, turned round, in that of its tail.
        block_of = np.searchsorted(starts, np.arange(self.n_tasks), side="right") - 1
        reverse = block_of[tails] < block_of[heads]
        at = np.where(reverse, block_of[tails], block_of[heads])
        first, last = starts[at], starts[at + 1]
        rows, columns = last - first, self.n_tasks - first
        direct = (heads - first) * columns + tails - first
        turned = rows * columns + (tails - first) * (columns - rows) + heads - last
        positions = np.where(reverse, turned, direct)
        order = np.lexsort((positions, at))
        cuts = np.searchsorted(at[order], np.arange(1, len(starts) - 1))
        parts = zip(
            *(np.split(array[order], cuts) for array in (positions, strengths, weights)),
            strict=True,
        )
        listed = []
        for positions, strengths, weights in parts:
            counts = weights != 0
            arrays = positions, positions[counts], strengths[counts], weights[counts]
            tensors = [torch.from_numpy(array).to(self.device) for array in arrays]
            listed.append(tensors[:2] + [t.to(work.lower.dtype) for t in tensors[2:]])
        sizes = np.diff(starts) * (self.n_tasks - starts[:-1])
        memory = [work.lower.new_empty(work.dim * sizes.max()) for _ in range(4)]
        self._plan = starts.tolist(), listed, memory
        self._plan_for = work.dim, work.lower.dtype

    def _accumulate(self, work):
        compiled = _compiled_for(work.lower)
        if compiled is not None and hasattr(work.pair_loss, "formula"):
            if self._listed is None:
                listed = self.heads, self.tails, self.strengths, self.weights
                self._listed = compiled.plan(self.n_rows, *listed)
            compiled.add_table(work, self.n_rows, self._listed, *work.pair_loss.formula)
            return
        if self._plan is None or self._plan_for != (work.dim, work.lower.dtype):
            self._make_plan(work)
        starts, listed, memory = self._plan
        for start, stop, chosen in zip(starts[:-1], starts[1:], listed, strict=True):
            self._accumulate_block(work, start, stop, chosen, memory)

    def _accumulate_block(self, work, start, stop, listed, memory):
        rows, columns = stop - start, self.n_tasks - start
        shape = work.dim, rows, columns
        z, *rest = (m[: work.dim * rows * columns].view(shape) for m in memory)
        lower, upper = work.lower, work.upper
        ends = [c[:, start:stop, None] for c in (lower, upper)]
        others = [c[:, None, start:] for c in (lower, upper)]
        torch.minimum(ends[1], others[1], out=z)
        z.sub_(torch.maximum(ends[0], others[0], out=rest[0]))
        shared, slopes = sum_log_softplus(z, rest)

        # Overlaps of the rows with the columns, then the other way round; within the
        # first square, the former have both.
        overlaps = shared.new_empty(rows * columns + rows * (columns - rows))
        there = overlaps[: rows * columns].view(rows, columns)
        back = overlaps[rows * columns :].view(rows, columns - rows)
        torch.sub(shared, work.log_volumes[start:stop, None], out=there)
        torch.sub(shared[:, rows:], work.log_volumes[None, stop:], out=back)
        overlaps.clamp_(max=0)  # rounding, where one box lies in the other
        gradient = work.table_loss(work.powered(overlaps), *listed)
        gradient = work.powered(gradient)

        there = gradient[: rows * columns].view(rows, columns)
        back = gradient[rows * columns :].view(rows, columns - rows)
        work.volume_gradient[start:stop] -= there.sum(1)
        work.volume_gradient[stop:] -= back.sum(0)
        there[:, rows:] += back
        slopes.mul_(there)
        by_row, by_column = slopes.sum(2), slopes.sum(1)
        # min(a, b) = (a + b - |a - b|) / 2, and likewise max.
        turned = torch.sub(ends[1], others[1], out=z).sign_().mul_(slopes)
        work.upper_gradient[:, start:stop] += by_row - turned.sum(2)
        work.upper_gradient[:, start:] += by_column + turned.sum(1)
        turned = torch.sub(ends[0], others[0], out=z).sign_().mul_(slopes)
        work.lower_gradient[:, start:stop] -= by_row + turned.sum(2)
        work.lower_gradient[:, start:] -= by_column - turned.sum(1)


def pairs_loss(lower, upper, temperature, pairs, pair_loss, exponent=1.0):
    """Weighted mean, over pairs of boxes, of a loss of their overlaps to a power.

    Corners have the shape (n_tasks, box_dim); ``pairs`` are a PairTable or a PairList. The
    module ``pair_loss`` maps (log_overlap, strengths) to losses, elementwise. It may have a
    method ``unrelated(log_overlap)``, which may overwrite its argument and returns the sum
    of the losses at strength 0 and their gradient: a faster way for the pairs of a table.
    With a ``formula``, (log_keep, whether errors are squared), Numba has a faster one.
    The result is differentiable, once, in the corners and in the parameters of
    ``pair_loss``.
    """
    parameters = [p for p in pair_loss.parameters() if p.requires_grad]
    settings = temperature, pairs, pair_loss, exponent
    return _PairsLoss.apply(lower, upper, *settings, *parameters)


class _PairsLoss(torch.autograd.Function):
    @staticmethod
    def forward(ctx, lower, upper, temperature, pairs, pair_loss, exponent, *parameters):
        work = _Work(lower, upper, temperature, pair_loss, exponent, parameters)
        pairs._accumulate(work)
        gradients = work.finish()
        ctx.save_for_backward(*(g / pairs.total_weight for g in gradients))
        return work.total / pairs.total_weight

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, outer):
        lower, upper, *parameters = (outer * g for g in ctx.saved_tensors)
        return lower, upper, None, None, None, None, *parameters


class _Work:
    """Boxes in units of the temperature, one dimension per row, and sums over pairs."""

    def __init__(self, lower, upper, temperature, pair_loss, exponent, parameters):
        self.temperature = temperature
        self.pair_loss = pair_loss
        self.exponent = exponent
        self.parameters = parameters
        self.lower, self.upper = (
            (corner.detach() / temperature).T.contiguous() for corner in (lower, upper)
        )
        self.dim = len(self.lower)
        z = self.upper - self.lower
        self.log_volumes, self.own_slopes = sum_log_softplus(z)
        self.total = z.new_zeros(())
        self.volume_gradient = torch.zeros_like(self.log_volumes)
        self.lower_gradient, self.upper_gradient = torch.zeros_like(z), torch.zeros_like(z)
        self.parameter_gradients = [torch.zeros_like(p) for p in parameters]

    def powered(self, values):
        """Log-overlaps, or gradients of the loss in them, times the exponent."""
        return values if self.exponent == 1 else values.mul_(self.exponent)

    def loss(self, overlaps, strengths, weights):
        """Add losses of pairs to the total, and return their gradient."""
        with torch.enable_grad():
            overlaps = overlaps.detach().requires_grad_()
            losses = self.pair_loss(overlaps, strengths)
            total = (losses * weights).sum()
            gradient, *others = torch.autograd.grad(
                total, [overlaps, *self.parameters], materialize_grads=True
            )
        self.total += total.detach()
        for ours, more in zip(self.parameter_gradients, others, strict=True):
            ours += more
        return gradient

    def table_loss(self, overlaps, listed, counted, strengths, weights):
        """The same, of unrelated pairs but for those listed; overwrites ``overlaps``.

        Of the pairs at ``listed``, those at ``counted`` have strengths and weights of
        their own, and the others do not count.
        """
        chosen = overlaps[counted]
        # The loss of a box in itself, as unrelated, may be infinite: it is not computed.
        overlaps[listed] = -1.0
        stand_in = overlaps.new_full((1,), -1.0)
        if hasattr(self.pair_loss, "unrelated"):
            value, gradient = self.pair_loss.unrelated(overlaps)
            self.total += value - len(listed) * self.pair_loss.unrelated(stand_in)[0]
        else:
            zero, one = overlaps.new_zeros(()), overlaps.new_ones(())
            gradient = self.loss(overlaps, zero, one)
            self.loss(stand_in, zero, -len(listed) * one)
        gradient[listed] = 0.0
        gradient[counted] = self.loss(chosen, strengths, weights)
        return gradient

    def finish(self):
        """Gradients of the lower corners, the upper ones, and the parameters."""
        by_volume = self.own_slopes.mul_(self.volume_gradient)
        lower = self.lower_gradient.div_(2).sub_(by_volume)
        upper = self.upper_gradient.div_(2).add_(by_volume)
        corners = (g.T / self.temperature for g in (lower, upper))
        return *corners, *self.parameter_gradients
