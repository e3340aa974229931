"""BoxRelationEmbedder: what it learns and predicts, how it trains, what it refuses."""

import builtins
import pickle
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
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback, Checkpoint, EarlyStopping
from skorch.utils import noop

from sklearn_task2box import (
    PAPER_SETTINGS,
    BoxRelationEmbedder,
    TaskPairs,
    TaskRelations,
)
from sklearn_task2box.boxes import overlap
from sklearn_task2box.datasets import load_digits_tasks
from sklearn_task2box.metrics import (
    make_relation_scorer,
    reconstruction,
    relation_score,
)
from sklearn_task2box.models import ClosureModel, KernelRidgeModel, PopularityModel
from sklearn_task2box.nets import Objective
from sklearn_task2box.nets._encoders import FreeOutputs
from sklearn_task2box.nets._net import HeldOutScore

pytestmark = pytest.mark.usefixtures("few_steps")

# The network alone, without a teacher: see test_soft_targets.
QUICK = {
    "max_epochs": 60,
    "hidden_layer_sizes": (32,),
    "teacher": None,
    "random_state": 0,
}


def quick(**options):
    return BoxRelationEmbedder(**{**QUICK, **options})


@pytest.fixture(scope="module")
def fitted(named_taxonomy):
    """Boxes of two dimensions of named tasks."""
    return quick(box_dim=2, max_epochs=200).fit(*named_taxonomy)


@pytest.fixture(scope="module")
def plain(taxonomy):
    """Boxes of unnamed tasks, for tests that leave them as they are."""
    return quick().fit(*taxonomy)


# -- what is learned -------------------------------------------------------------------
@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_unseen_relations_are_predicted_better_than_by_models_of_the_graph(seed):
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
    assert boxes > score(PopularityModel()) + 0.05
    assert boxes > score(ClosureModel())


@pytest.mark.slow
def test_novel_tasks_are_predicted_better_than_by_popularity():
    bunch = load_digits_tasks(as_frame=True)
    X, strengths = bunch.data, bunch.relations
    train, test = np.arange(90), np.arange(90, 120)
    seen = strengths.iloc[train, train]
    truth = strengths.iloc[test, train].to_numpy()

    def score(model):
        model.fit(X.iloc[train], seen)
        return relation_score(truth.ravel(), model.predict_proba(X.iloc[test]).ravel())

    boxes = score(BoxRelationEmbedder(max_epochs=150, random_state=0))
    assert boxes > score(PopularityModel()) + 0.1


@pytest.mark.slow
def test_mammals_are_predicted_better_than_by_popularity(shared_data):
    data = np.load(shared_data / "mammals150_split.npz")
    seen = np.where(data["mask"] == 0, data["D"], np.nan)
    pairs, labels = TaskPairs(data["X"], data["test_pairs"]), data["test_labels"]

    def score(model):
        return relation_score(labels, model.fit(data["X"], seen).predict_proba(pairs)[:, 1])

    boxes = np.mean([score(BoxRelationEmbedder(random_state=seed)) for seed in (0, 1)])
    assert boxes > score(PopularityModel())


@pytest.mark.slow
def test_roots_of_overlaps_hold_shares_of_sets_better():
    X, shares = load_digits_tasks(return_X_y=True, as_frame=True)

    def brier(objective):
        model = BoxRelationEmbedder(objective=objective, random_state=0)
        strengths, predicted = model.fit(X, shares).compare(X, shares)
        return np.mean((strengths - predicted) ** 2)

    assert brier(Objective()) < 0.7 * brier(Objective(exponent=1.0))


def test_a_table_reproduces_a_graph_without_features(taxonomy):
    _, graph = taxonomy
    n = len(graph)
    matrix = nx.to_numpy_array(graph, nodelist=range(n))
    X = sparse.identity(n, format="csr")
    model = quick(encoder="table", max_epochs=200, learning_rate=0.05).fit(X, graph)
    assert model.score(X, graph) > 0.95
    off = ~np.eye(n, dtype=bool)
    assert (model.predict(X) == (matrix > 0))[off].mean() > 0.98
    np.testing.assert_array_equal(model.transform(np.eye(n)), model.boxes_)


@pytest.mark.parametrize(
    "options",
    [
        {"side": "exp"},
        {"side": "sigmoid"},
        pytest.param(
            {"objective": "squared_error", "max_epochs": 300}, marks=pytest.mark.slow
        ),
        {"objective": Objective(volume_weight=1e-3, distance_weight=1e-3)},
        {"objective": Objective(squareness_weight=1e-3, positive_weight=1.0)},
        {"normalization": None},
        {"normalization": "layer"},
        {"learning_rate_schedule": "cosine"},
        {"learning_rate_schedule": "constant"},
        {"box_dim": 20},
        pytest.param({"box_dim": 1, "max_epochs": 300}, marks=pytest.mark.slow),
        {"early_stopping": True},
        {"batch_size": 500, "n_negatives": 3},
        {"max_gradient_norm": None},
        {"encoder": "linear"},
    ],
    ids=str,
)
def test_every_setting_learns(taxonomy, options):
    X, graph = taxonomy
    model = quick(**{"max_epochs": 60, **options}).fit(X, graph)
    assert np.isfinite(model.boxes_).all()
    assert model.score(X, graph) > 4 * nx.density(graph)


@pytest.mark.slow
def test_sampled_batches_learn_as_well_as_whole_ones(taxonomy):
    scores = [
        quick(batch_size=batch_size, max_epochs=150).fit(*taxonomy).score(*taxonomy)
        for batch_size in (None, 300)
    ]
    assert min(scores) > 0.8


def test_the_settings_of_the_paper_learn(taxonomy):
    X, graph = taxonomy
    settings = {**PAPER_SETTINGS, "max_epochs": 80}
    model = BoxRelationEmbedder(box_dim=3, random_state=0, **settings).fit(X, graph)
    sides = model.boxes_[:, 3:] - model.boxes_[:, :3]
    assert (sides <= 1).all()
    assert model.score(X, graph) > 2 * nx.density(graph)
    assert model.exponent_ == 1


class Shallow(torch.nn.Module):
    """An encoder of a user's own."""

    def __init__(self, n_features, n_outputs):
        super().__init__()
        self.layer = torch.nn.Linear(n_features, n_outputs)

    def forward(self, X):
        return self.layer(torch.tanh(X))


class Absolute(torch.nn.Module):
    """A pair loss of a user's own."""

    def forward(self, log_overlap, strengths):
        return (log_overlap.exp() - strengths).abs()


@pytest.mark.parametrize("objective", [Absolute, Objective(Absolute)], ids=str)
def test_modules_of_the_user_are_trained(taxonomy, objective):
    X, graph = taxonomy
    model = quick(encoder=Shallow, objective=objective).fit(X, graph)
    assert isinstance(model.encoder_.body, Shallow)
    assert model.history_[-1]["train_loss"] < model.history_[0]["train_loss"]


def test_an_objective_is_a_nested_parameter(taxonomy):
    model = quick(objective=Objective(positive_weight=1.0))
    assert model.get_params()["objective__positive_weight"] == 1.0
    copied = clone(model).set_params(objective__positive_weight=9.0)
    assert model.objective.positive_weight == 1.0
    boxes = [one.fit(*taxonomy).boxes_ for one in (model, copied)]
    assert not np.allclose(*boxes)


class Mean(torch.nn.Module):
    """Not a loss of each pair."""

    def forward(self, log_overlap, strengths):
        return (log_overlap.exp() - strengths).abs().mean()


def test_an_objective_has_a_loss_for_each_pair(taxonomy):
    with pytest.raises(ValueError, match=r"objective=Mean.*made the shape \(\)"):
        quick(objective=Mean).fit(*taxonomy)


def test_one_hidden_layer_may_be_a_number(taxonomy):
    a, b = (quick(hidden_layer_sizes=s, max_epochs=5).fit(*taxonomy) for s in (16, (16,)))
    np.testing.assert_array_equal(a.boxes_, b.boxes_)


def test_rows_may_be_drawn_with_replacement(taxonomy):
    X, graph = taxonomy
    relations = TaskRelations(graph, tasks=range(40))
    drawn = np.random.RandomState(0).randint(40, size=40)
    model = quick(max_epochs=100).fit(X[drawn], relations[drawn])
    assert model.score(X, relations) > 0.2
    assert model.predict_proba(TaskPairs(X, [(0, 1)])).shape == (1, 2)


def test_features_alone_give_a_map():
    group = np.arange(60) % 3
    centers = 8 * np.eye(3)[group].repeat([3, 3, 2], axis=1)
    X = np.random.RandomState(0).normal(size=(60, 8)) + centers
    model = quick(box_dim=2, max_epochs=200)
    assert model.fit_transform(X).shape == (60, 4)
    strengths = model.predict_proba(X)
    off = ~np.eye(60, dtype=bool)
    same = (group[:, None] == group) & off
    assert strengths[same].mean() > 5 * strengths[~same & off].mean()
    assert model.score(X) > 0.5


# -- reproducibility -------------------------------------------------------------------
@pytest.mark.parametrize(
    "options",
    [{}, {"early_stopping": True}, {"batch_size": 200}],
    ids=str,
)
def test_the_same_seed_gives_the_same_boxes(taxonomy, options):
    a, b, other = (
        quick(max_epochs=8, **options, **seed).fit(*taxonomy).boxes_
        for seed in ({}, {}, {"random_state": 1})
    )
    np.testing.assert_array_equal(a, b)
    assert not np.allclose(a, other)


def test_fits_in_threads_are_those_by_themselves(taxonomy):
    threads, generator = torch.get_num_threads(), torch.get_rng_state()
    models = [quick(max_epochs=8, random_state=seed) for seed in range(6)]
    alone = [clone(model).fit(*taxonomy).boxes_ for model in models]
    with joblib.parallel_config("threading", n_jobs=3):
        together = joblib.Parallel()(joblib.delayed(m.fit)(*taxonomy) for m in models)
    for model, boxes in zip(together, alone, strict=True):
        np.testing.assert_array_equal(model.boxes_, boxes)
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), generator)


def test_the_default_type_of_tensors_does_not_matter(taxonomy, plain):
    torch.set_default_dtype(torch.float64)
    try:
        np.testing.assert_array_equal(quick().fit(*taxonomy).boxes_, plain.boxes_)
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)


def test_global_random_state_is_left_alone(taxonomy):
    torch.manual_seed(5)
    np.random.seed(5)
    expected = torch.rand(3), np.random.rand(3)
    torch.manual_seed(5)
    np.random.seed(5)
    quick(random_state=None, max_epochs=5).fit(*taxonomy)
    quick(early_stopping=True, batch_size=100, max_epochs=5).fit(*taxonomy)
    torch.testing.assert_close(torch.rand(3), expected[0])
    # random_state=None draws from NumPy's global state, as everywhere in scikit-learn.
    np.random.seed(5)
    quick(max_epochs=5).fit(*taxonomy)
    np.testing.assert_array_equal(np.random.rand(3), expected[1])


def test_a_small_fit_gives_reference_boxes():
    """Numbers that change are seen. Made by this test's own call, in float32."""
    X, graph = make_taxonomy(n_tasks=6, n_features=3)
    model = BoxRelationEmbedder(
        box_dim=1,
        hidden_layer_sizes=(4,),
        normalization=None,
        teacher=None,
        max_epochs=20,
        device="cpu",
        random_state=0,
    ).fit(X, graph)
    reference = [
        [-0.373619, 0.060575, -0.555439, -0.722283, -0.102327, 0.019622],
        [0.60575, 1.015233, 0.36533, 0.043689, 0.841868, 0.969622],
    ]
    # Overlaps don't change if all boxes move; where they lie is left to rounding.
    np.testing.assert_allclose(
        model.boxes_.T - model.boxes_.mean(), reference - np.mean(reference), atol=1e-3
    )


@pytest.mark.parametrize("threads", [1, 2])
def test_small_fits_use_one_thread(taxonomy, threads):
    """More wait for one another, and for whatever else the machine does."""
    before, seen = torch.get_num_threads(), set()

    class Threads(Callback):
        def on_epoch_begin(self, net, **kwargs):
            seen.add(torch.get_num_threads())

    torch.set_num_threads(threads)
    try:
        quick(max_epochs=2, callbacks=[Threads()]).fit(*taxonomy)
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert seen == {1}


def test_where_features_lie_in_memory_does_not_matter(taxonomy, plain):
    X, graph = taxonomy
    model = quick().fit(np.asfortranarray(X), graph)
    np.testing.assert_array_equal(model.boxes_, plain.boxes_)


def test_fitted_models_hold_a_network_in_double_precision_on_the_cpu(plain):
    parts = plain.encoder_.state_dict()
    assert {part.device.type for part in parts.values()} == {"cpu"}
    other = [name for name, part in parts.items() if part.dtype != torch.float64]
    assert other == ["body.2.num_batches_tracked"]  # a count of batch normalization
    assert not plain.encoder_.training
    held = {
        name for name, value in vars(plain).items() if "torch" in type(value).__module__
    }
    assert held == set()  # the encoder is a class of this package
    copied = pickle.loads(pickle.dumps(plain))
    np.testing.assert_array_equal(copied.boxes_, plain.boxes_)
    np.testing.assert_array_equal(
        copied.transform(np.eye(40, 12)), plain.transform(np.eye(40, 12))
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


def overlaps_of(model):
    """Overlaps of all boxes, by the public function."""
    ends = [torch.from_numpy(c) for c in np.hsplit(model.boxes_, 2)]
    own, others = ([e[:, None] for e in ends], [e[None] for e in ends])
    return overlap(*own, *others, model.temperature_).numpy()


def test_strengths_of_graded_relations_are_roots_of_overlaps(taxonomy):
    X, graph = taxonomy
    shares = nx.to_numpy_array(graph, nodelist=range(len(X))) * 0.7
    model = quick(box_dim=4, max_epochs=20).fit(X, shares)
    assert model.exponent_ == 1 / 4
    assert model.temperature_ == 0.01 * 4**2 / 4
    np.testing.assert_allclose(
        model.predict_proba(X), overlaps_of(model) ** (1 / 4), rtol=1e-6
    )
    assert quick(box_dim=2, max_epochs=1).fit(X, shares).exponent_ == 1


def test_a_fit_that_continues_keeps_its_exponent(taxonomy):
    X, graph = taxonomy
    shares = nx.to_numpy_array(graph, nodelist=range(len(X))) * 0.7
    model = quick(box_dim=4, max_epochs=5, objective=Objective(exponent=0.5))
    model.fit(X, shares)
    np.testing.assert_allclose(model.predict_proba(X), overlaps_of(model) ** 0.5, rtol=1e-6)
    model.set_params(objective="cross_entropy").partial_fit(X[:2] + 1, [(len(X), 0)])
    assert model.exponent_ == 0.5
    model.fit(X, graph)
    assert model.exponent_ == 1
    np.testing.assert_allclose(model.predict_proba(X), overlaps_of(model), rtol=1e-6)
    model.set_params(warm_start=True).fit(X, shares)
    assert model.exponent_ == 1


def test_pairs_of_new_tasks_have_the_overlaps_of_their_boxes(named_taxonomy, fitted):
    X, _ = named_taxonomy
    moved = pd.DataFrame(X.to_numpy()[:3] + 0.01, index=["x", "y", "z"], columns=X.columns)
    table = fitted.pairwise_strengths(moved)
    predicted = fitted.predict_proba(TaskPairs(moved, [("x", "z"), ("z", "y")]))[:, 1]
    np.testing.assert_allclose(predicted, table[[0, 2], [2, 1]])


def test_of_equally_strong_supersets_the_smallest_box_comes_first():
    model = quick(box_dim=1, max_epochs=1).fit(np.eye(3), [(0, 1)])
    model.boxes_[:] = model._known[:] = [[0.0, 10.0], [2.0, 3.0], [-5.0, 20.0]]
    indices, strengths = model.supersets(k=2)
    assert indices[1].tolist() == [0, 2]
    assert strengths[1].tolist() == [1, 1]
    indices, _ = model.subsets(k=2)
    assert indices[2].tolist() == [0, 1]


def test_features_of_the_boxes_have_names(named_taxonomy, fitted):
    X, _ = named_taxonomy
    assert fitted.get_feature_names_out().tolist() == [
        "lower0",
        "lower1",
        "upper0",
        "upper1",
    ]
    copied = pickle.loads(pickle.dumps(fitted)).set_output(transform="pandas")
    frame = copied.transform(X)
    assert frame.index.equals(X.index)
    assert frame.columns.tolist() == fitted.get_feature_names_out().tolist()
    assert (frame["lower0"] < frame["upper0"]).all()
    assert isinstance(copied.predict_proba(X), np.ndarray)


def test_no_implied_pair_of_a_plain_hierarchy_is_a_negative():
    """The built-in exceptions, given as child -> parent."""
    kinds = {kind for kind in vars(builtins).values() if isinstance(kind, type)}
    kinds = [kind for kind in kinds if issubclass(kind, BaseException)]
    parents = {k.__name__: k.__base__.__name__ for k in kinds if k is not BaseException}
    names = sorted({*parents, *parents.values()})
    X = pd.DataFrame(np.eye(len(names)), names, dtype=float)
    model = quick(encoder="table", max_epochs=300, learning_rate=0.05).fit(X, parents)
    chain = ["OSError", "Exception", "BaseException"]
    pairs = TaskPairs(X, [("BrokenPipeError", name) for name in chain])
    assert model.predict(pairs).all()
    assert model.predict_proba(pairs)[:, 1].min() > 0.9


# -- training --------------------------------------------------------------------------
def test_history_has_a_row_for_each_epoch(taxonomy):
    model = quick(early_stopping=True, n_iter_no_change=5, max_epochs=300).fit(*taxonomy)
    assert model.n_iter_ == len(model.history_) < 300
    assert [row["epoch"] for row in model.history_] == list(range(1, model.n_iter_ + 1))
    assert {"train_loss", "valid_score", "dur"} <= model.history_[-1].keys()
    assert model.history_[-1]["train_loss"] < model.history_[0]["train_loss"]
    assert 0 < model.threshold_ < 1
    assert not model.interrupted_


def test_warm_start_continues(taxonomy):
    X, graph = taxonomy
    model = quick(warm_start=True, learning_rate_schedule="constant").fit(X, graph)
    before = model.history_[-1]["train_loss"]
    model.fit(X, graph)
    assert model.n_iter_ == 120
    assert model.history_[-1]["epoch"] == 120
    assert model.history_[60]["train_loss"] < 1.5 * before
    boxes = model.boxes_.copy()
    with pytest.raises(
        ValueError,
        match="continues with a network from 12 features to .* warm_start=False",
    ):
        model.set_params(box_dim=3).fit(X, graph)
    with pytest.raises(ValueError, match="X has 11 features"):
        model.set_params(box_dim=5).fit(X[:, :11], graph)
    np.testing.assert_array_equal(model.boxes_, boxes)
    assert model.n_features_in_ == 12


def test_progress_is_shown_if_verbose(taxonomy, capsys):
    quick(max_epochs=3).fit(*taxonomy)
    assert capsys.readouterr() == ("", "")
    quick(max_epochs=30, verbose=1, early_stopping=True).fit(*taxonomy)
    out, shown = capsys.readouterr()
    assert "closed" in out
    assert "30/30" in shown
    assert "loss=" in shown
    assert "held-out=" in shown


@pytest.mark.parametrize("callback", [EarlyStopping(), Checkpoint(dirname="none")])
def test_callbacks_that_monitor_what_is_not_recorded_name_what_is(
    callback, taxonomy, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="'train_loss' or, with early_stopping=True"):
        quick(max_epochs=2, callbacks=[callback]).fit(*taxonomy)
    watching = EarlyStopping(monitor="train_loss", sink=noop)
    quick(max_epochs=2, callbacks=[watching]).fit(*taxonomy)


class Interrupt(Callback):
    """Ctrl-C at some point of some epoch."""

    def __init__(self, epoch, method):
        self.epoch = epoch
        setattr(self, method, self.interrupt)

    def interrupt(self, net, **kwargs):
        if len(net.history) == self.epoch:
            signal.raise_signal(signal.SIGINT)


@pytest.fixture
def interruptible():
    """A run in the background may ignore Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("method", ["on_batch_begin", "on_grad_computed", "on_batch_end"])
@pytest.mark.parametrize(
    "options", [{}, {"early_stopping": True}, {"normalization": None}], ids=str
)
def test_an_interrupted_fit_keeps_the_last_finished_epoch(
    taxonomy, method, options, interruptible
):
    X, graph = taxonomy
    options = {"learning_rate_schedule": "constant", **options}
    expected = quick(max_epochs=7, **options).fit(X, graph)
    model = quick(callbacks=[Interrupt(8, method)], **options)
    with pytest.warns(UserWarning, match="interrupted.*last finished epoch"):
        model.fit(X, graph)
    assert model.interrupted_
    assert model.n_iter_ == 7
    if not options.get("early_stopping"):  # whose scores come less often in longer fits
        np.testing.assert_allclose(model.boxes_, expected.boxes_)
    assert np.isfinite(model.score(X, graph))


@pytest.mark.parametrize("method", ["on_train_begin", "on_epoch_begin", "on_batch_end"])
def test_a_fit_interrupted_at_once_changes_nothing(taxonomy, method, interruptible):
    X, graph = taxonomy
    model = quick(max_epochs=10)
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


class InterruptFree(Interrupt):
    """Ctrl-C while boxes are free."""

    def interrupt(self, net, **kwargs):
        if isinstance(net.module_.body, FreeOutputs):
            super().interrupt(net)


@pytest.mark.parametrize("epoch", [1, 3])
def test_free_boxes_that_are_interrupted_keep_the_last_finished_epoch(
    taxonomy, epoch, interruptible
):
    X, graph = taxonomy
    callback = InterruptFree(epoch, "on_batch_end")
    model = quick(max_epochs=20, callbacks=[callback], teacher="auto")
    with pytest.warns(UserWarning, match="interrupted.*last finished epoch"):
        model.fit(X, graph)
    assert model.interrupted_
    assert model.n_iter_ == 5 + epoch - 1
    with torch.no_grad():
        by_network = torch.cat(model.encoder_(torch.from_numpy(X)), dim=1).numpy()
    assert np.allclose(model.boxes_, by_network) == (epoch == 1)


def test_weight_decay_holds_free_boxes_near_their_places(taxonomy, monkeypatch):
    X, graph = taxonomy
    moves = []
    for decay in (0.0, 1.0):
        monkeypatch.setattr("sklearn_task2box.nets._net._FREE_DECAY", decay)
        model = quick(max_epochs=60, teacher="auto").fit(X, graph)
        with torch.no_grad():
            by_network = torch.cat(model.encoder_(torch.from_numpy(X)), dim=1).numpy()
        moves.append(abs(model.boxes_ - by_network).mean())
    assert 0 < moves[1] < 0.5 * moves[0]


def test_free_boxes_leave_the_places_that_the_network_has_for_them(taxonomy):
    X, graph = taxonomy
    fits = [
        quick(max_epochs=60, free_share=share, teacher="auto").fit(X, graph)
        for share in (0.0, 0.75)
    ]
    for model, free in zip(fits, (False, True), strict=True):
        with torch.no_grad():
            by_network = torch.cat(model.encoder_(torch.from_numpy(X)), dim=1).numpy()
        assert np.allclose(model.boxes_, by_network) == (not free)
        np.testing.assert_array_equal(model.transform(X), model.boxes_)
        assert model.n_iter_ == 60
    assert fits[1].history_[-1]["train_loss"] < fits[0].history_[-1]["train_loss"]
    alone = quick(max_epochs=20, teacher=None).fit(X, graph)
    with torch.no_grad():
        by_network = torch.cat(alone.encoder_(torch.from_numpy(X)), dim=1).numpy()
    np.testing.assert_allclose(alone.boxes_, by_network)


def test_an_interruption_between_epochs_is_warned_of(taxonomy, interruptible, monkeypatch):
    epochs, score = [], HeldOutScore.on_epoch_end

    def interrupt(self, net, **kwargs):
        epochs.append(len(net.history))
        if len(epochs) == 4:
            signal.raise_signal(signal.SIGINT)
        score(self, net, **kwargs)

    monkeypatch.setattr(HeldOutScore, "on_epoch_end", interrupt)
    with pytest.warns(UserWarning, match="interrupted"):
        model = quick(early_stopping=True).fit(*taxonomy)
    assert model.interrupted_
    assert model.n_iter_ == 4


class StopAt(Callback):
    """A callback of the user that ends the fit, as skorch's own do."""

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == 4:
            raise KeyboardInterrupt


def test_callbacks_may_end_a_fit(taxonomy):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = quick(callbacks=[StopAt()]).fit(*taxonomy)
    assert model.n_iter_ == 4
    assert not model.interrupted_


class Notes(Callback):
    """What a callback of the user records of each epoch."""

    def on_epoch_end(self, net, **kwargs):
        net.history.record("half_loss", net.history[-1, "train_loss"] / 2)
        net.history.record("remark", "none")


def test_numbers_of_callbacks_are_kept(taxonomy):
    rows = quick(callbacks=[Notes()], max_epochs=5).fit(*taxonomy).history_
    assert set(rows[0]) == {"epoch", "train_loss", "dur", "half_loss"}
    assert all(row["half_loss"] == row["train_loss"] / 2 for row in rows)


def test_bfloat16_learns_as_well(taxonomy, plain, monkeypatch):
    monkeypatch.setattr("sklearn_task2box.embedder.is_mixed", lambda device: True)
    mixed = quick().fit(*taxonomy)
    assert mixed.score(*taxonomy) > plain.score(*taxonomy) - 0.02
    assert np.abs(mixed.boxes_ - plain.boxes_).max() > 1e-4  # it was rounded
    monkeypatch.undo()  # a model continues in the precision of its device
    mixed.set_params(warm_start=True, max_epochs=2).fit(*taxonomy)
    assert not mixed.encoder_.body.mixed_precision


# -- bad input -------------------------------------------------------------------------
NUMERIC = [
    "box_dim",
    "n_negatives",
    "max_gradient_norm",
    "validation_fraction",
    "n_iter_no_change",
]
WRONG = {
    **{name: ["3", -1] for name in NUMERIC},
    "learning_rate": ["fast", 0, 10**400],
    "max_epochs": ["3", -1, "many", 1.5],
    "free_share": ["0.5", -0.1, 1.0],
    "temperature": ["hot", 0],
    "batch_size": ["all", 0],
    "hidden_layer_sizes": ["3", 0, (3, "4"), (0,), (2.5,)],
    "encoder": ["mpl", list, 3],
    "normalization": ["group", 1],
    "teacher": ["ridge", 3, StandardScaler()],
    "augmentation": [-0.1, "many"],
    "side": ["square", 1],
    "objective": ["mse", dict],
    "init": ["best", 0],
    "learning_rate_schedule": ["linear"],
    "early_stopping": ["yes", "auto"],
    "negatives": ["easy"],
    "warm_start": ["yes"],
    "callbacks": ["print", 3],
    "device": ["gpu", 0],
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


def test_a_nested_parameter_needs_an_explicit_teacher(taxonomy):
    model = quick(teacher="auto", max_epochs=2)
    with pytest.raises(ValueError, match=r"teacher is .auto.*=KernelRidgeModel\(\)"):
        model.set_params(teacher__ridge=3.0)
    model.set_params(teacher=KernelRidgeModel(), teacher__ridge=3.0)
    assert model.fit(*taxonomy).teacher_.ridge_ == 3.0


def test_every_argument_has_a_wrong_value_here():
    assert WRONG.keys() == BoxRelationEmbedder().get_params().keys()
    assert len(WRONG) <= 26


@pytest.mark.parametrize("name", ["positive_weight", "exponent", "volume_weight"])
def test_wrong_arguments_of_an_objective_are_named_in_fit(taxonomy, name):
    with pytest.raises(ValueError, match=rf"'{name}' parameter of Objective"):
        quick(objective=Objective(**{name: -1.0})).fit(*taxonomy)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_missing_cuda_device_is_an_error(taxonomy):
    for device in ("cuda", "cuda:3"):
        with pytest.raises(ValueError, match=rf"device='{device}' can't be.*device='auto'"):
            quick(device=device).fit(*taxonomy)


def test_wrong_features_are_refused(taxonomy):
    X, graph = taxonomy
    spoiled = X.copy()
    spoiled[3, 2] = np.nan
    for wrong, message in [
        (spoiled, "NaN"),
        (np.where(np.isnan(spoiled), np.inf, spoiled), "infinity"),
        (X[:, 0], "Expected 2D array"),
        (X[:1], "minimum of 2"),
        (X[:, :0], "0 feature"),
        (X.astype(str).astype(object).tolist()[:2] + [["a"] * 12], "could not convert"),
    ]:
        model = quick()
        with pytest.raises(ValueError, match=message):
            model.fit(wrong, graph)
        assert not hasattr(model, "n_features_in_")


def test_other_features_than_those_of_fit_are_refused(named_taxonomy, fitted):
    frame, _ = named_taxonomy
    with pytest.raises(ValueError, match="order"):
        fitted.transform(frame.iloc[:, ::-1])
    with pytest.raises(ValueError, match="feature names"):
        fitted.transform(frame.iloc[:, :5])
    with (
        pytest.warns(UserWarning, match="valid feature names"),
        pytest.raises(ValueError, match="12 features"),
    ):
        fitted.predict_proba(frame.to_numpy()[:, :5])


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.zeros((40, 40)), "relates none of the 40 tasks"),
        (nx.empty_graph(40, nx.DiGraph), "relates none of the 40 tasks"),
        ([], "relates none of the 40 tasks"),
        (np.arange(40), "relates none of the 40 tasks"),
    ],
    ids=["matrix", "graph", "edges", "labels"],
)
def test_relations_of_no_pair_are_refused(taxonomy, y, message):
    with pytest.raises(ValueError, match=message):
        quick().fit(taxonomy[0], y)


def test_one_relation_is_too_few_to_be_held_out(taxonomy):
    X, _ = taxonomy
    with pytest.raises(ValueError, match="only one"):
        quick(early_stopping=True).fit(X, [(0, 1)])


def test_a_table_needs_one_hot_rows(taxonomy):
    X, graph = taxonomy
    for wrong in (X, 2 * np.eye(40), sparse.csr_matrix((40, 40))):
        with pytest.raises(ValueError, match="one-hot rows.*row 0"):
            quick(encoder="table").fit(wrong, graph)


def test_sparse_features_and_class_labels_are_refused_together(taxonomy):
    X, _ = taxonomy
    labels = np.arange(40) % 4
    model = quick(max_epochs=5).fit(sparse.csr_matrix(X), labels)
    assert model.predict_proba(X).shape == (40, 40)
    with pytest.raises(ValueError, match=r"TaskRelations\.from_labels"):
        model.predict_proba(sparse.csr_matrix(X))
    model.fit(sparse.csr_matrix(X), TaskRelations.from_labels(labels))
    assert model.predict_proba(sparse.csr_matrix(X)).shape == (40, 40)


def test_a_short_patience_waits_for_the_first_scores(taxonomy):
    model = quick(early_stopping=True, n_iter_no_change=3, max_epochs=400).fit(*taxonomy)
    assert model.n_iter_ > 3
    assert all(np.isfinite(row["valid_score"]) for row in model.history_)


def test_some_relations_are_always_left_to_learn(taxonomy):
    model = quick(early_stopping=True, validation_fraction=0.99, max_epochs=2)
    assert model.fit(*taxonomy).history_[0]["train_loss"] > 1e-4


def test_a_fit_that_diverges_is_an_error(taxonomy):
    X, graph = taxonomy
    for options, message in [
        ({"learning_rate": 1e30, "max_gradient_norm": None}, "boxes are not finite"),
        ({"learning_rate": 1e9}, r"boxes extend over \d.*e\+\d\d, and over"),
        ({"learning_rate": 20.0, "learning_rate_schedule": "constant"}, "the loss rose"),
    ]:
        model = quick(normalization=None, **options)
        with pytest.raises(ValueError, match=rf"did not converge: {message}.*Lower learn"):
            model.fit(X, graph)
        assert not hasattr(model, "boxes_")


def test_few_epochs_are_no_divergence(taxonomy):
    assert quick(max_epochs=2).fit(*taxonomy).n_iter_ == 2


def test_a_table_learns_with_the_settings_by_default():
    _, graph = make_taxonomy()
    rows = sparse.identity(40, format="csr")
    model = BoxRelationEmbedder(encoder="table", random_state=0).fit(rows, graph)
    assert model.score(rows, graph) > 0.99


@pytest.mark.parametrize("scale", [1e200, 1e-200])
def test_the_unit_of_the_features_does_not_matter(taxonomy, plain, scale):
    X, graph = taxonomy
    np.testing.assert_allclose(
        quick().fit(X * scale, graph).predict_proba(X * scale),
        plain.predict_proba(X),
        atol=1e-3,
    )


class Narrow(torch.nn.Linear):
    """Three outputs, whatever the dimensions of the boxes."""

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
    model = quick(encoder="table", max_epochs=200, learning_rate=0.05).fit(rows, edges)
    assert rows.nnz == n_stored
    pairs = TaskPairs(sparse.identity(7), [(0, 6), (6, 0)])
    assert model.predict(pairs).tolist() == [True, False]


def test_numbers_of_numpy_and_reversed_arrays_are_taken(taxonomy):
    X, graph = taxonomy
    model = quick(max_epochs=np.int64(5), box_dim=np.int64(2)).fit(X[::-1], graph)
    assert model.predict_proba(X[:, ::-1][:, ::-1][::-1]).shape == (40, 40)


def test_memory_mapped_models_predict(taxonomy, plain, tmp_path):
    X, _ = taxonomy
    joblib.dump(plain, tmp_path / "model")
    model = joblib.load(tmp_path / "model", mmap_mode="r")
    np.testing.assert_array_equal(model.predict_proba(X), plain.predict_proba(X))
    np.testing.assert_array_equal(model.supersets(k=2)[0], plain.supersets(k=2)[0])
    assert len(model.to_networkx()) == 40


def test_scorers_refuse_folds_without_relations(taxonomy, plain):
    X, _ = taxonomy
    with pytest.raises(ValueError, match="use fewer folds"):
        make_relation_scorer("roc_auc")(plain, X[:3], np.zeros((3, 3)))
    with pytest.raises(ValueError, match=r"None of the .* are related"):
        plain.score(X[:3], np.zeros((3, 3)))


# -- layouts ---------------------------------------------------------------------------
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
        {"encoder": "mlp", "normalization": None},
        {"encoder": "linear"},
        {"encoder": "table", "side": "sigmoid"},
        {"encoder": "table", "side": "exp"},
    ],
    ids=str,
)
def test_every_network_can_start_from_a_layout(taxonomy, options):
    X, graph = taxonomy
    table = options["encoder"] == "table"
    X = sparse.identity(40, format="csr") if table else X
    settings = {"hidden_layer_sizes": (64,), "teacher": None, "random_state": 0}
    options = {**settings, **options}
    model = BoxRelationEmbedder(2, init="layout", max_epochs=0, **options).fit(X, graph)
    started = model.score(X, graph)
    assert started > (0.9 if table else 0.2)
    random = BoxRelationEmbedder(2, max_epochs=1, **options).fit(X, graph)
    assert started > random.score(X, graph)


def test_no_epochs_without_a_layout_are_an_error(taxonomy):
    with pytest.raises(ValueError, match=r"max_epochs=0 learns nothing.*init='layout'"):
        quick(max_epochs=0).fit(*taxonomy)


def test_a_layout_of_two_dimensions_reproduces_the_mammals(shared_data):
    edges = pd.read_csv(shared_data / "mammal_edges.csv.gz")
    names = pd.unique(edges[["child", "parent"]].to_numpy().ravel())
    relations = TaskRelations(edges[["child", "parent"]], names, transitive=True)
    model = BoxRelationEmbedder(2, encoder="table", init="layout", max_epochs=0)
    model.fit(sparse.identity(len(names), format="csr"), relations)
    assert reconstruction(model) == (1.0, 1.0)


def test_a_parameter_that_is_set_after_fit_changes_no_prediction():
    X = np.random.RandomState(0).normal(size=(20, 4))
    model = BoxRelationEmbedder(2, max_epochs=3, random_state=0)
    model.fit(X, [(i, (i - 1) // 3) for i in range(1, 20)])
    before = model.predict_proba(X + 0.1)
    model.set_params(objective="squared_error", box_dim=3)
    np.testing.assert_array_equal(model.predict_proba(X + 0.1), before)
