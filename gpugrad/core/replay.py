"""The symbols of a region run on variables: what derivatives of derivatives are recorded from, in either direction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ..base.modes import set_grad_enabled
from ..base.shapes import Rows, Shape
from ..ops.op import cast, evaluate
from ..ops.reduction import Reduction, largest, smallest, spread, total
from ..ops.structural import broadcast_to, collect, reduce_max, reduce_min, reshape
from ..plans.program import Kind, Source
from ..plans.symbols import Sym
from .nodes import Region
from .value import Value, constant, filled
from .variable import Variable

STRUCTURAL: dict[Any, Any] = {total: collect, largest: reduce_max, smallest: reduce_min}


def on_variables(
    node: Region,
    wanted: Iterable[Sym | None],
    seeds: Mapping[Sym, Variable],
    names: Mapping[Sym, Source],
    nodes: Sequence[Sym],
) -> dict[Sym, Any]:
    """The `wanted` symbols of a region as variables of its shape, recorded on the tape: by symbol, among others.

    seeds: the variables of the symbols that arrive. names, nodes: what the plan calls the region's own.
    """
    return evaluated(wanted, dict(seeds) | _kept(node, names, nodes), node.scalars, node.extent, node.device, node.rows)


def evaluated(
    wanted: Iterable[Sym | None], known: dict[Sym, Any], scalars: Sequence[Any], extent: Shape, device: Any,
    rows: Rows | None = None,
) -> dict[Sym, Any]:  # fmt: skip
    """`known`, with the `wanted` symbols computed from it, as variables of the shape `extent`, or with one number for each row."""
    asked = [s for s in wanted if s is not None]
    for s in _below(asked, known):
        known[s] = _value(s, known, scalars, extent, rows, device)
    for s in asked:
        v = known[s]
        shape = rows.kept if s.row and rows is not None else extent
        if not isinstance(v, Variable):  # a condition that is one Python number makes a mask of one piece
            known[s] = Variable(filled(shape, v, np.dtype(s.dtype), device))
        elif v.shape != shape:  # made of inputs that broadcast, and of nothing else
            known[s] = broadcast_to(v, shape=shape)
    return known


def _kept(node: Region, names: Mapping[Sym, Source], nodes: Sequence[Sym]) -> dict[Sym, Any]:
    """The values that a region's symbols already have: what was saved, and interior nodes somebody still names."""
    known: dict[Sym, Any] = {}
    for s, source in names.items():
        if source.kind is Kind.OUTPUT:
            if node.outputs[source.index] is not None:
                known[s] = _opened(node, s, node.output(source.index))
        elif source.kind is Kind.INPUT and source.index in node.saved:
            given = Variable(node.saved[source.index])
            opened = node.opened.get(source.index)
            known[s] = given if opened is None else reshape(given, shape=opened)
    for r, s in zip(node.interior, nodes, strict=False):
        v = r()
        if v is not None and s.kind == "op":
            known[s] = _opened(node, s, v)
    return known


def _opened(node: Region, s: Sym, v: Value) -> Variable:
    """A value that a region has computed, in the shape that its symbol has there."""
    found = Variable(v)
    return found if not s.row or node.rows is None else reshape(found, shape=node.rows.kept)


def _below(wanted: Sequence[Sym], known: Mapping[Sym, Any]) -> list[Sym]:
    """The symbols to compute for `wanted`, operands first."""
    seen: set[Sym] = set()
    stack = [s for s in wanted if s not in known]
    while stack:
        s = stack.pop()
        if s not in seen:
            seen.add(s)
            stack.extend(a for a in s.args if a not in known)
    return sorted(seen, key=lambda s: s.number)


def _value(
    s: Sym, known: Mapping[Sym, Any], scalars: Sequence[Any], extent: Shape, rows: Rows | None, device: Any
) -> Any:
    if s.kind == "const":
        return s.data
    if s.kind == "scalar":
        return scalars[s.data]
    assert s.op is not None
    args = [known[a] for a in s.args]
    if s.weak:
        return evaluate(s.op, args).item()
    if not any(isinstance(a, Variable) for a in args):
        return Variable(constant(np.asarray(evaluate(s.op, args), s.dtype), device))
    with set_grad_enabled(s.grad):
        if type(s.op) is Reduction or s.op is spread:
            assert rows is not None
            v = args[0] if args[0].shape == extent else broadcast_to(args[0], shape=extent)
            return v if s.op is spread else STRUCTURAL[s.op](v, axes=rows.axes, keepdims=True)
        value = s.op(*args)
        return value if value.dtype == s.dtype else cast(s.dtype)(value)
