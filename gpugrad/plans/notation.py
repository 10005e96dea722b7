"""Symbols as text and as LaTeX, and the local gradients of the op table written out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..base.dtypes import BOOL, FLOAT64
from ..ops import elementwise as ew
from ..ops.op import Masked, Op
from .symbols import Adjoint, Graph, Sym, reverse

_OPERAND = re.compile(r"\(#(\d)\)|#(\d)")  # in a row's form: `(#1)`, in brackets if it needs them, or `#1`
_POWER = ew.power.binding


def text(s: Sym, names: Mapping[Sym, str], digits: int | None = 6) -> str:
    """A symbol as one line of Python, with `names` for the symbols that have one. Conversions of dtype are not shown.

    digits: of the numbers in it; None for all of them.
    """
    return _written(s, names, digits, False)


def latex(s: Sym, names: Mapping[Sym, str]) -> str:
    """A symbol in LaTeX, with `names`, themselves in LaTeX, for the symbols that have one."""
    return _written(s, names, 6, True)


def _written(s: Sym, names: Mapping[Sym, str], digits: int | None, in_latex: bool) -> str:
    if s in names:
        return names[s]
    if s.op is None:
        return number(s.data, digits)
    if s.op.casts:
        return _written(s.args[0], names, digits, in_latex)
    op, parts = s.op, [_written(a, names, digits, in_latex) for a in s.args]

    def operand(found: re.Match[str]) -> str:
        k = int(found[1] or found[2]) - 1
        if found[2] or not _needs_brackets(s.args[k], parts[k], op, k, names, in_latex):
            return parts[k]
        return rf"\left({parts[k]}\right)" if in_latex else f"({parts[k]})"

    if in_latex and "#" in op.latex:
        return _OPERAND.sub(operand, op.latex)
    if op.infix:
        return _OPERAND.sub(operand, f"(#1) {op.infix} (#2)" if op.arity == 2 else f"{op.infix}(#1)")
    if in_latex:
        head = op.latex or rf"\operatorname{{{latex_word(op.name)}}}"
        return rf"{head}\left({', '.join(parts)}\right)"
    return f"{op.name}({', '.join(parts)})"


def _needs_brackets(a: Sym, part: str, outer: Op, place: int, names: Mapping[Sym, str], in_latex: bool) -> bool:
    """Whether an operand, which is written as `part`, would be misread beside the sign of the op around it."""
    while a.op is not None and a.op.casts and a not in names:
        a = a.args[0]
    if a in names:
        return False
    if a.op is None:
        return part.startswith("-")
    if in_latex and "#" in a.op.latex and "(#" not in a.op.latex:  # a fraction, a root
        return outer.binding == _POWER
    if not a.op.infix and not (in_latex and a.op.binding):  # a function
        return False
    inner, around = a.op.binding, outer.binding
    from_the_left = place == 0 and outer.arity == 2 and 0 < inner < _POWER  # a - b - c is (a - b) - c
    if a.op.arity == 1 and a.op.infix:  # a sign in front
        return True
    return not (inner > around or (inner == around and from_the_left))


def readable(name: str) -> str:
    """A name as it is shown: what has no shape of its own (control characters, half of a surrogate pair) as Python writes it.

    Whatever is left is a character that XML, JSON and UTF-8 know.

    >>> from gpugrad.plans.notation import readable
    >>> print(readable("a\\x00b \\ud800"))
    a\\x00b \\ud800
    """
    return name if name.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in name)


def latex_word(name: str) -> str:
    """Letters and signs as LaTeX shows them in running text."""
    special = {"\\": r"\backslash{}", "~": r"\sim{}", "^": r"\hat{}", " ": r"\ "}
    return "".join(special.get(c, f"\\{c}" if c in "_#$%&{}" else c) for c in readable(name))


def latex_name(name: str) -> str:
    """The name of a variable in LaTeX: z12 has an index, a long name is upright."""
    letter, digits = name[:1], name[1:]
    if letter.isascii() and letter.isalpha() and (digits.isdigit() or not digits):
        return f"{letter}_{{{digits}}}" if digits else letter
    return rf"\mathrm{{{latex_word(name)}}}"


def number(a: Any, digits: int | None = 6) -> str:
    """A number as it is shown, with six digits or as many as asked for; None: with all of them."""
    return f"{a:.{digits}g}" if isinstance(a, float) and digits else repr(a)


def literal(a: Any) -> str:
    """A number as the user wrote it, in brackets if it has a sign."""
    shown = repr(a).removesuffix(".0")
    return f"({shown})" if shown.startswith("-") else shown


def expression(op: Op, types: Sequence[Any]) -> tuple[list[Sym], Sym]:
    """An op on fresh symbols, inputs of dtypes and Python numbers: (operands, result). A compound op stays one symbol."""
    graph = Graph()
    operands = [graph.input(t, True) if isinstance(t, np.dtype) else graph.scalar(n, t) for n, t in enumerate(types)]
    return operands, Sym(graph, "op", None, op.loop(tuple(types)).output, True, op, tuple(operands))


def partials(op: Op, operands: Sequence[Sym], y: Sym) -> list[Sym]:
    """The local gradients of an op as symbols in its operands and its result, from its row; through its body if it has none."""
    graph = y.graph
    dtype = FLOAT64 if y.weak else y.dtype
    if op.rule is None:
        inner = graph.expand(op, operands)
        wanted = [a for a in operands if a.kind == "input"]
        found = reverse({inner: Adjoint(graph.const(1.0), None)}, wanted)
        return [found[a].value if a in found else graph.const(0) for a in operands]
    result = []
    for p in graph.partials(y, dtype):
        if isinstance(p, Masked):
            p = graph.apply(ew.where, (p.mask, p.factor, 0), dtype)
        elif isinstance(p, Sym) and p.dtype in (BOOL, bool):
            p = graph.apply(ew.where, (p, 1, 0), dtype)
        result.append(graph.lift(p))
    return result


def local_gradients(op: Op) -> list[str]:
    """The partials of an op as text, in its parameters and y; empty where it has none of its own."""
    if op.rule is None:
        return []
    operands, y = expression(op, (FLOAT64,) * op.arity)
    names = dict(zip(operands, op.params, strict=True)) | {y: "y"}
    result = []
    for p in y.graph.partials(y, FLOAT64):
        if isinstance(p, Masked):
            result.append(f"{text(y.graph.lift(p.factor), names)} where {text(y.graph.lift(p.mask), names)}, else 0")
        else:
            result.append(text(y.graph.lift(p), names))
    return result
