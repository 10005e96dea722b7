"""Calling ops on values: an elementwise op grows an expression, a structural op runs at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from ..base import errors
from ..base.config import config
from ..base.counters import counters
from ..base.modes import grad_mode
from ..ops.op import Op
from ..ops.structural import StructuralOp, collect, setitem
from . import checks
from .closing import close, reduce_sum
from .growing import grow
from .nodes import Structural
from .ownership import may_overwrite
from .value import Value, constant, held


def call(op: Op | StructuralOp, args: Sequence[Any], params: dict[str, Any]) -> Value:
    """An op of either table on values, Python numbers, and arrays that are constants."""
    if type(op) is Op:
        return grow(op, tuple(args))
    assert isinstance(op, StructuralOp)
    if op is collect:
        return reduce_sum(args[0], **params)
    return _run(op, args, params)


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
