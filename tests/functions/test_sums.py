"""Sums of large arrays on any device: accuracy, and the same bits in blocks."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import leaf

import gpugrad as gg

pytestmark = pytest.mark.usefixtures("fused")


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
