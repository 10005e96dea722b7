"""Kernels on host memory: every op, dtype, layout and mode, sizes and tails."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
from cuda_helpers import NEEDS, SHAPE, cases, emulator, place, planned
from helpers import FLOATS, ROWS, exact, same_bits, same_values, ulps

import gpugrad as gg
from gpugrad.backends.cpu import native
from gpugrad.backends.cpu import numpy as reference
from gpugrad.backends.protocol import Output
from gpugrad.ops.op import Op

pytestmark = NEEDS


@pytest.mark.usefixtures("on_cpu")
@pytest.mark.parametrize("op", ROWS, ids=lambda o: o.name)
def test_every_op_dtype_layout_and_mode(op: Op, gpu: emulator.HostBackend, rng: np.random.Generator) -> None:
    todo = cases(op, rng)
    gpu.runtime.prepare(text for case in todo for text in planned(gpu, case))
    for case in todo:
        dtype = case.program.dtypes[0]
        start = rng.integers(0, 3, SHAPE).astype(dtype)
        out = gpu.runtime.upload(start)
        gpu.run(case.program, SHAPE, [place(gpu, a) for a in case.args], (), [Output(out, (), case.accumulate)])
        got = gpu.to_host(out)
        expected = np.empty(SHAPE, dtype)
        reference.run(case.program, SHAPE, case.args, (), [Output(expected)])
        if case.label.endswith("contiguous store"):
            compiled = np.empty(SHAPE, dtype)
            native.run(native.Kernel(case.program), SHAPE, case.args, (), [Output(compiled)])
            if op.exact or dtype not in FLOATS:
                assert same_values(got, compiled), case.label
            else:  # 4 ulp of the exact value each
                eps = float(ml_dtypes.finfo(dtype).eps)
                np.testing.assert_allclose(got.astype(float), compiled.astype(float), rtol=8 * eps, atol=4 * eps)
        if case.accumulate:
            stored = gpu.empty(SHAPE, dtype)
            gpu.run(case.program, SHAPE, [place(gpu, a) for a in case.args], (), [Output(stored)])
            with np.errstate(all="ignore"):
                whole = start | gpu.to_host(stored) if dtype.kind == "b" else start + gpu.to_host(stored)
            assert same_values(got, whole.astype(dtype)), case.label
        elif op.exact or dtype not in FLOATS:
            assert same_values(got, expected), case.label
        elif op.tolerance:
            eps = float(ml_dtypes.finfo(dtype).eps)
            np.testing.assert_allclose(got.astype(float), expected.astype(float), rtol=4 * eps, atol=op.tolerance * eps)
        else:
            full = [np.ascontiguousarray(np.broadcast_to(a, SHAPE)) for a in case.args]
            assert ulps(got, exact(op, full)) <= (0.51 if dtype.itemsize == 2 else 4), case.label


@pytest.mark.usefixtures("on_cpu")
@pytest.mark.parametrize("shape", [(1,), (7,), (1024,), (4099,), (33, 5), (3, 1, 8), (2, 3, 4, 5), (0, 4), ()])
@pytest.mark.parametrize("dtype", ["float32", "float16", "float64"])
def test_sizes_and_tails(
    shape: tuple[int, ...], dtype: str, gpu: emulator.HostBackend, rng: np.random.Generator
) -> None:
    a = rng.uniform(-1, 1, shape).astype(dtype)
    out = gpu.copy(place(gpu, a))
    assert same_bits(gpu.to_host(out), a)
    if a.ndim > 1:
        assert same_bits(gpu.to_host(gpu.copy(place(gpu, a).T)), a.T.copy())
        assert same_bits(gpu.to_host(gpu.copy(place(gpu, a)[::-1, ::2])), a[::-1, ::2].copy())


@pytest.mark.usefixtures("on_cpu")
def test_numbers_are_given_in_their_own_type(on_gpu: None) -> None:
    """A float is a float64, an integer an int64, whatever the arrays are."""
    x = gg.tensor(np.array([1, 2**40, -3]), dtype="int64")
    assert (x + 2**52).tolist() == [2**52 + 1, 2**52 + 2**40, 2**52 - 3]
    assert (x * 3 - 1).tolist() == [2, 3 * 2**40 - 1, -10]
    y = gg.tensor(np.array([1.0]), dtype="float64")
    assert (y + 1e-15).item() == 1 + 1e-15
    assert gg.tensor(np.array([2**63 + 5], dtype="uint64")).__sub__(2**63).tolist() == [5]
