"""Every row of the table of special functions: values, derivatives of orders 1 and 2, edges, dtypes; the C text against exact values."""

from __future__ import annotations

import jax
import jax.nn
import jax.numpy as jnp
import jax.scipy.special
import mpmath as mp
import numpy as np
import pytest
import scipy.special
import scipy.stats
from helpers import call, central, ids, independent, reference

import gpugrad as gg
import gpugrad.scipy.special
from gpugrad.ops.op import SPECIAL, Op

jax.config.update("jax_enable_x64", True)

ROWS = list(dict.fromkeys(SPECIAL.values()))


@pytest.fixture(autouse=True)
def where_it_runs(request: pytest.FixtureRequest) -> None:
    """SciPy's functions are those of the CPU: on another device that is said."""
    op = request.getfixturevalue("op") if "op" in request.fixturenames else None
    if gg.zeros(()).device != "cpu" and op is not None and op.alone:
        with pytest.raises(gg.errors.DeviceError, match="runs on the CPU alone"):
            call(op, *(gg.ones(2) for _ in range(op.arity)))
        pytest.skip("SciPy's alone: there is none on a GPU")


def sample(op: Op, rng: np.random.Generator, dtype: type = np.float64, size: int = 9) -> list[np.ndarray]:
    return [rng.uniform(low, high, size).astype(dtype) for low, high in op.domains]


def moving(op: Op) -> list[int]:
    """The operands in which there is a derivative."""
    return [n for n in range(op.arity) if n not in op.constants]


def leaves(op: Op, args: list[np.ndarray]) -> list[gg.Tensor]:
    return [gg.tensor(a, requires_grad=n not in op.constants) for n, a in enumerate(args)]


def value(op: Op, *args: np.ndarray) -> np.ndarray:
    return call(op, *map(gg.tensor, args)).numpy()


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
@pytest.mark.parametrize("op", ROWS, ids=ids)
def test_value_and_dtype(op: Op, dtype: type, rng: np.random.Generator) -> None:
    args = sample(op, rng, dtype)
    got = value(op, *args)
    expected = reference(op)(*(a.astype(np.float64) for a in args))
    assert got.dtype == dtype
    eps = np.finfo(dtype).eps
    rtol = (16 if dtype == np.float64 else 4 if dtype == np.float32 else 1.01) * eps
    np.testing.assert_allclose(got.astype(float), expected, rtol=rtol, atol=max(4, op.tolerance) * eps)


@pytest.mark.long_on_gpu
@pytest.mark.parametrize("op", ROWS, ids=ids)
def test_derivatives_of_orders_one_and_two(op: Op, rng: np.random.Generator) -> None:
    check_derivatives(op, sample(op, rng))


@pytest.mark.parametrize("op", [o for o in ROWS if o.edges], ids=ids)
def test_derivatives_at_the_edges(op: Op) -> None:
    points = [p if isinstance(p, tuple) else (p,) for p in op.edges]
    check_derivatives(op, [np.array([p[n] for p in points]) for n in range(op.arity)])


def check_derivatives(op: Op, args: list[np.ndarray]) -> None:
    wrt = moving(op)
    xs = leaves(op, args)
    grads = gg.autograd.grad(call(op, *xs).sum(), [xs[n] for n in wrt], create_graph=True)

    def first(n: int, *a: np.ndarray) -> np.ndarray:
        zs = leaves(op, list(a))
        return gg.autograd.grad(call(op, *zs).sum(), zs[n])[0].numpy()

    for n, g in zip(wrt, grads, strict=True):
        expected = central(lambda *a: value(op, *a), args, n)
        np.testing.assert_allclose(g.detach().numpy(), expected, rtol=2e-6, atol=1e-8)
        if not g.requires_grad:
            continue
        second = gg.autograd.grad(g.sum(), [xs[k] for k in wrt], allow_unused=True, retain_graph=True)
        for k, s in zip(wrt, second, strict=True):
            expected = central(lambda *a, n=n: first(n, *a), args, k)
            got = np.zeros_like(expected) if s is None else s.numpy()
            np.testing.assert_allclose(got, expected, rtol=2e-5, atol=2e-6)


@pytest.mark.long_on_gpu
@pytest.mark.parametrize("op", ROWS, ids=ids)
def test_forward_mode_agrees_with_reverse(op: Op, rng: np.random.Generator) -> None:
    args, wrt = sample(op, rng), moving(op)
    ts = [rng.standard_normal(9) for _ in wrt]
    w = rng.standard_normal(9)

    def f(*xs: gg.Tensor) -> gg.Tensor:
        rest = iter(xs)
        return call(op, *(next(rest) if n in wrt else gg.tensor(a) for n, a in enumerate(args)))

    moved = [args[n] for n in wrt]
    _, pull = gg.vjp(f, *moved)
    _, tangent = gg.jvp(f, moved, ts)
    expected = sum((g * t).sum() for g, t in zip(pull(w), ts, strict=True))
    np.testing.assert_allclose((tangent * w).sum(), expected, rtol=1e-10, atol=1e-11)


@pytest.mark.long_on_gpu
@pytest.mark.parametrize("op", [o for o in ROWS if o.jax], ids=ids)
def test_against_jax(op: Op, rng: np.random.Generator) -> None:
    args, wrt = sample(op, rng), moving(op)
    f = independent(op.jax, op, jax=jax)
    fixed = [jnp.asarray(a) for a in args]

    def g(*xs: jax.Array) -> jax.Array:
        rest = iter(xs)
        return f(*(next(rest) if n in wrt else a for n, a in enumerate(fixed)))

    y, pull = jax.vjp(g, *(fixed[n] for n in wrt))
    np.testing.assert_allclose(value(op, *args), y, rtol=1e-11, atol=1e-13)
    xs = leaves(op, args)
    call(op, *xs).backward(np.ones(9))
    for n, expected in zip(wrt, pull(jnp.ones_like(y)), strict=True):
        np.testing.assert_allclose(xs[n].grad.numpy(), expected, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("op", [o for o in ROWS if o.constants], ids=ids)
def test_no_derivative_in_an_order_is_an_error(op: Op, rng: np.random.Generator) -> None:
    if op.name.startswith("_"):
        return  # only rules call it
    f = getattr(gpugrad.scipy.special, op.name)
    for n in op.constants:
        args = [gg.tensor(a, requires_grad=k == n) for k, a in enumerate(sample(op, rng))]
        for function in (f, getattr(scipy.special, op.name)):
            if isinstance(function, np.ufunc) or function is f:
                with pytest.raises(
                    gg.errors.GraphError, match=f"{op.name}: its derivative in '{op.params[n]}' is not known"
                ):
                    function(*args)
        with gg.no_grad():
            f(*[a.detach() for a in args])


def test_functions_of_scipy_take_tensors(rng: np.random.Generator) -> None:
    """All ufuncs of `scipy.special` that have a row, under every name."""
    count, on_cpu = 0, gg.zeros(()).device == "cpu"
    for name, op in SPECIAL.items():
        function = getattr(scipy.special, name, None)
        if isinstance(function, np.ufunc) and function.nin == op.arity and (on_cpu or not op.alone):
            args = sample(op, rng)
            got = function(*leaves(op, args))
            assert got.requires_grad, name
            np.testing.assert_allclose(got.detach().numpy(), function(*args), rtol=1e-13, atol=1e-13)
            count += 1
    assert count > (50 if on_cpu else 30)
    x = gg.tensor([0.5, 2.0], requires_grad=True)
    for f in (scipy.special.sici, scipy.special.fresnel) if on_cpu else ():
        for got, expected in zip(f(x), f(x.detach().numpy()), strict=True):
            np.testing.assert_allclose(got.detach().numpy(), expected, rtol=1e-14)
    out = gg.zeros(2)
    assert scipy.special.gammaln(x.detach(), out=out) is out
    np.testing.assert_allclose(out.numpy(), scipy.special.gammaln([0.5, 2.0]), rtol=1e-14)


@pytest.mark.parametrize("op", [o for o in ROWS if not o.alone], ids=ids)
def test_special_values_as_scipy(op: Op) -> None:
    """Both executors at zeros, infinities and NaN give what SciPy gives."""
    points = np.array([0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 0.5, -0.5, 2.0, 1e3, -1e3])
    grid = [g.ravel() for g in np.meshgrid(*[points] * op.arity)]
    if op.constants == (0,) and op.domains[0][0] == op.domains[0][1]:  # a whole order
        grid = [g[np.isin(grid[0], (1.0, 2.0))] for g in grid]
        if "1" in op.reference:
            grid[0] = np.ones_like(grid[0])
    if op.name in ("zeta", "_ine"):  # NaN is no order; only rules ask for the second
        grid = [g[np.all([np.isfinite(g) for g in grid], 0)] for g in grid]
    with np.errstate(all="ignore"):
        expected = reference(op)(*grid)
    if op.name in ("betainc", "gammainc", "gammaincc", "beta", "betaln", "binom", "pseudo_huber"):
        inside = np.all(
            [np.isfinite(g) & (g >= 0) & (g < 100) for g in grid], 0
        )  # SciPy's own limits beyond are of little use
        grid, expected = [g[inside] for g in grid], expected[inside]
    np.testing.assert_allclose(value(op, *grid), expected, rtol=1e-12, atol=1e-14)


def spread(low: float, high: float, n: int = 60) -> np.ndarray:
    return np.logspace(np.log10(low), np.log10(high), n)


def even(low: float, high: float, n: int = 60) -> np.ndarray:
    return np.linspace(low, high, n)


def shuffled(a: np.ndarray) -> np.ndarray:
    return np.random.default_rng(3).permutation(a)


# name: the exact function, where, how many eps it may be off, relative to its value or (False) to 1 where that is less. Measured, rounded up.
EXACT = {
    "gammaln": (mp.loggamma, [spread(1e-10, 1e10)], 4, True),
    "gamma": (mp.gamma, [np.concatenate([spread(1e-10, 170), even(-19.7, -0.1)])], 6, True),
    "digamma": (mp.digamma, [spread(1e-8, 1e10)], 8, False),
    "zeta": (mp.zeta, [even(1.1, 20), spread(1e-3, 100)], 6, True),
    "polygamma": (lambda n, x: mp.psi(int(n), x), [np.arange(60) % 4 + 1.0, spread(1e-3, 1e4)], 8, True),
    "erfc": (mp.erfc, [even(-6, 26)], 4, True),
    "erfcx": (lambda x: mp.exp(x * x) * mp.erfc(x), [np.concatenate([even(-26, 0), spread(1e-5, 1e8)])], 4, True),
    "erfinv": (mp.erfinv, [np.concatenate([spread(1e-12, 0.9999999), -spread(1e-12, 0.99)])], 4, True),
    "erfcinv": (lambda q: mp.erfinv(1 - q), [np.concatenate([spread(1e-30, 0.99), even(1.01, 1.9999)])], 4, True),
    "ndtri": (lambda p: mp.sqrt(2) * mp.erfinv(2 * p - 1), [np.concatenate([spread(1e-30, 0.49), even(0.51, 0.9999)])], 6, True),
    "ndtr": (mp.ncdf, [even(-5, 8)], 40, True),
    "log_ndtr": (lambda x: mp.log(mp.ncdf(x)), [even(-40, 5)], 40, True),
    "betaln": (lambda a, b: mp.log(mp.beta(a, b)), [spread(1e-4, 1e6), shuffled(spread(1e-4, 1e6))], 12, False),
    "beta": (mp.beta, [spread(1e-3, 60), shuffled(spread(1e-3, 60))], 200, True),
    "gammainc": (lambda a, x: mp.gammainc(a, 0, x, regularized=True), [spread(1e-2, 1e3), spread(1e-2, 1e3) * even(0.5, 1.5)], 600, True),
    "gammaincc": (lambda a, x: mp.gammainc(a, x, regularized=True), [spread(1e-2, 1e3), spread(1e-2, 1e3) * even(1.5, 0.5)], 600, True),
    "betainc": (lambda a, b, x: mp.betainc(a, b, 0, x, regularized=True), [spread(0.1, 100), shuffled(spread(0.1, 100)), even(0.05, 0.95)], 600, True),
    "i0": (lambda x: mp.besseli(0, x), [even(-100, 100)], 12, True),
    "i1": (lambda x: mp.besseli(1, x), [even(-100, 100)], 16, True),
    "i0e": (lambda x: mp.exp(-abs(x)) * mp.besseli(0, x), [even(-300, 300)], 12, True),
    "_ine": (lambda n, x: mp.exp(-abs(x)) * mp.besseli(n, x), [np.arange(60) % 7.0, spread(1e-2, 1e5)], 40, True),
    "j0": (lambda x: mp.besselj(0, x), [even(0, 100)], 4, False),
    "j1": (lambda x: mp.besselj(1, x), [even(-100, 100)], 4, False),
    "y0": (lambda x: mp.bessely(0, x), [spread(1e-3, 100)], 10, False),
    "y1": (lambda x: mp.bessely(1, x), [spread(0.1, 100)], 10, False),
    "expit": (lambda x: 1 / (1 + mp.exp(-x)), [even(-30, 30)], 4, True),
    "logit": (lambda x: mp.log(x / (1 - x)), [spread(1e-10, 0.99999)], 4, True),
    "xlogy": (lambda x, y: x * mp.log(y), [even(0.1, 10), spread(1e-3, 1e3)], 4, True),
}  # fmt: skip


@pytest.mark.parametrize("name", EXACT)
def test_compiled_text_against_exact_values(name: str, native: None) -> None:
    exact, args, bound, relative = EXACT[name]
    got = value(SPECIAL[name], *args)
    with mp.workdps(60):
        for g, *a in zip(got, *args, strict=True):
            e = mp.re(exact(*(mp.mpf(float(x)) for x in a)))
            error = abs(mp.mpf(float(g)) - e) / (abs(e) if relative else max(1, abs(e)))
            assert error <= bound * mp.mpf(2) ** -52, (a, g, e)


def test_fuses_with_what_is_around(native: None) -> None:
    x = gg.tensor(np.linspace(0.5, 3.0, 1000), requires_grad=True)
    gg.debug.counters.reset()
    y = (gpugrad.scipy.special.gammaln(x * 2) - gpugrad.scipy.special.digamma(x) * gg.exp(-x)).sum()
    y.backward()
    assert gg.debug.counters.forward == 1
    z = gg.tensor(np.linspace(0.5, 3.0, 1000), requires_grad=True)
    gg.debug.counters.reset()
    gpugrad.scipy.special.k0(z * 2).sum().item()  # SciPy's alone: a region of its own
    assert gg.debug.counters.forward == 3


def test_functions_made_of_rows(rng: np.random.Generator) -> None:
    sp, ss = gpugrad.scipy.special, scipy.special
    a, b = rng.standard_normal((3, 4)), rng.uniform(0.5, 2, (3, 4))
    for kwargs in ({}, {"axis": 1}, {"axis": (0, 1), "keepdims": True}, {"axis": -1, "return_sign": True}):
        for weights in (None, b, -b):
            got = sp.logsumexp(a, b=weights, **kwargs)
            with np.errstate(all="ignore"):
                expected = ss.logsumexp(a, b=weights, **kwargs)
            for g, e in zip(*((x,) if not isinstance(x, tuple) else x for x in (got, expected)), strict=True):
                np.testing.assert_allclose(g.numpy(), e, rtol=1e-13)
    gg.testing.check_grads(lambda x, w: sp.logsumexp(x, axis=0, b=w), [a, b], order=2)
    big = gg.tensor([1000.0, -np.inf, np.nan], requires_grad=True)
    y = sp.logsumexp(big, b=np.array([1.0, 1.0, 0.0]))
    y.backward()
    assert y.item() == 1000
    assert big.grad.tolist() == [1, 0, 0]  # what has no weight did not take part
    np.testing.assert_allclose(sp.softmax(a).numpy(), ss.softmax(a), rtol=1e-14)
    np.testing.assert_allclose(sp.log_softmax(a, axis=0).numpy(), ss.log_softmax(a, axis=0), rtol=1e-13)
    np.testing.assert_allclose(sp.multigammaln(b + 2, 3).numpy(), ss.multigammaln(b + 2, 3), rtol=1e-14)
    gg.testing.check_grads(lambda x: sp.multigammaln(x, 2), [b + 1], order=2)
    with pytest.raises(ValueError, match="greater than"):
        sp.multigammaln([0.2], 2)
    n, k = np.array([5.0, 3, 2, -1]), np.array([2.0, 3, 4, 1])
    np.testing.assert_allclose(sp.comb(n, k).numpy(), ss.comb(n, k), rtol=1e-14)
    assert sp.comb(40, 20, exact=True) == ss.comb(40, 20, exact=True)
    assert sp.comb(4, 2, repetition=True).item() == ss.comb(4, 2, repetition=True)


def test_where_formulas_change() -> None:
    sp = gpugrad.scipy.special
    for f, at, slope in (
        (lambda k: sp.inv_boxcox(2.0, k), 0.0, -2 * np.exp(2)),
        (lambda k: sp.inv_boxcox1p(2.0, k), 0.0, -2 * np.exp(2)),
        (lambda x: sp.boxcox(x, 5.0), 1e-4, 1e-16),
        (lambda x: sp.boxcox(x, 1.0), 0.0, 1.0),
        (lambda k: sp.boxcox(2.0, k), 0.0, np.log(2) ** 2 / 2),
        (lambda t: sp.stdtr(3.5, t), 0.0, scipy.stats.t.pdf(0, 3.5)),
    ):
        np.testing.assert_allclose(gg.grad(f)(at), slope, rtol=1e-12)
    np.testing.assert_allclose(sp.rel_entr(1e10, 1e-300).item(), 1e10 * (np.log(1e10) + 300 * np.log(10)), rtol=1e-12)
    assert sp.pseudo_huber(1.0, np.inf).item() == np.inf
    assert sp.rgamma(-2.0).item() == 0


def test_small_and_infinite_shapes_in_compiled_text(native: None) -> None:
    sp = gpugrad.scipy.special
    with mp.workdps(50):
        for a, x in ((10.0, 1e-10), (1e-10, 0.1), (1e-300, 0.1), (0.05, 0.9), (5.0, 2.0)):
            for f, exact in (
                (sp.gammaincc, mp.gammainc(a, x, regularized=True)),
                (sp.gammainc, mp.gammainc(a, 0, x, regularized=True)),
            ):
                assert abs(f(gg.tensor(a), gg.tensor(x)).item() - exact) <= 60 * mp.mpf(2) ** -52 * exact, (a, x)
    assert sp.beta(0.5, np.inf).item() == 0
    assert sp.betaln(0.5, np.inf).item() == -np.inf
