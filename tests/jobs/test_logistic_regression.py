"""Logistic regression by SciPy's optimizers, on real data, beside scikit-learn's own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression

import gpugrad as gg

C = 0.5  # scikit-learn's word: one over the strength of the penalty


@pytest.fixture(scope="module")
def data() -> tuple[np.ndarray, np.ndarray]:
    x, y = load_breast_cancer(return_X_y=True)
    return (x - x.mean(axis=0)) / x.std(axis=0), 2.0 * y - 1


def loss_of(x: np.ndarray, sign: np.ndarray) -> Any:
    def loss(p: Any) -> Any:
        w, b = p[:-1], p[-1]
        return C * np.sum(np.logaddexp(0, -sign * (x @ w + b))) + 0.5 * np.sum(w**2)

    return loss


@pytest.mark.parametrize("method", ["BFGS", "L-BFGS-B", "Newton-CG", "trust-ncg"])
def test_the_optimum_is_that_of_scikit_learn(data: tuple[np.ndarray, np.ndarray], method: str) -> None:
    x, sign = data
    loss = loss_of(x, sign)
    second: dict[str, Any] = {}
    if method == "Newton-CG":
        second["hess"] = gg.hessian(loss)
    elif method == "trust-ncg":
        second["hessp"] = lambda p, v: gg.hvp(loss, p, v)
    fit = minimize(loss, np.zeros(31), jac=gg.grad(loss), method=method, **second)
    theirs = LogisticRegression(C=C, tol=1e-10, max_iter=10_000).fit(x, sign)
    np.testing.assert_allclose(fit.x[:-1], theirs.coef_[0], atol=2e-4)
    assert fit.x[-1] == pytest.approx(theirs.intercept_[0], abs=2e-4)
    assert np.mean(np.sign(x @ fit.x[:-1] + fit.x[-1]) == sign) == theirs.score(x, sign)


def test_value_and_gradient_at_once(data: tuple[np.ndarray, np.ndarray]) -> None:
    x, sign = data
    fit = minimize(gg.value_and_grad(loss_of(x, sign)), np.zeros(31), jac=True, method="L-BFGS-B")
    theirs = LogisticRegression(C=C, tol=1e-10, max_iter=10_000).fit(x, sign)
    np.testing.assert_allclose(fit.x[:-1], theirs.coef_[0], atol=2e-3)


def test_gradient_and_curvature_are_those_of_the_textbook(data: tuple[np.ndarray, np.ndarray]) -> None:
    x, sign = data
    loss = loss_of(x, sign)
    p = np.random.default_rng(0).normal(size=31)
    x1 = np.column_stack([x, np.ones(len(x))])
    penalty = np.append(np.ones(30), 0.0)
    mu = expit(x1 @ p)
    np.testing.assert_allclose(gg.grad(loss)(p), C * x1.T @ (mu - (sign > 0)) + penalty * p, rtol=1e-10)
    np.testing.assert_allclose(
        gg.hessian(loss)(p), C * (x1.T * (mu * (1 - mu))) @ x1 + np.diag(penalty), rtol=1e-9, atol=1e-9
    )
