"""Every example runs as a stranger would run it."""

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
        env={**os.environ, "MPLBACKEND": "Agg", "TASK2BOX_DATA": str(data)},
    )


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("link_prediction_dag.py", "ordered pairs"),
        ("large_taxonomy.py", "Mean average precision of the closure: 1.0000"),
        ("grid_search.py", "best: {'embedder__boxrelationembedder__box_dim'"),
    ],
)
def test_examples_run(name, says, tmp_path):
    done = run(name, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert says in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("name", "says", "used"),
    [
        ("plot_birds.py", "average precision", "CUB-200-2011"),
        ("plot_nested_datasets.py", "average precision", "instruments of ImageNet"),
        ("plot_taskonomy.py", "Spearman's rho of sources", "Taskonomy"),
        ("plot_hub_datasets.py", "Spearman's rho of the area", "Hugging Face Hub"),
        ("plot_attach_concept.py", "have their parent among three", "carnivores"),
    ],
)
def test_figures_are_drawn(name, says, used, tmp_path, request):
    done = run(name, folder=tmp_path)  # a stand-in
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert says in done.stdout
    assert "since there is no " in done.stdout
    shared = request.getfixturevalue("shared_data")
    done = run(name, folder=tmp_path, data=shared)
    assert done.returncode == 0, done.stderr
    assert f"Data: {used}" in done.stdout.replace("musical ", "").replace(
        "cards of the ", ""
    )


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


def test_the_mammals_of_a_small_stand_in(tmp_path):
    done = run("wordnet_mammals.py", tmp_path, folder=tmp_path)
    assert done.returncode != 0
    assert "mammal_minilm.npz is missing" in done.stderr
    make_mammals(tmp_path)
    done = run("wordnet_mammals.py", tmp_path, "--n-synsets", 30, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "boxes, 5 dimensions" in done.stdout
    assert "novel synsets" in done.stdout


def test_the_mammals_of_wordnet_are_read(shared_data):
    load = runpy.run_path(str(EXAMPLES / "wordnet_mammals.py"))["load"]
    X, relations = load(shared_data)
    assert "1182 of 1182 tasks, 6542 pairs" in repr(relations)
    assert X.index.tolist() == relations.tasks.tolist()
    X, relations = load(shared_data, 150)
    assert X.shape == (150, 384)
    assert X.index[0] == "mammal.n.01"
    assert "150 of 150 tasks, 424 pairs" in repr(relations)


def test_a_large_taxonomy_from_a_file(tmp_path):
    done = run("large_taxonomy.py", tmp_path, folder=tmp_path)
    assert done.returncode != 0
    assert "wordnet30_noun_edges.csv.gz is missing" in done.stderr
    frame = pd.DataFrame([("dog", "animal"), ("dog", "pet"), ("cat", "animal")])
    frame.columns = ["child", "parent"]
    frame.to_csv(tmp_path / "wordnet30_noun_edges.csv.gz", index=False)
    done = run("large_taxonomy.py", tmp_path, "--ask", "dog", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    above = done.stdout.split("dog lies in ")[1].splitlines()[0].split(", ")
    assert sorted(above) == ["animal", "pet"]
    assert "lies in dog" in done.stdout
