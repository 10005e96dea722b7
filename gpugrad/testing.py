"""For the tests of those who use gpugrad: derivatives against finite differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .base import errors
from .coerce import host_data
from .transforms.derivatives import jvp, vjp

__all__ = ["check_grads"]

_NAMES = {"fwd": "forward", "rev": "reverse"}
LOOKED_AT = 1000  # elements at most, to say which one is wrong


def check_grads(
    f: Callable[..., Any], args: Sequence[Any], order: int = 2, modes: Sequence[str] = ("fwd", "rev"), atol: float = 1e-6,
    rtol: float = 1e-5, eps: float = 1e-5,
) -> None:  # fmt: skip
    """Check the derivatives of a function against central differences, along directions drawn at random.

    f: takes `args`, floating-point arrays or numbers, and returns an array or a number. order: up to which derivatives of derivatives are
    checked, in all combinations of the modes: "fwd" and "rev". eps: the step of the differences. atol, rtol: how far off a derivative may
    be, absolutely and relatively.

    Raises AssertionError that names the mode, the argument, the element that is most in error and both numbers; InputError for another
    mode; DTypeError for arguments that are not floating-point.

    >>> import gpugrad as gg, numpy as np
    >>> from gpugrad.testing import check_grads
    >>> check_grads(lambda x, y: gg.sin(x * y), (np.ones(3), np.arange(3.0)))
    """
    for mode in modes:
        if mode not in _NAMES:
            raise errors.bad_value("check_grads", f"the modes are 'fwd' and 'rev', not {mode!r}.")
    arrays = [np.asarray(host_data(a)) for a in args]
    for n, a in enumerate(arrays):
        if a.dtype.kind != "f":
            raise errors.bad_type("check_grads", f"argument {n} is of dtype {a.dtype}: give a floating-point one.")
    _Check(modes, atol, rtol, eps).run(f, arrays, order, "")


class _Check:
    """How to check: see `check_grads`."""

    def __init__(self, modes: Sequence[str], atol: float, rtol: float, eps: float) -> None:
        self.modes = modes
        self.atol, self.rtol, self.eps = atol, rtol, eps
        self.generator = np.random.default_rng(0)

    def run(self, f: Callable[..., Any], args: list[Any], order: int, path: str) -> None:
        """Raise AssertionError if a derivative is wrong. path: of which derivative f is, in words."""
        weights = self.generator.standard_normal(np.shape(host_data(f(*args))))
        directions = [self.generator.standard_normal(a.shape) for a in args]
        for mode in self.modes:
            for n, direction in enumerate(directions):
                sides = _Sides(f, args, n, weights, mode, self.eps)
                if self._differ(*sides.at(direction)):
                    raise AssertionError(f"{path}{_NAMES[mode]} mode, argument {n}{self._worst(sides, direction)}")
        if order > 1:
            for mode in self.modes:
                self.run(
                    _derivative(f, mode, directions, weights), args, order - 1, f"{path}{_NAMES[mode]} mode, then "
                )

    def _differ(self, found: float, expected: float) -> bool:
        return not abs(found - expected) <= self.atol + self.rtol * abs(expected)

    def _worst(self, sides: _Sides, direction: np.ndarray) -> str:
        """Which element is most in error."""
        units = np.eye(direction.size)[:LOOKED_AT].reshape(-1, *direction.shape)
        pairs = [sides.at(unit) for unit in units]
        k = max(range(len(pairs)), key=lambda k: np.nan_to_num(abs(pairs[k][0] - pairs[k][1]), nan=np.inf))
        found, expected = pairs[k]
        index = tuple(int(i) for i in np.unravel_index(k, direction.shape))
        return f", element {index}: the derivative of (result * weights).sum() is {found:.8g}, and by differences {expected:.8g}."


class _Sides:
    """A derivative by one argument, along a direction, as the library has it and by differences: both times the weights, summed."""

    def __init__(
        self, f: Callable[..., Any], args: list[Any], n: int, weights: np.ndarray, mode: str, eps: float
    ) -> None:
        self.f: Callable[[Any], Any] = lambda x: f(*args[:n], x, *args[n + 1 :])
        self.x = args[n]
        self.weights, self.mode, self.eps = weights, mode, eps

    def at(self, direction: np.ndarray) -> tuple[float, float]:
        direction = direction.astype(self.x.dtype)
        if self.mode == "fwd":
            found = (host_data(jvp(self.f, (self.x,), (direction,))[1]) * self.weights).sum()
        else:
            value, pull = vjp(self.f, self.x)
            found = (host_data(pull(self.weights.astype(value.dtype))[0]) * direction).sum()
        ahead, behind = (host_data(self.f(self.x + step * direction)) for step in (self.eps, -self.eps))
        return float(found), float(((ahead - behind) * self.weights).sum() / (2 * self.eps))


def _derivative(
    f: Callable[..., Any], mode: str, directions: list[np.ndarray], weights: np.ndarray
) -> Callable[..., Any]:
    """A function that is a derivative of another: along directions, or of the weighted sum."""
    if mode == "fwd":

        def along(*xs: Any) -> Any:
            return jvp(f, xs, directions)[1]

        return along

    def slopes(*xs: Any) -> Any:
        value, pull = vjp(f, *xs)
        gradients = pull(weights.astype(value.dtype))
        return sum((g * d).sum() for g, d in zip(gradients, directions, strict=True))

    return slopes
