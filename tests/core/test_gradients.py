"""Gradients that are kept: read, written, retained, changed by hooks, of interior tensors."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import both, leaf

import gpugrad as gg


def test_two_values_of_a_leaf_add_to_an_existing_gradient() -> None:
    x = leaf([1.0, 2.0])
    (x * 10).sum().backward()
    a = x * x
    with gg.no_grad():
        x -= 1
    (a.sum() + (x * x * x).sum()).backward()
    assert x.grad.tolist() == [10 + 2 + 0, 10 + 4 + 3]


def test_two_values_of_a_leaf_in_one_region_add_to_an_existing_gradient() -> None:
    for first in (True, False):
        x = leaf([1.0, 2.0])
        (x * 10).sum().backward()
        a = x * x
        with gg.no_grad():
            x -= 1
        b = x * x * x
        (a + b if first else b + a).sum().backward()
        assert x.grad.tolist() == [10 + 2 + 0, 10 + 4 + 3]


def test_leaf_hooks_outlive_an_update() -> None:
    x = leaf([1.0])
    handle = x.register_hook(lambda g: g * 0)
    with gg.no_grad():
        x -= 1
    (x * 2).sum().backward()
    assert x.grad.tolist() == [0]
    handle.remove()
    (x * 2).sum().backward()
    assert x.grad.tolist() == [2]


def test_writes_to_gradients_are_kept_or_refused() -> None:
    x = gg.ones((2, 2), requires_grad=True)
    x.sum().backward()
    with pytest.raises(gg.errors.WriteError):
        x.grad.T[0] = 7
    with pytest.raises(gg.errors.WriteError):
        x.grad[0][0] = 9
    a, b = x.grad, x.grad
    a += 1
    with pytest.raises(gg.errors.WriteError, match="changed since it was read"):
        b += 1
    assert x.grad.tolist() == [[2, 2], [2, 2]]
    x.zero_grad()
    a *= 3  # the gradient it was has been let go: an array like any other
    assert x.grad is None


def test_a_gradient_read_in_a_hook_never_changes() -> None:
    x = leaf([1.0, 2.0])
    (x * 1.0).sum().backward()
    kept = []
    a = x * x
    a.register_hook(lambda g: kept.append((x.grad, x.grad.tolist())))
    (a.sum() + (x * 5.0).sum()).backward()
    assert kept[0][0].tolist() == kept[0][1]
    assert x.grad.tolist() == [1 + 2 + 5, 1 + 4 + 5]


def test_retained_and_disabled_gradients() -> None:
    x = leaf([1.0])
    y = x * 2
    y.retain_grad()
    y += 1
    (y * 3).sum().backward()
    assert y.grad.tolist() == [3]
    x.requires_grad_(False)
    x.requires_grad_(True)
    assert x.grad.tolist() == [6]


@pytest.mark.parametrize("fuse", [1, 64])
def test_what_is_only_compared_or_detached_is_not_an_input_of_the_graph(fuse: int) -> None:
    gg.config.fuse = fuse
    for use in (
        lambda h, w: (h * 2).detach() * w,
        lambda h, w: gg.where(h > 2, w, 0),
        lambda h, w: gg.where(h > 2, w, 0).sum() + (w * (h * 3).detach()).sum(),
    ):
        x, w = leaf([1.0, 2.0]), leaf([3.0, 4.0])
        h = gg.cumsum(x * x)
        use(h, w).sum().backward()
        assert x.grad is None
        h.sum().backward()  # its graph was not freed by the walk above
        assert x.grad.tolist() == [4, 4]
    x, w = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    optimizer = gg.optim.SGD([x, w], lr=0.1, weight_decay=0.5)
    gg.where(x > 1.5, w, 0).sum().backward()
    optimizer.step()
    assert x.tolist() == [1, 2]
    with gg.no_grad():
        c = x * 2
    with pytest.raises(gg.errors.GraphError, match="not used"):
        gg.autograd.grad((c * w).sum(), [x])
    assert gg.autograd.grad((c * w).sum(), [x], allow_unused=True) == (None,)


def test_a_gradient_somebody_kept_never_changes() -> None:
    x = leaf([1.0, 2.0])
    (x * 2).sum().backward()
    kept = x.grad
    array = kept.numpy()
    (x * 3).sum().backward()
    assert kept.tolist() == array.tolist() == [2, 2]
    assert x.grad.tolist() == [5, 5]
    x.zero_grad()
    (x * 4).sum().backward()
    assert array.tolist() == [2, 2]


@pytest.mark.usefixtures("on_cpu")
def test_gradient_buffers_are_reused() -> None:
    x = leaf(np.ones(1000))
    addresses = set()
    for _ in range(5):
        x.zero_grad()
        (x * x).sum().backward()
        addresses.add(x._slot.value.array.ctypes.data)
    assert len(addresses) == 1
    before = x._slot.value.array.ctypes.data
    (x * x).sum().backward()  # and added to in place
    assert x._slot.value.array.ctypes.data == before
    assert x.grad.tolist() == [4.0] * 1000


def test_writing_to_grad_takes_effect() -> None:
    x = leaf([1.0, 2.0])
    (x * 2).sum().backward()
    x.grad *= 0.5
    assert x.grad.tolist() == [1, 1]
    x.grad[0] = 7
    assert x.grad.tolist() == [7, 1]
    x.grad = None
    assert x.grad is None
    x.grad = gg.ones(2)
    assert x.grad.tolist() == [1, 1]


@both
@pytest.mark.parametrize("when", ["before", "between", "after"])
def test_retain_grad_is_right_whenever_it_is_asked(fuse: int, when: str) -> None:
    x = leaf([1.0, 2.0])
    h = gg.exp(x)
    if when == "before":
        h.retain_grad()
    a = (h * 2).sum()
    if when == "between":
        h.retain_grad()
    b = (h * 3).sum()
    if when == "after":
        h.retain_grad()
    (a + b).backward()
    assert h.grad.tolist() == [5, 5]
    np.testing.assert_allclose(x.grad.numpy(), 5 * np.exp([1, 2]))


@both
def test_gradients_of_interior_tensors(fuse: int) -> None:
    x = leaf([1.0, 2.0])
    h = gg.exp(x)
    y = (gg.sin(h) * h).sum()
    (g,) = gg.autograd.grad(y, h, retain_graph=True, create_graph=True)
    hn = np.exp([1.0, 2.0])
    np.testing.assert_allclose(g.detach().numpy(), np.cos(hn) * hn + np.sin(hn))
    (gg2,) = gg.autograd.grad(g.sum(), h, retain_graph=True)
    np.testing.assert_allclose(gg2.numpy(), -np.sin(hn) * hn + 2 * np.cos(hn))
    y.backward(inputs=[h])
    assert x.grad is None
    np.testing.assert_allclose(h.grad.numpy(), np.cos(hn) * hn + np.sin(hn))


@both
def test_hooks_see_and_replace_gradients(fuse: int) -> None:
    x = leaf([1.0, 2.0])
    h = x * 3
    seen: list[list[float]] = []
    handle = h.register_hook(lambda g: seen.append(g.tolist()))
    double = h.register_hook(lambda g: g * 2)
    (h * h).sum().backward()
    assert seen == [[6.0, 12.0]]
    assert x.grad.tolist() == [36, 72]
    handle.remove()
    handle.remove()
    double.remove()
    x.zero_grad()
    x.register_hook(lambda g: g + 1)
    (x * x).sum().backward()
    assert x.grad.tolist() == [3, 5]


def test_a_hook_after_absorption_is_an_error(fused: None) -> None:
    x = leaf([1.0, 2.0])
    h = x * 3
    (h * 2).sum().item()
    with pytest.raises(gg.errors.GraphError, match="before its first use"):
        h.register_hook(lambda g: g)


def test_hooks_must_return_a_gradient_of_the_same_kind() -> None:
    x = leaf([1.0, 2.0])
    x.register_hook(lambda g: g.sum())
    with pytest.raises(gg.errors.GraphError, match="shape"):
        (x * 2).sum().backward()
