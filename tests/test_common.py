"""One table of (estimator, data): what every estimator promises, in every form of y."""

import copy
import io
import pickle

import joblib
import networkx as nx
import numpy as np
import pandas as pd
import pytest
import sklearn
from conftest import make_taxonomy
from scipy import sparse
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.metrics import get_scorer_names
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    KFold,
    LeaveOneOut,
    ShuffleSplit,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
    train_test_split,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_task2box import (
    BoxRelationEmbedder,
    TaskLinkClassifier,
    TaskPairs,
    TaskRelations,
)
from sklearn_task2box.metrics import make_relation_scorer
from sklearn_task2box.models import ClosureModel, PopularityModel

pytestmark = pytest.mark.usefixtures("few_steps")

X, GRAPH = make_taxonomy()
N = len(X)
NAMES = [f"task {i}" for i in range(N)]
FRAME = pd.DataFrame(X, index=NAMES)
NAMED = nx.relabel_nodes(GRAPH, dict(enumerate(NAMES)))
MATRIX = nx.to_numpy_array(GRAPH, nodelist=range(N))
QUICK = {
    "max_epochs": 30,
    "hidden_layer_sizes": (16,),
    "random_state": 0,
}


def quick(**options):
    return BoxRelationEmbedder(**{**QUICK, **options})


EMBEDDERS = {
    "mlp": quick(),
    "linear": quick(encoder="linear"),
    "pipeline": make_pipeline(StandardScaler(), quick()),
}
FORMATS = {
    "graph": (X, GRAPH),
    "named graph": (FRAME, NAMED),
    "labelled frame": (FRAME, nx.to_pandas_adjacency(NAMED, nodelist=NAMES)),
    "labelled frame beside an array": (X, nx.to_pandas_adjacency(NAMED, nodelist=NAMES)),
    "edges": (X, list(GRAPH.edges)),
    "weighted edges": (X, np.array(list(GRAPH.edges(data="weight", default=0.8)))),
    "edges by name": (FRAME, list(NAMED.edges)),
    "edge frame": (FRAME, nx.to_pandas_edgelist(NAMED)[["source", "target"]]),
    "matrix": (X, MATRIX),
    "sparse matrix": (X, sparse.csr_matrix(MATRIX)),
    "sparse features": (sparse.csr_matrix(X), MATRIX),
    "TaskRelations": (X, TaskRelations(NAMED, tasks=NAMES)),
    "labels": (X, np.arange(N) % 4),
    "nothing": (X, None),
}


@pytest.mark.parametrize("given", FORMATS.values(), ids=FORMATS)
@pytest.mark.parametrize("embedder", EMBEDDERS.values(), ids=EMBEDDERS)
def test_every_input_format_of_relations(embedder, given):
    features, y = given
    if sparse.issparse(features) and isinstance(embedder, type(EMBEDDERS["pipeline"])):
        embedder = make_pipeline(StandardScaler(with_mean=False), quick())
    if features is FRAME and hasattr(embedder, "steps"):
        embedder = clone(embedder).set_output(transform="pandas")  # keeps the names
    model = clone(embedder).fit(features, y)
    boxes = np.asarray(model.transform(features))
    assert boxes.shape == (N, 10)
    assert (boxes[:, :5] <= boxes[:, 5:]).all()
    strengths = model.predict_proba(features)
    assert strengths.shape == (N, N)
    assert ((strengths >= 0) & (strengths <= 1)).all()
    np.testing.assert_array_equal(
        model.predict(features), strengths >= _last(model).threshold_
    )
    if y is not None and given is not FORMATS["labels"]:
        assert model.score(features, y) > 0.3
    assert len(_last(model).tasks_) == N


def _last(model):
    return model[-1] if hasattr(model, "steps") else model


@pytest.mark.parametrize("name", ["graph", "labelled frame", "edges by name", "matrix"])
def test_all_input_formats_of_the_same_relations_give_the_same_boxes(name):
    expected = quick().fit(X, MATRIX).boxes_
    features, y = FORMATS[name]
    # Not to the bit: the arrays of a frame lie otherwise in memory.
    np.testing.assert_allclose(quick().fit(features, y).boxes_, expected, rtol=1e-6)


# -- over tasks ------------------------------------------------------------------------
SLICEABLE = {
    "labelled frame": nx.to_pandas_adjacency(NAMED, nodelist=NAMES),
    "TaskRelations": TaskRelations(NAMED, tasks=NAMES),
    "unnamed TaskRelations": TaskRelations(GRAPH),
}


@pytest.mark.parametrize("y", SLICEABLE.values(), ids=SLICEABLE)
@pytest.mark.parametrize("features", [X, FRAME], ids=["array", "frame"])
def test_folds_train_on_the_relations_inside_and_score_those_across(features, y):
    if features is FRAME and not getattr(y, "named", True):
        pytest.skip("names of X without names of the relations")
    train, test = np.arange(0, 30), np.arange(30, N)
    cut = (lambda a, rows: a.iloc[rows]) if features is FRAME else (lambda a, rows: a[rows])
    y_train, y_test = y.iloc[train], y.iloc[test]
    model = quick().fit(cut(features, train), y_train)
    assert len(model.tasks_) == 30
    strengths, predicted = model.compare(cut(features, test), y_test)
    # new in known and known in new, and new in new
    assert len(strengths) == len(predicted) == 2 * 10 * 30 + 10 * 9
    everything = np.ix_(test, np.r_[test, train])
    assert strengths.sum() == MATRIX[everything].sum() + MATRIX[np.ix_(train, test)].sum()
    new = model.predict_proba(cut(features, test))
    # of each new task: the other new ones, then the known ones
    by_task = predicted[: 10 * 39].reshape(10, 39)
    np.testing.assert_allclose(by_task[:, 9:], new, atol=1e-12)


def test_all_sliceable_formats_give_the_same_folds():
    folds = KFold(3, shuffle=True, random_state=0)
    scores = [
        cross_val_score(quick(max_epochs=5), X, y, cv=folds) for y in SLICEABLE.values()
    ]
    np.testing.assert_allclose(scores[0], scores[1])
    np.testing.assert_allclose(scores[0], scores[2])
    assert np.isfinite(scores).all()


def test_new_tasks_are_embedded_better_than_by_chance():
    y = SLICEABLE["TaskRelations"]
    share = MATRIX.sum() / (N * (N - 1))
    scores = cross_val_score(
        quick(max_epochs=100), X, y, cv=KFold(2, shuffle=True, random_state=0)
    )
    assert scores.mean() > 3 * share


def test_direction_and_closure_hold_across_folds():
    direct = nx.transitive_reduction(NAMED).reverse()
    train, test = np.arange(0, 30), np.arange(30, N)
    y = TaskRelations(direct, tasks=NAMES, direction="container_to_member")
    model = quick(max_epochs=5).fit(X[train], y.iloc[train])
    strengths, _ = model.compare(X[test], y.iloc[test])
    assert strengths.sum() == MATRIX[test].sum() + MATRIX[np.ix_(train, test)].sum()


@pytest.mark.parametrize("search", [GridSearchCV, HalvingGridSearchCV])
def test_grid_search_over_tasks(search):
    grid = search(
        make_pipeline(StandardScaler(), quick(max_epochs=8)),
        {"boxrelationembedder__box_dim": [2, 3]},
        cv=3,
        **(
            {"random_state": 0, "min_resources": 20}
            if search is HalvingGridSearchCV
            else {}
        ),
    )
    grid.fit(X, nx.to_pandas_adjacency(NAMED, nodelist=NAMES))
    assert np.isfinite(grid.best_score_)
    assert grid.predict_proba(X).shape == (N, N)
    assert grid.transform(X).shape == (
        N,
        2 * grid.best_params_["boxrelationembedder__box_dim"],
    )


def test_curves_and_splits_over_tasks():
    y = TaskRelations(NAMED, tasks=NAMES)
    _, _, scores = learning_curve(quick(max_epochs=20), X, y, train_sizes=[0.6, 1.0], cv=3)
    assert np.isfinite(scores).all()
    X_train, X_test, y_train, y_test = train_test_split(FRAME, y, random_state=0)
    assert quick().fit(X_train, y_train).score(X_test, y_test) > 0
    names = ("average_precision", "roc_auc", "f1", "spearman")
    results = cross_validate(
        make_pipeline(StandardScaler(), quick()),
        X,
        y,
        cv=ShuffleSplit(2, test_size=0.3, random_state=0),
        scoring={name: make_relation_scorer(name) for name in names},
    )
    for name in names:
        assert np.isfinite(results[f"test_{name}"]).all()


def test_leave_one_out_scores_each_related_task():
    chain = nx.transitive_closure(nx.DiGraph([(i, i + 1) for i in range(7)]))
    y = TaskRelations(chain)
    scores = cross_val_score(quick(max_epochs=5), X[:8], y, cv=LeaveOneOut())
    assert np.isfinite(scores).all()


@pytest.mark.parametrize(
    "y",
    [MATRIX, sparse.csr_matrix(MATRIX), GRAPH, np.array([*GRAPH.edges][:N])],
    ids=["matrix", "sparse matrix", "graph", "as many edges as tasks"],
)
def test_formats_that_splitters_cut_wrongly_are_refused(y):
    # Later versions of scikit-learn refuse some of them themselves.
    with pytest.raises(ValueError, match="survive slicing|must be an array-like"):
        cross_val_score(quick(), X, y, cv=3, error_score="raise")


# -- over pairs ------------------------------------------------------------------------
LINKS = {
    "embedder": TaskLinkClassifier(quick()),
    "pipeline": TaskLinkClassifier(make_pipeline(StandardScaler(), quick())),
    "popularity": TaskLinkClassifier(PopularityModel()),
    "closure": TaskLinkClassifier(ClosureModel()),
}


@pytest.fixture(scope="module")
def labelled_pairs():
    return TaskPairs.from_graph(NAMED, FRAME, random_state=0)


@pytest.mark.parametrize("links", LINKS.values(), ids=LINKS)
def test_links_are_classified(links, labelled_pairs):
    pairs, y = labelled_pairs
    train, test, y_train, y_test = train_test_split(pairs, y, stratify=y, random_state=0)
    links = clone(links).fit(train, y_train)
    assert links.classes_.tolist() == [0, 1]
    proba = links.predict_proba(test)
    assert proba.shape == (len(test), 2)
    np.testing.assert_allclose(proba.sum(axis=1), 1)
    np.testing.assert_array_equal(links.predict(test), proba.argmax(axis=1))
    assert links.score(test, y_test) >= 1 - y_test.mean() - 0.05


SCORERS = [
    name
    for name in sorted(get_scorer_names())
    if name.split("_")[0]
    in ("accuracy", "average", "balanced", "f1", "jaccard", "matthews", "neg", "precision")
    or name.startswith(("recall", "roc_auc", "d2_log", "d2_brier"))
]
SCORERS = [
    name
    for name in SCORERS
    if ("neg_" not in name or name in ("neg_log_loss", "neg_brier_score"))
    and not name.startswith("neg_negative")
    and "samples" not in name
]


def test_every_string_scorer_works_on_links(labelled_pairs):
    pairs, y = labelled_pairs
    keep = np.r_[np.flatnonzero(y)[:40], np.flatnonzero(y == 0)[:200]]
    result = cross_validate(LINKS["pipeline"], pairs[keep], y[keep], cv=2, scoring=SCORERS)
    assert len(SCORERS) > 20
    for name in SCORERS:
        assert np.isfinite(result[f"test_{name}"]).all(), name


@pytest.mark.slow
@pytest.mark.xdist_group("processes")
def test_grid_search_over_relations(labelled_pairs):
    pairs, y = labelled_pairs
    search = GridSearchCV(
        LINKS["pipeline"],
        {"embedder__boxrelationembedder__box_dim": [2, 5]},
        scoring="average_precision",
        cv=3,
        n_jobs=2,
    )
    search.fit(pairs, y)
    assert search.best_score_ > 3 * y.mean()
    assert search.predict(pairs).shape == y.shape


@pytest.mark.parametrize("ensemble", [True, False])
def test_links_can_be_calibrated(ensemble, labelled_pairs):
    pairs, y = labelled_pairs
    model = CalibratedClassifierCV(LINKS["embedder"], cv=2, ensemble=ensemble)
    proba = model.fit(pairs, y).predict_proba(pairs)
    assert proba.shape == (len(y), 2)
    assert np.isfinite(proba).all()
    out_of_fold = cross_val_predict(
        LINKS["embedder"], pairs, y, cv=2, method="predict_proba"
    )
    assert out_of_fold.shape == (len(y), 2)


# -- both ------------------------------------------------------------------------------
def _round_trips(model):
    yield pickle.loads(pickle.dumps(model))
    yield copy.deepcopy(model)
    buffer = io.BytesIO()
    joblib.dump(model, buffer)
    buffer.seek(0)
    yield joblib.load(buffer)


def test_fitted_models_survive_storage(labelled_pairs):
    pairs, y = labelled_pairs
    embedder = quick(early_stopping=True).fit(FRAME, NAMED)
    links = clone(LINKS["pipeline"]).fit(pairs, y)
    for again in _round_trips(embedder):
        np.testing.assert_array_equal(again.transform(FRAME), embedder.boxes_)
        assert again.threshold_ == embedder.threshold_
    for again in _round_trips(links):
        np.testing.assert_array_equal(
            again.predict_proba(pairs), links.predict_proba(pairs)
        )


def test_stored_models_hold_the_features_once():
    wide = np.random.RandomState(0).normal(size=(N, 5000))
    model = quick(early_stopping=True, hidden_layer_sizes=(4,), teacher=None)
    model.fit(wide, MATRIX)
    # Beside them, the rotation into the span of the tasks is part of the model.
    assert len(pickle.dumps(model)) < 2.1 * N * 5000 * 8


@pytest.mark.parametrize(
    "estimator",
    [*EMBEDDERS.values(), *LINKS.values(), PopularityModel(), ClosureModel()],
    ids=lambda e: type(e).__name__,
)
def test_clones_keep_parameters(estimator):
    again = clone(estimator)
    assert repr(again) == repr(estimator)
    assert again.get_params().keys() == estimator.get_params().keys()


def test_pairs_under_array_api_dispatch(labelled_pairs):
    if sklearn.__version__.startswith("1.7."):
        pytest.skip("scikit-learn 1.7 refuses data frames under array API dispatch")
    pairs, y = labelled_pairs
    try:
        with sklearn.config_context(array_api_dispatch=True):
            scores = cross_val_score(LINKS["embedder"], pairs, y, cv=2)
            parts = train_test_split(pairs, y, stratify=y, random_state=0)
    except ImportError as error:
        pytest.skip(str(error))
    assert np.isfinite(scores).all()
    assert isinstance(parts[0], TaskPairs)
