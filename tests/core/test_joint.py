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

LOSSES: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "sum": (lambda x, y: (gg.tanh(x * y) * x).sum(), (A, A[::-1].copy())),
    "mean": (lambda x, y: ((x - y) ** 2).mean(), (A, A[::-1].copy())),
    "norm": (lambda x: gg.linalg.vector_norm(x), (A,)),
    "bias": (lambda x, b: (gg.sin(x + b) * x).sum(), (A, B)),
    "long": (lambda x, y: (gg.tanh(x * y) * x).sum(), (LONG, LONG[::-1].copy())),
    "long, with a gradient that is summed": (lambda x, s: (gg.tanh(x) * s).sum(), (LONG, np.array(2.0))),
    "identity": (lambda x: x.sum(), (A,)),
    "softmax": (lambda x: (gg.softmax(x) * x).sum(), (A,)),
}


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
    assert same_bits(apart[0], together[0])
    for a, b in zip(apart[1:], together[1:], strict=True):
        assert np.abs(a - b).max() <= 8 * np.finfo(float).eps * max(1, np.abs(a).max())
    f, given = LOSSES[name]
    value, gradients = gg.value_and_grad(f, tuple(range(len(given))))(*given)
    for a, b in zip(together, (value, *gradients), strict=True):
        assert same_bits(a, np.asarray(b))


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


def test_gradients_are_added_to_what_is_there() -> None:
    x = leaf(A)
    for n in range(1, 4):
        (gg.tanh(x) * x).sum().backward()
        np.testing.assert_allclose(x.grad.numpy(), n * (np.tanh(A) + A * (1 - np.tanh(A) ** 2)))  # type: ignore[union-attr]
