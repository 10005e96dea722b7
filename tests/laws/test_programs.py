"""Random programs: forward bits and gradients do not depend on fusion, threads or layout, and agree with JAX."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import at_both_fusion_levels, same_bits
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import gpugrad as gg

jax.config.update("jax_enable_x64", True)
pytestmark = pytest.mark.long_on_gpu

UNARY = [
    "sin",
    "cos",
    "tanh",
    "exp",
    "sigmoid",
    "square",
    "negative",
    "arctan",
    "absolute",
    "relu",
    "softplus",
    "gelu",
    "expm1",
]
BINARY = ["add", "subtract", "multiply", "divide", "maximum", "minimum", "hypot", "arctan2", "where", "logaddexp"]
MOVE = ["reshape", "transpose", "sum0", "slice", "detach", "number"]
ROWS = ["softmax", "centred", "scaled", "by the largest", "by a sum", "two axes", "squeezed", "row values"]

step = st.tuples(st.sampled_from(UNARY + BINARY + BINARY + MOVE + ROWS), st.integers(0, 30), st.integers(0, 30))
programs = st.lists(step, min_size=3, max_size=25)

JAX = {
    "sigmoid": jax.nn.sigmoid,
    "relu": jax.nn.relu,
    "softplus": jax.nn.softplus,
    "gelu": lambda x: jax.nn.gelu(x, approximate=False),
}


def run(m: Any, program: list[tuple[str, int, int]], inputs: list[Any]) -> Any:
    """The program on gpugrad (m = gg) or JAX; every value stays of size 12 and moderate."""
    values = list(inputs)
    for name, i, j in program:
        x, y = values[i % len(values)], values[j % len(values)]
        if name in UNARY:
            f = getattr(m, name) if m is gg or name not in JAX else JAX[name]
            z = f(x)
        elif name == "where":
            z = m.where(x > y, x, y * 2)
        elif name == "divide":
            z = x / (y * y + 1)
        elif name in BINARY:
            z = getattr(m, name)(x, y)
        elif name == "reshape":
            z = x.reshape(4, 3).reshape(3, 4)
        elif name == "transpose":
            z = x.T.reshape(3, 4)
        elif name == "sum0":
            z = x - x.mean(axis=0)
        elif name == "slice":
            z = x[::-1] + x[0]
        elif name == "softmax":
            e = m.exp(x - x.max(axis=1, keepdims=True))
            z = e / e.sum(axis=1, keepdims=True)
        elif name == "centred":
            z = x - x.mean(axis=1, keepdims=True) * y
        elif name == "scaled":
            d = x - x.mean(axis=0, keepdims=True)
            z = d / m.sqrt((d * d).mean(axis=0, keepdims=True) + 0.5)
        elif name == "by the largest":
            z = x * 0.5 / (1 + y.max(axis=1, keepdims=True) ** 2) + x.min(axis=1, keepdims=True) * 0.1
        elif name == "by a sum":
            z = x / (1 + (y * y).sum())
        elif name == "two axes":
            z = x * 0.5 - y.mean(axis=(0, 1), keepdims=True) - x.sum(axis=0) * 0.1
        elif name == "squeezed":
            z = (x + m.log(1 + (y * y).sum(axis=1))[:, None]) * 0.25
        elif name == "row values":
            s, t = x.sum(axis=1, keepdims=True), y.max(axis=1, keepdims=True)
            z = (x * m.tanh(s * t) + s / (1 + t * t)) * 0.25
        elif name == "detach":
            z = y * (x.detach() if m is gg else jax.lax.stop_gradient(x))
        else:
            z = 0.5 * x - (j - 15) * 0.1
        if name in ("exp", "expm1", "square", "multiply", "add", "subtract", "hypot", "logaddexp"):
            z = z * 0.25 if name != "exp" else m.tanh(z)
        values.append(z)
    return values[-1], values[len(inputs) :]


def start(seed: int, dtype: str = "float64") -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [
        rng.uniform(-2, 2, (3, 4)).astype(dtype),
        rng.uniform(-2, 2, (3, 4)).astype(dtype),
        rng.uniform(-2, 2, (4,)).astype(dtype),
    ]


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(programs, st.integers(0, 99), st.sampled_from(["float64", "float32", "float16"]))
def test_fused_and_unfused_agree(program: list[tuple[str, int, int]], seed: int, dtype: str) -> None:
    def go() -> list[np.ndarray]:
        xs = [gg.tensor(x, requires_grad=True) for x in start(seed, dtype)]
        last, all_values = run(gg, program, [xs[0], xs[1], xs[2] + gg.zeros((3, 4), dtype=dtype)])
        if last.requires_grad:
            (last * last).sum().backward()
        grads = [np.zeros(x.shape, dtype) if x.grad is None else x.grad.numpy() for x in xs]
        return [last.detach().numpy(), [v.detach().numpy() for v in all_values], *grads]

    eager, fused = at_both_fusion_levels(go, strict=False)
    assert same_bits(eager[0], fused[0])
    assert all(same_bits(a, b) for a, b in zip(eager[1], fused[1], strict=True))
    gg.config.fuse = 64
    again = go()
    for a, b, c in zip(eager[2:], fused[2:], again[2:], strict=True):
        finite = np.isfinite(a) & np.isfinite(b)
        assert np.array_equal(np.isfinite(a), np.isfinite(b)) or dtype == "float16"
        scale = max(1.0, float(np.abs(a[finite].astype(float)).max(initial=0)))
        terms = len(program) * 8 * np.finfo(dtype).eps * scale  # each op of the chain adds its own 8 ulp
        assert np.abs(a[finite].astype(float) - b[finite].astype(float)).max(initial=0) <= terms * 4
        assert same_bits(b, c), "gradients are identical from run to run"


def test_random_programs_do_fuse() -> None:
    """What `strict=False` gives up above, on average over programs."""
    rng = np.random.default_rng(0)
    names = UNARY + BINARY
    ops = regions = 0
    for seed in range(50):
        program = [(names[rng.integers(len(names))], int(rng.integers(30)), int(rng.integers(30))) for _ in range(20)]
        gg.config.fuse = 64
        gg.debug.counters.reset()
        xs = [gg.tensor(x, requires_grad=True) for x in start(seed)]
        run(gg, program, [xs[0], xs[1], xs[2] + gg.zeros((3, 4))])[0].tolist()
        ops, regions = ops + gg.debug.counters.ops, regions + gg.debug.counters.forward
    assert regions < ops / 10


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(programs, st.integers(0, 99))
def test_against_jax(program: list[tuple[str, int, int]], seed: int) -> None:
    data = start(seed)
    xs = [gg.tensor(x, requires_grad=True) for x in data]
    last, _ = run(gg, program, [xs[0], xs[1], xs[2] + gg.zeros((3, 4))])
    value, grads = jax.value_and_grad(
        lambda *x: (run(jnp, program, [x[0], x[1], x[2] + jnp.zeros((3, 4))])[0] ** 2).sum(), argnums=(0, 1, 2)
    )(*data)
    total = (last * last).sum()
    np.testing.assert_allclose(total.item(), value, rtol=1e-10)
    if total.requires_grad:
        total.backward()
    for x, e in zip(xs, grads, strict=True):
        got = np.zeros(x.shape) if x.grad is None else x.grad.numpy()
        np.testing.assert_allclose(got, e, rtol=1e-8, atol=1e-9)


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(programs, st.integers(0, 99))
def test_second_order_does_not_depend_on_fusion(program: list[tuple[str, int, int]], seed: int) -> None:
    def go() -> np.ndarray:
        x = gg.tensor(start(seed)[0], requires_grad=True)
        others = [gg.tensor(o) for o in start(seed)[1:]]
        last, _ = run(gg, program, [x, others[0], others[1] + gg.zeros((3, 4))])
        if not last.requires_grad:
            return np.zeros(1)
        (g,) = gg.autograd.grad((last * last).sum(), x, create_graph=True, allow_unused=True)
        if g is None or not g.requires_grad:
            return np.zeros(1)
        (h,) = gg.autograd.grad((g * g).sum(), x, allow_unused=True)
        return np.zeros(1) if h is None else h.numpy()

    eager, fused = at_both_fusion_levels(go, strict=False)
    np.testing.assert_allclose(fused, eager, rtol=1e-7, atol=1e-7)


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(programs)
def test_large_arrays_in_blocks_with_one_and_two_threads(program: list[tuple[str, int, int]]) -> None:
    def go() -> list[np.ndarray]:
        xs = [
            gg.tensor(np.tile(x, (1, 6000) if x.ndim == 2 else 6000), requires_grad=True) for x in start(1, "float32")
        ]
        program_ = [p for p in program if p[0] not in ("reshape", "transpose")] or [("sin", 0, 0)]
        last, _ = run(gg, program_, [xs[0], xs[1], xs[2] + gg.zeros((3, 24_000), dtype="float32")])
        if last.requires_grad:
            last.sum().backward()
        return [last.detach().numpy(), *(np.zeros(1) if x.grad is None else x.grad.numpy() for x in xs)]

    gg.config.threads = 1
    one = go()
    gg.config.threads = 2
    two = go()
    assert all(same_bits(a, b) for a, b in zip(one, two, strict=True))
    gg.config.fuse = 1
    eager = go()
    gg.config.fuse = 64
    assert same_bits(eager[0], one[0])
