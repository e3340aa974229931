"""Write model files of the present format, and what the models predict.

``python tests/stored/write.py`` writes ``formatN_MODEL.skops`` and ``formatN.npz`` beside
itself; files of other formats stay. Later versions of the package must load all of them.
The same versions of the libraries write the same bytes.
"""

import io
import json
import sys
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import skops.io

from sklearn_task2box import (
    BoxRelationEmbedder,
    DistilledBoxEmbedder,
    RelationEnsemble,
    TaskLinkClassifier,
    TaskPairs,
)
from sklearn_task2box.models import GeometryModel, KernelRidgeModel, PairClassifier
from sklearn_task2box.representations import DatasheetRepresentation
from sklearn_task2box.utils._storage import FORMAT

FOLDER = Path(__file__).parent
CARDS = {
    "mnist": {"examples": 60_000, "license": "mit", "tags": ["images", "digits"]},
    "tiny": {"examples": 500, "license": "other", "tags": ["text"]},
}


def problem():
    """Named features of tasks, edges, and the features and pairs to predict."""
    names = [f"task {i}" for i in range(10)]
    X = pd.DataFrame(np.random.RandomState(0).normal(size=(10, 3)), names, ["a", "b", "c"])
    edges = [(names[i], names[(i - 1) // 3]) for i in range(1, 10)]
    return X, edges, X + 0.1, TaskPairs(X + 0.1, edges)


def models():
    """Fitted models by name."""
    X, edges, _, _ = problem()
    boxes = BoxRelationEmbedder(2, hidden_layer_sizes=(3,), max_epochs=5, random_state=0)
    trees = PairClassifier("boosted_trees", max_iter=2, random_state=0)
    geometry = GeometryModel(
        "order", n_components=2, hidden_layer_sizes=(3,), max_epochs=2, random_state=0
    )
    members = [("kernel_ridge", KernelRidgeModel()), ("trees", trees)]
    pairs, related = TaskPairs.from_graph(edges, X, random_state=0)
    return {
        "boxes": boxes.fit(X, edges),
        "distilled": DistilledBoxEmbedder(boxes, geometry, random_state=0).fit(X, edges),
        "ensemble": RelationEnsemble(members, random_state=0).fit(X, edges),
        "links": TaskLinkClassifier(KernelRidgeModel()).fit(pairs, related),
        "datasheet": DatasheetRepresentation().fit(CARDS),
    }


def predictions(name, model):
    """Numbers that a model gives."""
    if name == "datasheet":
        return model.transform(CARDS).to_numpy()
    _, _, X, pairs = problem()
    return model.predict_proba(pairs if name == "links" else X)


def canonical(content):
    """A skops file with numbers in the order of appearance for addresses, and no date."""
    with zipfile.ZipFile(io.BytesIO(content)) as source:
        schema = json.loads(source.read("schema.json"))
        arrays = {name: source.read(name) for name in source.namelist() if ".np" in name}
    numbers = {}

    def renamed(node):
        if isinstance(node, dict):
            node = {key: renamed(value) for key, value in node.items()}
            if "__id__" in node:
                node["__id__"] = numbers.setdefault(str(node["__id__"]), len(numbers) + 1)
            if "file" in node:
                number, dot, end = node["file"].partition(".")
                node["file"] = f"{numbers.setdefault(number, len(numbers) + 1)}{dot}{end}"
        return [renamed(one) for one in node] if isinstance(node, list) else node

    schema = json.dumps(renamed(schema), separators=(",", ":")).encode()
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as target:
        for name, array in arrays.items():
            number, dot, end = name.partition(".")
            name = f"{numbers[number]}{dot}{end}"
            target.writestr(zipfile.ZipInfo(name), array, zipfile.ZIP_DEFLATED)
        target.writestr(zipfile.ZipInfo("schema.json"), schema, zipfile.ZIP_LZMA)
    return file.getvalue()


def main():
    with warnings.catch_warnings():  # so few epochs contradict training pairs
        warnings.simplefilter("ignore")
        fitted = models()
    for name in ("boxes", "distilled"):
        for row in getattr(fitted[name], "embedder_", fitted[name]).history_:
            row["dur"] = 0.0  # seconds
    numbers = {name: predictions(name, model) for name, model in fitted.items()}
    np.savez_compressed(FOLDER / f"format{FORMAT}.npz", **numbers)
    for name, model in fitted.items():
        content = canonical(skops.io.dumps(model))
        (FOLDER / f"format{FORMAT}_{name}.skops").write_bytes(content)
        print(f"format{FORMAT}_{name}.skops: {len(content) / 1000:.1f} kB")


if __name__ == "__main__":
    sys.exit(main())
