"""Values, and the pending expressions they may be: growing them, counting them, and their structure.

A `Value` is immutable: a buffer, or an op waiting for its operands (a pending Expr), with its tape node and its
`requires_grad`. Calling an elementwise op makes a pending value; this module knows how large such an expression has
become, where it may be cut, and which structure it has. Computing one is the business of `gpugrad.tape`.
"""

from __future__ import annotations

import itertools
import math
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from ..base import errors
from ..base.config import HEAVY_BYTES, MAX_HEAVY_INPUTS, MAX_INPUTS, config
from ..base.counters import counters, user_line
from ..base.modes import grad_mode, scope
from ..base.shapes import DType, Shape, broadcast
from ..ops.op import Op, cast
from ..ops.operators import Operators

_sequence = itertools.count()  # numbers every op called
_reads = itertools.count()  # numbers every buffer that an op was given


class Value(Operators):
    """A buffer or a pending Expr; never changes, is only ever computed.

    array: the buffer, None while pending. op, args: the pending op and its operands (values and Python numbers).
    node: where it stands on the tape; None for constants and while pending. device: where it lives.
    owned: the library allocated the buffer and never handed it out. absorbed: a weak reference to the node of the
    region that has computed it on the way to something else (None: not yet). slot: where its gradient is to be kept.
    number, started: of this op, and of the earliest op of the pending expression: no more ops than that lie between.
    first, last: the same for the buffers read. weight, fan_in: bounds on its ops and its inputs. label: the name that the user
    gave it. scope: the path of the module that its op was called in. Neither is there if there is none.
    """

    __slots__ = (
        "__weakref__", "absorbed", "args", "array", "device", "dtype", "fan_in", "first", "label", "last", "line", "node",
        "number", "op", "owned", "requires_grad", "scope", "shape", "slot", "started", "weight",
    )  # fmt: skip

    def __init__(
        self, array: Any, shape: Shape, dtype: DType, device: Any, requires_grad: bool, node: Any, owned: bool,
        op: Any = None, args: tuple[Any, ...] = (), number: int = 0, started: int = 0, weight: int = 0, fan_in: int = 0,
        first: int = 0, last: int = 0,
    ) -> None:  # fmt: skip
        self.array = array
        self.shape = shape
        self.dtype = dtype
        self.device = device
        self.requires_grad = requires_grad
        self.node = node
        self.owned = owned
        self.op = op
        self.args = args
        self.number = number
        self.started = started
        self.weight = weight
        self.fan_in = fan_in
        self.first = first
        self.last = last
        self.absorbed: Any = None
        self.slot: Any = None
        self.line = ""

    def __gpugrad_elementwise__(self, op: Op, args: tuple[Any, ...]) -> Value:
        if any(isinstance(a, np.ndarray) for a in args):
            args = tuple(constant(a, self.device) if isinstance(a, np.ndarray) else a for a in args)
        return pending(op, args, self.closer)

    def __gpugrad_structural__(self, op: Any, args: tuple[Any, ...], params: dict[str, Any]) -> Value:
        return self.caller(op, args, params)

    label: str
    scope: str
    labelled = scoped = False  # whether any value has a label, or a scope: if not, nobody has to look
    closer: Any = None  # how a value is computed, and how a structural op is called: given by gpugrad.tape
    caller: Any = None

    def release_operands(self) -> None:
        """Forget the pending op: called once the buffer is there."""
        self.op = None
        self.args = ()
        self.weight = 0


Closer = Callable[[Value], Any]


def constant(data: Any, device: Any) -> Value:
    """A value holding a copy of plain data, without gradient."""
    array = device.backend.from_host(data, None)
    return Value(array, array.shape, array.dtype, device, False, None, True)


def filled(shape: Shape, value: Any, dtype: DType, device: Any) -> Value:
    """A value that is the same number everywhere, without gradient."""
    return Value(device.backend.full(shape, value, dtype), shape, dtype, device, False, None, True)


def pending(op: Op, args: tuple[Any, ...], close: Closer) -> Value:
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
    weight, fan_in, started, first, last, grad = 1, 0, sys.maxsize, sys.maxsize, 0, False
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
            if a.array is None:
                weight += a.weight
                fan_in += a.fan_in
                if a.started < started:
                    started = a.started
                if a.first < first:
                    first = a.first
                if a.last > last:
                    last = a.last
            else:
                fan_in += 1
                last = next(_reads)
                if last < first:
                    first = last
    if not plain:
        args = tuple([_operand(a, d, shape, close) for a, d in zip(args, inputs, strict=True)])
        below = [a for a in args if type(a) is Value and a.array is None]
        weight = 1 + sum(a.weight for a in below)
        fan_in = sum(a.fan_in for a in below) + sum(type(a) is Value and a.array is not None for a in args)
        started = min((a.started for a in below), default=sys.maxsize)
        last = next(_reads)
        first = min((a.first for a in below), default=last)
        first = min(first, last - fan_in)  # whatever was closed on the way is read anew
    number = next(_sequence)
    if started > number:
        started = number
    elif weight > number - started + 1:
        weight = number - started + 1
    if fan_in > last - first + 1:
        fan_in = last - first + 1
    record = grad and carries and grad_mode.enabled
    v = Value(None, shape, output, device, record, None, True, op, args, number, started, weight, fan_in, first, last)
    counters.ops += 1
    if config._noting:
        _note(v)
    if weight > config._fuse or fan_in > MAX_INPUTS or (fan_in > MAX_HEAVY_INPUTS and _heavy(v)):
        _limit(v, close)
    return v


def _note(v: Value) -> None:
    if config._debug:
        v.line = user_line()
    if scope.path:
        v.scope = scope.path
        if not Value.scoped:  # an assignment to a class makes Python forget what it knows of it
            Value.scoped = True


def _operand(a: Any, dtype: DType, shape: Shape, close: Closer) -> Any:
    """An operand as an op of this dtype and shape takes it."""
    if type(a) is not Value:
        # A number has the kind of its op: 1 / 2 inside a partial must not become integer arithmetic.
        return fitting(a, dtype) if type(a) is int else a
    if a.dtype != dtype:
        a = pending(cast(dtype), (a,), close)
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


def members(*roots: Value) -> dict[Value, int]:
    """The pending values of expressions in topological order, each with how often the others use it."""
    uses: dict[Value, int] = {}
    order: list[Value] = []
    for root in roots:
        if root.array is None and root not in uses:
            uses[root] = 0
            _visit(root, uses, order)
    return {v: uses[v] for v in order}


def unnamed(roots: Sequence[Value]) -> set[Value]:
    """The pending values that only these expressions can reach: nobody will ask for them again."""
    nodes = members(*roots)
    return {v for v in nodes if not _named(v, nodes[v])}


def _visit(v: Value, uses: dict[Value, int], order: list[Value]) -> None:
    # A function of its own: a closure that called itself would be a cycle, and keep the values alive.
    for a in v.args:
        if type(a) is Value and a.array is None:
            if a not in uses:
                uses[a] = 0
                _visit(a, uses, order)
            uses[a] += 1
    order.append(v)


def _heavy(v: Value) -> bool:
    """True if the inputs of an expression, one buffer of its size each, would hold too much memory."""
    return v.fan_in * math.prod(v.shape) * v.dtype.itemsize > HEAVY_BYTES


def _limit(v: Value, close: Closer) -> None:
    """Keep a new pending value within the caps, by closing something below it. Its bounds may be too high: count."""
    while True:
        nodes = members(v)
        v.weight, v.fan_in = len(nodes), len(_inputs(nodes))
        heavy = v.fan_in > MAX_HEAVY_INPUTS and _heavy(v)
        if v.weight <= config.fuse and v.fan_in <= MAX_INPUTS and not heavy:
            return _tighten(nodes, v.fan_in)
        del nodes[v]
        if not nodes:
            return
        cut = _cut(nodes)
        del nodes  # what it holds would look like names to those who close
        close(cut)


def _inputs(nodes: Iterable[Value]) -> set[Value]:
    return {a for n in nodes for a in n.args if type(a) is Value and a.array is not None}


def _tighten(nodes: Iterable[Value], fan_in: int) -> None:
    """What is true of a whole expression bounds its parts: so that they are not counted again and again."""
    started = first = sys.maxsize
    for n in nodes:
        if n.number < started:
            started = n.number
        read = n.last - len(n.args)  # the first buffer it can have read itself, if it read any
        if read < first:
            first = read
    first -= fan_in  # a buffer that was pending when it was given has no number of its own
    for n in nodes:
        if n.started < started:
            n.started = started
            n.weight = min(n.weight, n.number - started + 1)
        if n.first < first:
            n.first = first
        if n.fan_in > fan_in:
            n.fan_in = fan_in


def _cut(nodes: dict[Value, int]) -> Value:
    """Where to close an expression that has grown too large: the boundary must repeat with the user's loop.

    The deepest value that a live Tensor still names (a loop variable), if that takes at least half of a full region
    out of the way; else the largest.
    """
    enough = min(config.fuse, max(v.weight for v in nodes)) // 2
    candidates = [v for v in nodes if v.weight >= enough and _named(v, nodes[v])]
    if candidates:
        return min(candidates, key=lambda v: v.number)
    return max(nodes, key=lambda v: v.number)


def _named(v: Value, uses: int) -> bool:
    return sys.getrefcount(v) - uses > _UNNAMED


def _calibrate() -> int:
    """References to a value that nobody names, as `_named` sees them from `_cut`: measured, not assumed."""

    def probe(v: Value, uses: int) -> int:
        return sys.getrefcount(v) - uses

    nodes = {Value(None, (), np.dtype(bool), None, False, None, True): 0}
    (count,) = [probe(v, nodes[v]) for v in nodes]  # in a comprehension, as in `unnamed`
    return count


_UNNAMED = _calibrate()
