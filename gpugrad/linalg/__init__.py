"""Linear algebra: what `numpy.linalg` has, with gradients. Matrices are the last two axes of a tensor, the others are batches.

``np.linalg.f(t)`` of a tensor is ``gg.linalg.f(t)``. 16-bit floats are computed in float32 and rounded once, integers in float64.
A matrix that is singular, or not positive definite, raises `numpy.linalg.LinAlgError`, as in NumPy; in a backward, too.
"""

from numpy.linalg import LinAlgError

from ..functions.contraction import matmul, tensordot
from ..functions.matrices import matrix_transpose, vecdot
from .factors import (
    EighResult,
    LstsqResult,
    QRResult,
    SVDResult,
    eigh,
    eigvalsh,
    lstsq,
    matrix_rank,
    pinv,
    qr,
    svd,
    svdvals,
)
from .matrices import (
    SlogdetResult,
    cholesky,
    cond,
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
    "EighResult", "LinAlgError", "LstsqResult", "QRResult", "SVDResult", "SlogdetResult", "cholesky", "cond", "cross", "det", "diagonal",
    "eigh", "eigvalsh", "inv", "lstsq", "matmul", "matrix_norm", "matrix_power", "matrix_rank", "matrix_transpose", "multi_dot", "norm", "outer",
    "pinv", "qr", "slogdet", "solve", "svd", "svdvals", "tensordot", "tensorinv", "tensorsolve", "trace", "vecdot", "vector_norm",
]  # fmt: skip
