"""The checks of `gg.config.debug = 1`."""

from __future__ import annotations

import weakref
import zlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ..base import errors
from ..base.frames import user_line
from ..ops.op import evaluate
from ..ops.reduction import Reduction

_borrowed: weakref.WeakKeyDictionary[Any, int] = weakref.WeakKeyDictionary()


def _checksum(v: Any) -> int:
    return zlib.crc32(np.ascontiguousarray(_host(v, v.array)).tobytes())


def _host(v: Any, array: Any) -> Any:
    """An array as NumPy's, wherever the value or node it belongs to lives."""
    return v.device.backend.to_host(array)


def borrow(value: Any) -> None:
    """Remember what an array given to `gg.asarray` held."""
    value.line = user_line()
    _borrowed[value] = _checksum(value)


def check_borrowed(values: Iterable[Any]) -> None:
    """Raise WriteError if an array given to `gg.asarray` has changed since."""
    for v in values:
        known = _borrowed.get(v)
        if known is not None and known != _checksum(v):
            raise errors.WriteError(
                f"an array given to gg.asarray at {v.line} was changed before its values and gradients had been read. Copy it "
                f"with gg.tensor(a), or write to it later."
            )


def _bad(array: Any) -> Any:
    return ~np.isfinite(array) if array.dtype.kind == "f" else np.zeros(array.shape, bool)


def _what(array: Any) -> str:
    return "NaN" if np.isnan(array).any() else "an infinity"


def check_region(found: Any, results: Sequence[Any]) -> None:
    """Raise FloatingPointError if a region made NaN or infinity of finite inputs, naming the op that did."""
    where = (*found.nodes, *found.inputs)[0]
    if not any(_bad(_host(where, r)).any() for r in results):
        return
    known = {v: _host(v, v.array) for v in found.inputs}
    for v in found.nodes:
        args = [known.get(a, a) for a in v.args]
        with np.errstate(all="ignore"):
            if type(v.op) is Reduction:
                combine = np.logical_or if v.dtype.kind == "b" else v.op.combine
                out = combine.reduce(args[0], axis=v.rows.axes).reshape(v.shape)
            else:
                out = evaluate(v.op, args)
            known[v] = out
            made = _bad(np.asarray(out))
            for a in args:
                if isinstance(a, np.ndarray):
                    made = made & ~(_bad(a).any() if type(v.op) is Reduction else _bad(a))
        if made.any():
            raise errors.not_finite(v.op.name, v.line, _what(np.asarray(out)[made]))


def check_call(name: str, values: Sequence[Any], v: Any) -> None:
    """Raise FloatingPointError if a structural op made NaN or infinity of finite inputs."""
    arrays, result = [_host(a, a.array) for a in values], _host(v, v.array)
    if _bad(result).any() and not any(_bad(a).any() for a in arrays):
        raise errors.not_finite(name, user_line(), _what(result))


def check_gradients(node: Any, arrays: Sequence[Any], arrived: Sequence[Any]) -> None:
    """Raise FloatingPointError if a region made NaN or infinity of the finite gradients, or tangents, that arrived."""
    if any(_bad(_host(node, a)).any() for a in arrived):
        return
    for a in (_host(node, a) for a in arrays):
        if _bad(a).any():
            raise errors.not_finite(f"the gradient of {node.describe()}", node.line, _what(a))
