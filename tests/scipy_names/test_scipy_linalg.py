"""Linear algebra with SciPy's names: against SciPy, and gradients against differences, also where matrices are singular."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.linalg

import gpugrad as gg
from gpugrad.scipy import linalg
from gpugrad.testing import check_grads

R = np.random.default_rng(6)
A = R.standard_normal((4, 4)) * 0.5 + 2 * np.eye(4)
P = A @ A.T
B = R.standard_normal((4, 2))
BATCH = R.standard_normal((3, 4, 4))


def same(got: Any, expected: Any) -> None:
    np.testing.assert_allclose(got.numpy(), expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("lower", [False, True])
@pytest.mark.usefixtures("solvers")
def test_triangular_systems(lower: bool) -> None:
    same(linalg.cholesky(P, lower), scipy.linalg.cholesky(P, lower))
    same(linalg.cho_solve(linalg.cho_factor(P, lower), B), scipy.linalg.cho_solve(scipy.linalg.cho_factor(P, lower), B))
    check_grads(lambda a, b: linalg.cho_solve(linalg.cho_factor(a @ a.T, lower), b), [A, B], order=2)
    for trans in (0, "T"):
        for unit in (False, True):
            for b in (B, B[:, 0]):
                same(
                    linalg.solve_triangular(A, b, trans, lower, unit),
                    scipy.linalg.solve_triangular(A, b, trans, lower, unit),
                )
            check_grads(lambda a, b, t=trans, u=unit: linalg.solve_triangular(a, b, t, lower, u), [A, B], order=2)
    with pytest.raises(np.linalg.LinAlgError):
        linalg.solve_triangular(np.zeros((2, 2)), [1.0, 2.0])
    tall = linalg.solve_triangular(BATCH + 3 * np.eye(4), np.broadcast_to(B, (3, 4, 2)), lower=lower)
    assert tall.shape == (3, 4, 2)


@pytest.mark.usefixtures("solvers")
def test_functions_of_matrices() -> None:
    for size in (0.1, 1, 5):
        same(linalg.expm(A * size), scipy.linalg.expm(A * size))
    same(linalg.expm(BATCH), scipy.linalg.expm(BATCH))
    assert linalg.expm(np.zeros((0, 0))).shape == (0, 0)
    same(linalg.logm(P), scipy.linalg.logm(P))
    same(linalg.sqrtm(P), scipy.linalg.sqrtm(P))
    q = B @ B.T
    same(linalg.solve_sylvester(A, P, q), scipy.linalg.solve_sylvester(A, P, q))
    check_grads(linalg.expm, [A], order=2)
    check_grads(linalg.expm, [BATCH], order=2)
    check_grads(linalg.logm, [P], order=2)
    check_grads(linalg.sqrtm, [P], order=2)
    check_grads(linalg.solve_sylvester, [A, P, q], order=2)
    for f in (linalg.sqrtm, linalg.logm):
        with pytest.raises(ValueError, match="complex"):
            f(-P)
    for f in (linalg.null_space, linalg.orth):
        with pytest.raises(TypeError, match="one of many"):
            f(A)


@pytest.mark.usefixtures("solvers")
def test_systems_and_special_matrices() -> None:
    band = R.standard_normal((4, 5))
    band[1] += 4
    same(linalg.solve_banded((2, 1), band, np.arange(5.0)), scipy.linalg.solve_banded((2, 1), band, np.arange(5.0)))
    same(linalg.toeplitz(np.arange(3.0)), scipy.linalg.toeplitz(np.arange(3.0)))
    same(linalg.toeplitz([1.0, 2], [9.0, 5, 6]), scipy.linalg.toeplitz([1.0, 2], [9.0, 5, 6]))
    same(linalg.block_diag(A, B, [1, 2]), scipy.linalg.block_diag(A, B, [1, 2]))
    for lower in (False, True):
        for transposed in (False, True):
            for kind in (None, "sym", "lower triangular"):
                kwargs = {"lower": lower, "transposed": transposed, "assume_a": kind}
                same(linalg.solve(A, B, **kwargs), scipy.linalg.solve(A, B, **kwargs))
        same(linalg.solve(P, B, lower=lower, assume_a="pos"), scipy.linalg.solve(P, B, lower=lower, assume_a="pos"))
    same(linalg.pinv(B), scipy.linalg.pinv(B))
    same(linalg.pinv(A, atol=1.5), scipy.linalg.pinv(A, atol=1.5))
    assert linalg.pinv(B @ B.T, return_rank=True)[1] == 2
    same(linalg.lstsq(B, A[:, 0])[0], scipy.linalg.lstsq(B, A[:, 0])[0])
    for mode in ("full", "economic", "r"):
        for matrix in (B, B.T):
            for got, expected in zip(linalg.qr(matrix, mode=mode), scipy.linalg.qr(matrix, mode=mode), strict=True):
                same(abs(got), abs(expected))
    for full in (True, False):
        same(linalg.svd(B, full)[1], scipy.linalg.svd(B, full)[1])


@pytest.mark.usefixtures("solvers")
def test_pairs_of_symmetric_matrices() -> None:
    for got, expected in zip(linalg.eigh(A + A.T, P), scipy.linalg.eigh(A + A.T, P), strict=True):
        same(abs(got), abs(expected))
    for lower in (False, True):
        kwargs = {"lower": lower, "eigvals_only": True}
        same(linalg.eigh(A, P, **kwargs), scipy.linalg.eigh(A, P, **kwargs))
    kwargs = {"eigvals_only": True, "subset_by_index": (1, 2)}
    same(linalg.eigh(A + A.T, **kwargs), scipy.linalg.eigh(A + A.T, **kwargs))
    check_grads(lambda a, p: linalg.eigh(a + a.T, p @ p.T, eigvals_only=True), [A, A], order=2)


@pytest.mark.parametrize(
    "matrix",
    [np.zeros((1, 1)), np.array([[1.0, 2], [2, 4]]), np.zeros((2, 2)), np.outer([1.0, 2, 3], [1, 1, 1]), np.diag([1.0, 0, 0, 2]),
     np.stack([np.eye(3), np.diag([1.0, 0, 2])]), A],
    ids=["zero", "rank 1", "rank 0", "rank 1 of 3", "rank 2 of 4", "one of two", "regular"],
)  # fmt: skip
@pytest.mark.usefixtures("solvers")
def test_determinants_of_singular_matrices(matrix: np.ndarray) -> None:
    check_grads(gg.linalg.det, [matrix], order=2)


@pytest.mark.usefixtures("solvers")
def test_the_third_order_at_a_singular_matrix_is_an_error() -> None:
    x = gg.tensor(np.diag([1.0, 0, 2]), requires_grad=True)
    y = gg.linalg.det(x)
    for _ in range(2):
        (y,) = gg.autograd.grad(y.sum(), x, create_graph=True)
        y = y * np.arange(9.0).reshape(3, 3)
    with pytest.raises(gg.errors.GraphError, match="up to order 2"):
        gg.autograd.grad(y.sum(), x)
