"""Structural ops on a GPU: what CuPy would do otherwise, with copies, or not as the CPU does it.

Indices are read on the host, where they are checked, wrapped and sorted, so that one out of range raises as it does in
NumPy and duplicates are added in a fixed order. Whatever has no entry in `TABLE` is done by CuPy.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...base import errors
from ...base.dtypes import BOOL, FLOAT64, INT64, computed, is_float
from ...base.index import in_groups, is_basic
from ...base.shapes import Shape, reduced
from ...codegen import cuda_structural
from ...ops.op import TABLE as ELEMENTWISE
from ...ops.structural import SMALL_SLICE
from ...plans.program import Program, identity, lower, named, single
from ...plans.symbols import Graph
from ..protocol import Output
from .advanced_index import Index
from .launch import NARROW

TABLE: dict[str, Callable[..., Any]] = {}


def _own(function: Callable[..., Any]) -> Callable[..., Any]:
    TABLE[function.__name__] = function
    return function


# ------------------------------------------------------------------------------------------------------- moving


@_own
def reshape(backend: Any, x: Any, *, shape: Shape) -> Any:
    return (x if _viewable(x, shape) else backend.copy(x)).reshape(shape)


def _viewable(x: Any, shape: Shape) -> bool:
    """True if the elements can be seen in another shape without a copy: asked of NumPy, of an array without memory."""
    if x.flags.c_contiguous or not x.size:
        return True
    fake = np.lib.stride_tricks.as_strided(_NOTHING, x.shape, x.strides)
    try:
        np.reshape(fake, shape, copy=False)
    except ValueError:
        return False
    return True


_NOTHING = np.zeros(1, np.int8)


@_own
def concatenate(backend: Any, *xs: Any, axis: int) -> Any:
    shape = list(xs[0].shape)
    shape[axis] = sum(x.shape[axis] for x in xs)
    out = backend.empty(tuple(shape), xs[0].dtype)
    start = 0
    for x in xs:
        stop = start + x.shape[axis]
        _assign(backend, out[(slice(None),) * axis + (slice(start, stop),)], x)
        start = stop
    return out


def _assign(backend: Any, target: Any, value: Any) -> None:
    """target[...] = value, of the same dtype."""
    if target.size:
        backend.run(identity(target.dtype), target.shape, [value], (), [Output(target)])


@_own
def to_device(backend: Any, x: Any, *, source: Any, target: Any) -> Any:
    if target.backend.xp is backend.xp:  # from one GPU to another
        return target.backend.from_host(x, None)
    return target.backend.from_host(backend.to_host(x), None)


# ----------------------------------------------------------------------------------------------------- indexing


@_own
def getitem(backend: Any, x: Any, *, index: Any) -> Any:
    if is_basic(index):
        y = x[index]
        return backend.copy(y) if y.size * SMALL_SLICE <= x.size else y
    found = Index(x, index)
    out = backend.empty(found.stacked, x.dtype)
    if out.size:
        kernel = cuda_structural.gather(x.dtype.itemsize, len(found.lengths), out.size >= NARROW)
        _move(backend, kernel, found, found.view, out, backend.runtime.upload(found.at))
    return found.ordered(out)


def _move(backend: Any, text: str, found: Index, view: Any, packed: Any, at: Any, *more: Any) -> None:
    addresses = [view.data.ptr, packed.data.ptr, at.data.ptr, *(m.data.ptr for m in more)]
    rest = math.prod(found.lengths)
    backend.start(text, addresses, [at.size * rest, rest, *found.lengths, *found.steps], at.size * rest)


def write(backend: Any, x: Any, index: Any, value: Any) -> None:
    """x[index] = value, in place; of duplicates the last stays."""
    if value.dtype != x.dtype:
        value = backend.cast(value, x.dtype)
    if is_basic(index):
        target = x[index]
        _assign(backend, target, _fitted(backend, value, target.shape))
        return
    found = Index(x, index)
    value = backend.contiguous(found.stack(_fitted(backend, value, found.shape)))
    if not value.size:
        return
    at = found.at.ravel()
    # The last of equal addresses: the first of them in reverse.
    _, last = np.unique(at[::-1], return_index=True)
    kept = len(at) - 1 - last
    kernel = cuda_structural.scatter(x.dtype.itemsize, len(found.lengths), value.size >= NARROW)
    _move(backend, kernel, found, found.view, value, backend.runtime.upload(at[kept]), backend.runtime.upload(kept))


def _fitted(backend: Any, value: Any, shape: Shape) -> Any:
    """A value broadcast to the shape that is written to; leading axes of length 1 are dropped, as in NumPy."""
    while value.ndim > len(shape) and value.shape[0] == 1:
        value = value[0]
    if np.broadcast_shapes(value.shape, shape) != shape:
        raise ValueError(f"could not broadcast shape {value.shape} into shape {shape}")
    return backend.xp.broadcast_to(value, shape)


@_own
def setitem(backend: Any, x: Any, v: Any, *, index: Any) -> Any:
    y = backend.copy(x)
    write(backend, y, index, v)
    return y


@_own
def embed(backend: Any, v: Any, *, shape: Shape, index: Any) -> Any:
    out = backend.full(shape, 0, v.dtype)
    if v.size:
        write(backend, out, index, v)
    return out


@_own
def index_add(backend: Any, x: Any, v: Any, *, index: Any) -> Any:
    y = backend.copy(x)
    scatter_add(backend, y, index, v)
    return y


def scatter_add(backend: Any, x: Any, index: Any, value: Any) -> None:
    """x[index] += value, every duplicate counted, in the order in which they stand."""
    if value.dtype != x.dtype:
        value = backend.cast(value, x.dtype)
    if is_basic(index):
        target = x[index]
        if target.size:
            value = _fitted(backend, value, target.shape)
            backend.run(identity(x.dtype), target.shape, [value], (), [Output(target, (), True)])
        return
    found = Index(x, index)
    value = backend.contiguous(found.stack(_fitted(backend, value, found.shape)))
    if not value.size:
        return
    at = found.at.ravel()
    order, starts = in_groups(at)
    kernel = cuda_structural.scatter_add(x.dtype, len(found.lengths), value.size >= NARROW)
    upload = backend.runtime.upload
    _move(
        backend, kernel, found, found.view, value, upload(at[order[starts]]), upload(np.append(starts, len(at))), upload(order)
    )  # fmt: skip


# --------------------------------------------------------------------------------- selection and accumulation


def _reduction(how: str) -> Callable[..., Any]:
    def run(backend: Any, x: Any, *, axes: tuple[int, ...], keepdims: bool) -> Any:
        dtype = INT64 if how.startswith("gg_arg") else x.dtype
        out = backend.empty(reduced(x.shape, axes, True), dtype)
        if out.size and not axes:
            _assign(backend, out, x)
        elif out.size:
            backend.reduce(x, axes, how, out)
        return out if keepdims else out.reshape(reduced(x.shape, axes, False))

    return run


TABLE["reduce_max"] = _reduction("gg_max_of")
TABLE["reduce_min"] = _reduction("gg_min_of")
_ARG = {"argmax": _reduction("gg_argmax_of"), "argmin": _reduction("gg_argmin_of")}


def _where_is(name: str) -> Callable[..., Any]:
    def run(backend: Any, x: Any, *, axis: int | None, keepdims: bool) -> Any:
        axes = tuple(range(x.ndim)) if axis is None else (axis % x.ndim,)
        return _ARG[name](backend, x if x.ndim else x.reshape(1), axes=axes or (0,), keepdims=keepdims and x.ndim > 0).reshape(
            reduced(x.shape, axes, keepdims)
        )  # fmt: skip

    return run


TABLE["argmax"] = _where_is("argmax")
TABLE["argmin"] = _where_is("argmin")

SCAN_CHUNK, SCAN_CHUNKS = 8192, 1024  # elements of one block of a running sum, and blocks of one line
SCAN_LINES = 4096  # lines enough to give one to each thread


@_own
def cumsum(backend: Any, x: Any, *, axis: int) -> Any:
    if x.dtype == BOOL:  # logical or: a count that is not zero
        return backend.cast(cumsum(backend, backend.cast(x, np.dtype(np.int32)), axis=axis), BOOL)
    x = backend.contiguous(x)
    out = backend.empty(x.shape, x.dtype)
    if not out.size:
        return out
    n, inner = x.shape[axis], math.prod(x.shape[axis + 1 :])
    outer = math.prod(x.shape[:axis])
    if outer * inner >= SCAN_LINES or n <= 64:
        text = cuda_structural.scan_lines(x.dtype)
        backend.start(text, [x.data.ptr, out.data.ptr], [n, inner, outer * inner], outer * inner)
        return out
    chunk = SCAN_CHUNK * max(1, -(-n // (SCAN_CHUNK * SCAN_CHUNKS)))
    chunks = -(-n // chunk)
    text = cuda_structural.scan_chunks(x.dtype)
    totals = backend.empty((outer * inner * chunks,), FLOAT64)  # 8 bytes each, whatever is summed
    addresses, sizes = [x.data.ptr, out.data.ptr, totals.data.ptr], [n, inner, chunk, chunks]
    if chunks > 1:
        backend.start(
            text, addresses, sizes, outer * inner * chunks * cuda_structural.THREADS, "kernel_running_sum_totals"
        )
    backend.start(text, addresses, sizes, outer * inner * chunks * cuda_structural.THREADS)
    return out


# -------------------------------------------------------------------------------------------------- contraction


@_own
def linear(backend: Any, a: Any, b: Any) -> Any:
    return matmul(backend, a, b.swapaxes(-1, -2))


@_own
def matmul(backend: Any, a: Any, b: Any) -> Any:
    row, column = a.ndim == 1, b.ndim == 1
    if a.ndim == b.ndim == 2:
        out = backend.empty((a.shape[0], b.shape[1]), a.dtype)
        multiply(backend, a, b, out, False)
        return out
    a = a.reshape(1, -1) if row else a
    b = b.reshape(-1, 1) if column else b
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    out = backend.empty((*batch, a.shape[-2], b.shape[-1]), a.dtype)
    multiply(backend, a, b, out, False)
    shape = (*batch, *(() if row else (a.shape[-2],)), *(() if column else (b.shape[-1],)))
    return out.reshape(shape)


def multiply(backend: Any, a: Any, b: Any, out: Any, accumulate: bool) -> None:
    """out = a @ b, or out += a @ b, for operands of two axes or more; out is C-contiguous."""
    if not out.size:
        return
    if not is_float(out.dtype):
        _multiply_exactly(backend, a, b, out, accumulate)
        return
    if a.shape[-1] == 0:
        if not accumulate:
            _assign(backend, out, backend.full((), 0, out.dtype))
        return
    if b.ndim == 2 and out.ndim > 2 and a.flags.c_contiguous:  # one matrix for all of a batch: one tall product
        rows = math.prod(out.shape[:-1])
        a, out = a.reshape(rows, a.shape[-1]), out.reshape(rows, out.shape[-1])
    batch = out.shape[:-2]
    (n, m), k = out.shape[-2:], a.shape[-1]
    a, (ta, lda) = _for_cublas(backend, a, batch)
    b, (tb, ldb) = _for_cublas(backend, b, batch)
    beta = 1.0 if accumulate else 0.0
    # cuBLAS counts columns first: it is asked for the transposed product, of the operands in reverse.
    if not batch:
        backend.runtime.gemm(
            out.dtype, tb, ta, m, n, k, (b.data.ptr, ldb, 0), (a.data.ptr, lda, 0), beta, (out.data.ptr, m, 0), 1
        )
        return
    inner = _uniform(batch, [a, b, out])
    count = math.prod(batch[inner:])
    for at in itertools.product(*(range(s) for s in batch[:inner])):
        left, right, result = a[at], b[at], out[at]
        strides = [_stride(x) for x in (left, right, result)]
        backend.runtime.gemm(
            out.dtype, tb, ta, m, n, k, (right.data.ptr, ldb, strides[1]), (left.data.ptr, lda, strides[0]),
            beta, (result.data.ptr, m, strides[2]), count,
        )  # fmt: skip


def _for_cublas(backend: Any, x: Any, batch: Shape) -> tuple[Any, tuple[bool, int]]:
    """A stack of matrices for a batch, copied if cuBLAS could not read it as it lies, and how its last two axes are then seen."""
    if x.shape[:-2] != batch:
        x = backend.xp.broadcast_to(x, (*batch, *x.shape[-2:]))
    seen = None if batch and min(x.strides[:-2]) < 0 else _leading(x.shape, x.strides, x.dtype.itemsize)
    if seen is None:
        x = backend.copy(x)
        seen = _leading(x.shape, x.strides, x.dtype.itemsize)
        assert seen is not None  # it is C-contiguous now
    return x, seen


def _leading(shape: Shape, strides: Sequence[int], size: int) -> tuple[bool, int] | None:
    """How cuBLAS sees the last two axes: (transposed, leading dimension); None if it cannot."""
    rows, columns = shape[-2:]
    down, across = strides[-2] // size, strides[-1] // size
    if columns == 1 or across == 1:
        ld = max(columns, 1) if rows == 1 else down
        if ld >= columns:
            return False, ld
    if rows == 1 or down == 1:
        ld = max(rows, 1) if columns == 1 else across
        if ld >= rows:
            return True, ld
    return None


def _uniform(batch: Shape, arrays: Sequence[Any]) -> int:
    """How many of the batch axes must be looped over, so that the others are walked through in one step by every array."""
    for first in range(len(batch) + 1):
        lengths = batch[first:]
        if all(_steady(x.strides[first : len(batch)], lengths) for x in arrays):
            return first
    return len(batch)


def _steady(strides: Sequence[int], lengths: Sequence[int]) -> bool:
    axes = [(s, n) for s, n in zip(strides, lengths, strict=True) if n != 1]
    return all(s == t * n for (s, _), (t, n) in itertools.pairwise(axes))


def _stride(x: Any) -> int:
    """The step of a stack of matrices, in elements."""
    axes = [s for s, n in zip(x.strides[:-2], x.shape[:-2], strict=True) if n != 1]
    return axes[-1] // x.dtype.itemsize if axes else 0


def _multiply_exactly(backend: Any, a: Any, b: Any, out: Any, accumulate: bool) -> None:
    """Integers and booleans, which cuBLAS does not multiply: a reduction whose map is the product."""
    program = single(ELEMENTWISE["multiply"], (a.dtype, b.dtype))
    x = a.reshape(*a.shape, 1)
    y = b.reshape(*b.shape[:-2], 1, *b.shape[-2:])
    extent = (*out.shape[:-1], a.shape[-1], out.shape[-1])
    output = Output(out.reshape(*out.shape[:-1], 1, out.shape[-1]), (len(extent) - 2,), accumulate)
    backend.run(program, extent, [x, y], (), [output])


@_own
def contract(backend: Any, *xs: Any, inputs: tuple[str, ...], output: str) -> Any:
    dtype = xs[0].dtype
    arrays = [backend.cast(x, computed(dtype)) for x in xs]
    terms = list(inputs)
    steps = [(0, 1)][: len(xs) - 1]
    if len(xs) > 2:
        shapes = [np.broadcast_to(np.empty(()), x.shape) for x in xs]
        steps = np.einsum_path(f"{','.join(inputs)}->{output}", *shapes, optimize="greedy")[0][1:]
    for step in steps:  # places in the list as it then is; the product goes to its end
        chosen = [(arrays.pop(n), terms.pop(n)) for n in sorted(step, reverse=True)]
        x, term = chosen.pop()
        while chosen:
            y, other = chosen.pop()
            x, term = _pair(backend, x, term, y, other, set(output).union(*terms, *(t for _, t in chosen)))
        arrays.append(x)
        terms.append(term)
    x, term = _summed(backend, arrays[0], terms[0], set(output))
    x = x.transpose(tuple(term.index(i) for i in output))
    return backend.copy(backend.cast(x, dtype))


def _summed(backend: Any, x: Any, term: str, keep: set[str]) -> tuple[Any, str]:
    """An operand without the indices that nobody else needs."""
    axes = tuple(d for d, i in enumerate(term) if i not in keep)
    if not axes:
        return x, term
    out = backend.empty(reduced(x.shape, axes, True), x.dtype)
    if out.size:
        backend.run(identity(x.dtype), x.shape, [x], (), [Output(out, axes)])
    return out.reshape(reduced(x.shape, axes, False)), "".join(i for i in term if i in keep)


def _pair(backend: Any, a: Any, ta: str, b: Any, tb: str, keep: set[str]) -> tuple[Any, str]:
    """The product of two operands, summed over the indices that only they have."""
    a, ta = _summed(backend, a, ta, keep | set(tb))
    b, tb = _summed(backend, b, tb, keep | set(ta))
    shared = [i for i in ta if i in tb and i in keep]
    over = [i for i in ta if i in tb and i not in keep]
    left, right = [i for i in ta if i not in tb], [i for i in tb if i not in ta]
    sizes = dict(zip(ta + tb, a.shape + b.shape, strict=True))

    def arranged(x: Any, term: str, *groups: list[str]) -> Any:
        x = x.transpose(tuple(term.index(i) for g in groups for i in g))
        shape = (*(sizes[i] for i in shared), *(math.prod(sizes[i] for i in g) for g in groups[1:]))
        return reshape(backend, x, shape=shape)

    c = matmul(backend, arranged(a, ta, shared, left, over), arranged(b, tb, shared, over, right))
    term = "".join([*shared, *left, *right])
    return c.reshape(tuple(sizes[i] for i in term)), term


# ----------------------------------------------------------------------------------------------------- by CuPy


@functools.cache
def _with_one_nan(dtype: Any) -> Program:
    """The program that hands its input on, every NaN made the positive one."""
    graph = Graph()
    x = graph.input(dtype, False)
    chosen = graph.node(ELEMENTWISE["isnan"], [x], False)
    return lower([graph.node(ELEMENTWISE["where"], [chosen, graph.const(math.nan), x], False)], named([x]), 0)


@_own
def argsort(backend: Any, x: Any, *, axis: int | None) -> Any:
    if not x.ndim:
        return backend.full((1,), 0, INT64)  # as NumPy has it
    if is_float(x.dtype):  # CuPy does not sort bfloat16, nor a NaN with a sign to the end
        x = backend.cast(x, computed(x.dtype))
        same = backend.empty(x.shape, x.dtype)
        if same.size:
            backend.run(_with_one_nan(x.dtype), x.shape, [x], (), [Output(same)])
        x = same
    return backend.by_cupy("argsort", backend.contiguous(x), axis=axis).astype(np.int64, copy=False)


def _by_cusolver(name: str, part: int | None = None) -> Callable[..., Any]:
    """One of CuPy's functions of linear algebra, or a part of what it gives. A matrix that it fails on raises LinAlgError."""

    def run(backend: Any, *arrays: Any, factors: Any = None) -> Any:
        found = backend.by_cupy(f"linalg.{name}", *map(backend.contiguous, arrays))
        return backend.contiguous(found if part is None else found[part])

    return run


@_own
def solve(backend: Any, a: Any, b: Any, *, vector: bool = False, transposed: bool = False, factors: Any = None) -> Any:
    if vector:
        return solve(backend, a, b[:, None], transposed=transposed)[..., 0]
    a = a.swapaxes(-1, -2) if transposed else a
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])  # CuPy takes batches of one shape
    a, b = (backend.xp.broadcast_to(x, batch + x.shape[-2:]) for x in (a, b))
    return _by_cusolver("solve")(backend, a, b)


@_own
def solve_triangular(backend: Any, a: Any, b: Any, *, lower: bool, unit: bool) -> Any:
    n = a.shape[-1]
    read = np.tri(n, k=-1 if unit else 0, dtype=bool)
    chosen = backend.from_host(read if lower else read.T, None)
    other = backend.from_host(np.eye(n, dtype=a.dtype) if unit else np.zeros((), a.dtype), None)
    whole = backend.empty(a.shape, a.dtype)
    backend.run(
        single(ELEMENTWISE["where"], [BOOL, a.dtype, a.dtype]), a.shape, [chosen, a, other], (), [Output(whole)]
    )
    return solve(backend, whole, b)


TABLE["inverse"] = _by_cusolver("inv")
TABLE["cholesky"] = _by_cusolver("cholesky")
TABLE["det"] = _by_cusolver("det")
TABLE["detsign"] = _by_cusolver("slogdet", 0)
TABLE["logabsdet"] = _by_cusolver("slogdet", 1)


def _lines(backend: Any, first: Any, *others: Any) -> Any:
    """A vector as a row, and matrices, below one another."""
    row = first.reshape((*first.shape[:-1], 1, first.shape[-1]))
    return concatenate(backend, *map(backend.contiguous, (row, *others)), axis=row.ndim - 2)


@_own
def eigh(backend: Any, a: Any, *, vectors: bool) -> Any:
    return _lines(backend, *backend.by_cupy("linalg.eigh", backend.contiguous(a)))


@_own
def svd(backend: Any, a: Any, *, vectors: bool) -> Any:
    u, s, vh = backend.by_cupy("linalg.svd", backend.contiguous(a), full_matrices=False)
    return _lines(backend, s, u, vh.swapaxes(-1, -2))


@_own
def orthogonal(backend: Any, a: Any) -> Any:
    return backend.contiguous(backend.by_cupy("linalg.qr", backend.contiguous(a))[0])


@_own
def complement(backend: Any, q: Any) -> Any:
    whole = backend.by_cupy("linalg.qr", backend.contiguous(q), mode="complete")[0]
    return backend.contiguous(whole[..., q.shape[-1] :])


@_own
def pinv(backend: Any, a: Any, *, rcond: Any) -> Any:
    if np.ndim(rcond):  # one for each matrix
        rcond = backend.from_host(rcond, a.dtype)
    return backend.contiguous(backend.by_cupy("linalg.pinv", backend.contiguous(a), rcond=rcond))


@_own
def unless(backend: Any, x: Any, bad: Any, *, message: str) -> Any:
    if bool(backend.to_host(bad).any()):
        raise errors.GraphError(message)
    return x[...]


@_own
def cumprod(backend: Any, x: Any, *, axis: int) -> Any:
    wide = backend.cast(backend.contiguous(x), computed(x.dtype))
    return backend.cast(backend.by_cupy("cumprod", wide, axis=axis), x.dtype)


@_own
def argwhere(backend: Any, x: Any) -> Any:
    return backend.by_cupy("argwhere", backend.contiguous(x)).astype(np.int64, copy=False)
