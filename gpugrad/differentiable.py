"""The face of autograd: what PyTorch's users know of a tensor."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np

from .backends.devices import Device
from .base import errors
from .base.modes import no_grad
from .base.shapes import DType, Shape, is_float
from .coerce import operand
from .core import reverse
from .core.closing import absorbing, close
from .core.nodes import Leaf, Node, Part, Slot
from .core.value import Value, constant, held
from .interop import Leaving
from .ops.op import cast


class HookHandle:
    """What `register_hook` returns; `remove()` takes the hook away again."""

    def __init__(self, node: Node, hook: Any) -> None:
        self._node = node
        self._hook = hook

    def remove(self) -> None:
        """Take the hook away; doing so twice is allowed."""
        if self._hook in self._node.hooks:
            self._node.hooks.remove(self._hook)


@functools.lru_cache(maxsize=256)
def unit(shape: Shape, dtype: DType, device: Device) -> Value:
    """The gradient that a pass starts with, 1: shared, so nobody may write to it."""
    value = constant(np.ones(shape, dtype), device)
    value.owned = False
    return value


class Differentiable(Leaving):
    """The gradient of a tensor, and the ways to ask for it."""

    __slots__ = ("_slot",)
    _slot: Slot | None

    @classmethod
    def _plain(cls, v: Value) -> Self:
        """A tensor of a value."""
        raise NotImplementedError

    def _kept_gradient(self, slot: Slot) -> Self:
        """The gradient in a slot as a tensor: writing to it writes to the slot."""
        raise NotImplementedError

    @property
    def is_leaf(self) -> bool:
        """True for a tensor with no inputs: made by the user, or computed without gradient."""
        return not self._value.requires_grad or type(self._value.node) is Leaf

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Make this leaf require grad, or not. Returns the tensor.

        Raises DTypeError for integers and booleans, GraphError for a computed tensor that should stop.
        """
        if requires_grad and not self.requires_grad:
            if not is_float(self.dtype):
                raise errors.grad_needs_float(self.dtype)
            self._value = self._alias()
            self._become_leaf()
        elif not requires_grad and self.requires_grad:
            if not self.is_leaf:
                raise errors.GraphError("requires_grad_(False) on a computed tensor: use t.detach().")
            self._value = self._alias()
        return self

    def _alias(self) -> Value:
        """Another value over the same buffer, without gradient."""
        v = self._value
        array = close(v)
        v.owned = False  # two values share the buffer now: neither may write to it
        return held(array, v.device)

    def _become_leaf(self) -> None:
        slot = self._ensure_slot()
        v = self._value
        v.requires_grad = True
        v.slot = slot
        v.node = Leaf(v, slot)

    def _ensure_slot(self) -> Slot:
        if self._slot is None:
            self._slot = Slot()
        return self._slot

    def detach(self) -> Self:
        """The same values as a constant: no gradient flows through it."""
        v = self._value
        if not v.requires_grad:
            return self._plain(v)
        if v.array is None:
            with no_grad():
                copied: Self = cast(v.dtype)(self)
                return copied
        return self._plain(self._alias())

    def _gradient(self) -> Value | None:
        """The value of the gradient, or a copy of one that a pass is adding to: it must not change in its reader's hands."""
        slot = self._slot
        if slot is None or slot.value is None:
            return None
        if slot.progress is not None and not slot.progress.done:
            reverse.check_valid(slot)
            return held(slot.value.device.backend.copy(close(slot.value)), slot.value.device, True)  # read in a hook
        return slot.value

    @property
    def grad(self) -> Self | None:
        """The gradient that `backward` has left here, or None. A new tensor at each reading.

        Raises GraphError if the backward that was adding to it failed.
        """
        slot, v = self._slot, self._gradient()
        if v is None or slot is None:
            return None
        return self._kept_gradient(slot) if v is slot.value else self._plain(v)

    @grad.setter
    def grad(self, gradient: Any) -> None:
        slot = self._ensure_slot()
        if self._value.slot is None:
            self._value.slot = slot
        if gradient is None:
            slot.clear()
            return
        g = operand(gradient, self.device)
        check_gradient(self._value, g)
        if g is not slot.value:
            slot.clear()
            slot.value = g

    def zero_grad(self) -> None:
        """Forget the gradient. Its buffer is kept for the next one: no pass over memory."""
        if self._slot is not None:
            self._slot.clear()

    def backward(
        self, gradient: Any = None, retain_graph: bool | None = None, create_graph: bool = False, inputs: Any = None
    ) -> None:
        """Add the gradient of this tensor to `.grad` of every leaf below it (or of `inputs` only).

        Each node receives upstream gradient times local gradient, highest number first. If it fails or is interrupted, every `.grad`
        is what it was, or reading it raises and says why.

        gradient: the upstream gradient, of this tensor's shape and dtype; 1 for a tensor with one element.
        retain_graph: keep what backward read, so that it can run again (default: create_graph).
        create_graph: record the gradients themselves, for derivatives of higher order.
        inputs: tensors to give a gradient to, instead of all leaves.

        Raises GraphError without a graph, for a freed one, or without `gradient` on many elements.
        """
        roots = [(self._value, self._seed(gradient), None)]
        retain = create_graph if retain_graph is None else retain_graph
        if inputs is None:
            reverse.backward(roots, retain, create_graph)
            return
        targets = tensor_list("inputs", inputs)
        for t, g in zip(targets, gradients_in(roots, targets, retain, create_graph), strict=True):
            if g is not None:
                slot = t._ensure_slot()
                slot.value = reverse.total(slot.value, g)

    def _seed(self, gradient: Any) -> Value:
        """The upstream gradient that a pass starts with here."""
        v = self._value
        if not v.requires_grad:
            raise errors.GraphError(
                "backward: this tensor does not require grad, so there is no graph behind it. Make an input with "
                "requires_grad=True, and compute outside gg.no_grad()."
            )
        if gradient is None:
            if self.size != 1:
                raise errors.GraphError(
                    f"backward on a tensor of shape {v.shape}: without a `gradient` only a tensor with one element has one. "
                    f"Reduce it first, y.sum().backward(), or pass the upstream gradient, y.backward(gradient=v)."
                )
            return unit(v.shape, v.dtype, v.device)
        g = operand(gradient, v.device)
        if not isinstance(gradient, Differentiable) and g.dtype != v.dtype:
            g = cast(v.dtype)(self._plain(g))._value
        check_gradient(v, g)
        return g

    def retain_grad(self) -> None:
        """Keep the gradient of this computed tensor in `.grad`, too. Right whenever it is asked for."""
        v = self._value
        if not v.requires_grad:
            raise errors.hook_without_grad("retain_grad")
        if self.is_leaf or v.slot is not None:
            return
        slot = v.slot = self._slot = Slot()
        if v.node is not None and type(v.node) is not Part:
            v.node.slot = slot
        region = absorbing(v)
        if region is not None:
            region.retained[region.find(v)] = slot

    def register_hook(self, hook: Callable[[Any], Any]) -> HookHandle:
        """Call `hook` with the gradient of this tensor when it is known; what it returns, if anything, replaces it.

        Returns a handle with `remove()`. Raises GraphError if a computed region has absorbed this tensor already:
        register before its first use.
        """
        v = self._value
        if not v.requires_grad:
            raise errors.hook_without_grad("register_hook")
        if v.absorbed is not None or (type(v.node) is Part and v.node.region.uses(v)):
            raise errors.GraphError(
                "register_hook: this tensor was already absorbed by a computed region, which would not call the hook. "
                "Register the hook right after computing the tensor, before its first use."
            )
        if not callable(hook):
            raise errors.bad_type("register_hook", f"expected a function of the gradient, not {type(hook).__name__!r}.")
        close(v)
        device, plain = self.device, self._plain  # the hook must not hold this tensor: that would be a cycle

        def on_value(g: Value) -> Value | None:
            result = hook(plain(g))
            return None if result is None else operand(result, device)

        v.node.hooks.append(on_value)
        return HookHandle(v.node, on_value)


def tensor_list(name: str, given: Any) -> list[Any]:
    """One tensor, or a sequence of them, as a list."""
    if not isinstance(given, (Differentiable, list, tuple)):
        raise errors.bad_type(name, f"expected a tensor or a list of tensors, not {type(given).__name__!r}.")
    return [given] if isinstance(given, Differentiable) else list(given)


def gradients_in(
    roots: Sequence[reverse.Seed], inputs: Sequence[Any], retain: bool, create_graph: bool
) -> list[Value | None]:
    """The gradients of roots in tensors, each checked; None where one was not used."""
    for n, t in enumerate(inputs):
        if not isinstance(t, Differentiable):
            raise errors.not_an_operand(t)
        if not t.requires_grad:
            raise errors.input_without_grad(n)
    return reverse.gradients_in(roots, [t._value for t in inputs], retain, create_graph)[0]


def check_gradient(v: Value, g: Value) -> None:
    """Raise unless a gradient, or a tangent, has the shape, dtype and device of the value it belongs to."""
    if g.shape != v.shape:
        raise errors.ShapeError(
            f"the gradient has shape {g.shape}, but its tensor has shape {v.shape}; they must be equal."
        )
    if g.dtype != v.dtype:
        raise errors.DTypeError(
            f"the gradient is {g.dtype}, but its tensor is {v.dtype}. Convert first: g.astype({str(v.dtype)!r})."
        )
    if g.device is not v.device:
        raise errors.mixed_devices("gradient", g.device, v.device)
