"""The house: which module may import which, and how long modules are."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = "sklearn_task2box"
# Imports run from a later row to an earlier one, or within a row.
ROWS = [
    ("utils",),
    ("relations", "boxes", "metrics"),
    ("nets", "base", "_box_model"),
    ("models",),
    ("_paper_settings", "_soft_targets"),
    ("embedder",),
    ("ensemble",),
    ("distillation",),
    ("links", "display"),
    ("__init__",),
]
RANKS = {room: rank for rank, row in enumerate(ROWS) for room in row}
# These stand beside the rows: they make the features and relations that models take.
BESIDE = {"datasets": {"utils", "relations"}, "representations": {"utils", "relations"}}
FREE = {"_version"}

MAX_LINES = 600
MAX_LINES_OF = {"embedder.py": 700}
# The house had 13,500 lines when it was finished; safe storage, type hints, what kernel
# ridge and neighbors read off other relations, free boxes, and pairs that were sampled
# may add.
MAX_PACKAGE_LINES = 15_200

WORDS = re.compile(
    r"\b(teachers|opinions?|lessons?|school|panel|rehears(e|al)|twins?|virtual tasks?"
    r"|roles|said|heard|told)\b",
    re.IGNORECASE,
)
# Public methods of named tuples, in spite of their names, and one that scikit-learn's
# BaseEstimator has for those who write estimators.
NOT_PRIVATE = {"_replace", "_asdict", "_fields", "_make", "_validate_params"}


def _modules(folder):
    return sorted((ROOT / folder).rglob("*.py"))


def _texts():
    ends = (".py", ".rst")
    return sorted(p for p in (ROOT / PACKAGE).rglob("*") if p.suffix in ends)


def _shown(path):
    return str(path.relative_to(ROOT))


each_module = pytest.mark.parametrize("path", _modules(PACKAGE), ids=_shown)
each_reader = pytest.mark.parametrize(
    "path", _modules(PACKAGE) + _modules("benchmarks"), ids=_shown
)
each_text = pytest.mark.parametrize("path", _texts(), ids=_shown)


@cache
def _tree(path):
    return ast.parse(path.read_text())


def _room(name):
    """The part of the package that a dotted name below it stands in."""
    first = name.split(".")[0]
    is_part = (ROOT / PACKAGE / first).is_dir() or (ROOT / PACKAGE / f"{first}.py").exists()
    return first if first and is_part else "__init__"


def _imported_rooms(tree):
    """Parts of the package that a module imports, with the lines, in functions too."""
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are absolute here"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            package, _, below = name.partition(".")
            if package == PACKAGE:
                yield node.lineno, _room(below)


def _arrows_back(tree, room):
    """Imports that ROWS and BESIDE do not allow from a part of the package."""
    for line, imported in _imported_rooms(tree):
        if imported in FREE or imported == room:
            continue
        if room in BESIDE:
            allowed = imported in BESIDE[room]
        else:
            allowed = RANKS.get(imported, len(ROWS)) <= RANKS[room]
        if not allowed:
            yield line, imported


def _imported_modules(tree):
    """Names that stand for modules: imported as such, or modules of this repository."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            for alias in node.names:
                name = alias.asname or alias.name.split(".")[0]
                if isinstance(node, ast.Import) or _is_module(node.module, alias.name):
                    yield name


def _is_module(package, name):
    path = ROOT.joinpath(*package.split("."), name)
    return path.is_dir() or path.with_suffix(".py").exists()


def _is_own(node):
    """Whether it is self, cls or super()."""
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id == "super"
    return isinstance(node, ast.Name) and node.id in ("self", "cls")


def _definitions(tree):
    """Names that a module defines: functions, classes, variables, attributes of self."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif _is_set_on_self(node):
            yield node.attr


def _is_set_on_self(node):
    is_set = isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
    return is_set and _is_own(node.value)


def _read_attributes(tree):
    """Attributes that are read or set of anything: node, name, line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            yield node.value, node.attr, node.lineno
        elif isinstance(node, ast.Call) and len(node.args) > 1:
            by_name = isinstance(node.func, ast.Name) and node.func.id in (
                "getattr",
                "setattr",
                "hasattr",
                "delattr",
            )
            name = node.args[1]
            if by_name and isinstance(name, ast.Constant) and isinstance(name.value, str):
                yield node.args[0], name.value, node.lineno


def _private_accesses(tree):
    """Underscore attributes of what is defined in another module."""
    known = {*_definitions(tree), *NOT_PRIVATE}
    modules = set(_imported_modules(tree))
    for value, name, line in _read_attributes(tree):
        private = name.startswith("_") and not name.startswith("__")
        of_module = isinstance(value, ast.Name) and value.id in modules
        if private and name not in known and not of_module and not _is_own(value):
            yield line, f"{ast.unparse(value)}.{name}"


@each_module
def test_imports_run_from_later_parts_of_the_package_to_earlier_ones(path):
    room = _room(".".join(path.relative_to(ROOT / PACKAGE).with_suffix("").parts))
    if room in FREE:
        return
    assert room in RANKS or room in BESIDE, (
        f"{_shown(path)} stands in {room!r}, which is no part of the package yet. Give it "
        "a place in ROWS of tests/test_structure.py and in section 4 of the design."
    )
    back = [f"line {line} imports {one}" for line, one in _arrows_back(_tree(path), room)]
    assert not back, (
        f"{_shown(path)}: {'; '.join(back)}. {room} may import "
        f"{sorted(BESIDE.get(room) or _up_to(room))}. Move what both need into an earlier "
        "part, or what needs it into a later one."
    )


def _up_to(room):
    return [one for row in ROWS[: RANKS[room] + 1] for one in row]


@pytest.mark.parametrize(
    ("room", "line", "found"),
    [
        ("metrics", "from sklearn_task2box.boxes import overlap", []),
        ("metrics", "from sklearn_task2box.base import RelationModel", ["base"]),
        ("ensemble", "import sklearn_task2box.distillation as other", ["distillation"]),
        ("display", "from sklearn_task2box import links", []),
        ("links", "def f():\n    from sklearn_task2box import TaskPairs", ["__init__"]),
        ("datasets", "from sklearn_task2box.metrics import spearman", ["metrics"]),
        ("utils", "from sklearn_task2box._version import __version__", []),
    ],
)
def test_an_import_that_runs_back_is_found(room, line, found):
    assert [imported for _, imported in _arrows_back(ast.parse(line), room)] == found


@each_reader
def test_no_class_reaches_into_the_private_attributes_of_another_module(path):
    found = [f"line {line}: {what}" for line, what in _private_accesses(_tree(path))]
    assert not found, (
        f"{_shown(path)} uses attributes that are private to another module: "
        f"{'; '.join(found)}. Give that class a public name for it."
    )


def test_private_attributes_of_other_classes_are_found():
    code = """
import numpy as np
from sklearn_task2box.boxes import _index

class Model(Base):
    def __init__(self, other):
        self._own = super()._start + self._inherited + other._own + _index._BLOCK
        self.pair = other._replace(a=1), np._core, other.__dict__, getattr(self, "_x")
        other._set = other.part._read
        getattr(other, "_by_name")
"""
    found = [what for _, what in _private_accesses(ast.parse(code))]
    assert sorted(found) == ["other._by_name", "other._set", "other.part._read"]


@each_module
def test_a_module_is_short_enough_to_be_read(path):
    most = MAX_LINES_OF.get(path.name, MAX_LINES)
    n_lines = len(path.read_text().splitlines())
    assert n_lines <= most, (
        f"{_shown(path)} has {n_lines} lines, of at most {most}. A module has one noun: "
        "move what has another into a module of its own."
    )


def test_the_package_is_short_enough_to_be_read():
    lines = {_shown(path): len(path.read_text().splitlines()) for path in _modules(PACKAGE)}
    longest = sorted(lines, key=lines.get)[-5:]
    assert sum(lines.values()) <= MAX_PACKAGE_LINES, (
        f"{PACKAGE} has {sum(lines.values())} lines of Python, of at most "
        f"{MAX_PACKAGE_LINES}; the longest modules are {longest}."
    )


@each_text
def test_the_words_are_those_of_the_field(path):
    lines = path.read_text().splitlines()
    found = [
        f"line {i}: {line.strip()}" for i, line in enumerate(lines, 1) if WORDS.search(line)
    ]
    assert not found, (
        f'{_shown(path)} has words of its own where the field has others (see "Words" of '
        f"the style guide): {'; '.join(found)}."
    )
