"""Negative binomial regression: counts with more variance than a Poisson's, by SciPy's own gammaln on tensors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.stats
from scipy.optimize import minimize
from scipy.special import digamma, gammaln

import gpugrad as gg
from gpugrad.scipy.stats import nbinom

R = np.random.default_rng(4)
X = np.column_stack([np.ones(400), R.normal(size=(400, 2))])
TRUE = np.array([1.2, 0.5, -0.8])
SIZE = 2.5
Y = R.negative_binomial(SIZE, SIZE / (SIZE + np.exp(X @ TRUE)))


def nll(p: Any) -> Any:
    """Minus the log-likelihood: coefficients, and the logarithm of the size r; the variance is mu + mu**2 / r."""
    beta, r = p[:3], np.exp(p[3])
    mu = np.exp(X @ beta)
    ll = gammaln(Y + r) - gammaln(r) - gammaln(Y + 1) + r * np.log(r / (r + mu)) + Y * np.log(mu / (r + mu))
    return -np.sum(ll)


def nll_of_a_distribution(p: Any) -> Any:
    r, mu = np.exp(p[3]), np.exp(X @ p[:3])
    return -np.sum(nbinom.logpmf(Y, r, r / (r + mu)))


def independent(p: np.ndarray) -> float:
    r, mu = np.exp(p[3]), np.exp(X @ p[:3])
    return float(-scipy.stats.nbinom.logpmf(Y, r, r / (r + mu)).sum())


def by_hand(p: np.ndarray) -> np.ndarray:
    r, mu = np.exp(p[3]), np.exp(X @ p[:3])
    in_beta = X.T @ (r * (Y - mu) / (r + mu))
    in_r = np.sum(digamma(Y + r) - digamma(r) + np.log(r / (r + mu)) + (mu - Y) / (r + mu))
    return -np.append(in_beta, r * in_r)


AT = np.array([0.8, 0.1, -0.2, 0.3])


@pytest.mark.parametrize("nll", [nll, nll_of_a_distribution])
def test_likelihood_and_score(nll: Any) -> None:
    value, score = gg.value_and_grad(nll)(AT)
    assert value == pytest.approx(independent(AT), rel=1e-11)
    np.testing.assert_allclose(score, by_hand(AT), rtol=1e-9)


@pytest.mark.parametrize("nll", [nll, nll_of_a_distribution])
def test_the_observed_information(nll: Any) -> None:
    h = 1e-5
    expected = np.stack([(by_hand(AT + h * e) - by_hand(AT - h * e)) / (2 * h) for e in np.eye(4)])
    np.testing.assert_allclose(gg.hessian(nll)(AT), expected, rtol=1e-6, atol=1e-5)
    np.testing.assert_allclose(gg.jacobian(gg.grad(nll))(AT), expected, rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize("method", ["BFGS", "trust-exact"])
def test_the_estimate(method: str) -> None:
    hess = {"hess": gg.hessian(nll)} if method == "trust-exact" else {}
    fit = minimize(nll, np.zeros(4), jac=gg.grad(nll), method=method, **hess)
    theirs = minimize(
        independent, np.zeros(4), method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-9, "maxiter": 4000}
    )
    np.testing.assert_allclose(fit.x, theirs.x, atol=1e-4)
    np.testing.assert_allclose(by_hand(fit.x), 0, atol=1e-2)
    errors = np.sqrt(np.diag(np.linalg.inv(gg.hessian(nll)(fit.x))))
    assert np.all(np.abs(fit.x - np.append(TRUE, np.log(SIZE))) < 4 * errors)  # what the data were drawn with
