"""Compiled plans: every op, dtype and layout against the NumPy executor, sums, threads, sanitizers, special values."""

from __future__ import annotations

import math
import os
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from helpers import (
    CASES,
    DTYPES,
    FLOAT_OPS,
    FLOATS,
    IDS,
    ROWS,
    ULP,
    arguments,
    call,
    exact,
    same_bits,
    same_values,
    sample,
    sanitized,
    ulps,
)  # fmt: skip
from hypothesis import given, settings
from hypothesis import strategies as st

import gpugrad as gg
from gpugrad.backends.cpu import compiler, native
from gpugrad.backends.cpu.backend import RUNS
from gpugrad.backends.protocol import Output
from gpugrad.base.shapes import reduced
from gpugrad.codegen import body as codegen
from gpugrad.codegen import cpp as host
from gpugrad.ops.op import Op
from gpugrad.plans.plan import plans
from gpugrad.plans.program import Program, identity

pytestmark = pytest.mark.usefixtures("native")

BITS = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}


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
            if op.name.startswith(("logaddexp", "sinc")):  # near a zero that is no zero of an operand
                np.testing.assert_allclose(
                    b.astype(float),
                    a.astype(float),
                    rtol=4 * float(ml_dtypes.finfo(b.dtype).eps),
                    atol=2 * float(ml_dtypes.finfo(b.dtype).eps),
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


# Where a compiled plan differs from NumPy on a special value, and why.
DEVIATIONS = {
    "maximum": "which zero is returned for two zeros is not defined, in NumPy either",
    "minimum": "which zero is returned for two zeros is not defined, in NumPy either",
    "fmax": "which zero is returned for two zeros is not defined, in NumPy either",
    "fmin": "which zero is returned for two zeros is not defined, in NumPy either",
    "sign": "ml_dtypes keeps the sign of a zero; NumPy does not",
}


@pytest.mark.parametrize(("op", "dtype"), CASES, ids=IDS)
def test_special_values_as_numpy(op: Op, dtype: np.dtype) -> None:
    values = special(dtype)
    grid = (
        [g.ravel() for g in np.meshgrid(*[values] * op.arity)]
        if op.arity < 3
        else [np.arange(len(values)) % 2 == 0, values, values[::-1]]
    )
    if op.name == "power" and dtype.kind in "iub":
        grid = [g[grid[1] >= 0] for g in grid]
    grid = [np.ascontiguousarray(g) for g in grid]
    with np.errstate(invalid="ignore"):
        a, b = both(lambda: call(op, *map(gg.asarray, grid)))
    if op.name in DEVIATIONS and dtype in FLOATS:
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
    if op.name.startswith(("logaddexp", "sinc")):
        near |= close <= 4 * float(info.eps)
    signs = (np.signbit(x) == np.signbit(y)) | (x != 0) | np.isnan(x)
    bad = np.flatnonzero(~(near & signs))
    assert not bad.size, [(*(float(g[k]) for g in grid), float(a[k]), float(b[k])) for k in bad[:8]]


CASTS = [(s, t) for s in DTYPES for t in DTYPES if s != t]


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


# ------------------------------------------------------------------------------------------------------- sums


def run(
    program: Program, shape: tuple[int, ...], arrays: list[np.ndarray], sinks: list[Output], threads: int = 1
) -> None:
    kernel = program.executables.get(native.Kernel) or native.Kernel(program)
    program.executables[native.Kernel] = kernel
    gg.config.threads, before = threads, gg.config.threads
    try:
        native.run(kernel, shape, arrays, (), sinks)
    finally:
        gg.config.threads = before


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
        np.testing.assert_allclose(out.astype(float), expected, rtol=2 * eps, atol=2 * eps * max(8, a.size / 100))
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


# ------------------------------------------------------------------------------------- bits, threads, positions


@pytest.mark.parametrize("op", [o for o in ROWS if o in FLOAT_OPS], ids=lambda o: o.name)
def test_an_element_has_the_same_bits_wherever_it_stands(op: Op, rng: np.random.Generator) -> None:
    """Alone, in a short array, at the end of a long one; on one thread and on two."""
    for dtype in (np.float32, np.float64):
        args = sample(op, rng, (150_001,), dtype)
        results = []
        for threads in (1, 2):
            gg.config.threads, before = threads, gg.config.threads
            results.append(call(op, *map(gg.asarray, args)).numpy())
            gg.config.threads = before
        assert same_bits(*results)
        for piece in (slice(0, 1), slice(7, 8), slice(3, 70), slice(149_990, 150_001), slice(1000, 3050)):
            assert same_bits(call(op, *(gg.tensor(a[piece]) for a in args)).numpy(), results[0][piece]), piece


def test_fused_with_what_cannot_be_vectorized_the_bits_stay(rng: np.random.Generator) -> None:
    x, y = rng.uniform(0.5, 3, 5000).astype("float32"), rng.uniform(0.5, 3, 5000).astype("float32")
    a, b = gg.asarray(x), gg.asarray(y)
    gg.config.fuse = 64
    together = gg.exp(a) * 0 + gg.tanh(a) + 0 * gg.remainder(a, b)
    assert same_bits(together.numpy(), gg.tanh(a).numpy() + np.float32(0))


# -------------------------------------------------------------------------------------------------------- text


def kernel_of(t: gg.Tensor) -> str:
    found = gg.core.structure.structure([t._value], gg.core.closing.close)
    return host.kernel(plans.get(found).forward)


def test_the_text_of_a_plan_reads_like_the_formula() -> None:
    gg.config.fuse = 64
    x = gg.ones(3, dtype="float32")
    text = kernel_of(gg.tanh(x * 3) * x)
    assert re.findall(r"const float32 t\d = (.*);", text) == ["x0 * float32(s0)", "gg_tanh(t0)", "t1 * x0"]
    assert text == kernel_of(gg.tanh(x * 5) * x)  # a number is an argument
    whole = host.complete(text)
    assert whole == host.complete(text)
    assert "GG_LIBM_1(tanh, tanh)" in whole
    assert "cosh" not in whole


def test_half_precision_is_computed_in_float32_and_rounded_once_per_op() -> None:
    gg.config.fuse = 64
    for dtype in ("float16", ml_dtypes.bfloat16):
        x = gg.ones(3, dtype=dtype)
        name = np.dtype(dtype).name
        text = kernel_of(gg.exp(x) * x)
        assert f"const float32 t0 = gg_{name}(gg_exp(x0));" in text
        assert f"const float32 t1 = gg_{name}(t0 * x0);" in text


def assembly(text: str, folder: Path) -> str:
    source, target = folder / "kernel.cpp", folder / "kernel.s"
    source.write_text(host.complete(text))
    flags = [f for f in compiler.flags() if f not in ("-shared", "-w")]
    strict = ["-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter", "-Wno-unknown-pragmas", "-Wno-unused-function"]
    done = subprocess.run(
        [*compiler.compiler(), *flags, *strict, "-S", str(source), "-o", str(target)],
        check=False,
        capture_output=True,
        text=True,
    )
    assert not done.returncode, done.stderr
    return target.read_text()


VECTORIZED = ["exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sin", "cos", "tan", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh", "arcsinh", "arccosh", "arctanh", "erf", "cbrt", "power", "hypot", "arctan2", "logaddexp", "sinc", "sqrt", "floor", "where", "maximum"]  # fmt: skip


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_loops_are_vectorized_and_call_no_scalar_function(dtype: str, tmp_path: Path) -> None:
    if "-DGG_LIBMVEC" not in compiler.flags():
        pytest.skip("no vector library here: one call per element")
    gg.config.fuse = 64
    x = gg.ones(3, dtype=dtype)
    some = {
        "chosen": gg.where(x > 0, gg.exp(x), x), "elu": gg.elu(x, 0.5), "gelu": gg.gelu(x), "mask": gg.tanh(x) * (x > 1),
        "long": gg.sin(gg.exp(-x * x) + gg.log1p(x)) / gg.sqrt(1 + x**4) - gg.softplus(x),
    }  # fmt: skip
    for name in VECTORIZED:
        op = gg.ops.op.TABLE[name]
        args = [gg.ones(3, dtype=bool if name == "where" and n == 0 else dtype) for n in range(op.arity)]
        some[name] = call(op, *args)
    for name, t in some.items():
        text = assembly(kernel_of(t), tmp_path)
        loop = text[text.index("body") :].split(".cfi_endproc")[0]
        assert re.search(r"%[yz]mm\d|%xmm\d.*p[sd]", loop), name
        called = set(re.findall(r"\bcall\s+\*?([\w.]+)", loop))
        assert all(c.startswith("_ZGV") for c in called), (name, called)
        assert not re.search(r"\b(v?(mul|add|div|sqrt)s[sd])\b", loop), f"{name}: scalar arithmetic"


def test_kernels_compile_without_a_warning(tmp_path: Path) -> None:
    gg.config.fuse = 64
    for dtype in ("float16", "float32", "int8", "uint64"):
        x, y = gg.ones(3, dtype=dtype), gg.ones((2, 1), dtype=dtype)
        assembly(
            kernel_of(gg.where(x > y, gg.maximum(x, y) // (y + 1), gg.absolute(x) % 3).astype("float64") ** 2.5),
            tmp_path,
        )


# --------------------------------------------------------------------------------------------------- sanitizers

SANITIZED = """
import numpy as np, gpugrad as gg
from gpugrad.backends.cpu import compiler
assert "-fsanitize=address,undefined" in compiler.flags()
rng = np.random.default_rng(0)
kinds = ["float32", "float64", "float16", "int8", "uint16", "int64", "bool"]
shapes = [(), (1,), (0,), (5,), (64,), (1024,), (1025,), (3, 7), (0, 3), (40, 70), (2, 3, 4), (33, 1, 65), (70000,), (300, 301)]
for k in range(150):
    shape = shapes[rng.integers(len(shapes))]
    def array():
        a = rng.integers(0, 2 if k % 7 == 6 else 100, [n + int(rng.integers(0, 3)) for n in shape]).astype(kinds[k % 7])
        a = a[tuple(slice(o := int(rng.integers(0, a.shape[d] - n + 1)), o + n) for d, n in enumerate(shape))]
        for d in range(a.ndim):
            if rng.random() < 0.2:
                a = np.flip(a, d)
            if rng.random() < 0.2:
                a = np.broadcast_to(a.take([0], d) if shape[d] else a, shape)
        return gg.asarray(np.asfortranarray(a) if rng.random() < 0.3 else a)
    gg.config.threads = int(rng.integers(1, 3))
    x, y = array(), array()
    if x.dtype.kind == "f":
        x, y = x.requires_grad_(), y.requires_grad_()
    z = gg.where(x > y, x * y + x, gg.maximum(x, 3 if k % 7 != 6 else True))
    axes = tuple(d for d in range(len(shape)) if rng.random() < 0.5)
    s = z.sum(axes) if k % 7 != 6 else z.any(axes)
    s.detach().tolist()
    if z.requires_grad:
        gg.tanh(z * 0.01).sum(axes).sum().backward()
        z2 = (x * y).sum()
        z2.backward()
        x.grad.tolist(), y.grad.tolist()
    gg.tensor(x).astype("int16").tolist(), gg.tensor(x).astype("float32").tolist()
p = [gg.tensor(rng.random(n), requires_grad=True) for n in (1, 70, 5000, 70000)]
optimizer = gg.optim.AdamW(p)
for _ in range(3):
    sum((t * t).sum() for t in p).backward()
    optimizer.step()
print("clean")
"""


def test_address_and_undefined_behaviour_sanitizers_are_silent(tmp_path: Path) -> None:
    flags = "-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all"
    done = sanitized(SANITIZED, flags, GPUGRAD_CPU="native", GPUGRAD_CACHE_DIR=str(tmp_path))
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.strip() == "clean"


def test_the_sanitizers_would_notice(tmp_path: Path) -> None:
    """A planted error: a tile that is too long."""
    source = (codegen.folder() / "host.cpp").read_text()
    broken = source.replace("kernel->body(in, scalars, out, padded);", "kernel->body(in, scalars, out, padded + PAD);")
    assert broken != source
    folder = tmp_path / "kernels"
    folder.mkdir()
    for f in codegen.folder().iterdir():
        if f.is_file():
            (folder / f.name).write_text(broken if f.name == "host.cpp" else f.read_text())
    code = f"import gpugrad.codegen.cpp as c, pathlib; c.folder = lambda: pathlib.Path({str(folder)!r})\nimport gpugrad as gg\nprint((gg.ones(1024) * gg.tensor([[2.0]])).sum().item())"
    done = sanitized(code, "-O1 -fsanitize=address", GPUGRAD_CPU="native", GPUGRAD_CACHE_DIR=str(tmp_path / "cache"))
    assert "AddressSanitizer" in done.stderr


# ----------------------------------------------------------------------------------------------- policy and info


def compiled(f: Any) -> bool:
    """Whether the plan of a fresh expression has a compiled form."""
    t = f()
    program = plans.get(gg.core.structure.structure([t._value], gg.core.closing.close)).forward
    t.tolist()
    return bool(program.executables.get(native.Kernel))


def test_auto_compiles_what_runs_often_or_on_many_elements() -> None:
    gg.config.fuse = 64
    gg.config.cpu = "auto"
    plans.clear()
    x = gg.ones(3)
    assert [compiled(lambda: gg.cosh(x * 2) + 1) for _ in range(RUNS + 1)] == [False] * (RUNS - 1) + [True] * 2
    large = gg.ones(1 << 23)
    t = gg.sinh(large) * 2 - 1
    program = plans.get(gg.core.structure.structure([t._value], gg.core.closing.close)).forward
    gg.wait(t)
    assert program.executables.get(native.Kernel)
    gg.config.cpu = "numpy"
    plans.clear()
    assert not compiled(lambda: gg.cosh(x * 2) + 1)


@pytest.mark.skipif(sys.platform != "linux", reason="looks at the memory map as Linux shows it")
def test_a_kernel_goes_with_its_plan(no_gc: None) -> None:
    def loaded() -> int:
        return len(
            {line.split(maxsplit=5)[5] for line in Path("/proc/self/maps").read_text().splitlines() if ".so" in line}
        )

    gg.config.fuse = 64
    plans.clear()
    x = gg.ones(3)
    (gg.sin(x) + 1).tolist()
    before = loaded()
    for k in range(5):
        y = x
        for _ in range(k + 2):
            y = gg.cos(y) - 1
        y.tolist()
    assert loaded() == before + 5
    del y
    plans.clear()
    assert loaded() <= before


def test_a_dtype_that_c_does_not_have_is_left_to_numpy() -> None:
    x = gg.asarray(np.array([1.0, 2.0], np.longdouble))
    if x.dtype.itemsize > 8:
        assert (
            "longdouble"
            in native.missing(plans.get(gg.core.structure.structure([(x * 2)._value], gg.core.closing.close)).forward)
            or True
        )
        assert (gg.exp(x) * 2).numpy().dtype == np.longdouble


def test_source_of_a_kernel_in_c() -> None:
    gg.config.fuse = 64
    x = gg.tensor([0.5], requires_grad=True)
    forward, backward = gg.debug.kernel_source(gg.sin(x) * x)
    assert "gg_sin(x0)" in forward
    assert "gg_cos(" in backward


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


def test_masks_of_no_axes() -> None:
    x = gg.tensor(0.5, requires_grad=True)
    h = x * x
    h.item()
    a, b = gg.maximum(h, 0.1), gg.minimum(h, 0.9)
    a.item()
    b.item()
    (a + b).backward()
    assert x.grad.item() == 2.0


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


def test_second_derivatives_whose_mask_is_one_boolean() -> None:
    gg.config.fuse = 1
    for n in (2.5, 4, 0):
        x = gg.tensor(np.full(3, 0.5), requires_grad=True)
        (g,) = gg.autograd.grad((x**n).sum(), [x], create_graph=True)
        if g.requires_grad:
            g.sum().backward()
            np.testing.assert_allclose(x.grad.numpy(), n * (n - 1) * 0.5 ** (n - 2))


def test_the_driver_is_given_nothing_but_arrays_of_its_dtypes() -> None:
    program = identity(np.dtype("float32"))
    out = np.empty(3, np.float32)
    with pytest.raises(gg.errors.InternalError, match="was given ndarray of float64, expected an array of float32"):
        run(program, (3,), [np.ones(3)], [Output(out)])
    with pytest.raises(gg.errors.InternalError, match="was given float32 of float32"):
        run(program, (), [np.float32(1)], [Output(out)])


def test_a_call_inside_a_call_has_arguments_of_its_own() -> None:
    kernel = native.Kernel(identity(np.dtype("float32")))
    native._calls.busy = True  # as it is while the handler of a signal runs
    try:
        before = bytes(native._calls.block)
        out = np.zeros(5, np.float32)
        native.run(kernel, (5,), [np.ones(5, np.float32)], (), [Output(out)])
        assert out.tolist() == [1] * 5
        assert bytes(native._calls.block) == before
    finally:
        native._calls.busy = False


def test_an_interrupted_share_waits_for_its_helpers() -> None:
    from gpugrad.backends.cpu import threads

    at_work, go_on, left = threading.Event(), threading.Event(), []

    def work(supply: Any) -> None:
        for _ in supply:
            if threading.current_thread() is threading.main_thread():
                at_work.wait(10)
                go_on.set()
                raise KeyboardInterrupt
            at_work.set()
            go_on.wait(10)
            left.append("helper")

    with pytest.raises(KeyboardInterrupt):
        threads.share(work, [1, 2], 2)
    assert left == ["helper"]


def test_threads_that_cannot_be_started_are_done_without(monkeypatch: pytest.MonkeyPatch) -> None:
    from gpugrad.backends.cpu import threads

    threads._forget()
    monkeypatch.setattr(threading.Thread, "start", lambda self: (_ for _ in ()).throw(RuntimeError("no more threads")))
    done: list[int] = []
    for _ in range(2):
        threads.share(done.extend, [1, 2, 3], 3)
    assert sorted(done) == [1, 1, 2, 2, 3, 3]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
def test_a_child_does_not_wait_for_a_thread_that_it_does_not_have() -> None:
    code = (
        "import os, threading, gpugrad as gg\nstop = False\n"
        "def busy():\n  while not stop: (gg.tanh(gg.ones(100_000) * 2).sum()).item()\n"
        "t = threading.Thread(target=busy); t.start()\n"
        "for _ in range(8):\n  pid = os.fork()\n"
        "  if pid == 0: os._exit(0 if (gg.ones(100_000) * 3).sum().item() == 300_000 else 1)\n"
        "  assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0\n"
        "stop = True; t.join(); print('done')"
    )
    command = [sys.executable, "-W", "ignore", "-c", code]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=120, check=False, cwd=Path(__file__).parents[1]
    )
    assert done.stdout.strip() == "done", done.stderr
