"""Source distribution and wheel: what they hold, and that they work once installed."""

import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "sklearn_task2box"

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("packages")]


def run(*command, cwd, **variables):
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        env={**environment, "MPLBACKEND": "Agg", "OMP_NUM_THREADS": "1", **variables},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    """The source distribution, and the wheel that is built from it."""
    pytest.importorskip("build")
    folder = tmp_path_factory.mktemp("packages")
    run(sys.executable, "-m", "build", "--outdir", folder, ROOT, cwd=folder)
    (source,), (wheel,) = folder.glob("*.tar.gz"), folder.glob("*.whl")
    return {"source distribution": source, "wheel": wheel}


def files_of_source(path):
    with tarfile.open(path) as archive:
        return {m.name.partition("/")[2] for m in archive.getmembers() if m.isfile()}


def files_of_wheel(path):
    with zipfile.ZipFile(path) as archive:
        return set(archive.namelist())


def test_source_distribution_has_every_file_of_the_repository(packages):
    if not (ROOT / ".git").exists():
        pytest.skip("this is no clone of the repository")
    files = set(run("git", "ls-files", cwd=ROOT).splitlines()) - {".gitignore"}
    there = files_of_source(packages["source distribution"])
    assert files - there == set()
    made = {name for name in there - files if ".egg-info/" not in name}
    assert made <= {"PKG-INFO"}


def test_wheel_has_every_file_of_the_package_and_no_other(packages):
    files = files_of_source(packages["source distribution"])
    package = {name for name in files if name.startswith("sklearn_task2box/")}
    there = files_of_wheel(packages["wheel"])
    assert {name for name in there if ".dist-info/" not in name} == package
    assert "sklearn_task2box/py.typed" in there
    assert {name.rpartition(".")[2] for name in there} >= {"rst", "css", "js", "html"}


def test_packages_are_small(packages):
    sizes = {name: path.stat().st_size for name, path in packages.items()}
    assert sizes["wheel"] < 400_000
    assert sizes["source distribution"] < 3_000_000


@pytest.mark.parametrize("kind", ["source distribution", "wheel"])
def test_lines_of_the_readme_run_where_a_package_is_installed(kind, packages, tmp_path):
    """In an environment of its own, which sees the dependencies of this one."""
    environment, folder = tmp_path / "environment", tmp_path / "empty"
    folder.mkdir()
    run(sys.executable, "-m", "venv", "--without-pip", environment, cwd=folder)
    python = environment / ("Scripts" if os.name == "nt" else "bin") / "python"
    install = ("-m", "pip", "--python", python, "install", "--no-deps", packages[kind])
    run(sys.executable, *install, cwd=folder)
    purelib = run(
        python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder
    )
    # A path file adds the folder alone: editable installs that it names stay out.
    Path(purelib.strip(), "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    snippets = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    assert len(snippets) >= 3
    lines = ["import sklearn_task2box as used", *snippets, "print(used.__file__)"]
    printed = run(python, "-c", "\n".join(lines), cwd=folder)
    assert Path(printed.splitlines()[-1]).is_relative_to(environment)
    assert "average precision:" in printed
    assert list(folder.iterdir()) == []
