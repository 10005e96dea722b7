"""Two populations: a stiff solver with exact Jacobians, gradients of its parameters by sensitivities and by an RK4 loop."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.optimize import least_squares, minimize

import gpugrad as gg

TIMES = np.linspace(0, 5, 6)
START = np.array([1.5, 1.0])
TRUE = np.array([1.1, 0.7, 0.6, 0.9])


def lotka_volterra(t: float, y: Any, p: Any) -> Any:
    prey, predators = y
    a, b, c, d = p
    return np.stack([a * prey - b * prey * predators, c * prey * predators - d * predators])


def robertson(t: float, y: Any) -> Any:
    """Three reactions whose speeds are nine orders of magnitude apart."""
    y1, y2, y3 = y
    slow, fast, fastest = 0.04 * y1, 1e4 * y2 * y3, 3e7 * y2**2
    return np.stack([fast - slow, slow - fast - fastest, fastest])


def robertson_as_a_list(t: float, y: Any) -> Any:
    return [-0.04 * y[0] + 1e4 * y[1] * y[2], 0.04 * y[0] - 1e4 * y[1] * y[2] - 3e7 * y[1] ** 2, 3e7 * y[1] ** 2]


@pytest.mark.parametrize("robertson", [robertson, robertson_as_a_list])
@pytest.mark.parametrize("method", ["Radau", "BDF", "LSODA"])
def test_a_stiff_solver_with_an_exact_jacobian(method: str, robertson: Any) -> None:
    by_hand = lambda t, y: np.array(  # noqa: E731
        [
            [-0.04, 1e4 * y[2], 1e4 * y[1]],
            [0.04, -1e4 * y[2] - 6e7 * y[1], -1e4 * y[1]],
            [0.0, 6e7 * y[1], 0.0],
        ]
    )
    jac = gg.jacobian(robertson, argnums=1)
    y = np.array([0.9, 2e-5, 0.1])
    np.testing.assert_allclose(jac(0.0, y), by_hand(0.0, y), rtol=1e-12)
    options = {"method": method, "rtol": 1e-8, "atol": 1e-11}
    ours = solve_ivp(robertson, (0, 40), [1.0, 0.0, 0.0], jac=jac, **options)
    theirs = solve_ivp(robertson, (0, 40), [1.0, 0.0, 0.0], jac=by_hand, **options)
    assert ours.success
    np.testing.assert_allclose(ours.y[:, -1], [0.7158271, 9.185534e-6, 0.2841637], rtol=1e-5)  # from the literature
    np.testing.assert_allclose(ours.y[:, -1], theirs.y[:, -1], rtol=1e-9)


def solve(p: np.ndarray) -> np.ndarray:
    return solve_ivp(lotka_volterra, (0, 5), START, args=(p,), t_eval=TIMES, rtol=1e-9, atol=1e-10).y


def sensitivities(p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The solution, and its derivative by the parameters, S: dS/dt = (df/dy) S + df/dp."""
    in_y, in_p = gg.jacobian(lotka_volterra, argnums=1), gg.jacobian(lotka_volterra, argnums=2)

    def augmented(t: float, z: np.ndarray) -> np.ndarray:
        y, s = z[:2], z[2:].reshape(2, 4)
        return np.concatenate([lotka_volterra(t, y, p), (in_y(t, y, p) @ s + in_p(t, y, p)).ravel()])

    z = solve_ivp(augmented, (0, 5), np.append(START, np.zeros(8)), t_eval=TIMES, rtol=1e-7, atol=1e-8).y
    return z[:2], z[2:].reshape(2, 4, -1)


def rk4(p: Any, substeps: int = 8) -> Any:
    y, h, seen = START, TIMES[1] / substeps, [START]
    for _ in TIMES[1:]:
        for _ in range(substeps):
            k1 = lotka_volterra(0.0, y, p)
            k2 = lotka_volterra(0.0, y + 0.5 * h * k1, p)
            k3 = lotka_volterra(0.0, y + 0.5 * h * k2, p)
            k4 = lotka_volterra(0.0, y + h * k3, p)
            y = y + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        seen.append(y)
    return np.stack(seen, axis=1)


def test_sensitivities_are_differences_of_solutions() -> None:
    y, s = sensitivities(TRUE)
    h = 1e-5
    expected = np.stack([(solve(TRUE + h * e) - solve(TRUE - h * e)) / (2 * h) for e in np.eye(4)], axis=1)
    np.testing.assert_allclose(y, solve(TRUE), rtol=1e-5)
    np.testing.assert_allclose(s, expected, rtol=1e-3, atol=1e-3)


def test_the_loop_s_gradient_is_that_of_the_sensitivities() -> None:
    target = solve(TRUE)
    p = TRUE + np.array([0.1, -0.05, 0.05, 0.1])
    y, s = sensitivities(p)
    expected = 2 * np.einsum("it,ipt->p", y - target, s)
    loss = lambda p: np.sum((rk4(p) - target) ** 2)  # noqa: E731
    np.testing.assert_allclose(gg.grad(loss)(p), expected, rtol=1e-3)


SEEN = solve(TRUE)


def residual(p: Any) -> Any:
    return np.reshape(rk4(p) - SEEN, -1)


def test_the_parameters_are_found_by_least_squares() -> None:
    fit = least_squares(residual, np.ones(4), jac=gg.jacobian(residual))
    np.testing.assert_allclose(fit.x, TRUE, rtol=1e-3)
    by_differences = least_squares(residual, np.ones(4), jac="3-point")
    np.testing.assert_allclose(fit.x, by_differences.x, rtol=1e-6)
    np.testing.assert_allclose(fit.jac, by_differences.jac, rtol=1e-5, atol=1e-5)


def test_the_parameters_are_found_by_gradients() -> None:
    loss = lambda p: np.sum(residual(p) ** 2)  # noqa: E731
    fit = minimize(loss, np.ones(4), jac=gg.grad(loss), method="BFGS")
    np.testing.assert_allclose(fit.x, TRUE, rtol=1e-3)
