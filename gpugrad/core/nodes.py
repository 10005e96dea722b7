"""The tape: its nodes, and the slots where gradients are kept.

The tape is not a list: it is the nodes reachable from a value. Each is numbered when it is made, so that numbers are a
topological order. There are three kinds: a `Leaf` (its gradient goes to a slot), a `Region` (elementwise ops and reductions; with a
`Part` for each of its outputs if there are several) and a `Structural` op. A node knows its derivative: `vjp` takes the gradient of its
value to its targets, `jvp` the tangents of its targets to its value. Both are written once, for two arithmetics: on arrays, and on
variables that are recorded.
"""

from __future__ import annotations

import itertools
import operator
import weakref
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ..backends.protocol import ArraySpec, Output
from ..base import errors
from ..base.config import config
from ..base.modes import scope
from ..base.shapes import Rows, Shape, reduced, summed_axes
from ..ops.structural import Call, StructuralOp, kept
from ..plans.dag import Node as Result
from ..plans.plan import GradientPlan, GradientRequest, Plan
from ..plans.program import Kind, Program, Source
from .ownership import spare_of
from .value import Value, held, is_row

_numbers = itertools.count()
_BY_NUMBER = operator.attrgetter("number")
Hook = Callable[[Value], "Value | None"]


class Progress:
    """How far a backward pass has come that changes gradients in place: they are valid again when it is done."""

    __slots__ = ("done", "reason")

    def __init__(self) -> None:
        self.done = False
        self.reason = "it was interrupted"


class Slot:
    """Where the gradient of a tensor is kept. A tensor and its value both point here; it points to neither.

    value: the gradient. spare: the buffer of the last one, for the next to be written to. progress: the pass that changed it last.
    hooks: of a leaf, whatever value it has. epoch: how often it was cleared.
    label, path: the name that the user gave the tensor, and its path as a parameter; not there if it has none.
    """

    __slots__ = ("__weakref__", "epoch", "hooks", "label", "path", "progress", "spare", "value")
    label: str
    path: str
    _writes = 0  # a slice of a gradient is not outdated by the next one: see `gpugrad.tensor.View`

    def __init__(self) -> None:
        self.hooks: list[Hook] = []
        self.epoch = 0
        self.value: Value | None = None
        self.spare: Any = None
        self.progress: Progress | None = None

    def clear(self) -> None:
        """Forget the gradient, keep its buffer: no pass over memory."""
        if self.value is not None:
            self.spare = spare_of(self.value)
        self.value = None
        self.progress = None
        self.epoch += 1

    def buffer(self, like: Node) -> Any:
        """Memory for the next gradient: the spare buffer if nobody else can see it."""
        # The spare is looked at where it lies: a name of its own would be one reference more than `sole_owner` expects.
        if self.spare is not None:
            if (
                self.spare.shape == like.shape
                and self.spare.dtype == like.dtype
                and like.device.backend.sole_owner(self.spare)
            ):
                spare, self.spare = self.spare, None
                return spare
            self.spare = None
        return like.device.backend.empty(like.shape, like.dtype)


class Node:
    """What every node of the tape has.

    shape, dtype, device: of its value, and so of the gradient that arrives. targets: the nodes that its gradients go to. hooks:
    called with the gradient once it is known. freed: the numbers of the leaves that were below it, once it has let go of its targets. slot: where `retain_grad` wants it kept. wants_masks: whether a mask that arrives
    here can make a difference. made: its value, while somebody has it.
    label: the name that the user gave its value; scope: the module that made it. They are not there if there is none.
    """

    __slots__ = (
        "__weakref__", "device", "dtype", "freed", "hooks", "label", "line", "made", "number", "scope", "shape", "slot", "targets",
        "wants_masks",
    )  # fmt: skip

    label: str
    scope: str
    name = "node"

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
        self.hooks: list[Hook] = []
        self.slot: Slot | None = None
        self.freed: Sequence[int] | None = None
        self.wants_masks = False

    def vjp(self, g: Any, into: Any) -> None:
        """Send local gradient times upstream gradient `g` to the accumulators of the targets: `into(target)`, None if not wanted."""

    def jvp(self, arrived: Sequence[Any], arithmetic: Any) -> Any:
        """The tangent of the value, given those of the targets (None: zero); None if it is zero."""

    def find(self, v: Value) -> int:
        """Where `v` stands among the interior nodes."""
        raise ValueError("no interior node")

    def free(self, leaves: Sequence[int]) -> None:
        """Let go of everything that was kept for backward, and of the targets. leaves: the numbers of those that may be below it."""
        self.freed = leaves
        self.targets = ()


class Leaf(Node):
    """A variable with no inputs. Several may share a slot: the values that one name has had."""

    __slots__ = ()
    name = "leaf"

    def __init__(self, value: Value, slot: Slot) -> None:
        super().__init__(value, ())
        self.slot = slot
        self.hooks = slot.hooks

    def free(self, leaves: Sequence[int]) -> None:
        """A leaf keeps nothing and is never used up."""


class Handed(Leaf):
    """A leaf that a transform hands to a function: there is nothing below it, but to its user it is no leaf, and may be written to."""

    __slots__ = ()


_NOTHING: dict[int, Any] = {}  # shared, and never written to


class Region(Node):
    """A closed elementwise expression: one node, whatever number of ops it holds.

    extent: the shape of its ops. axes: what the last one was summed over, or reduced over if it is a row value, None if it is neither.
    rows: the rows that it reduces, if any; row_shapes: the shapes of its row values, by the op; stored: whether its output is what the last op computed. scalars: the Python numbers.
    shapes: of its inputs; opened: of those that are row values, by index, the shapes in which they broadcast. wanted: the inputs that a gradient can flow to, aligned with `targets`. saved: the inputs that
    backward reads. outputs: the buffers it wrote, None for one that backward does not read. parts: of a region with several outputs, weak
    references to their nodes. interior: weak references to the values of its ops. retained: the slots of those of which `retain_grad` was asked.
    For whoever looks at it, others: the inputs that backward knows nothing of, while somebody has them; labels, scopes: the names
    that ops, or ~inputs, were given, and the modules that ops were called in.
    """

    __slots__ = (
        "axes", "extent", "interior", "labels", "opened", "others", "outputs", "parts", "plan", "retained", "row_shapes", "rows", "saved", "scalars",
        "scopes", "shapes", "stored", "usual", "wanted",
    )  # fmt: skip
    name = "region"

    def __init__(
        self,
        values: Sequence[Value],
        arrays: Sequence[Any],
        plan: Plan,
        found: Any,
        extent: Shape,
        axes: tuple[int, ...] | None,
        rows: Rows | None = None,
    ) -> None:
        inputs = found.inputs
        wanted = plan.reached
        super().__init__(values[0], tuple([inputs[n].node for n in wanted]))
        self.plan = plan
        self.scalars = found.scalars
        self.extent = extent
        self.stored = axes is None
        self.rows = rows
        self.opened: dict[int, Shape] = found.opened
        self.axes = rows.axes if rows is not None and axes is None and values[0].shape != extent else axes
        self.wanted = wanted
        self.shapes = [a.shape for a in inputs]
        self.usual = True  # no mask is asked of backward
        for t in self.targets:
            if t is not None and t.wants_masks:
                self.usual = False
        self.wants_masks = not self.usual or plan.nonlinear
        keep, reads, rest = plan.needs(wanted, self.stored)
        self.saved = {n: inputs[n] for n in keep}
        self.others = {n: weakref.ref(inputs[n]) for n in rest} if rest else _NOTHING
        self.labels: dict[int, str] = _NOTHING
        self.scopes: dict[int, str] = _NOTHING
        if Value.labelled:
            self.labels = {n: v.label for n, v in enumerate(found.nodes) if hasattr(v, "label")}
            self.labels |= {~n: a.label for n, a in enumerate(inputs) if hasattr(a, "label")}
        if Value.scoped:
            self.scopes = {n: v.scope for n, v in enumerate(found.nodes) if hasattr(v, "scope")}
        self.outputs: list[Any] = [array if k in reads else None for k, array in enumerate(arrays)]
        self.interior = list(map(weakref.ref, found.nodes))
        self.row_shapes = _NOTHING if rows is None else {n: v.shape for n, v in enumerate(found.nodes) if is_row(v)}
        self.retained: dict[int, Slot] = {}
        self.parts: list[weakref.ref[Part]] = []
        if len(values) > 1:
            for k, v in enumerate(values):
                v.node = Part(self, k, v)
                self.parts.append(weakref.ref(v.node))

    def vjp(self, g: Any, into: Any) -> None:
        asked = []
        for n, t in zip(self.wanted, self.targets, strict=True):
            to = into(t)
            if to is not None:
                asked.append((n, to))
        extra = into.interior(self)
        if self.usual and not extra and len(asked) == len(self.wanted) and type(g) is not list and g.mask is None:
            into.arithmetic.region_vjp(self, self.plan.usual(self.stored), [g], asked, extra)
            return
        arrived = g if type(g) is list else [g]
        request = GradientRequest(
            tuple([n for n, _ in asked]),
            tuple([to.node.wants_masks for _, to in asked]),
            tuple([n for n, _ in extra]),
            tuple([None if a is None else a.mask is not None for a in arrived]),
            self.stored,
        )
        into.arithmetic.region_vjp(self, self.plan.backward(request), arrived, asked, extra)

    def jvp(self, arrived: Sequence[Any], arithmetic: Any) -> Any:
        """The tangent of the output; of a region with several, a list."""
        moving = {n: t for n, t in zip(self.wanted, arrived, strict=True) if t is not None}
        plan = self.plan.tangent(tuple((n, t.mask is not None) for n, t in moving.items()), self.stored)
        if not any(plan.values):
            return None
        if plan.alias is not None and self.axes is None and self.shapes[plan.alias] == self.extent:
            return moving[plan.alias]
        found = arithmetic.region_jvp(self, plan, moving)
        return found if self.parts else found[0]

    def shape_inside(self, n: int) -> Shape:
        """The shape of an interior node."""
        return self.row_shapes.get(n, self.extent)

    def output_node(self, k: int) -> Node | None:
        """The node of an output, while it is there."""
        return self.parts[k]() if self.parts else self

    def output(self, k: int) -> Value:
        """An output that backward reads, as a value on the tape: with a new node if that of the output is gone."""
        v = held(self.outputs[k], self.device, requires_grad=True, node=self.output_node(k))
        if v.node is None:
            v.node = Part(self, k, v)
            self.parts[k] = weakref.ref(v.node)
        return v

    def find(self, v: Value) -> int:
        return next(n for n, r in enumerate(self.interior) if r() is v)

    def uses(self, v: Value) -> bool:
        """Whether an op of the region reads a value that the region has computed."""
        own = Result(self.find(v))
        return any(own in call.operands for call in self.plan.dag.calls)

    def free(self, leaves: Sequence[int]) -> None:
        super().free(leaves)
        self.saved = {}
        self.outputs = []

    def default_backward(self) -> GradientPlan:
        """The plan of the usual pass: every gradient, no masks."""
        return self.plan.usual(self.stored)

    def kernels(self) -> list[tuple[Program, Shape, list[Any], list[Output], tuple[int, ...]]]:
        """What runs it forward, and backward in the usual pass, on arrays that are contiguous: for reading."""
        shapes = [self.opened.get(n, s) for n, s in enumerate(self.shapes)]
        inputs = [ArraySpec(s, a.dtype) for s, a in zip(shapes, self.plan.dag.inputs, strict=True)]
        shape = self.extent if self.axes is None else reduced(self.extent, self.axes, True)
        outputs = [ArraySpec(shape, d) for d in self.plan.forward.dtypes]
        sources = [inputs[s.index] for s in self.plan.forward.sources]
        program, arrays, sinks = usual_backward(
            self.plan, self.extent, self.axes, inputs, outputs, self.rows, self.stored
        )
        return [
            self._kernel(
                self.plan.forward, sources, [Output(a, () if self.stored else self.axes or ()) for a in outputs]
            ),
            self._kernel(program, arrays, sinks),
        ]

    def _kernel(
        self, program: Program, arrays: list[Any], outputs: list[Output]
    ) -> tuple[Program, Shape, list[Any], list[Output], tuple[int, ...]]:
        if self.rows is None or not program.rows:
            return program, self.extent, arrays, outputs, ()
        if program.rows == "all":
            return program, self.rows.kept, arrays, outputs, ()
        whole = [self.rows.kept if row else self.extent for row in program.row_outputs]  # what is summed, is so after
        return (
            program,
            self.extent,
            arrays,
            [Output(ArraySpec(s, d)) for s, d in zip(whole, program.dtypes, strict=True)],
            self.rows.axes,
        )

    def describe(self) -> str:
        """The ops of the region, for messages."""
        names = [c.op.name for c in self.plan.dag.calls] + ([] if self.stored else ["sum"])
        return f"a region of {len(names)} ops ({', '.join(names[:8])}{', ...' if len(names) > 8 else ''})"


def usual_backward(
    plan: Plan,
    extent: Shape,
    axes: tuple[int, ...] | None,
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    rows: Rows | None,
    stored: bool,
) -> tuple[Program, list[Any], list[Output]]:
    """What the usual pass runs for a region: every gradient stored, no masks. inputs, outputs: arrays, or their `ArraySpec`."""
    kept_shape = extent if axes is None else reduced(extent, axes, True)
    count = len(outputs)
    backward = plan.backward(GradientRequest(plan.reached, (False,) * len(plan.reached), (), (False,) * count, stored))
    known: dict[Source, Any] = {Source(Kind.INPUT, n): a for n, a in enumerate(inputs)}
    known |= {Source(Kind.OUTPUT, k): a for k, a in enumerate(outputs)}
    known |= {Source(Kind.UPSTREAM, k): ArraySpec(kept_shape, a.dtype) for k, a in enumerate(outputs)}
    sinks = []
    for n, value, (place, _) in zip(plan.reached, backward.values, backward.places, strict=True):
        if value is not None and place is not None:
            whole = rows.kept if rows is not None and plan.dag.inputs[n].row else extent
            over = summed_axes(inputs[n].shape, whole) if inputs[n].shape != whole else ()
            sinks.append(Output(ArraySpec(reduced(whole, over, True), inputs[n].dtype), over))
    return backward.program, [known[s] for s in backward.program.sources], sinks


class Part(Node):
    """One output of a region that has several: what arrives here waits at the region for the others."""

    __slots__ = ("index",)
    name = "region"

    def __init__(self, region: Region, index: int, value: Value) -> None:
        super().__init__(value, (region,))
        self.index = index
        self.wants_masks = region.wants_masks

    @property
    def region(self) -> Region:
        region = self.targets[0]
        assert isinstance(region, Region)
        return region

    def vjp(self, g: Any, into: Any) -> None:
        into.gather(self.region, self.index, g)

    def jvp(self, arrived: Sequence[Any], arithmetic: Any) -> Any:
        return arrived[0][self.index]


class Structural(Node):
    """A call of a structural op. inputs: those that its derivative reads. others: the rest, while somebody has them."""

    __slots__ = ("inputs", "op", "others", "output", "params", "shapes")

    def __init__(self, op: StructuralOp, inputs: Sequence[Value], params: dict[str, Any], output: Value) -> None:
        targets: list[Node | None] = []
        shapes: list[Shape] = []
        read: list[Value | None] = []
        keep, reads_output = kept(op, inputs)
        self.others: dict[int, weakref.ref[Value]] = _NOTHING
        masks = False
        for n, a in enumerate(inputs):
            target = a.node if a.requires_grad else None
            targets.append(target)
            shapes.append(a.shape)
            if n in keep:
                read.append(a)
            else:
                read.append(None)
                if target is None:
                    self.others = {**self.others, n: weakref.ref(a)}
            if target is not None and target.wants_masks:
                masks = op.moves
        super().__init__(output, tuple(targets))
        self.op = op
        self.params = params
        self.shapes = tuple(shapes)
        self.inputs = tuple(read)
        self.output = output.array if reads_output else None
        self.wants_masks = masks

    @property
    def name(self) -> str:  # type: ignore[override]  # the other kinds have a constant
        return self.op.name

    def vjp(self, g: Any, into: Any) -> None:
        receivers = list(map(into, self.targets))
        if receivers.count(None) < len(receivers):  # or nobody asks beyond the gradient of this value itself
            self.send(g, receivers, into.arithmetic)

    def send(self, g: Any, receivers: Sequence[Any], arithmetic: Any) -> None:
        """Run the rule of the op: each receiver that is not None gets the gradient of its input."""
        if not arithmetic.on_arrays(g, self, receivers):
            self.send_variables(g, receivers, arithmetic)

    def send_variables(self, g: Any, receivers: Sequence[Any], arithmetic: Any) -> None:
        """The same, with variables for the rule to compute with."""
        assert self.op.rule is not None
        self.op.rule(arithmetic.upstream(g, self.op.moves, self), self.call(arithmetic), receivers, **self.params)

    def jvp(self, arrived: Sequence[Any], arithmetic: Any) -> Any:
        return arithmetic.structural_jvp(self, arrived)

    def call(self, arithmetic: Any) -> Call:
        """The call as a rule sees it: what was kept, as variables."""
        inputs = tuple([None if a is None else arithmetic.variable(a) for a in self.inputs])
        return Call(self.shapes, inputs, None if self.output is None else arithmetic.output(self))

    def free(self, leaves: Sequence[int]) -> None:
        super().free(leaves)
        self.inputs = ()
        self.output = None


def reachable(roots: Sequence[Node]) -> list[Node]:
    """The nodes below `roots`, lowest number first. Iterative: a graph may be a million nodes deep."""
    seen = set(roots)
    stack = list(seen)
    while stack:
        for t in stack.pop().targets:
            if t is not None and t not in seen:
                seen.add(t)
                stack.append(t)
    return sorted(seen, key=_BY_NUMBER)


def leaves_of(order: Sequence[Node]) -> list[int]:
    """The numbers of the leaves among nodes, and of those that were below the freed ones."""
    found: list[int] = []
    for node in order:
        if isinstance(node, Leaf):
            found.append(node.number)
        elif node.freed is not None:
            found.extend(node.freed)
    return found


def now() -> int:
    """A number that nodes made from here on exceed, and no node before."""
    return next(_numbers)


def reaches_before(node: Node | None, moment: int) -> bool:
    """Whether a gradient would flow from a node to a leaf that was made before a moment (see `now`)."""
    return node is not None and any(n < moment for n in leaves_of(reachable([node])))


def check_not_freed(node: Node) -> None:
    """Raise GraphError if what a pass needs of a node is gone."""
    if node.freed is not None:
        raise errors.GraphError(
            f"backward: the graph was already walked and freed (reached {node.name!r} a second time). Pass retain_graph=True to "
            f"the first backward, or compute the result again."
        )


def check_nothing_lost(order: Sequence[Node], ends: Iterable[Node | None]) -> None:
    """Raise GraphError if one of `ends` was below a node that has been freed: what went through that node is not known any more."""
    freed = [node for node in order if node.freed is not None]
    if not freed:
        return
    below = reachable([node for node in ends if node is not None])
    leaves = set(leaves_of(below))
    for node in freed:
        if not leaves.isdisjoint(node.freed or ()):
            check_not_freed(node)
