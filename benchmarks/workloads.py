"""What is measured: each workload once per library, as a function that runs forward and backward."""

from __future__ import annotations

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


def chain(n: int) -> dict[str, Run]:
    """Forward and backward of sum((tanh(x*y + b) * sigmoid(x))**2) on n float32 elements."""
    arrays = data(n)
    ours = [gg.asarray(a).requires_grad_() for a in arrays]

    def run_ours() -> None:
        x, y, b = ours
        for t in ours:
            t.zero_grad()
        ((gg.tanh(x * y + b) * gg.sigmoid(x)) ** 2).sum().backward()

    def run_numpy() -> tuple[np.ndarray, ...]:
        x, y, b = arrays
        t = np.tanh(x * y + b)
        s = 1 / (1 + np.exp(-x))
        p = t * s
        (p * p).sum()
        g = 2 * p
        dt = g * s * (1 - t * t)
        return dt * y + g * t * (s * (1 - s)), dt * x, dt

    runs: dict[str, Run] = {"gpugrad": run_ours, "numpy by hand": run_numpy}
    torch = torch_module()
    if torch is not None:
        theirs = [torch.tensor(a, requires_grad=True) for a in arrays]

        def run_torch() -> None:
            x, y, b = theirs
            for t in theirs:
                t.grad = None
            ((torch.tanh(x * y + b) * torch.sigmoid(x)) ** 2).sum().backward()

        runs["torch eager"] = run_torch
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


def bytes_moved(n: int) -> int:
    """What the chain has to move at least: three inputs read forward and backward, three gradients written."""
    return 9 * 4 * n


def copy_bandwidth(n: int = 10_000_000) -> Run:
    """A copy of n float32 elements, for the bandwidth of this machine (8 n bytes are moved)."""
    source, target = np.ones(n, np.float32), np.zeros(n, np.float32)
    return lambda: np.copyto(target, source)


WORKLOADS: dict[str, Callable[[], dict[str, Run]]] = {
    "chain, 10^3": lambda: chain(10**3),
    "chain, 10^5": lambda: chain(10**5),
    "chain, 10^7": lambda: chain(10**7),
    "1,100 small ops": small_ops,
    "digits step": digits_step,
}
