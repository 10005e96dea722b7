"""The skeleton of a plan on the CPU: a function over one tile, and entries that hand it to the driver in `kernels/host.cpp`."""

from __future__ import annotations

import functools

from ..base.dtypes import CODES, NAMED, NUMBERS, ROWS, Row
from ..plans.program import Program
from .body import body, folder, prelude


def kernel(program: Program) -> str:
    """The kernel of a program for the CPU, without what it takes from the prelude: for reading."""
    before, loop = body(program)
    inputs, outputs = len(program.sources), len(program.outputs)
    scalars = [(n, NUMBERS[t]) for n, t in enumerate(program.scalar_types) if t is not None]
    stored = [NAMED[d.name].stored for d in program.input_dtypes]
    pointers = [f"const {t}* i{n} = (const {t}*)in[{n}];" for n, t in enumerate(stored)]
    pointers += [f"const {t.name} s{n} = s[{n}].{_member(t)};" for n, t in scalars]
    pointers += [f"{d.name}* o{n} = ({d.name}*)out[{n}];" for n, d in enumerate(program.dtypes)]
    parameters = [f"void* i{n}" for n in range(inputs)]
    parameters += [f"{NUMBERS[t or float].name} s{n}" for n, t in enumerate(program.scalar_types)]
    parameters += [f"void* o{n}" for n in range(outputs)]
    arrays = ", ".join([*(f"i{n}" for n in range(inputs)), *(f"o{n}" for n in range(outputs))])
    numbers = [f"    s[{n}].{_member(t)} = s{n};" for n, t in scalars]
    codes = ", ".join(str(CODES[d.name]) for d in (*program.input_dtypes, *program.dtypes))
    return "\n".join(
        [
            "static void body(const char* const* in, const gg_scalar* s, char* const* out, int64 n) {",
            *(f"    {line}" for line in (*pointers, *before)),
            "    GG_EACH(j, n) {",
            *(f"        {line}" for line in loop),
            "    }",
            "}",
            "",
            f"static const int32 types[] = {{{codes}}};",
            f"static const gg_kernel kernel = {{{inputs}, {outputs}, types, body}};",
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


DRIVER = ("layout.h", "sums.h", "pool.h", "host.cpp")


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
