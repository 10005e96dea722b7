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
from ...ops import elementwise as ew
from ...plans.program import Operand, Program
from ..protocol import Sink
from .threads import share

BLOCK = 65536  # elements: a few scratch buffers of this size stay in the cache of a core
GROUPS = 64  # partial sums of a large reduction
KEPT = 4096  # elements: smaller scratch buffers are cheap to make anew

# Arithmetic among Python numbers in a plan; what is not here is a call of the ufunc (division by zero must give inf).
_NUMBERS = {
    "add": "({} + {})", "subtract": "({} - {})", "multiply": "({} * {})", "negative": "(-{})",
    "equal": "({} == {})", "not_equal": "({} != {})", "less": "({} < {})", "greater": "({} > {})",
    "less_equal": "({} <= {})", "greater_equal": "({} >= {})",
    "logical_and": "({} and {})", "logical_or": "({} or {})", "logical_not": "(not {})", "where": "({1} if {0} else {2})",
}  # fmt: skip


def _where(condition: Any, a: Any, b: Any, out: Any) -> None:
    if out is not b:
        np.copyto(out, b)
    np.copyto(out, a, where=condition)


class Code:
    """A program as a Python function f(*inputs, *scalars, *outputs, *scratch)."""

    __slots__ = ("contiguous", "function", "scratch", "text")

    def __init__(self, program: Program) -> None:
        namespace: dict[str, Any] = {"copyto": np.copyto, "inf": math.inf, "nan": math.nan}
        last: dict[int, int] = {}
        for n, i in enumerate(program.instructions):
            for a in i.args:
                if a[0] == "t":
                    last[a[1]] = n
        direct: dict[int, str] = {}  # results that are outputs: computed in place
        for k, o in enumerate(program.outputs):
            if o[0] == "t" and isinstance(program.instructions[o[1]].dtype, np.dtype):
                direct.setdefault(o[1], f"o{k}")
        self.scratch: list[DType] = []
        self.contiguous: set[int] = set()
        free: dict[Any, list[str]] = {}
        where: dict[int, str] = {}
        lines: list[str] = []

        def new(dtype: DType) -> str:
            if free.get(dtype):
                return free[dtype].pop()
            self.scratch.append(dtype)
            return f"t{len(self.scratch) - 1}"

        def kind(a: Operand) -> Any:
            tables: Any = {"i": program.input_dtypes, "s": program.scalar_types}
            return (
                program.instructions[a[1]].dtype if a[0] == "t" else type(a[1]) if a[0] == "k" else tables[a[0]][a[1]]
            )

        def text(a: Operand) -> str:
            return where[a[1]] if a[0] == "t" else repr(a[1]) if a[0] == "k" else f"{a[0]}{a[1]}"

        for n, (out, op, args, dtype) in enumerate(program.instructions):
            given = [text(a) for a in args]
            if isinstance(dtype, np.dtype):
                brain = next((t for t in (dtype, *map(kind, args)) if getattr(t, "name", "") == "bfloat16"), None)
                if brain is not None:  # a Python number beside it is one of its kind; NumPy would compute in float32
                    namespace["bfloat16"] = brain.type
                    given = [
                        f"bfloat16({g})" if kind(a) in (float, int) else g for g, a in zip(given, args, strict=True)
                    ]
            if not isinstance(dtype, np.dtype):
                namespace[op.name] = op.numpy
                where[out] = f"n{out}"
                known = _NUMBERS.get(op.name)
                number = known.format(*given) if known else f"float({op.name}({', '.join(given)}))"
                lines.append(f"n{out} = {number}")
                continue
            if not op.exact:
                self.contiguous.update(a[1] for a in args if a[0] == "i")
            filled = ""
            if op is ew.power and not given[1].startswith(("t", "i", "o")):
                filled = new(dtype)  # NumPy's power differs in the last bit between a scalar and an array exponent
                lines.append(f"copyto({filled}, {given[1]})")
                given[1] = filled
            dying = [where[a[1]] for a in args if a[0] == "t" and last[a[1]] == n and a[1] not in direct]
            dying = [r for r in dict.fromkeys(dying) if r.startswith("t")]
            register = direct.get(out)
            if register is None:
                # An output may take the place of an input that is read here for the last time.
                reusable = (
                    dying if op.is_ufunc else [r for r in dying if op is ew.where and r == given[2] not in given[:2]]
                )
                register = next((r for r in reusable if self.scratch[int(r[1:])] == dtype), None) or new(dtype)
            where[out] = register
            name, namespace[name] = (op.name, op.numpy) if op is not ew.where else ("where", _where)
            lines.append(f"{name}({', '.join(given)}, {'out=' if op.is_ufunc else ''}{register})")
            for r in [*dying, filled]:
                if r and r != register:
                    free.setdefault(self.scratch[int(r[1:])], []).append(r)
        for k, o in enumerate(program.outputs):
            if o[0] != "t" or direct.get(o[1]) != f"o{k}":
                lines.append(f"copyto(o{k}, {text(o)})")
        parameters = [f"i{n}" for n in range(len(program.sources))] + [f"s{n}" for n in range(program.scalars)]
        parameters += [f"o{n}" for n in range(len(program.outputs))] + [f"t{n}" for n in range(len(self.scratch))]
        body = "\n    ".join(lines or ["pass"])
        self.text = f"def plan({', '.join(parameters)}):\n    {body}\n"
        exec(compile(self.text, "<gpugrad plan>", "exec"), namespace)  # text made above, from the op table alone
        self.function = namespace["plan"]


def source(program: Program) -> str:
    """The text of a program as this executor runs it."""
    return _code(program).text


def run(program: Program, shape: Shape, arrays: Sequence[Any], scalars: Sequence[Any], sinks: Sequence[Sink]) -> None:
    """Run a program over arrays that broadcast to `shape`, writing its outputs to `sinks`."""
    code = _code(program)
    try:
        with np.errstate(all="ignore"):
            if math.prod(shape) <= BLOCK:
                _run_whole(code, program, shape, arrays, scalars, sinks)
            else:
                _run_blocks(code, program, shape, arrays, scalars, sinks)
    except (MemoryError, KeyboardInterrupt, RecursionError):
        raise
    except Exception as e:  # ends in an error that carries the text: nothing is retried another way
        raise errors.plan_failed(code.text, e) from e


def _code(program: Program) -> Code:
    if program.code is None:
        program.code = Code(program)
    return program.code


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
               sinks: Sequence[Sink]) -> None:  # fmt: skip
    """One call on whole arrays, for what fits into one block."""
    inputs = arrays
    if code.contiguous:
        inputs = [_contiguous(a, shape) if n in code.contiguous else a for n, a in enumerate(arrays)]
    plain = True
    for s in sinks:
        plain = plain and not s.axes and not s.accumulate
    if plain:
        outputs = [s.buffer for s in sinks]
    else:
        results = _scratch.take(program.dtypes, shape, 2000)
        outputs = [r if s.axes or s.accumulate else s.buffer for s, r in zip(sinks, results, strict=True)]
    code.function(*inputs, *scalars, *outputs, *_scratch.take(code.scratch, shape))
    if not plain:
        for s, o in zip(sinks, outputs, strict=True):
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

    def __init__(self, sink: Sink, dtype: DType, groups: int) -> None:
        self.sink = sink
        self.axes = sink.axes
        self.sums = np.zeros((groups, *sink.buffer.shape), computed(dtype))

    def finish(self) -> None:
        reduce = np.logical_or.reduce if self.sums.dtype.kind == "b" else np.add.reduce
        total = reduce(self.sums, axis=0)
        if self.sink.accumulate:
            (np.logical_or if self.sums.dtype.kind == "b" else np.add)(
                self.sink.buffer, total, self.sink.buffer, casting="unsafe"
            )
        else:
            np.copyto(self.sink.buffer, total, casting="unsafe")


def _run_blocks(code: Code, program: Program, shape: Shape, arrays: Sequence[Any], scalars: Sequence[Any],
                sinks: Sequence[Sink]) -> None:  # fmt: skip
    """Block by block, on a few threads; what an output is summed to never has its full size."""
    reducing = any(s.axes for s in sinks)
    size = math.prod(shape)
    if (
        not reducing
        and all(a.size == 1 or (a.shape == shape and a.flags.c_contiguous) for a in arrays)
        and all(s.buffer.flags.c_contiguous for s in sinks)
    ):
        # One axis will do. (Not for sums: their blocks must not depend on the layout of an input.)
        arrays = [a.reshape(-1) if a.size > 1 else a.reshape(()) for a in arrays]
        sinks = [Sink(s.buffer.reshape(-1), (), s.accumulate) for s in sinks]
        shape = (size,)
    inputs = [
        a if a.shape == shape or (a.ndim == 0 and n not in code.contiguous) else np.broadcast_to(a, shape)
        for n, a in enumerate(arrays)
    ]
    blocks, split = _blocks(shape)
    groups = [[b] for b in range(len(blocks))]
    targets: list[_Partial | Sink] = list(sinks)
    shared = [k for k, s in enumerate(sinks) if any(a <= split for a in s.axes)]
    if shared:  # several blocks add to one place: sums per group of blocks, as many as is cheap to keep
        largest = max(sinks[k].buffer.size for k in shared)
        count = max(1, min(GROUPS, len(blocks), 4 * BLOCK // largest))
        edges = [len(blocks) * g // count for g in range(count + 1)]
        groups = [list(range(a, b)) for a, b in itertools.pairwise(edges)]
        for k in shared:
            targets[k] = _Partial(sinks[k], program.dtypes[k], count)

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
    outputs = [
        t.buffer[index] if isinstance(t, Sink) and not t.axes and not t.accumulate else results[k]
        for k, t in enumerate(targets)
    ]
    code.function(*tiles, *scalars, *outputs, *temporaries)
    for t, o in zip(targets, outputs, strict=True):
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
