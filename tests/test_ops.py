"""Every row of the op table: value, gradient of orders 1 and 2, dtypes, shapes, edges, extremes. One list of ops."""

from __future__ import annotations

import math
import warnings

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
import scipy.special
from helpers import (
    FLOAT_OPS,
    OPS,
    SMOOTH,
    at_both_fusion_levels,
    call,
    central,
    differentiable,
    gradients,
    same_bits,
    sample,
    shared,
)

import gpugrad as gg
from gpugrad.ops import elementwise as ew
from gpugrad.ops.op import TABLE, Op

jax.config.update("jax_enable_x64", True)

REFERENCE = {
    "erf": scipy.special.erf, "sigmoid": scipy.special.expit, "relu": lambda x: np.maximum(x, 0), "cube": lambda x: x * x * x,
    "leaky_relu": lambda x, a: np.where(x > 0, x, a * x), "elu": lambda x, a: np.where(x > 0, x, a * np.expm1(np.minimum(x, 0))),
    "gelu": lambda x: x * scipy.special.ndtr(x), "silu": lambda x: x * scipy.special.expit(x),
    "gelu_tanh": lambda x: 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
    "softplus": lambda x: np.logaddexp(x, 0), "clip": np.clip, "where": np.where, "sinc": np.sinc,
}  # fmt: skip

JAX = {
    "erf": jax.scipy.special.erf, "sigmoid": jax.nn.sigmoid, "relu": jax.nn.relu, "leaky_relu": jax.nn.leaky_relu, "elu": jax.nn.elu,
    "gelu": lambda x: jax.nn.gelu(x, approximate=False), "gelu_tanh": jax.nn.gelu, "silu": jax.nn.silu,
    "softplus": jax.nn.softplus, "cube": lambda x: x * x * x, "clip": jnp.clip, "divide": jnp.divide,
}  # fmt: skip


def reference(op: Op):
    return REFERENCE.get(op.name) or getattr(np, op.name)


def ids(op: Op) -> str:
    return op.name


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
                               atol=4 * np.finfo(dtype).eps if op.name.startswith(("gelu", "logaddexp"))
                               else np.finfo(dtype).smallest_subnormal)  # fmt: skip


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
    if op.name == "sinc":
        return  # NumPy computes it in float64 for every integer; here it is a function like sin
    if op.is_ufunc:
        assert y.dtype == expected.dtype
    if dtype != np.bool_ or op.is_ufunc:
        np.testing.assert_allclose(
            y.numpy().astype(float), np.asarray(expected, float), rtol=1e-2 if y.dtype.itemsize < 4 else 1e-6
        )


@pytest.mark.parametrize("op", SMOOTH, ids=ids)
def test_gradient_against_finite_differences(op: Op, rng: np.random.Generator) -> None:
    args = sample(op, rng)
    if op.name in ("floor_divide", "remainder", "floor", "ceil", "trunc", "rint"):
        args = [np.where(np.abs(a / 0.5 - np.rint(a / 0.5)) < 0.01, a + 0.07, a) for a in args]
    upstream = rng.uniform(0.5, 1.5, args[0].shape)
    got = gradients(lambda *xs: call(op, *xs), args, upstream)
    for g, n in zip(got, differentiable(op), strict=True):
        expected = upstream * central(lambda *a: call(op, *map(gg.tensor, a)).numpy(), args, n)
        np.testing.assert_allclose(g, expected, rtol=2e-6, atol=1e-8)


def first(op: Op, n: int):
    """The gradient of an op in operand n, as a function of arrays."""

    def f(*args: np.ndarray) -> np.ndarray:
        xs = [gg.tensor(a, requires_grad=a.dtype.kind == "f") for a in args]
        return gg.autograd.grad(call(op, *xs).sum(), xs[n])[0].numpy()

    return f


@pytest.mark.parametrize("op", SMOOTH, ids=ids)
def test_second_order(op: Op, rng: np.random.Generator) -> None:
    check_second_order(op, sample(op, rng))


def check_second_order(op: Op, args: list[np.ndarray], rtol: float = 2e-5) -> None:
    for n in differentiable(op):
        xs = [gg.tensor(a, requires_grad=a.dtype.kind == "f") for a in args]
        (g,) = gg.autograd.grad(call(op, *xs).sum(), xs[n], create_graph=True)
        inputs = [xs[k] for k in differentiable(op)]
        second = gg.autograd.grad(g.sum(), inputs, allow_unused=True) if g.requires_grad else [None] * len(inputs)
        for k, s in zip(differentiable(op), second, strict=True):
            expected = central(first(op, n), args, k)
            np.testing.assert_allclose(
                np.zeros_like(expected) if s is None else s.numpy(), expected, rtol=rtol, atol=2e-6
            )


@pytest.mark.parametrize("op", [o for o in SMOOTH if o.edges], ids=ids)
def test_orders_one_and_two_at_the_edges(op: Op) -> None:
    points = [p if isinstance(p, tuple) else (p,) for p in op.edges]
    args = [np.array([p[n] for p in points]) for n in range(op.arity)]
    got = gradients(lambda *xs: call(op, *xs), args)
    for n, g in enumerate(got):
        np.testing.assert_allclose(
            g, central(lambda *a: call(op, *map(gg.tensor, a)).numpy(), args, n), rtol=1e-6, atol=1e-8
        )
    check_second_order(op, args)


@pytest.mark.parametrize("op", [o for o in SMOOTH if o.kinks], ids=ids)
def test_kinks_have_finite_gradients(op: Op) -> None:
    points = [p if isinstance(p, tuple) else (p,) for p in op.kinks]
    args = [np.array([p[n] for p in points]) for n in range(op.arity)]
    for g in gradients(lambda *xs: call(op, *xs), args):
        assert np.isfinite(g).all()


@pytest.mark.parametrize(
    ("op", "point", "expected"),
    [("absolute", (0.0,), (0,)), ("sign", (0.0,), (0,)), ("relu", (0.0,), (0,)), ("leaky_relu", (0.0, 0.1), (0.1, 0)),
     ("maximum", (1.0, 1.0), (0.5, 0.5)), ("minimum", (1.0, 1.0), (0.5, 0.5)), ("fmax", (1.0, 1.0), (0.5, 0.5)),
     ("fmin", (1.0, 1.0), (0.5, 0.5)), ("hypot", (0.0, 0.0), (0, 0)), ("clip", (1.0, 1.0, 2.0), (1, 0, 0)),
     ("clip", (0.5, 1.0, 2.0), (0, 1, 0)), ("clip", (2.5, 1.0, 2.0), (0, 0, 1)), ("fmax", (1.0, np.nan), (1, 0)),
     ("fmin", (np.nan, 1.0), (0, 1)), ("maximum", (3.0, 1.0), (1, 0)), ("minimum", (3.0, 1.0), (0, 1))],
)  # fmt: skip
def test_conventions(op: str, point: tuple[float, ...], expected: tuple[float, ...]) -> None:
    got = gradients(lambda *xs: call(TABLE[op], *xs), [np.array(p) for p in point])
    assert [float(g) for g in got] == list(expected)


@pytest.mark.parametrize("op", [o for o in SMOOTH if o.name in JAX or hasattr(jnp, o.name)], ids=ids)
def test_against_jax(op: Op, rng: np.random.Generator) -> None:
    args = sample(op, rng)
    f = JAX.get(op.name) or getattr(jnp, op.name)
    value, pull = jax.vjp(f, *(jnp.asarray(a) for a in args))
    np.testing.assert_allclose(call(op, *map(gg.tensor, args)).numpy(), value, rtol=1e-13, atol=1e-15)
    expected = [np.asarray(g) for g in pull(jnp.ones_like(value)) if g.dtype == jnp.float64]
    for g, e in zip(gradients(lambda *xs: call(op, *xs), args), expected, strict=True):
        np.testing.assert_allclose(g, e, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("op", SMOOTH, ids=ids)
def test_against_torch(op: Op, rng: np.random.Generator) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is a peer, compared with where it is installed")
    names = {
        "power": "pow",
        "gelu_tanh": "gelu",
        "elu": "elu",
        "rint": "round",
        "absolute": "abs",
        "arctan2": "atan2",
        "cbrt": "",
    }
    f = getattr(torch.nn.functional, names.get(op.name, op.name), None) if op.name in ("gelu", "silu", "softplus", "elu", "leaky_relu") \
        else getattr(torch, names.get(op.name, op.name), None)  # fmt: skip
    if f is None:
        pytest.skip(f"PyTorch has no {op.name}")
    args = sample(op, rng)
    if op.name in ("elu", "leaky_relu"):
        args = args[:1]
        default = 1.0 if op.name == "elu" else 0.01
        ours = gradients(lambda x: call(op, x, default), args)
    else:
        ours = gradients(lambda *xs: call(op, *xs), args)
    xs = [torch.tensor(a, requires_grad=a.dtype.kind == "f") for a in args]
    if op.name == "floor_divide":
        pytest.skip("PyTorch's floor_divide has no gradient")
    y = f(*xs)
    y.backward(torch.ones_like(y))
    for g, x in zip(ours, [x for x in xs if x.requires_grad], strict=True):
        np.testing.assert_allclose(g, np.zeros_like(g) if x.grad is None else x.grad.numpy(), rtol=1e-10, atol=1e-12)


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
    if op.name in ("silu", "gelu", "gelu_tanh"):  # x * 0 at -inf: NaN, as in the peers
        got, expected = np.delete(got, 3), np.delete(expected, 3)
    if op.name == "gelu_tanh":  # the reference overflows where the op does not
        expected = np.where(np.isnan(expected), got, expected)
    np.testing.assert_allclose(got.astype(float), expected.astype(float), rtol=1e-14)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_stable_over_the_whole_range(dtype: type) -> None:
    big = np.finfo(dtype).max
    wide = np.array([-big, -1000, -100, -10, 0, 10, 100, 1000, big], dtype)
    for op in (
        ew.sigmoid,
        ew.softplus,
        ew.tanh,
        ew.silu,
        ew.gelu,
        ew.gelu_tanh,
        ew.arctan,
        ew.arcsinh,
        ew.erf,
        ew.relu,
    ):
        x = gg.tensor(wide, requires_grad=True)
        y = call(op, x)
        (g,) = gg.autograd.grad(y.sum() if op not in (ew.softplus, ew.silu) else (y * 1e-9).sum(), x, create_graph=True)
        assert np.isfinite(y.detach().numpy()).all(), op
        assert np.isfinite(g.detach().numpy()).all(), op
        if op is not ew.relu:
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


def test_powers_of_a_number_are_exact_at_zero_at_every_order() -> None:
    for n in (0, 1, 2, 3, 4, 5, 2.0, 3.0):
        x = gg.tensor(0.0, requires_grad=True)
        y = x**n
        for order in range(6):
            expected = math.factorial(int(n)) if order == n else 0.0
            assert y.item() == expected, (n, order)
            if not y.requires_grad:
                break
            (y,) = gg.autograd.grad(y, x, create_graph=True)


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


@pytest.mark.long_on_gpu
@pytest.mark.parametrize("op", SMOOTH, ids=ids)
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
@pytest.mark.parametrize("size", [5, 70_000])
def test_bits_do_not_depend_on_fusion_or_threads(op: Op, dtype: type, size: int, rng: np.random.Generator) -> None:
    args = sample(op, rng, (size,), dtype)

    def run() -> list[np.ndarray]:
        xs = [gg.tensor(a, requires_grad=a.dtype.kind == "f") for a in args]
        y = call(op, *(x * 1.25 if x.requires_grad else x for x in xs))
        z = (y + 1) * y
        if z.requires_grad:
            z.sum().backward()
        return [z.detach().numpy(), *(x.grad.numpy() for x in xs if x.requires_grad)]

    eager, fused = at_both_fusion_levels(run)
    assert same_bits(eager[0], fused[0])
    for a, b in zip(eager[1:], fused[1:], strict=True):
        # 8 ulp of the largest term of the sums that make the gradient
        scale = max(float(np.nanmax(np.abs(np.where(np.isfinite(a), a, 0)), initial=0)), 1e-30)
        finite = np.isfinite(a)
        assert np.array_equal(finite, np.isfinite(b))
        assert (
            np.abs(a[finite].astype(float) - b[finite].astype(float)).max(initial=0) <= 8 * np.finfo(dtype).eps * scale
        )
    gg.config.threads = 1
    single = run()
    gg.config.threads = 2
    for a, b in zip(single, run(), strict=True):
        assert same_bits(a, b)


def test_division_by_the_number_zero_is_infinite() -> None:
    x = gg.tensor([1.0, -2.0], requires_grad=True)
    y = x / 0
    y.backward(np.ones(2))
    assert y.tolist() == [np.inf, -np.inf]
    assert x.grad.tolist() == [np.inf, np.inf]


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


BINARY = [o for o in SMOOTH if o.arity == 2]


@pytest.mark.parametrize("number", [2, 2.5])
@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("op", BINARY, ids=ids)
def test_python_numbers_as_operands(op: Op, side: str, number: float, rng: np.random.Generator) -> None:
    """A number and an array of it: the same value and gradients of orders 1 and 2, integers included."""
    x = np.abs(sample(op, rng)[0]) + 0.3
    results = []
    for other in (number, np.full_like(x, number)):
        t = gg.tensor(x, requires_grad=True)
        y = call(op, *((t, other) if side == "right" else (other, t)))
        (g,) = gg.autograd.grad(y.sum(), t, create_graph=True)
        (h,) = gg.autograd.grad(g.sum(), t, allow_unused=True) if g.requires_grad else (None,)
        results.append([y.detach().numpy(), g.detach().numpy(), np.zeros_like(x) if h is None else h.numpy()])
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-14, atol=1e-15)


INEXACT = [o for o in FLOAT_OPS if not o.exact]


@pytest.mark.long_on_gpu
@pytest.mark.parametrize("op", INEXACT, ids=ids)
def test_bits_of_library_functions_do_not_depend_on_the_layout(op: Op, rng: np.random.Generator) -> None:
    """NumPy's own float16 arcsin and cbrt differ between strided and contiguous arrays; a plan's must not."""
    layouts = [
        lambda a: a[:, ::3].T,
        lambda a: a[:, ::2],
        lambda a: a[::-1, ::-1],
        lambda a: np.broadcast_to(a[:1], a.shape),
    ]
    for dtype in (np.float16, np.float32):
        wide = sample(op, rng, (300, 240), dtype)
        for layout in layouts:
            strided = [layout(a) for a in wide]
            given = call(op, *(shared(a) for a in strided)).numpy()
            plain = call(op, *(gg.tensor(np.ascontiguousarray(a)) for a in strided)).numpy()
            assert same_bits(given, plain)


@pytest.mark.parametrize("op", SMOOTH, ids=lambda o: o.name)
def test_forward_mode_agrees_with_reverse(op: Op, rng: np.random.Generator) -> None:
    """The tangent plan and the backward plan come from the same partials: t' J' w is w' J t."""
    args = sample(op, rng)
    wrt = differentiable(op)
    ts = {n: rng.standard_normal(7) for n in wrt}
    w = rng.standard_normal(7)

    def f(*xs: gg.Tensor) -> gg.Tensor:
        rest = iter(xs)
        return call(op, *(next(rest) if n in ts else a for n, a in enumerate(args)))

    y, pull = gg.vjp(f, *(args[n] for n in wrt))
    value, tangent = gg.jvp(f, [args[n] for n in wrt], list(ts.values()))
    assert same_bits(value.numpy(), y.numpy())
    expected = sum((g.numpy() * t).sum() for g, t in zip(pull(w), ts.values(), strict=True))
    np.testing.assert_allclose((tangent.numpy() * w).sum(), expected, rtol=1e-11, atol=1e-12)
