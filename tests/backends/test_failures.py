"""A full disk, a limit, a broken compiler, a folder that cannot be written: training goes on, or says clearly why not."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers import ROOT

from gpugrad.backends import kernel_cache as cache
from gpugrad.backends.cpu import compiler
from gpugrad.base import errors

pytestmark = [
    pytest.mark.usefixtures("on_cpu"),
    pytest.mark.skipif(not compiler.compiler(), reason="no C++ compiler on this machine"),
]

TRAIN = """
import warnings
warnings.simplefilter("always")
import gpugrad as gg
x = gg.tensor([1.0, 2.0], requires_grad=True)
for k in range(40):
    loss = (gg.tanh(x * 3) * x).sum() if k % 2 else gg.sin(x).sum()
    loss.backward()
    with gg.no_grad():
        x -= 0.01 * x.grad
    x.grad = None
print("trained", x.tolist())
"""


def train(before: str, folder: Path | str, mode: str = "auto", **environment: str) -> subprocess.CompletedProcess[str]:
    """A training loop in a fresh process; before: what it does first."""
    changed = {"GPUGRAD_CPU": mode, "GPUGRAD_CACHE_DIR": str(folder), **environment}
    merged = {k: v for k, v in {**os.environ, **changed}.items() if v}
    code = f"{before}\n{TRAIN}"
    return subprocess.run(
        [sys.executable, "-c", code], env=merged, capture_output=True, text=True, check=False, cwd=ROOT
    )


def limit(size: int) -> str:
    """No file may be larger: what a full disk does as well, but for the number of the error."""
    return f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))"


def no_disk_space(function: str) -> str:
    return (
        "import errno, os, gpugrad.backends.kernel_cache as c, gpugrad.backends.cpu.compiler as comp\n"
        "def full(*a, **k): raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))\n"
        f"{function} = full"
    )


NOEXEC = (
    "import gpugrad.backends.cpu.compiler as c\n"
    "def refused(path): raise OSError(f'{path}: failed to map segment from shared object')\nc.ctypes.CDLL = refused"
)


def fake(folder: Path, script: str) -> str:
    """A compiler that has a version, and does this otherwise."""
    path = folder / "fake"
    path.write_text(f'#!/bin/sh\nif [ "$1" = --version ]; then echo fake 1.0; exit; fi\n{script}\n')
    path.chmod(0o700)
    return str(path)


def a_file(folder: Path) -> Path:
    (folder / "file").write_text("")
    return folder / "file"


CASES: dict[str, tuple[Callable[[Path, str], subprocess.CompletedProcess[str]], str]] = {
    "no file may have a byte": (lambda p, m: train(limit(0), p, m), "File too large"),
    "the text fits, the library does not": (lambda p, m: train(limit(12_000), p, m), "ulimit -f"),
    "no space for a folder": (lambda p, m: train(no_disk_space("c.tempfile.mkdtemp"), p, m), "No space left on device"),
    "no space for the text": (lambda p, m: train(no_disk_space("comp.Path.write_text"), p, m), "No space left on device"),
    "no space for the library": (lambda p, m: train(no_disk_space("c.Path.open"), p, m), "No space left on device"),
    "no permission to move it": (lambda p, m: train(no_disk_space("c.Path.replace"), p, m), "could not be kept"),
    "nothing can be loaded from the folder": (lambda p, m: train(NOEXEC, p, m), "mounted noexec"),
    "the compiler finds no space": (
        lambda p, m: train("", p, m, CXX=fake(p, "echo 'fatal: No space left on device' >&2; exit 1")),
        "No space left on device",
    ),
    "the compiler is ended": (lambda p, m: train("", p, m, CXX=fake(p, "kill -9 $$")), "ended by signal 9"),
    "the compiler has no version": (lambda p, m: train("", p, m, CXX="false"), "does not work"),
    "a compiler that cannot be read": (lambda p, m: train("", p, m, CXX="g++ 'x"), "cannot be read as a command line"),
    "flags that cannot be read": (lambda p, m: train("", p, m, GPUGRAD_CXXFLAGS="'"), "GPUGRAD_CXXFLAGS is"),
    "a named folder that is a file": (lambda p, m: train("", a_file(p), m), "GPUGRAD_CACHE_DIR is"),
    "no temporary folder either": (
        lambda p, m: train(no_disk_space("c.tempfile.mkdtemp"), "", m, HOME=str(a_file(p)), XDG_CACHE_HOME=str(p / "file")),
        "No space left on device",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_under_auto_numpy_goes_on_and_says_so_once(name: str, tmp_path: Path) -> None:
    run, why = CASES[name]
    done = run(tmp_path, "auto")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("trained")
    assert done.stderr.count("Warning") == 1, done.stderr
    assert "RuntimeWarning: NumPy runs all plans from now on, which is slower: " in done.stderr
    assert why in done.stderr
    assert "GPUGRAD_C" in done.stderr  # what to do: GPUGRAD_CPU=numpy, or another GPUGRAD_CACHE_DIR


@pytest.mark.parametrize("name", CASES)
def test_under_native_it_is_an_error_of_our_own(name: str, tmp_path: Path) -> None:
    run, why = CASES[name]
    done = run(tmp_path, "native")
    assert done.returncode == 1
    last = done.stderr[done.stderr.rindex("\ngpugrad.base.errors.") :]
    assert "DeviceError: " in last
    assert why in last


def test_a_text_that_does_not_compile_is_a_bug_that_does_not_stop_training(tmp_path: Path) -> None:
    """Only the program in question is run by NumPy: the driver, and the other program, are compiled."""
    code = (
        "import gpugrad.codegen.cpp as c\nkernel = c.kernel\n"
        "def broken(program): return kernel(program) + ('this is no C' if 'gg_tanh' in kernel(program) else '')\nc.kernel = broken"
    )
    done = train(code, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("Warning") == 1, done.stderr
    assert "NumPy runs the plan from now on" in done.stderr
    assert "please report it with the text that GPUGRAD_CPU=native shows" in done.stderr
    assert "The compiler says:" in done.stderr
    assert len(list((tmp_path / "kernels").glob("*.so"))) >= 3
    done = train(code, tmp_path, "native")
    assert "InternalError: a plan could not be compiled" in done.stderr
    assert "this is no C" in done.stderr


def test_a_compiler_that_takes_forever_is_asked_once(tmp_path: Path) -> None:
    script = f"echo asked >> {tmp_path / 'asked'}; exec sleep 60"
    done = train("import gpugrad.backends.cpu.compiler as c; c.TIMEOUT = 0.5", tmp_path, CXX=fake(tmp_path, script))
    assert done.returncode == 0, done.stderr
    assert "no end after" in done.stderr
    assert (tmp_path / "asked").read_text() == "asked\n"


def test_info_tells_what_does_not_work(tmp_path: Path) -> None:
    code = "import gpugrad.__main__ as m; raise SystemExit(m.main(['info']))"
    for environment, why in (
        ({"GPUGRAD_CACHE_DIR": str(a_file(tmp_path))}, "GPUGRAD_CACHE_DIR is"),
        ({"CXX": "g++ 'x"}, "CXX is"),
    ):
        done = subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, **environment}, capture_output=True, text=True, check=False, cwd=ROOT
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert f"not available: {why}" in done.stdout
        assert "  memory  " in done.stdout  # the last line


def directory(path: Path) -> None:
    path.mkdir()
    (path / "something").write_text("of somebody")


def dangling(path: Path) -> None:
    path.symlink_to(path.parent / "nowhere")


def closed(path: Path) -> None:
    path.write_bytes(b"x")
    path.chmod(0)


def endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


def huge(path: Path) -> None:
    with path.open("wb") as f:
        f.truncate(1 << 40)  # takes no room, but reading it would


ODD = [directory, os.mkfifo, dangling, closed, endless, huge]


@pytest.mark.parametrize("odd", ODD, ids=lambda f: f.__name__)
def test_something_else_under_the_name_of_a_kernel(odd: Callable[[Path], None], tmp_path: Path) -> None:
    """Another name is taken, where it cannot be replaced, and found again by the next process."""
    mode = "auto" if odd is directory else "native"
    train("", tmp_path, mode)
    names = sorted(p.name for p in (tmp_path / "kernels").glob("*.so"))
    assert names
    for n in names:
        (tmp_path / "kernels" / n).unlink()
        odd(tmp_path / "kernels" / n)
    for lock in (tmp_path / "kernels").glob("lock-*"):
        lock.unlink()
        odd(lock)
    done = train("", tmp_path, mode)
    assert done.stdout.startswith("trained"), done.stderr
    assert not done.stderr
    again = train("import gpugrad.backends.cpu.compiler as c; c._compile = None", tmp_path, mode)
    assert again.stdout == done.stdout, again.stderr
    if odd is directory:
        assert all((tmp_path / "kernels" / n / "something").read_text() for n in names)


def test_all_names_taken_is_an_error_that_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "folder", lambda: tmp_path)
    tmp_path.chmod(0o700)
    for name in ("k.so", *(f"{n}-k.so" for n in range(1, cache.NAMES))):
        directory(tmp_path / name)
    with pytest.raises(errors.DeviceError, match="could not be kept"):
        cache.obtain("k.so", lambda place: b"content")


def test_a_binary_for_a_gpu_is_used_where_it_cannot_be_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "folder", lambda: tmp_path)
    tmp_path.chmod(0o700)
    made: list[int] = []

    def build() -> bytes:
        made.append(1)
        return b"binary"

    assert cache.obtain_content("a.cubin", build) == b"binary"
    assert cache.obtain_content("a.cubin", build) == b"binary"
    assert len(made) == 1
    monkeypatch.setattr(cache, "_make", lambda names, build: (build(tmp_path), os.stat(tmp_path / "no" / "such"))[1])
    monkeypatch.setattr(cache, "_said", iter([0, 1]))
    with pytest.warns(RuntimeWarning, match="cannot be kept"):
        assert cache.obtain_content("b.cubin", build) == b"binary"
    assert cache.obtain_content("c.cubin", build) == b"binary"  # said once: a second warning would be an error
    assert len(made) == 3
