"""Values: immutable, a buffer or an op that waits for its operands. Data only; others grow, close and differentiate them."""

from __future__ import annotations

from typing import Any

from ..base.shapes import DType, Rows, Shape


class Value:
    """A buffer or a pending Expr; never changes, is only ever computed.

    array: the buffer, None while pending. op, args: the pending op and its operands (values and Python numbers).
    shape, dtype: of the buffer, also while there is none. device: where it lives.
    node: where it stands on the tape; None for constants and while pending. slot: where its gradient is to be kept.
    owned: the library allocated the buffer and never handed it out.
    absorbed: a weak reference to the node of the region that has computed it on the way to something else (None: not yet).
    number: ops are numbered as they are called. expression: how large the pending expression is that it belongs to (an Expression, or
    the number of its ops while there are few).
    rows: of a pending value with a reduction in its expression, the rows that it reduces.
    line: where the user called the op, if that is noted. label: the name that the user gave it. scope: the path of the module
    that its op was called in. known: what was found out about its content, its factors or its range, say, which is then not overwritten.
    The last three are not there if there is none.
    """

    __slots__ = (
        "__weakref__", "absorbed", "args", "array", "device", "dtype", "expression", "known", "label", "line", "node", "number", "op",
        "owned", "requires_grad", "rows", "scope", "shape", "slot",
    )  # fmt: skip

    label: str
    scope: str
    known: Any
    labelled = scoped = False  # whether any value has a label, or a scope: if not, nobody has to look

    def __init__(
        self, array: Any, shape: Shape, dtype: DType, device: Any, requires_grad: bool, node: Any, owned: bool, op: Any = None,
        args: tuple[Any, ...] = (), number: int = 0,
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
        self.expression: Any = None
        self.absorbed: Any = None
        self.slot: Any = None
        self.rows: Rows | None = None
        self.line = ""

    def release_operands(self) -> None:
        """Forget the pending op: called once the buffer is there."""
        self.op = None
        self.args = ()
        self.expression = None
        self.rows = None


def is_row(v: Value) -> bool:
    """Whether a pending value has one number for each row of its region, and not one for each element."""
    return v.rows is not None and (v.rows.long or v.shape != v.rows.extent)


def held(array: Any, device: Any, owned: bool = False, requires_grad: bool = False, node: Any = None) -> Value:
    """A value that is there already."""
    return Value(array, array.shape, array.dtype, device, requires_grad, node, owned)


def constant(data: Any, device: Any) -> Value:
    """A value holding a copy of plain data, without gradient."""
    return held(device.backend.from_host(data, None), device, owned=True)


def filled(shape: Shape, value: Any, dtype: DType, device: Any) -> Value:
    """A value that is the same number everywhere, without gradient."""
    return held(device.backend.full(shape, value, dtype), device, owned=True)
