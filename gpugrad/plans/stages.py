"""A program that reduces, as steps: plain programs on full values and on row values, and the reductions between them.

What is computed in one step and read in another is kept in a *slot*, one array for the rows that are worked on at a time. A
step is as late as those who read its results allow, so that as little as can be is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..base.dtypes import DType
from ..ops.reduction import Reduction, spread
from .dag import Input
from .program import Instruction, Kind, Operand, Program, Source, Temp


class Slot(NamedTuple):
    """An array that steps read and write."""

    dtype: DType
    row: bool


class Step(NamedTuple):
    """A plain program. inputs, outputs: the slots of its sources and of its outputs. row: it runs on row values."""

    program: Program
    row: bool
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


class Reduce(NamedTuple):
    """One reduction: of a full slot to a row slot."""

    op: Reduction
    source: int
    target: int


class Stages(NamedTuple):
    """slots: first those of the program's inputs, then those of its outputs, then those that only steps know."""

    slots: tuple[Slot, ...]
    steps: tuple[Step | Reduce, ...]


def stages(program: Program) -> Stages:
    """The steps of a program whose `rows` are "mixed"."""
    return _Stages(program).made()


def steps_of(program: Program) -> Stages:
    """The same, made once for each program."""
    found: Stages | None = program.executables.get(Stages)
    if found is None:
        found = program.executables[Stages] = stages(program)
    return found


class _Stages:
    def __init__(self, program: Program) -> None:
        self.program = program
        self.inputs, self.outputs = len(program.sources), len(program.outputs)
        self.slots = [Slot(d, r) for d, r in zip(program.input_dtypes, program.row_inputs, strict=True)]
        self.slots += [Slot(d, r) for d, r in zip(program.dtypes, program.row_outputs, strict=True)]
        self.kept: dict[Operand, int] = {Input(n): n for n in range(self.inputs)}
        self.steps: list[Step | Reduce] = []
        rows: dict[Operand, bool | None] = {Input(n): r for n, r in enumerate(program.row_inputs)}
        for i in program.instructions:
            rows[Temp(i.out)] = self._row_of(i, rows)
        self.row = rows
        self.phase = self._phases()

    @staticmethod
    def _row_of(i: Instruction, rows: dict[Operand, bool | None]) -> bool | None:
        if type(i.op) is Reduction:
            return True
        if not isinstance(i.dtype, np.dtype):
            return None
        if i.op is spread:
            return False
        of = [rows.get(a) for a in i.args]
        return False if False in of else True if True in of else None

    def _phases(self) -> dict[Operand, int]:
        """When each result is computed: phase n is what comes between the reductions of phase n - 1 and those of phase n."""
        program = self.program
        earliest: dict[Operand, int] = {Input(n): 0 for n in range(self.inputs)}
        for i in program.instructions:
            n = max((earliest.get(a, 0) for a in i.args), default=0)
            earliest[Temp(i.out)] = n + (type(i.op) is Reduction)
        latest: dict[Operand, int] = {}
        for i in reversed(program.instructions):
            out = Temp(i.out)
            when = earliest[out]
            if self.row[out] is False:
                when = latest.get(out, when)
            before = when - 1 if type(i.op) is Reduction else when
            for a in i.args:
                if isinstance(a, Temp):
                    latest[a] = min(latest.get(a, before), before)
            earliest[out] = when
        return earliest

    def made(self) -> Stages:
        last = max([0, *(self.phase[Temp(i.out)] for i in self.program.instructions)])
        for phase in range(last + 1):
            for row in (True, False):
                self._step(phase, row)
            for i in self.program.instructions:
                if type(i.op) is Reduction and self.phase[Temp(i.out)] == phase + 1:
                    self._reduce(i)
        self._rest()
        return Stages(tuple(self.slots), tuple(self.steps))

    def _reduce(self, i: Instruction) -> None:
        assert isinstance(i.op, Reduction)
        target = self._slot(Temp(i.out), i.dtype, True)
        self.steps.append(Reduce(i.op, self.kept[i.args[0]], target))

    def _output(self, a: Operand, row: bool) -> int | None:
        """The slot of the output that a row value is: it can be read there, and needs no other."""
        if row:
            for k, o in enumerate(self.program.outputs):
                if o == a and self.slots[self.inputs + k] == Slot(self.program.type_of(a), True):
                    return self.inputs + k
        return None

    def _slot(self, a: Operand, dtype: DType, row: bool) -> int:
        place = self._output(a, row)
        if place is None:
            self.slots.append(Slot(dtype, row))
            place = len(self.slots) - 1
        self.kept[a] = place
        return place

    def _step(self, phase: int, row: bool) -> None:
        """What is computed in a phase, for each element or for each row: what others read of it goes to slots."""
        here = [
            Temp(i.out)
            for i in self.program.instructions
            if type(i.op) is not Reduction and self.row[Temp(i.out)] is row and self.phase[Temp(i.out)] == phase
        ]
        if not here:
            return
        inside = set(here)
        read: set[Operand] = set()
        for i in self.program.instructions:
            if Temp(i.out) not in inside:
                read.update(a for a in i.args if a in inside)
        targets: list[tuple[Operand, int | None]] = [(a, None) for a in here if a in read]
        known = {self._output(a, row) for a, _ in targets}
        targets += [
            (o, self.inputs + k)
            for k, o in enumerate(self.program.outputs)
            if o in inside and self.program.row_outputs[k] is row and self.inputs + k not in known
        ]
        if targets:
            self._emit(row, targets)

    def _rest(self) -> None:
        """Outputs that no step has written: inputs and numbers that are handed on, and results of reductions."""
        written = {n for s in self.steps for n in (s.outputs if isinstance(s, Step) else (s.target,))}
        for row in (True, False):
            left: list[tuple[Operand, int | None]] = [
                (o, self.inputs + k)
                for k, o in enumerate(self.program.outputs)
                if self.inputs + k not in written and self.program.row_outputs[k] is row
            ]
            if left:
                self._emit(row, left)

    def _emit(self, row: bool, targets: Sequence[tuple[Operand, int | None]]) -> None:
        """A step that computes operands from what is kept, for slots: those given, or new ones."""
        program = self.program
        by_out = {Temp(i.out): i for i in program.instructions}
        needed: set[Operand] = set()
        stack = [a for a, _ in targets]
        while stack:
            a = stack.pop()
            if a not in needed:
                needed.add(a)
                if isinstance(a, Temp) and a not in self.kept:
                    stack.extend(by_out[a].args)
        sources = [a for a in self.kept if a in needed]
        places: dict[Operand, Operand] = {a: Input(n) for n, a in enumerate(sources)}
        own = [i for i in program.instructions if Temp(i.out) in needed and Temp(i.out) not in self.kept]
        places |= {Temp(i.out): Temp(k) for k, i in enumerate(own)}
        dtypes = [self.slots[n].dtype if n is not None else program.type_of(a) for a, n in targets]
        part = Program(
            [Source(Kind.INPUT, n) for n in range(len(sources))],
            [self.slots[self.kept[a]].dtype for a in sources],
            program.scalar_types,
            [Instruction(k, i.op, tuple(places.get(a, a) for a in i.args), i.dtype) for k, i in enumerate(own)],
            [places.get(a, a) for a, _ in targets],
            dtypes,
        )
        read = tuple(self.kept[a] for a in sources)
        self.steps.append(
            Step(part, row, read, tuple(self._slot(a, d, row) if n is None else n for (a, n), d in zip(targets, dtypes, strict=True)))
        )  # fmt: skip


def passes_of(program: Program) -> Stages:
    """The steps for an executor that keeps row values, but no full ones: each pass over the rows computes what it needs anew.

    A full slot is written by one step and reduced right after it.
    """
    found: Stages | None = program.executables.get("passes")
    if found is None:
        found = program.executables["passes"] = _Passes(program).made()
    return found


class _Passes(_Stages):
    def made(self) -> Stages:
        reductions = [i for i in self.program.instructions if type(i.op) is Reduction]
        for phase in range(max(self.phase[Temp(i.out)] for i in reductions) + 1 if reductions else 1):
            self._step(phase, True)
            here = [i for i in reductions if self.phase[Temp(i.out)] == phase + 1]
            places = {}
            for i in here:
                if i.args[0] not in places:
                    self.slots.append(Slot(i.dtype, False))
                    places[i.args[0]] = len(self.slots) - 1
            if places:
                self._emit(False, list(places.items()))
            for i in here:
                assert isinstance(i.op, Reduction)
                self.steps.append(Reduce(i.op, places[i.args[0]], self._slot(Temp(i.out), i.dtype, True)))
        self._rest()
        return Stages(tuple(self.slots), tuple(self.steps))
