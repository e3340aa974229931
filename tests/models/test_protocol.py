"""What every relation model in ``models`` promises: the protocol of RelationModel."""

import pickle

import networkx as nx
import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
from conftest import make_taxonomy
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import KFold, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_task2box import TaskLinkClassifier, TaskPairs, TaskRelations
from sklearn_task2box.metrics import make_relation_scorer, relation_score
from sklearn_task2box.models import (
    AdditiveModel,
    ClosureModel,
    GeometryModel,
    KernelRidgeModel,
    NeighborsModel,
    PairClassifier,
    PopularityModel,
    RandomModel,
    SimilarityModel,
)

pytestmark = pytest.mark.usefixtures("few_steps")

X, GRAPH = make_taxonomy()
N = len(X)
NAMES = [f"task {i}" for i in range(N)]
FRAME = pd.DataFrame(X, index=NAMES)
NAMED = nx.relabel_nodes(GRAPH, dict(enumerate(NAMES)))
MATRIX = nx.to_numpy_array(GRAPH, nodelist=range(N))

QUICK = {"hidden_layer_sizes": (16,), "random_state": 0}
GRAPH_ONLY = {
    "popularity": PopularityModel(),
    "closure": ClosureModel(),
    "additive": AdditiveModel(),
}
OF_FEATURES = {
    "random": RandomModel(random_state=0),
    "gaussian_kl": SimilarityModel("gaussian_kl"),
    "asymmetric_cosine": SimilarityModel("asymmetric_cosine"),
    "euclidean": SimilarityModel("euclidean"),
    "neighbors": NeighborsModel(),
    "kernel_ridge": KernelRidgeModel(),
    "linear": PairClassifier("linear", max_iter=20, random_state=0),
    "mlp": PairClassifier("mlp", max_iter=20, **QUICK),
    "boosted_trees": PairClassifier(
        "boosted_trees", max_iter=5, max_pairs=500, random_state=0
    ),
    **{
        name: GeometryModel(name, n_components=4, max_epochs=20, **QUICK)
        for name in ("order", "gaussian", "poincare", "cone", "bilinear")
    },
}
MODELS = {**GRAPH_ONLY, **OF_FEATURES}
every = pytest.mark.parametrize("unfitted", MODELS.values(), ids=MODELS)
FORMATS = {
    "graph": (X, GRAPH),
    "labelled frame": (FRAME, nx.to_pandas_adjacency(NAMED, nodelist=NAMES)),
    "weighted edges": (X, np.array(list(GRAPH.edges(data="weight", default=0.8)))),
    "edges by name": (FRAME, list(NAMED.edges)),
    "matrix": (X, MATRIX),
    "unknown pairs": (X, np.where(np.arange(N) % 3 == 0, np.nan, MATRIX)),
    "sparse features": (sparse.csr_matrix(X), sparse.csr_matrix(MATRIX)),
    "TaskRelations": (X, TaskRelations(NAMED, tasks=NAMES, unobserved="negative")),
    "related pairs only": (
        X,
        TaskRelations(list(GRAPH.edges), np.arange(N), unobserved="unknown"),
    ),
    "labels": (X, np.arange(N) % 4),
    "nothing": (X, None),
}


@pytest.mark.filterwarnings("ignore:No pair is observed to be unrelated")
@pytest.mark.parametrize("given", FORMATS.values(), ids=FORMATS)
@pytest.mark.parametrize("name", ["closure", "gaussian_kl", "linear", "order"])
def test_every_input_format_of_relations(name, given):
    features, y = given
    model = clone(MODELS[name]).fit(features, y)
    strengths = model.predict_proba(features)
    assert strengths.shape == (N, len(model.tasks_)) == (N, N)
    assert ((strengths >= 0) & (strengths <= 1)).all()
    np.testing.assert_array_equal(model.predict(features), strengths >= model.threshold_)
    pairs = TaskPairs(features, [(0, 1), (1, 0)])
    proba = model.predict_proba(pairs)
    np.testing.assert_allclose(proba.sum(axis=1), 1)
    np.testing.assert_array_equal(model.predict(pairs), proba[:, 1] >= model.threshold_)
    off = ~np.eye(N, dtype=bool)
    assert np.ptp(strengths[off]) > 0  # the model says more than a constant


@pytest.mark.parametrize("unfitted", OF_FEATURES.values(), ids=OF_FEATURES)
def test_pairs_and_tables_agree(unfitted):
    model = clone(unfitted).fit(X, GRAPH)
    new = X[:3] + 1
    pairs = np.array([(i, 3 + j) for i in range(3) for j in range(N)])
    related = model.predict_proba(TaskPairs(np.vstack([new, X]), pairs))[:, 1]
    table = model.predict_proba(new)
    np.testing.assert_allclose(related.reshape(3, N), table, rtol=1e-4, atol=1e-7)


@every
def test_same_seed_same_strengths_and_global_state_is_left_alone(unfitted):
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    first, second = (clone(unfitted).fit(X, GRAPH).predict_proba(X) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert torch.equal(torch.get_rng_state(), before[0])
    np.testing.assert_array_equal(np.random.get_state()[1], before[1])
    if "random_state" in unfitted.get_params():
        other = clone(unfitted).set_params(random_state=1).fit(X, GRAPH).predict_proba(X)
        assert not np.allclose(first, other)


@every
def test_stored_models_and_clones_are_equal(unfitted):
    model = clone(unfitted).fit(FRAME, NAMED)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict_proba(FRAME), model.predict_proba(FRAME))
    assert repr(clone(model)) == repr(unfitted)


@every
def test_a_failed_fit_leaves_the_model_as_it_was(unfitted):
    with pytest.raises(NotFittedError):
        clone(unfitted).predict_proba(X)
    model = clone(unfitted).fit(X, GRAPH)
    before = model.predict_proba(X)
    with pytest.raises(ValueError, match="nothing to learn"):
        model.fit(X[:3], np.zeros((3, 3)))
    with pytest.raises(ValueError, match="features"):
        model.predict_proba(X[:, :3])
    np.testing.assert_array_equal(model.predict_proba(X), before)


@every
def test_compare_has_all_pairs_with_a_held_out_task(unfitted):
    frame = nx.to_pandas_adjacency(NAMED, nodelist=NAMES)
    train, test = np.arange(0, 30), np.arange(30, N)
    results = []
    for y in (frame, TaskRelations(NAMED, tasks=NAMES)):
        model = clone(unfitted).fit(FRAME.iloc[train], y.iloc[train])
        strengths, predicted = model.compare(FRAME.iloc[test], y.iloc[test])
        # new in known and known in new, and new in new
        assert len(strengths) == len(predicted) == 2 * 10 * 30 + 10 * 9
        expected = MATRIX[test].sum() + MATRIX[np.ix_(train, test)].sum()
        assert strengths.sum() == expected
        results.append(np.sort(predicted))
        score = model.score(FRAME.iloc[test], y.iloc[test])
        assert score == relation_score(strengths, predicted, graded=False)
    np.testing.assert_allclose(*results, rtol=1e-5)


def test_compared_pairs_are_those_predicted():
    y = TaskRelations(NAMED, tasks=NAMES)
    train, test = np.arange(0, 30), np.arange(30, N)
    model = PairClassifier("linear", max_iter=50, random_state=0)
    model.fit(X[train], y.iloc[train])
    strengths, predicted = model.compare(X[test], y.iloc[test])
    rows = np.r_[test, train]
    ends = [(i, j) for i in rows for j in rows if i != j and (i >= 30 or j >= 30)]
    np.testing.assert_array_equal(strengths, [MATRIX[i, j] for i, j in ends])
    related = model.predict_proba(TaskPairs(X, ends))[:, 1]
    np.testing.assert_allclose(predicted, related, rtol=1e-5)


def test_cross_validation_over_tasks_and_over_relations():
    y = TaskRelations(NAMED, tasks=NAMES)
    folds = KFold(3, shuffle=True, random_state=0)
    model = make_pipeline(StandardScaler(), MODELS["cone"])
    for name in ("average_precision", "roc_auc", "f1", "spearman"):
        scores = cross_val_score(model, X, y, cv=folds, scoring=make_relation_scorer(name))
        assert np.isfinite(scores).all()


@every
def test_link_classifier_accepts_the_model(unfitted):
    pairs, y = TaskPairs.from_graph(GRAPH, X, random_state=0)
    train, test, y_train, _ = train_test_split(pairs, y, stratify=y, random_state=0)
    links = TaskLinkClassifier(unfitted).fit(train, y_train)
    proba = links.predict_proba(test)
    assert proba.shape == (len(test), 2)
    np.testing.assert_allclose(proba.sum(axis=1), 1)
    np.testing.assert_array_equal(links.predict(test), proba.argmax(axis=1))


@every
def test_output_as_frames_everywhere_does_not_matter(unfitted):
    expected = clone(unfitted).fit(FRAME, NAMED).predict_proba(X[:5] + 1)
    with sklearn.config_context(transform_output="pandas"):
        found = clone(unfitted).fit(FRAME, NAMED).predict_proba(X[:5] + 1)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("name", GRAPH_ONLY)
def test_pairs_of_other_features_are_no_known_tasks(name):
    model = clone(GRAPH_ONLY[name]).fit(X, GRAPH)
    pairs = list(GRAPH.edges)
    noise = np.random.RandomState(0).normal(size=X.shape)
    new = model.predict_proba(TaskPairs(noise, pairs))[:, 1]
    known = model.predict_proba(TaskPairs(X, pairs))[:, 1]
    assert np.ptp(new) == 0  # features say nothing to these models
    assert np.ptp(known) > 0 or known.mean() > new.mean()
