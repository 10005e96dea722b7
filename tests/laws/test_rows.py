"""Regions that reduce: one kernel each way, NumPy's values, bits that depend on the shape alone."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from helpers import at_both_fusion_levels, same_bits

import gpugrad as gg
from gpugrad.testing import check_grads

X = np.random.default_rng(0).standard_normal((6, 5, 8))
W = np.random.default_rng(1).standard_normal((8,))


def _layer_norm(x: Any, w: Any) -> Any:
    d = x - x.mean(-1, keepdims=True)
    return d / np.sqrt((d * d).mean(-1, keepdims=True) + 1e-5) * w + w


def _batch_norm(x: Any, w: Any) -> Any:
    d = x - x.mean((0, 2), keepdims=True)
    return d / np.sqrt((d * d).mean((0, 2), keepdims=True) + 1e-5) * w


def _masked_softmax(x: Any, w: Any) -> Any:
    x = np.where(W > 0, x, -np.inf)
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True) * w


CASES: dict[str, Callable[..., Any]] = {
    "softmax": lambda x, w: gg.softmax(x) * w,
    "log_softmax": lambda x, w: gg.log_softmax(x) * w,
    "layer norm": _layer_norm,
    "batch norm": _batch_norm,
    "rms norm": lambda x, w: x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-6) * w,
    "unit length": lambda x, w: x / np.linalg.norm(x, axis=-1, keepdims=True) * w,
    "by an index": lambda x, w: x / (x * x).sum(-1)[..., None] - x.mean(-1)[:, :, np.newaxis] * w,
    "logsumexp": lambda x, w: gg.logsumexp(x * w, axis=-1),
    "logsumexp kept": lambda x, w: gg.logsumexp(x * w, axis=(1, 2), keepdims=True),
    "variance": lambda x, w: np.var(x * w, axis=-1),
    "standard deviation": lambda x, w: np.std(x * w, axis=(0, 2)),
    "masked softmax": _masked_softmax,
    "mean squared error": lambda x, w: ((x - w) ** 2).mean(),
    "norm": lambda x, w: gg.linalg.vector_norm(x * w),
    "ratio": lambda x, w: (x * w).sum() / (x * x).sum(),
    "extremes": lambda x, w: (x - x.min(1, keepdims=True)) / (x.max(1, keepdims=True) - x.min(1, keepdims=True)) * w,
}


@pytest.mark.usefixtures("on_cpu", "fused")
@pytest.mark.parametrize("name", CASES)
def test_one_kernel_forward_and_one_backward(name: str) -> None:
    x, w = gg.tensor(X, requires_grad=True), gg.tensor(W, requires_grad=True)
    gg.debug.counters.reset()
    y = CASES[name](x, w)
    y.detach().tolist()
    assert (gg.debug.counters.forward, gg.debug.counters.calls) == (1, 0)
    gg.debug.counters.reset()
    y.backward(gg.ones(y.shape))
    assert gg.debug.counters.backward == 1


@pytest.mark.parametrize("name", CASES)
def test_every_order_and_mode_and_the_same_without_fusion(name: str) -> None:
    f = CASES[name]
    check_grads(f, [X, W], order=2)

    def run() -> list[Any]:
        x, w = gg.tensor(X, requires_grad=True), gg.tensor(W, requires_grad=True)
        y = f(x, w)
        y.backward(gg.ones(y.shape))
        return [t.numpy() for t in (y.detach(), x.grad, w.grad) if t is not None]

    eager, fused = at_both_fusion_levels(run)
    assert same_bits(eager[0], fused[0])
    for a, b in zip(eager[1:], fused[1:], strict=True):
        assert np.abs(a - b).max() <= 64 * np.finfo(float).eps * max(1, np.abs(a).max())


REDUCTIONS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "sum": (gg.sum, np.sum), "max": (gg.max, np.max), "min": (gg.min, np.min), "mean": (gg.mean, np.mean),
    "any": (gg.any, np.any), "all": (gg.all, np.all), "var": (gg.var, np.var),
}  # fmt: skip
LENGTHS = [1, 2, 7, 31, 32, 33, 63, 64, 65, 127, 1000, 1024, 1025, 5000, 65536, 65537, 100_003]


@pytest.mark.long_on_gpu
@pytest.mark.parametrize("dtype", ["bool", "int8", "int32", "int64", "uint8", "float16", "float32", "float64"])
@pytest.mark.parametrize("name", REDUCTIONS)
def test_rows_of_every_length(name: str, dtype: str) -> None:
    ours, numpys = REDUCTIONS[name]
    if name == "var" and dtype == "bool":
        return
    rng = np.random.default_rng(0)
    for length in LENGTHS:
        a = rng.integers(0, 2 if dtype == "bool" else 100, (3, length)).astype(dtype)
        for x in (a, np.asfortranarray(a), a[:, ::-1], a[::2]):
            got = ours(x, axis=1).numpy()
            wide = x.astype(float) if dtype.startswith("float") else x
            with np.errstate(over="ignore"):
                expected = numpys(wide, axis=1).astype(got.dtype).astype(float if got.dtype.kind == "f" else got.dtype)
            assert got.dtype == numpys(x[:, :1], axis=1).dtype
            if got.dtype.kind == "f":
                np.testing.assert_allclose(
                    got.astype(float), expected, rtol=4 * float(np.finfo(got.dtype).eps), atol=1e-6
                )
            else:
                assert np.array_equal(got, expected), (length, got, expected)


@pytest.mark.long_on_gpu
@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("name", ["sum", "max", "min", "mean", "any"])
def test_every_pattern_of_axes(name: str, keepdims: bool) -> None:
    ours, numpys = REDUCTIONS[name]
    rng = np.random.default_rng(0)
    for shape in [(4,), (3, 4), (3, 1, 5), (2, 3, 4, 5), (1, 1), (70, 33), (2, 300, 250), (9, 2, 4096)]:
        a = rng.standard_normal(shape)
        for count in range(len(shape) + 1):
            for axes in itertools.combinations(range(len(shape)), count):
                got, expected = ours(a, axes, keepdims=keepdims).numpy(), numpys(a, axes, keepdims=keepdims)
                assert got.shape == expected.shape
                np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-12)
                # together with ops on the whole, where the rows are short enough to stay one region
                if keepdims:
                    x = gg.tensor(a)
                    whole = (x * ours(x, axes, keepdims=True)).numpy()
                    np.testing.assert_allclose(whole, a * expected, rtol=1e-12, atol=1e-12)


def test_nothing_to_reduce() -> None:
    assert gg.sum(np.zeros((3, 0)), 1).tolist() == [0, 0, 0]
    assert gg.sum(np.zeros((0, 3)), 1).tolist() == []
    assert (gg.sum(np.zeros((0, 3)), 1, keepdims=True) * 2).tolist() == []
    assert gg.sum(np.float64(3.0)).item() == 3
    x = gg.zeros((0, 3), requires_grad=True)
    (x - x.max(1, keepdims=True)).sum().backward()
    assert x.grad is not None
    assert x.grad.shape == (0, 3)


def test_nan_and_infinities_as_in_numpy() -> None:
    for n in (5, 64, 1000, 3000):
        a = np.random.default_rng(n).standard_normal((6, n))
        a[0, n // 2], a[1, 0], a[2, -1], a[3, 1], a[4, :2] = np.nan, np.inf, -np.inf, -0.0, (np.inf, -np.inf)
        x = gg.tensor(a)
        with np.errstate(all="ignore"):
            for ours, numpys in (REDUCTIONS[k] for k in ("sum", "max", "min")):
                np.testing.assert_allclose(ours(x, 1).numpy(), numpys(a, 1), rtol=1e-12)
                np.testing.assert_allclose(
                    (x + ours(x, 1, keepdims=True)).numpy(), a + numpys(a, 1, keepdims=True), rtol=1e-12
                )


def test_ties_share_and_masks_keep_out_what_took_no_part() -> None:
    x = gg.tensor([[3.0, 1.0, 3.0], [2.0, 2.0, 2.0]], requires_grad=True)
    (x.max(1, keepdims=True) * gg.tensor([[6.0], [9.0]])).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [[3, 0, 3], [3, 3, 3]]
    # the elements that were not chosen have infinite derivatives, and contribute exactly 0
    y = gg.tensor([[0.0, 4.0, 9.0]], requires_grad=True)
    s = gg.where(y > 0, gg.sqrt(y), 0)
    (s / s.sum(1, keepdims=True)).max().backward()
    assert y.grad is not None
    assert np.isfinite(y.grad.numpy()).all()
    assert y.grad.tolist()[0][0] == 0
    assert (
        gg.jvp(lambda y: gg.where(y > 0, gg.sqrt(y), 0).sum(), (np.array([0.0, 4.0]),), (np.array([1.0, 1.0]),))[1]
        == 0.25
    )


@pytest.mark.long_on_gpu
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("shape", [(3, 7), (50, 1000), (1000, 50), (4, 9, 900), (300, 2), (2, 40_000)])
def test_bits_do_not_depend_on_fusion_threads_or_layout(shape: tuple[int, ...], dtype: str) -> None:
    rng = np.random.default_rng(0)
    wide = rng.standard_normal((*shape[:-1], 2 * shape[-1])).astype(dtype)
    a = np.ascontiguousarray(wide[..., ::2])

    def run(data: Any = a) -> list[Any]:
        x = gg.asarray(data)
        e = gg.exp(x - x.max(-1, keepdims=True))
        p = e / e.sum(-1, keepdims=True)
        return [
            v.numpy()
            for v in (p, x.sum(0), (x * x).sum((0, -1)), x.mean(-1), (p * x).sum(-1), p.min(0, keepdims=True) * x)
        ]

    eager, fused = at_both_fusion_levels(run)
    for a_, b in zip(eager, fused, strict=True):
        assert same_bits(a_, b)
    for layout in (wide[..., ::2], np.asfortranarray(a), np.ascontiguousarray(a[::-1])[::-1]):
        for first, second in zip(fused, run(layout), strict=True):
            assert same_bits(first, second)
    for threads in (1, 2, 3):
        gg.config.threads = threads
        for first, second in zip(fused, run(), strict=True):
            assert same_bits(first, second)


def test_row_values_of_two_kinds_and_arrays_beside_them() -> None:
    a, rows, scale = X[0], np.arange(5.0), np.array(0.5)
    x, w, v = (gg.tensor(t, requires_grad=True) for t in (a, rows, scale))
    s = (x * x).sum(1)  # squeezed: elements of shape (5,)
    y = (gg.log(s + 1) * w + w * v + v).sum()
    y.backward()
    n = (a * a).sum(1)
    assert y.item() == pytest.approx((np.log(n + 1) * rows + rows * 0.5 + 0.5).sum())
    np.testing.assert_allclose(x.grad.numpy(), 2 * a * (rows / (n + 1))[:, None])  # type: ignore[union-attr]
    np.testing.assert_allclose(w.grad.numpy(), np.log(n + 1) + 0.5)  # type: ignore[union-attr]
    np.testing.assert_allclose(v.grad.numpy(), rows.sum() + 5)  # type: ignore[union-attr]
    square = gg.tensor(np.arange(16.0).reshape(4, 4))
    rows_, columns = square.sum(1), square.sum(1, keepdims=True)
    assert np.array_equal(
        (rows_ + columns).numpy(), np.add.outer(np.arange(16.0).reshape(4, 4).sum(1), [0, 0, 0, 0]) + rows_.numpy()
    )
    assert np.array_equal(
        (square - square.sum(1)).numpy(), np.arange(16.0).reshape(4, 4) - np.arange(16.0).reshape(4, 4).sum(1)
    )


def test_interior_gradients_hooks_and_writes() -> None:
    x = gg.tensor(X[0], requires_grad=True)
    m = x.max(1, keepdims=True)
    m.retain_grad()
    e = gg.exp(x - m)
    s = e.sum(1, keepdims=True)
    s.retain_grad()
    (e / s).sum(0)[0].backward()
    assert m.grad is not None
    assert s.grad is not None
    assert m.grad.shape == s.grad.shape == (5, 1)
    np.testing.assert_allclose(m.grad.numpy(), 0, atol=1e-12)
    n = np.exp(X[0] - X[0].max(1, keepdims=True))
    np.testing.assert_allclose(s.grad.numpy()[:, 0], -(n / n.sum(1, keepdims=True) ** 2)[:, 0])
    (g,) = gg.autograd.grad((x - x.mean(1, keepdims=True)).sum(1)[2], [x])
    np.testing.assert_allclose(g.numpy(), 0, atol=1e-12)
    seen: list[Any] = []
    t = x.sum(1)
    t.register_hook(lambda g: seen.append(g.tolist()))
    (t * t).sum().backward()
    assert seen
    y = x.detach().sum(1, keepdims=True)
    before = y.numpy().copy()
    y[0] = 7  # a row value that is written to is another value
    assert np.array_equal(x.detach().sum(1, keepdims=True).numpy(), before)
    assert y.tolist()[0] == [7]
