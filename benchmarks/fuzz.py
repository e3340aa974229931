"""Odd inputs in every combination: what is refused, and what must hold where it is not.

``python -m benchmarks.fuzz --cases 10000 --seed 0`` runs that many cases, prints how far it
is and, for each finding, a line that repeats it. ``--first`` continues where a run stopped.

A case draws a model, features, relations and questions. Each step either is a refusal, a
ValueError or TypeError that the package or scikit-learn's validation raises with a
sentence, which leaves the model as it was; or a success: boxes are finite and have their
corners in order, predictions are in [0, 1] and of the right shape, a second fit gives the
same. In both cases X, y, parameters and global state stay as they were, and all warnings
are documented ones.
"""

import argparse
import linecache
import pickle
import random
import re
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path

import joblib
import networkx as nx
import numpy as np
import pandas as pd
import sklearn
import torch
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, DataConversionWarning
from tqdm import tqdm

import sklearn_task2box
from benchmarks import fuzz_inputs as inputs
from sklearn_task2box import TaskPairs, TaskRelations
from sklearn_task2box.relations._parsing import is_labels

# Where a refusal may be raised.
RAISED_IN = (Path(sklearn_task2box.__file__).parent, Path(sklearn.__file__).parent)
# How messages of NumPy, pandas, torch and Python begin, which say nothing about X or y.
INTERNAL = re.compile(
    r".{0,40}(operands could not be broadcast|could not convert|not aligned|cannot reshape|"
    r"setting an array element|inhomogeneous|unhashable|object is not|has no len|"
    r"unsupported operand|truth value|mat1 and mat2|must match the size|dtype\('|"
    r"cannot be safely cast|zero-size array|index out of range|out of bounds|"
    r"unpack|missing \d+ required|unexpected keyword|not supported between)",
    re.IGNORECASE,
)
# Beginnings of the warnings that docstrings mention.
DOCUMENTED = re.compile(
    r"Ignored self-loops|y states \d+ pairs|"
    r"No pair is observed to be unrelated|"
    r"\d+ of \d+ columns of X vary|\d+ of \d+ tasks lie inside nearly all|"
    r"\d+ tasks contain others and lie in none|"
    r"X does not have valid feature names|X has feature names, but"
)
# Features that no model can read.
REFUSED_FEATURES = {
    "NaN", "infinity", "huge", "tiny", "subnormal", "one huge value", "records", "dates",
    "mapping", "sparse with NaN", "complex", "names", "one row", "no rows",
    "no columns", "one dimension", "three dimensions", "objects with text",
    "objects with None", "objects with lists", "ragged", "None", "number",
}  # fmt: skip
REFUSED_STRENGTHS = re.compile(
    r"(graph|edge (array|tuples|lists|frame)|dense|csr|coo|csc|labelled frame)"
    r" \((negative|above one|infinite)\)"
)
# Seconds that no case of a dozen tasks takes.
TOO_LONG = 60


class Refused(Exception):
    """What ends a case: a step was refused, as it may be."""


class Case:
    """One combination of inputs, and what was found wrong with it.

    ``kinds`` and ``findings`` are texts: the first are alike where the fault is alike.
    """

    def __init__(self, seed, number):
        self.seed = seed
        self.number = number
        self.draw = inputs.Draw(seed, number)
        self.word = ""
        self.kinds, self.findings = [], []
        self.refused = self.refused_later = self.continues = False

    def run(self):
        """Draw inputs, fit and ask; returns the case."""
        started = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the making of inputs
            try:
                (self._of_pairs if self.draw.chance(0.08) else self._of_tasks)()
            except Refused:
                self.refused = True
            except Exception as error:  # where a refusal is not allowed
                where = traceback.extract_tb(error.__traceback__)
                self._found(f"{type(error).__name__} at {where[-1].line}", str(error))
        if time.perf_counter() - started > TOO_LONG:
            self._found("slow", f"{time.perf_counter() - started:.0f} s")
        return self

    def repeat(self):
        """A line that runs this case again."""
        code = f"Case({self.seed}, {self.number}).run().show()"
        return f'python -c "from benchmarks.fuzz import Case; {code}"'

    def show(self):
        print(self.word, *(self.findings or ["Nothing was found."]), sep="\n")

    # -- a model of tasks --------------------------------------------------------------
    def _of_tasks(self):
        d = self.draw
        odd_X, odd_y = d.pick([(0, 0), (1, 0), (0, 1), (1, 1)], [2, 3, 4, 1])
        model = inputs.model(d)
        names, X, kind = inputs.features(d, odd_X)
        y, options, form = inputs.relations(d, names, odd_y)
        self.word = f"{model!r}, X: {kind}, y: {form}, {d.n} tasks"
        before = self._fitted_before(model) if d.chance(0.1) else None
        if options is not None:
            y = self._step("TaskRelations", lambda: TaskRelations(y, **options), y)
        fit = getattr(model, "partial_fit", model.fit) if d.chance(0.1) else model.fit
        self.continues = before is not None and fit != model.fit
        self._step("fit", lambda: fit(X, y), X, y, model=model, before=before)
        if kind in REFUSED_FEATURES:
            self._found("read features", f"Features of the kind {kind!r} were not refused.")
        if REFUSED_STRENGTHS.fullmatch(form):
            self._found("read strengths", f"Strengths of {form} were not refused.")
        n = len(model.tasks_)
        if hasattr(model, "boxes_"):
            self._check_boxes(model.boxes_, n)
        first = self._may_refuse("pairwise_strengths", lambda: model.pairwise_strengths())
        if first is None:
            self._found(
                "predictions", "pairwise_strengths() of a fitted model was refused."
            )
            return
        self._check_strengths("pairwise_strengths", first, (n, n))
        questions = self._questions(model, names, X, y, first)
        for question in d.rng.permutation(list(questions))[:4]:
            questions[question]()

    def _fitted_before(self, model):
        """Fit to usual inputs, and return what is predicted then, and of what."""
        X = self.draw.rng.normal(size=(6, 3))
        if getattr(model, "encoder", None) == "table":
            X = np.eye(6)
        y = [(1, 0), (2, 0), (3, 1), (4, 1), (5, 2)]
        if self._may_refuse("first fit", lambda: model.fit(X, y), X, y) is None:
            return None
        return X, model.pairwise_strengths(X)

    def _questions(self, model, names, X, y, first):
        d, n = self.draw, len(model.tasks_)

        def again():
            # NumPy's random state is the only one that random_state=None would read.
            other = clone(model)
            if not (self.continues or getattr(model, "warm_start", False)):
                refit = self._may_refuse("fit again", lambda: other.fit(X, y), X, y)
                if refit is None:
                    one_pass = isinstance(y, type(iter([])))
                    if not one_pass:
                        self._found("fit again", "A second fit was refused.")
                elif not np.array_equal(first, other.pairwise_strengths()):
                    self._found("fit again", "A second fit predicts something else.")

        def pickled():
            other = pickle.loads(pickle.dumps(model))
            if not np.array_equal(first, other.pairwise_strengths()):
                self._found("pickle", "A pickled model predicts something else.")

        def of_known():
            table = self._may_refuse("predict_proba", lambda: model.predict_proba(X), X)
            if table is not None:
                self._check_strengths("predict_proba of X", table, (_n_rows(X), n))
            elif not (sparse.issparse(X) and is_labels(y)):
                self._found("predict_proba", "Strengths of the X of fit were refused.")

        def of_new():
            Z = self._new(model, X)
            table = self._may_refuse("predict_proba", lambda: model.predict_proba(Z), Z)
            if table is not None:
                self._check_strengths("predict_proba", table, (_n_rows(Z), n))
                related = model.predict(Z)
                if related.dtype != bool or related.shape != table.shape:
                    self._found("predict", f"{related.dtype} of the shape {related.shape}")

        def of_boxes():
            if hasattr(model, "transform"):
                Z = self._new(model, X)
                boxes = self._may_refuse("transform", lambda: model.transform(Z), Z)
                if boxes is not None:
                    self._check_boxes(boxes, _n_rows(Z))

        def of_pairs():
            Z = X if d.chance(0.5) else self._new(model, X)
            listed = self._pairs(names)
            pairs = self._may_refuse("TaskPairs", lambda: TaskPairs(Z, listed), Z)
            if pairs is not None:
                self._ask_pairs(model, pairs)

        def scores():
            Z, truth = (X, y) if d.chance(0.6) else (self._new(model, X), None)
            score = self._may_refuse("score", lambda: model.score(Z, truth), Z, truth)
            if score is not None and not -1 <= score <= 1:
                self._found("score", f"The score is {score}.")
            both = self._may_refuse("compare", lambda: model.compare(Z, truth), Z, truth)
            if both is not None:
                self._check_strengths("compare", both[1], np.shape(both[0]))

        def best():
            Z = None if d.chance(0.5) else self._new(model, X)
            k = d.pick([1, 1, 2, n - 1, n, 0, -1, 1.5, "a", True, np.int64(1)])
            ask = d.pick([model.supersets, model.subsets])
            found = self._may_refuse("supersets", lambda: ask(Z, k), Z)
            if found is not None:
                n_rows = n if Z is None else _n_rows(Z)
                self._check_strengths("supersets", found[1], (n_rows, int(k)))
                if not ((found[0] >= 0) & (found[0] < n)).all():
                    self._found("supersets", "Positions are not those of tasks.")
                ask(Z, k, as_frame=True)

        def graph():
            Z = None if d.chance(0.7) else self._new(model, X)
            least = d.pick([None, 0, 1, 0.3, -1, "a", np.nan, np.float32(0.5)])
            reduce = d.chance(0.7)
            ask = lambda: model.to_networkx(Z, least, reduce)  # noqa: E731
            made = self._may_refuse("to_networkx", ask, Z)
            if made is not None and Z is None and len(made) != n:
                self._found("to_networkx", f"{len(made)} of {n} nodes")

        def more():
            if hasattr(model, "partial_fit"):
                odd = d.chance(0.5)
                Z = self._new(model, X)
                more, options, form = inputs.relations(d, names, odd, known=n)
                self.word += f", then y: {form}"
                learner = pickle.loads(pickle.dumps(model))
                kept = X, learner.pairwise_strengths(X)
                try:
                    if options is not None:
                        more = self._step(
                            "TaskRelations", lambda: TaskRelations(more, **options), more
                        )
                    learn = lambda: learner.partial_fit(Z, more)  # noqa: E731
                    self._step("partial_fit", learn, Z, more, model=learner, before=kept)
                except Refused:
                    self.refused_later = True
                    return
                if hasattr(learner, "boxes_"):
                    self._check_boxes(learner.boxes_, len(learner.tasks_))
                table = learner.pairwise_strengths()
                self._check_strengths("partial_fit", table, (len(learner.tasks_),) * 2)

        asks = (
            again,
            pickled,
            of_known,
            of_new,
            of_boxes,
            of_pairs,
            scores,
            best,
            graph,
            more,
        )
        return {ask.__name__: ask for ask in asks}

    def _new(self, model, X):
        """Features of tasks to ask about: known, new, or odd ones."""
        d, n_features = self.draw, model.n_features_in_
        how = d.pick(["known", "new", "odd"], [2, 3, 1])
        if how == "known" and hasattr(X, "shape"):
            X = X.tocsr() if sparse.issparse(X) else X
            return X.iloc[:2] if hasattr(X, "iloc") else X[:2]
        Z = d.rng.normal(size=(d.pick([1, 3]), n_features))
        if getattr(model, "encoder", None) == "table":
            Z = np.eye(n_features)[:2]
        if how == "odd":
            return inputs.FEATURES[d.pick(inputs.FEATURES)](d, Z)
        if isinstance(X, pd.DataFrame):
            index = [f"new {i}" for i in range(len(Z))]
            return pd.DataFrame(Z, index, X.columns)
        return sparse.csr_matrix(Z) if sparse.issparse(X) else Z

    def _pairs(self, names):
        d = self.draw
        ids = list(range(d.n)) if names is None else list(names)
        ends = d.rng.integers(d.n, size=(d.pick([1, 5, 0]), 2)).tolist()
        return d.pick(
            [
                [(ids[u], ids[v]) for u, v in ends],
                np.array(ends).reshape(-1, 2),
                pd.DataFrame(ends, columns=["u", "v"] if ends else None),
                [(u + 7, v) for u, v in ends],
                [("nobody", v) for _, v in ends],
                [(u, v, 1.0) for u, v in ends],
                [(np.nan, v) for _, v in ends],
            ],
            [6, 3, 1, 1, 1, 1, 1],
        )

    def _ask_pairs(self, model, pairs):
        table = self._may_refuse(
            "predict_proba of pairs", lambda: model.predict_proba(pairs)
        )
        if table is not None:
            self._check_strengths("predict_proba of pairs", table, (len(pairs), 2))
            if not np.allclose(table.sum(axis=1), 1, rtol=0, atol=1e-12):
                self._found("predict_proba of pairs", "Rows do not sum to 1.")
            if len(model.predict(pairs)) != len(pairs):
                self._found("predict of pairs", "There is not one for each pair.")

    # -- a classifier of pairs ---------------------------------------------------------
    def _of_pairs(self):
        d = self.draw
        model = inputs.link_classifier(d)
        names, X, kind = inputs.features(d, d.chance(0.4))
        self.word = f"{model!r}, X: {kind}, {d.n} tasks"
        listed = [
            (i, j) for i in range(d.n) for j in range(d.n) if i != j or d.chance(0.02)
        ]
        if d.chance(0.2):
            listed += listed[:1]
        if names is not None and d.chance(0.7):
            listed = [(names[i], names[j]) for i, j in listed]
        pairs = self._step("TaskPairs", lambda: TaskPairs(X, listed), X)
        related = d.rng.uniform(size=len(pairs)) < d.pick([0.3, 0.7, 0, 1])
        y = d.pick(
            [
                related.astype(int),
                related,
                related.astype(int).tolist(),
                np.where(related, "b", "a"),
                pd.Series(related.astype(float)),
                np.where(related, 2.5, np.nan),
                related.astype(int)[:-1],
                related[:, None].astype(int),
                d.rng.uniform(size=len(pairs)),
                np.where(related, None, "a"),
                related * 1j,
                None,
                "text",
                np.arange(len(pairs)),
            ],
            [8, 2, 2, 4] + [1] * 10,
        )
        self._step("fit", lambda: model.fit(pairs, y), X, y, model=model)
        self._ask_pairs(model, pairs)
        if d.chance(0.5):
            self._ask_pairs(model, pairs[d.rng.permutation(len(pairs))[:3]])
        score = self._may_refuse("score", lambda: model.score(pairs, y), X, y)
        if score is not None and not 0 <= score <= 1:
            self._found("score", f"The score is {score}.")
        self._may_refuse("odd samples", lambda: model.predict(d.pick([X, None, listed])))

    # -- steps and checks --------------------------------------------------------------
    def _found(self, kind, text):
        self.kinds.append(kind)
        self.findings.append(f"{kind}: {text}")

    def _may_refuse(self, step, call, *given):
        """What a call returns; None where it is refused."""
        try:
            return self._step(step, call, *given)
        except Refused:
            self.refused_later = True
            return None

    def _step(self, step, call, *given, model=None, before=None):
        """What a call returns, which leaves what was given and global state alone.

        A refusal leaves the model, too: ``before`` is what it predicted, and of what.
        """
        prints = [fingerprint(value) for value in given]
        params = None if model is None else repr(model.get_params())
        fitted = None if model is None else set(vars(model))
        globals_before, error, result = global_state(), None, None
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                result = call()
            except Exception as raised:
                error = raised
        if global_state() != globals_before:
            self._found(f"{step}: global state", "It was changed.")
        if prints != [fingerprint(value) for value in given]:
            self._found(f"{step}: inputs", "They were changed.")
        if model is not None and repr(model.get_params()) != params:
            self._found(f"{step}: parameters", "They were changed.")
        for warning in caught:
            self._judge_warning(step, warning)
        if error is None:
            return result
        self._judge_error(step, error)
        if model is not None and set(vars(model)) != fitted:
            self._found(f"{step}: refused", f"{set(vars(model)) ^ fitted} changed.")
        if before is not None:
            X, strengths = before
            if not np.array_equal(model.pairwise_strengths(X), strengths):
                self._found(f"{step}: refused", "The model predicts something else.")
        raise Refused

    def _judge_warning(self, step, warning):
        text = str(warning.message)
        documented = warning.category is UserWarning and DOCUMENTED.match(text)
        if not documented and warning.category not in (
            ConvergenceWarning,
            DataConversionWarning,
        ):
            place = f"{Path(warning.filename).name}:{warning.lineno}"
            self._found(
                f"{step}: {warning.category.__name__} at {place}", text.splitlines()[0]
            )

    def _judge_error(self, step, error):
        last = traceback.extract_tb(error.__traceback__)[-1]
        line = linecache.getline(last.filename, last.lineno).strip()
        sentence = str(error)
        validated = (
            isinstance(error, ValueError | TypeError)
            and any(Path(last.filename).is_relative_to(folder) for folder in RAISED_IN)
            and line.startswith("raise")
            and len(sentence) > 20
            and not INTERNAL.match(sentence)
        )
        if not validated:
            ours = [
                f
                for f in traceback.extract_tb(error.__traceback__)
                if Path(f.filename).is_relative_to(RAISED_IN[0])
            ]
            places = " < ".join(
                f"{Path(f.filename).name}:{f.lineno}" for f in ours[::-1][:3]
            )
            kind = f"{step}: {type(error).__name__} at {places}"
            self._found(kind, sentence[:200])

    def _check_boxes(self, boxes, n):
        boxes = np.asarray(boxes)
        lower, upper = np.split(boxes, 2, axis=1)
        if len(boxes) != n or not np.isfinite(boxes).all() or not (lower <= upper).all():
            self._found("boxes", f"Not {n} finite ones with corners in order: {boxes[:2]}")

    def _check_strengths(self, step, strengths, shape):
        strengths = np.asarray(strengths)
        if strengths.shape != tuple(shape):
            self._found(step, f"The shape is {strengths.shape}, and not {shape}.")
        elif not ((strengths >= 0) & (strengths <= 1)).all():
            wrong = strengths[~((strengths >= 0) & (strengths <= 1))]
            self._found(step, f"Strengths are not in [0, 1]: {wrong[:3]}.")


def _n_rows(X):
    return X.shape[0] if hasattr(X, "shape") else len(X)


def fingerprint(value):
    """What changes with a value, and not with what it caches."""
    if isinstance(value, nx.Graph):
        return repr((list(value.nodes(data=True)), list(value.edges(data=True))))
    if isinstance(value, TaskPairs):
        return fingerprint(value.X), fingerprint(value.pairs)
    if isinstance(value, TaskRelations):
        return repr(value), fingerprint(value.tasks), value.toarray().tobytes()
    if sparse.issparse(value):
        return value.format, str(value.dtype), value.shape, value.toarray().tobytes()
    if isinstance(value, pd.DataFrame):
        columns = [fingerprint(value.iloc[:, j]) for j in range(value.shape[1])]
        return repr(list(value.columns)), *columns
    if isinstance(value, pd.Series):
        return str(value.dtype), repr(list(value)), repr(list(value.index))
    if isinstance(value, np.ndarray):
        return str(value.dtype), value.shape, repr(value.tolist())
    return repr(value)


def global_state():
    """What a call must leave alone, as values that can be compared."""
    return (
        joblib.hash(np.random.get_state()),
        random.getstate(),
        torch.random.get_rng_state().numpy().tobytes(),
        torch.get_default_dtype(),
        torch.get_num_threads(),
        torch.is_grad_enabled(),
        np.geterr(),
        sklearn.get_config(),
    )


def run(seed, numbers, n_jobs=1, seconds=np.inf, verbose=True):
    """Run cases, and return those in which something was found, and counts of all.

    It stops after ``seconds``, if all are not done before.
    """
    started, found, counts, kinds = time.perf_counter(), [], Counter(), Counter()
    work = joblib.delayed(lambda number: Case(seed, number).run())
    cases = (Case(seed, number).run() for number in numbers)
    if n_jobs != 1:
        cases = joblib.Parallel(n_jobs, return_as="generator")(map(work, numbers))
    for case in tqdm(cases, "cases", len(numbers), disable=not verbose, mininterval=10):
        counts["cases"] += 1
        counts["refused" if case.refused else "fitted"] += 1
        counts["refused later"] += case.refused_later
        for kind, text in zip(case.kinds, case.findings, strict=True):
            kinds[kind] += 1
            if verbose and kinds[kind] <= 3:
                tqdm.write(f"{text}\n  {case.word}\n  {case.repeat()}")
        if case.findings:
            found.append(case)
        if time.perf_counter() - started > seconds:
            break
    counts["seconds"] = round(time.perf_counter() - started)
    if verbose:
        print(f"{dict(counts)}; {len(found)} cases with findings")
        for kind, number in kinds.most_common():
            print(f"{number:6} {kind}")
    return found, counts


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1)
    arguments = parser.parse_args()
    numbers = range(arguments.first, arguments.first + arguments.cases)
    raise SystemExit(bool(run(arguments.seed, numbers, arguments.jobs)[0]))
