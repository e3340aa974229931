"""The site builds without a warning, and leaves nothing out."""

import importlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_site_builds_without_a_warning(tmp_path):
    """All of it but for the pictures of the gallery, which ``make docs`` draws."""
    for needed in ("myst_parser", "numpydoc", "pydata_sphinx_theme", "sphinx_gallery"):
        pytest.importorskip(needed, reason="pip install '.[docs]' brings it")
    made = shutil.ignore_patterns("_build", "gallery", "generated", "examples-output")
    for folder in ("docs", "examples", "benchmarks"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=made)
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-D", "plot_gallery=0"]
        + ["-b", "html", "docs", "site"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for page in ("index", "guide", "paper", "benchmarks", "gallery/plot_birds"):
        assert (tmp_path / "site" / f"{page}.html").exists()


def section_of_reference(module):
    """Names that the API reference lists for a module."""
    text = (ROOT / "docs" / "api.rst").read_text(encoding="utf-8")
    section = text.split(f".. currentmodule:: {module}\n")[1].split("currentmodule")[0]
    names = re.findall(r"^   (\w+)$", section, flags=re.MULTILINE)
    return set(names) | set(re.findall(r"autodata:: (\w+)", section))


@pytest.mark.parametrize(
    "module", ["", "boxes", "datasets", "display", "models", "nets", "representations"]
)
def test_every_public_name_stands_in_the_reference(module):
    name = f"sklearn_task2box.{module}".rstrip(".")
    public = set(importlib.import_module(name).__all__) - {"__version__"}
    assert section_of_reference(name) == public


def test_every_public_score_stands_in_the_reference():
    metrics = importlib.import_module("sklearn_task2box.metrics")
    public = {
        name
        for name, value in vars(metrics).items()
        if not name.startswith("_") and getattr(value, "__module__", "") == metrics.__name__
    }
    assert section_of_reference(metrics.__name__) == public


def test_names_on_the_page_of_internals_exist():
    text = (ROOT / "docs" / "internals.rst").read_text(encoding="utf-8")
    names = re.findall(r"^   (\w+(?:\.\w+)+)$", text, flags=re.MULTILINE)
    assert len(names) >= 15
    for name in names:
        module, _, last = name.rpartition(".")
        assert hasattr(importlib.import_module(f"sklearn_task2box.{module}"), last), name
