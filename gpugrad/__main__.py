"""The command line: `gpugrad info` and `gpugrad demo`."""

from __future__ import annotations

import argparse
import importlib.metadata
import platform
import shutil
import sys
from collections.abc import Sequence

import numpy as np

from . import __version__, demo
from .backends import default_device, why_no_cuda
from .config import config
from .errors import GpugradError


def info() -> None:
    """Print versions, devices and executors and, where one is missing, why."""
    print(f"gpugrad      {__version__}")
    print(f"python       {platform.python_version()} on {platform.platform()}")
    print(f"numpy        {np.__version__}")
    for package in ("cupy", "scikit-learn", "tqdm", "matplotlib", "safetensors"):
        try:
            print(f"{package:<12} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            print(f"{package:<12} not installed")
    print(f"settings     fuse={config.fuse} debug={config.debug} threads={config.threads}")
    print("\ndevices")
    print(f"  cpu     available{', default' if default_device() == 'cpu' else ''}")
    print(f"  cuda    not available: {why_no_cuda()}")
    print("\nexecutors on the CPU")
    print("  numpy   in use: plans run as NumPy calls, in blocks, on the threads above")
    found = shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")
    compiler = f"a compiler was found ({found})" if found else "no C++ compiler was found"
    print(f"  native  not part of this version: plans are not compiled yet; {compiler}")


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
        info()
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
