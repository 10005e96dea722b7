"""The system's C++ compiler.

What it makes is kept under a key made of the text, the flags, the compiler's version and the features of this CPU.
"""

from __future__ import annotations

import _ctypes
import contextlib
import ctypes
import functools
import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from ...base import errors
from .. import kernel_cache as cache

FLAGS = (
    "-std=c++17", "-O3", "-march=native", "-shared", "-fPIC", "-fvisibility=hidden", "-fno-exceptions", "-fno-rtti",
    # IEEE arithmetic as written: nothing contracted, nothing reordered; integers wrap, as in NumPy
    "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math", "-fwrapv", "-fopenmp-simd", "-w",
)  # fmt: skip
TIMEOUT = 120.0  # seconds that a compiler may take
NO_ROOM = (  # what compilers say (in English: LC_ALL is C for them) where not the text is to blame but the machine
    "No space left on device", "Disk quota exceeded", "File too large", "File size limit exceeded", "Read-only file system",
    "Cannot create temporary file", "unable to make temporary file", "Cannot allocate memory", "memory exhausted", "out of memory",
    "Killed signal terminated program",
)  # fmt: skip


def _words(variable: str) -> list[str]:
    value = os.environ.get(variable, "")
    try:
        return shlex.split(value)
    except ValueError as e:
        raise errors.DeviceError(
            f"{variable} is {value!r}, which cannot be read as a command line: {e!s}. Quote it as in a shell, or use GPUGRAD_CPU=numpy."
        ) from None


@functools.cache
def compiler() -> tuple[str, ...]:
    """The command of the C++ compiler: ``CXX``, else the first of c++, g++, clang++ on the path. Empty: there is none."""
    if os.name != "posix":
        return ()
    given = _words("CXX")
    for command in [given] if given else [["c++"], ["g++"], ["clang++"]]:
        found = shutil.which(command[0])
        if found:
            return (found, *command[1:])
    return ()


def why_none() -> str:
    """Why there is no compiler to use, in words."""
    if os.name != "posix":
        return f"plans are compiled on Linux and macOS, not on {platform.system()}"
    given = os.environ.get("CXX")
    if given:
        return f"CXX is {given!r}, and there is no such program"
    return "no C++ compiler was found on the path (c++, g++, clang++), and CXX is not set"


@functools.cache
def version() -> str:
    """The first line that the compiler says of itself."""
    command = [*compiler(), "--version"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=TIMEOUT, stdin=subprocess.DEVNULL, check=False
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as e:
        raise errors.compiler_broken(shlex.join(compiler()), str(e)) from None
    if done.returncode:
        raise errors.compiler_broken(shlex.join(compiler()), done.stderr.strip())
    return (done.stdout.splitlines() or [""])[0]


@functools.cache
def flags() -> tuple[str, ...]:
    """The flags that kernels are compiled with on this machine, and those of ``GPUGRAD_CXXFLAGS`` after them."""
    found = [*FLAGS]
    if sys.platform == "darwin" and platform.machine() == "arm64":
        found[found.index("-march=native")] = "-mcpu=native"
    if has_vector_library() and "clang" not in version():
        # What `where` needs only sometimes must stay where it is: in branches, calls and comparisons are not vectorized.
        found += ["-mprefer-vector-width=512", "-DGG_LIBMVEC", "-fno-tree-sink", "-fno-tree-pre"]
    return (*found, *_words("GPUGRAD_CXXFLAGS"))


@functools.cache
def has_vector_library() -> bool:
    """True on x86-64 with a glibc whose libmvec has every function that kernels call (2.35, of 2022)."""
    name, release = platform.libc_ver()
    with contextlib.suppress(ValueError):
        numbers = tuple(int(n) for n in release.split(".")[:2])
        return platform.machine() == "x86_64" and name == "glibc" and numbers >= (2, 35)
    return False


@functools.cache
def cpu() -> str:
    """What this processor can do: part of every key, since kernels are compiled for it alone."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").split("\n\n")[0]
    except OSError:
        return f"{platform.machine()} {platform.processor()}"
    kept = ("vendor_id", "cpu family", "model", "model name", "flags", "Features", "CPU part")
    lines = [line for line in text.splitlines() if line.split("\t")[0].split(":")[0].strip() in kept]
    return "\n".join([platform.machine(), *lines])


def key(text: str, more: tuple[str, ...] = ()) -> str:
    """The name of a library: a digest of all that it depends on."""
    parts = (text, "\0".join(compiler()), version(), "\0".join((*flags(), *more)), cpu())
    return hashlib.sha256("\0\0".join(parts).encode()).hexdigest()[:40]


def load(text: str, more: tuple[str, ...] = ()) -> ctypes.CDLL:
    """The library of a text, compiled if it is not there, with `more` flags after the usual ones.

    Raises InternalError with the text if it does not compile, and DeviceError where it is the machine that stands in the way.
    """
    name = f"{key(text, more)}.so"
    path = cache.obtain(name, lambda place: _compile(text, more, place))
    with contextlib.suppress(OSError):
        return ctypes.CDLL(str(path))
    cache.discard(path)  # made for another C library than is now there: compiled again
    path = cache.obtain(name, lambda place: _compile(text, more, place))
    try:
        return ctypes.CDLL(str(path))
    except OSError as e:  # it was loaded where it was built: a folder of a disk that is mounted noexec, say
        raise errors.no_storage("a compiled kernel could not be loaded", str(e)) from e


def _compile(text: str, more: tuple[str, ...], place: Path) -> bytes:
    source, target = place / "kernel.cpp", place / "kernel.so"
    source.write_text(text, encoding="utf-8")
    command = [*compiler(), *flags(), *more, str(source), "-o", str(target)]
    if "-DGG_LIBMVEC" in flags():
        command.append("-lmvec")
    command.append("-lm")
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=TIMEOUT, stdin=subprocess.DEVNULL, check=False,
            env={**os.environ, "LC_ALL": "C"},
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise errors.compile_failed(shlex.join(command), f"no end after {TIMEOUT:.0f} s", text) from None
    except OSError as e:
        raise errors.compiler_broken(shlex.join(compiler()), str(e)) from None
    if done.returncode:
        said = done.stderr.splitlines()
        cause = next((line for line in said if any(words in line for words in NO_ROOM)), "")
        if done.returncode < 0 and not cause:
            cause = f"it was ended by signal {-done.returncode}"
        if cause:
            raise errors.no_storage(f"the C++ compiler {shlex.join(compiler())!r} could not finish", cause.strip())
        raise errors.compile_failed(shlex.join(command), done.stderr, text)
    try:
        _ctypes.dlclose(ctypes.CDLL(str(target))._handle)
        return target.read_bytes()
    except OSError as e:  # it ended well, but there is no library, or none that can be loaded
        if "failed to map segment" in str(e):  # the text is not to blame: what lies in this folder cannot be run
            raise errors.no_storage(
                "a compiled kernel could not be loaded (is the disk mounted noexec?)", str(e)
            ) from e
        raise errors.compile_failed(shlex.join(command), f"{done.stderr}\n{e}", text) from None
