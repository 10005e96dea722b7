"""Python's operators as ops of the table, for whatever the ops run on: symbols, values, tensors."""

from __future__ import annotations

from typing import Any

from . import elementwise as ew


class Operators:
    """Python's operators, each the op of the table. Mixed into whatever the ops run on."""

    __slots__ = ()

    def __add__(self, o: Any) -> Any:
        return ew.add(self, o)

    def __radd__(self, o: Any) -> Any:
        return ew.add(o, self)

    def __sub__(self, o: Any) -> Any:
        return ew.subtract(self, o)

    def __rsub__(self, o: Any) -> Any:
        return ew.subtract(o, self)

    def __mul__(self, o: Any) -> Any:
        return ew.multiply(self, o)

    def __rmul__(self, o: Any) -> Any:
        return ew.multiply(o, self)

    def __truediv__(self, o: Any) -> Any:
        return ew.divide(self, o)

    def __rtruediv__(self, o: Any) -> Any:
        return ew.divide(o, self)

    def __floordiv__(self, o: Any) -> Any:
        return ew.floor_divide(self, o)

    def __rfloordiv__(self, o: Any) -> Any:
        return ew.floor_divide(o, self)

    def __mod__(self, o: Any) -> Any:
        return ew.remainder(self, o)

    def __rmod__(self, o: Any) -> Any:
        return ew.remainder(o, self)

    def __neg__(self) -> Any:
        return ew.negative(self)

    def __pos__(self) -> Any:
        return ew.positive(self)

    def __abs__(self) -> Any:
        return ew.absolute(self)

    def __invert__(self) -> Any:
        return ew.invert(self)

    def __and__(self, o: Any) -> Any:
        return ew.bitwise_and(self, o)

    def __rand__(self, o: Any) -> Any:
        return ew.bitwise_and(o, self)

    def __or__(self, o: Any) -> Any:
        return ew.bitwise_or(self, o)

    def __ror__(self, o: Any) -> Any:
        return ew.bitwise_or(o, self)

    def __xor__(self, o: Any) -> Any:
        return ew.bitwise_xor(self, o)

    def __rxor__(self, o: Any) -> Any:
        return ew.bitwise_xor(o, self)

    def __lshift__(self, o: Any) -> Any:
        return ew.left_shift(self, o)

    def __rlshift__(self, o: Any) -> Any:
        return ew.left_shift(o, self)

    def __rshift__(self, o: Any) -> Any:
        return ew.right_shift(self, o)

    def __rrshift__(self, o: Any) -> Any:
        return ew.right_shift(o, self)

    def __lt__(self, o: Any) -> Any:
        return ew.less(self, o)

    def __le__(self, o: Any) -> Any:
        return ew.less_equal(self, o)

    def __gt__(self, o: Any) -> Any:
        return ew.greater(self, o)

    def __ge__(self, o: Any) -> Any:
        return ew.greater_equal(self, o)

    def __eq__(self, o: Any) -> Any:
        return ew.equal(self, o)

    def __ne__(self, o: Any) -> Any:
        return ew.not_equal(self, o)

    __hash__ = object.__hash__  # == compares elements; identity is what a tensor is filed under
