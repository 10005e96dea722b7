"""A row of a table of elementwise ops as a function, documented from the row."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, cast

from ..arguments import elementwise
from ..base import errors
from ..ops.op import Op
from ..plans.notation import local_gradients
from ..tensor import Tensor

_SHARED_DOC = """
    Operands broadcast together; {dtypes}.
    Raises ShapeError, DTypeError or DeviceError at the call, for operands that do not fit together.
"""


def example_arguments(op: Op) -> list[Any]:
    """Arguments from an op's domain."""
    try:
        op.loop((float,) * op.arity)
    except errors.DTypeError:
        return [6, 3][: op.arity]
    return [
        low if low == high else 0.5 if low < 0.5 < high else round((low + high) / 2, 12) for low, high in op.domains
    ]


def function_of(op: Op, module: str, example: list[str]) -> Callable[..., Tensor]:
    """The function of a module that users call, documented from the op's row. example: lines that doctest runs."""
    parameters = [
        inspect.Parameter(p, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=op.defaults[p], annotation="float")
        if p in op.defaults
        else inspect.Parameter(p, inspect.Parameter.POSITIONAL_ONLY, annotation="Any")
        for p in op.params
    ]
    signature = inspect.Signature(parameters, return_annotation="Tensor")

    def call(*args: Any) -> Tensor:
        return elementwise(op, args)

    def call_checked(*args: Any) -> Tensor:
        op.check_constants(args)
        return elementwise(op, args)

    def call_with_defaults(*args: Any, **kwargs: Any) -> Tensor:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        op.check_constants(bound.args)
        return elementwise(op, bound.args)

    lines = [op.doc, ""]
    partials = local_gradients(op)
    if partials:
        lines += ["    Local gradients, y being the result:"]
        lines += [
            f"        dy/d{p} = {t if len(t) < 160 else 'see its row in the op table'}"
            if n not in op.constants
            else f"        dy/d{p} is not known: {p} may not require grad"
            for n, (p, t) in enumerate(zip(op.params, partials, strict=True))
        ]
        lines.append("")
    elif op.body is not None:
        lines += ["    Differentiated through its composition.", ""]
    else:
        lines += ["    Has no gradient.", ""]
    dtypes = f"dtypes as in numpy.{op.numpy.__name__}" if op.is_ufunc else "floating-point dtypes are kept"  # type: ignore[union-attr]
    lines += [_SHARED_DOC.format(dtypes=dtypes).strip("\n"), "", *(f"    {line}" for line in example), "    "]
    function: Any = call_with_defaults if op.defaults else call_checked if op.constants else call
    function.__name__ = function.__qualname__ = op.name
    function.__module__ = module
    function.__doc__ = "\n".join(lines)
    function.__signature__ = signature
    return cast(Callable[..., Tensor], function)
