"""Elements taken from, put into and repeated along axes."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arguments import as_tensors
from ..base import errors
from ..base.shapes import Axis, as_shape, normalize_axes, normalize_axis
from ..coerce import host_data
from ..ops import structural
from ..tensor import Tensor
from .creation import tensor
from .face import public
from .shaping import broadcast_to, concatenate, ravel, reshape


@public(method=True)
def take(x: Any, indices: Any, axis: int | None = None) -> Tensor:
    """Elements at integer indices along an axis, or of the flattened tensor; duplicates sum their gradients exactly.

    Raises IndexError for an index out of range.

    >>> import gpugrad as gg
    >>> gg.take([10.0, 20.0, 30.0], [2, 0, 2])
    tensor([30., 10., 30.], device='cpu')
    """
    (x,) = as_tensors(x)
    if axis is None:
        x, axis = ravel(x), 0
    axis = normalize_axis("take", axis, x.ndim)
    which = np.asarray(host_data(indices))
    return x[(*(slice(None),) * axis, which)]


@public()
def take_along_axis(x: Any, indices: Any, axis: int | None = -1) -> Tensor:
    """Elements at the indices that `argsort` or `argmax(keepdims=True)` give along an axis.

    >>> import gpugrad as gg
    >>> gg.take_along_axis([[1.0, 9.0], [7.0, 3.0]], [[1], [0]], 1)
    tensor([[9.],
            [7.]], device='cpu')
    """
    (x,) = as_tensors(x)
    which = np.asarray(host_data(indices))
    if axis is None:
        x, axis = ravel(x), 0
    axis = normalize_axis("take_along_axis", axis, x.ndim)
    if which.ndim != x.ndim or which.dtype.kind not in "iu":
        raise errors.bad_shape(
            "take_along_axis", f"needs integer indices with {x.ndim} axes, not {which.dtype} with {which.ndim}."
        )
    grid = [np.arange(n).reshape((1,) * a + (n,) + (1,) * (x.ndim - a - 1)) for a, n in enumerate(x.shape)]
    return x[tuple(which if a == axis else g for a, g in enumerate(grid))]


@public()
def flip(x: Any, axis: Axis = None) -> Tensor:
    """Reversed along axes.

    >>> import gpugrad as gg
    >>> gg.flip([1, 2, 3])
    tensor([3, 2, 1], device='cpu')
    """
    (x,) = as_tensors(x)
    axes = normalize_axes("flip", axis, x.ndim)
    return x[tuple(slice(None, None, -1) if a in axes else slice(None) for a in range(x.ndim))]


@public()
def roll(x: Any, shift: Any, axis: Any = None) -> Tensor:
    """Shifted along axes, what leaves one end entering at the other; of the flattened tensor if no axis is given.

    >>> import gpugrad as gg
    >>> gg.roll([1, 2, 3, 4], 1)
    tensor([4, 1, 2, 3], device='cpu')
    """
    (x,) = as_tensors(x)
    if axis is None:
        return reshape(roll(ravel(x), shift, 0), x.shape)
    shifts, axes = np.broadcast_arrays(shift, axis)
    for s, a in zip(shifts.ravel().tolist(), axes.ravel().tolist(), strict=True):
        a = normalize_axis("roll", a, x.ndim)
        n = x.shape[a]
        if n and s % n:
            lead = (slice(None),) * a
            cut = n - s % n
            x = concatenate([x[(*lead, slice(cut, None))], x[(*lead, slice(None, cut))]], a)
    return x.copy()


@public()
def tile(x: Any, reps: Any) -> Tensor:
    """x laid out several times along each axis.

    >>> import gpugrad as gg
    >>> gg.tile([1, 2], 2)
    tensor([1, 2, 1, 2], device='cpu')
    """
    (x,) = as_tensors(x)
    counts = as_shape("tile", reps)
    counts = (1,) * (x.ndim - len(counts)) + counts
    shape = (1,) * (len(counts) - x.ndim) + x.shape
    paired = reshape(x, tuple(n for s in shape for n in (1, s)))
    full = broadcast_to(paired, tuple(n for r, s in zip(counts, shape, strict=True) for n in (r, s)))
    return reshape(full, tuple(r * s for r, s in zip(counts, shape, strict=True)))


@public(method=True)
def repeat(x: Any, repeats: Any, axis: int | None = None) -> Tensor:
    """Each element repeated along an axis, a number of times or as many as given for each.

    >>> import gpugrad as gg
    >>> gg.repeat([1, 2], [1, 3])
    tensor([1, 2, 2, 2], device='cpu')
    """
    (x,) = as_tensors(x)
    if axis is None:
        x, axis = ravel(x), 0
    axis = normalize_axis("repeat", axis, x.ndim)
    counts = np.asarray(host_data(repeats))
    if counts.ndim > 1 or (counts.ndim and counts.size not in (1, x.shape[axis])) or counts.dtype.kind not in "iu":
        raise errors.bad_shape(
            "repeat", f"repeats must be an integer, or one for each of the {x.shape[axis]} elements."
        )
    return take(x, np.repeat(np.arange(x.shape[axis]), counts), axis)


@public()
def pad(x: Any, pad_width: Any, mode: str = "constant", constant_values: Any = 0) -> Tensor:
    """x with values added at the ends of its axes: mode "constant", "edge", "reflect", "symmetric" or "wrap".

    pad_width: a number, (before, after), or one such pair per axis, as in NumPy. Raises ShapeError for other modes.

    >>> import gpugrad as gg
    >>> gg.pad([1.0, 2.0], (1, 2))
    tensor([0., 1., 2., 0., 0.], device='cpu')
    """
    (x,) = as_tensors(x)
    try:
        widths = np.broadcast_to(np.asarray(pad_width), (x.ndim, 2)).tolist()
    except ValueError:
        raise errors.bad_shape("pad", f"pad_width {pad_width!r} does not fit {x.ndim} axes.") from None
    if mode == "constant":
        shape = tuple(a + n + b for n, (a, b) in zip(x.shape, widths, strict=True))
        inner = tuple(slice(a, a + n) for n, (a, _) in zip(x.shape, widths, strict=True))
        full = np.pad(np.empty(x.shape, x.dtype), widths, constant_values=constant_values)
        base = tensor(np.broadcast_to(full, shape), device=x.device)
        return structural.setitem(base, x, index=inner) if x.ndim else x.copy()
    if mode not in ("edge", "reflect", "symmetric", "wrap"):
        raise errors.bad_value(
            "pad", f"mode {mode!r} is not supported: use 'constant', 'edge', 'reflect', 'symmetric' or 'wrap'."
        )
    for axis, (a, b) in enumerate(widths):
        if a or b:
            x = take(x, np.pad(np.arange(x.shape[axis]), (a, b), mode=mode), axis)  # type: ignore[call-overload]
    return x.copy()
