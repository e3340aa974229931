"""Every example runs as a stranger would run it."""

import ast
import importlib
import os
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


def run(name, *arguments, folder, data="."):
    return subprocess.run(
        [sys.executable, str(EXAMPLES / name), *map(str, arguments)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        env={
            **os.environ,
            "MPLBACKEND": "Agg",
            "TASK2BOX_DATA": str(data),
            # Short fits leave some contradictions: what else is printed counts.
            "PYTHONWARNINGS": "ignore:The boxes contradict",
        },
    )


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda p: p.name)
def test_examples_import_what_is_public(path):
    imported = [
        (node.module, alias.name)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module.startswith("sklearn_task2box")
        for alias in node.names
    ]
    assert imported
    for module, name in imported:
        assert "._" not in f"{module}.{name}"
        assert hasattr(importlib.import_module(module), name), f"{module} has no {name}"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("link_prediction_dag.py", "ordered pairs"),
        ("large_taxonomy.py", "Mean average precision of the closure: 1.0000"),
        ("grid_search.py", "best: {'embedder__boxrelationembedder__box_dim'"),
    ],
)
def test_examples_run(name, line, tmp_path):
    done = run(name, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert line in done.stdout
    assert done.stderr == ""


@pytest.mark.slow
def test_a_cluster_computes_what_one_process_does(tmp_path):
    pytest.importorskip("distributed")
    done = run("cluster.py", folder=tmp_path)  # Dask logs what it does to stderr
    assert done.returncode == 0, done.stderr
    assert "largest difference of strengths: 0.000000" in done.stdout


@pytest.mark.slow
def test_the_demo_prints_a_table_and_draws_a_picture(tmp_path):
    done = run("demo_digits.py", tmp_path / "pictures", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "10/10" in done.stderr  # progress
    lines = done.stdout.split("seconds of a fit\n")[1].splitlines()[:6]
    table = {line[:24].strip(): [float(x) for x in line[24:].split()] for line in lines}
    for boxes, margin in (("boxes", 0.05), ("distilled boxes", 0.1)):
        assert table[boxes][0] > table["vote of the neighbours"][0] + margin
        assert table[boxes][1] > table["closure"][1] + 0.1
        assert table[boxes][2] > table["closure"][2] + 0.5
    assert (tmp_path / "pictures" / "digits_tasks.png").stat().st_size > 10_000


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "line", "used"),
    [
        ("plot_birds.py", "average precision", "CUB-200-2011"),
        ("plot_nested_datasets.py", "average precision", "musical instruments"),
        ("plot_taskonomy.py", "Spearman's rho of sources", "Taskonomy"),
        ("plot_hub_datasets.py", "Spearman's rho of the area", "cards of the Hugging Face"),
        ("plot_attach_concept.py", "have their parent among three", "carnivores"),
    ],
)
def test_figures_are_drawn(name, line, used, tmp_path, request):
    done = run(name, folder=tmp_path)  # a stand-in
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert line in done.stdout
    assert "since there is no " in done.stdout
    shared = request.getfixturevalue("shared_data")
    done = run(name, folder=tmp_path, data=shared)
    assert done.returncode == 0, done.stderr
    assert f"Data: {used}" in done.stdout


def make_mammals(folder, n=40):
    """Files like those of WordNet mammals, of a small random tree."""
    rng = np.random.RandomState(0)
    names = np.array([f"synset{i}.n.01" for i in range(n)])
    X = np.zeros((n, 8))
    edges = []
    for i in range(1, n):
        parent = (i - 1) // 2
        X[i] = X[parent] + rng.normal(size=8)
        edges.append((names[i], names[parent], "hypernym"))
    np.savez(folder / "mammal_minilm.npz", embeddings=X.astype(np.float16), synsets=names)
    frame = pd.DataFrame(edges, columns=["child", "parent", "relation"])
    frame.to_csv(folder / "mammal_edges.csv.gz", index=False)


@pytest.mark.slow
def test_the_mammals_of_a_small_stand_in(tmp_path, capsys):
    main = runpy.run_path(str(EXAMPLES / "wordnet_mammals.py"))["main"]
    with pytest.raises(SystemExit, match="mammal_minilm.npz is missing"):
        main(tmp_path, 20, 0)
    make_mammals(tmp_path)
    main(tmp_path, 20, 0)
    text = capsys.readouterr().out
    assert "boxes, 5 dimensions" in text
    assert "New synsets" in text


def test_the_mammals_of_wordnet_are_read(shared_data):
    load = runpy.run_path(str(EXAMPLES / "wordnet_mammals.py"))["load"]
    X, relations = load(shared_data)
    assert "1182 of 1182 tasks, 6542 pairs" in repr(relations)
    assert X.index.tolist() == relations.tasks.tolist()
    X, relations = load(shared_data, 150)
    assert X.shape == (150, 384)
    assert X.index[0] == "mammal.n.01"
    assert "150 of 150 tasks, 424 pairs" in repr(relations)


def test_a_large_taxonomy_from_a_file(tmp_path, capsys):
    main = runpy.run_path(str(EXAMPLES / "large_taxonomy.py"))["main"]
    with pytest.raises(SystemExit, match="wordnet30_noun_edges.csv.gz is missing"):
        main(tmp_path, ["dog"], False)
    frame = pd.DataFrame([("dog", "animal"), ("dog", "pet"), ("cat", "animal")])
    frame.columns = ["child", "parent"]
    frame.to_csv(tmp_path / "wordnet30_noun_edges.csv.gz", index=False)
    main(tmp_path, ["dog"], False)
    text = capsys.readouterr().out
    above = text.split("dog lies in ")[1].splitlines()[0].split(", ")
    assert sorted(above) == ["animal", "pet"]
    assert "lies in dog" in text
