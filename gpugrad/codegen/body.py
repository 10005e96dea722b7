"""From a program to C text: one body for C++ and CUDA. The skeletons around it are in `host` and `cuda`.

The body is one statement per op, in the op's dtype, with the text of the op's row; 16-bit floats are computed in
float32 and rounded once per op. A kernel carries the paragraphs of `kernels/` that it uses and nothing else,
so that its text is all there is to it: the same program always gives the same text.
"""

from __future__ import annotations

import functools
import math
import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..base.dtypes import BOOL, NAMED, NUMBERS, DType, is_16_bit, is_compiled
from ..ops.op import Op
from ..ops.reduction import Reduction
from ..plans.dag import Input
from ..plans.program import Const, Operand, Program


def folder() -> Path:
    """Where the C and CUDA texts are: inside an installed package, or beside it in a checkout."""
    inside = Path(__file__).parents[1] / "kernels"
    return inside if inside.is_dir() else Path(__file__).parents[2] / "kernels"


class Body(NamedTuple):
    """The statements of a program. It reads i0[j], s0, ... and writes o0[j], ...

    before: what does not depend on the element. loop: one statement per op, and the stores.
    """

    before: list[str]
    loop: list[str]


def missing(program: Program) -> str:
    """Why a program has no C text, in words; empty if it has."""
    for d in (*program.input_dtypes, *program.dtypes, *(i.dtype for i in program.instructions)):
        if isinstance(d, np.dtype) and not is_compiled(d):
            return f"{d.str if not d.isnative else d.name} is not among the dtypes of compiled kernels"
    for op in {i.op for i in program.instructions}:
        if not op.c and type(op) is not Reduction:
            return f"{op.name} has no C text"
    return ""


def body(program: Program) -> Body:
    """One statement per op, in program order. The same text serves C++ and CUDA."""
    before: list[str] = []
    loop: list[str] = []
    loaded: set[str] = set()

    def read(a: Operand, dtype: DType | None) -> str:
        """An operand as the op takes it; dtype None: as it is."""
        own = program.type_of(a)
        name = _literal(a.value) if isinstance(a, Const) else str(a)
        if isinstance(a, Input):
            name = f"x{a.index}"
            if name not in loaded:
                loaded.add(name)
                value = f"gg_load16({a}[j])" if is_16_bit(own) else f"{a}[j] != 0" if own == BOOL else f"{a}[j]"
                loop.append(f"const {_register(own)} {name} = {value};")
        return name if dtype is None or own == dtype else _convert(name, own, dtype)

    for out, op, args, dtype in program.instructions:
        given = tuple(map(program.type_of, args))
        takes = _operands(op, given)
        texts = [read(a, d) for a, d in zip(args, takes, strict=True)]
        result = op.loop(given).output
        if op.casts and is_16_bit(result):
            value, result = texts[0], takes[0]  # rounded below, once
        else:
            value = op.c.format(*(t if _is_atom(t) else f"({t})" for t in texts))
        if isinstance(dtype, np.dtype):
            value = _round(value, dtype) if is_16_bit(dtype) else _convert(value, result, dtype)
            loop.append(f"const {_register(dtype)} t{out} = {value};")
        else:
            before.append(f"const {NUMBERS[dtype].name} t{out} = {value};")
    stores = []
    for k, (o, d) in enumerate(zip(program.outputs, program.dtypes, strict=True)):
        value = read(o, d)
        stores.append(f"o{k}[j] = {f'{d.name}{{gg_store_{d.name}({value})}}' if is_16_bit(d) else value};")
    return Body(before, loop + stores)


def _operands(op: Op, given: tuple[Any, ...]) -> tuple[Any, ...]:
    """The dtypes that the op's text is applied to. C compares int64 with uint64 as unsigned; NumPy does not."""
    takes = op.loop(given).inputs
    if len(takes) == 2 and {d.str[1:] for d in takes} == {"i8", "u8"}:
        return "wide", "wide"
    return takes


def _register(dtype: DType) -> str:
    return NAMED[dtype.name].computed


def _convert(text: str, own: Any, dtype: Any) -> str:
    """A value of one type as another; Python numbers take the dtype that is asked for."""
    if dtype == "wide":
        return f"static_cast<__int128>({text})"
    if isinstance(own, np.dtype) and (own == dtype or (_register(own) == _register(dtype) and not is_16_bit(dtype))):
        return text
    if is_16_bit(dtype):
        return _round(text, dtype)
    if not isinstance(own, np.dtype):
        return f"{dtype.name}({text})"
    return f"gg_cast<{dtype.name}>({text})"


def _round(text: str, dtype: DType) -> str:
    return f"gg_{dtype.name}({text})"


def _is_atom(text: str) -> bool:
    """True for a name, a number or a call, which need no brackets around them."""
    return re.fullmatch(r"\w+|[\w<>]+\([^()]*\)|[\d.e+]+", text) is not None


def _literal(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return f"{value}ll" if -(2**63) < value < 2**63 else f"{value % 2**64}ull"
    if math.isnan(value):
        return "GG_NAN"
    if math.isinf(value):
        return "GG_INF" if value > 0 else "(-GG_INF)"
    return repr(float(value))


# ------------------------------------------------------------------------------------------------- the prelude

_DEFINES = re.compile(
    r"^(?:template <int N> )?GG_(?:DEVICE|FN) [\w<>,:*& ]*?\b(gg_\w+)\(|^GG_(?:LIBM|EXACT)_\d\((\w+),|\bstruct (?:alignas\(.*\) )?(\w+)|^ *#define (\w+)"
    r"|^typedef \w[\w ]* (\w+)(?: __attribute__.*)?;|template <typename To, typename From> GG_DEVICE To (gg_cast)",
    re.MULTILINE,
)
_WORD = re.compile(r"\b[A-Za-z_]\w*")


@functools.cache
def _paragraphs(file: str) -> list[tuple[str, frozenset[str], frozenset[str]]]:
    """A file of `kernels/` in pieces: (text, the names it defines, the words in it)."""
    found = []
    for text in (folder() / file).read_text(encoding="utf-8").split("\n\n"):
        defined: set[str] = set()
        for function, library, *others in _DEFINES.findall(text):
            defined.update(n for n in (function, library and f"gg_{library}", *others) if n)
        found.append((text.strip("\n"), frozenset(defined), frozenset(_WORD.findall(text))))
    return found


def prelude(text: str, *more: str) -> str:
    """The paragraphs that a text needs, in their order: of the prelude, and of `more` files of `kernels/` after it."""
    paragraphs = [p for file in ("prelude.h", "special.h", *more) for p in _paragraphs(file)]
    words = set(_WORD.findall(text))
    kept: set[int] = set()
    changed = True
    while changed:
        changed = False
        for n, (_, defined, uses) in enumerate(paragraphs):
            if n not in kept and defined & words:
                kept.add(n)
                words |= uses
                changed = True
    return "\n\n".join(p[0] for n, p in enumerate(paragraphs) if n in kept)
