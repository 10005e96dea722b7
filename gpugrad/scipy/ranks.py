"""Filters of images that choose an element of each window: the greatest, the least, or one of a rank.

Gradients: g goes to the elements that were chosen, and ties of extremes share it. Modes and dtypes: see `images`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..base import errors
from ..functions import max, min, sort
from ..tensor import Tensor
from .images import Axes, Modes, as_image, as_result, axes_of, one_each, windows_of


def as_footprint(size: Any, footprint: Any, count: int) -> Any:
    """The elements of a window that take part."""
    if footprint is not None:
        shape = np.asarray(footprint).astype(bool)
        if shape.ndim != count or not shape.any():
            raise errors.bad_shape(
                "footprint", f"must have {count} axes and an element that takes part, not shape {shape.shape}."
            )
        return shape
    if size is None:
        raise errors.bad_value("size", "give the size of the window, or its footprint.")
    return np.ones(tuple(int(n) for n in one_each(size, count, "size")), bool)


def chosen(
    input: Any, size: Any, footprint: Any, output: Any, mode: Modes, cval: float, origin: Any, axes: Axes,
    choose: Callable[[Tensor], Tensor], structure: Any = None,
) -> Tensor:  # fmt: skip
    """What is chosen of the elements of each window that take part. structure: added to them before."""
    x, dtype = as_image(input)
    over = axes_of(x, axes)
    shape = as_footprint(size, footprint, len(over))
    wide = windows_of(x, shape.shape, over, mode, cval, origin)
    members = wide.reshape((*x.shape, shape.size))
    if structure is not None:
        members = members + np.asarray(structure, x.dtype).reshape(-1)
    if not shape.all():
        members = members[..., np.flatnonzero(shape.reshape(-1))]
    return as_result(choose(members), dtype, output)


def maximum_filter(
    input: Any, size: Any = None, footprint: Any = None, output: Any = None, mode: Modes = "reflect", cval: float = 0.0, origin: Any = 0,
    *, axes: Axes = None,
) -> Tensor:  # fmt: skip
    """The largest element of each window.

    >>> from gpugrad.scipy import ndimage
    >>> ndimage.maximum_filter([1.0, 5.0, 2.0, 0.0], 3)
    tensor([5., 5., 5., 2.], device='cpu')
    """
    return chosen(input, size, footprint, output, mode, cval, origin, axes, lambda w: max(w, -1))


def minimum_filter(
    input: Any, size: Any = None, footprint: Any = None, output: Any = None, mode: Modes = "reflect", cval: float = 0.0, origin: Any = 0,
    *, axes: Axes = None,
) -> Tensor:  # fmt: skip
    """The smallest element of each window.

    >>> from gpugrad.scipy import ndimage
    >>> ndimage.minimum_filter([1.0, 5.0, 2.0, 0.0], 3)
    tensor([1., 1., 0., 0.], device='cpu')
    """
    return chosen(input, size, footprint, output, mode, cval, origin, axes, lambda w: min(w, -1))


def maximum_filter1d(
    input: Any, size: int, axis: int = -1, output: Any = None, mode: str = "reflect", cval: float = 0.0, origin: int = 0
) -> Tensor:
    """`maximum_filter` along one axis.

    >>> from gpugrad.scipy import ndimage
    >>> ndimage.maximum_filter1d([[1.0, 5.0, 2.0, 0.0]], 3)
    tensor([[5., 5., 5., 2.]], device='cpu')
    """
    return maximum_filter(input, size, None, output, mode, cval, origin, axes=axis)


def minimum_filter1d(
    input: Any, size: int, axis: int = -1, output: Any = None, mode: str = "reflect", cval: float = 0.0, origin: int = 0
) -> Tensor:
    """`minimum_filter` along one axis.

    >>> from gpugrad.scipy import ndimage
    >>> ndimage.minimum_filter1d([[1.0, 5.0, 2.0, 0.0]], 3)
    tensor([[1., 1., 0., 0.]], device='cpu')
    """
    return minimum_filter(input, size, None, output, mode, cval, origin, axes=axis)


def rank_filter(
    input: Any, rank: int, size: Any = None, footprint: Any = None, output: Any = None, mode: Modes = "reflect", cval: float = 0.0,
    origin: Any = 0, *, axes: Axes = None,
) -> Tensor:  # fmt: skip
    """The element of each window that has a rank when they are sorted; a negative one counts from the largest.

    >>> from gpugrad.scipy import ndimage
    >>> ndimage.rank_filter([1.0, 5.0, 2.0, 0.0], 1, 3)
    tensor([1., 2., 2., 0.], device='cpu')
    """

    def choose(w: Tensor) -> Tensor:
        n = w.shape[-1]
        if not -n <= rank < n:
            raise errors.bad_value("rank", f"{rank} is not among the {n} elements of a window.")
        return sort(w)[..., rank]

    return chosen(input, size, footprint, output, mode, cval, origin, axes, choose)


def median_filter(
    input: Any, size: Any = None, footprint: Any = None, output: Any = None, mode: Modes = "reflect", cval: float = 0.0, origin: Any = 0,
    *, axes: Axes = None,
) -> Tensor:  # fmt: skip
    """The element of each window that half of the others are below.

    >>> from gpugrad.scipy import ndimage
    >>> ndimage.median_filter([1.0, 5.0, 2.0, 0.0], 3)
    tensor([1., 2., 2., 0.], device='cpu')
    """
    return chosen(input, size, footprint, output, mode, cval, origin, axes, lambda w: sort(w)[..., w.shape[-1] // 2])


def percentile_filter(
    input: Any, percentile: float, size: Any = None, footprint: Any = None, output: Any = None, mode: Modes = "reflect", cval: float = 0.0,
    origin: Any = 0, *, axes: Axes = None,
) -> Tensor:  # fmt: skip
    """The element of each window below which a percentage of the others is; a negative one counts from 100.

    >>> from gpugrad.scipy import ndimage
    >>> ndimage.percentile_filter([1.0, 5.0, 2.0, 0.0], 100, 3)
    tensor([5., 5., 5., 2.], device='cpu')
    """
    share = percentile + 100 if percentile < 0 else percentile
    if not 0 <= share <= 100:
        raise errors.bad_value("percentile", f"{percentile} is not between -100 and 100.")

    def choose(w: Tensor) -> Tensor:
        n = w.shape[-1]
        return sort(w)[..., n - 1 if share == 100 else int(n * share / 100)]

    return chosen(input, size, footprint, output, mode, cval, origin, axes, choose)
