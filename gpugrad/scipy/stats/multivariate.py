"""The multivariate distributions of `gpugrad.scipy.stats`."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ...arguments import as_tensors
from ...base import errors
from ...base.shapes import is_float
from ...coerce import on_host
from ...functions import concatenate, exp, log, matrix_transpose, sum, where
from ...functions.creation import eye
from ...linalg import LinAlgError, cholesky, eigvalsh, pinv
from ...tensor import Tensor
from ..linalg import solve_triangular
from ..special import gammaln, xlogy
from .distribution import Freezing


def _floats(*given: Any) -> list[Tensor]:
    return [x if is_float(x.dtype) else x.astype(np.float64) for x in as_tensors(*given)]


class _Image(NamedTuple):
    """What a covariance without full rank has instead of an inverse and a determinant. outside: which vectors are not of its image."""

    inverse: Tensor
    logdet: Tensor
    rank: int
    outside: Callable[[Tensor], Any]


def _image(cov: Tensor) -> _Image | None:
    """The pseudo-inverse of a covariance and the logarithm of its pseudo-determinant; None where it has full rank.

    Eigenvalues up to 1e6 (float32: 1e3) times the rounding error of the largest one count as 0, as in SciPy.
    """
    relative = (1e6 if cov.dtype == np.float64 else 1e3) * float(np.finfo(cov.dtype).eps)
    values, vectors = np.linalg.eigh(on_host(cov.detach()))
    cut = relative * np.abs(values).max(initial=0)
    if values.min(initial=0) < -cut:
        raise LinAlgError(
            "multivariate_normal: the covariance has negative eigenvalues: it is not positive semidefinite."
        )
    kept = values > cut
    if kept.all():
        return None
    null = vectors[:, ~kept]
    return _Image(
        pinv(cov, rcond=relative, hermitian=True), sum(log(eigvalsh(cov)[np.flatnonzero(kept)])), int(kept.sum()),
        lambda apart: np.linalg.norm(on_host(apart.detach()) @ null, axis=-1) >= cut,
    )  # fmt: skip


def _symmetric(cov: Tensor) -> Tensor:
    return (cov + matrix_transpose(cov)) * 0.5


def _factor(cov: Tensor) -> tuple[Tensor, Tensor]:
    """The triangular factor of a covariance, and the logarithm of its determinant."""
    factor = cholesky(cov)
    at = np.arange(cov.shape[0])
    return factor, 2 * sum(log(factor[at, at]))


class MultivariateNormal(Freezing):
    """The normal distribution of vectors, with a mean and a covariance.

    >>> from gpugrad.scipy.stats import multivariate_normal
    >>> multivariate_normal.logpdf([1.0, 0.0], mean=[0.0, 0.0], cov=[[1.0, 0.0], [0.0, 4.0]])
    tensor(-3.03102425, device='cpu')
    """

    def logpdf(self, x: Any, mean: Any = None, cov: Any = 1, allow_singular: bool = False) -> Tensor:
        """The logarithm of the density at vectors x of shape (..., k).

        mean: a vector of shape (k,), 0 if not given. cov: a matrix of shape (k, k), a vector (its diagonal) or a number (times 1).
        allow_singular: a cov without full rank has a density on the image of cov, and is differentiated at the rank that it has; elsewhere
        the density is 0. Raises LinAlgError for a cov that is not positive definite, or with allow_singular not semidefinite.
        """
        given = _floats(x, 0.0 if mean is None else mean, cov)
        x, mean, cov = given
        k = cov.shape[0] if cov.ndim else mean.shape[0] if mean.ndim else 1
        if cov.ndim < 2:
            cov = eye(k, dtype=cov.dtype, device=cov.device) * cov
        if cov.shape != (k, k) or (mean.ndim and mean.shape != (k,)):
            raise errors.bad_shape(
                "multivariate_normal", f"a mean of shape {mean.shape} and a covariance of shape {cov.shape} do not fit."
            )
        points = x[..., None] if k == 1 and (not x.ndim or x.shape[-1] != 1) else x
        if not points.ndim or points.shape[-1] != k:
            raise errors.bad_shape(
                "multivariate_normal", f"vectors of {k} are expected in the last axis, not shape {x.shape}."
            )
        apart = (points - mean).reshape(-1, k)
        cov = _symmetric(cov)
        image = _image(cov) if allow_singular else None
        if image is not None:
            y = -0.5 * (sum((apart @ image.inverse) * apart, -1) + image.logdet + image.rank * math.log(2 * math.pi))
            return where(image.outside(apart), -math.inf, y).reshape(points.shape[:-1])
        factor, logdet = _factor(cov)
        z = solve_triangular(factor, apart.T, lower=True)
        y = -0.5 * (sum(z * z, 0) + logdet + k * math.log(2 * math.pi))
        return y.reshape(points.shape[:-1])

    def pdf(self, x: Any, mean: Any = None, cov: Any = 1, allow_singular: bool = False) -> Tensor:
        """The density at vectors x."""
        return exp(self.logpdf(x, mean, cov, allow_singular))

    def entropy(self, mean: Any = None, cov: Any = 1) -> Tensor:
        """The differential entropy, log(det(2 pi e cov)) / 2; of a cov without full rank, that on its image."""
        (cov,) = _floats(cov)
        if cov.ndim < 2:
            cov = eye(cov.shape[0] if cov.ndim else 1, dtype=cov.dtype, device=cov.device) * cov
        cov = _symmetric(cov)
        image = _image(cov)
        rank, logdet = (cov.shape[0], _factor(cov)[1]) if image is None else (image.rank, image.logdet)
        return 0.5 * (logdet + rank * (math.log(2 * math.pi) + 1))


class Dirichlet(Freezing):
    """The Dirichlet distribution of vectors of k positive numbers that sum to 1.

    >>> from gpugrad.scipy.stats import dirichlet
    >>> dirichlet.pdf([0.25, 0.75], [1.0, 1.0])
    tensor(1., device='cpu')
    """

    def logpdf(self, x: Any, alpha: Any) -> Tensor:
        """The logarithm of the density at x, of shape (k,) or (k, n), the vectors being columns. alpha: shape (k,), positive.

        As in SciPy x may have k - 1 rows; the last is then what is missing to 1. Raises ValueError where x does not sum to 1.
        """
        x, alpha = _floats(x, alpha)
        if alpha.ndim != 1 or bool((alpha.detach() <= 0).any()):
            raise errors.bad_value("dirichlet", "alpha must be a vector of positive numbers.")
        k = alpha.shape[0]
        if x.shape[0] == k - 1:
            x = concatenate([x, (1 - sum(x, 0))[None]])
        if x.shape[0] != k:
            raise errors.bad_shape("dirichlet", f"x has {x.shape[0]} rows for an alpha of {k}.")
        plain = x.detach()
        if bool((plain < 0).any()) or bool((abs(sum(plain, 0) - 1) > 1e-9).any()):
            raise errors.bad_value("dirichlet", "x must be vectors of numbers from 0 to 1 that sum to 1.")
        weights = alpha.reshape((-1,) + (1,) * (x.ndim - 1))
        return sum(xlogy(weights - 1, x), 0) - sum(gammaln(alpha)) + gammaln(sum(alpha))

    def pdf(self, x: Any, alpha: Any) -> Tensor:
        """The density at x."""
        return exp(self.logpdf(x, alpha))


class Multinomial(Freezing):
    """The multinomial distribution of counts in k classes, of n draws.

    >>> from gpugrad.scipy.stats import multinomial
    >>> multinomial.pmf([1, 1], 2, [0.5, 0.5])
    tensor(0.5, device='cpu')
    """

    def logpmf(self, x: Any, n: Any, p: Any) -> Tensor:
        """The logarithm of the probability of counts x of shape (..., k); minus infinity where they do not sum to n."""
        x, n, p = _floats(x, n, p)
        y = gammaln(n + 1) + sum(xlogy(x, p) - gammaln(x + 1), -1)
        return where(sum(x, -1) == n, y, -math.inf)

    def pmf(self, x: Any, n: Any, p: Any) -> Tensor:
        """The probability of counts x."""
        return exp(self.logpmf(x, n, p))


multivariate_normal = MultivariateNormal()
dirichlet = Dirichlet()
multinomial = Multinomial()
