"""The elementwise functions, made and documented from the op table. Their signatures are in table.pyi, which is generated."""

from __future__ import annotations

import numpy as np

from ..ops.op import TABLE, Op, evaluate
from . import elementwise as written  # noqa: F401  # what takes more than its op comes first
from .creation import tensor
from .face import PUBLIC, public
from .rows import example_arguments, function_of


def _example(op: Op) -> list[str]:
    args = example_arguments(op)
    value = tensor(evaluate(op, [np.asarray(a)[()] for a in args]), device="cpu")
    return [">>> import gpugrad as gg", f">>> gg.{op.name}({', '.join(map(repr, args))})", repr(value)]


for _op in TABLE.values():
    if _op.public and _op.name not in PUBLIC:
        globals()[_op.name] = public(method=True, aliases=_op.aliases)(function_of(_op, __name__, _example(_op)))
