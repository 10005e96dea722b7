"""Rows of structural ops on windows that slide over axes: what filters, convolutions and pooling are made of."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from ..base.dtypes import computed
from ..base.shapes import Shape
from .structural import structural


@structural(moves=True)
def windows(xp, x, *, sizes, axes):
    "All windows of these sizes along these axes, in new axes at the end: a view of x, not a copy."
    return xp.lib.stride_tricks.sliding_window_view(x, sizes, axes)


@windows.vjp
def _windows(g, call, into, *, sizes, axes):
    into[0].add(overlap(g, shape=call.shapes[0], sizes=sizes, axes=axes))


def places(shape: Shape, sizes: Shape, axes: tuple[int, ...]) -> Iterator[tuple[tuple[slice, ...], tuple[int, ...]]]:
    """Where each element of the windows lies in an array of this shape: a slice, and its place in the window."""
    for offsets in itertools.product(*map(range, sizes)):
        index = [slice(None)] * len(shape)
        for axis, offset, size in zip(axes, offsets, sizes, strict=True):
            index[axis] = slice(offset, offset + shape[axis] - size + 1)
        yield tuple(index), offsets


@structural(moves=True, computes=True)
def overlap(xp, w, *, shape, sizes, axes):
    "The transpose of `windows`: an array of this shape in which the windows are added up where they lie; logical or for booleans."
    wide = w.dtype if w.dtype.kind == "b" else computed(w.dtype)
    total = xp.zeros(shape, wide)
    for index, offsets in places(shape, sizes, axes):
        part = w[(Ellipsis, *offsets)]
        if wide.kind == "b":
            total[index] |= part
        else:
            total[index] += part
    return total.astype(w.dtype, copy=False)


@overlap.vjp
def _overlap(g, call, into, *, shape, sizes, axes):
    into[0].add(windows(g, sizes=sizes, axes=axes))
