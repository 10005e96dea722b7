"""Arguments of functions as tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .backends.devices import Device
from .coerce import device_among, operand
from .core.closing import close_together
from .ops.op import Op
from .tensor import Tensor


def as_tensor(a: Any, device: Device) -> Tensor:
    """A tensor as it is; plain data as a tensor on a device."""
    return a if isinstance(a, Tensor) else Tensor(operand(a, device))


def as_tensors(*args: Any) -> list[Tensor]:
    """Arguments of a function as tensors on one device, that of the first tensor among them."""
    for a in args:
        if type(a) is not Tensor:
            break
    else:
        return list(args)
    device = device_among(args)
    return [as_tensor(a, device) for a in args]


def wait(*tensors: Tensor) -> None:
    """Compute these tensors now and wait for their devices: for timing.

    Tensors of one shape are computed as one region with several outputs, those that require grad and those that do not apart.

    >>> import gpugrad as gg
    >>> gg.wait(gg.ones(3) * 2)
    """
    close_together([t._value for t in tensors])
    for device in {t.device for t in tensors}:
        device.backend.synchronize()


def elementwise(op: Op, args: Sequence[Any]) -> Tensor:
    """An elementwise op on anything: by whoever interprets it; if nobody does, the first operand becomes a tensor."""
    for a in args:
        if type(a) is Tensor:
            return a.__gpugrad_bind__(op, args, {})
        interpret = getattr(a, "__gpugrad_bind__", None)
        if interpret is not None:
            found: Tensor = interpret(op, args, {})
            return found
    first = as_tensor(args[0], device_among(args))
    return first.__gpugrad_bind__(op, (first, *args[1:]), {})
