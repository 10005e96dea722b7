"""The skeletons of a plan on a GPU: one body, in kernels that store, add or reduce what it computes.

A kernel takes one structure by value: addresses, Python numbers, and lengths and steps of axes (in elements). `index` is
the type in which it counts: 32 bits below 2**30 elements, 64 above. An access says how an array is read or written:

- "flat": element n of the array is element n of the shape.
- "one": one element serves all.
- "row": neighbours along the last axis are neighbours in memory; it is reached by its steps along the other axes.
- "same": one element serves a whole last axis; it is reached by its steps along the other axes.
- "any": every axis has its step.

The first four may move several neighbouring elements at once; "any" moves one at a time.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ..base.dtypes import NAMED, NUMBERS, DType
from ..plans.program import Program
from .body import body, prelude

THREADS = 256  # in a block
LANES = 4  # neighbouring elements that a thread of a reduction over the last axis takes at a time, whatever the layout
ROWS = 8  # threads along the axis that a reduction over the leading axes sums
TILE = 4096  # elements of a block, where one launch serves many arrays
FILES = ("cuda.cuh", "reduce.cuh")


class Layout(NamedTuple):
    """What the text of an elementwise kernel depends on besides its program. dims: axes. width: elements at a time."""

    dims: int
    width: int
    wide: bool
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    accumulate: tuple[bool, ...]


class Reduction(NamedTuple):
    """The same for a kernel that reduces. kept, reduced: how many axes of each kind. how: `gg_sum_of` and its like.

    over: "last" or "leading", the kind of the last axis. split: partial results are brought together by a second kernel.
    """

    kept: int
    reduced: int
    width: int
    wide: bool
    inputs: tuple[str, ...]
    accumulate: tuple[bool, ...]
    over: str
    split: bool
    how: tuple[str, ...]


def stored(dtype: DType) -> str:
    """The C type of an input's elements: a byte for a boolean, which need not be 0 or 1."""
    return NAMED[dtype.name].stored


def complete(kernel: str) -> str:
    """A kernel with everything that it needs in front of it: what the compiler is given."""
    return f"{prelude(kernel, *FILES)}\n\n{kernel}"


# ------------------------------------------------------------------------------------------------ common pieces


def scalars(program: Program) -> list[tuple[int, str]]:
    """The Python numbers that a program reads: (number, C type)."""
    return [(n, NUMBERS[t].name) for n, t in enumerate(program.scalar_types) if t is not None]


def arguments(program: Program, wide: bool, pointers: Sequence[str], sizes: Sequence[str], axes: Sequence[str]) -> list[str]:  # fmt: skip
    """The structure that the kernel is given: every field before `axes` takes 8 bytes."""
    numbers = [f"{'int64' if t == 'bool' else t} s{n};" for n, t in scalars(program)]
    fields = [*pointers, *numbers, *(f"int64 {s};" for s in sizes), *(f"index {a};" for a in axes)]
    return [
        f"typedef int{64 if wide else 32} index;",
        f"typedef uint{64 if wide else 32} count;",
        "struct arguments {",
        *(f"    {f}" for f in fields),
        "};",
        "",
    ]


def body_function(program: Program, name: str = "body", whole: Program | None = None) -> list[str]:
    """The statements of a program, over packs of N elements. whole: what it is a part of, whose numbers it reads."""
    before, loop = body(program)
    packs = [f"const gg_pack<{stored(d)}, N>& i{n}" for n, d in enumerate(program.input_dtypes)]
    packs += [f"gg_pack<{d.name}, N>& o{n}" for n, d in enumerate(program.dtypes)]
    numbers = [f"const {t} s{n} = {f'a.s{n} != 0' if t == 'bool' else f'a.s{n}'};" for n, t in scalars(program)]
    given = "const arguments& a, " if scalars(whole or program) else ""
    return [
        "template <int N>",
        f"GG_DEVICE void {name}({given}{', '.join(packs)}) {{",
        *(f"    {line}" for line in (*numbers, *before)),
        "    #pragma unroll",
        "    for (int32 j = 0; j < N; ++j) {",
        *(f"        {line}" for line in loop),
        "    }",
        "}",
        "",
    ]


def _call(program: Program, width: int) -> str:
    packs = [f"i{n}" for n in range(len(program.sources))] + [f"o{n}" for n in range(len(program.outputs))]
    return f"body<{width}>({', '.join([*(['a'] if scalars(program) else []), *packs])});"


def coordinates(of: str, axis: str, lengths: str, dims: int, lasts: Iterable[str]) -> list[str]:
    """The coordinates of element number `of` along `dims` axes. lasts: how the last of them is used, as in `_offset`."""
    lines = []
    rest = f"static_cast<count>({of})"
    used = {"1": True, "0": False, "": True}
    last = any(used[x] for x in lasts)
    if dims == 1:
        return [f"const count {axis}0 = {rest};"] if last else []
    for d in reversed(range(1, dims)):
        if last or d < dims - 1:
            lines.append(f"const count {axis}{d} = {rest} % a.{lengths}[{d}];")
        above = f"{axis}_{d}" if d > 1 else f"{axis}0"  # the number along the axes before this one
        lines.append(f"const count {above} = {rest} / a.{lengths}[{d}];")
        rest = above
    return lines


def offset(axis: str, steps: str, dims: int, last: str) -> str:
    """Where an element is, from its coordinates. last: the step of the last axis, "1", "0", or "" for one of its own."""
    terms = [f"{axis}{d} * a.{steps}[{d}]" for d in range(dims - (last != ""))]
    if last == "1":
        terms.append(f"{axis}{dims - 1}")
    return f"static_cast<index>({' + '.join(terms) or '0'})"


_LAST = {"row": "1", "same": "0", "any": ""}


# ------------------------------------------------------------------------------------------------- elementwise


def elementwise(program: Program, layout: Layout) -> str:
    """A kernel that stores its outputs, or adds to them: one pass, a few neighbouring elements at a time."""
    inputs = [f"const {stored(d)}* i{n};" for n, d in enumerate(program.input_dtypes)]
    outputs = [f"{d.name}* o{n};" for n, d in enumerate(program.dtypes)]
    access = {f"i{n}": k for n, k in enumerate(layout.inputs)} | {f"o{n}": k for n, k in enumerate(layout.outputs)}
    stepped = [name for name, k in access.items() if k in _LAST]
    axes = [f"shape[{layout.dims}]"] if stepped else []
    axes += [f"steps_{name}[{layout.dims}]" for name in stepped]
    types = dict(zip((f"i{n}" for n in range(len(inputs))), map(stored, program.input_dtypes), strict=True))
    lines = arguments(program, layout.wide, [*inputs, *outputs], ["size"], axes) + body_function(program)

    def element(width: int) -> list[str]:
        lasts = [_LAST[access[n]] for n in stepped]
        found = coordinates("at", "c", "shape", layout.dims, lasts) if stepped else []
        found += [f"const index at_{n} = {offset('c', f'steps_{n}', layout.dims, _LAST[access[n]])};" for n in stepped]
        for n, t in types.items():
            if access[n] == "one":
                value = f"gg_splat<{width}>(one_{n})"
            elif access[n] == "same":
                value = f"gg_splat<{width}>(a.{n}[at_{n}])"
            else:
                value = f"gg_load<{width}>(a.{n} + {'at' if access[n] == 'flat' else f'at_{n}'})"
            found.append(f"const gg_pack<{t}, {width}> {n} = {value};")
        found += [f"gg_pack<{d.name}, {width}> o{n};" for n, d in enumerate(program.dtypes)]
        found.append(_call(program, width))
        for k, add in enumerate(layout.accumulate):
            place = "at" if access[f"o{k}"] == "flat" else f"at_o{k}"
            found.append(f"{'gg_add_to' if add else 'gg_store'}(a.o{k} + {place}, o{k});")
        return found

    start = f"static_cast<index>(blockIdx.x) * {THREADS} + threadIdx.x"
    step = f"static_cast<index>(gridDim.x) * {THREADS}"
    w = layout.width
    loops = [
        f"for (index at = {w if w > 1 else ''}{' * (' if w > 1 else ''}{start}{')' if w > 1 else ''}; "
        f"at {f'+ {w} <=' if w > 1 else '<'} size; at += {f'{w} * ' if w > 1 else ''}{step}) {{",
        *(f"    {line}" for line in element(w)),
        "}",
    ]
    if w > 1 and layout.dims == 1:  # what is left over at the end, less than one pack
        loops += [
            f"for (index at = size / {w} * {w} + {start}; at < size; at += {step}) {{",
            *(f"    {line}" for line in element(1)),
            "}",
        ]
    ones = [f"const {t} one_{n} = *a.{n};" for n, t in types.items() if access[n] == "one"]
    return "\n".join([*lines, *kernel_of(called(program), ["const index size = a.size;", *ones, *loops])])


def called(program: Program, what: str = "") -> str:
    """The name of a kernel, by which profilers list it: the first of its ops, and what is done with the result."""
    ops = list(dict.fromkeys(i.op.name for i in program.instructions))[:4] or ["copy"]
    return "_".join(["kernel", *ops, *([what] if what else [])])


@functools.cache
def entries(text: str) -> tuple[str, ...]:
    """The names of the kernels in a text, in their order."""
    return tuple(re.findall(r"__global__ void __launch_bounds__\(\d+\) (\w+)\(", text))


def kernel_of(name: str, lines: Sequence[str]) -> list[str]:
    head = f'extern "C" __global__ void __launch_bounds__({THREADS}) {name}(const arguments a) {{'
    return [head, *(f"    {line}" for line in lines), "}", ""]


def many(program: Program, width: int) -> str:
    """A kernel over many lists of contiguous arrays at once: a block takes a tile of the arrays that a table names."""
    numbers = arguments(program, True, ["const int64* tiles;", "const int64* lists;"], [], [])
    fields = len(program.sources) + len(program.outputs)
    lines = [
        "const int64* const tile = a.tiles + 2 * static_cast<int64>(blockIdx.x);",
        f"const int64* const list = a.lists + {fields + 1} * tile[0];",
    ]
    names = [f"i{n}" for n in range(len(program.sources))] + [f"o{n}" for n in range(len(program.outputs))]
    types = [*(f"const {stored(d)}" for d in program.input_dtypes), *(d.name for d in program.dtypes)]
    lines += [
        f"{t}* const p_{name} = reinterpret_cast<{t}*>(list[{k}]);"
        for k, (name, t) in enumerate(zip(names, types, strict=True))
    ]
    lines += [
        f"const int64 size = list[{fields}];",
        f"const int64 end = tile[1] + {TILE} < size ? tile[1] + {TILE} : size;",
    ]

    def element(w: int) -> list[str]:
        found = [
            f"const gg_pack<{stored(d)}, {w}> i{n} = gg_load<{w}>(p_i{n} + at);"
            for n, d in enumerate(program.input_dtypes)
        ]
        found += [f"gg_pack<{d.name}, {w}> o{n};" for n, d in enumerate(program.dtypes)]
        return [*found, _call(program, w), *(f"gg_store(p_o{n} + at, o{n});" for n in range(len(program.outputs)))]

    lines += [
        f"for (int64 at = tile[1] + {width} * threadIdx.x; at + {width} <= end; at += {width * THREADS}) {{",
        *(f"    {line}" for line in element(width)),
        "}",
    ]
    if width > 1:
        lines += [
            f"for (int64 at = tile[1] + (end - tile[1]) / {width} * {width} + threadIdx.x; at < end; at += {THREADS}) {{",
            *(f"    {line}" for line in element(1)),
            "}",
        ]
    return "\n".join([*numbers, *body_function(program), *kernel_of(called(program, "many"), lines)])


# ---------------------------------------------------------------------------------------------------- reductions


def reduction(program: Program, layout: Reduction) -> str:
    """A kernel that reduces its outputs, the program being the map: nothing of full size is stored."""
    access = {f"i{n}": k for n, k in enumerate(layout.inputs)}
    types = {f"i{n}": stored(d) for n, d in enumerate(program.input_dtypes)}
    stepped = [n for n, k in access.items() if k != "one"]
    results = ["int64" if h.startswith("gg_arg") else d.name for h, d in zip(layout.how, program.dtypes, strict=True)]
    pointers = [f"const {types[n]}* {n};" for n in access]
    pointers += [f"{t}* o{k};" for k, t in enumerate(results)]
    if layout.split:
        pointers += [f"how{k}::partial* p{k};" for k in range(len(layout.how))]
    axes = [f"kept_shape[{layout.kept}]", f"reduced_shape[{layout.reduced}]"]
    axes += [f"{part}_{n}[{dims}]" for n in stepped for part, dims in (("kept", layout.kept), ("reduced", layout.reduced))]  # fmt: skip
    lines = [f"typedef {h}<{d.name}> how{k};" for k, (h, d) in enumerate(zip(layout.how, program.dtypes, strict=True))]
    lines += arguments(program, layout.wide, pointers, ["kept", "reduced", "chunk", "splits"], axes) + body_function(
        program
    )
    outputs = range(len(layout.how))
    name = called(program, layout.how[0].removeprefix("gg_").removesuffix("_of"))
    common = [
        "const index tile = blockIdx.x / static_cast<count>(a.splits), split = blockIdx.x % static_cast<count>(a.splits);",
        "const index begin = split * static_cast<index>(a.chunk);",
        "const index end = begin + a.chunk < a.reduced ? begin + a.chunk : a.reduced;",
    ]

    def bases() -> list[str]:
        lasts = {n: "" if layout.over == "last" or layout.width == 1 else _LAST[access[n]] for n in stepped}
        found = coordinates("m", "k", "kept_shape", layout.kept, lasts.values()) if stepped else []
        for n, last in lasts.items():
            found.append(f"const index base_{n} = {offset('k', f'kept_{n}', layout.kept, last)};")
        return found

    def loads(at: str, width: int, packed: bool) -> list[str]:
        """One or more elements at place `at` of the reduced axes. packed: as the accesses allow; else element by element."""
        lasts = {n: _LAST[access[n]] if packed and layout.over == "last" else "" for n in stepped}
        found = coordinates(at, "r", "reduced_shape", layout.reduced, lasts.values()) if stepped else []
        for n, t in types.items():
            if access[n] == "one":
                found.append(f"const gg_pack<{t}, {width}> {n} = gg_splat<{width}>(one_{n});")
                continue
            place = f"base_{n} + {offset('r', f'reduced_{n}', layout.reduced, lasts[n])}"
            if packed and access[n] == "same":
                found.append(f"const gg_pack<{t}, {width}> {n} = gg_splat<{width}>(a.{n}[{place}]);")
            else:
                found.append(f"const gg_pack<{t}, {width}> {n} = gg_load<{width}>(a.{n} + {place});")
        found += [f"gg_pack<{d.name}, {width}> o{k};" for k, d in enumerate(program.dtypes)]
        return [*found, _call(program, width)]

    def put(k: int, m: str, p: str) -> str:
        if layout.split:
            return f"a.p{k}[({m}) * a.splits + split] = {p};"
        return _put(k, m, p, layout.accumulate[k])

    inner: list[str]
    if layout.over == "last":
        single = [
            f"for (index n = r; n < r + {LANES} && n < end; ++n) {{",
            *(f"    {line}" for line in loads("n", 1, False)),
            *(f"    p{k} = how{k}::add(p{k}, o{k}[0], n);" for k in outputs),
            "}",
        ]
        if layout.width > 1:
            inner = [
                f"if (r + {LANES} <= end) {{",
                *(f"    {line}" for line in loads("r", LANES, True)),
                *(
                    f"    for (int32 j = 0; j < {LANES}; ++j) p{k} = how{k}::add(p{k}, o{k}[j], r + j);"
                    for k in outputs
                ),
                "} else {",
                *(f"    {line}" for line in single),
                "}",
            ]
        else:
            inner = single
        lines += kernel_of(
            name,
            [
                *common,
                "const index m = tile * static_cast<index>(blockDim.y) + threadIdx.y;",
                *(f"how{k}::partial p{k} = how{k}::none();" for k in outputs),
                *(f"const {types[n]} one_{n} = *a.{n};" for n in access if access[n] == "one"),
                "if (m < a.kept) {",
                *(f"    {line}" for line in bases()),
                f"    for (index r = begin + {LANES} * static_cast<index>(threadIdx.x); r < end; r += {LANES} * static_cast<index>(blockDim.x)) {{",
                *(f"        {line}" for line in inner),
                "    }",
                "}",
                *(f"p{k} = gg_across<how{k}>(p{k});" for k in outputs),
                "if (threadIdx.x == 0 && m < a.kept) {",
                *(f"    {put(k, 'm', f'p{k}')}" for k in outputs),
                "}",
            ],
        )
    else:
        w = layout.width
        lines += kernel_of(
            name,
            [
                *common,
                f"const index m = {w} * (32 * tile + static_cast<index>(threadIdx.x));",
                *(f"how{k}::partial p{k}[{w}];" for k in outputs),
                f"for (int32 j = 0; j < {w}; ++j) {{ {' '.join(f'p{k}[j] = how{k}::none();' for k in outputs)} }}",
                *(f"const {types[n]} one_{n} = *a.{n};" for n in access if access[n] == "one"),
                "if (m < a.kept) {",
                *(f"    {line}" for line in bases()),
                f"    for (index r = begin + static_cast<index>(threadIdx.y); r < end; r += {ROWS}) {{",
                *(f"        {line}" for line in loads("r", w, w > 1)),
                *(
                    f"        for (int32 j = 0; j < {w}; ++j) p{k}[j] = how{k}::add(p{k}[j], o{k}[j], r);"
                    for k in outputs
                ),
                "    }",
                "}",
                *(f"gg_down_columns<how{k}, {w}>(p{k});" for k in outputs),
                "if (threadIdx.y == 0 && m < a.kept)",
                f"    for (int32 j = 0; j < {w}; ++j) {{",
                *(f"        {put(k, 'm + j', f'p{k}[j]')}" for k in outputs),
                "    }",
            ],
        )
    if layout.split:
        lines += kernel_of(
            f"{name}_finish",
            [
                "const index m = static_cast<index>(blockIdx.x) * static_cast<index>(blockDim.y) + threadIdx.y;",
                *(f"how{k}::partial p{k} = how{k}::none();" for k in outputs),
                "if (m < a.kept)",
                "    for (index s = threadIdx.x; s < a.splits; s += static_cast<index>(blockDim.x)) {",
                *(f"        p{k} = how{k}::join(p{k}, a.p{k}[m * a.splits + s]);" for k in outputs),
                "    }",
                *(f"p{k} = gg_across<how{k}>(p{k});" for k in outputs),
                "if (threadIdx.x == 0 && m < a.kept) {",
                *(f"    {_put(k, 'm', f'p{k}', layout.accumulate[k])}" for k in outputs),
                "}",
            ],
        )
    return "\n".join(lines)


def _put(k: int, m: str, p: str, accumulate: bool) -> str:
    value = f"how{k}::last({p})"
    return f"a.o{k}[{m}] = {f'gg_plus(a.o{k}[{m}], {value})' if accumulate else value};"
