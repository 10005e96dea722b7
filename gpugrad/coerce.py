"""What users give, as what the library takes: operands, dtypes, data that must be read on the host."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .backends.devices import Device, default_device, device_array, device_of
from .base import errors
from .base.shapes import DType, is_float
from .core.closing import close
from .core.value import Value, constant
from .core.variable import Variable
from .ops import structural
from .ops.op import Op, cast

_REAL_KINDS = "biuf"


class Wrapped(errors.DTypeError):
    """An operand that holds arrays under names of axes, as xarray's do: it is to compute, and may hold the tensor."""

    def __init__(self, wrapper: Any) -> None:
        super().__init__(
            f"{type(wrapper).__name__} has named axes and computes itself: use operators and NumPy's functions, or its array, a.data."
        )
        self.wrapper = wrapper

    def compute(self, op: Any, args: Sequence[Any]) -> Any:
        if type(op) is Op and op.is_ufunc:
            return self.wrapper.__array_ufunc__(op.numpy, "__call__", *args)
        raise errors.bad_type(op.name, str(self)) from None


def operand(a: Any, device: Device) -> Value:
    """An operand beside a tensor: a variable's value; plain data is copied to the tensor's device.

    Raises DTypeError for what is not numbers, DeviceError for an array of another device.
    """
    if isinstance(a, Variable):
        return a._value
    if type(a) in (list, tuple) and holds_variables(a):
        return stacked(a, device)
    array = a if isinstance(a, np.ndarray) else device_array(a)
    if array is None:
        if hasattr(a, "__array_ufunc__") and hasattr(a, "dims"):
            raise Wrapped(a)
        array = as_array(a)
    elif array is not a or not isinstance(a, np.ndarray):
        where = device_of(array)
        if where is not device:
            raise errors.DeviceError(
                f"an array on {where} was used with a tensor on {device}: move the tensor with t.to({str(where)!r}), or the array "
                f"with gg.asarray(a).to({str(device)!r})."
            )
    check_array(array, a)
    return constant(array, device)


def holds_variables(data: Sequence[Any]) -> bool:
    """Whether there are tensors in nested lists."""
    return any(isinstance(d, Variable) or (type(d) in (list, tuple) and holds_variables(d)) for d in data)


def stacked(data: Sequence[Any], device: Device) -> Value:
    """Nested lists with tensors among them as one value: their gradients are kept.

    Raises ShapeError for lists of different lengths, or tensors of different shapes.
    """
    parts = [Variable(operand(d, device)) for d in data]
    shapes = [p.shape for p in parts]
    if len(set(shapes)) > 1:
        raise errors.bad_shape("array", f"tensors of one shape can be stacked, not of the shapes {shapes}.")
    common = np.result_type(*[p.dtype for p in parts])
    parts = [p if p.dtype == common else cast(common)(p) for p in parts]
    rows = [structural.reshape(p, shape=(1, *shapes[0])) for p in parts]
    value: Value = structural.concatenate(*rows, axis=0)._value
    return value


def as_array(data: Any, dtype: DType | None = None) -> Any:
    """Plain data as a NumPy array. Raises DTypeError for data that are ragged or not numbers."""
    try:
        return np.asarray(data, dtype)
    except ValueError:
        raise errors.not_an_operand(data) from None


def device_among(args: Sequence[Any]) -> Device:
    """Where an op is done: on the device of the first tensor, else of the first array on a GPU, else on the default one."""
    for a in args:
        if isinstance(a, Variable):
            return a.device
        if type(a) in (list, tuple) and holds_variables(a):
            return device_among(a)
    for a in args:
        array = device_array(a)
        if array is not None:
            return device_of(array)
    return default_device()


def on_host(v: Variable) -> Any:
    """The elements of a variable as a NumPy array, computing it if it is pending."""
    return v.device.backend.to_host(close(v._value))


def host_data(a: Any) -> Any:
    """Indices, counts and the like as the host has them: a tensor or an array on a GPU is copied."""
    if isinstance(a, Variable):
        return on_host(a)
    if type(a) in (tuple, list):
        return type(a)([i if type(i) is slice or type(i) is int else host_data(i) for i in a])
    if a is None or type(a) in (int, slice):
        return a
    array = device_array(a)
    return a if array is None else device_of(array).backend.to_host(array)


def _is_held(dtype: DType) -> bool:
    return (dtype.kind in _REAL_KINDS and dtype.itemsize <= 8) or is_float(dtype)


def check_array(array: Any, given: Any) -> None:
    """Raise unless an array's dtype is one that tensors have."""
    if array.dtype.kind == "c":
        raise errors.complex_operand(array.dtype)
    if not _is_held(array.dtype):
        raise errors.not_an_operand(given)


def as_dtype(given: Any) -> DType:
    """A user's dtype argument as one that tensors have."""
    try:
        dtype = np.dtype(given)
    except TypeError:
        raise errors.bad_type("dtype", f"{given!r} is not a dtype.") from None
    if dtype.kind == "c":
        raise errors.complex_operand(dtype)
    if not _is_held(dtype):
        raise errors.bad_type("dtype", f"tensors hold booleans, integers and real floats, not {dtype}.")
    return dtype
