"""pytest-benchmark over every workload and library: `python3 ci/run.py bench`."""

from __future__ import annotations

from typing import Any

import pytest
from workloads import WORKLOADS

CASES = [(w, library) for w, make in WORKLOADS.items() if w != "chain, 10^7" for library in make()]


@pytest.mark.parametrize(("workload", "library"), CASES, ids=[f"{w} - {x}" for w, x in CASES])
def test_workload(benchmark: Any, workload: str, library: str) -> None:
    run = WORKLOADS[workload]()[library]
    run()
    benchmark.group = workload
    benchmark(run)
