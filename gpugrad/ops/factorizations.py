"""Rows of structural ops that factor matrices by their eigenvalues, singular values or an orthogonal basis, and pseudo-inverses.

A row has one result, so the parts of a factorization lie below one another in it: of `eigh` the eigenvalues as the first row and the
eigenvectors as columns below; of `svd` the singular values, the left vectors and, as columns too, the right ones.

Derivatives after M. B. Giles, "Collected matrix derivative results for forward and reverse mode algorithmic differentiation" (2008), J.
Townsend, "Differentiating the singular value decomposition" (2016), S. F. Walter and L. Lehmann, "Algorithmic differentiation of linear
algebra functions" (2010), and G. H. Golub and V. Pereyra, "The differentiation of pseudo-inverses" (1973). Where values repeat, their
vectors are any basis of a space: what does not depend on which has a derivative, and all else is an error. `vectors` says whether anybody
has them: a tangent of theirs that nobody looks at is no error.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..base import errors
from . import elementwise as ew
from .linear_algebra import solve
from .structural import collect, concatenate, getitem, matmul, structural
from .structural import transposed as _t


def _rows(x: Any, start: int | None, stop: int | None) -> Any:
    return getitem(x, index=(..., slice(start, stop), slice(None)))


def _joined(*parts: Any) -> Any:
    return concatenate(*parts, axis=len(parts[0].shape) - 2)


def _sum(x: Any) -> Any:
    """Of each matrix, as a matrix with one element; of booleans, whether any is true."""
    n = len(x.shape)
    return collect(x, axes=(n - 2, n - 1), keepdims=True)


def _diagonal(x: Any) -> Any:
    """The diagonal of matrices as rows."""
    n = len(x.shape)
    return collect(ew.where(np.eye(x.shape[-1], dtype=bool), x, 0), axes=(n - 2,), keepdims=True)


# -------------------------------------------------------------------------------------------------- what has no derivative


VECTORS = (
    "the vectors of repeated eigenvalues or singular values, and of a singular value of 0, are any basis of a space: a derivative of what is "
    "made of them, or of such a value together with its vectors, is not known. Values alone, from eigvalsh and svdvals, have theirs; so has "
    "what leaves those values and vectors out."
)
DEPENDENT = "the columns of this matrix are not independent: its orthogonal basis has no derivative."
TWICE = "the second derivative of a factorization is not known where eigenvalues or singular values repeat, or a singular value is 0."


@structural(keeps=())
def unless(xp, x, bad, *, message):
    "x, unless something is true, which is an error."
    if bool(bad.any()):
        raise errors.GraphError(message)
    return x[...]  # a view: this buffer is another's


@unless.vjp
def _unless(g, call, into, *, message):
    into[0].add(g)


@unless.jvp
def _unless_tangent(tangents, call, *, message):
    return tangents[0]


@structural(keeps=(1,))
def once(xp, x, bad):
    "x, which must not be differentiated where something is true."
    return x[...]


@once.vjp
def _once(g, call, into):
    into[0].add(unless(g, call.inputs[1], message=TWICE))


@once.jvp
def _once_tangent(tangents, call):
    return unless(tangents[0], call.inputs[1], message=TWICE)


def _touched(*gradients: Any) -> Any:
    """Which columns have a gradient, as a row."""
    n = len(gradients[0].shape)
    sums = [collect(ew.absolute(g), axes=(n - 2,), keepdims=True) for g in gradients]
    total = sums[0]
    for more in sums[1:]:
        total = total + more
    return ew.logical_not(_small(total, _sum(total), 16))


def _small(x: Any, scale: Any, times: float) -> Any:
    """Where numbers are no more than rounding errors beside a scale."""
    return ew.absolute(x) <= times * float(np.finfo(scale.dtype).eps) * scale


def _inverse(x: Any, zero: Any) -> Any:
    return ew.where(zero, 0, 1 / ew.where(zero, 1, x))


def _outside(x: Any, basis: Any) -> Any:
    """What of the columns of x is not in the space of orthonormal columns."""
    return x - matmul(basis, matmul(_t(basis), x))


# ------------------------------------------------------------------------------------------------------- eigenvalues


@structural(keeps=("y",))
def eigh(xp, a, *, vectors):
    "Of symmetric matrices, of which the lower triangle is read, the eigenvalues, rising, and below them the eigenvectors as columns."
    w, v = xp.linalg.eigh(a)
    return xp.concatenate([w[..., None, :], v], -2)


def _eigen(y: Any) -> tuple[Any, Any, Any, Any]:
    """Eigenvalues, vectors, which pairs of different places have equal values, and 1 / (w[j] - w[i]) of the others."""
    w, v = _rows(y, 0, 1), _rows(y, 1, None)
    gap = w - _t(w)
    near = _small(gap, _sum(ew.absolute(w)), 4)
    return w, v, ew.logical_and(near, ~np.eye(v.shape[-1], dtype=bool)), _inverse(gap, near)


def _simple(g: Any, y: Any, zero: bool) -> bool:
    """Whether the vectors have no gradient, and no value repeats, or is 0 where `zero` matters: asked of arrays, where that costs little.

    The rules below then come to U diag(g) V.T: all else is multiplied by 0.
    """
    if type(g) is not np.ndarray or not y.size or g[..., 1:, :].any():
        return False
    values = y[..., 0, :]
    least = 4 * np.finfo(y.dtype).eps * abs(values).sum(-1, keepdims=True)
    apart = (abs(values[..., 1:] - values[..., :-1]) > least).all()
    return bool(apart and (not zero or (values[..., -1:] > least).all()))


@eigh.vjp
def _eigh(g, call, into, *, vectors):
    if _simple(g, call.output, False):
        v = call.output[..., 1:, :]
        found = np.matmul(v * g[..., :1, :], v.swapaxes(-1, -2))
        into[0].add((found + found.swapaxes(-1, -2)) * 0.5)
        return
    _, v, equal, share = _eigen(call.output)
    gw, gv = _rows(g, 0, 1), _rows(g, 1, None)
    inner = ew.where(np.eye(v.shape[-1], dtype=bool), gw, 0) + share * matmul(_t(v), gv)
    if vectors:
        inner = unless(inner, ew.logical_and(equal, _touched(gw, gv)), message=VECTORS)
    found = matmul(matmul(v, inner), _t(v))
    into[0].add(once((found + _t(found)) * 0.5, equal))


@eigh.jvp
def _eigh_tangent(tangents, call, *, vectors):
    _, v, equal, share = _eigen(call.output)
    d = (tangents[0] + _t(tangents[0])) * 0.5
    moved = matmul(matmul(_t(v), d), v)
    turned = matmul(v, share * moved)
    if vectors:
        loose = ew.logical_and(equal, ew.logical_not(_small(moved, _sum(ew.absolute(d)), 1e4)))
        turned = unless(turned, loose, message=VECTORS)
    return once(_joined(_diagonal(moved), turned), equal)


# --------------------------------------------------------------------------------------------------- singular values


@structural(keeps=("y",))
def svd(xp, a, *, vectors):
    "The singular values of matrices, falling, and below them the left and the right singular vectors as columns."
    u, s, vh = xp.linalg.svd(a, full_matrices=False)
    return xp.concatenate([s[..., None, :], u, xp.swapaxes(vh, -1, -2)], -2)


class _Singular:
    """The parts of such a result, and what the derivatives of both modes have in common.

    zero: the values that are 0. equal: pairs of different places whose values are equal. less, more: 1 / (s[j] - s[i]), 0 for such pairs, and
    1 / (s[j] + s[i]), 0 where both are 0. back: 1 / s, 0 for a value of 0.
    """

    def __init__(self, y: Any, m: int) -> None:
        self.s, self.u, self.v = _rows(y, 0, 1), _rows(y, 1, 1 + m), _rows(y, 1 + m, None)
        scale = _sum(self.s)
        other = ~np.eye(self.s.shape[-1], dtype=bool)
        gap, total = self.s - _t(self.s), self.s + _t(self.s)
        near, none = _small(gap, scale, 4), _small(total, scale, 4)
        self.zero = _small(self.s, scale, 4)
        self.equal = ew.logical_and(near, other)
        self.less, self.more, self.back = _inverse(gap, near), _inverse(total, none), _inverse(self.s, self.zero)

    def singular(self) -> Any:
        """Where there is no second derivative."""
        return ew.logical_or(self.equal, self.zero)


@svd.vjp
def _svd(g, call, into, *, vectors):
    m = call.shapes[0][-2]
    if _simple(g, call.output, True):
        u, v = call.output[..., 1 : 1 + m, :], call.output[..., 1 + m :, :]
        into[0].add(np.matmul(u * g[..., :1, :], v.swapaxes(-1, -2)))
        return
    f = _Singular(call.output, m)
    gs, gu, gv = _rows(g, 0, 1), _rows(g, 1, 1 + m), _rows(g, 1 + m, None)
    a, b = matmul(_t(f.u), gu), matmul(_t(f.v), gv)
    a, b = a - _t(a), b - _t(b)
    even, odd = (a + b) * 0.5, (a - b) * 0.5
    values = ew.where(np.eye(f.s.shape[-1], dtype=bool), ew.where(f.zero, 0, gs), 0)
    inner = values + f.less * even + f.more * odd
    if vectors:
        inner = unless(inner, ew.logical_and(f.singular(), _touched(gs, gu, gv)), message=VECTORS)
    left, right = _outside(gu, f.u) * f.back, _outside(gv, f.v) * f.back
    found = matmul(matmul(f.u, inner) + left, _t(f.v)) + matmul(f.u, _t(right))
    into[0].add(once(found, _sum(f.singular())))


@svd.jvp
def _svd_tangent(tangents, call, *, vectors):
    d = tangents[0]
    f = _Singular(call.output, call.shapes[0][-2])
    moved = matmul(matmul(_t(f.u), d), f.v)
    even, odd = (moved + _t(moved)) * 0.5, (moved - _t(moved)) * 0.5
    left, right = _outside(matmul(d, f.v), f.u), _outside(matmul(_t(d), f.u), f.v)
    du = matmul(f.u, f.less * even + f.more * odd) + left * f.back
    dv = matmul(f.v, f.less * even - f.more * odd) + right * f.back
    ds = _diagonal(moved)
    if vectors:
        scale = _sum(ew.absolute(d))
        for part, where in ((moved, f.equal), (ds, f.zero), (left, f.zero), (right, f.zero)):
            du = unless(du, ew.logical_and(where, ew.logical_not(_small(part, scale, 1e4))), message=VECTORS)
    return once(_joined(ew.where(f.zero, 0, ds), du, dv), _sum(f.singular()))


# -------------------------------------------------------------------------------------------------- orthogonal bases


@structural(keeps=(0, "y"))
def orthogonal(xp, a):
    "The Q of a = Q R, of matrices that are not wider than tall: orthonormal columns."
    return xp.linalg.qr(a)[0]


def _triangular(q: Any, a: Any) -> Any:
    """The R of a = Q R, which is to be divided by."""
    r = ew.where(~np.tri(q.shape[-1], k=-1, dtype=bool), matmul(_t(q), a), 0)
    return unless(r, _small(_diagonal(r), _sum(ew.absolute(r)), 4), message=DEPENDENT)


@orthogonal.vjp
def _orthogonal(g, call, into):
    q = call.output
    r = _triangular(q, call.inputs[0])
    turned = matmul(_t(q), g)
    lower = ew.where(np.tri(q.shape[-1], k=-1, dtype=bool), turned - _t(turned), 0)
    into[0].add(_t(solve(r, _t(matmul(q, lower) + _outside(g, q)))))


@orthogonal.jvp
def _orthogonal_tangent(tangents, call):
    q = call.output
    r = _triangular(q, call.inputs[0])
    d = _t(solve(_t(r), _t(tangents[0])))
    lower = ew.where(np.tri(q.shape[-1], k=-1, dtype=bool), matmul(_t(q), d), 0)
    return matmul(q, lower - _t(lower)) + _outside(d, q)


@structural(keeps=(0, "y"))
def complement(xp, q):
    "Orthonormal columns of the space that orthonormal columns leave over. As these turn, they turn no more than they must."
    return xp.linalg.qr(q, mode="complete")[0][..., q.shape[-1] :]


@complement.vjp
def _complement(g, call, into):
    into[0].add(-matmul(call.output, matmul(_t(g), call.inputs[0])))


@complement.jvp
def _complement_tangent(tangents, call):
    return -matmul(call.inputs[0], matmul(_t(tangents[0]), call.output))


# -------------------------------------------------------------------------------------------------- pseudo-inverses


@structural(keeps=(0, "y"))
def pinv(xp, a, *, rcond):
    "The pseudo-inverse; singular values up to rcond times the largest count as 0. Its derivative is that at this rank."
    return xp.linalg.pinv(a, rcond)


@pinv.vjp
def _pinv(g, call, into, *, rcond):
    a, p = call.inputs[0], call.output
    up = _t(p)
    one = -matmul(matmul(up, g), up)
    two = matmul(_t(g), matmul(p, up))
    three = matmul(matmul(up, p), _t(g))
    into[0].add(one + two - matmul(a, matmul(p, two)) + three - matmul(matmul(three, p), a))


@pinv.jvp
def _pinv_tangent(tangents, call, *, rcond):
    a, p = call.inputs[0], call.output
    d, up = tangents[0], _t(p)
    two = matmul(matmul(p, up), _t(d))
    three = matmul(_t(d), matmul(up, p))
    return two - matmul(matmul(two, a), p) + three - matmul(p, matmul(a, three)) - matmul(matmul(p, d), p)
