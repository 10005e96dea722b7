"""Devices by name. They are found lazily: nothing here imports a GPU library before somebody asks for a GPU."""

from __future__ import annotations

import threading
from typing import Any

from ..base import gpus
from ..base.config import config
from .cpu.backend import CpuBackend
from .protocol import Backend


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


def _cuda(index: int) -> Backend:
    from .cuda.backend import CupyBackend  # needs CuPy, which a machine without a GPU need not have
    from .cuda.runtime import Runtime

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
    canonical = gpus.device_name(name)
    if canonical not in _devices:
        backend: Backend = _cuda(int(canonical[5:])) if canonical.startswith("cuda") else CpuBackend()
        _devices.setdefault(canonical, Device(canonical, backend))
    return _devices.setdefault(name, _devices[canonical])


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
