"""The same elements in other shapes and places."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..arguments import as_tensors
from ..base import errors
from ..base.shapes import Axis, as_shape, broadcast, normalize_axes, normalize_axis, reshape_target
from ..ops import structural
from ..tensor import Tensor
from .face import method, public


@public()
def transpose(x: Any, axes: Any = None) -> Tensor:
    """Axes in another order; reversed by default.

    >>> import gpugrad as gg
    >>> gg.transpose(gg.zeros((2, 3))).shape
    (3, 2)
    """
    (x,) = as_tensors(x)
    order = (
        tuple(reversed(range(x.ndim)))
        if axes is None
        else tuple(a % x.ndim if -x.ndim <= a < x.ndim else a for a in axes)
    )
    if len(order) != x.ndim:
        raise errors.bad_shape("transpose", f"{axes} does not name every axis of a tensor with {x.ndim} axes once.")
    normalize_axes("transpose", order, x.ndim)
    return _viewing(x, structural.transpose(x, axes=order), "a transpose")


method("T")(property(transpose, doc="The transpose: axes reversed."))


@method("transpose")
def _transpose_method(x: Tensor, *axes: Any) -> Tensor:
    order = axes[0] if len(axes) == 1 and not isinstance(axes[0], int) else axes
    return transpose(x, order or None)


@public()
def reshape(x: Any, shape: Any, order: str = "C", *, copy: bool | None = None) -> Tensor:
    """The same elements in another shape; one length may be -1.

    order: "F" to read and to arrange them with the first index changing fastest; "C" with the last. ("A" and "K" ask how an array lies in
    memory, which is no property of a tensor, and are refused.) copy: True for a new tensor.

    >>> import gpugrad as gg
    >>> gg.reshape(gg.arange(6), (2, -1)).shape
    (2, 3)
    """
    (x,) = as_tensors(x)
    target = reshape_target(x.size, shape if type(shape) is tuple else as_shape("reshape", shape))
    if order == "F":
        return transpose(reshape(transpose(x), target[::-1]))
    if order != "C":
        raise errors.bad_value(
            "reshape", f"order must be 'C' or 'F', not {order!r}: how it lies in memory is no property of a tensor."
        )
    y = _viewing(x, structural.reshape(x, shape=target), "a reshape")
    return y.copy() if copy else y


@method("reshape")
def _reshape_method(x: Tensor, *shape: Any, order: str = "C", copy: bool | None = None) -> Tensor:
    return reshape(x, as_shape("reshape", shape[0] if len(shape) == 1 else shape), order, copy=copy)


def _viewing(x: Tensor, result: Tensor, kind: str) -> Tensor:
    return x._view(result._value, kind)


@public(method=True)
def ravel(x: Any, order: str = "C") -> Tensor:
    """The elements in one axis. order: "F" with the first index changing fastest, else with the last.

    >>> import gpugrad as gg
    >>> gg.ravel([[1, 2], [3, 4]])
    tensor([1, 2, 3, 4], device='cpu')
    """
    (x,) = as_tensors(x)
    return reshape(x, (x.size,), order)


@method("flatten")
def _flatten(x: Tensor, order: str = "C") -> Tensor:
    """The elements in one axis, as a new tensor."""
    return ravel(x, order).copy()


@public(method=True)
def swapaxes(x: Any, axis1: int, axis2: int) -> Tensor:
    """Two axes exchanged.

    >>> import gpugrad as gg
    >>> gg.swapaxes(gg.zeros((2, 3, 4)), 0, 2).shape
    (4, 3, 2)
    """
    (x,) = as_tensors(x)
    a, b = normalize_axis("swapaxes", axis1, x.ndim), normalize_axis("swapaxes", axis2, x.ndim)
    order = list(range(x.ndim))
    order[a], order[b] = order[b], order[a]
    return transpose(x, tuple(order))


@public()
def moveaxis(x: Any, source: Any, destination: Any) -> Tensor:
    """Axes moved to other places; the others stay in order.

    >>> import gpugrad as gg
    >>> gg.moveaxis(gg.zeros((2, 3, 4)), 0, -1).shape
    (3, 4, 2)
    """
    (x,) = as_tensors(x)
    given = [(s,) if isinstance(s, int) else tuple(s) for s in (source, destination)]
    src, dst = ([normalize_axis("moveaxis", a, x.ndim) for a in s] for s in given)
    if len(src) != len(dst) or len(set(src)) != len(src) or len(set(dst)) != len(dst):
        raise errors.bad_shape("moveaxis", f"source {source} and destination {destination} must pair distinct axes.")
    order = [a for a in range(x.ndim) if a not in src]
    for d, s in sorted(zip(dst, src, strict=True)):
        order.insert(d, s)
    return transpose(x, tuple(order))


@public()
def expand_dims(x: Any, axis: Any) -> Tensor:
    """New axes of length 1 at the given places of the result.

    >>> import gpugrad as gg
    >>> gg.expand_dims(gg.zeros(3), 0).shape
    (1, 3)
    """
    (x,) = as_tensors(x)
    count = 1 if isinstance(axis, int) else len(tuple(axis))
    axes = normalize_axes("expand_dims", axis, x.ndim + count)
    rest = iter(x.shape)
    return reshape(x, tuple(1 if i in axes else next(rest) for i in range(x.ndim + count)))


@public(method=True)
def squeeze(x: Any, axis: Axis = None) -> Tensor:
    """Axes of length 1 removed: all of them, or those given. Raises ShapeError if one of those is longer.

    >>> import gpugrad as gg
    >>> gg.squeeze(gg.zeros((1, 3, 1))).shape
    (3,)
    """
    (x,) = as_tensors(x)
    axes = [i for i, n in enumerate(x.shape) if n == 1] if axis is None else normalize_axes("squeeze", axis, x.ndim)
    for a in axes:
        if x.shape[a] != 1:
            raise errors.bad_shape("squeeze", f"axis {a} of shape {x.shape} has length {x.shape[a]}, not 1.")
    return reshape(x, tuple(n for i, n in enumerate(x.shape) if i not in axes))


@public()
def broadcast_to(x: Any, shape: Any) -> Tensor:
    """x repeated along new axes and axes of length 1, without a copy.

    >>> import gpugrad as gg
    >>> gg.broadcast_to([1, 2], (2, 2))
    tensor([[1, 2],
            [1, 2]], device='cpu')
    """
    (x,) = as_tensors(x)
    target = as_shape("broadcast_to", shape)
    if broadcast("broadcast_to", x.shape, target) != target:
        raise errors.no_broadcast("broadcast_to", (x.shape, target))
    return _viewing(x, structural.broadcast_to(x, shape=target), "a broadcast")


def _sequence(op: str, arrays: Any) -> Any:
    if not hasattr(arrays, "__len__"):
        raise errors.bad_type(op, f"expected a sequence of tensors, not {type(arrays).__name__!r}.")
    return arrays


@public()
def concatenate(arrays: Sequence[Any], axis: int | None = 0) -> Tensor:
    """Tensors joined along an axis (flattened first if it is None).

    Raises ShapeError for no tensors, or shapes that differ in another axis.

    >>> import gpugrad as gg
    >>> gg.concatenate([[1.0, 2.0], [3.0]])
    tensor([1., 2., 3.], device='cpu')
    """
    xs = as_tensors(*_sequence("concatenate", arrays))
    if not xs:
        raise errors.bad_shape("concatenate", "needs at least one tensor.")
    if axis is None:
        xs, axis = [ravel(x) for x in xs], 0
    axis = normalize_axis("concatenate", axis, xs[0].ndim)
    rests = {(*x.shape[:axis], *x.shape[axis + 1 :]) if x.ndim > axis else x.shape for x in xs}
    if len(rests) > 1 or len({x.ndim for x in xs}) > 1:
        raise errors.bad_shape("concatenate", f"shapes {[x.shape for x in xs]} differ outside axis {axis}.")
    common = np.result_type(*(x.dtype for x in xs))
    return structural.concatenate(*(x if x.dtype == common else x.astype(common) for x in xs), axis=axis)


@public()
def stack(arrays: Sequence[Any], axis: int = 0) -> Tensor:
    """Tensors of one shape joined along a new axis.

    >>> import gpugrad as gg
    >>> gg.stack([[1, 2], [3, 4]], axis=1)
    tensor([[1, 3],
            [2, 4]], device='cpu')
    """
    xs = as_tensors(*_sequence("stack", arrays))
    if len({x.shape for x in xs}) != 1:
        raise errors.bad_shape("stack", f"needs tensors of one shape, not {[x.shape for x in xs]}.")
    return concatenate([expand_dims(x, axis) for x in xs], axis)


@public()
def split(x: Any, indices_or_sections: Any, axis: int = 0) -> list[Tensor]:
    """Parts along an axis: a number of equal ones, or cut at the given indices.

    >>> import gpugrad as gg
    >>> [part.tolist() for part in gg.split([1, 2, 3, 4], [1, 3])]
    [[1], [2, 3], [4]]
    """
    (x,) = as_tensors(x)
    axis = normalize_axis("split", axis, x.ndim)
    n = x.shape[axis]
    if isinstance(indices_or_sections, int):
        if indices_or_sections < 1 or n % indices_or_sections:
            raise errors.bad_shape("split", f"{n} elements do not make {indices_or_sections} equal parts.")
        step = n // indices_or_sections
        edges = [step * k for k in range(1, indices_or_sections)]
    else:
        edges = [int(i) for i in indices_or_sections]
    lead = (slice(None),) * axis
    return [x[(*lead, slice(a, b))] for a, b in zip([0, *edges], [*edges, n], strict=True)]
