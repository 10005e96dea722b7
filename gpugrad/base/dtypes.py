"""The dtypes that kernels are compiled for, one row each, and what follows from the rows.

NumPy's dtypes that have no row (float128, dates, other byte orders) are run by NumPy alone.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

DType = np.dtype[Any]


class Row(NamedTuple):
    """One dtype. Its place among the rows is what the compiled driver knows it by.

    name: NumPy's, and the type in C. kind: as NumPy has it: b, i, u or f (of bfloat16, too). size: bytes of an element.
    computed: the type of a register; 16-bit floats are computed and summed in a wider one, and rounded once per op.
    cublas: what cuBLAS calls it, and what it calls the type in which it adds up products.
    """

    name: str
    kind: str
    size: int
    computed: str
    cublas: tuple[int, int] | None = None

    @property
    def stored(self) -> str:
        """The type in C of an element that is read: a byte for a boolean, which need not be 0 or 1."""
        return "uint8" if self.kind == "b" else self.name

    @property
    def is_16_bit(self) -> bool:
        return self.kind == "f" and self.size == 2


ROWS = (
    Row("bool", "b", 1, "bool"),
    Row("int8", "i", 1, "int8"),
    Row("int16", "i", 2, "int16"),
    Row("int32", "i", 4, "int32"),
    Row("int64", "i", 8, "int64"),
    Row("uint8", "u", 1, "uint8"),
    Row("uint16", "u", 2, "uint16"),
    Row("uint32", "u", 4, "uint32"),
    Row("uint64", "u", 8, "uint64"),
    Row("float16", "f", 2, "float32", (2, 68)),
    Row("bfloat16", "f", 2, "float32", (14, 68)),
    Row("float32", "f", 4, "float32", (0, 68)),
    Row("float64", "f", 8, "float64", (1, 70)),
)
NAMED = {row.name: row for row in ROWS}
CODES = {row.name: n for n, row in enumerate(ROWS)}
UNSIGNED = {row.size: row.name for row in ROWS if row.kind == "u"}  # what elements are moved as, by their size
NUMBERS = {float: NAMED["float64"], int: NAMED["int64"], bool: NAMED["bool"]}  # Python's numbers in compiled kernels

BOOL = np.dtype(np.bool_)
INT64 = np.dtype(np.int64)
FLOAT32 = np.dtype(np.float32)
FLOAT64 = np.dtype(np.float64)
_FLOATS = frozenset(row.name for row in ROWS if row.kind == "f")


def is_compiled(dtype: DType) -> bool:
    """True for the dtypes that have a row, in this machine's byte order."""
    return dtype.isnative and dtype.name in NAMED


def is_float(dtype: DType) -> bool:
    """True for the dtypes that can carry gradients: real floating point, bfloat16 included."""
    return dtype.kind == "f" or dtype.name in _FLOATS


def is_16_bit(dtype: DType) -> bool:
    """True for float16 and bfloat16, which compute in float32."""
    return dtype.itemsize == 2 and is_float(dtype)


def is_bfloat16(dtype: DType) -> bool:
    """True for the one dtype of these that NumPy does not know as a float."""
    return dtype.itemsize == 2 and dtype.kind not in "fiu" and dtype.name == "bfloat16"


def computed(dtype: DType) -> DType:
    """The dtype in which values of a dtype are computed and summed: float32 for 16-bit floats, else itself."""
    return FLOAT32 if is_16_bit(dtype) else dtype
