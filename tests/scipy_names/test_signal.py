"""Convolution and correlation against SciPy, and their gradients against differences."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.signal

import gpugrad as gg
from gpugrad.scipy import signal
from gpugrad.testing import check_grads

R = np.random.default_rng(4)
SHAPES = [
    ((5,), (3,)),
    ((3,), (5,)),
    ((6,), (4,)),
    ((4, 5), (2, 3)),
    ((2, 3), (4, 5)),
    ((4, 4, 4), (2, 3, 1)),
    ((5, 5), (4, 4)),
]


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
@pytest.mark.parametrize("name", ["convolve", "correlate", "fftconvolve"])
@pytest.mark.parametrize("shapes", SHAPES, ids=str)
def test_values(name: str, mode: str, shapes: tuple) -> None:
    a, b = (R.standard_normal(s) for s in shapes)
    got = getattr(signal, name)(a, b, mode).numpy()
    np.testing.assert_allclose(got, getattr(scipy.signal, name)(a, b, mode), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("boundary", ["fill", "wrap", "symm"])
@pytest.mark.parametrize("mode", ["full", "same", "valid"])
@pytest.mark.parametrize("name", ["convolve2d", "correlate2d"])
def test_boundaries(name: str, mode: str, boundary: str) -> None:
    for shapes in [s for s in SHAPES if len(s[0]) == 2]:
        a, b = (R.standard_normal(s) for s in shapes)
        expected = getattr(scipy.signal, name)(a, b, mode, boundary, 1.5)
        np.testing.assert_allclose(
            getattr(signal, name)(a, b, mode, boundary, 1.5).numpy(), expected, rtol=1e-10, atol=1e-12
        )


def test_axes() -> None:
    a, b = R.standard_normal((3, 8)), R.standard_normal((1, 3))
    for mode in ("full", "same", "valid"):
        expected = scipy.signal.fftconvolve(a, b, mode, axes=1)
        np.testing.assert_allclose(signal.fftconvolve(a, b, mode, axes=1).numpy(), expected, atol=1e-12)
    # axes that are convolved, summed over, and kept: images in a batch with channels, and kernels with channels
    images, kernels = R.standard_normal((2, 3, 6, 5)), R.standard_normal((3, 4, 2, 3))
    got = signal.convolve(images, kernels, "valid", axes=([2, 3], [2, 3]), dot_axes=([1], [0])).numpy()
    expected = np.array(
        [
            [sum(scipy.signal.convolve(images[n, c], kernels[c, k], "valid") for c in range(3)) for k in range(4)]
            for n in range(2)
        ]
    )
    np.testing.assert_allclose(got, expected, rtol=1e-10, atol=1e-12)


def test_gradients() -> None:
    a, b = R.standard_normal((4, 5)), R.standard_normal((2, 3))
    for mode in ("full", "same", "valid"):
        check_grads(lambda x, y, mode=mode: signal.convolve(x, y, mode), [a, b], order=2)
        check_grads(lambda x, y, mode=mode: signal.correlate(y, x, mode), [a, b], order=2)
        check_grads(lambda x, y, mode=mode: signal.correlate2d(x, y, mode, "symm"), [a, b], order=2)
    x = gg.tensor(a, dtype="float32", requires_grad=True)
    signal.fftconvolve(x, b.astype("float32"), "same").sum().backward()
    assert x.grad.dtype == np.float32


def test_errors_say_what_is_wrong() -> None:
    with pytest.raises(ValueError, match="mode must be one of"):
        signal.convolve([1.0], [1.0], "half")
    with pytest.raises(ValueError, match="as many axes on both sides"):
        signal.convolve([[1.0]], [1.0])
    with pytest.raises(ValueError, match="must fit into the other"):
        signal.convolve(np.ones((2, 5)), np.ones((3, 4)), "valid")
    with pytest.raises(ValueError, match="boundary must be"):
        signal.convolve2d([[1.0]], [[1.0]], boundary="mirror")
