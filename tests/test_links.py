"""TaskLinkClassifier: the snippets of the contract, and what it refuses."""

import networkx as nx
import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import BaseEstimator
from sklearn.calibration import CalibratedClassifierCV
from sklearn.decomposition import PCA
from sklearn.ensemble import BaggingClassifier, VotingClassifier
from sklearn.exceptions import DataConversionWarning, NotFittedError
from sklearn.inspection import permutation_importance
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    StratifiedKFold,
    cross_val_predict,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags

from sklearn_task2box import BoxRelationEmbedder, TaskLinkClassifier, TaskPairs
from sklearn_task2box.models import ClosureModel, PopularityModel

pytestmark = pytest.mark.usefixtures("few_steps")


@pytest.mark.slow
def test_the_snippet_for_tasks(named_taxonomy):
    frame, graph = named_taxonomy
    X, names = frame.to_numpy(), frame.index.tolist()
    search = GridSearchCV(
        make_pipeline(StandardScaler(), BoxRelationEmbedder(random_state=0)),
        {"boxrelationembedder__box_dim": [2, 5, 10]},
        cv=5,
    )
    search.fit(X, nx.to_pandas_adjacency(graph, nodelist=names))
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


@pytest.mark.slow
def test_the_snippet_for_relations(taxonomy):
    X, graph = taxonomy
    pairs, y = TaskPairs.from_graph(graph, X, negatives="all", random_state=0)
    search = GridSearchCV(
        TaskLinkClassifier(
            make_pipeline(StandardScaler(), BoxRelationEmbedder(random_state=0))
        ),
        {"embedder__boxrelationembedder__box_dim": [2, 5]},
        scoring="average_precision",
        cv=3,
    )
    search.fit(pairs, y)
    assert search.best_score_ > 0.5


def test_pairs_kept_together_by_task_are_not_implied(taxonomy):
    X, graph = taxonomy
    pairs, y = TaskPairs.from_graph(graph, X, random_state=0)
    closure = TaskLinkClassifier(ClosureModel())

    def n_implied(**settings):
        settings["method"] = "predict_proba"
        predicted = cross_val_predict(closure, pairs, y, **settings)[:, 1]
        return np.count_nonzero(predicted > 0.5)

    assert n_implied(cv=StratifiedKFold(3)) > 0
    assert n_implied(cv=GroupKFold(3), groups=pairs.pairs[:, 0]) == 0


@pytest.mark.slow
def test_unseen_links_are_predicted_better_than_by_the_baselines(taxonomy):
    X, graph = taxonomy
    pairs, y = TaskPairs.from_graph(graph, X, random_state=0)

    def score(embedder):
        links = TaskLinkClassifier(embedder)
        return cross_val_score(links, pairs, y, scoring="average_precision", cv=3).mean()

    boxes = score(BoxRelationEmbedder(random_state=0))
    assert boxes > score(PopularityModel())
    assert boxes > score(ClosureModel())


def test_only_the_training_pairs_are_learned_from(taxonomy):
    X, graph = taxonomy
    pairs, y = TaskPairs.from_graph(graph, X, random_state=0)
    seen = {}

    class Spy(PopularityModel):
        def fit(self, X, y):
            seen["strengths"] = y.toarray()
            return super().fit(X, y)

    TaskLinkClassifier(Spy(), transitive=False).fit(pairs[:300], y[:300])
    observed = ~np.isnan(seen["strengths"])
    assert observed.sum() == 300
    heads, tails = pairs[:300].pairs.T
    np.testing.assert_array_equal(seen["strengths"][heads, tails], y[:300])


def test_it_is_a_classifier_of_any_two_labels(taxonomy):
    X, graph = taxonomy
    pairs, y = TaskPairs.from_graph(graph, X, negatives=2, random_state=0)
    links = TaskLinkClassifier(BoxRelationEmbedder(2, max_epochs=5, random_state=0))
    assert get_tags(links).estimator_type == "classifier"
    asked = links.fit(pairs, y).predict_proba(pairs)
    for related, other in [("inside", "apart"), ("related", "unrelated")]:
        text = np.where(y == 1, related, other)
        with pytest.raises(ValueError, match="which label means related.*pos_label"):
            links.set_params(pos_label=None).fit(pairs, text)
        links.set_params(pos_label=related).fit(pairs, text)
        assert links.classes_.tolist() == sorted([related, other])
        probabilities = links.predict_proba(pairs)
        at = links.classes_.tolist().index(related)
        np.testing.assert_array_equal(probabilities[:, [1 - at, at]], asked)
        assert set(links.predict(pairs)[asked[:, 1] > 0.5]) == {related}
        with pytest.raises(ValueError, match="pos_label must be one of the labels"):
            links.set_params(pos_label="yes").fit(pairs, text)
    with pytest.warns(DataConversionWarning):
        links.set_params(pos_label=None).fit(pairs, y[:, None])
    defaults = {"embedder": None, "transitive": "auto", "pos_label": None}
    assert TaskLinkClassifier().get_params() == defaults


@pytest.mark.parametrize("output", ["default", "pandas"])
def test_pairs_are_the_same_behind_steps_that_keep_integer_names(taxonomy, output):
    X, graph = taxonomy
    named = pd.DataFrame(X, index=np.random.RandomState(0).permutation(len(X)))
    graph = nx.relabel_nodes(graph, dict(enumerate(named.index)))
    pairs, y = TaskPairs.from_graph(graph, named, negatives=1, random_state=0)
    model = TaskLinkClassifier(
        make_pipeline(StandardScaler(), Spy()).set_output(transform=output)
    )
    asked = model.fit(pairs, y).predict_proba(pairs)
    np.testing.assert_array_equal(asked, pairs.pairs)


class Spy(BaseEstimator):
    """Answers with the pairs that it is asked for."""

    def fit(self, X, y):
        return self

    def set_output(self, *, transform=None):
        return self

    def predict_proba(self, X):
        return X.pairs


def test_wrong_input(taxonomy):
    X, graph = taxonomy
    pairs, y = TaskPairs.from_graph(graph, X, random_state=0)
    links = TaskLinkClassifier(BoxRelationEmbedder(max_epochs=5))
    with pytest.raises(TypeError, match=r"pairs of tasks; got a ndarray.*TaskPairs\(X"):
        links.fit(X, y)
    with pytest.raises(ValueError, match="inconsistent numbers"):
        links.fit(pairs, y[:-1])
    with pytest.raises(ValueError, match="two classes, unrelated and related; got 1"):
        links.fit(pairs, np.zeros_like(y))
    with pytest.raises(ValueError, match="got 3"):
        links.fit(pairs, np.arange(len(y)) % 3)
    with pytest.raises(ValueError, match="Graded strengths can be cut"):
        links.fit(pairs, np.linspace(0, 1, len(y)))
    with pytest.raises(ValueError, match="continuous"):
        links.fit(pairs, y / 2)
    with pytest.raises(ValueError, match="a label for each pair"):
        links.fit(pairs, None)
    for step in (StandardScaler(), make_pipeline(StandardScaler())):
        with pytest.raises(ValueError, match="must predict relations"):
            TaskLinkClassifier(step).fit(pairs, y)
    twice = TaskPairs(X, [(0, 1), (0, 1), (1, 2)])
    with pytest.raises(ValueError, match="1 of X stand there with both, such as 0, 1"):
        links.fit(twice, [0, 1, 0])
    assert not hasattr(links, "embedder_")
    with pytest.raises(TypeError, match="no feature matrix"):
        make_pipeline(StandardScaler(), BoxRelationEmbedder(max_epochs=5)).fit(
            X, graph
        ).predict_proba(pairs)


def test_pipelines_may_hold_one_another(taxonomy):
    X, graph = taxonomy
    pairs, y = TaskPairs.from_graph(graph, X, negatives=1, random_state=0)
    boxes = BoxRelationEmbedder(max_epochs=20, random_state=0)
    flat = make_pipeline(StandardScaler(), PCA(3), boxes)
    nested = make_pipeline(StandardScaler(), make_pipeline(PCA(3), boxes))
    asked = [TaskLinkClassifier(one).fit(pairs, y) for one in (flat, nested)]
    np.testing.assert_array_equal(*(one.predict_proba(pairs) for one in asked))


def test_unfitted_classifiers_say_so(taxonomy):
    with pytest.raises(NotFittedError):
        TaskLinkClassifier().predict(TaskPairs(taxonomy[0], [(0, 1)]))


def test_calibration_under_array_api_dispatch(taxonomy):
    X, graph = taxonomy
    pairs, y = TaskPairs.from_graph(graph, X, negatives=2, random_state=0)
    links = TaskLinkClassifier(BoxRelationEmbedder(2, max_epochs=3))
    plain = CalibratedClassifierCV(links, cv=2, ensemble=False).fit(pairs, y)
    try:
        with sklearn.config_context(array_api_dispatch=True):
            calibrated = CalibratedClassifierCV(links, cv=2, ensemble=False).fit(pairs, y)
    except ImportError as error:
        pytest.skip(str(error))
    assert calibrated.predict_proba(pairs).shape == plain.predict_proba(pairs).shape


def test_it_is_binary():
    assert not get_tags(TaskLinkClassifier()).classifier_tags.multi_class


def test_labelled_pairs_overrule_the_closure(taxonomy):
    X, _ = taxonomy
    pairs = TaskPairs(X, [(0, 1), (1, 2), (0, 2), (2, 3), (4, 0)])
    seen = {}

    class Spy(PopularityModel):
        def fit(self, X, y):
            seen["strengths"] = y.toarray()
            return super().fit(X, y)

    TaskLinkClassifier(Spy(), pos_label=1).fit(pairs, [1, 1, 0, 1, 0])
    assert seen["strengths"][0, 2] == 0  # labelled, though 0 -> 1 -> 2
    assert seen["strengths"][1, 3] == 1  # follows, and has no label
    assert np.isnan(seen["strengths"][3, 1])


def test_tools_that_take_columns_are_refused_with_the_way_out(taxonomy):
    X, graph = taxonomy
    pairs, y = TaskPairs.from_graph(graph, X, negatives=1, random_state=0)
    links = TaskLinkClassifier(PopularityModel()).fit(pairs, y)
    with pytest.raises(IndexError, match="have no columns.*make_relation_scorer"):
        permutation_importance(links, pairs, y, n_repeats=1)
    with pytest.raises(TypeError, match="bagging.*make_relation_scorer"):
        BaggingClassifier(links, n_estimators=2).fit(pairs, y)


def test_text_labels_inside_voting_need_the_code_of_related_pairs(taxonomy):
    X, graph = taxonomy
    pairs, y = TaskPairs.from_graph(graph, X, random_state=0)
    text = np.where(y == 1, "related", "unrelated")
    for related, message in [
        (None, "Does 1 mean related.*Pass pos_label=1, or pos_label=0"),
        ("related", "encode labels: give its code"),
    ]:
        links = TaskLinkClassifier(PopularityModel(), pos_label=related)
        with pytest.raises(ValueError, match=message):
            VotingClassifier([("links", links)], voting="soft").fit(pairs, text)
    links = TaskLinkClassifier(PopularityModel(), pos_label=0)
    vote = VotingClassifier([("links", links)], voting="soft").fit(pairs, text)
    alone = TaskLinkClassifier(PopularityModel()).fit(pairs, y)
    np.testing.assert_allclose(
        vote.predict_proba(pairs)[:, 0], alone.predict_proba(pairs)[:, 1]
    )


def test_true_means_related_however_many_pairs_are(taxonomy):
    pairs = TaskPairs(taxonomy[0], [(0, 1), (1, 2), (2, 0)])
    links = TaskLinkClassifier(PopularityModel(), transitive=False)
    assert links.fit(pairs, [True, True, False]).classes_.tolist() == [False, True]
    with pytest.raises(ValueError, match="Does 1 mean related"):
        links.fit(pairs, [1, 1, 0])


@pytest.mark.parametrize("missing", [np.nan, None])
def test_missing_labels_are_refused(missing):
    pairs = TaskPairs(np.eye(3), [(0, 1), (1, 0), (2, 1)])
    labels = np.array([1, 0, missing], dtype=object if missing is None else float)
    with pytest.raises(ValueError, match="y has 1 missing labels.*Leave out"):
        TaskLinkClassifier().fit(pairs, labels)


def test_parameters_of_an_embedder_that_is_not_given_are_refused():
    with pytest.raises(ValueError, match=r"TaskLinkClassifier\(embedder=BoxRelationEmb"):
        TaskLinkClassifier().set_params(embedder__box_dim=2)
    links = TaskLinkClassifier(BoxRelationEmbedder()).set_params(embedder__box_dim=2)
    assert links.embedder.box_dim == 2
    links = TaskLinkClassifier(make_pipeline(StandardScaler(), BoxRelationEmbedder()))
    links.set_params(embedder__boxrelationembedder__box_dim=3)
    assert links.embedder[-1].box_dim == 3
