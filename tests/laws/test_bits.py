"""Forward values have the same bits at every fuse, on every number of threads, for every layout."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import FLOAT_OPS, ROWS, SMOOTH, at_both_fusion_levels, call, ids, same_bits, sample, shared

import gpugrad as gg
from gpugrad.ops.op import Op


@pytest.mark.long_on_gpu
@pytest.mark.parametrize("op", SMOOTH, ids=ids)
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
@pytest.mark.parametrize("size", [5, 70_000])
def test_bits_do_not_depend_on_fusion_or_threads(op: Op, dtype: type, size: int, rng: np.random.Generator) -> None:
    args = sample(op, rng, (size,), dtype)

    def run() -> list[np.ndarray]:
        xs = [gg.tensor(a, requires_grad=a.dtype.kind == "f") for a in args]
        y = call(op, *(x * 1.25 if x.requires_grad else x for x in xs))
        z = (y + 1) * y
        if z.requires_grad:
            z.sum().backward()
        return [z.detach().numpy(), *(x.grad.numpy() for x in xs if x.requires_grad)]

    eager, fused = at_both_fusion_levels(run)
    assert same_bits(eager[0], fused[0])
    for a, b in zip(eager[1:], fused[1:], strict=True):
        # 8 ulp of the largest term of the sums that make the gradient
        scale = max(float(np.nanmax(np.abs(np.where(np.isfinite(a), a, 0)), initial=0)), 1e-30)
        finite = np.isfinite(a)
        assert np.array_equal(finite, np.isfinite(b))
        assert (
            np.abs(a[finite].astype(float) - b[finite].astype(float)).max(initial=0) <= 8 * np.finfo(dtype).eps * scale
        )
    gg.config.threads = 1
    single = run()
    gg.config.threads = 2
    for a, b in zip(single, run(), strict=True):
        assert same_bits(a, b)


INEXACT = [o for o in FLOAT_OPS if not o.exact]


@pytest.mark.long_on_gpu
@pytest.mark.parametrize("op", INEXACT, ids=ids)
def test_bits_of_library_functions_do_not_depend_on_the_layout(op: Op, rng: np.random.Generator) -> None:
    """NumPy's own float16 arcsin and cbrt differ between strided and contiguous arrays; a plan's must not."""
    layouts = [
        lambda a: a[:, ::3].T,
        lambda a: a[:, ::2],
        lambda a: a[::-1, ::-1],
        lambda a: np.broadcast_to(a[:1], a.shape),
    ]
    for dtype in (np.float16, np.float32):
        wide = sample(op, rng, (300, 240), dtype)
        for layout in layouts:
            strided = [layout(a) for a in wide]
            given = call(op, *(shared(a) for a in strided)).numpy()
            plain = call(op, *(gg.tensor(np.ascontiguousarray(a)) for a in strided)).numpy()
            assert same_bits(given, plain)


@pytest.mark.usefixtures("native")
@pytest.mark.parametrize("op", [o for o in ROWS if o in FLOAT_OPS], ids=lambda o: o.name)
def test_an_element_has_the_same_bits_wherever_it_stands(op: Op, rng: np.random.Generator) -> None:
    """Alone, in a short array, at the end of a long one; on one thread and on two."""
    for dtype in (np.float32, np.float64):
        args = sample(op, rng, (150_001,), dtype)
        results = []
        for threads in (1, 2):
            gg.config.threads, before = threads, gg.config.threads
            results.append(call(op, *map(gg.asarray, args)).numpy())
            gg.config.threads = before
        assert same_bits(*results)
        for piece in (slice(0, 1), slice(7, 8), slice(3, 70), slice(149_990, 150_001), slice(1000, 3050)):
            assert same_bits(call(op, *(gg.tensor(a[piece]) for a in args)).numpy(), results[0][piece]), piece


@pytest.mark.usefixtures("native")
def test_fused_with_what_cannot_be_vectorized_the_bits_stay(rng: np.random.Generator) -> None:
    x, y = rng.uniform(0.5, 3, 5000).astype("float32"), rng.uniform(0.5, 3, 5000).astype("float32")
    a, b = gg.asarray(x), gg.asarray(y)
    gg.config.fuse = 64
    together = gg.exp(a) * 0 + gg.tanh(a) + 0 * gg.remainder(a, b)
    assert same_bits(together.numpy(), gg.tanh(a).numpy() + np.float32(0))
