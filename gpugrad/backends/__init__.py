"""Backends: the protocol that a device implements, and the registry of devices.

Everything elementwise goes through `run`; a backend has little else to do. Devices are found by name, lazily: nothing
here imports a GPU library before somebody asks for a GPU.
"""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from .. import errors
from ..config import config
from ..plan import Program
from ..shapes import DType, Shape


class Sink(NamedTuple):
    """Where one output of a program goes: all of it into `buffer`, or summed over `axes` (logical or for booleans).

    `buffer` then has those axes with length 1. accumulate: add to what is there.
    """

    buffer: Any
    axes: tuple[int, ...] = ()
    accumulate: bool = False


class Backend(Protocol):
    """What a device must be able to do. Arrays are the device's own (NumPy's or CuPy's)."""

    @property
    def xp(self) -> Any:
        """The array module, for structural ops."""

    def take_in(self, data: Any, dtype: DType | None) -> Any:
        """A new C-contiguous array on this device holding a copy of `data`."""

    def to_host(self, array: Any) -> Any:
        """`array` as a NumPy array."""

    def empty(self, shape: Shape, dtype: DType) -> Any:
        """An uninitialized C-contiguous array."""

    def run(
        self, program: Program, shape: Shape, arrays: Sequence[Any], scalars: Sequence[Any], sinks: Sequence[Sink]
    ) -> None:
        """Run a program over arrays that broadcast to `shape`, writing its outputs to `sinks`."""

    def run_many(self, program: Program, scalars: Sequence[Any], work: Sequence[tuple[Shape, Any, Any]]) -> None:
        """Run a program over many (shape, arrays, sinks), nothing being summed."""

    def may_overwrite(self, program: Program) -> bool:
        """True if `run_many` reads each element of its inputs before it writes that element of an output."""

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

    def kernel(self, program: Program) -> str:
        """The text of a program as this backend compiles it."""


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
_lock = threading.Lock()
_local = threading.local()


def why_no_cuda() -> str:
    """Why no CUDA device can be used, in words, with what to do about it."""
    if importlib.util.find_spec("cupy") is None:
        return (
            "CuPy is not installed. (This version of gpugrad has no CUDA backend yet: it computes on the CPU; the one "
            "to come will use CuPy, pip install 'gpugrad[cuda13]' or 'gpugrad[cuda12]'.)"
        )
    import cupy

    try:
        cupy.cuda.runtime.driverGetVersion()
        count = cupy.cuda.runtime.getDeviceCount()
    except Exception as e:  # whatever the driver's absence raises is the answer, not a failure
        return f"CuPy {cupy.__version__} is installed, but found no working driver or GPU: {e}."
    return (
        f"CuPy {cupy.__version__} and {count} GPU(s) were found, but this version of gpugrad has no CUDA backend yet: "
        f"it computes on the CPU."
    )


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
    if kind == "cuda":
        raise errors.no_cuda(name, why_no_cuda())
    from .cpu import CpuBackend

    canonical = "cpu" if index in ("", "0") else f"cpu:{int(index)}"
    with _lock:
        if canonical not in _devices:
            _devices[canonical] = Device(canonical, CpuBackend())
        return _devices.setdefault(name, _devices[canonical])


config.canonical_device = lambda name: get_device(name).name


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
