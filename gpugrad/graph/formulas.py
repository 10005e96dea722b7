"""What the nodes of a graph say in symbols: a variable's definition, and its local gradients, in the names of its operands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..plans.notation import expression, latex_name, latex_word, literal, number, partials, readable, text
from ..plans.symbols import Sym
from .nodes import Node

OPERANDS = 16  # of a structural op that are written out

Write = Callable[..., str]  # text or latex, of a symbol and the names of others
Name = Callable[[str], str]  # how a variable's name is written: readable or latex_name


def differentiable(result: Node) -> list[tuple[int, Node]]:
    """The operands of a variable's operation that a gradient can flow to, with their positions."""
    if result.kind == "leaf" or not result.requires_grad:
        return []
    return [(k, a) for k, a in enumerate(result.operation.operands) if isinstance(a, Node) and a.requires_grad]


def definition(n: Node, write: Write, name: Name) -> str:
    """What a variable is, in the names of its operands."""
    box = n.operation
    if box.step.op is not None:
        _, y, names = _symbols(n, name)
        del names[y]
        return write(y, names)
    head = rf"\operatorname{{{latex_word(box.op)}}}" if name is latex_name else readable(box.op)
    operands = [name(a.name) for a in box.operands if isinstance(a, Node)]
    if len(operands) > OPERANDS:
        more = f"... {len(operands) - OPERANDS} more ..."
        operands[OPERANDS // 2 : -OPERANDS // 2] = [rf"\text{{{more}}}" if name is latex_name else more]
    return f"{head}({', '.join(operands)})"


def local_gradient(result: Node, which: int, write: Write, name: Name) -> str:
    """The derivative of a variable in operand number `which` of its operation.

    From the op's row; that of a structural op is a linear map, D0 op(...), the derivative in operand 0. Where the operand
    was broadcast, Σ says that its gradient is summed back.
    """
    box = result.operation
    operand = box.operands[which]
    assert isinstance(operand, Node)
    in_latex = name is latex_name
    if box.step.op is None:
        place = str(which) if len(box.operands) > 1 else ""
        return f"{f'D_{{{place}}}' if in_latex else f'D{place}'} {definition(result, write, name)}"
    operands, y, names = _symbols(result, name)
    written = write(partials(box.step.op, operands, y)[which], names)
    if operand.shape == result.shape:
        return written
    if written == "1":
        return r"\Sigma" if in_latex else f"Σ{operand.shape}"
    if in_latex:
        return rf"\Sigma \left({written}\right)"
    return f"Σ{operand.shape} {f'({written})' if ' ' in written else written}"


def _symbols(result: Node, name: Name) -> tuple[list[Sym], Sym, dict[Sym, str]]:
    """A variable's elementwise op on symbols: its operands, its result, and what each of them is called."""
    box = result.operation
    operands, y = expression(box.step.op, [a.dtype if isinstance(a, Node) else type(a) for a in box.operands])
    names = {y: name(result.name)}
    for s, a in zip(operands, box.operands, strict=True):
        names[s] = name(a.name) if isinstance(a, Node) else literal(a)
    return operands, y, names


def sentence(n: Node) -> str:
    """A variable and its definition as one line of text."""
    return n.label if n.kind == "leaf" else f"{n.label} = {definition(n, text, readable)}"


def shown(v: Any) -> str:
    """An array as a number, or as a summary."""
    a = np.asarray(v)
    if a.size == 1:
        return number(float(a.reshape(())))
    if not a.size:
        return f"an array of shape {a.shape}"
    wide = a.astype(float)
    mean, low, high = (number(float(f(wide))) for f in (np.mean, np.min, np.max))
    return f"an array of shape {a.shape}: mean {mean}, from {low} to {high}"
