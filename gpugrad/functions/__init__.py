"""NumPy's functions on tensors. Importing it enters them all; its type stub is generated (tests/functions/test_stubs.py)."""

from . import contraction, creation, elementwise, indexing, reductions, shaping, table
from .face import PUBLIC

globals().update(PUBLIC)
__all__ = sorted(PUBLIC)
