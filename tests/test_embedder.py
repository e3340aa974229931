"""BoxRelationEmbedder: what it learns, what it says of relations, what it refuses."""

import signal
import warnings

import joblib
import networkx as nx
import numpy as np
import pandas as pd
import pytest
import torch
from conftest import make_taxonomy
from scipy import sparse
from sklearn.base import clone
from skorch import NeuralNet
from skorch.callbacks import Callback

from sklearn_task2box import (
    PAPER_SETTINGS,
    BoxRelationEmbedder,
    TaskPairs,
    TaskRelations,
)
from sklearn_task2box.boxes._geometry import overlap
from sklearn_task2box.datasets import load_digits_tasks
from sklearn_task2box.metrics import make_relation_scorer, reconstruction, relation_score
from sklearn_task2box.models import ClosureBaseline, PopularityBaseline

QUICK = {
    "max_epochs": 60,
    "hidden_layer_sizes": (32,),
    "n_teachers": 0,
    "random_state": 0,
}


def quick(**options):
    return BoxRelationEmbedder(**{**QUICK, **options})


@pytest.fixture(scope="module")
def fitted(named_taxonomy):
    return quick(box_dim=2, max_epochs=200).fit(*named_taxonomy)


# -- what is learned -------------------------------------------------------------------
@pytest.mark.parametrize("seed", [0, 1])
def test_unseen_relations_are_predicted_better_than_by_the_baselines(seed):
    X, strengths = load_digits_tasks(return_X_y=True)
    rng = np.random.RandomState(seed)
    hidden = rng.uniform(size=strengths.shape) < 0.2
    np.fill_diagonal(hidden, False)
    seen = np.where(hidden, np.nan, strengths)
    pairs = TaskPairs(X, np.argwhere(hidden))

    def score(model):
        predicted = model.fit(X, seen).predict_proba(pairs)[:, 1]
        return relation_score(strengths[hidden], predicted)

    boxes = score(BoxRelationEmbedder(max_epochs=300, random_state=seed))
    assert boxes > score(PopularityBaseline()) + 0.05
    assert boxes > score(ClosureBaseline())


def test_novel_tasks_are_placed_better_than_by_popularity():
    bunch = load_digits_tasks(as_frame=True)
    X, strengths = bunch.data, bunch.relations
    train, test = np.arange(90), np.arange(90, 120)
    seen = strengths.iloc[train, train]
    truth = strengths.iloc[test, train].to_numpy()

    def score(model):
        model.fit(X.iloc[train], seen)
        return relation_score(truth.ravel(), model.predict_proba(X.iloc[test]).ravel())

    boxes = score(BoxRelationEmbedder(max_epochs=150, random_state=0))
    assert boxes > score(PopularityBaseline()) + 0.1


def test_a_table_reproduces_a_graph_without_features(taxonomy):
    _, graph = taxonomy
    n = len(graph)
    matrix = nx.to_numpy_array(graph, nodelist=range(n))
    X = sparse.identity(n, format="csr")
    model = BoxRelationEmbedder(
        encoder="table", max_epochs=300, learning_rate=0.05, random_state=0
    ).fit(X, graph)
    assert model.score(X, graph) > 0.95
    off = ~np.eye(n, dtype=bool)
    assert (model.predict(X) == (matrix > 0))[off].mean() > 0.98
    np.testing.assert_array_equal(model.transform(np.eye(n)), model.boxes_)


def test_mammals_beat_the_baselines(shared_data):
    data = np.load(shared_data / "mammals150_split.npz")
    seen = np.where(data["mask"] == 0, data["D"], np.nan)
    pairs, labels = TaskPairs(data["X"], data["test_pairs"]), data["test_labels"]

    def score(model):
        return relation_score(labels, model.fit(data["X"], seen).predict_proba(pairs)[:, 1])

    boxes = np.mean([score(BoxRelationEmbedder(random_state=seed)) for seed in (0, 1)])
    assert boxes > score(ClosureBaseline())
    assert boxes > score(PopularityBaseline())


@pytest.mark.parametrize("batch_size", [None, 300])
def test_whole_and_sampled_batches_learn(taxonomy, batch_size):
    X, graph = taxonomy
    model = quick(batch_size=batch_size, max_epochs=150).fit(X, graph)
    assert model.score(X, graph) > 0.8


@pytest.mark.parametrize(
    "options",
    [
        {"side": "exp"},
        {"side": "sigmoid", "anchor": "lower"},
        {"objective": "squared_error", "max_epochs": 300},
        {"normalization": "batch"},
        {"normalization": "layer", "dropout": 0.1},
        {"learning_rate_schedule": "cosine"},
        {"learning_rate_schedule": "constant", "weight_decay": 0.1},
        {"volume_weight": 1e-3, "distance_weight": 1e-3, "squareness_weight": 1e-3},
        {"box_dim": 20},
        {"box_dim": 1, "max_epochs": 300},
        {"early_stopping": True},
        {"batch_size": 500, "n_negatives": 3},
        {"max_gradient_norm": None},
        {"encoder": "linear"},
    ],
    ids=str,
)
def test_every_setting_learns(taxonomy, options):
    X, graph = taxonomy
    share = nx.density(graph)
    model = quick(**{"max_epochs": 150, **options}).fit(X, graph)
    assert np.isfinite(model.boxes_).all()
    assert model.score(X, graph) > 4 * share


def test_the_settings_of_the_paper_run(taxonomy):
    X, graph = taxonomy
    settings = {**PAPER_SETTINGS, "max_epochs": 80}
    model = BoxRelationEmbedder(box_dim=3, random_state=0, **settings).fit(X, graph)
    sides = model.boxes_[:, 3:] - model.boxes_[:, :3]
    assert (sides <= 1).all()
    assert model.score(X, graph) > 2 * nx.density(graph)


class Shallow(torch.nn.Module):
    """An encoder of a user's own."""

    def __init__(self, n_features, n_outputs):
        super().__init__()
        self.layer = torch.nn.Linear(n_features, n_outputs)

    def forward(self, X):
        return self.layer(torch.tanh(X))


class Absolute(torch.nn.Module):
    """An objective of a user's own."""

    def forward(self, log_overlap, strengths):
        return (log_overlap.exp() - strengths).abs()


def test_modules_of_the_user(taxonomy):
    X, graph = taxonomy
    model = quick(encoder=Shallow, objective=Absolute).fit(X, graph)
    assert isinstance(model.net_.module_.body, Shallow)
    assert model.predict_proba(X).shape == (40, 40)


class Mean(torch.nn.Module):
    """Not a loss of each pair."""

    def forward(self, log_overlap, strengths):
        return (log_overlap.exp() - strengths).abs().mean()


def test_an_objective_has_a_loss_for_each_pair(taxonomy):
    with pytest.raises(ValueError, match=r"objective=Mean.*made the shape \(\)"):
        quick(objective=Mean).fit(*taxonomy)


def test_one_hidden_layer_may_be_a_number(taxonomy):
    a, b = (quick(hidden_layer_sizes=s).fit(*taxonomy) for s in (16, (16,)))
    np.testing.assert_array_equal(a.boxes_, b.boxes_)


def test_rows_may_be_drawn_with_replacement(taxonomy):
    X, graph = taxonomy
    relations = TaskRelations(graph, tasks=range(40))
    drawn = np.random.RandomState(0).randint(40, size=40)
    model = quick(max_epochs=100).fit(X[drawn], relations[drawn])
    assert model.score(X, relations) > 0.2
    assert model.predict_proba(TaskPairs(X, [(0, 1)])).shape == (1, 2)


def test_features_alone_give_a_map():
    X = np.random.RandomState(0).normal(size=(60, 8)) + 8 * np.eye(3)[
        np.arange(60) % 3
    ].repeat([3, 3, 2], axis=1)
    model = quick(box_dim=2, n_neighbors=8, max_epochs=200)
    assert model.fit_transform(X).shape == (60, 4)
    strengths = model.predict_proba(X)
    same = (np.arange(60)[:, None] % 3 == np.arange(60) % 3) & ~np.eye(60, dtype=bool)
    assert strengths[same].mean() > 5 * strengths[~same & ~np.eye(60, dtype=bool)].mean()
    assert model.score(X) > 0.5


# -- reproducibility -------------------------------------------------------------------
@pytest.mark.parametrize(
    "options",
    [{}, {"early_stopping": True}, {"batch_size": 200}, {"dropout": 0.3}],
    ids=str,
)
def test_the_same_seed_gives_the_same_boxes(taxonomy, options):
    a, b = (quick(**options).fit(*taxonomy) for _ in range(2))
    np.testing.assert_array_equal(a.boxes_, b.boxes_)
    assert not np.allclose(
        a.boxes_, quick(**{**options, "random_state": 1}).fit(*taxonomy).boxes_
    )


def test_fits_in_threads_are_those_by_themselves(taxonomy):
    threads, generator = torch.get_num_threads(), torch.get_rng_state()
    models = [quick(dropout=0.3, random_state=seed) for seed in range(6)]
    alone = [clone(model).fit(*taxonomy).boxes_ for model in models]
    with joblib.parallel_config("threading", n_jobs=3):
        together = joblib.Parallel()(joblib.delayed(m.fit)(*taxonomy) for m in models)
    for model, boxes in zip(together, alone, strict=True):
        np.testing.assert_array_equal(model.boxes_, boxes)
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), generator)


def test_the_default_type_of_tensors_does_not_matter(taxonomy):
    boxes = quick(n_teachers=1).fit(*taxonomy).boxes_
    torch.set_default_dtype(torch.float64)
    try:
        np.testing.assert_array_equal(quick(n_teachers=1).fit(*taxonomy).boxes_, boxes)
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)


def test_global_random_state_is_left_alone(taxonomy):
    torch.manual_seed(5)
    np.random.seed(5)
    expected = torch.rand(3), np.random.rand(3)
    torch.manual_seed(5)
    np.random.seed(5)
    quick(random_state=None, dropout=0.2).fit(*taxonomy)
    quick(early_stopping=True, batch_size=100).fit(*taxonomy)
    torch.testing.assert_close(torch.rand(3), expected[0])
    # random_state=None draws from NumPy's global state, as everywhere in scikit-learn.
    np.random.seed(5)
    quick().fit(*taxonomy)
    np.testing.assert_array_equal(np.random.rand(3), expected[1])


def test_reference_boxes():
    """Numbers that change are seen. Made by this test's own call, in float32."""
    X, graph = make_taxonomy(n_tasks=6, n_features=3)
    model = BoxRelationEmbedder(
        box_dim=1,
        hidden_layer_sizes=(4,),
        max_epochs=20,
        n_teachers=0,
        device="cpu",
        random_state=0,
    ).fit(X, graph)
    reference = [
        [-0.396587, -0.066239, -0.565287, -0.716983, -0.220222, -0.107196],
        [0.647069, 0.973525, 0.408827, 0.094784, 0.797823, 0.925205],
    ]
    # Overlaps don't change if all boxes move; where they lie is left to rounding.
    np.testing.assert_allclose(
        model.boxes_.T - model.boxes_.mean(), reference - np.mean(reference), atol=1e-3
    )


# -- relations -------------------------------------------------------------------------
def test_strengths_read_row_inside_column(named_taxonomy, fitted):
    X, graph = named_taxonomy
    strengths = pd.DataFrame(fitted.predict_proba(X), index=X.index, columns=fitted.tasks_)
    child, parent = next(iter(graph.edges))
    assert strengths.loc[child, parent] > strengths.loc[parent, child]
    pair = TaskPairs(X, [(child, parent), (parent, child)])
    proba = fitted.predict_proba(pair)
    np.testing.assert_allclose(
        proba[:, 1], [strengths.loc[child, parent], strengths.loc[parent, child]]
    )
    np.testing.assert_array_equal(fitted.predict(pair), proba[:, 1] >= fitted.threshold_)


@pytest.mark.parametrize("predict_from", ["boxes", "teachers"])
def test_strengths_of_graded_relations_are_roots_of_overlaps(taxonomy, predict_from):
    X, graph = taxonomy
    shares = nx.to_numpy_array(graph, nodelist=range(len(X))) * 0.7
    few = {**QUICK, "n_teachers": 2, "placement_steps": 3, "predict_from": predict_from}
    model = BoxRelationEmbedder(box_dim=4, **few).fit(X, shares)
    assert model.exponent_ == 1 / 4
    assert model.temperature_ == 0.01 * 4**2 / 4

    def overlaps(model):
        ends = [torch.from_numpy(c) for c in np.hsplit(model.boxes_, 2)]
        own, others = ([e[:, None] for e in ends], [e[None] for e in ends])
        return overlap(*own, *others, model.temperature_).numpy()

    if predict_from == "teachers":
        assert [boxes.exponent for boxes in model._teachers.boxes] == [1, 1 / 4]
        return
    np.testing.assert_allclose(
        model.predict_proba(X), overlaps(model) ** model.exponent_, rtol=1e-6
    )
    model.set_params(exponent=0.5).fit(X, shares)
    np.testing.assert_allclose(model.predict_proba(X), overlaps(model) ** 0.5, rtol=1e-6)
    model.set_params(exponent="auto").partial_fit(X[:2] + 1, [(len(X), 0)])
    assert model.exponent_ == 0.5
    model.fit(X, graph)
    assert model.exponent_ == 1
    np.testing.assert_allclose(model.predict_proba(X), overlaps(model), rtol=1e-6)
    model.set_params(warm_start=True).fit(X, shares)
    assert model.exponent_ == 1
    assert BoxRelationEmbedder(box_dim=2, **few).fit(X, shares).exponent_ == 1


def test_roots_of_overlaps_hold_shares_of_sets_better():
    X, shares = load_digits_tasks(return_X_y=True, as_frame=True)

    def brier(model):
        strengths, predicted = model.fit(X, shares).compare(X, shares)
        return np.mean((strengths - predicted) ** 2)

    single = BoxRelationEmbedder(n_teachers=0, random_state=0)
    assert brier(single) < 0.7 * brier(clone(single).set_params(exponent=1))


def test_pairs_of_tasks_never_seen(named_taxonomy, fitted):
    X, _ = named_taxonomy
    moved = pd.DataFrame(X.to_numpy()[:3] + 0.01, index=["x", "y", "z"], columns=X.columns)
    assert fitted.predict_proba(TaskPairs(moved, [("x", "z")])).shape == (1, 2)


def test_supersets_and_subsets(named_taxonomy, fitted):
    X, graph = named_taxonomy
    for method, table in (
        (fitted.supersets, fitted.predict_proba(X)),
        (fitted.subsets, fitted.predict_proba(X).T),
    ):
        indices, strengths = method(X, k=4)
        assert indices.shape == strengths.shape == (40, 4)
        assert (np.diff(strengths) <= 0).all()
        np.testing.assert_allclose(strengths, np.sort(table, axis=1)[:, ::-1][:, :4])
        indices, strengths = method(k=39)
        assert (indices != np.arange(40)[:, None]).all()
    root = next(node for node in graph if graph.out_degree(node) == 0)
    _, best = fitted.supersets(X.loc[[root]], k=1)
    assert best[0, 0] == pytest.approx(1)  # the task itself
    for k in (0, 41, 2.0, True, "5"):
        with pytest.raises(ValueError, match="k must be a whole number from 1 to 40"):
            fitted.supersets(X, k=k)
    with pytest.raises(ValueError, match="from 1 to 39.*but for the task itself"):
        fitted.subsets(k=40)


def test_of_equally_strong_supersets_the_smallest_comes_first(fitted):
    fitted = quick(box_dim=1, max_epochs=1).fit(np.eye(3), [(0, 1)])
    fitted.boxes_ = np.array([[0.0, 10.0], [2.0, 3.0], [-5.0, 20.0]])
    indices, strengths = fitted.supersets(k=2)
    assert indices[1].tolist() == [0, 2]
    assert strengths[1].tolist() == [1, 1]
    indices, _ = fitted.subsets(k=2)
    assert indices[2].tolist() == [0, 1]


def test_graph_of_predicted_relations(named_taxonomy, fitted):
    X, truth = named_taxonomy
    graph = fitted.to_networkx()
    assert set(graph) == set(truth)
    assert nx.is_directed_acyclic_graph(graph)
    assert all(0 <= w <= 1 for *_, w in graph.edges(data="weight"))
    assert set(nx.transitive_reduction(graph).edges) == set(graph.edges)
    everything = fitted.to_networkx(reduce=False)
    assert set(graph.edges) < set(everything.edges)
    np.testing.assert_array_equal(
        nx.to_numpy_array(everything, nodelist=fitted.tasks_, weight=None) > 0,
        fitted.predict(X) & ~np.eye(40, dtype=bool),
    )
    assert fitted.to_networkx(threshold=1.0).size() <= everything.size()
    part = fitted.to_networkx(X.iloc[:5])
    assert list(part) == X.index[:5].tolist()
    for threshold in (2, -1, "high"):
        with pytest.raises(ValueError, match="threshold must be a number in"):
            fitted.to_networkx(threshold=threshold)


def test_output_for_pandas(named_taxonomy):
    X, graph = named_taxonomy
    model = quick(box_dim=2).set_output(transform="pandas").fit(X, graph)
    frame = model.transform(X)
    assert frame.index.equals(X.index)
    assert frame.columns.tolist() == model.get_feature_names_out().tolist()
    assert frame.columns[0] == "boxrelationembedder0"
    assert model.feature_names_in_.tolist() == X.columns.tolist()
    assert isinstance(model.predict_proba(X), np.ndarray)


# -- training --------------------------------------------------------------------------
def test_history_and_the_net(taxonomy):
    model = quick(early_stopping=True, n_iter_no_change=5, max_epochs=300).fit(*taxonomy)
    assert isinstance(model.net_, NeuralNet)
    assert model.n_iter_ == len(model.history_) < 300
    assert [row["epoch"] for row in model.history_] == list(range(1, model.n_iter_ + 1))
    assert {"train_loss", "valid_score", "dur"} <= model.history_[-1].keys()
    assert model.history_[-1]["train_loss"] < model.history_[0]["train_loss"]
    assert 0 < model.threshold_ < 1


def test_warm_start_goes_on(taxonomy):
    X, graph = taxonomy
    model = quick(warm_start=True, learning_rate_schedule="constant").fit(X, graph)
    before = model.history_[-1]["train_loss"]
    model.fit(X, graph)
    assert model.n_iter_ == 120
    assert model.history_[-1]["epoch"] == 120
    assert model.history_[60]["train_loss"] < 1.5 * before
    boxes = model.boxes_.copy()
    with pytest.raises(
        ValueError, match="goes on from a network from 12 features to .* warm_start=False"
    ):
        model.set_params(box_dim=3).fit(X, graph)
    with pytest.raises(ValueError, match="X has 11 features"):
        model.set_params(box_dim=5).fit(X[:, :11], graph)
    np.testing.assert_array_equal(model.boxes_, boxes)
    assert model.n_features_in_ == 12


def test_progress_is_shown_when_asked(taxonomy, capsys):
    quick(max_epochs=3).fit(*taxonomy)
    assert capsys.readouterr() == ("", "")
    quick(max_epochs=30, verbose=1, early_stopping=True).fit(*taxonomy)
    shown = capsys.readouterr().err
    assert "30/30" in shown
    assert "loss=" in shown
    assert "held-out=" in shown


class Interrupt(Callback):
    """Ctrl-C at some point of some epoch."""

    def __init__(self, epoch, method):
        self.epoch = epoch
        setattr(self, method, self.interrupt)

    def interrupt(self, net, **kwargs):
        if len(net.history) == self.epoch:
            raise KeyboardInterrupt


@pytest.mark.parametrize("method", ["on_batch_begin", "on_grad_computed", "on_batch_end"])
@pytest.mark.parametrize(
    "options", [{}, {"early_stopping": True}, {"normalization": "batch"}], ids=str
)
def test_an_interrupted_fit_keeps_the_last_finished_epoch(taxonomy, method, options):
    X, graph = taxonomy
    options = {"learning_rate_schedule": "constant", **options}
    expected = quick(max_epochs=7, **options).fit(X, graph)
    model = quick(callbacks=[Interrupt(8, method)], **options)
    with pytest.warns(UserWarning, match="interrupted.*last finished epoch"):
        model.fit(X, graph)
    assert model.n_iter_ == 7
    if not options.get("early_stopping"):  # whose scores come less often in longer fits
        np.testing.assert_allclose(model.boxes_, expected.boxes_)
    assert np.isfinite(model.score(X, graph))


@pytest.mark.parametrize("method", ["on_train_begin", "on_epoch_begin", "on_batch_end"])
def test_a_fit_interrupted_at_once_changes_nothing(taxonomy, method):
    X, graph = taxonomy
    model = quick()
    before = vars(model).copy()
    model.set_params(callbacks=[Interrupt(0 if method == "on_train_begin" else 1, method)])
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, graph)
    assert vars(model).keys() == before.keys()
    model.set_params(callbacks=None).fit(X, graph)
    boxes = model.boxes_
    model.set_params(callbacks=[Interrupt(1, "on_batch_end")])
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, graph)
    assert model.boxes_ is boxes


class StopAt(Callback):
    """A callback of the user that ends the fit, as skorch's own do."""

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == 4:
            raise KeyboardInterrupt


def test_callbacks_may_end_a_fit(taxonomy):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = quick(callbacks=[StopAt()]).fit(*taxonomy)
    assert model.n_iter_ == 4


class Notes(Callback):
    """What a callback of the user records of each epoch."""

    def on_epoch_end(self, net, **kwargs):
        net.history.record("half_loss", net.history[-1, "train_loss"] / 2)
        net.history.record("remark", "none")


def test_numbers_of_callbacks_are_kept(taxonomy):
    rows = quick(callbacks=[Notes()]).fit(*taxonomy).history_
    assert set(rows[0]) == {"epoch", "train_loss", "dur", "half_loss"}
    assert all(row["half_loss"] == row["train_loss"] / 2 for row in rows)


class Worker(Callback):
    """Ctrl-C between two epochs, while a callback is at work."""

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == 4:
            self.work()

    def work(self):
        signal.raise_signal(signal.SIGINT)


@pytest.fixture
def interruptible():
    """A run in the background may have been told to ignore Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_an_interruption_between_epochs_is_told(taxonomy, interruptible):
    with pytest.warns(UserWarning, match="interrupted"):
        model = quick(callbacks=[Worker()]).fit(*taxonomy)
    assert model.n_iter_ == 4


def test_bfloat16_learns_as_well(taxonomy):
    models = {
        name: quick(precision=name).fit(*taxonomy) for name in ("float32", "bfloat16")
    }
    scores = {name: model.score(*taxonomy) for name, model in models.items()}
    assert scores["bfloat16"] > scores["float32"] - 0.02
    boxes = {name: model.boxes_ for name, model in models.items()}
    assert np.abs(boxes["bfloat16"] - boxes["float32"]).max() > 1e-4  # it was rounded
    # A model goes on in the precision that it is asked for.
    going_on = models["bfloat16"].set_params(warm_start=True, precision="float32")
    assert not going_on.fit(*taxonomy).net_.module_.body.mixed_precision


def test_stored_nets_name_no_device_but_in_the_module(taxonomy):
    """What skorch does not move to a device that is there must hold no tensor."""
    net = quick(early_stopping=True).fit(*taxonomy).net_
    state = net.__getstate__()
    state.pop("__cuda_dependent_attributes__")

    def tensors(value, seen):
        if id(value) in seen:
            return
        seen.add(id(value))
        if isinstance(value, (torch.Tensor, torch.nn.Module, torch.optim.Optimizer)):
            yield value
        elif isinstance(value, dict):
            for one in value.values():
                yield from tensors(one, seen)
        elif isinstance(value, (list, tuple)):
            for one in value:
                yield from tensors(one, seen)
        elif hasattr(value, "__dict__") and not isinstance(value, type):
            yield from tensors(vars(value), seen)

    assert list(tensors(state, set())) == []


# -- bad input -------------------------------------------------------------------------
NUMERIC = [
    "box_dim",
    "dropout",
    "positive_weight",
    "volume_weight",
    "distance_weight",
    "squareness_weight",
    "n_negatives",
    "learning_rate",
    "weight_decay",
    "max_gradient_norm",
    "validation_fraction",
    "n_iter_no_change",
    "n_neighbors",
]
WRONG = {
    **{name: ["3", -1] for name in NUMERIC},
    "max_epochs": ["3", -1, "many", 1.5],
    "temperature": ["hot", 0],
    "exponent": ["root", 0],
    "batch_size": ["all", 0],
    "n_jobs": ["2", 1.5],
    "hidden_layer_sizes": ["3", 0, (3, "4"), (0,), (2.5,)],
    "encoder": ["mpl", list, 3],
    "normalization": ["group", 1],
    "side": ["square", 1],
    "anchor": ["upper"],
    "objective": ["mse", dict],
    "init": ["best", 0],
    "learning_rate_schedule": ["linear"],
    "n_teachers": [-1, 1.5, "many"],
    "predict_from": ["box", None],
    "placement_steps": [-1, 1.5, "many"],
    "variances": ["yes", 2],
    "separate_twins": ["yes"],
    "early_stopping": ["yes", "auto"],
    "negatives": ["easy"],
    "direction": ["up"],
    "unobserved": ["positive"],
    "transitive": ["yes"],
    "warm_start": ["yes"],
    "callbacks": ["print", 3],
    "device": ["gpu", 0],
    "precision": ["half", 16],
    "verbose": ["loud"],
    "random_state": ["seed"],
}


@pytest.mark.parametrize(
    ("name", "value"), [(n, v) for n, values in WRONG.items() for v in values]
)
def test_wrong_arguments_are_named_in_fit(taxonomy, name, value):
    model = BoxRelationEmbedder(**{**QUICK, name: value})
    before = vars(model).copy()
    with pytest.raises(ValueError, match=rf"\b{name}\b"):
        model.fit(*taxonomy)
    assert vars(model) == before


def test_every_argument_has_a_wrong_value_here():
    assert WRONG.keys() == BoxRelationEmbedder().get_params().keys()


def test_a_missing_cuda_device_is_an_error(taxonomy, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    for device in ("cuda", "cuda:3"):
        with pytest.raises(ValueError, match=rf"device='{device}'.*0 CUDA devices.*'auto'"):
            quick(device=device).fit(*taxonomy)


def test_wrong_features(taxonomy, named_taxonomy):
    X, graph = taxonomy
    spoiled = X.copy()
    spoiled[3, 2] = np.nan
    for wrong, message in [
        (spoiled, "NaN"),
        (np.where(np.isnan(spoiled), np.inf, spoiled), "infinity"),
        (X[:, 0], "Expected 2D array"),
        (X[:1], "minimum of 2"),
        (X[:, :0], "0 feature"),
        (
            X.astype(str).astype(object).tolist()[:2] + [["a"] * 12],
            "could not convert|convert",
        ),
    ]:
        model = quick()
        with pytest.raises(ValueError, match=message):
            model.fit(wrong, graph)
        assert not hasattr(model, "n_features_in_")
    frame, named = named_taxonomy
    model = quick().fit(frame, named)
    with pytest.raises(ValueError, match="order"):
        model.transform(frame.iloc[:, ::-1])
    with pytest.raises(ValueError, match="feature names|features"):
        model.transform(frame.iloc[:, :5])
    with (
        pytest.warns(UserWarning, match="valid feature names"),
        pytest.raises(ValueError, match="12 features"),
    ):
        model.predict_proba(frame.to_numpy()[:, :5])


def test_nothing_to_learn(taxonomy):
    X, _ = taxonomy
    for y in (np.zeros((40, 40)), nx.empty_graph(40, nx.DiGraph), [], np.arange(40)):
        with pytest.raises(ValueError, match="relates none of the 40 tasks|labels|edge"):
            quick().fit(X, y)
    with pytest.raises(ValueError, match="only one"):
        quick(early_stopping=True).fit(X, [(0, 1)])
    with pytest.raises(ValueError, match="None of the .* is related"):
        quick().fit(X, [(0, 1)]).score(X[:3], np.zeros((3, 3)))


def test_a_table_needs_one_hot_rows(taxonomy):
    X, graph = taxonomy
    for wrong in (X, 2 * np.eye(40), sparse.csr_matrix((40, 40))):
        with pytest.raises(ValueError, match="one-hot rows.*row 0"):
            quick(encoder="table").fit(wrong, graph)


def test_sparse_features_and_class_labels(taxonomy):
    X, _ = taxonomy
    labels = np.arange(40) % 4
    model = quick().fit(sparse.csr_matrix(X), labels)
    assert model.predict_proba(X).shape == (40, 40)
    with pytest.raises(ValueError, match="TaskRelations.from_labels"):
        model.predict_proba(sparse.csr_matrix(X))
    model = quick().fit(sparse.csr_matrix(X), TaskRelations.from_labels(labels))
    assert model.predict_proba(sparse.csr_matrix(X)).shape == (40, 40)


def test_cycles_are_refused_where_a_closure_is_asked(taxonomy):
    X, _ = taxonomy
    with pytest.raises(ValueError, match="0 -> 1 -> 0|1 -> 0 -> 1"):
        quick(transitive=True).fit(X, [(0, 1), (1, 0)])


# -- found by breaking it --------------------------------------------------------------
def test_a_short_patience_waits_for_the_first_scores(taxonomy):
    model = quick(early_stopping=True, n_iter_no_change=3, max_epochs=400).fit(*taxonomy)
    assert model.n_iter_ > 3
    assert all(np.isfinite(row["valid_score"]) for row in model.history_)


def test_some_relations_are_always_left_to_learn(taxonomy):
    model = quick(early_stopping=True, validation_fraction=0.99).fit(*taxonomy)
    assert model.history_[0]["train_loss"] > 1e-4


def test_a_fit_that_diverges_is_an_error(taxonomy):
    X, graph = taxonomy
    model = quick(learning_rate=1e30, max_gradient_norm=None)
    with pytest.raises(ValueError, match="did not converge.*max_gradient_norm"):
        model.fit(X, graph)
    assert not hasattr(model, "boxes_")


@pytest.mark.parametrize("scale", [1e200, 1e-200])
def test_the_unit_of_the_features_does_not_matter(taxonomy, scale):
    X, graph = taxonomy
    expected = quick().fit(X, graph).predict_proba(X)
    np.testing.assert_allclose(
        quick().fit(X * scale, graph).predict_proba(X * scale), expected, atol=1e-3
    )


class Narrow(torch.nn.Linear):
    """Three outputs, whatever is asked."""

    def __init__(self, n_features, n_outputs):
        super().__init__(n_features, 3)


def test_an_encoder_of_the_wrong_width_is_an_error(taxonomy):
    with pytest.raises(ValueError, match=r"4 outputs each.*shape \(40, 3\)"):
        quick(encoder=Narrow, box_dim=2).fit(*taxonomy)


def test_tables_leave_their_rows_alone_and_take_every_format():
    hot, zero = (np.ones(7), np.arange(7), np.arange(7)), (0.0, 0, 3)
    data, heads, tails = (np.append(a, b) for a, b in zip(hot, zero, strict=True))
    rows = sparse.csr_matrix((data, (heads, tails)), shape=(7, 7))
    n_stored = rows.nnz
    edges = [(i, 6) for i in range(6)]
    model = quick(encoder="table").fit(rows, edges)
    assert rows.nnz == n_stored
    pairs = TaskPairs(sparse.identity(7), [(0, 6), (6, 0)])
    assert model.predict_proba(pairs).shape == (2, 2)


def test_numbers_of_numpy_and_turned_arrays(taxonomy):
    X, graph = taxonomy
    model = quick(max_epochs=np.int64(5), box_dim=np.int64(2)).fit(X[::-1], graph)
    assert model.predict_proba(X[:, ::-1][:, ::-1][::-1]).shape == (40, 40)


def test_memory_mapped_models_answer(taxonomy, tmp_path):
    X, graph = taxonomy
    joblib.dump(quick().fit(X, graph), tmp_path / "model")
    model = joblib.load(tmp_path / "model", mmap_mode="r")
    model.predict(X)
    model.supersets(k=2)
    assert len(model.to_networkx()) == 40


def test_scorers_refuse_folds_without_relations(taxonomy):
    X, _ = taxonomy
    model = quick().fit(X, [(0, 1)])
    with pytest.raises(ValueError, match="use fewer folds"):
        make_relation_scorer("roc_auc")(model, X[:3], np.zeros((3, 3)))


@pytest.mark.parametrize("box_dim", [1, 2, 5])
def test_a_layout_reproduces_a_tree_without_training(taxonomy, box_dim):
    _, graph = taxonomy
    model = BoxRelationEmbedder(box_dim, encoder="table", init="layout", max_epochs=0)
    model.fit(sparse.identity(40, format="csr"), graph)
    assert reconstruction(model) == (1.0, 1.0)
    assert model.n_iter_ == 0
    assert model.history_ == []
    truth = nx.to_numpy_array(graph, nodelist=range(40)) > 0
    found = model.predict(sparse.identity(40, format="csr"))
    np.fill_diagonal(found, False)
    np.testing.assert_array_equal(found, truth)


@pytest.mark.parametrize(
    "options",
    [
        {"encoder": "mlp"},
        {"encoder": "mlp", "dropout": 0.1, "normalization": "batch"},
        {"encoder": "linear"},
        {"encoder": "table", "side": "sigmoid", "anchor": "lower"},
        {"encoder": "table", "side": "exp"},
    ],
)
def test_every_network_can_start_from_a_layout(taxonomy, options):
    X, graph = taxonomy
    table = options["encoder"] == "table"
    X = sparse.identity(40, format="csr") if table else X
    model = BoxRelationEmbedder(2, init="layout", max_epochs=0, random_state=0, **options)
    model.fit(X, graph)
    started = model.score(X, graph)
    assert started > (0.9 if table else 0.2)
    random = BoxRelationEmbedder(2, max_epochs=1, random_state=0, **options).fit(X, graph)
    assert started > random.score(X, graph)


def test_no_epochs_without_a_layout_are_an_error(taxonomy):
    with pytest.raises(ValueError, match="max_epochs=0 learns nothing.*init='layout'"):
        quick(max_epochs=0).fit(*taxonomy)


def test_mammals_in_two_dimensions(shared_data):
    edges = pd.read_csv(shared_data / "mammal_edges.csv.gz")
    names = pd.unique(edges[["child", "parent"]].to_numpy().ravel())
    relations = TaskRelations(edges[["child", "parent"]], names, transitive=True)
    model = BoxRelationEmbedder(2, encoder="table", init="layout", max_epochs=0)
    model.fit(sparse.identity(len(names), format="csr"), relations)
    assert reconstruction(model) == (1.0, 1.0)


def test_where_features_lie_in_memory_does_not_matter(taxonomy):
    X, graph = taxonomy
    a, b = (quick().fit(form, graph) for form in (X, np.asfortranarray(X)))
    np.testing.assert_array_equal(a.boxes_, b.boxes_)
