"""The data that the benchmarks share: WordNet mammals, read from the folder given."""

from pathlib import Path

import networkx as nx
import numpy as np
import pandas as pd
from sklearn.preprocessing import StandardScaler

from sklearn_task2box import TaskRelations


def fixed_split(folder, n):
    """Features, training strengths (NaN elsewhere), and test pairs with labels."""
    data = np.load(Path(folder) / f"mammals{n}_split.npz", allow_pickle=False)
    seen = np.where(data["mask"] == 0, data["D"], np.nan)
    return data["X"], seen, (data["test_pairs"], data["test_labels"])


def whole(folder):
    """All mammals, with sentence embeddings, and their relations."""
    arrays = np.load(Path(folder) / "mammal_minilm.npz", allow_pickle=False)
    edges = pd.read_csv(Path(folder) / "mammal_closure.csv.gz")
    pairs = edges[["descendant", "ancestor"]]
    return arrays["embeddings"].astype(float), TaskRelations(pairs, arrays["synsets"])


def first(folder, n):
    """The first n mammals in breadth-first order, a tenth of their pairs held out."""
    X, relations = whole(folder)
    edges = pd.read_csv(Path(folder) / "mammal_edges.csv.gz")
    tree = nx.DiGraph(list(zip(edges["parent"], edges["child"], strict=True)))
    order = ["mammal.n.01"] + [v for _, v in nx.bfs_edges(tree, "mammal.n.01")]
    rows = relations.positions(order[:n])
    strengths = relations.block(rows, rows)
    seen, test = hide(strengths)
    return StandardScaler().fit_transform(X[rows]), seen, test


def hide(strengths, share=0.1, seed=0):
    """Hold out a share of the ordered pairs: NaN in their place, and (pairs, labels)."""
    hidden = np.random.RandomState(seed).uniform(size=strengths.shape) < share
    np.fill_diagonal(hidden, False)
    return np.where(hidden, np.nan, strengths), (np.argwhere(hidden), strengths[hidden])
