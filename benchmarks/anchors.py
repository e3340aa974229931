"""Published protocols on WordNet, with the transitive closure beside.

``python -m benchmarks.anchors --data FOLDER`` prints F1 and the seconds of a fit:

* **cones**: the splits of Ganea et al. (ICML 2018) for entailment cones. All direct edges
  of the taxonomy of mammals, or nouns, and a share of the others are seen; 5 % of the
  others are the test, with ten corrupted pairs for each. The direct edges imply all the
  others, so the closure is right about every pair, and so are boxes that a layout
  constructs from the edges, as far as they nest. Figures of hyperbolic embeddings are
  those of Shadow Cones (Yu et al., ICLR 2024), which learn from the pairs alone.
* **mixed-hop**: the protocol of HiT (He et al., NeurIPS 2024) on 74,401 nouns. 90 % of the
  direct edges are seen, with ten unrelated pairs for each; 5 % of the direct edges and of
  the others are the test, with ten unrelated pairs for each, too, which have a random task
  or a sibling of the member in place of the container. Popularity of the container alone
  tells most of them from related ones. Features are frozen sentence embeddings of the
  glosses. HiT's own figures are of other draws of the same protocol, and of language
  models that were trained for it.

Thresholds are chosen on the validation pairs.
"""

import argparse
import gzip
import time
import warnings
from pathlib import Path

import networkx as nx
import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import f1_score

from sklearn_task2box import BoxRelationEmbedder, TaskPairs, TaskRelations, models
from sklearn_task2box.metrics import best_f1_threshold

# F1, in %, of five dimensions, by the share of the other edges that is seen.
SHADOW_CONES = {
    "mammal": {0: 69.4, 10: 81.1, 25: 83.7, 50: 88.5, 90: 91.8},
    "noun": {0: 45.2, 10: 87.8, 25: 94.2, 50: 96.4},
}
# F1 of MiniLM-L6 where unrelated pairs are random, and where they are siblings.
HIT = {"random": 0.856, "siblings": 0.862}
# Of each related pair that is seen, or of validation and test.
N_UNRELATED = 10


# --------------------------------------------------------------------------------------
# Entailment cones
# --------------------------------------------------------------------------------------
def read_pairs(path):
    """Pairs of a file of the splits, (n_pairs, 2): members, containers."""
    with gzip.open(path) as file:
        return np.loadtxt(file, dtype=int, ndmin=2)[:, ::-1]


def cones(folder, name, share):
    """Edges seen, number of nodes, and labelled pairs of validation and of test.

    Parameters
    ----------
    folder : Path
    name : {"mammal", "noun"}
    share : int
        Percentage of the edges that are seen besides the direct ones.

    Returns
    -------
    edges : ndarray of shape (n_edges, 2)
    n_nodes : int
    parts : list of tuple
        Pairs, (n_pairs, 2), and which of them are related.
    """
    folder = folder / "cones"
    edges = read_pairs(folder / f"{name}.train_{share}percent.gz")
    with gzip.open(folder / f"{name}.vocab.gz", "rt") as file:
        n_nodes = len(file.readlines())
    parts = []
    for part in ("valid", "test"):
        files = [f"{name}.{part}.gz", f"{name}.{part}_neg.gz"]
        related, others = (read_pairs(folder / file) for file in files)
        labels = np.repeat([True, False], [len(related), len(others)])
        parts.append((np.concatenate([related, others]), labels))
    return edges[edges[:, 0] != edges[:, 1]], n_nodes, parts


def layout(dim):
    """Boxes constructed from the relations, without a pass over them."""
    return BoxRelationEmbedder(dim, encoder="table", init="layout", max_epochs=0)


def report_cones(folder, names):
    """Print F1 of the closure and of boxes without features."""
    print("| taxonomy | others seen | closure | layout, 2-d | layout, 5-d | Shadow Cones |")
    print("|---|---|---|---|---|---|")
    for name in names:
        for share, published in SHADOW_CONES[name].items():
            if not (folder / "cones" / f"{name}.train_{share}percent.gz").is_file():
                continue
            edges, n_nodes, parts = cones(folder, name, share)
            X = sparse.identity(n_nodes, format="csr")
            line = [name, f"{share} %"]
            for model in (models.ClosureModel(), layout(2), layout(5)):
                line.append(measure(model, X, edges, parts))
            print(f"| {' | '.join(line)} | {published / 100:.3f} |", flush=True)


def measure(model, X, y, parts):
    """F1 on the test part, with the threshold of the validation part, and seconds."""
    started = time.perf_counter()
    with warnings.catch_warnings():  # of pairs that the boxes contradict
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X, y)
    seconds = time.perf_counter() - started
    (valid, labels), *tests = parts
    threshold = best_f1_threshold(labels, strengths(model, X, valid))
    scores = [f1_score(labels, strengths(model, X, p) >= threshold) for p, labels in tests]
    return f"{' / '.join(f'{score:.4f}' for score in scores)}; {seconds:.0f} s"


def strengths(model, X, pairs):
    return model.predict_proba(TaskPairs(X, pairs))[:, 1]


# --------------------------------------------------------------------------------------
# Mixed-hop prediction
# --------------------------------------------------------------------------------------
def nouns(folder):
    """Sentence embeddings of the nouns that have hypernyms, or are some, and the edges."""
    edges = pd.read_csv(folder / "wordnet30_noun_edges.csv.gz")
    edges = edges[edges["relation"] == "hypernym"]
    synsets = pd.read_csv(folder / "wordnet30_noun_synsets.csv.gz")["synset"]
    rows = np.flatnonzero(synsets.isin({*edges["child"], *edges["parent"]}))
    arrays = np.load(folder / "noun_minilm.npz")
    X = arrays["quantised"][rows] * arrays["scale"][rows, None]
    place = pd.Series(np.arange(len(rows)), index=synsets.iloc[rows])
    return X, place[edges["child"]].to_numpy(), place[edges["parent"]].to_numpy()


def mixed_hop(folder, kind, seed=0):
    """Features, relations of 90 % of the direct edges, and validation and test parts.

    The relations have unrelated pairs, too, and are unknown elsewhere. ``kind`` is that of
    unrelated pairs: (member, any other) for "random", and (member, sibling of it) for
    "siblings", as far as there are some.
    """
    rng = np.random.RandomState(seed)
    X, heads, tails = nouns(folder)
    n = len(X)
    edges = list(zip(heads.tolist(), tails.tolist(), strict=True))
    order = rng.permutation(len(edges))
    held = len(edges) // 20
    seen = order[2 * held :]
    inside = TaskRelations(edges, range(n), transitive=True).observed()
    direct, keys = inside.keys(heads, tails), inside.keys(inside.heads, inside.tails)
    others = rng.permutation(keys[~np.isin(keys, direct)])
    graph = nx.DiGraph(edges) if kind == "siblings" else None
    known, parts = np.sort(keys), []
    for part in range(2):
        some = order[part * held : (part + 1) * held]
        more = others[part * (len(others) // 20) :][: len(others) // 20]
        related = np.concatenate([direct[some], more])
        pairs = [*zip(related // n, related % n, strict=True)]
        pairs += _unrelated(related, n, known, graph, rng)
        labels = np.repeat([True, False], [len(related), len(pairs) - len(related)])
        parts.append((np.array(pairs), labels))
    zeros = _unrelated(direct[seen], n, known, graph, rng)
    listed = [(*edges[i], 1.0) for i in seen] + [(*pair, 0.0) for pair in zeros]
    return X, TaskRelations(listed, range(n), unobserved="unknown", transitive=True), parts


def _unrelated(related, n, known, graph, rng):
    """N_UNRELATED pairs for each related one, of its member and something else.

    ``related`` and ``known``, the sorted ones of all related pairs, are keys of ordered
    pairs. Siblings of the member come from the ``graph``, if there is one, as far as it
    has some. Drawn pairs that are related are left out.
    """
    pairs = []
    for member in (related // n).tolist():
        drawn = set()
        if graph is not None:
            near = {s for parent in graph.successors(member) for s in graph.pred[parent]}
            near = sorted(near - {member})
            drawn = set(rng.permutation(near)[:N_UNRELATED].tolist())
        while len(drawn) < N_UNRELATED:
            drawn.add(int(rng.randint(n)))
        at = member * n + np.array(sorted(drawn))
        found = known[np.searchsorted(known, at).clip(max=len(known) - 1)] == at
        pairs += [(member, key % n) for key in at[~found] if key % n != member]
    return pairs


def report_mixed_hop(folder, names):
    """Print F1 of models of features, and of the closure of the edges that are seen."""
    print("| unrelated pairs | model | F1; fit | MiniLM-L6 by HiT |")
    print("|---|---|---|---|")
    for kind, published in HIT.items():
        X, relations, parts = mixed_hop(folder, kind)
        for name in names:
            found = measure(MIXED_HOP[name](), X, relations, parts)
            print(f"| {kind} | {name} | {found} | {published} |", flush=True)


MIXED_HOP = {
    "popularity": models.PopularityModel,
    "closure": models.ClosureModel,
    "neighbors": models.NeighborsModel,
    "kernel_ridge": models.KernelRidgeModel,
}


def main(arguments=None):
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True, type=Path, help="folder of the data")
    parser.add_argument("--cones", nargs="*", default=list(SHADOW_CONES), help="taxonomies")
    parser.add_argument(
        "--mixed-hop",
        nargs="*",
        default=["popularity", "closure"],
        choices=list(MIXED_HOP),
        help="models; those of features take some ten minutes, and are not by default",
    )
    given = parser.parse_args(arguments)
    if given.cones:
        report_cones(given.data, given.cones)
    if given.mixed_hop:
        report_mixed_hop(given.data, given.mixed_hop)


if __name__ == "__main__":
    main()
