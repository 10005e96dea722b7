"""Closing: caps, structures, loops, sharing, threads. What is counted here is what fusion promises."""

from __future__ import annotations

import os
import sys
import threading

import numpy as np
import pytest

import gpugrad as gg
from gpugrad.plans.plan import plans

pytestmark = pytest.mark.usefixtures("fused")


def leaf(data: object) -> gg.Tensor:
    return gg.tensor(data, dtype=float, requires_grad=True)


def made(run: object) -> int:
    """How many plans a program makes, the cache being empty."""
    plans.clear()
    before = plans.made
    run()
    return plans.made - before


def body37(x: gg.Tensor) -> gg.Tensor:
    for _ in range(9):
        x = gg.tanh(x * 1.01) + x * 0.01
    return x * 0.5


def test_a_loop_of_37_ops_makes_few_plans() -> None:
    def run() -> None:
        x = leaf(np.ones(3))
        h = x
        for _ in range(1000):
            h = body37(h)
        h.sum().backward()

    assert made(run) <= 8


def test_a_loop_that_keeps_its_states_makes_few_plans() -> None:
    def run() -> None:
        h = leaf(np.ones(3))
        states = []
        for _ in range(300):
            h = body37(h)
            states.append(h)
        sum(s.sum() for s in states).backward()

    assert made(run) <= 10


def test_two_coupled_states_still_fuse() -> None:
    x, y = leaf(np.ones(2)), leaf(np.ones(2))
    gg.debug.counters.reset()
    for _ in range(200):
        x, y = x + 0.1 * y, y - 0.1 * x
    (x + y).sum().backward()
    assert gg.debug.counters.ops > 800
    assert gg.debug.counters.forward < 80, gg.debug.counters


def test_a_region_holds_at_most_64_ops_and_24_inputs() -> None:
    gg.debug.counters.reset()
    h = leaf(np.ones(2))
    for _ in range(640):
        h = h + 1
    h.tolist()
    assert 10 <= gg.debug.counters.forward <= 11
    xs = [leaf(np.ones(2)) for _ in range(100)]
    total = xs[0]
    for x in xs[1:]:
        total = total + x
    total.sum().backward()
    assert all(x.grad.tolist() == [1, 1] for x in xs)
    assert max(len(p.forward.sources) for p in plans._plans.values()) <= 24


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


def test_structures_that_differ_do_not_share_a_plan() -> None:
    def programs() -> list:
        x, y, z, i = leaf([1.0]), leaf([2.0]), leaf([3.0]), gg.tensor([4])
        f32 = gg.tensor([1.0], dtype="float32", requires_grad=True)
        with gg.no_grad():
            twin = gg.sin(x)
        return [
            x * y + x * y, x * y + x * z, gg.sin(x) * x, twin * x, i * 2, i * 2.0, 2.0 * x, f32 * 2, x - y, x - x, gg.sin(x.detach()) * x,
        ]  # fmt: skip

    keys = [gg.core.structure.structure([t._value], None).key for t in programs()]
    assert len({repr(k) for k in keys}) == len(keys)
    again = [gg.core.structure.structure([t._value], None).key for t in programs()]
    assert keys == again


def test_values_and_shapes_are_arguments_not_structure() -> None:
    def run() -> None:
        for n in range(1, 6):
            x = leaf(np.ones(n))
            (gg.sin(x * float(n)) + n).sum().backward()

    assert made(run) <= 2


def test_scalar_arguments_keep_their_places() -> None:
    x = leaf([1.0])
    y = 2 - (x * 3 - 5) * (7 - x)
    assert y.tolist() == [2 - (3 - 5) * 6]
    y.backward([1.0])
    assert x.grad.tolist() == [-(3 * 6) + (3 - 5)]


def test_no_node_is_computed_by_more_than_two_regions() -> None:
    x = leaf(np.ones(4))
    h = gg.exp(x)
    gg.debug.counters.reset()
    for k in range(1, 6):
        (h * k).sum().item()
    # the first absorbs exp, the second closes it, the others read it
    assert gg.debug.counters.forward == 6
    assert h._value.array is not None


def test_reading_an_absorbed_tensor_is_one_region() -> None:
    x = leaf(np.ones(4))
    h = gg.tanh(gg.exp(x * 2) + 1)
    h.sum().item()
    gg.debug.counters.reset()
    h.tolist()
    assert gg.debug.counters.forward == 1


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


def test_optimizer_like_updates_are_one_region_with_three_outputs() -> None:
    p, g, m = (gg.tensor(np.ones(5)) for _ in range(3))
    m2 = m * 0.9 + g
    p2 = p - 0.1 * m2
    gg.debug.counters.reset()
    gg.wait(p2, m2)
    assert gg.debug.counters.forward == 1
    np.testing.assert_allclose(p2.numpy(), 1 - 0.19)


def test_waiting_for_many_tensors_keeps_the_caps() -> None:
    xs = [gg.tensor(np.full(3, float(k))) * 2 for k in range(100)]
    plans.clear()
    gg.wait(*xs)
    assert all(len(p.forward.sources) <= 24 for p in plans._plans.values())
    assert [x[0].item() for x in xs] == [2.0 * k for k in range(100)]


def test_repeated_subexpressions_are_computed_once() -> None:
    x = leaf([2.0])
    y = gg.exp(x) * gg.exp(x)
    program = plans.get(gg.core.structure.structure([y._value], None)).forward
    assert [i.op.name for i in program.instructions] == ["exp", "multiply"]


def test_plans_can_be_read() -> None:
    x = leaf([2.0])
    y = gg.sin(x) * x
    y.backward([1.0])
    forward, backward = gg.debug.plan_source(y)
    assert "sin(i0, out=" in forward
    assert "cos(" in backward


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


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_fork_after_a_run_in_blocks() -> None:
    # In a fresh interpreter: one that has started threads of JAX must not fork.
    import subprocess

    script = """
import os, numpy as np, gpugrad as gg
gg.config.threads = 2
x = gg.tensor(np.ones(500_000), requires_grad=True)
gg.wait(gg.sin(x))
pid = os.fork()
if pid == 0:
    ok = gg.cos(x).sum().item() == gg.cos(gg.tensor(np.ones(500_000))).sum().item()
    os._exit(0 if ok else 1)
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""
    done = subprocess.run([sys.executable, "-W", "ignore::DeprecationWarning", "-c", script], timeout=60, check=False)
    assert done.returncode == 0


def test_fuse_and_other_settings_are_checked() -> None:
    for name, bad in (("fuse", 0), ("fuse", 65), ("debug", 7), ("threads", 0)):
        with pytest.raises(ValueError, match=f"config.{name}"):
            setattr(gg.config, name, bad)


def test_debug_names_the_op_and_the_line_that_made_a_nan() -> None:
    gg.config.debug = 1
    x = leaf([1.0, -1.0])
    y = gg.log(x) * 2  # this line
    with pytest.raises(FloatingPointError, match=r"log produced NaN .*test_regions.py:\d+"):
        y.sum()
    with pytest.raises(FloatingPointError, match=r"gradient of a region of 2 ops \(sqrt, sum\) .*test_regions.py:\d+"):
        gg.sqrt(leaf([0.0])).sum().backward()


def test_debug_finds_a_broken_promise() -> None:
    gg.config.debug = 1
    a = np.ones(3)
    x = gg.asarray(a)
    y = x * 2
    a[0] = 5
    with pytest.raises(gg.errors.WriteError, match=r"asarray at .*test_regions.py"):
        y.tolist()


@pytest.mark.parametrize(
    "shape", [(70_001,), (300, 400), (3, 70_000), (70_000, 3), (2, 3, 40_000), (1, 200_000), (200_000, 1)]
)
@pytest.mark.parametrize("axis", [None, 0, -1])
def test_sums_in_blocks(shape: tuple[int, ...], axis: int | None) -> None:
    a = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    got = gg.sum(gg.tensor(a) * 1.5, axis)
    exact = (a.astype(np.float64) * 1.5).sum(axis)
    np.testing.assert_allclose(got.numpy(), exact, rtol=1e-4, atol=1e-2)
    gg.config.threads = 1
    one = gg.sum(gg.tensor(a) * 1.5, axis).numpy()
    gg.config.threads = 2
    assert np.array_equal(one, got.numpy())
    gg.config.fuse = 1
    assert np.array_equal(gg.sum(gg.tensor(a) * 1.5, axis).numpy(), one)
    x = gg.tensor(np.asfortranarray(a), requires_grad=True)
    b = leaf(0.5)
    ((x + b) * x).sum(axis).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 2 * a + 0.5, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(b.grad.item(), a.sum(dtype=np.float64), rtol=1e-3, atol=1e-1)


def test_float32_sums_are_as_accurate_as_numpys() -> None:
    a = np.random.default_rng(1).uniform(0, 1, 3_000_000).astype(np.float32)
    exact = a.sum(dtype=np.float64)
    assert abs(gg.sum(gg.tensor(a)).item() - exact) <= 2 * abs(float(a.sum()) - exact) + exact * 1e-7


def test_float16_sums_do_not_saturate() -> None:
    assert gg.sum(gg.ones(5000, dtype="float16")).item() == 5000
    assert gg.mean(gg.full((100_000,), 2.0, dtype="float16")).item() == 2
