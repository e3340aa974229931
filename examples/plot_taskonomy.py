"""
Which sources transfer well to a target? Taskonomy
==================================================

Figure 4 of Task2Box shades a target task, and shows the sources that transfer well to it as
boxes around it. Taskonomy (Zamir et al., CVPR 2018) measured how well networks for one
visual task serve another. A source that serves a target covers it, so the target lies
inside the source; strengths are the affinities, divided by that of the target's best
source.

The folder that ``TASK2BOX_DATA`` or the first argument names holds
``taskonomy_affinity.csv`` (rows are sources) and ``taskonomy_attributes_candidates.csv``
(properties of the tasks, such as whether their output is dense). Without them, generated
tasks stand in. :func:`~sklearn_task2box.datasets.fetch_taskonomy` loads the published
affinities.
"""

import os
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from sklearn_task2box import BoxRelationEmbedder
from sklearn_task2box.display import BoxDisplay
from sklearn_task2box.metrics import mean_spearman_within
from sklearn_task2box.representations import DatasheetRepresentation


def read_tasks(folder):
    """Attributes of tasks, and how much each target lies inside each source."""
    affinity = pd.read_csv(folder / "taskonomy_affinity.csv", index_col="source")
    affinity = affinity.drop(index=["self", "random", "pixels"], errors="ignore")
    inside = (affinity / affinity.max()).T.reindex(affinity.index)  # NaN: never a target
    attributes = pd.read_csv(
        folder / "taskonomy_attributes_candidates.csv", index_col="task"
    )
    return attributes.drop(columns="description").loc[inside.index], inside


def generate_tasks(n=16, n_skills=10, seed=0):
    """Tasks that need some skills: a source covers the share of them that it has, too."""
    rng = np.random.RandomState(seed)
    skills = rng.uniform(size=(n, n_skills)) < rng.uniform(0.2, 0.9, size=(n, 1))
    skills[:, 0] = True
    names = [f"task {i}" for i in range(n)]
    shares = skills.astype(float) @ skills.T / skills.sum(axis=1, keepdims=True)
    columns = [f"skill {k}" for k in range(n_skills)]
    return (
        pd.DataFrame(skills.astype(float), names, columns),
        pd.DataFrame(shares, names, names),
    )


folder = Path(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("TASK2BOX_DATA", "."))
if (folder / "taskonomy_affinity.csv").exists():
    attributes, inside = read_tasks(folder)
    targets = ["rgb2depth", "class_1000"]
    print("Data: Taskonomy")
else:
    attributes, inside = generate_tasks()
    targets = ["task 0", "task 1"]
    print("Data: generated tasks, since there is no taskonomy_affinity.csv")

# %%
# Twenty-five tasks at most: a fit takes seconds. Relations that are not known are NaN.
X = DatasheetRepresentation().fit_transform(attributes)
strengths = inside.to_numpy(copy=True)
np.fill_diagonal(strengths, np.nan)
embedder = BoxRelationEmbedder(box_dim=2, max_epochs=1000, random_state=0)
embedder.fit(X, pd.DataFrame(strengths, X.index, X.index))
predicted = embedder.predict_proba(X)
rows, columns = np.nonzero(~np.isnan(strengths))
rho = mean_spearman_within(strengths[rows, columns], predicted[rows, columns], rows)
print(f"Spearman's rho of sources within a target, in two dimensions: {rho:.2f}")

# %%
# The target is shaded, and the three sources that cover it best have strong outlines, as
# have those that equal the third: the ones to start from. No box covers all of the target
# where no source serves it best alone.
others = np.where(np.eye(len(X), dtype=bool), -1, predicted)
best = others >= np.sort(others, axis=1)[:, [-3]]
figure, axes = plt.subplots(1, 2, figsize=(16, 7.5), layout="constrained")
for target, ax in zip(targets, axes, strict=True):
    display = BoxDisplay(embedder.boxes_, embedder.tasks_, inside=best)
    display.plot(ax, highlight=target, spacing="log")
    handles = ax.get_legend().legend_handles
    place = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.08), "ncols": 2}
    ax.legend(handles, [target, "covers it best"], frameon=False, **place)
    ax.set_title(f"Sources for {target}")
plt.show()

# %%
# The same as a list, beside what was measured.
for target in targets:
    row = X.index.get_loc(target)
    top = np.argsort(-others[row])[:5]
    table = pd.DataFrame(
        {"predicted": predicted[row, top], "measured": strengths[row, top]}, X.index[top]
    )
    print(f"\n{target}\n{table.round(2)}")
