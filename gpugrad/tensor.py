"""`Tensor`: a name. It points to one value, and a write points it to another.

Operators and elementwise methods come from the op table; this module adds creation, conversion, writing and the face of
autograd. Tensors follow NumPy where arrays are concerned and PyTorch where gradients are.
"""

from __future__ import annotations

import functools
import math
import operator
import sys
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .backends.devices import Device, default_device, device_array, device_of, get_device
from .base import errors
from .base.config import config
from .base.index import is_basic, is_everything, normalize_index
from .base.modes import grad_mode, no_grad
from .base.shapes import DType, Shape, broadcast, is_float, normalize_axes, reshape_target
from .core import checks
from .core import closing as tape
from .core import reverse as walk
from .core.closing import Leaf, Slot, close
from .core.pending import Value, constant, fitting, pending
from .graph import Graph, build
from .ops import elementwise as ew
from .ops import structural
from .ops.op import TABLE, Op, cast
from .ops.operators import Operators
from .ops.structural import StructuralOp

_UFUNCS = {op.numpy: op for op in TABLE.values() if op.is_ufunc}
HANDLED: set[str] = set()  # the names of NumPy's functions that gpugrad has: filled as they are defined
_CUPY_NAMES = {"true_divide": ew.divide, "abs": ew.absolute}
_STR_KINDS = "biuf"


class Tensor(Operators):
    """An array with a gradient: a name for a value on a device. Make one with `gg.tensor`.

    Calling an elementwise op on tensors computes nothing yet: it grows an expression that runs as one kernel when its
    value is needed (printing, `numpy()`, `item()`, a reduction, a matrix product, `backward`).

    >>> import gpugrad as gg
    >>> x = gg.tensor([1.0, 2.0], requires_grad=True)
    >>> y = (x * x).sum()
    >>> y.backward()
    >>> x.grad
    tensor([2., 4.], device='cpu')
    """

    __slots__ = ("__weakref__", "_exported", "_origin", "_slot", "_value", "_views")
    __array_priority__ = 1000

    def __init__(self, value: Value) -> None:
        self._value = value
        self._slot: Slot | None = None
        self._views: tuple[Any, ...] = ()  # (kind, *weak references to the tensors that NumPy would share memory with)
        self._origin: tuple[Slot, int] | None = None  # of a tensor read from .grad: where a write to it goes, too

    if TYPE_CHECKING:  # the methods that come from the tables, and what the operators return

        def __getattr__(self, name: str) -> Callable[..., Tensor]: ...
        def __add__(self, o: Any) -> Tensor: ...
        def __radd__(self, o: Any) -> Tensor: ...
        def __sub__(self, o: Any) -> Tensor: ...
        def __rsub__(self, o: Any) -> Tensor: ...
        def __mul__(self, o: Any) -> Tensor: ...
        def __rmul__(self, o: Any) -> Tensor: ...
        def __truediv__(self, o: Any) -> Tensor: ...
        def __rtruediv__(self, o: Any) -> Tensor: ...
        def __floordiv__(self, o: Any) -> Tensor: ...
        def __mod__(self, o: Any) -> Tensor: ...
        def __neg__(self) -> Tensor: ...
        def __pos__(self) -> Tensor: ...
        def __abs__(self) -> Tensor: ...
        def __invert__(self) -> Tensor: ...
        def __and__(self, o: Any) -> Tensor: ...
        def __or__(self, o: Any) -> Tensor: ...
        def __xor__(self, o: Any) -> Tensor: ...
        def __lt__(self, o: Any) -> Tensor: ...
        def __le__(self, o: Any) -> Tensor: ...
        def __gt__(self, o: Any) -> Tensor: ...
        def __ge__(self, o: Any) -> Tensor: ...

    # ------------------------------------------------------------------------------------------------ dispatch

    def __gpugrad_elementwise__(self, op: Op, args: Sequence[Any]) -> Tensor:
        return apply(op, args)

    def __gpugrad_structural__(self, op: StructuralOp, args: Sequence[Any], params: dict[str, Any]) -> Tensor:
        return Tensor(tape.call(op, [a._value if type(a) is Tensor else a for a in args], params))

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if method != "__call__":
            raise errors.ufunc_refused(ufunc.__name__, f".{method}")
        if kwargs:
            raise errors.ufunc_refused(ufunc.__name__, f" with {', '.join(f'{k}=' for k in sorted(kwargs))}")
        if ufunc is np.matmul:
            return matmul(*inputs)
        if ufunc is np.power:
            return power(*inputs)
        op = _UFUNCS.get(ufunc)
        if op is None:
            raise errors.ufunc_refused(ufunc.__name__, "")
        return apply(op, inputs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        name = getattr(function, "__name__", str(function))
        home = getattr(function, "__module__", "numpy")
        raise errors.numpy_function_refused(f"{home}.{name}", home == "numpy" and name in HANDLED)

    # ---------------------------------------------------------------------------------------------- description

    @property
    def shape(self) -> Shape:
        """The lengths of the axes."""
        return self._value.shape

    @property
    def dtype(self) -> DType:
        """The NumPy dtype of the elements."""
        return self._value.dtype

    @property
    def device(self) -> Device:
        """Where the elements live."""
        device: Device = self._value.device
        return device

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self._value.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self._value.shape)

    @property
    def nbytes(self) -> int:
        """The bytes that the elements take."""
        return self.size * self.dtype.itemsize

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
        self._value.label = name
        if self._slot is not None:
            self._slot.label = name  # the values that a leaf will have after a write have it, too
        # What the graph will show when this tensor is gone.
        v = self._value
        region = v.absorbed() if v.absorbed is not None else None
        if isinstance(region, tape.Region):
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

    @property
    def T(self) -> Tensor:
        """The transpose: axes reversed."""
        return transpose(self, None)

    def __len__(self) -> int:
        if not self.shape:
            raise errors.zero_d("len()")
        return self.shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        if not self.shape:
            raise errors.zero_d("iteration")
        return (self._view(structural.getitem(self, index=(i,)), "iteration") for i in range(len(self)))

    def __repr__(self) -> str:
        text = np.array2string(self._host(), separator=", ", prefix="tensor(")
        dtype = "" if self.dtype.name in ("float64", "int64", "bool") and self.size else f", dtype={self.dtype.name}"
        grad = ", requires_grad=True" if self.requires_grad else ""
        return f"tensor({text}{dtype}, device={self.device.name!r}{grad})"

    def __str__(self) -> str:
        return str(self._host())

    def __format__(self, spec: str) -> str:
        return format(self.item() if self.size == 1 and spec else str(self), spec)

    # ---------------------------------------------------------------------------------------------- conversion

    def _host(self) -> Any:
        return self.device.backend.to_host(close(self._value))

    def numpy(self) -> Any:
        """The elements as a read-only NumPy array, without a copy where the device allows it.

        Raises GraphError for a tensor that requires grad: say `t.detach().numpy()`.
        """
        if self.requires_grad:
            raise errors.array_of_grad("numpy()")
        view = self._host().view()
        view.flags.writeable = False
        return view

    def cupy(self) -> Any:
        """The elements as a CuPy array, without a copy. Do not write to it: CuPy has no read-only arrays.

        Raises DeviceError for a tensor that is not on a GPU, GraphError for one that requires grad.
        """
        if not self.device.name.startswith("cuda"):
            raise errors.not_on_gpu("cupy()", self.device)
        if self.requires_grad:
            raise errors.array_of_grad("cupy()")
        array = close(self._value)
        self._value.owned = False  # whoever has it may keep it
        return array.view()

    @property
    def __cuda_array_interface__(self) -> Any:
        # Not there, rather than an error: whoever asks, CuPy among them, then tries the other protocols.
        if not self.device.name.startswith("cuda"):
            raise AttributeError("a tensor on the CPU has no __cuda_array_interface__")
        if self.requires_grad:
            raise AttributeError("a tensor that requires grad has no __cuda_array_interface__: say t.detach()")
        array = self.cupy()
        # Who asked holds this tensor, not the array: what a later write gives it instead must not free that.
        exported = getattr(self, "_exported", ())
        if not exported or exported[-1].data.ptr != array.data.ptr:
            self._exported = (*exported, array)
        return array.__cuda_array_interface__

    def __cupy_override_elementwise_kernel__(self, kernel: Any, *args: Any, **kwargs: Any) -> Tensor:
        """What CuPy calls when one of its functions is given a tensor."""
        name = getattr(kernel, "name", str(kernel)).removeprefix("cupy_").removeprefix("cupyx_scipy_special_")
        op = TABLE.get(name) or _CUPY_NAMES.get(name)
        if kwargs or op is None or len(args) != op.arity:
            raise errors.ufunc_refused(name, f" with {', '.join(f'{k}=' for k in sorted(kwargs))}" if kwargs else "")
        return power(*args) if op is ew.power else apply(op, args)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        if self.requires_grad:
            raise errors.array_of_grad("np.asarray")
        if self.device.name.startswith("cuda"):
            raise errors.array_of_cuda(self.device)
        array = self.numpy()
        if (dtype is not None and np.dtype(dtype) != array.dtype) or copy:
            return array.astype(dtype or array.dtype)
        return array

    def __dlpack__(self, **kwargs: Any) -> Any:
        if self.device.name.startswith("cuda"):
            return self.cupy().__dlpack__(**kwargs)
        array = self.numpy()
        self._value.owned = False  # whoever imports it may keep the pointer
        return array.__dlpack__(**kwargs)

    def __dlpack_device__(self) -> Any:
        kind, _, index = self.device.name.partition(":")
        return (2, int(index)) if kind == "cuda" else (1, 0)  # as DLPack numbers them

    def item(self) -> Any:
        """The one element, as a Python number. Raises ShapeError if there are more or fewer."""
        if self.size != 1:
            raise errors.not_one_element("item()", self.shape)
        return self._host().item()

    def tolist(self) -> Any:
        """The elements as (nested lists of) Python numbers."""
        return self._host().tolist()

    def __bool__(self) -> bool:
        if self.size != 1:
            raise errors.ambiguous_truth(self.shape)
        return bool(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __float__(self) -> float:
        return float(self.item())

    def __index__(self) -> int:
        if self.dtype.kind not in "iu" or self.shape:
            raise errors.bad_type(
                "index", f"only a 0-d integer tensor can be an index, not {self.dtype} of shape {self.shape}."
            )
        return int(self.item())

    def astype(self, dtype: Any) -> Tensor:
        """A tensor of another dtype; the gradient comes back in this one's.

        >>> import gpugrad as gg
        >>> gg.tensor([1.5, -1.5]).astype("int64")
        tensor([ 1, -1], device='cpu')
        """
        return apply(cast(as_dtype(dtype)), (self,))

    def copy(self) -> Tensor:
        """The same values under another name, connected to this one in the graph."""
        return apply(cast(self.dtype), (self,))

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
        return structural.to_device(self, source=self.device, target=device)

    def cpu(self) -> Tensor:
        """This tensor on the CPU."""
        return self.to("cpu")

    def cuda(self, index: int = 0) -> Tensor:
        """This tensor on a GPU. Raises DeviceError, saying what is missing, where there is none."""
        return self.to(f"cuda:{index}" if index else "cuda")

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        if not self.is_leaf:
            raise errors.deepcopy_non_leaf()
        result = _rebuild(self._host(), self.requires_grad, self.device.name)
        if self._slot is not None and self._slot.value is not None:
            assert self.grad is not None
            result.grad = self.grad.copy()
        return result

    def __reduce__(self) -> Any:
        if not self.is_leaf:
            raise errors.deepcopy_non_leaf()
        return _rebuild, (np.array(self._host()), self.requires_grad, self.device.name)

    # --------------------------------------------------------------------------------------------------- autograd

    @property
    def requires_grad(self) -> bool:
        """True if gradients reach this tensor."""
        return self._value.requires_grad

    @property
    def is_leaf(self) -> bool:
        """True for a tensor with no inputs: made by the user, or computed without gradient."""
        return not self._value.requires_grad or type(self._value.node) is Leaf

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
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
        return Value(array, v.shape, v.dtype, v.device, False, None, False)

    def _become_leaf(self) -> None:
        if self._slot is None:
            self._slot = Slot()
        v = self._value
        v.requires_grad = True
        v.slot = self._slot
        v.node = Leaf(v, self._slot)

    def detach(self) -> Tensor:
        """The same values as a constant: no gradient flows through it."""
        v = self._value
        if not v.requires_grad:
            return Tensor(v)
        if v.array is None:
            with no_grad():
                return self.copy()
        return Tensor(self._alias())

    @property
    def grad(self) -> Tensor | None:
        """The gradient that `backward` has left here, or None. A new tensor at each reading.

        Raises GraphError if the backward that was adding to it failed.
        """
        slot = self._slot
        if slot is None:
            return None
        if slot.invalid:
            raise errors.gradient_invalid(slot.invalid)
        if slot.value is None:
            return None
        if slot.adding:  # read inside a hook: what a walk is adding to must not change in the reader's hands
            return tensor(Tensor(slot.value))
        result = Tensor(slot.value)
        result._origin = slot, slot.epoch
        return result

    @grad.setter
    def grad(self, gradient: Any) -> None:
        if self._slot is None:
            self._slot = Slot()
            self._value.slot = self._slot
        if gradient is None:
            self._slot.clear()
            return
        gradient = _as_tensor(gradient, self.device)
        self._check_gradient(gradient)
        if gradient._value is self._slot.value:
            return
        self._slot.clear()
        self._slot.value = gradient._value

    def _check_gradient(self, g: Tensor) -> None:
        if g.shape != self.shape:
            raise errors.gradient_shape(g.shape, self.shape)
        if g.dtype != self.dtype:
            raise errors.gradient_dtype(g.dtype, self.dtype)
        if g.device is not self.device:
            raise errors.mixed_devices("gradient", g.device, self.device)

    def zero_grad(self) -> None:
        """Forget the gradient. Its buffer is kept for the next one: no pass over memory."""
        if self._slot is not None:
            self._slot.clear()

    def backward(
        self, gradient: Any = None, retain_graph: bool | None = None, create_graph: bool = False, inputs: Any = None
    ) -> None:
        """Add the gradient of this tensor to `.grad` of every leaf below it (or of `inputs` only).

        Each node receives upstream gradient times local gradient, highest number first.

        gradient: the upstream gradient, of this tensor's shape and dtype; 1 for a tensor with one element.
        retain_graph: keep what backward read, so that it can run again (default: create_graph).
        create_graph: record the gradients themselves, for derivatives of higher order.
        inputs: tensors to give a gradient to, instead of all leaves.

        Raises GraphError without a graph, for a freed one, or without `gradient` on many elements.
        """
        roots = [(self._value, self._seed(gradient))]
        retain = create_graph if retain_graph is None else retain_graph
        if inputs is None:
            walk.backward(roots, retain, create_graph)
            return
        targets = tensor_list("inputs", inputs)
        for t, g in zip(targets, gradients_of(roots, targets, retain, create_graph), strict=True):
            if g is not None:
                t._ensure_slot().add(g)

    def _ensure_slot(self) -> Slot:
        if self._slot is None:
            self._slot = Slot()
        return self._slot

    def _seed(self, gradient: Any) -> Value:
        if not self.requires_grad:
            raise errors.backward_without_grad()
        if gradient is None:
            if self.size != 1:
                raise errors.backward_needs_gradient(self.shape)
            return _one(self.shape, self.dtype, self.device)
        g = _as_tensor(gradient, self.device)
        if type(gradient) is not Tensor and g.dtype != self.dtype:
            g = g.astype(self.dtype)
        self._check_gradient(g)
        return g._value

    def retain_grad(self) -> None:
        """Keep the gradient of this computed tensor in `.grad`, too. Right whenever it is asked for."""
        v = self._value
        if not v.requires_grad:
            raise errors.hook_without_grad("retain_grad")
        if self.is_leaf or v.slot is not None:
            return
        slot = v.slot = self._slot = Slot()
        if v.node is not None:
            v.node.slot = slot
        region = v.absorbed() if v.absorbed is not None else None
        if isinstance(region, tape.Region):
            region.retained[region.find(v)] = slot

    def register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> HookHandle:
        """Call `hook` with the gradient of this tensor when it is known; what it returns, if anything, replaces it.

        Returns a handle with `remove()`. Raises GraphError if a computed region has absorbed this tensor already:
        register before its first use.
        """
        v = self._value
        if not v.requires_grad:
            raise errors.hook_without_grad("register_hook")
        if v.absorbed is not None:
            raise errors.hook_too_late()
        if not callable(hook):
            raise errors.bad_type("register_hook", f"expected a function of the gradient, not {type(hook).__name__!r}.")
        close(v)
        device = self.device  # the hook must not hold this tensor: that would be a cycle

        def on_value(g: Value) -> Value | None:
            result = hook(Tensor(g))
            return None if result is None else _as_tensor(result, device)._value

        v.node.hooks.append(on_value)
        return HookHandle(v.node, on_value)

    # ---------------------------------------------------------------------------------------------------- writes

    def _check_write(self) -> None:
        if self._value.requires_grad and self.is_leaf and grad_mode.enabled:
            raise errors.leaf_write()
        if any(r() is not None for r in self._views[1:]):
            raise errors.view_write(self._views[0])
        if self._origin is not None:
            slot, epoch = self._origin
            if slot.epoch == epoch and slot.value is not self._value:
                raise errors.stale_gradient()

    def _become(self, v: Value) -> None:
        """Point this name to another value of the same shape and dtype."""
        old = self._value
        was_leaf = old.requires_grad and self.is_leaf
        self._value = v
        if was_leaf and not v.requires_grad:
            self._become_leaf()
        elif not was_leaf:
            if not old.requires_grad and not v.requires_grad and hasattr(old, "label"):
                v.label = old.label
            retained = self._slot is not None and old.slot is self._slot and old.requires_grad
            self._slot = None
            if retained and v.requires_grad:
                self.retain_grad()
        if self._origin is not None and self._origin[0].value is old:
            self._origin[0].value = v

    def _write(self, result: Tensor, name: str) -> Tensor:
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
        t = _as_tensor(value, self.device)
        if t.device is not self.device:
            raise errors.mixed_devices("setitem", self.device, t.device)
        if t.dtype != self.dtype:
            weak = type(value) in (int, float, bool) and not (type(value) is float and self.dtype.kind in "iub")
            if not weak and not np.can_cast(t.dtype, self.dtype, "same_kind"):
                raise errors.write_cast("setitem", t.dtype, self.dtype)
            t = t.astype(self.dtype)
        if is_everything(index) and t.shape == self.shape:
            self._become(t.copy()._value)
            return
        try:
            self._become(
                tape.written(self._value, t._value, index)
            )  # the reference count of the value is part of the call
        except ValueError:
            raise errors.write_shape("setitem", t.shape, self._part_shape(index)) from None

    def _part_shape(self, index: Any) -> Shape:
        probe: Shape = np.broadcast_to(np.empty((), bool), self.shape)[index].shape
        return probe

    def __getitem__(self, index: Any) -> Tensor:
        index = normalize_index(host_data(index))
        result: Tensor = structural.getitem(self, index=index)
        return self._view(result, "a slice") if is_basic(index) else result

    def _view(self, result: Tensor, kind: str) -> Tensor:
        """Mark what NumPy would have made a view of this tensor."""
        anchor = (
            self if self._origin is None else self._origin[0]
        )  # what x.grad returns is gone at once, its slot is not
        result._views = (kind, *(r for r in self._views[1:] if r() is not None), weakref.ref(anchor))
        return result

    def __eq__(self, o: Any) -> Any:
        return NotImplemented if o is None else ew.equal(self, o)

    def __ne__(self, o: Any) -> Any:
        return NotImplemented if o is None else ew.not_equal(self, o)

    __hash__ = object.__hash__

    def __round__(self, decimals: int = 0) -> Tensor:
        return self.round(decimals)

    def __pow__(self, n: Any) -> Tensor:
        return power(self, n)

    def __rpow__(self, n: Any) -> Tensor:
        return power(n, self)

    def __matmul__(self, o: Any) -> Tensor:
        return matmul(self, o)

    def __rmatmul__(self, o: Any) -> Tensor:
        return matmul(o, self)


class HookHandle:
    """What `register_hook` returns; `remove()` takes the hook away again."""

    def __init__(self, node: tape.Node, hook: Any) -> None:
        self._node = node
        self._hook = hook

    def remove(self) -> None:
        """Take the hook away; doing so twice is allowed."""
        if self._hook in self._node.hooks:
            self._node.hooks.remove(self._hook)


def _fast(op: Op, reflected: bool) -> Callable[[Tensor, Any], Tensor]:
    """A binary operator of `Operators`, without its steps of dispatch: the hot path of user code."""

    def method(self: Tensor, other: Any) -> Tensor:
        kind = type(other)
        a = self._value
        b = other._value if kind is Tensor else other if kind is float or kind is int else operand(other, a.device)
        v = pending(op, (b, a) if reflected else (a, b), close)
        if config._fuse == 1:
            close(v)
        return Tensor(v)

    return method


for _name, _op in {"add": ew.add, "sub": ew.subtract, "mul": ew.multiply, "truediv": ew.divide}.items():
    setattr(Tensor, f"__{_name}__", _fast(_op, False))
    setattr(Tensor, f"__r{_name}__", _fast(_op, True))


def _in_place(name: str, function: Callable[..., Any]) -> Callable[[Tensor, Any], Tensor]:
    def method(self: Tensor, other: Any) -> Tensor:
        if self._views and sys.getrefcount(self) == _TEMPORARY:
            # x[i] += v: Python asks the slice, which has no name, and hands the result to x.__setitem__ itself.
            return function(self, other)
        self._check_write()
        return self._write(function(self, other), f"in-place {name}")

    method.__name__ = f"__i{name}__"
    return method


def _calibrate() -> int:
    """References to a slice within ``x[i] += v``, if they differ from those to a named one: measured, not assumed."""
    counts: list[int] = []

    class Probe:
        def __iadd__(self, other: int) -> Probe:
            counts.append(sys.getrefcount(self))
            return self

        def __getitem__(self, index: int) -> Probe:
            return Probe()

        def __setitem__(self, index: int, value: Probe) -> None:
            pass

    x = Probe()
    x[0] += 1
    named = x[0]
    named += 1
    return counts[0] if counts[0] < counts[1] else -1


_TEMPORARY = _calibrate()

for _name in (
    "add",
    "sub",
    "mul",
    "truediv",
    "floordiv",
    "mod",
    "pow",
    "matmul",
    "and_",
    "or_",
    "xor",
    "lshift",
    "rshift",
):
    _plain = _name.rstrip("_")
    setattr(Tensor, f"__i{_plain}__", _in_place(_plain, getattr(operator, _name)))


# ------------------------------------------------------------------------------------------------------ calling ops


def apply(op: Op, args: Sequence[Any]) -> Tensor:
    """An elementwise op on tensors, Python numbers, arrays and whatever NumPy makes an array of."""
    if len(args) == 1 and type(args[0]) is Tensor:
        v = pending(op, (args[0]._value,), close)
        if config._fuse == 1:
            close(v)
        return Tensor(v)
    device = None
    for a in args:
        if type(a) is Tensor:
            device = a._value.device
            break
    else:
        device = _device_among(args)
        args = (_as_tensor(args[0], device), *args[1:])
    values = tuple(
        [
            a._value if type(a) is Tensor else a if type(a) is float or type(a) is int else operand(a, device)
            for a in args
        ]
    )
    v = pending(op, values, close)
    if config._fuse == 1:
        close(v)
    return Tensor(v)


def operand(a: Any, device: Device) -> Value:
    """Plain data used with a tensor, copied to its device."""
    if isinstance(a, Tensor):
        return a._value
    array = a if isinstance(a, np.ndarray) else device_array(a)
    if array is None:
        array = np.asarray(a)
    elif array is not a or not isinstance(a, np.ndarray):
        where = device_of(array)
        if where is not device:
            raise errors.mixed_arrays(where, device)
    check_array(array, a)
    return constant(array, device)


def _device_among(args: Sequence[Any]) -> Device:
    """Where an op is done: on the device of the first tensor, else of the first array on a GPU, else on the default one."""
    for a in args:
        if isinstance(a, Tensor):
            return a.device
    for a in args:
        array = device_array(a)
        if array is not None:
            return device_of(array)
    return default_device()


def host_data(a: Any) -> Any:
    """Indices, counts and the like as the host has them: a tensor or an array on a GPU is copied."""
    if isinstance(a, Tensor):
        return a._host()
    if isinstance(a, tuple):
        return tuple(host_data(i) for i in a)
    array = device_array(a)
    return a if array is None else device_of(array).backend.to_host(array)


def check_array(array: Any, given: Any) -> None:
    """Raise unless an array's dtype is one that tensors have."""
    if array.dtype.kind == "c":
        raise errors.complex_operand(array.dtype)
    if not ((array.dtype.kind in _STR_KINDS and array.dtype.itemsize <= 8) or is_float(array.dtype)):
        raise errors.not_an_operand(given)


def as_dtype(given: Any) -> DType:
    """A user's dtype argument as one that tensors have."""
    try:
        dtype = np.dtype(given)
    except TypeError:
        raise errors.bad_type("dtype", f"{given!r} is not a dtype.") from None
    if dtype.kind == "c":
        raise errors.complex_operand(dtype)
    if not ((dtype.kind in _STR_KINDS and dtype.itemsize <= 8) or is_float(dtype)):
        raise errors.bad_type("dtype", f"tensors hold booleans, integers and real floats, not {dtype}.")
    return dtype


def _as_tensor(a: Any, device: Device) -> Tensor:
    return a if isinstance(a, Tensor) else Tensor(operand(a, device))


def as_tensors(*args: Any) -> list[Tensor]:
    """Arguments of a function as tensors on one device, that of `_device_among` them."""
    device = _device_among(args)
    return [_as_tensor(a, device) for a in args]


def power(a: Any, b: Any) -> Tensor:
    """a ** b, elementwise.

    A Python number as exponent becomes reciprocal, sqrt, square or cube where it can, and is exact at 0 at every order.

    >>> import gpugrad as gg
    >>> gg.power(gg.tensor([1, 2, 3]), 2)
    tensor([1, 4, 9], device='cpu')
    """
    if type(b) in (int, float):
        (a,) = as_tensors(a)
        if a.dtype.kind in "iub" and type(b) is int and b < 0:
            raise errors.integers_to_negative_powers()
        if a.dtype.kind == "b":
            a = a.astype(np.int64)
        op, takes = ew.power_by_number(a, b)
        if type(b) is float and a.dtype.kind in "iub":
            a = a.astype(np.float64)
        return a.copy() if op is None else apply(op, (a, b) if takes else (a,))
    b = as_tensors(a, b)[1]
    if b.dtype.kind == "i" and (type(a) is int or getattr(a, "dtype", b.dtype).kind in "iub") and (b._host() < 0).any():
        raise errors.integers_to_negative_powers()
    return apply(ew.power, (a, b))


def matmul(a: Any, b: Any) -> Tensor:
    """Matrix product a @ b, with NumPy's rules for vectors (1-D) and batches (3-D and up).

    Shapes (..., n, k) and (..., k, m) give (..., n, m). Gradients: g @ b.T and a.T @ g, summed over broadcast batches.
    Raises ShapeError if the inner lengths differ, or for a 0-d operand.

    >>> import gpugrad as gg
    >>> gg.matmul([[1.0, 2.0]], [[3.0], [4.0]])
    tensor([[11.]], device='cpu')
    """
    a, b = as_tensors(a, b)
    if not a.shape or not b.shape:
        raise errors.bad_shape("matmul", f"operands need at least one axis, not shapes {a.shape} and {b.shape}; use *.")
    inner = b.shape[-2] if b.ndim > 1 else b.shape[0]
    if a.shape[-1] != inner:
        raise errors.bad_shape("matmul", f"shapes {a.shape} and {b.shape} do not fit: {a.shape[-1]} is not {inner}.")
    broadcast("matmul (batches)", a.shape[:-2], b.shape[:-2])
    common = np.result_type(a.dtype, b.dtype)
    return structural.matmul(*(t if t.dtype == common else t.astype(common) for t in (a, b)))


def transpose(x: Any, axes: Any = None) -> Tensor:
    """Axes in another order; reversed by default.

    >>> import gpugrad as gg
    >>> gg.transpose(gg.zeros((2, 3))).shape
    (3, 2)
    """
    (x,) = as_tensors(x)
    order = (
        tuple(reversed(range(x.ndim)))
        if axes is None
        else tuple(a % x.ndim if -x.ndim <= a < x.ndim else a for a in axes)
    )
    if len(order) != x.ndim:
        raise errors.bad_shape("transpose", f"{axes} does not name every axis of a tensor with {x.ndim} axes once.")
    normalize_axes("transpose", order, x.ndim)
    return x._view(structural.transpose(x, axes=order), "a transpose")


def reshape(x: Any, shape: Any) -> Tensor:
    """The same elements in another shape; one length may be -1.

    >>> import gpugrad as gg
    >>> gg.reshape(gg.arange(6), (2, -1)).shape
    (2, 3)
    """
    (x,) = as_tensors(x)
    target = reshape_target(x.size, shape)
    return x._view(structural.reshape(x, shape=target), "a reshape")


# ------------------------------------------------------------------------------------------------------ creation


def tensor(
    data: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False, name: str | None = None
) -> Tensor:
    """A tensor holding a copy of `data`: a number, nested lists, an array or a tensor.

    dtype: NumPy's choice if not given (Python floats are float64). device: the default device, or that of a tensor.
    name: what pictures and explanations of the graph call it.
    Raises DTypeError for data that are not numbers, and for requires_grad with integers or booleans.

    >>> import gpugrad as gg
    >>> gg.tensor([1.0, 2.0], requires_grad=True)
    tensor([1., 2.], device='cpu', requires_grad=True)
    """
    if name is not None:
        named = tensor(data, dtype, device, requires_grad)
        named.name = name
        return named
    if isinstance(data, Tensor):
        device = data.device if device is None else device
        data = data._host()
    elif isinstance(data, (list, tuple)) and any(isinstance(d, Tensor) and d.requires_grad for d in data):
        raise errors.list_of_tensors()
    array = device_array(data)
    if array is not None:
        check_array(array, data)
        found = leaf(device_of(array).backend.from_host(array, None), device_of(array), False, True)
        found = found if dtype is None or as_dtype(dtype) == found.dtype else found.astype(dtype)
        found = found if device is None else found.to(device)
        return leaf(close(found._value), found.device, requires_grad, True)
    where = default_device() if device is None else get_device(device)
    try:
        array = np.array(data, None if dtype is None else as_dtype(dtype), order="C")
    except ValueError:
        raise errors.not_an_operand(data) from None
    check_array(array, data)
    array = where.backend.from_host(array, None)
    return leaf(array, where, requires_grad, True)


def leaf(array: Any, device: Device, requires_grad: bool, owned: bool) -> Tensor:
    if requires_grad and not is_float(array.dtype):
        raise errors.grad_needs_float(array.dtype)
    t = Tensor(Value(array, array.shape, array.dtype, device, False, None, owned))
    if requires_grad:
        t._become_leaf()
    return t


def _rebuild(array: Any, requires_grad: bool, device: str) -> Tensor:
    return tensor(array, device=device, requires_grad=requires_grad)


def asarray(a: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """A tensor that shares the memory of an array where it can, instead of copying.

    The caller promises not to write to the array until values and gradients have been read; with
    `gg.config.debug = 1` a broken promise is an error. gpugrad never writes to it. Never moves an array.

    >>> import gpugrad as gg, numpy as np
    >>> gg.asarray(np.ones(2))
    tensor([1., 1.], device='cpu')
    """
    if isinstance(a, Tensor):
        t = a if dtype is None or a.dtype == np.dtype(dtype) else a.astype(dtype)
        return t if device is None else t.to(device)
    if isinstance(a, np.ndarray) and (dtype is None or a.dtype == np.dtype(dtype)):
        check_array(a, a)
        where = get_device("cpu" if device is None else device)
        if where.backend.xp is np:
            t = leaf(a, where, False, False)
            if config.debug:
                checks.borrow(t._value)
            return t
    array = device_array(a)
    if array is not None and (dtype is None or array.dtype == np.dtype(dtype)):
        check_array(array, a)
        where = device_of(array)
        if device is not None and get_device(device) is not where:
            return tensor(a, dtype, device)
        if array.data.ptr % array.dtype.itemsize or any(s % array.dtype.itemsize for s in array.strides):
            raise errors.bad_value("asarray", f"its elements of {array.dtype} do not lie at multiples of their size: use gg.tensor, which copies.")  # fmt: skip
        t = leaf(array, where, False, False)
        if config.debug:
            checks.borrow(t._value)
        return t
    return tensor(a, dtype, device)


def from_dlpack(x: Any) -> Tensor:
    """A tensor that shares the memory of another library's array, on the CPU or a GPU. The promise of `asarray` holds.

    >>> import gpugrad as gg, numpy as np
    >>> gg.from_dlpack(np.arange(3.0))
    tensor([0., 1., 2.], device='cpu')
    """
    if not hasattr(x, "__dlpack__"):
        raise errors.bad_type("from_dlpack", f"{type(x).__name__!r} has no __dlpack__.")
    if x.__dlpack_device__()[0] in (2, 13):  # memory of a GPU, or managed by its driver
        import cupy

        return asarray(cupy.from_dlpack(x))
    return asarray(np.from_dlpack(x), device="cpu")


@functools.lru_cache(maxsize=256)
def _one(shape: Shape, dtype: DType, device: Device) -> Value:
    """The gradient that `backward` starts with: shared, so nobody may write to it."""
    value = constant(np.ones(shape, dtype), device)
    value.owned = False
    return value


def wait(*tensors: Tensor) -> None:
    """Compute these tensors now and wait for their devices: for timing.

    Tensors of one shape that need no gradient are computed as one region with several outputs.

    >>> import gpugrad as gg
    >>> gg.wait(gg.ones(3) * 2)
    """
    tape.close_together([t._value for t in tensors])
    for device in {t.device for t in tensors}:
        device.backend.synchronize()


# ------------------------------------------------------------------------------------------------------ autograd


def tensor_list(name: str, given: Any) -> list[Any]:
    """One tensor, or a sequence of them, as a list."""
    if not isinstance(given, (Tensor, list, tuple)):
        raise errors.bad_type(name, f"expected a tensor or a list of tensors, not {type(given).__name__!r}.")
    return [given] if isinstance(given, Tensor) else list(given)


def gradients_of(
    roots: list[tuple[Value, Value]], inputs: Sequence[Tensor], retain: bool, create_graph: bool
) -> list[Value | None]:
    """The gradients of roots in inputs, each checked; None where an input was not used."""
    for n, t in enumerate(inputs):
        if not isinstance(t, Tensor):
            raise errors.not_an_operand(t)
        if not t.requires_grad:
            raise errors.input_without_grad(n)
    return walk.gradients(roots, [t._value for t in inputs], retain, create_graph)
