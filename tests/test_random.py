"""Random numbers repeat with their seed."""

from __future__ import annotations

from typing import Any

import gpugrad as gg


def test_equal_seeds_repeat() -> None:
    def draw() -> list[Any]:
        gg.random.seed(3)
        return [
            gg.random.random(2).tolist(), gg.random.uniform(-1, 1, 2).tolist(), gg.random.normal(1, 2, 2).tolist(),
            gg.random.standard_normal(2, "float32").tolist(), gg.random.integers(5, size=3).tolist(),
            gg.random.permutation(4).tolist(), gg.random.permutation([[1, 2], [3, 4]]).tolist(),
        ]  # fmt: skip

    first = draw()
    assert first == draw()
    gg.random.seed(4)
    assert gg.random.random(2).tolist() != first[0]
    with gg.device("cpu:1"):
        assert gg.random.random(1).device == "cpu:1"
    a, b = gg.random.Generator(1), gg.random.Generator(1)
    assert a.random(3).tolist() == b.random(3).tolist()
