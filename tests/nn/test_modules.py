"""nn, optim, random, weights on disk, the picture of a graph, the demo and the command line."""

from __future__ import annotations

import os
import subprocess
import sys
import xml.etree.ElementTree
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gpugrad as gg
from gpugrad import __main__
from gpugrad.cli import demo
from gpugrad.nn import functional as F

jax.config.update("jax_enable_x64", True)
R = np.random.default_rng(11)


# ---------------------------------------------------------------------------------------------------------- losses


def test_losses_against_their_definitions() -> None:
    p, t = R.standard_normal((4, 3)), R.standard_normal((4, 3))
    e = p - t
    cases: list[tuple[Any, np.ndarray]] = [
        (F.mse_loss, e**2), (F.l1_loss, np.abs(e)), (F.huber_loss, np.where(np.abs(e) <= 1, 0.5 * e**2, np.abs(e) - 0.5)),
    ]  # fmt: skip
    for loss, expected in cases:
        np.testing.assert_allclose(loss(p, t, reduction="none").numpy(), expected)
        np.testing.assert_allclose(loss(p, t).item(), expected.mean())
        np.testing.assert_allclose(loss(p, t, reduction="sum").item(), expected.sum())
    q = R.uniform(0, 1, (4, 3))
    s = 1 / (1 + np.exp(-p))
    np.testing.assert_allclose(
        F.binary_cross_entropy_with_logits(p, q).item(), -(q * np.log(s) + (1 - q) * np.log(1 - s)).mean()
    )


@pytest.mark.parametrize("shape", [(5, 3), (5, 3, 2), (3,)])
def test_cross_entropy_with_classes_and_probabilities(shape: tuple[int, ...]) -> None:
    x = R.standard_normal(shape)
    axis = 1 if len(shape) > 1 else 0
    classes = R.integers(0, 3, shape[:axis] + shape[axis + 1 :])
    one_hot = np.moveaxis(np.eye(3)[classes], -1, axis)
    log_p = np.asarray(jax.nn.log_softmax(x, axis))
    expected = -(one_hot * log_p).sum(axis).mean()
    a, b = gg.tensor(x, requires_grad=True), gg.tensor(x, requires_grad=True)
    first, second = F.cross_entropy(a, classes), F.cross_entropy(b, one_hot)
    np.testing.assert_allclose(
        [first.item(), second.item(), F.nll_loss(gg.log_softmax(x, axis), classes).item()], expected
    )
    first.backward()
    second.backward()
    exact = (np.exp(log_p) - one_hot) / classes.size
    np.testing.assert_allclose(a.grad.numpy(), exact, atol=1e-15)
    np.testing.assert_allclose(b.grad.numpy(), exact, atol=1e-15)


def test_losses_refuse_what_does_not_fit() -> None:
    with pytest.raises(IndexError, match="classes must be from 0 to 2, found -1 to 1"):
        F.cross_entropy(gg.ones((2, 3)), [1, -1])
    with pytest.raises(gg.errors.ShapeError, match="do not fit"):
        F.cross_entropy(gg.ones((2, 3)), [1, 1, 1])
    with pytest.raises(gg.errors.ShapeError, match="one shape"):
        F.mse_loss(gg.ones((2, 3)), gg.ones((3, 2)))
    with pytest.raises(gg.errors.DTypeError, match="integer classes"):
        F.nll_loss(gg.ones((2, 3)), gg.ones(2))
    with pytest.raises(ValueError, match="reduction"):
        F.mse_loss(1.0, 2.0, reduction="avg")


# ----------------------------------------------------------------------------------------------------------- layers


def test_linear_and_layer_norm_against_jax() -> None:
    x = R.standard_normal((5, 4)).astype("float32")
    net = gg.nn.Sequential(gg.nn.Linear(4, 6), gg.nn.LayerNorm(6), gg.nn.Tanh(), gg.nn.Linear(6, 2, bias=False))
    names = [n for n, _ in net.named_parameters()]
    assert names == ["0.weight", "0.bias", "1.weight", "1.bias", "3.weight"]
    w = {n: jnp.asarray(p.detach().numpy()) for n, p in net.named_parameters()}

    def f(w: dict[str, Any]) -> Any:
        h = x @ w["0.weight"].T + w["0.bias"]
        h = (h - h.mean(-1, keepdims=True)) / jnp.sqrt(h.var(-1, keepdims=True) + 1e-5) * w["1.weight"] + w["1.bias"]
        return ((jnp.tanh(h) @ w["3.weight"].T) ** 2).sum()

    loss = (net(gg.tensor(x)) ** 2).sum()
    loss.backward()
    np.testing.assert_allclose(loss.item(), f(w), rtol=1e-5)
    for name, g in jax.grad(f)(w).items():
        np.testing.assert_allclose(dict(net.named_parameters())[name].grad.numpy(), g, rtol=2e-4, atol=1e-5)


def test_every_activation_and_its_function() -> None:
    x = gg.tensor(R.standard_normal(9))
    pairs = [
        (gg.nn.ReLU(), gg.relu), (gg.nn.Sigmoid(), gg.sigmoid), (gg.nn.Tanh(), gg.tanh), (gg.nn.SiLU(), gg.silu),
        (gg.nn.Softplus(), gg.softplus), (gg.nn.GELU(), gg.gelu), (gg.nn.GELU("tanh"), lambda t: gg.gelu(t, "tanh")),
        (gg.nn.LeakyReLU(0.2), lambda t: gg.leaky_relu(t, 0.2)), (gg.nn.ELU(), gg.elu),
    ]  # fmt: skip
    for module, function in pairs:
        assert module(x).tolist() == function(x).tolist()


def test_dropout() -> None:
    gg.random.seed(0)
    drop = gg.nn.Dropout(0.25)
    x = gg.ones(10_000, requires_grad=True)
    y = drop(x)
    kept = y.detach().numpy() != 0
    assert abs(kept.mean() - 0.75) < 0.02
    np.testing.assert_allclose(y.detach().numpy()[kept], 4 / 3)
    y.sum().backward()
    assert np.array_equal(x.grad.numpy() != 0, kept)
    assert drop.eval()(x) is x
    assert gg.nn.Dropout(1.0)(x).sum().item() == 0
    with pytest.raises(ValueError, match="p must be"):
        gg.nn.Dropout(1.5)


def test_embedding_sums_gradients_of_repeated_rows() -> None:
    table = gg.nn.Embedding(4, 2)
    table(gg.tensor([[1, 1], [3, 1]])).sum().backward()
    assert table.weight.grad.tolist() == [[0, 0], [3, 3], [0, 0], [1, 1]]


def test_modules() -> None:
    class Net(gg.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.parts = [gg.nn.Linear(2, 2), gg.nn.Dropout()]
            self.scale = gg.tensor(1.0, requires_grad=True)
            self.tied = self.parts[0]
            self.constant = gg.ones(3)

        def forward(self, x: Any) -> Any:
            return self.parts[1](self.parts[0](x)) * self.scale

    net = Net()
    assert [n for n, _ in net.named_parameters()] == [
        "scale",
        "parts.0.weight",
        "parts.0.bias",
        "tied.weight",
        "tied.bias",
    ]
    assert len(net.parameters()) == 3
    net.eval()
    assert not net.parts[1].training
    net(gg.ones((1, 2), dtype="float32")).sum().backward()
    assert all(p.grad is not None for p in net.parameters())
    net.zero_grad()
    assert all(p.grad is None for p in net.parameters())
    assert "Linear(2, 2, bias=True)" in repr(net)
    with pytest.raises(NotImplementedError, match="forward"):
        gg.nn.Module()(1)
    with pytest.raises(gg.errors.ShapeError, match="2 features"):
        net(gg.ones((1, 3), dtype="float32"))


def test_state_dict_round_trip_and_its_errors(tmp_path: Path) -> None:
    a, b = gg.nn.Linear(3, 2), gg.nn.Linear(3, 2)
    path = tmp_path / "w.safetensors"
    a.save(path)
    b.load(path)
    assert b.weight.tolist() == a.weight.tolist()
    assert b.weight.requires_grad
    before = b.weight.tolist()
    state = a.state_dict()
    for bad, message in [
        ({"weight": state["weight"]}, "missing names"),
        ({**state, "more": gg.ones(1)}, "unexpected names"),
        ({**state, "bias": gg.ones(7, dtype="float32")}, "nothing was loaded"),
        ({**state, "bias": gg.ones(2)}, "float64"),
    ]:
        with pytest.raises(ValueError, match=message):
            b.load_state_dict(bad)
        assert b.weight.tolist() == before
    b.load_state_dict({"bias": gg.zeros(2, dtype="float32")}, strict=False)
    assert b.bias.tolist() == [0, 0]
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(gg.errors.GpugradError, match="not a readable safetensors file"):
        gg.load(path)
    assert not list(tmp_path.glob("*.part"))


def test_frozen_parameters_and_buffers_are_saved() -> None:
    class Net(gg.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.blocks = {"a": gg.nn.Linear(2, 2), "more": [[gg.nn.Dropout()]]}
            self.mean = gg.zeros(2)
            self.weights = [gg.ones(1, requires_grad=True)]

    net = Net()
    names = ["weights.0", "blocks.a.weight", "blocks.a.bias"]
    assert [n for n, _ in net.named_parameters()] == names
    for p in net.parameters():
        p.requires_grad_(False)
    assert [n for n, _ in net.named_parameters()] == names
    assert sorted(net.state_dict()) == sorted([*names, "mean"])
    assert [n for n, _ in net.named_buffers()] == ["mean"]
    net.eval()
    assert not net.blocks["more"][0][0].training
    other = Net()
    net.mean[0] = 5.0
    other.load_state_dict(net.state_dict())
    assert other.mean.tolist() == [5, 0]


# ------------------------------------------------------------------------------------------------------- optimizers


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
    q = gg.tensor(p, requires_grad=True)
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


# ----------------------------------------------------------------------------------------------------------- random


def test_equal_seeds_repeat() -> None:
    def draw() -> list[Any]:
        gg.random.seed(3)
        return [
            gg.random.random(2).tolist(), gg.random.uniform(-1, 1, 2).tolist(), gg.random.normal(1, 2, 2).tolist(),
            gg.random.standard_normal(2, "float32").tolist(), gg.random.integers(5, size=3).tolist(),
            gg.random.permutation(4).tolist(), gg.random.permutation([[1, 2], [3, 4]]).tolist(),
        ]  # fmt: skip

    first = draw()
    assert first == draw()
    gg.random.seed(4)
    assert gg.random.random(2).tolist() != first[0]
    with gg.device("cpu:1"):
        assert gg.random.random(1).device == "cpu:1"
    a, b = gg.random.Generator(1), gg.random.Generator(1)
    assert a.random(3).tolist() == b.random(3).tolist()


# ------------------------------------------------------------------------------------------ graph, demo, command line


def test_demo_learns_and_writes_what_it_promises(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    accuracy = demo.run(str(tmp_path), seed=1, epochs=3, quiet=True)
    assert accuracy > 0.85
    assert sorted(p.name for p in tmp_path.iterdir()) == ["graph.svg", "history.png", "weights.safetensors"]
    assert (tmp_path / "history.png").read_bytes()[:4] == b"\x89PNG"
    net = demo.model()
    net.load(tmp_path / "weights.safetensors")
    xml.etree.ElementTree.parse(tmp_path / "graph.svg")
    assert "test accuracy" in capsys.readouterr().out
    assert demo.run(str(tmp_path), seed=1, epochs=3, quiet=True) == accuracy


@pytest.mark.long_on_gpu
@pytest.mark.usefixtures("fused")
def test_demo_reaches_97_percent_on_average() -> None:
    from sklearn.datasets import load_digits

    parts = demo.split(load_digits())
    scores = []
    for seed in range(5):
        gg.random.seed(seed)
        net = demo.model()
        demo.train(net, parts, 40, seed, os.devnull, [(0, 0)], lambda it: it, True)
        scores.append(demo.score(net, *parts[2]))
    assert np.mean(scores) >= 0.97, scores


def test_interrupting_the_demo_leaves_loadable_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def interrupted(*args: Any) -> Any:
        calls.append(1)
        if len(calls) > 3:
            raise KeyboardInterrupt
        return original(*args)

    original = demo.step
    monkeypatch.setattr(demo, "step", interrupted)
    assert __main__.main(["demo", "--out", str(tmp_path), "--epochs", "2"]) == 130
    demo.model().load(tmp_path / "weights.safetensors")


def test_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert __main__.main(["info"]) == 0
    out = capsys.readouterr().out
    assert "executors on the CPU" in out
    assert "cuda    not available" in out
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert __main__.main(["demo", "--out", str(blocked / "x")]) == 1
    assert "cannot write to the folder" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        __main__.main(["demo", "--epochs", "0"])
    done = subprocess.run([sys.executable, "-m", "gpugrad", "demo", "--device", "cuda", "--out", str(tmp_path)],
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 1
    assert "not available" in done.stderr
