"""When plans are compiled, how long they stay loaded, and what their driver is given."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from native_helpers import run

import gpugrad as gg
from gpugrad.backends.cpu import native
from gpugrad.backends.cpu.backend import RUNS
from gpugrad.backends.protocol import Output
from gpugrad.plans.plan import plans
from gpugrad.plans.program import identity

pytestmark = pytest.mark.usefixtures("native")


def compiled(f: Any) -> bool:
    """Whether the plan of a fresh expression has a compiled form."""
    t = f()
    program = plans.get(gg.core.structure.structure([t._value], gg.core.closing.close)).forward
    t.tolist()
    return bool(program.executables.get(native.Kernel))


def test_auto_compiles_what_runs_often_or_on_many_elements() -> None:
    gg.config.fuse = 64
    gg.config.cpu = "auto"
    plans.clear()
    x = gg.ones(3)
    assert [compiled(lambda: gg.cosh(x * 2) + 1) for _ in range(RUNS + 1)] == [False] * (RUNS - 1) + [True] * 2
    large = gg.ones(1 << 23)
    t = gg.sinh(large) * 2 - 1
    program = plans.get(gg.core.structure.structure([t._value], gg.core.closing.close)).forward
    gg.wait(t)
    assert program.executables.get(native.Kernel)
    gg.config.cpu = "numpy"
    plans.clear()
    assert not compiled(lambda: gg.cosh(x * 2) + 1)


@pytest.mark.skipif(sys.platform != "linux", reason="looks at the memory map as Linux shows it")
def test_a_kernel_goes_with_its_plan(no_gc: None) -> None:
    def loaded() -> int:
        return len(
            {line.split(maxsplit=5)[5] for line in Path("/proc/self/maps").read_text().splitlines() if ".so" in line}
        )

    gg.config.fuse = 64
    plans.clear()
    x = gg.ones(3)
    (gg.sin(x) + 1).tolist()
    before = loaded()
    for k in range(5):
        y = x
        for _ in range(k + 2):
            y = gg.cos(y) - 1
        y.tolist()
    assert loaded() == before + 5
    del y
    plans.clear()
    assert loaded() <= before


def test_the_driver_is_given_nothing_but_arrays_of_its_dtypes() -> None:
    program = identity(np.dtype("float32"))
    out = np.empty(3, np.float32)
    with pytest.raises(gg.errors.InternalError, match="was given ndarray of float64, expected an array of float32"):
        run(program, (3,), [np.ones(3)], [Output(out)])
    with pytest.raises(gg.errors.InternalError, match="was given float32 of float32"):
        run(program, (), [np.float32(1)], [Output(out)])


def test_a_call_inside_a_call_has_arguments_of_its_own() -> None:
    kernel = native.Kernel(identity(np.dtype("float32")))
    native._calls.busy = True  # as it is while the handler of a signal runs
    try:
        before = bytes(native._calls.block)
        out = np.zeros(5, np.float32)
        native.run(kernel, (5,), [np.ones(5, np.float32)], (), [Output(out)])
        assert out.tolist() == [1] * 5
        assert bytes(native._calls.block) == before
    finally:
        native._calls.busy = False
