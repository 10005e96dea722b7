"""Grey-scale morphology: extremes of windows, to whose elements a structure is added.

size, footprint: the window, or which of its elements take part; structure: what is added to them, whose shape is the window's then.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..base import errors
from ..functions import max, min
from ..tensor import Tensor
from .images import Axes, Modes, as_image, as_result, axes_of, one_each
from .ranks import as_footprint, chosen


def _window(x: Tensor, size: Any, footprint: Any, structure: Any, axes: Axes) -> tuple[Any, Any]:
    """The elements that take part, and what is added to them."""
    count = len(axes_of(x, axes))
    if structure is None:
        return as_footprint(size, footprint, count), None
    added = np.asarray(structure, float)
    shape = np.ones(added.shape, bool) if footprint is None else as_footprint(None, footprint, count)
    if added.shape != shape.shape or added.ndim != count:
        raise errors.bad_shape(
            "structure", f"of shape {added.shape} does not fit a window of shape {shape.shape} over {count} axes."
        )
    return shape, added


def grey_erosion(
    input: Any, size: Any = None, footprint: Any = None, structure: Any = None, output: Any = None, mode: Modes = "reflect",
    cval: float = 0.0, origin: Any = 0, *, axes: Axes = None,
) -> Tensor:  # fmt: skip
    """The smallest element of each window, less its structure.

    >>> from gpugrad.scipy import ndimage
    >>> ndimage.grey_erosion([1.0, 5.0, 2.0, 0.0], 3)
    tensor([1., 1., 0., 0.], device='cpu')
    """
    x, dtype = as_image(input)
    shape, added = _window(x, size, footprint, structure, axes)
    less = None if added is None else -added
    return as_result(chosen(x, None, shape, None, mode, cval, origin, axes, lambda w: min(w, -1), less), dtype, output)


def grey_dilation(
    input: Any, size: Any = None, footprint: Any = None, structure: Any = None, output: Any = None, mode: Modes = "reflect",
    cval: float = 0.0, origin: Any = 0, *, axes: Axes = None,
) -> Tensor:  # fmt: skip
    """The largest element of each window, mirrored, plus its structure.

    >>> from gpugrad.scipy import ndimage
    >>> ndimage.grey_dilation([1.0, 5.0, 2.0, 0.0], 3)
    tensor([5., 5., 5., 2.], device='cpu')
    """
    x, dtype = as_image(input)
    shape, added = _window(x, size, footprint, structure, axes)
    mirrored = (slice(None, None, -1),) * shape.ndim
    more = None if added is None else added[mirrored]
    shifts = [-o - (n % 2 == 0) for o, n in zip(one_each(origin, shape.ndim, "origin"), shape.shape, strict=True)]
    found = chosen(x, None, shape[mirrored], None, mode, cval, shifts, axes, lambda w: max(w, -1), more)
    return as_result(found, dtype, output)


def _of(x: Any, *filters: Any, arguments: tuple[Any, ...], axes: Axes) -> Tensor:
    for f in filters:
        size, footprint, structure, mode, cval, origin = arguments
        x = f(x, size, footprint, structure, None, mode, cval, origin, axes=axes)
    result: Tensor = x
    return result


def grey_opening(
    input: Any, size: Any = None, footprint: Any = None, structure: Any = None, output: Any = None, mode: Modes = "reflect",
    cval: float = 0.0, origin: Any = 0, *, axes: Axes = None,
) -> Tensor:  # fmt: skip
    """An erosion and then a dilation.

    >>> from gpugrad.scipy import ndimage
    >>> ndimage.grey_opening([1.0, 5.0, 2.0, 0.0], 2)
    tensor([1., 2., 2., 0.], device='cpu')
    """
    given = (size, footprint, structure, mode, cval, origin)
    x, dtype = as_image(input)
    return as_result(_of(x, grey_erosion, grey_dilation, arguments=given, axes=axes), dtype, output)


def grey_closing(
    input: Any, size: Any = None, footprint: Any = None, structure: Any = None, output: Any = None, mode: Modes = "reflect",
    cval: float = 0.0, origin: Any = 0, *, axes: Axes = None,
) -> Tensor:  # fmt: skip
    """A dilation and then an erosion.

    >>> from gpugrad.scipy import ndimage
    >>> ndimage.grey_closing([5.0, 1.0, 2.0, 0.0], 2)
    tensor([5., 2., 2., 0.], device='cpu')
    """
    given = (size, footprint, structure, mode, cval, origin)
    x, dtype = as_image(input)
    return as_result(_of(x, grey_dilation, grey_erosion, arguments=given, axes=axes), dtype, output)


def white_tophat(
    input: Any, size: Any = None, footprint: Any = None, structure: Any = None, output: Any = None, mode: Modes = "reflect",
    cval: float = 0.0, origin: Any = 0, *, axes: Axes = None,
) -> Tensor:  # fmt: skip
    """The image less its opening.

    >>> from gpugrad.scipy import ndimage
    >>> ndimage.white_tophat([1.0, 5.0, 2.0, 0.0], 2)
    tensor([0., 3., 0., 0.], device='cpu')
    """
    x, dtype = as_image(input)
    given = (size, footprint, structure, mode, cval, origin)
    return as_result(x - _of(x, grey_erosion, grey_dilation, arguments=given, axes=axes), dtype, output)


def black_tophat(
    input: Any, size: Any = None, footprint: Any = None, structure: Any = None, output: Any = None, mode: Modes = "reflect",
    cval: float = 0.0, origin: Any = 0, *, axes: Axes = None,
) -> Tensor:  # fmt: skip
    """The closing less the image.

    >>> from gpugrad.scipy import ndimage
    >>> ndimage.black_tophat([5.0, 1.0, 2.0, 0.0], 2)
    tensor([0., 1., 0., 0.], device='cpu')
    """
    x, dtype = as_image(input)
    given = (size, footprint, structure, mode, cval, origin)
    return as_result(_of(x, grey_dilation, grey_erosion, arguments=given, axes=axes) - x, dtype, output)


def morphological_gradient(
    input: Any, size: Any = None, footprint: Any = None, structure: Any = None, output: Any = None, mode: Modes = "reflect",
    cval: float = 0.0, origin: Any = 0, *, axes: Axes = None,
) -> Tensor:  # fmt: skip
    """The dilation less the erosion.

    >>> from gpugrad.scipy import ndimage
    >>> ndimage.morphological_gradient([1.0, 5.0, 2.0, 0.0], 3)
    tensor([4., 4., 5., 2.], device='cpu')
    """
    x, dtype = as_image(input)
    given = (size, footprint, structure, mode, cval, origin)
    difference = _of(x, grey_dilation, arguments=given, axes=axes) - _of(x, grey_erosion, arguments=given, axes=axes)
    return as_result(difference, dtype, output)


def morphological_laplace(
    input: Any, size: Any = None, footprint: Any = None, structure: Any = None, output: Any = None, mode: Modes = "reflect",
    cval: float = 0.0, origin: Any = 0, *, axes: Axes = None,
) -> Tensor:  # fmt: skip
    """The dilation plus the erosion, less twice the image.

    >>> from gpugrad.scipy import ndimage
    >>> ndimage.morphological_laplace([1.0, 5.0, 2.0, 0.0], 3)
    tensor([ 4., -4.,  1.,  2.], device='cpu')
    """
    x, dtype = as_image(input)
    given = (size, footprint, structure, mode, cval, origin)
    total = _of(x, grey_dilation, arguments=given, axes=axes) + _of(x, grey_erosion, arguments=given, axes=axes)
    return as_result(total - 2 * x, dtype, output)
