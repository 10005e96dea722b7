"""The hyper-parameters of a Gaussian process, by the Cholesky factor of its covariance, beside scikit-learn's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

import gpugrad as gg
from gpugrad.scipy import linalg, stats

R = np.random.default_rng(1)
X = np.sort(R.uniform(0, 6, 40))
Y = np.sin(1.5 * X) + 0.3 * X + 0.15 * R.normal(size=40)
START = np.log([1.0, 1.0, 0.1])  # amplitude squared, length, noise squared


def covariance(theta: Any) -> Any:
    amplitude, length, noise = np.exp(theta)
    d = X[:, None] - X[None, :]
    return amplitude * np.exp(-0.5 * (d / length) ** 2) + noise * np.eye(len(X))


def loss(theta: Any) -> Any:
    """Minus the logarithm of the evidence."""
    low = np.linalg.cholesky(covariance(theta))
    alpha = np.linalg.solve(low.T, np.linalg.solve(low, Y))
    return 0.5 * Y @ alpha + np.sum(np.log(np.diag(low))) + 0.5 * len(X) * np.log(2 * np.pi)


def loss_by_triangular_solves(theta: Any) -> Any:
    low = linalg.cholesky(covariance(theta), lower=True)
    z = linalg.solve_triangular(low, Y, lower=True)
    return 0.5 * np.sum(z**2) + np.sum(np.log(np.diag(low))) + 0.5 * len(X) * np.log(2 * np.pi)


def loss_by_a_factor(theta: Any) -> Any:
    factor = linalg.cho_factor(covariance(theta), lower=True)
    fit = 0.5 * np.dot(Y, linalg.cho_solve(factor, Y))
    return fit + np.sum(np.log(np.diag(factor[0]))) + 0.5 * len(X) * np.log(2 * np.pi)


def loss_by_a_density(theta: Any) -> Any:
    return -stats.multivariate_normal.logpdf(Y, np.zeros(len(X)), covariance(theta))


@pytest.fixture(scope="module")
def theirs() -> GaussianProcessRegressor:
    kernel = ConstantKernel(1.0) * RBF(1.0) + WhiteKernel(0.1)
    return GaussianProcessRegressor(kernel, alpha=0.0).fit(X[:, None], Y)


@pytest.mark.parametrize("loss", [loss, loss_by_triangular_solves, loss_by_a_factor, loss_by_a_density])
@pytest.mark.usefixtures("solvers")
def test_evidence_and_gradient_are_those_of_scikit_learn(theirs: GaussianProcessRegressor, loss: Any) -> None:
    for theta in (START, START + 0.5, np.array([0.3, -0.7, -3.0])):
        evidence, gradient = theirs.log_marginal_likelihood(theta, eval_gradient=True)
        value, ours = gg.value_and_grad(loss)(theta)
        assert value == pytest.approx(-evidence, rel=1e-10)
        np.testing.assert_allclose(ours, -gradient, rtol=1e-7)


@pytest.mark.parametrize("how", ["gradient", "hessian", "products"])
def test_the_optimum_is_that_of_scikit_learn(theirs: GaussianProcessRegressor, how: str) -> None:
    arguments: dict[str, Any] = {
        "gradient": {"method": "BFGS"},
        "hessian": {"method": "trust-exact", "hess": gg.hessian(loss)},
        "products": {"method": "trust-krylov", "hessp": lambda theta, v: gg.hvp(loss, theta, v)},
    }[how]
    fit = minimize(loss, START, jac=gg.grad(loss), **arguments)
    assert fit.success
    np.testing.assert_allclose(fit.x, theirs.kernel_.theta, atol=1e-3)
    assert fit.fun <= -theirs.log_marginal_likelihood_value_ + 1e-8


def test_the_curvature_is_that_of_differences() -> None:
    gradient = gg.grad(loss)
    steps = 1e-5 * np.eye(3)
    expected = np.stack([(gradient(START + s) - gradient(START - s)) / 2e-5 for s in steps])
    np.testing.assert_allclose(gg.hessian(loss)(START), expected, rtol=1e-6, atol=1e-6)
    v = np.array([1.0, -2.0, 0.5])
    np.testing.assert_allclose(gg.hvp(loss, START, v), expected @ v, rtol=1e-6)
