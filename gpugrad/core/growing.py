"""Growing: calling an elementwise op computes nothing. All checks happen at the call; the op waits in a pending expression.

How large an expression is, is known without walking it: values that were made of each other share an `Expression`, which counts. One
that has become too large is computed, all values that somebody still has at once, as one region; and where ops repeat, as they do in a
loop, it is cut after a whole number of periods, so that the loop has few plans.
"""

from __future__ import annotations

import functools
import itertools
import math
from typing import Any

from ..base import errors
from ..base.config import HEAVY_BYTES, MAX_HEAVY_INPUTS, MAX_INPUTS, config
from ..base.counters import counters
from ..base.frames import user_line
from ..base.modes import grad_mode, scope
from ..base.shapes import DType, Rows, Shape, broadcast
from ..ops.op import Op, cast
from ..ops.reduction import Reduction, relabel
from .closing import close, close_together
from .ownership import references
from .structure import members
from .value import Value, is_row

FEW = 8  # ops of an expression that need no counting: even if all of them take three inputs, a region may hold them
_sequence = itertools.count()  # numbers every op called


class Expression:
    """The size of a pending expression: its ops, and the buffers that it reads (by identity: pending ops hold them).

    Two expressions that meet in an op become one: the smaller then points to the larger, `into`. Counts are never too small.
    limit: how many ops it may have; 0 for one that is computed at once, since its op has no C text. past: the ops that were cut off before it.

    Of a small one, of FEW ops at most, only their number is known, which is not too small either.
    """

    __slots__ = ("inputs", "into", "limit", "ops", "past")

    def __init__(self, ops: int, inputs: set[int], limit: int, past: tuple[Op, ...] = ()) -> None:
        self.ops = ops
        self.inputs = inputs
        self.limit = limit
        self.past = past
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
    elif len(args) == 1:
        types = (args[0].dtype,)
    else:
        types = tuple([a.dtype if type(a) is Value else type(a) for a in args])
    inputs, output, plain, carries = op.loops.get(types) or op.loop(types)
    shape: Any = None
    device: Any = None
    grad = False
    e: Expression | None = None
    rows: Rows | None = None
    few = 1
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
            if a.op is not None:
                if a.rows is not None and not a.rows.long:
                    rows = a.rows
                other = a.expression
                if type(other) is int:
                    few += other
                elif other.into is None and (e is None or e is other):
                    e = other
                else:
                    e = _joined(e, other)
    if not plain or rows is not None:  # operands that are converted, or computed, are others
        if op.alone and device.backend.dialect != "c":
            raise errors.no_text(op.name, device)
        if rows is not None:
            rows = _meeting(rows, args, shape)
        args = tuple([_operand(a, d, shape, rows) for a, d in zip(args, inputs, strict=True)])
        e, few = Expression(0, set(), 0) if op.alone else None, 1
        for a in args:
            if type(a) is Value and a.op is not None:
                if op.alone:
                    close(a)
                    continue
                if type(a.expression) is int:
                    few += a.expression
                else:
                    e = _joined(e, a.expression)
        if op.alone:
            rows = None
    recorded = grad and carries and (not grad_mode.scopes or grad_mode.enabled)
    v = Value(None, shape, output, device, recorded, None, True, op, args, next(_sequence))
    v.rows = rows
    counters.ops += 1
    if config._noting:
        _note(v)
    if e is None and few <= FEW and few < config._fuse:
        v.expression = few
        return v
    _count(v, e, few)
    return v


def grow_reduction(op: Reduction, a: Value, rows: Rows, keepdims: bool) -> Value:
    """A new pending value: a value reduced along its rows. (What is no full value of these is computed before: see `edge_of`.)"""
    v = _made_of_one(op, a, rows, rows.kept if keepdims else rows.squeezed)
    if rows.long and not v.requires_grad:
        close(v)  # a number must not keep an array alive that nothing else needs
    return v


def relabelled(a: Value, shape: Shape) -> Value | None:
    """A pending row value under another shape; None if that is none that row values have."""
    rows = a.rows
    if rows is None or rows.long or not is_row(a) or (shape != rows.kept and shape != rows.squeezed):
        return None
    return _made_of_one(relabel, a, rows, shape)


def _made_of_one(op: Op, a: Value, rows: Rows, shape: Shape) -> Value:
    recorded = a.requires_grad and grad_mode.enabled and a.dtype.kind != "b"
    v = Value(None, shape, a.dtype, a.device, recorded, None, True, op, (a,), next(_sequence))
    v.rows = rows
    counters.ops += 1
    if config._noting:
        _note(v)
    if a.op is None or type(a.expression) is int:
        few = 1 if a.op is None else 1 + a.expression
        if few <= FEW and few < config._fuse:
            v.expression = few
            return v
        _count(v, None, few)
    else:
        _count(v, a.expression.root(), 1)
    return v


def _meeting(rows: Rows, args: tuple[Any, ...], shape: Shape) -> Rows | None:
    """The rows of an op's result, of whose operands at least one has these; None if they do not fit together: then those are computed."""
    held = [a for a in args if type(a) is Value and a.op is not None and a.rows is not None and not a.rows.long]
    if shape == rows.extent:
        fit = all(a.rows == rows and (a.shape == shape or rows.aligned(a.shape)) for a in held)
    else:
        fit = all(a.rows == rows and a.shape == shape for a in held)
    if fit:
        return rows
    for a in held:
        close(a)
    return None


def _count(v: Value, e: Expression | None, few: int) -> None:
    """Count a new value among those that it was made of, and compute what has become too large."""
    if few > 1 or e is None:
        e = _with_small_ones(e, v.args)
    v.expression = e
    e.ops += 1
    for a in v.args:
        if type(a) is Value and a.op is None:
            e.inputs.add(id(a))
    if e.ops > e.limit or len(e.inputs) > MAX_HEAVY_INPUTS or config._fuse == 1:
        _limit(v, e)


def _joined(e: Expression | None, other: Expression) -> Expression:
    """Two expressions as one."""
    if other.into is not None:
        other = other.root()
    return other if e is None or e is other else e.merged(other)


def _with_small_ones(e: Expression | None, args: tuple[Any, ...]) -> Expression:
    """An expression, or a new one, together with operands whose expressions are so small that only their ops were counted."""
    if e is None:
        e = Expression(0, set(), config._fuse)
    for a in args:
        if type(a) is Value and type(a.expression) is int:
            for n in members([a]):
                e.ops += 1
                e.inputs.update([id(b) for b in n.args if type(b) is Value and b.op is None])
                if type(n.expression) is int:
                    n.expression = e
    return e


def _note(v: Value) -> None:
    if config._debug:
        v.line = user_line()
    if scope.path:
        v.scope = scope.path
        if not Value.scoped:  # an assignment to a class makes Python forget what it knows of it
            Value.scoped = True


def _operand(a: Any, dtype: DType, shape: Shape, rows: Rows | None) -> Any:
    """An operand as an op of this dtype, shape and these rows takes it."""
    if type(a) is not Value:
        # A number has the kind of its op: 1 / 2 inside a partial must not become integer arithmetic.
        return fitting(a, dtype) if type(a) is int else a
    if a.dtype != dtype:
        a = grow(cast(dtype), (a,))
    if a.array is None:  # every value of a region is full, or one of its row values
        reduced = rows is not None and (a.rows is not None or shape != rows.extent)
        if a.rows != rows if reduced else a.shape != shape:
            close(a)
    return a


def fitting(value: int, dtype: DType) -> int | float:
    """A Python integer as the number that an op of this dtype takes."""
    try:
        if dtype.kind not in "iu":
            return float(value)
        dtype.type(value)
        return value
    except OverflowError:
        raise errors.DTypeError(
            f"the Python integer {value} does not fit in {dtype}. Convert the tensor with x.astype(...)."
        ) from None


def _most_inputs(v: Value) -> int:
    """How many inputs the expression of a value may have: fewer where together they would hold much memory."""
    heavy = MAX_HEAVY_INPUTS * math.prod(v.shape) * v.dtype.itemsize > HEAVY_BYTES
    return MAX_HEAVY_INPUTS if heavy else MAX_INPUTS


def _limit(v: Value, e: Expression) -> None:
    """Keep the expression of a new value within the caps.

    What is counted may belong to others by now. If half of it does, that is all: the value gets an expression of its own. If not, what is
    below the new op is computed, or the older half of it and more, as far as it is needed after. Either way the next count is about as far
    away as this one was from the last.
    """
    most_ops = config._fuse
    if most_ops == 1 or e.limit == 0:
        close(v)
        return
    most_inputs = _most_inputs(v)
    if e.ops <= min(most_ops, e.limit) and len(e.inputs) <= most_inputs:
        return
    nodes = members([v])
    inputs = {id(a) for n in nodes for a in n.args if type(a) is Value and a.op is None}
    if 2 * len(nodes) <= most_ops and 2 * len(inputs) <= most_inputs:
        rest = Expression(len(nodes), inputs, e.limit, e.past)
        for n in nodes:
            n.expression = rest
        return
    del nodes[v]
    for a in v.args:
        if type(a) is Value and a in nodes:
            nodes[a] -= v.args.count(a)  # the new op is a user outside
    held = [n for (n, uses), count in zip(nodes.items(), references(nodes), strict=True) if count > uses]
    order = sorted(nodes, key=_number)
    cut, alive = (len(order), held) if len(held) == 1 else _narrowest(order, set(held))
    past = (*e.past, *[n.op for n in order[:cut]])[-MEMORY:]
    left = {*order[cut:], v}
    read = {id(a) for n in left for a in n.args if type(a) is Value and a not in left}
    later = Expression(len(left), read, _whole_periods(past, most_ops), past)
    for n in left:
        n.expression = later
    del n, nodes, order, left, held  # what they hold would look like users to those who close
    close_together(alive)


def _narrowest(order: list[Value], held: set[Value]) -> tuple[int, list[Value]]:
    """Where to cut ops, in the order of their calls, that are one too many for a region, and which of them are needed after.

    Where a single one is needed after, in the second half; or else at the end. held: those that somebody outside has.
    """
    n = len(order)
    last = dict.fromkeys(held, n)  # the op that needs it last
    for k, v in enumerate(order):
        for a in v.args:
            if type(a) is Value and a.op is not None and a not in held:
                last[a] = k
    ends = [0] * (n + 1)
    for k in last.values():
        ends[k] += 1
    cut, alive = n, 0
    for k in range(n):
        alive += 1 - ends[k]  # op k is there; what it was the last to need is not needed any more
        if alive == 1 and 2 * k >= n:
            cut = k + 1
    return cut, [v for v in order[:cut] if last[v] >= cut]


def _number(v: Value) -> int:
    return v.number


MEMORY = (
    8 * 64
)  # ops that an expression remembers beyond the pending ones: the body of a loop may be longer than a region


@functools.lru_cache(maxsize=1024)
def _whole_periods(past: tuple[Op, ...], most: int) -> int:
    """How many ops the next region should take: whole periods of the user's loop, or an equal part of one that is too long."""
    n = len(past)
    best, period = 0, 0
    for p in range(1, n // 2 + 1):
        run = 0
        while run < n - p and past[n - 1 - run] is past[n - 1 - run - p]:
            run += 1
        if run >= p and run > best:
            best, period = run, p
    if not period:
        return most
    return most // period * period if period <= most else -(-period // -(-period // most))
