"""Names whose modules are imported when they are first used."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import sklearn_task2box
from sklearn_task2box import models, representations

ROOT = Path(__file__).parents[2]


def imported_by(line):
    """Modules that a new process has imported after a line."""
    code = f"{line}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    return set(done.stdout.split())


def test_package_alone_imports_no_library():
    libraries = {"torch", "skorch", "sklearn", "scipy", "numpy", "pandas", "networkx"}
    assert not libraries & imported_by("import sklearn_task2box")


@pytest.mark.slow
def test_what_needs_no_networks_imports_no_torch():
    lines = [
        "from sklearn_task2box import TaskPairs, TaskRelations, datasets, display, metrics",
        "from sklearn_task2box.base import RelationModel",
        "from sklearn_task2box.models import ClosureModel, KernelRidgeModel",
        "from sklearn_task2box.representations import GaussianRepresentation",
    ]
    assert not {"torch", "skorch"} & imported_by("\n".join(lines))


@pytest.mark.parametrize("package", [sklearn_task2box, models, representations])
def test_public_names_are_listed_and_found(package):
    assert {*package.__all__} <= {*dir(package)}
    for name in package.__all__:
        assert getattr(package, name) is not None
        assert name in vars(package), "it is not kept"


def test_modules_are_found_as_attributes():
    assert sklearn_task2box.metrics.__name__ == "sklearn_task2box.metrics"
    assert "metrics" in dir(sklearn_task2box)


def test_unknown_names_are_an_attribute_error():
    with pytest.raises(AttributeError, match=r"'sklearn_task2box\.models' has no .* 'Bx'"):
        models.Bx  # noqa: B018
