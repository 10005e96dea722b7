"""NumPy's functions on tensors; importing it gives `Tensor` the methods that are those functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..base.shapes import as_shape
from ..tensor import Tensor, reshape, transpose
from .contraction import dot
from .elementwise import ELEMENTWISE, clip, nonzero, round
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
)
from .shaping import ravel, squeeze, swapaxes


def _reshape_method(self: Tensor, *shape: Any) -> Tensor:
    return reshape(self, as_shape("reshape", shape[0] if len(shape) == 1 else shape))


def _transpose_method(self: Tensor, *axes: Any) -> Tensor:
    order = axes[0] if len(axes) == 1 and not isinstance(axes[0], int) else axes
    return transpose(self, order or None)


_METHODS: dict[str, Callable[..., Any]] = ELEMENTWISE | {
    f.__name__: f
    for f in (
        all, any, argmax, argmin, argsort, clip, cumsum, dot, log_softmax, logsumexp, max, mean, min, nonzero, prod, ravel, repeat,
        round, softmax, squeeze, std, sum, swapaxes, take, var,
    )
}  # fmt: skip
_METHODS |= {"reshape": _reshape_method, "transpose": _transpose_method, "flatten": ravel}
for _name, _function in _METHODS.items():
    if _name not in Tensor.__dict__:
        setattr(Tensor, _name, _function)
