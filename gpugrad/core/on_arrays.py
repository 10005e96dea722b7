"""Rules of ops on matrices, run on plain arrays: the same text, whose ops are then calls of NumPy.

A rule of linear algebra is a chain of small ops. On small matrices each would be a region, or a node's call, of its own, which costs more than
what it computes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..backends.cpu.pool import is_whole
from ..ops.structural import Call
from .adjoints import Accumulator, Adjoint
from .nodes import Structural

SMALL = 4096  # elements: a rule is a chain of ops, and on less than this a call of NumPy costs less than a region


class _Receiver:
    """Where a rule that is run on plain arrays puts the gradient of an input."""

    __slots__ = ("given", "to")

    def __init__(self, to: Accumulator, given: tuple[Any, ...]) -> None:
        self.to = to
        self.given = given

    def add(self, g: Any, apart: bool = False) -> None:
        node = self.to.node
        array = np.ascontiguousarray(g, node.dtype).reshape(node.shape)
        own = not apart and is_whole(array) and not any(array is a for a in self.given)
        self.to.arrive(Adjoint(array, None, own))


def on_arrays(g: Adjoint, node: Structural, receivers: Sequence[Any]) -> bool:
    """Run the rule of a node on plain arrays, if they are NumPy's and small. False if they are not."""
    if node.device.backend.xp is not np or g.value.size > SMALL or any(math.prod(s) > SMALL for s in node.shapes):
        return False
    given = tuple([None if a is None else a.array for a in node.inputs])
    into = [None if to is None else _Receiver(to, (g.value, node.output, *given)) for to in receivers]
    assert node.op.rule is not None
    with np.errstate(all="ignore"):
        node.op.rule(g.value, Call(node.shapes, given, node.output), into, **node.params)
    return True
