"""The data that the benchmarks share, read from the folder given.

``python -m benchmarks.data --data FOLDER`` prints how large they are.
"""

import argparse
import ast
import sysconfig
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import networkx as nx
import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import StandardScaler

from sklearn_task2box import TaskRelations
from sklearn_task2box.datasets import load_digits_tasks

# --------------------------------------------------------------------------------------
# For the benchmarks of speed and of the fixed splits
# --------------------------------------------------------------------------------------


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
    rows = relations.positions(breadth_first(folder)[:n])
    strengths = relations.block(rows, rows)
    seen, test = hide(strengths)
    return StandardScaler().fit_transform(X[rows]), seen, test


def breadth_first(folder):
    """Names of the mammals, those near the root first."""
    edges = pd.read_csv(Path(folder) / "mammal_edges.csv.gz")
    tree = nx.DiGraph(list(zip(edges["parent"], edges["child"], strict=True)))
    return ["mammal.n.01"] + [v for _, v in nx.bfs_edges(tree, "mammal.n.01")]


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


# --------------------------------------------------------------------------------------
# For the benchmark of relations
# --------------------------------------------------------------------------------------
@dataclass(frozen=True)
class RelationData:
    """Tasks with features, and how far each lies inside the others.

    Attributes
    ----------
    name : str
    X : DataFrame of shape (n_tasks, n_features)
        Features as they are, not standardised; the index holds the names of the tasks.
    strengths : ndarray of shape (n_tasks, n_tasks)
        ``strengths[i, j]`` reads "task i inside task j", in [0, 1]; NaN where a pair is no
        part of the data, as on the diagonal.
    graded : bool
        Whether strengths lie between 0 and 1, and not only at both ends.
    n_means : int or None
        Number of leading features that are means, where as many variances follow them.
    mask : ndarray of shape (n_tasks, n_tasks) or None
        A split that came with the data: 0 training, 1 validation, 2 test.
    """

    name: str
    X: pd.DataFrame
    strengths: np.ndarray
    graded: bool
    n_means: int | None = None
    mask: np.ndarray | None = None

    @property
    def n_tasks(self):
        return len(self.X)


def load(name, folder):
    """One of DATA by its name."""
    return DATA[name](Path(folder))


def make_data(name, X, tasks, strengths, **options):
    """RelationData of arrays: no pair of a task with itself, graded if strengths are."""
    strengths = np.array(strengths, dtype=float)
    np.fill_diagonal(strengths, np.nan)
    columns = options.pop("columns", [f"x{k}" for k in range(X.shape[1])])
    X = pd.DataFrame(
        np.asarray(X, dtype=float), index=list(map(str, tasks)), columns=columns
    )
    graded = not np.isin(strengths[~np.isnan(strengths)], (0, 1)).all()
    return RelationData(name, X, strengths, graded, **options)


def _mammals(folder, n):
    """Mammals of the fixed splits, with TF-IDF features of lemmas and glosses."""
    arrays = np.load(folder / f"mammals{n}_split.npz", allow_pickle=False)
    return make_data(
        f"mammals{n}", arrays["X"], arrays["names"], arrays["D"], mask=arrays["mask"]
    )


def _mammals_minilm(folder, n):
    """The first n mammals in breadth-first order, with sentence embeddings."""
    X, relations = whole(folder)
    order = breadth_first(folder)[:n]
    rows = relations.positions(order)
    return make_data(f"minilm{n}", X[rows], order, relations.block(rows, rows))


def _digits(folder, graded):
    """Data sets of digits: shares of one in another, or containment alone."""
    X, shares = load_digits_tasks(return_X_y=True, as_frame=True)
    strengths = shares if graded else shares == 1
    return make_data(
        "digits_graded" if graded else "digits",
        X,
        X.index,
        strengths,
        n_means=X.shape[1] // 2,
        columns=X.columns,
    )


# According to the source of the data, these come from the configurations of networks.
CONFIG_COLUMNS = [
    "uses_gan_loss",
    "loss_is_softmax",
    "loss_is_metric_learning",
    "n_input_images",
    "n_input_channels",
    "n_output_channels",
]


def _taskonomy(folder, table, features):
    """Transfers: a source covers a target, so the target lies inside the source."""
    files = {"wins": "taskonomy_wins_vs_pixels.csv", "affinity": "taskonomy_affinity.csv"}
    cells = pd.read_csv(folder / files[table], index_col="source")
    cells = cells.drop(index=["self", "random", "pixels"], errors="ignore")
    tasks = list(cells.index)
    strengths = cells.T.reindex(index=tasks, columns=tasks).to_numpy(copy=True)
    np.fill_diagonal(strengths, np.nan)
    if table == "affinity":  # comparable within a target only
        targets = tasks_with_cells(strengths)
        strengths[targets] /= np.nanmax(strengths[targets], axis=1, keepdims=True)
    attributes = pd.read_csv(folder / "taskonomy_attributes_candidates.csv")
    attributes = attributes.set_index("task").drop(columns="description").loc[tasks]
    counts = [column for column in attributes if column.startswith("n_")]
    attributes[counts] = np.log1p(attributes[counts])
    if features == "config":
        attributes = attributes[CONFIG_COLUMNS]
    name = f"taskonomy_{table}_{features}"
    return make_data(name, attributes, tasks, strengths, columns=attributes.columns)


def tasks_with_cells(strengths):
    """Tasks whose relations to others are part of the data."""
    return np.flatnonzero(~np.isnan(strengths).all(axis=1))


def _closed(edges):
    """The relations of a taxonomy, closed by transitivity; tasks are its nodes, sorted."""
    edges = edges[["child", "parent"]].drop_duplicates()
    nodes = sorted({*edges["child"], *edges["parent"]})
    return TaskRelations(edges, nodes, transitive=True)


def _inside(relations, tasks):
    """Which of some tasks lie inside which of them, as a table of bool."""
    rows = relations.positions(tasks)
    return relations.block(rows, rows) > 0


RANKS = ("order", "family", "genus", "species")


def _cub(folder):
    """Taxa of birds of four ranks, and the shares of images that show each attribute."""
    edges = pd.read_csv(folder / "cub200_edges_wikispecies.csv")
    arrays = np.load(folder / "cub200_attributes.npz", allow_pickle=False)
    classes = pd.read_csv(folder / "cub200_taxonomy.csv")["scientific_name"]
    taxa = sorted(edges.loc[edges["child_level"].isin(RANKS), "child"])
    inside = _inside(_closed(edges), taxa)
    return _nested("cub", arrays["attributes"] / 100, classes, taxa, inside)


def _lvis(folder):
    """Categories of LVIS, with CLIP features of their names."""
    arrays = np.load(folder / "lvis_clip_text.npz", allow_pickle=False)
    named = arrays["synsets"] != ""  # all but one
    vectors, categories = arrays["embeddings"][named], arrays["synsets"][named]
    listed = pd.read_csv(folder / "lvis_wordnet_closure.csv.gz")
    return _synsets("lvis", folder, vectors, categories, listed)


def _imagenet(folder):
    """Categories of ImageNet-1k, with sentence embeddings of their glosses."""
    arrays = np.load(folder / "imagenet1k_minilm.npz", allow_pickle=False)
    listed = pd.read_csv(folder / "imagenet1k_closure.csv.gz")
    return _synsets("imagenet", folder, arrays["embeddings"], arrays["synsets"], listed)


def _synsets(name, folder, vectors, categories, listed):
    """Categories and what lies above them in WordNet."""
    tasks = sorted({*listed["leaf"], *listed["ancestor"]})
    nouns = _closed(pd.read_csv(folder / "wordnet30_noun_edges.csv.gz"))
    inside = _inside(nouns, tasks)
    # Directions matter in both embeddings, and all share one that says nothing. A single
    # unit for all features keeps their geometry, and makes means and variances comparable.
    vectors = vectors.astype(float)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors -= vectors.mean(axis=0)
    vectors /= np.sqrt((vectors**2).mean())
    return _nested(name, vectors, categories, tasks, inside)


def _nested(name, vectors, categories, tasks, inside):
    """Tasks made of categories: mean and variance over those that lie in each.

    A task that is a category itself counts among them, with others below it or without.
    Tasks made of the same categories have the same features, and are one task: of 367 taxa
    of birds 261 are left, of 1,969 synsets of LVIS 1,490, of 1,860 of ImageNet 1,396. What
    is left lies inside another task if and only if its categories are all among those of
    the other, but for 20 pairs of LVIS and 9 of ImageNet, which WordNet does not relate.
    """
    categories = pd.Index(categories).get_indexer(tasks)
    below = inside.T | np.eye(len(tasks), dtype=bool)
    below = below[:, categories >= 0].astype(float)
    kept, inside = collapse(below > 0, inside)
    below, vectors = below[kept], vectors[categories[categories >= 0]]
    counts = below.sum(axis=1, keepdims=True)
    means = below @ vectors / counts
    variances = below @ vectors**2 / counts - means**2
    variances = np.where(counts > 1, np.maximum(variances, 0), 0)
    moments, n_means = ("mean", "variance"), vectors.shape[1]
    return make_data(
        name,
        np.hstack([means, variances]),
        np.array(tasks, dtype=object)[kept],
        inside,
        n_means=n_means,
        columns=[f"{moment}_x{k}" for moment in moments for k in range(n_means)],
    )


def _imports(folder):
    """Modules of Python's standard library: which imports which, a dependency graph.

    Features are 128 components of the TF-IDF of their sources. Modules without words of
    their own, such as empty ones, are left out.
    """
    root = Path(sysconfig.get_paths()["stdlib"])
    sources = {}
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        if not {"test", "tests", "site-packages", "dist-packages"} & set(parts):
            name = ".".join(parts).removesuffix(".__init__")
            sources[name] = path.read_text(errors="ignore")
    trees = {name: _parsed(source) for name, source in sources.items()}
    words = TfidfVectorizer(sublinear_tf=True, min_df=3).fit_transform(sources.values())
    X = TruncatedSVD(128, random_state=0).fit_transform(words)
    _, kept = np.unique(X.round(9), axis=0, return_index=True)
    kept = np.sort(kept[np.abs(X[kept]).max(axis=1) > 0])
    names = np.array(list(sources))[kept]
    at = {name: i for i, name in enumerate(names)}
    strengths = np.zeros((len(names), len(names)))
    for i, name in enumerate(names):
        found = [at[other] for other in _imported(trees[name]) if other in at]
        strengths[i, found] = 1
    return make_data("imports", X[kept], names, strengths)


def _parsed(source):
    try:
        return ast.parse(source)
    except SyntaxError:  # templates, and sources of other versions
        return ast.parse("")


def _imported(tree):
    """Dotted names that a module imports: modules, or names in them."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def collapse(below, inside):
    """Make one task of those that consist of the same categories.

    Parameters
    ----------
    below : ndarray of bool, of shape (n_tasks, n_categories)
        Which categories each consists of.
    inside : ndarray of bool, of shape (n_tasks, n_tasks)
        Which lies in which; closed under transitivity.

    Returns
    -------
    kept : ndarray of int
        One of each group: the one that lies inside most of the others.
    inside : ndarray of bool, of shape (len(kept), len(kept))
        A group lies inside another if one of its tasks does, or by way of other groups.
    """
    _, group = np.unique(np.packbits(below, axis=1), axis=0, return_inverse=True)
    group = group.ravel()
    alike = group[:, None] == group
    depth = (inside & alike).sum(axis=1)
    order = np.lexsort((np.arange(len(group)), -depth))
    _, first = np.unique(group[order], return_index=True)
    kept = np.sort(order[first])
    at = np.empty(len(kept), dtype=int)
    at[group[kept]] = np.arange(len(kept))
    heads, tails = np.nonzero(inside & ~alike)
    edges = np.unique([at[group[heads]], at[group[tails]]], axis=1)
    shape = len(kept), len(kept)
    among = sparse.csr_matrix((np.ones(edges.shape[1]), tuple(edges)), shape)
    return kept, TaskRelations(among, transitive=True).toarray() > 0


# Small ones first.
DATA = {
    "taskonomy_wins_attributes": partial(_taskonomy, table="wins", features="attributes"),
    "taskonomy_wins_config": partial(_taskonomy, table="wins", features="config"),
    "taskonomy_affinity_attributes": partial(
        _taskonomy, table="affinity", features="attributes"
    ),
    "taskonomy_affinity_config": partial(_taskonomy, table="affinity", features="config"),
    "digits": partial(_digits, graded=False),
    "digits_graded": partial(_digits, graded=True),
    "mammals150": partial(_mammals, n=150),
    "minilm150": partial(_mammals_minilm, n=150),
    "cub": _cub,
    "imports": _imports,
    "mammals500": partial(_mammals, n=500),
    "minilm500": partial(_mammals_minilm, n=500),
    "minilm1182": partial(_mammals_minilm, n=1182),
    "imagenet": _imagenet,
    "lvis": _lvis,
}


DESCRIBED = (
    "| data | tasks | features | pairs | related, or mean strength |\n|---|---|---|---|---|"
)


def describe(data):
    """A line about data: name, tasks, features, pairs, and how much is related.

    Parameters
    ----------
    data : RelationData

    Returns
    -------
    line : str
        The last number is the mean strength of the pairs, of 0/1 relations in percent.
    """
    strengths = data.strengths[~np.isnan(data.strengths)]
    mean = f"{strengths.mean():.2f}" if data.graded else f"{100 * strengths.mean():.1f} %"
    return (
        f"| {data.name} | {data.n_tasks:,} | {data.X.shape[1]:,} | {len(strengths):,} "
        f"| {mean} |"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True, help="folder of the benchmark data")
    folder = parser.parse_args().data
    print(DESCRIBED)
    for name in DATA:
        print(describe(load(name, folder)))
