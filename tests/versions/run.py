"""Run the quick tests with several sets of versions, and print what passed.

``make test-versions`` calls it. Each set has an environment of its own, made once:
constraints.txt, but for the versions that the file of the set names. For the Python that
runs this, torch comes from where pip finds it; for another one, from wheels on disk alone
(find-links of pip) or from ``--torch-index``, so that no build with CUDA is fetched
unasked. Arguments after ``--`` go to pytest, in place of ``-m "not slow"`` and workers.
"""

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SHOWN = ("scikit-learn", "numpy", "pandas", "scipy", "networkx", "skorch", "torch")
# Name of a set: version of Python, file of versions that replace those of constraints.txt.
SETS = {
    "lowest": ("3.11", "lowest.txt"),
    "sklearn-1.7": ("3.11", "sklearn-1.7.txt"),
    "sklearn-1.8": ("3.11", "sklearn-1.8.txt"),
    "newest": ("3.11", None),
    "newest, Python 3.13": ("3.13", None),
}


class NotHere(Exception):
    """A set can't be tried on this machine, and why."""


def find_python(version):
    """Path of an interpreter of a version, on the PATH or of pyenv."""
    if sys.version_info[:2] == tuple(map(int, version.split("."))):
        return sys.executable
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = [shutil.which(f"python{version}"), *pyenv.glob(f"{version}.*/bin/python")]
    for path in filter(None, found):
        if subprocess.run([path, "-c", ""], capture_output=True).returncode == 0:
            return str(path)
    raise NotHere(f"there is no Python {version}")


def read_versions(path):
    """Mapping of names, as pip compares them, to lines ``name==version``."""
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    pinned = [line for line in lines if line and not line.startswith("#")]
    return {re.sub(r"[-_.]+", "-", line.split("==")[0]).lower(): line for line in pinned}


def set_up(name, folder, torch_index):
    """Python of the environment of a set, which is made where it is missing or old."""
    version, file = SETS[name]
    versions = read_versions(ROOT / "constraints.txt")
    versions |= read_versions(HERE / file) if file else {}
    environment = folder / re.sub(r"\W+", "-", name)
    python = environment / ("Scripts" if os.name == "nt" else "bin") / "python"
    constraints = environment / "versions.txt"
    text = "\n".join(versions.values()) + "\n"
    made_of = hashlib.sha256((text + (ROOT / "pyproject.toml").read_text()).encode())
    stamp = environment / "made-of"
    if stamp.exists() and stamp.read_text() == made_of.hexdigest():
        return python
    subprocess.run([find_python(version), "-m", "venv", "--clear", environment], check=True)
    constraints.write_text(text)
    install = [python, "-m", "pip", "install", "--quiet", "--constraint", constraints]
    where = ["--index-url", torch_index] if torch_index else []
    if not where and Path(find_python(version)) != Path(sys.executable):
        where = ["--no-index", "--no-deps"]
    done = subprocess.run([*install, *where, "torch"], capture_output=True, text=True)
    if done.returncode:
        print(done.stderr)
        raise NotHere(f"pip finds no CPU build of torch for Python {version}")
    named = ["--requirement", HERE / file] if file else []
    subprocess.run([*install, *named, "--editable", f"{ROOT}[test]"], check=True)
    stamp.write_text(made_of.hexdigest())
    return python


def run_tests(python, arguments):
    """Last line of pytest, and whether all passed."""
    threads = {"SCIPY_ARRAY_API": "1", "OMP_NUM_THREADS": "1"}
    chosen = arguments or ["-m", "not slow", "--numprocesses", "auto"]
    command = [python, "-m", "pytest", "--quiet", "-p", "no:cacheprovider"]
    command += ["--dist", "loadgroup", *chosen]
    tests = subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, **threads}, stdout=subprocess.PIPE, text=True
    )
    last = ""
    for line in tests.stdout:
        print(line, end="", flush=True)
        last = line.strip().strip("= ") or last
    return tests.wait() == 0, last


def versions_of(python):
    """Versions of Python and of the packages that the table shows."""
    code = (
        "import importlib.metadata as m, platform; "
        f"print(platform.python_version(), *map(m.version, {SHOWN!r}))"
    )
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.split()


def main():
    """Run the sets, print a table, and fail if a test failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="SET", help=f"of {', '.join(SETS)}")
    parser.add_argument("--folder", type=Path, default=ROOT / ".versions")
    parser.add_argument("--torch-index", help="index of CPU builds of torch")
    end = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    options, arguments = parser.parse_args(sys.argv[1:end]), sys.argv[end + 1 :]
    unknown = sorted({*options.names} - {*SETS})
    if unknown:
        parser.error(f"unknown sets {unknown}; there are {list(SETS)}")
    rows, passed = [], True
    for name in options.names or SETS:
        print(f"--- {name}", flush=True)
        try:
            python = set_up(name, options.folder.resolve(), options.torch_index)
        except NotHere as reason:
            rows.append([name, *["–"] * (len(SHOWN) + 1), f"skipped: {reason}"])
            continue
        all_passed, result = run_tests(python, arguments)
        passed &= all_passed
        rows.append([name, *versions_of(python), "passed" if all_passed else result])
    header = ["set", "Python", *SHOWN, "result"]
    for row in [header, ["---"] * len(header), *rows]:
        print(f"| {' | '.join(row)} |")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
