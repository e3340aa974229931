"""
A map of public data sets, from their cards
===========================================

Figure 5 of Task2Box maps public data sets. No relations among these are known; what is
known are their cards: tasks, languages, licence, size. Data sets whose cards are alike
shall overlap, and a larger data set shall have a larger box. Strengths say both: the more
of the smaller of two boxes lies in the other, the more alike are the cards.

The folder that ``TASK2BOX_DATA`` or the first argument names holds
``hf_datasets_2022.csv.gz``, a table of the cards of the Hugging Face Hub in October 2022.
Without it, generated cards stand in. The cards of today come from
:func:`~sklearn_task2box.datasets.fetch_hub_cards`.

The map is also written as a page that names what is pointed at, and finds data sets by
name: `open the page <../hub_datasets.html>`_.
"""

import os
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy.stats import spearmanr
from sklearn.metrics import pairwise_distances

from sklearn_task2box import BoxRelationEmbedder
from sklearn_task2box.display import BoxDisplay
from sklearn_task2box.nets import Objective
from sklearn_task2box.representations import DatasheetRepresentation


def read_cards(folder):
    """The cards of data sets that say how many examples there are, and for what task."""
    cards = pd.read_csv(folder / "hf_datasets_2022.csv.gz", index_col="id")
    return cards[(cards["max_examples"] > 0) & cards["task_categories"].notna()]


def generate_cards(n=60, seed=0):
    """Cards of made-up data sets of four tasks."""
    rng = np.random.RandomState(seed)
    kinds = np.array(["image-classification", "translation", "summarization", "captioning"])
    return pd.DataFrame(
        {
            "task_categories": rng.choice(kinds, n),
            "n_languages": rng.randint(1, 9, n),
            "license": rng.choice(["mit", "cc-by-4.0", "unknown"], n),
            "max_examples": 10 ** rng.uniform(2, 8, n).round(2),
        },
        index=[f"data set {i}" for i in range(n)],
    )


folder = Path(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("TASK2BOX_DATA", "."))
if (folder / "hf_datasets_2022.csv.gz").exists():
    cards, source = read_cards(folder), "the Hugging Face Hub, October 2022"
    print(f"Data: cards of {source}")
else:
    cards, source = generate_cards(), "generated cards"
    print("Data: generated cards, since there is no hf_datasets_2022.csv.gz")

# %%
# About ten data sets of each of the most frequent tasks, from the smallest to the largest,
# fit into a picture. Their sizes are left out of what makes cards alike.
kinds = cards["task_categories"].str.split("|").str[0]
kinds = kinds[kinds.isin(kinds.value_counts().index[:6])]
chosen = (
    cards.loc[kinds.index, "max_examples"]
    .groupby(kinds)
    .apply(lambda sizes: sizes.sort_values().iloc[:: max(1, len(sizes) // 10)])
    .index.get_level_values(1)
)
cards, kinds = cards.loc[chosen], kinds[chosen]
columns = [
    "task_categories",
    "task_ids",
    "license",
    "multilinguality",
    "n_languages",
    "feature_types",
]
about = cards[[column for column in columns if column in cards]]
tags = {"task_categories": "tags", "task_ids": "tags"}
X = DatasheetRepresentation(
    kinds={key: kind for key, kind in tags.items() if key in about}, min_frequency=2
).fit_transform(about)
print(f"{len(X)} data sets, {X.shape[1]} features")

# %%
# How alike: 1 for cards that are the same, 0.4 at the distance of the fifth neighbour, next
# to nothing at twice that distance. If areas were numbers of examples, they would differ by
# seven orders of magnitude or more; their fourth root leaves two.
distances = pairwise_distances(X)
reach = np.maximum(np.sort(distances, axis=1)[:, 5], 0.5)
alike = np.exp(-(distances**2) / np.outer(reach, reach))
areas = cards["max_examples"].to_numpy() ** 0.25
strengths = alike * np.minimum(areas[:, None], areas) / areas[:, None]
np.fill_diagonal(strengths, 1)

# %%
# A network would give data sets with the same features the same box, and their sizes are no
# features here; a table has a free box for each. Squareness keeps boxes from evading each
# other as long thin strips, and the root of the overlap, in place of the overlap, from
# lying on top of all others that are somewhat alike: a quarter in common is half alike.
# Soft sides let boxes pass one another while they find their places.
embedder = BoxRelationEmbedder(
    box_dim=2,
    encoder="table",
    learning_rate=0.1,
    objective=Objective(squareness_weight=1.0, exponent=0.5),
    temperature=0.04,
    max_epochs=1000,
    random_state=0,
)
embedder.fit(np.eye(len(X)), strengths)
lower, upper = np.hsplit(embedder.boxes_, 2)
rho = spearmanr((upper - lower).prod(axis=1), areas)[0]
print(f"Spearman's rho of the area of a box and the size of its data set: {rho:.2f}")

# %%
# On the left, areas are what they are. On the right, the gaps between corners are made
# even, so that the small ones in the middle can be distinguished.
display = BoxDisplay(embedder.boxes_, X.index, groups=kinds.to_numpy())
figure, axes = plt.subplots(1, 2, figsize=(18, 8.5), layout="constrained")
display.plot(axes[1], spacing="even")
axes[1].set_title("The same with even gaps")
display.plot(axes[0], spacing="linear")
axes[0].set_title(f"{len(X)} data sets; larger ones have larger boxes")
plt.show()

# %%
# The same to explore: zoom, point, search, click.
page = Path("examples-output", "hub_datasets.html")
page.parent.mkdir(exist_ok=True)
display.to_html(page, title=f"Data sets of {source}, as boxes")
print("written:", page)
