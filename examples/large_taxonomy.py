"""A whole taxonomy as boxes, without features: all nouns of WordNet, in seconds.

``python examples/large_taxonomy.py FOLDER`` reads ``wordnet30_noun_edges.csv.gz`` (columns
child and parent) from the folder; without one, a random graph of 3,000 tasks stands in.
A table holds one box per task, constructed from the relations alone (``init="layout"``).
"""

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse

from sklearn_task2box import BoxRelationEmbedder
from sklearn_task2box.metrics import reconstruction


def main(folder, queries, complete):
    if folder is None:
        print(
            "No folder given: a random graph of 3,000 tasks takes the place of WordNet.\n"
        )
        edges, queries = random_graph(), ["task 2987", "task 1500"]
    else:
        path = Path(folder) / "wordnet30_noun_edges.csv.gz"
        if not path.exists():
            raise SystemExit(f"{path} is missing. Without FOLDER, a random graph is used.")
        edges = pd.read_csv(path)[["child", "parent"]]
    names = pd.Index(pd.unique(edges.to_numpy().ravel()))

    started = time.perf_counter()
    embedder = BoxRelationEmbedder(
        5, encoder="table", init="layout", max_epochs=0, random_state=0
    )
    # One column for each task: there are no features. The rows of a sparse matrix have no
    # names, so the edges are pairs of positions; their transitive closure is added.
    X = one_hot(range(len(names)), names)
    embedder.fit(X, edges.apply(names.get_indexer))
    seconds = time.perf_counter() - started
    print(f"{len(names):,} tasks, {len(edges):,} relations: fitted in {seconds:.1f} s")
    print(f"relations {embedder.relations_.closure}")

    for name in queries:
        row = one_hot([names.get_loc(name)], names)
        found, strengths = embedder.supersets(row, k=min(8, len(names) - 1))
        above = [names[i] for i, s in zip(found[0], strengths[0], strict=True) if s > 0.99]
        print(f"  {name} lies in {', '.join(above)}")

    # A new concept gets its box at once, and the other boxes stay where they are.
    before = embedder.boxes_
    started = time.perf_counter()
    new = "one more concept"
    names = names.append(pd.Index([new]))
    relation = [(len(names) - 1, names.get_loc(queries[0]))]
    embedder.partial_fit(one_hot([len(names) - 1], names), relation)
    seconds = time.perf_counter() - started
    assert (embedder.boxes_[:-1] == before).all()
    indices, _ = embedder.supersets(one_hot([len(names) - 1], names), k=1)
    print(f"\n{new!r}, added in {seconds:.1f} s, lies in {names[indices[0, 0]]}")

    if complete:
        started = time.perf_counter()
        precision, rank = reconstruction(embedder)
        seconds = time.perf_counter() - started
        print(f"\nMean average precision of the closure: {precision:.4f} ({seconds:.0f} s)")


def one_hot(rows, names):
    """Rows of the identity matrix with a column for each name."""
    return sparse.identity(len(names), format="csr")[list(rows)]


def random_graph(n=3000, seed=0):
    """A tree in which every twentieth task has a second parent."""
    rng = np.random.RandomState(seed)
    edges = [(i, int(rng.randint((i + 1) // 2))) for i in range(1, n)]
    edges += [(i, int(rng.randint(i // 2))) for i in range(40, n, 20)]
    frame = pd.DataFrame(edges, columns=["child", "parent"]).drop_duplicates()
    return "task " + frame.astype(str)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", nargs="?", help="folder of wordnet30_noun_edges.csv.gz")
    parser.add_argument(
        "--query", nargs="+", default=["dog.n.01", "piano.n.01"], help="nouns to look up"
    )
    parser.add_argument(
        "--complete", action="store_true", help="also score all pairs (a minute or two)"
    )
    arguments = parser.parse_args()
    main(arguments.folder, arguments.query, arguments.complete or arguments.folder is None)
