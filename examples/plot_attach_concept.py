"""
Attach new concepts to a taxonomy, and find misplaced ones
==========================================================

Two jobs of those who keep a taxonomy. A new concept comes with a definition and no
parent: which are good ones? And of the concepts that have one, which are in the wrong
place? Both depend on how well a concept fits into others by its features alone.

The folder that ``TASK2BOX_DATA`` or the first argument names holds ``mammal_minilm.npz``
(embeddings of definitions, synsets) and ``mammal_edges.csv.gz`` (child, parent) of WordNet,
of which the carnivores are used. Without them, a generated taxonomy stands in.
"""

import os
import sys
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import networkx as nx
import numpy as np
import pandas as pd
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import KFold

from sklearn_task2box import BoxRelationEmbedder, TaskRelations

# A few training pairs that boxes get wrong are no surprise here.
warnings.simplefilter("ignore", ConvergenceWarning)


def read_carnivores(folder):
    """Definitions of carnivores as numbers, and edges from child to parent."""
    arrays = np.load(folder / "mammal_minilm.npz", allow_pickle=False)
    edges = pd.read_csv(folder / "mammal_edges.csv.gz")
    graph = nx.DiGraph(list(zip(edges["child"], edges["parent"], strict=True)))
    below = nx.ancestors(graph, "carnivore.n.01") | {"carnivore.n.01"}
    X = pd.DataFrame(arrays["embeddings"].astype(float), index=arrays["synsets"])
    return X[X.index.isin(below)], nx.DiGraph(graph.subgraph(below))


def generate_taxonomy(n=90, n_features=24, seed=0):
    """A tree whose nodes resemble their parents."""
    rng = np.random.RandomState(seed)
    X, graph = rng.normal(size=(n, n_features)), nx.DiGraph()
    for child in range(1, n):
        parent = (child - 1) // 4
        X[child] = X[parent] + X[child] / 2
        graph.add_edge(f"concept {child}", f"concept {parent}")
    return pd.DataFrame(X, index=[f"concept {i}" for i in range(n)]), graph


folder = Path(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("TASK2BOX_DATA", "."))
if (folder / "mammal_minilm.npz").exists():
    X, taxonomy = read_carnivores(folder)
    print("Data: carnivores of WordNet")
else:
    X, taxonomy = generate_taxonomy()
    print("Data: a generated taxonomy, since there is no mammal_minilm.npz")
print(f"{len(X)} concepts, {taxonomy.number_of_edges()} edges")


def fit_boxes(known, relations):
    """Boxes of the known concepts."""
    # A slice of the relations keeps what is implied by way of a concept held out.
    embedder = BoxRelationEmbedder(box_dim=10, max_epochs=200, random_state=0)
    return embedder.fit(known, relations[relations.positions(known.index)])


# %%
# Of a plain taxonomy, only direct parents are given; what transitivity implies is added.
relations = TaskRelations(taxonomy, tasks=X.index)
print(relations)

# %%
# New concepts
# ------------
# Some leaves are held out with their edges. Of the known concepts that hold a new one by at
# least half, the smallest box comes first: the most special parent.
rng = np.random.RandomState(0)
leaves = [name for name in X.index if taxonomy.in_degree(name) == 0]
novel = list(rng.choice(leaves, len(leaves) // 10, replace=False))
known = X.drop(index=novel)
embedder = fit_boxes(known, relations)


def suggest_parents(embedder, x, k=3, strength=0.5):
    """The k smallest boxes that hold at least that much of each row of x."""
    lower, upper = np.hsplit(embedder.boxes_, 2)
    volumes = np.log(upper - lower).sum(axis=1)
    for strengths in embedder.predict_proba(x):
        enough = strengths >= min(strength, np.sort(strengths)[-k])
        order = np.argsort(np.where(enough, volumes, np.inf))[: min(k, enough.sum())]
        yield list(embedder.tasks_[order])


rows = []
for name, parents in zip(novel, suggest_parents(embedder, X.loc[novel]), strict=True):
    true = set(taxonomy.successors(name))
    above = nx.descendants(taxonomy, name)
    rows.append((name, ", ".join(sorted(true)), ", ".join(parents), true, parents, above))
columns = ["concept", "true parent", "suggested", "true", "parents", "above"]
found = pd.DataFrame(rows, columns=columns)
print(found.iloc[:8, :3].to_string(index=False))
hits = [bool(true & set(parents)) for *_, true, parents, _ in rows]
related = [bool(set(parents) & above) for *_, parents, above in rows]
print(f"\nOf {len(novel)} new concepts, {sum(hits)} have their parent among three,")
print(f"and {sum(related)} something that contains them.")

# %%
# Misplaced concepts
# ------------------
# Some leaves are moved to a parent drawn at random. A fold at a time, leaves are held out,
# and get their boxes from their features: the ones that lie least in their stated parent
# are looked at first.
moved = [str(name) for name in rng.choice(leaves, max(5, len(leaves) // 20), replace=False)]
inner = [name for name in X.index if taxonomy.in_degree(name) > 0]
damaged = taxonomy.copy()
for name in moved:
    wrong = [p for p in inner if p not in nx.descendants(taxonomy, name)]
    damaged.remove_edges_from(list(taxonomy.out_edges(name)))
    damaged.add_edge(name, str(rng.choice(wrong)))

relations = TaskRelations(damaged, tasks=X.index)
fits = pd.Series(np.nan, index=leaves)
for _, rows in KFold(4, shuffle=True, random_state=0).split(leaves):
    held = [leaves[i] for i in rows]
    embedder = fit_boxes(X.drop(index=held), relations)
    strengths = pd.DataFrame(embedder.predict_proba(X.loc[held]), held, embedder.tasks_)
    for name in held:
        fits[name] = max(strengths.loc[name, parent] for parent in damaged.successors(name))

fits = fits.sort_values()
is_moved = fits.index.isin(moved)
first = int(is_moved[: len(moved)].sum())
by_chance = len(moved) ** 2 / len(leaves)
print(
    f"{len(moved)} of {len(leaves)} leaves are moved. Of the {len(moved)} that fit least,"
)
print(f"{first} are among these; by chance, it would be {by_chance:.1f}.")

# %%
figure, ax = plt.subplots(figsize=(9, 4.5), layout="constrained")
place = np.arange(len(fits))
ax.scatter(
    place[~is_moved], fits[~is_moved], s=12, color="#8C8C8C", label="as in the taxonomy"
)
ax.scatter(place[is_moved], fits[is_moved], s=40, color="#D55E00", label="misplaced")
ax.set(xlabel="leaf, the least fitting first", ylabel="share inside its stated parent")
ax.set_title("Misplaced concepts are among those that fit least")
ax.legend()
plt.show()
