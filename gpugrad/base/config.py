"""Settings: `gg.config.fuse`, `gg.config.debug`, `gg.config.threads`, and the grad mode of each thread."""

from __future__ import annotations

import os

from . import errors, gpus

MAX_OPS = 64  # ops in one region
MAX_INPUTS = 24  # array inputs of one region: as many as a CUDA kernel can safely take
MAX_HEAVY_INPUTS = 8  # array inputs once together they would hold more than HEAVY_BYTES
HEAVY_BYTES = 64 << 20
EXECUTORS = ("auto", "native", "numpy")  # who runs plans on the CPU
_CPU = f"one of {', '.join(map(repr, EXECUTORS))}"
PLAN_CACHE = 2048  # structures whose plans are kept, least recently used out first


class Config:
    """The settings that a user may change while a program runs.

    fuse: int
        The most ops that one region may hold, 1 to 64 (default 64). ``fuse=1`` is eager execution: every op is its
        own region, computed when it is called. No result depends on it.
    debug: int
        0 (default): no checks. 1: results and gradients are checked for NaN and infinity as they are computed, and
        the op and the line that made one are named; arrays given to ``gg.asarray`` are checked for later changes.
    device: str
        Where new tensors go (default: ``GPUGRAD_DEVICE``, else "cuda:0" where CuPy and a working GPU are found, else
        "cpu"). ``with gg.device(...)`` goes before it.
    cpu: str
        Who runs plans on the CPU: "numpy", "native" (compiled; an error without a C++ compiler), or "auto" (default:
        ``GPUGRAD_CPU``), which compiles a plan at its 16th run, or when it comes to 2**24 operations on elements.
    tf32: bool
        Whether matrix products of float32 on a GPU may round their operands to 10 bits (TF32), which is several times
        faster (default False).
    threads: int
        Threads that large plans on the CPU may use; the default is ``GPUGRAD_NUM_THREADS``, else the number of CPUs
        that this process may use. No result depends on it.

    >>> import gpugrad as gg
    >>> gg.config.fuse
    64
    """

    __slots__ = (
        "_cpu",
        "_debug",
        "_device",
        "_fuse",
        "_noting",
        "_tf32",
        "_threads",
    )

    def __init__(self) -> None:
        self._device = ""  # not asked yet
        self._fuse = MAX_OPS
        self._debug = 0
        self._noting = 0  # reasons to note with every op where it was called: debugging, and modules being called
        self._tf32 = False
        self._threads = 0  # 0: not asked yet
        self._cpu = ""  # not asked yet
        for name in ("fuse", "debug"):
            text = os.environ.get(f"GPUGRAD_{name.upper()}")
            if text:
                setattr(self, name, _integer(name, text))

    @property
    def fuse(self) -> int:
        return self._fuse

    @fuse.setter
    def fuse(self, value: int) -> None:
        if not isinstance(value, int) or not 1 <= value <= MAX_OPS:
            raise errors.bad_config("fuse", value, f"an integer from 1 to {MAX_OPS}")
        self._fuse = value

    @property
    def debug(self) -> int:
        return self._debug

    @debug.setter
    def debug(self, value: int) -> None:
        if value not in (0, 1):
            raise errors.bad_config("debug", value, "0 or 1")
        self._noting += int(value) - self._debug
        self._debug = int(value)

    @property
    def device(self) -> str:
        if not self._device:
            self.device = os.environ.get("GPUGRAD_DEVICE") or gpus.best_device()
        return self._device

    @device.setter
    def device(self, value: str) -> None:
        self._device = gpus.device_name(value)

    @property
    def cpu(self) -> str:
        if not self._cpu:
            text = os.environ.get("GPUGRAD_CPU") or "auto"
            if text not in EXECUTORS:
                raise errors.bad_config("cpu", text, f"{_CPU} (it was read from the environment, GPUGRAD_CPU)")
            self.cpu = text
        return self._cpu

    @cpu.setter
    def cpu(self, value: str) -> None:
        if value not in EXECUTORS:
            raise errors.bad_config("cpu", value, _CPU)
        self._cpu = value

    @property
    def tf32(self) -> bool:
        return self._tf32

    @tf32.setter
    def tf32(self, value: bool) -> None:
        if not isinstance(value, bool):
            raise errors.bad_config("tf32", value, "True or False")
        self._tf32 = value

    @property
    def threads(self) -> int:
        if not self._threads:
            text = os.environ.get("GPUGRAD_NUM_THREADS")
            self.threads = (
                _integer("threads", text)
                if text
                else len(os.sched_getaffinity(0))
                if hasattr(os, "sched_getaffinity")
                else os.cpu_count() or 1
            )
        return self._threads

    @threads.setter
    def threads(self, value: int) -> None:
        if not isinstance(value, int) or value < 1:
            raise errors.bad_config("threads", value, "a positive integer")
        self._threads = value

    def __repr__(self) -> str:
        return (
            f"Config(fuse={self.fuse}, debug={self.debug}, device={self.device!r}, cpu={self.cpu!r}, "
            f"tf32={self.tf32}, threads={self.threads})"
        )


def _integer(name: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise errors.bad_config(name, text, "an integer (it was read from the environment)") from None


config = Config()
