"""gpugrad: automatic differentiation for people who write NumPy and CuPy.

Write NumPy, get gradients; long chains of small operations run as a few large kernels.

>>> import gpugrad as gg
>>> x = gg.tensor([1.0, 2.0], requires_grad=True)
>>> f = gg.sin(x * x).sum()
>>> f.backward()
>>> x.grad
tensor([ 1.08060461, -2.61457448], device='cpu')
"""

from . import autograd, debug, graph, nn, optim, random
from .backends.cpu.pool import memory
from .backends.devices import Device, device, get_device, set_default_device
from .base import errors
from .base.config import config
from .base.modes import enable_grad, no_grad, set_grad_enabled
from .explanation import explain
from .functions.contraction import dot, einsum, matmul, tensordot
from .functions.creation import (
    arange,
    asarray,
    empty,
    empty_like,
    eye,
    from_dlpack,
    full,
    full_like,
    linspace,
    ones,
    ones_like,
    tensor,
    zeros,
    zeros_like,
)  # fmt: skip
from .functions.elementwise import clip, gelu, nonzero, power, round, where
from .functions.indexing import flip, pad, repeat, roll, take, take_along_axis, tile
from .functions.reductions import (
    all,
    any,
    argmax,
    argmin,
    argsort,
    cumsum,
    log_softmax,
    logsumexp,
    max,
    mean,
    min,
    prod,
    softmax,
    sort,
    std,
    sum,
    var,
)  # fmt: skip
from .functions.shaping import (
    broadcast_to,
    concatenate,
    expand_dims,
    moveaxis,
    ravel,
    reshape,
    split,
    squeeze,
    stack,
    swapaxes,
    transpose,
)  # fmt: skip
from .functions.table import *
from .functions.table import __all__ as _ELEMENTWISE
from .serialize import load, save
from .tensor import Tensor, wait
from .transforms.derivatives import grad, hessian, hvp, jacobian, jvp, value_and_grad, vjp
from .transforms.stationary import StationaryPoint, stationary_point

__version__ = "0.1.0"

array = tensor

__all__ = [
    "Device", "StationaryPoint", "Tensor", "all", "any", "arange", "argmax", "argmin", "argsort", "array", "asarray", "autograd",
    "broadcast_to", "clip", "concatenate", "config", "cumsum", "debug", "device", "dot", "einsum", "empty", "empty_like",
    "enable_grad", "errors", "expand_dims", "explain", "eye", "flip", "from_dlpack", "full", "full_like", "gelu", "get_device", "grad", "graph", "hessian", "hvp", "jacobian", "jvp", "linspace", "load",
    "log_softmax", "logsumexp", "matmul", "max", "mean", "memory", "min", "moveaxis", "nn", "no_grad", "nonzero", "ones",
    "ones_like", "optim", "pad", "power", "prod", "random", "ravel", "repeat", "reshape", "roll", "round", "save",
    "set_default_device", "set_grad_enabled", "softmax", "sort", "split", "squeeze", "stack", "stationary_point", "std", "sum", "swapaxes",
    "take", "take_along_axis", "tensor", "tensordot", "tile", "transpose", "value_and_grad", "var", "vjp", "wait", "where", "zeros", "zeros_like",
]  # fmt: skip
_PUBLIC = sorted({*__all__, *_ELEMENTWISE})


def __dir__() -> list[str]:
    return _PUBLIC
