"""Task2VecRepresentation: Fisher information, probes, draws of labels, errors."""

import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import Dataset, Subset, TensorDataset

from sklearn_task2box.representations import Task2VecRepresentation
from sklearn_task2box.representations._task2vec import _fit_head


@pytest.fixture(scope="module")
def probe():
    """A small convolutional net, with what nets have: strides, norms, in-place layers."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(1, 6, 3),
            nn.BatchNorm2d(6),
            nn.ReLU(inplace=True),
            nn.Dropout(0.5),
            nn.Conv2d(6, 8, 3, stride=2, groups=2),
            nn.Tanh(),
            nn.ConvTranspose2d(8, 5, 2),
            nn.Flatten(),
            nn.Linear(45, 7),
        )


@pytest.fixture(scope="module")
def digits():
    """A function of digits and a slice that makes a task of their images."""
    images, labels = load_digits(return_X_y=True)
    images = torch.tensor(images.reshape(-1, 1, 8, 8) / 16, dtype=torch.float32)

    def make(classes, start=0, stop=120):
        rows = np.flatnonzero(np.isin(labels, classes))[start:stop]
        return TensorDataset(images[rows], torch.tensor(labels[rows]))

    return make


def brute_force(probe, dataset):
    """Expectation over labels of squared gradients, by finite steps of plain autograd."""
    inputs, labels = dataset.tensors
    net = pickle.loads(pickle.dumps(probe)).eval()
    features = net(inputs).detach().flatten(1)
    classes, labels = np.unique(labels.numpy(), return_inverse=True)
    weights, biases = _fit_head(features.double().numpy(), labels, C=1.0)
    head = nn.Linear(features.shape[1], len(classes))
    head.load_state_dict({"weight": weights.float(), "bias": biases.float()})
    whole = nn.Sequential(net, head)
    layers = [net[0], net[4], net[6], net[8]]
    sums = [torch.zeros_like(layer.weight) for layer in layers]
    for one in inputs:
        probabilities = torch.softmax(whole(one[None]), dim=1).detach()[0]
        for label, p in enumerate(probabilities):
            whole.zero_grad()
            torch.log_softmax(whole(one[None]), dim=1)[0, label].backward()
            for total, layer in zip(sums, layers, strict=True):
                total += p * layer.weight.grad**2
    sums[2] = sums[2].transpose(0, 1)  # a transposed convolution has outputs second
    return np.concatenate([(s / len(inputs)).flatten(1).mean(dim=1) for s in sums])


def test_fisher_information_is_that_of_plain_autograd(probe, digits):
    task = digits([1, 4, 7], stop=20)
    representation = Task2VecRepresentation(probe, n_draws=None, normalization=None)
    fisher = representation.fit_transform([task]).to_numpy()[0]
    assert len(fisher) == 6 + 8 + 5 + 7
    np.testing.assert_allclose(fisher, brute_force(probe, task), rtol=1e-3, atol=1e-9)


def test_drawn_labels_estimate_the_expectation(probe, digits):
    task = [digits([1, 4, 7], stop=15)]
    exact, one, many = (
        Task2VecRepresentation(probe, n_draws=n, normalization=None, random_state=0)
        .fit(task)
        .fishers_
        for n in (None, 1, 60)
    )
    error = np.linalg.norm(many - exact)
    assert error < 0.2 * np.linalg.norm(exact)
    assert error < np.linalg.norm(one - exact)


def test_batches_do_not_matter(probe, digits):
    task = [digits([1, 4, 7], stop=30)]
    results = [
        Task2VecRepresentation(probe, random_state=0, batch_size=size).fit(task).fishers_
        for size in (7, 64)
    ]
    np.testing.assert_allclose(*results, rtol=1e-4)


def paper_distance(a, b):
    """The symmetric distance of the paper, without filters that neither task needs."""
    a, b = a[a + b > 0], b[a + b > 0]
    u, v = a / (a + b), b / (a + b)
    return 1 - u @ v / np.linalg.norm(u) / np.linalg.norm(v)


@pytest.mark.slow
def test_tasks_of_the_same_digits_are_nearest(probe, digits):
    tasks = {
        "012": digits([0, 1, 2]),
        "012 again": digits([0, 1, 2], 120, 240),
        "013": digits([0, 1, 3]),
        "789": digits([7, 8, 9]),
        "689": digits([6, 8, 9]),
    }
    features = Task2VecRepresentation(probe, n_draws=None).fit_transform(tasks)
    assert list(features.index) == list(tasks)
    near = paper_distance(*features.loc[["012", "012 again"]].to_numpy())
    for other in ("013", "789", "689"):
        assert near < paper_distance(*features.loc[["012", other]].to_numpy())


def test_normalisation_is_by_the_root_mean_square(probe, digits):
    tasks = [digits([0, 1]), digits([2, 3]), digits([4, 5])]
    representation = Task2VecRepresentation(probe, max_samples=20, random_state=0)
    features = representation.fit_transform(tasks)
    used = (features > 0).any(axis=0)
    assert used.mean() > 0.9
    np.testing.assert_allclose((features.loc[:, used] ** 2).mean(axis=0), 1, rtol=1e-6)
    raw = Task2VecRepresentation(
        probe, max_samples=20, normalization=None, random_state=0
    ).fit_transform(tasks)
    np.testing.assert_allclose(features * representation.scale_, raw)
    np.testing.assert_allclose(representation.transform(tasks[:1]), features[:1])


def test_dead_filters_stay_zero(digits):
    probe = nn.Sequential(nn.Flatten(), nn.Linear(64, 3), nn.ReLU())
    nn.init.constant_(probe[1].bias, 0.1)
    with torch.no_grad():
        probe[1].bias[2] = -100
    features = Task2VecRepresentation(probe, max_samples=20).fit_transform(
        [digits([0, 1]), digits([2, 3])]
    )
    assert (features.iloc[:, 2] == 0).all()


def test_is_deterministic_and_leaves_the_global_state_alone(probe, digits):
    tasks = {"a": digits([0, 1]), "b": digits([0, 8])}
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()
    options = {"max_samples": 30, "normalization": None}
    first, again, other = (
        Task2VecRepresentation(probe, random_state=s, **options).fit_transform(tasks)
        for s in (0, 0, 1)
    )
    pd.testing.assert_frame_equal(first, again)
    assert not np.allclose(first, other)
    assert torch.equal(torch.get_rng_state(), torch_state)
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_state)
    alone = Task2VecRepresentation(probe, random_state=0, **options)
    pd.testing.assert_frame_equal(alone.fit_transform({"b": tasks["b"]}), first[1:])


def test_the_probe_is_not_changed(probe, digits):
    before = {name: value.clone() for name, value in probe.state_dict().items()}
    probe.train()
    Task2VecRepresentation(probe, max_samples=20).fit([digits([0, 1])])
    assert probe.training
    assert all(p.requires_grad and p.grad is None for p in probe.parameters())
    for name, value in probe.state_dict().items():
        assert torch.equal(value, before[name])


def test_a_single_class_is_the_trivial_task(probe, digits):
    features = Task2VecRepresentation(probe, max_samples=20).fit_transform(
        {"trivial": digits([3]), "two": digits([3, 4])}
    )
    assert (features.loc["trivial"] == 0).all()
    assert (features.loc["two"] > 0).any()


class Branching(nn.Module):
    """A net that looks at its values, has a layer at work twice, and one idle."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(64, 64)
        self.idle = nn.Linear(3, 2)

    def forward(self, inputs):
        hidden = torch.tanh(self.layer(inputs.flatten(1)))
        return self.layer(hidden) if hidden.mean().item() > -2 else hidden


def test_any_module_is_a_probe(digits):
    representation = Task2VecRepresentation(Branching(), max_samples=20)
    features = representation.fit_transform([digits([0, 1]), digits([2, 3])])
    assert representation.layers_ == ["layer", "idle"]
    assert list(features.columns[[0, 64, 65]]) == ["layer[0]", "idle[0]", "idle[1]"]
    assert (features.iloc[:, :64] > 0).all(axis=None)
    assert (features.iloc[:, 64:] == 0).all(axis=None)


def test_a_bare_layer_is_a_probe():
    inputs = torch.linspace(-1, 1, 20).reshape(-1, 1)
    task = TensorDataset(inputs, inputs[:, 0] > 0)
    features = Task2VecRepresentation(nn.Linear(1, 2)).fit_transform([task])
    assert list(features.columns) == ["probe[0]", "probe[1]"]


class Named(Dataset):
    """Labels that are strings, and inputs in double precision."""

    def __init__(self, dataset, names):
        self.dataset, self.names = dataset, names

    def __len__(self):
        return len(self.dataset)

    def __getitem__(self, at):
        inputs, label = self.dataset[at]
        return inputs.double(), self.names[int(label)]


def test_labels_may_be_strings_and_do_not_matter(probe, digits):
    task = digits([0, 1], stop=30)
    options = {"n_draws": None, "normalization": None}
    features = Task2VecRepresentation(probe, **options).fit_transform(
        [task, Named(task, ["zero", "one"])]
    )
    np.testing.assert_allclose(features.iloc[0], features.iloc[1], rtol=1e-3)


@pytest.mark.parametrize(
    ("labels", "problem"),
    [
        (torch.arange(20) / 10, "Unknown label type: continuous"),
        (torch.tensor([0.0, 1.0, float("nan"), 1.0] * 5), "NaN"),
        (torch.tensor([0.0, float("inf")] * 10), "infinity"),
        (torch.zeros(20, 2), "1d array"),
    ],
)
def test_labels_must_be_classes(labels, problem):
    inputs = torch.linspace(-1, 1, 40).reshape(20, 2)
    tasks = {"sign": TensorDataset(inputs, inputs[:, 0] > 0)}
    fitted = Task2VecRepresentation(nn.Linear(2, 2), random_state=0).fit(tasks)
    wrong = {"prices": TensorDataset(inputs, labels)}
    message = f"(?s)labels of task 'prices' must be classes.* str. .*{problem}.*np.digit"
    for read in (Task2VecRepresentation(nn.Linear(2, 2)).fit, fitted.transform):
        with pytest.raises(ValueError, match=message):
            read(wrong)
    whole = TensorDataset(inputs, (inputs[:, 0] > 0).double())
    pd.testing.assert_frame_equal(
        fitted.transform({"sign": whole}), fitted.transform(tasks)
    )


def test_verbose_shows_a_bar(probe, digits, capsys):
    Task2VecRepresentation(probe, max_samples=10, verbose=1).fit([digits([0, 1])])
    assert "Fisher information: 100%" in capsys.readouterr().err
    Task2VecRepresentation(probe, max_samples=10).fit([digits([0, 1])])
    assert not capsys.readouterr().err


def test_clone_and_pickle(probe, digits):
    tasks = {"01": digits([0, 1], stop=20), "12": digits([1, 2], stop=20)}
    representation = Task2VecRepresentation(probe, random_state=0)
    features = representation.fit_transform(tasks)
    assert list(features.index) == list(tasks)
    assert clone(representation).get_params()["C"] == 1.0
    loaded = pickle.loads(pickle.dumps(representation))
    pd.testing.assert_frame_equal(loaded.transform(tasks), features)


def test_global_output_of_transformers_changes_nothing(probe, digits):
    tasks = {"01": digits([0, 1], stop=20), "12": digits([1, 2], stop=20)}
    representation = Task2VecRepresentation(probe, random_state=0)
    expected = representation.fit_transform(tasks)
    with sklearn.config_context(transform_output="pandas"):
        pd.testing.assert_frame_equal(representation.fit_transform(tasks), expected)
        pd.testing.assert_frame_equal(representation.transform(tasks), expected)


@pytest.mark.parametrize(
    ("probe_or_option", "tasks", "message"),
    [
        (nn.Flatten(), None, "no linear or convolutional layer with a weight: Flatten"),
        ({"C": 0}, None, "'C' parameter"),
        ({"n_draws": 0}, None, "'n_draws' parameter"),
        ({}, [], "no task"),
        ({}, [[]], "Task 0 has no input"),
        ({}, [7], "Task 0 must be a torch Dataset with a length; got int"),
        ({}, 7, "torch Dataset of each task; got int"),
        ({}, [[1, 2]], "pairs of an input and a label"),
        ({}, [[("a", 1), ("b", 2)]], "must be tensors; got (tuple|list)"),
    ],
)
def test_bad_input(probe, digits, probe_or_option, tasks, message):
    options = probe_or_option if isinstance(probe_or_option, dict) else {}
    given = probe_or_option if isinstance(probe_or_option, nn.Module) else probe
    representation = Task2VecRepresentation(given, **options)
    tasks = [Subset(digits([0, 1]), range(20))] if tasks is None else tasks
    with pytest.raises(ValueError, match=message):
        representation.fit(tasks)
    assert not hasattr(representation, "probe_")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA")
def test_cuda_and_cpu_give_the_same_tasks(probe, digits):
    task = [digits([0, 1], stop=30)]
    results = [
        Task2VecRepresentation(probe, n_draws=None, device=d).fit(task).fishers_
        for d in ("cpu", "cuda")
    ]
    np.testing.assert_allclose(*results, rtol=1e-2)


@pytest.mark.parametrize("device", ["gpu", "meta", "cuda:99"])
def test_unusable_devices_are_refused(probe, digits, device):
    with pytest.raises(ValueError, match=f"device.*{device}"):
        Task2VecRepresentation(probe, device=device).fit({"a": digits([0, 1])})


def test_error_of_a_tuple_shows_how_to_make_a_dataset(probe):
    pair = np.zeros((4, 1, 8, 8), dtype=np.float32), np.array([0, 1, 0, 1])
    with pytest.raises(ValueError, match="'a' must be a torch Dataset.*TensorDataset"):
        Task2VecRepresentation(probe).fit({"a": pair})
