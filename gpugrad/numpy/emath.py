"""`numpy.emath` over tensors: functions that NumPy continues into the complex plane. Tensors are real: where a result is, it is that of the
ordinary function, with its gradient; where NumPy would answer in complex numbers there is an error that says which element it is.

``np.emath.f(t)`` of a tensor is ``gpugrad.numpy.emath.f(t)``. To know where they are asked, operands are computed first: a call ends a region.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as _numpy

from .. import functions, protocols
from ..base import errors
from ..coerce import host_data
from ..tensor import Tensor

F = TypeVar("F", bound=Callable[..., Any])


def _public(function: F) -> F:
    protocols.FUNCTIONS[getattr(_numpy.emath, function.__name__)] = function
    return function


def _real(name: str, outside: Callable[[Any], Any], where: str, **operands: Any) -> None:
    """Raise if an element of an operand is where the result is complex."""
    for operand, x in operands.items():
        array = _numpy.asarray(host_data(x))
        found = _numpy.argwhere(outside(array))
        if len(found):
            at = tuple(found[0].tolist())
            place = f" at index {at}" if at else ""
            raise errors.bad_value(
                f"np.emath.{name}",
                f"{operand} has {array[at]}{place}, where the result is complex, and tensors are real numbers in this version. {where} is NaN "
                f"there; choose with gg.where what holds instead.",
            )


def _negative(x: Any) -> Any:
    return x < 0


def _beyond_one(x: Any) -> Any:
    return abs(x) > 1


@_public
def sqrt(x: Any) -> Tensor:
    """The square root. Gradient: g / (2 sqrt(x)).

    >>> from gpugrad.numpy import emath
    >>> emath.sqrt([1.0, 4.0])
    tensor([1., 2.], device='cpu')
    """
    _real("sqrt", _negative, "gg.sqrt(x)", x=x)
    return functions.sqrt(x)


@_public
def log(x: Any) -> Tensor:
    """The natural logarithm. Gradient: g / x.

    >>> from gpugrad.numpy import emath
    >>> emath.log(1.0)
    tensor(0., device='cpu')
    """
    _real("log", _negative, "gg.log(x)", x=x)
    return functions.log(x)


@_public
def log2(x: Any) -> Tensor:
    """The logarithm to base 2. Gradient: g / (x log 2).

    >>> from gpugrad.numpy import emath
    >>> emath.log2([1.0, 8.0])
    tensor([0., 3.], device='cpu')
    """
    _real("log2", _negative, "gg.log2(x)", x=x)
    return functions.log2(x)


@_public
def log10(x: Any) -> Tensor:
    """The logarithm to base 10. Gradient: g / (x log 10).

    >>> from gpugrad.numpy import emath
    >>> emath.log10([1.0, 100.0])
    tensor([0., 2.], device='cpu')
    """
    _real("log10", _negative, "gg.log10(x)", x=x)
    return functions.log10(x)


@_public
def logn(n: Any, x: Any) -> Tensor:
    """The logarithm of x to base n, log(x) / log(n). Gradients: to both.

    >>> from gpugrad.numpy import emath
    >>> emath.logn(3.0, [1.0, 9.0])
    tensor([0., 2.], device='cpu')
    """
    _real("logn", _negative, "gg.log(x) / gg.log(n)", n=n, x=x)
    return functions.log(x) / functions.log(n)


@_public
def power(x: Any, p: Any) -> Tensor:
    """x to the power of p; integers to negative powers are floats. Gradients: to both, as those of `gg.power`.

    >>> from gpugrad.numpy import emath
    >>> emath.power([2, 4], -1)
    tensor([0.5 , 0.25], device='cpu')
    """
    _real("power", _negative, "gg.power(x, p)", x=x)
    if _numpy.any(_numpy.asarray(host_data(p)) < 0):
        p = p * 1.0 if isinstance(p, Tensor) else _numpy.asarray(p) * 1.0
    return functions.power(x, p)


@_public
def arccos(x: Any) -> Tensor:
    """The angle between 0 and pi whose cosine is x. Gradient: -g / sqrt(1 - x*x).

    >>> from gpugrad.numpy import emath
    >>> emath.arccos(1.0)
    tensor(0., device='cpu')
    """
    _real("arccos", _beyond_one, "gg.arccos(x)", x=x)
    return functions.arccos(x)


@_public
def arcsin(x: Any) -> Tensor:
    """The angle between -pi/2 and pi/2 whose sine is x. Gradient: g / sqrt(1 - x*x).

    >>> from gpugrad.numpy import emath
    >>> emath.arcsin(0.0)
    tensor(0., device='cpu')
    """
    _real("arcsin", _beyond_one, "gg.arcsin(x)", x=x)
    return functions.arcsin(x)


@_public
def arctanh(x: Any) -> Tensor:
    """The number whose hyperbolic tangent is x. Gradient: g / (1 - x*x).

    >>> from gpugrad.numpy import emath
    >>> emath.arctanh(0.0)
    tensor(0., device='cpu')
    """
    _real("arctanh", _beyond_one, "gg.arctanh(x)", x=x)
    return functions.arctanh(x)


__all__ = ["arccos", "arcsin", "arctanh", "log", "log2", "log10", "logn", "power", "sqrt"]
