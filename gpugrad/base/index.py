"""Indices as the tape keeps them: plain integers, slices and arrays of its own."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from . import errors

_SEQUENCES = {list, tuple, range}
_PLAIN = {int, type(None)}
_ARRAYS = (np.ndarray, bool, np.bool_)


def normalize_index(index: Any) -> tuple[Any, ...]:
    """An index of plain integers, slices and arrays: what NumPy takes for an array, a range or a mask of pandas among them, becomes one.

    Arrays are copied, since the tape may keep them. Tensors must have been read: see `gpugrad.coerce.host_data`.
    """
    items = index if isinstance(index, tuple) else (index,)
    out = []
    for i in items:
        kind = type(i)
        if kind is slice:
            parts = i.start, i.stop, i.step
            out.append(i if _PLAIN.issuperset(map(type, parts)) else slice(*map(_whole, parts)))
            continue
        if kind in _PLAIN:
            out.append(i)
            continue
        if kind in _SEQUENCES or hasattr(kind, "__array__"):  # a mask of pandas, NumPy's numbers
            i = np.array(i)
            if i.size == 0 and i.dtype.kind == "f":
                i = i.astype(np.intp)
            if i.dtype.kind not in "iub":
                raise errors.bad_type("index", f"index arrays must be integers or booleans, not {i.dtype}.")
            if i.ndim == 0:
                i = bool(i) if i.dtype.kind == "b" else int(i)
        elif not (i is Ellipsis or isinstance(i, (bool, np.bool_))):
            try:
                i = operator.index(i)
            except TypeError:
                raise errors.bad_type(
                    "index", f"an index must be an integer, slice, None, ... or array, not {i!r}."
                ) from None
        out.append(i)
    return tuple(out)


def _whole(part: Any) -> int | None:
    return None if part is None else operator.index(part)


def is_basic(index: Any) -> bool:
    """True for an index without arrays or booleans in it: what it names is a view."""
    return not any(isinstance(i, _ARRAYS) for i in (index if isinstance(index, tuple) else (index,)))


def in_groups(places: Any) -> tuple[Any, Any]:
    """Equal integers brought together: their order, each group as it stood, and where in that order each group starts."""
    order = np.argsort(places, kind="stable")
    ordered = places[order]
    return order, np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))


def is_everything(index: tuple[Any, ...]) -> bool:
    return all(i is Ellipsis or i == slice(None) for i in index if not isinstance(i, np.ndarray)) and is_basic(index)


def repeats(index: Any) -> bool:
    """Whether an index may name an element twice: only one with integer arrays in it can."""
    items = index if isinstance(index, tuple) else (index,)
    return any(getattr(i, "ndim", 0) and i.dtype.kind in "iu" for i in items)


def takes_all(index: tuple[Any, ...], shape: tuple[int, ...]) -> bool:
    """Whether an index of slices, in either direction, and new axes names every element."""
    axis = 0
    for i in index:
        if i is None:
            continue
        if i is Ellipsis:
            axis = len(shape) - (len([j for j in index[index.index(i) + 1 :] if j is not None]))
            continue
        if not isinstance(i, slice) or len(range(*i.indices(shape[axis]))) != shape[axis]:
            return False
        axis += 1
    return True
