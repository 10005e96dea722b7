"""What the tests of compiled plans share."""

from __future__ import annotations

import numpy as np

import gpugrad as gg
from gpugrad.backends.cpu import native
from gpugrad.backends.protocol import Output
from gpugrad.plans.program import Program


def run(
    program: Program, shape: tuple[int, ...], arrays: list[np.ndarray], sinks: list[Output], threads: int = 1
) -> None:
    kernel = program.executables.get(native.Kernel) or native.Kernel(program)
    program.executables[native.Kernel] = kernel
    gg.config.threads, before = threads, gg.config.threads
    try:
        native.run(kernel, shape, arrays, (), sinks)
    finally:
        gg.config.threads = before
