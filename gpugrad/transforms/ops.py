"""`elementwise`: an op of the user's own. It is a row like those of the table: it fuses, in every mode and to every order."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from ..arguments import elementwise as call
from ..base import errors
from ..base.dtypes import FLOAT64
from ..base.shapes import is_16_bit
from ..ops.op import Masked, Op, same_float
from ..plans.notation import expression
from ..plans.symbols import Sym
from ..tensor import Tensor


class _Value:
    """A function of arrays as a row's: with the array that its result goes to as the last argument, or of Python numbers without."""

    def __init__(self, function: Callable[..., Any], name: str, arity: int) -> None:
        self.function = function
        self.name = name
        self.arity = arity

    def __call__(self, *args: Any) -> Any:
        given = args[: self.arity]
        if len(args) == self.arity:
            return self.function(*given)
        out = args[-1]
        if is_16_bit(out.dtype):
            given = tuple(a.astype(np.float32) if isinstance(a, np.ndarray) else a for a in given)
        try:
            found = np.asarray(self.function(*given))
        except Exception as e:
            raise errors.bad_value(self.name, f"computing its value raised {type(e).__name__}: {e}") from e
        if found.shape != out.shape and found.shape != ():
            raise errors.bad_shape(
                self.name,
                f"its value has shape {found.shape} for operands of shape {out.shape}: it must compute element by element.",
            )
        if not np.can_cast(found.dtype, out.dtype, "same_kind"):
            raise errors.bad_type(self.name, f"its value is of {found.dtype}, where {out.dtype} is expected.")
        np.copyto(out, found, casting="same_kind")
        return None


class Elementwise:
    """An elementwise op of the user's own, made by `elementwise`. Call it with tensors, arrays and numbers, which broadcast."""

    def __init__(self, make: Callable[[], Op], function: Callable[..., Any]) -> None:
        functools.update_wrapper(self, function)
        self._make = make
        self._function = function
        self._rule: Callable[..., Any] | None = None
        self._read: list[tuple[Callable[[], Any], Any]] | None = None  # numbers from outside, and what they were
        self.op = make()
        self.__signature__ = inspect.Signature(
            [inspect.Parameter(p, inspect.Parameter.POSITIONAL_ONLY) for p in self.op.params]
        )

    def partials(self, rule: Callable[..., Any]) -> Callable[..., Any]:
        """Decorator: the derivatives of a composition, where its own would lose precision or overflow.

        A function of the operands and the result that returns one derivative for each operand, in a tuple.
        """
        if self.op.body is None:
            raise errors.bad_type(self.op.name, "has its derivatives already: those that it was declared with.")
        self._rule = rule
        self._renew()
        return rule

    def _renew(self) -> None:
        """A new op: plans are kept for the old one."""
        self.op = self._make()
        if self._rule is not None:
            self.op.partials(self._rule)
        self._read = None

    def __call__(self, *args: Any) -> Tensor:
        if len(args) != self.op.arity:
            raise errors.bad_type(
                self.op.name, f"takes {self.op.arity} operands, {', '.join(self.op.params)}; {len(args)} were given."
            )
        if (
            self._read is None
        ):  # not when it is declared: its rule may name ops that come after it, and which may name it
            self._read = []
            try:
                _check(self.op)
                functions = [self._function] if self._rule is None else [self._function, self._rule]
                self._read = [pair for f in functions for pair in _outside(self.op.name, f)]
            except BaseException:
                self._read = None
                raise
        elif any(read() != was for read, was in self._read):  # a plan has the numbers that it was made with
            self._renew()
            return self(*args)
        return call(self.op, args)

    def __repr__(self) -> str:
        return f"<elementwise op {self.op.name}({', '.join(self.op.params)})>"

    def __reduce__(self) -> Any:
        return self._function.__qualname__  # like a function, by its name in its module


def elementwise(
    function: Callable[..., Any] | None = None, *, value: Callable[..., Any] | None = None, c: str = ""
) -> Any:
    """Decorator: an elementwise op of one's own, that fuses with what is around it, in every mode and to every order.

    A function that composes others, of operands, is all it needs: operators and elementwise functions of gpugrad. It is differentiated through;
    ``@f.partials`` gives it better derivatives.

    value: what NumPy computes it with, a function of arrays that gives an array of their shape: ``scipy.special.k0``. The decorated function
    then gives the derivatives instead: of the operands and the result, it returns a tuple of one for each operand, written in the same ops
    (and in the op itself, if it likes). A boolean one says where the element took part.
    c: its text in C and CUDA, with {0}, {1} for the operands, of type float or double: what compiled plans and GPUs run. Without it the op is
    computed by NumPy, alone, on the CPU.

    Floats keep their dtype, integers become what ``np.exp`` makes of them; 16-bit floats are computed in float32.
    Raises TypeError or ValueError, at the first call at the latest, for a function that cannot be used so.

    >>> import gpugrad as gg
    >>> @gg.elementwise
    ... def softabs(x, eps):
    ...     return gg.sqrt(x * x + eps * eps)
    >>> round(float(gg.grad(softabs)(3.0, 4.0)), 6)
    0.6
    >>> @gg.elementwise(value=lambda x: 1 / (1 + x * x), c="1 / (1 + {0} * {0})")
    ... def bell(x, y):
    ...     return (-2 * x * y * y,)
    >>> x = gg.tensor([1.0, 2.0], requires_grad=True)
    >>> (bell(x) * 2).sum().backward()
    >>> x.grad
    tensor([-1.  , -0.32], device='cpu')
    """

    def declare(given: Callable[..., Any]) -> Elementwise:
        name = getattr(given, "__name__", "op")
        params = list(inspect.signature(given).parameters.values())
        if any(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD, p.KEYWORD_ONLY) for p in params):
            raise errors.bad_type(name, "an elementwise op takes a fixed number of operands, by their places.")
        names = [p.name for p in params]
        doc = inspect.cleandoc(given.__doc__ or "")
        if value is None:
            if c:
                raise errors.bad_type(name, "give `value` beside `c`: what NumPy computes it with.")
            if not names:
                raise errors.bad_type(name, "takes no operand.")
            return Elementwise(lambda: Op(name, names, doc=doc, body=given, types=same_float, home="user"), given)
        if len(names) < 2:
            raise errors.bad_type(
                name, "with `value` it gives the derivatives, of its operands and of the result, its last parameter."
            )
        names = names[:-1]
        if c:
            try:
                c.format(*names)
            except (IndexError, KeyError, ValueError) as e:
                raise errors.bad_value(
                    name, f"its C text {c!r} does not fit {len(names)} operands, {{0}} to {{{len(names) - 1}}}: {e}."
                ) from None
        run = _Value(value, name, len(names))
        text = f"({c})" if c else ""
        return Elementwise(
            lambda: Op(name, names, c=text, doc=doc, partials=given, numpy=run, types=same_float, home="user"), given
        )

    return declare if function is None else declare(function)


def _outside(op: str, function: Callable[..., Any]) -> list[tuple[Callable[[], Any], Any]]:
    """The numbers that a function reads from outside of it: how to read each again, and what it is. Raises TypeError for what may change unseen."""
    code = getattr(function, "__code__", None)
    if code is None:
        return []
    readers: dict[str, Callable[[], Any]] = {}
    for name in code.co_names:
        if name in function.__globals__:
            readers[name] = functools.partial(function.__globals__.get, name)
    for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
        readers[name] = functools.partial(getattr, cell, "cell_contents", None)
    found = []
    for name, read in readers.items():
        held = read()
        if isinstance(held, (Tensor, np.ndarray, list, dict, set)):
            raise errors.bad_type(
                op,
                f"reads {name!r}, a {type(held).__name__}, from outside, and would keep what it was at the first call. Pass it as an operand.",
            )
        if isinstance(held, (int, float, np.generic)):
            found.append((read, held))
    return found


def _fault(op: Op, what: str, e: BaseException) -> errors.DTypeError:
    return errors.bad_type(
        op.name, f"its {what} could not be written as ops ({type(e).__name__}: {e}). Use operators and elementwise functions of gpugrad (gg.exp), not "
        f"those of NumPy, of loops over elements, or what depends on their values (if x > 0: gg.where).",
    )  # fmt: skip


def _check(op: Op) -> None:
    """Raise unless the functions of an op compose ops of its operands, one derivative for each."""
    operands, y = expression(op, (FLOAT64,) * op.arity)
    what = "value"
    try:
        if op.body is not None:
            y.graph.expand(op, operands)
        what = "derivatives"
        found = y.graph.partials(y, FLOAT64) if op.rule is not None else None
    except errors.GpugradError:
        raise
    except Exception as e:
        raise _fault(op, what, e) from e
    if found is not None and (
        len(found) != op.arity or not all(isinstance(p, (Sym, Masked, int, float, bool)) for p in found)
    ):
        raise errors.bad_type(
            op.name, f"its derivatives must be a tuple with one for each of {', '.join(op.params)}, not {found!r}."
        )
