"""What the operations of a graph compute, one by one: values forward, and gradients back through a single operation.

The formulas are those that ran, the rows of the tables; only the fusion is gone. Nothing here is recorded.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..backends.devices import get_device
from ..base.dtypes import BOOL
from ..base.modes import no_grad
from ..base.shapes import reduced
from ..core.adjoints import Adjoint as Arrived
from ..core.closing import close
from ..core.nodes import Structural
from ..core.recorded import Recorded, RecordedAccumulator
from ..core.replay import STRUCTURAL, evaluated
from ..core.value import Value, filled, held
from ..core.variable import MaskedVariable, Variable
from ..ops import elementwise as ew
from ..ops.op import Op
from ..ops.reduction import relabel
from ..ops.structural import Call, broadcast_to, reshape, sum_to
from ..plans.notation import expression
from ..plans.symbols import Adjoint, Sym, reverse
from .nodes import Node

Values = dict[Node, Variable | None]


@no_grad()
def values(nodes: Sequence[Node]) -> Values:
    """The values of the variables, those that nobody has any more computed again; None where that is not possible."""
    known: Values = {}
    for n in nodes:
        if n.is_variable:
            known[n] = _constant(n.value) if n.value is not None else _computed(n, known)
    return known


def _constant(v: Value) -> Variable:
    return Variable(held(close(v), v.device))


def _computed(n: Node, known: Values) -> Variable | None:
    """A variable from the operands of its operation."""
    if n.kind == "leaf":
        return None
    box = n.operation
    args = [known[a] if isinstance(a, Node) else a for a in box.operands]
    if any(a is None for a in args):
        return None
    step = box.step
    v: Variable
    if step.op is relabel:
        v = reshape(args[0], shape=n.shape)
    elif step.op is not None:
        v = step.op(*args)
        v = v if v.shape == n.shape else broadcast_to(v, shape=n.shape)
    elif step.call is not None:
        v = step.call.op(*args, **step.call.params)
    else:
        v = reshape(STRUCTURAL[step.reduction](args[0], axes=step.axes, keepdims=True), shape=n.shape)
    close(v._value)
    return v


def ones(n: Node) -> Arrived:
    """The upstream gradient 1 of a variable."""
    return Arrived(Variable(filled(n.shape, 1, n.dtype, get_device(n.device))))


def pull(result: Node, which: int, arrived: Arrived, known: Values) -> Arrived | None:
    """What the operation of a variable sends to its operand number `which`, given the gradient that has arrived.

    Local gradient times upstream gradient, summed where the operand was broadcast. None where there is no derivative.
    """
    box = result.operation
    operand = box.operands[which]
    if not (isinstance(operand, Node) and operand.requires_grad and box.requires_grad):
        return None
    if box.step.op is relabel:
        mask = reshape(arrived.mask, shape=operand.shape) if arrived.mask is not None else None
        found: Arrived | None = Arrived(reshape(arrived.value, shape=operand.shape), mask)
    elif box.step.op is not None:
        found = _through_op(box, result, which, arrived, known)
    elif box.step.call is not None:
        found = _through_call(box.step.call, which, arrived)
    else:
        found = _through_reduction(box, result, operand, arrived, known)
    if found is None or found.value.shape == operand.shape:
        return found
    mask = sum_to(found.mask, operand.shape) if found.mask is not None else None
    return Arrived(sum_to(found.value, operand.shape), mask)


Sent = dict[tuple[Node, int], Arrived | None]


@no_grad()
def gradients(nodes: Sequence[Node], known: Values) -> tuple[dict[Node, Arrived], Sent]:
    """The gradient 1 of the root (of every element of it) taken back: what arrives at each variable, and what each sends on."""
    arrived = {nodes[-1]: ones(nodes[-1])}
    sent: Sent = {}
    for n in reversed(nodes):
        if n not in arrived or n.kind not in ("intermediate", "root"):
            continue
        for k, a in enumerate(n.operation.operands):
            if isinstance(a, Node):
                found = sent[n, k] = pull(n, k, arrived[n], known)
                if found is not None:
                    arrived[a] = _plus(arrived[a], found) if a in arrived else found
                    close(arrived[a].value._value)
    return arrived, sent


def _plus(a: Arrived, b: Arrived) -> Arrived:
    both = a.mask is not None and b.mask is not None
    return Arrived(a.value + b.value, ew.logical_or(a.mask, b.mask) if both else None)


@functools.lru_cache(maxsize=1024)
def _local(
    op: Op, types: tuple[Any, ...], which: int, masked: bool
) -> tuple[list[Sym], Sym, Sym, Sym | None, Adjoint | None]:
    operands, y = expression(op, types)
    graph = y.graph
    g = graph.input(np.dtype(y.dtype), True)
    m = graph.input(BOOL, False) if masked else None
    root = y if op.rule is not None else graph.expand(op, operands)
    return operands, y, g, m, reverse({root: Adjoint(g, m)}, [operands[which]]).get(operands[which])


def _through_op(box: Node, result: Node, which: int, arrived: Arrived, known: Values) -> Arrived | None:
    types = tuple(a.dtype if isinstance(a, Node) else type(a) for a in box.operands)
    operands, y, g, m, sent = _local(box.step.op, types, which, arrived.mask is not None)
    if sent is None:
        return None
    have: dict[Sym, Any] = {g: arrived.value}
    if m is not None:
        have[m] = arrived.mask
    if known[result] is not None:
        have[y] = known[result]
    numbers: list[Any] = []
    for s, a in zip(operands, box.operands, strict=True):
        v = known[a] if isinstance(a, Node) else None
        if v is not None:
            have[s] = v  # one that is not known is not read: what backward reads was saved
        numbers.append(a)
    found = evaluated([sent.value, sent.mask], have, numbers, box.shape, arrived.value.device)
    return Arrived(found[sent.value], found[sent.mask] if sent.mask is not None else None)


class _Receiver:
    """Takes what the rule of a reduction sends."""

    def __init__(self) -> None:
        self.sent: Arrived | None = None

    def add(self, g: Any) -> None:
        self.sent = Arrived(g.value, g.mask) if isinstance(g, MaskedVariable) else Arrived(g)

    def add_where(self, chosen: Variable, g: Variable) -> None:
        self.sent = Arrived(ew.where(chosen, g, 0), chosen)


def _through_reduction(box: Node, result: Node, operand: Node, arrived: Arrived, known: Values) -> Arrived | None:
    """By the rule of the structural op that does the same."""
    op = STRUCTURAL[box.step.reduction]
    kept = reduced(operand.shape, box.step.axes, True)
    g: Any = reshape(arrived.value, shape=kept)
    if arrived.mask is not None and op.moves:
        g = MaskedVariable(g, reshape(arrived.mask, shape=kept))
    y = known[result]
    to = _Receiver()
    call = Call((operand.shape,), (known[operand],), None if y is None else reshape(y, shape=kept))
    op.rule(g, call, [to], axes=box.step.axes, keepdims=True)
    return to.sent


def _through_call(call: Structural, which: int, arrived: Arrived) -> Arrived | None:
    """By the rule of the op itself, for one of its inputs."""
    target = call.targets[which]
    assert target is not None
    to = RecordedAccumulator(target)
    call.send(arrived, [to if n == which else None for n in range(len(call.targets))], Recorded())
    if to.value is None:
        return None
    mask = _constant(to.mask._value) if to.mask is not None else None
    return Arrived(_constant(to.value._value), mask)
