"""The reverse walk: gradients from the roots to the leaves, highest number first.

Every node receives the sum of what its users send and sends on local gradient times upstream gradient: a region by its
backward plan, a structural op by its vjp. Each contribution is stored (the first), added in place (to a buffer that is
the walk's own) or passed on as it is. With create_graph the same rules run on values and are recorded themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..backends.cpu.pool import is_whole
from ..backends.devices import Device
from ..backends.protocol import Output
from ..base import errors
from ..base.config import config
from ..base.counters import counters
from ..base.dtypes import BOOL
from ..base.modes import set_grad_enabled
from ..base.shapes import DType, Shape, reduced, summed_axes
from ..ops import elementwise as ew
from ..ops.op import Masked
from ..ops.structural import At, Call, Product, Zeroed, index_add, matmul, setitem, spread, sum_to
from ..plans.plan import GradientPlan, GradientRequest
from ..plans.program import OUTPUT, UPSTREAM, UPSTREAM_MASK, identity
from . import checks
from .closing import LOCK, Called, Leaf, Node, Region, Slot, close, reachable
from .pending import Value, filled
from .replay import on_values


class Adjoint:
    """The gradient that has arrived at a node so far: an array, its mask, and whether it may be added to in place.

    In a traced walk (create_graph) array and mask are values.
    """

    __slots__ = ("array", "mask", "owned")

    def __init__(self, array: Any, mask: Any, owned: bool) -> None:
        self.array = array
        self.mask = mask
        self.owned = owned


class Wanted:
    """A gradient that the caller wants back: of a node, or of an interior node of a region."""

    __slots__ = ("interior", "node", "value")

    def __init__(self, v: Value) -> None:
        self.node: Node | None = v.node
        self.interior: tuple[Region, int] | None = None
        self.value: Value | None = None
        if v.absorbed is not None and isinstance(region := v.absorbed(), Region):
            self.interior = region, region.find(v)

    def add(self, gradient: Value) -> None:
        self.value = gradient if self.value is None else self.value + gradient


class Walk:
    """One reverse walk. `run` takes the nodes highest number first and sends each one's gradient to its targets."""

    def __init__(self, wanted: Sequence[Wanted] | None, retain: bool, traced: bool) -> None:
        self.retain = retain
        self.traced = traced
        self.accumulate = wanted is None  # leaves keep what arrives; otherwise only `wanted` do
        self.adjoints: dict[Node, Adjoint] = {}
        self.by_node: dict[Node, list[Wanted]] = {}
        self.by_interior: dict[Node, list[tuple[int, Wanted]]] = {}
        self.in_place: dict[Slot, Adjoint] = {}  # gradients being added to: incomplete if the walk fails
        for w in wanted or ():
            if w.node is not None:
                self.by_node.setdefault(w.node, []).append(w)
            if w.interior is not None:
                self.by_interior.setdefault(w.interior[0], []).append((w.interior[1], w))

    def run(self, roots: Sequence[tuple[Node, Value]]) -> None:
        order = reachable([node for node, _ in roots])
        needed = self._needed(order)
        leaves: list[tuple[Leaf, Adjoint | None]] = []
        try:
            for node, gradient in roots:
                if node in needed:
                    self._arrive(node, Adjoint(gradient if self.traced else close(gradient), None, False))
            while order:
                node = order.pop()
                if node not in needed:
                    continue
                adjoint = self.adjoints.pop(node, None)
                if isinstance(node, Leaf):
                    if adjoint is not None and node.hooks:
                        adjoint = self._hooked(node, adjoint)
                    leaves.append((node, adjoint))
                    continue
                if node.freed:
                    raise errors.graph_freed(node.name)
                if adjoint is not None:
                    if node.hooks:
                        adjoint = self._hooked(node, adjoint)
                    self._keep(node, adjoint)
                    if isinstance(node, Region):
                        self._through_region(node, adjoint, needed)
                    elif isinstance(node, Called):
                        self.through_call(node, adjoint, needed)
                if not self.retain:
                    node.free()
            for leaf, adjoint in leaves:
                self._deliver(leaf, adjoint)
        except BaseException as e:
            for slot in self.in_place:
                slot.invalid = f"{type(e).__name__}: {e}"
            if isinstance(e, MemoryError) and not self.retain:
                for node in (*order, *self.adjoints):  # what was kept for this walk is memory, too
                    node.free()
                self.adjoints.clear()
            raise
        finally:
            for slot in self.in_place:
                slot.adding = False

    def _needed(self, order: Sequence[Node]) -> set[Node]:
        """The nodes from which a wanted gradient can be reached; all of them when leaves accumulate."""
        if self.accumulate:
            return set(order)
        needed: set[Node] = set()
        for node in order:  # lowest number first: targets before their users
            if node in self.by_node or node in self.by_interior or any(t in needed for t in node.targets):
                needed.add(node)
        return needed

    # ---- what happens to the gradient of one node

    def _hooked(self, node: Node, adjoint: Adjoint) -> Adjoint:
        for hook in list(node.hooks):  # one may remove itself
            given = self._as_value(adjoint, node)
            result = hook(given)
            if result is not None:
                if result.shape != node.shape:
                    raise errors.hook_changed("shape", result.shape, node.shape)
                if result.dtype != node.dtype:
                    raise errors.hook_changed("dtype", result.dtype, node.dtype)
                adjoint = Adjoint(result if self.traced else close(result), None, False)
            else:
                adjoint.owned = False  # the hook may have kept what it was shown
        return adjoint

    def _keep(self, node: Node, adjoint: Adjoint) -> None:
        for w in self.by_node.get(node, ()):
            w.add(self._as_value(adjoint, node))
            adjoint.owned = False
        if node.slot is not None and self.accumulate:
            node.slot.add(self._as_value(adjoint, node))
            adjoint.owned = False

    def _deliver(self, leaf: Leaf, adjoint: Adjoint | None) -> None:
        """The end of the way: into the leaf's slot, or to whoever wanted it."""
        slot = leaf.slot
        assert slot is not None
        if adjoint is None:
            adjoint = self._zero(leaf)
        for w in self.by_node.get(leaf, ()):
            w.add(self._as_value(adjoint, leaf))
        if not self.accumulate:
            return
        if slot.value is not None and slot.value.array is adjoint.array and not self.traced:
            return  # it was added to in place
        if not self.traced and not adjoint.owned:
            device = leaf.device
            buffer = slot.buffer(device, leaf.shape, leaf.dtype)
            device.backend.run(identity(leaf.dtype), leaf.shape, [adjoint.array], (), [Output(buffer)])
            adjoint = Adjoint(buffer, None, True)
        slot.add(self._as_value(adjoint, leaf))

    def _zero(self, leaf: Leaf) -> Adjoint:
        device = leaf.device
        value = filled(leaf.shape, 0, leaf.dtype, device)
        return Adjoint(value if self.traced else value.array, None, True)

    def _as_value(self, adjoint: Adjoint, node: Node) -> Value:
        if self.traced:
            return adjoint.array
        a = adjoint.array
        return Value(a, node.shape, node.dtype, node.device, False, None, adjoint.owned)

    # ---- contributions

    def _arrive(self, target: Node, c: Adjoint) -> None:
        """One more contribution: store the first, add the later ones in place where the buffer is the walk's own."""
        have = self.adjoints.get(target) if self.traced else self._present(target)
        if have is None:
            self.adjoints[target] = c
            return
        mask = None
        if have.mask is not None and c.mask is not None:
            mask = ew.logical_or(have.mask, c.mask) if self.traced else _either(target.device, have.mask, c.mask)
        if self.traced:
            self.adjoints[target] = Adjoint(have.array + c.array, mask, False)
            return
        if not have.owned and c.owned:
            have, c = c, have
        backend = target.device.backend
        if not have.owned:
            buffer = backend.empty(target.shape, target.dtype)
            backend.run(identity(target.dtype), target.shape, [have.array], (), [Output(buffer)])
            have = Adjoint(buffer, None, True)
        backend.accumulate(have.array, c.array)
        have.mask = mask
        self.adjoints[target] = have

    def _present(self, target: Node) -> Adjoint | None:
        """What has arrived; for a leaf that already has a gradient of its own, that one, to be added to in place."""
        have = self.adjoints.get(target)
        if have is None and type(target) is Leaf and self.accumulate and not target.hooks:
            slot = target.slot
            assert slot is not None
            if slot.value is None:
                return None
            have = self.in_place.get(slot)  # two values of one leaf share it
            if have is None and slot.writable():
                have = self.in_place[slot] = Adjoint(slot.value.array, None, True)
                slot.adding = True
            if have is not None:
                self.adjoints[target] = have
        return have

    def _buffer(self, target: Node, shape: Shape, dtype: DType) -> Any:
        """Memory for the first contribution to a gradient: a leaf's last one, if nobody else can see it."""
        if type(target) is Leaf and self.accumulate and target.slot is not None and target.slot.spare is not None:
            return target.slot.buffer(target.device, shape, dtype)
        return target.device.backend.empty(shape, dtype)

    def _through_region(self, node: Region, adjoint: Adjoint, needed: set[Node]) -> None:
        ask = [(n, t) for n, t in zip(node.wanted, node.targets, strict=True) if t in needed and t is not None]
        extra: list[tuple[int, Wanted | Slot]] = list(self.by_interior.get(node, ()))
        if self.accumulate:
            extra += node.retained.items()
        moves = tuple([t.moves for _, t in ask])
        wanted, interior = tuple([n for n, _ in ask]), tuple([n for n, _ in extra])
        plan = node.plan.backward(GradientRequest(wanted, moves, interior, adjoint.mask is not None, node.axes is None))
        counters.backward += 1
        upstream, mask = adjoint.array, adjoint.mask
        if node.axes is not None:
            if self.traced:
                upstream = spread(upstream, node.extent, node.axes)
                mask = spread(mask, node.extent, node.axes) if mask is not None else None
            else:
                kept_shape = reduced(node.extent, node.axes, True)
                upstream = upstream.reshape(kept_shape)
                mask = mask.reshape(kept_shape) if mask is not None else None
                if any(plan.alias):  # what is passed on must be repeated here; a plan does it by itself
                    xp = node.device.backend.xp
                    upstream = xp.broadcast_to(upstream, node.extent)
                    mask = xp.broadcast_to(mask, node.extent) if mask is not None else None
        run = self._traced_region if self.traced else self._computed_region
        for target, contribution in run(node, plan, ask, extra, upstream, mask, adjoint.owned and node.axes is None):
            self._arrive(target, contribution)

    def _computed_region(
        self,
        node: Region,
        plan: GradientPlan,
        ask: list[tuple[int, Node]],
        extra: Sequence[Any],
        upstream: Any,
        mask: Any,
        owned: bool,
    ) -> list[tuple[Node, Adjoint]]:
        backend = node.device.backend
        if config.debug:
            checks.check_borrowed(node.saved.values())
        sinks: list[Output] = []
        contributions: list[tuple[Node, Adjoint]] = []
        widened: list[tuple[Adjoint, Any]] = []  # masks of gradients that are added to in place
        single = sum(plan.alias) == 1
        aliases: list[Any] = []

        extent = node.extent

        def sink(shape: Shape, buffer: Any, add: bool, onto: list[Output]) -> None:
            axes: tuple[int, ...] = ()
            if shape != extent:
                axes = summed_axes(shape, extent)
                buffer = buffer.reshape(reduced(extent, axes, True))
            onto.append(Output(buffer, axes, add))

        for k, (n, target) in enumerate(ask):
            if plan.values[k] is None:
                continue
            shape, dtype = node.shapes[n], node.dtypes[n]
            place, mask_place = plan.places[k]
            whole = shape == node.extent
            if plan.alias[k] and whole and type(target) is not Leaf:
                contributions.append(
                    (target, Adjoint(upstream, mask if plan.masks[k] is not None else None, owned and single))
                )
                continue
            have = self._present(target)
            add = have is not None and have.owned
            buffer = have.array if have is not None and add else self._buffer(target, shape, dtype)
            onto = sinks
            if place is None:  # an alias that has to be written out
                onto = []
                aliases.append((dtype, upstream, onto))
            sink(shape, buffer, add, onto)
            new_mask = None
            if plan.masks[k] is not None:
                new_mask = backend.empty(shape, BOOL)
                onto = sinks
                if mask_place is None:
                    onto = []
                    aliases.append((BOOL, mask, onto))
                sink(shape, new_mask, False, onto)
            if have is None or not add:
                contributions.append((target, Adjoint(buffer, new_mask, True)))
            elif have.mask is not None:
                widened.append((have, new_mask))
        inside = [
            self._interior(node, plan, j, sinks, upstream, aliases) for j in range(len(ask), len(ask) + len(extra))
        ]
        if sinks:
            arrays = []
            for source in plan.program.sources:
                if source is UPSTREAM:
                    arrays.append(upstream)
                elif source is UPSTREAM_MASK:
                    arrays.append(mask)
                else:
                    arrays.append(node.output if source is OUTPUT else node.saved[source.index].array)
            backend.run(plan.program, node.extent, arrays, node.scalars, sinks)
        for dtype, source, onto in aliases:
            backend.run(identity(dtype), node.extent, [source], (), onto)
        # Only now has anything been computed.
        for have, new_mask in widened:
            both = have.mask is not None and new_mask is not None
            have.mask = _either(node.device, have.mask, new_mask) if both else None
        for (_, receiver), value in zip(extra, inside, strict=True):
            if value is not None:
                receiver.add(value)
        if config.debug:
            checks.check_gradients(node, [c.array for _, c in contributions], [upstream])
        return contributions

    def _interior(
        self, node: Region, plan: GradientPlan, j: int, sinks: list[Output], upstream: Any, aliases: list[Any]
    ) -> Value | None:
        if plan.values[j] is None:
            return None
        dtype = plan.values[j].dtype  # type: ignore[union-attr]
        buffer = node.device.backend.empty(node.extent, dtype)
        if plan.places[j][0] is None:
            aliases.append((dtype, upstream, [Output(buffer)]))
        else:
            sinks.append(Output(buffer))
        return Value(buffer, node.extent, dtype, node.device, False, None, True)

    def _traced_region(
        self, node: Region, plan: GradientPlan, ask: list[tuple[int, Node]], extra: Sequence[Any], upstream: Value, mask: Value | None,
        owned: bool,
    ) -> list[tuple[Node, Adjoint]]:  # fmt: skip
        seeds = {plan.upstream: upstream}
        if plan.upstream_mask is not None and mask is not None:
            seeds[plan.upstream_mask] = mask
        known = on_values(node, [*plan.values, *plan.masks], seeds, plan.names, plan.nodes)
        for (_, receiver), value in zip(extra, plan.values[len(ask) :], strict=True):
            if value is not None:
                receiver.add(known[value])
        contributions = []
        for k, (n, target) in enumerate(ask):
            value, m = plan.values[k], plan.masks[k]
            if value is not None:
                shape = node.shapes[n]
                contributions.append(
                    (
                        target,
                        Adjoint(sum_to(known[value], shape), sum_to(known[m], shape) if m is not None else None, False),
                    )
                )
        return contributions

    def through_call(self, node: Called, adjoint: Adjoint, needed: set[Node]) -> None:
        needs = tuple(t is not None and t in needed for t in node.targets)
        output = None
        if node.output is not None:
            output = Value(
                node.output, node.shape, node.dtype, node.device, self.traced, node if self.traced else None, False
            )
        record = Call(node.shapes, needs, node.inputs, output)
        assert node.op.rule is not None
        with set_grad_enabled(self.traced):
            g = self._as_value(adjoint, node)
            g.owned = False
            given = node.op.rule(g, record, **node.params)
        parts = [p.factor if isinstance(p, Masked) else p for p in given]
        masks = [p.mask if isinstance(p, Masked) else None for p in given]
        if adjoint.mask is not None and node.op.moves:
            m = adjoint.mask
            if not self.traced:
                m = Value(m, m.shape, BOOL, node.device, False, None, False)
            with set_grad_enabled(False):
                masks = node.op.rule(m, record, **node.params)
        sent = [
            (t, p, m)
            for t, p, m, n in zip(node.targets, parts, masks, needs, strict=True)
            if n and t is not None and p is not None
        ]
        zeroed = any(isinstance(p, Zeroed) for _, p, _ in sent)  # writes to the upstream gradient: goes last
        for target, part, m in sorted(sent, key=lambda s: isinstance(s[1], Zeroed)):
            self._send(target, part, m, adjoint, g, zeroed)

    def _send(self, target: Node, part: Any, mask: Any, adjoint: Adjoint, g: Value, last: bool) -> None:
        device = target.device
        backend = device.backend
        if isinstance(part, Zeroed):
            if self.traced:
                zero = np.zeros((), target.dtype)
                m = setitem(adjoint.mask, np.zeros((), BOOL), index=part.index) if adjoint.mask is not None else None
                self._arrive(target, Adjoint(setitem(g, zero, index=part.index), m, False))
                return
            array, m = adjoint.array, adjoint.mask
            if not adjoint.owned:
                array = backend.copy(array)
            backend.write(array, part.index, backend.full((), 0, target.dtype))
            if m is not None:
                m = backend.copy(m)
                backend.write(m, part.index, backend.full((), False, BOOL))
            self._arrive(target, Adjoint(array, m, True))
        elif isinstance(part, At):
            if self.traced:
                zeros = filled(target.shape, 0, target.dtype, device)
                m = None
                if mask is not None:
                    with set_grad_enabled(False):
                        m = index_add(filled(target.shape, False, BOOL, device), mask.value, index=part.index)
                self._arrive(target, Adjoint(index_add(zeros, part.value, index=part.index), m, False))
                return
            have = self._present(target)
            if have is None or not have.owned:
                new = Adjoint(backend.full(target.shape, 0, target.dtype), None, True)
                if mask is not None and have is None:
                    new.mask = backend.full(target.shape, False, BOOL)
                if have is not None:
                    backend.accumulate(new.array, have.array)
                    new.mask = backend.copy(have.mask) if have.mask is not None and mask is not None else None
                have = self.adjoints[target] = new
            backend.scatter_add(have.array, part.index, close(part.value))
            if have.mask is not None:
                if mask is None:
                    have.mask = None
                else:
                    have.mask = backend.copy(have.mask)  # it may be shared with another gradient
                    backend.scatter_add(have.mask, part.index, close(mask.value))
        elif isinstance(part, Product):
            if self.traced:
                self._arrive(target, Adjoint(matmul(*part), None, False))
                return
            have = self._present(target)
            add = have is not None and have.owned
            buffer = have.array if have is not None and add else self._buffer(target, target.shape, target.dtype)
            backend.matmul(close(part.a), close(part.b), buffer, add)
            if have is not None and add:
                have.mask = None
            else:
                self._arrive(target, Adjoint(buffer, None, True))
        elif self.traced:
            self._arrive(target, Adjoint(part, mask, False))
        else:
            array = close(part)
            if last and not is_whole(array):
                array = backend.copy(array)  # its base is about to be written to
            own = is_whole(array) and array is not adjoint.array
            self._arrive(target, Adjoint(array, close(mask) if mask is not None else None, own))


def _either(device: Device, a: Any, b: Any) -> Any:
    """Where one of two masks is true: a new array."""
    both = device.backend.copy(a)
    device.backend.accumulate(both, b)
    return both


def backward(roots: Sequence[tuple[Value, Value]], retain: bool, traced: bool) -> None:
    """Add the gradients of `roots` to the slots of all leaves below them."""
    for v, _ in roots:
        close(v)
    with LOCK, set_grad_enabled(traced):  # two walks may meet in one leaf
        Walk(None, retain, traced).run([(v.node, g) for v, g in roots])


def gradients(
    roots: Sequence[tuple[Value, Value]], inputs: Sequence[Value], retain: bool, traced: bool
) -> list[Value | None]:
    """The gradients of `roots` in `inputs`; None where an input was not used."""
    for v, _ in roots:
        close(v)
    wanted = [Wanted(v) for v in inputs]
    with set_grad_enabled(traced):
        Walk(wanted, retain, traced).run([(v.node, g) for v, g in roots])
    return [w.value for w in wanted]
