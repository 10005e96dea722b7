"""What is measured on a GPU, in one run, each number beside its peers': the report in results/cuda.md.

    python benchmarks/gpu.py                 needs gpugrad[cuda13] (or cuda12); PyTorch and JAX are measured where installed
    python benchmarks/gpu.py --rehearse      small sizes, to see that it runs

A time is the median over turns of many calls, with one synchronization at the end of a turn; libraries take turns.
"""

from __future__ import annotations

import datetime
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from workloads import JaxNames, tanh_sigmoid, thousand_ops

import gpugrad as gg
from gpugrad.backends import kernel_cache as cache
from gpugrad.backends.cuda import nvrtc
from gpugrad.base import gpus

RESULTS = Path(__file__).parent / "results"
ROUNDS, TURN = 7, 0.1
OPS = 1100  # what thousand_ops calls
Run = Callable[[], Any]


def backend() -> Any:
    return gg.get_device("cuda").backend


def installed(name: str) -> Any:
    """A module, if it is there and sees the GPU."""
    try:
        module = __import__(name)
    except ImportError:
        return None
    if name == "torch":
        return module if module.cuda.is_available() else None
    return module if any(d.platform == "gpu" for d in module.devices()) else None


def measure(runs: dict[str, Run], wait: Run) -> dict[str, float]:
    """Median seconds per call of each library."""
    rounds, turn = ROUNDS, TURN
    calls: dict[str, int] = {}
    for name, run in runs.items():
        for _ in range(5):
            run()
        wait()
        start = time.perf_counter()
        run()
        wait()
        calls[name] = max(1, int(turn / (time.perf_counter() - start)))
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            start = time.perf_counter()
            for _ in range(calls[name]):
                run()
            wait()
            times[name].append((time.perf_counter() - start) / calls[name])
    return {name: statistics.median(t) for name, t in times.items()}


def wait() -> None:
    """Until everything asked of the GPU, by whomever, is done."""
    backend().synchronize()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.synchronize()
    jax = sys.modules.get("jax")
    if jax is not None:
        jax.effects_barrier()
        jax.block_until_ready(jax.numpy.zeros(1) + 1)  # queued behind what came before


def launches(run: Run) -> int:
    """How many kernels of gpugrad's a call launches."""
    before = gg.debug.counters.launches
    run()
    return gg.debug.counters.launches - before


def gelu_tanh(m: Any, x: Any, b: Any) -> Any:
    h = x + b
    return (0.5 * h * (1 + m.tanh(0.7978845608028654 * (h + 0.044715 * h * h * h)))).sum()


def everyone(
    f: Callable[..., Any], arrays: list[np.ndarray], dtype: str, by_hand: Callable[..., Any] | None
) -> dict[str, Run]:
    """Forward and backward of a scalar function: gpugrad, PyTorch (eager, compiled), JAX's jit, CuPy by hand."""
    ours = [gg.tensor(a).astype(gg_dtype(dtype)).detach().requires_grad_() for a in arrays]

    def run_ours() -> None:
        for t in ours:
            t.zero_grad()
        f(gg, *ours).backward()

    runs: dict[str, Run] = {"gpugrad": run_ours}
    if by_hand is not None and dtype == "float32":
        given = [t.detach().cupy() for t in ours]
        runs["cupy, op by op"] = lambda: by_hand(backend().xp, *given)
    torch = installed("torch")
    if torch is not None:
        torch._dynamo.reset()  # each workload is compiled for its own shapes
        theirs = [torch.tensor(a, device="cuda").to(getattr(torch, dtype)).requires_grad_() for a in arrays]

        def step(g: Any) -> Run:
            def run() -> None:
                for t in theirs:
                    t.grad = None
                g(*theirs).backward()

            return run

        runs["torch eager"] = step(lambda *ts: f(torch, *ts))
        runs["torch compile"] = step(torch.compile(lambda *ts: f(torch, *ts), dynamic=False))
    jax = installed("jax")
    if jax is not None:
        g = jax.jit(jax.value_and_grad(lambda *xs: f(JaxNames, *xs), tuple(range(len(arrays)))))
        placed = [jax.numpy.asarray(a, dtype) for a in arrays]
        runs["jax jit"] = lambda: g(*placed)
    return runs


def gg_dtype(name: str) -> Any:
    if name != "bfloat16":
        return name
    import ml_dtypes

    return np.dtype(ml_dtypes.bfloat16)


def chain_by_hand(xp: Any, x: Any, y: Any, b: Any) -> Any:
    t = xp.tanh(x * y + b)
    s = 1 / (1 + xp.exp(-x))
    p = t * s
    (p * p).sum()
    g = 2 * p
    dt = g * s * (1 - t * t)
    return dt * y + g * t * (s * (1 - s)), dt * x, dt


def row(name: str, medians: dict[str, float], note: str = "") -> str:
    ours = medians["gpugrad"]
    cells = ", ".join(f"{k} {v * 1e3:.3f} ms ({ours / v:.2f})" for k, v in medians.items() if k != "gpugrad")
    return f"| {name} | {ours * 1e3:.3f} ms | {cells} | {note} |"


def bandwidth(n: int) -> float:
    """Bytes per second of a copy on the device: read and written."""
    source, target = backend().full((n,), 1, np.dtype(np.float32)), backend().empty((n,), np.dtype(np.float32))
    runs = {"copy": lambda: backend().runtime.cupy.copyto(target, source)}
    return 8 * n / measure(runs, wait)["copy"]


def elementwise(sizes: list[int], peak: float) -> Iterator[str]:
    rng = np.random.default_rng(0)
    for n in sizes:
        for dtype in ("float32", "bfloat16"):
            size = 4 if dtype == "float32" else 2
            runs = everyone(tanh_sigmoid, [rng.random(n, dtype=np.float32) for _ in range(3)], dtype, chain_by_hand)
            medians = measure(runs, wait)
            share = 9 * size * n / peak / medians["gpugrad"]
            yield row(f"chain, {n:.0e}, {dtype}", medians, f"{share:.0%} of the bandwidth of a copy; {launches(runs['gpugrad'])} launches")  # fmt: skip
            rows = max(1, n // 4096)
            arrays = [rng.standard_normal((rows, 4096), dtype=np.float32), rng.standard_normal(4096, dtype=np.float32)]
            runs = everyone(gelu_tanh, arrays, dtype, None)
            medians = measure(runs, wait)
            # what must move: x is read forward and backward, its gradient written; that of the bias reads x once more
            share = 3 * size * rows * 4096 / peak / medians["gpugrad"]
            yield row(f"gelu + bias, {rows} x 4096, {dtype}", medians, f"{share:.0%} of the bandwidth of a copy; {launches(runs['gpugrad'])} launches")  # fmt: skip


def reductions(total: int, peak: float) -> Iterator[str]:
    torch = installed("torch")
    for length in (10**2, 10**4, 10**6):
        for shape, axis, name in (
            ((max(1, total // length), length), 1, "rows of"),
            ((length, max(1, total // length)), 0, "columns of"),
        ):
            x = gg.ones(shape, dtype="float32")
            gg.wait(x)
            given = x.cupy()
            runs: dict[str, Run] = {
                "gpugrad": lambda x=x, axis=axis: x.sum(axis),
                "cupy": lambda given=given, axis=axis: given.sum(axis),
            }
            if torch is not None:
                theirs = torch.ones(shape, device="cuda")
                runs["torch eager"] = lambda theirs=theirs, axis=axis: theirs.sum(axis)
            medians = measure(runs, wait)
            yield row(
                f"sum of {name} {length:.0e}",
                medians,
                f"{4 * x.size / peak / medians['gpugrad']:.0%} of the bandwidth of a copy",
            )
    x = gg.ones((total,), dtype="float32")
    gg.wait(x)
    given = x.cupy()
    runs = {"gpugrad": lambda: x.sum(), "cupy": lambda: given.sum()}
    if torch is not None:
        theirs = torch.ones((total,), device="cuda")
        runs["torch eager"] = lambda: theirs.sum()
    medians = measure(runs, wait)
    yield row(f"sum of {total:.0e}", medians, f"{4 * total / peak / medians['gpugrad']:.0%} of the bandwidth of a copy")


def overhead() -> Iterator[str]:
    rng = np.random.default_rng(0)
    arrays = [rng.random(10) for _ in range(2)]
    runs = everyone(lambda m, x, y: thousand_ops(m, x, y).sum(), arrays, "float64", None)
    runs = {k: v for k, v in runs.items() if k in ("gpugrad", "torch eager")}
    medians = measure(runs, wait)
    yield row("1,100 small ops", medians, ", ".join(f"{k} {v / OPS * 1e6:.1f} µs per op" for k, v in medians.items()))
    params = [gg.tensor(rng.random(250_000, dtype=np.float32), requires_grad=True) for _ in range(20)]
    for p in params:
        p.grad = gg.ones_like(p)
    runs = {"gpugrad": gg.optim.Adam(params).step}
    torch = installed("torch")
    if torch is not None:
        theirs = [torch.rand(250_000, device="cuda", requires_grad=True) for _ in params]
        for t in theirs:
            t.grad = torch.ones_like(t)
        runs["torch fused"] = torch.optim.Adam(theirs, fused=True).step
    yield row("Adam, 5 million in 20", measure(runs, wait), f"{launches(runs['gpugrad'])} launch")


def first_calls(count: int) -> str:
    """How long a structure that was never seen takes, forward and backward; and again from the folder, by a new process's eyes."""
    with tempfile.TemporaryDirectory() as folder:
        import os

        os.environ["GPUGRAD_CACHE_DIR"] = folder
        cache.folder.cache_clear()

        def one(k: int) -> float:
            x, y = (gg.tensor(np.full(1000, 0.5, "float32"), requires_grad=True) for _ in range(2))
            wait()
            start = time.perf_counter()
            h = x * y
            for bit in range(6):
                h = gg.tanh(h) if k >> bit & 1 else gg.sin(h) * y
            (h * h).sum().backward()
            wait()
            return time.perf_counter() - start

        first = one(62)
        times = [one(k) for k in range(count)]
        gg.plans.plan.plans.clear()
        backend().runtime.forget()
        again = [one(k) for k in range(count)]
        cache.folder.cache_clear()
        del os.environ["GPUGRAD_CACHE_DIR"]
    return (
        f"A new structure, forward and backward: median {statistics.median(times) * 1e3:.0f} ms over {count} (the first in the "
        f"process {first * 1e3:.0f} ms); from the folder {statistics.median(again) * 1e3:.1f} ms."
    )


def main(rehearse: bool = False) -> str:
    """Measure, write the report, and return it."""
    if gpus.why_no_cuda() and not rehearse:
        sys.exit(f"there is no GPU to measure on: {gpus.why_no_cuda()}")
    gg.set_default_device("cuda")
    sizes, total, count = ([2000], 10_000, 2) if rehearse else ([10**7, 10**8], 10**8, 24)
    if rehearse:
        global ROUNDS, TURN
        ROUNDS, TURN = 1, 0.0
    peak = bandwidth(10**4 if rehearse else 10**8) if not rehearse else 1e12
    rows: list[str] = []
    for part in (elementwise(sizes, peak), reductions(total, peak), overhead()):
        for line in part:
            rows.append(line)
            print(line, flush=True)
    found = [f"gpugrad {gg.__version__}", f"numpy {np.__version__}", f"cupy {backend().xp.__version__}"]
    found += [f"{m} {sys.modules[m].__version__}" for m in ("torch", "jax") if m in sys.modules]
    report = "\n".join(
        [
            "# On a GPU",
            "",
            f"{datetime.date.today()}, {backend().runtime.describe()}, Python {platform.python_version()}, {', '.join(found)}.",
            "",
            "Forward and backward, medians, libraries in turn in one run. In brackets: gpugrad's time over theirs, so that less",
            f"than 1 means gpugrad is faster. A copy on the device moves {peak / 1e9:,.0f} GB/s; a fraction of it counts the bytes that",
            "must move: inputs read forward and backward, gradients written.",
            "",
            "| workload | gpugrad | the others | |",
            "| --- | --- | --- | --- |",
            *rows,
            "",
            first_calls(count),
            "",
        ]
    )
    if not rehearse:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / "cuda.md").write_text(report, encoding="utf-8")
    return report


if __name__ == "__main__":
    print(main("--rehearse" in sys.argv))
    print(f"NVRTC {nvrtc.version()}")
