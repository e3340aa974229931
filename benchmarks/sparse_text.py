"""What sparse TF-IDF features lose against their leading components.

``python -m benchmarks.sparse_text FOLDER`` embeds the first 400 mammals of WordNet by the
words of their names and glosses, once as the sparse matrix that TfidfVectorizer gives, once
through TruncatedSVD of the known tasks, as in a pipeline, on the same splits, and prints
average precision by model, features and part of the test: means of the seeds, and their
mean difference with its standard error. FOLDER has the benchmark data.
"""

import argparse
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import average_precision_score

from benchmarks.data import breadth_first, make_data, whole
from benchmarks.protocols import split
from sklearn_task2box import BoxRelationEmbedder, TaskPairs
from sklearn_task2box.models import KernelRidgeModel

MODELS = {
    "boxes": lambda seed: BoxRelationEmbedder(random_state=seed),
    "kernel ridge": lambda seed: KernelRidgeModel(),
}
TESTS = {"novel": "novel_to_known", "unseen": "test"}
N_COMPONENTS = 128


def glosses(folder, n):
    """RelationData of the first n mammals, and their words as a sparse matrix."""
    texts = pd.read_csv(Path(folder) / "mammal_glosses.csv.gz", index_col="synset")
    order = breadth_first(Path(folder))[:n]
    _, relations = whole(Path(folder))
    rows = relations.positions(order)
    words = texts.loc[order, "lemmas"].str.replace("[|_]", " ", regex=True)
    texts = words + " " + texts.loc[order, "gloss"]
    tfidf = TfidfVectorizer(sublinear_tf=True).fit_transform(texts)
    unused = np.zeros((len(order), 1))  # data have features that are no sparse matrix
    data = make_data("glosses", unused, order, relations.block(rows, rows))
    return data, tfidf.tocsr()


def scores(data, words, model, protocol, seed):
    """Average precision of a part of the test and seconds, by words and by components."""
    parts = split(data, protocol, seed)
    pairs, strengths = parts.tests[TESTS[protocol]]
    components = TruncatedSVD(N_COMPONENTS, random_state=0).fit(words[parts.known])
    found = []
    for X in (words, components.transform(words)):
        started = time.perf_counter()
        fitted = clone(model).fit(X[parts.known], parts.train)
        predicted = fitted.predict_proba(TaskPairs(X, pairs))[:, 1]
        score = average_precision_score(strengths, predicted)
        found.append([score, time.perf_counter() - started])
    return found


def main():
    """Print a row for each model and part of the test."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", help="folder of the benchmark data")
    parser.add_argument("--tasks", type=int, default=400)
    parser.add_argument("--seeds", type=int, default=5)
    given = parser.parse_args()
    data, words = glosses(given.folder, given.tasks)
    share = words.nnz / np.prod(words.shape)
    print(f"{words.shape[1]} words, {share:.2%} of the matrix other than 0", end="\n\n")
    print("| model | test | sparse | components | difference | seconds |")
    print("|---|---|---|---|---|---|")
    warnings.simplefilter("ignore")
    for name, make in MODELS.items():
        for protocol, part in TESTS.items():
            found = np.array(
                [
                    scores(data, words, make(seed), protocol, seed)
                    for seed in range(given.seeds)
                ]
            )
            (one, other), seconds = found.mean(axis=0).T
            differences = found[:, 0, 0] - found[:, 1, 0]
            error = differences.std(ddof=1) / np.sqrt(len(differences))
            print(
                f"| {name} | {part} | {one:.3f} | {other:.3f} | {differences.mean():+.3f} "
                f"± {error:.3f} | {seconds[0]:.1f}, {seconds[1]:.1f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
