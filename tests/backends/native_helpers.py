"""What the tests of compiled plans share."""

from __future__ import annotations

import numpy as np

import gpugrad as gg
from gpugrad.backends.cpu import native
from gpugrad.backends.protocol import Sink
from gpugrad.plans.program import Program


def run(
    program: Program, shape: tuple[int, ...], arrays: list[np.ndarray], sinks: list[Sink], threads: int = 1
) -> None:
    if program.native is None:
        program.native = native.Kernel(program)
    gg.config.threads, before = threads, gg.config.threads
    try:
        native.run(program.native, shape, arrays, (), sinks)
    finally:
        gg.config.threads = before
