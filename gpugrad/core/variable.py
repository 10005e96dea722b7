"""Variables: values with the operators of the tables, and pairs of a value and a mask. Rules compute with them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..backends.devices import Device
from ..base.shapes import DType, Shape
from ..ops import elementwise as ew
from ..ops.op import Op
from ..ops.operators import Operators
from .calling import as_values, call
from .value import Value


class Variable(Operators):
    """A handle on one value: what an op of the tables can be called on. A tensor is one that can be written to."""

    __slots__ = ("__weakref__", "_value")

    def __init__(self, value: Value) -> None:
        self._value = value

    def __gpugrad_bind__(self, op: Any, args: Sequence[Any], params: dict[str, Any]) -> Variable:
        values = [a._value if isinstance(a, Variable) else a for a in args]
        for a in values:
            if type(a) is not Value and not (type(op) is Op and isinstance(a, (int, float))):
                values = _constants(op, values)
                break
        return Variable(call(op, values, params))

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


def _constants(op: Any, values: list[Any]) -> list[Any]:
    """Operands in which arrays are constants; Python numbers stay what they are for an elementwise op."""
    if type(op) is not Op:
        return list(as_values(values))
    numbers = {k: a for k, a in enumerate(values) if isinstance(a, (int, float)) and not hasattr(a, "dtype")}
    rest = iter(as_values([a for k, a in enumerate(values) if k not in numbers]))
    return [numbers[k] if k in numbers else next(rest) for k in range(len(values))]


class MaskedVariable(Operators):
    """A gradient and the mask of the elements that took part, both variables: an op that moves elements moves both.

    What only moves, sums or selects elements is done to the mask as to the value (sums become logical or). Any other op gives a
    plain variable: there the mask ends.
    """

    __slots__ = ("mask", "value")

    def __init__(self, value: Variable, mask: Variable) -> None:
        self.value = value
        self.mask = mask

    @property
    def shape(self) -> Shape:
        return self.value.shape

    @property
    def dtype(self) -> DType:
        return self.value.dtype

    @property
    def ndim(self) -> int:
        return self.value.ndim

    def __gpugrad_bind__(self, op: Any, args: Sequence[Any], params: dict[str, Any]) -> Any:
        value = op(*[a.value if type(a) is MaskedVariable else a for a in args], **params)
        if op is ew.where:  # where(c, g, 0): an element that is not selected did not take part
            return MaskedVariable(value, ew.logical_and(args[0], self.mask))
        if type(op) is Op or not op.moves:
            return value
        return MaskedVariable(value, op(*[a.mask if type(a) is MaskedVariable else a for a in args], **params))
