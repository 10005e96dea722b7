"""What a zero gradient means: minima, maxima, saddles, what second order does not decide, and bad input."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.sparse.linalg import ArpackNoConvergence

import gpugrad as gg


def rosenbrock(x: Any) -> Any:
    return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()


@pytest.mark.parametrize(
    ("f", "x", "kind"),
    [
        (lambda x: (x * x).sum(), np.zeros(3), "minimum"),
        (lambda x: -(x * x).sum(), np.zeros((2, 2)), "maximum"),
        (lambda x: x[0] * x[1], np.zeros(2), "saddle"),
        (lambda x: x[0] ** 3 - 3 * x[0] * x[1] ** 2, np.zeros(2), "undecided"),  # the monkey saddle
        (lambda x: (x**4).sum(), np.zeros(2), "undecided"),
        (lambda x: x[0] ** 2 + x[1] ** 4, np.zeros(2), "undecided"),
        (rosenbrock, np.ones(2), "minimum"),
        (rosenbrock, np.zeros(2), "not stationary"),
        (rosenbrock, np.ones(10_000), "minimum"),
        (lambda x: (x**4).sum(), np.zeros(300), "undecided"),
        (lambda x: (x[1:] ** 2).sum() - x[0] ** 2, np.zeros(300), "saddle"),
        (lambda x: ((x[1:] - x[:-1]) ** 2).sum(), np.zeros(300), "undecided"),  # flat along (1, ..., 1)
        (lambda x: -((x[1:] - x[:-1]) ** 2).sum(), np.zeros(300), "undecided"),
        (lambda x: ((x[1:] - x[:-1]) ** 2).sum() + x[0] ** 2, np.zeros(300), "minimum"),
        (gg.cos, 0.0, "maximum"),
    ],
)
def test_kinds(f: Callable[[Any], Any], x: Any, kind: str) -> None:
    assert gg.stationary_point(f, x).kind == kind


@pytest.mark.parametrize("n", [2, 300])
def test_curvatures_and_directions(n: int) -> None:
    matrix = np.diag(np.linspace(1, 50, n))
    matrix[0, 1] = matrix[1, 0] = 3.0
    found = gg.stationary_point(lambda x: 0.5 * (x @ gg.tensor(matrix) @ x), np.zeros(n))
    expected = np.linalg.eigvalsh(matrix)
    np.testing.assert_allclose(found.curvatures, expected[[0, -1]], rtol=1e-8 if n == 2 else 2e-3)
    for c, d in zip(found.curvatures, found.directions, strict=True):
        np.testing.assert_allclose(matrix @ d.numpy(), c * d.numpy(), atol=1e-6 if n == 2 else 0.06)
    assert f"curvatures from {found.curvatures[0]:.6g} to" in repr(found)


def test_errors() -> None:
    with pytest.raises(gg.errors.InputError, match="finite"):
        gg.stationary_point(gg.log, 0.0)
    with pytest.raises(gg.errors.InputError, match="tolerance"):
        gg.stationary_point(gg.cos, 0.0, tolerance=0.0)
    with pytest.raises(gg.errors.ShapeError, match="no variables"):
        gg.stationary_point(lambda x: x.sum(), np.zeros(0))


def test_errors_of_the_lanczos_method(monkeypatch: pytest.MonkeyPatch) -> None:
    def gives_up(*args: Any, **how: Any) -> Any:
        raise ArpackNoConvergence("planted", np.empty(0), np.empty((0, 0)))

    monkeypatch.setattr("scipy.sparse.linalg.eigsh", gives_up)
    with pytest.raises(gg.errors.InputError, match="larger tolerance"):
        gg.stationary_point(lambda x: (x * x).sum(), np.zeros(300))
    monkeypatch.setitem(sys.modules, "scipy.sparse.linalg", None)
    with pytest.raises(ImportError, match=r"gpugrad\[scipy\]"):
        gg.stationary_point(lambda x: (x * x).sum(), np.zeros(300))
