"""Tensors from shapes and ranges."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..backends.devices import default_device, get_device
from ..base.shapes import as_shape
from ..tensor import Tensor, as_dtype, as_tensors, leaf, tensor


def _filled(name: str, shape: Any, value: Any, dtype: Any, device: Any, requires_grad: bool) -> Tensor:
    where = default_device() if device is None else get_device(device)
    kind = np.asarray(value).dtype if dtype is None else as_dtype(dtype)
    array = where.backend.full(as_shape(name, shape), np.asarray(value).astype(kind)[()], kind)
    return leaf(array, where, requires_grad, True)


def _made(function: Callable[[Any], Any], dtype: Any, device: Any, requires_grad: bool) -> Tensor:
    where_to = default_device() if device is None else get_device(device)
    array = function(None if dtype is None else as_dtype(dtype))
    return tensor(array, device=where_to, requires_grad=requires_grad)


def zeros(shape: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of zeros (float64 if no dtype is given).

    >>> import gpugrad as gg
    >>> gg.zeros(2)
    tensor([0., 0.], device='cpu')
    """
    return _filled("zeros", shape, 0.0, dtype, device, requires_grad)


def ones(shape: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of ones (float64 if no dtype is given).

    >>> import gpugrad as gg
    >>> gg.ones(2, dtype="int64")
    tensor([1, 1], device='cpu')
    """
    return _filled("ones", shape, 1.0, dtype, device, requires_grad)


def full(shape: Any, fill_value: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of one value.

    >>> import gpugrad as gg
    >>> gg.full((2,), 7.0)
    tensor([7., 7.], device='cpu')
    """
    value = fill_value._host() if isinstance(fill_value, Tensor) else fill_value
    return _made(lambda d: np.full(as_shape("full", shape), value, d), dtype, device, requires_grad)


def empty(shape: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor whose elements are whatever was in memory.

    >>> import gpugrad as gg
    >>> gg.empty((2, 3)).shape
    (2, 3)
    """
    return _made(lambda d: np.empty(as_shape("empty", shape), d), dtype, device, requires_grad)


def arange(
    start: Any, stop: Any = None, step: Any = 1, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Evenly spaced numbers from start up to, not including, stop.

    >>> import gpugrad as gg
    >>> gg.arange(3)
    tensor([0, 1, 2], device='cpu')
    """
    first: Any
    first, last = (0, start) if stop is None else (start, stop)
    return _made(lambda d: np.arange(first, last, step, dtype=d), dtype, device, requires_grad)


def linspace(start: Any, stop: Any, num: int = 50, endpoint: bool = True, dtype: Any = None, device: Any = None,
             requires_grad: bool = False) -> Tensor:  # fmt: skip
    """`num` evenly spaced numbers from start to stop.

    >>> import gpugrad as gg
    >>> gg.linspace(0, 1, 3)
    tensor([0. , 0.5, 1. ], device='cpu')
    """
    return _made(lambda d: np.linspace(start, stop, num, endpoint, dtype=d), dtype, device, requires_grad)


def eye(
    N: int, M: int | None = None, k: int = 0, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Ones on a diagonal, zeros elsewhere.

    >>> import gpugrad as gg
    >>> gg.eye(2)
    tensor([[1., 0.],
            [0., 1.]], device='cpu')
    """
    return _made(lambda d: np.eye(N, M, k, dtype=float if d is None else d), dtype, device, requires_grad)


def _like(make: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def function(x: Any, *args: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
        (x,) = as_tensors(x)
        return make(
            x.shape,
            *args,
            dtype=x.dtype if dtype is None else dtype,
            device=device or x.device,
            requires_grad=requires_grad,
        )

    function.__name__ = f"{make.__name__}_like"
    arguments = ", 7.0" if make is full else ""
    function.__doc__ = f"""Like `{make.__name__}`, with the shape, and unless given the dtype and device, of x.

    >>> import gpugrad as gg
    >>> gg.{make.__name__}_like(gg.zeros((2, 3)){arguments}).shape
    (2, 3)
    """
    return function


zeros_like, ones_like, full_like, empty_like = _like(zeros), _like(ones), _like(full), _like(empty)
