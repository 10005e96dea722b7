"""How a program is launched on a GPU: which kernels, with what layout, on how many blocks. Pure functions of shapes.

Outputs that are stored or added to make one elementwise kernel; outputs summed over the same axes make one reduction,
whose map is the program. Axes are collapsed first: neighbours that every array walks through in one step become one.
How a sum is divided follows from its shape alone, never from layout or device, so that its bits do, too.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from typing import Any, NamedTuple

from ...base import errors
from ...base.shapes import Shape
from ...codegen import body as codegen
from ...codegen import cuda, cuda_rows
from ...plans.program import Program
from ..protocol import Output

NARROW = 1 << 30  # elements: below it a kernel counts in 32 bits
BLOCKS = 1 << 16  # of an elementwise kernel: the rest is done in turns
PARAMETERS = 4000  # bytes that a kernel may be given
OUTPUTS = 16  # of one kernel
CHUNK_LAST, SPLITS_LAST = 4096, 1024  # elements of one block in a sum over the last axis, and blocks per result
CHUNK_LEADING, SPLITS_LEADING = 256, 1024  # the same for a sum over leading axes
ONE_WARP = 1024  # elements: a longer sum over the last axis takes a whole block
NARROW_COLUMNS = 16  # a shorter last axis that is kept would not keep a warp busy


class Array(NamedTuple):
    """What matters of an array: its steps along the axes of a shape, in elements, its element size, and its address mod 16."""

    steps: tuple[int, ...]
    size: int
    offset: int


class Kernel(NamedTuple):
    """One launch: the text, the blocks and threads, and the numbers that do not change from call to call.

    head: the format of addresses and Python numbers. tail: the bytes of what follows them. partials: bytes of scratch per
    output. finish: blocks and threads of the second kernel, which brings partial results together; None: there is none.
    """

    text: str
    head: str
    tail: bytes
    grid: int
    block: tuple[int, int]
    partials: tuple[int, ...] = ()
    finish: tuple[int, tuple[int, int]] | None = None


class Planned(NamedTuple):
    """A kernel, and where it finds its arrays among inputs and outputs, and its numbers among those of the program."""

    kernel: Kernel
    arrays: list[int]
    scalars: list[int]


def view(shape: Shape, lengths: Sequence[int], strides: Sequence[int], size: int, address: int) -> Array:
    """An array seen at a shape that it broadcasts to."""
    lead = len(shape) - len(lengths)
    steps = [0] * lead
    for n, have, stride in zip(shape[lead:], lengths, strides, strict=True):
        if stride % size and have > 1:
            raise errors.bad_array(f"an array with a stride of {stride} bytes", f"multiples of its {size} bytes")
        steps.append(stride // size if have == n and n > 1 else 0)
    return Array(tuple(steps), size, address % 16)


def _collapsed(lengths: Sequence[int], rows: Sequence[Sequence[int]]) -> tuple[list[int], list[list[int]]]:
    """Axes merged where every row of steps walks through two of them as through one; at least one axis is left."""
    kept = [d for d, n in enumerate(lengths) if n != 1]
    out: list[int] = []
    steps: list[list[int]] = [[] for _ in rows]
    for d in kept:
        n = lengths[d]
        if out and all(s[-1] == row[d] * n for s, row in zip(steps, rows, strict=True)):
            out[-1] *= n
            for s, row in zip(steps, rows, strict=True):
                s[-1] = row[d]
        else:
            out.append(n)
            for s, row in zip(steps, rows, strict=True):
                s.append(row[d])
    if not out:
        return [1], [[0] for _ in rows]
    return out, steps


def _reach(lengths: Sequence[int], steps: Sequence[int]) -> int:
    return sum(abs(s) * (n - 1) for n, s in zip(lengths, steps, strict=True))


def _packable(a: Array, steps: Sequence[int], last: int, width: int) -> bool:
    """True if packs of neighbours along the last axis can be moved at once."""
    if steps[-1] == 0 and last > 1:
        return True
    rest = steps[:-1]
    return steps[-1] == 1 and not a.offset % min(16, width * a.size) and not any(s % width for s in rest)


def _kind(steps: Sequence[int], lengths: Sequence[int], width: int) -> str:
    if not any(steps):
        return "one"
    if width == 1:
        return "any"
    return "same" if steps[-1] == 0 else "row"


def _is_flat(steps: Sequence[int], lengths: Sequence[int]) -> bool:
    expected = 1
    for n, s in zip(reversed(lengths), reversed(steps), strict=True):
        if s != expected:
            return False
        expected *= n
    return True


def _index(wide: bool, numbers: Sequence[int]) -> bytes:
    if not wide and len(numbers) % 2:
        numbers = [*numbers, 0]  # the structure ends at a multiple of 8 bytes, and is read to its end
    return struct.pack(f"={len(numbers)}{'q' if wide else 'i'}", *numbers)


def _head(program: Program, pointers: int) -> str:
    codes = "".join("d" if t == "float64" else "Q" for _, t in cuda.scalars(program))
    return f"={pointers}Q{codes}"


def elementwise(
    program: Program, shape: Shape, inputs: Sequence[Array], outputs: Sequence[Array], accumulate: Sequence[bool]
) -> Kernel:
    """The launch of a program that stores its outputs or adds to them. The shape holds at least one element."""
    arrays = [*inputs, *outputs]
    lengths, steps = _collapsed(shape, [a.steps for a in arrays])
    size = math.prod(lengths)
    wide = size >= NARROW or any(_reach(lengths, s) >= NARROW for s in steps)
    width = min(8, 16 // max(a.size for a in arrays))
    moved = [(a, s) for a, s in zip(arrays, steps, strict=True) if any(s)]
    packs = (len(lengths) == 1 or lengths[-1] % width == 0) and all(
        _packable(a, s, lengths[-1], width) for a, s in moved
    )
    if not packs:
        width = 1
    kinds = ["flat" if _is_flat(s, lengths) else _kind(s, lengths, width) for s in steps]
    for n in range(len(inputs), len(arrays)):
        if kinds[n] in ("one", "same"):  # only of a shape with one element: element 0 is element 0
            kinds[n] = "flat"
    layout = cuda.Layout(
        len(lengths) if any(k not in ("flat", "one") for k in kinds) else 1,
        width,
        wide,
        tuple(kinds[: len(inputs)]),
        tuple(kinds[len(inputs) :]),
        tuple(accumulate),
    )
    numbers: list[int] = []
    if any(k not in ("flat", "one") for k in kinds):
        numbers = [*lengths, *(x for s, k in zip(steps, kinds, strict=True) if k not in ("flat", "one") for x in s)]
    blocks = -(-size // (width * cuda.THREADS))
    return Kernel(
        cuda.elementwise(program, layout),
        _head(program, len(arrays)),
        struct.pack("=q", size) + _index(wide, numbers),
        min(max(blocks, 1), BLOCKS),
        (cuda.THREADS, 1),
    )


def reduction(
    program: Program, shape: Shape, axes: Sequence[int], inputs: Sequence[Array], accumulate: Sequence[bool], how: Sequence[str]
) -> Kernel:  # fmt: skip
    """The launch of a program whose outputs are reduced over `axes`, into contiguous results."""
    over = sorted(axes)
    rest = [d for d in range(len(shape)) if d not in over]
    kept, kept_steps = _collapsed([shape[d] for d in rest], [[a.steps[d] for d in rest] for a in inputs])
    reduced, reduced_steps = _collapsed([shape[d] for d in over], [[a.steps[d] for d in over] for a in inputs])
    results, count = math.prod(kept), math.prod(reduced)
    reach = [
        _reach(kept, k) + _reach(reduced, r) if results and count else 0
        for k, r in zip(kept_steps, reduced_steps, strict=True)
    ]
    long = [d for d, n in enumerate(shape) if n != 1]
    leading = bool(long) and long[-1] not in over and shape[long[-1]] >= NARROW_COLUMNS
    chunk = CHUNK_LEADING if leading else CHUNK_LAST
    chunk *= max(1, -(-count // (chunk * (SPLITS_LEADING if leading else SPLITS_LAST))))
    splits = max(1, -(-count // chunk))
    wide = max([results * max(1, count), results * splits, *reach]) >= NARROW
    # Packs lie along the last axis of the shape: the last reduced one, or the last kept one.
    last, ends = (kept, kept_steps) if leading else (reduced, reduced_steps)
    others = reduced_steps if leading else kept_steps
    width = cuda.LANES
    packs = last[-1] % width == 0 or (not leading and len(last) == 1 and last[-1] > width)
    for a, s, o in zip(inputs, ends, others, strict=True):
        if any(s) or any(o):
            packs = packs and (s[-1] == 0 or (_packable(a, s, last[-1], width) and not any(x % width for x in o)))
    if not packs:
        width = 1
    kinds = []
    for e, k, r in zip(ends, kept_steps, reduced_steps, strict=True):
        alone = count > 0 and not any(k) and not any(r)  # (of no elements, there is none to be read beforehand)
        kinds.append("one" if alone else "any" if width == 1 else "same" if e[-1] == 0 else "row")
    layout = cuda.Reduction(
        len(kept), len(reduced), width, wide, tuple(kinds), tuple(accumulate), "leading" if leading else "last",
        splits > 1, tuple(how),
    )  # fmt: skip
    numbers = [*kept, *reduced]
    for kind, k, r in zip(kinds, kept_steps, reduced_steps, strict=True):
        if kind != "one":
            numbers += [*k, *r]
    if leading:
        tiles, block = -(-results // (32 * width)), (32, cuda.ROWS)
    else:
        threads = cuda.THREADS
        if count <= ONE_WARP:  # a short sum takes no more threads of a warp than it has packs for
            threads = 1
            while threads < 32 and threads * cuda.LANES < count:
                threads *= 2
        block = (threads, cuda.THREADS // threads)
        tiles = -(-results // block[1])
    pointers = len(inputs) + len(how) * (2 if splits > 1 else 1)
    finish = None
    if splits > 1:  # a warp for each result, or a block where there is more to bring together than a warp does at once
        along = 32 if splits <= 128 else cuda.THREADS
        finish = -(-results * along // cuda.THREADS), (along, cuda.THREADS // along)
    return Kernel(
        cuda.reduction(program, layout),
        _head(program, pointers),
        struct.pack("=4q", results, count, chunk, splits) + _index(wide, numbers),
        tiles * splits,
        block,
        tuple(results * splits * _partial(h) for h in how) if splits > 1 else (),
        finish,
    )


def rows(
    program: Program, shape: Shape, axes: Sequence[int], inputs: Sequence[Array], outputs: Sequence[Array], accumulate: Sequence[bool]
) -> Kernel:  # fmt: skip
    """The launch of a program whose rows lie along `axes`. The shape holds at least one element."""
    arrays, row = [*inputs, *outputs], [*program.row_inputs, *program.row_outputs]
    over = sorted(axes)
    rest = [d for d in range(len(shape)) if d not in over]
    kept, kept_steps = _collapsed([shape[d] for d in rest], [[a.steps[d] for d in rest] for a in arrays])
    full = [n for n, is_row in enumerate(row) if not is_row]
    reduced, reduced_steps = _collapsed([shape[d] for d in over], [[arrays[n].steps[d] for d in over] for n in full])
    count, length = math.prod(kept), math.prod(reduced)
    along = dict(zip(full, reduced_steps, strict=True))
    numbers = [*kept, *reduced]
    reach = [count * length]
    kinds: dict[int, str] = {}
    for n, k in enumerate(kept_steps):
        r = along.get(n, [])
        numbers += [*k, *r]
        reach.append(_reach(kept, k) + (_reach(reduced, r) if r else 0))
        if r:
            kinds[n] = "any"
            if len(r) == 1 and length % cuda.LANES == 0 and _packable(arrays[n], [*k, *r], length, cuda.LANES):
                kinds[n] = "row" if r[0] else "same"
    packed = "any" not in kinds.values()
    same = [n for n in kinds if not any(kept_steps[n]) or (packed and kinds[n] == "same")]
    shared = frozenset(n for n in same if n < len(inputs) and count > 1)
    wide = max(reach) >= NARROW
    layout = cuda_rows.RowLayout(
        len(kept), len(reduced), wide, tuple(accumulate), cuda_rows.held(program, length, shared), cuda_rows.block(length)[0],
        tuple(k if packed else "any" for k in kinds.values()), shared,
    )  # fmt: skip
    block = cuda_rows.block(length)
    return Kernel(
        cuda_rows.rows(program, layout),
        _head(program, len(arrays)),
        struct.pack("=2q", count, length) + _index(wide, numbers),
        -(-count // block[1]),
        block,
    )


def _partial(how: str) -> int:
    """Bytes of a partial result: a number, or one and its place."""
    return 16 if how.startswith("gg_arg") else 8


def kernels(
    program: Program, shape: Shape, arrays: Sequence[Any], outputs: Sequence[Output], how: str = "gg_sum_of",
    across: tuple[int, ...] = (),
) -> list[Planned]:  # fmt: skip
    """The kernels that a program is run with.

    arrays, and the buffers of outputs: anything with shape, strides, dtype, size and `data.ptr`. Outputs that are summed
    over the same axes make one kernel; those that are not summed make another. across: the axes of the rows of a program that reduces,
    of which no output is summed.
    """
    if codegen.missing(program):
        raise errors.bad_array(f"a program of which {codegen.missing(program)}", "other dtypes")
    views = [_seen(shape, a) for a in arrays]
    groups: dict[tuple[int, ...], list[int]] = {}
    for k, s in enumerate(outputs):
        if s.buffer.size:
            groups.setdefault(s.axes, []).append(k)
    waiting = [
        (axes, members[n : n + OUTPUTS]) for axes, members in groups.items() for n in range(0, len(members), OUTPUTS)
    ]
    planned = []
    while waiting:
        axes, members = waiting.pop(0)
        whole = members == list(range(len(outputs)))
        part, inputs = (program, tuple(range(len(arrays)))) if whole else program.only(members)
        given = [views[n] for n in inputs]
        add = [outputs[k].accumulate for k in members]
        if part.rows == "mixed":
            kernel = rows(part, shape, across, given, [_seen(shape, outputs[k].buffer) for k in members], add)
        elif axes:
            kernel = reduction(part, shape, axes, given, add, [how] * len(members))
        else:
            kernel = elementwise(part, shape, given, [_seen(shape, outputs[k].buffer) for k in members], add)
        if struct.calcsize(kernel.head) + len(kernel.tail) > PARAMETERS and len(members) > 1:
            half = len(members) // 2
            waiting += [(axes, members[:half]), (axes, members[half:])]
            continue
        places = [*inputs, *(len(arrays) + k for k in members)]
        planned.append(Planned(kernel, places, [n for n, _ in cuda.scalars(part)]))
    return planned


def _seen(shape: Shape, a: Any) -> Array:
    return view(shape, a.shape, a.strides, a.dtype.itemsize, a.data.ptr)


def text(
    program: Program, shape: Shape, arrays: Sequence[Any], outputs: Sequence[Output], across: tuple[int, ...] = ()
) -> str:
    """The kernels that a program is run with, without what they take from the prelude: for reading."""
    return "\n".join(k.text for k, _, _ in kernels(program, shape, arrays, outputs, across=across))


def many(program: Program, width: int) -> Planned:
    """The launch of a program over many lists of arrays, which two tables name: of their tiles, and of the lists."""
    kernel = Kernel(cuda.many(program, width), _head(program, 2), b"", 1, (cuda.THREADS, 1))
    return Planned(kernel, [0, 1], [n for n, _ in cuda.scalars(program)])
