"""DistilledBoxEmbedder: the student, its teacher, and boxes of new tasks."""

import networkx as nx
import numpy as np
import pandas as pd
import pytest
import sklearn
from conftest import few_of, make_taxonomy
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import average_precision_score
from sklearn.model_selection import GridSearchCV, KFold

from sklearn_task2box import (
    BoxRelationEmbedder,
    DistilledBoxEmbedder,
    RelationEnsemble,
    TaskLinkClassifier,
    TaskPairs,
    TaskRelations,
)
from sklearn_task2box.distillation import (
    augmented_tasks,
    predict_both_ways,
    soft_targets,
)
from sklearn_task2box.models import ClosureModel, PopularityModel, SimilarityModel
from sklearn_task2box.relations import as_relations

X, GRAPH = make_taxonomy()
N = len(X)
NAMES = [f"task {i}" for i in range(N)]
FRAME = pd.DataFrame(X, NAMES)
NAMED = nx.relabel_nodes(GRAPH, dict(enumerate(NAMES)))
STRENGTHS = nx.to_numpy_array(GRAPH, nodelist=range(N))
QUICK = {"hidden_layer_sizes": (32,), "max_epochs": 150}


def quick(teacher=None, **options):
    student = BoxRelationEmbedder(5, **QUICK)
    teacher = SimilarityModel() if teacher is None else teacher
    options = {"placement_steps": 30, "random_state": 0, **options}
    return DistilledBoxEmbedder(student, teacher, **options)


@pytest.fixture(scope="module")
def fitted():
    """Students of a teacher, of all relations of named tasks."""
    return quick().fit(FRAME, NAMED)


# -- composition -----------------------------------------------------------------------
def test_the_student_and_the_teacher_are_fitted_clones(fitted):
    assert not hasattr(fitted.embedder, "boxes_")
    assert not hasattr(fitted.teacher, "tasks_")
    assert isinstance(fitted.teacher_, SimilarityModel)
    np.testing.assert_array_equal(fitted.boxes_, fitted.embedder_.boxes_)
    assert fitted.teacher_.predict_proba(FRAME).shape == (N, N)
    assert fitted.n_iter_ == len(fitted.history_) == 150


def test_nested_parameters_need_an_explicit_student_and_teacher():
    model = quick(RelationEnsemble([("closure", ClosureModel())]))
    model.set_params(embedder__box_dim=2, teacher__closure=PopularityModel())
    assert model.embedder.box_dim == 2
    assert isinstance(model.teacher.estimators[0][1], PopularityModel)
    with pytest.raises(ValueError, match=r"embedder=BoxRelationEmbedder\(max_epochs=1200"):
        DistilledBoxEmbedder().set_params(embedder__box_dim=2)
    with pytest.raises(ValueError, match=r"teacher=RelationEnsemble\(\)"):
        DistilledBoxEmbedder().set_params(teacher__cv=3)
    both = DistilledBoxEmbedder().set_params(teacher=RelationEnsemble(), teacher__cv=3)
    assert both.teacher.cv == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"embedder": SimilarityModel()}, "'embedder' parameter"),
        ({"teacher": 3}, "'teacher' parameter"),
        ({"placement_steps": -1}, "placement_steps"),
        ({"memory": 3}, "memory"),
    ],
)
def test_wrong_arguments_are_named_in_fit(options, message):
    with pytest.raises(ValueError, match=message):
        quick().set_params(**options).fit(X, GRAPH)


def test_a_search_over_the_student_fits_the_teacher_once_per_fold(tmp_path, monkeypatch):
    fits = []
    original = SimilarityModel.fit

    def fit(self, *args, **kwargs):
        fits.append(1)
        return original(self, *args, **kwargs)

    monkeypatch.setattr(SimilarityModel, "fit", fit)
    search = GridSearchCV(
        quick(memory=str(tmp_path), placement_steps=5).set_params(embedder__max_epochs=20),
        {"embedder__box_dim": [1, 2, 4]},
        cv=KFold(2, shuffle=True, random_state=0),
    )
    search.fit(FRAME, TaskRelations(NAMED, tasks=NAMES))
    assert len(fits) == 3  # two folds, and all tasks in the end
    assert len(set(search.cv_results_["mean_test_score"])) > 1
    search.fit(FRAME, TaskRelations(NAMED, tasks=NAMES))
    assert len(fits) == 3


def test_progress_is_no_part_of_the_key_of_the_cache(tmp_path, monkeypatch):
    fits = []
    original = RelationEnsemble.fit

    def fit(self, *args, **kwargs):
        fits.append(self.n_jobs)
        return original(self, *args, **kwargs)

    monkeypatch.setattr(RelationEnsemble, "fit", fit)
    teacher = RelationEnsemble([("closure", ClosureModel()), ("like", SimilarityModel())])
    model = quick(teacher, memory=str(tmp_path), placement_steps=0)
    model.set_params(embedder__max_epochs=2).fit(FRAME, NAMED)
    model.set_params(teacher__verbose=1, teacher__n_jobs=1).fit(FRAME, NAMED)
    assert fits == [None]
    model.set_params(random_state=None).fit(FRAME, NAMED)
    assert len(fits) == 2


# -- learning --------------------------------------------------------------------------
class Oracle(SimilarityModel):
    """A teacher that knows all relations of the known tasks."""

    def pairwise_strengths(self):
        return STRENGTHS


def test_soft_targets_teach_relations_that_nobody_observed():
    features = sparse.csr_matrix(X)  # of which there are no augmented tasks
    seen = few_of(STRENGTHS, 0.3)
    hidden = np.isnan(seen) & ~np.eye(N, dtype=bool)
    alone = BoxRelationEmbedder(5, **QUICK, random_state=0).fit(features, seen)
    taught = quick(Oracle()).fit(features, seen)
    scores = [
        average_precision_score(STRENGTHS[hidden], model.pairwise_strengths()[hidden])
        for model in (alone, taught)
    ]
    assert scores[1] > scores[0] + 0.1


def test_a_student_learns_observed_relations_that_its_teacher_gets_wrong(fitted):
    scores = [model.score(FRAME, NAMED) for model in (fitted.teacher_, fitted)]
    assert scores[1] > scores[0] + 0.2


@pytest.mark.parametrize(
    ("n", "box_dim", "observed", "expected"),
    [
        (40, 5, 1.0, 24),  # 0.6 for each known task
        (40, 20, 1.0, 24),
        (200, 5, 1.0, 120),
        (5000, 5, 1.0, 1000),
        (40, 2, 1.0, 4),  # 24 * (2 / 5) ** 2
        (40, 5, 0.25, 12),
    ],
)
def test_the_number_of_augmented_tasks(n, box_dim, observed, expected):
    features = np.random.RandomState(0).normal(size=(n, 3))
    made = augmented_tasks(features, box_dim, observed, np.random.RandomState(0))
    assert made.shape == (expected, 3)


def test_augmented_tasks_mix_the_features_of_two_known_ones():
    features = np.arange(20)[:, None] + 100.0 * np.arange(50)  # each number tells its row
    made = augmented_tasks(features, 5, 1.0, np.random.RandomState(0))
    rows = (made % 100).astype(int)
    np.testing.assert_array_equal(made // 100, np.tile(np.arange(50), (len(made), 1)))
    counts = [len(set(row)) for row in rows]
    assert max(counts) == 2
    assert np.mean([np.mean(row == row[0]) for row in rows]) == pytest.approx(0.5, abs=0.1)


def test_soft_targets_are_the_predictions_of_the_teacher():
    teacher = SimilarityModel().fit(X, GRAPH)
    augmented = X[:3] + 0.5
    pairs = as_relations(few_of(STRENGTHS, 0.5), N).observed()
    targets = soft_targets(teacher, X, augmented, pairs)
    assert targets.shape == (N + 3, N + 3)
    np.testing.assert_allclose(targets[N:, :N], teacher.predict_proba(augmented))
    np.testing.assert_allclose(targets[:N, :N], teacher.pairwise_strengths())
    assert np.isnan(targets[N:, N:]).all()
    whole = soft_targets(teacher, X, None, as_relations(GRAPH, N).observed())
    assert np.isnan(whole).all()  # every pair is observed


def test_predictions_in_both_directions():
    model = SimilarityModel().fit(X, GRAPH)
    new = X[:3] + 0.5
    inside, around = predict_both_ways(model, new, X)
    rows = np.vstack([new, X])
    ends = np.array([(i, 3 + j) for i in range(3) for j in range(N)])
    for found, pairs in ((inside, ends), (around, ends[:, ::-1])):
        expected = model.predict_proba(TaskPairs(rows, pairs))[:, 1].reshape(3, N)
        np.testing.assert_allclose(found, expected)


# -- new tasks -------------------------------------------------------------------------
def test_known_tasks_keep_their_boxes_in_any_order(fitted):
    order = np.random.RandomState(0).permutation(N)
    np.testing.assert_array_equal(fitted.transform(FRAME.iloc[order]), fitted.boxes_[order])
    np.testing.assert_array_equal(fitted.transform(X[order]), fitted.boxes_[order])
    table = fitted.pairwise_strengths()
    pairs = TaskPairs(X[order], [(0, 1), (5, 2)])
    expected = table[order[[0, 5]], order[[1, 2]]]
    np.testing.assert_allclose(fitted.predict_proba(pairs)[:, 1], expected, rtol=1e-5)


def test_placement_steps_bring_boxes_closer_to_the_predictions_of_the_teacher(fitted):
    new = pd.DataFrame(X[:10] + 0.3, [f"new {i}" for i in range(10)])
    expected = fitted.teacher_.predict_proba(new)
    gaps = []
    for steps in (0, 30):
        model = fitted.set_params(placement_steps=steps)
        gaps.append(abs(model.predict_proba(new) - expected).mean())
    assert gaps[1] < 0.8 * gaps[0]


def test_a_new_task_is_embedded_independently_of_the_others(fitted):
    new = X[:6] + 0.3
    together = fitted.transform(new)
    alone = np.concatenate([fitted.transform(new[[i]]) for i in range(6)])
    np.testing.assert_allclose(alone, together, atol=1e-5)


def far_and_orthogonal():
    """Known tasks in a subspace, and new ones that only leave it."""
    known = np.hstack([X, np.zeros((N, 60))])
    far = known[:5].copy()
    far[:, -1] = 100.0
    return known, far


@pytest.mark.parametrize("kind", ["distilled", "ensemble"])
def test_a_far_task_orthogonal_to_the_known_ones_is_new(kind):
    known, far = far_and_orthogonal()
    model = quick()
    if kind == "ensemble":
        model = RelationEnsemble([("like", SimilarityModel()), ("closure", ClosureModel())])
    model.fit(known, GRAPH)
    strengths = model.predict_proba(far)
    expected = model.predict_proba(known[:5])
    assert (expected[np.arange(5), np.arange(5)] == 1).all()
    assert (strengths[np.arange(5), np.arange(5)] < 1).all()


# -- input formats and what does not matter --------------------------------------------
@pytest.mark.parametrize("y", [GRAPH, STRENGTHS, np.arange(N) % 4, None], ids=type)
def test_every_kind_of_relations(y):
    model = quick(placement_steps=5).set_params(embedder__max_epochs=20).fit(X, y)
    assert model.transform(X + 0.1).shape == (N, 10)
    assert np.isfinite(model.transform(X + 0.1)).all()


def test_sparse_features_have_no_augmented_tasks():
    model = quick(PopularityModel()).fit(sparse.csr_matrix(X), GRAPH)
    np.testing.assert_allclose(model.transform(sparse.csr_matrix(X)), model.boxes_)
    new = sparse.csr_matrix(X + 1)
    np.testing.assert_array_equal(model.transform(new), model.embedder_.transform(new))


def test_too_many_tasks_for_a_table_of_soft_targets():
    table = sparse.identity(10_001, format="csr")
    with pytest.raises(ValueError, match="10001 tasks.* Use a BoxRelationEmbedder"):
        quick().fit(table, [(0, 1)])


def test_partial_fit_adds_tasks_to_the_student():
    model = quick(PopularityModel()).fit(FRAME.iloc[:30], NAMED.subgraph(NAMES[:30]))
    teacher = model.teacher_
    model.partial_fit(FRAME.iloc[30:], NAMED)
    assert model.teacher_ is teacher
    assert list(model.tasks_) == NAMES
    np.testing.assert_array_equal(model.transform(FRAME), model.boxes_)
    assert model.score(FRAME, NAMED) > 0.9


def test_a_failed_fit_leaves_the_model_as_it_was(fitted):
    before = fitted.boxes_
    with pytest.raises(ValueError, match="nothing to learn"):
        fitted.fit(X[:3], np.zeros((3, 3)))
    assert fitted.boxes_ is before
    assert fitted.n_features_in_ == X.shape[1]


def test_output_as_frames_everywhere_does_not_matter(fitted):
    with sklearn.config_context(transform_output="pandas"):
        again = quick().fit(FRAME, NAMED)
        boxes = again.transform(FRAME)
        new = again.transform(FRAME + 1)
    assert list(boxes.columns[[0, -1]]) == ["lower0", "upper4"]
    assert list(boxes.index) == NAMES
    np.testing.assert_array_equal(boxes, fitted.boxes_)
    assert np.isfinite(new.to_numpy()).all()


def test_the_same_seed_gives_the_same_boxes(fitted):
    np.testing.assert_array_equal(clone(fitted).fit(FRAME, NAMED).boxes_, fitted.boxes_)
    other = clone(fitted).set_params(random_state=1).fit(FRAME, NAMED)
    assert abs(other.boxes_ - fitted.boxes_).max() > 0.1


def test_links_are_classified_by_distilled_boxes():
    pairs, y = TaskPairs.from_graph(NAMED, FRAME, random_state=0)
    links = TaskLinkClassifier(quick(ClosureModel())).fit(pairs, y)
    assert (links.predict(pairs) == y).mean() > 0.9


def test_contradictions_of_the_student_are_warned_of_once_at_the_call():
    teacher = BoxRelationEmbedder(1, max_epochs=2, hidden_layer_sizes=(4,))
    model = quick(teacher, placement_steps=0).set_params(embedder__max_epochs=3)
    with pytest.warns(ConvergenceWarning, match="boxes contradict") as caught:
        model.fit(FRAME, NAMED)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert len(model.contradictions_) == len(model.embedder_.contradictions_) > 0
