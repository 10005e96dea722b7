"""Tensors from data, shapes and ranges."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..arguments import as_tensor, as_tensors
from ..backends.devices import default_device, device_array, device_of, get_device
from ..base import errors
from ..base.config import config
from ..base.dtypes import computed
from ..base.shapes import as_shape, broadcast, is_float
from ..coerce import as_dtype, check_array, device_among, holds_variables, host_data
from ..core import checks
from ..core.closing import close
from ..ops import elementwise as ew
from ..tensor import Tensor, leaf
from .face import public
from .shaping import broadcast_to


@public(aliases=("array",))
def tensor(
    data: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False, name: str | None = None
) -> Tensor:
    """A tensor holding a copy of `data`: a number, an array, a tensor, or nested lists of these.

    Tensors in lists are stacked, and a tensor that requires grad is copied with its gradient: it stays in its graph.
    dtype: NumPy's choice if not given (Python floats are float64). device: the default device, or that of a tensor.
    name: what pictures and explanations of the graph call it.
    Raises DTypeError for data that are not numbers, and for requires_grad with integers or booleans; GraphError for requires_grad with
    data that have a gradient already.

    >>> import gpugrad as gg
    >>> gg.tensor([1.0, 2.0], requires_grad=True)
    tensor([1., 2.], device='cpu', requires_grad=True)
    >>> t = gg.tensor(2.0, requires_grad=True)
    >>> gg.tensor([[t, 1.0], [0.0, t * t]])
    tensor([[2., 1.],
            [0., 4.]], device='cpu', requires_grad=True)
    """
    made = _tensor(data, dtype, device, requires_grad)
    if name is not None:
        made.name = name
    return made


def _tensor(data: Any, dtype: Any, device: Any, requires_grad: bool) -> Tensor:
    if type(data) in (list, tuple) and holds_variables(data):
        data = as_tensor(data, device_among([data]))
    if isinstance(data, Tensor):
        found = data.copy() if dtype is None or as_dtype(dtype) == data.dtype else data.astype(dtype)
        return _placed(found, device, requires_grad)
    array = None if type(data) is np.ndarray else device_array(data)
    if array is not None:
        check_array(array, data)
        found = leaf(device_of(array).backend.from_host(array, None), device_of(array), False, True)
        found = found if dtype is None or as_dtype(dtype) == found.dtype else found.astype(dtype)
        return _placed(found, device, requires_grad)
    where = default_device() if device is None else get_device(device)
    try:
        array = np.array(data, None if dtype is None else as_dtype(dtype), order="C")
    except ValueError:
        raise errors.not_an_operand(data) from None
    check_array(array, data)
    return leaf(array if where.backend.xp is np else where.backend.from_host(array, None), where, requires_grad, True)


def _placed(t: Tensor, device: Any, requires_grad: bool) -> Tensor:
    """A copy on another device, and as a leaf, where that is asked for."""
    t = t if device is None else t.to(device)
    if not requires_grad:
        if not t.requires_grad:
            close(t._value)
        return t
    if t.requires_grad:
        raise errors.GraphError(
            "requires_grad=True asks for a leaf, and the data have a gradient already, which a leaf would cut off. Leave requires_grad out "
            "to stay in the graph, or say t.detach() to begin a new one."
        )
    return leaf(close(t._value), t.device, True, True)


@public()
def asarray(a: Any, dtype: Any = None, device: Any = None, *, copy: bool | None = None) -> Tensor:
    """A tensor that shares the memory of an array where it can, instead of copying. copy: True to copy always, False never.

    The caller promises not to write to the array until values and gradients have been read; with
    `gg.config.debug = 1` a broken promise is an error. gpugrad never writes to it. Never moves an array.

    >>> import gpugrad as gg, numpy as np
    >>> gg.asarray(np.ones(2))
    tensor([1., 1.], device='cpu')
    """
    if copy is not None:
        if not copy:
            _check_no_copy(a, dtype, device)
        elif not isinstance(a, Tensor):
            return tensor(a, dtype, device)
    if isinstance(a, Tensor):
        t = a if dtype is None or a.dtype == np.dtype(dtype) else a.astype(dtype)
        t = t if device is None else t.to(device)
        return t.copy() if copy and t is a else t
    if isinstance(a, np.ndarray) and (dtype is None or a.dtype == np.dtype(dtype)):
        check_array(a, a)
        where = get_device("cpu" if device is None else device)
        if where.backend.xp is np:
            t = leaf(a, where, False, False)
            if config.debug:
                checks.borrow(t._value)
            return t
    array = device_array(a)
    if array is not None and (dtype is None or array.dtype == np.dtype(dtype)):
        check_array(array, a)
        where = device_of(array)
        if device is not None and get_device(device) is not where:
            return tensor(a, dtype, device)
        if array.data.ptr % array.dtype.itemsize or any(s % array.dtype.itemsize for s in array.strides):
            raise errors.bad_value("asarray", f"its elements of {array.dtype} do not lie at multiples of their size: use gg.tensor, which copies.")  # fmt: skip
        t = leaf(array, where, False, False)
        if config.debug:
            checks.borrow(t._value)
        return t
    return tensor(a, dtype, device)


def _check_no_copy(a: Any, dtype: Any, device: Any) -> None:
    """Raise unless an array can be shared as it is."""
    if not isinstance(a, Tensor) and device_array(a) is None:
        raise errors.bad_value("asarray", "with copy=False takes arrays and tensors, whose memory can be shared.")
    if dtype is not None and np.dtype(dtype) != a.dtype:
        raise errors.bad_value("asarray", f"with copy=False cannot make {np.dtype(dtype)} of {a.dtype}.")
    where = a.device if isinstance(a, Tensor) else device_of(device_array(a))
    if device is not None and get_device(device) is not where:
        raise errors.bad_value("asarray", f"with copy=False cannot move an array from {where} to {device}.")


@public()
def from_dlpack(x: Any, /, *, device: Any = None, copy: bool | None = None) -> Tensor:
    """A tensor that shares the memory of another library's array, on the CPU or a GPU. The promise of `asarray` holds.

    device: where it is wanted. copy: True to copy always, False never.

    >>> import gpugrad as gg, numpy as np
    >>> gg.from_dlpack(np.arange(3.0))
    tensor([0., 1., 2.], device='cpu')
    """
    if not hasattr(x, "__dlpack__"):
        raise errors.bad_type("from_dlpack", f"{type(x).__name__!r} has no __dlpack__.")
    if x.__dlpack_device__()[0] in (2, 13):  # memory of a GPU, or managed by its driver
        import cupy

        return asarray(asarray(cupy.from_dlpack(x)), device=device, copy=copy)
    return asarray(asarray(np.from_dlpack(x), device="cpu"), device=device, copy=copy)


def _filled(name: str, shape: Any, value: Any, dtype: Any, device: Any, requires_grad: bool) -> Tensor:
    where = default_device() if device is None else get_device(device)
    kind = np.asarray(value).dtype if dtype is None else as_dtype(dtype)
    array = where.backend.full(as_shape(name, shape), np.asarray(value).astype(kind)[()], kind)
    return leaf(array, where, requires_grad, True)


def _made(function: Callable[[Any], Any], dtype: Any, device: Any, requires_grad: bool) -> Tensor:
    where_to = default_device() if device is None else get_device(device)
    array = function(None if dtype is None else as_dtype(dtype))
    return tensor(array, device=where_to, requires_grad=requires_grad)


@public()
def zeros(shape: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of zeros (float64 if no dtype is given).

    >>> import gpugrad as gg
    >>> gg.zeros(2)
    tensor([0., 0.], device='cpu')
    """
    return _filled("zeros", shape, 0.0, dtype, device, requires_grad)


@public()
def ones(shape: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of ones (float64 if no dtype is given).

    >>> import gpugrad as gg
    >>> gg.ones(2, dtype="int64")
    tensor([1, 1], device='cpu')
    """
    return _filled("ones", shape, 1.0, dtype, device, requires_grad)


@public()
def full(shape: Any, fill_value: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of one value, or of values that are repeated to the shape. A tensor gives it its gradient.

    >>> import gpugrad as gg
    >>> gg.full((2,), 7.0)
    tensor([7., 7.], device='cpu')
    """
    if isinstance(fill_value, Tensor) and fill_value.requires_grad:
        return _placed(_tensor(broadcast_to(fill_value, shape), dtype, None, False), device, requires_grad)
    value = fill_value._host() if isinstance(fill_value, Tensor) else fill_value
    return _made(lambda d: np.full(as_shape("full", shape), value, d), dtype, device, requires_grad)


@public()
def empty(shape: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor whose elements are whatever was in memory.

    >>> import gpugrad as gg
    >>> gg.empty((2, 3)).shape
    (2, 3)
    """
    return _made(lambda d: np.empty(as_shape("empty", shape), d), dtype, device, requires_grad)


@public()
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
    if any(isinstance(a, Tensor) and a.requires_grad for a in (first, last, step)):
        first, last, step = as_tensors(first, last, step)
        count = np.arange(first.item(), last.item(), step.item()).size
        places = arange(count, dtype=np.result_type(first.dtype, step.dtype), device=first.device)
        return _placed(_tensor(first + step * places, dtype, None, False), device, requires_grad)
    return _made(lambda d: np.arange(*host_data((first, last, step)), dtype=d), dtype, device, requires_grad)


@public()
def linspace(start: Any, stop: Any, num: int = 50, endpoint: bool = True, dtype: Any = None, device: Any = None,
             requires_grad: bool = False, *, retstep: bool = False, axis: int = 0) -> Any:  # fmt: skip
    """`num` evenly spaced numbers from start to stop, which may be tensors: their gradients are kept.

    retstep: return the distance, too. axis: where the numbers lie in the result, of starts and stops that are no numbers.

    >>> import gpugrad as gg
    >>> gg.linspace(0, 1, 3)
    tensor([0. , 0.5, 1. ], device='cpu')
    """
    if retstep or axis:
        line = linspace(start, stop, num, endpoint, dtype, device, requires_grad)
        if axis:
            order = list(range(1, line.ndim))
            order.insert(axis % line.ndim, 0)
            line = line.transpose(order)
        steps = num - 1 if endpoint else num
        begin, end = as_tensors(start, stop)
        return (line, (end - begin) / steps if steps else (end - begin) * np.nan) if retstep else line
    if not any(isinstance(a, Tensor) and a.requires_grad for a in (start, stop)):
        first, last = host_data((start, stop))
        return _made(lambda d: np.linspace(first, last, num, endpoint, dtype=d), dtype, device, requires_grad)
    start, stop = as_tensors(start, stop)
    places = arange(num, dtype=np.result_type(start.dtype, stop.dtype, np.float32), device=start.device)
    places = places.reshape((num,) + (1,) * max(start.ndim, stop.ndim))
    steps = num - 1 if endpoint else num
    line = start + (stop - start) / max(steps, 1) * places
    if endpoint and num > 1:  # the last one is `stop` itself
        line = ew.where(places == num - 1, stop, line)
    common = np.result_type(start.dtype, stop.dtype)
    return _placed(
        _tensor(line, common if dtype is None and is_float(common) else dtype, None, False), device, requires_grad
    )


@public()
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


@public()
def zeros_like(
    x: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False, *, shape: Any = None
) -> Tensor:
    """Like `zeros`, with the shape, dtype and device of x, unless they are given.

    >>> import gpugrad as gg
    >>> gg.zeros_like(gg.zeros((2, 3))).shape
    (2, 3)
    """
    (x,) = as_tensors(x)
    return zeros(x.shape if shape is None else shape, *_like(x, dtype, device), requires_grad)


@public()
def ones_like(
    x: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False, *, shape: Any = None
) -> Tensor:
    """Like `ones`, with the shape, dtype and device of x, unless they are given.

    >>> import gpugrad as gg
    >>> gg.ones_like(gg.zeros((2, 3))).shape
    (2, 3)
    """
    (x,) = as_tensors(x)
    return ones(x.shape if shape is None else shape, *_like(x, dtype, device), requires_grad)


@public()
def full_like(
    x: Any, fill_value: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False, *, shape: Any = None
) -> Tensor:
    """Like `full`, with the shape, dtype and device of x, unless they are given.

    >>> import gpugrad as gg
    >>> gg.full_like(gg.zeros((2, 3)), 7.0).shape
    (2, 3)
    """
    (x,) = as_tensors(x)
    return full(x.shape if shape is None else shape, fill_value, *_like(x, dtype, device), requires_grad)


@public()
def empty_like(
    x: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False, *, shape: Any = None
) -> Tensor:
    """Like `empty`, with the shape, dtype and device of x, unless they are given.

    >>> import gpugrad as gg
    >>> gg.empty_like(gg.zeros((2, 3))).shape
    (2, 3)
    """
    (x,) = as_tensors(x)
    return empty(x.shape if shape is None else shape, *_like(x, dtype, device), requires_grad)


def _like(x: Tensor, dtype: Any, device: Any) -> tuple[Any, Any]:
    return x.dtype if dtype is None else dtype, x.device if device is None else device


@public()
def logspace(start: Any, stop: Any, num: int = 50, endpoint: bool = True, base: Any = 10.0, dtype: Any = None, device: Any = None,
             requires_grad: bool = False) -> Tensor:  # fmt: skip
    """`num` numbers, evenly spaced on a logarithmic scale, from base**start to base**stop. Gradients go to all three.

    >>> import gpugrad as gg
    >>> gg.logspace(0, 2, 3)
    tensor([  1.,  10., 100.], device='cpu')
    """
    if np.ndim(base):
        (base, start, stop) = as_tensors(base, start, stop)
        start, stop = (broadcast_to(t, broadcast("logspace", t.shape, base.shape)) for t in (start, stop))
    line = linspace(start, stop, num, endpoint, device=device)
    base = base if type(base) in (int, float) else as_tensors(line, base)[1]
    return _placed(_tensor(ew.power(base, line), dtype, None, False), device, requires_grad)


@public()
def geomspace(start: Any, stop: Any, num: int = 50, endpoint: bool = True, dtype: Any = None, device: Any = None,
              requires_grad: bool = False) -> Tensor:  # fmt: skip
    """`num` numbers from start to stop, each the last one times the same factor. Gradients go to both.

    Raises ShapeError for ends that are 0 or differ in sign.

    >>> import gpugrad as gg
    >>> gg.geomspace(1, 1000, 4)
    tensor([   1.,   10.,  100., 1000.], device='cpu')
    """
    start, stop = as_tensors(start, stop)
    signs = [np.sign(host_data(e.detach())) for e in (start, stop)]
    if not ((signs[0] == signs[1]) & (signs[0] != 0)).all():
        raise errors.bad_value("geomspace", "the ends must have the same sign, and must not be 0.")
    common = np.result_type(start.dtype, stop.dtype)
    out = as_dtype(dtype) if dtype is not None else common if is_float(common) else np.dtype(np.float64)
    start, stop = (e.astype(computed(out) if is_float(out) else np.float64) for e in (start, stop))
    share = linspace(0, 1, num, endpoint, device=start.device)
    share = share.astype(start.dtype).reshape((num,) + (1,) * max(start.ndim, stop.ndim))
    line = ew.power(ew.absolute(start), 1 - share) * ew.power(ew.absolute(stop), share) * ew.sign(start)
    line = ew.where(share == 0, start, line)  # the ends themselves
    if endpoint and num > 1:
        line = ew.where(share == 1, stop, line)
    return _placed(_tensor(line, out, None, False), device, requires_grad)


@public()
def identity(n: int, dtype: Any = None, device: Any = None) -> Tensor:
    """The identity matrix.

    >>> import gpugrad as gg
    >>> gg.identity(2)
    tensor([[1., 0.],
            [0., 1.]], device='cpu')
    """
    return eye(n, dtype=dtype, device=device)


@public()
def tri(N: int, M: int | None = None, k: int = 0, dtype: Any = None, device: Any = None) -> Tensor:
    """A matrix with ones on and below the k-th diagonal, zeros above it.

    >>> import gpugrad as gg
    >>> gg.tri(2, 3)
    tensor([[1., 0., 0.],
            [1., 1., 0.]], device='cpu')
    """
    return _made(lambda d: np.tri(N, M, k, np.float64 if d is None else d), dtype, device, False)


@public()
def copy(a: Any) -> Tensor:
    """The same values under another name. Gradient: g.

    >>> import gpugrad as gg
    >>> gg.copy([1.0, 2.0])
    tensor([1., 2.], device='cpu')
    """
    return tensor(a)


@public()
def astype(x: Any, dtype: Any, /, *, copy: bool = True, device: Any = None) -> Tensor:
    """A tensor of another dtype; the gradient comes back in that of x. copy: False gives x itself where it has the dtype.

    >>> import gpugrad as gg
    >>> gg.astype([1.5, -1.5], "int64")
    tensor([ 1, -1], device='cpu')
    """
    return asarray(x, dtype, device) if not copy else tensor(x, dtype, device)
