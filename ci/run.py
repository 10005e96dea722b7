"""The two commands of the README, and what CI runs: `python ci/run.py demo` and `python ci/run.py test`.

Makes a virtual environment in .venv if there is none, installs what the command needs, and runs it. Needs Python 3.11
or newer and, the first time, the package registry; nothing else.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import time
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
EXTRAS = {"demo": "demo", "test": "dev", "bench": "dev,peers", "report": "dev,peers"}


def run(*command: str | Path, environment: dict[str, str] | None = None) -> None:
    """Run a command in the project's root; end with its status if it fails. environment: what is other than usual."""
    changes = environment or {}
    print(f"\n$ {' '.join([*(f'{k}={v}' for k, v in changes.items()), *map(str, command)])}", flush=True)
    start = time.perf_counter()
    process = subprocess.Popen([str(c) for c in command], cwd=ROOT, env={**os.environ, **changes})
    try:
        status = process.wait()
    except KeyboardInterrupt:  # the command got it, too, and ends by itself
        process.wait()
        status = 130
    if status:
        sys.exit(status)
    print(f"({time.perf_counter() - start:.0f} s)", flush=True)


def install(extra: str) -> None:
    """A virtual environment with the package (editable) and an extra; done again when pyproject.toml changes."""
    stamp = VENV / f".{extra.replace(',', '-')}"
    wanted = hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return
    if not PYTHON.exists():
        print(f"making a virtual environment in {VENV.name}", flush=True)
        venv.create(VENV, with_pip=True)
    run(PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-e", f".[{extra}]")
    stamp.write_text(wanted)


def wheel() -> None:
    """A wheel installs one package; the kernels and the types travel inside it."""
    with tempfile.TemporaryDirectory() as folder:
        run(PYTHON, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps", "-w", folder, ".")
        (path,) = Path(folder).glob("*.whl")
        names = zipfile.ZipFile(path).namelist()
        tops = {n.split("/")[0] for n in names if ".dist-info" not in n}
        assert tops == {"gpugrad"}, tops
        texts = (
            "prelude.h",
            "host.h",
            "layout.h",
            "sums.h",
            "host.cpp",
            "cuda.cuh",
            "reduce.cuh",
            "scan.cuh",
            "special.h",
        )
        assert {f"gpugrad/kernels/{name}" for name in texts} <= set(names)
        assert {"gpugrad/py.typed", "gpugrad/graph/page.html"} <= set(names)
        stubs = {f"gpugrad/{p.relative_to(ROOT / 'gpugrad').as_posix()}" for p in (ROOT / "gpugrad").rglob("*.pyi")}
        assert stubs
        assert stubs <= set(names)


def test(arguments: list[str]) -> None:
    """Lint, types, the wheel, and the whole suite three times.

    Once with every op in a region of its own, run by NumPy, on a path that has no compiler, without CuPy. Once fused and
    compiled, with CuPy, on a machine that need not have a GPU. Once on an emulated GPU, except for what takes hours there.
    """
    suite = [PYTHON, "-m", "pytest", "-n", str(os.cpu_count() or 1), "-q", *arguments]
    run(PYTHON, "-m", "ruff", "check", ".")
    run(PYTHON, "-m", "ruff", "format", "--check", ".")
    run(PYTHON, "-m", "mypy")
    wheel()
    run(*suite, "--cpu", "numpy", "--fuse", "1", environment={"PATH": str(PYTHON.parent), "CXX": ""})
    install("dev,emulated")
    kept = {"GPUGRAD_CACHE_DIR": str(ROOT / ".cache")}
    run(*suite, "--cpu", "native", environment=kept)
    run(*suite, "--device", "emulated", "-m", "not long_on_gpu", environment=kept)


def main() -> None:
    """Run the command named first on the command line."""
    if sys.version_info < (3, 11):  # noqa: UP036  # this file is run before anything has checked
        sys.exit(f"gpugrad needs Python 3.11 or newer; this is {sys.version.split()[0]}")
    command, *rest = sys.argv[1:] or [""]
    if command not in EXTRAS:
        sys.exit("usage: python ci/run.py demo|test|bench|report [arguments]")
    install(EXTRAS[command])
    if command == "demo":
        run(PYTHON, "-m", "gpugrad", "demo", *rest)
    elif command == "bench":
        run(PYTHON, "-m", "pytest", "benchmarks", "-q", "-p", "no:xdist", *rest)
    elif command == "report":
        run(PYTHON, "benchmarks/report.py", *rest)
    else:
        test(rest)


if __name__ == "__main__":
    main()
