"""Kernels as they read, kept in kernels/golden. `python tests/cuda/test_golden.py` keeps what has changed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

if __name__ == "__main__":  # not by pytest, which finds the helpers itself
    sys.path.append(str(Path(__file__).parents[1]))

from cuda_helpers import NEEDS, emulator
from helpers import ROOT

import gpugrad as gg
from gpugrad.backends.cuda import launch
from gpugrad.codegen import cuda, cuda_structural
from gpugrad.plans.program import identity

pytestmark = NEEDS

GOLDEN = ROOT / "kernels" / "golden"


def golden() -> dict[str, str]:
    """A dozen kernels for review, as they are generated."""
    emulator.install()
    gg.config.fuse = 64
    before = gg.config.device
    gg.set_default_device("cuda")
    try:
        return _golden(gg.get_device("cuda").backend)
    finally:
        gg.set_default_device(before)


def _golden(backend: Any) -> dict[str, str]:
    rng = np.random.default_rng(0)

    def leaf(*shape: int, dtype: Any = "float32") -> gg.Tensor:
        return gg.tensor(rng.random(shape).astype(dtype), requires_grad=True)

    def texts(run: Any) -> list[str]:
        found: list[str] = []
        plain, ahead = launch.kernels, type(backend).ahead

        def kernels(*args: Any, **others: Any) -> Any:
            made = plain(*args, **others)
            found.extend(k.text for k, _, _ in made)
            return made

        launch.kernels, type(backend).ahead = kernels, False
        try:
            run()
        finally:
            launch.kernels, type(backend).ahead = plain, ahead
        return found

    gg.plans.plan.plans.clear()
    identity.cache_clear()
    result: dict[str, str] = {}

    def keep(name: str, make: Any, *parts: str) -> None:
        gg.plans.plan.plans.clear()
        for part, text in zip(parts, texts(make), strict=True):
            result[f"{name}{part}.cu"] = text

    x, y, b = leaf(64, 96), leaf(64, 96), leaf(96)
    one = gg.tensor(np.ones((64, 96), "float32"))

    def apart(make: Any, gradient: Any = None) -> Any:
        """Forward, and then backward: not in one program."""

        def run() -> None:
            y = make()
            gg.wait(y)
            y.backward(gradient)

        return run

    def chain() -> gg.Tensor:
        return ((gg.tanh(x * y + b) * gg.sigmoid(x)) ** 2).sum()

    keep("chain", apart(chain), "_forward", "_backward", "_backward_bias")
    keep("chain_joint", lambda: chain().backward(), "", "_sum")
    bias = apart(lambda: gg.gelu(x + b, approximate="tanh"), one)
    keep("gelu_bias", bias, "_forward", "_backward", "_backward_bias")
    h = gg.tensor(rng.random((64, 96)).astype(ml_dtypes.bfloat16), requires_grad=True)
    keep("bfloat16", lambda: gg.wait(gg.exp(h.detach()) * 0.5), "")
    keep("masked", apart(lambda: gg.where(x > 0, gg.sqrt(x), 0.0), one), "_forward", "_backward")
    keep("transposed", lambda: gg.wait((x.T * 2).detach()), "")
    keep("row_maximum", lambda: gg.wait(x.detach().max(axis=1)), "")
    keep("long_sum", lambda: gg.wait(gg.tensor(rng.random(100_000).astype("float32")).sum()), "")
    keep("softmax", apart(lambda: gg.softmax(x), one), "_forward", "_backward")
    keep("softmax_joint", lambda: gg.softmax(x).backward(one), "")
    w = leaf(96)

    def layer_norm() -> gg.Tensor:
        d = x - x.mean(-1, keepdims=True)
        return d / gg.sqrt((d * d).mean(-1, keepdims=True) + 1e-5) * w + b

    keep("layer_norm", apart(layer_norm, one), "_forward", "_backward", "_sum")
    z = leaf(8, 5, 16)
    keep(
        "batch_norm",
        lambda: gg.wait((z - z.mean((0, 2), keepdims=True)).detach() / gg.std(z.detach(), (0, 2), keepdims=True)),
        "",
    )
    for name, text in (
        ("scatter_add", cuda_structural.scatter_add(np.dtype(np.float32), 1, False)),
        ("running_sum", cuda_structural.scan_chunks(np.dtype(np.float32))),
    ):
        result[f"{name}.cu"] = text[text.rindex("typedef gg_sum_of") :]
    p, g, m, v = (gg.core.foreach.placeholder(np.dtype(np.float32), gg.get_device("cuda")) for _ in range(4))
    adam = gg.optim.AdamW([leaf(3)])
    with gg.no_grad():
        new = [t._value for t in adam.update(*map(gg.Tensor, (p, g)), [gg.Tensor(m), gg.Tensor(v)], 2)]
    result["adamw.cu"] = cuda.many(
        gg.plans.plan.plans.get(gg.core.structure.structure(new, gg.core.closing.close)).forward, 4
    )
    return result


@pytest.mark.usefixtures("on_cpu")
def test_golden_kernels_have_not_drifted() -> None:
    made = golden()
    kept = {p.name: p.read_text() for p in GOLDEN.glob("*.cu")}
    assert len(kept) >= 12
    for name, text in made.items():
        assert kept.get(name) == text, (
            f"{name} has changed: look at it, then run python tests/cuda/test_golden.py to keep it"
        )
    assert kept.keys() == made.keys()


if __name__ == "__main__":
    kernels = golden()
    GOLDEN.mkdir(exist_ok=True)
    for old in GOLDEN.glob("*.cu"):
        old.unlink()
    for name, text in kernels.items():
        (GOLDEN / name).write_text(text)
    print(f"kept {len(list(GOLDEN.glob('*.cu')))} kernels in {GOLDEN.relative_to(ROOT)}")
