"""The site builds without a warning, and leaves nothing out."""

import importlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def test_the_site_builds_without_a_warning(tmp_path):
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


@pytest.mark.parametrize(
    "module", ["", "baselines", "datasets", "display", "representations"]
)
def test_every_public_name_stands_in_the_reference(module):
    name = f"sklearn_task2box.{module}".rstrip(".")
    text = (ROOT / "docs" / "api.rst").read_text(encoding="utf-8")
    section = text.split(f".. currentmodule:: {name}\n")[1].split("currentmodule")[0]
    public = set(importlib.import_module(name).__all__) - {"__version__"}
    assert public == set(re.findall(r"^   (\w+)$", section, flags=re.MULTILINE)) | set(
        re.findall(r"autodata:: (\w+)", section)
    )
