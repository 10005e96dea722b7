"""NumPy's functions on tensors. Importing it enters them all; its type stub is generated (tests/functions/test_stubs.py)."""

from . import (
    comparing,
    contraction,
    creation,
    differences,
    elementwise,
    indexing,
    joining,
    matrices,
    reductions,
    shaping,
    statistics,
    table,
)
from .face import PUBLIC

globals().update(PUBLIC)
__all__ = sorted(PUBLIC)
