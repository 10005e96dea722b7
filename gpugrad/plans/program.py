"""Programs: straight lines of instructions, one kernel each."""

from __future__ import annotations

import enum
import functools
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ..base.dtypes import DType
from ..ops.op import Op
from ..ops.reduction import Reduction
from .dag import Input, Scalar
from .symbols import Graph, Sym


@dataclass(frozen=True, slots=True)
class Temp:
    """The result of an instruction, by its number."""

    index: int

    def __str__(self) -> str:
        return f"t{self.index}"


@dataclass(frozen=True, slots=True, eq=False)
class Const:
    """A Python number that is part of the program."""

    value: Any

    # 0.0 == -0.0, 1 == 1.0 == True, and nan != nan: a constant is told apart by its text.
    def __eq__(self, other: object) -> bool:
        return isinstance(other, Const) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))

    def __str__(self) -> str:
        return repr(self.value)


Operand = Input | Scalar | Temp | Const


class Kind(enum.Enum):
    """What an input array of a program is to the region."""

    INPUT = "input"  # an input of the region, by its number
    OUTPUT = "output"  # what the region has computed, stored, by the output's number
    UPSTREAM = "upstream"  # the gradient that arrives at an output, by its number
    TANGENT = "tangent"  # the tangent of an input, by the input's number
    UPSTREAM_MASK = "upstream mask"  # the elements of that gradient that took part
    MASK = "mask"  # the same of a tangent, by the input's number


@dataclass(frozen=True, slots=True)
class Source:
    """Where an input array of a program comes from. index: the number of an input of the region, or of an output."""

    kind: Kind
    index: int = 0


class Instruction(NamedTuple):
    """One op of a program: result number `out` is `op` of `args`. dtype: a NumPy dtype, or a Python number's type."""

    out: int
    op: Op
    args: tuple[Operand, ...]
    dtype: Any


class Program:
    """A straight-line program over input arrays and scalars: what one kernel computes. Never changes.

    sources, input_dtypes: what each input array is. scalar_types: the kind of each Python number, None if it is not read.
    outputs, dtypes: one operand per output, and the dtype it is stored in. Shapes are arguments: the inputs of a run
    broadcast to one shape, which the outputs have, or are summed from. row_inputs, row_outputs: those that have one element for each row; stores_rows: the latter by number.
    executables: what executors have made of the program, each under a key of its own; forgotten with the program.
    """

    __slots__ = (
        "dtypes", "executables", "input_dtypes", "instructions", "outputs", "row_inputs", "row_outputs", "rows", "scalar_types", "sources",
        "stores_rows",
    )  # fmt: skip

    def __init__(
        self,
        sources: Sequence[Source],
        input_dtypes: Sequence[DType],
        scalar_types: Sequence[type | None],
        instructions: Sequence[Instruction],
        outputs: Sequence[Operand],
        dtypes: Sequence[DType],
        row_inputs: Sequence[bool] = (),
        row_outputs: Sequence[bool] = (),
    ) -> None:
        self.row_inputs = tuple(row_inputs) or (False,) * len(sources)
        self.row_outputs = tuple(row_outputs) or (False,) * len(outputs)
        self.stores_rows = tuple(k for k, row in enumerate(self.row_outputs) if row)
        self.rows = _rows(instructions, self.row_inputs, self.row_outputs)
        self.sources = tuple(sources)
        self.input_dtypes = tuple(input_dtypes)
        self.scalar_types = tuple(scalar_types)
        self.instructions = tuple(instructions)
        self.outputs = tuple(outputs)
        self.dtypes = tuple(dtypes)
        self.executables: dict[Hashable, Any] = {}

    def type_of(self, a: Operand) -> Any:
        """The dtype of an operand, or the type of a Python number."""
        if isinstance(a, Temp):
            return self.instructions[a.index].dtype
        if isinstance(a, Const):
            return type(a.value)
        return (self.input_dtypes if isinstance(a, Input) else self.scalar_types)[a.index]

    def only(self, which: Sequence[int]) -> tuple[Program, tuple[int, ...]]:
        """The program of some of the outputs, with what they need, and which inputs it reads."""
        needed = {self.outputs[k] for k in which}
        for i in reversed(self.instructions):
            if Temp(i.out) in needed:
                needed.update(i.args)
        inputs = tuple(n for n in range(len(self.sources)) if Input(n) in needed)
        kept = [i for i in self.instructions if Temp(i.out) in needed]
        places: dict[Operand, Operand] = {Input(n): Input(k) for k, n in enumerate(inputs)}
        places |= {Temp(i.out): Temp(k) for k, i in enumerate(kept)}
        part = Program(
            [self.sources[n] for n in inputs],
            [self.input_dtypes[n] for n in inputs],
            [t if Scalar(n) in needed else None for n, t in enumerate(self.scalar_types)],
            [Instruction(k, i.op, tuple(places.get(a, a) for a in i.args), i.dtype) for k, i in enumerate(kept)],
            [places.get(o, o) for o in (self.outputs[k] for k in which)],
            [self.dtypes[k] for k in which],
            [self.row_inputs[n] for n in inputs],
            [self.row_outputs[k] for k in which],
        )
        return part, inputs

    def __repr__(self) -> str:
        lines = [
            f"    i{n}: {d} = {s.kind.value} {s.index}"
            for n, (s, d) in enumerate(zip(self.sources, self.input_dtypes, strict=True))
        ]
        lines += [f"    t{i.out} = {i.op.name}({', '.join(map(str, i.args))})" for i in self.instructions]
        return "\n".join(["program:", *lines, f"    return {', '.join(map(str, self.outputs))}"])


def _rows(instructions: Sequence[Instruction], inputs: Sequence[bool], outputs: Sequence[bool]) -> str:
    """How a program has to do with rows: "" if it has not, "all" if all of it has one element for each row, "mixed" if some has."""
    if not any(outputs) and not any(type(i.op) is Reduction for i in instructions):
        return ""  # what it reads of rows is repeated, as every input that broadcasts
    whole = all(outputs) and all(inputs) and not any(type(i.op) is Reduction for i in instructions)
    return "all" if whole else "mixed"


class _Lowering:
    """Symbols on their way to a program. Equal operations are computed once."""

    def __init__(self, names: Mapping[Sym, Source], scalars: int) -> None:
        self.names = names
        self.sources: list[Source] = []
        self.input_dtypes: list[DType] = []
        self.row_inputs: list[bool] = []
        self.scalar_types: list[type | None] = [None] * scalars
        self.instructions: list[Instruction] = []
        self.known: dict[Sym, Operand] = {}
        self.bodies: dict[Sym, Sym] = {}  # of compound ops, written out
        self._computed: dict[Hashable, Temp] = {}

    def lower(self, outputs: Sequence[Sym]) -> list[Operand]:
        """Operands first, without recursion: a chain may be longer than Python's stack."""
        stack = list(reversed(outputs))
        while stack:
            s = stack[-1]
            missing = [a for a in self._needs(s) if a not in self.known] if s not in self.known else []
            if missing:
                stack.extend(reversed(missing))
                continue
            if s not in self.known:
                self.known[s] = self.known[self.bodies[s]] if s in self.bodies else self._emit(s)
            stack.pop()
        return [self.known[s] for s in outputs]

    def _needs(self, s: Sym) -> tuple[Sym, ...]:
        if s in self.names:
            return ()
        if s.op is None or s.op.body is None:
            return s.args
        if s not in self.bodies:
            self.bodies[s] = s.graph.expand(s.op, s.args)
        return (self.bodies[s],)

    def _emit(self, s: Sym) -> Operand:
        if s in self.names:
            self.sources.append(self.names[s])
            self.input_dtypes.append(s.dtype)
            self.row_inputs.append(bool(s.row))
            return Input(len(self.sources) - 1)
        if s.kind == "const":
            return Const(s.data)
        if s.kind == "scalar":
            self.scalar_types[s.data] = s.dtype
            return Scalar(s.data)
        assert s.op is not None
        args = tuple(self.known[a] for a in s.args)
        key = s.op, s.dtype, args
        if key not in self._computed:
            self._computed[key] = Temp(len(self.instructions))
            self.instructions.append(Instruction(len(self.instructions), s.op, args, s.dtype))
        return self._computed[key]


def lower(
    outputs: Sequence[Sym], names: Mapping[Sym, Source], scalars: int, rows: Sequence[bool | None] = ()
) -> Program:
    """The program of some symbols. names: those that an array is given for. scalars: how many Python numbers are given.

    rows: the outputs that have one element for each row; if not given, those that are row values.
    """
    made = _Lowering(names, scalars)
    operands = made.lower(outputs)
    dtypes = [np.dtype(s.dtype) for s in outputs]  # a mask may be one Python bool
    wanted = [bool(r) for r in rows or [s.row for s in outputs]]
    return Program(
        made.sources, made.input_dtypes, made.scalar_types, made.instructions, operands, dtypes, made.row_inputs, wanted
    )


def single(op: Op, dtypes: Sequence[DType]) -> Program:
    """The program of one op, on arrays of these dtypes."""
    graph = Graph()
    inputs = [graph.input(d, False) for d in dtypes]
    return lower([graph.node(op, inputs, False)], named(inputs), 0)


def named(inputs: Sequence[Sym]) -> dict[Sym, Source]:
    """The inputs of a region, in their order, by the arrays that are given for them."""
    return {s: Source(Kind.INPUT, n) for n, s in enumerate(inputs)}


@functools.cache
def identity(dtype: DType) -> Program:
    """The program that hands its input on: how a buffer is copied, summed or added without another op."""
    s = Graph().input(dtype, False)
    return lower([s], {s: Source(Kind.UPSTREAM)}, 0)
