"""RelationModel: a model of one's own, and what all models share."""

import tracemalloc

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.exceptions import NotFittedError
from sklearn.metrics import average_precision_score
from sklearn.model_selection import cross_val_score

from sklearn_task2box import (
    BoxRelationEmbedder,
    DistilledBoxEmbedder,
    RelationEnsemble,
    TaskLinkClassifier,
    TaskPairs,
    TaskRelations,
    models,
)
from sklearn_task2box import base as module
from sklearn_task2box.base import RelationModel
from sklearn_task2box.metrics import make_relation_scorer
from sklearn_task2box.models import PopularityModel
from sklearn_task2box.utils import _block_scores

X = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 2.0]])


class Share(RelationModel):
    """How much of the sum of one task's features is left in another's."""

    def _fit_pairs(self, X, pairs):
        self.n_related_ = pairs.n_related

    def _represent(self, X, known):
        return np.asarray(X.sum(axis=1)).reshape(-1, 1)

    def _pair_strengths(self, tasks, heads, tails):
        heads, tails = tasks[heads, 0], tasks[tails, 0]
        return np.divide(np.minimum(heads, tails), heads, where=heads > 0, out=heads * 0)


def fitted():
    return Share().fit(X, [(0, 1)])


def test_tasks_are_related_to_the_known_ones():
    strengths = fitted().predict_proba(X[[2, 1]])
    np.testing.assert_array_equal(strengths, [[0, 0.5, 1, 1], [0, 1, 1, 1]])


def test_pairs_are_predicted_in_their_order():
    predictor = fitted()
    asked = TaskPairs(pd.DataFrame(X, index=list("abcd")), [("d", "b"), ("b", "d")])
    np.testing.assert_array_equal(predictor.predict_proba(asked), [[0.5, 0.5], [0, 1]])


def test_a_strength_at_the_threshold_is_a_relation():
    predictor = fitted()
    predictor.threshold_ = 0.5
    np.testing.assert_array_equal(predictor.predict(X[[2]]), [[False, True, True, True]])
    pairs = TaskPairs(X, [(2, 1), (2, 0)])
    np.testing.assert_array_equal(predictor.predict(pairs), [True, False])


def test_all_observed_pairs_are_compared_but_no_task_with_itself(monkeypatch):
    shares = np.random.default_rng(0).uniform(size=(4, 4))
    shares[1, 2] = np.nan
    np.fill_diagonal(shares, 1)
    predictor = fitted()
    strengths, predicted = predictor.compare(X, shares)
    observed = ~np.isnan(shares) & ~np.eye(4, dtype=bool)
    np.testing.assert_array_equal(strengths, shares[observed])
    np.testing.assert_array_equal(predicted, predictor.predict_proba(X)[observed])
    for name, value in [("_BLOCK", 5), ("_TABLE_FROM_SHARE", 1.0)]:
        monkeypatch.setattr(module, name, value)  # a row at a time, then pair by pair
        again = predictor.compare(X, shares)
        np.testing.assert_array_equal(again[0], strengths)
        np.testing.assert_array_equal(again[1], predicted)


@pytest.mark.parametrize(("graded", "score"), [(True, 0.948683), (False, 1.0)])
def test_the_score_is_that_of_what_is_compared(graded, score, monkeypatch):
    predictor = fitted()
    predictor._graded = graded
    blocks = [(np.arange(4), np.array([0, 1, 2, 2]), np.array([4]))]
    monkeypatch.setattr(predictor, "compare_blocks", lambda X, y: blocks)
    assert predictor.score(X) == pytest.approx(score)


def tree(n):
    """Features that tie, and the containers of each task up to the root."""
    features = np.random.RandomState(0).randint(1, 4, size=(n, 2)).astype(float)
    return features, TaskRelations([(i, (i - 1) // 3) for i in range(1, n)], range(n))


NAMES = [
    "average_precision", "roc_auc", "f1", "spearman", "mean_average_precision",
    "neg_mean_rank", "mean_spearman_within",
]  # fmt: skip


@pytest.mark.parametrize("graded", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_every_score_of_blocks_is_that_of_all_pairs(name, graded, monkeypatch):
    features, relations = tree(60)
    if graded:
        strengths = np.random.RandomState(0).uniform(size=(60, 60)).round(2)
        relations = TaskRelations(relations.toarray() * strengths, range(60))
    model = Share().fit(features, relations)
    whole = make_relation_scorer(name)(model, features, relations)
    monkeypatch.setattr(module, "_BLOCK", 300)
    in_blocks = make_relation_scorer(name)(model, features, relations)
    assert in_blocks == pytest.approx(whole, abs=1e-6)
    if name == "spearman" and graded:
        assert model.score(features, relations) == in_blocks


@pytest.mark.parametrize("block", [300, 1 << 22])
def test_the_score_of_blocks_is_that_of_all_pairs(block, monkeypatch):
    monkeypatch.setattr(module, "_BLOCK", block)
    features, relations = tree(60)
    model = Share().fit(features, relations)
    strengths, predicted = model.compare(features, relations)
    expected = average_precision_score(strengths, predicted)
    assert model.score(features, relations) == pytest.approx(expected)
    scorer = make_relation_scorer("average_precision")
    assert scorer(model, features, relations) == pytest.approx(expected)


@pytest.mark.parametrize("name", [None, "f1", "roc_auc", "neg_mean_rank", "spearman"])
def test_scores_hold_a_block_of_pairs_and_show_progress(name, monkeypatch, capsys):
    monkeypatch.setattr(module, "_BLOCK", 1 << 14)
    monkeypatch.setattr(_block_scores, "_DROPPED", 15)  # as many bins fewer
    features, relations = tree(700)
    model = Share().fit(features, relations)
    model.verbose = 1
    score = make_relation_scorer(name) if name else lambda model, *data: model.score(*data)
    tracemalloc.start()
    score(model, features, relations)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 700**2 * 8  # one number for each pair
    assert "comparing pairs" in capsys.readouterr().err


def test_nan_is_no_prediction_to_be_scored():
    features, relations = tree(30)
    model = Share().fit(features, relations)
    model._table = lambda tasks, others: np.full((len(tasks), len(others)), np.nan)
    with pytest.raises(ValueError, match="predicted are NaN"):
        model.score(features, relations)


@pytest.mark.parametrize("name", ["average_precision", "roc_auc", "r2", "accuracy"])
def test_scorers_by_name_are_refused_over_tasks(name):
    features, relations = tree(30)
    # scikit-learn 1.6 refuses some of them itself, since a relation model is no classifier
    refusal = "make_relation_scorer|Got a regressor with response_method"
    with pytest.raises((TypeError, ValueError), match=refusal):
        cross_val_score(Share(), features, relations, scoring=name, error_score="raise")
    assert np.asarray(relations).shape == (30, 30)
    assert relations[:3].toarray().shape == (3, 30)


def test_relations_to_score_with_are_left_out_only_where_they_were_in_fit():
    with pytest.raises(ValueError, match="y is None, and this model learned relations"):
        fitted().score(X)
    neighbors = TaskRelations.from_neighbors(X)
    assert Share().fit(X).score(X) == Share().fit(X, neighbors).score(X, neighbors)


def test_class_labels_and_sparse_features_are_refused_with_the_way_out():
    predictor = Share().fit(X, [0, 0, 1, 1])
    with pytest.raises(ValueError, match="TaskRelations.from_labels"):
        predictor.predict_proba(sparse.csr_matrix(X))


def test_it_must_be_fitted():
    with pytest.raises(NotFittedError):
        Share().predict_proba(X)


@pytest.mark.parametrize("name", ["predict_proba", "predict", "score", "compare"])
def test_all_models_predict_and_score_alike(name):
    mine = getattr(RelationModel, name)
    classes = [BoxRelationEmbedder, DistilledBoxEmbedder, RelationEnsemble]
    classes += [getattr(models, one) for one in models.__all__]
    assert all(getattr(cls, name) is mine for cls in classes)


@pytest.mark.parametrize("X", ["a", ["a", "b"], [("a", "b")]])
def test_names_are_no_features(X):
    predictor = Share().fit(np.eye(2) + 1, [(0, 1)])
    with pytest.raises(
        ValueError,
        match=r"must be features of tasks; got .*X.loc\[names\], .*TfidfVectorizer",
    ):
        predictor.predict_proba(X)


def test_a_model_of_ones_own_is_queried():
    model = fitted()
    indices, strengths = model.supersets(k=2)
    assert (indices != np.arange(4)[:, None]).all()
    np.testing.assert_array_equal(strengths[3], [1, 0.5])  # in 2, and by half in 1
    known, _ = model.supersets(X, k=2)
    np.testing.assert_array_equal(known, indices)  # a known task is no answer to itself
    frame = model.subsets(X[[3]], k=1, as_frame=True)
    assert frame.columns.tolist() == ["task", "member", "strength"]
    np.testing.assert_array_equal(frame["member"], [1])
    table = model.pairwise_strengths()
    graph = model.to_networkx(threshold=0.9, reduce=False)
    expected = (table >= 0.9) & ~np.eye(4, dtype=bool)
    assert set(graph.edges) == set(map(tuple, np.argwhere(expected)))


def test_a_model_of_ones_own_is_blended_and_classifies_links(taxonomy):
    features, graph = taxonomy
    features = np.abs(features)
    members = [("share", Share()), ("popularity", PopularityModel())]
    ensemble = RelationEnsemble(members, random_state=0).fit(features, graph)
    assert ensemble.score(features, graph) > 1.5 * graph.size() / 40**2
    pairs, y = TaskPairs.from_graph(graph, features, negatives=1, random_state=0)
    links = TaskLinkClassifier(Share()).fit(pairs, y)
    assert links.predict_proba(pairs).shape == (len(y), 2)


def test_too_many_pairs_are_compared_in_blocks_only(monkeypatch):
    monkeypatch.setattr(module, "_MAX_COMPARED", 12)
    model = fitted()
    assert len(model.compare(X, np.eye(4))[0]) == 12
    five = np.vstack([X, X[:1] + 3])
    with pytest.raises(ValueError, match="more than 12 pairs.*compare_blocks"):
        model.compare(five, np.eye(5))
    assert sum(len(block[0]) for block in model.compare_blocks(five, np.eye(5))) == 20


@pytest.mark.parametrize(
    ("known", "new", "message"),
    [
        (X, 1e13 * X, "up to 2e.13, and the X of fit had none above 2.*units"),
        (1e260 * X, None, "largest value of X is 2e.260.*Scale X into 1e-250 to 1e.250"),
        (1e-260 * X, None, "largest value of X is 2e-260"),
    ],
)
@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix])
def test_features_beyond_what_can_be_computed_are_refused(known, new, message, kind):
    model = PopularityModel()
    with pytest.raises(ValueError, match=message):
        model.fit(kind(known), [(0, 1)]).predict_proba(kind(new))


def test_sparse_features_are_asked_of_a_dense_fit_and_back():
    for model in (models.NeighborsModel(), models.KernelRidgeModel(), PopularityModel()):
        dense = model.fit(X, [(0, 1), (2, 1)]).predict_proba(X + 1)
        asked = model.predict_proba(sparse.csr_matrix(X + 1))
        np.testing.assert_array_equal(asked, dense)
        rows = sparse.csr_matrix(X)
        expected = model.fit(rows, [(0, 1), (2, 1)]).predict_proba(rows[:2])
        np.testing.assert_array_equal(model.predict_proba(X[:2]), expected)


def test_verbose_fits_tell_how_relations_were_read(named_taxonomy, capsys):
    X, graph = named_taxonomy
    model = BoxRelationEmbedder(2, max_epochs=1, hidden_layer_sizes=(4,), verbose=1)
    model.fit(X.to_numpy(), nx.to_pandas_adjacency(graph, nodelist=X.index))
    warned = "X has no names: labelled relations are taken in the order of its rows"
    assert warned in capsys.readouterr().out
    model.fit(X, nx.transitive_reduction(graph))
    shown = capsys.readouterr().out
    assert warned not in shown
    n_added = graph.number_of_edges() - nx.transitive_reduction(graph).number_of_edges()
    assert f"closed: {n_added} pairs added" in shown
