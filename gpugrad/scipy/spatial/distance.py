"""Distances between points, with the names and arguments of `scipy.spatial.distance`.

Where two points are the same, the derivative of their Euclidean distance is 0 by convention, as of `norm` at 0.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...arguments import as_tensors
from ...base import errors
from ...base.shapes import is_float
from ...functions import absolute, max, mean, square, sum, zeros
from ...linalg import norm
from ...tensor import Tensor

__all__ = [
    "cdist", "chebyshev", "cityblock", "correlation", "cosine", "euclidean", "minkowski", "pdist", "sqeuclidean", "squareform",
]  # fmt: skip


def _cosine(a: Tensor, b: Tensor) -> Tensor:
    result: Tensor = 1 - sum(a * b, -1) / (norm(a, axis=-1) * norm(b, axis=-1))
    return result


def _correlation(a: Tensor, b: Tensor) -> Tensor:
    return _cosine(a - mean(a, -1, keepdims=True), b - mean(b, -1, keepdims=True))


def _minkowski(a: Tensor, b: Tensor, p: float) -> Tensor:
    if p <= 0:
        raise errors.bad_value("minkowski", f"p must be greater than 0, not {p!r}.")
    return norm(a - b, p, axis=-1)


# Each takes points whose last axes are coordinates, and broadcasts.
_METRICS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "euclidean": lambda a, b: norm(a - b, axis=-1),
    "sqeuclidean": lambda a, b: sum(square(a - b), -1),
    "cityblock": lambda a, b: sum(absolute(a - b), -1),
    "chebyshev": lambda a, b: max(absolute(a - b), -1),
    "cosine": _cosine,
    "correlation": _correlation,
}


def _metric(name: str, metric: str, arguments: dict[str, Any]) -> Callable[[Tensor, Tensor], Tensor]:
    if metric == "minkowski":
        p = arguments.pop("p", 2)
        found = lambda a, b: _minkowski(a, b, p)  # noqa: E731
    elif metric in _METRICS:
        found = _METRICS[metric]
    else:
        raise errors.bad_value(name, f"metric must be one of {sorted([*_METRICS, 'minkowski'])}, not {metric!r}.")
    if arguments:
        raise errors.bad_value(name, f"metric {metric!r} takes no {sorted(arguments)}.")
    return found


def _points(name: str, *given: Any) -> list[Tensor]:
    points = as_tensors(*given)
    for x in points:
        if x.ndim != 2:
            raise errors.bad_shape(name, f"points must be rows of a matrix, not of shape {x.shape}.")
    if len({x.shape[1] for x in points}) > 1:
        raise errors.bad_shape(name, f"points must have as many coordinates, not shapes {[x.shape for x in points]}.")
    return [x if is_float(x.dtype) else x.astype(np.float64) for x in points]


def cdist(XA: Any, XB: Any, metric: str = "euclidean", **kwargs: Any) -> Tensor:
    """The distances of all pairs of rows: shapes (m, k) and (n, k) give (m, n).

    metric: "euclidean", "sqeuclidean", "cityblock", "chebyshev", "minkowski" (with p=), "cosine" or "correlation".
    Gradient of the Euclidean one: (a - b) / distance, 0 where that is 0.

    >>> from gpugrad.scipy.spatial.distance import cdist
    >>> cdist([[0.0, 0.0], [3.0, 0.0]], [[0.0, 4.0]])
    tensor([[4.],
            [5.]], device='cpu')
    """
    distance = _metric("cdist", metric, kwargs)
    a, b = _points("cdist", XA, XB)
    return distance(a[:, None, :], b[None, :, :])


def pdist(X: Any, metric: str = "euclidean", **kwargs: Any) -> Tensor:
    """The distances of all pairs of different rows, in the order (0, 1), (0, 2), ... (1, 2), ...: see `cdist` and `squareform`.

    >>> from gpugrad.scipy.spatial.distance import pdist
    >>> pdist([[0.0, 0.0], [3.0, 0.0], [0.0, 4.0]])
    tensor([3., 4., 5.], device='cpu')
    """
    distance = _metric("pdist", metric, kwargs)
    (x,) = _points("pdist", X)
    first, second = np.triu_indices(x.shape[0], 1)
    return distance(x[first], x[second])


def squareform(X: Any, force: str = "no", checks: bool = True) -> Tensor:
    """Distances of `pdist` as a symmetric matrix with zeros on its diagonal, or such a matrix as its distances.

    >>> from gpugrad.scipy.spatial.distance import squareform
    >>> squareform([3.0, 4.0, 5.0])
    tensor([[0., 3., 4.],
            [3., 0., 5.],
            [4., 5., 0.]], device='cpu')
    """
    (x,) = as_tensors(X)
    if x.ndim == 2 and force != "tomatrix":
        n = x.shape[0]
        if x.shape != (n, n):
            raise errors.bad_shape("squareform", f"a matrix of distances is square, not of shape {x.shape}.")
        if checks:
            plain = x.detach()
            if bool((absolute(plain - plain.T) > 1e-13).any()) or bool(
                absolute(plain[np.arange(n), np.arange(n)]).any()
            ):
                raise errors.bad_value("squareform", "a matrix of distances is symmetric, with zeros on its diagonal.")
        return x[np.triu_indices(n, 1)]
    if x.ndim != 1 or force == "tovector":
        raise errors.bad_shape("squareform", f"takes a vector or a square matrix, not shape {x.shape}.")
    n = int(np.ceil(np.sqrt(2 * x.shape[0]))) if x.shape[0] else 1
    if n * (n - 1) != 2 * x.shape[0]:
        raise errors.bad_shape("squareform", f"{x.shape[0]} is not a number of pairs.")
    out = zeros((n, n), x.dtype, x.device)
    rows, columns = np.triu_indices(n, 1)
    out[rows, columns] = x
    out[columns, rows] = x
    return out


def _pair(name: str, u: Any, v: Any, metric: str, **arguments: Any) -> Tensor:
    a, b = as_tensors(u, v)
    if a.ndim != 1 or b.ndim != 1 or a.shape != b.shape:
        raise errors.bad_shape(name, f"takes two vectors of one length, not shapes {a.shape} and {b.shape}.")
    a, b = _points(name, a[None], b[None])
    return _metric(name, metric, arguments)(a[0], b[0])


def euclidean(u: Any, v: Any) -> Tensor:
    """The Euclidean distance of two vectors. Gradient: (u - v) / distance, 0 where they are equal.

    >>> from gpugrad.scipy.spatial.distance import euclidean
    >>> euclidean([0.0, 0.0], [3.0, 4.0])
    tensor(5., device='cpu')
    """
    return _pair("euclidean", u, v, "euclidean")


def sqeuclidean(u: Any, v: Any) -> Tensor:
    """The square of the Euclidean distance of two vectors. Gradient: 2 (u - v).

    >>> from gpugrad.scipy.spatial.distance import sqeuclidean
    >>> sqeuclidean([0.0, 0.0], [3.0, 4.0])
    tensor(25., device='cpu')
    """
    return _pair("sqeuclidean", u, v, "sqeuclidean")


def cityblock(u: Any, v: Any) -> Tensor:
    """The sum of the absolute differences of two vectors. Gradient: sign(u - v).

    >>> from gpugrad.scipy.spatial.distance import cityblock
    >>> cityblock([0.0, 0.0], [3.0, 4.0])
    tensor(7., device='cpu')
    """
    return _pair("cityblock", u, v, "cityblock")


def chebyshev(u: Any, v: Any) -> Tensor:
    """The largest absolute difference of two vectors; ties share its gradient.

    >>> from gpugrad.scipy.spatial.distance import chebyshev
    >>> chebyshev([0.0, 0.0], [3.0, 4.0])
    tensor(4., device='cpu')
    """
    return _pair("chebyshev", u, v, "chebyshev")


def minkowski(u: Any, v: Any, p: float = 2) -> Tensor:
    """The norm of order p of the difference of two vectors.

    >>> from gpugrad.scipy.spatial.distance import minkowski
    >>> minkowski([0.0, 0.0], [3.0, 4.0], 1)
    tensor(7., device='cpu')
    """
    return _pair("minkowski", u, v, "minkowski", p=p)


def cosine(u: Any, v: Any) -> Tensor:
    """1 less the cosine of the angle between two vectors.

    >>> from gpugrad.scipy.spatial.distance import cosine
    >>> cosine([1.0, 0.0], [0.0, 2.0])
    tensor(1., device='cpu')
    """
    return _pair("cosine", u, v, "cosine")


def correlation(u: Any, v: Any) -> Tensor:
    """1 less the correlation of two vectors.

    >>> from gpugrad.scipy.spatial.distance import correlation
    >>> correlation([0.0, 1.0, 2.0], [2.0, 1.0, 0.0]).round(6)
    tensor(2., device='cpu')
    """
    return _pair("correlation", u, v, "correlation")
