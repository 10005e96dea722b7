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
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ..backends.cpu.pool import is_whole
from ..backends.devices import device_array
from ..base import errors
from ..base.frames import user_place
from ..base.modes import enable_grad, grad_mode
from ..base.shapes import is_float
from ..coerce import on_host
from ..core.closing import close
from ..core.forward import forward
from ..core.nodes import Handed, Leaf, Slot, reachable
from ..core.reverse import gradients_in
from ..core.value import Value, filled, held
from ..differentiable import check_gradient
from ..functions.creation import tensor, zeros
from ..functions.reductions import sum
from ..functions.shaping import reshape, stack
from ..tensor import Tensor

_Argnums = int | Sequence[int]


def _outside() -> int:
    """The stacklevel of a warning that names the user's line."""
    level, frame = 2, sys._getframe(2)
    place = user_place()
    while frame.f_back is not None and (frame.f_code.co_filename, frame.f_lineno) != place:
        level, frame = level + 1, frame.f_back
    return level


class _Active(threading.local):
    """How many transforms are differentiating, in this thread: what an inner one returns is then recorded. calls: how many there ever were."""

    depth = 0
    calls = 0


_active = _Active()


def _leaves(tree: Any) -> Iterator[Any]:
    """What nested lists, tuples and dictionaries hold, in order."""
    if isinstance(tree, dict):
        tree = tree.values()
    elif not isinstance(tree, (list, tuple)):
        yield tree
        return
    for branch in tree:
        yield from _leaves(branch)


def _rebuilt(tree: Any, leaves: Iterator[Any]) -> Any:
    """The same nesting with other leaves."""
    if isinstance(tree, dict):
        return {k: _rebuilt(branch, leaves) for k, branch in tree.items()}
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree)(*(_rebuilt(branch, leaves) for branch in tree))
    if isinstance(tree, (list, tuple)):
        return type(tree)(_rebuilt(branch, leaves) for branch in tree)
    return next(leaves)


def _map(function: Callable[[Any], Any], tree: Any) -> Any:
    if not isinstance(tree, (dict, list, tuple)):
        return function(tree)
    return _rebuilt(tree, map(function, _leaves(tree)))


def _as_input(name: str, a: Any) -> Tensor:
    """An argument as a tensor. An array is copied, once: what is recorded of it may be read when the array has changed."""
    t = a if isinstance(a, Tensor) else tensor(float(a) if type(a) in (int, bool) else a)
    if not is_float(t.dtype):
        raise errors.DTypeError(
            f"{name} differentiates with respect to floating-point arguments, not {t.dtype}: convert with x.astype(float) (a starting point "
            f"that is passed on, p0=[1.0, 1.0] instead of [1, 1]), or leave the argument out of argnums."
        )
    return t


def _is_plain(trees: Any) -> bool:
    """Whether arguments hold no tensor: what is computed of them is handed back as plain data, too."""
    return not any(isinstance(a, Tensor) for a in _leaves(trees))


def _as_plain(t: Any, on_gpu: bool) -> Any:
    """A tensor as an array of NumPy's, or of CuPy's, or as NumPy's number; as it is, if a gradient would be lost."""
    if not isinstance(t, Tensor) or t.requires_grad:
        return t
    if t.device.name.startswith("cuda"):
        array = t.cupy() if on_gpu else on_host(t)
        return array if on_gpu or array.ndim else array[()]
    array = close(t._value)
    if not array.ndim:
        return array[()]
    if t._value.owned and is_whole(array):  # nobody else has it, or will: the caller may write to it
        t._value.owned = False
        return array
    return array.copy()


class _Call:
    """A function called with inputs of its own, ready to be differentiated.

    inputs: the values that it was given. outputs: the leaves of what it returned, as tensors. recorded: what is computed
    from here on may itself be differentiated.
    """

    def __init__(
        self, name: str, f: Callable[..., Any], args: Sequence[Any], chosen: Sequence[int], kwargs: dict[str, Any], has_aux: bool,
        tangents: Sequence[Tensor] = (), plain: bool = True, forward: bool = False,
    ) -> None:  # fmt: skip
        self.plain = plain and _is_plain(args) and _is_plain(kwargs)
        self.on_gpu = self.plain and any(device_array(a) is not None for a in _leaves([args[n] for n in chosen]))
        given = [_map(lambda a: _as_input(name, a), args[n]) for n in chosen]
        self.depends = False  # whether a way leads from an output to an input
        outer = any(t.requires_grad for t in (*_leaves(given), *tangents))
        self.recorded = _active.depth > 0 or (grad_mode.enabled and outer)
        with enable_grad():
            own = [_map(self._own, tree) for tree in given]
        self.trees = given
        self.inputs: list[Value] = [t._value for t in _leaves(own)]
        for v in self.inputs if tangents or forward else ():
            close(v)  # each is a node of its own, from which its tangent starts
        handed = list(args)
        for n, tree in zip(chosen, own, strict=True):
            handed[n] = _map(lambda t: Tensor(t._value), tree)  # names of its own, which it may write to
        _active.depth += 1
        _active.calls += 1
        calls = _active.calls
        try:
            with enable_grad():
                result = f(*handed, **kwargs)
        finally:
            _active.depth -= 1
        self.is_derivative = _active.calls != calls  # made of derivatives of other functions
        self.aux = None
        if has_aux:
            if not isinstance(result, tuple) or len(result) != 2:
                raise errors.bad_type(name, "with has_aux=True the function must return a pair: (result, aux).")
            result, self.aux = result
        self.result = result
        self.outputs = [t if isinstance(t, Tensor) else tensor(t) for t in _leaves(result)]
        if not self.recorded:  # something else that the function has used may require grad
            roots = [t._value.node for t in self.outputs if self._closed(t).requires_grad]
            nodes = reachable([n for n in roots if n is not None])
            self.recorded = grad_mode.enabled and any(type(n) is Leaf for n in nodes)

    def _own(self, t: Tensor) -> Tensor:
        """An input that nobody else has: a copy on the tape of what is recorded, of the same buffer otherwise: values do not change."""
        if self.recorded and t.requires_grad:
            return t.copy()
        array = close(t._value)
        t._value.owned = False  # two values share it now: neither may write to it
        v = held(array, t.device, False, True)
        v.node = Handed(v, Slot())
        return Tensor(v)

    @staticmethod
    def _closed(t: Tensor) -> Value:
        close(t._value)
        return t._value

    def pull(
        self, upstream: Sequence[Tensor | None], retain: bool, masks: Sequence[Tensor | None] | None = None
    ) -> list[Tensor]:
        """The gradients of the inputs, given those of the outputs (None: zero), and masks of the elements that take part."""
        taking = masks or [None] * len(upstream)
        roots = [
            (t._value, g._value, m._value if m is not None else None)
            for t, g, m in zip(self.outputs, upstream, taking, strict=True)
            if t.requires_grad and g is not None
        ]
        found: Sequence[Value | None] = [None] * len(self.inputs)
        if roots:
            found, used = gradients_in(roots, self.inputs, retain or self.recorded, self.recorded)
            self.depends = self.depends or used
        return [
            Tensor(g) if g is not None else zeros(v.shape, v.dtype, v.device)
            for g, v in zip(found, self.inputs, strict=True)
        ]

    def push(self, tangents: Sequence[Tensor | None], masks: Sequence[Tensor | None] | None = None) -> list[Tensor]:
        """The tangents of the outputs, given those of the inputs (None: zero), and masks of the elements that take part."""
        taking = masks or [None] * len(tangents)
        seeds = {
            v.node: (t._value, m._value if m is not None else None)
            for v, t, m in zip(self.inputs, tangents, taking, strict=True)
            if t is not None
        }
        roots = [t._value for t in self.outputs if t.requires_grad]
        found = dict(zip(map(id, roots), forward(roots, seeds, self.recorded), strict=True))
        below = reachable([v.node for v in roots if v.node is not None])
        self.depends = self.depends or not seeds.keys().isdisjoint(below)
        answers = []
        for t in self.outputs:
            v = found.get(id(t._value))
            answers.append(zeros(t.shape, t.dtype, t.device) if v is None else Tensor(v))
        return answers

    def returned(self, tree: Any) -> Any:
        """What the function returned, as it is handed on: without a graph, unless that is recorded."""
        return self.handed(_map(lambda t: t if self.recorded or not isinstance(t, Tensor) else t.detach(), tree))

    def handed(self, tree: Any) -> Any:
        """Tensors as they are handed to the caller, who gave tensors or plain data."""
        if not self.plain or self.recorded:
            return tree
        return _map(lambda t: _as_plain(t, self.on_gpu), tree)

    def arranged(self, gradients: Sequence[Any]) -> list[Any]:
        """Gradients in the nesting of the arguments."""
        rest = iter(gradients)
        return [self.handed(_rebuilt(tree, rest)) for tree in self.trees]

    def warn_if_constant(self, name: str) -> None:
        """Say so if no result depends on the inputs: a gradient of zeros is rarely what was wanted.

        A derivative that is constant, as that of a linear function, is nothing to wonder at.
        """
        if not (self.depends or self.recorded or self.is_derivative):
            warnings.warn(
                f"gg.{name}: the result does not depend on the argument that it is differentiated with respect to, so its derivative is zero. "
                f"Was it made with math.*, NumPy arrays, .item() or .detach()?",
                RuntimeWarning,
                stacklevel=_outside(),
            )


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
        call = _Call("grad", f, args, _chosen("grad", argnums, len(args)), kwargs, has_aux)
        if len(call.outputs) != 1 or call.outputs[0].size != 1:
            raise errors.ShapeError(
                f"grad takes functions with one number as their result, not of shapes {[t.shape for t in call.outputs]}: sum the result, or use "
                f"gg.vjp or gg.jacobian."
            )
        (y,) = call.outputs
        one = Tensor(filled(y.shape, 1, y.dtype if is_float(y.dtype) else np.dtype(float), y.device))
        gradients = call.arranged(call.pull([one], False))
        call.warn_if_constant("grad")
        value = call.returned(y)
        answer = gradients[0] if isinstance(argnums, int) else tuple(gradients)
        return ((value, call.returned(call.aux)) if has_aux else value), answer

    return Transformed(value_and_grad, f, (f, argnums, has_aux), transformed)


def grad(f: Callable[..., Any], argnums: _Argnums = 0, has_aux: bool = False) -> Callable[..., Any]:
    """A function that returns f's gradient, with the arguments of f: see `value_and_grad`. With has_aux, (gradient, aux).

    >>> import gpugrad as gg
    >>> gg.grad(lambda x: gg.sin(x))(gg.tensor(0.0))
    tensor(1., device='cpu')
    >>> gg.grad(gg.grad(lambda x: x**3))(2.0)
    np.float64(12.0)
    """
    both = value_and_grad(f, argnums, has_aux)

    def transformed(*args: Any, **kwargs: Any) -> Any:
        value, gradient = both(*args, **kwargs)
        return (gradient, value[1]) if has_aux else gradient

    return Transformed(grad, f, (f, argnums, has_aux), transformed)


def vjp(f: Callable[..., Any], *xs: Any, has_aux: bool = False) -> Any:
    """f(*xs), and a function that takes the gradient of the result back to a tuple of gradients of xs: (y, pull).

    The gradient given to pull has the nesting and shapes of y. pull may be called again. With has_aux, (y, pull, aux).

    >>> import gpugrad as gg
    >>> y, pull = gg.vjp(lambda x: x * x, gg.tensor([1.0, 2.0]))
    >>> pull([1.0, 10.0])
    (tensor([ 2., 40.], device='cpu'),)
    """
    call = _Call("vjp", f, xs, range(len(xs)), {}, has_aux)
    nested = isinstance(call.result, (list, tuple, dict))

    def pull(gradient: Any) -> tuple[Any, ...]:
        given = list(_leaves(gradient)) if nested else [gradient]
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
    call = _Call("jvp", f, xs, range(len(xs)), {}, has_aux, tangents, _is_plain(ts))
    tangent = call.handed(_rebuilt(call.result, iter(call.push(tangents))))
    call.warn_if_constant("jvp")
    y = call.returned(call.result)
    return (y, tangent, call.returned(call.aux)) if has_aux else (y, tangent)


def _directions(name: str, xs: Any, ts: Any) -> list[Tensor]:
    """The leaves of tangents, as tensors like those of the arguments."""
    points, directions = list(_leaves(xs)), list(_leaves(ts))
    shapes = [[np.shape(a) if not isinstance(a, Tensor) else a.shape for a in tree] for tree in (points, directions)]
    if shapes[0] != shapes[1]:
        raise errors.bad_shape(name, f"the arguments have the shapes {shapes[0]}, their directions {shapes[1]}.")
    likes = [_as_input(name, a) for a in points]
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
        call = _Call("jacobian", f, args, _chosen("jacobian", argnums, len(args)), kwargs, False, forward=True)
        tall = builtins.sum(y.size for y in call.outputs) > builtins.sum(math.prod(v.shape) for v in call.inputs)
        answers = []
        for whole in _by_columns(call) if tall else _by_rows(call):
            parts = call.arranged(whole)
            answers.append(parts[0] if isinstance(argnums, int) else tuple(parts))
        if any(y.size for y in call.outputs):
            call.warn_if_constant("jacobian")
        return _rebuilt(call.result, iter(answers))

    return Transformed(jacobian, f, (f, argnums), transformed)


def _one_of(t: Any, n: int) -> Tensor:
    """Where element number n is. The others take no part, and contribute exactly 0, also where their own derivative is infinite."""
    one = np.zeros(math.prod(t.shape), bool)
    one[n] = True
    return tensor(one.reshape(t.shape), device=t.device)


def _by_rows(call: _Call) -> Iterator[list[Tensor]]:
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


def _by_columns(call: _Call) -> Iterator[list[Tensor]]:
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
        parts = [sum(g * d) for g, d in zip(_leaves(grad(f)(at)), directions, strict=True)]
        return functools.reduce(operator.add, parts)

    return grad(along)(x)


__all__ = ["grad", "hessian", "hvp", "jacobian", "jvp", "value_and_grad", "vjp"]


def __dir__() -> list[str]:
    return __all__
