"""
A search and an ensemble on a cluster
=====================================

The members of an ensemble, and the fits of a search, are jobs of joblib, which Dask takes
to other processes and machines (``pip install '.[dask]'``).

``python examples/cluster.py`` starts a process on each core of this machine;
``python examples/cluster.py ADDRESS`` uses the cluster whose scheduler has that address.
"""

import sys
import time

import joblib
import numpy as np
from dask.distributed import Client
from sklearn.model_selection import GridSearchCV, train_test_split

from sklearn_task2box import BoxRelationEmbedder, RelationEnsemble
from sklearn_task2box.datasets import load_digits_tasks
from sklearn_task2box.metrics import make_relation_scorer
from sklearn_task2box.models import KernelRidgeModel, PopularityModel

AVERAGE_PRECISION = make_relation_scorer("average_precision")


def fit_models(X, contained):
    """A search over box embeddings, and an ensemble with the best of them."""
    search = GridSearchCV(
        BoxRelationEmbedder(max_epochs=100, random_state=0),
        {"box_dim": [2, 5, 10]},
        scoring=AVERAGE_PRECISION,
        cv=3,
        n_jobs=-1,
    )
    search.fit(X, contained)
    members = [
        ("boxes", search.best_estimator_),
        ("kernel_ridge", KernelRidgeModel()),
        ("popularity", PopularityModel()),
    ]
    ensemble = RelationEnsemble(members, n_jobs=-1, random_state=0)
    return search, ensemble.fit(X, contained)


def main(address=None):
    """Fit the models on a cluster and in this process, and compare them."""
    tasks = load_digits_tasks(n_tasks=90, as_frame=True)
    X, contained = tasks.data, (tasks.relations == 1).astype(float)
    known, novel = train_test_split(X.index, test_size=0.3, random_state=0)
    predicted = []
    # A process of one thread for each core: torch fits one network at a time in a process.
    with Client(address, **({} if address else {"threads_per_worker": 1})) as client:
        n_threads = client.ncores()
        print(f"{len(n_threads)} workers, {sum(n_threads.values())} threads")
        for backend in ("dask", "sequential"):
            started = time.perf_counter()
            with joblib.parallel_config(backend=backend):
                search, ensemble = fit_models(X.loc[known], contained.loc[known, known])
            print(f"{backend}: {time.perf_counter() - started:.1f} s")
            print(f"  best of the search: {search.best_params_}")
            score = AVERAGE_PRECISION(ensemble, X.loc[novel], contained.loc[novel])
            print(f"  average precision of the ensemble on new tasks: {score:.3f}")
            predicted.append(ensemble.predict_proba(X.loc[novel]))
    print(f"largest difference of strengths: {np.abs(np.subtract(*predicted)).max():.6f}")


# The workers import this file: without this line, each would start a cluster of its own.
if __name__ == "__main__":
    main(*sys.argv[1:2])
