"""GaussianRepresentation: moments, shrinkage, batches, input formats, errors."""

import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_task2box import BoxRelationEmbedder
from sklearn_task2box.datasets import load_digits_tasks
from sklearn_task2box.representations import GaussianRepresentation, _gaussian

# What scikit-learn checks of transformers whose rows are samples.
ROWS_ARE_TASKS = dict.fromkeys(
    [
        "check_array_api_input",
        "check_dict_unchanged",
        "check_dtype_object",
        "check_estimators_dtypes",
        "check_estimators_nan_inf",
        "check_estimators_pickle",
        "check_f_contiguous_array_estimator",
        "check_fit2d_predict1d",
        "check_fit_idempotent",
        "check_methods_sample_order_invariance",
        "check_methods_subset_invariance",
        "check_n_features_in_after_fitting",
        "check_transformer_data_not_an_array",
        "check_transformer_general",
    ],
    "transform needs to know which task a sample belongs to; a row is a task",
)


@parametrize_with_checks(
    [GaussianRepresentation()], expected_failed_checks=lambda estimator: ROWS_ARE_TASKS
)
def test_sklearn_checks(estimator, check):
    check(estimator)


@pytest.fixture
def samples():
    rng = np.random.RandomState(0)
    X = rng.normal(size=(30, 4)) + np.repeat([[0.0], [3.0], [-1.0]], 10, axis=0)
    return X, np.repeat(["a", "b", "c"], 10)


def test_without_shrinkage_moments_are_those_of_numpy(samples):
    X, y = samples
    tasks = GaussianRepresentation(shrinkage=0).fit_transform(X, y)
    assert list(tasks.index) == ["a", "b", "c"]
    expected = [[*X[y == t].mean(axis=0), *X[y == t].var(axis=0, ddof=1)] for t in "abc"]
    np.testing.assert_allclose(tasks, expected)


def test_shrinkage_is_as_computed_by_hand():
    X = np.array([[0.0], [2.0], [10.0]])  # deviations: 2 with 1 degree of freedom, and 0
    representation = GaussianRepresentation(shrinkage=3, mean_shrinkage=1)
    tasks = representation.fit_transform(X, ["a", "a", "b"])
    assert representation.pooled_variance_ == pytest.approx([2.0])
    assert representation.grand_mean_ == pytest.approx([5.5])
    expected = [[(5.5 + 2) / 3, (3 * 2 + 2) / (3 + 1)], [(5.5 + 10) / 2, (3 * 2 + 0) / 3]]
    np.testing.assert_allclose(tasks, expected)


@pytest.mark.slow
def test_variance_of_few_samples_is_near_the_pooled_one():
    rng = np.random.RandomState(0)
    groups = [rng.normal(scale=s, size=(n, 1)) for s, n in ((5, 2000), (5, 2), (1, 2000))]
    representation = GaussianRepresentation(shrinkage=10).fit(groups)
    raw = [group.var(ddof=1) for group in groups]
    variances, pooled = representation.variances_[:, 0], representation.pooled_variance_[0]
    assert variances[0] == pytest.approx(raw[0], rel=0.02)
    assert abs(variances[1] - pooled) < 0.2 * abs(raw[1] - pooled)


@pytest.mark.slow
def test_shrinkage_lowers_the_error_of_variances_of_small_tasks():
    rng = np.random.RandomState(0)
    truth = rng.gamma(4.0, size=(40, 5))
    groups = [rng.normal(scale=np.sqrt(v), size=(4, 5)) for v in truth]
    errors = {
        s: np.mean(
            (np.log(GaussianRepresentation(shrinkage=s).fit(groups).variances_ / truth))
            ** 2
        )
        for s in (0, 4)
    }
    assert errors[4] < 0.5 * errors[0]


def test_all_input_formats_give_the_same_tasks(samples):
    X, y = samples
    names = np.unique(y)
    membership = y[:, None] == names
    by_label = GaussianRepresentation().fit_transform(X, y)
    formats = {
        "dict": ({name: X[y == name] for name in names}, None),
        "list": ([X[y == name] for name in names], None),
        "tuple of lists": (tuple(X[y == name].tolist() for name in names), None),
        "3-D array": (X.reshape(3, 10, 4), None),
        "dense": (X, membership),
        "dense ints": (X, membership.astype(int)),
        "sparse": (X, sparse.csr_matrix(membership.astype(float))),
        "sparse array": (X, sparse.coo_array(membership)),
        "frame": (X, pd.DataFrame(membership, columns=names)),
        "series": (X, pd.Series(y, dtype="category")),
    }
    for name, (given_X, given_y) in formats.items():
        tasks = GaussianRepresentation().fit_transform(given_X, given_y)
        np.testing.assert_allclose(tasks, by_label, err_msg=name)
        named = name in ("dict", "frame", "series")
        assert list(tasks.index) == (list(names) if named else [0, 1, 2]), name


def test_a_sample_may_belong_to_many_tasks(samples):
    X, y = samples
    membership = np.column_stack([y == "a", y != "c", np.ones(30, dtype=bool)])
    membership[29, 2] = False
    representation = GaussianRepresentation(shrinkage=0).fit(
        X, sparse.csr_array(membership)
    )
    assert list(representation.counts_) == [10, 20, 29]
    np.testing.assert_allclose(representation.means_[1], X[:20].mean(axis=0))
    np.testing.assert_allclose(representation.variances_[2], X[:29].var(axis=0, ddof=1))


@given(
    sizes=st.lists(st.integers(1, 12), min_size=1, max_size=6),
    offset=st.sampled_from([0.0, 1e6]),
    seed=st.integers(0, 1000),
)
def test_batches_give_the_moments_of_one_pass(sizes, offset, seed):
    rng = np.random.RandomState(seed)
    X = rng.normal(size=(sum(sizes), 3)) + offset
    y = rng.randint(3, size=len(X))
    whole = GaussianRepresentation(mean_shrinkage=1).fit(X, y)
    in_batches = GaussianRepresentation(mean_shrinkage=1)
    for part in np.split(np.arange(len(X)), np.cumsum(sizes)[:-1]):
        in_batches.partial_fit(X[part], y[part])
    order = np.argsort(in_batches.tasks_)
    assert list(in_batches.tasks_[order]) == list(whole.tasks_)
    np.testing.assert_array_equal(in_batches.counts_[order], whole.counts_)
    # Means near 0 of samples around 1 carry the rounding of the samples.
    np.testing.assert_allclose(
        in_batches.means_[order], whole.means_, rtol=1e-12, atol=1e-15
    )
    if (whole.counts_ > 1).any():
        np.testing.assert_allclose(
            in_batches.variances_[order], whole.variances_, rtol=1e-6, atol=1e-9
        )


def test_large_means_cost_the_variances_no_precision():
    rng = np.random.RandomState(0)
    X = rng.normal(size=(1000, 2)) + 1e8
    representation = GaussianRepresentation(shrinkage=0)
    for batch in np.split(X, 10):
        representation.partial_fit([batch])
    exact = (X - 1e8).var(axis=0, ddof=1)
    np.testing.assert_allclose(representation.variances_[0], exact, rtol=1e-6)


def test_tasks_appear_in_later_batches(samples):
    X, y = samples
    representation = GaussianRepresentation()
    representation.partial_fit(X[20:], y[20:]).partial_fit(X[:20], y[:20])
    assert list(representation.tasks_) == ["c", "a", "b"]
    expected = GaussianRepresentation().fit_transform(X, y)
    np.testing.assert_allclose(representation.to_frame().loc[expected.index], expected)


def test_fit_starts_anew(samples):
    X, y = samples
    representation = GaussianRepresentation().fit(X[:10], y[:10]).fit(X[10:], y[10:])
    assert list(representation.tasks_) == ["b", "c"]


def test_transform_shrinks_new_tasks_by_the_moments_of_fit(samples):
    X, y = samples
    representation = GaussianRepresentation(shrinkage=5, mean_shrinkage=2)
    fitted = representation.fit_transform(X, y)
    pd.testing.assert_frame_equal(representation.transform(X, y), fitted)
    alone = representation.transform({"new": X[:1]})
    np.testing.assert_allclose(alone.iloc[0, 4:], representation.pooled_variance_)
    np.testing.assert_allclose(
        alone.iloc[0, :4], (2 * representation.grand_mean_ + X[0]) / 3
    )
    assert list(representation.tasks_) == ["a", "b", "c"]


def test_feature_names(samples):
    X, y = samples
    frame = pd.DataFrame(X[:, :2], columns=["r", "s"])
    tasks = GaussianRepresentation().fit_transform(frame, y)
    assert list(tasks) == ["mean_r", "mean_s", "variance_r", "variance_s"]
    means = GaussianRepresentation(variance=False).fit(X, y)
    assert list(means.get_feature_names_out()) == [
        "mean_x0",
        "mean_x1",
        "mean_x2",
        "mean_x3",
    ]
    assert means.get_feature_names_out(list("pqrs"))[0] == "mean_p"


@pytest.mark.slow
def test_features_predict_the_digits_of_tasks():
    tasks = load_digits_tasks()
    images, labels = load_digits(return_X_y=True)
    memberships = tasks.classes[:, labels].T
    features = GaussianRepresentation().fit_transform(images, memberships)
    known = np.arange(120) < 80
    model = make_pipeline(StandardScaler(), Ridge(alpha=10))
    predicted = model.fit(features[known], tasks.classes[known]).predict(features[~known])
    assert ((predicted > 0.5) == tasks.classes[~known]).mean() > 0.9


@pytest.mark.parametrize("output", ["default", "pandas"])
def test_global_output_of_transformers_changes_nothing(samples, output):
    X, y = samples
    representation = GaussianRepresentation()
    expected = representation.fit_transform(X, y)
    with sklearn.config_context(transform_output=output):
        pd.testing.assert_frame_equal(clone(representation).fit_transform(X, y), expected)
        pd.testing.assert_frame_equal(representation.transform(X, y), expected)
        by_name = {name: X[y == name] for name in "abc"}
        pd.testing.assert_frame_equal(representation.transform(by_name), expected)


def test_clone_and_pickle(samples):
    X, y = samples
    representation = GaussianRepresentation(shrinkage=2.0).fit(X, y)
    copy = clone(representation)
    assert copy.get_params() == representation.get_params()
    assert not hasattr(copy, "tasks_")
    loaded = pickle.loads(pickle.dumps(representation))
    pd.testing.assert_frame_equal(loaded.to_frame(), representation.to_frame())


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (np.ones((3, 2)), None, "list or a dict .* got ndarray. .* give y"),
        ([np.ones(2), np.ones(2)], None, "shape \\(n_samples, n_features\\)"),
        ([np.ones((2, 2)), np.ones((2, 3))], None, "same features"),
        ([1, 2], None, "item 0 is a int"),
        ([], None, "no task"),
        ({"a": np.ones((0, 2)), "b": np.ones((2, 2))}, None, "without a sample: 'a'"),
        ({"a": np.ones((2, 2))}, ["a", "a"], "y can't be the task of each"),
        (np.ones((3, 2)), ["a", "b"], "each of the 3 samples.* 2 rows"),
        (np.ones((3, 2)), ["a", None, "b"], "missing at position 1"),
        (np.ones((3, 2)), np.full((3, 2), 0.5), "0 and 1 only"),
        (np.ones((3, 2)), np.full((3, 2), np.nan), "0 and 1 only"),
        (np.ones((3, 2)), np.eye(3)[:, :2] * [[1, 0]], "without a sample: 1"),
        (np.ones((3, 2)), np.ones((3, 2, 2)), "got shape \\(3, 2, 2\\)"),
        (np.full((3, 2), np.nan), [0, 0, 1], "NaN"),
    ],
)
def test_bad_input(X, y, message):
    representation = GaussianRepresentation()
    with pytest.raises(ValueError, match=message):
        representation.fit(X, y)
    assert not hasattr(representation, "tasks_")


def test_frames_of_tasks_have_the_same_columns():
    rng = np.random.RandomState(0)
    a = pd.DataFrame(rng.normal(size=(5, 2)), columns=["x", "y"])
    b = pd.DataFrame(rng.normal(size=(3, 2)), columns=["x", "y"])
    model = GaussianRepresentation(variance=False)
    tasks = model.fit_transform({"a": a, "b": b})
    np.testing.assert_allclose(tasks.loc["b"], b.mean())
    assert list(tasks.columns) == ["mean_x", "mean_y"]
    assert list(model.feature_names_in_) == ["x", "y"]
    for other in (b[["y", "x"]], b.to_numpy()):
        with pytest.raises(ValueError, match="same features in the same order"):
            model.fit({"a": a, "b": other})
    with pytest.raises(ValueError, match="feature names should match"):
        model.transform({"b": b.set_axis(["v", "w"], axis=1)})


def test_a_dict_leaves_y_to_the_next_step_of_a_pipeline():
    rng = np.random.RandomState(0)
    samples = {name: rng.normal(size=(6, 3)) for name in "abcd"}
    boxes = BoxRelationEmbedder(2, max_epochs=5, random_state=0)
    edges = [("a", "b"), ("c", "b")]
    model = make_pipeline(GaussianRepresentation(), boxes).fit(samples, edges)
    assert model[-1].tasks_.tolist() == list("abcd")
    assert model.predict_proba({"new": samples["a"] + 1}).shape == (1, 4)
    with pytest.raises(ValueError, match="give X as a dict"):
        make_pipeline(GaussianRepresentation(), boxes).fit(
            list(samples.values()), np.array([(0, 1), (2, 1)])
        )


def test_an_interrupted_batch_changes_nothing(samples, monkeypatch):
    X, labels = samples
    model = GaussianRepresentation().fit(X, labels)
    before = model.to_frame()

    def interrupted(self, *args):
        self.counts += 1
        raise KeyboardInterrupt

    monkeypatch.setattr(_gaussian._Moments, "add", interrupted)
    with pytest.raises(KeyboardInterrupt):
        model.partial_fit(X[:3], ["new", "new", labels[0]])
    monkeypatch.undo()
    pd.testing.assert_frame_equal(model.to_frame(), before)


def test_single_samples_need_shrinkage():
    groups = {"one": np.ones((1, 2)), "two": np.eye(2)}
    with pytest.raises(
        ValueError, match="single sample have no variance: 'one'.*shrinkage"
    ):
        GaussianRepresentation(shrinkage=0).fit_transform(groups)
    with pytest.raises(ValueError, match="No task has two samples.*variance=False"):
        GaussianRepresentation().fit_transform({"one": np.ones((1, 2))})
    means = GaussianRepresentation(variance=False).fit_transform(groups)
    np.testing.assert_allclose(means, [[1, 1], [0.5, 0.5]])


@pytest.mark.parametrize("wrap", [lambda X: X, lambda X: [X], lambda X: {"a": X}])
def test_sparse_samples_are_refused(wrap):
    with pytest.raises(TypeError, match="sparse.*toarray"):
        GaussianRepresentation().fit(wrap(sparse.csr_array(np.eye(3))))


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_a_fit_that_fails_changes_nothing(method):
    rng = np.random.RandomState(0)
    samples = pd.DataFrame(rng.normal(size=(6, 2)), columns=["a", "b"])
    labels = [0, 0, 0, 1, 1, 1]
    model = GaussianRepresentation().fit(samples, labels)
    before = model.transform(samples, labels)
    wrong = samples.set_axis(["c", "d"], axis=1)
    wrong.iloc[2, 1] = np.nan
    unnamed = [wrong.to_numpy()] if method == "fit" else []  # else a warning comes first
    for X in (wrong, *unnamed):
        with pytest.raises(ValueError, match="NaN|feature names should match"):
            getattr(model, method)(X, labels)
        assert list(model.feature_names_in_) == ["a", "b"]
        pd.testing.assert_frame_equal(model.transform(samples, labels), before)
    unfitted = GaussianRepresentation()
    with pytest.raises(ValueError, match="NaN"):
        getattr(unfitted, method)(wrong, labels)
    assert not hasattr(unfitted, "n_features_in_")


def test_unknown_pooled_variance_is_no_attribute():
    model = GaussianRepresentation(variance=False).fit(np.eye(3), [0, 1, 2])
    assert not hasattr(model, "pooled_variance_")
    assert "GaussianRepresentation" in model._repr_html_()
