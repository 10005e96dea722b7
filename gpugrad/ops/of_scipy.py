"""How a special function is declared: a row like those of `elementwise`, with a name of SciPy's.

Compiled plans and GPUs run the C text of a row, from `kernels/special.h`. NumPy has none of these functions: where NumPy runs a plan, SciPy's
function is called. A row without C text is SciPy's alone: it is a region of its own, and there is none on a GPU.

Operands named in `constants` are orders and shapes in which no derivative is known. Giving one that requires grad is an error.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from ..base import errors
from .op import NAMES, SPECIAL, Op, compound, same_float
from .op import elementwise as row

PAIRS: dict[str, list[Op]] = {}  # the functions with several results: a row of each


def scipy_special(name: str) -> Any:
    """A function of `scipy.special`. Raises ImportError, saying what to install, where SciPy is missing."""
    try:
        import scipy.special
    except ImportError:
        raise errors.missing_extra("special functions on the CPU", "scipy", "scipy") from None
    return getattr(scipy.special, name)


class OfSciPy:
    """A function of SciPy as a row's: with the array that its result goes to as the last argument, or among Python numbers without.

    part: which of several results is meant.
    """

    def __init__(self, name: str, arity: int, part: int | None = None) -> None:
        self.name = name
        self.arity = arity
        self.part = part

    def __call__(self, *args: Any) -> Any:
        function = scipy_special(self.name)
        given = args[: self.arity]
        if len(args) > self.arity and args[-1].dtype != np.float64:
            given = tuple(a.astype(np.float64) if isinstance(a, np.ndarray) else a for a in given)
        found = function(*given)
        if self.part is not None:
            found = found[self.part]
        if len(args) == self.arity:
            return found
        np.copyto(args[-1], found, casting="unsafe")
        return None


def special(c: str = "", of: str = "", part: int | None = None, **fields: Any) -> Callable[[Callable[..., Any]], Op]:
    """Decorator: declare a special function by its partials. of: SciPy's name for it, if not its own; part: of several results."""

    def declare(rule: Callable[..., Any]) -> Op:
        name = of or rule.__name__
        arity = rule.__code__.co_argcount - 1
        numpy = OfSciPy(name, arity, part)
        fields.setdefault("reference", f"scipy.special.{name}" + (f"(x)[{part}]" if part is not None else ""))
        fields.setdefault("jax", f"jax.scipy.special.{name}")
        op = row(c, numpy=numpy, types=same_float, home="special", **fields)(rule)
        if part is not None:
            PAIRS.setdefault(name, []).append(op)
        return op

    return declare


def composed(**fields: Any) -> Callable[[Callable[..., Any]], Op]:
    """Decorator: declare a special function by a composition of others."""

    def declare(body: Callable[..., Any]) -> Op:
        fields.setdefault("reference", f"scipy.special.{body.__name__}")
        fields.setdefault("jax", f"jax.scipy.special.{body.__name__}")
        return compound(home="special", **fields)(body)

    return declare


def is_scipys(ufunc: np.ufunc) -> bool:
    """Whether a ufunc is one of `scipy.special`, which is then there."""
    module, name = sys.modules.get("scipy.special"), ufunc.__name__
    return module is not None and any(getattr(module, n, None) is ufunc for n in (name, name.removeprefix("_")))


def of_scipy(ufunc: np.ufunc) -> Callable[..., Any] | None:
    """What a ufunc of SciPy does to operands that interpret ops; None for one that is not here."""
    name = ufunc.__name__
    if not is_scipys(ufunc):
        return None
    rows = PAIRS.get(name, [])
    op = SPECIAL.get(name) or NAMES.get(name)  # erf, expm1 and some more are in the first table
    if op is not None and op.arity == ufunc.nin:
        rows = [op]
    if not rows:
        return None

    def call(*args: Any) -> Any:
        for op in rows:
            op.check_constants(args)
        found = tuple(op(*args) for op in rows)
        return found if len(found) > 1 else found[0]

    return call
