"""Sums of compiled plans: over any axes, their bits, their accuracy."""

from __future__ import annotations

import math
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from helpers import DTYPES, FLOATS, same_bits, same_values
from hypothesis import given, settings
from hypothesis import strategies as st
from native_helpers import run

import gpugrad as gg
from gpugrad.backends.protocol import Output
from gpugrad.base.shapes import reduced
from gpugrad.plans.program import identity

pytestmark = pytest.mark.usefixtures("native")


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: d.name)
@settings(max_examples=60)
@given(data=st.data())
def test_sums_over_any_axes_stored_or_added(dtype: np.dtype, data: st.DataObject) -> None:
    shape = tuple(data.draw(st.lists(st.integers(0, 9) | st.sampled_from([70, 1025]), min_size=0, max_size=4)))
    if math.prod(shape) > 300_000:
        shape = shape[:2]
    axes = tuple(k for k in range(len(shape)) if data.draw(st.booleans()))
    add = data.draw(st.booleans())
    threads = data.draw(st.integers(1, 3))
    rng = np.random.default_rng(data.draw(st.integers(0, 9)))
    a = rng.integers(0, 3, shape).astype(dtype) if dtype not in FLOATS else rng.normal(0, 1, shape).astype(dtype)
    if shape and data.draw(st.booleans()):
        order = rng.permutation(len(shape))
        a = np.ascontiguousarray(a.transpose(order)).transpose(np.argsort(order))
    kept = reduced(shape, axes, True)
    out = rng.integers(0, 2, kept).astype(dtype)
    wide = np.float64 if dtype in FLOATS else np.int64
    total = a.astype(wide).sum(axis=axes, keepdims=True) if axes else a.astype(wide)
    if dtype.kind == "b":
        expected = (total != 0) | (out if add else False)
    else:
        expected = total + (out.astype(wide) if add else 0)
    run(identity(dtype), shape, [a], [Output(out, axes, add)], threads)
    if dtype in FLOATS:
        eps = float(ml_dtypes.finfo(dtype).eps)
        np.testing.assert_allclose(
            out.astype(float), expected, rtol=2 * eps, atol=2 * eps * max(16, a.size / 16)
        )  # a random walk of roundings
    else:
        np.testing.assert_array_equal(out, expected.astype(dtype))


@pytest.mark.parametrize(
    ("shape", "axes"),
    [((300_000,), (0,)), ((1000, 300), (0,)), ((1000, 300), (1,)), ((3, 100_000), (0,)), ((3, 100_000), (1,)),
     ((40, 50, 60), (1,)), ((40, 50, 60), (0, 2)), ((40, 50, 60), (0, 1, 2)), ((100_000, 3), (0,)), ((100_000, 3), (1,))],
)  # fmt: skip
@pytest.mark.parametrize("dtype", [np.float32, np.float64, ml_dtypes.bfloat16])
def test_a_sum_has_the_same_bits_for_all_threads_and_layouts(
    shape: tuple[int, ...], axes: tuple[int, ...], dtype: Any, rng: np.random.Generator
) -> None:
    a = rng.normal(0, 1, shape).astype(dtype)
    results = []
    for threads in (1, 2, 3):
        for given_ in (a, np.asfortranarray(a), np.repeat(a, 2, -1)[..., ::2]):
            out = np.empty(reduced(shape, axes, True), dtype)
            run(identity(np.dtype(dtype)), shape, [given_], [Output(out, axes)], threads)
            results.append(out)
    assert all(same_values(results[0], r) for r in results[1:])


def test_two_outputs_summed_over_different_axes(rng: np.random.Generator) -> None:
    x, y = rng.normal(0, 1, (70, 1)), rng.normal(0, 1, 900)
    results = []
    for threads in (1, 2):
        gg.config.threads, before = threads, gg.config.threads
        a, b, c = (gg.tensor(v, requires_grad=True) for v in (x, y, rng.normal(0, 0, (70, 900)) + 0.5))
        (gg.tanh(a * b) * c).sum().backward()
        results.append([t.grad.numpy() for t in (a, b, c)])
        gg.config.threads = before
    t = np.tanh(x * y)
    np.testing.assert_allclose(results[0][0], (0.5 * (1 - t * t) * y).sum(1, keepdims=True), rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(results[0][1], (0.5 * (1 - t * t) * x).sum(0), rtol=1e-12, atol=1e-13)
    assert all(same_bits(p, q) for p, q in zip(*results, strict=True))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [1000, 99_999, 3_000_000])
def test_sums_are_at_least_as_accurate_as_numpys(n: int, dtype: type, rng: np.random.Generator) -> None:
    a = rng.normal(1, 1, n).astype(dtype)
    true = math.fsum(a.tolist())
    ours, theirs = abs(float(gg.asarray(a).sum().item()) - true), abs(float(a.sum()) - true)
    assert ours <= max(theirs, np.spacing(dtype(true)))


def test_sums_of_infinities_zeros_and_nothing() -> None:
    inf = math.inf
    assert gg.tensor([1.0, inf, 2.0]).sum().item() == inf
    assert math.isnan(gg.tensor([1.0, inf, -inf]).sum().item())
    assert gg.tensor([inf] * 3000).sum().item() == inf
    assert math.isnan(gg.tensor([1.0, math.nan]).sum().item())
    assert math.copysign(1, gg.tensor([-0.0, -0.0]).sum().item()) == -1
    assert gg.zeros((0, 3)).sum(0).tolist() == [0, 0, 0]
    assert math.copysign(1, gg.zeros((0,)).sum().item()) == 1
    big = np.finfo(np.float64).max
    assert gg.tensor([big, big]).sum().item() == inf
