"""Compiled plans: a program's C text, built by the system's compiler, run by the driver in `kernels/host.cpp`.

A kernel takes NumPy's own array objects and reads their addresses, shapes and strides itself, so that a call costs
about a microsecond. The GIL is dropped once, while it runs; large work is divided among the driver's own threads.
"""

from __future__ import annotations

import _ctypes
import ctypes
import functools
import math
import threading
import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...base import errors
from ...base.config import config
from ...base.shapes import Shape
from ...codegen import body as codegen
from ...codegen import cpp as host
from ...plans.program import Program
from ...plans.stages import steps_of
from .. import kernel_cache as cache
from ..protocol import Output
from . import compiler

SHARE = 300_000  # reads, operations and writes of elements: what is worth waking another thread for
MANY = 65536  # elements of a part, of many calls
DRIVER_FLAGS = ("-O1", "-ftree-vectorize", "-pthread")  # its loops are plain: -O3 takes twice as long and gains little
ARRAYS = 128  # inputs, and outputs, that the driver has room for (MAX_ARRAYS)
SLOTS = 512  # of a kernel that reduces (MAX_SLOTS_OF_ROWS)
_SCALARS: dict[Any, Any] = {float: ctypes.c_double, int: ctypes.c_longlong, bool: ctypes.c_bool, None: ctypes.c_double}


class _Call(ctypes.Structure):
    """gg_call of host.h."""

    _fields_ = (
        ("shape", ctypes.c_void_p),
        ("dims", ctypes.c_longlong),
        ("accumulate", ctypes.c_longlong),
        ("reduced", ctypes.c_longlong),
        ("threads", ctypes.c_longlong),
        ("part", ctypes.c_longlong),
        ("parts", ctypes.c_longlong),
        ("item", ctypes.c_longlong),
    )


class _Scalar(ctypes.Union):
    """gg_scalar of host.h."""

    _fields_ = (("number", ctypes.c_double), ("integer", ctypes.c_longlong))


class Kernel:
    """A compiled program. entry: its function; it takes arrays, scalars, outputs and a `_Call`. many: for many calls.

    cost: what it does with each element: reads, operations and writes.
    """

    __slots__ = ("__weakref__", "cost", "dtypes", "entry", "many", "text")

    def __init__(self, program: Program) -> None:
        self.text = host.kernel(program)
        self.dtypes = (*program.input_dtypes, *program.dtypes)
        self.cost = len(program.instructions) + len(self.dtypes)
        driver = _driver()
        library = compiler.load(host.complete(self.text))
        weakref.finalize(self, _ctypes.dlclose, library._handle).atexit = False  # plans come and go; so do kernels
        ctypes.c_void_p.in_dll(library, "gg_drive").value = driver
        self.entry = library.gg_run
        self.entry.restype = ctypes.c_longlong
        self.entry.argtypes = [
            *(ctypes.py_object for _ in program.sources),
            *(_SCALARS[t] for t in program.scalar_types),
            *(ctypes.py_object for _ in program.outputs),
            ctypes.c_void_p,
        ]
        self.many = library.gg_run_many
        self.many.restype = ctypes.c_longlong
        self.many.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_longlong, ctypes.c_longlong]


def compiled(program: Program) -> Kernel:
    """The kernel of a program.

    Raises DeviceError where the compiler or the folder of kernels does not work, InternalError for a text that does not compile.
    """
    try:
        return Kernel(program)
    except OSError as e:
        raise errors.no_native(str(e)) from e
    except errors.InternalError as e:
        own = [i.op for i in program.instructions if i.op.home == "user" and i.op.c]
        if not own:
            raise
        texts = ", ".join(f"{op.name}: {op.c}" for op in own)
        raise errors.bad_value(
            own[0].name,
            f"a kernel with the C text of your own ops could not be compiled. Look at {texts}. The compiler says: {e.__cause__ or e}",
        ) from e


def works() -> bool:
    """True once something has been compiled and loaded: what fails after that may be a single program."""
    return _driver.cache_info().currsize > 0


@functools.cache
def _driver() -> int:
    """The address of the driver, compiled on first use."""
    library = compiler.load(host.driver(), DRIVER_FLAGS)
    library.gg_setup.argtypes = [ctypes.c_longlong]
    library.gg_setup.restype = None
    library.gg_setup(object.__basicsize__)
    _libraries.append(library)
    return ctypes.addressof(ctypes.c_void_p.in_dll(library, "gg_drivers"))


_libraries: list[ctypes.CDLL] = []


@functools.cache
def why_not() -> str:
    """Why plans cannot be compiled here, in words; empty if they can."""
    if not compiler.compiler():
        return compiler.why_none()
    probe = np.arange(6, dtype=np.float32).reshape(2, 3)[:, ::2]
    found = (ctypes.c_longlong * 4).from_address(id(probe) + object.__basicsize__)
    axes = (ctypes.c_longlong * 2).from_address(found[2])
    steps = (ctypes.c_longlong * 2).from_address(found[3])
    if (found[0], found[1] & 0xFFFFFFFF, *axes, *steps) != (probe.ctypes.data, 2, 2, 2, *probe.strides):
        return "the array objects of this NumPy are laid out in an unknown way"
    return ""


def missing(program: Program) -> str:
    """Why a program is not compiled but run by NumPy, in words; empty if it is."""
    if max(len(program.sources), len(program.outputs)) > ARRAYS:
        return f"more than {ARRAYS} arrays"
    if program.rows == "mixed" and len(steps_of(program).slots) > SLOTS:
        return f"more than {SLOTS} values that are kept between its reductions"
    return codegen.missing(program)


@functools.lru_cache(maxsize=1024)
def _bits(axes: tuple[int, ...]) -> int:
    return sum(1 << a for a in axes)


@functools.lru_cache(maxsize=1024)
def _shape(shape: Shape) -> Any:
    return (ctypes.c_longlong * max(1, len(shape)))(*shape)


class _Calls(threading.local):
    """The argument block of a thread, filled anew for each call. busy: by a call that something has interrupted."""

    def __init__(self) -> None:
        self.block = _Call()
        self.busy = False


_calls = _Calls()


def run(
    kernel: Kernel, shape: Shape, arrays: Sequence[Any], scalars: Sequence[Any], outputs: Sequence[Output],
    rows: tuple[int, ...] = (),
) -> None:  # fmt: skip
    """Run a kernel over arrays that broadcast to `shape`. rows: the axes of a row. Raises MemoryError; nothing else can fail."""
    accumulate = 0
    buffers = []
    for k, s in enumerate(outputs):
        buffers.append(s.buffer)
        if s.accumulate:
            accumulate |= 1 << k
    _check(kernel, (*arrays, *buffers))
    extent = _shape(shape)
    nested = _calls.busy  # in the handler of a signal, say
    call = _Call() if nested else _calls.block
    _calls.busy = True
    try:
        call.shape = ctypes.addressof(extent)
        call.dims = len(shape)
        call.accumulate = accumulate
        call.reduced = _bits(rows) if rows else 0
        call.threads = min(config.threads, 1 + math.prod(shape) * kernel.cost // SHARE)
        if kernel.entry(*arrays, *scalars, *buffers, ctypes.addressof(call)):
            raise MemoryError("a compiled plan found no memory for its sums")
    finally:
        _calls.busy = nested


def _check(kernel: Kernel, arrays: Sequence[Any]) -> None:
    """The driver takes arrays at their word: what is no array, or of another dtype, must not get there."""
    for a, dtype in zip(arrays, kernel.dtypes, strict=True):
        if type(a) is not np.ndarray or (a.dtype is not dtype and a.dtype != dtype):
            raise errors.bad_array(f"{type(a).__name__} of {getattr(a, 'dtype', '')}", f"an array of {dtype}")


def run_many(kernel: Kernel, scalars: Sequence[Any], work: Sequence[tuple[Shape, Any, Any]]) -> None:
    """Run a kernel that sums nothing over many (shape, arrays, arrays for the outputs)."""
    calls: list[_Call] = []
    arrays: list[int] = []
    extents: list[Any] = []
    for item, (shape, inputs, outputs) in enumerate(work):
        given = (*inputs, *outputs)
        _check(kernel, given)
        arrays += map(id, given)
        extent = _shape(shape)
        extents.append(extent)
        parts = max(1, math.prod(shape) // MANY)
        address = ctypes.addressof(extent)
        calls += [_Call(address, len(shape), 0, 0, 1, part, parts, item) for part in range(parts)]
    block = (_Call * len(calls))(*calls)
    pointers = (ctypes.c_void_p * len(arrays))(*arrays)
    numbers = (_Scalar * max(1, len(scalars)))()
    for n, x in enumerate(scalars):
        if type(x) is float:
            numbers[n].number = x
        else:
            numbers[n].integer = x
    if kernel.many(
        ctypes.addressof(pointers), ctypes.addressof(numbers), ctypes.addressof(block), len(calls), config.threads
    ):
        raise MemoryError("a compiled plan found no memory for its tiles")


def describe() -> list[str]:
    """What `gpugrad info` says of this executor."""
    try:
        reason = why_not()
        if reason:
            return [f"not available: {reason}"]
        found = [f"{' '.join(compiler.compiler())}: {compiler.version()}"]
        library = "glibc's vector library" if "-DGG_LIBMVEC" in compiler.flags() else "one call per element"
        kept = (
            "as long as the process lives: the cache folder cannot be written"
            if cache.is_temporary()
            else str(cache.folder())
        )
    except (errors.GpugradError, OSError) as e:
        return [f"not available: {e}"]
    return [*found, f"sin, log, tanh, ...: {library}", f"kernels are kept in {kept}"]
