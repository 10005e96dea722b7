"""The computational graph of one region, as the ops were called: what a plan is made from, and keeps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from ..base.dtypes import DType
from ..ops.op import Op


@dataclass(frozen=True, slots=True)
class Input:
    """An array that is given, by its number."""

    index: int

    def __str__(self) -> str:
        return f"i{self.index}"


@dataclass(frozen=True, slots=True)
class Scalar:
    """A Python number that is given, by its number."""

    index: int

    def __str__(self) -> str:
        return f"s{self.index}"


@dataclass(frozen=True, slots=True)
class Node:
    """The result of a call, by the call's number."""

    index: int


Ref = Input | Node  # what has a value of the region's shape, or broadcasts to it


class Call(NamedTuple):
    """One op that the user called. requires_grad: False for what backward must not enter."""

    op: Op
    operands: tuple[Input | Scalar | Node, ...]
    requires_grad: bool


class Array(NamedTuple):
    """What is known of an input: never its shape, its layout or its values. row: it has one element for each row."""

    dtype: DType
    requires_grad: bool
    row: bool = False


class Dag(NamedTuple):
    """The calls of a region, operands first; its inputs; the kinds of its Python numbers; and its outputs."""

    calls: tuple[Call, ...]
    inputs: tuple[Array, ...]
    scalars: tuple[type, ...]
    roots: tuple[Ref, ...]
