"""How well relations are predicted: every method on every data set and protocol.

``python -m benchmarks.relations --data FOLDER`` fills ``benchmarks/results/relations.csv``,
one row per number, and continues where it stopped: what is there is not computed again.
``--quick`` runs a few small problems with one seed. ``python -m benchmarks.tables`` makes
tables of it.

Thresholds are chosen on the validation pairs, and nothing on the test pairs. A method runs
in a process of its own with one thread; ``seconds`` are those of its fit, ``peak_mb`` is
the most memory that fit and predictions took on top of what the process held before,
``commit`` that of the code, whose constraints.txt has the versions of what it needs,
``checksum`` one of features and relations, and ``device`` the GPU, where there is one.
"""

import argparse
import contextlib
import multiprocessing
import os
import subprocess
import time
import traceback
import warnings
import zlib
from multiprocessing import connection
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import tqdm
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import average_precision_score, f1_score, log_loss, roc_auc_score
from threadpoolctl import threadpool_limits

from benchmarks.data import DATA, load
from benchmarks.methods import METHODS, SERVED, views
from benchmarks.protocols import PROTOCOLS, split
from sklearn_task2box import BoxRelationEmbedder, TaskPairs
from sklearn_task2box.metrics import (
    best_f1_threshold,
    expected_calibration_error,
    mean_spearman_within,
    spearman,
)

RESULTS = Path(__file__).parent / "results" / "relations.csv"
CELL = ["data", "protocol", "method", "dim", "seed"]
COLUMNS = [
    "data",
    "protocol",
    "part",
    "method",
    "dim",
    "seed",
    "metric",
    "value",
    "seconds",
    "peak_mb",
    "n_tasks",
    "n_test",
    "commit",
    "checksum",
    "device",
    "message",
]
# On disk, a row has all metrics of a part of a cell.
METRICS = [
    "average_precision",
    "roc_auc",
    "f1",
    "f1_direction",
    "spearman",
    "spearman_within",
    "brier",
    "ece",
    "ece_quantile",
    "log_loss_ratio",
]
SHARED = [name for name in COLUMNS if name not in ("metric", "value")]
# What --quick runs, with every method and the same settings.
QUICK = {
    "taskonomy_wins_attributes": ("unseen",),
    "digits": ("novel",),
    "mammals150": ("fixed",),
}


# --------------------------------------------------------------------------------------
# The results on disk
# --------------------------------------------------------------------------------------
class Results:
    """Rows in a CSV file, added cell by cell.

    A cell is written at once. Of one that was cut off nonetheless, nothing is kept.
    """

    def __init__(self, path):
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._mend()
        rows = (
            pd.DataFrame(columns=CELL) if _is_empty(self.path) else read_results(self.path)
        )
        self.done = set(rows[CELL].itertuples(index=False, name=None))

    def add(self, rows):
        """Append the rows of a cell."""
        table = pd.DataFrame(rows, columns=COLUMNS)
        text = (
            _wide(table)
            .to_csv(index=False, header=_is_empty(self.path), float_format="%.6g")
            .encode()
        )
        with open(self.path, "ab", buffering=0) as file:
            file.write(text)
            os.fsync(file.fileno())
        self.done.update(table[CELL].itertuples(index=False, name=None))

    def drop(self, cells):
        """Remove cells, so that they are computed again."""
        if not self.done & set(cells):
            return
        rows = read_results(self.path)
        keys = pd.MultiIndex.from_frame(rows[CELL])
        self._write(rows[~keys.isin(list(cells))])
        self.done -= set(cells)

    def _write(self, rows):
        partial = self.path.with_suffix(".tmp")
        _wide(rows).to_csv(partial, index=False, float_format="%.6g")
        partial.replace(self.path)

    def _mend(self):
        if _is_empty(self.path) or self.path.read_bytes().endswith(b"\n"):
            return
        whole, _, cut = self.path.read_bytes().rpartition(b"\n")
        self.path.write_bytes(whole + b"\n")
        rows = read_results(self.path)
        # The cut row may be of the cell before it.
        data, protocol, _, *rest = [*cut.decode(errors="replace").split(","), *" " * 6][:6]
        last = rows[CELL].iloc[-1:].astype(str).to_numpy().tolist()
        if last and ([data, protocol, *rest] == last[0] or " " in rest):
            self._write(rows[~(rows[CELL] == rows[CELL].iloc[-1]).all(axis=1)])


def _is_empty(path):
    return not path.exists() or path.stat().st_size == 0


def _wide(rows):
    """Metrics as columns: a row for each part of a cell."""
    numbers = rows.groupby([*CELL, "part"], sort=False, dropna=False).ngroup()
    table = rows[SHARED].groupby(numbers).nth(0).set_axis(np.unique(numbers))
    values = rows.assign(row=numbers).pivot(index="row", columns="metric", values="value")
    values = values.reindex(columns=METRICS)
    return pd.concat([table[SHARED[:6]], values, table[SHARED[6:]]], axis=1)


def read_results(path):
    """The rows of a file of results, one for each metric of a part of a cell.

    The metric of a cell that failed is "error".
    """
    texts = ["part", "commit", "checksum", "device", "message"]
    table = pd.read_csv(path, dtype=dict.fromkeys(texts, str))
    rows = table.melt(SHARED, METRICS, "metric", "value", ignore_index=False)
    failed = table[METRICS].isna().all(axis=1)
    errors = table.loc[failed, SHARED].assign(metric="error", value=np.nan)
    rows = pd.concat([rows.dropna(subset="value"), errors])
    return rows.sort_index(kind="stable").reset_index(drop=True)[COLUMNS]


# --------------------------------------------------------------------------------------
# One cell
# --------------------------------------------------------------------------------------
def measure(data, protocol, method, dim, seed):
    """Fit a method and score it: the rows of a cell, and of others that the fit serves."""
    parts = split(data, protocol, seed)
    model = METHODS[method].make(seed, dim, data)
    before = _memory("VmRSS")
    started = time.perf_counter()
    model.fit(parts.known_features(data.X), parts.train)
    seconds = time.perf_counter() - started
    rows = []
    for name, view in views(method, dim, model).items():
        validation = _predicted(view, data.X, *parts.validation)
        for part, (pairs, strengths) in parts.tests.items():
            test = _predicted(view, data.X, pairs, strengths)
            found = scores(test, validation, pairs[:, 0], data.graded)
            about = {"method": name, "part": part, "n_test": len(pairs)}
            rows += [about | {"metric": k, "value": v} for k, v in found.items()]
    peak = max(0.0, _memory("VmHWM") - before)
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
    shared = {"seconds": seconds, "peak_mb": peak, "device": device}
    return [row | shared for row in rows]


def _predicted(model, X, pairs, strengths):
    """True strengths, those predicted, and those predicted the other way round."""
    one, other = (
        model.predict_proba(TaskPairs(X, ends))[:, 1] for ends in (pairs, pairs[:, ::-1])
    )
    return strengths, one, other


def scores(test, validation, heads, graded):
    """Scores of test pairs, with thresholds from validation pairs.

    Parameters
    ----------
    test, validation : tuple of ndarray of shape (n_pairs,)
        True strengths, predicted ones, and what is predicted of the pairs with their ends
        exchanged.
    heads : ndarray of shape (n_pairs,)
        Heads of the test pairs: the targets, among transfers.
    graded : bool

    Returns
    -------
    values : dict
        By name. Scores that are not defined, for want of a related pair or of two
        different strengths, are left out.
    """
    strengths, predicted, _ = test
    values = {
        "brier": np.mean((strengths - predicted) ** 2),
        "ece": expected_calibration_error(strengths, predicted),
        "ece_quantile": expected_calibration_error(
            strengths, predicted, strategy="quantile"
        ),
    }
    if graded:
        if np.ptp(strengths) > 0:
            values["spearman"] = spearman(strengths, predicted)
            values["spearman_within"] = mean_spearman_within(strengths, predicted, heads)
        return values
    related = strengths > 0
    if 0 < related.sum() < len(related):
        values["average_precision"] = average_precision_score(related, predicted)
        constant = log_loss(related, np.full(len(related), related.mean()))
        values["log_loss_ratio"] = log_loss(related, predicted) / constant
        values["roc_auc"] = roc_auc_score(related, predicted)
        threshold = best_f1_threshold(*validation[:2])
        values["f1"] = f1_score(related, predicted >= threshold)
        # The direction test is part of the rule, so its threshold is chosen with it.
        threshold = best_f1_threshold(validation[0], _directed(*validation))
        values["f1_direction"] = f1_score(related, _directed(*test) >= threshold)
    return values


def _directed(strengths, predicted, reverse):
    """Predictions, below any threshold where the other direction is as strong."""
    return np.where(predicted > reverse, predicted, -1.0)


def _memory(name):
    """A figure of this process, MB: VmRSS is what it holds, VmHWM the most it held."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("Memory is read from /proc, which only Linux has.")


# --------------------------------------------------------------------------------------
# All cells
# --------------------------------------------------------------------------------------
def cells_of(datas, protocols, methods, seeds, dims=(5,)):
    """The cells there are, first of all those of the first seed.

    Parameters
    ----------
    datas : list of RelationData
    protocols, methods : list of str
    seeds : int
    dims : sequence of int, default=(5,)
        Those of each method that are among them; 0 always is.
    """
    for seed in range(seeds):
        for data in datas:
            for protocol in protocols:
                if protocol == "fixed" and data.mask is None:
                    continue
                for name in methods:
                    method = METHODS[name]
                    last = method.seeds or seeds
                    if protocol == "fixed" and not method.random:
                        last = 1  # it would be the same again
                    if not method.applies(data) or seed >= last:
                        continue
                    for dim in method.dims:
                        if dim in (0, *dims):
                            yield data.name, protocol, name, dim, seed


def served(cells):
    """Those cells that the fits of these give, too."""
    return {
        (data, protocol, *SERVED[method, dim], seed)
        for data, protocol, method, dim, seed in cells
        if (method, dim) in SERVED
    }


def run(datas, cells, results, jobs=1, limit=3600):
    """Compute cells, each in a process of its own, and add them to the results.

    Parameters
    ----------
    datas : list of RelationData
    cells : list of tuple
        See cells_of.
    results : Results
    jobs : int, default=1
        Processes at a time.
    limit : float, default=3600
        Seconds after which a cell is given up.
    """
    datas = {data.name: data for data in datas}
    sums, commit = {name: checksum(data) for name, data in datas.items()}, current_commit()
    tqdm.tqdm.monitor_interval = 0  # no thread beside this one: it forks
    waiting, running = list(reversed(cells)), {}
    try:
        with tqdm.tqdm(total=len(cells), unit="cell", smoothing=0.1) as bar:
            while waiting or running:
                while waiting and len(running) < jobs:
                    cell = waiting.pop()
                    bar.set_postfix_str(" ".join(map(str, cell)))
                    receiver, process = _start(datas[cell[0]], cell)
                    running[receiver] = cell, process, time.monotonic()
                over = set(connection.wait(running, timeout=1))
                now = time.monotonic()
                for receiver in list(running):
                    cell, process, started = running[receiver]
                    if receiver not in over and now - started < limit:
                        continue
                    rows = _received(receiver, process, receiver in over, limit)
                    del running[receiver]
                    shared = dict(zip(CELL, cell, strict=True)) | {"commit": commit}
                    shared["checksum"] = sums[cell[0]]
                    shared["n_tasks"] = datas[cell[0]].n_tasks
                    results.add([shared | row for row in rows])
                    bar.update()
    finally:
        for _, process, _ in running.values():
            process.terminate()


def current_commit():
    """The commit of the code that runs, with a + after it where files differ from it."""
    folder = Path(__file__).parents[1]

    def git(*arguments):
        command = ["git", "-C", folder, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    code = ["*.py", "*.toml", "*.txt"]  # results may be new
    changed = git("status", "--porcelain", "--untracked-files=no", "--", *code)
    return git("rev-parse", "--short=7", "HEAD").strip() + "+" * bool(changed)


def checksum(data):
    """Eight hexadecimal digits of features and relations, other ones for other data."""
    numbers = data.X.to_numpy(np.float32).tobytes() + data.strengths.tobytes()
    return f"{zlib.crc32(numbers):08x}"


@contextlib.contextmanager
def one_thread():
    """One thread for everything numeric: of torch, and of NumPy and SciPy."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(before)


def _start(data, cell):
    # A fork shares the data and the imported code; both would take longer than most fits.
    # But CUDA cannot be used in one.
    context = multiprocessing.get_context("spawn" if torch.cuda.is_available() else "fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(sender, data, cell[1:]))
    process.start()
    sender.close()
    return receiver, process


def _work(sender, data, arguments):
    try:
        with one_thread(), warnings.catch_warnings():
            # Comparators take the epochs they take.
            warnings.simplefilter("ignore", ConvergenceWarning)
            rows = measure(data, *arguments)
    except Exception as error:
        traceback.print_exc()
        rows = _failure(f"{type(error).__name__}: {error}")
    sender.send(rows)


def _received(receiver, process, over, limit):
    """What a process sent, or a row that says why it sent nothing."""
    rows = _failure(f"given up after {limit:g} seconds")
    if over:
        try:
            rows = receiver.recv()
        except EOFError:
            process.join()
            rows = _failure(f"the process ended with code {process.exitcode}")
    else:
        process.terminate()
    process.join()
    receiver.close()
    return rows


def _failure(message):
    return [{"metric": "error", "message": " ".join(message.split())[:500]}]


def complete(datas, cells, arguments):
    """Compute the cells that the results lack, and print those that failed.

    Parameters
    ----------
    datas : list of RelationData
    cells : list of tuple
        See cells_of.
    arguments : Namespace
        Of command_line(): results, again, jobs and limit are read.

    Returns
    -------
    rows : DataFrame or None
        All rows of the file of results, of other cells too; None where there is none.
    """
    # One thread: no other may be at work where a process forks.
    with one_thread():
        results = Results(arguments.results)
        results.drop([cell for cell in cells if cell[2] in arguments.again])
        cells = [cell for cell in cells if cell not in results.done]
        further = served(cells)
        results.drop(further)
        cells = [cell for cell in cells if cell not in further]
        if cells:
            # The first fit of a process imports code, which forks share.
            tiny = np.random.RandomState(0).normal(size=(9, 4))
            BoxRelationEmbedder(max_epochs=1, device="cpu").fit(tiny, [(0, 1)])
            run(datas, cells, results, arguments.jobs, arguments.limit)
    if not results.done:
        return None
    rows = read_results(results.path)
    failed = rows[rows["metric"] == "error"]
    if len(failed):
        print(failed[[*CELL, "message"]].to_string(index=False))
    return rows


def main(arguments):
    """Run what is missing."""
    names, seeds = arguments.only, arguments.seeds
    if arguments.quick:
        names, seeds = [name for name in names if name in QUICK], 1
    with one_thread():
        datas = [load(name, arguments.data) for name in names]
    cells = list(
        cells_of(datas, arguments.protocols, arguments.methods, seeds, arguments.dims)
    )
    if arguments.quick:
        cells = [cell for cell in cells if cell[1] in QUICK[cell[0]]]
    complete(datas, cells, arguments)


def command_line(description, datas, protocols, methods, seeds, results):
    """A parser of what a run of cells has as options.

    Parameters
    ----------
    description : str
    datas, protocols, methods : sequence of str
        What there is to choose from, and is run by default.
    seeds : int
        Number of them by default.
    results : Path
        File by default.
    """
    parser = argparse.ArgumentParser(description=description)
    some = {"nargs": "+", "metavar": "NAME"}
    parser.add_argument(
        "--data", required=True, type=_folder, help="folder of the benchmark data"
    )
    for option, names in {
        "--only": datas,
        "--protocols": protocols,
        "--methods": methods,
    }.items():
        parser.add_argument(option, default=list(names), choices=list(names), **some)
    parser.add_argument("--seeds", type=_count, default=seeds, help="number of seeds")
    parser.add_argument(
        "--again", default=[], choices=list(methods), help="compute anew", **some
    )
    parser.add_argument("--results", default=results, help="file of the results")
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count(), help="processes at a time"
    )
    parser.add_argument(
        "--limit", type=float, default=3600, help="seconds until a cell is given up"
    )
    return parser


def _folder(path):
    if not Path(path).is_dir():
        raise argparse.ArgumentTypeError(f"{path} is no folder")
    return path


def _count(text):
    if int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1; got {text}")
    return int(text)


def parse(arguments=None):
    parser = command_line(
        __doc__.split("\n")[0], DATA, PROTOCOLS, METHODS, seeds=5, results=RESULTS
    )
    parser.add_argument("--quick", action="store_true", help="few problems, one seed")
    parser.add_argument("--dims", type=int, nargs="+", default=[5], help="dimensions")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main(parse())
