"""The elementwise functions, made and documented from the op table."""

from __future__ import annotations

import builtins
import inspect
import math
import types
from collections.abc import Callable
from typing import Any

import numpy as np

from ..base import errors
from ..base.shapes import is_float
from ..ops import elementwise as ew
from ..ops import structural
from ..ops.op import TABLE, Op, evaluate
from ..plans.notation import local_gradients
from ..tensor import Tensor, apply, as_tensors, power, tensor

_SHARED_DOC = """
    Operands broadcast together; {dtypes}.
    Raises ShapeError, DTypeError or DeviceError at the call, for operands that do not fit together.
"""


def _example(op: Op) -> tuple[list[Any], Any]:
    """Arguments from the op's domain, and what NumPy makes of them."""
    args: list[Any] = [0.5 if low < 0.5 < high else (low + high) / 2 for low, high in op.domains]
    try:
        op.loop((float,) * op.arity)
    except errors.DTypeError:
        args = [6, 3][: op.arity]
    if op is ew.where:
        args[0] = True
    return args, evaluate(op, [np.asarray(a)[()] for a in args])


def _public(op: Op) -> Callable[..., Tensor]:
    """The function that users call, documented from the op's row."""

    def call(*args: Any) -> Tensor:
        return apply(op, args)

    parameters = [inspect.Parameter(p, inspect.Parameter.POSITIONAL_ONLY) for p in op.params]
    args, value = _example(op)
    lines = [op.doc, ""]
    partials = local_gradients(op)
    if partials:
        lines += ["    Local gradients, y being the result:"]
        lines += [
            f"        dy/d{p} = {t if len(t) < 160 else 'see its row in the op table'}"
            for p, t in zip(op.params, partials, strict=True)
        ]
        lines.append("")
    elif op.body is not None:
        lines += ["    Differentiated through its composition.", ""]
    else:
        lines += ["    Has no gradient.", ""]
    dtypes = f"dtypes as in numpy.{op.numpy.__name__}" if op.is_ufunc else "floating-point dtypes are kept"  # type: ignore[union-attr]
    lines += [_SHARED_DOC.format(dtypes=dtypes).strip("\n"), "", "    >>> import gpugrad as gg"]
    lines += [f"    >>> gg.{op.name}({', '.join(map(repr, args))})", f"    {tensor(value, device='cpu')!r}", "    "]
    function = types.FunctionType(call.__code__, globals(), op.name, None, call.__closure__)
    function.__doc__ = "\n".join(lines)
    function.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    function.__module__ = __name__
    return function


ELEMENTWISE: dict[str, Callable[..., Tensor]] = {op.name: _public(op) for op in TABLE.values() if op.public}
ELEMENTWISE["power"] = power
del ELEMENTWISE["clip"], ELEMENTWISE["where"]
ELEMENTWISE["abs"] = ELEMENTWISE["absolute"]


def where(condition: Any, x: Any = None, y: Any = None) -> Any:
    """x where the condition holds, y elsewhere; with the condition alone, `nonzero(condition)`.

    The branch not taken contributes exactly 0 to the gradient, also where its own gradient is infinite or NaN.

    >>> import gpugrad as gg
    >>> x = gg.tensor([0.0, 4.0], requires_grad=True)
    >>> gg.where(x > 0, gg.sqrt(x), 0.0).sum().backward()
    >>> x.grad
    tensor([0.  , 0.25], device='cpu')
    """
    if x is None and y is None:
        return nonzero(condition)
    if x is None or y is None:
        raise errors.bad_value("where", "give both x and y, or neither.")
    condition, x, y = _operands(condition, x, y)
    if isinstance(condition, Tensor) and condition.dtype != bool:
        condition = condition.astype(bool)
    return apply(ew.where, (condition, x, y))


def _operands(*args: Any) -> list[Any]:
    """Arguments with at least one tensor among them; the first if none was."""
    if not builtins.any(isinstance(a, Tensor) for a in args):
        return [*as_tensors(args[0]), *args[1:]]
    return list(args)


def clip(x: Any, min: Any = None, max: Any = None) -> Tensor:
    """x limited to the interval from min to max; either may be None. At the limits the derivative in x is 1.

    >>> import gpugrad as gg
    >>> gg.clip([1.0, 5.0, 9.0], 2.0, 8.0)
    tensor([2., 5., 8.], device='cpu')
    """
    (x,) = as_tensors(x)
    if not is_float(x.dtype) and (min is None or max is None):
        x = x.copy() if min is None else apply(ew.maximum, (x, min))
        return x if max is None else apply(ew.minimum, (x, max))
    return apply(ew.clip, (x, -math.inf if min is None else min, math.inf if max is None else max))


def round(x: Any, decimals: int = 0) -> Tensor:
    """Rounded to a number of decimals, ties to even; the derivative is 0.

    >>> import gpugrad as gg
    >>> gg.round([0.5, 1.5, 2.345], 1)
    tensor([0.5, 1.5, 2.3], device='cpu')
    """
    (x,) = as_tensors(x)
    if not is_float(x.dtype) and decimals >= 0:
        return x.copy()
    scale = 10.0 ** builtins.abs(decimals)
    if decimals == 0:
        return apply(ew.rint, (x,))
    return apply(ew.rint, (x * scale,)) / scale if decimals > 0 else apply(ew.rint, (x / scale,)) * scale


def gelu(x: Any, approximate: str = "none") -> Tensor:
    """Gaussian error linear unit, x * (1 + erf(x / sqrt(2))) / 2; approximate="tanh" for its tanh form.

    >>> import gpugrad as gg
    >>> gg.gelu(1.0)
    tensor(0.84134475, device='cpu')
    """
    if approximate not in ("none", "tanh"):
        raise errors.bad_value("gelu", f"approximate must be 'none' or 'tanh', not {approximate!r}.")
    return apply(ew.gelu if approximate == "none" else ew.gelu_tanh, (x,))


def leaky_relu(x: Any, negative_slope: Any = 0.01) -> Tensor:
    """x where positive, negative_slope * x elsewhere; its derivative at 0 is negative_slope by convention.

    >>> import gpugrad as gg
    >>> gg.leaky_relu([-1.0, 2.0], negative_slope=0.5)
    tensor([-0.5,  2. ], device='cpu')
    """
    return apply(ew.leaky_relu, (x, negative_slope))


def elu(x: Any, alpha: Any = 1.0) -> Tensor:
    """x where positive, alpha * (exp(x) - 1) elsewhere; its derivative at 0 is alpha by convention.

    >>> import gpugrad as gg
    >>> gg.elu([-1000.0, 2.0], alpha=0.5)
    tensor([-0.5,  2. ], device='cpu')
    """
    return apply(ew.elu, (x, alpha))


ELEMENTWISE |= {"gelu": gelu, "leaky_relu": leaky_relu, "elu": elu}


def nonzero(x: Any) -> tuple[Tensor, ...]:
    """The indices of the elements that are not zero, one tensor per axis. Has no gradient.

    >>> import gpugrad as gg
    >>> gg.nonzero([0, 3, 4])
    (tensor([1, 2], device='cpu'),)
    """
    (x,) = as_tensors(x)
    found = structural.argwhere(x if x.ndim else x.reshape(1))
    return tuple(found[:, k] for k in range(found.shape[1]))
