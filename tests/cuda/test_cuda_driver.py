"""What is asked of CuPy and the driver, and what is said where there is none."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from cuda_helpers import NEEDS

import gpugrad as gg

pytestmark = NEEDS


class _Driver:
    """Stands in for CuPy's modules: remembers how it was called."""

    def __init__(self) -> None:
        self.calls: list[Any] = []
        self.error: Exception | None = None
        self.ptr = 77  # of the current stream

    def launchKernel(self, *args: Any) -> None:
        self.calls.append(args)

    def getMathMode(self, handle: int) -> int:
        return 1

    def synchronize(self) -> None:
        if self.error is not None:
            raise self.error

    def __getattr__(self, name: str) -> Any:
        return lambda *args: self.calls.append((name, *args))


@pytest.fixture
def driven(monkeypatch: pytest.MonkeyPatch) -> tuple[Any, _Driver]:
    """The real `Runtime`, on a driver that only remembers."""
    import cupy

    from gpugrad.backends.cuda.runtime import Runtime, _Bound

    driver = _Driver()
    monkeypatch.setattr(cupy.cuda, "get_current_stream", lambda: driver)
    monkeypatch.setitem(vars(cupy.cuda), "cublas", driver)  # the real one cannot be loaded without its library
    monkeypatch.setattr(cupy.cuda.device, "get_cublas_handle", lambda: 5, raising=False)
    monkeypatch.setattr(cupy.cuda.runtime, "memGetInfo", lambda: driver.calls.append("context"))
    monkeypatch.setattr("gpugrad.backends.cuda.runtime._bound", _Bound())
    runtime = Runtime.__new__(Runtime)
    runtime.index, runtime.cupy, runtime._driver, runtime._several = 0, cupy, driver, False
    return runtime, driver


@pytest.mark.usefixtures("on_cpu")
def test_a_launch_goes_to_the_current_stream_and_a_failure_is_named(
    driven: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ctypes

    runtime, driver = driven
    parameters = (ctypes.c_void_p * 1)(123)
    function = type("f", (), {"ptr": 9})()
    runtime.launch(function, "the text", 10, (32, 8), parameters)
    asked = (9, 10, 1, 1, 32, 8, 1, 0, 77, ctypes.addressof(parameters), 0)
    assert driver.calls == ["context", asked]  # a thread needs the context of the GPU, once
    runtime.launch(function, "the text", 10, (32, 8), parameters)
    assert driver.calls == ["context", asked, asked]
    other = threading.Thread(target=runtime.launch, args=(function, "the text", 10, (32, 8), parameters))
    other.start()
    other.join()
    assert driver.calls.count("context") == 2
    driver.error = runtime.cupy.cuda.runtime.CUDARuntimeError(700)
    runtime.launch(function, "the text", 10, (32, 8), parameters)  # errors arrive later
    monkeypatch.setattr(gg.config, "_debug", 1)
    with pytest.raises(gg.errors.InternalError, match=r"(?s)kernel failed on the GPU.*the text"):
        runtime.launch(function, "the text", 10, (32, 8), parameters)


@pytest.mark.usefixtures("on_cpu")
def test_memory_that_is_not_there_is_a_memory_error(driven: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime, _ = driven

    def empty(*args: Any) -> Any:
        raise runtime.cupy.cuda.memory.OutOfMemoryError(800, 100, 0)

    monkeypatch.setattr(runtime.cupy, "empty", empty)
    monkeypatch.setattr(runtime.cupy.cuda.runtime, "memGetInfo", lambda: (300, 1000))
    monkeypatch.setattr(
        runtime.cupy, "get_default_memory_pool", lambda: type("pool", (), {"used_bytes": lambda self: 5})()
    )
    with pytest.raises(MemoryError, match=r"cuda:0 for a buffer of 800 bytes: 300 of 1,000 bytes are free"):
        runtime.empty((100,), np.dtype(np.float64))


@pytest.mark.usefixtures("on_cpu")
def test_what_cublas_is_asked_for(driven: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import ctypes

    runtime, driver = driven
    seen: list[tuple[float, float]] = []

    def keep(name: str, one: int, zero: int, kind: Any) -> Any:
        def call(*args: Any) -> None:
            seen.append((kind.from_address(args[one]).value, kind.from_address(args[zero]).value))
            driver.calls.append((name, *args))

        return call

    driver.gemmEx = keep("gemmEx", 6, 13, ctypes.c_float)
    runtime.gemm(np.dtype(np.float16), True, False, 2, 3, 4, (100, 4, 0), (200, 4, 0), 1.0, (300, 2, 0), 1)
    before, (name, *args), after = driver.calls
    assert (before, after) == (("setMathMode", 5, 16), ("setMathMode", 5, 1))  # as it was
    driver.calls.clear()
    driver.getMathMode = lambda handle: 0
    assert (name, args[:6]) == ("gemmEx", [5, 1, 0, 2, 3, 4])
    assert args[7:13] == [100, 2, 4, 200, 2, 4]  # CUDA_R_16F
    assert args[14:] == [300, 2, 2, 68, -1]  # computed in float32
    monkeypatch.setattr(gg.config, "_tf32", True)
    runtime.gemm(np.dtype(np.float32), False, False, 2, 3, 4, (100, 2, 0), (200, 4, 0), 0.0, (300, 2, 0), 1)
    assert driver.calls.pop()[-2] == 77
    driver.gemmStridedBatchedEx = keep("batched", 6, 15, ctypes.c_double)
    runtime.gemm(np.dtype(np.float64), False, True, 2, 3, 4, (100, 2, 8), (200, 3, 0), 1.0, (300, 2, 6), 7)
    _, *args = driver.calls.pop()
    assert args[7:15] == [100, 1, 2, 8, 200, 1, 3, 0]
    assert args[16:] == [300, 1, 2, 6, 7, 70, -1]
    assert seen == [(1, 1), (1, 0), (1, 1)]


@pytest.mark.usefixtures("on_cpu")
def test_where_there_is_no_gpu_that_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from gpugrad import __main__
    from gpugrad.backends import devices as backends
    from gpugrad.base import gpus

    monkeypatch.setattr(backends, "_devices", {})
    if gpus.why_no_cuda():
        with pytest.raises(gg.errors.DeviceError, match=r"driver|GPU"):
            gg.get_device("cuda:1")
        __main__.main(["info"])
        assert gpus.why_no_cuda() in capsys.readouterr().out
