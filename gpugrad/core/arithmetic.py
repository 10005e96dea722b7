"""The two arithmetics of the passes over the tape: in place on arrays, and recorded on variables (create_graph).

The passes and the rules are written once. What differs is how contributions to a gradient are summed (the accumulators) and how the
derivative plan of a region is run. In place, each contribution is stored (the first), added (to a buffer that the pass owns) or passed on
as it is. Recorded, everything is an op on variables, and can itself be differentiated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..backends.cpu.pool import is_whole
from ..backends.protocol import Backend, Output
from ..base.config import config
from ..base.counters import counters
from ..base.dtypes import BOOL
from ..base.shapes import DType, Shape, reduced, summed_axes
from ..ops import elementwise as ew
from ..ops.structural import collect, index_add, matmul, reshape, setitem, spread, sum_to, tangent
from ..plans.plan import GradientPlan, TangentPlan
from ..plans.program import Kind, identity
from ..plans.symbols import Sym
from . import checks
from .adjoints import Accumulator, Adjoint
from .closing import close
from .nodes import Leaf, Node, Region, Structural
from .on_arrays import on_arrays
from .ownership import may_overwrite
from .replay import on_variables
from .value import Value, filled, held
from .variable import MaskedVariable, Variable

# ------------------------------------------------------------------------------------------------------- in place


class InPlaceAccumulator(Accumulator):
    """Sums arrays: stores the first, adds the later ones in place where the buffer is the pass's own."""

    __slots__ = ()

    def arrive(self, c: Adjoint) -> None:
        if self.value is None:
            self.value, self.mask, self.owned, self.owns_mask = c.value, c.mask, c.owned, c.owns_mask
            return
        backend = self.node.device.backend
        array, mask = c.value, self._either(c.mask)
        if not self.owned and c.owned:
            self.value, array = array, self.value
        elif not self.owned:
            self.value = _copied(self.node, self.value)
        self.owned = self.owns_mask = True
        backend.accumulate(self.value, array)
        self.mask = mask

    def _either(self, mask: Any) -> Any:
        """Where this mask or another is true: a new array. None if one of them is None."""
        if self.mask is None or mask is None:
            return None
        both = self.node.device.backend.copy(self.mask)
        self.node.device.backend.accumulate(both, mask)
        return both

    def buffer(self) -> tuple[Any, bool]:
        """Memory for a contribution, and whether it is to be added to what is there: see `wrote`."""
        if self.value is not None and self.owned:
            return self.value, True
        node = self.node
        if type(node) is Leaf and node.slot is not None and node.slot.value is None:
            return node.slot.buffer(node), False
        return node.device.backend.empty(node.shape, node.dtype), False

    def wrote(self, buffer: Any, mask: Any, added: bool) -> None:
        """A contribution has been written to what `buffer` gave."""
        if added:
            self.mask, self.owns_mask = self._either(mask), True
        elif self.value is None:
            self.value, self.mask, self.owned, self.owns_mask = buffer, mask, True, True
        else:
            self.arrive(Adjoint(buffer, mask, True, True))

    def add(self, g: Any, apart: bool = False) -> None:
        variable, mask = self._parts(g)
        v = variable._value
        array = close(v)
        own = v.owned and is_whole(array)
        m = None if mask is None else close(mask._value)
        if apart:
            copy = self.node.device.backend.copy
            array, own, m = array if own else copy(array), True, None if m is None else copy(m)
        self.arrive(Adjoint(array, m, own, apart))

    def add_at(self, index: Any, g: Any) -> None:
        variable, mask = self._parts(g)
        self.scatter(index, close(variable._value), None if mask is None else close(mask._value))

    def scatter(self, index: Any, part: Any, mask: Any) -> None:
        """A gradient that is zero but at an index, and its mask: arrays."""
        backend = self.node.device.backend
        if self.value is None:
            self.value = backend.full(self.node.shape, 0, self.node.dtype)
            if mask is not None or self._loses(index):
                self.mask, self.owns_mask = backend.full(self.node.shape, False, BOOL), True
        else:
            if not self.owned:
                self.value = _copied(self.node, self.value)
            if self.mask is not None and not self.owns_mask:
                self.mask, self.owns_mask = backend.copy(self.mask), True
        self.owned = True
        backend.scatter_add(self.value, index, part)
        if self.mask is not None:
            if mask is None:
                backend.write(self.mask, index, backend.full((), True, BOOL))
            else:
                backend.scatter_add(self.mask, index, mask)

    def add_product(self, a: Variable, b: Variable) -> None:
        self.multiply(close(a._value), close(b._value))

    def multiply(self, a: Any, b: Any) -> None:
        """The matrix product of two arrays."""
        buffer, added = self.buffer()
        self.node.device.backend.matmul(a, b, buffer, added)
        self.wrote(buffer, None, added)

    def take_over(self, g: Any, zero_at: Any) -> None:
        variable, mask = self._parts(g)
        m = None if mask is None else close(mask._value)
        upstream = variable if type(variable) is _Upstream else _Upstream(variable._value, False, False)
        self.take(Adjoint(close(upstream._value), m, upstream.owned, upstream.owns_mask), zero_at)

    def take(self, g: Adjoint, zero_at: Any) -> None:
        """A gradient without the elements of an index, in its own buffer if that may be changed."""
        backend = self.node.device.backend
        array = g.value if g.owned else backend.copy(g.value)
        m = g.mask if g.mask is None or g.owns_mask else backend.copy(g.mask)
        backend.write(array, zero_at, backend.full((), 0, self.node.dtype))
        if self._loses(zero_at):
            m = backend.full(self.node.shape, True, BOOL) if m is None else m
            backend.write(m, zero_at, backend.full((), False, BOOL))
        self.arrive(Adjoint(array, m, True, True))


class _Upstream(Variable):
    """The gradient that a rule is given. owned, owns_mask: the pass owns these buffers, and an accumulator may take them over."""

    __slots__ = ("owned", "owns_mask")

    def __init__(self, value: Value, owned: bool, owns_mask: bool) -> None:
        self._value = value
        self.owned = owned
        self.owns_mask = owns_mask


def _repeated(backend: Backend, array: Any, shape: Shape) -> Any:
    """An array broadcast to a shape, as a view."""
    if backend.xp is np and array.size == 1:  # most often, and a tenth of the cost of NumPy's function
        return np.ndarray(shape, array.dtype, array, 0, (0,) * len(shape))
    return backend.xp.broadcast_to(array, shape)


def _copied(node: Node, array: Any) -> Any:
    buffer = node.device.backend.empty(node.shape, node.dtype)
    node.device.backend.run(identity(node.dtype), node.shape, [array], (), [Output(buffer)])
    return buffer


class InPlace:
    """Gradients are arrays, and nothing is recorded."""

    recorded = False
    accumulator = InPlaceAccumulator

    def in_slot(self, to: Accumulator) -> bool:
        """Begin with the gradient that a leaf has already, if it can be added to in place."""
        slot = to.node.slot
        if slot is None or slot.value is None or not may_overwrite((slot.value,)):
            return False
        to.value, to.owned = slot.value.array, True
        return True

    def adjoint(self, g: Value, mask: Value | None) -> Adjoint:
        return Adjoint(close(g), None if mask is None else close(mask))

    def as_value(self, a: Adjoint, node: Node) -> Value:
        """A gradient as a value, for a hook or a slot."""
        return held(a.value, node.device, a.owned)

    def own(self, leaf: Leaf, a: Adjoint | None) -> Adjoint:
        """The gradient of a leaf in a buffer of its own; zeros for one that nothing has reached."""
        if a is not None and a.owned:
            return a
        assert leaf.slot is not None
        buffer = leaf.slot.buffer(leaf)
        source = leaf.device.backend.full((), 0, leaf.dtype) if a is None else a.value
        leaf.device.backend.run(identity(leaf.dtype), leaf.shape, [source], (), [Output(buffer)])
        return Adjoint(buffer, None, True)

    def upstream(self, g: Adjoint, moves: bool, node: Node) -> Any:
        variable = _Upstream(held(g.value, node.device), g.owned, g.owns_mask)
        if g.mask is None or not moves:
            return variable
        return MaskedVariable(variable, Variable(held(g.mask, node.device)))

    def on_arrays(self, g: Adjoint, node: Structural, receivers: Sequence[Any]) -> bool:
        """Run the rule of a node on plain arrays, if it can be. False if not."""
        return on_arrays(g, node, receivers)

    def variable(self, a: Value) -> Variable:
        return Variable(a)

    def output(self, node: Structural) -> Variable:
        return Variable(held(node.output, node.device))

    def region_vjp(
        self,
        node: Region,
        plan: GradientPlan,
        arrived: Sequence[Adjoint | None],
        asked: Sequence[tuple[int, Any]],
        extra: Sequence[tuple[int, Any]],
    ) -> None:
        """Run the backward plan of a region; its outputs go where they are asked for, stored or added by the kernel itself."""
        counters.backward += 1
        backend, extent = node.device.backend, node.extent
        if config._debug:
            checks.check_borrowed(node.saved.values())
        first = arrived[0]
        upstream, mask, single = None, None, False
        if first is not None and len(arrived) == 1:
            upstream, mask = first.value, first.mask
            single = first.owned and node.axes is None and sum(plan.alias) == 1
            if node.axes is not None:
                kept = reduced(extent, node.axes, True)
                upstream = upstream.reshape(kept)
                mask = mask.reshape(kept) if mask is not None else None
            ups: Sequence[Any] = (upstream,)
            taking: Sequence[Any] = (mask,)
        else:
            ups = [None if a is None else a.value for a in arrived]
            taking = [None if a is None else a.mask for a in arrived]
        sinks: list[Output] = []
        copies: list[tuple[DType, Any, Output]] = []  # outputs that are the upstream gradient, or its mask, itself

        def write(buffer: Any, place: int | None, source: Any, add: bool = False) -> None:
            over: tuple[int, ...] = ()
            if buffer.shape != extent:
                over = summed_axes(buffer.shape, extent)
                buffer = buffer.reshape(reduced(extent, over, True))
            if place is None:
                copies.append((buffer.dtype, source, Output(buffer, over, add)))
            else:
                sinks.append(Output(buffer, over, add))

        passed: list[tuple[Any, Adjoint]] = []
        written: list[tuple[Any, Any, Any, bool]] = []
        for k, (n, to) in enumerate(asked):
            if plan.values[k] is None:
                continue
            place, mask_place = plan.places[k]
            if plan.alias[k] and node.shapes[n] == extent and type(to.node) is not Leaf:
                passing = mask if plan.masks[k] is not None else None
                if node.axes is not None:  # what is passed on must be repeated here; a plan does it by itself
                    upstream = _repeated(backend, upstream, extent)
                    passing = None if passing is None else _repeated(backend, passing, extent)
                passed.append((to, Adjoint(upstream, passing, single)))
                continue
            buffer, add = to.buffer()
            write(buffer, place, upstream, add)
            new_mask = None
            if plan.masks[k] is not None:
                new_mask = backend.empty(node.shapes[n], BOOL)
                write(new_mask, mask_place, mask)
            written.append((to, buffer, new_mask, add))
        inside: list[tuple[Any, Any]] = []
        for k, (_, receive) in enumerate(extra, len(asked)):
            value = plan.values[k]
            if value is not None:
                buffer = backend.empty(extent, value.dtype)
                write(buffer, plan.places[k][0], upstream)
                inside.append((receive, buffer))
        if sinks:
            arrays = []
            for s in plan.program.sources:
                kind, k = s.kind, s.index
                if kind is Kind.INPUT:
                    arrays.append(node.saved[k].array)
                elif kind is Kind.UPSTREAM:
                    arrays.append(ups[k])
                else:
                    arrays.append(node.outputs[k] if kind is Kind.OUTPUT else taking[k])
            backend.run(plan.program, extent, arrays, node.scalars, sinks)
        for dtype, source, sink in copies:
            backend.run(identity(dtype), extent, [source], (), [sink])
        for to, buffer, new_mask, add in written:  # only now has anything been computed
            to.wrote(buffer, new_mask, add)
        for to, c in passed:
            to.arrive(c)
        for receive, buffer in inside:
            receive(held(buffer, node.device, True))
        if config._debug:
            made = [c.value for _, c in passed] + [w[1] for w in written if not w[3]]
            checks.check_gradients(node, made, [u for u in ups if u is not None])

    def region_jvp(self, node: Region, plan: TangentPlan, moving: Mapping[int, Adjoint]) -> list[Adjoint | None]:
        """Run the tangent plan of a region: the tangents of its outputs."""
        backend = node.device.backend
        arrays: list[Any] = []
        for source in plan.program.sources:
            kind, n = source.kind, source.index
            if kind is Kind.OUTPUT:
                arrays.append(node.outputs[n])
            elif kind is Kind.INPUT:
                arrays.append(close(node.saved[n]))
            else:
                arrays.append(close((moving[n].value if kind is Kind.TANGENT else moving[n].mask)._value))
        outputs = [backend.empty(node.shape, dtype) for dtype in plan.program.dtypes]
        axes = node.axes or ()
        sinks = [Output(a.reshape(reduced(node.extent, axes, True)), axes) for a in outputs]
        backend.run(plan.program, node.extent, arrays, node.scalars, sinks)
        if config._debug:
            checks.check_gradients(node, outputs[: len(plan.values)], [t.value._value.array for t in moving.values()])
        made = iter([Variable(held(a, node.device, True)) for a in outputs])
        values = [None if v is None else next(made) for v in plan.values]
        masks = [None if m is None else next(made) for m in plan.masks]
        return [None if v is None else Adjoint(v, m) for v, m in zip(values, masks, strict=True)]

    def structural_jvp(self, node: Structural, arrived: Sequence[Adjoint | None]) -> Adjoint:
        return _structural_jvp(self, node, arrived)


# ------------------------------------------------------------------------------------------------------- recorded


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
        zeros = Variable(filled(node.shape, 0, node.dtype, node.device))
        if mask is None and self._loses(index):
            mask = Variable(filled(value.shape, True, BOOL, node.device))
        if mask is not None:
            mask = index_add(Variable(filled(node.shape, False, BOOL, node.device)), mask, index=index)
        self.arrive(Adjoint(index_add(zeros, value, index=index), mask))

    def add_product(self, a: Variable, b: Variable) -> None:
        self.arrive(Adjoint(matmul(a, b)))

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
            seeds[s] = a.value if node.axes is None else spread(a.value, node.extent, node.axes)
            if k in plan.upstream_masks:
                seeds[plan.upstream_masks[k]] = a.mask if node.axes is None else spread(a.mask, node.extent, node.axes)
        known = on_variables(node, [*plan.values, *plan.masks], seeds, plan.names, plan.nodes)
        for k, (n, to) in enumerate(asked):
            value, m = plan.values[k], plan.masks[k]
            if value is not None:
                shape = node.shapes[n]
                to.arrive(Adjoint(sum_to(known[value], shape), sum_to(known[m], shape) if m is not None else None))
        for k, (_, receive) in enumerate(extra, len(asked)):
            value = plan.values[k]
            if value is not None:
                receive(known[value]._value)

    def region_jvp(self, node: Region, plan: TangentPlan, moving: Mapping[int, Adjoint]) -> list[Adjoint | None]:
        """The symbols of the tangent plan of a region, on variables: the tangents of its outputs."""
        seeds = {s: moving[n].value for n, s in plan.tangents.items()}
        seeds |= {s: m for n, s in plan.taking.items() if (m := moving[n].mask) is not None}
        known = on_variables(node, [*plan.values, *plan.masks], seeds, plan.names, plan.nodes)

        def whole(s: Sym | None) -> Variable | None:
            if s is None:
                return None
            v: Variable = known[s]
            return v if node.axes is None else reshape(collect(v, axes=node.axes, keepdims=True), shape=node.shape)

        return [
            None if v is None else Adjoint(whole(v), whole(m)) for v, m in zip(plan.values, plan.masks, strict=True)
        ]

    def structural_jvp(self, node: Structural, arrived: Sequence[Adjoint | None]) -> Adjoint:
        return _structural_jvp(self, node, arrived)


Arithmetic = InPlace | Recorded


def _structural_jvp(arithmetic: Arithmetic, node: Structural, arrived: Sequence[Adjoint | None]) -> Adjoint:
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
