"""Differential equations: solutions beside SciPy's, and their derivatives by everything that they depend on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.integrate

import gpugrad as gg
from gpugrad.scipy.integrate import odeint, solve_ivp
from gpugrad.testing import check_grads

START = np.array([1.0, 0.5])
TIMES = np.array([0.0, 0.5, 1.2])
CLOSE = {"rtol": 1e-9, "atol": 1e-10}


def populations(y: Any, t: Any, a: Any, b: Any) -> Any:
    return [a * y[0] - b * y[0] * y[1], 0.5 * y[0] * y[1] - y[1] * np.cos(t)]


def by_time(t: Any, y: Any, a: Any, b: Any) -> Any:
    return populations(y, t, a, b)


def test_values_are_scipy_s() -> None:
    ours = odeint(populations, START, TIMES, (1.1, 0.7))
    assert isinstance(ours, gg.Tensor)
    np.testing.assert_array_equal(ours.numpy(), scipy.integrate.odeint(populations, START, TIMES, (1.1, 0.7)))
    y, info = odeint(by_time, START, TIMES, (1.1, gg.tensor(0.7)), tfirst=True, full_output=True)
    assert y.tolist() == ours.tolist()
    assert info["nst"][-1] > 3
    found = solve_ivp(by_time, (0, 1), START, args=(1.1, 0.7), dense_output=True)
    theirs = scipy.integrate.solve_ivp(by_time, (0, 1), START, args=(1.1, 0.7))
    np.testing.assert_array_equal(found.y.numpy(), theirs.y)
    assert found.sol(0.5).shape == (2,)


def test_derivatives_by_state_times_and_parameters() -> None:
    f = lambda y0, t, a, b: odeint(populations, y0, t, (a, b), **CLOSE)  # noqa: E731
    check_grads(f, (START, TIMES, 1.1, 0.7), order=1, modes=("rev", "fwd"))


def test_derivatives_of_order_two() -> None:
    def decay(k: Any, y0: Any, t: Any) -> Any:
        return odeint(lambda y, t, k: -k * y, y0, [0.0, t], (k,), rtol=1e-11, atol=1e-12)[1, 0]

    k, y0, t = 0.5, 2.0, 1.5
    e = np.exp(-k * t)
    assert gg.grad(decay)(k, y0, t) == pytest.approx(-t * y0 * e, rel=1e-8)
    assert gg.grad(decay, argnums=2)(k, y0, t) == pytest.approx(-k * y0 * e, rel=1e-8)
    assert gg.hessian(decay)(k, y0, t) == pytest.approx(t * t * y0 * e, rel=1e-6)
    assert gg.grad(gg.grad(decay), argnums=1)(k, y0, t) == pytest.approx(-t * e, rel=1e-6)
    assert gg.grad(gg.grad(decay), argnums=2)(k, y0, t) == pytest.approx(-y0 * e + t * k * y0 * e, rel=1e-6)


@pytest.mark.parametrize("method", ["RK45", "LSODA"])
def test_solvers_of_every_kind(method: str) -> None:
    def end(a: Any, t_eval: Any = None) -> Any:
        options = {"rtol": 1e-8, "atol": [1e-9, 1e-10]}
        return solve_ivp(by_time, (0.0, 1.2), START, method, args=(a, 0.7), t_eval=t_eval, **options).y[:, -1].sum()

    expected = gg.grad(lambda a: odeint(populations, START, TIMES, (a, 0.7), **CLOSE)[-1].sum())(1.1)
    assert gg.grad(end)(1.1) == pytest.approx(expected, rel=1e-6)
    slope = np.sum(
        populations(scipy.integrate.odeint(populations, START, [0, 1.0], (1.1, 0.7), **CLOSE)[-1], 1.0, 1.1, 0.7)
    )
    assert gg.grad(lambda t: end(1.1, [0.3, t]))(1.0) == pytest.approx(slope, rel=1e-6)
    assert gg.grad(lambda t: end(1.1, t))(np.array([0.3, 1.0])) == pytest.approx([0.0, slope], rel=1e-6)


def test_a_stiff_equation_has_right_gradients() -> None:
    """Backwards in time it could not be solved: it would grow by exp(1000)."""
    f = lambda t, y, k: -k * (y - np.cos(t))  # noqa: E731
    end = lambda k, y0: solve_ivp(f, (0, 1), y0, "Radau", args=(k,), rtol=1e-8, atol=1e-10).y[0, -1]  # noqa: E731
    k = 1000.0
    exact = lambda k: (k * k * np.cos(1.0) + k * np.sin(1.0)) / (k * k + 1)  # noqa: E731
    by_k, by_y0 = gg.grad(end, argnums=(0, 1))(k, np.array([2.0]))
    assert by_k == pytest.approx((exact(k + 1) - exact(k - 1)) / 2, rel=1e-3)
    assert abs(by_y0.item()) < 1e-8


def test_parameters_nested_and_rates_without_state() -> None:
    def rate(y: Any, t: float, p: Any, kind: str) -> Any:
        assert kind == "linear"
        return p["slope"] * t + p["both"][0]

    def end(p: Any) -> Any:
        return odeint(rate, 0.0, [0.0, 2.0], (p, "linear"))[-1, 0]

    g = gg.grad(end)({"slope": np.array(3.0), "both": [1.0, 5.0]})
    assert g["slope"] == pytest.approx(2.0)
    assert g["both"] == pytest.approx([2.0, 0.0])


@pytest.mark.usefixtures("solvers")
def test_matrices_as_parameters_and_states_in_lists() -> None:
    a = np.array([[0.0, 1.0], [-2.0, -0.3]])
    linear = lambda y, t, a: a @ y  # noqa: E731
    y0 = gg.tensor(1.0, requires_grad=True)
    y = odeint(linear, [y0, 0.0], [0.0, 1.0], (a,), **CLOSE)
    y[-1].sum().backward()
    assert y0.grad.item() == pytest.approx(scipy.linalg.expm(a)[:, 0].sum(), rel=1e-6)
    by_a = gg.grad(lambda a: odeint(linear, START, [0.0, 1.0], (a,), **CLOSE)[-1].sum())(a)
    expected = gg.grad(lambda a: (gg.scipy.linalg.expm(a) @ START).sum())(a)
    np.testing.assert_allclose(by_a, expected, rtol=1e-6)


@pytest.mark.usefixtures("solvers")
def test_rates_that_are_derivatives() -> None:
    """Hamilton's equations: what gg.grad gives inside another transform requires grad, and nothing is lost by that."""
    energy = lambda q, p, k: 0.5 * p * p + 0.5 * k * q * q  # noqa: E731

    def flow(y: Any, t: Any, k: Any) -> Any:
        q, p = y
        return [gg.grad(energy, argnums=1)(q, p, k), -gg.grad(energy)(q, p, k)]

    end = lambda k: odeint(flow, [1.0, 0.0], [0.0, 1.0], (k,), **CLOSE)[-1, 0]  # noqa: E731
    assert gg.grad(end)(2.0) == pytest.approx(-np.sin(2**0.5) / (2 * 2**0.5), rel=1e-6)
    with pytest.raises(gg.errors.GraphError, match="none of its args"):
        gg.grad(lambda k: odeint(lambda y, t: flow(y, t, k), [1.0, 0.0], [0.0, 1.0])[-1, 0])(2.0)


def test_a_function_that_makes_arrays_of_tensors_is_told_so() -> None:
    rate = lambda y, t, k: np.array([-k * y[0]])  # noqa: E731
    with pytest.raises(gg.errors.GraphError, match=r"gg\.array\(\[\.\.\.\]\), which nests, instead of np\.array"):
        gg.grad(lambda k: odeint(rate, 1.0, [0.0, 1.0], (k,))[-1, 0])(0.5)


def test_nothing_is_lost() -> None:
    k = gg.tensor(0.5, requires_grad=True)
    with pytest.raises(gg.errors.GraphError, match="odeint: the function depends on a tensor that requires grad"):
        odeint(lambda y, t: -k * y, 1.0, [0.0, 1.0])
    with pytest.raises(gg.errors.GraphError, match="solve_ivp: the function depends on a tensor that requires grad"):
        solve_ivp(lambda t, y: -k * y, (0.0, 1.0), [1.0])
    with pytest.raises(gg.errors.GraphError, match="t_span"):
        solve_ivp(lambda t, y: -y, (0.0, k), [1.0])
    with pytest.raises(gg.errors.InputError, match="events and dense_output"):
        solve_ivp(lambda t, y, k: -k * y, (0.0, 1.0), [1.0], args=(k,), dense_output=True)
    with pytest.raises(gg.errors.ShapeError, match="gave 2 rates for a state of 1 elements"):
        odeint(lambda y, t, k: [k, k], 1.0, [0.0, 1.0], (k,))
    with pytest.raises(gg.errors.ConvergenceError, match="odeint: the solver stopped early"):
        odeint(lambda y, t, k: k * y * y, 1.0, [0.0, 50.0], (k,))
