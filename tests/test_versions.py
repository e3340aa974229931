"""The sets of versions that are tested: what pyproject.toml, files and the table say."""

import re
import runpy
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
RUN = runpy.run_path(str(ROOT / "tests" / "versions" / "run.py"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LOWEST = RUN["read_versions"](ROOT / "tests" / "versions" / "lowest.txt")
OPTIONAL = ("plot", "explore", "hub", "fast", "dask", "clip")
REQUIREMENTS = [
    *PROJECT["dependencies"],
    *(line for extra in OPTIONAL for line in PROJECT["optional-dependencies"][extra]),
]


def parts(version):
    return tuple(int(part) for part in version.split("."))


@pytest.mark.parametrize("requirement", REQUIREMENTS)
def test_lowest_set_has_the_lowest_version_that_is_allowed(requirement):
    name, _, least = requirement.partition(">=")
    if name == "torch":
        pytest.skip("all sets have the torch that pip finds; see docs/install.md")
    pinned = LOWEST[name.lower().replace("_", "-")].partition("==")[2]
    assert parts(pinned)[: len(parts(least))] == parts(least)


def test_requirements_of_tests_allow_no_less_than_the_extras():
    least = dict(line.split(">=") for line in REQUIREMENTS)
    for line in PROJECT["optional-dependencies"]["test"]:
        name, _, version = line.partition(">=")
        assert version == least.get(name, version), name


@pytest.mark.parametrize("name", RUN["SETS"])
def test_table_of_the_documentation_has_each_set(name):
    text = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    table = re.search(r"<!-- versions -->\n(.*?)<!-- end", text, re.S)[1]
    rows = {line.split("|")[1].strip(): line for line in table.splitlines()}
    assert name in rows
    _, file = RUN["SETS"][name]
    if "skipped" in rows[name]:
        return
    assert "failed" not in rows[name]
    assert "passed" in rows[name]
    pinned = RUN["read_versions"](ROOT / "constraints.txt")
    pinned |= RUN["read_versions"](ROOT / "tests" / "versions" / file) if file else {}
    shown = {"scikit-learn", "numpy", "pandas", "scipy", "networkx", "skorch"}
    for package in shown:
        assert f" {pinned[package].partition('==')[2]} |" in rows[name], package
