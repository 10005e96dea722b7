"""Variational inference by reparameterization, where the posterior is known: Bayesian linear regression."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.stats
from scipy.optimize import minimize

import gpugrad as gg
from gpugrad.scipy.stats import norm

D, S, NOISE, PRIOR = 3, 64, 0.4, 2.0
R = np.random.default_rng(9)
X = np.column_stack([np.ones(50), R.normal(size=(50, D - 1))])
X[:, 2] += 0.7 * X[:, 1]  # correlated
Y = X @ np.array([0.5, -1.0, 2.0]) + NOISE * R.normal(size=50)


def draws() -> np.ndarray:
    """Standard normal draws whose mean is 0 and covariance is 1 to the last bit: averages of quadratics are then exact."""
    e = R.normal(size=(S, D))
    e -= e.mean(axis=0)
    return e @ np.linalg.inv(np.linalg.cholesky(e.T @ e / S)).T


EPS = draws()


def log_normal(x: Any, mean: Any, sd: Any) -> Any:
    return -0.5 * ((x - mean) / sd) ** 2 - np.log(sd) - 0.5 * np.log(2 * np.pi)


def log_normal_of_scipy(x: Any, mean: Any, sd: Any) -> Any:
    return norm.logpdf(x, mean, sd)


DENSITIES = [pytest.param(log_normal, id="written-out"), pytest.param(log_normal_of_scipy, id="gpugrad.scipy.stats")]


def log_joint(beta: Any, density: Any) -> Any:
    """Of each row of beta, one draw of the coefficients."""
    return np.sum(density(beta, 0.0, PRIOR), axis=-1) + np.sum(density(Y, beta @ X.T, NOISE), axis=-1)


def full_rank(p: Any, density: Any) -> Any:
    """The ELBO of a Gaussian with any covariance: mean, logarithms of the factor's diagonal, and what is below it."""
    mean, low = p[:D], np.diag(np.exp(p[D : 2 * D]))
    low[np.tril_indices(D, -1)] = p[2 * D :]
    beta = mean + EPS @ low.T
    entropy = np.sum(p[D : 2 * D]) + 0.5 * D * (1 + np.log(2 * np.pi))
    return np.mean(log_joint(beta, density)) + entropy


def mean_field(p: Any, density: Any) -> Any:
    mean, sd = p[:D], np.exp(p[D:])
    beta = mean + sd * EPS
    return np.mean(log_joint(beta, density) - np.sum(density(beta, mean, sd), axis=-1))


def posterior() -> tuple[np.ndarray, np.ndarray, float]:
    """The mean, the precision, and the logarithm of the evidence."""
    precision = X.T @ X / NOISE**2 + np.eye(D) / PRIOR**2
    mean = np.linalg.solve(precision, X.T @ Y / NOISE**2)
    covariance = PRIOR**2 * X @ X.T + NOISE**2 * np.eye(len(Y))
    return mean, precision, float(scipy.stats.multivariate_normal(np.zeros(len(Y)), covariance).logpdf(Y))


@pytest.mark.parametrize("density", DENSITIES)
@pytest.mark.usefixtures("solvers")
def test_a_full_covariance_finds_posterior_and_evidence(density: Any) -> None:
    mean, precision, evidence = posterior()
    loss = lambda p: -full_rank(p, density)  # noqa: E731
    fit = minimize(loss, np.zeros(2 * D + D * (D - 1) // 2), jac=gg.grad(loss), method="BFGS", options={"gtol": 1e-7})
    low = np.diag(np.exp(fit.x[D : 2 * D]))
    low[np.tril_indices(D, -1)] = fit.x[2 * D :]
    np.testing.assert_allclose(fit.x[:D], mean, atol=1e-6)
    np.testing.assert_allclose(low @ low.T, np.linalg.inv(precision), atol=1e-7)
    assert -fit.fun == pytest.approx(evidence, rel=1e-8)  # the bound is tight


@pytest.mark.parametrize("density", DENSITIES)
@pytest.mark.usefixtures("solvers")
def test_independent_factors_find_the_diagonal_of_the_precision(density: Any) -> None:
    mean, precision, evidence = posterior()
    loss = lambda p: -mean_field(p, density)  # noqa: E731
    fit = minimize(loss, np.zeros(2 * D), jac=gg.grad(loss), method="BFGS", options={"gtol": 1e-7})
    np.testing.assert_allclose(fit.x[:D], mean, atol=1e-6)
    np.testing.assert_allclose(np.exp(fit.x[D:]), np.diag(precision) ** -0.5, rtol=1e-6)
    gap = 0.5 * (np.sum(np.log(np.diag(precision))) - np.linalg.slogdet(precision)[1])  # what independence costs
    assert evidence + fit.fun == pytest.approx(gap, rel=1e-7)


@pytest.mark.parametrize("density", DENSITIES)
def test_the_gradient_is_that_of_differences(density: Any) -> None:
    at, h = R.normal(size=2 * D), 1e-6
    expected = [
        (mean_field(at + h * e, log_normal) - mean_field(at - h * e, log_normal)) / (2 * h) for e in np.eye(2 * D)
    ]
    np.testing.assert_allclose(gg.grad(mean_field)(at, density), expected, rtol=1e-6)
