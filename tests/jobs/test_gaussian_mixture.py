"""A mixture of Gaussians with full covariances: where its likelihood is highest, beside scikit-learn's EM."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.stats
from scipy.optimize import minimize
from sklearn.datasets import load_iris
from sklearn.mixture import GaussianMixture

import gpugrad as gg
from gpugrad.scipy import special

# It asks the system for its cores with a program that need not be on the path, and warns where it is not.
pytestmark = pytest.mark.filterwarnings("ignore:Could not find the number of physical cores")

K, D = 3, 4
X = load_iris().data
LOWER = np.tril_indices(D)


def log_densities(logits: Any, means: Any, covariances: Any, logsumexp: Any) -> Any:
    """The logarithm of the mixture's density at each row of X."""
    off = X[:, None, :] - means  # (n, K, D)
    solved = np.linalg.solve(covariances, off[..., None])[..., 0]
    _, logdet = np.linalg.slogdet(covariances)
    logs = -0.5 * (np.sum(off * solved, axis=-1) + logdet + D * np.log(2 * np.pi))
    return logsumexp(logs + logits - logsumexp(logits), axis=1)


LOGSUMEXPS = [pytest.param(gg.logsumexp, id="gg"), pytest.param(special.logsumexp, id="gpugrad.scipy")]


def unpack(p: Any) -> tuple[Any, Any, Any]:
    """Logits, means, and covariances as products of lower triangular factors, from one vector."""
    logits, means = p[:K], p[K : K + K * D].reshape(K, D)
    factors = np.zeros_like(p, shape=(K, D, D))
    factors[:, LOWER[0], LOWER[1]] = p[K + K * D :].reshape(K, -1)
    return logits, means, factors @ factors.swapaxes(-1, -2)


def pack(logits: np.ndarray, means: np.ndarray, covariances: np.ndarray) -> np.ndarray:
    low = np.linalg.cholesky(covariances)
    return np.concatenate([logits, means.ravel(), low[:, LOWER[0], LOWER[1]].ravel()])


@pytest.fixture(scope="module")
def theirs() -> GaussianMixture:
    return GaussianMixture(K, tol=1e-13, reg_covar=0, max_iter=5000, random_state=0).fit(X)


def loss_of(logsumexp: Any) -> Any:
    return lambda p: -np.mean(log_densities(*unpack(p), logsumexp))


@pytest.mark.parametrize("logsumexp", LOGSUMEXPS)
def test_value_and_gradient_at_em_s_optimum(theirs: GaussianMixture, logsumexp: Any) -> None:
    at = pack(np.log(theirs.weights_), theirs.means_, theirs.covariances_)
    value, gradient = gg.value_and_grad(loss_of(logsumexp))(at)
    assert value == pytest.approx(-theirs.score(X), rel=1e-10)
    np.testing.assert_allclose(gradient, 0, atol=1e-5)  # EM has converged


@pytest.mark.parametrize("logsumexp", LOGSUMEXPS)
def test_gradient_away_from_it_is_that_of_differences(theirs: GaussianMixture, logsumexp: Any) -> None:
    def independent(p: np.ndarray) -> float:
        logits, means, covariances = unpack(p)
        w = np.exp(logits) / np.sum(np.exp(logits))
        density = sum(w[k] * scipy.stats.multivariate_normal(means[k], covariances[k]).pdf(X) for k in range(K))
        return float(-np.mean(np.log(density)))

    at = pack(np.log(theirs.weights_), theirs.means_, theirs.covariances_)
    at = at + 0.05 * np.random.default_rng(3).normal(size=at.size)
    h = 1e-6
    expected = [(independent(at + h * e) - independent(at - h * e)) / (2 * h) for e in np.eye(at.size)]
    np.testing.assert_allclose(gg.grad(loss_of(logsumexp))(at), expected, rtol=1e-5, atol=1e-7)


@pytest.mark.usefixtures("on_cpu")
def test_the_optimizer_finds_what_em_finds(theirs: GaussianMixture) -> None:
    start = pack(np.zeros(K), theirs.means_ + 0.1, np.array([np.cov(X.T) / 4] * K))
    fit = minimize(loss_of(gg.logsumexp), start, jac=gg.grad(loss_of(gg.logsumexp)), method="L-BFGS-B", tol=1e-12,
                   options={"maxiter": 1000})  # fmt: skip
    logits, means, covariances = unpack(fit.x)
    weights = np.exp(logits) / np.exp(logits).sum()
    order, there = np.argsort(means[:, 0]), np.argsort(theirs.means_[:, 0])
    assert fit.fun == pytest.approx(-theirs.score(X), rel=1e-7)
    np.testing.assert_allclose(weights[order], theirs.weights_[there], atol=2e-3)
    np.testing.assert_allclose(means[order], theirs.means_[there], atol=5e-3)
    np.testing.assert_allclose(covariances[order], theirs.covariances_[there], atol=5e-3)
