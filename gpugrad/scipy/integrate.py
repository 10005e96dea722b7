"""Integrals of samples and differential equations, with the names and arguments of `scipy.integrate`.

Integrals of samples are linear in y; gradients go to y, x and dx. SciPy's own solvers take functions of NumPy arrays, and Jacobians of them
made by gpugrad: ``scipy.integrate.solve_ivp(f, ..., jac=gg.jacobian(f, argnums=1))``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arguments import as_tensors
from ..base import errors
from ..base.shapes import is_float, normalize_axis
from ..functions import concatenate, cumsum, diff, full, moveaxis, trapezoid
from ..tensor import Tensor
from .ode import odeint, solve_ivp

__all__ = ["cumulative_trapezoid", "odeint", "simpson", "solve_ivp", "trapezoid"]


def _samples(name: str, y: Any, x: Any, dx: Any, axis: int) -> tuple[Tensor, Tensor]:
    """Samples with their axis in front, and their distances, which broadcast with differences of them."""
    (y, *rest) = as_tensors(*((y,) if x is None else (y, x)))
    y = y if is_float(y.dtype) else y.astype(np.float64)
    axis = normalize_axis(name, axis, y.ndim)
    moved = moveaxis(y, axis, 0)
    n = y.shape[axis]
    if x is None:
        one = full((max(n - 1, 0),) + (1,) * (y.ndim - 1), 1.0, y.dtype, y.device)
        if isinstance(dx, (int, float)):
            return moved, one * dx
        (h,) = as_tensors(y, dx)[1:]
        return moved, one * h.reshape((1,) * y.ndim)
    (x,) = rest
    if x.ndim == 1:
        if x.shape[0] != n:
            raise errors.bad_shape(name, f"x has {x.shape[0]} places, y has {n} samples along axis {axis}.")
        return moved, diff(x).reshape((-1,) + (1,) * (y.ndim - 1))
    if x.shape != y.shape:
        raise errors.bad_shape(name, f"x of shape {x.shape} fits neither y of shape {y.shape} nor its axis {axis}.")
    return moved, diff(moveaxis(x, axis, 0), axis=0)


def cumulative_trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1, initial: float | None = None) -> Tensor:
    """The integral of samples up to each of them by the trapezoidal rule: the running sum of (y[i] + y[i + 1]) (x[i + 1] - x[i]) / 2.

    x: where the samples are, of one axis or of y's shape; dx apart if it is not given. initial: 0 to put that in front, or None.

    >>> from gpugrad.scipy.integrate import cumulative_trapezoid
    >>> cumulative_trapezoid([0.0, 2.0, 2.0], initial=0)
    tensor([0., 1., 3.], device='cpu')
    """
    if initial not in (None, 0):
        raise errors.bad_value("cumulative_trapezoid", f"initial must be 0 or None, not {initial!r}.")
    y, h = _samples("cumulative_trapezoid", y, x, dx, axis)
    if not y.shape[0]:
        raise errors.bad_shape("cumulative_trapezoid", "needs at least one sample along the axis.")
    total = cumsum((y[1:] + y[:-1]) * h * 0.5, axis=0)
    if initial is not None:
        total = concatenate([full((1, *total.shape[1:]), 0.0, total.dtype, total.device), total])
    return moveaxis(total, 0, axis)


def simpson(y: Any, x: Any = None, *, dx: Any = 1.0, axis: int = -1) -> Tensor:
    """The integral of samples along an axis by Simpson's rule, for distances of any kind; exact for parabolas.

    With an even number of samples the last interval is integrated over the parabola through the last three (Cartwright 2017).

    >>> from gpugrad.scipy.integrate import simpson
    >>> simpson([0.0, 1.0, 4.0, 9.0])
    tensor(9., device='cpu')
    """
    y, h = _samples("simpson", y, x, dx, axis)
    n = y.shape[0]
    if n < 1:
        raise errors.bad_shape("simpson", "needs at least one sample along the axis.")
    if n == 1:
        return (y * 0).sum(0)
    if n == 2:
        return ((y[0] + y[1]) * h[0]) * 0.5
    pairs = n - 1 - (n % 2 == 0)  # intervals that come in pairs
    a, b = h[0:pairs:2], h[1:pairs:2]
    both = a + b
    part = (
        both
        / 6
        * (
            y[0 : pairs - 1 : 2] * (2 - b / a)
            + y[1:pairs:2] * (both * both / (a * b))
            + y[2 : pairs + 1 : 2] * (2 - a / b)
        )
    )
    total: Tensor = part.sum(0)
    if n % 2 == 0:
        a, b = h[-2], h[-1]
        last = y[-1] * (2 * b * b + 3 * a * b) / (6 * (a + b)) + y[-2] * (b * b + 3 * a * b) / (6 * a)
        total = total + last - y[-3] * b**3 / (6 * a * (a + b))
    return total
