"""Rows of structural ops on matrices: what solves, factors and measures them. Matrices are the last two axes, the others are batches.

Derivatives after M. B. Giles, "Collected matrix derivative results for forward and reverse mode algorithmic differentiation" (2008), and
I. Murray, "Differentiation of the Cholesky decomposition" (2016). An inverse is never made: what it would be multiplied with is solved for.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from . import elementwise as ew
from .structural import collect, matmul, reshape, structural, sum_to, transpose

matrices = functools.partial(structural, matrices=True)


def _t(x: Any) -> Any:
    n = len(x.shape)
    return transpose(x, axes=(*range(n - 2), n - 1, n - 2))


def _eye(x: Any) -> Any:
    return np.broadcast_to(np.eye(x.shape[-1], dtype=x.dtype), x.shape)


def _column(x: Any) -> Any:
    return reshape(x, shape=(*x.shape, 1))


def _vector(x: Any) -> Any:
    return reshape(x, shape=x.shape[:-1])


@matrices(keeps=(0, "y"))
def solve(xp, a, b, *, vector=False):
    "The x with a @ x = b: shapes (..., n, n) and (..., n, k) give (..., n, k); vector: and (n,) gives (..., n)."
    return xp.linalg.solve(a, b[:, None])[..., 0] if vector else xp.linalg.solve(a, b)


@solve.vjp
def _solve(g, call, into, *, vector=False):
    a, y = call.inputs[0], call.output
    g, y = (_column(g), _column(y)) if vector else (g, y)
    back = solve(_t(a), g)
    if into[0] is not None:
        into[0].add(sum_to(-matmul(back, _t(y)), call.shapes[0]))
    if into[1] is not None:
        into[1].add(sum_to(_vector(back) if vector else back, call.shapes[1]))


@solve.jvp
def _solve_tangent(tangents, call, *, vector=False):
    da, db = tangents
    a, y = call.inputs[0], call.output
    y = _column(y) if vector else y
    moved = None if da is None else -matmul(da, y)
    if db is not None:
        db = _column(db) if vector else db
        moved = db if moved is None else db + moved
    found = solve(a, moved)
    return _vector(found) if vector else found


@matrices(keeps=(0,))
def logabsdet(xp, a):
    "The logarithm of the absolute value of the determinant; -inf for a singular matrix."
    return xp.linalg.slogdet(a)[1]


@logabsdet.vjp
def _logabsdet(g, call, into):
    a = call.inputs[0]
    into[0].add(reshape(g, shape=(*g.shape, 1, 1)) * solve(_t(a), _eye(a)))


@logabsdet.jvp
def _logabsdet_tangent(tangents, call):
    return _trace(solve(call.inputs[0], tangents[0]))


def _trace(x: Any) -> Any:
    n = len(x.shape)
    return collect(ew.where(np.eye(x.shape[-1], dtype=bool), x, 0), axes=(n - 2, n - 1), keepdims=False)


@matrices()
def detsign(xp, a):
    "The sign of the determinant: -1, 0 or 1. Its derivative is 0."
    return xp.linalg.slogdet(a)[0]


@matrices(keeps=(0, "y"))
def det(xp, a):
    "The determinant."
    return xp.linalg.det(a)


@det.vjp
def _det(g, call, into):
    a = call.inputs[0]
    into[0].add(reshape(g * call.output, shape=(*g.shape, 1, 1)) * solve(_t(a), _eye(a)))


@det.jvp
def _det_tangent(tangents, call):
    return call.output * _trace(solve(call.inputs[0], tangents[0]))


@matrices(keeps=("y",))
def cholesky(xp, a):
    "The lower triangular L with L @ L.T = a, of a symmetric positive definite matrix, of which the lower triangle is read."
    return xp.linalg.cholesky(a)


def _half_lower(x: Any) -> Any:
    """The lower triangle with half of the diagonal."""
    n = x.shape[-1]
    weight = (1 - 0.5 * np.eye(n)).astype(x.dtype)
    return ew.where(np.tri(n, dtype=bool), x * weight, 0)


def _lower(x: Any) -> Any:
    return ew.where(np.tri(x.shape[-1], dtype=bool), x, 0)


@cholesky.vjp
def _cholesky(g, call, into):
    y = call.output
    up = _t(y)
    s = solve(up, _t(solve(up, _half_lower(matmul(up, _lower(g))))))  # the transpose of L^-T P L^-1
    into[0].add((s + _t(s)) * 0.5)


@cholesky.jvp
def _cholesky_tangent(tangents, call):
    y = call.output
    d = (tangents[0] + _t(tangents[0])) * 0.5
    return matmul(y, _half_lower(solve(y, _t(solve(y, d)))))
