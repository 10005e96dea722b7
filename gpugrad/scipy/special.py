"""Special functions with gradients, with the names and arguments of `scipy.special`. ``scipy.special.f(t)`` of a tensor does the same.

Float32 and 16-bit floats are kept. Each elementwise function is one op, so that it fuses with what is around it; see its docstring for its
formula. On the CPU they need SciPy; a GPU runs them from C text of their own, except those that are SciPy's alone and say so.
"""

from __future__ import annotations

import builtins
import math
from typing import Any

from ..arguments import as_tensors
from ..base import errors
from ..base.shapes import Axis
from ..functions import cbrt as cbrt
from ..functions import erf as erf
from ..functions import exp, isfinite, log, sign, where
from ..functions import exp2 as exp2
from ..functions import expm1 as expm1
from ..functions import log1p as log1p
from ..functions import log_softmax as _log_softmax
from ..functions import logsumexp as _logsumexp
from ..functions import max as _max
from ..functions import sinc as sinc
from ..functions import softmax as _softmax
from ..functions import sum as _sum
from ..ops.of_scipy import PAIRS
from ..tensor import Tensor
from . import special_table
from .special_table import *

_MORE = (
    "cbrt", "comb", "erf", "exp2", "expm1", "fresnel", "log1p", "log_softmax", "logsumexp", "multigammaln", "sici", "sinc", "softmax",
)  # fmt: skip
__all__ = sorted([*special_table.FUNCTIONS, *_MORE])


def softmax(x: Any, axis: Axis = None) -> Tensor:
    """exp(x) / sum(exp(x)) over axes, all of them by default, without overflow. Gradient: y (g - sum(g y)).

    >>> from gpugrad.scipy.special import softmax
    >>> softmax([1000.0, 1000.0])
    tensor([0.5, 0.5], device='cpu')
    """
    return _softmax(x, axis)


def log_softmax(x: Any, axis: Axis = None) -> Tensor:
    """The logarithm of `softmax`, accurate where that underflows. Gradient: g - softmax(x) sum(g).

    >>> from gpugrad.scipy.special import log_softmax
    >>> log_softmax([0.0, 1000.0])
    tensor([-1000.,     0.], device='cpu')
    """
    return _log_softmax(x, axis)


def logsumexp(
    a: Any, axis: Axis = None, b: Any = None, keepdims: bool = False, return_sign: bool = False
) -> Tensor | tuple[Tensor, Tensor]:
    """log(sum(b exp(a))) over axes, without overflow. Gradient in a: b exp(a - y), in b: exp(a - y).

    b: factors that broadcast with a, 1 if not given; where b is 0, a may be anything. A negative sum has the logarithm NaN.
    return_sign: return the logarithm of the sum's absolute value, and its sign.

    >>> from gpugrad.scipy.special import logsumexp
    >>> logsumexp([1000.0, 1000.0], b=[3.0, 1.0])
    tensor(1001.38629436, device='cpu')
    """
    if b is None:
        y = _logsumexp(a, axis, keepdims)
        return (y, where(y == -math.inf, 0.0, 1.0).astype(y.dtype)) if return_sign else y
    a, b = as_tensors(a, b)
    a = where(b != 0, a, -math.inf)
    top = _max(a.detach(), axis, keepdims=True)
    top = where(isfinite(top), top, 0)
    total = _sum(b * exp(a - top), axis, keepdims=True)
    if return_sign:
        y, signs = log(abs(total)) + top, sign(total.detach())
        return (y, signs) if keepdims else (y.reshape(_without(y, a, axis)), signs.reshape(_without(y, a, axis)))
    y = log(total) + top
    return y if keepdims else y.reshape(_without(y, a, axis))


def _without(kept: Tensor, a: Tensor, axis: Axis) -> tuple[int, ...]:
    """The shape of what was reduced over axes that were kept with length 1."""
    if axis is None:
        return ()
    axes = {n % a.ndim for n in (axis if isinstance(axis, tuple) else (axis,))}
    return tuple(n for k, n in enumerate(kept.shape) if k not in axes)


def multigammaln(a: Any, d: int) -> Tensor:
    """Logarithm of the multivariate gamma function of dimension d, of each a > (d - 1) / 2. DLMF 35.3.

    Gradient: the sum of digamma(a - j / 2) for j = 0 ... d - 1.

    >>> from gpugrad.scipy.special import multigammaln
    >>> multigammaln(3.0, 2)
    tensor(1.55019499, device='cpu')
    """
    if int(d) != d or d < 1:
        raise errors.bad_value("multigammaln", f"d must be a positive integer, not {d!r}.")
    (a,) = as_tensors(a)
    if bool((a <= 0.5 * (d - 1)).any()):
        raise errors.bad_value("multigammaln", f"each a must be greater than (d - 1) / 2 = {0.5 * (d - 1)}.")
    gammaln = special_table.FUNCTIONS["gammaln"]
    result: Tensor = builtins.sum(gammaln(a - 0.5 * j) for j in range(int(d))) + 0.25 * d * (d - 1) * math.log(math.pi)
    return result


def comb(N: Any, k: Any, exact: bool = False, repetition: bool = False) -> Tensor | int:
    """The number of ways to choose k of N things, `binom` for real numbers; 0 for k < 0, N < 0 and k > N.

    exact: return a Python int, for ints.

    >>> from gpugrad.scipy.special import comb
    >>> comb([5.0, 3.0], 2)
    tensor([10.,  3.], device='cpu')
    """
    if repetition:
        return comb(N + k - 1, k, exact)
    if exact:
        if type(N) is not int or type(k) is not int:
            raise errors.bad_type("comb", "exact=True is for Python ints.")
        return math.comb(N, k) if 0 <= k <= N else 0
    N, k = as_tensors(N, k)
    inside = (k <= N) & (N >= 0) & (k >= 0)
    return where(inside, special_table.FUNCTIONS["binom"](where(inside, N, 1), where(inside, k, 1)), 0.0)


def _pair(name: str, x: Any) -> tuple[Tensor, Tensor]:
    (x,) = as_tensors(x)
    first, second = PAIRS[name]
    return first(x), second(x)


def sici(x: Any) -> tuple[Tensor, Tensor]:
    """Sine and cosine integrals, Si(x) and Ci(x). Gradients: sin(x) / x, cos(x) / x. DLMF 6.2. SciPy's alone.

    >>> from gpugrad.scipy.special import sici
    >>> sici(1.0)
    (tensor(0.94608307, device='cpu'), tensor(0.33740392, device='cpu'))
    """
    return _pair("sici", x)


def fresnel(x: Any) -> tuple[Tensor, Tensor]:
    """Fresnel integrals S(x) and C(x). Gradients: sin(pi x*x / 2), cos(pi x*x / 2). DLMF 7.2. SciPy's alone.

    >>> from gpugrad.scipy.special import fresnel
    >>> fresnel(1.0)
    (tensor(0.43825915, device='cpu'), tensor(0.7798934, device='cpu'))
    """
    return _pair("fresnel", x)
