"""Errors planted in kernels: the sanitizers and the emulated GPU notice them."""

from __future__ import annotations

import math
import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cuda_helpers import NEEDS, emulator, place, shared_runtime
from helpers import sanitized

import gpugrad as gg
from gpugrad.backends.cuda import launch
from gpugrad.backends.protocol import Output
from gpugrad.codegen import cuda
from gpugrad.plans.program import Program, identity

pytestmark = NEEDS

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


@pytest.mark.usefixtures("on_cpu")
@pytest.mark.skipif(sys.platform != "linux", reason="the sanitizers are preloaded by Linux's dynamic linker")
def test_sanitizers_are_silent_and_would_notice_a_bound_that_is_off_by_one(tmp_path: Path) -> None:
    where = {"GPUGRAD_CACHE_DIR": str(tmp_path)}
    done = sanitized(PLANTED.format(strict=False, change="", count=12), **where)
    assert done.stdout.strip() == "clean", done.stderr[-3000:]
    change = '.replace("at + 4 <= size", "at <= size")'
    done = sanitized(PLANTED.format(strict=False, change=change, count=2), **where)
    assert "clean" not in done.stdout
    assert "AddressSanitizer" in done.stderr, done.stderr[-3000:]


@pytest.mark.usefixtures("on_cpu")
def test_the_orders_of_threads_would_notice_a_missing_barrier(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    gpu = emulator.HostBackend(shared_runtime())
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
    gpu = emulator.HostBackend(shared_runtime())
    assert not all(np.allclose(s, a.sum(0), atol=1e-5) for s in sums())


@pytest.mark.usefixtures("on_cpu")
def test_a_barrier_that_some_threads_do_not_reach_is_an_error(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = cuda.complete
    monkeypatch.setattr(cuda, "complete", lambda text: plain(text).replace("    __syncthreads();\n    if (threadIdx.y == 0)", "    if (threadIdx.y == 0) __syncthreads();\n    if (threadIdx.y == 0)"))  # fmt: skip
    gpu = emulator.HostBackend(shared_runtime())
    out = gpu.empty((1, 32), np.dtype(np.float32))
    with pytest.raises(AssertionError, match="never come"):
        gpu.run(identity(out.dtype), (64, 32), [gpu.full((64, 32), 1, out.dtype)], (), [Output(out, (0,))])


@pytest.mark.usefixtures("on_cpu")
def test_a_number_of_the_wrong_type_would_be_noticed(on_gpu: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        launch, "_head", lambda program, pointers: "=" + f"{pointers}Q" + "fi" * len(cuda.scalars(program))
    )
    x = gg.tensor(np.ones(3, "float32"))
    y = gg.arctan(x * 3.0)
    backend = gg.get_device("cuda").backend
    monkeypatch.setattr(type(backend), "run", _with_zeros)
    assert y.tolist() != pytest.approx([math.atan(3)] * 3)


def _with_zeros(self: Any, program: Program, shape: Any, arrays: Any, scalars: Any, sinks: Any, rows: Any) -> None:
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
