"""Fits on another device: a pretended one and, where there is one, a CUDA device."""

import multiprocessing
import os
import threading
import time
from typing import ClassVar

import numpy as np
import pytest
import torch
from conftest import make_taxonomy
from pretended import PretendedCuda
from scipy import sparse
from skorch.callbacks import Callback

from sklearn_task2box import BoxRelationEmbedder, TaskPairs
from sklearn_task2box import embedder as module_of_embedder
from sklearn_task2box.boxes import _pair_loss
from sklearn_task2box.nets import Objective
from sklearn_task2box.utils._devices import few_threads, is_mixed, resolve_device, seeded

pytestmark = pytest.mark.usefixtures("few_steps")

QUICK = {"hidden_layer_sizes": (16, 8), "max_epochs": 2, "random_state": 0}
OPTIONS = [{}, {"init": "layout"}]
OTHERS = [
    {"early_stopping": True},
    {"batch_size": 200, "negatives": "hard"},
    {"encoder": "linear"},
    {"objective": "squared_error", "normalization": "batch"},
    {
        "objective": Objective(
            volume_weight=1e-3, distance_weight=1e-3, squareness_weight=1e-3, exponent=0.5
        )
    },
]
OPTIONS += [pytest.param(one, marks=pytest.mark.slow) for one in OTHERS]


@pytest.fixture
def pretended_cuda(monkeypatch):
    """Fits with device="cuda" find a pretended one."""

    def on_cpu(seed, device):
        return seeded(seed, "cpu")

    monkeypatch.setattr(module_of_embedder, "seeded", on_cpu)
    monkeypatch.setattr(module_of_embedder, "resolve_device", str)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (7, 5))
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (1e9, 2e9))
    with PretendedCuda():
        yield


def relations():
    X, graph = make_taxonomy(n_tasks=20)
    strengths = np.full((20, 20), np.nan)
    strengths[np.random.RandomState(0).uniform(size=strengths.shape) < 0.7] = 0
    strengths[tuple(np.array(graph.edges).T)] = 1
    return abs(X), strengths


def answers(device, **options):
    """Arrays that a fit gives, and fits that continue it."""
    X, strengths = relations()
    model = BoxRelationEmbedder(**{**QUICK, **options}, device=device).fit(X, strengths)
    new, pairs = X + 0.1, TaskPairs(X + 0.1, [(0, 1), (2, 1)])
    assert next(model.encoder_.parameters()).device.type == "cpu"
    found = [model.transform(new), model.predict_proba(pairs)]
    found += [model.predict_proba(new), model.supersets(k=2)[1], model.score(X, strengths)]
    model.partial_fit(new[:3], [(20, 0), (21, 1), (2, 22)])
    model.set_params(warm_start=True).fit(X, strengths)
    return [*found, model.boxes_, model.predict_proba(new)]


class RecordsDevices(Callback):
    """Records where the network is while it is trained."""

    seen: ClassVar = set()

    def on_epoch_end(self, net, **kwargs):
        self.seen.add(next(net.module_.parameters()).device.type)


def test_the_network_is_trained_on_the_device(pretended_cuda):
    RecordsDevices.seen.clear()
    options = {**QUICK, "device": "cuda", "callbacks": [RecordsDevices]}
    BoxRelationEmbedder(**options).fit(*relations())
    assert RecordsDevices.seen == {"cuda"}


@pytest.fixture
def no_numba(monkeypatch):
    """Operations of torch on the CPU as on other devices: Numba's loops round otherwise."""
    monkeypatch.setattr(_pair_loss, "_has_numba", lambda: False)


@pytest.fixture
def from_cpu(options, no_numba):
    """What a fit on the CPU gives, before there is a pretended device."""
    return answers("cpu", **options)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_a_fit_on_another_device_is_the_same(options, from_cpu, pretended_cuda):
    for one, other in zip(from_cpu, answers("cuda", **options), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("options", [{}, {"init": "layout", "max_epochs": 0}], ids=str)
def test_a_table_on_another_device_is_the_same(options, pretended_cuda, no_numba):
    boxes = []
    for device in ("cpu", "cuda"):
        model = BoxRelationEmbedder(
            **{**QUICK, "encoder": "table", **options}, device=device
        )
        model.fit(sparse.identity(20, format="csr"), relations()[1])
        one_more = sparse.csr_matrix(([1.0], ([0], [20])), shape=(1, 21))
        boxes.append(model.partial_fit(one_more, [(20, 0)]).boxes_)
    np.testing.assert_array_equal(*boxes)


def test_pretended_devices_are_told_apart():
    with PretendedCuda():
        here = torch.ones(3)
        there = here.to("cuda")
        assert (here.device.type, (there[1:] + 1).device.type) == ("cpu", "cuda")
        with pytest.raises(RuntimeError, match=r"tensors are on \['cpu', 'cuda:0'\]"):
            here + there
        with pytest.raises(RuntimeError, match="tensors are on"):
            torch.nn.Linear(3, 1).to("cuda")(here)
        with pytest.raises(TypeError, match=r"use Tensor\.cpu\(\)"):
            there.numpy()
        assert (there.cpu() + here).tolist() == [2, 2, 2]
        assert (there + torch.tensor(1.0)).device.type == "cuda"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_cuda_gives_boxes_too(options):
    here, there = (answers(device, **options) for device in ("cpu", "cuda"))
    assert abs(here[4] - there[4]) < 0.2
    for found in there:
        assert np.isfinite(found).all()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_relations_are_learned_on_cuda(taxonomy):
    settings = {**QUICK, "max_epochs": 60, "hidden_layer_sizes": (32,)}
    model = BoxRelationEmbedder(**settings, device="cuda").fit(*taxonomy)
    assert model.score(*taxonomy) > 0.5


@pytest.mark.parametrize(
    ("device", "capability", "mixed"),
    [("cpu", None, False), ("cuda", (9, 0), True), ("cuda:1", (7, 5), False)],
)
def test_precision_is_mixed_where_the_device_supports_it(
    device, capability, mixed, monkeypatch
):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert is_mixed(device) is mixed


def test_auto_is_the_best_device_there_is(monkeypatch):
    for there, device in ((True, "cuda"), (False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda there=there: there)
        assert resolve_device("auto") == device
    assert resolve_device(torch.device("cpu")) == "cpu"
    with pytest.raises(ValueError, match=r"torch\.device knows; got 'gpu'"):
        resolve_device("gpu")


def test_every_thread_gets_its_threads_back():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    inside, leave, counts = threading.Event(), threading.Event(), []

    def other():
        with few_threads(10):
            counts.append(torch.get_num_threads())
            inside.set()
            leave.wait()
        counts.append(torch.get_num_threads())

    try:
        with few_threads(10):
            worker = threading.Thread(target=other)
            worker.start()
            inside.wait()
            with few_threads(10):
                assert torch.get_num_threads() == 1
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2  # though the other one is still at it
        leave.set()
        worker.join()
        assert counts == [1, 2]
        assert torch.get_num_threads() == 2
        with few_threads(10**6):
            assert torch.get_num_threads() == 2
    finally:
        leave.set()
        torch.set_num_threads(before)


def _draw(seed):
    with seeded(seed, "cpu"), few_threads(10):
        return torch.rand(1).item()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_fork_does_not_wait_for_threads_it_does_not_have():
    inside, leave = threading.Event(), threading.Event()

    def hold():
        with seeded(0, "cpu"), few_threads(10):
            inside.set()
            leave.wait()

    worker = threading.Thread(target=hold)
    worker.start()
    inside.wait()
    with multiprocessing.get_context("fork").Pool(1) as pool:
        drawn = pool.apply_async(_draw, (3,))
        try:
            assert (
                drawn.get(timeout=30)
                == torch.rand(1, generator=torch.Generator().manual_seed(3)).item()
            )
        finally:
            leave.set()
            worker.join()


def test_seeds_of_threads_wait_for_one_another():
    drawn = {}

    def draw(seed):
        with seeded(seed, "cpu"):
            drawn[seed] = []
            for _ in range(20):
                drawn[seed].append(torch.rand(1).item())
                time.sleep(1e-4)

    workers = [threading.Thread(target=draw, args=(seed,)) for seed in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for seed, values in drawn.items():
        generator = torch.Generator().manual_seed(seed)
        assert values == [torch.rand(1, generator=generator).item() for _ in range(20)]


class Scaled(torch.nn.Module):
    """A loss with a parameter."""

    def __init__(self):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(1))

    def forward(self, log_overlap, strengths):
        return (self.scale * log_overlap.exp() - strengths) ** 2


def test_a_loss_with_parameters_is_trained_on_the_device(pretended_cuda):
    X, strengths = relations()
    settings = {**QUICK, "objective": Scaled, "device": "cuda"}
    model = BoxRelationEmbedder(**settings).fit(X, strengths)
    assert model.transform(X + 0.1).shape == (20, 10)
