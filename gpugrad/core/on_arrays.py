"""Rules of structural ops, run on plain arrays: the same text, whose ops are then calls of NumPy.

A rule is a chain of small ops. On small arrays each would be a region, or a node's call, of its own, which costs more than what it computes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..backends.cpu.pool import is_whole
from ..base.config import config
from ..ops.structural import Call
from .adjoints import Accumulator, Adjoint
from .nodes import Structural

SMALL = 4096  # elements: on less than this a call of NumPy costs less than a region


class _Receiver:
    """Where a rule that is run on plain arrays puts the gradient of an input. given: the arrays that it was handed."""

    __slots__ = ("given", "to", "upstream")

    def __init__(self, to: Accumulator, upstream: Adjoint, given: tuple[Any, ...]) -> None:
        self.to: Any = to
        self.upstream = upstream
        self.given = given

    def add(self, g: Any, apart: bool = False) -> None:
        self._arrive(g, None, apart)

    def add_where(self, chosen: Any, g: Any) -> None:
        self._arrive(np.where(chosen, g, 0), chosen if self.to.node.wants_masks else None, False)

    def _arrive(self, g: Any, mask: Any, apart: bool) -> None:
        node = self.to.node
        array = g
        if type(g) is not np.ndarray or g.dtype != node.dtype or not g.flags.c_contiguous:
            array = np.asarray(g, node.dtype, order="C")
        own = is_whole(array) and array is not self.upstream.value and not any(array is a for a in self.given)
        if apart and not own:
            array, own = array.copy(), True
        self.to.arrive(Adjoint(array, mask, own))

    def add_at(self, index: Any, g: Any) -> None:
        self.to.scatter(index, g, None)

    def add_product(self, a: Any, b: Any, turn_a: bool, turn_b: bool) -> None:
        self.to.multiply(a, b, turn_a, turn_b)

    def take_over(self, g: Any, zero_at: Any) -> None:
        upstream = self.upstream
        own = g is upstream.value and upstream.owned
        self.to.take(Adjoint(g, None, own), zero_at)


def on_arrays(g: Adjoint, node: Structural, receivers: Sequence[Any]) -> bool:
    """Run the rule of a node on plain arrays, if they are NumPy's and small, and no mask arrives. False if not."""
    device = node.device
    if (
        device.backend.xp is not np
        or g.mask is not None
        or g.value.size > SMALL
        or node.dtype.itemsize < 4
        or config._debug
    ):
        return False
    for s in node.shapes:
        if math.prod(s) > SMALL:
            return False
    given = tuple([None if a is None else a.array for a in node.inputs])
    output = node.output
    kept = given if output is None else (*given, output)
    into: list[_Receiver | None] = []
    for to in receivers:
        if to is None:
            into.append(None)
        elif to.node.device is device:
            into.append(_Receiver(to, g, kept))
        else:
            return False
    assert node.op.rule is not None
    with np.errstate(all="ignore"):
        node.op.rule(g.value, Call(node.shapes, given, output), into, **node.params)
    return True
