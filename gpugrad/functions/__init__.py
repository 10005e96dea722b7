"""NumPy's functions on tensors. Importing it enters them all; its type stub is generated (tests/functions/test_stubs.py)."""

from . import (
    comparing,
    contraction,
    counting,
    creation,
    differences,
    elementwise,
    indexing,
    joining,
    matrices,
    ndarray,
    parts,
    places,
    polynomials,
    reductions,
    selecting,
    sets,
    shaping,
    statistics,
    table,
    ufunc_methods,
    windows,
)
from .face import PUBLIC

globals().update(PUBLIC)
__all__ = sorted(PUBLIC)
