"""Public counters of what ran, and where in the user's program it was asked for."""

from __future__ import annotations

import os
import sys

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


class Counters:
    """How many plans were run since the last `reset`: forward, backward, and structural calls.

    launches: CUDA kernels launched for them, and for whatever else was asked of a GPU; not those of cuBLAS and of CuPy.
    They are shown where there were any.

    >>> import gpugrad as gg
    >>> gg.debug.counters.reset()
    >>> x = gg.tensor(0.5, requires_grad=True)
    >>> (gg.sin(x) * x).backward()
    >>> gg.debug.counters
    Counters(ops=2, forward=1, backward=1, calls=0)
    """

    __slots__ = ("backward", "calls", "forward", "launches", "ops")

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Set every counter to 0."""
        self.ops = self.forward = self.backward = self.calls = self.launches = 0

    def __repr__(self) -> str:
        launches = f", launches={self.launches}" if self.launches else ""
        return (
            f"Counters(ops={self.ops}, forward={self.forward}, backward={self.backward}, calls={self.calls}{launches})"
        )


counters = Counters()


def user_line() -> str:
    """The file and line of the nearest caller outside this package."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith((_PACKAGE, "<gpugrad")):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"
