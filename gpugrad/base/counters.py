"""Public counters of what ran."""

from __future__ import annotations


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
