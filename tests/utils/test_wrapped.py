"""What pipelines and searches wrap."""

import numpy as np
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_task2box.utils._wrapped import unwrapped

X, Y = np.random.RandomState(0).normal(size=(20, 4)), np.arange(20) % 2


def test_an_estimator_by_itself():
    estimator = LogisticRegression()
    assert unwrapped(estimator) == (estimator, [])


def test_steps_come_in_their_order_from_pipelines_in_searches_in_pipelines():
    inner = make_pipeline(PCA(2), LogisticRegression())
    search = GridSearchCV(inner, {"pca__n_components": [2]}, cv=2)
    outer = make_pipeline(StandardScaler(), make_pipeline(search)).fit(X, Y)
    outer = FrozenEstimator(outer)
    innermost, before = unwrapped(outer)
    data = X
    for step in before:
        data = step.transform(data)
    np.testing.assert_array_equal(innermost.predict(data), outer.predict(X))


def test_a_search_that_is_not_fitted_has_nothing_inside():
    search = GridSearchCV(LogisticRegression(), {})
    assert unwrapped(make_pipeline(search))[0] is search
