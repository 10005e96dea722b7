"""What the array API standard asks of a namespace: questions about dtypes and devices, of dtypes and of tensors."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..backends.devices import default_device
from ..base import gpus
from ..tensor import Tensor

__array_api_version__ = "2024.12"
_DTYPES = {
    "bool": ("bool",),
    "signed integer": ("int8", "int16", "int32", "int64"),
    "unsigned integer": ("uint8", "uint16", "uint32", "uint64"),
    "real floating": ("float32", "float64"),
    "complex floating": (),
}
_DTYPES["integral"] = _DTYPES["signed integer"] + _DTYPES["unsigned integer"]
_DTYPES["numeric"] = _DTYPES["integral"] + _DTYPES["real floating"]


def _dtype(t: Any) -> Any:
    return t.dtype if isinstance(t, Tensor) else t


def finfo(type: Any, /) -> Any:
    """The limits of a floating-point dtype, or of the dtype of a tensor: numpy.finfo.

    >>> import gpugrad.numpy as np
    >>> np.finfo(np.zeros(2, dtype=np.float32)).bits
    32
    """
    return np.finfo(_dtype(type))


def iinfo(type: Any, /) -> Any:
    """The limits of an integer dtype, or of the dtype of a tensor: numpy.iinfo.

    >>> import gpugrad.numpy as np
    >>> np.iinfo(np.int8).max
    127
    """
    return np.iinfo(_dtype(type))


def can_cast(from_: Any, to: Any, /, casting: Any = "safe") -> bool:
    """Whether a dtype, or a tensor, can become another dtype: numpy.can_cast.

    >>> import gpugrad.numpy as np
    >>> np.can_cast(np.zeros(2, dtype=np.float32), np.float64)
    True
    """
    return bool(np.can_cast(_dtype(from_), to, casting))


def result_type(*arrays_and_dtypes: Any) -> Any:
    """The dtype that tensors, arrays, dtypes and Python numbers have in common: numpy.result_type.

    >>> import gpugrad.numpy as np
    >>> np.result_type(np.zeros(2, dtype=np.float32), 1.5)
    dtype('float32')
    """
    return np.result_type(*map(_dtype, arrays_and_dtypes))


def isdtype(dtype: Any, kind: Any) -> bool:
    """Whether a dtype is of a kind: numpy.isdtype.

    >>> import gpugrad.numpy as np
    >>> np.isdtype(np.float32, "real floating")
    True
    """
    return bool(np.isdtype(np.dtype(_dtype(dtype)), kind))


class _Info:
    """What a namespace can do, in the words of the array API standard."""

    def capabilities(self) -> dict[str, Any]:
        """Indexing by masks, and shapes that depend on data, are there."""
        return {"boolean indexing": True, "data-dependent shapes": True, "max dimensions": 64}

    def default_device(self) -> str:
        """Where new tensors are made."""
        return default_device().name

    def devices(self) -> list[str]:
        """The devices that are there."""
        return ["cpu", *(f"cuda:{n}" for n in range(gpus.device_count()))]

    def default_dtypes(self, *, device: Any = None) -> dict[str, Any]:
        """The dtypes of Python's numbers and of indices."""
        return {
            "real floating": np.dtype("float64"),
            "complex floating": np.dtype("complex128"),
            "integral": np.dtype("int64"),
            "indexing": np.dtype("int64"),
        }

    def dtypes(self, *, device: Any = None, kind: Any = None) -> dict[str, Any]:
        """The dtypes that tensors have, of all kinds or of those asked for."""
        kinds = ("bool", "numeric") if kind is None else kind if isinstance(kind, tuple) else (kind,)
        return {name: np.dtype(name) for k in kinds for name in _DTYPES[k]}


def __array_namespace_info__() -> _Info:
    """What this namespace can do: devices, dtypes, capabilities."""
    return _Info()
