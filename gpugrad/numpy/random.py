"""`gpugrad.random` where code looks for NumPy's, with NumPy's older names: ``import gpugrad.numpy.random as npr``. All give tensors."""

from __future__ import annotations

from typing import Any

from ..random import integers, normal, permutation, random, seed, standard_normal, uniform
from ..tensor import Tensor

__all__ = [
    "integers",
    "normal",
    "permutation",
    "rand",
    "randint",
    "randn",
    "random",
    "seed",
    "standard_normal",
    "uniform",
]


def rand(*shape: int) -> Tensor:
    """Numbers from 0 to 1, evenly distributed.

    >>> import gpugrad.numpy as np
    >>> np.random.rand(2, 3).shape
    (2, 3)
    """
    return random(shape)


def randn(*shape: int) -> Tensor:
    """Numbers of the standard normal distribution.

    >>> import gpugrad.numpy as np
    >>> np.random.randn(2, 3).shape
    (2, 3)
    """
    return standard_normal(shape)


def randint(low: int, high: int | None = None, size: Any = None, dtype: Any = None) -> Tensor:
    """Integers from low to before high, or from 0 to before low.

    >>> import gpugrad.numpy as np
    >>> np.random.randint(1, size=2)
    tensor([0, 0], device='cpu')
    """
    return integers(low, high, size, dtype)
