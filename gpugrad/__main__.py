"""The command line: `gpugrad info` and `gpugrad demo`."""

from __future__ import annotations

import argparse
import importlib.metadata
import platform
import sys
from collections.abc import Sequence

import numpy as np

from . import __version__, demo
from .backends import cpu, default_device, device_count, get_device, native, why_no_cuda
from .buffers import memory
from .config import config
from .errors import GpugradError


def info() -> None:
    """Print versions, devices and executors and, where one is missing, why."""
    print(f"gpugrad      {__version__}")
    print(f"python       {platform.python_version()} on {platform.platform()}")
    print(f"numpy        {np.__version__}")
    for package in ("cupy-cuda13x", "cupy-cuda12x", "scikit-learn", "tqdm", "matplotlib", "safetensors"):
        try:
            print(f"{package:<12} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            if package == "cupy-cuda12x":  # one of the two is enough
                continue
            print(f"{package:<12} not installed")
    print(f"settings     fuse={config.fuse} debug={config.debug} threads={config.threads}")
    print("\ndevices")
    default = default_device()
    print(f"  cpu     available{', default' if default == 'cpu' else ''}")
    missing = why_no_cuda()
    if missing:
        print(f"  cuda    not available: {missing}")
    for n in range(device_count()):
        runtime = get_device(f"cuda:{n}").backend.runtime  # type: ignore[attr-defined]  # of the backend for GPUs
        print(f"  cuda:{n}  available{', default' if default == f'cuda:{n}' else ''}: {runtime.describe()}")
    print(f"\nexecutors on the CPU (GPUGRAD_CPU={config.cpu})")
    lines = native.describe()
    why = lines[0].startswith("not available")
    if why and config.cpu == "native":
        use = "not used: GPUGRAD_CPU=native asks for compiled plans, and running one is an error"
    elif config.cpu == "numpy" or why:
        use = "runs all plans, in blocks, on the threads above"
    elif config.cpu == "native":
        use = "runs plans of dtypes that C does not have"
    else:
        use = (
            f"runs a plan before its run number {cpu.RUNS}, and before it comes to {cpu.WORK:,} operations on elements"
        )
    print(f"  numpy   {use}")
    if not why:
        lines.insert(
            0,
            "runs plans after that" if config.cpu == "auto" else "runs plans" if config.cpu == "native" else "not used",
        )
    print("  native  " + "\n          ".join(lines))
    print(f"  memory  {memory}")


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="gpugrad", description="Automatic differentiation for NumPy and CuPy.")
    parser.add_argument("--version", action="version", version=f"gpugrad {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("info", help="versions, devices, executors and, where one is missing, why")
    job = commands.add_parser("demo", help="train a classifier on real handwritten digits")
    job.add_argument("--out", default="demo-out", help="folder for weights, plot and graph (default: demo-out)")
    job.add_argument("--seed", type=int, default=0, help="seed of weights, order and dropout (default: 0)")
    job.add_argument("--epochs", type=int, default=40, help="how often the data are seen (default: 40)")
    job.add_argument("--device", default=None, help="cpu or cuda (default: chosen automatically)")
    args = parser.parse_args(argv)
    if args.command == "info":
        try:
            info()
        except GpugradError as e:
            print(f"gpugrad info: {e}", file=sys.stderr)
            return 1
        return 0
    if args.epochs < 1:
        parser.error("--epochs must be at least 1")
    if args.seed < 0:
        parser.error("--seed must not be negative")
    try:
        demo.run(args.out, args.seed, args.epochs, args.device)
    except KeyboardInterrupt:
        return 130
    except (GpugradError, OSError, ImportError) as e:
        print(f"gpugrad demo: {e}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
