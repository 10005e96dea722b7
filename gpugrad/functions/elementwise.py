"""Elementwise functions that take more than the op they end in."""

from __future__ import annotations

import builtins
import math
from typing import Any

import numpy as np

from ..arguments import as_tensors, elementwise
from ..base import errors
from ..base.shapes import is_float
from ..ops import bessel, structural
from ..ops import elementwise as ew
from ..tensor import Tensor
from .face import method, public


@public(method=True)
def power(a: Any, b: Any) -> Tensor:
    """a ** b, elementwise.

    A Python number as exponent becomes reciprocal, sqrt, square or cube where it can, and is exact at 0 at every order.

    >>> import gpugrad as gg
    >>> gg.power(gg.tensor([1, 2, 3]), 2)
    tensor([1, 4, 9], device='cpu')
    """
    if type(b) in (int, float):
        if _is_symbol(a):
            op, takes = ew.power_by_number(a, b)
            return a if op is None else op(a, b) if takes else op(a)
        if type(a) is not Tensor:
            (a,) = as_tensors(a)
        if a.dtype.kind in "iub" and type(b) is int and b < 0:
            raise errors.integers_to_negative_powers()
        if a.dtype.kind == "b":
            a = a.astype(np.int64)
        op, takes = ew.power_by_number(a, b)
        if type(b) is float and a.dtype.kind in "iub":
            a = a.astype(np.float64)
        result: Tensor = a.copy() if op is None else op(a, b) if takes else op(a)
        return result
    b = as_tensors(a, b)[1]
    if b.dtype.kind == "i" and (type(a) is int or getattr(a, "dtype", b.dtype).kind in "iub") and (b._host() < 0).any():
        raise errors.integers_to_negative_powers()
    result = ew.power(a, b)
    return result


method("__pow__")(power)


@method("__rpow__")
def _power_from_the_right(b: Tensor, a: Any) -> Tensor:
    return power(a, b)


@public()
def where(condition: Any, x: Any = None, y: Any = None) -> Any:
    """x where the condition holds, y elsewhere; with the condition alone, `nonzero(condition)`.

    The branch not taken contributes exactly 0 to the gradient, also where its own gradient is infinite or NaN.

    >>> import gpugrad as gg
    >>> x = gg.tensor([0.0, 4.0], requires_grad=True)
    >>> gg.where(x > 0, gg.sqrt(x), 0.0).sum().backward()
    >>> x.grad
    tensor([0.  , 0.25], device='cpu')
    """
    if x is None and y is None:
        return nonzero(condition)
    if x is None or y is None:
        raise errors.bad_value("where", "give both x and y, or neither.")
    condition, x, y = _operands(condition, x, y)
    if isinstance(condition, Tensor) and condition.dtype != bool:
        condition = condition.astype(bool)
    return elementwise(ew.where, (condition, x, y))


def _is_symbol(a: Any) -> bool:
    """Whether an operand interprets ops in its own way: a symbol, in the function of an op of the user's own."""
    return hasattr(a, "__gpugrad_bind__") and not isinstance(a, Tensor)


def _operands(*args: Any) -> list[Any]:
    """Arguments with at least one tensor among them; the first if none was."""
    if not builtins.any(isinstance(a, Tensor) or _is_symbol(a) for a in args):
        return [*as_tensors(args[0]), *args[1:]]
    return list(args)


@public(method=True)
def clip(x: Any, min: Any = None, max: Any = None, *, a_min: Any = None, a_max: Any = None) -> Tensor:
    """x limited to the interval from min to max; either may be None. At the limits the derivative in x is 1.

    >>> import gpugrad as gg
    >>> gg.clip([1.0, 5.0, 9.0], 2.0, 8.0)
    tensor([2., 5., 8.], device='cpu')
    """
    min, max = (a_min if min is None else min), (a_max if max is None else max)  # NumPy's older names
    if _is_symbol(x):
        return ew.clip(x, -math.inf if min is None else min, math.inf if max is None else max)
    (x,) = as_tensors(x)
    if not is_float(x.dtype) and (min is None or max is None):
        x = x.copy() if min is None else ew.maximum(x, min)
        return x if max is None else ew.minimum(x, max)
    return ew.clip(x, -math.inf if min is None else min, math.inf if max is None else max)


@public(method=True, aliases=("around",))
def round(x: Any, decimals: int = 0) -> Tensor:
    """Rounded to a number of decimals, ties to even; the derivative is 0.

    >>> import gpugrad as gg
    >>> gg.round([0.5, 1.5, 2.345], 1)
    tensor([0.5, 1.5, 2.3], device='cpu')
    """
    (x,) = as_tensors(x)
    if not is_float(x.dtype) and decimals >= 0:
        return x.copy()
    scale = 10.0 ** builtins.abs(decimals)
    if decimals == 0:
        return ew.rint(x)
    return ew.rint(x * scale) / scale if decimals > 0 else ew.rint(x / scale) * scale


@public(method=True)
def gelu(x: Any, approximate: str = "none") -> Tensor:
    """Gaussian error linear unit, x * (1 + erf(x / sqrt(2))) / 2; approximate="tanh" for its tanh form.

    >>> import gpugrad as gg
    >>> gg.gelu(1.0)
    tensor(0.84134475, device='cpu')
    """
    if approximate not in ("none", "tanh"):
        raise errors.bad_value("gelu", f"approximate must be 'none' or 'tanh', not {approximate!r}.")
    return elementwise(ew.gelu if approximate == "none" else ew.gelu_tanh, (x,))


@public()
def i0(x: Any) -> Tensor:
    """Modified Bessel function of the first kind of order 0, as `numpy.i0`; on the CPU it needs SciPy. Gradient: i1(x) g. DLMF 10.25.

    >>> import gpugrad as gg
    >>> gg.i0([0.0, 1.0])
    tensor([1.        , 1.26606588], device='cpu')
    """
    return elementwise(bessel.i0, (x,))


@public(method=True)
def nonzero(x: Any) -> tuple[Tensor, ...]:
    """The indices of the elements that are not zero, one tensor per axis. Has no gradient. Raises ShapeError for a 0-d tensor, as NumPy.

    >>> import gpugrad as gg
    >>> gg.nonzero([0, 3, 4])
    (tensor([1, 2], device='cpu'),)
    """
    (x,) = as_tensors(x)
    if not x.ndim:
        raise errors.bad_shape(
            "nonzero", "a 0-d tensor has no axes for indices: use t.reshape(1), or compare it, t != 0."
        )
    found = structural.argwhere(x)
    return tuple(found[:, k] for k in range(found.shape[1]))
