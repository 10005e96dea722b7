"""NumPy's functions on tensors. Importing it enters them in the tables: the methods of tensors, and what NumPy's own functions do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import protocols
from ..base.shapes import as_shape
from ..methods import Methods
from ..tensor import Tensor
from . import contraction, creation, elementwise, indexing, reductions, shaping, table
from .contraction import dot, matmul
from .elementwise import clip, gelu, nonzero, power, round
from .indexing import repeat, take
from .reductions import (
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
    std,
    sum,
    var,
)  # fmt: skip
from .shaping import ravel, reshape, squeeze, swapaxes, transpose

PUBLIC: dict[str, Callable[..., Any]] = {}  # every function of this package by name
for _module in (contraction, creation, elementwise, indexing, reductions, shaping):
    PUBLIC |= {
        n: f
        for n, f in vars(_module).items()
        if callable(f) and getattr(f, "__module__", "") == _module.__name__ and not n.startswith("_")
    }
PUBLIC |= table.ELEMENTWISE


def _reshape_method(self: Tensor, *shape: Any) -> Tensor:
    return reshape(self, as_shape("reshape", shape[0] if len(shape) == 1 else shape))


def _transpose_method(self: Tensor, *axes: Any) -> Tensor:
    order = axes[0] if len(axes) == 1 and not isinstance(axes[0], int) else axes
    return transpose(self, order or None)


METHODS: dict[str, Any] = table.ELEMENTWISE | {
    f.__name__: f
    for f in (
        all, any, argmax, argmin, argsort, clip, cumsum, dot, gelu, log_softmax, logsumexp, max, mean, min, nonzero, prod, ravel, repeat,
        round, softmax, squeeze, std, sum, swapaxes, take, var,
    )
}  # fmt: skip
METHODS |= {"reshape": _reshape_method, "transpose": _transpose_method, "flatten": ravel}
METHODS |= {
    "__pow__": power,
    "__rpow__": lambda self, other: power(other, self),
    "__matmul__": matmul,
    "__rmatmul__": lambda self, other: matmul(other, self),
    "T": property(transpose, doc="The transpose: axes reversed."),
}
for _name, _function in METHODS.items():
    if _name not in Tensor.__dict__:
        setattr(Methods, _name, _function)

_ALIASES = {"amax": max, "amin": min, "around": round}
for _name, _function in (PUBLIC | _ALIASES).items():
    _theirs = getattr(np, _name, None)
    if callable(_theirs) and not isinstance(_theirs, type) and _theirs not in protocols.UFUNCS:
        protocols.enter(_theirs, _function)
protocols.UFUNCS |= {np.power: power, np.matmul: matmul}
protocols.REDUCTIONS |= {
    np.add: sum,
    np.multiply: prod,
    np.maximum: max,
    np.minimum: min,
    np.logical_or: any,
    np.logical_and: all,
}
