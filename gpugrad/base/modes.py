"""What holds for a stretch of a program, in one thread: whether gradients are recorded, and which module is being called."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any, TypeVar

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
    enabled = True


grad_mode = _GradMode()


F = TypeVar("F", bound=Callable[..., Any])


class set_grad_enabled:
    """Context manager and decorator: record gradients inside it, or do not.

    >>> import gpugrad as gg
    >>> x = gg.tensor(2.0, requires_grad=True)
    >>> with gg.set_grad_enabled(False):
    ...     (x * x).requires_grad
    False
    """

    def __init__(self, enabled: bool) -> None:
        self._enabled = bool(enabled)
        self._previous: list[bool] = []

    def __enter__(self) -> None:
        self._previous.append(grad_mode.enabled)
        grad_mode.enabled = self._enabled

    def __exit__(self, *exc: object) -> None:
        grad_mode.enabled = self._previous.pop()

    def __call__(self, function: F) -> F:
        enabled = self._enabled

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
