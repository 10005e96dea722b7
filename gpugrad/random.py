"""Seeded random numbers, with the names of NumPy's `Generator`. Equal seeds repeat on one device.

>>> import gpugrad as gg
>>> gg.random.seed(0)
>>> gg.random.standard_normal(2)
tensor([ 0.12573022, -0.13210486], device='cpu')
"""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from .backends.devices import Device, default_device, get_device
from .functions.creation import tensor
from .tensor import Tensor


class Generator:
    """A source of random tensors on one device.

    Draws happen in program order, when they are called, never later.

    >>> import gpugrad as gg
    >>> gg.random.Generator(1).integers(0, 10, 3)
    tensor([4, 5, 7], device='cpu')
    """

    def __init__(self, seed: int | None = None, device: Any = None) -> None:
        self.device: Device = default_device() if device is None else get_device(device)
        self._generator = np.random.Generator(np.random.PCG64(seed))

    def _tensor(self, array: Any, dtype: Any) -> Tensor:
        return tensor(array, dtype, self.device)

    def random(self, size: Any = None, dtype: Any = None) -> Tensor:
        """Uniform in [0, 1)."""
        return self.uniform(0.0, 1.0, size, dtype)

    def uniform(self, low: float = 0.0, high: float = 1.0, size: Any = None, dtype: Any = None) -> Tensor:
        """Uniform in [low, high)."""
        return self._tensor(self._generator.uniform(low, high, size), dtype)

    def standard_normal(self, size: Any = None, dtype: Any = None) -> Tensor:
        """Normal with mean 0 and standard deviation 1."""
        return self.normal(0.0, 1.0, size, dtype)

    def normal(self, loc: float = 0.0, scale: float = 1.0, size: Any = None, dtype: Any = None) -> Tensor:
        """Normal with mean `loc` and standard deviation `scale`."""
        return self._tensor(self._generator.normal(loc, scale, size), dtype)

    def integers(self, low: int, high: int | None = None, size: Any = None, dtype: Any = None) -> Tensor:
        """Integers from low up to, not including, high (from 0 up to low, if there is no high)."""
        return self._tensor(self._generator.integers(low, high, size), dtype)

    def permutation(self, x: Any) -> Tensor:
        """The numbers 0 to x - 1, or the rows of an array, in random order."""
        return self._tensor(self._generator.permutation(np.asarray(x) if not isinstance(x, int) else x), None)


_default: dict[str, Generator] = {}
_seed: list[int | None] = [None]
_lock = threading.Lock()


def default_generator() -> Generator:
    """The generator of the default device that the functions of this module draw from."""
    device = default_device()
    with _lock:
        if device.name not in _default:
            _default[device.name] = Generator(_seed[0], device)
        return _default[device.name]


def seed(value: int | None) -> None:
    """Start the default generator of every device anew."""
    with _lock:
        _default.clear()
        _seed[0] = value


def random(size: Any = None, dtype: Any = None) -> Tensor:
    """Uniform in [0, 1)."""
    return default_generator().random(size, dtype)


def uniform(low: float = 0.0, high: float = 1.0, size: Any = None, dtype: Any = None) -> Tensor:
    """Uniform in [low, high)."""
    return default_generator().uniform(low, high, size, dtype)


def standard_normal(size: Any = None, dtype: Any = None) -> Tensor:
    """Normal with mean 0 and standard deviation 1."""
    return default_generator().standard_normal(size, dtype)


def normal(loc: float = 0.0, scale: float = 1.0, size: Any = None, dtype: Any = None) -> Tensor:
    """Normal with mean `loc` and standard deviation `scale`."""
    return default_generator().normal(loc, scale, size, dtype)


def integers(low: int, high: int | None = None, size: Any = None, dtype: Any = None) -> Tensor:
    """Integers from low up to, not including, high."""
    return default_generator().integers(low, high, size, dtype)


def permutation(x: Any) -> Tensor:
    """The numbers 0 to x - 1, or the rows of an array, in random order."""
    return default_generator().permutation(x)


__all__ = [
    "Generator",
    "default_generator",
    "integers",
    "normal",
    "permutation",
    "random",
    "seed",
    "standard_normal",
    "uniform",
]


def __dir__() -> list[str]:
    return __all__
