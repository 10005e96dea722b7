"""Filters of images of any number of axes: the first half of `gpugrad.scipy.ndimage`.

They are sums of products of windows, or order statistics of windows, with what lies beyond the edges made by `mode`:
"reflect" (d c b a | a b c d | d c b a), "constant" (k k k k | a b c d | k k k k, k being cval), "nearest" (a a a a | a b c d | d d d d),
"mirror" (d c b | a b c d | c b a), "wrap" (a b c d | a b c d | a b c d), or a list of these, one per axis.

Gradients: of linear filters the transposed filter of g; of maximum, minimum and rank filters g goes to the elements that were chosen, and ties of
extremes share it. Floats keep their dtype; integers are computed in float64 and given back as integers, which have no gradient.
`output` may be a dtype.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..arguments import as_tensors
from ..base import errors
from ..base.shapes import is_float, normalize_axis
from ..coerce import as_dtype
from ..functions import hypot, max, min, pad, sort, tensordot
from ..functions.windows import sliding_window_view
from ..tensor import Tensor

Axes = int | Sequence[int] | None
Modes = str | Sequence[str]

_PADS = {
    "reflect": "symmetric", "grid-mirror": "symmetric", "nearest": "edge", "mirror": "reflect", "wrap": "wrap", "grid-wrap": "wrap",
    "constant": "constant", "grid-constant": "constant",
}  # fmt: skip


def _image(input: Any) -> tuple[Tensor, Any]:
    """An image in the dtype that is computed in, and its own."""
    (x,) = as_tensors(input)
    return (x, x.dtype) if is_float(x.dtype) else (x.astype(np.float64), x.dtype)


def _dtype(dtype: Any, output: Any) -> Any:
    """The dtype of a result: that of the image, or the one that is asked for."""
    if isinstance(output, (Tensor, np.ndarray)):
        raise errors.bad_type(
            "output", "is a dtype here: the result is a new tensor. Write it with out[...] = f(image)."
        )
    return as_dtype(output) if output is not None else dtype


def _result(y: Tensor, dtype: Any, output: Any) -> Tensor:
    wanted = _dtype(dtype, output)
    return y if y.dtype == wanted else y.astype(wanted)


def _between(dtype: Any, output: Any) -> tuple[Any, Any]:
    """The dtype between two passes over an image: as SciPy's, of integers."""
    wanted = _dtype(dtype, output)
    return (np.dtype(np.float64) if is_float(wanted) and not is_float(dtype) else wanted), None


def _over(x: Tensor, axes: Axes) -> tuple[int, ...]:
    given = range(x.ndim) if axes is None else axes if isinstance(axes, Sequence) else (axes,)
    return tuple(normalize_axis("axes", a, x.ndim) for a in given)


def _each(given: Any, count: int, name: str) -> list[Any]:
    """One value per axis: that of a sequence, or the same for all."""
    if isinstance(given, (str, int, float)) or not np.ndim(given):
        return [given] * count
    values = list(given)
    if len(values) != count:
        raise errors.bad_value(name, f"{len(values)} values for {count} axes: give one, or one for each.")
    return values


def _extended(
    x: Tensor, widths: Sequence[tuple[int, int]], axes: Sequence[int], modes: Sequence[str], cval: float
) -> Tensor:
    """An image with what lies beyond its edges."""
    for axis, (before, after), mode in zip(axes, widths, modes, strict=True):
        if mode not in _PADS:
            raise errors.bad_value("mode", f"must be one of {sorted(_PADS)}, not {mode!r}.")
        each = [(0, 0)] * x.ndim
        each[axis] = (before, after)
        if before or after:
            x = pad(x, each, _PADS[mode], cval) if _PADS[mode] == "constant" else pad(x, each, _PADS[mode])
    return x


def _windows(
    x: Tensor, sizes: Sequence[int], axes: Sequence[int], mode: Modes, cval: float, origin: Any, turned: bool = False
) -> Tensor:
    """The window around each element. turned: of a convolution, where the origin counts the other way and even sizes lean to the right."""
    origins = _each(origin, len(axes), "origin")
    widths = []
    for size, shift in zip(sizes, origins, strict=True):
        before = size // 2 + shift
        if turned:
            before = size - 1 - size // 2 - shift
        if not 0 <= before < size:
            raise errors.bad_value("origin", f"{shift} is outside of a window of {size}.")
        widths.append((before, size - 1 - before))
    wide = _extended(x, widths, axes, _each(mode, len(axes), "mode"), cval)
    return sliding_window_view(wide, tuple(sizes), tuple(axes))


def _weighted(
    x: Tensor, weights: Any, axes: Sequence[int], mode: Modes, cval: float, origin: Any, turned: bool
) -> Tensor:
    x, w = as_tensors(x, weights)
    w = w if w.dtype == x.dtype else w.astype(x.dtype)
    if w.ndim != len(axes):
        raise errors.bad_shape("weights", f"have {w.ndim} axes, but the filter runs over {len(axes)}.")
    if turned:
        w = w[(slice(None, None, -1),) * w.ndim]
    wide = _windows(x, w.shape, axes, mode, cval, origin, turned)
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
    x, dtype = _image(input)
    return _result(_weighted(x, weights, _over(x, axes), mode, cval, origin, False), dtype, output)


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
    x, dtype = _image(input)
    return _result(_weighted(x, weights, _over(x, axes), mode, cval, origin, True), dtype, output)


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
    x, dtype = _image(input)
    over = _over(x, axes)
    each = zip(
        over, _each(sigma, len(over), "sigma"), _each(order, len(over), "order"), _each(mode, len(over), "mode"),
        _each(radius, len(over), "radius"), strict=True,
    )  # fmt: skip
    for axis, s, n, m, r in each:
        if s > 1e-15:
            x = _result(gaussian_filter1d(x, s, axis, n, None, m, cval, truncate, radius=r), *_between(dtype, output))
    return _result(x, dtype, output)


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
    x, dtype = _image(input)
    return _result(correlate1d(x, np.ones(int(size)), axis, None, mode, cval, origin) / int(size), dtype, output)


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
    x, dtype = _image(input)
    over = _over(x, axes)
    each = zip(
        over,
        _each(size, len(over), "size"),
        _each(mode, len(over), "mode"),
        _each(origin, len(over), "origin"),
        strict=True,
    )
    for axis, n, m, shift in each:
        if n > 1:
            x = _result(uniform_filter1d(x, n, axis, None, m, cval, shift), *_between(dtype, output))
    return _result(x, dtype, output)


# ---------------------------------------------------------------------------------------------------- derivatives


def _differences(input: Any, axis: int, output: Any, mode: Modes, cval: float, across: Sequence[float]) -> Tensor:
    x, dtype = _image(input)
    axis = normalize_axis("axis", axis, x.ndim)
    modes = _each(mode, x.ndim, "mode")
    y = correlate1d(x, [-1, 0, 1], axis, None, modes[axis], cval)
    for other in range(x.ndim):
        if other != axis:
            y = correlate1d(y, across, other, None, modes[other], cval)
    return _result(y, dtype, output)


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
    x, dtype = _image(input)
    over = _over(x, axes)
    if not over:
        return _result(x.copy(), dtype, output)
    parts = [along(x, axis, m) for axis, m in zip(over, _each(mode, len(over), "mode"), strict=True)]
    total = parts[0] if not root else abs(parts[0])
    for part in parts[1:]:
        total = hypot(total, part) if root else total + part
    return _result(total, dtype, output)


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
        over = _over(x, axes)
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
        over = _over(x, axes)
        order = [1 if a == axis else 0 for a in over]
        return gaussian_filter(x, sigma, order, None, m, cval, axes=over, **kwargs)

    return _summed(input, along, output, mode, axes, root=True)


# ------------------------------------------------------------------------------------------------ order statistics


def _footprint(size: Any, footprint: Any, count: int) -> Any:
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
    return np.ones(tuple(int(n) for n in _each(size, count, "size")), bool)


def _chosen(
    input: Any, size: Any, footprint: Any, output: Any, mode: Modes, cval: float, origin: Any, axes: Axes,
    choose: Callable[[Tensor], Tensor], structure: Any = None,
) -> Tensor:  # fmt: skip
    """What is chosen of the elements of each window that take part. structure: added to them before."""
    x, dtype = _image(input)
    over = _over(x, axes)
    shape = _footprint(size, footprint, len(over))
    wide = _windows(x, shape.shape, over, mode, cval, origin)
    members = wide.reshape((*x.shape, shape.size))
    if structure is not None:
        members = members + np.asarray(structure, x.dtype).reshape(-1)
    if not shape.all():
        members = members[..., np.flatnonzero(shape.reshape(-1))]
    return _result(choose(members), dtype, output)


def maximum_filter(
    input: Any, size: Any = None, footprint: Any = None, output: Any = None, mode: Modes = "reflect", cval: float = 0.0, origin: Any = 0,
    *, axes: Axes = None,
) -> Tensor:  # fmt: skip
    """The largest element of each window.

    >>> from gpugrad.scipy import ndimage
    >>> ndimage.maximum_filter([1.0, 5.0, 2.0, 0.0], 3)
    tensor([5., 5., 5., 2.], device='cpu')
    """
    return _chosen(input, size, footprint, output, mode, cval, origin, axes, lambda w: max(w, -1))


def minimum_filter(
    input: Any, size: Any = None, footprint: Any = None, output: Any = None, mode: Modes = "reflect", cval: float = 0.0, origin: Any = 0,
    *, axes: Axes = None,
) -> Tensor:  # fmt: skip
    """The smallest element of each window.

    >>> from gpugrad.scipy import ndimage
    >>> ndimage.minimum_filter([1.0, 5.0, 2.0, 0.0], 3)
    tensor([1., 1., 0., 0.], device='cpu')
    """
    return _chosen(input, size, footprint, output, mode, cval, origin, axes, lambda w: min(w, -1))


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

    return _chosen(input, size, footprint, output, mode, cval, origin, axes, choose)


def median_filter(
    input: Any, size: Any = None, footprint: Any = None, output: Any = None, mode: Modes = "reflect", cval: float = 0.0, origin: Any = 0,
    *, axes: Axes = None,
) -> Tensor:  # fmt: skip
    """The element of each window that half of the others are below.

    >>> from gpugrad.scipy import ndimage
    >>> ndimage.median_filter([1.0, 5.0, 2.0, 0.0], 3)
    tensor([1., 2., 2., 0.], device='cpu')
    """
    return _chosen(input, size, footprint, output, mode, cval, origin, axes, lambda w: sort(w)[..., w.shape[-1] // 2])


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

    return _chosen(input, size, footprint, output, mode, cval, origin, axes, choose)
