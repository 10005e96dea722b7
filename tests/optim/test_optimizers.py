"""Optimizers against their definitions, their state, and clipping."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers import leaf

import gpugrad as gg
from gpugrad.nn import functional as F


def reference(kind: str, lr: float, steps: int, **o: Any) -> list[float]:
    """The update rules in plain NumPy, on f(p) = p**4 / 4 - p from p = 2."""
    p, m, v, path = 2.0, None, 0.0, []
    for t in range(1, steps + 1):
        g = p**3 - 1
        wd = o.get("weight_decay", 0.0)
        if kind == "sgd":
            g += wd * p
            mu = o.get("momentum", 0.0)
            m = g if m is None else mu * m + g
            p -= lr * ((g + mu * m if o.get("nesterov") else m) if mu else g)
        else:
            if kind == "adamw":
                p *= 1 - lr * wd
            else:
                g += wd * p
            m = 0.9 * (m or 0.0) + 0.1 * g
            v = 0.999 * v + 0.001 * g * g
            p -= lr / (1 - 0.9**t) * m / (np.sqrt(v) / np.sqrt(1 - 0.999**t) + 1e-8)
        path.append(p)
    return path


@pytest.mark.parametrize(
    ("kind", "options"),
    [("sgd", {}), ("sgd", {"momentum": 0.9}), ("sgd", {"momentum": 0.9, "nesterov": True}), ("sgd", {"weight_decay": 0.1}),
     ("adam", {}), ("adam", {"weight_decay": 0.1}), ("adamw", {}), ("adamw", {"weight_decay": 0.1})],
)  # fmt: skip
def test_optimizers_against_their_definitions(kind: str, options: dict[str, Any]) -> None:
    p = gg.tensor([2.0], requires_grad=True)
    if kind == "adamw" and not options:
        options = {"weight_decay": 0.01}
    optimizer = {"sgd": gg.optim.SGD, "adam": gg.optim.Adam, "adamw": gg.optim.AdamW}[kind]([p], lr=0.05, **options)
    path = []
    for _ in range(20):
        optimizer.zero_grad()
        (p**4 / 4 - p).sum().backward()
        optimizer.step()
        path.append(p.item())
    np.testing.assert_allclose(path, reference(kind, 0.05, 20, **options), rtol=1e-12)


@pytest.mark.usefixtures("fused")
def test_a_step_is_one_plan_for_all_parameters() -> None:
    params = [gg.tensor(np.ones(n), dtype="float32", requires_grad=True) for n in (3, 4)]
    optimizer = gg.optim.AdamW(params, lr=0.1)
    for _ in range(2):
        sum((p * p).sum() for p in params).backward()
        gg.debug.counters.reset()
        optimizer.step()
        assert gg.debug.counters.forward == 1
    before = gg.plans.plan.plans.made
    for rate in (0.1, 0.01, 0.001):  # the learning rate is an argument of the plan
        optimizer.lr = rate
        optimizer.step()
    assert gg.plans.plan.plans.made == before
    assert params[0].dtype == np.float32


def test_optimizer_state_can_be_taken_up_again() -> None:
    def steps(optimizer: gg.optim.Optimizer, p: gg.Tensor, n: int) -> None:
        for _ in range(n):
            optimizer.zero_grad()
            (p**4).sum().backward()
            optimizer.step()

    p = gg.tensor([2.0], requires_grad=True)
    a = gg.optim.Adam([p], lr=0.1)
    steps(a, p, 3)
    q = gg.tensor(p.detach(), requires_grad=True)
    b = gg.optim.Adam([q], lr=0.5)
    b.load_state_dict(a.state_dict())
    steps(a, p, 3)
    steps(b, q, 3)
    assert p.tolist() == q.tolist()
    with pytest.raises(gg.errors.ShapeError):
        gg.optim.Adam([gg.ones(3, requires_grad=True)]).load_state_dict(a.state_dict())


def test_optimizers_refuse_bad_settings() -> None:
    p = gg.ones(1, requires_grad=True)
    for make in (
        lambda: gg.optim.SGD([], 0.1), lambda: gg.optim.SGD([p], -1), lambda: gg.optim.SGD([p], 0.1, nesterov=True),
        lambda: gg.optim.Adam([p], betas=(1.0, 0.9)), lambda: gg.optim.StepLR(gg.optim.SGD([p], 0.1), 0),
        lambda: gg.optim.clip_grad_norm_([p], 1.0), lambda: gg.optim.clip_grad_value_([p], 0.0),
    ):  # fmt: skip
        with pytest.raises(ValueError):
            make()
    with pytest.raises(gg.errors.GraphError, match="does not require grad"):
        gg.optim.SGD([gg.ones(1)], 0.1)


def test_clipping_leaves_small_gradients_alone() -> None:
    p, q = gg.tensor([3.0], requires_grad=True), gg.tensor([4.0], requires_grad=True, dtype="float32")
    (p * p / 2).sum().backward()
    (q * q / 2).sum().backward()
    assert gg.optim.clip_grad_norm_([p, q], 10.0).item() == 5
    assert p.grad.tolist() == [3]
    gg.optim.clip_grad_norm_([p, q], 1.0)
    np.testing.assert_allclose([p.grad.item(), q.grad.item()], [0.6, 0.8], rtol=1e-6)
    assert q.grad.dtype == np.float32


def test_adam_counts_the_steps_of_each_parameter() -> None:
    a, b = leaf([1.0]), leaf([1.0])
    optimizer = gg.optim.Adam([a, b], lr=0.1)
    for t in range(4):
        optimizer.zero_grad()
        ((a * a).sum() if t < 3 else (a * a + b * b).sum()).backward()
        optimizer.step()
    np.testing.assert_allclose(b.item(), 0.9, rtol=1e-7)


def test_half_precision_norms_do_not_overflow() -> None:
    p = leaf([300.0], "float16")
    (p * p / 2).sum().backward()
    assert gg.optim.clip_grad_norm_([p], 1.0).item() == 300
    np.testing.assert_allclose(p.grad.tolist(), [1], rtol=1e-3)
    x = gg.tensor([300, -300, 300, -300], dtype="float16")
    assert gg.std(x).item() == 300
    assert F.layer_norm(x, (-1,)).tolist() == [1, -1, 1, -1]


@pytest.mark.parametrize("kind", [gg.optim.SGD, gg.optim.Adam])
@pytest.mark.parametrize("trained", [(), (0,), (1,), (0, 2)])
def test_a_step_leaves_parameters_without_a_gradient_alone(kind: Any, trained: tuple[int, ...]) -> None:
    params = [gg.tensor([1.0, 2.0], requires_grad=True) for _ in range(3)]
    optimizer = kind(params, lr=0.1)
    optimizer.step()  # nobody has a gradient yet
    assert optimizer.steps == [0, 0, 0]
    for n in trained:
        (params[n] ** 2).sum().backward()
    optimizer.step()
    for n, p in enumerate(params):
        assert optimizer.steps[n] == int(n in trained)
        assert (p.detach().numpy() < [1.0, 2.0]).all() == (n in trained)
        assert (p.detach().numpy() == [1.0, 2.0]).all() == (n not in trained)
