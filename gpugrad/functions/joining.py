"""Tensors joined, laid side by side, and taken apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..arguments import as_tensors
from ..base import errors
from ..base.shapes import as_index, broadcast, normalize_axis
from ..tensor import Tensor
from .face import public
from .indexing import flip
from .shaping import broadcast_to, concatenate, expand_dims, moveaxis, ravel, reshape, split, transpose


def _each(op: Any, given: tuple[Any, ...]) -> Any:
    """One result for one argument, a tuple of them for more."""
    found = tuple(op(x) for x in as_tensors(*given))
    return found[0] if len(found) == 1 else found


@public()
def atleast_1d(*arrays: Any) -> Any:
    """Tensors with one axis at least: a tuple of them if several were given.

    >>> import gpugrad as gg
    >>> gg.atleast_1d(3.0)
    tensor([3.], device='cpu')
    """
    return _each(lambda x: x if x.ndim else reshape(x, (1,)), arrays)


@public()
def atleast_2d(*arrays: Any) -> Any:
    """Tensors with two axes at least, a vector as one row: a tuple of them if several were given.

    >>> import gpugrad as gg
    >>> gg.atleast_2d([1.0, 2.0])
    tensor([[1., 2.]], device='cpu')
    """
    return _each(lambda x: x if x.ndim > 1 else reshape(x, (1, x.size)), arrays)


@public()
def atleast_3d(*arrays: Any) -> Any:
    """Tensors with three axes at least, a vector as (1, n, 1), a matrix as (m, n, 1): a tuple of them if several were given.

    >>> import gpugrad as gg
    >>> gg.atleast_3d([1.0, 2.0]).shape
    (1, 2, 1)
    """
    return _each(
        lambda x: x if x.ndim > 2 else expand_dims(x, 2) if x.ndim == 2 else reshape(x, (1, x.size, 1)), arrays
    )


def _list(op: str, arrays: Any, prepare: Any) -> list[Tensor]:
    if not hasattr(arrays, "__len__"):
        raise errors.bad_type(op, f"expected a sequence of tensors, not {type(arrays).__name__!r}.")
    return [prepare(x) for x in as_tensors(*arrays)]


@public()
def hstack(tup: Sequence[Any]) -> Tensor:
    """Tensors joined along their second axis, vectors along their only one.

    >>> import gpugrad as gg
    >>> gg.hstack([[1.0, 2.0], [3.0]])
    tensor([1., 2., 3.], device='cpu')
    """
    xs = _list("hstack", tup, atleast_1d)
    return concatenate(xs, 0 if xs and xs[0].ndim == 1 else 1)


@public()
def vstack(tup: Sequence[Any]) -> Tensor:
    """Tensors joined along their first axis, vectors as rows.

    >>> import gpugrad as gg
    >>> gg.vstack([[1.0, 2.0], [3.0, 4.0]])
    tensor([[1., 2.],
            [3., 4.]], device='cpu')
    """
    return concatenate(_list("vstack", tup, atleast_2d), 0)


@public()
def dstack(tup: Sequence[Any]) -> Tensor:
    """Tensors joined along their third axis.

    >>> import gpugrad as gg
    >>> gg.dstack([[1.0, 2.0], [3.0, 4.0]]).tolist()
    [[[1.0, 3.0], [2.0, 4.0]]]
    """
    return concatenate(_list("dstack", tup, atleast_3d), 2)


@public()
def column_stack(tup: Sequence[Any]) -> Tensor:
    """Vectors as the columns of a matrix, matrices beside them.

    >>> import gpugrad as gg
    >>> gg.column_stack([[1.0, 2.0], [3.0, 4.0]])
    tensor([[1., 3.],
            [2., 4.]], device='cpu')
    """
    return concatenate(_list("column_stack", tup, lambda x: x if x.ndim > 1 else reshape(x, (x.size, 1))), 1)


@public()
def append(arr: Any, values: Any, axis: int | None = None) -> Tensor:
    """values after arr along an axis; both flattened first if none is given.

    >>> import gpugrad as gg
    >>> gg.append([1.0, 2.0], 3.0)
    tensor([1., 2., 3.], device='cpu')
    """
    arr, values = as_tensors(arr, values)
    return concatenate([ravel(arr), ravel(values)]) if axis is None else concatenate([arr, values], axis)


@public()
def block(arrays: Any) -> Tensor:
    """A tensor from nested lists of blocks: the innermost are joined along the last axis, the next along the one before it.

    Raises ShapeError for lists that are empty or not all nested to one depth.

    >>> import gpugrad as gg
    >>> gg.block([[gg.ones((2, 2)), gg.zeros((2, 1))], [gg.zeros((1, 2)), 5.0]])
    tensor([[1., 1., 0.],
            [1., 1., 0.],
            [0., 0., 5.]], device='cpu')
    """
    leaves: list[Any] = []
    depths: set[int] = set()

    def visit(part: Any, depth: int) -> None:
        if isinstance(part, list):
            if not part:
                raise errors.bad_shape("block", "a list of blocks is empty.")
            for p in part:
                visit(p, depth + 1)
        elif isinstance(part, tuple):
            raise errors.bad_type("block", "blocks are nested in lists, not in tuples.")
        else:
            leaves.append(part)
            depths.add(depth)

    visit(arrays, 0)
    if len(depths) > 1:
        raise errors.bad_shape("block", f"lists must be nested to one depth, not to {sorted(depths)}.")
    (depth,) = depths
    tensors = as_tensors(*leaves)
    ndim = max(depth, *(t.ndim for t in tensors))
    given = iter([reshape(t, (1,) * (ndim - t.ndim) + t.shape) for t in tensors])

    def join(part: Any, level: int) -> Tensor:
        if not isinstance(part, list):
            return next(given)
        return concatenate([join(p, level + 1) for p in part], ndim - depth + level)

    return join(arrays, 0)


@public()
def array_split(x: Any, indices_or_sections: Any, axis: int = 0) -> list[Tensor]:
    """Parts along an axis: as many as given, the first of them one longer if they cannot be equal; or cut at the given indices.

    >>> import gpugrad as gg
    >>> [part.tolist() for part in gg.array_split([1, 2, 3, 4, 5], 3)]
    [[1, 2], [3, 4], [5]]
    """
    (x,) = as_tensors(x)
    axis = normalize_axis("array_split", axis, x.ndim)
    if hasattr(indices_or_sections, "__len__"):
        return split(x, indices_or_sections, axis)
    sections = as_index("array_split", "the number of parts", indices_or_sections)
    if sections < 1:
        raise errors.bad_value("array_split", f"the number of parts must be at least 1, not {sections}.")
    size, longer = divmod(x.shape[axis], sections)
    edges = np.cumsum([size + 1] * longer + [size] * (sections - longer))[:-1]
    return split(x, edges, axis)


def _split_along(op: str, x: Any, indices_or_sections: Any, axis: int) -> list[Tensor]:
    (x,) = as_tensors(x)
    if x.ndim <= axis:
        raise errors.bad_shape(op, f"needs a tensor with {axis + 1} or more axes, not shape {x.shape}.")
    return split(x, indices_or_sections, axis)


@public()
def vsplit(x: Any, indices_or_sections: Any) -> list[Tensor]:
    """Parts along the first axis of a tensor with two or more.

    >>> import gpugrad as gg
    >>> [part.tolist() for part in gg.vsplit([[1, 2], [3, 4]], 2)]
    [[[1, 2]], [[3, 4]]]
    """
    (x,) = as_tensors(x)
    if x.ndim < 2:
        raise errors.bad_shape("vsplit", f"needs a tensor with 2 or more axes, not shape {x.shape}.")
    return split(x, indices_or_sections, 0)


@public()
def hsplit(x: Any, indices_or_sections: Any) -> list[Tensor]:
    """Parts along the second axis, of a vector along its only one.

    >>> import gpugrad as gg
    >>> [part.tolist() for part in gg.hsplit([1, 2, 3, 4], 2)]
    [[1, 2], [3, 4]]
    """
    (x,) = as_tensors(x)
    return _split_along("hsplit", x, indices_or_sections, 0 if x.ndim == 1 else 1)


@public()
def dsplit(x: Any, indices_or_sections: Any) -> list[Tensor]:
    """Parts along the third axis.

    >>> import gpugrad as gg
    >>> [part.shape for part in gg.dsplit(gg.zeros((2, 2, 4)), 2)]
    [(2, 2, 2), (2, 2, 2)]
    """
    return _split_along("dsplit", x, indices_or_sections, 2)


@public()
def unstack(x: Any, axis: int = 0) -> tuple[Tensor, ...]:
    """The parts along an axis, without that axis: what `stack` joins.

    >>> import gpugrad as gg
    >>> [row.tolist() for row in gg.unstack([[1, 2], [3, 4]])]
    [[1, 2], [3, 4]]
    """
    (x,) = as_tensors(x)
    if not x.ndim:
        raise errors.bad_shape("unstack", "needs at least one axis.")
    return tuple(moveaxis(x, normalize_axis("unstack", axis, x.ndim), 0))


@public()
def broadcast_arrays(*args: Any) -> tuple[Tensor, ...]:
    """Tensors repeated to the one shape that they broadcast to.

    >>> import gpugrad as gg
    >>> [t.tolist() for t in gg.broadcast_arrays([1, 2], [[3], [4]])]
    [[[1, 2], [1, 2]], [[3, 3], [4, 4]]]
    """
    xs = as_tensors(*args)
    shape = broadcast("broadcast_arrays", *(x.shape for x in xs))
    return tuple(x if x.shape == shape else broadcast_to(x, shape) for x in xs)


@public()
def meshgrid(*xi: Any, indexing: str = "xy", sparse: bool = False) -> tuple[Tensor, ...]:
    """The coordinates of the points of a grid, one tensor for each vector of coordinates.

    indexing: "xy" exchanges the first two axes, as pictures have them; "ij" does not. sparse: axes of length 1 instead of copies.

    >>> import gpugrad as gg
    >>> x, y = gg.meshgrid([1, 2, 3], [4, 5])
    >>> y
    tensor([[4, 4, 4],
            [5, 5, 5]], device='cpu')
    """
    if indexing not in ("xy", "ij"):
        raise errors.bad_value("meshgrid", f"indexing is 'xy' or 'ij', not {indexing!r}.")
    xs = as_tensors(*xi)
    axes = list(range(len(xs)))
    if indexing == "xy" and len(xs) > 1:
        axes[:2] = [1, 0]
    lying = [reshape(x, (1,) * a + (x.size,) + (1,) * (len(xs) - a - 1)) for x, a in zip(xs, axes, strict=True)]
    return tuple(lying) if sparse else tuple(x.copy() for x in broadcast_arrays(*lying))


@public()
def fliplr(m: Any) -> Tensor:
    """Reversed along the second axis.

    >>> import gpugrad as gg
    >>> gg.fliplr([[1, 2], [3, 4]]).tolist()
    [[2, 1], [4, 3]]
    """
    return flip(m, 1)


@public()
def flipud(m: Any) -> Tensor:
    """Reversed along the first axis.

    >>> import gpugrad as gg
    >>> gg.flipud([[1, 2], [3, 4]]).tolist()
    [[3, 4], [1, 2]]
    """
    return flip(m, 0)


@public()
def rot90(m: Any, k: int = 1, axes: Any = (0, 1)) -> Tensor:
    """Turned by k times 90 degrees in the plane of two axes, from the first towards the second.

    >>> import gpugrad as gg
    >>> gg.rot90([[1, 2], [3, 4]]).tolist()
    [[2, 4], [1, 3]]
    """
    (m,) = as_tensors(m)
    plane = [normalize_axis("rot90", a, m.ndim) for a in axes]
    if len(plane) != 2:
        raise errors.bad_shape("rot90", f"turns in the plane of two axes, not of {tuple(axes)}.")
    first, second = plane
    if first == second:
        raise errors.bad_shape("rot90", f"the two axes must be different, not {tuple(axes)}.")
    order = list(range(m.ndim))
    order[first], order[second] = second, first
    k = k % 4
    if k == 0:
        return m.copy()
    if k == 2:
        return flip(m, (first, second))
    return transpose(flip(m, second), tuple(order)) if k == 1 else flip(transpose(m, tuple(order)), second)


@public()
def rollaxis(x: Any, axis: int, start: int = 0) -> Tensor:
    """An axis moved back to stand before another one. `moveaxis` is easier to read.

    >>> import gpugrad as gg
    >>> gg.rollaxis(gg.zeros((2, 3, 4)), 2).shape
    (4, 2, 3)
    """
    (x,) = as_tensors(x)
    axis = normalize_axis("rollaxis", axis, x.ndim)
    start = start if start == x.ndim else normalize_axis("rollaxis", start, x.ndim)
    return moveaxis(x, axis, start - 1 if axis < start else start)
