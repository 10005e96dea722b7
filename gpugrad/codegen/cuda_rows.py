"""The skeleton of a program that reduces, on a GPU: the threads along x of a block share a row, and walk it once for each reduction.

Every pass computes what it needs of full values anew, from the inputs and from what is known of the row by then: the row is in the cache after
the first. How many threads take part follows from the length of a row alone, and so does the order in which it is reduced.
"""

from __future__ import annotations

from typing import NamedTuple

from ..base.dtypes import BOOL
from ..plans.program import Program
from ..plans.stages import Reduce, Step, passes_of
from .cuda import THREADS, arguments, body_function, called, coordinates, kernel_of, offset, scalars, stored

_HOW = {"sum": "gg_sum_of", "max": "gg_max_of", "min": "gg_min_of"}


class RowLayout(NamedTuple):
    """What the text depends on besides the program. kept, reduced: how many axes of each kind. accumulate: of the outputs."""

    kept: int
    reduced: int
    wide: bool
    accumulate: tuple[bool, ...]


def rows(program: Program, layout: RowLayout) -> str:
    """The kernel of a program whose `rows` are "mixed"; nothing that it stores is summed."""
    made = passes_of(program)
    inputs, outputs = len(program.sources), len(program.outputs)
    names = [*(f"i{n}" for n in range(inputs)), *(f"o{k}" for k in range(outputs))]
    types = [*map(stored, program.input_dtypes), *(d.name for d in program.dtypes)]
    row = [*program.row_inputs, *program.row_outputs]
    pointers = [f"{'const ' if n < inputs else ''}{t}* {a};" for n, (a, t) in enumerate(zip(names, types, strict=True))]
    axes = [f"kept_shape[{layout.kept}]", f"reduced_shape[{layout.reduced}]"]
    for a, is_row in zip(names, row, strict=True):
        axes += [f"kept_{a}[{layout.kept}]"] + ([] if is_row else [f"reduced_{a}[{layout.reduced}]"])
    lines = arguments(program, layout.wide, pointers, ["kept", "length"], axes)
    for n, s in enumerate(made.steps):
        if isinstance(s, Step):
            lines += body_function(s.program, f"body{n}", program)
    given = "a, " if scalars(program) else ""

    def pack(n: int) -> str:
        """The type of a slot's element."""
        return f"gg_pack<{types[n] if n < len(types) else made.slots[n].dtype.name}, 1>"

    def known(n: int) -> str:
        """What a slot is called: an element of an array, or a row value."""
        if n < inputs:
            return names[n]
        return f"reinterpret_cast<const gg_pack<uint8, 1>&>(v{n})" if made.slots[n].dtype == BOOL else f"v{n}"

    def run(n: int, s: Step, read: dict[int, str]) -> list[str]:
        declared = [f"{pack(k)} v{k};" for k in s.outputs if not s.row]
        packs = [*(read.get(k, known(k)) for k in s.inputs), *(f"v{k}" for k in s.outputs)]
        return [*declared, f"body{n}<1>({given}{', '.join(packs)});"]

    def pass_over(lines: list[str], used: list[int]) -> list[str]:
        """A loop over the elements of a row; `used` arrays are reached in it."""
        inside = coordinates("r", "r", "reduced_shape", layout.reduced, [""] if used else [])
        inside += [
            f"const index at_{names[k]} = base_{names[k]} + {offset('r', f'reduced_{names[k]}', layout.reduced, '')};"
            for k in used
        ]
        return [
            "for (index r = threadIdx.x; r < length; r += static_cast<index>(blockDim.x)) {",
            *(f"    {x}" for x in (*inside, *lines)),
            "}",
        ]

    body = [
        "const index m = static_cast<index>(blockIdx.x) * static_cast<index>(blockDim.y) + threadIdx.y, length = a.length;",
        "const bool here = m < a.kept;",
        *coordinates("(here ? m : 0)", "k", "kept_shape", layout.kept, [""]),
        *(f"const index base_{a} = {offset('k', f'kept_{a}', layout.kept, '')};" for a in names),
    ]
    body += [f"const {pack(n)} i{n} = gg_load<1>(a.i{n} + base_i{n});" for n in range(inputs) if row[n]]
    body += [
        f"{pack(n)} v{n};" for n in range(inputs, len(made.slots)) if (row[n] if n < len(row) else made.slots[n].row)
    ]
    waiting: list[Reduce] = []
    for n, s in enumerate(made.steps):
        if isinstance(s, Reduce):
            continue
        if s.row:
            body += ["if (here) {", *(f"    {x}" for x in run(n, s, {})), "}"]
            continue
        full = [k for k in s.inputs if k < inputs and not row[k]]
        loads = [f"const {pack(k)} x{k} = gg_load<1>(a.i{k} + at_i{k});" for k in full]
        call = run(n, s, {k: f"x{k}" for k in full})
        waiting = []
        for later in made.steps[n + 1 :]:
            if not isinstance(later, Reduce):
                break
            waiting.append(later)
        stores = []
        used = list(full)
        for k in s.outputs:
            if k < inputs + outputs:
                used.append(k)
                stores.append(
                    f"{'gg_add_to' if layout.accumulate[k - inputs] else 'gg_store'}(a.{names[k]} + at_{names[k]}, v{k});"
                )
        hows = [f"how{n}_{k}" for k in range(len(waiting))]
        for how, w in zip(hows, waiting, strict=True):
            body += [
                f"typedef {_HOW[w.op.name]}<{made.slots[w.source].dtype.name}> {how};",
                f"{how}::partial p_{how} = {how}::none();",
            ]
        adds = [f"p_{how} = {how}::add(p_{how}, v{w.source}[0], r);" for how, w in zip(hows, waiting, strict=True)]
        body += ["if (here) {", *(f"    {x}" for x in pass_over([*loads, *call, *stores, *adds], used)), "}"]
        body += [f"v{w.target}[0] = gg_of_row<{how}>(p_{how});" for how, w in zip(hows, waiting, strict=True)]
    for k in range(outputs):
        if row[inputs + k]:
            add = "gg_add_to" if layout.accumulate[k] else "gg_store"
            body.append(f"if (here && threadIdx.x == 0) {add}(a.o{k} + base_o{k}, v{inputs + k});")
    lines += kernel_of(called(program, "rows"), body)
    return "\n".join(lines)


def block(length: int) -> tuple[int, int]:
    """The threads of a block along a row, and how many rows it takes."""
    threads = 1
    while threads < min(length, THREADS) and threads < 32:
        threads *= 2
    if length > 1024:
        threads = THREADS
    return threads, THREADS // threads
