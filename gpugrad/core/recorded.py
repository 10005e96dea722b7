"""The arithmetic of the passes over the tape that is recorded (create_graph): everything is an op on variables, and can be differentiated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..base.counters import counters
from ..base.dtypes import BOOL, DType
from ..base.index import is_basic
from ..base.shapes import reduced
from ..ops import elementwise as ew
from ..ops.structural import collect, embed, index_add, linear, matmul, reshape, setitem, spread, sum_to, transposed
from ..plans.plan import GradientPlan, TangentPlan
from ..plans.symbols import Sym
from .adjoints import Accumulator, Adjoint, structural_jvp
from .nodes import Leaf, Node, Region, Structural
from .replay import on_variables
from .value import Value, filled, held
from .variable import MaskedVariable, Variable


class RecordedAccumulator(Accumulator):
    """Sums variables. Masks are constants: they are not recorded."""

    __slots__ = ()

    def arrive(self, c: Adjoint) -> None:
        if self.value is None:
            self.value, self.mask = c.value, c.mask
            return
        both = self.mask is not None and c.mask is not None
        self.mask = ew.logical_or(self.mask, c.mask) if both else None
        self.value = self.value + c.value

    def add(self, g: Any, apart: bool = False) -> None:
        self.arrive(Adjoint(*self._parts(g)))

    def add_at(self, index: Any, g: Any) -> None:
        value, mask = self._parts(g)
        node = self.node
        if mask is None and self._loses(index):
            mask = Variable(filled(value.shape, True, BOOL, node.device))

        def placed(x: Variable, dtype: DType) -> Variable:
            if is_basic(index):
                return embed(x, shape=node.shape, index=index)
            return index_add(Variable(filled(node.shape, 0, dtype, node.device)), x, index=index)

        self.arrive(Adjoint(placed(value, node.dtype), None if mask is None else placed(mask, BOOL)))

    def add_product(self, a: Variable, b: Variable, turn_a: bool, turn_b: bool) -> None:
        product, shape = (linear if turn_b else matmul)(transposed(a) if turn_a else a, b), self.node.shape
        self.arrive(Adjoint(product if product.shape == shape else reshape(product, shape=shape)))

    def take_over(self, g: Any, zero_at: Any) -> None:
        value, mask = self._parts(g)
        node = self.node
        if self._loses(zero_at):
            whole = Variable(filled(node.shape, True, BOOL, node.device)) if mask is None else mask
            mask = setitem(whole, np.zeros((), BOOL), index=zero_at)
        self.arrive(Adjoint(setitem(value, np.zeros((), node.dtype), index=zero_at), mask))


class Recorded:
    """Gradients are variables, and every step is an op that can be differentiated again."""

    recorded = True
    accumulator = RecordedAccumulator

    def in_slot(self, to: Accumulator) -> bool:
        return False

    def adjoint(self, g: Value, mask: Value | None) -> Adjoint:
        return Adjoint(Variable(g), None if mask is None else Variable(mask))

    def as_value(self, a: Adjoint, node: Node) -> Value:
        value: Value = a.value._value
        return value

    def own(self, leaf: Leaf, a: Adjoint | None) -> Adjoint:
        return Adjoint(Variable(filled(leaf.shape, 0, leaf.dtype, leaf.device))) if a is None else a

    def on_arrays(self, g: Adjoint, node: Structural, receivers: Sequence[Any]) -> bool:
        """What is recorded is computed with variables."""
        return False

    def upstream(self, g: Adjoint, moves: bool, node: Node) -> Any:
        return g.value if g.mask is None or not moves else MaskedVariable(g.value, g.mask)

    def variable(self, a: Value) -> Variable:
        return Variable(a)

    def output(self, node: Structural) -> Variable:
        return Variable(held(node.output, node.device, requires_grad=True, node=node))

    def region_vjp(
        self,
        node: Region,
        plan: GradientPlan,
        arrived: Sequence[Adjoint | None],
        asked: Sequence[tuple[int, Any]],
        extra: Sequence[tuple[int, Any]],
    ) -> None:
        """The symbols of the backward plan of a region, on variables."""
        counters.backward += 1
        seeds: dict[Sym, Variable] = {}
        for k, s in plan.upstream.items():
            a = arrived[k]
            assert a is not None
            seeds[s] = _at_the_root(node, a.value)
            if k in plan.upstream_masks:
                seeds[plan.upstream_masks[k]] = _at_the_root(node, a.mask)
        known = on_variables(node, [*plan.values, *plan.masks], seeds, plan.names, plan.nodes)
        for k, (n, to) in enumerate(asked):
            value, m = plan.values[k], plan.masks[k]
            if value is not None:
                to.arrive(
                    Adjoint(_at_input(node, n, known[value]), _at_input(node, n, known[m]) if m is not None else None)
                )
        for k, (n, receive) in enumerate(extra, len(asked)):
            value = plan.values[k]
            if value is not None:
                v, shape = known[value], node.shape_inside(n)
                receive((v if v.shape == shape else reshape(v, shape=shape))._value)

    def region_jvp(self, node: Region, plan: TangentPlan, moving: Mapping[int, Adjoint]) -> list[Adjoint | None]:
        """The symbols of the tangent plan of a region, on variables: the tangents of its outputs."""
        seeds = {s: _opened(node, n, moving[n].value) for n, s in plan.tangents.items()}
        seeds |= {s: _opened(node, n, m) for n, s in plan.taking.items() if (m := moving[n].mask) is not None}
        known = on_variables(node, [*plan.values, *plan.masks], seeds, plan.names, plan.nodes)

        def whole(s: Sym | None) -> Variable | None:
            if s is None:
                return None
            v: Variable = known[s]
            if not node.stored:
                v = collect(v, axes=node.axes, keepdims=True)
            return v if v.shape == node.shape else reshape(v, shape=node.shape)

        return [
            None if v is None else Adjoint(whole(v), whole(m)) for v, m in zip(plan.values, plan.masks, strict=True)
        ]

    def structural_jvp(self, node: Structural, arrived: Sequence[Adjoint | None]) -> Adjoint:
        return structural_jvp(self, node, arrived)


def _at_the_root(node: Region, g: Variable) -> Variable:
    """What has arrived at a region, as it arrives at its last op."""
    if node.axes is None:
        return g
    kept = reduced(node.extent, node.axes, True)
    return reshape(g, shape=kept) if node.stored else spread(g, node.extent, node.axes)


def _opened(node: Region, n: int, v: Variable) -> Variable:
    """What belongs to an input of a region, in the shape in which it broadcasts there."""
    return reshape(v, shape=node.opened[n]) if n in node.opened else v


def _at_input(node: Region, n: int, g: Variable) -> Variable:
    """A gradient inside of a region, as it arrives at an input."""
    if n not in node.opened:
        return sum_to(g, node.shapes[n])
    return reshape(sum_to(g, node.opened[n]), shape=node.shapes[n])
