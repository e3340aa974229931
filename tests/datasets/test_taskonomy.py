"""fetch_taskonomy, mostly on small files of the same make, and its unpickler."""

import hashlib
import io
import os
import pickle
import shutil

import numpy as np
import pandas as pd
import pytest

from sklearn_task2box import TaskRelations
from sklearn_task2box.datasets import _taskonomy, fetch_taskonomy
from sklearn_task2box.datasets._taskonomy import read_numbers

# From the sources "depth", "edges", "colour" to the targets "depth", "edges".
TRANSFERS = {
    "depth__depth": 0.5,
    "depth__edges": 0.02,
    "edges__depth": 0.1,
    "edges__edges": 0.9,
    "colour__depth": 0.05,
    "colour__edges": 0.04,
    "random__depth": 0.01,
    "random__edges": 0.01,
    "self__depth": 0.7,
    "self__edges": 0.8,
    "colour__edges__depth": 0.3,
}


def pickled(transfers):
    numbers = {key: np.float64(value) for key, value in transfers.items()}
    return pickle.dumps(numbers, protocol=3)


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A data home that has the small files, whose hashes are the expected ones."""
    content = pickled(TRANSFERS)
    sha256 = dict.fromkeys(_taskonomy.TRAINING_IMAGES, hashlib.sha256(content).hexdigest())
    monkeypatch.setattr(_taskonomy, "_SHA256", dict.fromkeys(_taskonomy.VALUES, sha256))
    for values in _taskonomy.VALUES:
        for images in _taskonomy.TRAINING_IMAGES:
            path = tmp_path / "taskonomy" / _taskonomy._path(values, images)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "path"),
    [
        (("affinity", "default"), "affinities/all_affinities.pkl"),
        (("affinity", "16k"), "affinities/all_affinities_16k.pkl"),
        (("wins_vs_task", "1k"), "winrates/wins_vs_task_1k.pkl"),
    ],
)
def test_paths_of_files(arguments, path):
    assert _taskonomy._path(*arguments) == path


def test_strengths_are_as_published(home):
    transfers = fetch_taskonomy(data_home=home)
    assert list(transfers.source) == ["colour", "depth", "edges", "random", "self"]
    assert list(transfers.target) == ["depth", "edges"]
    assert transfers.strengths.loc["edges", "depth"] == 0.1
    assert transfers.strengths.loc["self", "edges"] == 0.8
    assert transfers.higher_order.to_dict("records") == [
        {"sources": ("colour", "edges"), "target": "depth", "strength": 0.3}
    ]
    assert "Direction" in transfers.DESCR


def test_relations_are_target_inside_source(home):
    relations = fetch_taskonomy(data_home=home).relations
    assert list(relations.index) == list(relations.columns) == ["colour", "depth", "edges"]
    # Of the other sources of depth, edges is best: 0.1; of those of edges, colour: 0.04.
    assert relations.loc["depth", "edges"] == 1.0
    assert relations.loc["depth", "colour"] == pytest.approx(0.5)
    assert relations.loc["edges", "depth"] == pytest.approx(0.5)
    assert relations.loc["colour", ["depth", "edges"]].isna().all()  # is no target
    np.testing.assert_array_equal(np.diag(relations), 1)
    TaskRelations(relations)


def test_win_rates_are_as_published(home):
    transfers = fetch_taskonomy(values="wins_vs_pixels", data_home=home)
    assert transfers.relations.loc["depth", "edges"] == 0.1


def test_bad_parameters_are_refused(home):
    with pytest.raises(ValueError, match="'values' parameter .* must be .* Got 'wins'"):
        fetch_taskonomy(values="wins", data_home=home)
    with pytest.raises(
        ValueError, match="'training_images' parameter .* must be .* Got 16"
    ):
        fetch_taskonomy(training_images=16, data_home=home)


def test_a_file_of_other_content_is_not_read(home):
    path = home / "taskonomy" / "affinities" / "all_affinities.pkl"
    path.write_bytes(pickled({"a__b": 1.0}))
    with pytest.raises(OSError, match="SHA-256 must be"):
        fetch_taskonomy(data_home=home, download_if_missing=False)


# --------------------------------------------------------------------------------------
# The unpickler
# --------------------------------------------------------------------------------------
class Malicious:
    def __init__(self, call, *arguments):
        self.call, self.arguments = call, arguments

    def __reduce__(self):
        return self.call, self.arguments


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("call", [os.system, eval, getattr, np.load, np.array])
def test_malicious_pickles_are_refused(tmp_path, protocol, call):
    trace = tmp_path / "ran"
    content = {"a__b": Malicious(call, f"touch {trace}")}
    with pytest.raises(pickle.UnpicklingError, match="only numbers of NumPy are admitted"):
        read_numbers(io.BytesIO(pickle.dumps(content, protocol=protocol)))
    assert not trace.exists()


@pytest.mark.parametrize(
    "content",
    [
        {"a__b": np.ones(3)},
        {"a__b": np.dtype("f8")},
        {"a__b": np.str_("text")},
        {"a__b": np.complex128(1)},
        {"a__b": np.datetime64("2020-01-01")},
        {"a__b": "text"},
        {1: np.float64(1)},
        [np.float64(1)],
    ],
    ids=repr,
)
def test_other_values_than_numbers_are_refused(content):
    with pytest.raises(pickle.UnpicklingError):
        read_numbers(io.BytesIO(pickle.dumps(content)))


def test_malformed_numbers_are_refused():
    scalar, (dtype, content) = np.float64(1).__reduce__()
    for bad in ((dtype, content[:4]), (dtype, "text"), ("f8", content)):
        malformed = pickle.dumps({"a__b": Malicious(scalar, *bad)})
        with pytest.raises(pickle.UnpicklingError, match="number"):
            read_numbers(io.BytesIO(malformed))


@pytest.mark.parametrize("protocol", range(3, pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize(
    "number", [np.float64(0.25), np.float32(0.5), np.int64(-3), np.uint8(7), 2, 1.5]
)
def test_numbers_are_read(number, protocol):
    content = pickle.dumps({"a__b": number}, protocol=protocol)
    assert read_numbers(io.BytesIO(content)) == {"a__b": number}


def test_other_byte_orders_are_read():
    """A number whose bytes are in the other order, as its pickle states."""
    scalar, (_, content) = np.float64(0.25).__reduce__()
    other = np.dtype("f8").newbyteorder()
    swapped = pickle.dumps({"a__b": Malicious(scalar, other, content[::-1])})
    assert read_numbers(io.BytesIO(swapped)) == {"a__b": 0.25}


# --------------------------------------------------------------------------------------
# The public files
# --------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("values", "original", "table"),
    [
        ("affinity", "taskonomy_all_affinities.pkl", "taskonomy_affinity.csv"),
        ("wins_vs_pixels", "taskonomy_wins_vs_pixels.pkl", "taskonomy_wins_vs_pixels.csv"),
    ],
)
def test_published_files_are_read(shared_data, tmp_path, values, original, table):
    path = tmp_path / "taskonomy" / _taskonomy._path(values, "default")
    path.parent.mkdir(parents=True)
    shutil.copyfile(shared_data / "original" / original, path)
    transfers = fetch_taskonomy(
        values=values, data_home=tmp_path, download_if_missing=False
    )
    expected = pd.read_csv(shared_data / table, index_col="source")
    assert set(transfers.source) == set(expected.index)
    pd.testing.assert_frame_equal(
        transfers.strengths.loc[expected.index, expected.columns],
        expected,
        check_names=False,
        rtol=1e-8,
    )
    assert transfers.relations.shape == (25, 25)
    assert transfers.relations.isna().all(axis=1).sum() == 0
    assert (transfers.relations.isna().sum(axis=1) == 24).sum() == 3
    assert transfers.relations.max(axis=None) == 1
    if values == "affinity":
        several = transfers.higher_order.groupby("target")["strength"].sum()
        np.testing.assert_allclose(several + transfers.strengths[several.index].sum(), 1)
