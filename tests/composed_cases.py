"""Functions of NumPy that are made of others, as they are called: for values, gradients, dtypes, and NumPy's own function on tensors."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from structural_cases import a, distinct


def with_nans(*shape: int) -> np.ndarray:
    x = distinct(*shape)
    x.ravel()[::5] = np.nan
    return x


def regular(*shape: int) -> np.ndarray:
    """Matrices that are far from singular."""
    n = shape[-1]
    return a(*shape, n) + n * np.eye(n)


def rising(n: int) -> np.ndarray:
    return np.cumsum(a(n))


def both(m, x):
    """A symmetric matrix."""
    return x + m.matrix_transpose(x)


def again(m, w, v):
    """Something of eigenvalues and eigenvectors that does not depend on the signs of these."""
    return m.matmul(v * w**3, v.T)


def three(m, u, s, v):
    return m.matmul(u * s**2, v)


def square(m, x):
    return m.matmul(x, x.T)


def _windows(m):
    """The function where NumPy has it."""
    return (
        np.lib.stride_tricks.sliding_window_view if m is np or m.__name__.startswith("jax") else m.sliding_window_view
    )


METHODS = [
    "linear", "interpolated_inverted_cdf", "hazen", "weibull", "median_unbiased", "normal_unbiased", "inverted_cdf",
    "averaged_inverted_cdf", "closest_observation", "lower", "higher", "midpoint", "nearest",
]  # fmt: skip
X = np.array([0.1, 0.9, 1.7, 3.2])
XP = np.array([0.5, 1.25, 2.0, 3.0])
# They compute in float64 whatever they are given, as NumPy's do.
IN_DOUBLE = {"float_power", "bincount", "histogram density"}
# name, ours, NumPy's (the same function of np where None), arguments
COMPOSED: list[tuple[str, Callable, Callable | None, list[np.ndarray]]] = [
    ("outer", lambda m, x, y: m.outer(x, y), None, [a(2, 2), a(3)]),
    ("inner", lambda m, x, y: m.inner(x, y), None, [a(2, 4), a(3, 4)]),
    ("inner number", lambda m, x, y: m.inner(x, y), None, [a(), a(3)]),
    ("vdot", lambda m, x, y: m.vdot(x, y), None, [a(2, 3), a(2, 3)]),
    ("vecdot", lambda m, x, y: m.vecdot(x, y), None, [a(2, 3, 4), a(3, 4)]),
    ("vecdot axis", lambda m, x, y: m.vecdot(x, y, axis=0), lambda x, y: np.vecdot(x, y, axis=0), [a(4, 2), a(4, 2)]),
    ("matvec", lambda m, x, y: m.matvec(x, y), None, [a(2, 3, 4), a(4)]),
    ("vecmat", lambda m, x, y: m.vecmat(x, y), None, [a(2, 3), a(3, 4)]),
    ("kron", lambda m, x, y: m.kron(x, y), None, [a(2, 3), a(2)]),
    ("kron matrices", lambda m, x, y: m.kron(x, y), None, [a(2, 3), a(3, 2)]),
    ("cross", lambda m, x, y: m.cross(x, y), None, [a(4, 3), a(3)]),
    ("cross axes", lambda m, x, y: m.cross(x, y, axisa=0, axisb=1, axisc=0), None, [a(3, 4), a(4, 3)]),
    ("cross axis", lambda m, x, y: m.cross(x, y, axis=0), None, [a(3, 4), a(3, 4)]),
    ("diagonal", lambda m, x: m.diagonal(x, 1), None, [a(3, 4)]),
    ("diagonal axes", lambda m, x: m.diagonal(x, -1, 2, 0), None, [a(3, 2, 4)]),
    ("trace", lambda m, x: m.trace(x), None, [a(3, 4)]),
    ("trace axes", lambda m, x: m.trace(x, -1, 0, 2), None, [a(3, 2, 4)]),
    ("diag", lambda m, x: m.diag(x), None, [a(3)]),
    ("diag below", lambda m, x: m.diag(x, -2), None, [a(3)]),
    ("diag of a matrix", lambda m, x: m.diag(x, 1), None, [a(3, 3)]),
    ("diagflat", lambda m, x: m.diagflat(x, 1), None, [a(2, 2)]),
    ("tril", lambda m, x: m.tril(x, -1), None, [a(2, 3, 4)]),
    ("triu", lambda m, x: m.triu(x, 1), None, [a(3, 4)]),
    ("triu vector", lambda m, x: m.triu(x), lambda x: np.triu(x), [a(3)]),
    ("matrix_transpose", lambda m, x: m.matrix_transpose(x), None, [a(2, 3, 4)]),
    ("atleast_1d", lambda m, x: m.atleast_1d(x), None, [a()]),
    ("atleast_2d", lambda m, x, y: m.atleast_2d(x, y)[0] * m.atleast_2d(x, y)[1], None, [a(3), a()]),
    ("atleast_3d", lambda m, x: m.atleast_3d(x), None, [a(3, 2)]),
    ("atleast_3d vector", lambda m, x: m.atleast_3d(x), None, [a(3)]),
    ("hstack", lambda m, x, y: m.hstack([x, y]), None, [a(2, 3), a(2, 1)]),
    ("hstack vectors", lambda m, x, y: m.hstack([x, y]), None, [a(2), a()]),
    ("vstack", lambda m, x, y: m.vstack([x, y]), None, [a(3), a(2, 3)]),
    ("dstack", lambda m, x, y: m.dstack([x, y]), None, [a(3), a(1, 3, 2)]),
    ("column_stack", lambda m, x, y: m.column_stack([x, y]), None, [a(3), a(3, 2)]),
    ("append", lambda m, x, y: m.append(x, y), None, [a(2, 3), a()]),
    ("append axis", lambda m, x, y: m.append(x, y, axis=0), None, [a(2, 3), a(1, 3)]),
    ("block", lambda m, x, y: m.block([[x, y], [y, x]]), None, [a(2, 2), a(2, 2)]),
    ("block mixed", lambda m, x, y: m.block([x, y]), None, [a(2, 3), a(2, 1)]),
    ("array_split", lambda m, x: m.array_split(x, 3)[1], None, [a(7, 2)]),
    ("array_split indices", lambda m, x: m.array_split(x, [1, 4], axis=1)[2], None, [a(2, 7)]),
    ("vsplit", lambda m, x: m.vsplit(x, 2)[1], None, [a(4, 2)]),
    ("hsplit", lambda m, x: m.hsplit(x, [1])[1], None, [a(2, 3)]),
    ("hsplit vector", lambda m, x: m.hsplit(x, 2)[1], None, [a(4)]),
    ("dsplit", lambda m, x: m.dsplit(x, 2)[0], None, [a(2, 1, 4)]),
    ("unstack", lambda m, x: m.unstack(x, axis=1)[1], None, [a(2, 3)]),
    ("broadcast_arrays", lambda m, x, y: m.broadcast_arrays(x, y)[0] * m.broadcast_arrays(x, y)[1], None, [a(2, 3), a(3)]),
    ("meshgrid", lambda m, x, y: m.meshgrid(x, y)[0] * m.meshgrid(x, y)[1], None, [a(2), a(3)]),
    ("meshgrid sparse", lambda m, x: m.meshgrid(x, np.ones(3), indexing="ij", sparse=True)[0], None, [a(2)]),
    ("sliding windows", lambda m, x: _windows(m)(x, 3), lambda x: _windows(np)(x, 3), [a(5)]),
    ("sliding windows of two axes", lambda m, x: _windows(m)(x, (2, 3)), lambda x: _windows(np)(x, (2, 3)), [a(3, 4)]),
    ("sliding windows twice", lambda m, x: _windows(m)(x, (2, 2), axis=(0, 0)), lambda x: _windows(np)(x, (2, 2), axis=(0, 0)), [a(5, 2)]),
    ("fliplr", lambda m, x: m.fliplr(x), None, [a(2, 3)]),
    ("flipud", lambda m, x: m.flipud(x), None, [a(2, 3)]),
    *[(f"rot90 {k}", lambda m, x, k=k: m.rot90(x, k), None, [a(2, 3)]) for k in range(4)],
    ("rot90 axes", lambda m, x: m.rot90(x, 1, axes=(2, 0)), None, [a(2, 3, 4)]),
    ("rollaxis", lambda m, x: m.rollaxis(x, 2), None, [a(2, 3, 4)]),
    ("rollaxis end", lambda m, x: m.rollaxis(x, 0, 3), None, [a(2, 3, 4)]),
    ("cumprod", lambda m, x: m.cumprod(x, axis=1), None, [a(3, 5)]),
    ("cumprod zeros", lambda m, x: m.cumprod(x), None, [np.array([1.5, 0.0, 2.0, 0.0, 3.0])]),
    ("cumprod axis 0", lambda m, x: m.cumprod(x, axis=0), None, [np.array([[1.5, 0.0], [0.0, 2.0], [3.0, 0.0], [0.5, 1.0]])]),
    ("cumulative_sum", lambda m, x: m.cumulative_sum(x, axis=1, include_initial=True), None, [a(2, 3)]),
    ("cumulative_prod", lambda m, x: m.cumulative_prod(x), None, [a(4)]),
    ("diff", lambda m, x: m.diff(x, 2, axis=0), None, [a(4, 3)]),
    ("diff ends", lambda m, x, y: m.diff(x, prepend=y, append=y), None, [a(2, 3), a(2, 2)]),
    ("ediff1d", lambda m, x, y: m.ediff1d(x, to_end=y, to_begin=y), None, [a(2, 3), a(2)]),
    ("trapezoid", lambda m, y: m.trapezoid(y, dx=0.5, axis=0), None, [a(4, 2)]),
    ("trapezoid places", lambda m, y, x: m.trapezoid(y, x), None, [a(2, 4), rising(4)]),
    ("trapezoid all places", lambda m, y, x: m.trapezoid(y, x, axis=0), None, [a(4, 2), a(4, 2).cumsum(0)]),
    ("gradient", lambda m, x: m.gradient(x), None, [a(5)]),
    ("gradient axis", lambda m, x: m.gradient(x, 0.5, axis=1), None, [a(2, 4)]),
    ("gradient axes", lambda m, x: m.gradient(x)[1], None, [a(3, 4)]),
    ("gradient places", lambda m, x, y: m.gradient(x, y), lambda x, y: np.gradient(x, y), [a(5), rising(5)]),
    ("gradient second order", lambda m, x: m.gradient(x, edge_order=2), lambda x: np.gradient(x, edge_order=2), [a(5)]),
    ("gradient places second order", lambda m, x, y: m.gradient(x, y, edge_order=2),
     lambda x, y: np.gradient(x, y, edge_order=2), [a(5), rising(5)]),
    ("interp", lambda m, x, xp, fp: m.interp(x, xp, fp), None, [X, XP, a(4)]),
    ("interp sides", lambda m, x, xp, fp: m.interp(x, xp, fp, left=-1.0, right=2.0), None, [X, XP, a(4)]),
    ("ptp", lambda m, x: m.ptp(x, axis=1), None, [distinct(3, 4)]),
    ("average", lambda m, x, w: m.average(x, axis=0, weights=w), None, [a(3, 4), a(3)]),
    ("average all", lambda m, x, w: m.average(x, weights=w), None, [a(3, 4), a(3, 4)]),
    ("average axes", lambda m, x, w: m.average(x, axis=(2, 0), weights=w), lambda x, w: np.average(x, (2, 0), w), [a(2, 3, 4), a(4, 2)]),
    ("average returned", lambda m, x, w: m.stack(m.average(x, axis=1, weights=w, returned=True)), None, [a(3, 4), a(4)]),
    ("average without weights", lambda m, x: m.average(x, axis=1), None, [a(3, 4)]),
    ("median", lambda m, x: m.median(x, axis=1), None, [distinct(3, 4)]),
    ("median odd", lambda m, x: m.median(x, axis=(0, 2), keepdims=True), None, [distinct(3, 2, 5)]),
    ("nanmedian", lambda m, x: m.nanmedian(x, axis=1), None, [with_nans(3, 6)]),
    ("quantile", lambda m, x: m.quantile(x, 0.3, axis=1), None, [distinct(3, 4)]),
    ("quantile keepdims", lambda m, x: m.quantile(x, 0.3, axis=(0, 2), keepdims=True), lambda x: np.quantile(x, 0.3, (0, 2), keepdims=True),
     [distinct(3, 2, 3)]),
    ("quantile of q", lambda m, x, q: m.quantile(x, q), None, [distinct(6), np.array([0.31, 0.77])]),
    *[(f"quantile {k}", lambda m, x, k=k: m.quantile(x, 0.37, method=k), lambda x, k=k: np.quantile(x, 0.37, method=k), [distinct(9)])
      for k in METHODS],
    ("nanquantile", lambda m, x: m.nanquantile(x, 0.3, axis=1), None, [with_nans(3, 6)]),
    ("percentile", lambda m, x: m.percentile(x, 30.0), None, [distinct(3, 4)]),
    ("nanpercentile", lambda m, x: m.nanpercentile(x, 70, axis=0), None, [with_nans(4, 3)]),
    ("nansum", lambda m, x: m.nansum(x, axis=1), None, [with_nans(3, 4)]),
    ("nanprod", lambda m, x: m.nanprod(x, axis=1), None, [with_nans(3, 4)]),
    ("nancumsum", lambda m, x: m.nancumsum(x, axis=0), None, [with_nans(3, 4)]),
    ("nancumprod", lambda m, x: m.nancumprod(x, axis=1), None, [with_nans(3, 4)]),
    ("nanmax", lambda m, x: m.nanmax(x, axis=1), None, [with_nans(3, 4)]),
    ("nanmin", lambda m, x: m.nanmin(x), None, [with_nans(3, 4)]),
    ("nanmean", lambda m, x: m.nanmean(x, axis=0), None, [with_nans(3, 4)]),
    ("nanvar", lambda m, x: m.nanvar(x, axis=1, ddof=1), None, [with_nans(3, 4)]),
    ("nanstd", lambda m, x: m.nanstd(x, keepdims=True), None, [with_nans(3, 4)]),
    ("cov", lambda m, x: m.cov(x), None, [a(3, 5)]),
    ("cov columns", lambda m, x, y: m.cov(x, y, rowvar=False, bias=True), lambda x, y: np.cov(x, y, rowvar=False, bias=True),
     [a(5, 2), a(5, 2)]),
    ("corrcoef", lambda m, x: m.corrcoef(x), None, [a(3, 5)]),
    ("solve", lambda m, x, y: m.linalg.solve(x, y), None, [regular(3), a(3, 2)]),
    ("solve vector", lambda m, x, y: m.linalg.solve(x, y), None, [regular(2, 3), a(3)]),
    ("solve batches", lambda m, x, y: m.linalg.solve(x, y), None, [regular(2, 3), a(3, 2)]),
    ("inv", lambda m, x: m.linalg.inv(x), None, [regular(2, 3)]),
    ("det", lambda m, x: m.linalg.det(x), None, [regular(2, 3)]),
    ("slogdet", lambda m, x: m.linalg.slogdet(x)[1], None, [regular(2, 3)]),
    ("cholesky", lambda m, x: m.linalg.cholesky(m.matmul(x, m.matrix_transpose(x))), None, [regular(2, 3)]),
    ("cholesky upper", lambda m, x: m.linalg.cholesky(m.matmul(x, m.matrix_transpose(x)), upper=True),
     lambda x: np.linalg.cholesky(x @ np.matrix_transpose(x), upper=True), [regular(3)]),
    ("norm", lambda m, x: m.linalg.norm(x), None, [a(3, 4)]),
    ("norm rows", lambda m, x: m.linalg.norm(x, axis=1, keepdims=True), None, [a(3, 4)]),
    *[(f"norm vector {o}", lambda m, x, o=o: m.linalg.norm(x, o, axis=0), None, [distinct(3, 2)])
      for o in (np.inf, -np.inf, 1, 3, 0.5, -1)],
    *[(f"norm matrix {o}", lambda m, x, o=o: m.linalg.norm(x, o, axis=(0, 2)), None, [distinct(3, 2, 4)])
      for o in ("fro", np.inf, -np.inf, 1, -1)],
    ("vector_norm", lambda m, x: m.linalg.vector_norm(x, axis=(0, 1), ord=3), None, [a(3, 4, 2)]),
    ("matrix_norm", lambda m, x: m.linalg.matrix_norm(x, keepdims=True), None, [a(3, 4, 2)]),
    ("matrix_power", lambda m, x: m.linalg.matrix_power(x, 5), None, [a(2, 2)]),
    ("matrix_power inverse", lambda m, x: m.linalg.matrix_power(x, -2), None, [regular(2, 2)]),
    ("multi_dot", lambda m, x, y, z: m.linalg.multi_dot([x, y, z]), None, [a(3), a(3, 4), a(4, 2)]),
    ("tensorsolve", lambda m, x, y: m.linalg.tensorsolve(x, y), None, [regular(6).reshape(6, 2, 3), a(6)]),
    ("tensorinv", lambda m, x: m.linalg.tensorinv(x, ind=1), None, [regular(6).reshape(6, 2, 3)]),
    ("linalg.cross", lambda m, x, y: m.linalg.cross(x, y, axis=0), None, [a(3, 2), a(3, 2)]),
    ("linalg.trace", lambda m, x: m.linalg.trace(x, offset=1), None, [a(2, 3, 3)]),
    ("linalg.diagonal", lambda m, x: m.linalg.diagonal(x), None, [a(2, 3, 3)]),
    ("convolve", lambda m, x, y: m.convolve(x, y), None, [a(5), a(3)]),
    *[(f"convolve {k}", lambda m, x, y, k=k: m.convolve(x, y, k), None, [a(n), a(o)])
      for k in ("same", "valid") for n, o in ((6, 3), (6, 4), (3, 6), (4, 6), (1, 1))],
    ("correlate", lambda m, x, y: m.correlate(x, y), None, [a(5), a(3)]),
    *[(f"correlate {k}", lambda m, x, y, k=k: m.correlate(x, y, k), None, [a(n), a(o)])
      for k in ("same", "full") for n, o in ((6, 3), (6, 4), (3, 6), (4, 6))],
    ("vander", lambda m, x: m.vander(x, 4), None, [a(3)]),
    ("vander increasing", lambda m, x: m.vander(x, increasing=True), None, [a(3)]),
    ("poly", lambda m, x: m.poly(x), None, [distinct(4)]),
    ("polyval", lambda m, p, x: m.polyval(p, x), None, [a(4), a(2, 3)]),
    ("polyadd", lambda m, x, y: m.polyadd(x, y), None, [a(4), a(2)]),
    ("polysub", lambda m, x, y: m.polysub(x, y), None, [a(2), a(4)]),
    ("polymul", lambda m, x, y: m.polymul(x, y), None, [a(4), a(2)]),
    ("polydiv", lambda m, x, y: m.polydiv(x, y)[0], lambda x, y: np.polydiv(x, y)[0], [a(5), a(3)]),
    ("polydiv remainder", lambda m, x, y: m.polydiv(x, y)[1], lambda x, y: np.polydiv(x, y)[1], [a(5), a(3)]),
    ("polyder", lambda m, x: m.polyder(x, 2), None, [a(5)]),
    ("polyint", lambda m, x, k: m.polyint(x, 2, k), None, [a(3), a(2)]),
    ("polyfit", lambda m, x, y: m.polyfit(x, y, 2), None, [rising(6), a(6)]),
    ("polyfit columns", lambda m, x, y, w: m.polyfit(x, y, 1, w=w), lambda x, y, w: np.polyfit(x, y, 1, w=w), [rising(5), a(5, 2), a(5)]),
    ("trim_zeros", lambda m, x: m.trim_zeros(m.concatenate([0 * x, x, 0 * x[:1]])), lambda x: x + 0, [a(3)]),
    ("fmod", lambda m, x, y: m.fmod(x, y), None, [a(3), a(2, 3) / 3]),
    ("fabs", lambda m, x: m.fabs(x - 1.2), None, [a(4)]),
    ("float_power", lambda m, x, y: m.float_power(x, y), None, [a(3), a(3)]),
    ("modf", lambda m, x: m.modf(x)[0], None, [a(4)]),
    ("ldexp", lambda m, x: m.ldexp(x, np.array([1, -2, 0])), None, [a(3)]),
    ("frexp", lambda m, x: m.frexp(x)[0], lambda x: np.frexp(x)[0], [a(4)]),
    ("nextafter", lambda m, x: m.nextafter(x, 10.0), lambda x: np.nextafter(x, 10.0), [a(4)]),
    ("divmod", lambda m, x, y: m.divmod(x, y)[1], lambda x, y: np.divmod(x, y)[1], [a(4), a(4) / 3]),
    ("nan_to_num", lambda m, x: m.nan_to_num(m.log(x), neginf=-2.0), lambda x: np.nan_to_num(np.log(x), neginf=-2.0), [a(3)]),
    ("unwrap", lambda m, x: m.unwrap(4 * x), lambda x: np.unwrap(4 * x), [distinct(3, 4)]),
    ("real", lambda m, x: m.real(x) + m.imag(x) + m.conj(x) + m.real_if_close(x), lambda x: 3 * x, [a(3)]),
    ("select", lambda m, x, y: m.select([x < 1, x > 1.5], [x, x * y], y), None, [a(6), a(6)]),
    ("piecewise", lambda m, x: m.piecewise(x, [x < 1, x > 1.5], [lambda t: t * t, m.log, 0.0]), None, [a(6)]),
    ("choose", lambda m, x, y: m.choose(np.array([[0], [1]]), [x, y]), lambda x, y: np.choose([[0], [1]], [x, y]), [a(3), a(2, 3)]),
    ("choose wrap", lambda m, x: m.choose(np.array([4, -1]), x, mode="wrap"), None, [a(3, 2)]),
    ("compress", lambda m, x: m.compress(np.array([True, False, True]), x, axis=1), None, [a(2, 4)]),
    ("extract", lambda m, x: m.extract(np.array([[True, False], [True, True]]), x), None, [a(2, 2)]),
    ("delete", lambda m, x: m.delete(x, 1, axis=0), None, [a(3, 2)]),
    ("delete several", lambda m, x: m.delete(x, [0, -1, 0], axis=1), lambda x: np.delete(x, [0, -1, 0], axis=1), [a(2, 4)]),
    ("delete slice", lambda m, x: m.delete(x, slice(1, 5, 2)), None, [a(2, 4)]),
    ("insert", lambda m, x, y: m.insert(x, 1, y, axis=1), None, [a(2, 3), a(2)]),
    ("insert rows", lambda m, x, y: m.insert(x, 1, y, axis=0), None, [a(2, 3), a(3)]),
    ("insert matrix", lambda m, x, y: m.insert(x, 1, y, axis=0), None, [a(2, 3), a(2, 3)]),
    ("insert several", lambda m, x, y: m.insert(x, [0, 2, 2], y), lambda x, y: np.insert(x, [0, 2, 2], y), [a(4), a(3)]),
    ("resize", lambda m, x: m.resize(x, (2, 4)), None, [a(3)]),
    ("partition", lambda m, x: m.partition(x, 2), lambda x: np.sort(x), [distinct(2, 5)]),
    ("unique", lambda m, x: m.unique(x), lambda x: np.unique(x), [distinct(2, 3)]),
    ("unique_values", lambda m, x: m.unique_values(x), lambda x: np.unique_values(x), [distinct(2, 3)]),
    ("union1d", lambda m, x, y: m.union1d(x, y), lambda x, y: np.union1d(x, y), [distinct(3), distinct(2) + 0.1]),
    ("setxor1d", lambda m, x, y: m.setxor1d(x, y), lambda x, y: np.setxor1d(x, y), [distinct(3), distinct(2) + 0.1]),
    ("bincount", lambda m, w: m.bincount(np.array([0, 2, 2]), w, 4), lambda w: np.bincount([0, 2, 2], w, 4), [a(3)]),
    ("histogram weights", lambda m, w: m.histogram(np.array([0.1, 0.9, 1.0, 0.5]), 3, weights=w)[0],
     lambda w: np.histogram([0.1, 0.9, 1.0, 0.5], 3, weights=w)[0], [a(4)]),
    ("histogram density", lambda m, w: m.histogram(np.array([0.1, 0.9, 3.0, 0.5]), [0.0, 0.5, 2.0], density=True, weights=w)[0],
     lambda w: np.histogram([0.1, 0.9, 3.0, 0.5], [0.0, 0.5, 2.0], density=True, weights=w)[0], [a(4)]),
    ("histogram edges", lambda m, x: m.histogram(x, 3)[1], lambda x: np.histogram(x, 3)[1], [distinct(5)]),
    ("histogram2d", lambda m, w: m.histogram2d(np.array([0.1, 0.9, 1.0]), np.array([3.0, 1.0, 2.0]), 2, weights=w)[0],
     lambda w: np.histogram2d([0.1, 0.9, 1.0], [3.0, 1.0, 2.0], 2, weights=w)[0], [a(3)]),
    ("histogramdd", lambda m, w: m.histogramdd(np.arange(9.0).reshape(3, 3), (2, 1, 2), weights=w)[0],
     lambda w: np.histogramdd(np.arange(9.0).reshape(3, 3), (2, 1, 2), weights=w)[0], [a(3)]),
    ("apply_along_axis", lambda m, x: m.apply_along_axis(lambda v: m.sum(v * v), 1, x), None, [a(2, 3, 2)]),
    ("apply_along_axis vectors", lambda m, x: m.apply_along_axis(lambda v: m.outer(v, v[:1]), 0, x), None, [a(2, 3)]),
    ("apply_over_axes", lambda m, x: m.apply_over_axes(m.sum, x, [0, 2]), None, [a(2, 3, 2)]),
    ("logspace", lambda m, x, y: m.logspace(x, y, 4, base=2.0), lambda x, y: np.logspace(x, y, 4, base=2.0), [a(), a(3)]),
    ("geomspace", lambda m, x, y: m.geomspace(x, y, 4), lambda x, y: np.geomspace(x, y, 4), [a(), a()]),
    ("copy", lambda m, x: m.copy(x), None, [a(3)]),
    ("eigvalsh", lambda m, x: m.linalg.eigvalsh(both(m, x)), None, [a(2, 4, 4)]),
    ("eigh values", lambda m, x: m.linalg.eigh(both(m, x))[0], None, [a(3, 3)]),
    ("eigh vectors", lambda m, x: m.linalg.eigh(both(m, x))[1] ** 2, None, [a(2, 4, 4)]),
    ("eigh together", lambda m, x: again(m, *m.linalg.eigh(both(m, x), "U")), lambda x: again(np, *np.linalg.eigh(both(np, x), "U")), [a(3, 3)]),
    ("svdvals", lambda m, x: m.linalg.svdvals(x), None, [a(2, 3, 4)]),
    ("svd left", lambda m, x: m.linalg.svd(x, full_matrices=False)[0] ** 2, None, [a(2, 5, 3)]),
    ("svd right", lambda m, x: m.linalg.svd(x, full_matrices=False)[2] ** 2, None, [a(3, 5)]),
    ("svd square", lambda m, x: m.linalg.svd(x)[2] ** 2, lambda x: np.linalg.svd(x)[2] ** 2, [a(3, 3)]),
    ("svd together", lambda m, x: three(m, *m.linalg.svd(x, full_matrices=False)), None, [a(4, 3)]),
    ("svd full left", lambda m, x: square(m, m.linalg.svd(x)[0][:, 3:]), lambda x: square(np, np.linalg.svd(x)[0][:, 3:]), [a(5, 3)]),
    ("svd full right", lambda m, x: square(m, m.linalg.svd(x)[2][2:].T), lambda x: square(np, np.linalg.svd(x)[2][2:].T), [a(2, 4)]),
    ("qr q", lambda m, x: m.linalg.qr(x)[0], None, [a(2, 5, 3)]),
    ("qr r", lambda m, x: m.linalg.qr(x)[1], None, [a(5, 3)]),
    ("qr wide", lambda m, x: m.linalg.qr(x)[1], None, [a(3, 5)]),
    ("qr r alone", lambda m, x: m.linalg.qr(x, mode="r"), None, [regular(3)]),
    ("qr complete", lambda m, x: square(m, m.linalg.qr(x, mode="complete")[0][:, 3:]),
     lambda x: square(np, np.linalg.qr(x, mode="complete")[0][:, 3:]), [a(5, 3)]),
    ("pinv", lambda m, x: m.linalg.pinv(x), None, [a(2, 5, 3)]),
    ("pinv wide", lambda m, x: m.linalg.pinv(x), None, [a(3, 5)]),
    ("pinv of low rank", lambda m, x, y: m.linalg.pinv(m.matmul(x, y), rcond=1e-2), lambda x, y: np.linalg.pinv(x @ y, rcond=1e-2),
     [regular(4)[:, :2], regular(4)[:2]]),
    ("lstsq", lambda m, x, y: m.linalg.lstsq(x, y, rcond=None)[0], None, [a(5, 3), a(5, 2)]),
    ("lstsq wide", lambda m, x, y: m.linalg.lstsq(x, y, rcond=None)[0], None, [a(3, 5), a(3)]),
    ("lstsq residuals", lambda m, x, y: m.linalg.lstsq(x, y, rcond=None)[1], None, [a(5, 3), a(5, 2)]),
    ("cond", lambda m, x: m.linalg.cond(x), None, [regular(3)]),
    ("cond of a norm", lambda m, x: m.linalg.cond(x, "fro"), None, [regular(3)]),
    ("cond smallest", lambda m, x: m.linalg.cond(x, -2), lambda x: np.linalg.cond(x, -2), [regular(3)[:2]]),
    *[(f"norm matrix {o}", lambda m, x, o=o: m.linalg.norm(x, o, axis=(0, 2)), None, [distinct(3, 2, 4)]) for o in (2, -2, "nuc")],
    ("einsum sublists", lambda m, x, y: m.einsum(x, [0, 1], y, [1, 2], [2, 0]), None, [a(3, 4), a(4, 2)]),
]  # fmt: skip
