"""Running products, differences along axes, and integrals over samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..arguments import as_tensors
from ..base import errors
from ..base.shapes import Axis, as_index, is_float, normalize_axes, normalize_axis
from ..coerce import host_data
from ..ops import structural
from ..ops.elementwise import isnan, logical_and
from ..tensor import Tensor
from .creation import full, tensor
from .elementwise import where
from .face import public
from .indexing import take
from .reductions import _summable, cumsum, sum
from .shaping import broadcast_to, concatenate, expand_dims, ravel, reshape


def _along(axis: int, *cut: Any) -> tuple[Any, ...]:
    """The index of a slice along one axis."""
    return (*(slice(None),) * axis, slice(*cut))


@public(method=True)
def cumprod(x: Any, axis: int | None = None, dtype: Any = None) -> Tensor:
    """Running product along an axis, or of the flattened tensor.

    Gradients of every order are exact also where elements are 0.

    >>> import gpugrad as gg
    >>> gg.cumprod([1.0, 2.0, 3.0])
    tensor([1., 2., 6.], device='cpu')
    """
    (x,) = as_tensors(x)
    if axis is None:
        x, axis = ravel(x), 0
    axis = normalize_axis("cumprod", axis, x.ndim)
    return structural.cumprod(_summable(x, dtype), axis=axis)


@public()
def cumulative_sum(x: Any, axis: int | None = None, dtype: Any = None, include_initial: bool = False) -> Tensor:
    """Running sum along an axis, which may be left out where there is but one. include_initial: with a 0 before it.

    >>> import gpugrad as gg
    >>> gg.cumulative_sum([1.0, 2.0], include_initial=True)
    tensor([0., 1., 3.], device='cpu')
    """
    return _cumulative("cumulative_sum", cumsum, 0, x, axis, dtype, include_initial)


@public()
def cumulative_prod(x: Any, axis: int | None = None, dtype: Any = None, include_initial: bool = False) -> Tensor:
    """Running product along an axis, which may be left out where there is but one. include_initial: with a 1 before it.

    >>> import gpugrad as gg
    >>> gg.cumulative_prod([3.0, 2.0], include_initial=True)
    tensor([1., 3., 6.], device='cpu')
    """
    return _cumulative("cumulative_prod", cumprod, 1, x, axis, dtype, include_initial)


def _cumulative(op: str, function: Any, first: int, x: Any, axis: int | None, dtype: Any, initial: bool) -> Tensor:
    (x,) = as_tensors(x)
    x = x if x.ndim else x.reshape(1)
    if axis is None:
        if x.ndim != 1:
            raise errors.bad_shape(op, f"needs an axis for a tensor of shape {x.shape}.")
        axis = 0
    axis = normalize_axis(op, axis, x.ndim)
    found: Tensor = function(x, axis, dtype)
    if not initial:
        return found
    shape = tuple(1 if a == axis else n for a, n in enumerate(x.shape))
    return concatenate([full(shape, first, found.dtype, found.device), found], axis)


@public()
def diff(x: Any, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None) -> Tensor:
    """Differences of neighbours along an axis, x[i + 1] - x[i], taken n times; of booleans, whether they differ.

    prepend, append: what to put before and after x along the axis first.

    >>> import gpugrad as gg
    >>> gg.diff([1.0, 4.0, 9.0])
    tensor([3., 5.], device='cpu')
    """
    (x,) = as_tensors(x)
    n = as_index("diff", "n", n)
    if n < 0:
        raise errors.bad_value("diff", f"n must not be negative, and is {n}.")
    if not x.ndim:
        raise errors.bad_shape("diff", "needs at least one axis.")
    axis = normalize_axis("diff", axis, x.ndim)
    if n == 0:
        return x.copy()
    ends = []
    for end in (prepend, append):
        if end is not None:
            end = as_tensors(x, end)[1]
            end = end if end.ndim else broadcast_to(end, tuple(1 if a == axis else m for a, m in enumerate(x.shape)))
        ends.append(end)
    x = concatenate([p for p in (ends[0], x, ends[1]) if p is not None], axis)
    for _ in range(n):
        later, before = x[_along(axis, 1, None)], x[_along(axis, None, -1)]
        x = later != before if x.dtype == bool else later - before
    return x


@public()
def ediff1d(x: Any, to_end: Any = None, to_begin: Any = None) -> Tensor:
    """Differences of neighbours of the flattened tensor, with what is given put before and after them.

    >>> import gpugrad as gg
    >>> gg.ediff1d([1.0, 4.0, 9.0], to_end=0.0)
    tensor([3., 5., 0.], device='cpu')
    """
    found = diff(ravel(x))
    parts = [p if p is None else as_tensors(found, p)[1] for p in (to_begin, found, to_end)]
    parts = [p for p in parts if p is not None]
    for end, p in (("to_begin", to_begin), ("to_end", to_end)):
        t = None if p is None else as_tensors(found, p)[1]
        if t is not None and not np.can_cast(t.dtype, found.dtype, "same_kind"):
            raise errors.bad_type(
                "ediff1d", f"{end} of dtype {t.dtype} does not fit among differences of dtype {found.dtype}."
            )
    return concatenate([ravel(p).astype(found.dtype) for p in parts])


@public()
def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Tensor:
    """The integral of samples along an axis by the trapezoidal rule: the sum of the means of neighbours times their distance.

    x: where the samples are, of one axis or of y's shape; dx apart if it is not given.

    >>> import gpugrad as gg
    >>> gg.trapezoid([1.0, 2.0, 3.0], dx=2.0)
    tensor(8., device='cpu')
    """
    (y,) = as_tensors(y)
    axis = normalize_axis("trapezoid", axis, y.ndim)
    y = y if is_float(y.dtype) else y.astype(np.float64)
    apart = dx
    if x is not None:
        x = as_tensors(y, x)[1]
        apart = diff(x if is_float(x.dtype) else x.astype(np.float64), axis=-1 if x.ndim == 1 else axis)
        if apart.ndim == 1:
            apart = reshape(apart, tuple(apart.size if a == axis else 1 for a in range(y.ndim)))
    return sum((y[_along(axis, 1, None)] + y[_along(axis, None, -1)]) * apart / 2.0, axis)


@public()
def gradient(f: Any, *varargs: Any, axis: Axis = None, edge_order: int = 1) -> Any:
    """Numerical derivatives of samples along axes, by differences of second order inside, and of `edge_order` at both ends.

    varargs: nothing (samples 1 apart), a distance for all axes, or for each axis a distance or where its samples are. Returns a tensor
    for one axis, a tuple of them for several.

    Raises ShapeError for an axis with less than edge_order + 1 samples, or distances that do not fit.

    >>> import gpugrad as gg
    >>> gg.gradient([1.0, 4.0, 9.0, 16.0])
    tensor([3., 4., 6., 7.], device='cpu')
    """
    (f,) = as_tensors(f)
    f = f if is_float(f.dtype) else f.astype(np.float64)
    given = range(f.ndim) if axis is None else list(np.atleast_1d(axis))
    axes = [normalize_axis("gradient", a, f.ndim) for a in given]
    normalize_axes("gradient", tuple(axes), f.ndim)  # each but once
    if edge_order not in (1, 2):
        raise errors.bad_value("gradient", f"edge_order is 1 or 2, not {edge_order!r}.")
    if len(varargs) not in (0, 1, len(axes)) or (len(varargs) == 1 and len(axes) > 1 and np.ndim(varargs[0])):
        raise errors.bad_shape("gradient", f"takes no distance, one, or one for each of {len(axes)} axes.")
    apart: Sequence[Any] = [1.0] * len(axes) if not varargs else varargs * len(axes) if len(varargs) == 1 else varargs
    found = [_gradient(f, d, a, edge_order) for d, a in zip(apart, axes, strict=True)]
    return found[0] if len(axes) == 1 else tuple(found)


def _gradient(f: Tensor, apart: Any, axis: int, edge_order: int) -> Tensor:
    n = f.shape[axis]
    if n <= edge_order:
        raise errors.bad_shape("gradient", f"axis {axis} has {n} samples, and needs at least {edge_order + 1}.")
    even = not np.ndim(apart)
    if not even:
        places = as_tensors(f, apart)[1]
        if places.shape != (n,):
            raise errors.bad_shape("gradient", f"axis {axis} has {n} samples, at places of shape {places.shape}.")
        between = diff(places)
        even = not between.requires_grad and bool(np.all(host_data(between) == host_data(between)[0]))
        steps = reshape(between, tuple(n - 1 if a == axis else 1 for a in range(f.ndim)))
    else:
        steps = broadcast_to(
            reshape(as_tensors(f, apart)[1], (1,) * f.ndim), tuple(n - 1 if a == axis else 1 for a in range(f.ndim))
        )
    steps = steps.astype(f.dtype)
    slopes = diff(f, axis=axis) / steps
    before, after = (steps[_along(axis, *c)] for c in ((None, -1), (1, None)))
    left, right = (slopes[_along(axis, *c)] for c in ((None, -1), (1, None)))
    # the slopes on both sides, each weighted with the distance on the other
    if even:  # the sample between them has no part in it
        inside = (f[_along(axis, 2, None)] - f[_along(axis, None, -2)]) / (before + after)
    else:
        inside = (after * left + before * right) / (before + after)
    first, last = slopes[_along(axis, None, 1)], slopes[_along(axis, -1, None)]
    if edge_order == 2:
        first = _extended(slopes, steps, axis, 0, 1)
        last = _extended(slopes, steps, axis, -1, -2)
    return concatenate([first, inside, last], axis)


def _extended(slopes: Tensor, steps: Tensor, axis: int, at: int, beside: int) -> Tensor:
    """The slope at an end, of the parabola through the three samples there."""
    (s, d), (t, e) = ([expand_dims(take(x, k, axis), axis) for x in (slopes, steps)] for k in (at, beside))
    return s + (s - t) * d / (d + e)


@public()
def interp(x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None) -> Tensor:
    """Linear interpolation at x between points (xp, fp) with xp increasing; left and right of them fp's ends, or what is given.

    Gradient: of x the slope of the piece (0 outside; at a point, of the piece right of it), of fp how near x is to each end, and of xp.

    Raises ShapeError unless xp and fp are vectors of one length, which is not 0.

    >>> import gpugrad as gg
    >>> gg.interp([0.5, 3.0], [0.0, 1.0, 2.0], [0.0, 10.0, 40.0])
    tensor([ 5., 40.], device='cpu')
    """
    x, xp, fp = (t if is_float(t.dtype) else t.astype(np.float64) for t in as_tensors(x, xp, fp))
    if xp.ndim != 1 or xp.shape != fp.shape or not xp.size:
        raise errors.bad_shape(
            "interp", f"needs points as two vectors of one length, not of shapes {xp.shape} and {fp.shape}."
        )
    at, places = np.asarray(host_data(x.detach())), np.asarray(host_data(xp.detach()))
    lower = fp[0] if left is None else left
    upper = fp[-1] if right is None else right
    if xp.size == 1:
        inside = broadcast_to(fp[0], x.shape)
    else:
        piece = np.clip(np.searchsorted(places, at, side="right") - 1, 0, xp.size - 2)
        x0, x1, y0, y1 = xp[piece], xp[piece + 1], fp[piece], fp[piece + 1]
        slope = (y1 - y0) / (x1 - x0)
        inside = y0 + (x - x0) * slope
        lost = isnan(inside)  # by infinities, as NumPy finds its way around them
        other = y1 + (x - x1) * slope
        other = where(logical_and(isnan(other), y0 == y1), y0, other)
        inside = where(lost, where(x == x0, y0, other), inside)
        inside = where(tensor(at == places[-1], device=x.device), fp[-1], inside)
    found: Tensor = where(
        tensor(at < places[0], device=x.device), lower, where(tensor(at > places[-1], device=x.device), upper, inside)
    )
    return found
