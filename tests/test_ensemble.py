"""RelationEnsemble: members, blending, calibration, and what does not matter."""

import os

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from conftest import make_taxonomy
from joblib import parallel_config
from joblib.parallel import ThreadingBackend
from scipy import sparse
from scipy.special import expit
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, log_loss
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.tree import DecisionTreeClassifier

from sklearn_task2box import (
    BoxRelationEmbedder,
    RelationEnsemble,
    TaskPairs,
    TaskRelations,
)
from sklearn_task2box.ensemble import (
    StrengthBlend,
    default_estimators,
    fit_final_estimators,
    held_out_splits,
    independent_share,
    set_seeds,
)
from sklearn_task2box.metrics import expected_calibration_error, make_relation_scorer
from sklearn_task2box.models import (
    ClosureModel,
    GeometryModel,
    NeighborsModel,
    PopularityModel,
    RandomModel,
    SimilarityModel,
)
from sklearn_task2box.relations import as_relations

pytestmark = pytest.mark.usefixtures("few_steps", "held_out_once")

X, GRAPH = make_taxonomy()
N = len(X)
NAMES = [f"task {i}" for i in range(N)]
FRAME = pd.DataFrame(X, NAMES)
NAMED = nx.relabel_nodes(GRAPH, dict(enumerate(NAMES)))
STRENGTHS = nx.to_numpy_array(GRAPH, nodelist=range(N))


def members():
    """Members that are fitted in no time."""
    settings = {"hidden_layer_sizes": (16,), "max_epochs": 60, "teacher": None}
    boxes = BoxRelationEmbedder(4, **settings)
    return [("boxes", boxes), ("closure", ClosureModel()), ("like", SimilarityModel())]


@pytest.fixture(scope="module")
def fitted():
    return RelationEnsemble(members(), random_state=0).fit(FRAME, NAMED)


# -- composition -----------------------------------------------------------------------
def test_default_members_have_names_of_their_own_and_are_made_anew():
    one, other = default_estimators(), default_estimators()
    assert len({name for name, _ in one}) == len(one)
    assert all(a is not b for (_, a), (_, b) in zip(one, other, strict=True))


def test_members_are_fitted_clones(fitted):
    assert list(fitted.named_estimators_) == ["boxes", "closure", "like"]
    given = dict(fitted.estimators)
    assert all(not hasattr(member, "tasks_") for member in given.values())
    assert isinstance(fitted.named_estimators_["closure"], ClosureModel)
    assert all(len(member.tasks_) == N for member in fitted.estimators_)


def test_members_are_exchanged_dropped_and_set():
    model = RelationEnsemble(members(), random_state=0)
    model.set_params(closure="drop", boxes__box_dim=2, like=PopularityModel())
    assert model.get_params()["boxes__box_dim"] == 2
    model.fit(X, GRAPH)
    assert list(model.named_estimators_) == ["boxes", "like"]
    assert model.named_estimators_["boxes"].boxes_.shape == (N, 4)
    assert isinstance(model.named_estimators_["like"], PopularityModel)
    assert len(model.final_estimators_["known"].weights_) == 2


def test_nested_parameters_of_default_members_need_a_list():
    with pytest.raises(ValueError, match=r"RelationEnsemble\(default_estimators\(\)\)"):
        RelationEnsemble().set_params(neighbors__n_neighbors=3)
    model = RelationEnsemble(default_estimators()).set_params(neighbors__n_neighbors=3)
    assert dict(model.estimators)["neighbors"].n_neighbors == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"estimators": ClosureModel()}, r"list of \(name, relation model\)"),
        ({"estimators": [("closure", 3)]}, "'closure' must be a relation model or 'drop'"),
        ({"estimators": [("a", ClosureModel()), ("a", ClosureModel())]}, "not unique"),
        ({"estimators": [("a__b", ClosureModel())]}, "must not contain __"),
        ({"estimators": [("closure", "drop")]}, "no member left"),
        ({"cv": 1}, "'auto' or a whole number from 2; got 1"),
        ({"cv": True}, "got True"),
    ],
)
def test_wrong_arguments_are_named_in_fit(options, message):
    with pytest.raises(ValueError, match=message):
        RelationEnsemble(**{"estimators": members(), **options}).fit(X, GRAPH)


@pytest.mark.slow
def test_a_grid_search_over_members():
    boxes = BoxRelationEmbedder(4, hidden_layer_sizes=(16,), max_epochs=10, teacher=None)
    search = GridSearchCV(
        RelationEnsemble([("boxes", boxes), ("closure", ClosureModel())], random_state=0),
        {"boxes__box_dim": [1, 4], "closure": ["drop", PopularityModel()]},
        cv=KFold(2, shuffle=True, random_state=0),
    )
    search.fit(FRAME, TaskRelations(NAMED, tasks=NAMES))
    scores = search.cv_results_["mean_test_score"]
    assert np.isfinite(scores).all()
    assert len(set(scores)) > 1


def test_a_worker_of_a_search_fits_all_members_itself():
    pids = set()

    class Located(ClosureModel):
        def fit(self, X, y=None):
            pids.add(os.getpid())
            return super().fit(X, y)

    worker = ThreadingBackend(nesting_level=1)  # as joblib sets it in its processes
    with parallel_config(backend=worker):
        RelationEnsemble([("one", Located())], n_jobs=-1).fit(X, GRAPH)
    assert pids == {os.getpid()}


@pytest.mark.parametrize("n_tasks", [2, 3, 4])
@pytest.mark.parametrize("seed", range(2))
def test_members_count_alike_where_too_few_tasks_can_be_held_out(n_tasks, seed):
    members = [("popularity", PopularityModel()), ("neighbors", NeighborsModel())]
    ensemble = RelationEnsemble(members, random_state=seed).fit(X[:n_tasks], [(0, 1)])
    assert ensemble.final_estimators_["known"].weights_.tolist() == [0.5, 0.5]
    assert ensemble.predict_proba(X[:1])[0, 1] > 0.5


# -- blending --------------------------------------------------------------------------
def test_a_good_member_outweighs_noise():
    features, graph = make_taxonomy(n_tasks=120)
    noisy = [("closure", ClosureModel()), ("noise", RandomModel())]
    model = RelationEnsemble(noisy, random_state=0).fit(features, graph)
    closure, noise = model.final_estimators_["known"].weights_
    assert 0 <= noise < 0.5 * closure


def test_weights_are_those_of_a_penalized_logistic_stack():
    rng = np.random.RandomState(0)
    logits = rng.normal(size=(4000, 3))
    y = (rng.uniform(size=4000) < expit(logits @ [1.5, 0.5, 0.0] - 1)).astype(float)
    weak = StrengthBlend(penalty=1e-6).fit(expit(logits), y)
    np.testing.assert_allclose(weak.weights_, [1.5, 0.5, 0.0], atol=0.15)
    assert weak.intercept_ == pytest.approx(-1, abs=0.15)
    strong = StrengthBlend(penalty=1e9).fit(expit(logits), y)
    np.testing.assert_allclose(strong.weights_, 1 / 3, atol=1e-4)
    expected = expit(logits @ weak.weights_ + weak.intercept_)
    np.testing.assert_allclose(weak.predict(expit(logits)), expected)


def test_sample_weights_stand_for_repeated_pairs():
    rng = np.random.RandomState(0)
    predicted, y = rng.uniform(size=(50, 2)), rng.randint(2, size=50).astype(float)
    counts = rng.randint(1, 4, size=50)
    weighted = StrengthBlend().fit(predicted, y, sample_weight=counts)
    repeated = StrengthBlend().fit(np.repeat(predicted, counts, 0), np.repeat(y, counts))
    np.testing.assert_allclose(weighted.weights_, repeated.weights_, atol=1e-4)


@pytest.mark.parametrize(
    ("tasks", "share"),
    [([0, 1, 2, 2], 1.0), ([0, 0, 0, 1, 1, 1], 1 / 3), ([7] * 50 + [3, 3], 0.02)],
)
def test_relations_of_one_task_count_less(tasks, share):
    strengths = np.ones(len(tasks))
    if len(tasks) == 4:
        strengths[3] = 0  # an unrelated pair
    assert independent_share(strengths, np.array(tasks)) == pytest.approx(share, rel=0.05)
    assert independent_share(0 * strengths, np.array(tasks)) == 1


def test_without_a_related_pair_the_prior_remains():
    predicted = np.random.RandomState(0).uniform(size=(50, 2))
    for prior, expected in [(None, [0.5, 0.5, 0.0]), (np.array([0.8, 0.3, -2.0]),) * 2]:
        blend = StrengthBlend(prior=prior).fit(predicted, np.zeros(50))
        assert [*blend.weights_, blend.intercept_] == list(expected)


def held_out(n_around, n_tasks, rng):
    """Arrays of HeldOut: the first member is right about known tasks, the other around."""
    kinds = np.repeat([0, 2], [4000, n_around])
    true = rng.randint(2, size=len(kinds)).astype(float)
    predicted = rng.uniform(size=(len(kinds), 2))
    right = np.where(kinds == 0, 0, 1), 0.2 + 0.6 * true
    predicted[np.arange(len(kinds)), right[0]] = right[1]
    new = np.arange(len(kinds)) % n_tasks
    return predicted, true, np.ones(len(kinds)), kinds, new


@pytest.mark.parametrize(
    ("n_around", "n_tasks", "moved"),
    [(0, 1, False), (8, 8, False), (2000, 2000, True), (2000, 1, False)],
    ids=["none", "few", "many", "all of one task"],
)
def test_few_pairs_of_a_kind_move_its_weights_little(n_around, n_tasks, moved):
    given = held_out(n_around, n_tasks, np.random.RandomState(0))
    blends = fit_final_estimators(None, *given, graded=False)
    assert blends["known"].weights_[0] > 3 * blends["known"].weights_[1]
    first, second = blends["around"].weights_
    assert (second > first) == moved
    if not n_around:
        np.testing.assert_allclose(
            blends["around"].predict(given[0][:9]),
            blends["known"].predict(given[0][:9]),
            atol=0.1,
        )


@pytest.mark.parametrize(
    "final",
    [LogisticRegression(), HistGradientBoostingRegressor(max_iter=20)],
    ids=["classifier", "regressor"],
)
def test_any_final_estimator_blends(final):
    model = RelationEnsemble(members(), final_estimator=final, random_state=0)
    model.fit(X, GRAPH)
    assert type(model.final_estimators_["inside"]) is type(final)
    strengths = model.predict_proba(X + 0.1)
    assert ((strengths >= 0) & (strengths <= 1)).all()
    assert model.score(X, GRAPH) > 0.9


def test_a_classifier_cannot_blend_graded_strengths():
    model = RelationEnsemble(members(), final_estimator=LogisticRegression())
    with pytest.raises(ValueError, match="strengths between 0 and 1. Pass a regressor"):
        model.fit(X, 0.7 * STRENGTHS)


def test_probabilities_of_unseen_relations_are_calibrated():
    hidden = np.random.RandomState(1).uniform(size=STRENGTHS.shape) < 0.2
    np.fill_diagonal(hidden, False)
    model = RelationEnsemble(members(), random_state=0)
    model.fit(X, np.where(hidden, np.nan, STRENGTHS))
    predicted = model.predict_proba(TaskPairs(X, np.argwhere(hidden)))[:, 1]
    true = STRENGTHS[hidden]
    assert expected_calibration_error(true, predicted) < 0.05
    constant = log_loss(true, np.full(len(true), true.mean()))
    assert log_loss(true, predicted) < 0.5 * constant
    assert average_precision_score(true, predicted) > 0.8


# -- what is held out ------------------------------------------------------------------
@pytest.mark.parametrize(
    ("cv", "enough", "n_splits"),
    [("auto", 1, 1), ("auto", 40, 3), ("auto", 1000, 10), (4, 1, 4)],
)
def test_held_out_pairs_are_never_trained_on(cv, enough, n_splits, monkeypatch):
    monkeypatch.setattr("sklearn_task2box.ensemble._ENOUGH_HELD", enough)
    pairs = as_relations(GRAPH, N).observed()
    splits = held_out_splits(pairs, cv, np.random.RandomState(0))
    assert len(splits) == n_splits
    for split in splits:
        heads, tails, _ = split.rest.expand()
        trained = set(zip(split.order[heads], split.order[tails], strict=True))
        heads, tails = split.order[split.heads], split.order[split.tails]
        assert not trained & set(zip(heads, tails, strict=True))
        np.testing.assert_array_equal(split.strengths, STRENGTHS[heads, tails])
        new = ~np.isin(np.arange(N), split.known)
        np.testing.assert_array_equal(split.kinds, new[heads] + 2 * new[tails])
    if n_splits >= 4:  # every task is held out in one of the folds, and a pair in one
        out = np.concatenate([split.order[len(split.known) :] for split in splits])
        np.testing.assert_array_equal(np.sort(out), np.arange(N))
        counts = np.zeros((N, N), dtype=int)
        for split in splits:
            known = split.kinds == 0
            heads, tails = split.order[split.heads[known]], split.order[split.tails[known]]
            counts[heads, tails] += 1
        assert counts.max() == 1


def test_the_closure_does_not_lead_held_out_pairs_back():
    chain = nx.path_graph(30, create_using=nx.DiGraph)
    pairs = as_relations(chain, 30).observed()
    (split,) = held_out_splits(pairs, "auto", np.random.RandomState(0))
    y = TaskRelations.from_pairs(split.rest, np.arange(len(split.known)))
    assert y.observed().n_related == split.rest.n_related


# -- the protocol ----------------------------------------------------------------------
def test_a_table_and_pairs_have_the_same_strengths(fitted):
    new = FRAME.iloc[:3].rename(index=lambda name: f"new {name}") + 0.5
    table = fitted.predict_proba(new)
    rows = pd.concat([new, FRAME])
    ends = [(i, 3 + j) for i in range(3) for j in range(N)]
    pairs = fitted.predict_proba(TaskPairs(rows, ends))[:, 1]
    np.testing.assert_allclose(pairs.reshape(3, N), table, rtol=1e-5)


def test_known_tasks_are_recognized_by_their_features(fitted):
    order = np.random.RandomState(0).permutation(N)[:7]
    known = fitted.pairwise_strengths()
    assert (np.diag(known) == 1).all()
    np.testing.assert_allclose(fitted.predict_proba(FRAME.iloc[order]), known[order])
    unnamed = TaskPairs(X[order], [(0, 1), (2, 6)])
    expected = known[order[[0, 2]], order[[1, 6]]]
    np.testing.assert_allclose(fitted.predict_proba(unnamed)[:, 1], expected)


def test_new_features_under_unnamed_pairs_are_new_tasks(fitted):
    pairs = [(0, 1), (1, 0), (2, 5)]
    new = fitted.predict_proba(TaskPairs(X + 10, pairs))[:, 1]
    known = fitted.predict_proba(TaskPairs(X, pairs))[:, 1]
    assert abs(new - known).max() > 0.01


def test_queries_and_graph_are_those_of_the_strengths(fitted):
    table = fitted.pairwise_strengths()
    np.fill_diagonal(table, -1)
    indices, strengths = fitted.supersets(k=2)
    expected = np.argsort(-table, axis=1, kind="stable")[:, :2]
    np.testing.assert_array_equal(indices, expected)
    np.testing.assert_allclose(strengths, np.take_along_axis(table, expected, 1))
    graph = fitted.to_networkx(reduce=False)
    found = {(u, v) for u, v in graph.edges}
    heads, tails = np.nonzero(table >= fitted.threshold_)
    pairs = zip(heads, tails, strict=True)
    assert found <= {(NAMES[i], NAMES[j]) for i, j in pairs}
    assert found


# -- what does not matter --------------------------------------------------------------
def degenerate():
    """One-hot rows, more columns than rows: all their singular values are equal."""
    rng = np.random.RandomState(0)
    features, graph = make_taxonomy(n_tasks=60)
    hot = np.zeros((60, 80))
    hot[np.arange(60), rng.permutation(80)[:60]] = 1
    return hot, graph


@pytest.mark.slow
@pytest.mark.xdist_group("processes")
def test_n_jobs_changes_rounding_only_with_degenerate_features(monkeypatch):
    monkeypatch.undo()  # other processes take all steps
    hot, graph = degenerate()
    options = {"hidden_layer_sizes": (16,), "max_epochs": 20}
    boxes = BoxRelationEmbedder(4, **options)
    bilinear = GeometryModel("bilinear", 8, **options)
    chosen = [("boxes", boxes), ("bilinear", bilinear)]
    one, two = (
        RelationEnsemble(chosen, n_jobs=n_jobs, random_state=0).fit(hot, graph)
        for n_jobs in (None, 2)
    )
    for new in (hot, np.roll(hot, 1, axis=1)):
        np.testing.assert_allclose(
            one.predict_proba(new), two.predict_proba(new), atol=1e-6
        )


def test_the_same_seed_gives_the_same_ensemble(fitted):
    again = clone(fitted).fit(FRAME, NAMED)
    np.testing.assert_array_equal(again.predict_proba(X + 1), fitted.predict_proba(X + 1))
    other = clone(fitted).set_params(random_state=1).fit(FRAME, NAMED)
    assert abs(other.predict_proba(X + 1) - fitted.predict_proba(X + 1)).max() > 1e-3


def test_no_two_fits_share_a_seed(monkeypatch):
    seeds = []
    original = BoxRelationEmbedder.fit

    def fit(self, *args, **kwargs):
        seeds.append(self.random_state)
        return original(self, *args, **kwargs)

    monkeypatch.setattr(BoxRelationEmbedder, "fit", fit)
    boxes = BoxRelationEmbedder(2, hidden_layer_sizes=(4,), max_epochs=2)
    RelationEnsemble([("a", boxes), ("b", boxes)], random_state=0).fit(X, GRAPH)
    assert len(set(seeds)) == len(seeds) == 4  # two members, held out and whole


def test_a_seed_that_is_given_stays():
    model = set_seeds(BoxRelationEmbedder(random_state=7), np.random.RandomState(0))
    assert model.random_state == 7


def test_memory_fits_equal_members_once(tmp_path, monkeypatch):
    fits = []
    original = ClosureModel.fit

    def fit(self, *args, **kwargs):
        fits.append(1)
        return original(self, *args, **kwargs)

    monkeypatch.setattr(ClosureModel, "fit", fit)
    model = RelationEnsemble(members(), memory=str(tmp_path), random_state=0)
    model.set_params(boxes__max_epochs=20)
    first = clone(model).fit(FRAME, NAMED)
    assert len(fits) == 2
    second = clone(model).set_params(verbose=0, boxes__max_epochs=10).fit(FRAME, NAMED)
    assert len(fits) == 2
    assert abs(first.predict_proba(X + 1) - second.predict_proba(X + 1)).max() > 1e-4
    clone(model).set_params(random_state=None).fit(FRAME, NAMED)
    assert len(fits) == 4  # no seed, no cache


def test_output_as_frames_everywhere_does_not_matter(fitted):
    import sklearn

    with sklearn.config_context(transform_output="pandas"):
        again = clone(fitted).fit(FRAME, NAMED)
    np.testing.assert_array_equal(again.predict_proba(X + 1), fitted.predict_proba(X + 1))


def test_scorers_grade_held_out_tasks(fitted):
    y = TaskRelations(NAMED, tasks=NAMES)
    model = clone(fitted).fit(FRAME.iloc[:30], y.iloc[:30])
    score = make_relation_scorer("average_precision")(model, FRAME.iloc[30:], y.iloc[30:])
    assert 0.05 < score < 1


@pytest.mark.slow
def test_n_jobs_does_not_change_the_quality_with_one_hot_features():
    features, graph = make_taxonomy(n_tasks=150)
    hot = np.zeros((150, 200))
    hot[np.arange(150), np.random.RandomState(0).permutation(200)[:150]] = 1
    strengths = nx.to_numpy_array(graph, nodelist=range(150))
    hidden = np.random.RandomState(1).uniform(size=strengths.shape) < 0.2
    np.fill_diagonal(hidden, False)
    seen, pairs = np.where(hidden, np.nan, strengths), TaskPairs(hot, np.argwhere(hidden))
    # Those that prepare features by a decomposition, and pair MLPs.
    boxes = BoxRelationEmbedder(10, teacher=None, max_epochs=100)
    chosen = [("pairs", dict(default_estimators())["pairs"]), ("boxes", boxes)]
    chosen += [("further", clone(boxes))]
    scores = []
    for n_jobs in (None, 2):
        model = RelationEnsemble(chosen, n_jobs=n_jobs, random_state=0).fit(hot, seen)
        predicted = model.predict_proba(pairs)[:, 1]
        scores.append(average_precision_score(strengths[hidden], predicted))
    print("average precision with n_jobs of None and 2:", scores)
    assert min(scores) > 0.8
    assert scores[1] == pytest.approx(scores[0], abs=0.01)


def test_too_many_tasks_for_a_table_of_pairs():
    table = sparse.identity(20_001, format="csr")
    with pytest.raises(ValueError, match="20001 tasks.*at most 20000.*BoxRelationEmbedder"):
        RelationEnsemble(members()).fit(table, [(0, 1)])


def few_edges(n=20):
    X = pd.DataFrame(np.random.RandomState(0).normal(size=(n, 5)))
    X.index = [f"t{i}" for i in X.index]
    return X, [(f"t{i}", f"t{(i - 1) // 3}") for i in range(1, n)]


def test_a_final_classifier_that_saw_no_related_pair_predicts_none():
    X, edges = few_edges()
    members = [("neighbors", NeighborsModel(5)), ("closure", ClosureModel())]
    classifier = DecisionTreeClassifier(max_depth=2, random_state=0)
    for seed in range(20):  # held out once: see the fixture above
        ensemble = RelationEnsemble(members, final_estimator=classifier, random_state=seed)
        ensemble.fit(X, edges[:5])
        if list(ensemble.final_estimators_["known"].classes_) == [0]:
            strengths = ensemble.pairwise_strengths()
            np.testing.assert_array_equal(strengths, np.eye(len(X)))
            return
    raise AssertionError("Some related pair was held out each time.")


def test_equal_sparse_rows_are_told_apart_by_their_places():
    X, edges = few_edges()
    features = X.abs().to_numpy().copy()
    features[7] = features[5]
    features = sparse.csr_matrix(features)
    strengths = as_relations(edges, len(X), np.asarray(X.index)).toarray()
    members = [("closure", ClosureModel()), ("neighbors", NeighborsModel())]
    ensemble = RelationEnsemble(members, random_state=0).fit(features, strengths)
    table = ensemble.pairwise_strengths()
    assert table[7, 2] > 0.9 > 0.1 > table[7, 1]
    for i, j in ((7, 2), (7, 1), (5, 2), (5, 1)):
        found = ensemble.predict_proba(TaskPairs(features, [(i, j)]))[0, 1]
        assert found == pytest.approx(table[i, j], abs=1e-6)
