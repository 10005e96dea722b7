"""Tensors as sets of numbers: the different elements, and what two have in common."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..arguments import as_tensors
from ..coerce import host_data
from ..tensor import Tensor
from .creation import tensor
from .face import public
from .indexing import take
from .shaping import concatenate, ravel


class UniqueAllResult(NamedTuple):
    """What `unique_all` returns."""

    values: Tensor
    indices: Tensor
    inverse_indices: Tensor
    counts: Tensor


class UniqueCountsResult(NamedTuple):
    """What `unique_counts` returns."""

    values: Tensor
    counts: Tensor


class UniqueInverseResult(NamedTuple):
    """What `unique_inverse` returns."""

    values: Tensor
    inverse_indices: Tensor


def _unique(x: Any, axis: int | None = None, equal_nan: bool = True) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    (x,) = as_tensors(x)
    _, first, inverse, counts = np.unique(
        host_data(x.detach()),
        return_index=True,
        return_inverse=True,
        return_counts=True,
        axis=axis,
        equal_nan=equal_nan,
    )
    return take(x, first, axis), *(tensor(p, device=x.device) for p in (first, inverse, counts))  # type: ignore[return-value]


@public()
def unique(
    ar: Any,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
    equal_nan: bool = True,
) -> Any:
    """The different elements, sorted; along an axis, the different slices. Gradient: to the first of each.

    With `return_index`, `return_inverse` and `return_counts` a tuple with where the first of each was, which of them each element is, and
    how often each occurs.

    >>> import gpugrad as gg
    >>> gg.unique([2.0, 1.0, 2.0], return_counts=True)
    (tensor([1., 2.], device='cpu'), tensor([1, 2], device='cpu'))
    """
    found, *more = _unique(ar, axis, equal_nan)
    asked = [m for m, wanted in zip(more, (return_index, return_inverse, return_counts), strict=True) if wanted]
    return (found, *asked) if asked else found


@public()
def unique_all(x: Any) -> UniqueAllResult:
    """The different elements, where the first of each was, which of them each element is, and how often each occurs.

    >>> import gpugrad as gg
    >>> gg.unique_all([2.0, 1.0, 2.0]).counts
    tensor([1, 2], device='cpu')
    """
    return UniqueAllResult(*_unique(x, None, False))


@public()
def unique_counts(x: Any) -> UniqueCountsResult:
    """The different elements, and how often each occurs.

    >>> import gpugrad as gg
    >>> gg.unique_counts([2.0, 1.0, 2.0]).values
    tensor([1., 2.], device='cpu')
    """
    values, _, _, counts = _unique(x, None, False)
    return UniqueCountsResult(values, counts)


@public()
def unique_inverse(x: Any) -> UniqueInverseResult:
    """The different elements, and which of them each element is.

    >>> import gpugrad as gg
    >>> gg.unique_inverse([2.0, 1.0, 2.0]).inverse_indices
    tensor([1, 0, 1], device='cpu')
    """
    values, _, inverse, _ = _unique(x, None, False)
    return UniqueInverseResult(values, inverse)


@public()
def unique_values(x: Any) -> Tensor:
    """The different elements.

    >>> import gpugrad as gg
    >>> gg.unique_values([2.0, 1.0, 2.0])
    tensor([1., 2.], device='cpu')
    """
    return _unique(x, None, False)[0]


@public()
def union1d(ar1: Any, ar2: Any) -> Tensor:
    """The different elements of two tensors together, sorted. Gradient: to the first of each.

    >>> import gpugrad as gg
    >>> gg.union1d([3.0, 1.0], [2.0, 1.0])
    tensor([1., 2., 3.], device='cpu')
    """
    return _unique(concatenate([ravel(x) for x in as_tensors(ar1, ar2)]))[0]


@public()
def intersect1d(ar1: Any, ar2: Any, assume_unique: bool = False, return_indices: bool = False) -> Any:
    """The elements that are in both, sorted. Gradient: to those of the first.

    With `return_indices` a tuple with where the first of each was in both.

    >>> import gpugrad as gg
    >>> gg.intersect1d([3.0, 1.0, 2.0], [2.0, 3.0])
    tensor([2., 3.], device='cpu')
    """
    a, b = (ravel(x) for x in as_tensors(ar1, ar2))
    _, first, second = np.intersect1d(host_data(a.detach()), host_data(b.detach()), assume_unique, return_indices=True)
    found = take(a, first).astype(np.result_type(a.dtype, b.dtype))
    return (found, tensor(first, device=a.device), tensor(second, device=a.device)) if return_indices else found


@public()
def setdiff1d(ar1: Any, ar2: Any, assume_unique: bool = False) -> Tensor:
    """The different elements of the first that are not in the second, sorted. Gradient: to the first of each.

    >>> import gpugrad as gg
    >>> gg.setdiff1d([3.0, 1.0, 2.0], [2.0])
    tensor([1., 3.], device='cpu')
    """
    a, b = (ravel(x) for x in as_tensors(ar1, ar2))
    left = a if assume_unique else _unique(a)[0]
    return take(left, np.flatnonzero(np.isin(host_data(left.detach()), host_data(b.detach()), invert=True)))


@public()
def setxor1d(ar1: Any, ar2: Any, assume_unique: bool = False) -> Tensor:
    """The elements that are in one of two, and not in both, sorted. Gradient: to the first of each.

    >>> import gpugrad as gg
    >>> gg.setxor1d([3.0, 1.0, 2.0], [2.0, 5.0])
    tensor([1., 3., 5.], device='cpu')
    """
    a, b = (ravel(x) for x in as_tensors(ar1, ar2))
    both = concatenate([a, b] if assume_unique else [_unique(a)[0], _unique(b)[0]])
    found, _, _, counts = _unique(both)
    return take(found, np.flatnonzero(host_data(counts) == 1))
