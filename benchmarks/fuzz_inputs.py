"""Odd inputs for :mod:`benchmarks.fuzz`: tasks' names, features, relations and models.

A table maps a name to a function of a :class:`Draw`, so that a finding can be repeated by
the seed and the number of its case alone.
"""

import warnings

import networkx as nx
import numpy as np
import pandas as pd
from scipy import sparse

from sklearn_task2box import (
    BoxRelationEmbedder,
    DistilledBoxEmbedder,
    RelationEnsemble,
    TaskLinkClassifier,
)
from sklearn_task2box.models import (
    AdditiveModel,
    ClosureModel,
    GeometryModel,
    KernelRidgeModel,
    NeighborsModel,
    PairClassifier,
    PopularityModel,
    RandomModel,
    SimilarityModel,
)
from sklearn_task2box.nets import Objective


class Draw:
    """Random choices of one case, from its seed and number."""

    def __init__(self, seed, number):
        self.rng = np.random.default_rng([seed, number])
        self.n = int(self.pick([2, 3, 4, 6, 9, 12], [1, 2, 4, 6, 4, 3]))

    def chance(self, share):
        return bool(self.rng.uniform() < share)

    def pick(self, options, weights=None):
        options = list(options)
        shares = None if weights is None else np.divide(weights, np.sum(weights))
        return options[self.rng.choice(len(options), p=shares)]

    def settings(self, **choices):
        """Some of the settings, others staying at their defaults."""
        return {name: self.pick(c) for name, c in choices.items() if self.chance(0.3)}


# -- names of tasks --------------------------------------------------------------------
NAMES = {
    "none": lambda d, n: None,
    "text": lambda d, n: [f"task {i}" for i in d.rng.permutation(n)],
    "integers": lambda d, n: (100 + d.rng.permutation(n)).tolist(),
    "numpy integers": lambda d, n: 7 * d.rng.permutation(n),
    "integers as text": lambda d, n: [str(i) for i in d.rng.permutation(n)],
    "shuffled positions": lambda d, n: d.rng.permutation(n).tolist(),
    "tuples": lambda d, n: [(i, "a") for i in range(n)],
    "mixed types": lambda d, n: [i if i % 2 else f"t{i}" for i in range(n)],
    "floats": lambda d, n: [i + 0.5 for i in range(n)],
    "dates": lambda d, n: list(pd.date_range("2020-01-01", periods=n)),
    "repeated": lambda d, n: [f"t{i // 2}" for i in range(n)],
    "missing": lambda d, n: [None if i == n - 1 else f"t{i}" for i in range(n)],
    "odd text": lambda d, n: ["", "\n", "$x$", "é" * 300, "\x00", *map(str, range(n))][:n],
}
USUAL_NAMES = ("none", "text", "integers")


# -- features --------------------------------------------------------------------------
def _base(d):
    return d.rng.normal(size=(d.n, int(d.pick([1, 2, 3, 5, 30]))))


def _one_value(value, X):
    X = X.astype(object) if isinstance(value, str) or value is None else X.copy()
    X[len(X) // 2, -1] = value
    return X


def _read_only(X):
    X = X.copy()
    X.flags.writeable = False
    return X


FEATURES = {
    "float64": lambda d, X: X,
    "float32": lambda d, X: X.astype(np.float32),
    "float16": lambda d, X: X.astype(np.float16),
    "longdouble": lambda d, X: X.astype(np.longdouble),
    "integers": lambda d, X: (9 * X).astype(d.pick([np.int64, np.int8])),
    "unsigned": lambda d, X: abs(9 * X).astype(np.uint8),
    "booleans": lambda d, X: X > 0,
    "csr": lambda d, X: sparse.csr_matrix(np.where(X > 0.5, X, 0)),
    "csc": lambda d, X: sparse.csc_array(np.where(X > 0.5, X, 0)),
    "coo": lambda d, X: sparse.coo_matrix(np.where(X > 0.5, X, 0)),
    "csr of float32": lambda d, X: sparse.csr_array(X.astype(np.float32)),
    "sparse of nothing": lambda d, X: sparse.csr_matrix(X.shape),
    "sparse with NaN": lambda d, X: sparse.csr_matrix(_one_value(np.nan, X)),
    "one-hot": lambda d, X: sparse.identity(len(X), format="csr"),
    "one-hot, dense": lambda d, X: np.eye(len(X)),
    "constant": lambda d, X: np.ones_like(X),
    "zeros": lambda d, X: np.zeros_like(X),
    "some constant columns": lambda d, X: np.hstack([X, np.ones((len(X), 2))]),
    "alike": lambda d, X: X[np.zeros(len(X), dtype=int)],
    "duplicate rows": lambda d, X: X[np.arange(len(X)) // 2],
    "huge": lambda d, X: X * 1e300,
    "tiny": lambda d, X: X * 1e-300,
    "subnormal": lambda d, X: X * 1e-320,
    "float32, huge": lambda d, X: (X * 1e37).astype(np.float32),
    "scales": lambda d, X: X * np.logspace(-150, 150, X.shape[1]),
    "one huge value": lambda d, X: _one_value(1.7e308, X),
    "NaN": lambda d, X: _one_value(np.nan, X),
    "infinity": lambda d, X: _one_value(-np.inf, X),
    "masked": lambda d, X: np.ma.masked_array(X, X > 1),
    "complex": lambda d, X: X + 1j,
    "text": lambda d, X: X.astype(str),
    "names": lambda d, X: [f"task {i}" for i in range(len(X))],
    "one row": lambda d, X: X[:1],
    "no rows": lambda d, X: X[:0],
    "no columns": lambda d, X: X[:, :0],
    "one dimension": lambda d, X: X[:, 0],
    "three dimensions": lambda d, X: X[None],
    "strided": lambda d, X: np.repeat(X, 2, axis=1)[:, ::2],
    "reversed": lambda d, X: X[::-1, ::-1],
    "Fortran": lambda d, X: np.asfortranarray(X),
    "read-only": lambda d, X: _read_only(X),
    "big endian": lambda d, X: X.astype(">f8"),
    "objects": lambda d, X: X.astype(object),
    "objects with text": lambda d, X: _one_value("abc", X),
    "objects with None": lambda d, X: _one_value(None, X),
    "objects with lists": lambda d, X: _one_value_list(X),
    "lists": lambda d, X: X.tolist(),
    "ragged": lambda d, X: [row + row[: i % 2] for i, row in enumerate(X.tolist())],
    "dates": lambda d, X: (9 * X).astype("datetime64[D]"),
    "records": lambda d, X: np.zeros(len(X), dtype=[("a", float), ("b", int)]),
    "matrix class": lambda d, X: _np_matrix(X),
    "None": lambda d, X: None,
    "number": lambda d, X: 5,
    "mapping": lambda d, X: {"a": X[:, 0]},
}
USUAL_FEATURES = ("float64", "float32", "integers", "csr")


def _one_value_list(X):
    X = X.astype(object)
    X[0, 0] = [1, 2]
    return X


def _np_matrix(X):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        return np.matrix(X)


def _with_column(frame, values):
    return frame.assign(more=list(values))


FRAMES = {
    "plain": lambda d, f: f,
    "plain, float32": lambda d, f: f.astype(np.float32),
    "no names of columns": lambda d, f: f.set_axis(range(f.shape[1]), axis=1),
    "mixed names of columns": lambda d, f: _with_column(
        f.set_axis(range(f.shape[1]), axis=1), np.ones(len(f))
    ),
    "repeated columns": lambda d, f: f.set_axis(["a"] * f.shape[1], axis=1),
    "mixed types": lambda d, f: _with_column(f, np.arange(len(f))),
    "text": lambda d, f: _with_column(f, ["a"] * len(f)),
    "numbers as text": lambda d, f: _with_column(f, ["1"] * len(f)),
    "categories": lambda d, f: f.assign(more=pd.Categorical(["a"] * len(f))),
    "nullable": lambda d, f: f.assign(
        more=pd.array([None] + [1] * (len(f) - 1), dtype="Int64")
    ),
    "nullable, whole": lambda d, f: f.assign(more=pd.array([1] * len(f), dtype="Int64")),
    "booleans": lambda d, f: f > 0,
    "dates": lambda d, f: f.assign(more=pd.Timestamp("2020-01-01")),
    "objects": lambda d, f: f.astype(object),
    "NaN": lambda d, f: f.where(f < 1),
    "sparse": lambda d, f: f.astype(pd.SparseDtype(float, 0.0)),
    "several levels": lambda d, f: f.set_axis(
        pd.MultiIndex.from_product([["a"], range(f.shape[1])]), axis=1
    ),
    "no columns": lambda d, f: f.iloc[:, :0],
    "series": lambda d, f: f.iloc[:, 0],
}


def features(d, odd):
    """Names and features of tasks, and a word for them."""
    kind = d.pick(NAMES) if odd and d.chance(0.6) else d.pick(USUAL_NAMES)
    names = NAMES[kind](d, d.n)
    X = _base(d)
    if names is None or (odd and d.chance(0.2)):
        word = d.pick(FEATURES if odd else USUAL_FEATURES)
        return None, FEATURES[word](d, X), word
    frame = pd.DataFrame(X, columns=[f"f{j}" for j in range(X.shape[1])])
    frame.index = pd.Index(names, tupleize_cols=odd and d.chance(0.5))
    word = d.pick(FRAMES if odd else ["plain"])
    return names, FRAMES[word](d, frame), f"frame ({word}) of names ({kind})"


# -- relations -------------------------------------------------------------------------
def _tree(d):
    edges = [(i, int(d.rng.integers(i)), 1.0) for i in range(1, d.n)]
    order = d.rng.permutation(d.n).tolist()
    return [(order[u], order[v], w) for u, v, w in edges]


def _weighted(d, edges):
    return [(u, v, float(d.rng.uniform(0.05, 1))) for u, v, _ in edges]


CONTENTS = {
    "tree": lambda d, e: e,
    "graded": _weighted,
    "two shades": lambda d, e: [
        (u, v, 0.3 if i % 2 else 1.0) for i, (u, v, _) in enumerate(e)
    ],
    "reversed": lambda d, e: [(v, u, w) for u, v, w in e],
    "cycle": lambda d, e: [*e, *((v, u, w) for u, v, w in e[:1])],
    "self-loops": lambda d, e: [*e, (0, 0, 1.0)],
    "loops only": lambda d, e: [(i, i, 1.0) for i in range(d.n)],
    "negative": lambda d, e: [*e[1:], (*e[0][:2], -0.5)],
    "above one": lambda d, e: [*e[1:], (*e[0][:2], 7.0)],
    "rounding": lambda d, e: [*e[1:], (*e[0][:2], 1 - 1e-16)],
    "infinite": lambda d, e: [*e[1:], (*e[0][:2], np.inf)],
    "NaN": lambda d, e: [*e[1:], (*e[0][:2], np.nan)],
    "all NaN": lambda d, e: [(u, v, np.nan) for u, v, _ in e],
    "unknown task": lambda d, e: [*e, (0, d.n + 3, 1.0)],
    "repeated": lambda d, e: [*e, *e],
    "contradicting": lambda d, e: [*e, *((u, v, 0.25) for u, v, _ in e[:1])],
    "empty": lambda d, e: [],
    "one": lambda d, e: e[:1],
    "all zero": lambda d, e: [(u, v, 0.0) for u, v, _ in e],
    "tiny": lambda d, e: [(u, v, 1e-12) for u, v, _ in e],
    "complete": lambda d, e: [
        (i, j, 1.0) for i in range(d.n) for j in range(d.n) if i != j
    ],
}
USUAL_CONTENTS = ("tree", "graded", "tree")


def _matrix(d, edges, fill=0.0):
    n = max([d.n, *(1 + max(u, v) for u, v, _ in edges)])
    matrix = np.full((n, n), fill)
    for u, v, w in edges:
        matrix[u, v] = w
    return matrix


def _graph(d, edges, ids, kind=nx.DiGraph):
    graph, ids = kind(), _nodes(ids)
    graph.add_nodes_from(ids[: d.n])
    graph.add_weighted_edges_from((ids[u], ids[v], w) for u, v, w in edges)
    return graph


def _ids_of(edges, ids):
    return [(ids[u], ids[v], w) for u, v, w in edges]


def _objects(rows):
    array = np.empty((len(rows), 3), dtype=object)
    for i, row in enumerate(rows):
        for j, value in enumerate(row):
            array[i, j] = value
    return array


def _labelled(d, edges, ids):
    matrix = _matrix(d, edges)
    index = pd.Index(ids[: len(matrix)], tupleize_cols=False)
    return pd.DataFrame(matrix, index, index)


def _parents(d, edges, ids):
    parents = {}
    for u, v, _ in edges:
        parents.setdefault(ids[u], []).append(ids[v])
    if d.chance(0.3):
        return {child: several[0] for child, several in parents.items()}
    return {i: parents.get(i, d.pick([None, [], np.nan])) for i in ids[: d.n]}


def _nodes(ids):
    """Names that networkx takes: None is no node."""
    return ["nobody" if i is None else i for i in ids]


FORMATS = {
    "labelled frame": _labelled,
    "graph": _graph,
    "edge array": lambda d, e, ids: _objects(_ids_of(e, ids)),
    "edge array of pairs": lambda d, e, ids: _objects(_ids_of(e, ids))[:, :2],
    "edge tuples": lambda d, e, ids: _ids_of(e, ids),
    "edge pairs": lambda d, e, ids: [row[:2] for row in _ids_of(e, ids)],
    "edge lists": lambda d, e, ids: [list(row) for row in _ids_of(e, ids)],
    "edge frame": lambda d, e, ids: pd.DataFrame(
        {
            k: pd.Series([r[i] for r in _ids_of(e, ids)], dtype=object)
            for i, k in enumerate("uvw")
        }
    ),
    "mapping": _parents,
    "dense": lambda d, e, ids: _matrix(d, e),
    "dense with NaN": lambda d, e, ids: _matrix(d, e, np.nan),
    "dense float32": lambda d, e, ids: _matrix(d, e).astype(np.float32),
    "csr": lambda d, e, ids: sparse.csr_matrix(_matrix(d, e)),
    "coo": lambda d, e, ids: sparse.coo_array(_matrix(d, e)),
    "csc": lambda d, e, ids: sparse.csc_matrix(_matrix(d, e)),
    "labels": lambda d, e, ids: d.rng.integers(0, 2, d.n),
    "None": lambda d, e, ids: None,
}
ODD_FORMATS = {
    "undirected graph": lambda d, e, ids: _graph(d, e, ids, nx.Graph),
    "multigraph": lambda d, e, ids: _graph(d, e, ids, nx.MultiDiGraph),
    "weights as text": lambda d, e, ids: nx.DiGraph(
        (u, v, {"weight": d.pick(["1", "heavy", None, [1], {}])})
        for u, v, _ in _ids_of(e, _nodes(ids))
    ),
    "views": lambda d, e, ids: _graph(d, e, ids).edges(data="weight"),
    "set": lambda d, e, ids: set(_ids_of(e, ids)),
    "generator": lambda d, e, ids: _ids_of(e, ids).__iter__(),
    "adjacency": lambda d, e, ids: nx.to_dict_of_dicts(_graph(d, e, ids)),
    "cut matrix": lambda d, e, ids: _matrix(d, e)[:-1],
    "dense of objects": lambda d, e, ids: _matrix(d, e).astype(object),
    "dense of booleans": lambda d, e, ids: _matrix(d, e) > 0,
    "dense of integers": lambda d, e, ids: np.nan_to_num(_matrix(d, e)).astype(int),
    "dense of complex": lambda d, e, ids: _matrix(d, e) * (1 + d.pick([0, 1j])),
    "dense of text": lambda d, e, ids: _matrix(d, e).astype(str),
    "dense, read-only": lambda d, e, ids: _read_only(_matrix(d, e)),
    "dense, Fortran": lambda d, e, ids: np.asfortranarray(_matrix(d, e)),
    "masked": lambda d, e, ids: np.ma.masked_equal(_matrix(d, e), 0.3),
    "lists of rows": lambda d, e, ids: _matrix(d, e).tolist(),
    "sparse of integers": lambda d, e, ids: sparse.csr_matrix(_matrix(d, e) > 0, dtype=int),
    "repeated entries": lambda d, e, ids: sparse.coo_matrix(
        ([0.5, 0.5], ([0, 0], [1, 1])), (d.n, d.n)
    ),
    "frame without names": lambda d, e, ids: pd.DataFrame(_matrix(d, e)),
    "cut frame": lambda d, e, ids: _labelled(d, e, ids).iloc[: d.n - 1],
    "shuffled frame": lambda d, e, ids: _labelled(d, e, ids).iloc[::-1],
    "frame of other columns": lambda d, e, ids: _labelled(d, e, ids).iloc[:, ::-1],
    "nullable frame": lambda d, e, ids: _labelled(d, e, ids).convert_dtypes(),
    "text labels": lambda d, e, ids: d.pick([list, np.array, pd.Series])(["a", "b"] * d.n)[
        : d.n
    ],
    "float labels": lambda d, e, ids: d.rng.normal(size=d.n),
    "labels with NaN": lambda d, e, ids: np.append(np.zeros(d.n - 1), np.nan),
    "one label": lambda d, e, ids: np.zeros(d.n, dtype=int),
    "labels each": lambda d, e, ids: np.arange(d.n),
    "few labels": lambda d, e, ids: [0, 1][: d.n],
    "parents as series": lambda d, e, ids: pd.Series(
        [ids[0]] * d.n, index=pd.Index(ids[: d.n], tupleize_cols=False)
    ),
    "column of labels": lambda d, e, ids: np.zeros((d.n, 1), dtype=int),
    "boolean labels": lambda d, e, ids: d.rng.uniform(size=d.n) > 0.5,
    "dates": lambda d, e, ids: np.array(["2020-01-01"] * d.n, dtype="datetime64[D]"),
    "complex labels": lambda d, e, ids: np.arange(d.n) * 1j,
    "three dimensions": lambda d, e, ids: np.zeros((2, d.n, d.n)),
    "four columns": lambda d, e, ids: [(*row, 1) for row in _ids_of(e, ids)],
    "ragged": lambda d, e, ids: [row[: 2 + i % 2] for i, row in enumerate(_ids_of(e, ids))],
    "scalar": lambda d, e, ids: d.pick(
        [0, 1.5, "text", b"bytes", True, object(), (), [], {}]
    ),
    "nested": lambda d, e, ids: d.pick(
        [[[[1]]], [None], [()], [{}], {1: {2: 3}}, [[1, 2], 3]]
    ),
}


def relations(d, names, odd, known=0):
    """Relations of tasks after ``known`` others, arguments of TaskRelations, and a word.

    The arguments are None where the relations are given as they are.
    """
    content = d.pick(CONTENTS if odd else USUAL_CONTENTS)
    edges = CONTENTS[content](d, _tree(d))
    ids = list(range(known, known + d.n)) if names is None else list(names)
    ids += [f"unknown {i}" for i in range(5)] if d.chance(0.5) else list(range(900, 905))
    if odd and d.chance(0.25):  # other types of the same names
        other = d.pick(
            [str, lambda i: np.int64(i) if isinstance(i, int) else i, lambda i: (i,)]
        )
        ids = [other(i) for i in ids]
    form = d.pick({**FORMATS, **ODD_FORMATS} if odd else FORMATS)
    y = {**FORMATS, **ODD_FORMATS}[form](d, edges, ids)
    word = f"{form} ({content})"
    word = f"{form} ({content})"
    options = None
    if form not in ("labels", "None") and d.chance(0.25):
        options = d.settings(
            direction=["container_to_member", "member_to_container"],
            unobserved=["unknown", "negative"],
            transitive=[True, False, "auto"],
        )
        options["tasks"] = d.pick([None, names, names if names is None else names[::-1]])
        word = f"TaskRelations of {word}, {options}"
    return y, options, word


# -- models ----------------------------------------------------------------------------
def _embedder(d, **fixed):
    settings = d.settings(
        box_dim=[1, 2, 3, 7],
        encoder=["linear", "mlp", "table"],
        normalization=["layer", None],
        side=["exp", "sigmoid"],
        teacher=["auto", PopularityModel(), SimilarityModel()],
        augmentation=[0.0, 1.0],
        temperature=[1e-3, 0.3, 5.0],
        objective=[
            "squared_error",
            Objective(volume_weight=0.1, distance_weight=0.1, squareness_weight=0.1),
            Objective("squared_error", exponent=0.5, soft_weight=2.0, escape_weight=0.0),
        ],
        init=["layout", "random", "random"],
        batch_size=[None, 1, 7],
        n_negatives=[1, 50],
        negatives=["degree", "hard"],
        learning_rate=[1e-6, 1.0, 1e6],
        learning_rate_schedule=["cosine", "constant"],
        max_gradient_norm=[None, 1e-3],
        early_stopping=[True],
        warm_start=[True],
    )
    sizes = d.pick([(6,), (4, 4), 5])
    epochs = {
        "max_epochs": d.pick([1, 2, 5]),
        "hidden_layer_sizes": sizes,
        "random_state": 0,
        "teacher": None,  # the one by default takes most of the time
    }
    return BoxRelationEmbedder(**(epochs | settings | fixed))


def _kernel_ridge(d):
    return KernelRidgeModel(
        **d.settings(
            kernel=["linear", "rbf"],
            gamma=[1e-9, 1e9],
            ridge=[1e-12, 1e12],
            standardize=[True, False],
            n_components=[1],
        )
    )


def _pair_classifier(d):
    settings = d.settings(n_similarities=[0, 3], max_pairs=[2, 20], n_components=[1, 3])
    sizes = {"hidden_layer_sizes": (6,), "max_iter": 2, "random_state": 0}
    return PairClassifier(
        d.pick(["mlp", "linear", "boosted_trees"], [4, 4, 1]), **sizes, **settings
    )


def _geometry(d):
    kinds = ["order", "gaussian", "poincare", "cone", "bilinear"]
    settings = {"n_components": d.pick([1, 3]), "hidden_layer_sizes": (6,), "max_epochs": 2}
    return GeometryModel(d.pick(kinds), **settings, random_state=0)


def _similarity(d):
    kinds = ["gaussian_kl", "asymmetric_cosine", "euclidean", "task2vec"]
    return SimilarityModel(
        d.pick(kinds), **d.settings(variances=[True, "auto"], alpha=[0.0, 1.0])
    )


def _neighbors(d):
    return NeighborsModel(
        **d.settings(n_neighbors=[1, 50], power=[0.0, 9.0], shrinkage=[0.0, 9.0])
    )


def _ensemble(d):
    members = [
        ("closure", ClosureModel()),
        ("nearest", _neighbors(d)),
        ("kernel", _kernel_ridge(d)),
    ]
    return RelationEnsemble(members, random_state=0, **d.settings(cv=[2]))


def _distilled(d):
    student = _embedder(d, max_epochs=1, warm_start=False)
    return DistilledBoxEmbedder(
        student, d.pick([PopularityModel(), _neighbors(d)]), random_state=0
    )


MODELS = {
    "boxes": (_embedder, 6),
    "kernel ridge": (_kernel_ridge, 3),
    "neighbors": (_neighbors, 6),
    "similarity": (_similarity, 4),
    "graph": (lambda d: d.pick([PopularityModel, ClosureModel, AdditiveModel])(), 4),
    "random": (lambda d: RandomModel(random_state=0), 1),
    "pairs": (_pair_classifier, 1.5),
    "geometry": (_geometry, 1.5),
    "ensemble": (_ensemble, 0.3),
    "distilled": (_distilled, 0.3),
}


def model(d):
    """An estimator, not fitted."""
    makers, weights = zip(*MODELS.values(), strict=True)
    return d.pick(makers, weights)(d)


def link_classifier(d):
    """A classifier of pairs, not fitted."""
    return TaskLinkClassifier(
        d.pick([_kernel_ridge, _neighbors, _embedder])(d),
        **d.settings(transitive=[True, False], pos_label=[0, 1, "a"]),
    )
