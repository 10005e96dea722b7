"""Every row of the op table: value, dtypes, shapes, special values, extremes. One list of ops."""

from __future__ import annotations

import warnings

import mpmath
import numpy as np
import pytest
import scipy.special
from helpers import FLOAT_OPS, OPS, call, ids, reference, same_bits, sample, shared

import gpugrad as gg
from gpugrad.ops import elementwise as ew
from gpugrad.ops.op import Op


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
@pytest.mark.parametrize("op", FLOAT_OPS, ids=ids)
def test_value_and_dtype(op: Op, dtype: type, rng: np.random.Generator) -> None:
    args = sample(op, rng, (41,), dtype)
    y = call(op, *(gg.tensor(a) for a in args))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wide = dtype == np.float16 and not op.is_ufunc  # what NumPy does in steps is here rounded once
        expected = reference(op)(*(a.astype(np.float64) if wide else a for a in args))
    assert y.dtype == (expected.dtype if expected.dtype.kind == "b" else dtype)
    # 16-bit compound ops are computed in float32 and rounded once: half a unit in the last place of the exact value
    ulp = 4 if dtype == np.float64 or gg.config.cpu != "numpy" else 2 if dtype == np.float32 else 1.01
    np.testing.assert_allclose(y.numpy().astype(np.float64), expected.astype(np.float64), rtol=ulp * np.finfo(dtype).eps,
                               atol=max(op.tolerance * np.finfo(dtype).eps, np.finfo(dtype).smallest_subnormal))  # fmt: skip


@pytest.mark.long_on_gpu
@pytest.mark.parametrize("dtype", [np.int8, np.int32, np.int64, np.uint8, np.bool_])
@pytest.mark.parametrize("op", OPS, ids=ids)
def test_integers_follow_numpy(op: Op, dtype: type, rng: np.random.Generator) -> None:
    args = [rng.integers(1, 4, 9).astype(dtype) for _ in range(op.arity)]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected = reference(op)(*args)
    except TypeError:
        with pytest.raises(gg.errors.DTypeError, match=op.name):
            call(op, *map(gg.tensor, args))
        return
    y = call(op, *map(gg.tensor, args))
    assert not y.requires_grad
    if op.is_ufunc:
        assert y.dtype == expected.dtype
    if dtype != np.bool_ or op.is_ufunc:
        rtol = 1e-2 if y.dtype.itemsize < 4 else 1e-6
        np.testing.assert_allclose(
            y.numpy().astype(float), np.asarray(expected, float), rtol=rtol, atol=rtol * op.tolerance
        )


SHAPES = [
    ((),),
    ((0,),),
    ((1,),),
    ((0, 3), (3,)),
    ((3, 1), (1, 4)),
    ((2, 3), (3,)),
    ((2, 1, 3), (4, 1)),
    ((5, 5), ()),
    ((1, 3), (3, 1)),
]


@pytest.mark.long_on_gpu  # tests/test_cuda.py has the layouts
@pytest.mark.parametrize("op", FLOAT_OPS, ids=ids)
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
def test_shapes_layouts_and_gradient_dtypes(op: Op, dtype: type, rng: np.random.Generator) -> None:
    for shapes in SHAPES:
        args = [sample(op, rng, shapes[n % len(shapes)], dtype)[n] for n in range(op.arity)]
        for layout in ("C", "transposed", "stride 0"):
            if layout == "transposed":
                given = [np.asfortranarray(a) for a in args]
            elif layout == "stride 0":
                given = [np.broadcast_to(a[..., :1], a.shape) if a.ndim else a for a in args]
            else:
                given = args
            xs = [shared(a) for a in given]
            xs = [x.requires_grad_() if x.dtype.kind == "f" else x for x in xs]
            y = call(op, *xs)
            plain = call(op, *(gg.tensor(np.broadcast_to(a, y.shape).copy()) for a in given))
            # NumPy itself differs in the last bit between layouts for inexact float16 functions: here nothing may
            assert same_bits(y.detach().numpy(), plain.numpy()), (shapes, layout)
            assert y.shape == np.broadcast_shapes(*(a.shape for a in given))
            if y.requires_grad:
                y.backward(np.ones(y.shape, dtype))
                for x in xs:
                    if x.requires_grad:
                        assert x.grad.shape == x.shape
                        assert x.grad.dtype == dtype
                        assert 0 in y.shape or x.size == 0 or np.isfinite(x.grad.numpy()).all()
                        if y.size == 0:
                            assert not x.grad.numpy().any()  # reducing over nothing stores zeros


@pytest.mark.parametrize("op", [o for o in FLOAT_OPS if o.arity == 1], ids=ids)
def test_special_values_as_numpy(op: Op) -> None:
    special = np.array(
        [0.0, -0.0, np.inf, -np.inf, np.nan, 5e-324, -5e-324, 1.8e308, -1.8e308, 1.0, -1.0, 1000.0, -1000.0]
    )
    with np.errstate(all="ignore"):
        expected = np.asarray(reference(op)(special))
    got = call(op, gg.tensor(special)).numpy()
    np.testing.assert_allclose(got.astype(float), expected.astype(float), rtol=1e-14)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_stable_over_the_whole_range(dtype: type) -> None:
    big = np.finfo(dtype).max
    wide = np.array([-big, -1000, -100, -10, 0, 10, 100, 1000, big], dtype)
    rows = (ew.sigmoid, ew.softplus, ew.tanh, ew.silu, ew.gelu, ew.gelu_tanh, ew.arctan, ew.arcsinh, ew.erf, ew.relu)
    for op in rows:
        x = gg.tensor(wide, requires_grad=True)
        y = call(op, x)
        (g,) = gg.autograd.grad((y * 1e-9).sum(), x, create_graph=True)  # the sum, too, is finite
        assert np.isfinite(y.detach().numpy()).all(), op
        assert np.isfinite(g.detach().numpy()).all(), op
        if g.requires_grad:
            (h,) = gg.autograd.grad(g.sum(), x)
            assert np.isfinite(h.numpy()).all(), op
    x = gg.tensor(np.array([1000.0, -1000.0], dtype), requires_grad=True)
    gg.sigmoid(x).sum().backward()
    assert x.grad.tolist() == [0, 0]
    assert gg.softplus(x).tolist() == [1000, 0]


def test_logaddexp_of_infinities() -> None:
    inf = np.inf
    a = gg.tensor([inf, -inf, inf, -inf, 1.0], requires_grad=True)
    b = gg.tensor([inf, -inf, 1.0, 1.0, -inf], requires_grad=True)
    y = gg.logaddexp(a, b)
    y.backward(np.ones(5))
    assert y.tolist() == [inf, -inf, inf, 1.0, 1.0]
    assert a.grad.tolist() == [0.5, 0.5, 1, 0, 1]
    assert b.grad.tolist() == [0.5, 0.5, 0, 1, 0]


@pytest.mark.parametrize("n", [-2, -1, -0.5, 0, 0.5, 1, 1.5, 2, 3, 4, 7])
def test_power_by_number_as_numpy(n: float, rng: np.random.Generator) -> None:
    x = rng.uniform(0.5, 2, 9)
    np.testing.assert_allclose((gg.tensor(x) ** n).numpy(), x**n, rtol=4e-16)
    np.testing.assert_allclose((max(n, 0.1) ** gg.tensor(x)).numpy(), max(n, 0.1) ** x, rtol=4e-16)


def test_integer_powers_as_numpy() -> None:
    x = gg.tensor([1, 2, 3])
    assert (x**2).tolist() == [1, 4, 9]
    assert (x**2).dtype == np.int64
    assert (x**2.0).dtype == np.float64
    with pytest.raises(ValueError, match="negative integer powers"):
        _ = x**-1


def test_erf_to_two_ulp_of_the_exact_value() -> None:
    gg.config.cpu = "numpy"  # compiled plans: tests/test_native.py
    xs = np.concatenate([np.linspace(-6.5, 6.5, 3001), np.logspace(-300, 0, 100)])
    got = gg.erf(gg.tensor(xs)).numpy()
    with mpmath.workdps(30):
        exact = [mpmath.erf(mpmath.mpf(float(x))) for x in xs]
        worst = max(
            abs(float(mpmath.mpf(float(g)) - e)) / np.spacing(abs(float(e)) or 1e-300)
            for g, e in zip(got, exact, strict=True)
        )
    assert worst <= 2
    np.testing.assert_array_max_ulp(
        gg.erf(gg.tensor(xs.astype(np.float32))).numpy(), scipy.special.erf(xs.astype(np.float32)), 2
    )


def test_integer_scalars_must_fit() -> None:
    with pytest.raises(gg.errors.DTypeError, match="300 does not fit in uint8"):
        gg.tensor([1], dtype=np.uint8) + 300


def test_weak_scalars_and_strong_numpy_scalars() -> None:
    x = gg.tensor([1.0], dtype=np.float32)
    assert (x * 2.5).dtype == np.float32
    assert (x * np.float64(2.5)).dtype == np.float64
    assert (np.float64(2.5) * x).dtype == np.float64
    assert (gg.tensor([1]) * 2.5).dtype == np.float64
    assert (gg.tensor([True]) + True).dtype == bool
    assert (x * True).dtype == np.float32


def test_integers_that_do_not_fit_and_negative_powers() -> None:
    for run in (
        lambda: gg.tensor([2]) + 2**70,
        lambda: gg.tensor([2]) ** gg.tensor([-1]),
        lambda: gg.power(2, gg.tensor([-1])),
        lambda: gg.tensor([True]) ** -1,
        lambda: gg.zeros(2, dtype="uint8").__setitem__(0, 300),
    ):
        with pytest.raises(gg.errors.GpugradError, match=r"does not fit|negative integer powers"):
            run()
    assert (gg.tensor([True]) ** 2).dtype == np.int64
    assert gg.sinc(gg.tensor([1], dtype="int8")).dtype == np.float64
