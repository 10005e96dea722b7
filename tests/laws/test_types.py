"""What a user's type checker makes of the library: it finds the mistakes, and nothing else."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import ROOT

# A line that mypy must complain about ends in the code of its error.
PROGRAM = """
import numpy as np
import gpugrad as gg
from gpugrad.nn import functional as F

class Net(gg.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = gg.nn.Sequential(gg.nn.Linear(2, 3), gg.nn.Tanh())
        self.scale = gg.tensor(2.0, requires_grad=True, name="scale")
        self.outer = gg.nn.Linear(2)  # call-arg

    def forward(self, x: gg.Tensor) -> gg.Tensor:
        h: gg.Tensor = self.inner(x)
        return h @ h.T * self.scale

def energy(x: gg.Tensor) -> gg.Tensor:
    r = 2 * x**2 - x[..., None].sum(axis=-1) / 3
    r += gg.where(r > 0, gg.sinc(r), -r).reshape(2, -1).clip(0.0).ravel()
    waves: gg.Tensor = np.sin(r)
    return gg.logsumexp(gg.concatenate([waves, abs(x)]), keepdims=True).mean()

x = gg.tensor([1.0, 2.0], requires_grad=True)
total: gg.Tensor = energy(x)
total.backward(retain_graph=True)
if x.grad is not None:
    print(x.grad.numpy(), float(x.grad[0]), x.shape[0] + 1, len(x), [row.item() for row in x])
slope: gg.Tensor = gg.autograd.grad(total, x)[0]
value, gradient = gg.value_and_grad(energy)(np.ones(2))
y, pull = gg.vjp(energy, x)
optimizer = gg.optim.AdamW(Net().parameters(), lr=0.1)
with gg.no_grad():
    optimizer.step()
loss = F.mse_loss(Net()(x), gg.zeros_like(x)).leaky_relu(negative_slope=0.1)

gg.sinn(x)  # attr-defined
x.shpae  # attr-defined
x.summ()  # attr-defined
gg.sin(x, x)  # call-arg
x.sin(1)  # call-arg
x.sum(axis=0, keepdim=True)  # call-arg
gg.maximum(x)  # call-arg
gg.elu(x, alpha="1")  # arg-type
x.T()  # operator
F.mse_los(x, x)  # attr-defined
gg.optim.Adam([x], rate=0.1)  # call-arg
optimizer.stepp()  # attr-defined
gg.vjq(energy, x)  # attr-defined
length: int = x.sum()  # assignment
"""


@pytest.mark.skipif(importlib.util.find_spec("mypy") is None, reason="mypy is not installed (extra: dev)")
def test_mypy_finds_the_mistakes_of_a_program_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "program.py"
    file.write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file", os.devnull, "--cache-dir", tmp_path / "cache",
         "--follow-imports", "silent", file],
        env={**os.environ, "MYPYPATH": str(ROOT)}, cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    found = {int(n): code for n, code in re.findall(r"program\.py:(\d+): error: .*\[([\w-]+)\]$", done.stdout, re.M)}
    lines = enumerate(PROGRAM.split("\n"), 1)
    planted = {n: line.rpartition("# ")[2] for n, line in lines if "# " in line}
    assert found == planted, done.stdout + done.stderr
