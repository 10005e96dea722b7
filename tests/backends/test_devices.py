"""Devices: they do not mix silently, and one of them is the default."""

from __future__ import annotations

import copy
import sys

import numpy as np
import pytest

import gpugrad as gg
from gpugrad.backends import devices as backends
from gpugrad.base import gpus


@pytest.mark.usefixtures("on_cpu")
def test_devices_do_not_mix_silently() -> None:
    x = gg.tensor([1.0], requires_grad=True)
    y = gg.tensor([2.0], device="cpu:1")
    for f in (lambda: x + y, lambda: x @ y, lambda: gg.concatenate([x, y]), lambda: x.backward(y)):
        with pytest.raises(gg.errors.DeviceError, match=r"'cpu' and 'cpu:1'|'cpu:1' and 'cpu'"):
            f()
    z = x.to("cpu:1") * y
    assert z.device == "cpu:1"
    z.sum().backward()
    assert x.grad.tolist() == [2]
    assert x.grad.device is x.device
    with gg.device("cpu:1"):
        assert gg.zeros(1).device == "cpu:1"
    assert gg.zeros(1).device == gg.get_device("cpu")
    assert (y + np.ones(1)).device == "cpu:1"
    assert copy.deepcopy(y).device == "cpu:1"


def test_default_device_can_be_set() -> None:
    gg.set_default_device("cpu:1")
    assert gg.ones(1).device == "cpu:1"
    assert gg.config.device == "cpu:1"
    gg.config.device = "cpu"
    assert gg.ones(1).device == "cpu"
    with pytest.raises(gg.errors.DeviceError, match="unknown device"):
        gg.config.device = "tpu"


@pytest.mark.usefixtures("on_cpu")  # an emulated GPU is there without CuPy's driver
def test_cuda_without_cupy_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(gpus, "why_no_cuda", gpus.why_no_cuda.__wrapped__)
    monkeypatch.setattr(backends, "_devices", {})
    for run in (lambda: gg.zeros(1, device="cuda"), lambda: gg.ones(1).cuda(), lambda: gg.ones(1).to("cuda:1")):
        with pytest.raises(gg.errors.DeviceError, match="CuPy is not installed"):
            run()
