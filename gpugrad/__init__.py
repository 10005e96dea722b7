"""gpugrad: automatic differentiation for people who write NumPy and CuPy.

Write NumPy, get gradients; long chains of small operations run as a few large kernels.

>>> import gpugrad as gg
>>> x = gg.tensor([1.0, 2.0], requires_grad=True)
>>> f = gg.sin(x * x).sum()
>>> f.backward()
>>> x.grad
tensor([ 1.08060461, -2.61457448], device='cpu')
"""

import importlib
from typing import TYPE_CHECKING

from . import autograd, debug, functions, graph, linalg, nn, numpy, optim, random
from .arguments import wait
from .backends.cpu.pool import memory
from .backends.devices import Device, device, get_device, set_default_device
from .base import errors
from .base.config import config
from .base.modes import enable_grad, no_grad, set_grad_enabled
from .explanation import explain
from .functions import *
from .serialize import load, save
from .tensor import Tensor
from .transforms.custom import custom_jvp, custom_vjp
from .transforms.derivatives import grad, hessian, hvp, jacobian, jvp, value_and_grad, vjp
from .transforms.implicit import fixed_point, implicit_root
from .transforms.ops import elementwise
from .transforms.stationary import StationaryPoint, stationary_point

if TYPE_CHECKING:
    from . import scipy as scipy
    from . import testing as testing
    from .catalogue import support as support

__version__ = "0.1.0"

_LATER = ("scipy", "testing")

__all__ = [
    "Device", "StationaryPoint", "Tensor", "autograd", "config", "custom_jvp", "custom_vjp", "debug", "device", "elementwise", "enable_grad", "errors", "explain", "fixed_point", "get_device", "grad",
    "graph", "hessian", "hvp", "implicit_root", "jacobian", "jvp", "linalg", "load", "memory", "nn", "no_grad", "numpy", "optim", "random", "save", "set_default_device",
    "set_grad_enabled", "stationary_point", "value_and_grad", "vjp", "wait",
]  # fmt: skip
__all__ += functions.__all__


if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        """Packages that are imported when they are first used."""
        if name == "support":
            return importlib.import_module("gpugrad.catalogue").support
        if name in _LATER:
            return importlib.import_module(f"gpugrad.{name}")
        raise AttributeError(f"module 'gpugrad' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, *_LATER, "support"])
