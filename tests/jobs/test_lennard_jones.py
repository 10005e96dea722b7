"""Forces between 500 particles: minus the gradient of the sum of Lennard-Jones potentials over all pairs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.spatial.distance import pdist, squareform

import gpugrad as gg
from gpugrad.scipy.spatial import distance

N = 500


@pytest.fixture(scope="module")
def positions() -> np.ndarray:
    side = np.arange(8) * 1.2
    grid = np.stack(np.meshgrid(side, side, side), axis=-1).reshape(-1, 3)[:N]
    return grid + 0.08 * np.random.default_rng(2).normal(size=(N, 3))


def potential(r: Any) -> Any:
    return 4 * (r**-12 - r**-6)


def of_pairs(x: Any) -> Any:
    """Each pair once."""
    i, j = np.triu_indices(N, k=1)
    return np.sum(potential(np.linalg.norm(x[i] - x[j], axis=-1)))


def of_a_filled_diagonal(x: Any) -> Any:
    """All differences, and no particle's force on itself: its distance is infinite."""
    r = np.linalg.norm(x[:, None, :] - x[None, :, :], axis=-1)
    np.fill_diagonal(r, np.inf)
    return 0.5 * np.sum(potential(r))


def of_a_mask(x: Any) -> Any:
    r = np.linalg.norm(x[:, None] - x[None], axis=-1)
    return 0.5 * np.sum(np.where(np.eye(N, dtype=bool), 0.0, potential(r)))


def of_a_selection(x: Any) -> Any:
    r = np.linalg.norm(x[:, None] - x[None], axis=-1)
    return np.sum(potential(r[np.triu_indices(N, 1)]))


def of_pairwise_distances(x: Any) -> Any:
    return np.sum(potential(distance.pdist(x)))


@pytest.mark.parametrize("energy", [of_pairs, of_a_filled_diagonal, of_a_mask, of_a_selection, of_pairwise_distances])
def test_forces_are_those_of_the_formula(positions: np.ndarray, energy: Any) -> None:
    r = squareform(pdist(positions))
    np.fill_diagonal(r, np.inf)
    strength = 4 * (12 * r**-14 - 6 * r**-8)
    expected = np.sum(strength[:, :, None] * (positions[:, None] - positions[None]), axis=1)

    value, gradient = gg.value_and_grad(energy)(positions)
    assert value == pytest.approx(np.sum(potential(pdist(positions))), rel=1e-12)
    np.testing.assert_allclose(-gradient, expected, rtol=1e-9, atol=1e-9 * np.abs(expected).max())
    np.testing.assert_allclose(gradient.sum(axis=0), 0, atol=1e-9 * np.abs(expected).max())


def test_energy_is_conserved_as_well_as_by_the_formula(positions: np.ndarray) -> None:
    """Velocity Verlet: its energy error is of second order in the step, so halving the step quarters it."""
    force = gg.grad(lambda x: -of_a_filled_diagonal(x))

    def drift(steps: int) -> float:
        x, v, dt = positions.copy(), np.zeros_like(positions), 0.004 / steps
        start, f = of_a_filled_diagonal(x), force(x)
        for _ in range(steps):
            v += 0.5 * dt * f
            x += dt * v
            f = force(x)
            v += 0.5 * dt * f
        return float(of_a_filled_diagonal(x) + 0.5 * np.sum(v**2) - start)

    assert drift(4) / drift(8) == pytest.approx(4, rel=0.1)
