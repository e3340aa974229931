"""Geometries: scores by hand, points where they must be, gradients, and what is learned."""

import math

import numpy as np
import pytest
import torch
from conftest import make_taxonomy
from sklearn.metrics import average_precision_score
from torch.nn import functional as F

from sklearn_task2box import TaskPairs
from sklearn_task2box.models import GeometryModel
from sklearn_task2box.models._geometry import GEOMETRIES

X, GRAPH = make_taxonomy()
N = len(X)
EVERY = sorted(GEOMETRIES)


def made(name, n_components):
    geometry, learning_rate = GEOMETRIES[name]
    assert learning_rate > 0
    return geometry(n_components)


def score(name, head, tail):
    geometry = made(name, len(head)).double()
    ends = (torch.tensor([end], dtype=torch.float64) for end in (head, tail))
    return float(geometry.score(*ends).detach())


def softplus(z, beta=1.0):
    return math.log1p(math.exp(beta * z)) / beta


def test_order_by_hand():
    expected = -(softplus(-2.0) ** 2 + softplus(1.0) ** 2)
    assert score("order", [3.0, 1.0], [1.0, 2.0]) == pytest.approx(expected)
    assert score("order", [3.0, 3.0], [1.0, 1.0]) > score("order", [1.0, 1.0], [3.0, 3.0])


def test_gaussian_is_the_kl_divergence():
    head, tail = [0.3, -1.0, 0.2, -0.5], [0.1, 0.4, 1.0, 0.7]
    normal = [
        torch.distributions.Normal(
            torch.tensor(end[:2]), torch.tensor(end[2:]).mul(0.5).exp()
        )
        for end in (head, tail)
    ]
    expected = -float(torch.distributions.kl_divergence(*normal).sum())
    assert score("gaussian", head, tail) == pytest.approx(expected, rel=1e-5)


def test_poincare_by_hand():
    # From the centre, the distance is 2 artanh(r); alpha starts at 1.
    expected = 2 * math.atanh(0.6)
    assert score("poincare", [0.6, 0.0], [0.0, 0.0]) == pytest.approx(
        -(1 - 0.6) * expected, rel=1e-3
    )
    assert score("poincare", [0.0, 0.0], [0.6, 0.0]) == pytest.approx(
        -(1 + 0.6) * expected, rel=1e-3
    )
    # Along a diameter, distances add up.
    apart = 2 * (math.atanh(0.5) + math.atanh(0.3))
    assert score("poincare", [0.5, 0.0], [-0.3, 0.0]) == pytest.approx(
        -(1 + 0.3 - 0.5) * apart, rel=1e-3
    )


def test_cone_by_hand():
    apex = 0.5
    constant = 0.1 / (1 - 0.1**2)
    psi = math.asin(constant * (1 - apex**2) / apex)
    for member, xi in (([0.9, 0.0], 0.0), ([0.2, 0.0], math.pi), ([-0.9, 0.0], math.pi)):
        expected = -softplus(xi - psi, beta=5.0)
        assert score("cone", member, [apex, 0.0]) == pytest.approx(expected, abs=2e-3)


def test_a_cone_ends_where_its_angle_does():
    # The geodesic that leaves the apex at the angle psi stays on the rim of the cone.
    apex, constant = 0.4, 0.1 / (1 - 0.1**2)
    psi = math.asin(constant * (1 - apex**2) / apex)
    for length in (0.1, 0.5, 0.9):
        # Moebius addition: apex + a point at that distance and angle from the centre
        x, y = apex + 0j, length * complex(math.cos(psi), math.sin(psi))
        point = (x + y) / (1 + x.conjugate() * y)
        found = score("cone", [point.real, point.imag], [apex, 0.0])
        assert found == pytest.approx(-softplus(0.0, beta=5.0), abs=1e-4)


def test_bilinear_by_hand():
    # The member's first half meets the container's second half.
    assert score("bilinear", [1.0, 2.0, 30.0, 40.0], [50.0, 60.0, 3.0, 4.0]) == 11


@pytest.mark.parametrize("size", [1e-6, 1.0, 1e3])
@pytest.mark.parametrize("name", EVERY)
def test_points_are_in_place_and_gradients_finite(name, size):
    geometry = made(name, 4)
    rng = np.random.RandomState(0)
    outputs = torch.from_numpy(size * rng.normal(size=(30, 4))).float()
    outputs[1] = outputs[0]  # two tasks of the same features
    outputs.requires_grad_()
    points = geometry.points(outputs)
    norms = points.detach().norm(dim=1)
    if name == "order":
        assert (points >= 0).all()
    if name in ("poincare", "cone"):
        assert (norms < 1).all()
    if name == "cone":
        assert (norms >= 0.1 - 1e-6).all()
    heads, tails = torch.cartesian_prod(torch.arange(30), torch.arange(30)).T
    apart = heads != tails
    scores = geometry.score(points[heads[apart]], points[tails[apart]])
    assert torch.isfinite(scores).all()
    F.softplus(scores).sum().backward()
    assert torch.isfinite(outputs.grad).all()


@pytest.mark.parametrize("name", ["order", "cone"])
def test_wrongly_contained_pairs_have_a_gradient(name):
    geometry = made(name, 2).double()
    head = torch.tensor([[0.9, 0.01]], dtype=torch.float64, requires_grad=True)
    tail = torch.tensor([[0.2, 0.0]], dtype=torch.float64)
    geometry.score(head, tail).backward()
    assert head.grad.abs().max() > 1e-3


QUICKEST = ["order", "bilinear"]
SLOW = [name for name in EVERY if name not in QUICKEST]
SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in SLOW]


@pytest.mark.parametrize("name", [*QUICKEST, *SLOW])
def test_a_taxonomy_is_learned(name):
    model = GeometryModel(name, random_state=0).fit(X, GRAPH)
    assert model.points_.shape == (N, 10)
    assert model.loss_curve_[-1] < 0.3 * model.loss_curve_[0]
    assert model.score(X, GRAPH) > 0.95
    table = model.predict_proba(X)
    heads, tails = np.array(GRAPH.edges).T
    assert (table[heads, tails] > table[tails, heads]).mean() > 0.95


@pytest.mark.parametrize("name", ["gaussian", "bilinear"])
def test_halves_need_an_even_number(name):
    with pytest.raises(ValueError, match="must be even; got 3"):
        GeometryModel(name, n_components=3).fit(X, GRAPH)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"geometry": "spherical"}, "geometry"),
        ({"n_components": 0}, "n_components"),
        ({"hidden_layer_sizes": (1.5,)}, "positive whole numbers"),
        ({"max_gradient_norm": 0}, "max_gradient_norm"),
    ],
)
def test_bad_input(options, match):
    with pytest.raises(ValueError, match=match):
        GeometryModel(**options).fit(X, GRAPH)


@pytest.mark.slow
def test_fewer_pairs_per_epoch():
    model = GeometryModel("cone", max_pairs=200, random_state=0).fit(X, GRAPH)
    assert model.score(X, GRAPH) > 0.9


@pytest.mark.slow
def test_relations_of_mammals_that_were_held_out(shared_data):
    data = np.load(shared_data / "mammals150_split.npz")
    seen = np.where(data["mask"] == 0, data["D"], np.nan)
    model = GeometryModel("cone", random_state=0).fit(data["X"], seen)
    related = model.predict_proba(TaskPairs(data["X"], data["val_pairs"]))[:, 1]
    # that of the popularity of containers is 0.67
    assert average_precision_score(data["val_labels"], related) > 0.8


def test_a_single_epoch():
    model = GeometryModel(max_epochs=1, hidden_layer_sizes=(8,), random_state=0)
    assert len(model.fit(X, GRAPH).loss_curve_) == 1
