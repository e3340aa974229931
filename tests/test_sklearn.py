"""scikit-learn's own checks."""

import os

os.environ.setdefault("SCIPY_ARRAY_API", "1")

from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_task2box import BoxRelationEmbedder


@parametrize_with_checks([BoxRelationEmbedder(max_epochs=20, n_teachers=2)])
def test_sklearn_checks(estimator, check):
    check(estimator)
