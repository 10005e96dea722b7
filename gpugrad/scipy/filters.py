"""Linear filters of images: sums of products of windows. Gradients: the transposed filter of g. Modes and dtypes: see `images`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..arguments import as_tensors
from ..base import errors
from ..base.shapes import normalize_axis
from ..functions import hypot, tensordot
from ..tensor import Tensor
from .images import Axes, Modes, as_image, as_result, axes_of, dtype_between, one_each, windows_of


def _weighted(
    x: Tensor, weights: Any, axes: Sequence[int], mode: Modes, cval: float, origin: Any, turned: bool
) -> Tensor:
    x, w = as_tensors(x, weights)
    w = w if w.dtype == x.dtype else w.astype(x.dtype)
    if w.ndim != len(axes):
        raise errors.bad_shape("weights", f"have {w.ndim} axes, but the filter runs over {len(axes)}.")
    if turned:
        w = w[(slice(None, None, -1),) * w.ndim]
    wide = windows_of(x, w.shape, axes, mode, cval, origin, turned)
    n = len(axes)
    return tensordot(wide, w, axes=(list(range(x.ndim, x.ndim + n)), list(range(n))))


def correlate(
    input: Any,
    weights: Any,
    output: Any = None,
    mode: Modes = "reflect",
    cval: float = 0.0,
    origin: Any = 0,
    *,
    axes: Axes = None,
) -> Tensor:
    """Correlation with weights: y[i] = sum over k of weights[k] x[i + k - shape // 2].

    >>> from gpugrad.scipy import ndimage
    >>> ndimage.correlate([1.0, 2.0, 4.0], [1.0, 0.0, -1.0])
    tensor([-1., -3., -2.], device='cpu')
    """
    x, dtype = as_image(input)
    return as_result(_weighted(x, weights, axes_of(x, axes), mode, cval, origin, False), dtype, output)


def convolve(
    input: Any,
    weights: Any,
    output: Any = None,
    mode: Modes = "reflect",
    cval: float = 0.0,
    origin: Any = 0,
    *,
    axes: Axes = None,
) -> Tensor:
    """Convolution with weights: y[i] = sum over k of weights[k] x[i - k + shape // 2].

    >>> from gpugrad.scipy import ndimage
    >>> ndimage.convolve([1.0, 2.0, 4.0], [1.0, 0.0, -1.0])
    tensor([1., 3., 2.], device='cpu')
    """
    x, dtype = as_image(input)
    return as_result(_weighted(x, weights, axes_of(x, axes), mode, cval, origin, True), dtype, output)


def correlate1d(
    input: Any,
    weights: Any,
    axis: int = -1,
    output: Any = None,
    mode: str = "reflect",
    cval: float = 0.0,
    origin: int = 0,
) -> Tensor:
    """`correlate` along one axis.

    >>> from gpugrad.scipy import ndimage
    >>> ndimage.correlate1d([[1.0, 2.0, 4.0]], [0.0, 0.0, 1.0])
    tensor([[2., 4., 4.]], device='cpu')
    """
    return correlate(input, weights, output, mode, cval, origin, axes=axis)


def convolve1d(
    input: Any,
    weights: Any,
    axis: int = -1,
    output: Any = None,
    mode: str = "reflect",
    cval: float = 0.0,
    origin: int = 0,
) -> Tensor:
    """`convolve` along one axis.

    >>> from gpugrad.scipy import ndimage
    >>> ndimage.convolve1d([[1.0, 2.0, 4.0]], [0.0, 0.0, 1.0])
    tensor([[1., 1., 2.]], device='cpu')
    """
    return convolve(input, weights, output, mode, cval, origin, axes=axis)


# ------------------------------------------------------------------------------------------------------ smoothing


def _gaussian(sigma: float, order: int, radius: int) -> Any:
    """The weights of a Gaussian, or of its derivative of some order: it times a polynomial that each derivative multiplies and derives."""
    if order < 0:
        raise errors.bad_value("order", f"must not be negative: {order}.")
    x = np.arange(-radius, radius + 1)
    bell = np.exp(-0.5 * (x / sigma) ** 2) if sigma > 0 else (x == 0).astype(float)
    bell /= bell.sum()
    polynomial = np.polynomial.Polynomial([1.0])
    for _ in range(order):
        polynomial = polynomial.deriv() - polynomial * np.polynomial.Polynomial([0.0, 1 / sigma**2])
    return polynomial(x) * bell


def gaussian_filter1d(
    input: Any, sigma: float, axis: int = -1, order: int = 0, output: Any = None, mode: str = "reflect", cval: float = 0.0,
    truncate: float = 4.0, *, radius: int | None = None,
) -> Tensor:  # fmt: skip
    """Convolution with a Gaussian along an axis, or with its derivative of some order. sigma: its standard deviation, in elements.

    The weights are cut off at truncate standard deviations, or at a radius.

    >>> from gpugrad.scipy import ndimage
    >>> ndimage.gaussian_filter1d([0.0, 0.0, 1.0, 0.0, 0.0], 0.5).round(6)
    tensor([2.64000e-04, 1.06451e-01, 7.86571e-01, 1.06451e-01, 2.64000e-04], device='cpu')
    """
    reach = int(truncate * float(sigma) + 0.5) if radius is None else radius
    if int(reach) != reach or reach < 0:
        raise errors.bad_value("radius", f"must be a whole number that is not negative, not {radius!r}.")
    return correlate1d(input, _gaussian(float(sigma), order, int(reach))[::-1], axis, output, mode, cval)


def gaussian_filter(
    input: Any, sigma: Any, order: Any = 0, output: Any = None, mode: Modes = "reflect", cval: float = 0.0, truncate: float = 4.0, *,
    radius: Any = None, axes: Axes = None,
) -> Tensor:  # fmt: skip
    """`gaussian_filter1d` along all axes, or those named. sigma, order, mode, radius: one, or one for each axis.

    >>> from gpugrad.scipy import ndimage
    >>> ndimage.gaussian_filter([[0.0, 1.0], [0.0, 1.0]], 1.0).sum(axis=1)
    tensor([1., 1.], device='cpu')
    """
    x, dtype = as_image(input)
    over = axes_of(x, axes)
    each = zip(
        over, one_each(sigma, len(over), "sigma"), one_each(order, len(over), "order"), one_each(mode, len(over), "mode"),
        one_each(radius, len(over), "radius"), strict=True,
    )  # fmt: skip
    for axis, s, n, m, r in each:
        if s > 1e-15:
            x = as_result(
                gaussian_filter1d(x, s, axis, n, None, m, cval, truncate, radius=r), *dtype_between(dtype, output)
            )
    return as_result(x, dtype, output)


def uniform_filter1d(
    input: Any, size: int, axis: int = -1, output: Any = None, mode: str = "reflect", cval: float = 0.0, origin: int = 0
) -> Tensor:
    """The mean of a window along an axis.

    >>> from gpugrad.scipy import ndimage
    >>> ndimage.uniform_filter1d([3.0, 0.0, 6.0], 3)
    tensor([2., 3., 4.], device='cpu')
    """
    if size < 1:
        raise errors.bad_value("size", f"must be at least 1: {size}.")
    x, dtype = as_image(input)
    return as_result(correlate1d(x, np.ones(int(size)), axis, None, mode, cval, origin) / int(size), dtype, output)


def uniform_filter(
    input: Any,
    size: Any = 3,
    output: Any = None,
    mode: Modes = "reflect",
    cval: float = 0.0,
    origin: Any = 0,
    *,
    axes: Axes = None,
) -> Tensor:
    """The mean of a window around each element.

    >>> from gpugrad.scipy import ndimage
    >>> ndimage.uniform_filter([[0.0, 9.0], [0.0, 0.0]], 2)
    tensor([[0.  , 4.5 ],
            [0.  , 2.25]], device='cpu')
    """
    x, dtype = as_image(input)
    over = axes_of(x, axes)
    each = zip(
        over,
        one_each(size, len(over), "size"),
        one_each(mode, len(over), "mode"),
        one_each(origin, len(over), "origin"),
        strict=True,
    )
    for axis, n, m, shift in each:
        if n > 1:
            x = as_result(uniform_filter1d(x, n, axis, None, m, cval, shift), *dtype_between(dtype, output))
    return as_result(x, dtype, output)


# ---------------------------------------------------------------------------------------------------- derivatives


def _differences(input: Any, axis: int, output: Any, mode: Modes, cval: float, across: Sequence[float]) -> Tensor:
    x, dtype = as_image(input)
    axis = normalize_axis("axis", axis, x.ndim)
    modes = one_each(mode, x.ndim, "mode")
    y = correlate1d(x, [-1, 0, 1], axis, None, modes[axis], cval)
    for other in range(x.ndim):
        if other != axis:
            y = correlate1d(y, across, other, None, modes[other], cval)
    return as_result(y, dtype, output)


def prewitt(input: Any, axis: int = -1, output: Any = None, mode: Modes = "reflect", cval: float = 0.0) -> Tensor:
    """Differences along an axis, summed over three neighbours across it.

    >>> from gpugrad.scipy import ndimage
    >>> ndimage.prewitt([[0.0, 1.0, 4.0]])
    tensor([[ 3., 12.,  9.]], device='cpu')
    """
    return _differences(input, axis, output, mode, cval, [1, 1, 1])


def sobel(input: Any, axis: int = -1, output: Any = None, mode: Modes = "reflect", cval: float = 0.0) -> Tensor:
    """Differences along an axis, summed over neighbours across it with the weights 1, 2, 1.

    >>> from gpugrad.scipy import ndimage
    >>> ndimage.sobel([[0.0, 1.0, 4.0]])
    tensor([[ 4., 16., 12.]], device='cpu')
    """
    return _differences(input, axis, output, mode, cval, [1, 2, 1])


def _summed(
    input: Any, along: Callable[[Tensor, int, str], Tensor], output: Any, mode: Modes, axes: Axes, root: bool = False
) -> Tensor:
    """The sum over axes of what a filter gives along each, or the length of the vector of them."""
    x, dtype = as_image(input)
    over = axes_of(x, axes)
    if not over:
        return as_result(x.copy(), dtype, output)
    parts = [along(x, axis, m) for axis, m in zip(over, one_each(mode, len(over), "mode"), strict=True)]
    total = parts[0] if not root else abs(parts[0])
    for part in parts[1:]:
        total = hypot(total, part) if root else total + part
    return as_result(total, dtype, output)


def laplace(input: Any, output: Any = None, mode: Modes = "reflect", cval: float = 0.0, *, axes: Axes = None) -> Tensor:
    """The sum of the second differences along all axes.

    >>> from gpugrad.scipy import ndimage
    >>> ndimage.laplace([0.0, 1.0, 4.0])
    tensor([ 1.,  2., -3.], device='cpu')
    """
    return _summed(input, lambda x, axis, m: correlate1d(x, [1, -2, 1], axis, None, m, cval), output, mode, axes)


def gaussian_laplace(
    input: Any,
    sigma: Any,
    output: Any = None,
    mode: Modes = "reflect",
    cval: float = 0.0,
    *,
    axes: Axes = None,
    **kwargs: Any,
) -> Tensor:
    """The sum of the second derivatives along all axes, after smoothing by a Gaussian.

    >>> from gpugrad.scipy import ndimage
    >>> abs(ndimage.gaussian_laplace([1.0, 1.0, 1.0], 1.0)).max() < 1e-3
    tensor(True, device='cpu')
    """

    def along(x: Tensor, axis: int, m: str) -> Tensor:
        over = axes_of(x, axes)
        order = [2 if a == axis else 0 for a in over]
        return gaussian_filter(x, sigma, order, None, m, cval, axes=over, **kwargs)

    return _summed(input, along, output, mode, axes)


def gaussian_gradient_magnitude(
    input: Any,
    sigma: Any,
    output: Any = None,
    mode: Modes = "reflect",
    cval: float = 0.0,
    *,
    axes: Axes = None,
    **kwargs: Any,
) -> Tensor:
    """The length of the vector of the first derivatives, after smoothing by a Gaussian. Its derivative is 0 where that length is.

    >>> from gpugrad.scipy import ndimage
    >>> ndimage.gaussian_gradient_magnitude([0.0, 0.0, 0.0], 1.0)
    tensor([0., 0., 0.], device='cpu')
    """

    def along(x: Tensor, axis: int, m: str) -> Tensor:
        over = axes_of(x, axes)
        order = [1 if a == axis else 0 for a in over]
        return gaussian_filter(x, sigma, order, None, m, cval, axes=over, **kwargs)

    return _summed(input, along, output, mode, axes, root=True)
