"""The skeleton of a plan on the CPU: a function over one tile, and entries that hand it to the driver in `kernels/host.cpp`."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from ..base.dtypes import CODES, NAMED, NUMBERS, ROWS, DType, Row
from ..plans.program import Program
from ..plans.stages import Reduce, steps_of
from .body import body, folder, prelude


def kernel(program: Program) -> str:
    """The kernel of a program for the CPU, without what it takes from the prelude: for reading."""
    inputs, outputs = len(program.sources), len(program.outputs)
    scalars = [(n, NUMBERS[t]) for n, t in enumerate(program.scalar_types) if t is not None]
    parameters = [f"void* i{n}" for n in range(inputs)]
    parameters += [f"{NUMBERS[t or float].name} s{n}" for n, t in enumerate(program.scalar_types)]
    parameters += [f"void* o{n}" for n in range(outputs)]
    arrays = ", ".join([*(f"i{n}" for n in range(inputs)), *(f"o{n}" for n in range(outputs))])
    numbers = [f"    s[{n}].{_member(t)} = s{n};" for n, t in scalars]
    return "\n".join(
        [
            *(_in_steps(program) if program.rows == "mixed" else _in_one(program)),
            "GG_VISIBLE const gg_driver* gg_drive = nullptr;",
            f"GG_EXPORT int64 gg_run({', '.join([*parameters, 'const gg_call* call'])}) {{",
            f"    void* const arrays[] = {{{arrays}}};",
            f"    gg_scalar s[{max(1, len(program.scalar_types))}] = {{}};",
            *numbers,
            "    return gg_drive->one(&kernel, arrays, s, call);",
            "}",
            "GG_EXPORT int64 gg_run_many(void* const* arrays, const gg_scalar* s, const gg_call* calls, int64 count, int64 threads) {",
            "    return gg_drive->many(&kernel, arrays, s, calls, count, threads);",
            "}",
            "",
        ]
    )


def _body(program: Program, name: str) -> list[str]:
    """A function that runs a program which does not reduce on one tile."""
    before, loop = body(program)
    scalars = [(n, NUMBERS[t]) for n, t in enumerate(program.scalar_types) if t is not None]
    pointers = [f"const {NAMED[d.name].stored}* i{n} = (const {NAMED[d.name].stored}*)in[{n}];" for n, d in enumerate(program.input_dtypes)]  # fmt: skip
    pointers += [f"const {t.name} s{n} = s[{n}].{_member(t)};" for n, t in scalars]
    pointers += [f"{d.name}* o{n} = ({d.name}*)out[{n}];" for n, d in enumerate(program.dtypes)]
    return [
        f"static void {name}(const char* const* in, const gg_scalar* s, char* const* out, int64 n) {{",
        *(f"    {line}" for line in (*pointers, *before)),
        "    GG_EACH(j, n) {",
        *(f"        {line}" for line in loop),
        "    }",
        "}",
        "",
    ]


def _in_one(program: Program) -> list[str]:
    return [
        *_body(program, "body"),
        f"static const int32 types[] = {{{_codes((*program.input_dtypes, *program.dtypes))}}};",
        f"static const gg_kernel kernel = {{{len(program.sources)}, {len(program.outputs)}, types, body, 0, 0, nullptr, nullptr}};",
    ]


def _in_steps(program: Program) -> list[str]:
    """The steps of a program that reduces, and the table of them."""
    made = steps_of(program)
    lines, table = [], []
    for n, step in enumerate(made.steps):
        if isinstance(step, Reduce):
            lines.append(
                f"static const int32 in{n}[] = {{{step.source}}}, out{n}[] = {{{step.target}}};  // {step.op.name}"
            )
            table.append(f"{{nullptr, 1, {KINDS[step.op.name]}, in{n}, out{n}, 1, 1}}")
            continue
        lines += _body(step.program, f"body{n}")
        places = [", ".join(map(str, p)) for p in (step.inputs or (0,), step.outputs)]
        lines.append(f"static const int32 in{n}[] = {{{places[0]}}}, out{n}[] = {{{places[1]}}};")
        table.append(f"{{body{n}, {int(step.row)}, 0, in{n}, out{n}, {len(step.inputs)}, {len(step.outputs)}}}")
    rows = ", ".join(str(int(s.row)) for s in made.slots)
    return [
        *lines,
        f"static const int32 types[] = {{{_codes([s.dtype for s in made.slots])}}}, row[] = {{{rows}}};",
        f"static const gg_step steps[] = {{{', '.join(table)}}};",
        f"static const gg_kernel kernel = {{{len(program.sources)}, {len(program.outputs)}, types, nullptr, {len(made.slots)}, {len(table)}, row, steps}};",
    ]  # fmt: skip


def _codes(dtypes: Sequence[DType]) -> str:
    return ", ".join(str(CODES[d.name]) for d in dtypes)


KINDS = {"sum": 0, "max": 1, "min": 2}  # of reductions, as rows.cpp has them
DRIVER = ("layout.h", "sums.h", "pool.h", "host.cpp", "rows.cpp", "drive.cpp")


def _member(number: Row) -> str:
    """Where `gg_scalar` of host.h has a Python number."""
    return "number" if number.kind == "f" else "integer"


@functools.cache
def _host_header() -> str:
    return (folder() / "host.h").read_text(encoding="utf-8")


def complete(kernel: str) -> str:
    """A kernel with everything that it needs in front of it: what the compiler is given."""
    text = f"{_host_header()}\n{kernel}"
    return f"{prelude(text)}\n\n{text}"


def driver() -> str:
    """The driver with everything that it needs in front of it."""
    names, sizes = ", ".join(row.name.upper() for row in ROWS), ", ".join(str(row.size) for row in ROWS)
    rows = f"namespace {{ enum Type {{ {names} }}; const int64 SIZES[] = {{{sizes}}}; }}"
    return complete("\n\n".join([rows, *((folder() / file).read_text(encoding="utf-8") for file in DRIVER)]))
