"""What the CUDA backend needs of CuPy, the driver and cuBLAS: everything that touches a GPU, and nothing else.

Tests put an object with the same methods in its place, which runs the same kernels on host memory.
"""

from __future__ import annotations

import ctypes
import functools
import threading
from typing import Any

import numpy as np

from ...base import errors
from ...base.config import config
from ...base.counters import counters
from ...base.dtypes import NAMED
from . import nvrtc

_compiler = nvrtc.Compiler()
_FAST_TF32 = 77
_DEFAULT_ALGORITHM = -1
_DEFAULT_MATH, _NO_REDUCED_SUMS = 0, 16  # math modes of cuBLAS


class _Bound(threading.local):
    """The devices whose context a thread has."""

    def __init__(self) -> None:
        self.devices: set[int] = set()


_bound = _Bound()


class Runtime:
    """One GPU. Calls go to the stream that is CuPy's current one when they are made."""

    def __init__(self, index: int) -> None:
        import cupy
        from cupy.cuda import driver

        self.index = index
        self.cupy = cupy
        self._driver = driver
        self._device = cupy.cuda.Device(index)
        self.architecture = str(self._device.compute_capability)
        self._modules: dict[str, Any] = {}
        self._handles: dict[tuple[str, str], Any] = {}
        self._lock = threading.RLock()
        self._several = cupy.cuda.runtime.getDeviceCount() > 1

    @functools.cached_property
    def _stream(self) -> Any:
        """What gives CuPy's current stream, looked up once: each launch asks."""
        return self.cupy.cuda.get_current_stream

    @functools.cached_property
    def _handle(self) -> Any:
        return self.cupy.cuda.device.get_cublas_handle

    @functools.cached_property
    def _cublas(self) -> Any:
        from cupy.cuda import cublas  # needs its library

        return cublas

    def active(self) -> Any:
        """A context in which this GPU is CuPy's current one."""
        return self._device if self._several else _NOTHING

    def describe(self) -> str:
        """Name, memory, architecture and versions, for people."""
        runtime = self.cupy.cuda.runtime
        found = runtime.getDeviceProperties(self.index)
        driver = runtime.driverGetVersion()
        return (
            f"{found['name'].decode()}, {found['totalGlobalMem'] / 2**30:.0f} GiB, sm_{self.architecture}; driver for CUDA "
            f"{driver // 1000}.{driver % 1000 // 10}, {nvrtc.describe()}"
        )

    def empty(self, shape: tuple[int, ...], dtype: Any) -> Any:
        """An uninitialized array. Raises MemoryError, saying what was asked for and what is free."""
        try:
            with self.active():
                return self.cupy.empty(shape, dtype)
        except MemoryError:
            pass
        size = (
            int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        )  # the error above must not keep the buffers of its frames
        with self.active():
            free, total = self.cupy.cuda.runtime.memGetInfo()
            held = self.cupy.get_default_memory_pool().used_bytes()
        raise errors.out_of_device_memory(size, free, total, held, f"cuda:{self.index}")

    def expect(self, text: str) -> None:
        """This text will be launched soon: start compiling it."""
        if text not in self._modules:
            _compiler.ask(text, self.architecture)

    def forget(self) -> None:
        """Forget what was loaded; kernels are then read from the folder again."""
        with self._lock:
            self._modules.clear()
            self._handles.clear()

    def function(self, text: str, name: str) -> Any:
        """The kernel `name` of a text, compiled and loaded if it was not."""
        found = self._handles.get((text, name))
        if found is None:
            with self._lock, self.active():
                if text not in self._modules:
                    module = self.cupy.cuda.function.Module()
                    module.load(_compiler.take(text, self.architecture))
                    self._modules[text] = module
                found = self._handles[text, name] = self._modules[text].get_function(name)
        return found

    def launch(
        self, function: Any, text: str, grid: int, block: tuple[int, int], parameters: ctypes.Array[Any]
    ) -> None:
        """Launch a kernel whose one argument is a structure, given as the array of its address."""
        counters.launches += 1
        if self.index not in _bound.devices:
            self._bind()
        with self.active():
            self._driver.launchKernel(
                function.ptr, grid, 1, 1, *block, 1, 0, self._stream().ptr, ctypes.addressof(parameters), 0
            )  # fmt: skip
            if config._debug:
                self._check(text)

    def _check(self, text: str) -> None:
        """With debug checks on: wait, so that an error is that of what was just asked for."""
        try:
            self._stream().synchronize()
        except self.cupy.cuda.runtime.CUDARuntimeError as e:
            raise errors.InternalError(
                f"a kernel failed on the GPU: {e!s}. The GPU cannot be used further by this process. This is a bug in gpugrad; "
                f"please report it with the text of the kernel:\n{text}"
            ) from e

    def _bind(self) -> None:
        """Make the context of this GPU current in this thread: the driver's own calls do not do it by themselves."""
        with self.active():
            self.cupy.cuda.runtime.memGetInfo()
        _bound.devices.add(self.index)

    def upload(self, array: Any) -> Any:
        """A copy of a NumPy array on this GPU, C-contiguous: there when this returns, for every stream."""
        host = np.ascontiguousarray(array).reshape(array.shape)
        out = self.empty(host.shape, host.dtype)
        if host.size:
            with self.active():
                out.set(host)
                self.cupy.cuda.get_current_stream().synchronize()  # from pinned memory, the copy may still be under way
        return out

    def download(self, array: Any) -> Any:
        """A copy of an array as a NumPy array."""
        with self.active():
            return self.cupy.asnumpy(array)

    def synchronize(self) -> None:
        """Wait until everything asked of the current stream is done."""
        with self.active():
            self.cupy.cuda.get_current_stream().synchronize()

    def gemm(
        self, dtype: Any, ta: bool, tb: bool, m: int, n: int, k: int, a: tuple[int, int, int], b: tuple[int, int, int], beta: float,
        c: tuple[int, int, int], batch: int,
    ) -> None:  # fmt: skip
        """C = op(A) op(B) + beta C in cuBLAS's terms: column-major; each operand is (address, leading dimension, stride)."""
        cublas = self._cublas
        row = NAMED[dtype.name]
        assert row.cublas is not None  # whoever calls has asked whether it is a float
        kind, compute = row.cublas
        if config._tf32 and dtype.name == "float32":
            compute = _FAST_TF32
        one, added = _factors(row.computed, beta)
        with self.active():
            handle = self._handle()
            # 16-bit products are summed in float32 throughout, and float32 is TF32 only if asked for; the handle is CuPy's, too.
            mode, wanted = cublas.getMathMode(handle), _NO_REDUCED_SUMS if row.is_16_bit else _DEFAULT_MATH
            if mode != wanted:
                cublas.setMathMode(handle, wanted)
            try:
                if batch == 1:
                    cublas.gemmEx(handle, int(ta), int(tb), m, n, k, one, a[0], kind, a[1], b[0], kind, b[1],
                                  added, c[0], kind, c[1], compute, _DEFAULT_ALGORITHM)  # fmt: skip
                else:
                    cublas.gemmStridedBatchedEx(
                        handle, int(ta), int(tb), m, n, k, one, a[0], kind, a[1], a[2], b[0], kind, b[1], b[2],
                        added, c[0], kind, c[1], c[2], batch, compute, _DEFAULT_ALGORITHM,
                    )  # fmt: skip
            finally:
                if mode != wanted:
                    cublas.setMathMode(handle, mode)
            if config._debug:
                self._check("a matrix product by cuBLAS")


@functools.cache
def _factors(dtype: Any, beta: float) -> tuple[int, int]:
    """Where 1 and beta lie in the host's memory, for good."""
    numbers = np.array([1.0, beta], dtype)
    _kept.append(numbers)
    address = numbers.ctypes.data
    return address, address + numbers.itemsize


_kept: list[Any] = []


class _Nothing:
    def __enter__(self) -> None: ...
    def __exit__(self, *exc: object) -> None: ...


_NOTHING = _Nothing()
