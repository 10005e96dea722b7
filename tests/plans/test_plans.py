"""How many plans a program makes, what belongs to their keys, and their text."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import leaf

import gpugrad as gg
from gpugrad.plans.plan import plans

pytestmark = pytest.mark.usefixtures("fused")


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
