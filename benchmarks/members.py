"""What each member of the default ensemble is worth, and what further ones would add.

``python -m benchmarks.members FOLDER`` fits every model of MEMBERS to each split, once to
all training pairs and once without those that a RelationEnsemble holds out, blends their
predictions as that does, and prints a table: of all members of the default ensemble,
without one of them, and with a further one. ``--cache FOLDER`` keeps the predictions, so
that a run continues where it stopped.
"""

import argparse
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
from sklearn.base import clone
from sklearn.metrics import log_loss
from tqdm import tqdm

from benchmarks.data import DATA, load
from benchmarks.protocols import split
from benchmarks.relations import one_thread
from sklearn_task2box import BoxRelationEmbedder, TaskPairs, TaskRelations
from sklearn_task2box.ensemble import (
    default_estimators,
    fit_and_predict,
    fit_final_estimators,
    held_out_splits,
)
from sklearn_task2box.metrics import expected_calibration_error, relation_score
from sklearn_task2box.models import (
    ClosureModel,
    GeometryModel,
    PopularityModel,
    SimilarityModel,
)
from sklearn_task2box.utils._seeds import set_seeds

DATA_SETS = (
    "taskonomy_wins_attributes",
    "digits",
    "digits_graded",
    "mammals150",
    "minilm150",
    "cub",
    "mammals500",
    "minilm500",
)
PROTOCOLS = ("novel", "unseen")
PARTS = ("test", "novel_to_known", "known_to_novel", "novel_to_novel")
# Final estimators by part of a test.
KIND_OF = {
    "test": "known",
    "novel_to_known": "inside",
    "known_to_novel": "around",
    "novel_to_novel": "new",
}
DEFAULT = dict(default_estimators())
MEMBERS = DEFAULT | {
    "boxes": BoxRelationEmbedder(
        10, hidden_layer_sizes=(256, 128), teacher=None, max_epochs=100
    ),
    "boxes of five dimensions": BoxRelationEmbedder(),
    "bilinear": GeometryModel("bilinear"),
    "popularity": PopularityModel(),
    "closure": ClosureModel(),
    "divergence": SimilarityModel("gaussian_kl", variances="auto"),
}


def measure(name, protocol, seed, folder, cache):
    """Predictions of all members for one split, as a dict of arrays, from the cache or new.

    ``full/MEMBER/PART`` are those of test pairs, ``held/MEMBER`` those of pairs held out
    within training, and ``seconds/MEMBER`` those of all its fits.
    """
    path = Path(cache) / f"{name}-{protocol}-{seed}.npz"
    found = dict(np.load(path)) if path.exists() else {}
    if set(MEMBERS) <= {key.removeprefix("seconds/") for key in found}:
        return found
    data = load(name, folder)
    parts = split(data, protocol, seed)
    X = parts.known_features(data.X)
    pairs = TaskRelations(parts.train, tasks=list(X.index), transitive=False).observed()
    rng = np.random.RandomState(seed)
    splits = held_out_splits(pairs, "auto", rng)
    about = [[s.strengths, s.weights, s.kinds, s.new] for s in splits]
    found |= {"held": np.hstack(about), "graded": pairs.is_graded}
    for part, (_, strengths) in parts.tests.items():
        found[f"true/{part}"] = strengths
    for member, model in MEMBERS.items():
        models = [set_seeds(clone(model), rng) for _ in range(1 + len(splits))]
        if f"seconds/{member}" in found:
            continue
        started, predicted = time.process_time(), []
        for held, model in zip(splits, models[1:], strict=True):
            rest = TaskRelations.from_pairs(held.rest, list(X.index[held.known]))
            predicted.append(fit_and_predict(model, X, rest, held)[1])
        found[f"held/{member}"] = np.concatenate(predicted)
        model = models[0].fit(X, TaskRelations.from_pairs(pairs, list(X.index)))
        found[f"seconds/{member}"] = time.process_time() - started
        for part, (test, _) in parts.tests.items():
            found[f"full/{member}/{part}"] = model.predict_proba(TaskPairs(data.X, test))[
                :, 1
            ]
    np.savez(path, **found)
    return found


def scores(cell, members):
    """Score, calibration error and ratio of log losses of a blend, by part of a cell."""
    predicted = np.column_stack([cell[f"held/{member}"] for member in members])
    blends = fit_final_estimators(None, predicted, *cell["held"], bool(cell["graded"]))
    values = {}
    for part in PARTS:
        if f"true/{part}" not in cell:
            continue
        tests = np.column_stack([cell[f"full/{member}/{part}"] for member in members])
        true, blended = cell[f"true/{part}"], blends[KIND_OF[part]].predict(tests)
        error, ratio = expected_calibration_error(true, blended), np.nan
        if np.isin(true, (0, 1)).all():
            guessed = log_loss(true, np.full(len(true), true.mean()))
            ratio = log_loss(true, blended) / guessed
        values[part] = relation_score(true, blended), error, ratio
    return values


def table(cells):
    """The Markdown table of cells, a dict of those of measure()."""
    default = list(DEFAULT)
    blends = {"all members": default}
    blends |= {f"without {m}": [o for o in default if o != m] for m in default}
    blends |= {f"with {m}": [*default, m] for m in MEMBERS if m not in DEFAULT}
    lines = [
        "| blend | unseen pairs | new in known | known in new | new in new | worst change "
        "| largest calibration error | mean ratio of log losses | seconds |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    first = None
    for name, members in blends.items():
        found = {
            (key, part): values
            for key, cell in cells.items()
            for part, values in scores(cell, members).items()
        }
        score = {key: values[0] for key, values in found.items()}
        first = first or score
        means = [np.mean([v for (_, p), v in score.items() if p == part]) for part in PARTS]
        worst = min(score, key=lambda key: score[key] - first[key])
        change = score[worst] - first[worst]
        where = f" ({worst[0][0]}, {worst[1]})" if change < 0 else ""
        error = max(values[1] for values in found.values())
        ratio = np.nanmean([values[2] for values in found.values()])
        seconds = np.mean(
            [sum(cell[f"seconds/{m}"] for m in members) for cell in cells.values()]
        )
        lines.append(
            f"| {name} | "
            + " | ".join(f"{mean:.4f}" for mean in means)
            + f" | {change:+.3f}{where} | {error:.3f} | {ratio:.3f} | {seconds:.1f} |"
        )
    return "\n".join(lines)


def main(arguments=None):
    """Measure what is missing, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", help="folder of the benchmark data")
    parser.add_argument("--data-sets", nargs="+", default=DATA_SETS, choices=list(DATA))
    parser.add_argument("--seeds", type=int, default=2, help="number of seeds")
    parser.add_argument("--cache", help="folder of predictions")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as other, one_thread(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cache = Path(given.cache or other)
        cache.mkdir(parents=True, exist_ok=True)
        keys = [
            (name, protocol, seed)
            for seed in range(given.seeds)
            for name in given.data_sets
            for protocol in PROTOCOLS
        ]
        bar = tqdm(keys, unit="split")
        cells = {key: measure(*key, given.folder, cache) for key in bar}
    print(table(cells))


if __name__ == "__main__":
    main()
