"""The reverse walk: the seed case, accumulation, masks, higher orders, interior gradients, hooks, freeing."""

from __future__ import annotations

import tracemalloc
import weakref

import numpy as np
import pytest

import gpugrad as gg

both = pytest.mark.parametrize("fuse", [1, 64])


@pytest.fixture(autouse=True)
def _level(request: pytest.FixtureRequest) -> None:
    if "fuse" in request.fixturenames:
        gg.config.fuse = request.getfixturevalue("fuse")


def leaf(data: object) -> gg.Tensor:
    return gg.tensor(data, dtype=float, requires_grad=True)


def test_seed_case(fused: None) -> None:
    x, y = leaf(2.0), leaf(3.0)
    gg.debug.counters.reset()
    f = gg.sin(x * y)
    f.backward()
    assert (gg.debug.counters.forward, gg.debug.counters.backward, gg.debug.counters.ops) == (1, 1, 2)
    np.testing.assert_allclose(x.grad.item(), np.cos(6.0) * 3, rtol=1e-15)
    np.testing.assert_allclose(y.grad.item(), np.cos(6.0) * 2, rtol=1e-15)


@both
def test_gradients_accumulate_over_calls_and_uses(fuse: int) -> None:
    x = leaf([1.0, 2.0])
    for k in (1, 2, 3):
        (x * x + x).sum().backward()
        assert x.grad.tolist() == [3 * k, 5 * k]


@both
def test_outputs_that_are_one_expression_or_an_input(fuse: int) -> None:
    x, b = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    u = x + b
    u.backward([1.0, 10.0])
    assert x.grad.tolist() == b.grad.tolist() == [1, 10]
    x.grad += 1  # the two gradients share no memory
    assert b.grad.tolist() == [1, 10]


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


# --------------------------------------------------------------------------------------------------------- masks


@both
def test_where_hides_what_was_not_taken(fuse: int) -> None:
    x = leaf([0.0, 4.0])
    gg.where(x > 0, gg.sqrt(x), 0.0).sum().backward()
    assert x.grad.tolist() == [0, 0.25]


@both
def test_masks_survive_further_factors(fuse: int) -> None:
    x = leaf([0.0, 4.0])
    y = gg.where(x > 0, gg.sqrt(x), x)
    (y * y).sum().backward()
    assert x.grad.tolist() == [0, 1]


@both
def test_masks_survive_a_reshape_and_a_sum(fuse: int) -> None:
    x = leaf([0.0, 4.0])
    branch = gg.sqrt(x).reshape(2, 1).T.reshape(2)
    gg.where(x > 0, branch, 0.0).sum().backward()
    assert x.grad.tolist() == [0, 0.25]
    x = leaf([0.0, 4.0])
    gg.where(x > 0, gg.sqrt(x)[:], 0.0).sum().backward()
    assert x.grad.tolist() == [0, 0.25]


@both
def test_masks_survive_broadcasting_indexing_and_joining(fuse: int) -> None:
    x = leaf([0.0, 4.0])
    r = gg.sqrt(x)
    wide = gg.concatenate([r, r])[gg.tensor([0, 1])] + gg.zeros((3, 2))
    gg.where(x > 0, wide, 0.0).sum().backward()
    assert x.grad.tolist() == [0, 0.75]


@both
def test_masks_at_orders_one_to_three(fuse: int) -> None:
    x = leaf([0.0, 2.0])
    y = gg.where(x > 0, x * gg.log(x), 0.0) + x**2
    for expected in ([0, np.log(2) + 1 + 4], [2, 0.5 + 2], [0, -0.25]):
        (y,) = gg.autograd.grad(y.sum(), x, create_graph=True)
        np.testing.assert_allclose(y.detach().numpy(), expected, atol=1e-15)


@both
def test_masks_of_gradients_that_meet(fuse: int) -> None:
    x = leaf([4.0, 0.0])
    v = gg.sqrt(x)
    gg.where(x > 9, v, v * 2).sum().backward()  # one branch is dead everywhere, the other alive
    assert x.grad.tolist() == [0.5, np.inf]


@both
def test_higher_orders_of_a_square_root_branch(fuse: int) -> None:
    x = leaf([0.0, 4.0])
    y = gg.where(x > 0, gg.sqrt(x), 0.0)
    for expected in (0.25, -1 / 32, 3 / 256):
        (y,) = gg.autograd.grad(y.sum(), x, create_graph=True)
        np.testing.assert_allclose(y.detach().numpy(), [0, expected], atol=1e-15)


@both
def test_a_gradient_that_is_zero_is_not_a_mask(fuse: int) -> None:
    x = leaf([0.0])
    y = gg.where(x > -5, gg.sin(x), 0.0) ** 2
    (g,) = gg.autograd.grad(y.sum(), x, create_graph=True)
    assert g.tolist() == [0]
    (h,) = gg.autograd.grad(g.sum(), x)
    assert h.tolist() == [2]


@both
def test_honest_nans_stay(fuse: int) -> None:
    x = leaf([0.0])
    gg.exp(gg.log(x)).sum().backward()
    assert np.isnan(x.grad.numpy()).all()


@both
def test_max_and_relu_select(fuse: int) -> None:
    x = leaf([0.0, 4.0])
    gg.relu(gg.sqrt(x) - 1).sum().backward()
    assert x.grad.tolist() == [0, 0.25]
    x = leaf([0.0, 4.0])
    gg.max(gg.sqrt(x)).backward()
    assert x.grad.tolist() == [0, 0.25]


# ------------------------------------------------------------------------------------- orders, no_grad, interior


@both
def test_no_grad_on_a_pending_tensor_is_decided_at_the_call(fuse: int) -> None:
    x = leaf([0.5, -1.0])
    with gg.no_grad():
        s = gg.sigmoid(x)
    (s * x).sum().backward()
    assert x.grad.tolist() == s.tolist()
    x.zero_grad()
    h = x * 2
    (h.detach() * h).sum().backward()
    assert x.grad.tolist() == [2.0, -4.0]


@both
def test_second_derivatives_respect_constants(fuse: int) -> None:
    x = leaf([0.5])
    c = gg.exp(x).detach()
    y = (c * gg.sin(x) * gg.exp(x)).sum()
    (g,) = gg.autograd.grad(y, x, create_graph=True)
    (h,) = gg.autograd.grad(g.sum(), x)
    e = np.exp(0.5)
    np.testing.assert_allclose(h.item(), e * 2 * e * np.cos(0.5), rtol=1e-14)


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
def test_mixed_second_derivative_through_a_kept_tensor(fuse: int) -> None:
    x = leaf([0.3])
    h = gg.exp(x)
    y = (h * h * x).sum()
    (dx,) = gg.autograd.grad(y, x, create_graph=True)  # 2 h e^x x + h^2 = 2 h h x + h^2
    dh = gg.autograd.grad(dx.sum(), h, retain_graph=True)[0].item()
    gg.config.fuse = 1
    x1 = leaf([0.3])
    h1 = gg.exp(x1)
    (dx1,) = gg.autograd.grad((h1 * h1 * x1).sum(), x1, create_graph=True)
    np.testing.assert_allclose(dh, gg.autograd.grad(dx1.sum(), h1)[0].item(), rtol=1e-14)


@both
def test_accumulating_with_create_graph(fuse: int) -> None:
    x = leaf([2.0])
    (x**3).sum().backward(create_graph=True)
    (x.grad**2).sum().backward()  # d/dx of 9 x^4, added to 3 x^2
    np.testing.assert_allclose(x.grad.detach().numpy(), [12 + 36 * 8])


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


def test_unused_inputs() -> None:
    x, y = leaf(1.0), leaf(2.0)
    with pytest.raises(gg.errors.GraphError, match="not used"):
        gg.autograd.grad(x * 2, [x, y])
    assert gg.autograd.grad(x * 2, [x, y], allow_unused=True)[1] is None
    (g,) = gg.autograd.grad(gg.floor(x) + y * 0, x)  # used, with derivative 0
    assert g.item() == 0


def test_grad_with_several_outputs_and_upstream_gradients() -> None:
    x = leaf([1.0, 2.0])
    (g,) = gg.autograd.grad([x * 2, x * x], [x], grad_outputs=[gg.ones(2), gg.tensor([10.0, 100.0])])
    assert g.tolist() == [22, 402]


# ---------------------------------------------------------------------------------------- freeing, deep and wide


def test_a_second_backward_needs_retain_graph() -> None:
    x = leaf([1.0])
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.tolist() == [4]
    with pytest.raises(gg.errors.GraphError, match="retain_graph=True"):
        y.backward()


def test_nothing_of_the_graph_is_left(no_gc: None) -> None:
    x = leaf(np.ones(10))
    w = leaf(np.ones((10, 10)))
    h = gg.tanh(x @ w)
    g = gg.where(h > 0, h, 0.0)
    y = (g * 2).sum()
    y.backward()
    refs = [weakref.ref(t._value) for t in (h, g, y)] + [weakref.ref(y._value.node)]
    del h, g, y
    assert [r() for r in refs] == [None] * len(refs)


def test_create_graph_leaves_no_cycles(no_gc: None) -> None:
    x = leaf(np.ones(3))
    y = gg.exp(x * x)
    (g,) = gg.autograd.grad(y.sum(), x, create_graph=True)
    (h,) = gg.autograd.grad(g.sum(), x)
    ref = weakref.ref(y._value)
    del y, g, h
    assert ref() is None


def test_kept_values_go_as_soon_as_they_were_used(fused: None) -> None:
    x = leaf(np.ones((50, 50)))
    h = gg.exp(x) @ x
    node = h._value.node
    h.sum().backward()
    assert node.freed
    assert node.inputs == ()


def test_what_backward_keeps_is_computed_not_declared(fused: None) -> None:
    x, w = leaf([1.0, 2.0]), leaf([3.0, 4.0])

    def kept(t: gg.Tensor) -> tuple[list[int], bool]:
        t.tolist()
        return sorted(t._value.node.saved), t._value.node.output is not None

    assert kept(x + w) == ([], False)
    assert kept(gg.exp(x)) == ([], True)  # its derivative is its value
    assert kept(gg.tanh(x + w)) == ([], True)
    assert kept(gg.sin(x)) == ([0], False)
    assert kept(x * w) == ([0, 1], False)
    assert kept(x * w.detach()) == ([1], False)
    assert kept(gg.relu(x - w)) == ([0, 1], False)
    product = gg.reshape(x, (1, 2)) @ gg.reshape(w.detach(), (2, 1))
    assert [a is not None for a in product._value.node.inputs] == [False, True]


def test_one_leaf_used_ten_thousand_times() -> None:
    x = leaf(1.5)
    total = x
    for _ in range(9_999):
        total = total + x
    total.backward()
    assert x.grad.item() == 10_000


def test_a_chain_of_a_million_ops() -> None:
    gg.config.fuse = 64
    x = leaf(1.0)
    h = x
    for _ in range(1_000_000):
        h = h * 1.0000001
    h.backward()
    np.testing.assert_allclose(x.grad.item(), 1.0000001**1_000_000, rtol=1e-9)
    del h  # freed without recursion


@both
def test_a_deep_graph_is_freed_without_recursion_when_never_walked(fuse: int) -> None:
    x = leaf(1.0)
    h = x
    for _ in range(100_000):
        h = h * 1.0001
    h.item()
    del h


def fill(n: int) -> None:
    x = gg.zeros(n)
    c = leaf(0.5)
    x[0] = c
    for i in range(1, n):
        x[i] = x[i - 1] * 0.9999
    (g,) = gg.autograd.grad(x[n - 1], c)
    np.testing.assert_allclose(g.item(), 0.9999 ** (n - 1), rtol=1e-9)


@pytest.mark.long_on_gpu
def test_filling_a_long_array_in_a_loop() -> None:
    fill(100_000)


def test_filling_an_array_in_a_loop_takes_memory_linear_in_its_length() -> None:
    def peak(n: int) -> int:
        tracemalloc.start()
        fill(n)
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    peak(100)  # makes the plans
    assert peak(4000) < 5 * peak(1000)  # 16 times as much if a step kept the whole array


@pytest.mark.usefixtures("on_cpu")
def test_filling_a_loop_writes_in_place() -> None:
    x = gg.zeros(1000)
    x[0] = leaf(1.0)
    address = x._value.array.ctypes.data
    for i in range(1, 1000):
        x[i] = x[i - 1] * 1.01
    assert x._value.array.ctypes.data == address


# ---------------------------------------------------------------------------------------------------- failures


def test_a_failing_backward_marks_what_it_had_added_to(monkeypatch: pytest.MonkeyPatch, fused: None) -> None:
    x, w = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    (x * 1).sum().backward()
    late = gg.exp(w).reshape(2)  # its nodes come before those of x's last use, so that x is added to first
    y = (late * x).sum() + (x * 2).sum()
    late.register_hook(lambda g: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        y.backward()
    with pytest.raises(gg.errors.GraphError, match="ZeroDivisionError"):
        _ = x.grad
    x.zero_grad()
    assert x.grad is None
    assert w.grad is None


@pytest.mark.usefixtures("on_cpu")
def test_memory_error_and_interrupt_while_closing_leave_the_tensor_pending(monkeypatch: pytest.MonkeyPatch) -> None:
    gg.config.fuse = 64
    from gpugrad.backends.cpu.backend import CpuBackend

    for error in (MemoryError, KeyboardInterrupt):
        x = leaf([1.0, 2.0])
        y = gg.exp(x) * 2
        with monkeypatch.context() as m:
            m.setattr(CpuBackend, "run", lambda *a, e=error: (_ for _ in ()).throw(e()))
            with pytest.raises(error):
                y.tolist()
        np.testing.assert_allclose(y.detach().numpy(), 2 * np.exp([1, 2]))
        y.sum().backward()
        np.testing.assert_allclose(x.grad.numpy(), 2 * np.exp([1, 2]))


@pytest.mark.usefixtures("on_cpu")
def test_interrupt_in_backward_leaves_other_gradients_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    from gpugrad.backends.cpu.backend import CpuBackend

    x = leaf([1.0, 2.0])
    y = (gg.exp(x) * 2).sum()
    y.item()
    with monkeypatch.context() as m:
        m.setattr(CpuBackend, "run", lambda *a: (_ for _ in ()).throw(KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            y.backward(retain_graph=True)
    assert x.grad is None
    y.backward()
    np.testing.assert_allclose(x.grad.numpy(), 2 * np.exp([1, 2]))
