"""The discrete distributions of `gpugrad.scipy.stats`. Probabilities and parameters are SciPy's."""

from __future__ import annotations

import math
from typing import Any

from ...functions import exp, floor, log1p
from ...tensor import Tensor
from ..special import betainc, gammainc, gammaincc, gammaln, xlog1py, xlogy
from .distribution import Discrete


class Poisson(Discrete):
    """The Poisson distribution, mu**k exp(-mu) / k!.

    >>> from gpugrad.scipy.stats import poisson
    >>> poisson.pmf(0, 1.0)
    tensor(0.36787944, device='cpu')
    """

    shapes = ("mu",)

    def support_of(self, *shapes: Tensor) -> tuple[Any, Any]:
        return 0.0, math.inf

    def inner(self, *shapes: Tensor) -> float:
        return 0.0

    def valid(self, mu: Tensor) -> Any:
        return mu >= 0

    def logdensity(self, k: Tensor, mu: Tensor) -> Tensor:
        return xlogy(k, mu) - gammaln(k + 1) - mu

    def distribution(self, k: Tensor, mu: Tensor) -> Tensor:
        return gammaincc((k + 1).detach(), mu)

    def survival(self, k: Tensor, mu: Tensor) -> Tensor:
        return gammainc((k + 1).detach(), mu)


class Binom(Discrete):
    """The binomial distribution, C(n, k) p**k (1 - p)**(n - k).

    >>> from gpugrad.scipy.stats import binom
    >>> binom.pmf(1, 2, 0.5)
    tensor(0.5, device='cpu')
    """

    shapes = ("n", "p")

    def support_of(self, n: Tensor, p: Tensor) -> tuple[Any, Any]:
        return 0.0, n

    def inner(self, *shapes: Tensor) -> float:
        return 0.0

    def valid(self, n: Tensor, p: Tensor) -> Any:
        return (n >= 0) & (n == floor(n)) & (p >= 0) & (p <= 1)

    def logdensity(self, k: Tensor, n: Tensor, p: Tensor) -> Tensor:
        return gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1) + xlogy(k, p) + xlog1py(n - k, -p)

    def distribution(self, k: Tensor, n: Tensor, p: Tensor) -> Tensor:
        return betainc((n - k).detach(), (k + 1).detach(), 1 - p)

    def survival(self, k: Tensor, n: Tensor, p: Tensor) -> Tensor:
        return betainc((k + 1).detach(), (n - k).detach(), p)


class Bernoulli(Discrete):
    """The Bernoulli distribution: 1 with probability p, else 0.

    >>> from gpugrad.scipy.stats import bernoulli
    >>> bernoulli.pmf([0, 1], 0.25)
    tensor([0.75, 0.25], device='cpu')
    """

    shapes = ("p",)

    def support_of(self, *shapes: Tensor) -> tuple[Any, Any]:
        return 0.0, 1.0

    def inner(self, *shapes: Tensor) -> float:
        return 0.0

    def valid(self, p: Tensor) -> Any:
        return (p >= 0) & (p <= 1)

    def logdensity(self, k: Tensor, p: Tensor) -> Tensor:
        return xlogy(k, p) + xlog1py(1 - k, -p)

    def distribution(self, k: Tensor, p: Tensor) -> Tensor:
        return 1 - p + k * 0


class Geom(Discrete):
    """The geometric distribution: the number of trials up to the first success, (1 - p)**(k - 1) p for k >= 1.

    >>> from gpugrad.scipy.stats import geom
    >>> geom.pmf(2, 0.5)
    tensor(0.25, device='cpu')
    """

    shapes = ("p",)

    def support_of(self, *shapes: Tensor) -> tuple[Any, Any]:
        return 1.0, math.inf

    def inner(self, *shapes: Tensor) -> float:
        return 1.0

    def valid(self, p: Tensor) -> Any:
        return (p > 0) & (p <= 1)

    def logdensity(self, k: Tensor, p: Tensor) -> Tensor:
        return xlog1py(k - 1, -p) + xlogy(k * 0 + 1, p)

    def distribution(self, k: Tensor, p: Tensor) -> Tensor:
        return 1 - self.survival(k, p)

    def survival(self, k: Tensor, p: Tensor) -> Tensor:
        return exp(self.logsurvival(k, p))

    def logsurvival(self, k: Tensor, p: Tensor) -> Tensor:
        return k * log1p(-p)


class NBinom(Discrete):
    """The negative binomial distribution: failures before n successes, Gamma(k + n) / (k! Gamma(n)) p**n (1 - p)**k.

    >>> from gpugrad.scipy.stats import nbinom
    >>> nbinom.pmf(1, 1, 0.5)
    tensor(0.25, device='cpu')
    """

    shapes = ("n", "p")

    def support_of(self, *shapes: Tensor) -> tuple[Any, Any]:
        return 0.0, math.inf

    def inner(self, *shapes: Tensor) -> float:
        return 0.0

    def valid(self, n: Tensor, p: Tensor) -> Any:
        return (n > 0) & (p > 0) & (p <= 1)

    def logdensity(self, k: Tensor, n: Tensor, p: Tensor) -> Tensor:
        return gammaln(k + n) - gammaln(k + 1) - gammaln(n) + xlogy(n, p) + xlog1py(k, -p)

    def distribution(self, k: Tensor, n: Tensor, p: Tensor) -> Tensor:
        return betainc(n, (k + 1).detach(), p)

    def survival(self, k: Tensor, n: Tensor, p: Tensor) -> Tensor:
        return betainc((k + 1).detach(), n, 1 - p)


poisson = Poisson()
binom = Binom()
bernoulli = Bernoulli()
geom = Geom()
nbinom = NBinom()
