"""Closing: caps, sharing, what is computed once. What is counted here is what fusion promises."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import leaf

import gpugrad as gg
from gpugrad.plans.plan import plans

pytestmark = pytest.mark.usefixtures("fused")


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
