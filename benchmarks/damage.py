"""Model files that were damaged: each must be an error, or load as the very same model.

``python -m benchmarks.damage --files 10000`` damages files of small models in every format,
loads each in another process, and prints what came of them: "error", "same" (the damage hit
what nobody reads), "other" (another prediction, or another model: a fault) or "hang" (a
fault). ``--seed`` draws other damage, ``--seconds`` is what a file may take.
"""

import argparse
import io
import multiprocessing
import pickle
import resource
import signal
import time
import warnings
import zipfile
from collections import Counter
from functools import partial
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import skops.io
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tqdm import tqdm

from sklearn_task2box import (
    BoxRelationEmbedder,
    DistilledBoxEmbedder,
    RelationEnsemble,
    TaskLinkClassifier,
    TaskPairs,
    TaskRelations,
)
from sklearn_task2box.models import ClosureModel, KernelRidgeModel, PairClassifier
from sklearn_task2box.representations import DatasheetRepresentation, GaussianRepresentation

N_TASKS, N_FEATURES = 12, 3
CARDS = {
    f"task {i}": {"examples": 10 ** (i % 5), "license": "ab"[i % 2], "tags": ["t", f"u{i}"]}
    for i in range(N_TASKS)
}
# A damaged number may ask pickle for any amount of memory; this much is enough.
_MEMORY = 1 << 30
KINDS = ("flipped byte", "truncated", "swapped blocks", "two files mixed", "zeros")


def problem(seed):
    """Named features of tasks of a tree, and their edges."""
    X = np.random.RandomState(seed).normal(size=(N_TASKS, N_FEATURES))
    for i in range(1, N_TASKS):
        X[i] += X[(i - 1) // 3]
    frame = pd.DataFrame(X, index=list(CARDS), columns=[f"f{j}" for j in range(N_FEATURES)])
    names = list(frame.index)
    return frame, [(names[i], names[(i - 1) // 3]) for i in range(1, N_TASKS)]


def kernel_ridge(seed):
    X, edges = problem(seed)
    return KernelRidgeModel().fit(X, edges)


def boxes(seed):
    X, edges = problem(seed)
    return _boxes(seed).fit(X, edges)


def _boxes(seed):
    return BoxRelationEmbedder(2, hidden_layer_sizes=(4,), max_epochs=5, random_state=seed)


def ensemble(seed):
    X, edges = problem(seed)
    trees = PairClassifier("boosted_trees", max_iter=3, random_state=seed)
    members = {"kernel": KernelRidgeModel(), "closure": ClosureModel(), "trees": trees}
    return RelationEnsemble(list(members.items()), random_state=seed).fit(X, edges)


def distilled(seed):
    X, edges = problem(seed)
    model = DistilledBoxEmbedder(_boxes(seed), KernelRidgeModel(), random_state=seed)
    return model.fit(X, edges)


def links(seed):
    X, edges = problem(seed)
    pairs, related = TaskPairs.from_graph(edges, X, random_state=seed)
    return TaskLinkClassifier(_boxes(seed)).fit(pairs, related)


def data_sheets(seed):
    cards = dict(list(CARDS.items())[seed:])
    return DatasheetRepresentation().fit(cards)


def moments(seed):
    X, _ = problem(seed)
    return GaussianRepresentation().fit({"a": X[:6], "b": X[6:]})


def pipeline(seed):
    X, edges = problem(seed)
    relations = TaskRelations(edges, tasks=list(X.index))  # the scaler drops the names
    return make_pipeline(StandardScaler(), _boxes(seed)).fit(X, relations)


# Fits of small models.
FITS = (boxes, kernel_ridge, ensemble, distilled, links, data_sheets, moments, pipeline)


def predictions(model):
    """Numbers that a model gives, and its type and parameters as text."""
    X, _ = problem(0)
    if isinstance(model, DatasheetRepresentation):
        numbers = model.transform(CARDS)
    elif isinstance(model, GaussianRepresentation):
        numbers = model.to_frame()
    elif isinstance(model, TaskLinkClassifier):
        numbers = model.predict_proba(TaskPairs(X + 0.1, [(0, 1), (5, 2)]))
    else:
        numbers = np.vstack([model.predict_proba(X[:3] + 0.1), model.predict_proba(X)])
    return np.asarray(numbers).tobytes(), f"{type(model)} {model!r}"


def joblib_dumps(model, compress):
    file = io.BytesIO()
    joblib.dump(model, file, compress=compress)
    return file.getvalue()


def joblib_loads(content):
    return joblib.load(io.BytesIO(content))


def skops_loads(content, trusted):
    return skops.io.loads(content, trusted=trusted)


FORMATS = {
    "pickle": pickle.dumps,
    "joblib": partial(joblib_dumps, compress=0),
    "joblib, compressed": partial(joblib_dumps, compress=3),
    "skops": skops.io.dumps,
    "skops, compressed": partial(skops.io.dumps, compression=zipfile.ZIP_DEFLATED),
}


def loader(form, content):
    """What loads the files of a format, given one that is whole."""
    if form.startswith("skops"):
        trusted = skops.io.get_untrusted_types(data=content)
        return partial(skops_loads, trusted=trusted)
    return pickle.loads if form == "pickle" else joblib_loads


def damaged(content, other, kind, rng):
    """The content of a file, damaged; ``other`` is that of a file of another fit."""
    n = len(content)
    at = int(rng.randint(n))
    if kind == "flipped byte":
        return content[:at] + bytes([content[at] ^ rng.randint(1, 256)]) + content[at + 1 :]
    if kind == "truncated":
        return content[:at]
    if kind == "two files mixed":
        return content[:at] + other[at:]
    size = int(rng.randint(1, max(2, min(n // 3, 4096))))
    if kind == "zeros":
        return content[:at] + bytes(min(size, n - at)) + content[at + size :]
    first, second = sorted(rng.randint(n - size + 1, size=2))
    second = max(second, first + size)
    one, two = content[first : first + size], content[second : second + size]
    between = content[first + size : second]
    return content[:first] + two + between + one + content[second + size :]


class TookTooLong(BaseException):
    """A file was not loaded in time."""


def _stop(*_):
    raise TookTooLong


def outcome(content, load, expected, seconds):
    """What comes of a damaged file: "error", "same", "other" or "hang".

    ``expected`` are the predictions of which any is the same.
    """
    limits = resource.getrlimit(resource.RLIMIT_AS)
    used = resource.getpagesize() * int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (used + _MEMORY, limits[1]))
    before = signal.signal(signal.SIGALRM, _stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = predictions(load(content))
    except TookTooLong:
        return "hang"
    except Exception:  # which one does not matter
        return "error"
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    return "same" if found in expected else "other"


class Files:
    """Whole files of two fits of each model in each format, and what they predict."""

    def __init__(self, forms=tuple(FORMATS), fits=FITS):
        with warnings.catch_warnings():  # boxes of five epochs contradict training pairs
            warnings.simplefilter("ignore")
            models = {fit.__name__: [fit(seed) for seed in (0, 1)] for fit in fits}
        self.expected = {name: [*map(predictions, both)] for name, both in models.items()}
        self.cases = []
        for form in forms:
            for name, both in models.items():
                # A Pipeline is scikit-learn's: its pickle has no checksum for the scaler.
                if name != "pipeline" or form.startswith("skops"):
                    whole, other = map(FORMATS[form], both)
                    self.cases.append((form, name, whole, other, loader(form, whole)))

    def outcomes(self, start, stop, seed=0, seconds=20):
        """Yield format, model, kind of damage and outcome of damaged files, by number."""
        for number in range(start, stop):
            form, name, whole, other, load = self.cases[number % len(self.cases)]
            kind = KINDS[number // len(self.cases) % len(KINDS)]
            content, rng = whole, np.random.RandomState([seed, number])
            while content in (whole, other):
                content = damaged(whole, other, kind, rng)
            # Two files whose difference nobody reads, mixed, are one of them.
            expected = self.expected[name][: 1 + (kind == "two files mixed")]
            yield form, name, kind, outcome(content, load, expected, seconds)


def work(start, stop, seed, seconds, connection):
    """In a process of its own: send the outcomes one by one."""
    for one in Files().outcomes(start, stop, seed, seconds):
        connection.send(one)
    connection.send(None)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=20)
    options = parser.parse_args(arguments)
    counts, faults, done = Counter(), [], 0
    began, context = time.perf_counter(), multiprocessing.get_context("spawn")
    with tqdm(total=options.files, desc="damaged files", unit="file") as bar:
        while done < options.files:  # a process that hangs or crashes is replaced
            ours, theirs = context.Pipe(duplex=False)
            order = done, options.files, options.seed, options.seconds, theirs
            process = context.Process(target=work, args=order, daemon=True)
            process.start()
            theirs.close()
            while True:
                # The first outcome comes after the fits.
                try:
                    in_time = ours.poll(options.seconds + 100)
                    one = ours.recv() if in_time else ("?", "?", "?", "hang")
                except EOFError:
                    one = ("?", "?", "?", "crash")
                if one is None:
                    break
                counts[one[0], one[2], one[3]] += 1
                done += 1
                bar.update()
                if one[3] in ("other", "hang", "crash"):
                    faults.append((done - 1, *one))
                if one[0] == "?":
                    break
            process.join(5)
            process.kill()
            process.join()
    table = pd.Series(counts).unstack(fill_value=0).sort_index()
    print(table.to_markdown() if hasattr(table, "to_markdown") else table)
    print(table.sum().to_string())
    print(
        f"{done} files in {time.perf_counter() - began:.0f} s; faults: {faults or 'none'}"
    )
    return faults


if __name__ == "__main__":
    raise SystemExit(bool(main()))
