"""The elementwise functions, made and documented from the op table. Their signatures are in table.pyi, which is generated."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, cast

import numpy as np

from ..arguments import elementwise
from ..base import errors
from ..ops.op import TABLE, Op, evaluate
from ..plans.notation import local_gradients
from ..tensor import Tensor
from . import elementwise as written  # noqa: F401  # what takes more than its op comes first
from .creation import tensor
from .face import PUBLIC, public

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
    return args, evaluate(op, [np.asarray(a)[()] for a in args])


def _function(op: Op) -> Callable[..., Tensor]:
    """The function that users call, documented from the op's row."""
    parameters = [
        inspect.Parameter(p, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=op.defaults[p], annotation="float")
        if p in op.defaults
        else inspect.Parameter(p, inspect.Parameter.POSITIONAL_ONLY, annotation="Any")
        for p in op.params
    ]
    signature = inspect.Signature(parameters, return_annotation="Tensor")

    def call(*args: Any) -> Tensor:
        return elementwise(op, args)

    def call_with_defaults(*args: Any, **kwargs: Any) -> Tensor:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return elementwise(op, bound.args)

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
    function: Any = call_with_defaults if op.defaults else call
    function.__name__ = function.__qualname__ = op.name
    function.__doc__ = "\n".join(lines)
    function.__signature__ = signature
    return cast(Callable[..., Tensor], function)


for _op in TABLE.values():
    if _op.public and _op.name not in PUBLIC:
        globals()[_op.name] = public(method=True, aliases=_op.aliases)(_function(_op))
