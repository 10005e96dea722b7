"""Structural ops and what is made of them: against NumPy, finite differences of orders 1 and 2, and JAX."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from composed_cases import COMPOSED
from helpers import leaf
from structural_cases import CASES, R

import gpugrad as gg
from gpugrad.ops import structural

jax.config.update("jax_enable_x64", True)
ALL = CASES + COMPOSED


@pytest.mark.parametrize(("ours", "theirs", "args"), [c[1:] for c in ALL], ids=[c[0] for c in ALL])
def test_values_gradients_and_second_order(ours: Callable, theirs: Callable | None, args: list[np.ndarray]) -> None:
    reference = theirs or (lambda *xs: ours(np, *xs))
    expected = np.asarray(reference(*args))
    xs = [gg.tensor(x, requires_grad=True) for x in args]
    y = ours(gg, *xs)
    np.testing.assert_allclose(y.detach().numpy(), expected, rtol=1e-13, atol=1e-14)
    assert y.shape == expected.shape
    # order 1: <w, dy> against the difference along a random direction; order 2: the same of the gradient
    w = np.random.default_rng(5).uniform(0.5, 1.5, y.shape)
    square = lambda t: t * t * 0.5 + t  # noqa: E731  # so that the second order is not 0
    for n in range(len(args)):
        d = np.random.default_rng(6).standard_normal(args[n].shape)
        (g,) = gg.autograd.grad((square(y) * w).sum(), xs[n], create_graph=True)
        moved = [[x + s * 1e-5 * d if k == n else x for k, x in enumerate(args)] for s in (1, -1)]

        def value(at: list[np.ndarray]) -> float:
            return float((square(np.asarray(reference(*at))) * w).sum())

        slope = (value(moved[0]) - value(moved[1])) / 2e-5
        np.testing.assert_allclose((g.detach().numpy() * d).sum(), slope, rtol=1e-6, atol=1e-7)
        if not g.requires_grad:
            continue
        (h,) = gg.autograd.grad((g * d).sum(), xs[n], retain_graph=True, allow_unused=True)

        def gradient(at: list[np.ndarray], n: int = n) -> np.ndarray:
            ts = [gg.tensor(x, requires_grad=True) for x in at]
            return gg.autograd.grad((square(ours(gg, *ts)) * w).sum(), ts[n])[0].numpy()

        curvature = (gradient(moved[0]) - gradient(moved[1])) / 2e-5
        np.testing.assert_allclose(0 if h is None else h.numpy(), curvature, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("ours", "args"), [(c[1], c[3]) for c in ALL if c[2] is None], ids=[c[0] for c in ALL if c[2] is None]
)
def test_gradients_against_jax(ours: Callable, args: list[np.ndarray]) -> None:
    def f(*xs: jax.Array) -> jax.Array:
        try:
            return (ours(jnp, *xs) ** 2).sum()
        except TypeError as e:  # JAX takes no lists as indices
            if "list" in str(e) or "Using a non-tuple" in str(e):
                pytest.skip("JAX refuses lists as indices")
            raise

    expected = jax.grad(f, argnums=tuple(range(len(args))))(*map(jnp.asarray, args))
    xs = [gg.tensor(x, requires_grad=True) for x in args]
    (ours(gg, *xs) ** 2).sum().backward()
    for x, e in zip(xs, expected, strict=True):
        np.testing.assert_allclose(x.grad.numpy(), e, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize(("ours", "args"), [(c[1], c[3]) for c in COMPOSED], ids=[c[0] for c in COMPOSED])
def test_numpys_own_function_takes_tensors(ours: Callable, args: list[np.ndarray]) -> None:
    xs = [gg.tensor(x, requires_grad=True) for x in args]
    y, same = ours(np, *xs), ours(gg, *xs)
    assert isinstance(y, gg.Tensor)
    np.testing.assert_array_equal(y.detach().numpy(), same.detach().numpy())
    assert y.requires_grad


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize(("ours", "args"), [(c[1], c[3]) for c in ALL], ids=[c[0] for c in ALL])
def test_dtypes_are_kept(ours: Callable, args: list[np.ndarray], dtype: str) -> None:
    xs = [gg.tensor(x, dtype=dtype, requires_grad=True) for x in args]
    y = ours(gg, *xs)
    assert y.dtype == dtype
    y.backward(gg.ones_like(y))
    for x in xs:
        assert x.grad.dtype == dtype
        assert x.grad.shape == x.shape
    exact = ours(gg, *map(gg.tensor, args))
    np.testing.assert_allclose(
        y.detach().numpy().astype(float),
        exact.numpy(),
        **({"rtol": 1e-5, "atol": 1e-5} if dtype == "float32" else {"rtol": 2e-2, "atol": 2e-3}),
    )


def test_what_has_no_gradient() -> None:
    x = np.array([[3.0, 1.0, 2.0], [0.0, 5.0, 0.0]])
    t = gg.tensor(x, requires_grad=True)
    for name in ("argmax", "argmin"):
        for axis in (None, 0, 1):
            assert getattr(gg, name)(t, axis).tolist() == getattr(np, name)(x, axis).tolist()
        assert getattr(gg, name)(t, 1, keepdims=True).shape == (2, 1)
    assert gg.argsort(t).tolist() == np.argsort(x, kind="stable").tolist()
    assert [i.tolist() for i in gg.nonzero(t)] == [i.tolist() for i in np.nonzero(x)]
    assert [i.tolist() for i in gg.where(t > 1)] == [i.tolist() for i in np.where(x > 1)]
    assert (gg.any(t, 0).tolist(), gg.all(t, 1).tolist()) == (np.any(x, 0).tolist(), np.all(x, 1).tolist())
    assert gg.all(gg.ones((0,))).item() is True
    assert gg.any(gg.ones((0,))).item() is False
    assert not gg.argmax(t).requires_grad
    assert (t > 1).any().item() is True


def test_integer_results_as_numpy() -> None:
    x = np.array([[1, 2], [3, 4]], dtype=np.int32)
    t = gg.tensor(x)
    for name in ("sum", "prod", "max", "mean", "cumsum", "var"):
        ours, theirs = getattr(gg, name)(t), getattr(np, name)(x)
        assert ours.dtype == theirs.dtype
        assert ours.tolist() == theirs.tolist()
    assert gg.sum(gg.tensor([True, True])).item() == 2
    assert (t @ t).tolist() == (x @ x).tolist()
    assert np.isnan(gg.mean(gg.ones(0)).item())


def test_duplicate_indices_accumulate_exactly() -> None:
    index = R.integers(0, 7, 1000)
    x = gg.tensor(np.zeros((7, 3)), requires_grad=True)
    w = R.standard_normal((1000, 3))
    (x[index] * w).sum().backward()
    expected = np.zeros((7, 3))
    np.add.at(expected, index, w)
    np.testing.assert_allclose(x.grad.numpy(), expected, rtol=1e-12)
    y = gg.tensor(np.zeros(7), requires_grad=True)
    y[index].sum().backward()
    assert y.grad.tolist() == np.bincount(index, minlength=7).tolist()
    z = gg.tensor(np.zeros(7), requires_grad=True)
    (z[-1] + z[[-1, 6]].sum()).backward()
    assert z.grad.tolist() == [0, 0, 0, 0, 0, 0, 3]


def test_ties_share_the_gradient_evenly_also_in_half_precision() -> None:
    x = gg.tensor(np.ones(4), dtype="float16", requires_grad=True)
    gg.max(x).backward()
    assert x.grad.tolist() == [0.25] * 4
    x = gg.tensor([1.0, np.nan, 3.0], requires_grad=True)
    gg.max(x).backward()
    assert x.grad.tolist() == [0, 1, 0]


def test_product_with_zeros_at_every_order() -> None:
    x = gg.tensor([0.0, 0.0, 2.0, 3.0], requires_grad=True)
    (g,) = gg.autograd.grad(gg.prod(x), x, create_graph=True)
    assert g.tolist() == [0, 0, 0, 0]
    (h,) = gg.autograd.grad(g[0], x)
    assert h.tolist() == [0, 6, 0, 0]


def test_softmax_family_at_infinity() -> None:
    x = gg.tensor([-np.inf, 0.0, 1000.0], requires_grad=True)
    assert gg.softmax(x).tolist() == [0, 0, 1]
    assert gg.logsumexp(gg.tensor([-np.inf, -np.inf])).item() == -np.inf
    gg.logsumexp(x).backward()
    assert x.grad.tolist() == [0, 0, 1]


def test_methods_are_the_functions() -> None:
    x = gg.tensor([[1.0, 4.0], [9.0, 16.0]])
    assert x.sqrt().sum(axis=0).tolist() == [4, 6]
    assert x.mean().item() == 7.5
    assert x.reshape((4,)).shape == x.reshape(4).shape == x.flatten().shape == (4,)
    assert x.transpose(1, 0).tolist() == x.transpose().tolist() == x.T.tolist()
    assert x.clip(2, 10).max().item() == 10
    assert abs(-x).tolist() == x.tolist()
    assert x.dot(x).tolist() == (x @ x).tolist()
    assert x.argmax().item() == 3


@pytest.mark.parametrize("op", [o for o in structural.TABLE.values() if o.rule is not None], ids=lambda o: o.name)
def test_every_op_has_a_tangent(op: structural.StructuralOp) -> None:
    """What can be differentiated in reverse can be forward, too: it is linear, or declares a jvp."""
    assert op.linear in ("", "each", "jointly")
    assert bool(op.linear) != (op.tangent_rule is not None)


@pytest.mark.parametrize(("ours", "args"), [(c[1], c[3]) for c in ALL], ids=[c[0] for c in ALL])
def test_forward_mode_is_the_transpose_of_reverse(ours: Callable, args: list[np.ndarray]) -> None:
    r = np.random.default_rng(8)
    f = lambda *xs: gg.square(ours(gg, *xs))  # noqa: E731
    ts = [r.standard_normal(x.shape) for x in args]
    y, pull = gg.vjp(f, *args)
    w = r.standard_normal(y.shape)
    expected = sum(float((g * t).sum()) for g, t in zip(pull(w), ts, strict=True))
    value, tangent = gg.jvp(f, args, ts)
    np.testing.assert_array_equal(value, y)
    np.testing.assert_allclose((tangent * w).sum(), expected, rtol=1e-11, atol=1e-11)
    # recorded, the same tangent comes from values instead of a tangent plan
    traced = gg.jvp(f, args, [gg.tensor(t, requires_grad=True) for t in ts])[1]
    np.testing.assert_allclose(traced.detach().numpy(), tangent, rtol=1e-12, atol=1e-13)


def test_tangents_carry_masks_as_gradients_do() -> None:
    """An element that did not take part contributes 0 forward, too, where its local gradient is infinite."""
    x, t = np.array([0.0, 4.0]), np.array([1.0, 8.0])
    for f in (
        lambda x: gg.where(x > 0, gg.sqrt(x), 0.0),
        lambda x: gg.sqrt(gg.where(x > 0, x, 0.0)),
        lambda x: gg.sqrt(gg.reshape(gg.where(x > 0, x, 0.0), (2, 1))).reshape(2),  # across regions
        lambda x: gg.sqrt(gg.concatenate([np.zeros(1), x[1:]])),  # what is joined to it has no tangent
    ):
        assert gg.jvp(f, (x,), (t,))[1].tolist() == [0, 2]
        traced = gg.jvp(f, (x,), (gg.tensor(t, requires_grad=True),))[1]
        assert traced.tolist() == [0, 2]


def test_einsum_takes_the_diagonal_and_broadcasts() -> None:
    m = [[1.0, np.inf], [np.nan, 2.0]]
    assert gg.einsum("ii", m).item() == 3
    assert gg.einsum("ii->i", m).tolist() == [1, 2]
    t = np.arange(27.0).reshape(3, 3, 3)
    assert gg.einsum("iji->j", t).tolist() == np.einsum("iji->j", t).tolist()
    assert gg.einsum("iii", t).item() == np.einsum("iii", t)
    assert gg.einsum("ij,jk->ik", np.ones((2, 1)), np.ones((0, 3))).tolist() == [[0, 0, 0], [0, 0, 0]]


def test_duplicates_in_half_precision_do_not_saturate() -> None:
    w = leaf([0.0], "float16")
    w[np.zeros(5000, int)].sum().backward()
    assert w.grad.tolist() == [5000]


def test_small_integer_indices() -> None:
    w = gg.zeros((300, 2), requires_grad=True)
    w[np.array([1, 250], np.uint8)].sum().backward()
    assert w.grad.sum().item() == 4


def test_softmax_of_nothing() -> None:
    assert gg.softmax(gg.zeros((3, 0))).shape == (3, 0)
    assert gg.log_softmax(gg.zeros((3, 0))).shape == (3, 0)
    assert gg.logsumexp(gg.zeros((2, 0)), axis=1).tolist() == [-np.inf, -np.inf]


def test_numpy_integers_are_axes_counts() -> None:
    assert gg.tensordot(gg.ones(2), gg.ones(2), np.int64(1)).item() == 2
