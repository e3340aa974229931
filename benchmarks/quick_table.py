"""A small table of average precision and seconds, in a few minutes a column.

``python -m benchmarks.quick_table FOLDER`` prints it as Markdown: four data sets, new tasks
in known ones and unseen pairs of known tasks, means of two seeds. ``--cache FILE`` keeps
each number as a line of JSON and goes on where it stopped; ``--data-sets``, ``--methods``
and ``--seeds`` choose a part.
"""

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score
from tqdm import tqdm

from benchmarks.data import load
from benchmarks.protocols import split
from sklearn_task2box import BoxRelationEmbedder, DistilledBoxEmbedder, TaskPairs
from sklearn_task2box.models import ClosureModel

# Names of the data sets in benchmarks.data, and what stands in the table.
DATA_SETS = {
    "digits": "sets of digits (images)",
    "minilm150": "mammals of WordNet (glosses)",
    "cub": "taxa of birds (attributes)",
    "lvis": "objects of LVIS (names)",
}
# Of a larger data set, that many tasks are drawn.
MAX_TASKS = 600
# Protocols of benchmarks.protocols, and the part of each that is scored.
TESTS = {"novel": "novel_to_known", "unseen": "test"}
LINES = {
    ("novel", "average_precision"): "new tasks in known ones",
    ("unseen", "average_precision"): "unseen pairs",
    ("unseen", "beyond_closure"): "unseen pairs beyond closure",
}
KEY = ["data", "protocol", "method", "seed"]


def neighbors_vote(X, strengths, tasks, k=10, itself=False):
    """Strengths of tasks in known ones: those of the nearest known tasks, averaged.

    Parameters
    ----------
    X : ndarray of shape (n_known, n_features)
    strengths : ndarray of shape (n_known, n_known)
        Of the known tasks; NaN where a pair is not known, which does not vote.
    tasks : ndarray of shape (n_tasks, n_features)
    k : int, default=10
        Number of nearest tasks, by the cosine of the centered features, which is the
        weight of their votes.
    itself : bool, default=False
        Whether the tasks are the known ones: then a task does not vote for itself.

    Returns
    -------
    votes : ndarray of shape (n_tasks, n_known)
    """
    center = X.mean(axis=0)
    known, new = (rows - center for rows in (X, tasks))
    known, new = (
        rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
        for rows in (known, new)
    )
    weights = np.clip(new @ known.T, 0, None)
    if itself:
        np.fill_diagonal(weights, 0)
    k = min(k, weights.shape[1])
    weights[weights < np.sort(weights, axis=1)[:, [-k]]] = 0
    total = weights @ ~np.isnan(strengths)
    return weights @ np.nan_to_num(strengths) / np.maximum(total, 1e-12)


class NeighborsVote:
    """:func:`neighbors_vote` as a model."""

    def fit(self, X, y):
        self.X, self.strengths, self.names = X.to_numpy(), y, X.index
        return self

    def predict_proba(self, pairs):
        tasks = pairs.X.to_numpy()
        at = self.names.get_indexer(pairs.X.index)
        heads, tails = pairs.pairs.T
        if np.array_equal(at, np.arange(len(self.names))):
            votes = neighbors_vote(self.X, self.strengths, tasks, itself=True)
        else:
            votes = neighbors_vote(self.X, self.strengths, tasks)
        related = votes[heads, at[tails]]
        return np.column_stack([1 - related, related])


METHODS = {
    "plain": lambda seed: BoxRelationEmbedder(random_state=seed),
    "distilled": lambda seed: DistilledBoxEmbedder(random_state=seed),
    "neighbors' vote": lambda seed: NeighborsVote(),
    "closure": lambda seed: ClosureModel(),
}


def few(data, n_tasks=MAX_TASKS):
    """The data, of as many tasks drawn at random where there are more."""
    if data.n_tasks <= n_tasks:
        return data
    rows = np.sort(np.random.RandomState(0).permutation(data.n_tasks)[:n_tasks])
    strengths = data.strengths[np.ix_(rows, rows)]
    return replace(data, X=data.X.iloc[rows], strengths=strengths, mask=None)


def measure(data, protocol, model, seed):
    """Average precision and seconds of one fit.

    Returns
    -------
    cell : dict
        "average_precision" and "seconds"; of unseen pairs also "beyond_closure", the
        average precision of those test pairs that the closure of the related training pairs
        does not imply, and "n_beyond", the number of related pairs among them.
    """
    parts = split(data, protocol, seed)
    X = parts.known_features(data.X)
    started = time.perf_counter()
    model.fit(X, parts.train)
    cell = {"seconds": time.perf_counter() - started}
    pairs, strengths = parts.tests[TESTS[protocol]]
    predicted = model.predict_proba(TaskPairs(data.X, pairs))[:, 1]
    cell["average_precision"] = average_precision_score(strengths == 1, predicted)
    if protocol == "unseen":
        implied = ClosureModel().fit(X, parts.train).closure_.toarray() > 0
        beyond = ~implied[tuple(pairs.T)]
        n_beyond = int(np.count_nonzero(strengths[beyond] == 1))
        cell["n_beyond"] = n_beyond
        cell["beyond_closure"] = np.nan
        if n_beyond:
            cell["beyond_closure"] = average_precision_score(
                strengths[beyond] == 1, predicted[beyond]
            )
    return cell


class Cache:
    """Cells as lines of JSON in a file, or in memory alone where there is none."""

    def __init__(self, path=None):
        self.path = None if path is None else Path(path)
        self.cells = {}
        if self.path is not None and self.path.exists():
            for line in self.path.read_text().splitlines():
                cell = json.loads(line)
                self.cells[tuple(cell[name] for name in KEY)] = cell

    def add(self, key, cell):
        cell = dict(zip(KEY, key, strict=True)) | cell
        self.cells[key] = cell
        if self.path is not None:
            with open(self.path, "a") as file:
                file.write(json.dumps(cell) + "\n")


def fill(cache, folder, data_sets, methods, seeds):
    """Measure the cells that the cache does not have."""
    missing = [
        (name, protocol, method, seed)
        for name in data_sets
        for method in methods
        for protocol in TESTS
        for seed in range(seeds)
        if (name, protocol, method, seed) not in cache.cells
    ]
    data = None
    with tqdm(missing, unit="fit") as bar:
        for key in bar:
            name, protocol, method, seed = key
            bar.set_postfix_str(" ".join(map(str, key)))
            if data is None or data.name != name:
                data = few(load(name, folder))
            cell = measure(data, protocol, METHODS[method](seed), seed)
            cache.add(key, {"n_tasks": data.n_tasks} | cell)


def table(cells, data_sets=tuple(DATA_SETS), methods=tuple(METHODS)):
    """The Markdown table of cells.

    Parameters
    ----------
    cells : iterable of dict
    data_sets, methods : sequence of str

    Returns
    -------
    text : str
        With a caption. A number that was not measured is a dash.
    """
    frame = pd.DataFrame(list(cells))
    lines = [["", "average precision of", *methods]]
    for name in data_sets:
        of_data = frame[frame["data"] == name]
        if of_data.empty:
            continue
        title = f"{DATA_SETS.get(name, name)}, {of_data['n_tasks'].iloc[0]} tasks"
        for (protocol, metric), meaning in LINES.items():
            rows = of_data[of_data["protocol"] == protocol]
            line = [title, meaning]
            for method in methods:
                found = rows[rows["method"] == method]
                text = "–" if found.empty else f"{found[metric].mean():.3f}"
                if not found.empty and metric == "average_precision":
                    text += f" ({_seconds(found['seconds'].mean())})"
                line.append(text)
            lines.append(line)
            title = ""
    lines.insert(1, ["---"] * len(lines[0]))
    text = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return f"{text}\n\n{_caption(frame)}"


def _seconds(value):
    return f"{value:.0f} s" if value >= 1 else "< 1 s"


def _caption(frame):
    n_seeds = frame["seed"].nunique()
    return (
        f"Means of {n_seeds} {'split' if n_seeds == 1 else 'splits'}; in brackets, seconds "
        "of a fit. New tasks: a fifth of the tasks is held out, with all their relations. "
        "Unseen pairs: 80 % of the ordered pairs are learned from, and 10 % are tested; "
        "beyond closure: those of them that the related training pairs do not imply by "
        "transitivity."
    )


def main(arguments=None):
    """Measure what is missing, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    some = {"nargs": "+", "metavar": "NAME"}
    parser.add_argument("folder", help="folder of the benchmark data")
    parser.add_argument("--seeds", type=int, default=2, help="number of seeds")
    parser.add_argument(
        "--data-sets", default=list(DATA_SETS), choices=list(DATA_SETS), **some
    )
    parser.add_argument("--methods", default=list(METHODS), choices=list(METHODS), **some)
    parser.add_argument("--cache", help="file of lines of JSON")
    given = parser.parse_args(arguments)
    if not Path(given.folder).is_dir():
        parser.error(f"{given.folder} is no folder")
    if given.seeds < 1:
        parser.error(f"--seeds must be at least 1; got {given.seeds}")
    cache = Cache(given.cache)
    fill(cache, given.folder, given.data_sets, given.methods, given.seeds)
    cells = [
        cell
        for (name, _, method, seed), cell in cache.cells.items()
        if name in given.data_sets and method in given.methods and seed < given.seeds
    ]
    print(table(cells, given.data_sets, given.methods))


if __name__ == "__main__":
    main()
