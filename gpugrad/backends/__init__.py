"""Backends: the protocol that a device implements, and the registry of devices.

Everything elementwise goes through `run`; a backend has little else to do. Devices are found by name, lazily: nothing
here imports a GPU library before somebody asks for a GPU.
"""

from __future__ import annotations

import ctypes
import functools
import importlib.util
import math
import os
import threading
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from .. import errors
from ..config import config
from ..plan import Program
from ..shapes import DType, Shape
from ..structural import StructuralOp


class Sink(NamedTuple):
    """Where one output of a program goes: all of it into `buffer`, or summed over `axes` (logical or for booleans).

    `buffer` then has those axes with length 1. accumulate: add to what is there.
    """

    buffer: Any
    axes: tuple[int, ...] = ()
    accumulate: bool = False


class Like(NamedTuple):
    """What a backend needs to know of an array that is not there yet: C-contiguous, at an aligned address."""

    shape: Shape
    dtype: DType
    ptr: int = 0

    @property
    def strides(self) -> tuple[int, ...]:
        return tuple(math.prod(self.shape[d + 1 :]) * self.dtype.itemsize for d in range(len(self.shape)))

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def data(self) -> Like:
        return self


class Backend(Protocol):
    """What a device must be able to do. Arrays are the device's own (NumPy's or CuPy's)."""

    @property
    def xp(self) -> Any:
        """The array module, for structural ops."""

    @property
    def ahead(self) -> bool:
        """True if it is worth calling `expect`."""

    def take_in(self, data: Any, dtype: DType | None) -> Any:
        """A new C-contiguous array on this device holding a copy of `data`."""

    def to_host(self, array: Any) -> Any:
        """`array` as a NumPy array."""

    def empty(self, shape: Shape, dtype: DType) -> Any:
        """An uninitialized C-contiguous array."""

    def full(self, shape: Shape, value: Any, dtype: DType) -> Any:
        """A C-contiguous array of one number."""

    def copy(self, array: Any) -> Any:
        """A C-contiguous copy."""

    def write(self, array: Any, index: Any, value: Any) -> None:
        """array[index] = value, in place; the last of duplicates stays. Raises ValueError for a shape that does not fit."""

    def call(self, op: StructuralOp, arrays: Sequence[Any], params: dict[str, Any]) -> Any:
        """Run a structural op."""

    def expect(self, program: Program, shape: Shape, arrays: Sequence[Any], sinks: Sequence[Sink]) -> None:
        """`run` will soon be called with arrays like these: a hint, to compile meanwhile."""

    def run(
        self, program: Program, shape: Shape, arrays: Sequence[Any], scalars: Sequence[Any], sinks: Sequence[Sink]
    ) -> None:
        """Run a program over arrays that broadcast to `shape`, writing its outputs to `sinks`."""

    def run_many(self, program: Program, scalars: Sequence[Any], work: Sequence[tuple[Shape, Any, Any]]) -> None:
        """Run a program over many (shape, arrays, sinks), nothing being summed."""

    def may_overwrite(self, program: Program) -> bool:
        """True if `run_many` reads each element of its inputs before it writes that element of an output."""

    def matmul(self, a: Any, b: Any, out: Any, accumulate: bool) -> None:
        """out = a @ b, or out += a @ b, for operands of two axes or more and a C-contiguous result."""

    def accumulate(self, buffer: Any, array: Any) -> None:
        """buffer += array, in place."""

    def scatter_add(self, buffer: Any, index: Any, array: Any) -> None:
        """buffer[index] += array, every duplicate counted."""

    def sole_owner(self, array: Any) -> bool:
        """True if the caller's one reference to `array` is the only way to its memory."""

    def synchronize(self) -> None:
        """Wait until the device has finished."""

    def source(self, program: Program) -> str:
        """The text of a program as array calls."""

    dialect: str  # "c" or "cuda": what its kernels are written in


class Device:
    """A device by name, with the backend that serves it. There is one object per name.

    >>> import gpugrad as gg
    >>> gg.get_device("cpu")
    device('cpu')
    """

    __slots__ = ("backend", "name")

    def __init__(self, name: str, backend: Backend) -> None:
        self.name = name
        self.backend = backend

    def __repr__(self) -> str:
        return f"device({self.name!r})"

    def __str__(self) -> str:
        return self.name

    def __eq__(self, other: object) -> bool:
        return self is other or other == self.name

    def __hash__(self) -> int:
        return hash(self.name)

    def __reduce__(self) -> Any:
        return get_device, (self.name,)


_devices: dict[str, Device] = {}
_local = threading.local()


@functools.cache
def why_no_cuda() -> str:
    """Why no GPU can be used, in words, with what to do about it; empty if one can. Asked once, and not while importing."""
    extras = "pip install 'gpugrad[cuda13]' (or cuda12, as your driver is)"
    try:
        ctypes.CDLL("libcuda.so.1" if os.name == "posix" else "nvcuda.dll")
        driver = ""
    except OSError:
        driver = "no NVIDIA driver is installed"
    if importlib.util.find_spec("cupy") is None:
        return f"CuPy is not installed: {extras}" + (f"; and {driver}" if driver else "") + "."
    if driver:
        return f"CuPy is installed, but {driver}."
    try:
        import cupy

        if not cupy.cuda.runtime.getDeviceCount():
            return "the driver finds no GPU (is CUDA_VISIBLE_DEVICES empty?)."
        cupy.cuda.Device(0).compute_capability  # noqa: B018  # a driver may know a GPU that does not work
        cupy.empty(1).data.ptr  # noqa: B018
    except Exception as e:  # whatever is raised where something is missing or broken is the answer
        return f"CuPy is installed, but found no working GPU: {type(e).__name__}: {e}."
    return ""


def device_count() -> int:
    """How many GPUs there are; 0 where none can be used."""
    if why_no_cuda():
        return 0
    import cupy

    return int(cupy.cuda.runtime.getDeviceCount())


def _cuda(index: int, name: str) -> Backend:
    why = why_no_cuda()
    if why:
        raise errors.no_cuda(name, why)
    from .cupy import CupyBackend
    from .runtime import Runtime

    count = device_count()
    if index >= count:
        raise errors.no_cuda(name, f"there {'is 1 GPU' if count == 1 else f'are {count} GPUs'}, counted from 0.")
    return CupyBackend(Runtime(index))


def get_device(name: Any) -> Device:
    """The device called `name` ('cpu', 'cuda', 'cuda:1'; 'cpu:1' is a pretend device for tests of mixing).

    Raises DeviceError for a name that is not one, and for a GPU that is not there, saying what is missing.

    >>> import gpugrad as gg
    >>> gg.get_device("cpu:0")
    device('cpu')
    """
    if isinstance(name, Device):
        return name
    found = _devices.get(name) if isinstance(name, str) else None
    if found is not None:
        return found
    kind, _, index = name.partition(":") if isinstance(name, str) else ("", "", "")
    if kind not in ("cpu", "cuda") or (":" in name and not index.isdecimal()):
        raise errors.unknown_device(name)
    number = int(index or 0)
    canonical = f"{kind}:{number}" if kind == "cuda" or number else "cpu"
    if canonical not in _devices:
        from .cpu import CpuBackend

        backend = _cuda(number, name) if kind == "cuda" else CpuBackend()
        _devices.setdefault(canonical, Device(canonical, backend))
    return _devices.setdefault(name, _devices[canonical])


config.canonical_device = lambda name: get_device(name).name
config.best_device = lambda: "cpu" if why_no_cuda() else "cuda:0"


def device_array(a: Any) -> Any:
    """An array that lies on a GPU, as CuPy's: CuPy's own, or another library's without a copy. None for anything else."""
    if not hasattr(type(a), "__cuda_array_interface__"):
        return None
    if type(a).__module__.partition(".")[0] == "cupy":
        return a
    if getattr(a, "__cuda_array_interface__", None) is None:
        return None
    import cupy

    return cupy.asarray(a)


def device_of(array: Any) -> Device:
    """The device on which an array of CuPy's lies."""
    return get_device(f"cuda:{array.device.id}")


def default_device() -> Device:
    """The device of new tensors: `with device(...)`, else `config.device`."""
    stack = getattr(_local, "stack", None)
    if stack:
        return stack[-1]
    return get_device(config.device)


def set_default_device(name: Any) -> None:
    """Make `name` the device of new tensors in every thread: `config.device = name`.

    >>> import gpugrad as gg
    >>> gg.set_default_device("cpu")
    """
    config.device = name


class device:
    """Context manager: new tensors of this thread go to the device `name`.

    >>> import gpugrad as gg
    >>> with gg.device("cpu"):
    ...     gg.zeros(2).device
    device('cpu')
    """

    def __init__(self, name: Any) -> None:
        self._device = get_device(name)

    def __enter__(self) -> Device:
        if not hasattr(_local, "stack"):
            _local.stack = []
        _local.stack.append(self._device)
        return self._device

    def __exit__(self, *exc: object) -> None:
        _local.stack.pop()
