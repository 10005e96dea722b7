"""What a device must be able to do, and how it is told what to do."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from ..base.shapes import DType, Shape
from ..ops.structural import StructuralOp
from ..plans.program import Program


class Output(NamedTuple):
    """Where one output of a program goes: all of it into `buffer`, or summed over `axes` (logical or for booleans).

    `buffer` then has those axes with length 1. accumulate: add to what is there.
    """

    buffer: Any
    axes: tuple[int, ...] = ()
    accumulate: bool = False


class ArraySpec(NamedTuple):
    """What a backend needs to know of an array that is not there yet: C-contiguous, at an aligned address."""

    shape: Shape
    dtype: DType
    ptr: int = 0

    @property
    def strides(self) -> tuple[int, ...]:
        return tuple(math.prod(self.shape[d + 1 :]) * self.dtype.itemsize for d in range(len(self.shape)))

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def data(self) -> ArraySpec:
        return self


class Backend(Protocol):
    """What a device must be able to do. Arrays are the device's own (NumPy's or CuPy's)."""

    def from_host(self, data: Any, dtype: DType | None) -> Any:
        """A new C-contiguous array on this device: a copy of `data` of the host, or of another device of the same kind."""

    def to_host(self, array: Any) -> Any:
        """`array` as a NumPy array."""

    def empty(self, shape: Shape, dtype: DType) -> Any:
        """An uninitialized C-contiguous array."""

    def full(self, shape: Shape, value: Any, dtype: DType) -> Any:
        """A C-contiguous array of one number."""

    def copy(self, array: Any) -> Any:
        """A C-contiguous copy."""

    def write(self, array: Any, index: Any, value: Any) -> None:
        """array[index] = value, in place; the last of duplicates stays. Raises ValueError for a shape that does not fit."""

    def call(self, op: StructuralOp, arrays: Sequence[Any], params: dict[str, Any]) -> Any:
        """Run a structural op."""

    def expect(
        self, program: Program, shape: Shape, arrays: Sequence[Any], outputs: Sequence[Output], rows: tuple[int, ...]
    ) -> None:
        """`run` will soon be called with arrays like these: a hint, to compile meanwhile."""

    def run(
        self, program: Program, shape: Shape, arrays: Sequence[Any], scalars: Sequence[Any], outputs: Sequence[Output],
        rows: tuple[int, ...] = (),
    ) -> None:  # fmt: skip
        """Run a program over arrays that broadcast to `shape`, writing its results to `outputs`.

        rows: the axes along which its reductions go. Row values, inputs and outputs, have these axes with length 1.
        """

    def run_many(self, program: Program, scalars: Sequence[Any], work: Sequence[tuple[Shape, Any, Any]]) -> None:
        """Run a program over many (shape, arrays, arrays for the outputs), nothing being summed."""

    def may_overwrite(self, program: Program) -> bool:
        """True if `run_many` reads each element of its inputs before it writes that element of an output."""

    def matmul(self, a: Any, b: Any, out: Any, accumulate: bool) -> None:
        """out = a @ b, or out += a @ b, for operands of two axes or more and a C-contiguous result."""

    def accumulate(self, buffer: Any, array: Any) -> None:
        """buffer += array, in place."""

    def scatter_add(self, buffer: Any, index: Any, array: Any) -> None:
        """buffer[index] += array, every duplicate counted."""

    def sole_owner(self, array: Any) -> bool:
        """True if the caller's one reference to `array` is the only way to its memory."""

    def synchronize(self) -> None:
        """Wait until the device has finished."""

    def source(self, program: Program) -> str:
        """The text of a program as array calls."""

    dialect: str  # "c" or "cuda": what its kernels are written in
    ahead: bool  # whether it is worth calling `expect`
    xp: Any  # the array module, for structural ops
