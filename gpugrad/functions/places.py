"""Indices of elements, computed from other indices and from orders. They have no gradient."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..base import errors
from ..coerce import device_among, host_data
from ..tensor import Tensor
from .creation import asarray, tensor
from .face import public


def _host(a: Any) -> Any:
    """Indices as the host has them."""
    return host_data(a.detach() if isinstance(a, Tensor) else a)


@public()
def ix_(*args: Any) -> tuple[Tensor, ...]:
    """Index vectors, or masks, shaped so that together they name a block: ``x[gg.ix_(rows, columns)]``. Has no gradient.

    >>> import gpugrad as gg
    >>> x = gg.arange(6).reshape(2, 3)
    >>> x[gg.ix_([1], [0, 2])]
    tensor([[3, 5]], device='cpu')
    """
    device = device_among(args)
    return tuple(tensor(a, device=device) for a in np.ix_(*map(_host, args)))


@public()
def lexsort(keys: Any, axis: int = -1) -> Tensor:
    """The indices that sort by the last of several keys, equal ones by the one before it, and so on. Has no gradient.

    >>> import gpugrad as gg
    >>> gg.lexsort([[2.0, 1.0, 0.0], [1.0, 0.0, 1.0]])
    tensor([1, 2, 0], device='cpu')
    """
    parts = [_host(k) for k in keys] if isinstance(keys, (list, tuple)) else _host(keys)
    return tensor(np.lexsort(parts, axis), device=device_among([keys] if isinstance(keys, Tensor) else list(keys)))


@public()
def ravel_multi_index(multi_index: Any, dims: Any, mode: Any = "raise", order: Any = "C") -> Tensor:
    """The places in the flattened array of elements that are named by one index per axis. Has no gradient.

    >>> import gpugrad as gg
    >>> gg.ravel_multi_index(([1, 0], [2, 1]), (2, 3))
    tensor([5, 1], device='cpu')
    """
    given = tuple(_host(i) for i in multi_index)
    try:
        found = np.ravel_multi_index(given, dims, mode, order)
    except (ValueError, TypeError) as e:
        raise errors.bad_value("ravel_multi_index", f"{e}.") from None
    return tensor(found, device=device_among(list(multi_index)))


@public()
def unravel_index(indices: Any, shape: Any, order: Any = "C") -> tuple[Tensor, ...]:
    """The index on each axis of elements that are named by their places in the flattened array. Has no gradient.

    >>> import gpugrad as gg
    >>> gg.unravel_index(5, (2, 3))
    (tensor(1, device='cpu'), tensor(2, device='cpu'))
    """
    try:
        found = np.unravel_index(_host(indices), shape, order)
    except (ValueError, TypeError) as e:
        raise errors.bad_value("unravel_index", f"{e}.") from None
    device = device_among([indices])
    return tuple(tensor(i, device=device) for i in found)


@public()
def asanyarray(a: Any, dtype: Any = None, device: Any = None, *, copy: bool | None = None) -> Tensor:
    """The same as `asarray`: a tensor has no subclasses to keep.

    >>> import gpugrad as gg, numpy as np
    >>> gg.asanyarray(np.ones(2))
    tensor([1., 1.], device='cpu')
    """
    return asarray(a, dtype, device, copy=copy)
