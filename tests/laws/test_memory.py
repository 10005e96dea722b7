"""What is kept and for how long: no cycles, no recursion, no stored maps, memory that can be foretold."""

from __future__ import annotations

import gc
import tracemalloc
import weakref

import numpy as np
import pytest
from helpers import both, leaf

import gpugrad as gg

# --------------------------------------------------------------------------------------------------------------- graphs


def test_nothing_of_the_graph_is_left(no_gc: None) -> None:
    x = leaf(np.ones(10))
    w = leaf(np.ones((10, 10)))
    h = gg.tanh(x @ w)
    g = gg.where(h > 0, h, 0.0)
    y = (g * 2).sum()
    y.backward()
    refs = [weakref.ref(t._value) for t in (h, g, y)] + [weakref.ref(y._value.node)]
    del h, g, y
    assert [r() for r in refs] == [None] * len(refs)


def test_create_graph_leaves_no_cycles(no_gc: None) -> None:
    x = leaf(np.ones(3))
    y = gg.exp(x * x)
    (g,) = gg.autograd.grad(y.sum(), x, create_graph=True)
    (h,) = gg.autograd.grad(g.sum(), x)
    ref = weakref.ref(y._value)
    del y, g, h
    assert ref() is None


def test_kept_values_go_as_soon_as_they_were_used(fused: None) -> None:
    x = leaf(np.ones((50, 50)))
    h = gg.exp(x) @ x
    node = h._value.node
    h.sum().backward()
    assert node.freed is not None
    assert node.inputs == ()


def test_what_backward_keeps_is_computed_not_declared(fused: None) -> None:
    x, w = leaf([1.0, 2.0]), leaf([3.0, 4.0])

    def kept(t: gg.Tensor) -> tuple[list[int], bool]:
        t.tolist()
        return sorted(t._value.node.saved), t._value.node.outputs[0] is not None

    assert kept(x + w) == ([], False)
    assert kept(gg.exp(x)) == ([], True)  # its derivative is its value
    assert kept(gg.tanh(x + w)) == ([], True)
    assert kept(gg.sin(x)) == ([0], False)
    assert kept(x * w) == ([0, 1], False)
    assert kept(x * w.detach()) == ([1], False)
    assert kept(gg.relu(x - w)) == ([0, 1], False)
    product = gg.reshape(x, (1, 2)) @ gg.reshape(w.detach(), (2, 1))
    assert [a is not None for a in product._value.node.inputs] == [False, True]


def test_hooks_make_no_cycles_and_may_remove_themselves(no_gc: None) -> None:
    x = leaf(np.ones(3))
    calls = []
    handle = x.register_hook(lambda g: (calls.append(1), handle.remove())[0])
    x.register_hook(lambda g: calls.append(2))
    (x * 2).sum().backward()
    assert calls == [1, 2]
    ref = weakref.ref(x)
    del x
    assert ref() is None
    assert not gc.isenabled()


# -------------------------------------------------------------------------------------------------------- deep and wide


def test_one_leaf_used_ten_thousand_times() -> None:
    x = leaf(1.5)
    total = x
    for _ in range(9_999):
        total = total + x
    total.backward()
    assert x.grad.item() == 10_000


def test_a_chain_of_a_million_ops() -> None:
    gg.config.fuse = 64
    x = leaf(1.0)
    h = x
    for _ in range(1_000_000):
        h = h * 1.0000001
    h.backward()
    np.testing.assert_allclose(x.grad.item(), 1.0000001**1_000_000, rtol=1e-9)
    del h  # freed without recursion


@both
def test_a_deep_graph_is_freed_without_recursion_when_never_walked(fuse: int) -> None:
    x = leaf(1.0)
    h = x
    for _ in range(100_000):
        h = h * 1.0001
    h.item()
    del h


def fill(n: int) -> None:
    x = gg.zeros(n)
    c = leaf(0.5)
    x[0] = c
    for i in range(1, n):
        x[i] = x[i - 1] * 0.9999
    (g,) = gg.autograd.grad(x[n - 1], c)
    np.testing.assert_allclose(g.item(), 0.9999 ** (n - 1), rtol=1e-9)


@pytest.mark.long_on_gpu
def test_filling_a_long_array_in_a_loop() -> None:
    fill(100_000)


def test_filling_an_array_in_a_loop_takes_memory_linear_in_its_length() -> None:
    def peak(n: int) -> int:
        tracemalloc.start()
        fill(n)
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    peak(100)  # makes the plans
    assert peak(4000) < 5 * peak(1000)  # 16 times as much if a step kept the whole array


@pytest.mark.usefixtures("on_cpu")
def test_filling_a_loop_writes_in_place() -> None:
    x = gg.zeros(1000)
    x[0] = leaf(1.0)
    address = x._value.array.ctypes.data
    for i in range(1, 1000):
        x[i] = x[i - 1] * 1.01
    assert x._value.array.ctypes.data == address


# ---------------------------------------------------------------------------------------------------------------- large


@pytest.mark.usefixtures("fused")
def test_a_running_sum_of_large_arrays_does_not_hoard_its_terms() -> None:
    import tracemalloc

    tracemalloc.start()
    total = gg.zeros(5_000_000)
    for k in range(100):
        total = total + gg.full((5_000_000,), float(k))
    mean = total / 100
    assert mean[17].item() == 49.5
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 500e6, peak


@pytest.mark.usefixtures("fused")
def test_the_map_of_a_reduction_is_never_stored() -> None:
    import tracemalloc

    p, y = gg.asarray(np.ones(2_000_000)), gg.asarray(np.zeros(2_000_000))
    p.requires_grad_()
    tracemalloc.start()
    loss = ((p - y) ** 2).mean()
    assert loss.item() == 1
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4e6, peak
    loss.backward()
    np.testing.assert_allclose(p.grad.numpy(), 1e-6)


def chain(x: gg.Tensor, y: gg.Tensor, b: gg.Tensor) -> gg.Tensor:
    return ((gg.tanh(x * y + b) * gg.sigmoid(x)) ** 2).sum()


@pytest.mark.usefixtures("on_cpu")
@pytest.mark.skipif("config.getoption('--fuse') == 1", reason="unfused ops store their results")
def test_memory_of_ten_million_elements() -> None:
    gg.config.threads = 2
    n = 10_000_000
    rng = np.random.default_rng(0)
    x, y, b = (gg.asarray(rng.random(n, dtype=np.float32)).requires_grad_() for _ in range(3))
    chain(*(gg.asarray(np.ones(100_000, np.float32)).requires_grad_() for _ in range(3))).backward()  # make the plans
    gg.memory.free_all_blocks()  # so that the pool hides nothing
    tracemalloc.start()
    f = chain(x, y, b)
    f.item()
    forward = tracemalloc.get_traced_memory()[1]
    f.backward()
    both = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert forward < 5e6, forward
    assert both < 3 * 4 * n + 10e6, both
