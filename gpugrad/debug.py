"""Looking at what happened: public counters, and the checks of `gg.config.debug = 1`."""

from __future__ import annotations

import os
import sys
import weakref
import zlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from . import errors
from .ops import evaluate

_PACKAGE = os.path.dirname(os.path.abspath(__file__)) + os.sep


class Counters:
    """How many plans were run since the last `reset`: forward, backward, and structural calls.

    >>> import gpugrad as gg
    >>> gg.debug.counters.reset()
    >>> x = gg.tensor(0.5, requires_grad=True)
    >>> (gg.sin(x) * x).backward()
    >>> gg.debug.counters
    Counters(ops=2, forward=1, backward=1, calls=0)
    """

    __slots__ = ("backward", "calls", "forward", "ops")

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Set every counter to 0."""
        self.ops = self.forward = self.backward = self.calls = 0

    def __repr__(self) -> str:
        return f"Counters(ops={self.ops}, forward={self.forward}, backward={self.backward}, calls={self.calls})"


counters = Counters()


def user_line() -> str:
    """The file and line of the nearest caller outside this package."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith((_PACKAGE, "<gpugrad")):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


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
            raise errors.broken_promise(v.line)


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
            known[v] = out = evaluate(v.op, args)
            made = _bad(np.asarray(out))
            for a in args:
                if isinstance(a, np.ndarray):
                    made = made & ~_bad(a)
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


def plan_source(tensor: Any) -> tuple[str, str]:
    """The text of the plan that made a tensor, and of the one that runs backward from it, as array calls.

    Computes the tensor if it is pending. Raises GraphError for one that was not made by a region that requires grad.

    >>> import gpugrad as gg
    >>> x = gg.tensor(0.5, requires_grad=True)
    >>> forward, backward = gg.debug.plan_source(gg.sin(x) * x)
    >>> print(forward)
    def plan(i0, o0, t0):
        sin(i0, out=t0)
        multiply(t0, i0, out=o0)
    <BLANKLINE>
    """
    node = _region(tensor)
    source = node.device.backend.source
    return source(node.plan.forward), source(node.default_backward().program)


def kernel_source(tensor: Any, dialect: str | None = None) -> tuple[str, str]:
    """The text of the kernel that makes a tensor, and of the one that runs backward from it, as they are compiled.

    dialect: "c" for the CPU, "cuda" for a GPU; that of the tensor's device if not given. Several CUDA kernels follow one
    another. What they take from ``kernels/`` is left out. Computes the tensor if it is pending.

    Raises GraphError for a tensor that was not made by a region that requires grad, InputError for another dialect.

    >>> import gpugrad as gg
    >>> x = gg.tensor(0.5, requires_grad=True)
    >>> forward, backward = gg.debug.kernel_source(gg.sin(x) * x, "c")
    >>> print(forward.split("static const")[0])
    static void body(const char* const* in, const gg_scalar* s, char* const* out, int64 n) {
        const float64* i0 = (const float64*)in[0];
        float64* o0 = (float64*)out[0];
        GG_EACH(j, n) {
            const float64 x0 = i0[j];
            const float64 t0 = gg_sin(x0);
            const float64 t1 = t0 * x0;
            o0[j] = t1;
        }
    }
    <BLANKLINE>
    <BLANKLINE>
    >>> "gg_sin(x0)" in gg.debug.kernel_source(gg.sin(x) * x, "cuda")[0]
    True
    """
    from .backends import launch  # above this module, and needed only here
    from .codegen import host

    node = _region(tensor)
    dialect = node.device.backend.dialect if dialect is None else dialect
    if dialect not in ("c", "cuda"):
        raise errors.bad_value("kernel_source", f"dialect must be 'c' or 'cuda', not {dialect!r}.")
    texts = [host.kernel(k[0]) if dialect == "c" else launch.text(*k) for k in node.kernels()]
    return texts[0], texts[1]


def _region(tensor: Any) -> Any:
    value = tensor._value
    value.closer(value)
    if not hasattr(value.node, "plan"):
        raise errors.no_plan()
    return value.node
