"""Filters and morphology of images against SciPy: every mode, size, origin and footprint; gradients against differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.ndimage

import gpugrad as gg
from gpugrad.scipy import ndimage
from gpugrad.testing import check_grads

R = np.random.default_rng(2)
IMAGE = R.permutation(42).reshape(6, 7) / 3.0
MODES = ["reflect", "constant", "nearest", "mirror", "wrap"]
SIZES = [(3, 3), (2, 4), (5, 1)]
ORIGINS: list[Any] = [0, (1, 0), (-1, 0)]
MORPHOLOGY = [
    "grey_erosion", "grey_dilation", "grey_opening", "grey_closing", "white_tophat", "black_tophat", "morphological_gradient", "morphological_laplace",
]  # fmt: skip


def agrees(name: str, *args: Any, **kwargs: Any) -> None:
    """The filter of this name gives what SciPy gives; what SciPy refuses is not asked for."""
    try:
        expected = getattr(scipy.ndimage, name)(*args, **kwargs)
    except (RuntimeError, ValueError):
        return
    got = getattr(ndimage, name)(*args, **kwargs).numpy()
    assert got.dtype == expected.dtype
    close = {"rtol": 1e-5, "atol": 1e-5} if got.dtype == np.float32 else {"rtol": 1e-10, "atol": 1e-10}
    np.testing.assert_allclose(got, expected, **close, err_msg=f"{name} {kwargs}")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_windows(size: tuple[int, int], mode: str) -> None:
    weights = R.standard_normal(size)
    for origin in ORIGINS:
        rest = {"mode": mode, "cval": 1.5, "origin": origin}
        for name in ("correlate", "convolve"):
            agrees(name, IMAGE, weights, **rest)
        for name in ("maximum_filter", "minimum_filter", "median_filter", "uniform_filter"):
            agrees(name, IMAGE, size, **rest)
            if name != "uniform_filter":
                agrees(name, IMAGE, footprint=weights > 0, **rest)
        for percentile in (0, 20, 80, 100, -20):
            agrees("percentile_filter", IMAGE, percentile, size, **rest)
        for rank in (0, 1, -1):
            agrees("rank_filter", IMAGE, rank, size, **rest)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", MORPHOLOGY)
def test_morphology(name: str, mode: str) -> None:
    for size in SIZES:
        weights = R.standard_normal(size)
        for origin in ORIGINS:
            rest = {"mode": mode, "cval": 1.5, "origin": origin}
            agrees(name, IMAGE, size, **rest)
            agrees(name, IMAGE, structure=weights, **rest)
            agrees(name, IMAGE, footprint=weights > 0, **rest)


@pytest.mark.parametrize("mode", [*MODES, ["reflect", "wrap"]], ids=str)
def test_smoothing_and_derivatives(mode: Any) -> None:
    rest = {"mode": mode, "cval": 1.5}
    for sigma in (1, (0.5, 2), 0.0, [0, 1]):
        for order in (0, 1, 2, (0, 1), 3):
            agrees("gaussian_filter", IMAGE, sigma, order, **rest)
        agrees("gaussian_laplace", IMAGE, sigma, **rest)
        agrees("gaussian_gradient_magnitude", IMAGE, sigma, **rest)
    for name in ("prewitt", "sobel"):
        for axis in (0, -1):
            agrees(name, IMAGE, axis, **rest)
    agrees("laplace", IMAGE, **rest)


def test_along_one_axis_and_far_beyond_the_edges() -> None:
    for n in (1, 2, 3, 4):
        for name in ("uniform_filter1d", "maximum_filter1d", "minimum_filter1d"):
            agrees(name, IMAGE, n, 0)
        agrees("convolve1d", IMAGE, np.arange(n) + 1.0, 0, mode="wrap")
        agrees("correlate1d", IMAGE, np.arange(n) + 1.0, 1, mode="mirror")
    block = R.standard_normal((3, 4, 5))
    for mode in MODES:
        agrees("gaussian_filter", block, 5, mode=mode)
    agrees("gaussian_filter", block, 1, axes=(1, 2))
    agrees("gaussian_filter", block, 1, radius=2)
    agrees("median_filter", block, (2, 3), axes=(0, 2))
    agrees("laplace", block)


def test_dtypes() -> None:
    for image in ((IMAGE * 3).astype(np.int32), IMAGE.astype(np.float32)):
        for name, args in (("gaussian_filter", (1,)), ("sobel", ()), ("median_filter", (3,)), ("laplace", ()), ("uniform_filter", (3,)),
                           ("grey_opening", (3,)), ("correlate", (np.full((2, 2), 0.3),))):  # fmt: skip
            agrees(name, image, *args)
            if image.dtype.kind == "i":
                agrees(name, image, *args, output=float)


@pytest.mark.parametrize(
    "f",
    [lambda x: ndimage.gaussian_filter(x, 1), lambda x: ndimage.sobel(x, 0, mode="wrap"), lambda x: ndimage.median_filter(x, 3),
     lambda x: ndimage.grey_opening(x, structure=np.ones((2, 3))), lambda x: ndimage.gaussian_gradient_magnitude(x, 1),
     lambda x: ndimage.laplace(x, mode="constant"), lambda x: ndimage.percentile_filter(x, 30, (2, 3)), lambda x: ndimage.white_tophat(x, 2)],
)  # fmt: skip
def test_gradients(f: Any) -> None:
    check_grads(f, [IMAGE], order=2)


def test_gradients_in_weights() -> None:
    check_grads(lambda x, w: ndimage.convolve(x, w, mode="mirror"), [IMAGE, R.standard_normal((2, 3))], order=2)
    flat = gg.zeros((4, 4), requires_grad=True)
    ndimage.gaussian_gradient_magnitude(flat, 1.0).sum().backward()
    assert not flat.grad.numpy().any()  # the length of a vector that is 0


def test_errors_say_what_is_wrong() -> None:
    for call, words in (
        (lambda: ndimage.median_filter(IMAGE), "size of the window"),
        (lambda: ndimage.gaussian_filter(IMAGE, 1, mode="around"), "mode.*must be one of"),
        (lambda: ndimage.correlate(IMAGE, [1.0]), "weights.*have 1 axes"),
        (lambda: ndimage.uniform_filter(IMAGE, 3, origin=2), "origin.*outside of a window"),
        (lambda: ndimage.percentile_filter(IMAGE, 120, 3), "not between -100 and 100"),
        (lambda: ndimage.rank_filter(IMAGE, 9, 3), "not among the 9 elements"),
        (lambda: ndimage.gaussian_filter(IMAGE, 1, output=np.zeros((6, 7))), "output.*is a dtype here"),
    ):
        with pytest.raises((ValueError, TypeError), match=words):
            call()
