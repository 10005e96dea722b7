"""The checks of gpu_quick.py, the most valuable first: the GPU beside the CPU and other libraries.

A check is a function. It raises where something is wrong, or `unittest.SkipTest` with a reason where there is nothing to find
out; or it yields cases, each a name and a function that raises, of which one that fails does not stop the others, and lines
for the report.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import copy
import functools
import io
import itertools
import os
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import xml.etree.ElementTree
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import gpugrad as gg
from gpugrad.backends import devices
from gpugrad.backends.cuda import nvrtc
from gpugrad.ops.op import TABLE as OPS

ROOT = Path(__file__).resolve().parents[1]
WITHOUT_POOL = (
    "GPUGRAD_QUICK_WITHOUT_POOL"  # in the environment: CuPy allocates each array by itself, as memcheck needs it
)
TABLE = "| workload | gpugrad | the others | |"
Case = tuple[str, Callable[[], Any]]
Found = Iterator[str | Case]
# Seconds for each group: less than 7 minutes together. Then, of each check, its name, the seconds it may take, and the function.
GROUPS: dict[str, tuple[float, list[tuple[str, float, Callable[[], Any]]]]] = {
    "Devices": (30, []),
    "Kernels": (105, []),
    "Streams and arrays": (40, []),
    "Matrix products": (60, []),
    "The tests, sampled": (60, []),
    "The demo": (25, []),
    "Speed": (80, []),
    "compute-sanitizer": (15, []),
}
_rehearse, _kept = False, 0
rng = np.random.default_rng(0)


def check(group: str, seconds: float) -> Callable[[Any], Any]:
    """Put a function into a group; its name in the report is the first line of its documentation."""

    def add(function: Any) -> Any:
        GROUPS[group][1].append((function.__doc__.splitlines()[0].rstrip("."), seconds, function))
        return function

    return add


def prepare(rehearse: bool, cases: int) -> None:
    """Find the GPU, or make one. cases: the most of each check; 0: all of them, or 2 in a rehearsal."""
    global _rehearse, _kept
    _rehearse, _kept = rehearse, cases or (2 if rehearse else 0)
    if rehearse:
        sys.path.insert(0, str(ROOT / "tests"))
        import emulator

        emulator.install()
    gg.set_default_device("cuda")
    if WITHOUT_POOL in os.environ:
        cupy().cuda.set_allocator(None)
    gg.config.cpu = "numpy"  # the reference: it needs no compiler


def ahead(function: Callable[[], Found]) -> Callable[[], Found]:
    """A check whose kernels are all compiled before its first case is tried, on all cores: one by one takes most of the time."""

    @functools.wraps(function)
    def found() -> Found:
        items = list(function())
        start = time.perf_counter()
        texts = kernels_of([item[1] for item in items if not isinstance(item, str)])
        runtime: Any = gg.get_device("cuda").backend.runtime  # type: ignore[attr-defined]
        if _rehearse:
            runtime.prepare(texts)
        else:
            with concurrent.futures.ThreadPoolExecutor(min(16, os.cpu_count() or 1)) as pool:
                for made in [pool.submit(nvrtc.binary, text, runtime.architecture) for text in texts]:
                    made.exception()  # what does not compile fails in its case
        yield f"kernels: {len(texts)}, ready after {time.perf_counter() - start:.1f} s"
        yield from items

    return found


def kernels_of(runs: Sequence[Callable[[], Any]]) -> list[str]:
    """The texts of the kernels that cases launch: they are run with a GPU that launches nothing, and their results mean nothing."""
    plain: Any = gg.get_device("cuda")
    texts: dict[str, None] = {}
    runtime, backend = copy.copy(plain.backend.runtime), copy.copy(plain.backend)
    runtime.function = lambda text, name: texts.setdefault(text)
    runtime.expect = texts.setdefault
    runtime.launch = runtime.gemm = lambda *args: None
    backend.runtime, backend._numbers, backend._tables = runtime, {}, {}
    stand_in = gg.Device("cuda:0", backend)
    names = [name for name, device in devices._devices.items() if device is plain]
    devices._devices.update(dict.fromkeys(names, stand_in))
    try:
        for run in runs:
            with contextlib.suppress(Exception):
                run()
    finally:
        devices._devices.update(dict.fromkeys(names, plain))
    return list(texts)


def healthy() -> bool:
    """True if the GPU can still be used: after some errors, it cannot be by the process that made them."""
    try:
        return (gg.tensor(np.ones(3, "float32"), device="cuda") + 1).tolist() == [2, 2, 2]
    except Exception:
        return False


def real() -> None:
    """Skip what an emulated GPU does not have."""
    if _rehearse:
        raise unittest.SkipTest("it takes a driver")


def cupy() -> Any:
    real()
    import cupy as module

    return module


def optional(name: str) -> Any:
    try:
        return __import__(name)
    except ImportError:
        raise unittest.SkipTest(f"{name} is not installed") from None


def some(things: Iterable[Any]) -> Iterator[Any]:
    """All of them, or the first few."""
    return itertools.islice(things, _kept or None)


def a_dtype(name: str) -> np.dtype[Any]:
    if name != "bfloat16":
        return np.dtype(name)
    return np.dtype(optional("ml_dtypes").bfloat16)


# What values may differ by, relative to the largest: the CPU and the GPU have other functions, and add in another order.
NEAR = {"float16": 4e-3, "bfloat16": 3e-2, "float32": 3e-5, "float64": 1e-11}


def same(got: np.ndarray, expected: np.ndarray, near: float | None = None) -> None:
    """Equal, but for the last digits of floats. near: 0 for bits."""
    assert got.shape == expected.shape, f"shape {got.shape}, not {expected.shape}"
    assert got.dtype == expected.dtype, f"dtype {got.dtype}, not {expected.dtype}"
    allowed = (NEAR[got.dtype.name] if near is None else near) if got.dtype.name in NEAR else 0
    a, b = (x.astype(np.float64) if x.dtype.name in NEAR else x for x in (got, expected))
    if not allowed:
        wrong = ~((a == b) | ((a != a) & (b != b)))
    else:
        with np.errstate(all="ignore"):
            scale = np.max(np.abs(b), where=np.isfinite(b), initial=1e-30)
            wrong = ~((np.abs(a - b) <= allowed * scale) | (a == b) | (np.isnan(a) & np.isnan(b)))
    if wrong.any():
        at = np.unravel_index(np.argmax(wrong), wrong.shape)
        raise AssertionError(f"{wrong.sum()} of {wrong.size} elements, the first at {tuple(map(int, at))}: {got[at]!r}, not {expected[at]!r}")  # fmt: skip


def results(f: Callable[..., Any], arrays: Sequence[Any], device: str, fixed: Sequence[int] = ()) -> list[np.ndarray]:
    """The values of a function on a device, and the gradients of all floating-point arguments but those named."""
    with gg.device(device):
        xs = [gg.tensor(a, requires_grad=a.dtype.name in NEAR and n not in fixed) for n, a in enumerate(arrays)]
        y = f(*xs)
        found = [y.detach().numpy()]
        if y.requires_grad:
            upstream = np.cos(np.arange(y.size)).reshape(y.shape).astype(y.dtype)
            y.backward(gg.tensor(upstream))
            found += [x.grad.numpy() for x in xs if x.grad is not None]
    return found


def beside(
    label: str, f: Callable[..., Any], *arrays: Any, near: float | None = None, fixed: Sequence[int] = ()
) -> Case:
    """A case: values and gradients on the GPU beside those of the CPU."""

    if near is None:  # what was computed of float32 is no better for being float64 in the end
        near = max((NEAR.get(a.dtype.name, 0.0) for a in arrays), default=0.0) or None

    def run() -> None:
        found, expected = (results(f, arrays, device, fixed) for device in ("cuda", "cpu"))
        assert len(found) == len(expected), "some gradients are missing"
        for n, (a, b) in enumerate(zip(found, expected, strict=True)):
            try:
                same(a, b, near)
            except AssertionError as e:
                raise AssertionError(f"{f'gradient {n}' if n else 'value'}: {e}") from None

    return label, run


def uniform(*shape: int, dtype: str = "float32", low: float = -2, high: float = 2) -> np.ndarray:
    return rng.uniform(low, high, shape).astype(a_dtype(dtype))


def integers(*shape: int, dtype: str = "int32", low: int = -3, high: int = 4) -> np.ndarray:
    return rng.integers(low, high, shape).astype(a_dtype(dtype))


# ---------------------------------------------------------------------------------------------------------- devices


@check("Devices", 20)
def what_is_found() -> Found:
    """Gpugrad info."""
    done = subprocess.run([sys.executable, "-m", "gpugrad", "info"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-500:]
    yield from (line.strip() for line in done.stdout.splitlines() if line.strip().startswith(("cuda", "native")))


@check("Devices", 10)
def what_the_driver_says() -> Found:
    """The state of the GPU."""
    fields = "name,driver_version,memory.used,utilization.gpu,clocks.sm,clocks.mem,temperature.gpu,power.draw"
    try:
        done = subprocess.run(["nvidia-smi", f"--query-gpu={fields}", "--format=csv,noheader"], capture_output=True, text=True, check=False)  # fmt: skip
    except OSError:
        raise unittest.SkipTest("there is no nvidia-smi") from None
    yield from done.stdout.strip().splitlines()


@check("Devices", 30)
def the_first_kernels() -> Found:
    """The first kernel, compiled by NVRTC and launched."""
    yield gg.get_device("cuda").backend.runtime.describe()  # type: ignore[attr-defined]
    for text in ("the first", "another"):
        start = time.perf_counter()
        x = gg.tensor(np.full(1000, 0.5, "float32"), requires_grad=True)
        y = gg.tanh(x * 3) if text == "the first" else gg.sin(x) * x
        y.backward(gg.ones_like(y))
        gg.wait(x.grad)
        yield f"{text}: {time.perf_counter() - start:.2f} s, forward and backward"
        expected = 3 / np.cosh(1.5) ** 2 if text == "the first" else np.sin(0.5) + 0.5 * np.cos(0.5)
        same(x.grad.numpy(), np.full(1000, expected, "float32"))


@check("Devices", 10)
def launches() -> None:
    """One launch forward, one backward."""
    x, y, b = (gg.tensor(uniform(40, 50), requires_grad=True) for _ in range(3))
    gg.debug.counters.reset()
    f = gg.tanh(x * y + b) * gg.sigmoid(x)
    gg.wait(f)
    assert gg.debug.counters.launches == 1, gg.debug.counters
    f.backward(np.ones((40, 50), "float32"))
    assert gg.debug.counters.launches == 2, gg.debug.counters


# ---------------------------------------------------------------------------------------------------------- kernels


def chain(x: Any, y: Any, b: Any) -> Any:
    return gg.tanh(x * y + b) * gg.sigmoid(x)


@check("Kernels", 20)
@ahead
def contiguous() -> Found:
    """Elementwise, of every length modulo the width, in every floating-point dtype."""
    for dtype in some(("float32", "float64", "float16", "bfloat16")):
        yield from some(beside(f"{dtype} {n}", chain, *(uniform(n, dtype=dtype) for _ in range(3))) for n in (1003, 1, 4, 255, 70_000))  # fmt: skip


@check("Kernels", 15)
@ahead
def exactly() -> Found:
    """Sums, products, quotients and roots have the CPU's bits: no contraction, nothing flushed to 0."""
    for dtype in some(("float32", "float64", "float16", "bfloat16")):
        x, y, z = (uniform(5000, dtype=dtype) for _ in range(3))
        small = (uniform(5000, dtype=dtype) * np.exp2(-130 if dtype in ("float32", "bfloat16") else -14)).astype(
            x.dtype
        )
        special = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1, -1, 65504, 1e-7, 6e-5], x.dtype)
        yield from some(
            [
                beside(f"x * y + z, {dtype}", lambda x, y, z: x * y + z, x, y, z, near=0),
                beside(f"subnormal numbers, {dtype}", lambda s, y: s * 0.5 + s * y, small, y, near=0, fixed=(0, 1)),
                beside(f"x / y - sqrt(|z|), {dtype}", lambda x, y, z: x / y - gg.sqrt(gg.abs(z)), x, y, z, near=0, fixed=(0, 1, 2)),
                beside(f"infinities, {dtype}", lambda a, b: a * b + a / b, np.repeat(special, 10), np.tile(special, 10), near=0, fixed=(0, 1)),
                beside(f"maximum of NaN, {dtype}", lambda a, b: gg.maximum(a, b) + gg.minimum(a, b), np.repeat(special, 10), np.tile(special, 10), near=0, fixed=(0, 1)),
            ]
        )  # fmt: skip


@check("Kernels", 15)
@ahead
def layouts() -> Found:
    """Elementwise, strided and broadcast."""
    a, b = uniform(36, 48), uniform(36, 48)
    yield from some(
        [
            beside("transposed", lambda a, b: gg.tanh(a.T * b.T), a, b),
            beside("a row", lambda a, b: gg.tanh(a * b[0]), a, b),
            beside("one transposed", lambda a, b: a.T[:36, :36] * b[:, :36], a, b),
            beside("steps", lambda a, b: a[::2, ::3] * b[1::2, 2::3], a, b),
            beside("reversed", lambda a, b: a[::-1, ::-1] * b + a, a, b),
            beside("unaligned", lambda a, b: a.ravel()[1:] * b.ravel()[:-1], a, b),
            beside("a row broadcast", lambda a, r: gg.gelu(a + r), a, uniform(48)),
            beside("a column broadcast", lambda a, c: gg.gelu(a + c), a, uniform(36, 1)),
            beside("a number", lambda a, n: gg.gelu(a * n), a, uniform()),
            beside("both broadcast", lambda c, r: gg.sin(c * r), uniform(36, 1), uniform(1, 48)),
            beside("four axes", lambda a, b: gg.sin(a.transpose(3, 1, 0, 2) * b), uniform(3, 4, 5, 6), uniform(6, 1, 3, 5)),
            beside("nothing", lambda a: gg.sin(a) * 2, uniform(0, 5)),
        ]
    )  # fmt: skip


@check("Kernels", 15)
@ahead
def dtypes() -> Found:
    """Mixed dtypes, integers, booleans, conversions and Python numbers."""
    n = 500
    i, u, b = integers(n), integers(n, dtype="uint8", low=1, high=9), integers(n, dtype="bool", low=0, high=2)
    f, d, h = uniform(n), uniform(n, dtype="float64"), uniform(n, dtype="float16")
    yield from some(
        [
            beside("float32 with float64", lambda f, d: gg.sin(f) * d, f, d),
            beside("float16 with float32", lambda h, f: h * f + h, h, f),
            beside("int32 with float32", lambda i, f: i * f + i, i, f),
            beside("integers", lambda i, u: (i + u) * 3 - i // u + i % u, i, u),
            beside("bits", lambda i, u: (i & u) ^ (i | 5) + ~i, i, u),
            beside("comparisons", lambda f, i: (f > 0) & (i <= 1) | (f != f), f, i),
            beside("where", lambda b, f, d: gg.where(b, f, d), b, f, d),
            beside("masks", lambda f: gg.where(f > 0, gg.sqrt(f), 0) + gg.where(f > 0, gg.log(f), 0), f),
            beside("conversions", lambda f: f.astype("int32").astype("float64") + f.astype("float16"), f),
            beside("to bool and back", lambda i: i.astype("bool").astype("uint8") + i.astype("int8"), i),
            beside("numbers", lambda d: (d + 1e-15) * 3 + 2**40, d),
            beside("int64", lambda x: x * 3 + 2**52, integers(n, dtype="int64")),
            *(beside(f"conversion from {s} to {t}", lambda x, t=t: x.astype(a_dtype(t)), integers(n, dtype=s, low=0, high=2))
              for s, t in itertools.permutations(("bool", "int8", "uint64", "float16", "bfloat16", "float64"), 2)),
        ]
    )  # fmt: skip


@check("Kernels", 25)
@ahead
def sums() -> Found:
    """Sums over the last, the leading and all axes, short and long."""
    cases: list[tuple[tuple[int, ...], Any]] = [
        ((70, 300), 1), ((70, 300), 0), ((2_000_003,), None), ((3, 200_000), 1), ((200_000, 48), 0), ((100_000, 3), 0), ((70, 300), None),
        ((4, 50, 64), 1), ((4, 5, 6), (0, 2)), ((9, 5), 1), ((40, 1030), 1), ((1, 1), 0), ((5, 0), 1), ((0,), 0), ((), None), ((300, 16), 0),
    ]  # fmt: skip
    for dtype in some(("float32", "float64", "float16", "bfloat16", "int32")):
        # multiples of 1/4 are summed exactly
        yield from some(
            beside(f"{dtype} {shape} over {axis}", lambda x, axis=axis: x.sum(axis), integers(*shape, dtype=dtype) if dtype == "int32" else (integers(*shape) * 0.25).astype(a_dtype(dtype)))
            for shape, axis in (cases if dtype == "float32" else cases[:6])
        )  # fmt: skip
    yield from some(
        [
            beside("mean of squares", lambda x, y: ((x - y) ** 2).mean(), uniform(300, 400), uniform(300, 400)),
            beside("softmax", lambda x: gg.softmax(x, axis=1), uniform(60, 500)),
            beside("logsumexp", lambda x: gg.logsumexp(x, axis=0), uniform(60, 500)),
            beside("variance", lambda x: gg.var(x, axis=(0, 2)), uniform(7, 20, 30)),
            beside("layer norm", lambda x, w, b: gg.nn.functional.layer_norm(x, (1,), w, b), uniform(30, 48), uniform(48), uniform(48)),
            beside("bias of 3 axes", lambda x, b: gg.gelu(x + b), uniform(8, 30, 40), uniform(30, 1)),
        ]
    )  # fmt: skip


@check("Kernels", 20)
@ahead
def rows() -> Found:
    """Regions that reduce: what is made of the rows of a table is one kernel each way."""
    f = gg.nn.functional

    def norm(x: Any, axis: Any) -> Any:
        return (x - x.mean(axis, keepdims=True)) / gg.sqrt(x.var(axis, keepdims=True) + 1e-5)

    shapes: list[tuple[tuple[int, ...], Any]] = [
        ((60, 500), 1), ((60, 500), 0), ((300, 3), 1), ((5, 4097), 1), ((3, 65_536), 1), ((8, 16, 5, 5), (0, 2, 3)), ((6, 70, 9), 1),
        ((2, 70_000), 1), ((3000, 40), 0), ((100_000, 2), 1), ((7, 1025), 1),
    ]  # fmt: skip
    for dtype in some(("float32", "float16", "bfloat16", "float64")):
        for shape, axis in some(shapes if dtype == "float32" else shapes[:4]):
            x = uniform(*shape, dtype=dtype)
            yield from some(
                [
                    beside(f"softmax of {dtype} {shape} over {axis}", lambda x, axis=axis: gg.softmax(x, axis=axis), x),
                    beside(f"a norm of {dtype} {shape} over {axis}", lambda x, axis=axis: norm(x, axis) * x, x),
                    beside(f"largest less smallest of {dtype} {shape} over {axis}",
                           lambda x, axis=axis: (x.max(axis, keepdims=True) - x.min(axis, keepdims=True)) * x, x),
                ]
            )  # fmt: skip
    labels = rng.integers(0, 500, 60)
    yield from some(
        [
            beside("cross entropy", lambda x: f.cross_entropy(x, gg.tensor(labels)), uniform(60, 500)),
            beside("a loss of rows, summed", lambda x: gg.logsumexp(x * 2, axis=1).sum(), uniform(60, 500)),
            beside("layer norm, a sum", lambda x, w, b: gg.tanh(norm(x, 1) * w + b).sum(), uniform(300, 768), uniform(768), uniform(768)),
            beside("truth", lambda x: gg.where((x > 1.9).any(1, keepdims=True), x * x, x), uniform(300, 40)),
        ]
    )  # fmt: skip


@check("Kernels", 10)
def the_bits_of_sums() -> Found:
    """The bits of a sum depend neither on the layout nor on the run."""
    for shape, axis in some([((3000, 96), 0), ((2_000_003,), None), ((96, 5000), 1)]):
        a = rng.standard_normal(shape).astype("float32")

        def run(a: Any = a, axis: Any = axis) -> None:
            x = gg.tensor(a)
            first = x.sum(axis).numpy()
            for _ in range(5):
                same(x.sum(axis).numpy(), first, 0)
            if a.ndim == 2:
                same(gg.tensor(np.ascontiguousarray(a.T)).T.sum(axis).numpy(), first, 0)
            same(gg.tensor(np.flip(a).copy())[(slice(None, None, -1),) * a.ndim].sum(axis).numpy(), first, 0)

        yield f"{shape}", run


@check("Kernels", 15)
@ahead
def selections() -> Found:
    """Largest, smallest and where they are; running sums; sorting."""
    shapes: list[tuple[tuple[int, ...], Any]] = [
        ((70, 300), 1),
        ((70, 300), 0),
        ((300_000,), 0),
        ((20_000, 40), 0),
        ((4, 5, 6), 1),
    ]
    for dtype in some(("float32", "float16", "bfloat16", "int32")):
        for shape, axis in some(shapes if dtype == "float32" else shapes[1:3]) if not _rehearse else shapes[:1]:
            x = rng.permutation(int(np.prod(shape))).reshape(shape) % 251
            x = x.astype(a_dtype(dtype))
            yield from some(
                beside(f"{name} of {dtype} {shape} over {axis}", lambda x, name=name, axis=axis: getattr(gg, name)(x, axis=axis), x)
                for name in ("max", "argmax", "min", "argmin")
            )  # fmt: skip
    with_nan = uniform(50, 60)
    with_nan[[3, 40], [5, 7]] = np.nan
    yield from some(
        [
            beside("NaN", lambda x: x.max(axis=1), with_nan),
            beside("where a NaN is", lambda x: x.argmin(axis=0), with_nan),
        ]
    )
    yield from some(
        beside(f"running sum of {dtype} {shape} over {axis}", lambda x, axis=axis: x.cumsum(axis=axis), (integers(*shape) * 0.25).astype(a_dtype(dtype)))
        for shape, axis in (((4, 700), 1), ((30_000,), 0), ((700, 4), 0), ((5000, 3), 1), ((9_000_000,), 0))
        for dtype in ("float32", "float16", "float64")
    )  # fmt: skip
    yield from some(
        [
            beside("sort", lambda x: gg.sort(x, axis=0), uniform(300, 20)),
            beside("sort of bfloat16", lambda x: gg.sort(x), uniform(300, dtype="bfloat16")),
            beside("argsort", lambda x: gg.argsort(x, axis=1), rng.permutation(6000).reshape(60, 100).astype("float32")),
            beside("nonzero", lambda x: gg.nonzero(x)[1], integers(40, 50)),
        ]
    )  # fmt: skip


def _written(x: Any, v: Any, index: Any) -> Any:
    y = x * 1
    y[index] = v * 2
    return y * y


@check("Kernels", 20)
@ahead
def indices() -> Found:
    """Reading and writing by index: gather, scatter, duplicates, masks, slices."""
    x = uniform(40, 30)
    rows, many = rng.integers(-40, 40, (6, 7)), rng.integers(0, 3, 50_000)
    mask = rng.random((40, 30)) < 0.3
    yield from some(
        [
            beside("rows", lambda x: x[rows] * 2, x),
            beside("rows and columns", lambda x: x[rows, rows % 30] * 2, x),
            beside("rows, then a slice", lambda x: x[rows[0], 3:20:2], x),
            beside("50,000 duplicates", lambda x: x[many], x),
            beside("a mask", lambda x: x[mask], x),
            beside("a mask of rows", lambda x: x[mask[:, 0]], x),
            beside("basic", lambda x: x[3:30:2, None, ::-1] * x[5], x),
            beside("take along an axis", lambda x: gg.take_along_axis(x, gg.tensor(rows[:, :1] % 40), axis=0), x),
            beside("an index on the GPU", lambda x: x[gg.tensor(rows)], x),
            beside("write a slice", lambda x, v: _written(x, v, np.s_[::2, 5]), x, uniform(20)),
            beside("write rows", lambda x, v: _written(x, v, rows[0]), x, uniform(7, 30)),
            beside("write duplicates", lambda x, v: _written(x, v, (many[:500], many[:500])), x, uniform(500)),
            beside("write through a mask", lambda x, v: _written(x, v, mask), x, uniform(int(mask.sum()))),
            beside("float16 duplicates", lambda x: x[many[:1000]], uniform(5, 7, dtype="float16")),
            beside("concatenate and split", lambda x: gg.concatenate([x, x * 2, x[:, :3]], axis=1)[:, 20:40], x),
            beside("pad, roll and repeat", lambda x: gg.roll(gg.pad(gg.repeat(x, 2, axis=0), ((1, 2), (3, 0))), 5, axis=1), x),
        ]
    )  # fmt: skip

    def out_of_range() -> None:
        try:
            gg.tensor(x)[np.array([0, 99])]
        except IndexError:
            return
        raise AssertionError("an index out of range is no error")

    yield "an index out of range", out_of_range


@check("Kernels", 10)
def added_gradients() -> Found:
    """Gradients are added to those that are there."""
    x, w = uniform(30, 40), uniform(40)

    def twice(device: str) -> list[np.ndarray]:
        with gg.device(device):
            tx, tw = (gg.tensor(a, requires_grad=True) for a in (x, w))
            for k in range(3):
                h = gg.tanh(tx + tw)
                ((h * h).sum() + (h.sum(axis=0) * tw).sum() + tx[[0, 0, k]].sum()).backward()
            first = [tx.grad.numpy().copy(), tw.grad.numpy().copy()]
            tx.zero_grad()
            (tx * tw).sum().backward()
            return [*first, tx.grad.numpy(), tw.grad.numpy()]

    def run() -> None:
        for a, b in zip(twice("cuda"), twice("cpu"), strict=True):
            same(a, b)

    yield "three times backward, and once after zero_grad", run


@check("Kernels", 15)
def optimizers() -> Found:
    """A step of an optimizer, one launch for all parameters."""
    makers = {
        "AdamW": lambda p: gg.optim.AdamW(p, lr=0.1),
        "Adam": lambda p: gg.optim.Adam(p, lr=0.1),
        "SGD with momentum": lambda p: gg.optim.SGD(p, lr=0.1, momentum=0.9),
        "SGD": lambda p: gg.optim.SGD(p, lr=0.1),
    }

    def run(make: Any, dtype: str) -> None:
        start = [uniform(n, dtype=dtype) for n in (1, 7, 64, 5000, 9001)]
        found = []
        for device in ("cuda", "cpu"):
            params = [gg.tensor(a, device=device, requires_grad=True) for a in start]
            optimizer = make(params)
            for k in range(3):
                for p in params:
                    p.grad = gg.sin(p.detach() * 3)
                gg.wait(*(p.grad for p in params))
                before = gg.debug.counters.launches
                optimizer.step()
                count = gg.debug.counters.launches - before
                # the first makes the state; arrays of 16 bits are read at addresses that do not suit all of them
                assert device == "cpu" or k == 0 or count == 1, f"{count} launches"
            gg.optim.clip_grad_norm_(params, 1.0)
            found.append([p.detach().numpy() for p in params] + [p.grad.numpy() for p in params])
        for a, b in zip(*found, strict=True):
            same(a, b)

    yield from some((f"{name}, {dtype}", lambda make=make, dtype=dtype: run(make, dtype)) for dtype in ("float32", "float16", "float64") for name, make in makers.items())  # fmt: skip


@check("Kernels", 10)
def derivatives_of_derivatives() -> Found:
    """Second derivatives, forward mode, and every op in a kernel of its own."""
    x = uniform(20, low=0.5, high=1.5, dtype="float64")

    def second(x: Any) -> Any:
        (g,) = gg.autograd.grad((gg.tanh(x) * x**3).sum(), x, create_graph=True)
        return g * x

    def unfused() -> None:
        gg.config.fuse = 1
        try:
            beside("", lambda x: gg.tanh(gg.sin(x) * x + 1).sum(), x)[1]()
        finally:
            gg.config.fuse = 64

    def forward_mode() -> None:
        f = lambda t: gg.tanh(t) * t  # noqa: E731
        found = [
            gg.jvp(f, (gg.tensor(x, device=d),), (gg.tensor(x * 2, device=d),))[1].numpy() for d in ("cuda", "cpu")
        ]
        same(*found)

    yield from some([beside("second", second, x), ("fuse = 1", unfused), ("forward mode", forward_mode)])


@check("Kernels", 15)
def large() -> Found:
    """More than 2^31 elements."""
    if WITHOUT_POOL in os.environ:
        raise unittest.SkipTest("it would take too long under memcheck")
    n = 10_000 if _rehearse else 2**31 + 37

    def run() -> None:
        x = gg.zeros((n,), dtype="float16")
        x[n - 1] = 1.0
        x[n - 37] = 2.0
        assert x.sum().item() == 3
        y = x + 1
        assert y[n - 38 :].tolist()[:2] == [1, 3]
        assert y[n - 1].item() == 2
        assert x.argmax().item() == n - 37
        assert x[np.array([n - 1, 0, n - 37])].tolist() == [1, 0, 2]

    yield f"{n:,} elements of float16", run


@check("Kernels", 60)
@ahead
def every_op() -> Found:
    """Every op of the table, in float32 and float16."""
    rows = [o for o in OPS.values() if o.c and o.public and o.takes(np.dtype(float))]

    def arguments(op: Any, dtype: str) -> list[np.ndarray]:
        found = [uniform(500, dtype=dtype, low=low, high=high) for low, high in op.domains]
        return [a > 0 if c else a for a, c in zip(found, op.conditions(np.dtype(float)), strict=True)]

    def case(op: Any, dtype: str) -> Case:
        f = getattr(gg, op.name)
        near = 0 if op.exact and dtype == "float16" and not op.differentiable else None
        return beside(f"{op.name}, {dtype}", f, *arguments(op, dtype), near=near)

    for dtype in ("float32", "float16"):
        yield from some(case(op, dtype) for op in rows)


# ------------------------------------------------------------------------------------- streams, arrays, threads


def work(x: Any) -> Any:
    return (gg.tanh(x * x).sum(axis=0) * 2).sum()


def expected_of(a: np.ndarray) -> np.ndarray:
    x = a.astype(np.float64)
    return (4 * x * (1 - np.tanh(x * x) ** 2)).astype(a.dtype)


@check("Streams and arrays", 15)
def a_stream() -> Found:
    """A stream of CuPy's."""
    cp = cupy()
    a = uniform(500, 400)

    def inside() -> None:
        with cp.cuda.Stream(non_blocking=True):
            x = gg.tensor(a, requires_grad=True)
            work(x).backward()
            gg.wait(x.grad)
            same(x.grad.numpy(), expected_of(a))

    def where_the_work_goes() -> None:
        x = gg.ones((50_000_000,), dtype="float32")
        gg.wait(x, gg.sin(x))
        stream = cp.cuda.Stream(non_blocking=True)
        with stream:
            for _ in range(200):
                x = gg.sin(x)
                x.cupy()  # closes the region, and does not wait
            busy, idle = not stream.done, cp.cuda.Stream.null.done
            stream.synchronize()
        assert busy, "nothing was running on the stream"
        assert idle, "something was running on the default stream"

    def two_at_once() -> None:
        streams = [cp.cuda.Stream(non_blocking=True) for _ in range(2)]
        inputs = [gg.tensor(a + k) for k in range(2)]
        kept: list[Any] = []
        for k in range(30):
            with streams[k % 2]:
                y = (gg.exp(-(inputs[k % 2] ** 2)) @ inputs[k % 2].T).sum(axis=1)
                kept.append(y.cupy())
        for s in streams:
            s.synchronize()
        for k, y in enumerate(kept):
            same(cp.asnumpy(y), cp.asnumpy(kept[k % 2]), 1e-6)
        wide = [(a + k).astype(np.float64) for k in range(2)]
        for k in range(2):
            same(cp.asnumpy(kept[k]).astype(np.float64), (np.exp(-(wide[k] ** 2)) @ wide[k].T).sum(axis=1), 1e-4)

    yield from some(
        [
            ("forward and backward inside", inside),
            ("work goes to it", where_the_work_goes),
            ("two at once", two_at_once),
        ]
    )


@check("Streams and arrays", 15)
def cupys_arrays() -> Found:
    """CuPy's arrays in and out, without copies."""
    cp = cupy()

    def shared() -> None:
        a = cp.arange(24, dtype="float32").reshape(4, 6)
        t = gg.asarray(a)
        assert t.cupy().data.ptr == a.data.ptr
        assert gg.asarray(a.T).cupy().strides == a.T.strides
        same((gg.asarray(a.T[::2]) * 2).numpy(), cp.asnumpy(a.T[::2] * 2))
        assert gg.tensor(a).cupy().data.ptr != a.data.ptr

    def interface() -> None:
        t = gg.tensor(uniform(30, 40))
        a = cp.asarray(t)
        assert a.data.ptr == t.cupy().data.ptr
        before = cp.asnumpy(a)
        t += 1
        gg.wait(t)
        same(cp.asnumpy(a), before, 0)
        same(cp.asnumpy(cp.asarray(t)), before + 1, 0)
        same(cp.asnumpy(cp.asarray(t.T[3:])), (before + 1).T[3:], 0)

    def dlpack() -> None:
        t = gg.tensor(uniform(30, 40))
        a = cp.from_dlpack(t)
        assert a.data.ptr == t.cupy().data.ptr
        back = gg.from_dlpack(a.T)
        assert back.shape == (40, 30)
        same(back.numpy(), t.numpy().T, 0)
        with cp.cuda.Stream(non_blocking=True):
            y = gg.exp(t)
            same(cp.asnumpy(cp.from_dlpack(y)), y.numpy(), 0)

    def functions() -> None:
        x = gg.tensor(np.array([0.5, 1.0]), requires_grad=True)
        a = cp.array([2.0, 3.0])
        y = cp.sin(x) * a + a * x
        assert isinstance(y, gg.Tensor)
        y.sum().backward()
        same(x.grad.numpy(), np.cos([0.5, 1.0]) * [2, 3] + [2, 3])
        assert isinstance(cp.exp(gg.ones(3).cupy()), cp.ndarray)

    def errors() -> None:
        for wrong in (lambda: np.asarray(gg.ones(3)), lambda: gg.ones(3, device="cpu") * cp.ones(3), lambda: gg.ones(3, device="cpu") + gg.ones(3)):  # fmt: skip
            try:
                wrong()
            except (TypeError, ValueError, gg.errors.GpugradError):
                continue
            raise AssertionError("no error")

    yield from some(
        [
            ("gg.asarray", shared), ("cupy.asarray of a tensor", interface), ("DLPack", dlpack),
            ("CuPy's functions of tensors", functions), ("what does not fit is an error", errors),
        ]
    )  # fmt: skip


@check("Streams and arrays", 20)
def torchs_tensors() -> Found:
    """PyTorch's tensors in and out, without copies."""
    real()
    torch = optional("torch")

    def out() -> None:
        t = gg.tensor(uniform(30, 40))
        for theirs in (torch.from_dlpack(t), torch.as_tensor(t, device="cuda")):
            assert theirs.data_ptr() == t.cupy().data.ptr
            same(theirs.cpu().numpy(), t.numpy(), 0)
        theirs = torch.from_dlpack(gg.tensor(np.arange(6.0).reshape(2, 3)).T)
        assert theirs.tolist() == [[0, 3], [1, 4], [2, 5]]

    def back() -> None:
        theirs = torch.arange(12.0, device="cuda").reshape(3, 4)
        t = gg.from_dlpack(theirs.T)
        assert t.cupy().data.ptr == theirs.data_ptr()
        same((t * 2).numpy(), theirs.T.cpu().numpy() * 2, 0)
        same(gg.asarray(gg.from_dlpack(theirs.to(torch.float16))).numpy(), theirs.cpu().numpy().astype("float16"), 0)

    yield from some([("out", out), ("in", back)])


@check("Streams and arrays", 25)
def jaxs_arrays() -> Found:
    """JAX's arrays in and out."""
    real()
    jax = optional("jax")
    if not any(d.platform == "gpu" for d in jax.devices()):
        raise unittest.SkipTest("this JAX has no GPU")

    def run() -> None:
        t = gg.tensor(uniform(30, 40))
        same(np.asarray(jax.dlpack.from_dlpack(t)), t.numpy(), 0)
        theirs = jax.numpy.arange(12.0, dtype="float32").reshape(3, 4)
        same((gg.from_dlpack(theirs) * 2).numpy(), np.asarray(theirs) * 2, 0)

    yield "DLPack", run


@check("Streams and arrays", 10)
def pinned() -> Found:
    """Arrays in pinned memory are uploaded before they can change."""
    cp = cupy()
    n = 5_000_000
    memory = cp.cuda.alloc_pinned_memory(4 * n)
    host = np.frombuffer(memory, np.float32, n)

    def run() -> None:
        for k in range(10):
            host[:] = k
            t = gg.tensor(host)
            host[:] = -1
            assert t.sum().item() == k * n

    yield "ten times", run


@check("Streams and arrays", 15)
def threads() -> Found:
    """Several threads, each with a stream of its own, or with the same one."""

    def run(streams: bool) -> None:
        wrong: list[BaseException] = []
        data = [uniform(50, 40) for _ in range(8)]

        def one(n: int) -> None:
            try:
                for _ in range(3 if _rehearse else 20):
                    x = gg.tensor(data[n], requires_grad=True, device="cuda")
                    w = gg.tensor(np.eye(40, dtype="float32"), device="cuda")
                    work(x @ w).backward()
                    same(x.grad.numpy(), expected_of(data[n]), 1e-4)
                    same(x.detach()[[3, 1]].cumsum(axis=1).numpy(), data[n][[3, 1]].cumsum(axis=1), 1e-4)
            except BaseException as e:
                wrong.append(e)

        def started(n: int) -> None:
            if not streams:
                one(n)
                return
            with cupy().cuda.Stream(non_blocking=True):
                one(n)

        running = [threading.Thread(target=started, args=(n,)) for n in range(8)]
        for t in running:
            t.start()
        for t in running:
            t.join()
        if wrong:
            raise wrong[0]

    yield "one stream", lambda: run(False)
    if not _rehearse:
        yield "eight streams", lambda: run(True)


@check("Streams and arrays", 10)
def handed_out() -> Found:
    """Writing leaves an array that was handed out as it was; seeds, copies and files."""

    def writing() -> None:
        x = gg.zeros(4)
        kept = gg.asarray(x.cupy())
        x[1] = 5.0
        assert kept.tolist() == [0, 0, 0, 0]
        assert x.tolist() == [0, 5, 0, 0]

    def seeds() -> None:
        found = []
        for device in ("cuda", "cpu"):
            gg.random.seed(3)
            with gg.device(device):
                found.append(gg.random.normal(size=(50,)).numpy())
        same(*found, 0)

    def files() -> None:
        with tempfile.TemporaryDirectory() as folder:
            net = gg.nn.Linear(3, 2)
            net.save(os.path.join(folder, "w.safetensors"))
            other = gg.nn.Linear(3, 2)
            other.load_state_dict(gg.load(os.path.join(folder, "w.safetensors")))
            for p, q in zip(net.parameters(), other.parameters(), strict=True):
                assert str(q.device) == "cuda:0"
                same(p.detach().numpy(), q.detach().numpy(), 0)

    def there_and_back() -> None:
        w = gg.tensor(np.ones(3), device="cpu", requires_grad=True)
        (w.cuda() * 3).sum().backward()
        assert w.grad.device == "cpu"
        assert w.grad.tolist() == [3, 3, 3]

    yield from [("writing", writing), ("a seed", seeds), ("a file", files), ("to the GPU and back", there_and_back)]


@check("Streams and arrays", 10)
def no_memory() -> Found:
    """Memory that is not there."""
    real()

    def run() -> None:
        try:
            gg.zeros((2**42,), dtype="float32")
        except MemoryError as e:
            said = str(e)
        else:
            raise AssertionError("no error")
        assert "are free" in said, said
        assert healthy()

    yield "16 TiB", run


@check("Streams and arrays", 25)
def a_kernel_that_fails() -> Found:
    """A kernel that fails is named, with debug = 1."""
    real()
    code = (
        "import ctypes, gpugrad as gg; gg.config.debug = 1; gg.set_default_device('cuda');"
        "runtime = gg.get_device('cuda').backend.runtime; gg.wait(gg.ones(3) + 1);"
        "text = 'extern \"C\" __global__ void wrong(const long long a) { *(int*)a = 1; }';"
        "block = ctypes.create_string_buffer(bytes([8, 0, 0, 0, 0, 0, 0, 0]));"
        "runtime.launch(runtime.function(text, 'wrong'), text, 1, (1, 1), (ctypes.c_void_p * 1)(ctypes.addressof(block)))"
    )

    def run() -> None:
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=20)
        assert "kernel failed on the GPU" in done.stderr, done.stderr[-500:]
        assert "void wrong" in done.stderr, done.stderr[-500:]

    yield "a write to address 8", run


# -------------------------------------------------------------------------------------------------- matrix products


@check("Matrix products", 15)
@ahead
def products() -> Found:
    """Two axes, in every dtype; small integers exactly."""
    for dtype in some(("float32", "float64", "float16", "bfloat16", "int32", "bool")):
        low = 0 if dtype == "bool" else -3
        high = 2 if dtype == "bool" else 4
        yield from some(
            beside(f"{dtype} {n} x {k} x {m}", lambda a, b: a @ b, integers(n, k, dtype=dtype, low=low, high=high), integers(k, m, dtype=dtype, low=low, high=high), fixed=(0, 1), near=0)
            for n, k, m in ((17, 33, 9), (1, 5, 1), (64, 64, 64), (3, 0, 2), (200, 1, 300))
        )  # fmt: skip
    for dtype in some(("float32", "float64", "float16", "bfloat16")):
        yield from some(
            [
                beside(
                    f"{dtype}, with gradients",
                    lambda a, b: a @ b,
                    uniform(50, 70, dtype=dtype),
                    uniform(70, 30, dtype=dtype),
                )
            ]
        )


@check("Matrix products", 15)
@ahead
def operands() -> Found:
    """Batches, vectors, transposed and strided operands."""
    a, b = uniform(40, 60), uniform(60, 20)
    yield from some(
        [
            beside("transposed", lambda a, b: a.T @ b, uniform(60, 40), b),
            beside("both transposed", lambda a, b: b.T @ a.T, a, b),
            beside("a batch", lambda a, b: a @ b, uniform(5, 20, 30), uniform(5, 30, 10)),
            beside("a batch, transposed", lambda a, b: gg.swapaxes(a, 1, 2) @ b, uniform(5, 30, 20), uniform(5, 30, 10)),
            beside("a batch with one matrix", lambda a, b: a @ b, uniform(2, 3, 20, 30), uniform(30, 10)),
            beside("broadcast batches", lambda a, b: a @ b, uniform(2, 1, 20, 30), uniform(3, 30, 10)),
            beside("axes in another order", lambda a, b: a.transpose(1, 0, 2) @ b, uniform(20, 5, 30), uniform(5, 30, 10)),
            beside("strided", lambda a, b: a[:, ::2] @ b[::2], a, b),
            beside("rows of a larger one", lambda a, b: a[3:30, 10:50] @ b[10:50, 5:], a, b),
            beside("reversed", lambda a, b: a[::-1, ::-1] @ b, a, b),
            beside("vector, matrix", lambda v, b: v @ b, uniform(60), b),
            beside("matrix, vector", lambda a, v: a @ v, a, uniform(60)),
            beside("vectors", lambda v, w: v @ w, uniform(60), uniform(60)),
            beside("one row", lambda a, b: a[:1] @ b, a, b),
            beside("float16 batch", lambda a, b: a @ b, uniform(5, 20, 30, dtype="float16"), uniform(5, 30, 10, dtype="float16")),
        ]
    )  # fmt: skip


@check("Matrix products", 15)
@ahead
def contractions() -> Found:
    """Einsum, tensordot, and a second gradient added by the product itself."""
    w = uniform(30, 30)

    def added(x: Any, w: Any) -> Any:
        return (gg.tanh(x @ w) @ w + (x * 2) @ w).sum(axis=0)

    yield from some(
        [
            beside("a second gradient", added, uniform(20, 30), w),
            beside("einsum", lambda a, b: gg.einsum("ij,jk->ki", a, b), uniform(20, 30), w),
            beside("einsum of three", lambda a, b, c: gg.einsum("i,ij,j", a, b, c), uniform(20), uniform(20, 30), uniform(30)),
            beside("einsum, a batch", lambda a, b: gg.einsum("bij,bkj->bik", a, b), uniform(4, 20, 30), uniform(4, 10, 30)),
            beside("einsum, a trace", lambda a: gg.einsum("ii", a), w),
            beside("tensordot", lambda a, b: gg.tensordot(a, b, axes=([0, 1], [1, 0])), uniform(8, 9, 5), uniform(9, 8, 6)),
            beside("einsum in float16", lambda a, b: gg.einsum("ij,jk->ki", a, b), uniform(20, 30, dtype="float16"), uniform(30, 20, dtype="float16")),
            beside("dot", lambda a, b: gg.dot(a, b), uniform(2, 3, 4), uniform(5, 4, 2)),
        ]
    )  # fmt: skip


@check("Matrix products", 15)
def how_exactly() -> Found:
    """What products are computed in: no TF32 unless asked for, 16-bit floats in float32."""
    n = 64 if _rehearse else 1024

    def error(tf32: bool) -> float:
        a, b = rng.standard_normal((2, n, n)).astype("float32")
        gg.config.tf32 = tf32
        try:
            found = (gg.tensor(a) @ gg.tensor(b)).numpy()
        finally:
            gg.config.tf32 = False
        exact = a.astype(float) @ b.astype(float)
        return float(np.linalg.norm(found - exact) / np.linalg.norm(exact))

    def sixteen() -> None:
        for dtype in ("float16", "bfloat16"):  # a sum kept in 16 bits would stop growing
            x = gg.tensor(np.full((8, 8192), 0.5, a_dtype(dtype)))
            assert ((x @ x.T).numpy() == 2048).all(), (dtype, (x @ x.T)[0, 0].item())

    def handle() -> None:
        from cupy.cuda import cublas, device

        before = cublas.getMathMode(device.get_cublas_handle())
        sixteen()
        assert cublas.getMathMode(device.get_cublas_handle()) == before

    found = error(False)
    yield f"float32: relative error {found:.1e}"
    assert found < 1e-6, found
    if not _rehearse:
        found = error(True)
        yield f"TF32: relative error {found:.1e}"
        assert found < 2e-3, found
        yield "CuPy's handle is left as it was", handle
    yield "16-bit sums", sixteen


@check("Matrix products", 45)
def linear_algebra() -> Found:
    """Linear algebra, through CuPy's solvers."""
    real()
    la = gg.linalg
    large = ("inv", "slogdet", "cholesky", "eigh", "svd", "qr")  # most of the time goes to compiling
    for dtype, shapes in (("float64", ((5, 5),)), ("float32", ((4, 3, 3), (40, 40)))):
        for shape in shapes:
            a = uniform(*shape, dtype=dtype) + 5 * np.eye(shape[-1], dtype=dtype)
            b = uniform(*shape[:-1], 2, dtype=dtype)
            near = 1e-9 if dtype == "float64" else 2e-3
            functions: dict[str, Any] = {
                "inv": la.inv, "det": lambda a: la.det(a / 5), "slogdet": lambda a: la.slogdet(a)[1],
                "cholesky": lambda a: la.cholesky(a @ gg.swapaxes(a, -1, -2)), "eigvalsh": la.eigvalsh, "pinv": la.pinv,
                "eigh": lambda a: (lambda w, v: (v * gg.exp(w / 10)[..., None, :]) @ gg.swapaxes(v, -1, -2))(*la.eigh(a + gg.swapaxes(a, -1, -2))),
                "svd": lambda a: la.svd(a, compute_uv=False), "qr": lambda a: gg.abs(la.qr(a)[1]), "norm": lambda a: la.norm(a, axis=(-2, -1)),
                "nuclear norm": lambda a: la.norm(a, "nuc", axis=(-2, -1)), "matrix_power": lambda a: la.matrix_power(a / 5, 3),
                "expm": lambda a: gg.scipy.linalg.expm(a / 5),
            }  # fmt: skip
            chosen = [name for name in functions if shape[-1] < 40 or name in large]
            yield from (beside(f"{name} of {dtype} {shape}", functions[name], a, near=near) for name in chosen)
            yield beside(f"solve of {dtype} {shape}", la.solve, a, b, near=near)
            if len(shape) == 2:
                yield beside(f"lstsq of {dtype} {shape}", lambda a, b: la.lstsq(a[:, :3], b)[0], a, b, near=near)
                yield beside(f"solve_triangular of {dtype} {shape}", gg.scipy.linalg.solve_triangular, a, b, near=near)


@check("Matrix products", 15)
def training() -> Found:
    """Twenty steps of training, beside the CPU."""
    images, labels = uniform(32, 20), rng.integers(0, 5, 32)

    def losses(device: str) -> list[float]:
        with gg.device(device):
            gg.random.seed(0)
            net = gg.nn.Sequential(gg.nn.Linear(20, 40), gg.nn.GELU(), gg.nn.LayerNorm(40), gg.nn.Linear(40, 5))
            optimizer = gg.optim.AdamW(net.parameters(), lr=1e-2)
            found = []
            for _ in range(4 if _rehearse else 20):
                optimizer.zero_grad()
                loss = gg.nn.functional.cross_entropy(net(gg.tensor(images)), labels)
                loss.backward()
                optimizer.step()
                found.append(loss.item())
            return found

    def run() -> None:
        found, expected = losses("cuda"), losses("cpu")
        np.testing.assert_allclose(found, expected, rtol=2e-3)
        assert found[-1] < found[0]

    yield "losses", run


# --------------------------------------------------------------------------------------------- the tests, the demo


@check("The tests, sampled", 88)
def sampled() -> Found:
    """Every Nth test of the suite, on this device."""
    every, seconds = (900, 20) if _rehearse else (10, 40)
    with tempfile.TemporaryDirectory() as folder:
        kept = Path(folder) / "results.xml"
        command = [
            sys.executable, "-m", "pytest", "tests", "-q", "--tb=short", "-p", "no:cacheprovider", "--continue-on-collection-errors",
            "-W", "ignore::DeprecationWarning", "-o", "faulthandler_timeout=30", "--device", "emulated" if _rehearse else "cuda",
            "--sample", str(every), "--seconds", str(seconds), f"--junitxml={kept}",
        ]  # fmt: skip
        if not _rehearse:
            with contextlib.suppress(unittest.SkipTest):
                optional("xdist")
                command += ["-n", str(max(1, min(8, (os.cpu_count() or 2) // 2)))]
        environment = os.environ | {"JAX_PLATFORMS": "cpu"}
        yield f"every {every}th test, those that begin within {seconds} s"
        lines: list[str] = []
        with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as running:  # fmt: skip
            assert running.stdout is not None
            for line in running.stdout:
                lines.append(line.strip())
                print(line, end="", file=sys.stderr, flush=True)  # kept if this takes too long
        if not kept.exists():
            raise AssertionError(" / ".join(filter(None, lines[-10:])) or "pytest said nothing")
        yield lines[-1]
        late = 0
        for found in xml.etree.ElementTree.parse(kept).iter("testcase"):
            skipped = found.find("skipped")
            if skipped is not None:
                late += "no time was left" in skipped.get("message", "")
                continue
            yield f"{found.get('classname')}.{found.get('name')}", lambda found=found: _said(found)
        if late:
            yield f"{late} had no time"


def _said(found: Any) -> None:
    """Raise what pytest has found."""
    for kind in ("failure", "error"):
        problem = found.find(kind)
        if problem is not None:
            lines = [line for line in (problem.text or "").splitlines() if line.strip()]
            raise AssertionError(f"{problem.get('message', '')[:150]} / " + " / ".join(lines[-6:]))


@check("The demo", 25)
def demo() -> Found:
    """The demo, trained on the GPU."""
    from gpugrad import __main__ as command

    with tempfile.TemporaryDirectory() as folder:
        said = io.StringIO()
        start = time.perf_counter()
        epochs = 1 if _rehearse else 40
        with contextlib.redirect_stdout(said):
            status = command.main(["demo", "--device", "cuda", "--out", folder, "--epochs", str(epochs)])
        last = said.getvalue().strip().splitlines()[-1] if said.getvalue().strip() else "it said nothing"
        assert status == 0, last
        yield f"{epochs} epochs in {time.perf_counter() - start:.1f} s: {last.split('; ')[0]}"
        files = {p.name for p in Path(folder).iterdir()}
        assert {"weights.safetensors", "history.png", "graph.svg"} <= files, files
        accuracy = float(last.split("%")[0].split()[-1])
        assert _rehearse or accuracy > 95, last


# ------------------------------------------------------------------------------------------------------------ speed


def benchmarks() -> Any:
    """benchmarks/gpu.py, measuring shortly."""
    if str(ROOT / "benchmarks") not in sys.path:
        sys.path.insert(0, str(ROOT / "benchmarks"))
    import gpu

    gpu.settings(1 if _rehearse else 3, 0.0 if _rehearse else 0.03, compiled=False, by_cupy=not _rehearse)
    return gpu


def _size(n: int) -> int:
    return min(n, 1000) if _rehearse else n


_peak: list[float] = []


def peak() -> float:
    """Bytes per second of a copy on the device, measured once in a process."""
    if not _peak:
        _peak.append(1e12 if _rehearse else benchmarks().bandwidth(10**8))
    return _peak[0]


@check("Speed", 15)
def a_copy() -> Found:
    """The bandwidth of a copy on the device."""
    real()
    yield f"{peak() / 1e9:,.0f} GB/s, read and written"


@check("Speed", 30)
def of_chains() -> Found:
    """The chain, forward and backward."""
    for n, dtype in some([(10**7, "float32"), (10**3, "float32"), (10**5, "float32"), (10**8, "float32"), (10**7, "bfloat16"), (10**8, "bfloat16")]):  # fmt: skip
        yield benchmarks().chain(_size(n), dtype, peak())


@check("Speed", 20)
def of_gelu() -> Found:
    """Gelu with a bias."""
    for n, dtype in some([(4096 * 4096, "float32"), (4096 * 4096, "bfloat16")]):
        yield benchmarks().gelu(_size(n), dtype, peak())


@check("Speed", 30)
def of_rows() -> Found:
    """Regions that reduce."""
    rows, columns = (4, 50) if _rehearse else (16384, 1000)
    yield benchmarks().cross_entropy(rows, columns, peak())
    yield benchmarks().layer_norm(rows, 64 if _rehearse else 1024, peak())
    yield benchmarks().batch_norm((2, 3, 4, 4) if _rehearse else (64, 64, 64, 64), peak())


@check("Speed", 20)
def of_sums() -> Found:
    """Sums."""
    n = 10_000 if _rehearse else 10**8
    for shape, axis, name in some([((n,), None, f"{n:.0e}"), ((n // 10**4, 10**4), 1, "rows of 1e+04"), ((10**4, n // 10**4), 0, "columns of 1e+04"), ((n // 100, 100), 1, "rows of 100")]):  # fmt: skip
        yield benchmarks().total(shape, axis, name, peak())


@check("Speed", 25)
def of_small_things() -> Found:
    """Overhead: small ops, a step of Adam, a step of training."""
    gpu = benchmarks()
    scale = 64 if _rehearse else 1
    yield gpu.small_ops()
    yield gpu.adam(20, 250_000 // scale)
    yield gpu.training_step(256 // scale, 1024 // scale)


@check("Speed", 20)
def of_first_calls() -> Found:
    """Structures that were never seen."""
    yield benchmarks().first_calls(2 if _rehearse else 8)


@check("Speed", 60)
def beside_compilers() -> Found:
    """The same beside torch.compile."""
    real()
    gpu, copied = benchmarks(), peak()
    if gpu.installed("torch") is None:
        raise unittest.SkipTest("PyTorch is not installed, or has no GPU")
    gpu.settings(3, 0.03, compiled=True)
    yield gpu.chain(10**7, "float32", copied)
    yield gpu.gelu(4096 * 4096, "float32", copied)
    yield gpu.cross_entropy(16384, 1000, copied)
    yield gpu.layer_norm(16384, 1024, copied)


@check("compute-sanitizer", 60)
def memcheck() -> Found:
    """Memcheck, of one case of each kind of kernel."""
    real()
    import glob
    import shutil

    tool = shutil.which("compute-sanitizer") or next(
        iter(sorted(glob.glob("/usr/local/cuda*/bin/compute-sanitizer"))), ""
    )
    if not tool:
        raise unittest.SkipTest("it is not installed")
    command = [tool, "--tool", "memcheck", "--error-exitcode", "9", sys.executable, str(ROOT / "ci" / "gpu_quick.py")]
    environment = os.environ | {WITHOUT_POOL: "1"}
    done = subprocess.run(
        [*command, "--child", "Kernels", "--cases", "1"], capture_output=True, text=True, check=False, env=environment
    )
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("=====")]
    yield next((line for line in reversed(lines) if "ERROR SUMMARY" in line), f"status {done.returncode}")
    assert done.returncode == 0, " / ".join(lines[:12])
