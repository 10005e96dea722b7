"""A GPU made of the C++ compiler and host memory: the backend's own code, its kernels unchanged, real CuPy arrays.

What touches a GPU goes through `gpugrad.backends.cuda.runtime.Runtime`; here is another one. Kernels are built behind `cuda.h`
and kept in the folder of compiled kernels. Fresh memory is filled with bytes that are NaN as floats. What CuPy itself and
cuBLAS would compute (sorting, matrix products) NumPy computes here.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import operator
import subprocess
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from gpugrad.backends import devices as backends
from gpugrad.backends import kernel_cache as cache
from gpugrad.backends.cpu import compiler
from gpugrad.backends.cuda.backend import CupyBackend
from gpugrad.backends.cuda.runtime import Runtime
from gpugrad.backends.devices import Device
from gpugrad.base import errors, gpus
from gpugrad.base.counters import counters
from gpugrad.codegen.cuda import entries

HEADER = (Path(__file__).parent / "cuda.h").read_text()
FLAGS = (
    "-std=c++17", "-O1", "-shared", "-fPIC", "-ffp-contract=off", "-fwrapv", "-fno-strict-aliasing", "-U_FORTIFY_SOURCE",
    "-fvisibility=hidden", "-w",
)  # fmt: skip
ORDERS = {"ascending": 0, "descending": 1, "shuffled": 2}


class _Call(ctypes.Structure):
    _fields_ = (
        ("grid", ctypes.c_uint), ("x", ctypes.c_uint), ("y", ctypes.c_uint), ("order", ctypes.c_int), ("parameters", ctypes.c_void_p),
    )  # fmt: skip


def unit(texts: Iterable[str]) -> str:
    """One source file with many kernels, each text in a namespace of its own."""
    parts = [HEADER]
    for text in texts:
        key = _key(text)
        waits = "true" if "__syncthreads" in text or "__shfl" in text else "false"
        parts += [*(f"#define {n} {n}_{key}" for n in entries(text)), f"namespace space_{key} {{\n{text}\n}}"]
        parts += [
            f'extern "C" __attribute__((visibility("default"))) int launch_{n}_{key}(const emulator::Call* call) '
            f"{{ return emulator::launch(space_{key}::{n}, {waits}, call); }}\n#undef {n}"
            for n in entries(text)
        ]
    return "\n".join(parts)


def _key(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:24]


class HostRuntime(Runtime):
    """The emulated GPU. order: in which the threads of a block run."""

    def __init__(self, flags: tuple[str, ...] = FLAGS) -> None:
        import cupy

        self.index = 0
        self.cupy = cupy
        self.architecture = "host"
        self.flags = flags
        self.order = "ascending"
        self.expected: list[str] = []
        self._found: dict[tuple[str, str], Any] = {}
        cupy.cuda.set_allocator(_allocate)

    def active(self) -> Any:
        return contextlib.nullcontext()

    def describe(self) -> str:
        return "an emulated GPU"

    def empty(self, shape: Any, dtype: Any) -> Any:
        return self.cupy.empty(shape, dtype)

    def expect(self, text: str) -> None:
        self.expected.append(text)

    def forget(self) -> None:
        self._found.clear()

    def prepare(self, texts: Iterable[str]) -> None:
        """Build many kernels at once: one compilation instead of many."""
        missing = sorted({t for t in texts if (t, entries(t)[0]) not in self._found})
        for n in range(0, len(missing), 40):
            self._build(missing[n : n + 40])

    def texts(self) -> list[str]:
        """What was built so far, in order."""
        return list(dict.fromkeys(text for text, _ in self._found))

    def function(self, text: str, name: str) -> Any:
        if (text, name) not in self._found:
            self._build([text])
        return self._found[text, name]

    def _build(self, texts: list[str]) -> None:
        source = unit(texts)
        parts = (source, *self.flags, *compiler.compiler(), compiler.version())
        name = "emulated-" + hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32] + ".so"

        def build(place: Path) -> bytes:
            (place / "kernel.cpp").write_text(source)
            command = [*compiler.compiler(), *self.flags, "kernel.cpp", "-o", "kernel.so"]
            done = subprocess.run(command, cwd=place, capture_output=True, text=True, check=False)
            if done.returncode:
                raise errors.compile_failed(" ".join(command), done.stderr, source)
            return (place / "kernel.so").read_bytes()

        library = ctypes.CDLL(str(cache.obtain(name, build)))
        for text in texts:
            for n in entries(text):
                self._found[text, n] = library[f"launch_{n}_{_key(text)}"]

    def launch(self, function: Any, text: str, grid: int, block: tuple[int, int], parameters: Any) -> None:
        counters.launches += 1
        assert 0 < grid < 2**31
        assert 0 < block[0] * block[1] <= 1024
        call = _Call(grid, *block, ORDERS[self.order], ctypes.addressof(parameters))
        with _one_at_a_time:  # the threads and blocks of a kernel are static data of its library
            stuck = function(ctypes.byref(call))
        if stuck:
            raise AssertionError(f"threads wait for others that never come:\n{text}")

    def upload(self, array: Any) -> Any:
        host = np.ascontiguousarray(array).reshape(np.shape(array))
        out = self.empty(host.shape, host.dtype)
        if host.size:
            ctypes.memmove(out.data.ptr, host.ctypes.data, host.nbytes)
        return out

    def download(self, array: Any) -> Any:
        return host_view(array).copy()

    def synchronize(self) -> None:
        """Nothing runs by itself."""

    def gemm(self, dtype: Any, ta: bool, tb: bool, m: int, n: int, k: int, a: Any, b: Any, beta: float, c: Any, batch: int) -> None:  # fmt: skip
        def matrices(operand: tuple[int, int, int], rows: int, columns: int) -> Any:
            address, ld, stride = operand
            assert ld >= max(1, rows), "the leading dimension is too small"
            size = dtype.itemsize
            last = (rows - 1) + (columns - 1) * ld + (batch - 1) * stride + 1
            buffer = (ctypes.c_char * (last * size)).from_address(address)
            return np.ndarray((batch, rows, columns), dtype, buffer, 0, (stride * size, size, ld * size))

        x = matrices(a, k, m).swapaxes(1, 2) if ta else matrices(a, m, k)
        y = matrices(b, n, k).swapaxes(1, 2) if tb else matrices(b, k, n)
        z = matrices(c, m, n)
        wide = np.float32 if dtype.itemsize == 2 else dtype
        product = np.matmul(x.astype(wide), y.astype(wide))
        z[...] = (product + z.astype(wide) if beta else product).astype(dtype)


def host_view(array: Any) -> Any:
    """The memory of a CuPy array on the host, as NumPy sees it."""
    if not array.size:
        return np.empty(array.shape, array.dtype)
    reach = [s * (n - 1) for s, n in zip(array.strides, array.shape, strict=True)]
    low, high = sum(r for r in reach if r < 0), sum(r for r in reach if r > 0) + array.dtype.itemsize
    buffer = (ctypes.c_char * (high - low)).from_address(array.data.ptr + low)
    return np.ndarray(array.shape, array.dtype, buffer, -low, array.strides)


def _allocate(size: int) -> Any:
    import cupy

    block = _Block(size)
    return cupy.cuda.MemoryPointer(cupy.cuda.UnownedMemory(block.address, size, block, 0), 0)


_one_at_a_time = threading.RLock()


_C = ctypes.CDLL(None)
_C.free.argtypes, _C.free.restype = (ctypes.c_void_p,), None


class _Block:
    """Memory that begins as CuPy's does, at a multiple of 512, and ends where it was asked to: a sanitizer sees the end."""

    def __init__(self, size: int) -> None:
        self.address = 0  # of nothing, as CuPy has it
        if not size:
            return
        place = ctypes.c_void_p()
        assert not _C.posix_memalign(ctypes.byref(place), ctypes.c_size_t(512), ctypes.c_size_t(size))
        self.address = place.value or 0
        ctypes.memset(self.address, 0xFF, size)

    def __del__(self, free: Any = _C.free) -> None:
        free(self.address)  # given as a default: at the end of the process the names of this module go first


class HostBackend(CupyBackend):
    """The backend, with NumPy for what CuPy would compute."""

    def by_cupy(self, name: str, *args: Any, **params: Any) -> Any:
        given = [host_view(a) for a in args]
        params = {k: host_view(p) if isinstance(p, self.xp.ndarray) else p for k, p in params.items()}
        if name == "argsort":
            params["kind"] = "stable"
        return self._uploaded(operator.attrgetter(name)(np)(*given, **params))

    def _uploaded(self, found: Any) -> Any:
        return tuple(map(self._uploaded, found)) if isinstance(found, tuple) else self.runtime.upload(np.asarray(found))


def install() -> Device:
    """Make 'cuda' an emulated GPU, for the life of this process."""
    if "cuda:0" not in backends._devices:
        backends._devices["cuda:0"] = Device("cuda:0", HostBackend(HostRuntime()))
        named = gpus.device_name
        gpus.device_name = lambda name: "cuda:0" if name in ("cuda", "cuda:0") else named(name)
    return backends._devices["cuda:0"]
