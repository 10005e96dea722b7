"""Settings of the benchmarks: every library on the same threads, and what it is compared with named in the report."""

from __future__ import annotations

import platform

import numpy as np

import gpugrad as gg


def pytest_report_header() -> list[str]:
    return [
        f"gpugrad {gg.__version__}, numpy {np.__version__}, {gg.config.threads} threads, {platform.processor() or platform.machine()}"
    ]
