"""The NumPy executor: plans as NumPy calls. It is the reference, and always there.

A program becomes a generated Python function of ufunc calls with outputs given, so that it makes no temporaries but a
few scratch buffers. A large array is run block by block, so that a chain of ops touches memory once, on a few threads
(NumPy drops the GIL inside its loops); a small one in one piece. A reduced output exists only as a block.

Block edges, and the order in which the blocks of a sum are added, follow from the shape alone: no result depends on
fusion or on the number of threads.
"""

from __future__ import annotations

import functools
import itertools
import math
import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from ...base import errors
from ...base.config import config
from ...base.dtypes import FLOAT32, DType, computed, is_16_bit
from ...base.shapes import Shape
from ...plans.program import Program
from ...plans.stages import Reduce, steps_of
from ..protocol import Output
from . import numpy_rows
from .threads import share
from .ufuncs import Code, compiled

BLOCK = 65536  # elements: a few scratch buffers of this size stay in the cache of a core
GROUPS = 64  # partial sums of a large reduction
KEPT = 4096  # elements: smaller scratch buffers are cheap to make anew


def source(program: Program) -> str:
    """The text of a program as this executor runs it."""
    if program.rows != "mixed":
        return _code(program).text
    parts = []
    for s in steps_of(program).steps:
        if isinstance(s, Reduce):
            parts.append(f"# slot {s.target} = {s.op.name} of each row of slot {s.source}\n")
        else:
            parts.append(
                f"# {'row values' if s.row else 'full values'}: slots {s.inputs} to {s.outputs}\n{_code(s.program).text}"
            )
    return "".join(parts)


def run(
    program: Program, shape: Shape, arrays: Sequence[Any], scalars: Sequence[Any], outputs: Sequence[Output],
    rows: tuple[int, ...] = (),
) -> None:  # fmt: skip
    """Run a program over arrays that broadcast to `shape`, writing its results to `outputs`. rows: the axes of a row."""
    try:
        with np.errstate(all="ignore"):
            if program.rows == "mixed":
                numpy_rows.run(program, shape, rows, arrays, scalars, outputs, _code, _reduce)
                return
            code = _code(program)
            if math.prod(shape) <= BLOCK:
                _run_whole(code, program, shape, arrays, scalars, outputs)
            else:
                _run_blocks(code, program, shape, arrays, scalars, outputs)
    except (
        MemoryError,
        KeyboardInterrupt,
        RecursionError,
        errors.GpugradError,
    ):  # the last is of an op of the user's own
        raise
    except Exception as e:  # ends in an error that carries the text: nothing is retried another way
        raise errors.InternalError(
            f"a plan could not be run: {type(e).__name__}: {e}. This is a bug in gpugrad; please report it with "
            f"this text:\n{source(program)}"
        ) from e


def _code(program: Program) -> Code:
    found: Code | None = program.executables.get(Code)
    if found is None:
        found = program.executables[Code] = compiled(program)
    return found


class _Scratch(threading.local):
    """Scratch buffers of a thread, kept from run to run: fresh ones cost more in page faults than the arithmetic."""

    def __init__(self) -> None:
        self.buffers: dict[tuple[int, DType], Any] = {}

    def take(self, dtypes: Iterable[DType], extent: Shape, start: int = 0) -> list[Any]:
        """One buffer per dtype, numbered from `start`: two with one number are the same."""
        size = math.prod(extent)
        if size < KEPT:
            return [np.empty(extent, d) for d in dtypes]
        found = []
        for k, d in enumerate(dtypes, start):
            if (k, d) not in self.buffers:
                self.buffers[k, d] = np.empty(BLOCK, d)
            found.append(self.buffers[k, d][:size].reshape(extent))
        return found


_scratch = _Scratch()


def _contiguous(a: Any, shape: Shape) -> Any:
    return a if a.shape == shape and a.flags.c_contiguous else np.broadcast_to(a, shape).copy()


def _run_whole(code: Code, program: Program, shape: Shape, arrays: Sequence[Any], scalars: Sequence[Any],
               outputs: Sequence[Output]) -> None:  # fmt: skip
    """One call on whole arrays, for what fits into one block."""
    inputs = arrays
    if code.contiguous:
        inputs = [_contiguous(a, shape) if n in code.contiguous else a for n, a in enumerate(arrays)]
    plain = True
    for s in outputs:
        plain = plain and not s.axes and not s.accumulate
    if plain:
        buffers = [s.buffer for s in outputs]
    else:
        results = _scratch.take(program.dtypes, shape, 2000)
        buffers = [r if s.axes or s.accumulate else s.buffer for s, r in zip(outputs, results, strict=True)]
    code.function(*inputs, *scalars, *buffers, *_scratch.take(code.scratch, shape))
    if not plain:
        for s, o in zip(outputs, buffers, strict=True):
            if s.axes:
                _reduce(o, s.axes, s.buffer, s.accumulate)
            elif s.accumulate:
                np.add(s.buffer, o, s.buffer)


def _reduce(block: Any, axes: tuple[int, ...], out: Any, accumulate: bool) -> None:
    """out = or += the sum of a contiguous block over `axes` (kept with length 1)."""
    if block.dtype.kind == "b":
        total = np.logical_or.reduce(block, axis=axes, keepdims=True)
        np.logical_or(out, total, out) if accumulate else np.copyto(out, total)
    elif accumulate or out.dtype != block.dtype:
        total = np.add.reduce(block, axis=axes, dtype=computed(block.dtype), keepdims=True)
        np.add(out, total, out, casting="unsafe") if accumulate else np.copyto(out, total, casting="unsafe")
    elif is_16_bit(block.dtype):
        np.copyto(out, np.add.reduce(block, axis=axes, dtype=FLOAT32, keepdims=True), casting="unsafe")
    else:
        np.add.reduce(block, axis=axes, keepdims=True, out=out)


class _Partial:
    """The sums of a reduced output over groups of blocks, and how they come together."""

    def __init__(self, output: Output, dtype: DType, groups: int) -> None:
        self.output = output
        self.axes = output.axes
        self.sums = np.zeros((groups, *output.buffer.shape), computed(dtype))

    def finish(self) -> None:
        reduce = np.logical_or.reduce if self.sums.dtype.kind == "b" else np.add.reduce
        total = reduce(self.sums, axis=0)
        if self.output.accumulate:
            (np.logical_or if self.sums.dtype.kind == "b" else np.add)(
                self.output.buffer, total, self.output.buffer, casting="unsafe"
            )
        else:
            np.copyto(self.output.buffer, total, casting="unsafe")


def _run_blocks(code: Code, program: Program, shape: Shape, arrays: Sequence[Any], scalars: Sequence[Any],
                outputs: Sequence[Output]) -> None:  # fmt: skip
    """Block by block, on a few threads; what an output is summed to never has its full size."""
    reducing = any(s.axes for s in outputs)
    size = math.prod(shape)
    if (
        not reducing
        and all(a.size == 1 or (a.shape == shape and a.flags.c_contiguous) for a in arrays)
        and all(s.buffer.flags.c_contiguous for s in outputs)
    ):
        # One axis will do. (Not for sums: their blocks must not depend on the layout of an input.)
        arrays = [a.reshape(-1) if a.size > 1 else a.reshape(()) for a in arrays]
        outputs = [Output(s.buffer.reshape(-1), (), s.accumulate) for s in outputs]
        shape = (size,)
    inputs = [
        a if a.shape == shape or (a.ndim == 0 and n not in code.contiguous) else np.broadcast_to(a, shape)
        for n, a in enumerate(arrays)
    ]
    blocks, split = _blocks(shape)
    groups = [[b] for b in range(len(blocks))]
    targets: list[_Partial | Output] = list(outputs)
    shared = [k for k, s in enumerate(outputs) if any(a <= split for a in s.axes)]
    if shared:  # several blocks add to one place: sums per group of blocks, as many as is cheap to keep
        largest = max(outputs[k].buffer.size for k in shared)
        count = max(1, min(GROUPS, len(blocks), 4 * BLOCK // largest))
        edges = [len(blocks) * g // count for g in range(count + 1)]
        groups = [list(range(a, b)) for a, b in itertools.pairwise(edges)]
        for k in shared:
            targets[k] = _Partial(outputs[k], program.dtypes[k], count)

    copied = [inputs[n].dtype for n in code.contiguous]

    def work(supply: Iterator[tuple[int, list[int]]]) -> None:
        scratch: dict[Shape, tuple[list[Any], dict[int, Any], list[Any]]] = {}
        with np.errstate(all="ignore"):
            for group, members in supply:
                for b in members:
                    index, extent = blocks[b]
                    if extent not in scratch:
                        scratch[extent] = (
                            _scratch.take(code.scratch, extent),
                            dict(zip(code.contiguous, _scratch.take(copied, extent, 1000), strict=True)),
                            _scratch.take(program.dtypes, extent, 2000),
                        )
                    _run_block(code, program, index, extent, inputs, scalars, targets, group, scratch[extent])

    share(work, list(enumerate(groups)), config.threads)
    for t in targets:
        if isinstance(t, _Partial):
            t.finish()


def _run_block(code: Code, program: Program, index: tuple[slice, ...], extent: Shape, inputs: Sequence[Any],
               scalars: Sequence[Any], targets: Sequence[Any], group: int, scratch: Any) -> None:  # fmt: skip
    temporaries, copies, results = scratch
    tiles = [a if a.ndim == 0 else a[index] for a in inputs]
    for n, copy in copies.items():
        if not tiles[n].flags.c_contiguous:
            np.copyto(copy, tiles[n])
            tiles[n] = copy
    buffers = [
        t.buffer[index] if isinstance(t, Output) and not t.axes and not t.accumulate else results[k]
        for k, t in enumerate(targets)
    ]
    code.function(*tiles, *scalars, *buffers, *temporaries)
    for t, o in zip(targets, buffers, strict=True):
        if isinstance(t, _Partial):
            at = tuple(slice(0, 1) if a in t.axes else i for a, i in enumerate(index))
            _reduce(o, t.axes, t.sums[(group, *at)], True)
        elif t.axes:
            at = tuple(slice(0, 1) if a in t.axes else i for a, i in enumerate(index))
            _reduce(o, t.axes, t.buffer[at], t.accumulate)
        elif t.accumulate:
            part = t.buffer[index]
            np.add(part, o, part)


@functools.lru_cache(maxsize=256)
def _blocks(shape: Shape) -> tuple[list[tuple[tuple[slice, ...], Shape]], int]:
    """The blocks of a shape, each an index and its extent, in C order; and the last axis that is split."""
    axis = next(k for k in range(len(shape)) if math.prod(shape[k + 1 :]) <= BLOCK)
    inner = shape[axis + 1 :]
    step = max(1, BLOCK // max(1, math.prod(inner)))
    blocks = []
    for lead in itertools.product(*(range(n) for n in shape[:axis])):
        for start in range(0, shape[axis], step):
            stop = min(start + step, shape[axis])
            index = (*(slice(i, i + 1) for i in lead), slice(start, stop), *(slice(0, n) for n in inner))
            blocks.append((index, (*(1 for _ in lead), stop - start, *inner)))
    return blocks, axis
