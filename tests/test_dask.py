"""Members and searches on a Dask cluster: the same numbers, features sent once."""

import os
import sys

import joblib
import networkx as nx
import numpy as np
import pandas as pd
import pytest
from conftest import make_taxonomy
from sklearn.model_selection import GridSearchCV, KFold

from sklearn_task2box import (
    BoxRelationEmbedder,
    RelationEnsemble,
    TaskLinkClassifier,
    TaskPairs,
    TaskRelations,
)
from sklearn_task2box.ensemble import held_out_splits
from sklearn_task2box.metrics import make_relation_scorer
from sklearn_task2box.models import ClosureModel, SimilarityModel

distributed = pytest.importorskip("distributed")
pytestmark = pytest.mark.slow  # each process of pytest starts a cluster of its own

X, GRAPH = make_taxonomy()
NAMES = [f"task {i}" for i in range(len(X))]
FRAME = pd.DataFrame(X, NAMES)
RELATIONS = TaskRelations(nx.relabel_nodes(GRAPH, dict(enumerate(NAMES))), tasks=NAMES)
SCORER = make_relation_scorer("average_precision")
HALVES = KFold(2, shuffle=True, random_state=0)
BOXES = BoxRelationEmbedder(2, hidden_layer_sizes=(8,), max_epochs=20, random_state=0)


class Located(SimilarityModel):
    """Similarities, and the process in which they were fitted."""

    def fit(self, X, y=None):
        self.pid_ = os.getpid()
        return super().fit(X, y)


MEMBERS = [("boxes", BOXES), ("closure", ClosureModel()), ("like", Located())]


@pytest.fixture(scope="module")
def client():
    """Client of two processes of one thread each."""
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": ":0"}
    with pytest.MonkeyPatch.context() as patch:
        for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
            patch.delenv(name, raising=False)  # Dask's defaults, not this machine's
        cluster = distributed.LocalCluster(processes=True, **options)
    with cluster, distributed.Client(cluster) as client:
        yield client


def over_tasks(model, grid, X=FRAME):
    search = GridSearchCV(model, grid, scoring=SCORER, cv=HALVES, n_jobs=-1, refit=False)
    return search.fit(X, RELATIONS).cv_results_["mean_test_score"]


def over_pairs(model, grid, X=FRAME):
    pairs, y = TaskPairs.from_graph(RELATIONS, X, random_state=0)
    search = GridSearchCV(
        TaskLinkClassifier(model),
        {f"embedder__{name}": values for name, values in grid.items()},
        scoring="average_precision",
        cv=HALVES,
        n_jobs=-1,
        refit=False,
    )
    return search.fit(pairs, y).cv_results_["mean_test_score"]


def over_ensembles(n_jobs=-1):
    model = RelationEnsemble(MEMBERS, n_jobs=n_jobs, random_state=0)
    return over_tasks(model, {"closure": ["drop", ClosureModel()]})


def strengths(n_jobs=-1):
    model = RelationEnsemble(MEMBERS, n_jobs=n_jobs, random_state=0)
    return model.fit(FRAME, RELATIONS).predict_proba(FRAME)


def test_a_cluster_computes_the_same_numbers(client):
    grid = {"box_dim": [1, 4]}
    with joblib.parallel_config(backend="sequential"):
        alone = [
            strengths(1),
            over_tasks(BOXES, grid),
            over_pairs(BOXES, grid),
            over_ensembles(1),
        ]
    with joblib.parallel_config(backend="dask"):
        there = [
            strengths(),
            over_tasks(BOXES, grid),
            over_pairs(BOXES, grid),
            over_ensembles(),
        ]
    for one, other in zip(alone, there, strict=True):
        assert len(np.unique(one)) > 1
        np.testing.assert_allclose(other, one, rtol=1e-6, atol=1e-9)


def test_members_are_fitted_by_workers_unless_n_jobs_is_1(client):
    workers = set(client.run(os.getpid).values())
    for n_jobs, processes in ((-1, workers), (None, workers), (1, {os.getpid()})):
        members = [(f"member{i}", Located()) for i in range(3)]
        model = RelationEnsemble(members, n_jobs=n_jobs, random_state=0)
        with joblib.parallel_config(backend="dask"):
            model.fit(FRAME, RELATIONS)
        assert {member.pid_ for member in model.estimators_} <= processes, n_jobs


def threads_of_process():
    import threadpoolctl
    import torch

    pools = [pool["num_threads"] for pool in threadpoolctl.threadpool_info()]
    return max([*pools, torch.get_num_threads()])


def test_a_worker_computes_in_one_thread(client):
    assert set(client.run(threads_of_process).values()) == {1}


def test_features_are_sent_once(client, monkeypatch):
    from distributed.comm.tcp import TCP

    sizes, write = [], TCP.write

    async def count(self, *args, **kwargs):
        sizes.append(await write(self, *args, **kwargs))
        return sizes[-1]

    monkeypatch.setattr(TCP, "write", count)  # of this process, the scheduler in it
    wide = pd.DataFrame(np.random.RandomState(0).normal(size=(len(X), 5000)), NAMES)
    members = [(f"member{i}", ClosureModel()) for i in range(3)]
    ensemble = RelationEnsemble(members, n_jobs=-1, random_state=0)
    # To the scheduler, and on to a worker; each fitted member holds its features.
    for fit, n_times in (
        (lambda: over_tasks(ClosureModel(), {}, wide), 2),
        (lambda: over_pairs(ClosureModel(), {}, wide), 2),
        (lambda: ensemble.fit(wide, RELATIONS), 2 + len(members)),
    ):
        sizes.clear()
        with joblib.parallel_config(backend="dask"):
            fit()
        assert sum(sizes) / wide.to_numpy().nbytes == pytest.approx(n_times, abs=0.5)


def test_containers_state_the_size_of_what_is_in_them():
    pairs, _ = TaskPairs.from_graph(RELATIONS, FRAME)
    split, *_ = held_out_splits(RELATIONS.observed(), "auto", np.random.RandomState(0))
    assert sys.getsizeof(pairs) > X.nbytes + pairs.pairs.nbytes
    assert sys.getsizeof(pairs[:3]) > X.nbytes
    assert sys.getsizeof(RELATIONS) > 16 * RELATIONS.observed().n_related
    assert sys.getsizeof(split) > split.heads.nbytes + split.strengths.nbytes
