"""The methods of NumPy's ufuncs on tensors: reduce, accumulate, reduceat, outer and at, of every ufunc that gpugrad has.

Sums and products, running ones too, are rows of their own. What is here calls the ufunc once for each element along the axis: it works for
every ufunc, also for one that is not associative, and is not made to be fast.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import protocols
from ..arguments import as_tensors
from ..base import errors
from ..base.shapes import Axis, normalize_axes, normalize_axis
from ..coerce import host_data
from ..ops import structural
from ..tensor import Tensor
from .creation import zeros
from .differences import cumprod
from .elementwise import where as select
from .reductions import cumsum
from .shaping import broadcast_to, expand_dims, moveaxis, reshape, stack

Function = Callable[..., Tensor]
_MISSING: Any = np._NoValue


def _slices(x: Tensor, axis: int) -> list[Tensor]:
    lead = (slice(None),) * axis
    return [x[(*lead, k)] for k in range(x.shape[axis])]


def _cast(x: Any, dtype: Any) -> Tensor:
    (x,) = as_tensors(x)
    if dtype is not None and not np.can_cast(x.dtype, np.dtype(dtype), "same_kind"):
        raise errors.bad_type(
            "dtype=", f"numbers of dtype {x.dtype} are not computed with as {np.dtype(dtype)}: say x.astype(...)."
        )
    return x if dtype is None else x.astype(dtype)


_COMPARISONS = {np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal}


def _again(ufunc: np.ufunc, method: str, x: Tensor) -> None:
    """Refuse what cannot be applied to its own results."""
    if ufunc in _COMPARISONS and x.dtype != bool:
        raise errors.bad_type(
            f"np.{ufunc.__name__}.{method}", f"compares what it makes, booleans, with more of them, not with {x.dtype}."
        )


def called(ufunc: np.ufunc, ours: Function, *inputs: Any, dtype: Any = None, where: Any = True, out: Any = None) -> Any:
    """The function itself. where: elsewhere, the result is what `out` holds. dtype: of what it computes in."""
    if dtype is not None:
        inputs = tuple(x if type(x) in (int, float) else _cast(x, dtype) for x in inputs)
    found = ours(*inputs)
    if dtype is not None and isinstance(found, Tensor) and found.dtype not in (np.dtype(dtype), np.dtype(bool)):
        raise errors.bad_type(f"np.{ufunc.__name__}", f"does not compute in {np.dtype(dtype)}.")
    if where is True:
        return found
    if out is None or isinstance(found, tuple):
        raise errors.bad_value(
            f"np.{ufunc.__name__}", "with `where` it needs one result, and an `out` that says what is elsewhere."
        )
    return select(np.asarray(host_data(where)), found, out)


def reduce(
    ufunc: np.ufunc, ours: Function, x: Any, axis: Axis = 0, dtype: Any = None, keepdims: bool = False, initial: Any = _MISSING,
    where: Any = True,
) -> Tensor:  # fmt: skip
    """The first element with the second, the result with the third, and so on, along axes."""
    x = _cast(x, dtype)
    _again(ufunc, "reduce", x)
    name = f"np.{ufunc.__name__}.reduce"
    start = ufunc.identity if initial is _MISSING or initial is None else initial
    chosen = None if where is True else np.broadcast_to(np.asarray(host_data(where)).astype(bool), x.shape)
    if chosen is not None and start is None:
        raise errors.bad_value(name, "with `where` it needs an `initial` value.")
    axes = normalize_axes(name, axis, x.ndim)
    whole = protocols.REDUCTIONS.get(ufunc)
    if whole is not None and (ufunc.identity is not None or math.prod(x.shape[a] for a in axes)):
        if chosen is not None:  # what has no part is the identity, or for the extremes the initial value
            x = select(chosen, x, as_tensors(x, start if ufunc.identity is None else ufunc.identity)[1].astype(x.dtype))
        found: Tensor = whole(x, axes, keepdims=keepdims)
        return (
            found
            if initial is _MISSING or initial is None
            else ours(found, as_tensors(found, initial)[1].astype(found.dtype))
        )
    if len(axes) > 1 and ufunc.identity is None and ufunc not in (np.maximum, np.minimum, np.fmax, np.fmin):
        raise errors.bad_value(name, "its order matters: give one axis.")
    rest = tuple(n for a, n in enumerate(x.shape) if a not in axes)
    count = math.prod(x.shape[a] for a in axes)
    first = tuple(range(len(axes)))
    parts = _slices(reshape(moveaxis(x, axes, first), (count, *rest)), 0)
    masks = None if chosen is None else np.moveaxis(chosen, axes, first).reshape((count, *rest))
    one = parts[0] if parts else zeros(rest, x.dtype, x.device)
    dtype = ours(one, one).dtype
    if start is not None and (masks is not None or not count or start is initial):
        (given,) = as_tensors(x, start)[1:]
        found = broadcast_to(given.astype(dtype), rest).copy()
    elif count:
        found = parts.pop(0).astype(dtype)
    else:
        raise errors.bad_shape(name, "has no value of nothing.")
    for k, part in enumerate(parts):
        found = ours(found, part) if masks is None else select(masks[k], ours(found, part), found)
    for a in axes if keepdims else ():
        found = expand_dims(found, a)
    return found


def accumulate(ufunc: np.ufunc, ours: Function, x: Any, axis: int = 0, dtype: Any = None) -> Tensor:
    """All that `reduce` comes by on its way."""
    if ufunc is np.add or ufunc is np.multiply:
        return (cumsum if ufunc is np.add else cumprod)(x, axis, dtype)
    x = _cast(x, dtype)
    _again(ufunc, "accumulate", x)
    axis = normalize_axis(ufunc.__name__, axis, x.ndim)
    if not x.shape[axis]:
        return x.copy()
    parts = _slices(x, axis)
    for k in range(1, len(parts)):
        parts[k] = ours(parts[k - 1], parts[k])
    return stack([p.astype(parts[-1].dtype) for p in parts], axis)


def reduceat(ufunc: np.ufunc, ours: Function, x: Any, indices: Any, axis: int = 0, dtype: Any = None) -> Tensor:
    """`reduce` from each index to before the next, and from the last to the end; the element itself where the next index is not larger."""
    x = _cast(x, dtype)
    _again(ufunc, "reduceat", x)
    axis = normalize_axis(ufunc.__name__, axis, x.ndim)
    at = np.asarray(host_data(indices)).tolist()
    n = x.shape[axis]
    if any(not 0 <= i < n for i in at):
        raise IndexError(f"np.{ufunc.__name__}.reduceat: an index is out of range for {n} elements.")
    whole = protocols.REDUCTIONS.get(ufunc)
    lead = (slice(None),) * axis
    if not at:
        return x[(*lead, slice(0, 0))]
    parts = []
    for i, stop in zip(at, [*at[1:], n], strict=True):
        part = x[(*lead, slice(i, stop if stop > i else i + 1))]
        parts.append(whole(part, axis=axis) if whole is not None else reduce(ufunc, ours, part, axis))
    return stack(parts, axis)


def outer(ufunc: np.ufunc, ours: Function, a: Any, b: Any, dtype: Any = None) -> Tensor:
    """Each element of a with each of b."""
    a, b = _cast(a, dtype), _cast(b, dtype)
    return ours(reshape(a, (*a.shape, *(1,) * b.ndim)), b)


def at(ufunc: np.ufunc, ours: Function, t: Any, index: Any, *operand: Any) -> None:
    """Write to the elements at an index what the function makes of them, one after the other: duplicates count."""
    if not isinstance(t, Tensor):
        raise errors.gradient_lost(
            f"writing to a NumPy array by np.{ufunc.__name__}.at", "t.detach(), or write to a tensor"
        )
    parts = [
        np.asarray(host_data(i)) if isinstance(i, (Tensor, list)) else i
        for i in (index if isinstance(index, tuple) else (index,))
    ]
    index = tuple(parts)
    kinds = [o if type(o) in (int, float) else as_tensors(o)[0].dtype for o in operand]
    if not np.can_cast(np.result_type(t.dtype, *kinds), t.dtype, "same_kind"):
        raise errors.bad_type(
            f"np.{ufunc.__name__}.at",
            f"operands of {kinds} do not fit into a tensor of {t.dtype}: say t.astype(...) first.",
        )
    if ufunc is np.add or ufunc is np.subtract:
        (v,) = as_tensors(t, *operand)[1:]
        v = broadcast_to(v.astype(t.dtype), t[index].shape)
        t[...] = structural.index_add(t.copy(), v if ufunc is np.add else -v, index=index)
        return
    numbers = np.arange(t.size).reshape(t.shape)[index]
    if np.unique(numbers).size == numbers.size:
        t[index] = ours(t[index], *operand).astype(t.dtype)
        return
    values = [broadcast_to(v, numbers.shape) for v in as_tensors(t, *operand)[1:]]
    for place, number in np.ndenumerate(numbers):
        where = np.unravel_index(number, t.shape)
        t[where] = ours(t[where], *(v[place] for v in values)).astype(t.dtype)


protocols.METHODS.update(__call__=called, reduce=reduce, accumulate=accumulate, reduceat=reduceat, outer=outer, at=at)
