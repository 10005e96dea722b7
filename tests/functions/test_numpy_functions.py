"""NumPy's functions made of others, at their edges: what NumPy gives for them, and the conventions that are ours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import gpugrad as gg
from gpugrad.base.shapes import is_float

NAN = np.nan
SPECIAL = np.array([np.inf, -np.inf, NAN, 0.0, -0.0, 1.5, -1.5, 5e-324, 1e308])
ROWS = np.array([[3.0, NAN, 1.0, 2.0], [NAN, NAN, NAN, NAN], [1.0, 1.0, 1.0, 5.0]])


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # NumPy's, about rows without numbers
@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", [None, 0, 1, (0, 1)])
@pytest.mark.parametrize(
    "name", ["nansum", "nanprod", "nanmax", "nanmin", "nanmean", "nanvar", "nanstd", "nanmedian", "median", "ptp"]
)
def test_reductions_with_nans(name: str, axis: Any, keepdims: bool) -> None:
    expected = getattr(np, name)(ROWS, axis=axis, keepdims=keepdims)
    found = getattr(gg, name)(ROWS, axis=axis, keepdims=keepdims)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-14)
    assert found.shape == np.shape(expected)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("n", range(1, 8))
@pytest.mark.parametrize("name", ["quantile", "nanquantile"])
def test_every_method_of_quantiles(name: str, n: int) -> None:
    x = np.array([5.0, 1.0, 4.0, 4.0, 0.5, 9.0, -2.0])[:n]
    q = np.array([0.0, 0.1, 0.25, 1 / 3, 0.5, 0.7, 0.75, 0.9, 1.0])
    for method in gg.functions.statistics._CONTINUOUS | gg.functions.statistics._DISCRETE:
        found = getattr(gg, name)(x, q, method=method)
        np.testing.assert_allclose(found.numpy(), getattr(np, name)(x, q, method=method), rtol=1e-13, err_msg=method)
    rows = ROWS.copy()
    rows[2, 0] = NAN
    np.testing.assert_allclose(gg.nanquantile(rows, q, axis=1).numpy(), np.nanquantile(rows, q, axis=1))
    np.testing.assert_allclose(gg.quantile(rows, q, axis=1).numpy(), np.quantile(rows, q, axis=1))


def test_gradients_of_order_statistics() -> None:
    x = np.array([3.0, 1.0, 2.0, 10.0])
    assert gg.grad(gg.median)(x).tolist() == [0.5, 0, 0.5, 0]
    assert gg.grad(lambda x: gg.quantile(x, 0.75))(x).tolist() == [0.75, 0, 0, 0.25]
    assert gg.grad(lambda x: gg.nanmedian(x))(np.array([3.0, NAN, 1.0, 2.0])).tolist() == [0, 0, 0, 1]
    assert gg.grad(lambda q: gg.quantile(x, q))(np.array(0.75)).tolist() == 3 * 7
    # an element that was not selected did not take part, even where its own derivative is infinite
    assert gg.grad(lambda x: gg.median(gg.sqrt(x)))(np.array([0.0, 4.0, 9.0])).tolist() == [0, 0.25, 0]
    assert gg.grad(lambda x: gg.nansum(gg.log(x - 1)))(np.array([0.0, 3.0])).tolist() == [0, 0.5]
    assert gg.grad(lambda x: gg.nanstd(x))(np.array([2.0, NAN, 2.0])).tolist() == [0, 0, 0]
    q = np.array(0.6)
    assert gg.grad(lambda w: gg.sum(gg.quantile(gg.tensor([1.0, 2.0, 5.0]), [w, w])))(q) == pytest.approx(12)
    assert gg.grad(gg.nanmax)(np.array([-np.inf, NAN])).tolist() == [1, 0]
    assert gg.grad(gg.nanmin)(np.array([np.inf, NAN, np.inf])).tolist() == [0.5, 0, 0.5]
    for f in (gg.cumulative_sum, gg.cumprod, gg.nancumsum):
        last = lambda x, f=f: f(gg.sqrt(x))[0]  # noqa: E731
        assert gg.grad(last)(np.array([4.0, 0.0, 9.0])).tolist() == [0.25, 0, 0]
        assert gg.jvp(last, (np.array([4.0, 0.0, 9.0]),), (np.ones(3),))[1] == 0.25
        assert gg.hessian(last)(np.array([4.0, 0.0, 9.0])).tolist() == [[-1 / 32, 0, 0], [0, 0, 0], [0, 0, 0]]
    assert gg.grad(lambda x: gg.gradient(gg.sqrt(x))[1])(np.array([1.0, 0.0, 9.0, 16.0])).tolist() == [
        -0.25,
        0,
        pytest.approx(1 / 12),
        0,
    ]
    infinite = np.array([np.inf, np.inf, 1.0])
    assert gg.quantile(infinite, 0.75).item() == np.inf


@pytest.mark.parametrize(
    "f",
    [
        lambda m: m.median(np.array([1, 2, 4], np.int32)),
        lambda m: m.quantile(np.array([1, 2, 4]), 0.25),
        lambda m: m.quantile(np.array([1, 2, 4], np.float32), 0.25),
        lambda m: m.quantile(np.array([1, 2, 4], np.float32), [0.25]),
        lambda m: m.average(np.array([1, 2, 4], np.int32)),
        lambda m: m.average(np.array([1, 2, 4], np.float32), weights=np.array([1, 0, 2])),
        lambda m: m.nanmean(np.array([1, 2, 4], np.int32)),
        lambda m: m.nansum(np.array([1, 2, 4], np.int8)),
        lambda m: m.nanvar(np.array([1, 2, 4], np.float16)),
        lambda m: m.trace(np.array([[1, 2], [3, 4]], np.int16)),
        lambda m: m.diff(np.array([True, False, False])),
        lambda m: m.tril(np.array([[True, True], [True, True]])),
        lambda m: m.cumprod(np.array([1, 2, 3], np.int8)),
        lambda m: m.cov(np.array([1, 2, 4])),
        lambda m: m.trapezoid(np.array([1, 2, 4])),
        lambda m: m.gradient(np.array([1, 2, 4])),
        lambda m: m.interp(np.array([1, 2]), np.array([0, 3]), np.array([0, 6])),
        lambda m: m.interp(np.array([NAN, 0.5]), np.array([0.0, 3.0]), np.array([0.0, 6.0])),
        lambda m: m.interp(np.array([0.0, 2.0]), np.array([1.0]), np.array([5.0])),
        lambda m: m.count_nonzero(np.array([[0, 1], [2, 0]]), axis=0),
        lambda m: m.count_nonzero(np.array([[0, 1], [2, 0]]), keepdims=True),
        lambda m: m.searchsorted(np.array([1.0, 2.0, 2.0]), np.array([2.0, 0.0]), side="right"),
        lambda m: m.digitize(np.array([0.5, 2.0]), np.array([0.0, 1.0, 2.0]), right=True),
        lambda m: m.isin(np.array([1, 2, 3]), [2, 5], invert=True),
        lambda m: m.argwhere(np.array([[0, 1], [2, 0]])),
        lambda m: m.flatnonzero(np.array([[0, 1], [2, 0]])),
        lambda m: m.isclose(np.array([1.0, NAN, np.inf, 1.0]), np.array([1.0, NAN, np.inf, 2.0]), equal_nan=True),
        lambda m: m.isclose(np.array([1, 1000000]), np.array([1, 1000001])),
        lambda m: m.meshgrid(np.arange(2), np.arange(3), np.arange(2))[0],
        lambda m: m.atleast_3d(np.float64(2.0)),
        lambda m: m.outer(np.array([1, 2], np.int32), np.array([0.5], np.float32)),
        lambda m: m.diag(np.zeros(0)),
        lambda m: m.diagonal(np.zeros((0, 3))),
        lambda m: m.diagonal(np.ones((2, 3)), 7),
        lambda m: m.vecdot(np.zeros((2, 0)), np.zeros((2, 0))),
        lambda m: m.kron(np.zeros((0, 2)), np.ones(3)),
        lambda m: m.cross(np.zeros((0, 3)), np.ones(3)),
        lambda m: m.block([[np.ones((2, 0)), np.ones((2, 2))]]),
        lambda m: m.nansum(np.zeros((0, 3)), axis=0),
        lambda m: m.cumprod(np.zeros((3, 0)), axis=0),
        lambda m: m.array_split(np.arange(2), 4)[3],
        lambda m: m.cumprod(np.array([1e-300, 1e200, 1e200])),
        lambda m: m.cumprod(np.array([0.0, 1e200, 1e200])),
        lambda m: m.gradient(np.array([0.0, 1e20, 1.0])),
        lambda m: m.gradient(np.array([0.0, np.inf, 1.0]), np.array([0.0, 0.5, 1.0]))[1:2],
        lambda m: m.interp(np.array([1.0]), np.arange(3.0), np.array([1.0, 2.0, np.inf])),
        lambda m: m.interp(np.array([1.5]), np.arange(3.0), np.array([1.0, -np.inf, 2.0])),
        lambda m: m.interp(np.array([1.5]), np.arange(3.0), np.array([1.0, np.inf, np.inf])),
        lambda m: m.isin(np.array([1, 2, 3]), [2, 5], True),
        lambda m: m.rollaxis(np.zeros((2, 3, 4)), 0, -1),
        lambda m: m.linalg.norm(np.array([np.inf, np.inf]), -1),
        lambda m: m.argwhere(np.array(3.0)),
        lambda m: m.quantile(np.array([1.0, 2.0], np.float32), np.float64(0.3)),
        lambda m: m.quantile(np.array([2**62 + 1]), 0.5, method="lower"),
        lambda m: m.quantile(np.array([[1, 5], [7, 2]]), [0.2, 0.9], axis=1, method="nearest"),
        lambda m: m.vecdot(np.array([True, True]), np.array([False, True])),
        lambda m: m.vecdot(np.array([1, 2], np.int8), np.array([3, 4], np.int8)),
        lambda m: m.linalg.solve(np.array([[2, 0], [0, 1]], np.int8), np.array([1, 2], np.float32)),
        lambda m: m.average(np.ones((2, 3)), axis=np.int64(1), weights=np.array([1.0, 2.0, 3.0])),
        *[lambda m, f=f: getattr(m, f)(SPECIAL) for f in ("fabs", "fix", "spacing", "nan_to_num", "angle", "unique")],
        *[lambda m, f=f: getattr(m, f)(SPECIAL) for f in ("isposinf", "isneginf", "signbit", "isreal", "iscomplex")],
        *[
            lambda m, f=f: getattr(m, f)(SPECIAL[:, None], SPECIAL)
            for f in ("fmod", "copysign", "heaviside", "nextafter", "float_power")
        ],
        *[
            lambda m, f=f: getattr(m, f)(np.arange(-2, 3, dtype=np.int8))
            for f in ("fabs", "fix", "conj", "unwrap", "poly", "polyder")
        ],
        *[lambda m, k=k: m.modf(SPECIAL)[k] for k in (0, 1)],
        *[lambda m, k=k: m.frexp(SPECIAL)[k] for k in (0, 1)],
        lambda m: m.signbit(m.modf(np.array([-1.0, 1.0, -0.0]))[0]),
        lambda m: m.ldexp(np.array([5e-324, 1.0]), np.array([1074, -1074])),
        *[
            lambda m, i=i, v=v, a=a: m.insert(np.arange(6.0).reshape(2, 3), i, v, a)
            for i, v, a in (
                (1, [[7.0], [8.0]], 1),
                ([0], [[1.0, 2, 3], [4, 5, 6]], 0),
                (slice(0, 2), 9.0, None),
                ([1, 1], [7.0, 8.0], None),
            )
        ],
        *[
            lambda m, i=i: m.insert(np.zeros(3), i, np.arange(1.0, 4))
            for i in ([2, 0, 2], [-1, -3, 3], slice(None, None, -1), [3, 3, 0])
        ],
        lambda m: m.insert(np.zeros(3), [], []),
        *[
            lambda m, f=f, k=k: getattr(m, f)(np.array([1.0, 2.0, 3.0]), np.array([np.inf, 1.0]), k)
            for f in ("convolve", "correlate")
            for k in ("full", "same", "valid")
        ],
        lambda m: m.ldexp(np.array([0.0, np.inf, 5e-324, 1.0]), np.array([5000, -3000, 2097, -1074])),
        lambda m: m.ldexp(np.array([0, 1], np.float16), np.array([600, -24])),
        lambda m: m.geomspace(1e-200, 1e200, 5),
        lambda m: m.geomspace(1e-200, 1e-150, 3),
        lambda m: m.geomspace(4_000_000_000, 4_000_000_001, 3),
        lambda m: m.logspace(0, 1, 3, base=np.array([2.0, 3.0, 4.0])),
        lambda m: m.histogram2d(np.arange(4.0), np.arange(4.0), np.array([2, 4]))[0],
        lambda m: m.histogramdd([np.array([0.0, 1.0]), np.array([0.0, 3.0])], 2)[1][1],
        lambda m: m.polydiv(np.array([1.0, 1.0, 1 + 1e-9, 2.0]), np.array([1.0, 0.0, 1.0]))[1],
        lambda m: m.polydiv(np.array([0.0, 1.0]), np.array([1.0, 0.0, 1.0]))[1],
        lambda m: m.polyfit(np.arange(1990.0, 2021), np.sin(np.arange(31.0)), 3) * 1e3,
        lambda m: m.poly([]),
        lambda m: m.select([np.array([True, False])], [1.0], np.array([1, 2], np.float32)),
        lambda m: m.select([np.array([True, False])], [1], np.array([1, 2], np.int8)),
        lambda m: m.linalg.pinv(np.diag(np.array([1, 1e-7], np.float32))),
        lambda m: m.linalg.pinv(np.array([[2.0, 9.0], [1.0, 3.0]]), hermitian=True),
        lambda m: m.linalg.pinv(np.ones((2, 2, 2)), rcond=np.array([0.1, 0.2])),
        lambda m: m.linalg.svd(np.array([[2.0, 9.0], [1.0, 3.0]]), hermitian=True)[1],
        lambda m: m.linalg.lstsq(np.ones((3, 2)), np.array([1.0, 2.0, 3.0]), rcond=-1)[0],
        lambda m: m.apply_over_axes(m.sum, np.ones((2, 3)), np.array([0, 1])),
        lambda m: m.bincount(np.array([1, 0], np.uint8), np.array([1.0, 2.0])),
        lambda m: m.delete(np.arange(6.0).reshape(2, 3), np.array([True, False, True]), 1),
        lambda m: m.resize(np.zeros(0), (2, 2)),
        lambda m: m.choose(np.array([2, 0, -1]), np.array([[1, 2, 3], [4, 5, 6]]), mode="clip"),
        lambda m: m.polydiv(np.array([1.0]), np.array([2.0, 1.0]))[1],
        lambda m: m.polydiv(np.array([1.0, 3.0, 2.0]), np.array([1.0, 1.0]))[1],
        lambda m: m.polymul(np.array([0.0, 0.0, 1.0]), np.array([0.0, 2.0, 1.0])),
        lambda m: m.vander(np.arange(3), 0),
        lambda m: m.trim_zeros(np.zeros(3)),
        *[
            lambda m, d=d, r=r: m.histogram(np.array([0.1, 0.9, 0.5, 0.5, np.inf]), 4, r, d)[0]
            for d in (False, True)
            for r in ((0.0, 1.0),)
        ],
        lambda m: m.histogram(np.array([2, 2, 2]))[1],
        lambda m: m.histogram_bin_edges(np.arange(20.0), "auto"),
        lambda m: m.histogram(np.zeros(0))[1],
        lambda m: m.histogramdd(np.arange(12.0).reshape(4, 3), 2)[0],
        lambda m: m.histogram2d(np.arange(4.0), np.arange(4.0), [2, [0.0, 1.0, 3.0]], density=True)[0],
        lambda m: m.bincount(np.array([0, 3]), minlength=6),
        lambda m: m.unique(np.array([[1, 2], [1, 2], [0, 5]]), True, True, True, 0)[1],
        lambda m: m.unique_all(np.array([2.0, 1.0, 2.0, np.nan, np.nan])).counts,
        lambda m: m.intersect1d([3, 1, 2], [2, 9, 3], return_indices=True)[1],
        lambda m: m.setdiff1d(np.array([3, 1, 2]), np.array([2])),
        lambda m: m.setxor1d([3, 1, 1], [1, 2]),
        lambda m: m.nanargmax(np.array([[NAN, 2.0, 3.0], [5.0, NAN, 1.0]]), 1),
        lambda m: m.nanargmin(np.array([[NAN, 2.0, 3.0], [5.0, NAN, 1.0]])),
        lambda m: m.partition(np.array([3, 1, 2]), 1),
        lambda m: m.select([np.array([True, False])], [np.array([1, 2], np.int8)], 9),
        lambda m: m.piecewise(np.array(3.0), [True], [lambda v: v * 2]),
        lambda m: m.identity(2, np.int8),
        lambda m: m.tri(2, 3, 1),
        lambda m: m.geomspace(-1.0, -8.0, 4),
        lambda m: m.logspace(np.float32(0), np.float32(1), 3),
        lambda m: m.astype(np.array([1.5]), np.int64),
    ],
)
def test_dtypes_and_edges_as_numpy(f: Callable[[Any], Any]) -> None:
    with np.errstate(all="ignore"):  # a norm of infinities divides by infinity
        expected = f(np)
    found = f(gg)
    assert isinstance(found, gg.Tensor)
    np.testing.assert_allclose(
        found.numpy(), expected, rtol=1e-3 if found.dtype == "float16" else 1e-7 if is_float(found.dtype) else 0
    )
    assert found.dtype == np.asarray(expected).dtype
    assert found.shape == np.shape(expected)


def test_questions_about_tensors() -> None:
    x = gg.tensor([1.0, 2.0, np.nan], requires_grad=True)
    assert np.allclose(x, x) is False
    assert np.allclose(x, x, equal_nan=True) is True
    assert np.array_equal(x[:2], [1.0, 2.0]) is True
    assert np.array_equal(x, x[:2]) is False
    assert np.array_equal(x, x, equal_nan=True) is True
    assert np.array_equiv(x[:2], gg.ones(3)) is False
    assert np.array_equiv(gg.ones(2), 1.0) is True
    assert np.count_nonzero(x > 1).item() == 1
    assert np.searchsorted(x[:2], 1.5).item() == 1
    assert not np.isclose(x, 1.0).requires_grad
    assert np.digitize(x[:2], [0.0, 1.5]).tolist() == [1, 2]
    assert x.trace if hasattr(x, "trace") else False
    assert gg.eye(3).trace().item() == 3
    assert gg.ones((2, 3)).mT.shape == (3, 2)


@pytest.mark.parametrize(
    ("f", "error", "text"),
    [
        (lambda: gg.cross([1.0, 2.0], [1.0, 2.0]), gg.errors.ShapeError, "third one, 0"),
        (lambda: gg.diagonal([1.0]), gg.errors.ShapeError, "two axes"),
        (lambda: gg.diag(gg.ones((2, 2, 2))), gg.errors.ShapeError, "a vector or a matrix"),
        (lambda: gg.diag([1.0], 0.5), gg.errors.DTypeError, "integer, not 0.5"),
        (lambda: gg.vecdot([1.0, 2.0], [1.0]), gg.errors.ShapeError, "lengths 2 and 1"),
        (lambda: gg.quantile([1.0], 1.5), gg.errors.InputError, "between 0 and 1"),
        (lambda: gg.quantile([1.0], NAN), gg.errors.InputError, "between 0 and 1"),
        (lambda: gg.quantile([1.0], 0.5, method="nearly"), gg.errors.InputError, "use one of linear"),
        (lambda: gg.average([1.0, 2.0], weights=[1.0]), gg.errors.ShapeError, "fit neither"),
        (lambda: gg.block([[1.0], 2.0]), gg.errors.ShapeError, "nested to one depth"),
        (lambda: gg.block([]), gg.errors.ShapeError, "empty"),
        (lambda: gg.meshgrid([1.0], indexing="yx"), gg.errors.InputError, "'xy' or 'ij'"),
        (lambda: gg.interp(1.0, [1.0, 2.0], [1.0]), gg.errors.ShapeError, "one length"),
        (lambda: gg.gradient([1.0]), gg.errors.ShapeError, "needs at least 2"),
        (lambda: gg.gradient([1.0, 2.0], 1.0, 2.0), gg.errors.ShapeError, "one for each"),
        (lambda: gg.diff([1.0], -1), gg.errors.InputError, "negative"),
        (lambda: gg.cov(gg.ones((1, 1, 1))), gg.errors.ShapeError, "rows of a matrix"),
        (lambda: gg.cumulative_sum(gg.ones((2, 2))), gg.errors.ShapeError, "needs an axis"),
        (lambda: gg.hsplit(gg.ones(()), 1), gg.errors.ShapeError, "axes"),
        (lambda: gg.array_split([1.0], 0), gg.errors.InputError, "at least 1"),
        (lambda: gg.rot90(gg.ones((2, 2)), 1, (0, 0)), gg.errors.ShapeError, "different"),
        (lambda: gg.unstack(1.0), gg.errors.ShapeError, "one axis"),
        (lambda: gg.diff([1.0], 1.5), gg.errors.DTypeError, "n must be an integer"),
        (lambda: gg.ediff1d([1, 2, 4], to_begin=1.5), gg.errors.DTypeError, "to_begin of dtype float64"),
        (lambda: gg.rot90(gg.ones((2, 2)), 1, (0,)), gg.errors.ShapeError, "plane of two axes"),
        (lambda: gg.tril(gg.ones((2, 2)), 1.5), gg.errors.DTypeError, "k must be an integer"),
        (lambda: gg.array_split([1.0], 1.5), gg.errors.DTypeError, "integer, not 1.5"),
        (lambda: gg.block(([1.0], [2.0])), gg.errors.DTypeError, "not in tuples"),
        (lambda: gg.gradient(gg.ones((2, 2)), axis=(0, 0)), gg.errors.ShapeError, "twice"),
        (lambda: gg.searchsorted([1.0], 1.0, "middle"), gg.errors.InputError, "'left' or 'right'"),
        (lambda: gg.digitize([1.0], [[1.0]]), gg.errors.ShapeError, "a vector"),
        (lambda: gg.linalg.outer(gg.ones((2, 2)), [1.0]), gg.errors.ShapeError, "two vectors"),
        (lambda: gg.convolve([1.0], [2.0], "all"), gg.errors.InputError, "mode is one of"),
        (lambda: gg.convolve([1.0], []), gg.errors.ShapeError, "no empty"),
        (lambda: gg.correlate([[1.0]], [1.0]), gg.errors.ShapeError, "vectors"),
        (lambda: gg.polyfit([1.0, 1.0], [1.0, 2.0], 1), gg.errors.ShapeError, "at least 2 different"),
        (lambda: gg.polyfit([1.0], [1.0, 2.0], 0), gg.errors.ShapeError, "as many values"),
        (lambda: gg.polydiv([1.0], [0.0, 1.0]), gg.errors.InputError, "must not be 0"),
        (lambda: gg.polyint([1.0], 2, [1.0, 2.0, 3.0][:0]), gg.errors.ShapeError, "constants of integration"),
        (lambda: gg.ldexp(1.0, 0.5), gg.errors.DTypeError, "exponents are integers"),
        (lambda: gg.select([], []), gg.errors.ShapeError, "do not fit"),
        (lambda: gg.select([gg.ones(2)], [1.0]), gg.errors.DTypeError, "of booleans"),
        (lambda: gg.piecewise(gg.ones(2), [[True, False]], [1, 2, 3]), gg.errors.ShapeError, "do not fit"),
        (lambda: gg.choose([3], [[1.0]]), IndexError, "out of range"),
        (lambda: gg.choose([0.5], [[1.0]]), gg.errors.DTypeError, "indices are integers"),
        (lambda: gg.put(np.zeros(2), 0, 1.0), gg.errors.DTypeError, "writes to a tensor"),
        (lambda: gg.put(gg.zeros(2), 2, 1.0), IndexError, "out of range"),
        (lambda: gg.copyto(gg.zeros(2, dtype=int), 1.5), gg.errors.DTypeError, "is not written"),
        (lambda: gg.place(gg.zeros(2), [True, True], []), gg.errors.InputError, "no values"),
        (lambda: gg.bincount([0.5]), gg.errors.DTypeError, "vector of integers"),
        (lambda: gg.bincount([-1]), gg.errors.ShapeError, "negative"),
        (lambda: gg.bincount([1], [1.0, 2.0]), gg.errors.ShapeError, "do not fit"),
        (lambda: gg.histogram([1.0], [2.0, 1.0]), gg.errors.ShapeError, "does not fall"),
        (lambda: gg.histogram([1.0], weights=[1.0, 2.0]), gg.errors.ShapeError, "do not fit numbers"),
        (lambda: gg.apply_along_axis(gg.sum, 0, gg.ones((2, 0))), gg.errors.ShapeError, "no vector"),
        (lambda: gg.nanargmax([NAN]), gg.errors.InputError, "are NaN"),
        (lambda: gg.geomspace(-1, 1), gg.errors.InputError, "same sign"),
        (lambda: gg.put(gg.zeros(3), [5], [1.0], mode="rais"), gg.errors.InputError, "mode is"),
        (lambda: gg.trim_zeros([1.0], "x"), gg.errors.InputError, "trim is"),
        (lambda: gg.resize([1.0], (-1, 3)), gg.errors.ShapeError, "negative"),
        (lambda: gg.bincount([1], minlength=-1), gg.errors.InputError, "minlength"),
        (lambda: gg.vander([1.0], -1), gg.errors.InputError, "N must not be negative"),
        (lambda: gg.place(gg.zeros((2, 2)), [True, False, True], [1.0]), gg.errors.ShapeError, "a mask of shape"),
        (lambda: gg.putmask(gg.zeros((2, 2)), [True, False, True], [1.0]), gg.errors.ShapeError, "a mask of shape"),
        (lambda: gg.insert([1.0], 5, 1.0), IndexError, "out of range"),
        (lambda: gg.histogram2d([1.0], [1.0], [3]), gg.errors.ShapeError, "1 numbers of bins"),
        (lambda: gg.linalg.pinv([[1.0]], 0.1, rtol=0.1), gg.errors.InputError, "not both"),
        (lambda: gg.linalg.tensorinv(gg.ones(1), ind="a"), gg.errors.DTypeError, "ind must be an integer"),
    ],
)
def test_errors(f: Callable[[], Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        f()


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.sum(x, 0, None, None, True),
        lambda x: np.sum(x, 1, np.float64, None),
        lambda x: np.mean(x, 0, None, None, True),
        lambda x: np.max(x, 1, None, True),
        lambda x: np.std(x, 0, None, None, 1, True),
        lambda x: np.var(x, 0, correction=1),
        lambda x: np.any(x > 1, 0, None, True),
        lambda x: np.quantile(x, 0.3, 0, None, False, "lower", True),
        lambda x: np.median(x, 1, None, True),
        lambda x: np.median(x, overwrite_input=False),
        lambda x: np.clip(x, a_min=0.5, a_max=1.5),
        lambda x: np.clip(x, 0.5, 1.5, None),
        lambda x: np.sort(x, 0, "stable"),
        lambda x: np.sort(x, kind="heapsort"),
        lambda x: np.argsort(x, axis=1, stable=True),
        lambda x: np.ravel(x, "C"),
        lambda x: np.outer(a=x, b=x),
        lambda x: np.take(x, [1, 0], 1, None, "raise"),
        lambda x: np.trace(x, 1, 0, 1, None, None),
        lambda x: np.linalg.norm(x, None, 0, True),
        lambda x: np.linalg.matmul(x, np.matrix_transpose(x)),
        lambda x: np.einsum("ij,ij->i", x, x, optimize=True),
        lambda x: np.ptp(a=x, axis=0),
        lambda x: np.zeros_like(x, None, "K", True, None),
        lambda x: np.expand_dims(a=x, axis=0),
    ],
)
def test_arguments_mean_what_numpy_calls_them(f: Callable[[Any], Any]) -> None:
    """Ours may have fewer, or others in their place: what NumPy's are called decides."""
    x = np.array([[0.3, 1.7, 1.2], [0.9, 0.1, 2.0]])
    found = f(gg.tensor(x))
    assert isinstance(found, gg.Tensor)
    np.testing.assert_allclose(found.numpy(), f(x), rtol=1e-14)
    assert found.shape == f(x).shape


def test_an_out_that_is_given_by_its_place() -> None:
    x, out = gg.tensor([[1.0, 2.0], [3.0, 4.0]]), gg.zeros(2)
    assert np.sum(x, 0, None, out) is out
    assert out.tolist() == [4, 6]
    array = np.zeros(2)
    assert np.max(x, 1, array) is array
    assert array.tolist() == [2, 4]
    with pytest.raises(gg.errors.DTypeError, match=r"np\.cov with fweights="):
        np.cov(gg.ones((2, 2), requires_grad=True), None, True, False, None, [1, 2])


def test_what_is_written_by_name_has_its_gradient() -> None:
    def f(x: Any, m: Any) -> Any:
        out, square = gg.zeros(5), gg.zeros((2, 2))
        m.put(out, [1, 2], x[:2] ** 2)
        m.put(out, [-6], 2 * x[2], mode="wrap")
        m.putmask(out, np.array([True, False, False, False, False]), x[2] * 5)
        m.place(out, np.array([False, False, False, True, False]), x[:1])
        m.fill_diagonal(square, x[1:])
        m.put_along_axis(square, np.array([[1], [0]]), x[:1] * x[1:2], 1)
        whole = gg.zeros((2, 3))
        m.copyto(whole, x, where=np.array([True, False, True]))
        return gg.concatenate([out, square.ravel(), whole.ravel()])

    def written(x: Any) -> Any:
        a, b, c = x
        z = 0 * a
        return gg.stack([c * 5, a**2, b**2, a, 2 * c, b, a * b, a * b, c, a, z, c, a, z, c])

    x = np.array([2.0, 3.0, 5.0])
    for m in (gg, np):
        np.testing.assert_array_equal(gg.jacobian(lambda t, m=m: f(t, m))(x), gg.jacobian(written)(x))
    with pytest.raises(gg.errors.GraphError, match=r"np.copyto of a tensor that requires grad would lose"):
        gg.grad(lambda t: (np.copyto(np.zeros(3), t), t.sum())[1])(x)
    array = np.zeros(3)
    if gg.zeros(1).device.name == "cpu":
        np.copyto(array, gg.tensor(x))
        assert array.tolist() == x.tolist()


def test_gradients_of_what_is_chosen() -> None:
    x = np.array([2.0, 1.0, 2.0])
    assert gg.grad(lambda t: gg.unique(t).sum())(x).tolist() == [1, 1, 0]
    assert gg.grad(lambda t: (gg.intersect1d(t, [2.0, 9.0]) ** 2).sum())(x).tolist() == [4, 0, 0]
    assert gg.grad(lambda t: (gg.setdiff1d(t, [2.0]) ** 2).sum())(x).tolist() == [0, 2, 0]
    edge = np.array([0.0, 4.0])
    for f in (
        lambda t: gg.select([t > 0], [gg.sqrt(t)]).sum(),
        lambda t: gg.piecewise(t, [t > 0], [gg.sqrt]).sum(),
        lambda t: gg.choose((edge > 0).astype(int), [gg.zeros(2), gg.sqrt(t)]).sum(),
        lambda t: gg.compress(edge > 0, gg.sqrt(t)).sum(),
        lambda t: gg.extract(edge > 0, gg.sqrt(t)).sum(),
        lambda t: gg.delete(gg.sqrt(t), 0).sum(),
        lambda t: gg.insert(gg.sqrt(t), 1, 3.0)[1:].sum(),
        lambda t: gg.partition(gg.sqrt(t), 1)[1:].sum(),
        lambda t: gg.resize(gg.sqrt(t), 3)[1],
        lambda t: gg.nan_to_num(gg.log(t) / 1).sum() / 1,
        lambda t: gg.convolve(gg.sqrt(t)[1:], [1.0]).sum(),
    ):
        assert gg.grad(f)(edge).tolist() == [0, 0.25]
        assert gg.jvp(f, (edge,), (np.ones(2),))[1] == 0.25
    assert gg.grad(lambda t: gg.heaviside(t[0], gg.log(t[1])))(np.array([1.0, 0.0])).tolist() == [0, 0]
    assert gg.grad(lambda t: gg.modf(t)[0].sum())(np.array([1.0, -1.0, 0.5, np.inf])).tolist() == [1, 1, 1, 0]
    assert gg.grad(lambda t: (gg.histogram(t, 2, density=True)[0] ** 2).sum())(
        np.array([0.0, 1.0, 4.0])
    ).tolist() == pytest.approx([5 / 9 / 8, 0, -5 / 9 / 8])


def test_polyfit_is_as_good_as_numpys() -> None:
    x = np.linspace(0, 1, 100)
    expected = np.polyfit(x, np.sin(x), 8)
    np.testing.assert_allclose(gg.polyfit(x, np.sin(x), 8).cpu().numpy(), expected, rtol=1e-8, atol=1e-9)


def test_quotient_and_remainder_at_once() -> None:
    t = gg.tensor([7.0, -7.0])
    for pair in (divmod(t, 2), np.divmod(t, 2.0), gg.divmod(t, 2)):
        assert [p.tolist() for p in pair] == [[3, -4], [1, 1]]
    assert [p.tolist() for p in divmod(7, gg.tensor([2.0]))] == [[3], [1]]


def test_gradient_of_polyfit_far_from_the_origin() -> None:
    x = np.arange(1990.0, 2021)  # the coefficient of the highest power does not depend on where the origin is
    for degree in (3, 4):
        g = gg.grad(lambda y, degree=degree: gg.polyfit(x, y, degree)[0])(np.sin(x))
        exact = np.linalg.pinv(np.vander(x - 2005, degree + 1))[0]
        assert np.abs(g - exact).max() < 1e-3 * np.abs(exact).max()


def test_gradients_and_conditions_of_the_rest() -> None:
    v = np.array([7.0, 8.0])
    assert gg.grad(lambda t: np.insert(gg.zeros(3), [2, 0], t)[0])(v).tolist() == [0, 1]
    assert gg.grad(lambda w: gg.convolve(np.array([np.inf, 1.0]), w)[2])(v).tolist() == [0, 1]
    x = gg.tensor([-1.0, 2.0])
    assert np.piecewise(x, x < 0, [lambda t: t * 0 + 5, lambda t: t * 0 + 7]).tolist() == [5, 7]
    assert gg.piecewise(gg.tensor([1, 2]), [np.array([True, False])], [1.7]).tolist() == [1, 0]
    zero = gg.tensor(0.0)
    np.put(zero, [0], [5.0])
    assert zero.item() == 5
    bytes_ = gg.zeros(2, dtype=np.uint8)
    np.copyto(bytes_, 3)
    np.copyto(bytes_[:1].copy(), 2.7, casting="unsafe")
    assert bytes_.tolist() == [3, 3]
    assert np.apply_along_axis(lambda v, k, m: v.sum() * k * m, 0, gg.ones((2, 2)), 2, m=3).tolist() == [12, 12]


def test_several_results_are_written_where_they_are_wanted() -> None:
    a, b = gg.zeros(2), gg.zeros(2)
    x = gg.tensor([1.5, 2.5], requires_grad=True)
    np.modf(x, out=(a, b))
    assert (a.tolist(), b.tolist()) == ([0.5, 0.5], [1, 2])
    a.sum().backward()
    assert x.grad.tolist() == [1, 1]
    with pytest.raises(gg.errors.GraphError, match="lose its gradient"):
        np.modf(x, out=(np.zeros(2), np.zeros(2)))
    with pytest.raises(gg.errors.ShapeError, match="does not fit a result of shape"):
        np.cumsum(gg.ones(3), out=gg.zeros((2, 3)))
