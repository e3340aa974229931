"""Recognition of known tasks by their features."""

import numpy as np
import pytest
from scipy import sparse

from sklearn_task2box.utils._matching import match_rows

KNOWN = np.random.RandomState(0).normal(size=(20, 5)) + 3
KINDS = [np.asarray, sparse.csr_matrix]


@pytest.mark.parametrize("scale", [1e-200, 1.0, 1e200])
@pytest.mark.parametrize("kind", KINDS)
def test_equal_rows_are_found_and_others_are_not(kind, scale):
    order = np.array([3, 0, 17])
    rows = np.vstack([KNOWN[order], KNOWN[:2] + 0.01])
    found = match_rows(kind(scale * rows), kind(scale * KNOWN))
    assert found.tolist() == [3, 0, 17, -1, -1]


def test_rounding_makes_no_difference():
    rounded = KNOWN.astype(np.float32)
    assert match_rows(rounded, KNOWN).tolist() == list(range(20))


@pytest.mark.parametrize("kind", KINDS)
def test_a_candidate_is_preferred_among_equal_rows(kind):
    known = KNOWN[[0, 1, 1, 2]]
    found = match_rows(kind(known[[1, 1, 3]]), kind(known), np.array([2, 1, 0]))
    assert found.tolist() == [2, 1, 3]  # a wrong candidate does not count


@pytest.mark.parametrize("candidate", [-1, 4, 100])
def test_candidates_that_are_no_known_row_do_not_count(candidate):
    assert match_rows(KNOWN[:1], KNOWN[:4], np.array([candidate])).tolist() == [0]


def test_a_far_row_orthogonal_to_the_known_ones_equals_none():
    known = np.hstack([KNOWN, np.zeros_like(KNOWN)])
    far = np.hstack([KNOWN, 100 * np.ones_like(KNOWN)])
    assert (match_rows(far, known) == -1).all()


def test_dense_and_sparse_rows_are_compared():
    assert match_rows(sparse.csr_matrix(KNOWN[[4]]), KNOWN).tolist() == [4]
    assert match_rows(KNOWN[[4]], sparse.csr_matrix(KNOWN)).tolist() == [4]


def test_rows_of_other_lengths_and_no_rows_equal_none():
    assert match_rows(KNOWN[:, :3], KNOWN).tolist() == [-1] * 20
    assert match_rows(KNOWN[:0], KNOWN).tolist() == []
    assert match_rows(KNOWN[:2], KNOWN[:0]).tolist() == [-1, -1]
