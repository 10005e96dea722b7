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
from workloads import JaxNames, normalized, tanh_sigmoid, thousand_ops

import gpugrad as gg
from gpugrad.backends import kernel_cache as cache
from gpugrad.backends.cuda import nvrtc
from gpugrad.base import gpus

RESULTS = Path(__file__).parent / "results"
ROUNDS, TURN = 7, 0.1  # how often each library has its turn, and the seconds of one
COMPILED = True  # whether torch.compile is measured, which takes its time to compile
BY_CUPY = True  # whether CuPy's own functions are: an emulated GPU has none
TABLE = "| workload | gpugrad | the others | |"
OPS = 1100  # what thousand_ops calls
PROFILED = 10  # calls
Run = Callable[[], Any]


def settings(rounds: int, turn: float, compiled: bool = True, by_cupy: bool = True) -> None:
    """Measure in fewer and shorter turns, or fewer libraries."""
    global ROUNDS, TURN, COMPILED, BY_CUPY
    ROUNDS, TURN, COMPILED, BY_CUPY = rounds, turn, compiled, by_cupy


def backend() -> Any:
    return gg.get_device("cuda").backend


def installed(name: str) -> Any:
    """A module, if it is there and sees the GPU."""
    try:
        module = __import__(name)
        if name == "torch":
            return module if module.cuda.is_available() else None
        return module if any(d.platform == "gpu" for d in module.devices()) else None
    except (ImportError, RuntimeError):  # the second: JAX, whose plugin finds something missing
        return None


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


def on_device(run: Run) -> float:
    """Seconds that a call spends in kernels, as the profiler of PyTorch counts them; 0 where that is not installed."""
    torch = installed("torch")
    if torch is None:
        return 0.0
    wait()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as found:
        for _ in range(PROFILED):
            run()
        backend().synchronize()
        torch.cuda.synchronize()
    return sum(e.self_device_time_total for e in found.key_averages()) / PROFILED / 1e6


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
    if by_hand is not None and dtype == "float32" and BY_CUPY:
        given = [t.detach().cupy() for t in ours]
        runs["cupy, op by op"] = lambda: by_hand(backend().xp, *given)
    torch = installed("torch")
    if torch is not None:
        theirs = [torch.tensor(a, device="cuda").to(getattr(torch, dtype)).requires_grad_() for a in arrays]

        def step(g: Any) -> Run:
            def run() -> None:
                for t in theirs:
                    t.grad = None
                g(*theirs).backward()

            return run

        runs["torch eager"] = step(lambda *ts: f(torch, *ts))
        if COMPILED:
            torch._dynamo.reset()  # each workload is compiled for its own shapes
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


def row(name: str, medians: dict[str, float], floor: float, runs: dict[str, Run], note: str = "") -> str:
    """A line of the table. floor: the seconds in which a copy moves the bytes that must be moved; 0 where they matter little."""
    ours = medians["gpugrad"]
    cells = ", ".join(f"{k} {v * 1e3:.3f} ms ({ours / v:.2f})" for k, v in medians.items() if k != "gpugrad")
    notes = [note] if note else []
    if floor:
        notes.append(f"{floor / ours:.0%} of the bandwidth of a copy")
    count = launches(runs["gpugrad"])
    notes.append(f"{count} launch{'es' if count != 1 else ''}")
    inside = {k: on_device(runs[k]) for k in ("gpugrad", "torch eager", "jax jit") if k in runs}
    if inside["gpugrad"]:  # what is left is what a call costs on the host
        notes.append("in kernels " + ", ".join(f"{k} {v * 1e6:.0f} µs" for k, v in inside.items()))
    return f"| {name} | {ours * 1e3:.3f} ms | {cells} | {'; '.join(notes)} |"


def bandwidth(n: int) -> float:
    """Bytes per second of a copy on the device: read and written."""
    source, target = backend().full((n,), 1, np.dtype(np.float32)), backend().empty((n,), np.dtype(np.float32))
    runs = {"copy": lambda: backend().runtime.cupy.copyto(target, source)}
    return 8 * n / measure(runs, wait)["copy"]


def chain(n: int, dtype: str, peak: float) -> str:
    """The chain on n elements, forward and backward."""
    rng = np.random.default_rng(0)
    runs = everyone(tanh_sigmoid, [rng.random(n, dtype=np.float32) for _ in range(3)], dtype, chain_by_hand)
    # three inputs are read forward and backward, their gradients written
    return row(f"chain, {n:.0e}, {dtype}", measure(runs, wait), 9 * SIZES[dtype] * n / peak, runs)


def gelu(n: int, dtype: str, peak: float) -> str:
    """GELU of n elements in rows of 4096 plus a bias, forward and backward."""
    rng = np.random.default_rng(0)
    rows = max(1, n // 4096)
    arrays = [rng.standard_normal((rows, 4096), dtype=np.float32), rng.standard_normal(4096, dtype=np.float32)]
    runs = everyone(gelu_tanh, arrays, dtype, None)
    # x is read forward and backward, its gradient written; that of the bias reads x once more
    return row(f"gelu + bias, {rows} x 4096, {dtype}", measure(runs, wait), 3 * SIZES[dtype] * rows * 4096 / peak, runs)


def of_rows(name: str, runs: dict[str, Run], count: int, peak: float) -> str:
    """A line for what reduces rows: its floor is one that reads the table once and writes its gradient once."""
    return row(name, measure(runs, wait), 8 * count / peak, runs)


def cross_entropy(rows: int, classes: int, peak: float) -> str:
    """Softmax cross entropy of float32 logits with integer classes, its mean and gradient."""
    rng = np.random.default_rng(0)
    logits, labels = rng.standard_normal((rows, classes), dtype=np.float32), rng.integers(0, classes, rows)
    given, torch, jax = gg.tensor(labels), installed("torch"), installed("jax")
    theirs = torch.tensor(labels, device="cuda") if torch is not None else None
    placed = jax.numpy.asarray(labels) if jax is not None else None

    def f(m: Any, x: Any) -> Any:
        if m is gg:
            return gg.nn.functional.cross_entropy(x, given)
        if m is torch and torch is not None:
            return torch.nn.functional.cross_entropy(x, theirs)
        return -jax.numpy.take_along_axis(jax.nn.log_softmax(x), placed[:, None], 1).mean()

    runs = everyone(f, [logits], "float32", None)
    return of_rows(f"cross entropy, {rows} x {classes}", runs, logits.size, peak)


def layer_norm(rows: int, width: int, peak: float) -> str:
    """Layer norm with weight and bias, and its gradients in all three."""
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(s, dtype=np.float32) for s in ((rows, width), (width,), (width,))]
    torch, jax = installed("torch"), installed("jax")

    def f(m: Any, x: Any, w: Any, b: Any) -> Any:
        if m is torch and torch is not None:
            return torch.nn.functional.layer_norm(x, (width,), w, b).sum()
        return normalized(gg if m is gg else jax.numpy, x, w, b, (-1,))

    return of_rows(f"layer norm, {rows} x {width}", everyone(f, arrays, "float32", None), arrays[0].size, peak)


def batch_norm(shape: tuple[int, ...], peak: float) -> str:
    """Batch norm in training, and its gradients."""
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(s, dtype=np.float32) for s in (shape, (1, shape[1], 1, 1), (1, shape[1], 1, 1))]
    torch, jax = installed("torch"), installed("jax")

    def f(m: Any, x: Any, w: Any, b: Any) -> Any:
        if m is torch and torch is not None:
            return torch.nn.functional.batch_norm(x, None, None, w.ravel(), b.ravel(), True).sum()
        return normalized(gg if m is gg else jax.numpy, x, w, b, (0, 2, 3))

    name = f"batch norm, {' x '.join(map(str, shape))}"
    return of_rows(name, everyone(f, arrays, "float32", None), arrays[0].size, peak)


SIZES = {"float32": 4, "bfloat16": 2}


def elementwise(sizes: list[int], peak: float) -> Iterator[str]:
    for n in sizes:
        for dtype in SIZES:
            yield chain(n, dtype, peak)
            yield gelu(n, dtype, peak)


def tables(scale: int, peak: float) -> Iterator[str]:
    yield cross_entropy(16384 // scale, 1000, peak)
    yield layer_norm(16384 // scale, 1024, peak)
    yield batch_norm((64, 64, 64 // scale, 64), peak)


def total(shape: tuple[int, ...], axis: int | None, name: str, peak: float) -> str:
    """A sum, forward only."""
    x = gg.ones(shape, dtype="float32")
    gg.wait(x)
    runs: dict[str, Run] = {"gpugrad": lambda: x.sum(axis).cupy()}  # which computes it
    if BY_CUPY:
        given = x.cupy()
        runs["cupy"] = lambda: given.sum(axis)
    torch = installed("torch")
    if torch is not None:
        theirs = torch.ones(shape, device="cuda")
        runs["torch eager"] = lambda: theirs.sum(axis)
    return row(f"sum of {name}", measure(runs, wait), 4 * x.size / peak, runs)


def reductions(size: int, peak: float) -> Iterator[str]:
    for length in (10**2, 10**4, 10**6):
        other = max(1, size // length)
        yield total((other, length), 1, f"rows of {length:.0e}", peak)
        yield total((length, other), 0, f"columns of {length:.0e}", peak)
    yield total((size,), None, f"{size:.0e}", peak)


def small_ops() -> str:
    """The overhead per op."""
    rng = np.random.default_rng(0)
    arrays = [rng.random(10) for _ in range(2)]
    runs = everyone(lambda m, x, y: thousand_ops(m, x, y).sum(), arrays, "float64", None)
    medians = measure({k: v for k, v in runs.items() if k in ("gpugrad", "torch eager")}, wait)
    per_op = ", ".join(f"{k} {v / OPS * 1e6:.1f} µs per op" for k, v in medians.items())
    return row("1,100 small ops", medians, 0, runs, per_op)


def adam(count: int, size: int) -> str:
    """A step of Adam over parameters of one size."""
    rng = np.random.default_rng(0)
    params = [gg.tensor(rng.random(size, dtype=np.float32), requires_grad=True) for _ in range(count)]
    for p in params:
        p.grad = gg.ones_like(p)
    runs: dict[str, Run] = {"gpugrad": gg.optim.Adam(params).step}
    torch = installed("torch")
    if torch is not None:
        theirs = [torch.rand(size, device="cuda", requires_grad=True) for _ in params]
        for t in theirs:
            t.grad = torch.ones_like(t)
        runs["torch fused"] = torch.optim.Adam(theirs, fused=True).step
    return row(f"Adam, {count} x {size:.0e}", measure(runs, wait), 0, runs)


def training_step(batch: int, width: int) -> str:
    """A step of training, AdamW's with it: two hidden layers, classes as labels."""
    rng = np.random.default_rng(0)
    images, labels = rng.random((batch, 784), dtype=np.float32), rng.integers(0, 10, batch)
    sizes = (784, width, width, 10)
    net = gg.nn.Sequential(*(layer for k, size in enumerate(sizes[1:]) for layer in (gg.nn.Linear(sizes[k], size), gg.nn.ReLU())[: 2 - (k == 2)]))  # fmt: skip
    optimizer = gg.optim.AdamW(net.parameters(), lr=1e-4)
    given = gg.tensor(images)

    def step() -> None:
        optimizer.zero_grad()
        gg.nn.functional.cross_entropy(net(given), labels).backward()
        optimizer.step()

    runs: dict[str, Run] = {"gpugrad": step}
    torch = installed("torch")
    if torch is not None:
        nn = torch.nn
        other = nn.Sequential(nn.Linear(784, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 10)).cuda()  # fmt: skip
        adamw = torch.optim.AdamW(other.parameters(), lr=1e-4, fused=True)
        tx, ty = torch.tensor(images, device="cuda"), torch.tensor(labels, device="cuda")

        def their_step() -> None:
            adamw.zero_grad()
            nn.functional.cross_entropy(other(tx), ty).backward()
            adamw.step()

        runs["torch eager"] = their_step
    return row(f"training step, {batch} x 784, width {width}", measure(runs, wait), 0, runs)


def overhead(scale: int = 1) -> Iterator[str]:
    yield small_ops()
    yield adam(20, 250_000 // scale)
    yield training_step(256 // scale, 1024 // scale)


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
    sizes, size, count, scale = ([2000], 10_000, 2, 64) if rehearse else ([10**7, 10**8], 10**8, 24, 1)
    if rehearse:
        settings(1, 0.0, by_cupy=False)
    peak = bandwidth(10**4 if rehearse else 10**8) if not rehearse else 1e12
    rows: list[str] = []
    for part in (elementwise(sizes, peak), tables(scale, peak), reductions(size, peak), overhead(scale)):
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
            TABLE,
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
