"""Reductions as ops of a region: each makes one number of a row.

A region that reduces has rows: its extent without a set of axes says how many there are, and along those axes lie the elements of each. A value
is then *full*, with an element for each of the extent, or it is a *row value*, with one for each row, which elementwise ops on full
values repeat along the row. How many axes a row has, and how long it is, are arguments of a run: no op knows them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .op import Loop, Op


class Reduction(Op):
    """An op that makes one number of each row. combine: NumPy's ufunc whose `reduce` it is; for booleans, logical or."""

    def __init__(self, name: str, doc: str, combine: np.ufunc) -> None:
        super().__init__(name, ("x",), doc=doc, types=lambda t: Loop((t,), t), public=False, exact=True)
        self.combine = combine

    @property
    def differentiable(self) -> bool:
        return True


total = Reduction("sum", "The sum of a row; of booleans, whether any is true.", np.add)
largest = Reduction("max", "The largest element of a row, NaN if any is; ties share the gradient evenly.", np.maximum)
smallest = Reduction("min", "The smallest element of a row, NaN if any is; ties share the gradient evenly.", np.minimum)


def _copy(x: Any, out: Any) -> None:
    np.copyto(out, x)


# Row values under another shape: those of a region are kept or squeezed.
relabel = Op(
    "reshape", ("x",), c="{0}", numpy=_copy, types=lambda t: Loop((t,), t), partials=lambda x, y: (1,), public=False, exact=True, casts=True
)  # fmt: skip

# A row value as a full one: what an elementwise op does by itself, written out where there is none.
spread = Op("spread", ("x",), c="{0}", numpy=_copy, types=lambda t: Loop((t,), t), public=False, exact=True)
