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
OPTIONAL = ("plot", "explore", "hub", "fast", "dask", "clip", "storage")
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


def rows_of_table():
    """Cells of the documentation's table, by the name of the set."""
    text = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    table = re.search(r"<!-- versions -->\n(.*?)<!-- end", text, re.S)[1]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()]
    assert rows[0] == ["set", "Python", *RUN["SHOWN"], "result"]
    return {name: cells for name, *cells in rows[2:]}


def test_table_of_the_documentation_has_the_lowest_versions():
    assert "lowest" in rows_of_table()


@pytest.mark.parametrize("name", rows_of_table())
def test_row_of_the_documentation_has_the_versions_of_its_set(name):
    version, file = RUN["SETS"][name]
    python, *versions, result = rows_of_table()[name]
    if result.startswith("skipped: "):
        return
    assert result == "passed"
    assert python.startswith(version)
    pinned = RUN["read_versions"](ROOT / "constraints.txt")
    pinned |= RUN["read_versions"](ROOT / "tests" / "versions" / file) if file else {}
    for package, shown in zip(RUN["SHOWN"], versions, strict=True):
        assert shown.startswith(pinned[package].partition("==")[2]), package
