"""What the functions of `gpugrad.linalg` share: how they are entered, and what they take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from ..arguments import as_tensors
from ..base import errors
from ..base.dtypes import FLOAT64, computed
from ..base.shapes import is_float
from ..protocols import FUNCTIONS
from ..tensor import Tensor

F = TypeVar("F", bound=Callable[..., Any])


def public(function: F) -> F:
    """A function of `gpugrad.linalg`, and what NumPy's of the same name does to tensors."""
    FUNCTIONS[getattr(np.linalg, function.__name__)] = function
    return function


def floats(*args: Any) -> tuple[list[Tensor], Any]:
    """Arguments in one floating-point dtype that is computed in, and the dtype of the result."""
    xs = as_tensors(*args)
    if {x.dtype for x in xs} == {FLOAT64}:  # most often
        return xs, FLOAT64
    out = np.result_type(*(x.dtype if is_float(x.dtype) else np.float64 for x in xs))
    wide = computed(out)
    return [x if x.dtype == wide else x.astype(wide) for x in xs], out


def as_dtype(x: Tensor, dtype: Any) -> Tensor:
    """x in a dtype."""
    return x if x.dtype == dtype else x.astype(dtype)


def square(op: str, x: Tensor) -> int:
    """The size of square matrices. Raises ShapeError for others."""
    if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
        raise errors.bad_shape(op, f"needs square matrices in the last two axes, not shape {x.shape}.")
    return x.shape[-1]
