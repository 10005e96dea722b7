"""The tape: nodes, closing a region, and the reverse walk that writes gradients.

The tape is not a list: it is the nodes reachable from a value. Each is numbered when it is made, so that numbers are a
topological order, and the walk takes the highest first. There are three kinds: a `Leaf` (its gradient goes to a slot),
a `Region` (elementwise ops, possibly summed at the end) and a `Called` structural op. This is the one place where
regions are closed and the one place that owns gradient buffers.
"""

from __future__ import annotations

import itertools
import sys
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from . import debug, errors
from . import elementwise as ew
from .backends import Device, Sink
from .config import MAX_INPUTS, config, grad_mode, set_grad_enabled
from .expr import Value
from .ops import Masked, cast, evaluate
from .plan import Backward, Plan, Program, Request, Structure, plans, structure
from .shapes import DType, Shape, reduced, summed_axes
from .structural import At, Call, StructuralOp, Zeroed, collect, index_add, kept, setitem, spread, sum_to
from .symbolic import BOOL, Graph, Sym

_numbers = itertools.count()
LOCK = threading.RLock()  # covers closing (two threads that read one tensor compute it once) and adding to leaves


class Slot:
    """Where the gradient of a tensor is kept. A tensor and its value both point here; it points to neither."""

    __slots__ = ("__weakref__", "invalid", "spare", "value")

    def __init__(self) -> None:
        self.value: Value | None = None
        self.spare: Any = None  # the buffer of the last gradient, for the next one to be written to
        self.invalid = ""  # why the gradient must not be read

    def clear(self) -> None:
        """Forget the gradient, keep its buffer: no pass over memory."""
        if self.value is not None and self.value.array is not None and self.value.owned:
            self.spare = self.value.array
        self.value = None
        self.invalid = ""

    def buffer(self, device: Device, shape: Shape, dtype: DType) -> Any:
        """A buffer to write the next gradient to: the spare one if nobody else can see it."""
        spare, self.spare = self.spare, None
        holder = _Holder(spare)
        del spare
        fits = holder.array is not None and holder.array.shape == shape and holder.array.dtype == dtype
        if fits and device.backend.sole_owner(holder.array):
            return holder.array
        return device.backend.empty(shape, dtype)

    def writable(self) -> bool:
        """True if the gradient may be added to in place: nobody was given it."""
        v = self.value
        return (
            v is not None and v.array is not None and v.owned and sys.getrefcount(v) <= _SLOT_ONLY
            and bool(v.device.backend.sole_owner(v.array))
        )  # fmt: skip

    def add(self, value: Value) -> None:
        """Add a gradient to what is there."""
        if self.value is None:
            self.value = value
        else:
            with set_grad_enabled(value.requires_grad or self.value.requires_grad):
                self.value = self.value + value
        if not self.value.requires_grad:
            close(self.value)


class _Holder:
    __slots__ = ("array",)

    def __init__(self, array: Any) -> None:
        self.array = array


class Node:
    """What every node of the tape has. targets: the nodes that its gradients go to."""

    __slots__ = ("__weakref__", "device", "dtype", "freed", "hooks", "line", "number", "shape", "slot", "targets")

    name = "node"
    moves = True  # a mask that arrives here is of use

    def __init__(self, value: Value, targets: tuple[Node | None, ...]) -> None:
        self.number = next(_numbers)
        self.shape = value.shape
        self.dtype = value.dtype
        self.device = value.device
        self.targets = targets
        self.line = value.line
        self.hooks: list[Callable[[Value], Value | None]] = []
        self.slot: Slot | None = None  # where retain_grad wants the gradient
        self.freed = False

    def free(self) -> None:
        """Let go of everything that was kept for backward."""
        self.freed = True
        self.targets = ()


class Leaf(Node):
    """A variable with no inputs. Several may share a slot: the values that one name has had."""

    __slots__ = ()
    name = "leaf"
    moves = False

    def __init__(self, value: Value, slot: Slot) -> None:
        super().__init__(value, ())
        self.slot = slot

    def free(self) -> None:
        """A leaf keeps nothing and is never used up."""


class Region(Node):
    """A closed elementwise expression: one node, whatever number of ops it holds.

    wanted: the inputs that require grad, aligned with `targets`. saved: the inputs that backward reads. output: the
    buffer it wrote, if backward reads it. axes: what it was summed over, None if it was not.
    """

    __slots__ = (
        "axes",
        "dtypes",
        "extent",
        "interior",
        "output",
        "plan",
        "retained",
        "saved",
        "scalars",
        "shapes",
        "wanted",
    )
    name = "region"

    def __init__(
        self, value: Value, array: Any, plan: Plan, found: Structure, interior: Sequence[Value], extent: Shape,
        axes: tuple[int, ...] | None,
    ) -> None:  # fmt: skip
        inputs = found.inputs
        wanted = tuple(n for n, a in enumerate(inputs) if a.requires_grad)
        super().__init__(value, tuple(inputs[n].node for n in wanted))
        self.plan = plan
        self.scalars = found.scalars
        self.extent = extent  # the shape that the ops have
        self.axes = axes
        self.wanted = wanted
        self.shapes = tuple(a.shape for a in inputs)
        self.dtypes = tuple(a.dtype for a in inputs)
        keep, reads_output = plan.needs(wanted, axes is None)
        self.saved = {n: inputs[n] for n in keep}
        self.output = array if reads_output else None
        self.interior = [weakref.ref(v) for v in interior]
        self.retained: dict[int, Slot] = {}

    def free(self) -> None:
        super().free()
        self.saved = {}
        self.output = None

    def default_backward(self) -> Backward:
        """The plan of the usual walk: every gradient, no masks."""
        return self.plan.backward(Request(self.wanted, (False,) * len(self.wanted), (), False, self.axes is None))

    def describe(self) -> str:
        """The ops of the region, for messages."""
        names = [op.name for op, _ in self.plan.calls()] + (["sum"] if self.axes is not None else [])
        return f"a region of {len(names)} ops ({', '.join(names[:8])}{', ...' if len(names) > 8 else ''})"

    def find(self, v: Value) -> int:
        """Where `v` stands among the interior nodes."""
        return next(n for n, r in enumerate(self.interior) if r() is v)


class Called(Node):
    """A call of a structural op."""

    __slots__ = ("inputs", "op", "output", "params", "shapes")

    def __init__(self, op: StructuralOp, inputs: Sequence[Value], params: dict[str, Any], output: Value) -> None:
        super().__init__(output, tuple(a.node if a.requires_grad else None for a in inputs))
        keep, reads_output = kept(op, [a.requires_grad for a in inputs])
        self.op = op
        self.params = params
        self.shapes = tuple(a.shape for a in inputs)
        self.inputs: tuple[Value | None, ...] = tuple(a if n in keep else None for n, a in enumerate(inputs))
        self.output = output.array if reads_output else None

    @property
    def name(self) -> str:  # type: ignore[override]  # the other kinds have a constant
        return self.op.name

    @property
    def moves(self) -> bool:  # type: ignore[override]
        return self.op.moves

    def free(self) -> None:
        super().free()
        self.inputs = ()
        self.output = None


# --------------------------------------------------------------------------------------------- closing a region

_DONE = weakref.ref(Slot)  # marks a value computed on the way by a region that has no node


def close(v: Value) -> Any:
    """The buffer of a value, computing its region if it is pending.

    All or nothing: after an error the value is still pending, and reading it tries again.
    """
    if v.array is None:
        with LOCK:
            if v.array is None:
                _close([v])
    return v.array


def close_together(values: Sequence[Value]) -> None:
    """Compute pending values; those of one shape and device that need no gradient as one region with many outputs."""
    with LOCK:
        groups: dict[Any, list[Value]] = {}
        for v in values:
            if v.array is None:
                recorded = v.requires_grad and type(v.node) is not Leaf
                groups.setdefault(id(v) if recorded else (v.shape, v.device), []).append(v)
        for group in groups.values():
            for part in _within_caps(list(dict.fromkeys(group))):
                left = [v for v in part if v.array is None]  # an earlier part may have needed some
                if left:
                    _close(left)


def _within_caps(values: list[Value]) -> Iterator[list[Value]]:
    """Values in parts that one region may hold."""
    part: list[Value] = []
    for v in values:
        ops, inputs = sum(p.weight for p in part) + v.weight, sum(p.fan_in for p in part) + v.fan_in
        if part and (ops > config.fuse or inputs > MAX_INPUTS):
            yield part
            part = []
        part.append(v)
    if part:
        yield part


def reduce_sum(v: Value, axes: tuple[int, ...], keepdims: bool) -> Value:
    """The sum of a value over axes (logical or for booleans); a pending value becomes the map of the reduction."""
    with LOCK:
        if v.absorbed is not None or v.node is not None:
            close(v)
        return _close([v], axes, keepdims)


def _close(roots: list[Value], axes: tuple[int, ...] | None = None, keepdims: bool = False) -> Value:
    root = roots[0]
    found = structure(roots, close)
    plan = plans.get(found)
    backend = root.device.backend
    extent = root.shape
    if axes is None:
        outputs = roots
        recorded = root.requires_grad and type(root.node) is not Leaf
        arrays = [backend.empty(extent, r.dtype) for r in roots]
        sinks = [Sink(a) for a in arrays]
    else:
        recorded = root.requires_grad and grad_mode.enabled
        outputs = [Value(None, reduced(extent, axes, keepdims), root.dtype, root.device, recorded, None, True)]
        if config.debug:
            outputs[0].line = debug.user_line()
        arrays = [backend.empty(outputs[0].shape, root.dtype)]
        sinks = [Sink(arrays[0].reshape(reduced(extent, axes, True)), axes)]
    if config.debug:
        debug.check_borrowed(found.inputs)
    backend.run(plan.forward, extent, [a.array for a in found.inputs], found.scalars, sinks)
    debug.counters.forward += 1
    if config.debug:
        debug.check_region(found, arrays)
    inner = set(found.nodes) - set(outputs)
    interior = [v for v in found.nodes if v in inner]
    node = Region(outputs[0], arrays[0], plan, found, interior, extent, axes) if recorded else None
    # Everything that can fail is behind us; a value with its array in place is computed, so that comes last.
    mark = weakref.ref(node) if node is not None else _DONE
    for n, v in enumerate(interior):
        v.absorbed = mark
        if node is not None and v.slot is not None and v.requires_grad:
            node.retained[n] = v.slot
    if node is not None:
        outputs[0].node = node
        node.slot = outputs[0].slot
    for v, array in zip(outputs, arrays, strict=True):
        v.array = array
        v.release_operands()
    return outputs[0]


def call(op: StructuralOp, args: Sequence[Any], params: dict[str, Any]) -> Value:
    """Run a structural op on values, at once."""
    if op is collect:
        return reduce_sum(args[0], **params)
    device = next(a.device for a in args if isinstance(a, Value))
    values = [a if isinstance(a, Value) else constant(a, device) for a in args]
    for a in values:
        if a.device is not device:
            raise errors.mixed_devices(op.name, device, a.device)
    arrays = [close(a) for a in values]
    debug.counters.calls += 1
    if config.debug:
        debug.check_borrowed(values)
    with np.errstate(all="ignore"):
        array = device.backend.xp.asarray(op.forward(device.backend.xp, *arrays, **params))
    grad = grad_mode.enabled and op.rule is not None and any(a.requires_grad for a in values)
    device = params.get("target", device)
    v = Value(array, array.shape, array.dtype, device, grad and array.dtype.kind != "b", None, array.base is None)
    if v.requires_grad:
        v.node = Called(op, values, params, v)
    if config.debug:
        debug.check_call(op.name, arrays, array)
    return v


def constant(data: Any, device: Device) -> Value:
    """A value holding a copy of plain data, without gradient."""
    array = device.backend.take_in(data, None)
    return Value(array, array.shape, array.dtype, device, False, None, True)


def written(x: Value, v: Value, index: Any) -> Value:
    """x with v written at an index, for the one name of x: in place where nobody else can tell."""
    close(x)
    new = close(v)
    grad = grad_mode.enabled and (x.requires_grad or v.requires_grad)
    if not (x.owned and sys.getrefcount(x) <= _ONE_NAME and x.device.backend.sole_owner(x.array)):
        return setitem(x, v, index=index)
    debug.counters.calls += 1
    x.array[index] = new
    result = Value(x.array, x.shape, x.dtype, x.device, grad, None, True)
    x.owned = False  # its buffer has moved on
    if grad:
        result.node = Called(setitem, (x, v), {"index": index}, result)
    return result


Value.closer = staticmethod(close)
Value.caller = staticmethod(call)


# ------------------------------------------------------------------------------------------------ the reverse walk


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
        self.in_place: list[Slot] = []  # gradients being added to: incomplete if the walk fails
        for w in wanted or ():
            if w.node is not None:
                self.by_node.setdefault(w.node, []).append(w)
            if w.interior is not None:
                self.by_interior.setdefault(w.interior[0], []).append((w.interior[1], w))

    def run(self, roots: Sequence[tuple[Node, Value]]) -> None:
        order = reachable([node for node, _ in roots])
        needed = self._needed(order)
        for node, gradient in roots:
            if node in needed:
                self._arrive(node, Adjoint(gradient if self.traced else close(gradient), None, False))
        leaves: list[tuple[Leaf, Adjoint | None]] = []
        try:
            while order:
                node = order.pop()
                if node not in needed:
                    continue
                adjoint = self.adjoints.pop(node, None)
                if isinstance(node, Leaf):
                    leaves.append((node, self._hooked(node, adjoint) if adjoint is not None else None))
                    continue
                if node.freed:
                    raise errors.graph_freed(node.name)
                if adjoint is not None:
                    adjoint = self._hooked(node, adjoint)
                    self._keep(node, adjoint)
                    if isinstance(node, Region):
                        self._through_region(node, adjoint, needed)
                    elif isinstance(node, Called):
                        self._through_call(node, adjoint, needed)
                if not self.retain:
                    node.free()
            for leaf, adjoint in leaves:
                self._deliver(leaf, adjoint)
        except BaseException as e:
            for slot in self.in_place:
                slot.invalid = f"{type(e).__name__}: {e}"
            raise

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
        for hook in node.hooks:
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
            device.backend.run(identity(leaf.dtype), leaf.shape, [adjoint.array], (), [Sink(buffer)])
            adjoint = Adjoint(buffer, None, True)
        slot.add(self._as_value(adjoint, leaf))

    def _zero(self, leaf: Leaf) -> Adjoint:
        device = leaf.device
        value = constant(np.zeros(leaf.shape, leaf.dtype), device)
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
            mask = ew.logical_or(have.mask, c.mask)
        if self.traced:
            self.adjoints[target] = Adjoint(have.array + c.array, mask, False)
            return
        if not have.owned and c.owned:
            have, c = c, have
        backend = target.device.backend
        if not have.owned:
            buffer = backend.empty(target.shape, target.dtype)
            backend.run(identity(target.dtype), target.shape, [have.array], (), [Sink(buffer)])
            have = Adjoint(buffer, None, True)
        backend.accumulate(have.array, c.array)
        self.adjoints[target] = Adjoint(have.array, mask, True)

    def _present(self, target: Node) -> Adjoint | None:
        """What has arrived; for a leaf that already has a gradient of its own, that one, to be added to in place."""
        have = self.adjoints.get(target)
        if have is None and type(target) is Leaf and self.accumulate and not target.hooks:
            slot = target.slot
            assert slot is not None
            if slot.writable():
                assert slot.value is not None
                self.in_place.append(slot)
                have = self.adjoints[target] = Adjoint(slot.value.array, None, True)
        return have

    def _through_region(self, node: Region, adjoint: Adjoint, needed: set[Node]) -> None:
        ask = [(n, t) for n, t in zip(node.wanted, node.targets, strict=True) if t in needed and t is not None]
        extra: list[tuple[int, Wanted | Slot]] = list(self.by_interior.get(node, ()))
        if self.accumulate:
            extra += node.retained.items()
        request = Request(
            tuple(n for n, _ in ask), tuple(t.moves for _, t in ask), tuple(n for n, _ in extra),
            adjoint.mask is not None, node.axes is None,
        )  # fmt: skip
        plan = node.plan.backward(request)
        debug.counters.backward += 1
        upstream, mask = adjoint.array, adjoint.mask
        if node.axes is not None:
            if self.traced:
                upstream = spread(upstream, node.extent, node.axes)
                mask = spread(mask, node.extent, node.axes) if mask is not None else None
            else:
                kept_shape = reduced(node.extent, node.axes, True)
                upstream = upstream.reshape(
                    kept_shape
                )  # a plan repeats it; only what is passed on must be repeated here
                mask = mask.reshape(kept_shape) if mask is not None else None
                if any(plan.alias):
                    xp = node.device.backend.xp
                    upstream = xp.broadcast_to(upstream, node.extent)
                    mask = xp.broadcast_to(mask, node.extent) if mask is not None else None
        run = self._traced_region if self.traced else self._computed_region
        for target, contribution in run(node, plan, ask, extra, upstream, mask, adjoint.owned and node.axes is None):
            self._arrive(target, contribution)

    def _computed_region(
        self,
        node: Region,
        plan: Backward,
        ask: list[tuple[int, Node]],
        extra: Sequence[Any],
        upstream: Any,
        mask: Any,
        owned: bool,
    ) -> list[tuple[Node, Adjoint]]:
        backend = node.device.backend
        if config.debug:
            debug.check_borrowed(node.saved.values())
        sinks: list[Sink] = []
        contributions: list[tuple[Node, Adjoint]] = []
        widened: list[tuple[Adjoint, Any]] = []  # masks of gradients that are added to in place
        single = sum(plan.alias) == 1
        aliases: list[Any] = []

        def sink(shape: Shape, dtype: DType, buffer: Any, add: bool, onto: list[Sink]) -> None:
            axes = summed_axes(shape, node.extent)
            if axes or shape != node.extent:
                buffer = buffer.reshape(reduced(node.extent, axes, True))
            onto.append(Sink(buffer, axes, add))

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
            if add:
                assert have is not None
                buffer = have.array
            elif type(target) is Leaf and self.accumulate and target.slot is not None and target.slot.spare is not None:
                buffer = target.slot.buffer(node.device, shape, dtype)
            else:
                buffer = backend.empty(shape, dtype)
            onto = sinks
            if place is None:  # an alias that has to be written out
                onto = []
                aliases.append((dtype, upstream, onto))
            sink(shape, dtype, buffer, add, onto)
            new_mask = None
            if plan.masks[k] is not None:
                new_mask = backend.empty(shape, BOOL)
                onto = sinks
                if mask_place is None:
                    onto = []
                    aliases.append((BOOL, mask, onto))
                sink(shape, BOOL, new_mask, False, onto)
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
                if source == "g":
                    arrays.append(upstream)
                elif source == "m":
                    arrays.append(mask)
                else:
                    arrays.append(node.output if source == "y" else node.saved[source[1]].array)
            backend.run(plan.program, node.extent, arrays, node.scalars, sinks)
        for dtype, source, onto in aliases:
            backend.run(identity(dtype), node.extent, [source], (), onto)
        # Only now has anything been computed.
        for have, new_mask in widened:
            have.mask = have.mask | new_mask if have.mask is not None and new_mask is not None else None
        for (_, receiver), value in zip(extra, inside, strict=True):
            if value is not None:
                receiver.add(value)
        if config.debug:
            debug.check_gradients(node, [c.array for _, c in contributions], upstream)
        return contributions

    def _interior(
        self, node: Region, plan: Backward, j: int, sinks: list[Sink], upstream: Any, aliases: list[Any]
    ) -> Value | None:
        if plan.values[j] is None:
            return None
        dtype = plan.values[j].dtype  # type: ignore[union-attr]
        buffer = node.device.backend.empty(node.extent, dtype)
        if plan.places[j][0] is None:
            aliases.append((dtype, upstream, [Sink(buffer)]))
        else:
            sinks.append(Sink(buffer))
        return Value(buffer, node.extent, dtype, node.device, False, None, True)

    def _traced_region(
        self, node: Region, plan: Backward, ask: list[tuple[int, Node]], extra: Sequence[Any], upstream: Value, mask: Value | None,
        owned: bool,
    ) -> list[tuple[Node, Adjoint]]:  # fmt: skip
        known = self._known(node, plan, upstream, mask)
        wanted = [s for s in (*plan.values, *plan.masks) if s is not None]
        for s in _below(wanted, known):
            known[s] = _on_values(s, known, node)
        for s in wanted:  # a condition that is one Python number makes a mask of one piece
            if not isinstance(known[s], Value):
                known[s] = constant(np.full(node.extent, known[s]), node.device)
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

    def _known(self, node: Region, plan: Backward, upstream: Value, mask: Value | None) -> dict[Sym, Any]:
        """The values that a region's symbols already have: what was saved, and interior nodes somebody still names."""
        known: dict[Sym, Any] = {plan.upstream: upstream}
        if plan.upstream_mask is not None:
            known[plan.upstream_mask] = mask
        for s, source in plan.names.items():
            if source == "y" and node.output is not None:
                known[s] = Value(node.output, node.shape, node.dtype, node.device, True, node, False)
            elif isinstance(source, tuple) and source[1] in node.saved:
                known[s] = node.saved[source[1]]
        for r, s in zip(node.interior, plan.nodes, strict=False):
            v = r()
            if v is not None and s.kind == "op":
                known[s] = v
        return known

    def _through_call(self, node: Called, adjoint: Adjoint, needed: set[Node]) -> None:
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
                array = array.copy()
            array[part.index] = 0
            if m is not None:
                m = m.copy()
                m[part.index] = False
            self._arrive(target, Adjoint(array, m, True))
        elif isinstance(part, At):
            if self.traced:
                zeros = constant(np.zeros(target.shape, target.dtype), device)
                m = None
                if mask is not None:
                    with set_grad_enabled(False):
                        m = index_add(constant(np.zeros(target.shape, bool), device), mask.value, index=part.index)
                self._arrive(target, Adjoint(index_add(zeros, part.value, index=part.index), m, False))
                return
            have = self._present(target)
            if have is None or not have.owned:
                new = Adjoint(backend.xp.zeros(target.shape, target.dtype), None, True)
                if mask is not None and have is None:
                    new.mask = backend.xp.zeros(target.shape, BOOL)
                if have is not None:
                    backend.accumulate(new.array, have.array)
                    new.mask = have.mask.copy() if have.mask is not None and mask is not None else None
                have = self.adjoints[target] = new
            backend.scatter_add(have.array, part.index, close(part.value))
            if have.mask is not None:
                if mask is None:
                    have.mask = None
                else:
                    backend.scatter_add(have.mask, part.index, close(mask.value))
        elif self.traced:
            self._arrive(target, Adjoint(part, mask, False))
        else:
            array = close(part)
            if array.base is not None and last:
                array = array.copy()  # its base is about to be written to
            own = array.base is None and array is not adjoint.array
            self._arrive(target, Adjoint(array, close(mask) if mask is not None else None, own))


def reachable(roots: Sequence[Node]) -> list[Node]:
    """The nodes below `roots`, lowest number first. Iterative: a graph may be a million nodes deep."""
    seen = set(roots)
    stack = list(seen)
    while stack:
        for t in stack.pop().targets:
            if t is not None and t not in seen:
                seen.add(t)
                stack.append(t)
    return sorted(seen, key=lambda n: n.number)


def _below(wanted: Sequence[Sym], known: dict[Sym, Any]) -> list[Sym]:
    """The symbols to compute for `wanted`, operands first."""
    seen: set[Sym] = set()
    stack = [s for s in wanted if s not in known]
    while stack:
        s = stack.pop()
        if s not in seen:
            seen.add(s)
            stack.extend(a for a in s.args if a not in known)
    return sorted(seen, key=lambda s: s.number)


def _on_values(s: Sym, known: dict[Sym, Any], node: Region) -> Any:
    """A symbol of a backward plan as a value, recorded on the tape: this is what create_graph walks."""
    if s.kind == "const":
        return s.data
    if s.kind == "scalar":
        return node.scalars[s.data]
    assert s.op is not None
    args = [known[a] for a in s.args]
    if s.weak:
        return evaluate(s.op, args).item()
    if not any(isinstance(a, Value) for a in args):
        return constant(np.asarray(evaluate(s.op, args), s.dtype), node.device)
    with set_grad_enabled(s.grad):
        value = s.op(*args)
        return value if value.dtype == s.dtype else cast(s.dtype)(value)


_identities: dict[DType, Program] = {}


def identity(dtype: DType) -> Program:
    """The program that hands its input on: how a buffer is copied, summed or added without another op."""
    found = _identities.get(dtype)
    if found is None:
        s = Graph().input(0, dtype, False)
        found = _identities[dtype] = Program([s], {s: "g"}, 0)
    return found


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


class _Probe:
    """Measures the references to a value that one holder has, as `Slot.writable` and `written` count them."""

    def __init__(self) -> None:
        self.value = Value(None, (), BOOL, None, False, None, True)

    def writable(self) -> int:
        v = self.value
        return sys.getrefcount(v)

    @staticmethod
    def written(x: Value) -> int:
        return sys.getrefcount(x)

    def name(self) -> int:
        return self.written(self.value)


_SLOT_ONLY = _Probe().writable()
_ONE_NAME = _Probe().name()
