"""The forward walk: tangents from the inputs to the roots, lowest number first.

The mirror of the reverse walk, on the same tape and with the same partials and masks: a region sends local gradient times
tangent on by its tangent plan, a structural op by being linear or by its jvp. In a traced walk the tangents are recorded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ..backends.protocol import Output
from ..base import errors
from ..base.config import config
from ..base.dtypes import BOOL
from ..base.modes import set_grad_enabled
from ..base.shapes import reduced
from ..ops.structural import Call, collect, reshape, tangent
from ..plans.plan import TangentPlan
from ..plans.program import Kind
from ..plans.symbols import Sym
from . import checks
from .closing import Called, Node, Region, close, reachable
from .pending import Value, filled
from .replay import on_values


class Tangent(NamedTuple):
    """What has arrived at a node: a value, and a mask of the elements that took part (None: all of them)."""

    value: Value
    mask: Value | None


def push(roots: Sequence[Value], seeds: Mapping[Node, Value], traced: bool) -> list[Value | None]:
    """The tangents of `roots`, given those of some nodes below them; None for one that is zero everywhere."""
    for v in roots:
        close(v)
    order = reachable([v.node for v in roots if v.node is not None])
    last = {t: node for node in order for t in node.targets}  # who reads a tangent last
    kept = {v.node for v in roots}
    tangents = {node: Tangent(value, None) for node, value in seeds.items()}
    with set_grad_enabled(traced):
        for node in order:
            arrived = [tangents.get(t) if t is not None else None for t in node.targets]
            if node in tangents or not any(arrived):
                continue
            if node.freed:
                raise errors.graph_freed(node.name)
            found = None
            if isinstance(node, Region):
                found = _through_region(node, arrived, traced)
            elif isinstance(node, Called):
                found = _through_call(node, arrived, traced)
            if found is not None:
                tangents[node] = found
            del arrived
            for t in node.targets:
                if t is not None and last[t] is node and t not in kept:
                    tangents.pop(t, None)
    return [tangents[v.node].value if v.node in tangents else None for v in roots]


def _through_region(node: Region, arrived: Sequence[Tangent | None], traced: bool) -> Tangent | None:
    moving = {n: t for n, t in zip(node.wanted, arrived, strict=True) if t is not None}
    plan = node.plan.tangent(tuple((n, t.mask is not None) for n, t in moving.items()), node.axes is None)
    if plan.value is None:
        return None
    if plan.alias is not None and node.axes is None and node.shapes[plan.alias] == node.extent:
        return moving[plan.alias]
    return (_traced_region if traced else _computed_region)(node, plan, moving)


def _computed_region(node: Region, plan: TangentPlan, moving: Mapping[int, Tangent]) -> Tangent:
    backend = node.device.backend
    arrays: list[Any] = []
    for source in plan.program.sources:
        kind, n = source.kind, source.index
        if kind is Kind.OUTPUT:
            arrays.append(node.output)
        else:
            v = moving[n].value if kind is Kind.TANGENT else moving[n].mask if kind is Kind.MASK else node.saved[n]
            assert v is not None
            arrays.append(close(v))
    outputs = [Value(backend.empty(node.shape, dtype), node.shape, dtype, node.device, False, None, True)
               for dtype in plan.program.dtypes]  # fmt: skip
    axes = node.axes or ()
    sinks = [Output(v.array.reshape(reduced(node.extent, axes, True)), axes) for v in outputs]
    backend.run(plan.program, node.extent, arrays, node.scalars, sinks)
    if config.debug:
        checks.check_gradients(node, [outputs[0].array], [t.value.array for t in moving.values()])
    return Tangent(outputs[0], outputs[1] if plan.mask is not None else None)


def _traced_region(node: Region, plan: TangentPlan, moving: Mapping[int, Tangent]) -> Tangent:
    seeds = {s: moving[n].value for n, s in plan.tangents.items()}
    seeds |= {s: m for n, s in plan.masks.items() if (m := moving[n].mask) is not None}
    known = on_values(node, [plan.value, plan.mask], seeds, plan.names, plan.nodes)

    def whole(s: Sym) -> Value:
        v: Value = known[s]
        return v if node.axes is None else reshape(collect(v, axes=node.axes, keepdims=True), shape=node.shape)

    assert plan.value is not None
    return Tangent(whole(plan.value), whole(plan.mask) if plan.mask is not None else None)


def _through_call(node: Called, arrived: Sequence[Tangent | None], traced: bool) -> Tangent:
    output = None
    if node.output is not None:
        output = Value(node.output, node.shape, node.dtype, node.device, traced, node if traced else None, False)
    record = Call(node.shapes, tuple(t is not None for t in arrived), node.inputs, output)
    value = tangent(node.op, [t.value if t is not None else None for t in arrived], record, node.params)
    mask = None
    if node.op.moves and any(t is None or t.mask is not None for t in arrived):
        mask = tangent(node.op, [_taking(t) for t in arrived], record, node.params)
    return Tangent(value, mask)


def _taking(t: Tangent | None) -> Value | None:
    """The elements of an input that take part: those of its mask, all, or (None) none of them."""
    if t is None:
        return None
    return t.mask if t.mask is not None else filled(t.value.shape, True, BOOL, t.value.device)
