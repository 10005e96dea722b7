"""Growing: calling an elementwise op computes nothing. All checks happen at the call; the op waits in a pending expression.

How large an expression is, is known without walking it: values that were made of each other share an `Expression`, which counts.
An expression that has become too large is cut, once, where a period of the user's loop leaves the fewest values behind.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Sequence
from typing import Any

from ..base import errors
from ..base.config import HEAVY_BYTES, MAX_HEAVY_INPUTS, MAX_INPUTS, config
from ..base.counters import counters
from ..base.frames import user_line
from ..base.modes import grad_mode, scope
from ..base.shapes import DType, Shape, broadcast
from ..ops.op import Op, cast
from .closing import close, close_together
from .structure import members
from .value import Value

_sequence = itertools.count()  # numbers every op called


class Expression:
    """The size of a pending expression: its ops, and the buffers that it reads (by identity: pending ops hold them).

    Two expressions that meet in an op become one: the smaller then points to the larger, `into`. Counts are never too small.
    """

    __slots__ = ("inputs", "into", "ops", "past")

    def __init__(self, ops: int = 0, inputs: set[int] | None = None, past: tuple[_Call, ...] = ()) -> None:
        self.ops = ops
        self.past = past
        self.inputs: set[int] = set() if inputs is None else inputs
        self.into: Expression | None = None

    def root(self) -> Expression:
        e = self
        while e.into is not None:
            e = e.into
        return e

    def merged(self, other: Expression) -> Expression:
        """The one of two that holds the other from now on."""
        large, small = (self, other) if self.ops >= other.ops else (other, self)
        large.ops += small.ops
        large.inputs |= small.inputs
        small.into = large
        return large


def grow(op: Op, args: tuple[Any, ...]) -> Value:
    """A new pending value for `op` on values and Python numbers; all checks of the call happen here.

    Raises ShapeError, DTypeError or DeviceError from the line that calls the op.
    """
    # The hot path of the library: one flat loop for operands of one shape that need no conversion.
    if len(args) == 2:
        a, b = args
        types: Any = (a.dtype if type(a) is Value else type(a), b.dtype if type(b) is Value else type(b))
    else:
        types = tuple([a.dtype if type(a) is Value else type(a) for a in args])
    inputs, output, plain, carries = op.loops.get(types) or op.loop(types)
    shape: Any = None
    device: Any = None
    grad = False
    for a in args:
        if type(a) is Value:
            if shape is None:
                shape, device = a.shape, a.device
            else:
                if a.shape != shape:
                    plain = False
                    shape = broadcast(op.name, shape, a.shape)
                if a.device is not device:
                    raise errors.mixed_devices(op.name, device, a.device)
            if a.requires_grad:
                grad = True
    if not plain:
        args = tuple([_operand(a, d, shape) for a, d in zip(args, inputs, strict=True)])
    v = Value(
        None, shape, output, device, grad and carries and grad_mode.enabled, None, True, op, args, next(_sequence)
    )
    counters.ops += 1
    if config._noting:
        _note(v)
    e: Any = None
    for a in args:
        if type(a) is Value and a.op is not None:
            other = a.expression
            while other.into is not None:
                other = other.into
            e = other if e is None or e is other else e.merged(other)
    if e is None:
        e = Expression()
    v.expression = e
    e.ops += 1
    for a in args:
        if type(a) is Value and a.op is None:
            e.inputs.add(id(a))
    fan_in = len(e.inputs)
    if e.ops >= config._fuse or fan_in > MAX_HEAVY_INPUTS:
        _limit(v, e, fan_in)
    return v


def _note(v: Value) -> None:
    if config._debug:
        v.line = user_line()
    if scope.path:
        v.scope = scope.path
        if not Value.scoped:  # an assignment to a class makes Python forget what it knows of it
            Value.scoped = True


def _operand(a: Any, dtype: DType, shape: Shape) -> Any:
    """An operand as an op of this dtype and shape takes it."""
    if type(a) is not Value:
        # A number has the kind of its op: 1 / 2 inside a partial must not become integer arithmetic.
        return fitting(a, dtype) if type(a) is int else a
    if a.dtype != dtype:
        a = grow(cast(dtype), (a,))
    if a.array is None and a.shape != shape:
        close(a)  # every op of a region has the region's shape
    return a


def fitting(value: int, dtype: DType) -> int | float:
    """A Python integer as the number that an op of this dtype takes."""
    try:
        if dtype.kind not in "iu":
            return float(value)
        dtype.type(value)
        return value
    except OverflowError:
        raise errors.python_scalar_out_of_range(value, dtype) from None


def _most_inputs(v: Value) -> int:
    """How many inputs the expression of a value may have: fewer where together they would hold much memory."""
    heavy = MAX_HEAVY_INPUTS * math.prod(v.shape) * v.dtype.itemsize > HEAVY_BYTES
    return MAX_HEAVY_INPUTS if heavy else MAX_INPUTS


def _limit(v: Value, e: Expression, fan_in: int) -> None:
    """Keep the expression of a new value within the caps.

    What is counted may belong to others by now. If half of it does, that is all: the value gets an expression of its own. If not, a
    part of it is computed. Either way at least half is gone, so that the next count is as far away as this one was from the last.
    """
    most_ops = config._fuse
    if most_ops == 1:  # eager execution
        close(v)
        return
    most_inputs = _most_inputs(v)
    if e.ops <= most_ops and fan_in <= most_inputs:
        return
    nodes, past = sorted(members([v]), key=_number), e.past
    if 2 * len(nodes) > most_ops or 2 * len(_inputs(nodes)) > most_inputs:
        calls = _calls(nodes)
        cut = _cut(calls, past) if len(nodes) > 1 else 0
        behind = {
            a
            for n in nodes[cut:]
            for a in n.args
            if type(a) is Value and a.array is None and a.number < nodes[cut].number
        }
        order = sorted(behind, key=_number)
        past = (*past, *calls[:cut])[-MEMORY:]
        del behind, nodes[:cut]  # what they hold would look like users to those who close
        close_together(order)
    rest = Expression(len(nodes), _inputs(nodes), past)
    for n in nodes:
        n.expression = rest


def _number(v: Value) -> int:
    return v.number


def _inputs(nodes: Sequence[Value]) -> set[int]:
    return {id(a) for n in nodes for a in n.args if type(a) is Value and a.op is None}


_Call = tuple[
    Any, int, tuple[int, ...]
]  # of an op: itself, its number, and how many ops before it each operand was called
MEMORY = (
    192  # calls that an expression remembers beyond those that are pending: bodies of loops may be longer than a region
)


def _calls(nodes: Sequence[Value]) -> tuple[_Call, ...]:
    return tuple(
        [(n.op, n.number, tuple([n.number - a.number for a in n.args if type(a) is Value and a.number])) for n in nodes]
    )


def _from_zero(calls: Sequence[_Call]) -> tuple[_Call, ...]:
    first = calls[0][1]
    return tuple([(op, number - first, operands) for op, number, operands in calls])


def _cut(calls: tuple[_Call, ...], past: tuple[_Call, ...]) -> int:
    """Where to cut pending calls: how many of them are left behind. past: calls that were cut off before."""
    found = _boundary(_from_zero(calls), 0)
    if found is None and past:
        found = _boundary(_from_zero((*past, *calls)), len(past))
        found = found - len(past) if found is not None else None
    return len(calls) - 1 if found is None else found


@functools.lru_cache(maxsize=1024)
def _boundary(calls: tuple[_Call, ...], start: int) -> int | None:
    """The boundary of the user's loop among calls, `start` or later: where the fewest values are left that are used later.

    The newest calls repeat those of one period before. A value is used again when the one a period before it was. None if nothing
    is repeated at full length: the body of the loop may be longer than what is seen.
    """
    n = len(calls)
    ops = [op for op, _, _ in calls]
    best, period = 0, 0
    for p in range(1, n // 2 + 1):
        run = 0
        while run < n - p and ops[n - 1 - run] is ops[n - 1 - run - p]:
            run += 1
        if run >= p and run > best:
            best, period = run, p
    if not period:
        return None
    place = {number: k for k, (_, number, _) in enumerate(calls)}
    last = list(range(n))
    for k, (_, number, operands) in enumerate(calls):
        for d in operands:
            if number - d in place:
                last[place[number - d]] = k
    for k in range(n - best, n):
        last[k] = max(last[k], last[k - period] + period)
    lowest = max(start + 1, n - period, (start + n) // 2 if n - period < start else 0)
    left = {c: sum([last[k] >= c for k in range(start, c)]) for c in range(lowest, n)}
    return min(left, key=lambda c: (left[c], -c))
