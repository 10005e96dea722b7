"""Elementwise ops of the user's own, and functions given by an equation."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.optimize
import scipy.special
from helpers import at_both_fusion_levels, same_bits

import gpugrad as gg
from gpugrad.testing import check_grads

X = np.linspace(0.3, 2.0, 7)


@gg.elementwise
def softabs(x, eps):
    "sqrt(x * x + eps * eps)"
    return gg.sqrt(x * x + eps * eps)


@gg.elementwise(value=lambda x: 1 / (1 + x * x), c="1 / (1 + {0} * {0})")
def bell(x, y):
    return (-2 * x * y * y,)


@gg.elementwise(value=scipy.special.k0)
def k0(x, y):
    return (-k1(x),)  # which is declared below, and names this one


@gg.elementwise(value=scipy.special.k1)
def k1(x, y):
    return (-k0(x) - y / x,)


@gg.elementwise
def pieces(x, lo):
    return gg.where(x > lo, gg.power(x, 3) / 2, gg.clip(x, -1, 1) ** 2 + lo)


OPS = [(softabs, [X, X * 0.5]), (bell, [X]), (k0, [X]), (k1, [X]), (pieces, [X, X * 0 + 1.03])]
ids = [f.op.name for f, _ in OPS]


def on_this_device(op: gg.transforms.ops.Elementwise) -> None:
    if op.op.alone and gg.zeros(()).device != "cpu":
        with pytest.raises(gg.errors.DeviceError, match="has no C text"):
            op(X)
        pytest.skip("an op without C text runs on the CPU")


@pytest.mark.parametrize(("op", "args"), OPS, ids=ids)
def test_values_dtypes_and_derivatives(op: Any, args: list[np.ndarray]) -> None:
    on_this_device(op)
    expected = op(*args).numpy()
    for dtype, rtol in (("float32", 1e-5), ("float16", 5e-3)):
        y = op(*(a.astype(dtype) for a in args))
        assert y.dtype == dtype
        np.testing.assert_allclose(y.numpy().astype(float), expected, rtol=rtol)
    assert op(*[1] * len(args)).dtype == np.float64
    check_grads(lambda *t: op(*t) * 2 + gg.sin(t[0]), args, order=2)


@pytest.mark.parametrize(("op", "args"), OPS, ids=ids)
def test_fused_and_unfused_agree(op: Any, args: list[np.ndarray]) -> None:
    on_this_device(op)

    def run() -> np.ndarray:
        ts = [gg.tensor(a, requires_grad=True) for a in args]
        y = gg.exp(-op(*ts)) * ts[0] + 1
        y.sum().backward()
        return np.concatenate([y.detach().numpy(), *(t.grad.numpy() for t in ts)])

    eager, fused = at_both_fusion_levels(run, strict=not op.op.alone)
    assert same_bits(eager[:7], fused[:7])
    np.testing.assert_allclose(eager, fused, rtol=1e-14)


@pytest.mark.usefixtures("native")
def test_a_composition_and_c_text_are_one_region_with_what_is_around() -> None:
    x = gg.tensor(X, requires_grad=True)
    gg.debug.counters.reset()
    (gg.exp(bell(softabs(x, 0.5)) * 2)).sum().backward()
    assert gg.debug.counters.forward == 1
    assert gg.debug.counters.backward == 1


def test_better_derivatives_of_a_composition() -> None:
    @gg.elementwise
    def logcosh(x):
        return gg.log(gg.cosh(x))

    @logcosh.partials
    def rule(x, y):
        return (gg.tanh(x),)

    check_grads(logcosh, [X], order=2)
    far = gg.tensor(1000.0, requires_grad=True)
    logcosh(far).backward()
    assert far.grad.item() == 1  # where that of the composition is NaN


def test_masks_come_from_boolean_derivatives() -> None:
    @gg.elementwise(value=lambda x: np.maximum(x, 0), c="{0} > 0 ? {0} : 0")
    def mine(x, y):
        return (x > 0,)

    x = gg.tensor([0.0, 4.0], requires_grad=True)
    mine(gg.sqrt(x)).sum().backward()
    assert x.grad.tolist() == [0, 0.25]


def test_ops_are_pickled_by_name_and_know_their_own() -> None:
    assert pickle.loads(pickle.dumps(softabs)) is softabs
    assert softabs.__doc__ == "sqrt(x * x + eps * eps)"
    assert repr(bell) == "<elementwise op bell(x)>"

    @gg.elementwise
    def add(x, y):  # the name of a built-in op
        return 2 * x + y

    assert (add(1.0, 2.0) + 1.0).item() == 5


def test_numbers_from_outside_are_those_of_the_call() -> None:
    w, k = 2.0, 0

    @gg.elementwise
    def f(x):
        return x * w + k

    x = gg.tensor([1.0], requires_grad=True)
    assert f(x).tolist() == [2]
    w = 5.0
    y = f(x)
    y.backward()
    assert y.tolist() == x.grad.tolist() == [5]
    for held in ([2.0], np.ones(2), gg.ones(2), {"a": 1.0}):

        @gg.elementwise
        def h(x):
            return x * 1.0 if held is None else x * len(str(held))  # noqa: B023

        with pytest.raises(TypeError, match=r"reads 'held'.*as an operand"):
            h(x)


@pytest.mark.usefixtures("native")
def test_c_text_that_does_not_compile_is_the_users() -> None:
    f = gg.elementwise(value=np.cos, c="cos({0}")(lambda x, y: (-gg.sin(x),))
    with pytest.raises(ValueError, match=r"C text of your own ops.*cos\(\{0\}"):
        f(gg.ones(3)).numpy()


def through_numpy(x, y):
    return (np.sin(x),)


@pytest.mark.parametrize(
    ("make", "words"),
    [(lambda: gg.elementwise(lambda x: np.linalg.norm(x))(1.0), "could not be written as ops"),
     (lambda: gg.elementwise(lambda x: x if x > 0 else -x)(1.0), "gg.where"),
     (lambda: gg.elementwise(value=np.sin)(lambda x, y: (1, 2))(1.0), "one for each of x"),
     (lambda: gg.elementwise(value=np.sin)(through_numpy)(1.0), "could not be written as ops"),
     (lambda: gg.elementwise(value=np.sin, c="{2}")(lambda x, y: (1,)), "does not fit 1 operands"),
     (lambda: gg.elementwise(c="x")(lambda x: x), "give `value` beside `c`"),
     (lambda: gg.elementwise(lambda *x: x), "fixed number of operands"),
     (lambda: gg.elementwise(value=np.sin)(lambda x: (1,)), "and of the result"),
     (lambda: bell(1, 2), "takes 1 operands, x"),
     (lambda: bell.partials(lambda x, y: (1,)), "has its derivatives already"),
     (lambda: gg.elementwise(value=lambda x: x[:1])(lambda x, y: (1,))(np.ones(3)).numpy(), "element by element"),
     (lambda: gg.elementwise(value=lambda x: x.nothing)(lambda x, y: (1,))(np.ones(3)).numpy(), "raised AttributeError"),
     (lambda: gg.elementwise(value=lambda x: x * 1j)(lambda x, y: (1,))(np.ones(3)).numpy(), "complex128")],
)  # fmt: skip
@pytest.mark.usefixtures("on_cpu")
def test_errors_say_what_is_wrong(make: Callable[[], Any], words: str) -> None:
    with pytest.raises((TypeError, ValueError), match=words):
        make()


# ------------------------------------------------------------------------------------------------ implicit functions


@pytest.mark.usefixtures("on_cpu")
def test_a_minimum_as_a_function_of_its_penalty() -> None:
    """The equation is itself a derivative, taken inside another transform."""
    a, b = np.array([[2.0, 1.0], [1.0, 3.0], [0.0, 1.0]]), np.array([1.0, 2.0, 3.0])
    loss = lambda x, penalty: np.sum((a @ x - b) ** 2) + penalty * np.sum(x**2)  # noqa: E731

    def size(penalty: Any) -> Any:
        x = gg.implicit_root(lambda penalty, x: gg.grad(loss)(x, penalty), penalty, np.zeros(2))
        return np.sum(x**2)

    exact = lambda penalty: np.sum(np.linalg.solve(a.T @ a + penalty * np.eye(2), a.T @ b) ** 2)  # noqa: E731
    assert gg.grad(size)(0.5) == pytest.approx(gg.grad(exact)(0.5), rel=1e-9)
    assert gg.hessian(size)(0.5) == pytest.approx(gg.hessian(exact)(0.5), rel=1e-8)
    with pytest.raises(gg.errors.GraphError, match="none of its params"):
        gg.grad(lambda p: np.sum(gg.implicit_root(lambda _, x: gg.grad(loss)(x, p), 1.0, np.zeros(2))))(0.5)


def test_roots() -> None:
    def root(a: gg.Tensor, b: gg.Tensor) -> gg.Tensor:
        return gg.implicit_root(lambda p, x: x**3 + p[0] * x - p[1], (a, b), np.array([1.0, 1.0]))

    check_grads(root, [np.array([1.0, 2.0]), np.array([2.0, 3.0])], order=2)
    x = root(np.array([1.0, 2.0]), np.array([2.0, 3.0]))
    assert isinstance(x, np.ndarray)  # arrays in, arrays out
    np.testing.assert_allclose(x, [1, 1], rtol=1e-10)


def test_a_solver_of_scipy() -> None:
    def root(a: gg.Tensor) -> gg.Tensor:
        return gg.implicit_root(
            lambda a, x: gg.stack([x[0] ** 2 + x[1] - a, x[0] - x[1] * a]), a, np.array([1.0, 1.0]),
            solver=lambda r, x0: scipy.optimize.root(r, x0, tol=1e-13).x,
        )  # fmt: skip

    check_grads(root, [np.array(1.5)], order=2)


def test_fixed_points() -> None:
    rng = np.random.default_rng(0)
    w, u, x = rng.standard_normal((4, 4)) * 0.2, rng.standard_normal((4, 3)), np.arange(3.0)

    def layer(w: gg.Tensor, u: gg.Tensor) -> gg.Tensor:
        return gg.fixed_point(lambda p, z: gg.tanh(p["w"] @ z + p["u"] @ x), {"w": w, "u": u}, np.zeros(4))

    check_grads(layer, [w, u], order=2)

    def unrolled(w: gg.Tensor, u: gg.Tensor) -> gg.Tensor:
        z = gg.zeros(4)
        for _ in range(60):
            z = gg.tanh(w @ z + u @ x)
        return z

    for got, expected in zip(
        gg.jacobian(layer, argnums=(0, 1))(w, u), gg.jacobian(unrolled, argnums=(0, 1))(w, u), strict=True
    ):
        np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(
        gg.hvp(lambda w: (layer(w, u) ** 2).sum(), w, w),
        gg.hvp(lambda w: (unrolled(w, u) ** 2).sum(), w, w),
        rtol=1e-8,
        atol=1e-10,
    )


def test_what_cannot_be_found_or_would_be_lost_is_an_error() -> None:
    w = gg.tensor(2.0, requires_grad=True)
    for call, kind, words in (
        (lambda: gg.implicit_root(lambda a, x: x * x - w, 1.0, 1.0), gg.errors.GraphError, "none of its params"),
        (lambda: gg.implicit_root(lambda a, x: x * x + 1, 1.0, 1.5), gg.errors.ConvergenceError, "pass a solver"),
        (lambda: gg.implicit_root(lambda a, x: x * 0 + 1, 1.0, 1.5), gg.errors.ConvergenceError, "singular on the way"),
        (
            lambda: gg.implicit_root(lambda a, x: x * x - a, 2.0, 1.0, solver=lambda r, x0: x0),
            gg.errors.ConvergenceError,
            "is no root",
        ),
        (lambda: gg.fixed_point(lambda a, z: 2 * z + 1, 1.0, 1.0), gg.errors.ConvergenceError, "damp it"),
        (lambda: gg.fixed_point(lambda a, z: gg.ones(3), 1.0, 1.0), ValueError, "shape of z"),
        (
            lambda: gg.implicit_root(lambda a, x: x - a, 1.0, 0.0, solver=lambda r, x0: np.zeros(3)),
            ValueError,
            "the solver gave",
        ),
    ):
        with pytest.raises(kind, match=words):
            call()
