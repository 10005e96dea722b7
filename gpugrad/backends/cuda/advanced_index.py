"""An index with arrays in it, taken apart on the host: what is left is a view, and an address for each named element.

Here an index is checked, wrapped and broadcast by NumPy's rules; what is then moved from or to the addresses is another
module's business.
"""

from __future__ import annotations

from typing import Any

import numpy as np


class Index:
    """An index with arrays in it, taken apart: a basic part, and an address for each element that the arrays name.

    view: the array after the basic part. at: where each of the named elements starts, in elements. shape: of the result.
    lengths, steps: the axes that the arrays do not index. order: how the result's axes come from (named, others).
    """

    def __init__(self, x: Any, index: Any) -> None:
        items = list(index) if isinstance(index, tuple) else [index]
        items = [np.asarray(i) if isinstance(i, (bool, np.bool_)) else i for i in items]
        if sum(i is Ellipsis for i in items) > 1:
            raise IndexError("an index can only have a single ellipsis ('...').")
        used = sum(i.ndim if _is_mask(i) else 0 if i is None or i is Ellipsis else 1 for i in items)
        if used > x.ndim:
            raise IndexError(f"too many indices: the array has {x.ndim} axes, but {used} were indexed.")
        if Ellipsis not in [i for i in items if not isinstance(i, np.ndarray)]:
            items.append(Ellipsis)
        basic: list[Any] = []
        arrays: dict[int, Any] = {}  # which axis of the view each array indexes
        places: list[int] = []  # where in the index the arrays and integers stand
        source = axis = 0
        mixed = any(isinstance(i, np.ndarray) for i in items)
        for place, i in enumerate(items):
            if i is None:
                basic.append(None)
                axis += 1
            elif i is Ellipsis:
                count = x.ndim - used
                basic += [slice(None)] * count
                axis, source = axis + count, source + count
            elif isinstance(i, np.ndarray):
                if _is_mask(i):
                    for d, n in enumerate(i.shape):
                        if n != x.shape[source + d]:
                            raise IndexError(f"a boolean index of shape {i.shape} does not fit axis {source + d}, of length {x.shape[source + d]}.")  # fmt: skip
                    if not i.ndim:  # one new axis, of length 0 or 1
                        basic.append(None)
                        arrays[axis] = np.zeros(int(i), np.int64)
                        axis += 1
                        places.append(place)
                        continue
                for part in i.nonzero() if _is_mask(i) else (i,):
                    n = x.shape[source]
                    part = part.astype(np.int64)
                    wrong = (part < -n) | (part >= n)
                    if wrong.any():
                        raise IndexError(
                            f"index {part[wrong].flat[0]} is out of bounds for axis {source} with size {n}."
                        )
                    arrays[axis] = np.where(part < 0, part + n, part)
                    basic.append(slice(None))
                    axis, source = axis + 1, source + 1
                places.append(place)
            elif isinstance(i, slice):
                basic.append(i)
                axis, source = axis + 1, source + 1
            else:
                n = x.shape[source]
                if not -n <= i < n:
                    raise IndexError(f"index {i} is out of bounds for axis {source} with size {n}.")
                source += 1
                if mixed:  # an integer beside arrays is one of them
                    arrays[axis] = np.asarray(i % n, np.int64)
                    basic.append(slice(None))
                    axis += 1
                    places.append(place)
                else:
                    basic.append(i)
        self.view = x[tuple(basic)]
        steps = [s // x.dtype.itemsize for s in self.view.strides]
        try:
            named = np.broadcast_shapes(*(a.shape for a in arrays.values()))
        except ValueError:
            shapes = [a.shape for a in arrays.values()]
            raise IndexError(f"index arrays of shapes {shapes} do not broadcast together.") from None
        self.at = np.zeros(named, np.int64)
        for d, a in arrays.items():
            self.at += a * steps[d]
        others = [d for d in range(self.view.ndim) if d not in arrays]
        self.lengths = tuple(self.view.shape[d] for d in others)
        self.steps = tuple(steps[d] for d in others)
        # Arrays side by side leave their axes where they stand; apart, these come first.
        together = places == list(range(places[0], places[-1] + 1)) if places else True
        first = sum(d < min(arrays) for d in others) if together and arrays else 0
        self.order = (
            *range(len(named), len(named) + first),
            *range(len(named)),
            *range(len(named) + first, len(named) + len(others)),
        )
        stacked = (*named, *self.lengths)
        self.shape = tuple(stacked[d] for d in self.order)
        self.stacked = stacked

    def ordered(self, stacked: Any) -> Any:
        """An array of (named, others) with its axes as the result has them."""
        return stacked.transpose(self.order)

    def stack(self, result: Any) -> Any:
        """The reverse: an array of the result's shape, as (named, others)."""
        return result.transpose(tuple(sorted(range(len(self.order)), key=self.order.__getitem__)))


def _is_mask(i: Any) -> bool:
    return isinstance(i, np.ndarray) and i.dtype.kind == "b"
