"""The taxonomies that no setting was chosen on, and the tables of them."""

import gzip
import importlib.util
from types import SimpleNamespace

import networkx as nx
import numpy as np
import pandas as pd
import pytest

from benchmarks import generalization, held_out, relations
from benchmarks.data import make_data


# --------------------------------------------------------------------------------------
# Data
# --------------------------------------------------------------------------------------
def test_the_largest_subtree_that_shares_little_is_chosen(monkeypatch):
    monkeypatch.setattr(held_out, "MOST_TASKS", 11)
    graph = nx.DiGraph()
    for root, n in (("b", 10), ("c", 10), ("a", 10), ("d", 11), ("e", 3)):
        graph.add_edges_from([("all", root), *((root, f"{root}{i}") for i in range(n))])
    graph.add_edge("e", "a0")  # a node of two containers
    below = held_out.below_each(graph)
    assert below["e"] == {"e", "e0", "e1", "e2", "a0"}
    assert below["a0"] == {"a0"}
    assert len(below["d"]) == 12  # one too many
    assert held_out.largest_subtree(below) == "a"
    # One of eleven is less than a tenth, and two are more.
    assert held_out.largest_subtree(below, {"a0", "c1"}) == "a"
    assert held_out.largest_subtree(below, {"a0", "a1", "b0", "b1"}) == "c"


def test_a_node_with_one_member_is_that_member():
    edges = ["all one", "one two", "two x", "two y", "all three", "three z"]
    graph = nx.DiGraph([edge.split() for edge in edges])
    held_out.collapse_chains(graph)
    assert set(graph.edges) == {("all", "two"), ("two", "x"), ("two", "y"), ("all", "z")}


OBO = """format-version: 1.2
ontology: made

[Typedef]
id: part_of
name: part of

[Term]
id: A:1
name: thing
def: "A \\"thing\\" of words." [SOURCE:1]

[Term]
id: A:2
name: old
is_obsolete: true
is_a: A:1 ! thing
"""


@pytest.fixture
def ontology(tmp_path):
    """An ontology of 150 terms, of which half are below the other half."""
    terms = [
        f'[Term]\nid: A:{i}\nname: word{i} w{i % 7}\ndef: "Text {i % 11}." []\n'
        f"is_a: A:{10 + i % 75 if i > 84 else 1} {{x=y}} ! name\nis_a: A:2 ! old\n"
        for i in range(10, 160)
    ]
    path = tmp_path / "made.obo.gz"
    path.write_bytes(gzip.compress("\n".join([OBO, *terms]).encode()))
    return path


def test_terms_are_read_from_an_ontology(ontology):
    terms = held_out.read_obo(ontology)
    assert len(terms) == 151
    assert "A:2" not in terms
    assert terms["A:1"]["name"] == ["thing"]
    assert terms["A:90"]["is_a"] == ["A:25 {x=y} ! name", "A:2 ! old"]
    (data,) = held_out.load(["instruments"], ".", ontology)
    assert data.X.shape == (151, 128)
    strengths = pd.DataFrame(data.strengths, data.X.index, data.X.index)
    assert strengths.loc["A:90", ["A:25", "A:1", "A:26"]].tolist() == [1, 1, 0]
    assert np.nansum(data.strengths) == 150 + 75
    (same,) = held_out.load(["instruments"], ".", ontology)
    pd.testing.assert_frame_equal(same.X, data.X)


def test_words_of_a_definition_are_without_its_sources(tmp_path):
    path = tmp_path / "made.obo"
    path.write_text(OBO)
    (data,) = held_out.read_obo(path).values()
    assert data["def"] == ['"A \\"thing\\" of words." [SOURCE:1]']
    (tmp_path / "some.obo").write_text(OBO.replace("SOURCE", "OTHER"))
    (other,) = held_out.read_obo(tmp_path / "some.obo").values()
    texts = [held_out.text_of(tags) for tags in (data, other)]
    assert texts == ['thing A \\"thing\\" of words.'] * 2
    assert held_out.text_of({"name": ["bare"]}) == "bare "


@pytest.mark.parametrize("there", [False, True])
def test_an_ontology_that_is_not_there_is_skipped(there, tmp_path, monkeypatch, capsys):
    # Another version of the package may have other files.
    spec = SimpleNamespace(origin=tmp_path / "__init__.py") if there else None
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    assert held_out.load(["instruments"], ".") == []
    printed = capsys.readouterr().out
    assert printed.startswith("instruments is skipped. psi-ms-4.1.180.obo.gz is a file of")
    assert "`pip install --no-deps pymzml==2.6.1`" in printed
    assert "--ontology" in printed


def test_an_installed_ontology_is_found(ontology, tmp_path, monkeypatch):
    (tmp_path / "obo").mkdir()
    ontology.rename(tmp_path / "obo" / held_out.ONTOLOGY)
    spec = SimpleNamespace(origin=tmp_path / "__init__.py")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    (data,) = held_out.load(["instruments"], ".")
    assert data.n_tasks == 151


SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in held_out.AREAS]


@pytest.mark.parametrize("name", [*SLOW, "reptiles", "instruments"])
def test_the_held_out_data_are_as_described(name, shared_data):
    root, n_tasks, n_related, n_features = {
        "trees": ("angiospermous_tree.n.01", 317, 736, 384),
        "areas": ("area.n.05", 345, 947, 384),
        "beverages": ("beverage.n.01", 340, 1071, 384),
        "motions": ("motion.n.06", 319, 1002, 384),
        "documents": ("document.n.01", 374, 1218, 384),
        "reptiles": ("class:Reptilia", 357, 1199, 128),
        "instruments": ("MS:1000031", 368, 894, 128),
    }[name]
    if name == "instruments" and not importlib.util.find_spec("pymzml"):
        pytest.skip("pymzml, which has the ontology, is not installed")
    (data,) = held_out.load([name], shared_data)
    inside = np.nan_to_num(data.strengths) > 0
    assert (data.name, data.n_tasks, inside.sum()) == (name, n_tasks, n_related)
    assert data.X.shape[1] == n_features
    assert data.X.index.is_unique
    assert np.isfinite(data.X.to_numpy()).all()
    assert not data.graded
    assert np.isnan(data.strengths).sum() == n_tasks
    # It is closed, has no cycle, and all else lies inside its root.
    assert not (inside @ inside & ~inside).any()
    assert not (inside & inside.T).any()
    assert inside[:, data.X.index.get_loc(root)].sum() == n_tasks - 1


# --------------------------------------------------------------------------------------
# Tables
# --------------------------------------------------------------------------------------
@pytest.fixture
def made(monkeypatch):
    """A chain and a star of tasks in place of the data."""
    X = np.random.RandomState(0).normal(size=(20, 3))
    tasks = [f"task {i}" for i in range(20)]
    chain = np.triu(np.ones((20, 20)), 1)
    star = np.zeros((20, 20))
    star[1:, 0] = 1
    datas = {"chain": chain, "star": star}
    loaders = {
        name: lambda folder, ontology, name=name: make_data(name, X, tasks, datas[name])
        for name in datas
    }
    monkeypatch.setattr(held_out, "HELD_OUT", loaders)


def test_the_command_measures_what_is_missing_and_writes_its_tables(
    made, tmp_path, capsys, monkeypatch
):
    path = tmp_path / "found.csv"
    options = ["--data", ".", "--results", str(path), "--seeds", "1", "--jobs", "1"]
    generalization.main([*options, "--methods", "popularity", "--only", "star"])
    first = path.read_text()
    rows = relations.read_results(path)
    assert set(rows["data"]) == {"star"}
    assert set(rows["protocol"]) == {"unseen", "novel"}
    options += ["--protocols", "unseen", "--methods", "popularity", "closure"]
    generalization.main(options)
    assert path.read_text().startswith(first)
    rows = relations.read_results(path)
    assert len(rows[relations.CELL].drop_duplicates()) == 2 + 3
    assert not (rows["metric"] == "error").any()
    monkeypatch.setattr(relations, "measure", None)  # nothing is left to measure
    capsys.readouterr()
    generalization.main([*options, "--only", "chain"])
    text = path.with_suffix(".md").read_text()
    assert text in capsys.readouterr().out
    assert "| chain | 20 | 3 | 380 | 50.0 % |" in text
    # Tables have all there is, not only what was asked for last.
    unseen = text.split("unseen relations among known tasks")[1].split("##")[0]
    found = rows.query("protocol == 'unseen' and metric == 'average_precision'")
    values = found.set_index(["data", "method"])["value"]
    assert values.nunique() > 1
    header, _, *lines = unseen.replace("*", "").strip().splitlines()
    assert header == "|  | popularity | closure |"
    for name, line in zip(("chain", "star"), lines, strict=True):
        popularity, closure = (values[name, method] for method in ("popularity", "closure"))
        assert line == f"| {name} | {popularity:.3f} | {closure:.3f} |"


def make_rows(values):
    """Rows of unseen pairs; values by data and method, one for each seed."""
    return pd.DataFrame(
        {"data": data, "protocol": "unseen", "part": "test", "method": method}
        | {"dim": dim, "seed": seed, "metric": metric, "value": value, "seconds": 2.0}
        for (data, method, dim), some in values.items()
        for seed, value in enumerate(some)
        for metric in ("average_precision", "ece", "log_loss_ratio")
    )


def test_a_method_is_beside_the_best_comparator_by_paired_differences():
    rows = make_rows(
        {
            ("ahead", "boxes", 5): (0.5, 0.7, 0.9),
            ("ahead", "mlp", 0): (0.4, 0.6, 0.8),
            ("noise", "boxes", 5): (0.5, 0.5, 0.5),
            ("noise", "mlp", 0): (0.5, 0.5, 0.8),
            ("behind", "boxes", 5): (0.1, 0.5, 0.9),
            ("behind", "mlp", 0): (0.1, 0.1, 0.1),
            ("behind", "closure", 0): (0.11, 0.51, 0.92),  # far apart, yet always better
            ("behind", "ensemble", 5): (1, 1, 1),  # no comparator
            ("once", "boxes", 5): (0.5,),
            ("once", "mlp", 0): (0.6,),
        }
    )
    table = generalization.standings(rows, ("boxes", 5)).set_index("data")
    assert table.loc["behind", "best"] == "closure"
    assert table.loc["noise", "behind"] == pytest.approx(0.1)
    assert table.loc["noise", "error"] == pytest.approx(0.1)
    assert table["first"].to_dict() == {
        "ahead": True,
        "noise": False,
        "behind": False,
        "once": False,
    }
    assert table["within"].to_dict() == {
        "ahead": True,
        "noise": True,
        "behind": False,
        "once": False,
    }
    text = generalization.document(rows, [])
    assert "| boxes, 5-d | 1 / 2 of 4 | 0 / 0 of 0 | 0 / 0 of 0 | 1 / 2 of 4 |" in text


def test_seeds_that_a_method_does_not_have_do_not_count():
    rows = make_rows(
        {("a", "boxes", 5): (0.5, 0.9, 0.9), ("a", "mlp", 0): (0.6, 0.8)}
        | {("a", "closure", 0): (0.1, 0.1, 0.99)}
    )
    (cell,) = generalization.standings(rows, ("boxes", 5)).to_dict("records")
    assert (cell["best"], cell["first"]) == ("mlp", True)
    assert cell["behind"] == pytest.approx(0)


def test_calibration_is_that_of_our_methods():
    rows = make_rows(
        {("a", "boxes", 5): (0.5, 0.7), ("a", "distilled", 5): (0.1, 0.1)}
        | {("a", "mlp", 0): (0.2, 0.2)}
    )
    text = generalization.document(rows, []).replace("\N{NO-BREAK SPACE}", " ")
    part = text.split("## Calibration")[1].split("##")[0]
    assert "boxes, 5-d: log loss | boxes, 5-d: calibration error | distilled, 5-d:" in part
    assert "| unseen pairs | a | 0.600 ± 0.100 | 0.600 ± 0.100 | 0.100 ± 0.000 |" in part
    assert "mlp" not in part
    assert "| a | 2 | 2 | 2 |" in text.split("## Seconds")[1]
