"""The system's C++ compiler, and the folder where what it has compiled is kept.

A library is kept under a key made of its text, the flags, the compiler's version and the features of this CPU. It is
written to a private folder and moved into place, so that any number of processes may do this at once; a digest at its
end tells a damaged file from a good one, and a damaged one is compiled again.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import functools
import hashlib
import itertools
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from .. import errors

FLAGS = (
    "-std=c++17", "-O3", "-march=native", "-shared", "-fPIC", "-fvisibility=hidden", "-fno-exceptions", "-fno-rtti",
    # IEEE arithmetic as written: nothing contracted, nothing reordered; integers wrap, as in NumPy
    "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math", "-fwrapv", "-fopenmp-simd", "-w",
)  # fmt: skip
TIMEOUT = 120.0  # seconds that a compiler may take
LIMIT = 256 << 20  # bytes that the folder may hold; the least recently used go first
TRIM_EVERY = 32  # libraries made by a process: looking through a folder of thousands takes as long as making one
_made = itertools.count()
_MARK = b"gpugrad\x01"  # between a library and its digest


def _words(variable: str) -> list[str]:
    value = os.environ.get(variable, "")
    try:
        return shlex.split(value)
    except ValueError as e:
        raise errors.bad_command(variable, value, str(e)) from None


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


@functools.cache
def folder() -> Path:
    """Where libraries are kept: ``GPUGRAD_CACHE_DIR``, else the user's cache folder. Readable by its owner alone.

    Where that cannot be written, or belongs to somebody else, a folder that lives as long as the process.
    """
    given = os.environ.get("GPUGRAD_CACHE_DIR")
    if given:
        path = Path(given)
    elif sys.platform == "darwin":
        path = Path.home() / "Library" / "Caches" / "gpugrad"
    else:
        path = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gpugrad"
    path = path.absolute() / "kernels"
    with contextlib.suppress(OSError):
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        if path.stat().st_uid == os.getuid():
            path.chmod(0o700)
    if _is_private(path):
        return path
    if given:
        raise errors.cache_folder(given)
    own = Path(tempfile.mkdtemp(prefix="gpugrad-"))
    atexit.register(_remove, own, os.getpid())
    _temporary.append(own)
    return own


_temporary: list[Path] = []


def _is_private(path: Path) -> bool:
    """True for a folder that is the user's, that nobody else can look into, and that can be written."""
    with contextlib.suppress(OSError):
        state = path.stat()
        return state.st_uid == os.getuid() and not state.st_mode & 0o077 and os.access(path, os.W_OK | os.X_OK)
    return False


def _remove(path: Path, owner: int) -> None:
    if os.getpid() == owner:  # not by a forked child, while its parent goes on
        shutil.rmtree(path, ignore_errors=True)


def is_temporary() -> bool:
    """True if compiled kernels are kept only as long as this process lives."""
    folder()
    return bool(_temporary)


def key(text: str, more: tuple[str, ...] = ()) -> str:
    """The name of a library: a digest of all that it depends on."""
    parts = (text, "\0".join(compiler()), version(), "\0".join((*flags(), *more)), cpu())
    return hashlib.sha256("\0\0".join(parts).encode()).hexdigest()[:40]


def load(text: str, more: tuple[str, ...] = ()) -> ctypes.CDLL:
    """The library of a text, compiled if it is not there, with `more` flags after the usual ones.

    Raises InternalError with the text if it does not compile.
    """
    name = key(text, more)
    path = folder() / f"{name}.so"
    library = _loaded(path, name)
    if library is None:
        if not _is_private(folder()):
            folder.cache_clear()  # somebody has cleared it away, or opened it to others: as at the start
            path = folder() / f"{name}.so"
        with _alone(name):
            library = _loaded(path, name)  # another process may have made it meanwhile
            if library is None:
                library = _compile(text, more, name, path)
    return library


def _loaded(path: Path, name: str) -> ctypes.CDLL | None:
    if _intact(path, name):
        with contextlib.suppress(OSError):  # made for another C library than is now there: compiled again
            return ctypes.CDLL(str(path))
    return None


def _digest(content: bytes, name: str) -> bytes:
    return hashlib.sha256(name.encode() + content).digest()


def _intact(path: Path, name: str) -> bool:
    try:
        content = path.read_bytes()
    except OSError:
        return False
    size = len(content) - 32 - len(_MARK)
    if size <= 0 or content[size:-32] != _MARK or content[-32:] != _digest(content[:size], name):
        return False
    with contextlib.suppress(OSError):
        os.utime(path)  # used just now
    return True


@contextlib.contextmanager
def _alone(name: str) -> Iterator[None]:
    """One process at a time compiles a text; the others wait and find it. (Where locks do not work, all compile it.)"""
    try:
        import fcntl

        handle = os.open(folder() / f"lock-{name[0]}", os.O_CREAT | os.O_RDWR, 0o600)
    except (ImportError, OSError):
        yield
        return
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        with contextlib.suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_UN)  # a forked child may have the handle, too
        os.close(handle)


def _compile(text: str, more: tuple[str, ...], name: str, path: Path) -> ctypes.CDLL:
    with tempfile.TemporaryDirectory(prefix="build-", dir=folder()) as place:
        source, target = Path(place, "kernel.cpp"), Path(place, "kernel.so")
        source.write_text(text, encoding="utf-8")
        command = [*compiler(), *flags(), *more, str(source), "-o", str(target)]
        if "-DGG_LIBMVEC" in flags():
            command.append("-lmvec")
        command.append("-lm")
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, errors="replace", timeout=TIMEOUT, stdin=subprocess.DEVNULL, check=False
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise errors.compile_failed(shlex.join(command), f"no end after {TIMEOUT:.0f} s", text) from None
        except OSError as e:
            raise errors.compiler_broken(shlex.join(compiler()), str(e)) from None
        if done.returncode:
            raise errors.compile_failed(shlex.join(command), done.stderr, text)
        try:
            content = target.read_bytes()
            library = ctypes.CDLL(str(target))
        except OSError as e:  # it ended well, but there is no library, or none that can be loaded
            raise errors.compile_failed(shlex.join(command), f"{done.stderr}\n{e}", text) from None
        with target.open("ab") as file:
            file.write(_MARK + _digest(content, name))
        target.chmod(0o700)
        target.replace(path)
    if next(_made) % TRIM_EVERY == 0:
        _trim()
    return library


def _trim() -> None:
    """Keep the folder within its limit, and free of what a killed process has left."""
    found = []
    for entry in os.scandir(folder()):
        with contextlib.suppress(OSError):
            state = entry.stat()
            if entry.name.startswith("build-") and state.st_mtime < time.time() - 3600:
                shutil.rmtree(entry.path, ignore_errors=True)
            elif entry.name.endswith(".so"):
                found.append((state.st_mtime, state.st_size, entry.path))
    total = sum(size for _, size, _ in found)
    for _, size, path in sorted(found):
        if total <= LIMIT:
            break
        with contextlib.suppress(OSError):
            os.unlink(path)
            total -= size
