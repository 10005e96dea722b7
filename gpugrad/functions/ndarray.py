"""What `numpy.ndarray` has beside its functions: the other attributes and methods of a tensor, by NumPy's names.

What gives bytes, buffers or files away is data without gradients, and raises GraphError for a tensor that requires grad.
"""

from __future__ import annotations

import builtins
import html
from collections.abc import Iterator
from typing import Any, NoReturn

import numpy as np

from ..backends.devices import get_device
from ..base import errors
from ..coerce import as_dtype, on_host
from ..core.closing import close
from ..tensor import Tensor
from .creation import asarray, zeros_like
from .face import method
from .reductions import sort as sorted_copy
from .selecting import partition as partitioned
from .selecting import resize
from .shaping import ravel, reshape

# ---------------------------------------------------------------------------------------------- parts of numbers


def _real(self: Tensor) -> Tensor:
    """The real part: the tensor itself, since tensors are real."""
    return self


method("real")(property(_real))


def _imag(self: Tensor) -> Tensor:
    """The imaginary part: zeros, since tensors are real. It has no gradient."""
    return zeros_like(self.detach())


method("imag")(property(_imag))


# --------------------------------------------------------------------------------------------------- writes in place


@method("fill")
def _fill(self: Tensor, value: Any) -> None:
    """Write one number to every element. What they were takes no part in gradients any more."""
    self[...] = value


@method("sort")
def _sort(self: Tensor, axis: int = -1, kind: Any = None, order: None = None, *, stable: Any = None) -> None:
    """Sort the tensor itself along an axis, as in NumPy; `gg.sort` gives a sorted copy."""
    self[...] = sorted_copy(self, axis)


@method("partition")
def _partition(self: Tensor, kth: Any, axis: int = -1, kind: str = "introselect", order: None = None) -> None:
    """Partition the tensor itself along an axis, as in NumPy; `gg.partition` gives a copy."""
    self[...] = partitioned(self, kth, axis)


def _refused(name: str, instead: str) -> Any:
    def refuse(self: Tensor, *args: Any, **kwargs: Any) -> NoReturn:
        raise errors.bad_type(name, f"is not there for tensors: {instead}.")

    refuse.__name__ = name
    refuse.__doc__ = f"Refused: {instead}."
    return method(name)(refuse)


_refused("resize", "the shape of a tensor stays as it is; gg.resize(t, shape) gives another one")
_refused("setflags", "tensors are written to by name, t[i] = v, and never through views")
_refused(
    "getfield", "the elements of a tensor are numbers without fields; t.view(dtype) reads their bytes as another dtype"
)
_refused("setfield", "the elements of a tensor are numbers without fields; write t[i] = v")
_refused("__delitem__", "elements are not deleted in place; gg.delete(t, index) gives a tensor without them")


class Flat:
    """The elements of a tensor in order, as if it had one axis: read, written and walked through.

    >>> import gpugrad as gg
    >>> t = gg.zeros((2, 2))
    >>> t.flat[[0, 3]] = 1.0
    >>> t.tolist(), t.flat[3].item()
    ([[1.0, 0.0], [0.0, 1.0]], 1.0)
    """

    __slots__ = ("base",)
    __hash__ = None  # type: ignore[assignment]  # == compares elements

    def __init__(self, base: Tensor) -> None:
        self.base = base

    def __len__(self) -> int:
        return self.base.size

    def __iter__(self) -> Iterator[Tensor]:
        return iter(ravel(self.base))

    def __getitem__(self, index: Any) -> Tensor:
        return ravel(self.base)[index].copy()

    def __setitem__(self, index: Any, value: Any) -> None:
        flat = ravel(self.base).copy()
        flat[index] = value
        self.base[...] = reshape(flat, self.base.shape)

    def copy(self) -> Tensor:
        """The elements as a new tensor of one axis."""
        return ravel(self.base).copy()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return ravel(self.base).__array__(dtype, copy)

    def __eq__(self, other: object) -> Any:
        return ravel(self.base) == (other.copy() if isinstance(other, Flat) else other)


def _flat(self: Tensor) -> Flat:
    """The elements in order: see `Flat`."""
    return Flat(self)


def _set_flat(self: Tensor, value: Any) -> None:
    self[...] = resize(value, self.shape)


method("flat")(property(_flat, _set_flat))


# ------------------------------------------------------------------------------------------------ memory, as NumPy has it


def _base(self: Tensor) -> None:
    """None: a tensor is no window into another one."""
    return None


method("base")(property(_base))


def _strides(self: Tensor) -> tuple[int, ...]:
    """How many bytes apart neighbours are along each axis. Computes the tensor if it is pending."""
    return tuple(close(self._value).strides)


method("strides")(property(_strides))


def _flags(self: Tensor) -> Any:
    """How the elements lie in memory: those of the array, which is not written to. Computes the tensor if it is pending."""
    array = close(self._value)
    if isinstance(array, np.ndarray):
        array = array.view()
        array.flags.writeable = False
    return array.flags


method("flags")(property(_flags))


def _data(self: Tensor) -> Any:
    """The elements as a read-only buffer, as in NumPy. (The tensor without its graph, PyTorch's ``t.data``, is ``t.detach()``.)"""
    return self.numpy().data


method("data")(property(_data))


def _ctypes(self: Tensor) -> Any:
    """The memory as `ctypes` knows it; do not write to it."""
    return self.numpy().ctypes


method("ctypes")(property(_ctypes))


@method("tobytes")
def _tobytes(self: Tensor, order: Any = "C") -> bytes:
    """The bytes of the elements."""
    return builtins.bytes(self.numpy().tobytes(order))


@method("tofile")
def _tofile(self: Tensor, fid: Any, sep: str = "", format: str = "%s") -> None:
    """Write the elements to a file, as NumPy does."""
    self.numpy().tofile(fid, sep, format)


@method("dumps")
def _dumps(self: Tensor) -> bytes:
    """The elements as a pickled NumPy array."""
    return builtins.bytes(self.numpy().dumps())


@method("dump")
def _dump(self: Tensor, file: Any) -> None:
    """Write the elements to a file as a pickled NumPy array."""
    self.numpy().dump(file)


@method("byteswap")
def _byteswap(self: Tensor, inplace: bool = False) -> Tensor:
    """The elements with the bytes of each in the opposite order: other numbers, which have no gradient."""
    swapped = asarray(self.numpy().byteswap()).to(self.device)
    if inplace:
        self[...] = swapped
        return self
    return swapped


@method("view")
def _view(self: Tensor, *args: Any, dtype: Any = None, type: Any = None) -> Tensor:
    """The bytes read as another dtype, as in NumPy; with lengths, ``t.view(2, -1)``, the tensor in another shape, as in PyTorch.

    Reading bytes as another dtype has no gradient, and raises GraphError for a tensor that requires grad.
    """
    if type is not None:
        raise errors.bad_type("view", "gives a tensor: `type` is not taken.")
    if not args and dtype is None:
        return reshape(self, self.shape)
    if args and (isinstance(args[0], (int, tuple, list)) and not isinstance(args[0], bool)):
        return reshape(self, args[0] if len(args) == 1 and not isinstance(args[0], int) else args)
    wanted = as_dtype(args[0] if args else dtype)
    if wanted == self.dtype:
        return reshape(self, self.shape)
    return asarray(self.numpy().view(wanted).copy()).to(self.device)


@method("to_device")
def _to_device(self: Tensor, device: Any, /, *, stream: None = None) -> Tensor:
    """The tensor on a device, by its name in the array API standard: see `Tensor.to`."""
    return self.to(get_device(device))


# ----------------------------------------------------------------------------------------------------- Python's own


@method("__contains__")
def _contains(self: Tensor, value: Any) -> bool:
    """Whether some element is equal to the value."""
    return builtins.bool((self == value).any())


@method("__copy__")
def _copied(self: Tensor) -> Tensor:
    """What copy.copy gives: a copy that is connected to this tensor in the graph."""
    return self.copy()


@method("_repr_html_")
def _repr_html(self: Tensor) -> str:
    """What notebooks show: shape, dtype, device and the elements."""
    shape = " × ".join(map(str, self.shape)) or "0-d"
    parts = [f"<b>{html.escape(self.name)}</b>"] if self.name else []
    parts += [f"tensor {shape}", self.dtype.name, html.escape(self.device.name)]
    if self.requires_grad:
        parts.append("leaf, requires grad" if self.is_leaf else "computed, requires grad")
    text = np.array2string(on_host(self), separator=", ", threshold=200, edgeitems=3)
    return f'<div style="font-size: small; color: #666">{" · ".join(parts)}</div><pre style="margin: 0.2em 0">{html.escape(text)}</pre>'
