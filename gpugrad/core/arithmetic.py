"""The arithmetic of the passes over the tape that works in place, on arrays; `recorded` has the other.

The passes and the rules are written once, for two arithmetics. What differs is how contributions to a gradient are summed (the
accumulators) and how the derivative plan of a region is run. In place, each contribution is stored (the first), added (to a buffer
that the pass owns) or passed on as it is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..backends.cpu.pool import is_whole
from ..backends.protocol import Backend, Output
from ..base.config import config
from ..base.counters import counters
from ..base.dtypes import BOOL
from ..base.index import is_basic
from ..base.shapes import DType, Shape, reduced, summed_axes
from ..plans.plan import GradientPlan, TangentPlan
from ..plans.program import Kind, identity
from . import checks
from .adjoints import Accumulator, Adjoint, structural_jvp
from .closing import close
from .nodes import Leaf, Node, Region, Structural
from .on_arrays import on_arrays
from .ownership import may_overwrite
from .value import Value, held
from .variable import MaskedVariable, Variable


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
        fresh = self.value is None and is_basic(index)
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
        if fresh:  # there is nothing to add to
            backend.write(self.value, index, part)
        else:
            backend.scatter_add(self.value, index, part)
        if self.mask is not None:
            if mask is None:
                backend.write(self.mask, index, backend.full((), True, BOOL))
            else:
                backend.scatter_add(self.mask, index, mask)

    def add_product(self, a: Variable, b: Variable, turn_a: bool, turn_b: bool) -> None:
        self.multiply(close(a._value), close(b._value), turn_a, turn_b)

    def multiply(self, a: Any, b: Any, turn_a: bool, turn_b: bool) -> None:
        """The product of two arrays, or of them with their last two axes exchanged."""
        buffer, added = self.buffer()
        a = a.swapaxes(-1, -2) if turn_a else a
        b = b.swapaxes(-1, -2) if turn_b else b
        out = buffer if buffer.ndim > 1 else buffer.reshape(a.shape[-2], b.shape[-1])
        self.node.device.backend.matmul(a, b, out, added)
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


# How many sums the compiled driver makes beside each other without dividing one in fewer parts (kernels/sums.h).
FEW_SUMS = 8192


def _sums(node: Region, asked: Sequence[tuple[int, Any]]) -> bool:
    """Whether a gradient is summed, so that beside it the sum at the end of the region might be made in another order than without it.

    That of a region with rows is not, as long as the sums are few: it is divided by rows, whatever else is summed.
    """
    summed = [math.prod(node.shapes[n]) for n, _ in asked if node.shapes[n] != node.extent]
    return bool(summed) and (node.rows is None or sum(summed) >= FEW_SUMS)


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

    def __init__(self) -> None:
        # Regions that the pass begins with and that are still to be computed, the last first. The gradients of all but the first to be
        # computed depend on nothing; that one is computed together with its gradients.
        self.jobs: Sequence[Any] = ()

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
        job = None
        if self.jobs and self.jobs[-1].node is node and not self.jobs[-1].done:
            if plan is node.plan.usual(node.stored) and (node.stored or not _sums(node, asked)):
                job = self.jobs[-1]
                plan = node.plan.joint(tuple([type(to.node) is not Leaf for _, to in asked]))
            else:
                for j in reversed(self.jobs):
                    j.compute()
        counters.backward += 1
        backend, extent = node.device.backend, node.extent
        if config._debug:
            checks.check_borrowed(node.saved.values())
        first = arrived[0]
        upstream, mask, single = None, None, False
        kept: Shape = extent if node.axes is None else reduced(extent, node.axes, True)
        if first is not None and len(arrived) == 1:
            upstream, mask = first.value, first.mask
            single = first.owned and node.axes is None and sum(plan.alias) == 1
            if node.axes is not None:
                upstream = upstream.reshape(kept)
                mask = mask.reshape(kept) if mask is not None else None
            ups: Sequence[Any] = (upstream,)
            taking: Sequence[Any] = (mask,)
        else:
            ups = [None if a is None else a.value.reshape(kept) for a in arrived]
            taking = [None if a is None or a.mask is None else a.mask.reshape(kept) for a in arrived]
        sinks: list[Output] = list(job.sinks) if job is not None else []
        copies: list[
            tuple[DType, Shape, Any, Output]
        ] = []  # outputs that are the upstream gradient, or its mask, itself
        row = extent if node.rows is None else node.rows.kept

        def write(buffer: Any, place: int | None, source: Any, add: bool = False, whole: Shape = extent) -> None:
            over: tuple[int, ...] = ()
            if buffer.shape != whole:
                over = summed_axes(buffer.shape, whole)
                buffer = buffer.reshape(reduced(whole, over, True))
            if place is None:
                copies.append((buffer.dtype, whole, source, Output(buffer, over, add)))
            else:
                sinks.append(Output(buffer, over, add))

        passed: list[tuple[Any, Adjoint]] = []
        written: list[tuple[Any, Any, Any, bool]] = []
        for k, (n, to) in enumerate(asked):
            if plan.values[k] is None:
                continue
            place, mask_place = plan.places[k]
            opened = node.opened.get(n)
            shape, whole = (node.shapes[n], extent) if opened is None else (opened, row)
            if plan.alias[k] and shape == whole and type(to.node) is not Leaf:
                passing = mask if plan.masks[k] is not None else None
                found: Any = upstream
                if opened is not None:
                    found = found.reshape(node.shapes[n])
                    passing = None if passing is None else passing.reshape(node.shapes[n])
                elif node.axes is not None:  # what is passed on must be repeated here; a plan does it by itself
                    found = _repeated(backend, found, extent)
                    passing = None if passing is None else _repeated(backend, passing, extent)
                passed.append((to, Adjoint(found, passing, single)))
                continue
            buffer, add = to.buffer()
            write(buffer.reshape(shape), place, upstream, add, whole)
            new_mask = None
            if plan.masks[k] is not None:
                new_mask = backend.empty(node.shapes[n], BOOL)
                write(new_mask.reshape(shape), mask_place, mask, False, whole)
            written.append((to, buffer, new_mask, add))
        inside: list[tuple[Any, Any]] = []
        for k, (n, receive) in enumerate(extra, len(asked)):
            value = plan.values[k]
            if value is not None:
                shape = node.shape_inside(n)
                buffer = backend.empty(shape, value.dtype)
                if shape == extent:
                    write(buffer, plan.places[k][0], upstream)
                else:
                    write(buffer.reshape(row), plan.places[k][0], upstream, False, row)
                inside.append((receive, buffer))
        if sinks:
            arrays = []
            for s in plan.program.sources:
                kind, k = s.kind, s.index
                if kind is Kind.INPUT:
                    a = (node.saved[k] if job is None else job.found.inputs[k]).array
                    arrays.append(a.reshape(node.opened[k]) if k in node.opened else a)
                elif kind is Kind.UPSTREAM:
                    arrays.append(ups[k])
                else:
                    arrays.append(node.outputs[k].reshape(kept) if kind is Kind.OUTPUT else taking[k])
            backend.run(plan.program, extent, arrays, node.scalars, sinks, () if node.rows is None else node.rows.axes)
        if job is not None:
            job.finish()
        for dtype, whole, source, sink in copies:
            backend.run(identity(dtype), whole, [source], (), [sink])
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
        axes = node.axes or ()
        kept = reduced(node.extent, axes, True)
        for source in plan.program.sources:
            kind, n = source.kind, source.index
            if kind is Kind.OUTPUT:
                arrays.append(node.outputs[n].reshape(kept))
                continue
            v = (
                node.saved[n]
                if kind is Kind.INPUT
                else (moving[n].value if kind is Kind.TANGENT else moving[n].mask)._value
            )
            arrays.append(close(v).reshape(node.opened[n]) if n in node.opened else close(v))
        outputs = [backend.empty(node.shape, dtype) for dtype in plan.program.dtypes]
        sinks = [Output(a.reshape(kept), () if node.stored else axes) for a in outputs]
        across = () if node.rows is None else node.rows.axes
        backend.run(plan.program, node.extent, arrays, node.scalars, sinks, across)
        if config._debug:
            checks.check_gradients(node, outputs[: len(plan.values)], [t.value._value.array for t in moving.values()])
        made = iter([Variable(held(a, node.device, True)) for a in outputs])
        values = [None if v is None else next(made) for v in plan.values]
        masks = [None if m is None else next(made) for m in plan.masks]
        return [None if v is None else Adjoint(v, m) for v, m in zip(values, masks, strict=True)]

    def structural_jvp(self, node: Structural, arrived: Sequence[Adjoint | None]) -> Adjoint:
        return structural_jvp(self, node, arrived)
