"""Features as networks read them."""

import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse

from sklearn_task2box import BoxRelationEmbedder, TaskRelations
from sklearn_task2box.nets._encoders import BoxEncoder
from sklearn_task2box.utils._features import (
    check_numeric,
    has_variance_names,
    hot_columns,
    means_and_variances,
    preparation,
    warn_of_scales,
    writable,
)


def prepared(X, new=None):
    offset, rotation = preparation(X)
    encoder = BoxEncoder(None, X.shape[1], 2, offset=offset, rotation=rotation)
    return encoder.prepare(torch.from_numpy(X if new is None else new)).numpy()


def test_few_features_are_centred_and_scaled_by_one_factor():
    X = np.random.RandomState(0).normal(size=(30, 4)) * [1, 10, 100, 1000] + 7
    got = prepared(X)
    np.testing.assert_allclose(got.mean(axis=0), 0, atol=1e-12)
    assert (got**2).mean() == pytest.approx(1)
    np.testing.assert_allclose(
        got / (X - X.mean(axis=0)), got[0, 0] / (X - X.mean(0))[0, 0]
    )


def test_many_features_are_rotated_into_the_span_of_the_rows():
    X = np.random.RandomState(0).normal(size=(10, 200)) + 3
    got = prepared(X)
    assert got.shape == (10, 9)  # centring takes one dimension away
    assert (got**2).mean() == pytest.approx(1)
    centred = X - X.mean(axis=0)
    gram = centred @ centred.T
    np.testing.assert_allclose(got @ got.T / gram, (got @ got.T)[0, 0] / gram[0, 0])
    # What lies across the span of the training rows does not show.
    across = np.linalg.svd(centred)[2][-1:]
    np.testing.assert_allclose(prepared(X, X[:1] + across), got[:1], atol=1e-9)


@pytest.mark.parametrize("X", [np.ones((5, 3)), np.zeros((5, 20)), 1e-300 * np.eye(4)])
def test_constant_features_are_no_trouble(X):
    assert np.isfinite(prepared(X)).all()


@pytest.mark.parametrize("scale", [1e25, 1, 1e-25])
@pytest.mark.parametrize("shape", [(60, 8), (60, 40), (30, 50)], ids=str)
def test_sparse_features_are_prepared_as_dense_ones(scale, shape):
    X = sparse.random(*shape, density=0.4, format="csr", random_state=0, dtype=np.float32)
    X = X.multiply(np.float32(scale)).tocsr()
    both = [prepared(rows, X.toarray()) for rows in (X, X.toarray())]
    assert (both[0] ** 2).mean() == pytest.approx(1)
    np.testing.assert_allclose(*abs(np.array(both)), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("scale", [1e25, 1, 1e-25])
def test_sparse_features_are_centred_and_keep_large_components(scale):
    rng = np.random.RandomState(0)
    X = scale * (rng.normal(size=(80, 60)) * 0.8 ** np.arange(60) + (rng.rand(60) < 0.2))
    gram = X - X.mean(axis=0)
    gram = gram @ gram.T
    for rows in (X, sparse.csr_matrix(X)):
        offset, rotation = preparation(rows, 12)
        got = (X - offset.numpy()) @ rotation.numpy()
        assert got.shape == (80, 12)
        np.testing.assert_allclose(got.mean(axis=0), 0, atol=1e-9)
        assert (got**2).mean() == pytest.approx(1)
        kept = got @ got.T
        assert (kept * gram).sum() > 0.99 * np.linalg.norm(kept) * np.linalg.norm(gram)


def test_a_rotation_keeps_the_principal_components():
    X = np.random.RandomState(0).normal(size=(50, 70)) * 0.8 ** np.arange(70)
    offset, rotation = preparation(X, 5)
    components = np.linalg.svd(X - X.mean(axis=0))[2][:5]
    turned = rotation.numpy() / np.linalg.norm(rotation, axis=0)
    np.testing.assert_allclose(abs(components @ turned), np.eye(5), atol=1e-6)
    np.testing.assert_allclose(offset, X.mean(axis=0))


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix, sparse.csr_array])
def test_hot_columns(kind):
    rows = np.eye(4)[[2, 0, 3]]
    assert hot_columns(kind(rows)).tolist() == [2, 0, 3]
    for wrong in (rows * 2, rows + 1, rows[:, :3]):
        with pytest.raises(ValueError, match="one-hot rows"):
            hot_columns(kind(wrong))


def test_read_only_arrays_are_copied():
    X = np.ones((2, 2))
    assert writable(X) is X
    X.flags.writeable = False
    assert writable(X).flags.writeable


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["mean_a", "mean_b", "variance_a", "variance_b"], True),
        (["mean_a", "variance_a"], True),
        (["mean_a", "mean_b", "variance_b", "variance_a"], False),
        (["mean_a", "variance_a", "mean_b", "variance_b"], False),
        (["mean_a", "mean_b"], False),
        (["mean_a", "variance_a", "n_samples"], False),
        (["a", "b"], False),
    ],
)
def test_names_say_whether_half_of_the_features_are_variances(names, expected):
    assert has_variance_names(np.array(names, dtype=object)) is expected


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix])
def test_means_and_variances_are_the_halves_of_the_features(kind):
    X = np.array([[-1.0, 2, 0, 3], [4, 5, 6, 7]])
    means, variances = means_and_variances(kind(X))
    for half, expected in ((means, X[:, :2]), (variances, X[:, 2:])):
        half = half.toarray() if sparse.issparse(half) else half
        np.testing.assert_array_equal(half, expected)
    with pytest.raises(ValueError, match="odd number, 3"):
        means_and_variances(kind(X[:, :3]))
    with pytest.raises(ValueError, match="not negative; got -1"):
        means_and_variances(kind(X[:, [1, 0]]))


def test_columns_that_are_no_numbers_are_named_with_the_way_out():
    good = pd.DataFrame({"a": [1.0, 2], "b": [True, False], "c": ["1", "2.5"]})
    good["d"] = good["a"].astype(object)
    good["e"] = pd.arrays.SparseArray([0.0, 1.0])
    check_numeric(good)
    check_numeric(good.to_numpy())
    bad = good.assign(
        kind=["cat", "dog"],
        level=pd.Categorical([1, 2]),
        day=pd.to_datetime(["2020-01-01", "2020-01-02"]),
    )
    with pytest.raises(
        ValueError, match=r"3 of 8 have none: 'kind' \(.*'level' \(category"
    ):
        check_numeric(bad)
    with pytest.raises(ValueError, match=r"OneHotEncoder\(\), \['kind', 'level'\]\)"):
        BoxRelationEmbedder().fit(bad, [(0, 1)])


@pytest.mark.parametrize(
    ("bad", "error", "message"),
    [
        (np.array([[1, "abc"]], dtype=object), ValueError, "something else in it: .*abc"),
        (np.array([[1, [2]]], dtype=object), ValueError, "something else in it"),
        ([[1, 2], [3]], ValueError, "as many for each task"),
        ({"a": [1, 2]}, TypeError, "something else in it"),
        (np.zeros(2, dtype=[("a", float), ("b", int)]), ValueError, "type.*'a'"),
        (np.zeros((2, 2), dtype="datetime64[D]"), ValueError, "type datetime64"),
        (pd.DataFrame(np.eye(2), columns=["a", "a"]), ValueError, "several named 'a'"),
        (pd.DataFrame(index=["a", "b"]), ValueError, r"got 0 feature\(s\)"),
    ],
)
def test_what_holds_no_numbers_is_refused_in_a_sentence(bad, error, message):
    with pytest.raises(error, match="X must .*" + message):
        BoxRelationEmbedder().fit(bad, [(0, 1)])


@pytest.mark.parametrize("text", [[["1", "2.5"]], np.array([[1, "2.5"]], dtype=object)])
def test_numbers_as_text_are_numbers(text):
    check_numeric(text)


def _with_a_large_column(size):
    X = np.random.RandomState(0).normal(size=(30, 20))
    X[:, 7] *= size
    return X


@pytest.mark.parametrize(
    "names", [None, np.array([f"f{i}" for i in range(20)], dtype=object)]
)
def test_a_column_of_another_scale_is_named_in_a_warning(names):
    shown = "7" if names is None else "'f7'"
    with pytest.warns(UserWarning, match=rf"^1 of 20 columns of X.*them: {shown}\. Resc"):
        warn_of_scales(_with_a_large_column(1e4), names, stacklevel=2)


@pytest.mark.parametrize("scale", [1.0, 1e200, 1e-200])
def test_columns_of_similar_scales_are_not_warned_of(scale):
    halves = np.hstack([_with_a_large_column(1.0), 1e-6 * _with_a_large_column(1.0)])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_scales(scale * _with_a_large_column(20.0), None, stacklevel=2)
        warn_of_scales(halves, None, stacklevel=2)  # as of means and variances
        warn_of_scales(np.ones((5, 3)), None, stacklevel=2)


def test_a_fit_warns_of_a_column_of_another_scale():
    X = pd.DataFrame(_with_a_large_column(1e4)).add_prefix("f")
    graph = [(i, (i - 1) // 3) for i in range(1, 30)]
    model = BoxRelationEmbedder(2, teacher=None, max_epochs=2, hidden_layer_sizes=8)
    with pytest.warns(UserWarning, match="'f7'") as caught:
        model.fit(X, TaskRelations(graph, tasks=X.index))
    assert [w.filename for w in caught if "'f7'" in str(w.message)] == [__file__]
