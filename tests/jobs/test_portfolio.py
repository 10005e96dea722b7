"""The portfolio of least conditional value at risk, by np.quantile and SLSQP, beside the linear program that solves it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.optimize import linprog, minimize

import gpugrad as gg

ASSETS, SCENARIOS, LEVEL = 5, 400, 0.9


@pytest.fixture(scope="module")
def returns() -> np.ndarray:
    r = np.random.default_rng(10)
    market = r.standard_t(5, size=(SCENARIOS, 1))
    own = r.standard_t(5, size=(SCENARIOS, ASSETS))
    return 0.01 * (np.linspace(0.2, 1.0, ASSETS) + np.linspace(0.4, 1.5, ASSETS) * market + own)


def value_at_risk(w: Any, returns: np.ndarray) -> Any:
    return np.quantile(-(returns @ w), LEVEL)


def cvar(w: Any, returns: np.ndarray) -> Any:
    losses = -(returns @ w)
    return np.mean(losses[losses >= np.quantile(losses, LEVEL)])


def cvar_of_the_minimum(w: Any, returns: np.ndarray) -> Any:
    """Rockafellar and Uryasev's form: the minimum over a threshold, which the quantile attains."""
    losses = -(returns @ w)
    threshold = np.quantile(losses, LEVEL, method="higher")
    return threshold + np.mean(np.maximum(losses - threshold, 0)) / (1 - LEVEL)


def test_risk_is_shared_out_among_the_assets(returns: np.ndarray) -> None:
    """Both measures are homogeneous of degree 1: Euler's theorem makes w @ gradient the whole."""
    w = np.random.default_rng(11).dirichlet(np.ones(ASSETS))
    order = np.argsort(-(returns @ w))
    at = LEVEL * (SCENARIOS - 1)
    low, part = int(at), at - int(at)
    expected = -((1 - part) * returns[order[low]] + part * returns[order[low + 1]])
    value, gradient = gg.value_and_grad(value_at_risk)(w, returns)
    np.testing.assert_allclose(gradient, expected, rtol=1e-9)
    assert w @ gradient == pytest.approx(value)
    assert value == pytest.approx(np.quantile(-(returns @ w), LEVEL))

    tail = order[low + 1 :]
    for f in (cvar, cvar_of_the_minimum):
        value, gradient = gg.value_and_grad(f)(w, returns)
        np.testing.assert_allclose(gradient, -returns[tail].mean(axis=0), rtol=1e-9)
        assert w @ gradient == pytest.approx(value)


def test_several_quantiles_at_once(returns: np.ndarray) -> None:
    w = np.full(ASSETS, 1 / ASSETS)
    both = lambda w: np.quantile(-(returns @ w), [0.5, LEVEL])  # noqa: E731
    h = 1e-7
    expected = np.stack([(both(w + h * e) - both(w - h * e)) / (2 * h) for e in np.eye(ASSETS)], axis=1)
    np.testing.assert_allclose(gg.jacobian(both)(w), expected, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(
        gg.jacobian(lambda w: np.percentile(-(returns @ w), [50, 90]))(w), expected, rtol=1e-6, atol=1e-9
    )
    np.testing.assert_allclose(gg.grad(lambda w: np.median(-(returns @ w)))(w), expected[0], rtol=1e-6, atol=1e-9)


def linear_program(returns: np.ndarray, target: float) -> tuple[float, np.ndarray]:
    """Weights, a threshold and the excess of each scenario: the minimum is exact."""
    n, d = returns.shape
    cost = np.concatenate([np.zeros(d), [1.0], np.full(n, 1 / (n * (1 - LEVEL)))])
    excess = np.hstack([-returns, -np.ones((n, 1)), -np.eye(n)])
    reward = np.concatenate([-returns.mean(axis=0), np.zeros(n + 1)])
    fit = linprog(
        cost,
        A_ub=np.vstack([excess, reward]),
        b_ub=np.append(np.zeros(n), -target),
        A_eq=[np.concatenate([np.ones(d), np.zeros(n + 1)])],
        b_eq=[1.0],
        bounds=[(0, None)] * d + [(None, None)] + [(0, None)] * n,
    )
    return fit.fun, fit.x[:d]


@pytest.mark.parametrize("risk", [cvar, cvar_of_the_minimum])
def test_the_optimum_is_that_of_the_linear_program(returns: np.ndarray, risk: Any) -> None:
    target = 0.006
    reward = lambda w: np.mean(returns @ w) - target  # noqa: E731
    budget = lambda w: np.sum(w) - 1  # noqa: E731
    fit = minimize(
        risk,
        np.full(ASSETS, 1 / ASSETS),
        args=(returns,),
        jac=gg.grad(risk),
        method="SLSQP",
        bounds=[(0, 1)] * ASSETS,
        constraints=[
            {"type": "eq", "fun": budget, "jac": gg.grad(budget)},
            {"type": "ineq", "fun": reward, "jac": gg.grad(reward)},
        ],
    )
    least, weights = linear_program(returns, target)
    assert fit.x.sum() == pytest.approx(1)
    assert (returns @ fit.x).mean() >= target - 1e-9
    assert least <= fit.fun + 1e-12
    assert fit.fun == pytest.approx(least, rel=5e-3)
    np.testing.assert_allclose(fit.x, weights, atol=0.05)
