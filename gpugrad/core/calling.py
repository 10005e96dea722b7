"""Calling ops on values: an elementwise op, and a reduction of short rows, grows an expression; a structural op runs at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from ..base import errors
from ..base.config import config
from ..base.counters import counters
from ..base.modes import grad_mode
from ..base.shapes import Shape, rows_of
from ..ops.op import Op
from ..ops.reduction import Reduction, largest, smallest, total
from ..ops.structural import StructuralOp, collect, getitem, reduce_max, reduce_min, reshape, setitem
from . import checks
from .closing import close
from .growing import grow, grow_reduction, relabelled
from .nodes import Structural
from .ownership import may_overwrite
from .value import Value, constant, held


def call(op: Op | StructuralOp, args: Sequence[Any], params: dict[str, Any]) -> Value:
    """An op of either table on values, Python numbers, and arrays that are constants."""
    if type(op) is Op:
        return grow(op, tuple(args))
    assert isinstance(op, StructuralOp)
    reduction = _REDUCTIONS.get(op)
    if reduction is not None:
        (a,) = args
        if type(a.shape) is not tuple:
            raise errors.placeholder_read()
        rows = rows_of(a.shape, params["axes"])
        if op is collect or not rows.long:
            return grow_reduction(reduction, a, rows, params["keepdims"])
    shape = _another_shape(op, args[0], params)
    if shape is not None:
        found = relabelled(args[0], shape)
        if found is not None:
            return found
    return _run(op, args, params)


def _another_shape(op: StructuralOp, a: Value, params: dict[str, Any]) -> Shape | None:
    """The shape of a pending row value under a reshape, or an index that only adds axes; None for anything else."""
    if a.op is None or a.rows is None or (op is not reshape and op is not getitem):
        return None
    if op is reshape:
        shape: Shape = params["shape"]
        return shape
    index = params["index"]
    given = index if type(index) is tuple else (index,)
    if any(i is not None and i is not Ellipsis and not (type(i) is slice and i == slice(None)) for i in given):
        return None
    left, found = list(a.shape), []
    for n, i in enumerate(given):
        if i is None:
            found.append(1)
        elif i is Ellipsis:
            rest = sum([j is not None for j in given[n + 1 :]])
            found += left[: len(left) - rest]
            left = left[len(left) - rest :]
        else:
            found.append(left.pop(0))
    return (*found, *left)


_REDUCTIONS: dict[StructuralOp, Reduction] = {collect: total, reduce_max: largest, reduce_min: smallest}


def _run(op: StructuralOp, values: Sequence[Value], params: dict[str, Any]) -> Value:
    device = values[0].device
    recorded = False
    arrays = []
    for a in values:
        if a.device is not device:
            raise errors.mixed_devices(op.name, device, a.device)
        if a.requires_grad:
            recorded = True
        arrays.append(a.array if a.array is not None else close(a))
    counters.calls += 1
    if config._debug:
        checks.check_borrowed(values)
    array = device.backend.call(op, arrays, params)
    recorded = recorded and op.rule is not None and grad_mode.enabled and array.dtype.kind != "b"
    v = held(array, params.get("target", device), array.base is None, recorded)
    if recorded:
        v.node = Structural(op, values, params, v)
    if config._debug:
        checks.check_call(op.name, values, v)
    return v


def as_values(args: Sequence[Any]) -> list[Value]:
    """Operands of a structural op: arrays among them are constants on the device of the others."""
    device = next(a.device for a in args if type(a) is Value)
    return [a if type(a) is Value else constant(a, device) for a in args]


class Name(Protocol):
    """What points to a value: a tensor."""

    _value: Value


def written(name: Name, v: Value, index: Any) -> Value:
    """The value of a name with v written at an index: in place where nobody else can tell."""
    close(name._value)
    new = close(v)
    alone = may_overwrite((name._value,))
    x = name._value
    if not alone:
        return _run(setitem, [x, v], {"index": index})
    counters.calls += 1
    x.device.backend.write(x.array, index, new)
    recorded = grad_mode.enabled and (x.requires_grad or v.requires_grad)
    result = held(x.array, x.device, True, recorded)
    x.owned = False  # its buffer has moved on
    if recorded:
        result.node = Structural(setitem, (x, v), {"index": index}, result)
    return result
