"""What is measured: each workload once per library, as a function that runs forward and backward."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

import gpugrad as gg

Run = Callable[[], Any]


def torch_module() -> Any:
    """PyTorch on as many threads as gpugrad, or None."""
    try:
        import torch
    except ImportError:
        return None
    torch.set_num_threads(gg.config.threads)
    return torch


def data(n: int, dtype: str = "float32") -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.random(n).astype(dtype) for _ in range(3)]


def jax_modules() -> Any:
    """JAX and its NumPy, or None."""
    try:
        import jax
    except ImportError:
        return None
    return jax, jax.numpy


def compiled_peers(f: Callable[..., Any], arrays: list[np.ndarray]) -> dict[str, Run]:
    """Forward and backward of `f(module, *arrays)`, a scalar, in PyTorch (eager, compiled) and under JAX's jit."""
    torch = torch_module()
    return peers(lambda *ts: f(torch, *ts), lambda *xs: f(JaxNames, *xs), arrays)


def peers(in_torch: Callable[..., Any], in_jax: Callable[..., Any], arrays: list[np.ndarray]) -> dict[str, Run]:
    """The same of a function for each of the libraries."""
    runs: dict[str, Run] = {}
    torch = torch_module()
    if torch is not None:
        tensors = [torch.tensor(a, requires_grad=True) for a in arrays]

        def step(g: Any) -> Run:
            def run() -> None:
                for t in tensors:
                    t.grad = None
                g(*tensors).backward()

            return run

        runs["torch eager"] = step(in_torch)
        runs["torch compile"] = step(torch.compile(in_torch))
    jax = jax_modules()
    if jax is not None:
        g = jax[0].jit(jax[0].value_and_grad(in_jax, tuple(range(len(arrays)))))
        given = [jax[1].asarray(a) for a in arrays]
        runs["jax jit"] = lambda: jax[0].block_until_ready(g(*given))
    return runs


class JaxNames:
    """JAX's functions under the names that NumPy and PyTorch share."""

    @staticmethod
    def sigmoid(x: Any) -> Any:
        import jax

        return jax.nn.sigmoid(x)

    @staticmethod
    def erf(x: Any) -> Any:
        import jax

        return jax.scipy.special.erf(x)

    @staticmethod
    def tanh(x: Any) -> Any:
        import jax.numpy as jnp

        return jnp.tanh(x)

    @staticmethod
    def sin(x: Any) -> Any:
        import jax.numpy as jnp

        return jnp.sin(x)


def ours(f: Callable[..., Any], arrays: list[np.ndarray]) -> Run:
    """Forward and backward of `f` in gpugrad, gradients accumulating into the buffers of the last step."""
    tensors = [gg.asarray(a).requires_grad_() for a in arrays]

    def run() -> None:
        for t in tensors:
            t.zero_grad()
        f(gg, *tensors).backward()

    return run


def tanh_sigmoid(m: Any, x: Any, y: Any, b: Any) -> Any:
    return ((m.tanh(x * y + b) * m.sigmoid(x)) ** 2).sum()


def gelu_with_bias(m: Any, x: Any, b: Any) -> Any:
    h = x + b
    return (0.5 * h * (1 + m.erf(h * 0.7071067811865476))).sum()


def gelu() -> dict[str, Run]:
    """GELU of a 4096 x 1024 matrix plus a bias, and its gradients in both."""
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal((4096, 1024), dtype=np.float32), rng.standard_normal(1024, dtype=np.float32)]
    return {"gpugrad": ours(gelu_with_bias, arrays), **compiled_peers(gelu_with_bias, arrays)}


def mse(ops: int) -> dict[str, Run]:
    """The mean squared error of a chain of so many elementwise ops on a million float32 elements."""

    def f(m: Any, x: Any, w: Any, y: Any) -> Any:
        h = x
        for k in range(ops):
            h = m.tanh(h) if k % 5 == 4 else h * w if k % 2 == 0 else h + 0.1
        return ((h - y) ** 2).mean()

    arrays = data(10**6)
    return {"gpugrad": ours(f, arrays), **compiled_peers(f, arrays)}


def adam() -> dict[str, Run]:
    """One step of Adam over 5 million parameters in 20 tensors."""
    rng = np.random.default_rng(0)
    arrays = [rng.random(250_000, dtype=np.float32) for _ in range(20)]
    params = [gg.tensor(a, requires_grad=True) for a in arrays]
    for p, a in zip(params, arrays, strict=True):
        p.grad = gg.tensor(a)
    runs: dict[str, Run] = {"gpugrad": gg.optim.Adam(params).step}
    torch = torch_module()
    if torch is not None:
        for name, options in (("torch fused", {"fused": True}), ("torch eager", {})):
            theirs = [torch.tensor(a, requires_grad=True) for a in arrays]
            for t, a in zip(theirs, arrays, strict=True):
                t.grad = torch.tensor(a)
            runs[name] = torch.optim.Adam(theirs, **options).step
    return runs


def chain(n: int) -> dict[str, Run]:
    """Forward and backward of sum((tanh(x*y + b) * sigmoid(x))**2) on n float32 elements."""
    arrays = data(n)

    def run_numpy() -> tuple[np.ndarray, ...]:
        x, y, b = arrays
        t = np.tanh(x * y + b)
        s = 1 / (1 + np.exp(-x))
        p = t * s
        (p * p).sum()
        g = 2 * p
        dt = g * s * (1 - t * t)
        return dt * y + g * t * (s * (1 - s)), dt * x, dt

    runs: dict[str, Run] = {"gpugrad": ours(tanh_sigmoid, arrays), "numpy by hand": run_numpy}
    runs |= compiled_peers(tanh_sigmoid, arrays)
    autograd = autograd_modules()
    if autograd is not None and n <= 100_000:
        grad, anp = autograd
        f = grad(lambda x, y, b: anp.sum((anp.tanh(x * y + b) * (1 / (1 + anp.exp(-x)))) ** 2), (0, 1, 2))
        runs["autograd"] = lambda: f(*arrays)
    return runs


def autograd_modules() -> Any:
    """HIPS autograd's `grad` and NumPy, or None."""
    try:
        import autograd.numpy as anp
        from autograd import grad
    except ImportError:
        return None
    return grad, anp


def thousand_ops(m: Any, x: Any, y: Any) -> Any:
    """1,000 mixed elementwise ops on small arrays, every result used."""
    h = x
    for _ in range(100):
        h = m.sin(h * y) + x * 0.5 - y
        h = m.tanh(h) * (m.exp(-(h * h)) + 1.5)
    return h


OPS = 100 * 11  # what thousand_ops calls


def small_ops() -> dict[str, Run]:
    """Forward and backward of 1,100 ops on 10 elements: the overhead per op."""
    arrays = data(10, "float64")[:2]
    x, y = (gg.tensor(a, requires_grad=True) for a in arrays)

    def run_ours() -> None:
        x.zero_grad()
        y.zero_grad()
        thousand_ops(gg, x, y).sum().backward()

    runs: dict[str, Run] = {"gpugrad": run_ours, "numpy forward only": lambda: thousand_ops(np, *arrays)}
    torch = torch_module()
    if torch is not None:
        tx, ty = (torch.tensor(a, requires_grad=True) for a in arrays)

        def run_torch() -> None:
            tx.grad = ty.grad = None
            thousand_ops(torch, tx, ty).sum().backward()

        runs["torch eager"] = run_torch
    autograd = autograd_modules()
    if autograd is not None:
        grad, anp = autograd
        f = grad(lambda a, b: anp.sum(thousand_ops(anp, a, b)), (0, 1))
        runs["autograd"] = lambda: f(*arrays)
    return runs


def digits_step() -> dict[str, Run]:
    """One training step (AdamW) of the demo's network on a batch of 64."""
    rng = np.random.default_rng(0)
    images, labels = rng.random((64, 64)).astype("float32"), rng.integers(0, 10, 64)
    net = gg.nn.Sequential(
        gg.nn.Linear(64, 256), gg.nn.ReLU(), gg.nn.Linear(256, 256), gg.nn.ReLU(), gg.nn.Linear(256, 10)
    )
    optimizer = gg.optim.AdamW(net.parameters(), lr=1e-3)

    def run_ours() -> None:
        optimizer.zero_grad()
        gg.nn.functional.cross_entropy(net(gg.asarray(images)), labels).backward()
        optimizer.step()

    runs: dict[str, Run] = {"gpugrad": run_ours}
    torch = torch_module()
    if torch is not None:
        nn = torch.nn
        other = nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 10))
        adam = torch.optim.AdamW(other.parameters(), lr=1e-3)
        tx, ty = torch.tensor(images), torch.tensor(labels)

        def run_torch() -> None:
            adam.zero_grad()
            nn.functional.cross_entropy(other(tx), ty).backward()
            adam.step()

        runs["torch eager"] = run_torch
    return runs


def cross_entropy() -> dict[str, Run]:
    """Softmax cross entropy of 4096 x 1000 logits with integer classes, its mean and gradient."""
    rng = np.random.default_rng(0)
    logits, classes = rng.standard_normal((4096, 1000), dtype=np.float32), rng.integers(0, 1000, 4096)
    given, torch = gg.tensor(classes), torch_module()
    theirs = torch.tensor(classes) if torch is not None else None

    def in_jax(x: Any) -> Any:
        import jax

        return -jax.numpy.take_along_axis(jax.nn.log_softmax(x), classes[:, None], 1).mean()

    runs = {"gpugrad": ours(lambda m, x: gg.nn.functional.cross_entropy(x, given), [logits])}
    return runs | peers(lambda x: torch.nn.functional.cross_entropy(x, theirs), in_jax, [logits])


def normalized(m: Any, x: Any, w: Any, b: Any, axes: tuple[int, ...]) -> Any:
    """Without mean and with variance 1 over axes, scaled and moved: as it is written in NumPy."""
    d = x - x.mean(axes, keepdims=True)
    return (d / m.sqrt((d * d).mean(axes, keepdims=True) + 1e-5) * w + b).sum()


def layer_norm() -> dict[str, Run]:
    """Layer norm of a 4096 x 1024 matrix with weight and bias, and its gradients in all three."""
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(s, dtype=np.float32) for s in ((4096, 1024), (1024,), (1024,))]
    torch, jax = torch_module(), jax_modules()
    return {"gpugrad": ours(functools.partial(normalized, axes=(-1,)), arrays)} | peers(
        lambda x, w, b: torch.nn.functional.layer_norm(x, (1024,), w, b).sum(),
        lambda x, w, b: normalized(jax[1], x, w, b, (-1,)),
        arrays,
    )


def batch_norm() -> dict[str, Run]:
    """Batch norm of 32 x 64 x 32 x 32 elements in training, and its gradients."""
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(s, dtype=np.float32) for s in ((32, 64, 32, 32), (1, 64, 1, 1), (1, 64, 1, 1))]
    torch, jax = torch_module(), jax_modules()
    return {"gpugrad": ours(functools.partial(normalized, axes=(0, 2, 3)), arrays)} | peers(
        lambda x, w, b: torch.nn.functional.batch_norm(x, None, None, w.ravel(), b.ravel(), True).sum(),
        lambda x, w, b: normalized(jax[1], x, w, b, (0, 2, 3)),
        arrays,
    )


def sine() -> dict[str, Run]:
    """sin(x y) of a million elements, summed."""

    def f(m: Any, x: Any, y: Any) -> Any:
        return m.sin(x * y).sum()

    arrays = data(10**6)[:2]
    return {"gpugrad": ours(f, arrays), **compiled_peers(f, arrays)}


def bytes_moved(n: int) -> int:
    """What the chain has to move at least: three inputs read, three gradients written."""
    return 6 * 4 * n


def copy_bandwidth(n: int = 10_000_000) -> Run:
    """A copy of n float32 elements, for the bandwidth of this machine (8 n bytes are moved)."""
    source, target = np.ones(n, np.float32), np.zeros(n, np.float32)
    return lambda: np.copyto(target, source)


WORKLOADS: dict[str, Callable[[], dict[str, Run]]] = {
    "chain, 10^3": lambda: chain(10**3),
    "chain, 10^5": lambda: chain(10**5),
    "chain, 10^7": lambda: chain(10**7),
    "sin(x y), 10^6": sine,
    "gelu + bias, 4096 x 1024": gelu,
    "cross entropy, 4096 x 1000": cross_entropy,
    "layer norm, 4096 x 1024": layer_norm,
    "batch norm, 32 x 64 x 32 x 32": batch_norm,
    "mse of 1 op, 10^6": lambda: mse(1),
    "mse of 10 ops, 10^6": lambda: mse(10),
    "mse of 50 ops, 10^6": lambda: mse(50),
    "adam, 5 million in 20": adam,
    "1,100 small ops": small_ops,
    "digits step": digits_step,
}
