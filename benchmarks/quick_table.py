"""The table of the main README: average precision and seconds on four data sets.

``python -m benchmarks.quick_table FOLDER`` prints it as Markdown: one network, distilled
boxes, kernel ridge regression, a vote of the nearest neighbours and the transitive closure,
on new tasks in known ones and on unseen pairs of known tasks. ``--cache FILE`` keeps each
number as a line of JSON and continues where it stopped; ``--data-sets``, ``--methods`` and
``--seeds`` choose a part.
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
from benchmarks.relations import one_thread
from sklearn_task2box import BoxRelationEmbedder, DistilledBoxEmbedder, TaskPairs
from sklearn_task2box.metrics import average_precision_beyond_closure
from sklearn_task2box.models import ClosureModel, KernelRidgeModel, NeighborsModel

# Names of the data sets in benchmarks.data, and what stands in the table.
DATA_SETS = {
    "digits": "sets of digits (images)",
    "minilm150": "mammals (glosses)",
    "cub": "taxa of birds (attributes)",
    "lvis": "objects (names)",
}
# Of a larger data set, that many tasks are drawn.
MAX_TASKS = 600
# Protocols of benchmarks.protocols, and the part of each that is scored.
TESTS = {"novel": "novel_to_known", "unseen": "test"}
# The numbers of a cell of the table.
NUMBERS = {
    ("novel", "average_precision"): "new tasks",
    ("unseen", "average_precision"): "unseen pairs",
    ("unseen", "beyond_closure"): "unseen pairs beyond closure",
}
KEY = ["data", "protocol", "method", "seed"]


METHODS = {
    "plain": lambda seed: BoxRelationEmbedder(random_state=seed),
    "distilled": lambda seed: DistilledBoxEmbedder(random_state=seed),
    "kernel ridge": lambda seed: KernelRidgeModel(),
    "neighbors' vote": lambda seed: NeighborsModel(),
    "closure": lambda seed: ClosureModel(),
}
TITLES = {
    "plain": "boxes",
    "distilled": "distilled boxes",
    "kernel ridge": "kernel ridge",
    "neighbors' vote": "neighbours' vote",
    "closure": "closure",
}


def few(data, n_tasks=MAX_TASKS):
    """The data, of as many tasks drawn at random where there are more."""
    if data.n_tasks <= n_tasks:
        return data
    rows = np.sort(np.random.RandomState(0).permutation(data.n_tasks)[:n_tasks])
    strengths = data.strengths[np.ix_(rows, rows)]
    return replace(data, X=data.X.iloc[rows], strengths=strengths, mask=None)


def measure(data, protocol, model, seed):
    """Average precision of one fit, and its seconds of processor time.

    Returns
    -------
    cell : dict
        "average_precision" and "seconds"; of unseen pairs also "beyond_closure", the
        average precision of those test pairs that the closure of the related training pairs
        does not imply, and "n_beyond", the number of related pairs among them.
    """
    parts = split(data, protocol, seed)
    X = parts.known_features(data.X)
    started = time.process_time()
    model.fit(X, parts.train)
    cell = {"seconds": time.process_time() - started}
    pairs, strengths = parts.tests[TESTS[protocol]]
    predicted = model.predict_proba(TaskPairs(data.X, pairs))[:, 1]
    cell["average_precision"] = average_precision_score(strengths == 1, predicted)
    if protocol == "unseen":
        closure = ClosureModel().fit(X, parts.train)
        implied = closure.predict_proba(TaskPairs(data.X, pairs))[:, 1] > 0.5
        cell["n_beyond"] = int(np.count_nonzero(strengths[~implied] == 1))
        cell["beyond_closure"] = np.nan
        if cell["n_beyond"]:
            cell["beyond_closure"] = average_precision_beyond_closure(
                strengths, predicted, implied
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
    with one_thread(), tqdm(missing, unit="fit") as bar:
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
        A caption, and a line per data set. A number that was not measured is a dash.
    """
    frame = pd.DataFrame(list(cells))
    lines = [["", *(TITLES[method] for method in methods)]]
    lines.append(["---"] * len(lines[0]))
    for name in data_sets:
        found = frame[frame["data"] == name]
        if found.empty:
            continue
        line = [f"{found['n_tasks'].iloc[0]} {DATA_SETS[name]}"]
        line += [_cell(found[found["method"] == method]) for method in methods]
        lines.append(line)
    text = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return f"{_caption(frame)}\n\n{text}"


def _cell(found):
    """The numbers of a method on a data set, and the seconds of its fits."""
    numbers = [
        found.loc[found["protocol"] == protocol].get(metric, found[:0]["seed"]).mean()
        for protocol, metric in NUMBERS
    ]
    text = " / ".join("–" if np.isnan(number) else f"{number:.2f}" for number in numbers)
    if found.empty:
        return text
    seconds = found["seconds"].mean()
    return f"{text}; {seconds:.0f} s" if seconds >= 1 else f"{text}; < 1 s"


def _caption(frame):
    n_splits = frame["seed"].nunique()
    lines = [
        f"Average precision of {' / '.join(NUMBERS.values())}",
        f"(means of {n_splits} splits), and seconds of a fit on one core. A fifth of the "
        "tasks is new,",
        "or a tenth of the pairs unseen; those beyond closure do not follow from the "
        "training pairs.",
    ]
    return "\n".join(lines).replace("(means of 1 splits)", "(one split)")


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
