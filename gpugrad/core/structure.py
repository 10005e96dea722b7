"""The structure of a pending expression: what two regions must share to share a plan."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Hashable, Sequence, Set
from typing import Any

from ..base.shapes import Shape
from ..ops.reduction import Reduction, relabel
from ..plans.dag import Array, Call, Dag, Input, Node, Ref, Scalar
from .ownership import references
from .value import Value, is_row


class Structure:
    """A region found by walking a pending expression: its key, and the arguments that go with it.

    nodes: the pending values, operands first. inputs: the computed ones they read. scalars: the Python numbers.
    roots: for each output an index into nodes, or ~index into inputs: codes that only this class reads.
    opened: of the inputs that have one number for each row, by index, the shape that broadcasts to the kept one.
    """

    __slots__ = (
        "blocked",
        "codes",
        "given",
        "index",
        "inputs",
        "key",
        "nodes",
        "opened",
        "private",
        "roots",
        "row_index",
        "scalars",
    )

    def __init__(self, roots: Sequence[Value], private: Set[Value], given: Set[Value]) -> None:
        self.private = private
        self.given = given
        self.codes: list[Any] = []
        self.nodes: list[Value] = []
        self.inputs: list[Value] = []
        self.scalars: list[Any] = []
        self.index: dict[Value, int] = {}
        self.row_index: dict[Value, int] = {}
        self.opened: dict[int, Shape] = {}
        self.blocked: list[Value] = []
        self.roots = tuple(
            self.index[r]
            if r in self.index
            else self._begin_with(r)
            if r in given
            else self._visit(r)
            if r.op is not None
            else self._reach(r)
            for r in roots
        )
        for a in self.inputs:
            self.codes.append(a.dtype)
            self.codes.append(a.requires_grad)
        self.key: Hashable = (*self.codes, self.roots, *self.opened)

    def dag(self) -> Dag:
        """The same as data, for a plan to keep: made once per structure."""
        numbers = itertools.count()
        calls = []
        for v in self.nodes:
            assert v.op is not None
            operands = [self._ref(self._code(v, a)) if type(a) is Value else Scalar(next(numbers)) for a in v.args]
            calls.append(Call(v.op, tuple(operands), v.requires_grad))
        return Dag(
            tuple(calls),
            tuple(Array(a.dtype, a.requires_grad, n in self.opened) for n, a in enumerate(self.inputs)),
            tuple(map(type, self.scalars)),
            tuple(map(self._ref, self.roots)),
        )

    def _code(self, v: Value, a: Value) -> int:
        """The code of an operand: of an array that an op on row values reads, there may be one of its own."""
        return self.row_index[a] if a in self.row_index and _reads_rows(v) else self.index[a]

    @staticmethod
    def _ref(code: int) -> Ref:
        return Node(code) if code >= 0 else Input(~code)

    def _visit(self, v: Value) -> int:
        index = self.index
        entry: list[Any] = [v.op, v.requires_grad]
        numbers: list[Any] = []
        row = v.rows is not None and _reads_rows(v)
        edge = edge_of(v)
        for a in v.args:
            if type(a) is Value:
                code = self.row_index.get(a) if row and (a.op is None or a in self.given) else index.get(a)
                if code is None and (a is edge or (a.rows is not None and a.rows.long)):
                    code = self._begin_with(a)
                elif code is None:
                    fresh = a.op is not None and a.absorbed is None and a.node is None
                    code = self._visit(a) if fresh else self._reach(a, v if row else None)
                entry.append(code)
            else:
                entry.append(type(a))
                numbers.append(a)
        self.codes += entry  # after its operands, and so are its numbers
        self.scalars += numbers
        index[v] = code = len(self.nodes)
        self.nodes.append(v)
        return code

    def _begin_with(self, a: Value) -> int:
        """A value of another region, which must be computed before, unless it will be."""
        if a not in self.given:
            self.blocked.append(a)
        self.index[a] = code = ~len(self.inputs)
        self.inputs.append(a)
        return code

    def _reach(self, a: Value, row: Value | None = None) -> int:
        """A value that another region has computed, or that is given. row: the row value that is made of it."""
        if a.array is None and a.op is not None and a not in self.given:  # a placeholder is an input
            if a.node is None and (a.absorbed is None or a in self.private):
                return self._visit(a)
            self.blocked.append(a)
        code = ~len(self.inputs)
        if row is None:
            self.index[a] = code
        else:
            assert row.rows is not None
            self.row_index[a] = code
            self.opened[~code] = row.rows.opened(a.shape, a.shape if row.op is relabel else row.shape)
        self.inputs.append(a)
        return code


def _reads_rows(v: Value) -> bool:
    """Whether what the op of a pending value reads has one number for each row."""
    return is_row(v) and type(v.op) is not Reduction


def edge_of(v: Value) -> Value | None:
    """The pending operand of a reduction that is not in its region: what has other rows, or is a row value already.

    (The sum of long rows is the end of its region: so it is in that of no op.)
    """
    if type(v.op) is Reduction and v.rows is not None:
        a: Value = v.args[0]
        if a.rows is not None and (is_row(a) or (a.rows != v.rows and not v.rows.long)):
            return a
    return None


def structure(roots: list[Value], close: Callable[[Value], Any], given: Set[Value] = frozenset()) -> Structure:
    """Walk the pending values below `roots`, once. Roots that are computed on the way to others are taken out of the list.

    given: values of other regions that will be there when this one is run.

    A value inside that some region has already computed, or that is a leaf, is closed first, deepest first, unless
    nothing but these roots can reach it: so no node is ever computed by more than two regions.
    """
    found = Structure(roots, frozenset(), given)
    while found.blocked:
        del found
        found = Structure(roots, _private(roots), given)
        blocked = found.blocked
        if not blocked:
            break
        del found  # what it holds would look like names to those who close below
        for a in blocked:
            close(a)
        roots[1:] = [r for r in roots[1:] if r.op is not None]
        if len(roots) > 1 and roots[0].op is None:
            del roots[0]
        found = Structure(roots, frozenset(), given)
    return found


def members(roots: Sequence[Value]) -> dict[Value, int]:
    """The pending values of expressions, operands first, each with how often the others use it."""
    uses: dict[Value, int] = {}
    order: list[Value] = []
    for root in roots:
        if root.op is not None and root not in uses:
            uses[root] = 0
            _visit(root, uses, order)
    return {v: uses[v] for v in order}


def nodes_behind(v: Value) -> list[Any]:
    """The nodes of the tape that a value leads to first: its own, or of a pending one those of what its expression reads."""
    if v.op is None or v.node is not None:
        return [v.node] if v.node is not None and v.requires_grad else []
    found = []
    for n in members([v]):
        found += [a.node for a in n.args if type(a) is Value and a.node is not None and a.requires_grad]
    return found


def _visit(v: Value, uses: dict[Value, int], order: list[Value]) -> None:
    # A function of its own: a closure that called itself would be a cycle, and keep the values alive.
    for a in v.args:
        if type(a) is Value and a.op is not None:
            if a not in uses:
                uses[a] = 0
                _visit(a, uses, order)
            uses[a] += 1
    order.append(v)


def _private(roots: Sequence[Value]) -> set[Value]:
    """The pending values that only these expressions can reach: nobody will ask for them again."""
    nodes = members(roots)
    return {v for (v, uses), n in zip(nodes.items(), references(nodes), strict=True) if n <= uses}
