"""The command line: `gpugrad info`, `demo`, `explain` and `graph`."""

from __future__ import annotations

import argparse
import importlib.metadata
import io
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence

import numpy as np

from . import __version__, autograd
from .backends.cpu import backend as cpu
from .backends.cpu import native
from .backends.cpu.pool import memory
from .backends.devices import default_device, get_device
from .base import errors
from .base.config import config
from .base.errors import GpugradError
from .base.gpus import device_count, why_no_cuda
from .cli import demo
from .cli.expression import check_name, compute
from .explanation import explain
from .functions.creation import tensor
from .tensor import Tensor


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


def _variables(given: Sequence[str]) -> dict[str, Tensor]:
    """What "x=2" and the like say: leaves by name."""
    found: dict[str, Tensor] = {}
    for text in given:
        name, sign, value = text.partition("=")
        name = name.strip()
        if not sign:
            raise errors.bad_value("variable", f"{text!r} is not of the form name=number.")
        why = check_name(name) or ("it is given twice" if name in found else "")
        if why:
            raise errors.bad_value("variable", f"{text!r}: {why}.")
        try:
            number = float(value)
        except ValueError:
            raise errors.bad_value("variable", f"{text!r}: {value!r} is not a number.") from None
        found[name] = tensor(number, requires_grad=True, name=name)
    return found


def _result(expression: str, variables: Mapping[str, Tensor]) -> Tensor:
    f = compute(expression, variables)
    return f if isinstance(f, Tensor) else tensor(f)


SMALL = 60  # nodes: the graph is printed
EXPLAINED = 8  # variables with their chain rule; fewer in a large graph
LISTED = 40  # more variables with their derivative alone


def explain_expression(expression: str, given: Sequence[str]) -> None:
    """Print the chain rule of an expression for its variables, and its graph as Mermaid text: a few screens at most, which say what
    they leave out."""
    variables = _variables(given)
    f = _result(expression, variables)
    graph = f.graph()
    leaves = graph.leaves if f.requires_grad else []
    used = {name: x for name, x in variables.items() if any(n.value is x._value for n in leaves)}
    small = len(graph) <= SMALL
    result = graph.root.label if used else "f"
    explained = list(used)[: EXPLAINED if small else max(1, EXPLAINED * SMALL // len(graph))]
    for k, name in enumerate(explained):
        found = explain(f, used[name], max_paths=16 if small else 4)
        if k == 0:
            print(f"{found.given()}\n")
        print(f"{found.chain_rule()}\n")
    if not explained:
        print(f"{result} = {f.item():.6g}\n")
    others = [name for name in used if name not in explained]
    sent = autograd.grad(f, [used[name] for name in others], allow_unused=True) if others else ()
    lines = []
    for name, g in zip(others, sent, strict=True):
        value = 0.0 if g is None else g.item()  # None: only through ops whose derivative is 0
        lines.append(f"∂{result}/∂{name} = {value:.6g} (by backward; give it first to see its paths)")
    lines += [
        f"∂{result}/∂{name} = 0: the expression does not depend on {name}" for name in variables if name not in used
    ]
    for line in lines[:LISTED]:
        print(f"{line}\n")
    if len(lines) > LISTED:
        print(f"... {len(lines) - LISTED} more variables, not shown ...\n")
    if small:
        print(graph.to_mermaid())
    else:
        print(f"the graph has {len(graph)} nodes, too many to print: `gpugrad graph` with `-o graph.html` draws it")


def draw_expression(expression: str, given: Sequence[str], out: str) -> None:
    """Write the picture of an expression's graph."""
    graph = _result(expression, _variables(given)).graph()
    graph.save(out)
    print(f"{graph!r}; wrote {out}")


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
    for name, what in (("explain", "the chain rule of an expression"), ("graph", "a picture of an expression's graph")):
        example = f'gpugrad {name} "sin(x*y)" x=2 y=3. An expression that begins with - goes behind --.'
        job = commands.add_parser(name, help=what, epilog=f"Example: {example}")
        job.add_argument("expression", help="numbers, variables, operators, and functions of the op table")
        job.add_argument("variables", nargs="*", metavar="name=number", help="the values of its variables")
        if name == "graph":
            job.add_argument(
                "-o", "--out", default="graph.svg", help="svg, html, dot, mmd or png by its ending (default: graph.svg)"
            )
    for stream in (sys.stdout, sys.stderr):  # a terminal that has no ∂ shows something else
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    args = parser.parse_args(argv)
    if args.command == "demo" and args.epochs < 1:
        parser.error("--epochs must be at least 1")
    if args.command == "demo" and args.seed < 0:
        parser.error("--seed must not be negative")
    try:
        if args.command == "info":
            info()
        elif args.command == "demo":
            demo.run(args.out, args.seed, args.epochs, args.device)
        elif args.command == "explain":
            explain_expression(args.expression, args.variables)
        else:
            draw_expression(args.expression, args.variables, args.out)
    except KeyboardInterrupt:
        return 130
    except (GpugradError, OSError, ImportError, subprocess.CalledProcessError) as e:
        print(f"gpugrad {args.command}: {e}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
