"""Inputs that the displays share: estimators that they refuse, and missing libraries."""

import sys

import networkx as nx
import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_task2box import BoxRelationEmbedder
from sklearn_task2box.display import (
    BoxDisplay,
    HierarchyDisplay,
    RelationMatrixDisplay,
    TrainingDisplay,
)

EXAMPLES = {
    BoxDisplay: [[0, 0, 1, 1]],
    HierarchyDisplay: nx.DiGraph([("dog", "animal")]),
    RelationMatrixDisplay: np.eye(2),
    TrainingDisplay: [{"epoch": 1, "train_loss": 1.0}],
}
every_display = pytest.mark.parametrize("display", EXAMPLES)


@every_display
def test_estimators_must_be_fitted(display):
    for estimator in (BoxRelationEmbedder(), make_pipeline(BoxRelationEmbedder())):
        with pytest.raises(NotFittedError):
            display.from_estimator(estimator)


@every_display
def test_estimators_must_be_relation_models(display):
    with pytest.raises(ValueError, match="BoxRelationEmbedder.*got StandardScaler\\."):
        display.from_estimator(StandardScaler())
    with pytest.raises(ValueError, match="got Pipeline that ends in StandardScaler"):
        display.from_estimator(make_pipeline(StandardScaler()))


@pytest.mark.parametrize("display", [BoxDisplay, TrainingDisplay])
def test_models_must_have_boxes_where_these_are_drawn(display, boxless):
    message = "BoxRelationEmbedder or DistilledBoxEmbedder.*got SimilarityModel"
    with pytest.raises(ValueError, match=message):
        display.from_estimator(boxless)


@pytest.mark.parametrize("display", [BoxDisplay, HierarchyDisplay, RelationMatrixDisplay])
def test_features_must_be_those_of_fit(display, embedder, named_taxonomy):
    with pytest.raises(ValueError, match="feature names"):
        display.from_estimator(embedder, named_taxonomy[0].iloc[:, :3])


@pytest.mark.parametrize("display", [BoxDisplay, HierarchyDisplay])
def test_groups_must_have_an_entry_per_task(display, embedder, named_taxonomy):
    with pytest.raises(ValueError, match="one entry per task, 5 in all; got 2"):
        display.from_estimator(embedder, named_taxonomy[0].iloc[:5], groups=[1, 2])


@every_display
def test_missing_matplotlib_is_named(display, embedder, monkeypatch):
    for module in [name for name in sys.modules if name.startswith("matplotlib")]:
        monkeypatch.setitem(sys.modules, module, None)
    message = rf"{display.__name__} needs matplotlib.*sklearn-task2box\[plot\]"
    with pytest.raises(ImportError, match=message):
        display.from_estimator(embedder)
    with pytest.raises(ImportError, match=message):
        display(EXAMPLES[display]).plot()
