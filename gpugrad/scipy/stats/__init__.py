"""Probability distributions with the names and arguments of `scipy.stats`: densities, distribution functions and their logarithms, with gradients.

A distribution is an object with functions of x, its shapes, `loc` and `scale`: `norm.logpdf(x, loc=0, scale=1)`. Gradients go to all of them,
but for distribution functions in shapes in which their special function has no derivative: that is an error. Outside of the support the
density is 0 and its logarithm minus infinity; what lies there takes no part in gradients.
"""

from .continuous import (
    beta,
    cauchy,
    chi2,
    expon,
    f,
    gamma,
    halfnorm,
    invgamma,
    laplace,
    logistic,
    lognorm,
    norm,
    pareto,
    t,
    uniform,
    weibull_min,
)
from .discrete import bernoulli, binom, geom, nbinom, poisson
from .multivariate import dirichlet, multinomial, multivariate_normal

__all__ = [
    "bernoulli", "beta", "binom", "cauchy", "chi2", "dirichlet", "expon", "f", "gamma", "geom", "halfnorm", "invgamma", "laplace", "logistic",
    "lognorm", "multinomial", "multivariate_normal", "nbinom", "norm", "pareto", "poisson", "t", "uniform", "weibull_min",
]  # fmt: skip
