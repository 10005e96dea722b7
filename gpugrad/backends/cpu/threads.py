"""A few threads for work that drops the GIL. Started on first use, and again in a forked child."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from typing import Any

Job = Callable[[], None]
_jobs: SimpleQueue[Job] = SimpleQueue()
_started = 0
_lock = threading.Lock()


def _forget() -> None:
    global _jobs, _started, _lock
    _jobs, _started, _lock = SimpleQueue(), 0, threading.Lock()  # a child inherits no threads


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def _serve(jobs: SimpleQueue[Job]) -> None:
    while True:
        job = jobs.get()
        job()
        del job  # what it holds must not live until the next one comes


def _start(count: int) -> None:
    global _started
    with _lock:
        while _started < count:
            thread = threading.Thread(target=_serve, args=(_jobs,), name=f"gpugrad-{_started + 1}", daemon=True)
            try:
                thread.start()
            except RuntimeError:  # the system has no more threads: those there are will do
                return
            _started += 1


class _Shared:
    """One piece of shared work: the supply that all threads draw from, and who is at it."""

    def __init__(self, work: Callable[[Iterator[Any]], None], items: list[Any]) -> None:
        self.work: Any = work
        self.supply: Any = iter(items)  # next() on a list iterator is atomic
        self.error: BaseException | None = None
        self.active = 0
        self.closed = False  # whoever comes now is too late
        self.lock = threading.Lock()
        self.idle = threading.Lock()  # released when the last helper leaves after closing
        self.idle.acquire()

    def help(self) -> None:
        with self.lock:
            if self.closed:
                return
            self.active += 1
        try:
            self.work(self.supply)
        except BaseException as e:
            self.error = e
        finally:
            with self.lock:
                self.active -= 1
                last = self.closed and self.active == 0
            if last:
                self.idle.release()

    def close(self) -> None:
        """Let nobody begin any more, and wait for those who have."""
        with self.lock:
            self.closed = True
            busy = self.active > 0
        if busy:
            self.idle.acquire()


def share(work: Callable[[Iterator[Any]], None], items: list[Any], threads: int) -> None:
    """Run `work` on up to `threads` threads, the caller's among them; they draw from one iterator over `items`.

    Returns, or raises, only when no other thread is at it: their buffers must not be let go while they write.
    """
    helpers = min(threads, len(items)) - 1
    if helpers < 1:
        return work(iter(items))
    if _started < helpers:
        _start(helpers)
    shared = _Shared(work, items)
    try:
        for _ in range(min(helpers, _started)):
            _jobs.put(shared.help)
        work(shared.supply)
    except BaseException as e:
        for _ in shared.supply:  # leave the others nothing more to do
            pass
        shared.error = e
    while True:
        try:
            shared.close()
            break
        except BaseException as e:  # an interrupt, or whatever else the handler of a signal raises
            shared.error = e
    shared.work = shared.supply = None  # a helper may be a moment late in letting go of `shared`, not of the arrays
    if shared.error is not None:
        raise shared.error
