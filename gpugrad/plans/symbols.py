"""Symbolic differentiation of a region: partials evaluated on symbols, and the reverse and the forward sweep, with masks.

Differentiate first, fuse second: a `Graph` of symbols is built from a region's structure, a sweep adds the symbols of its
gradients or of its tangent, and only then is anything turned into a program. Rules of the op table run here on symbols.
Folding happens only in what the rules build (x * 1, two minus signs); the forward symbols are exactly the ops called.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..base.dtypes import BOOL, INT64, DType, computed
from ..ops import elementwise as ew
from ..ops.op import Masked, Op, cast
from ..ops.operators import Operators
from ..ops.reduction import Reduction, spread, total
from .dag import Dag, Input, Node, Scalar


class Sym:
    """One symbol: an input array, a scalar argument, a constant, or an op applied to symbols.

    kind: "input", "scalar", "const" or "op". data: a scalar's index, a constant's value.
    dtype: a NumPy dtype, or a Python type for scalars and constants. grad: False for what backward must not enter.
    row: True for a row value, False for a full one, None for a number.
    """

    __slots__ = ("args", "data", "dtype", "grad", "graph", "kind", "number", "op", "row")

    def __init__(
        self, graph: Graph, kind: str, data: Any, dtype: Any, grad: bool, op: Op | None, args: tuple[Sym, ...]
    ):
        self.graph = graph
        self.kind = kind
        self.data = data
        self.dtype = dtype
        self.grad = grad
        self.op = op
        self.args = args
        self.row = _row(op, args)
        self.number = len(graph.symbols)
        graph.symbols.append(self)

    @property
    def weak(self) -> bool:
        """True for what adopts its partner's dtype: Python numbers, and arithmetic among them."""
        return not isinstance(self.dtype, np.dtype)

    def is_const(self, value: float) -> bool:
        return self.kind == "const" and type(self.data) is not bool and self.data == value

    def is_op(self, op: Op) -> bool:
        return self.op is op


def _row(op: Op | None, args: tuple[Sym, ...]) -> bool | None:
    """Whether the result of an op is a row value."""
    if type(op) is Reduction:
        return True
    if op is spread:
        return False
    found = None
    for a in args:
        if a.row is False:
            return False
        found = found or a.row
    return found


class Local(Operators):
    """A symbol as the text of an op's row sees it. dtype: the op's, which a choice between two Python numbers has."""

    __slots__ = ("dtype", "symbol")

    def __init__(self, symbol: Sym, dtype: DType) -> None:
        self.symbol = symbol
        self.dtype = dtype

    def __gpugrad_bind__(self, op: Op, args: Sequence[Any], params: Any) -> Local:
        return Local(self.symbol.graph.apply(op, [_without(a) for a in args], self.dtype), self.dtype)

    def __bool__(self) -> bool:
        raise TypeError("what depends on the values of operands is written with gg.where, not with if")

    def __pow__(self, n: Any) -> Local:
        return self.__gpugrad_bind__(ew.power, (self, n), {})


def _without(a: Any) -> Any:
    """A symbol, number or `Masked` pair as it was before it became `Local`."""
    if isinstance(a, Masked):
        return Masked(_without(a.mask), _without(a.factor))
    return a.symbol if isinstance(a, Local) else a


class Graph:
    """The symbols of one region. `apply` is what runs the rules; `node` is what records the ops a user called."""

    def __init__(self) -> None:
        self.symbols: list[Sym] = []

    def input(self, dtype: DType, grad: bool, row: bool = False) -> Sym:
        s = Sym(self, "input", None, dtype, grad, None, ())
        s.row = row
        return s

    def reduced(self, op: Reduction, s: Sym) -> Sym:
        """A full symbol reduced to a row value; a row value is repeated first. A mask that is a number, or a row value, stays what it is."""
        if s.row is None or (s.row and s.dtype == BOOL):
            return s
        return Sym(self, "op", None, s.dtype, s.grad, op, (self.full(s),))

    def full(self, s: Sym) -> Sym:
        """A row value repeated along its rows; what is full, and a number, as it is."""
        return Sym(self, "op", None, s.dtype, s.grad, spread, (s,)) if s.row else s

    def scalar(self, index: int, dtype: type) -> Sym:
        return Sym(self, "scalar", index, dtype, False, None, ())

    def const(self, value: Any) -> Sym:
        return Sym(self, "const", value, type(value), False, None, ())

    def lift(self, value: Any) -> Sym:
        return value if isinstance(value, Sym) else self.const(value)

    def node(self, op: Op, args: Sequence[Sym], grad: bool) -> Sym:
        """`op` on operands that already have its dtypes; a compound op without partials is written out."""
        if op.body is not None and op.rule is None:
            return self.expand(op, args, grad)
        return Sym(self, "op", None, op.loop(tuple(a.dtype for a in args)).output, grad, op, tuple(args))

    def expand(self, op: Op, args: Sequence[Sym], grad: bool = True) -> Sym:
        """The body of a compound op on symbols, in float32 where its operands are 16-bit."""
        assert op.body is not None
        target = op.loop(tuple(a.dtype for a in args)).output
        wide = computed(target)
        first = len(self.symbols)
        body = op.body(*(Local(a if a.weak else self.convert(a, wide), wide) for a in args))
        result = self.convert(self.lift(_without(body)), target)
        if not grad:
            for s in self.symbols[first:]:
                s.grad = False
        return result

    def real(self, s: Sym) -> Sym:
        """A Python integer that a rule writes as the real number it means: the reciprocal of 2 is not 0."""
        return self.const(float(s.data)) if s.kind == "const" and type(s.data) is int else s

    def convert(self, s: Sym, dtype: DType) -> Sym:
        """`s` in another dtype (itself if it has it already)."""
        if s.dtype == dtype:
            return s
        return Sym(self, "op", None, dtype, s.grad and dtype.kind != "b", cast(dtype), (s,))

    def partials(self, y: Sym, dtype: DType) -> list[Any]:
        """The local gradients of the op that `y` is the result of, by its row: symbols, numbers and `Masked` pairs.

        dtype: that of what the rule chooses between Python numbers; of `y`, if that has one.
        """
        assert y.op is not None
        assert y.op.rule is not None
        return [_without(p) for p in y.op.rule(*(Local(a, dtype) for a in y.args), Local(y, dtype))]

    def apply(self, op: Op, args: Sequence[Any], dtype: DType | None = None) -> Sym:
        """`op` as a rule calls it: constants folded, operands converted to the dtypes in which it computes.

        dtype: of a choice between two Python numbers, which have none to give it.
        """
        operands = [self.lift(a) for a in args]
        folded = self.fold(op, operands)
        if folded is not None:
            return folded
        if all(a.weak for a in operands):  # arithmetic among Python numbers stays a Python number
            operands = [self.real(a) for a in operands]
            kind = bool if op.loop((float,) * op.arity).output == BOOL else promoted_weak(operands)
            return Sym(self, "op", None, kind, False, op, tuple(operands))
        if op is ew.where and operands[1].weak and operands[2].weak:
            assert dtype is not None
            return Sym(self, "op", None, dtype, False, op, tuple(operands))
        loop = op.loop(tuple(a.dtype for a in operands))
        converted = [a if a.weak else self.convert(a, d) for a, d in zip(operands, loop.inputs, strict=True)]
        grad = op.differentiable and any(a.grad for a in operands)
        return Sym(self, "op", None, loop.output, grad, op, tuple(converted))

    def fold(self, op: Op, args: list[Sym]) -> Sym | None:
        """What `op` reduces to without arithmetic, or None. Never changes a value, only its cost."""
        a = args[0]
        if op is ew.negative:
            return a.args[0] if a.is_op(ew.negative) else self.const(-a.data) if a.kind == "const" else None
        if len(args) != 2:
            return None
        b = args[1]
        if a.kind == "const" and b.kind == "const" and op in _PYTHON:
            return self.const(_PYTHON[op](a.data, b.data))
        if op is ew.multiply:
            for s, o in ((a, b), (b, a)):
                if s.is_const(1) and not o.weak:
                    return o
                if s.is_const(-1) and not o.weak:
                    return self.apply(ew.negative, (o,))
                if s.is_op(ew.negative):
                    return self.apply(ew.negative, (self.apply(op, (s.args[0], o)),))
        elif op is ew.add:
            if b.is_op(ew.negative):
                return self.apply(ew.subtract, (a, b.args[0]))
            if a.is_op(ew.negative):
                return self.apply(ew.subtract, (b, a.args[0]))
        elif op is ew.logical_and:
            for s, o in ((a, b), (b, a)):
                if s is o or (s.kind == "const" and s.data is True):
                    return o
        return None


class Symbols(NamedTuple):
    """A region as fresh symbols: its calls (a compound op without partials is written out), its inputs, its outputs."""

    nodes: list[Sym]
    inputs: list[Sym]
    roots: list[Sym]


def symbols(dag: Dag) -> Symbols:
    """The symbols of a region, in a graph of their own, for a sweep to add to."""
    graph = Graph()
    inputs = [graph.input(a.dtype, a.requires_grad, a.row) for a in dag.inputs]
    nodes: list[Sym] = []

    def operand(a: Input | Node | Scalar) -> Sym:
        if isinstance(a, Scalar):
            return graph.scalar(a.index, dag.scalars[a.index])
        return inputs[a.index] if isinstance(a, Input) else nodes[a.index]

    for call in dag.calls:
        nodes.append(graph.node(call.op, [operand(a) for a in call.operands], call.requires_grad))  # noqa: PERF401  # reads itself
    return Symbols(nodes, inputs, [operand(r) for r in dag.roots])


def promoted_weak(operands: Sequence[Sym]) -> type:
    """The Python type of arithmetic among Python numbers."""
    return float if any(a.dtype is float for a in operands) else int


_PYTHON = {
    ew.add: lambda a, b: a + b,
    ew.subtract: lambda a, b: a - b,
    ew.multiply: lambda a, b: a * b,
    ew.divide: lambda a, b: a / b,
}


class Adjoint:
    """The gradient, or the tangent, that arrives at a symbol: a value, and the mask of the elements that took part (None: all)."""

    __slots__ = ("mask", "value")

    def __init__(self, value: Sym, mask: Sym | None) -> None:
        self.value = value
        self.mask = mask

    def through(self, partial: Any, dtype: DType) -> Adjoint | None:
        """The contribution of local gradient times what has arrived; None where the partial is the number 0.

        dtype: that of the op's result, for a choice between two numbers.
        """
        graph, mask, factor = self.value.graph, self.mask, partial
        if isinstance(partial, Masked):
            mask, factor = partial
        elif isinstance(partial, Sym) and partial.dtype in (BOOL, bool):
            mask, factor = partial, 1
        else:
            partial = graph.lift(partial)
            if partial.is_const(0):
                return None
            value = graph.apply(ew.multiply, (self.value, partial))
            if self.mask is not None and partial.kind != "const":
                value = graph.apply(ew.where, (self.mask, value, 0), dtype)
            return Adjoint(value, self.mask)
        if self.mask is not None:
            mask = graph.apply(ew.logical_and, (mask, self.mask))
        return Adjoint(graph.apply(ew.where, (mask, graph.apply(ew.multiply, (self.value, factor)), 0), dtype), mask)

    def plus(self, other: Adjoint) -> Adjoint:
        graph = self.value.graph
        mask = None
        if self.mask is not None and other.mask is not None and not _complementary(self.mask, other.mask):
            mask = graph.apply(ew.logical_or, (self.mask, other.mask))
        return Adjoint(graph.apply(ew.add, (self.value, other.value)), mask)

    def to(self, dtype: DType) -> Adjoint:
        return Adjoint(self.value.graph.convert(self.value, dtype), self.mask)

    def summed(self) -> Adjoint:
        """What arrives at a row value that the elements of a row have used: the sum of it all; it takes part if any of them does."""
        graph, mask = self.value.graph, self.mask
        return Adjoint(graph.reduced(total, self.value), None if mask is None else graph.reduced(total, mask))


def is_factor(partial: Any) -> bool:
    """Whether a partial multiplies by what may be infinite or NaN: not a number, and not a mask."""
    return isinstance(partial, Sym) and partial.kind != "const" and partial.dtype not in (BOOL, bool)


def reverse(seeds: Mapping[Sym, Adjoint], wanted: Iterable[Sym]) -> dict[Sym, Adjoint]:
    """The adjoints of the `wanted` symbols, given those that arrive at some: one sweep against the order of calls.

    Every contribution is local gradient times upstream gradient; a symbol used twice sums what arrives.
    """
    newest = max(seeds, key=lambda s: s.number)
    graph = newest.graph
    adjoints = dict(seeds)
    kept = set(wanted)
    found: dict[Sym, Adjoint] = {}
    called = graph.symbols[: newest.number + 1]
    needed = _leads_to(called, kept)
    for s in reversed(called):
        adjoint = adjoints.pop(s, None)
        if adjoint is None:
            continue
        if s in kept:
            found[s] = adjoint
        if s.kind != "op" or not s.grad:
            continue
        for a, p in zip(s.args, _partials(s), strict=True):
            if not a.grad or a not in needed:
                continue
            contribution = p(adjoint) if callable(p) else adjoint.through(p, s.dtype)
            if contribution is None:
                continue
            contribution = contribution.to(a.dtype)
            if a.row and not s.row:
                contribution = contribution.summed()
            adjoints[a] = adjoints[a].plus(contribution) if a in adjoints else contribution
    return found


def _partials(s: Sym) -> list[Any]:
    """The local gradients of the op that a symbol is the result of. Of a reduction, a function of what arrives."""
    if type(s.op) is not Reduction:
        return s.graph.partials(s, s.dtype)
    if s.op is total:
        return [lambda g: g]  # repeated along the row by whoever uses it
    return [lambda g: _shared(s, g)]


def _chosen(s: Sym) -> tuple[Sym, Sym]:
    """The elements of a row that are its extreme, and how many there are. NaN is no one's equal: where the result is NaN, the NaNs share it."""
    graph, x = s.graph, s.args[0]
    both = graph.apply(ew.logical_and, (graph.apply(ew.isnan, (x,)), graph.apply(ew.isnan, (s,))))
    chosen = graph.apply(ew.logical_or, (graph.apply(ew.equal, (x, s)), both))
    return chosen, graph.reduced(total, graph.convert(chosen, INT64))  # a count is exact in every dtype


def _shared(s: Sym, g: Adjoint) -> Adjoint:
    """The gradient of an extreme, shared evenly by the elements that are it: no other took part."""
    graph = s.graph
    chosen, count = _chosen(s)
    share = graph.convert(graph.apply(ew.divide, (g.value, count)), g.value.dtype)
    mask = chosen if g.mask is None else graph.apply(ew.logical_and, (chosen, g.mask))
    return Adjoint(graph.apply(ew.where, (mask, share, 0), g.value.dtype), mask)


def forward(roots: Sequence[Sym], tangents: Mapping[Sym, Adjoint]) -> list[Adjoint | None]:
    """The tangents of `roots`, given those of some symbols below them: one sweep in the order of calls. None where one is zero.

    Every contribution is local gradient times the operand's tangent.
    """
    newest = max(roots, key=lambda s: s.number)
    graph = newest.graph
    found = dict(tangents)
    for s in graph.symbols[: newest.number + 1]:
        if s in found or s.kind != "op" or not s.grad or not any(a in found for a in s.args):
            continue
        if type(s.op) is Reduction:
            found[s] = _tangent(s, found[s.args[0]])
            continue
        for a, p in zip(s.args, graph.partials(s, s.dtype), strict=True):
            contribution = found[a].through(p, s.dtype) if a in found else None
            if contribution is not None:
                contribution = contribution.to(s.dtype)
                found[s] = found[s].plus(contribution) if s in found else contribution
    return [found.get(root) for root in roots]


def _tangent(s: Sym, t: Adjoint) -> Adjoint:
    """The tangent of a reduction, given that of its operand."""
    if s.op is total:
        return t.summed()
    graph, dtype = s.graph, t.value.dtype
    chosen, count = _chosen(s)
    moved = graph.convert(graph.apply(ew.where, (chosen, t.value, 0), dtype), computed(dtype))
    mean = graph.apply(ew.divide, (graph.reduced(total, moved), count))
    return Adjoint(graph.convert(mean, dtype), None)


def _complementary(a: Sym, b: Sym) -> bool:
    return (a.is_op(ew.logical_not) and a.args[0] is b) or (b.is_op(ew.logical_not) and b.args[0] is a)


def _leads_to(symbols: Sequence[Sym], targets: set[Sym]) -> set[Sym]:
    """The symbols from which a target can be reached downwards: the sweep enters no others."""
    needed: set[Sym] = set()
    for s in symbols:
        if s in targets or (s.grad and any(a in needed for a in s.args)):
            needed.add(s)
    return needed
