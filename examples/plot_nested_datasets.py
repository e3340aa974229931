"""
Nested data sets: musical instruments
=====================================

Figure 3 of Task2Box shows data sets that lie in one another. Here they are made of the
classes of ImageNet-1k that are musical instruments: "wind instrument" is the data set of
all classes below it in WordNet. What is known of a class is an embedding of its definition,
and of a data set the mean and the variance of those of its classes.

The folder that ``TASK2BOX_DATA`` or the first argument names holds
``imagenet1k_minilm.npz`` (embeddings, synsets) and ``imagenet1k_closure.csv.gz`` (leaf,
ancestor). Without them, the data sets of digits that come with the package stand in.
"""

import os
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from sklearn_task2box import BoxRelationEmbedder
from sklearn_task2box.datasets import load_digits_tasks
from sklearn_task2box.display import BoxDisplay, RelationMatrixDisplay
from sklearn_task2box.representations import GaussianRepresentation


def read_instruments(folder, root="musical_instrument.n.01"):
    """Features of data sets of instruments, and which lies in which."""
    arrays = np.load(folder / "imagenet1k_minilm.npz", allow_pickle=False)
    pairs = pd.read_csv(folder / "imagenet1k_closure.csv.gz")
    leaves = pairs.loc[pairs["ancestor"] == root, "leaf"]
    pairs = pairs[pairs["leaf"].isin(leaves)]
    below = pd.crosstab(pairs["leaf"], pairs["ancestor"]) > 0
    single = pd.DataFrame(np.eye(len(below)) > 0, below.index, below.index)
    below = pd.concat([single, below], axis=1)
    # What lies above all instruments holds the same ones: of such data sets, one is enough.
    everything = below.columns[below.all()]
    below = below.drop(columns=everything.drop(root))
    below = below.loc[:, ~below.T.duplicated()]
    below.columns = below.columns.str.split(".").str[0].str.replace("_", " ")
    rows = pd.Index(arrays["synsets"]).get_indexer(below.index)
    X = GaussianRepresentation().fit_transform(
        arrays["embeddings"][rows].astype(float), below
    )
    has = below.to_numpy().astype(int)
    inside = pd.DataFrame(has.T @ (1 - has) == 0, index=X.index, columns=X.index)
    return X, inside.astype(float), has.sum(axis=0)


def read_digits():
    """Features of data sets of digits, and which lies in which."""
    tasks = load_digits_tasks(as_frame=True)
    X, n_classes = tasks.data, tasks.classes.sum(axis=1)
    # Two dimensions are too few for all of them: single digits, and what has a name.
    named = ["all", "even", "odd", "primes", "small", "large"]
    few = X.index.isin(named) | ((n_classes == 1) & ~X.index.str.endswith(")"))
    inside = (tasks.relations.loc[few, few] == 1).astype(float)
    return X[few], inside, n_classes[few]


folder = Path(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("TASK2BOX_DATA", "."))
if (folder / "imagenet1k_minilm.npz").exists():
    X, inside, n_classes = read_instruments(folder)
    target = "violin"
    print("Data: musical instruments of ImageNet-1k")
else:
    X, inside, n_classes = read_digits()
    target = X.index[np.argmin(n_classes)]
    print("Data: data sets of digits, since there is no imagenet1k_minilm.npz")

# %%
# A single network is enough for a picture of relations that are all known.
embedder = BoxRelationEmbedder(box_dim=2, max_epochs=1000, random_state=0)
embedder.fit(X, inside)
print(f"{len(X)} data sets; average precision {embedder.score(X, inside):.3f}")

# %%
# A box is drawn inside another where its data set is part of the other one. Colours say how
# many classes a data set has.
sizes = pd.cut(n_classes, [0, 1, 4, 9, np.inf], labels=["1 class", "2-4", "5-9", "more"])
display = BoxDisplay.from_estimator(embedder, groups=sizes, spacing="even")
display.figure_.set_size_inches(10, 8)
plt.show()

# %%
# One of them, shaded, with what contains it.
display = BoxDisplay.from_estimator(embedder, highlight=target, spacing="even")
display.figure_.set_size_inches(10, 8)
display.ax_.set_title(f"What contains {target}")
plt.show()

# %%
# The strengths themselves, beside the truth.
figure, axes = plt.subplots(1, 2, figsize=(14, 7), layout="compressed")
RelationMatrixDisplay.from_estimator(embedder, ax=axes)
plt.show()
