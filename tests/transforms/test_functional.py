"""Functions of functions against JAX, nested, and with what their arguments may be."""

from __future__ import annotations

import math
import pickle
from collections import namedtuple
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gpugrad as gg

jax.config.update("jax_enable_x64", True)

X = np.array([[0.3, -1.2, 0.7], [1.5, 0.2, -0.4]])
V = np.array([0.5, -1.0, 2.0])
W = np.array([[0.2, -0.3], [1.1, 0.4], [-0.7, 0.9]])


def rosenbrock(m: Any, x: Any) -> Any:
    return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()


# name: (function of a module and its arguments, arguments)
FUNCTIONS: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "polynomial": (lambda m, x: (x**3 - 2 * x).sum(), (X,)),
    "product": (lambda m, x, y: (x * y).sum(), (V, V + 1)),
    "rosenbrock": (rosenbrock, (V,)),
    "chain": (lambda m, x: (m.tanh(x * 2) * m.exp(-x)).sum(), (X,)),
    "matrix": (lambda m, x, w: m.sin(x @ w).sum(), (X, W)),
    "quadratic form": (lambda m, x, w: x @ (w @ w.T) @ x, (V, W)),
    "mean": (lambda m, x: ((x - x.mean(axis=0)) ** 2).mean(), (X,)),
    "logsumexp": (lambda m, x: m.log(m.exp(x).sum(axis=1)).sum(), (X,)),
    "maximum": (lambda m, x, y: m.maximum(x, y).sum(), (X, X[::-1].copy())),
    "where": (lambda m, x: m.where(x > 0, m.sqrt(m.abs(x) + 1), x * x).sum(), (X,)),
    "index": (lambda m, x: (x[np.array([0, 2, 0])] ** 2).sum(), (V,)),
    "slice": (lambda m, x: (x[:, ::-1] * x[:1]).sum(), (X,)),
    "transpose": (lambda m, x: (x.T.reshape(2, 3) * x).sum(), (X,)),
    "concatenate": (lambda m, x, y: (m.concatenate([x, y * x]) ** 2).sum(), (V, V + 2)),
    "cumsum": (lambda m, x: (m.cumsum(x) ** 2).sum(), (V,)),
    "broadcast": (lambda m, x, v: (m.cos(x + v) * v).sum(), (X, V)),
    "division": (lambda m, x, y: (x / (1 + y * y)).sum(), (X, V)),
    "power": (lambda m, x, y: ((x * x + 1) ** y).sum(), (X, V)),
    "arctan2": (lambda m, x, y: m.arctan2(x, y * y + 1).sum(), (V, V)),
    "einsum": (lambda m, x, w: (m.einsum("ij,jk->ik", x, w) ** 2).sum(), (X, W)),
}


def close(ours: Any, theirs: Any) -> None:
    np.testing.assert_allclose(np.asarray(ours), np.asarray(theirs), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_twenty_functions_against_jax(name: str) -> None:
    f, args = FUNCTIONS[name]
    every = tuple(range(len(args)))
    value, gradients = gg.value_and_grad(lambda *xs: f(gg, *xs), every)(*args)
    expected, slopes = jax.value_and_grad(lambda *xs: f(jnp, *xs), every)(*map(jnp.asarray, args))
    close(value, expected)
    assert isinstance(value, np.float64), "arrays in, arrays and numbers out"
    for ours, theirs in zip(gradients, slopes, strict=True):
        close(ours, theirs)
        assert isinstance(ours, np.ndarray | np.float64)
    second = gg.hessian(lambda *xs: f(gg, *xs), every)(*args)
    theirs = jax.hessian(lambda *xs: f(jnp, *xs), every)(*map(jnp.asarray, args))
    for i in every:
        for j in every:
            close(second[i][j], theirs[i][j])
    direction = np.linspace(-1, 1, args[0].size).reshape(args[0].shape)
    product = gg.hvp(lambda x: f(gg, x, *args[1:]), args[0], direction)
    close(product, np.tensordot(np.asarray(theirs[0][0]), direction, args[0].ndim))
    # forward mode: of the function, and of what it maps to before it is summed
    directions = tuple(np.linspace(-1, 1, a.size).reshape(a.shape) for a in args)
    y, t = gg.jvp(lambda *xs: f(gg, *xs), args, directions)
    along = jax.jvp(lambda *xs: f(jnp, *xs), tuple(map(jnp.asarray, args)), directions)
    close(y, expected)
    close(t, along[1])


def forward(m: Any, f: Any) -> Any:
    return lambda x: m.jvp(f, (x,), (1.0,))[1]


@pytest.mark.parametrize("modes", ["rrrr", "ffff", "frfr", "rffr"])
@pytest.mark.parametrize("name", ["sin", "exp", "tanh", "arctan", "sigmoid"])
def test_nested_to_order_four(name: str, modes: str) -> None:
    ours, theirs = getattr(gg, name), getattr(jnp, name, None) or jax.nn.sigmoid
    for x in (0.3, -1.1):
        f, g = ours, theirs
        for mode in modes:
            f, g = (gg.grad(f), jax.grad(g)) if mode == "r" else (forward(gg, f), forward(jax, g))
            close(f(x), g(x))


@pytest.mark.parametrize("outer", [gg.grad, lambda f: forward(gg, f)], ids=["reverse", "forward"])
@pytest.mark.parametrize("inner", [gg.grad, lambda f: forward(gg, f)], ids=["reverse", "forward"])
def test_derivatives_of_different_orders_are_not_confused(outer: Any, inner: Any) -> None:
    """Siskind and Pearlmutter's two: an inner derivative that uses the outer variable."""
    assert outer(lambda x: x * inner(lambda y: x + y)(1.0))(1.0).item() == 1.0
    assert outer(lambda x: x * inner(lambda y: x * y)(2.0))(3.0).item() == 6.0


def test_twenty_functions_third_order_forward_over_forward_over_reverse() -> None:
    """The derivative of v' H v along v, for the functions whose third derivatives JAX has, too."""
    for name, (f, args) in FUNCTIONS.items():
        x, rest = args[0], args[1:]
        v = np.linspace(-1, 1, x.size).reshape(x.shape)

        def third(m: Any, convert: Any, f: Any = f, x: Any = x, rest: Any = rest, v: Any = v) -> Any:
            g = m.grad(lambda a: f(m if m is gg else jnp, a, *map(convert, rest)))
            h = lambda a: m.jvp(g, (a,), (convert(v),))[1]  # noqa: E731
            return m.jvp(h, (convert(x),), (convert(v),))[1]

        ours, theirs = third(gg, np.asarray), third(jax, jnp.asarray)
        np.testing.assert_allclose(ours, np.asarray(theirs), rtol=1e-10, atol=1e-11, err_msg=name)
    inner = gg.grad(lambda x: gg.grad(lambda y: x * x * y * y)(x * 2))  # d/dx of 2 x x (2 x)
    assert inner(1.5).item() == pytest.approx(12 * 1.5**2)


def test_vjp_of_nested_results() -> None:
    def f(x: Any, y: Any) -> Any:
        return {"a": x * y, "b": [gg.sin(x).sum()]}

    y, pull = gg.vjp(f, V, V + 1)
    assert list(y) == ["a", "b"]
    gx, gy = pull({"a": np.ones(3), "b": [2.0]})
    np.testing.assert_allclose(gx, V + 1 + 2 * np.cos(V))
    np.testing.assert_allclose(gy, V)
    assert pull({"a": np.zeros(3), "b": [1.0]})[1].tolist() == [0, 0, 0]  # again
    with pytest.raises(gg.errors.ShapeError):
        pull({"a": np.ones(2), "b": [2.0]})
    _, _, aux = gg.vjp(lambda x: (x * x, {"seen": x}), V, has_aux=True)
    assert aux["seen"].tolist() == V.tolist()


def test_jacobians_against_jax() -> None:
    f = lambda m, x, w: m.tanh(x @ w)  # noqa: E731
    ours = gg.jacobian(lambda *a: f(gg, *a), (0, 1))(X, W)
    theirs = jax.jacrev(lambda *a: f(jnp, *a), (0, 1))(jnp.asarray(X), jnp.asarray(W))
    for a, b in zip(ours, theirs, strict=True):
        assert a.shape == b.shape
        close(a, b)
    assert gg.jacobian(lambda x: x[:0])(V).shape == (0, 3)
    nested = gg.jacobian(lambda p: {"y": p["a"] * p["b"]})({"a": V, "b": 2.0})
    np.testing.assert_allclose(nested["y"]["a"], 2 * np.eye(3))
    np.testing.assert_allclose(nested["y"]["b"], V)


Point = namedtuple("Point", "x y")


def test_arguments_may_be_nested() -> None:
    def f(p: Any) -> Any:
        return (p["w"][0] * p["w"][1]).sum() + p["b"].x * p["b"].y ** 2

    g = gg.grad(f)({"w": [V, V * 2], "b": Point(3.0, np.float64(2.0))})
    assert isinstance(g["b"], Point)
    assert g["b"].y.item() == 12
    assert g["w"][0].tolist() == (V * 2).tolist()
    assert gg.grad(lambda xs: xs[0] * xs[1])([2.0, 5.0])[0].item() == 5


def test_argnums_and_aux_and_keywords() -> None:
    f = lambda x, y, scale=1.0: (x * y).sum() * scale  # noqa: E731
    assert gg.grad(f, argnums=-1)(2.0, 3.0, scale=5.0).item() == 10
    assert [g.item() for g in gg.grad(f, argnums=(1, 0))(2.0, 3.0)] == [2, 3]
    gradient, aux = gg.grad(lambda x: (x * x, x + 1), has_aux=True)(3.0)
    assert (gradient.item(), aux.item()) == (6, 4)
    (value, aux), gradient = gg.value_and_grad(lambda x: (x * x, "text"), has_aux=True)(3.0)
    assert (value.item(), aux, gradient.item()) == (9, "text", 6)


def test_the_function_may_write_to_its_arguments() -> None:
    def f(x: Any) -> Any:
        x[0] = x[1] * 3
        x *= 2
        return x.sum()

    x = gg.tensor(V)
    assert gg.grad(f)(x).tolist() == [0, 8, 2]
    assert x.tolist() == V.tolist()


def test_what_is_recorded_outside() -> None:
    w = gg.tensor(2.0, requires_grad=True)
    slope = gg.grad(lambda x: w * x * x)(3.0)  # 2 w x
    assert slope.requires_grad
    slope.backward()
    assert w.grad.item() == 6
    x = gg.tensor(3.0, requires_grad=True)
    gg.grad(lambda x: x**3)(x).backward()
    assert x.grad.item() == 18
    with gg.no_grad():
        assert not gg.grad(lambda x: x**3)(x).requires_grad
        assert gg.grad(gg.grad(lambda x: x**3))(x).item() == 18


def test_results_that_do_not_depend_on_the_argument() -> None:
    for f in (lambda x: 5.0, lambda x: gg.ones(()), lambda x: gg.argmax(x).astype(float) * 1.0):
        with pytest.warns(RuntimeWarning, match=r"gg\.grad: the result does not depend") as caught:
            assert gg.grad(f)(V).tolist() == [0, 0, 0]
        assert caught[0].filename == __file__
    with pytest.warns(RuntimeWarning, match=r"gg\.jvp"):
        assert gg.jvp(lambda x: gg.ones(2), (V,), (V,))[1].tolist() == [0, 0]
    assert gg.grad(lambda x: x)(4.0).item() == 1
    assert gg.hessian(lambda x: x.sum())(V).tolist() == np.zeros((3, 3)).tolist()


def test_errors_say_what_to_do() -> None:
    with pytest.raises(gg.errors.ShapeError, match=r"one number.*gg\.vjp or gg\.jacobian"):
        gg.grad(lambda x: x * 2)(V)
    with pytest.raises(gg.errors.DTypeError, match="int64"):
        gg.grad(lambda x: x.sum())(np.arange(3))
    with pytest.raises(gg.errors.InputError, match="argnums=2"):
        gg.grad(lambda x: x, argnums=2)(1.0)
    with pytest.raises(gg.errors.DTypeError, match="pair"):
        gg.grad(lambda x: x * x, has_aux=True)(1.0)
    with pytest.raises(gg.errors.ShapeError, match=r"\(3,\).*\(2,\)"):
        gg.hvp(lambda x: (x * x).sum(), V, V[:2])
    with pytest.raises(gg.errors.DTypeError, match="tuple or list"):
        gg.jvp(gg.sin, V, V)
    with pytest.raises(gg.errors.DTypeError, match=r"float32.*float64"):
        gg.jvp(gg.sin, (V,), (gg.ones(3, dtype="float32"),))
    with pytest.raises(gg.errors.DTypeError, match="int64"):
        gg.jvp(gg.sin, (np.arange(3),), (np.ones(3),))


def test_jvp_of_nested_arguments_and_results() -> None:
    def f(p: Any, s: Any) -> Any:
        return {"a": p["x"] * s, "b": [p["y"].sum(), 3.0], "c": p["x"]}, {"seen": p["x"]}

    y, t, aux = gg.jvp(f, [{"x": V, "y": V + 1}, 2.0], [{"x": np.ones(3), "y": V}, 10.0], has_aux=True)
    assert y["a"].tolist() == (2 * V).tolist()
    assert t["a"].tolist() == (2 + 10 * V).tolist()
    assert t["b"][0].item() == pytest.approx(V.sum())
    assert t["b"][1].item() == 0  # a result that does not depend on the arguments
    assert t["c"].tolist() == [1, 1, 1]
    assert aux["seen"].tolist() == V.tolist()


def test_jvp_is_recorded_when_something_outside_requires_grad() -> None:
    w = gg.tensor(2.0, requires_grad=True)
    _, t = gg.jvp(lambda x: w * x * x, (3.0,), (1.0,))  # 2 w x
    t.backward()
    assert w.grad.item() == 6
    v = gg.tensor(5.0, requires_grad=True)
    _, t = gg.jvp(lambda x: x**3, (2.0,), (v,))
    t.backward()
    assert v.grad.item() == 12


def test_jvp_where_the_function_writes_to_its_argument() -> None:
    def f(x: Any) -> Any:
        x[0] = x[1] * 3
        x *= 2
        return x

    assert gg.jvp(f, (V,), (np.array([1.0, 10.0, 100.0]),))[1].tolist() == [60, 20, 200]


def test_a_failing_function_leaves_nothing_behind() -> None:
    def f(x: Any) -> Any:
        raise RuntimeError("planted")

    with pytest.raises(RuntimeError, match="planted"):
        gg.grad(f)(1.0)
    assert isinstance(gg.grad(lambda x: x * x)(1.0), float)  # no transform is thought to be active
    assert math.isclose(gg.grad(gg.sin)(0.0).item(), 1.0)


def test_inputs_of_a_transform_that_has_ended_do_not_require_grad() -> None:
    """Nobody waits for the gradient of an inner transform's input: what is computed of it is plain."""
    x, y = np.array([0.3, 1.2]), np.array([2.0, 0.5])
    inner = gg.grad(lambda x, y: ((x * y) ** 3).sum())
    for given in (x, gg.tensor(x)):
        found = gg.jacobian(lambda y, given=given: inner(given, y))(y)
        assert isinstance(found, np.ndarray)
        np.testing.assert_allclose(found, np.diag(9 * x**2 * y**2))
    waiting = gg.tensor(x, requires_grad=True)  # somebody does
    assert gg.jacobian(lambda y: inner(waiting, y))(y).requires_grad


def test_tall_jacobians_go_forward_and_agree() -> None:
    """More results than arguments: one pass forward for each argument, with masks, so that who takes no part contributes 0."""
    x = np.array([0.0, 1.0, 4.0])
    tall = lambda x: gg.concatenate([gg.sqrt(x), x * x, x[:2] * x[2]])  # noqa: E731
    wide = lambda x: [gg.sqrt(x), x * x, x[:2] * x[2]]  # noqa: E731
    got, rows = gg.jacobian(tall)(x), gg.jacobian(lambda x: wide(x)[0])(x)
    assert got.shape == (8, 3)
    np.testing.assert_array_equal(got[:3], rows)
    assert np.isinf(got[0, 0])
    assert np.isfinite(got[:3].ravel()[1:]).all()
    for part, start in zip(gg.jacobian(wide)(x), (0, 3, 6), strict=True):
        np.testing.assert_array_equal(got[start : start + len(part)], part)
    both = gg.jacobian(lambda a, b: gg.outer(a, b).ravel() * a.sum(), argnums=(0, 1))(np.ones(2), np.arange(3.0))
    assert [j.shape for j in both] == [(6, 2), (6, 3)]
    inner = gg.jacobian(lambda a: gg.jacobian(lambda y: gg.stack([y**2 * a[0], y**3, a[1] * y]))(a[0] * 2))(
        np.array([1.0, 2.0])
    )
    np.testing.assert_allclose(inner, [[8, 0], [24, 0], [0, 1]])


def cubes(x):
    return (x**3).sum()


def test_transforms_are_pickled_by_what_they_are_of() -> None:
    x = np.array([1.0, 2.0])
    for made in (
        gg.grad(cubes),
        gg.value_and_grad(cubes),
        gg.jacobian(cubes),
        gg.hessian(cubes),
        gg.grad(gg.grad(np.square)),
    ):
        again = pickle.loads(pickle.dumps(made))
        given = 3.0 if (made is not None and "square" in repr(made)) or "grad_of" in repr(made) else x
        np.testing.assert_equal(again(given), made(given))
    assert repr(gg.grad(cubes)) == "gg.grad(cubes)"
    assert gg.grad(cubes).__name__ == "grad_of_cubes"
    with pytest.raises((pickle.PicklingError, AttributeError)):
        pickle.dumps(gg.grad(lambda x: x))
