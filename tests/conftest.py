"""Options and fixtures. `--fuse 1` runs the whole suite with every op in a region of its own."""

from __future__ import annotations

import gc
import signal
import time
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import settings

import gpugrad as gg
from gpugrad.backends.cpu import native as compiled_plans
from gpugrad.base import gpus

settings.register_profile("gpugrad", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("gpugrad")


STARTED = pytest.StashKey[float]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fuse", type=int, default=64, help="the most ops in one region")
    parser.addoption(
        "--device", default="cpu", help="the device that the tests use: cpu, cuda, or emulated (see tests/emulator)"
    )
    parser.addoption(
        "--without-pool", action="store_true", help="CuPy allocates each array by itself, for compute-sanitizer"
    )
    parser.addoption(
        "--sample", type=int, default=1, metavar="N", help="run every Nth test of those that would not be skipped"
    )
    parser.addoption(
        "--seconds", type=float, default=0, help="skip what has not begun by then (default: run everything)"
    )
    # not "auto", which changes executors in the middle of a test, and with it the last bits
    best = "numpy" if compiled_plans.why_not() else "native"
    parser.addoption("--cpu", default=best, help=f"who runs plans on the CPU: auto, native or numpy (default: {best})")


def pytest_report_header(config: pytest.Config) -> str:
    settings = ", ".join(f"{name}={config.getoption(f'--{name}')}" for name in ("fuse", "device", "cpu"))
    return f"gpugrad {gg.__version__}: {settings}"


def pytest_configure(config: pytest.Config) -> None:
    config.stash[STARTED] = time.monotonic()
    if config.getoption("--device") == "emulated":
        import emulator

        emulator.install()
    elif config.getoption("--without-pool"):
        import cupy

        cupy.cuda.set_allocator(None)


@pytest.hookimpl(trylast=True)  # the sample is of what -k and -m have left
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    why = gpus.why_no_cuda() if config.getoption("--device").startswith("cuda") else ""
    for item in items:
        if why:
            item.add_marker(pytest.mark.skip(reason=f"--device cuda: {why}"))
        elif config.getoption("--device") != "cpu" and "on_cpu" in getattr(item, "fixturenames", ()):
            # here, and not only in the fixture: those of a whole module come before it
            item.add_marker(pytest.mark.skip(reason="about tensors on the CPU"))
        elif config.getoption("--device") == "emulated" and "solvers" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.skip(reason="an emulated GPU has no solvers"))
    if config.getoption("--sample") > 1:
        kept = [i for i in items if i.get_closest_marker("skip") is None][:: config.getoption("--sample")]
        chosen = set(kept)
        config.hook.pytest_deselected(items=[i for i in items if i not in chosen])
        items[:] = kept


def pytest_runtest_setup(item: pytest.Item) -> None:
    allowed = item.config.getoption("--seconds")
    if allowed and time.monotonic() - item.config.stash[STARTED] > allowed:
        pytest.skip("no time was left")


@pytest.fixture(autouse=True)
def _settings(request: pytest.FixtureRequest) -> Iterator[None]:
    gg.config.fuse = request.config.getoption("--fuse")
    device = request.config.getoption("--device")
    gg.set_default_device("cuda" if device == "emulated" else device)
    gg.config.cpu = request.config.getoption("--cpu")
    if "fuse" in request.fixturenames:  # a parameter of the test
        gg.config.fuse = request.getfixturevalue("fuse")
    yield
    gg.config.fuse, gg.config.debug = 64, 0


@pytest.fixture
def fused(request: pytest.FixtureRequest) -> None:
    """For tests that count regions: they say nothing about fuse=1."""
    gg.config.fuse = 64


@pytest.fixture
def on_cpu(request: pytest.FixtureRequest) -> None:
    """For tests of what only tensors on the CPU have: memory that NumPy sees, executors to choose from, text in examples."""
    if request.config.getoption("--device") != "cpu":
        pytest.skip("about tensors on the CPU")


@pytest.fixture
def solvers() -> None:
    """For tests of what goes through CuPy's own functions. An emulated GPU has none: they are skipped when they are collected."""


@pytest.fixture
def native(on_cpu: None) -> None:
    """For tests of compiled plans, on a machine that can compile."""
    if compiled_plans.why_not():
        pytest.skip(compiled_plans.why_not())
    gg.config.cpu = "native"


@pytest.fixture
def interrupts() -> Iterator[None]:
    """SIGINT as a terminal's program has it: one that a shell starts in the background ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.fixture
def no_gc() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()
