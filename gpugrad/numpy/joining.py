"""`r_` and `c_` of tensors: numbers, slices, arrays and tensors side by side."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arguments import as_tensors
from ..base import errors
from ..functions import concatenate
from ..tensor import Tensor


class Joined:
    """What is in the brackets, joined: ``r_[a, 0.0, 1:4, b]`` along the first axis, ``c_[a, b]`` as columns.

    Slices are ranges, as in NumPy; directives in strings are not taken.

    >>> import gpugrad.numpy as np
    >>> np.r_[np.ones(2), 0.0, 1:3]
    tensor([1., 1., 0., 1., 2.], device='cpu')
    >>> np.c_[np.zeros(2), [5.0, 6.0]]
    tensor([[0., 5.],
            [0., 6.]], device='cpu')
    """

    def __init__(self, name: str, columns: bool) -> None:
        self.name = name
        self.columns = columns

    def __getitem__(self, key: Any) -> Tensor:
        items = key if isinstance(key, tuple) else (key,)
        for item in items:
            if isinstance(item, str):
                raise errors.bad_type(
                    self.name,
                    f"takes no directives in strings: {item!r}. Use gg.concatenate or gg.stack, with an axis.",
                )
        parts = as_tensors(*(np.r_[item] if isinstance(item, slice) else item for item in items))
        parts = [p.reshape(1) if not p.ndim else p for p in parts]
        if self.columns:
            parts = [p.reshape(-1, 1) if p.ndim == 1 else p for p in parts]
        return concatenate(parts, axis=-1 if self.columns else 0)


r_ = Joined("r_", False)
c_ = Joined("c_", True)
