"""Directed affinities of nearest neighbors: relations made of features alone."""

import numpy as np
from scipy import sparse
from sklearn.neighbors import NearestNeighbors
from sklearn.utils import check_array

_N_BISECTIONS = 64


def neighborhood_affinities(X, n_neighbors=15):
    """Membership strengths of UMAP before they are made symmetric, as a square CSR matrix.

    That of i -> j is ``exp(-(d_ij - d_i) / scale_i)``, where d_i is the distance from i to
    its nearest neighbor, and scale_i makes row i sum to log2(n_neighbors).
    """
    X = check_array(X, accept_sparse="csr", dtype=float, ensure_min_samples=2)
    n = X.shape[0]
    k = min(n_neighbors, n - 1)
    distances, neighbors = NearestNeighbors(n_neighbors=k).fit(X).kneighbors()
    excess = distances - distances[:, :1]
    target = max(1.0, np.log2(k))
    low, high = np.zeros(n), np.full(n, np.inf)
    scale = np.maximum(excess.mean(axis=1), np.finfo(float).tiny)
    for _ in range(_N_BISECTIONS):
        total = np.exp(-excess / scale[:, None]).sum(axis=1)
        too_wide = total > target
        high = np.where(too_wide, scale, high)
        low = np.where(too_wide, low, scale)
        scale = np.where(np.isinf(high), scale * 2, (low + high) / 2)
        scale = np.clip(scale, np.finfo(float).tiny, np.finfo(float).max / 4)
    strengths = np.exp(-excess / scale[:, None])
    heads = np.repeat(np.arange(n), k)
    return sparse.csr_matrix((strengths.ravel(), (heads, neighbors.ravel())), shape=(n, n))
