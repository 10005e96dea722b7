"""A call of a function that is to be differentiated: with inputs of its own, in reverse and in forward mode."""

from __future__ import annotations

import sys
import threading
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..backends.devices import default_device, device_array
from ..base import errors
from ..base.frames import user_place
from ..base.modes import enable_grad, grad_mode
from ..base.shapes import is_float
from ..core.closing import close
from ..core.forward import forward
from ..core.nodes import Handed, Leaf, Slot, now, reachable, reaches_before
from ..core.reverse import gradients_in
from ..core.structure import nodes_behind
from ..core.value import Value, constant, held
from ..functions.creation import tensor, zeros
from ..tensor import Tensor
from .trees import as_plain, is_plain, tree_leaves, tree_map, tree_rebuilt


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


def as_input(name: str, a: Any) -> Tensor:
    """An argument as a tensor. An array is copied, once: what is recorded of it may be read when the array has changed."""
    if type(a) is np.ndarray and a.dtype.char in "efd" and a.dtype.isnative:  # most often
        return Tensor(constant(a, default_device()))
    t = a if isinstance(a, Tensor) else tensor(float(a) if type(a) in (int, bool) else a)
    if not is_float(t.dtype):
        raise errors.DTypeError(
            f"{name} differentiates with respect to floating-point arguments, not {t.dtype}: convert with x.astype(float) (a starting point "
            f"that is passed on, p0=[1.0, 1.0] instead of [1, 1]), or leave the argument out of argnums."
        )
    return t


def watched(name: str, parameters: str, f: Callable[[], Any]) -> Any:
    """What f() gives, a function that must not depend on a tensor outside it whose gradient would be lost. Raises GraphError if it does.

    Derivatives that it takes itself require grad inside a transform, but lead to nothing outside. parameters: where such a tensor belongs.
    """
    moment = now()
    found = f()
    if isinstance(found, Tensor) and found.requires_grad:
        close(found._value)
        if reaches_before(found._value.node, moment):
            raise errors.GraphError(
                f"{name}: the function depends on a tensor that requires grad and is none of its {parameters}, whose gradient would be lost. "
                f"Pass it in {parameters}, which may be nested in tuples, lists and dictionaries."
            )
    return found


class Call:
    """A function called with inputs of its own, ready to be differentiated.

    inputs: the values that it was given. outputs: the leaves of what it returned, as tensors. recorded: what is computed
    from here on may itself be differentiated.
    """

    def __init__(
        self, name: str, f: Callable[..., Any], args: Sequence[Any], chosen: Sequence[int], kwargs: dict[str, Any], has_aux: bool,
        tangents: Sequence[Tensor] = (), plain: bool = True, forward: bool = False,
    ) -> None:  # fmt: skip
        self.trees = [args[n] for n in chosen]
        leaves = tree_leaves(self.trees)
        self.plain = (
            plain and is_plain(leaves if len(chosen) == len(args) else args) and (not kwargs or is_plain(kwargs))
        )
        self.on_gpu = self.plain and any(device_array(a) is not None for a in leaves)
        given = [as_input(name, a) for a in leaves]
        self.depends = False  # whether a way leads from an output to an input
        self.recorded = _active.depth > 0
        if not self.recorded and not self.plain:
            self.recorded = any(t.requires_grad for t in (*given, *tangents)) and grad_mode.enabled
        handed = list(args)
        if grad_mode.scopes:
            with enable_grad():
                result = self._called(f, given, chosen, handed, kwargs, forward or bool(tangents))
        else:  # gradients are recorded already
            result = self._called(f, given, chosen, handed, kwargs, forward or bool(tangents))
        self.aux = None
        if has_aux:
            if not isinstance(result, tuple) or len(result) != 2:
                raise errors.bad_type(name, "with has_aux=True the function must return a pair: (result, aux).")
            result, self.aux = result
        self.result = result
        self.outputs = [t if isinstance(t, Tensor) else tensor(t) for t in tree_leaves(result)]
        if not self.recorded:  # something else that the function has used may require grad
            nodes = reachable([node for t in self.outputs for node in nodes_behind(t._value)])
            self.recorded = grad_mode.enabled and any(type(n) is Leaf for n in nodes)

    def _called(
        self, f: Callable[..., Any], given: Sequence[Tensor], chosen: Sequence[int], handed: list[Any], kwargs: dict[str, Any], forward: bool
    ) -> Any:  # fmt: skip
        """What the function returns for inputs of its own."""
        self.inputs = [self._own(t) for t in given]
        for v in self.inputs if forward else ():
            close(v)  # each is a node of its own, from which its tangent starts
        names = map(Tensor, self.inputs)  # of the function's own, which it may write to
        for n, tree in zip(chosen, self.trees, strict=True):
            handed[n] = tree_rebuilt(tree, names)
        _active.depth += 1
        calls = _active.calls = _active.calls + 1
        try:
            return f(*handed, **kwargs)
        finally:
            _active.depth -= 1
            self.is_derivative = _active.calls != calls  # made of derivatives of other functions

    def _own(self, t: Tensor) -> Value:
        """An input that nobody else has: a copy on the tape of what is recorded, of the same buffer otherwise: values do not change."""
        if self.recorded and t.requires_grad:
            return t.copy()._value
        given = t._value
        array = close(given)
        given.owned = False  # two values share it now: neither may write to it
        v = held(array, given.device, False, True)
        v.node = Handed(v, Slot())
        return v

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
        return self.handed(tree_map(self._detached, tree))

    def _detached(self, t: Any) -> Any:
        if self.recorded or not isinstance(t, Tensor):
            return t
        close(t._value)
        return t.detach()

    def handed(self, tree: Any) -> Any:
        """Tensors as they are handed to the caller, who gave tensors or plain data."""
        if not self.plain or self.recorded:
            return tree
        return tree_map(lambda t: as_plain(t, self.on_gpu), tree)

    def arranged(self, gradients: Sequence[Any]) -> list[Any]:
        """Gradients in the nesting of the arguments."""
        rest = iter(gradients)
        return [self.handed(tree_rebuilt(tree, rest)) for tree in self.trees]

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
