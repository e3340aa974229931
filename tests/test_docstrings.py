"""Every public name is documented, with all its parameters."""

import importlib
import inspect
import pkgutil

import pytest
from numpydoc.docscrape import FunctionDoc, get_doc_object
from sklearn.base import BaseEstimator
from skorch import NeuralNet

import sklearn_task2box
from sklearn_task2box import (
    BoxRelationEmbedder,
    DistilledBoxEmbedder,
    RelationEnsemble,
    TaskLinkClassifier,
    models,
    representations,
)
from sklearn_task2box._box_model import BoxModel
from sklearn_task2box.base import RelationModel
from sklearn_task2box.ensemble import StrengthBlend
from sklearn_task2box.models._smoothers import SmootherModel
from sklearn_task2box.nets import Objective

MODULES = [
    importlib.import_module(info.name)
    for info in pkgutil.walk_packages(sklearn_task2box.__path__, "sklearn_task2box.")
]
INHERITED = {
    "fit_transform",
    "get_params",
    "set_params",
    "set_output",
    "get_metadata_routing",
}


def _public():
    for module in MODULES:
        for name, value in vars(module).items():
            if (
                name.startswith("_")
                or getattr(value, "__module__", None) != module.__name__
            ):
                continue
            if inspect.isclass(value) or inspect.isfunction(value):
                yield pytest.param(value, id=f"{module.__name__}.{name}")


@pytest.mark.parametrize("module", [sklearn_task2box, *MODULES], ids=lambda m: m.__name__)
def test_modules_say_what_they_are(module):
    assert module.__doc__
    for name in getattr(module, "__all__", []):
        assert hasattr(module, name)


@pytest.mark.parametrize("thing", list(_public()))
def test_every_parameter_is_documented(thing):
    assert inspect.getdoc(thing), "no docstring"
    document = get_doc_object(thing)
    documented = [n.strip() for p in document["Parameters"] for n in p.name.split(",")]
    if inspect.isclass(thing) and issubclass(thing, tuple):
        return
    callable_ = thing.__init__ if inspect.isclass(thing) else thing
    if inspect.isclass(thing) and "__init__" not in vars(thing):
        return
    expected = [
        p.name
        for p in inspect.signature(callable_).parameters.values()
        if p.name != "self" and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    ]
    if not document["Parameters"] and not _is_exported(thing):
        return  # a small helper explains itself in a sentence
    assert [n for n in documented if not n.startswith("*")] == expected


def _is_exported(thing):
    exporting = [m for m in [sklearn_task2box, *MODULES] if hasattr(m, "__all__")]
    return any(thing.__name__ in m.__all__ for m in exporting)


ESTIMATORS = [
    BoxRelationEmbedder,
    DistilledBoxEmbedder,
    RelationEnsemble,
    TaskLinkClassifier,
    *(
        getattr(package, name)
        for package in (models, representations)
        for name in package.__all__
    ),
]


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_methods_of_estimators_are_documented(estimator):
    document = get_doc_object(estimator)
    for section in ("Parameters", "Attributes", "Examples"):
        assert document[section] or (section == "Parameters" and not _parameters(estimator))
    for name, method in inspect.getmembers(estimator, inspect.isfunction):
        if name.startswith(("_", "set_", "get_")) or name in INHERITED:
            continue
        if not method.__module__.startswith("sklearn_task2box"):
            continue
        parsed = FunctionDoc(method)
        documented = [n.strip() for p in parsed["Parameters"] for n in p.name.split(",")]
        expected = [n for n in inspect.signature(method).parameters if n != "self"]
        assert documented == expected, name
        assert parsed["Returns"] or parsed["Yields"], name


def _parameters(estimator):
    return inspect.signature(estimator).parameters


def test_every_estimator_is_among_them():
    found = {
        thing.values[0]
        for thing in _public()
        if inspect.isclass(thing.values[0]) and issubclass(thing.values[0], BaseEstimator)
    }
    parts = {RelationModel, BoxModel, SmootherModel, Objective, StrengthBlend}
    found = {e for e in found if not issubclass(e, NeuralNet)}
    assert {e for e in found if not e.__name__.startswith("_")} == parts | set(ESTIMATORS)
