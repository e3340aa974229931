"""What teachers think together, and predictions that are read from it."""

import pickle

import networkx as nx
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.metrics import average_precision_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn_task2box.opinions import Weights, agree, weigh
from sklearn_task2box.utils._calibration import Calibration

from sklearn_task2box import (
    BoxRelationEmbedder,
    TaskLinkClassifier,
    TaskPairs,
    TaskRelations,
)
from sklearn_task2box.datasets import load_digits_tasks
from sklearn_task2box.metrics import reconstruction

QUICK = {
    "max_epochs": 60,
    "hidden_layer_sizes": (32,),
    "random_state": 0,
    "n_teachers": 2,
    "predict_from": "teachers",
}


def observed(strengths, share, seed=0):
    """Pairs of which a share is observed."""
    seen = np.random.RandomState(seed).uniform(size=strengths.shape) < share
    np.fill_diagonal(seen, False)
    return TaskRelations(np.where(seen, strengths, np.nan)).observed()


def unknown_share(pairs):
    return pairs.n_unknown / (pairs.n_tasks * (pairs.n_tasks - 1))


# -- weights ---------------------------------------------------------------------------
def test_who_counts_for_how_much_of_known_tasks():
    weights = Weights(0.0, 0.2, 0.0, 0.0, 0.0, 0.5)
    boxes, roles, classifiers = (np.full((5, 5), share) for share in (0.8, 0.4, 0.0))
    opinions = agree(weights, 3, boxes, roles, classifiers)
    assert_allclose(opinions[:3, :3], 0.8 * 0.8)
    assert_allclose(opinions[3:], 0.5)
    assert_allclose(opinions[:, 3:], 0.5)
    weights = Weights(0.5, 0.2, 0.0, 0.0, 0.0, 0.5, new_boxes=0.5)
    lacking = agree(weights, 3, boxes, roles, classifiers)
    new = (0.8 / 8 + 0.4 / 4 + 0.0 / 2) / (1 / 8 + 3 / 4)
    assert_allclose(lacking[:3, :3], (0.64 + new) / 2)


def test_further_opinions_take_their_shares():
    weights = Weights(0.0, 0.0, 0.3, 0.5, 0.4, 0.5)
    low, high = np.full((5, 5), 0.25), np.ones((3, 3))
    popularity = np.linspace(0, 1, 3)
    opinions = agree(weights, 3, low, low, low, popularity, high)
    known = 0.7 * 0.25 + 0.3 * popularity[None]
    assert_allclose(opinions[:3, :3], (known + 1) / 2 + 0 * low[:3, :3])
    assert_allclose(opinions[3:], 0.25)
    assert_allclose(weights.of_new(low, low, low, 1.0), 0.6 * 0.25 + 0.4)


def test_what_opinions_mean_depends_on_who_is_known():
    surer, more = Calibration(2.0, 0.0), Calibration(1.0, 1.0)
    weights = Weights(0.0, 0.2, 0.0, 0.0, 0.0, 0.5, known=surer, new=more)
    plain = Weights(0.0, 0.2, 0.0, 0.0, 0.0, 0.5)
    said = [np.linspace(0.1, 0.9, 5) ** power for power in (1, 2, 3)]
    assert_allclose(weights.of_known(*said), surer(plain.of_known(*said)))
    assert_allclose(weights.of_new(*said), more(plain.of_new(*said)))
    # Known tasks thought of as new ones are no new ones.
    lacking = Weights(1.0, 0.2, 0.0, 0.0, 0.0, 0.5, known=surer, new=more)
    assert_allclose(
        lacking.of_known(*said),
        surer(Weights(1.0, 0.2, 0.0, 0.0, 0.0, 0.5).of_new(*said)),
    )


def test_weights_follow_what_is_observed(kinds):
    _, strengths = kinds
    few, most = observed(strengths, 0.1), observed(strengths, 0.7)
    of_few = weigh(few, strengths, popularity=0.6, divergence=0.8)
    unknown = unknown_share(few)
    share = 2 * unknown - 1
    assert of_few.as_new == 0
    assert of_few.classifiers == pytest.approx(unknown**2 / 2 + 0.3 * share)
    seen = (1 - unknown) * (few.n_tasks - 1)
    assert of_few.popularity == pytest.approx(0.6 * share * 20 / (20 + seen))
    assert of_few.divergence == pytest.approx(0.8 * unknown)
    assert of_few.new_divergence == pytest.approx(0.6)
    assert of_few.own == pytest.approx((1 - unknown) / 3)
    of_most = weigh(most, strengths, popularity=0.6, divergence=0.4)
    assert of_most.classifiers == pytest.approx(unknown_share(most) ** 2 / 2)
    assert of_most.popularity == of_most.new_divergence == 0


def test_boxes_that_fail_to_fit_are_believed_less(kinds):
    _, strengths = kinds
    pairs = observed(strengths, 0.5)
    blurred = [
        weigh(pairs, (1 - blur) * strengths + blur * strengths.mean()).as_new
        for blur in (0, 0.02, 0.2, 0.5, 1)
    ]
    assert blurred[:2] == [0, 0]
    assert 0 < blurred[2] < blurred[3] <= 1
    assert blurred[4] == 1
    assert weigh(pairs, 0.0 * strengths + strengths.mean()).own == 0
    assert weigh(pairs, 1 - strengths).as_new == 1  # worse than nothing


def test_graded_relations_of_known_tasks_are_thought_of_as_those_of_new_ones(kinds):
    _, strengths = kinds
    pairs = observed(0.9 * strengths, 0.5)
    weights = weigh(pairs, 0.9 * strengths)
    assert (weights.as_new, weights.new_boxes) == (1, 1)
    assert weights.own == pytest.approx((1 - unknown_share(pairs)) / 3)
    said = [np.array([share]) for share in (0.8, 0.4, 0.1)]
    assert_allclose(weights.of_known(*said), (0.8 + 0.4 + 0.2) / 4)
    assert_allclose(weights.of_new(*said), (0.8 + 0.4 + 0.2) / 4)


def test_boxes_that_fit_strengths_which_are_all_the_same_are_believed(kinds):
    _, strengths = kinds
    related = TaskRelations(np.where(strengths == 1, 1, np.nan)).observed()
    lacks = [weigh(related, share * strengths).as_new for share in (1, 0.97, 0.9, 0.5, 0)]
    assert lacks[:2] == [0, 0]
    assert 0 < lacks[2] < lacks[3]
    assert lacks[3:] == [1, 1]


# -- predictions -----------------------------------------------------------------------
@pytest.fixture(scope="module")
def split_digits():
    """Features, containment, known tasks, new ones."""
    X, shares = load_digits_tasks(return_X_y=True)
    order = np.random.RandomState(0).permutation(len(X))[:60]
    X, related = X[order], (np.asarray(shares)[np.ix_(order, order)] == 1).astype(float)
    return X, related, np.arange(45), np.arange(45, 60)


@pytest.fixture(scope="module")
def fitted(split_digits):
    X, related, known, _ = split_digits
    return BoxRelationEmbedder(**QUICK).fit(X[known], related[np.ix_(known, known)])


def test_tables_and_pairs_say_the_same(fitted, split_digits):
    X, _, known, new = split_digits
    table = fitted.predict_proba(X)
    assert table.shape == (len(X), len(known))
    assert ((table >= 0) & (table <= 1)).all()
    pairs = np.stack(np.meshgrid(np.arange(len(X)), known, indexing="ij"), -1)
    said = fitted.predict_proba(TaskPairs(X, pairs.reshape(-1, 2)))[:, 1]
    assert_allclose(said.reshape(table.shape), table, atol=1e-9)
    assert (table[known, known] == 1).all()
    assert fitted.predict_proba(TaskPairs(X, [(new[0], new[0])]))[0, 1] == 1
    twice = X[[known[5], known[5]]]  # a known task, asked for under another position
    assert fitted.predict_proba(TaskPairs(twice, [(0, 1)]))[0, 1] == 1
    assert_allclose(fitted.predict_proba(X[new[:1]]), table[new[:1]], atol=1e-9)
    assert_array_equal(fitted.predict(X), table >= fitted.threshold_)


def test_blocks_do_not_matter(fitted, split_digits, monkeypatch):
    X, _, known, new = split_digits
    table, graph = fitted.predict_proba(X[new]), fitted.to_networkx()
    best = fitted.subsets(X[new], k=3)
    monkeypatch.setattr("sklearn_task2box.opinions._TABLE", 2 * len(known))
    monkeypatch.setattr("sklearn_task2box.embedder._BLOCK", 3 * X.shape[1])
    assert_allclose(fitted.predict_proba(X[new]), table, atol=1e-12)
    assert_array_equal(fitted.subsets(X[new], k=3)[0], best[0])
    assert nx.utils.graphs_equal(
        nx.DiGraph(fitted.to_networkx().edges), nx.DiGraph(graph.edges)
    )


def test_the_boxes_are_those_without(fitted, split_digits):
    X, related, known, new = split_digits
    boxes = clone(fitted).set_params(predict_from="boxes")
    boxes.fit(X[known], related[np.ix_(known, known)])
    assert_array_equal(boxes.boxes_, fitted.boxes_)
    assert_array_equal(boxes.transform(X[new]), fitted.transform(X[new]))
    gap = np.abs(boxes.predict_proba(X[new]) - fitted.predict_proba(X[new]))
    assert gap.max() > 0.01
    still = clone(fitted).set_params(placement_steps=0)
    still.fit(X[known], related[np.ix_(known, known)])
    assert_array_equal(still.predict_proba(X[new]), fitted.predict_proba(X[new]))


def test_dimensions_of_the_boxes_matter_to_known_tasks_alone(fitted, split_digits):
    X, related, known, new = split_digits
    flat = clone(fitted).set_params(box_dim=1).fit(X[known], related[np.ix_(known, known)])
    assert flat.boxes_.shape[1] == 2
    assert_array_equal(flat.predict_proba(X[new]), fitted.predict_proba(X[new]))
    gap = flat.predict_proba(X[known]) - fitted.predict_proba(X[known])
    boxes = [by_boxes(one).predict_proba(X[known]) for one in (flat, fitted)]
    assert_allclose(gap, fitted._teachers.weights.own * (boxes[0] - boxes[1]), atol=1e-9)
    assert np.abs(gap).max() > 0.05


def test_the_best_are_those_of_the_table(fitted, split_digits):
    X, _, known, new = split_digits
    table = fitted.predict_proba(X[new])
    indices, strengths = fitted.supersets(X[new], k=4)
    assert_allclose(strengths, -np.sort(-table, axis=1)[:, :4])
    assert_allclose(np.take_along_axis(table, indices, 1), strengths)
    pairs = np.stack(np.meshgrid(known, new, indexing="ij"), -1).reshape(-1, 2)
    back = fitted.predict_proba(TaskPairs(X, pairs))[:, 1].reshape(len(known), -1).T
    indices, strengths = fitted.subsets(X[new], k=4)
    assert_allclose(strengths, -np.sort(-back, axis=1)[:, :4], atol=1e-9)
    own, _ = fitted.supersets(k=len(known) - 1)
    assert not (own == np.arange(len(known))[:, None]).any()


def test_a_graph_of_what_they_say(fitted, split_digits):
    X, _, known, _ = split_digits
    table = fitted.predict_proba(X[known])
    np.fill_diagonal(table, 0)
    whole = fitted.to_networkx(reduce=False)
    assert set(whole.edges) == set(map(tuple, np.argwhere(table >= fitted.threshold_)))
    reduced = fitted.to_networkx()
    assert nx.is_directed_acyclic_graph(reduced)
    assert set(reduced.edges) <= set(whole.edges)
    assert 0 < reduced.number_of_edges() < whole.number_of_edges()


def test_known_relations_are_learned_and_scored(fitted, split_digits):
    X, related, known, _ = split_digits
    y = related[np.ix_(known, known)]
    assert fitted.score(X[known], y) > 0.95
    off = ~np.eye(len(known), dtype=bool)
    assert (fitted.predict(X[known])[off] == y[off]).mean() > 0.98
    mean_average_precision, _ = reconstruction(fitted)
    assert mean_average_precision > 0.95


def test_they_know_more_of_new_tasks_than_boxes_of_two_dimensions(split_digits):
    X, related, known, new = split_digits
    scores = []
    for seed in range(2):
        settings = {**QUICK, "random_state": seed, "max_epochs": 150}
        one = BoxRelationEmbedder(2, **settings)
        one.fit(X[known], related[np.ix_(known, known)])
        boxes = by_boxes(one)
        truth = related[np.ix_(new, known)].ravel()
        scores.append(
            [
                average_precision_score(truth, said.ravel())
                for said in (one.predict_proba(X[new]), boxes.predict_proba(X[new]))
            ]
        )
    teachers, boxes = np.mean(scores, axis=0)
    assert teachers > boxes + 0.02


def by_boxes(model):
    """The same fit, read from its boxes."""
    other = pickle.loads(pickle.dumps(model))
    other._reads_teachers = False
    return other


def test_twins_and_variances(kinds):
    X, strengths = kinds
    X = X.copy()
    X.iloc[1] = X.iloc[0]
    model = BoxRelationEmbedder(**QUICK).fit(X, strengths)
    assert_array_equal(model.twins_, [0, 1])
    assert model._teachers.divergence is not None
    table = model.predict_proba(X)
    assert np.abs(table[0, 2:] - table[1, 2:]).max() > 1e-3
    assert model.score(X, strengths) > 0.9


def test_it_goes_through_pipelines_and_pickles(split_digits):
    X, related, known, new = split_digits
    pipe = make_pipeline(StandardScaler(), BoxRelationEmbedder(**QUICK))
    pipe.fit(X[known], related[np.ix_(known, known)])
    copied = pickle.loads(pickle.dumps(pipe))
    assert_array_equal(copied.predict_proba(X[new]), pipe.predict_proba(X[new]))
    ends = np.argwhere(~np.eye(len(known), dtype=bool))[::3]
    pairs = TaskPairs(X[known], ends)
    links = TaskLinkClassifier(pipe).fit(pairs, related[tuple(ends.T)])
    assert links.score(pairs, related[tuple(ends.T)]) > 0.9


def test_tasks_learned_later_are_new_to_them(split_digits):
    X, related, known, new = split_digits
    model = BoxRelationEmbedder(**QUICK).fit(X[known], related[np.ix_(known, known)])
    before = model.predict_proba(X[new])
    later, rest = new[:3], new[3:]
    heads, tails = np.nonzero(related * ~np.eye(len(X), dtype=bool))
    some = np.isin(heads, later) & (tails < len(known))
    model.partial_fit(X[later], list(zip(heads[some], tails[some], strict=True)))
    after = model.predict_proba(X[rest])
    assert after.shape == (len(rest), len(known) + 3)
    assert_allclose(after[:, : len(known)], before[3:], atol=1e-6)
    assert model.supersets(k=2)[0].shape == (len(known) + 3, 2)


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"n_teachers": 0}, "n_teachers=0 is none for 45 tasks and max_epochs=60"),
        ({"encoder": "linear"}, "they need dense features and encoder='mlp'"),
        ({"max_epochs": 0, "init": "layout"}, "max_epochs=0"),
    ],
)
def test_without_teachers_there_is_nothing_to_read(split_digits, settings, why):
    X, related, known, _ = split_digits
    model = BoxRelationEmbedder(**{**QUICK, **settings})
    with pytest.raises(ValueError, match=f"this fit has none: .*{why}.*predict_from='bo"):
        model.fit(X[known], related[np.ix_(known, known)])
    assert not hasattr(model, "boxes_")


def test_who_else_has_no_teachers(split_digits):
    X, related, known, _ = split_digits
    y = related[np.ix_(known, known)]
    with pytest.raises(ValueError, match="relations made of X alone"):
        BoxRelationEmbedder(**QUICK).fit(X[known])
    with pytest.raises(ValueError, match="dense features"):
        BoxRelationEmbedder(**QUICK).fit(sparse.csr_matrix(X[known]), y)
    model = BoxRelationEmbedder(**{**QUICK, "n_teachers": 0}, warm_start=True)
    model.set_params(predict_from="boxes").fit(X[known], y)
    with pytest.raises(ValueError, match="goes on from a network that has none"):
        model.set_params(predict_from="teachers").fit(X[known], y)
