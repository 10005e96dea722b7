"""The table of special functions: of Gamma, of the normal distribution, logistic functions and entropies, with SciPy's names and arguments."""

from __future__ import annotations

import math
from typing import Any

from .elementwise import *
from .of_scipy import composed, special
from .op import compound
from .selection import *

SQRT_PI = math.sqrt(math.pi)
SQRT_2_PI = math.sqrt(2 * math.pi)


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
