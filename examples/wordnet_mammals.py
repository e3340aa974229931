"""
The mammals of WordNet
======================

1,182 synsets below ``mammal.n.01``, their direct hypernyms, and embeddings of their names
and glosses. How well do boxes predict hidden relations of known synsets, and the hypernyms
of synsets of which no relation is known?

Run it as ``python examples/wordnet_mammals.py FOLDER``; the folder holds
``mammal_minilm.npz`` (embeddings, synsets) and ``mammal_edges.csv.gz`` (child, parent).
By default, the 150 most general synsets are taken, which takes half a minute on two cores.
All 1,182, with ``--n-synsets 1182``, take a few minutes. A single network is fitted; the
benchmarks show what distilled boxes gain in many times as long.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

from sklearn_task2box import BoxRelationEmbedder, TaskPairs, TaskRelations
from sklearn_task2box.metrics import relation_score
from sklearn_task2box.models import ClosureModel, PopularityModel

# With fewer, a fifth of them may stand in no relation to the others.
FEWEST = 20


def load(folder, n_synsets=None):
    """Features with the synsets as their index, and the closed relations among them.

    All synsets, or the ``n_synsets`` with the fewest hypernyms.
    """
    files = {
        name: Path(folder) / name for name in ("mammal_minilm.npz", "mammal_edges.csv.gz")
    }
    for path in files.values():
        if not path.is_file():
            raise SystemExit(
                f"{path} is missing. The folder must hold {' and '.join(files)}; see the "
                "docstring of this script for what is in them."
            )
    arrays = np.load(files["mammal_minilm.npz"], allow_pickle=False)
    X = pd.DataFrame(arrays["embeddings"].astype(float), index=arrays["synsets"])
    edges = pd.read_csv(files["mammal_edges.csv.gz"])[["child", "parent"]]
    relations = TaskRelations(edges, tasks=X.index)  # closed: direct hypernyms imply others
    strengths = pd.DataFrame(relations.toarray(), X.index, X.index)
    general = strengths.sum(axis=1).sort_values(kind="stable").index[:n_synsets]
    return X.loc[general], TaskRelations(strengths.loc[general, general])


def unseen_relations(model, X, relations, seed):
    """Average precision on a tenth of the ordered pairs, hidden in training."""
    strengths = relations.toarray()
    hidden = np.random.RandomState(seed).uniform(size=strengths.shape) < 0.1
    np.fill_diagonal(hidden, False)
    model.fit(X.to_numpy(), np.where(hidden, np.nan, strengths))
    predicted = model.predict_proba(TaskPairs(X.to_numpy(), np.argwhere(hidden)))[:, 1]
    return relation_score(strengths[hidden], predicted)


def new_tasks(model, X, relations, seed):
    """Average precision of the hypernyms of a fifth of the synsets, unknown in training."""
    known, new = train_test_split(np.arange(len(X)), test_size=0.2, random_state=seed)
    model.fit(X.iloc[known], relations[known])
    true = relations.toarray()[np.ix_(new, known)]
    return relation_score(true.ravel(), model.predict_proba(X.iloc[new]).ravel())


def main(folder, n_synsets, seed):
    X, relations = load(folder, n_synsets)
    n_pairs = np.count_nonzero(relations.toarray())
    print(f"{len(X)} synsets, {n_pairs} hypernyms, direct ones or not\n")
    methods = {
        "boxes, 5 dimensions": BoxRelationEmbedder(random_state=seed),
        "boxes, 2 dimensions": BoxRelationEmbedder(box_dim=2, random_state=seed),
        "popularity": PopularityModel(),
        "closure": ClosureModel(),
    }
    print(f"{'average precision':<22}{'unseen pairs':>14}{'new synsets':>13}{'seconds':>9}")
    for name, model in methods.items():
        started = time.perf_counter()
        unseen = unseen_relations(model, X, relations, seed)
        seconds = time.perf_counter() - started
        new = new_tasks(model, X, relations, seed)
        print(f"{name:<22}{unseen:>14.3f}{new:>13.3f}{seconds:>9.1f}", flush=True)

    # The models were fitted last without the new synsets: what contains these?
    model = methods["boxes, 5 dimensions"]
    _, new = train_test_split(np.arange(len(X)), test_size=0.2, random_state=seed)
    lower, upper = np.split(model.boxes_, 2, axis=1)
    log_sizes = np.log(upper - lower).sum(axis=1)
    print("\nNew synsets, and the smallest known boxes that contain at least half of them")
    for i in new[:6]:
        inside = np.flatnonzero(model.predict_proba(X.iloc[[i]])[0] >= 0.5)
        smallest = model.tasks_[inside[np.argsort(log_sizes[inside])][:3]]
        hypernyms = set(relations.all_tasks[relations[[i]].toarray()[0] > 0])
        marked = [f"{name} {'+' if name in hypernyms else '-'}" for name in smallest]
        print(f"  {X.index[i]:<20} in {', '.join(marked) or 'none'}")
    print("(+ a hypernym of it in WordNet, - not one)")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0].strip("= \n"))
    parser.add_argument("folder", help="with mammal_minilm.npz and mammal_edges.csv.gz")
    parser.add_argument(
        "--n-synsets",
        type=int,
        default=150,
        help="how many, the most general ones; default: 150",
    )
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    if arguments.n_synsets < FEWEST:
        parser.error(f"--n-synsets must be at least {FEWEST}; got {arguments.n_synsets}.")
    main(arguments.folder, arguments.n_synsets, arguments.seed)
