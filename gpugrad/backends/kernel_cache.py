"""The folder where compiled kernels are kept: one, for the CPU and the GPU.

A file is kept under a name made of all that it depends on. It is written to a private folder and moved into place, so
that any number of processes may do this at once; a digest at its end tells a damaged file from a good one, and a damaged
one is made again. Where something that cannot be replaced has the name, a folder say, the file gets another one.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import hashlib
import itertools
import os
import shutil
import stat
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from ..base import errors

LIMIT = 256 << 20  # bytes that the folder may hold; the least recently used go first
TRIM_EVERY = 32  # files made by a process: looking through a folder of thousands takes as long as making one
SUFFIXES = (".so", ".cubin")  # what is kept here: libraries for the CPU, and binaries for a GPU
NAMES = 4  # that are tried for a file, if something else has its name
_made = itertools.count()
_said = itertools.count()  # a process says once that nothing can be kept
_MARK = b"gpugrad\x01"  # between a file's content and its digest


@functools.cache
def folder() -> Path:
    """Where libraries are kept: ``GPUGRAD_CACHE_DIR``, else the user's cache folder. Readable by its owner alone.

    Where that cannot be written, or belongs to somebody else, a folder that lives as long as the process.
    """
    given = os.environ.get("GPUGRAD_CACHE_DIR")
    with contextlib.suppress(OSError, RuntimeError):  # a user without a home is a RuntimeError
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
        raise errors.DeviceError(
            f"GPUGRAD_CACHE_DIR is {given!r}, but compiled kernels cannot be kept there: it must be a folder that you own and "
            f"can write to."
        )
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


def obtain(name: str, build: Callable[[Path], bytes]) -> Path:
    """The intact file of this name; made if there is none. build: what makes its content, given a folder to work in.

    Raises DeviceError where it cannot be kept: no disk space, a limit on the size of files, a folder that cannot be written.
    """
    try:
        return _obtain(name, build)
    except OSError as e:
        raise errors.no_storage("a compiled kernel could not be kept", str(e)) from e


def obtain_content(name: str, build: Callable[[], bytes]) -> bytes:
    """The content of the file of this name, which is made if there is none; where it cannot be kept, it is just made."""
    made: list[bytes] = []

    def once(place: Path) -> bytes:
        made.append(build())
        return made[0]

    try:
        path = _obtain(name, once)
        return made[0] if made else path.read_bytes()[: -32 - len(_MARK)]
    except (OSError, errors.DeviceError) as e:
        result = made[0] if made else build()
        _say_once(str(e))
        return result


def _say_once(why: str) -> None:
    if next(_said) == 0:
        warnings.warn(
            f"kernels are compiled for this process alone, because they cannot be kept: {why} Make room, or name a folder that can be "
            f"written in GPUGRAD_CACHE_DIR.",
            RuntimeWarning,
            stacklevel=2,
        )


def _obtain(name: str, build: Callable[[Path], bytes]) -> Path:
    names = [name, *(f"{k}-{name}" for k in range(1, NAMES))]
    for n in names:
        if intact(folder() / n):
            return folder() / n
    if not _is_private(folder()):
        folder.cache_clear()  # somebody has cleared it away, or opened it to others: as at the start
    with _alone(name):
        for n in names:
            if intact(folder() / n):  # another process may have made it meanwhile
                return folder() / n
        path = _make(names, build)
    if next(_made) % TRIM_EVERY == 0:
        with contextlib.suppress(OSError):
            _trim()
    return path


def _make(names: Sequence[str], build: Callable[[Path], bytes]) -> Path:
    """Build a file and move it to the first of the names that can be had."""
    place = Path(tempfile.mkdtemp(prefix="build-", dir=folder()))
    try:  # not a TemporaryDirectory: a forked child that ends would remove that of its parent
        content = build(place)
        target = place / names[0]
        for name in names:
            with target.open("wb") as file:
                file.write(content + _MARK + _digest(content, name))
            target.chmod(0o700)
            try:
                target.replace(folder() / name)
            except OSError:
                if name == names[-1]:
                    raise
            else:
                return folder() / name
    finally:
        shutil.rmtree(place, ignore_errors=True)
    raise AssertionError("there is at least one name")


def intact(path: Path) -> bool:
    """True if a file is there as it was written."""
    try:
        state = path.stat()
        if not stat.S_ISREG(state.st_mode) or state.st_size > LIMIT:  # reading a pipe would never end
            return False
        content = path.read_bytes()
    except OSError:
        return False
    size = len(content) - 32 - len(_MARK)
    if size <= 0 or content[size:-32] != _MARK or content[-32:] != _digest(content[:size], path.name):
        return False
    with contextlib.suppress(OSError):
        os.utime(path)  # used just now
    return True


def discard(path: Path) -> None:
    """Take a file away that is of no use here."""
    with contextlib.suppress(OSError):
        path.unlink()


def _digest(content: bytes, name: str) -> bytes:
    return hashlib.sha256(name.encode() + content).digest()


@contextlib.contextmanager
def _alone(name: str) -> Iterator[None]:
    """One process at a time makes a file; the others wait and find it. (Where locks do not work, all make it.)"""
    try:
        import fcntl

        handle = os.open(folder() / f"lock-{name[:2]}", os.O_CREAT | os.O_RDWR, 0o600)
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


def _trim() -> None:
    """Keep the folder within its limit, and free of what a killed process has left."""
    found = []
    for entry in os.scandir(folder()):
        with contextlib.suppress(OSError):
            state = entry.stat()
            if entry.name.startswith("build-") and state.st_mtime < time.time() - 3600:
                shutil.rmtree(entry.path, ignore_errors=True)
            elif entry.name.endswith(SUFFIXES):
                found.append((state.st_mtime, state.st_size, entry.path))
    total = sum(size for _, size, _ in found)
    for _, size, path in sorted(found):
        if total <= LIMIT:
            break
        with contextlib.suppress(OSError):
            os.unlink(path)
            total -= size
