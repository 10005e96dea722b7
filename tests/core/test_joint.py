"""A pass that begins at a pending value: computed together with its gradients, in one kernel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from helpers import leaf, same_bits

import gpugrad as gg

A = np.random.default_rng(0).standard_normal((40, 30))
B = np.random.default_rng(1).standard_normal(30)
LONG = np.random.default_rng(2).standard_normal(70_000)

WIDE = np.random.default_rng(3).standard_normal((300, 340))
WIDER = np.random.default_rng(4).standard_normal((20, 5000))


def _normal(x: Any, axes: Any, w: Any, b: Any) -> Any:
    d = x - x.mean(axes, keepdims=True)
    return d / gg.sqrt((d * d).mean(axes, keepdims=True) + 1e-5) * w + b


LOSSES: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "sum": (lambda x, y: (gg.tanh(x * y) * x).sum(), (A, A[::-1].copy())),
    "mean": (lambda x, y: ((x - y) ** 2).mean(), (A, A[::-1].copy())),
    "norm": (lambda x: gg.linalg.vector_norm(x), (A,)),
    "bias": (lambda x, b: (gg.sin(x + b) * x).sum(), (A, B)),
    "long": (lambda x, y: (gg.tanh(x * y) * x).sum(), (LONG, LONG[::-1].copy())),
    "long, with a gradient that is summed": (lambda x, s: (gg.tanh(x) * s).sum(), (LONG, np.array(2.0))),
    "long mean": (lambda x, y: gg.sqrt(((x - y) ** 2).mean() + 1), (LONG, LONG[::-1].copy())),
    "long mean, scaled": (lambda x: -0.5 * ((x * x).mean() * 3 + 1), (LONG,)),
    "two long means": (lambda x, y: (x * x).mean() * (y * y).mean(), (LONG, LONG[::-1].copy())),
    "away from a long mean": (lambda x: ((x - x.mean()) ** 2).mean(), (LONG,)),
    "identity": (lambda x: x.sum(), (A,)),
    "softmax": (lambda x: (gg.softmax(x) * x).sum(), (A,)),
    "mean of row values": (lambda x: gg.logsumexp(x, 1).mean(), (A,)),
    "mean of what has other rows": (lambda x, b: (gg.softmax(x, 1) * b).mean(), (A, B)),
    "largest of row values": (lambda x: gg.logsumexp(x, 1).max(), (A,)),
    "square of the mean of row values": (lambda x: gg.logsumexp(x, 1).mean() ** 2, (A,)),
    "rows of rows": (lambda x: (x.reshape(8, 5, 30) ** 2).sum(2).sum(1).mean(), (A,)),
    "two sums of row values": (lambda x, y: gg.logsumexp(x, 1).mean() - gg.logsumexp(y, 0).mean(), (A, A[::-1].copy())),
    "cross entropy": (lambda x: gg.nn.functional.cross_entropy(x, np.arange(40) % 30), (A,)),
    "layer norm, of many groups": (lambda x, w, b: _normal(x, -1, w, b).sum(), (WIDE, WIDE[0].copy(), WIDE[1].copy())),
    "layer norm, of many groups and sums": (lambda x, w, b: _normal(x, -1, w, b).sum(), (WIDER, WIDER[0].copy(), WIDER[1].copy())),
    "one row, and what needs its sum": (lambda x: gg.sin(x.sum(1).sum()), (A[:1],)),
    "one row, and what does not": (lambda x: x.sum(1).sum() * 2 + 1, (A[:1],)),
    "one row of rows": (lambda x: gg.sin(x.reshape(1, 1, 30).sum(2).sum(1).sum()), (A[:1],)),
    "one column": (lambda x, b: gg.sin(x.sum(0).sum() + b.sum()), (A[:, :1].copy(), B[:1])),
    "the root of the mean of one row": (lambda x: gg.sqrt(((x - 2) ** 2).mean(1).mean()), (A[:1],)),
    "perplexity of one row": (lambda x: gg.exp(gg.nn.functional.cross_entropy(x, np.array([1]))), (A[:1],)),
    "one loss times a weight": (lambda x, b: gg.nn.functional.cross_entropy(x * b, np.array([1])) * b + b * b, (A[:1], np.array(0.7))),
    "sums that keep their axes": (lambda x: gg.exp(x.mean(1, keepdims=True).sum(0, keepdims=True)).sum(), (A[:1],)),
    "batch norm, of many groups": (lambda x, w: _normal(x, (0, 2), w, 0.5).sum(), (WIDE.reshape(100, 6, 170), np.arange(6.0).reshape(6, 1))),
}  # fmt: skip


def _both(name: str, read_first: bool) -> list[np.ndarray]:
    f, given = LOSSES[name]
    xs = [leaf(a) for a in given]
    loss = f(*xs)
    if read_first:
        loss.item()
    loss.backward()
    return [loss.detach().numpy(), *(x.grad.numpy() for x in xs)]  # type: ignore[union-attr]


@pytest.mark.parametrize("name", LOSSES)
def test_the_same_as_one_after_the_other(name: str) -> None:
    apart, together = _both(name, True), _both(name, False)
    assert any(a.any() for a in apart[1:])
    assert same_bits(apart[0], together[0])
    for a, b in zip(apart[1:], together[1:], strict=True):
        assert np.abs(a - b).max() <= 8 * np.finfo(float).eps * max(1, np.abs(a).max())
    f, given = LOSSES[name]
    value, gradients = gg.value_and_grad(f, tuple(range(len(given))))(*given)
    for a, b in zip(together, (value, *gradients), strict=True):
        assert same_bits(a, np.asarray(b))


@pytest.mark.usefixtures("on_cpu", "fused")
def test_a_norm_and_its_sum_are_computed_with_all_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    xs = leaf(WIDE), leaf(WIDE[0]), leaf(WIDE[1])
    runs: list[int] = []
    backend = type(gg.get_device("cpu").backend)
    plain = backend.run
    loss = _normal(xs[0], -1, *xs[1:]).sum()
    monkeypatch.setattr(
        backend, "run", lambda self, program, *rest: runs.append(len(program.outputs)) or plain(self, program, *rest)
    )
    loss.backward()
    assert sorted(runs) == [4]


@pytest.mark.usefixtures("on_cpu", "fused")
@pytest.mark.parametrize("read_first", [False, True])
def test_one_run_instead_of_two(read_first: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = leaf(A), leaf(A)
    loss = (gg.tanh(x * y) * x).sum()
    runs: list[int] = []
    backend = type(gg.get_device("cpu").backend)
    plain = backend.run
    monkeypatch.setattr(
        backend, "run", lambda self, program, *rest: runs.append(len(program.outputs)) or plain(self, program, *rest)
    )
    if read_first:
        loss.item()
    loss.backward()
    assert runs == ([1, 2] if read_first else [3])


def test_retained_gradients_hooks_and_graphs() -> None:
    x = leaf(A)
    h = gg.tanh(x)
    h.retain_grad()
    loss = (h * h).sum()
    loss.retain_grad()
    loss.backward(retain_graph=True)
    assert loss.grad is not None
    assert loss.grad.item() == 1
    np.testing.assert_allclose(h.grad.numpy(), 2 * np.tanh(A))  # type: ignore[union-attr]
    loss.backward()
    np.testing.assert_allclose(x.grad.numpy(), 2 * 2 * np.tanh(A) * (1 - np.tanh(A) ** 2))  # type: ignore[union-attr]
    y = leaf(A)
    z = gg.sin(y)
    assert np.allclose(gg.autograd.grad((z * z).sum(), [z])[0].numpy(), 2 * np.sin(A))
    seen: list[float] = []
    w = leaf(A)
    s = (w * w).sum()
    s.register_hook(lambda g: seen.append(g.item()))
    s.backward()
    assert seen == [1]
    first = gg.autograd.grad((gg.sin(w) * w).sum(), [w], create_graph=True)[0]
    (second,) = gg.autograd.grad(first.sum(), [w])
    np.testing.assert_allclose(second.numpy(), 2 * np.cos(A) - A * np.sin(A))


@pytest.mark.usefixtures("on_cpu", "fused")
def test_a_pass_that_fails_leaves_the_root_pending(monkeypatch: pytest.MonkeyPatch) -> None:
    x = leaf(A)
    loss = (gg.tanh(x) * x).sum()
    backend = type(gg.get_device("cpu").backend)
    plain = backend.run

    def fails(*args: Any) -> None:
        raise MemoryError("none left")

    monkeypatch.setattr(backend, "run", fails)
    with pytest.raises(MemoryError):
        loss.backward(retain_graph=True)
    monkeypatch.setattr(backend, "run", plain)
    assert loss._value.array is None
    assert loss.item() == pytest.approx((np.tanh(A) * A).sum())
    x.zero_grad()
    loss.backward()
    np.testing.assert_allclose(x.grad.numpy(), np.tanh(A) + A * (1 - np.tanh(A) ** 2))  # type: ignore[union-attr]


@pytest.mark.usefixtures("on_cpu", "fused")
def test_of_two_regions_either_may_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    backend = type(gg.get_device("cpu").backend)
    plain = backend.run
    for good in range(3):
        x = leaf(A)
        loss = gg.logsumexp(x, 1).mean()
        left = [good]

        def fails(*args: Any, left: list[int] = left) -> None:
            if not left[0]:
                raise MemoryError("none left")
            left[0] -= 1
            plain(*args)

        monkeypatch.setattr(backend, "run", fails)
        with pytest.raises(MemoryError):
            loss.backward(retain_graph=True)
        monkeypatch.setattr(backend, "run", plain)
        e = np.exp(A)
        assert loss.item() == pytest.approx(np.log(e.sum(1)).mean())
        x.zero_grad()
        loss.backward()
        np.testing.assert_allclose(x.grad.numpy(), e / e.sum(1, keepdims=True) / 40)  # type: ignore[union-attr]


@pytest.mark.usefixtures("on_cpu", "fused")
def test_the_mean_of_a_loss_is_no_reason_to_read_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    x, classes = leaf(A), gg.tensor(np.arange(40) % 30)
    runs: list[int] = []
    backend = type(gg.get_device("cpu").backend)
    plain = backend.run
    loss = gg.nn.functional.cross_entropy(x, classes)
    monkeypatch.setattr(
        backend, "run", lambda self, program, *rest: runs.append(len(program.outputs)) or plain(self, program, *rest)
    )
    loss.backward()
    assert sorted(runs) == [1, 1, 2]  # the mean, its gradient, and the losses with the gradient of x


def test_gradients_are_added_to_what_is_there() -> None:
    x = leaf(A)
    for n in range(1, 4):
        (gg.tanh(x) * x).sum().backward()
        np.testing.assert_allclose(x.grad.numpy(), n * (np.tanh(A) + A * (1 - np.tanh(A) ** 2)))  # type: ignore[union-attr]


def _nested(seed: int, xs: list[gg.Tensor], read: str) -> gg.Tensor:
    """A random loss: sums of sums, down to numbers, and what is made of them. read: which of its values are computed at once."""
    r = np.random.default_rng(seed)
    functions = [gg.sum, gg.mean, gg.max, gg.logsumexp, gg.var]
    numbers: list[gg.Tensor] = []

    def kept(t: gg.Tensor) -> gg.Tensor:
        if read == "all":
            gg.wait(t)
        return t

    for _ in range(r.integers(1, 4)):
        h = xs[r.integers(len(xs))]
        for _ in range(r.integers(0, 3)):
            other = xs[r.integers(len(xs))]
            h = kept([gg.tanh(h) * h, h * 0.5 + 1, h * other.sum(), gg.sin(h)][r.integers(4)])
        while h.ndim:
            f, axis, keep = functions[r.integers(5)], int(r.integers(h.ndim)), bool(r.random() < 0.2)
            h = kept(f(h, axis=axis, keepdims=keep))
            if keep:
                h = kept(
                    h.reshape(tuple(n for d, n in enumerate(h.shape) if d != axis)) if r.random() < 0.5 else h.sum(axis)
                )
        numbers.append(h)
    loss = numbers[0]
    for n in numbers[1:]:
        loss = kept([loss + n, loss * n, loss - gg.tanh(n)][r.integers(3)])
    loss = kept([loss, gg.sin(loss), gg.sqrt(loss * loss + 1), loss * xs[0].sum(), 2 * loss + 1][r.integers(5)])
    if read == "end":
        loss.item()
    return loss


@pytest.mark.long_on_gpu
@pytest.mark.parametrize("shape", [(1, 5), (5, 1), (1, 1), (3, 4), (1, 1, 3), (2, 1, 3)], ids=str)
def test_sums_of_sums_have_their_gradients_whenever_they_are_read(shape: tuple[int, ...]) -> None:
    gg.config.cpu = "numpy"  # what matters is which regions there are, not who runs them
    for seed in range(40):
        given = np.random.default_rng(seed).standard_normal((2, *shape))
        found = []
        for read in ("never", "end", "all"):
            xs = [leaf(a) for a in given]
            loss = _nested(seed, xs, read)
            loss.backward()
            found.append(
                [
                    loss.detach().numpy(),
                    *(0 * a if x.grad is None else x.grad.numpy() for a, x in zip(given, xs, strict=True)),
                ]
            )
        for other in found[1:]:
            for a, b in zip(found[0], other, strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12, err_msg=f"seed {seed}")
        xs = [leaf(a) for a in given]
        by_transform = gg.grad(lambda *ts, seed=seed: _nested(seed, list(ts), "never"), (0, 1))(*given)
        for a, b in zip(found[0][1:], by_transform, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12, err_msg=f"seed {seed}")
