"""Signs, parts and neighbours of numbers, made of other functions; what NumPy has for complex numbers, of real ones."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..arguments import as_tensors
from ..base import errors
from ..base.shapes import is_float, normalize_axis
from ..coerce import device_among, host_data
from ..ops import elementwise as ew
from ..tensor import Tensor
from .creation import full, tensor, zeros
from .elementwise import power, where
from .face import method, public


def _float(x: Any) -> Tensor:
    """x in the floating-point dtype in which NumPy's functions of such numbers compute."""
    (x,) = as_tensors(x)
    return x if is_float(x.dtype) else x.astype(np.exp.resolve_dtypes((x.dtype, None))[1])


@public()
def fabs(x: Any) -> Tensor:
    """The absolute value as a floating-point number. Gradient: sign(x) g, 0 at 0.

    >>> import gpugrad as gg
    >>> gg.fabs([-1, 2])
    tensor([1., 2.], device='cpu')
    """
    return ew.absolute(_float(x))


@public()
def fix(x: Any) -> Tensor:
    """x without its fraction, rounded towards 0. Its derivative is 0.

    >>> import gpugrad as gg
    >>> gg.fix([2.7, -2.7])
    tensor([ 2., -2.], device='cpu')
    """
    (x,) = as_tensors(x)
    return ew.trunc(x) if is_float(x.dtype) else x.copy()


@public()
def float_power(x1: Any, x2: Any) -> Tensor:
    """x1 to the power of x2, in float64.

    >>> import gpugrad as gg
    >>> gg.float_power([1, 2, 4], -1)
    tensor([1.  , 0.5 , 0.25], device='cpu')
    """
    x1, x2 = (x if type(x) in (int, float) else as_tensors(x)[0].astype(np.float64) for x in (x1, x2))
    return power(x1 if isinstance(x1, Tensor) else tensor(x1, np.float64, device_among([x2])), x2)


@public()
def divmod(x1: Any, x2: Any) -> tuple[Tensor, Tensor]:
    """Quotient, rounded down, and remainder: (x1 // x2, x1 % x2).

    >>> import gpugrad as gg
    >>> gg.divmod([7.0, -7.0], 2.0)
    (tensor([ 3., -4.], device='cpu'), tensor([1., 1.], device='cpu'))
    """
    if not isinstance(x1, Tensor) and not isinstance(x2, Tensor):
        x1, x2 = as_tensors(x1, x2)
    return ew.floor_divide(x1, x2), ew.remainder(x1, x2)


method("__divmod__")(divmod)


@method("__rdivmod__")
def _divmod_from_the_right(x2: Tensor, x1: Any) -> tuple[Tensor, Tensor]:
    return divmod(x1, x2)


@public()
def modf(x: Any) -> tuple[Tensor, Tensor]:
    """Fraction and whole part, both with the sign of x. Gradients: that of the fraction is 1, that of the whole part 0.

    >>> import gpugrad as gg
    >>> gg.modf([1.5, -2.25])
    (tensor([ 0.5 , -0.25], device='cpu'), tensor([ 1., -2.], device='cpu'))
    """
    x = _float(x)
    return where(ew.signbit(x), -_fraction(-x), _fraction(x)), ew.trunc(x)


def _fraction(x: Tensor) -> Tensor:
    return where(ew.isinf(x), 0.0, x - ew.trunc(x))


@public()
def ldexp(x1: Any, x2: Any) -> Tensor:
    """x1 times 2 to the power of an integer x2. Gradient, of x1: 2**x2 g.

    Raises DTypeError for an x2 that is not of integers.

    >>> import gpugrad as gg
    >>> gg.ldexp([0.5, 0.75], [1, 3])
    tensor([1., 6.], device='cpu')
    """
    x1, x2 = as_tensors(x1, x2)
    if x2.dtype.kind not in "iub":
        raise errors.bad_type("ldexp", f"the exponents are integers, not {x2.dtype}.")
    found, n = _float(x1), host_data(x2).astype(np.int64)
    lowest, highest = np.finfo(found.dtype).minexp, np.finfo(found.dtype).maxexp - 1
    for _ in range(3):  # in steps, none of which is larger than the numbers there are
        step = np.clip(n, lowest, highest)
        n = n - step
        found = found * np.ldexp(np.ones((), found.dtype), step)
    return found


@public()
def frexp(x: Any) -> tuple[Tensor, Tensor]:
    """The m and the integer e with x = m 2**e and 0.5 <= |m| < 1. Gradient, of m: 2**-e g.

    >>> import gpugrad as gg
    >>> gg.frexp([3.0, 0.25])
    (tensor([0.75, 0.5 ], device='cpu'), tensor([ 2, -1], dtype=int32, device='cpu'))
    """
    x = _float(x)
    exponents = tensor(np.frexp(host_data(x.detach()))[1], device=x.device)
    return ldexp(x, -exponents), exponents


@public()
def nextafter(x1: Any, x2: Any) -> Tensor:
    """The next floating-point number after x1 towards x2. Gradient, of x1: g; of x2: 0.

    >>> import gpugrad as gg
    >>> gg.nextafter(1.0, 2.0) - 1
    tensor(2.22044605e-16, device='cpu')
    """
    (start,) = as_tensors(x1)
    known = [x if type(x) in (int, float) else host_data(x.detach() if isinstance(x, Tensor) else x) for x in (x1, x2)]
    found = tensor(np.nextafter(*known), device=device_among([x1, x2]))
    if not start.requires_grad:
        return found
    start = start.astype(found.dtype)
    return where(ew.isfinite(start), start - start.detach(), 0.0) + found


@public()
def spacing(x: Any) -> Tensor:
    """The distance from x to the next larger number, in absolute value. Its derivative is 0.

    >>> import gpugrad as gg
    >>> gg.spacing(1.0)
    tensor(2.22044605e-16, device='cpu')
    """
    x = _float(x)
    return tensor(np.spacing(host_data(x.detach())), device=x.device)


@public()
def nan_to_num(x: Any, copy: bool = True, nan: Any = 0.0, posinf: Any = None, neginf: Any = None) -> Tensor:
    """x with numbers in place of NaN and the infinities: 0 and the largest and smallest numbers there are, or those given.

    What was replaced did not take part: its gradient is 0. copy: as in NumPy; False writes to x.

    >>> import gpugrad as gg
    >>> gg.nan_to_num([1.0, float("nan"), float("inf")], posinf=9.0)
    tensor([1., 0., 9.], device='cpu')
    """
    (given,) = as_tensors(x)
    if not is_float(given.dtype):
        return given.copy() if copy else given
    limits = np.finfo(given.dtype)
    found: Tensor = where(ew.isnan(given), nan, given)
    for place, to in (
        (math.inf, limits.max if posinf is None else posinf),
        (-math.inf, limits.min if neginf is None else neginf),
    ):
        found = where(given == place, float(to) if isinstance(to, np.floating) else to, found)
    found = found.astype(given.dtype)
    if copy or given is not x:
        return found
    given[...] = found
    return given


@public()
def unwrap(p: Any, discont: float | None = None, axis: int = -1, period: float = 2 * math.pi) -> Tensor:
    """Angles without the jumps of whole periods between neighbours along an axis. Gradient: g.

    discont: jumps up to this, half a period if not given, are left alone.

    >>> import gpugrad as gg
    >>> gg.unwrap([0.0, 3.0, -3.0]).round(4)
    tensor([0.    , 3.    , 3.2832], device='cpu')
    """
    (p,) = as_tensors(p)
    p = p if is_float(p.dtype) else p.astype(np.float64)
    axis = normalize_axis("unwrap", axis, p.ndim)
    known = host_data(p.detach())
    turns = np.rint((np.unwrap(known, discont, axis, period=period) - known) / period)
    return p + (turns * period).astype(p.dtype)


# ------------------------------------------------------------------------------------------------ complex numbers


@public()
def real(val: Any) -> Tensor:
    """The real part: of the real numbers that tensors hold, all of it.

    >>> import gpugrad as gg
    >>> gg.real([1.0, 2.0])
    tensor([1., 2.], device='cpu')
    """
    return as_tensors(val)[0]


@public()
def imag(val: Any) -> Tensor:
    """The imaginary part: of real numbers, 0.

    >>> import gpugrad as gg
    >>> gg.imag([1.0, 2.0])
    tensor([0., 0.], device='cpu')
    """
    (val,) = as_tensors(val)
    return zeros(val.shape, val.dtype, val.device)


@public(method=True, aliases=("conj",))
def conjugate(x: Any) -> Tensor:
    """The complex conjugate: of real numbers, the same.

    >>> import gpugrad as gg
    >>> gg.conj([1.0, 2.0])
    tensor([1., 2.], device='cpu')
    """
    (x,) = as_tensors(x)
    return x.astype(np.int8 if x.dtype == bool else x.dtype)


@public()
def angle(z: Any, deg: bool = False) -> Tensor:
    """The angle of a number in the complex plane: of real ones, 0, and pi (180 degrees) of negative ones. Its derivative is 0.

    >>> import gpugrad as gg
    >>> gg.angle([1.0, -1.0], deg=True)
    tensor([  0., 180.], device='cpu')
    """
    z = _float(z)
    found: Tensor = where(ew.isnan(z), math.nan, where(ew.signbit(z), 180.0 if deg else math.pi, 0.0)).astype(z.dtype)
    return found


@public()
def real_if_close(a: Any, tol: float = 100) -> Tensor:
    """a itself, which is real.

    >>> import gpugrad as gg
    >>> gg.real_if_close([1.0])
    tensor([1.], device='cpu')
    """
    return as_tensors(a)[0]


@public()
def isreal(x: Any) -> Tensor:
    """Where numbers are real: everywhere.

    >>> import gpugrad as gg
    >>> gg.isreal([1.0])
    tensor([ True], device='cpu')
    """
    (x,) = as_tensors(x)
    return full(x.shape, True, bool, x.device)


@public()
def iscomplex(x: Any) -> Tensor:
    """Where numbers have an imaginary part: nowhere.

    >>> import gpugrad as gg
    >>> gg.iscomplex([1.0])
    tensor([False], device='cpu')
    """
    (x,) = as_tensors(x)
    return full(x.shape, False, bool, x.device)


@public()
def isposinf(x: Any) -> Tensor:
    """Where x is infinite and positive.

    >>> import gpugrad as gg
    >>> gg.isposinf([float("inf"), -float("inf"), 1.0])
    tensor([ True, False, False], device='cpu')
    """
    return _float(x) == math.inf


@public()
def isneginf(x: Any) -> Tensor:
    """Where x is infinite and negative.

    >>> import gpugrad as gg
    >>> gg.isneginf([float("inf"), -float("inf"), 1.0])
    tensor([False,  True, False], device='cpu')
    """
    return _float(x) == -math.inf
