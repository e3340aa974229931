"""Training pairs that boxes contradict."""

import builtins
import warnings

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import TruncatedSVD
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline

from sklearn_task2box import BoxRelationEmbedder, RelationEnsemble, TaskRelations
from sklearn_task2box.models import ClosureModel


def exceptions():
    """Features of the docstrings of Python's exceptions, and their plain hierarchy."""
    classes = {c.__name__: c for c in vars(builtins).values() if isinstance(c, type)}
    classes = {n: c for n, c in classes.items() if issubclass(c, BaseException)}
    edges = [(n, b.__name__) for n, c in classes.items() for b in c.__bases__]
    graph = nx.DiGraph((n, b) for n, b in edges if b != "object")
    tfidf = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5))
    features = make_pipeline(tfidf, TruncatedSVD(32, random_state=0))
    texts = [f"{name}: {c.__doc__}" for name, c in classes.items()]
    return pd.DataFrame(features.fit_transform(texts), list(classes)), graph


@pytest.mark.parametrize("unobserved", ["negative", "unknown"])
def test_contradicted_training_pairs_are_counted_and_named(named_taxonomy, unobserved):
    X, graph = named_taxonomy
    strengths = nx.to_numpy_array(graph, nodelist=X.index)
    strengths[3, 4:9] = np.nan
    frame = pd.DataFrame(strengths, X.index, X.index)
    y = TaskRelations(frame, unobserved=unobserved, transitive=False)
    quick = BoxRelationEmbedder(2, max_epochs=5, hidden_layer_sizes=(8,), random_state=0)
    with pytest.warns(ConvergenceWarning) as caught:
        quick.fit(X, y)
    (warning,) = caught
    predicted = quick.pairwise_strengths()
    wrong = (predicted >= 0.5) != (strengths >= 0.5)
    wrong &= ~np.isnan(strengths) & ~np.eye(len(X), dtype=bool)
    found = quick.contradictions_
    assert set(zip(found.task, found.container, strict=True)) == {
        (X.index[i], X.index[j]) for i, j in np.argwhere(wrong)
    }
    gaps = abs(found.strength - found.predicted)
    assert (gaps.diff().dropna() <= 0).all()
    n_pairs = (~np.isnan(strengths)).sum() - len(X)
    assert f"contradict {len(found)} of {n_pairs} training pairs" in str(warning.message)
    assert repr(found.task[0]) in str(warning.message)
    assert warning.filename == __file__


def test_nothing_is_not_transformed(taxonomy):
    quick = BoxRelationEmbedder(2, max_epochs=2, hidden_layer_sizes=(8,), teacher=None)
    with pytest.warns(ConvergenceWarning):
        quick.fit(*taxonomy)
    with pytest.raises(ValueError, match="Expected 2D array"):
        quick.transform(None)


@pytest.mark.slow
def test_boxes_that_fit_their_relations_contradict_none(taxonomy):
    X, graph = taxonomy
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = BoxRelationEmbedder(5, random_state=0).fit(X, graph)
    assert model.contradictions_.empty


def test_graded_relations_have_no_contradictions(taxonomy):
    X, graph = taxonomy
    strengths = 0.7 * nx.to_numpy_array(graph, nodelist=range(len(X)))
    model = BoxRelationEmbedder(2, max_epochs=3, hidden_layer_sizes=(8,), random_state=0)
    assert model.fit(X, strengths).contradictions_.empty


@pytest.mark.slow
def test_boxes_reproduce_the_hierarchy_of_exceptions():
    X, graph = exceptions()
    true = nx.to_pandas_adjacency(nx.transitive_closure(graph), nodelist=X.index)
    for box_dim, most in ((5, 0), (2, 3)):
        model = BoxRelationEmbedder(box_dim, random_state=0).fit(X, graph)
        strengths = model.pairwise_strengths()
        np.fill_diagonal(strengths, 0)
        strengths = pd.DataFrame(strengths, X.index, X.index)
        assert ((strengths < 0.5) & (true == 1)).sum().sum() <= most
        assert ((strengths >= 0.5) & (true == 0)).sum().sum() <= most
        assert len(model.contradictions_) <= 2 * most
        inside = strengths.loc["BrokenPipeError"]
        assert (inside[["OSError", "Exception", "BaseException"]] >= 0.9).all()


@pytest.mark.usefixtures("held_out_once")
def test_members_of_an_ensemble_do_not_warn(taxonomy):
    X, graph = taxonomy
    boxes = BoxRelationEmbedder(1, max_epochs=2, hidden_layer_sizes=(4,))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = RelationEnsemble([("boxes", boxes), ("closure", ClosureModel())])
        model.set_params(random_state=0).fit(X, graph)
    assert len(model.named_estimators_["boxes"].contradictions_) > 0
