"""Interpolation between samples, with the names and arguments of `scipy.interpolate`. Gradients go to the samples, the places and the queries."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arguments import as_tensor, as_tensors
from ..base import errors
from ..base.shapes import is_float, normalize_axis
from ..coerce import host_data
from ..functions import concatenate, diff, moveaxis, stack, where, zeros
from ..linalg import solve
from ..tensor import Tensor

__all__ = ["CubicSpline", "interp1d"]


class CubicSpline:
    """The piecewise cubic polynomial through samples whose first two derivatives are continuous.

    x: increasing places, shape (n,); y: samples along an axis. bc_type: "not-a-knot", "natural", "clamped", "periodic", or a pair with one
    ((order, value)) for each end, order 1 or 2. extrapolate: what lies beyond the ends is of the outer polynomials (True, the default), NaN
    (False), or repeats ("periodic").

    Calling it gives values, or with nu derivatives, at places of any shape. Its slopes solve a tridiagonal system, so that gradients in y, x and
    the queries are exact; it is solved as a dense one, at a cost of n**3.
    Raises ShapeError for samples that do not fit, ValueError for places that do not increase.

    >>> import gpugrad as gg
    >>> from gpugrad.scipy.interpolate import CubicSpline
    >>> x = gg.arange(5.0)
    >>> CubicSpline(x, x**3)([0.5, 2.5])
    tensor([ 0.125, 15.625], device='cpu')
    """

    def __init__(self, x: Any, y: Any, axis: int = 0, bc_type: Any = "not-a-knot", extrapolate: Any = None) -> None:
        x, y = as_tensors(x, y)
        x, y = (t if is_float(t.dtype) else t.astype(np.float64) for t in (x, y))
        if x.ndim != 1 or x.shape[0] < 2:
            raise errors.bad_shape("CubicSpline", f"x must be a vector of two places or more, not of shape {x.shape}.")
        self.axis = normalize_axis("CubicSpline", axis, y.ndim)
        if y.shape[self.axis] != x.shape[0]:
            raise errors.bad_shape(
                "CubicSpline", f"x has {x.shape[0]} places, y has {y.shape[self.axis]} samples along axis {axis}."
            )
        if not bool((diff(x.detach()) > 0).all()):
            raise errors.bad_value("CubicSpline", "x must increase.")
        self.x = x
        y = moveaxis(y, self.axis, 0)
        self._shape = y.shape[1:]
        self.extrapolate = (
            "periodic"
            if extrapolate is None and bc_type == "periodic"
            else True
            if extrapolate is None
            else extrapolate
        )
        values = y.reshape(x.shape[0], -1)
        if bc_type == "periodic" and not bool(
            (abs((values[0] - values[-1]).detach()) <= 1e-15 + 1e-8 * abs(values[0].detach())).all()
        ):
            raise errors.bad_value("CubicSpline", "bc_type 'periodic' needs first and last samples that are equal.")
        slopes = _slopes(x, values, bc_type)
        h = diff(x)[:, None]
        rise = diff(values, axis=0) / h
        first, second = slopes[:-1], slopes[1:]
        curve = (first + second - 2 * rise) / h
        # of each piece, highest power first, in the distance from its left end
        self._c = stack([curve / h, (rise - first) / h - curve, first, values[:-1]])

    def __call__(self, x: Any, nu: int = 0, extrapolate: Any = None) -> Tensor:
        """Values at x, or derivatives of order nu."""
        if nu < 0 or int(nu) != nu:
            raise errors.bad_value("CubicSpline", f"nu must be a whole number that is not negative, not {nu!r}.")
        q = as_tensor(x, self.x.device)
        q = q if is_float(q.dtype) else q.astype(self.x.dtype)
        flat = q.reshape(-1)
        beyond = self.extrapolate if extrapolate is None else extrapolate
        low, high = self.x[0], self.x[-1]
        if beyond == "periodic":
            flat = low + (flat - low) % (high - low)
        piece = np.searchsorted(host_data(self.x.detach()), host_data(flat.detach()), side="right") - 1
        piece = np.clip(piece, 0, self.x.shape[0] - 2)
        t = (flat - self.x[piece])[:, None]
        c = self._c[:, piece]
        y = zeros((1,), c.dtype, c.device)[:, None] * c[0]
        for k in range(
            4 - nu if nu < 4 else 0
        ):  # Horner's scheme, each coefficient times what nu derivatives make of its power
            power = 3 - k
            y = y * t + c[k] * float(np.prod([power - i for i in range(nu)]) if nu else 1)
        if beyond is False:
            inside = ((flat >= low) & (flat <= high))[:, None]
            y = where(inside, y, np.nan)
        result = y.reshape((*q.shape, *self._shape))
        return (
            moveaxis(result, tuple(range(q.ndim)), tuple(range(self.axis, self.axis + q.ndim)))
            if self._shape and q.ndim
            else result
        )

    def derivative(self, nu: int = 1) -> Any:
        """The derivative of order nu, as a function of places."""
        return lambda x, extrapolate=None: self(x, nu, extrapolate)


def _slopes(x: Tensor, y: Tensor, bc_type: Any) -> Tensor:
    """The slopes at the places, from the continuity of the second derivative and two conditions at the ends."""
    n = x.shape[0]
    ends = (bc_type, bc_type) if isinstance(bc_type, str) else tuple(bc_type)
    h, rise = diff(x), diff(y, axis=0) / diff(x)[:, None]
    if bc_type == "periodic":
        return _periodic_slopes(h, rise)
    if "not-a-knot" in ends and n == 2:
        ends = tuple((1, rise[0]) if e == "not-a-knot" else e for e in ends)
    if ends == ("not-a-knot", "not-a-knot") and n == 3:  # one parabola through all
        curve = (rise[1] - rise[0]) / (h[0] + h[1])
        return stack([rise[0] - curve * h[0], rise[0] + curve * h[0], rise[1] + curve * h[1]])
    rows: list[Tensor] = []
    right: list[Tensor] = []
    end: Any
    for end, places in ((ends[0], (0, 1, 2)), (ends[1], (n - 1, n - 2, n - 3))):
        if end == "not-a-knot":
            a, b = (h[0], h[1]) if places[0] == 0 else (h[-1], h[-2])
            s, t = (rise[0], rise[1]) if places[0] == 0 else (rise[-1], rise[-2])
            rows.append(_row(n, {places[0]: b, places[1]: a + b}, x))
            right.append(((a + 2 * (a + b)) * b * s + a * a * t) / (a + b))
            continue
        named: Any = {"natural": (2, 0.0), "clamped": (1, 0.0)}.get(end, (0, 0.0)) if isinstance(end, str) else end
        order, value = named
        if order not in (1, 2):
            raise errors.bad_value(
                "CubicSpline",
                f"bc_type is 'not-a-knot', 'natural', 'clamped', 'periodic', or pairs (order, value) with order 1 or 2, not {bc_type!r}.",
            )
        given = as_tensor(value, x.device).reshape(-1) + zeros(y.shape[1:], x.dtype, x.device)
        if order == 1:
            rows.append(_row(n, {places[0]: x[0] * 0 + 1}, x))
            right.append(given)
        else:
            d = h[0] if places[0] == 0 else h[-1]
            s = rise[0] if places[0] == 0 else rise[-1]
            sign = 1 if places[0] == 0 else -1
            rows.append(_row(n, {places[0]: 2 * d, places[1]: d}, x))
            right.append(3 * s * d - sign * 0.5 * given * d * d)
    inner = [_row(n, {i - 1: h[i], i: 2 * (h[i - 1] + h[i]), i + 1: h[i - 1]}, x) for i in range(1, n - 1)]
    middle = [3 * (h[i] * rise[i - 1] + h[i - 1] * rise[i]) for i in range(1, n - 1)]
    a = stack([rows[0], *inner, rows[1]])
    b = stack([right[0], *middle, right[1]])
    return solve(a, b)


def _periodic_slopes(h: Tensor, rise: Tensor) -> Tensor:
    n = h.shape[0]
    if n == 1:
        return zeros((2, rise.shape[1]), rise.dtype, rise.device) * rise
    rows, right = [], []
    for i in range(n):
        entries: dict[int, Tensor] = {}
        for place, value in (((i - 1) % n, h[i]), (i, 2 * (h[i - 1] + h[i])), ((i + 1) % n, h[i - 1])):
            entries[place] = entries[place] + value if place in entries else value
        rows.append(_row(n, entries, h))
        right.append(3 * (h[i] * rise[i - 1] + h[i - 1] * rise[i]))
    slopes = solve(stack(rows), stack(right))
    return concatenate([slopes, slopes[:1]])


def _row(n: int, entries: dict[int, Tensor], like: Tensor) -> Tensor:
    """A row of a matrix with few entries."""
    row = zeros(n, like.dtype, like.device)
    for place, value in entries.items():
        row[place] = value
    return row


class interp1d:
    """A function that interpolates between samples along an axis, linearly or by a cubic spline.

    kind: "linear" or "cubic". fill_value: beyond the ends, NaN, a number, or "extrapolate"; without it a place beyond them is an error.

    >>> from gpugrad.scipy.interpolate import interp1d
    >>> interp1d([0.0, 1.0, 2.0], [0.0, 10.0, 40.0])([0.5, 1.5])
    tensor([ 5., 25.], device='cpu')
    """

    def __init__(
        self, x: Any, y: Any, kind: str = "linear", axis: int = -1, copy: bool = True, bounds_error: bool | None = None,
        fill_value: Any = np.nan, assume_sorted: bool = False,
    ) -> None:  # fmt: skip
        if kind not in ("linear", "cubic"):
            raise errors.bad_value("interp1d", f"kind must be 'linear' or 'cubic', not {kind!r}.")
        x, y = as_tensors(x, y)
        self.kind, self.axis = kind, normalize_axis("interp1d", axis, y.ndim)
        if not assume_sorted:
            order = np.argsort(host_data(x.detach()), kind="stable")
            x, y = x[order], moveaxis(moveaxis(y, self.axis, 0)[order], 0, self.axis)
        self.x, self.y = x, y
        self.fill_value = fill_value
        self.bounds_error = (
            bounds_error if bounds_error is not None else isinstance(fill_value, float) and np.isnan(fill_value)
        )
        self._spline = CubicSpline(x, y, self.axis) if kind == "cubic" else None

    def __call__(self, x: Any) -> Tensor:
        """Values at places of any shape."""
        q = as_tensor(x, self.x.device)
        outside = (q < self.x[0]) | (q > self.x[-1])
        if self.fill_value != "extrapolate" and self.bounds_error and bool(outside.any()):
            raise errors.bad_value(
                "interp1d", "a place is outside of the samples: give fill_value='extrapolate', or a number for it."
            )
        if self._spline is not None:
            found = self._spline(q)
        else:
            found = self._linear(q)
        if self.fill_value == "extrapolate":
            return found
        along = outside.reshape((1,) * self.axis + q.shape + (1,) * (self.y.ndim - self.axis - 1))
        return where(along, self.fill_value, found)

    def _linear(self, q: Tensor) -> Tensor:
        y = moveaxis(self.y, self.axis, 0)
        flat = q.reshape(-1)
        places = host_data(self.x.detach())
        piece = np.clip(np.searchsorted(places, host_data(flat.detach()), side="right") - 1, 0, len(places) - 2)
        left, right = self.x[piece], self.x[piece + 1]
        share = ((flat - left) / (right - left)).reshape((-1,) + (1,) * (y.ndim - 1))
        value = y[piece] * (1 - share) + y[piece + 1] * share
        value = value.reshape((*q.shape, *y.shape[1:]))
        return moveaxis(value, tuple(range(q.ndim)), tuple(range(self.axis, self.axis + q.ndim))) if q.ndim else value
