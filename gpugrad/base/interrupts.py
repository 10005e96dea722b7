"""Interrupts that come before or after what must not be halved."""

from __future__ import annotations

import signal
import threading
from typing import Any


class uninterrupted:
    """Let an interrupt from the keyboard wait until the block has ended: for writing over values in place."""

    __slots__ = ("_came", "_usual")

    def __enter__(self) -> None:
        self._came: list[Any] = []
        self._usual: Any = None
        if threading.current_thread() is threading.main_thread():  # other threads are not interrupted
            usual = signal.getsignal(signal.SIGINT)
            if callable(usual):
                signal.signal(signal.SIGINT, self._note)
                self._usual = usual

    def _note(self, *args: Any) -> None:
        self._came.append(args)

    def __exit__(self, *exc: object) -> None:
        if self._usual is not None:
            signal.signal(signal.SIGINT, self._usual)
            if self._came:
                self._usual(*self._came[0])
