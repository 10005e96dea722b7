"""Images without their noise and blur: total variation, edges and Gaussian filters, with gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.ndimage
from scipy.optimize import minimize
from sklearn.datasets import load_digits, load_sample_image

import gpugrad as gg
from gpugrad.scipy import ndimage


@pytest.fixture(scope="module")
def china() -> np.ndarray:
    """A part of a photograph, grey, from 0 to 1."""
    return load_sample_image("china.jpg")[100:148, 200:264].mean(axis=-1) / 255


@pytest.fixture(scope="module")
def digit() -> np.ndarray:
    return load_digits().images[3] / 16


def total_variation(x: Any, eps: float = 1e-3) -> Any:
    """Of the smoothed kind, isotropic."""
    down, right = np.diff(x, axis=0)[:, :-1], np.diff(x, axis=1)[:-1, :]
    return np.sum(np.sqrt(down**2 + right**2 + eps**2))


def minus_divergence(x: np.ndarray, eps: float = 1e-3) -> np.ndarray:
    """The gradient of the total variation by hand: minus the divergence of the field of directions."""
    down, right = np.diff(x, axis=0)[:, :-1], np.diff(x, axis=1)[:-1, :]
    size = np.sqrt(down**2 + right**2 + eps**2)
    g = np.zeros_like(x)
    g[1:, :-1] += down / size
    g[:-1, 1:] += right / size
    g[:-1, :-1] -= (down + right) / size
    return g


def test_the_gradient_of_total_variation(china: np.ndarray) -> None:
    np.testing.assert_allclose(gg.grad(total_variation)(china), minus_divergence(china), rtol=1e-10, atol=1e-12)


def test_a_noisy_photograph_gets_better(china: np.ndarray) -> None:
    noisy = china + 0.08 * np.random.default_rng(16).normal(size=china.shape)

    def loss(x: Any) -> Any:
        x = x.reshape(china.shape)
        return 0.5 * np.sum((x - noisy) ** 2) + 0.025 * total_variation(x, 1e-2)

    fit = minimize(
        gg.value_and_grad(loss), noisy.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": 500, "ftol": 1e-13}
    )
    clean = fit.x.reshape(china.shape)
    # the objective grows at least as fast as half the squared distance from its minimum, so that is no further
    # away than the gradient is long, which is computed by hand here
    assert np.linalg.norm(clean - noisy + 0.025 * minus_divergence(clean, 1e-2)) < 1e-3
    assert np.mean((clean - china) ** 2) < 0.8 * np.mean((noisy - china) ** 2)


FILTERS: list[Any] = [
    pytest.param(lambda ndimage, x: ndimage.gaussian_filter(x, 1.0), id="gaussian"),
    pytest.param(lambda ndimage, x: ndimage.gaussian_filter(x, (0.7, 1.5), mode="nearest"), id="gaussian-nearest"),
    pytest.param(lambda ndimage, x: ndimage.gaussian_filter(x, 1.2, mode="constant"), id="gaussian-constant"),
    pytest.param(lambda ndimage, x: ndimage.gaussian_filter(x, 2.0, mode="wrap", truncate=2.0), id="gaussian-wrap"),
    pytest.param(lambda ndimage, x: ndimage.gaussian_filter(x, 1.0, order=(0, 1), mode="mirror"), id="gaussian-slope"),
    pytest.param(lambda ndimage, x: ndimage.sobel(x), id="sobel"),
    pytest.param(lambda ndimage, x: ndimage.sobel(x, axis=0, mode="nearest"), id="sobel-nearest"),
]


@pytest.mark.parametrize("apply", FILTERS)
def test_filters_are_scipy_s_and_their_gradients_are_their_transposes(
    apply: Callable[..., Any], china: np.ndarray
) -> None:
    x = china[:12, :15]
    np.testing.assert_allclose(apply(ndimage, gg.tensor(x)).numpy(), apply(scipy.ndimage, x), rtol=1e-12, atol=1e-12)
    matrix = np.stack([apply(scipy.ndimage, e.reshape(x.shape)).ravel() for e in np.eye(x.size)], axis=1)
    c = np.random.default_rng(18).normal(size=x.shape)
    gradient = gg.grad(lambda x: np.sum(c * apply(ndimage, x)))(x)
    np.testing.assert_allclose(gradient.ravel(), matrix.T @ c.ravel(), rtol=1e-10, atol=1e-12)


@pytest.mark.usefixtures("on_cpu")
def test_a_blurred_digit_is_sharpened_as_the_normal_equations_say(digit: np.ndarray) -> None:
    blurred = scipy.ndimage.gaussian_filter(digit, 0.8) + 0.01 * np.random.default_rng(19).normal(size=(8, 8))

    def loss(x: Any) -> Any:
        x = x.reshape(8, 8)
        smooth = np.sum(np.diff(x, axis=0) ** 2) + np.sum(np.diff(x, axis=1) ** 2)
        return np.sum((ndimage.gaussian_filter(x, 0.8) - blurred) ** 2) + 0.001 * smooth

    fit = minimize(loss, blurred.ravel(), jac=gg.grad(loss), method="Newton-CG",
                   hessp=lambda x, v: gg.hvp(loss, x, v), options={"xtol": 1e-12})  # fmt: skip
    blur = np.stack([scipy.ndimage.gaussian_filter(e.reshape(8, 8), 0.8).ravel() for e in np.eye(64)], axis=1)
    down = np.stack([np.diff(e.reshape(8, 8), axis=0).ravel() for e in np.eye(64)], axis=1)
    right = np.stack([np.diff(e.reshape(8, 8), axis=1).ravel() for e in np.eye(64)], axis=1)
    normal = blur.T @ blur + 0.001 * (down.T @ down + right.T @ right)
    np.testing.assert_allclose(fit.x, np.linalg.solve(normal, blur.T @ blurred.ravel()), atol=1e-6)
    assert np.sum((fit.x.reshape(8, 8) - digit) ** 2) < 0.5 * np.sum((blurred - digit) ** 2)


def test_edges_that_are_to_be_kept(china: np.ndarray) -> None:
    """Beside differences: the edges of an image by Sobel's filter, of both directions, compared with another's."""

    def edges(x: Any) -> Any:
        return np.hypot(ndimage.sobel(x, axis=0), ndimage.sobel(x, axis=1))

    x, r = china[:16, :16], np.random.default_rng(20)
    goal = scipy.ndimage.gaussian_filter(x, 1.0)
    loss = lambda x: np.mean((edges(ndimage.gaussian_filter(x, 1.0)) - edges(goal)) ** 2)  # noqa: E731
    at = x + 0.1 * r.normal(size=x.shape)
    direction, h = r.normal(size=x.shape), 1e-6

    def independent(x: np.ndarray) -> float:
        smooth = scipy.ndimage.gaussian_filter(x, 1.0)
        strength = lambda y: np.hypot(scipy.ndimage.sobel(y, 0), scipy.ndimage.sobel(y, 1))  # noqa: E731
        return float(np.mean((strength(smooth) - strength(goal)) ** 2))

    slope = (independent(at + h * direction) - independent(at - h * direction)) / (2 * h)
    assert np.sum(gg.grad(loss)(at) * direction) == pytest.approx(slope, rel=1e-6)
