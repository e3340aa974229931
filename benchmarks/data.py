"""The data that the benchmarks share, read from the folder given."""

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


def noun_tree(folder):
    """WordNet nouns, those near the root first: members, containers, number of nouns."""
    edges = pd.read_csv(Path(folder) / "wordnet30_noun_edges.csv.gz")
    graph = nx.DiGraph(list(zip(edges["parent"], edges["child"], strict=True)))
    order = ["entity.n.01"] + [v for _, v in nx.bfs_edges(graph, "entity.n.01")]
    index = pd.Index(order)
    return index.get_indexer(edges["child"]), index.get_indexer(edges["parent"]), len(order)


def first_nouns(folder, n, n_features=512, seed=0):
    """The first n nouns: features drawn at random, handed down and changed on the way."""
    members, containers, _ = noun_tree(folder)
    inside = (members < n) & (containers < n)
    members, containers = members[inside], containers[inside]
    rng = np.random.RandomState(seed)
    X = np.zeros((n, n_features))
    changes = rng.normal(size=(n, n_features))
    above = np.full(n, n)
    np.minimum.at(above, members, containers)  # one that comes before it
    for i in range(n):
        X[i] = changes[i] + (0.8 * X[above[i]] if above[i] < i else 0)
    pairs = np.column_stack([members, containers])
    return X, TaskRelations(pairs, np.arange(n), transitive=True)
