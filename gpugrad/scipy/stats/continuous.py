"""The continuous distributions of `gpugrad.scipy.stats`. Densities and parameters are SciPy's; each class docstring has its formula."""

from __future__ import annotations

import math
from typing import Any

from ...functions import absolute, arctan, exp, expm1, log, log1p, square, tan, where
from ...tensor import Tensor
from ..special import (
    betainc,
    betaincinv,
    betaln,
    erf,
    erfc,
    erfinv,
    expit,
    gammainc,
    gammaincc,
    gammaincinv,
    gammaln,
    log_expit,
    log_ndtr,
    logit,
    ndtr,
    ndtri,
    stdtr,
    stdtrit,
    xlog1py,
    xlogy,
)
from .distribution import Continuous

_HALF_LOG_2_PI = 0.5 * math.log(2 * math.pi)
_SQRT_2 = math.sqrt(2)


class Norm(Continuous):
    """The normal distribution, exp(-x*x / 2) / sqrt(2 pi).

    >>> from gpugrad.scipy.stats import norm
    >>> norm.logpdf(1.0, loc=1.0, scale=2.0)
    tensor(-1.61208571, device='cpu')
    """

    def logdensity(self, x: Tensor) -> Tensor:
        return -0.5 * square(x) - _HALF_LOG_2_PI

    def distribution(self, x: Tensor) -> Tensor:
        return ndtr(x)

    def survival(self, x: Tensor) -> Tensor:
        return ndtr(-x)

    def logdistribution(self, x: Tensor) -> Tensor:
        return log_ndtr(x)

    def logsurvival(self, x: Tensor) -> Tensor:
        return log_ndtr(-x)

    def quantile(self, q: Tensor) -> Tensor:
        return ndtri(q)


class Positive(Continuous):
    """A distribution of positive numbers."""

    def support_of(self, *shapes: Tensor) -> tuple[Any, Any]:
        return 0.0, math.inf


class HalfNorm(Positive):
    """The distribution of the absolute value of a normal variable.

    >>> from gpugrad.scipy.stats import halfnorm
    >>> halfnorm.pdf(0.0)
    tensor(0.79788456, device='cpu')
    """

    def logdensity(self, x: Tensor) -> Tensor:
        return -0.5 * square(x) + 0.5 * math.log(2 / math.pi)

    def distribution(self, x: Tensor) -> Tensor:
        return erf(x / _SQRT_2)

    def survival(self, x: Tensor) -> Tensor:
        return erfc(x / _SQRT_2)

    def logsurvival(self, x: Tensor) -> Tensor:
        return math.log(2) + log_ndtr(-x)

    def quantile(self, q: Tensor) -> Tensor:
        return _SQRT_2 * erfinv(q)


class LogNorm(Positive):
    """The distribution of exp(s z) of a normal z: scale is the exponential of its mean.

    >>> from gpugrad.scipy.stats import lognorm
    >>> lognorm.cdf(1.0, 0.5)
    tensor(0.5, device='cpu')
    """

    shapes = ("s",)

    def valid(self, s: Tensor) -> Any:
        return s > 0

    def logdensity(self, x: Tensor, s: Tensor) -> Tensor:
        logarithm = log(where(x > 0, x, 1))
        return where(x > 0, -0.5 * square(logarithm / s) - log(s) - logarithm - _HALF_LOG_2_PI, -math.inf)

    def distribution(self, x: Tensor, s: Tensor) -> Tensor:
        return where(x > 0, ndtr(log(where(x > 0, x, 1)) / s), 0.0)

    def survival(self, x: Tensor, s: Tensor) -> Tensor:
        return where(x > 0, ndtr(-log(where(x > 0, x, 1)) / s), 1.0)

    def logdistribution(self, x: Tensor, s: Tensor) -> Tensor:
        return where(x > 0, log_ndtr(log(where(x > 0, x, 1)) / s), -math.inf)

    def logsurvival(self, x: Tensor, s: Tensor) -> Tensor:
        return where(x > 0, log_ndtr(-log(where(x > 0, x, 1)) / s), 0.0)

    def quantile(self, q: Tensor, s: Tensor) -> Tensor:
        return exp(s * ndtri(q))


class Expon(Positive):
    """The exponential distribution, exp(-x).

    >>> from gpugrad.scipy.stats import expon
    >>> expon.logsf(3.0, scale=2.0)
    tensor(-1.5, device='cpu')
    """

    def logdensity(self, x: Tensor) -> Tensor:
        return -x

    def distribution(self, x: Tensor) -> Tensor:
        return -expm1(-x)

    def survival(self, x: Tensor) -> Tensor:
        return exp(-x)

    def logsurvival(self, x: Tensor) -> Tensor:
        return -x

    def quantile(self, q: Tensor) -> Tensor:
        return -log1p(-q)


class Gamma(Positive):
    """The gamma distribution, x**(a - 1) exp(-x) / Gamma(a).

    >>> from gpugrad.scipy.stats import gamma
    >>> gamma.pdf(1.0, 1.0)
    tensor(0.36787944, device='cpu')
    """

    shapes = ("a",)

    def valid(self, a: Tensor) -> Any:
        return a > 0

    def logdensity(self, x: Tensor, a: Tensor) -> Tensor:
        return xlogy(a - 1, x) - x - gammaln(a)

    def distribution(self, x: Tensor, a: Tensor) -> Tensor:
        return gammainc(a, x)

    def survival(self, x: Tensor, a: Tensor) -> Tensor:
        return gammaincc(a, x)

    def quantile(self, q: Tensor, a: Tensor) -> Tensor:
        return gammaincinv(a, q)


class Chi2(Positive):
    """The chi-squared distribution of df degrees of freedom: a gamma distribution of df / 2 and scale 2.

    >>> from gpugrad.scipy.stats import chi2
    >>> chi2.pdf(2.0, 2)
    tensor(0.18393972, device='cpu')
    """

    shapes = ("df",)

    def valid(self, df: Tensor) -> Any:
        return df > 0

    def logdensity(self, x: Tensor, df: Tensor) -> Tensor:
        return xlogy(0.5 * df - 1, x) - 0.5 * x - gammaln(0.5 * df) - 0.5 * math.log(2) * df

    def distribution(self, x: Tensor, df: Tensor) -> Tensor:
        return gammainc(0.5 * df, 0.5 * x)

    def survival(self, x: Tensor, df: Tensor) -> Tensor:
        return gammaincc(0.5 * df, 0.5 * x)

    def quantile(self, q: Tensor, df: Tensor) -> Tensor:
        return 2 * gammaincinv(0.5 * df, q)


class InvGamma(Positive):
    """The distribution of 1 / x of a gamma variable, x**(-a - 1) exp(-1 / x) / Gamma(a).

    >>> from gpugrad.scipy.stats import invgamma
    >>> invgamma.pdf(1.0, 1.0)
    tensor(0.36787944, device='cpu')
    """

    shapes = ("a",)

    def valid(self, a: Tensor) -> Any:
        return a > 0

    def logdensity(self, x: Tensor, a: Tensor) -> Tensor:
        inner = where(x > 0, x, 1)
        return where(x > 0, -(a + 1) * log(inner) - 1 / inner - gammaln(a), -math.inf)

    def distribution(self, x: Tensor, a: Tensor) -> Tensor:
        return where(x > 0, gammaincc(a, 1 / where(x > 0, x, 1)), 0.0)

    def survival(self, x: Tensor, a: Tensor) -> Tensor:
        return where(x > 0, gammainc(a, 1 / where(x > 0, x, 1)), 1.0)

    def quantile(self, q: Tensor, a: Tensor) -> Tensor:
        return 1 / gammaincinv(a, 1 - q)


class WeibullMin(Positive):
    """The Weibull distribution, c x**(c - 1) exp(-x**c).

    >>> from gpugrad.scipy.stats import weibull_min
    >>> weibull_min.sf(1.0, 3.0)
    tensor(0.36787944, device='cpu')
    """

    shapes = ("c",)

    def valid(self, c: Tensor) -> Any:
        return c > 0

    def logdensity(self, x: Tensor, c: Tensor) -> Tensor:
        return log(c) + xlogy(c - 1, x) - x**c

    def distribution(self, x: Tensor, c: Tensor) -> Tensor:
        return -expm1(-(x**c))

    def survival(self, x: Tensor, c: Tensor) -> Tensor:
        return exp(-(x**c))

    def logsurvival(self, x: Tensor, c: Tensor) -> Tensor:
        return -(x**c)

    def quantile(self, q: Tensor, c: Tensor) -> Tensor:
        return (-log1p(-q)) ** (1 / c)


class Pareto(Continuous):
    """The Pareto distribution, b / x**(b + 1) for x >= 1.

    >>> from gpugrad.scipy.stats import pareto
    >>> pareto.sf(2.0, 3.0)
    tensor(0.125, device='cpu')
    """

    shapes = ("b",)

    def support_of(self, b: Tensor) -> tuple[Any, Any]:
        return 1.0, math.inf

    def inner(self, b: Tensor) -> float:
        return 2.0

    def valid(self, b: Tensor) -> Any:
        return b > 0

    def logdensity(self, x: Tensor, b: Tensor) -> Tensor:
        return log(b) - (b + 1) * log(x)

    def distribution(self, x: Tensor, b: Tensor) -> Tensor:
        return 1 - x ** (-b)

    def survival(self, x: Tensor, b: Tensor) -> Tensor:
        return x ** (-b)

    def logsurvival(self, x: Tensor, b: Tensor) -> Tensor:
        return -b * log(x)

    def quantile(self, q: Tensor, b: Tensor) -> Tensor:
        return (1 - q) ** (-1 / b)


class Beta(Continuous):
    """The beta distribution, x**(a - 1) (1 - x)**(b - 1) / B(a, b) for x from 0 to 1.

    >>> from gpugrad.scipy.stats import beta
    >>> beta.pdf(0.5, 2.0, 2.0)
    tensor(1.5, device='cpu')
    """

    shapes = ("a", "b")

    def support_of(self, *shapes: Tensor) -> tuple[Any, Any]:
        return 0.0, 1.0

    def valid(self, a: Tensor, b: Tensor) -> Any:
        return (a > 0) & (b > 0)

    def logdensity(self, x: Tensor, a: Tensor, b: Tensor) -> Tensor:
        return xlogy(a - 1, x) + xlog1py(b - 1, -x) - betaln(a, b)

    def distribution(self, x: Tensor, a: Tensor, b: Tensor) -> Tensor:
        return betainc(a, b, x)

    def survival(self, x: Tensor, a: Tensor, b: Tensor) -> Tensor:
        return betainc(b, a, 1 - x)

    def quantile(self, q: Tensor, a: Tensor, b: Tensor) -> Tensor:
        return betaincinv(a, b, q)


class Uniform(Continuous):
    """The uniform distribution from 0 to 1: from loc to loc + scale.

    >>> from gpugrad.scipy.stats import uniform
    >>> uniform.cdf(3.0, loc=2.0, scale=4.0)
    tensor(0.25, device='cpu')
    """

    def support_of(self, *shapes: Tensor) -> tuple[Any, Any]:
        return 0.0, 1.0

    def logdensity(self, x: Tensor) -> Tensor:
        return x * 0

    def distribution(self, x: Tensor) -> Tensor:
        return x

    def quantile(self, q: Tensor) -> Tensor:
        return q


class T(Continuous):
    """Student's t distribution of df degrees of freedom, (1 + x*x / df)**(-(df + 1) / 2) / (sqrt(df) B(1 / 2, df / 2)).

    >>> from gpugrad.scipy.stats import t
    >>> t.cdf(0.0, 3.0)
    tensor(0.5, device='cpu')
    """

    shapes = ("df",)

    def valid(self, df: Tensor) -> Any:
        return df > 0

    def logdensity(self, x: Tensor, df: Tensor) -> Tensor:
        normal = df == math.inf
        n = where(normal, 1, df)
        student = -0.5 * (n + 1) * log1p(square(x) / n) - 0.5 * log(n) - betaln(n * 0 + 0.5, 0.5 * n)
        return where(normal, -0.5 * square(x) - _HALF_LOG_2_PI, student)

    def distribution(self, x: Tensor, df: Tensor) -> Tensor:
        return stdtr(df, x)

    def survival(self, x: Tensor, df: Tensor) -> Tensor:
        return stdtr(df, -x)

    def quantile(self, q: Tensor, df: Tensor) -> Tensor:
        return stdtrit(df, q)


class F(Positive):
    """The F distribution of dfn and dfd degrees of freedom.

    >>> from gpugrad.scipy.stats import f
    >>> f.pdf(1.0, 2.0, 2.0)
    tensor(0.25, device='cpu')
    """

    shapes = ("dfn", "dfd")

    def valid(self, dfn: Tensor, dfd: Tensor) -> Any:
        return (dfn > 0) & (dfd > 0)

    def logdensity(self, x: Tensor, dfn: Tensor, dfd: Tensor) -> Tensor:
        m, n = 0.5 * dfn, 0.5 * dfd
        return n * log(dfd) + m * log(dfn) + xlogy(m - 1, x) - (m + n) * log(dfd + dfn * x) - betaln(m, n)

    def distribution(self, x: Tensor, dfn: Tensor, dfd: Tensor) -> Tensor:
        return betainc(0.5 * dfn, 0.5 * dfd, dfn * x / (dfd + dfn * x))

    def survival(self, x: Tensor, dfn: Tensor, dfd: Tensor) -> Tensor:
        return betainc(0.5 * dfd, 0.5 * dfn, dfd / (dfd + dfn * x))

    def quantile(self, q: Tensor, dfn: Tensor, dfd: Tensor) -> Tensor:
        y = betaincinv(0.5 * dfn, 0.5 * dfd, q)
        return dfd * y / (dfn * (1 - y))


class Laplace(Continuous):
    """The Laplace distribution, exp(-|x|) / 2.

    >>> from gpugrad.scipy.stats import laplace
    >>> laplace.pdf(0.0)
    tensor(0.5, device='cpu')
    """

    def logdensity(self, x: Tensor) -> Tensor:
        return -absolute(x) - math.log(2)

    def distribution(self, x: Tensor) -> Tensor:
        tail = 0.5 * exp(-absolute(x))
        return where(x > 0, 1 - tail, tail)

    def survival(self, x: Tensor) -> Tensor:
        return self.distribution(-x)

    def quantile(self, q: Tensor) -> Tensor:
        high = q > 0.5
        return where(high, -log(2 * where(high, 1 - q, 0.5)), log(2 * where(high, 0.5, q)))


class Cauchy(Continuous):
    """The Cauchy distribution, 1 / (pi (1 + x*x)).

    >>> from gpugrad.scipy.stats import cauchy
    >>> cauchy.cdf(0.0)
    tensor(0.5, device='cpu')
    """

    def logdensity(self, x: Tensor) -> Tensor:
        return -log1p(square(x)) - math.log(math.pi)

    def distribution(self, x: Tensor) -> Tensor:
        return 0.5 + arctan(x) / math.pi

    def survival(self, x: Tensor) -> Tensor:
        far = x > 1
        return where(far, arctan(1 / where(far, x, 1)) / math.pi, 0.5 - arctan(where(far, 0, x)) / math.pi)

    def quantile(self, q: Tensor) -> Tensor:
        return tan(math.pi * (q - 0.5))


class Logistic(Continuous):
    """The logistic distribution, exp(-x) / (1 + exp(-x))**2.

    >>> from gpugrad.scipy.stats import logistic
    >>> logistic.pdf(0.0)
    tensor(0.25, device='cpu')
    """

    def logdensity(self, x: Tensor) -> Tensor:
        return log_expit(x) + log_expit(-x)

    def distribution(self, x: Tensor) -> Tensor:
        return expit(x)

    def survival(self, x: Tensor) -> Tensor:
        return expit(-x)

    def logdistribution(self, x: Tensor) -> Tensor:
        return log_expit(x)

    def logsurvival(self, x: Tensor) -> Tensor:
        return log_expit(-x)

    def quantile(self, q: Tensor) -> Tensor:
        return logit(q)


norm = Norm()
halfnorm = HalfNorm()
lognorm = LogNorm()
expon = Expon()
gamma = Gamma()
chi2 = Chi2()
invgamma = InvGamma()
weibull_min = WeibullMin()
pareto = Pareto()
beta = Beta()
uniform = Uniform()
t = T()
f = F()
laplace = Laplace()
cauchy = Cauchy()
logistic = Logistic()
