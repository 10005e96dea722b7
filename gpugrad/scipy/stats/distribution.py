"""What the distributions of one variable share: location and scale, the support, and what follows from a density or distribution function."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from ...arguments import as_tensors
from ...base import errors
from ...base.shapes import is_float
from ...functions import exp, floor, isfinite, isnan, log, log1p, where
from ...tensor import Tensor


class Frozen:
    """A distribution with its parameters given: ``norm(loc=1.0).pdf(x)`` is ``norm.pdf(x, loc=1.0)``."""

    def __init__(self, distribution: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.dist = distribution
        self.args = args
        self.kwds = kwargs

    def __getattr__(self, name: str) -> Any:
        if name not in _METHODS or not hasattr(self.dist, name):
            raise AttributeError(f"{type(self.dist).__name__.lower()} has no {name!r} here.")
        method = getattr(self.dist, name)
        if name == "entropy":
            return lambda: method(*self.args, **self.kwds)
        return lambda x: method(x, *self.args, **self.kwds)


_METHODS = {"pdf", "logpdf", "pmf", "logpmf", "cdf", "logcdf", "sf", "logsf", "ppf", "isf", "entropy"}


class Freezing:
    """Distributions are called with their parameters, as SciPy's are."""

    def __call__(self, *args: Any, **kwargs: Any) -> Frozen:
        """The distribution with these parameters."""
        return Frozen(self, args, kwargs)


class Distribution(Freezing):
    """A distribution. shapes: the names of its parameters, beside loc and scale.

    In the standard form, loc 0 and scale 1, each subclass says: `support`, the ends of the support; `logdensity`; `distribution`, the
    probability of x or less; and, where they are better known than from that, `survival` and the logarithms of both.
    """

    shapes: ClassVar[tuple[str, ...]] = ()
    scaled: ClassVar[bool] = True
    whole: ClassVar[bool] = False  # of whole numbers only

    def support_of(self, *shapes: Tensor) -> tuple[Any, Any]:
        """The ends of the support."""
        return -math.inf, math.inf

    def valid(self, *shapes: Tensor) -> Any:
        """Whether the parameters make a distribution."""
        return True

    def inner(self, *shapes: Tensor) -> float:
        """A place inside of the support, to compute at where x is outside."""
        return 0.5

    def logdensity(self, x: Tensor, *shapes: Tensor) -> Tensor:
        raise NotImplementedError

    def distribution(self, x: Tensor, *shapes: Tensor) -> Tensor:
        raise NotImplementedError

    def survival(self, x: Tensor, *shapes: Tensor) -> Tensor:
        return 1 - self.distribution(x, *shapes)

    def logdistribution(self, x: Tensor, *shapes: Tensor) -> Tensor:
        return _log_of(self.distribution(x, *shapes), self.survival(x, *shapes))

    def logsurvival(self, x: Tensor, *shapes: Tensor) -> Tensor:
        return _log_of(self.survival(x, *shapes), self.distribution(x, *shapes))

    # ------------------------------------------------------------------------------------------------ arguments

    def _given(
        self, name: str, x: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[Tensor, list[Tensor], Tensor, Tensor]:
        """x, shapes, loc and scale, in floating point."""
        names = [*self.shapes, "loc", *(["scale"] if self.scaled else [])]
        if len(args) > len(names):
            raise errors.bad_type(
                name, f"takes at most {len(names)} parameters, {', '.join(names)}; {len(args)} were given."
            )
        given = dict(zip(names, args, strict=False))
        for k, v in kwargs.items():
            if k not in names or k in given:
                raise errors.bad_type(
                    name, f"{k!r} {'was given twice' if k in given else 'is no parameter: ' + ', '.join(names)}."
                )
            given[k] = v
        missing = [n for n in self.shapes if n not in given]
        if missing:
            raise errors.bad_type(name, f"needs {', '.join(missing)}.")
        x, *values = as_tensors(x, *(given.get(n, 1.0 if n == "scale" else 0.0) for n in names))
        tensors = [v if is_float(v.dtype) else v.astype(x.dtype if is_float(x.dtype) else np.float64) for v in values]
        plain = [n not in given or type(given[n]) in (int, float) for n in names]
        if not is_float(x.dtype):
            dtypes = [v.dtype for v, p in zip(tensors, plain, strict=True) if not p]
            x = x.astype(np.result_type(*dtypes) if dtypes else np.float64)
        tensors = [v.astype(x.dtype) if p and v.dtype != x.dtype else v for v, p in zip(tensors, plain, strict=True)]
        scale = tensors.pop() if self.scaled else tensors[-1] * 0 + 1
        return x, tensors[:-1], tensors[-1], scale

    def _standard(
        self, name: str, x: Any, args: tuple[Any, ...], kwargs: dict[str, Any], compute: Callable[..., Tensor], below: float, above: float,
        density: bool = False,
    ) -> Tensor:  # fmt: skip
        """Something in the standard form: what is computed inside of the support, constants below and above it, NaN for what is no distribution."""
        x, shapes, loc, scale = self._given(f"{type(self).__name__.lower()}.{name}", x, args, kwargs)
        z = (x - loc) / scale if self.scaled else x - loc
        low, high = self.support_of(*shapes)
        if self.whole and not density:
            z = floor(z)
        under = z < low
        over = z > high if density else z >= high
        inside = ~(under | over | isnan(z))
        if density and self.whole:
            inside = inside & (z == floor(z)) & isfinite(z)
        safe = where(inside, z, self.inner(*shapes))
        y = where(over, above, where(inside, compute(safe, scale, *shapes), below))
        good = (scale > 0) & ~isnan(z)
        valid = self.valid(*shapes)
        return where(good if valid is True else good & valid, y, math.nan)

    def _logdensity(self, name: str, x: Any, args: Any, kwargs: Any) -> Tensor:
        return self._standard(
            name, x, args, kwargs,
            lambda z, scale, *s: self.logdensity(z, *s) - log(scale) if self.scaled else self.logdensity(z, *s), -math.inf, -math.inf, True,
        )  # fmt: skip

    # ------------------------------------------------------------------------------------------------- functions

    def cdf(self, x: Any, *args: Any, **kwargs: Any) -> Tensor:
        """The probability of x or less."""
        return self._standard("cdf", x, args, kwargs, lambda z, scale, *s: self.distribution(z, *s), 0.0, 1.0)

    def sf(self, x: Any, *args: Any, **kwargs: Any) -> Tensor:
        """The probability of more than x."""
        return self._standard("sf", x, args, kwargs, lambda z, scale, *s: self.survival(z, *s), 1.0, 0.0)

    def logcdf(self, x: Any, *args: Any, **kwargs: Any) -> Tensor:
        """The logarithm of the probability of x or less."""
        return self._standard(
            "logcdf", x, args, kwargs, lambda z, scale, *s: self.logdistribution(z, *s), -math.inf, 0.0
        )

    def logsf(self, x: Any, *args: Any, **kwargs: Any) -> Tensor:
        """The logarithm of the probability of more than x."""
        return self._standard("logsf", x, args, kwargs, lambda z, scale, *s: self.logsurvival(z, *s), 0.0, -math.inf)


class Continuous(Distribution):
    """A distribution with a density."""

    def quantile(self, q: Tensor, *shapes: Tensor) -> Tensor:
        """The x below which the probability is q, in the standard form."""
        raise errors.bad_type(type(self).__name__.lower(), "has no ppf here.")

    def logpdf(self, x: Any, *args: Any, **kwargs: Any) -> Tensor:
        """The logarithm of the density at x."""
        return self._logdensity("logpdf", x, args, kwargs)

    def pdf(self, x: Any, *args: Any, **kwargs: Any) -> Tensor:
        """The density at x."""
        return _density_of(self._logdensity("pdf", x, args, kwargs))

    def ppf(self, q: Any, *args: Any, **kwargs: Any) -> Tensor:
        """The x below which the probability is q, between 0 and 1. Gradient: 1 / density."""
        q, shapes, loc, scale = self._given(f"{type(self).__name__.lower()}.ppf", q, args, kwargs)
        inside = (q > 0) & (q < 1)
        low, high = self.support_of(*shapes)
        z = where(inside, self.quantile(where(inside, q, 0.5), *shapes), math.nan)
        z = where(q == 0, low, where(q == 1, high, z))
        valid = self.valid(*shapes)
        return where(scale > 0 if valid is True else (scale > 0) & valid, z * scale + loc, math.nan)

    def isf(self, q: Any, *args: Any, **kwargs: Any) -> Tensor:
        """The x above which the probability is q."""
        (q,) = as_tensors(q)
        return self.ppf(1 - q, *args, **kwargs)


class Discrete(Distribution):
    """A distribution of whole numbers."""

    scaled = False
    whole = True

    def logpmf(self, k: Any, *args: Any, **kwargs: Any) -> Tensor:
        """The logarithm of the probability of k."""
        return self._logdensity("logpmf", k, args, kwargs)

    def pmf(self, k: Any, *args: Any, **kwargs: Any) -> Tensor:
        """The probability of k."""
        return _density_of(self._logdensity("pmf", k, args, kwargs))


def _log_of(p: Tensor, rest: Tensor) -> Tensor:
    """The logarithm of a probability, from what is missing to 1 where that is less."""
    most = p > 0.5
    return where(most, log1p(-where(most, rest, 0)), log(where(most, 1, p)))


def _density_of(logarithm: Tensor) -> Tensor:
    """A density. Where it is 0 its derivative is 0, also at the end of a support where the logarithm has an infinite one."""
    none = logarithm == -math.inf
    return where(none, 0, exp(where(none, 0, logarithm)))
