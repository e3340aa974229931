"""Which nodes of a directed graph can be reached from which."""

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph


def adjacency(heads, tails, n):
    """Sparse boolean matrix of edges, each once."""
    matrix = sparse.csr_matrix((np.ones(len(heads), dtype=bool), (heads, tails)), (n, n))
    matrix.sum_duplicates()
    return matrix


def components(heads, tails, n):
    """Number of strongly connected components, and the one that each node is in."""
    return csgraph.connected_components(adjacency(heads, tails, n), connection="strong")


def reachable(heads, tails, n):
    """Transitive closure of a directed acyclic graph.

    Parameters
    ----------
    heads, tails : int ndarray of shape (n_edges,)
        Edges among the nodes 0..n-1. A cycle would never end: see :func:`components`.
    n : int

    Returns
    -------
    closure : CSR matrix of bool, of shape (n, n)
        Whether a path of at least one edge leads from the row to the column.
    """
    step = adjacency(heads, tails, n)
    found, front = [], step
    while front.nnz:
        pairs = front.tocoo()
        found.append(pairs.row.astype(np.int64) * n + pairs.col)
        front = front @ step
    keys = np.unique(np.concatenate(found)) if found else np.zeros(0, dtype=np.int64)
    return adjacency(keys // n, keys % n, n)
