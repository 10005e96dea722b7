"""The elementwise special functions, made and documented from their table. Their signatures are in special_table.pyi, which is generated."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..functions.rows import example_arguments, function_of
from ..ops.op import SPECIAL, Op

FUNCTIONS: dict[str, Callable[..., Any]] = {}


def _example(op: Op) -> list[str]:
    args = ", ".join(map(repr, example_arguments(op)))
    return [
        ">>> import scipy.special",
        f">>> from gpugrad.scipy.special import {op.name}",
        f">>> abs({op.name}({args}) - scipy.special.{op.name}({args})).item() < 1e-13",
        "True",
    ]


for _name, _op in SPECIAL.items():
    if not _name.startswith("_"):
        FUNCTIONS[_name] = FUNCTIONS.get(_op.name) or function_of(_op, __name__, _example(_op))
        globals()[_name] = FUNCTIONS[_name]
