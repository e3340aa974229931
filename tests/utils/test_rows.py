"""Rows of arrays and sparse matrices."""

import numpy as np
import pytest
from scipy import sparse

from sklearn_task2box.utils._rows import IdentifiedRows, replace_rows, stack_rows


@pytest.mark.parametrize("one", [np.asarray, sparse.csr_matrix])
@pytest.mark.parametrize("other", [np.asarray, sparse.csr_matrix])
def test_stacked_rows_are_sparse_if_either_is(one, other):
    found = stack_rows(one(np.eye(2)), other(2 * np.eye(2)))
    assert sparse.issparse(found) == (sparse.csr_matrix in (one, other))
    found = found.toarray() if sparse.issparse(found) else found
    np.testing.assert_array_equal(found, [[1, 0], [0, 1], [2, 0], [0, 2]])


@pytest.mark.parametrize("known_sparse", [False, True])
@pytest.mark.parametrize("new_sparse", [False, True])
@pytest.mark.parametrize("more_columns", [0, 2])
def test_new_rows_replace_known_ones_or_follow_them(known_sparse, new_sparse, more_columns):
    known, new = np.ones((4, 3)), np.full((3, 3 + more_columns), 2.0)
    expected = np.ones((6, 3 + more_columns))
    expected[:, 3:] = 0
    expected[[1, 4, 5]] = 2
    known = sparse.csr_matrix(known) if known_sparse else known
    new = sparse.csr_matrix(new) if new_sparse else new
    found = replace_rows(known, new, np.array([4, 1, 5]))
    assert sparse.issparse(found) == (known_sparse or new_sparse or more_columns > 0)
    found = found.toarray() if sparse.issparse(found) else found
    np.testing.assert_array_equal(found, expected)


def test_identified_rows_are_sliced_and_stacked_with_their_identity():
    one = IdentifiedRows(np.array([3, -1, 2**40]), np.eye(3, dtype=np.float32))
    both = stack_rows(one[[2, 0]], one[1:])
    assert both.known.tolist() == [2**40, 3, -1, 2**40]
    np.testing.assert_array_equal(both.X, np.eye(3)[[2, 0, 1, 2]])
    assert both.shape == (4, 3)
    assert len(both) == 4
