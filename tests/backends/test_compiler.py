"""The compiler, the folder of compiled kernels, and what happens where either is missing or broken."""

from __future__ import annotations

import math
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import ROOT

from gpugrad.backends import kernel_cache as cache
from gpugrad.backends.cpu import compiler

pytestmark = [
    pytest.mark.usefixtures("on_cpu"),
    pytest.mark.skipif(not compiler.compiler(), reason="no C++ compiler on this machine"),
]

PROGRAM = "import gpugrad as gg; x = gg.tensor([1.0, 2.0], requires_grad=True); y = (gg.tanh(x * 3) * x).sum(); y.item(); y.backward(); print(x.grad.tolist())"
EXPECTED = [math.tanh(3 * x) + 3 * x * (1 - math.tanh(3 * x) ** 2) for x in (1.0, 2.0)]


def python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A fresh process; its environment is this one's with changes, an empty value taking a variable away."""
    merged = {k: v for k, v in {**os.environ, **environment}.items() if v}
    return subprocess.run(
        [sys.executable, "-c", code], env=merged, capture_output=True, text=True, check=False, cwd=ROOT
    )


def right(text: str) -> bool:
    found = [float(x) for x in text.strip().strip("[]").split(",") if x]
    return len(found) == 2 and all(math.isclose(a, b, rel_tol=1e-14) for a, b in zip(found, EXPECTED, strict=True))


def kernels(folder: Path) -> list[Path]:
    return sorted((folder / "kernels").glob("*.so"))


def test_a_second_process_compiles_nothing(tmp_path: Path) -> None:
    settings = {"GPUGRAD_CPU": "native", "GPUGRAD_CACHE_DIR": str(tmp_path)}
    first = python(PROGRAM, **settings)
    assert right(first.stdout), first.stderr
    made = kernels(tmp_path)
    assert len(made) == 3  # the driver, forward, backward
    before = [p.stat().st_ino for p in made]
    second = python("import gpugrad.backends.cpu.compiler as c; c._compile = None\n" + PROGRAM, **settings)
    assert second.stdout == first.stdout, second.stderr
    assert [p.stat().st_ino for p in kernels(tmp_path)] == before


def test_the_folder_is_its_owners_alone(tmp_path: Path) -> None:
    python(PROGRAM, GPUGRAD_CPU="native", GPUGRAD_CACHE_DIR=str(tmp_path))
    folder = tmp_path / "kernels"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert all(not stat.S_IMODE(p.stat().st_mode) & 0o077 for p in kernels(tmp_path))
    assert not list(folder.glob("build-*"))
    folder.chmod(0o777)
    python(PROGRAM, GPUGRAD_CPU="native", GPUGRAD_CACHE_DIR=str(tmp_path))
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.parametrize("damage", ["truncated", "empty", "flipped", "foreign", "appended"])
def test_damaged_files_are_compiled_again(tmp_path: Path, damage: str) -> None:
    settings = {"GPUGRAD_CPU": "native", "GPUGRAD_CACHE_DIR": str(tmp_path)}
    python(PROGRAM, **settings)
    made = kernels(tmp_path)
    good = [p.read_bytes() for p in made]
    for n, p in enumerate(made):
        content = bytearray(good[n])
        if damage == "truncated":
            del content[len(content) // 2 :]
        elif damage == "empty":
            content.clear()
        elif damage == "flipped":
            content[len(content) // 2] ^= 1
        elif damage == "appended":
            content += b"x"
        else:
            content = bytearray(good[n - 1])  # intact, but of another key
        p.write_bytes(content)
    again = python(PROGRAM, **settings)
    assert right(again.stdout), again.stderr
    assert all(cache.intact(p) for p in made)


def test_the_folder_stays_within_its_limit(tmp_path: Path) -> None:
    code = (
        "import gpugrad as gg, gpugrad.backends.kernel_cache as c; c.LIMIT = 200_000; c.TRIM_EVERY = 1\n"
        "for k in range(12):\n  t = gg.ones(3)\n  for _ in range(k): t = gg.sin(t)\n  (t + 1).tolist()\n"
    )
    done = python(code, GPUGRAD_CPU="native", GPUGRAD_CACHE_DIR=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert 0 < sum(p.stat().st_size for p in kernels(tmp_path)) <= 200_000


def test_other_flags_are_other_kernels(tmp_path: Path) -> None:
    settings = {"GPUGRAD_CPU": "native", "GPUGRAD_CACHE_DIR": str(tmp_path)}
    python(PROGRAM, **settings)
    before = set(kernels(tmp_path))
    done = python(PROGRAM, GPUGRAD_CXXFLAGS="-O1", **settings)
    assert right(done.stdout), done.stderr
    assert len(set(kernels(tmp_path)) - before) == 3


def test_sixty_processes_at_once_on_an_empty_folder(tmp_path: Path) -> None:
    environment = {**os.environ, "GPUGRAD_CPU": "native", "GPUGRAD_CACHE_DIR": str(tmp_path), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", PROGRAM]
    running = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
        for _ in range(60)
    ]
    results = [p.communicate() for p in running]
    assert all(p.returncode == 0 for p in running), next(err for _, err in results if err)
    assert all(right(out) for out, _ in results)
    assert len(kernels(tmp_path)) == 3
    assert not list((tmp_path / "kernels").glob("build-*"))


def test_without_a_compiler(tmp_path: Path) -> None:
    nothing = {"PATH": str(tmp_path), "CXX": "", "GPUGRAD_CACHE_DIR": str(tmp_path)}
    done = python(f"for _ in range(20):\n  {PROGRAM}", GPUGRAD_CPU="auto", **nothing)
    assert all(right(line) for line in done.stdout.splitlines()), done.stderr
    assert len(done.stdout.splitlines()) == 20
    done = python(PROGRAM, GPUGRAD_CPU="native", **nothing)
    assert "DeviceError: plans cannot be compiled: no C++ compiler was found on the path" in done.stderr
    assert "GPUGRAD_CPU=auto or numpy" in done.stderr
    done = python("import gpugrad.__main__ as m; m.main(['info'])", GPUGRAD_CPU="", **nothing)
    assert "no C++ compiler was found" in done.stdout


def test_a_compiler_that_is_named_but_missing_or_broken(tmp_path: Path) -> None:
    settings = {"GPUGRAD_CPU": "native", "GPUGRAD_CACHE_DIR": str(tmp_path)}
    done = python(PROGRAM, CXX="no-such-compiler", **settings)
    assert "CXX is 'no-such-compiler', and there is no such program" in done.stderr
    false = shutil.which("false")
    done = python(PROGRAM, CXX=str(false), **settings)
    assert f"the C++ compiler '{false}' does not work" in done.stderr
    fake = tmp_path / "fake"
    fake.write_text("#!/bin/sh\nif [ \"$1\" = --version ]; then echo fake 1.0; else echo 'it broke' >&2; exit 1; fi\n")
    fake.chmod(0o700)
    done = python(PROGRAM, CXX=str(fake), **settings)
    assert "a plan could not be compiled" in done.stderr
    assert "it broke" in done.stderr
    assert "gg_drive" in done.stderr  # the text that failed
    done = python(PROGRAM, GPUGRAD_CXXFLAGS="-no-such-flag", **settings)
    assert "no-such-flag" in done.stderr


def test_a_compiler_with_arguments(tmp_path: Path) -> None:
    command = f"{compiler.compiler()[0]} -g0"
    done = python(PROGRAM, CXX=command, GPUGRAD_CPU="native", GPUGRAD_CACHE_DIR=str(tmp_path))
    assert right(done.stdout), done.stderr


def test_a_folder_that_cannot_be_used(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    done = python(PROGRAM, GPUGRAD_CPU="native", GPUGRAD_CACHE_DIR=str(file))
    assert f"GPUGRAD_CACHE_DIR is '{file}'" in done.stderr
    # the user's own folder: kernels are then kept as long as the process lives
    done = python(PROGRAM, GPUGRAD_CPU="native", GPUGRAD_CACHE_DIR="", XDG_CACHE_HOME=str(file), HOME=str(file))
    assert right(done.stdout), done.stderr


def test_a_setting_that_is_none() -> None:
    done = python(PROGRAM, GPUGRAD_CPU="fast")
    assert (
        "config.cpu = 'fast': expected one of 'auto', 'native', 'numpy' (it was read from the environment"
        in done.stderr
    )
    done = python("import gpugrad.__main__ as m; raise SystemExit(m.main(['info']))", GPUGRAD_CPU="fast")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


def test_a_timeout_is_an_error_with_the_text(tmp_path: Path) -> None:
    slow = tmp_path / "slow"
    slow.write_text('#!/bin/sh\nif [ "$1" = --version ]; then echo slow 1.0; else exec sleep 60; fi\n')
    slow.chmod(0o700)
    code = "import gpugrad.backends.cpu.compiler as c; c.TIMEOUT = 0.5\n" + PROGRAM
    done = python(code, CXX=str(slow), GPUGRAD_CPU="native", GPUGRAD_CACHE_DIR=str(tmp_path))
    assert "no end after" in done.stderr
    assert "gg_drive" in done.stderr


def test_a_child_process_after_use(tmp_path: Path) -> None:
    """fork with threads and a loaded kernel: the child starts threads of its own."""
    code = (
        "import os, sys, gpugrad as gg\ngg.config.threads = 2\n"
        "def f(): return gg.tanh(gg.ones(400_000) * 0.5).sum().item()\n"
        "before = f()\npid = os.fork()\n"
        "if pid == 0:\n  os._exit(0 if f() == before else 1)\n"
        "print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), f() == before)"
    )
    done = python(code, GPUGRAD_CPU="native", GPUGRAD_CACHE_DIR=str(tmp_path))
    assert done.stdout.strip() == "0 True", done.stderr


def test_what_builds_but_does_not_load_is_not_kept(tmp_path: Path) -> None:
    settings = {"GPUGRAD_CPU": "native", "GPUGRAD_CACHE_DIR": str(tmp_path)}
    done = python(PROGRAM, GPUGRAD_CXXFLAGS="-c", **settings)
    assert "GPUGRAD_CXXFLAGS='-c' may be the cause" in done.stderr
    assert not kernels(tmp_path)
    true = shutil.which("true")
    done = python(PROGRAM, CXX=str(true), **settings)
    assert "InternalError" in done.stderr
    assert f"CXX='{true}' may be the cause" in done.stderr


def test_commands_that_cannot_be_read_or_run(tmp_path: Path) -> None:
    settings = {"GPUGRAD_CPU": "native", "GPUGRAD_CACHE_DIR": str(tmp_path)}
    done = python(PROGRAM, CXX="g++ 'x", **settings)
    assert 'CXX is "g++ \'x", which cannot be read as a command line: No closing quotation' in done.stderr
    done = python(PROGRAM, GPUGRAD_CXXFLAGS="'", **settings)
    assert 'GPUGRAD_CXXFLAGS is "\'"' in done.stderr
    text = tmp_path / "text"
    text.write_text("no program")
    text.chmod(0o700)
    done = python(PROGRAM, CXX=str(text), **settings)
    assert f"the C++ compiler '{text}' does not work" in done.stderr


def test_a_folder_that_is_cleared_away_meanwhile(tmp_path: Path) -> None:
    code = f"import shutil\n{PROGRAM}\nshutil.rmtree({str(tmp_path / 'kernels')!r})\nprint((gg.ones(3) * 2).tolist())"
    done = python(code, GPUGRAD_CPU="native", GPUGRAD_CACHE_DIR=str(tmp_path))
    assert done.stdout.splitlines()[1] == "[2.0, 2.0, 2.0]", done.stderr


def test_a_named_compiler_that_is_missing_is_said_once_under_auto() -> None:
    code = f"import warnings; warnings.simplefilter('always')\nfor _ in range(40):\n  {PROGRAM}"
    done = python(code, GPUGRAD_CPU="auto", CXX="no-such-compiler")
    assert (
        done.stderr.count(
            "RuntimeWarning: NumPy runs all plans from now on, which is slower: CXX is 'no-such-compiler'"
        )
        == 1
    )
    assert len(done.stdout.splitlines()) == 40


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
def test_a_temporary_folder_is_its_makers(tmp_path: Path) -> None:
    """A forked child that ends does not take it away; and where it is gone, another is made under a name of its own."""
    file = tmp_path / "file"
    file.write_text("")
    code = (
        f"import os, sys, shutil\nfrom gpugrad.backends import kernel_cache as c\n{PROGRAM}\nf = c.folder()\n"
        "sys.stdout.flush()\nif os.fork() == 0: sys.exit(0)\nos.wait()\nassert f.exists()\n"
        "shutil.rmtree(f); os.mkdir(f); os.chmod(f, 0o777)\n(gg.ones(3) * 2).tolist()\n"
        "assert not list(f.glob('*.so')) and c.folder() != f and c.folder().stat().st_mode & 0o77 == 0; print('good')"
    )
    done = python(code, GPUGRAD_CPU="native", GPUGRAD_CACHE_DIR="", XDG_CACHE_HOME=str(file), HOME=str(file))
    assert done.stdout.splitlines()[1:] == ["good"], done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_forked_child_that_ends_leaves_the_folder_its_parent_builds_in(tmp_path: Path) -> None:
    script = """
import os, sys, threading
from pathlib import Path
from gpugrad.backends import kernel_cache
begun, ended = threading.Event(), threading.Event()
def build(place):
    begun.set()
    ended.wait()
    (place / "made").write_text("")
    return b"content"
found = []
thread = threading.Thread(target=lambda: found.append(kernel_cache.obtain("name.so", build)))
thread.start()
begun.wait()
if os.fork() == 0:
    sys.exit()  # as any child ends: with what the interpreter does at its end
os.wait()
ended.set()
thread.join()
print(found[0].name, list(Path(sys.argv[1], "kernels").glob("build-*")))
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script, str(tmp_path)], capture_output=True, text=True, timeout=60, check=False, cwd=ROOT,
        env={**os.environ, "GPUGRAD_CACHE_DIR": str(tmp_path)},
    )  # fmt: skip
    assert done.stdout == "name.so []\n", done.stderr
