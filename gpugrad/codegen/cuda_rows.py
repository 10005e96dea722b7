"""The skeleton of a program that reduces, on a GPU: the threads along x of a block share a row.

A thread has packs of neighbouring elements, those of its turn. Where all packs of a row fit into registers, they stay there: the row is read
once, and nothing is computed twice. Longer rows are walked once for each reduction, and each pass computes what it needs of full values anew,
from the inputs and from what is known of the row by then. How many threads take part follows from the length of a row alone, and so does the
order in which it is reduced.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from ..base.dtypes import BOOL
from ..plans.program import Program
from ..plans.stages import Reduce, Stages, Step, passes_of, steps_of
from .cuda import LANES, THREADS, arguments, body_function, called, coordinates, kernel_of, offset, scalars, stored

_HOW = {"sum": "gg_sum_of", "max": "gg_max_of", "min": "gg_min_of"}
WARP = 1024  # elements: a longer row takes a whole block
PACKS = 8  # that a thread may have in registers
WORDS = 144  # of 4 bytes, that it may have there at a time


class RowLayout(NamedTuple):
    """What the text depends on besides the program. kept, reduced: how many axes of each kind. accumulate: of the outputs.

    packs: of a row that a thread holds, 0 if it is walked instead. threads: along a row. kinds: how the full inputs and outputs are reached
    along a row, as in `gpugrad.codegen.cuda`: "row", "same", or all of them "any". shared: the inputs that are alike for all rows, as weights
    are: they are in the cache, and read again where they are needed.
    """

    kept: int
    reduced: int
    wide: bool
    accumulate: tuple[bool, ...]
    packs: int
    threads: int
    kinds: tuple[str, ...]
    shared: frozenset[int]


def block(length: int) -> tuple[int, int]:
    """The threads of a block along a row, and how many rows it takes."""
    threads = 1
    while threads < 32 and threads * LANES < length:
        threads *= 2
    if length > WARP:
        threads = THREADS
    return threads, THREADS // threads


def held(program: Program, length: int, shared: Collection[int]) -> int:
    """How many packs of a row a thread holds in registers; 0 if they are too many."""
    packs = -(-length // (LANES * block(length)[0]))
    return packs if packs <= PACKS and packs * LANES * _alive(steps_of(program), shared) <= 4 * WORDS else 0


def _alive(made: Stages, shared: Collection[int]) -> int:
    """The most bytes that are kept of one element at a time: inputs until the last step that reads them, and what steps leave."""
    reads = [(s.source,) if isinstance(s, Reduce) else s.inputs for s in made.steps]
    last = {n: k for k, some in enumerate(reads) for n in some}
    first = {n: k for k, s in reversed(list(enumerate(made.steps))) if isinstance(s, Step) for n in s.outputs}
    sizes = {n: made.slots[n].dtype.itemsize for n in last if not made.slots[n].row and n not in shared}
    return max(
        sum(size for n, size in sizes.items() if first.get(n, 0) <= k <= last[n]) for k in range(len(made.steps))
    )


def rows(program: Program, layout: RowLayout) -> str:
    """The kernel of a program whose `rows` are "mixed"; nothing that it stores is summed."""
    return "\n".join(_Rows(program, layout).text())


class _Rows:
    """The text of one kernel, as it grows."""

    def __init__(self, program: Program, layout: RowLayout) -> None:
        self.program, self.layout = program, layout
        self.made = steps_of(program) if layout.packs else passes_of(program)
        self.inputs, self.outputs = len(program.sources), len(program.outputs)
        self.names = [*(f"i{n}" for n in range(self.inputs)), *(f"o{k}" for k in range(self.outputs))]
        self.types = [*map(stored, program.input_dtypes), *(d.name for d in program.dtypes)]
        self.row = [*program.row_inputs, *program.row_outputs]
        full = [n for n, is_row in enumerate(self.row) if not is_row]
        self.kinds = dict(zip(full, layout.kinds, strict=True))
        self.packed = "any" not in layout.kinds
        self.given = "a, " if scalars(program) else ""
        self.at = "[k]" if layout.packs else ""  # which of the packs that a thread holds
        self.shared = layout.shared
        self.lines: list[str] = []

    def text(self) -> list[str]:
        """The whole kernel."""
        names, layout, program = self.names, self.layout, self.program
        pointers = [
            f"{'const ' if n < self.inputs else ''}{t}* {a};"
            for n, (a, t) in enumerate(zip(names, self.types, strict=True))
        ]
        axes = [f"kept_shape[{layout.kept}]", f"reduced_shape[{layout.reduced}]"]
        for a, is_row in zip(names, self.row, strict=True):
            axes += [f"kept_{a}[{layout.kept}]"] + ([] if is_row else [f"reduced_{a}[{layout.reduced}]"])
        head = arguments(program, layout.wide, pointers, ["kept", "length"], axes)
        for n, s in enumerate(self.made.steps):
            if isinstance(s, Step):
                head += body_function(s.program, f"body{n}", program)
        self.lines = [
            "const index m = static_cast<index>(blockIdx.x) * static_cast<index>(blockDim.y) + threadIdx.y, length = a.length;",
            "const bool here = m < a.kept;",
            *coordinates("(here ? m : 0)", "k", "kept_shape", layout.kept, [""]),
            *(f"const index base_{a} = {offset('k', f'kept_{a}', layout.kept, '')};" for a in names),
        ]
        self._declare()
        steps = self.made.steps
        read = {k for s in steps for k in ((s.source,) if isinstance(s, Reduce) else s.inputs)}
        whole = [k for k in range(self.inputs) if k in read and not self.row[k] and k not in self.shared]
        if self.layout.packs and whole:  # all at once: none waits for another
            self._over([line for k in whole for line in self._load(k)])
        n = 0
        while n < len(steps):
            s = steps[n]
            if isinstance(s, Step) and s.row:
                self.lines += ["if (here) {", f"    {self._call(n, s, 1)}", "}"]
                n += 1
                continue
            full = [(n, s)] if isinstance(s, Step) else []
            n += len(full)
            reduces = []
            while n < len(steps) and isinstance(later := steps[n], Reduce):
                reduces.append((n, later))
                n += 1
            self._pass(full, reduces)
        for k in range(self.outputs):
            if self.row[self.inputs + k]:
                add = "gg_add_to" if layout.accumulate[k] else "gg_store"
                self.lines.append(
                    f"if (here && threadIdx.x == 0) {add}(a.o{k} + base_o{k}, {self._name(self.inputs + k)});"
                )
        return head + kernel_of(called(program, "rows"), self.lines)

    def _declare(self) -> None:
        """Row values, and what is held of full ones."""
        for n, slot in enumerate(self.made.slots):
            if n < self.inputs:
                if slot.row:
                    self.lines.append(f"const gg_pack<{self.types[n]}, 1> i{n} = gg_load<1>(a.i{n} + base_i{n});")
                elif self.layout.packs and n not in self.shared:
                    self.lines.append(f"gg_pack<{self.types[n]}, {LANES}> x{n}[{self.layout.packs}];")
            elif slot.row:
                self.lines.append(f"gg_pack<{slot.dtype.name}, 1> v{n};")
            elif self.layout.packs:
                self.lines.append(f"gg_pack<{slot.dtype.name}, {LANES}> v{n}[{self.layout.packs}];")

    def _name(self, n: int) -> str:
        """What a slot is called: a row value, or a pack of a full one."""
        if self.made.slots[n].row:
            return f"i{n}" if n < self.inputs else f"v{n}"
        return f"{'x' if n < self.inputs else 'v'}{n}{'' if n in self.shared else self.at}"

    def _operand(self, n: int, width: int) -> str:
        """A slot as a step reads it: `width` elements, a boolean as the byte that is stored of one."""
        slot = self.made.slots[n]
        if slot.row:
            element = f"{self._name(n)}[0]"
            if slot.dtype == BOOL and n >= self.inputs:
                element = f"static_cast<uint8>({element})"
            return f"gg_splat<{width}>({element})"
        if slot.dtype == BOOL and n >= self.inputs:
            return f"reinterpret_cast<const gg_pack<uint8, {width}>&>({self._name(n)})"
        return self._name(n)

    def _call(self, n: int, s: Step, width: int) -> str:
        packs = [*(self._operand(k, width) for k in s.inputs), *(self._name(k) for k in s.outputs)]
        return f"body{n}<{width}>({self.given}{', '.join(packs)});"

    def _pass(self, full: Sequence[tuple[int, Step]], reduces: Sequence[tuple[int, Reduce]]) -> None:
        """One walk over the packs of a row: what is read, computed, stored and reduced of each."""
        read: list[int] = []
        for _, s in full:
            read += [k for k in s.inputs if k < self.inputs and not self.made.slots[k].row]
        read += [r.source for _, r in reduces if r.source < self.inputs]
        fresh = [k for k in dict.fromkeys(read) if not self.layout.packs or k in self.shared]
        body = [line for k in fresh for line in (f"gg_pack<{self.types[k]}, {LANES}> x{k};", *self._load(k))]
        for n, s in full:
            if not self.layout.packs:
                body += [f"gg_pack<{self._type(k)}, {LANES}> v{k};" for k in s.outputs]
            body.append(self._call(n, s, LANES))
            body += [line for k in s.outputs if k < self.inputs + self.outputs for line in self._store(k)]
        for n, r in reduces:
            self.lines += [
                f"typedef {_HOW[r.op.name]}<{self.made.slots[r.source].dtype.name}> how{n};",
                f"how{n}::partial p{n} = how{n}::none();",
            ]
            element = f"{self._name(r.source)}[j]"
            if r.source < self.inputs and self.made.slots[r.source].dtype == BOOL:
                element = f"({element} != 0)"
            body += self._each(f"p{n} = how{n}::add(p{n}, {element}, r + j);")
        if body:
            self._over(body)
        self.lines += [f"v{r.target}[0] = gg_of_row<how{n}>(p{n});" for n, r in reduces]

    def _type(self, n: int) -> str:
        return self.types[n] if n < len(self.types) else self.made.slots[n].dtype.name

    def _over(self, body: Sequence[str]) -> None:
        """A loop over the packs of a thread."""
        turn = LANES * self.layout.threads
        if self.layout.packs:
            start = [
                "#pragma unroll",
                f"for (int32 k = 0; k < {self.layout.packs}; ++k) {{",
                f"    const index r = {LANES} * static_cast<index>(threadIdx.x) + {turn} * k;",
                "    if (r < length) {",
            ]
            loop = [*start, *(f"        {x}" for x in body), "    }", "}"]
        else:
            start = [f"for (index r = {LANES} * static_cast<index>(threadIdx.x); r < length; r += {turn}) {{"]
            loop = [*start, *(f"    {x}" for x in body), "}"]
        self.lines += ["if (here) {", *(f"    {x}" for x in loop), "}"]

    def _each(self, *lines: str) -> list[str]:
        """Something done with each element of a pack, as far as the row goes."""
        condition = f"j < {LANES}" if self.packed else f"j < {LANES} && r + j < length"
        return ["#pragma unroll", f"for (int32 j = 0; {condition}; ++j) {{", *(f"    {x}" for x in lines), "}"]

    def _place(self, n: int) -> list[str]:
        """Where element j of a pack is in an array: `at`."""
        return [
            *coordinates("(r + j)", "r", "reduced_shape", self.layout.reduced, [""]),
            f"const index at = base_{self.names[n]} + {offset('r', f'reduced_{self.names[n]}', self.layout.reduced, '')};",
        ]

    def _load(self, n: int) -> list[str]:
        name = self._name(n)
        if self.packed:
            if self.kinds[n] == "same":
                return [f"{name} = gg_splat<{LANES}>(a.i{n}[base_i{n}]);"]
            return [f"{name} = gg_load<{LANES}>(a.i{n} + base_i{n} + r);"]
        return [f"{name} = gg_pack<{self.types[n]}, {LANES}>{{}};", *self._each(*self._place(n), f"{name}[j] = a.i{n}[at];")]  # fmt: skip

    def _store(self, n: int) -> list[str]:
        name, to, add = self._name(n), self.names[n], self.layout.accumulate[n - self.inputs]
        if self.packed:
            return [f"{'gg_add_to' if add else 'gg_store'}(a.{to} + base_{to} + r, {name});"]
        value = f"gg_plus(a.{to}[at], {name}[j])" if add else f"{name}[j]"
        return self._each(*self._place(n), f"a.{to}[at] = {value};")
