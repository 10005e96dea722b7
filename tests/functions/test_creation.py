"""Functions that create, as NumPy's."""

from __future__ import annotations

import numpy as np

import gpugrad as gg


def test_creation_follows_numpy() -> None:
    for name, args in [
        ("zeros", ((2, 3),)),
        ("ones", (3,)),
        ("full", ((2,), 7)),
        ("arange", (1, 5, 2)),
        ("linspace", (0, 1, 5)),
        ("eye", (3,)),
    ]:
        ours, theirs = getattr(gg, name)(*args), getattr(np, name)(*args)
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours.numpy(), theirs)
    x = gg.ones((2, 2), dtype="float32", requires_grad=True)
    assert gg.zeros_like(x).dtype == np.float32
    assert gg.full_like(x, 3).tolist() == [[3, 3], [3, 3]]
    assert gg.ones_like(x, dtype=int).dtype == np.int64
    assert gg.empty_like(x).shape == gg.empty((2, 2)).shape
    assert gg.tensor([1, 2.5]).dtype == np.float64
    assert gg.array([1]).dtype == np.int64
    assert gg.tensor([True]).dtype == bool
