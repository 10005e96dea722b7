"""Every row of the op table: derivatives of orders 1 and 2, forward and reverse, at kinks and edges, and by other libraries."""

from __future__ import annotations

import math

import jax
import jax.nn
import jax.numpy as jnp
import jax.scipy.special
import numpy as np
import pytest
from helpers import SMOOTH, call, central, differentiable, gradients, ids, independent, same_bits, sample

import gpugrad as gg
from gpugrad.ops.op import TABLE, Op

jax.config.update("jax_enable_x64", True)


@pytest.mark.parametrize("op", SMOOTH, ids=ids)
def test_gradient_against_finite_differences(op: Op, rng: np.random.Generator) -> None:
    args = sample(op, rng)
    upstream = rng.uniform(0.5, 1.5, args[0].shape)
    got = gradients(lambda *xs: call(op, *xs), args, upstream)
    for g, n in zip(got, differentiable(op), strict=True):
        expected = upstream * central(lambda *a: call(op, *map(gg.tensor, a)).numpy(), args, n)
        np.testing.assert_allclose(g, expected, rtol=2e-6, atol=1e-8)


def first(op: Op, n: int):
    """The gradient of an op in operand n, as a function of arrays."""

    def f(*args: np.ndarray) -> np.ndarray:
        xs = [gg.tensor(a, requires_grad=a.dtype.kind == "f") for a in args]
        return gg.autograd.grad(call(op, *xs).sum(), xs[n])[0].numpy()

    return f


@pytest.mark.parametrize("op", SMOOTH, ids=ids)
def test_second_order(op: Op, rng: np.random.Generator) -> None:
    check_second_order(op, sample(op, rng))


def check_second_order(op: Op, args: list[np.ndarray], rtol: float = 2e-5) -> None:
    for n in differentiable(op):
        xs = [gg.tensor(a, requires_grad=a.dtype.kind == "f") for a in args]
        (g,) = gg.autograd.grad(call(op, *xs).sum(), xs[n], create_graph=True)
        inputs = [xs[k] for k in differentiable(op)]
        second = gg.autograd.grad(g.sum(), inputs, allow_unused=True) if g.requires_grad else [None] * len(inputs)
        for k, s in zip(differentiable(op), second, strict=True):
            expected = central(first(op, n), args, k)
            np.testing.assert_allclose(
                np.zeros_like(expected) if s is None else s.numpy(), expected, rtol=rtol, atol=2e-6
            )


@pytest.mark.parametrize("op", [o for o in SMOOTH if o.edges], ids=ids)
def test_orders_one_and_two_at_the_edges(op: Op) -> None:
    points = [p if isinstance(p, tuple) else (p,) for p in op.edges]
    args = [np.array([p[n] for p in points]) for n in range(op.arity)]
    got = gradients(lambda *xs: call(op, *xs), args)
    for n, g in enumerate(got):
        np.testing.assert_allclose(
            g, central(lambda *a: call(op, *map(gg.tensor, a)).numpy(), args, n), rtol=1e-6, atol=1e-8
        )
    check_second_order(op, args)


@pytest.mark.parametrize("op", [o for o in SMOOTH if o.kinks], ids=ids)
def test_kinks_have_finite_gradients(op: Op) -> None:
    points = [p if isinstance(p, tuple) else (p,) for p in op.kinks]
    args = [np.array([p[n] for p in points]) for n in range(op.arity)]
    for g in gradients(lambda *xs: call(op, *xs), args):
        assert np.isfinite(g).all()


@pytest.mark.parametrize(
    ("op", "point", "expected"),
    [("absolute", (0.0,), (0,)), ("sign", (0.0,), (0,)), ("relu", (0.0,), (0,)), ("leaky_relu", (0.0, 0.1), (0.1, 0)),
     ("maximum", (1.0, 1.0), (0.5, 0.5)), ("minimum", (1.0, 1.0), (0.5, 0.5)), ("fmax", (1.0, 1.0), (0.5, 0.5)),
     ("fmin", (1.0, 1.0), (0.5, 0.5)), ("hypot", (0.0, 0.0), (0, 0)), ("clip", (1.0, 1.0, 2.0), (1, 0, 0)),
     ("clip", (0.5, 1.0, 2.0), (0, 1, 0)), ("clip", (2.5, 1.0, 2.0), (0, 0, 1)), ("fmax", (1.0, np.nan), (1, 0)),
     ("fmin", (np.nan, 1.0), (0, 1)), ("maximum", (3.0, 1.0), (1, 0)), ("minimum", (3.0, 1.0), (0, 1))],
)  # fmt: skip
def test_conventions(op: str, point: tuple[float, ...], expected: tuple[float, ...]) -> None:
    got = gradients(lambda *xs: call(TABLE[op], *xs), [np.array(p) for p in point])
    assert [float(g) for g in got] == list(expected)


@pytest.mark.parametrize("op", SMOOTH, ids=ids)
def test_against_jax(op: Op, rng: np.random.Generator) -> None:
    args = sample(op, rng)
    value, pull = jax.vjp(independent(op.jax, op, jax=jax), *(jnp.asarray(a) for a in args))
    np.testing.assert_allclose(call(op, *map(gg.tensor, args)).numpy(), value, rtol=1e-13, atol=1e-15)
    expected = [np.asarray(g) for g in pull(jnp.ones_like(value)) if g.dtype == jnp.float64]
    for g, e in zip(gradients(lambda *xs: call(op, *xs), args), expected, strict=True):
        np.testing.assert_allclose(g, e, rtol=1e-11, atol=1e-13)


def test_powers_of_a_number_are_exact_at_zero_at_every_order() -> None:
    for n in (0, 1, 2, 3, 4, 5, 2.0, 3.0):
        x = gg.tensor(0.0, requires_grad=True)
        y = x**n
        for order in range(6):
            expected = math.factorial(int(n)) if order == n else 0.0
            assert y.item() == expected, (n, order)
            if not y.requires_grad:
                break
            (y,) = gg.autograd.grad(y, x, create_graph=True)


def test_division_by_the_number_zero_is_infinite() -> None:
    x = gg.tensor([1.0, -2.0], requires_grad=True)
    y = x / 0
    y.backward(np.ones(2))
    assert y.tolist() == [np.inf, -np.inf]
    assert x.grad.tolist() == [np.inf, np.inf]


BINARY = [o for o in SMOOTH if o.arity == 2]


@pytest.mark.parametrize("number", [2, 2.5])
@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("op", BINARY, ids=ids)
def test_python_numbers_as_operands(op: Op, side: str, number: float, rng: np.random.Generator) -> None:
    """A number and an array of it: the same value and gradients of orders 1 and 2, integers included."""
    x = np.abs(sample(op, rng)[0]) + 0.3
    results = []
    for other in (number, np.full_like(x, number)):
        t = gg.tensor(x, requires_grad=True)
        y = call(op, *((t, other) if side == "right" else (other, t)))
        (g,) = gg.autograd.grad(y.sum(), t, create_graph=True)
        (h,) = gg.autograd.grad(g.sum(), t, allow_unused=True) if g.requires_grad else (None,)
        results.append([y.detach().numpy(), g.detach().numpy(), np.zeros_like(x) if h is None else h.numpy()])
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("op", SMOOTH, ids=lambda o: o.name)
def test_forward_mode_agrees_with_reverse(op: Op, rng: np.random.Generator) -> None:
    """The tangent plan and the backward plan come from the same partials: t' J' w is w' J t."""
    args = sample(op, rng)
    wrt = differentiable(op)
    ts = {n: rng.standard_normal(7) for n in wrt}
    w = rng.standard_normal(7)

    def f(*xs: gg.Tensor) -> gg.Tensor:
        rest = iter(xs)
        return call(op, *(next(rest) if n in ts else a for n, a in enumerate(args)))

    y, pull = gg.vjp(f, *(args[n] for n in wrt))
    value, tangent = gg.jvp(f, [args[n] for n in wrt], list(ts.values()))
    assert same_bits(value, y)
    expected = sum((g * t).sum() for g, t in zip(pull(w), ts.values(), strict=True))
    np.testing.assert_allclose((tangent * w).sum(), expected, rtol=1e-11, atol=1e-12)
