"""Directed neighborhood affinities."""

import numpy as np
import pytest
from scipy import sparse

from sklearn_task2box.relations._affinities import neighborhood_affinities


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix])
def test_each_row_belongs_to_its_neighborhood(kind):
    X = np.random.RandomState(0).normal(size=(50, 4))
    strengths = neighborhood_affinities(kind(X), n_neighbors=8).toarray()
    assert ((strengths > 0).sum(axis=1) <= 8).all()
    np.testing.assert_allclose(strengths.max(axis=1), 1)
    np.testing.assert_allclose(strengths.sum(axis=1), np.log2(8), rtol=1e-6)
    assert (np.diag(strengths) == 0).all()
    assert not np.allclose(strengths, strengths.T)


def test_large_numbers_in_single_precision():
    X = np.random.RandomState(0).normal(size=(9, 3)).astype(np.float32)
    large = X * np.float32(2.0**122)  # whose squares float32 does not hold
    few, many = (neighborhood_affinities(each, 3).toarray() for each in (X, large))
    np.testing.assert_array_equal(many, few)


def test_lists_are_read_and_one_row_is_refused():
    assert neighborhood_affinities([[0], [1]]).toarray().tolist() == [[0, 1], [1, 0]]
    with pytest.raises(ValueError, match="minimum of 2"):
        neighborhood_affinities([[0]])


def test_few_and_equal_rows():
    assert neighborhood_affinities(np.array([[0.0], [1.0]])).toarray().tolist() == [
        [0, 1],
        [1, 0],
    ]
    strengths = neighborhood_affinities(np.zeros((6, 2)), n_neighbors=3)
    assert np.isfinite(strengths.data).all()
    assert (strengths.data == 1).all()
