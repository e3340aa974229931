"""Data that several test modules use."""

import os
from pathlib import Path

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from hypothesis import settings

# A slow machine is no failure. `make test-slow` tries more examples.
settings.register_profile("quick", deadline=None, max_examples=25)
settings.register_profile("thorough", deadline=None, max_examples=200)
settings.load_profile("quick")

os.environ.setdefault("SCIPY_ARRAY_API", "1")  # before SciPy: else a check is skipped


@pytest.fixture
def few_steps(monkeypatch):
    """Boxes of new tasks move for a few steps, where it does not matter how far."""
    monkeypatch.setattr("sklearn_task2box._soft_targets._STEPS", 5)


@pytest.fixture(scope="module")
def held_out_once():
    """An ensemble holds out once, where it does not matter how many related pairs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sklearn_task2box.ensemble._ENOUGH_HELD", 1)
        yield


def make_taxonomy(n_tasks=40, n_features=12, seed=7):
    """Features of a random tree, a task being near its parent, and its closed graph."""
    rng = np.random.RandomState(seed)
    order = rng.permutation(n_tasks)  # else a fold without shuffling has no relation
    X = np.zeros((n_tasks, n_features))
    parents = np.zeros(n_tasks, dtype=int)
    depth = np.zeros(n_tasks)
    for i in range(1, n_tasks):
        parents[i] = (i - 1) // 3
        depth[i] = depth[parents[i]] + 1
        X[i] = X[parents[i]] + rng.normal(size=n_features) / depth[i]
    graph = nx.DiGraph()
    graph.add_nodes_from(range(n_tasks))
    graph.add_edges_from((int(order[i]), int(order[parents[i]])) for i in range(1, n_tasks))
    return X[np.argsort(order)], nx.transitive_closure(graph)


@pytest.fixture(scope="session")
def taxonomy():
    """Features and the closed graph of 40 unnamed tasks."""
    return make_taxonomy()


@pytest.fixture(scope="session")
def named_taxonomy(taxonomy):
    """The same, named: a DataFrame and a graph of names."""
    X, graph = taxonomy
    names = [f"task {i}" for i in range(len(X))]
    frame = pd.DataFrame(X, index=names, columns=[f"f{j}" for j in range(X.shape[1])])
    return frame, nx.relabel_nodes(graph, dict(enumerate(names)))


@pytest.fixture(scope="session")
def kinds():
    """Groups of groups of points, by mean and variance, and which lies in which."""
    rng = np.random.RandomState(0)
    n_points = 36
    centers = np.repeat(rng.normal(size=(4, 30)), 9, axis=0)
    centers += 0.5 * np.repeat(rng.normal(size=(12, 30)), 3, axis=0)
    points = centers + 0.3 * rng.normal(size=centers.shape)
    sets = [np.array([i]) for i in range(n_points)]
    sets += np.array_split(np.arange(n_points), 12) + np.array_split(np.arange(n_points), 4)
    X = [np.concatenate([points[s].mean(axis=0), points[s].var(axis=0)]) for s in sets]
    names = [f"{moment}_{k}" for moment in ("mean", "variance") for k in range(30)]
    strengths = [[float(set(s) < set(t)) for t in sets] for s in sets]
    return pd.DataFrame(X, columns=names), np.array(strengths)


@pytest.fixture(scope="session")
def shared_data():
    """Folder of the benchmark data, where there is one."""
    folder = Path(
        os.environ.get(
            "TASK2BOX_DATA", Path(__file__).parents[1] / ".." / "shared" / "data"
        )
    )
    if not folder.is_dir():
        pytest.skip("the benchmark data are not here; set TASK2BOX_DATA to their folder")
    return folder


def few_of(strengths, share, seed=0):
    """NaN but for a share of the related pairs and of the others."""
    rng = np.random.RandomState(seed)
    seen = rng.uniform(size=strengths.shape) < share
    np.fill_diagonal(seen, False)
    return np.where(seen, strengths, np.nan)
