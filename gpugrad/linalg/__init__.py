"""Linear algebra: what `numpy.linalg` has, with gradients. Matrices are the last two axes of a tensor, the others are batches.

``np.linalg.f(t)`` of a tensor is ``gg.linalg.f(t)``. 16-bit floats are computed in float32 and rounded once, integers in float64.
A matrix that is singular, or not positive definite, raises `numpy.linalg.LinAlgError`, as in NumPy; in a backward, too.
"""

from numpy.linalg import LinAlgError

from ..functions.contraction import matmul, tensordot
from ..functions.matrices import matrix_transpose, vecdot
from .matrices import (
    SlogdetResult,
    cholesky,
    cross,
    det,
    diagonal,
    inv,
    matrix_norm,
    matrix_power,
    multi_dot,
    norm,
    outer,
    slogdet,
    solve,
    tensorinv,
    tensorsolve,
    trace,
    vector_norm,
)

__all__ = [
    "LinAlgError", "SlogdetResult", "cholesky", "cross", "det", "diagonal", "inv", "matmul", "matrix_norm", "matrix_power",
    "matrix_transpose", "multi_dot", "norm", "outer", "slogdet", "solve", "tensordot", "tensorinv", "tensorsolve", "trace", "vecdot",
    "vector_norm",
]  # fmt: skip
