"""`gpugrad.linalg` where code looks for NumPy's: ``import gpugrad.numpy.linalg as npla``."""

from .. import linalg
from ..linalg import *  # noqa: F403

__all__ = linalg.__all__
