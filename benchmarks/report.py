"""Every workload, all libraries in turn in one run, medians of 9 rounds: the table in results/ and its plot.

Run it with `python3 ci/run.py report`. Turns of a few hundredths of a second mean that a noisy minute hits every
library alike; what is reported is a ratio within the run.
"""

from __future__ import annotations

import datetime
import platform
import statistics
import sys
import time
from pathlib import Path

import numpy as np
from workloads import OPS, WORKLOADS, bytes_moved, copy_bandwidth

import gpugrad as gg

RESULTS = Path(__file__).parent / "results"


ROUNDS = 9
TURN = 0.03  # seconds that a library runs before the next one's turn


def measure(runs: dict, rounds: int) -> dict[str, float]:
    """Median seconds per call and library: each in turn runs for a while, so that none pays for another's threads.

    (A library's threads go on spinning for a while after its call, and what it did fills the caches.)
    """
    calls: dict[str, int] = {}
    for name, run in runs.items():
        for _ in range(20):  # plans that run again and again are compiled; so are PyTorch's and JAX's
            run()
        start = time.perf_counter()
        run()
        calls[name] = max(2, int(TURN / (time.perf_counter() - start)))
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            run()
            start = time.perf_counter()
            for _ in range(calls[name]):
                run()
            times[name].append((time.perf_counter() - start) / calls[name])
    return {name: statistics.median(t) for name, t in times.items()}


def versions() -> str:
    found = [f"gpugrad {gg.__version__}", f"numpy {np.__version__}"]
    for name in ("torch", "jax", "autograd"):
        module = sys.modules.get(name)
        if module is not None:
            found.append(f"{name} {getattr(module, '__version__', '')}".strip())
    return ", ".join(found)


def cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def main() -> None:
    rows: list[str] = []
    table: dict[str, dict[str, float]] = {}
    for name, make in WORKLOADS.items():
        table[name] = medians = measure(make(), ROUNDS)
        ours = medians["gpugrad"]
        cells = ", ".join(f"{k} {v * 1e3:.3f} ms ({ours / v:.2f})" for k, v in medians.items() if k != "gpugrad")
        rows.append(f"| {name} | {ours * 1e3:.3f} ms | {cells} |")
        print(rows[-1], flush=True)
    copy = measure({"copy": copy_bandwidth()}, 9)["copy"]
    bandwidth = 8 * 10_000_000 / copy
    limit = bytes_moved(10**7) / bandwidth
    fraction = limit / table["chain, 10^7"]["gpugrad"]
    small = table["1,100 small ops"]
    lines = [
        "# Benchmark report",
        "",
        f"{datetime.date.today()}, {cpu()}, {gg.config.threads} threads, Python {platform.python_version()}, {versions()}.",
        "",
        "Forward and backward, medians, all libraries in turn in one run. In brackets: gpugrad's time over theirs, so",
        "that less than 1 means gpugrad is faster.",
        "",
        "| workload | gpugrad | the others |",
        "| --- | --- | --- |",
        *rows,
        "",
        "Overhead per op on 10 elements, forward and backward: "
        + ", ".join(f"{k} {v / OPS * 1e6:.1f} µs" for k, v in small.items())
        + ".",
        "",
        f"The chain at 10^7 must move {bytes_moved(10**7) / 1e6:.0f} MB; at the {bandwidth / 1e9:.1f} GB/s of a copy that is "
        f"{limit * 1e3:.1f} ms, {fraction:.0%} of what gpugrad takes.",
        "",
        "![time relative to gpugrad](cpu.png)",
        "",
    ]
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "cpu.md").write_text("\n".join(lines), encoding="utf-8")
    plot(table)
    print("\n".join(lines))


def plot(table: dict[str, dict[str, float]]) -> None:
    import matplotlib.pyplot as plt

    figure, axis = plt.subplots(figsize=(8, 10))
    colors: dict[str, str] = {}
    place, ticks = 0.0, []
    for medians in reversed(table.values()):
        others = [k for k in medians if k != "gpugrad"]
        ticks.append(place + (len(others) - 1) / 2)
        for library in reversed(others):
            color = colors.setdefault(library, f"C{len(colors)}")
            bar = axis.barh(place, medians[library] / medians["gpugrad"], color=color, height=0.9)
            axis.bar_label(bar, fmt="%.2g", fontsize=8, padding=2)
            place += 1
        place += 0.8
    axis.axvline(1, color="black", linewidth=1)
    axis.set_xscale("log")
    axis.set_yticks(ticks, list(reversed(table)))
    axis.set_xlabel("time / gpugrad's time")
    axis.set_title("Right of the line: slower than gpugrad (forward and backward)")
    axis.margins(x=0.08, y=0.01)
    handles = [plt.Rectangle((0, 0), 1, 1, color=c) for c in colors.values()]
    axis.legend(handles, colors, loc="upper center", bbox_to_anchor=(0.4, -0.05), ncol=4)
    figure.tight_layout()
    figure.savefig(RESULTS / "cpu.png", dpi=110)


if __name__ == "__main__":
    main()
