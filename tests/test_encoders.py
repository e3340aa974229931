"""Networks from features to boxes."""

import pytest
import torch

from sklearn_task2box.encoders import MLP, BoxEncoder, Table


def test_the_layers_of_a_perceptron():
    body = MLP(7, 4, (5, 3), dropout=0.1, normalization="batch")
    kinds = [type(layer).__name__ for layer in body]
    hidden = ["Linear", "ReLU", "BatchNorm1d", "Dropout"]
    assert kinds == [*hidden, *hidden, "Linear"]
    assert MLP(7, 4, ())[0].weight.shape == (4, 7)
    assert body.eval()(torch.zeros(2, 7)).shape == (2, 4)


@pytest.mark.parametrize("anchor", ["center", "lower"])
@pytest.mark.parametrize("side", ["exp", "softplus", "sigmoid"])
@pytest.mark.parametrize("scale", [1.0, 1e4])
def test_boxes_have_positive_finite_sides(side, anchor, scale):
    torch.manual_seed(0)
    encoder = BoxEncoder(MLP(7, 6, (5,)), 7, 6, side, anchor)
    lower, upper = encoder(scale * torch.randn(20, 7))
    assert lower.shape == upper.shape == (20, 3)
    assert torch.isfinite(upper).all()
    assert (upper >= lower).all()
    if side == "sigmoid":
        assert (upper - lower <= 1 + 1e-3 * scale).all()


def test_the_anchor_places_the_box():
    body = torch.nn.Linear(1, 2)
    with torch.no_grad():
        body.weight[:] = 0
        body.bias[:] = torch.tensor([3.0, 0.0])  # position 3, side exp(0) = 1
    lower, upper = BoxEncoder(body, 1, 2, side="exp", anchor="center")(torch.zeros(1, 1))
    assert (lower.item(), upper.item()) == (2.5, 3.5)
    lower, upper = BoxEncoder(body, 1, 2, side="exp", anchor="lower")(torch.zeros(1, 1))
    assert (lower.item(), upper.item()) == (3.0, 4.0)


def test_a_table_looks_rows_up():
    table = Table(4, 2)
    torch.testing.assert_close(table(torch.eye(4)), table.rows.weight)
    torch.testing.assert_close(table(torch.tensor([2, 0])), table.rows.weight[[2, 0]])


def test_preparation_is_centring_and_rotation():
    rotation = torch.tensor([[0.0, 1.0], [1.0, 0.0], [0.0, 0.0]])
    encoder = BoxEncoder(MLP(2, 4, ()), 3, 4, offset=torch.ones(3), rotation=rotation)
    X = torch.randn(5, 3)
    torch.testing.assert_close(encoder.prepare(X), (X - 1)[:, [1, 0]])
    for a, b in zip(encoder(X), encoder(encoder.prepare(X), prepared=True), strict=True):
        torch.testing.assert_close(a, b)
