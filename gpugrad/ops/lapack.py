"""Matrices factored once: by LAPACK, as SciPy brings it, where SciPy is installed.

NumPy's functions factor a matrix, use the factors and throw them away; a derivative, or a second system with the same matrix, then factors it
again. Small matrices, and batches of them, are left to NumPy: there a call costs more than the factors.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

SMALL = 32  # rows: below this, factoring again is cheaper than keeping the factors


@functools.cache
def _lapack() -> Any:
    try:
        from scipy.linalg import lapack
    except ImportError:
        return None
    return lapack


def applies(a: Any) -> bool:
    """Whether an array is one matrix for which this module has anything to offer."""
    return (
        type(a) is np.ndarray and a.ndim == 2 and a.shape[0] == a.shape[1] >= SMALL and a.dtype.char in "fd" and _lapack() is not None
    )  # fmt: skip


def _routine(name: str, a: Any) -> Any:
    return getattr(_lapack(), ("s" if a.dtype.char == "f" else "d") + name)


class Factors:
    """The LU factors of one matrix, made when they are first asked for, and what is known by them.

    Whoever gives them beside a matrix promises that it is always the same one.
    """

    __slots__ = ("_lu", "_pivots", "_singular")

    def __init__(self) -> None:
        self._lu: Any = None

    def _made(self, a: Any) -> Any:
        if self._lu is None:
            # LAPACK reads columns where NumPy has rows: these are the factors of the transpose.
            lu, self._pivots, found = _routine("getrf", a)(np.ascontiguousarray(a).T)
            self._singular = found > 0
            self._lu = lu
        return self._lu

    def solve(self, a: Any, b: Any, transposed: bool) -> Any:
        """The x with a @ x = b, or a.T @ x = b, for a matrix b. Raises LinAlgError for a singular a."""
        lu = self._made(a)
        if self._singular:
            raise np.linalg.LinAlgError("Singular matrix")
        x, _ = _routine("getrs", a)(lu, self._pivots, b, trans=0 if transposed else 1)
        return np.ascontiguousarray(x)

    def sign_and_log(self, a: Any) -> tuple[Any, Any]:
        """The sign of the determinant, and the logarithm of its absolute value."""
        diagonal = np.diagonal(self._made(a))
        swaps = int(np.count_nonzero(self._pivots != np.arange(len(diagonal))))
        sign = a.dtype.type(-1 if swaps % 2 else 1) * np.prod(np.sign(diagonal))
        return np.asarray(sign), np.asarray(np.log(np.abs(diagonal)).sum())


def triangular(a: Any, b: Any, lower: bool, unit: bool) -> Any:
    """The x with a @ x = b for a triangular a, of which nothing else is read. Raises LinAlgError for a singular one."""
    x, found = _routine("trtrs", a)(np.ascontiguousarray(a).T, b, lower=not lower, trans=1, unitdiag=unit)
    if found > 0:
        raise np.linalg.LinAlgError("Singular matrix")
    return np.ascontiguousarray(x)
