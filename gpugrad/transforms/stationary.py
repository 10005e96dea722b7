"""What a zero gradient means: `stationary_point`, from the gradient and the curvatures of a function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..base import errors
from ..functions.creation import tensor
from ..tensor import Tensor
from .derivatives import hessian, hvp, value_and_grad

DENSE = 200  # up to so many variables the whole Hessian is made


@dataclass(frozen=True)
class StationaryPoint:
    """What `stationary_point` found.

    kind: "minimum", "maximum", "saddle", "undecided" (by second order), or "not stationary". gradient: its largest component,
    scaled as the tolerance is. curvatures: the smallest and the largest eigenvalue of the Hessian. directions: theirs, of length 1
    and of x's shape. Curvatures and directions are empty where the gradient is not zero.

    >>> import gpugrad as gg
    >>> gg.stationary_point(gg.cos, 0.0).curvatures
    (-1.0, -1.0)
    """

    kind: str
    value: float
    gradient: float
    curvatures: tuple[float, ...] = ()
    directions: tuple[Tensor, ...] = ()

    def __repr__(self) -> str:
        if self.kind == "not stationary":
            return f"not stationary: value {self.value:.6g}, scaled gradient {self.gradient:.3g}"
        what = "undecided by second order" if self.kind == "undecided" else f"local {self.kind}"
        what = "saddle point" if self.kind == "saddle" else what
        low, high = self.curvatures
        return f"{what}: value {self.value:.6g}, scaled gradient {self.gradient:.3g}, curvatures from {low:.6g} to {high:.6g}"


def stationary_point(f: Callable[[Any], Any], x: Any, tolerance: float | None = None) -> StationaryPoint:
    """Whether f's gradient is zero at x, and what kind of point that is.

    f: a function of one floating-point tensor with one number as its result. x: a tensor, array or number.
    tolerance: relative; the cube root of the dtype's precision if not given (6e-6 for float64). The gradient counts as zero if
    every |df/dx_i| * max(|x_i|, 1) / max(|f|, 1) is at most that (Dennis and Schnabel 1983, section 7.2), a curvature if it is at
    most that times max(1, the largest one). All curvatures above zero make a minimum, all below a maximum, some above and
    some below a saddle point; otherwise the second order does not decide. Up to 200 variables the Hessian is made, beyond that its
    extreme eigenvalues come from `hvp` by the Lanczos method (SciPy's; extra: stationary): the larger one to three digits, the other to
    the tolerance.

    Raises InputError for a tolerance that is not positive, a value or gradient that is not finite, or where Lanczos does not
    converge; ShapeError for no variables.

    >>> import gpugrad as gg
    >>> gg.stationary_point(lambda x: x[0] ** 2 - x[1] ** 2, [0.0, 0.0])
    saddle point: value 0, scaled gradient 0, curvatures from -2 to 2
    >>> gg.stationary_point(gg.cosh, 0.0).kind
    'minimum'
    """
    at = x.detach() if isinstance(x, Tensor) else tensor(x)
    if not at.size:
        raise errors.bad_shape("stationary_point", f"a point of shape {at.shape} has no variables.")
    value, slope = value_and_grad(f)(at)
    point, g, level = at._host(), slope._host(), float(value.item())
    if not (np.isfinite(g).all() and np.isfinite(level)):
        raise errors.bad_value("stationary_point", f"value {level} and gradient must be finite at the given point.")
    limit = float(np.cbrt(np.finfo(g.dtype).eps)) if tolerance is None else tolerance
    if not limit > 0:
        raise errors.bad_value("stationary_point", f"tolerance must be positive, not {tolerance}.")
    scaled = float(np.max(np.abs(g) * np.maximum(np.abs(point), 1)) / max(abs(level), 1))
    if scaled > limit:
        return StationaryPoint("not stationary", level, scaled)
    curvatures, directions = _dense(f, at) if at.size <= DENSE else _lanczos(f, at, limit)
    low, high = curvatures
    flat = limit * max(1.0, abs(low), abs(high))
    if low < -flat and high > flat:
        kind = "saddle"
    else:
        kind = "minimum" if low > flat else "maximum" if high < -flat else "undecided"
    shaped = tuple(tensor(d.reshape(at.shape), at.dtype, at.device) for d in directions)
    return StationaryPoint(kind, level, scaled, curvatures, shaped)


def _dense(f: Callable[[Any], Any], at: Tensor) -> tuple[tuple[float, float], tuple[Any, Any]]:
    matrix = hessian(f)(at)._host().reshape(at.size, at.size)
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    return (float(values[0]), float(values[-1])), (vectors[:, 0], vectors[:, -1])


def _lanczos(f: Callable[[Any], Any], at: Tensor, limit: float) -> tuple[tuple[float, float], tuple[Any, Any]]:
    try:
        from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh
    except ImportError:
        raise errors.missing_extra(f"stationary_point of more than {DENSE} variables", "scipy", "scipy") from None

    def product(v: Any) -> Any:
        direction = tensor(v.reshape(at.shape), at.dtype, at.device)
        return hvp(f, at, direction)._host().astype(float).reshape(-1)

    def largest(multiply: Callable[[Any], Any], **how: Any) -> tuple[float, Any]:
        operator = LinearOperator((at.size, at.size), multiply, dtype=float)
        try:
            (value,), vectors = eigsh(operator, 1, v0=start, **how)
        except ArpackNoConvergence:
            raise errors.bad_value(
                "stationary_point",
                f"the Lanczos method does not find the curvatures to {limit:.1g}; try a larger tolerance.",
            ) from None
        return float(value), vectors[:, 0]

    start = np.random.default_rng(0).standard_normal(at.size)
    if not product(start).any():  # no curvature along a random direction: there is none, and nothing to iterate on
        axis = np.eye(1, at.size)[0]
        return (0.0, 0.0), (axis, axis)
    # The larger of the two in magnitude first. The other may be near 0, where ARPACK's precision, which is relative to the
    # eigenvalue, means nothing: it is moved away from there.
    first = largest(product, which="LM", ncv=60, tol=1e-3)
    sign = -1 if first[0] > 0 else 1
    shift = 2 * abs(first[0])
    moved, direction = largest(lambda v: shift * v.reshape(-1) + sign * product(v), which="LA", ncv=60, tol=limit / 4)
    (low, a), (high, b) = sorted([first, (sign * (moved - shift), direction)], key=lambda e: e[0])
    return (low, high), (a, b)
