"""Python's operators as ops of the table, for whatever the ops run on: symbols, variables, tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from . import elementwise as ew

_NO_PARAMS: dict[str, Any] = {}


class Operators:
    """Python's operators, each the op of the table. Mixed into whatever interprets ops, and so bound to itself at once."""

    __slots__ = ()

    def __gpugrad_bind__(self, op: Any, args: Sequence[Any], params: dict[str, Any]) -> Any:
        raise NotImplementedError

    def __add__(self, o: Any) -> Self:
        return self.__gpugrad_bind__(ew.add, (self, o), _NO_PARAMS)

    def __radd__(self, o: Any) -> Self:
        return self.__gpugrad_bind__(ew.add, (o, self), _NO_PARAMS)

    def __sub__(self, o: Any) -> Self:
        return self.__gpugrad_bind__(ew.subtract, (self, o), _NO_PARAMS)

    def __rsub__(self, o: Any) -> Self:
        return self.__gpugrad_bind__(ew.subtract, (o, self), _NO_PARAMS)

    def __mul__(self, o: Any) -> Self:
        return self.__gpugrad_bind__(ew.multiply, (self, o), _NO_PARAMS)

    def __rmul__(self, o: Any) -> Self:
        return self.__gpugrad_bind__(ew.multiply, (o, self), _NO_PARAMS)

    def __truediv__(self, o: Any) -> Self:
        return self.__gpugrad_bind__(ew.divide, (self, o), _NO_PARAMS)

    def __rtruediv__(self, o: Any) -> Self:
        return self.__gpugrad_bind__(ew.divide, (o, self), _NO_PARAMS)

    def __floordiv__(self, o: Any) -> Self:
        return self.__gpugrad_bind__(ew.floor_divide, (self, o), _NO_PARAMS)

    def __rfloordiv__(self, o: Any) -> Self:
        return self.__gpugrad_bind__(ew.floor_divide, (o, self), _NO_PARAMS)

    def __mod__(self, o: Any) -> Self:
        return self.__gpugrad_bind__(ew.remainder, (self, o), _NO_PARAMS)

    def __rmod__(self, o: Any) -> Self:
        return self.__gpugrad_bind__(ew.remainder, (o, self), _NO_PARAMS)

    def __and__(self, o: Any) -> Self:
        return self.__gpugrad_bind__(ew.bitwise_and, (self, o), _NO_PARAMS)

    def __rand__(self, o: Any) -> Self:
        return self.__gpugrad_bind__(ew.bitwise_and, (o, self), _NO_PARAMS)

    def __or__(self, o: Any) -> Self:
        return self.__gpugrad_bind__(ew.bitwise_or, (self, o), _NO_PARAMS)

    def __ror__(self, o: Any) -> Self:
        return self.__gpugrad_bind__(ew.bitwise_or, (o, self), _NO_PARAMS)

    def __xor__(self, o: Any) -> Self:
        return self.__gpugrad_bind__(ew.bitwise_xor, (self, o), _NO_PARAMS)

    def __rxor__(self, o: Any) -> Self:
        return self.__gpugrad_bind__(ew.bitwise_xor, (o, self), _NO_PARAMS)

    def __lshift__(self, o: Any) -> Self:
        return self.__gpugrad_bind__(ew.left_shift, (self, o), _NO_PARAMS)

    def __rlshift__(self, o: Any) -> Self:
        return self.__gpugrad_bind__(ew.left_shift, (o, self), _NO_PARAMS)

    def __rshift__(self, o: Any) -> Self:
        return self.__gpugrad_bind__(ew.right_shift, (self, o), _NO_PARAMS)

    def __rrshift__(self, o: Any) -> Self:
        return self.__gpugrad_bind__(ew.right_shift, (o, self), _NO_PARAMS)

    def __lt__(self, o: Any) -> Self:
        return self.__gpugrad_bind__(ew.less, (self, o), _NO_PARAMS)

    def __le__(self, o: Any) -> Self:
        return self.__gpugrad_bind__(ew.less_equal, (self, o), _NO_PARAMS)

    def __gt__(self, o: Any) -> Self:
        return self.__gpugrad_bind__(ew.greater, (self, o), _NO_PARAMS)

    def __ge__(self, o: Any) -> Self:
        return self.__gpugrad_bind__(ew.greater_equal, (self, o), _NO_PARAMS)

    def __eq__(self, o: Any) -> Any:
        return NotImplemented if o is None else self.__gpugrad_bind__(ew.equal, (self, o), _NO_PARAMS)

    def __ne__(self, o: Any) -> Any:
        return NotImplemented if o is None else self.__gpugrad_bind__(ew.not_equal, (self, o), _NO_PARAMS)

    def __neg__(self) -> Self:
        return self.__gpugrad_bind__(ew.negative, (self,), _NO_PARAMS)

    def __pos__(self) -> Self:
        return self.__gpugrad_bind__(ew.positive, (self,), _NO_PARAMS)

    def __abs__(self) -> Self:
        return self.__gpugrad_bind__(ew.absolute, (self,), _NO_PARAMS)

    def __invert__(self) -> Self:
        return self.__gpugrad_bind__(ew.invert, (self,), _NO_PARAMS)

    __hash__ = object.__hash__  # == compares elements; identity is what a tensor is filed under
