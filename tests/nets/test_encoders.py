"""Networks from features to boxes."""

import numpy as np
import pytest
import torch
from scipy import sparse

from sklearn_task2box.nets._encoders import MLP, BoxEncoder, Table, make_encoder
from sklearn_task2box.utils._features import preparation


def test_the_layers_of_an_mlp():
    body = MLP(7, 4, (5, 3), normalization="batch")
    kinds = [type(layer).__name__ for layer in body]
    hidden = ["Linear", "ReLU", "BatchNorm1d"]
    assert kinds == [*hidden, *hidden, "Linear"]
    assert MLP(7, 4, ())[0].weight.shape == (4, 7)
    assert body.eval()(torch.zeros(2, 7)).shape == (2, 4)


def test_mixed_precision_is_of_hidden_layers_in_training_only():
    torch.manual_seed(0)
    body = MLP(7, 4, (64,))
    X = torch.randn(5, 7)
    exact = body(X)
    body.mixed_precision = True
    rounded = body(X)
    assert rounded.dtype == torch.float32
    assert 0 < (rounded - exact).abs().max() < 0.02
    # Not a number of the last layer is rounded to 8 bits.
    assert (rounded != rounded.bfloat16().float()).all()
    rounded.sum().backward()
    assert body[0].weight.grad.dtype == torch.float32
    torch.testing.assert_close(body.eval()(X), exact, rtol=0, atol=0)
    assert body.double()(X.double()).dtype == torch.float64


@pytest.mark.parametrize("side", ["exp", "softplus", "sigmoid"])
@pytest.mark.parametrize("scale", [1.0, 1e4])
def test_boxes_have_positive_finite_sides(side, scale):
    torch.manual_seed(0)
    encoder = BoxEncoder(MLP(7, 6, (5,)), 7, 6, side)
    lower, upper = encoder(scale * torch.randn(20, 7))
    assert lower.shape == upper.shape == (20, 3)
    assert torch.isfinite(upper).all()
    assert (upper >= lower).all()
    if side == "sigmoid":
        assert (upper - lower <= 1 + 1e-3 * scale).all()


def test_outputs_are_centers_of_boxes_and_lower_corners_of_bounded_ones():
    body = torch.nn.Linear(1, 2)
    with torch.no_grad():
        body.weight[:] = 0
        body.bias[:] = torch.tensor([3.0, 0.0])  # position 3; sides exp(0), sigmoid(0)
    lower, upper = BoxEncoder(body, 1, 2, side="exp")(torch.zeros(1, 1))
    assert (lower.item(), upper.item()) == (2.5, 3.5)
    lower, upper = BoxEncoder(body, 1, 2, side="sigmoid")(torch.zeros(1, 1))
    assert (lower.item(), upper.item()) == (3.0, 3.5)


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


@pytest.mark.parametrize("side", ["softplus", "exp", "sigmoid"])
def test_outputs_of_boxes_are_those_that_make_them(side):
    lower = torch.randn(9, 3, dtype=torch.float64, generator=torch.manual_seed(0))
    upper = lower + 0.9 * torch.rand(9, 3, dtype=torch.float64) + 0.01
    encoder = BoxEncoder(torch.nn.Identity(), 6, 6, side)
    got = encoder(encoder.outputs_of(lower, upper), prepared=True)
    torch.testing.assert_close(got, (lower, upper))


def test_outputs_of_long_boxes_are_scaled_where_sides_are_bounded():
    lower, upper = torch.zeros(2, 1).double(), torch.tensor([[1e5], [10.0]]).double()
    for side, longest in (("softplus", 1e5), ("exp", np.exp(9)), ("sigmoid", 0.95)):
        encoder = BoxEncoder(torch.nn.Identity(), 2, 2, side)
        low, high = encoder(encoder.outputs_of(lower, upper), prepared=True)
        torch.testing.assert_close(high - low, upper * longest / 1e5)


@pytest.mark.parametrize("kind", ["mlp", "linear"])
@pytest.mark.parametrize(("before", "after"), [(5, 9), (5, 30)])
def test_a_network_that_reads_more_directions_gives_the_same_boxes(kind, before, after):
    rng = np.random.RandomState(0)
    X = rng.normal(size=(after, 20)) @ np.diag(10.0 ** rng.uniform(-3, 3, 20)) + 5
    offset, rotation = preparation(X[:before])  # of fewer tasks than features
    width = rotation.shape[1] if rotation.ndim == 2 else 20
    body = MLP(width, 4, (8,)) if kind == "mlp" else torch.nn.Linear(width, 4)
    encoder = BoxEncoder(body, 20, 4, offset=offset, rotation=rotation).double()
    rows = torch.from_numpy(X)
    # Of new tasks, what is outside of the old span did not count, and does not yet.
    old = [corner.detach() for corner in encoder(rows)]
    encoder.widen(X)
    for corner, same in zip(encoder(rows), old, strict=True):
        torch.testing.assert_close(corner, same)
    centred = X - X[:before].mean(axis=0)
    assert encoder.rotation.shape[1] == np.linalg.matrix_rank(centred)
    first = encoder.body[0] if kind == "mlp" else encoder.body
    encoder(rows)[1].sum().backward()
    assert (first.weight.grad[:, width:] != 0).any(dim=0).all()  # but it can learn from it


def test_a_network_reads_no_more_than_128_components():
    X = np.random.RandomState(0).normal(size=(200, 300))
    settings = {"hidden_layer_sizes": (8,), "normalization": None, "side": "softplus"}
    for kind in (np.asarray, sparse.csr_matrix):
        encoder = make_encoder(kind(X), "mlp", 2, **settings)
        assert encoder.body[0].in_features == encoder.read(kind(X)).shape[1] == 128
        before = encoder.rotation
        encoder.widen(X + 1)
        assert encoder.rotation is before


@pytest.mark.parametrize("block", [None, 50, 1])
@pytest.mark.parametrize("kind", ["dense", "wide", "sparse", "table", "sparse table"])
def test_outputs_of_a_whole_fit_are_those_of_each_row(kind, block, monkeypatch):
    rng = np.random.RandomState(0)
    if "table" in kind:
        X = np.eye(9)[rng.permutation(9)]
    else:  # fewer or more features than tasks: scaled, or rotated as well
        X = rng.normal(size=(9, 30 if kind == "wide" else 5)) + 3
    if "sparse" in kind:
        X = sparse.csr_matrix(X)
    encoder = make_encoder(
        X,
        "table" if "table" in kind else "mlp",
        2,
        hidden_layer_sizes=(8,),
        normalization="batch",
        side="softplus",
    )
    encoder.double().eval()
    if block is not None:  # blocks of some rows, or of a single one
        monkeypatch.setattr("sklearn_task2box.nets._encoders._BLOCK", block)
    with torch.no_grad():
        outputs = encoder.outputs(X)
        rows = torch.from_numpy(X.toarray() if sparse.issparse(X) else X)
        expected = encoder.body(rows if "table" in kind else encoder.prepare(rows))
        assert outputs.dtype == torch.float64
        assert outputs.shape == (9, 4)
        torch.testing.assert_close(outputs, expected, rtol=1e-12, atol=1e-12)
        corners = zip(encoder.boxes_of(outputs), encoder(rows), strict=True)
        for corner, same in corners:
            torch.testing.assert_close(corner, same, rtol=1e-12, atol=1e-12)
        assert encoder.outputs(X[:0]).shape == (0, 4)


def test_whole_numbers_have_outputs_in_double_precision():
    X = np.arange(15).reshape(5, 3) % 7
    encoder = BoxEncoder(torch.nn.Linear(3, 4), 3, 4, offset=torch.ones(3)).double()
    with torch.no_grad():
        torch.testing.assert_close(
            encoder.outputs(X.astype(np.float32)), encoder.outputs(X.astype(float))
        )


def test_a_table_grows():
    table = Table(3, 2)
    before = table.rows.weight.detach().clone()
    table.grow(torch.ones(2, 2, dtype=torch.float64))
    torch.testing.assert_close(
        table(torch.arange(5)), torch.cat([before, torch.ones(2, 2)])
    )
    assert table.rows.weight.requires_grad
