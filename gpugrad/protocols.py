"""NumPy's and CuPy's protocols: their functions on tensors are the ops and functions of gpugrad, found in tables."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from .base import errors
from .coerce import on_host
from .core.variable import Variable
from .interop import Leaving
from .ops.of_scipy import is_scipys, of_scipy
from .ops.op import NAMES, SPECIAL

# NumPy's function: gpugrad's, entered where that is defined.
UFUNCS: dict[Any, Callable[..., Any]] = {}
FUNCTIONS: dict[Any, Callable[..., Any]] = {}
REDUCTIONS: dict[Any, Callable[..., Any]] = {}  # by the ufunc whose `reduce` it is
METHODS: dict[str, Callable[..., Any]] = {}  # the methods of ufuncs, by name, for those in UFUNCS

# NumPy's reductions: the ufunc that each of them is of
_REDUCERS = {
    np.sum: np.add,
    np.prod: np.multiply,
    np.max: np.maximum,
    np.min: np.minimum,
    np.any: np.logical_or,
    np.all: np.logical_and,
}
_REDUCERS |= {np.amax: np.maximum, np.amin: np.minimum}

# They ask for nothing but shapes and dtypes, and always answer.
_QUESTIONS = {
    np.shape, np.ndim, np.size, np.iscomplexobj, np.isrealobj, np.result_type, np.can_cast, np.min_scalar_type, np.common_type,
    np.may_share_memory, np.shares_memory, np.diag_indices_from, np.tril_indices_from, np.triu_indices_from,
}  # fmt: skip

# Arguments of ufuncs that say what is so anyway.
_USUAL = {"dtype": (None,), "casting": ("same_kind",), "order": ("K", "C"), "subok": (True,)}

# They write to their first argument: to a tensor, or to an array what requires no grad.
_WRITERS = {np.copyto, np.fill_diagonal, np.place, np.put, np.put_along_axis, np.putmask}


class Protocols(Leaving):
    """What NumPy and CuPy call when one of their functions is given a tensor."""

    __slots__ = ()

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if not kwargs and method == "__call__" and ufunc in UFUNCS:  # nearly always
            return UFUNCS[ufunc](*inputs)
        out = kwargs.pop("out", None)
        kwargs = {k: v for k, v in kwargs.items() if not any(v is usual for usual in _USUAL.get(k, ()))}
        ours, name = UFUNCS.get(ufunc), ufunc.__name__
        if ours is None:
            ours = of_scipy(ufunc)
            if ours is not None:
                UFUNCS[ufunc] = ours
        if method == "reduce":
            kwargs = {"axis": 0 if np.ndim(inputs[0]) else None} | kwargs
            if kwargs["axis"] == 0 and not np.ndim(inputs[0]):  # NumPy takes it for the axes of a number
                kwargs["axis"] = None
            whole = REDUCTIONS.get(ufunc)
            if whole is not None and all(k in _parameters(whole) for k in kwargs):
                return _into(out, whole(*inputs, **kwargs), name, True)
        if method == "__call__" and ours is not None and all(k in _parameters(ours) for k in kwargs):
            return _into(out, ours(*inputs, **kwargs), name)
        if method == "__call__" and "where" in kwargs:
            kwargs["out"] = out[0] if out else None
        if ours is not None and all(k in _parameters(METHODS[method]) for k in kwargs):
            return _into(out, METHODS[method](ufunc, ours, *inputs, **kwargs), name, method != "__call__")
        kwargs.pop("out", None)
        home = "np." if getattr(np, name, None) is ufunc else "scipy.special." if is_scipys(ufunc) else ""
        full = f"{home}{name}" + (f".{method}" if method != "__call__" else "")
        detail = f" with {', '.join(f'{k}=' for k in sorted(kwargs))}" if ours is not None else ""
        call = getattr(ufunc, method)
        return _into(out, _on_arrays(call, full + detail, inputs, kwargs, ours is not None and not kwargs), name)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if function in _QUESTIONS:
            return function(*_mapped(_outline, args), **_mapped(_outline, kwargs))
        name = f"{getattr(function, '__module__', 'numpy')}.{getattr(function, '__name__', function)}".replace(
            "numpy", "np", 1
        )
        ours = FUNCTIONS.get(function)
        if function in _WRITERS and isinstance((*args, *kwargs.values())[0], np.ndarray):
            return _written_to_an_array(function, name, args, kwargs)
        if ours is None:
            return _on_arrays(function, name, args, kwargs, False)
        if function in _REDUCERS and not kwargs.keys().isdisjoint(("where", "initial")):
            ufunc = _REDUCERS[function]
            given = {"axis": None} | dict(zip(("axis", "dtype", "out", "keepdims"), args[1:], strict=False)) | kwargs
            out = given.pop("out", None)
            return _into(out, METHODS["reduce"](ufunc, UFUNCS[ufunc], args[0], **given), name, True)
        face = _face(function, ours)
        if not kwargs and len(args) <= face.shared:
            return ours(*args)
        given = dict(zip(face.names[face.shared :], args[face.shared :], strict=False)) | kwargs
        out = given.pop("out", None)
        given = {face.renamed.get(k, k): v for k, v in given.items() if not face.says_nothing(k, v)}
        unknown = [k for k in given if k not in face.known and not face.takes_all]
        if unknown:
            detail = f" with {', '.join(f'{k}=' for k in sorted(unknown))}"
            return _on_arrays(function, name + detail, args, kwargs, True)
        return _into(out, ours(*args[: face.shared], **given), name, True)

    def __cupy_override_elementwise_kernel__(self, kernel: Any, *args: Any, **kwargs: Any) -> Any:
        """What CuPy calls when one of its functions is given a tensor."""
        name = getattr(kernel, "name", str(kernel)).removeprefix("cupy_").removeprefix("cupyx_scipy_special_")
        op = NAMES.get(name) or SPECIAL.get(name)
        if kwargs or op is None or len(args) != op.arity:
            detail = f" with {', '.join(f'{k}=' for k in sorted(kwargs))}" if kwargs else ""
            raise errors.function_refused(f"cupy.{name}{detail}", False)
        return UFUNCS.get(op.numpy, op)(*args)


@functools.cache
def _parameters(function: Callable[..., Any]) -> frozenset[str]:
    return frozenset(inspect.signature(function).parameters) if inspect.isfunction(function) else frozenset()


_SYNONYMS = {"a_min": "min", "a_max": "max"}
_HINTS = {"kind", "stable", "overwrite_input", "assume_unique", "optimize"}  # how to compute it, not what


class _Face:
    """A function of NumPy beside ours. known: the names of our arguments. names: those of NumPy's, in order. shared: how many of them
    come in the same order in ours. renamed: those that have another name in ours.
    """

    def __init__(self, theirs: Callable[..., Any], ours: Callable[..., Any]) -> None:
        mine = list(inspect.signature(ours).parameters.values())
        self.known = {p.name for p in mine}
        self.takes_all = any(p.kind is p.VAR_KEYWORD for p in mine)
        self.names: list[str] = []
        self.renamed = dict(_SYNONYMS)
        self.defaults: dict[str, Any] = {}
        self.shared = sys.maxsize
        try:
            parameters = inspect.signature(theirs).parameters.values()
        except ValueError:  # some of C have none
            return
        self.defaults = {p.name: p.default for p in parameters}
        self.names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        if any(p.kind is p.VAR_POSITIONAL for p in (*mine, *parameters)):
            return
        operands = [p.name for p in mine if p.default is p.empty]
        self.renamed |= dict(zip(self.names, [*operands, mine[0].name][: max(1, len(operands))], strict=False))
        same = [self.renamed.get(n, n) == p.name for n, p in zip(self.names, mine, strict=False)]
        self.shared = same.index(False) if False in same else len(same)

    def says_nothing(self, name: str, value: Any) -> bool:
        """Whether leaving an argument out says the same."""
        if name in self.known or self.renamed.get(name) in self.known:
            return False
        return name in _HINTS or value is self.defaults.get(name, self)


_face = functools.cache(_Face)


def _mapped(change: Callable[[Any], Any], data: Any) -> Any:
    """Nested arguments with their tensors changed."""
    if isinstance(data, Variable):
        return change(data)
    if isinstance(data, dict):
        return {k: _mapped(change, v) for k, v in data.items()}
    if type(data) in (list, tuple):
        return type(data)(_mapped(change, d) for d in data)
    return data


def _outline(t: Variable) -> Any:
    """An array of a tensor's shape and dtype that holds nothing."""
    return np.broadcast_to(np.empty((), t.dtype), t.shape)


def _on_arrays(function: Any, name: str, args: Any, kwargs: Any, known: bool) -> Any:
    """NumPy's own function on the arrays of tensors on the CPU that need no gradient; an error that names it for others."""
    found: list[Variable] = []
    _mapped(found.append, (args, kwargs))
    if any(t._value.requires_grad for t in found) or any(t.device.name.startswith("cuda") for t in found):
        raise errors.function_refused(name, known)
    return function(*_mapped(on_host, args), **_mapped(on_host, kwargs))


def _written_to_an_array(function: Any, name: str, args: Any, kwargs: Any) -> Any:
    found: list[Variable] = []
    _mapped(found.append, (args, kwargs))
    if any(t._value.requires_grad for t in found):
        raise errors.gradient_lost(
            f"writing to a NumPy array by {name}", "t.detach(), or write to a tensor, gg.zeros(...)"
        )
    return function(*_mapped(on_host, args), **_mapped(on_host, kwargs))


def _into(out: Any, result: Any, name: str, exact: bool = False) -> Any:
    """The result, or where the user wanted it: written to a tensor, or to an array if no gradient is lost by that. One for each of several.

    exact: it must have the shape of the result.
    """
    if isinstance(out, tuple):
        if isinstance(result, tuple):
            return tuple(_into(o, r, name, exact) for o, r in zip(out, result, strict=True))
        (out,) = out
    if out is None:
        return result
    if exact and np.shape(out) != np.shape(result):
        raise errors.bad_shape(
            name, f"an `out` of shape {np.shape(out)} does not fit a result of shape {np.shape(result)}."
        )
    if isinstance(out, Variable):
        out[...] = result  # type: ignore[index]  # a tensor
        return out
    if isinstance(result, Variable):
        if result._value.requires_grad:
            raise errors.gradient_lost(f"writing the result of {name} to a NumPy array", "t.detach()")
        result = on_host(result)
    np.copyto(out, result, casting="same_kind")
    return out
