"""Public names have type hints, and mypy finds nothing to object to."""

import importlib
import inspect
import os
import subprocess
import sys
from pathlib import Path

import pytest

import sklearn_task2box

ROOT = Path(__file__).parents[1]
PARTS = "base boxes datasets display metrics models nets relations representations"
MODULES = [sklearn_task2box] + [
    importlib.import_module(f"sklearn_task2box.{name}") for name in PARTS.split()
]


def public_functions():
    """Functions that users call: of modules, and methods of classes with their bases."""
    found = {}
    for module in MODULES:
        made = [n for n in vars(module) if not n.startswith("_")]
        own = [n for n in made if defined_in(module, getattr(module, n))]
        for name in getattr(module, "__all__", own):
            value = getattr(module, name)
            for function in methods_of(value) if inspect.isclass(value) else [value]:
                if inspect.isfunction(function):
                    found[f"{function.__module__}.{function.__qualname__}"] = function
    return found


def defined_in(module, value):
    return getattr(value, "__module__", None) == module.__name__


def methods_of(cls):
    for base in cls.__mro__:
        if base.__module__.startswith("sklearn_task2box"):
            for name, value in vars(base).items():
                if not name.startswith("_") or name == "__init__":
                    function = getattr(value, "__func__", getattr(value, "fget", value))
                    yield inspect.unwrap(function) if callable(function) else function


FUNCTIONS = {
    name: function
    for name, function in public_functions().items()
    if name.startswith("sklearn_task2box")
}


def test_all_public_names_are_looked_at():
    assert len(FUNCTIONS) >= 110
    assert {
        "sklearn_task2box.base.RelationModel.fit",
        "sklearn_task2box.metrics.relation_score",
        "sklearn_task2box.links.TaskLinkClassifier.__init__",
        "sklearn_task2box.relations._task_relations.TaskRelations.from_labels",
        "sklearn_task2box.representations._gaussian.GaussianRepresentation.means_",
    } <= {*FUNCTIONS}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_parameters_and_return_values_have_type_hints(name):
    signature = inspect.signature(FUNCTIONS[name])
    bare = [
        parameter.name
        for parameter in signature.parameters.values()
        if parameter.annotation is parameter.empty and parameter.name not in ("self", "cls")
    ]
    assert not bare
    assert signature.return_annotation is not signature.empty


@pytest.mark.slow
def test_hints_are_seen_by_those_who_use_the_package(tmp_path):
    pytest.importorskip("mypy")
    code = tmp_path / "used.py"
    code.write_text(
        "import numpy as np\n"
        "from sklearn_task2box import BoxRelationEmbedder, TaskRelations\n"
        "relations = TaskRelations({'cat': 'animal', 'animal': None})\n"
        "model = BoxRelationEmbedder(box_dim=2).fit(np.eye(2), relations)\n"
        "reveal_type(model)\n"
        "reveal_type(model.score(np.eye(2), relations))\n"
        "model.supersets(k='three')\n"
        "BoxRelationEmbedder(box_dim='two')\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "mypy", f"--config-file={ROOT / 'pyproject.toml'}", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "MYPYPATH": str(ROOT)},
    )
    lines = [line.split("used.py:")[-1] for line in done.stdout.splitlines()]
    starts = [
        '5: note: Revealed type is "sklearn_task2box.embedder.BoxRelationEmbedder"',
        '6: note: Revealed type is "float"',
        '7: error: Argument "k" to "supersets"',
        '8: error: Argument "box_dim" to "BoxRelationEmbedder"',
    ]
    for line, start in zip(lines, starts, strict=False):
        assert line.replace("builtins.", "").startswith(start), done.stdout + done.stderr
    assert len(lines) == len(starts) + 1  # the last line counts the errors
