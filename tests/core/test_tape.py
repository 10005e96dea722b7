"""The reverse walk: the seed case, accumulation, higher orders, several outputs, failures."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import both, leaf

import gpugrad as gg


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


def test_a_second_backward_needs_retain_graph() -> None:
    x = leaf([1.0])
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.tolist() == [4]
    with pytest.raises(gg.errors.GraphError, match="retain_graph=True"):
        y.backward()


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
    (x * 3).sum().backward()  # what is added to an incomplete gradient does not make it complete
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
