"""A GPU for the tests of the CUDA backend."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

import gpugrad as gg

if TYPE_CHECKING:  # needs CuPy, which the tests that use this have asked for
    import emulator


@pytest.fixture(scope="module")
def gpu() -> emulator.HostBackend:
    """A backend of its own, so that what other tests install does not matter."""
    import emulator

    return emulator.HostBackend(emulator.HostRuntime())


@pytest.fixture
def on_gpu() -> Iterator[None]:
    """The emulated GPU as the default device."""
    import emulator

    emulator.install()
    before = gg.config.device
    gg.set_default_device("cuda")
    yield
    gg.set_default_device(before)
