"""What a computational graph is made of, as data: nodes and the edges between them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..base.shapes import DType, Shape
from ..plans.notation import readable


@dataclass(frozen=True, eq=False, slots=True)
class Node:
    """A variable or an operation.

    number: its place in the forward order. kind: "leaf" (a variable with no inputs), "intermediate", "root", or "operation".
    op: the operation, or the one that computes the variable; "" for a leaf. name: of a variable. shape, dtype, device: of the
    variable, or of the operation's result. region: the number of the region it is computed in, None outside of one.
    requires_grad: whether gradients reach it. operands: the nodes that it is computed from, and Python numbers, by position.
    module: the path of the `nn.Module` that called the operation, "" outside of one.
    """

    number: int
    kind: str
    op: str
    name: str
    shape: Shape
    dtype: DType
    device: str
    region: int | None
    requires_grad: bool
    operands: tuple[Node | float, ...] = field(default=(), repr=False)
    module: str = field(default="", repr=False)
    step: Any = field(default=None, repr=False)  # of an operation: how it runs, for `gpugrad.graph.steps`
    value: Any = field(default=None, repr=False)  # of a variable: its value, if somebody still had it

    @property
    def is_variable(self) -> bool:
        """True for a circle, False for a box."""
        return self.kind != "operation"

    @property
    def operation(self) -> Node:
        """The operation that computes a variable. Raises ValueError for a leaf, or an operation itself."""
        if self.kind not in ("intermediate", "root") or not self.operands:
            raise ValueError(f"{self.label} is not computed by an operation")
        box = self.operands[0]
        assert isinstance(box, Node)
        return box

    @property
    def label(self) -> str:
        """What is written on it: a variable's name, or an operation with the numbers it takes. Control characters as Python writes them."""
        if self.is_variable:
            return readable(self.name)
        op = readable(self.op)
        if all(isinstance(a, Node) for a in self.operands):
            return op
        return f"{op}({', '.join('·' if isinstance(a, Node) else f'{a:.6g}' for a in self.operands)})"


def edges(nodes: Iterable[Node]) -> list[Edge]:
    """The arrows between nodes, by target."""
    return [Edge(a, n, k) for n in nodes for k, a in enumerate(n.operands) if isinstance(a, Node)]


class Edge(NamedTuple):
    """From a variable to an operation that takes it at `position`, or from an operation to its result."""

    source: Node
    target: Node
    position: int
