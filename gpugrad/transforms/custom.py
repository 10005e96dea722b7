"""Derivatives of one's own: `custom_vjp` and `custom_jvp` with JAX's names and arguments, `Function` with PyTorch's.

A function with a derivative of its own is one node of the tape. Its own rule is run with gradients (tangents) as tensors; where a graph is
recorded, so that derivatives can be differentiated, what the function keeps is computed again from recorded inputs, and derivatives of
higher order are those of the rule. The other mode comes from the rule as well: a rule is linear in what it is given, and what is linear is
transposed by differentiating it.
"""

from __future__ import annotations

import functools
import inspect
import math
import weakref
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
from ..functions.comparing import allclose
from ..functions.creation import full, zeros
from ..functions.shaping import concatenate, ravel, reshape
from ..ops.structural import Call, StructuralOp
from ..tensor import Tensor
from .trees import tree_leaves

__all__ = ["Function", "custom_jvp", "custom_vjp"]

_linear: weakref.WeakSet[Any] = weakref.WeakSet()  # functions and classes whose rules were found to be linear
Tensors = Sequence[Tensor | None]


class _Rule:
    """What a call knows of its derivative.

    owner: the function or class whose rule it is. run: the function again, on arguments that are recorded or constants: its outputs, and
    what it keeps. vjp: from what was kept and the upstream gradients, those of the tensors among the arguments. jvp: from arguments and
    tangents, the tangents of the outputs. One of the two is None.
    """

    def __init__(
        self, owner: Any, run: Callable[..., Any], vjp: Any, jvp: Any, kept: Any, outputs: Sequence[Tensor]
    ) -> None:
        self.owner = owner
        self.name: str = owner.__name__
        self.run = run
        self.vjp = vjp
        self.jvp = jvp
        self.kept = kept
        self.outputs = [(t.shape, t.dtype, t.device) for t in outputs]
        self.values = [Tensor(t._value) for t in outputs] if vjp is not None else []

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

    def _again(self, inputs: list[Tensor]) -> Any:
        """What the function keeps, recorded: it is run again, and must do the same."""
        result, kept = self.run(*inputs)
        found = result if isinstance(result, (tuple, list)) else (result,)
        with no_grad():
            same = all(allclose(a, b, 1e-3, 1e-6, True) for a, b in zip(found, self.values, strict=True))
        if not same:
            raise errors.GraphError(
                f"{self.name} gave another result when it was run again to record its derivative: it must not draw random numbers or depend on "
                f"what changes. Draw them outside, and pass them."
            )
        return kept

    def gradients(self, call: Call, upstream: Sequence[Tensor], recorded: bool = True) -> Tensors:
        """By the rule: the gradients of the inputs. recorded: as functions of the inputs, where gradients are recorded."""
        inputs = self.arguments(call)
        if self.vjp is None:
            return self._transposed(lambda given: self.tangents(call, given), inputs, upstream)
        kept = (
            self._again(inputs)
            if grad_mode.enabled and any(x.requires_grad for x in inputs) and recorded
            else self.kept
        )
        return self._checked("gradient", self.vjp(kept, *upstream), inputs)

    def tangents(self, call: Call, given: Tensors) -> Tensors:
        """By the rule: the tangents of the outputs."""
        inputs = self.arguments(call)
        like = [zeros(s, d, where) for s, d, where in self.outputs]
        if self.jvp is None:
            recorded = grad_mode.enabled
            return self._transposed(lambda upstream: self.gradients(call, upstream, recorded), like, given)
        full = [zeros(x.shape, x.dtype, x.device) if t is None else t for x, t in zip(inputs, given, strict=True)]
        return self._checked("tangent", self.jvp(inputs, full), like)

    def _transposed(self, linear: Callable[[list[Tensor]], Tensors], like: Sequence[Tensor], given: Tensors) -> Tensors:
        """The transpose of a linear function of tensors like these, at `given`: its gradient, which does not depend on where."""
        recorded = grad_mode.enabled
        with enable_grad():
            at = [zeros(x.shape, x.dtype, x.device, requires_grad=is_float(x.dtype)) for x in like]
            pairs = [(y, g) for y, g in zip(linear(at), given, strict=True) if y is not None and g is not None]
            moving = [(y, g) for y, g in pairs if y.requires_grad]
            if not moving:
                nothing: list[Tensor | None] = [None] * len(like)
                self._check_linear(linear, like, given, nothing)
                return nothing
            roots = [(y._value, g._value, None) for y, g in moving]
            leaves = [x for x in at if x.requires_grad]
            gradients = iter(gradients_in(roots, leaves, recorded, recorded))
            gained = [next(gradients) if x.requires_grad else None for x in at]
            found = [None if v is None else Tensor(v) for v in gained]
        self._check_linear(linear, like, given, found)
        return found

    def _check_linear(
        self, linear: Callable[[list[Tensor]], Tensors], like: Sequence[Tensor], given: Tensors, found: Tensors
    ) -> None:
        """Raise GraphError for a rule that is not linear in what it is given: what was found is then no transpose of it. Asked once."""
        if self.owner in _linear:
            return
        with no_grad():
            at = [full(x.shape, 0.75, x.dtype, x.device) for x in like]
            there = [
                float((y * g).astype(np.float64).sum())
                for y, g in zip(linear(at), given, strict=True)
                if y is not None and g is not None
            ]
            here = [float((f * a).astype(np.float64).sum()) for f, a in zip(found, at, strict=True) if f is not None]
        size = max(map(abs, (*there, *here)), default=0.0)
        if np.isfinite(size) and abs(math.fsum(there) - math.fsum(here)) > 1e-2 * size:
            raise errors.GraphError(
                f"the rule of {self.name} is not linear in {'the tangents' if self.vjp is None else 'the gradient'} that it is given, as a "
                f"derivative is, so the other mode cannot be made of it."
            )
        _linear.add(self.owner)

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
    send = Structural.send_variables  # a user's rule takes tensors

    def free(self, leaves: Sequence[int]) -> None:
        super().free(leaves)
        self.rule.kept = None
        self.rule.values = []


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


def _positional(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
    """Arguments by position, whatever way they were given."""
    if not kwargs:
        return args
    bound = inspect.signature(function).bind(*args, **kwargs)
    bound.apply_defaults()
    if bound.kwargs:
        raise errors.bad_type(function.__name__, f"takes no arguments by name alone: {', '.join(bound.kwargs)}.")
    return bound.args


def _nested(name: str) -> Exception:
    return errors.GraphError(
        f"{name}: a tensor inside of a list, tuple or dictionary requires grad, and would not have this function's derivative: pass it as an "
        f"argument of its own."
    )


def _apply(owner: Any, run: Callable[..., Any], vjp: Any, jvp: Any, args: Sequence[Any]) -> Any:
    """Call a function with a derivative of its own. owner, run, vjp, jvp: see `_Rule`, but with all arguments."""
    name = owner.__name__
    places = [n for n, a in enumerate(args) if isinstance(a, Tensor)]
    inputs = [args[n] for n in places]

    def with_tensors(given: Sequence[Any]) -> list[Any]:
        every = list(args)
        for n, t in zip(places, given, strict=True):
            every[n] = t
        return every

    def again(*tensors: Tensor) -> Any:
        return run(*with_tensors(tensors))

    if not grad_mode.enabled:
        return again(*inputs)[0]
    for a in args:
        if isinstance(a, (list, tuple, dict)) and any(
            isinstance(t, Tensor) and t.requires_grad for t in tree_leaves(a)
        ):
            raise _nested(name)
    if not any(t.requires_grad for t in inputs):
        return again(*inputs)[0]
    # names of their own: what the caller does to its tensors, or the function to its arguments, stays there. As constants: whatever
    # is recorded comes from elsewhere, and would lose its gradient
    result, kept = again(*[t.detach() if t.requires_grad else Tensor(t._value) for t in inputs])
    several = isinstance(result, (tuple, list))
    outputs = tuple(result) if several else (result,)
    if any(isinstance(t, (list, tuple, dict)) for t in outputs):
        raise errors.bad_type(name, "must return a tensor, or a list or tuple of tensors, not nested ones.")
    outputs = tuple(as_tensors(inputs[0], *outputs)[1:])
    if not outputs or any(not is_float(t.dtype) or t.dtype != outputs[0].dtype for t in outputs):
        raise errors.bad_type(
            name,
            f"must return floating-point tensors of one dtype, not {[str(t.dtype) for t in outputs]}: return others apart.",
        )
    if any(t.requires_grad for t in outputs):
        raise errors.GraphError(
            f"{name} uses a tensor that requires grad and is none of its arguments, and would lose its gradient: pass it as an argument, or "
            f"t.detach()."
        )
    forwards = None if jvp is None else lambda primals, tangents: jvp(with_tensors(primals), places, tangents)
    backwards = None if vjp is None else lambda kept, *upstream: vjp(kept, places, upstream, several)
    rule = _Rule(owner, again, backwards, forwards, kept, outputs)
    found = _recorded(rule, inputs, outputs)
    if not isinstance(result, (tuple, list)):
        return found[0]
    return type(result)(*found) if hasattr(result, "_fields") else type(result)(found)


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

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        args = _positional(self._function, args, kwargs)
        name = self._function.__name__
        if not grad_mode.enabled or not any(isinstance(t, Tensor) and t.requires_grad for t in tree_leaves(args)):
            return self._function(*args)
        if not any(isinstance(a, Tensor) and a.requires_grad for a in args):
            raise _nested(self._function.__name__)
        if self._rules is None:
            raise errors.GraphError(f"{name} has no derivative yet: say {name}.defvjp(fwd, bwd) first.")
        fwd, bwd = self._rules
        nondiff = [n % len(args) if -len(args) <= n < len(args) else n for n in self._nondiff]
        fixed = [args[n] for n in nondiff]
        if any(isinstance(a, Tensor) and a.requires_grad for a in fixed):
            raise errors.GraphError(
                f"{name}: an argument of nondiff_argnums requires grad, and would lose its gradient."
            )
        moving = [n for n in range(len(args)) if n not in nondiff]

        def run(*given: Any) -> tuple[Any, Any]:
            pair = fwd(*given)
            if not isinstance(pair, (tuple, list)) or len(pair) != 2:
                raise errors.bad_type(name, f"its fwd must return a pair (result, kept), not {type(pair).__name__!r}.")
            return pair[0], pair[1]

        def vjp(kept: Any, places: Sequence[int], upstream: Sequence[Tensor], several: bool) -> list[Any]:
            found = bwd(*fixed, kept, tuple(upstream) if several else upstream[0])
            if not isinstance(found, (tuple, list)) or len(found) != len(moving):
                given = len(found) if isinstance(found, (tuple, list)) else type(found).__name__
                raise errors.bad_value(
                    name, f"its bwd must return a tuple of {len(moving)} gradients, one for each argument, not {given}."
                )
            of = dict(zip(moving, found, strict=True))
            return [of.get(n) for n in places]

        return _apply(self, run, vjp, None, args)


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

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        args = _positional(self._function, args, kwargs)
        if not grad_mode.enabled or not any(isinstance(t, Tensor) and t.requires_grad for t in tree_leaves(args)):
            return self._function(*args)
        if not any(isinstance(a, Tensor) and a.requires_grad for a in args):
            raise _nested(self._function.__name__)
        name, rule = self._function.__name__, self._rule
        if rule is None:
            raise errors.GraphError(f"{name} has no derivative yet: say {name}.defjvp(rule) first.")

        def jvp(every: Sequence[Any], places: Sequence[int], tangents: Sequence[Tensor]) -> Any:
            of = dict(zip(places, tangents, strict=True))
            pair = rule(tuple(every), tuple(of.get(n, 0.0) for n in range(len(every))))
            if not isinstance(pair, (tuple, list)) or len(pair) != 2:
                raise errors.bad_type(
                    name, f"its rule must return a pair (result, tangent), not {type(pair).__name__!r}."
                )
            return pair[1]

        return _apply(self, lambda *a: (self._function(*a), None), None, jvp, args)


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

        def vjp(ctx: Any, places: Sequence[int], upstream: Sequence[Tensor], several: bool) -> list[Any]:
            found = cls.backward(ctx, *upstream)
            found = tuple(found) if isinstance(found, (tuple, list)) else (found,)
            if len(found) != len(args):
                raise errors.bad_value(
                    cls.__name__,
                    f"its backward must return {len(args)} gradients, one for each argument, not {len(found)}.",
                )
            return [found[n] for n in places]

        return _apply(cls, run, vjp, None, args)
