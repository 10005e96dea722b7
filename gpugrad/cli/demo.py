"""The main job: a classifier trained on real handwritten digits, from data to plot (extra: demo)."""

from __future__ import annotations

import itertools
import os
import tempfile
import time
from typing import Any

import numpy as np

from .. import nn, optim, random
from ..backends.devices import default_device, device
from ..base import errors
from ..base.modes import no_grad
from ..functions.creation import tensor
from ..functions.reductions import argmax, mean
from ..tensor import Tensor

HIDDEN, DROPOUT, RATE, WEIGHT_DECAY, BATCH = 256, 0.3, 3e-3, 1e-2, 64


def run(out: str, seed: int = 0, epochs: int = 40, device_name: str | None = None, quiet: bool = False) -> float:
    """Train, write weights.safetensors, history.png and graph.svg to the folder `out`; return the test accuracy.

    The settings were chosen on the validation part of the training data; the test part is read once, at the end.
    """
    check_folder(out)
    try:
        import matplotlib.pyplot as plt
        from sklearn.datasets import load_digits
        from tqdm import tqdm
    except ImportError as e:
        raise errors.missing_extra("the demo", str(e.name), "demo") from None
    where = device_name or default_device().name
    with device(where):
        parts = split(load_digits())
        random.seed(seed)
        net = model()
        weights = os.path.join(out, "weights.safetensors")
        history: list[tuple[float, float]] = []
        print(
            f"{len(parts[0][0])} digits to learn from, {len(parts[1][0])} to watch, {len(parts[2][0])} to test; on {where}"
        )
        try:
            train(
                net, parts, epochs, seed, out, history, lambda it: tqdm(it, leave=False, disable=quiet or None), quiet
            )
        except KeyboardInterrupt:
            net.save(weights)
            print(f"\ninterrupted after {len(history)} epochs; the weights so far are in {weights}")
            raise
        net.save(weights)
        accuracy = score(net, *parts[2])
    plot(plt, history, os.path.join(out, "history.png"))
    print(f"test accuracy {accuracy:.2%}; wrote weights.safetensors, history.png and graph.svg to {out}")
    return accuracy


def check_folder(out: str) -> None:
    """Raise OSError now, not after training, if nothing can be written to the folder."""
    try:
        os.makedirs(out, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as e:
        raise OSError(f"cannot write to the folder {out!r}: {e.strerror}. Choose another one with --out.") from None


def split(digits: Any) -> list[tuple[Any, Any]]:
    """Training, validation and test part of scikit-learn's 1,797 digits: the same for every seed."""
    order = np.random.default_rng(0).permutation(len(digits.data))
    images = (digits.data[order] / 16).astype(np.float32)
    labels = digits.target[order]
    edges = [0, 1149, 1437, len(order)]
    return [(images[a:b], labels[a:b]) for a, b in itertools.pairwise(edges)]


def model() -> nn.Module:
    """Two hidden layers."""
    return nn.Sequential(
        nn.Linear(64, HIDDEN), nn.ReLU(), nn.Dropout(DROPOUT),
        nn.Linear(HIDDEN, HIDDEN), nn.ReLU(), nn.Dropout(DROPOUT),
        nn.Linear(HIDDEN, 10),
    )  # fmt: skip


def train(
    net: nn.Module, parts: Any, epochs: int, seed: int, out: str, history: Any, progress: Any, quiet: bool
) -> None:
    """The training loop: one line per epoch."""
    (images, labels), watched = parts[0], parts[1]
    optimizer = optim.AdamW(net.parameters(), lr=RATE, weight_decay=WEIGHT_DECAY)
    batches = (len(images) + BATCH - 1) // BATCH
    schedule = optim.CosineLR(optimizer, steps=epochs * batches, warmup=min(batches, epochs * batches - 1))
    shuffle = np.random.default_rng(seed)
    for epoch in range(epochs):
        net.train()
        start, total = time.perf_counter(), 0.0
        order = shuffle.permutation(len(images))
        for first in progress(range(0, len(order), BATCH)):
            chosen = order[first : first + BATCH]
            loss = step(net, images[chosen], labels[chosen])
            if not history and first == 0:
                draw(loss, net, os.path.join(out, "graph.svg"))
            optimizer.zero_grad()
            loss.backward()
            optim.clip_grad_norm_(net.parameters(), 5.0)
            optimizer.step()
            schedule.step()
            total += loss.item() * len(chosen)
        speed = len(order) / (time.perf_counter() - start)
        history.append((total / len(order), score(net, *watched)))
        if not quiet:
            print(
                f"epoch {epoch + 1:3d}  loss {history[-1][0]:.4f}  validation accuracy {history[-1][1]:.2%}  {speed:,.0f} images/s"
            )


def step(net: nn.Module, images: Any, labels: Any) -> Tensor:
    """The loss of one batch."""
    return nn.functional.cross_entropy(net(tensor(images)), labels)


def draw(loss: Tensor, net: nn.Module, path: str) -> None:
    """The computational graph of one step, as it is before backward frees it."""
    with open(path, "w", encoding="utf-8") as f:
        f.write(loss.graph(dict(net.named_parameters())).to_svg())


def score(net: nn.Module, images: Any, labels: Any) -> float:
    """The share of digits that are recognized."""
    net.eval()
    with no_grad():
        return float(mean(argmax(net(tensor(images)), 1) == labels).item())


def plot(plt: Any, history: list[tuple[float, float]], path: str) -> None:
    """Loss and accuracy over the epochs."""
    epochs = range(1, len(history) + 1)
    figure, left = plt.subplots(figsize=(7, 4))
    right = left.twinx()
    left.plot(epochs, [h[0] for h in history], color="tab:blue", label="training loss")
    right.plot(epochs, [h[1] for h in history], color="tab:orange", linestyle="--", label="validation accuracy")
    left.set(xlabel="epoch", ylabel="training loss", yscale="log", title="UCI handwritten digits")
    right.set(ylabel="validation accuracy", ylim=(min(0.9, min(h[1] for h in history)), 1.0))
    figure.legend(loc="center right", bbox_to_anchor=(0.86, 0.5))
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    plt.close(figure)
