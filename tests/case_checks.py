"""What holds for every function of tensors: values, gradients of orders 1 and 2, dtypes, and both modes."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gpugrad as gg

jax.config.update("jax_enable_x64", True)


def check_values(ours: Callable, theirs: Callable | None, args: list[np.ndarray]) -> None:
    """The value against NumPy's, gradients of orders 1 and 2 against finite differences."""
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


def check_against_jax(ours: Callable, args: list[np.ndarray]) -> None:
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


def check_dtype(ours: Callable, args: list[np.ndarray], dtype: str) -> None:
    """Operands of one dtype give values and gradients of it, near those of float64."""
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


def check_forward(ours: Callable, args: list[np.ndarray]) -> None:
    """Forward mode is the transpose of reverse mode."""
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
