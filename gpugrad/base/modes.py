"""What holds for a stretch of a program, in one thread: whether gradients are recorded, and which module is being called."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from . import errors
from .config import config
from .forks import survive_fork


class _Scope(threading.local):
    path = ""


scope = _Scope()  # the path of the module that is being called, in this thread


_noting_lock = threading.Lock()
survive_fork(_noting_lock)


class scoped:
    """Context manager: ops called inside it belong to the module of a path."""

    __slots__ = ("_path", "_previous")

    def __init__(self, path: str) -> None:
        self._path = path

    def __enter__(self) -> None:
        self._previous = scope.path
        scope.path = self._path
        with _noting_lock:
            config._noting += 1

    def __exit__(self, *exc: object) -> None:
        scope.path = self._previous
        with _noting_lock:
            config._noting -= 1


class _GradMode(threading.local):
    """Whether this thread records gradients: as the innermost block says that it is in."""

    def __init__(self) -> None:
        self.scopes: list[set_grad_enabled] = []

    @property
    def enabled(self) -> bool:
        scopes = self.scopes
        while scopes and not scopes[-1]._is_owned():  # as in `forget_ended`
            scopes.pop()
        return scopes[-1].records if scopes else True

    def forget_ended(self) -> None:
        """Let go of the blocks that have ended: leaving one is a single call of C, which cannot do it."""
        while self.scopes and not self.scopes[-1]._is_owned():
            self.scopes.pop()


grad_mode = _GradMode()


F = TypeVar("F", bound=Callable[..., Any])


_RLock: Any = type(threading.RLock())  # typing knows only the function that makes one


class set_grad_enabled(_RLock):  # type: ignore[misc]
    """Context manager and decorator: record gradients inside it, or do not.

    Raises GraphError for one that is entered again inside another, or by another thread while it is in force: make a new one.

    >>> import gpugrad as gg
    >>> x = gg.tensor(2.0, requires_grad=True)
    >>> with gg.set_grad_enabled(False):
    ...     (x * x).requires_grad
    False
    """

    # It is in force while it is held as a lock. Leaving it is the lock's own `__exit__`, which is not Python code: an interrupt from the
    # keyboard comes before it or after it, and never leaves a thread in a mode that was ended.

    def __init__(self, enabled: bool) -> None:
        self.records = bool(enabled)

    def __enter__(self) -> None:
        grad_mode.forget_ended()
        scopes = grad_mode.scopes
        interleaved = self._is_owned() and scopes[-1] is not self
        if interleaved or not self.acquire(blocking=False):
            raise errors.GraphError(
                f"this {type(self).__name__} is in force already, {'around another' if interleaved else 'in another thread'}: make a new one, "
                f"with gg.{type(self).__name__}(...), where it is entered."
            )
        try:
            scopes.append(self)
        except BaseException:  # an interrupt came between entering it and saying so
            self.release()
            raise

    def __call__(self, function: F) -> F:
        enabled = self.records

        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            with set_grad_enabled(enabled):
                return function(*args, **kwargs)

        return wrapped  # type: ignore[return-value]  # same signature, by construction


class no_grad(set_grad_enabled):
    """Context manager and decorator: ops called inside it are constants to ``backward``.

    Decided when the op is *called*, also for an op that is still pending when the block ends.

    >>> import gpugrad as gg
    >>> x = gg.tensor(2.0, requires_grad=True)
    >>> with gg.no_grad():
    ...     y = x * x
    >>> y.requires_grad
    False
    """

    def __init__(self) -> None:
        super().__init__(False)


class enable_grad(set_grad_enabled):
    """Context manager and decorator: record gradients again inside a ``no_grad`` block.

    >>> import gpugrad as gg
    >>> x = gg.tensor(2.0, requires_grad=True)
    >>> with gg.no_grad(), gg.enable_grad():
    ...     (x * x).requires_grad
    True
    """

    def __init__(self) -> None:
        super().__init__(True)
