"""
Which data set lies inside which? A hundred and twenty tasks of digits
======================================================================

Every task is a data set of images of some of the ten digits. All that is known of it are
the mean and the variance of an embedding of its images. From these, and from some known
relations, boxes predict how much of the classes of one task another covers: for pairs of
known tasks that were held out, and for tasks that no relation mentioned.

Run it with ``make demo``, or ``python examples/demo_digits.py [folder for the picture]``.
"""

# sphinx_gallery_thumbnail_path = 'images/digits_tasks.png'

import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

from sklearn_task2box import BoxRelationEmbedder, TaskPairs
from sklearn_task2box.datasets import load_digits_tasks
from sklearn_task2box.metrics import relation_score
from sklearn_task2box.models import ClosureModel, PopularityModel

SEEDS = (0, 1)
METHODS = {
    "boxes": lambda seed: BoxRelationEmbedder(random_state=seed),
    "popularity": lambda seed: PopularityModel(),
    "closure": lambda seed: ClosureModel(),
}


def unseen_relations(model, X, strengths, seed):
    """Hide a fifth of the ordered pairs, learn the others, predict the hidden ones."""
    hidden = np.random.RandomState(seed).uniform(size=strengths.shape) < 0.2
    np.fill_diagonal(hidden, False)
    model.fit(X, np.where(hidden, np.nan, strengths))
    predicted = model.predict_proba(TaskPairs(X, np.argwhere(hidden)))[:, 1]
    return strengths[hidden], predicted


def novel_tasks(model, X, strengths, seed):
    """Learn four fifths of the tasks, predict which of them contain the others."""
    known, novel = train_test_split(np.arange(len(X)), test_size=0.2, random_state=seed)
    model.fit(X[known], strengths[np.ix_(known, known)])
    return strengths[np.ix_(novel, known)].ravel(), model.predict_proba(X[novel]).ravel()


def table(X, strengths):
    """Mean scores over the seeds, for each protocol and method."""
    rows = []
    for protocol in (unseen_relations, novel_tasks):
        for method, make in METHODS.items():
            scores = []
            for seed in SEEDS:
                true, predicted = protocol(make(seed), X, strengths, seed)
                scores.append(
                    (
                        relation_score(true, predicted),
                        relation_score(true == 1, predicted),
                    )
                )
            rows.append(
                (protocol.__name__.replace("_", " "), method, *np.mean(scores, axis=0))
            )
    columns = ["protocol", "method", "rho of shares", "AP of containment"]
    return pd.DataFrame(rows, columns=columns).set_index(["protocol", "method"])


def main(folder):
    started = time.perf_counter()
    tasks = load_digits_tasks(as_frame=True)
    X, relations = tasks.data, tasks.relations
    print(
        f"{len(X)} tasks, {X.shape[1]} features each; strength of u -> v: share of u in v\n"
    )

    scores = table(X.to_numpy(), relations.to_numpy())
    print(f"Mean of {len(SEEDS)} splits (popularity: how much v contains in training;")
    print("closure: what transitivity implies, popularity elsewhere)\n")
    print(scores.round(3).to_string(), "\n")

    known, novel = train_test_split(X.index, test_size=0.2, random_state=0)
    embedder = BoxRelationEmbedder(random_state=0)
    embedder.fit(X.loc[known], relations.loc[known, known])
    name = next(n for n in novel if 2 <= tasks.classes[X.index.get_loc(n)].sum() <= 3)
    indices, strengths = embedder.supersets(X.loc[[name]], k=5)
    print(f"A task never seen, {name!r}: the known tasks that best contain it")
    for i, strength in zip(indices[0], strengths[0], strict=True):
        container = embedder.tasks_[i]
        share = relations.loc[name, container]
        print(f"  {strength:.2f} predicted, {share:.2f} in truth: {container}")

    picture = draw(X, relations, tasks.classes, folder)
    print(f"\n2-D boxes and hierarchy: {picture}")
    print(f"{time.perf_counter() - started:.0f} seconds in all")


def draw(X, relations, classes, folder):
    """Boxes of a few tasks in two dimensions, and the hierarchy they make."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    from sklearn_task2box.display import BoxDisplay, HierarchyDisplay

    n_digits = classes.sum(axis=1)
    named = ["all", "even", "odd", "primes", "small", "large"]
    few = np.flatnonzero(X.index.isin(named) | (n_digits == 1))
    few = few[~X.index[few].str.endswith(")")]  # no second task of the same digits
    contained = (relations.iloc[few, few] == 1).astype(float)
    # No teachers: they matter for unknown relations, not for a picture of known ones.
    flat = BoxRelationEmbedder(box_dim=2, max_epochs=1000, random_state=0)
    flat.fit(X.iloc[few], contained)
    figure, axes = plt.subplots(
        1, 2, figsize=(15, 7), width_ratios=[1.2, 1], layout="constrained"
    )
    sizes = {1: "one digit", 4: "four digits", 5: "five digits", 10: "all digits"}
    groups = pd.Categorical([sizes[n] for n in n_digits[few]], list(sizes.values()))
    BoxDisplay.from_estimator(flat, groups=groups, labels="all", ax=axes[0])
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
    main(sys.argv[1] if len(sys.argv) > 1 else "demo-output")
