"""fetch_hub_cards with made responses of the Hub's library: cards, lists, errors."""

import errno
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

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
    with pytest.warns(UserWarning, match=r"1 of 1 cards .*: 'odd \(dataset_info\)'"):
        odd = fetch_hub_cards("odd", data_home=tmp_path).data.loc["odd"]
    assert (odd["n_configs"], odd["n_examples"]) == (1, 5)


NESTED = json.loads("[" * 50 + "]" * 50)
DEEP = []
for _ in range(900):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    ("card", "fields"),
    [
        ({"dataset_info": {"splits": 3}}, "dataset_info"),
        ({"dataset_info": 3}, "dataset_info"),
        ({"dataset_info": {"splits": [{"num_examples": 10**400}]}}, "dataset_info"),
        ({"dataset_info": {"splits": {"test": {"num_examples": True}}}}, "dataset_info"),
        ({"dataset_info": {"download_size": "1 GB"}}, "dataset_info"),
        ({"dataset_info": {"download_size": float("inf")}}, "dataset_info"),
        ({"dataset_info": {"download_size": -1}}, "dataset_info"),
        ({"pretty_name": ["a"], "tags": [{"a": 1}]}, "tags, pretty_name"),
        ({"language": {"default": {"a": "en"}}, "task_ids": 10**400}, "task_ids, language"),
        ({"license": [["mit"]], "tags": [True, float("nan")]}, "license, tags"),
        ({"tags": NESTED}, "tags"),
        ({"tags": DEEP}, "card"),
        (["license"], "card"),
    ],
)
def test_a_malformed_card_is_named_and_the_others_are_read(
    hub, tmp_path, monkeypatch, card, fields
):
    dataset_info = huggingface_hub.HfApi.dataset_info

    def with_odd(self, name, **options):
        if name != "org/odd":
            return dataset_info(self, name, **options)
        return huggingface_hub.hf_api.DatasetInfo(
            id=name, downloads=5, likes=1, cardData=card
        )

    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", with_odd)
    names = ["glue", "org/odd", "someone/bare"]
    expected = fetch_hub_cards(names[::2], data_home=tmp_path / "other").data
    for _ in range(2):  # as fetched, and as kept
        with pytest.warns(UserWarning, match=rf"1 of 3 cards .*'org/odd \({fields}\)'"):
            data = fetch_hub_cards(names, data_home=tmp_path).data
        pd.testing.assert_frame_equal(data.drop(index="org/odd"), expected)
        odd = data.loc["org/odd"]
        assert (odd["downloads"], odd["likes"]) == (5, 1)
        assert pd.isna(odd[["pretty_name", "n_examples", "download_size"]]).all()
        assert all(odd[name] == [] for name in ("language", "license", "tags", "task_ids"))


def test_the_file_of_the_hub_itself_is_read(tmp_path):
    """As the offline error advises, without a network."""
    answer = {
        "id": "org/name",
        "downloads": 5,
        "likes": 1,
        "description": "d",
        "tags": ["a"],
    }
    answer["cardData"] = {"license": "mit"}
    (tmp_path / "hub_cards").mkdir()
    file = tmp_path / "hub_cards" / "org--name.json"
    file.write_text(json.dumps(answer), encoding="utf-8")
    row = fetch_hub_cards(["org/name"], data_home=tmp_path).data.loc["org/name"]
    assert (row["license"], row["downloads"], row["description"]) == (["mit"], 5, "d")
    del answer["cardData"]  # a data set without a card
    file.write_text(json.dumps(answer), encoding="utf-8")
    row = fetch_hub_cards(["org/name"], data_home=tmp_path).data.loc["org/name"]
    assert (row["license"], row["likes"]) == ([], 1)


def test_a_full_disk_is_no_missing_network_and_leaves_no_files(hub, tmp_path, monkeypatch):
    write_text = Path.write_text

    def half(self, text, **options):
        write_text(self, text[: len(text) // 2], **options)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", half)
    for arguments in ({"ids": ["glue"]}, {"limit": 2}):
        with pytest.raises(
            OSError, match=r"No space left on device: .*glue\.json"
        ) as raised:
            fetch_hub_cards(**arguments, data_home=tmp_path)
        assert raised.value.errno == errno.ENOSPC
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_concurrent_fetches_do_not_meet(hub, tmp_path):
    for folder in range(5):
        data_home = tmp_path / str(folder)
        with ThreadPoolExecutor(8) as pool:
            fetch = partial(fetch_hub_cards, limit=3, data_home=data_home)
            found = [
                future.result().data for future in [pool.submit(fetch) for _ in range(8)]
            ]
        for data in found:
            pd.testing.assert_frame_equal(data, found[0])
        assert not list(data_home.rglob("*.partial"))


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
    with pytest.raises(
        OSError, match="no network.*datasets/ylecun/mnist, .*put.* at .*mnist.json"
    ):
        fetch_hub_cards(["ylecun/mnist"], data_home=tmp_path)
    with pytest.raises(
        OSError, match="no network.*JSON list of names.*put.* at .*downloads-5-"
    ):
        fetch_hub_cards(limit=5, data_home=tmp_path)
    with pytest.raises(OSError, match="False.* Get the JSON at .*/datasets/glue, and put"):
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
