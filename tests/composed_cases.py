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


METHODS = [
    "linear", "interpolated_inverted_cdf", "hazen", "weibull", "median_unbiased", "normal_unbiased", "inverted_cdf",
    "averaged_inverted_cdf", "closest_observation", "lower", "higher", "midpoint", "nearest",
]  # fmt: skip
X = np.array([0.1, 0.9, 1.7, 3.2])
XP = np.array([0.5, 1.25, 2.0, 3.0])
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
]  # fmt: skip
