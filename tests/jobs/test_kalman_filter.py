"""The likelihood of a linear state space model by a Kalman filter, beside the Gaussian of all observations at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.linalg
import scipy.stats
from scipy.optimize import minimize

import gpugrad as gg

T = 60
H = np.array([[1.0, 0.0]])
F = np.array([[1.0, 1.0], [0.0, 0.9]])  # a level, and a slope that fades
P0 = 4 * np.eye(2)


def simulate() -> np.ndarray:
    r = np.random.default_rng(5)
    state, seen = r.normal(size=2) * 2, []
    for _ in range(T):
        seen.append(H @ state + 0.7 * r.normal(size=1))
        state = F @ state + np.array([0.3, 0.4]) * r.normal(size=2)
    return np.array(seen)


Y = simulate()
AT = np.log([0.5, 0.3, 1.0])  # standard deviations of level, slope and observation


def nll(theta: Any) -> Any:
    q = np.diag(np.exp(2 * theta[:2]))
    r = np.exp(2 * theta[2]) * np.eye(1)
    m, p = np.zeros(2), P0
    total = 0.0
    for y in Y:
        v = y - H @ m
        s = H @ p @ H.T + r
        total += 0.5 * (np.linalg.slogdet(s)[1] + v @ np.linalg.solve(s, v) + np.log(2 * np.pi))
        gain = p @ H.T @ np.linalg.inv(s)
        m = m + gain @ v
        p = p - gain @ H @ p
        m, p = F @ m, F @ p @ F.T + q
    return total


def independent(theta: np.ndarray) -> float:
    """All observations are one Gaussian vector: Cov(y_s, y_t) = H P_s (F^(t-s))' H' for s <= t, and the noise."""
    q, noise = np.diag(np.exp(2 * theta[:2])), np.exp(2 * theta[2])
    cov, p = np.zeros((T, T)), P0
    for s in range(T):
        across = p
        for t in range(s, T):
            cov[s, t] = cov[t, s] = (H @ across @ H.T).item()
            across = across @ F.T
        p = F @ p @ F.T + q
    return float(-scipy.stats.multivariate_normal(np.zeros(T), cov + noise * np.eye(T)).logpdf(Y[:, 0]))


def test_likelihood_and_gradient() -> None:
    value, gradient = gg.value_and_grad(nll)(AT)
    assert value == pytest.approx(independent(AT), rel=1e-11)
    h = 1e-5
    expected = [(independent(AT + h * e) - independent(AT - h * e)) / (2 * h) for e in np.eye(3)]
    np.testing.assert_allclose(gradient, expected, rtol=1e-6)


def test_curvature() -> None:
    gradient, h = gg.grad(nll), 1e-5
    expected = np.stack([(gradient(AT + h * e) - gradient(AT - h * e)) / (2 * h) for e in np.eye(3)])
    v = np.array([1.0, 0.5, -2.0])
    np.testing.assert_allclose(gg.hvp(nll, AT, v), expected @ v, rtol=1e-5)
    np.testing.assert_allclose(gg.hessian(nll)(AT), expected, rtol=1e-5, atol=1e-5)


def test_the_estimate_is_that_without_gradients() -> None:
    fit = minimize(nll, AT, jac=gg.grad(nll), method="L-BFGS-B")
    theirs = minimize(independent, AT, method="BFGS")  # by differences
    assert fit.fun == pytest.approx(theirs.fun, abs=1e-5)
    np.testing.assert_allclose(np.exp(fit.x), np.exp(theirs.x), atol=2e-3)
