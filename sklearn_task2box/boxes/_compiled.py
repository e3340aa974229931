"""The loss of a table of pairs of boxes, compiled by Numba for the CPU.

One pass computes, row by row, what :mod:`sklearn_task2box.boxes._pair_loss` does in blocks
by some twenty operations of torch each, to rounding. Numba is an optional dependency, the
extra "fast". It has no vectorized exponential function and logarithm of its own: those
below are arithmetic of float32 that its compiler vectorizes.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from numba import njit

from sklearn_task2box.boxes._geometry import FACTORS, SHORTEST

# Pairs in a part of a table, which one thread takes, and parts at most. They do not depend
# on the number of threads: else the sums would.
_PAIRS, _MAX_PARTS = 1 << 18, 16
_SHORTEST = np.float32(SHORTEST[torch.float32])
# Where exp(-z) no longer counts beside 1; its square is no subnormal number, which is slow.
_LONG = np.float32(40.0)
_ZERO, _HALF, _ONE, _TWO = (np.float32(number) for number in (0, 0.5, 1, 2))
_LOG2_E = np.float32(np.log2(np.e))
# The logarithm of 2 in two parts: multiples of the first, with few bits, are exact.
_LOG_2, _LOG_2_REST = np.float32(0.693359375), np.float32(np.log(2.0) - 0.693359375)
# A float32 has 23 bits of mantissa below its exponent, which is stored plus 127.
_MANTISSA, _BIAS = np.int32(23), np.int32(127)
_ROOT_HALF = np.float32(0.5**0.5).view(np.int32)
# Taylor series of exp(r), from r ** 7, for |r| <= log(2) / 2, and of the area hyperbolic
# tangent of s over s, twice, from s ** 14, for s <= 1 / 3.
_EXP = tuple(np.float32(1 / np.prod(np.arange(1.0, k + 1))) for k in range(7, 1, -1))
_ATANH = tuple(np.float32(2 / k) for k in range(15, 0, -2))

# Plain arithmetic rounds alike wherever it is compiled: the volume of a box and that of its
# intersection with one around it are the same number. Only sums are in any order.
_MATH = {"error_model": "numpy"}
_SUMS = {"fastmath": {"reassoc"}, "error_model": "numpy"}
_COMPILED = {"nogil": True, "cache": True}


@njit(inline="always", **_MATH)
def _exp(x):
    """Exponential function of x in [-40, 0]."""
    n = np.rint(x * _LOG2_E)
    r = (x - n * _LOG_2) - n * _LOG_2_REST
    power = _EXP[0]
    for k in range(1, len(_EXP)):
        power = power * r + _EXP[k]
    power = (power * r + _ONE) * r + _ONE
    return power * np.int32((np.int32(n) + _BIAS) << _MANTISSA).view(np.float32)


@njit(inline="always", **_MATH)
def _twice_atanh(s):
    squared = s * s
    power = _ATANH[0]
    for k in range(1, len(_ATANH)):
        power = power * squared + _ATANH[k]
    return power * s


@njit(inline="always", **_MATH)
def _log(x):
    """Natural logarithm of a positive x that is no subnormal number."""
    bits = np.float32(x).view(np.int32)
    exponent = (bits - _ROOT_HALF) >> _MANTISSA
    mantissa = np.int32(bits - (exponent << _MANTISSA)).view(np.float32)
    n = np.float32(exponent)
    rest = _twice_atanh((mantissa - _ONE) / (mantissa + _ONE))
    return n * _LOG_2 + (rest + n * _LOG_2_REST)


@njit(**_MATH, **_COMPILED)
def _intersect(faces, i, start, n, shared, slopes, product):
    """Log-volumes of the intersections of box i with n others, and their slopes.

    Slopes, (box_dim, n), are derivatives in the sides of the intersections.
    """
    dim = len(slopes)
    shared[:n] = _ZERO
    for d in range(dim):
        low, high, slope = faces[0, d, i], faces[1, d, i], slopes[d]
        lows, highs = faces[0, d, start:], faces[1, d, start:]
        is_first = d % FACTORS == 0
        for j in range(n):
            side = min(high, highs[j]) + min(low, lows[j])
            z = max(side, _SHORTEST)
            shared[j] += min(side - z, _ZERO)
            small = _exp(-min(abs(z), _LONG))
            # The second term is log(1 + small).
            soft = max(z, _ZERO) + _twice_atanh(small / (_TWO + small))
            inverse = _ONE / ((_ONE + small) * soft)
            slope[j] = inverse if z >= _ZERO else small * inverse
            product[j] = soft if is_first else product[j] * soft
        if d % FACTORS == FACTORS - 1 or d == dim - 1:
            for j in range(n):
                shared[j] += _log(product[j])


@njit(**_MATH, **_COMPILED)
def _volumes(faces, volumes, slopes):
    """Log-volumes of boxes, and their derivatives in the sides.

    They are computed as those of intersections are: in the gradient of a box that lies in
    another, both cancel out exactly.
    """
    _, dim, n = faces.shape
    product, slope = np.empty(1, np.float32), np.empty((dim, 1), np.float32)
    for i in range(n):
        _intersect(faces, i, i, 1, volumes[i:], slope, product)
        slopes[:, i] = slope[:, 0]


@njit(**_MATH, **_COMPILED)
def _overlap(shared, volumes, i, exponent, inside, around):
    """Log-overlaps, to a power, of box i in those after it, and of these in it."""
    others = volumes[i + 1 :]
    for j in range(len(others)):
        inside[j] = exponent * min(shared[j] - volumes[i], _ZERO)
        around[j] = exponent * min(shared[j] - others[j], _ZERO)


@njit(**_MATH, **_COMPILED)
def _join(inside, around, i, exponent, both, volume_sums):
    """Gradients in the intersections, and sums of those in the volumes after box i."""
    others = volume_sums[i + 1 :]
    for j in range(len(others)):
        others[j] += exponent * around[j]
        both[j] = exponent * (inside[j] + around[j])


@njit(**_MATH, **_COMPILED)
def _as_unrelated(values, losses, n, log_keep, squared):
    """Losses of log-overlaps at strength 0, and gradients in place of the log-overlaps."""
    if squared:
        for j in range(n):
            losses[j] = _exp(_TWO * max(values[j], -_HALF * _LONG))
            values[j] = _TWO * losses[j]
    else:
        for j in range(n):
            p = _exp(max(values[j] + log_keep, -_LONG))
            losses[j] = -_log(_ONE - p)
            values[j] = p / (_ONE - p)


@njit(**_MATH, **_COMPILED)
def _loss(log_overlap, strength, log_keep, squared):
    """Loss of a log-overlap at a strength, and its gradient."""
    if squared:
        p = np.exp(log_overlap)
        return (p - strength) ** 2, _TWO * (p - strength) * p
    log_p = log_overlap + log_keep
    p = np.exp(log_p)
    value = -strength * log_p - (_ONE - strength) * np.log(_ONE - p)
    return value, (_ONE - strength) * p / (_ONE - p) - strength


@njit(**_SUMS, **_COMPILED)
def _sum(values, n):
    total = _ZERO
    for j in range(n):
        total += values[j]
    return total


@njit(**_SUMS, **_COMPILED)
def _share(faces, i, slopes, gradient, sums):
    """Add the gradients in one face of box i, and of those after it.

    Where faces of two boxes coincide, each has half of the gradient, as in torch.
    """
    face, others, ours = faces[i], faces[i + 1 :], sums[i + 1 :]
    total = _ZERO
    for j in range(len(others)):
        both = slopes[j] * gradient[j]
        mine = both if face < others[j] else (_HALF * both if face == others[j] else _ZERO)
        total += mine
        ours[j] += both - mine
    sums[i] += total


@njit(**_MATH, **_COMPILED)
def _add_rows(first, last, faces, volumes, listed, settings, face_sums, volume_sums):
    """Add the gradients of the pairs of some boxes with all after each; returns the loss.

    ``faces`` are minus the lower corners and the upper ones, (2, box_dim, n_tasks).
    """
    starts, columns, turned, strengths, weights = listed
    log_keep, squared, exponent = settings
    _, dim, n_tasks = faces.shape
    # Arrays by themselves: loops over parts of one array are not vectorized.
    shared, product = np.empty(n_tasks, np.float32), np.empty(n_tasks, np.float32)
    slopes = np.empty((dim, n_tasks), np.float32)
    # Log-overlaps, later gradients, of box i in the others, and of the others in it.
    inside, inside_losses = np.empty(n_tasks, np.float32), np.empty(n_tasks, np.float32)
    around, around_losses = np.empty(n_tasks, np.float32), np.empty(n_tasks, np.float32)
    total = 0.0
    for i in range(first, last):
        n = n_tasks - i - 1
        _intersect(faces, i, i + 1, n, shared, slopes, product)
        _overlap(shared, volumes, i, exponent, inside, around)
        begin, end = starts[i], starts[i + 1]
        kept = np.empty(end - begin, np.float32)
        for k in range(begin, end):
            j = columns[k] - i - 1
            kept[k - begin] = around[j] if turned[k] else inside[j]
        _as_unrelated(inside, inside_losses, n, log_keep, squared)
        _as_unrelated(around, around_losses, n, log_keep, squared)
        for k in range(begin, end):
            value, gradient, j = _ZERO, _ZERO, columns[k] - i - 1
            if weights[k]:
                value, gradient = _loss(kept[k - begin], strengths[k], log_keep, squared)
            if turned[k]:
                around_losses[j], around[j] = weights[k] * value, weights[k] * gradient
            else:
                inside_losses[j], inside[j] = weights[k] * value, weights[k] * gradient
        total += _sum(inside_losses, n) + _sum(around_losses, n)
        volume_sums[i] += exponent * _sum(inside, n)
        _join(inside, around, i, exponent, shared, volume_sums)
        for d in range(dim):
            _share(faces[0, d], i, slopes[d], shared, face_sums[0, d])
            _share(faces[1, d], i, slopes[d], shared, face_sums[1, d])
    return total


def plan(n_rows, heads, tails, strengths, weights):
    """Listed pairs as :func:`add_table` reads them: by the first of the two tasks.

    Starts of the rows, second tasks, whether pairs are turned round, strengths, weights.
    """
    rows, columns = np.minimum(heads, tails), np.maximum(heads, tails)
    order = np.lexsort((columns, rows))
    starts = np.searchsorted(rows[order], np.arange(n_rows + 1))
    turned = (heads > tails).astype(np.intp)
    return starts, *(array[order] for array in (columns, turned, strengths, weights))


def add_table(work, n_rows, listed, log_keep, squared):
    """Add loss and gradients of all pairs of a table to the sums of ``work``.

    Pairs are unrelated and of weight 1 but for those ``listed``. Threads take parts of it.
    """
    faces = torch.stack([-work.lower, work.upper]).numpy()
    dim, n = work.lower.shape
    volumes = work.log_volumes.numpy()
    _volumes(faces, volumes, work.own_slopes.numpy())
    settings = np.float32(log_keep), squared, np.float32(work.exponent)
    # A task has pairs with all after it.
    counts = np.cumsum(n - 1 - np.arange(n_rows))
    n_parts = int(np.clip(counts[-1] // _PAIRS, 1, _MAX_PARTS))
    cuts = np.searchsorted(counts, counts[-1] * np.arange(1, n_parts) / n_parts)
    cuts = [0, *cuts.tolist(), n_rows]
    face_sums = np.zeros((n_parts, 2, dim, n), np.float32)
    volume_sums, totals = np.zeros((n_parts, n), np.float32), np.zeros(n_parts)

    def add(parts):
        for i in parts:
            given = faces, volumes, listed, settings, face_sums[i], volume_sums[i]
            totals[i] = _add_rows(cuts[i], cuts[i + 1], *given)

    n_threads = min(torch.get_num_threads(), n_parts)
    ours, *theirs = (range(first, n_parts, n_threads) for first in range(n_threads))
    with ThreadPoolExecutor(n_threads) as threads:  # which start when they are needed
        others = threads.map(add, theirs)
        add(ours)
        list(others)
    work.total += totals.sum()
    work.volume_gradient -= torch.from_numpy(volume_sums.sum(axis=0))
    # Twice, as where the minimum of a and b is taken for (a + b - |a - b|) / 2.
    lower, upper = torch.from_numpy(2 * face_sums.sum(axis=0))
    work.lower_gradient -= lower
    work.upper_gradient += upper


@njit(**_COMPILED)
def mostly_inside(lower, upper, counts, n_rows):
    """Heads and tails of the pairs that count of which half of the head is in the tail.

    Corners have the shape (n_tasks, box_dim), ``counts`` (n_tasks, n_tasks). Pairs of two
    tasks from ``n_rows`` on do not count.
    """
    n, dim = lower.shape
    heads, tails = [], []
    lows, highs, holds = lower.T.copy(), upper.T.copy(), np.empty(n, np.uint8)
    for i in range(n):
        others = holds[: n if i < n_rows else n_rows]
        others[:] = 1
        for d in range(min(dim, 2)):  # in vectorized loops: few pairs are left
            low, high = lows[d], highs[d]
            center = (low[i] + high[i]) / np.float32(2)
            for j in range(len(others)):
                others[j] &= np.uint8((low[j] <= center) & (center <= high[j]))
        for j in np.flatnonzero(others):
            d, share = 0, np.float32(counts[i, j])
            while d < dim and share >= 0.5:
                side = upper[i, d] - lower[i, d]
                shared = min(upper[i, d], upper[j, d]) - max(lower[i, d], lower[j, d])
                if shared < 0:
                    share = np.float32(0)
                elif side > 0:
                    share *= shared / side
                d += 1
            if share >= 0.5:
                heads.append(i)
                tails.append(j)
    return np.array(heads, np.int64), np.array(tails, np.int64)
