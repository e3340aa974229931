"""Losses of many pairs, against the functions of geometry and finite differences."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pretended import PretendedCuda
from torch_modes import CalledOperations, LargestTensor

from sklearn_task2box.boxes import _pair_loss, intersection, log_volume
from sklearn_task2box.boxes._pair_loss import PairList, PairTable, pairs_loss
from sklearn_task2box.nets._objectives import CrossEntropy, SquaredError

TEMPERATURE = 0.3


class Scaled(torch.nn.Module):
    """A custom loss with a parameter; infinite for a box in itself at edge=0."""

    def __init__(self, edge=0.01):
        super().__init__()
        self.edge = edge
        self.scale = torch.nn.Parameter(torch.tensor(2.0, dtype=torch.float64))

    def forward(self, log_overlap, strengths):
        return self.scale * (
            strengths * log_overlap**2 - torch.log(self.edge - log_overlap)
        )


def problem(n, dim, seed=0, share=0.3):
    """Corners, and the listed pairs: heads, tails, strengths, weights."""
    rng = np.random.RandomState(seed)
    # Corners on a grid coincide now and then; half of the weights are 0.
    center = rng.randint(-60, 60, size=(n, dim)) / 32 * rng.choice([0.5, 16])
    side = rng.randint(1, 48, size=(n, dim)) / 16
    heads, tails = np.nonzero((rng.uniform(size=(n, n)) < share) & ~np.eye(n, dtype=bool))
    strengths = rng.choice([0, 0.3, 1], size=len(heads))
    weights = rng.uniform(size=len(heads)) * rng.choice([0, 1], size=len(heads))
    weights[:1] = 1  # at least one pair counts
    corners = center - side / 2, center + side / 2
    return [torch.from_numpy(c).requires_grad_() for c in corners], (
        heads,
        tails,
        strengths.astype(np.float32),
        weights.astype(np.float32),
    )


def as_list(listed, **options):
    heads, tails, strengths, weights = (torch.from_numpy(a) for a in listed)
    return PairList(heads, tails, strengths.double(), weights.double(), **options)


def plain(lower, upper, strengths, weights, loss, heads=None, tails=None, exponent=1.0):
    """The loss in one expression, differentiated by autograd."""
    if heads is None:
        heads, tails = torch.nonzero(weights, as_tuple=True)
        strengths, weights = strengths[heads, tails], weights[heads, tails]
    shared = intersection(lower[heads], upper[heads], lower[tails], upper[tails])
    own = log_volume(lower[heads], upper[heads], TEMPERATURE)
    overlap = log_volume(*shared, TEMPERATURE) - own
    # Rounding may make a contained box too large; that must not stop its gradient.
    overlap = overlap + (overlap.clamp(max=0) - overlap).detach()
    losses = loss(exponent * overlap, strengths)
    return (losses * weights).sum() / weights.sum()


def assert_same(got, want, variables):
    """The same value, and the same gradients."""
    torch.testing.assert_close(got, want)
    for ours, theirs in zip(
        torch.autograd.grad(got, variables),
        torch.autograd.grad(want, variables),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs, atol=1e-12, rtol=1e-6)


def full(n, listed):
    strengths, weights = torch.zeros(n, n).double(), (1 - torch.eye(n)).double()
    heads, tails, values, weight = (torch.from_numpy(a) for a in listed)
    strengths[heads, tails], weights[heads, tails] = values.double(), weight.double()
    return strengths, weights


@pytest.mark.parametrize("loss", [CrossEntropy(), SquaredError(), Scaled()])
@given(
    n=st.integers(2, 25),
    dim=st.integers(1, 7),
    block=st.integers(1, 3000),
    seed=st.integers(0, 1000),
    exponent=st.sampled_from([1.0, 0.2, 2.5]),
)
def test_table_equals_autograd_for_any_block_size(loss, n, dim, block, seed, exponent):
    (lower, upper), listed = problem(n, dim, seed)
    variables = [lower, upper, *loss.parameters()]
    table = PairTable(n, *listed, block=block)
    got = pairs_loss(lower, upper, TEMPERATURE, table, loss, exponent)
    want = plain(lower, upper, *full(n, listed), loss, exponent=exponent)
    assert_same(got, want, variables)


@given(
    n=st.integers(2, 12),
    n_last=st.integers(0, 12),
    block=st.integers(1, 3000),
    seed=st.integers(0, 1000),
)
def test_pairs_among_last_tasks_are_skipped_where_none_counts(n, n_last, block, seed):
    n_all = n + n_last
    (lower, upper), listed = problem(n_all, 3, seed)
    strengths, weights = full(n_all, listed)
    weights[n:, n:] = 0
    ends = np.nonzero(~np.eye(n_all, dtype=bool))
    table = PairTable(n_all, *ends, strengths[ends], weights[ends], block=block)
    assert table.n_rows <= (n if n_last > 1 else n_all)
    got = pairs_loss(lower, upper, TEMPERATURE, table, CrossEntropy())
    want = plain(lower, upper, strengths, weights, CrossEntropy())
    assert_same(got, want, [lower, upper])


def test_no_rows_are_skipped_where_all_pairs_count():
    _, (heads, tails, strengths, weights) = problem(20, 3)
    assert PairTable(20, heads, tails, strengths, np.ones_like(weights)).n_rows == 20


@pytest.mark.parametrize("loss", [CrossEntropy(), SquaredError(), Scaled()])
@pytest.mark.parametrize("block", [1, 17, 10**6])
@pytest.mark.parametrize("exponent", [1.0, 0.2])
def test_list_equals_autograd(loss, block, exponent):
    (lower, upper), listed = problem(20, 3)
    variables = [lower, upper, *loss.parameters()]
    pairs = as_list(listed, block=block)
    got = pairs_loss(lower, upper, TEMPERATURE, pairs, loss, exponent)
    columns = pairs.strengths, pairs.weights, loss, pairs.heads, pairs.tails
    want = plain(lower, upper, *columns, exponent=exponent)
    assert_same(got, want, variables)


@pytest.mark.parametrize("kind", ["table", "list"])
def test_gradients_agree_with_finite_differences(kind):
    (lower, upper), listed = problem(6, 2, share=0.4)
    noise = torch.rand(2, 6, 2, dtype=torch.float64, generator=torch.manual_seed(0)) / 7
    corners = [(c + e).detach().requires_grad_() for c, e in zip((lower, upper), noise)]  # noqa: B905
    pairs = PairTable(6, *listed, block=20) if kind == "table" else as_list(listed, block=6)
    assert torch.autograd.gradcheck(
        lambda low, high: pairs_loss(low, high, TEMPERATURE, pairs, CrossEntropy()), corners
    )


def test_loss_of_distant_and_huge_boxes_is_finite_and_attracts_them():
    lower = torch.tensor([[0.0] * 6, [1e4] * 6, [-1e9] * 6], requires_grad=True)
    upper = torch.tensor([[1.0] * 6, [1e4 + 1] * 6, [1e9] * 6], requires_grad=True)
    table = PairTable(3, [0, 0], [1, 2], [1, 0], [1, 1])
    loss = pairs_loss(lower, upper, 1e-3, table, CrossEntropy())
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(lower.grad).all()
    assert upper.grad[0].min() < 0 < lower.grad[1].max()


def test_infinite_losses_of_pairs_that_do_not_count_are_ignored():
    lower = torch.arange(4.0, dtype=torch.float64)[:, None].requires_grad_()
    table = PairTable(4, [0, 1], [1, 0], [1, 0], [1, 0])
    loss = pairs_loss(lower, lower + 0.5, TEMPERATURE, table, Scaled(edge=0))
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(lower.grad).all()


def test_table_in_float32_agrees_with_float64():
    (lower, upper), listed = problem(40, 5)
    table = PairTable(40, *listed)
    exact = pairs_loss(lower, upper, TEMPERATURE, table, CrossEntropy())
    single = pairs_loss(lower.float(), upper.float(), TEMPERATURE, table, CrossEntropy())
    assert single.dtype == torch.float32
    torch.testing.assert_close(single, exact.float(), rtol=1e-4, atol=0)


@pytest.fixture
def loops(monkeypatch):
    """Switch between Numba's loops and operations of torch."""
    pytest.importorskip("numba")

    def use(compiled):
        monkeypatch.setattr(_pair_loss, "_has_numba", lambda: compiled)

    return use


def gradients(lower, upper, table, loss, exponent, dtype):
    """The loss in a precision, and its gradients in the corners."""
    corners = [c.detach().to(dtype).requires_grad_() for c in (lower, upper)]
    value = pairs_loss(*corners, TEMPERATURE, table, loss, exponent)
    return [value.detach(), *torch.autograd.grad(value, corners)]


@pytest.mark.parametrize("loss", [CrossEntropy(), SquaredError()])
@pytest.mark.parametrize("exponent", [1.0, 0.2])
@pytest.mark.parametrize("dim", [1, 2, 3, 5, 8])
def test_compiled_loops_give_the_numbers_of_torch_to_rounding(loops, loss, exponent, dim):
    (lower, upper), listed = problem(60, dim, seed=dim)
    table = PairTable(60, *listed)
    settings = table, loss, exponent
    loops(compiled=False)
    exact = gradients(lower, upper, *settings, torch.float64)
    plain = gradients(lower, upper, *settings, torch.float32)
    loops(compiled=True)
    fast = gradients(lower, upper, *settings, torch.float32)
    for ours, torchs, true in zip(fast, plain, exact, strict=True):
        error, usual = ((got.double() - true).abs().max() for got in (ours, torchs))
        # Where overlaps are below exp(-40), their gradients are so, too.
        assert error <= 3 * usual + 1e-5 * true.abs().max() + 1e-15


def test_compiled_loops_skip_pairs_among_last_tasks(loops):
    (lower, upper), listed = problem(30, 3)
    strengths, weights = full(30, listed)
    weights[20:, 20:] = 0
    ends = np.nonzero(~np.eye(30, dtype=bool))
    table = PairTable(30, *ends, strengths[ends], weights[ends])
    assert table.n_rows == 20
    found = []
    for compiled in (False, True):
        loops(compiled=compiled)
        found.append(gradients(lower, upper, table, CrossEntropy(), 1.0, torch.float32))
    torch.testing.assert_close(*found, rtol=1e-4, atol=1e-5)


def test_compiled_loops_give_the_same_numbers_with_any_number_of_threads(loops):
    n = 1200
    rng = np.random.RandomState(0)
    lower = torch.from_numpy(rng.normal(size=(n, 3)))
    table = PairTable(n, *(np.arange(n) + [[0], [1]]) % n, np.ones(n), np.ones(n))
    loops(compiled=True)
    before, found = torch.get_num_threads(), []
    try:
        for n_threads in (1, 3):
            torch.set_num_threads(n_threads)
            settings = table, CrossEntropy(), 1.0, torch.float32
            found.append(gradients(lower, lower + 1, *settings))
    finally:
        torch.set_num_threads(before)
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


@pytest.mark.parametrize("compiled", [False, True])
def test_a_contained_unrelated_box_has_no_gradient_but_rounding_of_none(loops, compiled):
    rng = np.random.RandomState(0)
    inner = torch.from_numpy(rng.uniform(0.2, 0.4, size=(1, 5)))
    corners = [torch.cat([inner, 0 * inner]), torch.cat([inner + 0.3, 0 * inner + 1])]
    table = PairTable(2, [1], [0], [0], [0])  # the outer one in the inner does not count
    loops(compiled=compiled)
    loss = CrossEntropy()
    _, lower, upper = gradients(*corners, table, loss, 1.0, torch.float32)
    assert lower.tolist() == upper.tolist() == [[0] * 5] * 2


def test_compiled_loops_find_the_same_pairs_that_are_mostly_inside(loops):
    rng = np.random.RandomState(0)
    lower = torch.from_numpy(rng.randint(0, 5, size=(50, 3)) / 8).float()
    upper = lower + torch.from_numpy(rng.randint(1, 6, size=(50, 3)) / 8).float()
    heads, tails = rng.randint(50, size=(2, 300))
    kept = heads != tails
    ones = np.ones(kept.sum())
    table, found = PairTable(50, heads[kept], tails[kept], ones, ones), []
    for compiled in (False, True):
        loops(compiled=compiled)
        found.append(set(zip(*(e.tolist() for e in table.mostly_inside(lower, upper)))))  # noqa: B905
    assert found[0] == found[1]
    assert len(found[0]) > 20
    assert not found[0] & set(zip(heads.tolist(), tails.tolist(), strict=True))


def test_a_loss_without_a_formula_is_computed_by_torch(loops):
    loops(compiled=True)
    (lower, upper), listed = problem(20, 3)
    found = [
        gradients(lower, upper, PairTable(20, *listed), Scaled(), 1.0, dtype)
        for dtype in (torch.float64, torch.float32)
    ]
    torch.testing.assert_close(found[0][0], found[1][0].double(), rtol=1e-4, atol=0)


def test_related_pairs_have_positive_strength_and_weight():
    listed = [0, 1, 2], [1, 2, 0], [1.0, 0.0, 0.5], [1.0, 1.0, 0.0]
    arrays = [np.array(a) for a in listed]
    for pairs in (PairTable(3, *arrays), PairList(*map(torch.from_numpy, arrays))):
        heads, tails = pairs.related()
        assert (heads.tolist(), tails.tolist()) == ([0], [1])


@pytest.mark.parametrize("block", [20_000, 100_000])
def test_memory_is_bounded_by_the_block(block):
    n, dim = 500, 3
    lower = torch.rand(n, dim)
    table = PairTable(n, [0], [1], [1], [1], block=block)
    listed = torch.arange(n).repeat(200), torch.randint(n, (200 * n,))
    pairs = PairList(*listed, torch.ones(200 * n), torch.ones(200 * n), block=block)
    for one, itself in ((table, 0), (pairs, 200 * n)):  # numbers of the list itself
        with LargestTensor() as largest:
            pairs_loss(lower, lower + 1, TEMPERATURE, one, CrossEntropy())
        assert largest.numbers <= max(block, itself)


def test_sums_over_listed_pairs_use_deterministic_operations_on_cuda():
    (lower, upper), listed = problem(20, 3)
    here = pairs_loss(lower, upper, TEMPERATURE, as_list(listed), CrossEntropy())
    corners = [c.detach() for c in (lower, upper)]
    with PretendedCuda(), CalledOperations() as calls:
        moved = [c.to("cuda").requires_grad_() for c in corners]
        ends = [torch.from_numpy(a).to("cuda") for a in listed]
        pairs = PairList(*ends[:2], *(a.double() for a in ends[2:]))
        there = pairs_loss(*moved, TEMPERATURE, pairs, CrossEntropy())
        gradients = torch.autograd.grad(there, moved)
    assert "index_put_" in calls.names
    assert not any(name.startswith("index_add") for name in calls.names)
    for one, other in zip(
        torch.autograd.grad(here, [lower, upper]), gradients, strict=True
    ):
        torch.testing.assert_close(one, other)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_sums_over_listed_pairs_are_reproducible_on_a_cuda_device():
    (lower, upper), listed = problem(300, 3)
    corners = [c.detach().cuda().float().requires_grad_() for c in (lower, upper)]
    heads, tails, strengths, weights = (torch.from_numpy(a).cuda() for a in listed)
    pairs = PairList(heads, tails, strengths, weights)
    found = [
        torch.autograd.grad(
            pairs_loss(*corners, TEMPERATURE, pairs, CrossEntropy()), corners
        )
        for _ in range(5)
    ]
    for again in found[1:]:
        for one, other in zip(found[0], again, strict=True):
            assert torch.equal(one, other)
