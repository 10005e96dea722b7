"""CuPy's arrays in and out, who owns them, devices that do not fit, memory that runs out."""

from __future__ import annotations

import math
import sys
import weakref
from typing import Any

import numpy as np
import pytest
from cuda_helpers import NEEDS, emulator

import gpugrad as gg

pytestmark = NEEDS


@pytest.mark.usefixtures("on_cpu")
def test_cupy_arrays_go_in_and_out_without_copies(on_gpu: None) -> None:
    backend = gg.get_device("cuda").backend
    a = backend.runtime.upload(np.arange(6, dtype="float32").reshape(2, 3))
    t = gg.asarray(a)
    assert t.device == "cuda:0"
    assert t._value.array is a
    assert t.cupy().data.ptr == a.data.ptr
    assert gg.asarray(a.T).cupy().strides == a.T.strides
    copied = gg.tensor(a)
    assert copied.cupy().data.ptr != a.data.ptr
    assert copied.tolist() == t.tolist()
    assert (t * a).tolist() == [[0, 1, 4], [9, 16, 25]]  # an operand is copied, as a NumPy array is
    assert gg.exp(a).device == "cuda:0"
    x = t.requires_grad_()
    with pytest.raises(gg.errors.GraphError, match=r"detach\(\)\.cupy"):
        x.cupy()
    (x * 2).sum().backward()
    assert (x.grad.numpy() == 2).all()


@pytest.mark.usefixtures("on_cpu")
def test_writing_leaves_an_array_that_was_handed_out_as_it_was(on_gpu: None) -> None:
    x = gg.zeros(4)
    x[0] = 1.0
    kept = x.cupy()
    x[1] = 5.0
    assert emulator.host_view(kept).tolist() == [1, 0, 0, 0]
    address = x._value.array.data.ptr
    x[2] = 7.0
    assert x._value.array.data.ptr == address  # nobody else has it: in place
    assert x.tolist() == [1, 5, 7, 0]


@pytest.mark.usefixtures("on_cpu")
def test_what_was_handed_out_lives_as_long_as_the_tensor(on_gpu: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks for the interface keeps the tensor alive, which is only a name."""
    import cupy

    interface = property(lambda self: {"data": (self.data.ptr, False)})
    monkeypatch.setattr(cupy.ndarray, "__cuda_array_interface__", interface)  # CuPy's asks the driver for a stream
    x = gg.ones(1000)
    kept = weakref.ref(x._value.array)
    address = x.__cuda_array_interface__["data"][0]
    x += 1
    gg.wait(x)
    assert kept() is not None
    assert kept().data.ptr == address
    assert x.__cuda_array_interface__["data"][0] != address
    del x
    assert kept() is None


@pytest.mark.usefixtures("on_cpu")
def test_promises_about_cupy_arrays_are_checked(on_gpu: None) -> None:
    backend = gg.get_device("cuda").backend
    a = backend.runtime.upload(np.ones(3))
    gg.config.debug = 1
    x = gg.asarray(a)
    y = x * 2
    emulator.host_view(a)[:] = 5
    with pytest.raises(gg.errors.WriteError, match="asarray"):
        y.tolist()


@pytest.mark.usefixtures("on_cpu")
def test_arrays_that_a_gpu_does_not_have(on_gpu: None) -> None:
    import cupy

    assert gg.tensor(np.arange(3, dtype=">f4")).tolist() == [0, 1, 2]
    assert (gg.ones(3) * np.arange(3, dtype=">f8")).tolist() == [0, 1, 2]
    if np.dtype(np.longdouble).itemsize > 8:
        with pytest.raises(gg.errors.DTypeError, match="a GPU has no"):
            gg.tensor(np.ones(2, np.longdouble))
    data = gg.get_device("cuda").backend.runtime.upload(np.zeros(40, np.uint8)).data
    field = cupy.ndarray((3,), np.float32, memptr=data, strides=(6,))
    with pytest.raises(gg.errors.InputError, match=r"multiples of their size.*gg\.tensor"):
        gg.asarray(field)


@pytest.mark.usefixtures("on_cpu")
def test_functions_of_cupy_take_tensors(on_gpu: None) -> None:
    import cupy

    backend = gg.get_device("cuda").backend
    x = gg.tensor(np.array([0.5, 1.0]), requires_grad=True)
    a = backend.runtime.upload(np.array([2.0, 3.0]))
    y = cupy.sin(x) * a
    assert isinstance(y, gg.Tensor)
    assert isinstance(a * x, gg.Tensor)
    assert isinstance(cupy.power(x, 2), gg.Tensor)
    y.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), np.cos([0.5, 1.0]) * [2, 3])
    with pytest.raises(TypeError, match="ldexp"):
        cupy.ldexp(x, 2)


@pytest.mark.usefixtures("on_cpu")
def test_devices_are_named_when_they_do_not_fit(on_gpu: None) -> None:
    backend = gg.get_device("cuda").backend
    a = backend.runtime.upload(np.ones(3))
    here = gg.ones(3, device="cpu")
    with pytest.raises(
        gg.errors.DeviceError, match=r"an array on cuda:0 was used with a tensor on cpu.*to\('cuda:0'\)"
    ):
        here * a
    with pytest.raises(gg.errors.DeviceError, match="'cpu' and 'cuda:0'"):
        here + gg.ones(3)
    with pytest.raises(TypeError, match=r"np.asarray of a tensor on cuda:0.*t\.numpy\(\)"):
        np.asarray(gg.ones(3))
    with pytest.raises(gg.errors.DeviceError, match=r"on a GPU, not on cpu: say t\.cuda\(\)"):
        here.cupy()
    assert not hasattr(here, "__cuda_array_interface__")
    assert here.to("cuda").cpu().tolist() == here.tolist()
    assert gg.ones(2).__dlpack_device__() == (2, 0)
    w = gg.tensor(np.ones(3), device="cpu", requires_grad=True)
    (w.cuda() * 3).sum().backward()
    assert w.grad.device == "cpu"
    assert w.grad.tolist() == [3, 3, 3]


@pytest.mark.usefixtures("on_cpu")
def test_out_of_memory_says_what_was_asked_for_and_releases_the_graph(
    on_gpu: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = gg.get_device("cuda").backend
    x = gg.tensor(np.ones((8, 8), "float32"), requires_grad=True)
    h = gg.exp(x)
    gg.wait(h)
    kept = h._value.node.output
    y = (h @ h).sum()
    del h
    plain = backend.runtime.empty

    def empty(shape: Any, dtype: Any) -> Any:
        if math.prod(shape) == 64:
            raise gg.errors.out_of_device_memory(256, 10, 1000, 990, "cuda:0")
        return plain(shape, dtype)

    monkeypatch.setattr(backend.runtime, "empty", empty)
    with pytest.raises(MemoryError, match=r"cuda:0 for a buffer of 256 bytes: 10 of 1,000 bytes are free"):
        y.backward()
    monkeypatch.undo()
    assert y._value.node.freed is not None
    assert sys.getrefcount(kept) == 2  # this name, and the call
    with pytest.raises(gg.errors.GraphError):
        y.backward()
