"""A program as the text of a Python function: one call of a ufunc per instruction, each with its output given.

Results that are outputs are computed in place; the others share a few scratch buffers, each free again after it was
read for the last time.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ...base.dtypes import DType, is_bfloat16
from ...ops import elementwise as ew
from ...ops.op import TABLE
from ...plans.dag import Input
from ...plans.program import Instruction, Operand, Program, Temp

# Arithmetic among Python numbers in a plan; what is not here is a call of the ufunc (division by zero must give inf).
_NUMBERS = {
    "add": "({} + {})", "subtract": "({} - {})", "multiply": "({} * {})", "negative": "(-{})",
    "equal": "({} == {})", "not_equal": "({} != {})", "less": "({} < {})", "greater": "({} > {})",
    "less_equal": "({} <= {})", "greater_equal": "({} >= {})",
    "logical_and": "({} and {})", "logical_or": "({} or {})", "logical_not": "(not {})", "where": "({1} if {0} else {2})",
}  # fmt: skip


_REGISTER = re.compile(r"[isotn]\d+|float|plan|and|or|not|if|else")  # and what else the text says


class Code(NamedTuple):
    """A program as a Python function f(*inputs, *scalars, *outputs, *scratch).

    scratch: the dtypes of the buffers that it needs, all of the shape it is run on. contiguous: the inputs, by number,
    that it must be given C-contiguous, since the bits of an op depend on how they lie in memory.
    """

    text: str
    function: Callable[..., None]
    scratch: tuple[DType, ...]
    contiguous: frozenset[int]


def compiled(program: Program) -> Code:
    """The function of a program."""
    writer = _Writer(program)
    for n, i in enumerate(program.instructions):
        writer.instruction(n, i)
    writer.copies()
    counts = {"i": program.sources, "s": program.scalar_types, "o": program.outputs, "t": writer.scratch}
    parameters = ", ".join(f"{letter}{n}" for letter, given in counts.items() for n in range(len(given)))
    body = "\n    ".join(writer.lines or ["pass"])
    text = f"def plan({parameters}):\n    {body}\n"
    exec(compile(text, "<gpugrad plan>", "exec"), writer.namespace)  # text made above, from the op table alone
    return Code(text, writer.namespace["plan"], tuple(writer.scratch), frozenset(writer.contiguous))


class _Writer:
    """The lines of a program so far, and where each result is: o0 (an output), t0 (scratch) or n0 (a Python number)."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.lines: list[str] = []
        self.namespace: dict[str, Any] = {"copyto": np.copyto, "inf": math.inf, "nan": math.nan}
        self.scratch: list[DType] = []
        self.contiguous: set[int] = set()
        self._free: dict[DType, list[str]] = {}
        self._where: dict[Temp, str] = {}
        self._last = {a: n for n, i in enumerate(program.instructions) for a in i.args}  # where each is read last
        self._direct: dict[Operand, str] = {}  # results that are outputs
        for k, o in enumerate(program.outputs):
            if isinstance(o, Temp) and self._is_array(o):
                self._direct.setdefault(o, f"o{k}")

    def instruction(self, n: int, i: Instruction) -> None:
        """Write instruction number n."""
        if isinstance(i.dtype, np.dtype):
            self._array(n, i)
            return
        given = [self._text(a) for a in i.args]
        known = _NUMBERS.get(i.op.name) if TABLE.get(i.op.name) is i.op else None  # a user's op may have its name
        number = known.format(*given) if known else f"float({self._named(i.op.name, i.op.numpy)}({', '.join(given)}))"
        self._where[Temp(i.out)] = f"n{i.out}"
        self.lines.append(f"n{i.out} = {number}")

    def copies(self) -> None:
        """Write the outputs that no instruction has computed in place."""
        for k, o in enumerate(self.program.outputs):
            if self._direct.get(o) != f"o{k}":
                self.lines.append(f"copyto(o{k}, {self._text(o)})")

    def _array(self, n: int, i: Instruction) -> None:
        if not i.op.exact:
            self.contiguous.update(a.index for a in i.args if isinstance(a, Input))
        given = self._given(i)
        filled = ""
        if i.op is ew.power and not self._is_array(i.args[1]):
            filled = self._new(i.dtype)  # NumPy's power differs in the last bit between a scalar and an array exponent
            self.lines.append(f"copyto({filled}, {given[1]})")
            given[1] = filled
        dying = self._dying(n, i.args)
        register = self._direct.get(Temp(i.out)) or self._taken_over(i, given, dying) or self._new(i.dtype)
        self._where[Temp(i.out)] = register
        name = self._named(i.op.name, i.op.numpy if i.op is not ew.where else _where)
        self.lines.append(f"{name}({', '.join(given)}, {'out=' if i.op.is_ufunc else ''}{register})")
        for r in [*dying, filled]:
            if r and r != register:
                self._free.setdefault(self._dtype(r), []).append(r)

    def _named(self, name: str, function: Any) -> str:
        """The name that a function has in the text: its own, unless that is a register's or another function's."""
        name = re.sub(r"\W", "_", name)
        while _REGISTER.fullmatch(name) or self.namespace.setdefault(name, function) is not function:
            name += "_"
        return name

    def _given(self, i: Instruction) -> list[str]:
        """The operands. A Python number beside bfloat16 is one of its kind: NumPy would compute in float32."""
        given = [self._text(a) for a in i.args]
        types = [self.program.type_of(a) for a in i.args]
        brain = next((t for t in (i.dtype, *types) if isinstance(t, np.dtype) and is_bfloat16(t)), None)
        if brain is None:
            return given
        self.namespace["bfloat16"] = brain.type
        return [f"bfloat16({g})" if t is float or t is int else g for g, t in zip(given, types, strict=True)]

    def _dying(self, n: int, args: Sequence[Operand]) -> list[str]:
        """The scratch buffers that instruction number n is the last to read."""
        read = [a for a in args if isinstance(a, Temp) and self._last[a] == n and a not in self._direct]
        return [r for r in dict.fromkeys(self._where[a] for a in read) if r.startswith("t")]

    def _taken_over(self, i: Instruction, given: list[str], dying: list[str]) -> str | None:
        """A buffer read here for the last time, for the result to take its place; `where` may only take its last operand's."""
        if not i.op.is_ufunc:
            dying = [r for r in dying if i.op is ew.where and r == given[2] not in given[:2]]
        return next((r for r in dying if self._dtype(r) == i.dtype), None)

    def _new(self, dtype: DType) -> str:
        if self._free.get(dtype):
            return self._free[dtype].pop()
        self.scratch.append(dtype)
        return f"t{len(self.scratch) - 1}"

    def _dtype(self, register: str) -> DType:
        return self.scratch[int(register[1:])]

    def _is_array(self, a: Operand) -> bool:
        return isinstance(self.program.type_of(a), np.dtype)

    def _text(self, a: Operand) -> str:
        return self._where[a] if isinstance(a, Temp) else str(a)


def _where(condition: Any, a: Any, b: Any, out: Any) -> None:
    if out is not b:
        np.copyto(out, b)
    np.copyto(out, a, where=condition)
