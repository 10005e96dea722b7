"""Histograms: how often numbers occur, or what weighs on them; and functions applied along axes."""

from __future__ import annotations

import builtins
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..arguments import as_tensors
from ..base import errors
from ..base.shapes import is_float, normalize_axis
from ..coerce import host_data
from ..ops import structural
from ..tensor import Tensor
from .creation import linspace, tensor, zeros
from .differences import diff
from .face import public
from .reductions import max, min
from .shaping import expand_dims, moveaxis, ravel, reshape, stack


def _counted(places: Any, size: int, weights: Tensor | None, device: Any) -> Tensor:
    """For each of `size` places how often it occurs, or the sum of the weights there."""
    if weights is None:
        return tensor(np.bincount(places, minlength=size), device=device)
    found: Tensor = structural.index_add(zeros(size, weights.dtype, device), weights, index=places)
    return found


@public()
def bincount(x: Any, weights: Any = None, minlength: int = 0) -> Tensor:
    """How often each of the numbers 0, 1, 2, ... occurs; with weights, the sum of the weights of each. Gradient, of these: g[x].

    Raises DTypeError for what are no integers, ShapeError for negative ones or weights of another length.

    >>> import gpugrad as gg
    >>> gg.bincount([0, 1, 1, 3], weights=[0.5, 1.0, 2.0, 4.0])
    tensor([0.5, 3. , 0. , 4. ], device='cpu')
    """
    (x,) = as_tensors(x)
    places = host_data(x)
    if places.dtype.kind not in "iub" or x.ndim != 1:
        raise errors.bad_type("bincount", f"takes a vector of integers, not {x.dtype} of shape {x.shape}.")
    places = places.astype(np.int64)
    if places.size and places.min() < 0:
        raise errors.bad_shape("bincount", "counts no negative numbers.")
    if minlength < 0:
        raise errors.bad_value("bincount", f"minlength must not be negative, and is {minlength}.")
    size = builtins.max(int(places.max()) + 1 if places.size else 0, minlength)
    if weights is None:
        return _counted(places, size, None, x.device)
    (weights,) = as_tensors(x, weights)[1:]
    if weights.shape != x.shape:
        raise errors.bad_shape("bincount", f"weights of shape {weights.shape} do not fit numbers of shape {x.shape}.")
    return _counted(places, size, weights.astype(np.float64), x.device)


@public()
def histogram_bin_edges(a: Any, bins: Any = 10, range: Any = None, weights: Any = None) -> Tensor:
    """The edges between the bins of a histogram: the `bins` given, or so many of equal width, or as a rule of NumPy's, named by a string, has it.

    Without a `range`, they go from the smallest number to the largest, and have gradients to these.

    >>> import gpugrad as gg
    >>> gg.histogram_bin_edges([0.0, 1.0, 4.0], 4)
    tensor([0., 1., 2., 3., 4.], device='cpu')
    """
    (a,) = as_tensors(a)
    if np.ndim(bins):
        (edges,) = as_tensors(a, bins)[1:]
        if edges.ndim != 1 or (np.diff(host_data(edges.detach())) < 0).any():
            raise errors.bad_shape("histogram", "the edges of the bins are a vector that does not fall.")
        return edges
    bins = bins if isinstance(bins, str) else host_data(bins)
    known = host_data(a.detach() if a.dtype != bool else a.astype(np.uint8))
    count = np.histogram_bin_edges(known, bins, range, None if weights is None else host_data(weights)).size - 1
    first: Any
    last: Any
    if range is not None or not a.size:
        first, last = (0.0, 1.0) if range is None else map(float, range)
    elif a.requires_grad:
        first, last = min(a), max(a)
    else:
        first, last = known.min(), known.max()
    if float(host_data(first)) == float(host_data(last)):
        first, last = first - 0.5, last + 0.5
    return linspace(first, last, count + 1, dtype=a.dtype if is_float(a.dtype) else None, device=a.device)


def _bins(edges: Tensor, x: Any) -> Any:
    """The bin of each number, from 0; -1 for one that is in none. The last bin holds its upper edge, too."""
    known = host_data(edges.detach())
    found = np.searchsorted(known, x, side="right") - 1
    found[x == known[-1]] = known.size - 2
    found[(x < known[0]) | (x > known[-1]) | np.isnan(x)] = -1
    return found


@public()
def histogram(
    a: Any, bins: Any = 10, range: Any = None, density: bool = False, weights: Any = None
) -> tuple[Tensor, Tensor]:
    """How many numbers are in each bin, or what they weigh, and the edges of the bins: see `histogram_bin_edges`.

    density: divided by the width of the bin and by the sum of all. Gradients: to the weights, and through the edges; that of the count
    is 0.

    >>> import gpugrad as gg
    >>> gg.histogram([1.0, 2.0, 1.0], [0.0, 1.5, 3.0])
    (tensor([2, 1], device='cpu'), tensor([0. , 1.5, 3. ], device='cpu'))
    """
    (a,) = as_tensors(a)
    if weights is not None and np.shape(weights) != a.shape:
        raise errors.bad_shape(
            "histogram", f"weights of shape {np.shape(weights)} do not fit numbers of shape {a.shape}."
        )
    edges = histogram_bin_edges(a, bins, range, weights)
    return _histogram("histogram", expand_dims(ravel(a), 1), [edges], density, weights)[0], edges


def _histogram(
    op: str, sample: Tensor, edges: list[Tensor], density: bool, weights: Any
) -> tuple[Tensor, list[Tensor]]:
    """The same for points, the rows of a matrix."""
    known = host_data(sample.detach()).astype(np.float64) if not is_float(sample.dtype) else host_data(sample.detach())
    where = [_bins(e, known[:, k]) for k, e in enumerate(edges)]
    shape = tuple(e.shape[0] - 1 for e in edges)
    inside = np.logical_and.reduce([w >= 0 for w in where])
    places = np.ravel_multi_index([w[inside] for w in where], shape) if inside.any() else np.zeros(0, np.int64)
    if weights is not None:
        (weights,) = as_tensors(sample, weights)[1:]
        if weights.size != known.shape[0]:
            raise errors.bad_shape(op, f"{weights.size} weights do not fit {known.shape[0]} points.")
        weights = ravel(weights)[np.flatnonzero(inside)]
    found = reshape(_counted(places, math.prod(shape), weights, sample.device), shape)
    if density:
        total = found.sum()
        for k, e in enumerate(edges):
            found = found / reshape(diff(e), tuple(-1 if n == k else 1 for n, _ in enumerate(edges)))
        found = found / total
    return found, edges


@public()
def histogramdd(
    sample: Any, bins: Any = 10, range: Any = None, density: bool = False, weights: Any = None
) -> tuple[Tensor, list[Tensor]]:
    """The histogram of points, the rows of a matrix (or a list with all first coordinates, all second ones, ...), and the edges of each axis.

    bins: their number, for all axes or for each, or the edges of each. range: one for each axis. Gradients as of `histogram`.

    >>> import gpugrad as gg
    >>> gg.histogramdd(gg.tensor([[0.0, 0.0], [1.0, 3.0], [1.0, 0.5]]), bins=(2, 3))[0].tolist()
    [[1.0, 0.0, 0.0], [1.0, 0.0, 1.0]]
    """
    if hasattr(sample, "shape"):
        (points,) = as_tensors(sample)
        points = points if points.ndim == 2 else reshape(points, (-1, 1))
    else:  # as in NumPy, a list has the coordinates one after the other
        points = stack([ravel(s) for s in as_tensors(*sample)], 1)
    d = points.shape[1]
    every = list(bins) if isinstance(bins, (list, tuple)) or np.ndim(bins) else [bins] * d
    if len(every) != d:
        raise errors.bad_shape("histogramdd", f"{len(every)} numbers of bins do not fit points with {d} coordinates.")
    ranges = [None] * d if range is None else list(range)
    edges = [histogram_bin_edges(points[:, k], every[k], ranges[k]) for k, _ in enumerate(every)]
    found, edges = _histogram("histogramdd", points, edges, density, weights)
    return found if is_float(found.dtype) else found.astype(np.float64), edges


@public()
def histogram2d(
    x: Any, y: Any, bins: Any = 10, range: Any = None, density: bool = False, weights: Any = None
) -> tuple[Tensor, Tensor, Tensor]:
    """The histogram of points (x, y), and the edges of both axes: see `histogramdd`. One vector of edges holds for both.

    >>> import gpugrad as gg
    >>> gg.histogram2d([0.0, 1.0, 1.0], [0.0, 3.0, 0.5], bins=2)[0].tolist()
    [[1.0, 0.0], [1.0, 1.0]]
    """
    x, y = as_tensors(x, y)
    if x.ndim != 1 or x.shape != y.shape:
        raise errors.bad_shape("histogram2d", f"takes two vectors of one length, not shapes {x.shape} and {y.shape}.")
    several = isinstance(bins, (list, tuple)) or np.ndim(bins) == 1
    both = list(bins) if several and len(bins) in (1, 2) else [bins, bins]
    found, edges = histogramdd(stack([x, y], 1), both, range, density, weights)
    return found, edges[0], edges[1]


@public()
def apply_along_axis(func1d: Callable[..., Any], axis: int, arr: Any, *args: Any, **kwargs: Any) -> Tensor:
    """A function of vectors, called with each vector along an axis; its results, numbers or tensors of one shape, take the place of the axis.

    Gradients are those of the function. One call for each vector: a function that knows of axes is faster.

    >>> import gpugrad as gg
    >>> gg.apply_along_axis(lambda v: v[0] * v[-1], 1, [[1.0, 2.0], [3.0, 4.0]])
    tensor([ 2., 12.], device='cpu')
    """
    (arr,) = as_tensors(arr)
    axis = normalize_axis("apply_along_axis", axis, arr.ndim)
    rows = moveaxis(arr, axis, -1)
    lead = rows.shape[:-1]
    if not math.prod(lead):
        raise errors.bad_shape("apply_along_axis", f"there is no vector along axis {axis} of shape {arr.shape}.")
    results = [func1d(rows[place], *args, **kwargs) for place in np.ndindex(*lead)]
    together = stack(as_tensors(arr, *results)[1:])
    inner = together.shape[1:]
    found = reshape(together, (*lead, *inner))
    ends = tuple(-1 - k for k, _ in enumerate(inner))[::-1]
    return moveaxis(found, ends, tuple(axis + k for k, _ in enumerate(inner)))


@public()
def apply_over_axes(func: Callable[[Any, int], Any], a: Any, axes: Any) -> Tensor:
    """A function of a tensor and an axis, called for one axis after the other; an axis that it takes away is kept, with length 1.

    >>> import gpugrad as gg
    >>> gg.apply_over_axes(gg.sum, gg.ones((2, 3, 4)), [0, 2]).shape
    (1, 3, 1)
    """
    (a,) = as_tensors(a)
    for axis in np.atleast_1d(axes).tolist():
        axis = normalize_axis("apply_over_axes", axis, a.ndim)
        (found,) = as_tensors(func(a, axis))
        a = found if found.ndim == a.ndim else expand_dims(found, axis)
    return a
