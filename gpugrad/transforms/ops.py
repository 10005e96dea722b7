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

    def __init__(self, op: Op, function: Callable[..., Any]) -> None:
        functools.update_wrapper(self, function)
        self.op = op
        self._function = function
        self._checked = False
        self.__signature__ = inspect.Signature(
            [inspect.Parameter(p, inspect.Parameter.POSITIONAL_ONLY) for p in op.params]
        )

    def partials(self, rule: Callable[..., Any]) -> Callable[..., Any]:
        """Decorator: the derivatives of a composition, where its own would lose precision or overflow.

        A function of the operands and the result that returns one derivative for each operand, in a tuple.
        """
        if self.op.body is None:
            raise errors.bad_type(self.op.name, "has its derivatives already: those that it was declared with.")
        self.op.partials(rule)
        self._checked = False
        return rule

    def __call__(self, *args: Any) -> Tensor:
        if len(args) != self.op.arity:
            raise errors.bad_type(
                self.op.name, f"takes {self.op.arity} operands, {', '.join(self.op.params)}; {len(args)} were given."
            )
        if (
            not self._checked
        ):  # not when it is declared: its rule may name ops that come after it, and which may name it
            self._checked = True
            try:
                _check(self.op)
            except BaseException:
                self._checked = False
                raise
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
            return Elementwise(Op(name, names, doc=doc, body=given, types=same_float), given)
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
        op = Op(
            name,
            names,
            c=f"({c})" if c else "",
            doc=doc,
            partials=given,
            numpy=_Value(value, name, len(names)),
            types=same_float,
        )
        return Elementwise(op, given)

    return declare if function is None else declare(function)


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
