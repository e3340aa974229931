"""fetch_hub_cards with made responses of the Hub's library: cards, lists, errors."""

import json
import sys

import numpy as np
import pandas as pd
import pytest

from sklearn_task2box.datasets import fetch_hub_cards
from sklearn_task2box.representations import DatasheetRepresentation

huggingface_hub = pytest.importorskip("huggingface_hub")

RESPONSES = {
    "ylecun/mnist": {
        "downloads": 70_000,
        "likes": 12,
        "description": "Digits",
        "cardData": {
            "pretty_name": "MNIST",
            "license": "mit",
            "language": ["en"],
            "size_categories": ["10K<n<100K"],
            "task_categories": ["image-classification"],
            "dataset_info": {
                "config_name": "mnist",
                "download_size": 18_157_506,
                "splits": [
                    {"name": "train", "num_examples": 60_000, "num_bytes": 1},
                    {"name": "test", "num_examples": 10_000, "num_bytes": 1},
                ],
            },
        },
    },
    "glue": {
        "downloads": 400_000,
        "likes": 400,
        "description": "Language",
        "cardData": {
            "license": ["other"],
            "language": {"mnli": ["en"], "ax": ["en", "de"]},
            "task_categories": ["text-classification"],
            "source_datasets": ["original", "extended|squad"],
            "dataset_info": [
                {"config_name": "ax", "splits": [{"name": "test", "num_examples": 1104}]},
                {
                    "config_name": "cola",
                    "download_size": 326_394,
                    "splits": [{"name": "train", "num_examples": 8551}],
                },
            ],
        },
    },
    "someone/bare": {"downloads": 3, "likes": 0},
}


@pytest.fixture
def hub(monkeypatch):
    """Responses in place of the Hub's, and a list of the requests."""
    requests = []

    def info(name):
        return huggingface_hub.hf_api.DatasetInfo(
            id=name, **json.loads(json.dumps(RESPONSES[name]))
        )

    def dataset_info(self, repo_id, *, expand, token=None):
        requests.append(repo_id)
        if repo_id == "nobody/nothing":
            raise missing()
        return info(repo_id)

    def list_datasets(self, *, sort, limit, filter, expand, token=None):
        requests.append((sort, limit, filter))
        names = sorted(RESPONSES, key=lambda name: -RESPONSES[name][sort])
        return (info(name) for name in names[:limit])

    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", dataset_info)
    monkeypatch.setattr(huggingface_hub.HfApi, "list_datasets", list_datasets)
    return requests


def missing():
    """The error of the Hub's library, without its constructor, which versions differ in."""
    error = huggingface_hub.utils.RepositoryNotFoundError
    return error.__new__(error, "404")


def test_cards(hub, tmp_path):
    cards = fetch_hub_cards(list(RESPONSES), data_home=tmp_path)
    data = cards.data
    assert list(data.index) == list(RESPONSES)
    assert data.shape == (3, 16)
    mnist, glue, bare = (data.loc[name] for name in RESPONSES)
    assert mnist["pretty_name"] == "MNIST"
    assert mnist["license"] == ["mit"]
    assert (mnist["n_configs"], mnist["n_examples"]) == (1, 70_000)
    assert mnist["download_size"] == 18_157_506
    assert glue["language"] == ["en", "de"]
    assert glue["source_datasets"] == ["original", "extended|squad"]
    assert (glue["n_configs"], glue["n_examples"]) == (2, 8551)
    assert bare["task_categories"] == []
    assert bare["downloads"] == 3
    assert pd.isna(bare[["pretty_name", "n_examples", "n_configs", "description"]]).all()
    assert "source_datasets" in cards.DESCR


def test_kept_cards_are_not_requested_again(hub, tmp_path):
    first = fetch_hub_cards(["glue", "ylecun/mnist"], data_home=tmp_path)
    assert hub == ["glue", "ylecun/mnist"]
    again = fetch_hub_cards(["ylecun/mnist", "someone/bare"], data_home=tmp_path)
    assert hub == ["glue", "ylecun/mnist", "someone/bare"]
    assert again.data.loc["ylecun/mnist"].equals(first.data.loc["ylecun/mnist"])
    offline = {"data_home": tmp_path, "download_if_missing": False}
    pd.testing.assert_frame_equal(
        fetch_hub_cards(["glue", "ylecun/mnist"], **offline).data, first.data
    )


@pytest.mark.parametrize("content", ['{"id": "glu', "[]", '{"id": "glue"}', "\x00"])
def test_error_of_a_damaged_file_shows_its_name(hub, tmp_path, content):
    fetch_hub_cards(["glue"], data_home=tmp_path)
    fetch_hub_cards(limit=2, data_home=tmp_path)
    (card,) = tmp_path.rglob("glue.json")
    (top,) = tmp_path.rglob("lists/*.json")
    for file, arguments in ((card, {"ids": ["glue"]}), (top, {"limit": 2})):
        before = file.read_text(encoding="utf-8")
        file.write_text(content if content != "[]" or file == card else "{}")
        with pytest.raises(OSError, match=f"{file.name} is not what was kept.*Delete it"):
            fetch_hub_cards(**arguments, data_home=tmp_path)
        file.write_text(before, encoding="utf-8")


def test_cards_of_the_top_of_the_list_come_with_it(hub, tmp_path):
    options = {"limit": 2, "filter": "language:en", "data_home": tmp_path}
    cards = fetch_hub_cards(**options)
    assert list(cards.data.index) == ["glue", "ylecun/mnist"]
    assert hub == [("downloads", 2, ["language:en"])]  # the cards came with the list
    assert list(fetch_hub_cards(**options).data.index) == ["glue", "ylecun/mnist"]
    assert len(hub) == 1
    fetch_hub_cards(limit=2, data_home=tmp_path)
    assert hub[1:] == [("downloads", 2, None)]


def test_lists_of_similar_filters_are_kept_apart(hub, tmp_path):
    for filter in ("c++", "c#", ["c", ""], [f"tag {i}" * 9 for i in range(20)]):
        for _ in range(2):
            fetch_hub_cards(limit=1, filter=filter, data_home=tmp_path)
    assert [tags for _, _, tags in hub][:3] == [["c++"], ["c#"], ["c", ""]]
    assert len(hub) == 4


def test_odd_fields_of_cards_are_read(hub, tmp_path, monkeypatch):
    info = {"dataset_info": ["default", {"splits": {"test": {"num_examples": 5}}}]}
    monkeypatch.setitem(RESPONSES, "odd", {"downloads": 1, "likes": 0, "cardData": info})
    odd = fetch_hub_cards("odd", data_home=tmp_path).data.loc["odd"]
    assert (odd["n_configs"], odd["n_examples"]) == (1, 5)


def test_cards_become_features(hub, tmp_path):
    cards = fetch_hub_cards(list(RESPONSES), data_home=tmp_path)
    features = DatasheetRepresentation(kinds={"description": "text"}).fit_transform(
        cards.data
    )
    assert features.loc["glue", "task_categories:text-classification"] == 1
    assert features.loc["someone/bare", "missing(n_examples)"] > 0
    assert "log10(downloads)" in features
    assert np.isfinite(features).all(axis=None)


def test_offline_error_shows_where_to_put_the_file(monkeypatch, tmp_path):
    def refuse(*_, **__):
        raise ConnectionError("no network")

    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", refuse)
    monkeypatch.setattr(huggingface_hub.HfApi, "list_datasets", refuse)
    with pytest.raises(OSError, match="no network.*put the file at .*ylecun--mnist.json"):
        fetch_hub_cards(["ylecun/mnist"], data_home=tmp_path)
    with pytest.raises(OSError, match="no network.*put the file at .*downloads-5-.*json"):
        fetch_hub_cards(limit=5, data_home=tmp_path)
    with pytest.raises(OSError, match="download_if_missing=False"):
        fetch_hub_cards(["glue"], data_home=tmp_path, download_if_missing=False)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_unknown_data_sets_are_refused(hub, tmp_path):
    with pytest.raises(ValueError, match="nobody/nothing is not on the Hub, or not public"):
        fetch_hub_cards(["nobody/nothing"], data_home=tmp_path)


def test_without_the_library_error_shows_how_to_install_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ImportError, match=r"pip install 'sklearn-task2box\[hub\]'"):
        fetch_hub_cards(["glue"], data_home=tmp_path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "either ids or limit"),
        ({"ids": ["glue"], "limit": 2}, "either ids or limit"),
        ({"ids": []}, "ids is empty"),
        ({"ids": ["glue", "glue"]}, "repeats"),
        ({"ids": ["../../secret"]}, "is no name of a data set"),
        ({"ids": [3]}, "3 is no name of a data set"),
        ({"limit": 0}, "'limit' parameter .* must be an int .* Got 0"),
        ({"limit": 2, "sort": "size"}, "'sort' parameter .* must be .* Got 'size'"),
    ],
)
def test_bad_input(hub, tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        fetch_hub_cards(**arguments, data_home=tmp_path)
    assert hub == []
