"""Regions that reduce on an emulated GPU: any order of its threads, any layout, and what NumPy computes."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from cuda_helpers import NEEDS, emulator, place, shared_runtime
from helpers import same_bits

from gpugrad.backends.cpu import numpy as reference
from gpugrad.backends.protocol import Output
from gpugrad.base.shapes import reduced
from gpugrad.codegen import cuda
from gpugrad.ops import elementwise as ew
from gpugrad.ops.reduction import largest, smallest, total
from gpugrad.plans.dag import Array, Call, Dag, Input, Node
from gpugrad.plans.plan import Plan
from gpugrad.plans.program import Program

pytestmark = [*NEEDS, pytest.mark.usefixtures("on_cpu")]

SHAPES: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
    ((5, 7), (1,)), ((9, 32), (1,)), ((3, 33), (1,)), ((4, 1024), (1,)), ((3, 1500), (1,)), ((2, 40), (0,)), ((4, 9, 8), (0, 2)), ((70, 2), (1,)),
    ((3, 4, 5), (0, 1, 2)), ((2000,), (0,)), ((300, 3), (1,)), ((2, 9000), (1,)), ((2, 516), (1,)), ((3, 2, 12), (1, 2)), ((5, 4), (1,)),
]  # fmt: skip


def _plan(dtype: np.dtype) -> Plan:
    """A softmax of the product with a row of weights, and what of each row is smallest: a full output, and a row value."""
    calls = [
        Call(ew.multiply, (Input(0), Input(1)), True),
        Call(largest, (Node(0),), True),
        Call(ew.subtract, (Node(0), Node(1)), True),
        Call(ew.exp, (Node(2),), True),
        Call(total, (Node(3),), True),
        Call(ew.divide, (Node(3), Node(4)), True),
        Call(smallest, (Node(5),), True),
        Call(ew.multiply, (Node(6), Node(4)), True),
    ]
    return Plan(Dag(tuple(calls), (Array(dtype, True), Array(dtype, True)), (), (Node(5), Node(7))))


def _outputs(program: Program, shape: tuple[int, ...], axes: tuple[int, ...], last: tuple[int, ...]) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:  # fmt: skip
    """The shape of each output's buffer, and what it is summed over: the gradient of the weights, over all but the last axis."""
    kept, found = reduced(shape, axes, True), []
    for row, _ in zip(program.row_outputs, program.outputs, strict=True):
        found.append((kept if row else shape, ()))
    if len(found) == 2 and not any(program.row_outputs):  # the two gradients
        found[1] = (reduced(shape, last, True), last)
    return found


@pytest.mark.parametrize(("shape", "axes"), SHAPES, ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_rows(
    shape: tuple[int, ...], axes: tuple[int, ...], dtype: str, gpu: emulator.HostBackend, rng: np.random.Generator
) -> None:
    plan = _plan(np.dtype(dtype))
    last = tuple(range(len(shape) - 1))
    kept = reduced(shape, axes, True)
    x, w = rng.standard_normal(shape).astype(dtype), rng.standard_normal(shape[-1:]).astype(dtype)
    g, h = rng.standard_normal(shape).astype(dtype), rng.standard_normal(kept).astype(dtype)
    for program in (plan.forward, plan.usual(False).program):
        given = [(x, w)[s.index] if s.kind.value == "input" else (g, h)[s.index] for s in program.sources]
        places = _outputs(program, shape, axes, last)
        expected = [np.ones(s, dtype) for s, _ in places]
        reference.run(
            program,
            shape,
            given,
            (),
            [Output(e, over, True) for e, (_, over) in zip(expected, places, strict=True)],
            axes,
        )
        made: list[list[np.ndarray]] = []
        for order, layout in itertools.product(emulator.ORDERS, ("contiguous", "transposed")):
            gpu.runtime.order = order
            arrays = [place(gpu, np.asfortranarray(a) if layout == "transposed" else a) for a in given]
            buffers = [gpu.runtime.upload(np.ones(s, dtype)) for s, _ in places]
            gpu.run(
                program,
                shape,
                arrays,
                (),
                [Output(b, over, True) for b, (_, over) in zip(buffers, places, strict=True)],
                axes,
            )
            made.append([gpu.to_host(b) for b in buffers])
        gpu.runtime.order = "ascending"
        eps = float(np.finfo(dtype).eps)
        for found in made:
            for f, first, e in zip(found, made[0], expected, strict=True):
                assert same_bits(f, first)
                np.testing.assert_allclose(
                    f.astype(float), e.astype(float), rtol=64 * eps, atol=64 * eps * max(1, x.size**0.5)
                )


def test_the_orders_of_threads_would_notice_a_missing_barrier(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, w = rng.standard_normal((2, 1500)).astype("float32"), np.ones(1500, "float32")
    plain = cuda.complete

    def softmax() -> list[np.ndarray]:
        gpu, found = emulator.HostBackend(shared_runtime()), []
        program = _plan(x.dtype).forward
        for order in emulator.ORDERS:
            gpu.runtime.order = order
            outputs = [gpu.empty(x.shape, x.dtype), gpu.empty((2, 1), x.dtype)]
            gpu.run(program, x.shape, [place(gpu, x), place(gpu, w)], (), [Output(o) for o in outputs], (1,))
            found.append(gpu.to_host(outputs[0]))
        gpu.runtime.order = "ascending"
        return found

    e = np.exp(x - x.max(1, keepdims=True))
    p = e / e.sum(1, keepdims=True)
    assert all(np.allclose(s, p, atol=1e-6) for s in softmax())
    barrier = "    __syncthreads();\n    const auto result = whole[0];"
    assert barrier in cuda.complete("gg_of_row")
    monkeypatch.setattr(
        cuda, "complete", lambda text: plain(text).replace(barrier, barrier.removeprefix("    __syncthreads();\n"))
    )
    assert not all(np.allclose(s, p, atol=1e-6) for s in softmax())
