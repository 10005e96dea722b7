"""The tape: its nodes, closing a region, and calling a structural op.

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

from ..backends.devices import Device
from ..backends.protocol import ArraySpec, Backend, Output
from ..base import errors
from ..base.config import MAX_INPUTS, config
from ..base.counters import counters, user_line
from ..base.dtypes import BOOL
from ..base.forks import survive_fork
from ..base.modes import grad_mode, scope, set_grad_enabled
from ..base.shapes import DType, Shape, reduced, summed_axes
from ..ops.structural import StructuralOp, collect, kept, setitem
from ..plans.plan import GradientPlan, GradientRequest, Plan, plans
from ..plans.program import OUTPUT, UPSTREAM, Kind, Program, Source
from . import checks
from .pending import Value, constant
from .structure import Structure, structure

_numbers = itertools.count()
LOCK = threading.RLock()  # covers closing (two threads that read one tensor compute it once) and adding to leaves
survive_fork(LOCK)  # registered after the locks that are taken inside it, and so taken before them


class Slot:
    """Where the gradient of a tensor is kept. A tensor and its value both point here; it points to neither.

    label, path: the name that the user gave the tensor, and its path as a parameter; not there if it has none.
    """

    __slots__ = ("__weakref__", "adding", "epoch", "hooks", "invalid", "label", "path", "spare", "value")
    label: str
    path: str

    def __init__(self) -> None:
        self.hooks: list[Callable[[Value], Value | None]] = []  # of a leaf, whatever value it has
        self.adding = False  # a walk is adding to the gradient in place
        self.epoch = 0  # how often it was cleared
        self.value: Value | None = None
        self.spare: Any = None  # the buffer of the last gradient, for the next one to be written to
        self.invalid = ""  # why the gradient must not be read

    def clear(self) -> None:
        """Forget the gradient, keep its buffer: no pass over memory."""
        if self.value is not None and self.value.array is not None and self.value.owned:
            self.spare = self.value.array
        self.value = None
        self.invalid = ""
        self.epoch += 1

    def buffer(self, device: Device, shape: Shape, dtype: DType) -> Any:
        """A buffer to write the next gradient to: the spare one if nobody else can see it."""
        # Looked at where it lies: another name would be one reference more than `sole_owner` expects.
        fits = self.spare is not None and self.spare.shape == shape and self.spare.dtype == dtype
        if not fits or not device.backend.sole_owner(self.spare):
            self.spare = None
            return device.backend.empty(shape, dtype)
        spare, self.spare = self.spare, None
        return spare

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
        if self.value.array is None and not self.value.requires_grad:
            close(self.value)


class Node:
    """What every node of the tape has. targets: the nodes that its gradients go to. made: its value, while somebody has it."""

    __slots__ = (
        "__weakref__",
        "device",
        "dtype",
        "freed",
        "hooks",
        "label",
        "line",
        "made",
        "number",
        "scope",
        "shape",
        "slot",
        "targets",
    )

    # The name that the user gave its value, and the path of the module that made it; not there if there is none.
    label: str
    scope: str
    name = "node"
    moves = True  # a mask that arrives here is of use

    def __init__(self, value: Value, targets: tuple[Node | None, ...]) -> None:
        self.number = next(_numbers)
        self.shape = value.shape
        self.dtype = value.dtype
        self.device = value.device
        self.targets = targets
        self.line = value.line
        self.made = weakref.ref(value)
        if config._noting:
            self.scope = scope.path
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
        self.hooks = slot.hooks

    def free(self) -> None:
        """A leaf keeps nothing and is never used up."""


_NOTHING: dict[int, Any] = {}  # shared, and never written to


class Region(Node):
    """A closed elementwise expression: one node, whatever number of ops it holds.

    wanted: the inputs that a gradient can flow to, aligned with `targets`. saved: the inputs that backward reads. output: the
    buffer it wrote, if backward reads it. axes: what it was summed over, None if it was not. For whoever looks at it, others:
    the inputs that backward knows nothing of, while somebody has them; labels, scopes: the names that ops, or ~inputs, were
    given, and the modules that ops were called in.
    """

    __slots__ = (
        "axes",
        "dtypes",
        "extent",
        "interior",
        "labels",
        "others",
        "output",
        "plan",
        "retained",
        "saved",
        "scalars",
        "scopes",
        "shapes",
        "wanted",
    )
    name = "region"

    def __init__(
        self, value: Value, array: Any, plan: Plan, found: Structure, interior: Sequence[Value], extent: Shape,
        axes: tuple[int, ...] | None,
    ) -> None:  # fmt: skip
        inputs = found.inputs
        wanted = plan.reached
        super().__init__(value, tuple(inputs[n].node for n in wanted))
        self.plan = plan
        self.scalars = found.scalars
        self.extent = extent  # the shape that the ops have
        self.axes = axes
        self.wanted = wanted
        self.shapes = [a.shape for a in inputs]
        self.dtypes = [a.dtype for a in inputs]
        keep, reads_output, rest = plan.needs(wanted, axes is None)
        self.saved = {n: inputs[n] for n in keep}
        self.others = {n: weakref.ref(inputs[n]) for n in rest} if rest else _NOTHING
        self.labels: dict[int, str] = _NOTHING
        self.scopes: dict[int, str] = _NOTHING
        if Value.labelled:
            self.labels = {n: v.label for n, v in enumerate(found.nodes) if hasattr(v, "label")}
            self.labels |= {~n: a.label for n, a in enumerate(inputs) if hasattr(a, "label")}
        if Value.scoped:
            self.scopes = {n: v.scope for n, v in enumerate(found.nodes) if hasattr(v, "scope")}
        self.output = array if reads_output else None
        self.interior = list(map(weakref.ref, interior))
        self.retained: dict[int, Slot] = {}

    def free(self) -> None:
        super().free()
        self.saved = {}
        self.output = None

    def default_backward(self) -> GradientPlan:
        """The plan of the usual walk: every gradient, no masks."""
        return self.plan.backward(
            GradientRequest(self.wanted, (False,) * len(self.wanted), (), False, self.axes is None)
        )

    def kernels(self) -> list[tuple[Program, Shape, list[Any], list[Output]]]:
        """What runs it forward, and backward in the usual walk, on arrays that are contiguous: for reading."""
        inputs = [ArraySpec(s, d) for s, d in zip(self.shapes, self.dtypes, strict=True)]
        kept = self.extent if self.axes is None else reduced(self.extent, self.axes, True)
        output = ArraySpec(kept, self.dtype)
        forward = self.plan.forward, self.extent, [inputs[s.index] for s in self.plan.forward.sources], [Output(output, self.axes or ())]  # fmt: skip
        program, arrays, sinks = _usual_backward(self.plan, self.extent, self.axes, inputs, output)
        return [forward, (program, self.extent, arrays, sinks)]

    def describe(self) -> str:
        """The ops of the region, for messages."""
        names = [c.op.name for c in self.plan.dag.calls] + (["sum"] if self.axes is not None else [])
        return f"a region of {len(names)} ops ({', '.join(names[:8])}{', ...' if len(names) > 8 else ''})"

    def find(self, v: Value) -> int:
        """Where `v` stands among the interior nodes."""
        return next(n for n, r in enumerate(self.interior) if r() is v)


class Called(Node):
    """A call of a structural op. inputs: those that backward reads. others: the rest, while somebody has them."""

    __slots__ = ("inputs", "op", "others", "output", "params", "shapes")

    def __init__(self, op: StructuralOp, inputs: Sequence[Value], params: dict[str, Any], output: Value) -> None:
        super().__init__(output, tuple(a.node if a.requires_grad else None for a in inputs))
        keep, reads_output = kept(op, [a.requires_grad for a in inputs])
        self.op = op
        self.params = params
        self.shapes = tuple(a.shape for a in inputs)
        self.inputs: tuple[Value | None, ...] = tuple(a if n in keep else None for n, a in enumerate(inputs))
        self.others = {n: weakref.ref(a) for n, a in enumerate(inputs) if n not in keep and not a.requires_grad}
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

ANNOUNCED = 16  # shapes for which the backward of one plan is compiled ahead
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


class _Job:
    """A region about to be computed: everything that can be done before anything has changed."""

    __slots__ = ("arrays", "axes", "extent", "found", "outputs", "plan", "recorded", "sinks")

    def __init__(self, roots: list[Value], axes: tuple[int, ...] | None, keepdims: bool) -> None:
        root = roots[0]
        self.found = found = structure(roots, close)
        self.plan = plans.get(found)
        self.axes = axes
        self.extent = extent = root.shape
        backend = root.device.backend
        if axes is None:
            self.outputs = roots
            self.recorded = root.requires_grad and type(root.node) is not Leaf
            self.arrays = [backend.empty(extent, r.dtype) for r in roots]
            self.sinks = [Output(a) for a in self.arrays]
        else:
            self.recorded = root.requires_grad and grad_mode.enabled
            shape = reduced(extent, axes, keepdims)
            total = Value(None, shape, root.dtype, root.device, self.recorded, None, True)
            if config._debug:
                total.line = user_line()
            self.outputs = [total]
            self.arrays = [backend.empty(shape, root.dtype)]
            self.sinks = [Output(self.arrays[0].reshape(reduced(extent, axes, True)), axes)]
        if config._debug:
            checks.check_borrowed(found.inputs)

    def run(self) -> None:
        backend = self.outputs[0].device.backend
        if self.recorded and backend.ahead:
            announced = self.plan.expected
            if (self.extent, self.axes) not in announced and len(announced) < ANNOUNCED:
                announced.add((self.extent, self.axes))
                self._expect_backward(backend)
        backend.run(self.plan.forward, self.extent, self.inputs(), self.found.scalars, self.sinks)

    def _expect_backward(self, backend: Backend) -> None:
        """Tell the backend what the usual walk will run, so that forward and backward are compiled at the same time."""
        inputs = [a.array for a in self.found.inputs]
        program, arrays, sinks = _usual_backward(self.plan, self.extent, self.axes, inputs, self.arrays[0])
        if sinks:
            backend.expect(program, self.extent, arrays, sinks)

    def inputs(self) -> list[Any]:
        return [a.array for a in self.found.inputs]

    def finish(self) -> Value:
        """The values are computed: say so. Nothing here can fail."""
        found, outputs = self.found, self.outputs
        counters.forward += 1
        if config._debug:
            checks.check_region(found, self.arrays)
        computed = set(outputs)
        interior = [v for v in found.nodes if v not in computed]
        node = None
        if self.recorded:
            node = Region(outputs[0], self.arrays[0], self.plan, found, interior, self.extent, self.axes)
        # A value with its array in place is computed, so that comes last.
        mark = weakref.ref(node) if node is not None else _DONE
        for n, v in enumerate(interior):
            v.absorbed = mark
            if node is not None and v.slot is not None and v.requires_grad:
                node.retained[n] = v.slot
        if node is not None:
            outputs[0].node = node
            node.slot = outputs[0].slot
        for v, array in zip(outputs, self.arrays, strict=True):
            v.array = array
            v.release_operands()
        return outputs[0]


def _usual_backward(
    plan: Plan, extent: Shape, axes: tuple[int, ...] | None, inputs: Sequence[Any], output: Any
) -> tuple[Program, list[Any], list[Output]]:
    """What the usual walk runs for a region: every gradient stored, no masks. inputs, output: arrays, or their `ArraySpec`."""
    kept = extent if axes is None else reduced(extent, axes, True)
    backward = plan.backward(GradientRequest(plan.reached, (False,) * len(plan.reached), (), False, axes is None))
    known: dict[Source, Any] = {Source(Kind.INPUT, n): a for n, a in enumerate(inputs)}
    known |= {OUTPUT: output, UPSTREAM: ArraySpec(kept, output.dtype)}
    sinks = []
    for n, value, (place, _) in zip(plan.reached, backward.values, backward.places, strict=True):
        if value is not None and place is not None:
            over = summed_axes(inputs[n].shape, extent) if inputs[n].shape != extent else ()
            sinks.append(Output(ArraySpec(reduced(extent, over, True), inputs[n].dtype), over))
    return backward.program, [known[s] for s in backward.program.sources], sinks


def _close(roots: list[Value], axes: tuple[int, ...] | None = None, keepdims: bool = False) -> Value:
    job = _Job(roots, axes, keepdims)
    job.run()
    return job.finish()


def stand_in(dtype: DType, device: Device) -> Value:
    """A value of no content, to write a formula with that is then applied to many: see `apply_to_many`."""
    return Value(device.backend.empty((), dtype), (), dtype, device, False, None, False)


def apply_to_many(
    parameters: Sequence[Value], results: Sequence[Value], many: Sequence[list[Value]], replaced: Sequence[int]
) -> list[list[Value]]:
    """One elementwise formula applied to many lists of values: one plan, run over all of them in one call.

    parameters: stand-ins, one per value of each list of `many`. results: pending values made of them. replaced: for each
    result, which value of a list it is to take the place of. That happens in memory where nobody else can see the old
    value: the value returned is then the old one, with new content. Nothing requires grad.
    """
    with LOCK:
        found = structure(results, close)
        plan = plans.get(found)
        device = parameters[0].device
        backend = device.backend
        places = {id(v): n for n, v in enumerate(parameters)}
        order = [places.get(id(v)) for v in found.inputs]
        in_place = backend.may_overwrite(plan.forward)
        answers: list[list[Value]] = []
        work = []
        for values in many:
            for v in values:
                close(v)
                del v  # a name that `_unseen` would count
            shape = values[0].shape
            new = []
            for r, k in zip(results, replaced, strict=True):
                fits = in_place and k < len(values) and values[k].dtype == r.dtype and values[k].shape == shape
                if fits and _unseen(values, k):
                    new.append(values[k])
                else:
                    new.append(Value(backend.empty(shape, r.dtype), shape, r.dtype, device, False, None, True))
            arrays = [values[n].array if n is not None else v.array for n, v in zip(order, found.inputs, strict=True)]
            answers.append(new)
            work.append((shape, arrays, [Output(v.array) for v in new]))
        backend.run_many(plan.forward, found.scalars, work)
        counters.forward += 1
    return answers


def _unseen(values: list[Value], k: int) -> bool:
    """True if value k of a list has, besides it, only the one name that is about to be written to."""
    v = values[k]
    return v.owned and sys.getrefcount(v) <= _LISTED and bool(v.device.backend.sole_owner(v.array))


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
    counters.calls += 1
    if config.debug:
        checks.check_borrowed(values)
    array = device.backend.call(op, arrays, params)
    grad = grad_mode.enabled and op.rule is not None and any(a.requires_grad for a in values)
    device = params.get("target", device)
    v = Value(array, array.shape, array.dtype, device, grad and array.dtype.kind != "b", None, array.base is None)
    if v.requires_grad:
        v.node = Called(op, values, params, v)
    if config.debug:
        checks.check_call(op.name, values, v)
    return v


def written(x: Value, v: Value, index: Any) -> Value:
    """x with v written at an index, for the one name of x: in place where nobody else can tell."""
    close(x)
    new = close(v)
    grad = grad_mode.enabled and (x.requires_grad or v.requires_grad)
    if not (x.owned and sys.getrefcount(x) <= _ONE_NAME and x.device.backend.sole_owner(x.array)):
        return setitem(x, v, index=index)
    counters.calls += 1
    x.device.backend.write(x.array, index, new)
    result = Value(x.array, x.shape, x.dtype, x.device, grad, None, True)
    x.owned = False  # its buffer has moved on
    if grad:
        result.node = Called(setitem, (x, v), {"index": index}, result)
    return result


Value.closer = staticmethod(close)
Value.caller = staticmethod(call)


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

    def listed(self) -> int:
        values = [self.value]
        v = values[0]
        return sys.getrefcount(v)


_SLOT_ONLY = _Probe().writable()
_ONE_NAME = _Probe().name()
_LISTED = _Probe().listed()
