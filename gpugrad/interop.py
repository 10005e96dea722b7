"""How a tensor leaves: as a number, as an array of NumPy or CuPy, through the protocols of other libraries.

A gradient never leaves without a word. What has a name that says so, `item`, `tolist`, `print`, comparisons, gives the number; whatever
would turn a tensor that requires grad into a bare number or array on the way to something else raises GraphError.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from .base import errors
from .base.frames import asking_library
from .coerce import on_host
from .core.closing import close
from .core.variable import Variable


class Leaving(Variable):
    """The conversions of a tensor."""

    __slots__ = ("_exported",)
    __array_priority__ = 1000
    __pandas_priority__ = 5000  # so that a series times a tensor is what a tensor times a series is: a tensor

    @property
    def requires_grad(self) -> bool:
        """True if gradients reach this tensor."""
        return self._value.requires_grad

    def _host(self) -> Any:
        return on_host(self)

    def numpy(self) -> Any:
        """The elements as a read-only NumPy array, without a copy where the device allows it.

        Raises GraphError for a tensor that requires grad: say `t.detach().numpy()`.
        """
        if self.requires_grad:
            raise errors.gradient_lost("numpy()", "t.detach().numpy()")
        view = on_host(self).view()
        view.flags.writeable = False
        return view

    def cupy(self) -> Any:
        """The elements as a CuPy array, without a copy. Do not write to it: CuPy has no read-only arrays.

        Raises DeviceError for a tensor that is not on a GPU, GraphError for one that requires grad.
        """
        if not self.device.name.startswith("cuda"):
            raise errors.DeviceError(f"cupy() needs a tensor on a GPU, not on {self.device}: say t.cuda() first.")
        if self.requires_grad:
            raise errors.gradient_lost("cupy()", "t.detach().cupy()")
        array = close(self._value)
        self._value.owned = False  # whoever has it may keep it
        return array.view()

    @property
    def __cuda_array_interface__(self) -> Any:
        # Not there, rather than an error: whoever asks, CuPy among them, then tries the other protocols.
        if not self.device.name.startswith("cuda"):
            raise AttributeError("a tensor on the CPU has no __cuda_array_interface__")
        if self.requires_grad:
            raise AttributeError("a tensor that requires grad has no __cuda_array_interface__: say t.detach()")
        array = self.cupy()
        # Who asked holds this tensor, not the array: what a later write gives it instead must not free that.
        exported = getattr(self, "_exported", ())
        if not exported or exported[-1].data.ptr != array.data.ptr:
            self._exported = (*exported, array)
        return array.__cuda_array_interface__

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        if self.requires_grad:
            raise errors.gradient_lost(
                "making a NumPy array of it (np.asarray, a[i] = t, a function that takes no tensors)",
                "t.detach().numpy()",
                asking_library(),
            )
        if self.device.name.startswith("cuda"):
            raise errors.DTypeError(
                f"np.asarray of a tensor on {self.device}: NumPy arrays are on the CPU. Say t.cpu() for a tensor there, t.numpy() for a "
                f"copy as an array, or t.cupy() for the array on the GPU."
            )
        array = self.numpy()
        if (dtype is not None and np.dtype(dtype) != array.dtype) or copy:
            return array.astype(dtype or array.dtype)
        return array

    def __dlpack__(self, **kwargs: Any) -> Any:
        if self.device.name.startswith("cuda"):
            return self.cupy().__dlpack__(**kwargs)
        array = self.numpy()
        version = kwargs.get("max_version")
        if (version is None or version[0] < 1) and kwargs.get("copy") is not False:
            return array.copy().__dlpack__(
                **{**kwargs, "copy": None}
            )  # before version 1 nobody could be told not to write to it
        self._value.owned = False  # whoever imports it may keep the pointer
        return array.__dlpack__(**kwargs)

    def __dlpack_device__(self) -> Any:
        kind, _, index = self.device.name.partition(":")
        return (2, int(index)) if kind == "cuda" else (1, 0)  # as DLPack numbers them

    def item(self) -> Any:
        """The one element, as a Python number: no gradient goes with it. Raises ShapeError if there are more or fewer."""
        if self.size != 1:
            raise errors.ShapeError(
                f"item() needs a tensor with exactly one element; this one has shape {self.shape}. Index it or reduce it first."
            )
        return on_host(self).item()

    def tolist(self) -> Any:
        """The elements as (nested lists of) Python numbers: no gradient goes with them."""
        return on_host(self).tolist()

    def _number(self, what: str) -> Any:
        if self.requires_grad:
            raise errors.gradient_lost(what, "t.item()")
        return self.item()

    def __bool__(self) -> bool:
        if self.size != 1:
            raise errors.ShapeError(
                f"the truth value of a tensor of shape {self.shape} is ambiguous: use t.any() or t.all()."
            )
        return bool(self.item())

    def __int__(self) -> int:
        return int(self._number("int()"))

    def __float__(self) -> float:
        return float(self._number("float()"))

    def __complex__(self) -> complex:
        return complex(self._number("complex()"))

    def __index__(self) -> int:
        if self.dtype.kind not in "iu" or self.shape:
            raise errors.bad_type(
                "index", f"only a 0-d integer tensor can be an index, not {self.dtype} of shape {self.shape}."
            )
        return operator.index(self.item())

    def __repr__(self) -> str:
        host = on_host(self)
        text = np.array2string(host, separator=", ", prefix="tensor(")
        dtype = "" if host.dtype.name in ("float64", "int64", "bool") and host.size else f", dtype={host.dtype.name}"
        grad = ", requires_grad=True" if self.requires_grad else ""
        return f"tensor({text}{dtype}, device={self.device.name!r}{grad})"

    def __str__(self) -> str:
        return str(on_host(self))

    def __format__(self, spec: str) -> str:
        return format(self.item() if self.size == 1 and spec else str(self), spec)
