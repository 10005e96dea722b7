"""Broadcasting, axes and promotion: pure functions on tuples and dtypes. Knows no array and no device."""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from . import errors
from .dtypes import DType as DType
from .dtypes import is_16_bit as is_16_bit
from .dtypes import is_float as is_float

Shape = tuple[int, ...]
Axis = int | Sequence[int] | None

# Small programs ask the same few questions again and again, so the answers are kept.
_kept = functools.lru_cache(maxsize=4096)
_broadcast = _kept(np.broadcast_shapes)


def broadcast(op: str, *shapes: Shape) -> Shape:
    """The shape that `shapes` broadcast to, by NumPy's rule; ShapeError naming `op` where there is none."""
    try:
        return _broadcast(*shapes)
    except ValueError:
        raise errors.no_broadcast(op, shapes) from None


@_kept
def summed_axes(small: Shape, large: Shape) -> tuple[int, ...]:
    """The axes of `large` along which an array of shape `small` was repeated to broadcast to it."""
    lead = len(large) - len(small)
    return tuple(range(lead)) + tuple(
        lead + i for i, (s, n) in enumerate(zip(small, large[lead:], strict=True)) if s == 1 and n != 1
    )


def normalize_axes(op: str, axis: Axis, ndim: int) -> tuple[int, ...]:
    """`axis` as a sorted tuple of non-negative axes; None means all of them."""
    if axis is None:
        return tuple(range(ndim))
    given = tuple(axis) if isinstance(axis, (tuple, list)) else (axis,)
    axes = tuple(normalize_axis(op, a, ndim) for a in given)
    if len(set(axes)) != len(axes):
        raise errors.ShapeError(f"{op}: an axis appears twice in {given}; name each axis once.")
    return tuple(sorted(axes))


def normalize_axis(op: str, axis: Any, ndim: int) -> int:
    """One axis as a non-negative int."""
    try:
        i = axis.__index__()
    except AttributeError:
        raise errors.bad_type(op, f"an axis must be an integer, not {type(axis).__name__!r}.") from None
    if not -ndim <= i < ndim:
        raise errors.AxisError(
            f"{op}: axis {axis} is out of range for a tensor with {ndim} axes (allowed: {-ndim} to {ndim - 1})."
        )
    return int(i % ndim)


@_kept
def reduced(shape: Shape, axes: tuple[int, ...], keepdims: bool) -> Shape:
    """The shape left after reducing `axes`."""
    gone = set(axes)
    if keepdims:
        return tuple(1 if i in gone else n for i, n in enumerate(shape))
    return tuple(n for i, n in enumerate(shape) if i not in gone)


LONGEST = 65536  # elements of a row: more do not stay in the cache of a core
SCATTERED = 1024  # elements of an extent whose rows do not lie along its last axis: those of larger ones are walked with too wide steps


class Rows(NamedTuple):
    """The rows of an extent: its elements along some axes. kept: the shape of one number for each row, squeezed: without those axes.

    long: a region ends where they are summed.
    """

    extent: Shape
    axes: tuple[int, ...]
    kept: Shape
    squeezed: Shape
    long: bool

    def aligned(self, shape: Shape) -> bool:
        """Whether numbers of this shape, one for each row, broadcast to the extent as they should."""
        return (1,) * (len(self.extent) - len(shape)) + shape == self.kept

    def opened(self, shape: Shape, like: Shape) -> Shape:
        """The shape of an array that broadcasts to row values of the shape `like`, kept or squeezed, as it broadcasts to the kept one."""
        if len(like) == len(self.extent):
            return shape
        rest = iter((1,) * (len(like) - len(shape)) + shape)
        return tuple([1 if a in self.axes else next(rest) for a in range(len(self.extent))])


@_kept
def rows_of(extent: Shape, axes: tuple[int, ...]) -> Rows:
    """The rows that lie along some axes of an extent.

    A region may go on after they are reduced if they are short, and lie together in memory. That is a matter of the shape alone: the same
    sum is made in the same order, whatever is computed together with it.
    """
    length, size = math.prod([extent[a] for a in axes]), math.prod(extent)
    short = 2 <= length <= LONGEST and size > 0
    if short and size > SCATTERED:
        short = max(a for a, n in enumerate(extent) if n > 1) in axes
    return Rows(extent, axes, reduced(extent, axes, True), reduced(extent, axes, False), not short)


def as_index(op: str, name: str, given: Any) -> int:
    """An argument that must be an integer."""
    try:
        return operator.index(given)
    except TypeError:
        raise errors.bad_type(op, f"{name} must be an integer, not {given!r}.") from None


def as_shape(op: str, shape: Any) -> Shape:
    """A user's shape argument (an int or a sequence of ints) as a tuple."""
    try:
        if hasattr(shape, "__index__") and not getattr(shape, "ndim", 0):  # arrays have it, too
            return (int(shape.__index__()),)
        return tuple(int(n.__index__()) for n in shape)
    except (TypeError, AttributeError):
        raise errors.bad_type(op, f"a shape must be an integer or a sequence of integers, not {shape!r}.") from None


def reshape_target(size: int, shape: Shape) -> Shape:
    """`shape` with one -1 worked out from `size`."""
    known = math.prod(n for n in shape if n != -1)
    unknown = shape.count(-1)
    if unknown == 1 and known and size % known == 0:
        return tuple(size // known if n == -1 else n for n in shape)
    if unknown or known != size or any(n < -1 for n in shape):
        raise errors.bad_shape("reshape", f"{size} elements cannot be arranged as {shape}.")
    return shape
