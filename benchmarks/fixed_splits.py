"""Test average precision on fixed splits of WordNet mammals, and how long a fit takes.

``python -m benchmarks.fixed_splits --data FOLDER`` prints one row per data set, method and
dimension: mean and standard deviation over the seeds. The folder holds
``mammals150_split.npz``, ``mammals500_split.npz`` (arrays X, D, mask, test_pairs,
test_labels) and ``mammal_minilm.npz`` with ``mammal_closure.csv.gz``. Only the pairs whose
mask is 0 are learned from; nothing is chosen on the test pairs.
"""

import argparse
import time

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score

from benchmarks.data import fixed_split, hide, whole
from benchmarks.methods import METHODS
from sklearn_task2box import TaskPairs


def main(folder, seeds, paper):
    print(f"{'data':<12}{'method':<20}{'dim':>4}{'AP':>8}{'±':>7}{'AUC':>8}{'seconds':>9}")
    for n in (150, 500):
        X, seen, test = fixed_split(folder, n)
        report(f"mammals{n}", X, seen, test, seeds, paper)
    X, relations = whole(folder)
    seen, test = hide(relations.toarray())
    report("mammals1182", X, seen, test, seeds[:1], False)


def report(name, X, seen, test, seeds, paper):
    """Fit every method and print its row."""
    pairs, labels = TaskPairs(X, test[0]), test[1]
    chosen = [("popularity", 0), ("closure", 0)]
    chosen += [(method, dim) for method in ("boxes", "distilled") for dim in (2, 5, 20)]
    if paper:
        chosen += [("boxes_paper", 2), ("boxes_paper", 5)]
    for method, dim in chosen:
        rows = []
        for seed in seeds if dim else [0]:
            started = time.perf_counter()
            model = METHODS[method].make(seed, dim, None).fit(X, seen)
            seconds = time.perf_counter() - started
            related = model.predict_proba(pairs)[:, 1]
            precision = average_precision_score(labels, related)
            rows.append((precision, roc_auc_score(labels, related), seconds))
        (ap, auc, seconds), spread = np.mean(rows, axis=0), np.std(rows, axis=0)[0]
        print(
            f"{name:<12}{method:<20}{dim or '':>4}{ap:>8.3f}{spread:>7.3f}{auc:>8.3f}"
            f"{seconds:>9.1f}",
            flush=True,
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True, help="folder of the benchmark data")
    parser.add_argument("--seeds", type=int, default=5, help="number of seeds")
    parser.add_argument("--paper", action="store_true", help="also the paper's settings")
    given = parser.parse_args()
    main(given.data, list(range(given.seeds)), given.paper)
