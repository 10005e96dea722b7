"""A few threads for work that drops the GIL. Started on first use, and again in a forked child."""

from __future__ import annotations

import contextlib
import os
import signal
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
            _started += 1
            threading.Thread(target=_serve, args=(_jobs,), name=f"gpugrad-{_started}", daemon=True).start()


class _Shared:
    """One piece of shared work: the supply that all threads draw from, and who is still at it."""

    def __init__(self, work: Callable[[Iterator[Any]], None], items: list[Any], helpers: int) -> None:
        self.work = work
        self.supply = iter(items)  # next() on a list iterator is atomic
        self.error: BaseException | None = None
        self.left = helpers
        self.lock = threading.Lock()
        self.done = threading.Lock()  # held until the last helper is through: a semaphore without Python code
        self.done.acquire()

    def help(self) -> None:
        try:
            self.work(self.supply)
        except BaseException as e:
            self.error = e
        finally:
            with self.lock:
                self.left -= 1
                last = self.left == 0
            if last:
                self.done.release()


def share(work: Callable[[Iterator[Any]], None], items: list[Any], threads: int) -> None:
    """Run `work` on up to `threads` threads, the caller's among them; they draw from one iterator over `items`."""
    helpers = min(threads, len(items)) - 1
    if helpers < 1:
        return work(iter(items))
    if _started < helpers:
        _start(helpers)
    shared = _Shared(work, items, helpers)
    for _ in range(helpers):
        _jobs.put(shared.help)
    try:
        work(shared.supply)
    except BaseException as e:
        for _ in shared.supply:  # leave the others nothing more to do
            pass
        shared.error = e
    while True:  # whatever happens: their buffers must not be let go while they write
        try:
            shared.done.acquire()
            break
        except KeyboardInterrupt as e:
            shared.error = e
    if shared.error is not None:
        raise shared.error


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Let an interrupt from the keyboard wait until the block has ended: for writing over values in place."""
    usual = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(usual):
        yield  # other threads are not interrupted
        return
    came: list[Any] = []
    signal.signal(signal.SIGINT, lambda *args: came.append(args))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual)
        if came:
            usual(*came[0])
