"""Published protocols on WordNet, on small files of the same formats."""

import gzip

import numpy as np
import pandas as pd
import pytest

from benchmarks import anchors

N = 40
PARENTS = [(i, (i - 1) // 2) for i in range(1, N)]  # member, container


def ancestors(i):
    found = []
    while i > 0:
        i = (i - 1) // 2
        found.append(i)
    return found


@pytest.fixture
def folder(tmp_path):
    """The data of a binary tree: splits of entailment cones, edges and embeddings."""
    cones = tmp_path / "cones"
    cones.mkdir()
    rng = np.random.RandomState(0)
    others = [(i, a) for i in range(N) for a in ancestors(i)[1:]]
    others = [others[k] for k in rng.permutation(len(others))]
    wrong = [(a, i) for i, a in others]
    files = {
        "mammal.vocab": [(i, f"node {i}") for i in range(N)],
        "mammal.train_0percent": [*PARENTS, (3, 3)],
        "mammal.valid": others[:10],
        "mammal.valid_neg": wrong[:10],
        "mammal.test": others[10:20],
        "mammal.test_neg": wrong[10:20],
    }
    for name, pairs in files.items():
        pairs = pairs if name.endswith("vocab") else [pair[::-1] for pair in pairs]
        text = "".join(f"{one}\t{other}\n" for one, other in pairs)
        (cones / f"{name}.gz").write_bytes(gzip.compress(text.encode()))
    edges = pd.DataFrame(PARENTS, columns=["child", "parent"]).assign(relation="hypernym")
    edges = pd.concat([edges, pd.DataFrame([[N, 0, "instance"]], columns=edges.columns)])
    edges[["child", "parent"]] = "n" + edges[["child", "parent"]].astype(str)
    edges.to_csv(tmp_path / "wordnet30_noun_edges.csv.gz", index=False)
    synsets = pd.DataFrame({"synset": [f"n{i}" for i in range(N + 1)]})
    synsets.to_csv(tmp_path / "wordnet30_noun_synsets.csv.gz", index=False)
    scale = np.full(N + 1, 0.01, dtype=np.float32)
    quantised = rng.randint(-100, 100, size=(N + 1, 8)).astype(np.int8)
    np.savez(tmp_path / "noun_minilm.npz", quantised=quantised, scale=scale)
    return tmp_path


def test_edges_of_the_cones_point_from_the_container(folder):
    edges, n_nodes, parts = anchors.cones(folder, "mammal", 0)
    assert (n_nodes, len(edges)) == (N, len(PARENTS))  # without a node in itself
    assert set(map(tuple, edges)) == set(PARENTS)
    for pairs, labels in parts:
        assert [a in ancestors(i) for i, a in pairs] == labels.tolist()


@pytest.mark.parametrize("kind", ["random", "siblings"])
def test_a_mixed_hop_split_shows_direct_edges_only(folder, kind):
    X, relations, parts = anchors.mixed_hop(folder, kind)
    assert X.shape == (N, 8)  # without what is an instance only
    strengths = relations.toarray()
    stated = set(map(tuple, np.argwhere(strengths == 1).tolist())) & set(PARENTS)
    assert all(a not in ancestors(i) for i, a in np.argwhere(strengths == 0) if i != a)
    held = set()
    for pairs, labels in parts:
        pairs = list(map(tuple, pairs.tolist()))
        assert [a in ancestors(i) for i, a in pairs] == labels.tolist()
        assert all(i != j for i, j in pairs)
        assert 5 < (~labels).sum() / labels.sum() <= 10
        held |= {pair for pair, related in zip(pairs, labels, strict=True) if related}
    assert len(stated) == len(PARENTS) - 2
    assert not stated & held


def test_both_tables_are_printed(folder, capsys):
    few = ["--data", str(folder), "--cones", "mammal", "--mixed-hop", "closure"]
    anchors.main(few)
    lines = capsys.readouterr().out.splitlines()
    cone = next(line for line in lines if line.startswith("| mammal | 0 %"))
    assert cone.count(" 1.0000; ") == 3  # all is implied by the direct edges
    assert cone.endswith("| 0.694 |")
    assert (
        sum(line.startswith(("| random | clos", "| siblings | clos")) for line in lines)
        == 2
    )
