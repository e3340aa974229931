"""
Which data set lies inside which? A hundred and twenty tasks of digits
======================================================================

Every task is a data set of images of some of the ten digits. All that is known of it are
the mean and the variance of an embedding of its images. From these, and from some known
relations, several models predict whether all classes of one task are classes of another:
for tasks that no relation mentions, and for pairs of known tasks that were held out.

Run it with ``make demo``, or ``python examples/demo_digits.py [folder for the picture]``.
"""

# sphinx_gallery_thumbnail_path = 'images/digits_tasks.png'

import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from tqdm import tqdm

from sklearn_task2box import BoxRelationEmbedder, DistilledBoxEmbedder
from sklearn_task2box.datasets import load_digits_tasks
from sklearn_task2box.metrics import average_precision_beyond_closure, relation_score
from sklearn_task2box.models import ClosureModel, KernelRidgeModel, NeighborsModel

EXPLANATION = """
Average precision of a fifth of the tasks, which are new, in the known ones, and of a fifth
of the pairs of known tasks, hidden in training; beyond closure: those of them that do not
follow from the other pairs by transitivity.
"""


def fit(X, strengths, bar):
    """Fitted models by name, and the seconds of their fits."""
    models = {
        "boxes": BoxRelationEmbedder(random_state=0),
        "distilled boxes": DistilledBoxEmbedder(random_state=0),
        "kernel ridge": KernelRidgeModel(),
        "vote of the neighbours": NeighborsModel(),
        "closure": ClosureModel(),
    }
    seconds = {}
    for name, model in models.items():
        bar.set_postfix_str(name)
        started = time.perf_counter()
        model.fit(X, strengths)
        seconds[name] = time.perf_counter() - started
        bar.update()
    models["its teacher, an ensemble"] = models["distilled boxes"].teacher_
    return models, pd.Series(seconds)


def score_new_tasks(X, inside, bar):
    """Average precision of a fifth of the tasks in the others, fitted models, seconds."""
    known, new = train_test_split(X.index, test_size=0.2, random_state=0)
    among, true = inside.loc[known, known], inside.loc[new, known].to_numpy()
    models, seconds = fit(X.loc[known], among, bar)
    tables = {name: model.predict_proba(X.loc[new]) for name, model in models.items()}
    scores = {name: relation_score(true.ravel(), t.ravel()) for name, t in tables.items()}
    return scores, models, seconds


def score_hidden_pairs(X, inside, bar):
    """Average precision of a fifth of the pairs, the same beyond closure, and seconds."""
    hidden = np.random.RandomState(0).uniform(size=inside.shape) < 0.2
    np.fill_diagonal(hidden, False)
    seen = inside.mask(hidden)
    models, seconds = fit(X, seen, bar)
    tables = {name: model.pairwise_strengths() for name, model in models.items()}
    implied = tables["closure"][hidden] > 0.5
    true = inside.to_numpy()[hidden]
    scores = {name: relation_score(true, t[hidden]) for name, t in tables.items()}
    beyond = {
        name: average_precision_beyond_closure(true, t[hidden], implied)
        for name, t in tables.items()
    }
    return scores, beyond, seconds


def main(folder):
    # A few training pairs that boxes get wrong are no surprise here.
    warnings.simplefilter("ignore", ConvergenceWarning)
    started = time.perf_counter()
    tasks = load_digits_tasks(as_frame=True)
    X, inside = tasks.data, (tasks.relations == 1).astype(float)
    print(f"{len(X)} tasks, {X.shape[1]} features each; u -> v: all digits of u are in v\n")

    with tqdm(total=10, unit="fit", desc="fitting") as bar:
        of_new, models, seconds = score_new_tasks(X, inside, bar)
        of_hidden, beyond, further = score_hidden_pairs(X, inside, bar)
    table = pd.DataFrame(
        {"new tasks": of_new, "hidden pairs": of_hidden, "beyond closure": beyond}
    ).round(3)
    table["seconds of a fit"] = ((seconds + further) / 2).round(1)
    print(EXPLANATION)
    print(table.to_string(na_rep=""), "\n")

    model = models["distilled boxes"]
    new = X.index.drop(model.tasks_)
    name = next(n for n in new if 2 <= tasks.classes[X.index.get_loc(n)].sum() <= 3)
    found = model.supersets(X.loc[[name]], k=5, as_frame=True)
    found["in truth"] = inside.loc[name, found["container"]].to_numpy()
    print(f"A new task, {name!r}, and the known tasks that best contain it")
    print(found.drop(columns="task").round(2).to_string(index=False))

    picture = draw(X, inside, tasks.classes, folder)
    print(f"\n2-D boxes and hierarchy: {picture}")
    print(f"{time.perf_counter() - started:.0f} seconds in all")


def draw(X, inside, classes, folder):
    """Boxes of a few tasks in two dimensions, and the hierarchy they make."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    from sklearn_task2box.display import BoxDisplay, HierarchyDisplay

    n_digits = classes.sum(axis=1)
    named = ["all", "even", "odd", "primes", "small", "large"]
    few = np.flatnonzero(X.index.isin(named) | (n_digits == 1))
    few = few[~X.index[few].str.endswith(")")]  # no second task of the same digits
    contained = inside.iloc[few, few]
    # All of these relations are known, and a single network is enough to draw them.
    flat = BoxRelationEmbedder(box_dim=2, max_epochs=1000, random_state=1)
    flat.fit(X.iloc[few], contained)
    figure, axes = plt.subplots(
        1, 2, figsize=(15, 7), width_ratios=[1.2, 1], layout="constrained"
    )
    sizes = {1: "one digit", 4: "four digits", 5: "five digits", 10: "all digits"}
    groups = pd.Categorical([sizes[n] for n in n_digits[few]], list(sizes.values()))
    looks = {"labels": "all", "spacing": "even"}  # however small, each box is seen
    BoxDisplay.from_estimator(flat, groups=groups, ax=axes[0], **looks)
    HierarchyDisplay.from_estimator(flat, ax=axes[1])
    score = flat.score(X.iloc[few], contained)
    axes[0].set_title(f"{len(few)} tasks as boxes (average precision {score:.2f})")
    axes[1].set_title("The hierarchy they predict")
    path = Path(folder) / "digits_tasks.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    plt.close(figure)
    return path


if __name__ == "__main__":
    torch.set_num_threads(1)  # quickest for so few tasks, above all beside other work
    main(sys.argv[1] if len(sys.argv) > 1 else "demo-output")
