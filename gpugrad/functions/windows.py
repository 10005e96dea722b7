"""Windows that slide over axes."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import protocols
from ..arguments import as_tensors
from ..base import errors
from ..base.shapes import Axis, normalize_axis
from ..ops import windows as rows
from ..tensor import Tensor
from .face import public


@public()
def sliding_window_view(
    x: Any, window_shape: int | tuple[int, ...], axis: Axis = None, subok: bool = False, writeable: bool = False
) -> Tensor:
    """All windows of a shape along axes, in new axes at the end: element [i, ..., k] is x[i + k, ...].

    axis: the axis of each size in window_shape, all axes in their order by default; an axis may be named twice.
    Gradient: those of the windows, added up where they overlap. It is `numpy.lib.stride_tricks.sliding_window_view`.
    Raises ShapeError for a window that is larger than its axis.

    >>> import gpugrad as gg
    >>> gg.sliding_window_view([1.0, 2.0, 3.0, 4.0], 3)
    tensor([[1., 2., 3.],
            [2., 3., 4.]], device='cpu')
    """
    (x,) = as_tensors(x)
    sizes = tuple(window_shape) if isinstance(window_shape, (tuple, list)) else (window_shape,)
    given = range(x.ndim) if axis is None else axis if isinstance(axis, (tuple, list)) else (axis,)
    axes = tuple(normalize_axis("sliding_window_view", a, x.ndim) for a in given)
    if len(axes) != len(sizes):
        raise errors.bad_shape("sliding_window_view", f"{len(sizes)} sizes for {len(axes)} axes: give one for each.")
    if writeable:
        raise errors.bad_value("sliding_window_view", "a view of a tensor is never written to: leave writeable out.")
    if len(set(axes)) < len(axes):  # one window after the other
        for size, one in zip(sizes, axes, strict=True):
            x = sliding_window_view(x, size, one)
        return x
    for size, one in zip(sizes, axes, strict=True):
        if not 0 <= size <= x.shape[one]:
            raise errors.bad_shape(
                "sliding_window_view", f"a window of {size} does not fit axis {one} of length {x.shape[one]}."
            )
    if 0 in sizes:
        shape = list(x.shape)
        for size, one in zip(sizes, axes, strict=True):
            shape[one] -= size - 1
        return x.reshape(-1)[:0].reshape((*shape, *sizes))
    result: Tensor = rows.windows(x, sizes=sizes, axes=axes)
    return result


protocols.FUNCTIONS[np.lib.stride_tricks.sliding_window_view] = sliding_window_view
