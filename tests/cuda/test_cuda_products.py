"""Matrix products on an emulated GPU: layouts, and what is not copied."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest
from cuda_helpers import NEEDS, emulator, place, shared_runtime
from helpers import same_values
from hypothesis import given, settings
from hypothesis import strategies as st

import gpugrad as gg

pytestmark = NEEDS


@pytest.mark.usefixtures("on_cpu")
@settings(max_examples=80)
@given(st.data())
def test_matrix_products_in_any_layout(data: Any) -> None:
    gpu = emulator.HostBackend(shared_runtime())
    batch = data.draw(st.sampled_from([(), (3,), (2, 3), (0,), (1, 2)]))
    n, k, m = (data.draw(st.sampled_from([1, 2, 5, 8])) for _ in range(3))
    k = data.draw(st.sampled_from([k, k, k, 0]))
    dtype = np.dtype(getattr(ml_dtypes, d) if (d := data.draw(st.sampled_from(["float32", "float64", "float16", "bfloat16", "int32", "bool"]))) == "bfloat16" else d)  # fmt: skip
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))

    def operand(rows: int, columns: int) -> np.ndarray:
        lead = data.draw(st.sampled_from([batch, batch, (), batch[1:], tuple(1 for _ in batch)]))
        a = rng.integers(-3, 4, (*lead, rows, columns)).astype(dtype)
        way = data.draw(st.sampled_from(["plain", "transposed", "strided", "axes", "broadcast", "reversed"]))
        if way == "reversed":
            return a[::-1]
        if way == "transposed":
            return a.swapaxes(-1, -2).copy().swapaxes(-1, -2)
        if way == "strided":
            return np.repeat(a, 2, -1)[..., ::2]
        if way == "axes" and a.ndim > 2:
            return a.swapaxes(0, -2).copy().swapaxes(0, -2)
        return np.broadcast_to(a[..., :1, :], a.shape) if way == "broadcast" and rows else a

    a, b = operand(n, k), operand(k, m)
    shape = (*np.broadcast_shapes(a.shape[:-2], b.shape[:-2]), n, m)
    wide = np.int64 if dtype.kind == "b" else np.float64
    expected = np.matmul(a.astype(wide), b.astype(wide)).reshape(shape)
    start = rng.integers(0, 2, shape)
    for accumulate in (False, True):
        out = gpu.runtime.upload(start.astype(dtype))
        gpu.matmul(place(gpu, a), place(gpu, b), out, accumulate)
        total = expected + start if accumulate else expected
        assert same_values(gpu.to_host(out), (total != 0 if dtype.kind == "b" else total).astype(dtype))


@pytest.mark.usefixtures("on_cpu")
def test_transposed_operands_are_not_copied(gpu: emulator.HostBackend, rng: np.random.Generator) -> None:
    a, b = place(gpu, rng.random((4, 6))), place(gpu, rng.random((5, 6)))
    batched = place(gpu, rng.random((3, 6, 4)))
    for x, y in ((a, b.T), (b, a.T), (batched.swapaxes(1, 2), b.T)):
        before = gg.debug.counters.launches
        out = gpu.empty((*x.shape[:-1], y.shape[-1]), np.dtype(np.float64))
        gpu.matmul(x, y, out, False)
        assert gg.debug.counters.launches == before


@pytest.mark.usefixtures("on_cpu")
def test_a_second_gradient_is_added_by_the_product_itself(on_gpu: None) -> None:
    backend = gg.get_device("cuda").backend
    asked: list[float] = []
    plain = backend.runtime.gemm

    def gemm(*args: Any) -> None:
        asked.append(args[8])
        plain(*args)

    w = gg.tensor(np.eye(3), requires_grad=True)
    x = gg.tensor(np.ones((2, 3)))
    y = (x @ w) + (x * 2) @ w
    backend.runtime.gemm = gemm
    try:
        y.sum().backward()
    finally:
        del backend.runtime.gemm
    assert asked == [0.0, 1.0]
    assert (w.grad.numpy() == 6).all()
