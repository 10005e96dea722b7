"""Sums, extremes and what is made of them."""

from __future__ import annotations

import builtins
import math
from typing import Any

import numpy as np

from ..arguments import as_tensors
from ..base import errors
from ..base.dtypes import computed
from ..base.modes import no_grad
from ..base.shapes import Axis, is_float, normalize_axes, normalize_axis
from ..coerce import as_dtype
from ..ops import elementwise as ew
from ..ops import structural
from ..tensor import Tensor
from .creation import ones, zeros
from .elementwise import where as select
from .face import public
from .indexing import take_along_axis
from .shaping import broadcast_to, concatenate, ravel, reshape, squeeze, transpose


def _chosen(x: Any, chosen: Any, instead: Any) -> Tensor:
    """x with a number where an element was not chosen: it then takes no part."""
    (x,) = as_tensors(x)
    return x if chosen is True or chosen is None else select(chosen, x, as_tensors(x, instead)[1].astype(x.dtype))


def _begun(op: Any, found: Tensor, initial: Any) -> Tensor:
    """A result, together with the value that it starts with."""
    return found if initial is None else op(found, as_tensors(found, initial)[1].astype(found.dtype))


@public(method=True, reduces=np.add)
def sum(
    x: Any, axis: Axis = None, dtype: Any = None, keepdims: bool = False, initial: Any = None, where: Any = True
) -> Tensor:
    """Sum over axes. What is summed need not exist: an expression becomes the map of the reduction.

    initial: added to it. where: the elements that are summed; no other takes part.
    Integers and booleans sum in int64, 16-bit floats in float32 (rounded once). Gradient: the upstream one, repeated.

    >>> import gpugrad as gg
    >>> gg.sum([[1.0, 2.0], [3.0, 4.0]], axis=0)
    tensor([4., 6.], device='cpu')
    """
    if type(x) is not Tensor or where is not True:
        x = _chosen(x, where, 0)
    x = _summable(x, dtype)
    result: Tensor = structural.collect(x, axes=normalize_axes("sum", axis, x.ndim), keepdims=keepdims)
    return result if initial is None else _begun(ew.add, result, initial)


def _summable(x: Tensor, dtype: Any) -> Tensor:
    """x in the dtype in which NumPy accumulates: int64 for smaller integers and booleans, unless one was asked for."""
    if dtype is None and x.dtype.kind in "biu":
        dtype = np.uint64 if x.dtype.kind == "u" else np.int64
    return x if dtype is None or x.dtype == as_dtype(dtype) else x.astype(dtype)


@public(method=True)
def mean(x: Any, axis: Axis = None, dtype: Any = None, keepdims: bool = False, where: Any = True) -> Tensor:
    """Arithmetic mean over axes, in float64 for integers. NaN over nothing, as in NumPy. where: the elements that it is of.

    >>> import gpugrad as gg
    >>> gg.mean([1.0, 2.0, 6.0])
    tensor(3., device='cpu')
    """
    (x,) = as_tensors(x)
    out = as_dtype(dtype) if dtype is not None else x.dtype if is_float(x.dtype) else np.dtype(np.float64)
    if where is not True:
        result = _mean_of(x.astype(computed(out)), _mask(x, where), axis, keepdims)
        return result if result.dtype == out else result.astype(out)
    count = _count("mean", x, axis)
    total = sum(x, axis, computed(out), keepdims)
    result = total / float(count) if count else total * math.nan
    return result if result.dtype == out else result.astype(out)


def _count(op: str, x: Tensor, axis: Axis) -> int:
    return math.prod(x.shape[a] for a in normalize_axes(op, axis, x.ndim))


def _mask(x: Tensor, chosen: Any) -> Tensor:
    """Which elements of x are chosen, as a tensor of its shape."""
    return broadcast_to(as_tensors(x, chosen)[1].astype(bool), x.shape)


def _mean_of(x: Tensor, chosen: Tensor, axis: Axis, keepdims: bool) -> Tensor:
    """The mean of the elements that are chosen; NaN where none is."""
    count = sum(chosen, axis, keepdims=keepdims).astype(x.dtype)
    return sum(x, axis, keepdims=keepdims, where=chosen) / count


def variance_of(x: Tensor, chosen: Tensor, axis: Axis, ddof: float, keepdims: bool) -> Tensor:
    """The variance of the elements that are chosen; NaN where there are no more than `ddof`."""
    off = select(chosen, x - _mean_of(x, chosen, axis, True), 0)
    left = sum(chosen, axis, keepdims=keepdims).astype(x.dtype) - ddof
    return sum(ew.square(off), axis, keepdims=keepdims) / select(left > 0, left, math.nan)


@public(method=True)
def var(
    x: Any,
    axis: Axis = None,
    ddof: float = 0,
    keepdims: bool = False,
    where: Any = True,
    correction: float | None = None,
    dtype: Any = None,
) -> Tensor:
    """Variance over axes: squared distance from the mean, summed and divided by n - ddof. where: the elements that it is of.

    correction: another name for ddof, that of the array API standard.

    >>> import gpugrad as gg
    >>> gg.var([1.0, 2.0, 3.0], ddof=1)
    tensor(1., device='cpu')
    """
    result, out = _variance(x, axis, ddof if correction is None else correction, keepdims, where, dtype)
    return result if result.dtype == out else result.astype(out)


def _variance(x: Any, axis: Axis, ddof: float, keepdims: bool, chosen: Any, dtype: Any) -> tuple[Tensor, Any]:
    """The variance in at least float32, and the dtype that the result should have."""
    (x,) = as_tensors(x)
    if dtype is not None:
        x = x.astype(dtype)
    out = x.dtype if is_float(x.dtype) else np.dtype(np.float64)
    x = x if x.dtype == computed(out) else x.astype(computed(out))
    if chosen is not True:
        return variance_of(x, _mask(x, chosen), axis, ddof, keepdims), out
    n = _count("var", x, axis) - ddof
    total = sum(ew.square(x - mean(x, axis, keepdims=True)), axis, keepdims=keepdims)
    return total / float(builtins.max(n, 0)), out


@public(method=True)
def std(
    x: Any,
    axis: Axis = None,
    ddof: float = 0,
    keepdims: bool = False,
    where: Any = True,
    correction: float | None = None,
    dtype: Any = None,
) -> Tensor:
    """Standard deviation over axes: the square root of the variance. Its derivative is 0, by convention, where all elements are equal.

    where: the elements that it is of. correction: another name for ddof.

    >>> import gpugrad as gg
    >>> gg.std([1.0, 3.0])
    tensor(1., device='cpu')
    """
    variance, out = _variance(x, axis, ddof if correction is None else correction, keepdims, where, dtype)
    result = ew.root(variance)
    return result if result.dtype == out else result.astype(out)


@public(method=True, reduces=np.multiply)
def prod(
    x: Any, axis: Axis = None, dtype: Any = None, keepdims: bool = False, initial: Any = None, where: Any = True
) -> Tensor:
    """Product over axes, times `initial`, of the elements `where`. Multiplied in a tree, so that gradients of every order are exact also where elements are 0.

    >>> import gpugrad as gg
    >>> x = gg.tensor([0.0, 2.0, 3.0], requires_grad=True)
    >>> gg.prod(x).backward()
    >>> x.grad
    tensor([6., 0., 0.], device='cpu')
    """
    x = _summable(_chosen(x, where, 1), dtype)
    axes = normalize_axes("prod", axis, x.ndim)
    shape = tuple(1 if a in axes else n for a, n in enumerate(x.shape))
    others = tuple(a for a in range(x.ndim) if a not in axes)
    n = math.prod(x.shape[a] for a in axes)
    x = reshape(transpose(x, (*axes, *others)), (n, *(x.shape[a] for a in others)))
    if n == 0:
        x = ones(x.shape[1:], x.dtype, x.device)
    else:
        while n > 1:
            half = n // 2
            pairs = x[:half] * x[half : 2 * half]
            x = concatenate([pairs, x[2 * half :]]) if n % 2 else pairs
            n -= half
        x = x[0]
    kept = tuple(s for a, s in enumerate(shape) if a not in axes)
    return _begun(ew.multiply, reshape(x, shape if keepdims else kept), initial)


@public(method=True, aliases=("amax",), reduces=np.maximum)
def max(x: Any, axis: Axis = None, keepdims: bool = False, initial: Any = None, where: Any = True) -> Tensor:
    """The maximum over axes, NaN if there is one; ties share the gradient evenly.

    initial: a value that takes part. where: the elements that it is of; there must be an `initial` then.
    Raises ShapeError over no elements, unless there is an `initial`.

    >>> import gpugrad as gg
    >>> gg.max([[1.0, 5.0], [3.0, 4.0]], axis=1)
    tensor([5., 4.], device='cpu')
    """
    return _extreme("max", structural.reduce_max, ew.maximum, x, axis, keepdims, initial, where)


@public(method=True, aliases=("amin",), reduces=np.minimum)
def min(x: Any, axis: Axis = None, keepdims: bool = False, initial: Any = None, where: Any = True) -> Tensor:
    """The minimum over axes, NaN if there is one; ties share the gradient evenly.

    initial: a value that takes part. where: the elements that it is of; there must be an `initial` then.
    Raises ShapeError over no elements, unless there is an `initial`.

    >>> import gpugrad as gg
    >>> gg.min([[1.0, 5.0], [3.0, 4.0]], axis=1)
    tensor([1., 3.], device='cpu')
    """
    return _extreme("min", structural.reduce_min, ew.minimum, x, axis, keepdims, initial, where)


def _extreme(name: str, op: Any, of_two: Any, x: Any, axis: Axis, keepdims: bool, initial: Any, chosen: Any) -> Tensor:
    if chosen is not True and initial is None:
        raise errors.bad_value(
            name, "with `where` it needs an `initial` value, which is the result where nothing is chosen."
        )
    x = _chosen(x, chosen, initial)
    axes = normalize_axes(name, axis, x.ndim)
    if builtins.any(x.shape[a] == 0 for a in axes):
        if initial is None:
            raise errors.empty_reduction(name)
        kept = tuple(1 if a in axes else n for a, n in enumerate(x.shape) if keepdims or a not in axes)
        return broadcast_to(as_tensors(x, initial)[1].astype(x.dtype), kept).copy()
    result: Tensor = op(x, axes=axes, keepdims=keepdims)
    return _begun(of_two, result, initial)


@public(method=True)
def argmax(x: Any, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """The index of the (first) maximum along an axis, or in the flattened tensor. Has no gradient.

    Raises ShapeError over no elements.

    >>> import gpugrad as gg
    >>> gg.argmax([[1.0, 5.0], [3.0, 4.0]], axis=1)
    tensor([1, 1], device='cpu')
    """
    return _position("argmax", structural.argmax, x, axis, keepdims)


@public(method=True)
def argmin(x: Any, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """The index of the (first) minimum along an axis, or in the flattened tensor. Has no gradient.

    Raises ShapeError over no elements.

    >>> import gpugrad as gg
    >>> gg.argmin([[1.0, 5.0], [3.0, 4.0]], axis=1)
    tensor([0, 0], device='cpu')
    """
    return _position("argmin", structural.argmin, x, axis, keepdims)


def _position(name: str, op: Any, x: Any, axis: int | None, keepdims: bool) -> Tensor:
    (x,) = as_tensors(x)
    if (x.size if axis is None else x.shape[normalize_axis(name, axis, x.ndim)]) == 0:
        raise errors.empty_reduction(name)
    result: Tensor = op(x, axis=axis if axis is None else axis % x.ndim, keepdims=keepdims)
    return result


@public(method=True, reduces=np.logical_or)
def any(x: Any, axis: Axis = None, keepdims: bool = False, where: Any = True) -> Tensor:
    """True where any element over the axes is non-zero, of those `where` says.

    >>> import gpugrad as gg
    >>> gg.any([False, True])
    tensor(True, device='cpu')
    """
    x = _chosen(x, where, False)
    x = x if x.dtype == bool else x != 0
    return structural.collect(x, axes=normalize_axes("any", axis, x.ndim), keepdims=keepdims)


@public(method=True, reduces=np.logical_and)
def all(x: Any, axis: Axis = None, keepdims: bool = False, where: Any = True) -> Tensor:
    """True where all elements over the axes are non-zero, of those `where` says.

    >>> import gpugrad as gg
    >>> gg.all([False, True])
    tensor(False, device='cpu')
    """
    return ew.logical_not(any(_chosen(x, where, True) == 0, axis, keepdims))


@public(method=True)
def cumsum(x: Any, axis: int | None = None, dtype: Any = None) -> Tensor:
    """Running sum along an axis, or of the flattened tensor.

    >>> import gpugrad as gg
    >>> gg.cumsum([1.0, 2.0, 3.0])
    tensor([1., 3., 6.], device='cpu')
    """
    (x,) = as_tensors(x)
    if axis is None:
        x, axis = ravel(x), 0
    x = _summable(x, dtype)
    return structural.cumsum(x, axis=normalize_axis("cumsum", axis, x.ndim))


@public(method=True)
def argsort(x: Any, axis: int | None = -1, *, descending: bool = False, stable: bool = True) -> Tensor:
    """The indices that sort along an axis, rising or descending; equal elements stay in order, also without `stable`. Has no gradient.

    >>> import gpugrad as gg
    >>> gg.argsort([3.0, 1.0, 2.0])
    tensor([1, 2, 0], device='cpu')
    """
    (x,) = as_tensors(x)
    if descending and x.ndim:
        x, axis = (ravel(x), 0) if axis is None else (x, normalize_axis("argsort", axis, x.ndim))
        turned = (*(slice(None),) * axis, slice(None, None, -1))
        return (x.shape[axis] - 1 - structural.argsort(x[turned], axis=axis))[turned]
    return structural.argsort(x, axis=axis if axis is None else normalize_axis("argsort", axis, x.ndim or 1))


@public()
def sort(x: Any, axis: int | None = -1, *, descending: bool = False, stable: bool = True) -> Tensor:
    """A sorted copy along an axis, rising or descending; each gradient goes back to where its element came from.

    >>> import gpugrad as gg
    >>> gg.sort([3.0, 1.0, 2.0])
    tensor([1., 2., 3.], device='cpu')
    """
    (x,) = as_tensors(x)
    if axis is None:
        x, axis = ravel(x), 0
    return take_along_axis(x, argsort(x, axis, descending=descending), axis)


def _shifted(op: str, x: Any, axis: Axis) -> tuple[Tensor, Tensor, Any]:
    """What is left of x, in at least float32, without its maximum over the axes; that maximum as a constant; and x's own dtype.

    Where the maximum is infinite, what equals it is 0: equal infinities share evenly, as in `logaddexp`.
    """
    (x,) = as_tensors(x)
    out = x.dtype if is_float(x.dtype) else np.dtype(np.float64)
    x = x if x.dtype == computed(out) else x.astype(computed(out))
    if not _count(op, x, axis):
        axes = normalize_axes(op, axis, x.ndim)
        return x, zeros(tuple(1 if a in axes else n for a, n in enumerate(x.shape)), x.dtype, x.device), out
    with no_grad():
        top = max(x, axis, keepdims=True)
    return ew.difference(x, top), top, out


@public(method=True)
def logsumexp(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """log(sum(exp(x))) over axes, without overflow. Gradient: the softmax.

    >>> import gpugrad as gg
    >>> gg.logsumexp([1000.0, 1000.0])
    tensor(1000.69314718, device='cpu')
    """
    shifted, top, out = _shifted("logsumexp", x, axis)
    result: Tensor = ew.log(sum(ew.exp(shifted), axis, keepdims=True)) + top
    result = result if keepdims else squeeze(result, normalize_axes("logsumexp", axis, shifted.ndim))
    return result if result.dtype == out else result.astype(out)


@public(method=True)
def softmax(x: Any, axis: Axis = -1) -> Tensor:
    """exp(x) / sum(exp(x)) along an axis, without overflow. Elements that are all -inf, or infinities, share evenly.

    >>> import gpugrad as gg
    >>> gg.softmax([1000.0, 1000.0])
    tensor([0.5, 0.5], device='cpu')
    """
    shifted, _, out = _shifted("softmax", x, axis)
    e = ew.exp(shifted)
    result: Tensor = e / sum(e, axis, keepdims=True)
    return result if result.dtype == out else result.astype(out)


@public(method=True)
def log_softmax(x: Any, axis: Axis = -1) -> Tensor:
    """The logarithm of the softmax along an axis, accurate where the softmax underflows.

    >>> import gpugrad as gg
    >>> gg.log_softmax([0.0, 1000.0])
    tensor([-1000.,     0.], device='cpu')
    """
    shifted, _, out = _shifted("log_softmax", x, axis)
    result: Tensor = shifted - ew.log(sum(ew.exp(shifted), axis, keepdims=True))
    return result if result.dtype == out else result.astype(out)
