"""Compiled plans under the sanitizers, which would notice a planted error."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers import sanitized

from gpugrad.codegen import body as codegen

pytestmark = pytest.mark.usefixtures("native")

SANITIZED = """
import numpy as np, gpugrad as gg
from gpugrad.backends.cpu import compiler
assert "-fsanitize=address,undefined" in compiler.flags()
rng = np.random.default_rng(0)
kinds = ["float32", "float64", "float16", "int8", "uint16", "int64", "bool"]
shapes = [(), (1,), (0,), (5,), (64,), (1024,), (1025,), (3, 7), (0, 3), (40, 70), (2, 3, 4), (33, 1, 65), (70000,), (300, 301)]
for k in range(150):
    shape = shapes[rng.integers(len(shapes))]
    def array():
        a = rng.integers(0, 2 if k % 7 == 6 else 100, [n + int(rng.integers(0, 3)) for n in shape]).astype(kinds[k % 7])
        a = a[tuple(slice(o := int(rng.integers(0, a.shape[d] - n + 1)), o + n) for d, n in enumerate(shape))]
        for d in range(a.ndim):
            if rng.random() < 0.2:
                a = np.flip(a, d)
            if rng.random() < 0.2:
                a = np.broadcast_to(a.take([0], d) if shape[d] else a, shape)
        return gg.asarray(np.asfortranarray(a) if rng.random() < 0.3 else a)
    gg.config.threads = int(rng.integers(1, 3))
    x, y = array(), array()
    if x.dtype.kind == "f":
        x, y = x.requires_grad_(), y.requires_grad_()
    z = gg.where(x > y, x * y + x, gg.maximum(x, 3 if k % 7 != 6 else True))
    axes = tuple(d for d in range(len(shape)) if rng.random() < 0.5)
    s = z.sum(axes) if k % 7 != 6 else z.any(axes)
    s.detach().tolist()
    if z.requires_grad:
        gg.tanh(z * 0.01).sum(axes).sum().backward()
        z2 = (x * y).sum()
        z2.backward()
        x.grad.tolist(), y.grad.tolist()
    gg.tensor(x).astype("int16").tolist(), gg.tensor(x).astype("float32").tolist()
p = [gg.tensor(rng.random(n), requires_grad=True) for n in (1, 70, 5000, 70000)]
optimizer = gg.optim.AdamW(p)
for _ in range(3):
    sum((t * t).sum() for t in p).backward()
    optimizer.step()
print("clean")
"""


def test_address_and_undefined_behaviour_sanitizers_are_silent(tmp_path: Path) -> None:
    flags = "-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all"
    done = sanitized(SANITIZED, flags, GPUGRAD_CPU="native", GPUGRAD_CACHE_DIR=str(tmp_path))
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.strip() == "clean"


def test_the_sanitizers_would_notice(tmp_path: Path) -> None:
    """A planted error: a tile that is too long."""
    source = (codegen.folder() / "host.cpp").read_text()
    broken = source.replace("kernel->body(in, scalars, out, padded);", "kernel->body(in, scalars, out, padded + PAD);")
    assert broken != source
    folder = tmp_path / "kernels"
    folder.mkdir()
    for f in codegen.folder().iterdir():
        if f.is_file():
            (folder / f.name).write_text(broken if f.name == "host.cpp" else f.read_text())
    code = f"import gpugrad.codegen.cpp as c, pathlib; c.folder = lambda: pathlib.Path({str(folder)!r})\nimport gpugrad as gg\nprint((gg.ones(1024) * gg.tensor([[2.0]])).tolist()[0][0])"
    done = sanitized(code, "-O1 -fsanitize=address", GPUGRAD_CPU="native", GPUGRAD_CACHE_DIR=str(tmp_path / "cache"))
    assert "AddressSanitizer" in done.stderr
