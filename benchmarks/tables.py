"""Tables of the benchmark of relations, made of its results.

``python -m benchmarks.tables`` reads ``benchmarks/results/relations.csv``, writes
``relations.md`` beside it, and prints where distilled boxes of five dimensions, and the
ensemble that teaches them, are not first.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.data import DATA
from benchmarks.methods import METHODS
from benchmarks.relations import RESULTS, read_results

# What the methods are judged by first: of 0/1 relations, and of graded strengths.
HEADLINES = ("average_precision", "spearman", "spearman_within")
METRICS = {
    "average_precision": "Average precision",
    "spearman": "Spearman's rho",
    "spearman_within": "Spearman's rho within each target, mean",
    "roc_auc": "Area under the ROC curve",
    "f1": "F1 at the threshold of the validation pairs",
    "f1_direction": "F1 with the direction test",
    "brier": "Brier score (lower is better)",
    "ece": "Expected calibration error, 15 bins of equal width (lower is better)",
    "ece_quantile": "Expected calibration error, 15 bins of equal mass (lower is better)",
}
LOWER_IS_BETTER = {"brier", "ece", "ece_quantile"}
TESTS = {
    ("fixed", "test"): "the fixed splits",
    ("unseen", "test"): "unseen relations among known tasks",
    ("novel", "novel_to_known"): "novel tasks inside known ones",
    ("novel", "known_to_novel"): "known tasks inside novel ones",
    ("novel", "novel_to_novel"): "novel tasks inside novel ones",
    ("few20", "test"): "20 % of the pairs observed",
    ("few05", "test"): "5 % of the pairs observed",
}
# The overview has one data set of each source; the tables below it have all.
OVERVIEW_DATA = (
    "mammals150",
    "mammals500",
    "cub",
    "lvis",
    "imagenet",
    "digits",
    "taskonomy_wins_attributes",
    "taskonomy_wins_config",
)
OVERVIEW_TESTS = [test for test in TESTS if test[1] != "novel_to_novel"]
KEY = ("method", "dim")
DISTILLED, ENSEMBLE = ("distilled", 5), ("ensemble", 5)
OURS = {"boxes", "distilled", "ensemble"}
# Beside distilled boxes of five dimensions in the overview.
BESIDE = {
    "boxes": ("boxes", 5),
    "ensemble": ENSEMBLE,
    "distilled_20": ("distilled", 20),
    "distilled_2": ("distilled", 2),
}
CASE = ["data", "protocol", "part"]


def summary(rows):
    """Means and standard errors over the seeds.

    Parameters
    ----------
    rows : DataFrame
        Of a file of results.

    Returns
    -------
    table : DataFrame
        Indexed by data, protocol, part, metric, method and dim; columns mean, error and
        n_seeds. The error is NaN where there is one seed.
    """
    found = rows[rows["metric"] != "error"]
    groups = found.groupby([*CASE, "metric", "method", "dim"])["value"]
    return groups.agg(mean="mean", error="sem", n_seeds="size")


def label(method, dim):
    """Name of a method in a table."""
    name = method.replace("_", " ")
    return f"{name}, {dim}-d" if dim else name


# A line must not break within a number.
PLUS_MINUS = "\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}"


def written(mean, error, bold=False):
    """A number with its standard error; nothing where there is no number."""
    if np.isnan(mean):
        return ""
    text = f"{mean:.3f}" if np.isnan(error) else f"{mean:.3f}{PLUS_MINUS}{error:.3f}"
    return f"**{text}**" if bold else text


def markdown(header, rows):
    """A Markdown table of a list of str and lists of them."""
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def ordered(found, known):
    """Those found, in the order of those known; others last."""
    order = {name: i for i, name in enumerate(known)}
    return sorted(set(found), key=lambda name: (order.get(name, len(order)), name))


# --------------------------------------------------------------------------------------
# All of it
# --------------------------------------------------------------------------------------
def document(rows):
    """The text of relations.md."""
    table = summary(rows)
    text = [
        "# Benchmark of relations",
        "Made by `python -m benchmarks.tables` of `relations.csv`: means and standard "
        "errors over the seeds, in tables of all methods the best of a column bold. "
        "`benchmarks/data.py`, `protocols.py` and `methods.py` say what the data, the "
        "protocols and the methods are.",
        origin(rows),
    ]
    if not standings(rows).empty:
        text += ["## Overview", overview(rows)]
    for metric, title in METRICS.items():
        if metric not in table.index.get_level_values("metric"):
            continue
        text.append(f"## {title}")
        for (protocol, part), meaning in TESTS.items():
            block = _block(table, metric, protocol, part)
            if block:
                text += [f"### {meaning[0].upper()}{meaning[1:]}", block]
    text += ["## Seconds of a fit", _costs(rows, "seconds")]
    text += ["## Peak memory, MB", _costs(rows, "peak_mb")]
    text += failures(rows)
    return "\n\n".join(text) + "\n"


def origin(rows):
    """A sentence on the commits that rows are of, and one on data that changed."""
    cells = rows.groupby("commit")["method"].agg(["size", "unique"])
    shares = [
        f"{commit} ({size / len(rows):.0%}: {', '.join(sorted(methods))})"
        for commit, (size, methods) in cells.sort_values("size")[::-1].iterrows()
    ]
    text = f"Results are of commit {', and of '.join(shares)}."
    if len(shares) == 1:
        text = f"All results are of commit {cells.index[0]}."
    sums = rows.groupby("data")["checksum"].nunique()
    if (sums > 1).any():
        text += " Of these data, features or relations changed between commits: "
        text += f"{', '.join(sums.index[sums > 1])}."
    return text


def failures(rows):
    """A heading and a table of the cells that failed; nothing where none did."""
    failed = rows[rows["metric"] == "error"]
    if failed.empty:
        return []
    cells = failed.groupby(["data", "protocol", "method", "dim"])["message"]
    lines = [
        [data, protocol, label(method, dim), str(len(messages)), messages.iloc[0]]
        for (data, protocol, method, dim), messages in cells
    ]
    header = ["data", "protocol", "method", "seeds", "message"]
    return ["## Failures", markdown(header, lines)]


def _block(table, metric, protocol, part):
    """One table: methods by data sets."""
    index = table.index
    chosen = table[
        (index.get_level_values("metric") == metric)
        & (index.get_level_values("protocol") == protocol)
        & (index.get_level_values("part") == part)
    ].droplevel(["protocol", "part", "metric"])
    if chosen.empty:
        return ""
    datas = ordered(chosen.index.get_level_values("data"), DATA)
    sign = -1 if metric in LOWER_IS_BETTER else 1
    best = {data: (sign * chosen.loc[data, "mean"]).max() for data in datas}
    lines = []
    for method, dim in methods_of(chosen.index):
        line = [label(method, dim)]
        for data in datas:
            if (data, method, dim) not in chosen.index:
                line.append("")
                continue
            mean, error, _ = chosen.loc[(data, method, dim)]
            line.append(written(mean, error, sign * mean >= best[data]))
        lines.append(line)
    return markdown(["", *(data.replace("_", " ") for data in datas)], lines)


def methods_of(index):
    """Methods and dimensions of an index, ours first."""
    found = set(index.droplevel([name for name in index.names if name not in KEY]))
    order = ["boxes", "distilled", "ensemble", *METHODS]
    return sorted(
        found,
        key=lambda m: (order.index(m[0]) if m[0] in order else len(order), m),
    )


def _costs(rows, column):
    """The median over the protocols and seeds."""
    found = rows[rows["metric"] != "error"]
    costs = found.groupby(["data", "method", "dim"])[column].median()
    datas = ordered(costs.index.get_level_values("data"), DATA)
    lines = [
        [label(*m), *(short(costs.get((data, *m), np.nan)) for data in datas)]
        for m in methods_of(costs.index)
    ]
    return markdown(["", *(data.replace("_", " ") for data in datas)], lines)


def short(value):
    """A number of seconds or MB; nothing where there is none."""
    return "" if np.isnan(value) else f"{value:.3g}"


# --------------------------------------------------------------------------------------
# Ours beside the others
# --------------------------------------------------------------------------------------
def standings(rows, ours=DISTILLED):
    """Distilled boxes of five dimensions, or others of ours, beside the best comparator.

    Parameters
    ----------
    rows : DataFrame
        Of a file of results.
    ours : (method, dim), default=("distilled", 5)

    Returns
    -------
    table : DataFrame
        One row per data set and test: metric, ours and ours_error; what
        :func:`beside_best` finds; our other methods, closure and popularity. Of a method
        with more seeds than ours, the shared seeds count.
    """
    case = ["data", "protocol", "seed"]
    own = rows[(rows["method"] == ours[0]) & (rows["dim"] == ours[1])]
    shared = rows.merge(own[case].drop_duplicates(), on=case)
    table, lines = summary(shared), []
    for metric in HEADLINES:
        for key, cell in shared[shared["metric"] == metric].groupby(CASE):
            place = beside_best(cell, ours)
            if place is None:
                continue
            means = table.loc[key].xs(metric)
            own = means.loc[ours]
            line = dict(zip(CASE, key, strict=True)) | {
                "metric": metric,
                "ours": own["mean"],
                "ours_error": own["error"],
            }
            line |= place
            graph = {name: (name, 0) for name in ("closure", "popularity")}
            for name, at in (BESIDE | graph).items():
                there = at in means.index
                line[name] = means.loc[at, "mean"] if there else np.nan
                line[f"{name}_error"] = means.loc[at, "error"] if there else np.nan
            lines.append(line)
    return pd.DataFrame(lines)


def beside_best(cell, ours):
    """One of our methods beside the comparator that is ahead of it the most.

    Parameters
    ----------
    cell : DataFrame
        Rows of one test and metric.
    ours : (method, dim)

    Returns
    -------
    place : dict or None
        Name of the comparator, ``best``, any method that is not ours, with ``best_mean``
        and ``best_error``; ``behind``, the mean of the paired differences to it over the
        seeds that both have, negative where ours is ahead, and their standard error
        ``error``, NaN of one seed; ``first`` where it is not behind, and ``within`` where
        it is by at most two standard errors. None where one of the two is missing.
    """
    values = cell.pivot(index="seed", columns=["method", "dim"], values="value")
    others = [method for method in values if method[0] not in OURS]
    if ours not in values or not others:
        return None
    values = values[values[ours].notna()]
    for method in others:
        if not METHODS[method[0]].random:  # of a given split, it has one seed for all
            values[method] = values[method].ffill()
    gaps = values[others].sub(values[ours], axis=0)
    best = gaps.mean().idxmax()
    behind, error = gaps[best].mean(), gaps[best].sem()
    return {
        "best": label(*best),
        "best_mean": values[best].mean(),
        "best_error": values[best].sem(),
        "behind": behind,
        "error": error,
        "first": behind <= 0,
        "within": behind <= max(0, np.nan_to_num(2 * error)),
    }


def overview(rows):
    """Distilled boxes beside the best comparator, on some data sets, with a caption."""
    table = standings(rows)
    found = {
        (row.protocol, row.part, row.data): row
        for row in table[table["metric"] != "spearman_within"].itertuples()
    }
    counts = summary(rows)["n_seeds"].groupby(list(KEY)).agg(["min", "max"])
    beside = {name: at for name, at in BESIDE.items() if at in counts.index}
    header = [
        "test",
        "data",
        label(*DISTILLED),
        *(label(*at) for at in beside.values()),
        "best comparator",
        "closure",
        "popularity",
    ]
    lines = []
    for test in OVERVIEW_TESTS:
        rows_of_test = [
            found[*test, data] for data in OVERVIEW_DATA if (*test, data) in found
        ]
        for i, row in enumerate(rows_of_test):
            rho = " (rho)" if row.metric == "spearman" else ""
            best = written(row.best_mean, row.best_error, not row.first)
            lines.append(
                [
                    TESTS[test] if i == 0 else "",
                    row.data.replace("_", " ") + rho,
                    written(row.ours, row.ours_error, row.first),
                    *(
                        written(getattr(row, name), getattr(row, f"{name}_error"))
                        for name in beside
                    ),
                    f"{best} ({row.best})",
                    written(row.closure, row.closure_error),
                    written(row.popularity, row.popularity_error),
                ]
            )
    others = ", ".join(f"{label(*at)}: {_range(counts.loc[at])}" for at in beside.values())
    caption = (
        f"Average precision, and Spearman's rho of graded strengths (rho): means and "
        f"standard errors, of {_range(counts.loc[DISTILLED])} seeds of the distilled boxes "
        f"of five dimensions ({others}), and of comparators those seeds that these boxes "
        "have, too. Bold: the better of them and the best comparator. Of all "
        f"{len(table)} combinations of data and test, rho within each target counted "
        f"apart, they are {_places(table)}."
    )
    if ENSEMBLE in counts.index:
        of_ensemble = standings(rows, ENSEMBLE)
        caption += (
            f" The ensemble that teaches them is {_places(of_ensemble)}, of "
            f"{len(of_ensemble)}."
        )
    return markdown(header, lines) + "\n\n" + caption


def _places(table):
    n_first = int(table["first"].sum())
    n_within = int(table["within"].sum()) - n_first
    return (
        f"first in {n_first}, and behind by at most two standard errors of the paired "
        f"difference in {n_within} more"
    )


def _range(counts):
    return " to ".join(map(str, sorted({counts["min"], counts["max"]})))


def report(rows):
    """Lines that say where distilled boxes, and their ensemble, are not first."""
    lines = []
    for name, ours in (("Distilled boxes", DISTILLED), ("The ensemble", ENSEMBLE)):
        table = standings(rows, ours)
        if len(table):
            lines += _report(name, table)
    return "\n".join(lines)


def _report(name, table):
    lines = [f"{name}: {_places(table)}, of {len(table)} cells. The others:"]
    for _, row in table[~table["within"]].iterrows():
        lines.append(
            f"  {row['data']:<30}{row['protocol']:<8}{row['part']:<16}{row['metric']:<18}"
            f"{written(row['ours'], row['ours_error']):<16} "
            f"{written(row['best_mean'], row['best_error']):<16} {row['best']}"
        )
    for other in ("closure", "popularity"):
        behind = table[table[other] > table["ours"]]
        lines.append(f"Behind {other}: {len(behind)} cells.")
    novel = table[table["part"].isin(["novel_to_known", "known_to_novel"])]
    lines.append("Novel tasks, beside the best comparator:")
    for _, row in novel.iterrows():
        ratio = row["ours"] / row["best_mean"]
        lines.append(
            f"  {row['data']:<30}{row['part']:<16}{row['metric']:<18}{ratio:.2f}  "
            f"{row['best']}"
        )
    return lines


def main(arguments):
    """Write the tables."""
    path = Path(arguments.results)
    rows = read_results(path)
    path.with_suffix(".md").write_text(document(rows))
    print(report(rows))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--results", default=RESULTS, help="file of the results")
    given = parser.parse_args()
    if not Path(given.results).is_file():
        parser.error(f"{given.results} is no file")
    main(given)
