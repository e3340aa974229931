"""DatasheetRepresentation: kinds, encodings, tables of all kinds, errors."""

import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn
from scipy import sparse
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_task2box.representations import DatasheetRepresentation


@parametrize_with_checks([DatasheetRepresentation()])
def test_sklearn_checks(estimator, check):
    check(estimator)


@pytest.fixture
def sheets():
    return pd.DataFrame(
        {
            "n_classes": [2, 10, 10, np.nan],
            "bytes": [1_000, 1_000_000, 100_000, 10_000],
            "license": ["mit", "cc", None, "mit"],
            "languages": ["en|de", "en", np.nan, "fr"],
            "modalities": [["text"], ["image", "text"], [], None],
            "public": [True, False, True, True],
        },
        index=["a", "b", "c", "d"],
    )


KINDS = {"n_classes": "number", "bytes": "size"}


def test_features_are_as_computed_by_hand(sheets):
    tasks = DatasheetRepresentation(kinds=KINDS).fit_transform(sheets)
    assert list(tasks.index) == list("abcd")
    assert list(tasks.columns) == [
        "n_classes",
        "missing(n_classes)",
        "log10(bytes)",
        "license=cc",
        "license=mit",
        "languages:de",
        "languages:en",
        "languages:fr",
        "modalities:image",
        "modalities:text",
        "public",
    ]
    np.testing.assert_array_equal(tasks["license=mit"], [1, 0, 0, 1])
    np.testing.assert_array_equal(tasks["license=cc"], [0, 1, 0, 0])
    np.testing.assert_array_equal(tasks["languages:en"], [1, 1, 0, 0])
    np.testing.assert_array_equal(tasks["modalities:text"], [1, 1, 0, 0])

    def standardised(values):
        values = np.asarray(values, dtype=float)
        return (values - values.mean()) / values.std()

    expected = {
        "n_classes": standardised([2, 10, 10, 10]),  # the median replaces the missing one
        "missing(n_classes)": standardised([0, 0, 0, 1]),
        "log10(bytes)": standardised(np.log10(1 + sheets["bytes"])),
        "public": standardised([1, 0, 1, 1]),
    }
    for name, values in expected.items():
        np.testing.assert_allclose(tasks[name], values, err_msg=name)


def test_dicts_and_frames_give_the_same_tasks(sheets):
    records = {
        name: {k: v for k, v in row.items() if isinstance(v, list) or not pd.isna(v)}
        for name, row in sheets.to_dict(orient="index").items()
    }
    expected = DatasheetRepresentation(kinds=KINDS).fit_transform(sheets)
    tasks = DatasheetRepresentation(kinds=KINDS).fit_transform(records)
    pd.testing.assert_frame_equal(tasks[expected.columns], expected)
    unnamed = DatasheetRepresentation(kinds=KINDS).fit_transform(list(records.values()))
    assert list(unnamed.index) == [0, 1, 2, 3]
    np.testing.assert_array_equal(unnamed[expected.columns], expected)


def test_unseen_values_and_missing_fields_are_zero(sheets):
    representation = DatasheetRepresentation(kinds=KINDS).fit(sheets)
    new = representation.transform(
        {"e": {"license": "gpl", "languages": "en|xx", "bytes": 999, "surprise": 1}}
    ).loc["e"]
    assert (new[["license=mit", "license=cc", "languages:de"]] == 0).all()
    assert new["languages:en"] == 1
    assert new["missing(n_classes)"] > 1
    sizes = np.log10(1 + sheets["bytes"])
    assert new["log10(bytes)"] == pytest.approx((3 - sizes.mean()) / sizes.std(ddof=0))


def test_roles_are_inferred():
    n = 60
    sheets = pd.DataFrame(
        {
            "id": [f"data set {i}" for i in range(n)],
            "summary": [f"Has {i} rows | and {i + 1} columns of {i * 7}" for i in range(n)],
            "shape": np.linspace(-1, 1, n),
            "classes": np.arange(n) + 2,
            "rows": 10.0 ** (np.arange(n) % 6),
            "license": ["mit", "cc", "gpl"] * 20,
            "tags": ["x|y", "y", "z"] * 20,
            "lists": [["x"], ["y", "z"], []] * 20,
            "old": [True, False] * 30,
            "nothing": [None] * n,
        }
    )
    assert DatasheetRepresentation().fit(sheets).kinds_ == {
        "id": "text",
        "summary": "text",
        "shape": "number",
        "classes": "number",
        "rows": "size",
        "license": "category",
        "tags": "tags",
        "lists": "tags",
        "old": "number",
        "nothing": "text",
    }


def test_roles_and_separator_can_be_given():
    sheets = pd.DataFrame(
        {"codes": [1, 2, 1], "tags": ["x;y", "y; z", "x"], "id": list("abc")}
    )
    representation = DatasheetRepresentation(
        kinds={"codes": "category", "id": "text"}, separator=";"
    )
    names = list(representation.fit_transform(sheets))
    assert names == ["codes=1", "codes=2", "tags:x", "tags:y", "tags:z"]


def test_rare_values_are_left_out(sheets):
    frequent = DatasheetRepresentation(min_frequency=2).fit_transform(sheets)
    assert [name for name in frequent if "=" in name or ":" in name] == [
        "license=mit",
        "languages:en",
        "modalities:text",
    ]


def test_odd_names_stay_apart():
    sheets = pd.DataFrame({"a__b": ["x", "y"], "a_b": ["x", "y"], "a": [["b=x"], ["z"]]})
    tasks = DatasheetRepresentation().fit_transform(sheets)
    assert list(tasks) == ["a__b=x", "a__b=y", "a_b=x", "a_b=y", "a:b=x", "a:z"]


def test_upper_case_and_blanks_in_tags():
    tasks = DatasheetRepresentation().fit_transform(
        {"a": {"t": "1K<n<10K|Image net"}, "b": {"t": "n<1K"}}
    )
    assert list(tasks) == ["t:1K<n<10K", "t:Image net", "t:n<1K"]
    np.testing.assert_array_equal(tasks, [[1, 1, 0], [0, 0, 1]])


def test_pandas_own_types(sheets):
    typed = sheets.assign(
        n_classes=sheets["n_classes"].astype("Int64"),
        license=sheets["license"].astype("category"),
        languages=sheets["languages"].astype("string"),
        public=sheets["public"].astype("boolean"),
    )
    pd.testing.assert_frame_equal(
        DatasheetRepresentation(kinds=KINDS).fit_transform(typed),
        DatasheetRepresentation(kinds=KINDS).fit_transform(sheets),
    )


@pytest.mark.parametrize("index", [[0, 1, 2], [2, 1, 0]])
def test_columns_that_are_numbers_are_not_positions(index):
    values = [["some text", "mit", 1.0], ["more", "bsd", 2.0], ["texts", "mit", 5.0]]
    tasks = DatasheetRepresentation(kinds={index[0]: "text"}).fit_transform(
        pd.DataFrame(values, columns=index)
    )
    assert list(tasks) == ["x1=bsd", "x1=mit", "x2"]
    np.testing.assert_array_equal(tasks["x1=mit"], [1, 0, 1])
    assert tasks["x2"].is_monotonic_increasing


def test_categorical_columns_are_read_row_by_row():
    tags = ["a|b", None, "b|c", "d", "b"]
    licenses = ["mit", "mit", "other", "mit", "other"]
    plain = pd.DataFrame({"t": tags, "l": licenses})
    typed = plain.astype("category")
    pd.testing.assert_frame_equal(
        DatasheetRepresentation().fit_transform(typed),
        DatasheetRepresentation().fit_transform(plain),
    )


def test_a_missing_value_does_not_rename_the_categories_that_are_numbers():
    representation = DatasheetRepresentation(kinds={"year": "category"})
    whole = pd.DataFrame({"year": [2020, 2021]})
    some = pd.DataFrame({"year": [2020, 2021, np.nan]})
    for first, second in [(whole, some), (some, whole)]:
        tasks = representation.fit(first).transform(second)
        assert list(tasks) == ["year=2020", "year=2021"]
        np.testing.assert_array_equal(tasks[:2], np.eye(2))
    cards = {"a": {"year": 2020, "v": 1.5}, "b": {"year": 2021}, "c": {}}
    representation = DatasheetRepresentation(kinds={"year": "category", "v": "category"})
    tasks = representation.fit(cards).transform({"a": {"year": 2020, "v": 1.5}})
    assert tasks.loc["a"].to_dict() == {"year=2020": 1, "year=2021": 0, "v=1.5": 1}


def test_lists_of_lists_keep_their_types():
    table = [[1, "mit"], [2, np.nan], [3, "mit"]]
    pd.testing.assert_frame_equal(
        DatasheetRepresentation().fit_transform(table),
        DatasheetRepresentation().fit_transform(np.array(table, dtype=object)),
    )
    assert list(DatasheetRepresentation().fit_transform(table)) == ["x0", "x1=mit"]


DICT = {"config_name": "default", "data_files": "a.csv"}


@pytest.mark.parametrize(
    "fields",
    [
        [[DICT], [DICT]],
        [[DICT], {"download_size": 10}],
        [{"download_size": 10}, ["a"]],
        [["a", DICT], ["b"]],
        [[["a"]], ["b"]],
        ["a", pd.Series(["b"])],
    ],
)
def test_nested_fields_are_refused_and_make_no_tags(fields):
    cards = {f"card {i}": {"v": i, "configs": field} for i, field in enumerate(fields)}
    with pytest.raises(ValueError, match="'configs' holds .* type '(dict|list|Series)'"):
        DatasheetRepresentation().fit(cards)
    for kind in ("tags", "category"):
        message = f"'configs' is of the kind '{kind}', .* 'card .' is not: it h(as|olds)"
        with pytest.raises(ValueError, match=message):
            DatasheetRepresentation(kinds={"configs": kind}).fit(cards)
    left_out = DatasheetRepresentation(kinds={"configs": "text"}).fit_transform(cards)
    assert list(left_out) == ["v"]


def test_a_field_may_be_a_value_or_a_list_of_it():
    alone = {"a": {"l": "mit", "n": 1}, "b": {"l": "cc", "n": 3}, "c": {"l": "cc", "n": 2}}
    representation = DatasheetRepresentation()
    tasks = representation.fit_transform(alone)
    listed = {name: {k: [v] for k, v in card.items()} for name, card in alone.items()}
    pd.testing.assert_frame_equal(representation.transform(listed), tasks)
    mixed = {"a": {"l": ["mit"]}, "b": {"l": "cc"}, "c": {"l": ("cc", "mit")}}
    tasks = DatasheetRepresentation().fit_transform(mixed)
    assert list(tasks) == ["l:cc", "l:mit"]
    np.testing.assert_array_equal(tasks, [[0, 1], [1, 0], [1, 1]])


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("license", ["mit", "cc"], "'license' .* kind 'category'.*'new'.* 2 values"),
        ("license", {"name": "mit"}, "'license' .* kind 'category'.*'new'.* a dict"),
        ("tags", [{"name": "x"}], "'tags' is of the kind 'tags'.*'new'.* a dict"),
        ("n", "many", "'n' is of the kind 'number'.*'new'.*'many'"),
        ("n", [1, 2], "'n' is of the kind 'number'.*'new'.*2 values"),
        ("n", {"rows": 2}, "'n' is of the kind 'number'.*'new'.*dict"),
        ("n", 10**400, "'n' is of the kind 'number'.*'new'.*too large"),
    ],
)
def test_a_field_of_another_type_than_in_fit_is_refused_by_name(field, value, message):
    fitted = DatasheetRepresentation().fit(
        [{"license": "mit", "tags": ["x"], "n": 1}, {"license": "cc", "tags": [], "n": 2}]
    )
    assert fitted.kinds_ == {"license": "category", "tags": "tags", "n": "number"}
    with pytest.raises(ValueError, match=f"{message}.*kinds={{'{field}': 'text'}}"):
        fitted.transform({"old": {"license": "cc"}, "new": {field: value}})


def test_whole_numbers_of_any_size_keep_their_digits():
    cards = [{"id": 2**53 + 1}, {"id": 2**53}, {"id": 10**400}, {"other": 0.5}]
    tasks = DatasheetRepresentation(kinds={"id": "category"}).fit_transform(cards)
    assert set(tasks) >= {f"id={2**53}", f"id={2**53 + 1}", f"id={10**400}"}
    with pytest.raises(ValueError, match="'id' is of the kind 'number'.*task 2 .*large"):
        DatasheetRepresentation().fit(cards)


def test_clone_and_pickle(sheets):
    representation = DatasheetRepresentation(kinds=KINDS)
    tasks = representation.fit_transform(sheets)
    assert clone(representation).get_params() == representation.get_params()
    loaded = pickle.loads(pickle.dumps(representation))
    pd.testing.assert_frame_equal(loaded.transform(sheets), tasks)


def test_global_output_of_transformers_changes_nothing(sheets):
    expected = DatasheetRepresentation(kinds=KINDS).fit_transform(sheets)
    with sklearn.config_context(transform_output="pandas"):
        representation = DatasheetRepresentation(kinds=KINDS)
        pd.testing.assert_frame_equal(representation.fit_transform(sheets), expected)
    pd.testing.assert_frame_equal(representation.transform(sheets), expected)


@pytest.mark.parametrize(
    ("X", "options", "message"),
    [
        ({}, {}, "no task"),
        ({"a": 3}, {}, "a dict of fields for each"),
        (pd.DataFrame(), {}, "no task or no column"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), {}, "different names"),
        (pd.DataFrame({"a": [1]}, index=[None]), {}, "missing names"),
        (pd.DataFrame({"a": [1, 2]}, index=["t", "t"]), {}, "repeats 't'"),
        (
            [{"a": 1}],
            {"kinds": {"b": "size"}},
            "kinds names 'b', but the columns of X are 'a'",
        ),
        ([{"a": 1}], {"kinds": {"a": "magnitude"}}, "A kind is one of .* got 'magnitude'"),
        ([{"a": -1}], {"kinds": {"a": "size"}}, "negative value -1.*'number'"),
        ([{"a": "x"}], {"kinds": {"a": "number"}}, "'a' is of the kind 'number'"),
        ([{"a": np.inf}], {}, "'a' contains infinity"),
        ([{"a": pd.Timestamp(0)}], {}, "'a' holds values of the type 'Timestamp'.*'text'"),
        ([{"a": {"b": 1}}], {}, "'a' holds values of the type 'dict'"),
        ([{"a": None}], {}, "No column is left as a feature"),
        ([{"a": 1}], {"min_frequency": 0}, "'min_frequency' parameter"),
    ],
)
def test_bad_input(X, options, message):
    representation = DatasheetRepresentation(**options)
    with pytest.raises(ValueError, match=message):
        representation.fit(X)
    assert not hasattr(representation, "n_features_in_")


def test_other_columns_are_refused(sheets):
    representation = DatasheetRepresentation(kinds=KINDS).fit(sheets)
    with pytest.raises(ValueError, match="feature names should match"):
        representation.transform(sheets.rename(columns={"license": "licence"}))
    with pytest.raises(TypeError, match=r"[Ss]parse"):
        representation.fit(sparse.csr_array(np.eye(3)))


@pytest.fixture
def cards(shared_data):
    return pd.read_csv(shared_data / "hf_datasets_2022.csv.gz", index_col="id")


def test_cards_of_the_hub_become_features(cards):
    representation = DatasheetRepresentation()
    tasks = representation.fit_transform(cards)
    assert len(tasks) == 771
    assert np.isfinite(tasks).all(axis=None)
    assert representation.kinds_["license"] == "tags"
    assert representation.kinds_["download_size"] == "size"
    assert representation.kinds_["summary"] == "text"
    assert tasks.loc["imagenet-1k", "task_categories:image-classification"] == 1


@pytest.mark.slow
def test_other_fields_of_cards_predict_the_task_category(cards):
    target = cards["task_categories"].str.contains("text-classification", na=False)
    others = cards.drop(columns=["task_categories", "task_ids"])
    model = make_pipeline(
        DatasheetRepresentation(min_frequency=5), LogisticRegression(max_iter=1000)
    )
    auc = cross_val_score(model, others, target, scoring="roc_auc", cv=3)
    assert auc.mean() > 0.75
