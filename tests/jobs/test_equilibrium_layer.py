"""A layer that is its own fixed point, z = tanh(W z + U x + b): gradients by the implicit function theorem."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.optimize

import gpugrad as gg

WIDTH, INPUTS, BATCH = 6, 4, 5


@pytest.fixture(scope="module")
def params() -> dict[str, np.ndarray]:
    r = np.random.default_rng(12)
    w = r.normal(size=(WIDTH, WIDTH))
    return {
        "w": 0.8 * w / np.linalg.norm(w, 2),  # a contraction: there is one fixed point, and iteration finds it
        "u": r.normal(size=(WIDTH, INPUTS)),
        "b": r.normal(size=WIDTH),
        "x": r.normal(size=(BATCH, INPUTS)),
    }


def layer(p: Any, z: Any) -> Any:
    return np.tanh(z @ p["w"].T + p["x"] @ p["u"].T + p["b"])


def by_fixed_point(p: Any) -> Any:
    return gg.fixed_point(layer, p, np.zeros((BATCH, WIDTH)))


def by_implicit_root(p: Any) -> Any:
    return gg.implicit_root(lambda p, z: z - layer(p, z), p, np.zeros((BATCH, WIDTH)))


def by_a_solver_of_scipy(p: Any) -> Any:
    def solver(f: Callable[[np.ndarray], Any], z0: np.ndarray) -> np.ndarray:
        flat = scipy.optimize.root(lambda z: np.asarray(f(z.reshape(BATCH, WIDTH))).ravel(), np.ravel(z0), tol=1e-13)
        return flat.x.reshape(BATCH, WIDTH)

    return gg.implicit_root(lambda p, z: z - layer(p, z), p, np.zeros((BATCH, WIDTH)), solver=solver)


def unrolled(p: Any) -> Any:
    z = np.zeros((BATCH, WIDTH))
    for _ in range(200):
        z = layer(p, z)
    return z


WAYS = [by_fixed_point, by_implicit_root, by_a_solver_of_scipy]
C = np.random.default_rng(13).normal(size=(BATCH, WIDTH))


def loss(p: Any, equilibrium: Callable[[Any], Any]) -> Any:
    return np.sum(C * equilibrium(p) ** 2)


def by_hand(p: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """(1 - D W)' lambda = dL/dz for each sample, D the slopes of tanh; lambda' D is what reaches what is inside tanh."""
    z = unrolled(p)
    inside = np.zeros_like(z)
    for n in range(BATCH):
        d = np.diag(1 - z[n] ** 2)
        inside[n] = d @ np.linalg.solve((np.eye(WIDTH) - d @ p["w"]).T, 2 * C[n] * z[n])
    return {"w": inside.T @ z, "u": inside.T @ p["x"], "b": inside.sum(axis=0), "x": inside @ p["u"]}


@pytest.mark.parametrize("equilibrium", [*WAYS, unrolled])
def test_gradients_are_those_of_the_theorem(params: dict[str, np.ndarray], equilibrium: Any) -> None:
    value, gradient = gg.value_and_grad(loss)(params, equilibrium)
    assert value == pytest.approx(np.sum(C * unrolled(params) ** 2), rel=1e-7)
    for name, expected in by_hand(params).items():
        np.testing.assert_allclose(gradient[name], expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("equilibrium", WAYS)
def test_what_is_found_is_the_equilibrium(params: dict[str, np.ndarray], equilibrium: Any) -> None:
    z = np.asarray(equilibrium(params))
    np.testing.assert_allclose(z, layer(params, z), atol=1e-7)


@pytest.mark.parametrize("equilibrium", WAYS)
def test_both_modes_and_the_second_order(params: dict[str, np.ndarray], equilibrium: Any) -> None:
    bias = np.random.default_rng(14).normal(size=WIDTH)
    of_bias = lambda b, way=equilibrium: loss({**params, "b": b}, way)  # noqa: E731
    reference = lambda b: loss({**params, "b": b}, unrolled)  # noqa: E731
    slope = gg.jvp(of_bias, (params["b"],), (bias,))[1]
    assert slope == pytest.approx(by_hand(params)["b"] @ bias, rel=1e-6)
    np.testing.assert_allclose(
        gg.hessian(of_bias)(params["b"]), gg.hessian(reference)(params["b"]), rtol=1e-5, atol=1e-5
    )


def test_a_layer_is_trained_to_an_equilibrium_that_was_wanted(params: dict[str, np.ndarray]) -> None:
    wanted = np.tanh(np.random.default_rng(15).normal(size=WIDTH))

    def miss(b: Any) -> Any:
        p = {**params, "x": params["x"][:1], "b": b}
        return np.sum((gg.fixed_point(layer, p, np.zeros((1, WIDTH))) - wanted) ** 2)

    fit = scipy.optimize.minimize(miss, np.zeros(WIDTH), jac=gg.grad(miss), method="BFGS", tol=1e-10)
    # z = tanh(W z + U x + b) can be solved for b
    expected = np.arctanh(wanted) - params["w"] @ wanted - params["u"] @ params["x"][0]
    np.testing.assert_allclose(fit.x, expected, atol=1e-4)


@pytest.mark.parametrize("start", [1.0, 3.0])
def test_the_root_of_one_equation(start: float) -> None:
    """Kepler's equation: E - e sin E = M, where dE/de = sin E / (1 - e cos E) and dE/dM = 1 / (1 - e cos E)."""
    kepler = lambda p, big_e: big_e - p[0] * np.sin(big_e) - p[1]  # noqa: E731
    solve = lambda p: gg.implicit_root(kepler, p, np.array(start))  # noqa: E731
    p = np.array([0.4, 1.1])
    big_e = scipy.optimize.brentq(lambda x: x - 0.4 * np.sin(x) - 1.1, 0, 3, xtol=1e-14)
    value, gradient = gg.value_and_grad(solve)(p)
    assert value == pytest.approx(big_e, rel=1e-8)
    np.testing.assert_allclose(gradient, np.array([np.sin(big_e), 1.0]) / (1 - 0.4 * np.cos(big_e)), rtol=1e-7)
