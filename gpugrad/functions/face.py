"""The one table of public functions. What is entered is `gg.f`, and by the same line a method, and what NumPy's own function does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from .. import protocols
from ..methods import Methods

PUBLIC: dict[str, Callable[..., Any]] = {}
F = TypeVar("F", bound=Callable[..., Any])


def public(*, method: bool = False, aliases: tuple[str, ...] = (), reduces: np.ufunc | None = None) -> Callable[[F], F]:
    """Decorator: a function of the library, and of NumPy's where that has one of the same name.

    method: of tensors, too. aliases: other names for it. reduces: the ufunc whose `reduce` it is.
    """

    def enter(function: F) -> F:
        for name in (function.__name__, *aliases):
            PUBLIC[name] = function
            if method:
                setattr(Methods, name, function)
            theirs = getattr(np, name, None)
            if isinstance(theirs, np.ufunc):
                protocols.UFUNCS[theirs] = function
            elif callable(theirs) and not isinstance(theirs, type):
                protocols.FUNCTIONS[theirs] = function
        if reduces is not None:
            protocols.REDUCTIONS[reduces] = function
        return function

    return enter


def method(name: str) -> Callable[[Any], Any]:
    """Decorator: a method or property of tensors that is no function, or has other arguments than the function."""

    def enter(member: Any) -> Any:
        setattr(Methods, name, member)
        return member

    return enter
