"""Speed and memory: the fit, the published training loop, gensim, and the machine itself.

``python -m benchmarks.speed --data FOLDER`` fills ``benchmarks/results/speed.csv``, one row
per measurement, draws ``speed.png`` and prints the tables. A row that is there is not
measured again, so an interrupted run continues where it stopped; ``--only`` picks parts.
Memory is that of a process of its own, over what it held before the fit. Nothing else
should run on the machine meanwhile.
"""

import argparse
import copy
import json
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pandas as pd
import torch
from scipy import sparse
from sklearn.metrics import average_precision_score
from skorch.callbacks import Callback

from benchmarks import data
from benchmarks.methods import METHODS
from benchmarks.relations import one_thread
from sklearn_task2box import BoxRelationEmbedder, RelationEnsemble, TaskRelations

# The parts that are measured by themselves.
from sklearn_task2box.boxes import _pair_loss, overlap
from sklearn_task2box.boxes._index import KnownBoxes
from sklearn_task2box.boxes._pair_loss import PairTable, pairs_loss
from sklearn_task2box.metrics import mean_average_precision, reconstruction
from sklearn_task2box.nets import Objective

RESULTS = Path(__file__).parent / "results"
KEY = ["part", "n", "dim", "method", "metric"]
SIZES = {
    25: (2, 5, 20),
    150: (2, 5, 20),
    500: (2, 5, 20),
    1000: (2, 5, 20),
    5000: (2, 5, 20),
}
# The published loop holds some tensors of n * n * dim; the largest that is run.
MOST_PAIRS_TIMES_DIM = 60_000_000
EPOCHS_OF_PUBLISHED = 1350


class Table:
    """Rows of results, kept on disk."""

    def __init__(self, path):
        self.path = path
        self.rows = (
            pd.read_csv(path) if path.exists() else pd.DataFrame(columns=[*KEY, "value"])
        )

    def get(self, *key):
        """The value measured, or None."""
        same = (self.rows[KEY] == list(map(_plain, key))).all(axis=1)
        return self.rows.loc[same, "value"].iloc[0] if same.any() else None

    def add(self, *key, value):
        row = pd.DataFrame([[*map(_plain, key), value]], columns=[*KEY, "value"])
        self.rows = (
            row if self.rows.empty else pd.concat([self.rows, row], ignore_index=True)
        )
        self.path.parent.mkdir(exist_ok=True)
        partial = self.path.with_suffix(".tmp")
        self.rows.to_csv(partial, index=False)
        partial.replace(self.path)
        print(*key, f"{value:.5g}", flush=True)


def _plain(value):
    return value.item() if isinstance(value, np.generic) else value


def problem(folder, n):
    """Features, and strengths with NaN where a pair is held out, or relations."""
    if n == 25:
        arrays = np.load(Path(folder) / "taskonomy25_split.npz", allow_pickle=False)
        return arrays["X"], np.where(arrays["mask"] == 0, arrays["D"], np.nan), None
    if n in (150, 500):
        return data.fixed_split(folder, n)
    if n == 1000:
        return data.first(folder, n)
    return *data.first_nouns(folder, n), None


def published(folder, n, dim):
    """The published loop, ready to train."""
    from benchmarks.published import PublishedLoop

    X, strengths, _ = problem(folder, n)
    strengths = strengths.toarray() if isinstance(strengths, TaskRelations) else strengths
    return PublishedLoop(X, strengths, dim)


# --------------------------------------------------------------------------------------
# What runs in a process of its own
# --------------------------------------------------------------------------------------
def run_epochs(folder, n, dim, method, epochs):
    """Median seconds of an epoch, and the memory that the fit took at most."""
    X, strengths, _ = problem(folder, n)
    loop = published(folder, n, dim) if method == "published" else None
    tiny = np.random.RandomState(0).normal(size=(9, 4))
    BoxRelationEmbedder(max_epochs=1).fit(tiny, [(0, 1)])  # loads code
    before = _peak_memory()
    if loop is not None:
        seconds = []
        for _ in range(epochs):
            started = time.perf_counter()
            loop.epoch()
            seconds.append(time.perf_counter() - started)
    else:
        model = BoxRelationEmbedder(dim, max_epochs=epochs, random_state=0)
        model.fit(X, strengths)
        seconds = [row["dur"] for row in model.history_]
    memory = _peak_memory() - before
    return {"seconds per epoch": np.median(seconds[1:]), "peak memory, MB": memory}


def run_nouns(folder, dim, epochs):
    """All WordNet nouns: a table that starts from a layout."""
    members, containers, n = data.noun_tree(folder)
    started = time.perf_counter()
    model = BoxRelationEmbedder(
        dim,
        encoder="table",
        init="layout",
        max_epochs=epochs,
        random_state=0,
    ).fit(sparse.identity(n, format="csr"), np.column_stack([members, containers]))
    seconds = time.perf_counter() - started
    peak = _peak_memory()
    precision, rank = reconstruction(model)
    return {"fit seconds": seconds, "peak memory of the process, MB": peak} | {
        "MAP": precision,
        "mean rank": rank,
    }


def run_scores(n, graded):
    """Scores of all pairs of a tree of n tasks, by boxes that are laid out."""
    rng = np.random.RandomState(0)
    edges = [(i, (i - 1) // 8, rng.uniform(0.5, 1) if graded else 1.0) for i in range(1, n)]
    X, relations = sparse.identity(n, format="csr"), TaskRelations(edges, range(n))
    model = BoxRelationEmbedder(encoder="table", init="layout", max_epochs=0)
    model.fit(X, relations)
    found = {"peak memory after the fit, MB": _peak_memory()}
    started = time.perf_counter()
    found["score"] = model.score(X, relations)
    found["seconds"] = time.perf_counter() - started
    return found | {"peak memory of the process, MB": _peak_memory()}


def run_ensemble(folder, n, n_new=10):
    """An ensemble of n tasks, and how good it is for new ones."""
    X, relations = data.first_nouns(folder, n + n_new, n_features=384)
    known, new = np.arange(n), n + np.arange(n_new)
    started = time.perf_counter()
    model = RelationEnsemble(random_state=0).fit(X[known], relations[known])
    found = {"fit seconds": time.perf_counter() - started}
    predicted = model.predict_proba(X[new])
    true = relations.block(new, known)
    found["AP of new tasks"] = average_precision_score(true.ravel() > 0, predicted.ravel())
    return found | {"peak memory of the process, MB": _peak_memory()}


def _peak_memory():
    """Most memory this process ever held, MB (ru_maxrss starts from that of the parent)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("Memory is read from /proc, which only Linux has.")


def in_a_process(function, *arguments):
    """What a function of this module returns, called in a new process."""
    code = (
        "import json, sys; from benchmarks import speed; "
        "call = json.loads(sys.argv[1]); "
        "print('RESULT', json.dumps(getattr(speed, call[0])(*call[1])))"
    )
    call = json.dumps([function.__name__, arguments])
    done = subprocess.run(
        [sys.executable, "-c", code, call], capture_output=True, text=True, check=False
    )
    for line in done.stdout.splitlines():
        if line.startswith("RESULT "):
            return json.loads(line[7:])
    raise RuntimeError(f"{function.__name__}{arguments} failed:\n{done.stderr[-2000:]}")


# --------------------------------------------------------------------------------------
# The parts
# --------------------------------------------------------------------------------------
def measure_epochs(table, folder):
    """Seconds per epoch and peak memory, both methods in turn."""
    for n, dims in SIZES.items():
        for dim in dims:
            for method in ("boxes", "published"):
                if table.get("epoch", n, dim, method, "seconds per epoch") is not None:
                    continue
                if method == "published" and n * n * dim > MOST_PAIRS_TIMES_DIM:
                    continue  # more memory than a machine of 24 GB has
                epochs = {25: 200, 150: 100, 500: 30}.get(n, 6)
                for metric, value in in_a_process(
                    run_epochs, str(folder), n, dim, method, epochs
                ).items():
                    table.add("epoch", n, dim, method, metric, value=value)


class Watch(Callback):
    """When, less its own time, the test pairs are first predicted well enough."""

    def __init__(self, pairs, labels, targets, every=5):
        self.pairs, self.labels = torch.from_numpy(pairs), labels
        self.targets, self.every = targets, every

    def on_train_begin(self, net, X=None, **kwargs):
        self.features = X.features
        self.started, self.own, self.reached_ = time.perf_counter(), 0.0, {}

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) % self.every:
            return
        now = time.perf_counter()
        net.module_.eval()
        with torch.no_grad():
            boxes = net.infer(self.features)
        corners = [corner[ends].double() for ends in self.pairs.T for corner in boxes]
        predicted = overlap(*corners, net.criterion_.temperature)
        precision = average_precision_score(self.labels, predicted.numpy())
        for target in self.targets:
            if precision >= target and target not in self.reached_:
                self.reached_[target] = now - self.started - self.own
        self.own += time.perf_counter() - now


def measure_targets(table, folder):
    """Seconds to the average precision that the published loop has in the end.

    By a single network, which the published loop is, too, and by distilled boxes.
    """
    for n, dim in ((500, 2), (500, 5), (1000, 2), (1000, 5)):
        X, strengths, (pairs, labels) = problem(folder, n)
        final = table.get("target", n, dim, "published", "final AP")
        if final is None:
            loop = published(folder, n, dim)
            for _ in range(EPOCHS_OF_PUBLISHED):
                loop.epoch()
            final = average_precision_score(labels, loop.predict()[tuple(pairs.T)])
            table.add("target", n, dim, "published", "final AP", value=final)
        if table.get("target", n, dim, "boxes", "fit seconds") is None:
            watch = Watch(pairs, labels, [final])
            model = BoxRelationEmbedder(dim, random_state=0, callbacks=[("watch", watch)])
            precision, seconds = _timed(X, strengths, pairs, labels, model)
            key = "target", n, dim, "boxes"
            reached = watch.reached_.get(final, np.nan)
            table.add(*key, "seconds to final AP", value=reached)
            table.add(*key, "AP", value=precision)
            table.add(*key, "fit seconds", value=seconds - watch.own)
        if table.get("target", n, dim, "distilled", "fit seconds") is None:
            model = METHODS["distilled"].make(0, dim, None)
            precision, seconds = _timed(X, strengths, pairs, labels, model)
            table.add("target", n, dim, "distilled", "AP", value=precision)
            table.add("target", n, dim, "distilled", "fit seconds", value=seconds)


def _timed(X, strengths, pairs, labels, model):
    """Test average precision of a fit, and its seconds."""
    started = time.perf_counter()
    model.fit(X, strengths)
    seconds = time.perf_counter() - started
    predicted = model.pairwise_strengths()[tuple(pairs.T)]
    return average_precision_score(labels, predicted), seconds


def measure_fits(table, folder):
    """Whole fits of large problems."""
    if table.get("fit", 5000, 5, "boxes", "fit seconds") is None:
        X, relations, _ = problem(folder, 5000)
        started = time.perf_counter()
        model = BoxRelationEmbedder(random_state=0).fit(X, relations)
        table.add(
            "fit", 5000, 5, "boxes", "fit seconds", value=time.perf_counter() - started
        )
        table.add("fit", 5000, 5, "boxes", "MAP", value=reconstruction(model)[0])
    for dim, epochs in ((5, 0), (5, 3), (3, 0), (2, 0)):
        method = f"layout, {epochs} epochs"
        if table.get("fit", 82115, dim, method, "MAP") is None:
            for metric, value in in_a_process(run_nouns, str(folder), dim, epochs).items():
                table.add("fit", 82115, dim, method, metric, value=value)
    if table.get("fit", 1182, 2, "layout, 0 epochs", "MAP") is None:
        _, relations = data.whole(folder)
        X = sparse.identity(len(relations), format="csr")
        started = time.perf_counter()
        model = BoxRelationEmbedder(2, encoder="table", init="layout", max_epochs=0)
        model.fit(X, relations)
        seconds = time.perf_counter() - started
        key = "fit", 1182, 2, "layout, 0 epochs"
        table.add(*key, "fit seconds", value=seconds)
        table.add(*key, "MAP", value=reconstruction(model)[0])


def measure_scores(table, folder, n=20_000):
    """Scores of 400 million pairs, in blocks; without data of the folder."""
    for method, graded in (("0/1 relations", False), ("graded relations", True)):
        if table.get("score", n, 5, method, "peak memory of the process, MB") is None:
            for metric, value in in_a_process(run_scores, n, graded).items():
                table.add("score", n, 5, method, metric, value=value)


def measure_ensemble(table, folder, n=20_000):
    """As many tasks as an ensemble takes."""
    if table.get("fit", n, 0, "ensemble", "fit seconds") is None:
        for metric, value in in_a_process(run_ensemble, str(folder), n).items():
            table.add("fit", n, 0, "ensemble", metric, value=value)


def measure_gensim(table, folder):
    """Poincare embeddings of the mammals."""
    if table.get("fit", 1182, 2, "gensim, 50 epochs", "MAP") is not None:
        return
    from gensim.models.poincare import PoincareModel

    _, relations = data.whole(folder)
    strengths = relations.toarray()
    names = [str(name) for name in relations.tasks]
    pairs = [(names[i], names[j]) for i, j in np.argwhere(strengths > 0)]
    started = time.perf_counter()
    model = PoincareModel(pairs, size=2, negative=10, seed=0)
    model.train(epochs=50)
    seconds = time.perf_counter() - started
    distances = np.array([model.kv.distances(name, names) for name in names])
    np.fill_diagonal(strengths, np.nan)
    key = "fit", 1182, 2, "gensim, 50 epochs"
    table.add(*key, "fit seconds", value=seconds)
    table.add(*key, "MAP", value=mean_average_precision(strengths, -distances))


def measure_bandwidth(table, n=1_000_000, dim=5, n_queries=20):
    """Bytes per second of queries and of the pair kernel, beside a copy in the same run."""
    if table.get("machine", n, dim, "boxes", "supersets, share of copy") is not None:
        return
    rng = np.random.RandomState(0)
    known = taxonomy_of_boxes(n, dim, rng)
    boxes = KnownBoxes(known, 0.25)
    source = torch.from_numpy(known.T)
    target = torch.empty_like(source)
    rows = torch.from_numpy(rng.choice(n, n_queries))
    queries = boxes[rows]
    size = source.numel() * source.element_size()
    shares = {"supersets": [], "subsets": []}
    copies = []
    for _ in range(7):
        copy = _seconds(lambda: target.copy_(source), 5)
        copies.append(size / copy / 1e9)
        for name, inside in (("supersets", True), ("subsets", False)):
            query = _seconds(lambda i=inside: boxes.best(queries, 5, i, rows.numpy()), 1)
            shares[name].append(copy / (query / n_queries))
    table.add("machine", n, dim, "torch copy", "GB/s", value=np.median(copies))
    for name, values in shares.items():
        table.add(
            "machine", n, dim, "boxes", f"{name}, share of copy", value=np.median(values)
        )
    lower = torch.rand(1000, 20)
    table_of_pairs = PairTable(1000, [0], [1], [1], [1])
    upper, loss = lower + 1, Objective().make_loss(0.5, 1.0).pair_loss
    numbers = torch.rand(1000 * 1000, 20)
    other = torch.empty_like(numbers)
    ratios = [
        _seconds(lambda: other.copy_(numbers), 5)
        / _seconds(lambda: pairs_loss(lower, upper, 0.5, table_of_pairs, loss), 5)
        for _ in range(7)
    ]
    key = "machine", 1000, 20, "boxes", "pair kernel, n * n * dim numbers, share of copy"
    table.add(*key, value=np.median(ratios))


def measure_kernel(table, folder, dim=5):
    """The loss of all pairs of boxes and its gradient, by Numba's loops and by torch."""
    loss = Objective().make_loss(0.25, 1.0).pair_loss
    for n in (100, 400, 1000, 5000):
        if table.get("kernel", n, dim, "numba", "ms") is not None:
            continue
        boxes = np.ascontiguousarray(taxonomy_of_boxes(n, dim, np.random.RandomState(0)))
        both = torch.from_numpy(boxes).float().split(dim, dim=1)
        corners = [corner.contiguous().requires_grad_() for corner in both]
        pairs = PairTable(n, [0], [1], [1], [1])
        step = partial(_step, corners, pairs, loss)
        for method in ("torch", "numba"):
            with patch.object(_pair_loss, "_has_numba", lambda m=method: m == "numba"):
                # The first one compiles, or makes the plan of the table.
                seconds = [_seconds(step, 1) for _ in range(8)][1:]
            table.add("kernel", n, dim, method, "ms", value=1000 * np.median(seconds))


def _step(corners, pairs, loss):
    pairs_loss(*corners, 0.25, pairs, loss).backward()


def measure_overhead(table, folder, n=150, dim=5, epochs=300):
    """What skorch, callbacks and history add to the same steps in a plain loop."""
    if table.get("machine", n, dim, "boxes", "ms per epoch over a plain loop") is not None:
        return
    X, strengths, _ = problem(folder, n)
    model = BoxRelationEmbedder(dim, teacher=None, max_epochs=epochs, random_state=0)
    differences = []
    for _ in range(5):
        model.fit(X, strengths)
        ours = np.median([row["dur"] for row in model.history_])
        differences.append(1000 * (ours - plain_epoch(model, X, epochs)))
    table.add("machine", n, dim, "boxes", "ms per epoch", value=1000 * ours)
    key = "machine", n, dim, "boxes", "ms per epoch over a plain loop"
    table.add(*key, value=np.median(differences))


def plain_epoch(model, X, epochs):
    """Median seconds of the steps of a fit, in a loop of plain torch."""
    features = model.encoder_.read(X)
    objective = Objective.of(model.objective)
    observed = model.relations_.observed()
    heads, tails, strengths, weights = observed.listed()
    weights = weights * (1 + (objective.positive_weight - 1) * strengths)
    pairs = PairTable(observed.n_tasks, heads, tails, strengths, weights)
    loss = objective.make_loss(model.temperature_, model.exponent_)
    encoder = copy.deepcopy(model.encoder_).float()
    optimizer = torch.optim.Adam(encoder.parameters(), fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 5e-3, total_steps=epochs)
    seconds = []
    with one_thread():  # as a fit of few tasks
        for _ in range(epochs):
            started = time.perf_counter()
            optimizer.zero_grad()
            loss(encoder(features, prepared=True), pairs).backward()
            torch.nn.utils.clip_grad_norm_(encoder.parameters(), model.max_gradient_norm)
            optimizer.step()
            schedule.step()
            seconds.append(time.perf_counter() - started)
    return np.median(seconds)


def taxonomy_of_boxes(n, dim, rng):
    """Boxes of a random tree: each in its container, a third to two thirds of its sides."""
    lower, upper = np.zeros((n, dim)), np.ones((n, dim)) * 1000.0
    first, last = 0, 1
    while last < n:
        count = min(n - last, 8 * (last - first))
        parents = first + np.arange(count) % (last - first)
        new = slice(last, last + count)
        side = (upper - lower)[parents] * rng.uniform(0.33, 0.67, size=(count, dim))
        room = (upper - lower)[parents] - side
        lower[new] = lower[parents] + room * rng.uniform(size=(count, dim))
        upper[new] = lower[new] + side
        first, last = last, last + count
    order = rng.permutation(n)
    return np.asfortranarray(np.hstack([lower, upper])[order])


def _seconds(call, repeats):
    call()
    started = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - started) / repeats


def print_profile(folder, epochs=40, most=9):
    """Which of torch's operations take the time of a fit."""
    for n, dim in ((150, 5), (1000, 2), (1000, 20), (5000, 5)):
        X, strengths, _ = problem(folder, n)
        model = BoxRelationEmbedder(dim, max_epochs=epochs, random_state=0)
        model.fit(X, strengths)  # the first one also loads code
        with torch.profiler.profile(
            activities=[torch.profiler.ProfilerActivity.CPU]
        ) as run:
            model.fit(X, strengths)
        spent = run.key_averages()
        whole = sum(row["dur"] for row in model.history_)
        top = sorted(spent, key=lambda e: -e.self_cpu_time_total)[:most]
        shares = ", ".join(
            f"{e.key} {e.self_cpu_time_total / 1e4 / whole:.0f}" for e in top
        )
        print(f"{n} tasks, {dim} dimensions, % of {whole / epochs * 1e3:.1f} ms: {shares}")


# --------------------------------------------------------------------------------------
# What is made of the rows
# --------------------------------------------------------------------------------------
def report(table):
    """Print the tables, and draw the picture of growth."""
    rows = table.rows
    epochs = rows[rows["part"] == "epoch"].pivot_table(
        index=["n", "dim"], columns=["metric", "method"], values="value"
    )
    for metric in ("seconds per epoch", "peak memory, MB"):
        if metric in epochs and "published" in epochs[metric]:
            ratio = epochs[metric]["published"] / epochs[metric]["boxes"]
            epochs[metric, "published / boxes"] = ratio
    print("\n", epochs.sort_index(axis=1).to_string(float_format="{:.4g}".format), sep="")
    targets = rows[rows["part"] == "target"].pivot_table(
        index=["n", "dim"], columns=["method", "metric"], values="value"
    )
    if "boxes" in targets and "seconds per epoch" in epochs:
        whole = epochs["seconds per epoch"]["published"] * EPOCHS_OF_PUBLISHED
        targets["published", "seconds of 1,350 epochs"] = whole.reindex(targets.index)
        targets["published / boxes", "seconds to the same AP"] = (
            targets["published", "seconds of 1,350 epochs"]
            / targets["boxes", "seconds to final AP"]
        )
    print("\n", targets.T.to_string(float_format="{:.4g}".format), sep="")
    for part in ("fit", "score", "machine"):
        chosen = rows[rows["part"] == part].drop(columns="part")
        print("\n", chosen.to_string(index=False, float_format="{:.4g}".format), sep="")
    if len(epochs):
        draw(epochs)


def draw(epochs):
    """Seconds per epoch and memory by the number of tasks, both axes logarithmic."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
    styles = {"boxes": "o-", "published": "s--"}
    for ax, metric in zip(axes, ("seconds per epoch", "peak memory, MB"), strict=True):
        for color, dim in zip(("C0", "C1", "C2"), (2, 5, 20), strict=True):
            for method, style in styles.items():
                values = epochs[metric].xs(dim, level="dim")[method].dropna()
                label = (
                    f"{'this package' if method == 'boxes' else 'published loop'}, {dim}-d"
                )
                ax.loglog(values.index, values, style, color=color, label=label, ms=4)
        ax.set(xlabel="tasks", ylabel=metric)
        ax.grid(alpha=0.3)
        ax.spines[["top", "right"]].set_visible(False)
    axes[0].legend(frameon=False, fontsize=8)
    figure.savefig(RESULTS / "speed.png", dpi=110)


PARTS = {
    "epoch": measure_epochs,
    "target": measure_targets,
    "fit": measure_fits,
    "score": measure_scores,
    "ensemble": measure_ensemble,
    "gensim": measure_gensim,
    "kernel": measure_kernel,
    "machine": lambda table, folder: (
        measure_bandwidth(table),
        measure_overhead(table, folder),
    ),
}


def main(folder, only):
    """Measure what is missing, and report."""
    table = Table(RESULTS / "speed.csv")
    for name in only:
        PARTS[name](table, folder)
    report(table)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True, help="folder of the benchmark data")
    parser.add_argument(
        "--only", nargs="*", default=list(PARTS), choices=list(PARTS), help="parts to run"
    )
    parser.add_argument("--profile", action="store_true", help="print a profile only")
    arguments = parser.parse_args()
    if arguments.profile:
        print_profile(arguments.data)
    else:
        main(arguments.data, arguments.only)
