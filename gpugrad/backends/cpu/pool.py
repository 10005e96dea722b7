"""A pool of large host buffers: `gg.memory`.

The system gives a large buffer as pages that it has to clear, one by one, when they are first touched; at ten million
elements that takes as long as the arithmetic. So large buffers that are no longer used are kept and given out again.
"""

from __future__ import annotations

import math
import os
import sys
import threading
import weakref
from typing import Any

import numpy as np

from ...base import errors
from ...base.forks import survive_fork
from ...base.shapes import DType, Shape

SMALLEST = 1 << 19  # bytes: the C library keeps smaller ones itself
ALIGNMENT = 64


class Lease(np.ndarray):
    """The memory of one pooled buffer; when the last array that uses it is gone, it goes back to the pool."""


class MemoryPool:
    """The large buffers that gpugrad has allocated on the host: those in use, and those kept for the next use.

    `gg.memory` is the only one. Its methods have the names of CuPy's memory pool. Buffers below 512 KiB are left to the
    C library; so are arrays that NumPy makes itself.

    >>> import gpugrad as gg
    >>> gg.memory.free_all_blocks()
    >>> x = gg.ones(1_000_000) + 1
    >>> gg.wait(x)
    >>> gg.memory.used_bytes() >= 8_000_000
    True
    >>> del x
    >>> gg.memory.free_bytes() >= 8_000_000
    True
    """

    def __init__(self) -> None:
        self._free: dict[int, list[bytearray]] = {}
        self._sizes = [0, 0]  # in use, free
        self._lock = threading.RLock()  # a buffer may come back in the middle of anything
        survive_fork(self._lock)
        self._limit = _physical() // 8

    def used_bytes(self) -> int:
        """The bytes of pooled buffers that arrays use."""
        return self._sizes[0]

    def free_bytes(self) -> int:
        """The bytes of buffers that are kept for the next use."""
        return self._sizes[1]

    def total_bytes(self) -> int:
        """The bytes of both."""
        return self._sizes[0] + self._sizes[1]

    def get_limit(self) -> int:
        """The most bytes that are kept for the next use."""
        return self._limit

    def set_limit(self, size: int) -> None:
        """Keep at most `size` bytes for the next use (default: an eighth of the machine's memory); 0 keeps nothing.

        Raises InputError for a size that is not a number of bytes.

        >>> import gpugrad as gg
        >>> gg.memory.set_limit(gg.memory.get_limit())
        """
        if not isinstance(size, int) or size < 0:
            raise errors.bad_value("memory.set_limit", f"{size!r} is not a number of bytes: expected an integer >= 0.")
        with self._lock:
            self._limit = size
            self._shrink(size)

    def free_all_blocks(self) -> None:
        """Give the buffers that are not in use back to the system."""
        with self._lock:
            self._free.clear()
            self._sizes[1] = 0

    def __repr__(self) -> str:
        used, free = (n / 2**20 for n in self._sizes)
        return f"MemoryPool(used={used:.1f} MiB, free={free:.1f} MiB, limit={self._limit / 2**20:.0f} MiB)"

    def empty(self, shape: Shape, dtype: DType) -> Any:
        """An uninitialized C-contiguous array; a large one in memory of the pool."""
        size = math.prod(shape) * dtype.itemsize
        if size < SMALLEST:
            return np.empty(shape, dtype)
        step = 1 << (size.bit_length() - 5)  # a buffer is at most a sixteenth larger than what is asked for
        size = -(-size // step) * step
        with self._lock:
            kept = self._free.get(size)
            block = kept.pop() if kept else None
            if block is not None:
                self._sizes[1] -= size
            self._sizes[0] += size
        if block is None:
            block = self._allocate(size)
        start = -np.frombuffer(block, np.uint8, 1).ctypes.data % ALIGNMENT
        lease = Lease((size,), np.uint8, block, start)
        weakref.finalize(lease, self._return, block, size).atexit = False
        return np.ndarray(shape, dtype, lease)

    def _allocate(self, size: int) -> bytearray:
        try:
            try:
                return bytearray(size + ALIGNMENT)
            except MemoryError:
                self.free_all_blocks()  # what is kept is of another size
                return bytearray(size + ALIGNMENT)
        except (MemoryError, OverflowError):
            with self._lock:
                self._sizes[0] -= size
            raise MemoryError(
                f"no memory for a buffer of {size:,} bytes; gpugrad's arrays use {self._sizes[0]:,} bytes. Let go of tensors, or use "
                f"smaller ones."
            ) from None

    def _return(self, block: bytearray, size: int) -> None:
        with self._lock:
            self._sizes[0] -= size
            if size <= self._limit:
                self._shrink(self._limit - size)
                self._free.setdefault(size, []).append(block)
                self._free[size] = self._free.pop(size)  # the size last given back comes last
                self._sizes[1] += size

    def _shrink(self, limit: int) -> None:
        """Let go of kept buffers until no more than `limit` bytes are left, sizes long unused first."""
        while self._sizes[1] > limit:
            size = next(iter(self._free))
            blocks = self._free[size]
            if blocks:
                blocks.pop()
                self._sizes[1] -= size
            if not blocks:
                del self._free[size]


def _physical() -> int:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return 8 << 30


def is_whole(array: Any) -> bool:
    """True for an array that is not a view of another one."""
    return array.base is None or type(array.base) is Lease


memory = MemoryPool()


def _calibrate() -> int:
    """References to an array that only its owner holds, as the `sole_owner` of a backend sees them."""
    counts: list[int] = []

    class Probe:
        def sole_owner(self, array: Any) -> None:
            counts.append(sys.getrefcount(array))

    class Owner:
        array = np.empty(1)

    holder = Owner()
    holder.array = np.empty(1)
    Probe().sole_owner(holder.array)
    return counts[0] if not _free_threaded() else -1


def _free_threaded() -> bool:
    return not getattr(sys, "_is_gil_enabled", lambda: True)()


SOLE = _calibrate()
