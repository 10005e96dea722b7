"""A matrix of which half is missing (NaN), as a product of two thin ones, beside alternating least squares."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize

import gpugrad as gg

ROWS, COLUMNS, RANK, PENALTY = 40, 25, 3, 0.1


@pytest.fixture(scope="module")
def ratings() -> np.ndarray:
    r = np.random.default_rng(6)
    full = r.normal(size=(ROWS, RANK)) @ r.normal(size=(RANK, COLUMNS)) + 0.1 * r.normal(size=(ROWS, COLUMNS))
    full[r.random(full.shape) < 0.5] = np.nan
    return full


def by_selection(u: Any, v: Any, m: np.ndarray) -> Any:
    seen = ~np.isnan(m)
    return np.sum(((u @ v.T)[seen] - m[seen]) ** 2)


def by_where(u: Any, v: Any, m: np.ndarray) -> Any:
    return np.sum(np.where(np.isnan(m), 0, u @ v.T - m) ** 2)


def by_nansum(u: Any, v: Any, m: np.ndarray) -> Any:
    return np.nansum((u @ v.T - m) ** 2)


def by_rows_and_columns(u: Any, v: Any, m: np.ndarray) -> Any:
    i, j = np.nonzero(np.isfinite(m))
    return np.sum((np.sum(u[i] * v[j], axis=1) - m[i, j]) ** 2)


def by_writing(u: Any, v: Any, m: np.ndarray) -> Any:
    residual = u @ v.T - m
    residual[np.isnan(m)] = 0
    return np.sum(residual**2)


def by_nan_to_num(u: Any, v: Any, m: np.ndarray) -> Any:
    return np.sum(np.nan_to_num(u @ v.T - m) ** 2)


def by_a_masked_argument(u: Any, v: Any, m: np.ndarray) -> Any:
    return np.sum((u @ v.T - m) ** 2, where=~np.isnan(m))


WAYS = [by_selection, by_where, by_nansum, by_rows_and_columns, by_writing, by_nan_to_num, by_a_masked_argument]


@pytest.mark.parametrize("error", WAYS)
def test_missing_elements_take_no_part(ratings: np.ndarray, error: Callable[..., Any]) -> None:
    r = np.random.default_rng(7)
    u, v = r.normal(size=(ROWS, RANK)), r.normal(size=(COLUMNS, RANK))
    residual = np.nan_to_num(u @ v.T - ratings)
    value, (gu, gv) = gg.value_and_grad(error, argnums=(0, 1))(u, v, ratings)
    assert value == pytest.approx(np.sum(residual**2), rel=1e-12)
    np.testing.assert_allclose(gu, 2 * residual @ v, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(gv, 2 * residual.T @ u, rtol=1e-10, atol=1e-10)


def alternate(m: np.ndarray, u: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Alternating ridge regressions, until they change nothing more."""
    seen, ridge = ~np.isnan(m), PENALTY * np.eye(RANK)
    for _ in range(400):
        u = np.stack([np.linalg.solve(v[s].T @ v[s] + ridge, v[s].T @ row[s]) for row, s in zip(m, seen, strict=True)])
        v = np.stack([np.linalg.solve(u[s].T @ u[s] + ridge, u[s].T @ c[s]) for c, s in zip(m.T, seen.T, strict=True)])
    return u, v


@pytest.mark.parametrize("error", [by_selection, by_where])
def test_the_optimum_is_that_of_alternating_least_squares(ratings: np.ndarray, error: Callable[..., Any]) -> None:
    def split(p: Any) -> tuple[Any, Any]:
        return p[: ROWS * RANK].reshape(ROWS, RANK), p[ROWS * RANK :].reshape(COLUMNS, RANK)

    def loss(p: Any) -> Any:
        return error(*split(p), ratings) + PENALTY * np.sum(p**2)

    start = np.random.default_rng(8).normal(size=(ROWS + COLUMNS) * RANK)
    fit = minimize(
        loss, start, jac=gg.grad(loss), method="L-BFGS-B", options={"maxiter": 5000, "ftol": 1e-15, "gtol": 1e-8}
    )
    u, v = split(fit.x)
    their_u, their_v = alternate(ratings, *split(start))
    assert fit.fun == pytest.approx(loss(np.concatenate([their_u.ravel(), their_v.ravel()])), rel=1e-6)
    np.testing.assert_allclose(u @ v.T, their_u @ their_v.T, atol=1e-2)  # the factors are free to rotate
