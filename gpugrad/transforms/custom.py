"""Derivatives of one's own: `custom_vjp` and `custom_jvp` with JAX's names and arguments, `Function` with PyTorch's.

A function with a derivative of its own is one node of the tape. Its own rule is run with gradients (tangents) as tensors; where a graph is
recorded, so that derivatives can be differentiated, what the function keeps is computed again from recorded inputs, and derivatives of
higher order are those of the rule. The other mode comes from the rule as well: a rule is linear in what it is given, and what is linear is
transposed by differentiating it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..arguments import as_tensors
from ..base import errors
from ..base.modes import enable_grad, grad_mode, no_grad
from ..base.shapes import is_float
from ..core.closing import close
from ..core.nodes import Structural
from ..core.value import Value, held
from ..core.variable import Variable
from ..differentiable import check_gradient, gradients_in
from ..functions.creation import zeros
from ..functions.shaping import concatenate, ravel, reshape
from ..ops.structural import Call, StructuralOp
from ..tensor import Tensor

__all__ = ["Function", "custom_jvp", "custom_vjp"]

Tensors = Sequence[Tensor | None]


class _Rule:
    """What a call knows of its derivative.

    run: the function again, on arguments that are recorded or constants: its outputs, and what it keeps. vjp: from what was kept and the
    upstream gradients, those of the tensors among the arguments. jvp: from arguments and tangents, the tangents of the outputs. One of
    the two is None.
    """

    def __init__(
        self, name: str, run: Callable[..., Any], vjp: Any, jvp: Any, kept: Any, outputs: Sequence[Tensor]
    ) -> None:
        self.name = name
        self.run = run
        self.vjp = vjp
        self.jvp = jvp
        self.kept = kept
        self.outputs = [(t.shape, t.dtype, t.device) for t in outputs]

    def unpacked(self, packed: Tensor) -> list[Tensor]:
        """The outputs, or their gradients, of what the node has as one vector (or as it is, of a single one)."""
        if len(self.outputs) == 1:
            return [packed]
        ends = np.cumsum([int(np.prod(shape)) for shape, _, _ in self.outputs]).tolist()
        return [
            reshape(packed[start:end], shape)
            for (shape, _, _), start, end in zip(self.outputs, [0, *ends], ends, strict=False)
        ]

    def arguments(self, call: Call) -> list[Tensor]:
        return [Tensor(v._value) for v in call.inputs]

    def gradients(self, call: Call, upstream: Sequence[Tensor]) -> Tensors:
        """By the rule: the gradients of the inputs."""
        inputs = self.arguments(call)
        if self.vjp is None:
            return self._transposed(lambda given: self.tangents(call, given), inputs, upstream)
        kept = self.run(*inputs)[1] if grad_mode.enabled else self.kept
        return self._checked("gradient", self.vjp(kept, *upstream), inputs)

    def tangents(self, call: Call, given: Tensors) -> Tensors:
        """By the rule: the tangents of the outputs."""
        inputs = self.arguments(call)
        like = [zeros(s, d, where) for s, d, where in self.outputs]
        if self.jvp is None:
            return self._transposed(lambda upstream: self.gradients(call, upstream), like, given)
        full = [zeros(x.shape, x.dtype, x.device) if t is None else t for x, t in zip(inputs, given, strict=True)]
        return self._checked("tangent", self.jvp(inputs, full), like)

    @staticmethod
    def _transposed(linear: Callable[[list[Tensor]], Tensors], like: Sequence[Tensor], given: Tensors) -> Tensors:
        """The transpose of a linear function of tensors like these, at `given`: its gradient, which does not depend on where."""
        recorded = grad_mode.enabled
        with enable_grad():
            at = [zeros(x.shape, x.dtype, x.device, requires_grad=True) for x in like]
            found = [(y, g) for y, g in zip(linear(at), given, strict=True) if y is not None and g is not None]
            moving = [(y, g) for y, g in found if y.requires_grad]
            if not moving:
                return [None] * len(like)
            roots = [(y._value, g._value, None) for y, g in moving]
            found_values = gradients_in(roots, at, recorded, recorded)
        return [None if v is None else Tensor(v) for v in found_values]

    def _checked(self, kind: str, found: Any, like: Sequence[Tensor]) -> Tensors:
        results = tuple(found) if isinstance(found, (tuple, list)) else (found,)
        if len(results) != len(like):
            raise errors.bad_value(
                self.name,
                f"its rule returned {len(results)} {kind}s, and {len(like)} are wanted: None for one that is zero.",
            )
        checked: list[Tensor | None] = []
        for r, x in zip(results, like, strict=True):
            if r is None or not is_float(x.dtype):
                checked.append(None)
                continue
            (t,) = as_tensors(r) if isinstance(r, Tensor) else [as_tensors(x, r)[1]]
            t = t if t.dtype == x.dtype else t.astype(x.dtype)
            check_gradient(x._value, t._value)
            checked.append(t)
        return checked


class _Node(Structural):
    """The node of such a call."""

    __slots__ = ("rule",)
    rule: _Rule

    def free(self) -> None:
        super().free()
        self.rule.kept = None


def _recorded(rule: _Rule, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[Tensor]:
    """The outputs as those of one node on the tape, whose derivative is the rule's."""

    device = inputs[0].device

    def forward(xp: Any, *arrays: Any) -> Any:
        """The value again, for whoever looks at the graph."""
        with no_grad():
            result = rule.run(*[Tensor(held(a, device)) for a in arrays])[0]
        parts = result if isinstance(result, (tuple, list)) else [result]
        packed = parts[0] if len(parts) == 1 else concatenate([ravel(t) for t in parts])
        return close(packed._value)

    forward.__name__ = rule.name
    op = StructuralOp(forward, "", tuple(range(len(inputs))), False, True)

    @op.vjp
    def _vjp(g: Variable, call: Call, into: Sequence[Any]) -> None:
        for to, found in zip(into, rule.gradients(call, rule.unpacked(Tensor(g._value))), strict=True):
            if to is not None and found is not None:
                v = found._value  # the rule's own: whoever else has it must not see it change
                close(v)
                to.add(Variable(held(v.array, v.device, False, v.requires_grad, v.node)))

    @op.jvp
    def _jvp(tangents: Sequence[Any], call: Call) -> Variable:
        found = rule.tangents(call, [None if t is None else Tensor(t._value) for t in tangents])
        parts = [zeros(s, d, w) if t is None else t for t, (s, d, w) in zip(found, rule.outputs, strict=True)]
        return Variable((parts[0] if len(parts) == 1 else concatenate([ravel(p) for p in parts]))._value)

    packed = outputs[0] if len(outputs) == 1 else concatenate([ravel(t) for t in outputs])
    array = close(packed._value)
    value = held(array, packed.device, False, True)
    values: list[Value] = [x._value for x in inputs]
    for v in values:
        close(v)
    node = _Node(op, values, {}, value)
    node.rule = rule
    value.node = node
    return rule.unpacked(Tensor(value))


def _apply(name: str, run: Callable[..., Any], vjp: Any, jvp: Any, args: Sequence[Any]) -> Any:
    """Call a function with a derivative of its own. run, vjp, jvp: see `_Rule`, but with all arguments."""
    places = [n for n, a in enumerate(args) if isinstance(a, Tensor)]
    inputs = [args[n] for n in places]

    def with_tensors(given: Sequence[Any]) -> list[Any]:
        every = list(args)
        for n, t in zip(places, given, strict=True):
            every[n] = t
        return every

    def again(*tensors: Tensor) -> Any:
        return run(*with_tensors(tensors))

    if not (grad_mode.enabled and any(t.requires_grad for t in inputs)):
        return again(*inputs)[0]
    with no_grad():
        result, kept = again(*inputs)
    outputs = tuple(result) if isinstance(result, (tuple, list)) else (result,)
    outputs = tuple(as_tensors(inputs[0], *outputs)[1:])
    if not outputs or any(not is_float(t.dtype) or t.dtype != outputs[0].dtype for t in outputs):
        raise errors.bad_type(
            name,
            f"must return floating-point tensors of one dtype, not {[str(t.dtype) for t in outputs]}: return others apart.",
        )
    forwards = None if jvp is None else lambda primals, tangents: jvp(with_tensors(primals), places, tangents)
    backwards = None if vjp is None else lambda kept, *upstream: vjp(kept, places, upstream)
    rule = _Rule(name, again, backwards, forwards, kept, outputs)
    found = _recorded(rule, inputs, outputs)
    return type(result)(found) if isinstance(result, (tuple, list)) else found[0]


class custom_vjp:
    """A function with a reverse derivative of its own, as in JAX.

    ``f.defvjp(fwd, bwd)``: fwd(*args) returns (result, kept), bwd(kept, g) a tuple with a gradient for each argument, None for one that is
    zero; with several results, g is a tuple. nondiff_argnums: arguments that bwd is given first instead, and has no gradient for.

    Derivatives of higher order are those of bwd, and of fwd as far as what it keeps depends on the arguments. Forward mode is the
    transpose of bwd. Both take a bwd that is written with functions of gpugrad or NumPy on tensors.

    Raises GraphError when it is differentiated before `defvjp`, InputError for a bwd that returns another number of gradients.

    >>> import gpugrad as gg
    >>> @gg.custom_vjp
    ... def log1pexp(x):
    ...     return gg.log(1 + gg.exp(x))
    >>> def fwd(x):
    ...     return log1pexp(x), gg.exp(-x)
    >>> log1pexp.defvjp(fwd, lambda e, g: (g / (1 + e),))
    >>> gg.grad(log1pexp)(0.0)
    np.float64(0.5)
    """

    def __init__(self, function: Callable[..., Any], nondiff_argnums: Sequence[int] = ()) -> None:
        functools.update_wrapper(self, function)
        self._function = function
        self._nondiff = tuple(nondiff_argnums)
        self._rules: tuple[Callable[..., Any], Callable[..., Any]] | None = None

    def defvjp(self, fwd: Callable[..., Any], bwd: Callable[..., Any]) -> None:
        """Say what the derivative is: see the class."""
        self._rules = fwd, bwd

    def __call__(self, *args: Any) -> Any:
        name = self._function.__name__
        if not any(isinstance(a, Tensor) and a.requires_grad for a in args) or not grad_mode.enabled:
            return self._function(*args)
        if self._rules is None:
            raise errors.GraphError(f"{name} has no derivative yet: say {name}.defvjp(fwd, bwd) first.")
        fwd, bwd = self._rules
        fixed = [args[n] for n in self._nondiff]
        if any(isinstance(a, Tensor) and a.requires_grad for a in fixed):
            raise errors.GraphError(
                f"{name}: an argument of nondiff_argnums requires grad, and would lose its gradient."
            )
        moving = [n for n in range(len(args)) if n not in self._nondiff]

        def vjp(kept: Any, places: Sequence[int], upstream: Sequence[Tensor]) -> list[Any]:
            found = bwd(*fixed, kept, upstream[0] if len(upstream) == 1 else tuple(upstream))
            if not isinstance(found, (tuple, list)) or len(found) != len(moving):
                given = len(found) if isinstance(found, (tuple, list)) else type(found).__name__
                raise errors.bad_value(
                    name, f"its bwd must return a tuple of {len(moving)} gradients, one for each argument, not {given}."
                )
            of = dict(zip(moving, found, strict=True))
            return [of.get(n) for n in places]

        return _apply(name, fwd, vjp, None, args)


class custom_jvp:
    """A function with a forward derivative of its own, as in JAX.

    ``f.defjvp(rule)``: rule(primals, tangents), both tuples with one entry for each argument, returns (result, its tangent).
    Reverse mode is the transpose of the rule, and derivatives of higher order are those of the rule: it is written with functions of gpugrad
    or NumPy on tensors.

    Raises GraphError when it is differentiated before `defjvp`.

    >>> import gpugrad as gg
    >>> @gg.custom_jvp
    ... def f(x):
    ...     return gg.sin(x)
    >>> @f.defjvp
    ... def rule(primals, tangents):
    ...     return f(primals[0]), gg.cos(primals[0]) * tangents[0]
    >>> gg.grad(f)(0.0)
    np.float64(1.0)
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        functools.update_wrapper(self, function)
        self._function = function
        self._rule: Callable[..., Any] | None = None

    def defjvp(self, rule: Callable[..., Any]) -> Callable[..., Any]:
        """Say what the derivative is: see the class. Returns the rule: it can be used as a decorator."""
        self._rule = rule
        return rule

    def __call__(self, *args: Any) -> Any:
        if not any(isinstance(a, Tensor) and a.requires_grad for a in args) or not grad_mode.enabled:
            return self._function(*args)
        name, rule = self._function.__name__, self._rule
        if rule is None:
            raise errors.GraphError(f"{name} has no derivative yet: say {name}.defjvp(rule) first.")

        def jvp(every: Sequence[Any], places: Sequence[int], tangents: Sequence[Tensor]) -> Any:
            of = dict(zip(places, tangents, strict=True))
            return rule(tuple(every), tuple(of.get(n, 0.0) for n in range(len(every))))[1]

        return _apply(name, lambda *a: (self._function(*a), None), None, jvp, args)


class _Context:
    """What `Function.forward` hands to `Function.backward`: tensors that were saved, and whatever else is set on it."""

    def __init__(self, needs_input_grad: tuple[bool, ...]) -> None:
        self.needs_input_grad = needs_input_grad
        self.saved_tensors: tuple[Any, ...] = ()

    def save_for_backward(self, *tensors: Any) -> None:
        """Keep tensors for `backward`, as ``ctx.saved_tensors``."""
        self.saved_tensors = tensors


class Function:
    """A function with a derivative of its own, as in PyTorch: a class with two static methods, called with `apply`.

    forward(ctx, *args) computes; ctx.save_for_backward keeps tensors, other things can be set on ctx. backward(ctx, *gradients), given one
    gradient for each result, returns one for each argument, None for what has none.

    Derivatives of higher order are those of backward, and of forward as far as what it saves depends on the arguments: nothing has to be
    marked. Forward mode is the transpose of backward.

    >>> import gpugrad as gg
    >>> class Square(gg.autograd.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         ctx.save_for_backward(x)
    ...         return x * x
    ...     @staticmethod
    ...     def backward(ctx, g):
    ...         (x,) = ctx.saved_tensors
    ...         return 2 * x * g
    >>> gg.grad(Square.apply)(3.0)
    np.float64(6.0)
    """

    @staticmethod
    def forward(ctx: Any, *args: Any) -> Any:
        """The value: tensors of one floating-point dtype."""
        raise NotImplementedError("a Function has a static method forward(ctx, *args)")

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        """The gradients of the arguments."""
        raise NotImplementedError("a Function has a static method backward(ctx, *gradients)")

    @classmethod
    def apply(cls, *args: Any) -> Any:
        """Call the function."""
        needs = tuple(isinstance(a, Tensor) and a.requires_grad for a in args)

        def run(*given: Any) -> Any:
            ctx = _Context(needs)
            return cls.forward(ctx, *given), ctx

        def vjp(ctx: Any, places: Sequence[int], upstream: Sequence[Tensor]) -> list[Any]:
            found = cls.backward(ctx, *upstream)
            found = tuple(found) if isinstance(found, (tuple, list)) else (found,)
            if len(found) != len(args):
                raise errors.bad_value(
                    cls.__name__,
                    f"its backward must return {len(args)} gradients, one for each argument, not {len(found)}.",
                )
            return [found[n] for n in places]

        return _apply(cls.__name__, run, vjp, None, args)
