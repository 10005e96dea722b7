"""Programs: straight lines of instructions, one kernel each."""

from __future__ import annotations

import functools
from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..base.dtypes import DType
from ..ops.op import Op
from .symbols import Graph, Sym

Operand = tuple[str, Any]  # ("i", n) an input array, ("s", n) a scalar, ("t", n) a result, ("k", value) a constant


class Instruction(NamedTuple):
    """One op of a program: result number `out` is `op` of `args`. dtype: a NumPy dtype, or a Python number's type."""

    out: int
    op: Op
    args: tuple[Operand, ...]
    dtype: Any


class Program:
    """A straight-line program over input arrays and scalars: what one kernel computes.

    sources: what each input array is, ("x", n) an input of the region, or "y" its stored output, "g" the upstream
    gradient, "m" its mask. outputs: one operand per output, with `dtypes`.
    """

    __slots__ = (
        "code", "dtypes", "input_dtypes", "instructions", "launches", "native", "outputs", "runs", "scalar_types", "scalars",
        "sources", "work",
    )  # fmt: skip

    def __init__(self, outputs: Sequence[Sym], names: dict[Sym, Any], scalars: int) -> None:
        """Lower symbols; `names` are those that an array is given for. Equal operations are computed once."""
        self.sources: list[Any] = []
        self.input_dtypes: list[Any] = []
        self.instructions: list[Instruction] = []
        self.scalars = scalars
        self.scalar_types: list[type | None] = [None] * scalars  # None: not used
        self.code: Any = None  # the form that the NumPy executor runs, made on first use
        self.native: Any = None  # the compiled form, made when the policy says so
        self.launches: dict[Any, Any] = {}  # on a GPU: what is launched, by layout of the arrays
        self.runs = 0  # how often it has run, and on how many elements times ops
        self.work = 0
        known: dict[Sym, Operand] = {}
        seen: dict[Hashable, Operand] = {}

        def emit(s: Sym) -> Operand:
            if s in names:
                self.sources.append(names[s])
                self.input_dtypes.append(s.dtype)
                return "i", len(self.sources) - 1
            if s.kind == "const":
                return "k", s.data
            if s.kind == "scalar":
                self.scalar_types[s.data] = s.dtype
                return "s", s.data
            assert s.op is not None
            args = tuple(known[a] for a in s.args)
            # 0.0 == -0.0 and 1 == 1.0 == True: a constant is told apart by its text
            key = (s.op, s.dtype, tuple(repr(a) if a[0] == "k" else a for a in args))
            if key not in seen:
                seen[key] = "t", len(self.instructions)
                self.instructions.append(Instruction(len(self.instructions), s.op, args, s.dtype))
            return seen[key]

        bodies: dict[Sym, Sym] = {}
        stack = list(reversed(outputs))
        while stack:
            s = stack[-1]
            if s in known:
                stack.pop()
                continue
            needs: tuple[Sym, ...] = ()
            if s not in names:
                if s.op is not None and s.op.body is not None:
                    if s not in bodies:
                        bodies[s] = s.graph.expand(s.op, s.args)
                    needs = (bodies[s],)
                else:
                    needs = s.args
            missing = [a for a in needs if a not in known]
            if missing:
                stack.extend(reversed(missing))
                continue
            known[s] = known[bodies[s]] if s in bodies else emit(s)
            stack.pop()
        self.outputs = [known[s] for s in outputs]
        self.dtypes = [np.dtype(s.dtype) for s in outputs]  # a mask may be one Python bool

    def only(self, which: Sequence[int]) -> tuple[Program, tuple[int, ...]]:
        """The program of some of the outputs, with what they need, and which inputs it reads."""
        needed = {self.outputs[k] for k in which if self.outputs[k][0] != "k"}
        for i in reversed(self.instructions):
            if ("t", i.out) in needed:
                needed.update(a for a in i.args if a[0] != "k")
        inputs = tuple(n for n in range(len(self.sources)) if ("i", n) in needed)
        kept = [i for i in self.instructions if ("t", i.out) in needed]
        places: dict[Operand, Operand] = {("i", n): ("i", k) for k, n in enumerate(inputs)}
        places |= {("t", i.out): ("t", k) for k, i in enumerate(kept)}
        part = Program.__new__(Program)
        part.sources = [self.sources[n] for n in inputs]
        part.input_dtypes = [self.input_dtypes[n] for n in inputs]
        part.instructions = [
            Instruction(k, i.op, tuple(a if a[0] == "k" else places.get(a, a) for a in i.args), i.dtype)
            for k, i in enumerate(kept)
        ]
        part.scalars = self.scalars
        part.scalar_types = [t if ("s", n) in needed else None for n, t in enumerate(self.scalar_types)]
        part.code = part.native = None
        part.launches = {}
        part.runs = part.work = 0
        part.outputs = [o if o[0] == "k" else places.get(o, o) for o in (self.outputs[k] for k in which)]
        part.dtypes = [self.dtypes[k] for k in which]
        return part, inputs

    def __repr__(self) -> str:
        lines = [f"    i{n}: {d} = {s}" for n, (s, d) in enumerate(zip(self.sources, self.input_dtypes, strict=True))]
        for i in self.instructions:
            args = ", ".join(repr(a[1]) if a[0] == "k" else f"{a[0]}{a[1]}" for a in i.args)
            lines.append(f"    t{i.out} = {i.op.name}({args})")
        outs = ", ".join(repr(o[1]) if o[0] == "k" else f"{o[0]}{o[1]}" for o in self.outputs)
        return "\n".join(["program:", *lines, f"    return {outs}"])


def single(op: Op, dtypes: Sequence[DType]) -> Program:
    """The program of one op, on arrays of these dtypes."""
    graph = Graph()
    inputs = [graph.input(n, d, False) for n, d in enumerate(dtypes)]
    return Program([graph.node(op, inputs, False)], {s: ("x", n) for n, s in enumerate(inputs)}, 0)


@functools.cache
def identity(dtype: DType) -> Program:
    """The program that hands its input on: how a buffer is copied, summed or added without another op."""
    s = Graph().input(0, dtype, False)
    return Program([s], {s: "g"}, 0)
