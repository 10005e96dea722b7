"""The table of structural ops: those that move, select or contract elements.

A row is a forward function on arrays, and a vjp written in ops, so that gradients of gradients need nothing more. A vjp is given the
upstream gradient, the `Call`, and for each input an `Accumulator` to write into, or None where no gradient is wanted. Forward, an op
that is linear (in all of its inputs together, or in each of them) is its own derivative, and declares just that; another has a jvp.
"""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from ..base.dtypes import FLOAT32, computed, is_16_bit
from ..base.index import repeats
from ..base.shapes import Shape, summed_axes
from . import elementwise as ew
from .op import Primitive, cast


class Call(NamedTuple):
    """One call of a structural op, as its derivative sees it. inputs, output: None where the op does not keep them."""

    shapes: tuple[Shape, ...]
    inputs: tuple[Any, ...]
    output: Any


class Accumulator(Protocol):
    """Where the gradient of one input is summed: what a vjp writes into. `g` may be the upstream gradient itself."""

    def add(self, g: Any, apart: bool = False) -> None:
        """All of the gradient. apart: it must not share memory with the upstream gradient, which is about to be taken over."""

    def add_at(self, index: Any, g: Any) -> None:
        """A gradient that is zero but at an index, duplicates counted: no other element took part."""

    def add_product(self, a: Any, b: Any, turn_a: bool, turn_b: bool) -> None:
        """The product of matrices, or of their transposes, in the gradient's shape: made where it is, or added to what is there."""

    def add_where(self, chosen: Any, g: Any) -> None:
        """The gradient of the elements that were chosen: no other took part."""

    def take_over(self, g: Any, zero_at: Any) -> None:
        """The upstream gradient without the elements of an index, which did not take part. Called last: its buffer may be reused."""


class StructuralOp(Primitive):
    """One structural operation.

    forward(xp, *arrays, **params) computes it; vjp(g, call, into, **params) is its reverse. linear: "jointly" in all inputs, in
    "each" of them, or "". keeps: what the derivatives read, inputs by index, "y" the output; one that is linear in each keeps,
    for each gradient, the other inputs. moves: masks travel through it, since it only moves or sums elements, or since its rules know of
    them. computes: it does arithmetic, which may overflow.
    """

    def __init__(
        self, forward: Callable[..., Any], linear: str, keeps: tuple[Any, ...], moves: bool, computes: bool
    ) -> None:
        self.name = forward.__name__
        self.forward = forward
        self.linear = linear
        self.keeps = keeps
        self.reads_output = "y" in keeps
        self.moves = moves
        self.computes = computes
        self.rule: Callable[..., Any] | None = None
        self.tangent_rule: Callable[..., Any] | None = None
        self.doc = inspect.cleandoc(forward.__doc__ or "")

    def vjp(self, rule: Callable[..., Any]) -> Callable[..., Any]:
        """Decorator: the reverse of the op."""
        self.rule = rule
        return rule

    def jvp(self, rule: Callable[..., Any]) -> Callable[..., Any]:
        """Decorator: the tangent of an op that is not linear, a function of (tangents, call, **params)."""
        self.tangent_rule = rule
        return rule

    def on_arrays(self, args: Sequence[Any], params: dict[str, Any]) -> Any:
        return self.forward(np, *[a if type(a) is np.ndarray else np.asarray(a) for a in args], **params)

    def __repr__(self) -> str:
        return f"<structural op {self.name}>"


TABLE: dict[str, StructuralOp] = {}


def structural(
    *, linear: str = "", keeps: tuple[Any, ...] = (), moves: bool = False, masks: bool = False, computes: bool | None = None
) -> Callable[[Callable[..., Any]], StructuralOp]:  # fmt: skip
    """Decorator: declare a structural op by its forward function. What only moves elements is linear; masks: its rules know of masks."""

    def declare(forward: Callable[..., Any]) -> StructuralOp:
        op = TABLE[forward.__name__] = StructuralOp(
            forward, "jointly" if moves else linear, keeps, moves or masks, not moves if computes is None else computes
        )
        return op

    return declare


# ------------------------------------------------------------------------------------------------- moving


@structural(moves=True)
def reshape(xp, x, *, shape):
    "The same elements in another shape."
    return x.reshape(shape)


@reshape.vjp
def _reshape(g, call, into, *, shape):
    into[0].add(reshape(g, shape=call.shapes[0]))


@structural(moves=True)
def transpose(xp, x, *, axes):
    "Axes in another order."
    return x.transpose(axes)


@transpose.vjp
def _transpose(g, call, into, *, axes):
    into[0].add(transpose(g, axes=tuple(sorted(range(len(axes)), key=axes.__getitem__))))


@structural(moves=True)
def broadcast_to(xp, x, *, shape):
    "Repeated along new axes and along axes of length 1."
    return xp.broadcast_to(x, shape)


@broadcast_to.vjp
def _broadcast_to(g, call, into, *, shape):
    into[0].add(sum_to(g, call.shapes[0]))


@structural(moves=True, computes=True)
def collect(xp, x, *, axes, keepdims):
    "Sum over axes; logical or for booleans. (Values run this as a region, together with the expression it sums.)"
    return (xp.any if x.dtype.kind == "b" else xp.sum)(x, axis=axes, keepdims=keepdims)


@collect.vjp
def _collect(g, call, into, *, axes, keepdims):
    into[0].add(spread(g, call.shapes[0], axes))


def spread(g: Any, shape: Shape, axes: tuple[int, ...]) -> Any:
    """A reduced gradient back at the shape that was reduced over `axes`."""
    kept = tuple(1 if i in axes else n for i, n in enumerate(shape))
    return broadcast_to(reshape(g, shape=kept), shape=shape)


def sum_to(g: Any, shape: Shape) -> Any:
    """A gradient summed to the shape of an input that was broadcast."""
    if g.shape == shape:
        return g
    axes = summed_axes(shape[max(0, len(shape) - len(g.shape)) :], g.shape)  # a write allows more leading axes of 1
    if axes:
        g = collect(g, axes=axes, keepdims=False)
    return reshape(g, shape=shape)


@structural(moves=True)
def concatenate(xp, *xs, axis):
    "Arrays joined along an axis."
    return xp.concatenate(xs, axis)


@concatenate.vjp
def _concatenate(g, call, into, *, axis):
    start = 0
    for shape, to in zip(call.shapes, into, strict=True):
        stop = start + shape[axis]
        if to is not None:
            to.add(getitem(g, index=(*(slice(None),) * axis, slice(start, stop))))
        start = stop


@structural(moves=True)
def to_device(xp, x, *, source, target):
    "A copy on another device."
    return target.backend.from_host(source.backend.to_host(x), None)


@to_device.vjp
def _to_device(g, call, into, *, source, target):
    into[0].add(to_device(g, source=target, target=source))


# ----------------------------------------------------------------------------------------------- indexing

SMALL_SLICE = 8  # a slice this many times smaller than its base is copied, so that it does not keep the base alive


@structural(moves=True)
def getitem(xp, x, *, index):
    "The elements at an index: basic, boolean, integer or mixed."
    y = x[index]
    if isinstance(y, xp.ndarray):
        return y.copy() if y.base is not None and y.size * SMALL_SLICE <= x.size else y
    return xp.asarray(y)


@getitem.vjp
def _getitem(g, call, into, *, index):
    into[0].add_at(index, g)


@structural(moves=True)
def setitem(xp, x, v, *, index):
    "A copy of x with v written at an index; the last of duplicates stays."
    y = x.copy()
    y[index] = v
    return y


@setitem.vjp
def _setitem(g, call, into, *, index):
    if into[1] is not None:
        part = getitem(g, index=index)
        winners = last_writers(call.shapes[0], index)
        if winners is not None:
            part = ew.where(winners, part, 0)
        into[1].add(sum_to(part, call.shapes[1]), apart=True)
    if into[0] is not None:
        into[0].take_over(g, zero_at=index)


def last_writers(shape, index):
    """Which elements of a written index were not overwritten by a duplicate; None where there are no duplicates."""
    items = index if isinstance(index, tuple) else (index,)
    if not any(isinstance(i, np.ndarray) and i.dtype.kind != "b" for i in items):
        return None
    owner = np.empty(shape, np.int64)
    extent = owner[index].shape
    mine = np.arange(math.prod(extent)).reshape(extent)
    owner[index] = mine
    winners = owner[index] == mine
    return None if winners.all() else winners


@structural(moves=True, computes=True)
def index_add(xp, x, v, *, index):
    "A copy of x with v added at an index, every duplicate counted."
    y = x.copy()
    if repeats(index):
        (xp.logical_or if y.dtype.kind == "b" else xp.add).at(y, index, v)
    elif y.dtype.kind == "b":
        y[index] |= v
    else:
        y[index] += v
    return y


@index_add.vjp
def _index_add(g, call, into, *, index):
    if into[0] is not None:
        into[0].add(g)
    if into[1] is not None:
        into[1].add(getitem(g, index=index))


@structural(moves=True)
def embed(xp, v, *, shape, index):
    "Zeros of a shape with v at an index that names no element twice: the gradient of a slice."
    y = xp.zeros(shape, v.dtype)
    y[index] = v
    return y


@embed.vjp
def _embed(g, call, into, *, shape, index):
    into[0].add(getitem(g, index=index))


# --------------------------------------------------------------------------------- selection and accumulation


def _extreme(name, numpy_name):
    def forward(xp, x, *, axes, keepdims):
        return getattr(xp, numpy_name)(x, axis=axes, keepdims=keepdims)

    forward.__name__ = name
    forward.__doc__ = f"The {name[-3:]}imum over axes, NaN if any is; ties share the gradient evenly."
    op = structural(keeps=(0, "y"))(forward)

    def choice(call, axes):
        x = call.inputs[0]
        y = spread(call.output, x.shape, axes)
        # NaN is no one's equal: where the result is NaN, the NaNs share it.
        chosen = ew.logical_or(x == y, ew.logical_and(ew.isnan(x), ew.isnan(y)))
        return chosen, collect(
            cast(np.dtype(np.int64))(chosen), axes=axes, keepdims=True
        )  # a count is exact in every dtype

    @op.vjp
    def rule(g, call, into, *, axes, keepdims):
        chosen, count = choice(call, axes)
        share = cast(g.dtype)(reshape(g, shape=count.shape) / count)
        into[0].add_where(chosen, broadcast_to(share, shape=chosen.shape))

    @op.jvp
    def tangent(tangents, call, *, axes, keepdims):
        chosen, count = choice(call, axes)
        t = ew.where(chosen, tangents[0], 0)
        mean = reshape(collect(cast(computed(t.dtype))(t), axes=axes, keepdims=True), shape=count.shape) / count
        return reshape(cast(t.dtype)(mean), shape=call.output.shape)

    return op


reduce_max = _extreme("reduce_max", "max")
reduce_min = _extreme("reduce_min", "min")


def _position(name):
    def forward(xp, x, *, axis, keepdims):
        return getattr(xp, name)(x, axis=axis, keepdims=keepdims)

    forward.__name__ = name
    forward.__doc__ = f"The index of the first {name[3:]}imum along an axis, or of all elements."
    return structural()(forward)


argmax = _position("argmax")
argmin = _position("argmin")


@structural()
def argsort(xp, x, *, axis):
    "The indices that sort along an axis; equal elements stay in order."
    return xp.argsort(x, axis=axis, kind="stable")


@structural()
def argwhere(xp, x):
    "The indices of the elements that are not zero, one row each."
    return xp.argwhere(x)


@structural(moves=True, computes=True)
def cumsum(xp, x, *, axis):
    "Running sum along an axis, logical or for booleans; 16-bit floats accumulate in float32."
    return xp.cumsum(x, axis, dtype=FLOAT32 if is_16_bit(x.dtype) else None).astype(x.dtype, copy=False)


@cumsum.vjp
def _cumsum(g, call, into, *, axis):
    back = (slice(None),) * axis + (slice(None, None, -1),)
    into[0].add(getitem(cumsum(getitem(g, index=back), axis=axis), index=back))


@structural(keeps=(0, "y"), masks=True)
def cumprod(xp, x, *, axis):
    "Running product along an axis; 16-bit floats multiply in float32."
    return xp.cumprod(x, axis, dtype=FLOAT32 if is_16_bit(x.dtype) else None).astype(x.dtype, copy=False)


def _shifted(x: Any, axis: int, first: Any) -> Any:
    """Elements moved on by one along an axis, with a number before them."""
    lead = (slice(None),) * axis
    ends = np.full([1 if a == axis else n for a, n in enumerate(x.shape)], first, x.dtype)
    return concatenate(ends, getitem(x, index=(*lead, slice(None, -1))), axis=axis)


def _recurrence(a: Any, b: Any, axis: int) -> Any:
    """The h with h[i] = a[i] * h[i - 1] + b[i] along an axis: in log2(n) steps, each of which doubles how far back an element sees."""
    lead, step = (slice(None),) * axis, 1
    while step < b.shape[axis]:
        now, back = (*lead, slice(step, None)), (*lead, slice(None, -step))
        begun = (*lead, slice(None, step))
        factor = getitem(a, index=now)
        b = concatenate(getitem(b, index=begun), getitem(b, index=now) + factor * getitem(b, index=back), axis=axis)
        a = concatenate(getitem(a, index=begun), factor * getitem(a, index=back), axis=axis)
        step *= 2
    return b


@cumprod.vjp
def _cumprod(g, call, into, *, axis):
    # dy[j] / dx[i] is the product of all before i times that of those after i up to j: exact also where elements are 0.
    x, y = call.inputs[0], call.output
    back = (slice(None),) * axis + (slice(None, None, -1),)
    mask, g = getattr(g, "mask", None), getattr(g, "value", g)
    if mask is not None:  # an element took part if it or one after it did; no other may reach the second derivative
        mask = getitem(cumsum(getitem(mask, index=back), axis=axis), index=back)
        x = ew.where(mask, x, 0)
    # from the end: what the gradients that came later are multiplied with
    later = getitem(_recurrence(_shifted(getitem(x, index=back), axis, 1), getitem(g, index=back), axis), index=back)
    found = _shifted(y, axis, 1) * later
    if mask is None:
        into[0].add(found)
    else:
        into[0].add_where(mask, found)


@cumprod.jvp
def _cumprod_tangent(tangents, call, *, axis):
    if tangents[0].dtype == bool:  # a mask
        return cumsum(tangents[0], axis=axis)
    return _recurrence(call.inputs[0], tangents[0] * _shifted(call.output, axis, 1), axis)


# ----------------------------------------------------------------------------------------------- contraction


@structural(linear="each")
def matmul(xp, a, b):
    "Matrix product with NumPy's rules for vectors and batches; 16-bit floats accumulate in float32."
    if is_16_bit(a.dtype):
        return xp.matmul(a.astype(FLOAT32), b.astype(FLOAT32)).astype(a.dtype)
    return xp.asarray(xp.matmul(a, b))


@structural(linear="each")
def linear(xp, a, b):
    "The matrix product of a with b, whose last two axes change places first: what a layer computes of its weights."
    return matmul.forward(xp, a, b.swapaxes(-1, -2))


@matmul.vjp
def _matmul(g, call, into):
    _of_product(g, call, into, False)


@linear.vjp
def _linear(g, call, into):
    _of_product(g, call, into, True)


def _of_product(g, call, into, turned):
    a, b = call.inputs
    sa, sb = call.shapes
    if len(sa) == 1:  # a row: (k) is (1, k), and the result has lost that axis
        sa = (1, *sa)
        a = None if a is None else reshape(a, shape=sa)
        g = reshape(g, shape=(*g.shape[:-1], 1, *g.shape[-1:]) if len(sb) > 1 else (1,))
    if len(sb) == 1:
        sb = (*sb, 1)
        b = None if b is None else reshape(b, shape=sb)
        g = reshape(g, shape=(*g.shape, 1))
    batch = g.shape[:-2]
    if into[0] is not None:
        if sa[:-2] == batch:
            into[0].add_product(g, b, False, not turned)
        else:
            into[0].add(reshape(sum_to((matmul if turned else linear)(g, b), sa), shape=call.shapes[0]))
    if into[1] is not None:
        if batch and len(sb) == 2 and sa[:-2] == batch:  # one matrix for all of a batch
            batch, rows = (), math.prod(sa[:-1])
            a, g = reshape(a, shape=(rows, sa[-1])), reshape(g, shape=(rows, g.shape[-1]))
        left, right = (g, a) if turned else (a, g)
        if sb[:-2] == batch:
            into[1].add_product(left, right, True, False)
        else:
            into[1].add(reshape(sum_to(matmul(transposed(left), right), sb), shape=call.shapes[1]))


def transposed(x: Any) -> Any:
    "x with its last two axes exchanged."
    n = len(x.shape)
    return transpose(x, axes=(*range(n - 2), n - 1, n - 2))


@structural(linear="each")
def contract(xp, *xs, inputs, output):
    "Sum of products in einsum's notation; no index is repeated within an operand. 16-bit floats compute in float32."
    text = f"{','.join(inputs)}->{output}"
    dtype = xs[0].dtype
    if is_16_bit(dtype):
        return xp.asarray(xp.einsum(text, *(x.astype(FLOAT32) for x in xs), optimize=True)).astype(dtype)
    return xp.array(xp.einsum(text, *xs, optimize=len(xs) > 1))


@contract.vjp
def _contract(g, call, into, *, inputs, output):
    sizes = {i: n for term, shape in zip(inputs, call.shapes, strict=True) for i, n in zip(term, shape, strict=True)}
    for k, (term, to) in enumerate(zip(inputs, into, strict=True)):
        if to is None:
            continue
        others = [t for j, t in enumerate(inputs) if j != k]
        known = set(output).union(*others)
        reached = "".join(i for i in term if i in known)  # an index of this operand alone was summed: repeat along it
        part = contract(g, *(x for j, x in enumerate(call.inputs) if j != k), inputs=(output, *others), output=reached)
        if reached != term:
            part = reshape(part, shape=tuple(sizes[i] if i in known else 1 for i in term))
            part = broadcast_to(part, shape=call.shapes[k])
        to.add(part)


def kept(op: StructuralOp, inputs: Sequence[Any]) -> tuple[Sequence[Any], bool]:
    """The inputs that the vjp reads, by index, and whether it reads the output."""
    if op.linear == "each":
        wanted = 0
        for a in inputs:
            wanted += a.requires_grad
        return [k for k, a in enumerate(inputs) if wanted > a.requires_grad], False
    return op.keeps, op.reads_output


def tangent(op: StructuralOp, tangents: Sequence[Any], call: Call, params: dict[str, Any]) -> Any:
    """The tangent of a result, given those of the inputs (None: zero), of which there is at least one."""
    if op.tangent_rule is not None:
        return op.tangent_rule(tangents, call, **params)
    given = [k for k, t in enumerate(tangents) if t is not None]
    if op.linear == "each":  # the product rule
        parts = [op(*(tangents[j] if k == j else x for k, x in enumerate(call.inputs)), **params) for j in given]
        return functools.reduce(lambda a, b: a + b, parts)
    dtype = tangents[given[0]].dtype
    return op(*(np.zeros(s, dtype) if t is None else t for t, s in zip(tangents, call.shapes, strict=True)), **params)
