"""Indexing on an emulated GPU, as NumPy does it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from cuda_helpers import NEEDS, emulator, place, shared_runtime
from helpers import same_bits
from hypothesis import given, settings
from hypothesis import strategies as st

import gpugrad as gg

pytestmark = NEEDS


def an_index(draw: Any, shape: tuple[int, ...]) -> Any:
    """A random index as NumPy takes them: integers, slices, None, ..., arrays of integers and booleans."""
    items: list[Any] = []
    axis = 0
    extent = draw(st.sampled_from([(3,), (2, 1), (2, 3)]))
    masked = False
    while axis < len(shape):
        kind = draw(st.sampled_from(["int", "slice", "none", "array", "array", "mask", "rest", "all"]))
        n = shape[axis]
        if kind == "rest":
            break
        if kind == "none":
            items.append(None)
            if sum(i is None for i in items) > 2:
                break
            continue
        if kind == "int":
            items.append(draw(st.integers(-n, n - 1)))
        elif kind == "array":
            size = extent if not masked else (1,)
            items.append(np.array(draw(st.lists(st.integers(-n, n - 1), min_size=math.prod(size), max_size=math.prod(size)))).reshape(size))  # fmt: skip
        elif kind == "mask" and not masked and not any(isinstance(i, np.ndarray) for i in items):
            mask = np.array(draw(st.lists(st.booleans(), min_size=n, max_size=n)))
            items.append(mask)
            masked = True
        elif kind == "slice":
            step = draw(st.sampled_from([1, 2, -1, -2]))
            items.append(slice(None, None, step))
        else:
            items.append(slice(None))
        axis += 1
    return tuple(items)


@pytest.mark.usefixtures("on_cpu")
@settings(max_examples=150)
@given(st.data())
def test_indexing_as_numpy(data: Any) -> None:
    gpu = emulator.HostBackend(shared_runtime())
    shape = data.draw(st.sampled_from([(5,), (4, 6), (3, 4, 5), (2, 3, 4, 3)]))
    index = an_index(data.draw, shape)
    a = np.arange(math.prod(shape), dtype="float32").reshape(shape)
    try:
        expected = a[index]
    except IndexError:
        with pytest.raises(IndexError):
            gpu._own["getitem"](gpu, place(gpu, a), index=index)
        return
    base = place(gpu, np.asfortranarray(a) if data.draw(st.booleans()) else a)
    assert same_bits(gpu.to_host(gpu._own["getitem"](gpu, base, index=index)), np.asarray(expected))
    value = np.arange(1, 1 + expected.size, dtype="float32").reshape(expected.shape)
    if data.draw(st.booleans()) and expected.ndim:
        value = value[..., :1]
    written, added = a.copy(), a.copy()
    written[index] = value
    np.add.at(added, index, value)
    assert same_bits(gpu.to_host(gpu._own["setitem"](gpu, base, place(gpu, np.asarray(value)), index=index)), written)
    assert same_bits(gpu.to_host(gpu._own["index_add"](gpu, base, place(gpu, np.asarray(value)), index=index)), added)


@pytest.mark.usefixtures("on_cpu")
def test_indices_out_of_range_raise_and_duplicates_count(on_gpu: None) -> None:
    x = gg.tensor(np.zeros((3, 4), "float32"), requires_grad=True)
    for index in (3, -4, [0, 3], [-4], (0, [4]), np.array([[0, 9]])):
        with pytest.raises(IndexError, match="out of bounds"):
            x[index]
    with pytest.raises(IndexError, match=r"does not fit|boolean"):
        x[np.ones(4, bool)]
    with pytest.raises(IndexError, match="too many"):
        x[0, 0, 0]
    x[np.zeros(100_000, int)].sum().backward()
    assert x.grad.numpy()[0].tolist() == [100_000] * 4
    y = gg.zeros(2)
    y[[0, 0, 1]] = np.array([1.0, 2.0, 3.0])
    assert y.tolist() == [2, 3]


@pytest.mark.usefixtures("on_cpu")
def test_indices_may_lie_on_the_gpu(on_gpu: None) -> None:
    backend = gg.get_device("cuda").backend
    which = backend.runtime.upload(np.array([2, 0]))
    x = gg.arange(3) * 10
    assert x[which].tolist() == [20, 0]
    assert x[backend.runtime.upload(np.array([True, False, True]))].tolist() == [0, 20]
    assert gg.take(x, which).tolist() == [20, 0]
    assert gg.take(x, gg.tensor(which)).tolist() == [20, 0]
    assert gg.repeat(x[:2], which).tolist() == [0, 0]
    x[which] = 7
    assert x.tolist() == [7, 10, 7]
    with pytest.raises(IndexError, match="single ellipsis"):
        gg.ones((2, 2))[..., [0], ...]
