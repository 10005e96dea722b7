"""Images of any number of axes and their windows: what filters and morphology share.

What lies beyond the edges is made by `mode`: "reflect" (d c b a | a b c d | d c b a), "constant" (k k k k | a b c d | k k k k, k being cval),
"nearest" (a a a a | a b c d | d d d d), "mirror" (d c b | a b c d | c b a), "wrap" (a b c d | a b c d | a b c d), or a list of these, one
per axis. Floats keep their dtype; integers are computed in float64 and given back as integers, which have no gradient.
`output` may be a dtype.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..arguments import as_tensors
from ..base import errors
from ..base.shapes import is_float, normalize_axis
from ..coerce import as_dtype
from ..functions import pad
from ..functions.windows import sliding_window_view
from ..tensor import Tensor

Axes = int | Sequence[int] | None
Modes = str | Sequence[str]

_PADS = {
    "reflect": "symmetric", "grid-mirror": "symmetric", "nearest": "edge", "mirror": "reflect", "wrap": "wrap", "grid-wrap": "wrap",
    "constant": "constant", "grid-constant": "constant",
}  # fmt: skip


def as_image(input: Any) -> tuple[Tensor, Any]:
    """An image in the dtype that is computed in, and its own."""
    (x,) = as_tensors(input)
    return (x, x.dtype) if is_float(x.dtype) else (x.astype(np.float64), x.dtype)


def dtype_of_result(dtype: Any, output: Any) -> Any:
    """The dtype of a result: that of the image, or the one that is asked for."""
    if isinstance(output, (Tensor, np.ndarray)):
        raise errors.bad_type(
            "output", "is a dtype here: the result is a new tensor. Write it with out[...] = f(image)."
        )
    return as_dtype(output) if output is not None else dtype


def as_result(y: Tensor, dtype: Any, output: Any) -> Tensor:
    wanted = dtype_of_result(dtype, output)
    return y if y.dtype == wanted else y.astype(wanted)


def dtype_between(dtype: Any, output: Any) -> tuple[Any, Any]:
    """The dtype between two passes over an image: as SciPy's, of integers."""
    wanted = dtype_of_result(dtype, output)
    return (np.dtype(np.float64) if is_float(wanted) and not is_float(dtype) else wanted), None


def axes_of(x: Tensor, axes: Axes) -> tuple[int, ...]:
    given = range(x.ndim) if axes is None else axes if isinstance(axes, Sequence) else (axes,)
    return tuple(normalize_axis("axes", a, x.ndim) for a in given)


def one_each(given: Any, count: int, name: str) -> list[Any]:
    """One value per axis: that of a sequence, or the same for all."""
    if isinstance(given, (str, int, float)) or not np.ndim(given):
        return [given] * count
    values = list(given)
    if len(values) != count:
        raise errors.bad_value(name, f"{len(values)} values for {count} axes: give one, or one for each.")
    return values


def extended(
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


def windows_of(
    x: Tensor, sizes: Sequence[int], axes: Sequence[int], mode: Modes, cval: float, origin: Any, turned: bool = False
) -> Tensor:
    """The window around each element. turned: of a convolution, where the origin counts the other way and even sizes lean to the right."""
    origins = one_each(origin, len(axes), "origin")
    widths = []
    for size, shift in zip(sizes, origins, strict=True):
        before = size // 2 + shift
        if turned:
            before = size - 1 - size // 2 - shift
        if not 0 <= before < size:
            raise errors.bad_value("origin", f"{shift} is outside of a window of {size}.")
        widths.append((before, size - 1 - before))
    wide = extended(x, widths, axes, one_each(mode, len(axes), "mode"), cval)
    return sliding_window_view(wide, tuple(sizes), tuple(axes))
