"""The methods of NumPy's ufuncs on tensors, against NumPy's own on arrays, and their gradients against those of the same written out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import gpugrad as gg
from gpugrad.protocols import UFUNCS

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # NumPy's, of what is asked of it here
X = np.random.default_rng(0).uniform(0.5, 1.5, (4, 3))
BINARY = sorted((u for u in UFUNCS if u.nin == 2 and u.nout == 1 and not u.signature), key=lambda u: u.__name__)
FLOAT, INTEGER, TRUTH = X, (X * 10).astype(int), X > 1
binary = pytest.mark.parametrize("ufunc", BINARY, ids=lambda u: u.__name__)
arrays = pytest.mark.parametrize("x", [FLOAT, INTEGER, TRUTH], ids=["float64", "int64", "bool"])


def agree(call: Callable[[Any], Any], x: np.ndarray) -> None:
    """The same value, shape and dtype; or an error from both."""
    try:
        expected = np.asarray(call(x.copy()))
    except (TypeError, ValueError, IndexError):
        with pytest.raises((TypeError, ValueError, IndexError)):
            call(gg.tensor(x))
        return
    found = call(gg.tensor(x))
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    rtol = 2e-3 if expected.dtype == np.float16 else 1e-12
    np.testing.assert_allclose(found.cpu().numpy(), expected, rtol=rtol)


# Not along the last axis, nor from index to index: on some machines NumPy's own arctan2 and power read what they have just written there.
MISREAD = {np.arctan2, np.power, np.float_power}


@binary
@arrays
def test_methods_as_numpy(ufunc: np.ufunc, x: np.ndarray) -> None:
    if ufunc is np.ldexp:
        return  # its results are no operands of it
    agree(lambda a: ufunc.reduce(a), x)
    agree(lambda a: ufunc.reduce(a, axis=0, keepdims=True), x)
    agree(lambda a: ufunc.reduce(a, axis=0, initial=1), x)
    agree(lambda a: ufunc.reduce(a, axis=0, initial=1, where=TRUTH), x)
    agree(lambda a: ufunc.accumulate(a), x)
    if ufunc not in MISREAD:
        agree(lambda a: ufunc.reduceat(a, [0, 2, 1]), x)
    agree(lambda a: ufunc.outer(a, x[0]), x)


@binary
def test_all_axes_and_nothing(ufunc: np.ufunc) -> None:
    if ufunc is np.ldexp or ufunc in MISREAD:
        return
    agree(lambda a: ufunc.reduce(a, axis=None), X)
    agree(lambda a: ufunc.reduce(a, axis=(0, 1), keepdims=True), X)
    agree(lambda a: ufunc.reduce(a), np.zeros((0, 3)))


@binary
def test_written_at_an_index_with_duplicates(ufunc: np.ufunc) -> None:
    def written(a: Any, index: Any) -> Any:
        ufunc.at(a, index, X[:3])
        return a

    agree(lambda a: written(a, [0, 2, 2]), FLOAT)
    agree(lambda a: written(a, [0, 2, 1]), FLOAT)


def test_gradients() -> None:
    x = X[:, 0]
    for method, written in (
        (np.logaddexp.reduce, lambda t: gg.log(gg.exp(t).sum())),
        (np.hypot.reduce, lambda t: gg.sqrt((t * t).sum())),
        (np.subtract.reduce, lambda t: 2 * t[0] - t.sum()),
        (np.divide.accumulate, lambda t: gg.stack([t[0], t[0] / t[1], t[0] / t[1] / t[2], t[0] / t[1] / t[2] / t[3]])),
        (np.multiply.accumulate, gg.cumprod),
        (lambda t: np.multiply.outer(t, t * 2), lambda t: t[:, None] * (t * 2)),
        (lambda t: np.add.reduceat(t * t, [0, 2]), lambda t: gg.stack([(t[:2] ** 2).sum(), (t[2:] ** 2).sum()])),
        (lambda t: np.add.reduce(t, where=x > 1), lambda t: t[x > 1].sum()),
        (lambda t: np.sum(t * t, where=x > 1, initial=2.0), lambda t: 2 + (t[x > 1] ** 2).sum()),
        (lambda t: np.max(t, where=x < 1.2, initial=0.0), lambda t: gg.max(t[x < 1.2])),
    ):
        f, g = (lambda t, h=h: gg.sum(gg.square(h(t))) for h in (method, written))
        np.testing.assert_allclose(gg.grad(f)(x), gg.grad(g)(x), rtol=1e-12)
        np.testing.assert_allclose(gg.hessian(f)(x), gg.hessian(g)(x), rtol=1e-10, atol=1e-12)


def test_gradients_of_what_is_written_at_an_index() -> None:
    def f(t: Any) -> Any:
        z = t * 1
        np.add.at(z, [0, 0, 1], t[1:] ** 2)
        np.subtract.at(z, 2, t[0])
        np.multiply.at(z, [3, 3], t[:2])
        np.negative.at(z, [1])
        return z

    def written(t: Any) -> Any:
        return gg.stack([t[0] + t[1] ** 2 + t[2] ** 2, -(t[1] + t[3] ** 2), t[2] - t[0], t[3] * t[0] * t[1]])

    np.testing.assert_allclose(gg.jacobian(f)(X[:, 0]), gg.jacobian(written)(X[:, 0]), rtol=1e-14)


def test_where_and_dtype_of_a_call() -> None:
    out = gg.zeros(4)
    x = gg.tensor(X[:, 0], requires_grad=True)
    np.log(x - 0.9, where=X[:, 0] > 0.9, out=out)
    out.sum().backward()
    np.testing.assert_allclose(x.grad.cpu().numpy(), np.where(X[:, 0] > 0.9, 1 / (X[:, 0] - 0.9), 0))
    assert np.sin(gg.tensor([1, 2]), dtype=np.float32).dtype == "float32"
    assert np.add(gg.ones(2), 1, casting="same_kind", order="C", subok=True).tolist() == [2, 2]
    for call in (lambda: np.add(x, x, dtype=int), lambda: np.multiply.outer(x, x, dtype=int)):
        with pytest.raises(gg.errors.DTypeError, match="are not computed with as int64"):
            call()
    with pytest.raises(gg.errors.DTypeError, match="does not compute in int64"):
        np.sqrt(gg.tensor([4]), dtype=int)
    with pytest.raises(gg.errors.InputError, match="needs one result, and an `out`"):
        np.sin(x, where=X[:, 0] > 1)


def test_what_does_not_fit_is_not_written() -> None:
    t = gg.zeros(2, dtype=int)
    for operand in (0.5, np.array([0.5])):
        with pytest.raises(gg.errors.DTypeError, match="do not fit into a tensor of int64"):
            np.add.at(t, [0], operand)
        with pytest.raises(gg.errors.DTypeError, match="do not fit into a tensor of int64"):
            np.multiply.at(t, [0], operand)
    small = gg.zeros(2, dtype=np.uint8)
    np.add.at(small, [0, 0], 1)
    assert (t.tolist(), small.tolist()) == ([0, 0], [2, 0])
    with pytest.raises(gg.errors.InputError, match="one result"):
        np.modf(gg.ones(2), where=[True, False], out=(gg.zeros(2), gg.zeros(2)))


def test_numbers_and_nothing() -> None:
    assert np.add.reduce(gg.tensor(3.0)).item() == 3
    assert np.hypot.reduce(gg.tensor(3.0)).item() == 3
    assert np.add.reduceat(gg.ones((2, 3)), np.array([], int), axis=1).shape == (2, 0)
    with pytest.raises(gg.errors.ShapeError, match="does not fit a result"):
        np.add.reduceat(gg.ones(2), [0], out=gg.zeros((2, 2)))


def test_errors() -> None:
    t = gg.ones((2, 3))
    with pytest.raises(gg.errors.InputError, match="its order matters"):
        np.subtract.reduce(t, axis=(0, 1))
    with pytest.raises(gg.errors.InputError, match="needs an `initial`"):
        np.maximum.reduce(t, where=[True, False, True])
    with pytest.raises(gg.errors.ShapeError, match="no value of nothing"):
        np.fmod.reduce(gg.zeros((0, 2)))
    with pytest.raises(gg.errors.DTypeError, match="booleans"):
        np.less.reduce(t)
    with pytest.raises(IndexError):
        np.add.reduceat(t, [5])
    with pytest.raises(gg.errors.GraphError, match="lose its gradient"):
        np.add.at(np.zeros(2), [0], gg.tensor([1.0], requires_grad=True))
