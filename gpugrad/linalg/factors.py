"""Matrices by their eigenvalues, their singular values and orthogonal bases, and what is made of these."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..base import errors
from ..coerce import host_data
from ..functions import reductions
from ..functions.contraction import matmul
from ..functions.creation import tensor, zeros
from ..functions.elementwise import where
from ..functions.matrices import matrix_transpose
from ..functions.shaping import concatenate, expand_dims
from ..ops import factorizations as rows
from ..tensor import Tensor
from .face import as_dtype, floats, public, square


def _matrices(op: str, a: Any) -> tuple[Tensor, Any]:
    (a,), out = floats(a)
    if a.ndim < 2:
        raise errors.bad_shape(op, f"needs matrices in the last two axes, not shape {a.shape}.")
    return a, out


class EighResult(NamedTuple):
    """Eigenvalues, rising, and eigenvectors as columns."""

    eigenvalues: Tensor
    eigenvectors: Tensor


@public
def eigh(a: Any, UPLO: str = "L") -> EighResult:
    """Eigenvalues and eigenvectors of symmetric matrices: a @ v = v * w.

    Only the lower triangle of a is read (UPLO "U": the upper one); its gradient is that of a symmetric matrix, shared evenly by both
    triangles: v (diag(gw) + (v.T gv) / (w[j] - w[i])) v.T.

    Where eigenvalues repeat, their vectors are any basis of a space: a gradient that reaches them, or such an eigenvalue, raises GraphError.
    For the values alone there is `eigvalsh`. Raises ShapeError for matrices that are not square.

    >>> import gpugrad as gg
    >>> gg.linalg.eigh([[2.0, 0.0], [0.0, 1.0]]).eigenvalues
    tensor([1., 2.], device='cpu')
    """
    y, out = _eigen("eigh", a, UPLO, True)
    return EighResult(as_dtype(y[..., 0, :], out), as_dtype(y[..., 1:, :], out))


@public
def eigvalsh(a: Any, UPLO: str = "L") -> Tensor:
    """The eigenvalues of symmetric matrices, rising: see `eigh`. Gradient: v diag(g) v.T.

    Where eigenvalues repeat, the gradient is that by the basis that was found: of what treats them alike (a sum, a norm) it is the gradient,
    of one of them a subgradient. A second derivative there raises GraphError.

    >>> import gpugrad as gg
    >>> gg.linalg.eigvalsh([[2.0, 1.0], [1.0, 2.0]])
    tensor([1., 3.], device='cpu')
    """
    y, out = _eigen("eigvalsh", a, UPLO, False)
    return as_dtype(y[..., 0, :], out)


def _eigen(op: str, a: Any, UPLO: str, vectors: bool) -> tuple[Tensor, Any]:
    a, out = _matrices(op, a)
    square(op, a)
    UPLO = UPLO.upper()
    if UPLO not in ("L", "U"):
        raise errors.bad_value(op, f"UPLO is 'L' or 'U', not {UPLO!r}.")
    y: Tensor = rows.eigh(a if UPLO == "L" else matrix_transpose(a), vectors=vectors)
    return y, out


class SVDResult(NamedTuple):
    """Left singular vectors as columns, singular values, falling, and right singular vectors as rows."""

    U: Tensor
    S: Tensor
    Vh: Tensor


@public
def svd(a: Any, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False) -> Any:
    """The singular value decomposition, a = U @ diag(S) @ Vh; the values alone if `compute_uv` is False.

    full_matrices: U and Vh square; what is more of them than there are values is a basis of the spaces that are left over, which turns no
    more than it must. hermitian: a is symmetric, and only its lower triangle is read.

    Gradient: U (diag(gs) + K) Vh, with the K of Townsend (2016). Where values repeat, or are 0, their vectors are any basis of a space: a
    gradient that reaches them, or such a value, raises GraphError. For the values alone there is `svdvals`.

    >>> import gpugrad as gg
    >>> gg.linalg.svd([[3.0, 0.0], [0.0, 4.0]]).S
    tensor([4., 3.], device='cpu')
    """
    a = _symmetric("svd", a) if hermitian else a
    if not compute_uv:
        return svdvals(a)
    a, out = _matrices("svd", a)
    m, n = a.shape[-2:]
    y: Tensor = rows.svd(a, vectors=True)
    u, v = y[..., 1 : 1 + m, :], y[..., 1 + m :, :]
    if full_matrices and m > n:
        u = concatenate([u, rows.complement(u)], -1)
    elif full_matrices and n > m:
        v = concatenate([v, rows.complement(v)], -1)
    return SVDResult(as_dtype(u, out), as_dtype(y[..., 0, :], out), as_dtype(matrix_transpose(v), out))


@public
def svdvals(x: Any, /) -> Tensor:
    """The singular values of matrices, falling: see `svd`. Gradient: U diag(g) Vh; by convention 0 of a value that is 0, where it has a kink.

    Where values repeat, the gradient is that by the basis that was found: see `eigvalsh`. A second derivative there raises GraphError.

    >>> import gpugrad as gg
    >>> gg.linalg.svdvals([[3.0, 0.0], [0.0, 4.0]])
    tensor([4., 3.], device='cpu')
    """
    x, out = _matrices("svdvals", x)
    y: Tensor = rows.svd(x, vectors=False)
    return as_dtype(y[..., 0, :], out)


class QRResult(NamedTuple):
    """Orthonormal columns, and an upper triangular matrix."""

    Q: Tensor
    R: Tensor


@public
def qr(a: Any, mode: str = "reduced") -> Any:
    """a = Q @ R, with orthonormal columns Q and an upper triangular R.

    mode: "reduced"; "complete", with a square Q, whose additional columns turn no more than they must; "r", R alone. Gradient after Walter
    and Lehmann (2010); where the columns of a (the first ones, of a wide a) are not independent, it raises GraphError.

    >>> import gpugrad as gg
    >>> abs(gg.linalg.qr([[3.0, 1.0], [4.0, 2.0]]).R)
    tensor([[5. , 2.2],
            [0. , 0.4]], device='cpu')
    """
    if mode not in ("reduced", "complete", "r"):
        raise errors.bad_value("qr", f"mode is 'reduced', 'complete' or 'r', not {mode!r}.")
    a, out = _matrices("qr", a)
    m, n = a.shape[-2:]
    q = rows.orthogonal(a[..., :m] if n > m else a)
    r = where(~np.tri(q.shape[-1], n, -1, dtype=bool), matmul(matrix_transpose(q), a), 0)
    if mode == "complete" and m > n:
        q = concatenate([q, rows.complement(q)], -1)
        r = concatenate([r, zeros((*r.shape[:-2], m - n, n), r.dtype, r.device)], -2)
    return as_dtype(r, out) if mode == "r" else QRResult(as_dtype(q, out), as_dtype(r, out))


@public
def pinv(a: Any, rcond: Any = None, hermitian: bool = False, *, rtol: Any = np._NoValue) -> Tensor:
    """The pseudo-inverse of matrices (Moore and Penrose): of all x that solve a @ x = b best, pinv(a) @ b is the smallest.

    rcond, rtol: singular values up to this times the largest count as 0: 1e-15 if neither is given, max(m, n) times the rounding error for an
    rtol of None. hermitian: a is symmetric, and only its lower triangle is read. Gradient after Golub and Pereyra (1973): that at the rank
    that a has.

    >>> import gpugrad as gg
    >>> gg.linalg.pinv([[2.0, 0.0], [0.0, 0.0]])
    tensor([[0.5, 0. ],
            [0. , 0. ]], device='cpu')
    """
    if rcond is not None and rtol is not np._NoValue:
        raise errors.bad_value("pinv", "give rcond or rtol, not both.")
    a, out = _matrices("pinv", _symmetric("pinv", a) if hermitian else a)
    cut = rcond if rtol is np._NoValue else rtol if rtol is not None else max(a.shape[-2:]) * np.finfo(a.dtype).eps
    cut = np.asarray(1e-15 if cut is None else host_data(cut))
    return as_dtype(rows.pinv(a, rcond=cut if cut.ndim else float(cut)), out)


def _symmetric(op: str, a: Any) -> Tensor:
    """The symmetric matrix that a lower triangle belongs to."""
    a, out = _matrices(op, a)
    square(op, a)
    lower = np.tri(a.shape[-1], dtype=bool)
    return as_dtype(where(lower, a, matrix_transpose(a)), out)


class LstsqResult(NamedTuple):
    """The solution, the sums of squares that are left, the rank, and the singular values."""

    x: Tensor
    residuals: Tensor
    rank: int
    singular_values: Tensor


@public
def lstsq(a: Any, b: Any, rcond: Any = None) -> LstsqResult:
    """The x for which the sum of squares of a @ x - b is smallest, for a matrix a; of several, the smallest x.

    b: a vector, or a matrix of columns. rcond: singular values up to this times the largest count as 0: max(m, n) times the rounding error
    if it is not given, the rounding error if it is -1. The gradient is that of `pinv`. residuals is empty unless a has full rank and more
    rows than columns.

    >>> import gpugrad as gg
    >>> gg.linalg.lstsq([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]], [1.0, 3.0, 5.0]).x.round(6)
    tensor([1., 2.], device='cpu')
    """
    (a, b), out = floats(a, b)
    if a.ndim != 2 or b.ndim not in (1, 2) or b.shape[0] != a.shape[0]:
        raise errors.bad_shape("lstsq", f"a matrix of shape {a.shape} and right sides of shape {b.shape} do not fit.")
    m, n = a.shape
    eps = float(np.finfo(a.dtype).eps)
    cut = max(m, n) * eps if rcond is None else eps if rcond == -1 else float(rcond)
    columns = b if b.ndim == 2 else expand_dims(b, 1)
    x = matmul(rows.pinv(a, rcond=cut), columns)
    s = svdvals(a)
    known = host_data(s.detach())
    rank = int((known > cut * known.max(initial=0)).sum())
    rest = reductions.sum((matmul(a, x) - columns) ** 2, 0)
    residuals = rest if rank == n and m > n else zeros(0, a.dtype, a.device)
    return LstsqResult(as_dtype(x if b.ndim == 2 else x[:, 0], out), as_dtype(residuals, out), rank, as_dtype(s, out))


@public
def matrix_rank(A: Any, tol: Any = None, hermitian: bool = False, *, rtol: Any = None) -> Tensor:
    """The number of singular values above a tolerance. It has no derivative.

    >>> import gpugrad as gg
    >>> gg.linalg.matrix_rank([[1.0, 2.0], [2.0, 4.0]])
    tensor(1, device='cpu')
    """
    (A,), _ = floats(A)
    tolerances = {"tol": None if tol is None else host_data(tol)} | ({} if rtol is None else {"rtol": host_data(rtol)})
    return tensor(np.linalg.matrix_rank(host_data(A.detach()), hermitian=hermitian, **tolerances), device=A.device)
