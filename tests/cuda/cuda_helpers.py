"""What the tests of the CUDA backend share: they run its kernels on host memory, where there is CuPy and a compiler."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np
import pytest
from helpers import CASES, arguments

from gpugrad.backends.cpu import compiler
from gpugrad.backends.cuda import launch
from gpugrad.backends.protocol import Output
from gpugrad.codegen import cuda
from gpugrad.ops.op import Op
from gpugrad.plans.program import Program, single

pytest.importorskip("cupy", reason="CuPy is not installed (extra: emulated)")

import emulator  # needs CuPy

NEEDS = [
    pytest.mark.usefixtures("on_cpu"),
    pytest.mark.skipif(not compiler.compiler(), reason="no C++ compiler on this machine to build kernels with"),
]

SHAPE = (6, 40)
MODES = ("store", "accumulate")
LAYOUTS = ("contiguous", "strided", "row", "column", "unaligned")
KINDS = [np.dtype(getattr(ml_dtypes, t) if t == "bfloat16" else t)
         for t in ("float16", "bfloat16", "float32", "float64", "int8", "int32", "int64", "uint8", "bool")]  # fmt: skip


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


_shared: list[emulator.HostRuntime] = []


def shared_runtime() -> emulator.HostRuntime:
    if not _shared:
        _shared.append(emulator.HostRuntime())
    return _shared[0]
