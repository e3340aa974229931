"""Storage by skops, pickle and joblib: what is trusted, damaged files, stored formats."""

import copy
import io
import os
import pickle
import sys
import warnings
import zipfile
from collections import Counter
from functools import cache
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
from conftest import few_of
from scipy import sparse
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.fixes import parse_version
from stored.write import predictions

from benchmarks import damage
from sklearn_task2box import (
    BoxRelationEmbedder,
    DistilledBoxEmbedder,
    RelationEnsemble,
    TaskLinkClassifier,
    TaskPairs,
    TaskRelations,
    _soft_targets,
)
from sklearn_task2box import models as rm
from sklearn_task2box.metrics import make_relation_scorer
from sklearn_task2box.nets import Objective
from sklearn_task2box.representations import (
    CLIPRepresentation,
    DatasheetRepresentation,
    DuplicateIndicator,
    GaussianRepresentation,
    Task2VecRepresentation,
)
from sklearn_task2box.utils import _storage

SKLEARN = parse_version(sklearn.__version__)
skops_io = pytest.importorskip("skops.io")
STORED = Path(__file__).parent / "stored"
X, EDGES = damage.problem(0)
NEW = X[:3] + 0.1
RELATIONS = TaskRelations(EDGES, tasks=list(X.index))
UNNAMED = X.to_numpy()
QUICK = {"hidden_layer_sizes": (4,), "max_epochs": 5, "random_state": 0}
NET = {"hidden_layer_sizes": (4,), "max_iter": 5, "random_state": 0}
pytestmark = pytest.mark.filterwarnings("ignore:The boxes contradict", "ignore:.*hook")


class OwnEncoder(torch.nn.Module):
    """A user's encoder, with one weight in two places and a buffer that is not stored."""

    def __init__(self, n_features, n_outputs):
        super().__init__()
        self.first = torch.nn.Linear(n_features, n_outputs)
        self.second = torch.nn.Linear(n_features, n_outputs)
        self.second.weight = self.first.weight
        self.scale = 0.5
        self.register_buffer("one", torch.ones(1), persistent=False)

    def forward(self, X):
        return self.scale * (self.first(X) + self.one * self.second(X))


def boxes(**settings):
    return BoxRelationEmbedder(2, **{**QUICK, **settings})


def task_sets():
    inputs = torch.linspace(-1, 1, 40).reshape(20, 2)
    half = torch.utils.data.TensorDataset(inputs, inputs[:, 0] > 0)
    ring = torch.utils.data.TensorDataset(inputs, inputs[:, 0] ** 2 > 0.3)
    return {"half": half, "ring": ring}


PROBE = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3), torch.nn.Tanh())
PAIRS, RELATED = TaskPairs.from_graph(EDGES, X, random_state=0)
ONE_HOT = sparse.identity(12, format="csr")
MEMBERS = [("kernel", rm.KernelRidgeModel()), ("boxes", boxes(teacher=None))]
FITS = {
    "boxes": lambda: boxes().fit(X, EDGES),
    "boxes alone": lambda: boxes(teacher=None, normalization="layer").fit(X, TABLE),
    "early stopping": lambda: boxes(early_stopping=True, device="cpu").fit(X, EDGES),
    "of features alone": lambda: boxes(encoder="linear", device=torch.device("cpu")).fit(X),
    "labels": lambda: boxes(objective=Objective("squared_error")).fit(X, list("abc" * 4)),
    "sparse": lambda: boxes().fit(sparse.csr_matrix(UNNAMED), TABLE),
    "table": lambda: boxes(encoder="table", init="layout").fit(ONE_HOT, TABLE),
    "partial fit": lambda: boxes().fit(X[:8], RELATIONS[:8]).partial_fit(X[8:], EDGES[7:]),
    "ensemble": lambda: RelationEnsemble(MEMBERS, random_state=0).fit(X, EDGES),
    "distilled": lambda: DistilledBoxEmbedder(
        boxes(), rm.KernelRidgeModel(), random_state=0
    ).fit(X, EDGES),
    "links": lambda: TaskLinkClassifier(boxes()).fit(PAIRS, RELATED),
    "links of a pipeline": lambda: TaskLinkClassifier(
        make_pipeline(StandardScaler(), boxes())
    ).fit(PAIRS, RELATED),
    "pipeline": lambda: make_pipeline(StandardScaler(), boxes()).fit(X, RELATIONS),
    "search": lambda: GridSearchCV(
        rm.KernelRidgeModel(),
        {"gamma": [0.1, "auto"]},
        scoring=make_relation_scorer("average_precision"),
        cv=2,
    ).fit(X, list("ab" * 6)),
    "random": lambda: rm.RandomModel(random_state=0).fit(X, EDGES),
    "popularity": lambda: rm.PopularityModel().fit(X, EDGES),
    "closure": lambda: rm.ClosureModel().fit(X, EDGES),
    "additive": lambda: rm.AdditiveModel().fit(X, EDGES),
    "similarity": lambda: rm.SimilarityModel().fit(X, EDGES),
    "neighbors": lambda: rm.NeighborsModel().fit(X, EDGES),
    "kernel ridge": lambda: rm.KernelRidgeModel().fit(X, few_of(TABLE, 0.4)),
    "linear": lambda: rm.PairClassifier("linear", max_iter=5).fit(X, EDGES),
    "pair MLP": lambda: rm.PairClassifier(n_similarities=2, **NET).fit(X, EDGES),
    "trees": lambda: rm.PairClassifier("boosted_trees", max_iter=2).fit(X, EDGES),
    **{
        name: lambda name=name: rm.GeometryModel(name, n_components=2, **QUICK).fit(
            X, EDGES
        )
        for name in ("order", "gaussian", "poincare", "cone", "bilinear")
    },
    "data sheets": lambda: DatasheetRepresentation(kinds={"examples": "size"}).fit(
        damage.CARDS
    ),
    "data sheets, numbers as columns": lambda: DatasheetRepresentation().fit(
        pd.DataFrame({0: [1.0, 2.0], 1: ["a", "b"]}, index=["one", "two"])
    ),
    "duplicates": lambda: DuplicateIndicator().fit(
        pd.concat([X, X.add_suffix("", axis=1)]).set_axis(range(1, 25))
    ),
    "moments": lambda: GaussianRepresentation().fit({"a": X[:6], "b": X[6:]}),
    "Task2Vec": lambda: Task2VecRepresentation(PROBE, random_state=0).fit(task_sets()),
}
TABLE = np.zeros((12, 12))
TABLE[np.arange(1, 12), np.arange(11) // 3] = 1


def each(*quick):
    """Parametrizes by name; fits of no quick name are slow."""
    marks = {name: [pytest.mark.slow] * (name not in quick) for name in FITS}
    return pytest.mark.parametrize(
        "name", [pytest.param(name, marks=marks[name]) for name in FITS]
    )


few = pytest.mark.usefixtures("few_steps")


@pytest.fixture
def few_steps(monkeypatch):
    """Out-of-sample embedding takes most of the time of predictions."""
    monkeypatch.setattr(_soft_targets, "_STEPS", 3)


@cache
def fitted(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return FITS[name]()


def numbers(name, model):
    """What a model predicts, as arrays."""
    if isinstance(model, DatasheetRepresentation):
        cards = damage.CARDS if "numbers" not in name else {"one": {0: 3.0, 1: "a"}}
        return [model.transform(cards).to_numpy()]
    if isinstance(model, GaussianRepresentation):
        return [model.to_frame().to_numpy(), model.transform({"c": NEW}).to_numpy()]
    if isinstance(model, DuplicateIndicator):
        return [model.transform(pd.concat([X, X]).set_axis(range(1, 25)))]
    if isinstance(model, Task2VecRepresentation):
        return [model.transform(task_sets()).to_numpy()]
    if isinstance(model, TaskLinkClassifier):
        return [model.predict_proba(PAIRS.with_features(X + 0.1)), model.classes_]
    if name == "table":
        return [model.boxes_, model.predict_proba(ONE_HOT)]
    if name == "kernel ridge":  # of unknown pairs, too
        return [model.pairwise_strengths(X), model.predict_proba(NEW)]
    return [model.predict_proba(NEW.to_numpy() if name == "sparse" else NEW)]


def skops_loads(content):
    return skops_io.loads(content, trusted=skops_io.get_untrusted_types(data=content))


def stored_by_skops(model):
    return skops_loads(skops_io.dumps(model))


def stored_by_pickle(model):
    return pickle.loads(pickle.dumps(model))


# -- what comes back -------------------------------------------------------------------
@each(
    "boxes", "table", "ensemble", "links of a pipeline", "search", "kernel ridge",
    "pair MLP", "trees", "order", "data sheets", "moments", "Task2Vec",
)  # fmt: skip
@few
def test_skops_needs_trust_in_types_of_this_package_only_and_predicts_the_same(name):
    content = skops_io.dumps(fitted(name))
    types = skops_io.get_untrusted_types(data=content)
    others = [one for one in types if not one.startswith("sklearn_task2box.")]
    if name == "search":  # of which scikit-learn keeps the splitter
        others = [one for one in others if one != "sklearn.model_selection._split.KFold"]
    if parse_version("1.7") > SKLEARN:  # a column transformer keeps this list
        others = [one for one in others if not one.endswith("._RemainderColsList")]
    assert others == []
    again = skops_io.loads(content, trusted=types)
    for found, expected in zip(
        numbers(name, again), numbers(name, fitted(name)), strict=True
    ):
        np.testing.assert_array_equal(found, expected)
    assert repr(clone(again)) == repr(clone(fitted(name)))


@each("boxes", "kernel ridge", "pair MLP", "trees", "data sheets", "moments")
@few
def test_pickles_joblib_and_copies_predict_the_same(name):
    model, file = fitted(name), io.BytesIO()
    joblib.dump(model, file)
    file.seek(0)
    ways = [pickle.loads(pickle.dumps(model, protocol=protocol)) for protocol in (2, 5)]
    ways += [joblib.load(file), copy.deepcopy(model), copy.copy(model)]
    for again in ways:
        for found, expected in zip(numbers(name, again), numbers(name, model), strict=True):
            np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("way", [stored_by_skops, stored_by_pickle])
@pytest.mark.parametrize("warm", [pytest.param(True, marks=pytest.mark.slow), False])
def test_a_fit_continues_after_a_load_as_without(way, warm):
    first = boxes(warm_start=True).fit(X[:8], RELATIONS[:8])
    ends = []
    for model in (first, way(first)):
        if warm:
            ends.append(model.fit(X[:8], RELATIONS[:8]).boxes_)
        else:
            ends.append(model.partial_fit(X[8:], EDGES[7:]).boxes_)
    np.testing.assert_array_equal(*ends)


def test_an_encoder_of_ones_own_is_a_type_to_trust_and_keeps_tied_weights():
    model = boxes(encoder=OwnEncoder).fit(X, EDGES)
    content = skops_io.dumps(model)
    types = skops_io.get_untrusted_types(data=content)
    own = f"{OwnEncoder.__module__}.OwnEncoder"
    assert [one for one in types if not one.startswith("sklearn_task2box.")] == [own]
    with pytest.raises(Exception, match="OwnEncoder"):
        skops_io.loads(content, trusted=[one for one in types if one != own])
    again = skops_io.loads(content, trusted=types)
    np.testing.assert_array_equal(again.transform(NEW), model.transform(NEW))
    body = again.encoder_.body
    assert body.first.weight is body.second.weight
    assert "one" not in body.state_dict()


FRAMES = {
    "default index": pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]}),
    "named": pd.DataFrame({"a": [1.5, 2.0]}, index=pd.Index(["x", "y\0"], name="task")),
    "float32": pd.DataFrame(np.eye(2, dtype=np.float32), index=[5, 7], columns=[10, 11]),
    "mixed": pd.DataFrame(
        {"a": [1, 2], "b": ["u", "é"], "c": [True, False], "d": [0.5, np.nan]}
    ),
    "objects": pd.DataFrame({"a": [("t", 1), None]}, dtype=object, index=[("x", 1), "y"]),
    "no columns": pd.DataFrame(index=["x", "y"]),
}


@pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES)
def test_frames_come_back_as_they_were(frame):
    again = stored_by_skops(TaskPairs.from_positions(frame, [0], [1]))
    pd.testing.assert_frame_equal(again.X, frame)
    assert type(again.X.index) is type(frame.index)
    assert again.pairs.tolist() == [[0, 1]]


@pytest.mark.parametrize("make", [sparse.csr_matrix, sparse.csr_array])
def test_containers_of_tasks_come_back(make):
    pairs = stored_by_skops(TaskPairs(make(UNNAMED), [(0, 1), (1, 2)]))
    assert type(pairs.X) is make
    np.testing.assert_array_equal(pairs.X.toarray(), UNNAMED)
    assert pairs[1:].pairs.tolist() == [[1, 2]]
    relations = stored_by_skops(RELATIONS)
    np.testing.assert_array_equal(relations.toarray(), RELATIONS.toarray())
    assert relations.all_tasks.tolist() == RELATIONS.all_tasks.tolist()


def test_what_was_loaded_can_be_stored_again():
    again = stored_by_skops(stored_by_skops(fitted("trees")))
    np.testing.assert_array_equal(
        again.predict_proba(NEW), fitted("trees").predict_proba(NEW)
    )


def test_settings_that_are_paths_and_devices_come_back():
    model = CLIPRepresentation(model=Path("some") / "model", device=torch.device("cpu"))
    again = stored_by_skops(model)
    assert (again.model, again.device) == (model.model, model.device)


def test_slices_and_shallow_copies_share_what_they_hold():
    assert PAIRS[:2].X is PAIRS.X
    model = fitted("kernel ridge")
    assert copy.copy(model).tasks_ is model.tasks_
    assert copy.deepcopy(model).tasks_ is not model.tasks_


def test_a_pickle_has_one_checksum_and_holds_what_is_shared_once():
    content = pickle.dumps(fitted("distilled"))
    assert content.count(b"load_checked") == 1
    again = pickle.loads(content)
    assert again.embedder_.teacher.estimator is again.teacher_


def test_classes_of_scripts_are_left_to_cloudpickle(monkeypatch):
    cloudpickle = pytest.importorskip("cloudpickle")
    script = type("Encoder", (OwnEncoder,), {"forward": OwnEncoder.forward})
    script.__module__ = "__main__"
    monkeypatch.setattr(sys.modules["__main__"], "Encoder", script, raising=False)
    model = boxes(encoder=script).fit(X, EDGES)
    content = cloudpickle.dumps(model)
    monkeypatch.delattr(sys.modules["__main__"], "Encoder")  # as in another process
    np.testing.assert_array_equal(
        pickle.loads(content).transform(NEW), model.transform(NEW)
    )


# -- damage ----------------------------------------------------------------------------
@pytest.fixture(scope="module")
def files():
    return damage.Files(fits=[damage.kernel_ridge, damage.data_sheets, damage.moments])


@few
@pytest.mark.parametrize("form", damage.FORMATS)
def test_damaged_files_are_an_error_or_the_very_same_model(form, files):
    some = copy.copy(files)
    some.cases = [case for case in files.cases if case[0] == form]
    counts = Counter(one[3] for one in some.outcomes(0, 60, seconds=5))
    assert counts["other"] == counts["hang"] == 0
    assert counts["error"] > 45


def test_no_byte_of_a_pickle_can_be_another_without_an_error():
    model = fitted("moments")
    content, expected = pickle.dumps(model), [damage.predictions(model)]
    counts = Counter()
    for at, byte in enumerate(content):
        for other in (byte ^ 1, byte ^ 0x80, ord(".")):  # which ends a pickle
            changed = content[:at] + bytes([other]) + content[at + 1 :]
            counts[damage.outcome(changed, pickle.loads, expected, seconds=5)] += 1
    assert counts["other"] == counts["hang"] == 0
    assert counts["error"] > 0.95 * 3 * len(content)


def test_a_member_does_not_stand_in_for_an_ensemble_whose_pickle_ends_early():
    content, expected = pickle.dumps(fitted("ensemble")), fitted("ensemble").threshold_
    for at in range(0, len(content), 7):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                found = pickle.loads(content[:at] + b"." + content[at + 1 :])
            except Exception:
                continue
        assert getattr(found, "threshold_", expected) == expected


def test_the_error_of_a_damaged_pickle_tells_what_to_do():
    content = pickle.dumps(fitted("kernel ridge"))
    at = content.index(b"threshold_")
    with pytest.raises(ValueError, match=r"damaged.* Get it anew, or fit the model again"):
        pickle.loads(content[:at] + b"T" + content[at + 1 :])


def packed(kind, *parts):
    return {"format": 1, "version": "0", "packed": {"a": _storage.Packed(kind, parts)}}


@pytest.mark.parametrize(
    "state",
    [
        packed("csr_matrix", np.ones(1), np.array([7]), np.array([0, 1]), (1, 2)),
        packed("csr_array", np.ones(1), np.array([0]), np.array([0, 9]), (1, 2)),
        packed("system", "ls"),
        packed("functional", "ls"),
        packed(os.system, "ls"),
        packed(dict, {"a": 1}),
        packed(StandardScaler, {"a": 1}),
    ],
)
def test_a_forged_state_is_refused(state):
    with pytest.raises(ValueError, match=r"index|indices|damaged|indptr"):
        object.__new__(TaskRelations).__setstate__(state)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("left", 99),
        ("right", 0),
        ("feature_idx", 6),
        ("feature_idx", -1),
        ("is_categorical", 1),
    ],
)
def test_trees_that_would_read_elsewhere_are_refused(field, value):
    rng = np.random.RandomState(0)
    trees = HistGradientBoostingClassifier(max_iter=1).fit(
        rng.rand(60, 6), np.arange(60) % 2
    )
    model = object.__new__(rm.PairClassifier)
    model.model_ = trees
    state = model.__getstate__()
    object.__new__(rm.PairClassifier).__setstate__(copy.deepcopy(state))
    trees._predictors[0][0].nodes[field][0] = value
    with pytest.raises(ValueError, match="nodes of a tree"):
        object.__new__(rm.PairClassifier).__setstate__(model.__getstate__())


# -- formats ---------------------------------------------------------------------------
@pytest.mark.skipif(
    parse_version("1.9") > SKLEARN,
    reason="scikit-learn 1.9 wrote parts of the files; earlier ones may not read them",
)
@pytest.mark.parametrize("path", sorted(STORED.glob("*.skops")), ids=lambda path: path.stem)
def test_files_of_each_format_load_and_predict_the_same(path):
    number, _, name = path.stem.partition("_")
    trusted = skops_io.get_untrusted_types(file=path)
    assert {one.partition(".")[0] for one in trusted} == {"sklearn_task2box"}
    model = skops_io.load(path, trusted=trusted)
    with np.load(STORED / f"{number}.npz") as expected:
        found = predictions(name, model)
        np.testing.assert_allclose(found, expected[name], rtol=1e-6, atol=1e-6)


def test_there_are_files_of_the_present_format():
    names = {path.stem for path in STORED.glob(f"format{_storage.FORMAT}_*.skops")}
    assert len(names) >= 5


@pytest.mark.parametrize(
    ("dumps", "loads"),
    [(pickle.dumps, pickle.loads), (skops_io.dumps, skops_loads)],
    ids=["pickle", "skops"],
)
def test_a_later_format_says_which_version_reads_it(dumps, loads, monkeypatch):
    monkeypatch.setattr(_storage, "FORMAT", 2)
    monkeypatch.setattr(_storage, "__version__", "9.1.0")
    content = dumps(fitted("moments"))
    monkeypatch.undo()
    with pytest.raises(ValueError, match=r"format 2.*reads 1.*sklearn-task2box>=9\.1\.0"):
        loads(content)


def test_compressed_skops_files_are_small():
    small = skops_io.dumps(fitted("kernel ridge"), compression=zipfile.ZIP_LZMA)
    assert len(small) < 0.2 * len(skops_io.dumps(fitted("kernel ridge")))
