"""Sums of products."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..arguments import as_tensors
from ..base import errors
from ..base.shapes import broadcast, normalize_axis
from ..ops import structural
from ..tensor import Tensor
from .face import method, public
from .shaping import broadcast_to, reshape, transpose


@public()
def matmul(a: Any, b: Any) -> Tensor:
    """Matrix product a @ b, with NumPy's rules for vectors (1-D) and batches (3-D and up).

    Shapes (..., n, k) and (..., k, m) give (..., n, m). Gradients: g @ b.T and a.T @ g, summed over broadcast batches.
    Raises ShapeError if the inner lengths differ, or for a 0-d operand.

    >>> import gpugrad as gg
    >>> gg.matmul([[1.0, 2.0]], [[3.0], [4.0]])
    tensor([[11.]], device='cpu')
    """
    a, b = as_tensors(a, b)
    u, v = a._value, b._value
    if u.dtype is v.dtype and len(u.shape) == len(v.shape) == 2 and u.shape[1] == v.shape[0]:  # most often
        product: Tensor = structural.matmul(a, b)
        return product
    if not a.shape or not b.shape:
        raise errors.bad_shape("matmul", f"operands need at least one axis, not shapes {a.shape} and {b.shape}; use *.")
    inner = b.shape[-2] if b.ndim > 1 else b.shape[0]
    if a.shape[-1] != inner:
        raise errors.bad_shape("matmul", f"shapes {a.shape} and {b.shape} do not fit: {a.shape[-1]} is not {inner}.")
    broadcast("matmul (batches)", a.shape[:-2], b.shape[:-2])
    common = np.result_type(a.dtype, b.dtype)
    result: Tensor = structural.matmul(*[t if t.dtype == common else t.astype(common) for t in (a, b)])
    return result


method("__matmul__")(matmul)


@method("__rmatmul__")
def _matmul_from_the_right(b: Tensor, a: Any) -> Tensor:
    return matmul(a, b)


@public(method=True)
def dot(a: Any, b: Any) -> Tensor:
    """NumPy's dot: a product for scalars, a @ b up to 2-D, else the sum over a's last and b's second to last axis.

    >>> import gpugrad as gg
    >>> gg.dot([1.0, 2.0], [3.0, 4.0])
    tensor(11., device='cpu')
    """
    a, b = as_tensors(a, b)
    if not a.shape or not b.shape:
        return a * b
    if b.ndim > 2:
        return tensordot(a, b, (-1, -2))
    return matmul(a, b) if a.ndim <= 2 or b.ndim == 1 else tensordot(a, b, (-1, -2))


@public()
def tensordot(a: Any, b: Any, axes: Any = 2) -> Tensor:
    """Sum of products over the given axes: a number of them, or a pair of (sequences of) axes.

    >>> import gpugrad as gg
    >>> gg.tensordot(gg.ones((2, 3)), gg.ones((2, 3)), 2)
    tensor(6., device='cpu')
    """
    a, b = as_tensors(a, b)
    if hasattr(axes, "__index__"):
        over = tuple(range(a.ndim - axes, a.ndim)), tuple(range(axes))
    else:
        over = tuple((s,) if isinstance(s, int) else tuple(s) for s in axes)  # type: ignore[assignment]
    left = tuple(normalize_axis("tensordot", i, a.ndim) for i in over[0])
    right = tuple(normalize_axis("tensordot", i, b.ndim) for i in over[1])
    if [a.shape[i] for i in left] != [b.shape[i] for i in right]:
        raise errors.bad_shape(
            "tensordot", f"shapes {a.shape} and {b.shape} do not fit over the axes {left} and {right}."
        )
    keep_a = tuple(i for i in range(a.ndim) if i not in left)
    keep_b = tuple(i for i in range(b.ndim) if i not in right)
    n = math.prod(a.shape[i] for i in left)
    p = reshape(transpose(a, keep_a + left), (math.prod(a.shape[i] for i in keep_a), n))
    q = reshape(transpose(b, right + keep_b), (n, math.prod(b.shape[i] for i in keep_b)))
    return reshape(matmul(p, q), tuple(a.shape[i] for i in keep_a) + tuple(b.shape[i] for i in keep_b))


_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def _in_letters(given: tuple[Any, ...]) -> tuple[str, tuple[Any, ...]]:
    """Operands, each followed by a list of its axes, as subscripts and operands."""

    def letters(axes: Any) -> str:
        try:
            return "".join("..." if a is Ellipsis else _LETTERS[a.__index__()] for a in axes)
        except (TypeError, AttributeError, IndexError):
            raise errors.bad_type(
                "einsum", f"a list of axes holds numbers from 0 to 51 and Ellipsis, not {axes!r}."
            ) from None

    pairs = len(given) // 2
    terms = ",".join(letters(axes) for axes in given[1 : 2 * pairs : 2])
    return terms + (f"->{letters(given[-1])}" if len(given) % 2 else ""), given[0 : 2 * pairs : 2]


@public()
def einsum(subscripts: Any, *operands: Any) -> Tensor:
    """Sum of products in Einstein's notation, as in NumPy: "ij,jk->ik", implicit outputs and "..." included.

    Or each operand followed by a list of its axes, by number, and last, if it is wanted, those of the result: einsum(a, [0, 1], b, [1, 2], [0, 2]).

    Raises ShapeError for subscripts that do not fit the operands.

    >>> import gpugrad as gg
    >>> gg.einsum("ii", [[1.0, 2.0], [3.0, 4.0]])
    tensor(5., device='cpu')
    """
    if not isinstance(subscripts, str) and operands:
        subscripts, operands = _in_letters((subscripts, *operands))
    if not isinstance(subscripts, str) or not operands:
        raise errors.bad_type(
            "einsum", "expected subscripts as a string, then one operand for each: einsum('ij,jk', a, b)."
        )
    if any(part.count("...") > 1 for part in subscripts.replace("->", ",").split(",")):
        raise errors.bad_shape("einsum", f"{subscripts!r} has a term with more than one '...'.")
    tensors = as_tensors(*operands)
    common = np.result_type(*(t.dtype for t in tensors))
    tensors = [t if t.dtype == common else t.astype(common) for t in tensors]
    text = subscripts.replace(" ", "")
    left, arrow, output = text.partition("->")
    terms = left.split(",")
    if len(terms) != len(tensors):
        raise errors.bad_shape("einsum", f"{subscripts!r} names {len(terms)} operands, {len(tensors)} were given.")
    free = [c for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz" if c not in text]
    extra = max(
        [t.ndim - len(term.replace("...", "")) for t, term in zip(tensors, terms, strict=True) if "..." in term] or [0]
    )
    dots = "".join(free[: max((extra, 0))])
    full = []
    for t, term in zip(tensors, terms, strict=True):
        n = t.ndim - len(term.replace("...", ""))
        if n < 0 or (n and "..." not in term):
            raise errors.bad_shape("einsum", f"{term!r} does not name the axes of an operand of shape {t.shape}.")
        full.append(term.replace("...", dots[len(dots) - n :]))
    if not arrow:
        letters = "".join(full).replace("...", "")
        output = dots + "".join(sorted(c for c in set(letters) if letters.count(c) == 1 and c not in dots))
    output = output.replace("...", dots)
    if len(set(output)) != len(output) or not set(output) <= set("".join(full)):
        raise errors.bad_shape("einsum", f"the output {output!r} must name indices of the operands, each once.")
    return _contraction(full, tensors, output)


def _contraction(terms: list[str], tensors: list[Tensor], output: str) -> Tensor:
    sizes: dict[str, int] = {}
    for t, term in zip(tensors, terms, strict=True):
        for c, n in zip(term, t.shape, strict=True):
            have = sizes.setdefault(c, n)
            if have == 1:
                sizes[c] = n
            elif n not in (1, have):
                raise errors.bad_shape("einsum", f"index {c!r} has the lengths {have} and {n}.")
    inputs: list[str] = []
    arrays: list[Tensor] = []
    for t, term in zip(tensors, terms, strict=True):
        shape = tuple(sizes[c] for c in term)
        t = t if t.shape == shape else broadcast_to(t, shape)
        for c in sorted(set(term)):
            if term.count(c) > 1:  # a repeated index picks the diagonal
                axes = tuple(k for k, d in enumerate(term) if d == c)
                rest = tuple(k for k, d in enumerate(term) if d != c)
                t = transpose(t, axes + rest)[(np.arange(sizes[c]),) * len(axes)]
                term = c + "".join(term[k] for k in rest)
        inputs.append(term)
        arrays.append(t)
    return structural.contract(*arrays, inputs=tuple(inputs), output=output)
