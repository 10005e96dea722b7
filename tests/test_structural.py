"""Structural ops and what is made of them: against NumPy, finite differences of orders 1 and 2, and JAX."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special

import gpugrad as gg
from gpugrad.ops import structural

jax.config.update("jax_enable_x64", True)
R = np.random.default_rng(3)


def a(*shape: int) -> np.ndarray:
    return R.uniform(0.5, 2.0, shape)


def distinct(*shape: int) -> np.ndarray:
    return R.permutation(np.arange(1.0, 1 + np.prod(shape, dtype=int))).reshape(shape) / 3


INDEX = np.array([[0, 2], [1, 0]])
# name, ours, NumPy's (the same function of np where None), arguments
CASES: list[tuple[str, Callable, Callable | None, list[np.ndarray]]] = [
    ("sum", lambda m, x: m.sum(x), None, [a(3, 4)]),
    ("sum axis", lambda m, x: m.sum(x, axis=1), None, [a(3, 4)]),
    ("sum axes keepdims", lambda m, x: m.sum(x, axis=(0, 2), keepdims=True), None, [a(2, 3, 4)]),
    ("sum negative axis", lambda m, x: m.sum(x, axis=-2), None, [a(2, 3, 4)]),
    ("sum nothing", lambda m, x: m.sum(x, axis=0), None, [a(0, 3)]),
    ("sum 0-d", lambda m, x: m.sum(x), None, [a()]),
    ("mean", lambda m, x: m.mean(x, axis=0), None, [a(3, 4)]),
    ("var", lambda m, x: m.var(x, axis=1, ddof=1), None, [a(3, 4)]),
    ("std", lambda m, x: m.std(x, axis=(0, 1)), None, [a(3, 4)]),
    ("prod", lambda m, x: m.prod(x, axis=1), None, [a(3, 5)]),
    ("prod all", lambda m, x: m.prod(x, keepdims=True), None, [a(2, 3)]),
    ("max", lambda m, x: m.max(x, axis=1), None, [distinct(3, 4)]),
    ("min", lambda m, x: m.min(x, axis=(0, 1), keepdims=True), None, [distinct(3, 4)]),
    ("cumsum", lambda m, x: m.cumsum(x, axis=1), None, [a(3, 4)]),
    ("cumsum flat", lambda m, x: m.cumsum(x), None, [a(3, 4)]),
    ("sort", lambda m, x: m.sort(x, axis=0), None, [distinct(4, 3)]),
    ("sort flat", lambda m, x: m.sort(x, axis=None), None, [distinct(4, 3)]),
    ("logsumexp", lambda m, x: m.logsumexp(x, axis=1), lambda x: scipy.special.logsumexp(x, axis=1), [a(3, 4)]),
    ("softmax", lambda m, x: m.softmax(x, axis=0), lambda x: scipy.special.softmax(x, axis=0), [a(3, 4)]),
    ("log_softmax", lambda m, x: m.log_softmax(x), lambda x: scipy.special.log_softmax(x, axis=-1), [a(3, 4)]),
    ("matmul", lambda m, x, y: m.matmul(x, y), None, [a(3, 4), a(4, 2)]),
    ("matmul vectors", lambda m, x, y: m.matmul(x, y), None, [a(4), a(4)]),
    ("matmul row", lambda m, x, y: m.matmul(x, y), None, [a(4), a(4, 2)]),
    ("matmul column", lambda m, x, y: m.matmul(x, y), None, [a(3, 4), a(4)]),
    ("matmul batch", lambda m, x, y: m.matmul(x, y), None, [a(5, 3, 4), a(5, 4, 2)]),
    ("matmul batch broadcast", lambda m, x, y: m.matmul(x, y), None, [a(2, 1, 3, 4), a(5, 4, 2)]),
    ("matmul batch vector", lambda m, x, y: m.matmul(x, y), None, [a(5, 3, 4), a(4)]),
    ("matmul vector batch", lambda m, x, y: m.matmul(x, y), None, [a(3), a(5, 3, 4)]),
    ("matmul nothing", lambda m, x, y: m.matmul(x, y), None, [a(3, 0), a(0, 2)]),
    ("dot", lambda m, x, y: m.dot(x, y), None, [a(2, 3, 4), a(5, 4, 2)]),
    ("dot scalar", lambda m, x, y: m.dot(x, y), None, [a(), a(3)]),
    ("tensordot", lambda m, x, y: m.tensordot(x, y, axes=([0, 1], [1, 0])), None, [a(3, 4, 2), a(4, 3, 5)]),
    ("einsum", lambda m, x, y: m.einsum("ij,jk->ki", x, y), None, [a(3, 4), a(4, 2)]),
    ("einsum implicit", lambda m, x, y: m.einsum("ij,jk", x, y), None, [a(3, 4), a(4, 2)]),
    ("einsum trace", lambda m, x: m.einsum("ii", x), None, [a(3, 3)]),
    ("einsum diagonal", lambda m, x: m.einsum("ii->i", x), None, [a(3, 3)]),
    ("einsum sum", lambda m, x: m.einsum("ijk->j", x), None, [a(2, 3, 4)]),
    ("einsum dots", lambda m, x, y: m.einsum("...ij,...jk->...ik", x, y), None, [a(2, 3, 4), a(4, 2)]),
    ("einsum three", lambda m, x, y, z: m.einsum("i,ij,j", x, y, z), None, [a(3), a(3, 4), a(4)]),
    ("reshape", lambda m, x: m.reshape(x, (4, -1)), None, [a(3, 4)]),
    ("ravel", lambda m, x: m.ravel(x), None, [a(3, 4)]),
    ("transpose", lambda m, x: m.transpose(x, (2, 0, 1)), None, [a(2, 3, 4)]),
    ("transpose all", lambda m, x: m.transpose(x), None, [a(2, 3, 4)]),
    ("swapaxes", lambda m, x: m.swapaxes(x, 0, -1), None, [a(2, 3, 4)]),
    ("moveaxis", lambda m, x: m.moveaxis(x, (0, 1), (-1, 0)), None, [a(2, 3, 4)]),
    ("expand_dims", lambda m, x: m.expand_dims(x, (0, -1)), None, [a(2, 3)]),
    ("squeeze", lambda m, x: m.squeeze(x), None, [a(1, 3, 1)]),
    ("broadcast_to", lambda m, x: m.broadcast_to(x, (2, 3, 4)), None, [a(3, 1)]),
    ("concatenate", lambda m, x, y: m.concatenate([x, y, x], axis=1), None, [a(2, 3), a(2, 1)]),
    ("concatenate flat", lambda m, x, y: m.concatenate([x, y], axis=None), None, [a(2, 3), a(4)]),
    ("stack", lambda m, x, y: m.stack([x, y], axis=-1), None, [a(2, 3), a(2, 3)]),
    ("split", lambda m, x: m.split(x, [1, 3], axis=1)[1], None, [a(2, 4)]),
    ("split equal", lambda m, x: m.split(x, 2)[0], None, [a(4, 2)]),
    ("index basic", lambda m, x: x[1, ..., ::2], None, [a(2, 3, 4)]),
    ("index negative step", lambda m, x: x[::-1, None, 1:], None, [a(3, 4)]),
    ("index integers", lambda m, x: x[INDEX], None, [a(3, 4)]),
    ("index mixed", lambda m, x: x[INDEX, 1:], None, [a(3, 4)]),
    ("index two arrays", lambda m, x: x[INDEX, INDEX.T], None, [a(3, 4)]),
    ("index boolean", lambda m, x: x[np.array([True, False, True])], None, [a(3, 4)]),
    ("index boolean full", lambda m, x: x[np.arange(12).reshape(3, 4) % 3 == 0], None, [a(3, 4)]),
    ("index split arrays", lambda m, x: x[[0, 1], :, [1, 1]], None, [a(2, 3, 4)]),
    ("take", lambda m, x: m.take(x, INDEX, axis=1), None, [a(3, 4)]),
    ("take flat", lambda m, x: m.take(x, INDEX), None, [a(3, 4)]),
    ("take_along_axis", lambda m, x: m.take_along_axis(x, np.array([[0, 0], [1, 2], [3, 3]]), 1), None, [a(3, 4)]),
    ("pad", lambda m, x: m.pad(x, ((1, 2), (0, 1))), None, [a(2, 3)]),
    ("pad value", lambda m, x: m.pad(x, 1, constant_values=7), None, [a(3)]),
    *[(f"pad {mode}", lambda m, x, mode=mode: m.pad(x, (2, 1), mode=mode), None, [a(4)])
      for mode in ("edge", "reflect", "symmetric", "wrap")],
    ("flip", lambda m, x: m.flip(x, 1), None, [a(2, 3)]),
    ("flip all", lambda m, x: m.flip(x), None, [a(2, 3)]),
    ("roll", lambda m, x: m.roll(x, -1, axis=1), None, [a(2, 3)]),
    ("roll flat", lambda m, x: m.roll(x, 2), None, [a(2, 3)]),
    ("roll axes", lambda m, x: m.roll(x, (1, 2), axis=(0, 1)), None, [a(2, 3)]),
    ("tile", lambda m, x: m.tile(x, (2, 1, 3)), None, [a(2, 3)]),
    ("repeat", lambda m, x: m.repeat(x, [1, 0, 2], axis=1), None, [a(2, 3)]),
    ("repeat flat", lambda m, x: m.repeat(x, 2), None, [a(2, 3)]),
    ("clip", lambda m, x: m.clip(x, 0.9, 1.4), None, [a(7)]),
    ("clip below", lambda m, x: m.clip(x, 0.9, None), None, [a(7)]),
    ("where", lambda m, x, y: m.where(x > y, x, y), None, [a(3, 4), a(4)]),
    ("round", lambda m, x: m.round(x, 1), None, [a(7)]),
]  # fmt: skip


@pytest.mark.parametrize(("ours", "theirs", "args"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
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
    ("ours", "args"), [(c[1], c[3]) for c in CASES if c[2] is None], ids=[c[0] for c in CASES if c[2] is None]
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


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize(("ours", "args"), [(c[1], c[3]) for c in CASES], ids=[c[0] for c in CASES])
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
        y.detach().numpy().astype(float), exact.numpy(), rtol=1e-5 if dtype == "float32" else 2e-2, atol=1e-5
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


@pytest.mark.parametrize(("ours", "args"), [(c[1], c[3]) for c in CASES], ids=[c[0] for c in CASES])
def test_forward_mode_is_the_transpose_of_reverse(ours: Callable, args: list[np.ndarray]) -> None:
    r = np.random.default_rng(8)
    f = lambda *xs: gg.square(ours(gg, *xs))  # noqa: E731
    ts = [r.standard_normal(x.shape) for x in args]
    y, pull = gg.vjp(f, *args)
    w = r.standard_normal(y.shape)
    expected = sum(float((g.numpy() * t).sum()) for g, t in zip(pull(w), ts, strict=True))
    value, tangent = gg.jvp(f, args, ts)
    np.testing.assert_array_equal(value.numpy(), y.numpy())
    np.testing.assert_allclose((tangent.numpy() * w).sum(), expected, rtol=1e-11, atol=1e-11)
    # recorded, the same tangent comes from values instead of a tangent plan
    traced = gg.jvp(f, args, [gg.tensor(t, requires_grad=True) for t in ts])[1]
    np.testing.assert_allclose(traced.detach().numpy(), tangent.numpy(), rtol=1e-12, atol=1e-13)


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
