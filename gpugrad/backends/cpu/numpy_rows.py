"""Programs that reduce, run by NumPy: step by step, on a block of whole rows at a time.

Where the blocks end follows from the shape and the axes alone, and what is summed is contiguous: no bit depends on fusion or on memory layouts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ...base.dtypes import computed
from ...base.shapes import Shape, reduced
from ...plans.program import Program
from ...plans.stages import Reduce, Step, steps_of
from ..protocol import Output
from .ufuncs import Code

BLOCK = 65536  # elements: as many as that are worked on at a time, or one row


def run(
    program: Program, shape: Shape, axes: tuple[int, ...], arrays: Sequence[Any], scalars: Sequence[Any], outputs: Sequence[Output],
    code_of: Callable[[Program], Code], reduce: Callable[..., None],
) -> None:  # fmt: skip
    """Run a program whose rows lie along `axes`. reduce(block, axes, out, accumulate): how a block is summed."""
    kept = reduced(shape, axes, True)
    made = steps_of(program)
    partial: dict[int, Any] = {}  # sums that go across blocks
    for at, (index, extent) in enumerate(_blocks(shape, axes)):
        rows = reduced(extent, axes, True)
        slots: list[Any] = [_part(a, index) for a in arrays]
        for k, s in enumerate(outputs):
            row = program.row_outputs[k]
            plain = not s.axes and not s.accumulate
            slots.append(_part(s.buffer, index) if plain else np.empty(rows if row else extent, program.dtypes[k]))
        slots += [np.empty(rows if s.row else extent, s.dtype) for s in made.slots[len(slots) :]]
        for step in made.steps:
            if isinstance(step, Reduce):
                _reduce(step, slots, extent, axes, reduce)
            else:
                _step(step, slots, rows if step.row else extent, scalars, code_of)
        for k, s in enumerate(outputs):
            block = slots[len(arrays) + k]
            if s.axes and any(extent[a] != (kept if program.row_outputs[k] else shape)[a] for a in s.axes):
                if not at:
                    partial[k] = np.zeros(s.buffer.shape, computed(program.dtypes[k]))
                reduce(block, s.axes, partial[k], True)
            elif s.axes:
                reduce(block, s.axes, _part(s.buffer, index), s.accumulate)
            elif s.accumulate:
                part = _part(s.buffer, index)
                np.add(part, block, part)
    for k, sums in partial.items():
        buffer = outputs[k].buffer
        if outputs[k].accumulate:
            (np.logical_or if sums.dtype.kind == "b" else np.add)(buffer, sums, buffer, casting="unsafe")
        else:
            np.copyto(buffer, sums, casting="unsafe")


def _part(a: Any, index: tuple[slice, ...]) -> Any:
    """The part of an array that belongs to a block: all of it along the axes where it is repeated."""
    lead = len(index) - a.ndim
    return a[tuple([i if n > 1 else slice(None) for i, n in zip(index[lead:], a.shape, strict=True)])]


def _step(step: Step, slots: list[Any], extent: Shape, scalars: Sequence[Any], code_of: Callable[[Program], Code]) -> None:  # fmt: skip
    code = code_of(step.program)
    inputs = [slots[n] for n in step.inputs]
    for n in code.contiguous:
        inputs[n] = _whole(inputs[n], extent)
    code.function(*inputs, *scalars, *[slots[n] for n in step.outputs], *[np.empty(extent, d) for d in code.scratch])


def _whole(a: Any, extent: Shape) -> Any:
    return a if a.shape == extent and a.flags.c_contiguous else np.broadcast_to(a, extent).copy()


def _reduce(step: Reduce, slots: list[Any], extent: Shape, axes: tuple[int, ...], total: Callable[..., None]) -> None:
    block, out = _whole(slots[step.source], extent), slots[step.target]
    if step.op.combine is np.add:
        total(block, axes, out, False)
    else:
        step.op.combine.reduce(block, axis=axes, keepdims=True, out=out)


def _blocks(shape: Shape, axes: tuple[int, ...]) -> Iterator[tuple[tuple[slice, ...], Shape]]:
    """Blocks of whole rows, each an index and its extent: pieces of the first axis that is not reduced."""
    whole = tuple([slice(None)] * len(shape))
    size = math.prod(shape)
    along = next((a for a, n in enumerate(shape) if a not in axes and n > 1), None)
    if size <= BLOCK or along is None:
        yield whole, shape
        return
    step = max(1, BLOCK * shape[along] // size)
    for start in range(0, shape[along], step):
        stop = min(start + step, shape[along])
        yield (
            (*whole[:along], slice(start, stop), *whole[along + 1 :]),
            (*shape[:along], stop - start, *shape[along + 1 :]),
        )
