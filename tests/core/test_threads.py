"""Threads that share a pending tensor, a leaf, or nothing."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from helpers import leaf

import gpugrad as gg

pytestmark = pytest.mark.usefixtures("fused")


def test_eight_threads_reading_one_pending_tensor_compute_it_once() -> None:
    x = gg.tensor(np.linspace(0, 1, 200_000))
    y = gg.sin(x) * gg.exp(x)
    gg.debug.counters.reset()
    results: list[np.ndarray] = []
    barrier = threading.Barrier(8)

    def read() -> None:
        barrier.wait()
        results.append(y.numpy())

    threads = [threading.Thread(target=read) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert gg.debug.counters.forward == 1
    assert len(results) == 8
    assert all(np.array_equal(r, results[0]) for r in results)


def test_backward_in_threads_on_separate_graphs() -> None:
    expected = None
    results: dict[int, np.ndarray] = {}

    def work(k: int) -> None:
        x = leaf(np.linspace(0.1, 1, 1000))
        for _ in range(20):
            x.zero_grad()
            (gg.tanh(x * 2) * gg.log(x)).sum().backward()
        results[k] = x.grad.numpy()

    threads = [threading.Thread(target=work, args=(k,)) for k in range(2)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    work(2)
    expected = results[2]
    assert np.array_equal(results[0], expected)
    assert np.array_equal(results[1], expected)


def test_backward_in_threads_into_one_leaf() -> None:
    x = leaf(np.ones(1000))

    def work() -> None:
        for _ in range(50):
            (x * x).sum().backward()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert set(x.grad.tolist()) == {400.0}
