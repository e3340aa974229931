"""Soft targets: augmented tasks, predictions of a teacher, and boxes that learn them."""

import pickle

import networkx as nx
import numpy as np
import pandas as pd
import pytest
import torch
from conftest import few_of, make_taxonomy
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import average_precision_score
from sklearn.model_selection import GridSearchCV, KFold

from sklearn_task2box import BoxRelationEmbedder, TaskPairs, TaskRelations
from sklearn_task2box._soft_targets import SoftTargets, augmented_tasks, named_features
from sklearn_task2box.metrics import best_f1_threshold
from sklearn_task2box.models import (
    ClosureModel,
    KernelRidgeModel,
    PopularityModel,
    RandomModel,
    SimilarityModel,
)
from sklearn_task2box.relations import as_relations

N = 40


def quick(**options):
    settings = {"max_epochs": 60, "hidden_layer_sizes": (32,), "random_state": 0}
    return BoxRelationEmbedder(**{**settings, **options})


@pytest.fixture(scope="module")
def strengths(taxonomy):
    return nx.to_numpy_array(taxonomy[1], nodelist=range(N))


@pytest.fixture(scope="module")
def half_seen(strengths):
    """Strengths with NaN for half of the pairs, and which pairs these are."""
    seen = few_of(strengths, 0.5)
    return seen, np.isnan(seen) & ~np.eye(N, dtype=bool)


@pytest.fixture(scope="module")
def fitted(named_taxonomy):
    """Boxes of named tasks and of their columns, for tests that leave them as they are."""
    return quick().fit(*named_taxonomy)


def at_the_start(model, X):
    """Boxes where the network puts tasks."""
    with torch.no_grad():
        corners = model.encoder_.boxes_of(model.encoder_.outputs(X))
    return torch.cat(corners, dim=1).numpy()


class Stated(PopularityModel):
    """Teacher whose strengths among the known tasks are a parameter."""

    def __init__(self, strengths=None):
        self.strengths = strengths

    def pairwise_strengths(self, X=None):
        return self.strengths


class Spy(PopularityModel):
    """Teacher that notes what it is fitted to and asked for."""

    fits, tables = [], []

    def fit(self, X, y):
        self.fits.append((X, y))
        return super().fit(X, y)

    def pairwise_strengths(self, X=None):
        self.tables.append(X)
        return super().pairwise_strengths(X)


@pytest.fixture
def spy():
    Spy.fits.clear()
    Spy.tables.clear()
    return Spy()


# -- augmented tasks -------------------------------------------------------------------
@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix], ids=["dense", "sparse"])
@pytest.mark.parametrize(
    ("n", "box_dim", "observed", "expected"),
    [
        (40, 5, 1.0, 4),  # one for ten known ones
        (40, 20, 1.0, 4),
        (200, 5, 1.0, 20),
        (10_000, 5, 1.0, 1000),
        (12_000, 5, 1.0, 1000),
        (40, 3, 1.0, 2),  # a third of 4, rounded up
        (40, 2, 1.0, 0),
        (40, 1, 1.0, 0),
        (40, 5, 0.5, 4),
        (40, 5, 0.25, 2),
        (40, 5, 0.0, 0),
    ],
)
def test_the_number_of_augmented_tasks(kind, n, box_dim, observed, expected):
    features = kind(np.random.RandomState(0).normal(size=(n, 3)))
    made = augmented_tasks(features, 0.1, box_dim, observed, np.random.RandomState(0))
    assert made.shape == (expected, 3)
    assert type(made) is type(features)


@pytest.mark.parametrize("block", [None, 120], ids=["at once", "in blocks"])
@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix], ids=["dense", "sparse"])
def test_augmented_tasks_mix_the_features_of_two_known_ones(kind, block, monkeypatch):
    if block is not None:
        monkeypatch.setattr("sklearn_task2box._soft_targets._BLOCK", block)
    features = np.arange(100)[:, None] + 100.0 * np.arange(50)  # each number tells its row
    made = augmented_tasks(kind(features), 0.1, 5, 1.0, np.random.RandomState(0))
    made = made.toarray() if sparse.issparse(made) else made
    assert made.shape == (10, 50)
    np.testing.assert_array_equal(made // 100, np.tile(np.arange(50), (10, 1)))
    rows = (made % 100).astype(int)
    assert max(len(set(row)) for row in rows) == 2
    shares = [np.mean(row == row[0]) for row in rows]
    assert np.mean(shares) == pytest.approx(0.5, abs=0.1)
    assert len({frozenset(row) for row in rows}) > 7  # of different pairs of tasks


# -- predictions of a teacher ----------------------------------------------------------
KINDS = ["array", "frame", "sparse"]


def soft_targets_of(kind, taxonomy):
    """Fitted soft targets, and what their teacher predicts among all of their tasks."""
    X, graph = taxonomy
    names = [f"task {i}" for i in range(N)] if kind == "frame" else None
    columns = [f"f{j}" for j in range(X.shape[1])] if kind == "frame" else None
    X, augmented = X[:N], X[:3] + 0.5
    if kind == "sparse":
        X, augmented = sparse.csr_matrix(X), sparse.csr_matrix(augmented)
    relations = TaskRelations(graph, tasks=range(N))
    y = relations if names is None else TaskRelations(relations.toarray(), names)
    teacher = KernelRidgeModel().fit(named_features(X, names, columns), y)
    both = sparse.vstack([X, augmented], "csr") if kind == "sparse" else [*X, *augmented]
    if kind != "sparse":
        both = np.array(both)
    every = None if names is None else [*names, "a", "b", "c"]
    expected = teacher.pairwise_strengths(named_features(both, every, columns))
    return SoftTargets(teacher, X, names, columns), augmented, expected


@pytest.mark.parametrize("kind", KINDS)
def test_soft_targets_are_the_predictions_of_the_teacher(kind, taxonomy, half_seen):
    soft_targets, augmented, expected = soft_targets_of(kind, taxonomy)
    targets = soft_targets.table(as_relations(half_seen[0], N).observed(), augmented)
    assert targets.shape == (N + 3, N + 3)
    assert np.isnan(targets[N:, N:]).all()
    expected[N:, N:] = np.nan
    np.testing.assert_allclose(targets, expected, rtol=1e-6)


def test_pairs_of_known_tasks_have_no_targets_where_all_are_observed(taxonomy):
    soft_targets, augmented, expected = soft_targets_of("array", taxonomy)
    pairs = as_relations(taxonomy[1], N).observed()
    targets = soft_targets.table(pairs, augmented)
    assert np.isnan(targets[:N, :N]).all()
    np.testing.assert_allclose(targets[N:, :N], expected[N:, :N])
    np.testing.assert_allclose(targets[:N, N:], expected[:N, N:])
    assert np.isnan(soft_targets.table(pairs, augmented[:0])).all()


@pytest.mark.parametrize("kind", KINDS)
def test_targets_of_new_tasks_are_of_both_directions(kind, taxonomy):
    soft_targets, new, expected = soft_targets_of(kind, taxonomy)
    inside, around = soft_targets.of_new(new)
    assert inside.shape == around.shape == (3, N)
    np.testing.assert_allclose(inside, expected[N:, :N], rtol=1e-6)
    np.testing.assert_allclose(around, expected[:N, N:].T, rtol=1e-6)


class Beyond(PopularityModel):
    """Teacher whose predictions are no strengths."""

    def predict_proba(self, X):
        return 1.5 + super().predict_proba(X)


class Below(PopularityModel):
    """Teacher that predicts a negative strength of a pair of known tasks."""

    def pairwise_strengths(self, X=None):
        table = super().pairwise_strengths(X)
        table[3, 4] = -0.5
        return table


@pytest.mark.parametrize(
    ("teacher", "message"),
    [(Beyond(), r"Beyond predicted some from .* to 2"), (Below(), "Below .* from -0.5")],
    ids=["beyond", "below"],
)
def test_predictions_outside_of_0_and_1_are_refused(taxonomy, half_seen, teacher, message):
    X, _ = taxonomy
    model = quick(teacher=teacher)
    before = vars(model).copy()
    with pytest.raises(ValueError, match=rf"must lie in \[0, 1\].*{message}"):
        model.fit(X, half_seen[0])
    assert vars(model) == before


def test_features_are_named_where_they_can_be():
    X = np.eye(2)
    assert named_features(X) is X
    table = sparse.csr_matrix(X)
    assert named_features(table, ["a", "b"], ["f", "g"]) is table
    frame = named_features(X, [("a", 0), ("b", 1)], ["f", "g"])
    assert frame.index.tolist() == [("a", 0), ("b", 1)]
    assert frame.index.nlevels == 1
    assert frame.columns.tolist() == ["f", "g"]
    assert named_features(X, None, ["f", "g"]).index.tolist() == [0, 1]


# -- what boxes learn ------------------------------------------------------------------
def test_soft_targets_are_learned_of_unknown_pairs_alone(taxonomy, strengths, half_seen):
    X, _ = taxonomy
    seen, hidden = half_seen
    observed = ~hidden & ~np.eye(N, dtype=bool)

    def fit(of_hidden):
        # Observed pairs count as they are, whatever the teacher predicts.
        teacher = Stated(np.where(hidden, of_hidden, 1 - strengths))
        return quick(teacher=teacher, max_epochs=200).fit(X, seen).pairwise_strengths()

    predicted, other = fit(strengths), fit(0.0)
    assert average_precision_score(strengths[observed], predicted[observed]) > 0.95
    assert average_precision_score(strengths[hidden], predicted[hidden]) > 0.9
    # Nor are hidden ones learned by themselves.
    related = hidden & (strengths == 1)
    assert other[related].mean() < 0.5 * predicted[related].mean()


def test_soft_targets_are_no_relations(taxonomy, strengths, half_seen):
    X, _ = taxonomy
    seen, _ = half_seen
    teacher = Stated(0.3 + 0.4 * strengths)
    model = quick(teacher=teacher, max_epochs=10).fit(X, seen)
    np.testing.assert_array_equal(model.relations_.toarray(), TaskRelations(seen).toarray())
    assert model.exponent_ == 1  # which it would not be of graded relations
    assert model.boxes_.shape == (N, 10)
    assert model.predict_proba(X[:1]).shape == (1, N)
    true, predicted = model.compare(X, seen)
    assert len(true) == (~half_seen[1]).sum() - N
    assert model.threshold_ == pytest.approx(best_f1_threshold(true, predicted), rel=1e-9)


@pytest.mark.parametrize(
    "kind",
    [np.asarray, pytest.param(sparse.csr_matrix, marks=pytest.mark.slow)],
    ids=["dense", "sparse"],
)
def test_a_teacher_predicts_novel_tasks_better_than_the_network_alone(kind):
    found = {"auto": [], None: []}
    X, graph = make_taxonomy(n_tasks=80)
    true = nx.to_numpy_array(graph, nodelist=range(80))
    for seed in range(2):
        order = np.random.RandomState(seed).permutation(80)
        known, novel = order[:60], order[60:]
        y = true[np.ix_(known, known)]
        ends = [(i, j) for a, b in ((novel, known), (known, novel)) for i in a for j in b]
        for teacher, scores in found.items():
            model = quick(teacher=teacher, max_epochs=100, random_state=seed)
            model.fit(kind(X[known]), y)
            predicted = model.predict_proba(TaskPairs(kind(X), ends))[:, 1]
            scores.append(average_precision_score([true[e] for e in ends], predicted))
    assert np.mean(found["auto"]) > np.mean(found[None]) + 0.05


@pytest.mark.parametrize("teacher", ["auto", SimilarityModel()], ids=["auto", "like"])
def test_boxes_of_new_tasks_move_towards_the_predictions(taxonomy, teacher):
    X, graph = taxonomy
    model = quick(teacher=teacher).fit(X, graph)
    new = X[:10] + 0.3
    started = at_the_start(model, new)
    expected = model.teacher_.predict_proba(new)
    heads, tails = (a.ravel() for a in np.indices(expected.shape))
    gaps = []
    for boxes in (started, model.transform(new)):
        tasks = np.vstack([boxes, model.boxes_])
        found = model._pair_strengths(tasks, heads, len(new) + tails)
        gaps.append(abs(found - expected.ravel()).mean())
    assert gaps[1] < 0.9 * gaps[0]


def test_without_a_teacher_boxes_of_new_tasks_are_those_of_the_network(taxonomy):
    X, graph = taxonomy
    model = quick(teacher=None, max_epochs=10).fit(X, graph)
    assert model.teacher_ is None
    new = X[:10] + 0.3
    np.testing.assert_array_equal(model.transform(new), at_the_start(model, new))


def test_known_tasks_keep_their_boxes_and_new_ones_do_not_depend_on_them(taxonomy):
    X, graph = taxonomy
    model = quick().fit(X, graph)
    order = np.random.RandomState(0).permutation(N)
    np.testing.assert_array_equal(model.transform(X[order]), model.boxes_[order])
    new = X[:6] + 0.3
    together = model.transform(np.vstack([new, X[order]]))
    np.testing.assert_array_equal(together[6:], model.boxes_[order])
    assert abs(together[:6] - at_the_start(model, new)).max() > 0.1
    alone = np.concatenate([model.transform(new[[i]]) for i in range(6)])
    np.testing.assert_allclose(alone, together[:6], rtol=0, atol=1e-5)


def test_new_tasks_are_embedded_in_blocks(fitted, named_taxonomy, monkeypatch):
    new = named_taxonomy[0].iloc[:7] + 0.3
    new.index = [f"new {i}" for i in range(7)]
    expected = fitted.transform(new)
    monkeypatch.setattr("sklearn_task2box._soft_targets._BLOCK", 100)  # of two tasks
    np.testing.assert_allclose(fitted.transform(new), expected, rtol=0, atol=1e-5)


def test_sparse_and_dense_new_tasks_have_the_same_boxes(taxonomy):
    X, graph = taxonomy
    for kind in (np.asarray, sparse.csr_matrix):
        model = quick(max_epochs=10).fit(kind(X), graph)
        boxes = model.transform(X[:5] + 0.3)
        assert abs(boxes - at_the_start(model, kind(X[:5] + 0.3))).max() > 0.01
        other = model.transform(sparse.csr_matrix(X[:5] + 0.3))
        np.testing.assert_array_equal(other, boxes)


# -- which teacher ---------------------------------------------------------------------
def test_auto_is_kernel_ridge_where_there_are_features_and_relations(
    taxonomy, fitted, monkeypatch
):
    X, graph = taxonomy
    assert isinstance(fitted.teacher_, KernelRidgeModel)
    few = {"max_epochs": 1}
    assert quick(**few).fit(X, None).teacher_ is None
    assert quick(**few, encoder="table").fit(np.eye(N), graph).teacher_ is None
    monkeypatch.setattr("sklearn_task2box.embedder._MAX_TAUGHT", N - 1)
    assert quick(**few).fit(X, graph).teacher_ is None
    explicit = quick(**few, teacher=KernelRidgeModel()).fit(X, graph)
    assert isinstance(explicit.teacher_, KernelRidgeModel)
    monkeypatch.setattr("sklearn_task2box.embedder._MAX_TAUGHT", N)
    auto = quick(**few).fit(X, graph)
    np.testing.assert_array_equal(auto.boxes_, explicit.boxes_)


def test_too_many_tasks_for_a_table_of_soft_targets(taxonomy, spy, monkeypatch):
    monkeypatch.setattr("sklearn_task2box.embedder._MAX_TARGETS", N - 1)
    model = quick(teacher=spy)
    with pytest.raises(ValueError, match=r"X has 40 tasks.*more than 39.*teacher=None"):
        model.fit(*taxonomy)
    assert not spy.fits
    assert not hasattr(model, "teacher_")


@pytest.mark.slow
def test_a_table_learns_from_an_explicit_teacher(strengths, half_seen):
    seen, hidden = half_seen
    X = sparse.identity(N, format="csr")
    options = {"encoder": "table", "max_epochs": 200}
    alone = quick(teacher=None, **options).fit(X, seen)
    taught = quick(teacher=Stated(strengths), **options).fit(X, seen)
    scores = [
        average_precision_score(strengths[hidden], model.pairwise_strengths()[hidden])
        for model in (alone, taught)
    ]
    assert scores[1] > max(0.9, scores[0] + 0.1)
    np.testing.assert_array_equal(taught.transform(X), taught.boxes_)
    np.testing.assert_array_equal(taught.transform(X[5:8]), taught.boxes_[5:8])


def test_fit_leaves_the_given_teacher_as_it_is(taxonomy):
    X, graph = taxonomy
    teacher = KernelRidgeModel("linear", ridge=0.5)
    model = quick(teacher=teacher, max_epochs=2).fit(X, graph)
    assert model.teacher is teacher
    assert not hasattr(teacher, "tasks_")
    assert model.teacher_.ridge_ == 0.5
    expected = clone(teacher).fit(X, graph)
    np.testing.assert_allclose(
        model.teacher_.predict_proba(X + 0.1), expected.predict_proba(X + 0.1)
    )
    again = clone(model)
    assert again.teacher is not teacher
    assert again.teacher.get_params() == teacher.get_params()
    np.testing.assert_array_equal(again.fit(X, graph).boxes_, model.boxes_)


@pytest.mark.slow
def test_parameters_of_the_teacher_are_searched(named_taxonomy):
    X, graph = named_taxonomy
    model = quick(teacher=KernelRidgeModel(), max_epochs=20)
    assert model.get_params()["teacher__ridge"] == "auto"
    y = TaskRelations(graph, tasks=X.index)
    folds = KFold(2, shuffle=True, random_state=0)
    search = GridSearchCV(model, {"teacher__ridge": [0.01, 1.0, 1000.0]}, cv=folds)
    search.fit(X, y)
    assert len(set(search.cv_results_["mean_test_score"])) == 3
    best = search.best_estimator_
    assert best.teacher_.ridge_ == search.best_params_["teacher__ridge"]
    assert model.teacher.ridge == "auto"


def test_the_teacher_is_seeded(taxonomy, half_seen):
    X, _ = taxonomy
    teacher = RandomModel()  # whose random_state is None
    boxes = [
        quick(teacher=teacher, max_epochs=5, random_state=seed).fit(X, half_seen[0])
        for seed in (0, 0, 1)
    ]
    assert teacher.random_state is None
    first, again, other = (model.transform(X + 0.1) for model in boxes)
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)
    one, two, three = (model.teacher_.random_state for model in boxes)
    assert one == two != three
    given = quick(teacher=RandomModel(random_state=7), max_epochs=1).fit(X, half_seen[0])
    assert given.teacher_.random_state == 7


# -- what the teacher sees -------------------------------------------------------------
def test_a_teacher_gets_the_names_of_tasks_and_features(named_taxonomy, spy):
    X, graph = named_taxonomy
    quick(teacher=spy, max_epochs=1).fit(X, graph)
    ((features, y),) = spy.fits
    pd.testing.assert_frame_equal(features, X, check_index_type=False)
    assert y.tasks.tolist() == X.index.tolist()
    expected = nx.to_numpy_array(graph, nodelist=X.index)
    np.testing.assert_array_equal(y.toarray(), expected)
    assert not spy.tables  # every pair of known tasks is observed


def test_a_teacher_gets_features_without_names_where_there_are_none(
    taxonomy, half_seen, spy
):
    X, _ = taxonomy
    seen, hidden = half_seen
    quick(teacher=spy, max_epochs=1).fit(X, seen)
    ((features, y),) = spy.fits
    assert isinstance(features, np.ndarray)
    np.testing.assert_array_equal(features, X)
    np.testing.assert_array_equal(np.isnan(y.toarray()), hidden)
    assert len(spy.tables) == 1


def test_tasks_of_equal_features_are_told_apart_by_their_names(named_taxonomy):
    X, graph = named_taxonomy
    X = X.copy()
    X.iloc[[3, 7]] = X.iloc[1].to_numpy()
    model = quick(max_epochs=10).fit(X, graph)
    expected = nx.to_numpy_array(graph, nodelist=X.index)
    np.testing.assert_allclose(model.teacher_.pairwise_strengths(X), expected + np.eye(N))
    np.testing.assert_array_equal(model.transform(X), model.boxes_)


def test_a_name_may_be_a_tuple(taxonomy):
    X, graph = taxonomy
    names = [("new", i) for i in range(N)]
    index = pd.Index(names, tupleize_cols=False)
    frame = pd.DataFrame(X, index=index)
    model = quick(max_epochs=2).fit(frame, nx.relabel_nodes(graph, dict(enumerate(names))))
    new = pd.DataFrame(X[:3] + 0.3, index=["x", "y", "z"])
    assert np.isfinite(model.transform(new)).all()


@pytest.mark.parametrize("named", [True, False])
def test_rows_may_be_drawn_with_replacement(named, taxonomy, named_taxonomy, spy):
    X, _ = taxonomy
    _, graph = named_taxonomy if named else taxonomy
    names = named_taxonomy[0].index if named else range(N)
    relations = TaskRelations(graph, tasks=names)
    drawn = np.random.RandomState(0).randint(N, size=N)
    assert len(set(drawn)) < N
    for teacher in (spy, "auto"):
        model = quick(teacher=teacher).fit(X[drawn], relations[drawn])
        assert model.predict_proba(TaskPairs(X, [(0, 1)])).shape == (1, 2)
    ((given, y),) = spy.fits
    np.testing.assert_array_equal(given, X[drawn])
    assert not y.named
    assert len(y) == N
    assert model.score(X, relations) > 0.2


def test_a_teacher_sees_no_held_out_pairs(taxonomy, spy, monkeypatch):
    X, graph = taxonomy
    held = []
    module = "sklearn_task2box.relations._observed.ObservedPairs"
    original = type(as_relations(graph, N).observed()).hold_out

    def hold_out(self, fraction, rng):
        found = original(self, fraction, rng)
        held.append(found[1])
        return found

    monkeypatch.setattr(f"{module}.hold_out", hold_out)
    options = {"early_stopping": True, "validation_fraction": 0.25, "max_epochs": 2}
    quick(teacher=spy, **options).fit(X, graph)
    (((_, y),), ((heads, tails, strengths),)) = spy.fits, held
    assert (strengths > 0).sum() == round(0.25 * graph.number_of_edges())
    expected = nx.to_numpy_array(graph, nodelist=range(N))
    expected[heads, tails] = np.nan
    np.testing.assert_array_equal(y.toarray(), expected)
    assert len(spy.tables) == 1  # held-out pairs have soft targets


def test_contradictions_of_a_teacher_are_not_warned_of(taxonomy):
    weak = {"max_epochs": 2, "hidden_layer_sizes": (4,)}
    teacher = BoxRelationEmbedder(1, teacher=None, **weak)
    with pytest.warns(ConvergenceWarning, match="boxes contradict") as caught:
        model = quick(box_dim=2, teacher=teacher, **weak).fit(*taxonomy)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert f"contradict {len(model.contradictions_)} of" in str(caught[0].message)


# -- afterwards ------------------------------------------------------------------------
def test_a_stored_model_embeds_new_tasks(fitted, named_taxonomy):
    X, _ = named_taxonomy
    again = pickle.loads(pickle.dumps(fitted))
    new = X.iloc[:5].set_axis([f"new {i}" for i in range(5)]) + 0.3
    np.testing.assert_array_equal(again.transform(new), fitted.transform(new))
    np.testing.assert_array_equal(again.transform(X), fitted.boxes_)
    assert abs(again.transform(new) - at_the_start(again, new.to_numpy())).max() > 0.1


@pytest.mark.parametrize("kind", [np.array, sparse.csr_matrix], ids=["dense", "sparse"])
def test_features_may_be_overwritten_after_a_fit(taxonomy, kind):
    X, graph = taxonomy
    features = kind(X)
    model = quick(max_epochs=10).fit(features, graph)
    new = kind(X[:5] + 0.3)
    expected = model.transform(new)
    features *= -3
    np.testing.assert_array_equal(model.transform(new), expected)


def test_partial_fit_fits_the_teacher_with_the_new_tasks(named_taxonomy, spy):
    X, graph = named_taxonomy
    model = quick(teacher=spy, max_epochs=10)
    model.fit(X.iloc[:30], graph.subgraph(X.index[:30]))
    before = model.teacher_
    model.partial_fit(X.iloc[30:], graph)
    assert model.teacher_ is not before
    assert len(before.tasks_) == 30
    assert model.teacher_.tasks_.tolist() == model.tasks_.tolist() == X.index.tolist()
    features, y = spy.fits[-1]
    pd.testing.assert_frame_equal(features, X, check_index_type=False)
    np.testing.assert_array_equal(y.toarray(), nx.to_numpy_array(graph, nodelist=X.index))
    np.testing.assert_allclose(model.transform(X), model.boxes_, atol=1e-5)
    fitted = model.teacher_
    with pytest.raises(ValueError, match="nobody"):
        model.partial_fit(X.iloc[:2], [("task 0", "nobody")])
    assert model.teacher_ is fitted


def test_a_table_with_a_teacher_grows(taxonomy):
    _, graph = taxonomy
    model = quick(encoder="table", teacher=ClosureModel(), max_epochs=100)
    model.fit(np.eye(30), graph.subgraph(range(30)))
    new = [(i, j) for i, j in graph.edges if max(i, j) >= 30]
    model.partial_fit(np.eye(N)[30:], new)
    assert model.boxes_.shape == (N, 10)
    assert len(model.teacher_.tasks_) == N
    assert model.score(np.eye(N), graph) > 0.9
