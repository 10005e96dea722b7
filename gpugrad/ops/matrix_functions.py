"""Rows of structural ops on matrices that only SciPy's names ask for: triangular systems, functions of matrices, Sylvester's equation.

The derivative of any function of a matrix is a block of that function of a larger one (R. Mathias, "A chain rule for matrix functions and
applications", 1996): f([[A, E], [0, A]]) has f(A) on its diagonal, and above it the derivative of f at A in the direction E.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..base import errors
from .structural import collect, concatenate, getitem, matmul, reshape, structural
from .structural import transposed as _t

# ------------------------------------------------------------------------------------------ functions of matrices

# Padé approximant of order 13 of the exponential, and up to which norm it is exact in float64: N. J. Higham, "The scaling and squaring method
# for the matrix exponential revisited" (2005).
_PADE = (
    64764752532480000.0, 32382376266240000.0, 7771770303897600.0, 1187353796428800.0, 129060195264000.0, 10559470521600.0, 670442572800.0,
    33522128640.0, 1323241920.0, 40840800.0, 960960.0, 16380.0, 182.0, 1.0,
)  # fmt: skip
_LARGEST = 5.371920351148152


def _expm(xp, a):
    if not a.size:
        return a.copy()
    norm = xp.abs(a).sum(-2).max(-1)
    halvings = xp.where(norm > _LARGEST, xp.ceil(xp.log2(xp.maximum(norm, 1e-300) / _LARGEST)), 0)
    halvings = xp.where(xp.isfinite(norm), halvings, 0)
    x = a / xp.exp2(halvings)[..., None, None].astype(a.dtype)
    one = xp.broadcast_to(xp.eye(a.shape[-1], dtype=a.dtype), a.shape)
    x2 = x @ x
    x4 = x2 @ x2
    x6 = x4 @ x2
    c = _PADE
    odd = x @ (x6 @ (c[13] * x6 + c[11] * x4 + c[9] * x2) + c[7] * x6 + c[5] * x4 + c[3] * x2 + c[1] * one)
    even = x6 @ (c[12] * x6 + c[10] * x4 + c[8] * x2) + c[6] * x6 + c[4] * x4 + c[2] * x2 + c[0] * one
    y = xp.linalg.solve(even - odd, even + odd)
    for k in range(int(halvings.max())):
        y = xp.where((halvings > k)[..., None, None], y @ y, y)
    return y.astype(a.dtype, copy=False)


def _by_scipy(xp, name, *matrices):
    """A function of `scipy.linalg` on the host."""
    if xp is not np:
        raise errors.DeviceError(f"{name} runs on the CPU alone: move its operands there with x.cpu().")
    try:
        import scipy.linalg
    except ImportError:
        raise errors.missing_extra(name, "scipy", "scipy") from None
    return getattr(scipy.linalg, name)(*matrices)


@structural(keeps=(0,))
def matrix_function(xp, a, *, name):
    "expm, logm or sqrtm of square matrices. A result that is not real raises ValueError."
    if name == "expm":
        return _expm(xp, a)
    results = []
    for one in a.reshape(-1, *a.shape[-2:]):
        found = _by_scipy(xp, name, one)
        if np.iscomplexobj(found) and not np.all(np.abs(found.imag) <= 1e-12 * np.abs(found).max(initial=0)):
            raise errors.bad_value(name, "of this matrix is complex, and tensors are real.")
        results.append(found.real.astype(a.dtype))
    return np.stack(results).reshape(a.shape) if results else a.copy()


def _moved(a, e, name):
    """The derivative of a function at a in the direction e."""
    n = a.shape[-1]
    zero = e * 0
    rows = [concatenate(a, e, axis=len(a.shape) - 1), concatenate(zero, a, axis=len(a.shape) - 1)]
    whole = matrix_function(concatenate(*rows, axis=len(a.shape) - 2), name=name)
    return getitem(whole, index=(Ellipsis, slice(0, n), slice(n, 2 * n)))


@matrix_function.vjp
def _matrix_function(g, call, into, *, name):
    into[0].add(_moved(_t(call.inputs[0]), g, name), apart=True)


@matrix_function.jvp
def _matrix_function_tangent(tangents, call, *, name):
    return _moved(call.inputs[0], tangents[0], name)


@structural(keeps=(0, 1, "y"))
def sylvester(xp, a, b, q):
    "The x with a @ x + x @ b = q."
    return _by_scipy(xp, "solve_sylvester", a, b, q).astype(q.dtype, copy=False)


@sylvester.vjp
def _sylvester(g, call, into):
    a, b, _ = call.inputs
    x = call.output
    back = sylvester(_t(a), _t(b), g)
    for n, part in ((0, lambda: -matmul(back, _t(x))), (1, lambda: -matmul(_t(x), back)), (2, lambda: back)):
        if into[n] is not None:
            into[n].add(part())


@sylvester.jvp
def _sylvester_tangent(tangents, call):
    a, b, _ = call.inputs
    da, db, dq = tangents
    x = call.output
    moved: Any = dq
    for part in (None if da is None else matmul(da, x), None if db is None else matmul(x, db)):
        if part is not None:
            moved = -part if moved is None else moved - part
    return sylvester(a, b, moved)


# ------------------------------------------------------------------------------- determinants of singular matrices


def _svd(xp, a):
    u, s, vh = xp.linalg.svd(a)
    turn = xp.linalg.det(u) * xp.linalg.det(vh)  # 1 or -1
    return u, s, vh, turn[..., None]


@structural(keeps=(0, "y"))
def singular_det(xp, a):
    "The determinant, with derivatives that are right where the matrix is singular, too, up to order 2."
    return xp.linalg.det(a)


@singular_det.vjp
def _singular_det(g, call, into):
    c = cofactors(call.inputs[0])
    into[0].add(c * _last_axes(g, c))


@singular_det.jvp
def _singular_det_tangent(tangents, call):
    d = tangents[0]
    n = len(d.shape)
    return collect(cofactors(call.inputs[0]) * d, axes=(n - 2, n - 1), keepdims=False)


def _last_axes(g, c):
    return reshape(g, shape=(*c.shape[:-2], 1, 1))


@structural(keeps=(0,))
def cofactors(xp, a):
    "The derivative of the determinant: with a = U S V, it is det(UV) U P V, P being diagonal, the product of the other singular values."
    u, s, vh, turn = _svd(xp, a)
    n = s.shape[-1]
    others = xp.where(xp.eye(n, dtype=bool), 1, s[..., None, :]).prod(-1)
    return (u * (turn * others)[..., None, :]) @ vh


@cofactors.vjp
def _cofactors(g, call, into):
    into[0].add(cofactor_tangent(call.inputs[0], g))


@cofactors.jvp
def _cofactors_tangent(tangents, call):
    return cofactor_tangent(call.inputs[0], tangents[0])


@structural(keeps=(0,))
def cofactor_tangent(xp, a, d):
    "The derivative of the cofactors at a in the direction d, which is linear and symmetric in d."
    u, s, vh, turn = _svd(xp, a)
    n = s.shape[-1]
    one = xp.eye(n, dtype=bool)
    left = one[:, None, :] | one[None, :, :]  # [i, j, k]: k is i or j
    others = xp.where(left, 1, s[..., None, None, :]).prod(-1)
    others = xp.where(one, 0, others)
    inner = u.swapaxes(-1, -2) @ d @ vh.swapaxes(-1, -2)
    diagonal = (others @ xp.diagonal(inner, axis1=-2, axis2=-1)[..., None])[..., 0]
    moved = -others * inner.swapaxes(-1, -2) + xp.where(one, diagonal[..., None, :], 0)
    return turn[..., None] * (u @ moved @ vh)


@cofactor_tangent.vjp
def _cofactor_tangent(g, call, into):
    if into[0] is not None:
        raise errors.GraphError("det: derivatives of a singular matrix are known up to order 2; this is of order 3.")
    into[1].add(cofactor_tangent(call.inputs[0], g))


@cofactor_tangent.jvp
def _cofactor_tangent_tangent(tangents, call):
    da, dd = tangents
    if da is not None:
        raise errors.GraphError("det: derivatives of a singular matrix are known up to order 2; this is of order 3.")
    return cofactor_tangent(call.inputs[0], dd)
