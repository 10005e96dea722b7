"""The CPU: which executor runs a plan, and what a device must do besides.

A plan can be run by NumPy or compiled. Under ``GPUGRAD_CPU=auto`` (the default) it is compiled at its run number RUNS, or at
the run that brings it to WORK operations on elements; before that, and where there is no compiler, NumPy runs it. The rule
looks at nothing but what the program does, so that a program that is run twice gives the same bits twice.
"""

from __future__ import annotations

import itertools
import math
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np

from ...base import errors
from ...base.config import config
from ...base.dtypes import FLOAT32, DType, is_16_bit
from ...base.index import in_groups, repeats
from ...base.shapes import Shape, reduced
from ...ops.structural import StructuralOp, embed, linear, matmul
from ...plans.program import Program, identity
from ..protocol import Output
from . import native
from . import numpy as reference
from .native import Kernel
from .pool import SOLE, is_whole, memory

RUNS = 16  # a structure that has run so often is part of a loop
WORK = 1 << 24  # operations on elements: what takes NumPy about as long as a small part of a compilation


class CpuBackend:
    """The `Backend` of the CPU."""

    dialect = "c"
    ahead = False
    xp: Any = np

    def from_host(self, data: Any, dtype: DType | None) -> Any:
        return np.array(data, dtype, order="C")

    def to_host(self, array: Any) -> Any:
        return array

    def empty(self, shape: Shape, dtype: DType) -> Any:
        return memory.empty(shape, dtype)

    def full(self, shape: Shape, value: Any, dtype: DType) -> Any:
        out = memory.empty(shape, dtype)
        out.fill(value)
        return out

    def copy(self, array: Any) -> Any:
        out = memory.empty(array.shape, array.dtype)
        np.copyto(out, array)
        return out

    def write(self, array: Any, index: Any, value: Any) -> None:
        array[index] = value

    def call(self, op: StructuralOp, arrays: Sequence[Any], params: dict[str, Any]) -> Any:
        own = _POOLED.get(op)
        if own is not None:
            return own(self, *arrays, **params)
        if op.computes:
            with np.errstate(all="ignore"):
                result = op.forward(np, *arrays, **params)
        else:
            result = op.forward(np, *arrays, **params)
        return np.asarray(result) if isinstance(result, np.generic) else result  # of no axes, NumPy gives a number

    def expect(
        self, program: Program, shape: Shape, arrays: Sequence[Any], outputs: Sequence[Output], rows: tuple[int, ...]
    ) -> None:
        """Plans are compiled when they are run."""

    def run(
        self, program: Program, shape: Shape, arrays: Sequence[Any], scalars: Sequence[Any], outputs: Sequence[Output],
        rows: tuple[int, ...] = (),
    ) -> None:  # fmt: skip
        if program.rows != "mixed":
            shape, rows = reduced(shape, rows, True) if program.rows else shape, ()
        kernel = program.executables.get(Kernel)
        if kernel is None or config._cpu == "numpy":
            kernel = _chosen(program, shape)
        if kernel:
            for k in program.stores_rows if rows else ():
                if outputs[k].axes or outputs[k].accumulate:
                    self._run_rows(kernel, program, shape, arrays, scalars, outputs, rows)
                    return
            native.run(kernel, shape, arrays, scalars, outputs, rows)
        else:
            reference.run(program, shape, arrays, scalars, outputs, rows)

    def _run_rows(
        self, kernel: Kernel, program: Program, shape: Shape, arrays: Sequence[Any], scalars: Sequence[Any], outputs: Sequence[Output],
        rows: tuple[int, ...],
    ) -> None:  # fmt: skip
        """Run a kernel that reduces. It stores row values, whole: they are summed or added after."""
        kept = reduced(shape, rows, True)
        own = list(outputs)
        for k in program.stores_rows:
            if outputs[k].axes or outputs[k].accumulate:
                own[k] = Output(memory.empty(kept, program.dtypes[k]))
        native.run(kernel, shape, arrays, scalars, own, rows)
        for k in program.stores_rows:
            if own[k] is not outputs[k]:
                self.run(identity(program.dtypes[k]), kept, [own[k].buffer], (), [outputs[k]])

    def run_many(self, program: Program, scalars: Sequence[Any], work: Sequence[tuple[Shape, Any, Any]]) -> None:
        size = sum(math.prod(shape) for shape, _, _ in work)
        kernel = _chosen(program, (size,))
        if kernel:
            native.run_many(kernel, scalars, work)
        else:
            for shape, arrays, outputs in work:
                reference.run(program, shape, arrays, scalars, list(map(Output, outputs)))

    def may_overwrite(self, program: Program) -> bool:
        return bool(program.executables.get(Kernel)) and config.cpu != "numpy"

    def source(self, program: Program) -> str:
        return reference.source(program)

    def matmul(self, a: Any, b: Any, out: Any, accumulate: bool) -> None:
        if b.ndim == 2 and out.ndim > 2 and a.flags.c_contiguous:  # one matrix for all of a batch: one tall product
            rows = math.prod(out.shape[:-1])
            a, out = a.reshape(rows, a.shape[-1]), out.reshape(rows, out.shape[-1])
        with np.errstate(all="ignore"):
            if is_16_bit(out.dtype):
                product = np.matmul(a.astype(FLOAT32), b.astype(FLOAT32))
                if accumulate:
                    np.add(product, out, product)
                np.copyto(out, product, casting="unsafe")
            elif accumulate:
                np.add(out, np.matmul(a, b, memory.empty(out.shape, out.dtype)), out)
            else:
                np.matmul(a, b, out)

    def accumulate(self, buffer: Any, array: Any) -> None:
        with np.errstate(all="ignore"):
            (np.logical_or if buffer.dtype.kind == "b" else np.add)(buffer, array, buffer)

    def scatter_add(self, buffer: Any, index: Any, array: Any) -> None:
        if is_16_bit(buffer.dtype):  # sums of many small terms saturate: add in float32, round once
            wide = buffer.astype(FLOAT32)
            self.scatter_add(wide, index, array.astype(FLOAT32))
            np.copyto(buffer, wide, casting="unsafe")
            return
        rows = index[0] if isinstance(index, tuple) and len(index) == 1 else index
        if isinstance(rows, np.ndarray) and rows.dtype.kind in "iu" and buffer.ndim > 1 and rows.size:
            _add_rows(buffer, rows.ravel().astype(np.intp), array.reshape(rows.size, *buffer.shape[1:]))
        elif repeats(index):
            np.add.at(buffer, index, array)
        else:  # a basic or a boolean index names no element twice
            buffer[index] += array

    def sole_owner(self, array: Any) -> bool:
        return bool(is_whole(array) and sys.getrefcount(array) <= SOLE)

    def synchronize(self) -> None:
        """Nothing to wait for: calls return when they are done."""


def _matmul(backend: CpuBackend, a: Any, b: Any) -> Any:
    if a.ndim < 2 or b.ndim < 2:
        with np.errstate(all="ignore"):
            return np.asarray(matmul.forward(np, a, b))
    batch = a.shape[:-2] if b.ndim == 2 else np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    out = memory.empty((*batch, a.shape[-2], b.shape[-1]), a.dtype if a.dtype.isnative else a.dtype.newbyteorder("="))
    backend.matmul(a, b, out, False)
    return out


def _embed(backend: CpuBackend, v: Any, *, shape: Shape, index: Any) -> Any:
    out = backend.full(shape, 0, v.dtype)
    out[index] = v
    return out


# What makes large results, which NumPy would make in memory that has to be cleared first: in memory of the pool.
_POOLED: dict[StructuralOp, Callable[..., Any]] = {
    matmul: _matmul,
    linear: lambda backend, a, b: _matmul(backend, a, b.swapaxes(-1, -2)),
    embed: _embed,
}


class _Use:
    """What a program has done so far: how often it ran, and its operations on elements. failed: it could not be compiled."""

    __slots__ = ("failed", "runs", "work")

    def __init__(self) -> None:
        self.runs = self.work = 0
        self.failed = False


def _chosen(program: Program, shape: Shape) -> Kernel | Literal[False]:
    """The compiled form of a program if it is to be used now, False if NumPy is to run it."""
    mode = config.cpu
    if mode == "numpy":
        return False
    kernel: Kernel | Literal[False] | None = program.executables.get(Kernel)
    if kernel is not None:
        return kernel
    if mode == "auto":
        use: _Use | None = program.executables.get(_Use)
        if use is None:
            use = program.executables[_Use] = _Use()
        use.runs += 1
        use.work += max(1, len(program.instructions)) * math.prod(shape)
        if (use.runs < RUNS and use.work < WORK) or use.failed or _given_up:
            return False
        try:
            if native.why_not():
                if os.environ.get("CXX"):  # one that was asked for by name deserves a word; that there is none does not
                    _say_once(f"{native.why_not()}. Name one that is there, or unset CXX.")
                return False
            kernel = False if native.missing(program) else native.compiled(program)
        except (errors.GpugradError, OSError) as e:
            use.failed = True
            if not (isinstance(e, errors.InternalError) and native.works()):
                _given_up.append(True)  # the next one would fail as well, perhaps after minutes
            _say_once(getattr(e, "brief", "") or str(e))
            return False
    else:
        if native.why_not():
            raise errors.no_native(native.why_not())
        kernel = False if native.missing(program) else native.compiled(program)  # False: it cannot be compiled
    program.executables[Kernel] = kernel
    return kernel


_given_up: list[bool] = []  # not empty once compiling has failed under "auto" for a reason that is not one program's
_said = itertools.count()


def _say_once(why: str) -> None:
    """Under "auto" a plan that cannot be compiled is no reason to stop: NumPy computes the same. But it is slower."""
    if next(_said) == 0:
        all_or_one = "all plans" if _given_up or native.why_not() else "the plan"
        warnings.warn(f"NumPy runs {all_or_one} from now on, which is slower: {why}", RuntimeWarning, stacklevel=2)


def _add_rows(buffer: Any, rows: Any, values: Any) -> None:
    """buffer[rows] += values with duplicates: equal rows are brought together and summed in the order they came."""
    rows = np.where(rows < 0, rows + len(buffer), rows)
    order, starts = in_groups(rows)
    add = np.logical_or if values.dtype.kind == "b" else np.add
    different = rows[order[starts]]
    buffer[different] = add(buffer[different], add.reduceat(values[order], starts, axis=0))
