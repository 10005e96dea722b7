"""Symbols as text and as LaTeX, and the local gradients of the op table written out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..base.dtypes import BOOL, FLOAT64
from ..ops import elementwise as ew
from ..ops.op import Masked, Op
from .symbols import Adjoint, Graph, Sym, reverse

_INFIX = {
    "add": "+", "subtract": "-", "multiply": "*", "divide": "/", "less": "<", "less_equal": "<=", "greater": ">",
    "greater_equal": ">=", "equal": "==", "not_equal": "!=",
}  # fmt: skip
_TIGHT = {"multiply": 2, "divide": 2, "add": 1, "subtract": 1}  # what binds more tightly needs no brackets
_LATEX_INFIX = {"*": r"\cdot", "<=": r"\le", ">=": r"\ge", "==": "=", "!=": r"\ne"}
_LATEX_NAMES = {"log": "ln", "maximum": "max", "minimum": "min"} | {
    n: n for n in ("arcsin", "arccos", "arctan", "cos", "cosh", "sin", "sinh", "tan", "tanh")
}


def text(s: Sym, names: Mapping[Sym, str], digits: int | None = 6) -> str:
    """A symbol as one line of Python, with `names` for the symbols that have one. Conversions of dtype are not shown.

    digits: of the numbers in it; None for all of them.
    """
    if s in names:
        return names[s]
    if s.op is None:
        return number(s.data, digits)
    if s.op.casts:
        return text(s.args[0], names, digits)
    parts = [text(a, names, digits) for a in s.args]
    sign = _INFIX.get(s.op.name)
    if sign is not None:
        left, right = (_grouped(p, a, s.op, names, k) for k, (p, a) in enumerate(zip(parts, s.args, strict=True)))
        return f"{left} {sign} {right}"
    if s.op is ew.negative:
        return f"-{_grouped(parts[0], s.args[0], ew.multiply, names, 1)}"
    return f"{s.op.name}({', '.join(parts)})"


def _grouped(part: str, a: Sym, outer: Op, names: Mapping[Sym, str], place: int) -> str:
    while a.op is not None and a.op.casts and a not in names:
        a = a.args[0]
    if a in names or a.op is None:
        return f"({part})" if a.op is None and a not in names and part.startswith("-") else part
    if a.op is ew.negative:
        return f"({part})"
    if a.op.name not in _INFIX:
        return part
    inner, around = _TIGHT.get(a.op.name, 0), _TIGHT.get(outer.name, 0)
    plain = inner > around or (inner == around and place == 0 and inner > 0)
    return part if plain else f"({part})"


def latex(s: Sym, names: Mapping[Sym, str]) -> str:
    """A symbol in LaTeX, with `names`, themselves in LaTeX, for the symbols that have one."""
    if s in names:
        return names[s]
    if s.op is None:
        return number(s.data)
    if s.op.casts:
        return latex(s.args[0], names)
    parts = [latex(a, names) for a in s.args]
    name = s.op.name
    if name in ("divide", "reciprocal"):
        above, below = parts if name == "divide" else ("1", parts[0])
        return rf"\frac{{{above}}}{{{below}}}"
    around = {"sqrt": r"\sqrt{%s}", "exp": "e^{%s}", "absolute": r"\left|%s\right|", "exp2": "2^{%s}"}.get(name)
    if around is not None:
        return around % parts[0]
    grouped = [
        rf"\left({p}\right)"
        if a not in names and a.op is not None and (a.op.name in _INFIX or a.op is ew.negative)
        else p
        for a, p in zip(s.args, parts, strict=True)
    ]
    if name in ("square", "cube", "power"):
        return f"{{{grouped[0]}}}^{{{parts[1] if name == 'power' else 2 if name == 'square' else 3}}}"
    sign = _INFIX.get(name)
    if sign is not None:
        if name in ("add", "subtract"):  # what is multiplied needs no brackets
            grouped = [
                p if a not in names and a.op is ew.multiply else g
                for a, p, g in zip(s.args, parts, grouped, strict=True)
            ]
        return f"{grouped[0]} {_LATEX_INFIX.get(sign, sign)} {grouped[1]}"
    if s.op is ew.negative:
        return f"-{grouped[0]}"
    head = rf"\{_LATEX_NAMES[name]}" if name in _LATEX_NAMES else rf"\operatorname{{{latex_word(name)}}}"
    return rf"{head}\left({', '.join(parts)}\right)"


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
