"""Polynomials as NumPy's older functions know them, highest power first, and convolutions."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arguments import as_tensors
from ..base import errors
from ..base.shapes import Axis, as_index, is_float, normalize_axes
from ..coerce import host_data
from ..ops import factorizations, structural
from ..tensor import Tensor
from .contraction import matmul
from .creation import ones, tensor, zeros
from .face import public
from .indexing import flip
from .joining import atleast_1d
from .matrices import outer, trace
from .shaping import concatenate, expand_dims, stack

_MODES = ("full", "same", "valid")


def _vectors(op: str, *args: Any) -> list[Tensor]:
    xs = [atleast_1d(x) for x in as_tensors(*args)]
    for x in xs:
        if x.ndim != 1:
            raise errors.bad_shape(op, f"takes vectors, not shape {x.shape}.")
    return xs


def _padded(x: Tensor, before: int, after: int) -> Tensor:
    ends = [zeros(n, x.dtype, x.device) for n in (before, after)]
    return concatenate([ends[0], x, ends[1]])


def _convolved(op: str, a: Tensor, v: Tensor, mode: str) -> Tensor:
    """The convolution of a vector with one that is not longer."""
    mode = {0: "valid", 1: "same", 2: "full"}.get(mode, mode) if isinstance(mode, int) else mode
    if mode not in _MODES:
        raise errors.bad_value(op, f"mode is one of {', '.join(map(repr, _MODES))}, not {mode!r}.")
    n, m = a.shape[0], v.shape[0]
    if not m or not n:
        raise errors.bad_shape(op, "takes no empty vectors.")
    products = outer(a, v)  # each goes to one place: none is multiplied with a 0 that only fills up
    places = np.arange(n)[:, None] + np.arange(m)
    full: Tensor = structural.index_add(zeros(n + m - 1, products.dtype, a.device), products, index=places)
    if mode == "full":
        return full
    start, count = ((m - 1) // 2, n) if mode == "same" else (m - 1, n - m + 1)
    return full[start : start + count]


@public()
def convolve(a: Any, v: Any, mode: str = "full") -> Tensor:
    """Discrete convolution of two vectors: c[k] = sum over i of a[i] v[k - i].

    mode: "full" with all places where they meet, "same" with as many as the longer has, "valid" where they overlap wholly.
    Gradients: of a the correlation of the upstream one with v, and the other way round. Raises ShapeError for what is no vector, or empty.

    >>> import gpugrad as gg
    >>> gg.convolve([1.0, 2.0, 3.0], [0.0, 1.0, 0.5])
    tensor([0. , 1. , 2.5, 4. , 1.5], device='cpu')
    """
    a, v = _vectors("convolve", a, v)
    if v.shape[0] > a.shape[0]:
        a, v = v, a
    return _convolved("convolve", a, v, mode)


@public()
def correlate(a: Any, v: Any, mode: str = "valid") -> Tensor:
    """Cross-correlation of two vectors: c[k] = sum over i of a[i + k] v[i]; see `convolve` for `mode`.

    >>> import gpugrad as gg
    >>> gg.correlate([1.0, 2.0, 3.0], [0.0, 1.0, 0.5])
    tensor([3.5], device='cpu')
    """
    a, v = _vectors("correlate", a, v)
    if v.shape[0] > a.shape[0]:
        return flip(_convolved("correlate", v, flip(a), mode))
    return _convolved("correlate", a, flip(v), mode)


@public()
def vander(x: Any, N: int | None = None, increasing: bool = False) -> Tensor:
    """The powers of the elements of a vector as columns, the highest first.

    >>> import gpugrad as gg
    >>> gg.vander([1.0, 2.0, 3.0], 3)
    tensor([[1., 1., 1.],
            [4., 2., 1.],
            [9., 3., 1.]], device='cpu')
    """
    (x,) = as_tensors(x)
    if x.ndim != 1:
        raise errors.bad_shape("vander", f"takes a vector, not shape {x.shape}.")
    x = x if x.dtype.kind != "b" else x.astype(np.int64)
    n = x.shape[0] if N is None else as_index("vander", "N", N)
    if n < 0:
        raise errors.bad_value("vander", f"N must not be negative, and is {n}.")
    dtype = x.dtype if is_float(x.dtype) else np.result_type(x.dtype, np.int64)
    columns = [ones(x.shape, dtype, x.device)]
    for _ in range(1, n):
        columns.append(columns[-1] * x)
    if n < 1:
        return zeros((x.shape[0], 0), dtype, x.device)
    return stack(columns if increasing else columns[::-1], 1)


@public()
def poly(seq_of_zeros: Any) -> Tensor:
    """The coefficients of the polynomial with these zeros, the highest power first: of the product of all (x - z).

    Of a square matrix, those of its characteristic polynomial, by the method of Faddeev and Le Verrier: n products, and no eigenvalues.

    >>> import gpugrad as gg
    >>> gg.poly([2.0, 3.0])
    tensor([ 1., -5.,  6.], device='cpu')
    """
    (z,) = as_tensors(seq_of_zeros)
    if z.ndim == 2 and z.shape[0] == z.shape[1] and z.size:
        return _characteristic(z if is_float(z.dtype) else z.astype(np.float64))
    (z,) = _vectors("poly", z)
    z = z if is_float(z.dtype) else z.astype(np.float64)
    if not z.shape[0]:
        return ones((), z.dtype, z.device)
    found = ones(1, z.dtype, z.device)
    for k in range(z.shape[0]):
        found = _padded(found, 0, 1) - _padded(found * z[k], 1, 0)
    return found


def _characteristic(a: Tensor) -> Tensor:
    """The coefficients of det(x - a)."""
    n = a.shape[0]
    found, rest = [ones((), a.dtype, a.device)], a
    for k in range(1, n + 1):
        found.append(-trace(rest) / k)
        rest = matmul(a, rest) + a * found[-1]
    return stack(found)


@public()
def polyval(p: Any, x: Any) -> Tensor:
    """The polynomial with these coefficients, the highest power first, at x: by Horner's rule. x may have any shape.

    >>> import gpugrad as gg
    >>> gg.polyval([3.0, 0.0, 1.0], 5.0)
    tensor(76., device='cpu')
    """
    p, x = as_tensors(p, x)
    found = x * 0
    for k in range(p.shape[0]):
        found = found * x + p[k]
    return found


def _aligned(op: str, a1: Any, a2: Any) -> list[Tensor]:
    a, b = _vectors(op, a1, a2)
    n = max(a.shape[0], b.shape[0])
    return [_padded(p, n - p.shape[0], 0) for p in (a, b)]


@public()
def polyadd(a1: Any, a2: Any) -> Tensor:
    """The sum of two polynomials, by their coefficients.

    >>> import gpugrad as gg
    >>> gg.polyadd([1.0, 2.0], [9.0, 5.0, 4.0])
    tensor([9., 6., 6.], device='cpu')
    """
    a, b = _aligned("polyadd", a1, a2)
    return a + b


@public()
def polysub(a1: Any, a2: Any) -> Tensor:
    """The difference of two polynomials, by their coefficients.

    >>> import gpugrad as gg
    >>> gg.polysub([2.0, 10.0, -2.0], [3.0, 10.0, -4.0])
    tensor([-1.,  0.,  2.], device='cpu')
    """
    a, b = _aligned("polysub", a1, a2)
    return a - b


@public()
def polymul(a1: Any, a2: Any) -> Tensor:
    """The product of two polynomials, by their coefficients; zeros in front are left out, as in NumPy.

    >>> import gpugrad as gg
    >>> gg.polymul([1.0, 2.0], [9.0, 5.0])
    tensor([ 9., 23., 10.], device='cpu')
    """
    a, b = (_trimmed(p) for p in _vectors("polymul", a1, a2))
    return convolve(a, b)


def _trimmed(p: Tensor) -> Tensor:
    """Coefficients without the zeros in front of them; one is left."""
    filled = np.flatnonzero(host_data(p.detach()))
    return p[int(filled[0]) :] if filled.size else p[-1:]


@public()
def polydiv(u: Any, v: Any) -> tuple[Tensor, Tensor]:
    """Quotient and remainder of two polynomials, by their coefficients; the remainder without zeros in front, as in NumPy.

    >>> import gpugrad as gg
    >>> gg.polydiv([3.0, 5.0, 2.0], [2.0, 1.0])
    (tensor([1.5 , 1.75], device='cpu'), tensor([0.25], device='cpu'))
    """
    a, b = _vectors("polydiv", u, v)
    a, b = (p if is_float(p.dtype) else p.astype(np.float64) for p in (a, b))
    if not host_data(b.detach())[0]:
        raise errors.bad_value("polydiv", "the first coefficient of the divisor must not be 0.")
    n, quotient, rest = b.shape[0], [], a
    for _ in range(a.shape[0] - n + 1):
        factor = rest[0] / b[0]
        quotient.append(factor)
        rest = concatenate([rest[1:n] - factor * b[1:], rest[n:]])
    if not rest.shape[0]:
        rest = zeros(1, a.dtype, a.device)
    small = np.abs(host_data(rest.detach())) <= 1e-8  # NumPy's measure of a zero
    first = int(np.argmin(small)) if not small.all() else rest.shape[0] - 1
    return stack(quotient) if quotient else zeros(1, a.dtype, a.device), rest[first:]


@public()
def polyder(p: Any, m: int = 1) -> Tensor:
    """The coefficients of the m-th derivative of a polynomial.

    >>> import gpugrad as gg
    >>> gg.polyder([1.0, 1.0, 1.0, 1.0])
    tensor([3., 2., 1.], device='cpu')
    """
    (p,) = _vectors("polyder", p)
    m = as_index("polyder", "m", m)
    if m < 0:
        raise errors.bad_value("polyder", f"m must not be negative, and is {m}.")
    for _ in range(m):
        powers = np.arange(p.shape[0] - 1, 0, -1)
        p = p[:-1] * (powers.astype(p.dtype) if is_float(p.dtype) else powers)
    return p.copy()


@public()
def polyint(p: Any, m: int = 1, k: Any = None) -> Tensor:
    """The coefficients of the m-th integral of a polynomial; k: the constants of integration, one or one for each.

    >>> import gpugrad as gg
    >>> gg.polyint([1.0, 1.0, 1.0])
    tensor([0.33333333, 0.5       , 1.        , 0.        ], device='cpu')
    """
    m = as_index("polyint", "m", m)
    if m < 0:
        raise errors.bad_value("polyint", f"m must not be negative, and is {m}.")
    p, k = _vectors("polyint", p, 0.0 if k is None else k)
    given = k.dtype if is_float(k.dtype) and k.requires_grad else p.dtype
    p = p.astype(np.result_type(p.dtype, given) if is_float(p.dtype) else np.float64)
    if k.shape[0] == 1 and m > 1:
        k = concatenate([k] * m)
    if k.shape[0] < m:
        raise errors.bad_shape("polyint", f"needs {m} constants of integration, or one for all, not {k.shape[0]}.")
    for n in range(m):
        p = concatenate([p / np.arange(p.shape[0], 0, -1).astype(p.dtype), k[n : n + 1].astype(p.dtype)])
    return p.copy()


@public()
def polyfit(x: Any, y: Any, deg: int, w: Any = None) -> Tensor:
    """The coefficients of the polynomial of degree `deg` that fits the points (x, y) best, in the sense of least squares.

    y may be a matrix, with one set of points in each column. w: weights of the residuals, before they are squared. Gradients go to x, y
    and w, through the pseudo-inverse (see `gpugrad.linalg.pinv`). Raises ShapeError if the lengths differ or there are too few different x.

    >>> import gpugrad as gg
    >>> gg.polyfit([0.0, 1.0, 2.0], [1.0, 3.0, 7.0], 2).round(6)
    tensor([1., 1., 1.], device='cpu')
    """
    x, y = as_tensors(x, y)
    x, y = (t if is_float(t.dtype) else t.astype(np.float64) for t in (x, y))
    deg = as_index("polyfit", "deg", deg)
    if deg < 0:
        raise errors.bad_value("polyfit", f"deg must not be negative, and is {deg}.")
    if x.ndim != 1 or y.ndim not in (1, 2) or x.shape[0] != y.shape[0]:
        raise errors.bad_shape("polyfit", f"takes a vector and as many values, not shapes {x.shape} and {y.shape}.")
    if np.unique(host_data(x.detach())).size <= deg:
        raise errors.bad_shape("polyfit", f"a polynomial of degree {deg} needs at least {deg + 1} different x.")
    left = vander(x, deg + 1)
    if w is not None:
        (weights,) = _vectors("polyfit", as_tensors(x, w)[1])
        left = left * expand_dims(weights, 1)
        y = y * (weights if y.ndim == 1 else expand_dims(weights, 1))
    out = np.result_type(x.dtype, y.dtype)
    left, y = (t.astype(np.float64) for t in (left, y))
    columns = y if y.ndim == 2 else expand_dims(y, 1)
    scale = np.sqrt((host_data(left.detach()) ** 2).sum(0))
    left = left / scale
    # The solution of NumPy's least squares is a constant here; what it leaves over is nearly nothing, and has the derivatives of the whole.
    known, right = host_data(left.detach()), host_data(columns.detach())
    cut = x.shape[0] * float(np.finfo(np.float64).eps)
    best, _, rank, _ = np.linalg.lstsq(known, right, cut)
    inverse = factorizations.pinv(left, rcond=cut)
    if rank == deg + 1:
        start = tensor(best, device=left.device)
        found = start + matmul(inverse, columns - matmul(left, start))
    else:
        found = matmul(inverse, columns)
    found = (found / scale[:, None]).astype(out)
    return found if y.ndim == 2 else found[:, 0]


@public()
def trim_zeros(filt: Any, trim: str = "fb", axis: Axis = None) -> Tensor:
    """x without the zeros at its front ("f"), its back ("b") or both, along all axes or those named.

    >>> import gpugrad as gg
    >>> gg.trim_zeros([0.0, 0.0, 1.0, 2.0, 0.0])
    tensor([1., 2.], device='cpu')
    """
    (x,) = as_tensors(filt)
    if not set(trim.lower()) <= {"f", "b"}:
        raise errors.bad_value("trim_zeros", f"trim is 'f', 'b' or 'fb', not {trim!r}.")
    places = np.argwhere(host_data(x.detach()))
    index = [slice(None)] * x.ndim
    for a in normalize_axes("trim_zeros", axis, x.ndim):
        first, last = (int(places[:, a].min()), int(places[:, a].max()) + 1) if len(places) else (0, 0)
        index[a] = slice(
            first if "f" in trim.lower() else 0, last if "b" in trim.lower() or not len(places) else x.shape[a]
        )
    return x[tuple(index)].copy()
