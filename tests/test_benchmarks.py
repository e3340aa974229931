"""The benchmarks: data, splits, scores, the runner, its tables and the quick table."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks import data as benchmark_data
from benchmarks import methods, quick_table, relations, speed, tables
from benchmarks.data import CONFIG_COLUMNS, DATA, RelationData, collapse, load
from benchmarks.protocols import PROTOCOLS, divide, split, thin
from sklearn_task2box import BoxRelationEmbedder, DistilledBoxEmbedder
from sklearn_task2box.models import GeometryModel, PopularityModel, SimilarityModel


def _large(name, *values):
    """A parameter; of data that take seconds to load, one of a slow test."""
    slow = [pytest.mark.slow] if name in ("lvis", "imagenet", "minilm1182") else []
    return pytest.param(name, *values, marks=slow)


SEEDED = [protocol for protocol in PROTOCOLS if protocol != "fixed"]


def make_data(n=40, seed=0, graded=False, mask=None):
    """Relations with a hole: some pairs are no part of the data."""
    rng = np.random.RandomState(seed)
    strengths = (rng.uniform(size=(n, n)) < 0.1).astype(float)
    if graded:
        strengths *= rng.uniform(size=(n, n))
    strengths[rng.uniform(size=(n, n)) < 0.05] = np.nan
    np.fill_diagonal(strengths, np.nan)
    X = pd.DataFrame(rng.normal(size=(n, 3)), index=[f"task {i}" for i in range(n)])
    X.columns = ["a", "b", "c"]
    return RelationData("made", X, strengths, graded, mask=mask)


def keys(pairs, n):
    return set((pairs[:, 0] * n + pairs[:, 1]).tolist())


def pairs_of(parts, n):
    """The ordered pairs of training, of validation, and of the tests together."""
    train = np.argwhere(~np.isnan(parts.train))
    tests = np.concatenate([pairs for pairs, _ in parts.tests.values()])
    return tuple(keys(p, n) for p in (parts.known[train], parts.validation[0], tests))


# --------------------------------------------------------------------------------------
# Splits
# --------------------------------------------------------------------------------------
@pytest.mark.parametrize("protocol", SEEDED)
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("graded", [False, True])
def test_a_split_shares_no_ordered_pair(protocol, seed, graded):
    data = make_data(graded=graded)
    n = data.n_tasks
    parts = split(data, protocol, seed)
    train, validation, test = pairs_of(parts, n)
    assert min(map(len, (train, validation, test))) > 0
    assert not train & validation
    assert not train & test
    assert not validation & test
    # Every pair of the data is in one of them, and no other is.
    every = keys(np.argwhere(~np.isnan(data.strengths)), n)
    assert train | validation | test == every
    # No test part repeats a pair, and strengths are those of the data.
    assert sum(len(pairs) for pairs, _ in parts.tests.values()) == len(test)
    for pairs, strengths in [parts.validation, *parts.tests.values()]:
        np.testing.assert_array_equal(strengths, data.strengths[tuple(pairs.T)])
    seen = ~np.isnan(parts.train)
    among = data.strengths[np.ix_(parts.known, parts.known)]
    np.testing.assert_array_equal(parts.train[seen], among[seen])


def test_novel_tasks_appear_nowhere_in_training():
    data = make_data()
    for seed in range(5):
        parts = split(data, "novel", seed)
        novel = np.setdiff1d(np.arange(40), parts.known)
        assert len(novel) == 8
        assert parts.train.shape == (32, 32)
        known = parts.known_features(data.X)
        assert not set(known.index) & set(data.X.index[novel])
        assert list(known.index) == [f"task {i}" for i in parts.known]
        assert not np.isin(parts.validation[0], novel).any()
        ends = {
            part: np.isin(pairs, novel).mean(axis=0).tolist()
            for part, (pairs, _) in parts.tests.items()
        }
        assert ends == {
            "novel_to_known": [1, 0],
            "known_to_novel": [0, 1],
            "novel_to_novel": [1, 1],
        }


@pytest.mark.parametrize("protocol", SEEDED)
def test_a_seed_says_what_the_split_is(protocol):
    data = make_data()
    one, same, other = (split(data, protocol, seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one.train, same.train)
    np.testing.assert_array_equal(one.known, same.known)
    np.testing.assert_array_equal(one.validation[0], same.validation[0])
    for part in one.tests:
        np.testing.assert_array_equal(one.tests[part][0], same.tests[part][0])
    assert pairs_of(one, 40)[0] != pairs_of(other, 40)[0]


def test_splitting_leaves_the_global_random_state_alone():
    np.random.seed(0)
    before = np.random.get_state()[1].copy()
    split(make_data(), "novel", 1)
    np.testing.assert_array_equal(np.random.get_state()[1], before)


def test_the_reverse_of_a_held_out_pair_is_not_scored_in_its_place():
    data = make_data()
    parts = split(data, "unseen", 0)
    pairs, strengths = parts.tests["test"]
    reverse = parts.train[pairs[:, 1], pairs[:, 0]]
    assert (~np.isnan(reverse)).mean() > 0.5  # allowed
    assert np.isnan(parts.train[pairs[:, 0], pairs[:, 1]]).all()
    differ = ~np.isnan(reverse) & (reverse != strengths)
    assert differ.any()
    np.testing.assert_array_equal(
        strengths[differ], data.strengths[pairs[differ, 0], pairs[differ, 1]]
    )


@pytest.mark.parametrize(
    ("protocol", "share", "validation"),
    [("unseen", 0.8, 0.1), ("few20", 0.18, 0.02), ("few05", 0.045, 0.005)],
)
def test_shares_of_related_and_of_unrelated_pairs(protocol, share, validation):
    data = make_data(n=120)
    parts = split(data, protocol, 0)
    for related in (True, False):
        n_all = (data.strengths > 0 if related else data.strengths == 0).sum()
        n_train = (parts.train > 0 if related else parts.train == 0).sum()
        assert n_train / n_all == pytest.approx(share, abs=0.002)
        n_chosen = ((parts.validation[1] > 0) == related).sum()
        assert n_chosen / n_all == pytest.approx(validation, abs=0.002)


def test_small_shares_are_not_rounded_to_nothing():
    pairs = np.column_stack([np.arange(23), np.arange(23) + 1])
    strengths = np.repeat([1.0, 0], [3, 20])
    parts = divide(pairs, strengths, (0.045, 0.005, 0.95), np.random.RandomState(0))
    assert [(values > 0).sum() for _, values in parts] == [1, 1, 1]
    assert [(values == 0).sum() for _, values in parts] == [1, 1, 18]


def test_many_test_pairs_are_thinned_at_their_base_rate():
    rng = np.random.RandomState(0)
    pairs, strengths = np.argwhere(np.ones((100, 50))), (rng.uniform(size=5000) < 0.1) * 1.0
    few, values = thin(pairs, strengths, 500, np.random.RandomState(1))
    assert len(few) == 500
    assert values.mean() == pytest.approx(strengths.mean(), abs=0.001)
    assert len(keys(few, 50)) == 500
    assert thin(pairs, strengths, 5000, None)[0] is pairs
    data = make_data()
    parts = split(data, "few05", 0, max_test=100)
    assert len(parts.tests["test"][0]) == 100
    assert not pairs_of(parts, 40)[2] & pairs_of(parts, 40)[0]


def test_a_split_that_came_with_the_data():
    mask = np.random.RandomState(1).choice(3, size=(40, 40), p=[0.8, 0.1, 0.1])
    data = make_data(mask=mask)
    parts = split(data, "fixed")
    assert (mask[tuple(parts.tests["test"][0].T)] == 2).all()
    assert (mask[tuple(parts.validation[0].T)] == 1).all()
    np.testing.assert_array_equal(
        ~np.isnan(parts.train), (mask == 0) & ~np.isnan(data.strengths)
    )
    with pytest.raises(ValueError, match="made came without a split"):
        split(make_data(), "fixed")
    with pytest.raises(ValueError, match="'few05'.*; got 'few50'"):
        split(data, "few50")


# --------------------------------------------------------------------------------------
# Data
# --------------------------------------------------------------------------------------
def test_digits_read_inside():
    data = load("digits_graded", ".")
    at = data.X.index.get_loc
    assert data.strengths[at("digit 2"), at("even")] == 1
    assert data.strengths[at("even"), at("digit 2")] == pytest.approx(0.2)
    assert np.isnan(np.diag(data.strengths)).all()
    assert (data.graded, data.n_means, data.n_tasks) == (True, 16, 120)
    contained = load("digits", ".")
    assert not contained.graded
    assert contained.strengths[at("even"), at("digit 2")] == 0
    off = ~np.eye(120, dtype=bool)
    np.testing.assert_array_equal(contained.strengths[off], data.strengths[off] == 1)


def make_taskonomy(folder):
    """Transfers among three tasks, of which c is no target."""
    cells = pd.DataFrame(
        {"source": ["a", "b", "c", "self", "random"], "a": [9, 0.2, 0.4, 8, 7]}
        | {"b": [0.003, 9, 0.001, 8, 7]}
    )
    cells.to_csv(folder / "taskonomy_affinity.csv", index=False)
    cells.loc[5] = ["pixels", 0.5, 0.5]
    cells[["a", "b"]] = cells[["a", "b"]].clip(upper=1)
    cells.to_csv(folder / "taskonomy_wins_vs_pixels.csv", index=False)
    attributes = pd.DataFrame({"task": list("dcba"), "is_3d": [0, 1, 0, 1]})
    for column in CONFIG_COLUMNS:
        attributes[column] = [5, 2, 1, 0]
    attributes["description"] = "text"
    attributes.to_csv(folder / "taskonomy_attributes_candidates.csv", index=False)


def test_of_transfers_the_target_lies_inside_the_source(tmp_path):
    make_taskonomy(tmp_path)
    data = load("taskonomy_wins_attributes", tmp_path)
    assert list(data.X.index) == ["a", "b", "c"]
    nan = np.nan
    # Row a: the target a, covered by the sources b and c; c is a source only.
    expected = [[nan, 0.2, 0.4], [0.003, nan, 0.001], [nan, nan, nan]]
    np.testing.assert_allclose(data.strengths, expected)
    assert data.graded
    assert list(data.X["is_3d"]) == [1, 0, 1]
    assert data.X.loc["c", "n_input_images"] == pytest.approx(np.log(3))
    assert data.X.loc["c", "uses_gan_loss"] == 2
    # Affinities are comparable within a target, so each row has a largest one of 1.
    scaled = load("taskonomy_affinity_config", tmp_path)
    expected = [[nan, 0.5, 1], [1, nan, 1 / 3], [nan, nan, nan]]
    np.testing.assert_allclose(scaled.strengths, expected)
    assert list(scaled.X.columns) == CONFIG_COLUMNS


def test_tasks_of_the_same_categories_are_one():
    # 0 and 1 in 2; 2 in 3 in 4, all three of them {0, 1}; 5 = {0, 1, 6} above 4.
    inside = np.zeros((7, 7), dtype=bool)
    for low, high in [(0, 2), (1, 2), (2, 3), (3, 4), (4, 5), (6, 5)]:
        inside[low, high] = True
    for _ in range(7):
        inside |= inside @ inside
    leaf = np.array([1, 1, 0, 0, 0, 0, 1], dtype=bool)
    below = (inside.T | np.eye(7, dtype=bool))[:, leaf]
    kept, among = collapse(below, inside)
    assert kept.tolist() == [0, 1, 2, 5, 6]  # 2 lies inside 3 and 4
    expected = np.zeros((5, 5), dtype=bool)
    expected[[0, 1], 2] = expected[[0, 1, 2, 4], 3] = True
    np.testing.assert_array_equal(among, expected)


def test_relations_by_way_of_a_group_are_kept():
    # Only 1 has 0 below it, and only 2, of the same categories, lies inside 3.
    inside = np.zeros((4, 4), dtype=bool)
    inside[0, 1] = inside[2, 3] = True
    below = np.array([[1, 0, 0], [1, 1, 0], [1, 1, 0], [1, 1, 1]], dtype=bool)
    kept, among = collapse(below, inside)
    assert kept.tolist() == [0, 1, 3]
    assert among[0].tolist() == [False, True, True]


def test_features_are_mean_and_variance_of_what_lies_below():
    vectors = np.array([[1.0, 4], [3, 4], [8, 0]])
    tasks = ["all", "one", "pair", "three", "two"]
    inside = np.zeros((5, 5), dtype=bool)
    inside[[1, 2, 3, 4], 0] = inside[[1, 4], 2] = True
    data = benchmark_data._nested("made", vectors, ["one", "two", "three"], tasks, inside)
    assert data.n_means == 2
    assert list(data.X.columns) == ["mean_x0", "mean_x1", "variance_x0", "variance_x1"]
    np.testing.assert_allclose(data.X.loc["pair"], [2, 4, 1, 0])
    np.testing.assert_allclose(data.X.loc["two"], [3, 4, 0, 0])
    np.testing.assert_allclose(
        data.X.loc["all"], [4, 8 / 3, np.var([1, 3, 8]), np.var([4, 4, 0])]
    )
    # A category with another below it counts itself too.
    inside[4, 1] = True
    data = benchmark_data._nested("made", vectors, ["one", "two", "three"], tasks, inside)
    assert "pair" not in data.X.index  # it is the same two, and one lies inside it
    np.testing.assert_allclose(data.X.loc["one"], [2, 4, 1, 0])


@pytest.mark.slow
def test_imports_of_the_standard_library_are_a_dependency_graph(tmp_path):
    data = load("imports", tmp_path)
    assert data.n_tasks > 100
    strengths = pd.DataFrame(data.strengths, data.X.index, data.X.index)
    assert strengths.loc["tempfile", ["os", "shutil", "turtle"]].tolist() == [1, 1, 0]
    assert strengths.loc["xml.sax.expatreader", "xml.sax.xmlreader"] == 1
    assert np.isfinite(data.X.to_numpy()).all()
    assert not data.X.duplicated().any()


@pytest.mark.parametrize("name", [_large(name) for name in DATA if name != "imports"])
def test_the_data_are_as_described(name, shared_data):
    data = load(name, shared_data)
    n_tasks, n_pairs, n_related, n_means = {
        "taskonomy_wins_attributes": (25, 528, 444, None),
        "taskonomy_wins_config": (25, 528, 444, None),
        "taskonomy_affinity_attributes": (25, 528, 528, None),
        "taskonomy_affinity_config": (25, 528, 528, None),
        "digits": (120, 14280, 1685, 16),
        "digits_graded": (120, 14280, 11428, 16),
        "mammals150": (150, 22350, 424, None),
        "minilm150": (150, 22350, 424, None),
        "cub": (261, 67860, 526, 312),
        "mammals500": (500, 249500, 2001, None),
        "minilm500": (500, 249500, 2005, None),
        "minilm1182": (1182, 1395942, 6542, None),
        "imagenet": (1396, 1947420, 13370, 384),
        "lvis": (1490, 2218610, 12602, 512),
    }[name]
    finite = data.strengths[~np.isnan(data.strengths)]
    assert (data.n_tasks, len(finite), (finite > 0).sum()) == (n_tasks, n_pairs, n_related)
    assert data.n_means == n_means
    assert data.name == name
    assert 0 <= finite.min() <= finite.max() <= 1
    assert data.graded == (not np.isin(finite, (0, 1)).all())
    assert data.X.index.is_unique
    assert np.isfinite(data.X.to_numpy()).all()
    if n_means is not None:
        assert data.X.shape[1] == 2 * n_means
        assert (data.X.to_numpy()[:, n_means:] >= 0).all()


@pytest.mark.parametrize(
    ("name", "member", "container"),
    [
        ("mammals500", "placental@01886756", "mammal@01861778"),
        ("minilm150", "placental.n.01", "mammal.n.01"),
        ("cub", "Diomedeidae", "Procellariiformes"),
        _large("lvis", "cat.n.01", "animal.n.01"),
        _large("imagenet", "dog.n.01", "animal.n.01"),
        ("taskonomy_wins_config", "rgb2sfnorm", "reshade"),
    ],
)
def test_the_data_point_from_member_to_container(name, member, container, shared_data):
    data = load(name, shared_data)
    i, j = (data.X.index.get_loc(name) for name in (member, container))
    assert data.strengths[i, j] >= 0.9 > data.strengths[j, i]


# --------------------------------------------------------------------------------------
# Scores and the runner
# --------------------------------------------------------------------------------------
def test_scores_by_hand():
    strengths = np.array([1.0, 1, 0, 0])
    predicted, reverse = np.array([0.9, 0.6, 0.8, 0.1]), np.array([0.1, 0.7, 0.9, 0.0])
    found = relations.scores(
        (strengths, predicted, reverse),
        (np.array([1.0, 0]), np.array([0.7, 0.3]), np.array([0.2, 0.2])),
        np.zeros(4),
        graded=False,
    )
    assert found["average_precision"] == pytest.approx((1 + 2 / 3) / 2)
    assert found["roc_auc"] == pytest.approx(0.75)
    assert found["brier"] == pytest.approx((0.01 + 0.16 + 0.64 + 0.01) / 4)
    assert found["ece"] == pytest.approx((0.1 + 0.4 + 0.8 + 0.1) / 4)
    # At 0.5, three are found, two of them rightly; of the three, one in its direction.
    assert found["f1"] == pytest.approx(2 * 2 / (3 + 2))
    assert found["f1_direction"] == pytest.approx(2 * 1 / (1 + 2))
    assert "spearman" not in found


def test_scores_of_graded_strengths_and_those_not_defined():
    strengths = np.array([0.1, 0.2, 0.7, 0.9])
    predicted = np.array([0.8, 0.9, 0.1, 0.2])
    test = strengths, predicted, predicted
    found = relations.scores(test, test, np.array([0, 0, 1, 1]), graded=True)
    assert found["spearman_within"] == pytest.approx(1)
    assert found["spearman"] == pytest.approx(-0.6)
    assert "average_precision" not in found
    none = np.zeros(4), predicted, predicted
    found = relations.scores(none, test, np.zeros(4), graded=False)
    assert set(found) == {"brier", "ece", "ece_quantile"}


def test_the_threshold_comes_from_the_validation_pairs():
    test = np.array([1.0, 0]), np.array([0.4, 0.3]), np.zeros(2)
    validation = np.array([1.0, 0]), np.array([0.9, 0.5]), np.zeros(2)
    found = relations.scores(test, validation, np.zeros(2), graded=False)
    assert found["f1"] == found["f1_direction"] == 0  # though 0.35 would part them
    assert found["average_precision"] == 1


def test_measuring_a_cell_is_the_same_twice_and_above_chance():
    data = load("digits", ".")
    rows = relations.measure(data, "unseen", "closure", 0, 0)
    again = relations.measure(data, "unseen", "closure", 0, 0)
    values = {row["metric"]: row["value"] for row in rows}
    assert values == {row["metric"]: row["value"] for row in again}
    _, strengths = split(data, "unseen", 0).tests["test"]
    assert values["average_precision"] > 2 * strengths.mean()
    assert rows[0]["n_test"] == len(strengths)
    assert rows[0]["seconds"] > 0


@pytest.fixture
def arguments(tmp_path):
    def make(*more):
        return relations.parse(
            ["--data", ".", "--only", "digits", "digits_graded", "--protocols", "unseen"]
            + ["--methods", "popularity", "random", "additive", "--seeds", "2"]
            + ["--jobs", "2", "--results", str(tmp_path / "results.csv"), *more]
        )

    return make


@pytest.mark.slow
def test_a_run_goes_on_where_it_stopped(arguments, monkeypatch, capsys):
    path = Path(arguments().results)
    path.touch()  # as if cut off before the first row
    relations.main(arguments("--seeds", "1"))
    first = path.read_text()
    rows = relations.read_results(path)
    # digits: two methods; digits_graded: three.
    assert len(rows[relations.CELL].drop_duplicates()) == 5
    assert not (rows["metric"] == "error").any()
    assert set(rows.columns) == set(relations.COLUMNS)
    relations.main(arguments())
    assert path.read_text().startswith(first)
    rows = relations.read_results(path)
    assert len(rows[relations.CELL].drop_duplicates()) == 10
    measured = []
    monkeypatch.setattr(relations, "measure", lambda *cell: measured.append(cell))
    before = path.read_text()
    relations.main(arguments())
    assert path.read_text() == before
    # As if cut off in the middle of a row: its cell is computed again, and no other.
    last = rows[relations.CELL].iloc[-1].tolist()
    path.write_text(before[:-10])
    monkeypatch.undo()
    results = relations.Results(path)
    assert len(results.done) == 9
    assert tuple(last) not in results.done
    relations.main(arguments())
    kept = relations.read_results(path)
    assert len(kept) == len(rows)
    assert not kept.duplicated([*relations.CELL, "part", "metric"]).any()


@pytest.mark.slow
def test_where_cuda_is_processes_are_not_forked(arguments, monkeypatch):
    few = ["--only", "digits", "--seeds", "1"]
    relations.main(arguments(*few))
    forked = relations.read_results(arguments().results)
    # Only here: a process that is not forked imports another torch.
    monkeypatch.setattr(relations.torch.cuda, "is_available", lambda: True)
    again = Path(arguments().results).with_name("again.csv")
    relations.main(arguments(*few, "--results", str(again)))
    started = relations.read_results(again)
    assert set(started["device"]) == {"cpu"}
    same = [*relations.CELL, "part", "metric", "value"]
    forked, started = (
        rows[same].sort_values(same).reset_index(drop=True) for rows in (forked, started)
    )
    pd.testing.assert_frame_equal(forked, started)


def test_a_quick_run_has_the_problems_it_names(arguments):
    relations.main(arguments("--quick", "--protocols", *PROTOCOLS))
    rows = relations.read_results(arguments().results)
    cells = set(rows[relations.CELL].itertuples(index=False, name=None))
    assert cells == {("digits", "novel", name, 0, 0) for name in ("popularity", "random")}


@pytest.fixture
def quick_distilled(monkeypatch):
    def make(seed, dim, data):
        student = BoxRelationEmbedder(dim, max_epochs=5)
        teacher = SimilarityModel("gaussian_kl", variances=True)
        return DistilledBoxEmbedder(student, teacher, random_state=seed)

    method = replace(methods.METHODS["distilled"], make=make, dims=(5,))
    monkeypatch.setitem(methods.METHODS, "distilled", method)
    return method


def test_one_fit_serves_distilled_boxes_and_their_teacher(quick_distilled):
    data = load("digits", ".")
    X, y = data.X.iloc[:60], data.strengths[:60, :60]
    model = quick_distilled.make(0, 5, data).fit(X, y)
    views = methods.views("distilled", 5, model)
    assert views == {"distilled": model, "ensemble": model.teacher_}
    predicted = [view.predict_proba(data.X) for view in views.values()]
    assert not np.allclose(*predicted)
    assert methods.views("distilled", 2, model) == {"distilled": model}


@pytest.mark.slow
def test_what_a_fit_serves_is_not_computed_twice(arguments, quick_distilled):
    both = ("--methods", "distilled", "ensemble", "--only", "digits", "--seeds", "1")
    path = Path(arguments().results)
    for more in ((), ("--again", "distilled")):
        relations.main(arguments(*both, *more))
        rows = relations.read_results(path)
        assert set(rows["method"]) == {"distilled", "ensemble"}
        assert not rows.duplicated([*relations.CELL, "part", "metric"]).any()
        assert rows["seconds"].nunique() == 1
    cells = [("digits", "unseen", "distilled", 2, 0), ("digits", "unseen", "mlp", 0, 0)]
    assert relations.served(cells) == set()


@pytest.mark.slow
def test_a_method_is_computed_again_on_demand(arguments, monkeypatch):
    path = Path(arguments().results)
    relations.main(arguments())
    before = relations.read_results(path)
    relations.main(arguments("--again", "random", "--seeds", "1"))
    after = relations.read_results(path)
    key = [*relations.CELL, "part", "metric"]
    both = before.merge(after, on=key, suffixes=("", "_again"), validate="one_to_one")
    assert len(both) == len(before) == len(after)
    np.testing.assert_allclose(both["value"], both["value_again"], rtol=1e-5)
    untouched = both[(both["method"] != "random") | (both["seed"] == 1)]
    assert (untouched["seconds"] == untouched["seconds_again"]).all()
    assert list(after["method"])[-1] == "random"


class Failing(PopularityModel):
    """Fails in one of several ways."""

    def __init__(self, how="raise"):
        self.how = how

    def fit(self, X, y):
        if self.how == "raise":
            raise RuntimeError("nothing\nworks")
        if self.how == "die":
            os._exit(3)
        while True:
            pass


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("raise", "RuntimeError: nothing works"),
        ("die", "the process ended with code 3"),
        ("hang", "given up after 0.5 seconds"),
    ],
)
def test_a_method_that_fails_is_a_row_that_says_so(
    arguments, monkeypatch, capfd, how, message
):
    method = methods.Method(lambda seed, dim, data: Failing(how))
    monkeypatch.setitem(methods.METHODS, "additive", method)
    limit = ["--limit", "0.5"] if how == "hang" else []
    relations.main(arguments("--only", "digits_graded", "--seeds", "1", *limit))
    rows = relations.read_results(arguments().results)
    failed = rows[rows["metric"] == "error"]
    assert failed["method"].tolist() == ["additive"]
    assert failed["message"].tolist() == [message]
    assert failed["value"].isna().all()
    assert set(rows["method"]) == {"popularity", "random", "additive"}
    assert message in capfd.readouterr().out


def test_the_order_of_cells():
    datas = [make_data(mask=np.zeros((40, 40))), load("digits", ".")]
    cells = list(
        relations.cells_of(datas, ["fixed", "novel"], ["closure", "boxes"], 2, [2, 5])
    )
    assert [cell[-1] for cell in cells] == sorted(cell[-1] for cell in cells)
    assert ("digits", "fixed", "boxes", 5, 0) not in cells  # it has no split of its own
    assert ("made", "fixed", "closure", 0, 0) in cells
    assert ("made", "fixed", "closure", 0, 1) not in cells  # it would be the same again
    assert ("made", "fixed", "boxes", 2, 1) in cells
    assert not any(cell[3] == 20 for cell in cells)
    assert len(set(cells)) == len(cells)


@pytest.mark.parametrize("name", list(methods.METHODS))
def test_methods_make_estimators_of_their_seed_and_dimension(name):
    method = methods.METHODS[name]
    data = make_data(graded=True)
    for dim in method.dims:
        model = method.make(7, dim, data)
        parameters = model.get_params()
        assert parameters.get("random_state", 7) == 7
        assert ("random_state" in parameters) == method.random
        if isinstance(model, GeometryModel):
            assert parameters["n_components"] == 2 * dim
        elif name == "distilled":
            assert parameters["embedder__box_dim"] == dim
        elif name != "ensemble":  # its dimension is that of the boxes it teaches
            assert parameters.get("box_dim", 0) == dim


# --------------------------------------------------------------------------------------
# Tables
# --------------------------------------------------------------------------------------
def make_rows():
    """Two seeds of four methods on two data sets."""
    values = {
        ("cub", "distilled", 5): (0.8, 0.9),
        ("cub", "distilled", 2): (0.5, 0.5),
        ("cub", "ensemble", 5): (0.5, 0.6),
        ("cub", "closure", 0): (0.6, 0.6),
        ("cub", "popularity", 0): (0.1, 0.1),
        ("lvis", "distilled", 5): (0.5, 0.5),
        ("lvis", "closure", 0): (0.5, 0.7),
        ("lvis", "popularity", 0): (0.52, 0.52),
    }
    rows = [
        {"data": data, "protocol": "unseen", "part": "test", "method": method, "dim": dim}
        | {"seed": seed, "metric": metric, "value": value, "seconds": 2.0, "peak_mb": 30.0}
        for (data, method, dim), both in values.items()
        for seed, value in enumerate(both)
        for metric in ("average_precision", "brier")
    ]
    failed = {"data": "lvis", "protocol": "unseen", "method": "cone", "dim": 5, "seed": 0}
    rows.append(failed | {"metric": "error", "message": "ValueError: no"})
    return pd.DataFrame(rows).assign(commit="abc1234", checksum="00c0ffee")


def test_means_and_standard_errors():
    table = tables.summary(make_rows())
    row = table.loc[("cub", "unseen", "test", "average_precision", "distilled", 5)]
    assert row["mean"] == pytest.approx(0.85)
    assert row["error"] == pytest.approx(np.std([0.8, 0.9], ddof=1) / np.sqrt(2))
    assert row["n_seeds"] == 2
    assert "cone" not in table.index.get_level_values("method")


def test_seeds_that_distilled_boxes_do_not_have_do_not_count():
    rows = make_rows()
    lucky = rows[(rows["data"] == "cub") & (rows["method"] == "closure")]
    more = pd.concat([rows, lucky.assign(seed=lucky["seed"] + 2, value=1.0)])
    pd.testing.assert_frame_equal(tables.standings(more), tables.standings(rows))


def test_standings_beside_the_best_comparator():
    table = tables.standings(make_rows()).set_index("data")
    assert table.loc["cub", "best"] == "closure"
    assert table.loc["cub", ["first", "within"]].tolist() == [True, True]
    assert table.loc["lvis", "best"] == "closure"
    # 0.5 against 0.6, a difference with a standard error of 0.1.
    assert table.loc["lvis", ["first", "within"]].tolist() == [False, True]
    assert np.isnan(table.loc["lvis", "distilled_2"])
    report = tables.report(make_rows())
    assert "Distilled boxes: first in 1, and behind by at most two stand" in report
    assert "of the paired difference in 1 more, of 2 cells" in report
    assert "The ensemble: first in 0, and behind" in report  # closure is before it
    assert "paired difference in 1 more, of 1 cells" in report
    assert "Behind closure: 1 cells" in report
    assert "Behind popularity: 1 cells" in report


def test_of_a_given_split_a_method_without_a_seed_has_the_same_figure_for_all():
    rows = make_rows().query("data == 'lvis' and metric == 'average_precision'")
    again = rows["method"].isin(["closure", "popularity"]) & (rows["seed"] == 1)
    rows = rows[~again].assign(protocol="fixed")
    rows.loc[(rows["method"] == "distilled") & (rows["seed"] == 1), "value"] = 0.54
    (_, row), *others = tables.standings(rows).iterrows()
    assert not others
    # 0.52 against 0.5 and 0.54; without a seed, a difference has no standard error.
    assert (row["best"], row["best_mean"]) == ("popularity", 0.52)
    assert row["error"] == pytest.approx(0.02)
    assert row["behind"] == pytest.approx(0, abs=1e-12)


def test_results_name_their_commits_and_data_that_changed():
    rows = make_rows()
    assert "All results are of commit abc1234." in tables.document(rows)
    rows.loc[rows["method"] == "closure", ["commit", "checksum"]] = "fed4321", "00000000"
    text = tables.document(rows)
    assert "of commit abc1234 (76%: cone, distilled, ensemble, popularity), and of" in text
    assert "changed between commits: cub, lvis." in text


def test_a_checksum_is_that_of_features_and_relations():
    data = make_data()
    sums = {relations.checksum(data), relations.checksum(make_data())}
    strengths = data.strengths.copy()
    strengths[0, 1] = 0.5
    for other in (replace(data, X=data.X + 1), replace(data, strengths=strengths)):
        sums.add(relations.checksum(other))
    assert len(sums) == 3
    assert {len(text) for text in sums} == {8}


def test_the_document_holds_everything():
    text = tables.document(make_rows())
    assert "0.850\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}0.050" in text
    text = text.replace("\N{NO-BREAK SPACE}", " ")
    assert "## Average precision" in text
    assert "| distilled, 5-d | **0.850 ± 0.050** | 0.500 ± 0.000 |" in text
    assert "| closure | 0.600 ± 0.000 | **0.600 ± 0.100** |" in text
    assert "| lvis | unseen | cone, 5-d | 1 | ValueError: no |" in text
    # Lower is better there.
    brier = text.split("## Brier")[1].split("##")[0:2]
    assert "| popularity | **0.100 ± 0.000** | 0.520 ± 0.000 |" in "".join(brier)
    assert "| distilled, 5-d | 2 | 2 |" in text.split("## Seconds")[1]


def test_the_document_begins_with_an_overview(tmp_path, capsys):
    results = tmp_path / "relations.csv"
    relations.Results(results).add(make_rows())
    tables.main(type("Arguments", (), {"results": results}))
    assert "The ensemble: first in 0" in capsys.readouterr().out
    text = (tmp_path / "relations.md").read_text().replace("\N{NO-BREAK SPACE}", " ")
    part = text.split("## Overview")[1].split("\n## ")[0]
    line = (
        "| cub | **0.850 ± 0.050** | 0.550 ± 0.050 | 0.500 ± 0.000 | "
        "0.600 ± 0.000 (closure) |"
    )
    assert line in part
    assert "first in 1, and behind by at most two standard errors of the paired" in part
    # Without distilled boxes there is nothing to compare.
    assert "## Overview" not in tables.document(make_rows().query("method == 'closure'"))


@pytest.mark.slow
def test_the_stored_tables_are_those_of_the_stored_results():
    rows = relations.read_results(relations.RESULTS)
    assert relations.RESULTS.with_suffix(".md").read_text() == tables.document(rows)
    assert set(rows["method"]) <= set(methods.METHODS)
    speeds = pd.read_csv(speed.RESULTS / "speed.csv")
    assert {"boxes", "published"} <= set(speeds["method"])


def quick_arguments(cache, *more):
    return [".", "--data-sets", "digits", "--cache", str(cache), *more]


def test_the_quick_table_goes_on_where_it_stopped(tmp_path, capsys, monkeypatch):
    cache = tmp_path / "cells.jsonl"
    quick_table.main(quick_arguments(cache, "--methods", "closure", "--seeds", "1"))
    first = cache.read_text()
    assert len(first.splitlines()) == 2
    methods = ["--methods", "closure", "neighbors' vote", "--seeds", "1"]
    quick_table.main(quick_arguments(cache, *methods))
    assert cache.read_text().startswith(first)
    assert len(cache.read_text().splitlines()) == 4
    monkeypatch.setattr(quick_table, "measure", None)  # nothing is left to measure
    capsys.readouterr()
    quick_table.main(quick_arguments(cache, *methods))
    line = capsys.readouterr().out.splitlines()[-1]
    _, title, closure, vote, _ = line.split("|")
    assert title.strip() == "120 sets of digits (images)"
    numbers = [float(x) for x in vote.split(";")[0].split("/")]
    assert len(numbers) == 3
    of_closure = [float(x) for x in closure.split(";")[0].split("/")]
    assert (np.array(numbers) > of_closure).all()


def test_numbers_of_the_quick_table_that_were_not_measured_are_dashes():
    cell = {"data": "cub", "protocol": "novel", "method": "plain", "seed": 0}
    cells = [cell | {"n_tasks": 9, "seconds": 70.2, "average_precision": 0.456}]
    text = quick_table.table(cells, methods=("plain", "closure"))
    last = text.splitlines()[-1]
    assert last == "| 9 taxa of birds (attributes) | 0.46 / – / –; 70 s | – / – / – |"


def test_of_a_large_data_set_some_tasks_are_drawn():
    data = make_data(mask=np.zeros((40, 40)))
    some = quick_table.few(data, 10)
    assert some.n_tasks == 10
    at = data.X.index.get_indexer(some.X.index)
    np.testing.assert_array_equal(some.strengths, data.strengths[np.ix_(at, at)])
    assert quick_table.few(data, 40) is data


# --------------------------------------------------------------------------------------
# Speed
# --------------------------------------------------------------------------------------
def test_a_plain_loop_takes_the_steps_of_a_fit(taxonomy):
    X, graph = taxonomy
    model = BoxRelationEmbedder(max_epochs=3, random_state=0).fit(X, graph)
    assert 0 < speed.plain_epoch(model, X, 3) < 10


def test_speed_is_not_measured_twice(tmp_path, capsys):
    path = tmp_path / "speed.csv"
    table = speed.Table(path)
    table.add("epoch", 25, np.int64(2), "boxes", "seconds per epoch", value=0.5)
    assert speed.Table(path).get("epoch", 25, 2, "boxes", "seconds per epoch") == 0.5
    assert table.get("epoch", 25, 5, "boxes", "seconds per epoch") is None
    assert "0.5" in capsys.readouterr().out
