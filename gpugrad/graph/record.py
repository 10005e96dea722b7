"""From the tape to a graph: the nodes behind a value, with the single ops of each region."""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ..base import errors
from ..base.shapes import DType, Shape
from ..core import nodes as tape
from ..core.value import Value, held
from ..ops.op import Op
from ..ops.reduction import Reduction, total
from ..plans.dag import Input, Scalar
from ..plans.dag import Node as Result
from ..plans.symbols import symbols
from .nodes import Node

Ref = weakref.ref[Value]


class Step(NamedTuple):
    """How an operation of a graph runs: an elementwise op, a call of a structural op, or a reduction of a region over axes."""

    op: Op | None = None
    call: tape.Structural | None = None
    reduction: Reduction | None = None
    axes: tuple[int, ...] = ()


def nodes(value: Value, names: Mapping[str, Value]) -> list[Node]:
    """The nodes behind a computed value in forward order, its own last. names: values by the label they shall have."""
    return _Recorder(value, names).nodes


class _Recorder:
    def __init__(self, value: Value, names: Mapping[str, Value]) -> None:
        self.nodes: list[Node] = []
        self.labels: dict[Any, str] = {}  # by value and by node of the tape
        for name, v in names.items():
            self.labels[v] = name
            if v.node is not None:
                self.labels[v.node] = name
        self.made: dict[tape.Node, Node] = {}
        # A value has just one weak reference, also when it is gone: so what two regions have computed is shown once.
        self.seen: dict[int, Node] = {}
        self.held: list[Ref] = []
        self.counts = {"x": itertools.count(0), "z": itertools.count(1)}
        self.taken: set[str] = set()
        self.regions = 0
        self.root = value.node
        if value.node is None:
            self.leaf(weakref.ref(value), value.shape, value.dtype, value.device, False, "")
            return
        for node in tape.reachable([value.node]):
            if node.freed is not None:
                raise errors.GraphError(
                    f"the graph behind this tensor was freed by a backward (at {node.name!r}): look at it before, or keep it with "
                    f"y.backward(retain_graph=True)."
                )
            if isinstance(node, tape.Leaf):
                name = self.label(node) or self.label(node.slot) or getattr(node.slot, "path", "")
                self.made[node] = self.leaf(node.made, node.shape, node.dtype, node.device, True, name)
            elif isinstance(node, tape.Structural):
                self.call(node)
            elif isinstance(node, tape.Region):
                self.region(node)

    def label(self, key: Any) -> str:
        """The name that a value, or a node of the tape, was given: here, or by the user."""
        return str(self.labels.get(key) or getattr(key, "label", ""))

    def name(self, given: str, ref: Ref, letter: str) -> str:
        """The label of a variable: as given, as its value is called, or the next of its kind; no other has it."""
        v = ref()
        if not given and v is not None:
            given = self.label(v)
        names: Iterator[str]
        if given:  # two variables may have been given one name
            names = itertools.chain([given], (f"{given}_{k}" for k in itertools.count(2)))
        elif letter == "f":
            names = itertools.chain("f", (f"f{k}" for k in itertools.count(1)))
        else:
            names = (f"{letter}{k}" for k in self.counts[letter])
        name = next(n for n in names if n not in self.taken)
        self.taken.add(name)
        return name

    def add(self, *fields: Any) -> Node:
        node = Node(len(self.nodes), *fields)
        self.nodes.append(node)
        return node

    def see(self, ref: Ref, node: Node) -> Node:
        self.held.append(ref)  # so that its identity stays its own
        self.seen[id(ref)] = node
        return node

    def leaf(self, ref: Ref, shape: Shape, dtype: DType, device: Any, grad: bool, name: str) -> Node:
        name = self.name(name, ref, "x")
        return self.see(ref, self.add("leaf", "", name, shape, dtype, str(device), None, grad, (), "", None, ref()))

    def operation(
        self, op: str, operands: list[Any], like: tuple[Shape, DType, Any], region: int | None, grad: bool, step: Step, name: str,
        ref: Ref, node: tape.Node | None, module: str,
    ) -> Node:  # fmt: skip
        """A box and the circle of its result, which stands for a node of the tape if there is one."""
        found = self.seen.get(id(ref))
        if found is None:
            kind = "root" if node is not None and node is self.root else "intermediate"
            shape, dtype, device = like
            box = self.add(
                "operation", op, "", shape, dtype, str(device), region, grad, tuple(operands), module, step, None
            )
            name = self.name(name, ref, "f" if kind == "root" else "z")
            found = self.add(
                kind, op, name, shape, dtype, str(device), region, grad, (box,), module, None, ref() or _output(node)
            )
            self.see(ref, found)
        if node is not None:
            self.made[node] = found
        return found

    def input(
        self, target: tape.Node | None, ref: Ref | None, shape: Shape, dtype: DType, device: Any, name: str
    ) -> Node:
        """The variable that an input of a node of the tape is: one of the graph, or data that no gradient reaches."""
        if target is not None:
            return self.made[target]
        assert ref is not None  # what is no target is saved or among the others
        v = ref()
        if v is not None and v.node in self.made:
            return self.made[v.node]  # compared or detached here, differentiated elsewhere
        return self.seen.get(id(ref)) or self.leaf(ref, shape, dtype, device, False, name)

    def call(self, node: tape.Structural) -> None:
        operands = []
        for n, target in enumerate(node.targets):
            kept = node.inputs[n]
            ref = weakref.ref(kept) if kept is not None else node.others.get(n)
            v = ref() if ref is not None else None
            like = (node.dtype, node.device) if v is None else (v.dtype, v.device)
            operands.append(self.input(target, ref, node.shapes[n], *like, ""))
        self.operation(
            node.op.name,
            operands,
            (node.shape, node.dtype, node.device),
            None,
            True,
            Step(call=node),
            self.label(node),
            node.made,
            node,
            getattr(node, "scope", ""),
        )

    def region(self, node: tape.Region) -> None:
        """The single ops of a region, from its plan."""
        dag = node.plan.dag
        nodes = symbols(dag).nodes
        number, self.regions = self.regions, self.regions + 1
        label = self.label(node)
        targets = dict(zip(node.wanted, node.targets, strict=True))
        at: dict[Input | Result, Node] = {}
        for n in range(len(dag.inputs)):
            ref = weakref.ref(node.saved[n]) if n in node.saved else node.others.get(n)
            name = node.labels.get(~n, "")
            at[Input(n)] = self.input(
                targets.get(n), ref, node.shapes[n], node.plan.dag.inputs[n].dtype, node.device, name
            )
        ends: dict[Any, tape.Node | None] = {}
        if node.stored:
            ends = {root: node.output_node(k) for k, root in enumerate(dag.roots)}
        numbers = iter(node.scalars)
        for n, (s, call) in enumerate(zip(nodes, dag.calls, strict=True)):
            operands = [next(numbers) if isinstance(a, Scalar) else at[a] for a in call.operands]
            end = ends.get(Result(n))
            name = (self.label(end) if end is not None else "") or node.labels.get(n, "")
            ref = node.interior[n]
            like = node.shape_inside(n), s.dtype, node.device
            step = Step(call.op)
            if isinstance(call.op, Reduction):
                assert node.rows is not None
                step = Step(reduction=call.op, axes=node.rows.axes)
            at[Result(n)] = self.operation(
                call.op.name,
                operands,
                like,
                number,
                s.grad,
                step,
                name,
                ref,
                end,
                node.scopes.get(n, ""),
            )
        if not node.stored:
            assert node.axes is not None
            like = node.shape, node.dtype, node.device
            self.operation(
                "sum",
                [at[dag.roots[0]]],
                like,
                number,
                True,
                Step(reduction=total, axes=node.axes),
                label,
                node.made,
                node,
                getattr(node, "scope", ""),
            )


def _output(node: tape.Node | None) -> Value | None:
    """The value of a node that nobody has any more, if backward reads it."""
    array = None
    if isinstance(node, tape.Structural):
        array = node.output
    elif isinstance(node, tape.Region):
        array = node.outputs[0]
    elif isinstance(node, tape.Part):
        array = node.region.outputs[node.index]
    return None if node is None or array is None else held(array, node.device)
