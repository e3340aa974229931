"""How long a fit takes with an earlier commit and with this code, in one run.

``python -m benchmarks.earlier FOLDER`` unpacks the earlier commit from the repository, fits
its default embedder and its single network to the first nouns of WordNet, then this code's
DistilledBoxEmbedder and BoxRelationEmbedder, each with its defaults in a process of its own
after a small fit that imports everything, and prints the seconds and their ratios. FOLDER
has the benchmark data. Nothing else should run on the machine meanwhile.
"""

import argparse
import os
import subprocess
import sys
import tarfile
import tempfile
from io import BytesIO
from pathlib import Path

import numpy as np

from benchmarks.data import first_nouns

ROOT = Path(__file__).parents[1]
COMMIT = "fc7bb8c"
# How to make the default fit and the single one, before and now.
EARLIER = {
    "default": "BoxRelationEmbedder(random_state=0)",
    "single": "BoxRelationEmbedder(n_teachers=0, random_state=0)",
}
NOW = {
    "default": "DistilledBoxEmbedder(random_state=0)",
    "single": "BoxRelationEmbedder(random_state=0)",
}
FITS = list(NOW)
WORK = """
import sys, time, warnings
import numpy as np
from sklearn_task2box import *
warnings.simplefilter("ignore")
arrays = np.load(sys.argv[1])
X, y = arrays["X"], arrays["y"]
few = slice(30)
{model}.fit(X[few], y[few, few])
started = time.perf_counter()
{model}.fit(X, y)
print("seconds", time.perf_counter() - started)
"""


def unpack(commit, folder):
    """The package of a commit, in a folder."""
    command = ["git", "-C", ROOT, "archive", commit, "sklearn_task2box", "pyproject.toml"]
    archive = subprocess.run(command, check=True, capture_output=True).stdout
    with tarfile.open(fileobj=BytesIO(archive)) as files:
        files.extractall(folder, filter="data")


def seconds(model, arrays, code):
    """Seconds of one fit with the package in the folder ``code``."""
    done = subprocess.run(
        [sys.executable, "-c", WORK.format(model=model), arrays],
        env=os.environ | {"PYTHONPATH": str(code)},
        cwd=Path(arrays).parent,
        check=True,
        capture_output=True,
        text=True,
    )
    return float(done.stdout.split("seconds")[-1])


def main():
    """Print a table: a row for each number of tasks and kind of fit."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", help="folder of the benchmark data")
    parser.add_argument("--commit", default=COMMIT)
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 400, 1000])
    parser.add_argument("--fits", nargs="+", default=FITS, choices=FITS)
    given = parser.parse_args()
    print(f"| tasks | fit | {given.commit} | now | ratio |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        code, arrays = Path(folder) / "code", Path(folder) / "tasks.npz"
        unpack(given.commit, code)
        for n in given.sizes:
            X, relations = first_nouns(given.folder, n, n_features=384)
            np.savez(arrays, X=X, y=relations.toarray())
            for kind in given.fits:
                models = EARLIER[kind], NOW[kind]
                before, now = map(seconds, models, [arrays] * 2, (code, ROOT))
                ratio = f"1 / {before / now:.1f}"
                print(
                    f"| {n:,} | {kind} | {before:.1f} s | {now:.1f} s | {ratio} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
