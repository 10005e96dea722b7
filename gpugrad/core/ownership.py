"""Who may overwrite memory: nobody, unless it is certain that nobody else can see it.

A buffer may be overwritten if the library allocated it, never handed it out (`Value.owned`), and nothing else refers to it. Two
reference counts answer the last question, each measured when the package is imported: that of an array whose one holder asks
(`Backend.sole_owner`), and that of a value (`references`). Where the interpreter does not count exactly, on a free-threaded build,
both measurements say so and everything is allocated anew.
"""

from __future__ import annotations

import sys
from collections.abc import Collection
from typing import Any

import numpy as np

from .value import Value


def references(values: Collection[Value]) -> list[int]:
    """How many references each of some values has, besides the one that the collection holds."""
    return [n - _HELD for n in map(sys.getrefcount, values)]


def _measured() -> int:
    (count,) = map(sys.getrefcount, [Value(None, (), np.dtype(bool), None, False, None, True)])
    return count if getattr(sys, "_is_gil_enabled", lambda: True)() else -(1 << 40)  # everything then looks shared


_HELD = _measured()


def overwritable(values: list[Value] | tuple[Value, ...]) -> list[bool]:
    """For each value of a collection: whether it has just one other holder, and its buffer is seen by nobody else."""
    return [
        count <= 1
        and v.owned
        and v.array is not None
        and not hasattr(v, "known")  # it would be known of something else
        and bool(v.device.backend.sole_owner(v.array))
        for v, count in zip(values, references(values), strict=True)
    ]


def may_overwrite(values: tuple[Value]) -> bool:
    """The same for one alone."""
    return overwritable(values)[0]


def spare_of(v: Value) -> Any:
    """The buffer of a value that is no longer needed, for something else to be written to; None if it may not be kept."""
    return v.array if v.owned else None
