"""A small thread pool for work that drops the GIL. Made on first use, and again in a forked child."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

_pool: ThreadPoolExecutor | None = None
_size = 0


def _forget() -> None:
    global _pool
    _pool = None  # a child inherits no threads: the pool it sees is an empty shell


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def _get(size: int) -> ThreadPoolExecutor:
    global _pool, _size
    if _pool is None or _size < size:
        _pool, _size = ThreadPoolExecutor(size, thread_name_prefix="gpugrad"), size
    return _pool


def share(work: Callable[[Iterator[Any]], None], items: list[Any], threads: int) -> None:
    """Run `work` on up to `threads` threads, the caller's among them; they draw from one iterator over `items`."""
    if threads <= 1 or len(items) <= 1:
        return work(iter(items))
    supply = iter(items)  # next() on a list iterator is atomic
    pool = _get(threads - 1)
    futures: list[Future[None]] = [pool.submit(work, supply) for _ in range(min(threads, len(items)) - 1)]
    try:
        work(supply)
    finally:
        for _ in supply:  # an error or an interrupt here: leave the others nothing more to do
            pass
        wait(futures)  # their buffers must not be let go while they write
    for f in futures:
        f.result()
