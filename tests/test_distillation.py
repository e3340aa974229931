"""DistilledBoxEmbedder: the student, its teacher, and boxes of new tasks."""

import copy

import networkx as nx
import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
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
from sklearn_task2box.models import (
    ClosureModel,
    KernelRidgeModel,
    NeighborsModel,
    PopularityModel,
    SimilarityModel,
)

pytestmark = pytest.mark.usefixtures("few_steps", "held_out_once")

X, GRAPH = make_taxonomy()
N = len(X)
NAMES = [f"task {i}" for i in range(N)]
FRAME = pd.DataFrame(X, NAMES)
NAMED = nx.relabel_nodes(GRAPH, dict(enumerate(NAMES)))
STRENGTHS = nx.to_numpy_array(GRAPH, nodelist=range(N))
QUICK = {"hidden_layer_sizes": (32,), "max_epochs": 100}


def quick(teacher=None, **options):
    student = BoxRelationEmbedder(5, **QUICK)
    teacher = SimilarityModel() if teacher is None else teacher
    return DistilledBoxEmbedder(student, teacher, **{"random_state": 0, **options})


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
    assert fitted.n_iter_ == len(fitted.history_) == 100


def test_nested_parameters_need_an_explicit_student_and_teacher():
    model = quick(RelationEnsemble([("closure", ClosureModel())]))
    model.set_params(embedder__box_dim=2, teacher__closure=PopularityModel())
    assert model.embedder.box_dim == 2
    assert isinstance(model.teacher.estimators[0][1], PopularityModel)
    with pytest.raises(ValueError, match=r"embedder=BoxRelationEmbedder\(\)"):
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
        ({"memory": 3}, "memory"),
    ],
)
def test_wrong_arguments_are_named_in_fit(options, message):
    with pytest.raises(ValueError, match=message):
        quick().set_params(**options).fit(X, GRAPH)


@pytest.fixture
def fits(monkeypatch):
    """Grows by one with each fit of a SimilarityModel."""
    fits = []
    original = SimilarityModel.fit

    def fit(self, *args, **kwargs):
        fits.append(1)
        return original(self, *args, **kwargs)

    monkeypatch.setattr(SimilarityModel, "fit", fit)
    return fits


def test_a_search_over_the_student_fits_the_teacher_once_per_fold(tmp_path, fits):
    search = GridSearchCV(
        quick(memory=str(tmp_path)).set_params(embedder__max_epochs=20),
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
    model = quick(teacher, memory=str(tmp_path))
    model.set_params(embedder__max_epochs=2).fit(FRAME, NAMED)
    model.set_params(teacher__verbose=1, teacher__n_jobs=1).fit(FRAME, NAMED)
    assert fits == [None]
    model.set_params(random_state=None).fit(FRAME, NAMED)
    assert len(fits) == 2


# -- learning --------------------------------------------------------------------------
class Oracle(SimilarityModel):
    """A teacher that knows all relations of the known tasks."""

    def pairwise_strengths(self, X=None):
        return STRENGTHS


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix], ids=["dense", "sparse"])
def test_soft_targets_teach_relations_that_nobody_observed(kind):
    seen = few_of(STRENGTHS, 0.3)
    hidden = np.isnan(seen) & ~np.eye(N, dtype=bool)
    alone = BoxRelationEmbedder(5, **QUICK, teacher=None, random_state=0)
    scores = [
        average_precision_score(STRENGTHS[hidden], model.pairwise_strengths()[hidden])
        for model in (alone.fit(kind(X), seen), quick(Oracle()).fit(kind(X), seen))
    ]
    assert scores[1] > scores[0] + 0.1


def test_the_teacher_of_the_embedder_does_not_matter(fitted):
    for teacher in (None, PopularityModel()):
        other = clone(fitted).set_params(embedder__teacher=teacher).fit(FRAME, NAMED)
        np.testing.assert_array_equal(other.boxes_, fitted.boxes_)
    assert fitted.embedder.teacher == "auto"  # which is left as it was


def test_the_teacher_is_fitted_once(fits):
    model = quick().set_params(embedder__max_epochs=2).fit(FRAME, NAMED)
    model.transform(FRAME + 0.1)
    assert len(fits) == 1
    predicted = model.teacher_.predict_proba(FRAME)
    np.testing.assert_array_equal(model.embedder_.teacher_.predict_proba(FRAME), predicted)


def test_a_student_learns_observed_relations_that_its_teacher_gets_wrong(fitted):
    scores = [model.score(FRAME, NAMED) for model in (fitted.teacher_, fitted)]
    assert scores[1] > scores[0] + 0.2


# -- new tasks -------------------------------------------------------------------------
def test_known_tasks_keep_their_boxes_in_any_order(fitted):
    order = np.random.RandomState(0).permutation(N)
    np.testing.assert_array_equal(fitted.transform(FRAME.iloc[order]), fitted.boxes_[order])
    np.testing.assert_array_equal(fitted.transform(X[order]), fitted.boxes_[order])
    table = fitted.pairwise_strengths()
    pairs = TaskPairs(X[order], [(0, 1), (5, 2)])
    expected = table[order[[0, 5]], order[[1, 2]]]
    np.testing.assert_allclose(fitted.predict_proba(pairs)[:, 1], expected, rtol=1e-5)


def test_boxes_of_new_tasks_are_closer_to_the_predictions_of_the_teacher(fitted):
    new = X[:10] + 0.3
    expected = fitted.teacher_.predict_proba(new)
    encoder = fitted.embedder_.encoder_
    with torch.no_grad():
        started = torch.cat(encoder.boxes_of(encoder.outputs(new)), dim=1).numpy()
    gaps = []
    for boxes in (started, fitted.transform(new)):
        heads, tails = np.indices(expected.shape)
        strengths = fitted._pair_strengths(
            np.vstack([boxes, fitted.boxes_]), heads.ravel(), len(new) + tails.ravel()
        )
        gaps.append(abs(strengths.reshape(expected.shape) - expected).mean())
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
    model = quick().set_params(embedder__max_epochs=20).fit(X, y)
    assert model.transform(X + 0.1).shape == (N, 10)
    assert np.isfinite(model.transform(X + 0.1)).all()


def test_new_tasks_of_sparse_features_are_embedded_by_the_teacher():
    model = quick(KernelRidgeModel()).fit(sparse.csr_matrix(X), GRAPH)
    np.testing.assert_allclose(model.transform(sparse.csr_matrix(X)), model.boxes_)
    new = X[:10] + 0.3
    boxes = model.transform(sparse.csr_matrix(new))
    np.testing.assert_array_equal(model.transform(new), boxes)
    np.testing.assert_array_equal(model.embedder_.transform(new), boxes)
    encoder = model.embedder_.encoder_
    with torch.no_grad():
        started = torch.cat(encoder.boxes_of(encoder.outputs(new)), dim=1).numpy()
    assert abs(boxes - started).max() > 0.1


def test_too_many_tasks_for_a_table_of_soft_targets(monkeypatch):
    monkeypatch.setattr("sklearn_task2box.embedder._MAX_TARGETS", N - 1)
    model = quick()
    with pytest.raises(ValueError, match=f"{N} tasks.* more than {N - 1} tasks"):
        model.fit(X, GRAPH)
    assert not hasattr(model, "teacher_")


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
    model = quick(teacher).set_params(embedder__max_epochs=3)
    with pytest.warns(ConvergenceWarning, match="boxes contradict") as caught:
        model.fit(FRAME, NAMED)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert len(model.contradictions_) == len(model.embedder_.contradictions_) > 0


class Slow(PopularityModel):
    """A teacher that must not be fitted."""

    def fit(self, X, y=None):
        raise AssertionError("The teacher was fitted.")


def test_too_many_tasks_are_refused_before_the_teacher_is_fitted(monkeypatch):
    monkeypatch.setattr("sklearn_task2box.embedder._MAX_TARGETS", 4)
    X = np.random.RandomState(0).normal(size=(5, 2))
    with pytest.raises(ValueError, match="X has 5 tasks.*teacher=None"):
        DistilledBoxEmbedder(teacher=Slow()).fit(X, [(0, 1), (2, 1)])


def test_the_teacher_of_a_copy_stays_as_it_is():
    X = np.random.RandomState(0).normal(size=(12, 3))
    student = BoxRelationEmbedder(2, max_epochs=2, hidden_layer_sizes=(8,))
    model = DistilledBoxEmbedder(student, NeighborsModel(3), random_state=0)
    model.fit(X[:10], [(1, 0), (2, 0), (3, 1), (4, 1)])
    other = copy.deepcopy(model).partial_fit(X[10:], [(10, 0), (11, 1)])
    assert len(other.tasks_) == 12
    assert len(other.embedder_.teacher_.tasks_) == len(model.tasks_) == 10
