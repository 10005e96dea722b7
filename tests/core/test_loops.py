"""Long loops: expressions that are cut, regions with several outputs, and as few plans as the loop has periods."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from helpers import leaf, same_bits

import gpugrad as gg
from gpugrad.plans.plan import plans

OPS: list[Callable[..., Any]] = [
    gg.sin,
    gg.cos,
    gg.tanh,
    lambda t: t * 0.9,
    lambda t: t + 0.1,
    lambda t: gg.where(t > 0, t, 0.5 * t),
]
MIX: list[Callable[..., Any]] = [lambda a, b: a + b, lambda a, b: a * b, lambda a, b: a - 0.3 * b, gg.maximum]


def program(seed: int, length: int) -> Callable[[list[Any]], Any]:
    """A program over a few states that are overwritten in turn, of a length that no region holds."""
    r = random.Random(seed)
    steps = [
        (r.randrange(4), r.randrange(4), r.randrange(4), r.choice(OPS), r.choice(MIX), r.random() < 0.05)
        for _ in range(length)
    ]

    def run(states: list[Any]) -> Any:
        states = list(states)
        kept = []
        for to, a, b, op, mix, keep in steps:
            states[to] = op(mix(states[a], states[b]))
            if keep:
                kept.append(states[to])
        return sum(s.sum() for s in states) + sum((k * k).sum() for k in kept)

    return run


def at_each_level(run: Callable[[], Any]) -> list[Any]:
    before, found = gg.config.fuse, []
    try:
        for fuse in (1, 7, 64):
            gg.config.fuse = fuse
            found.append(run())
    finally:
        gg.config.fuse = before
    return found


def close(a: np.ndarray, b: np.ndarray) -> None:
    np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9 * (1 + np.abs(b).max()))


@pytest.mark.parametrize("seed", range(12))
def test_long_programs_at_every_fusion_level(seed: int, on_cpu: None) -> None:
    gg.config.cpu = "numpy"  # hundreds of plans that are run once
    f = program(seed, 150)
    data = [np.random.default_rng(seed + k).uniform(-1, 1, 3) for k in range(4)]

    def derivatives() -> Any:
        xs = [leaf(d) for d in data]
        y = f(xs)
        y.backward()
        value, tangent = gg.jvp(lambda *a: f(list(a)), data, [np.ones(3)] * 4)
        product = gg.hvp(lambda a: f([a, *data[1:]]), data[0], np.arange(3.0))
        return (
            y.detach().numpy(),
            [x.grad.numpy() if x.grad is not None else np.zeros(3) for x in xs],
            value,
            tangent,
            product,
        )

    eager, some, fused = at_each_level(derivatives)
    for other in (some, fused):
        assert same_bits(eager[0], other[0])
        for a, b in zip(eager[1], other[1], strict=True):
            close(a, b)
        assert eager[2] == other[2]
        close(eager[3], other[3])
        close(eager[4], other[4])
        close(np.asarray(other[3]), np.asarray(sum(g.sum() for g in other[1])))  # forward and reverse agree


@pytest.mark.parametrize("seed", range(6))
def test_hooks_and_kept_gradients_of_what_a_cut_leaves_behind(seed: int, on_cpu: None) -> None:
    gg.config.cpu = "numpy"
    f = program(seed, 60)

    def run() -> Any:
        xs = [leaf(np.linspace(0.1, 0.5, 3) + k) for k in range(4)]
        states: list[Any] = [gg.sin(x) for x in xs]
        states[0].retain_grad()
        seen: list[Any] = []
        for _ in range(3):
            for k in range(4):
                for _ in range(6):
                    states[k] = gg.tanh(states[k] * states[(k + 1) % 4] + 0.1)
            states[1].retain_grad()
            seen.append(states[1])
        y = f(states) + sum(s.sum() for s in seen)
        (inner,) = gg.autograd.grad(y, seen[0], retain_graph=True)
        y.backward()
        return [g.numpy() for g in (inner, *[s.grad for s in seen], *[x.grad for x in xs])]

    eager, some, fused = at_each_level(run)
    for other in (some, fused):
        for a, b in zip(eager, other, strict=True):
            close(a, b)


@pytest.mark.parametrize(("body", "most"), [(5, 4), (37, 8), (54, 8), (100, 12), (200, 16)])
def test_a_loop_has_few_plans(body: int, most: int, fused: None, on_cpu: None) -> None:
    gg.config.cpu = "numpy"
    r = random.Random(body)
    ops = [
        r.choice(OPS[:5]) for _ in range(body)
    ]  # no conditions: they are regions of their own where they are cut off
    x = leaf([0.3, 0.4])
    before = plans.made
    gg.debug.counters.reset()
    y = x
    for _ in range(4000 // body):
        for op in ops:
            y = op(y)
    y.sum().backward()
    assert plans.made - before <= most
    assert gg.debug.counters.forward <= gg.debug.counters.ops / 30  # at least half of a region's ops each


def test_coupled_states_do_not_fall_apart(fused: None) -> None:
    def slope(x: Any, v: Any) -> tuple[Any, Any]:
        return v, -x - 0.1 * v + 0.05 * x * x

    x, v, h = leaf([1.0]), leaf([0.5]), 0.01
    before = plans.made
    gg.debug.counters.reset()
    a, b = x, v
    for _ in range(100):  # Runge and Kutta's method, fourth order
        a1, b1 = slope(a, b)
        a2, b2 = slope(a + h / 2 * a1, b + h / 2 * b1)
        a3, b3 = slope(a + h / 2 * a2, b + h / 2 * b2)
        a4, b4 = slope(a + h * a3, b + h * b3)
        a, b = a + h / 6 * (a1 + 2 * a2 + 2 * a3 + a4), b + h / 6 * (b1 + 2 * b2 + 2 * b3 + b4)
    a.sum().backward()
    assert gg.debug.counters.forward < 130  # about one region for each step of 54 ops
    assert gg.debug.counters.backward < 130
    assert plans.made - before <= 16


def test_several_outputs_in_the_graph_that_is_shown(fused: None) -> None:
    x = leaf([0.5])
    x.name = "x"
    a = b = x
    for _ in range(40):
        a, b = gg.sin(a + b), gg.cos(b) * a
    f = (a * b).sum()
    g = f.graph()
    assert len(g.operations) == 40 * 4 + 2
    again = gg.explain(f, x, max_paths=1)
    f.backward(retain_graph=True)
    np.testing.assert_allclose(again.gradient.numpy(), x.grad.numpy())


def test_a_failing_region_of_many_outputs_can_be_read_again(
    on_cpu: None, monkeypatch: pytest.MonkeyPatch, fused: None
) -> None:
    from gpugrad.backends.cpu.backend import CpuBackend

    x = leaf([0.5, 0.6])
    a, b = gg.sin(x), gg.cos(x)
    run = CpuBackend.run
    with monkeypatch.context() as m:
        m.setattr(CpuBackend, "run", lambda *args: (_ for _ in ()).throw(MemoryError))
        with pytest.raises(MemoryError):
            _ = [a := gg.sin(a + b) for _ in range(100)]
    assert CpuBackend.run is run
    (a * b).sum().backward()
    assert np.isfinite(x.grad.numpy()).all()
