"""Elements chosen by conditions, inserted, deleted, put in order, and written to a tensor by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..arguments import as_tensors
from ..base import errors
from ..base.shapes import as_shape, broadcast, normalize_axis
from ..coerce import host_data
from ..ops import elementwise as ew
from ..tensor import Tensor
from .creation import tensor, zeros
from .elementwise import where
from .face import method, public
from .indexing import take, take_along_axis
from .reductions import argmax, argmin
from .shaping import broadcast_to, concatenate, moveaxis, ravel, reshape, stack


@public()
def select(condlist: Sequence[Any], choicelist: Sequence[Any], default: Any = 0) -> Tensor:
    """Elements of the first choice whose condition holds; `default` where none does. What is not chosen has gradient 0.

    Raises ShapeError for lists of different lengths.

    >>> import gpugrad as gg
    >>> x = gg.arange(5)
    >>> gg.select([x < 2, x > 3], [x, x * x], 9)
    tensor([ 0,  1,  9,  9, 16], device='cpu')
    """
    if len(condlist) != len(choicelist) or not condlist:
        raise errors.bad_shape("select", f"{len(condlist)} conditions and {len(choicelist)} choices do not fit.")
    conditions, choices = as_tensors(*condlist), as_tensors(*condlist, *choicelist, default)[len(condlist) :]
    for c in conditions:
        if c.dtype.kind != "b":
            raise errors.bad_type("select", f"conditions are of booleans, not {c.dtype}.")
    every = [*choicelist, default]
    dtype = np.result_type(*(g if type(g) in (int, float) else c.dtype for g, c in zip(every, choices, strict=True)))
    found = choices[-1].astype(dtype)
    for condition, choice in zip(reversed(conditions), reversed(choices[:-1]), strict=True):
        found = where(condition, choice.astype(dtype), found)
    return found.copy()


@public()
def piecewise(x: Any, condlist: Any, funclist: Sequence[Any], *args: Any, **kw: Any) -> Tensor:
    """Functions of the elements of x, each where its condition holds; the last holds if several do, and one more function where none does.

    A function is called with the elements for which its condition holds, so it may be undefined elsewhere. Numbers are constants.

    >>> import gpugrad as gg
    >>> x = gg.tensor([-2.0, 4.0])
    >>> gg.piecewise(x, [x < 0, x >= 0], [0.0, gg.sqrt])
    tensor([0., 2.], device='cpu')
    """
    (x,) = as_tensors(x)
    if isinstance(condlist, (np.ndarray, Tensor)):
        one = condlist.ndim == 0 or (condlist.ndim == 1 and x.ndim > 0)
    else:  # by NumPy's rule
        one = not isinstance(condlist, (list, tuple)) or (
            not isinstance(condlist[0], (list, np.ndarray, Tensor)) and x.ndim > 0
        )
    given = [condlist] if one else condlist
    conditions = [np.asarray(host_data(c)).astype(bool) for c in given]
    if len(funclist) == len(conditions) + 1:
        conditions.append(~np.logical_or.reduce(conditions))
    elif len(funclist) != len(conditions):
        raise errors.bad_shape("piecewise", f"{len(conditions)} conditions and {len(funclist)} functions do not fit.")
    found = zeros(x.shape, x.dtype, x.device)
    for condition, f in zip(conditions, funclist, strict=True):
        if not np.any(condition):
            continue
        places = np.nonzero(np.broadcast_to(condition, x.shape)) if x.ndim else condition
        values = f(x[places], *args, **kw) if callable(f) else f
        found[places] = as_tensors(x, values)[1].astype(x.dtype)
    return found


def _check_mode(op: str, mode: str) -> None:
    if mode not in ("raise", "wrap", "clip"):
        raise errors.bad_value(op, f"mode is 'raise', 'wrap' or 'clip', not {mode!r}.")


@public(method=True)
def choose(a: Any, choices: Any, mode: str = "raise") -> Tensor:
    """For each index in a, the element in its place of the choice with that number.

    mode: what an index out of range does: "raise" IndexError, "wrap" around, or "clip" to the nearest.

    >>> import gpugrad as gg
    >>> gg.choose([1, 0, 1], [[1.0, 2.0, 3.0], [10.0, 20.0, 30.0]])
    tensor([10.,  2., 30.], device='cpu')
    """
    if isinstance(choices, (list, tuple)):
        parts = as_tensors(*choices)
    else:
        (whole,) = as_tensors(choices)
        parts = [whole[k] for k in range(whole.shape[0])]
    which = np.asarray(host_data(a))
    if which.dtype.kind not in "iu":
        raise errors.bad_type("choose", f"the indices are integers, not {which.dtype}.")
    shape = which.shape
    for p in parts:
        shape = broadcast("choose", shape, p.shape)
    n = len(parts)
    if mode == "raise" and which.size and (which.min() < 0 or which.max() >= n):
        raise IndexError(f"choose: an index is out of range for {n} choices.")
    _check_mode("choose", mode)
    which = which % n if mode == "wrap" else np.clip(which, 0, n - 1)
    dtype = np.result_type(*(p.dtype for p in parts))
    whole = stack([broadcast_to(p.astype(dtype), shape) for p in parts])
    return whole[(np.broadcast_to(which, shape), *np.indices(shape, sparse=True))]


@public(method=True)
def compress(condition: Any, a: Any, axis: int | None = None) -> Tensor:
    """The slices along an axis whose condition holds; of the flattened tensor if no axis is given.

    >>> import gpugrad as gg
    >>> gg.compress([False, True], [[1.0, 2.0], [3.0, 4.0]], axis=0)
    tensor([[3., 4.]], device='cpu')
    """
    (a,) = as_tensors(a)
    chosen = np.asarray(host_data(condition)).astype(bool)
    if chosen.ndim != 1:
        raise errors.bad_shape("compress", f"the condition is a vector, not of shape {chosen.shape}.")
    return take(a, np.flatnonzero(chosen), axis)


@method("compress")
def _compress(self: Tensor, condition: Any, axis: int | None = None) -> Tensor:
    """The slices along an axis whose condition holds: see `gpugrad.compress`."""
    return compress(condition, self, axis)


@public()
def extract(condition: Any, arr: Any) -> Tensor:
    """The elements, in order, whose condition holds.

    >>> import gpugrad as gg
    >>> gg.extract([True, False, True], [1.0, 2.0, 3.0])
    tensor([1., 3.], device='cpu')
    """
    (arr,) = as_tensors(arr)
    return take(arr, np.flatnonzero(np.asarray(host_data(condition))))


@public()
def delete(arr: Any, obj: Any, axis: int | None = None) -> Tensor:
    """Without the slices at an index, indices, a slice or a mask along an axis; of the flattened tensor if no axis is given.

    >>> import gpugrad as gg
    >>> gg.delete([1.0, 2.0, 3.0, 4.0], [0, 2])
    tensor([2., 4.], device='cpu')
    """
    (arr,) = as_tensors(arr)
    if axis is None:
        arr, axis = ravel(arr), 0
    axis = normalize_axis("delete", axis, arr.ndim)
    kept = np.delete(np.arange(arr.shape[axis]), obj if isinstance(obj, slice) else host_data(obj))
    return take(arr, kept, axis)


@public()
def insert(arr: Any, obj: Any, values: Any, axis: int | None = None) -> Tensor:
    """With values before an index, or indices, along an axis; of the flattened tensor if no axis is given.

    >>> import gpugrad as gg
    >>> gg.insert([1.0, 2.0, 3.0], 1, 9.0)
    tensor([1., 9., 2., 3.], device='cpu')
    """
    arr, values = as_tensors(arr, values)
    if axis is None:
        arr, axis = ravel(arr), 0
    axis = normalize_axis("insert", axis, arr.ndim)
    n = arr.shape[axis]
    at = np.arange(n)[obj] if isinstance(obj, slice) else np.asarray(host_data(obj))
    at = np.flatnonzero(at) if at.dtype.kind == "b" else at
    at = at if at.size else at.astype(np.int64)
    if at.size == 1:  # as in NumPy: all values go there, and those for one index are given with its axis first
        values = reshape(values, (1,) * (arr.ndim - values.ndim) + values.shape)
        values = values if at.ndim else moveaxis(values, 0, axis)
        at = np.repeat(at.ravel(), values.shape[axis])
    if at.dtype.kind not in "iu" or (at < -n).any() or (at > n).any():
        raise IndexError(f"insert: an index of {obj!r} is out of range for {n} elements.")
    at = np.where(at < 0, at + n, at)
    count, order = at.size, np.argsort(at, kind="stable")
    spots = np.empty(count, np.int64)
    spots[order] = at[order] + np.arange(count)
    old = np.ones(n + count, bool)
    old[spots] = False
    values = broadcast_to(values.astype(arr.dtype), tuple(count if d == axis else m for d, m in enumerate(arr.shape)))
    places = np.empty(n + count, np.int64)
    places[old], places[spots] = np.arange(n), n + np.arange(count)
    return take(concatenate([arr, values], axis), places, axis)


@public()
def resize(a: Any, new_shape: Any) -> Tensor:
    """The elements in a new shape, repeated from the first on if there are too few.

    >>> import gpugrad as gg
    >>> gg.resize([1.0, 2.0, 3.0], (2, 2))
    tensor([[1., 2.],
            [3., 1.]], device='cpu')
    """
    (a,) = as_tensors(a)
    shape = as_shape("resize", new_shape)
    if any(n < 0 for n in shape):
        raise errors.bad_shape("resize", f"no length may be negative, as in {shape}.")
    count = int(np.prod(shape))
    if not a.size:
        return zeros(shape, a.dtype, a.device)
    return reshape(take(a, np.arange(count) % a.size), shape)


@public()
def partition(x: Any, kth: Any, axis: int | None = -1) -> Tensor:
    """Elements along an axis, those at kth where sorting would put them, the smaller before and the larger after them.

    They are sorted altogether, which is one of the orders that NumPy allows.

    >>> import gpugrad as gg
    >>> gg.partition([3.0, 1.0, 2.0], 1)
    tensor([1., 2., 3.], device='cpu')
    """
    (x,) = as_tensors(x)
    return _at_order(x, argpartition(x, kth, axis), axis)


def _at_order(x: Tensor, order: Tensor, axis: int | None) -> Tensor:
    return take(x, order) if axis is None else take_along_axis(x, order, axis)


@public(method=True)
def argpartition(x: Any, kth: Any, axis: int | None = -1) -> Tensor:
    """The indices that `partition` takes.

    >>> import gpugrad as gg
    >>> gg.argpartition([3.0, 1.0, 2.0], 1)
    tensor([1, 2, 0], device='cpu')
    """
    (x,) = as_tensors(x)
    known = host_data(x.detach())
    np.argpartition(known, host_data(kth), axis)  # says what is wrong with kth
    return tensor(np.argsort(known, axis, kind="stable"), device=x.device)


@public()
def nanargmax(x: Any, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """The index of the maximum along an axis, NaN left out. Raises ValueError where all are NaN.

    >>> import gpugrad as gg
    >>> gg.nanargmax([float("nan"), 2.0, 3.0])
    tensor(2, device='cpu')
    """
    return _nan_arg("nanargmax", argmax, -np.inf, x, axis, keepdims)


@public()
def nanargmin(x: Any, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """The index of the minimum along an axis, NaN left out. Raises ValueError where all are NaN.

    >>> import gpugrad as gg
    >>> gg.nanargmin([float("nan"), 2.0, 3.0])
    tensor(1, device='cpu')
    """
    return _nan_arg("nanargmin", argmin, np.inf, x, axis, keepdims)


def _nan_arg(
    name: str, function: Callable[..., Tensor], worst: float, x: Any, axis: int | None, keepdims: bool
) -> Tensor:
    (x,) = as_tensors(x)
    if x.dtype.kind not in "iub":
        lost = host_data(ew.isnan(x))
        if lost.all(axis).any():
            raise errors.bad_value(name, "all elements of a slice are NaN.")
        x = where(lost, worst, x)
    return function(x, axis, keepdims=keepdims)


# ------------------------------------------------------------------------------------------------ writing by name


def _name(op: str, t: Any) -> Tensor:
    if not isinstance(t, Tensor):
        raise errors.bad_type(op, f"writes to a tensor, not to {type(t).__name__!r}: make one with gg.tensor(...).")
    return t


@public()
def copyto(dst: Any, src: Any, casting: str = "same_kind", where: Any = True) -> None:
    """Write src, broadcast, to a tensor, where a condition holds. As `dst[...] = src`.

    Raises DTypeError for a src whose dtype `casting` does not allow.

    >>> import gpugrad as gg
    >>> x = gg.zeros(3)
    >>> gg.copyto(x, [1.0, 2.0, 3.0], where=[True, False, True])
    >>> x
    tensor([1., 0., 3.], device='cpu')
    """
    dst = _name("copyto", dst)
    weak = type(src) in (int, float) and np.result_type(dst.dtype, src) == dst.dtype
    (src,) = as_tensors(dst, src)[1:]
    if not weak and not np.can_cast(src.dtype, dst.dtype, casting):  # type: ignore[arg-type]
        raise errors.bad_type("copyto", f"{src.dtype} is not written to {dst.dtype} by the rule {casting!r}.")
    src = src.astype(dst.dtype)
    if where is True:
        dst[...] = src
    else:
        chosen = np.broadcast_to(np.asarray(host_data(where)).astype(bool), dst.shape)
        dst[chosen] = broadcast_to(src, dst.shape)[chosen]


@public()
def fill_diagonal(a: Any, val: Any, wrap: bool = False) -> None:
    """Write val to the diagonal of a tensor with two axes or more, all of one length if more. Repeated if it is too short.

    wrap: begin again below a square, in a tall matrix.

    >>> import gpugrad as gg
    >>> x = gg.zeros((2, 2))
    >>> gg.fill_diagonal(x, [1.0, 2.0])
    >>> x
    tensor([[1., 0.],
            [0., 2.]], device='cpu')
    """
    a = _name("fill_diagonal", a)
    numbers = np.zeros(a.shape, bool)
    np.fill_diagonal(numbers, True, wrap)
    _write_in_order(a, np.flatnonzero(numbers), val)


@public()
def put(a: Any, ind: Any, v: Any, mode: str = "raise") -> None:
    """Write values to the elements of a flattened tensor at indices, repeated if there are too few; the last of several wins.

    mode: what an index out of range does: "raise" IndexError, "wrap" around, or "clip" to the nearest.

    >>> import gpugrad as gg
    >>> x = gg.zeros(4)
    >>> gg.put(x, [0, -1], [1.0, 2.0])
    >>> x
    tensor([1., 0., 0., 2.], device='cpu')
    """
    a = _name("put", a)
    _check_mode("put", mode)
    which = np.ravel(np.asarray(host_data(ind)))
    if mode == "raise" and which.size and (which.min() < -a.size or which.max() >= a.size):
        raise IndexError(f"put: an index is out of range for {a.size} elements.")
    which = np.clip(which, 0, a.size - 1) if mode == "clip" else which % max(a.size, 1)
    _write_in_order(a, which, v)


@method("put")
def _put(self: Tensor, ind: Any, v: Any, mode: str = "raise") -> None:
    """Write values to the flattened elements at indices: see `gpugrad.put`."""
    put(self, ind, v, mode)


def _write_in_order(a: Tensor, places: Any, v: Any) -> None:
    (v,) = as_tensors(a, v)[1:]
    if not v.size or not places.size:
        return
    if not a.ndim:
        a[...] = ravel(v)[(places.size - 1) % v.size].astype(a.dtype)
        return
    a[np.unravel_index(places, a.shape)] = take(v, np.arange(places.size) % v.size).astype(a.dtype)


def _chosen(op: str, a: Tensor, mask: Any) -> Any:
    """The places of a flattened tensor where a mask is true."""
    given = np.asarray(host_data(mask))
    if given.size != a.size:
        raise errors.bad_shape(op, f"a mask of shape {given.shape} does not fit shape {a.shape}.")
    return np.flatnonzero(given)


@public()
def place(arr: Any, mask: Any, vals: Any) -> None:
    """Write values, one after the other, to where a mask is true; repeated if there are too few.

    >>> import gpugrad as gg
    >>> x = gg.tensor([1.0, 2.0, 3.0])
    >>> gg.place(x, x > 1, [8.0, 9.0])
    >>> x
    tensor([1., 8., 9.], device='cpu')
    """
    arr = _name("place", arr)
    chosen = _chosen("place", arr, mask)
    if chosen.size and not as_tensors(vals)[0].size:
        raise errors.bad_value("place", "there are no values to write.")
    _write_in_order(arr, chosen, vals)


@public()
def putmask(a: Any, mask: Any, values: Any) -> None:
    """Write to where a mask is true the value in the same place, values being repeated to the size of a.

    >>> import gpugrad as gg
    >>> x = gg.tensor([1.0, 2.0, 3.0])
    >>> gg.putmask(x, x > 1, [7.0, 8.0, 9.0])
    >>> x
    tensor([1., 8., 9.], device='cpu')
    """
    a = _name("putmask", a)
    chosen = _chosen("putmask", a, mask)
    (values,) = as_tensors(a, values)[1:]
    if chosen.size and values.size:
        _write_in_order(a, chosen, take(values, chosen % values.size))


@public()
def put_along_axis(arr: Any, indices: Any, values: Any, axis: int | None) -> None:
    """Write values to the indices that `argsort` or `argmax(keepdims=True)` give along an axis.

    >>> import gpugrad as gg
    >>> x = gg.tensor([[1.0, 9.0], [7.0, 3.0]])
    >>> gg.put_along_axis(x, [[1], [0]], 0.0, 1)
    >>> x
    tensor([[1., 0.],
            [0., 3.]], device='cpu')
    """
    arr = _name("put_along_axis", arr)
    numbers = np.arange(arr.size).reshape(arr.shape)
    which = np.asarray(host_data(indices))
    places = np.take_along_axis(numbers, which, axis)
    (values,) = as_tensors(arr, values)[1:]
    arr[np.unravel_index(places, arr.shape)] = broadcast_to(values, places.shape).astype(arr.dtype)
