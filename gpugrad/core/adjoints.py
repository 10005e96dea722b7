"""Gradients and tangents with their masks, and where the contributions to one are summed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..base.dtypes import BOOL
from ..base.index import is_basic, takes_all
from ..ops import elementwise as ew
from ..ops.structural import tangent
from .nodes import Node, Structural
from .value import filled
from .variable import MaskedVariable, Variable


class Adjoint:
    """A gradient, or a tangent: its value, the mask of the elements that took part (None: all), both arrays or both variables.

    owned, owns_mask: the array, or its mask, may be changed in place.
    """

    __slots__ = ("mask", "owned", "owns_mask", "value")

    def __init__(self, value: Any, mask: Any = None, owned: bool = False, owns_mask: bool = False) -> None:
        self.value = value
        self.mask = mask
        self.owned = owned
        self.owns_mask = owns_mask


class Accumulator(Adjoint):
    """Where the gradient of one node is summed. Rules write into it: see `gpugrad.ops.structural.Accumulator`.

    value: what has arrived, None for nothing.
    """

    __slots__ = ("node",)

    def __init__(self, node: Node) -> None:
        self.node = node
        self.value = self.mask = None
        self.owned = self.owns_mask = False

    def arrive(self, c: Adjoint) -> None:
        """One more contribution."""
        raise NotImplementedError

    def add_where(self, chosen: Variable, g: Variable) -> None:
        self.add(MaskedVariable(ew.where(chosen, g, 0), chosen))

    def add(self, g: Any, apart: bool = False) -> None:
        raise NotImplementedError

    def _parts(self, g: Any) -> tuple[Variable, Variable | None]:
        """The value and the mask of what a rule has made, the latter where it is of use."""
        if type(g) is not MaskedVariable:
            return g, None
        return g.value, g.mask if self.node.wants_masks else None

    def _loses(self, index: Any) -> bool:
        """Whether elements outside of an index must be marked as not having taken part."""
        return self.node.wants_masks and not (is_basic(index) and takes_all(index, self.node.shape))


def structural_jvp(arithmetic: Any, node: Structural, arrived: Sequence[Adjoint | None]) -> Adjoint:
    """The tangent of a structural op, and the mask moved in the same way."""
    record = node.call(arithmetic)
    value = tangent(node.op, [t.value if t is not None else None for t in arrived], record, node.params)
    mask = None
    if node.op.moves and any(t is None or t.mask is not None for t in arrived):
        mask = tangent(node.op, [_taking(t) for t in arrived], record, node.params)
    return Adjoint(value, mask)


def _taking(t: Adjoint | None) -> Variable | None:
    """The elements of an input that take part: those of its mask, all, or (None) none of them."""
    if t is None:
        return None
    return t.mask if t.mask is not None else Variable(filled(t.value.shape, True, BOOL, t.value.device))
