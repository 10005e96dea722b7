"""Layers against JAX, modules, their parameters and buffers, weights on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gpugrad as gg
from gpugrad.testing import check_grads

jax.config.update("jax_enable_x64", True)
R = np.random.default_rng(11)


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


@pytest.mark.parametrize("shape", [(4,), (5, 4), (2, 3, 4), (2, 1, 3, 4), (0, 4), (2, 0, 4)], ids=str)
def test_a_linear_map_is_the_product_with_the_transpose(shape: tuple[int, ...]) -> None:
    x, w, b = R.standard_normal(shape), R.standard_normal((3, 4)), R.standard_normal(3)
    linear = gg.nn.functional.linear
    np.testing.assert_allclose(linear(x, w, b).numpy(), x @ w.T + b, rtol=1e-14)
    if x.size:
        check_grads(linear, [x, w, b], order=2)
        g = R.standard_normal((*shape[:-1], 3))
        _, pull = gg.vjp(lambda x, w: linear(x, w), x, w)
        for ours, theirs in zip(pull(g), jax.vjp(lambda x, w: x @ w.T, x, w)[1](g), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-12)
    with pytest.raises(gg.errors.ShapeError, match="4 features last"):
        linear(np.ones(5), w)
    with pytest.raises(gg.errors.ShapeError, match="two axes"):
        linear(x, w[0])


@pytest.mark.parametrize(
    "shapes", [((2, 3, 4), (4, 5)), ((2, 1, 3, 4), (4, 5)), ((4,), (2, 4, 5)), ((2, 3, 4), (4,)), ((3, 4), (2, 4, 5)), ((2, 3, 4), (1, 4, 5))], ids=str
)  # fmt: skip
def test_products_of_batches_with_one_matrix(shapes: tuple[tuple[int, ...], ...]) -> None:
    a, b = map(R.standard_normal, shapes)
    np.testing.assert_allclose(gg.matmul(a, b).numpy(), a @ b, rtol=1e-13)
    np.testing.assert_allclose(gg.matmul(gg.swapaxes(gg.tensor(a), 0, -1), gg.ones((a.shape[0], 2))).numpy(), np.swapaxes(a, 0, -1) @ np.ones((a.shape[0], 2)))  # fmt: skip
    check_grads(gg.matmul, [a, b], order=2)
    y, pull = jax.vjp(jnp.matmul, a, b)
    g = R.standard_normal(y.shape)
    for ours, theirs in zip(gg.vjp(gg.matmul, a, b)[1](g), pull(g), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)
    x, w = gg.tensor(a, requires_grad=True), gg.tensor(b, requires_grad=True)
    (gg.matmul(x, w).sum() + gg.matmul(x * 2, w).sum()).backward()  # added by the product itself
    ones = jax.vjp(lambda a, b: jnp.matmul(a, b).sum() * 3, a, b)[1](1.0)
    np.testing.assert_allclose(x.grad.numpy(), ones[0], rtol=1e-12)
    np.testing.assert_allclose(w.grad.numpy(), ones[1], rtol=1e-12)


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
