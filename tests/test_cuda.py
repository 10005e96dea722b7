"""The CUDA backend without a GPU: its kernels built for the CPU and driven by its own code, and compiled by NVRTC."""

from __future__ import annotations

import concurrent.futures
import itertools
import math
import os
import signal
import struct
import sys
import threading
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np
import pytest
from helpers import CASES, FLOATS, OPS, ROWS, arguments, exact, same_bits, same_values, sanitized, ulps
from hypothesis import given, settings
from hypothesis import strategies as st

import gpugrad as gg
from gpugrad.backends.cpu import compiler, native
from gpugrad.backends.cpu import numpy as reference
from gpugrad.backends.cuda import launch
from gpugrad.backends.protocol import Output
from gpugrad.base.shapes import reduced
from gpugrad.codegen import cuda, cuda_structural
from gpugrad.ops.op import Op
from gpugrad.plans.program import Program, identity, single

pytest.importorskip("cupy", reason="CuPy is not installed (extra: emulated)")

import emulator  # needs CuPy

pytestmark = [
    pytest.mark.usefixtures("on_cpu"),
    pytest.mark.skipif(not compiler.compiler(), reason="no C++ compiler on this machine to build kernels with"),
]

ROOT = Path(__file__).parents[1]
SHAPE = (6, 40)
MODES = ("store", "accumulate")
LAYOUTS = ("contiguous", "strided", "row", "column", "unaligned")
KINDS = [np.dtype(getattr(ml_dtypes, t) if t == "bfloat16" else t)
         for t in ("float16", "bfloat16", "float32", "float64", "int8", "int32", "int64", "uint8", "bool")]  # fmt: skip


@pytest.fixture(scope="module")
def gpu() -> emulator.HostBackend:
    """A backend of its own, so that what other tests install does not matter."""
    return emulator.HostBackend(emulator.HostRuntime())


@pytest.fixture
def on_gpu() -> Iterator[None]:
    """The emulated GPU as the default device."""
    emulator.install()
    before = gg.config.device
    gg.set_default_device("cuda")
    yield
    gg.set_default_device(before)


def place(gpu: emulator.HostBackend, a: np.ndarray) -> Any:
    """A CuPy array that lies in memory as `a` does."""
    import cupy

    if not a.size:
        return gpu.empty(a.shape, a.dtype)
    low, high = np.lib.array_utils.byte_bounds(a)
    data = gpu.runtime.upload(emulator.host_view(_Raw(low, high - low))).data
    return cupy.ndarray(a.shape, a.dtype, memptr=data + (a.ctypes.data - low), strides=a.strides)


class _Raw:
    """Bytes of the host, as `host_view` takes an array."""

    def __init__(self, address: int, size: int) -> None:
        self.data, self.shape, self.strides, self.size, self.dtype = type("p", (), {"ptr": address})(), (size,), (1,), size, np.dtype(np.uint8)  # fmt: skip


def lying(args: Sequence[np.ndarray], layout: str) -> list[np.ndarray]:
    """Arguments that lie in memory in one of LAYOUTS; what is broadcast is the last of them."""
    last = len(args) - 1
    if layout == "strided":
        return [np.repeat(np.repeat(a, 2, 0), 3, 1)[::2, ::3] for a in args]
    if layout == "unaligned":
        return [np.concatenate([a.ravel()[:1], a.ravel()])[1:].reshape(a.shape) for a in args]
    if layout in ("row", "column"):
        cut = (slice(0, 1),) if layout == "row" else (slice(None), slice(0, 1))
        return [a[cut] if n == last else a for n, a in enumerate(args)]
    return list(args)


class Case(NamedTuple):
    """One kernel to be tried: the program of one op, its arguments, and where the result goes."""

    label: str
    program: Program
    args: list[np.ndarray]
    accumulate: bool


def cases(op: Op, rng: np.random.Generator, kinds: Sequence[Any] = KINDS, shape: tuple[int, ...] = SHAPE) -> list[Case]:
    found = []
    for dtype in kinds:
        if (op, dtype) not in CASES:
            continue
        args = arguments(op, dtype, rng, shape)
        loop = op.loop(tuple(a.dtype for a in args))
        program = single(op, loop.inputs)
        args = [a.astype(d) for a, d in zip(args, loop.inputs, strict=True)]
        for layout, mode in itertools.product(LAYOUTS, MODES):
            if not (op.arity == 1 and layout == "row"):
                found.append(Case(f"{dtype.name} {layout} {mode}", program, lying(args, layout), mode == "accumulate"))
    return found


def planned(gpu: emulator.HostBackend, case: Case, shape: tuple[int, ...] = SHAPE) -> list[str]:
    """The texts that a case is run with."""
    arrays = [place(gpu, a) for a in case.args]
    sinks = [Output(gpu.empty(shape, d), (), case.accumulate) for d in case.program.dtypes]
    return [cuda.complete(k.text) for k, _, _ in launch.kernels(case.program, shape, arrays, sinks)]


# ----------------------------------------------------------------------------------------- kernels on host memory


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
        elif op.name.startswith(("logaddexp", "sinc")):  # near a zero that is no zero of an operand
            eps = float(ml_dtypes.finfo(dtype).eps)
            np.testing.assert_allclose(got.astype(float), expected.astype(float), rtol=4 * eps, atol=2 * eps)
        else:
            full = [np.ascontiguousarray(np.broadcast_to(a, SHAPE)) for a in case.args]
            assert ulps(got, exact(op, full)) <= (0.51 if dtype.itemsize == 2 else 4), case.label


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


def test_numbers_are_given_in_their_own_type(on_gpu: None) -> None:
    """A float is a float64, an integer an int64, whatever the arrays are."""
    x = gg.tensor(np.array([1, 2**40, -3]), dtype="int64")
    assert (x + 2**52).tolist() == [2**52 + 1, 2**52 + 2**40, 2**52 - 3]
    assert (x * 3 - 1).tolist() == [2, 3 * 2**40 - 1, -10]
    y = gg.tensor(np.array([1.0]), dtype="float64")
    assert (y + 1e-15).item() == 1 + 1e-15
    assert gg.tensor(np.array([2**63 + 5], dtype="uint64")).__sub__(2**63).tolist() == [5]


# --------------------------------------------------------------------------------------------------- reductions

AXES: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
    ((10,), (0,)), ((1000,), (0,)), ((40_003,), (0,)), ((7, 100), (1,)), ((7, 100), (0,)), ((3, 20_000), (1,)), ((20_001, 3), (0,)),
    ((1500, 40), (0,)), ((700, 36), (0,)), ((4, 5, 6), (0, 2)), ((4, 5, 64), (0, 1)), ((4, 50, 64), (1,)), ((5, 0), (1,)), ((0, 5), (0,)), ((0,), (0,)), ((1, 0), (0, 1)), ((), ()),
    ((2, 3, 4, 5), (1, 3)), ((1, 1), (0,)), ((300, 17), (0, 1)), ((50, 2), (1,)), ((40, 10), (1,)), ((9, 5), (1,)), ((3, 130), (1,)), ((20, 1), (1,)),
]  # fmt: skip


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


@settings(max_examples=40)
@given(st.data())
def test_extremes_and_where_they_are(data: Any) -> None:
    gpu = emulator.HostBackend(_runtime())
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


_shared: list[emulator.HostRuntime] = []


def _runtime() -> emulator.HostRuntime:
    if not _shared:
        _shared.append(emulator.HostRuntime())
    return _shared[0]


@pytest.mark.parametrize("order", list(emulator.ORDERS))
@pytest.mark.parametrize("shape", [(5,), (300,), (30_000,), (4, 700), (700, 4), (3, 100, 50), (0,), (9000, 2)], ids=str)
def test_running_sums(shape: tuple[int, ...], order: str, gpu: emulator.HostBackend, rng: np.random.Generator) -> None:
    gpu.runtime.order = order
    for dtype, axis in itertools.product(("float32", "float16", "int64"), range(len(shape))):
        a = rng.integers(-2, 3, shape).astype(dtype)
        got = gpu.to_host(gpu._own["cumsum"](gpu, place(gpu, a), axis=axis))
        assert same_bits(got, np.cumsum(a.astype(np.float64), axis).astype(dtype)), (dtype, axis)
    gpu.runtime.order = "ascending"


# ----------------------------------------------------------------------------------------------------- indexing


def an_index(draw: Any, shape: tuple[int, ...]) -> Any:
    """A random index as NumPy takes them: integers, slices, None, ..., arrays of integers and booleans."""
    items: list[Any] = []
    axis = 0
    extent = draw(st.sampled_from([(3,), (2, 1), (2, 3)]))
    masked = False
    while axis < len(shape):
        kind = draw(st.sampled_from(["int", "slice", "none", "array", "array", "mask", "rest", "all"]))
        n = shape[axis]
        if kind == "rest":
            break
        if kind == "none":
            items.append(None)
            if sum(i is None for i in items) > 2:
                break
            continue
        if kind == "int":
            items.append(draw(st.integers(-n, n - 1)))
        elif kind == "array":
            size = extent if not masked else (1,)
            items.append(np.array(draw(st.lists(st.integers(-n, n - 1), min_size=math.prod(size), max_size=math.prod(size)))).reshape(size))  # fmt: skip
        elif kind == "mask" and not masked and not any(isinstance(i, np.ndarray) for i in items):
            mask = np.array(draw(st.lists(st.booleans(), min_size=n, max_size=n)))
            items.append(mask)
            masked = True
        elif kind == "slice":
            step = draw(st.sampled_from([1, 2, -1, -2]))
            items.append(slice(None, None, step))
        else:
            items.append(slice(None))
        axis += 1
    return tuple(items)


@settings(max_examples=150)
@given(st.data())
def test_indexing_as_numpy(data: Any) -> None:
    gpu = emulator.HostBackend(_runtime())
    shape = data.draw(st.sampled_from([(5,), (4, 6), (3, 4, 5), (2, 3, 4, 3)]))
    index = an_index(data.draw, shape)
    a = np.arange(math.prod(shape), dtype="float32").reshape(shape)
    try:
        expected = a[index]
    except IndexError:
        with pytest.raises(IndexError):
            gpu._own["getitem"](gpu, place(gpu, a), index=index)
        return
    base = place(gpu, np.asfortranarray(a) if data.draw(st.booleans()) else a)
    assert same_bits(gpu.to_host(gpu._own["getitem"](gpu, base, index=index)), np.asarray(expected))
    value = np.arange(1, 1 + expected.size, dtype="float32").reshape(expected.shape)
    if data.draw(st.booleans()) and expected.ndim:
        value = value[..., :1]
    written, added = a.copy(), a.copy()
    written[index] = value
    np.add.at(added, index, value)
    assert same_bits(gpu.to_host(gpu._own["setitem"](gpu, base, place(gpu, np.asarray(value)), index=index)), written)
    assert same_bits(gpu.to_host(gpu._own["index_add"](gpu, base, place(gpu, np.asarray(value)), index=index)), added)


def test_indices_out_of_range_raise_and_duplicates_count(on_gpu: None) -> None:
    x = gg.tensor(np.zeros((3, 4), "float32"), requires_grad=True)
    for index in (3, -4, [0, 3], [-4], (0, [4]), np.array([[0, 9]])):
        with pytest.raises(IndexError, match="out of bounds"):
            x[index]
    with pytest.raises(IndexError, match=r"does not fit|boolean"):
        x[np.ones(4, bool)]
    with pytest.raises(IndexError, match="too many"):
        x[0, 0, 0]
    x[np.zeros(100_000, int)].sum().backward()
    assert x.grad.numpy()[0].tolist() == [100_000] * 4
    y = gg.zeros(2)
    y[[0, 0, 1]] = np.array([1.0, 2.0, 3.0])
    assert y.tolist() == [2, 3]


# ------------------------------------------------------------------------------------------------------- products


@settings(max_examples=80)
@given(st.data())
def test_matrix_products_in_any_layout(data: Any) -> None:
    gpu = emulator.HostBackend(_runtime())
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


def test_transposed_operands_are_not_copied(gpu: emulator.HostBackend, rng: np.random.Generator) -> None:
    a, b = place(gpu, rng.random((4, 6))), place(gpu, rng.random((5, 6)))
    batched = place(gpu, rng.random((3, 6, 4)))
    for x, y in ((a, b.T), (b, a.T), (batched.swapaxes(1, 2), b.T)):
        gpu.runtime.launches = 0
        out = gpu.empty((*x.shape[:-1], y.shape[-1]), np.dtype(np.float64))
        gpu.matmul(x, y, out, False)
        assert gpu.runtime.launches == 0


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


# --------------------------------------------------------------------------------------------- launches and plans


def counted(backend: Any, run: Any) -> int:
    backend.runtime.launches = 0
    run()
    return backend.runtime.launches


def test_one_launch_forward_one_backward_and_one_for_each_broadcast_input(on_gpu: None, fused: None) -> None:
    backend = gg.get_device("cuda").backend
    x, y, b = (gg.tensor(np.ones((40, 50), "float32"), requires_grad=True) for _ in range(3))

    def loss() -> gg.Tensor:
        return gg.tanh(x * y + b) * gg.sigmoid(x)

    f = loss()
    assert counted(backend, lambda: gg.wait(f)) == 1
    assert counted(backend, lambda: f.backward(np.ones((40, 50), "float32"))) == 1
    bias = gg.tensor(np.ones(50, "float32"), requires_grad=True)
    g = gg.gelu(x + bias)
    assert counted(backend, lambda: gg.wait(g)) == 1
    assert counted(backend, lambda: g.backward(np.ones((40, 50), "float32"))) == 2
    s = ((x - y) ** 2).sum()
    assert counted(backend, lambda: s) == 0
    assert counted(backend, lambda: s.backward()) == 1


def test_backward_is_compiled_while_forward_is(on_gpu: None, fused: None) -> None:
    """What is announced when a region closes is what its backward then runs."""
    gg.plans.plan.plans.clear()
    runtime = gg.get_device("cuda").backend.runtime
    for shape, other in (((6, 8), (8,)), ((5, 7), ()), ((3, 4), (3, 4))):
        x, b = (gg.tensor(np.ones(s, "float32"), requires_grad=True) for s in (shape, other))
        runtime.expected.clear()
        y = (gg.arctan(x * b) * x).sum() if other else gg.arctan(x * b) * x
        gg.wait(y)
        asked = set(runtime.expected)
        assert asked
        used: list[str] = []
        plain = runtime.launch
        runtime.launch = lambda function, text, *rest, used=used, plain=plain: (used.append(text), plain(function, text, *rest))[1]  # fmt: skip
        try:
            y.backward(None if y.ndim == 0 else gg.ones_like(y))
        finally:
            del runtime.launch
        assert asked <= set(used)


def test_a_step_of_an_optimizer_is_one_launch(on_gpu: None) -> None:
    backend = gg.get_device("cuda").backend
    params = [gg.tensor(np.ones(n, "float32"), requires_grad=True) for n in (1, 7, 64, 5000, 9001)]
    reference_ = [gg.tensor(p.detach().numpy(), device="cpu", requires_grad=True) for p in params]
    ours, theirs = gg.optim.AdamW(params, lr=0.1), gg.optim.AdamW(reference_, lr=0.1)
    for k in range(3):
        for p, q in zip(params, reference_, strict=True):
            p.grad = np.full(p.shape, 0.5, "float32") * p.detach().numpy()
            q.grad = p.grad.numpy()
        gg.wait(*(p.grad for p in params))
        launches = counted(backend, ours.step)
        assert launches == 1 or k == 0  # the first makes its state
        theirs.step()
    for p, q in zip(params, reference_, strict=True):
        np.testing.assert_allclose(p.detach().numpy(), q.detach().numpy(), rtol=1e-6)


def test_a_formula_of_many_outputs_is_not_computed_from_its_own_results(on_gpu: None) -> None:
    class Many(gg.optim.Optimizer):
        elementwise = True

        def update(self, p: Any, g: Any, state: Any, t: int) -> Any:
            old = list(state) if state else [gg.zeros_like(p) for _ in range(18)]
            new = [a * 0.5 + (p + float(k)) * 0.1 for k, a in enumerate(old)]
            q = p - g * 0.1
            for a in old:
                q = q + a * 0.01
            return (q, *new)

    def train(device: str) -> list[list[float]]:
        params = [gg.tensor(np.linspace(0, 1, n), device=device, requires_grad=True) for n in (5, 3)]
        optimizer = Many(params, lr=0.1)
        for _ in range(4):
            optimizer.zero_grad()
            for p in params:
                (p * p).sum().backward()
            optimizer.step()
        return [p.tolist() for p in params]

    np.testing.assert_allclose(train("cuda")[0], train("cpu")[0], rtol=1e-12)
    np.testing.assert_allclose(train("cuda")[1], train("cpu")[1], rtol=1e-12)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="there are no timers on this system")
def test_a_signal_handler_may_compute(on_gpu: None) -> None:
    x = gg.tensor(np.arange(12.0))
    found: list[float] = []

    def handler(*args: Any) -> None:
        found.append(float((x[:10] * 2.0).sum().item()))
        if len(found) < 30:
            signal.setitimer(signal.ITIMER_REAL, 0.002)

    before = signal.signal(signal.SIGALRM, handler)
    try:
        handler()
        while len(found) < 30:
            assert (x * 3.0).tolist()[1] == 3.0
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert set(found) == {90.0}


def test_threads_share_a_gpu(on_gpu: None) -> None:
    data = [np.random.default_rng(n).standard_normal((50, 40)).astype("float32") for n in range(4)]
    results: dict[int, Any] = {}

    def work(n: int) -> None:
        for _ in range(5):
            x = gg.tensor(data[n], requires_grad=True, device="cuda")
            (gg.tanh(x * x).sum(axis=0) * float(n)).sum().backward()
            results[n] = x.grad.numpy(), x.detach()[[3, 1]].cumsum(axis=1).numpy()

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for n, d in enumerate(data):
        x = d.astype(float)
        np.testing.assert_allclose(results[n][0], n * 2 * x * (1 - np.tanh(x * x) ** 2), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(results[n][1], x[[3, 1]].cumsum(axis=1), rtol=1e-5, atol=1e-5)


def test_what_is_moved_16_bytes_at_a_time() -> None:
    x = identity(np.dtype(np.float32))

    def text(shape: tuple[int, ...], strides: tuple[int, ...], address: int = 0) -> str:
        given_ = launch.view(shape, shape, strides, 4, address)
        contiguous = np.empty(shape, np.float32).strides
        return launch.elementwise(x, shape, [given_], [launch.view(shape, shape, contiguous, 4, 0)], [False]).text

    assert "gg_load<4>(a.i0 + at)" in text((100,), (4,))
    assert "gg_load<4>(a.i0 + at)" in text((10, 10), (40, 4))  # two axes, walked through as one
    assert "gg_load<4>" not in text((100,), (4,), address=4)
    assert "gg_load<4>" not in text((100,), (8,))
    assert "gg_load<4>(a.i0 + at_i0)" in text((10, 8), (64, 4))
    assert "gg_load<4>" not in text((10, 8), (36, 4))  # rows that begin anywhere
    assert "gg_splat<4>(a.i0[at_i0])" in text((10, 8), (4, 0))
    assert "typedef int32 index" in text((100,), (4,))
    assert "typedef int64 index" in text((1 << 31,), (4,))
    assert "typedef int64 index" in text((1 << 10, 2), (1 << 24, 4))


def test_a_plan_of_too_many_arrays_becomes_several_kernels(on_gpu: None) -> None:
    tensors = [gg.tensor(np.full((2, 3, 4), n, "float32")).transpose(2, 0, 1)[::2] for n in range(60)]
    outputs = [t * 2 + n for n, t in enumerate(tensors)]
    gg.wait(*outputs)
    assert [o.numpy().flat[0] for o in outputs] == [3 * n for n in range(60)]


def test_indices_of_64_bits_compute_the_same(gpu: emulator.HostBackend, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.setattr(launch, "NARROW", 1)
    for shape, axes in (((6, 40), ()), ((6, 40), (0,)), ((40, 30), (1,)), ((3, 4, 5), (0, 2))):
        a = rng.standard_normal(shape).astype("float32")
        out = gpu.empty(reduced(shape, axes, True), a.dtype)
        before = len(gpu.runtime.texts())
        gpu.run(
            single(OPS_BY_NAME["negative"], (a.dtype,)),
            shape,
            [place(gpu, np.asfortranarray(a))],
            (),
            [Output(out, axes)],
        )
        assert all("int64 index" in t for t in gpu.runtime.texts()[before:])
        np.testing.assert_allclose(gpu.to_host(out), -a.sum(axes, keepdims=True) if axes else -a, rtol=1e-5, atol=1e-6)


OPS_BY_NAME = {o.name: o for o in OPS}


def test_grids_take_turns(gpu: emulator.HostBackend, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "BLOCKS", 3)
    for shape in ((5003,), (70, 60)):
        a = rng.standard_normal(shape).astype("float32")
        assert same_bits(gpu.to_host(gpu.copy(place(gpu, np.asfortranarray(a)))), a)


# ------------------------------------------------------------------------------------------------- planted errors

PLANTED = """
import sys; sys.path.insert(0, "tests")
import numpy as np, emulator, gpugrad as gg
from gpugrad.codegen import cuda
flags = (*emulator.FLAGS, "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
emulator.install()
runtime = gg.get_device("cuda").backend.runtime
runtime.flags = tuple(f for f in flags if f != "-fwrapv") if {strict} else flags
plain = cuda.complete
cuda.complete = lambda text: plain(text){change}
gg.set_default_device("cuda")
rng = np.random.default_rng(0)
for k in range({count}):
    shape = [(5,), (1030,), (40, 70), (3, 4, 5), (33, 1), (7, 64)][k % 6]
    kind = ["float32", "float64", "float16", "int32", "uint8"][k % 5]
    x, y = (gg.tensor(rng.integers(1, 9, shape).astype(kind)) for _ in range(2))
    if kind.startswith("float"):
        x, y = x.requires_grad_(), y[..., :1].requires_grad_()
    z = gg.where(x > y, x * y + x, gg.maximum(x, 3))
    if k % 2:
        z = z.T
    if z.requires_grad:
        gg.tanh(z * 0.01).sum(0).sum().backward()
    z.detach().tolist()
    if len(shape) > 1:
        w = x.detach()[[0, 2, 1]][..., 1:]
        w.tolist()
print("clean")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the sanitizers are preloaded by Linux's dynamic linker")
def test_sanitizers_are_silent_and_would_notice_a_bound_that_is_off_by_one(tmp_path: Path) -> None:
    where = {"GPUGRAD_CACHE_DIR": str(tmp_path)}
    done = sanitized(PLANTED.format(strict=False, change="", count=12), **where)
    assert done.stdout.strip() == "clean", done.stderr[-3000:]
    change = '.replace("at + 4 <= size", "at <= size")'
    done = sanitized(PLANTED.format(strict=False, change=change, count=2), **where)
    assert "clean" not in done.stdout
    assert "AddressSanitizer" in done.stderr, done.stderr[-3000:]


def test_the_orders_of_threads_would_notice_a_missing_barrier(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    gpu = emulator.HostBackend(_runtime())
    plain = cuda.complete
    a = rng.standard_normal((64, 32)).astype("float32")

    def sums() -> list[np.ndarray]:
        found = []
        for order in emulator.ORDERS:
            gpu.runtime.order = order
            out = gpu.empty((1, 32), a.dtype)
            gpu.run(identity(a.dtype), a.shape, [place(gpu, a)], (), [Output(out, (0,))])
            found.append(gpu.to_host(out))
        gpu.runtime.order = "ascending"
        return found

    assert all(np.allclose(s, a.sum(0), atol=1e-5) for s in sums())
    monkeypatch.setattr(cuda, "complete", lambda text: plain(text).replace("    __syncthreads();\n    if (threadIdx.y == 0)", "    if (threadIdx.y == 0)"))  # fmt: skip
    identity(a.dtype).executables.clear()
    gpu = emulator.HostBackend(_runtime())
    assert not all(np.allclose(s, a.sum(0), atol=1e-5) for s in sums())


def test_a_barrier_that_some_threads_do_not_reach_is_an_error(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = cuda.complete
    monkeypatch.setattr(cuda, "complete", lambda text: plain(text).replace("    __syncthreads();\n    if (threadIdx.y == 0)", "    if (threadIdx.y == 0) __syncthreads();\n    if (threadIdx.y == 0)"))  # fmt: skip
    gpu = emulator.HostBackend(_runtime())
    out = gpu.empty((1, 32), np.dtype(np.float32))
    with pytest.raises(AssertionError, match="never come"):
        gpu.run(identity(out.dtype), (64, 32), [gpu.full((64, 32), 1, out.dtype)], (), [Output(out, (0,))])


def test_a_number_of_the_wrong_type_would_be_noticed(on_gpu: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        launch, "_head", lambda program, pointers: "=" + f"{pointers}Q" + "fi" * len(cuda.scalars(program))
    )
    x = gg.tensor(np.ones(3, "float32"))
    y = gg.arctan(x * 3.0)
    backend = gg.get_device("cuda").backend
    monkeypatch.setattr(type(backend), "run", _with_zeros)
    assert y.tolist() != pytest.approx([math.atan(3)] * 3)


def _with_zeros(self: Any, program: Program, shape: Any, arrays: Any, scalars: Any, sinks: Any) -> None:
    """`run`, as it would be if numbers were packed as 32 bits each."""
    kernels = launch.kernels(program, shape, arrays, sinks)
    for kernel, places, numbers in kernels:
        addresses = [a.data.ptr for a in arrays] + [s.buffer.data.ptr for s in sinks]
        packed = struct.pack(
            kernel.head, *(addresses[p] for p in places), *(v for n in numbers for v in (scalars[n], 0))
        )
        import ctypes

        buffer = ctypes.create_string_buffer(packed + kernel.tail)
        parameters = (ctypes.c_void_p * 1)(ctypes.addressof(buffer))
        text = cuda.complete(kernel.text)
        self.runtime.launch(
            self.runtime.function(text, cuda.entries(text)[0]), text, kernel.grid, kernel.block, parameters
        )


# ----------------------------------------------------------------------------------------------------------- NVRTC


def nvrtc() -> Any:
    from gpugrad.backends.cuda import nvrtc as module

    try:
        module.version()
    except Exception as e:  # whatever loading it raises
        pytest.skip(f"NVRTC cannot be loaded: {e}")
    return module


def compiles(texts: Sequence[str], architecture: str) -> None:
    """Every text compiles without a word. NVRTC drops the GIL, so two at a time."""
    module = nvrtc()

    def one(text: str) -> None:
        cubin, log = module.compile(text, architecture)
        assert cubin[:4] == b"\x7fELF"
        assert not log, f"{log}\n{text}"

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        list(pool.map(one, texts))


@pytest.mark.parametrize("op", ROWS, ids=lambda o: o.name)
def test_nvrtc_compiles_every_op(op: Op, gpu: emulator.HostBackend, rng: np.random.Generator) -> None:
    compiles(sorted({text for case in cases(op, rng) if "unaligned" not in case.label and "column" not in case.label
                     for text in planned(gpu, case)}), "75")  # fmt: skip


def other_texts(gpu: emulator.HostBackend) -> list[str]:
    """Reductions of every kind and dtype, running sums, indexing, optimizers: the kernels that are not of one op."""
    found = []
    for dtype in KINDS:
        program = identity(dtype)
        for shape, axes in (
            ((7, 64), (1,)),
            ((7, 63), (1,)),
            ((64, 64), (0,)),
            ((64, 63), (0,)),
            ((40_000,), (0,)),
            ((5000, 64), (0,)),
        ):
            a = gpu.empty(shape, dtype)
            for how in ("sum", "max", "min", "argmax", "argmin"):
                out = gpu.empty(reduced(shape, axes, True), np.dtype(np.int64) if how.startswith("arg") else dtype)
                found += [
                    cuda.complete(k.text)
                    for k, _, _ in launch.kernels(program, shape, [a], [Output(out, axes)], f"gg_{how}_of")
                ]
        for wide in (False, True):
            found += [cuda_structural.gather(dtype.itemsize, d, wide) for d in (0, 1, 3)]
            found += [cuda_structural.scatter(dtype.itemsize, d, wide) for d in (0, 2)]
            found += [cuda_structural.scatter_add(dtype, d, wide) for d in (0, 1, 3)]
        if dtype.kind != "b":
            found += [cuda_structural.scan_lines(dtype), cuda_structural.scan_chunks(dtype)]
        for width in (1, 2):
            found.append(cuda.complete(cuda.many(program, width)))
    return sorted(set(found))


def test_nvrtc_compiles_reductions_moves_and_sums(gpu: emulator.HostBackend) -> None:
    compiles(other_texts(gpu), "75")


@pytest.mark.parametrize("architecture", ["80", "90", "100", "120"])
def test_nvrtc_compiles_a_sample_for_other_architectures(architecture: str, gpu: emulator.HostBackend, rng: np.random.Generator) -> None:  # fmt: skip
    texts = other_texts(gpu)
    chosen = [texts[int(n)] for n in rng.permutation(len(texts))[:70]]
    for op in (ROWS[int(n)] for n in rng.permutation(len(ROWS))[:33]):
        todo = cases(op, rng)
        for n in rng.permutation(len(todo))[:4]:
            chosen += planned(gpu, todo[int(n)])
    compiles(chosen[:200], architecture)


def test_a_binary_is_kept_and_a_damaged_one_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = nvrtc()
    from gpugrad.backends import kernel_cache as cache

    monkeypatch.setenv("GPUGRAD_CACHE_DIR", str(tmp_path))
    cache.folder.cache_clear()
    try:
        text = cuda.complete(cuda.elementwise(identity(np.dtype(np.float32)), cuda.Layout(1, 4, False, ("flat",), ("flat",), (False,))))  # fmt: skip
        first = module.binary(text, "80")
        (path,) = (tmp_path / "kernels").glob("*.cubin")
        made = path.stat().st_ino
        assert module.binary(text, "80") == first
        assert path.stat().st_ino == made
        path.write_bytes(path.read_bytes()[:-50])
        assert module.binary(text, "80") == first
        module.binary(text, "90")
        assert len(list((tmp_path / "kernels").glob("*.cubin"))) == 2
        with pytest.raises(gg.errors.InternalError, match="no_such_thing"):
            module.binary("no_such_thing", "80")
    finally:
        monkeypatch.undo()
        cache.folder.cache_clear()


def test_gpus_that_the_compiler_does_not_know() -> None:
    module = nvrtc()
    assert module.target("80") == "sm_80"
    assert module.target("81") == "sm_80"
    assert module.target("999").startswith("compute_")
    text = 'extern "C" __global__ void gg_kernel(float* x) { *x = 1; }'
    assert b".target" in module.compile(text, "999")[0]
    with pytest.raises(gg.errors.DeviceError, match=r"sm_30\) is too old.*cuda12"):
        module.compile(text, "30")


def test_texts_are_compiled_at_the_same_time_once_each(tmp_path: Path) -> None:
    module = nvrtc()
    asked: list[str] = []
    plain = module.binary
    maker = module.Compiler()
    module.binary = lambda text, architecture: (asked.append(text), plain(text, architecture))[1]
    try:
        texts = [f'extern "C" __global__ void gg_kernel(float* x) {{ *x = {n}.0f + {os.getpid()}; }}' for n in range(6)]
        for t in texts * 2:
            maker.ask(t, "80")
        assert all(maker.take(t, "80")[:4] == b"\x7fELF" for t in texts)
    finally:
        module.binary = plain
    assert sorted(asked) == sorted(texts)


def test_the_benchmarks_run(on_gpu: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """With small sizes on the emulated GPU: what is measured there means nothing, but that it is measured does."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import gpu as benchmark

    monkeypatch.setattr(emulator.HostRuntime, "describe", lambda self: "no GPU")
    backend = gg.get_device("cuda").backend
    monkeypatch.setattr(benchmark, "chain_by_hand", lambda xp, *arrays: None)
    monkeypatch.setattr(benchmark, "reductions", lambda total, peak: iter(()))  # CuPy's own sums need a GPU
    report = benchmark.main(rehearse=True)
    assert report.count("| chain") == 2
    assert "2 launches" in report
    assert "1 launch" in report
    assert backend.runtime.launches


# ---------------------------------------------------------------------------------------------------------- golden

GOLDEN = ROOT / "kernels" / "golden"


def golden() -> dict[str, str]:
    """A dozen kernels for review, as they are generated."""
    emulator.install()
    gg.config.fuse = 64
    before = gg.config.device
    gg.set_default_device("cuda")
    try:
        return _golden(gg.get_device("cuda").backend)
    finally:
        gg.set_default_device(before)


def _golden(backend: Any) -> dict[str, str]:
    rng = np.random.default_rng(0)

    def leaf(*shape: int, dtype: Any = "float32") -> gg.Tensor:
        return gg.tensor(rng.random(shape).astype(dtype), requires_grad=True)

    def texts(run: Any) -> list[str]:
        found: list[str] = []
        plain, ahead = launch.kernels, type(backend).ahead

        def kernels(*args: Any) -> Any:
            made = plain(*args)
            found.extend(k.text for k, _, _ in made)
            return made

        launch.kernels, type(backend).ahead = kernels, False
        try:
            run()
        finally:
            launch.kernels, type(backend).ahead = plain, ahead
        return found

    gg.plans.plan.plans.clear()
    identity.cache_clear()
    result: dict[str, str] = {}

    def keep(name: str, make: Any, *parts: str) -> None:
        gg.plans.plan.plans.clear()
        for part, text in zip(parts, texts(make), strict=True):
            result[f"{name}{part}.cu"] = text

    x, y, b = leaf(64, 96), leaf(64, 96), leaf(96)
    one = gg.tensor(np.ones((64, 96), "float32"))
    keep(
        "chain",
        lambda: ((gg.tanh(x * y + b) * gg.sigmoid(x)) ** 2).sum().backward(),
        "_forward",
        "_backward",
        "_backward_bias",
    )
    keep(
        "gelu_bias", lambda: gg.gelu(x + b, approximate="tanh").backward(one), "_forward", "_backward", "_backward_bias"
    )
    h = gg.tensor(rng.random((64, 96)).astype(ml_dtypes.bfloat16), requires_grad=True)
    keep("bfloat16", lambda: gg.wait(gg.exp(h.detach()) * 0.5), "")
    keep("masked", lambda: gg.where(x > 0, gg.sqrt(x), 0.0).backward(one), "_forward", "_backward")
    keep("transposed", lambda: gg.wait((x.T * 2).detach()), "")
    keep("row_maximum", lambda: x.detach().max(axis=1), "")
    keep("long_sum", lambda: gg.tensor(rng.random(50_000).astype("float32")).sum(), "")
    for name, text in (
        ("scatter_add", cuda_structural.scatter_add(np.dtype(np.float32), 1, False)),
        ("running_sum", cuda_structural.scan_chunks(np.dtype(np.float32))),
    ):
        result[f"{name}.cu"] = text[text.rindex("typedef gg_sum_of") :]
    p, g, m, v = (gg.core.closing.stand_in(np.dtype(np.float32), gg.get_device("cuda")) for _ in range(4))
    adam = gg.optim.AdamW([leaf(3)])
    with gg.no_grad():
        new = [t._value for t in adam.update(*map(gg.Tensor, (p, g)), [gg.Tensor(m), gg.Tensor(v)], 2)]
    result["adamw.cu"] = cuda.many(
        gg.plans.plan.plans.get(gg.core.structure.structure(new, gg.core.closing.close)).forward, 4
    )
    return result


def test_golden_kernels_have_not_drifted() -> None:
    made = golden()
    kept = {p.name: p.read_text() for p in GOLDEN.glob("*.cu")}
    assert len(kept) >= 12
    for name, text in made.items():
        assert kept.get(name) == text, f"{name} has changed: look at it, then run python tests/test_cuda.py to keep it"
    assert kept.keys() == made.keys()


# ---------------------------------------------------------------------------------------------------- arrays and errors


def test_cupy_arrays_go_in_and_out_without_copies(on_gpu: None) -> None:
    backend = gg.get_device("cuda").backend
    a = backend.runtime.upload(np.arange(6, dtype="float32").reshape(2, 3))
    t = gg.asarray(a)
    assert t.device == "cuda:0"
    assert t._value.array is a
    assert t.cupy().data.ptr == a.data.ptr
    assert gg.asarray(a.T).cupy().strides == a.T.strides
    copied = gg.tensor(a)
    assert copied.cupy().data.ptr != a.data.ptr
    assert copied.tolist() == t.tolist()
    assert (t * a).tolist() == [[0, 1, 4], [9, 16, 25]]  # an operand is copied, as a NumPy array is
    assert gg.exp(a).device == "cuda:0"
    x = t.requires_grad_()
    with pytest.raises(gg.errors.GraphError, match=r"detach\(\)\.cupy"):
        x.cupy()
    (x * 2).sum().backward()
    assert (x.grad.numpy() == 2).all()


def test_writing_leaves_an_array_that_was_handed_out_as_it_was(on_gpu: None) -> None:
    x = gg.zeros(4)
    x[0] = 1.0
    kept = x.cupy()
    x[1] = 5.0
    assert emulator.host_view(kept).tolist() == [1, 0, 0, 0]
    address = x._value.array.data.ptr
    x[2] = 7.0
    assert x._value.array.data.ptr == address  # nobody else has it: in place
    assert x.tolist() == [1, 5, 7, 0]


def test_what_was_handed_out_lives_as_long_as_the_tensor(on_gpu: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks for the interface keeps the tensor alive, which is only a name."""
    import cupy

    interface = property(lambda self: {"data": (self.data.ptr, False)})
    monkeypatch.setattr(cupy.ndarray, "__cuda_array_interface__", interface)  # CuPy's asks the driver for a stream
    x = gg.ones(1000)
    kept = weakref.ref(x._value.array)
    address = x.__cuda_array_interface__["data"][0]
    x += 1
    gg.wait(x)
    assert kept() is not None
    assert kept().data.ptr == address
    assert x.__cuda_array_interface__["data"][0] != address
    del x
    assert kept() is None


def test_promises_about_cupy_arrays_are_checked(on_gpu: None) -> None:
    backend = gg.get_device("cuda").backend
    a = backend.runtime.upload(np.ones(3))
    gg.config.debug = 1
    x = gg.asarray(a)
    y = x * 2
    emulator.host_view(a)[:] = 5
    with pytest.raises(gg.errors.WriteError, match="asarray"):
        y.tolist()


def test_indices_may_lie_on_the_gpu(on_gpu: None) -> None:
    backend = gg.get_device("cuda").backend
    which = backend.runtime.upload(np.array([2, 0]))
    x = gg.arange(3) * 10
    assert x[which].tolist() == [20, 0]
    assert x[backend.runtime.upload(np.array([True, False, True]))].tolist() == [0, 20]
    assert gg.take(x, which).tolist() == [20, 0]
    assert gg.take(x, gg.tensor(which)).tolist() == [20, 0]
    assert gg.repeat(x[:2], which).tolist() == [0, 0]
    x[which] = 7
    assert x.tolist() == [7, 10, 7]
    with pytest.raises(IndexError, match="single ellipsis"):
        gg.ones((2, 2))[..., [0], ...]


def test_arrays_that_a_gpu_does_not_have(on_gpu: None) -> None:
    import cupy

    assert gg.tensor(np.arange(3, dtype=">f4")).tolist() == [0, 1, 2]
    assert (gg.ones(3) * np.arange(3, dtype=">f8")).tolist() == [0, 1, 2]
    if np.dtype(np.longdouble).itemsize > 8:
        with pytest.raises(gg.errors.DTypeError, match="a GPU has no"):
            gg.tensor(np.ones(2, np.longdouble))
    data = gg.get_device("cuda").backend.runtime.upload(np.zeros(40, np.uint8)).data
    field = cupy.ndarray((3,), np.float32, memptr=data, strides=(6,))
    with pytest.raises(gg.errors.InputError, match=r"multiples of their size.*gg\.tensor"):
        gg.asarray(field)


def test_functions_of_cupy_take_tensors(on_gpu: None) -> None:
    import cupy

    backend = gg.get_device("cuda").backend
    x = gg.tensor(np.array([0.5, 1.0]), requires_grad=True)
    a = backend.runtime.upload(np.array([2.0, 3.0]))
    y = cupy.sin(x) * a
    assert isinstance(y, gg.Tensor)
    assert isinstance(a * x, gg.Tensor)
    assert isinstance(cupy.power(x, 2), gg.Tensor)
    y.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), np.cos([0.5, 1.0]) * [2, 3])
    with pytest.raises(TypeError, match="ldexp"):
        cupy.ldexp(x, 2)


def test_devices_are_named_when_they_do_not_fit(on_gpu: None) -> None:
    backend = gg.get_device("cuda").backend
    a = backend.runtime.upload(np.ones(3))
    here = gg.ones(3, device="cpu")
    with pytest.raises(
        gg.errors.DeviceError, match=r"an array on cuda:0 was used with a tensor on cpu.*to\('cuda:0'\)"
    ):
        here * a
    with pytest.raises(gg.errors.DeviceError, match="'cpu' and 'cuda:0'"):
        here + gg.ones(3)
    with pytest.raises(TypeError, match=r"np.asarray of a tensor on cuda:0.*t\.numpy\(\)"):
        np.asarray(gg.ones(3))
    with pytest.raises(gg.errors.DeviceError, match=r"on a GPU, not on cpu: say t\.cuda\(\)"):
        here.cupy()
    assert not hasattr(here, "__cuda_array_interface__")
    assert here.to("cuda").cpu().tolist() == here.tolist()
    assert gg.ones(2).__dlpack_device__() == (2, 0)
    w = gg.tensor(np.ones(3), device="cpu", requires_grad=True)
    (w.cuda() * 3).sum().backward()
    assert w.grad.device == "cpu"
    assert w.grad.tolist() == [3, 3, 3]


def test_out_of_memory_says_what_was_asked_for_and_releases_the_graph(
    on_gpu: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = gg.get_device("cuda").backend
    x = gg.tensor(np.ones((8, 8), "float32"), requires_grad=True)
    h = gg.exp(x)
    gg.wait(h)
    kept = h._value.node.output
    y = (h @ h).sum()
    del h
    plain = backend.runtime.empty

    def empty(shape: Any, dtype: Any) -> Any:
        if math.prod(shape) == 64:
            raise gg.errors.out_of_device_memory(256, 10, 1000, 990, "cuda:0")
        return plain(shape, dtype)

    monkeypatch.setattr(backend.runtime, "empty", empty)
    with pytest.raises(MemoryError, match=r"cuda:0 for a buffer of 256 bytes: 10 of 1,000 bytes are free"):
        y.backward()
    monkeypatch.undo()
    assert y._value.node.freed
    assert sys.getrefcount(kept) == 2  # this name, and the call
    with pytest.raises(gg.errors.GraphError):
        y.backward()


# --------------------------------------------------------------------------------------- what is asked of the driver


class _Driver:
    """Stands in for CuPy's modules: remembers how it was called."""

    def __init__(self) -> None:
        self.calls: list[Any] = []
        self.error: Exception | None = None
        self.ptr = 77  # of the current stream

    def launchKernel(self, *args: Any) -> None:
        self.calls.append(args)

    def getMathMode(self, handle: int) -> int:
        return 1

    def synchronize(self) -> None:
        if self.error is not None:
            raise self.error

    def __getattr__(self, name: str) -> Any:
        return lambda *args: self.calls.append((name, *args))


@pytest.fixture
def driven(monkeypatch: pytest.MonkeyPatch) -> tuple[Any, _Driver]:
    """The real `Runtime`, on a driver that only remembers."""
    import cupy

    from gpugrad.backends.cuda.runtime import Runtime

    driver = _Driver()
    monkeypatch.setattr(cupy.cuda, "get_current_stream", lambda: driver)
    monkeypatch.setitem(vars(cupy.cuda), "cublas", driver)  # the real one cannot be loaded without its library
    monkeypatch.setattr(cupy.cuda.device, "get_cublas_handle", lambda: 5, raising=False)
    monkeypatch.setattr(cupy.cuda.runtime, "memGetInfo", lambda: driver.calls.append("context"))
    monkeypatch.setattr("gpugrad.backends.cuda.runtime._bound", threading.local())
    runtime = Runtime.__new__(Runtime)
    runtime.index, runtime.cupy, runtime._driver, runtime._several = 0, cupy, driver, False
    return runtime, driver


def test_a_launch_goes_to_the_current_stream_and_a_failure_is_named(
    driven: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ctypes

    runtime, driver = driven
    parameters = (ctypes.c_void_p * 1)(123)
    function = type("f", (), {"ptr": 9})()
    runtime.launch(function, "the text", 10, (32, 8), parameters)
    asked = (9, 10, 1, 1, 32, 8, 1, 0, 77, ctypes.addressof(parameters), 0)
    assert driver.calls == ["context", asked]  # a thread needs the context of the GPU, once
    runtime.launch(function, "the text", 10, (32, 8), parameters)
    assert driver.calls == ["context", asked, asked]
    other = threading.Thread(target=runtime.launch, args=(function, "the text", 10, (32, 8), parameters))
    other.start()
    other.join()
    assert driver.calls.count("context") == 2
    driver.error = runtime.cupy.cuda.runtime.CUDARuntimeError(700)
    runtime.launch(function, "the text", 10, (32, 8), parameters)  # errors arrive later
    monkeypatch.setattr(gg.config, "_debug", 1)
    with pytest.raises(gg.errors.InternalError, match=r"(?s)kernel failed on the GPU.*the text"):
        runtime.launch(function, "the text", 10, (32, 8), parameters)


def test_memory_that_is_not_there_is_a_memory_error(driven: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime, _ = driven

    def empty(*args: Any) -> Any:
        raise runtime.cupy.cuda.memory.OutOfMemoryError(800, 100, 0)

    monkeypatch.setattr(runtime.cupy, "empty", empty)
    monkeypatch.setattr(runtime.cupy.cuda.runtime, "memGetInfo", lambda: (300, 1000))
    monkeypatch.setattr(
        runtime.cupy, "get_default_memory_pool", lambda: type("pool", (), {"used_bytes": lambda self: 5})()
    )
    with pytest.raises(MemoryError, match=r"cuda:0 for a buffer of 800 bytes: 300 of 1,000 bytes are free"):
        runtime.empty((100,), np.dtype(np.float64))


def test_what_cublas_is_asked_for(driven: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import ctypes

    runtime, driver = driven
    seen: list[tuple[float, float]] = []

    def keep(name: str, one: int, zero: int, kind: Any) -> Any:
        def call(*args: Any) -> None:
            seen.append((kind.from_address(args[one]).value, kind.from_address(args[zero]).value))
            driver.calls.append((name, *args))

        return call

    driver.gemmEx = keep("gemmEx", 6, 13, ctypes.c_float)
    runtime.gemm(np.dtype(np.float16), True, False, 2, 3, 4, (100, 4, 0), (200, 4, 0), 1.0, (300, 2, 0), 1)
    before, (name, *args), after = driver.calls
    assert (before, after) == (("setMathMode", 5, 16), ("setMathMode", 5, 1))  # as it was
    driver.calls.clear()
    driver.getMathMode = lambda handle: 0
    assert (name, args[:6]) == ("gemmEx", [5, 1, 0, 2, 3, 4])
    assert args[7:13] == [100, 2, 4, 200, 2, 4]  # CUDA_R_16F
    assert args[14:] == [300, 2, 2, 68, -1]  # computed in float32
    monkeypatch.setattr(gg.config, "_tf32", True)
    runtime.gemm(np.dtype(np.float32), False, False, 2, 3, 4, (100, 2, 0), (200, 4, 0), 0.0, (300, 2, 0), 1)
    assert driver.calls.pop()[-2] == 77
    driver.gemmStridedBatchedEx = keep("batched", 6, 15, ctypes.c_double)
    runtime.gemm(np.dtype(np.float64), False, True, 2, 3, 4, (100, 2, 8), (200, 3, 0), 1.0, (300, 2, 6), 7)
    _, *args = driver.calls.pop()
    assert args[7:15] == [100, 1, 2, 8, 200, 1, 3, 0]
    assert args[16:] == [300, 1, 2, 6, 7, 70, -1]
    assert seen == [(1, 1), (1, 0), (1, 1)]


def test_where_there_is_no_gpu_that_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from gpugrad import __main__
    from gpugrad.backends import devices as backends
    from gpugrad.base import gpus

    monkeypatch.setattr(backends, "_devices", {})
    if gpus.why_no_cuda():
        with pytest.raises(gg.errors.DeviceError, match=r"driver|GPU"):
            gg.get_device("cuda:1")
        __main__.main(["info"])
        assert gpus.why_no_cuda() in capsys.readouterr().out


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for old in GOLDEN.glob("*.cu"):
        old.unlink()
    for name, text in golden().items():
        (GOLDEN / name).write_text(text)
    print(f"kept {len(list(GOLDEN.glob('*.cu')))} kernels in {GOLDEN.relative_to(ROOT)}")
