"""Sliding windows on a GPU: a view, and its transpose by kernels of this library instead of CuPy's."""

from __future__ import annotations

from typing import Any

from ...base.dtypes import BOOL, INT64, computed
from ...base.shapes import Shape
from ...ops.windows import places
from .structural import TABLE


def windows(backend: Any, x: Any, *, sizes: Shape, axes: tuple[int, ...]) -> Any:
    shape = list(x.shape)
    for axis, size in zip(axes, sizes, strict=True):
        shape[axis] -= size - 1
    return backend.xp.lib.stride_tricks.as_strided(
        x, (*shape, *sizes), (*x.strides, *(x.strides[axis] for axis in axes))
    )


def overlap(backend: Any, w: Any, *, shape: Shape, sizes: Shape, axes: tuple[int, ...]) -> Any:
    wide = INT64 if w.dtype == BOOL else computed(w.dtype)
    total = backend.full(shape, 0, wide)
    w = backend.cast(w, wide)
    for index, offsets in places(shape, sizes, axes):
        backend.accumulate(total[index], w[(Ellipsis, *offsets)])
    return backend.cast(total, w.dtype)


TABLE |= {"windows": windows, "overlap": overlap}
