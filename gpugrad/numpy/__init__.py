"""NumPy's names over tensors: ``import gpugrad.numpy as np``. Code written for `autograd.numpy` moves by changing its imports.

Functions are gpugrad's where it has them. Those that create give tensors on the default device, so that what is written into them keeps its
gradient. Everything else, constants, dtypes, what reads files, is NumPy's own; a function that gpugrad has not takes tensors that need no
gradient, and refuses others by name.

>>> import gpugrad as gg, gpugrad.numpy as np
>>> def f(x):
...     out = np.zeros(3, dtype=np.float64)
...     out[1:] = x * np.pi
...     return np.sum(out**2)
>>> gg.grad(f)(np.ones(2)) / (2 * np.pi**2)
tensor([1., 1.], device='cpu')
"""

import sys
from typing import TYPE_CHECKING, Any

import numpy as _numpy
from numpy import (
    bool_,
    dtype,
    e,
    errstate,
    euler_gamma,
    float16,
    float32,
    float64,
    inf,
    int8,
    int16,
    int32,
    int64,
    nan,
    ndarray,
    newaxis,
    pi,
    uint8,
    uint16,
    uint32,
    uint64,
)

from .. import functions
from ..functions import *  # noqa: F403
from ..functions.face import method
from ..tensor import Tensor
from . import emath, linalg, random
from .inspection import (
    __array_api_version__,
    __array_namespace_info__,
    can_cast,
    finfo,
    iinfo,
    isdtype,
    result_type,
)
from .joining import c_, r_

row_stack = functions.vstack

if not TYPE_CHECKING:  # a type checker is to find what is misspelt

    def __getattr__(name: str) -> Any:
        return getattr(_numpy, name)


def __dir__() -> list[str]:
    return sorted({*functions.__all__, *dir(_numpy)})


@method("__array_namespace__")
def _namespace(self: Tensor, *, api_version: str | None = None) -> Any:
    """The module whose functions, by the array API standard, take tensors: `gpugrad.numpy`."""
    return sys.modules[__name__]


__all__ = [
    "__array_api_version__", "__array_namespace_info__", "bool_", "c_", "can_cast", "dtype", "e", "emath", "errstate", "euler_gamma", "finfo", "float16",
    "float32", "float64", "iinfo", "inf", "int8", "int16", "int32", "int64", "isdtype", "linalg", "nan", "ndarray", "newaxis", "pi", "r_",
    "random", "result_type", "row_stack", "uint8", "uint16", "uint32", "uint64",
]  # fmt: skip
__all__ += functions.__all__
