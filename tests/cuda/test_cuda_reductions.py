"""Sums, extremes and running sums on an emulated GPU, in any order of its threads."""

from __future__ import annotations

import itertools
import math
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from cuda_helpers import NEEDS, emulator, lying, place, shared_runtime
from helpers import FLOATS, same_bits, same_values
from hypothesis import given, settings
from hypothesis import strategies as st

from gpugrad.backends.protocol import Output
from gpugrad.base.shapes import reduced
from gpugrad.plans.program import identity

pytestmark = NEEDS

AXES: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
    ((10,), (0,)), ((1000,), (0,)), ((40_003,), (0,)), ((7, 100), (1,)), ((7, 100), (0,)), ((3, 20_000), (1,)), ((20_001, 3), (0,)),
    ((1500, 40), (0,)), ((700, 36), (0,)), ((4, 5, 6), (0, 2)), ((4, 5, 64), (0, 1)), ((4, 50, 64), (1,)), ((5, 0), (1,)), ((0, 5), (0,)), ((0,), (0,)), ((1, 0), (0, 1)), ((), ()),
    ((2, 3, 4, 5), (1, 3)), ((1, 1), (0,)), ((300, 17), (0, 1)), ((50, 2), (1,)), ((40, 10), (1,)), ((9, 5), (1,)), ((3, 130), (1,)), ((20, 1), (1,)),
]  # fmt: skip


@pytest.mark.usefixtures("on_cpu")
@pytest.mark.parametrize("order", list(emulator.ORDERS))
@pytest.mark.parametrize(("shape", "axes"), AXES, ids=str)
def test_sums(shape: tuple[int, ...], axes: tuple[int, ...], order: str, gpu: emulator.HostBackend, rng: np.random.Generator) -> None:  # fmt: skip
    gpu.runtime.order = order
    for dtype in ("float32", "float64", "float16", "bfloat16", "int32", "bool"):
        wide = rng.integers(-3, 4, shape) * 0.25 if dtype != "bool" else rng.random(shape) < 0.01
        a = np.asarray(wide).astype(getattr(ml_dtypes, dtype) if dtype == "bfloat16" else dtype)
        result = reduced(shape, axes, True)
        start = np.ones(result, a.dtype) if dtype != "bool" else np.zeros(result, bool)
        for layout, accumulate in itertools.product(("contiguous", "transposed"), (False, True)):
            given_ = a if layout == "contiguous" else np.asfortranarray(a)
            out = gpu.runtime.upload(start)
            if not axes:
                continue
            gpu.run(identity(a.dtype), shape, [place(gpu, given_)], (), [Output(out, axes, accumulate)])
            total = a.any(axes, keepdims=True) if dtype == "bool" else a.astype(np.float64).sum(axes, keepdims=True)
            expected = total + (start.astype(float) if accumulate else 0) if dtype != "bool" else total
            # multiples of 1/4 are summed exactly; only the result is rounded
            assert same_values(gpu.to_host(out), expected.astype(a.dtype)), (dtype, layout, accumulate)
    gpu.runtime.order = "ascending"


@pytest.mark.usefixtures("on_cpu")
def test_the_bits_of_a_sum_do_not_depend_on_layout_or_order(
    gpu: emulator.HostBackend, rng: np.random.Generator
) -> None:
    for shape, axes in AXES:
        if not axes or 0 in shape:
            continue
        a = rng.standard_normal(shape).astype("float32")
        found = []
        for layout, order in itertools.product(("contiguous", "transposed", "unaligned", "reversed"), emulator.ORDERS):
            given_ = np.asfortranarray(a) if layout == "transposed" else a
            if layout == "unaligned":
                given_ = lying([a.reshape(1, -1)], "unaligned")[0].reshape(shape)
            if layout == "reversed":
                given_ = np.flip(np.flip(a).copy())
            gpu.runtime.order = order
            out = gpu.empty(reduced(shape, axes, True), a.dtype)
            gpu.run(identity(a.dtype), shape, [place(gpu, given_)], (), [Output(out, axes)])
            found.append(gpu.to_host(out))
        gpu.runtime.order = "ascending"
        assert all(same_bits(f, found[0]) for f in found), (shape, axes)
        np.testing.assert_allclose(found[0], a.astype(float).sum(axes, keepdims=True), rtol=2e-7, atol=1e-6)


@pytest.mark.usefixtures("on_cpu")
@settings(max_examples=40)
@given(st.data())
def test_extremes_and_where_they_are(data: Any) -> None:
    gpu = emulator.HostBackend(shared_runtime())
    shape, axes = data.draw(st.sampled_from([(s, a) for s, a in AXES if a and 0 not in s and math.prod(s) < 5000]))
    dtype = data.draw(st.sampled_from(["float32", "float16", "float64", "int8", "uint8", "int64", "bool", "bfloat16"]))
    gpu.runtime.order = data.draw(st.sampled_from(list(emulator.ORDERS)))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    a = rng.integers(0, 5, shape).astype(getattr(ml_dtypes, dtype) if dtype == "bfloat16" else dtype)
    if a.dtype in FLOATS and data.draw(st.booleans()):
        a.flat[rng.integers(a.size, size=2)] = np.nan
    given_ = place(gpu, np.asfortranarray(a) if data.draw(st.booleans()) else a)
    ours = gpu._own
    for name in ("max", "min"):
        got = gpu.to_host(ours[f"reduce_{name}"](gpu, given_, axes=axes, keepdims=False))
        with np.errstate(all="ignore"):
            expected = np.asarray(getattr(np, name)(a, axes))
        assert same_values(got, expected)
        axis = axes[0] if len(axes) == 1 else None
        wide = a.astype(np.float32) if dtype == "bfloat16" else a
        position = gpu.to_host(ours[f"arg{name}"](gpu, given_, axis=axis, keepdims=False))
        assert same_bits(position, np.asarray(getattr(np, f"arg{name}")(wide, axis)))


@pytest.mark.usefixtures("on_cpu")
@pytest.mark.parametrize("order", list(emulator.ORDERS))
@pytest.mark.parametrize("shape", [(5,), (300,), (30_000,), (4, 700), (700, 4), (3, 100, 50), (0,), (9000, 2)], ids=str)
def test_running_sums(shape: tuple[int, ...], order: str, gpu: emulator.HostBackend, rng: np.random.Generator) -> None:
    gpu.runtime.order = order
    for dtype, axis in itertools.product(("float32", "float16", "int64"), range(len(shape))):
        a = rng.integers(-2, 3, shape).astype(dtype)
        got = gpu.to_host(gpu._own["cumsum"](gpu, place(gpu, a), axis=axis))
        assert same_bits(got, np.cumsum(a.astype(np.float64), axis).astype(dtype)), (dtype, axis)
    gpu.runtime.order = "ascending"
