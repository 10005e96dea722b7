"""Functions of functions, with the names and arguments of JAX: `grad`, `value_and_grad`, `vjp`, `jvp`, `jacobian`, `hessian`, `hvp`.

The function that is differentiated takes and returns tensors, in nested lists, tuples and dictionaries if it likes; numbers and arrays that
it is called with become tensors (a list of numbers is a list of tensors). What comes in decides what comes out: called on plain data, a
transform returns plain data of the same kind, NumPy's or CuPy's; called on tensors, tensors. Transforms nest: each differentiates with
respect to inputs of its own, which are values on the tape, so that derivatives of different orders are never confused.
"""

from __future__ import annotations

import builtins
import functools
import math
import operator
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ..base import errors
from ..base.shapes import is_float
from ..differentiable import check_gradient, unit
from ..functions.creation import tensor, zeros
from ..functions.reductions import sum
from ..functions.shaping import reshape, stack
from ..tensor import Tensor
from .calls import Call, as_input
from .trees import is_plain, tree_leaves, tree_rebuilt

_Argnums = int | Sequence[int]


class Transformed:
    """A function that a transform has made. It is pickled as the transform and the function it was given, as far as that can be."""

    def __init__(
        self, transform: Callable[..., Any], function: Any, arguments: tuple[Any, ...], call: Callable[..., Any]
    ) -> None:
        self._made = transform, arguments
        self._call = call
        self.__name__ = f"{transform.__name__}_of_{getattr(function, '__name__', 'function')}"
        self.__doc__ = f"The {transform.__name__} of a function, with its arguments: see gg.{transform.__name__}."

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._call(*args, **kwargs)

    def __repr__(self) -> str:
        transform, arguments = self._made
        return f"gg.{transform.__name__}({getattr(arguments[0], '__name__', arguments[0])})"

    def __reduce__(self) -> Any:
        return self._made


def _chosen(name: str, argnums: _Argnums, count: int) -> list[int]:
    numbers = [argnums] if isinstance(argnums, int) else list(argnums)
    for n in numbers:
        if not isinstance(n, int) or not -count <= n < count:
            raise errors.InputError(
                f"{name}: argnums={argnums!r} does not fit a call with {count} positional argument(s)."
            )
    return [n % count for n in numbers]


def _differentiated(
    f: Callable[..., Any], argnums: _Argnums, has_aux: bool, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[Call, Any]:
    """A call of a function with one number as its result, and its gradients."""
    call = Call("grad", f, args, _chosen("grad", argnums, len(args)), kwargs, has_aux)
    if len(call.outputs) != 1 or call.outputs[0].size != 1:
        raise errors.ShapeError(
            f"grad takes functions with one number as their result, not of shapes {[t.shape for t in call.outputs]}: sum the result, or use "
            f"gg.vjp or gg.jacobian."
        )
    y = call.outputs[0]._value
    one = Tensor(unit(y.shape, y.dtype if is_float(y.dtype) else np.dtype(float), y.device))
    gradients = call.arranged(call.pull([one], False))
    call.warn_if_constant("grad")
    return call, gradients[0] if isinstance(argnums, int) else tuple(gradients)


def value_and_grad(f: Callable[..., Any], argnums: _Argnums = 0, has_aux: bool = False) -> Callable[..., Any]:
    """A function that returns f's value and its gradient, with the arguments of f.

    f: a function with one number as its result. argnums: the argument to differentiate with respect to, or several, whose
    gradients come as a tuple; a gradient has the nesting, shape and dtype of its argument. has_aux: f returns
    (result, aux); the value is then that pair.

    Raises ShapeError if the result has not one element, DTypeError for an argument that is not of floats.

    >>> import gpugrad as gg
    >>> gg.value_and_grad(lambda x, y: (x * y).sum(), argnums=1)(gg.tensor([1.0, 2.0]), 3.0)
    (tensor(9., device='cpu'), tensor(3., device='cpu'))
    """

    def transformed(*args: Any, **kwargs: Any) -> Any:
        call, gradients = _differentiated(f, argnums, has_aux, args, kwargs)
        value = call.returned(call.outputs[0])
        return ((value, call.returned(call.aux)) if has_aux else value), gradients

    return Transformed(value_and_grad, f, (f, argnums, has_aux), transformed)


def grad(f: Callable[..., Any], argnums: _Argnums = 0, has_aux: bool = False) -> Callable[..., Any]:
    """A function that returns f's gradient, with the arguments of f: see `value_and_grad`. With has_aux, (gradient, aux).

    >>> import gpugrad as gg
    >>> gg.grad(lambda x: gg.sin(x))(gg.tensor(0.0))
    tensor(1., device='cpu')
    >>> gg.grad(gg.grad(lambda x: x**3))(2.0)
    np.float64(12.0)
    """

    def transformed(*args: Any, **kwargs: Any) -> Any:
        call, gradients = _differentiated(f, argnums, has_aux, args, kwargs)
        return (gradients, call.returned(call.aux)) if has_aux else gradients

    return Transformed(grad, f, (f, argnums, has_aux), transformed)


def vjp(f: Callable[..., Any], *xs: Any, has_aux: bool = False) -> Any:
    """f(*xs), and a function that takes the gradient of the result back to a tuple of gradients of xs: (y, pull).

    The gradient given to pull has the nesting and shapes of y. pull may be called again. With has_aux, (y, pull, aux).

    >>> import gpugrad as gg
    >>> y, pull = gg.vjp(lambda x: x * x, gg.tensor([1.0, 2.0]))
    >>> pull([1.0, 10.0])
    (tensor([ 2., 40.], device='cpu'),)
    """
    call = Call("vjp", f, xs, range(len(xs)), {}, has_aux)
    nested = isinstance(call.result, (list, tuple, dict))

    def pull(gradient: Any) -> tuple[Any, ...]:
        given = tree_leaves(gradient) if nested else [gradient]
        if len(given) != len(call.outputs):
            raise errors.bad_shape("vjp", f"{len(given)} gradients were given for {len(call.outputs)} results.")
        upstream = []
        for t, g in zip(call.outputs, given, strict=True):
            g = g if isinstance(g, Tensor) else tensor(g, t.dtype, t.device)
            check_gradient(t._value, g._value)
            upstream.append(g)
        gradients = call.arranged(call.pull(upstream, True))
        call.warn_if_constant("vjp")
        return tuple(gradients)

    y = call.returned(call.result)
    return (y, pull, call.returned(call.aux)) if has_aux else (y, pull)


def jvp(f: Callable[..., Any], xs: Sequence[Any], ts: Sequence[Any], has_aux: bool = False) -> Any:
    """f(*xs), and its derivative at xs in the direction ts: (y, t), by forward mode. With has_aux, (y, t, aux).

    xs: the arguments, in a tuple or list. ts: for each its tangent, with the same nesting and shapes. t, the tangent of the
    result, has the nesting and shapes of y: the Jacobian times ts. f is recorded as for `vjp`, and walked once, forward.

    Raises ShapeError for tangents that do not fit, DTypeError for arguments that are not of floats.

    >>> import gpugrad as gg
    >>> gg.jvp(lambda x: x * x, (gg.tensor([1.0, 2.0]),), (gg.tensor([1.0, 10.0]),))
    (tensor([1., 4.], device='cpu'), tensor([ 2., 40.], device='cpu'))
    """
    for name, given in (("xs", xs), ("ts", ts)):
        if not isinstance(given, (tuple, list)):
            raise errors.bad_type("jvp", f"{name} must be a tuple or list of arguments, not {type(given).__name__!r}.")
    tangents = _directions("jvp", xs, ts)
    call = Call("jvp", f, xs, range(len(xs)), {}, has_aux, tangents, is_plain(ts))
    tangent = call.handed(tree_rebuilt(call.result, iter(call.push(tangents))))
    call.warn_if_constant("jvp")
    y = call.returned(call.result)
    return (y, tangent, call.returned(call.aux)) if has_aux else (y, tangent)


def _directions(name: str, xs: Any, ts: Any) -> list[Tensor]:
    """The leaves of tangents, as tensors like those of the arguments."""
    points, directions = tree_leaves(xs), tree_leaves(ts)
    shapes = [[np.shape(a) if not isinstance(a, Tensor) else a.shape for a in tree] for tree in (points, directions)]
    if shapes[0] != shapes[1]:
        raise errors.bad_shape(name, f"the arguments have the shapes {shapes[0]}, their directions {shapes[1]}.")
    likes = [as_input(name, a) for a in points]
    found = [
        t if isinstance(t, Tensor) else tensor(t, x.dtype, x.device) for t, x in zip(directions, likes, strict=True)
    ]
    for t, x in zip(found, likes, strict=True):
        check_gradient(x._value, t._value)
    return found


def jacobian(f: Callable[..., Any], argnums: _Argnums = 0) -> Callable[..., Any]:
    """A function that returns all derivatives of f's results: for a result of shape R and an argument of shape A, shape R + A.

    Several argnums give a tuple; nested results and arguments give the nesting of the arguments inside that of the results.
    One pass for each element of the results, backward, or for each of the arguments, forward, whatever is less.

    >>> import gpugrad as gg
    >>> gg.jacobian(lambda x: x * x)(gg.tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]], device='cpu')
    """

    def transformed(*args: Any, **kwargs: Any) -> Any:
        call = Call("jacobian", f, args, _chosen("jacobian", argnums, len(args)), kwargs, False, forward=True)
        tall = builtins.sum(y.size for y in call.outputs) > builtins.sum(math.prod(v.shape) for v in call.inputs)
        answers = []
        for whole in _by_columns(call) if tall else _by_rows(call):
            parts = call.arranged(whole)
            answers.append(parts[0] if isinstance(argnums, int) else tuple(parts))
        if any(y.size for y in call.outputs):
            call.warn_if_constant("jacobian")
        return tree_rebuilt(call.result, iter(answers))

    return Transformed(jacobian, f, (f, argnums), transformed)


def _one_of(t: Any, n: int) -> Tensor:
    """Where element number n is. The others take no part, and contribute exactly 0, also where their own derivative is infinite."""
    one = np.zeros(math.prod(t.shape), bool)
    one[n] = True
    return tensor(one.reshape(t.shape), device=t.device)


def _by_rows(call: Call) -> Iterator[list[Tensor]]:
    """The derivatives of each result in all inputs: one pass back for each of its elements."""
    for k, y in enumerate(call.outputs):
        rows: list[list[Tensor]] = []
        for n in range(y.size):
            mask = _one_of(y, n)
            upstream: list[Tensor | None] = [None] * len(call.outputs)
            masks: list[Tensor | None] = [None] * len(call.outputs)
            upstream[k] = mask.astype(y.dtype)
            masks[k] = mask if y.size > 1 else None
            rows.append(call.pull(upstream, True, masks))
        yield [
            reshape(stack([row[i] for row in rows]), (*y.shape, *v.shape))
            if rows
            else zeros((*y.shape, *v.shape), v.dtype, v.device)
            for i, v in enumerate(call.inputs)
        ]


def _by_columns(call: Call) -> Iterator[list[Tensor]]:
    """The same, by one pass forward for each element of the inputs."""
    columns: list[list[list[Tensor]]] = []  # of each input, for each of its elements, those of the outputs
    for i, v in enumerate(call.inputs):
        columns.append([])
        for n in range(math.prod(v.shape)):
            mask = _one_of(v, n)
            tangents: list[Tensor | None] = [None] * len(call.inputs)
            masks: list[Tensor | None] = [None] * len(call.inputs)
            tangents[i] = mask.astype(v.dtype)
            masks[i] = mask if mask.size > 1 else None
            columns[i].append(call.push(tangents, masks))
    for k, y in enumerate(call.outputs):
        yield [
            reshape(stack([column[k] for column in columns[i]], axis=-1), (*y.shape, *v.shape)).astype(v.dtype)
            if columns[i]
            else zeros((*y.shape, *v.shape), v.dtype, v.device)
            for i, v in enumerate(call.inputs)
        ]


def hessian(f: Callable[..., Any], argnums: _Argnums = 0) -> Callable[..., Any]:
    """A function that returns all second derivatives of a function with one number as its result: for an argument of shape A, shape A + A.

    The jacobian of the gradient. Several argnums, or a nested argument, give the nesting of the argument inside itself.

    >>> import gpugrad as gg
    >>> gg.hessian(lambda x: (x**3).sum())(gg.tensor([1.0, 2.0]))
    tensor([[ 6.,  0.],
            [ 0., 12.]], device='cpu')
    """
    derivative = jacobian(grad(f, argnums), argnums)
    return Transformed(hessian, f, (f, argnums), derivative)


def hvp(f: Callable[..., Any], x: Any, v: Any) -> Any:
    """The Hessian of a function with one number as its result, at x, times v: without making the Hessian.

    v has the nesting and shapes of x, and so has the result: the gradient of the inner product of f's gradient with v.
    (Reverse over reverse: measured faster than `jvp` of the gradient, which must keep track of what takes part.)

    >>> import gpugrad as gg
    >>> gg.hvp(lambda x: (x**3).sum(), gg.tensor([1.0, 2.0]), gg.tensor([1.0, 10.0]))
    tensor([  6., 120.], device='cpu')
    """
    directions = _directions("hvp", x, v)

    def along(at: Any) -> Any:
        parts = [sum(g * d) for g, d in zip(tree_leaves(grad(f)(at)), directions, strict=True)]
        return functools.reduce(operator.add, parts)

    return grad(along)(x)


__all__ = ["grad", "hessian", "hvp", "jacobian", "jvp", "value_and_grad", "vjp"]


def __dir__() -> list[str]:
    return __all__
