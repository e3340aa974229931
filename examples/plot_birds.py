"""
Birds as boxes, and the hierarchy of one order
==============================================

Figure 1 of Task2Box shows taxa of birds: boxes in two dimensions, and beside them the
hierarchy of one order. Here a taxon is the set of its classes of Caltech-UCSD Birds (CUB,
Wah et al. 2011), each described by 312 attributes such as the colour of its wings; its
features are their mean and variance. That one taxon lies inside another is what is learned.

The folder that ``TASK2BOX_DATA`` or the first argument names holds
``cub200_attributes.npz`` (attributes, class_names) and ``cub200_taxonomy.csv`` (order,
family, genus, class_name). Without them, generated birds stand in.
"""

import os
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from sklearn_task2box import BoxRelationEmbedder
from sklearn_task2box.display import BoxDisplay, HierarchyDisplay
from sklearn_task2box.representations import GaussianRepresentation

RANKS = ["order", "family", "genus"]


def read_birds(folder):
    """Attributes of each class, and the taxa that it belongs to."""
    arrays = np.load(folder / "cub200_attributes.npz", allow_pickle=False)
    classes = pd.read_csv(folder / "cub200_taxonomy.csv")
    assert list(arrays["class_names"]) == list(classes["class_name"])
    classes["class"] = classes["class_name"].str.replace("_", " ")
    return arrays["attributes"] / 100, classes[[*RANKS, "class"]]


def generate_birds(seed=0):
    """Three orders of two families of two genera of three classes each."""
    rng = np.random.RandomState(seed)
    rows, attributes = [], []
    orders = rng.uniform(size=(3, 40))
    for number in range(3 * 2 * 2 * 3):
        order, family, genus = number // 12, number // 6, number // 3
        own = np.random.RandomState(100 + family).normal(size=40) / 4
        own += np.random.RandomState(200 + genus).normal(size=40) / 8
        attributes.append(orders[order] + own + rng.normal(size=40) / 16)
        rows.append((f"Order {order}", f"family {family}", f"genus {genus}", f"{number}"))
    return np.array(attributes), pd.DataFrame(rows, columns=[*RANKS, "class"])


folder = Path(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("TASK2BOX_DATA", "."))
if (folder / "cub200_attributes.npz").exists():
    attributes, classes = read_birds(folder)
    shown = "Charadriiformes"
    print("Data: CUB-200-2011")
else:
    attributes, classes = generate_birds()
    shown = "Order 0"
    print("Data: generated birds, since there is no cub200_attributes.npz")

# %%
# Taxa made of the same classes are one task: a genus and its only species, an order and its
# only family. One name is kept.
memberships = pd.concat(
    [pd.get_dummies(classes[rank]) for rank in ["class", *RANKS]], axis=1
)
memberships = memberships.loc[:, ~memberships.T.duplicated()]
X = GaussianRepresentation().fit_transform(attributes, memberships)
rank_of = {name: rank for rank in ["class", *RANKS[::-1]] for name in classes[rank]}
ranks = pd.Categorical([rank_of[name] for name in X.index], [*RANKS, "class"])

has = memberships.to_numpy().astype(int)
inside = pd.DataFrame(has.T @ (1 - has) == 0, index=X.index, columns=X.index).astype(float)

# %%
# A single network is enough for a picture of relations that are all known; distilled boxes
# are for those that are not.
embedder = BoxRelationEmbedder(box_dim=2, max_epochs=1000, random_state=0)
embedder.fit(X, inside)
print(f"average precision of these relations: {embedder.score(X, inside):.3f}")

# %%
# All taxa are on the left. On the right is one order as the boxes have it; lines that the
# truth lacks, and those that the boxes lack, are marked.
part = X.index[inside[shown] == 1]
figure, axes = plt.subplots(
    1, 2, figsize=(16, 8), width_ratios=[1.1, 1], layout="constrained"
)
BoxDisplay.from_estimator(embedder, groups=ranks, ax=axes[0])
axes[0].set_title(f"{len(X)} taxa of birds as boxes")
HierarchyDisplay.from_estimator(
    embedder,
    X.loc[part],
    y=inside.loc[part, part],
    groups=ranks[X.index.isin(part)],
    ax=axes[1],
)
axes[1].set_title(f"{shown}: the hierarchy that the boxes predict")
plt.show()

# %%
# The same order, by itself.
display = BoxDisplay.from_estimator(
    embedder, X.loc[part], groups=ranks[X.index.isin(part)], spacing="even"
)
display.figure_.set_size_inches(9, 8)
display.ax_.set_title(f"{shown} as boxes")
plt.show()
