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

from typing import TYPE_CHECKING, Any

import numpy as _numpy
from numpy import (
    bool_,
    dtype,
    e,
    errstate,
    euler_gamma,
    finfo,
    float16,
    float32,
    float64,
    iinfo,
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
from . import linalg, random

if not TYPE_CHECKING:  # a type checker is to find what is misspelt

    def __getattr__(name: str) -> Any:
        return getattr(_numpy, name)


def __dir__() -> list[str]:
    return sorted({*functions.__all__, *dir(_numpy)})


__all__ = [
    "bool_", "dtype", "e", "errstate", "euler_gamma", "finfo", "float16", "float32", "float64", "iinfo", "inf", "int8", "int16", "int32",
    "int64", "linalg", "nan", "ndarray", "newaxis", "pi", "random", "uint8", "uint16", "uint32", "uint64",
]  # fmt: skip
__all__ += functions.__all__
