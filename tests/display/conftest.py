"""Fitted models that the tests of the displays share; each is fitted once."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import networkx as nx
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_task2box import BoxRelationEmbedder, DistilledBoxEmbedder
from sklearn_task2box.models import SimilarityModel


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


@pytest.fixture
def ax():
    """Axes of a figure without a layout, which is quicker than that of a display."""
    return plt.subplots()[1]


@pytest.fixture(scope="session")
def embedder(named_taxonomy):
    """Embedder of named tasks, with a held-out score."""
    model = BoxRelationEmbedder(
        box_dim=2, max_epochs=40, early_stopping=True, random_state=0
    )
    return model.fit(*named_taxonomy)


@pytest.fixture(scope="session")
def pipeline(named_taxonomy):
    """Scaler, which loses the names of the rows, before an embedder."""
    X, graph = named_taxonomy
    embedder = BoxRelationEmbedder(box_dim=2, max_epochs=5, random_state=0)
    return make_pipeline(StandardScaler(), embedder).fit(X, nx.to_pandas_adjacency(graph))


@pytest.fixture(scope="session")
def distilled(named_taxonomy):
    """Embedder distilled from a model that is quick to fit."""
    student = BoxRelationEmbedder(box_dim=2, max_epochs=5, random_state=0)
    return DistilledBoxEmbedder(student, SimilarityModel()).fit(*named_taxonomy)


@pytest.fixture(scope="session")
def boxless(named_taxonomy):
    """Relation model without boxes."""
    return SimilarityModel().fit(*named_taxonomy)
