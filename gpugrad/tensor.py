"""`Tensor`: a name. It points to one value, and a write points it to another.

Operators and elementwise methods come from the op table; this module adds the name itself: writing, and what becomes of slices of a
tensor that is written to. Tensors follow NumPy where arrays are concerned and PyTorch where gradients are.
"""

from __future__ import annotations

import operator
import sys
import types
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Self

import numpy as np

from .backends.devices import Device, get_device
from .base import errors
from .base.frames import KNOWS_ITEM_UPDATES, Place, is_item_update, user_place
from .base.index import is_basic, is_everything, normalize_index
from .base.modes import grad_mode
from .coerce import Wrapped, as_array, as_dtype, check_array, host_data, on_host, operand
from .core.calling import call, written
from .core.closing import absorbing
from .core.growing import fitting, grow
from .core.nodes import Slot
from .core.value import Value, held
from .core.variable import Variable
from .differentiable import Differentiable
from .graph import Graph, build
from .methods import Methods
from .ops import structural
from .ops.op import Op, cast
from .protocols import Protocols

_NUMBERS = {float, int}


class Tensor(Methods, Protocols, Differentiable):
    """An array with a gradient: a name for a value on a device. Make one with `gg.tensor`.

    Calling an elementwise op on tensors computes nothing yet: it grows an expression that runs as one kernel when its
    value is needed (printing, `numpy()`, `item()`, an index, a matrix product, `backward`).

    >>> import gpugrad as gg
    >>> x = gg.tensor([1.0, 2.0], requires_grad=True)
    >>> y = (x * x).sum()
    >>> y.backward()
    >>> x.grad
    tensor([2., 4.], device='cpu')
    """

    # _writes: how often the name was written to; _place: where, the last time. _origin: of a slice and the like, see below.
    __slots__ = ("_origin", "_place", "_writes")
    _origin: Any
    _place: Place

    def __init__(self, value: Value) -> None:
        if type(value) is not Value:
            raise errors.bad_type(
                "gg.Tensor", f"is made by gg.tensor(...), which takes data: it was given {type(value).__name__!r}."
            )
        self._value = value
        self._slot: Slot | None = None
        self._writes = 0

    __class_getitem__: Any = classmethod(types.GenericAlias)

    def __gpugrad_bind__(self, op: Any, args: Sequence[Any], params: dict[str, Any]) -> Tensor:
        try:
            if len(args) == 2:  # an operator, most often: this is the hot path of user code
                a, b = args
                values: tuple[Any, ...] = (
                    a._value if type(a) is Tensor else a if type(a) in _NUMBERS else operand(a, self._value.device),
                    b._value if type(b) is Tensor else b if type(b) in _NUMBERS else operand(b, self._value.device),
                )
            elif len(args) == 1:
                values = (self._value,)
            else:
                device = self._value.device
                values = tuple(
                    [a._value if type(a) is Tensor else a if type(a) in _NUMBERS else operand(a, device) for a in args]
                )
        except Wrapped as w:
            return w.compute(op, args)  # what holds the tensor then
        return Tensor(grow(op, values) if type(op) is Op else call(op, values, params))

    @classmethod
    def _plain(cls, v: Value) -> Tensor:
        return Tensor(v)

    def _kept_gradient(self, slot: Slot) -> Tensor:
        assert slot.value is not None
        return _named(KeptGradient, slot.value, (slot, slot.epoch))

    # ---------------------------------------------------------------------------------------------- description

    @property
    def nbytes(self) -> int:
        """The bytes that the elements take."""
        return self.size * self.dtype.itemsize

    @property
    def itemsize(self) -> int:
        """The bytes that one element takes."""
        return self.dtype.itemsize

    @property
    def name(self) -> str:
        """What pictures and explanations of the graph call this tensor; "" if it was given no name.

        >>> import gpugrad as gg
        >>> w = gg.tensor([1.0, 2.0], requires_grad=True, name="w")
        >>> loss = (w * w).sum()
        >>> loss.name = "loss"
        >>> [v.name for v in loss.graph().variables]
        ['w', 'z1', 'loss']
        """
        own = getattr(self._value, "label", "")
        return getattr(self._slot, "label", own) if self.is_leaf else own

    @name.setter
    def name(self, name: str) -> None:
        if not isinstance(name, str) or not name:
            raise errors.bad_type("name", f"the name of a tensor must be a string that is not empty, not {name!r}.")
        Value.labelled = True
        v = self._value
        v.label = name
        if self._slot is not None:
            self._slot.label = name  # the values that a leaf will have after a write have it, too
        # What the graph will show when this tensor is gone.
        region = absorbing(v)
        if region is not None:
            region.labels = region.labels | {region.find(v): name}
        if v.node is not None:
            v.node.label = name

    def graph(self, names: Mapping[str, Tensor] | None = None) -> Graph:
        """The computational graph recorded behind this tensor, to look at: see `gpugrad.graph.Graph`.

        Computes the tensor if it is pending. names: tensors by the name that they shall have here, such as
        ``dict(net.named_parameters())``. One computed without gradient is a graph of a single leaf.

        Raises GraphError for a graph that `backward` has freed.

        >>> import gpugrad as gg
        >>> x = gg.tensor(2.0, requires_grad=True)
        >>> gg.sin(x * x).graph()
        Graph of f: 2 operations, 3 variables (1 leaf), 1 region
        """
        return build(self, names)

    def __len__(self) -> int:
        if not self.shape:
            raise errors.zero_d("len()")
        return self.shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        if not self.shape:
            raise errors.zero_d("iteration")
        return (self._at((i,), "iteration") for i in range(len(self)))

    # ---------------------------------------------------------------------------------------------- conversion

    def astype(self, dtype: Any) -> Tensor:
        """A tensor of another dtype; the gradient comes back in this one's.

        >>> import gpugrad as gg
        >>> gg.tensor([1.5, -1.5]).astype("int64")
        tensor([ 1, -1], device='cpu')
        """
        result: Tensor = cast(as_dtype(dtype))(self)
        return result

    def copy(self, order: str = "C") -> Tensor:
        """The same values under another name, connected to this one in the graph. order: as NumPy's; tensors lie in memory as they lie."""
        result: Tensor = cast(self.dtype)(self)
        return result

    def to(self, target: Any) -> Tensor:
        """This tensor on another device ('cpu', 'cuda:0'), or of another dtype; itself if it is there already."""
        if not isinstance(target, (str, Device)) or (
            isinstance(target, str) and not target.startswith(("cpu", "cuda"))
        ):
            try:
                dtype = np.dtype(target)
            except TypeError:
                raise errors.unknown_device(target) from None
            return self if dtype == self.dtype else self.astype(dtype)
        device = get_device(target)
        if device is self.device:
            return self
        result: Tensor = structural.to_device(self, source=self.device, target=device)
        return result

    def cpu(self) -> Tensor:
        """This tensor on the CPU."""
        return self.to("cpu")

    def cuda(self, index: int = 0) -> Tensor:
        """This tensor on a GPU. Raises DeviceError, saying what is missing, where there is none."""
        return self.to(f"cuda:{index}" if index else "cuda")

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        if not self.is_leaf:
            raise errors.deepcopy_non_leaf()
        result = rebuilt(on_host(self), self.requires_grad, self.device.name, self.name)
        if self._slot is not None and self._slot.value is not None:
            assert self.grad is not None
            result.grad = self.grad.copy()
        return result

    def __reduce__(self) -> Any:
        if not self.is_leaf:
            raise errors.deepcopy_non_leaf()
        return rebuilt, (np.array(on_host(self)), self.requires_grad, self.device.name, self.name)

    # ---------------------------------------------------------------------------------------------------- writes

    def _check_write(self) -> None:
        """Raise WriteError if a write to this name would be lost, or would make a gradient wrong."""
        if self._value.requires_grad and self.is_leaf and grad_mode.enabled:
            raise errors.leaf_write()

    def _become(self, v: Value) -> None:
        """Point this name to another value of the same shape and dtype."""
        old = self._value
        was_leaf = old.requires_grad and self.is_leaf
        self._value = v
        self._writes += 1
        self._place = user_place()
        if was_leaf and not v.requires_grad:
            self._become_leaf()
        elif not was_leaf:
            if not old.requires_grad and not v.requires_grad and hasattr(old, "label"):
                v.label = old.label
            retained = self._slot is not None and old.slot is self._slot and old.requires_grad
            self._slot = None
            if retained and v.requires_grad:
                self.retain_grad()

    def _write(self, result: Tensor, name: str) -> Self:
        v = result._value
        if v.shape != self.shape:
            raise errors.write_shape(name, v.shape, self.shape)
        if v.dtype != self.dtype:
            if not np.can_cast(v.dtype, self.dtype, "same_kind"):
                raise errors.write_cast(name, v.dtype, self.dtype)
            v = result.astype(self.dtype)._value
        self._become(v)
        return self

    def __setitem__(self, index: Any, value: Any) -> None:
        self._check_write()
        index = normalize_index(host_data(index))
        if type(value) is int and self.dtype.kind in "iu":
            fitting(value, self.dtype)
        v = operand(value, self.device)
        if v.device is not self.device:
            raise errors.mixed_devices("setitem", self.device, v.device)
        if v.dtype != self.dtype:
            weak = type(value) in (int, float, bool) and not (type(value) is float and self.dtype.kind in "iub")
            if not weak and not np.can_cast(v.dtype, self.dtype, "same_kind"):
                raise errors.write_cast("setitem", v.dtype, self.dtype)
            v = cast(self.dtype)(Variable(v))._value
        if is_everything(index) and v.shape == self.shape:
            self._become(cast(self.dtype)(Variable(v))._value)
            return
        try:
            self._become(written(self, v, index))
        except ValueError:
            probe = np.broadcast_to(np.empty((), bool), self.shape)[index]
            raise errors.write_shape("setitem", v.shape, probe.shape) from None

    def __getitem__(self, index: Any) -> Tensor:
        index = normalize_index(host_data(index))
        if is_basic(index):
            return self._at(index, "a slice")
        return Tensor(call(structural.getitem, (self._value,), {"index": index}))

    def _at(self, index: tuple[Any, ...], kind: str) -> Tensor:
        """What a basic index gives: a slice; a single element is a copy, as in NumPy."""
        v = call(structural.getitem, (self._value,), {"index": index})
        return Tensor(v) if not v.shape and Ellipsis not in index else self._view(v, kind)

    def _view(self, v: Value, kind: str) -> Tensor:
        """A tensor that NumPy would have made a view of this one."""
        return _named(View, v, (kind, user_place(), self._sources()))

    def _sources(self) -> tuple[tuple[Any, int], ...]:
        """The names that NumPy would have share this one's memory, weakly, and how often each had been written to."""
        return ((weakref.ref(self), self._writes),)

    def __round__(self, decimals: int = 0) -> Tensor:
        result: Tensor = self.round(decimals)
        return result


def _named(kind: type[Tensor], value: Value, origin: Any) -> Tensor:
    t = Tensor(value)
    t._origin = origin
    t.__class__ = kind
    return t


_VALUE: Any = Variable.__dict__["_value"]


class View(Tensor):
    """A tensor that NumPy would have made a view of another: a slice, a reshape, a transpose. Here a slice is a value, not a window.

    While the tensor it came from is there, writing to it is an error, since the write would be lost; and so is reading it after that one
    was written to, since NumPy would show the new elements.
    """

    __slots__ = ()

    @property
    def _value(self) -> Value:
        kind, place, sources = self._origin
        for ref, writes in sources:
            source = ref()
            if source is not None and source._writes != writes:
                raise errors.stale_view(kind, place, source._place)
        value: Value = _VALUE.__get__(self)
        return value

    @_value.setter
    def _value(self, v: Value) -> None:
        _VALUE.__set__(self, v)

    def _sources(self) -> tuple[tuple[Any, int], ...]:
        alive = [s for s in self._origin[2] if s[0]() is not None]
        return (*alive, *super()._sources())

    def _check_write(self) -> None:
        super()._check_write()
        if any(ref() is not None for ref, _ in self._origin[2]):
            raise errors.view_write(self._origin[0])


class KeptGradient(Tensor):
    """What `x.grad` returns: a write to it is a write to the gradient that is kept."""

    __slots__ = ()

    def _check_write(self) -> None:
        super()._check_write()
        slot, epoch = self._origin
        if slot.epoch == epoch and slot.value is not self._value:
            raise errors.stale_gradient()

    def _become(self, v: Value) -> None:
        slot, old = self._origin[0], self._value
        super()._become(v)
        if slot.value is old:
            slot.value = v

    def _sources(self) -> tuple[tuple[Any, int], ...]:
        return ((weakref.ref(self._origin[0]), 0),)


def _in_place(name: str, function: Callable[..., Any]) -> Callable[[Tensor, Any], Tensor]:
    def method(self: Tensor, other: Any) -> Tensor:
        if type(self) is View and KNOWS_ITEM_UPDATES and is_item_update(sys._getframe(1)):
            result: Tensor = function(self, other)  # which Python hands to __setitem__ of the tensor that was sliced
            return result
        self._check_write()
        return self._write(function(self, other), f"in-place {name}")

    method.__name__ = f"__i{name}__"
    return method


for _name in (
    "add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and_", "or_", "xor", "lshift", "rshift",
):  # fmt: skip
    _short = _name.rstrip("_")
    setattr(Tensor, f"__i{_short}__", _in_place(_short, getattr(operator, _name)))


# ------------------------------------------------------------------------------------------------- data as tensors


def leaf(array: Any, device: Device, requires_grad: bool, owned: bool) -> Tensor:
    """A tensor over an array of a device."""
    if requires_grad and array.dtype.kind in "biu":
        raise errors.grad_needs_float(array.dtype)
    t = Tensor(held(array, device, owned))
    if requires_grad:
        t._become_leaf()
    return t


def rebuilt(array: Any, requires_grad: bool, device: str, name: str = "") -> Tensor:
    """A tensor from what was pickled."""
    check_array(array, array)
    where = get_device(device)
    t = leaf(where.backend.from_host(as_array(array), None), where, requires_grad, True)
    if name:
        t.name = name
    return t
