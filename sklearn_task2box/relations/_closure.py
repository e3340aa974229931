"""Which nodes of a directed graph can be reached from which."""

import networkx as nx
import numpy as np
import pandas as pd
from scipy import sparse
from scipy.sparse import csgraph


def adjacency(heads, tails, n):
    """Sparse boolean matrix of edges, each once."""
    return sparse.csr_matrix((np.ones(len(heads), dtype=bool), (heads, tails)), (n, n))


def from_rows(rows):
    """Square boolean CSR matrix whose rows hold these columns, each once."""
    indptr = np.cumsum([0, *map(len, rows)])
    indices = np.concatenate([np.zeros(0, dtype=np.int32), *rows])
    ones = np.ones(len(indices), dtype=bool)
    matrix = sparse.csr_matrix((ones, indices, indptr), shape=(len(rows), len(rows)))
    matrix.sort_indices()
    return matrix


def components(heads, tails, n):
    """Number of strongly connected components, and the one that each node is in."""
    return csgraph.connected_components(adjacency(heads, tails, n), connection="strong")


def condensed(heads, tails, n):
    """Strongly connected component of each node, and the closure among components."""
    n_parts, part = components(heads, tails, n)
    across = part[heads] != part[tails]
    return part, reachable(part[heads][across], part[tails][across], n_parts)


def reachable(heads, tails, n):
    """Transitive closure of a directed acyclic graph, as a CSR matrix of bool.

    From the last node of a topological order to the first, each takes the nodes that its
    nearest successors reach; a successor that another one reaches adds nothing.
    """
    successors = adjacency(heads, tails, n)
    order = _topological_order(successors)
    place = np.argsort(order)
    reached = np.zeros(n, dtype=bool)
    rows = [None] * n
    for node in order[::-1].tolist():
        left = successors.indices[slice(*successors.indptr[node : node + 2])]
        left = left[np.argsort(place[left])]
        parts = []
        while len(left):
            parts += [left[:1], rows[left[0]]]
            for part in parts[-2:]:
                reached[part] = True
            left = left[~reached[left]]
        row = np.concatenate(parts) if parts else left
        reached[row] = False
        rows[node] = np.unique(row) if len(parts) > 2 else row
    return from_rows(rows)


def _topological_order(successors):
    """Nodes such that each stands before its successors."""
    n_before = np.bincount(successors.indices, minlength=successors.shape[0])
    front, levels = np.flatnonzero(n_before == 0), []
    while len(front):
        levels.append(front)
        below = successors[front].indices
        nodes, counts = np.unique(below, return_counts=True)
        n_before[nodes] -= counts
        front = nodes[n_before[nodes] == 0]
    return np.concatenate(levels) if levels else np.zeros(0, dtype=np.int64)


def find_cycle(heads, tails, n):
    """Nodes of a cycle, the first one again at the end; empty where there is none."""
    if components(heads, tails, n)[0] == n:
        return []
    edges = zip(heads.tolist(), tails.tolist(), strict=True)
    cycle = [u for u, _ in nx.find_cycle(nx.DiGraph(edges))]
    return [*cycle, cycle[0]]


def complete(heads, tails, strengths, n, n_stated=0):
    """Add to relations without a cycle the pairs that follow by transitivity.

    u -> v of strength w, and a chain of pairs of strength 1 from v to x, imply at least w
    for u -> x. All pairs among the first ``n_stated`` tasks, and those whose listed
    strength is not NaN, are stated and stay as they are.
    """
    given, known = (heads, tails, strengths), ~np.isnan(strengths)
    certain, partial = strengths == 1, (strengths > 0) & (strengths < 1)
    chains = reachable(heads[certain], tails[certain], n)
    whole = chains.tocoo()
    implied = last_of(
        passed_on(heads[partial], tails[partial], strengths[partial], chains),
        (whole.row, whole.col, np.ones(whole.nnz)),
    )
    free = (implied[0] >= n_stated) | (implied[1] >= n_stated)
    return last_of(
        [values[~known] for values in given],
        [values[free] for values in implied],
        [values[known] for values in given],
    )


def passed_on(heads, tails, strengths, chains):
    """Pairs of heads and all that their tails lie wholly inside of, the strongest last."""
    beyond = chains[tails].tocoo()
    shares = strengths[beyond.row]
    order = np.argsort(shares)
    return heads[beyond.row][order], beyond.col[order], shares[order]


def last_of(*parts):
    """Heads, tails and strengths of several lists; of a repeated pair, the last one."""
    heads, tails, strengths = map(np.concatenate, zip(*parts, strict=True))
    kept = ~pd.DataFrame({"head": heads, "tail": tails}).duplicated(keep="last").to_numpy()
    return heads[kept], tails[kept], strengths[kept]


def contradicted(heads, tails, strengths, n):
    """Number of pairs stated as unrelated that others imply; 0 with a cycle or grades."""
    related = strengths > 0
    if not (strengths[related] == 1).all() or find_cycle(heads[related], tails[related], n):
        return 0
    implied = reachable(heads[related], tails[related], n)
    unrelated = adjacency(heads[strengths == 0], tails[strengths == 0], n)
    return int(implied.multiply(unrelated).nnz)
