"""load_digits_tasks: tasks, features, relations, reproducibility, parameters."""

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_task2box.datasets import load_digits_tasks


@pytest.fixture(scope="module")
def tasks():
    return load_digits_tasks()


def same_digits(tasks):
    """Pairs of different tasks with equal sets of digits."""
    equal = (tasks.classes[:, None] == tasks.classes[None]).all(axis=2)
    return np.argwhere(np.triu(equal, k=1))


@pytest.mark.parametrize(
    ("n_tasks", "n_components"), [(120, 16), (20, 1), (47, 5), (300, 60), (np.int64(30), 2)]
)
def test_shapes(n_tasks, n_components):
    tasks = load_digits_tasks(n_tasks=n_tasks, n_components=n_components)
    assert tasks.data.shape == (n_tasks, 2 * n_components)
    assert tasks.data.dtype == np.float64
    assert np.isfinite(tasks.data).all()
    assert tasks.relations.shape == (n_tasks, n_tasks)
    assert tasks.classes.shape == (n_tasks, 10)
    assert tasks.classes.dtype == bool
    assert tasks.task_names.shape == (n_tasks,)
    assert len(set(tasks.task_names)) == n_tasks
    assert tasks.n_images.shape == (n_tasks,)
    assert len(tasks.feature_names) == 2 * n_components
    assert tasks.feature_names[0] == "mean_pca0"
    assert tasks.feature_names[-1] == f"variance_pca{n_components - 1}"


def test_same_seed_gives_the_same_tasks():
    first, second = load_digits_tasks(random_state=3), load_digits_tasks(random_state=3)
    np.testing.assert_array_equal(first.task_names, second.task_names)
    np.testing.assert_array_equal(first.relations, second.relations)
    np.testing.assert_array_equal(first.n_images, second.n_images)
    np.testing.assert_allclose(first.data, second.data, rtol=0, atol=1e-10)
    third = load_digits_tasks(random_state=np.random.RandomState(3))
    np.testing.assert_array_equal(first.task_names, third.task_names)


@pytest.mark.parametrize("random_state", [1, None])
def test_other_seed_gives_other_tasks(tasks, random_state):
    other = load_digits_tasks(random_state=random_state)
    assert set(other.task_names) != set(tasks.task_names)
    row, other_row = (list(t.task_names).index("all") for t in (tasks, other))
    assert not np.allclose(tasks.data[row], other.data[other_row])


def test_components_do_not_change_the_tasks(tasks):
    fewer = load_digits_tasks(n_components=4)
    np.testing.assert_array_equal(fewer.task_names, tasks.task_names)
    np.testing.assert_array_equal(fewer.n_images, tasks.n_images)
    kept = [tasks.feature_names.index(name) for name in fewer.feature_names]
    np.testing.assert_allclose(fewer.data, tasks.data[:, kept], rtol=0, atol=1e-10)


@pytest.mark.parametrize("random_state", [0, None])
def test_global_random_state_is_untouched(random_state):
    before = np.random.get_state()
    load_digits_tasks(random_state=random_state)
    after = np.random.get_state()
    np.testing.assert_array_equal(before[1], after[1])
    assert before[2:] == after[2:]


def test_relations_are_shares_of_digits(tasks):
    sets = [set(np.flatnonzero(row)) for row in tasks.classes]
    expected = [[len(a & b) / len(a) for b in sets] for a in sets]
    np.testing.assert_array_equal(tasks.relations, expected)
    inside = [[a <= b for b in sets] for a in sets]
    np.testing.assert_array_equal(tasks.relations == 1, inside)
    assert (np.diag(tasks.relations) == 1).all()
    assert not np.array_equal(tasks.relations, tasks.relations.T)


@pytest.mark.parametrize(("n_tasks", "random_state"), [(20, 0), (120, 1), (300, 0)])
def test_named_sets_are_present(n_tasks, random_state):
    tasks = load_digits_tasks(n_tasks=n_tasks, n_components=1, random_state=random_state)
    expected = {f"digit {digit}": [digit] for digit in range(10)} | {
        "all": range(10),
        "even": [0, 2, 4, 6, 8],
        "odd": [1, 3, 5, 7, 9],
        "primes": [2, 3, 5, 7],
        "small": [0, 1, 2, 3, 4],
        "large": [5, 6, 7, 8, 9],
    }
    names = list(tasks.task_names)
    for name, digits in expected.items():
        row = tasks.classes[names.index(name)]
        assert list(np.flatnonzero(row)) == list(digits)


def test_names_list_the_digits(tasks):
    drawn = [name for name in tasks.task_names if name.startswith("digit")]
    assert len(drawn) > 90
    for name, row in zip(tasks.task_names, tasks.classes, strict=True):
        if name.startswith("digit"):
            digits = name.split()[1].split(",")
            assert list(map(int, digits)) == list(np.flatnonzero(row))


def test_all_numbers_of_digits_are_there(tasks):
    sizes = np.bincount(tasks.classes.sum(axis=1), minlength=11)
    assert sizes[0] == 0
    assert (sizes[1:] > 0).all()


def test_number_of_images(tasks):
    per_digit = tasks.n_images / tasks.classes.sum(axis=1)
    assert (per_digit >= 52).all()
    assert (per_digit <= 110).all()
    assert np.issubdtype(tasks.n_images.dtype, np.integer)


def test_repeated_sets_have_other_features(tasks):
    pairs = same_digits(tasks)
    assert len(pairs) == 12
    for i, j in pairs:
        assert tasks.relations[i, j] == tasks.relations[j, i] == 1
        names = sorted(tasks.task_names[[i, j]])
        assert names[1] == f"{names[0]} (b)"
        assert np.abs(tasks.data[i] - tasks.data[j]).max() > 1e-3


def test_features_are_moments_of_a_whitened_embedding(tasks):
    means, variances = np.hsplit(tasks.data, 2)
    assert (variances > 0).all()
    row = list(tasks.task_names).index("all")
    np.testing.assert_allclose(means[row], 0, atol=0.25)
    np.testing.assert_allclose(variances[row], 1, atol=0.25)


def test_as_frame(tasks):
    framed = load_digits_tasks(as_frame=True)
    assert isinstance(framed.data, pd.DataFrame)
    assert isinstance(framed.relations, pd.DataFrame)
    assert list(framed.data.index) == list(tasks.task_names)
    assert list(framed.data.columns) == tasks.feature_names
    assert list(framed.relations.index) == list(tasks.task_names)
    assert list(framed.relations.columns) == list(tasks.task_names)
    np.testing.assert_allclose(framed.data, tasks.data, rtol=0, atol=1e-10)
    np.testing.assert_array_equal(framed.relations, tasks.relations)
    assert framed.relations.loc["digit 2", "even"] == 1
    assert framed.relations.loc["even", "digit 2"] == 1 / 5
    assert framed.relations.loc["digit 3", "even"] == 0
    assert framed.relations.loc["primes", "small"] == 2 / 4


@pytest.mark.parametrize(("as_frame", "kind"), [(False, np.ndarray), (True, pd.DataFrame)])
def test_return_X_y(tasks, as_frame, kind):
    data, relations = load_digits_tasks(return_X_y=True, as_frame=as_frame)
    assert isinstance(data, kind)
    assert isinstance(relations, kind)
    np.testing.assert_allclose(data, tasks.data, rtol=0, atol=1e-10)
    np.testing.assert_array_equal(relations, tasks.relations)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("n_tasks", value) for value in (19, 301, 50.0, "50", None)),
        *(("n_components", value) for value in (0, -1, 61, 2.0, "2", None)),
        *(("as_frame", value) for value in (1, "True", None)),
        *(("return_X_y", value) for value in (1, "True", None)),
        ("random_state", "zero"),
    ],
)
def test_bad_parameters_are_refused(name, value):
    message = f"The '{name}' parameter of load_digits_tasks must be .* Got {value!r}"
    with pytest.raises(ValueError, match=message):
        load_digits_tasks(**{name: value})


def test_global_output_of_transformers_changes_nothing(tasks):
    with sklearn.config_context(transform_output="pandas"):
        other = load_digits_tasks()
    np.testing.assert_allclose(other.data, tasks.data, rtol=0, atol=1e-10)


def test_description(tasks):
    text = " ".join(tasks.DESCR.split())
    assert "The direction is from the member to the container" in text
    assert "share of the digits of task i which task j has too" in text
    n_tasks = len(tasks.data)
    n_inside = int((tasks.relations == 1).sum()) - n_tasks
    n_pairs = n_tasks * (n_tasks - 1)
    assert f"{n_inside} of the {n_pairs} ordered pairs" in text


@pytest.mark.slow
def test_features_predict_containment_between_unseen_tasks(tasks):
    parts = np.split(np.random.RandomState(0).permutation(120), [84])
    features, containment = [], []
    for part in parts:
        i, j = (side.ravel() for side in np.meshgrid(part, part, indexing="ij"))
        one, other = tasks.data[i], tasks.data[j]
        features.append(np.hstack([one, other, one * other, (one - other) ** 2]))
        containment.append(tasks.relations[i, j] == 1)
    apart = [i != j for i, j in [np.indices((len(part), len(part))) for part in parts]]
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    model.fit(features[0][apart[0].ravel()], containment[0][apart[0].ravel()])
    scores = model.decision_function(features[1]).reshape(apart[1].shape)
    inside = containment[1].reshape(apart[1].shape)
    # A classifier without information has the share of containments as its precision.
    assert inside[apart[1]].mean() < 0.2
    assert average_precision_score(inside[apart[1]], scores[apart[1]]) > 0.7
    one_way = inside & ~inside.T
    assert (scores > scores.T)[one_way].mean() > 0.9
