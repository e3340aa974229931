"""scikit-learn's own checks of estimators, all of them, with no failure expected."""

import os

os.environ.setdefault("SCIPY_ARRAY_API", "1")  # before SciPy: else a check is skipped

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_task2box import BoxRelationEmbedder, DistilledBoxEmbedder, RelationEnsemble
from sklearn_task2box.models import (
    AdditiveModel,
    ClosureModel,
    GeometryModel,
    KernelRidgeModel,
    NeighborsModel,
    PairClassifier,
    PopularityModel,
    RandomModel,
    SimilarityModel,
)
from sklearn_task2box.representations import DuplicateIndicator

pytestmark = pytest.mark.usefixtures("few_steps", "held_out_once")

SMALL = {"hidden_layer_sizes": (8,), "max_epochs": 5}


def small_ensemble(**options):
    members = [("closure", ClosureModel()), ("similarity", SimilarityModel())]
    return RelationEnsemble(members, **options)


@parametrize_with_checks(
    [
        BoxRelationEmbedder(**SMALL),
        BoxRelationEmbedder(
            encoder="linear", early_stopping=True, teacher=None, max_epochs=5
        ),
        small_ensemble(),
        DistilledBoxEmbedder(BoxRelationEmbedder(**SMALL), SimilarityModel()),
        PopularityModel(),
        ClosureModel(),
        AdditiveModel(),
        RandomModel(),
        SimilarityModel(),
        NeighborsModel(),
        KernelRidgeModel(),
        PairClassifier("linear", max_iter=5),
        PairClassifier("mlp", hidden_layer_sizes=(8,), max_iter=5),
        PairClassifier("boosted_trees", max_iter=3, max_pairs=500),
        GeometryModel("order", n_components=4, **SMALL),
        DuplicateIndicator(),
    ]
)
def test_sklearn_checks(estimator, check):
    check(estimator)
