"""Convolution and correlation, with the names and arguments of `scipy.signal`. They are computed directly, as sums of products of windows.

In HIPS autograd's manner `convolve` also takes `axes` and `dot_axes`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..arguments import as_tensors
from ..base import errors
from ..functions import flip, pad, tensordot, transpose
from ..functions.windows import sliding_window_view
from ..tensor import Tensor

__all__ = ["convolve", "convolve2d", "correlate", "correlate2d", "fftconvolve", "oaconvolve"]

_MODES = ("full", "valid", "same")


def convolve(
    in1: Any,
    in2: Any,
    mode: str = "full",
    method: str = "auto",
    *,
    axes: Sequence[Sequence[int]] | None = None,
    dot_axes: Sequence[Sequence[int]] = ((), ()),
) -> Tensor:
    """Convolution of two arrays with the same number of axes: y[k] = sum over i of in1[i] in2[k - i].

    mode: "full" with all places where they meet, "valid" where the smaller lies wholly inside the larger, "same" with the shape of in1.
    method: how SciPy is to compute it; here it makes no difference.
    axes: a pair of lists, the axes of in1 and of in2 to convolve over; dot_axes: a pair of lists of axes to sum products over. The other axes
    are kept, first those of in1, then those of in2, then what was convolved.
    Gradient: of in1 the correlation of g with in2, and the other way round.
    Raises ShapeError for different numbers of axes, and where neither lies inside the other under "valid".

    >>> from gpugrad.scipy.signal import convolve
    >>> convolve([1.0, 2.0, 3.0], [1.0, 10.0])
    tensor([ 1., 12., 23., 30.], device='cpu')
    """
    a, b = as_tensors(in1, in2)
    if mode not in _MODES:
        raise errors.bad_value("convolve", f"mode must be one of {_MODES}, not {mode!r}.")
    if axes is None:
        if a.ndim != b.ndim:
            raise errors.bad_shape("convolve", f"needs as many axes on both sides, not shapes {a.shape} and {b.shape}.")
        axes = (range(a.ndim), range(b.ndim))
    over_a, over_b = ([n % t.ndim for n in over] for t, over in zip((a, b), axes, strict=True))
    dot_a, dot_b = ([n % t.ndim for n in over] for t, over in zip((a, b), dot_axes, strict=True))
    if len(over_a) != len(over_b) or len(dot_a) != len(dot_b):
        raise errors.bad_shape("convolve", "axes and dot_axes must name as many axes of in1 as of in2.")
    if 0 in a.shape or 0 in b.shape:
        raise errors.bad_shape("convolve", f"an operand of shape {a.shape if 0 in a.shape else b.shape} is empty.")
    larger = [(a.shape[i], b.shape[j]) for i, j in zip(over_a, over_b, strict=True)]
    swapped = mode == "valid" and any(m < n for m, n in larger)
    if swapped and any(m > n for m, n in larger):
        raise errors.bad_shape(
            "convolve",
            f"with mode 'valid' one of the shapes {a.shape} and {b.shape} must fit into the other on every axis.",
        )
    kept_a = [n for n in range(a.ndim) if n not in over_a and n not in dot_a]
    kept_b = [n for n in range(b.ndim) if n not in over_b and n not in dot_b]
    if swapped:
        found = convolve(b, a, mode, axes=(over_b, over_a), dot_axes=(dot_b, dot_a))
        order = (
            *range(len(kept_b), len(kept_a) + len(kept_b)),
            *range(len(kept_b)),
            *range(len(kept_a) + len(kept_b), found.ndim),
        )
        return transpose(found, order)
    widths = [(0, 0)] * a.ndim
    for i, j in zip(over_a, over_b, strict=True):
        n = b.shape[j] - 1
        widths[i] = (0, 0) if mode == "valid" else (n, n) if mode == "full" else (n - (n // 2), n // 2)
    wide = sliding_window_view(pad(a, widths), tuple(b.shape[j] for j in over_b), tuple(over_a))
    turned = flip(b, tuple(over_b)) if over_b else b
    windows = range(a.ndim, a.ndim + len(over_a))
    product = tensordot(wide, turned, axes=([*dot_a, *windows], [*dot_b, *over_b]))
    left = [n for n in range(a.ndim) if n not in dot_a]  # where the axes of in1 are now
    order = (
        *(left.index(n) for n in kept_a),
        *range(len(left), product.ndim),
        *(left.index(n) for n in over_a),
    )
    return transpose(product, order)


def correlate(in1: Any, in2: Any, mode: str = "full", method: str = "auto") -> Tensor:
    """Cross-correlation of two arrays with the same number of axes: y[k] = sum over i of in1[i + k] in2[i]. See `convolve`.

    >>> from gpugrad.scipy.signal import correlate
    >>> correlate([1.0, 2.0, 3.0], [1.0, 10.0])
    tensor([10., 21., 32.,  3.], device='cpu')
    """
    a, b = as_tensors(in1, in2)
    if a.ndim != b.ndim:
        raise errors.bad_shape("correlate", f"needs as many axes on both sides, not shapes {a.shape} and {b.shape}.")
    if mode == "valid" and any(m < n for m, n in zip(a.shape, b.shape, strict=True)):
        return flip(convolve(b, flip(a), mode))  # the smaller one slides
    return convolve(a, flip(b), mode)


def fftconvolve(in1: Any, in2: Any, mode: str = "full", axes: int | Sequence[int] | None = None) -> Tensor:
    """Convolution as of `convolve`, over axes that both have; the other axes broadcast. It is computed directly, not by FFT.

    >>> from gpugrad.scipy.signal import fftconvolve
    >>> fftconvolve([[1.0, 2.0], [0.0, 1.0]], [[1.0, 1.0]], axes=1)
    tensor([[1., 3., 2.],
            [0., 1., 1.]], device='cpu')
    """
    a, b = as_tensors(in1, in2)
    if axes is None:
        return convolve(a, b, mode)
    if a.ndim != b.ndim:
        raise errors.bad_shape("fftconvolve", f"needs as many axes on both sides, not shapes {a.shape} and {b.shape}.")
    over = tuple(n % a.ndim for n in ((axes,) if isinstance(axes, int) else axes))
    rest = [n for n in range(a.ndim) if n not in over]
    if any(a.shape[n] < b.shape[n] for n in over) and mode == "valid":
        a, b = b, a
    if mode not in _MODES:
        raise errors.bad_value("fftconvolve", f"mode must be one of {_MODES}, not {mode!r}.")
    widths = [(0, 0)] * a.ndim
    for n in over:
        k = b.shape[n] - 1
        widths[n] = (0, 0) if mode == "valid" else (k, k) if mode == "full" else (k - (k // 2), k // 2)
    wide = sliding_window_view(pad(a, widths), tuple(b.shape[n] for n in over), over)
    kernel = flip(b, over)
    # the axes that are not convolved broadcast: their products are summed over the windows
    moved = transpose(kernel, (*rest, *over))
    place = tuple(moved.shape[rest.index(n)] if n in rest else 1 for n in range(a.ndim))
    moved = moved.reshape((*place, *(b.shape[n] for n in over)))
    return (wide * moved).sum(tuple(range(a.ndim, a.ndim + len(over))))


oaconvolve = fftconvolve


def _with_boundary(a: Tensor, b: Tensor, mode: str, boundary: str, fillvalue: float, centre: int) -> Tensor:
    """in1 with as much beyond its boundary as the mode needs. centre: 1 where the middle of an even in2 is left of its centre."""
    if mode not in _MODES:
        raise errors.bad_value("convolve2d", f"mode must be one of {_MODES}, not {mode!r}.")
    if boundary not in ("fill", "wrap", "symm"):
        raise errors.bad_value("convolve2d", f"boundary must be 'fill', 'wrap' or 'symm', not {boundary!r}.")
    if a.ndim != 2 or b.ndim != 2:
        raise errors.bad_shape("convolve2d", f"needs matrices, not shapes {a.shape} and {b.shape}.")
    if mode == "valid":
        return a
    widths = [(n - 1, n - 1) if mode == "full" else ((n - centre) // 2, n - 1 - (n - centre) // 2) for n in b.shape]
    if boundary == "fill":
        return pad(a, widths, constant_values=fillvalue)
    return pad(a, widths, "wrap" if boundary == "wrap" else "symmetric")


def convolve2d(in1: Any, in2: Any, mode: str = "full", boundary: str = "fill", fillvalue: float = 0) -> Tensor:
    """Convolution of two matrices as of `convolve`. boundary: what is beyond in1: "fill" with fillvalue, "wrap" around, or "symm" mirrored.

    >>> from gpugrad.scipy.signal import convolve2d
    >>> convolve2d([[1.0, 2.0]], [[1.0, 1.0]], boundary="wrap", mode="same")
    tensor([[3., 3.]], device='cpu')
    """
    a, b = as_tensors(in1, in2)
    return convolve(_with_boundary(a, b, mode, boundary, fillvalue, 0), b, "valid")


def correlate2d(in1: Any, in2: Any, mode: str = "full", boundary: str = "fill", fillvalue: float = 0) -> Tensor:
    """Cross-correlation of two matrices as of `correlate`, with a boundary as in `convolve2d`.

    >>> from gpugrad.scipy.signal import correlate2d
    >>> correlate2d([[1.0, 2.0]], [[1.0, 10.0]])
    tensor([[10., 21.,  2.]], device='cpu')
    """
    a, b = as_tensors(in1, in2)
    if mode == "valid" and any(m < n for m, n in zip(a.shape, b.shape, strict=True)):
        return flip(convolve(b, flip(a), mode))
    return convolve(_with_boundary(a, b, mode, boundary, fillvalue, 1), flip(b), "valid")
