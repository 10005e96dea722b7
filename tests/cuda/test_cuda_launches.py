"""How many kernels are launched and how: plans, optimizers, vector loads, wide indices, threads."""

from __future__ import annotations

import signal
import threading
from typing import Any

import numpy as np
import pytest
from cuda_helpers import NEEDS, emulator, place
from helpers import ROOT, same_bits

import gpugrad as gg
from gpugrad.backends.cuda import launch
from gpugrad.backends.protocol import Output
from gpugrad.base.shapes import reduced
from gpugrad.ops import elementwise as ew
from gpugrad.plans.program import identity, single

pytestmark = NEEDS


def counted(run: Any) -> int:
    before = gg.debug.counters.launches
    run()
    return gg.debug.counters.launches - before


def test_launches_are_counted_and_shown_where_there_were_any(on_gpu: None, fused: None) -> None:
    counters = gg.debug.counters
    x = gg.tensor(np.ones(3, "float32"))
    counters.reset()
    assert repr(counters) == "Counters(ops=0, forward=0, backward=0, calls=0)"
    gg.wait(x * 2)
    assert repr(counters) == "Counters(ops=1, forward=1, backward=0, calls=0, launches=1)"
    counters.reset()
    assert counters.launches == 0


def test_one_launch_forward_one_backward_and_one_for_each_broadcast_input(on_gpu: None, fused: None) -> None:
    x, y, b = (gg.tensor(np.ones((40, 50), "float32"), requires_grad=True) for _ in range(3))

    def loss() -> gg.Tensor:
        return gg.tanh(x * y + b) * gg.sigmoid(x)

    f = loss()
    assert counted(lambda: gg.wait(f)) == 1
    assert counted(lambda: f.backward(np.ones((40, 50), "float32"))) == 1
    bias = gg.tensor(np.ones(50, "float32"), requires_grad=True)
    g = gg.gelu(x + bias)
    assert counted(lambda: gg.wait(g)) == 1
    assert counted(lambda: g.backward(np.ones((40, 50), "float32"))) == 2
    s = ((x - y) ** 2).sum()
    assert counted(lambda: gg.wait(s)) == 1
    assert counted(lambda: s.backward()) == 1
    assert counted(lambda: ((x - y) ** 2).sum().backward()) == 1  # value and gradients together


def test_backward_is_compiled_while_forward_is(on_gpu: None, fused: None) -> None:
    """What is announced when a region closes is what its backward then runs."""
    gg.plans.plan.plans.clear()
    runtime = gg.get_device("cuda").backend.runtime
    for shape, other in (((6, 8), (8,)), ((5, 7), ()), ((3, 4), (3, 4))):
        x, b = (gg.tensor(np.ones(s, "float32"), requires_grad=True) for s in (shape, other))
        runtime.expected.clear()
        y = (gg.arctan(x * b) * x).sum() if other else gg.arctan(x * b) * x
        gg.wait(y)
        asked = set(runtime.expected)
        assert asked
        used: list[str] = []
        plain = runtime.launch
        runtime.launch = lambda function, text, *rest, used=used, plain=plain: (used.append(text), plain(function, text, *rest))[1]  # fmt: skip
        try:
            y.backward(None if y.ndim == 0 else gg.ones_like(y))
        finally:
            del runtime.launch
        assert asked <= set(used)


def test_a_step_of_an_optimizer_is_one_launch(on_gpu: None) -> None:
    params = [gg.tensor(np.ones(n, "float32"), requires_grad=True) for n in (1, 7, 64, 5000, 9001)]
    reference_ = [gg.tensor(p.detach().numpy(), device="cpu", requires_grad=True) for p in params]
    ours, theirs = gg.optim.AdamW(params, lr=0.1), gg.optim.AdamW(reference_, lr=0.1)
    for k in range(3):
        for p, q in zip(params, reference_, strict=True):
            p.grad = np.full(p.shape, 0.5, "float32") * p.detach().numpy()
            q.grad = p.grad.numpy()
        gg.wait(*(p.grad for p in params))
        launches = counted(ours.step)
        assert launches == 1 or k == 0  # the first makes its state
        theirs.step()
    for p, q in zip(params, reference_, strict=True):
        np.testing.assert_allclose(p.detach().numpy(), q.detach().numpy(), rtol=1e-6)


def test_a_formula_of_many_outputs_is_not_computed_from_its_own_results(on_gpu: None) -> None:
    class Many(gg.optim.Optimizer):
        elementwise = True

        def update(self, p: Any, g: Any, state: Any, t: int) -> Any:
            old = list(state) if state else [gg.zeros_like(p) for _ in range(18)]
            new = [a * 0.5 + (p + float(k)) * 0.1 for k, a in enumerate(old)]
            q = p - g * 0.1
            for a in old:
                q = q + a * 0.01
            return (q, *new)

    def train(device: str) -> list[list[float]]:
        params = [gg.tensor(np.linspace(0, 1, n), device=device, requires_grad=True) for n in (5, 3)]
        optimizer = Many(params, lr=0.1)
        for _ in range(4):
            optimizer.zero_grad()
            for p in params:
                (p * p).sum().backward()
            optimizer.step()
        return [p.tolist() for p in params]

    np.testing.assert_allclose(train("cuda")[0], train("cpu")[0], rtol=1e-12)
    np.testing.assert_allclose(train("cuda")[1], train("cpu")[1], rtol=1e-12)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="there are no timers on this system")
def test_a_signal_handler_may_compute(on_gpu: None) -> None:
    x = gg.tensor(np.arange(12.0))
    found: list[float] = []

    def handler(*args: Any) -> None:
        found.append(float((x[:10] * 2.0).sum().item()))
        if len(found) < 30:
            signal.setitimer(signal.ITIMER_REAL, 0.002)

    before = signal.signal(signal.SIGALRM, handler)
    try:
        handler()
        while len(found) < 30:
            assert (x * 3.0).tolist()[1] == 3.0
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert set(found) == {90.0}


def test_threads_share_a_gpu(on_gpu: None) -> None:
    data = [np.random.default_rng(n).standard_normal((50, 40)).astype("float32") for n in range(4)]
    results: dict[int, Any] = {}

    def work(n: int) -> None:
        for _ in range(5):
            x = gg.tensor(data[n], requires_grad=True, device="cuda")
            (gg.tanh(x * x).sum(axis=0) * float(n)).sum().backward()
            results[n] = x.grad.numpy(), x.detach()[[3, 1]].cumsum(axis=1).numpy()

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for n, d in enumerate(data):
        x = d.astype(float)
        np.testing.assert_allclose(results[n][0], n * 2 * x * (1 - np.tanh(x * x) ** 2), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(results[n][1], x[[3, 1]].cumsum(axis=1), rtol=1e-5, atol=1e-5)


def test_what_is_moved_16_bytes_at_a_time() -> None:
    x = identity(np.dtype(np.float32))

    def text(shape: tuple[int, ...], strides: tuple[int, ...], address: int = 0) -> str:
        given_ = launch.view(shape, shape, strides, 4, address)
        contiguous = np.empty(shape, np.float32).strides
        return launch.elementwise(x, shape, [given_], [launch.view(shape, shape, contiguous, 4, 0)], [False]).text

    assert "gg_load<4>(a.i0 + at)" in text((100,), (4,))
    assert "gg_load<4>(a.i0 + at)" in text((10, 10), (40, 4))  # two axes, walked through as one
    assert "gg_load<4>" not in text((100,), (4,), address=4)
    assert "gg_load<4>" not in text((100,), (8,))
    assert "gg_load<4>(a.i0 + at_i0)" in text((10, 8), (64, 4))
    assert "gg_load<4>" not in text((10, 8), (36, 4))  # rows that begin anywhere
    assert "gg_splat<4>(a.i0[at_i0])" in text((10, 8), (4, 0))
    assert "typedef int32 index" in text((100,), (4,))
    assert "typedef int64 index" in text((1 << 31,), (4,))
    assert "typedef int64 index" in text((1 << 10, 2), (1 << 24, 4))


def test_a_plan_of_too_many_arrays_becomes_several_kernels(on_gpu: None) -> None:
    tensors = [gg.tensor(np.full((2, 3, 4), n, "float32")).transpose(2, 0, 1)[::2] for n in range(60)]
    outputs = [t * 2 + n for n, t in enumerate(tensors)]
    gg.wait(*outputs)
    assert [o.numpy().flat[0] for o in outputs] == [3 * n for n in range(60)]


def test_indices_of_64_bits_compute_the_same(gpu: emulator.HostBackend, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.setattr(launch, "NARROW", 1)
    for shape, axes in (((6, 40), ()), ((6, 40), (0,)), ((40, 30), (1,)), ((3, 4, 5), (0, 2))):
        a = rng.standard_normal(shape).astype("float32")
        out = gpu.empty(reduced(shape, axes, True), a.dtype)
        before = len(gpu.runtime.texts())
        gpu.run(
            single(ew.negative, (a.dtype,)),
            shape,
            [place(gpu, np.asfortranarray(a))],
            (),
            [Output(out, axes)],
        )
        assert all("int64 index" in t for t in gpu.runtime.texts()[before:])
        np.testing.assert_allclose(gpu.to_host(out), -a.sum(axes, keepdims=True) if axes else -a, rtol=1e-5, atol=1e-6)


def test_grids_take_turns(gpu: emulator.HostBackend, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "BLOCKS", 3)
    for shape in ((5003,), (70, 60)):
        a = rng.standard_normal(shape).astype("float32")
        assert same_bits(gpu.to_host(gpu.copy(place(gpu, np.asfortranarray(a)))), a)


# -------------------------------------------------------------------------------------------------------- the benchmarks


def test_the_benchmarks_run(on_gpu: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """With small sizes on the emulated GPU: what is measured there means nothing, but that it is measured does."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import gpu as benchmark

    monkeypatch.setattr(emulator.HostRuntime, "describe", lambda self: "no GPU")
    report = benchmark.main(rehearse=True)
    assert report.count("| chain") == 2
    assert "2 launches" in report
    assert "1 launch |" in report
    assert report.count("| sum of") == 7
    assert "| training step" in report
