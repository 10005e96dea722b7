"""Initializers: new parameters, drawn from `gg.random`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import random
from ..tensor import Tensor


def _parameter(values: Tensor) -> Tensor:
    return values.requires_grad_()


def uniform(shape: Any, low: float, high: float, dtype: Any = np.float32) -> Tensor:
    """Uniform in [low, high)."""
    return _parameter(random.uniform(low, high, shape, dtype))


def normal(shape: Any, std: float = 1.0, dtype: Any = np.float32) -> Tensor:
    """Normal with mean 0."""
    return _parameter(random.normal(0.0, std, shape, dtype))


def kaiming_uniform(shape: tuple[int, int], gain: float = math.sqrt(2.0), dtype: Any = np.float32) -> Tensor:
    """For weights (out, in) before a rectifier (He et al. 2015): the bound is gain * sqrt(3 / in)."""
    bound = gain * math.sqrt(3.0 / shape[1])
    return uniform(shape, -bound, bound, dtype)


def xavier_uniform(shape: tuple[int, int], gain: float = 1.0, dtype: Any = np.float32) -> Tensor:
    """For weights (out, in) before tanh or sigmoid (Glorot and Bengio 2010): gain * sqrt(6 / (in + out))."""
    bound = gain * math.sqrt(6.0 / (shape[0] + shape[1]))
    return uniform(shape, -bound, bound, dtype)
