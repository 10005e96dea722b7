"""Rows of structural ops on matrices: what solves, factors and measures them. Matrices are the last two axes, the others are batches.

Derivatives after M. B. Giles, "Collected matrix derivative results for forward and reverse mode algorithmic differentiation" (2008), and
I. Murray, "Differentiation of the Cholesky decomposition" (2016). An inverse is never made: what it would be multiplied with is solved for.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from . import elementwise as ew
from . import lapack
from .structural import collect, matmul, reshape, structural, sum_to
from .structural import transposed as _t


def _eye(x: Any) -> Any:
    one = np.eye(x.shape[-1], dtype=x.dtype)
    return one if len(x.shape) == 2 else np.broadcast_to(one, x.shape)


@functools.lru_cache(maxsize=16)
def _lower_triangle(n: int) -> Any:
    """Where a matrix has its lower triangle."""
    chosen = np.tri(n, dtype=bool)
    chosen.flags.writeable = False
    return chosen


def _column(x: Any) -> Any:
    return reshape(x, shape=(*x.shape, 1))


def _vector(x: Any) -> Any:
    return reshape(x, shape=x.shape[:-1])


@structural(keeps=(0, "y"))
def solve(xp, a, b, *, vector=False, transposed=False, factors=None):
    "The x with a @ x = b: shapes (..., n, n) and (..., n, k) give (..., n, k); vector: and (n,) gives (..., n). transposed: a.T @ x = b."
    b = b[:, None] if vector else b
    if factors is not None and b.ndim == 2 and lapack.applies(a):
        x = factors.solve(a, b, transposed)
    else:
        x = xp.linalg.solve(xp.swapaxes(a, -1, -2) if transposed else a, b)
    return x[..., 0] if vector else x


@solve.vjp
def _solve(g, call, into, *, vector=False, transposed=False, factors=None):
    a, y = call.inputs[0], call.output
    g, y = (_column(g), _column(y)) if vector else (g, y)
    back = solve(a, g, transposed=not transposed, factors=factors)
    if into[0] is not None:
        moved = matmul(y, _t(back)) if transposed else matmul(back, _t(y))
        into[0].add(sum_to(-moved, call.shapes[0]))
    if into[1] is not None:
        into[1].add(sum_to(_vector(back) if vector else back, call.shapes[1]))


@solve.jvp
def _solve_tangent(tangents, call, *, vector=False, transposed=False, factors=None):
    da, db = tangents
    a, y = call.inputs[0], call.output
    y = _column(y) if vector else y
    moved = None if da is None else -matmul(_t(da) if transposed else da, y)
    if db is not None:
        db = _column(db) if vector else db
        moved = db if moved is None else db + moved
    found = solve(a, moved, transposed=transposed, factors=factors)
    return _vector(found) if vector else found


@structural(keeps=("y",))
def inverse(xp, a):
    "The inverse of square matrices. (What is multiplied with it is better solved for.)"
    return xp.linalg.inv(a)


@inverse.vjp
def _inverse(g, call, into):
    up = _t(call.output)
    into[0].add(-matmul(matmul(up, g), up))


@inverse.jvp
def _inverse_tangent(tangents, call):
    return -matmul(matmul(call.output, tangents[0]), call.output)


# ---------------------------------------------------------------------------------------------------- determinants


@structural(keeps=(0,))
def logabsdet(xp, a, *, factors=None):
    "The logarithm of the absolute value of the determinant; -inf for a singular matrix."
    return factors.sign_and_log(a)[1] if factors is not None and lapack.applies(a) else xp.linalg.slogdet(a)[1]


@logabsdet.vjp
def _logabsdet(g, call, into, *, factors=None):
    a = call.inputs[0]
    into[0].add(reshape(g, shape=(*g.shape, 1, 1)) * solve(a, _eye(a), transposed=True, factors=factors))


@logabsdet.jvp
def _logabsdet_tangent(tangents, call, *, factors=None):
    return _trace(solve(call.inputs[0], tangents[0], factors=factors))


def _trace(x: Any) -> Any:
    n = len(x.shape)
    return collect(ew.where(np.eye(x.shape[-1], dtype=bool), x, 0), axes=(n - 2, n - 1), keepdims=False)


@structural()
def detsign(xp, a, *, factors=None):
    "The sign of the determinant: -1, 0 or 1. Its derivative is 0."
    return factors.sign_and_log(a)[0] if factors is not None and lapack.applies(a) else xp.linalg.slogdet(a)[0]


@structural(keeps=(0, "y"))
def det(xp, a, *, factors=None):
    "The determinant."
    return xp.linalg.det(a)


@det.vjp
def _det(g, call, into, *, factors=None):
    a = call.inputs[0]
    scale = reshape(g * call.output, shape=(*g.shape, 1, 1))
    into[0].add(scale * solve(a, _eye(a), transposed=True, factors=factors))


@det.jvp
def _det_tangent(tangents, call, *, factors=None):
    return call.output * _trace(solve(call.inputs[0], tangents[0], factors=factors))


# -------------------------------------------------------------------------------------------- triangular systems


def _triangle(shape, lower, unit):
    """Which elements of a triangular matrix are read."""
    mask = np.tri(shape[-1], k=-1 if unit else 0, dtype=bool)
    return mask if lower else mask.T


@structural(keeps=(0, "y"))
def solve_triangular(xp, a, b, *, lower, unit):
    "The x with a @ x = b, of a triangular a of which the other triangle is not read; unit: nor is its diagonal, which is 1."
    if b.ndim == 2 and lapack.applies(a):
        return lapack.triangular(a, b, lower, unit)
    full = xp.where(xp.asarray(_triangle(a.shape, lower, unit)), a, 0)
    if unit:
        full = full + xp.eye(a.shape[-1], dtype=a.dtype)
    return xp.linalg.solve(full, b)


@solve_triangular.vjp
def _solve_triangular(g, call, into, *, lower, unit):
    a, y = call.inputs[0], call.output
    back = solve_triangular(_t(a), g, lower=not lower, unit=unit)
    if into[0] is not None:
        da = ew.where(_triangle(a.shape, lower, unit), -matmul(back, _t(y)), 0)
        into[0].add(sum_to(da, call.shapes[0]))
    if into[1] is not None:
        into[1].add(sum_to(back, call.shapes[1]))


@solve_triangular.jvp
def _solve_triangular_tangent(tangents, call, *, lower, unit):
    da, db = tangents
    a, y = call.inputs[0], call.output
    moved = None if da is None else -matmul(ew.where(_triangle(a.shape, lower, unit), da, 0), y)
    if db is not None:
        moved = db if moved is None else db + moved
    return solve_triangular(a, moved, lower=lower, unit=unit)


# ------------------------------------------------------------------------------------------------------- Cholesky


@structural(keeps=("y",))
def cholesky(xp, a):
    "The lower triangular L with L @ L.T = a, of a symmetric positive definite matrix, of which the lower triangle is read."
    return xp.linalg.cholesky(a)


def _half_lower(x: Any) -> Any:
    """The lower triangle with half of the diagonal."""
    n = x.shape[-1]
    weight = (1 - 0.5 * np.eye(n)).astype(x.dtype)
    return ew.where(_lower_triangle(n), x * weight, 0)


def _lower(x: Any) -> Any:
    return ew.where(_lower_triangle(x.shape[-1]), x, 0)


def _back(y: Any, b: Any) -> Any:
    """The x with y.T @ x = b, of a lower triangular y with zeros above. (To find those in a small one costs more than solving with it.)"""
    return solve_triangular(_t(y), b, lower=False, unit=False) if y.shape[-1] >= lapack.SMALL else solve(_t(y), b)


def _forth(y: Any, b: Any) -> Any:
    """The x with y @ x = b."""
    return solve_triangular(y, b, lower=True, unit=False) if y.shape[-1] >= lapack.SMALL else solve(y, b)


@cholesky.vjp
def _cholesky(g, call, into):
    y = call.output
    s = _back(y, _t(_back(y, _half_lower(matmul(_t(y), _lower(g))))))  # the transpose of L^-T P L^-1
    into[0].add((s + _t(s)) * 0.5)


@cholesky.jvp
def _cholesky_tangent(tangents, call):
    y = call.output
    d = (tangents[0] + _t(tangents[0])) * 0.5
    return matmul(y, _half_lower(_forth(y, _t(_forth(y, d)))))
