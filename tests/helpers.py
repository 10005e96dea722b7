"""What several test files share: sampling an op's domain, finite differences, running at two fusion levels."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import scipy.special

import gpugrad as gg
from gpugrad.arguments import elementwise
from gpugrad.backends.cpu import compiler
from gpugrad.base import dtypes
from gpugrad.ops.op import TABLE, Op

ROOT = Path(__file__).parents[1]
OPS = sorted(TABLE.values(), key=lambda o: o.name)
SMOOTH = [o for o in OPS if o.differentiable]
FLOAT_OPS = [o for o in OPS if o.takes(np.dtype(float))]
both = pytest.mark.parametrize("fuse", [1, 64])  # a test that runs at both fusion levels (see conftest)


def shared(given: Any) -> gg.Tensor:
    """An array as a tensor of the default device that lies in memory as the array does: shared, or as one on a GPU."""
    a, device = np.asarray(given), gg.zeros(()).device
    if device == "cpu" or not a.size:
        return gg.asarray(a) if device == "cpu" else gg.tensor(a)
    low, high = np.lib.array_utils.byte_bounds(a)
    memory = np.frombuffer((ctypes.c_char * (high - low)).from_address(low), np.uint8)
    data = gg.tensor(memory).cupy().data + (a.ctypes.data - low)
    import cupy

    return gg.asarray(cupy.ndarray(a.shape, a.dtype, memptr=data, strides=a.strides))


def leaf(data: object, dtype: Any = float) -> gg.Tensor:
    return gg.tensor(data, dtype=dtype, requires_grad=True)


def ids(op: Op) -> str:
    return op.name


def call(op: Op, *args: Any) -> gg.Tensor:
    return elementwise(op, args)


def sample(op: Op, rng: np.random.Generator, shape: Any = (7,), dtype: Any = np.float64) -> list[np.ndarray]:
    """Arguments from the op's domain; conditions and integer operands where it takes those."""
    if op not in FLOAT_OPS:
        return [rng.integers(0, 7, shape) for _ in range(op.arity)]
    args = [rng.uniform(low, high, shape).astype(dtype) for low, high in op.domains]
    return [a > 0 if is_condition else a for a, is_condition in zip(args, op.conditions(np.dtype(float)), strict=True)]


def differentiable(op: Op) -> list[int]:
    """The operands that a gradient goes to."""
    return [n for n, is_condition in enumerate(op.conditions(np.dtype(float))) if not is_condition]


def independent(text: str, op: Op, **modules: Any) -> Callable[..., Any]:
    """What a row says of who else computes it: a dotted name, or an expression in its parameters."""
    dotted = text.replace(".", "").replace("_", "").isalnum()
    return eval(text if dotted else f"lambda {', '.join(op.params)}: {text}", modules)


def reference(op: Op) -> Callable[..., Any]:
    """The value of an op by somebody else."""
    return independent(op.reference, op, numpy=np, scipy=scipy)


def gradients(
    f: Callable[..., gg.Tensor], args: Sequence[np.ndarray], upstream: np.ndarray | None = None
) -> list[np.ndarray]:
    """The gradients of sum(f * upstream) in all floating-point arguments."""
    xs = [gg.tensor(a, requires_grad=a.dtype.kind == "f") for a in args]
    y = f(*xs)
    y.backward(gg.ones_like(y) if upstream is None else upstream)
    return [x.grad.numpy() for x in xs if x.requires_grad]


def central(f: Callable[..., np.ndarray], args: Sequence[np.ndarray], n: int, h: float = 1e-5) -> np.ndarray:
    """The central difference of an elementwise function in argument n."""
    up, down = list(args), list(args)
    up[n], down[n] = args[n] + h, args[n] - h
    return (f(*up) - f(*down)) / (2 * h)


def at_both_fusion_levels(run: Callable[[], Any], strict: bool = True) -> tuple[Any, Any]:
    """The results at fuse=1 and at the default; the fused run must have closed fewer regions than it called ops.

    strict=False: for random programs, of which some read every result at once.
    """
    before = gg.config.fuse
    try:
        gg.config.fuse = 1
        eager = run()
        gg.config.fuse = 64
        gg.debug.counters.reset()
        fused = run()
        counters = gg.debug.counters
        assert not strict or counters.ops < 2 or counters.forward < counters.ops, counters
    finally:
        gg.config.fuse = before
    return eager, fused


def same_bits(a: np.ndarray, b: np.ndarray) -> bool:
    """Equal to the last bit; a NaN is a NaN."""
    a, b = np.asarray(a), np.asarray(b)
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    if a.dtype.kind == "f":
        nan = np.isnan(a) & np.isnan(b)
        return bool(np.all(nan | ((a == b) & (np.signbit(a) == np.signbit(b)))))
    return bool(np.array_equal(a, b))


# ------------------------------------------------------------------------------------- every row in every dtype

ROWS = [o for o in OPS if o.c]
DTYPES = [np.dtype(getattr(ml_dtypes, r.name) if r.name == "bfloat16" else r.name) for r in dtypes.ROWS]
FLOATS = [d for d in DTYPES if dtypes.is_float(d)]
# What the vector library and the compositions of it are held to, in units in the last place of the exact value.
ULP = 4


CASES = [(o, d) for o in ROWS for d in DTYPES if o.takes(d)]
IDS = [f"{o.name}-{d.name}" for o, d in CASES]


def arguments(op: Op, dtype: np.dtype, rng: np.random.Generator, shape: tuple[int, ...]) -> list[np.ndarray]:
    if dtype in FLOATS:
        return [a if a.dtype.kind == "b" else a.astype(dtype) for a in sample(op, rng, shape)]
    args = [rng.integers(0, 2 if dtype.kind == "b" else 7, shape).astype(dtype) for _ in range(op.arity)]
    if dtype.kind == "i":
        signs = [1 if n in op.naturals else rng.choice([-1, 1], shape) for n in range(op.arity)]
        args = [(a * s).astype(dtype) for a, s in zip(args, signs, strict=True)]
    return [a > 0 if is_condition else a for a, is_condition in zip(args, op.conditions(dtype), strict=True)]


def exact(op: Op, args: list[np.ndarray]) -> np.ndarray:
    """The value in more precision than the dtype has, or in double precision where its reference knows no more."""
    wide = [a if a.dtype.kind == "b" else a.astype(np.longdouble) for a in args]
    with np.errstate(all="ignore"):
        try:
            return reference(op)(*wide)
        except TypeError:  # SciPy's functions are of doubles
            return reference(op)(*(a.astype(np.float64) for a in args)).astype(np.longdouble)


def ulps(got: np.ndarray, expected: np.ndarray) -> float:
    info = ml_dtypes.finfo(got.dtype)
    scale = np.maximum(np.abs(expected), float(info.smallest_normal))
    unit = np.exp2(np.floor(np.log2(scale))) * float(info.eps)
    with np.errstate(all="ignore"):
        error = np.abs(got.astype(np.longdouble) - expected) / unit
    same = (got == expected) | (np.isnan(got.astype(float)) & np.isnan(expected.astype(float)))
    over = np.abs(expected) > float(info.max)  # an infinity is right there
    return float(np.max(np.where(same | (over & np.isinf(got.astype(float))), 0, error), initial=0))


def same_values(a: np.ndarray, b: np.ndarray) -> bool:
    if a.dtype.name == "bfloat16":
        a, b = a.astype(np.float32), b.astype(np.float32)
    return same_bits(a, b)


def sanitized(code: str, flags: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """A process in which what is compiled with -fsanitize=address works: the library must be there from the start."""
    ask = [*compiler.compiler(), "-print-file-name=libasan.so"]
    library = subprocess.run(ask, capture_output=True, text=True, check=True).stdout.strip()
    if sys.platform != "linux" or not Path(library).is_absolute():
        pytest.skip("the sanitizers are preloaded by Linux's dynamic linker")
    changed = {
        **os.environ, "LD_PRELOAD": library, "GPUGRAD_CXXFLAGS": flags, "ASAN_OPTIONS": "detect_leaks=0", "PYTHONMALLOC": "malloc",
        **environment,
    }  # fmt: skip
    return subprocess.run(
        [sys.executable, "-c", code],
        env=changed,
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
