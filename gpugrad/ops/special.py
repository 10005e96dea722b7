"""The table of special functions: rows like those of `elementwise`, with SciPy's names and arguments.

Compiled plans and GPUs run the C text of a row, from `kernels/special.h`. NumPy has none of these functions: where NumPy runs a plan, SciPy's
function is called. A row without C text is SciPy's alone: it is a region of its own, and there is none on a GPU.

Operands named in `constants` are orders and shapes in which no derivative is known. Giving one that requires grad is an error.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from ..base import errors
from .elementwise import *
from .op import NAMES, SPECIAL, Op, bind, compound, same_float
from .op import elementwise as row
from .selection import *

SQRT_PI = math.sqrt(math.pi)
SQRT_2_PI = math.sqrt(2 * math.pi)


def scipy_special(name: str) -> Any:
    """A function of `scipy.special`. Raises ImportError, saying what to install, where SciPy is missing."""
    try:
        import scipy.special
    except ImportError:
        raise errors.missing_extra("special functions on the CPU", "scipy", "scipy") from None
    return getattr(scipy.special, name)


class OfSciPy:
    """A function of SciPy as a row's: with the array that its result goes to as the last argument, or among Python numbers without.

    part: which of several results is meant.
    """

    def __init__(self, name: str, arity: int, part: int | None = None) -> None:
        self.name = name
        self.arity = arity
        self.part = part

    def __call__(self, *args: Any) -> Any:
        function = scipy_special(self.name)
        given = args[: self.arity]
        if len(args) > self.arity and args[-1].dtype != np.float64:
            given = tuple(a.astype(np.float64) if isinstance(a, np.ndarray) else a for a in given)
        found = function(*given)
        if self.part is not None:
            found = found[self.part]
        if len(args) == self.arity:
            return found
        np.copyto(args[-1], found, casting="unsafe")
        return None


def special(c: str = "", of: str = "", part: int | None = None, **fields: Any) -> Callable[[Callable[..., Any]], Op]:
    """Decorator: declare a special function by its partials. of: SciPy's name for it, if not its own; part: of several results."""

    def declare(rule: Callable[..., Any]) -> Op:
        name = of or rule.__name__
        arity = rule.__code__.co_argcount - 1
        numpy = OfSciPy(name, arity, part)
        fields.setdefault("reference", f"scipy.special.{name}" + (f"(x)[{part}]" if part is not None else ""))
        fields.setdefault("jax", f"jax.scipy.special.{name}")
        return row(c, numpy=numpy, types=same_float, home="special", **fields)(rule)

    return declare


def composed(**fields: Any) -> Callable[[Callable[..., Any]], Op]:
    """Decorator: declare a special function by a composition of others."""

    def declare(body: Callable[..., Any]) -> Op:
        fields.setdefault("reference", f"scipy.special.{body.__name__}")
        fields.setdefault("jax", f"jax.scipy.special.{body.__name__}")
        return compound(home="special", **fields)(body)

    return declare


# ------------------------------------------------------------------------------------------- Gamma and its family


@special("gg_gammaln({0})", domain=(0.2, 6.0), edges=(1.0, 2.0), tolerance=4)
def gammaln(x, y):
    "Logarithm of |Gamma(x)|. DLMF 5.2."
    return (digamma(x),)


@composed(domain=(0.2, 6.0), edges=(1.0, 2.0), tolerance=4, jax="jax.scipy.special.gammaln")
def loggamma(x):
    "Logarithm of Gamma(x) for x > 0, NaN below: there it is complex. DLMF 5.2."
    return gammaln(where(x < 0, math.nan, x))


@special("gg_gamma({0})", domain=(0.2, 6.0), edges=(-0.5,))
def gamma(x, y):
    "Gamma function. DLMF 5.2."
    return (y * digamma(x),)


@composed(domain=(0.2, 6.0), edges=(-0.5,), jax="1 / jax.scipy.special.gamma(x)")
def rgamma(x):
    "1 / Gamma(x), which is 0 at the poles of Gamma. DLMF 5.7."
    pole = logical_and(x <= 0, x == floor(x))
    return where(pole, 0, reciprocal(gamma(where(pole, 1, x))))


# tolerance: near its zero at 1.46 all is lost but what the logarithm left over
@special("gg_digamma({0})", aliases=("psi",), domain=(0.3, 6.0), edges=(-0.5,), tolerance=8)
def digamma(x, y):
    "Digamma function, the derivative of the logarithm of Gamma. DLMF 5.2."
    return (_polygamma(1, x),)


@special("gg_zeta({0}, {1})", domain=((1.5, 6.0), (0.3, 6.0)), constants=(0,), defaults={"q": 1.0})
def zeta(x, q, y):
    "Zeta function of Hurwitz, the sum of 1 / (q + k)**x over k = 0, 1, 2, ...; of Riemann for q = 1. DLMF 25.11."
    return 0, -(x * zeta(x + 1, q))


@compound(home="special", domain=((1.0, 1.0), (0.3, 6.0)), constants=(0,), public=False,
          reference="scipy.special.polygamma(1, x)", jax="jax.scipy.special.polygamma(jax.numpy.ones(x.shape, int), x)")  # fmt: skip
def _polygamma(n, x):
    "Polygamma function of order n > 0."
    sign = 1 - 2 * remainder(n + 1, 2)
    return sign * gamma(n + 1) * zeta(n + 1, x)


@_polygamma.partials
def _of_polygamma(n, x, y):
    return 0, _polygamma(n + 1, x)


@composed(domain=((1.0, 1.0), (0.3, 6.0)), constants=(0,), reference="scipy.special.polygamma(1, x)",
          jax="jax.scipy.special.polygamma(jax.numpy.ones(x.shape, int), x)")  # fmt: skip
def polygamma(n, x):
    "Polygamma function, the derivative of order n of digamma. DLMF 5.15."
    return where(n == 0, digamma(x), _polygamma(maximum(n, 1), x))


@polygamma.partials
def _of_any_polygamma(n, x, y):
    return 0, _polygamma(n + 1, x)


@special("gg_betaln({0}, {1})", domain=(0.3, 6.0), tolerance=8)
def betaln(a, b, y):
    "Logarithm of |B(a, b)|. DLMF 5.12."
    both = digamma(a + b)
    return digamma(a) - both, digamma(b) - both


@special("gg_beta({0}, {1})", domain=(0.3, 6.0))
def beta(a, b, y):
    "Beta function, Gamma(a) Gamma(b) / Gamma(a + b). DLMF 5.12."
    both = digamma(a + b)
    return y * (digamma(a) - both), y * (digamma(b) - both)


@composed(domain=((3.0, 6.0), (0.5, 2.5)), jax="1 / ((n + 1) * jax.scipy.special.beta(n - k + 1, k + 1))")
def binom(n, k):
    "Binomial coefficient of real numbers, 1 / ((n + 1) B(n - k + 1, k + 1)). DLMF 1.2."
    return reciprocal((n + 1) * beta(n - k + 1, k + 1))


@special("gg_gammainc({0}, {1})", domain=((0.5, 5.0), (0.2, 6.0)), constants=(0,))
def gammainc(a, x, y):
    "Incomplete gamma function P(a, x), regularized. DLMF 8.2. No derivative in a."
    return 0, _gamma_density(a, x)


@special("gg_gammaincc({0}, {1})", domain=((0.5, 5.0), (0.2, 6.0)), constants=(0,))
def gammaincc(a, x, y):
    "Complement of the incomplete gamma function, Q(a, x) = 1 - P(a, x). DLMF 8.2. No derivative in a."
    return 0, -_gamma_density(a, x)


def _gamma_density(a, x):
    return exp(xlogy(a - 1, x) - x - gammaln(a))


@special("gg_betainc({0}, {1}, {2})", domain=((0.5, 4.0), (0.5, 4.0), (0.1, 0.9)), constants=(0, 1))
def betainc(a, b, x, y):
    "Incomplete beta function I_x(a, b), regularized. DLMF 8.17. No derivatives in a and b."
    return 0, 0, _beta_density(a, b, x)


def _beta_density(a, b, x):
    return exp(xlogy(a - 1, x) + xlog1py(b - 1, -x) - betaln(a, b))


@special("gg_stdtr({0}, {1})", domain=((0.5, 5.0), (-3.0, 3.0)), edges=((2.0, 0.0),), constants=(0,), jax="")
def stdtr(df, t, y):
    "Distribution function of Student's t with df degrees of freedom. DLMF 8.17. No derivative in df."
    return 0, _t_density(df, t)


@special(domain=((0.5, 5.0), (0.1, 0.9)), constants=(0,), edges=((2.0, 0.5),), jax="")
def stdtrit(df, p, t):
    "The t at which the distribution function of Student's t is p. No derivative in df."
    return 0, reciprocal(_t_density(df, t))


def _t_density(df, t):
    normal = isinf(df)
    n = where(normal, 1, df)
    student = -0.5 * (n + 1) * log1p(t * t / n) - 0.5 * log(n) - betaln(0.5, 0.5 * n)
    return exp(where(normal, -0.5 * (t * t) - 0.5 * math.log(2 * math.pi), student))


@special(domain=((0.5, 5.0), (0.1, 0.9)), constants=(0,), jax="")
def gammaincinv(a, y, x):
    "The x at which the incomplete gamma function P(a, x) is y. No derivative in a."
    return 0, reciprocal(_gamma_density(a, x))


@special(domain=((0.5, 5.0), (0.1, 0.9)), constants=(0,), jax="")
def gammainccinv(a, y, x):
    "The x at which the complement Q(a, x) is y. No derivative in a."
    return 0, -reciprocal(_gamma_density(a, x))


@special(domain=((0.5, 4.0), (0.5, 4.0), (0.1, 0.9)), constants=(0, 1), jax="")
def betaincinv(a, b, y, x):
    "The x at which the incomplete beta function I_x(a, b) is y. No derivatives in a and b."
    return 0, 0, reciprocal(_beta_density(a, b, x))


# ------------------------------------------------------------------------------- error functions, normal distribution


@special("gg_erfc({0})", edges=(0.0,))
def erfc(x, y):
    "Complementary error function, 1 - erf(x). DLMF 7.2."
    return (-TWO_OVER_SQRT_PI * exp(-(x * x)),)


@special("gg_erfcx({0})", edges=(0.0,), jax="")
def erfcx(x, y):
    "Scaled complementary error function, exp(x*x) erfc(x). DLMF 7.2."
    # Far out the two terms cancel: there by the series of their difference, from 7.12.1.
    u = reciprocal(where(x < 50, 1, x * x))
    return (
        where(x < 50, 2 * x * y - TWO_OVER_SQRT_PI, -(u / SQRT_PI) * (1 - 1.5 * u * (1 - 2.5 * u * (1 - 3.5 * u)))),
    )


@special("gg_erfinv({0})", domain=(-0.9, 0.9), edges=(0.0,), jax="jax.scipy.special.erfinv")
def erfinv(x, y):
    "Inverse of the error function."
    return (0.5 * SQRT_PI * exp(y * y),)


@special("gg_erfcinv({0})", domain=(0.1, 1.9), edges=(1.0,), tolerance=4, jax="jax.scipy.special.erfinv(1 - x)")
def erfcinv(x, y):
    "Inverse of the complementary error function."
    return (-0.5 * SQRT_PI * exp(y * y),)


@composed(edges=(0.0,))
def ndtr(x):
    "Distribution function of the standard normal distribution, erfc(-x / sqrt(2)) / 2."
    return 0.5 * erfc(-math.sqrt(0.5) * x)


@ndtr.partials
def _ndtr(x, y):
    return (exp(-0.5 * (x * x)) / SQRT_2_PI,)


@composed(edges=(0.0,))
def log_ndtr(x):
    "Logarithm of the distribution function of the standard normal distribution; accurate far below 0, too."
    t = -math.sqrt(0.5) * x
    low = x < -1
    return where(low, log(0.5 * erfcx(where(low, t, 0))) - t * t, log1p(-0.5 * erfc(where(low, 0, -t))))


@log_ndtr.partials
def _log_ndtr(x, y):
    return (math.sqrt(2 / math.pi) / erfcx(-math.sqrt(0.5) * x),)


@special("gg_ndtri({0})", domain=(0.05, 0.95), edges=(0.5,), tolerance=4)
def ndtri(p, y):
    "Inverse of the distribution function of the standard normal distribution."
    return (SQRT_2_PI * exp(0.5 * (y * y)),)


# ---------------------------------------------------------------------------------- logistic functions, entropies


@composed(edges=(0.0,))
def expit(x):
    "Logistic function, 1 / (1 + exp(-x))."
    return sigmoid(x)


@composed(domain=(0.05, 0.95), tolerance=2)
def logit(x):
    "Inverse of the logistic function, log(x / (1 - x))."
    near = absolute(x - 0.5) < 0.2  # where the quotient is near 1
    s = where(near, 2 * (x - 0.5), 0)
    return where(near, log1p(s) - log1p(-s), log(x / (1 - x)))


@logit.partials
def _logit(x, y):
    return (reciprocal(x * (1 - x)),)


@composed(edges=(0.0,), jax="jax.nn.log_sigmoid")
def log_expit(x):
    "Logarithm of the logistic function, without overflow."
    return -softplus(-x)


@composed(domain=((-3.0, 3.0), (0.2, 3.0)))
def xlogy(x, y):
    "x * log(y), and 0 where x is 0 (unless y is NaN)."
    return where(logical_and(x == 0, logical_not(isnan(y))), 0, x * log(y))


@xlogy.partials
def _xlogy(x, y, z):
    return log(y), where(x == 0, 0, x / y)


@composed(domain=((-3.0, 3.0), (-0.8, 3.0)))
def xlog1py(x, y):
    "x * log(1 + y), and 0 where x is 0 (unless y is NaN)."
    return where(logical_and(x == 0, logical_not(isnan(y))), 0, x * log1p(y))


@xlog1py.partials
def _xlog1py(x, y, z):
    return log1p(y), where(x == 0, 0, x / (1 + y))


@composed(domain=(0.1, 3.0))
def entr(x):
    "Elementwise entropy, -x log(x); 0 at 0, and minus infinity below."
    return where(x < 0, -math.inf, -xlogy(x, x))


@entr.partials
def _entr(x, y):
    return (-log(x) - 1,)


@composed(domain=(0.2, 3.0))
def rel_entr(x, y):
    "Elementwise relative entropy, x log(x / y); 0 where x is 0, infinite outside x, y > 0."
    inside = logical_and(x > 0, y > 0)
    edge = where(logical_and(x == 0, y >= 0), 0, where(logical_or(isnan(x), isnan(y)), math.nan, math.inf))
    ratio = where(inside, x / y, 1)
    within = logical_and(ratio > 0, isfinite(ratio))
    apart = log(where(inside, x, 1)) - log(where(inside, y, 1))  # where the quotient overflows
    return where(inside, x * where(within, log(where(within, ratio, 1)), apart), edge)


@rel_entr.partials
def _rel_entr(x, y, z):
    return log(x / y) + 1, where(x == 0, 0, -x / y)


@composed(domain=(0.2, 3.0), tolerance=4)
def kl_div(x, y):
    "Elementwise Kullback-Leibler divergence, x log(x / y) - x + y; infinite outside x >= 0, y >= 0."
    both = logical_and(x > 0, y > 0)
    return where(both, rel_entr(x, y) - where(both, x - y, 0), where(logical_and(x == 0, y >= 0), y, rel_entr(x, y)))


@kl_div.partials
def _kl_div(x, y, z):
    return log(x / y), where(x == 0, 1, 1 - x / y)


@composed(domain=((0.2, 3.0), (0.2, 2.0)), edges=((2.0, 0.0),), tolerance=2, jax="(x**lmbda - 1) / lmbda")
def boxcox(x, lmbda):
    "Box-Cox transformation, (x**lmbda - 1) / lmbda, and log(x) where lmbda is 0."
    return _box_cox(log(x), lmbda)


@boxcox.partials
def _boxcox(x, lmbda, y):
    return power(x, lmbda - 1), _box_cox_in_lambda(log(x), lmbda)


@composed(domain=((-0.5, 3.0), (0.2, 2.0)), edges=((2.0, 0.0),), tolerance=2, jax="((1 + x)**lmbda - 1) / lmbda")
def boxcox1p(x, lmbda):
    "Box-Cox transformation of 1 + x."
    return _box_cox(log1p(x), lmbda)


@boxcox1p.partials
def _boxcox1p(x, lmbda, y):
    return exp((lmbda - 1) * log1p(x)), _box_cox_in_lambda(log1p(x), lmbda)


def _series(u, coefficients):
    total: Any = 0.0
    for c in reversed(coefficients):
        total = c + u * total
    return total


def _exponent(t, lmbda):
    return where(logical_and(lmbda == 0, isinf(t)), 0, lmbda * t)


def _box_cox(t, lmbda):
    # (exp(lmbda t) - 1) / lmbda, and its series near 0
    u = _exponent(t, lmbda)
    near = absolute(u) < 0.05
    series = _series(where(near, u, 0), [1 / math.factorial(k + 1) for k in range(9)])
    return where(near, t * series, expm1(where(near, 0, u)) / where(near, 1, lmbda))


def _box_cox_in_lambda(t, lmbda):
    # its derivative in lmbda, t*t (u exp(u) - exp(u) + 1) / (u*u) with u = lmbda t, and its series near 0
    u = _exponent(t, lmbda)
    near = absolute(u) < 0.5
    series = _series(where(near, u, 0), [1 / (math.factorial(k) * (k + 2)) for k in range(16)])
    low = u < -700
    v = where(logical_or(near, low), 0, u)
    away = where(low, 1, 1 + (v - 1) * exp(v))
    divisor = where(near, 1, lmbda)
    return where(near, t * t * series, away / (divisor * divisor))


@composed(domain=((0.2, 2.0), (0.5, 2.0)), edges=((1.5, 0.0),), tolerance=2, jax="(1 + lmbda * x)**(1 / lmbda)")
def inv_boxcox(x, lmbda):
    "Inverse of the Box-Cox transformation, (lmbda x + 1)**(1 / lmbda), and exp(x) where lmbda is 0."
    return exp(_log_of_inverse(x, lmbda))


@composed(domain=((0.2, 2.0), (0.5, 2.0)), edges=((1.5, 0.0),), tolerance=2, jax="(1 + lmbda * x)**(1 / lmbda) - 1")
def inv_boxcox1p(x, lmbda):
    "Inverse of the Box-Cox transformation of 1 + x."
    return expm1(_log_of_inverse(x, lmbda))


def _log_of_inverse(x, lmbda):
    # log(1 + lmbda x) / lmbda, and its series near 0
    u = _exponent(x, lmbda)
    near = absolute(u) < 0.05
    series = _series(where(near, u, 0), [(-1) ** k / (k + 1) for k in range(13)])
    return where(near, x * series, log1p(where(near, 0, u)) / where(near, 1, lmbda))


@composed(
    domain=((0.5, 2.0), (-3.0, 3.0)), jax="jax.numpy.where(abs(r) <= delta, r * r / 2, delta * (abs(r) - delta / 2))"
)
def huber(delta, r):
    "Loss of Huber: r*r/2 where |r| <= delta, delta (|r| - delta/2) beyond; infinite for a negative delta."
    a = absolute(r)
    return where(delta < 0, math.inf, where(a <= delta, 0.5 * r * r, delta * (a - 0.5 * delta)))


@composed(domain=((0.5, 2.0), (-3.0, 3.0)), tolerance=4, jax="delta**2 * (jax.numpy.sqrt(1 + (r / delta)**2) - 1)")
def pseudo_huber(delta, r):
    "A smooth loss like that of Huber, delta**2 (sqrt(1 + (r / delta)**2) - 1); infinite for a negative delta."
    zero = delta == 0
    u = r / where(zero, 1, delta)
    far = absolute(u) > 1e8
    v = where(far, 0, u)
    inside = delta * delta * where(far, absolute(u) - 1, v * v / (sqrt(1 + v * v) + 1))
    return where(delta < 0, math.inf, where(logical_or(zero, r == 0), 0, inside))


# ------------------------------------------------------------------------------------------- functions of Bessel


@special("gg_j0({0})", edges=(0.0,), tolerance=2, jax="")
def j0(x, y):
    "Bessel function of the first kind of order 0. DLMF 10.2."
    return (-j1(x),)


@special("gg_j1({0})", edges=(0.0,), tolerance=2, jax="")
def j1(x, y):
    "Bessel function of the first kind of order 1. DLMF 10.2."
    return (0.5 * (j0(x) - _jn(2, x)),)


@special(
    "gg_jn({0}, {1})", of="jv", public=False, constants=(0,), domain=((2.0, 2.0), (-3.0, 3.0)), tolerance=2, jax=""
)
def _jn(n, x, y):
    "Bessel function of the first kind of a whole order."
    return 0, 0.5 * (_jn(n - 1, x) - _jn(n + 1, x))


@special(aliases=("jn",), constants=(0,), domain=((0.5, 3.0), (0.5, 4.0)), tolerance=4, jax="")
def jv(v, z, y):
    "Bessel function of the first kind of order v. DLMF 10.2. No derivative in v."
    return 0, 0.5 * (jv(v - 1, z) - jv(v + 1, z))


@special("gg_y0({0})", domain=(0.3, 6.0), tolerance=2, jax="")
def y0(x, y):
    "Bessel function of the second kind of order 0. DLMF 10.2."
    return (-y1(x),)


@special("gg_y1({0})", domain=(0.3, 6.0), tolerance=2, jax="")
def y1(x, y):
    "Bessel function of the second kind of order 1. DLMF 10.2."
    return (0.5 * (y0(x) - yn(2, x)),)


@special("gg_yn({0}, {1})", constants=(0,), domain=((2.0, 2.0), (0.5, 6.0)), tolerance=8, jax="")
def yn(n, x, y):
    "Bessel function of the second kind of a whole order n. DLMF 10.2. No derivative in n."
    return 0, 0.5 * (yn(n - 1, x) - yn(n + 1, x))


@special(constants=(0,), domain=((0.5, 3.0), (0.5, 4.0)), tolerance=4, jax="")
def yv(v, z, y):
    "Bessel function of the second kind of order v. DLMF 10.2. No derivative in v."
    return 0, 0.5 * (yv(v - 1, z) - yv(v + 1, z))


@special("gg_ine({0}, {1})", of="ive", public=False, constants=(0,), domain=((2.0, 2.0), (0.5, 3.0)), jax="")
def _ine(n, x, y):
    "Modified Bessel function of the first kind of a whole order, times exp(-|x|)."
    return 0, 0.5 * (_ine(n - 1, x) + _ine(n + 1, x)) - sign(x) * y


@compound(home="special", public=False, constants=(0,), domain=((2.0, 2.0), (0.5, 3.0)),
          reference="scipy.special.iv", jax="")  # fmt: skip
def _in(n, x):
    "Modified Bessel function of the first kind of a whole order."
    return exp(absolute(x)) * _ine(n, x)


@_in.partials
def _of_in(n, x, y):
    return 0, 0.5 * (_in(n - 1, x) + _in(n + 1, x))


@special("gg_i0({0})", edges=(0.0,))
def i0(x, y):
    "Modified Bessel function of the first kind of order 0. DLMF 10.25."
    return (i1(x),)


@special("gg_i1({0})", edges=(0.0,))
def i1(x, y):
    "Modified Bessel function of the first kind of order 1. DLMF 10.25."
    return (0.5 * (i0(x) + _in(2, x)),)


@special("gg_ine(0, {0})", kinks=(0.0,))
def i0e(x, y):
    "exp(-|x|) times the modified Bessel function of the first kind of order 0. DLMF 10.25."
    return (i1e(x) - sign(x) * y,)


@special("gg_ine(1, {0})", kinks=(0.0,))
def i1e(x, y):
    "exp(-|x|) times the modified Bessel function of the first kind of order 1. DLMF 10.25."
    return (0.5 * (i0e(x) + _ine(2, x)) - sign(x) * y,)


@special(constants=(0,), domain=((0.5, 3.0), (0.5, 4.0)), jax="")
def iv(v, z, y):
    "Modified Bessel function of the first kind of order v. DLMF 10.25. No derivative in v."
    return 0, 0.5 * (iv(v - 1, z) + iv(v + 1, z))


@special(constants=(0,), domain=((0.5, 3.0), (0.5, 4.0)), jax="")
def ive(v, z, y):
    "exp(-|z|) times the modified Bessel function of the first kind of order v. DLMF 10.25. No derivative in v."
    return 0, 0.5 * (ive(v - 1, z) + ive(v + 1, z)) - sign(z) * y


@special(constants=(0,), domain=((0.5, 3.0), (0.5, 4.0)), jax="")
def kv(v, z, y):
    "Modified Bessel function of the second kind of order v. DLMF 10.25. No derivative in v."
    return 0, -0.5 * (kv(v - 1, z) + kv(v + 1, z))


@special(constants=(0,), domain=((0.5, 3.0), (0.5, 4.0)), jax="")
def kve(v, z, y):
    "exp(z) times the modified Bessel function of the second kind of order v. DLMF 10.25. No derivative in v."
    return 0, y - 0.5 * (kve(v - 1, z) + kve(v + 1, z))


@special(domain=(0.3, 4.0), jax="")
def k0(x, y):
    "Modified Bessel function of the second kind of order 0. DLMF 10.25."
    return (-k1(x),)


@special(domain=(0.3, 4.0), jax="")
def k1(x, y):
    "Modified Bessel function of the second kind of order 1. DLMF 10.25."
    return (-0.5 * (k0(x) + kv(2, x)),)


# ------------------------------------------------------------------------------------------- integrals of SciPy's


@special(domain=(0.3, 4.0), jax="jax.scipy.special.exp1")
def exp1(x, y):
    "Exponential integral E_1(x). DLMF 6.2."
    return (-exp(-x) / x,)


@special(domain=(0.5, 4.0), tolerance=8, jax="jax.scipy.special.expi")
def expi(x, y):
    "Exponential integral Ei(x). DLMF 6.2."
    return (exp(x) / x,)


@special(domain=((2.0, 2.0), (0.3, 4.0)), constants=(0,), jax="")
def expn(n, x, y):
    "Exponential integral E_n(x) of a whole order n. DLMF 8.19. No derivative in n."
    return 0, where(n == 0, -y * (1 + 1 / x), -expn(maximum(n - 1, 0), x))


@special(of="sici", part=0, domain=(0.3, 6.0), public=False, jax="")
def _si(x, y):
    "Sine integral, of sin(t) / t from 0 to x. DLMF 6.2."
    return (sinc(x / math.pi),)


@special(of="sici", part=1, domain=(0.3, 6.0), tolerance=4, public=False, jax="")
def _ci(x, y):
    "Cosine integral. DLMF 6.2."
    return (cos(x) / x,)


@special(of="fresnel", part=0, public=False, jax="")
def _fresnel_s(x, y):
    "Integral of sin(pi t*t / 2) from 0 to x. DLMF 7.2."
    return (sin(0.5 * math.pi * x * x),)


@special(of="fresnel", part=1, public=False, jax="")
def _fresnel_c(x, y):
    "Integral of cos(pi t*t / 2) from 0 to x. DLMF 7.2."
    return (cos(0.5 * math.pi * x * x),)


@special(domain=(0.2, 0.8), jax="jax.scipy.special.spence")
def spence(z, y):
    "Spence's function, the integral of log(t) / (1 - t) from 1 to z."
    u = z - 1
    near = absolute(u) < 0.05
    series: Any = 0.0
    for k in range(13, 0, -1):
        series = 1 / k - u * series
    return (-where(near, series, log(where(near, 1, z)) / where(near, 1, u)),)


@special(domain=((0.5, 2.0), (1.5, 3.0), (-2.0, 2.0)), constants=(0, 1), tolerance=4, jax="")
def hyp1f1(a, b, x, y):
    "Confluent hypergeometric function of Kummer. DLMF 13.2. No derivatives in a and b."
    return 0, 0, a / b * hyp1f1(a + 1, b + 1, x)


@special(domain=((0.5, 2.0), (0.5, 2.0), (2.5, 4.0), (-0.5, 0.5)), constants=(0, 1, 2), tolerance=4, jax="")
def hyp2f1(a, b, c, z, y):
    "Hypergeometric function of Gauss. DLMF 15.2. No derivatives in a, b and c."
    return 0, 0, 0, a * b / c * hyp2f1(a + 1, b + 1, c + 1, z)


# Functions with two results.
PAIRS = {"sici": (_si, _ci), "fresnel": (_fresnel_s, _fresnel_c)}


def is_scipys(ufunc: np.ufunc) -> bool:
    """Whether a ufunc is one of `scipy.special`, which is then there."""
    module, name = sys.modules.get("scipy.special"), ufunc.__name__
    return module is not None and any(getattr(module, n, None) is ufunc for n in (name, name.removeprefix("_")))


def of_scipy(ufunc: np.ufunc) -> Callable[..., Any] | None:
    """What a ufunc of SciPy does to operands that interpret ops; None for one that is not here."""
    name = ufunc.__name__
    if not is_scipys(ufunc):
        return None
    rows: tuple[Op, ...] = PAIRS.get(name, ())
    row = SPECIAL.get(name) or NAMES.get(name)  # erf, expm1 and some more are in the first table
    if not rows and row is not None and row.arity == ufunc.nin:
        rows = (row,)
    if not rows:
        return None

    def call(*args: Any) -> Any:
        for op in rows:
            op.check_constants(args)
        found = tuple(bind(op, args, {}) for op in rows)
        return found if len(found) > 1 else found[0]

    return call
