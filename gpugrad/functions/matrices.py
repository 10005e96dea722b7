"""Products of vectors and matrices, their diagonals and triangles."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arguments import as_tensors
from ..base import errors
from ..base.shapes import as_index, normalize_axis
from ..ops import structural
from ..tensor import Tensor
from .contraction import matmul, tensordot
from .creation import zeros
from .elementwise import where
from .face import method, public
from .reductions import sum
from .shaping import expand_dims, moveaxis, ravel, reshape, squeeze, stack, swapaxes


@public()
def outer(a: Any, b: Any) -> Tensor:
    """The product of each element of a with each of b: a[i] * b[j], both flattened first.

    >>> import gpugrad as gg
    >>> gg.outer([1.0, 2.0], [3.0, 4.0])
    tensor([[3., 4.],
            [6., 8.]], device='cpu')
    """
    a, b = as_tensors(a, b)
    return expand_dims(ravel(a), 1) * ravel(b)


@public()
def inner(a: Any, b: Any) -> Tensor:
    """The sum of products over the last axis of both; the product if one of them has no axes.

    Shapes (..., k) and (*s, k) give (..., *s). Raises ShapeError if the last axes differ.

    >>> import gpugrad as gg
    >>> gg.inner([1.0, 2.0], [3.0, 4.0])
    tensor(11., device='cpu')
    """
    a, b = as_tensors(a, b)
    return a * b if not a.ndim or not b.ndim else tensordot(a, b, (-1, -1))


@public()
def vdot(a: Any, b: Any) -> Tensor:
    """The sum of all products of elements: both are flattened first.

    >>> import gpugrad as gg
    >>> gg.vdot([[1.0, 2.0]], [[3.0], [4.0]])
    tensor(11., device='cpu')
    """
    a, b = as_tensors(a, b)
    return matmul(ravel(a), ravel(b))


@public()
def vecdot(x1: Any, x2: Any, axis: int = -1) -> Tensor:
    """The sum of products over one axis; the others broadcast together.

    Raises ShapeError if the lengths of the axis differ.

    >>> import gpugrad as gg
    >>> gg.vecdot([[1.0, 2.0], [3.0, 4.0]], [5.0, 6.0])
    tensor([17., 39.], device='cpu')
    """
    x1, x2 = as_tensors(x1, x2)
    x1, x2 = (moveaxis(x, normalize_axis("vecdot", axis, x.ndim), -1) for x in (x1, x2))
    _fits("vecdot", x1.shape[-1], x2.shape[-1])
    products = x1 * x2
    return sum(products, -1, products.dtype)


@public()
def matvec(x1: Any, x2: Any) -> Tensor:
    """Matrices times vectors: shapes (..., m, n) and (..., n) give (..., m).

    >>> import gpugrad as gg
    >>> gg.matvec([[1.0, 2.0], [3.0, 4.0]], [1.0, 1.0])
    tensor([3., 7.], device='cpu')
    """
    x1, x2 = as_tensors(x1, x2)
    return squeeze(matmul(x1, expand_dims(x2, -1)), -1)


@public()
def vecmat(x1: Any, x2: Any) -> Tensor:
    """Vectors times matrices: shapes (..., n) and (..., n, m) give (..., m).

    >>> import gpugrad as gg
    >>> gg.vecmat([1.0, 1.0], [[1.0, 2.0], [3.0, 4.0]])
    tensor([4., 6.], device='cpu')
    """
    x1, x2 = as_tensors(x1, x2)
    return squeeze(matmul(expand_dims(x1, -2), x2), -2)


def _fits(op: str, a: int, b: int) -> None:
    if a != b:
        raise errors.bad_shape(op, f"the vectors have the lengths {a} and {b}, which must be equal.")


@public()
def kron(a: Any, b: Any) -> Tensor:
    """Kronecker product: each element of a times all of b, laid out as blocks.

    >>> import gpugrad as gg
    >>> gg.kron([1.0, 10.0], [1.0, 2.0])
    tensor([ 1.,  2., 10., 20.], device='cpu')
    """
    a, b = as_tensors(a, b)
    ndim = max(a.ndim, b.ndim)
    left, right = ((1,) * (ndim - x.ndim) + x.shape for x in (a, b))
    blocks = reshape(a, tuple(n for s in left for n in (s, 1))) * reshape(b, tuple(n for s in right for n in (1, s)))
    return reshape(blocks, tuple(m * n for m, n in zip(left, right, strict=True)))


@public()
def cross(a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Tensor:
    """Vector product of vectors of three components; the other axes broadcast together.

    axisa, axisb, axisc: the axis of the vectors in a, b and the result; axis: all three of them.
    Raises ShapeError for vectors of another length: give those of two a third component, 0.

    >>> import gpugrad as gg
    >>> gg.cross([1.0, 0.0, 0.0], [0.0, 1.0, 0.0])
    tensor([0., 0., 1.], device='cpu')
    """
    a, b = as_tensors(a, b)
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = (moveaxis(x, normalize_axis("cross", k, x.ndim), -1) for x, k in ((a, axisa), (b, axisb)))
    if a.shape[-1] != 3 or b.shape[-1] != 3:
        raise errors.bad_shape(
            "cross",
            f"takes vectors of 3 components, not of {a.shape[-1]} and {b.shape[-1]}: add a third one, 0, to those of 2.",
        )
    (p, q, r), (u, v, w) = ([x[..., k] for k in range(3)] for x in (a, b))
    found = stack([q * w - r * v, r * u - p * w, p * v - q * u], -1)
    return moveaxis(found, -1, normalize_axis("cross", axisc, found.ndim))


def _diagonal_of(rows: int, columns: int, offset: int) -> tuple[Any, Any]:
    """The indices of a diagonal, `offset` above the main one."""
    down, right = max(-offset, 0), max(offset, 0)
    along = np.arange(max(0, min(rows - down, columns - right)))
    return along + down, along + right


@public(method=True)
def diagonal(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Tensor:
    """The diagonal of the matrices in two axes, as the last axis of the result; `offset` above the main one.

    Raises ShapeError for less than two axes.

    >>> import gpugrad as gg
    >>> gg.diagonal([[1.0, 2.0], [3.0, 4.0]])
    tensor([1., 4.], device='cpu')
    """
    (x,) = as_tensors(x)
    if x.ndim < 2:
        raise errors.bad_shape("diagonal", f"needs at least two axes, not shape {x.shape}.")
    x = moveaxis(x, (axis1, axis2), (-2, -1))
    rows, columns = x.shape[-2:]
    return x[(..., *_diagonal_of(rows, columns, as_index("diagonal", "offset", offset)))]


@public(method=True)
def trace(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None) -> Tensor:
    """The sum of a diagonal. Gradient: the upstream one, on the diagonal.

    >>> import gpugrad as gg
    >>> gg.trace([[1.0, 2.0], [3.0, 4.0]])
    tensor(5., device='cpu')
    """
    return sum(diagonal(x, offset, axis1, axis2), -1, dtype)


@public()
def diag(v: Any, k: int = 0) -> Tensor:
    """The matrix with a vector on its k-th diagonal, or the k-th diagonal of a matrix.

    Raises ShapeError for other than one or two axes.

    >>> import gpugrad as gg
    >>> gg.diag([1.0, 2.0])
    tensor([[1., 0.],
            [0., 2.]], device='cpu')
    """
    (v,) = as_tensors(v)
    if v.ndim == 2:
        return diagonal(v, k)
    if v.ndim != 1:
        raise errors.bad_shape("diag", f"takes a vector or a matrix, not shape {v.shape}.")
    k = as_index("diag", "k", k)
    n = v.shape[0] + abs(k)
    result: Tensor = structural.setitem(zeros((n, n), v.dtype, v.device), v, index=_diagonal_of(n, n, k))
    return result


@public()
def diagflat(v: Any, k: int = 0) -> Tensor:
    """The matrix with the elements of v on its k-th diagonal, whatever shape v has.

    >>> import gpugrad as gg
    >>> gg.diagflat([[1.0, 2.0]])
    tensor([[1., 0.],
            [0., 2.]], device='cpu')
    """
    return diag(ravel(v), k)


@public()
def tril(m: Any, k: int = 0) -> Tensor:
    """The elements on the k-th diagonal and below it; 0 above.

    >>> import gpugrad as gg
    >>> gg.tril([[1.0, 2.0], [3.0, 4.0]])
    tensor([[1., 0.],
            [3., 4.]], device='cpu')
    """
    return _triangle("tril", m, k, lower=True)


@public()
def triu(m: Any, k: int = 0) -> Tensor:
    """The elements on the k-th diagonal and above it; 0 below.

    >>> import gpugrad as gg
    >>> gg.triu([[1.0, 2.0], [3.0, 4.0]])
    tensor([[1., 2.],
            [0., 4.]], device='cpu')
    """
    return _triangle("triu", m, k, lower=False)


def _triangle(op: str, m: Any, k: int, lower: bool) -> Tensor:
    (m,) = as_tensors(m)
    if not m.ndim:
        raise errors.bad_shape(op, "needs at least one axis.")
    k = as_index(op, "k", k)
    below = np.tri(m.shape[-2] if m.ndim > 1 else m.shape[-1], m.shape[-1], k if lower else k - 1, bool)
    nothing = False if m.dtype == bool else 0
    result: Tensor = where(below if lower else ~below, m, nothing)
    return result


@public()
def matrix_transpose(x: Any) -> Tensor:
    """The last two axes exchanged. Raises ShapeError for less than two axes.

    >>> import gpugrad as gg
    >>> gg.matrix_transpose(gg.zeros((5, 2, 3))).shape
    (5, 3, 2)
    """
    (x,) = as_tensors(x)
    if x.ndim < 2:
        raise errors.bad_shape("matrix_transpose", f"needs at least two axes, not shape {x.shape}.")
    return swapaxes(x, -1, -2)


method("mT")(property(matrix_transpose, doc="The last two axes exchanged."))
