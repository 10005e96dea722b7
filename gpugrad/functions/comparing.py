"""Questions about elements whose answers are booleans, counts or places: they have no gradient."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arguments import as_tensors
from ..base import errors
from ..base.shapes import Axis, is_float
from ..coerce import host_data
from ..ops import elementwise as ew
from ..tensor import Tensor
from .creation import tensor
from .elementwise import nonzero
from .face import public
from .reductions import all, sum
from .shaping import ravel, stack


@public()
def isclose(a: Any, b: Any, rtol: Any = 1e-05, atol: Any = 1e-08, equal_nan: bool = False) -> Tensor:
    """Where two tensors agree: |a - b| <= atol + rtol * |b|. NaNs agree only with `equal_nan`.

    >>> import gpugrad as gg
    >>> gg.isclose([1.0, 2.0], [1.0, 2.1])
    tensor([ True, False], device='cpu')
    """
    a, b = as_tensors(a, b)
    b = b if is_float(b.dtype) else b.astype(np.float64)
    near = ew.logical_and(abs(a - b) <= atol + rtol * abs(b), ew.isfinite(b))
    found: Tensor = ew.logical_or(near, a == b)
    return ew.logical_or(found, ew.logical_and(ew.isnan(a), ew.isnan(b))) if equal_nan else found


@public()
def allclose(a: Any, b: Any, rtol: Any = 1e-05, atol: Any = 1e-08, equal_nan: bool = False) -> bool:
    """Whether two tensors agree everywhere: see `isclose`.

    >>> import gpugrad as gg
    >>> gg.allclose([1.0, 2.0], [1.0, 2.1])
    False
    """
    return bool(all(isclose(a, b, rtol, atol, equal_nan)))


@public()
def array_equal(a1: Any, a2: Any, equal_nan: bool = False) -> bool:
    """Whether two tensors have one shape and equal elements. NaNs are equal only with `equal_nan`.

    >>> import gpugrad as gg
    >>> gg.array_equal([1.0, 2.0], [1.0, 2.0])
    True
    """
    a, b = as_tensors(a1, a2)
    if a.shape != b.shape:
        return False
    same = a == b
    return bool(all(ew.logical_or(same, ew.logical_and(ew.isnan(a), ew.isnan(b))) if equal_nan else same))


@public()
def array_equiv(a1: Any, a2: Any) -> bool:
    """Whether two tensors broadcast together, and are equal then.

    >>> import gpugrad as gg
    >>> gg.array_equiv([1.0, 1.0], 1.0)
    True
    """
    a, b = as_tensors(a1, a2)
    try:
        np.broadcast_shapes(a.shape, b.shape)
    except ValueError:
        return False
    return bool(all(a == b))


@public()
def count_nonzero(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """How many elements over axes are not zero.

    >>> import gpugrad as gg
    >>> gg.count_nonzero([0.0, 3.0, 4.0])
    tensor(2, device='cpu')
    """
    (x,) = as_tensors(x)
    return sum(x != 0, axis, keepdims=keepdims)


@public()
def argwhere(x: Any) -> Tensor:
    """The indices of the elements that are not zero, one in each row.

    >>> import gpugrad as gg
    >>> gg.argwhere([0, 3, 4])
    tensor([[1],
            [2]], device='cpu')
    """
    (x,) = as_tensors(x)
    return stack(nonzero(x), 1) if x.ndim else stack(nonzero(ravel(x)), 1)[:, :0]


@public()
def flatnonzero(x: Any) -> Tensor:
    """The places of the elements of the flattened tensor that are not zero.

    >>> import gpugrad as gg
    >>> gg.flatnonzero([[0, 3], [4, 0]])
    tensor([1, 2], device='cpu')
    """
    return argwhere(ravel(x))[:, 0]


@public(method=True)
def searchsorted(a: Any, v: Any, side: str = "left", sorter: Any = None) -> Tensor:
    """Where to put elements v into a sorted vector, so that it stays sorted: before equal elements, or (side="right") after them.

    >>> import gpugrad as gg
    >>> gg.searchsorted([1.0, 2.0, 3.0], 2.5)
    tensor(2, device='cpu')
    """
    a, v = as_tensors(a, v)
    if side not in ("left", "right"):
        raise errors.bad_value("searchsorted", f"side is 'left' or 'right', not {side!r}.")
    if a.ndim != 1:
        raise errors.bad_shape("searchsorted", f"searches in a vector, not in shape {a.shape}.")
    places = np.searchsorted(host_data(a), host_data(v), side, None if sorter is None else host_data(sorter))  # type: ignore[call-overload]
    return tensor(places, device=v.device)


@public()
def digitize(x: Any, bins: Any, right: bool = False) -> Tensor:
    """The number of the bin that each element lies in, by the edges of the bins.

    >>> import gpugrad as gg
    >>> gg.digitize([0.5, 2.5], [0.0, 1.0, 2.0])
    tensor([1, 3], device='cpu')
    """
    x, bins = as_tensors(x, bins)
    if bins.ndim != 1:
        raise errors.bad_shape("digitize", f"the edges of the bins are a vector, not of shape {bins.shape}.")
    return tensor(np.digitize(host_data(x), host_data(bins), right), device=x.device)


@public()
def isin(element: Any, test_elements: Any, assume_unique: bool = False, invert: bool = False) -> Tensor:
    """Where the elements are among others; with `invert`, where they are not.

    >>> import gpugrad as gg
    >>> gg.isin([1, 2, 3], [2, 5])
    tensor([False,  True, False], device='cpu')
    """
    element, test_elements = as_tensors(element, test_elements)
    return tensor(np.isin(host_data(element), host_data(test_elements), assume_unique, invert), device=element.device)
