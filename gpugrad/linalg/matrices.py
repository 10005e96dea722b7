"""Systems of equations, determinants, norms and products of matrices."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ..arguments import as_tensors
from ..base import errors
from ..base.shapes import Axis, as_index, broadcast, normalize_axes, normalize_axis
from ..coerce import on_host
from ..functions import creation, matrices, reductions
from ..functions.contraction import matmul, tensordot
from ..functions.elementwise import where
from ..functions.matrices import matrix_transpose, vecdot
from ..functions.shaping import broadcast_to, expand_dims, moveaxis, ravel, reshape, swapaxes, transpose
from ..ops import elementwise as ew
from ..ops import linear_algebra as rows
from ..ops import matrix_functions
from ..ops.lapack import SMALL, Factors
from ..tensor import Tensor
from .face import as_dtype, floats, public, square
from .factors import svdvals


def _factors(a: Tensor, n: int) -> Factors | None:
    """The factors of a matrix, for all that is solved with it while it is there. None for a small one, and for a batch."""
    if n < SMALL or a.ndim > 2:
        return None
    v = a._value
    if not hasattr(v, "known"):
        v.known = Factors()
    known: Factors = v.known
    return known


@public
def solve(a: Any, b: Any) -> Tensor:
    """The x with a @ x = b, for a of shape (..., n, n) and b of shape (n,), a vector, or (..., n, k).

    Gradient: of b, the u with a.T @ u = g; of a, -u @ x.T. Raises ShapeError for shapes that do not fit, LinAlgError for a singular a.

    >>> import gpugrad as gg
    >>> gg.linalg.solve([[2.0, 0.0], [0.0, 4.0]], [2.0, 8.0])
    tensor([1., 2.], device='cpu')
    """
    (a, b), out = floats(a, b)
    n = square("solve", a)
    vector = b.ndim == 1
    if not b.ndim or b.shape[-1 if vector else -2] != n:
        raise errors.bad_shape("solve", f"matrices of shape {a.shape} and right sides of shape {b.shape} do not fit.")
    if not vector:
        broadcast("solve (batches)", a.shape[:-2], b.shape[:-2])
    return as_dtype(rows.solve(a, b, vector=vector, factors=_factors(a, n)), out)


@public
def inv(a: Any) -> Tensor:
    """The inverse of square matrices. To multiply with it, `solve` is faster and more accurate.

    Gradient: -y.T @ g @ y.T. Raises ShapeError for other matrices, LinAlgError for singular ones.

    >>> import gpugrad as gg
    >>> gg.linalg.inv([[2.0, 0.0], [0.0, 4.0]])
    tensor([[0.5 , 0.  ],
            [0.  , 0.25]], device='cpu')
    """
    (a,), out = floats(a)
    square("inv", a)
    return as_dtype(rows.inverse(a), out)


@public
def det(a: Any) -> Tensor:
    """The determinant of square matrices.

    Gradient: the cofactors, det(a) * inv(a).T, times the upstream one; of a singular matrix they are found by its singular values, up to
    derivatives of order 2.

    >>> import gpugrad as gg
    >>> gg.linalg.det([[2.0, 1.0], [0.0, 4.0]])
    tensor(8., device='cpu')
    """
    (a,), out = floats(a)
    y: Tensor = rows.det(a, factors=_factors(a, square("det", a)))
    if a.requires_grad and not np.all(on_host(y)):  # where there is no inverse
        y = matrix_functions.singular_det(a)
    return as_dtype(y, out)


class SlogdetResult(NamedTuple):
    """The sign of a determinant, and the logarithm of its absolute value."""

    sign: Tensor
    logabsdet: Tensor


@public
def slogdet(a: Any) -> SlogdetResult:
    """The sign of the determinant of square matrices, and the logarithm of its absolute value: (0, -inf) for a singular one.

    Gradient: of the logarithm inv(a).T, of the sign 0. A backward through a singular matrix raises LinAlgError.

    >>> import gpugrad as gg
    >>> gg.linalg.slogdet([[2.0, 1.0], [0.0, 0.5]])
    SlogdetResult(sign=tensor(1., device='cpu'), logabsdet=tensor(0., device='cpu'))
    """
    (a,), out = floats(a)
    known = _factors(a, square("slogdet", a))
    sign, log = rows.detsign(a, factors=known), rows.logabsdet(a, factors=known)
    return SlogdetResult(as_dtype(sign, out), as_dtype(log, out))


@public
def cholesky(a: Any, /, *, upper: bool = False) -> Tensor:
    """The lower triangular L with L @ L.T = a, or with `upper` its transpose, of symmetric positive definite matrices.

    Only the lower triangle of a is read (the upper one with `upper`); its gradient is that of a symmetric matrix, shared evenly by both
    triangles. Raises ShapeError for matrices that are not square, LinAlgError for those that are not positive definite.

    >>> import gpugrad as gg
    >>> gg.linalg.cholesky([[4.0, 2.0], [2.0, 5.0]])
    tensor([[2., 0.],
            [1., 2.]], device='cpu')
    """
    (a,), out = floats(a)
    square("cholesky", a)
    lower = rows.cholesky(swapaxes(a, -1, -2) if upper else a)
    return as_dtype(swapaxes(lower, -1, -2) if upper else lower, out)


# -------------------------------------------------------------------------------------------------------------- norms


@public
def vector_norm(x: Any, /, *, axis: Axis = None, ord: Any = 2, keepdims: bool = False) -> Tensor:
    """The length of vectors over axes, of all elements by default: sum(|x|**ord) ** (1 / ord).

    ord: a number; inf and -inf are the largest and the smallest absolute value, 0 counts the elements that are not 0.
    Gradient, for ord=2: x / norm. It is 0, by convention, where all elements are 0.

    >>> import gpugrad as gg
    >>> gg.linalg.vector_norm([3.0, 4.0])
    tensor(5., device='cpu')
    """
    (x,), out = floats(x)
    if not isinstance(ord, (int, float, np.number)):
        raise errors.bad_value("vector_norm", f"ord is a number, not {ord!r}.")
    if ord == math.inf:
        found = reductions.max(abs(x), axis, keepdims)
    elif ord == -math.inf:
        found = reductions.min(abs(x), axis, keepdims)
    elif ord == 0:
        found = reductions.sum((x != 0).astype(x.dtype), axis, keepdims=keepdims)
    elif ord == 1:
        found = reductions.sum(abs(x), axis, keepdims=keepdims)
    elif ord == 2:
        found = ew.root(reductions.sum(ew.square(x), axis, keepdims=keepdims))
    else:
        total = reductions.sum(abs(x) ** float(ord), axis, keepdims=keepdims)
        zero = total == 0
        found = where(zero, 0 if ord > 0 else math.inf, where(zero, 1, total) ** (1 / float(ord)))
    return as_dtype(found, out)


@public
def matrix_norm(x: Any, /, *, keepdims: bool = False, ord: Any = "fro") -> Tensor:
    """The norm of matrices in the last two axes: "fro", the root of the sum of squares; 1 and -1, the largest and smallest sum of a
    column's absolute values; inf and -inf, of a row's; 2 and -2, the largest and smallest singular value; "nuc", the sum of all.

    Raises InputError for others.

    >>> import gpugrad as gg
    >>> gg.linalg.matrix_norm([[1.0, 2.0], [3.0, 4.0]], ord=1)
    tensor(6., device='cpu')
    """
    return _matrix_norm("matrix_norm", x, ord, keepdims)


def _matrix_norm(op: str, x: Any, ord: Any, keepdims: bool) -> Tensor:
    (x,), out = floats(x)
    if x.ndim < 2:
        raise errors.bad_shape(op, f"needs matrices, not shape {x.shape}.")
    if ord is None or ord in ("fro", "f"):
        return as_dtype(ew.root(reductions.sum(ew.square(x), (-2, -1), keepdims=keepdims)), out)
    if ord in (2, -2, "nuc"):
        s = svdvals(x)
        found = (reductions.sum if ord == "nuc" else reductions.max if ord == 2 else reductions.min)(s, -1)
        return as_dtype(expand_dims(found, (-2, -1)) if keepdims else found, out)
    if ord not in (1, -1, math.inf, -math.inf):
        raise errors.bad_value(
            op, f"there is no norm {ord!r} of a matrix: use 'fro', 'nuc', 1, -1, 2, -2, inf or -inf."
        )
    over = -2 if ord in (1, -1) else -1
    sums = reductions.sum(abs(x), over, keepdims=True)
    found = (reductions.max if ord > 0 else reductions.min)(sums, (-2, -1), keepdims)
    return as_dtype(found, out)


@public
def norm(x: Any, ord: Any = None, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """NumPy's norm: of all elements, of vectors along one axis, or of matrices in two.

    See `vector_norm` and `matrix_norm`. The derivative is 0, by convention, where all elements are 0.

    >>> import gpugrad as gg
    >>> gg.linalg.norm([[3.0, 4.0], [6.0, 8.0]], axis=1)
    tensor([ 5., 10.], device='cpu')
    """
    (x,) = as_tensors(x)
    if axis is None and (ord is None or x.ndim == 1):
        found = vector_norm(x, ord=2 if ord is None else ord)
        return reshape(found, (1,) * x.ndim) if keepdims else found
    axes = tuple(normalize_axis("norm", a, x.ndim) for a in (range(x.ndim) if axis is None else np.atleast_1d(axis)))
    if len(axes) == 1:
        return vector_norm(x, axis=axes[0], ord=2 if ord is None else ord, keepdims=keepdims)
    if len(axes) != 2:
        raise errors.bad_shape("norm", f"is of one axis, or of two, not of {len(axes)}.")
    found = _matrix_norm("norm", moveaxis(x, axes, (-2, -1)), ord, False)
    return expand_dims(found, axes) if keepdims else found


@public
def cond(x: Any, p: Any = None) -> Tensor:
    """The condition number of matrices: the largest singular value over the smallest (p None or 2), or norm(x, p) * norm(inv(x), p).

    >>> import gpugrad as gg
    >>> gg.linalg.cond([[4.0, 0.0], [0.0, 2.0]])
    tensor(2., device='cpu')
    """
    (x,), out = floats(x)
    if x.ndim < 2:
        raise errors.bad_shape("cond", f"needs matrices in the last two axes, not shape {x.shape}.")
    if p in (None, 2, -2):
        s = svdvals(x)
        first, last = s[..., 0], s[..., -1]
        found = last / first if p == -2 else where(last == 0, math.inf, first / where(last == 0, 1, last))
        return as_dtype(found, out)
    square("cond", x)
    return as_dtype(norm(x, p, (-2, -1)) * norm(inv(x), p, (-2, -1)), out)


# ----------------------------------------------------------------------------------------------------- products


@public
def matrix_power(a: Any, n: int) -> Tensor:
    """Square matrices multiplied with themselves n times; of a negative n, their inverses.

    >>> import gpugrad as gg
    >>> gg.linalg.matrix_power([[1.0, 1.0], [0.0, 1.0]], 3)
    tensor([[1., 3.],
            [0., 1.]], device='cpu')
    """
    (a,) = as_tensors(a)
    size = square("matrix_power", a)
    n = as_index("matrix_power", "the exponent", n)
    if n == 0:
        return broadcast_to(creation.eye(size, dtype=a.dtype, device=a.device), a.shape).copy()
    base = inv(a) if n < 0 else a
    found = None
    n = abs(n)
    while n:
        if n % 2:
            found = base if found is None else matmul(found, base)
        n //= 2
        if n:
            base = matmul(base, base)
    assert found is not None
    return found.copy() if found is a else found


@public
def multi_dot(arrays: Sequence[Any]) -> Tensor:
    """The product of two or more matrices, in the order that takes the fewest multiplications; the first and last may be vectors.

    >>> import gpugrad as gg
    >>> gg.linalg.multi_dot([gg.ones((2, 3)), gg.ones((3, 4)), gg.ones(4)])
    tensor([12., 12.], device='cpu')
    """
    xs = as_tensors(*arrays)
    if len(xs) < 2:
        raise errors.bad_shape("multi_dot", f"needs two or more matrices, not {len(xs)}.")
    for k, x in enumerate(xs):
        if x.ndim != 2 and not (x.ndim == 1 and k in (0, len(xs) - 1)):
            raise errors.bad_shape("multi_dot", f"operand {k} has shape {x.shape}, and is no matrix.")
    first = xs[0].shape[0] if xs[0].ndim == 2 else 1
    lengths = (first, *(x.shape[0] for x in xs[1:]), xs[-1].shape[-1] if xs[-1].ndim == 2 else 1)

    @functools.cache
    def cheapest(i: int, j: int) -> tuple[int, int]:
        """The multiplications that operands i to j take, and where to cut between them."""
        if i == j:
            return 0, i
        return min(
            (cheapest(i, k)[0] + cheapest(k + 1, j)[0] + lengths[i] * lengths[k + 1] * lengths[j + 1], k)
            for k in range(i, j)
        )

    def product(i: int, j: int) -> Tensor:
        if i == j:
            return xs[i]
        cut = cheapest(i, j)[1]
        return matmul(product(i, cut), product(cut + 1, j))

    return product(0, len(xs) - 1)


@public
def tensorsolve(a: Any, b: Any, axes: Any = None) -> Tensor:
    """The x with tensordot(a, x, x.ndim) = b: a's first axes are those of b, the others those of x. axes: of a, moved to its end first.

    >>> import gpugrad as gg
    >>> gg.linalg.tensorsolve(2 * gg.eye(4).reshape(4, 2, 2), gg.ones(4))
    tensor([[0.5, 0.5],
            [0.5, 0.5]], device='cpu')
    """
    a, b = as_tensors(a, b)
    if axes is not None:
        moved = normalize_axes("tensorsolve", axes, a.ndim)
        order = [k for k in range(a.ndim) if k not in moved] + [normalize_axis("tensorsolve", k, a.ndim) for k in axes]
        a = transpose(a, order)
    left = a.shape[b.ndim :]
    n = math.prod(left)
    if a.size != n * n or b.size != n:
        raise errors.bad_shape("tensorsolve", f"shapes {a.shape} and {b.shape} do not make a square system.")
    return reshape(solve(reshape(a, (n, n)), ravel(b)), left)


@public
def tensorinv(a: Any, ind: int = 2) -> Tensor:
    """The inverse of a as a map: tensordot(tensorinv(a, ind), a, ind) is the identity.

    >>> import gpugrad as gg
    >>> gg.linalg.tensorinv(2 * gg.eye(4).reshape(4, 2, 2), 1).shape
    (2, 2, 4)
    """
    (a,) = as_tensors(a)
    ind = as_index("tensorinv", "ind", ind)
    if ind < 1:
        raise errors.bad_value("tensorinv", f"ind must be positive, not {ind}.")
    left, right = a.shape[:ind], a.shape[ind:]
    if math.prod(left) != math.prod(right):
        raise errors.bad_shape("tensorinv", f"shape {a.shape}, cut after {ind} axes, does not make a square matrix.")
    return reshape(inv(reshape(a, (math.prod(left), math.prod(right)))), right + left)


@public
def cross(x1: Any, x2: Any, /, *, axis: int = -1) -> Tensor:
    """Vector product of vectors of three components along an axis: see `gpugrad.cross`.

    >>> import gpugrad as gg
    >>> gg.linalg.cross([1.0, 0.0, 0.0], [0.0, 1.0, 0.0])
    tensor([0., 0., 1.], device='cpu')
    """
    return matrices.cross(x1, x2, axis=axis)


@public
def diagonal(x: Any, /, *, offset: int = 0) -> Tensor:
    """The diagonals of matrices in the last two axes.

    >>> import gpugrad as gg
    >>> gg.linalg.diagonal([[1.0, 2.0], [3.0, 4.0]])
    tensor([1., 4.], device='cpu')
    """
    return matrices.diagonal(x, offset, -2, -1)


@public
def trace(x: Any, /, *, offset: int = 0, dtype: Any = None) -> Tensor:
    """The sums of the diagonals of matrices in the last two axes.

    >>> import gpugrad as gg
    >>> gg.linalg.trace([[1.0, 2.0], [3.0, 4.0]])
    tensor(5., device='cpu')
    """
    return matrices.trace(x, offset, -2, -1, dtype)


@public
def outer(x1: Any, x2: Any, /) -> Tensor:
    """The product of each element of a vector with each of another: see `gpugrad.outer`, which takes other shapes, too.

    >>> import gpugrad as gg
    >>> gg.linalg.outer([1.0, 2.0], [3.0])
    tensor([[3.],
            [6.]], device='cpu')
    """
    x1, x2 = as_tensors(x1, x2)
    if x1.ndim != 1 or x2.ndim != 1:
        raise errors.bad_shape("outer", f"takes two vectors, not shapes {x1.shape} and {x2.shape}.")
    return matrices.outer(x1, x2)


for _function in (matmul, tensordot, matrix_transpose, vecdot):
    public(_function)
