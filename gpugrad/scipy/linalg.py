"""Linear algebra with the names and arguments of `scipy.linalg`; `gpugrad.linalg` has NumPy's. Matrices are the last two axes.

Arguments that say how to compute, and not what (`overwrite_a`, `check_finite`, `lapack_driver`, `assume_a`), are taken and make no difference.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.linalg import LinAlgError

from .. import linalg as numpys
from ..arguments import as_tensors
from ..base import errors
from ..functions import block, concatenate, flip, zeros
from ..functions.matrices import matrix_transpose
from ..linalg import det, eigvalsh, inv, norm, svdvals
from ..linalg.face import as_dtype, floats, square
from ..ops import linear_algebra
from ..ops import matrix_functions as rows
from ..tensor import Tensor

__all__ = [
    "LinAlgError", "block_diag", "cho_factor", "cho_solve", "cholesky", "det", "eigh", "eigvalsh", "expm", "inv", "logm", "lstsq", "norm",
    "null_space", "orth", "pinv", "qr", "solve", "solve_banded", "solve_sylvester", "solve_triangular", "sqrtm", "svd", "svdvals", "toeplitz",
]  # fmt: skip


def cholesky(a: Any, lower: bool = False, overwrite_a: bool = False, check_finite: bool = True) -> Tensor:
    """The triangular factor of a symmetric positive definite matrix: upper, U.T @ U = a, or lower, L @ L.T = a.

    Gradient: that of `gpugrad.linalg.cholesky`. Raises LinAlgError for a matrix that is not positive definite.

    >>> from gpugrad.scipy.linalg import cholesky
    >>> cholesky([[4.0, 2.0], [2.0, 5.0]])
    tensor([[2., 1.],
            [0., 2.]], device='cpu')
    """
    return numpys.cholesky(a, upper=not lower)


def cho_factor(
    a: Any, lower: bool = False, overwrite_a: bool = False, check_finite: bool = True
) -> tuple[Tensor, bool]:
    """What `cho_solve` takes: the factor of `cholesky`, and whether it is the lower one.

    >>> from gpugrad.scipy.linalg import cho_factor, cho_solve
    >>> cho_solve(cho_factor([[4.0, 2.0], [2.0, 5.0]]), [4.0, 2.0])
    tensor([1., 0.], device='cpu')
    """
    return cholesky(a, lower), lower


def cho_solve(c_and_lower: tuple[Any, bool], b: Any, overwrite_b: bool = False, check_finite: bool = True) -> Tensor:
    """The x with a @ x = b, of a factored by `cho_factor`: two triangular systems.

    >>> from gpugrad.scipy.linalg import cho_solve
    >>> cho_solve(([[2.0, 0.0], [1.0, 2.0]], True), [4.0, 2.0])
    tensor([1., 0.], device='cpu')
    """
    c, lower = c_and_lower
    first = solve_triangular(c, b, trans=0 if lower else 1, lower=lower)
    return solve_triangular(c, first, trans=1 if lower else 0, lower=lower)


def solve_triangular(
    a: Any,
    b: Any,
    trans: int | str = 0,
    lower: bool = False,
    unit_diagonal: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
) -> Tensor:
    """The x with a @ x = b, or a.T @ x = b, of a triangular a of shape (..., n, n) and b of shape (n,) or (..., n, k).

    trans: 0 or "N", 1 or "T". lower: which triangle of a is read; the other may hold anything, and so may the diagonal with unit_diagonal.
    Gradient: of b, the u with a.T @ u = g; of a, the triangle of -u @ x.T. Raises LinAlgError for a zero on the diagonal.

    >>> from gpugrad.scipy.linalg import solve_triangular
    >>> solve_triangular([[2.0, 1.0], [0.0, 4.0]], [4.0, 8.0])
    tensor([1., 2.], device='cpu')
    """
    if trans not in (0, 1, 2, "N", "T", "C"):
        raise errors.bad_value("solve_triangular", f"trans must be 0, 1, 2, 'N', 'T' or 'C', not {trans!r}.")
    (a, b), out = floats(a, b)
    n = square("solve_triangular", a)
    if trans not in (0, "N"):
        a, lower = matrix_transpose(a), not lower
    columns = b[:, None] if b.ndim == 1 else b
    if not b.ndim or columns.shape[-2] != n:
        raise errors.bad_shape(
            "solve_triangular", f"matrices of shape {a.shape} and right sides of shape {b.shape} do not fit."
        )
    x = linear_algebra.solve_triangular(a, columns, lower=bool(lower), unit=bool(unit_diagonal))
    return as_dtype(x[..., 0] if b.ndim == 1 else x, out)


def solve(
    a: Any, b: Any, lower: bool = False, overwrite_a: bool = False, overwrite_b: bool = False, check_finite: bool = True, assume_a: Any = None,
    transposed: bool = False,
) -> Tensor:  # fmt: skip
    """The x with a @ x = b, or with `transposed` a.T @ x = b. See `gpugrad.linalg.solve`.

    assume_a: "sym" or "pos" read one triangle of a (the lower one with `lower`), as SciPy does; the gradient goes to both.

    >>> from gpugrad.scipy.linalg import solve
    >>> solve([[2.0, 0.0], [0.0, 4.0]], [2.0, 8.0])
    tensor([1., 2.], device='cpu')
    """
    if assume_a in ("lower triangular", "upper triangular"):
        return solve_triangular(a, b, trans=int(transposed), lower=assume_a.startswith("lower"))
    if assume_a in ("sym", "symmetric", "her", "hermitian", "pos", "positive definite"):
        (a,) = as_tensors(a)
        one = np.tri(a.shape[-1], dtype=bool) if lower else np.tri(a.shape[-1], dtype=bool).T
        half = a * one
        a = half + matrix_transpose(half * ~np.eye(a.shape[-1], dtype=bool))
    elif assume_a not in (None, "gen", "general", "diagonal", "tridiagonal", "banded"):
        raise errors.bad_value("solve", f"assume_a {assume_a!r} is not known.")
    return numpys.solve(matrix_transpose(a) if transposed else a, b)


def lstsq(a: Any, b: Any, cond: Any = None, overwrite_a: bool = False, overwrite_b: bool = False, check_finite: bool = True,
          lapack_driver: Any = None) -> numpys.LstsqResult:  # fmt: skip
    """The least-squares solution, residuals, rank and singular values: see `gpugrad.linalg.lstsq`. cond: singular values below it are 0.

    >>> from gpugrad.scipy.linalg import lstsq
    >>> lstsq([[1.0], [1.0]], [1.0, 3.0])[0]
    tensor([2.], device='cpu')
    """
    return numpys.lstsq(a, b, cond)


def pinv(a: Any, *, atol: Any = None, rtol: Any = None, return_rank: bool = False, check_finite: bool = True) -> Any:
    """The pseudo-inverse: see `gpugrad.linalg.pinv`. Singular values up to atol + rtol times the largest one are 0.

    rtol: the larger dimension times eps if neither is given, 0 if only atol is.

    >>> from gpugrad.scipy.linalg import pinv
    >>> pinv([[2.0], [0.0]])
    tensor([[0.5, 0. ]], device='cpu')
    """
    (a,), _ = floats(a)
    largest = svdvals(a.detach()).max().item() if a.size else 0.0
    if rtol is None:
        rtol = max(a.shape[-2:]) * np.finfo(a.dtype).eps if atol is None else 0.0
    bound = rtol + (float(atol) / largest if atol is not None and largest else 0.0)
    y = numpys.pinv(a, bound)
    return (y, int((svdvals(a.detach()) > bound * largest).sum().item())) if return_rank else y


def svd(
    a: Any,
    full_matrices: bool = True,
    compute_uv: bool = True,
    overwrite_a: bool = False,
    check_finite: bool = True,
    lapack_driver: str = "gesdd",
) -> Any:
    """U, s and Vh with a = U diag(s) Vh, or s alone: see `gpugrad.linalg.svd`.

    >>> from gpugrad.scipy.linalg import svd
    >>> svd([[0.0, 2.0], [1.0, 0.0]], compute_uv=False)
    tensor([2., 1.], device='cpu')
    """
    return numpys.svd(a, full_matrices, compute_uv)


def qr(
    a: Any,
    overwrite_a: bool = False,
    lwork: Any = None,
    mode: str = "full",
    pivoting: bool = False,
    check_finite: bool = True,
) -> tuple[Tensor, ...]:
    """Q and R with a = Q R: mode "full", "economic", or "r" for R alone. See `gpugrad.linalg.qr`.

    >>> from gpugrad.scipy.linalg import qr
    >>> abs(qr([[3.0], [4.0]], mode="r")[0][0])
    tensor([5.], device='cpu')
    """
    if pivoting:
        raise errors.bad_value("qr", "pivoting is not there with gradients: permute the columns first.")
    modes = {"full": "complete", "r": "r", "economic": "reduced"}
    if mode not in modes:
        raise errors.bad_value("qr", f"mode must be one of {sorted(modes)}, not {mode!r}.")
    if mode == "r":
        (a,) = as_tensors(a)
        m, n = a.shape[-2:]
        r = numpys.qr(a, "r")
        if m > n:
            r = concatenate([r, zeros((*a.shape[:-2], m - n, n), r.dtype, r.device)], axis=-2)
        return (r,)
    if mode == "full":
        (a,) = as_tensors(a)
        q, r = numpys.qr(a, "complete")
        return q, r
    q, r = numpys.qr(a, "reduced")
    return q, r


def eigh(
    a: Any, b: Any = None, *, lower: bool = True, eigvals_only: bool = False, overwrite_a: bool = False, overwrite_b: bool = False,
    type: int = 1, check_finite: bool = True, subset_by_index: Any = None, subset_by_value: Any = None, driver: Any = None,
) -> Any:  # fmt: skip
    """Eigenvalues, rising, and eigenvectors of a symmetric matrix, or of the pair a v = w b v with b positive definite.

    See `gpugrad.linalg.eigh` for gradients where eigenvalues repeat. subset_by_index: (first, last) of the eigenvalues wanted.

    >>> from gpugrad.scipy.linalg import eigh
    >>> eigh([[2.0, 0.0], [0.0, 1.0]], eigvals_only=True)
    tensor([1., 2.], device='cpu')
    """
    if type != 1 or subset_by_value is not None:
        raise errors.bad_value("eigh", "is there for type=1, and without subset_by_value.")
    uplo = "L" if lower else "U"
    part = slice(None) if subset_by_index is None else slice(subset_by_index[0], subset_by_index[1] + 1)
    if b is not None:
        (a, b), _ = floats(a, b)
        triangle = np.tri(square("eigh", a), dtype=bool)
        half = a * (triangle if lower else triangle.T)
        whole = half + matrix_transpose(half * ~np.eye(a.shape[-1], dtype=bool))
        factor = numpys.cholesky(b, upper=not lower)
        factor = factor if lower else matrix_transpose(factor)
        reduced = solve_triangular(factor, matrix_transpose(solve_triangular(factor, whole, lower=True)), lower=True)
        a = (reduced + matrix_transpose(reduced)) * 0.5
    if eigvals_only:
        return eigvalsh(a, uplo)[..., part]
    w, v = numpys.eigh(a, uplo)
    if b is not None:
        v = solve_triangular(factor, v, trans=1, lower=True)
    return w[..., part], v[..., part]


# ------------------------------------------------------------------------------------------- functions of matrices


def _of_matrix(name: str, a: Any) -> Tensor:
    (a,), out = floats(a)
    square(name, a)
    return as_dtype(rows.matrix_function(a, name=name), out)


def expm(A: Any) -> Tensor:
    """The exponential of square matrices, 1 + A + A @ A / 2 + ... By scaling and squaring (Higham 2005).

    Gradient: a block of the exponential of [[A.T, G], [0, A.T]] (Mathias 1996), of any order.

    >>> from gpugrad.scipy.linalg import expm
    >>> expm([[0.0, 1.0], [0.0, 0.0]])
    tensor([[1., 1.],
            [0., 1.]], device='cpu')
    """
    return _of_matrix("expm", A)


def logm(A: Any) -> Tensor:
    """The principal logarithm of square matrices, by SciPy. Gradient: as of `expm`. Raises ValueError where it is complex.

    >>> from gpugrad.scipy.linalg import logm
    >>> logm([[1.0, 1.0], [0.0, 1.0]]).round(6)
    tensor([[0., 1.],
            [0., 0.]], device='cpu')
    """
    return _of_matrix("logm", A)


def sqrtm(A: Any) -> Tensor:
    """The principal square root of square matrices, by SciPy. Gradient: as of `expm`. Raises ValueError where it is complex.

    >>> from gpugrad.scipy.linalg import sqrtm
    >>> sqrtm([[4.0, 0.0], [0.0, 9.0]])
    tensor([[2., 0.],
            [0., 3.]], device='cpu')
    """
    return _of_matrix("sqrtm", A)


def solve_sylvester(a: Any, b: Any, q: Any) -> Tensor:
    """The x with a @ x + x @ b = q, by SciPy. Gradient of q: the u with a.T @ u + u @ b.T = g; of a -u @ x.T, of b -x.T @ u.

    >>> from gpugrad.scipy.linalg import solve_sylvester
    >>> solve_sylvester([[1.0]], [[3.0]], [[8.0]])
    tensor([[2.]], device='cpu')
    """
    (a, b, q), out = floats(a, b, q)
    if a.ndim != 2 or b.ndim != 2 or q.shape != (square("solve_sylvester", a), square("solve_sylvester", b)):
        raise errors.bad_shape(
            "solve_sylvester", f"a of shape {a.shape}, b of {b.shape} and q of {q.shape} do not fit."
        )
    return as_dtype(rows.sylvester(a, b, q), out)


# ------------------------------------------------------------------------------------------------ special matrices


def solve_banded(
    l_and_u: tuple[int, int],
    ab: Any,
    b: Any,
    overwrite_ab: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
) -> Tensor:
    """The x with a @ x = b, of a with few diagonals: ab[u + i - j, j] is a[i, j]. It is solved as a dense system.

    >>> from gpugrad.scipy.linalg import solve_banded
    >>> solve_banded((0, 1), [[0.0, 1.0], [2.0, 4.0]], [4.0, 8.0])
    tensor([1., 2.], device='cpu')
    """
    low, up = l_and_u
    ab, b = as_tensors(ab, b)
    n = ab.shape[-1]
    if ab.ndim != 2 or ab.shape[0] != low + up + 1:
        raise errors.bad_shape(
            "solve_banded", f"ab must have {low + up + 1} rows, one per diagonal, not shape {ab.shape}."
        )
    i, j = np.indices((n, n))
    inside = (i - j <= low) & (j - i <= up)
    return numpys.solve(ab[np.where(inside, up + i - j, 0), j] * inside, b)


def toeplitz(c: Any, r: Any = None) -> Tensor:
    """A matrix with constant diagonals: first column c, first row r after its first element (c if not given).

    >>> from gpugrad.scipy.linalg import toeplitz
    >>> toeplitz([1.0, 2.0], [0.0, 5.0, 6.0])
    tensor([[1., 5., 6.],
            [2., 1., 5.]], device='cpu')
    """
    c, r = as_tensors(c, c if r is None else r)
    if c.ndim != 1 or r.ndim != 1:
        raise errors.bad_shape("toeplitz", f"takes vectors, not shapes {c.shape} and {r.shape}.")
    values = concatenate([flip(c), r[1:]])
    i, j = np.indices((c.shape[0], r.shape[0]))
    return values[c.shape[0] - 1 - i + j]


def block_diag(*arrs: Any) -> Tensor:
    """Matrices along the diagonal of a larger one that is 0 elsewhere. A vector is a matrix of one row.

    >>> from gpugrad.scipy.linalg import block_diag
    >>> block_diag([[1.0]], [2.0, 3.0])
    tensor([[1., 0., 0.],
            [0., 2., 3.]], device='cpu')
    """
    parts = as_tensors(*arrs)
    parts = [p.reshape(1, -1) if p.ndim < 2 else p for p in parts]
    if any(p.ndim != 2 for p in parts):
        raise errors.bad_shape("block_diag", f"takes matrices, not shapes {[p.shape for p in parts]}.")
    dtype = np.result_type(*(p.dtype for p in parts))
    grid = [
        [p if i == j else zeros((p.shape[0], q.shape[1]), dtype, p.device) for j, q in enumerate(parts)]
        for i, p in enumerate(parts)
    ]
    return block(grid)


def null_space(A: Any, rcond: Any = None) -> Tensor:
    """Refused: a basis of the null space is one of many, which turn into each other, and has no derivative. Use a projector.

    >>> from gpugrad.scipy.linalg import pinv
    >>> import gpugrad as gg
    >>> a = gg.tensor([[1.0, 0.0]])
    >>> gg.eye(2) - pinv(a) @ a  # projects onto the null space, and has one
    tensor([[0., 0.],
            [0., 1.]], device='cpu')
    """
    raise errors.bad_type(
        "null_space",
        "has no derivative: its basis is one of many. Take the projector onto it, gg.eye(n) - gg.linalg.pinv(a) @ a, which has one.",
    )


def orth(A: Any, rcond: Any = None) -> Tensor:
    """Refused, for the same reason as `null_space`: a basis of the range is one of many. Use a projector, a @ pinv(a), or `qr`.

    >>> from gpugrad.scipy.linalg import pinv
    >>> import gpugrad as gg
    >>> a = gg.tensor([[2.0], [0.0]])
    >>> a @ pinv(a)
    tensor([[1., 0.],
            [0., 0.]], device='cpu')
    """
    raise errors.bad_type(
        "orth",
        "has no derivative: its basis is one of many. Take the projector onto it, a @ gg.linalg.pinv(a), which has one.",
    )
