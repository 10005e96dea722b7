"""The pool of host buffers."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import gpugrad as gg
from gpugrad.backends.cpu.pool import MemoryPool, is_whole

pytestmark = pytest.mark.usefixtures("on_cpu")

N = 1_000_000  # float64: 8 MB, well above what the C library keeps itself


@pytest.fixture
def pool() -> MemoryPool:
    return MemoryPool()


def test_a_freed_buffer_is_used_again(pool: MemoryPool) -> None:
    a = pool.empty((N,), np.dtype(float))
    address = a.ctypes.data
    assert address % 64 == 0
    assert pool.used_bytes() >= 8 * N
    assert pool.free_bytes() == 0
    del a
    assert pool.used_bytes() == 0
    b = pool.empty((1000, N // 1000), np.dtype(float))
    assert b.ctypes.data == address
    c = pool.empty((N,), np.dtype(float))
    assert not np.shares_memory(b, c)


def test_a_view_keeps_its_buffer(pool: MemoryPool) -> None:
    a = pool.empty((N,), np.dtype(float))
    view = a[10:20].reshape(2, 5).T
    a[:] = 1
    assert is_whole(a)
    assert not is_whole(view)
    del a
    assert pool.used_bytes() > 0
    b = pool.empty((N,), np.dtype(float))
    b[:] = 2
    assert (view == 1).all()
    del view
    assert pool.free_bytes() > 0


def test_small_buffers_are_left_alone_and_empty_ones_work(pool: MemoryPool) -> None:
    a, b = pool.empty((10,), np.dtype(float)), pool.empty((0, 5), np.dtype(float))
    assert a.base is None
    assert b.shape == (0, 5)
    assert pool.total_bytes() == 0


def test_the_limit_bounds_what_is_kept(pool: MemoryPool) -> None:
    pool.set_limit(20_000_000)
    arrays = [pool.empty((N,), np.dtype(float)) for _ in range(5)]
    assert pool.used_bytes() >= 5 * 8 * N
    del arrays
    assert 0 < pool.free_bytes() <= 20_000_000
    pool.set_limit(0)
    assert pool.free_bytes() == 0
    with pytest.raises(ValueError, match="not a number of bytes"):
        pool.set_limit(-1)
    assert "MemoryPool(used=0.0 MiB" in repr(pool)


def test_sizes_long_unused_make_room(pool: MemoryPool) -> None:
    pool.set_limit(40_000_000)
    many = [pool.empty((N,), np.dtype(float)) for _ in range(5)]
    del many
    pool.empty((2 * N,), np.dtype(float))
    kept = pool.free_bytes()
    assert 16_000_000 < kept <= 40_000_000
    pool.empty((2 * N,), np.dtype(float))  # from the pool, and back
    assert pool.free_bytes() == kept
    pool.set_limit(kept - 1)
    assert 0 < pool.free_bytes() < kept


def test_threads_never_share_a_buffer(pool: MemoryPool) -> None:
    def work(k: int) -> None:
        for _ in range(200):
            a = pool.empty((100_000,), np.dtype(float))
            a[:] = k
            bad.extend([k] * int((a != k).any()))

    bad: list[int] = []
    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not bad
    assert pool.used_bytes() == 0


def test_results_that_are_dropped_come_back_without_a_collection(no_gc: None) -> None:
    gg.memory.free_all_blocks()
    used = gg.memory.used_bytes()
    x = gg.ones(N, requires_grad=True)
    for _ in range(3):
        (gg.sin(x) * x).sum().backward()
        x.zero_grad()
    y = gg.exp(x) + 1
    gg.wait(y)
    del x, y
    assert gg.memory.used_bytes() == used


def test_a_kept_result_is_never_given_to_another(rng: np.random.Generator) -> None:
    x = gg.asarray(rng.random(200_000))
    kept = []
    for k in range(6):
        y = x * float(k) + 1
        kept.append((k, y, y.numpy()))
        del y
    for k, y, view in kept:
        np.testing.assert_array_equal(view, x.numpy() * k + 1)
        np.testing.assert_array_equal(y.numpy(), view)


def test_memory_that_runs_out(pool: MemoryPool) -> None:
    pool.empty((N,), np.dtype(float))  # comes back at once, and is kept
    used = pool.used_bytes()
    with pytest.raises(MemoryError, match=r"no memory for a buffer of \d.* bytes"):
        pool.empty((1 << 50,), np.dtype(float))
    assert pool.used_bytes() == used
    assert pool.free_bytes() == 0  # what was kept was let go first
    with pytest.raises(MemoryError):
        pool.empty((1 << 62,), np.dtype(float))
    assert pool.used_bytes() == used
