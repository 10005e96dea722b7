"""CUDA text to binaries, by NVRTC with flags of our own, kept in the one folder of compiled kernels.

CuPy's own compilation adds ``-ftz=true``, which makes subnormal numbers 0 on the GPU only, and contracts multiplications
and additions; here arithmetic is what the text says. No GPU is needed to compile.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import functools
import hashlib
import os
import threading
from typing import Any

from ...base import errors
from .. import kernel_cache as cache

FLAGS = (
    "-std=c++17", "--fmad=false", "--ftz=false", "--prec-div=true", "--prec-sqrt=true", "--device-int128",
    "--extra-device-vectorization",
)  # fmt: skip
WAITING = 256  # binaries kept in memory until they are asked for
WORKERS = 4  # kernels compiled at once: NVRTC drops the GIL


def _library() -> Any:
    from cupy.cuda import nvrtc

    return nvrtc


@functools.cache
def version() -> str:
    """The version of NVRTC, as in "13.0"."""
    return ".".join(map(str, _library().getVersion()))


def describe() -> str:
    """The version of NVRTC, or why there is none, in words."""
    try:
        return f"NVRTC {version()}"
    except (ImportError, OSError, RuntimeError) as e:
        return f"NVRTC cannot be loaded ({e}): install gpugrad[cuda13] or [cuda12], which bring it"


@functools.cache
def target(architecture: str) -> str:
    """What to compile for, so that a GPU of an architecture such as "80" can run it.

    That architecture, or an older one of its kind; for a GPU that is newer than NVRTC, text that its driver compiles.
    Raises DeviceError for one that is too old.
    """
    wanted = int(architecture)
    older = [a for a in _library().getSupportedArchs() if a <= wanted]
    if not older:
        raise errors.DeviceError(
            f"this GPU (sm_{architecture}) is too old for the compiler of CUDA {version()}: install gpugrad[cuda12] instead of "
            f"[cuda13], or use device='cpu'."
        )
    return f"{'sm' if max(older) // 10 == wanted // 10 else 'compute'}_{max(older)}"


def compile(text: str, architecture: str) -> tuple[bytes, str]:
    """The binary of a text for an architecture such as "80", and what the compiler said.

    Raises InternalError with the text if it does not compile.
    """
    library = _library()
    wanted = target(architecture)
    program = library.createProgram(text, "kernel.cu", (), ())
    try:
        library.compileProgram(program, (*FLAGS, f"-arch={wanted}"))
        made = library.getCUBIN(program) if wanted.startswith("sm") else library.getPTX(program)
        return made, library.getProgramLog(program).strip("\0\n ")
    except library.NVRTCError as e:
        log = library.getProgramLog(program).strip("\0\n ")
        raise errors.compile_failed(f"NVRTC {version()} for sm_{architecture}", log or str(e), text) from None
    finally:
        library.destroyProgram(program)


def binary(text: str, architecture: str) -> bytes:
    """The binary of a text: from the folder, or compiled and kept there, if that is possible."""
    parts = (text, "\0".join(FLAGS), architecture, version())
    name = hashlib.sha256("\0\0".join(parts).encode()).hexdigest()[:40] + ".cubin"
    return cache.obtain_content(name, lambda: compile(text, architecture)[0])


class Compiler:
    """Texts on their way to binaries, several at a time. A text that is asked for twice is compiled once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pool: concurrent.futures.ThreadPoolExecutor | None = None
        self._pending: dict[tuple[str, str], concurrent.futures.Future[bytes]] = {}
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._forget)

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._pool = None
        self._pending = {}

    def ask(self, text: str, architecture: str) -> None:
        """Start to compile a text that will be needed soon."""
        with self._lock:
            if (text, architecture) not in self._pending:
                if self._pool is None:
                    self._pool = concurrent.futures.ThreadPoolExecutor(WORKERS, "gpugrad-nvrtc")
                if len(self._pending) >= WAITING:  # announced, and never asked for
                    self._pending = {k: f for k, f in self._pending.items() if not f.done()}
                with contextlib.suppress(RuntimeError):  # the interpreter is ending: it is compiled when it is needed
                    self._pending[text, architecture] = self._pool.submit(binary, text, architecture)

    def take(self, text: str, architecture: str) -> bytes:
        """The binary of a text; waits for it if it is being compiled."""
        with self._lock:
            started = self._pending.pop((text, architecture), None)
        return started.result() if started is not None else binary(text, architecture)
