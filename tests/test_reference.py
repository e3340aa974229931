"""Single fits are those of commit fc7bb8c: see tests/reference/README.md."""

from pathlib import Path

import numpy as np
import pytest
from conftest import make_taxonomy

from sklearn_task2box import BoxRelationEmbedder, DistilledBoxEmbedder, RelationEnsemble
from sklearn_task2box.models import ClosureModel, PopularityModel

REFERENCE = np.load(Path(__file__).parent / "reference" / "single_fits.npz")


@pytest.fixture(scope="module")
def taxonomy_100():
    X, graph = make_taxonomy(n_tasks=100)
    strengths = np.zeros((len(X), len(X)))
    strengths[tuple(np.transpose(graph.edges))] = 1
    return X, strengths


def test_a_single_fit_gives_the_reference_predictions(taxonomy_100):
    X, strengths = taxonomy_100
    model = BoxRelationEmbedder(random_state=0).fit(X, strengths)
    predicted = model.predict_proba(X[:10] + 0.01)
    expected = REFERENCE["taxonomy_strengths"]
    assert np.abs(predicted - expected).mean() < 0.02
    expected = float(REFERENCE["taxonomy_threshold"])
    assert model.threshold_ == pytest.approx(expected, abs=0.2)


def test_the_student_of_an_ensemble_predicts_its_relations(taxonomy_100):
    X, strengths = taxonomy_100
    members = [
        ("boxes", BoxRelationEmbedder(5, max_epochs=50)),
        ("closure", ClosureModel()),
        ("popularity", PopularityModel()),
    ]
    student = BoxRelationEmbedder(5, max_epochs=100)
    model = DistilledBoxEmbedder(student, RelationEnsemble(members), random_state=0)
    model.fit(X, strengths)
    assert model.score(X, strengths) > 0.95
    np.testing.assert_array_equal(model.transform(X[:3]), model.boxes_[:3])
    assert (model.teacher_.transductive_.weights_ >= 0).all()
    indices, _ = model.supersets(X[:5], k=2)
    assert (indices != np.arange(5)[:, None]).all()
