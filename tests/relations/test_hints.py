"""What a stranger gets wrong first, and what the messages say."""

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from sklearn_task2box import (
    BoxRelationEmbedder,
    TaskLinkClassifier,
    TaskPairs,
    TaskRelations,
)
from sklearn_task2box.models import KernelRidgeModel

EDGES = [
    ("dog", "mammal"), ("cat", "mammal"), ("poodle", "dog"), ("pug", "dog"),
    ("mammal", "animal"), ("trout", "fish"), ("shark", "fish"), ("fish", "animal"),
    ("car", "vehicle"), ("truck", "vehicle"), ("van", "truck"), ("bike", "vehicle"),
]  # fmt: skip
GRAPH = nx.DiGraph(EDGES)
X = pd.DataFrame(np.random.RandomState(0).normal(size=(len(GRAPH), 6)), list(GRAPH))
TURNED = [(container, member) for member, container in EDGES]


def fit(X, y):
    return KernelRidgeModel().fit(X, y)


@pytest.mark.parametrize("member", ["child", "Member", "hyponym"])
@pytest.mark.parametrize("container", ["parent", "container", "Hypernym"])
def test_headers_of_an_edge_list_are_not_overruled(member, container):
    frame = pd.DataFrame(EDGES, columns=[member, container])
    turned = frame[[container, member]]
    with pytest.raises(ValueError, match=r"first column.*the task inside.*Take frame\[\["):
        fit(X, turned)
    with pytest.raises(ValueError, match="first column.*the container"):
        TaskRelations(frame, direction="container_to_member")
    expected = TaskRelations(EDGES, X.index).toarray()
    other = TaskRelations(turned, X.index, direction="container_to_member")
    for relations in (TaskRelations(frame, X.index), other):
        np.testing.assert_array_equal(relations.toarray(), expected)
    renamed = frame.set_axis(["from", "to"], axis=1)
    np.testing.assert_array_equal(TaskRelations(renamed, X.index).toarray(), expected)


def test_reversed_hierarchies_of_several_tops_are_noticed_once():
    for y in (TURNED, nx.DiGraph(TURNED), pd.DataFrame(TURNED)):
        with pytest.warns(UserWarning, match="few tops.*relations reversed") as caught:
            fit(X, y)
        assert len(caught) == 1
    with pytest.warns(UserWarning, match="few tops") as caught:
        BoxRelationEmbedder(2, max_epochs=1).fit(X, TURNED)
    assert sum("reversed" in str(one.message) for one in caught) == 1


def test_hierarchies_the_right_way_round_and_chains_are_not_suspected(recwarn):
    fit(X, EDGES)
    fit(X, nx.path_graph(list(X.index), create_using=nx.DiGraph))
    fit(X, [(name, "animal") for name in X.index[:-1] if name != "animal"])
    assert not [one for one in recwarn if "reversed" in str(one.message)]


def test_tasks_without_features_are_left_out_after_the_closure():
    some = X.drop(["dog", "mammal"])
    for y in (GRAPH, EDGES, dict(EDGES)):
        with pytest.raises(ValueError, match=r"TaskRelations\(relations\).loc\[X.index\]"):
            fit(some, y)
    relations = TaskRelations(GRAPH).loc[some.index]
    assert relations.tasks.tolist() == some.index.tolist()
    fitted = fit(some, relations).relations_
    pairs = [("poodle", "animal"), ("cat", "animal"), ("van", "vehicle")]
    ends = [fitted.positions(end) for end in zip(*pairs, strict=True)]
    assert (np.diag(fitted.block(*ends)) == 1).all()


def test_relations_are_taken_by_name():
    relations = TaskRelations(GRAPH, X.index)
    assert relations.loc[["cat", "dog"]].tasks.tolist() == ["cat", "dog"]
    assert relations.loc["cat"].tasks.tolist() == ["cat"]
    assert relations.loc[X.index == "pug"].tasks.tolist() == ["pug"]
    assert len(relations.loc[:]) == len(X)
    with pytest.raises(KeyError, match="no rows for 'cot'"):
        relations.loc[["cat", "cot"]]
    with pytest.raises(IndexError, match=r"Take names by relations.loc\[names\]"):
        relations[["cat", "dog"]]
    with pytest.raises(ValueError, match=r"relations.loc\[X.index\]"):
        fit(X.iloc[:6], relations)
    with pytest.raises(TypeError, match=r"relations.loc\[names\]"):
        TaskRelations(relations, X.index)


def test_new_tasks_are_scored_by_relations_that_know_the_others():
    held = ["pug", "van", "cat"]
    relations = TaskRelations(GRAPH)
    known = X.drop(held)
    model = fit(known, relations.loc[known.index])
    known_both_ways = TaskRelations(GRAPH, X.index)[np.isin(X.index, held)]
    new = X[np.isin(X.index, held)]
    scored = model.score(X.loc[held], relations.loc[held])
    assert scored == pytest.approx(model.score(new, known_both_ways))


@pytest.mark.parametrize(
    ("name", "meant"), [("poodel", "poodle"), ("Dog", "dog"), (" cat ", "cat")]
)
def test_a_name_that_is_nearly_one_of_X_is_asked_for(name, meant):
    for y in ([*EDGES, (name, "mammal")], {**dict(EDGES), name: "mammal"}):
        with pytest.raises(ValueError, match=f"Is '{name}' meant to be '{meant}'"):
            fit(X, y)


def test_many_names_that_X_lacks_are_not_misspelled():
    near = [("poodel", "dogs"), ("dogs", "mammals"), ("mammals", "animals")]
    with pytest.raises(ValueError, match="names tasks that are not.* Add their rows to X"):
        fit(X, near)


def test_missing_ends_names_in_a_column_and_other_first_tries():
    with pytest.raises(ValueError, match="leave out rows without a container"):
        fit(X, pd.DataFrame([*EDGES, ("animal", None)]))
    with pytest.raises(ValueError, match=r"names the tasks: X.set_index\('index'\)"):
        fit(X.reset_index(), GRAPH)
    with pytest.raises(ValueError, match=r"y.to_dict\(\)"):
        fit(X, pd.Series(dict(EDGES)))
    with pytest.raises(ValueError, match=r"features of tasks; got 0.9"):
        fit(X, GRAPH).to_networkx(0.9)
    with pytest.raises(ValueError, match="LogisticRegression.*PairClassifier"):
        TaskLinkClassifier(LogisticRegression()).fit(*TaskPairs.from_graph(GRAPH, X))
    strong = GRAPH.copy()
    nx.set_edge_attributes(strong, 0.3, "strength")
    with pytest.raises(ValueError, match="attribute 'weight'.*Rename it"):
        fit(X, strong)
    expected = fit(X, EDGES).predict_proba(X)
    np.testing.assert_array_equal(fit(X, GRAPH.edges).predict_proba(X), expected)


def test_equal_features_are_named_where_they_contradict_relations():
    alike = X.copy()
    alike.loc["pug"] = alike.loc["car"]
    with pytest.warns(UserWarning, match="1 tasks have the box of another.*DuplicateInd"):
        BoxRelationEmbedder(2, max_epochs=1, teacher=None).fit(alike, GRAPH)


def test_headers_of_pairs_and_of_source_and_target_are_not_overruled():
    turned = pd.DataFrame(EDGES, columns=["child", "parent"])[["parent", "child"]]
    with pytest.raises(ValueError, match=r"first column.*the task inside.*Take frame"):
        TaskPairs(X, turned)
    columns = pd.DataFrame(EDGES, columns=["source", "target"])
    with pytest.raises(ValueError, match="from the first column to the second"):
        TaskRelations(columns[["target", "source"]])
    assert TaskRelations(columns).shape == (len(X), len(X))


@pytest.mark.parametrize("change", [str.upper, " {} ".format])
def test_names_that_all_differ_in_case_or_blanks_are_recognised(change):
    edges = [tuple(map(change, edge)) for edge in EDGES]
    with pytest.raises(ValueError, match="meant to be"):
        fit(X, edges)
    with pytest.raises(ValueError) as caught:
        fit(X, [(f"thing {i}", "animal") for i in range(20)])
    assert "meant to be" not in str(caught.value)


def test_a_message_names_how_texts_are_the_features_of_pairs():
    texts = pd.Series({name: f"a {name}" for name in X.index})
    with pytest.raises(ValueError, match=r"to_frame\('text'\)"):
        TaskPairs(texts, EDGES)
    first = make_column_transformer((TfidfVectorizer(), "text"))
    pairs, y = TaskPairs.from_graph(GRAPH, texts.to_frame("text"), random_state=0)
    model = TaskLinkClassifier(make_pipeline(first, KernelRidgeModel()))
    assert model.fit(pairs, y).predict_proba(pairs[:3]).shape == (3, 2)
