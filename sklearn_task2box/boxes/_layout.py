"""Boxes constructed from containments alone: each inside its containers, nothing else.

In one dimension, numbering a tree depth first puts the descendants of each node into one
span. In a directed acyclic graph, two containers may share some members without one
containing the other, and then no order of the tasks puts both into spans of their own. But
one of several dimensions that separates a container from everything else is enough. So the
containers are dealt out among the dimensions such that, in each, those that it has are
nested or disjoint, as in a tree, and the spans of the others stretch over their members:
a coloring of the graph of containers in conflict, in the order of Brelaz, "New methods to
color the vertices of a graph", 1979. A container that conflicts in every dimension gives up
the members that it shares, and those are not inside its box.
"""

import heapq

import numpy as np
from scipy import sparse

from sklearn_task2box.relations._closure import condensed, from_rows
from sklearn_task2box.relations._observed import REVERSED
from sklearn_task2box.utils._typing import Array, ArrayLike, Names, Random

# Pairs of containers that are compared, in some gigabytes.
_MAX_PAIRS = 1 << 26
# Side of a new box in units of that of its container.
_SMALLER = 0.25


def layout(
    heads: ArrayLike,
    tails: ArrayLike,
    n_tasks: int,
    box_dim: int,
    order: Names = None,
    random_state: Random | None = None,
) -> tuple[Array, Array]:
    """Boxes with given containments, and as few others as possible.

    Parameters
    ----------
    heads, tails : int ndarray of shape (n_pairs,)
        Positions of tasks, and of others that contain them. The transitive closure is
        added; tasks that contain each other get the same box.
    n_tasks : int
    box_dim : int
    order : ndarray of shape (n_tasks,), default=None
        Tasks that stand side by side in the first dimension stand in this order, a
        container at the mean of its members. None takes their positions.
    random_state : numpy.random.RandomState, default=None
        Draws the order in the other dimensions. None takes a fixed seed.

    Returns
    -------
    lower, upper : ndarray of shape (n_tasks, box_dim)
        In whole steps of 1, from 0 on. A box lies inside those of its containers, but for
        those that had to give it up, and by at least one step on either side in the
        dimension that the container was dealt to. There, a box that is neither in the
        container, nor has members in it, nor contains it, is disjoint from its box.

    Raises
    ------
    ValueError
        If tasks share so many containers that their pairs take gigabytes.
    """
    rng = random_state or np.random.RandomState(0)
    group, closure = condensed(heads, tails, n_tasks)
    n = closure.shape[0]
    members, colors = _deal(closure, box_dim)
    order = np.arange(n_tasks) if order is None else order
    counts = np.bincount(group, minlength=n)
    key = np.bincount(group, weights=order, minlength=n) / counts
    sizes = np.asarray(members.sum(axis=0)).ravel()
    key = (members.T @ key) / sizes

    lower, upper = np.empty((2, n, box_dim))
    by_container = members.tocsc()
    for k in range(box_dim):
        if k:
            key = rng.permutation(n)
        opened, closed = _slots(members, sizes, colors[k], key)
        starts = by_container.indptr[:-1]
        lower[:, k] = np.minimum.reduceat(opened[by_container.indices], starts)
        upper[:, k] = np.maximum.reduceat(closed[by_container.indices], starts)
    return lower[group], upper[group]


def place(lower, upper, heads, tails, n_new, random_state):
    """Initial boxes of new tasks, which count from n_known on: (n_new, box_dim) corners.

    The hull of known members, else a box in the smallest container, else one in the middle.
    """
    n_known = len(lower)
    middle, side = (lower + upper).mean(0) / 2, (upper - lower).mean(0)
    lower = np.vstack([lower, np.tile(middle - side / 2, (n_new, 1))])
    upper = np.vstack([upper, np.tile(middle + side / 2, (n_new, 1))])
    placed = np.arange(len(lower)) < n_known
    n_left = None
    while n_left != np.count_nonzero(~placed):
        n_left = np.count_nonzero(~placed)
        for task in np.flatnonzero(~placed):
            members, above = heads[tails == task], tails[heads == task]
            members, above = members[placed[members]], above[placed[above]]
            if len(members):
                lower[task], upper[task] = lower[members].min(0), upper[members].max(0)
            elif len(above):
                sides = upper[above] - lower[above]
                best = np.argmin(np.log(sides).sum(1))
                side = sides[best] * _SMALLER
                at = random_state.uniform(size=len(side))
                lower[task] = lower[above[best]] + (sides[best] - side) * at
                upper[task] = lower[task] + side
            placed[task] = len(members) + len(above) > 0
    return lower[n_known:], upper[n_known:]


def _deal(closure, box_dim):
    """Which task (row) stays in which container (column), and the dimensions of these.

    Each task is in itself. The dimensions in which a container is nested or disjoint, at
    least one, are a bool array of shape (box_dim, n).
    """
    n = closure.shape[0]
    within = (closure + sparse.identity(n, dtype=bool, format="csr")).tocsr()
    conflicts = _conflicts(closure, within)
    degrees = np.diff(conflicts.indptr)
    colors = np.tile(degrees == 0, (box_dim, 1))
    left = _color(conflicts, degrees, colors)

    # The more containers a task has, the less is lost with one of them.
    weights = 1 / np.maximum(np.diff(closure.indptr), 1)
    columns = within.tocsc()
    given_up = {}

    def members(v):
        return given_up.get(v, _neighbors(columns, v))

    for v in left[np.argsort(np.diff(columns.indptr)[left], kind="stable")]:
        inside = np.zeros(n, dtype=bool)
        inside[members(v)] = True
        choices = []
        for k in range(box_dim):
            rivals = _neighbors(conflicts, v)
            rivals = rivals[colors[k, rivals]]
            shared = np.unique(np.concatenate([members(rival) for rival in rivals]))
            shared = shared[inside[shared]]
            # With a member, all of v that contains it has to go.
            above = np.unique(within[shared].indices)
            above = above[inside[above] & (above != v)]
            lost = [
                u
                for u in above
                if u not in given_up or np.isin(shared, given_up[u], kind="table").any()
            ]
            choices.append((weights[lost].sum(), k, lost))
        _, k, lost = min(choices, key=lambda choice: choice[:2])
        inside[lost] = False
        given_up[v] = np.flatnonzero(inside)
        colors[k, v] = True
    if given_up:
        within = from_rows([members(v) for v in range(n)]).T.tocsr()
    return within, colors


def _conflicts(closure, within):
    """Containers that share members, none containing the other: symmetric, CSR."""
    # Two ways up part at a task with several parents in the transitive reduction.
    counts = closure.astype(np.int32)
    longer = (counts @ counts).astype(bool)
    direct = counts - counts.multiply(longer)
    direct.eliminate_zeros()
    several = np.flatnonzero(np.diff(direct.tocsr().indptr) > 1)
    shared = within[several].astype(np.int32)
    counts = np.diff(shared.indptr).astype(float)
    n_pairs = min(counts @ counts, float(closure.shape[0]) ** 2)
    if n_pairs > _MAX_PAIRS:
        raise ValueError(
            f"A layout compares pairs of containers that share members, some {n_pairs:.0e} "
            f"here: a task lies in {counts.max() - 1:.0f} others. {REVERSED} If that is "
            "meant, set init='random'."
        )
    pairs = shared.T @ shared
    conflicts = (pairs - pairs.multiply(within + within.T)).tocsr()
    conflicts.eliminate_zeros()
    return conflicts


def _neighbors(graph, v):
    return graph.indices[graph.indptr[v] : graph.indptr[v + 1]]


def _color(conflicts, degrees, colors):
    """Give containers a dimension free of rivals, the least free first; return the rest."""
    taken = np.zeros(colors.shape, dtype=bool)
    waiting = degrees > 0
    heap = [(0, -int(degrees[v]), int(v)) for v in np.flatnonzero(waiting)]
    heapq.heapify(heap)
    left = []
    while heap:
        _, _, v = heapq.heappop(heap)
        if not waiting[v]:
            continue  # an older entry of one that was dealt with
        waiting[v] = False
        free = np.flatnonzero(~taken[:, v])
        if not len(free):
            left.append(v)
            continue
        colors[free[0], v] = True
        rivals = _neighbors(conflicts, v)
        taken[free[0], rivals] = True
        for rival in rivals[waiting[rivals]]:
            n_taken = int(taken[:, rival].sum())
            heapq.heappush(heap, (-n_taken, -int(degrees[rival]), int(rival)))
    return np.array(left, dtype=int)


def _slots(members, sizes, family, key):
    """Where each node opens and closes when the tree of a family is walked depth first.

    The parent of a node is its smallest container in ``family``; ``key`` orders children.
    """
    n = members.shape[0]
    pairs = members.tocoo()
    kept = family[pairs.col] & (pairs.row != pairs.col)
    nodes, above = pairs.row[kept], pairs.col[kept]
    first = np.lexsort((sizes[above], nodes))
    nodes, above = nodes[first], above[first]
    nodes, smallest = np.unique(nodes, return_index=True)
    parent = np.full(n, n)
    parent[nodes] = above[smallest]

    # Children of each parent, in the order of key, as one flat list.
    children = np.lexsort((key, parent))
    starts = np.searchsorted(parent[children], np.arange(n + 2)).tolist()
    children = children.tolist()
    opened, closed = np.empty((2, n + 1))
    clock, stack = -1, [n]
    while stack:
        node = stack.pop()
        if node < 0:  # its children are done
            closed[~node] = clock
        else:
            opened[node] = clock
            stack += [~node, *reversed(children[starts[node] : starts[node + 1]])]
        clock += 1
    return opened[:n], closed[:n]
