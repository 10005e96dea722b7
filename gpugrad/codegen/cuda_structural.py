"""CUDA text of what is not a plan: elements taken from and put to addresses, and running sums.

Each kernel takes one structure: addresses, then sizes, all of 8 bytes. `size` elements are worked on in all.
"""

from __future__ import annotations

import functools

from ..base.dtypes import UNSIGNED, DType
from .body import prelude

THREADS = 256
FILES = ("cuda.cuh", "reduce.cuh", "scan.cuh")
_LOOP = f"for (index n = static_cast<index>(blockIdx.x) * {THREADS} + threadIdx.x; n < a.size; n += static_cast<index>(gridDim.x) * {THREADS}) {{"  # fmt: skip


def _text(pointers: str, sizes: str, *kernels: tuple[str, list[str]], before: str = "", wide: bool = True) -> str:
    lines = [before] if before else []
    lines += [f"typedef int{64 if wide else 32} index;  // in which elements are counted"]
    lines += ["struct arguments {", f"    {pointers}", f"    int64 {sizes};", "};", ""]
    for name, body in kernels:
        lines += [f'extern "C" __global__ void __launch_bounds__({THREADS}) {name}(const arguments a) {{']
        lines += [*(f"    {line}" for line in body), "}", ""]
    kernel = "\n".join(lines)
    return f"{prelude(kernel, *FILES)}\n\n{kernel}"


def _place(dims: int) -> list[str]:
    """Which of the named elements number n belongs to, and how far from its address it is."""
    lines = ["const index rest = a.rest, named = n / rest;"]
    if not dims:
        return [*lines, "const int64 at = 0;"]
    lines += ["index r = n % rest;", "int64 at = 0;"]
    for d in reversed(range(dims)):
        lines += [
            f"at += r % static_cast<index>(a.lengths[{d}]) * a.steps[{d}];",
            f"r /= static_cast<index>(a.lengths[{d}]);",
        ]
    return lines


def _sizes(dims: int) -> str:
    return f"size, rest, lengths[{dims}], steps[{dims}]" if dims else "size, rest"


@functools.cache
def gather(size: int, dims: int, wide: bool = True) -> str:
    """to[named, r] = from[address of named + place of r]."""
    t = UNSIGNED[size]
    body = [_LOOP, *(f"    {x}" for x in _place(dims)), "    a.to[n] = a.from[a.at[named] + at];", "}"]
    return _text(f"const {t}* from; {t}* to; const int64* at;", _sizes(dims), ("kernel_gather", body), wide=wide)


@functools.cache
def scatter(size: int, dims: int, wide: bool = True) -> str:
    """to[address of named + place of r] = from[which of the given is named, r]; no two addresses are equal."""
    t = UNSIGNED[size]
    body = [
        _LOOP,
        *(f"    {x}" for x in _place(dims)),
        "    a.to[a.at[named] + at] = a.from[a.which[named] * rest + n % rest];",
        "}",
    ]
    return _text(
        f"{t}* to; const {t}* from; const int64* at; const int64* which;",
        _sizes(dims),
        ("kernel_scatter", body),
        wide=wide,
    )


@functools.cache
def scatter_add(dtype: DType, dims: int, wide: bool = True) -> str:
    """to[address + place of r] += the sum of from[order[i], r] for i of that address, in their order."""
    t = dtype.name
    body = [
        _LOOP,
        *(f"    {x}" for x in _place(dims)),
        "    how::partial p = how::add(how::none(), a.to[a.at[named] + at], 0);",
        "    for (int64 i = a.starts[named]; i < a.starts[named + 1]; ++i)",
        "        p = how::add(p, a.from[a.order[i] * rest + n % rest], i);",
        "    a.to[a.at[named] + at] = how::last(p);",
        "}",
    ]
    pointers = f"{t}* to; const {t}* from; const int64* at; const int64* starts; const int64* order;"
    return _text(pointers, _sizes(dims), ("kernel_scatter_add", body), before=f"typedef gg_sum_of<{t}> how;", wide=wide)


@functools.cache
def scan_lines(dtype: DType) -> str:
    """Running sums of many lines, one thread each."""
    t = dtype.name
    body = [
        _LOOP,
        "    int64 at = n / a.inner * a.length * a.inner + n % a.inner;",
        "    how::partial p = how::none();",
        "    for (int64 i = 0; i < a.length; ++i, at += a.inner) {",
        "        p = how::add(p, a.from[at], i);",
        "        a.to[at] = how::last(p);",
        "    }",
        "}",
    ]
    pointers = f"const {t}* from; {t}* to;"
    return _text(pointers, "length, inner, size", ("kernel_running_sums", body), before=f"typedef gg_sum_of<{t}> how;")


@functools.cache
def scan_chunks(dtype: DType) -> str:
    """Running sums of a few long lines: a block a chunk, which begins with the totals of the chunks before it."""
    t = dtype.name
    where = [
        "const int64 line = blockIdx.x / a.chunks, chunk = blockIdx.x % a.chunks;",
        "const int64 base = line / a.inner * a.length * a.inner + line % a.inner;",
        "const int64 begin = chunk * a.chunk, end = begin + a.chunk < a.length ? begin + a.chunk : a.length;",
    ]
    totals = [
        *where,
        "how::partial p = how::none();",
        f"for (int64 i = begin + threadIdx.x; i < end; i += {THREADS}) p = how::add(p, a.from[base + i * a.inner], i);",
        "p = gg_across<how>(p);",
        "if (threadIdx.x == 0) a.totals[blockIdx.x] = p;",
    ]
    scan = [
        *where,
        "how::partial before = how::none();",
        "for (int64 c = 0; c < chunk; ++c) before = how::join(before, a.totals[line * a.chunks + c]);",
        "__shared__ how::partial last;",
        f"for (int64 first = begin; first < end; first += {THREADS}) {{",
        "    const int64 i = first + threadIdx.x;",
        "    how::partial p = how::none();",
        "    if (i < end) p = how::add(p, a.from[base + i * a.inner], i);",
        "    p = how::join(before, gg_prefix<how>(p));",
        "    if (i < end) a.to[base + i * a.inner] = how::last(p);",
        f"    if (threadIdx.x == {THREADS - 1}) last = p;",
        "    __syncthreads();",
        "    before = last;",
        "    __syncthreads();",
        "}",
    ]
    pointers = f"const {t}* from; {t}* to; how::partial* totals;"
    return _text(pointers, "length, inner, chunk, chunks", ("kernel_running_sum_totals", totals), ("kernel_running_sum", scan), before=f"typedef gg_sum_of<{t}> how;")  # fmt: skip
