"""Integrals of samples, interpolation and distances: against SciPy, and gradients against differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.integrate
import scipy.interpolate
import scipy.spatial.distance

import gpugrad as gg
from gpugrad.scipy import integrate, interpolate
from gpugrad.scipy.spatial import distance
from gpugrad.testing import check_grads

R = np.random.default_rng(8)


def rising(*shape: int) -> np.ndarray:
    return np.cumsum(R.uniform(0.5, 1.5, shape), -1)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 6, 9, 10])
def test_integrals(n: int) -> None:
    y = R.standard_normal((3, n))
    for kwargs in ({}, {"x": rising(n)}, {"x": rising(3, n)}, {"dx": 0.3}):
        turned = {k: v.T if np.ndim(v) == 2 else v for k, v in kwargs.items()}
        expected = scipy.integrate.simpson(y, **kwargs)
        np.testing.assert_allclose(integrate.simpson(y, **kwargs).numpy(), expected, atol=1e-13)
        np.testing.assert_allclose(integrate.simpson(y.T, axis=0, **turned).numpy(), expected, atol=1e-13)
        for initial in (None, 0):
            got = integrate.cumulative_trapezoid(y, initial=initial, **kwargs).numpy()
            np.testing.assert_allclose(
                got, scipy.integrate.cumulative_trapezoid(y, initial=initial, **kwargs), atol=1e-13
            )


def test_gradients_of_integrals() -> None:
    y, x = R.standard_normal((2, 6)), rising(6)
    check_grads(lambda y, x: integrate.simpson(y, x), [y, x], order=2)
    check_grads(lambda y, x: integrate.cumulative_trapezoid(y, x, initial=0), [y, x], order=2)
    check_grads(lambda y, dx: integrate.simpson(y, dx=dx), [y, np.array(0.5)], order=2)
    with pytest.raises(ValueError, match="3 places"):
        integrate.simpson(y, [0.0, 1.0, 2.0])


CONDITIONS: list[Any] = [
    "not-a-knot",
    "natural",
    "clamped",
    "periodic",
    ((1, 0.5), (2, -0.3)),
    ("not-a-knot", (1, 2.0)),
]


@pytest.mark.parametrize("condition", CONDITIONS, ids=str)
@pytest.mark.parametrize("n", [2, 3, 4, 5, 9])
def test_cubic_splines(n: int, condition: Any) -> None:
    x, y = rising(n), R.standard_normal((n, 3))
    q = R.uniform(x[0] - 1, x[-1] + 1, (4, 2))
    if condition == "periodic":
        y[-1] = y[0]
    theirs = (
        condition
        if isinstance(condition, str)
        else tuple(e if isinstance(e, str) else (e[0], np.full(3, e[1])) for e in condition)
    )
    for beyond in (None, False, "periodic"):
        ours = interpolate.CubicSpline(x, y, bc_type=condition, extrapolate=beyond)
        expected = scipy.interpolate.CubicSpline(x, y, bc_type=theirs, extrapolate=beyond)
        for nu in range(5):
            np.testing.assert_allclose(ours(q, nu).numpy(), expected(q, nu), atol=1e-9)
        np.testing.assert_allclose(ours.derivative()(q).numpy(), expected(q, 1), atol=1e-9)


def test_gradients_of_splines() -> None:
    x, y = rising(6), R.standard_normal(6)
    q = R.uniform(x[0], x[-1], 5)
    check_grads(lambda x, y, q: interpolate.CubicSpline(x, y)(q), [x, y, q], order=2)
    check_grads(lambda x, y, q: interpolate.CubicSpline(x, y, bc_type="natural")(q, 1), [x, y, q], order=2)
    check_grads(lambda x, y, q: interpolate.interp1d(x, y)(q), [x, y, q], order=2)
    with pytest.raises(ValueError, match="x must increase"):
        interpolate.CubicSpline([0.0, 0.0, 1.0], [1.0, 2.0, 3.0])


@pytest.mark.parametrize("kind", ["linear", "cubic"])
@pytest.mark.parametrize("fill", ["extrapolate", 7.0])
@pytest.mark.parametrize("axis", [0, 1])
def test_interp1d(kind: str, fill: Any, axis: int) -> None:
    x, y = rising(6), R.standard_normal((6, 3))
    given = y if axis == 0 else y.T
    q = R.uniform(x[0] - 1, x[-1] + 1, (4, 2))
    shuffled = R.permutation(6)
    arguments = (x[shuffled], given.take(shuffled, axis), kind)
    expected = scipy.interpolate.interp1d(*arguments, axis=axis, fill_value=fill, bounds_error=False)(q)
    got = interpolate.interp1d(*arguments, axis=axis, fill_value=fill, bounds_error=False)(q).numpy()
    np.testing.assert_allclose(got, expected, atol=1e-9)
    with pytest.raises(ValueError, match="outside of the samples"):
        interpolate.interp1d(x, given, kind, axis)(x[0] - 1)


@pytest.mark.parametrize("metric", ["euclidean", "sqeuclidean", "cityblock", "chebyshev", "cosine", "correlation"])
def test_distances(metric: str) -> None:
    a, b = R.standard_normal((5, 3)), R.standard_normal((4, 3))
    theirs = scipy.spatial.distance
    np.testing.assert_allclose(distance.cdist(a, b, metric).numpy(), theirs.cdist(a, b, metric), atol=1e-13)
    np.testing.assert_allclose(distance.pdist(a, metric).numpy(), theirs.pdist(a, metric), atol=1e-13)
    np.testing.assert_allclose(getattr(distance, metric)(a[0], b[0]).item(), getattr(theirs, metric)(a[0], b[0]))
    check_grads(lambda x, y: distance.cdist(x, y, metric), [a, b], order=2)


def test_more_distances() -> None:
    a, b = R.standard_normal((5, 3)), R.standard_normal((4, 3))
    theirs = scipy.spatial.distance
    np.testing.assert_allclose(distance.cdist(a, b, "minkowski", p=3).numpy(), theirs.cdist(a, b, "minkowski", p=3))
    v = theirs.pdist(a)
    np.testing.assert_array_equal(distance.squareform(v).numpy(), theirs.squareform(v))
    np.testing.assert_array_equal(distance.squareform(theirs.squareform(v)).numpy(), v)
    check_grads(lambda v: distance.squareform(v) * np.arange(25.0).reshape(5, 5), [v], order=2)
    t = gg.tensor(a, requires_grad=True)
    distance.cdist(t, t).sum().backward()  # every point meets itself, at the distance 0
    assert np.isfinite(t.grad.numpy()).all()
    for call, words in (
        (lambda: distance.cdist(a, b, "jaccard"), "metric must be one of"),
        (lambda: distance.cdist(a, b[:, :2]), "as many coordinates"),
        (lambda: distance.cdist(a, b, q=3), "takes no"),
        (lambda: distance.squareform([1.0, 2.0]), "not a number of pairs"),
    ):
        with pytest.raises(ValueError, match=words):
            call()
