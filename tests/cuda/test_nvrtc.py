"""Every kernel is compiled by NVRTC for real GPUs; binaries are kept."""

from __future__ import annotations

import concurrent.futures
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cuda_helpers import KINDS, NEEDS, cases, emulator, planned
from helpers import ROWS

import gpugrad as gg
from gpugrad.backends.cuda import launch
from gpugrad.backends.protocol import Output
from gpugrad.base.shapes import reduced
from gpugrad.codegen import cuda, cuda_structural
from gpugrad.ops import elementwise as ew
from gpugrad.ops.op import Op
from gpugrad.ops.reduction import largest, smallest, total
from gpugrad.plans.dag import Array, Call, Dag, Input, Node
from gpugrad.plans.plan import Plan
from gpugrad.plans.program import identity

pytestmark = NEEDS


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


@pytest.mark.usefixtures("on_cpu")
@pytest.mark.parametrize("op", ROWS, ids=lambda o: o.name)
def test_nvrtc_compiles_every_op(op: Op, gpu: emulator.HostBackend, rng: np.random.Generator) -> None:
    compiles(sorted({text for case in cases(op, rng) if "unaligned" not in case.label and "column" not in case.label
                     for text in planned(gpu, case)}), "75")  # fmt: skip


def row_texts(gpu: emulator.HostBackend) -> list[str]:
    """Regions that reduce, forward and backward, of every dtype, with rows along the last axis and across others."""
    found = []
    for dtype in KINDS:
        moves = dtype.kind == "f" or dtype.name == "bfloat16"
        calls = [Call(op, (Input(0),), moves) for op in (largest, smallest, total)]
        if dtype.kind != "b":
            calls += [Call(ew.subtract, (Input(0), Node(0)), moves), Call(ew.multiply, (Node(3), Node(2)), moves)]
            calls += [Call(ew.maximum, (Node(4), Input(1)), moves), Call(total, (Node(5),), moves)]
            calls += [Call(ew.add, (Node(6), Node(1)), moves)]
        roots = (Node(5), Node(7)) if dtype.kind != "b" else (Node(0), Node(2))
        plan = Plan(Dag(tuple(calls), (Array(dtype, moves), Array(dtype, moves)), (), roots))
        programs = [plan.forward, *([plan.usual(False).program] if moves else [])]
        for shape, axes in (((7, 64), (1,)), ((3, 5, 2000), (2,)), ((4, 9, 8), (0, 2))):
            kept = reduced(shape, axes, True)
            for p in programs:
                arrays = [
                    gpu.empty(kept if row else shape, d) for row, d in zip(p.row_inputs, p.input_dtypes, strict=True)
                ]
                outputs = [
                    Output(gpu.empty(kept if row else shape, d)) for row, d in zip(p.row_outputs, p.dtypes, strict=True)
                ]
                found += [cuda.complete(k.text) for k, _, _ in launch.kernels(p, shape, arrays, outputs, across=axes)]
    return sorted(set(found))


@pytest.mark.usefixtures("on_cpu")
@pytest.mark.parametrize("architecture", ["75", "80", "90", "100", "120"])
def test_nvrtc_compiles_regions_that_reduce(architecture: str, gpu: emulator.HostBackend) -> None:
    texts = row_texts(gpu)
    compiles(texts if architecture == "75" else texts[:: 1 + len(texts) // 12], architecture)


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


@pytest.mark.usefixtures("on_cpu")
def test_nvrtc_compiles_reductions_moves_and_sums(gpu: emulator.HostBackend) -> None:
    compiles(other_texts(gpu), "75")


@pytest.mark.usefixtures("on_cpu")
@pytest.mark.parametrize("architecture", ["80", "90", "100", "120"])
def test_nvrtc_compiles_a_sample_for_other_architectures(architecture: str, gpu: emulator.HostBackend, rng: np.random.Generator) -> None:  # fmt: skip
    texts = other_texts(gpu)
    chosen = [texts[int(n)] for n in rng.permutation(len(texts))[:35]]
    for op in (ROWS[int(n)] for n in rng.permutation(len(ROWS))[:16]):
        todo = cases(op, rng)
        for n in rng.permutation(len(todo))[:4]:
            chosen += planned(gpu, todo[int(n)])
    compiles(chosen[:100], architecture)


@pytest.mark.usefixtures("on_cpu")
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


@pytest.mark.usefixtures("on_cpu")
def test_gpus_that_the_compiler_does_not_know() -> None:
    module = nvrtc()
    assert module.target("80") == "sm_80"
    assert module.target("81") == "sm_80"
    assert module.target("999").startswith("compute_")
    text = 'extern "C" __global__ void gg_kernel(float* x) { *x = 1; }'
    assert b".target" in module.compile(text, "999")[0]
    with pytest.raises(gg.errors.DeviceError, match=r"sm_30\) is too old.*cuda12"):
        module.compile(text, "30")


@pytest.mark.usefixtures("on_cpu")
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
