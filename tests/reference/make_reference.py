"""Write reference outputs of fits, for comparison with later versions.

``python tests/reference/make_reference.py`` writes two files beside itself: boxes and
predictions of single fits, which later versions give to rounding, and average precision
of the default fit and of its ensemble on held-out relations, which they reach.
"""

import sys
from pathlib import Path

import numpy as np
from sklearn.metrics import average_precision_score

sys.path.insert(0, str(Path(__file__).parents[1]))

from conftest import make_taxonomy

from sklearn_task2box import BoxRelationEmbedder, TaskPairs
from sklearn_task2box.datasets import load_digits_tasks

HERE = Path(__file__).parent
SEEDS = (0, 1, 2)
# Epochs after which rounding, which differs between processors, has not grown yet.
SHORT = 10


def problems():
    """Features and strengths of each problem."""
    X, strengths = load_digits_tasks(return_X_y=True)
    yield "digits", X, (strengths == 1).astype(float)
    X, graph = make_taxonomy(n_tasks=100)
    strengths = np.zeros((len(X), len(X)))
    strengths[tuple(np.transpose(graph.edges))] = 1
    yield "taxonomy", X, strengths


def unseen_relations(strengths, seed):
    """Known tasks, what is observed of them, and the pairs to be predicted."""
    hidden = np.random.RandomState(seed).uniform(size=strengths.shape) < 0.2
    np.fill_diagonal(hidden, False)
    return np.arange(len(strengths)), np.where(hidden, np.nan, strengths), hidden


def novel_tasks(strengths, seed):
    """The same, of relations between known tasks and others, in both directions."""
    n = len(strengths)
    order = np.random.RandomState(seed).permutation(n)
    known, novel = np.sort(order[: round(0.8 * n)]), order[round(0.8 * n) :]
    hidden = np.zeros((n, n), dtype=bool)
    hidden[np.ix_(novel, known)] = hidden[np.ix_(known, novel)] = True
    return known, strengths[np.ix_(known, known)], hidden


def single_fits():
    """Boxes and predictions of single fits."""
    X, shares = load_digits_tasks(return_X_y=True)
    cases = [("shares", X, shares), *problems()]
    outputs = {}
    for name, X, strengths in cases:
        model = BoxRelationEmbedder(n_teachers=0, max_epochs=SHORT, random_state=0)
        outputs[f"{name}_short_boxes"] = model.fit(X, strengths).boxes_
        model = BoxRelationEmbedder(n_teachers=0, random_state=0).fit(X, strengths)
        outputs[f"{name}_boxes"] = model.boxes_
        outputs[f"{name}_strengths"] = model.predict_proba(X[:10] + 0.01)
        outputs[f"{name}_threshold"] = model.threshold_
    return outputs


def average_precisions():
    """Of the single fit, the default fit, and what the default fit learned from."""
    scores = {}
    for name, X, strengths in problems():
        for protocol in (unseen_relations, novel_tasks):
            for seed in SEEDS:
                known, observed, hidden = protocol(strengths, seed)
                pairs = TaskPairs(X, np.argwhere(hidden))
                true = strengths[hidden]
                single = BoxRelationEmbedder(n_teachers=0, random_state=seed)
                model = BoxRelationEmbedder(predict_from="teachers", random_state=seed)
                single.fit(X[known], observed)
                model.fit(X[known], observed)
                kinds = [("single", single), ("ensemble", model)]
                for kind, one in kinds:
                    predicted = one.predict_proba(pairs)[:, 1]
                    score = average_precision_score(true, predicted)
                    scores[f"{name} {protocol.__name__} {kind} {seed}"] = score
                model._reads_teachers = False
                predicted = model.predict_proba(pairs)[:, 1]
                score = average_precision_score(true, predicted)
                scores[f"{name} {protocol.__name__} default {seed}"] = score
                for key, value in scores.items():
                    if key.startswith(f"{name} {protocol.__name__}") and key.endswith(
                        str(seed)
                    ):
                        print(key, round(value, 4), flush=True)
    return scores


if __name__ == "__main__":
    np.savez_compressed(HERE / "single_fits.npz", **single_fits())
    scores = average_precisions()
    np.savez(HERE / "average_precisions.npz", **scores)
