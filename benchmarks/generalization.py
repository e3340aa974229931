"""How good the defaults are on taxonomies that no setting was chosen on.

``python -m benchmarks.generalization --data FOLDER`` measures what is missing of
``benchmarks/results/generalization.csv``, as ``benchmarks.relations`` does, and prints the
tables of ``generalization.md`` beside it. ``benchmarks/held_out.py`` has the data.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks import held_out
from benchmarks.data import DESCRIBED, describe
from benchmarks.relations import RESULTS, cells_of, command_line, complete, one_thread
from benchmarks.tables import (
    CASE,
    DISTILLED,
    ENSEMBLE,
    KEY,
    TESTS,
    beside_best,
    failures,
    label,
    markdown,
    methods_of,
    ordered,
    short,
    summary,
    written,
)

METHODS = (
    "popularity",
    "closure",
    "neighbors",
    "kernel_ridge",
    "boxes",
    "distilled",
    "boosted_trees",
    "mlp",
)
CASES = {
    ("unseen", "test"): "unseen pairs",
    ("novel", "novel_to_known"): "new in known",
    ("novel", "known_to_novel"): "known in new",
}
OWN = (("boxes", 5), DISTILLED, ENSEMBLE)
METRIC = "average_precision"
NOTHING = "Nothing was measured."


def document(rows, datas):
    """The text of generalization.md.

    Parameters
    ----------
    rows : DataFrame
        Of a file of results.
    datas : list of RelationData
        To be described; the tables have all that the file has.
    """
    table = summary(rows)
    text = [
        "# Taxonomies that no setting was chosen on",
        "Made by `python -m benchmarks.generalization` of `generalization.csv`: means and "
        "standard errors over the seeds, the best of a row bold. `benchmarks/held_out.py` "
        "has the data, and the rule that chose them.",
        "\n".join([DESCRIBED, *map(describe, datas)]),
    ]
    for case in CASES:
        meaning = TESTS[case]
        text += [
            f"## Average precision: {meaning}",
            _by_method(table, (*case, METRIC)),
        ]
    text += [
        "## How often they are first",
        "Of the cells, a data set and a test each, those in which no comparator has a "
        "larger mean, and those in which the largest mean of a comparator is ahead by at "
        "most two standard errors of the paired difference over the seeds.",
        _standings(rows),
        "## Calibration",
        "Log loss as a ratio to that of the base rate, and expected calibration error, 15 "
        "bins of equal width; lower is better in both.",
        _calibration(table),
        "## Seconds of a fit",
        "Medians over tests and seeds. One fit serves distilled boxes and the ensemble.",
        _seconds(rows),
        *failures(rows),
    ]
    return "\n\n".join(text) + "\n"


def _names(index):
    return ordered(index.get_level_values("data"), held_out.HELD_OUT)


def _by_method(table, key):
    """Data sets by methods, of one protocol, part and metric."""
    if key not in set(table.index.droplevel(["data", *KEY])):
        return NOTHING
    chosen = table.xs(key, level=("protocol", "part", "metric"))
    methods = methods_of(chosen.index)
    lines = []
    for data in _names(chosen.index):
        cell = chosen.loc[data].reindex(methods)
        bold = cell["mean"] >= cell["mean"].max()
        numbers = zip(cell["mean"], cell["error"], bold, strict=True)
        lines.append([data, *(written(*number) for number in numbers)])
    return markdown(["", *(label(*method) for method in methods)], lines)


def standings(rows, ours):
    """One of our methods beside the best comparator, cell by cell.

    Parameters
    ----------
    rows : DataFrame
        Of a file of results.
    ours : (method, dim)

    Returns
    -------
    table : DataFrame
        A row for each data set and test; see :func:`benchmarks.tables.beside_best`.
    """
    found = rows[rows["metric"] == METRIC]
    lines = []
    for key, cell in found.groupby(CASE):
        place = beside_best(cell, ours)
        if key[1:] in CASES and place is not None:
            lines.append(dict(zip(CASE, key, strict=True)) | place)
    return pd.DataFrame(lines)


def _standings(rows):
    lines = []
    for ours in OWN:
        table = standings(rows, ours)
        if table.empty:
            continue
        line = [label(*ours)]
        for case in (*CASES, None):
            both = table["protocol"] + table["part"]
            some = table if case is None else table[both == "".join(case)]
            line.append(f"{some['first'].sum()} / {some['within'].sum()} of {len(some)}")
        lines.append(line)
    header = ["first / first or within two standard errors", *CASES.values(), "all"]
    return markdown(header, lines) if lines else NOTHING


def _calibration(table):
    """Ratio of log losses and calibration error of our methods, by test and data set."""
    measured = methods_of(table.index)
    columns = [
        (metric, method)
        for method in OWN
        for metric in ("log_loss_ratio", "ece")
        if method in measured
    ]
    names = {"log_loss_ratio": "log loss", "ece": "calibration error"}
    lines = []
    for (protocol, part), meaning in CASES.items():
        for data in _names(table.index):
            cells = [(data, protocol, part, metric, *method) for metric, method in columns]
            numbers = [
                written(*table.loc[cell, ["mean", "error"]]) if cell in table.index else ""
                for cell in cells
            ]
            lines.append([meaning, data, *numbers])
    header = [f"{label(*method)}: {names[metric]}" for metric, method in columns]
    return markdown(["test", "data", *header], lines) if columns else NOTHING


def _seconds(rows):
    found = rows[rows["metric"] != "error"]
    seconds = found.groupby(["data", "method", "dim"])["seconds"].median()
    methods = methods_of(seconds.index)
    lines = [
        [data, *(short(seconds.get((data, *method), np.nan)) for method in methods)]
        for data in _names(seconds.index)
    ]
    return markdown(["", *(label(*method) for method in methods)], lines)


def main(arguments=None):
    """Measure what is missing, write the tables and print them."""
    parser = command_line(
        __doc__.split("\n")[0],
        held_out.HELD_OUT,
        ("unseen", "novel"),
        METHODS,
        seeds=3,
        results=RESULTS.with_name("generalization.csv"),
    )
    parser.add_argument("--ontology", help=f"path of {held_out.ONTOLOGY}")
    given = parser.parse_args(arguments)
    with one_thread():
        datas = held_out.load(held_out.HELD_OUT, given.data, given.ontology)
    chosen = [data for data in datas if data.name in given.only]
    cells = cells_of(chosen, given.protocols, given.methods, given.seeds)
    rows = complete(chosen, list(cells), given)
    if rows is None:
        return
    text = document(rows, datas)
    Path(given.results).with_suffix(".md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
