"""The GPU: plans as CUDA kernels on CuPy's arrays, launched with as little Python around them as can be.

What a program needs to be launched, given how its arrays lie in memory, is worked out once and kept with the program; a
call then packs addresses and numbers into a block of bytes and hands it to the driver.
"""

from __future__ import annotations

import ctypes
import functools
import math
import operator
import struct
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...base import errors
from ...base.shapes import DType, Shape, reduced
from ...codegen import cuda, cuda_structural
from ...ops.op import cast
from ...plans.program import Program, identity, single
from ..cpu import numpy as reference
from ..cpu.pool import SOLE
from ..protocol import ArraySpec, Output
from . import launch
from . import structural as cuda_ops
from . import windows as windows  # enters its ops
from .runtime import Runtime

LAYOUTS = 128  # launches kept for one program: after that, all are forgotten
NUMBERS = 64  # single numbers kept on the device
TABLES = 16  # tables of `run_many` kept on the device
_MASK = (1 << 64) - 1


class _Launch:
    """One kernel, ready but for its addresses and numbers."""

    __slots__ = ("_block", "_finish", "_function", "_grid", "_head", "_partials", "_tail", "_text", "arrays", "scalars")

    def __init__(self, runtime: Runtime, kernel: launch.Kernel, arrays: Sequence[int], scalars: Sequence[int]) -> None:
        self.arrays = tuple(arrays)  # where the addresses are found among those of inputs and outputs
        self.scalars = tuple(scalars)
        self._text = cuda.complete(kernel.text)
        names = cuda.entries(kernel.text)
        self._function = runtime.function(self._text, names[0])
        self._finish = (runtime.function(self._text, names[1]), kernel.finish) if kernel.finish else None
        self._grid, self._block, self._partials = kernel.grid, kernel.block, kernel.partials
        self._head, self._tail = struct.Struct(kernel.head), kernel.tail

    def fire(self, runtime: Runtime, addresses: Sequence[int], scalars: Sequence[Any], grid: int = 0) -> None:
        """Launch it. grid: the number of blocks, where that is not known beforehand."""
        given: list[Any] = [addresses[n] for n in self.arrays]
        kept = [runtime.empty((n,), _BYTE) for n in self._partials]  # given back to the pool when this call ends
        given += [p.data.ptr for p in kept]
        for n in self.scalars:
            x = scalars[n]
            given.append(x if type(x) is float else x & _MASK)
        parameters = _parameters(self._head.pack(*given) + self._tail)
        runtime.launch(self._function, self._text, grid or self._grid, self._block, parameters)
        if self._finish is not None:
            function, (blocks, block) = self._finish
            runtime.launch(function, self._text, blocks, block, parameters)


def _parameters(block: bytes) -> ctypes.Array[Any]:
    """What the driver is given for a kernel with one argument: where it lies. The bytes live as long as this."""
    return _Pointer(block)


@functools.cache
def _casts(source: DType, target: DType) -> Program:
    return single(cast(target), (source,))


_BYTE = np.dtype(np.uint8)
_Pointer = ctypes.c_char_p * 1


class CupyBackend:
    """The `Backend` of one GPU."""

    dialect = "cuda"
    ahead = True

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.xp: Any = runtime.cupy
        self._tables: dict[Any, Any] = {}
        # Numbers that arrays were filled with, kept on the device: an upload for each fill would wait for the device.
        self._numbers: dict[Any, Any] = {}
        self._own = cuda_ops.TABLE

    # ------------------------------------------------------------------------------------------------- memory

    def from_host(self, data: Any, dtype: DType | None) -> Any:
        if isinstance(data, self.xp.ndarray):
            if data.device.id != self.runtime.index:
                with self.runtime.active():
                    data = self.xp.asarray(data)  # a copy from one GPU to another
            size = data.dtype.itemsize
            if data.data.ptr % size or any(s % size for s in data.strides):  # a field of records, say
                data = self.by_cupy("array", data)
            return self.copy(data if dtype is None else self.cast(data, np.dtype(dtype)))
        host = np.asarray(data, dtype)
        if host.dtype.itemsize > 8:
            raise errors.bad_type("device", f"a GPU has no {host.dtype}: convert with x.astype('float64') first.")
        return self.runtime.upload(host if host.dtype.isnative else host.astype(host.dtype.newbyteorder("=")))

    def to_host(self, array: Any) -> Any:
        return self.runtime.download(array)

    def empty(self, shape: Shape, dtype: DType) -> Any:
        return self.runtime.empty(shape, dtype)

    def full(self, shape: Shape, value: Any, dtype: DType) -> Any:
        out = self.empty(shape, dtype)
        if out.size:
            host = np.asarray(value, dtype)
            key = (dtype, host.tobytes())
            if key not in self._numbers:
                if len(self._numbers) >= NUMBERS:
                    self._numbers.pop(next(iter(self._numbers)))
                self._numbers[key] = self.runtime.upload(host)
            self.run(identity(dtype), shape, [self._numbers[key]], (), [Output(out)])
        return out

    def copy(self, array: Any) -> Any:
        out = self.empty(array.shape, array.dtype)
        if out.size:
            self.run(identity(array.dtype), array.shape, [array], (), [Output(out)])
        return out

    def contiguous(self, array: Any) -> Any:
        """The array itself if it is C-contiguous, else a copy that is."""
        return array if array.flags.c_contiguous else self.copy(array)

    def write(self, array: Any, index: Any, value: Any) -> None:
        cuda_ops.write(self, array, index, value)

    def sole_owner(self, array: Any) -> bool:
        return array.base is None and sys.getrefcount(array) <= SOLE

    def synchronize(self) -> None:
        self.runtime.synchronize()

    # ---------------------------------------------------------------------------------------------- programs

    def run(
        self, program: Program, shape: Shape, arrays: Sequence[Any], scalars: Sequence[Any], outputs: Sequence[Output],
        rows: tuple[int, ...] = (),
    ) -> None:  # fmt: skip
        later: list[tuple[Shape, Any, Output]] = []
        if program.rows == "all":
            shape = reduced(shape, rows, True)
        elif program.rows == "mixed":
            outputs, later = self._unsummed(program, shape, outputs, rows)
        addresses = []
        key: list[Any] = [shape, rows]
        for a in arrays:
            address = a.data.ptr
            addresses.append(address)
            key += (a.shape, a.strides, address & 15)
        for s in outputs:
            address = s.buffer.data.ptr
            addresses.append(address)
            key += (s.buffer.strides, s.axes, s.accumulate, address & 15)
        for f in self._launches(
            program, tuple(key), lambda: launch.kernels(program, shape, arrays, outputs, across=rows)
        ):
            f.fire(self.runtime, addresses, scalars)
        for whole, values, s in later:
            self.run(identity(values.dtype), whole, [values], (), [s])

    def _unsummed(
        self, program: Program, shape: Shape, outputs: Sequence[Output], rows: tuple[int, ...]
    ) -> tuple[Sequence[Output], list[tuple[Shape, Any, Output]]]:
        """The outputs of a program that reduces, where some are summed: whole ones instead, and what is to be summed after."""
        own, later = list(outputs), []
        for k, s in enumerate(outputs):
            if s.axes:
                whole = reduced(shape, rows, True) if program.row_outputs[k] else shape
                own[k] = Output(self.empty(whole, program.dtypes[k]))
                later.append((whole, own[k].buffer, s))
        return own, later

    def _launches(self, program: Program, key: Any, plan: Callable[[], list[launch.Planned]]) -> list[_Launch]:
        """The launches of a program that are kept for a layout of its arrays; planned if there are none."""
        kept: dict[Any, list[_Launch]] | None = program.executables.get(self)
        if kept is None:
            kept = program.executables[self] = {}
        found = kept.get(key)
        if found is None:
            if len(kept) >= LAYOUTS:
                kept.clear()
            found = kept[key] = [_Launch(self.runtime, *planned) for planned in plan()]
        return found

    def expect(
        self, program: Program, shape: Shape, arrays: Sequence[Any], outputs: Sequence[Output], rows: tuple[int, ...]
    ) -> None:
        """Start compiling what `run` will need, if arrays like these are given."""
        if program.rows == "all":
            shape = reduced(shape, rows, True)
        elif program.rows == "mixed":  # what is summed of it, is so after
            kept = reduced(shape, rows, True)
            whole = [kept if row else shape for row in program.row_outputs]
            outputs = [Output(ArraySpec(s, d)) for s, d in zip(whole, program.dtypes, strict=True)]
        for kernel, _, _ in launch.kernels(program, shape, arrays, outputs, across=rows):
            self.runtime.expect(cuda.complete(kernel.text))

    def reduce(self, array: Any, axes: tuple[int, ...], how: str, out: Any) -> None:
        """`array` reduced over `axes` in another way than by a sum, into `out`, which has those axes with length 1."""
        program = identity(array.dtype)
        key = (how, array.shape, array.strides, array.data.ptr & 15, axes)

        outputs = [Output(out, axes)]
        (only,) = self._launches(program, key, lambda: launch.kernels(program, array.shape, [array], outputs, how))
        only.fire(self.runtime, [array.data.ptr, out.data.ptr], ())

    def run_many(self, program: Program, scalars: Sequence[Any], work: Sequence[tuple[Shape, Any, Any]]) -> None:
        lists = []
        plain, bits = True, 0
        for shape, arrays, outputs in work:
            row = []
            for a in (*arrays, *outputs):
                plain = plain and a.shape == shape and a._c_contiguous
                address = a.data.ptr
                bits |= address
                row.append(address)
            row.append(math.prod(shape))
            lists.append(tuple(row))
        if not plain:  # an operand that all share, and that is broadcast
            for shape, arrays, outputs in work:
                self.run(program, shape, arrays, scalars, list(map(Output, outputs)))
            return
        sizes = [d.itemsize for d in (*program.input_dtypes, *program.dtypes)]
        width = min(8, 16 // max(sizes))
        if bits & 15 and any(p % min(16, width * s) for row in lists for p, s in zip(row[:-1], sizes, strict=True)):
            width = 1
        (only,) = self._launches(program, ("many", width), lambda: [launch.many(program, width)])
        table = tuple(lists)
        if table not in self._tables:
            if len(self._tables) >= TABLES:
                self._tables.pop(next(iter(self._tables)))
            tiles = [(n, start) for n, row in enumerate(lists) for start in range(0, row[-1], cuda.TILE)]
            rows = np.array(lists, np.uint64).view(np.int64)
            self._tables[table] = (
                self.runtime.upload(np.array(tiles, np.int64).reshape(-1, 2)),
                self.runtime.upload(rows),
            )
        device_tiles, device_lists = self._tables[table]
        if len(device_tiles):
            only.fire(self.runtime, [device_tiles.data.ptr, device_lists.data.ptr], scalars, len(device_tiles))

    def start(self, text: str, addresses: Sequence[int], sizes: Sequence[int], threads: int, name: str = "") -> None:
        """Launch a kernel of `codegen.cuda_structural`, the last of its text if none is named: its structure is addresses, then sizes."""
        parameters = _parameters(struct.pack(f"={len(addresses)}Q{len(sizes)}q", *addresses, *sizes))
        grid = -(-threads // cuda_structural.THREADS)
        self.runtime.launch(
            self.runtime.function(text, name or cuda.entries(text)[-1]),
            text,
            grid,
            (cuda_structural.THREADS, 1),
            parameters,
        )

    def by_cupy(self, name: str, *args: Any, **params: Any) -> Any:
        """A function of CuPy. Of linear algebra: what has no solution is an error, as in NumPy, where CuPy would give NaNs."""
        function = operator.attrgetter(name)(self.xp)
        with self.runtime.active():
            if not name.startswith("linalg."):
                return function(*args, **params)
            import cupyx

            with cupyx.errstate(linalg="raise"):
                return function(*args, **params)

    def cast(self, array: Any, dtype: DType) -> Any:
        """An array in another dtype; itself if it has that one."""
        if array.dtype == dtype:
            return array
        out = self.empty(array.shape, dtype)
        if out.size:
            self.run(_casts(array.dtype, dtype), array.shape, [array], (), [Output(out)])
        return out

    def may_overwrite(self, program: Program) -> bool:
        # One kernel reads before it writes; of several, the second would read what the first has written.
        return (
            len(program.outputs) <= launch.OUTPUTS and len(program.sources) + len(program.outputs) <= 2 * launch.OUTPUTS
        )

    def matmul(self, a: Any, b: Any, out: Any, accumulate: bool) -> None:
        cuda_ops.multiply(self, a, b, out, accumulate)

    def accumulate(self, buffer: Any, array: Any) -> None:
        if buffer.size:
            self.run(identity(buffer.dtype), buffer.shape, [array], (), [Output(buffer, (), True)])

    def scatter_add(self, buffer: Any, index: Any, array: Any) -> None:
        cuda_ops.scatter_add(self, buffer, index, array)

    def call(self, op: Any, arrays: Sequence[Any], params: dict[str, Any]) -> Any:
        own: Callable[..., Any] | None = self._own.get(op.name)
        if own is not None:
            return own(self, *arrays, **params)
        with self.runtime.active():
            return op.forward(self.xp, *arrays, **params)

    def source(self, program: Program) -> str:
        return reference.source(program)
