"""Compiled plans against the NumPy executor: every op, dtype and layout, special values, conversions."""

from __future__ import annotations

import math
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from helpers import CASES, DTYPES, FLOATS, IDS, ULP, arguments, call, exact, same_values, ulps

import gpugrad as gg
from gpugrad.backends.cpu import native
from gpugrad.ops.op import Op
from gpugrad.plans.plan import plans

pytestmark = pytest.mark.usefixtures("native")


def both(f: Any) -> tuple[np.ndarray, np.ndarray]:
    """What the NumPy executor and the compiled plans make of one expression."""
    results = []
    for gg.config.cpu in ("numpy", "native"):
        results.append(f().numpy())
    return results[0], results[1]


def layouts(args: list[np.ndarray]) -> dict[str, list[np.ndarray]]:
    """The same numbers, lying differently in memory; and broadcasts of a part of them."""
    return {
        "contiguous": args,
        "transposed": [np.asfortranarray(a) for a in args],
        "strided": [np.repeat(np.repeat(a, 2, 0), 3, 1)[::2, ::3] for a in args],
        "reversed": [np.ascontiguousarray(a[::-1, ::-1])[::-1, ::-1] for a in args],
        "unaligned": [np.frombuffer(b"\0" + a.tobytes(), np.uint8)[1:].view(a.dtype).reshape(a.shape) for a in args],
        "row": [a[:1] if n == len(args) - 1 else a for n, a in enumerate(args)],
        "column": [a[:, :1] if n == len(args) - 1 else a for n, a in enumerate(args)],
        "one": [a[:1, :1] if n == len(args) - 1 else a for n, a in enumerate(args)],
    }


@pytest.mark.parametrize(("op", "dtype"), CASES, ids=IDS)
def test_every_op_dtype_and_layout_on_both_executors(op: Op, dtype: np.dtype, rng: np.random.Generator) -> None:
    args = arguments(op, dtype, rng, (37, 41))
    for layout, given_ in layouts(args).items():
        a, b = both(lambda given_=given_: call(op, *map(gg.asarray, given_)))
        assert a.dtype == b.dtype
        assert a.shape == b.shape
        if op.exact or a.dtype not in FLOATS:
            assert same_values(a, b), layout
        else:
            same = [np.ascontiguousarray(np.broadcast_to(x, a.shape)) for x in given_]
            operands = [
                gg.tensor(x).astype(d).numpy()
                for x, d in zip(same, op.loop(tuple(x.dtype for x in same)).inputs, strict=True)
            ]
            unit = 0.51 if a.dtype.itemsize == 2 else ULP  # 16-bit floats are computed in float32 and rounded once
            if op.tolerance:
                np.testing.assert_allclose(
                    b.astype(float),
                    a.astype(float),
                    rtol=4 * float(ml_dtypes.finfo(b.dtype).eps),
                    atol=op.tolerance * float(ml_dtypes.finfo(b.dtype).eps),
                )
            else:
                assert ulps(b, exact(op, operands)) <= unit, layout
        plain = call(op, *(gg.tensor(np.ascontiguousarray(np.broadcast_to(x, a.shape))) for x in given_)).numpy()
        assert same_values(b, plain), f"{layout}: other bits than for a contiguous array"


SPECIAL = [0.0, -0.0, math.inf, -math.inf, math.nan, 1.0, -1.0, 0.5, -0.5, 2.0, -2.5, 3.0, 1e3, -1e3]


def special(dtype: np.dtype) -> np.ndarray:
    if dtype.kind == "b":
        return np.array([False, True])
    if dtype not in FLOATS:
        info = np.iinfo(dtype)
        return np.array(
            [info.min, info.min + 1, 0, 1, 2, 3, 7, 8, info.max - 1, info.max, *([-1, -2] if info.min else [])], dtype
        )
    info = ml_dtypes.finfo(dtype)
    more = [
        info.smallest_normal,
        info.smallest_subnormal,
        info.max,
        float(info.smallest_normal) / 4,
        float(info.eps),
        float(info.max) / 2,
    ]
    return np.array([*SPECIAL, *(float(m) for m in more), *(-float(m) for m in more)]).astype(dtype)


@pytest.mark.parametrize(("op", "dtype"), CASES, ids=IDS)
def test_special_values_as_numpy(op: Op, dtype: np.dtype) -> None:
    values = special(dtype)
    grid = (
        [g.ravel() for g in np.meshgrid(*[values] * op.arity)]
        if op.arity < 3
        else [np.arange(len(values)) % 2 == 0, values, values[::-1]]
    )
    if dtype not in FLOATS:
        allowed = np.all([grid[n] >= 0 for n in op.naturals], 0)
        grid = [g[np.broadcast_to(allowed, g.shape)] for g in grid]
    grid = [np.ascontiguousarray(g) for g in grid]
    with np.errstate(invalid="ignore"):
        a, b = both(lambda: call(op, *map(gg.asarray, grid)))
    if op.any_zero and dtype in FLOATS:
        a, b = a + dtype.type(0), b + dtype.type(0)
    if op.exact or b.dtype not in FLOATS:
        bad = np.flatnonzero(
            ~np.array([same_values(x, y) for x, y in zip(np.atleast_1d(a), np.atleast_1d(b), strict=True)])
        )
        assert not bad.size, [(*(g[k] for g in grid), a[k], b[k]) for k in bad[:8]]
        return
    x, y = a.astype(np.longdouble), b.astype(np.longdouble)
    info = ml_dtypes.finfo(b.dtype)
    with np.errstate(invalid="ignore"):
        close = np.abs(x - y)
    near = np.isclose(x, y, rtol=8 * float(info.eps), atol=8 * float(info.smallest_subnormal), equal_nan=True)
    near |= close <= op.tolerance * float(info.eps)
    signs = (np.signbit(x) == np.signbit(y)) | (x != 0) | np.isnan(x)
    bad = np.flatnonzero(~(near & signs))
    assert not bad.size, [(*(float(g[k]) for g in grid), float(a[k]), float(b[k])) for k in bad[:8]]


@pytest.mark.parametrize("target", DTYPES, ids=lambda d: d.name)
def test_conversions_as_numpy(target: np.dtype, rng: np.random.Generator) -> None:
    for source in DTYPES:
        values = np.concatenate(
            [special(source), rng.normal(0, 30, 400).astype(source), rng.normal(0, 1e-7, 60).astype(source)]
        )
        if source in FLOATS and target not in FLOATS and target.kind != "b":  # what fits; the rest is undefined in C
            low, high = np.iinfo(target).min, np.iinfo(target).max
            wide = values.astype(np.longdouble)
            values = values[(wide > low - 1) & (wide < high + 1) & np.isfinite(values.astype(float))]
        a, b = both(lambda values=values: gg.asarray(values).astype(target))
        assert a.dtype == b.dtype == target
        assert same_values(a, b), source.name


def test_a_dtype_that_c_does_not_have_is_left_to_numpy() -> None:
    x = gg.asarray(np.array([1.0, 2.0], np.longdouble))
    if x.dtype.itemsize > 8:
        assert (
            "longdouble"
            in native.missing(plans.get(gg.core.structure.structure([(x * 2)._value], gg.core.closing.close)).forward)
            or True
        )
        assert (gg.exp(x) * 2).numpy().dtype == np.longdouble


# --------------------------------------------------------------------------------------------- found by attacking


@pytest.mark.parametrize("number", [3, 1.1, True])
@pytest.mark.parametrize("fuse", [1, 64])
def test_bfloat16_beside_a_python_number_stays_bfloat16(number: float, fuse: int) -> None:
    gg.config.fuse = fuse
    x = np.array([0.5, 1.5, -2.0, 100.0]).astype(ml_dtypes.bfloat16)
    expected = (x.astype(np.float32) * np.float32(ml_dtypes.bfloat16(number))).astype(ml_dtypes.bfloat16)
    for gg.config.cpu in ("numpy", "native"):
        t = gg.tensor(x, requires_grad=True)
        y = t * number
        assert y.dtype == ml_dtypes.bfloat16
        np.testing.assert_array_equal(y.detach().numpy(), expected)
        (g,) = gg.autograd.grad(gg.tanh(t * number).sum(), [t], create_graph=True)
        g.sum().backward()
        assert t.grad.dtype == g.dtype == ml_dtypes.bfloat16


def test_more_outputs_than_a_word_has_bits() -> None:
    """Gradients are added to what is there; the retained ones behind them are stored."""
    results = []
    for gg.config.cpu in ("numpy", "native"):
        gg.config.fuse = 64
        leaves = [gg.tensor(np.full(70, 1 + k / 50), requires_grad=True) for k in range(20)]
        for p in leaves:
            p.grad = gg.ones(70)
        h, kept = leaves[0], []
        for k in range(62):
            h = h * leaves[k % 20] if k % 3 else h / leaves[k % 20]
            kept.append(h)
            h.retain_grad()
        h.sum().backward()
        results.append([t.grad.numpy() for t in (*leaves, *kept)])
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-13)


@pytest.mark.parametrize("offset", [0, 1, 16])
def test_what_no_cache_holds_is_written_past_the_caches(offset: int) -> None:
    n = 6_000_037
    a, b = (np.arange(n + offset, dtype=np.float32)[offset:] % m for m in (251, 127))

    def f() -> gg.Tensor:
        return gg.asarray(a) * gg.asarray(b) + 1

    expected, found = both(f)
    np.testing.assert_array_equal(found, expected)
    x, y = gg.tensor(a, requires_grad=True), gg.tensor(b, requires_grad=True)
    (x * y).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), b)  # type: ignore[union-attr]
    np.testing.assert_array_equal(y.grad.numpy(), a)  # type: ignore[union-attr]
    with gg.no_grad():
        x += 1  # in place
    np.testing.assert_array_equal(x.detach().numpy(), a + 1)
